//! One file per job. A job takes plain options, reports progress through [`Progress`], and returns what happened.
mod apart;
mod crew;
#[cfg(feature = "sigma")]
mod findings;
#[cfg(not(feature = "sigma"))]
#[path = "no_findings.rs"]
mod findings;
mod intake;
mod inventory;
mod investigate;
mod leak;
mod merge;
mod output;
mod overrule;
mod permits;
mod profiles;
mod readiness;
mod watch;

use ampleur_event::Nanos;
pub use apart::{Apart, serve_documents};
pub use intake::{Intake, Looker, Looking, intake, intake_looked_at};
pub use inventory::{
    InventoryOptions, InventorySummary, inventory, load as load_inventory, roster,
};
pub use investigate::{Finding, Options, SubjectsForm, Timing, investigate};
pub use leak::{LeakReport, LineVerdict, SAMPLES, leak_report, listings, samples};
pub use output::write_all;
pub use overrule::{Overrule, Says, overrule, overrules};
pub use readiness::{Covered, cover};
use std::path::PathBuf;
pub use watch::{ALARM, ALARMS, AlarmLine, Book, BookFile, Step, Watch, WatchOptions, book};

/// Told how far a job is. Called from several threads; must be cheap.
pub trait Progress: Sync {
    /// A stage begins; `total` is its size in the stage's own unit (bytes for intake, steps elsewhere), 0 when unknown.
    fn stage(&self, _name: &'static str, _total: u64) {}
    fn advance(&self, _by: u64) {}
    /// Something the operator should know now. Never holds personal data.
    fn note(&self, _text: &str) {}
}

/// Says nothing.
pub struct Quiet;
impl Progress for Quiet {}

/// What the outside gives a job: the instant it runs at and unpredictable bytes.
pub struct Outside<'a> {
    /// UTC nanoseconds.
    pub now: Nanos,
    pub actor: String,
    /// Fills its argument with unpredictable bytes.
    pub random: &'a mut dyn FnMut(&mut [u8]),
}

/// Why a job could not be done. Damage inside the evidence is never an error: it is counted and shown in the answer.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error(transparent)]
    Case(#[from] ampleur_sources::case::CaseError),
    #[error(transparent)]
    Evidence(#[from] ampleur_evidence::EvidenceError),
    #[error(transparent)]
    Door(#[from] ampleur_query::DoorError),
    #[error(transparent)]
    Notice(#[from] ampleur_notice::NoticeError),
    #[error("{what} {}: {message}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        message: String,
    },
    #[error("{0}")]
    Refused(String),
}

impl JobError {
    pub(crate) fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
        e: impl std::fmt::Display,
    ) -> JobError {
        JobError::File {
            what,
            path: path.into(),
            message: e.to_string(),
        }
    }
}
