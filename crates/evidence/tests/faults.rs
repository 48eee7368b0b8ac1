//! EV-2, EV-3 under failure: every file call of an append fails in turn, in five ways, and the disk is then looked at in
//! three; nothing acknowledged may be lost and nothing may be corrupt. One file call is one chance for the power to go.
mod common;
use ampleur_evidence::{Checkpoint, EvidenceError, Keys, Lake, Wait, verify};
use common::{After, Fault, FaultyStore, Random};
use std::{path::Path, sync::Arc};

/// What the caller was told is safe: checkpoint, and the files in it.
type Acknowledged = Vec<(Checkpoint, Vec<(&'static str, usize)>)>;

/// Creates a lake, then appends three times; stops at the first error.
fn append(store: &FaultyStore, keys: &Keys) -> (Acknowledged, Result<(), EvidenceError>) {
    let mut acknowledged: Acknowledged = vec![];
    let mut run = || -> Result<(), EvidenceError> {
        let mut random = Random(5);
        let mut lake = Lake::create_in(Arc::new(store.clone()), Path::new(""), keys, common::DAY)?;
        acknowledged.push((lake.checkpoint(), vec![]));
        let a = common::seal(&lake, "a", 40, random.salt())?;
        let c = lake.commit(vec![a], vec![common::used("ingest")], common::DAY)?;
        acknowledged.push((c, vec![("a", 40)]));
        let b = common::seal(&lake, "b", 300, random.salt())?;
        let e = common::seal(&lake, "empty", 0, random.salt())?;
        let c = lake.commit(vec![b, e], vec![], common::DAY)?;
        acknowledged.push((c, vec![("a", 40), ("b", 300)]));
        drop(lake);
        let mut lake =
            Lake::open_writer_in(Arc::new(store.clone()), Path::new(""), keys, Wait::No)?;
        let d = common::seal(&lake, "d", 10, random.salt())?;
        let c = lake.commit(vec![d], vec![common::used("investigate")], common::DAY)?;
        acknowledged.push((c, vec![("a", 40), ("b", 300), ("d", 10)]));
        Ok(())
    };
    let result = run();
    (acknowledged, result)
}

fn holds(store: &FaultyStore, keys: &Keys, acknowledged: &Acknowledged, what: &str) {
    let Some((checkpoint, files)) = acknowledged.last() else {
        // Creation itself was not acknowledged: it can be begun again.
        if Lake::open_in(Arc::new(store.clone()), Path::new(""), keys).is_err() {
            Lake::create_in(Arc::new(store.clone()), Path::new(""), keys, common::DAY)
                .unwrap_or_else(|e| panic!("{what}: cannot create again: {e}"));
        }
        return;
    };
    let lake = Lake::open_writer_in(Arc::new(store.clone()), Path::new(""), keys, Wait::No)
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    let now = lake.checkpoint();
    assert!(
        now.tree_size >= checkpoint.tree_size,
        "{what}: lost segments"
    );
    assert!(
        now.custody_size >= checkpoint.custody_size,
        "{what}: lost custody"
    );
    for (name, lines) in files {
        let whole = common::text(name, *lines);
        let file = format!("logs/{name}.log");
        assert_eq!(
            lake.read(&file, 0, whole.len() as u64)
                .unwrap_or_else(|e| panic!("{what}: {e}")),
            whole,
            "{what}"
        );
    }
    let report = verify::verify(store, &keys.public(), None);
    assert!(report.is_sound(), "{what}: {:?}", report.findings);
    // And it goes on: another append, over whatever the failed one left.
    let mut lake = lake;
    let mut random = Random(99);
    for name in ["b", "f"] {
        let s =
            common::seal(&lake, name, 30, random.salt()).unwrap_or_else(|e| panic!("{what}: {e}"));
        lake.commit(vec![s], vec![], common::DAY)
            .unwrap_or_else(|e| panic!("{what}: {e}"));
    }
    let report = verify::verify(store, &keys.public(), None);
    assert!(report.is_sound(), "{what}, then: {:?}", report.findings);
}

#[test]
fn every_file_call_may_fail_in_every_way() {
    let (keys, _) = common::keys(1);
    let clean = FaultyStore::default();
    let (all, result) = append(&clean, &keys);
    result.unwrap();
    assert_eq!(all.len(), 4);
    holds(&clean, &keys, &all, "no fault");
    let calls = {
        let again = FaultyStore::default();
        append(&again, &keys).1.unwrap();
        again.calls()
    };
    assert!(calls > 100, "the list of calls must not be empty: {calls}");
    let mut acknowledged_sizes = std::collections::BTreeSet::new();
    for at in 1..=calls {
        for fault in [
            Fault::Error,
            Fault::Short,
            Fault::Full,
            Fault::Kill,
            Fault::KillAfter,
        ] {
            let store = FaultyStore::with(Some((at, fault)));
            let (acknowledged, _) = append(&store, &keys);
            acknowledged_sizes.insert(acknowledged.len());
            for after in [After::Everything, After::Synced, After::Some(at * 7)] {
                holds(
                    &store.reopen(after),
                    &keys,
                    &acknowledged,
                    &format!("call {at} of {calls} {fault:?}, found {after:?}"),
                );
            }
        }
    }
    // The canary: faults really struck before, between and after the appends.
    assert_eq!(acknowledged_sizes.len(), 5, "{acknowledged_sizes:?}");
}

#[test]
fn a_disk_that_only_pretends_to_sync_is_noticed_by_these_tests() {
    // The canary of the test above: were the syncs left out, it would fail.
    let (keys, _) = common::keys(1);
    let store = FaultyStore::default();
    store.pretend_to_sync();
    let (acknowledged, _) = append(&store, &keys);
    assert_eq!(acknowledged.len(), 4);
    let after = store.reopen(After::Synced);
    assert!(Lake::open_in(Arc::new(after), Path::new(""), &keys).is_err());
}

#[test]
fn a_failed_append_leaves_the_value_answering_for_the_state_before() {
    let (keys, _) = common::keys(1);
    let probe = FaultyStore::default();
    append(&probe, &keys).1.unwrap();
    let store = FaultyStore::with(Some((probe.calls() - 1, Fault::Error)));
    let mut lake =
        Lake::create_in(Arc::new(store.clone()), Path::new(""), &keys, common::DAY).unwrap();
    let mut random = Random(5);
    let mut good = lake.checkpoint();
    let mut n = 0;
    loop {
        let name = format!("f{n}");
        let result = common::seal(&lake, &name, 5, random.salt())
            .and_then(|s| lake.commit(vec![s], vec![], common::DAY));
        match result {
            Ok(c) => good = c,
            Err(_) => break,
        }
        n += 1;
    }
    assert_eq!(lake.checkpoint(), good);
    assert_eq!(lake.segments().len() as u64, good.tree_size);
}

#[test]
fn two_writers_never_hold_a_lake_at_once() {
    let (keys, _) = common::keys(1);
    let store = FaultyStore::default();
    let first =
        Lake::create_in(Arc::new(store.clone()), Path::new(""), &keys, common::DAY).unwrap();
    for wait in [Wait::No, Wait::Millis(60)] {
        assert!(matches!(
            Lake::open_writer_in(Arc::new(store.clone()), Path::new(""), &keys, wait),
            Err(EvidenceError::Locked)
        ));
    }
    Lake::open_in(Arc::new(store.clone()), Path::new(""), &keys).unwrap();
    drop(first);
    Lake::open_writer_in(Arc::new(store), Path::new(""), &keys, Wait::No).unwrap();
}
