//! Cold files to a finished report: a simulated regional identity server (S2) at scale, investigated by a fresh process.
use ampleur_serve::job::{Finding, Options, Outside, Quiet, SubjectsForm, investigate};
use ampleur_testkit::{Family, Recipe, simulate};
use anyhow::{Context, Result, ensure};
use std::{path::Path, process::Command, time::Instant};

/// Records of the simulated case: small for CI, the size of the target with `--full`.
const SMALL: f64 = 0.002;
const FULL_RECORDS: u64 = 10_000_000;

/// `[--full] [--records N] [--scale X] [--keep DIR]`: the size of the case and of the incident in it, and a folder where it stays for the next run.
pub fn run(args: &[String], full: bool) -> Result<()> {
    let value = |name: &str| {
        let at = args.iter().position(|a| a == name)?;
        args.get(at + 1)
    };
    let records = match value("--records") {
        Some(n) => Some(n.parse().context("--records takes a number")?),
        None => full.then_some(FULL_RECORDS),
    };
    let scale = match value("--scale") {
        Some(x) => x.parse().context("--scale takes a number")?,
        None => SMALL,
    };
    if let Some(dir) = value("--keep") {
        return measured(Path::new(dir), records, scale);
    }
    let dir = std::env::temp_dir().join(format!("ampleur-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let result = measured(&dir, records, scale);
    drop(std::fs::remove_dir_all(&dir));
    result
}

fn measured(dir: &Path, records: Option<u64>, scale: f64) -> Result<()> {
    let case = dir.join("s2").join("case");
    if !case.is_dir() {
        make(dir, records, scale)?;
    }
    drop_caches();
    let out = dir.join("out");
    drop(std::fs::remove_dir_all(&out));
    let status = Command::new(std::env::current_exe()?)
        .arg("pipeline-child")
        .arg(&case)
        .arg(&out)
        .status()
        .context("start the measured process")?;
    ensure!(status.success(), "the measured process ended with {status}");
    Ok(())
}

fn make(dir: &Path, records: Option<u64>, scale: f64) -> Result<()> {
    let mut recipe = Recipe::new(Family::S2, 7, scale);
    if let Some(wanted) = records {
        // Ordinary work grows with `background`; two small cases give the line through which the target is reached.
        let records = |background: f64, name: &str| -> Result<f64> {
            let r = Recipe {
                background,
                ..recipe.clone()
            };
            Ok(simulate(&r, &dir.join(name))?.records as f64)
        };
        let (one, five) = (records(1.0, "one")?, records(5.0, "five")?);
        let each = ((five - one) / 4.0).max(1.0);
        recipe.background = (1.0 + (wanted as f64 - one) / each).max(1.0);
    }
    let start = Instant::now();
    let made = simulate(&recipe, &dir.join("s2"))?;
    println!(
        "pipeline: {} records simulated in {:.1} s (not counted)",
        made.records,
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Asks the kernel to forget the files just written, so that they are read cold; without the right to, says so.
fn drop_caches() {
    drop(Command::new("sync").status());
    if std::fs::write("/proc/sys/vm/drop_caches", "3").is_err() {
        println!("pipeline: the page cache could not be dropped, files are read warm");
    }
}

/// One investigation as a test runs it: keys from a fixed seed, identifiers in clear when `clear`.
fn finding(
    case: &Path,
    out: &Path,
    subjects: SubjectsForm,
    clock: &dyn Fn() -> std::time::Duration,
) -> Result<Finding> {
    let mut counter = 0u64;
    let mut random = |bytes: &mut [u8]| {
        for chunk in bytes.chunks_mut(32) {
            counter += 1;
            chunk.copy_from_slice(&blake3::hash(&counter.to_le_bytes()).as_bytes()[..chunk.len()]);
        }
    };
    let options = Options {
        case: case.to_path_buf(),
        out: out.to_path_buf(),
        lake: None,
        keys: None,
        dpo_key: None,
        subjects,
        word: ampleur_detect::Word::default(),
        add: None,
        previous: None,
        threads: threads(),
        lang: ampleur_notice::Lang::Fr,
        simulated: true,
        sessions_max: 20_000,
        rules: None,
    };
    Ok(investigate(
        &options,
        &mut Outside {
            now: 0,
            actor: "bench".into(),
            random: &mut random,
        },
        clock,
        &Quiet,
    )?)
}

/// `AMPLEUR_THREADS`, else all cores.
pub fn threads() -> usize {
    std::env::var("AMPLEUR_THREADS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from))
}

/// Time this process has had a processor for, all threads together, to a hundredth of a second.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, the second field, may hold anything; fields 14 and 15 count from behind its bracket.
    let after = stat.rsplit_once(')').map_or("", |(_, t)| t);
    let field = |n: usize| -> f64 {
        let text = after.split_ascii_whitespace().nth(n - 3);
        text.and_then(|t| t.parse().ok()).unwrap_or(0.0)
    };
    (field(14) + field(15)) / 100.0
}

/// Investigates `case` into `out`, identifiers in clear, for a scorer.
pub fn look(case: &Path, out: &Path) -> Result<()> {
    finding(case, out, SubjectsForm::Clear, &|| {
        std::time::Duration::ZERO
    })
    .map(drop)
}

/// The measured process: `CASE OUT`.
pub fn child(args: &[String]) -> Result<()> {
    let [case, out] = args else {
        anyhow::bail!("usage: pipeline-child CASE OUT")
    };
    let start = Instant::now();
    // The clock is read at the start and at the end of every stage.
    let ends = std::cell::RefCell::new(vec![]);
    let finding = finding(
        Path::new(case),
        Path::new(out),
        SubjectsForm::Tokens,
        &|| {
            ends.borrow_mut().push((cpu_seconds(), peak_mib()));
            start.elapsed()
        },
    )?;
    let wall = start.elapsed().as_secs_f64();
    let ends = ends.into_inner();
    for ((stage, time), of) in finding.timing.stages.iter().zip(ends.windows(2)) {
        println!(
            "pipeline: {stage:<12} {:>8.2} s, {:>8.2} s of CPU, peak memory so far {} MiB",
            time.as_secs_f64(),
            of[1].0 - of[0].0,
            of[1].1
        );
    }
    let answer = finding.answer;
    println!(
        "pipeline: {} records, total {wall:.2} s, {:.2} s of CPU, {:.0} records/s on {} threads, peak memory {} MiB, persons {}",
        answer.evidence.records,
        cpu_seconds(),
        answer.evidence.records as f64 / wall,
        threads(),
        peak_mib(),
        answer.extent.subjects
    );
    // The extent depends on the evidence alone; keys and times do not enter its counts.
    println!(
        "pipeline: answer {}",
        blake3::hash(&serde_json::to_vec(&answer.extent.cells)?).to_hex()
    );
    Ok(())
}

pub fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .and_then(|v| v.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
