//! Every rule of the pack fires on each of its true samples and on none of its false ones; wrong rules are refused by line.
use ampleur_event::{Event, Outcome, Verb};
use ampleur_rules::{Found, PACK, Rules, SOURCES, Spool};
use serde_json::Value;
use std::{borrow::Cow, path::Path};

macro_rules! columns {
    ($e:ident, $name:ident, $v:ident, text $($t:ident)+, number $($n:ident)+) => {
        match $name.as_str() {
            $(stringify!($t) => $e.$t = Cow::Owned($v.as_str().expect("a text").to_string()),)+
            $(stringify!($n) => $e.$n = $v.as_u64().expect("a number"),)+
            other => panic!("{other} is no column of samples"),
        }
    };
}

fn event(sample: &Value) -> Event<'static> {
    let mut e = Event::default();
    for (name, v) in sample.as_object().expect("an event") {
        match name.as_str() {
            "time" => e.time = v.as_i64().expect("seconds") * 1_000_000_000,
            "verb" => e.verb = *Verb::ALL.iter().find(|x| v == x.word()).expect("a verb"),
            "outcome" => {
                e.outcome = *Outcome::ALL
                    .iter()
                    .find(|x| v == x.word())
                    .expect("an outcome");
            }
            _ => columns!(e, name, v,
                text action user target src_ip dst_ip device url query file_path share subjects extra,
                number code status logon_type dst_port bytes_out),
        }
    }
    e
}

#[test]
fn every_rule_fires_on_its_true_samples_only() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pack");
    let mut files: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|f| {
            f.expect("a file")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .filter(|n| n.ends_with(".yml"))
        .collect();
    files.sort();
    assert_eq!(files, PACK.iter().map(|p| p.0).collect::<Vec<_>>());
    assert!(files.len() >= 20);
    let rules = Rules::own().unwrap_or_else(|e| panic!("{e:#?}"));
    let mut wrong = vec![];
    for (file, text) in PACK {
        // The rule of a file is its last one; those before it are counted by it.
        let id = text
            .lines()
            .filter_map(|l| l.strip_prefix("id: "))
            .next_back()
            .expect("an id");
        let name = file.trim_end_matches(".yml");
        let samples = std::fs::read_to_string(folder.join(format!("{name}.jsonl"))).expect(name);
        let (mut yes, mut no) = (0, 0);
        for (n, line) in samples.lines().enumerate() {
            let s: Value = serde_json::from_str(line).expect("JSON");
            let source = s["source"].as_str().expect("a source");
            assert!(SOURCES.iter().any(|x| x.0 == source), "{source}");
            let events: Vec<Event<'_>> = s["events"]
                .as_array()
                .expect("events")
                .iter()
                .map(event)
                .collect();
            let found = ask(&rules, source, &events);
            let fired = found.iter().any(|f| rules.about()[f.rule].id == id);
            let expected = s["fires"].as_bool().expect("true or false");
            if expected {
                yes += 1
            } else {
                no += 1
            }
            if fired != expected {
                wrong.push(format!("{name}.jsonl:{}: fires {fired}", n + 1));
            }
        }
        assert!(yes > 0 && no > 0, "{name} needs true and false samples");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What is said of this text.
fn refused(text: &str) -> Vec<String> {
    match Rules::load([("mine.yml", text)]) {
        Ok(_) => vec![],
        Err(list) => list.iter().map(ToString::to_string).collect(),
    }
}

const GOOD: &str = "title: T\nid: 5d1f0d6e-0000-4000-8000-000000000001\nlogsource:\n    category: vpn\ndetection:\n    selection:\n        User: x\n    condition: selection\n";

#[test]
fn a_wrong_rule_is_refused_by_file_and_line() {
    assert_eq!(refused(GOOD), Vec::<String>::new());
    assert_eq!(
        refused(&GOOD.replace("User", "UserNaem")),
        ["mine.yml:7: unknown field UserNaem"]
    );
    assert_eq!(
        refused(&GOOD.replace("category: vpn", "category: printer")),
        ["mine.yml:3: no source answers to the logsource of T"]
    );
    assert_eq!(
        refused(&GOOD.replace("id: 5d1f0d6e-0000-4000-8000-000000000001\n", "")),
        ["mine.yml:1: T has no id"]
    );
    assert_eq!(refused("title: [").len(), 1);
    assert!(!refused(&GOOD.replace("condition: selection", "condition: nothing")).is_empty());
}

#[test]
fn a_rule_is_asked_of_its_sources_only() {
    let rules = Rules::load([("mine.yml", GOOD)]).unwrap_or_else(|e| panic!("{e:#?}"));
    let e = [Event {
        user: "x".into(),
        ..Event::default()
    }];
    assert_eq!(ask(&rules, "openvpn", &e).len(), 1);
    assert_eq!(ask(&rules, "postgresql", &e).len(), 0);
    assert_eq!(ask(&rules, "no such source", &e).len(), 0);
}

#[test]
fn a_rule_that_is_only_counted_is_no_finding() {
    let rules = Rules::own().unwrap_or_else(|e| panic!("{e:#?}"));
    let mut e = event(&serde_json::json!({"verb": "login", "outcome": "failure", "user": "x"}));
    assert_eq!(ask(&rules, "keycloak", &[e.clone()]), []);
    e.time = 1_700_000_000_000_000_000;
    assert_eq!(ask(&rules, "keycloak", &[e.clone()]), []);
    // Sigma correlations, `generate`: unless it is asked for.
    let text = PACK
        .iter()
        .find(|p| p.0 == "identity-many-failures-one-account.yml")
        .expect("the rule")
        .1
        .replace("correlation:", "correlation:\n    generate: true");
    let rules = Rules::load([("mine.yml", &*text)]).unwrap_or_else(|e| panic!("{e:#?}"));
    assert_eq!(ask(&rules, "keycloak", &[e]).len(), 1);
}

/// What the rules find in one file.
fn ask(rules: &Rules, source: &str, events: &[Event<'_>]) -> Vec<Found> {
    let dir = tempfile::tempdir().expect("a folder");
    let spool = Spool::new(dir.path().join("hits"));
    let mut files = vec![];
    if let Some(mut asked) = rules.file(0, source, &spool) {
        events.iter().for_each(|e| asked.take(e));
        files.push(asked.finish());
    }
    rules.join(files).expect("a folder to write to")
}

const TWO: &str = "title: A\nid: a\nname: a\nlogsource: {category: vpn}\ndetection: {s: {action: a}, condition: s}\n---\ntitle: B\nid: b\nname: b\nlogsource: {category: vpn}\ndetection: {s: {action: b}, condition: s}\n---\ntitle: C\nid: c\ncorrelation: {type: temporal, rules: [a, b], group-by: [user], timespan: 10s}\n";

#[test]
fn temporal_wants_every_rule_within_the_window_and_ordered_in_order() {
    let e = |action: &'static str, user: &'static str, seconds: i64| Event {
        action: action.into(),
        user: user.into(),
        time: seconds * 1_000_000_000,
        ..Event::default()
    };
    let fires = |text: &str, events: &[Event<'_>]| {
        let rules = Rules::load([("two.yml", text)]).unwrap_or_else(|e| panic!("{e:#?}"));
        ask(&rules, "openvpn", events)
            .iter()
            .map(|f| f.times)
            .sum::<u64>()
    };
    let ordered = TWO.replace("temporal,", "temporal_ordered,");
    let (a, b) = (e("a", "x", 100), e("b", "x", 110));
    assert_eq!(fires(TWO, &[a.clone(), b.clone()]), 1);
    assert_eq!(fires(TWO, &[e("b", "x", 100), e("a", "x", 110)]), 1);
    assert_eq!(fires(TWO, &[a.clone(), e("b", "x", 111)]), 0);
    assert_eq!(fires(TWO, &[a.clone(), e("b", "y", 105)]), 0);
    assert_eq!(fires(TWO, &[a.clone(), a.clone()]), 0);
    // Nobody in particular is not one person.
    assert_eq!(fires(TWO, &[e("a", "", 100), e("b", "", 101)]), 0);
    assert_eq!(fires(&ordered, &[a, b]), 1);
    assert_eq!(fires(&ordered, &[e("b", "x", 100), e("a", "x", 110)]), 0);
    assert_eq!(
        fires(
            &ordered,
            &[e("a", "x", 90), e("b", "x", 101), e("a", "x", 102)]
        ),
        0
    );
    assert_eq!(
        fires(
            &ordered,
            &[e("a", "x", 90), e("a", "x", 99), e("b", "x", 101)]
        ),
        1
    );
}

#[test]
fn what_cannot_be_counted_is_refused_by_file_and_line() {
    let one = |from: &str, to: &str| refused(&TWO.replace(from, to));
    assert_eq!(one("x", "x"), Vec::<String>::new());
    assert_eq!(
        one("[a, b]", "[a, gone]"),
        ["mine.yml:15: gone is no rule for events; a correlation counts those alone"]
    );
    assert_eq!(
        one("group-by: [user]", "group-by: [usre]"),
        ["mine.yml:15: unknown field usre"]
    );
    assert_eq!(
        one(
            "type: temporal,",
            "type: value_sum, condition: {gte: 3, field: count},"
        ),
        ["mine.yml:15: correlations of type value_sum are not supported"]
    );
    assert_eq!(
        one("temporal,", "temporal, condition: a and b,"),
        ["mine.yml:15: a condition in words is not supported"]
    );
}
