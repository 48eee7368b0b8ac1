//! An answer, rendered. Floor 6: pure functions from [`ampleur_extent::model::Answer`] and the person rows to bytes; no I/O, clock,
//! environment or randomness, so equal answers give equal bytes (law L7).
//!
//! - [`html::report`]: one self-contained page, French and English, for screen and paper.
//! - [`pdf::report`]: the same in brief, tagged for assistive technology.
//! - [`terminal::summary`]: at most 80 columns.
//! - [`tables`]: `persons.csv`, `sessions.csv`, `timeline.csv`, `extent.json`, `findings.json`.
//!
//! Every text of the answer is hostile until escaped: user agents, file names and claims come from an intruder.

pub mod html;
pub mod pdf;
pub mod picture;
pub mod tables;
pub mod terminal;
pub mod view;
pub mod words;

use std::collections::BTreeMap;

/// Language of a rendering. `report.html` carries both and shows this one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    #[default]
    Fr,
    En,
}

impl Lang {
    /// BCP 47 tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Lang::Fr => "fr",
            Lang::En => "en",
        }
    }
}

/// What a rendering needs besides the answer.
#[derive(Debug, Clone)]
pub struct Options {
    pub lang: Lang,
    /// Zone of the times shown to people; files for machines stay in UTC.
    pub zone: jiff::tz::TimeZone,
    /// IANA name of `zone`, printed beside times.
    pub zone_name: String,
    /// Establishment id to name, from the context. An id without a name is shown as it is.
    pub establishments: BTreeMap<String, String>,
    /// True for made-up data: every page says so.
    pub simulated: bool,
    /// What rules found, when rules were asked.
    pub findings: Option<ampleur_extent::findings::Findings>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            lang: Lang::Fr,
            zone: jiff::tz::TimeZone::UTC,
            zone_name: "UTC".into(),
            establishments: BTreeMap::new(),
            simulated: false,
            findings: None,
        }
    }
}

/// Why a rendering could not be made. Only the PDF writer and the table writers can fail.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    #[error("write PDF: {0}")]
    Pdf(String),
    #[error("write table: {0}")]
    Table(#[from] csv::Error),
    #[error("write table: {0}")]
    Io(#[from] std::io::Error),
    #[error("write JSON: {0}")]
    Json(#[from] serde_json::Error),
}
