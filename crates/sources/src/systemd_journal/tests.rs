use super::*;
use crate::reader::{self, Collect, Limits};
use ampleur_event::Verb;
use proptest::prelude::*;

const PACKED: &str = "Accepted password for packed from 203.0.113.9 port 50012 ssh2";
/// `MESSAGE=` and [`PACKED`] by `xz --check=none`: the header of the decoder is all that is ours.
#[rustfmt::skip]
const PACKED_XZ: &[u8] = &[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x00, 0xff, 0x12, 0xd9, 0x41, 0x02, 0x00, 0x21, 0x01, 0x16, 0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3, 0x01, 0x00, 0x44, 0x4d, 0x45, 0x53, 0x53, 0x41, 0x47, 0x45, 0x3d, 0x41, 0x63, 0x63, 0x65, 0x70, 0x74, 0x65, 0x64, 0x20, 0x70, 0x61, 0x73, 0x73, 0x77, 0x6f, 0x72, 0x64, 0x20, 0x66, 0x6f, 0x72, 0x20, 0x70, 0x61, 0x63, 0x6b, 0x65, 0x64, 0x20, 0x66, 0x72, 0x6f, 0x6d, 0x20, 0x32, 0x30, 0x33, 0x2e, 0x30, 0x2e, 0x31, 0x31, 0x33, 0x2e, 0x39, 0x20, 0x70, 0x6f, 0x72, 0x74, 0x20, 0x35, 0x30, 0x30, 0x31, 0x32, 0x20, 0x73, 0x73, 0x68, 0x32, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x55, 0x45, 0x25, 0xa9, 0xfc, 0xe1, 0x06, 0x72, 0x9e, 0x7a, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x59, 0x5a];

/// A value as it is stored.
#[derive(Clone, PartialEq)]
struct Stored {
    flags: u8,
    bytes: Vec<u8>,
}

fn plain(field: &str, text: &str) -> Stored {
    Stored {
        flags: 0,
        bytes: format!("{field}={text}").into_bytes(),
    }
}

fn packed(flags: u8) -> Stored {
    let whole = format!("MESSAGE={PACKED}");
    let bytes = match flags {
        XZ => PACKED_XZ.to_vec(),
        LZ4 => {
            // One run of literals: 15 in the token, the rest behind it.
            let mut block = (whole.len() as u64).to_le_bytes().to_vec();
            block.extend([0xf0, whole.len() as u8 - 15]);
            block.extend(whole.as_bytes());
            block
        }
        ZSTD => zstd::bulk::compress(whole.as_bytes(), 1).expect("packed"),
        _ => whole.into_bytes(),
    };
    Stored { flags, bytes }
}

/// A journal of these entries, one a second, as the daemon lays it out: tables first, a value before the first entry that has it,
/// unwritten space at the end. Where each entry's object begins, too.
fn journal(compact: bool, entries: &[Vec<Stored>]) -> (Vec<u8>, Vec<usize>) {
    let mut file = SIGNATURE.to_vec();
    file.extend(0u32.to_le_bytes());
    file.extend((if compact { COMPACT | 12 } else { 12 }).to_le_bytes());
    file.resize(88, 0);
    file.extend(256u64.to_le_bytes());
    file.resize(256, 0);
    let object = |file: &mut Vec<u8>, kind: u8, flags: u8, body: &[u8]| {
        let at = file.len();
        file.extend([kind, flags, 0, 0, 0, 0, 0, 0]);
        file.extend((16 + body.len() as u64).to_le_bytes());
        file.extend(body);
        file.resize(file.len().next_multiple_of(8), 0);
        at
    };
    object(&mut file, 4, 0, &[7; 4000]);
    object(&mut file, 5, 0, &[0; 800]);
    let mut known: Vec<(Stored, usize)> = vec![];
    let mut places = vec![];
    for (i, entry) in entries.iter().enumerate() {
        let mut items = vec![];
        for value in entry {
            let at = match known.iter().find(|k| k.0 == *value) {
                Some(k) => k.1,
                None => {
                    let mut body = vec![3; if compact { 56 } else { 48 }];
                    body.extend(&value.bytes);
                    let at = object(&mut file, DATA, value.flags, &body);
                    object(&mut file, 2, 0, &[1; 30]);
                    known.push((value.clone(), at));
                    at
                }
            };
            match compact {
                true => items.extend((at as u32).to_le_bytes()),
                false => items.extend([(at as u64).to_le_bytes(), [9; 8]].concat()),
            }
        }
        let mut body = (i as u64 + 1).to_le_bytes().to_vec();
        body.extend((1_757_811_636_000_000 + i as u64 * 1_000_000).to_le_bytes());
        body.extend([5; 32]);
        body.extend(items);
        places.push(object(&mut file, ENTRY, 0, &body));
        object(&mut file, 6, 0, &[0; 40]);
    }
    file.resize(file.len() + 4096, 0);
    (file, places)
}

fn said(program: &str, text: &str) -> Vec<Stored> {
    vec![
        plain("_BOOT_ID", "6a2e"),
        plain("_HOSTNAME", "srv2"),
        plain("SYSLOG_IDENTIFIER", program),
        plain("_PID", "71"),
        plain("MESSAGE", text),
    ]
}

fn login(user: &str) -> Vec<Stored> {
    said(
        "sshd",
        &format!("Accepted publickey for {user} from 203.0.113.8 port 50011 ssh2: RSA SHA256:abc"),
    )
}

fn read(bytes: &[u8], block: usize) -> (Collect, reader::FileReport) {
    let mut all = Collect::default();
    let limits = Limits {
        block_bytes: block,
        ..Limits::default()
    };
    let report = reader::read_bytes(bytes, 0, None, &Setting::default(), &limits, &mut all);
    let report = report.expect("read");
    assert_eq!(
        report.records,
        report.events + report.rejects + report.skipped
    );
    (all, report)
}

#[test]
fn entries_are_read_by_whoever_knows_their_program() {
    let access =
        r#"192.0.2.9 - marie [14/Sep/2025:01:00:36 +0000] "GET /p HTTP/1.1" 200 51 "-" "curl/8""#;
    for compact in [false, true] {
        let mut all = vec![
            said("kernel", "usb 1-1: new device"),
            login("adurand"),
            said("dpi-front", access),
            said("dpi-app", "Exception\n  at first\n  at second"),
            login("adurand"),
        ];
        for flags in [0, XZ, LZ4, ZSTD] {
            let mut entry = said("sshd", "");
            entry[4] = packed(flags);
            all.push(entry);
        }
        let (file, places) = journal(compact, &all);
        for block in [1 << 20, 300, 7] {
            let (found, report) = read(&file, block);
            assert_eq!(report.format, "systemd-journal");
            let users: Vec<&str> = found.events.iter().map(|e| &*e.user).collect();
            let expected = [
                "", "adurand", "marie", "", "adurand", "packed", "packed", "packed", "packed",
            ];
            assert_eq!(users, expected, "{compact} {block}");
            assert_eq!((report.rejects, report.skipped), (0, 0));
            let e = &found.events[1];
            assert_eq!(
                (e.verb, &*e.src_ip, &*e.host),
                (Verb::Login, "203.0.113.8", "srv2")
            );
            assert_eq!(e.time, 1_757_811_637_000_000_000);
            assert_eq!(found.events[3].verb, Verb::Other);
            assert_eq!(
                (&*found.events[3].process, found.events[3].pid),
                ("dpi-app", 71)
            );
            // Each record ends with its entry, and begins where the one before ended.
            for (e, place) in found.events.iter().zip(&places) {
                let (from, to) = (e.offset as usize, (e.offset + e.len) as usize);
                assert!(from <= *place && *place < to);
                assert!(file[to..].len() > 4000 && from < to);
            }
        }
    }
}

/// What `journalctl` gives: fields in lines, texts that are none behind their length; objects in lines.
#[test]
fn exports_say_what_the_files_say() {
    let entries = [
        ("kernel", "usb 1-1: new device"),
        (
            "sshd",
            "Accepted publickey for adurand from 203.0.113.8 port 50011 ssh2: RSA SHA256:abc",
        ),
        ("dpi-app", "Exception\n\n  at first\n"),
        (
            "sshd",
            "Failed password for paul from 198.51.100.7 port 40022 ssh2",
        ),
    ];
    let (mut export, mut json) = (vec![], String::new());
    for (i, (program, text)) in entries.into_iter().enumerate() {
        let time = (1_757_811_636_000_000u64 + i as u64).to_string();
        export.extend(format!("__CURSOR=s=1;i={i}\n__REALTIME_TIMESTAMP={time}\n").bytes());
        export.extend(format!("_HOSTNAME=srv2\n_PID=71\nSYSLOG_IDENTIFIER={program}\n").bytes());
        match text.contains('\n') {
            true => {
                export.extend(b"MESSAGE\n");
                export.extend((text.len() as u64).to_le_bytes());
            }
            false => export.extend(b"MESSAGE="),
        }
        export.extend(text.bytes().chain(*b"\n\n"));
        let text = match i {
            0 => serde_json::json!(text.as_bytes()),
            1 => serde_json::json!([text, "again"]),
            _ => serde_json::json!(text),
        };
        let object = serde_json::json!({
            "__REALTIME_TIMESTAMP": time, "_HOSTNAME": "srv2", "_PID": "71", "SYSLOG_IDENTIFIER": program, "MESSAGE": text,
        });
        json += &format!("{object}\n");
    }
    for (text, all) in [(export.as_slice(), 4), (json.as_bytes(), 4)] {
        for block in [1 << 20, 5] {
            let (found, report) = read(text, block);
            assert_eq!((report.events, report.rejects, report.skipped), (all, 0, 0));
            let users: Vec<&str> = found.events.iter().map(|e| &*e.user).collect();
            assert_eq!(users, ["", "adurand", "", "paul"]);
            assert_eq!(found.events[3].time, 1_757_811_636_000_003_000);
            assert!(found.events.iter().all(|e| e.host == "srv2"));
        }
    }
    // Cut in a field, in a value behind its length; damaged there.
    let (found, report) = read(&export[..export.len() - 20], 1 << 20);
    assert_eq!((found.events.len(), report.rejects), (3, 1));
    let at = memchr::memmem::find(&export, b"MESSAGE\n").expect("a length") + 8;
    assert_eq!(read(&export[..at + 4], 1 << 20).1.rejects, 1);
    for more in [1, 3] {
        let mut hurt = export.clone();
        hurt[at] += more;
        let (found, report) = read(&hurt, 1 << 20);
        assert_eq!(found.events.last().map(|e| &*e.user), Some("paul"));
        // One more is the empty line behind the entry: nothing is lost.
        assert_eq!(
            (report.events == 4, report.rejects > 0),
            (more == 1, more > 1)
        );
    }
}

/// A machine that starts says much before anybody comes.
#[test]
fn who_comes_late_is_seen() {
    let line = |program: &str, text: &str| {
        format!(
            "{{\"__REALTIME_TIMESTAMP\":\"1757811636000000\",\"SYSLOG_IDENTIFIER\":\"{program}\",\"MESSAGE\":\"{text}\"}}\n"
        )
    };
    let boot = line("dpi-app", &format!("device {}", "x".repeat(200))).repeat(6000);
    let late = line(
        "sshd",
        "Accepted password for late from 203.0.113.8 port 50011 ssh2",
    );
    let (found, report) = read((boot + &late).as_bytes(), 1 << 20);
    assert_eq!((report.format, report.rejects), ("systemd-journal", 0));
    assert_eq!(found.events.last().map(|e| &*e.user), Some("late"));
}

/// Nine entries brought into a file by `systemd-journal-remote` 252: tables of their real size, one text packed.
#[test]
fn a_file_written_by_systemd_is_read() {
    let packed =
        include_bytes!("../../../../testdata/sources/systemd-journal/written-by-systemd.zst");
    let file = zstd::decode_all(packed.as_slice()).expect("unpacked");
    let (found, report) = read(&file, 1 << 20);
    let counts = (report.records, report.events, report.rejects);
    assert_eq!((report.format, counts), ("systemd-journal", (9, 9, 0)));
    let told: Vec<(Verb, &str)> = (found.events.iter()).map(|e| (e.verb, &*e.user)).collect();
    let expected = [
        (Verb::Login, "adurand"),
        (Verb::Other, ""),
        (Verb::Login, "oracle"),
        (Verb::Login, "adurand"),
    ];
    assert_eq!([told[0], told[3], told[6], told[7]], expected);
    assert_eq!((told[4].1, told[2].1), ("marie", "adurand"));
    assert_eq!(found.events[8].time, 1_757_811_692_123_456_000);
}

#[test]
fn what_is_cut_or_damaged_is_told_and_the_rest_is_read() {
    let all: Vec<_> = ["a", "b", "c", "d"].map(login).to_vec();
    let (file, places) = journal(false, &all);
    let users = |bytes: &[u8]| {
        let (found, report) = read(bytes, 1 << 20);
        let users: Vec<String> = found.events.iter().map(|e| e.user.to_string()).collect();
        (users.join(" "), report.rejects)
    };
    assert_eq!(users(&file), ("a b c d".into(), 0));
    // In the last entry, in a value, in the header.
    assert_eq!(users(&file[..places[3] + 40]), ("a b c".into(), 1));
    assert_eq!(users(&file[..places[2] + 150]).0, "a b c");
    assert_eq!(users(&file[..100]), (String::new(), 1));
    // The object of an entry overwritten: one place that cannot be read.
    let mut hurt = file.clone();
    hurt[places[1]..places[1] + 96].fill(0xEE);
    assert_eq!(users(&hurt), ("a c d".into(), 1));
    // A length that leads nowhere is no reason to stop.
    let mut hurt = file.clone();
    hurt[places[1] + 8..places[1] + 16].fill(0xFF);
    assert_eq!(users(&hurt).0, "a c d");
    assert!(users(&hurt).1 >= 1);
}

#[test]
fn what_a_length_leads_past_is_told() {
    let (mut file, _) = journal(false, &["a", "b", "c"].map(login));
    file[152..160].copy_from_slice(&3u64.to_le_bytes());
    assert_eq!(read(&file, 1 << 20).1.rejects, 0);
    // The object behind the first entry: over the second one, over the end.
    let second = memchr::memmem::find(&file, b"MESSAGE=Accepted publickey for b").expect("b");
    let object = second - 64;
    for (size, users) in [(1200, "a"), (1 << 30, "a")] {
        let mut hurt = file.clone();
        hurt[object] = 7;
        hurt[object + 8..object + 16].copy_from_slice(&(size as u64).to_le_bytes());
        let (found, report) = read(&hurt, 300);
        assert_eq!(found.events.first().map(|e| &*e.user), Some(users));
        assert!(found.events.len() < 3 && report.rejects == 1, "{size}");
    }
    // Cut in the tables, before any entry.
    assert_eq!(read(&file[..3000], 1 << 20).1.rejects, 1);
}

#[test]
fn a_text_that_cannot_be_had_is_a_reject() {
    let mut entries = vec![login("a"), login("b"), login("c")];
    entries[1][4].bytes = [b"MESSAGE=".as_slice(), &vec![b'x'; VALUE]].concat();
    entries[2][4] = Stored {
        flags: LZ4,
        bytes: vec![0xFF; 40],
    };
    let (file, _) = journal(true, &entries);
    let (found, report) = read(&file, 1 << 20);
    assert_eq!((report.events, report.rejects), (1, 2));
    assert_eq!(found.rejects[0].reason, Reason::Field("MESSAGE"));
}

proptest! {
    #[test]
    fn anything_behind_the_signature_is_counted_whole(
        bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        places in proptest::collection::vec(0usize..6000, 0..6),
        block in 1usize..400,
    ) {
        let (mut file, _) = journal(bytes.len() % 2 == 0, &["a", "b", "c"].map(login));
        for (i, place) in places.into_iter().enumerate() {
            let place = place.min(file.len());
            let part = bytes.len() * i / 6;
            file.splice(place..place, bytes[part..].iter().take(24).copied());
        }
        read(&file, block);
        let only = [SIGNATURE.as_slice(), &bytes].concat();
        let mut out = Decoded::default();
        let head = Head { bytes: &only, whole: true };
        let mut decoder = SystemdJournal.open(&head, &Setting::default());
        prop_assert_eq!(decoder.decode(&only, true, &mut out), only.len());
        prop_assert!(out.balanced());
    }
}
