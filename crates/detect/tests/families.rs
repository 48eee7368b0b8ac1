//! Simulated incidents of every family: innocents are never accused, intruders are found.
#![allow(clippy::print_stdout, clippy::print_stderr)]
use ampleur_detect::Word;
use ampleur_testkit::{Family, Knob, Pathology, Recipe, Truth, simulate, trial};

fn play(recipe: &Recipe) -> trial::Report {
    let dir = tempfile::tempdir().unwrap();
    simulate(recipe, dir.path()).unwrap();
    let truth: Truth =
        serde_json::from_slice(&std::fs::read(dir.path().join("truth.json")).unwrap()).unwrap();
    let r = trial::run(&dir.path().join("case"), &Word::default()).unwrap();
    let rep = trial::compare(&r, &truth);
    println!(
        "{} seed {} {:?}: {:?}, cut missed {:?} over {:?} mixed {}",
        recipe.family.name(),
        recipe.seed,
        recipe.knobs,
        rep.tally,
        rep.cut_missed,
        rep.overcut,
        rep.mixed
    );
    for (what, lines) in [
        ("accused", &rep.accused),
        ("missed", &rep.missed),
        ("unmatched", &rep.unmatched),
        ("doubtful", &rep.doubts),
    ] {
        for a in lines.iter().take(8) {
            println!("  {what}: {a}");
        }
    }
    rep
}

/// What holds for every family, seed and knob: nobody innocent is accused or cut, two thieves are two.
fn innocent(recipe: &Recipe) -> trial::Report {
    let r = play(recipe);
    let name = recipe.family.name();
    assert!(
        r.accused.is_empty() && r.accounts_accused.is_empty(),
        "{name} {}: innocents accused",
        recipe.seed
    );
    assert!(r.overcut.is_empty(), "{name} {}: cut too much", recipe.seed);
    assert_eq!(r.mixed, 0);
    r
}

fn holds(family: Family) {
    for seed in 1..=2 {
        let r = innocent(&Recipe::new(family, seed, 0.004));
        let t = r.tally;
        assert!(
            t.found as f64 >= 0.95 * t.visible as f64,
            "{} {seed}: intruder sessions missed",
            family.name()
        );
        assert!(r.cut_missed.is_empty(), "{} {seed}: not cut", family.name());
        assert!(
            t.doubtful * 50 <= t.said.max(50),
            "{} {seed}: too many left in doubt",
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

#[test]
fn no_country_and_no_context_accuse_nobody() {
    for (family, knobs) in [
        (Family::S2, vec![Knob::AtHome, Knob::OwnersClient]),
        (Family::S4, vec![Knob::LogsOnly]),
        (
            Family::S9,
            vec![Knob::NoGeo, Knob::NoAccounts, Knob::NoPlans],
        ),
    ] {
        let mut recipe = Recipe::new(family, 3, 0.003);
        recipe.knobs = knobs;
        innocent(&recipe);
    }
}

/// Without the log of the server the intruder worked on, what its technical account did is in doubt, never legitimate.
#[test]
fn the_silence_of_a_server_clears_nobody() {
    for (family, source, least) in [(Family::S1, "app-labo", 1.0), (Family::S5, "ts-clin", 0.8)] {
        let mut recipe = Recipe::new(family, 1, 0.001);
        recipe.pathologies.push(Pathology::DropSource {
            source: source.into(),
        });
        let r = innocent(&recipe);
        let t = r.tally;
        assert!(
            t.visible > 0 && t.found as f64 >= least * t.visible as f64,
            "{}: {} of {} told",
            family.name(),
            t.found,
            t.visible
        );
        assert_eq!(t.doubtful_innocent, 0, "{}", family.name());
    }
}

/// A controller's clock is off and tickets compare it with one machine alone: tunnels tell which of the two is. Tickets a machine asks
/// for by itself while the intruder is logged on are not his.
#[test]
fn a_controller_whose_clock_is_off_accuses_nobody() {
    let damages = ampleur_testkit::pathology::damages(Family::S1, 75);
    for name in ["clock", "burst and clock"] {
        let mut recipe = Recipe::new(Family::S1, 75, 0.001);
        let of_name = damages.iter().find(|d| d.0 == name).unwrap();
        recipe.pathologies.clone_from(&of_name.1);
        let r = innocent(&recipe);
        assert_eq!(r.tally.found, r.tally.visible, "{name}");
    }
}
