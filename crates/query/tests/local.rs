//! The local back end answers as the definition does, whatever is stored and asked, on any number of threads.
mod common;
use ampleur_event::{Event, EventBatch, System, Verb, Window};
use ampleur_evidence::{Cut, Lake, SegmentMeta};
use ampleur_query::{Door, LocalDoor, MemoryDoor, Select};
use common::answer;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn local_equals_the_definition(files in common::files(), selects in prop::collection::vec(common::select(), 1..12), threads in 1..4usize) {
        let dir = tempfile::tempdir().unwrap();
        let keys = common::keys();
        let (memory, lake, table) = common::store(dir.path(), &keys, &files);
        let local = LocalDoor::open(&lake, &keys, &table).unwrap().with_threads(threads);
        for select in selects.iter().chain([&Select::default()]) {
            prop_assert_eq!(answer(&local, select), answer(&memory, select), "{:?}", select);
            // Fewer columns: the same rows, and what was asked is right.
            let few = |door: &dyn Door| {
                let mut out = vec![];
                door.scan_columns(select, &["record", "url"], &mut |file, batch| {
                    out.extend(batch.iter().map(|e| (file, e.record, e.url.into_owned())));
                })
                .unwrap();
                out
            };
            prop_assert_eq!(few(&local), few(&memory), "{:?}", select);
            // Rows chosen by what no selection can say come with all their columns.
            let chosen = |door: &dyn Door| {
                let mut out = vec![];
                let odd = |file: u32, e: &Event<'_>| e.record % 3 == u64::from(file % 3) || e.user == "-";
                door.scan_chosen(select, &["record", "user"], &odd, &mut |file, batch| {
                    out.extend(batch.iter().map(|e| (file, e.into_owned())));
                })
                .unwrap();
                out
            };
            prop_assert_eq!(chosen(&local), chosen(&memory), "{:?}", select);
        }
        let records = (0..3u32).map(|f| (f, [1, 5, 39, 1000].into())).collect();
        prop_assert_eq!(local.locate(&records).unwrap(), memory.locate(&records).unwrap());
    }
}

/// Several row groups in one file: the filters may skip, the answer may not change.
#[test]
fn selections_over_many_row_groups_are_exact_and_in_order() {
    const ROWS: u64 = 150_000;
    let dir = tempfile::tempdir().unwrap();
    let keys = common::keys();
    let mut lake = Lake::create(dir.path(), &keys, 0).unwrap();
    let meta = SegmentMeta {
        file: "logs/a.log".into(),
        format: "made-up".into(),
        part: 0,
        start: 0,
        at: 0,
    };
    let mut w = lake.begin(meta, [1; 32]).unwrap();
    let mut memory = MemoryDoor::default();
    for from in (0..ROWS).step_by(7000) {
        let mut batch = EventBatch::default();
        for i in from..(from + 7000).min(ROWS) {
            w.raw(b"-\n", Cut::Lines).unwrap();
            batch.push(&Event {
                record: i + 1,
                offset: i * 2,
                len: 2,
                time: i as i64 * 1_000_000_000,
                verb: if i % 10 == 0 { Verb::Read } else { Verb::Flow },
                system: System::Web,
                user: format!("u{}", i / 1000).into(),
                session_id: format!("s{}", i / 50).into(),
                src_ip: format!("10.0.{}.{}", i / 40_000, i % 200).into(),
                subjects: if i % 10 == 0 {
                    format!("urn:oid:1.2|{i}").into()
                } else {
                    "".into()
                },
                ..Event::default()
            });
        }
        w.events(&batch).unwrap();
        memory.batches.push((4, batch));
    }
    let sealed = w.finish(0, 0).unwrap();
    lake.commit(vec![sealed], vec![], 0).unwrap();
    let local = LocalDoor::open(&lake, &keys, &[(4, "logs/a.log".into())]).unwrap();
    let selects = [
        Select {
            session_ids: vec!["s2999".into(), "s17".into()],
            ..Select::default()
        },
        Select {
            accounts: vec!["web:u149".into()],
            verbs: vec![Verb::Read],
            ..Select::default()
        },
        Select {
            subjects: vec!["urn:oid:1.2|70000".into()],
            ..Select::default()
        },
        Select {
            addresses: vec!["10.0.3.7".into()],
            window: Window::new(130_000_000_000_000, 140_000_000_000_000),
            ..Select::default()
        },
        Select {
            session_ids: vec!["nobody".into()],
            ..Select::default()
        },
        Select::default(),
    ];
    for select in &selects {
        let want = answer(&memory, select);
        assert_eq!(answer(&local, select), want, "{select:?}");
    }
    assert_eq!(answer(&local, &selects[0]).len(), 100);
    assert_eq!(answer(&local, &Select::default()).len() as u64, ROWS);
}

#[test]
fn a_grown_file_is_read_once_in_its_last_form() {
    let dir = tempfile::tempdir().unwrap();
    let keys = common::keys();
    let mut lake = Lake::create(dir.path(), &keys, 0).unwrap();
    for (lines, salt) in [(3u64, 1u8), (5, 2)] {
        let meta = SegmentMeta {
            file: "logs/a.log".into(),
            format: String::new(),
            part: 0,
            start: 0,
            at: 0,
        };
        let mut w = lake.begin(meta, [salt; 32]).unwrap();
        let mut batch = EventBatch::default();
        for i in 0..lines {
            w.raw(b"-\n", Cut::Lines).unwrap();
            batch.push(&Event {
                record: i + 1,
                offset: i * 2,
                len: 2,
                ..Event::default()
            });
        }
        w.events(&batch).unwrap();
        let s = w.finish(0, 0).unwrap();
        lake.commit(vec![s], vec![], 0).unwrap();
    }
    let local = LocalDoor::open(&lake, &keys, &[(0, "logs/a.log".into())]).unwrap();
    assert_eq!(answer(&local, &Select::default()).len(), 5);
    let other = LocalDoor::open(&lake, &keys, &[(0, "logs/b.log".into())]).unwrap();
    assert!(answer(&other, &Select::default()).is_empty());
}
