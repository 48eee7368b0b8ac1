//! Running the steps of CI one after the other, each to its end, with one closing summary.
use crate::{e2e, range, root, target_dir, tidy};
use anyhow::{Context as _, Result};
use std::{
    io::{BufRead, BufReader, Read, Write},
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

/// A cargo command over the whole workspace with every feature of the program: one set of features, so that one build serves every step.
fn whole<'a>(verb: &[&'a str], rest: &[&'a str]) -> Vec<&'a str> {
    let all = [
        "--workspace",
        "--locked",
        "--features",
        "ampleur/cluster,ampleur/sigma,ampleur/vrl",
    ];
    [verb, &all, rest].concat()
}

/// What a test runner says of itself.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

impl Count {
    fn add(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// The closing line of nextest (`Summary [ 1.2s] 12 tests run: 11 passed (1 slow), 1 failed, 0 skipped`), or one of the lines
    /// of the built-in runner, one for each program (`test result: ok. 12 passed; 0 failed; 0 ignored; …`).
    fn of(line: &str) -> Option<Count> {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("test result:") {
            return Some(Count {
                passed: before(rest, " passed"),
                failed: before(rest, " failed"),
            });
        }
        let rest = line.strip_prefix("Summary [")?;
        // Failed, timed out, ended by a signal, left out after a failure: what was to run and did not pass has failed.
        let planned = match rest.split_once('/') {
            Some((_, all)) if before(all, " tests run:") > 0 => before(all, " tests run:"),
            _ => before(rest, " tests run:").max(before(rest, " test run:")),
        };
        let passed = before(rest, " passed");
        Some(Count {
            passed,
            failed: planned.saturating_sub(passed),
        })
    }
}

/// Runs a test command, passes its output through and counts what the runner says passed and failed.
fn tests(args: &[&str], total: &mut Count) -> Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(cargo)
        .args(args)
        .current_dir(root())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("run cargo {}", args.join(" ")))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // Both streams are read: nextest speaks on standard error, the built-in runner on standard output.
    let counted = std::thread::scope(|scope| -> Result<Count> {
        let other = scope.spawn(move || match stderr {
            Some(stream) => relay(stream, std::io::stderr()),
            None => Ok(Count::default()),
        });
        let mut sum = match stdout {
            Some(stream) => relay(stream, std::io::stdout())?,
            None => Count::default(),
        };
        sum.add(
            other
                .join()
                .unwrap_or_else(|_| Err(anyhow::anyhow!("read the output of the tests")))?,
        );
        Ok(sum)
    })?;
    total.add(counted);
    Ok(child.wait().context("wait for the tests")?.success())
}

fn relay(from: impl Read, mut to: impl Write) -> Result<Count> {
    let mut sum = Count::default();
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A program under test may print anything: bytes are passed on as they are.
        let n = reader
            .read_until(b'\n', &mut line)
            .context("read the output of the tests")?;
        if n == 0 {
            return Ok(sum);
        }
        let _ = to.write_all(&line);
        if let Some(c) = Count::of(&String::from_utf8_lossy(&line)) {
            sum.add(c);
        }
    }
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

/// Licences, bans and sources must hold. Advisories need a database from the network: when it cannot be had that is said, not failed.
fn deny() -> Result<bool> {
    if !have("cargo-deny") {
        eprintln!("!!! SKIPPED: cargo-deny is not installed; tidy has checked the licences alone");
        return Ok(true);
    }
    if !cargo(&[
        "deny",
        "--all-features",
        "check",
        "licenses",
        "bans",
        "sources",
    ])? {
        return Ok(false);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out = Command::new(cargo)
        .args(["deny", "--all-features", "check", "advisories"])
        .current_dir(root())
        .output()
        .context("run cargo deny check advisories")?;
    let said = String::from_utf8_lossy(&out.stderr);
    if !out.status.success() && said.contains("failed to fetch advisory database") {
        eprintln!(
            "!!! SKIPPED: the advisory database cannot be reached from here; no advisory was looked at in this run"
        );
        return Ok(true);
    }
    eprint!("{said}");
    Ok(out.status.success())
}

/// Everything CI runs. Steps go on after a failure, so that one run shows all of them.
pub fn everything() -> Result<bool> {
    let mut count = Count::default();
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
        cargo(&whole(
            &["clippy"],
            &["--all-targets", "--quiet", "--", "-D", "warnings"],
        ))
    });
    step("default build", &mut || {
        // Without the features: what a fresh clone builds.
        cargo(&["check", "--quiet", "--locked", "--package", "ampleur"])
    });
    step("tests", &mut || {
        if have("cargo-nextest") {
            tests(&whole(&["nextest", "run"], &["--no-fail-fast"]), &mut count)
        } else {
            eprintln!("!!! cargo-nextest is not installed; the built-in runner is used");
            let kinds = ["--lib", "--bins", "--tests", "--examples", "--no-fail-fast"];
            tests(&whole(&["test"], &kinds), &mut count)
        }
    });
    step("doc tests", &mut || {
        tests(&whole(&["test"], &["--doc", "--no-fail-fast"]), &mut count)
    });
    step("licences, bans, advisories", &mut deny);
    step("programs", &mut || {
        cargo(&whole(&["build"], &["--quiet", "--bins", "--examples"]))
    });
    let programs = target_dir().join("debug");
    step("end to end", &mut || e2e::run(&programs));
    step("range", &mut || {
        // Real servers need root; `range::run` says loudly when this machine forbids them.
        range::run(&programs.join("ampleur"))?;
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
    if steps_failed > 0 && count.failed == 0 {
        count.failed = steps_failed as u64;
    }
    println!("{} passed, {} failed", count.passed, count.failed);
    Ok(steps_failed == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    fn check(line: &str, expected: Option<(u64, u64)>) {
        let got = Count::of(line).map(|c| (c.passed, c.failed));
        assert_eq!(got, expected, "{line}");
    }
    #[test]
    fn summaries_are_counted() {
        check(
            "test result: ok. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out",
            Some((12, 3)),
        );
        check(
            "     Summary [   3.021s] 345 tests run: 345 passed (2 slow), 4 skipped",
            Some((345, 0)),
        );
        check(
            "     Summary [ 123.021s] 345 tests run: 340 passed (1 slow, 1 leaky), 3 failed, 2 timed out, 0 skipped",
            Some((340, 5)),
        );
        check(
            "     Summary [   0.5s] 7/20 tests run: 6 passed, 1 failed, 0 skipped",
            Some((6, 14)),
        );
        check(
            "     Summary [   0.5s] 1 test run: 1 passed, 0 skipped",
            Some((1, 0)),
        );
        check("        PASS [   0.5s] ampleur some::test", None);
        assert_eq!(before("nothing", " passed"), 0);
    }
}
