//! The laws as a scorer: one answer (`extent.json`, `persons.csv`) against one truth. Containment of every cell, nobody ruled out
//! falsely, no innocent accused, no false sentence, conservation of records, persons missed, counted twice or put in the wrong
//! establishment; and the share of rows found.
use crate::truth::{Truth, about};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Precision and recall in counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct F1 {
    pub tp: u64,
    pub fp: u64,
    pub fn_: u64,
}
impl F1 {
    /// 1.0 when there was nothing to find and nothing was said.
    pub fn value(self) -> f64 {
        if self.tp + self.fp + self.fn_ == 0 {
            return 1.0;
        }
        2.0 * self.tp as f64 / (2 * self.tp + self.fp + self.fn_) as f64
    }
}

/// The verdict on one answer. Counts of faults are zero in a good answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Score {
    pub cells: u64,
    /// (establishment, category): truth, optional, at least, at most.
    pub not_contained: Vec<String>,
    pub subjects: (u64, u64),
    pub subjects_truth: u64,
    pub subjects_contained: bool,
    pub false_ruled_out: u64,
    pub innocents_accused: u64,
    pub false_statements: Vec<String>,
    pub refused_needlessly: Vec<String>,
    pub conservation: Vec<String>,
    pub persons_missed: u64,
    pub duplicate_persons: u64,
    pub wrong_establishment: u64,
    pub touched: F1,
    pub sessions_found: u64,
    pub sessions_visible: u64,
    pub accounts_missed: Vec<String>,
    pub accounts_overcut: Vec<String>,
}

impl Score {
    /// The cardinal faults, in words; empty when the laws hold.
    pub fn faults(&self) -> Vec<String> {
        let mut f = Vec::new();
        let mut say = |bad: bool, s: String| {
            if bad {
                f.push(s);
            }
        };
        say(
            !self.not_contained.is_empty(),
            format!("containment: {:?}", self.not_contained),
        );
        say(
            !self.subjects_contained,
            format!(
                "subjects {:?} do not hold {}",
                self.subjects, self.subjects_truth
            ),
        );
        say(
            self.false_ruled_out > 0,
            format!("false ruled out: {}", self.false_ruled_out),
        );
        say(
            self.innocents_accused > 0,
            format!("innocents accused: {}", self.innocents_accused),
        );
        say(
            !self.false_statements.is_empty(),
            format!("false statements: {:?}", self.false_statements),
        );
        say(
            !self.conservation.is_empty(),
            format!("conservation: {:?}", self.conservation),
        );
        say(
            self.persons_missed > 0,
            format!("persons missed: {}", self.persons_missed),
        );
        say(
            self.duplicate_persons > 0,
            format!("persons counted twice: {}", self.duplicate_persons),
        );
        say(
            self.wrong_establishment > 0,
            format!("wrong establishment: {}", self.wrong_establishment),
        );
        say(
            !self.accounts_missed.is_empty(),
            format!("accounts missed: {:?}", self.accounts_missed),
        );
        say(
            !self.accounts_overcut.is_empty(),
            format!("accounts cut without need: {:?}", self.accounts_overcut),
        );
        f
    }
    /// The faults that count when logs were damaged. Nobody is asked to find accounts or persons whose records are gone; and where
    /// lines were taken out of a log that nothing counts and nothing repeats, an answer can only be about what that log still
    /// holds: what is asked then is that nobody vouches for it.
    pub fn faults_under_damage(&self, t: &Truth) -> Vec<String> {
        let mut s = self.clone();
        s.accounts_missed.clear();
        s.persons_missed = 0;
        let untraceable = t
            .gaps
            .iter()
            .any(|g| g.kind == "tamper" && g.partial && !g.detectable)
            && ["S4", "S5"].contains(&t.family.as_str());
        if untraceable {
            s.not_contained.clear();
            s.subjects_contained = true;
            s.false_ruled_out = 0;
            s.false_statements.retain(|c| c == "logs_intact");
        }
        s.faults()
    }
    pub fn session_recall(&self) -> f64 {
        if self.sessions_visible == 0 {
            1.0
        } else {
            self.sessions_found as f64 / self.sessions_visible as f64
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("read {0}: {1}")]
    Read(std::path::PathBuf, std::io::Error),
    #[error("parse {0}: {1}")]
    Parse(std::path::PathBuf, String),
}

fn account(a: &str) -> String {
    let a = a.trim();
    let a = a.split_once(':').map_or(a, |x| x.1);
    let a = a.rsplit(['\\', '/']).next().unwrap_or(a);
    let a = a.split('@').next().unwrap_or(a).to_lowercase();
    match a.strip_prefix('8') {
        Some(r) if r.len() == 11 && r.bytes().all(|c| c.is_ascii_digit()) => r.to_string(),
        _ => a,
    }
}
fn establishment(e: &str) -> String {
    e.trim().to_lowercase().replace("finess:", "")
}
fn subject(s: &str) -> String {
    let s = s.trim();
    if let Some(i) = s.to_lowercase().rfind("/patient/") {
        return format!("Patient/{}", &s[i + 9..]);
    }
    match s.split_once('|') {
        Some((a, b)) if !s.starts_with("Patient/") => {
            let oid = if a.starts_with(|c: char| c.is_ascii_digit()) {
                "urn:oid:"
            } else {
                ""
            };
            format!("{oid}{}|{b}", a.to_lowercase())
        }
        _ => s.to_string(),
    }
}
fn rank(v: &str) -> Option<i8> {
    Some(match v {
        "ruled_out" => -1,
        "exposed" => 0,
        "consulted" => 1,
        "exfiltrated" => 2,
        "leaked" => 3,
        _ => return None,
    })
}
/// RFC 3339 in UTC (`…Z`) or with an offset, to milliseconds.
fn instant(s: &str) -> Option<i64> {
    let n = |a: usize, b: usize| s.get(a..b)?.parse::<i64>().ok();
    let day = crate::civil::days_from_civil(n(0, 4)?, n(5, 7)?, n(8, 10)?);
    let mut t = day * 86_400_000 + n(11, 13)? * 3_600_000 + n(14, 16)? * 60_000 + n(17, 19)? * 1000;
    let mut rest = s.get(19..)?;
    if let Some(f) = rest.strip_prefix('.') {
        let digits: String = f.chars().take_while(char::is_ascii_digit).collect();
        t += format!("{digits:0<3}").get(..3)?.parse::<i64>().ok()?;
        rest = &f[digits.len()..];
    }
    let sign = match rest.chars().next()? {
        'Z' => return Some(t),
        '+' => -1,
        _ => 1,
    };
    let (h, m) = rest.get(1..)?.split_once(':')?;
    Some(t + sign * (h.parse::<i64>().ok()? * 60 + m.parse::<i64>().ok()?) * 60_000)
}
fn interval(v: &Value) -> (u64, u64) {
    match v {
        Value::Object(_) => (
            v["at_least"].as_u64().unwrap_or(0),
            v["at_most"].as_u64().unwrap_or(0),
        ),
        _ => (v.as_u64().unwrap_or(0), v.as_u64().unwrap_or(0)),
    }
}
fn list(v: &Value) -> &[Value] {
    v.as_array().map_or(&[], Vec::as_slice)
}
fn text<'a>(v: &'a Value, k: &str) -> &'a str {
    v[k].as_str().unwrap_or("")
}

/// Reads the files and judges. `case_dir` holds `truth.json`, `out_dir` holds `extent.json` and `persons.csv` written with clear subjects.
///
/// # Errors
/// When a file is missing or is not what it should be.
pub fn score_dirs(case_dir: &Path, out_dir: &Path) -> Result<Score, Error> {
    let read = |p: std::path::PathBuf| std::fs::read_to_string(&p).map_err(|e| Error::Read(p, e));
    let tp = case_dir.join("truth.json");
    let truth: Truth =
        serde_json::from_str(&read(tp.clone())?).map_err(|e| Error::Parse(tp, e.to_string()))?;
    let xp = out_dir.join("extent.json");
    let extent: Value =
        serde_json::from_str(&read(xp.clone())?).map_err(|e| Error::Parse(xp, e.to_string()))?;
    Ok(score(&truth, &extent, &read(out_dir.join("persons.csv"))?))
}

/// Judges an answer. `persons` is the text of `persons.csv`.
pub fn score(t: &Truth, x: &Value, persons: &str) -> Score {
    let mut r = Score::default();
    let ests: Vec<String> = t
        .establishments
        .iter()
        .map(|e| establishment(&e.id))
        .collect();
    let mut alias: BTreeMap<String, usize> = BTreeMap::new();
    for (i, p) in t.persons.iter().enumerate() {
        for a in &p.ids {
            alias.insert(subject(a), i);
        }
    }
    // Facts of the truth.
    let mut facts: BTreeMap<(usize, &str, &str), (&str, bool)> = BTreeMap::new();
    let mut optional: BTreeSet<(usize, &str, &str)> = BTreeSet::new();
    for d in &t.disclosures {
        let e = ests.get(d.1 as usize).map_or("", String::as_str);
        for c in t.catsets.get(d.2 as usize).into_iter().flatten() {
            facts.insert((d.0 as usize, e, c), (&d.4, d.6 == "enumerable"));
        }
        for c in t.catsets.get(d.3 as usize).into_iter().flatten() {
            optional.insert((d.0 as usize, e, c));
        }
    }
    for (p, e, c) in &t.undetermined {
        let e = ests.get(*e as usize).map_or("", String::as_str);
        for c in t.catsets.get(*c as usize).into_iter().flatten() {
            optional.insert((*p as usize, e, c));
        }
    }
    // Rows of the answer: the strongest of each (person, establishment, category).
    let mut rows: BTreeMap<(Result<usize, String>, String, String), i8> = BTreeMap::new();
    let mut told_as: BTreeMap<(usize, String, String), String> = BTreeMap::new();
    for row in csv_rows(persons).into_iter().skip(1) {
        let [s, e, c, v, ..] = row.as_slice() else {
            continue;
        };
        let Some(v) = rank(v.trim()) else { continue };
        let s = subject(s);
        let who = alias.get(&s).copied().ok_or(s.clone());
        let key = (establishment(e), c.trim().to_string());
        if let (Ok(p), true) = (&who, v > 0) {
            let first = told_as
                .entry((*p, key.0.clone(), key.1.clone()))
                .or_insert_with(|| s.clone());
            r.duplicate_persons += u64::from(*first != s);
        }
        let best = rows.entry((who, key.0, key.1)).or_insert(v);
        *best = (*best).max(v);
    }
    let mut elsewhere: BTreeSet<(usize, &str)> = BTreeSet::new();
    elsewhere.extend(facts.keys().map(|(p, _, c)| (*p, *c)));
    let mut found: BTreeSet<(usize, &str, &str)> = BTreeSet::new();
    let mut named: BTreeSet<usize> = BTreeSet::new();
    for ((who, e, c), v) in &rows {
        let key = who.as_ref().ok().map(|p| (*p, e.as_str(), c.as_str()));
        if let (Some(k), true) = (key, *v >= 0) {
            named.insert(k.0);
        }
        let fact = key.and_then(|k| facts.get_key_value(&k));
        match (*v, fact) {
            (-1, Some(_)) => r.false_ruled_out += 1,
            (1.., Some((k, _))) => {
                r.touched.tp += 1;
                found.insert(*k);
            }
            (1.., None) if !key.is_some_and(|k| optional.contains(&k)) => {
                r.touched.fp += 1;
                r.wrong_establishment +=
                    u64::from(key.is_some_and(|k| elsewhere.contains(&(k.0, k.2))));
            }
            _ => {}
        }
    }
    let must: Vec<_> = facts
        .iter()
        .filter(|(_, (_, e))| *e)
        .map(|(k, _)| *k)
        .collect();
    r.touched.fn_ = must.iter().filter(|k| !found.contains(*k)).count() as u64;
    let people: BTreeSet<usize> = must.iter().map(|k| k.0).collect();
    r.persons_missed = people.difference(&named).count() as u64;
    cells(t, x, &mut r);
    sessions(t, x, &mut r);
    statements(t, x, &facts, &mut r);
    conservation(t, x, &mut r);
    r
}

fn cells(t: &Truth, x: &Value, r: &mut Score) {
    type Sum = BTreeMap<String, (u64, u64)>;
    let mut said: BTreeMap<(String, String), Sum> = BTreeMap::new();
    for c in list(&x["extent"]["cells"]) {
        let k = (
            establishment(text(c, "establishment")),
            text(c, "category").to_string(),
        );
        let (lo, hi) = interval(&c["subjects"]);
        let s = said
            .entry(k)
            .or_default()
            .entry(text(c, "verdict").to_string())
            .or_default();
        *s = (s.0 + lo, s.1 + hi);
    }
    let truth: BTreeMap<(String, String), (u64, u64)> = t
        .cells
        .iter()
        .map(|c| {
            (
                (establishment(&c.establishment), c.category.clone()),
                (c.touched, c.optional),
            )
        })
        .collect();
    let population: BTreeMap<String, u64> = t
        .establishments
        .iter()
        .map(|e| (establishment(&e.id), e.population))
        .collect();
    let keys: BTreeSet<_> = said.keys().chain(truth.keys()).cloned().collect();
    for k in keys {
        let empty = Sum::new();
        let s = said.get(&k).unwrap_or(&empty);
        let (touched, optional) = truth.get(&k).copied().unwrap_or((0, 0));
        let get = |v: &str| s.get(v).copied().unwrap_or((0, 0));
        let strong = ["consulted", "exfiltrated", "leaked"].map(get);
        let lo: u64 = strong.iter().map(|s| s.0).sum();
        let hi: u64 = strong.iter().map(|s| s.1).sum::<u64>() + get("exposed").1;
        r.cells += 1;
        if !(lo <= touched + optional && hi >= touched && lo <= hi) {
            r.not_contained.push(format!(
                "{} {}: {touched}+{optional} in [{lo}, {hi}]",
                k.0, k.1
            ));
        }
        if let Some(p) = population.get(&k.0) {
            r.false_ruled_out += get("ruled_out")
                .0
                .saturating_sub((p + t.totals.staff).saturating_sub(touched));
        }
    }
    r.subjects = interval(&x["extent"]["subjects"]);
    r.subjects_truth = t.totals.affected;
    r.subjects_contained = r.subjects.0 <= t.totals.affected && t.totals.affected <= r.subjects.1;
    if x["extent"].get("unaffected").is_some() {
        let (lo, _) = interval(&x["extent"]["unaffected"]);
        r.false_ruled_out += lo.saturating_sub(t.totals.unaffected_patients + t.totals.staff);
    }
}

fn sessions(t: &Truth, x: &Value, r: &mut Score) {
    let mut alias: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for a in &t.accounts {
        let g: BTreeSet<String> = a
            .aliases
            .iter()
            .map(|s| account(s))
            .chain([account(&a.account)])
            .collect();
        for n in &g {
            alias
                .entry(n.clone())
                .or_default()
                .extend(g.iter().cloned());
        }
    }
    let names = |a: &str| -> BTreeSet<String> {
        let mut s = alias.get(a).cloned().unwrap_or_default();
        s.insert(a.to_string());
        s
    };
    let usurped: BTreeSet<String> = t
        .accounts
        .iter()
        .filter(|a| a.verdict == "usurped")
        .map(|a| account(&a.account))
        .collect();
    let slack = if t.sources.iter().any(|s| s.clock_offset_ms != 0) {
        3_600_000
    } else {
        120_000
    };
    let mut found = BTreeSet::new();
    for p in list(&x["sessions"]) {
        let a = account(text(p, "account"));
        let address_only = a.contains('.') && a.bytes().all(|c| c.is_ascii_digit() || c == b'.');
        let verdict = text(p, "verdict");
        if a.is_empty() || address_only || !matches!(verdict, "intruder" | "doubtful") {
            continue;
        }
        let (Some(from), Some(to)) = (instant(text(p, "from")), instant(text(p, "to"))) else {
            continue;
        };
        let n = names(&a);
        let at_time: Vec<_> = t
            .sessions
            .iter()
            .filter(|s| n.contains(&account(&s.account)))
            .filter(|s| {
                instant(&s.from).is_some_and(|f| f - slack <= to)
                    && instant(&s.to).is_some_and(|e| e + slack >= from)
            })
            .collect();
        let address = p["origin"]["address"]
            .as_str()
            .unwrap_or("")
            .split('/')
            .next()
            .unwrap_or("")
            .to_string();
        let strict: Vec<_> = at_time
            .iter()
            .filter(|s| {
                address.is_empty()
                    || s.address.is_none()
                    || s.address.as_deref() == Some(&address)
                    || s.inner.as_deref() == Some(&address)
            })
            .collect();
        found.extend(
            strict
                .iter()
                .filter(|s| s.actor == "intruder")
                .map(|s| s.id),
        );
        if verdict != "intruder" || strict.iter().any(|s| s.actor == "intruder") {
            continue;
        }
        if !strict.is_empty() || n.is_disjoint(&usurped) {
            r.innocents_accused += 1;
        }
    }
    let visible: Vec<u32> = t
        .sessions
        .iter()
        .filter(|s| s.actor == "intruder" && s.visible)
        .map(|s| s.id)
        .collect();
    r.sessions_visible = visible.len() as u64;
    r.sessions_found = visible.iter().filter(|i| found.contains(i)).count() as u64;
    for a in list(&x["accounts"]) {
        if text(a, "verdict") == "usurped"
            && names(&account(text(a, "account"))).is_disjoint(&usurped)
        {
            r.innocents_accused += 1;
        }
    }
    let pick = |k: &str| -> BTreeSet<String> {
        list(&x["containment"][k])
            .iter()
            .filter_map(Value::as_str)
            .map(account)
            .collect()
    };
    let (cut, rotate) = (pick("cut"), pick("rotate"));
    let of = |f: &dyn Fn(&crate::truth::TAccount) -> bool| -> BTreeSet<String> {
        t.accounts
            .iter()
            .filter(|a| f(a))
            .map(|a| account(&a.account))
            .collect()
    };
    let (must_cut, must_rotate, service) = (
        of(&|a| a.must_cut),
        of(&|a| a.must_rotate),
        of(&|a| a.kind == "service"),
    );
    let bad: BTreeSet<String> = t
        .sessions
        .iter()
        .filter(|s| s.actor == "intruder")
        .flat_map(|s| s.address.iter().chain(&s.inner))
        .cloned()
        .collect();
    let is_ip = |a: &str| {
        a.split('/').next().is_some_and(|b| {
            b.bytes().filter(|c| *c == b'.').count() == 3
                && b.bytes().all(|c| c.is_ascii_digit() || c == b'.')
        })
    };
    for a in &cut {
        let wrong = if is_ip(a) {
            !bad.contains(a.split('/').next().unwrap_or(a))
        } else {
            names(a).is_disjoint(&usurped) || must_rotate.contains(a)
        };
        if wrong {
            r.accounts_overcut.push(a.clone());
        }
    }
    let done: BTreeSet<String> = cut
        .iter()
        .cloned()
        .chain(
            rotate
                .iter()
                .filter(|a| service.contains(*a) || must_rotate.contains(*a))
                .cloned(),
        )
        .collect();
    // An account is asked for only when some log still shows the intruder using it: accusing one without evidence is a fault.
    let shown: BTreeSet<String> = t
        .sessions
        .iter()
        .filter(|s| s.actor == "intruder" && s.visible)
        .map(|s| account(&s.account))
        .collect();
    for a in must_cut.union(&must_rotate) {
        if names(a).is_disjoint(&done) && !names(a).is_disjoint(&shown) {
            r.accounts_missed.push(a.clone());
        }
    }
}

fn statements(
    t: &Truth,
    x: &Value,
    facts: &BTreeMap<(usize, &str, &str), (&str, bool)>,
    r: &mut Score,
) {
    let mut holds: BTreeMap<&str, bool> = BTreeMap::new();
    for s in list(&x["statements"]) {
        let (code, h) = (text(s, "code"), s["holds"].as_bool().unwrap_or(false));
        match s["establishment"].as_str() {
            None => {
                holds.insert(code, h);
            }
            Some(e) => {
                let e = establishment(e);
                let touched = about(code).is_some_and(|set| {
                    facts.keys().any(|k| {
                        k.1 == e
                            && ampleur_event::Category::from_code(k.2)
                                .is_some_and(|c| set.contains(c))
                    })
                });
                if h && touched {
                    r.false_statements.push(format!("{code}@{e}"));
                }
            }
        }
    }
    for s in &t.statements {
        match (holds.get(s.code.as_str()), s.expect.as_str()) {
            (Some(true), "refuse") => r.false_statements.push(s.code.clone()),
            (Some(true), _) if !s.truth => r.false_statements.push(s.code.clone()),
            (None | Some(false), "hold") => r.refused_needlessly.push(s.code.clone()),
            _ => {}
        }
    }
}

fn conservation(t: &Truth, x: &Value, r: &mut Score) {
    let ev = &x["evidence"];
    let n = |v: &Value, k: &str| v[k].as_u64().unwrap_or(0);
    let sum = |v: &Value| n(v, "events") + n(v, "rejects") + n(v, "skipped");
    if n(ev, "records") != t.totals.records {
        r.conservation.push(format!(
            "records {} of {}",
            n(ev, "records"),
            t.totals.records
        ));
    }
    if n(ev, "records") != sum(ev) {
        r.conservation
            .push("events + rejects + skipped differ from records".into());
    }
    let mut total = 0;
    for b in list(&ev["by_source"]) {
        total += n(b, "records");
        let name = text(b, "source").trim_start_matches("./");
        if n(b, "records") != sum(b) {
            r.conservation.push(format!("{name} does not balance"));
        }
        if let Some(f) = t.records.get(name)
            && f.records != n(b, "records")
        {
            r.conservation
                .push(format!("{name}: {} of {}", n(b, "records"), f.records));
        }
    }
    if !list(&ev["by_source"]).is_empty() && total != n(ev, "records") {
        r.conservation.push("sources do not add up".into());
    }
}

/// Rows of a CSV text (RFC 4180: quotes may hold commas, quotes and line ends).
fn csv_rows(s: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut it = s.chars().peekable();
    while let Some(c) = it.next() {
        match c {
            '"' if quoted && it.peek() == Some(&'"') => {
                cell.push('"');
                it.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}

/// The answer that knows the truth: exact cells, named persons, intruders only. What a perfect run would write; the scorer must find
/// no fault with it, and every fault that is put into it.
pub fn oracle(t: &Truth) -> (Value, String) {
    use std::fmt::Write as _;
    let exact = |n: u64| serde_json::json!({"at_least": n, "at_most": n});
    let mut cells = Vec::new();
    for c in &t.cells {
        for v in ["consulted", "exfiltrated", "leaked"] {
            if c.level.get(v) > 0 {
                cells.push(serde_json::json!({"establishment": c.establishment, "category": c.category, "verdict": v, "subjects": exact(c.level.get(v))}));
            }
        }
    }
    let sessions: Vec<Value> = t
        .sessions
        .iter()
        .map(|s| serde_json::json!({"id": s.id.to_string(), "account": s.account, "origin": {"address": s.address, "device": s.device}, "from": s.from, "to": s.to, "intrusion": s.intrusion, "verdict": if s.actor == "intruder" { "intruder" } else { "legitimate" }}))
        .collect();
    let by: Vec<Value> = t
        .records
        .iter()
        .map(|(k, f)| serde_json::json!({"source": k, "records": f.records, "events": f.records - f.broken, "rejects": f.broken, "skipped": 0}))
        .collect();
    let broken: u64 = t.records.values().map(|f| f.broken).sum();
    let first = |p: u32| {
        t.persons
            .get(p as usize)
            .and_then(|p| p.ids.first().cloned())
            .unwrap_or_default()
    };
    let x = serde_json::json!({
        "format": "ampleur.extent/1",
        "evidence": {"records": t.totals.records, "events": t.totals.records - broken, "rejects": broken, "skipped": 0, "by_source": by},
        "accounts": t.accounts.iter().map(|a| serde_json::json!({"account": a.account, "verdict": a.verdict})).collect::<Vec<_>>(),
        "sessions": sessions,
        "extent": {
            "subjects": exact(t.totals.affected), "cells": cells, "unaffected": exact(t.totals.unaffected_patients),
            "targeted": t.targeted.iter().map(|i| serde_json::json!({"subject": first(i.person)})).collect::<Vec<_>>(),
            "writes": t.writes.iter().map(|w| serde_json::json!({"subject": first(w.person), "field": w.field, "before": w.before, "after": w.after})).collect::<Vec<_>>(),
            "internal": t.internal.iter().map(|i| serde_json::json!({"account": i.account, "subjects": i.subjects})).collect::<Vec<_>>(),
        },
        "coverage": t.gaps.iter().filter(|g| g.detectable).map(|g| serde_json::json!({"source": g.files.as_ref().unwrap_or(&g.source), "from": g.from, "to": g.to, "state": "gap", "kind": g.kind})).collect::<Vec<_>>(),
        "statements": t.statements.iter().map(|s| serde_json::json!({"code": s.code, "holds": s.expect == "hold"})).collect::<Vec<_>>(),
        "claims": t.claims.iter().map(|c| serde_json::json!({"text": c.text, "verdict": c.expect})).collect::<Vec<_>>(),
        "containment": {
            "cut": t.accounts.iter().filter(|a| a.must_cut).map(|a| a.account.clone()).collect::<Vec<_>>(),
            "rotate": t.accounts.iter().filter(|a| a.must_rotate).map(|a| a.account.clone()).collect::<Vec<_>>(),
        },
    });
    let mut csv = String::from(
        "subject,establishment,category,verdict,certainty,first,last,events,sessions,evidence\n",
    );
    for d in &t.disclosures {
        let v = if d.6 == "enumerable" {
            d.4.as_str()
        } else {
            "exposed"
        };
        for c in &t.catsets[d.2 as usize] {
            let _ = writeln!(
                csv,
                "{},{},{c},{v},,,,1,,",
                first(d.0),
                t.establishments[d.1 as usize].id
            );
        }
    }
    (x, csv)
}
