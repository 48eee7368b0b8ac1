//! The DataFusion back end answers as the definition does, and SQL reads opened values.
#![cfg(feature = "cluster")]
mod common;
use ampleur_query::{DatafusionDoor, LocalDoor, Select};
use common::answer;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn datafusion_equals_the_definition_and_the_local_door(files in common::files(), selects in prop::collection::vec(common::select(), 1..6)) {
        let dir = tempfile::tempdir().unwrap();
        let keys = common::keys();
        let (memory, lake, table) = common::store(dir.path(), &keys, &files);
        let cluster = DatafusionDoor::open(&lake, &keys, &table).unwrap();
        let local = LocalDoor::open(&lake, &keys, &table).unwrap();
        for select in selects.iter().chain([&Select::default()]) {
            let want = answer(&memory, select);
            prop_assert_eq!(answer(&cluster, select), want.clone(), "{:?}", select);
            prop_assert_eq!(answer(&local, select), want, "{:?}", select);
        }
    }
}

#[test]
fn sql_reads_opened_values_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let keys = common::keys();
    let rows = |n: usize| -> Vec<ampleur_event::Event<'static>> {
        (0..n)
            .map(|i| ampleur_event::Event {
                verb: ampleur_event::Verb::Read,
                user: "mdupont".into(),
                url: format!("/p/{i}").into(),
                ..ampleur_event::Event::default()
            })
            .collect()
    };
    let (_, lake, table) = common::store(dir.path(), &keys, &[rows(3), rows(2)]);
    let door = DatafusionDoor::open(&lake, &keys, &table).unwrap();
    let got = door
        .sql("SELECT file, count(*) AS n, max(url) AS last, min(verb_word) AS verb FROM events GROUP BY file ORDER BY file")
        .unwrap();
    assert_eq!(got.columns, ["file", "n", "last", "verb"]);
    assert_eq!(
        got.rows,
        [
            ["logs/0.log", "3", "/p/2", "read"],
            ["logs/1.log", "2", "/p/1", "read"]
        ]
    );
    for refused in [
        "CREATE TABLE t (a INT)",
        "COPY events TO 'out.csv'",
        "INSERT INTO part_0 SELECT * FROM part_0",
        "SELECT nothing FROM events",
    ] {
        assert!(door.sql(refused).is_err(), "{refused}");
    }
}
