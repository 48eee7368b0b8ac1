//! The closed list of sentences (contract §A): every code is always there, holds or is refused with the reason.
use crate::{
    bounds::Bounds,
    coverage::Coverage,
    model::{Cell, Statement},
};
use ampleur_event::{Interval, Nanos};

/// Every code, in the order they are written.
pub const CODES: &[&str] = &[
    "no_intrusion",
    "no_evidence_of_access",
    "no_health_data",
    "no_nir",
    "no_contact_data",
    "no_bank_data",
    "no_rights_data",
    "no_staff_data",
    "nothing_exfiltrated",
    "nothing_leaked",
    "nothing_written",
    "list_complete",
    "unaffected_can_be_told",
    "start_known",
    "only_these_accounts",
    "logs_intact",
];

/// What the sentences rest on. Plain data, filled by the assembly.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Establishments of the case (id, name), sorted by id.
    pub establishments: Vec<(String, String)>,
    /// The cells as written, bounds included (`exposed` too).
    pub cells: Vec<Cell>,
    pub subjects: Interval,
    pub unaffected: Interval,
    /// Persons of the identity base at the last snapshot; 0 when there is none.
    pub population: u64,
    pub intruder_sessions: u64,
    pub doubtful_sessions: u64,
    /// Sources in which sessions judged intruder or doubtful were seen.
    pub touched_sources: Vec<u32>,
    /// First and last instants of intruder or doubtful sessions, each `[from, to]`.
    pub activity: Vec<(Nanos, Nanos)>,
    /// Fields, records or files changed by intruder sessions; by doubtful ones.
    pub writes: u64,
    pub possible_writes: u64,
    /// Rejects compatible with an intruder session, in sources that tell.
    pub possible_accesses: u64,
    /// Published lists were examined.
    pub leak_examined: bool,
    /// Whole files that could not be decoded.
    pub unreadable_files: u64,
    /// Accesses of intruder sessions whose persons could not be resolved.
    pub unresolved_accesses: u64,
}

/// All statements: the whole case in the order of [`CODES`], then per establishment.
pub fn statements(facts: &Facts, coverage: &Coverage, bounds: &Bounds) -> Vec<Statement> {
    let _ = (facts, coverage, bounds);
    Vec::new()
}
