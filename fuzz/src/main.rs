//! `cargo run -p ampleur-fuzz --release -- --source NAME --runs N --seed S [--keep K]`: fuzzes one decoder (or `all`, or the
//! reader of `outlook-store`), prints how many executions ran, and writes a failing input to `fuzz/corpus/NAME/crash-*` before
//! it stops with exit code 101.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use ampleur_fuzz::{
    Session, corpus_folder,
    store::{STORE, Stores},
};
use ampleur_sources::{SOURCES, by_name};
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// An execution is mostly what it allocates.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut source = String::from("all");
    let (mut runs, mut seed, mut keep) = (1_000_000u64, 1u64, 0usize);
    let mut args = std::env::args().skip(1);
    while let Some(a) = args.next() {
        let v = args.next().unwrap_or_default();
        match a.as_str() {
            "--source" => source = v,
            "--runs" => runs = v.parse().unwrap_or(runs),
            "--seed" => seed = v.parse().unwrap_or(seed),
            "--keep" => keep = v.parse().unwrap_or(keep),
            _ => {
                eprintln!("usage: --source NAME|all --runs N --seed S --keep K");
                return ExitCode::from(2);
            }
        }
    }
    if source == STORE {
        return ExitCode::from(if stores(runs, seed) { 0 } else { 101 });
    }
    let names: Vec<&str> = if source == "all" {
        SOURCES.iter().map(|s| s.name()).collect()
    } else {
        vec![source.as_str()]
    };
    for name in names {
        let Some(source) = by_name(name) else {
            eprintln!("no source is called {name}");
            return ExitCode::from(2);
        };
        if !fuzz(source, runs, seed, keep) {
            return ExitCode::from(101);
        }
    }
    ExitCode::SUCCESS
}

/// Stores are larger than records and their finds are not kept, only what fails.
fn stores(runs: u64, seed: u64) -> bool {
    let started = Instant::now();
    let mut session = Stores::new(seed);
    for i in 0..runs {
        let input = session.input();
        let began = Instant::now();
        let ok = catch_unwind(AssertUnwindSafe(|| session.run(&input))).is_ok();
        if !ok || began.elapsed() > Duration::from_secs(20) {
            let dir = corpus_folder(STORE);
            let _ = fs::create_dir_all(&dir);
            let path = dir.join(format!("crash-{seed}-{i}"));
            let _ = fs::write(&path, &input);
            eprintln!(
                "{STORE}: failed or took long at run {i} of seed {seed}; input kept in {}",
                path.display()
            );
            return false;
        }
    }
    let s = started.elapsed().as_secs_f64();
    println!(
        "{STORE}: {} executions in {s:.0} s ({:.0}/s), {} kinds of result, no failure",
        session.runs,
        session.runs as f64 / s,
        session.kinds()
    );
    true
}

fn fuzz(source: &'static dyn ampleur_sources::Source, runs: u64, seed: u64, keep: usize) -> bool {
    let started = Instant::now();
    let mut session = Session::new(source, seed);
    // A run that takes longer than this is a hang; the input is kept by the watcher.
    let done = Arc::new(AtomicU64::new(0));
    let current: Arc<Mutex<Vec<u8>>> = Arc::default();
    let (d, c, name) = (done.clone(), current.clone(), source.name());
    std::thread::spawn(move || {
        // Looks, not time: a process that is stopped for a while does not hang.
        let (mut last, mut looks) = (0, 0);
        loop {
            std::thread::park_timeout(Duration::from_secs(1));
            let now = d.load(Ordering::Relaxed);
            if now == u64::MAX {
                return;
            }
            if now != last {
                (last, looks) = (now, 0);
            } else if looks < 60 {
                looks += 1;
            } else {
                let input = c.lock().map(|i| i.clone()).unwrap_or_default();
                let path = corpus_folder(name).join("hang");
                let _ = fs::create_dir_all(corpus_folder(name));
                let _ = fs::write(&path, input);
                eprintln!(
                    "{name}: no progress for 60 s, input kept in {}",
                    path.display()
                );
                std::process::abort();
            }
        }
    });
    for i in 0..runs {
        let (input, setting, cuts) = session.input();
        if i % 64 == 0 {
            done.store(i, Ordering::Relaxed);
        }
        if let Ok(mut c) = current.try_lock() {
            c.clear();
            c.extend_from_slice(&input);
        }
        let result = catch_unwind(AssertUnwindSafe(|| session.run(&input, setting, &cuts)));
        if result.is_err() {
            let dir = corpus_folder(source.name());
            let _ = fs::create_dir_all(&dir);
            let path = dir.join(format!("crash-{seed}-{i}"));
            let _ = fs::write(&path, &input);
            eprintln!(
                "{}: failed at run {i} of seed {seed}, setting {setting}, cuts {cuts:?}; input kept in {}",
                source.name(),
                path.display()
            );
            done.store(u64::MAX, Ordering::Relaxed);
            return false;
        }
    }
    done.store(u64::MAX, Ordering::Relaxed);
    let dir = corpus_folder(source.name());
    // Short finds are the ones people can read; they are the regression test.
    let mut finds = std::mem::take(&mut session.finds);
    finds.sort_by_key(|f| (f.len(), f.clone()));
    finds.dedup();
    let step = (finds.len() / keep.max(1)).max(1);
    let mut kept = 0;
    for f in finds.iter().step_by(step).take(keep) {
        let mut h = 0xcbf2_9ce4_8422_2325u64;
        for b in f {
            h = (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
        }
        let _ = fs::create_dir_all(&dir);
        kept += usize::from(fs::write(dir.join(format!("{h:016x}")), f).is_ok());
    }
    let s = started.elapsed().as_secs_f64();
    println!(
        "{}: {} executions in {s:.0} s ({:.0}/s), {} kinds of result, {kept} inputs kept, no failure",
        source.name(),
        session.runs,
        session.runs as f64 / s,
        finds.len()
    );
    true
}
