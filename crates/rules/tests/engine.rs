//! Routed asking and our counting are held equal to rsigma's own engine, and do not depend on how files are cut or on memory.
use ampleur_event::{Event, Outcome, Verb};
use ampleur_rules::{FileHits, Found, PACK, Rules, SOURCES, Scratch, Spool, reference::Reference};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What rules of the pack look for, in several cases and beside what they must not take, and letters beyond ASCII.
const TEXTS: &[&str] = &[
    "",
    "-",
    "mdupont",
    "adm-dupont",
    "ADM_X",
    "admirault",
    "root",
    "u1",
    "u2",
    "203.0.113.7",
    "10.59.3.4",
    "UPDATE_TOTP",
    "update_totp",
    "REMOVE_TOTP",
    "IMPERSONATE",
    "/fhir/Patient/$export",
    "/dossier/1",
    "/DOSSIER/2",
    "/health",
    "/rdv?id=1%20UNION%20SELECT%20nom",
    "python-requests/2.31",
    "curl/8.1",
    "Mozilla/5.0",
    "RH/paie.7z",
    "RH/paie.7Z",
    "HOW_TO_RESTORE_FILES.txt",
    "\\\\*\\C$",
    "\\\\*\\RH$",
    "COPY public.patient (id) TO stdout;",
    "CHU\\Domain Admins",
    "svc-provisioning",
    "scope=openid offline_access",
    "éK\u{212a}ü",
    "cur\u{212a}/8.1 CURL/",
    "Patient/1",
    "Patient/1\nPatient/2",
];

/// Rules that ask in other ways than the pack does.
const ODD: &str = "title: Or\nid: odd-1\nlogsource: {product: windows}\ndetection:\n  a: {EventID: [4624, 1102], user|contains: DUPONT}\n  b: {verb: login}\n  condition: a or b\n---\ntitle: Not\nid: odd-2\nlogsource: {category: webserver}\ndetection:\n  a: {url|startswith: /dos, outcome: Success}\n  condition: not a\n---\ntitle: List\nid: odd-3\nlogsource: {category: webserver}\ndetection:\n  a:\n    - {url|contains: health}\n    - {device|re: '^curl/'}\n  condition: a\n---\ntitle: Of\nid: odd-4\nlogsource: {category: share}\ndetection:\n  s_1: {user: mdupont}\n  s_2: {file_path|endswith: [.7z, .zip]}\n  condition: 1 of s_*\n---\ntitle: All\nid: odd-5\nlogsource: {category: epr}\ndetection:\n  s_1: {verb: [read, EXPORT]}\n  s_2: {outcome: success}\n  condition: all of them\n---\ntitle: Wild\nid: odd-6\nlogsource: {category: identity}\ndetection:\n  s: {user: '*dup*', extra.scope|contains: offline}\n  condition: s\n---\ntitle: Nobody\nid: odd-7\nlogsource: {category: vpn}\ndetection:\n  s: {user: null}\n  condition: s\n---\ntitle: Cased\nid: odd-8\nlogsource: {category: identity}\ndetection:\n  s: {action|contains|cased: TOTP}\n  k: [Mozilla, '203.0.113']\n  condition: s or k\n";

fn event() -> impl Strategy<Value = Event<'static>> {
    let text = || prop::sample::select(TEXTS);
    let verb = prop::sample::select(Verb::ALL);
    let outcome = prop::sample::select(Outcome::ALL);
    let code = prop::sample::select(vec![u64::MAX, 4624, 1102, 4719, 4720, 4728, 4732]);
    let n = prop::sample::select(vec![
        u64::MAX,
        0,
        3,
        10,
        200,
        202,
        403,
        404,
        3389,
        9_000_000_000,
    ]);
    (
        verb,
        outcome,
        (code, n.clone(), n.clone(), n),
        prop::collection::vec(text(), 9),
    )
        .prop_map(|(verb, outcome, (code, status, port, logon), t)| Event {
            verb,
            outcome,
            code,
            status,
            dst_port: port,
            bytes_out: status,
            logon_type: logon,
            user: t[0].into(),
            src_ip: t[1].into(),
            action: t[2].into(),
            url: t[3].into(),
            device: t[4].into(),
            file_path: t[5].into(),
            query: t[6].into(),
            share: t[7].into(),
            target: t[7].into(),
            subjects: t[8].into(),
            extra: t[8].into(),
            ..Event::default()
        })
}

fn load(text: &str) -> Rules {
    Rules::with_own(&[("odd.yml".into(), text.into())]).unwrap_or_else(|e| panic!("{e:#?}"))
}

#[test]
fn routed_asking_fires_what_the_engine_fires() {
    let rules = load(ODD);
    let reference = Reference::new(&rules).expect("rules the engine takes");
    let mut scratch = Scratch::default();
    let mut fired = 0;
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 3000,
        ..ProptestConfig::default()
    });
    let cases = (0..SOURCES.len(), event());
    let held = runner.run(&cases, |(source, event)| {
        let mut scratch = Scratch::default();
        let source = SOURCES[source].0;
        let json = reference.json(source, &event);
        let expected = reference.fired(source, &json);
        rules.fired(source, &event, &mut scratch);
        prop_assert_eq!(&scratch.fired, &expected, "{} {:?}", source, json);
        Ok(())
    });
    held.unwrap_or_else(|e| panic!("{e}"));
    // Samples of the pack fire too, so that equal does not mean silent.
    for v in Verb::ALL {
        let e = Event {
            verb: *v,
            outcome: Outcome::Failure,
            user: "root".into(),
            ..Event::default()
        };
        for (source, _) in SOURCES {
            rules.fired(source, &e, &mut scratch);
            fired += scratch.fired.len();
        }
    }
    assert!(fired > 20, "{fired}");
}

/// A few accounts busy within a few minutes, so that windows fill and fall empty.
const COUNTED: &str = "title: A\nid: a\nname: a\nlogsource: {category: vpn}\ndetection: {s: {verb: login}, condition: s}\n---\ntitle: B\nid: b\nname: b\nlogsource: {category: identity}\ndetection: {s: {verb: token}, condition: s}\n---\ntitle: Count\nid: count\ncorrelation: {type: event_count, rules: [a], group-by: [user], timespan: 20s, condition: {gte: 3}}\n---\ntitle: Few\nid: few\ncorrelation: {type: event_count, rules: [a, b], group-by: [user], timespan: 9s, condition: {gt: 1, lte: 3}}\n---\ntitle: Values\nid: values\ncorrelation: {type: value_count, rules: [a, b], group-by: [user], timespan: 30s, condition: {gte: 3, field: src_ip}}\n---\ntitle: Both\nid: both\ncorrelation: {type: temporal, rules: [a, b], group-by: [user, src_ip], timespan: 12s}\n---\ntitle: Order\nid: order\ncorrelation: {type: temporal_ordered, rules: [b, a], group-by: [user], timespan: 12s}\n";

fn story() -> impl Strategy<Value = Vec<(usize, Event<'static>)>> {
    let one = (0..2usize, 0..3usize, 0..4usize, prop::bool::ANY, 1..9i64);
    prop::collection::vec(one, 1..120).prop_map(|list| {
        let mut now = 1_700_000_000;
        let users = ["x", "y", "z"];
        let addresses = ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"];
        list.into_iter()
            .enumerate()
            .map(|(n, (source, user, address, login, later))| {
                now += later;
                let e = Event {
                    record: n as u64,
                    time: now * 1_000_000_000,
                    verb: if login { Verb::Login } else { Verb::Token },
                    user: users[user].into(),
                    src_ip: addresses[address].into(),
                    ..Event::default()
                };
                (source, e)
            })
            .collect()
    })
}

const TWO: [&str; 2] = ["openvpn", "keycloak"];

/// The story told by `files` files: events are dealt out to them in turn.
fn tell(rules: &Rules, story: &[(usize, Event<'_>)], files: usize, held: usize) -> Vec<Found> {
    let dir = tempfile::tempdir().expect("a folder");
    let spool = Spool::holding(dir.path().join("hits"), held);
    let mut done: Vec<FileHits> = vec![];
    for file in 0..files * 2 {
        let source = file % 2;
        let mut asked = rules
            .file(file as u32, TWO[source], &spool)
            .expect("rules for it");
        let own = story.iter().enumerate();
        own.filter(|(n, (s, _))| *s == source && n % files == file / 2)
            .for_each(|(_, (_, e))| asked.take(e));
        done.push(asked.finish());
    }
    // They come to their end in any order.
    done.reverse();
    let found = rules.join(done).expect("a folder to write to");
    found
        .into_iter()
        .map(|f| Found {
            records: vec![],
            ..f
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn counting_fires_as_often_as_the_engine(story in story()) {
        let rules = Rules::load([("counted.yml", COUNTED)]).unwrap_or_else(|e| panic!("{e:#?}"));
        let found = tell(&rules, &story, 1, usize::MAX);
        let mut ours: BTreeMap<String, u64> = BTreeMap::new();
        for f in &found {
            *ours.entry(rules.about()[f.rule].id.clone()).or_default() += f.times;
        }
        let events = story.iter().map(|(s, e)| (TWO[*s], e));
        let theirs = Reference::correlations(&rules, events).expect("rules the engine takes");
        prop_assert_eq!(ours, theirs);
        // Many files, and hits that wait on disk, change nothing.
        prop_assert_eq!(&tell(&rules, &story, 7, usize::MAX), &found);
        prop_assert_eq!(&tell(&rules, &story, 3, 0), &found);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn findings_lead_back_to_the_events_they_were_made_of(story in story()) {
        let rules = Rules::load([("counted.yml", COUNTED)]).unwrap_or_else(|e| panic!("{e:#?}"));
        let found = tell(&rules, &story, 1, usize::MAX);
        let told = rules.told(found.clone());
        let (mut scratch, mut of) = (Scratch::default(), vec![]);
        let mut told_of: BTreeMap<(usize, &str), Vec<(i64, &str)>> = BTreeMap::new();
        for (source, e) in &story {
            told.of(TWO[*source], e, &mut scratch, &mut of);
            for rule in &of {
                told_of.entry((*rule, &*e.user)).or_default().push((e.time, &*e.src_ip));
            }
        }
        let mut explained = 0;
        for f in found.iter().filter(|f| f.most > 0) {
            let about = &rules.about()[f.rule];
            let value = |name| f.by.iter().find(|(n, _)| n == name).map(|(_, v)| &**v);
            let user = value("user").expect("all of them count by user");
            let events = told_of.get(&(f.rule, user)).map_or(&[][..], |v| v);
            let own: Vec<_> = events
                .iter()
                .filter(|(_, address)| value("src_ip").is_none_or(|a| a == *address))
                .collect();
            let window = i64::try_from(about.seconds).expect("short") * 1_000_000_000;
            let inside = |t: i64| f.first - window <= t && t <= f.last;
            // A correlation counts events, values of them or rules they fire: never more than events.
            prop_assert!(own.len() as u64 >= f.most, "{} {:?}", about.id, own);
            prop_assert!(own.iter().all(|(t, _)| inside(*t)), "{} {:?}", about.id, own);
            explained += own.len();
        }
        prop_assert_eq!(told_of.values().map(Vec::len).sum::<usize>(), explained);
    }
}

#[test]
fn what_is_too_much_for_rows_is_one_row_together() {
    let text = PACK
        .iter()
        .find(|p| p.0 == "epr-break-glass.yml")
        .expect("the rule")
        .1;
    let rules = Rules::load([("mine.yml", text)]).unwrap_or_else(|e| panic!("{e:#?}"));
    let dir = tempfile::tempdir().expect("a folder");
    let spool = Spool::new(dir.path().join("hits"));
    let mut asked = rules.file(0, "dicom-audit", &spool).expect("rules for it");
    for n in 0..2500u64 {
        asked.take(&Event {
            record: n,
            verb: Verb::BreakGlass,
            user: format!("u{n}").into(),
            ..Event::default()
        });
    }
    let found = rules.join(vec![asked.finish()]).expect("a folder");
    assert_eq!(found.len(), ampleur_rules::GROUPS_MAX + 1);
    assert_eq!(found.iter().map(|f| f.times).sum::<u64>(), 2500);
    assert_eq!(found[0].by, []);
    assert_eq!(found[0].times, 1500);
}
