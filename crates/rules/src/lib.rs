//! Sigma rules and correlations over our events. Floor 2: findings only; what a session is judged to be is decided elsewhere.
//!
//! A rule is asked only of the sources its `logsource` names ([`SOURCES`]), and there only of events that have what it cannot do
//! without (`route.rs`), so many rules cost little. A field name of Sigma, ECS or Windows means one of our columns ([`TEXTS`],
//! [`NUMBERS`]); a rule that names anything else is refused by [`Rules::load`], with file and line, because it could never fire.
//!
//! Files are asked side by side ([`Rules::file`]); correlations are counted afterwards over all of them in order of time
//! ([`Rules::join`]), so findings are the same on any number of threads. What waits to be counted goes to disk beyond a limit.

mod asked;
mod count;
mod fields;
pub mod reference;
mod route;
mod told;

pub use asked::{Asked, FileHits, Found, GROUPS_MAX, Spool};
pub use fields::{NUMBERS, Row, TEXTS, delicate, known};
pub use told::Told;

use count::Correlation;
use route::Route;
use rsigma_eval::compiler::{CompiledRule, compile_rule, eval_condition};
use rsigma_parser::{
    ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, Detection,
    LogSource, SigmaCollection, SigmaRule, WindowMode, parse_sigma_yaml,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::Path,
};

/// Longest rule file read.
const FILE_MAX: u64 = 4 << 20;

/// The words of a `logsource` each source answers to: every word a rule uses must be among them.
pub const SOURCES: &[(&str, &[&str])] = &[
    (
        "fortinet-fortigate",
        &[
            "vpn",
            "firewall",
            "fortinet",
            "fortigate",
            "fortios",
            "event",
            "network_connection",
        ],
    ),
    ("openvpn", &["vpn", "openvpn"]),
    (
        "keycloak",
        &["identity", "authentication", "portal", "keycloak"],
    ),
    (
        "windows-security",
        &["windows", "security", "authentication", "share", "identity"],
    ),
    ("samba-audit", &["share", "linux", "samba"]),
    (
        "http-access",
        &["webserver", "proxy", "portal", "apache", "nginx"],
    ),
    ("postgresql", &["database", "postgresql", "sql"]),
    ("fhir-auditevent", &["epr", "application", "fhir", "audit"]),
    ("dicom-audit", &["epr", "application", "dicom", "audit"]),
    (
        "zeek",
        &["network", "zeek", "firewall", "network_connection"],
    ),
];

/// What is wrong with a rule. Lines count from 1; 0 is the file itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct Problem {
    pub file: String,
    pub line: usize,
    pub what: String,
}

/// What a rule says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    pub id: String,
    pub title: String,
    pub description: String,
    /// In French, from the keys `title-fr` and `description-fr` of our own; empty when the rule has none.
    pub title_fr: String,
    pub description_fr: String,
    /// Level the rule gives itself; empty when it gives none.
    pub level: String,
    /// Name of its file as given to [`Rules::load`].
    pub file: String,
    /// `event`, or the kind of correlation.
    pub kind: &'static str,
    /// A correlation's window in seconds; 0 for a single rule.
    pub seconds: u64,
    /// Only counted by correlations: no finding of its own.
    pub counted: bool,
}

/// A rule for one event.
pub(crate) struct Single {
    compiled: CompiledRule,
    /// Place in `Rules::about`.
    pub(crate) about: usize,
    pub(crate) counted: bool,
    /// Correlations that count it, and which of their rules it is.
    pub(crate) feeds: Vec<(u32, u32)>,
}

impl Single {
    pub(crate) fn holds(&self, row: &Row<'_>, names: &mut Vec<String>) -> bool {
        let c = &self.compiled;
        names.clear();
        c.conditions
            .iter()
            .any(|x| eval_condition(x, &c.detections, row, names))
    }
}

/// Loaded rules, ready to be asked.
pub struct Rules {
    about: Vec<About>,
    pub(crate) singles: Vec<Single>,
    pub(crate) correlations: Vec<Correlation>,
    routed: BTreeMap<&'static str, Route>,
    /// As read, for the slow reference.
    pub(crate) parsed: SigmaCollection,
}

impl Rules {
    /// From files given as (name, text). Errors: every problem of every file; then nothing is loaded.
    pub fn load<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Rules, Vec<Problem>> {
        let mut r = Reading::default();
        for (file, text) in files {
            r.file(file, text);
        }
        r.correlations();
        if !r.problems.is_empty() {
            r.problems.sort();
            return Err(r.problems);
        }
        let mut routed = BTreeMap::new();
        for (source, words) in SOURCES {
            let own = r.all.rules.iter().enumerate();
            let own = own.filter(|(_, rule)| fits(words, &rule.logsource));
            let route = Route::new(own.map(|(n, rule)| (n as u32, rule)), r.singles.len());
            if !route.rules.is_empty() {
                routed.insert(*source, route);
            }
        }
        Ok(Rules {
            about: r.about,
            singles: r.singles,
            correlations: r.counting,
            routed,
            parsed: r.all,
        })
    }

    /// Our own rules for hospitals.
    pub fn own() -> Result<Rules, Vec<Problem>> {
        Rules::with_own(&[])
    }

    /// Our own rules, and those of these files.
    pub fn with_own(given: &[(String, String)]) -> Result<Rules, Vec<Problem>> {
        let given = given.iter().map(|(name, text)| (&**name, &**text));
        Rules::load(PACK.iter().copied().chain(given))
    }

    /// What each rule and correlation says of itself; [`Found::rule`] is a place in it.
    pub fn about(&self) -> &[About] {
        &self.about
    }

    /// True when a rule asks for events of this source.
    pub fn asks(&self, source: &str) -> bool {
        self.routed.contains_key(source)
    }

    pub(crate) fn route(&self, source: &str) -> Option<(&'static str, &Route)> {
        self.routed
            .get_key_value(source)
            .map(|(name, route)| (*name, route))
    }

    /// Numbers of the single rules one event fires, ascending. `scratch` is memory used again.
    pub fn fired(&self, source: &str, event: &ampleur_event::Event<'_>, scratch: &mut Scratch) {
        scratch.fired.clear();
        let Some((source, route)) = self.route(source) else {
            return;
        };
        route.worth(event, &mut scratch.route);
        let row = Row { source, event };
        for n in &scratch.route.worth {
            if route.certain(*n) || self.singles[*n as usize].holds(&row, &mut scratch.names) {
                scratch.fired.push(*n);
            }
        }
    }
}

/// Memory of the last event, used again for the next.
#[derive(Debug, Default)]
pub struct Scratch {
    route: route::Scratch,
    names: Vec<String>,
    /// Numbers of the single rules that fired, ascending.
    pub fired: Vec<u32>,
}

/// The rule files (`.yml`, `.yaml`) of a folder and those below it, as (path from the folder, text), in order of path.
pub fn files(dir: &Path) -> Result<Vec<(String, String)>, Problem> {
    let wrong = |at: &Path, e: std::io::Error| Problem {
        file: at.display().to_string(),
        line: 0,
        what: e.to_string(),
    };
    let mut out = vec![];
    let mut open = vec![dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|e| wrong(&folder, e))? {
            let path = entry.map_err(|e| wrong(&folder, e))?.path();
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
                continue;
            }
            if !path.extension().is_some_and(|x| x == "yml" || x == "yaml") {
                continue;
            }
            let mut text = String::new();
            std::fs::File::open(&path)
                .and_then(|f| f.take(FILE_MAX).read_to_string(&mut text))
                .map_err(|e| wrong(&path, e))?;
            let name = path.strip_prefix(dir).unwrap_or(&path);
            out.push((name.display().to_string(), text));
        }
    }
    out.sort();
    if out.is_empty() {
        let none = std::io::Error::other("no rule file (.yml, .yaml) in this folder");
        return Err(wrong(dir, none));
    }
    Ok(out)
}

/// Where a rule stands, to say what is wrong with it.
#[derive(Clone)]
struct Place {
    file: String,
    text: String,
    /// Its id or title, to find it among others of its file; empty for the file.
    own: String,
}

impl Place {
    fn wrong(&self, near: &str, what: impl Into<String>) -> Problem {
        Problem {
            file: self.file.clone(),
            line: line_of(&self.text, &self.own, near),
            what: what.into(),
        }
    }
    fn of(&self, id: Option<&str>, title: &str) -> Place {
        Place {
            own: id.unwrap_or(title).into(),
            ..self.clone()
        }
    }
}

#[derive(Default)]
struct Reading {
    all: SigmaCollection,
    about: Vec<About>,
    singles: Vec<Single>,
    counting: Vec<Correlation>,
    places: Vec<Place>,
    titles: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Reading {
    fn file(&mut self, file: &str, text: &str) {
        let place = Place {
            file: file.into(),
            text: text.into(),
            own: String::new(),
        };
        let read = match parse_sigma_yaml(text) {
            Ok(read) => read,
            Err(e) => {
                let what = e.to_string();
                let line = said_line(&what).unwrap_or(1);
                let file = file.into();
                self.problems.push(Problem { file, line, what });
                return;
            }
        };
        for e in &read.errors {
            let mut p = place.wrong(quoted(e), e.clone());
            p.line = said_line(e).unwrap_or(p.line);
            self.problems.push(p);
        }
        if read.rules.is_empty() && read.correlations.is_empty() && read.errors.is_empty() {
            self.problems.push(place.wrong("", "no rule in this file"));
        }
        if !read.filters.is_empty() {
            self.problems
                .push(place.wrong("filter:", "filters are not supported"));
        }
        for rule in read.rules {
            self.single(&place, rule);
        }
        for c in read.correlations {
            self.named(&place, c.id.as_deref(), &c.title);
            self.places.push(place.of(c.id.as_deref(), &c.title));
            self.all.correlations.push(c);
        }
    }

    fn named(&mut self, place: &Place, id: Option<&str>, title: &str) {
        let Some(id) = id else {
            let what = format!("{title} has no id");
            self.problems.push(place.wrong(title, what));
            return;
        };
        if let Some(other) = self.titles.insert(id.into(), title.into()) {
            let what = format!("id {id} is that of {other} too");
            self.problems.push(place.wrong(id, what));
        }
    }

    fn single(&mut self, place: &Place, rule: SigmaRule) {
        let place = &place.of(rule.id.as_deref(), &rule.title);
        self.named(place, rule.id.as_deref(), &rule.title);
        if !SOURCES.iter().any(|(_, w)| fits(w, &rule.logsource)) {
            let what = format!("no source answers to the logsource of {}", rule.title);
            self.problems.push(place.wrong("logsource:", what));
        }
        let mut used = BTreeSet::new();
        let named: BTreeMap<_, _> = rule.detection.named.iter().collect();
        named.values().for_each(|d| fields_of(d, &mut used));
        for f in used.iter().filter(|f| !known(f)) {
            self.problems
                .push(place.wrong(f, format!("unknown field {f}")));
        }
        let compiled = match compile_rule(&rule) {
            Ok(c) => c,
            Err(e) => {
                self.problems
                    .push(place.wrong("detection:", format!("{}: {e}", rule.title)));
                return;
            }
        };
        self.singles.push(Single {
            compiled,
            about: self.about.len(),
            counted: false,
            feeds: vec![],
        });
        let own = |key: &str| {
            let v = rule.custom_attributes.get(key);
            v.and_then(|v| v.as_str()).unwrap_or("").to_string()
        };
        self.about.push(About {
            id: rule.id.clone().unwrap_or_default(),
            title: rule.title.clone(),
            description: rule.description.clone().unwrap_or_default(),
            title_fr: own("title-fr"),
            description_fr: own("description-fr"),
            level: rule.level.map(|l| l.as_str().into()).unwrap_or_default(),
            file: place.file.clone(),
            kind: "event",
            seconds: 0,
            counted: false,
        });
        self.all.rules.push(rule);
    }

    /// Correlations may count rules of other files: they are looked at when all are read.
    fn correlations(&mut self) {
        if self.singles.len() != self.all.rules.len() {
            return;
        }
        let mut list = std::mem::take(&mut self.all.correlations);
        for (n, c) in list.iter_mut().enumerate() {
            // All the rules within the window, not one of them (Sigma correlations, `temporal`); the parser's default is one.
            if matches!(c.correlation_type, CorrelationType::Temporal)
                && let CorrelationCondition::Threshold { predicates, .. } = &mut c.condition
                && *predicates == [(ConditionOperator::Gte, 1)]
            {
                *predicates = vec![(ConditionOperator::Gte, c.rules.len() as u64)];
            }
            self.correlation(n as u32, c);
        }
        self.all.correlations = list;
    }

    fn correlation(&mut self, number: u32, c: &CorrelationRule) {
        let place = self.places.remove(0);
        let mut problems = vec![];
        let mut wrong = |near: &str, what: String| problems.push(place.wrong(near, what));
        let kind = c.correlation_type.as_str();
        use CorrelationType::{EventCount, Temporal, TemporalOrdered, ValueCount};
        if !matches!(
            c.correlation_type,
            EventCount | ValueCount | Temporal | TemporalOrdered
        ) {
            wrong(
                "type:",
                format!("correlations of type {kind} are not supported"),
            );
        }
        if c.window != WindowMode::Sliding {
            wrong("window:", "only sliding windows are supported".into());
        }
        let (predicates, values) = match &c.condition {
            CorrelationCondition::Threshold {
                predicates, field, ..
            } => (predicates.clone(), field.clone().unwrap_or_default()),
            CorrelationCondition::Extended(_) => {
                wrong("condition:", "a condition in words is not supported".into());
                (vec![], vec![])
            }
        };
        if c.correlation_type == ValueCount && values.is_empty() {
            wrong("condition:", "value_count needs a field".into());
        }
        for f in values.iter().filter(|f| !known(f)) {
            wrong(f, format!("unknown field {f}"));
        }
        let mut groups = vec![];
        for (of, name) in c.rules.iter().enumerate() {
            let named =
                |r: &SigmaRule| r.id.as_deref() == Some(name) || r.name.as_deref() == Some(name);
            let Some(at) = self.all.rules.iter().position(named) else {
                wrong(
                    name,
                    format!("{name} is no rule for events; a correlation counts those alone"),
                );
                continue;
            };
            let single = &mut self.singles[at];
            single.feeds.push((number, of as u32));
            // Sigma correlations, `generate`: rules that are counted are no findings of their own unless it says so.
            single.counted |= !c.generate;
            self.about[single.about].counted = single.counted;
            let fields = c.group_by.iter().map(|field| {
                let alias = c.aliases.iter().find(|a| a.alias == *field);
                alias
                    .and_then(|a| a.mapping.get(name))
                    .unwrap_or(field)
                    .clone()
            });
            groups.push(fields.collect::<Vec<_>>());
        }
        let mut unknown: Vec<&String> = groups.iter().flatten().filter(|f| !known(f)).collect();
        unknown.sort();
        unknown.dedup();
        for f in unknown {
            wrong(f, format!("unknown field {f}"));
        }
        let own = |key: &str| {
            let v = c.custom_attributes.get(key);
            v.and_then(|v| v.as_str()).unwrap_or("").to_string()
        };
        self.counting.push(Correlation {
            about: self.about.len(),
            kind: c.correlation_type,
            rules: c.rules.len(),
            by: c.group_by.clone(),
            groups,
            values,
            seconds: i64::try_from(c.timespan.seconds).unwrap_or(i64::MAX),
            predicates,
        });
        self.about.push(About {
            id: c.id.clone().unwrap_or_default(),
            title: c.title.clone(),
            description: c.description.clone().unwrap_or_default(),
            title_fr: own("title-fr"),
            description_fr: own("description-fr"),
            level: c.level.map(|l| l.as_str().into()).unwrap_or_default(),
            file: place.file.clone(),
            kind,
            seconds: c.timespan.seconds,
            counted: false,
        });
        self.problems.extend(problems);
    }
}

fn fits(words: &[&str], l: &LogSource) -> bool {
    let mut named = [&l.category, &l.product, &l.service]
        .into_iter()
        .flatten()
        .peekable();
    named.peek().is_some() && named.all(|w| words.contains(&&**w))
}

fn fields_of(d: &Detection, out: &mut BTreeSet<String>) {
    match d {
        Detection::AllOf(items) => out.extend(items.iter().filter_map(|i| i.field.name.clone())),
        Detection::AnyOf(list) | Detection::And(list) => {
            list.iter().for_each(|d| fields_of(d, out))
        }
        Detection::Keywords(_) => {}
        Detection::ArrayMatch { field, .. } => {
            out.insert(field.clone());
        }
        Detection::Conditional { named, .. } => {
            let sorted: BTreeMap<_, _> = named.iter().collect();
            sorted.into_values().for_each(|d| fields_of(d, out));
        }
    }
}

/// Line where `near` stands first in the document that `own` stands in; where `own` stands when nowhere, else 1.
fn line_of(text: &str, own: &str, near: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let end = |l: &&str| l.starts_with("---");
    let named = |key: &str| {
        let own = |l: &&str| l.trim_start().starts_with(key) && l.contains(own);
        lines.iter().position(own)
    };
    let own_at = match own {
        "" => 0,
        _ => named("id:").or_else(|| named("title:")).unwrap_or(0),
    };
    let from = lines[..own_at].iter().rposition(end).map_or(0, |n| n + 1);
    let until = match own {
        "" => lines.len(),
        _ => lines[own_at..]
            .iter()
            .position(end)
            .map_or(lines.len(), |n| own_at + n),
    };
    let near_at = lines[from..until]
        .iter()
        .position(|l| !near.is_empty() && l.contains(near));
    near_at.map_or(own_at, |n| from + n) + 1
}

/// The line a message of the parser names (`… at line 3 column 5`).
fn said_line(what: &str) -> Option<usize> {
    let rest = what.split("line ").nth(1)?;
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// The first word between quotes.
fn quoted(what: &str) -> &str {
    what.split('\'').nth(1).unwrap_or("")
}

macro_rules! pack {
    ($($name:literal)+) => {
        /// Our rules, as (file name, text); a test holds the list to the folder.
        pub const PACK: &[(&str, &str)] = &[$(($name, include_str!(concat!("../pack/", $name))),)+];
    };
}
include!("pack.rs");
