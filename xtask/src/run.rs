//! Running the steps of CI one after the other, each to its end, with one closing summary.
use crate::{e2e, range, root, target_dir, tidy};
use anyhow::{Context as _, Result};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::Instant,
};

/// Runs cargo in the checkout; true when it succeeds.
pub fn cargo(args: &[&str]) -> Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    Ok(Command::new(cargo)
        .args(args)
        .current_dir(root())
        .status()
        .with_context(|| format!("run cargo {}", args.join(" ")))?
        .success())
}

/// True when a program is there to be run.
pub fn have(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// Runs a test command, passes its output through and counts what the runner says passed and failed.
fn tests(args: &[&str], passed: &mut u64, failed: &mut u64) -> Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(cargo)
        .args(args)
        .current_dir(root())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("run cargo {}", args.join(" ")))?;
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines() {
            let line = line.context("read the output of the tests")?;
            println!("{line}");
            // `test result: ok. 12 passed; 0 failed; 0 ignored; …`, one for each test program.
            if let Some(rest) = line.trim().strip_prefix("test result:") {
                *passed += before(rest, " passed");
                *failed += before(rest, " failed");
            }
        }
    }
    Ok(child.wait().context("wait for the tests")?.success())
}

/// The number that stands before `word`.
fn before(text: &str, word: &str) -> u64 {
    text.split(word)
        .next()
        .filter(|head| head.len() < text.len())
        .and_then(|head| head.rsplit(|c: char| !c.is_ascii_digit()).next())
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}

/// Everything CI runs. Steps go on after a failure, so that one run shows all of them.
pub fn everything() -> Result<bool> {
    let (mut passed, mut failed) = (0, 0);
    let mut bad: Vec<&str> = Vec::new();
    let start = Instant::now();
    let mut step = |name: &'static str, run: &mut dyn FnMut() -> Result<bool>| {
        println!("\n==> {name}");
        let began = Instant::now();
        let ok = run().unwrap_or_else(|e| {
            eprintln!("error: could not {e:#}");
            false
        });
        println!(
            "<== {name}: {} in {:.0} s",
            if ok { "passed" } else { "FAILED" },
            began.elapsed().as_secs_f32()
        );
        let _ = std::io::stdout().flush();
        if !ok {
            bad.push(name);
        }
    };
    step("format", &mut || cargo(&["fmt", "--all", "--check"]));
    step("tidy", &mut tidy::run);
    step("lints", &mut || {
        cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ])
    });
    step("tests", &mut || {
        tests(
            &[
                "test",
                "--workspace",
                "--lib",
                "--bins",
                "--tests",
                "--examples",
                "--locked",
                "--no-fail-fast",
            ],
            &mut passed,
            &mut failed,
        )
    });
    step("doc tests", &mut || {
        tests(
            &["test", "--workspace", "--doc", "--locked", "--no-fail-fast"],
            &mut passed,
            &mut failed,
        )
    });
    step("licences and bans", &mut || {
        if have("cargo-deny") {
            cargo(&["deny", "check", "licenses", "bans", "sources"])
        } else {
            println!("cargo-deny is not installed; tidy has checked the licences");
            Ok(true)
        }
    });
    step("end to end", &mut e2e::run);
    step("range", &mut || {
        // Real servers need root; `range::run` says loudly when this machine forbids them.
        cargo(&["build", "--locked", "--package", "ampleur"])?;
        range::run(&target_dir().join("debug").join("ampleur"))?;
        Ok(true)
    });
    let steps_failed = bad.len();
    println!(
        "\n{} in {:.0} s",
        if steps_failed == 0 {
            "every step passed".to_string()
        } else {
            format!("failed steps: {}", bad.join(", "))
        },
        start.elapsed().as_secs_f32()
    );
    // A failed step without a failed test (lints, tidy) must not look like a clean run.
    if steps_failed > 0 && failed == 0 {
        failed = steps_failed as u64;
    }
    println!("{passed} passed, {failed} failed");
    Ok(steps_failed == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_result_line_is_counted() {
        let line = " ok. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!((before(line, " passed"), before(line, " failed")), (12, 3));
        assert_eq!(before("nothing", " passed"), 0);
    }
}
