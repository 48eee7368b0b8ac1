//! One file, seen as it is decoded.
use ampleur_event::{EventBatch, Nanos};
use ampleur_sources::{Decoded, Reject};

/// Number of a file in the case.
pub type FileId = u32;

/// Counts of one file, as conservation has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub records: u64,
    pub events: u64,
    pub rejects: u64,
    pub skipped: u64,
    /// The input could not be read to its end (broken compression, read error).
    pub cut_short: bool,
}

impl Counts {
    pub fn of(d: &Decoded) -> Counts {
        Counts {
            records: d.records,
            events: d.event_count,
            rejects: d.reject_count,
            skipped: d.skipped,
            cut_short: false,
        }
    }
}

/// A record that could not be decoded, kept as a possible access.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RejectMark {
    pub file: FileId,
    pub record: u64,
    /// Its own time when readable, else that of its neighbours: `[after, before]`, [`ampleur_event::time::NO_TIME`] when none.
    pub after: Nanos,
    pub before: Nanos,
    /// Readable start, at most 512 bytes. Evidence: may hold personal data.
    pub readable: String,
}

/// Looks at one file. Feed every batch in file order, and the rejects of the same stretch before or after it.
pub struct Observer {
    pub file: FileId,
    pub source: u32,
    pub format: String,
}

/// What was seen in one file. Small, whatever the size of the file.
#[derive(Debug, Clone)]
pub struct Observation {
    pub file: FileId,
    pub source: u32,
    pub format: String,
    pub counts: Counts,
}

impl Observer {
    pub fn new(file: FileId, source: u32, format: &str) -> Observer {
        Observer {
            file,
            source,
            format: format.to_string(),
        }
    }
    pub fn batch(&mut self, batch: &EventBatch) {
        let _ = batch;
    }
    pub fn rejects(&mut self, rejects: &[Reject]) {
        let _ = rejects;
    }
    pub fn finish(self, counts: Counts) -> Observation {
        Observation {
            file: self.file,
            source: self.source,
            format: self.format,
            counts,
        }
    }
}
