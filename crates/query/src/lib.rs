//! The one narrow door to the event tables (floor 3): select by source, file, account, session, address, subject, verb and time.
//!
//! Two back ends give equal answers: `local` (default) and `datafusion` (feature `cluster`). [`MemoryDoor`] is the slow
//! reference both are held to. Nobody above this floor names a file format or a query engine.

#[cfg(feature = "cluster")]
mod cluster;
mod local;
#[cfg(feature = "cluster")]
pub use cluster::{DatafusionDoor, Table};
pub use local::LocalDoor;

use ampleur_event::{Event, EventBatch, Verb, Window};
use std::collections::{BTreeMap, BTreeSet};

/// Number of a file in the case (`sources::case`), stable: files are numbered in order of their relative path.
pub type FileId = u32;

/// What to select. Empty lists select everything; several lists narrow each other (AND), values in a list widen (OR).
#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    pub files: Vec<FileId>,
    /// `Account::key()` texts.
    pub accounts: Vec<String>,
    pub session_ids: Vec<String>,
    /// Matches `src_ip`, `inner_ip` or an element of `forwarded`.
    pub addresses: Vec<String>,
    /// Clear subjects, `authority|id` or `Patient/id`.
    pub subjects: Vec<String>,
    pub verbs: Vec<Verb>,
    /// `[from, to)`. Rows without time match every window.
    pub window: Window,
}

impl Default for Select {
    fn default() -> Self {
        Select {
            files: vec![],
            accounts: vec![],
            session_ids: vec![],
            addresses: vec![],
            subjects: vec![],
            verbs: vec![],
            window: Window::ALL,
        }
    }
}

impl Select {
    /// The definition every back end is held to.
    pub fn matches(&self, file: FileId, e: &Event<'_>) -> bool {
        (self.files.is_empty() || self.files.contains(&file))
            && (e.time == ampleur_event::time::NO_TIME || self.window.contains(e.time))
            && (self.verbs.is_empty() || self.verbs.contains(&e.verb))
            && (self.session_ids.is_empty() || self.session_ids.iter().any(|s| *s == e.session_id))
            && (self.addresses.is_empty()
                || self.addresses.iter().any(|a| {
                    *a == e.src_ip
                        || *a == e.inner_ip
                        || e.forwarded.split(',').any(|f| f.trim() == a)
                }))
            && (self.accounts.is_empty()
                || e.account().is_some_and(|a| {
                    let k = a.key();
                    self.accounts.contains(&k)
                }))
            && (self.subjects.is_empty()
                || e.subject_list()
                    .any(|s| self.subjects.iter().any(|x| x == s)))
    }
}

/// The door. Batches arrive grouped by file in ascending [`FileId`], rows in file order, sensitive text already opened (clear).
pub trait Door: Sync {
    /// Calls `each(file, batch)` for every batch of matching rows; only matching rows are in the batch.
    fn scan(
        &self,
        select: &Select,
        each: &mut dyn FnMut(FileId, &EventBatch),
    ) -> Result<(), DoorError>;
    /// [`Door::scan`] for a caller that looks at these columns only (names of [`EventBatch::schema`]): the same rows in the
    /// same order; every other column may be absent. What is not named need not be read or opened.
    fn scan_columns(
        &self,
        select: &Select,
        columns: &[&str],
        each: &mut dyn FnMut(FileId, &EventBatch),
    ) -> Result<(), DoorError> {
        let _ = columns;
        self.scan(select, each)
    }
    /// [`Door::scan`] of the rows that `choose` takes too: for a caller who wants all columns of few rows. `choose` sees these
    /// columns (every other one may be absent), in no particular order and from several threads.
    fn scan_chosen(
        &self,
        select: &Select,
        columns: &[&str],
        choose: &Choose<'_>,
        each: &mut dyn FnMut(FileId, &EventBatch),
    ) -> Result<(), DoorError> {
        let _ = columns;
        self.scan(select, &mut |file, batch| {
            let mut hit = EventBatch::default();
            for e in batch.iter().filter(|e| choose(file, e)) {
                hit.push(&e);
            }
            if !hit.is_empty() {
                each(file, &hit);
            }
        })
    }
    /// Where records lie, by file and record number (from 1). Shape: one place per record that has an event, ordered by file
    /// and record; unknown records are left out.
    fn locate(&self, records: &BTreeMap<FileId, BTreeSet<u64>>) -> Result<Vec<Place>, DoorError> {
        let select = Select {
            files: records.keys().copied().collect(),
            ..Select::default()
        };
        let mut out = vec![];
        if !records.is_empty() {
            self.scan_columns(&select, &["record", "offset", "len"], &mut |file, batch| {
                let wanted = records.get(&file);
                out.extend(
                    batch
                        .iter()
                        .filter(|e| wanted.is_some_and(|w| w.contains(&e.record)))
                        .map(|e| Place {
                            file,
                            record: e.record,
                            offset: e.offset,
                            len: e.len,
                        }),
                );
            })?;
        }
        out.sort();
        Ok(out)
    }
}

/// A condition on a row that no [`Select`] can say.
pub type Choose<'a> = dyn Fn(FileId, &Event<'_>) -> bool + Sync + 'a;

/// Where one record lies in its (decompressed) file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: FileId,
    pub record: u64,
    pub offset: u64,
    pub len: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    #[error("read {path}: {message}")]
    Read { path: String, message: String },
}

/// All rows in memory: the reference, and the door of small tests.
#[derive(Debug, Default)]
pub struct MemoryDoor {
    pub batches: Vec<(FileId, EventBatch)>,
}

impl Door for MemoryDoor {
    fn scan(
        &self,
        select: &Select,
        each: &mut dyn FnMut(FileId, &EventBatch),
    ) -> Result<(), DoorError> {
        let mut order: Vec<usize> = (0..self.batches.len()).collect();
        order.sort_by_key(|i| self.batches[*i].0);
        for i in order {
            let (file, batch) = &self.batches[i];
            let mut hit = EventBatch::default();
            for e in batch.iter().filter(|e| select.matches(*file, e)) {
                hit.push(&e);
            }
            if !hit.is_empty() {
                each(*file, &hit);
            }
        }
        Ok(())
    }
}
