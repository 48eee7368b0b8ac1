//! From log lines to cells: paging, fields held, merges, failures, pages, doubtful sessions. Every session is judged by hand here.
#![allow(clippy::print_stderr)]
use ampleur_event::{Context, Session, SessionVerdict, session::Judgement};
use ampleur_extent::{
    coverage::{Counts, Coverage, Observer},
    explain,
    extent::{Input, Outcome, assemble},
    files::Inventory,
    identity::IdentityBase,
    leak::LeakLine,
};
use ampleur_query::MemoryDoor;
use ampleur_session::{FileIntake, Sessions};
use ampleur_sources::{
    case::Case,
    reader::{FileSink, Limits, Piece, SinkError, read_file},
};

/// How every context begins.
const PLACES: &str = r#"
version = 1
timezone = "Europe/Paris"
[[establishment]]
id = "finess:1"
authorities = ["urn:oid:1.2.1"]
[[establishment]]
id = "finess:2"
authorities = ["urn:oid:1.2.2"]
"#;
const TOML: &str = r#"
[[source]]
files = "logs/web/*"
format = "http-access"
heartbeat_s = 86400
tells = ["ID.*", "CONTACT.*"]
[[endpoint]]
match = { path = "/fhir/Patient*" }
categories = ["ID.NAME", "ID.DOB", "ID.LOCAL", "CONTACT.PHONE"]
"#;

fn patient(id: &str, est: u8, ipp: &str, family: &str, birth: &str, rest: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","meta":{{"versionId":"1","lastUpdated":"2024-01-01T00:00:00Z"}},"identifier":[{{"use":"usual","type":{{"coding":[{{"code":"PI"}}]}},"system":"urn:oid:1.2.{est}","value":"{ipp}"}}],"name":[{{"use":"official","family":"{family}","given":["ANNE"]}}],"birthDate":"{birth}","managingOrganization":{{"identifier":{{"value":"{est}"}}}}{rest}}}"#
    )
}

fn base() -> String {
    [
        patient(
            "a",
            1,
            "100",
            "MARTIN",
            "1957-01-01",
            r#","telecom":[{"system":"phone","value":"+331"}]"#,
        ),
        patient("b", 1, "200", "MARTEL", "1957-02-02", ""),
        patient("c", 2, "300", "MARTY", "1957-03-03", ""),
        // The same person as a, merged away.
        patient(
            "d",
            1,
            "101",
            "MARTIN",
            "1957-01-01",
            r#","active":false,"link":[{"other":{"reference":"Patient/a"},"type":"replaced-by"}]"#,
        ),
    ]
    .join("\n")
}

struct Sink<'a> {
    case: &'a Case,
    door: &'a mut MemoryDoor,
    intake: FileIntake,
    observer: Observer,
}

impl FileSink for Sink<'_> {
    fn piece(&mut self, p: Piece<'_>) -> Result<(), SinkError> {
        let _ = self.case;
        self.intake.push(p.events);
        self.observer.batch(p.events);
        self.observer.rejects(p.rejects);
        self.door.batches.push((p.file, std::mem::take(p.events)));
        Ok(())
    }
}

/// Plays requests of one account, one a minute, and hands the outcome to `check`.
fn play(requests: &[(&str, u16)], verdict: SessionVerdict, check: impl FnOnce(&Outcome<'_>)) {
    let day = 1_757_714_400_000_000_000; // 2025-09-13 00:00 in Paris
    let identity = IdentityBase::from_lines(&[(day, &base())]);
    play_on(&identity, requests, verdict, check);
}

fn play_on(
    identity: &IdentityBase,
    requests: &[(&str, u16)],
    verdict: SessionVerdict,
    check: impl FnOnce(&Outcome<'_>),
) {
    play_all(TOML, identity, requests, verdict, check);
}

/// The same under another context.
fn play_case(
    toml: &str,
    requests: &[(&str, u16)],
    verdict: SessionVerdict,
    check: impl FnOnce(&Outcome<'_>),
) {
    let day = 1_757_714_400_000_000_000;
    let identity = IdentityBase::from_lines(&[(day, &base())]);
    play_all(toml, &identity, requests, verdict, check);
}

fn play_all(
    toml: &str,
    identity: &IdentityBase,
    requests: &[(&str, u16)],
    verdict: SessionVerdict,
    check: impl FnOnce(&Outcome<'_>),
) {
    let lines: String = requests
        .iter()
        .enumerate()
        .map(|(i, (url, status))| {
            format!(
                "198.51.100.9 - u1 [14/Sep/2025:10:{i:02}:00 +0200] \"GET {url} HTTP/1.1\" {status} 500 \"-\" \"curl/8\"\n"
            )
        })
        .collect();
    play_log(
        toml,
        identity,
        ("logs/web/access.log", "http-access"),
        &lines,
        verdict,
        check,
    );
}

/// Plays the lines of one log of the given format.
fn play_log(
    toml: &str,
    identity: &IdentityBase,
    (file, format): (&str, &'static str),
    lines: &str,
    verdict: SessionVerdict,
    check: impl FnOnce(&Outcome<'_>),
) {
    let inventory = Inventory::default();
    let logs = [(file, format, lines)];
    play_logs(toml, identity, &inventory, &logs, verdict, check);
}

/// Plays logs, one record a line, in order of their paths.
fn play_logs(
    toml: &str,
    identity: &IdentityBase,
    inventory: &Inventory,
    logs: &[(&str, &'static str, &str)],
    verdict: SessionVerdict,
    check: impl FnOnce(&Outcome<'_>),
) {
    play_judged(toml, identity, inventory, logs, &|_| verdict, check);
}

/// The same with a verdict for each session.
fn play_judged(
    toml: &str,
    identity: &IdentityBase,
    inventory: &Inventory,
    logs: &[(&str, &'static str, &str)],
    verdict: &dyn Fn(&Session) -> SessionVerdict,
    check: impl FnOnce(&Outcome<'_>),
) {
    play_published(toml, identity, inventory, logs, &[], verdict, check);
}

/// The same with a list somebody published.
fn play_published(
    toml: &str,
    identity: &IdentityBase,
    inventory: &Inventory,
    logs: &[(&str, &'static str, &str)],
    leaks: &[LeakLine],
    verdict: &dyn Fn(&Session) -> SessionVerdict,
    check: impl FnOnce(&Outcome<'_>),
) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let root = dir.path();
    for (file, _, lines) in logs {
        let file = root.join(file);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("folder");
        std::fs::write(file, lines).expect("log");
    }
    let context = Context::parse(&format!("{PLACES}{toml}")).expect("context");
    let case = Case::with_context(root, context).expect("case");
    let mut door = MemoryDoor::default();
    let (mut partials, mut observations) = (vec![], vec![]);
    for (f, (_, format, lines)) in (0u32..).zip(logs) {
        let mut sink = Sink {
            case: &case,
            door: &mut door,
            intake: FileIntake::new(&case, f, format),
            observer: Observer::new(f, case.source_of(f), format),
        };
        let r = read_file(&case, f, &Limits::default(), &mut sink).expect("readable");
        assert_eq!(r.events, lines.lines().count() as u64);
        partials.push(sink.intake.finish());
        observations.push(sink.observer.finish(Counts {
            records: r.records,
            events: r.events,
            rejects: r.rejects,
            skipped: r.skipped,
            cut_short: false,
        }));
    }
    let sessions = Sessions::build(&case, partials);
    let judgements: Vec<Judgement> = sessions
        .list
        .iter()
        .map(|s| Judgement {
            verdict: verdict(s),
            score: 0.0,
            reasons: [].into(),
            chain: "c".into(),
            intrusion: Some("i".into()),
        })
        .collect();
    let coverage = Coverage::build(&case, observations, None);
    let outcome = assemble(&Input {
        case: &case,
        sessions: &sessions,
        judgements: &judgements,
        door: &door,
        identity,
        inventory,
        leaks,
        coverage: &coverage,
        unreadable_files: 0,
    })
    .expect("memory door");
    check(&outcome);
}

/// A record of Windows' security log on 14 September 2025, UTC.
fn event(id: u32, host: &str, time: &str, n: u32, data: &[(&str, &str)]) -> String {
    let data: String = data
        .iter()
        .map(|(k, v)| format!("<Data Name='{k}'>{v}</Data>"))
        .collect();
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>{id}</EventID><Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='2025-09-14T{time}.0000000Z'/><EventRecordID>{n}</EventRecordID><Channel>Security</Channel><Computer>{host}.ch.example</Computer></System><EventData>{data}</EventData></Event>\n"
    )
}

/// A reading of `\\FS1\labo\NAME` by `CH\svc`.
fn read(time: &str, name: &str) -> String {
    event(
        5145,
        "FS1",
        time,
        1,
        &[
            ("SubjectUserName", "svc"),
            ("SubjectDomainName", "CH"),
            ("SubjectLogonId", "0x88b2"),
            ("IpAddress", "10.1.2.3"),
            ("ShareName", r"\\*\labo"),
            ("RelativeTargetName", name),
            ("AccessMask", "0x1"),
        ],
    )
}

/// A row of the inventory of that share: a file of ten bytes about one person.
fn listed(name: &str, ipp: &str) -> String {
    let name = name.replace('\\', "\\\\");
    format!(
        "{{\"share\":\"\\\\\\\\FS1\\\\labo\",\"path\":\"{name}\",\"size\":10,\"subjects\":[{{\"subject\":\"urn:oid:1.2.1|{ipp}\",\"categories\":[\"ID.NAME\",\"HEALTH.RESULT\"]}}]}}\n"
    )
}

fn rows(o: &Outcome<'_>) -> Vec<String> {
    o.persons
        .iter()
        .filter(|r| r.category != "CARE.EXISTENCE")
        .map(|r| format!("{} {} {}", r.subject, r.category, r.verdict))
        .collect()
}

fn cell(o: &Outcome<'_>, establishment: &str, category: &str, verdict: &str) -> (u64, u64) {
    o.extent
        .cells
        .iter()
        .find(|c| {
            c.establishment == establishment && c.category == category && c.verdict == verdict
        })
        .map_or((0, 0), |c| (c.subjects.at_least, c.subjects.at_most))
}

#[test]
fn a_whole_answer_counts_persons_and_only_fields_they_had() {
    play(
        &[("/fhir/Patient?family=MART", 200)],
        SessionVerdict::Intruder,
        |o| {
            assert_eq!(
                (o.extent.subjects.at_least, o.extent.subjects.at_most),
                (3, 3),
                "four records, three persons"
            );
            assert_eq!(cell(o, "finess:1", "ID.NAME", "consulted"), (2, 2));
            assert_eq!(cell(o, "finess:1", "CONTACT.PHONE", "consulted"), (1, 1));
            assert_eq!(cell(o, "finess:2", "CONTACT.PHONE", "consulted"), (0, 0));
            let r = rows(o);
            assert!(
                r.contains(&"urn:oid:1.2.1|100 ID.LOCAL consulted".to_string()),
                "{r:?}"
            );
            assert!(
                !r.iter().any(|x| x.contains("|101")),
                "the merged number names nobody: {r:?}"
            );
            assert_eq!(o.persons[0].evidence, ["logs/web/access.log:1"]);
            let told =
                explain::subject(o, "Patient/d").expect("the person behind the merged record");
            assert_eq!(told[0].evidence, ["logs/web/access.log:1"]);
        },
    );
}

#[test]
fn a_page_of_unknown_order_proves_how_many_but_not_who() {
    play(
        &[("/fhir/Patient?family=MART&_count=2", 200)],
        SessionVerdict::Intruder,
        |o| {
            assert!(rows(o).iter().all(|r| r.ends_with("exposed")));
            // Two of four records: they can be the two records of one person.
            assert_eq!(
                (o.extent.subjects.at_least, o.extent.subjects.at_most),
                (1, 3)
            );
        },
    );
    play(
        &[
            ("/fhir/Patient?family=MART&_count=2", 200),
            ("/fhir/Patient?family=MART&_count=2&_offset=2", 200),
        ],
        SessionVerdict::Intruder,
        |o| {
            assert_eq!(
                (o.extent.subjects.at_least, o.extent.subjects.at_most),
                (3, 3),
                "all pages together prove it"
            );
        },
    );
}

/// A proxy's line shows no criteria of a search by POST; the audit tells them, on the other clock's fraction of a second.
#[test]
fn searches_in_a_steady_pace_are_each_the_audits_own() {
    let toml = format!(
        "{}[[source]]\nfiles = \"logs/audit/*\"\nformat = \"fhir-auditevent\"\ntells = [\"ID.*\", \"CONTACT.*\"]\n",
        TOML.replace("path = ", "method = \"POST\", path = ")
    );
    let day = 1_757_714_400_000_000_000;
    let identity = IdentityBase::from_lines(&[(day, &base())]);
    let steady = |pace: usize| (0..40).map(|i| 400 + i * pace).collect::<Vec<_>>();
    let uneven = (0..40).map(|i| 400 + i * 83_000 + i * i * i % 47 * 1000);
    let mut plays: Vec<(Vec<usize>, usize)> = [900, 1000, 1100, 1200, 1400]
        .map(|pace| (steady(pace), 0))
        .to_vec();
    // The proxy's clock is off; the accesses both have tell by how much.
    plays.push((uneven.collect(), 2820));
    for (times, ahead) in plays {
        let (mut proxy, mut audit) = (String::new(), String::new());
        for (i, ms) in times.iter().enumerate() {
            let clock = |s: usize| format!("{}:{:02}:{:02}", 10 + s / 3600, s / 60 % 60, s % 60);
            proxy += &format!(
                "198.51.100.9 - u1 [14/Sep/2025:{} +0200] \"POST /fhir/Patient/_search HTTP/1.1\" 200 500 \"-\" \"curl/8\"\n",
                clock(ms / 1000 + ahead)
            );
            let recorded = format!("{}.{:03}", clock(ms / 1000), ms % 1000);
            let family = ["MARTIN", "DUPONT"][i % 2];
            audit += &format!(
                r#"{{"resourceType":"AuditEvent","id":"e{i}","type":{{"system":"http://terminology.hl7.org/CodeSystem/audit-event-type","code":"rest"}},"subtype":[{{"system":"http://hl7.org/fhir/restful-interaction","code":"search-type"}}],"action":"E","recorded":"2025-09-14T{recorded}+02:00","outcome":"0","agent":[{{"who":{{"identifier":{{"value":"u1"}}}},"requestor":true,"network":{{"address":"198.51.100.9","type":"2"}}}}],"source":{{"observer":{{"display":"sri"}}}},"entity":[{{"type":{{"code":"2"}},"role":{{"code":"24"}},"description":"POST https://sri.example/fhir/Patient/_search HTTP/1.1","query":"{}"}}]}}"#,
                searched(family)
            );
            audit.push('\n');
        }
        let logs = [
            ("logs/audit/audit.ndjson", "fhir-auditevent", &*audit),
            ("logs/web/access.log", "http-access", &*proxy),
        ];
        let none = Inventory::default();
        play_logs(
            &toml,
            &identity,
            &none,
            &logs,
            SessionVerdict::Intruder,
            |o| {
                let n = o.extent.subjects;
                assert_eq!((n.at_least, n.at_most), (1, 1), "{times:?}");
            },
        );
    }
}

/// A search by family name as an audit keeps it: the request and its body, base64.
fn searched(family: &str) -> &'static str {
    match family {
        "MARTIN" => {
            "UE9TVCBodHRwczovL3NyaS5leGFtcGxlL2ZoaXIvUGF0aWVudC9fc2VhcmNoIEhUVFAvMS4xCkNvbnRlbnQtVHlwZTogYXBwbGljYXRpb24veC13d3ctZm9ybS11cmxlbmNvZGVkCgpmYW1pbHk9TUFSVElO"
        }
        _ => {
            "UE9TVCBodHRwczovL3NyaS5leGFtcGxlL2ZoaXIvUGF0aWVudC9fc2VhcmNoIEhUVFAvMS4xCkNvbnRlbnQtVHlwZTogYXBwbGljYXRpb24veC13d3ctZm9ybS11cmxlbmNvZGVkCgpmYW1pbHk9RFVQT05U"
        }
    }
}

/// Nobody knows who was in an answer: as many as a page holds, or anybody.
#[test]
fn without_a_snapshot_a_search_may_have_shown_a_page_of_people() {
    let most = |requests: &[(&str, u16)]| {
        let mut most = 0;
        let none = IdentityBase::from_lines(&[]);
        play_on(&none, requests, SessionVerdict::Intruder, |o| {
            assert_eq!(o.extent.subjects.at_least, 0);
            most = o.extent.subjects.at_most;
        });
        most
    };
    assert_eq!(most(&[("/fhir/Patient?family=MART&_count=20", 200)]), 20);
    let twice = [
        ("/fhir/Patient?family=MART&_count=20", 200),
        ("/fhir/Patient?family=DUP&_count=20", 200),
    ];
    assert_eq!(most(&twice), 40);
    assert_eq!(most(&[("/fhir/Patient?family=MART&_count=20", 403)]), 0);
    assert!(most(&[("/fhir/Patient?family=MART", 200)]) > 1 << 30);
}

#[test]
fn failures_show_nobody_and_doubt_never_lifts_the_lower_bound() {
    play(
        &[("/fhir/Patient?family=MART", 403), ("/fhir/Patient/a", 404)],
        SessionVerdict::Intruder,
        |o| {
            assert_eq!(
                (o.extent.subjects.at_least, o.extent.subjects.at_most),
                (0, 0)
            );
        },
    );
    play(&[("/fhir/Patient/a", 200)], SessionVerdict::Doubtful, |o| {
        assert_eq!(
            (o.extent.subjects.at_least, o.extent.subjects.at_most),
            (0, 1)
        );
        assert!(rows(o).iter().all(|r| r.ends_with("exposed")));
    });
    play(
        &[("/fhir/Patient/a", 200)],
        SessionVerdict::Legitimate,
        |o| {
            assert_eq!((o.extent.subjects.at_most, o.persons.len()), (0, 0));
            assert_eq!(
                (o.extent.unaffected.at_least, o.extent.unaffected.at_most),
                (3, 3)
            );
        },
    );
}

/// (at least, at most) persons of three searches, each answered as the line says.
fn answered(toml: &str, log: (&str, &'static str), lines: &str) -> (u64, u64) {
    let day = 1_757_714_400_000_000_000;
    let identity = IdentityBase::from_lines(&[(day, &base())]);
    let mut told = (0, 0);
    play_log(toml, &identity, log, lines, SessionVerdict::Intruder, |o| {
        told = (o.extent.subjects.at_least, o.extent.subjects.at_most);
    });
    told
}

#[test]
fn an_answer_that_was_cut_shows_from_nobody_to_all() {
    let web = ("logs/web/access.log", "http-access");
    let nginx = |tail: &str| {
        format!(
            "198.51.100.9 - u1 [14/Sep/2025:10:00:00 +0200] \"GET /fhir/Patient?family=MART HTTP/1.1\" {tail} \"-\" \"curl/8\"\n"
        )
    };
    assert_eq!(answered(TOML, web, &nginx("200 1700")), (3, 3));
    assert_eq!(answered(TOML, web, &nginx("499 900")), (0, 3));
    assert_eq!(answered(TOML, web, &nginx("499 0")), (0, 0));
    assert_eq!(answered(TOML, web, &nginx("504 900")), (0, 0));
    let toml = TOML.replace("http-access", "haproxy");
    let haproxy = |state: &str, bytes: u32| {
        format!(
            "198.51.100.9:4711 [14/Sep/2025:10:00:00.000] in fhir/s1 0/0/0/5/9 200 {bytes} - - {state} 1/1/0/0/0 0/0 \"GET /fhir/Patient?family=MART HTTP/1.1\"\n"
        )
    };
    let log = ("logs/web/haproxy.log", "haproxy");
    assert_eq!(answered(&toml, log, &haproxy("----", 1700)), (3, 3));
    assert_eq!(answered(&toml, log, &haproxy("CD--", 900)), (0, 3));
    // One record asked for: the same.
    let lines = nginx("499 300").replace("Patient?family=MART", "Patient/b");
    assert_eq!(answered(TOML, web, &lines), (0, 1));
}

#[test]
fn a_record_made_by_post_is_a_change() {
    let said_of = |request: &str, status: u16| {
        let day = 1_757_714_400_000_000_000;
        let identity = IdentityBase::from_lines(&[(day, &base())]);
        let lines = format!(
            "198.51.100.9 - u1 [14/Sep/2025:10:00:00 +0200] \"{request} HTTP/1.1\" {status} 700 \"-\" \"curl/8\"\n"
        );
        let mut told = String::new();
        let log = ("logs/web/access.log", "http-access");
        play_log(
            TOML,
            &identity,
            log,
            &lines,
            SessionVerdict::Intruder,
            |o| {
                let s = o.statements.iter().find(|s| s.code == "nothing_written");
                told = s.map_or_else(String::new, |s| match s.because.first() {
                    Some(b) if !s.holds => b.split(':').next().unwrap_or("").to_string(),
                    _ => "holds".to_string(),
                });
            },
        );
        told
    };
    assert_eq!(said_of("GET /fhir/Patient?family=MART", 200), "holds");
    assert_eq!(said_of("POST /fhir/Patient/_search", 200), "holds");
    assert_eq!(said_of("POST /fhir/Appointment", 403), "holds");
    assert_eq!(said_of("POST /fhir/Appointment", 201), "untrue");
    assert_eq!(said_of("PUT /fhir/Patient/a", 200), "untrue");
    // A batch may hold changes; who was gone when the answer came may have changed something all the same.
    assert_eq!(said_of("POST /fhir", 200), "unsupported");
    assert_eq!(said_of("PUT /fhir/Patient/a", 499), "unsupported");
    assert_eq!(said_of("PUT /fhir/Patient/a", 504), "unsupported");
}

#[test]
fn a_change_that_proxy_and_audit_saw_is_one() {
    let toml = format!(
        "{TOML}[[source]]\nfiles = \"logs/audit/*\"\nformat = \"fhir-auditevent\"\ntells = [\"ID.*\", \"CONTACT.*\"]\n"
    );
    let day = 1_757_714_400_000_000_000;
    let identity = IdentityBase::from_lines(&[(day, &base())]);
    let (mut proxy, mut audit) = (String::new(), String::new());
    for (s, patient) in [(1, "a"), (12, "b")] {
        proxy += &format!(
            "198.51.100.9 - u1 [14/Sep/2025:10:00:{s:02} +0200] \"PUT /fhir/Patient/{patient} HTTP/1.1\" 200 500 \"-\" \"curl/8\"\n"
        );
        audit += &format!(
            r#"{{"resourceType":"AuditEvent","id":"e{s}","type":{{"system":"http://terminology.hl7.org/CodeSystem/audit-event-type","code":"rest"}},"subtype":[{{"system":"http://hl7.org/fhir/restful-interaction","code":"update"}}],"action":"U","recorded":"2025-09-14T10:00:{s:02}.765+02:00","outcome":"0","agent":[{{"who":{{"identifier":{{"value":"u1"}}}},"requestor":true,"network":{{"address":"198.51.100.9","type":"2"}}}}],"source":{{"observer":{{"display":"sri"}}}},"entity":[{{"what":{{"reference":"Patient/{patient}"}},"type":{{"code":"2"}},"role":{{"code":"4"}},"detail":[{{"type":"field","valueString":"Patient.telecom.value"}},{{"type":"before","valueString":"+331"}},{{"type":"after","valueString":"+339"}}]}}]}}"#
        );
        audit.push('\n');
    }
    let logs = [
        ("logs/audit/audit.ndjson", "fhir-auditevent", &*audit),
        ("logs/web/access.log", "http-access", &*proxy),
    ];
    let none = Inventory::default();
    play_logs(
        &toml,
        &identity,
        &none,
        &logs,
        SessionVerdict::Intruder,
        |o| {
            let writes: Vec<String> = (o.extent.writes.iter())
                .map(|w| format!("{} {} {}", w.subject, w.field, w.evidence.join(" ")))
                .collect();
            assert_eq!(
                writes,
                [
                    "urn:oid:1.2.1|100 Patient.telecom.value logs/web/access.log:1 logs/audit/audit.ndjson:1",
                    "urn:oid:1.2.1|200 Patient.telecom.value logs/web/access.log:2 logs/audit/audit.ndjson:2",
                ]
            );
        },
    );
}

/// A directory tells of one search in three records: what was asked, which attributes, how many were found.
#[test]
fn a_directory_shows_the_attributes_it_was_asked_for() {
    let toml = TOML.replace("http-access", "openldap");
    let play = |filter: &str, attributes: &str, found: u32, copies: usize| {
        let day = 1_757_714_400_000_000_000;
        let identity = IdentityBase::from_lines(&[(day, &base())]);
        let lines: String = [
            "fd=14 ACCEPT from IP=198.51.100.9:58917 (IP=0.0.0.0:389)".to_string(),
            "op=0 BIND dn=\"uid=u1,ou=people,dc=x\" method=128".to_string(),
            "op=0 RESULT tag=97 err=0 text=".to_string(),
            format!("op=1 SRCH base=\"ou=patients,dc=x\" scope=2 deref=0 filter=\"{filter}\""),
            format!("op=1 SRCH attr={attributes}"),
            format!("op=1 SEARCH RESULT tag=101 err=0 nentries={found} text="),
        ]
        .iter()
        .map(|l| format!("2025-09-14T10:00:00.000000+02:00 ldap slapd[1]: conn=7 {l}\n"))
        .map(|l| l.repeat(copies))
        .collect();
        let mut told = (0, 0, vec![]);
        let log = ("logs/web/slapd.log", "openldap");
        play_log(
            &toml,
            &identity,
            log,
            &lines,
            SessionVerdict::Intruder,
            |o| {
                let shown = o.persons.iter().filter(|r| r.verdict == "consulted");
                let mut shown: Vec<String> = shown.map(|r| r.category.clone()).collect();
                shown.dedup();
                let n = o.extent.subjects;
                told = (n.at_least, n.at_most, shown);
            },
        );
        told
    };
    // A log that was delivered twice tells the same.
    for copies in [1, 2] {
        let (least, most, shown) = play("(sn=MARTEL)", "sn givenName", 1, copies);
        assert_eq!((least, most), (1, 1));
        assert!(
            shown.contains(&"ID.NAME".to_string()) && !shown.contains(&"ID.DOB".to_string()),
            "{shown:?}"
        );
    }
    // The number found is the plain reading's.
    assert_eq!(
        play("(&(objectClass=inetOrgPerson)(sn=MARTE*))", "sn", 1, 1).0,
        1
    );
    assert_eq!(play("(dateOfBirth=195702*)", "sn", 1, 1).0, 1);
    assert_eq!(play("(sn=MART*)", "sn", 0, 1).1, 0);
}

#[test]
fn who_is_asked_for_by_number_among_lists_is_targeted() {
    let lists = [
        ("/fhir/Patient?family=MA", 200),
        ("/fhir/Patient?family=MART", 200),
        ("/fhir/Patient?birthdate=1957", 200),
        ("/fhir/Patient?identifier=urn:oid:1.2.2|300", 200),
        ("/fhir/Patient/b", 200),
    ];
    play(&lists, SessionVerdict::Intruder, |o| {
        let t: Vec<&str> = o
            .extent
            .targeted
            .iter()
            .map(|t| t.subject.as_str())
            .collect();
        assert_eq!(
            t,
            ["urn:oid:1.2.2|300"],
            "opening a record of a list just shown names nobody"
        );
    });
    play(
        &[
            ("/fhir/Patient?identifier=100", 200),
            ("/fhir/Patient?identifier=300", 200),
        ],
        SessionVerdict::Intruder,
        |o| {
            assert!(
                o.extent.targeted.is_empty(),
                "where each request names one person nobody stands out"
            );
        },
    );
}

const UNDESCRIBED: &str = r#"
[[source]]
files = "logs/web/*"
format = "http-access"
heartbeat_s = 86400
tells = ["ID.*", "CONTACT.*", "HEALTH.*"]
"#;

fn said(o: &Outcome<'_>, code: &str, establishment: Option<&str>) -> bool {
    o.statements
        .iter()
        .any(|s| s.holds && s.code == code && s.establishment.as_deref() == establishment)
}

/// An answer nobody described is an access with unknown content.
#[test]
fn an_address_nobody_described_exposes_whom_the_request_names() {
    for url in [
        "/cabinet/1/patient/100/administratif",
        "/dossier?ipp=100",
        "/x/Patient-a.pdf?id=urn:oid:1.2.1%7C100",
    ] {
        play_case(UNDESCRIBED, &[(url, 200)], SessionVerdict::Intruder, |o| {
            assert_eq!(
                (o.extent.subjects.at_least, o.extent.subjects.at_most),
                (0, 1),
                "{url}"
            );
            assert_eq!(
                (o.extent.unaffected.at_least, o.extent.unaffected.at_most),
                (2, 3)
            );
            assert_eq!(cell(o, "finess:1", "CONTACT.PHONE", "exposed"), (0, 1));
            assert_eq!(cell(o, "finess:1", "HEALTH.STATE", "exposed"), (0, 1));
            // His record holds no such field.
            assert_eq!(cell(o, "finess:1", "CONTACT.EMAIL", "exposed"), (0, 0));
            assert!(rows(o).contains(&"urn:oid:1.2.1|100 ID.NAME exposed".to_string()));
            for code in [
                "no_contact_data",
                "no_health_data",
                "no_evidence_of_access",
                "list_complete",
                "unaffected_can_be_told",
                "nothing_exfiltrated",
            ] {
                assert!(!said(o, code, None), "{code}");
            }
            assert!(!said(o, "no_contact_data", Some("finess:1")));
        });
    }
}

#[test]
fn an_address_nobody_described_that_names_nobody_opens_as_far_as_its_bytes() {
    let most = |toml: &str, url: &str, status: u16| {
        let mut most = 0;
        play_case(toml, &[(url, status)], SessionVerdict::Intruder, |o| {
            assert_eq!(o.extent.subjects.at_least, 0);
            most = o.extent.subjects.at_most;
        });
        most
    };
    for url in [
        "/cabinet/1/patients?nom=MAR",
        "/accueil",
        "/liste?ipp_apres=100",
        "/patients/100/200",
        "/fhir",
    ] {
        assert_eq!(most(UNDESCRIBED, url, 200), 3, "{url}");
        assert_eq!(most("", url, 200), 3, "without a context: {url}");
        assert_eq!(most(UNDESCRIBED, url, 302), 0);
        assert_eq!(most(UNDESCRIBED, url, 204), 0);
    }
    for url in [
        "/static/app.css",
        "/logo.png",
        "/login",
        "/fhir/metadata",
        "/fhir/Organization/1",
    ] {
        assert_eq!(most(UNDESCRIBED, url, 200), 0, "{url}");
    }
    // Rights limit it, and where others are declared to tell, a log that is not tells of nobody it does not name.
    let rights =
        format!("{UNDESCRIBED}\n[[rights]]\naccount = \"web:u1\"\npopulation = \"finess:2\"\n");
    assert_eq!(most(&rights, "/accueil", 200), 1);
    let other = UNDESCRIBED.replace("tells = [\"ID.*\", \"CONTACT.*\", \"HEALTH.*\"]", "")
        + "[[source]]\nfiles = \"logs/db/*\"\ntells = [\"ID.*\"]\n";
    let named = |url| {
        let mut n = 0;
        play_case(&other, &[(url, 200)], SessionVerdict::Doubtful, |o| {
            n = o.persons.len()
        });
        n
    };
    assert_eq!(named("/accueil"), 0);
    assert!(named("/patient/100") > 0);
}

/// The practitioner of an answer about identity is the one the record names.
#[test]
fn a_practitioner_nobody_has_is_not_certain() {
    let toml = UNDESCRIBED.replace("\"HEALTH.*\"", "\"CARE.*\"");
    play_case(
        &toml,
        &[("/fhir/Patient/a", 200)],
        SessionVerdict::Intruder,
        |o| {
            assert_eq!(cell(o, "finess:1", "ID.NAME", "consulted"), (1, 1));
            assert_eq!(cell(o, "finess:1", "CARE.PRO", "consulted"), (0, 0));
            assert_eq!(cell(o, "finess:1", "CARE.PRO", "exposed"), (0, 1));
        },
    );
}

/// A database whose patients the case describes.
const DB: &str = r#"
[[source]]
files = "logs/db/*"
format = "postgresql"
heartbeat_s = 86400
tells = ["ID.*", "CONTACT.*"]
[[table]]
name = "public.patient"
columns = { ipp = "identifier:urn:oid:1.2.1", nom = "name.family", date_naissance = "birthDate", telephone = "telecom:phone" }
"#;

/// What nobody can read as a statement may have shown everybody the source tells of; a statement that shows nothing shows nobody.
#[test]
fn a_statement_nobody_can_read_may_have_shown_everybody() {
    let identity = IdentityBase::from_lines(&[(1_757_714_400_000_000_000, &base())]);
    let seen = |statement: &str| {
        let line = format!(
            "2025-09-14 10:00:02.000 CEST,\"app\",\"dpi\",71,\"198.51.100.9:4000\",68c67a00.47,2,\"CALL\",2025-09-14 10:00:00 CEST,3/0,0,LOG,00000,\"AUDIT: SESSION,1,1,MISC,CALL,,,{statement},<none>\",,,,,,,,,\"psql\",\"client backend\",,0\n"
        );
        let mut said = (0, 0);
        let log = ("logs/db/a.csv", "postgresql");
        play_log(DB, &identity, log, &line, SessionVerdict::Intruder, |o| {
            said = (o.extent.subjects.at_least, o.extent.subjects.at_most);
        });
        said
    };
    let all = seen("SELECT * FROM public.patient");
    assert!(all.0 > 1, "{all:?}");
    for unread in ["CALL lire_patient(42)", "DO 'x'", "SELECT lire_patient(42)"] {
        let (least, most) = seen(unread);
        assert_eq!(least, 0, "{unread}");
        assert!(most >= all.1, "{unread}: {most} of {}", all.1);
    }
    assert_eq!(seen("SET search_path = dpi"), (0, 0));
}

/// Audit lines of statements one after the other in one backend.
fn audited(statements: &[&str]) -> String {
    let each = statements.iter().enumerate().map(|(k, s)| {
        let tag = s.split(' ').next().unwrap_or("");
        format!(
            "2025-09-14 10:00:{:02}.000 CEST,\"app\",\"dpi\",71,\"198.51.100.9:4000\",68c67a00.47,{},\"{tag}\",2025-09-14 10:00:00 CEST,3/0,0,LOG,00000,\"AUDIT: SESSION,{k},1,READ,{tag},,,\"\"{s}\"\",<none>\",,,,,,,,,\"psql\",\"client backend\",,0\n",
            k * 3 + 1,
            k + 2,
        )
    });
    each.collect()
}

/// What was fetched of a cursor came back, and no more; without a word about it nobody knows how much.
#[test]
fn a_cursor_shows_what_is_fetched_of_it() {
    let identity = IdentityBase::from_lines(&[(1_757_714_400_000_000_000, &base())]);
    let seen = |statements: &[&str]| {
        let mut said = (0, 0);
        let log = ("logs/db/a.csv", "postgresql");
        let lines = audited(statements);
        play_log(DB, &identity, log, &lines, SessionVerdict::Intruder, |o| {
            said = (o.extent.subjects.at_least, o.extent.subjects.at_most);
        });
        said
    };
    let all = seen(&["SELECT * FROM public.patient"]);
    let declared = "DECLARE c1 CURSOR FOR SELECT * FROM public.patient";
    assert!(all.0 > 1, "{all:?}");
    assert_eq!(seen(&[declared]), (0, all.1));
    assert_eq!(seen(&[declared, "FETCH FORWARD 20 FROM c1"]), all);
    assert_eq!(seen(&[declared, "FETCH ALL FROM c1"]), all);
    let one = seen(&[declared, "FETCH 1 FROM c1"]);
    assert!(one.0 == 1 && one.1 >= 1, "{one:?}");
    assert_eq!(
        seen(&[declared, "FETCH 20 FROM c1", "MOVE BACKWARD 5 FROM c1"]),
        (0, all.1)
    );
}

/// What was cut short showed nobody beyond the page it asked for, where the order of rows is the same everywhere.
#[test]
fn a_page_cut_short_shows_nobody_beyond_it() {
    let identity = IdentityBase::from_lines(&[(1_757_714_400_000_000_000, &base())]);
    let seen = |statement: &str| {
        let lines = audited(&[statement])
            + "2025-09-14 10:00:02.000 CEST,\"app\",\"dpi\",71,\"198.51.100.9:4000\",68c67a00.47,3,\"SELECT\",2025-09-14 10:00:00 CEST,3/0,0,ERROR,57014,\"canceling statement due to user request\",,,,,,,,,\"psql\",\"client backend\",,0\n";
        let mut said = (0, 0);
        let log = ("logs/db/a.csv", "postgresql");
        play_log(DB, &identity, log, &lines, SessionVerdict::Intruder, |o| {
            said = (o.extent.subjects.at_least, o.extent.subjects.at_most);
        });
        said
    };
    assert_eq!(seen("SELECT * FROM public.patient"), (0, 2));
    // The first two records are one person's.
    assert_eq!(
        seen("SELECT * FROM public.patient ORDER BY ipp LIMIT 2"),
        (0, 1)
    );
    assert_eq!(
        seen("SELECT * FROM public.patient ORDER BY ipp DESC LIMIT 2"),
        (0, 2)
    );
    assert_eq!(
        seen("SELECT * FROM public.patient ORDER BY ipp OFFSET 2"),
        (0, 1)
    );
    assert_eq!(
        seen("SELECT * FROM public.patient ORDER BY ipp LIMIT 9 OFFSET 9"),
        (0, 0)
    );
    // Without an order, or in one that is the server's own, it may have been anybody.
    assert_eq!(seen("SELECT * FROM public.patient LIMIT 1"), (0, 2));
    assert_eq!(
        seen("SELECT * FROM public.patient ORDER BY nom LIMIT 1"),
        (0, 2)
    );
}

/// What stands behind an outer join not everybody has.
#[test]
fn an_outer_join_proves_its_first_table_only() {
    let identity = IdentityBase::from_lines(&[(1_757_714_400_000_000_000, &base())]);
    let drugs = format!(
        "{DB}[[table]]\nname = \"public.prescription\"\ncolumns = {{ traitement = {{ category = \"HEALTH.DRUG\" }} }}\n"
    );
    let toml = drugs.replace("\"CONTACT.*\"]", "\"CONTACT.*\", \"HEALTH.*\"]");
    let lines = audited(&[
        "SELECT p.ipp, p.nom, o.traitement FROM public.patient p LEFT JOIN public.prescription o ON o.ipp = p.ipp",
    ]);
    let log = ("logs/db/a.csv", "postgresql");
    play_log(
        &toml,
        &identity,
        log,
        &lines,
        SessionVerdict::Intruder,
        |o| {
            let (names, _) = cell(o, "finess:1", "ID.NAME", "consulted");
            assert!(names > 1);
            assert_eq!(cell(o, "finess:1", "HEALTH.DRUG", "consulted"), (0, 0));
            let (least, most) = cell(o, "finess:1", "HEALTH.DRUG", "exposed");
            assert!(least == 0 && most >= names, "{most} of {names}");
        },
    );
}

/// A statement the server refused before it ran is not audited: its error takes nothing from the answer of the one before.
#[test]
fn an_error_belongs_to_its_own_statement() {
    let asked = "SELECT * FROM public.patient WHERE nom LIKE 'MARTI%'";
    let line = |second: u32,
                n: u32,
                tag: &str,
                level: &str,
                code: &str,
                message: &str,
                query: &str| {
        format!(
            "2025-09-14 10:00:{second:02}.000 CEST,\"app\",\"dpi\",71,\"198.51.100.9:4000\",68c67a00.47,{n},\"{tag}\",2025-09-14 10:00:00 CEST,3/0,0,{level},{code},\"{message}\",,,,,,\"{query}\",,,\"psql\",\"client backend\",,0\n"
        )
    };
    let audited = line(
        2,
        2,
        "SELECT",
        "LOG",
        "00000",
        &format!("AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.patient,{asked},<none>"),
        "",
    );
    let error =
        |code: &str, message: &str, of: &str| line(3, 3, "SELECT", "ERROR", code, message, of);
    let day = 1_757_714_400_000_000_000;
    let identity = IdentityBase::from_lines(&[(day, &base())]);
    let seen = |after: &str| {
        let mut said = (0, 0);
        let lines = format!("{audited}{after}");
        let log = ("logs/db/a.csv", "postgresql");
        play_log(DB, &identity, log, &lines, SessionVerdict::Intruder, |o| {
            said = (o.extent.subjects.at_least, o.extent.subjects.at_most);
        });
        said
    };
    let all = seen("");
    assert!(all.0 > 0, "{all:?}");
    let missing = "column num_secu does not exist";
    assert_eq!(
        seen(&error(
            "42703",
            missing,
            "SELECT num_secu FROM public.patient"
        )),
        all
    );
    assert_eq!(seen(&error("42703", missing, "")), all);
    // Without its text it is that of the statement that has the name it speaks of.
    assert_eq!(
        seen(&error("42703", "column \"\"nom\"\" does not exist", "")),
        (0, 0)
    );
    // Its own failure: nobody was shown.
    assert_eq!(
        seen(&error("53100", "No space left on device", asked)),
        (0, 0)
    );
}

/// He used an account towards a file server, and that server heard nobody of it then: its clock is off, or lines are missing. What its
/// shares hold is exposed; where it heard him, what he read counts and no more.
#[test]
fn a_machine_that_heard_nobody_is_as_good_as_not_logged() {
    const SHARE: &str = r#"
[[source]]
files = "logs/app/*"
format = "windows-security"
heartbeat_s = 86400
[[source]]
files = "logs/files/*"
format = "windows-security"
heartbeat_s = 86400
tells = ["ID.*", "HEALTH.*"]
[[share]]
path = "\\\\fs1\\labo"
categories = ["ID.NAME", "HEALTH.RESULT"]
"#;
    let app = event(
        4648,
        "APP1",
        "08:00:00",
        1,
        &[
            ("SubjectUserName", "ext"),
            ("SubjectDomainName", "CH"),
            ("SubjectLogonId", "0x77a1"),
            ("TargetUserName", "svc"),
            ("TargetDomainName", "CH"),
            ("TargetServerName", "FS1"),
        ],
    );
    let read = |time: &str| read(time, "a.pdf");
    let inventory = Inventory::from_lines(&(listed("a.pdf", "100") + &listed("b.pdf", "200")));
    let identity = IdentityBase::from_lines(&[(1_757_714_400_000_000_000, &base())]);
    let seen = |time: &str| {
        let files = read(time);
        let logs = [
            ("logs/app/a.xml", "windows-security", app.as_str()),
            ("logs/files/b.xml", "windows-security", files.as_str()),
        ];
        let mut said = (0, 0);
        play_logs(
            SHARE,
            &identity,
            &inventory,
            &logs,
            SessionVerdict::Intruder,
            |o| said = (o.extent.subjects.at_least, o.extent.subjects.at_most),
        );
        said
    };
    assert_eq!(seen("08:01:00"), (1, 1));
    assert_eq!(seen("07:13:00"), (1, 2));
    assert_eq!(seen("08:47:00"), (1, 2));
}

/// Every lawful login is followed by requests; after one of the intruder's the log of requests has nothing at all: his lines may have
/// been taken out, and whoever he could ask for is exposed. Where not all lawful ones are followed either, silence says nothing.
#[test]
fn a_login_of_the_intruder_without_anything_after_it_opens_what_others_are_heard_in() {
    let person =
        "[[person]]\nid = \"p:u1\"\nname = \"U UN\"\naccounts = [\"oidc:u1\", \"web:u1\"]\n";
    let toml = format!("{TOML}{person}[[source]]\nfiles = \"logs/idp/*\"\nformat = \"keycloak\"\n");
    let play = |followed: i64, asked: bool| {
        let (mut idp, mut web) = (String::new(), String::new());
        let mut use_of = |minute: i64, address: &str, requests: bool| {
            let t = jiff::civil::date(2025, 9, 14).at(0, 0, 0, 0) + jiff::ToSpan::minutes(minute);
            let stamp = t.strftime("%Y-%m-%d %H:%M:%S");
            idp += &format!(
                "{stamp},123 INFO  [org.keycloak.events] (executor-thread-1) type=LOGIN, realmId=r1, clientId=dossier, userId=u-1, ipAddress={address}, auth_method=openid-connect, redirect_uri=https://dossier.example/, username=u1, code_id=c{minute}\n"
            );
            if requests {
                let stamp = t.strftime("%d/%b/%Y:%H:%M:%S +0200");
                web += &format!(
                    "{address} - u1 [{stamp}] \"GET /fhir/Patient?family=MARTI HTTP/1.1\" 200 500 \"-\" \"Firefox/1\"\n"
                );
            }
        };
        for k in 0..60 {
            use_of(k * 45, "198.51.100.1", k < followed);
        }
        use_of(60 * 45, "198.51.100.9", asked);
        use_of(61 * 45, "198.51.100.1", true);
        let identity = IdentityBase::from_lines(&[(1_757_714_400_000_000_000, &base())]);
        let thief = |s: &Session| match s.origin.address {
            Some(a) if a.to_string() == "198.51.100.9" => SessionVerdict::Intruder,
            _ => SessionVerdict::Legitimate,
        };
        let logs = [
            ("logs/idp/keycloak.log", "keycloak", idp.as_str()),
            ("logs/web/access.log", "http-access", web.as_str()),
        ];
        let mut said = (0, 0);
        play_judged(
            &toml,
            &identity,
            &Inventory::default(),
            &logs,
            &thief,
            |o| {
                said = (o.extent.subjects.at_least, o.extent.subjects.at_most);
            },
        );
        said
    };
    assert_eq!(play(60, true), (1, 1));
    assert_eq!(play(60, false), (0, 3));
    assert_eq!(play(40, false), (0, 0));
}

/// The intruder tried the door and did nothing: where the file server's own numbers show that no record is missing and it heard nobody
/// then, nobody is exposed by that. With a hole in them, or with somebody heard, his records may be among those.
#[test]
fn a_tunnel_amid_a_whole_silence_opens_nothing() {
    let toml = format!(
        "{LABO}[[source]]\nfiles = \"logs/gateway/*\"\nformat = \"fortinet-fortigate\"\ntimezone = \"UTC\"\n"
    );
    let play = |missing: u32, heard: bool, carried: u64| {
        let (mut gateway, mut files, mut n) = (String::new(), String::new(), 0);
        let time = |minute: u32| format!("{:02}:{:02}:00", minute / 60, minute % 60);
        let mut tunnel = |user: &str, from: u32, to: u32| {
            let sent = if user == "ext" { carried } else { 8 };
            for (action, minute) in [("tunnel-up", from), ("tunnel-down", to)] {
                gateway += &format!(
                    "date=2025-09-14 time={} devname=\"FG\" devid=\"FG1\" tz=\"+0000\" logid=\"0101039947\" type=\"event\" subtype=\"vpn\" level=\"information\" vd=\"root\" action=\"{action}\" tunneltype=\"ssl-tunnel\" tunnelid={from} remip=198.51.100.7 tunnelip=10.212.134.5 user=\"{user}\" duration=60 sentbyte={sent} rcvdbyte=8\n",
                    time(minute)
                );
            }
        };
        let mut read = |user: &str, address: &str, minute: u32| {
            n += 1;
            files += &event(
                5145,
                "FS1",
                &time(minute),
                n + if minute > 600 { missing } else { 0 },
                &[
                    ("SubjectUserName", user),
                    ("SubjectDomainName", "CH"),
                    ("SubjectLogonId", &format!("0x{minute:x}")),
                    ("IpAddress", address),
                    ("ShareName", r"\\*\labo"),
                    ("RelativeTargetName", "a.pdf"),
                    ("AccessMask", "0x1"),
                ],
            );
        };
        // Twelve before and twelve after.
        for minute in (0..24).map(|k| if k < 12 { k * 20 } else { 700 + k * 20 }) {
            tunnel("svc", minute, minute + 15);
            read("svc", "10.212.134.5", minute + 2);
        }
        tunnel("ext", 500, 520);
        if heard {
            read("other", "10.9.9.9", 510);
        }
        // In order of time.
        let sort = |text: &str, by: &dyn Fn(&str) -> String| {
            let mut lines: Vec<&str> = text.lines().collect();
            lines.sort_by_key(|l| by(l));
            lines.join("\n") + "\n"
        };
        let clock = |l: &str| l.split("time=").nth(1).unwrap_or("")[..8].to_string();
        let gateway = sort(&gateway, &clock);
        let stamp = |l: &str| l.split("2025-09-14T").nth(1).unwrap_or("")[..8].to_string();
        let files = sort(&files, &stamp);
        let logs = [
            ("logs/files/b.xml", "windows-security", files.as_str()),
            ("logs/gateway/a.log", "fortinet-fortigate", gateway.as_str()),
        ];
        let inventory = Inventory::from_lines(&(listed("a.pdf", "100") + &listed("b.pdf", "200")));
        let identity = IdentityBase::from_lines(&[(1_757_714_400_000_000_000, &base())]);
        let thief = |s: &Session| match &s.account {
            Some(a) if a.bare() == "ext" => SessionVerdict::Intruder,
            _ => SessionVerdict::Legitimate,
        };
        let mut said = (0, 0);
        play_judged(&toml, &identity, &inventory, &logs, &thief, |o| {
            said = (o.extent.subjects.at_least, o.extent.subjects.at_most);
        });
        said
    };
    assert_eq!(play(0, false, 8), (0, 0));
    assert_eq!(play(0, true, 8), (0, 3));
    assert_eq!(play(1, false, 8), (0, 3));
    // Something was carried through his tunnel that no record tells of, whatever the numbers say.
    assert_eq!(play(0, false, 40_000_000), (0, 3));
}

const LABO: &str = r#"
[[source]]
files = "logs/files/*"
format = "windows-security"
heartbeat_s = 86400
tells = ["ID.*", "HEALTH.*"]
[[share]]
path = "\\\\fs1\\labo"
categories = ["ID.NAME", "HEALTH.RESULT"]
"#;

/// Who is in a file nobody listed is not known; a folder of listed files, and what the system writes there, holds nobody.
#[test]
fn a_file_that_no_inventory_lists_opens_its_share() {
    let inventory =
        Inventory::from_lines(&(listed(r"x\a.pdf", "100") + &listed(r"x\y\b.pdf", "200")));
    let identity = IdentityBase::from_lines(&[(1_757_714_400_000_000_000, &base())]);
    let seen = |name: &str| {
        let lines = read("08:00:00", r"x\a.pdf") + &read("08:01:00", name);
        let logs = [("logs/files/b.xml", "windows-security", lines.as_str())];
        let mut said = (0, 0);
        let intruder = SessionVerdict::Intruder;
        play_logs(LABO, &identity, &inventory, &logs, intruder, |o| {
            said = (o.extent.subjects.at_least, o.extent.subjects.at_most);
        });
        said
    };
    for nobody in [r"x\a.pdf", "x", r"x\y", r"x\desktop.ini", r"x\Thumbs.db"] {
        assert_eq!(seen(nobody), (1, 1), "{nobody}");
    }
    for anybody in [r"x\new.pdf", r"tmp\a.pdf", "y"] {
        assert_eq!(seen(anybody), (1, 3), "{anybody}");
    }
}

/// A share was opened and nothing says which of its files were taken: each category is of whoever a file holds that has it.
#[test]
fn a_share_taken_unseen_gives_nobody_what_its_files_do_not_hold() {
    let bank = listed("b.pdf", "200").replace(r#""ID.NAME","HEALTH.RESULT""#, r#""STAFF.BANK""#);
    let inventory = Inventory::from_lines(&(listed("a.pdf", "100") + &bank));
    let identity = IdentityBase::from_lines(&[(1_757_714_400_000_000_000, &base())]);
    let opened = event(
        5140,
        "FS1",
        "08:00:00",
        1,
        &[
            ("SubjectUserName", "svc"),
            ("SubjectDomainName", "CH"),
            ("SubjectLogonId", "0x88b2"),
            ("IpAddress", "10.1.2.3"),
            ("ShareName", r"\\*\labo"),
            ("AccessMask", "0x1"),
        ],
    );
    let logs = [("logs/files/b.xml", "windows-security", opened.as_str())];
    let intruder = SessionVerdict::Intruder;
    play_logs(LABO, &identity, &inventory, &logs, intruder, |o| {
        for category in ["ID.NAME", "HEALTH.RESULT", "STAFF.BANK"] {
            let taken = cell(o, "finess:1", category, "exfiltrated");
            assert_eq!(taken, (0, 1), "{category}");
        }
    });
}

/// A file of the house is published, and no session is anybody's but the staff's: somebody took it all the same, and may have taken more.
#[test]
fn what_is_published_was_taken_though_nobody_is_known_to_have_come() {
    let inventory = Inventory::from_lines(&(listed("a.pdf", "100") + &listed("b.pdf", "200")));
    let identity = IdentityBase::from_lines(&[(1_757_714_400_000_000_000, &base())]);
    let lines = read("08:00:00", "a.pdf");
    let logs = [("logs/files/b.xml", "windows-security", lines.as_str())];
    let list = [LeakLine {
        list: "leak/list.csv".into(),
        line: 2,
        path: r"\\fs1\labo\a.pdf".into(),
        size: Some(10),
        sha256: String::new(),
    }];
    let answer = |leaks: &[LeakLine]| {
        let mut out = ((0, 0), false, false);
        let nobody = &|_: &Session| SessionVerdict::Legitimate;
        play_published(LABO, &identity, &inventory, &logs, leaks, nobody, |o| {
            let n = &o.extent.subjects;
            let in_a = said(o, "no_intrusion", None);
            out = (
                (n.at_least, n.at_most),
                in_a,
                said(o, "list_complete", None),
            );
        });
        out
    };
    assert_eq!(answer(&list), ((1, 2), false, false));
    assert_eq!(answer(&[]).0, (0, 0));
    assert!(answer(&[]).2);
}

/// A file is read while the firewall, which counts what leaves, was not heard: it may have left, and nobody can say that it did.
#[test]
fn what_is_read_while_nobody_counts_bytes_may_have_left() {
    let toml = format!(
        "{LABO}[[source]]\nfiles = \"logs/fw/*\"\nformat = \"fortinet-fortigate\"\nheartbeat_s = 300\n"
    );
    let inventory = Inventory::from_lines(&listed("a.pdf", "100"));
    let identity = IdentityBase::from_lines(&[(1_757_714_400_000_000_000, &base())]);
    let seen = |silent: std::ops::Range<i64>| {
        let mut flows = String::new();
        for minute in (0..4 * DAYS).step_by(5).filter(|m| !silent.contains(m)) {
            let t = jiff::civil::date(2025, 9, 14).at(0, 0, 0, 0) + jiff::ToSpan::minutes(minute);
            flows += &format!(
                "date={} time={} devname=\"FW\" tz=\"+0000\" logid=\"0000000013\" type=\"traffic\" subtype=\"forward\" level=\"notice\" srcip=10.9.9.9 srcport=40001 dstip=10.9.9.8 dstport=123 action=\"accept\" duration=1 sentbyte=76 rcvdbyte=76\n",
                t.strftime("%Y-%m-%d"),
                t.strftime("%H:%M:%S")
            );
        }
        let files = read("08:00:00", "a.pdf");
        let logs = [
            ("logs/files/b.xml", "windows-security", files.as_str()),
            ("logs/fw/traffic.log", "fortinet-fortigate", flows.as_str()),
        ];
        let thief = |s: &Session| match &s.account {
            Some(_) => SessionVerdict::Intruder,
            None => SessionVerdict::Legitimate,
        };
        let mut said = [(0, 0); 2];
        play_judged(&toml, &identity, &inventory, &logs, &thief, |o| {
            said = ["consulted", "exfiltrated"].map(|v| cell(o, "finess:1", "HEALTH.RESULT", v));
        });
        said
    };
    const DAYS: i64 = 24 * 60;
    assert_eq!(seen(0..0), [(1, 1), (0, 0)]);
    assert_eq!(seen(9 * 60..12 * 60), [(0, 1), (0, 1)]);
}

/// What stands around a record is there for some people and not for others: without a word of the endpoint it may have been shown, and
/// an endpoint shows no more than it is declared for.
#[test]
fn everything_around_a_record_is_possible_and_no_more_than_declared() {
    let web = "[[source]]\nfiles = \"logs/web/*\"\nformat = \"http-access\"\nheartbeat_s = 86400\ntells = [\"ID.*\", \"HEALTH.*\"]\n";
    let asked = [("/fhir/Patient/a/$everything", 200)];
    let cells = |toml: &str| {
        let mut said = [(0, 0); 3];
        play_case(toml, &asked, SessionVerdict::Intruder, |o| {
            said = [
                cell(o, "finess:1", "ID.NAME", "consulted"),
                cell(o, "finess:1", "HEALTH.ALLERGY", "consulted"),
                cell(o, "finess:1", "HEALTH.ALLERGY", "exposed"),
            ];
        });
        said
    };
    assert_eq!(cells(web), [(1, 1), (0, 0), (0, 1)]);
    let declared = format!(
        "{web}[[endpoint]]\nmatch = {{ path = \"/fhir/Patient*\" }}\ncategories = [\"ID.NAME\", \"HEALTH.DRUG\"]\n"
    );
    assert_eq!(cells(&declared), [(1, 1), (0, 0), (0, 0)]);
}

const POSTGRES: &str = r#"
[[source]]
files = "logs/db/*"
format = "postgresql"
heartbeat_s = 86400
tells = ["ID.*"]
[[table]]
name = "public.patient"
columns = { nom = "name.family:official" }
"#;

/// What an intruder asks of a database: at least, at most.
fn queried(toml: &str, lines: &str) -> (u64, u64) {
    let identity = IdentityBase::from_lines(&[(1_757_714_400_000_000_000, &base())]);
    let mut said = (0, 0);
    let logs = [("logs/db/postgresql.log", "postgresql", lines)];
    let intruder = SessionVerdict::Intruder;
    play_logs(
        toml,
        &identity,
        &Inventory::default(),
        &logs,
        intruder,
        |o| {
            said = (o.extent.subjects.at_least, o.extent.subjects.at_most);
        },
    );
    said
}

/// PostgreSQL writes the values of a statement in a record of their own, right behind it.
#[test]
fn values_in_the_record_behind_a_statement_belong_to_it() {
    let line = |second: u32, pid: u32, text: &str| {
        format!("2025-09-14 10:00:{second:02}.000 CEST [{pid}] x@dpi 198.51.100.9 {text}\n")
    };
    let asked = |word: &str, pid: u32| {
        line(1, 7, "LOG:  connection authorized: user=x database=dpi")
            + &line(
                2,
                7,
                "LOG:  execute <unnamed>: SELECT nom FROM public.patient WHERE nom = $1",
            )
            + &line(2, pid, &format!("DETAIL:  {word}: $1 = 'MARTEL'"))
    };
    assert_eq!(queried(POSTGRES, &asked("parameters", 7)), (1, 1));
    assert_eq!(queried(POSTGRES, &asked("Parameters", 7)), (1, 1));
    // Another backend's: whom this one asked for is not known.
    assert_eq!(queried(POSTGRES, &asked("parameters", 8)), (0, 3));
}

/// A log of plain text writes the statement of an error in a record behind it.
#[test]
fn the_record_behind_an_error_tells_which_statement_failed() {
    let line = |second: u32, pid: u32, text: &str| {
        format!("2025-09-14 10:00:{second:02}.000 CEST [{pid}] x@dpi 198.51.100.9 {text}\n")
    };
    let asked = "SELECT nom FROM public.patient WHERE nom LIKE 'MART%'";
    let audited = line(1, 7, "LOG:  connection authorized: user=x database=dpi")
        + &line(
            2,
            7,
            &format!(
                "LOG:  AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.patient,\"{asked}\",<none>"
            ),
        );
    let error = line(2, 7, "ERROR:  relation \"lits\" does not exist");
    let of = |pid: u32, statement: &str| line(2, pid, &format!("STATEMENT:  {statement}"));
    let all = queried(POSTGRES, &audited);
    assert!(all.0 > 0, "{all:?}");
    assert_eq!(
        queried(POSTGRES, &(audited.clone() + &error + &of(7, asked))),
        (0, 0)
    );
    // Something between the two is a detail of the error, in the same backend or another's.
    let between = line(2, 7, "DETAIL:  none") + &of(8, "SELECT 1");
    let apart = audited.clone() + &error + &between + &of(7, asked);
    assert_eq!(queried(POSTGRES, &apart), (0, 0));
    // Another statement's, which was refused before it was audited.
    let other = of(7, "SELECT lit FROM lits");
    assert_eq!(queried(POSTGRES, &(audited + &error + &other)), all);
}

/// Fewer rows than the question has, and just as many as the account may see: they are those. Not where a page explains the number.
#[test]
fn an_answer_of_the_size_of_the_rights_is_the_part_within_them() {
    let csv = |limit: &str, rows: u32| {
        let start = "2025-09-14 10:00:00 CEST";
        let audit = format!(
            "AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.patient,\"\"SELECT nom FROM public.patient WHERE nom LIKE 'MART%'{limit}\"\",<none>,{rows}"
        );
        format!(
            "2025-09-14 10:00:01.000 CEST,\"x\",\"dpi\",7,\"198.51.100.9:4\",68c6.7,1,\"SELECT\",{start},3/0,0,LOG,00000,\"{audit}\",,,,,,,,,\"psql\",\"client backend\",,0\n"
        )
    };
    let rights = format!("{POSTGRES}[[rights]]\naccount = \"db:x\"\npopulation = \"finess:1\"\n");
    assert_eq!(queried(POSTGRES, &csv("", 4)), (3, 3));
    assert_eq!(queried(POSTGRES, &csv("", 3)).0, 0);
    assert_eq!(queried(&rights, &csv("", 3)), (2, 3));
    // Three of four records, one person's two among them, are a page: which ones is not known, only how many at the least.
    assert_eq!(queried(&rights, &csv(" LIMIT 3", 3)).0, 1);
}

/// A search whose text ends in a blank: the number of records found tells whether the server kept it.
#[test]
fn the_number_found_tells_what_a_blank_was() {
    let family = |id: &str, est: u8, family: &str| {
        patient(id, est, &format!("9{id}"), family, "1957-01-01", "")
    };
    let records = [
        family("a", 1, "LE BIHAN"),
        family("b", 1, "LEFEVRE"),
        family("c", 2, "LEROUX"),
        family("d", 1, "MARTIN"),
        family("e", 2, "LE GOFF"),
    ];
    let day = 1_757_714_400_000_000_000;
    let reached = |records: &[String], context: &str, asked: &str, total: u64| {
        let identity = IdentityBase::from_lines(&[(day, &records.join("\n"))]);
        let line = format!(
            r#"{{"resourceType":"AuditEvent","type":{{"system":"http://terminology.hl7.org/CodeSystem/audit-event-type","code":"rest"}},"subtype":[{{"system":"http://hl7.org/fhir/restful-interaction","code":"search-type"}}],"action":"E","recorded":"2025-09-14T10:00:00+02:00","outcome":"0","agent":[{{"who":{{"identifier":{{"system":"https://rpps.esante.gouv.fr","value":"10101234567"}}}},"requestor":true,"network":{{"address":"198.51.100.9","type":"2"}}}}],"source":{{"observer":{{"identifier":{{"value":"sri"}}}}}},"entity":[{{"type":{{"system":"http://terminology.hl7.org/CodeSystem/audit-entity-type","code":"2"}},"role":{{"system":"http://terminology.hl7.org/CodeSystem/object-role","code":"24"}},"description":"GET https://sri.example/fhir/Patient?{asked} HTTP/1.1","detail":[{{"type":"total","valueString":"{total}"}}]}}]}}"#
        ) + "\n";
        let toml = format!(
            "[[source]]\nfiles = \"logs/audit/*\"\nformat = \"fhir-auditevent\"\ntells = [\"ID.*\"]\n{context}"
        );
        let mut out = (0, 0);
        let log = ("logs/audit/a.ndjson", "fhir-auditevent");
        let check = |o: &Outcome<'_>| {
            let persons = |consulted: bool| {
                let of = (o.persons.iter()).filter(|r| !consulted || r.verdict == "consulted");
                let all: std::collections::BTreeSet<_> = of.map(|r| &r.subject).collect();
                all.len()
            };
            // Surely found, and perhaps.
            out = (persons(true), persons(false) - persons(true));
        };
        play_log(
            &toml,
            &identity,
            log,
            &line,
            SessionVerdict::Intruder,
            check,
        );
        out
    };
    let found = |asked: &str, total| reached(&records, "", asked, total);
    // Kept: the two whose name goes on behind a blank. Taken off: all four that begin so.
    assert_eq!(found("family=Le%20", 2), (2, 0));
    assert_eq!(found("family=Le+", 2), (2, 0));
    assert_eq!(found("family=Le%20", 4), (4, 0));
    assert_eq!(found("family=Le", 4), (4, 0));
    // No reading gives three, and a full page tells no number.
    assert_eq!(found("family=Le%20", 3), (0, 4));
    assert_eq!(found("family=Le%20&_count=2", 2).0, 0);
    // Both may: two of the four lie where the account may look.
    let rights = "[[rights]]\naccount = \"rpps:10101234567\"\npopulation = \"finess:1\"\n";
    assert_eq!(reached(&records, rights, "family=Le%20", 2).0, 0);
    // A blank at the end of a name of one word finds nobody while it is kept.
    assert_eq!(found("family=Martin%20", 1), (1, 0));
    assert_eq!(found("family=Martin%20", 0), (0, 0));
}
