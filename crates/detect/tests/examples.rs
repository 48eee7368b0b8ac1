//! The example cases with truth: every intruder session found, nobody innocent accused, exact containment.
#![allow(clippy::print_stdout, clippy::print_stderr)]
use ampleur_detect::Word;
use ampleur_testkit::{Truth, trial};
use std::path::Path;

fn check(name: &str) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/examples")
        .join(name);
    if !dir.join("truth.json").is_file() {
        eprintln!("SKIPPED: example {name} is not there");
        return;
    }
    let r = trial::run(&dir.join("case"), &Word::default()).unwrap();
    let truth: Truth =
        serde_json::from_slice(&std::fs::read(dir.join("truth.json")).unwrap()).unwrap();
    let rep = trial::compare(&r, &truth);
    eprintln!("{name}: {} sessions, {rep:#?}", r.sessions.list.len());
    assert!(
        rep.accused.is_empty() && rep.accounts_accused.is_empty(),
        "innocents accused"
    );
    assert!(rep.missed.is_empty(), "intruder sessions missed");
    assert!(
        rep.overcut.is_empty() && rep.cut_missed.is_empty(),
        "containment"
    );
    assert!(rep.doubts.is_empty(), "nothing is left in doubt here");
}

#[test]
fn vendor_tunnel_and_file_theft() {
    check("s1-small");
}

#[test]
fn usurped_professionals_on_a_regional_server() {
    check("s2-small");
}
