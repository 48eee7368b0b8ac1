//! What rules found, as it is written: `findings.json`, format `ampleur.findings/1`. A finding accuses nobody and clears nobody:
//! attribution alone decides, and looks at sessions, not at findings.
use crate::model::Both;
use serde::{Deserialize, Serialize};

pub const FORMAT: &str = "ampleur.findings/1";

/// Findings in order of rule as loaded, then of what they are about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    pub format: String,
    pub incident: String,
    pub version: u32,
    /// What findings are and are not.
    pub note: Both,
    /// Rules of our own and rules given by the hospital; correlations are rules.
    pub rules_own: u64,
    pub rules_given: u64,
    /// BLAKE3 of the files given, in order of path; empty when none were.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rules_hash: String,
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Id of the rule.
    pub rule: String,
    pub title: Both,
    /// Why somebody should look: the rule's own description.
    pub reason: Both,
    /// Level the rule gives itself; empty when it gives none.
    pub level: String,
    /// event | event_count | value_count | temporal | temporal_ordered
    pub kind: String,
    /// One of our own rules.
    pub own: bool,
    /// Whom or what it is about; empty when that is not known, or too much for a row each.
    pub by: Vec<By>,
    /// Events that fired it, or bursts a correlation counted.
    pub times: u64,
    /// The most a correlation counted in one window, and the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<u64>,
    /// RFC 3339 UTC; empty when unknown.
    pub first: String,
    pub last: String,
    /// `path:record` of the first events that fired it, blanks in a path as %20.
    pub evidence: Vec<String>,
}

/// A field and its value; a keyed token (`tok_…`) for a field that may hold an identifier of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    pub field: String,
    pub value: String,
}

/// Said wherever findings are shown.
pub fn note() -> Both {
    Both {
        fr: "Des règles attirent l’attention sur des événements. Un constat n’accuse personne et n’innocente personne : les sessions sont jugées sans lui.".into(),
        en: "Rules draw attention to events. A finding accuses nobody and clears nobody: sessions are judged without it.".into(),
    }
}
