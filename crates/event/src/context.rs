//! The operator's context, `ampleur.toml` (design §4, contract §D). Unknown keys are errors that name the nearest key.
use crate::{category::CategorySet, time::Nanos};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Every key once, explained: what `ampleur config example` prints.
pub const EXAMPLE: &str = include_str!("example.toml");

/// Everything a hospital can tell us besides its logs. Every part is optional; each sharpens the answer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    #[serde(default)]
    pub version: u32,
    /// IANA zone of sources that carry none.
    #[serde(default)]
    pub timezone: Option<String>,
    #[serde(default)]
    pub home_countries: Vec<String>,
    /// MaxMind-format files, relative to the case.
    #[serde(default)]
    pub geoip: Vec<String>,
    #[serde(default, rename = "establishment")]
    pub establishments: Vec<Establishment>,
    #[serde(default, rename = "source")]
    pub sources: Vec<SourceEntry>,
    #[serde(default, rename = "person")]
    pub persons: Vec<Person>,
    #[serde(default, rename = "account")]
    pub accounts: Vec<AccountEntry>,
    #[serde(default, rename = "endpoint")]
    pub endpoints: Vec<Endpoint>,
    #[serde(default, rename = "share")]
    pub shares: Vec<Share>,
    #[serde(default, rename = "table")]
    pub tables: Vec<Table>,
    #[serde(default)]
    pub rights: Vec<Rights>,
    #[serde(default, rename = "ticket")]
    pub tickets: Vec<Ticket>,
    #[serde(default, rename = "absence")]
    pub absences: Vec<Absence>,
    #[serde(default, rename = "job")]
    pub jobs: Vec<Job>,
    #[serde(default, rename = "canary")]
    pub canaries: Vec<Canary>,
    #[serde(default, rename = "claim")]
    pub claims: Vec<Claim>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Establishment {
    pub id: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub networks: Vec<String>,
    #[serde(default)]
    pub authorities: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceEntry {
    /// Glob relative to the case.
    pub files: String,
    #[serde(default)]
    pub format: Option<String>,
    #[serde(default)]
    pub establishment: Option<String>,
    #[serde(default)]
    pub timezone: Option<String>,
    /// Seconds added to its times.
    #[serde(default)]
    pub clock_offset_s: Option<f64>,
    /// Categories whose access this source would show.
    #[serde(default)]
    pub tells: Vec<String>,
    /// Its events name every data subject returned.
    #[serde(default)]
    pub shows_results: Option<bool>,
    #[serde(default)]
    pub heartbeat_s: Option<f64>,
    /// System of its accounts, overriding the format's (`rpps`).
    #[serde(default)]
    pub accounts: Option<String>,
    /// Custom nginx `log_format` or Apache `LogFormat`, or a PostgreSQL `log_line_prefix`.
    #[serde(default)]
    pub layout: Option<String>,
    /// How the server behind it compares texts.
    #[serde(default)]
    pub compare: Option<Comparison>,
}

/// How a server compares texts: it decides who was on a list. What is left out stays open.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Name of a collation that tells case and accents (`French_CI_AI`, `utf8mb4_0900_as_cs`, `C`).
    #[serde(default)]
    pub collation: Option<String>,
    #[serde(default)]
    pub case: Option<Kept>,
    #[serde(default)]
    pub accents: Option<Kept>,
    #[serde(default)]
    pub phonetic: Option<Phonetic>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    Kept,
    Ignored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phonetic {
    None,
    Soundex,
    Other,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    pub id: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Local date of departure; the account is legitimate through that date.
    #[serde(default)]
    pub until: Option<DateText>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountEntry {
    pub name: String,
    /// professional | staff | vendor | service | admin | generic
    #[serde(default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub networks: Vec<String>,
    #[serde(default)]
    pub may_reach: Vec<String>,
    #[serde(default)]
    pub hours: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    #[serde(rename = "match")]
    pub matches: EndpointMatch,
    #[serde(default)]
    pub categories: Vec<String>,
    #[serde(default)]
    pub subject: Option<EndpointSubject>,
    #[serde(default)]
    pub list: bool,
    #[serde(default)]
    pub export: bool,
    #[serde(default)]
    pub page_size: Option<u32>,
    #[serde(default)]
    pub order: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointMatch {
    #[serde(default)]
    pub host: Option<String>,
    #[serde(default)]
    pub method: Option<String>,
    /// `*` matches inside and across segments, `{name}` one segment.
    #[serde(default)]
    pub path: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSubject {
    #[serde(default)]
    pub path: Option<String>,
    #[serde(default)]
    pub query: Option<String>,
    #[serde(default)]
    pub authority: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    pub path: String,
    #[serde(default)]
    pub categories: Vec<String>,
    #[serde(default)]
    pub size_bytes: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    pub name: String,
    #[serde(default)]
    pub categories: Vec<String>,
    #[serde(default)]
    pub columns: BTreeMap<String, Column>,
}

/// What a column holds: a path into the identity base (`birthDate`, `name.family:official`, `identifier:<authority>`) or a category.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Column {
    Path(String),
    Category { category: String },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rights {
    pub account: String,
    pub population: Population,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Population {
    Establishment(String),
    Absolute { subjects: u64 },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    pub account: String,
    pub from: toml::value::Datetime,
    pub to: toml::value::Datetime,
    #[serde(default)]
    pub networks: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absence {
    pub person: String,
    pub from: DateText,
    pub to: DateText,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    pub account: String,
    #[serde(default)]
    pub host: Option<String>,
    #[serde(default)]
    pub program: Option<String>,
    #[serde(default)]
    pub hours: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    pub subject: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    pub text: String,
    #[serde(default)]
    pub subjects: Option<u64>,
    #[serde(default)]
    pub categories: Vec<String>,
}

/// A local date, written as a TOML date or as text.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum DateText {
    Date(toml::value::Datetime),
    Text(String),
}

/// What is wrong with a context, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    #[error("unknown key `{key}` (line {line}){}", .nearest.as_ref().map(|n| format!(", did you mean `{n}`?")).unwrap_or_default())]
    UnknownKey {
        key: String,
        line: usize,
        nearest: Option<String>,
    },
    #[error("{message} (line {line})")]
    Syntax { message: String, line: usize },
    #[error("unknown category `{0}`")]
    Category(String),
    #[error("unknown time zone `{0}`")]
    Zone(String),
    #[error("{0}")]
    Value(String),
}

impl Context {
    /// Reads `ampleur.toml`. Errors name the line, and for an unknown key the nearest known one.
    pub fn parse(text: &str) -> Result<Context, ContextError> {
        let c: Context = toml::from_str(text).map_err(|e| explain(text, &e))?;
        c.check()?;
        Ok(c)
    }
    fn check(&self) -> Result<(), ContextError> {
        let sets = self
            .sources
            .iter()
            .map(|s| &s.tells)
            .chain(self.endpoints.iter().map(|e| &e.categories))
            .chain(self.shares.iter().map(|s| &s.categories))
            .chain(self.tables.iter().map(|t| &t.categories))
            .chain(self.claims.iter().map(|c| &c.categories));
        for s in sets {
            CategorySet::parse(s).map_err(ContextError::Category)?;
        }
        let zones = self
            .timezone
            .iter()
            .chain(self.sources.iter().filter_map(|s| s.timezone.as_ref()));
        for z in zones {
            jiff::tz::TimeZone::get(z).map_err(|_| ContextError::Zone(z.clone()))?;
        }
        Ok(())
    }
    /// The case's zone; UTC when none is declared.
    pub fn zone(&self) -> jiff::tz::TimeZone {
        self.timezone
            .as_deref()
            .and_then(|z| jiff::tz::TimeZone::get(z).ok())
            .unwrap_or(jiff::tz::TimeZone::UTC)
    }
}

impl DateText {
    /// 00:00 of the local date in `zone`, UTC nanoseconds; `None` when it is no date.
    pub fn start(&self, zone: &jiff::tz::TimeZone) -> Option<Nanos> {
        let text = match self {
            DateText::Date(d) => d.to_string(),
            DateText::Text(t) => t.clone(),
        };
        let date: jiff::civil::Date = text.get(..10)?.parse().ok()?;
        let t = date
            .to_zoned(zone.clone())
            .ok()?
            .timestamp()
            .as_nanosecond();
        i64::try_from(t).ok()
    }
}

/// A TOML date-time as UTC nanoseconds; without offset it is local in `zone`.
pub fn instant(d: &toml::value::Datetime, zone: &jiff::tz::TimeZone) -> Option<Nanos> {
    let text = d.to_string();
    if let Ok(ts) = text.parse::<jiff::Timestamp>() {
        return i64::try_from(ts.as_nanosecond()).ok();
    }
    if let Ok(dt) = text.parse::<jiff::civil::DateTime>() {
        return i64::try_from(dt.to_zoned(zone.clone()).ok()?.timestamp().as_nanosecond()).ok();
    }
    None
}

fn explain(text: &str, e: &toml::de::Error) -> ContextError {
    let at = e.span().map_or(0, |s| s.start);
    let line = text.get(..at).unwrap_or("").matches('\n').count() + 1;
    let message = e.message().to_string();
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let (key, rest) = rest.split_once('`').unwrap_or((rest, ""));
        let known = rest.split('`').skip(1).step_by(2);
        let nearest = known
            .map(|k| (distance(key, k), k))
            .min()
            .filter(|(d, k)| *d <= k.len().max(key.len()) / 2)
            .map(|(_, k)| k.to_string());
        return ContextError::UnknownKey {
            key: key.to_string(),
            line,
            nearest,
        };
    }
    ContextError::Syntax { message, line }
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let cost = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    /// Comments that begin with a key are keys that may be switched on.
    fn switched_on(text: &str) -> String {
        let lines = text.lines().map(|l| {
            let bare = l.strip_prefix("# ").unwrap_or(l);
            let key = bare.split(" = ").next().unwrap_or_default();
            let is_key = key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            if is_key && key != bare { bare } else { l }
        });
        lines.collect::<Vec<_>>().join("\n")
    }
    #[test]
    fn the_example_holds_every_key_and_is_read() {
        Context::parse(EXAMPLE).unwrap();
        let text = switched_on(EXAMPLE);
        Context::parse(&text).unwrap();
        // What a key of each kind may be followed by is told by the error for one that does not exist.
        let table: toml::Table = toml::from_str(&text).unwrap();
        let known = |at: &str| -> Vec<String> {
            let message = Context::parse(at).unwrap_err().to_string();
            let raw = toml::from_str::<Context>(at).unwrap_err().to_string();
            assert!(message.contains("nokey"), "{message}");
            let (_, rest) = raw.split_once("expected").unwrap();
            rest.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_string)
                .collect()
        };
        for key in known("nokey = 1") {
            let value = table.get(&key).unwrap_or_else(|| panic!("no {key}"));
            let Some(entry) = value.as_array().and_then(|a| a.first()?.as_table()) else {
                continue;
            };
            for inner in known(&format!("[[{key}]]\nnokey = 1")) {
                assert!(entry.contains_key(&inner), "no {key}.{inner}");
            }
        }
    }
    #[test]
    fn an_unknown_key_names_the_nearest() {
        let e = Context::parse("version = 1\ntimezon = \"Europe/Paris\"\n").unwrap_err();
        assert_eq!(
            e,
            ContextError::UnknownKey {
                key: "timezon".into(),
                line: 2,
                nearest: Some("timezone".into())
            }
        );
        let e =
            Context::parse("version = 1\n[[source]]\nfiles = \"a\"\nhartbeat_s = 3\n").unwrap_err();
        assert!(e.to_string().contains("did you mean `heartbeat_s`?"), "{e}");
    }
    #[test]
    fn a_wrong_category_or_zone_is_refused() {
        assert_eq!(
            Context::parse("[[source]]\nfiles=\"a\"\ntells=[\"HELTH.*\"]").unwrap_err(),
            ContextError::Category("HELTH.*".into())
        );
        assert_eq!(
            Context::parse("timezone = \"Europe/Pari\"").unwrap_err(),
            ContextError::Zone("Europe/Pari".into())
        );
    }
    #[test]
    fn dates_are_local_days() {
        let z = jiff::tz::TimeZone::get("Europe/Paris").unwrap();
        assert_eq!(
            DateText::Text("2025-08-25".into())
                .start(&z)
                .map(crate::time::rfc3339)
                .as_deref(),
            Some("2025-08-24T22:00:00.000Z")
        );
    }
}
