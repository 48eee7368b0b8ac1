//! Declared proof (law L12): what one row of a source proves, what its silence proves, how a gap would show.
use crate::words::Verb;

/// What one row proves about data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    /// The record or file named was served to the session.
    Access,
    /// A question was asked; the answer is not in the row and must be replayed.
    Question,
    /// Something was tried; no data is shown by the row itself.
    Attempt,
    /// An account was present from an origin.
    Presence,
    /// Bytes moved between addresses.
    Transfer,
    /// A value was changed.
    Change,
    /// The source speaks of itself.
    Health,
}

/// What the absence of rows proves while the source is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Silence {
    /// No access of the kinds it records happened.
    NoAccess,
    /// No presence (no login, no tunnel) through this door happened.
    NoPresence,
    /// No transfer crossed this point.
    NoTransfer,
    /// Nothing: object-level auditing is per folder, statement logging per level; only `[[source]] tells` can say more.
    Nothing,
}

/// How missing rows would show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GapSign {
    /// `seq` rises by one per row within the same `host` of the source (EventRecordID, keycloak `event.sequence`).
    SequencePerHost,
    /// `seq` rises by one per row within the same `session_id` (csvlog session line number).
    SequencePerSession,
    /// No numbers: only heartbeat, rate and edges can show it.
    RateOnly,
}

/// A source's capability sheet. One per [`crate::Event`] source; shown by `ampleur sources show`.
#[derive(Debug, Clone, Copy)]
pub struct Capability {
    pub rows: &'static [(Verb, Proof)],
    pub silence: Silence,
    /// Its rows name every data subject in an answer.
    pub names_results: bool,
    pub gap: GapSign,
}

impl Capability {
    pub fn proof_of(&self, verb: Verb) -> Option<Proof> {
        self.rows.iter().find(|(v, _)| *v == verb).map(|(_, p)| *p)
    }
}
