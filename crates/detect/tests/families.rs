//! Simulated incidents of every family: innocents are never accused, intruders are found.
#![allow(clippy::print_stdout, clippy::print_stderr)]
mod common;

use ampleur_testkit::{Family, Recipe, simulate};
use common::{Report, compare, describe, run};

fn play(family: Family, seed: u64, scale: f64) -> Report {
    let dir = tempfile::tempdir().unwrap();
    simulate(&Recipe::new(family, seed, scale), dir.path()).unwrap();
    let truth: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.path().join("truth.json")).unwrap()).unwrap();
    let r = run(&dir.path().join("case"));
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
        let mut readers: std::collections::BTreeMap<String, std::collections::BTreeSet<String>> =
            std::collections::BTreeMap::new();
        for (_, b) in &r.door.batches {
            for e in b.iter().filter(|e| e.verb == ampleur_event::Verb::Read) {
                for x in e.subject_list() {
                    readers
                        .entry(x.into())
                        .or_default()
                        .insert(e.user.to_string());
                }
            }
        }
        let mut sizes: Vec<usize> = readers.values().map(|v| v.len()).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        println!(
            "readers per record, most first: {:?} of {}",
            sizes.iter().take(30).collect::<Vec<_>>(),
            sizes.len()
        );
        println!(
            "skews {:?}\nmachines {:?}\nshared {:?}\ncontainment {:?}",
            r.sessions.skews, r.sessions.machines, r.sessions.shared, r.judged.containment
        );
    }
    println!(
        "{} seed {seed}: {} sessions, found {}/{}, said {} right {} doubtful {} accused {} accounts {:?} cut missed {:?} over {:?} mixed {} internal {}/{}+{}",
        family.name(),
        r.sessions.list.len(),
        rep.found,
        rep.intruder_sessions,
        rep.said,
        rep.right,
        rep.doubtful,
        rep.accused.len(),
        rep.accounts_accused,
        rep.cut_missed,
        rep.overcut,
        rep.mixed,
        rep.internal.0.intersection(&rep.internal.1).count(),
        rep.internal.0.len(),
        rep.internal.1.difference(&rep.internal.0).count(),
    );
    for a in rep.accused.iter().take(8) {
        println!("  accused: {a}");
    }
    for a in rep.missed.iter().take(8) {
        println!("  missed: {a}");
    }
    for a in rep.unmatched.iter().take(8) {
        println!("  unmatched: {a}");
    }
    for a in rep.doubts.iter().take(8) {
        println!("  doubtful: {a}");
    }
    rep
}

fn holds(family: Family) {
    let seeds = std::env::var("AMPLEUR_SEEDS")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(2);
    let scale = std::env::var("AMPLEUR_SCALE")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(0.004);
    for seed in 1..=seeds {
        let r = play(family, seed, scale);
        assert!(
            r.accused.is_empty() && r.accounts_accused.is_empty(),
            "{} {seed}: innocents accused",
            family.name()
        );
        assert!(
            r.found as f64 >= 0.95 * r.intruder_sessions as f64,
            "{} {seed}: intruder sessions missed",
            family.name()
        );
        assert!(
            r.overcut.is_empty(),
            "{} {seed}: cut too much",
            family.name()
        );
        assert!(r.cut_missed.is_empty(), "{} {seed}: not cut", family.name());
        assert_eq!(r.mixed, 0);
        assert!(
            r.doubtful * 50 <= r.said.max(50),
            "{} {seed}: too much left in doubt",
            family.name()
        );
    }
}

#[test]
fn vendor_tunnel() {
    holds(Family::S1);
}
#[test]
fn regional_server() {
    holds(Family::S2);
}
#[test]
fn departed_doctor() {
    holds(Family::S4);
}
#[test]
fn bulk_sql() {
    holds(Family::S5);
}
#[test]
fn slow_theft() {
    holds(Family::S6);
}
#[test]
fn nobody() {
    holds(Family::S9);
}
#[test]
fn ordinary_month() {
    holds(Family::Clean);
}
