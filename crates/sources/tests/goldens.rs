//! Golden cases of every source: `testdata/sources/<source>/<case>/` with `case.toml`, `input.*`, `events.jsonl`, `rejects.jsonl`.
//! `AMPLEUR_BLESS=1 cargo test -p ampleur-sources --test goldens` rewrites the two result files; a plain run never does.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod common;
use ampleur_event::{Event, System};
use ampleur_sources::{
    Confidence, Head, Limits, Reject, SOURCES, Setting, Source, canonical,
    reader::{self, Collect, decode_cut, read_bytes, read_path},
};
use common::{GENERIC, own_mappings, testdata};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct CaseFile {
    /// `made up`, or the vendor page or standard with its section.
    origin: String,
    #[serde(default)]
    licence: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    timezone: Option<String>,
    #[serde(default)]
    clock_offset_s: i64,
    #[serde(default)]
    year: Option<i16>,
    #[serde(default)]
    layout: Option<String>,
    #[serde(default)]
    accounts: Option<String>,
    /// records, events, rejects, skipped.
    counts: [u64; 4],
    /// False when the input is too little to be recognised by itself.
    #[serde(default = "yes")]
    sniff: bool,
    /// False when line ends are part of what is recorded, or the input is binary.
    #[serde(default = "yes")]
    crlf: bool,
    /// False when the input cannot be put after itself (binary files, documents).
    #[serde(default = "yes")]
    twice: bool,
}

fn yes() -> bool {
    true
}

struct Case {
    name: String,
    dir: PathBuf,
    source: &'static dyn Source,
    file: CaseFile,
    input: Vec<u8>,
    setting: Setting,
}

/// Built-in mappings and those of `testdata/mappings`.
static MAPPINGS: std::sync::LazyLock<Vec<&str>> = std::sync::LazyLock::new(|| {
    let own = own_mappings().into_iter().map(|(m, _)| m.name());
    ampleur_sources::mapped::built_in()
        .map(|m| m.0)
        .chain(own)
        .collect()
});

fn folders(of: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(of)
        .map(|d| d.filter_map(|e| Some(e.ok()?.path())).collect())
        .unwrap_or_default();
    all.retain(|p| p.is_dir());
    all.sort();
    all
}

fn cases() -> Vec<Case> {
    let mut all = vec![];
    let built_in = folders(&testdata()).into_iter().map(|folder| {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let source = ampleur_sources::by_name(&name)
            .unwrap_or_else(|| panic!("testdata/sources/{name} belongs to no source"));
        (source, folder)
    });
    let own = own_mappings().into_iter();
    for (source, folder) in built_in.chain(own) {
        let name = source.name();
        for dir in folders(&folder) {
            let case = format!("{name}/{}", dir.file_name().unwrap().to_string_lossy());
            let text = fs::read_to_string(dir.join("case.toml"))
                .unwrap_or_else(|e| panic!("{case}: case.toml: {e}"));
            let file: CaseFile =
                toml::from_str(&text).unwrap_or_else(|e| panic!("{case}: case.toml: {e}"));
            let input = fs::read_dir(&dir)
                .unwrap()
                .filter_map(|e| Some(e.ok()?.path()))
                .find(|p| p.file_stem().is_some_and(|s| s == "input"))
                .unwrap_or_else(|| panic!("{case}: no input.*"));
            let setting = Setting {
                zone: file
                    .timezone
                    .as_deref()
                    .map(|z| jiff::tz::TimeZone::get(z).expect("a zone")),
                clock_offset: file.clock_offset_s * 1_000_000_000,
                accounts: file
                    .accounts
                    .as_deref()
                    .map(|a| System::from_word(a).expect("a system")),
                layout: file.layout.clone(),
                year_hint: file.year,
                ..Setting::default()
            };
            all.push(Case {
                name: case,
                input: fs::read(input).unwrap(),
                dir,
                source,
                file,
                setting,
            });
        }
    }
    all
}

fn event_json(source: &dyn Source, e: &Event<'_>) -> Value {
    let mut m = canonical(source.name(), e);
    m.insert("offset".into(), e.offset.into());
    m.insert("len".into(), e.len.into());
    Value::Object(m)
}

fn reject_json(r: &Reject) -> Value {
    json!({"record": r.record, "offset": r.offset, "len": r.len, "reason": r.reason.to_string()})
}

fn lines_of(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        .collect()
}

fn write_lines(path: &Path, lines: &[Value]) {
    let mut text = String::new();
    for l in lines {
        text.push_str(&l.to_string());
        text.push('\n');
    }
    fs::write(path, text).unwrap();
}

fn read(case: &Case, bytes: &[u8], limits: &Limits) -> (reader::FileReport, Collect) {
    let mut all = Collect::default();
    let report = read_bytes(bytes, 0, Some(case.source), &case.setting, limits, &mut all)
        .unwrap_or_else(|e| panic!("{}: {e}", case.name));
    (report, all)
}

fn repeat(case: &Case) -> String {
    format!(
        "{}; repeat with: GOLDEN={} cargo test -p ampleur-sources --test goldens",
        case.name, case.name
    )
}

fn chosen() -> Vec<Case> {
    let only = std::env::var("GOLDEN").ok();
    cases()
        .into_iter()
        .filter(|c| only.as_deref().is_none_or(|o| c.name.contains(o)))
        .collect()
}

#[test]
fn inputs_give_their_events_and_rejects() {
    let bless = std::env::var_os("AMPLEUR_BLESS").is_some();
    for case in chosen() {
        let (report, all) = read(&case, &case.input, &Limits::default());
        let events: Vec<Value> = all
            .events
            .iter()
            .map(|e| event_json(case.source, e))
            .collect();
        let rejects: Vec<Value> = all.rejects.iter().map(reject_json).collect();
        if bless {
            write_lines(&case.dir.join("events.jsonl"), &events);
            write_lines(&case.dir.join("rejects.jsonl"), &rejects);
        }
        let want = lines_of(&case.dir.join("events.jsonl"));
        for (i, (a, b)) in want.iter().zip(&events).enumerate() {
            assert_eq!(a, b, "event {} of {}", i + 1, repeat(&case));
        }
        assert_eq!(want.len(), events.len(), "events of {}", repeat(&case));
        assert_eq!(
            lines_of(&case.dir.join("rejects.jsonl")),
            rejects,
            "rejects of {}",
            repeat(&case)
        );
        assert_eq!(
            [
                report.records,
                report.events,
                report.rejects,
                report.skipped
            ],
            case.file.counts,
            "counts of {}",
            repeat(&case)
        );
        assert_eq!(all.bytes, case.input, "{}", repeat(&case));
    }
}

#[test]
fn pieces_of_any_size_give_the_same() {
    for case in chosen() {
        let (_, whole) = read(&case, &case.input, &Limits::default());
        for block in [1, 5, 64, 997] {
            let limits = Limits {
                block_bytes: block,
                ..Limits::default()
            };
            let (_, cut) = read(&case, &case.input, &limits);
            assert_eq!(
                whole.events,
                cut.events,
                "blocks of {block}: {}",
                repeat(&case)
            );
            assert_eq!(
                whole.rejects,
                cut.rejects,
                "blocks of {block}: {}",
                repeat(&case)
            );
        }
        // Every place in a small input; around line ends and a few others in a large one.
        let n = case.input.len();
        let mut cuts: BTreeSet<usize> = if n <= 4096 {
            (1..n).collect()
        } else {
            (1..64).map(|i| i * n / 64).collect()
        };
        for i in memchr::memchr_iter(b'\n', &case.input).take(200) {
            cuts.extend([i, i + 1, i + 2]);
        }
        for cut in cuts.into_iter().filter(|c| *c < n) {
            let out = decode_cut(case.source, &case.input, &case.setting, &[cut]);
            let events: Vec<Event<'static>> = out.events.iter().map(Event::into_owned).collect();
            // The reader takes a byte-order mark off; cut by hand it is still there.
            if !case.input.starts_with(&[0xEF, 0xBB, 0xBF])
                && !case.input.starts_with(&[0xFF, 0xFE])
            {
                assert_eq!(whole.events, events, "cut at {cut}: {}", repeat(&case));
                assert_eq!(
                    whole.rejects,
                    out.rejects,
                    "cut at {cut}: {}",
                    repeat(&case)
                );
            }
        }
    }
}

#[test]
fn compressed_doubled_and_with_other_line_ends_it_means_the_same() {
    let dir = tempfile::tempdir().unwrap();
    for case in chosen() {
        let (report, whole) = read(&case, &case.input, &Limits::default());
        let path = dir.path().join("input.gz");
        let mut gz = flate2::write::GzEncoder::new(
            fs::File::create(&path).unwrap(),
            flate2::Compression::fast(),
        );
        gz.write_all(&case.input).unwrap();
        gz.finish().unwrap();
        let mut all = Collect::default();
        read_path(
            &path,
            0,
            Some(case.source),
            &case.setting,
            &Limits::default(),
            &mut all,
        )
        .unwrap();
        assert_eq!(whole.events, all.events, "compressed: {}", repeat(&case));
        assert_eq!(whole.rejects, all.rejects, "compressed: {}", repeat(&case));

        if case.file.crlf && !case.input.contains(&b'\r') {
            let text: Vec<u8> = case
                .input
                .iter()
                .flat_map(|b| {
                    if *b == b'\n' {
                        vec![b'\r', b'\n']
                    } else {
                        vec![*b]
                    }
                })
                .collect();
            let (_, other) = read(&case, &text, &Limits::default());
            let placeless = |e: &Event<'static>| Event {
                offset: 0,
                len: 0,
                ..e.clone()
            };
            let a: Vec<_> = whole.events.iter().map(placeless).collect();
            let b: Vec<_> = other.events.iter().map(placeless).collect();
            assert_eq!(a, b, "with CRLF: {}", repeat(&case));
            assert_eq!(
                whole.rejects.len(),
                other.rejects.len(),
                "with CRLF: {}",
                repeat(&case)
            );
        }
        if case.file.twice && case.input.ends_with(b"\n") {
            let double = [case.input.as_slice(), case.input.as_slice()].concat();
            let (again, all) = read(&case, &double, &Limits::default());
            assert_eq!(
                [again.records, again.events, again.rejects, again.skipped],
                [
                    report.records * 2,
                    report.events * 2,
                    report.rejects * 2,
                    report.skipped * 2
                ],
                "twice: {}",
                repeat(&case)
            );
            assert_eq!(
                all.events[..whole.events.len()],
                whole.events,
                "twice: {}",
                repeat(&case)
            );
        }
    }
}

#[test]
fn each_source_claims_its_own_and_no_other_does() {
    for case in chosen().iter().filter(|c| c.file.sniff) {
        let n = case.input.len().min(reader::HEAD_BYTES);
        let head = Head {
            bytes: case.input[..n]
                .strip_prefix(&[0xEF, 0xBB, 0xBF])
                .unwrap_or(&case.input[..n]),
            whole: n == case.input.len(),
        };
        let own = case.source.sniff(&head);
        assert!(own > Confidence::No, "{} is not claimed", case.name);
        for other in SOURCES.iter().filter(|s| s.name() != case.source.name()) {
            let c = other.sniff(&head);
            // Among equals the order of the list decides, which puts what reads anything last.
            let settled = c == own
                && GENERIC.contains(&other.name())
                && reader::sniff(&head).is_some_and(|s| s.name() == case.source.name());
            assert!(
                c < own || settled,
                "{} is claimed by {} too ({c:?} against {own:?})",
                case.name,
                other.name()
            );
        }
    }
}

#[test]
fn the_registry_is_complete() {
    let mut names = BTreeSet::new();
    for s in SOURCES {
        let n = s.name();
        assert!(names.insert(n), "{n} is there twice");
        assert!(
            n.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !n.starts_with('-')
                && !n.ends_with('-'),
            "{n} is not kebab-case"
        );
        assert!(
            !s.about().is_empty() && !s.standard().name.is_empty(),
            "{n} says nothing of itself"
        );
        assert!(!s.capability().rows.is_empty(), "{n} declares nothing");
        let found = folders(&testdata().join(n)).len();
        // A mapping's damaged and cut cases are made from its well-formed ones, below.
        let needed = if MAPPINGS.contains(&n) { 1 } else { 3 };
        assert!(
            found >= needed,
            "{n} has {found} golden cases, needs a well-formed, a malformed and a truncated one"
        );
        let empty = Head {
            bytes: b"",
            whole: true,
        };
        assert_eq!(s.sniff(&empty), Confidence::No, "{n} claims an empty file");
    }
}

/// Every mapping file is well-formed, and damage to its cases loses no record.
#[test]
fn mappings_are_well_formed_and_lose_nothing() {
    for (name, error) in ampleur_sources::mapped::built_in() {
        assert!(error.is_none(), "mappings/{name}.toml: {}", error.unwrap());
    }
    for case in chosen()
        .iter()
        .filter(|c| MAPPINGS.contains(&c.source.name()))
    {
        let n = case.input.len();
        let mut damaged: Vec<Vec<u8>> =
            (1..24).map(|i| case.input[..i * n / 24].to_vec()).collect();
        for (i, b) in [
            (n / 3, b'"'),
            (n / 2, b'\n'),
            (n / 5, 0xFF),
            (n / 7, b'='),
            (n / 4, b'}'),
        ] {
            let mut one = case.input.clone();
            one[i.min(n.saturating_sub(1))] = b;
            damaged.push(one);
        }
        let mut other = b"no line of this source\n".to_vec();
        other.extend_from_slice(&case.input);
        damaged.push(other);
        for input in damaged {
            let (r, _) = read(case, &input, &Limits::default());
            assert_eq!(
                r.records,
                r.events + r.rejects + r.skipped,
                "{}",
                repeat(case)
            );
        }
    }
}
