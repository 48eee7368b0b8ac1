//! Tasks of the project: `cargo xtask test` is exactly what CI runs.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod e2e;
mod range;
mod run;
mod tidy;

use anyhow::{Result, bail};
use std::{path::PathBuf, process::ExitCode};

/// Name, what it does.
const TASKS: [(&str, &str); 8] = [
    (
        "test",
        "format, lints, tests, doc tests, tidy, licences, end to end, the range",
    ),
    (
        "tidy",
        "floors, licences, documents, forbidden words, goldens; seconds",
    ),
    (
        "e2e",
        "the report in a headless browser, the PDF through its reader",
    ),
    ("bench", "every bench, small; `--full` at published size"),
    (
        "contain",
        "every family under every damage: intervals hold the truth, sources only narrow",
    ),
    (
        "evaluate",
        "attribution against the truth: families, seeds, disguises, baselines; alone, thirty seeds of each and when the alarm came",
    ),
    ("range", "real servers on network namespaces, as root"),
    ("help", "this list"),
];

fn main() -> ExitCode {
    match task() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("error: could not {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn task() -> Result<bool> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("test" | "check") => run::everything(),
        Some("tidy") => tidy::run(),
        Some("e2e") => {
            run::cargo(&["build", "--locked", "--package", "ampleur"])?;
            run::cargo(&[
                "build",
                "--locked",
                "--package",
                "ampleur-notice",
                "--example",
                "render",
            ])?;
            e2e::run(&target_dir().join("debug"))
        }
        Some("contain") => {
            let mut all = vec![
                "run",
                "--release",
                "--locked",
                "--package",
                "ampleur-bench",
                "--",
                "contain",
            ];
            all.extend(args[1..].iter().map(String::as_str));
            run::cargo(&all)
        }
        Some(lane @ ("bench" | "evaluate")) => {
            // Figures to publish are those of the program that is handed out.
            let profile = match lane == "bench" && args.iter().any(|a| a == "--full") {
                true => "dist",
                false => "release",
            };
            let mut all = vec![
                "run",
                "--profile",
                profile,
                "--locked",
                "--package",
                "ampleur-bench",
                "--",
            ];
            if lane == "evaluate" {
                all.push("attribution");
                if args.len() == 1 {
                    all.extend(["--seeds", "1-30", "--scale", "0.001", "--live"]);
                }
            }
            all.extend(args[1..].iter().map(String::as_str));
            run::cargo(&all)
        }
        Some("range") => {
            // `--bin FILE`: a program that is built already.
            let given = args
                .iter()
                .position(|a| a == "--bin")
                .and_then(|i| args.get(i + 1));
            let program = match given {
                Some(file) => PathBuf::from(file),
                None => {
                    run::cargo(&["build", "--release", "--locked", "--package", "ampleur"])?;
                    target_dir().join("release").join("ampleur")
                }
            };
            range::run(&program)?;
            Ok(true)
        }
        None | Some("help") => {
            for (name, what) in TASKS {
                println!("cargo xtask {name:<8} {what}");
            }
            Ok(true)
        }
        Some(other) => bail!("find task `{other}`: `cargo xtask help` lists them"),
    }
}

/// The root of the checkout.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(PathBuf::from)
        .unwrap_or_default()
}

/// Where Cargo builds.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
