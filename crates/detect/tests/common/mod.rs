//! Decodes a case, judges it and compares with its truth the way the scorer of the examples does.
use ampleur_detect::{Judged, Word, judge};
use ampleur_event::{Account, EventBatch, SessionVerdict};
use ampleur_query::MemoryDoor;
use ampleur_session::{FileIntake, Sessions};
use ampleur_sources::{
    Source,
    case::{Case, FileId},
    reader::{FileSink, Limits, Piece, SinkError, read_file},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

struct Take<'a> {
    case: &'a Case,
    file: FileId,
    format: &'static str,
    intake: Option<FileIntake>,
    batches: Vec<(FileId, EventBatch)>,
}

impl FileSink for Take<'_> {
    fn begin(
        &mut self,
        _file: FileId,
        source: Option<&'static dyn Source>,
    ) -> Result<(), SinkError> {
        self.format = source.map_or("unknown", |s| s.name());
        self.intake = Some(FileIntake::new(self.case, self.file, self.format));
        Ok(())
    }
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), SinkError> {
        if let Some(i) = &mut self.intake {
            i.push(piece.events);
        }
        self.batches.push((self.file, std::mem::take(piece.events)));
        Ok(())
    }
}

#[allow(dead_code)]
pub struct Ran {
    /// Folders whose format no decoder knows.
    pub unknown: BTreeSet<String>,
    pub case: Case,
    pub sessions: Sessions,
    pub judged: Judged,
    pub door: MemoryDoor,
}

pub fn run(root: &Path) -> Ran {
    let case = Case::open(root).expect("the case opens");
    let mut door = MemoryDoor::default();
    let mut partials = vec![];
    let mut unknown = BTreeSet::new();
    for f in 0..case.files.len() as FileId {
        let mut sink = Take {
            case: &case,
            file: f,
            format: "",
            intake: None,
            batches: vec![],
        };
        let report = read_file(&case, f, &Limits::default(), &mut sink).expect("the file is read");
        if report.format == "unknown" {
            unknown.insert(
                case.files[f as usize]
                    .rel
                    .rsplit_once('/')
                    .map_or("", |p| p.0)
                    .to_string(),
            );
        }
        if let Some(i) = sink.intake {
            partials.push(i.finish());
        }
        door.batches.extend(sink.batches);
    }
    if !unknown.is_empty() {
        eprintln!("not decoded: {unknown:?}");
    }
    let sessions = Sessions::build(&case, partials);
    let judged =
        judge(&case, &sessions, &door, &Word::default()).expect("a memory door never fails");
    Ran {
        unknown,
        case,
        sessions,
        judged,
        door,
    }
}

pub fn norm(a: &str) -> String {
    let a = a.trim();
    let a = a.split_once(':').map_or(a, |x| x.1).replace('/', "\\");
    let a = a
        .rsplit('\\')
        .next()
        .unwrap_or("")
        .split('@')
        .next()
        .unwrap_or("")
        .to_lowercase();
    if a.len() == 12 && a.starts_with('8') && a.bytes().all(|b| b.is_ascii_digit()) {
        a[1..].to_string()
    } else {
        a
    }
}

fn ts(v: &Value) -> i64 {
    v.as_str()
        .and_then(|s| s.parse::<jiff::Timestamp>().ok())
        .map_or(0, |t| t.as_nanosecond() as i64)
}

#[allow(dead_code)]
#[derive(Debug, Default)]
pub struct Report {
    pub intruder_sessions: usize,
    pub found: usize,
    pub said: usize,
    pub right: usize,
    pub doubtful: usize,
    pub accused: Vec<String>,
    pub accounts_accused: Vec<String>,
    pub missed: Vec<String>,
    pub cut_missed: Vec<String>,
    pub overcut: Vec<String>,
    pub mixed: usize,
    pub doubts: Vec<String>,
    pub unmatched: Vec<String>,
    pub internal: (BTreeSet<String>, BTreeSet<String>),
}

pub fn compare(r: &Ran, truth: &Value) -> Report {
    let mut alias: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let mut usurped = BTreeSet::new();
    let (mut must_cut, mut must_rotate, mut service) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for a in list(&truth["accounts"]) {
        let n = norm(a["account"].as_str().unwrap_or(""));
        let mut g: BTreeSet<String> = list(&a["aliases"])
            .iter()
            .filter_map(|x| x.as_str())
            .map(norm)
            .collect();
        g.insert(n.clone());
        for x in &g {
            alias.entry(x.clone()).or_default().extend(g.clone());
        }
        if a["verdict"] == "usurped" {
            usurped.insert(n.clone());
        }
        if a["must_cut"] == true {
            must_cut.insert(n.clone());
        }
        if a["must_rotate"] == true {
            must_rotate.insert(n.clone());
        }
        if a["kind"] == "service" {
            service.insert(n);
        }
    }
    for p in &r.case.context.persons {
        let g: BTreeSet<String> = p.accounts.iter().map(|a| norm(a)).collect();
        for x in &g {
            alias.entry(x.clone()).or_default().extend(g.clone());
        }
    }
    let names = |a: &str| {
        let mut n = alias.get(a).cloned().unwrap_or_default();
        n.insert(a.to_string());
        n
    };
    let offset = list(&truth["sources"])
        .iter()
        .any(|s| s["clock_offset_ms"].as_i64().unwrap_or(0) != 0);
    let tol = if offset { 3600 } else { 120 } * 1_000_000_000i64;
    let truth_sessions = list(&truth["sessions"]);
    let mut rep = Report::default();
    let mut found = BTreeSet::new();
    let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (i, x) in r.sessions.list.iter().enumerate() {
        let j = &r.judged.judgements[i];
        if j.verdict == SessionVerdict::Legitimate {
            continue;
        }
        if j.verdict == SessionVerdict::Doubtful {
            rep.doubtful += 1;
            rep.doubts.push(describe(r, i));
        }
        let Some(account) = x.account.as_ref().map(|a| norm(&a.to_string())) else {
            continue;
        };
        let set = names(&account);
        let by: Vec<&Value> = truth_sessions
            .iter()
            .filter(|s| {
                set.contains(&norm(s["account"].as_str().unwrap_or("")))
                    && ts(&s["from"]) - tol <= x.to
                    && ts(&s["to"]) + tol >= x.from
            })
            .collect();
        let addr = x.origin.address.map(|a| a.to_string());
        let strict: Vec<&&Value> = by
            .iter()
            .filter(|s| {
                addr.as_deref()
                    .is_none_or(|a| s["address"].is_null() || s["address"] == a || s["inner"] == a)
            })
            .collect();
        let bad = strict.iter().any(|s| s["actor"] == "intruder");
        for s in strict.iter().filter(|s| s["actor"] == "intruder") {
            found.insert(s["id"].to_string());
            if j.verdict == SessionVerdict::Intruder {
                labels
                    .entry(j.intrusion.clone().unwrap_or_default())
                    .or_default()
                    .insert(s["intrusion"].to_string());
            }
        }
        if j.verdict != SessionVerdict::Intruder {
            continue;
        }
        rep.said += 1;
        if bad {
            rep.right += 1;
        } else if !strict.is_empty() || set.is_disjoint(&usurped) {
            rep.accused.push(describe(r, i));
        } else {
            rep.unmatched.push(describe(r, i));
        }
    }
    for s in truth_sessions
        .iter()
        .filter(|s| s["actor"] == "intruder" && s["visible"] == true)
    {
        // A session whose only sources have no decoder cannot be found.
        let told = list(&s["sources"]);
        let blind = |x: &Value| {
            x.as_str()
                .is_some_and(|k| r.unknown.iter().any(|u| u.rsplit('/').next() == Some(k)))
        };
        if !told.is_empty() && told.iter().all(blind) {
            eprintln!(
                "SKIPPED: session {} is only in a source without decoder",
                s["id"]
            );
            continue;
        }
        rep.intruder_sessions += 1;
        if found.contains(&s["id"].to_string()) {
            rep.found += 1;
        } else {
            rep.missed.push(format!(
                "{} {} {} {} {}",
                s["account"], s["address"], s["system"], s["from"], s["to"]
            ));
        }
    }
    rep.mixed = labels.values().filter(|v| v.len() > 1).count();
    for a in &r.judged.accounts {
        if a.verdict == SessionVerdict::Intruder
            && names(&norm(&a.account.to_string())).is_disjoint(&usurped)
        {
            rep.accounts_accused.push(a.account.to_string());
        }
    }
    let ip = |a: &str| a.parse::<std::net::IpAddr>().is_ok();
    let bad_addr: BTreeSet<String> = truth_sessions
        .iter()
        .filter(|s| s["actor"] == "intruder")
        .flat_map(|s| [s["address"].clone(), s["inner"].clone()])
        .filter_map(|v| v.as_str().map(str::to_string))
        .collect();
    let cut: BTreeSet<String> = r
        .judged
        .containment
        .cut
        .iter()
        .filter(|a| !ip(a))
        .map(|a| norm(a))
        .collect();
    let rot: BTreeSet<String> = r
        .judged
        .containment
        .rotate
        .iter()
        .map(|a| norm(a))
        .collect();
    for a in &cut {
        if names(a).is_disjoint(&usurped) || must_rotate.contains(a) {
            rep.overcut.push(a.clone());
        }
    }
    rep.overcut.extend(
        r.judged
            .containment
            .cut
            .iter()
            .filter(|a| ip(a) && !bad_addr.contains(*a))
            .cloned(),
    );
    let seen: BTreeSet<String> = truth_sessions
        .iter()
        .filter(|s| s["actor"] == "intruder" && s["visible"] == true)
        .filter(|s| {
            !list(&s["sources"]).iter().all(|x| {
                x.as_str()
                    .is_some_and(|k| r.unknown.iter().any(|u| u.rsplit('/').next() == Some(k)))
            })
        })
        .map(|s| norm(s["account"].as_str().unwrap_or("")))
        .collect();
    let mut done = cut;
    done.extend(
        rot.into_iter()
            .filter(|a| service.contains(a) || must_rotate.contains(a)),
    );
    for a in must_cut.union(&must_rotate) {
        // An account the intruder left no trace under cannot be named by anybody.
        if names(a).is_disjoint(&done) && !names(a).is_disjoint(&seen) {
            rep.cut_missed.push(a.clone());
        }
    }
    rep.internal = (
        list(&truth["internal"])
            .iter()
            .map(|i| norm(i["account"].as_str().unwrap_or("")))
            .collect(),
        r.judged
            .internal
            .iter()
            .map(|i| norm(&i.account.to_string()))
            .collect(),
    );
    rep
}

pub fn describe(r: &Ran, i: usize) -> String {
    let x = &r.sessions.list[i];
    let j = &r.judged.judgements[i];
    let reasons: Vec<String> = j
        .reasons
        .iter()
        .map(|r| format!("{}{:+.1}", r.code, r.weight))
        .collect();
    format!(
        "{} {} {} {}{} [{}] host={} prog={} dev={:?} inner={:?} {}..{} n={} {} {:.1} {}",
        x.id,
        r.case.sources[x.source as usize].name,
        x.account.as_ref().map_or("-".into(), Account::to_string),
        x.origin.address.map_or("-".into(), |a| a.to_string()),
        if r.sessions.is_flow(i) {
            format!(
                ">{:?} {}",
                r.sessions.features[i].destinations.items.first(),
                x.counts.bytes_out
            )
        } else {
            String::new()
        },
        x.origin.country.as_deref().unwrap_or(""),
        x.host,
        x.program,
        x.origin
            .device
            .as_deref()
            .map(|d| d.chars().take(40).collect::<String>()),
        x.inner.map(|a| a.to_string()),
        ampleur_event::time::rfc3339(x.from),
        ampleur_event::time::rfc3339(x.to),
        x.counts.events,
        j.verdict,
        j.score,
        reasons.join(" ")
    )
}

/// Folders of shared examples, or of `AMPLEUR_CASES`; `None` (said aloud) when absent.
#[allow(dead_code)]
pub fn example(name: &str) -> Option<PathBuf> {
    let p = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/examples")
        .join(name);
    if p.join("truth.json").is_file() {
        Some(p)
    } else {
        eprintln!("SKIPPED: example {name} is not there");
        None
    }
}
