//! The slow way, from the written files alone: every audited search asked again of every patient of the snapshots around it, by
//! nested loops, without any index of the generator or of the product. What both must agree with.
use base64::Engine as _;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Whom searches returned: `Patient/<id>`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replay {
    /// In the answer by the snapshot before and the one after, and every page was fetched.
    pub certain: BTreeSet<String>,
    /// In the answer by one of them at least.
    pub possible: BTreeSet<String>,
    pub searches: usize,
}

fn lines(path: &Path) -> io::Result<Vec<String>> {
    let file = std::fs::File::open(path)?;
    let read: Box<dyn Read> = if path.extension().is_some_and(|e| e == "gz") {
        Box::new(flate2::read::MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    BufReader::new(read).lines().collect()
}

fn folder(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut v: Vec<PathBuf> = std::fs::read_dir(dir)?
        .map(|e| e.map(|e| e.path()))
        .collect::<io::Result<_>>()?;
    v.sort();
    Ok(v)
}

fn unescape(s: &str) -> String {
    let b = s.as_bytes();
    let (mut out, mut i) = (Vec::new(), 0);
    while i < b.len() {
        let hex = s
            .get(i + 1..i + 3)
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match (b[i], hex) {
            (b'%', Some(h)) => {
                out.push(h);
                i += 3;
            }
            (b'+', _) => {
                out.push(b' ');
                i += 1;
            }
            (c, _) => {
                out.push(c);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Does a patient answer these criteria (`family`, `given` as prefixes; `birthdate` whole, year, `ge`, `lt`)?
fn answers(p: &Value, criteria: &[(String, String)]) -> bool {
    let starts = |v: &Value, q: &str| {
        v.as_str()
            .is_some_and(|s| crate::world::fold(s).starts_with(&crate::world::fold(q)))
    };
    let empty = Vec::new();
    let names = p["name"].as_array().unwrap_or(&empty);
    let birth = p["birthDate"].as_str().unwrap_or("");
    criteria.iter().all(|(k, v)| match k.as_str() {
        "family" => names.iter().any(|n| starts(&n["family"], v)),
        "given" => names.iter().any(|n| {
            n["given"]
                .as_array()
                .unwrap_or(&empty)
                .iter()
                .any(|g| starts(g, v))
        }),
        "birthdate" => match v.get(..2) {
            Some("ge") => birth >= &v[2..],
            Some("lt") => birth < &v[2..],
            _ => birth.starts_with(v.as_str()),
        },
        _ => true,
    })
}

/// Replays the searches in `logs/<source>/` whose client address is one of `addresses`.
///
/// # Errors
/// When a file cannot be read.
pub fn replay(case: &Path, source: &str, addresses: &BTreeSet<String>) -> io::Result<Replay> {
    let mut snapshots: Vec<(String, Vec<Value>)> = Vec::new();
    for path in folder(&case.join("identities"))? {
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        let date = name.get(..10).unwrap_or("").to_string();
        let patients = lines(&path)?
            .iter()
            .filter_map(|l| serde_json::from_str(l).ok())
            .collect();
        snapshots.push((date, patients));
    }
    // The pages of one search, in one day, count together.
    type Search = (String, Vec<(String, String)>);
    let mut pages: BTreeMap<Search, (usize, usize)> = BTreeMap::new();
    for path in folder(&case.join("logs").join(source))? {
        for line in lines(&path)? {
            let Ok(e) = serde_json::from_str::<Value>(&line) else {
                continue;
            };
            let client = e["agent"][0]["network"]["address"].as_str().unwrap_or("");
            if !addresses.contains(client) {
                continue;
            }
            let day = e["recorded"]
                .as_str()
                .and_then(|s| s.get(..10))
                .unwrap_or("")
                .to_string();
            for entity in e["entity"].as_array().into_iter().flatten() {
                let Some(raw) = entity["query"].as_str() else {
                    continue;
                };
                let Ok(raw) = base64::engine::general_purpose::STANDARD.decode(raw) else {
                    continue;
                };
                let raw = String::from_utf8_lossy(&raw).into_owned();
                let query = match raw.split_once("\n\n") {
                    Some((head, body)) if head.starts_with("POST") => body.to_string(),
                    _ => raw
                        .split(' ')
                        .nth(1)
                        .and_then(|u| u.split_once('?'))
                        .map_or(String::new(), |u| u.1.to_string()),
                };
                let (mut criteria, mut count, mut page) = (Vec::new(), usize::MAX, 1);
                for (k, v) in query.trim().split('&').filter_map(|p| p.split_once('=')) {
                    match k {
                        "_count" => count = v.parse().unwrap_or(count),
                        "page" => page = v.parse().unwrap_or(page),
                        _ => criteria.push((unescape(k), unescape(v))),
                    }
                }
                let seen = pages.entry((day.clone(), criteria)).or_insert((0, count));
                seen.0 = seen.0.max(page);
            }
        }
    }
    let mut out = Replay {
        searches: pages.len(),
        ..Replay::default()
    };
    for ((day, criteria), (seen, count)) in pages {
        let ask = |s: Option<&(String, Vec<Value>)>| -> BTreeSet<String> {
            s.into_iter()
                .flat_map(|s| &s.1)
                .filter(|p| answers(p, &criteria))
                .map(|p| format!("Patient/{}", p["id"].as_str().unwrap_or("")))
                .collect()
        };
        let before = ask(snapshots.iter().rev().find(|s| s.0 <= day));
        let after = ask(snapshots.iter().find(|s| s.0 > day));
        out.possible.extend(before.union(&after).cloned());
        if seen.saturating_mul(count) >= before.union(&after).count() {
            out.certain.extend(before.intersection(&after).cloned());
        }
    }
    Ok(out)
}
