//! Shared by the tests of the doors: made-up rows, the same rows in a lake and in memory.
#![allow(dead_code)]
use ampleur_event::{Event, EventBatch, System, Verb, Window};
use ampleur_evidence::{Cut, Keys, Lake, SegmentMeta};
use ampleur_query::{Door, FileId, MemoryDoor, Select};
use proptest::prelude::*;
use std::path::Path;

pub fn keys() -> Keys {
    let mut n = 7u8;
    Keys::generate(&mut |b| {
        for x in b {
            n = n.wrapping_mul(181).wrapping_add(59);
            *x = n;
        }
    })
    .0
}

const T0: i64 = 1_700_000_000_000_000_000;

/// A value out of a small alphabet, so that selections hit; sometimes absent, sometimes odd.
fn word(of: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(of).prop_map(str::to_string)
}

const USERS: &[&str] = &["", "mdupont", "MDUPONT", "-", "810101234567", "editeur-lis"];
const IPS: &[&str] = &["", "10.0.0.1", "10.0.0.2", "203.0.113.7"];
const FORWARDED: &[&str] = &[
    "",
    "10.0.0.1",
    " 10.0.0.2",
    "203.0.113.7, 10.0.0.1",
    "10.0.0.2,",
];
const SUBJECTS: &[&str] = &[
    "",
    "urn:oid:1.2|1",
    "urn:oid:1.2|1\nurn:oid:1.2|2",
    "Patient/3",
    "\nPatient/3\n",
];
const SESSIONS: &[&str] = &["", "s1", "s2", "0x3e7"];

prop_compose! {
    pub fn event()(
        time in prop_oneof![
            Just(i64::MIN), Just(i64::MIN + 1), Just(i64::MAX), Just(T0),
            (0..1000i64).prop_map(|s| T0 + s * 1_000_000_000)
        ],
        verb in 0..Verb::ALL.len(),
        system in 0..System::ALL.len(),
        user in word(USERS),
        domain in word(&["", "CHU", "-"]),
        src_ip in word(IPS),
        inner_ip in word(IPS),
        forwarded in word(FORWARDED),
        session_id in word(SESSIONS),
        subjects in word(SUBJECTS),
        url in word(&["", "/fhir/Patient?family=MART", "é\u{1f}ü"]),
        numbers in prop::array::uniform3(prop_oneof![Just(u64::MAX), Just(0), 0..100_000u64]),
    ) -> Event<'static> {
        Event {
            time, verb: Verb::ALL[verb], system: System::ALL[system],
            user: user.into(), domain: domain.into(), src_ip: src_ip.into(), inner_ip: inner_ip.into(),
            forwarded: forwarded.into(), session_id: session_id.into(), subjects: subjects.into(), url: url.into(),
            bytes_in: numbers[0], status: numbers[1], code: numbers[2],
            ..Event::default()
        }
    }
}

prop_compose! {
    pub fn select()(
        files in prop::collection::vec(0..4u32, 0..3),
        accounts in prop::collection::vec(word(&["ad:chu\\mdupont", "rpps:10101234567", "vpn:editeur-lis", "web:mdupont", ""]), 0..3),
        session_ids in prop::collection::vec(word(SESSIONS), 0..2),
        addresses in prop::collection::vec(word(IPS), 0..2),
        subjects in prop::collection::vec(word(&["urn:oid:1.2|1", "urn:oid:1.2|2", "Patient/3", "Patient/4"]), 0..2),
        verbs in prop::collection::vec(0..Verb::ALL.len(), 0..8),
        window in prop_oneof![
            3 => Just(Window::ALL),
            2 => (0..1000i64, 0..1000i64).prop_map(|(a, b)| Window::new(T0 + a * 1_000_000_000, T0 + (a + b) * 1_000_000_000)),
            1 => Just(Window::new(i64::MIN, i64::MAX)),
        ],
        // Few conditions at a time, or nothing would ever match.
        which in prop::collection::vec(any::<bool>(), 6),
    ) -> Select {
        let keep = |i: usize, v: Vec<String>| if which[i] { v } else { vec![] };
        Select {
            files: if which[0] { files } else { vec![] },
            accounts: keep(1, accounts), session_ids: keep(2, session_ids), addresses: keep(3, addresses), subjects: keep(4, subjects),
            verbs: if which[5] { verbs.into_iter().map(|i| Verb::ALL[i]).collect() } else { vec![] },
            window,
        }
    }
}

pub fn files() -> impl Strategy<Value = Vec<Vec<Event<'static>>>> {
    prop::collection::vec(prop::collection::vec(event(), 0..40), 1..4)
}

/// The same rows in memory and, in two parts per file, in a lake.
pub fn store(
    dir: &Path,
    keys: &Keys,
    files: &[Vec<Event<'static>>],
) -> (MemoryDoor, Lake, Vec<(FileId, String)>) {
    let mut memory = MemoryDoor::default();
    let mut lake = Lake::create(dir, keys, T0).unwrap();
    let mut table = vec![];
    let mut salt = [0u8; 32];
    let mut sealed = vec![];
    for (f, events) in files.iter().enumerate() {
        let rel = format!("logs/{f}.log");
        let middle = events.len() / 2;
        let (mut record, mut start) = (0, 0);
        for (part, half) in [&events[..middle], &events[middle..]]
            .into_iter()
            .enumerate()
        {
            salt[0] = f as u8;
            salt[1] = part as u8;
            let meta = SegmentMeta {
                file: rel.clone(),
                format: "made-up".into(),
                part: part as u32,
                start,
                at: T0,
            };
            let mut w = lake.begin(meta, salt).unwrap();
            let mut batch = EventBatch::default();
            for e in half {
                record += 1;
                w.raw(b"x\n", Cut::Lines).unwrap();
                let e = Event {
                    record,
                    offset: start,
                    len: 2,
                    ..e.clone()
                };
                start += 2;
                batch.push(&e);
            }
            w.events(&batch).unwrap();
            memory.batches.push((f as FileId, batch));
            sealed.push(w.finish(0, 0).unwrap());
            if half.is_empty() && part == 0 && events.is_empty() {
                break;
            }
        }
        table.push((f as FileId, rel));
    }
    lake.commit(sealed, vec![], T0).unwrap();
    (memory, lake, table)
}

/// Everything a door gives, row by row, in its order.
pub fn answer(door: &dyn Door, select: &Select) -> Vec<(FileId, Event<'static>)> {
    let mut out = vec![];
    door.scan(select, &mut |file, batch| {
        assert!(!batch.is_empty());
        out.extend(batch.iter().map(|e| (file, e.into_owned())));
    })
    .unwrap();
    out
}
