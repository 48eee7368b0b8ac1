//! A mapping proposed from a sample of an unknown format. Nothing is looked up and nothing is asked: fields are told by their names
//! and by what their values look like, free text by the words its lines share. The proposal is a mapping file like any other, to be
//! read, corrected and kept beside a golden.
use super::{fields, plan, stamp, steps};
use crate::{Setting, kv, lines, net, scan, syslog, time::Clock};
use rustc_hash::{FxHashMap, FxHashSet};
use std::{collections::BTreeMap, fmt::Write};

/// A mapping for a sample.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The mapping file.
    pub text: String,
    /// How its records are written: `csv`, `json`, `text` ….
    pub container: &'static str,
    /// Column and the field that fills it, in the order of the columns.
    pub columns: Vec<(String, String)>,
    /// What could not be told from the sample: a person should say.
    pub open: Vec<String>,
}

/// Why nothing is proposed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LearnError {
    #[error("the sample holds no line")]
    Empty,
    #[error("no structure found: less than half of the lines share a shape")]
    Shapeless,
}

/// Most lines looked at.
const LINES_MAX: usize = 2000;

/// Values of one field over the sample.
#[derive(Default)]
struct Field {
    name: String,
    /// Place of first appearance.
    order: usize,
    values: Vec<String>,
}

/// What the values of a field look like, as shares of those that are there.
#[derive(Default, Debug, Clone, Copy)]
struct Looks {
    n: usize,
    distinct: usize,
    time: f64,
    address: f64,
    port: f64,
    integer: f64,
    path: f64,
    url: f64,
    word: f64,
    person: f64,
    method: f64,
    status: f64,
    id: f64,
    host: f64,
    outcome: f64,
    length: f64,
}

/// Proposes a mapping for `sample`, a file of one unknown format. `name` is what the source will be called.
pub fn learn(sample: &[u8], name: &str) -> Result<Proposal, LearnError> {
    let text = lines::text(sample);
    let all: Vec<&str> = text
        .lines()
        .map(|l| l.trim_end_matches('\r'))
        .filter(|l| !lines::is_blank(l.as_bytes()))
        .take(LINES_MAX)
        .collect();
    if all.is_empty() {
        return Err(LearnError::Empty);
    }
    let trimmed = text.trim_start();
    if (trimmed.starts_with('[') || trimmed.starts_with('{'))
        && let Some(p) = json(&text, &all, name)
    {
        return Ok(p);
    }
    if let Some(h) = all.iter().find_map(|l| l.strip_prefix("#Fields:")) {
        return Ok(w3c(h, &all, name));
    }
    let data: Vec<&str> = all
        .iter()
        .copied()
        .filter(|l| !l.starts_with('#'))
        .collect();
    if data.is_empty() {
        return Err(LearnError::Empty);
    }
    // A syslog header is not part of the format.
    let mut clock = Clock::new(&Setting {
        year_hint: Some(2000),
        ..Setting::default()
    });
    let mut headed = 0;
    let bodies: Vec<&str> = data
        .iter()
        .map(|l| match syslog::header(l, &mut clock) {
            Some(h) if h.priority.is_some() || !h.program.is_empty() => {
                headed += 1;
                &l[h.message..]
            }
            _ => l,
        })
        .collect();
    let syslogged = headed * 10 >= data.len() * 8;
    let bodies = if syslogged { bodies } else { data.clone() };
    let most =
        |f: &dyn Fn(&str) -> bool| bodies.iter().filter(|l| f(l)).count() * 10 >= bodies.len() * 8;
    if most(&|l| l.contains("CEF:")) {
        return Ok(pairs_of(&bodies, name, "cef", true, |l, take| {
            if let Some((_, p)) = l.find("CEF:").and_then(|i| kv::Cef::split(&l[i..])) {
                p.for_each(|(k, v)| take(k, &kv::unescape_cef(v)));
            }
        }));
    }
    if most(&|l| l.contains("LEEF:")) {
        return Ok(pairs_of(&bodies, name, "leef", true, |l, take| {
            if let Some((_, d, rest)) = l.find("LEEF:").and_then(|i| fields::leef(&l[i..])) {
                fields::leef_pairs(rest, d, take);
            }
        }));
    }
    if syslogged && most(&|l| l.starts_with('{')) {
        let joined = bodies.join("\n");
        if let Some(mut p) = json(&joined, &bodies, name) {
            p.text = p.text.replacen(
                "container = \"json\"\n",
                "container = \"json\"\nheader = \"syslog\"\n",
                1,
            );
            return Ok(p);
        }
    }
    if let Some(p) = delimited(&bodies, name, syslogged) {
        return Ok(p);
    }
    if let Some(p) = key_values(&bodies, name) {
        return Ok(p);
    }
    if let Some(p) = words_in_columns(&bodies, name, syslogged) {
        return Ok(p);
    }
    free_text(&bodies, name, syslogged).ok_or(LearnError::Shapeless)
}

// --------------------------------------------------------------------------------------------------------------- containers

fn gather(fields: &mut BTreeMap<String, Field>, name: &str, value: &str) {
    let n = fields.len();
    let f = fields.entry(name.to_string()).or_insert_with(|| Field {
        name: name.to_string(),
        order: n,
        values: vec![],
    });
    if f.values.len() < LINES_MAX {
        f.values.push(value.to_string());
    }
}

fn sorted(fields: BTreeMap<String, Field>) -> Vec<Field> {
    let mut all: Vec<Field> = fields.into_values().collect();
    all.sort_by_key(|f| f.order);
    all
}

fn json(text: &str, lines: &[&str], name: &str) -> Option<Proposal> {
    let mut fields = BTreeMap::new();
    let mut read = 0;
    let mut take = |object: &str| {
        if let Ok(pairs) = scan::flatten(object) {
            read += 1;
            for (k, v) in pairs {
                gather(&mut fields, &k, &v);
            }
        }
    };
    let mut container = None;
    let good = lines
        .iter()
        .filter(|l| l.starts_with('{') && scan::flatten(l).is_ok())
        .count();
    if good * 10 >= lines.len() * 8 && good > 0 {
        lines.iter().for_each(|l| take(l));
    } else {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let list = match &value {
            serde_json::Value::Array(a) => Some(a),
            serde_json::Value::Object(o) => o.iter().find_map(|(k, v)| {
                let a = v
                    .as_array()
                    .filter(|a| a.first().is_some_and(serde_json::Value::is_object))?;
                container = Some(k.clone());
                Some(a)
            }),
            _ => None,
        };
        match list {
            Some(a) => a.iter().take(LINES_MAX).for_each(|v| take(&v.to_string())),
            None => take(text),
        }
    }
    if read == 0 {
        return None;
    }
    let mut top = String::from("container = \"json\"\n");
    if let Some(c) = container {
        let _ = writeln!(top, "records = [{}]", quoted(&c));
    }
    Some(finish(name, "json", &top, sorted(fields), ""))
}

fn w3c(header: &str, lines: &[&str], name: &str) -> Proposal {
    let names: Vec<&str> = header.split_whitespace().collect();
    let mut fields = BTreeMap::new();
    let mut cells = vec![];
    for l in lines.iter().filter(|l| !l.starts_with('#')) {
        fields::cells(
            l,
            if l.contains('\t') { b'\t' } else { b' ' },
            Some(b'"'),
            &mut cells,
        );
        for (n, v) in names.iter().zip(&cells) {
            gather(&mut fields, n, v);
        }
    }
    finish(name, "w3c", "container = \"w3c\"\n", sorted(fields), "")
}

fn pairs_of(
    lines: &[&str],
    name: &str,
    container: &'static str,
    heads: bool,
    read: impl Fn(&str, &mut dyn FnMut(&str, &str)),
) -> Proposal {
    let mut fields = BTreeMap::new();
    for l in lines {
        read(l, &mut |k, v| gather(&mut fields, k, v));
        if heads && let Some((h, _)) = l.find("CEF:").and_then(|i| kv::Cef::split(&l[i..])) {
            gather(&mut fields, "head.name", h[5]);
        }
        if heads && let Some((h, _, _)) = l.find("LEEF:").and_then(|i| fields::leef(&l[i..])) {
            gather(&mut fields, "head.id", h[3]);
        }
    }
    finish(
        name,
        container,
        &format!("container = \"{container}\"\n"),
        sorted(fields),
        "",
    )
}

/// Cells between one delimiter, the same number in nearly every line.
fn delimited(lines: &[&str], name: &str, syslogged: bool) -> Option<Proposal> {
    let mut best: Option<(usize, u8, usize)> = None;
    let mut cells = vec![];
    for d in *b"\t;|," {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for l in lines {
            fields::cells(l, d, Some(b'"'), &mut cells);
            *counts.entry(cells.len()).or_default() += 1;
        }
        let (n, hits) = counts.into_iter().max_by_key(|(_, h)| *h)?;
        if n >= 4 && hits * 10 >= lines.len() * 8 && best.is_none_or(|b| n > b.0) {
            best = Some((n, d, hits));
        }
    }
    let (n, d, _) = best?;
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|l| {
            fields::cells(l, d, Some(b'"'), &mut cells);
            cells.iter().map(|c| c.trim().to_string()).collect()
        })
        .collect();
    // `a=1,b=2` is key=value, whatever separates it.
    let pairs = rows
        .iter()
        .flatten()
        .filter(|c| c.split_once('=').is_some_and(|(k, _)| is_key(k)))
        .count();
    if pairs * 2 > rows.iter().map(Vec::len).sum::<usize>() {
        return None;
    }
    let first = &rows[0];
    let header = rows.len() > 1
        && first.len() == n
        && first.iter().all(|c| {
            !c.is_empty() && c.len() < 60 && c.parse::<f64>().is_err() && net::address(c).is_empty()
        })
        && first.iter().collect::<FxHashSet<_>>().len() == n
        && first.iter().all(|c| {
            stamp::any(
                c,
                &mut Clock::new(&Setting {
                    year_hint: Some(2000),
                    ..Setting::default()
                }),
                None,
            )
            .is_none()
        });
    let mut fields = BTreeMap::new();
    for row in rows.iter().skip(usize::from(header)) {
        for (i, c) in row.iter().take(n).enumerate() {
            let cell = if header {
                first[i].clone()
            } else {
                format!("cell{i:02}")
            };
            gather(&mut fields, &cell, c);
        }
    }
    let mut csv = String::from("\n[csv]\n");
    let shown = if d == b'\t' {
        "\\t".to_string()
    } else {
        char::from(d).to_string()
    };
    let _ = writeln!(csv, "delimiter = \"{shown}\"");
    if !header {
        let names: Vec<String> = (0..n).map(|i| quoted(&format!("cell{i:02}"))).collect();
        let _ = writeln!(csv, "columns = [{}]", names.join(", "));
    }
    let top = if syslogged {
        "container = \"csv\"\nheader = \"syslog\"\n"
    } else {
        "container = \"csv\"\n"
    };
    Some(finish(name, "csv", top, sorted(fields), &csv))
}

/// Words of a line; what stands in quotes or brackets is one.
fn words_of(line: &str) -> Vec<&str> {
    let mut all = vec![];
    let mut rest = line.trim();
    while !rest.is_empty() && all.len() < 60 {
        let close = match rest.as_bytes()[0] {
            b'"' => Some('"'),
            b'[' => Some(']'),
            _ => None,
        };
        let quoted = close.and_then(|c| rest[1..].find(c).map(|i| i + 2));
        let n = match quoted.filter(|n| rest[*n..].is_empty() || rest[*n..].starts_with(' ')) {
            Some(n) => n,
            None => rest.find(char::is_whitespace).unwrap_or(rest.len()),
        };
        all.push(&rest[..n]);
        rest = rest[n..].trim_start();
    }
    all
}

/// Columns separated by blanks: the same number of words in most lines, and of one kind by place.
fn words_in_columns(lines: &[&str], name: &str, syslogged: bool) -> Option<Proposal> {
    let rows: Vec<Vec<&str>> = lines.iter().map(|l| words_of(l)).collect();
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for r in &rows {
        *counts.entry(r.len()).or_default() += 1;
    }
    let (n, hits) = counts.into_iter().max_by_key(|(_, h)| *h)?;
    if n < 6 || hits * 10 < rows.len() * 7 {
        return None;
    }
    let same: Vec<&Vec<&str>> = rows.iter().filter(|r| r.len() == n).collect();
    let inner = |w: &str| -> String { w.trim_matches(['"', '[', ']']).to_string() };
    let mut fields = BTreeMap::new();
    for r in &same {
        for (i, w) in r.iter().enumerate() {
            gather(&mut fields, &format!("cell{i:02}"), &inner(w));
        }
    }
    let fields = sorted(fields);
    let kinds = fields
        .iter()
        .filter(|f| {
            let l = Looks::of(&f.values);
            l.n > 0
                && [l.time, l.address, l.integer, l.url, l.method]
                    .iter()
                    .any(|x| *x > 0.9)
        })
        .count();
    // Sentences have few such places; constant words in the same place make a sentence too.
    let constant = (0..n)
        .filter(|i| {
            same.len() > 2
                && same
                    .iter()
                    .all(|r| r[*i] == same[0][*i] && r[*i].bytes().all(|b| b.is_ascii_lowercase()))
        })
        .count();
    if kinds < 3 || kinds * 3 < n || constant * 4 > n {
        return None;
    }
    let mut regex = String::from("^");
    for (i, f) in fields.iter().enumerate() {
        if i > 0 {
            regex.push_str(r"\s+");
        }
        let all = |a: &str, b: &str| {
            same.iter()
                .all(|r| r[i].starts_with(a) && r[i].ends_with(b) && r[i].len() > 1)
        };
        if all("\"", "\"") {
            let _ = write!(regex, "\"(?P<{}>[^\"]*)\"", f.name);
        } else if all("[", "]") {
            let _ = write!(regex, r"\[(?P<{}>[^\]]*)\]", f.name);
        } else {
            let _ = write!(regex, r"(?P<{}>\S+)", f.name);
        }
    }
    let mut top = String::from("container = \"text\"\n");
    if !syslogged {
        top.push_str("header = \"none\"\n");
    }
    let after = format!("\n[[pattern]]\nregex = {}\n", quoted(&regex));
    let mut p = finish(name, "text", &top, fields, &after);
    // Places have no names to be known by.
    if let Some(a) = p.text.find("\n[[sniff]]") {
        let end = p.text[a + 1..]
            .find("\n[")
            .map_or(p.text.len(), |i| a + 1 + i);
        p.text.replace_range(
            a..end,
            &format!(
                "\n[[sniff]]\nconfidence = \"maybe\"\nregex = {}\n",
                quoted(&regex)
            ),
        );
    }
    Some(p)
}

fn is_key(k: &str) -> bool {
    let k = k.trim();
    !k.is_empty()
        && k.len() <= 40
        && k.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && k.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.@/".contains(&b))
}

/// `key=value` in the shape that explains most of the text.
fn key_values(lines: &[&str], name: &str) -> Option<Proposal> {
    let shape = |pair: &str, between: &str| plan::KvShape {
        regex: None,
        pair: vec![pair.into()],
        between: vec![between.into()],
        quotes: "\"'".into(),
    };
    let shapes = [
        None,
        Some(shape("=", ", ")),
        Some(shape("=", ";")),
        Some(shape("=", "|")),
        Some(shape("=", "\t")),
        Some(shape(":", ", ")),
        Some(shape(":", "; ")),
        Some(shape(":", " ")),
    ];
    let mut best: Option<(f64, usize)> = None;
    for (i, s) in shapes.iter().enumerate() {
        let (mut explained, mut total, mut good) = (0usize, 0usize, 0usize);
        for l in lines {
            let mut n = 0;
            fields::pairs(l, s.as_ref(), |k, v, _| {
                if is_key(k) {
                    n += 1;
                    explained += k.len() + v.len() + 2;
                }
            });
            good += usize::from(n >= 3);
            total += l.len().max(1);
        }
        let share = explained as f64 / total as f64;
        if good * 10 >= lines.len() * 7 && share > 0.55 && best.is_none_or(|b| share > b.0 + 0.03) {
            best = Some((share, i));
        }
    }
    let (_, i) = best?;
    let s = &shapes[i];
    let mut fields = BTreeMap::new();
    for l in lines {
        fields::pairs(l, s.as_ref(), |k, v, _| {
            if is_key(k) {
                gather(&mut fields, k, v);
            }
        });
    }
    let after = match s {
        None => String::new(),
        Some(s) => format!(
            "\n[kv]\npair = {}\nbetween = [{}]\nquotes = \"\\\"'\"\n",
            quoted(s.pair.first().map_or("=", String::as_str)),
            quoted(&s.between[0])
        ),
    };
    Some(finish(
        name,
        "kv",
        "container = \"kv\"\n",
        sorted(fields),
        &after,
    ))
}

// ------------------------------------------------------------------------------------------------------------------ columns

impl Looks {
    fn of(values: &[String]) -> Looks {
        let mut l = Looks::default();
        let mut seen = FxHashSet::default();
        let mut clock = Clock::new(&Setting {
            year_hint: Some(2000),
            ..Setting::default()
        });
        for v in values
            .iter()
            .map(|v| v.trim())
            .filter(|v| !steps::nothing(v))
        {
            l.n += 1;
            seen.insert(v);
            let add = |slot: &mut f64, is: bool| *slot += f64::from(u8::from(is));
            let number = v.parse::<u64>().ok();
            let address = !net::address(v).is_empty();
            let time = v.len() >= 8 && !address && stamp::any(v, &mut clock, None).is_some();
            add(&mut l.time, time);
            add(&mut l.address, address);
            add(&mut l.integer, number.is_some());
            add(
                &mut l.port,
                number.is_some_and(|n| (1..=65535).contains(&n)),
            );
            add(
                &mut l.status,
                number.is_some_and(|n| (100..600).contains(&n)),
            );
            add(
                &mut l.url,
                v.contains("://")
                    || v.starts_with('/') && !v.starts_with("//")
                    || v.split_once(':').is_some_and(|(h, p)| {
                        h.contains('.') && !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit())
                    }),
            );
            add(
                &mut l.path,
                v.starts_with('/')
                    || v.starts_with("\\\\")
                    || v.get(1..3) == Some(":\\")
                    || v.rsplit_once('/')
                        .is_some_and(|(_, n)| n.contains('.') && net::address(n).is_empty()),
            );
            let plain = v.len() <= 48
                && v.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_-.@\\$ ".contains(&b));
            add(
                &mut l.word,
                number.is_none()
                    && !address
                    && !time
                    && v.len() <= 40
                    && v.chars().any(char::is_alphabetic),
            );
            add(
                &mut l.person,
                plain
                    && number.is_none()
                    && !address
                    && !time
                    && !v.contains(' ')
                    && v.len() >= 2
                    && v.bytes().any(|b| b.is_ascii_alphabetic()),
            );
            add(
                &mut l.method,
                matches!(
                    v,
                    "GET"
                        | "POST"
                        | "PUT"
                        | "DELETE"
                        | "HEAD"
                        | "OPTIONS"
                        | "PATCH"
                        | "CONNECT"
                        | "PROPFIND"
                ),
            );
            add(
                &mut l.id,
                v.len() >= 8
                    && v.bytes().filter(u8::is_ascii_digit).count() * 3 >= v.len()
                    && !time
                    && !address,
            );
            add(
                &mut l.host,
                !address
                    && v.len() <= 64
                    && plain
                    && !v.contains(['@', '\\', ' '])
                    && (v.contains('.') || v.contains('-')),
            );
            add(&mut l.outcome, outcome_of(v).is_some());
            l.length += v.len() as f64;
        }
        l.distinct = seen.len();
        let n = l.n.max(1) as f64;
        for s in [
            &mut l.time,
            &mut l.address,
            &mut l.port,
            &mut l.integer,
            &mut l.path,
            &mut l.url,
            &mut l.word,
            &mut l.person,
            &mut l.method,
            &mut l.status,
            &mut l.id,
            &mut l.host,
            &mut l.outcome,
            &mut l.length,
        ] {
            *s /= n;
        }
        l
    }
}

/// `true` success, `false` failure, for words of any product that say so.
fn outcome_of(v: &str) -> Option<bool> {
    let v = v.to_ascii_lowercase();
    let any = |w: &[&str]| w.iter().any(|w| v.contains(w));
    if v.len() > 40 {
        return None;
    }
    if any(&[
        "fail",
        "denied",
        "deny",
        "refus",
        "reject",
        "error",
        "invalid",
        "block",
        "unsuccess",
        "échec",
        "echec",
        "unauthor",
        "forbid",
        "drop",
    ]) {
        return Some(false);
    }
    (any(&[
        "succ", "allow", "accept", "grant", "permit", "réussi", "reussi", "passed",
    ]) || matches!(v.as_str(), "ok" | "pass" | "true"))
    .then_some(true)
}

/// Names fields go by, best first, per column, without punctuation and in lower case.
const NAMES: &[(&str, &[&str])] = &[
    (
        "time",
        &[
            "timestamp",
            "datetime",
            "eventtime",
            "time",
            "date",
            "creationtime",
            "timegenerated",
            "published",
            "ts",
            "logtime",
            "when",
            "starttime",
            "start",
            "horodatage",
            "dateheure",
            "heure",
            "createdat",
            "occurred",
            "receivedtime",
            "rt",
            "end",
            "eventdate",
            "timecreated",
        ],
    ),
    (
        "user",
        &[
            "user",
            "username",
            "login",
            "account",
            "suser",
            "srcuser",
            "userprincipalname",
            "sourceuser",
            "sourceusername",
            "usrname",
            "userid",
            "actoralternateid",
            "actor",
            "principal",
            "useremail",
            "accountname",
            "utilisateur",
            "identifiant",
            "agent",
            "operator",
            "uid",
            "who",
            "owner",
            "requestinguser",
            "csusername",
            "email",
            "upn",
            "clientuser",
            "authuser",
            "usr",
            "performedby",
            "duser",
            "name",
        ],
    ),
    (
        "src_ip",
        &[
            "srcip",
            "src",
            "sourceip",
            "clientip",
            "remoteip",
            "ipaddress",
            "remoteaddr",
            "sourceaddress",
            "cip",
            "clientaddress",
            "ip",
            "addr",
            "remip",
            "client",
            "saddr",
            "callerip",
            "clientipaddress",
            "remoteaddress",
            "adresse",
            "adresseip",
            "ipadresse",
            "peer",
            "hostip",
            "clienthost",
            "userip",
            "fromip",
            "remotehost",
            "from",
            "origin",
            "workstationip",
            "srcaddr",
            "publicip",
            "poste",
        ],
    ),
    (
        "dst_ip",
        &[
            "dstip",
            "dst",
            "destinationip",
            "destip",
            "destinationaddress",
            "daddr",
            "sip",
            "serverip",
            "targetip",
            "dstaddr",
            "dest",
            "localip",
            "toip",
        ],
    ),
    (
        "src_port",
        &[
            "srcport",
            "sport",
            "sourceport",
            "spt",
            "clientport",
            "remoteport",
            "cport",
        ],
    ),
    (
        "dst_port",
        &[
            "dstport",
            "dport",
            "destinationport",
            "destport",
            "dpt",
            "serverport",
            "sport2",
            "port",
        ],
    ),
    (
        "action",
        &[
            "action",
            "operation",
            "eventtype",
            "event",
            "eventname",
            "activity",
            "act",
            "operationname",
            "activitydisplayname",
            "type",
            "verb",
            "command",
            "opération",
            "evenement",
            "headname",
            "methodname",
            "actiontype",
            "request",
            "category",
            "subtype",
            "csmethod",
            "method",
            "msg",
            "message",
            "description",
            "headid",
            "what",
            "eventid",
            "op",
        ],
    ),
    (
        "object",
        &[
            "object",
            "resource",
            "filename",
            "file",
            "filepath",
            "objectname",
            "path",
            "objectid",
            "target",
            "targetname",
            "uri",
            "url",
            "csuristem",
            "document",
            "patient",
            "patientid",
            "ipp",
            "record",
            "dossier",
            "table",
            "database",
            "resourcename",
            "sourcefilename",
            "item",
            "fname",
            "objet",
            "study",
            "dataset",
            "key",
            "share",
            "requesturl",
            "query",
            "destination",
            "dhost",
            "application",
            "app",
        ],
    ),
    (
        "outcome",
        &[
            "outcome",
            "result",
            "status",
            "resultstatus",
            "success",
            "outcomeresult",
            "returncode",
            "resultat",
            "etat",
            "responsecode",
            "disposition",
        ],
    ),
    (
        "host",
        &[
            "host",
            "hostname",
            "server",
            "devicename",
            "computer",
            "node",
            "servername",
            "dvchost",
            "scomputername",
            "machine",
            "devname",
            "fw",
            "serveur",
            "instance",
        ],
    ),
    (
        "session_id",
        &[
            "sessionid",
            "session",
            "sid",
            "connectionid",
            "logonid",
            "tunnelid",
            "authsessionid",
            "externalsessionid",
        ],
    ),
    (
        "bytes_out",
        &[
            "bytesout",
            "sent",
            "sentbyte",
            "bytessent",
            "out",
            "csbytes",
            "uploadbytes",
            "txbytes",
        ],
    ),
    (
        "bytes_in",
        &[
            "bytesin",
            "rcvd",
            "rcvdbyte",
            "bytesreceived",
            "in",
            "scbytes",
            "downloadbytes",
            "rxbytes",
            "bytes",
            "size",
        ],
    ),
    (
        "status",
        &[
            "statuscode",
            "scstatus",
            "httpstatus",
            "responsestatus",
            "status",
            "code",
        ],
    ),
    (
        "http_method",
        &["method", "httpmethod", "csmethod", "requestmethod", "verb"],
    ),
    (
        "url",
        &[
            "url",
            "uri",
            "requesturl",
            "csuristem",
            "requesturi",
            "path",
            "request",
        ],
    ),
    (
        "device",
        &[
            "useragent",
            "agent",
            "devicename",
            "device",
            "browser",
            "clientapp",
            "workstation",
            "workstationname",
            "computername",
            "poste",
        ],
    ),
    (
        "process",
        &[
            "process",
            "program",
            "application",
            "app",
            "clientapp",
            "service",
            "appname",
            "module",
            "programme",
        ],
    ),
    (
        "domain",
        &[
            "domain",
            "realm",
            "userdomain",
            "ntdomain",
            "sntdom",
            "domaine",
        ],
    ),
];

fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// How well a name fits a column: by the whole path, by its last part, or by a word in it.
fn named(column: &str, field: &str) -> f64 {
    let Some((_, names)) = NAMES.iter().find(|(c, _)| *c == column) else {
        return 0.0;
    };
    let whole = plain(field);
    let last = plain(field.rsplit(['.', ':']).next().unwrap_or(field));
    let depth = field.matches('.').count() as f64;
    let mut best = 0.0f64;
    if column == "object" {
        let thing = ["target", "resource", "object", "item", "file"]
            .iter()
            .any(|w| whole.starts_with(w) && whole.len() > last.len());
        if thing
            && matches!(
                last.as_str(),
                "name" | "displayname" | "alternateid" | "path"
            )
        {
            return 8.0;
        }
        if last == "id" && depth > 0.0 {
            return 1.5;
        }
    }
    for (i, n) in names.iter().enumerate() {
        let rank = 1.0 - i as f64 / (names.len() as f64 * 1.6);
        let s = if whole == *n {
            10.0 * rank
        } else if last == *n {
            8.5 * rank - depth * 0.3
        } else if n.len() >= 4 && (last.ends_with(n) || last.starts_with(n)) {
            5.0 * rank - depth * 0.3
        } else if n.len() >= 5 && whole.contains(n) {
            3.0 * rank
        } else {
            0.0
        };
        best = best.max(s);
    }
    best
}

/// What values say of a column, from −∞ (impossible) to about 6.
fn fits(column: &str, l: &Looks, rows: usize) -> f64 {
    let no = f64::NEG_INFINITY;
    if l.n == 0 {
        return no;
    }
    let there = l.n as f64 / rows.max(1) as f64;
    let varied = l.distinct as f64 / l.n as f64;
    let f = match column {
        "time" => {
            if l.time > 0.8 {
                4.0 * l.time
            } else {
                no
            }
        }
        "user" => {
            if l.address > 0.3
                || l.time > 0.3
                || l.method > 0.3
                || l.integer > 0.7 && l.length < 4.0
                || l.length > 64.0
            {
                no
            } else {
                1.5 * l.person + if l.distinct > 1 { 0.5 } else { 0.0 } - 2.0 * l.path - l.outcome
            }
        }
        "src_ip" | "dst_ip" => {
            if l.address > 0.5 {
                3.0 * l.address
            } else {
                no
            }
        }
        "src_port" | "dst_port" => {
            if l.port > 0.8 {
                1.0
            } else {
                no
            }
        }
        "action" => {
            if l.address > 0.3 || l.time > 0.3 || l.integer > 0.9 || l.length > 90.0 {
                no
            } else {
                let few = if l.n >= 6 { 1.0 - varied } else { 0.5 };
                2.0 * l.word + 2.0 * few + if l.distinct > 1 { 0.7 } else { 0.0 }
                    - l.path
                    - l.person * varied
            }
        }
        "object" => {
            if l.address > 0.6 || l.time > 0.5 || l.method > 0.5 {
                no
            } else {
                2.0 * l.path.max(l.url) + 0.8 * varied
                    - 1.5 * l.outcome
                    - if l.integer > 0.8 && l.length < 5.0 {
                        2.0
                    } else {
                        0.0
                    }
            }
        }
        "outcome" => {
            if l.outcome > 0.5 || l.status > 0.9 && l.distinct > 1 {
                2.0
            } else {
                no
            }
        }
        "status" => {
            if l.status > 0.9 {
                2.0
            } else {
                no
            }
        }
        "http_method" => {
            if l.method > 0.8 {
                4.0
            } else {
                no
            }
        }
        "url" => {
            if l.url > 0.7 {
                2.0
            } else {
                no
            }
        }
        "bytes_in" | "bytes_out" => {
            if l.integer > 0.9 {
                0.5
            } else {
                no
            }
        }
        "host" => {
            if l.address > 0.9 || l.time > 0.2 || l.path > 0.4 || l.integer > 0.8 {
                no
            } else {
                l.host + 0.5 - varied
            }
        }
        "session_id" => {
            if l.time > 0.5 {
                no
            } else {
                0.5 + l.id
            }
        }
        "device" | "process" | "domain" => {
            if l.address > 0.5 || l.time > 0.5 {
                no
            } else {
                0.3
            }
        }
        _ => 0.0,
    };
    f + there
}

fn quoted(s: &str) -> String {
    let mut out = String::from("\"");
    for c in s.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 32 || c as u32 == 127 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A verb for a product's own word.
fn verb_of(word: &str) -> Option<&'static str> {
    let w = word.to_lowercase();
    let has = |l: &[&str]| l.iter().any(|x| w.contains(x));
    if has(&[
        "logout",
        "logoff",
        "signout",
        "sign out",
        "logged out",
        "log out",
        "disconnect",
        "session end",
        "session.end",
        "déconnexion",
        "deconnexion",
    ]) {
        return Some("logout");
    }
    if has(&[
        "login",
        "logon",
        "log in",
        "signin",
        "sign in",
        "sign-in",
        "authenticat",
        "auth",
        "session start",
        "session.start",
        "connexion",
        "logged in",
    ]) {
        return Some("login");
    }
    if has(&["delete", "remove", "supprim"]) {
        return Some("delete");
    }
    if has(&["export", "download", "télécharg", "telecharg"]) {
        return Some("export");
    }
    if has(&["print", "impression"]) {
        return Some("print");
    }
    if has(&["search", "recherche"]) {
        return Some("search");
    }
    if has(&[
        "read", "view", "open", "access", "consult", "preview", "lecture",
    ]) {
        return Some("read");
    }
    if has(&["create", "add", "upload", "insert", "création", "creation"]) {
        return Some("create");
    }
    if has(&["update", "modif", "edit", "change", "write", "rename"]) {
        return Some("update");
    }
    None
}

fn finish(
    name: &str,
    container: &'static str,
    top: &str,
    fields: Vec<Field>,
    after: &str,
) -> Proposal {
    let rows = fields.iter().map(|f| f.values.len()).max().unwrap_or(0);
    let looks: Vec<Looks> = fields.iter().map(|f| Looks::of(&f.values)).collect();
    let mut taken: FxHashSet<usize> = FxHashSet::default();
    let mut columns: Vec<(String, Vec<usize>)> = vec![];
    // The five that matter first, each with the field that fits it best, and others where that one is absent.
    for (column, _) in NAMES {
        let shared = matches!(
            *column,
            "status" | "url" | "http_method" | "process" | "device"
        );
        let typed = matches!(*column, "time" | "src_ip" | "http_method");
        let by_looks = matches!(*column, "user" | "action" | "object" | "url" | "status");
        let needed = if typed {
            0.0
        } else if matches!(*column, "user" | "action" | "object") {
            1.2
        } else {
            2.0
        };
        let mut found: Vec<(f64, usize)> = fields
            .iter()
            .enumerate()
            .filter(|(i, _)| shared || !taken.contains(i))
            .filter_map(|(i, f)| {
                let fit = fits(column, &looks[i], rows);
                let name = named(column, &f.name);
                let nameless = f.name.starts_with("cell") && by_looks;
                (fit != f64::NEG_INFINITY && (name >= needed || nameless))
                    .then_some((name + fit - i as f64 * 0.01, i))
            })
            .collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let Some((_, first)) = found.first().copied() else {
            continue;
        };
        let mut all = vec![first];
        let more = matches!(*column, "time" | "user" | "src_ip" | "action" | "object");
        if more && looks[first].n * 20 < rows * 19 {
            all.extend(
                found
                    .iter()
                    .skip(1)
                    .take(2)
                    .map(|(_, i)| *i)
                    .filter(|i| named(column, &fields[*i].name) >= 2.0 || typed),
            );
        }
        if !shared {
            taken.insert(first);
        }
        columns.push(((*column).to_string(), all));
    }
    // An outcome in words and a status in numbers are one field at times.
    write_out(name, container, top, &fields, &looks, &columns, after)
}

fn write_out(
    name: &str,
    container: &'static str,
    top: &str,
    fields: &[Field],
    looks: &[Looks],
    columns: &[(String, Vec<usize>)],
    after: &str,
) -> Proposal {
    let of = |c: &str| columns.iter().find(|(n, _)| n == c).map(|(_, i)| i[0]);
    let all_of = |c: &str| -> String {
        let list = columns
            .iter()
            .find(|(n, _)| n == c)
            .map(|(_, i)| i.clone())
            .unwrap_or_default();
        list.iter()
            .map(|i| quoted(&fields[*i].name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut open = vec![];
    let mut out = String::new();
    let _ = writeln!(
        out,
        "# Proposed from a sample: read it, correct it, keep it beside a golden case."
    );
    let _ = writeln!(
        out,
        "about = {}",
        quoted(&format!("{name}, learned from a sample"))
    );
    let _ = writeln!(out, "standard = \"learned\"\nsection = \"sample\"");
    out.push_str(top);
    let _ = writeln!(out, "known = 1\nsystem = \"web\"\nsilence = \"nothing\"");
    match of("time") {
        Some(i) => {
            let _ = writeln!(out, "time = [{}]", all_of("time"));
            if fields[i].values.iter().take(50).all(|v| {
                !v.ends_with('Z')
                    && !v.get(10..).is_some_and(|t| t.contains('+'))
                    && v.parse::<f64>().is_err()
            }) {
                open.push("the stamps carry no zone: say `timezone` in the context".to_string());
            }
        }
        None => match split_time(fields) {
            Some((d, t, format)) => {
                let _ = writeln!(
                    out,
                    "time = [{{ from = [{}, {}], format = {}{} }}]",
                    quoted(&d),
                    quoted(&t),
                    quoted(&format),
                    // The standard fixes its stamps to GMT.
                    if container == "w3c" {
                        ", utc = true"
                    } else {
                        ""
                    }
                );
                open.push("the stamps carry no zone: say `timezone` in the context".to_string());
            }
            None => open.push("no field looks like a time".to_string()),
        },
    }
    for (c, what) in [
        ("user", "an account"),
        ("src_ip", "an address of origin"),
        ("action", "an action"),
    ] {
        if of(c).is_none() {
            open.push(format!("no field looks like {what}"));
        }
    }
    let mut said = vec![];
    out.push_str("\n[proof]\n");
    let mut verbs: BTreeMap<String, &'static str> = BTreeMap::new();
    if let Some(i) = of("action") {
        for v in &fields[i].values {
            if let Some(verb) = verb_of(v)
                && verbs.len() < 60
            {
                verbs.insert(v.clone(), verb);
            }
        }
    }
    let web = of("http_method").is_some();
    let mut kinds: Vec<&str> = verbs.values().copied().collect();
    kinds.sort_unstable();
    kinds.dedup();
    for k in &kinds {
        let proof = match *k {
            "login" | "logout" => "presence",
            "create" | "update" | "delete" => "change",
            // A sample cannot tell whether data was served.
            _ => "attempt",
        };
        let _ = writeln!(out, "{k} = \"{proof}\"");
    }
    if web && !kinds.contains(&"request") {
        out.push_str("request = \"question\"\n");
    }
    if kinds.is_empty() && !web {
        out.push_str("other = \"attempt\"\n");
    }
    // Names are the surest sign of a format.
    let mut names: Vec<&Field> = fields
        .iter()
        .filter(|f| {
            f.values.len() * 10 >= fields.iter().map(|f| f.values.len()).max().unwrap_or(0) * 9
        })
        .collect();
    names.sort_by_key(|f| std::cmp::Reverse(f.name.len()));
    let shown = |f: &Field| match container {
        "json" => format!("\"{}\"", f.name.split('.').next().unwrap_or("")),
        "kv" | "cef" | "leef" => f.name.clone(),
        _ => f.name.clone(),
    };
    let mut marks: Vec<String> = names
        .iter()
        .map(|f| shown(f))
        .filter(|m| m.len() > 3)
        .collect();
    marks.dedup();
    marks.truncate(4);
    if !marks.is_empty()
        && (container != "csv" || !fields.iter().any(|f| f.name.starts_with("cell")))
    {
        let marks: Vec<String> = marks.iter().map(|m| quoted(m)).collect();
        let _ = writeln!(
            out,
            "\n[[sniff]]\nconfidence = \"likely\"\nall = [{}]",
            marks.join(", ")
        );
    }
    out.push_str("\n[columns]\n");
    for (c, i) in columns {
        if matches!(c.as_str(), "time" | "outcome") {
            continue;
        }
        let domain = c == "user"
            && i.iter()
                .any(|i| fields[*i].values.iter().any(|v| v.contains('\\')));
        let f = all_of(c);
        if domain {
            let _ = writeln!(out, "{c} = {{ from = [{f}], as = \"account\" }}");
        } else {
            let _ = writeln!(out, "{c} = [{f}]");
        }
        said.push((
            c.clone(),
            i.iter()
                .map(|i| fields[*i].name.clone())
                .collect::<Vec<_>>()
                .join(", "),
        ));
    }
    if let Some(i) = of("outcome") {
        let (mut good, mut bad): (Vec<String>, Vec<String>) = (vec![], vec![]);
        if looks[i].outcome > 0.3 {
            for v in &fields[i].values {
                match outcome_of(v) {
                    Some(true) if !good.contains(v) => good.push(v.clone()),
                    Some(false) if !bad.contains(v) => bad.push(v.clone()),
                    _ => {}
                }
            }
        } else {
            good.push("100..399".into());
            bad.push("400..599".into());
        }
        let l = |v: &[String]| {
            v.iter()
                .take(20)
                .map(|s| quoted(s))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let _ = writeln!(
            out,
            "\n[outcome]\nfrom = {}\nsuccess = [{}]\nfailure = [{}]",
            quoted(&fields[i].name),
            l(&good),
            l(&bad)
        );
        said.push(("outcome".into(), fields[i].name.clone()));
    }
    if !verbs.is_empty() {
        out.push_str("\n[verbs]\n");
        for (w, v) in &verbs {
            let _ = writeln!(out, "{} = \"{v}\"", quoted(w));
        }
    } else if web {
        out.push_str("\n[[rule]]\nwhen = { ");
        let f = of("http_method").map_or(String::new(), |i| fields[i].name.clone());
        let _ = writeln!(out, "{} = \"*\" }}\nverb = \"request\"", quoted(&f));
    }
    out.push_str(after);
    if let Some(i) = of("time") {
        said.insert(0, ("time".into(), fields[i].name.clone()));
    }
    Proposal {
        text: out,
        container,
        columns: said,
        open,
    }
}

/// A date in one field and a time of day in another.
fn split_time(fields: &[Field]) -> Option<(String, String, String)> {
    let first = |f: &Field| {
        f.values
            .iter()
            .find(|v| !steps::nothing(v))
            .cloned()
            .unwrap_or_default()
    };
    let clock = fields.iter().find(|f| {
        let v = first(f);
        let b = v.as_bytes();
        b.len() >= 8 && b[2] == b':' && b[5] == b':' && b[..2].iter().all(u8::is_ascii_digit)
    })?;
    let (date, format) = fields.iter().find_map(|f| {
        let v = first(f);
        let parts: Vec<&str> = v.split(['-', '/', '.']).collect();
        if parts.len() != 3
            || !parts
                .iter()
                .all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
        {
            return None;
        }
        let sep = v.chars().find(|c| !c.is_ascii_digit())?;
        if parts[0].len() == 4 {
            return Some((f, format!("%Y{sep}%m{sep}%d")));
        }
        let year = if parts[2].len() == 4 { "%Y" } else { "%y" };
        // Day first unless some second number is too large for a month.
        let month_first = f.values.iter().any(|v| {
            v.split(['-', '/', '.'])
                .nth(1)
                .and_then(|p| p.parse::<u8>().ok())
                .is_some_and(|n| n > 12)
        });
        Some((
            f,
            if month_first {
                format!("%m{sep}%d{sep}{year}")
            } else {
                format!("%d{sep}%m{sep}{year}")
            },
        ))
    })?;
    Some((
        date.name.clone(),
        clock.name.clone(),
        format!("{format} %H:%M:%S"),
    ))
}

// ---------------------------------------------------------------------------------------------------------------- free text

/// What a token of a line is, apart from its words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Token {
    Word(String),
    Var,
}

/// One kind of line.
struct Template {
    tokens: Vec<Token>,
    lines: Vec<usize>,
}

/// Punctuation around a value stays text.
fn bare(token: &str) -> (&str, &str, &str) {
    let start = token.len()
        - token
            .trim_start_matches(['(', '[', '<', '"', '\'', '{', '='])
            .len();
    let core = &token[start..];
    let end = core
        .trim_end_matches([')', ']', '>', '"', '\'', '}', ',', ';', ':', '.'])
        .len();
    (&token[..start], &core[..end], &core[end..])
}

/// True when the word before says that a name follows: `user alice`, `for alice from`.
fn names_somebody(before: Option<&str>, word: &str) -> bool {
    let lower = word.to_lowercase();
    let before = before
        .map(|b| b.trim_end_matches([':', '=']).to_lowercase())
        .unwrap_or_default();
    matches!(
        before.as_str(),
        "user" | "for" | "by" | "account" | "username" | "utilisateur" | "login" | "compte" | "par"
    ) && word
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"_-.$".contains(&b))
        && !matches!(
            lower.as_str(),
            "user"
                | "invalid"
                | "illegal"
                | "unknown"
                | "the"
                | "a"
                | "an"
                | "from"
                | "authenticating"
                | "account"
                | "to"
                | "on"
                | "all"
                | "in"
                | "is"
                | "was"
                | "has"
        )
}

fn variable(core: &str) -> bool {
    !net::address(core).is_empty()
        || core.bytes().any(|b| b.is_ascii_digit())
        || core.contains('@')
        || core.contains('\\')
        || core.contains('/') && core.len() > 3
        || core.contains('_') && core.contains('.')
}

/// Lines grouped by number of tokens and the words they share, as in Drain: the first words lead, the most alike group takes the line.
fn templates(lines: &[&str]) -> Vec<Template> {
    let mut groups: FxHashMap<usize, Vec<Template>> = FxHashMap::default();
    for (i, l) in lines.iter().enumerate() {
        let mut before: Option<&str> = None;
        let tokens: Vec<Token> = l
            .split_whitespace()
            .take(60)
            .map(|t| {
                let (_, core, _) = bare(t);
                let named = names_somebody(before.replace(t), core);
                if variable(core) || named {
                    Token::Var
                } else {
                    Token::Word(t.to_string())
                }
            })
            .collect();
        let group = groups.entry(tokens.len()).or_default();
        let mut best: Option<(usize, usize)> = None;
        for (k, t) in group.iter().enumerate() {
            let same = t.tokens.iter().zip(&tokens).filter(|(a, b)| a == b).count();
            let words = t
                .tokens
                .iter()
                .zip(&tokens)
                .filter(|(a, b)| a == b && matches!(a, Token::Word(_)))
                .count();
            if words * 2
                >= tokens
                    .iter()
                    .filter(|t| matches!(t, Token::Word(_)))
                    .count()
                    .max(1)
                && same * 10 >= tokens.len() * 6
                && best.is_none_or(|b| same > b.0)
            {
                best = Some((same, k));
            }
        }
        match best {
            Some((_, k)) => {
                for (a, b) in group[k].tokens.iter_mut().zip(&tokens) {
                    if a != b {
                        *a = Token::Var;
                    }
                }
                group[k].lines.push(i);
            }
            None => group.push(Template {
                tokens,
                lines: vec![i],
            }),
        }
    }
    let mut all: Vec<Template> = vec![];
    let mut sizes: Vec<usize> = groups.keys().copied().collect();
    sizes.sort_unstable();
    for s in sizes {
        all.extend(groups.remove(&s).unwrap_or_default());
    }
    all.sort_by_key(|t| (std::cmp::Reverse(t.lines.len()), t.lines[0]));
    all
}

fn escape(s: &str) -> String {
    regex::escape(s)
}

/// What stands before a value names it: `user alice`, `from 10.0.0.1`, `port 22`.
fn column_after(words: &str, core_values: &[&str]) -> Option<&'static str> {
    let values: Vec<String> = core_values.iter().map(|v| (*v).to_string()).collect();
    let l = Looks::of(&values);
    let before = words.to_lowercase();
    let ends = |w: &[&str]| {
        w.iter().any(|w| {
            before
                .trim_end_matches([':', '=', ' ', '"', '\''])
                .ends_with(w)
        })
    };
    if l.address > 0.6 {
        return Some(
            if ends(&["to", "dst", "destination", "server", "->", "vers"]) {
                "dst_ip"
            } else {
                "src_ip"
            },
        );
    }
    if l.port > 0.9 && ends(&["port"]) {
        return Some("src_port");
    }
    if l.person > 0.6
        && l.time < 0.2
        && ends(&[
            "user",
            "for",
            "by",
            "utilisateur",
            "account",
            "username",
            "login",
            "uid",
            "par",
            "from user",
            "compte",
            "logname",
        ])
    {
        return Some("user");
    }
    if l.path > 0.6
        || l.url > 0.6
        || ends(&[
            "file", "fichier", "path", "document", "record", "dossier", "patient", "table",
            "object", "share", "study", "download", "read", "opened",
        ])
    {
        return Some("object");
    }
    None
}

fn free_text(lines: &[&str], name: &str, syslogged: bool) -> Option<Proposal> {
    // A stamp at the front of lines without a syslog header.
    let mut clock = Clock::new(&Setting {
        year_hint: Some(2000),
        ..Setting::default()
    });
    let front = |l: &str, clock: &mut Clock| -> Option<usize> {
        let b = l.as_bytes();
        let skip = usize::from(matches!(b.first(), Some(b'[' | b'(')));
        let at = &b[skip..];
        let n = crate::time::iso(at)
            .map(|x| x.2)
            .or_else(|| crate::time::clf(at).map(|x| x.2))
            .or_else(|| crate::time::bsd(at).map(|x| x.1))
            .or_else(|| crate::time::named(at).map(|x| x.2))?;
        let _ = clock;
        Some(
            (skip + n + usize::from(skip == 1 && matches!(b.get(skip + n), Some(b']' | b')'))))
                .min(l.len()),
        )
    };
    let stamped = !syslogged
        && lines
            .iter()
            .filter(|l| front(l, &mut clock).is_some())
            .count()
            * 10
            >= lines.len() * 8;
    let stamp_words = lines
        .iter()
        .find_map(|l| front(l, &mut clock).map(|n| l[..n].split_whitespace().count()))
        .unwrap_or(1)
        .max(1);
    let bodies: Vec<&str> = lines
        .iter()
        .map(|l| {
            if stamped {
                front(l, &mut clock).and_then(|n| l.get(n..)).unwrap_or(l)
            } else {
                l
            }
        })
        .collect();
    let mut all = templates(&bodies);
    let covered: usize = all
        .iter()
        .filter(|t| t.lines.len() > 1 || lines.len() < 20)
        .map(|t| t.lines.len())
        .sum();
    if covered * 2 < lines.len() {
        return None;
    }
    all.truncate(80);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "# Proposed from a sample: read it, correct it, keep it beside a golden case."
    );
    let _ = writeln!(
        out,
        "about = {}",
        quoted(&format!("{name}, learned from a sample"))
    );
    out.push_str("standard = \"learned\"\nsection = \"sample\"\ncontainer = \"text\"\n");
    if !syslogged {
        out.push_str("header = \"none\"\n");
    }
    out.push_str("system = \"host\"\nsilence = \"nothing\"\n");
    if stamped {
        out.push_str("time = [\"stamp\"]\n");
    }
    let mut patterns = String::new();
    let mut kinds: Vec<&'static str> = vec![];
    let mut said: BTreeMap<&'static str, String> = BTreeMap::new();
    let mut marks: Vec<String> = vec![];
    for t in &all {
        let rows: Vec<Vec<&str>> = t
            .lines
            .iter()
            .take(200)
            .map(|i| bodies[*i].split_whitespace().collect())
            .collect();
        let mut regex = if stamped {
            // The stamp takes as many words as in the sample.
            format!(r"^(?P<stamp>\S+(?: \S+){{{}}})\s+", stamp_words - 1)
        } else {
            String::new()
        };
        let mut used: FxHashSet<&str> = FxHashSet::default();
        let mut words = vec![];
        let mut before = String::new();
        for (i, token) in t.tokens.iter().enumerate() {
            if i > 0 {
                regex.push_str(r"\s+");
            }
            match token {
                Token::Word(w) => {
                    regex.push_str(&escape(w));
                    words.push(w.as_str());
                    before.push(' ');
                    before.push_str(w);
                }
                Token::Var => {
                    let column_values: Vec<(&str, &str, &str)> = rows
                        .iter()
                        .filter_map(|r| r.get(i))
                        .map(|v| bare(v))
                        .collect();
                    let first = column_values.first().copied().unwrap_or(("", "", ""));
                    let (mut lead, mut tail) = (first.0, first.2);
                    if !column_values.iter().all(|c| c.0 == lead && c.2 == tail) {
                        (lead, tail) = ("", "");
                    }
                    let cores: Vec<&str> = column_values.iter().map(|c| c.1).collect();
                    // `user=alice` in one token.
                    let key = cores
                        .first()
                        .and_then(|c| c.split_once('='))
                        .map(|(k, _)| k)
                        .filter(|k| {
                            is_key(k)
                                && cores
                                    .iter()
                                    .all(|c| c.split_once('=').is_some_and(|x| x.0 == *k))
                        });
                    regex.push_str(&escape(lead));
                    let values: Vec<&str> = match key {
                        Some(k) => {
                            regex.push_str(&escape(k));
                            regex.push('=');
                            cores
                                .iter()
                                .filter_map(|c| c.split_once('=').map(|x| x.1))
                                .collect()
                        }
                        None => cores,
                    };
                    // `alice(uid=1004)`: the name ends at the bracket.
                    let cut = values.iter().all(|v| v.find('(').is_some_and(|i| i > 0));
                    let values: Vec<&str> = if cut {
                        values
                            .iter()
                            .map(|v| v.split('(').next().unwrap_or(v))
                            .collect()
                    } else {
                        values
                    };
                    let told = key.map_or_else(|| before.clone(), str::to_string);
                    match column_after(&told, &values).filter(|c| !used.contains(c)) {
                        Some(c) => {
                            used.insert(c);
                            said.entry(c).or_insert_with(|| {
                                told.split_whitespace()
                                    .next_back()
                                    .unwrap_or("")
                                    .to_string()
                            });
                            if cut {
                                let _ = write!(regex, r"(?P<{c}>[^\s(]+)\S*?");
                            } else {
                                let _ = write!(regex, r"(?P<{c}>\S+?)");
                            }
                        }
                        None => regex.push_str(r"\S+?"),
                    }
                    regex.push_str(&escape(tail));
                    before.push_str(" ?");
                }
            }
        }
        regex.push_str(r"\s*$");
        let action: Vec<&str> = words
            .iter()
            .copied()
            .map(|w| w.trim_matches([':', ',', '.', '(', ')', '[', ']']))
            .filter(|w| !w.is_empty())
            .take(4)
            .collect();
        let action = action.join(" ");
        let sentence = words.join(" ");
        let _ = writeln!(
            patterns,
            "\n[[pattern]]\nregex = {}\naction = {}",
            quoted(&regex),
            quoted(&action)
        );
        if let Some(v) = verb_of(&sentence) {
            let _ = writeln!(patterns, "verb = \"{v}\"");
            if !kinds.contains(&v) {
                kinds.push(v);
            }
        }
        let lower = sentence.to_lowercase();
        let outcome = if [
            "fail",
            "denied",
            "invalid",
            "refus",
            "reject",
            "error",
            "incorrect",
        ]
        .iter()
        .any(|w| lower.contains(w))
        {
            Some("failure")
        } else if ["success", "accepted", "granted", "opened", "succeeded"]
            .iter()
            .any(|w| lower.contains(w))
        {
            Some("success")
        } else {
            None
        };
        if let Some(o) = outcome {
            let _ = writeln!(patterns, "outcome = \"{o}\"");
        }
        if let Some(w) = words
            .iter()
            .max_by_key(|w| w.len())
            .filter(|w| w.len() >= 4)
            && marks.len() < 12
        {
            marks.push((*w).to_string());
        }
    }
    out.push_str("\n[proof]\n");
    kinds.sort_unstable();
    for k in &kinds {
        let proof = match *k {
            "login" | "logout" => "presence",
            "create" | "update" | "delete" => "change",
            _ => "attempt",
        };
        let _ = writeln!(out, "{k} = \"{proof}\"");
    }
    if kinds.is_empty() {
        out.push_str("other = \"attempt\"\n");
    }
    marks.sort();
    marks.dedup();
    if !marks.is_empty() {
        let marks: Vec<String> = marks.iter().map(|m| quoted(m)).collect();
        let _ = writeln!(
            out,
            "\n[[sniff]]\nconfidence = \"maybe\"\nany = [{}]",
            marks.join(", ")
        );
    }
    out.push_str(&patterns);
    let mut open = vec![];
    for (c, what) in [("user", "an account"), ("src_ip", "an address of origin")] {
        if !said.contains_key(c) {
            open.push(format!("no value looks like {what}"));
        }
    }
    let mut columns: Vec<(String, String)> = said
        .into_iter()
        .map(|(c, w)| (c.to_string(), format!("after `{w}`")))
        .collect();
    columns.push(("action".into(), "words of the line".into()));
    Some(Proposal {
        text: out,
        container: "text",
        columns,
        open,
    })
}

/// For tests and previews: the mapping read back.
pub fn check(proposal: &Proposal) -> Result<(), super::MappingError> {
    plan::Plan::parse(&proposal.text, None)?.check()
}
