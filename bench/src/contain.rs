//! Containment under damage: every family × seeds × damages, the answer against the truth, and how wide it is. Then the same case
//! with its sources handed over one after the other: each one may only narrow the answer.
use crate::{cases::Cases, pipeline::look};
use ampleur_testkit::{
    Family, Pathology, Recipe, Truth,
    pathology::{damages, present, telling},
    score::{Score, score},
    simulate,
};
use anyhow::{Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

struct Plan {
    cases: Cases,
    /// Names of damages; empty: all.
    damages: Vec<String>,
    /// Of the damages chosen, how many each (family, seed) plays, turning with the seed; 0: all.
    each: usize,
    added: bool,
    jobs: usize,
}

struct Task {
    family: Family,
    seed: u64,
    name: &'static str,
    pathologies: Vec<Pathology>,
}

/// What is added up over all runs.
#[derive(Default)]
struct Sum {
    runs: u64,
    faulty: u64,
    cells: u64,
    subject_cells: u64,
    sentences: u64,
    /// Damage → runs, of which as narrow as two hundredths of the truth, sum of widths relative to the population.
    width: BTreeMap<String, (u64, u64, f64)>,
    lines: Vec<String>,
}

/// `contain [FAMILY…] [--seeds A-B] [--scale X] [--damage NAME]… [--each N] [--no-added] [--jobs N] [--keep DIR]`
pub fn run(args: &[String]) -> Result<()> {
    let plan = plan(args)?;
    let mut tasks = Vec::new();
    for family in &plan.cases.families {
        for seed in &plan.cases.seeds {
            let all: Vec<_> = damages(*family, *seed)
                .into_iter()
                .filter(|d| plan.damages.is_empty() || plan.damages.iter().any(|n| n == d.0))
                .collect();
            let n = all.len();
            for (k, (name, pathologies)) in all.into_iter().enumerate() {
                let turn = (k + n - (*seed as usize * plan.each) % n.max(1)) % n.max(1);
                if plan.each == 0 || turn < plan.each {
                    tasks.push(Task {
                        family: *family,
                        seed: *seed,
                        name,
                        pathologies,
                    });
                }
            }
            if plan.added {
                tasks.push(Task {
                    family: *family,
                    seed: *seed,
                    name: ADDED,
                    pathologies: vec![],
                });
            }
        }
    }
    let sum = Mutex::new(Sum::default());
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<anyhow::Error>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for job in 0..plan.jobs.max(1) {
            let (tasks, sum, next, failed, plan) = (&tasks, &sum, &next, &failed, &plan);
            scope.spawn(move || {
                loop {
                    let Some(t) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) else {
                        return;
                    };
                    if let Err(e) = one(t, plan, job, sum) {
                        failed.lock().expect("no panic while held").get_or_insert(
                            e.context(format!("{} seed {} {}", t.family.name(), t.seed, t.name)),
                        );
                        return;
                    }
                }
            });
        }
    });
    if let Some(e) = failed.into_inner().expect("no panic while held") {
        return Err(e);
    }
    let s = sum.into_inner().expect("no panic while held");
    println!(
        "contain: width by damage (share of runs within 2 % of the truth; mean width / population)"
    );
    for (name, (n, narrow, wide)) in &s.width {
        println!(
            "  {name:<28} {n:>5} runs  {:>5.1} %  {:.4}",
            100.0 * *narrow as f64 / *n as f64,
            wide / *n as f64
        );
    }
    println!(
        "contain: {} runs, {} cells, {} touched subject-cells, {} sentences; {} runs with a fault",
        s.runs, s.cells, s.subject_cells, s.sentences, s.faulty
    );
    if s.faulty > 0 {
        bail!("{} runs have faults", s.faulty);
    }
    Ok(())
}

const ADDED: &str = "sources added";

fn one(t: &Task, plan: &Plan, job: usize, sum: &Mutex<Sum>) -> Result<()> {
    let scratch =
        std::env::temp_dir().join(format!("ampleur-contain-{}-{job}", std::process::id()));
    let dir = plan.cases.keep.as_ref().map_or(scratch.clone(), |k| {
        k.join(format!(
            "{}-{}-{}",
            t.family.name(),
            t.seed,
            t.name.replace(' ', "_")
        ))
    });
    drop(std::fs::remove_dir_all(&dir));
    let mut recipe = Recipe::new(t.family, t.seed, plan.cases.scale);
    recipe.pathologies.clone_from(&t.pathologies);
    simulate(&recipe, &dir)?;
    let truth: Truth = serde_json::from_slice(&std::fs::read(dir.join("truth.json"))?)?;
    if t.name == ADDED {
        added(t, &dir, &truth, sum)?;
    } else {
        let s = answer(&dir.join("case"), &dir.join("out"), &truth)?;
        let faults = s.faults_under_damage(&truth);
        record(sum, t, t.name, &truth, &s, faults);
    }
    if plan.cases.keep.is_none() {
        drop(std::fs::remove_dir_all(&dir));
    }
    Ok(())
}

fn answer(case: &Path, out: &Path, truth: &Truth) -> Result<Score> {
    look(case, out)?;
    let x: Value = serde_json::from_slice(&std::fs::read(out.join("extent.json"))?)?;
    Ok(score(
        truth,
        &x,
        &std::fs::read_to_string(out.join("persons.csv"))?,
    ))
}

fn record(sum: &Mutex<Sum>, t: &Task, name: &str, truth: &Truth, s: &Score, faults: Vec<String>) {
    let mut sum = sum.lock().expect("no panic while held");
    sum.runs += 1;
    sum.cells += s.cells;
    sum.subject_cells += truth.cells.iter().map(|c| c.touched).sum::<u64>();
    sum.sentences += truth.statements.len() as u64;
    let (lo, hi) = s.subjects;
    let w = sum
        .width
        .entry(format!("{} {name}", t.family.name()))
        .or_default();
    w.0 += 1;
    w.1 += u64::from((hi - lo) as f64 <= 0.02 * s.subjects_truth as f64);
    w.2 += (hi - lo) as f64 / truth.totals.population.max(1) as f64;
    sum.faulty += u64::from(!faults.is_empty());
    let line = format!(
        "{:<5} seed {:>3} {name}: persons {lo}–{hi} truth {}, sessions {}/{}, {}",
        t.family.name(),
        t.seed,
        s.subjects_truth,
        s.sessions_found,
        s.sessions_visible,
        if faults.is_empty() {
            "no fault".to_string()
        } else {
            format!("FAULT {}", faults.join("; "))
        }
    );
    println!("{line}");
    sum.lines.push(line);
}

/// The sources one after the other: those that show presence first, then those that tell, then the rest. Each answer must hold the
/// truth, and none may be wider than the one before it.
fn added(t: &Task, dir: &Path, truth: &Truth, sum: &Mutex<Sum>) -> Result<()> {
    let case = dir.join("case");
    let mut rest: Vec<String> = std::fs::read_dir(case.join("logs"))?
        .filter_map(|e| Some(e.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    rest.sort();
    let mut order: Vec<String> = Vec::new();
    for key in telling(t.family).iter().chain(present(t.family)) {
        if let Some(at) = rest.iter().position(|r| r == key) {
            order.push(rest.remove(at));
        }
    }
    order.extend(rest);
    // Which comes first turns with the seed.
    let n = order.len().max(1);
    order.rotate_left(t.seed as usize % n);
    let part = dir.join("part");
    copy(&case, &part, &|rel| !rel.starts_with("logs/"))?;
    let mut last: Option<(u64, u64)> = None;
    for (k, key) in order.iter().enumerate() {
        copy(
            &case.join("logs").join(key),
            &part.join("logs").join(key),
            &|_| true,
        )?;
        let out = dir.join(format!("out-{k}"));
        let mut s = answer(&part, &out, truth)?;
        // The truth counts the records of all sources.
        s.conservation.clear();
        let mut faults = s.faults_under_damage(truth);
        if let Some((lo, hi)) = last {
            if s.subjects.1 > hi {
                faults.push(format!("at most {hi} became {} with {key}", s.subjects.1));
            }
            if s.subjects.0 < lo {
                faults.push(format!("at least {lo} became {} with {key}", s.subjects.0));
            }
        }
        last = Some(s.subjects);
        record(
            sum,
            t,
            &format!("{} of {n} sources", k + 1),
            truth,
            &s,
            faults,
        );
        drop(std::fs::remove_dir_all(&out));
    }
    Ok(())
}

fn copy(from: &Path, to: &Path, keep: &dyn Fn(&str) -> bool) -> Result<()> {
    let mut todo = vec![PathBuf::new()];
    while let Some(rel) = todo.pop() {
        for e in std::fs::read_dir(from.join(&rel))? {
            let e = e?;
            let here = rel.join(e.file_name());
            if e.path().is_dir() {
                todo.push(here);
            } else if keep(&here.to_string_lossy()) {
                let at = to.join(&here);
                if let Some(parent) = at.parent() {
                    std::fs::create_dir_all(parent)?;
                }
                std::fs::copy(e.path(), at)?;
            }
        }
    }
    Ok(())
}

fn plan(args: &[String]) -> Result<Plan> {
    let (mut damages, mut each, mut added, mut jobs) = (vec![], 0, true, 1);
    let cases = Cases::read(args, 0.002, |name, value| {
        match name {
            "--damage" => damages.push(value()?),
            "--each" => each = value()?.parse()?,
            "--no-added" => added = false,
            "--jobs" => jobs = value()?.parse()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Plan {
        cases,
        damages,
        each,
        added,
        jobs,
    })
}
