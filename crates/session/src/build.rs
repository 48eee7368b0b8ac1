//! Fragments of all files → sessions, their accounts and links.
use crate::{Features, Key, Partial, key_of};
use ampleur_event::{Event, Link, Session, time::Nanos};
use ampleur_sources::case::{Case, FileId};
use std::collections::BTreeMap;

/// Every session of a case.
#[derive(Debug, Clone, Default)]
pub struct Sessions {
    /// Sorted by (from, id).
    pub list: Vec<Session>,
    /// Parallel to `list`.
    pub features: Vec<Features>,
    /// Chain label of each session, parallel to `list`: equal for sessions joined by links of certainty 0.5 or more.
    pub chains: Vec<String>,
    /// Sorted by (outer, inner, kind).
    pub links: Vec<Link>,
    /// Sessions that two outer sessions claim with equal right.
    pub ambiguous: Vec<u32>,
    pub(crate) index: BTreeMap<Key, Vec<(Nanos, Nanos, u32)>>,
    pub(crate) sources: Vec<u32>,
}

impl Sessions {
    /// Joins what the files contributed. The order of `partials` does not matter.
    pub fn build(case: &Case, _partials: Vec<Partial>) -> Sessions {
        Sessions {
            sources: case.files.iter().map(|f| f.source).collect(),
            ..Sessions::default()
        }
    }
    /// The one session an event of `file` belongs to (SE-1); `None` for rows without account and address.
    pub fn of_event(&self, file: FileId, e: &Event<'_>) -> Option<u32> {
        let key = key_of(*self.sources.get(file as usize)?, e)?;
        self.of_key(&key, e.time)
    }
    /// The session of `key` whose interval holds `time`, else the nearest one.
    pub fn of_key(&self, key: &Key, time: Nanos) -> Option<u32> {
        let spans = self.index.get(key)?;
        let at = spans.partition_point(|(from, _, _)| *from <= time);
        let before = at.checked_sub(1).and_then(|i| spans.get(i));
        let after = spans.get(at);
        match (before, after) {
            (Some(b), Some(a))
                if time > b.1 && a.0.saturating_sub(time) < time.saturating_sub(b.1) =>
            {
                Some(a.2)
            }
            (Some(b), _) => Some(b.2),
            (None, Some(a)) => Some(a.2),
            (None, None) => None,
        }
    }
    /// Index of the session with this id.
    pub fn by_id(&self, id: &str) -> Option<u32> {
        self.list.iter().position(|s| s.id == id).map(|i| i as u32)
    }
}
