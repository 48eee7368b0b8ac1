//! Two cases made by a simulator other than ours, judged by its own scorer, when they lie beside the repository.
#![allow(clippy::print_stderr)]
mod common;
use std::{path::PathBuf, process::Command};

#[test]
fn foreign_examples_pass_their_scorer() {
    let shared = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    if !shared.join("examples").is_dir() {
        eprintln!(
            "SKIPPED: ../shared/examples is absent, the foreign examples were not investigated"
        );
        return;
    }
    let mut failed = vec![];
    for name in ["s1-small", "s2-small"] {
        let out = common::scratch();
        common::run(
            &shared.join("examples").join(name).join("case"),
            out.path(),
            2,
        );
        let score = Command::new("python3")
            .arg(shared.join("tools/score.py"))
            .arg(shared.join("examples").join(name))
            .arg(out.path())
            .arg("--summary")
            .output();
        let Ok(score) = score else {
            eprintln!("SKIPPED: python3 is absent, {name} was investigated but not scored");
            continue;
        };
        let said = String::from_utf8_lossy(&score.stdout).into_owned();
        eprintln!("{said}");
        if !score.status.success() {
            failed.push(said);
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
