//! Tries a mapping without compiling it in: `mapping FILE.toml SAMPLE…`, where a sample is a log file or a folder of them.
//!
//! For each sample: every mapping of the folder of FILE.toml and every built-in decoder that claims it, then the fields that
//! differ from `NAME.expected.jsonl` beside it, then the agreement. With `-v` the events and rejects too.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::exit)]

use ampleur_sources::{
    Confidence, Head, Limits, SOURCES, Setting, Source, canonical, mapped,
    reader::{Collect, read_bytes},
};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Records of a sample: all its bytes, or the texts of the `raw` keys of `*.multiline.jsonl`.
fn records(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap_or_default();
    if !path.to_string_lossy().ends_with(".multiline.jsonl") {
        return vec![bytes];
    }
    bytes
        .split(|b| *b == b'\n')
        .filter_map(|l| serde_json::from_slice::<Value>(l).ok())
        .map(|v| v["raw"].as_str().unwrap_or_default().as_bytes().to_vec())
        .collect()
}

fn instant(v: &str) -> Option<i128> {
    let zoned = v.ends_with('Z') || v.get(10..).is_some_and(|t| t.contains(['+', '-']));
    let v = if zoned {
        v.to_string()
    } else {
        format!("{v}Z")
    };
    Some(
        v.parse::<jiff::Timestamp>()
            .ok()?
            .as_nanosecond()
            .div_euclid(1_000_000),
    )
}

fn agrees(key: &str, want: &Value, got: Option<&Value>) -> bool {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_string);
    let Some(got) = got.map(text) else {
        return false;
    };
    let want = text(want);
    let address = |s: &str| {
        s.trim_start_matches("::ffff:")
            .parse::<std::net::IpAddr>()
            .ok()
    };
    want == got
        || match key {
            "timestamp" => instant(&want).is_some() && instant(&want) == instant(&got),
            "src_ip" | "dst_ip" => address(&want).is_some() && address(&want) == address(&got),
            "host" | "outcome" | "session_id" => want.eq_ignore_ascii_case(&got),
            _ => false,
        }
}

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let verbose = args.iter().any(|a| a == "-v");
    args.retain(|a| a != "-v");
    let [file, samples @ ..] = &args[..] else {
        eprintln!("usage: mapping [-v] FILE.toml SAMPLE…");
        return ExitCode::from(2);
    };
    let file = Path::new(file);
    let folder = file
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut mine: Option<&'static dyn Source> = None;
    let mut known = BTreeSet::new();
    let mut all: Vec<&'static dyn Source> = vec![];
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .map(|d| d.filter_map(|e| Some(e.ok()?.path())).collect())
        .unwrap_or_default();
    files.sort();
    for f in files
        .iter()
        .filter(|f| f.extension().is_some_and(|x| x == "toml"))
    {
        let name = f
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        // A built-in mapping may have the name already.
        match mapped::load_in(
            &format!("{name}*"),
            &fs::read_to_string(f).unwrap_or_default(),
            Some(folder),
        ) {
            Ok(s) => {
                if f == file || f.file_name() == file.file_name() {
                    mine = Some(s);
                }
                known.insert(name);
                all.push(s);
            }
            Err(e) => println!("{}: {e}", f.display()),
        }
    }
    let Some(mine) = mine else {
        return ExitCode::FAILURE;
    };
    all.extend(
        SOURCES
            .iter()
            .copied()
            .filter(|s| !known.contains(s.name())),
    );
    let mut samples: Vec<PathBuf> = samples
        .iter()
        .flat_map(|s| match fs::read_dir(s) {
            Ok(d) => d.filter_map(|e| Some(e.ok()?.path())).collect(),
            Err(_) => vec![PathBuf::from(s)],
        })
        .filter(|p: &PathBuf| {
            let n = p.to_string_lossy().into_owned();
            !n.contains(".expected.") && !n.ends_with(".index.tsv")
        })
        .collect();
    samples.sort();
    let (mut present, mut agree) = (0u32, 0u32);
    for sample in &samples {
        let short: PathBuf = sample
            .components()
            .rev()
            .take(2)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        let short = short.display();
        let parts = records(sample);
        let head = Head {
            bytes: &parts[0][..parts[0].len().min(1 << 16)],
            whole: parts[0].len() <= 1 << 16,
        };
        let mut claims: Vec<(Confidence, &str)> = all
            .iter()
            .map(|s| (s.sniff(&head), s.name()))
            .filter(|(c, _)| *c > Confidence::No)
            .collect();
        claims.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        println!("{short}: {claims:?}");
        let mut events: BTreeMap<u64, Map<String, Value>> = BTreeMap::new();
        let mut rejected: BTreeMap<u64, String> = BTreeMap::new();
        for (i, bytes) in parts.iter().enumerate() {
            let mut got = Collect::default();
            if let Err(e) = read_bytes(
                bytes,
                0,
                Some(mine),
                &Setting::default(),
                &Limits::default(),
                &mut got,
            ) {
                println!("{short}: {e}");
            }
            let line = |offset: u64| {
                if parts.len() > 1 {
                    return i as u64 + 1;
                }
                let end = usize::try_from(offset)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                memchr::memchr_iter(b'\n', &bytes[..end]).count() as u64 + 1
            };
            for e in &got.events {
                events
                    .entry(line(e.offset))
                    .or_insert_with(|| canonical(mine.name(), e));
            }
            for r in &got.rejects {
                rejected.insert(line(r.offset), format!("{:?}", r.reason));
            }
        }
        for (l, r) in &rejected {
            println!("{short}\t{l}\tREJECT {r}");
        }
        let stem = sample.to_string_lossy().into_owned();
        let stem = [".jsonl", ".xml.log", ".log", ".evtx"]
            .iter()
            .find_map(|x| stem.strip_suffix(x))
            .unwrap_or(&stem)
            .to_string();
        for row in fs::read_to_string(format!("{stem}.expected.jsonl"))
            .unwrap_or_default()
            .lines()
        {
            let Ok(row) = serde_json::from_str::<Map<String, Value>>(row) else {
                continue;
            };
            let line = row["raw_line_no"].as_u64().unwrap_or(0);
            for (key, want) in row.iter().filter(|(k, _)| *k != "raw_line_no") {
                present += 1;
                let got = events.get(&line).and_then(|m| m.get(key));
                if agrees(key, want, got) {
                    agree += 1;
                } else {
                    println!(
                        "{short}\t{line}\t{key}\twant {want} got {}",
                        got.unwrap_or(&Value::Null)
                    );
                }
            }
        }
        if verbose {
            for (l, e) in &events {
                let mut e = e.clone();
                for k in ["record", "source", "offset", "len"] {
                    e.remove(k);
                }
                println!("  {l}: {}", Value::Object(e));
            }
        } else {
            let mut verbs: BTreeMap<String, u32> = BTreeMap::new();
            for e in events.values() {
                *verbs
                    .entry(format!(
                        "{}/{}",
                        e["verb"].as_str().unwrap_or(""),
                        e.get("outcome").and_then(Value::as_str).unwrap_or("-")
                    ))
                    .or_default() += 1;
            }
            println!(
                "{short}: {} events, {} rejects, {verbs:?}",
                events.len(),
                rejected.len()
            );
        }
    }
    println!(
        "{}: {agree} of {present} ({:.1} %)",
        mine.name(),
        f64::from(agree) * 100.0 / f64::from(present.max(1))
    );
    ExitCode::SUCCESS
}
