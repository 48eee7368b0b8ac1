//! One file's events → fragments of sessions.
use crate::{Features, Key};
use ampleur_event::{Account, EventBatch, SessionCounts, time::Nanos};
use ampleur_sources::case::{Case, FileId};
use std::collections::{BTreeMap, BTreeSet};

/// A stretch of rows with one key and no silence longer than the inactivity limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Fragment {
    /// `[from, to]`, both included.
    pub from: Nanos,
    pub to: Nanos,
    /// Order-independent hash of its distinct rows: the same stretch delivered in two files is counted once.
    pub fingerprint: u64,
    pub opened: bool,
    pub closed: bool,
    pub counts: SessionCounts,
    pub features: Features,
}

/// What one file contributes. Joined by [`crate::Sessions::build`] in any order.
#[derive(Debug, Clone, Default)]
pub struct Partial {
    pub(crate) file: FileId,
    pub(crate) format: &'static str,
    pub(crate) fragments: BTreeMap<Key, Vec<Fragment>>,
    /// Rows with a key and no time.
    pub(crate) untimed: BTreeMap<Key, Fragment>,
    /// The source's user id → accounts it was named with.
    pub(crate) names: BTreeMap<String, BTreeSet<Account>>,
    /// Host → instants its ids began anew.
    pub(crate) restarts: BTreeMap<String, BTreeSet<Nanos>>,
    /// (host name, address) → rows that say so.
    pub(crate) machines: BTreeMap<(String, String), u64>,
}

/// Reads the events of one file, in file order.
pub struct FileIntake {
    partial: Partial,
}

impl FileIntake {
    /// `format` is the name of the source that decodes the file.
    pub fn new(_case: &Case, file: FileId, format: &'static str) -> FileIntake {
        FileIntake {
            partial: Partial {
                file,
                format,
                ..Partial::default()
            },
        }
    }
    pub fn push(&mut self, _batch: &EventBatch) {}
    pub fn finish(self) -> Partial {
        self.partial
    }
}
