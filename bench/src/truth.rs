//! Every family of the simulated hospital, many seeds: the answer against the truth.
use crate::{cases::Cases, pipeline::look};
use ampleur_testkit::{Family, Recipe, score, simulate};
use anyhow::{Context, Result, bail};
use std::path::Path;

/// `truth [FAMILY…] [--seeds A-B] [--scale X] [--keep DIR]`
pub fn run(args: &[String]) -> Result<()> {
    let plan = Cases::read(args, 0.004, |_, _| Ok(false))?;
    let (mut good, mut all) = (0, 0);
    for family in &plan.families {
        for seed in &plan.seeds {
            let temporary =
                std::env::temp_dir().join(format!("ampleur-truth-{}", std::process::id()));
            let dir = plan.keep.as_ref().map_or(temporary.clone(), |k| {
                k.join(format!("{}-{seed}", family.name()))
            });
            drop(std::fs::remove_dir_all(&dir));
            let faults = one(*family, *seed, plan.scale, &dir)
                .with_context(|| format!("{} seed {seed}", family.name()))?;
            all += 1;
            good += usize::from(faults.is_empty());
            if plan.keep.is_none() {
                drop(std::fs::remove_dir_all(&temporary));
            }
        }
    }
    println!("truth: {good} of {all} without fault");
    if good < all {
        bail!("{} runs have faults", all - good);
    }
    Ok(())
}

fn one(family: Family, seed: u64, scale: f64, dir: &Path) -> Result<Vec<String>> {
    simulate(&Recipe::new(family, seed, scale), dir)?;
    look(&dir.join("case"), &dir.join("out"))?;
    let s = score::score_dirs(dir, &dir.join("out"))?;
    let faults = s.faults();
    println!(
        "{:<5} seed {seed:>3}: persons {}–{} truth {}, f1 {:.4}, sessions {}/{}, {}",
        family.name(),
        s.subjects.0,
        s.subjects.1,
        s.subjects_truth,
        s.touched.value(),
        s.sessions_found,
        s.sessions_visible,
        if faults.is_empty() {
            "no fault".to_string()
        } else {
            faults.join("; ")
        }
    );
    Ok(faults)
}
