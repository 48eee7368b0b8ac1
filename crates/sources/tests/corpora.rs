//! Agreement with parses other people made of public logs, and totals for every file of the collection. The collection is not part
//! of the project; without it these tests say so and pass.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod common;
use ampleur_sources::{
    Limits, Setting, canonical,
    reader::{Collect, read_bytes},
};
use common::{GENERIC, testdata};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn corpora() -> Option<PathBuf> {
    let p = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora");
    if p.is_dir() {
        return Some(p);
    }
    eprintln!("SKIPPED: no folder ../shared/corpora beside the repository");
    None
}

/// What `testdata/sources/<source>/corpora.txt` says, one line a folder: `folder` is the source's own; `~folder reason` is another
/// product's where the claim is right.
struct Folders {
    own: Vec<(String, Vec<String>)>,
    also: Vec<(String, String)>,
}

fn folders_by_source() -> Folders {
    let mut all = Folders {
        own: vec![],
        also: vec![],
    };
    for source in ampleur_sources::SOURCES {
        let path = testdata().join(source.name()).join("corpora.txt");
        let mut own = vec![];
        for line in fs::read_to_string(path).unwrap_or_default().lines() {
            match line.strip_prefix('~') {
                Some(rest) => {
                    let (folder, reason) = rest.split_once(' ').unwrap_or((rest, ""));
                    assert!(
                        reason.len() > 5,
                        "{}: {line}: a reason is needed",
                        source.name()
                    );
                    all.also.push((folder.into(), source.name().into()));
                }
                None if !line.trim().is_empty() => own.push(line.trim().to_string()),
                None => {}
            }
        }
        if !own.is_empty() {
            all.own.push((source.name().into(), own));
        }
    }
    all
}

/// `CORPORA=name` looks at the sources whose name contains it only.
fn chosen(source: &str) -> bool {
    std::env::var("CORPORA").map_or(true, |only| source.contains(&only))
}

/// Events of a sample by line (or by record in a binary file).
fn events_of(path: &Path, source: &str) -> BTreeMap<u64, Map<String, Value>> {
    let source = ampleur_sources::by_name(source).expect("a known source");
    let mut found = BTreeMap::new();
    let bytes = fs::read(path).expect("readable sample");
    let setting = Setting::default();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    if name.ends_with(".multiline.jsonl") {
        for (i, line) in bytes.split(|b| *b == b'\n').enumerate() {
            let Ok(v) = serde_json::from_slice::<Value>(line) else {
                continue;
            };
            let raw = v["raw"].as_str().unwrap_or_default();
            let mut all = Collect::default();
            read_bytes(
                raw.as_bytes(),
                0,
                Some(source),
                &setting,
                &Limits::default(),
                &mut all,
            )
            .expect("readable");
            if let Some(e) = all.events.first() {
                found.insert(i as u64 + 1, canonical(source.name(), e));
            }
        }
        return found;
    }
    let mut all = Collect::default();
    read_bytes(
        &bytes,
        0,
        Some(source),
        &setting,
        &Limits::default(),
        &mut all,
    )
    .expect("readable");
    let starts: Vec<usize> = std::iter::once(0)
        .chain(memchr::memchr_iter(b'\n', &bytes).map(|i| i + 1))
        .collect();
    let binary = bytes.starts_with(b"ElfFile\0");
    for e in &all.events {
        let line = if binary {
            e.record
        } else {
            starts.partition_point(|s| *s as u64 <= e.offset) as u64
        };
        found
            .entry(line)
            .or_insert_with(|| canonical(source.name(), e));
    }
    found
}

/// True when an expected value and ours say the same.
fn agrees(key: &str, expected: &Value, ours: Option<&Value>) -> bool {
    let Some(ours) = ours else { return false };
    let text = |v: &Value| match v {
        Value::String(s) => s.clone(),
        v => v.to_string(),
    };
    let (a, b) = (text(expected), text(ours));
    if a == b {
        return true;
    }
    match key {
        "timestamp" => match (instant(&a), instant(&b)) {
            (Some(a), Some(b)) => a.div_euclid(1_000_000) == b.div_euclid(1_000_000),
            _ => false,
        },
        "src_ip" | "dst_ip" => {
            let bare = |s: &str| {
                s.trim_start_matches("::ffff:")
                    .parse::<std::net::IpAddr>()
                    .ok()
            };
            bare(&a).is_some() && bare(&a) == bare(&b)
        }
        "host" | "outcome" => a.eq_ignore_ascii_case(&b),
        "session_id" => {
            a.eq_ignore_ascii_case(&b) || number(&a).is_some() && number(&a) == number(&b)
        }
        _ => a == b,
    }
}

fn number(s: &str) -> Option<u64> {
    match s.strip_prefix("0x") {
        Some(h) => u64::from_str_radix(h, 16).ok(),
        None => s.parse().ok(),
    }
}

fn instant(s: &str) -> Option<i128> {
    let s = if s.ends_with('Z') || s[10.min(s.len())..].contains(['+', '-']) {
        s.to_string()
    } else {
        format!("{s}Z")
    };
    s.parse::<jiff::Timestamp>().ok().map(|t| t.as_nanosecond())
}

#[derive(Default, Clone, Copy)]
struct Score {
    present: u32,
    agree: u32,
    /// Disagreements that are listed with a reason.
    listed: u32,
}

/// `path<TAB>line<TAB>key<TAB>reason`; `*` as line or key means every one. All of `testdata/sources/disagreements.tsv` and of the
/// file of that name in each source's folder.
fn listed() -> Vec<(String, String, String)> {
    let mut text = fs::read_to_string(testdata().join("disagreements.tsv")).unwrap_or_default();
    for source in ampleur_sources::SOURCES {
        let path = testdata().join(source.name()).join("disagreements.tsv");
        text.push_str(&fs::read_to_string(path).unwrap_or_default());
        text.push('\n');
    }
    text.lines()
        .filter(|l| !l.starts_with('#') && !l.trim().is_empty())
        .map(|l| {
            let mut c = l.split('\t');
            let mut next = || c.next().unwrap_or_default().to_string();
            let row = (next(), next(), next());
            assert!(
                c.next().is_some_and(|r| r.len() > 10),
                "a disagreement without a reason: {l}"
            );
            row
        })
        .collect()
}

#[test]
fn expected_parses_agree() {
    let Some(root) = corpora() else { return };
    let known = listed();
    let mut used = vec![false; known.len()];
    let mut failed = vec![];
    let mut all = Score::default();
    let by_source = folders_by_source();
    for (source, folders) in by_source.own.iter().filter(|(s, _)| chosen(s)) {
        let mut total = Score::default();
        let mut rows = 0;
        for folder in folders {
            let mut score = Score::default();
            let mut files: Vec<PathBuf> = fs::read_dir(root.join(folder))
                .map(|d| d.filter_map(|e| Some(e.ok()?.path())).collect())
                .unwrap_or_default();
            files.sort();
            for expected in files
                .iter()
                .filter(|p| p.to_string_lossy().ends_with(".expected.jsonl"))
            {
                let stem = expected.to_string_lossy().replace(".expected.jsonl", "");
                let Some(sample) = files.iter().find(|f| {
                    let f = f.to_string_lossy();
                    f.strip_prefix(stem.as_str()).is_some_and(|r| {
                        ["", ".log", ".jsonl", ".xml.log", ".evtx", ".xml"].contains(&r)
                    })
                }) else {
                    failed.push(format!("{}: no sample", expected.display()));
                    continue;
                };
                let rel = format!("{folder}/{}", sample.file_name().unwrap().to_string_lossy());
                let ours = events_of(sample, source);
                let text = fs::read_to_string(expected).expect("readable");
                for row in text.lines() {
                    let row: Map<String, Value> = serde_json::from_str(row).expect("an object");
                    rows += 1;
                    let line = row["raw_line_no"].as_u64().unwrap_or(0);
                    for (key, want) in &row {
                        if key == "raw_line_no" {
                            continue;
                        }
                        score.present += 1;
                        let got = ours.get(&line).and_then(|m| m.get(key));
                        if agrees(key, want, got) {
                            score.agree += 1;
                            continue;
                        }
                        let hit = known.iter().position(|(f, l, k)| {
                            *f == rel
                                && (l == "*" || *l == line.to_string())
                                && (k == "*" || k == key)
                        });
                        match hit {
                            Some(i) => {
                                used[i] = true;
                                score.listed += 1;
                            }
                            None => {
                                println!(
                                    "{rel}\t{line}\t{key}\texpected {want}, got {}",
                                    got.unwrap_or(&Value::Null)
                                );
                            }
                        }
                    }
                }
            }
            let percent = f64::from(score.agree) * 100.0 / f64::from(score.present.max(1));
            println!(
                "{source:20} {folder:22} {:5} of {:5} fields agree ({percent:.1} %), {} more are listed",
                score.agree, score.present, score.listed
            );
            total.present += score.present;
            total.agree += score.agree;
            total.listed += score.listed;
        }
        all.present += total.present;
        all.agree += total.agree;
        all.listed += total.listed;
        // A listed disagreement is one where the expectation is wrong or another convention: it is not an error of ours. A
        // handful of samples says little in percent.
        let settled = total.agree + total.listed;
        if rows >= 10 && settled * 100 < total.present * 97 {
            failed.push(format!(
                "{source}: {settled} of {} fields settled",
                total.present
            ));
        }
    }
    println!(
        "all: {} of {} fields agree, {} more are listed",
        all.agree, all.present, all.listed
    );
    if (all.agree + all.listed) * 100 < all.present * 99 {
        failed.push("all sources together".to_string());
    }
    for (row, used) in known.iter().zip(&used) {
        if !used {
            println!("listed but no longer met: {}\t{}\t{}", row.0, row.1, row.2);
        }
    }
    assert!(
        failed.is_empty(),
        "below 97 % of a source or 99 % of all: {failed:#?}"
    );
}

#[test]
fn every_file_is_read_and_every_record_counted() {
    let Some(root) = corpora() else { return };
    let mut folders = vec![root.clone()];
    let (mut files, mut records) = (0u64, 0u64);
    let by_source = folders_by_source();
    let mut wrong = vec![];
    while let Some(dir) = folders.pop() {
        let mut entries: Vec<PathBuf> = fs::read_dir(&dir)
            .expect("a folder")
            .filter_map(|e| Some(e.ok()?.path()))
            .collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let mut all = Collect::default();
            let report = ampleur_sources::reader::read_path(
                &path,
                0,
                None,
                &Setting::default(),
                &Limits::default(),
                &mut all,
            )
            .expect("readable");
            assert_eq!(
                report.records,
                report.events + report.rejects + report.skipped,
                "{}",
                path.display()
            );
            assert_eq!(report.events, all.events.len() as u64, "{}", path.display());
            files += 1;
            records += report.records;
            let folder = dir.file_name().unwrap().to_string_lossy().into_owned();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let own = by_source.own.iter().find(|(_, f)| f.contains(&folder));
            let plain =
                (name.ends_with(".log") || name.ends_with(".evtx")) && !name.contains(".expected");
            if let (Some((source, _)), true) = (own, plain)
                && report.format != *source
                && !by_source
                    .also
                    .iter()
                    .any(|(f, n)| *f == folder && n == report.format)
            {
                wrong.push(format!("{folder}/{name}: claimed by {}", report.format));
            }
        }
    }
    println!("{files} files, {records} records");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn other_products_are_not_claimed() {
    let Some(root) = corpora() else { return };
    let by_source = folders_by_source();
    let mut claims = vec![];
    let mut dirs: Vec<PathBuf> = fs::read_dir(&root)
        .expect("a folder")
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.is_dir())
        .collect();
    dirs.sort();
    for dir in dirs {
        let folder = dir.file_name().unwrap().to_string_lossy().into_owned();
        if by_source.own.iter().any(|(_, f)| f.contains(&folder)) {
            continue;
        }
        let mut files: Vec<PathBuf> = fs::read_dir(&dir)
            .expect("a folder")
            .filter_map(|e| Some(e.ok()?.path()))
            .filter(|p| p.extension().is_some_and(|x| x == "log"))
            .collect();
        files.sort();
        for f in files {
            let bytes = fs::read(&f).expect("readable");
            let head = ampleur_sources::Head {
                bytes: &bytes[..bytes.len().min(1 << 16)],
                whole: bytes.len() <= 1 << 16,
            };
            if let Some(s) = ampleur_sources::reader::sniff(&head) {
                let c = s.sniff(&head);
                println!(
                    "{folder}/{}: {} ({c:?})",
                    f.file_name().unwrap().to_string_lossy(),
                    s.name()
                );
                let rightly = by_source
                    .also
                    .iter()
                    .any(|(f, n)| *f == folder && n == s.name());
                if !rightly && !GENERIC.contains(&s.name()) {
                    claims.push((folder.clone(), s.name()));
                }
            }
        }
    }
    assert!(claims.is_empty(), "wrong claims: {claims:?}");
}
