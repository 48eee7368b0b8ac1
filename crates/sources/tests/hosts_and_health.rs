//! Agreement with public samples, equality under any cutting, and survival of damaged bytes, for the sources
//! windows-security, fhir-auditevent, dicom-audit, postgresql and zeek.
#![allow(clippy::print_stdout, clippy::print_stderr)]
use ampleur_event::Event;
use ampleur_sources::{Decoded, Head, Setting, by_name};
use std::path::{Path, PathBuf};

fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared")
}

const FORMATS: &[(&str, &[&str])] = &[
    (
        "windows-security",
        &[
            "windows_evtx",
            "windows_event_xml",
            "windows_nxlog",
            "windows_nxlog_otrf",
            "windows_winlogbeat",
            "windows_azure_diag",
        ],
    ),
    ("fhir-auditevent", &["fhir_auditevent"]),
    ("dicom-audit", &["dicom_atna_audit"]),
    ("postgresql", &["postgresql", "postgresql_pgaudit"]),
    ("zeek", &["zeek"]),
];

/// Decodes `bytes`, fed as pieces that end at the given offsets.
fn decode(source: &str, bytes: &[u8], cuts: &[usize], setting: &Setting) -> Option<Decoded> {
    let source = by_name(source)?;
    let head = Head {
        bytes: &bytes[..bytes.len().min(65_536)],
        whole: bytes.len() <= 65_536,
    };
    let mut decoder = source.open(&head, setting);
    let mut out = Decoded::default();
    let mut taken = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let last = end == bytes.len();
        out.base = taken as u64;
        taken += decoder.decode(&bytes[taken..end], last, &mut out);
        assert!(taken <= end, "a decoder took more than it was given");
        if last {
            break;
        }
    }
    assert_eq!(taken, bytes.len(), "a decoder left bytes behind");
    decoder.finish(&mut out);
    assert!(out.balanced(), "records = events + rejects + skipped");
    Some(out)
}

fn whole(source: &str, bytes: &[u8]) -> Option<Decoded> {
    decode(source, bytes, &[], &Setting::default())
}

/// Every sample file of one format: path and bytes; `.multiline.jsonl` gives one file per line.
fn samples(folder: &str) -> Vec<(PathBuf, Vec<Vec<u8>>)> {
    let mut found = Vec::new();
    let Ok(dir) = std::fs::read_dir(shared().join("corpora").join(folder)) else {
        return found;
    };
    let mut paths: Vec<_> = dir.filter_map(|e| e.ok().map(|e| e.path())).collect();
    paths.sort();
    for p in paths {
        let name = p
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        if name.contains(".expected.") || name.ends_with(".tsv") || name.ends_with(".zip") {
            continue;
        }
        let bytes = std::fs::read(&p).expect("read a sample");
        let files = if name.ends_with(".multiline.jsonl") {
            String::from_utf8_lossy(&bytes)
                .lines()
                .filter_map(|l| {
                    let v: serde_json::Value = serde_json::from_str(l).ok()?;
                    Some(v["raw"].as_str()?.as_bytes().to_vec())
                })
                .collect()
        } else {
            vec![bytes]
        };
        found.push((p, files));
    }
    found
}

/// The event's value under a key of the expectations.
fn value(e: &Event<'_>, key: &str) -> String {
    let n = |v: u64| {
        if v == u64::MAX {
            String::new()
        } else {
            v.to_string()
        }
    };
    match key {
        "timestamp" => ampleur_event::time::rfc3339_full(e.time),
        "outcome" => e.outcome.word().into(),
        "src_port" => n(e.src_port),
        "dst_port" => n(e.dst_port),
        "bytes_in" => n(e.bytes_in),
        "bytes_out" => n(e.bytes_out),
        "status" => n(e.status),
        _ => e
            .texts()
            .iter()
            .find(|(k, _)| *k == key)
            .map(|(_, v)| (*v).to_string())
            .unwrap_or_default(),
    }
}

fn agrees(e: &Event<'_>, key: &str, theirs: &str, ours: &str) -> bool {
    match key {
        "timestamp" => {
            let t = |s: &str| {
                let s = if s.ends_with('Z') || s.len() > 19 && s[19..].contains(['+', '-']) {
                    s.to_string()
                } else {
                    format!("{s}Z")
                };
                s.parse::<jiff::Timestamp>()
                    .ok()
                    .map(|t| t.as_millisecond())
            };
            matches!((t(theirs), t(ours)), (Some(a), Some(b)) if (a - b).abs() <= 1)
        }
        "src_ip" | "dst_ip" => {
            let a = |s: &str| {
                let ip: Option<std::net::IpAddr> = s.split('%').next()?.parse().ok();
                ip.map(|i| i.to_canonical())
            };
            ours == theirs || (a(ours).is_some() && a(ours) == a(theirs))
        }
        "host" => ours.eq_ignore_ascii_case(theirs),
        // The audits name the patient; the row keeps patients in `subjects`, with the authority in its canonical form.
        "object" if !e.subjects.is_empty() => {
            let id = theirs.split("^^^").next().unwrap_or(theirs);
            let id = id.rsplit('|').next().unwrap_or(id);
            ours == theirs
                || e.subject_list()
                    .any(|s| s == theirs || s.rsplit('|').next() == Some(id))
        }
        _ => ours == theirs,
    }
}

#[test]
fn public_samples_agree() {
    if !shared().join("corpora").is_dir() {
        eprintln!("SKIPPED: no corpora beside the repository");
        return;
    }
    let mut dump = String::new();
    for (source, folders) in FORMATS {
        if by_name(source).is_none() {
            continue;
        }
        let (mut present, mut agreed) = (0u64, 0u64);
        for folder in *folders {
            for (path, files) in samples(folder) {
                let rel = format!(
                    "{folder}/{}",
                    path.file_name().expect("a name").to_string_lossy()
                );
                let decoded: Vec<Decoded> = files.iter().filter_map(|f| whole(source, f)).collect();
                let name = path.to_string_lossy().into_owned();
                let expected = ["jsonl", "log", "xml.log", "evtx"]
                    .iter()
                    .filter_map(|ext| {
                        let stem = name.strip_suffix(&format!(".{ext}"))?;
                        let direct = PathBuf::from(format!("{name}.expected.jsonl"));
                        let beside = PathBuf::from(format!("{stem}.expected.jsonl"));
                        [direct, beside].into_iter().find(|p| p.is_file())
                    })
                    .next();
                let many = files.len() > 1 || name.ends_with(".multiline.jsonl");
                let sums = decoded.iter().fold((0, 0, 0, 0), |a, d| {
                    (
                        a.0 + d.records,
                        a.1 + d.event_count,
                        a.2 + d.reject_count,
                        a.3 + d.skipped,
                    )
                });
                println!(
                    "{rel}: records {} events {} rejects {} skipped {}",
                    sums.0, sums.1, sums.2, sums.3
                );
                for d in &decoded {
                    for r in d.rejects.iter().take(3) {
                        println!(
                            "   reject {} at {}: {} {:?}",
                            r.record,
                            r.offset,
                            r.reason,
                            r.readable.chars().take(90).collect::<String>()
                        );
                    }
                }
                let Some(expected) = expected else { continue };
                let (mut p, mut a) = (0u64, 0u64);
                for line in std::fs::read_to_string(expected)
                    .expect("read expectations")
                    .lines()
                {
                    let v: serde_json::Value = serde_json::from_str(line).expect("an expectation");
                    let no = v["raw_line_no"].as_u64().expect("a line number");
                    let e = if many {
                        decoded
                            .get(no as usize - 1)
                            .and_then(|d| (!d.events.is_empty()).then(|| d.events.get(0)))
                    } else {
                        decoded[0].events.iter().find(|e| e.record == no)
                    };
                    for (key, want) in v.as_object().expect("an object") {
                        if key == "raw_line_no" {
                            continue;
                        }
                        let theirs = want
                            .as_str()
                            .map_or_else(|| want.to_string(), str::to_string);
                        let ours = e
                            .as_ref()
                            .map_or("<no event>".to_string(), |e| value(e, key));
                        p += 1;
                        if e.as_ref().is_some_and(|e| agrees(e, key, &theirs, &ours)) {
                            a += 1;
                        } else {
                            dump += &format!(
                                "{rel}\t{no}\t{key}\t{}\t{}\n",
                                ours.replace(['\t', '\n'], " "),
                                theirs.replace(['\t', '\n'], " ")
                            );
                        }
                    }
                }
                println!("   {a} of {p} fields agree");
                present += p;
                agreed += a;
            }
        }
        println!("== {source}: {agreed} of {present} fields agree");
        assert!(
            agreed * 100 >= present * 99,
            "{source}: {agreed} of {present} fields agree"
        );
    }
    if let Some(path) = std::env::var_os("AMPLEUR_DISAGREEMENTS") {
        std::fs::write(path, dump).expect("write disagreements");
    }
}

/// A generator of pseudo-random numbers (splitmix64), so that a failing case repeats from its seed.
struct Dice(u64);
impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.roll() % n.max(1) as u64) as usize
    }
}

/// Samples that ship with the project, then those beside it, cut to a size that keeps the test short.
fn seeds(source: &str, folders: &[&str]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let own = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/sources")
        .join(source);
    let mut inputs = Vec::new();
    if let Ok(dir) = std::fs::read_dir(own) {
        for case in dir.filter_map(Result::ok) {
            if let Ok(files) = std::fs::read_dir(case.path()) {
                inputs.extend(
                    files
                        .filter_map(|f| f.ok().map(|f| f.path()))
                        .filter(|p| p.file_stem().is_some_and(|s| s == "input")),
                );
            }
        }
    }
    inputs.sort();
    for p in inputs {
        all.push(std::fs::read(p).expect("read a sample"));
    }
    for folder in folders {
        for (_, files) in samples(folder) {
            for f in files {
                let binary = f.starts_with(b"ElfFile\0");
                if binary && f.len() > 80_000 {
                    continue;
                }
                let mut f = f;
                f.truncate(if binary { 80_000 } else { 12_000 });
                all.push(f);
            }
        }
    }
    all
}

/// What differs first, for a failure's message.
fn difference(a: &Decoded, b: &Decoded) -> String {
    let count = |d: &Decoded| (d.records, d.event_count, d.reject_count, d.skipped);
    let event = (0..a.events.len().min(b.events.len()))
        .find(|i| a.events.get(*i) != b.events.get(*i))
        .map(|i| format!("{:?}\nagainst\n{:?}", a.events.get(i), b.events.get(i)));
    let reject = a
        .rejects
        .iter()
        .zip(&b.rejects)
        .find(|(x, y)| x != y)
        .map(|(x, y)| format!("{x:?}\nagainst\n{y:?}"));
    format!(
        "counts {:?} against {:?}\n{event:?}\n{reject:?}",
        count(a),
        count(b)
    )
}

fn same(a: &Decoded, b: &Decoded) -> bool {
    a.events == b.events
        && a.rejects == b.rejects
        && (a.records, a.event_count, a.reject_count, a.skipped)
            == (b.records, b.event_count, b.reject_count, b.skipped)
}

#[test]
fn pieces_of_any_size_give_the_same_rows() {
    let mut dice = Dice(7);
    for (source, folders) in FORMATS {
        for (n, bytes) in seeds(source, folders).iter().enumerate() {
            let whole = whole(source, bytes).expect("a known source");
            for size in [1, 7, 64, 1000, 4096] {
                if bytes.len() / size > 3000 {
                    continue;
                }
                let cuts: Vec<usize> = (1..bytes.len()).step_by(size).collect();
                let cut = decode(source, bytes, &cuts, &Setting::default()).expect("a source");
                assert!(
                    same(&whole, &cut),
                    "{source} sample {n} in pieces of {size}: {}",
                    difference(&whole, &cut)
                );
            }
            for _ in 0..3 {
                let mut cuts: Vec<usize> =
                    (0..10).map(|_| dice.below(bytes.len().max(1))).collect();
                cuts.sort_unstable();
                let cut = decode(source, bytes, &cuts, &Setting::default()).expect("a source");
                assert!(
                    same(&whole, &cut),
                    "{source} sample {n} cut at {cuts:?}: {}",
                    difference(&whole, &cut)
                );
            }
        }
    }
}

#[test]
fn damaged_bytes_are_counted_and_never_panic() {
    let rounds: u64 = std::env::var("AMPLEUR_FUZZ_ROUNDS")
        .ok()
        .and_then(|r| r.parse().ok())
        .unwrap_or(6);
    let zoned = Setting {
        zone: jiff::tz::TimeZone::get("Europe/Paris").ok(),
        layout: Some("%m [%p] %q%u@%d ".into()),
        clock_offset: -2_820_000_000_000,
        ..Setting::default()
    };
    for (source, folders) in FORMATS {
        for (n, seed) in seeds(source, folders).into_iter().enumerate() {
            for round in 0..rounds {
                let mut dice = Dice(round * 1_000_003 + n as u64);
                let mut bytes = seed.clone();
                for _ in 0..1 + dice.below(8) {
                    if bytes.is_empty() {
                        break;
                    }
                    let at = dice.below(bytes.len());
                    match dice.below(7) {
                        0 => bytes[at] = dice.roll() as u8,
                        1 => bytes.truncate(at),
                        2 => {
                            let end = (at + dice.below(200)).min(bytes.len());
                            bytes.drain(at..end);
                        }
                        3 => {
                            let end = (at + dice.below(400)).min(bytes.len());
                            let part = bytes[at..end].to_vec();
                            let to = dice.below(bytes.len());
                            bytes.splice(to..to, part);
                        }
                        4 => bytes.insert(at, b"\"'<>&{}[],\n\t\\:=()#"[dice.below(18)]),
                        5 => {
                            let word: &[u8] = [
                                &b"<!DOCTYPE a>"[..],
                                b"&xxe;",
                                b"\xff\xfe",
                                b"\xE2\x80",
                                b"99999999999999999999",
                                b"-",
                                b"\n\n",
                                b"<85>1 ",
                                b"</Event>",
                                b"<AuditMessage",
                                b"{\"resourceType\":\"Bundle\",\"entry\":[",
                                b"2023-10-29 02:30:00 ",
                            ][dice.below(12)];
                            bytes.splice(at..at, word.iter().copied());
                        }
                        _ => bytes[at] ^= 1 << dice.below(8),
                    }
                }
                let whole = decode(source, &bytes, &[], &zoned).expect("a known source");
                let mut cuts: Vec<usize> = (0..6).map(|_| dice.below(bytes.len().max(1))).collect();
                cuts.sort_unstable();
                let cut = decode(source, &bytes, &cuts, &zoned).expect("a known source");
                if !same(&whole, &cut) {
                    if let Some(dir) = std::env::var_os("AMPLEUR_KEEP_FAILING") {
                        std::fs::write(Path::new(&dir).join("failing.bin"), &bytes).ok();
                    }
                    panic!(
                        "{source} sample {n} round {round}: cut at {cuts:?} differs: {}",
                        difference(&whole, &cut)
                    );
                }
            }
        }
    }
}
