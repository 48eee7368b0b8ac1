//! The binary Windows log says what the XML says; the golden file is what the writer writes.
#![allow(clippy::print_stdout, clippy::print_stderr)]
use ampleur_event::{Event, batch::NONE};
use ampleur_sources::{
    Limits, Setting, canonical,
    reader::{Collect, read_bytes},
};
use ampleur_testkit::evtx::{self, Record};
use std::path::Path;

const SECOND: i64 = 1_000_000_000;

/// A morning of one server, made up: a logon, a share, a file, a failure, a policy change, the log cleared.
fn morning() -> Vec<Record> {
    let at = 1_757_811_600 * SECOND;
    let record = |n: i64, event_id: u16, keywords: u64, data: Vec<(&'static str, &str)>| Record {
        event_id,
        record_id: 88_000 + n as u64,
        time: at + n * 13 * SECOND + 1_234_500,
        keywords,
        computer: "FS01.chu.example".into(),
        data: data.into_iter().map(|(k, v)| (k, v.to_string())).collect(),
    };
    const SUCCESS: u64 = 0x8020_0000_0000_0000;
    const FAILURE: u64 = 0x8010_0000_0000_0000;
    vec![
        record(
            0,
            4624,
            SUCCESS,
            vec![
                ("TargetUserSid", "S-1-5-21-1-2-3-1107"),
                ("TargetUserName", "mdupont"),
                ("TargetDomainName", "CHU"),
                ("TargetLogonId", "0x3e7a1"),
                ("LogonType", "3"),
                ("WorkstationName", "PC-ÉTÉ"),
                ("IpAddress", "192.0.2.44"),
                ("IpPort", "50122"),
            ],
        ),
        record(
            1,
            5140,
            SUCCESS,
            vec![
                ("SubjectUserName", "mdupont"),
                ("SubjectDomainName", "CHU"),
                ("SubjectLogonId", "0x3e7a1"),
                ("IpAddress", "192.0.2.44"),
                ("IpPort", "50122"),
                ("ShareName", "\\\\*\\Dentaire"),
                ("ShareLocalPath", "\\??\\D:\\Dentaire"),
            ],
        ),
        record(
            2,
            4663,
            SUCCESS,
            vec![
                ("SubjectUserName", "mdupont"),
                ("SubjectDomainName", "CHU"),
                ("SubjectLogonId", "0x3e7a1"),
                ("ObjectType", "File"),
                ("ObjectName", "D:\\Dentaire\\a & b <7001>.pdf"),
                ("AccessMask", "0x1"),
            ],
        ),
        record(
            3,
            4625,
            FAILURE,
            vec![
                ("TargetUserName", "svc-lis"),
                ("TargetDomainName", "CHU"),
                ("Status", "0xc000006d"),
                ("LogonType", "3"),
                ("IpAddress", "198.51.100.7"),
            ],
        ),
        record(
            4,
            4624,
            SUCCESS,
            vec![
                ("TargetUserSid", "S-1-5-21-1-2-3-1108"),
                ("TargetUserName", "jmartin"),
                ("TargetDomainName", "CHU"),
                ("TargetLogonId", "0x3e7b2"),
                ("LogonType", "10"),
                ("WorkstationName", "TS01"),
                ("IpAddress", "192.0.2.45"),
                ("IpPort", "0"),
            ],
        ),
    ]
}

/// What a source makes of bytes: each event without its place in the file, and how many records were refused.
fn read(bytes: &[u8]) -> (Vec<String>, u64) {
    let mut all = Collect::default();
    let report = read_bytes(
        bytes,
        0,
        None,
        &Setting::default(),
        &Limits::default(),
        &mut all,
    )
    .expect("readable");
    assert_eq!(report.format, "windows-security");
    assert_eq!(
        report.records,
        report.events + report.rejects + report.skipped
    );
    let events = all.events.iter().map(|e: &Event<'_>| {
        assert_ne!(e.code, NONE);
        let mut m = canonical(report.format, e);
        m.remove("record");
        serde_json::Value::Object(m).to_string()
    });
    (events.collect(), report.rejects)
}

#[test]
fn binary_and_xml_say_the_same() {
    let records = morning();
    let xml: String = records.iter().map(|r| evtx::xml(r) + "\n").collect();
    let (binary, refused) = read(&evtx::file(&records));
    assert_eq!(refused, 0);
    assert_eq!(binary.len(), records.len());
    assert_eq!(binary, read(xml.as_bytes()).0);
}

#[test]
fn many_records_fill_many_chunks_and_none_is_lost() {
    let pattern = morning();
    let records: Vec<Record> = (0..4_000)
        .map(|i| Record {
            record_id: 1 + i as u64,
            ..pattern[i % pattern.len()].clone()
        })
        .collect();
    let bytes = evtx::file(&records);
    assert!(bytes.len() > 4_096 + 8 * 65_536);
    let (events, refused) = read(&bytes);
    assert_eq!((events.len(), refused), (records.len(), 0));
    // Cut in the middle of a chunk: what stands before is read, the rest is counted.
    let (events, refused) = read(&bytes[..bytes.len() - 100_000]);
    assert!(events.len() < records.len() && refused > 0);
}

#[test]
fn the_golden_file_is_what_is_written() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/sources/windows-security/evtx/input.evtx");
    let bytes = evtx::file(&morning());
    if std::env::var_os("AMPLEUR_BLESS").is_some() {
        std::fs::write(&path, &bytes).expect("write");
    }
    let golden = std::fs::read(&path).expect("the golden file");
    assert!(
        golden == bytes,
        "input.evtx differs from what the writer writes; AMPLEUR_BLESS=1 rewrites it"
    );
}
