//! The example cases with truth: every intruder session found, nobody innocent accused, exact containment.
#![allow(clippy::print_stdout, clippy::print_stderr)]
mod common;

use common::{compare, describe, example, run};

fn check(name: &str) {
    let Some(dir) = example(name) else { return };
    let r = run(&dir.join("case"));
    let truth: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("truth.json")).unwrap()).unwrap();
    let rep = compare(&r, &truth);
    if std::env::var_os("AMPLEUR_SHOW").is_some() {
        for i in 0..r.sessions.list.len() {
            println!("{}", describe(&r, i));
        }
        for l in &r.sessions.links {
            println!(
                "{} -> {} {} {:.2}",
                r.sessions.list[l.outer as usize].id,
                r.sessions.list[l.inner as usize].id,
                l.kind,
                l.certainty
            );
        }
        println!(
            "machines {:?}\nshared {:?}\ncontainment {:?}",
            r.sessions.machines, r.sessions.shared, r.judged.containment
        );
    }
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
    assert_eq!(rep.doubtful, 0, "nothing is left in doubt here");
}

#[test]
fn vendor_tunnel_and_file_theft() {
    check("s1-small");
}

#[test]
fn usurped_professionals_on_a_regional_server() {
    check("s2-small");
}
