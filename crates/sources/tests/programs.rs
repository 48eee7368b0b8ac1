//! Mappings whose records are read by a program (`container = "vrl"`): what they may do, and that they lose nothing. Golden cases of
//! two are in `testdata/mappings`. Without the feature `vrl` such a mapping is refused and says which build reads it.
mod common;

use ampleur_sources::mapped;

const HEAD: &str = r#"about = "Door"
standard = "Made up"
container = "vrl"
silence = "nothing"
verb = "login"
time = "t"
[proof]
login = "presence"
[[sniff]]
all = ["door"]
[columns]
user = "user"
src_ip = "ip"
status = "n"
[vrl]
"#;

/// A mapping with this program.
fn mapping(program: &str) -> String {
    format!("{HEAD}program = '''\n{program}'''\n")
}

#[cfg(not(feature = "vrl"))]
#[test]
fn without_the_feature_the_error_says_which_build_reads_it() {
    let error = mapped::load("no-programs", &mapping(".")).expect_err("no VRL here");
    let said = error.to_string();
    assert!(
        said.contains("--features vrl") && said.starts_with("container"),
        "{said}"
    );
    assert!(common::own_mappings().is_empty());
}

#[cfg(feature = "vrl")]
mod with_the_language {
    use super::{HEAD, common, mapped, mapping};
    use ampleur_event::Event;
    use ampleur_sources::{
        Case, FileReport, Limits, Reason, Setting, Source, Stop, canonical, read_file,
        reader::{Collect, read_bytes},
    };
    use proptest::prelude::*;
    use std::{collections::BTreeSet, fs, path::Path};

    fn read(source: &'static dyn Source, bytes: &[u8]) -> (FileReport, Collect) {
        let mut all = Collect::default();
        let report = read_bytes(
            bytes,
            0,
            Some(source),
            &Setting::default(),
            &Limits::default(),
            &mut all,
        )
        .expect("readable");
        assert_eq!(
            report.records,
            report.events + report.rejects + report.skipped
        );
        (report, all)
    }

    /// Records, events, rejects, skipped of one line, and the reasons.
    fn ends(name: &str, mapping: &str, line: &str) -> ([u64; 4], Vec<Reason>) {
        let source = mapped::load(name, mapping).unwrap_or_else(|e| panic!("{e}\n{mapping}"));
        let (r, all) = read(source, format!("{line}\n").as_bytes());
        (
            [r.records, r.events, r.rejects, r.skipped],
            all.rejects.iter().map(|r| r.reason).collect(),
        )
    }

    fn refused(name: &str, program: &str) -> String {
        mapped::load(name, &mapping(program))
            .expect_err(program)
            .to_string()
    }

    #[test]
    fn every_function_of_the_language_is_taken_or_left_out() {
        let taken: BTreeSet<&str> = mapped::FUNCTIONS.iter().copied().collect();
        let left: BTreeSet<&str> = mapped::LEFT_OUT
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        assert!(mapped::FUNCTIONS.is_sorted(), "looked up by halves");
        assert_eq!(taken.intersection(&left).count(), 0);
        let known: BTreeSet<&str> = vrl::stdlib::all().iter().map(|f| f.identifier()).collect();
        let missing: Vec<_> = taken.difference(&known).collect();
        assert!(missing.is_empty(), "no such function: {missing:?}");
        let open: Vec<_> = known
            .iter()
            .filter(|n| !taken.contains(*n) && !left.contains(*n))
            .collect();
        assert!(open.is_empty(), "neither taken nor left out: {open:?}");
    }

    #[test]
    fn what_reaches_out_of_the_record_does_not_compile() {
        for (why, names) in mapped::LEFT_OUT {
            for name in *names {
                let said = refused("reaches-out", &format!("\n.x = {name}()\n"));
                assert_eq!(
                    said,
                    format!(
                        "vrl.program, line 2, column 6 (line 18 of the mapping): no function `{name}` here: {why}"
                    )
                );
            }
        }
        // The words of the task itself, so that no list can lose them.
        for name in [
            "now",
            "uuid_v4",
            "uuid_v7",
            "get_hostname",
            "dns_lookup",
            "reverse_dns",
            "get_env_var",
            "http_request",
            "get_enrichment_table_record",
            "find_enrichment_table_records",
            "random_int",
            "random_bytes",
            "random_float",
            "random_bool",
        ] {
            assert!(refused("reaches-out", &format!(".x = {name}()")).contains(name));
        }
    }

    #[test]
    fn an_error_names_file_line_and_what_helps() {
        let said = refused("faulty", ".a = 1\n.b = = 2\n");
        assert!(
            said.starts_with("vrl.program, line 2, column 6 (line 18 of the mapping): "),
            "{said}"
        );
        let said = refused("faulty", ".a = parse_json(.message)\n");
        assert!(
            said.contains("line 1") && said.contains("`f!(…)` rejects the line"),
            "{said}"
        );
        let said = refused("faulty", ".a = upcas(\"x\")\n");
        assert!(said.contains("upcase"), "{said}");

        let folder = tempfile::tempdir().expect("a folder");
        let text = format!("{HEAD}program_file = \"door.vrl\"\n");
        let load = || mapped::load_in("door-file", &text, Some(folder.path()));
        let said = load().expect_err("no file").to_string();
        assert!(
            said.starts_with("vrl.program_file: ") && said.contains("door.vrl"),
            "{said}"
        );
        fs::write(folder.path().join("door.vrl"), "\n\n.a = nowhere()\n").expect("written");
        let said = load().expect_err("no such function").to_string();
        assert!(said.starts_with("door.vrl, line 3, column 6: "), "{said}");
    }

    #[test]
    fn a_program_lies_beside_its_mapping() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in [
            "../door.vrl",
            "/door.vrl",
            "a/door.vrl",
            "..\\door.vrl",
            ".vrl",
            "door.txt",
            "",
        ] {
            let text = format!("{HEAD}program_file = '{name}'\n");
            let said = mapped::load_in("beside", &text, Some(folder.path()))
                .expect_err(name)
                .to_string();
            assert!(said.contains("beside the mapping"), "{said}");
        }
        let text = format!("{HEAD}program_file = 'door.vrl'\n");
        let said = mapped::load("beside", &text)
            .expect_err("no folder")
            .to_string();
        assert!(said.contains("write the program into `program`"), "{said}");
        fs::create_dir(folder.path().join("door.vrl")).expect("made");
        let said = mapped::load_in("beside", &text, Some(folder.path()))
            .expect_err("a folder")
            .to_string();
        assert!(said.contains("no regular file"), "{said}");
        for both in ["", "program = '.'\nprogram_file = 'door.vrl'\n"] {
            let said = mapped::load("beside", &format!("{HEAD}{both}"))
                .expect_err("one of both")
                .to_string();
            assert!(
                said.contains("either `program` or `program_file`"),
                "{said}"
            );
        }
        let json = mapping(".").replace("\"vrl\"", "[\"vrl\", \"json\"]");
        let said = mapped::load("beside", &json)
            .expect_err("alone")
            .to_string();
        assert!(said.starts_with("container: "), "{said}");
        let said = mapped::load("beside", &HEAD.replace("[vrl]", ""))
            .expect_err("no table")
            .to_string();
        assert!(said.starts_with("vrl: "), "{said}");
    }

    #[test]
    fn every_end_of_a_program_is_counted() {
        let skip = |program: &str| format!("{}abort = 'skip'\n", mapping(program));
        let program = |stop, line| vec![Reason::Program { stop, line }];
        let rejected = [1, 0, 1, 0];
        for (at, (p, line, stop)) in [
            ("abort", 1, Stop::Aborted),
            ("\nabort \"door \" + string!(.message)", 2, Stop::Aborted),
            (". = parse_json!(.message)", 1, Stop::Failed),
            (".a = 1\n.b = to_int!(.message)", 2, Stop::Failed),
            ("assert!(false)", 1, Stop::Failed),
            (". = []", 0, Stop::Nothing),
            (". = null", 0, Stop::Nothing),
            (". = \"text\"", 0, Stop::NoObject),
            (". = [1]", 0, Stop::NoObject),
            (". = range!(0, 1001)", 0, Stop::Large),
            (
                "n = 0\nfor_each(range!(0, 90000)) -> |_i, _v| { n = n + 1 }\n.n = n",
                0,
                Stop::Steps,
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let name = format!("end-{at}");
            let what = ends(&name, &mapping(p), "door");
            assert_eq!(what, (rejected, program(stop, line)), "{p}");
            assert!(
                !what.1[0].to_string().contains("door"),
                "no value of the record in a reason"
            );
            // `abort` and nothing are skipped where the mapping says so; a failure never is.
            let skipped = matches!(stop, Stop::Aborted | Stop::Nothing);
            let want = if skipped { [1, 0, 0, 1] } else { rejected };
            assert_eq!(
                ends(&format!("{name}-skip"), &skip(p), "door").0,
                want,
                "{p}"
            );
        }
        // A result without a field of the mapping is not its record.
        assert_eq!(
            ends("end-other", &mapping(".other = 1"), "door"),
            (rejected, vec![Reason::Shape])
        );
    }

    #[test]
    fn results_are_bounded() {
        let stopped = |stop| vec![Reason::Program { stop, line: 0 }];
        // Nested by a loop: refused on a thread with a small stack, not overflowing it, whichever bound comes first.
        for (n, stop) in [(1000, Stop::Large), (90_000, Stop::Steps)] {
            let nested = mapping(&format!(
                "x = {{}}\nfor_each(range!(0, {n})) -> |_i, _v| {{ x = {{ \"x\": x }} }}\n. = {{ \"user\": \"u\", \"x\": x }}"
            ));
            let source = mapped::load(&format!("bound-nested-{n}"), &nested).expect("a mapping");
            let done = std::thread::Builder::new()
                .stack_size(2 << 20)
                .spawn(move || {
                    let (_, all) = read(source, b"door\n");
                    all.rejects.iter().map(|r| r.reason).collect::<Vec<_>>()
                })
                .expect("a thread")
                .join()
                .expect("no overflow");
            assert_eq!(done, stopped(stop));
        }
        let large = stopped(Stop::Large);
        let wide = mapping(". = { \"user\": \"u\", \"x\": range!(0, 90000) }");
        assert_eq!(
            ends("bound-wide", &wide, "door"),
            ([1, 0, 1, 0], large.clone())
        );
        let long = mapping(
            "x = string!(.message)\nfor_each(range!(0, 24)) -> |_i, _v| { x = string!(x) + string!(x) }\n. = { \"user\": x }",
        );
        assert_eq!(ends("bound-long", &long, "door"), ([1, 0, 1, 0], large));
    }

    #[test]
    fn one_line_may_give_several_records() {
        let several = mapping(
            ". = map_values(split!(.message, \",\")) -> |v| { if v == \"x\" { v } else { { \"user\": v, \"ip\": \"192.0.2.7\" } } }",
        );
        let source = mapped::load("several", &several).expect("a mapping");
        let (r, all) = read(source, b"a,x,b\nc\n");
        assert_eq!([r.records, r.events, r.rejects, r.skipped], [4, 3, 1, 0]);
        let got: Vec<(&str, u64, u64, u64)> = all
            .events
            .iter()
            .map(|e| (&*e.user, e.record, e.offset, e.len))
            .collect();
        assert_eq!(got, [("a", 1, 0, 6), ("b", 3, 0, 6), ("c", 4, 6, 2)]);
        assert_eq!(
            (
                all.rejects[0].record,
                all.rejects[0].offset,
                all.rejects[0].len
            ),
            (2, 0, 6)
        );
    }

    #[test]
    fn the_header_is_cut_off_where_the_mapping_says_so() {
        let text = mapping("p = parse_regex!(.message, r'^door (?P<user>\\w+)$')\n. = p");
        let bare = mapped::load("no-header", &text).expect("a mapping");
        let headed = text.replace("silence", "header = \"syslog\"\nsilence");
        let headed = mapped::load("header", &headed).expect("a mapping");
        let line = b"<38>1 2025-09-14T08:12:03Z gate doord 7 - - door anna\n";
        // A program that knows nothing of headers is given what stands behind them; the machine they name is kept all the same.
        for mapping in [bare, headed] {
            let (_, all) = read(mapping, line);
            let e = &all.events[0];
            assert_eq!((&*e.user, &*e.host), ("anna", "gate"));
        }
        // A stamp left as text is read in the zone of the source, as everywhere.
        let timed = mapped::load(
            "timed",
            &mapping(". = { \"t\": .message, \"user\": \"u\" }"),
        )
        .expect("a mapping");
        let mut paris = Collect::default();
        let setting = Setting {
            zone: ampleur_sources::time::zone("Europe/Paris"),
            ..Setting::default()
        };
        let limits = Limits::default();
        let line = b"2025-07-01 12:00:00\n";
        read_bytes(line, 0, Some(timed), &setting, &limits, &mut paris).expect("readable");
        assert_eq!(
            ampleur_event::time::rfc3339(paris.events[0].time),
            "2025-07-01T10:00:00.000Z"
        );
    }

    /// A case keeps its own mappings; a program that is written anew is read anew, without a restart.
    #[test]
    fn a_case_brings_its_programs() {
        let case = tempfile::tempdir().expect("a folder");
        let at = |rel: &str| case.path().join(rel);
        fs::create_dir_all(at("mappings")).expect("made");
        fs::create_dir_all(at("logs/door")).expect("made");
        fs::write(at("logs/door/door.log"), "door;anna;192.0.2.1\n").expect("written");
        fs::write(
            at("mappings/case-door.toml"),
            format!("{HEAD}program_file = 'case-door.vrl'\n"),
        )
        .expect("written");
        let users = |program: &str| -> (&'static str, Vec<String>, *const mapped::Mapped) {
            fs::write(at("mappings/case-door.vrl"), program).expect("written");
            let case = Case::open(case.path()).expect("a case");
            let mut all = Collect::default();
            let report = read_file(&case, 0, &Limits::default(), &mut all).expect("readable");
            let users = all.events.iter().map(|e| e.user.to_string()).collect();
            (report.format, users, case.mappings[0])
        };
        let one = "p = split!(.message, \";\")\n. = { \"user\": p[1], \"ip\": p[2] }\n";
        let first = users(one);
        assert_eq!(
            (first.0, &*first.1),
            ("case-door", &["anna".to_string()][..])
        );
        assert_eq!(users(one).2, first.2, "nothing changed: the same source");
        let second = users(&one.replace("p[1]", "upcase!(p[1])"));
        assert_eq!(second.1, ["ANNA"]);
    }

    fn json(value: &serde_json::Value) -> String {
        value.to_string()
    }

    fn scalar() -> impl Strategy<Value = serde_json::Value> {
        prop_oneof![
            "[ -~éÿ\\\\\"]{0,12}".prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            (0..=i64::MAX as u64).prop_map(serde_json::Value::from),
            any::<f64>().prop_map(serde_json::Value::from),
            any::<bool>().prop_map(serde_json::Value::from),
            Just(serde_json::Value::Null),
            Just("2025-09-14T08:12:03+02:00".into()),
            Just("192.0.2.9".into()),
            Just("{\"deep\":\"er\"}".into()),
        ]
    }

    fn record() -> impl Strategy<Value = String> {
        let value = scalar().prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                proptest::collection::btree_map(key(), inner, 0..4)
                    .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
            ]
        });
        proptest::collection::btree_map(key(), value, 0..7)
            .prop_map(|m| json(&serde_json::Value::Object(m.into_iter().collect())))
    }

    fn key() -> impl Strategy<Value = String> {
        proptest::sample::select(vec![
            "t", "user", "ip", "n", "a", "b", "Name", "Value", "message", "inner", "deep", "many",
        ])
        .prop_map(str::to_string)
    }

    const BOTH: &str = r#"about = "Both"
standard = "Made up"
silence = "nothing"
verb = "other"
time = ["t", "a.t"]
extra = ["n", "b", "message", "a[Name=x].Value"]
[proof]
login = "presence"
[[sniff]]
all = ["{"]
[columns]
action = "message"
user = ["user", "a.user", "a.b.user"]
src_ip = ["ip", "b.ip"]
status = "n"
object = "inner.@json.deep"
subjects = "many[]"
reason = { from = ["a", "b"], join = " " }
[[rule]]
when = { user = ["a*", "*1*"] }
verb = "login"
"#;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
        /// A program that only reads JSON gives what the container `json` gives.
        #[test]
        fn reading_json_by_a_program_is_reading_json(
            lines in proptest::collection::vec(record(), 1..6)
        ) {
            let direct = mapped::load("both-json", &format!("container = \"json\"\n{BOTH}"))
                .expect("a mapping");
            let program = mapped::load(
                "both-vrl",
                &format!("container = \"vrl\"\n{BOTH}[vrl]\nprogram = '. = parse_json!(.message)'\n"),
            )
            .expect("a mapping");
            let input = lines.join("\n") + "\n";
            let (a, direct) = read(direct, input.as_bytes());
            let (b, program) = read(program, input.as_bytes());
            // A line end belongs to a line, not to a JSON value.
            let plain = |all: &Collect| -> Vec<Event<'static>> {
                all.events.iter().map(|e| Event { len: 0, ..e.clone() }).collect()
            };
            prop_assert_eq!(plain(&direct), plain(&program));
            prop_assert_eq!(
                [a.records, a.events, a.rejects, a.skipped],
                [b.records, b.events, b.rejects, b.skipped]
            );
        }

        /// Whatever a line is, every record is counted, and the same again.
        #[test]
        fn no_line_is_lost(lines in proptest::collection::vec(any::<Vec<u8>>(), 1..8)) {
            let input = lines.join(&b'\n');
            for (source, _) in common::own_mappings() {
                let (a, first) = read(source, &input);
                let (b, again) = read(source, &input);
                prop_assert_eq!(a.records, b.records);
                prop_assert_eq!(first.events, again.events);
                prop_assert_eq!(first.rejects, again.rejects);
            }
        }
    }

    /// The chapter of `docs/adding-a-source.md`: its mapping reads its log into its output, as printed.
    #[test]
    fn the_printed_example_works() {
        let page = include_str!("../../../docs/adding-a-source.md");
        let chapter = page
            .split("## A program instead of a container")
            .nth(1)
            .expect("the chapter");
        let block = |kind: &str| {
            chapter
                .split(&format!("```{kind}\n"))
                .nth(1)
                .and_then(|b| b.split("```").next())
                .unwrap_or_else(|| panic!("a block of {kind}"))
        };
        let source = mapped::load("door", block("toml")).unwrap_or_else(|e| panic!("{e}"));
        let setting = Setting {
            zone: ampleur_sources::time::zone("Europe/Paris"),
            ..Setting::default()
        };
        let mut all = Collect::default();
        let log = block("text").as_bytes();
        let limits = Limits::default();
        read_bytes(log, 0, Some(source), &setting, &limits, &mut all).expect("readable");
        let shown: String = all
            .events
            .iter()
            .map(|e| format!("{}\n", serde_json::Value::Object(canonical("door", e))))
            .collect();
        assert_eq!(shown, block("json"));
        assert!(all.rejects.is_empty());
    }

    #[test]
    fn the_examples_are_there() {
        let names: Vec<&str> = common::own_mappings()
            .iter()
            .map(|(m, _)| m.name())
            .collect();
        assert_eq!(names, ["packed-gateway", "record-print"]);
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/mappings");
        assert!(root.join("record-print/record-print.vrl").is_file());
    }
}
