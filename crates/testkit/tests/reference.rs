//! The truth is what the files say: the slow replay of the written searches over the written snapshots names the same people.
use ampleur_testkit::{Family, Recipe, Truth, reference, simulate};
use std::collections::BTreeSet;

#[test]
fn the_slow_replay_names_the_people_of_the_truth() {
    for seed in [1, 2, 3] {
        let dir = tempfile::tempdir().unwrap();
        let s = simulate(&Recipe::new(Family::S2, seed, 0.002), dir.path()).unwrap();
        let t: Truth = serde_json::from_slice(&std::fs::read(&s.truth).unwrap()).unwrap();
        let bad: BTreeSet<String> = t
            .sessions
            .iter()
            .filter(|s| s.actor == "intruder")
            .filter_map(|s| s.address.clone())
            .collect();
        let r = reference::replay(&s.case, "audit", &bad).unwrap();
        assert!(r.searches > 50, "{seed}: {} searches", r.searches);
        let cut = t.tests["cut"].as_str().unwrap();
        let touched: BTreeSet<&str> = t
            .disclosures
            .iter()
            .flat_map(|d| t.persons[d.0 as usize].ids.iter().map(String::as_str))
            .collect();
        for id in &r.certain {
            assert!(
                touched.contains(id.as_str()),
                "{seed}: {id} was replayed, the truth does not know"
            );
        }
        // Whoever the truth calls enumerable after the cut is found by the replay.
        for d in t
            .disclosures
            .iter()
            .filter(|d| d.6 == "enumerable" && d.7.as_str() >= cut)
        {
            let ids = &t.persons[d.0 as usize].ids;
            assert!(
                ids.iter().any(|i| r.certain.contains(i)),
                "{seed}: {ids:?} is not replayed"
            );
        }
        for d in t.disclosures.iter().filter(|d| d.7.as_str() >= cut) {
            let ids = &t.persons[d.0 as usize].ids;
            assert!(
                ids.iter().any(|i| r.possible.contains(i)),
                "{seed}: {ids:?} is not even possible"
            );
        }
    }
}
