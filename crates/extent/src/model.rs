//! The answer as it is written: `extent.json`, format `ampleur.extent/1` (design §5, contract §A). Additive changes only.
use ampleur_event::Interval;
use serde::{Deserialize, Serialize};

pub const FORMAT: &str = "ampleur.extent/1";

/// The whole answer. Every list has a total order, so that equal evidence gives equal bytes (law L7).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub format: String,
    pub incident: String,
    pub version: u32,
    pub window: Span,
    pub evidence: Evidence,
    /// Sorted by account.
    pub accounts: Vec<AccountRow>,
    /// Sorted by (from, id). Legitimate sessions may be left out above a limit; then `sessions_omitted` says how many.
    pub sessions: Vec<SessionRow>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sessions_omitted: u64,
    pub extent: Extent,
    /// Sorted by (source, from, to).
    pub coverage: Vec<CoverageRow>,
    /// Every code once for the whole case, then per establishment.
    pub statements: Vec<Statement>,
    pub claims: Vec<Claim>,
    pub containment: Containment,
    /// Filled by a later version: what moved, by how much, and the record that moved it.
    pub changes: Vec<Change>,
    /// What alone was asked (`account vpn:x`, `origin 192.0.2.0/24`, `session s0421`, `from …`, `to …`, `not …`); empty when the whole
    /// was looked at. Nothing else was judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<String>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// RFC 3339 UTC; empty when unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub from: String,
    pub to: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Leaves of the log when this answer was made.
    pub tree_size: u64,
    /// RFC 6962 root, lower-case hex.
    pub root_hash: String,
    pub records: u64,
    pub events: u64,
    pub rejects: u64,
    pub skipped: u64,
    /// One row per file, sorted by path.
    pub by_source: Vec<SourceRow>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceRow {
    /// Path relative to the case.
    pub source: String,
    pub format: String,
    pub records: u64,
    pub events: u64,
    pub rejects: u64,
    pub skipped: u64,
    pub from: String,
    pub to: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AccountRow {
    pub account: String,
    pub kind: String,
    pub person: Option<String>,
    /// usurped | clean | doubtful
    pub verdict: String,
    pub sessions: SessionTally,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionTally {
    pub intruder: u64,
    pub doubtful: u64,
    pub legitimate: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionRow {
    pub id: String,
    pub chain: String,
    pub intrusion: Option<String>,
    pub account: Option<String>,
    pub source: String,
    pub origin: OriginRow,
    pub from: String,
    pub to: String,
    pub events: u64,
    pub bytes_out: u64,
    /// intruder | doubtful | legitimate
    pub verdict: String,
    pub score: f64,
    pub reasons: Vec<ReasonRow>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginRow {
    pub address: Option<String>,
    pub country: Option<String>,
    pub asn: Option<u32>,
    pub device: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReasonRow {
    pub code: String,
    pub fr: String,
    pub en: String,
    #[serde(default)]
    pub weight: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Extent {
    pub subjects: Interval,
    /// Sorted by (establishment, category, verdict). A cell not written is {0, 0}.
    pub cells: Vec<Cell>,
    pub unaffected: Interval,
    pub targeted: Vec<Targeted>,
    pub writes: Vec<Write>,
    pub internal: Vec<Internal>,
    /// Canary subjects that were touched; never counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canaries: Vec<Targeted>,
    /// Probable duplicate persons (equal traits), counted once in `at_least`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probable_duplicates: Vec<Vec<String>>,
    /// Shares the intruder could reach and no log tells the reads of, sorted: who is in them is exposed at the most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blind_shares: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    pub establishment: String,
    pub category: String,
    pub verdict: String,
    pub subjects: Interval,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived_from: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targeted {
    pub subject: String,
    pub sessions: Vec<String>,
    pub times: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    pub subject: String,
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
    pub evidence: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Internal {
    pub account: String,
    pub subjects: u64,
    pub reason: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageRow {
    /// `files` glob of the `[[source]]` entry, else the folder.
    pub source: String,
    pub from: String,
    pub to: String,
    /// complete | gap | unknown
    pub state: String,
    /// silence | sequence | rotation | tamper | clock | audit_off | seal; empty when complete
    pub kind: String,
    pub missing: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<String>,
    /// Why, in both languages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Both>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Both {
    pub fr: String,
    pub en: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    pub code: String,
    pub holds: bool,
    pub fr: String,
    pub en: String,
    pub because: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub establishment: Option<String>,
    /// How far a refused sentence can be said all the same; absent when it holds, or when nothing can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<Partial>,
}

/// The part of a sentence that holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// Whole per cent, rounded down; 0 to 99.
    pub percent: u64,
    /// patients | list | time
    pub of: String,
    pub fr: String,
    pub en: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub text: String,
    /** refuted | supported | undecidable */
    pub verdict: String,
    pub because: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Containment {
    pub cut: Vec<String>,
    pub rotate: Vec<String>,
    pub keep: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub what: String,
    pub before: Option<Interval>,
    pub after: Option<Interval>,
    pub because: Vec<String>,
    pub fr: String,
    pub en: String,
}

/// One row of `persons.csv`: the strongest verdict of one (subject, establishment, category).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonRow {
    pub subject: String,
    pub establishment: String,
    pub category: String,
    pub verdict: String,
    /// proven | derived; empty for `exposed`
    pub certainty: String,
    pub first: String,
    pub last: String,
    /// Rows of evidence, counted.
    pub events: u64,
    pub sessions: Vec<String>,
    /// `path:record`, blanks in a path as %20; at most 50, then `+n`.
    pub evidence: Vec<String>,
}
