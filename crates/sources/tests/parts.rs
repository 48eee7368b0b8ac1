//! Parts of one file decoded side by side give what one decoder gives, piece by piece.
mod common;
use ampleur_event::Event;
use ampleur_sources::{
    Reject, Setting, by_name,
    case::FileId,
    reader::{FileSink, Job, Limits, Piece, SinkError, read_bytes},
};
use proptest::prelude::*;

/// Keeps each piece, and has the parts decoded by so many hands, the last first, when the first is waited for.
#[derive(Default)]
struct Pieces {
    hands: usize,
    at_once: usize,
    given: Vec<Job>,
    all: Vec<(u64, usize, Vec<Event<'static>>, Vec<Reject>)>,
}

impl FileSink for Pieces {
    fn piece(&mut self, p: Piece<'_>) -> Result<(), SinkError> {
        let events = p.events.iter().map(|e| e.into_owned()).collect();
        self.all
            .push((p.offset, p.bytes.len(), events, p.rejects.to_vec()));
        Ok(())
    }
    fn hands(&self) -> usize {
        self.hands
    }
    fn soon(&mut self, job: Job) {
        self.given.push(job);
    }
    fn idle(&mut self, done: &mut dyn FnMut() -> bool) {
        if !done() {
            self.at_once += usize::from(self.given.len() > 1);
            self.given.drain(..).rev().for_each(|job| job());
            assert!(done());
        }
    }
}

fn setting() -> Setting {
    Setting {
        zone: jiff::tz::TimeZone::get("Europe/Paris").ok(),
        year_hint: Some(2025),
        ..Setting::default()
    }
}

fn read(format: &str, bytes: &[u8], block_bytes: usize, hands: usize) -> Pieces {
    let limits = Limits {
        block_bytes,
        record_bytes: 200_000,
        ..Limits::default()
    };
    let mut pieces = Pieces {
        hands,
        ..Pieces::default()
    };
    let source = by_name(format);
    assert!(source.is_some());
    let file: FileId = 0;
    let r = read_bytes(bytes, file, source, &setting(), &limits, &mut pieces).unwrap();
    assert_eq!(r.records, r.events + r.rejects + r.skipped);
    assert_eq!(r.bytes, bytes.len() as u64);
    pieces
}

/// The same pieces for any number of hands; true when parts were decoded at once.
fn alike(format: &str, bytes: &[u8], block: usize) -> bool {
    let one = read(format, bytes, block, 1);
    assert_eq!(one.at_once, 0);
    let mut used = false;
    for hands in [2, 3, 8] {
        let many = read(format, bytes, block, hands);
        assert!(many.all == one.all, "{hands} hands, blocks of {block}");
        used |= many.at_once > 0;
    }
    used
}

fn audit(id: usize, pretty: bool) -> String {
    let line = format!(
        r#"{{"resourceType":"AuditEvent","id":"{id}","type":{{"code":"rest"}},"action":"R","recorded":"2026-03-0{}T10:{:02}:00Z","agent":[{{"who":{{"identifier":{{"value":"doc{id}"}}}},"requestor":true,"network":{{"address":"10.0.0.{}"}}}}],"source":{{"observer":{{"display":"srv"}}}},"entity":[{{"what":{{"reference":"Patient/{id}"}}}}]}}"#,
        1 + id % 9,
        id % 60,
        id % 250
    );
    match pretty {
        true => line.replace(",\"", ",\n  \"").replace('{', "{\n "),
        false => line,
    }
}

#[test]
fn lines_of_audit_events_are_decoded_at_once() {
    let mut text = String::new();
    (0..400).for_each(|i| text.push_str(&(audit(i, false) + "\n")));
    for block in [1_000, 4_096, 50_000] {
        assert!(alike("fhir-auditevent", text.as_bytes(), block));
    }
    let whole = read("fhir-auditevent", text.as_bytes(), 1 << 20, 1);
    let parts = read("fhir-auditevent", text.as_bytes(), 3_000, 2);
    let events = |p: Pieces| p.all.into_iter().flat_map(|x| x.2).collect::<Vec<_>>();
    let (whole, parts) = (events(whole), events(parts));
    assert_eq!(whole.len(), 400);
    assert!(whole == parts);
}

#[test]
fn chunks_of_an_event_log_are_decoded_at_once() {
    let file = std::fs::read(common::testdata().join("windows-security/evtx/input.evtx")).unwrap();
    let mut many = file[..4096].to_vec();
    (0..9).for_each(|_| many.extend(&file[4096..4096 + 65_536]));
    // One of them is damaged, and the last breaks off.
    many[4096 + 3 * 65_536 + 600..4096 + 3 * 65_536 + 900].fill(0xff);
    many.truncate(4096 + 8 * 65_536 + 30_000);
    for block in [70_000, 65_536, 140_000] {
        assert!(alike("windows-security", &many, block));
    }
}

/// A piece of JSON as files have them: whole lines, values over several lines, arrays, bundles, comments, blanks, damage.
fn piece() -> impl Strategy<Value = String> {
    let one = (0usize..100, any::<bool>()).prop_map(|(i, p)| audit(i, p));
    prop_oneof![
        8 => (0usize..100).prop_map(|i| audit(i, false) + "\n"),
        2 => (0usize..100).prop_map(|i| audit(i, true) + "\n"),
        1 => (0usize..100).prop_map(|i| audit(i, false)),
        1 => proptest::collection::vec(one.clone(), 0..5).prop_map(|v| format!("[{}]\n", v.join(",\n"))),
        1 => proptest::collection::vec(one, 0..5).prop_map(|v| {
            let entries: Vec<String> = v.iter().map(|a| format!("{{\"resource\":{a}}}")).collect();
            format!("{{\"resourceType\":\"Bundle\",\"entry\":[{}]}}\n", entries.join(",\n"))
        }),
        1 => Just("# note\n\n".to_string()),
        1 => Just("[\n".to_string()),
        1 => Just("]\n".to_string()),
        1 => Just("{\"resourceType\":\"AuditEvent\",\n".to_string()),
        1 => (0usize..3000).prop_map(|n| format!("{{\"x\":\"{}\"}}\n", "y".repeat(n))),
        1 => Just("garbage \u{e9}\n".to_string()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_json_there_is_the_pieces_are_the_same(pieces in proptest::collection::vec(piece(), 0..40), block in 1usize..4000) {
        let text = audit(0, false) + "\n" + &pieces.concat();
        for format in ["fhir-auditevent", "ecs", "office365"] {
            alike(format, text.as_bytes(), block);
        }
    }
    #[test]
    fn a_long_record_is_one_reject_for_any_number_of_hands(n in 190_000usize..420_000, block in 100usize..3000, before in 0usize..20, broken in any::<bool>()) {
        let mut text: String = (0..before).map(|i| audit(i, false) + "\n").collect();
        let long = "z".repeat(n);
        text.push_str(&if broken { format!("{{\n\"x\":\"{long}\n") } else { format!("{{\"x\":\"{long}\"}}\n") });
        (0..20).for_each(|i| text.push_str(&(audit(i, false) + "\n")));
        alike("fhir-auditevent", text.as_bytes(), block);
    }
}

/// Lines of formats that keep something between records, among them such as change it: the year, the hour that comes twice, a header,
/// the total of a session.
fn lines(format: &'static str) -> impl Strategy<Value = String> {
    let all: &[&str] = match format {
        "http-access" => &[
            "10.0.0.1 - nadia [26/Oct/2025:00:10:00 +0200] \"GET /a HTTP/1.1\" 200 5 \"-\" \"-\"",
            "10.0.0.2 - - [26/Oct/2025:02:10:00 +0200] \"GET /b HTTP/1.1\" 404 -",
            "10.0.0.3 - - [26/Oct/2025:02:10:00] \"GET /c HTTP/1.1\" 200 7 \"-\" \"x\"",
            "10.0.0.3 - - [26/Oct/2025:02:50:00] \"GET /d HTTP/1.1\" 200 7 \"-\" \"x\"",
            "2025/10/26 02:30:00 [error] 7#7: *1 open() failed, client: 10.0.0.4, server: h",
            "no access line",
            "",
        ],
        "cef" => &[
            "<134>Dec 31 23:59:58 relay CEF:0|V|P|1|100|login|3|src=10.0.0.1 suser=nadia act=allow",
            "<134>Jan  1 00:00:01 relay CEF:0|V|P|1|100|login|3|src=10.0.0.1 suser=nadia act=allow",
            "<134>Oct 26 02:10:00 relay CEF:0|V|P|1|100|login|3|src=10.0.0.2 suser=paul",
            "<134>Oct 26 02:50:00 relay CEF:0|V|P|1|100|login|3|src=10.0.0.2 suser=paul",
            "CEF:0|V|P|1|200|read|3|rt=1756684800535 src=10.0.0.3 suser=anna cs1Label=SessionId cs1=e2",
            "CEF:0|V|P|",
            "",
        ],
        "w3c" => &[
            "#Fields: date time c-ip cs-username cs-method cs-uri-stem sc-status",
            "#Fields: date time cs-username c-ip cs-method sc-status cs-uri-stem",
            "2025-10-01 10:00:00 10.0.0.1 nadia GET /a 200",
            "2025-10-01 10:00:01 10.0.0.2 paul GET /b 404",
            "2025-10-01 10:00:02 anna 10.0.0.3 POST 200 /c",
            "2025-10-01",
        ],
        "fortinet-fortigate" => &[
            "date=2025-10-26 time=02:10:00 devname=\"fg\" logid=\"0000000013\" type=\"traffic\" subtype=\"forward\" srcip=10.0.0.1 dstip=10.0.0.9 sessionid=7 action=\"accept\" sentbyte=900 rcvdbyte=90",
            "date=2025-10-26 time=02:50:00 devname=\"fg\" logid=\"0000000020\" type=\"traffic\" subtype=\"forward\" srcip=10.0.0.1 dstip=10.0.0.9 sessionid=7 action=\"accept\" sentbyte=500 rcvdbyte=50 sentdelta=10 rcvddelta=1",
            "eventtime=1756684800535000000 devname=\"fg\" logid=\"0000000013\" type=\"traffic\" subtype=\"forward\" srcip=10.0.0.2 dstip=10.0.0.9 sessionid=8 action=\"accept\" sentbyte=3 rcvdbyte=4",
            "eventtime=1756684800635000000 devname=\"fg\" logid=\"0101039424\" type=\"event\" subtype=\"vpn\" action=\"tunnel-up\" user=\"nadia\" remip=192.0.2.1 tunnelid=5",
            "\"date\",\"time\",\"logid\",\"type\",\"srcip\"",
            "nothing of it",
        ],
        _ => &[
            "<Event xmlns='x'><System><EventID>4624</EventID><TimeCreated SystemTime='2025-10-26T00:10:00Z'/><EventRecordID>1</EventRecordID><Computer>dc</Computer></System><EventData><Data Name='TargetUserName'>nadia</Data></EventData></Event>",
            "<Event xmlns='x'><System><EventID>4625</EventID><TimeCreated SystemTime='2025-10-26T00:11:00Z'/><Computer>dc</Computer></System><EventData><Data Name='TargetUserName'>paul</Data><Data Name='IpAddress'>10.0.0.1</Data></EventData></Event><Event><System>",
            "<Event xmlns='x'><System><EventID>4624</EventID>",
            "<![CDATA[ </Event> ]]>",
            "</Event>",
            "<Events>",
            "  ",
        ],
    };
    let usual = Just(all[if format == "fortinet-fortigate" { 2 } else { 0 }]);
    let steady = prop_oneof![usual, Just(all[if format == "w3c" { 2 } else { 0 }])];
    // Mostly the same line again, so that parts can be decoded side by side.
    let line = prop_oneof![6 => steady, 1 => prop::sample::select(all)];
    (usual, proptest::collection::vec(line, 0..120))
        .prop_map(|(first, rest)| format!("{first}\n{}\n", rest.join("\n")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_lines_before_have_a_say_in_is_read_the_same(text in prop_oneof![
        lines("http-access").prop_map(|t| ("http-access", t)),
        lines("cef").prop_map(|t| ("cef", t)),
        lines("w3c").prop_map(|t| ("w3c", t)),
        lines("fortinet-fortigate").prop_map(|t| ("fortinet-fortigate", t)),
        lines("windows-security").prop_map(|t| ("windows-security", t)),
    ], block in 100usize..3000) {
        alike(text.0, text.1.as_bytes(), block);
    }
}

#[test]
fn files_of_lines_are_decoded_at_once() {
    for (format, line) in [
        (
            "http-access",
            "10.0.0.1 - nadia [26/Sep/2025:00:10:00 +0200] \"GET /a HTTP/1.1\" 200 5 \"-\" \"-\"\n",
        ),
        (
            "cef",
            "<134>Sep  1 00:00:00 relay CEF:0|V|P|1|100|login|3|src=10.0.0.1 suser=nadia act=allow\n",
        ),
        (
            "fortinet-fortigate",
            "date=2025-10-06 time=02:10:00 devname=\"fg\" logid=\"0000000013\" type=\"traffic\" subtype=\"forward\" srcip=10.0.0.1 dstip=10.0.0.9 sessionid=7 action=\"accept\" sentbyte=900\n",
        ),
        (
            "windows-security",
            "<Event xmlns='x'><System><EventID>4624</EventID><TimeCreated SystemTime='2025-10-26T00:10:00Z'/><Computer>dc</Computer></System></Event>\n",
        ),
    ] {
        assert!(alike(format, line.repeat(300).as_bytes(), 1500), "{format}");
    }
}
