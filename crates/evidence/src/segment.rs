//! Writing one segment: raw bytes and rows, streaming.
use crate::EvidenceError;
use ampleur_event::{EventBatch, Nanos};

/// What a segment is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentMeta {
    /// Path relative to the case, `/` on every system: `logs/vpn/a.log`.
    pub file: String,
    /// Name of the source's format; empty when no source knew the file.
    pub format: String,
    /// 0 for the first segment of the file, 1 for the next …
    pub part: u32,
    /// Offset in the (decompressed) file of the segment's first byte.
    pub start: u64,
    /// Instant of intake: only chooses the folder (`raw/<yyyy-mm-dd>/`), never enters the evidence log.
    pub at: Nanos,
}

/// Records of the segment; EV-1 holds: records = events + rejects + skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SegmentCounts {
    /// Decompressed bytes.
    pub bytes: u64,
    /// Leaves of the Merkle tree inside the segment.
    pub lines: u64,
    pub records: u64,
    pub events: u64,
    pub rejects: u64,
    pub skipped: u64,
}

/// Where the leaves of the Merkle tree inside a segment begin.
#[derive(Debug, Clone, Copy)]
pub enum Cut<'a> {
    /// After each line feed: right for every text format, also when a record spans lines (its proof then has several leaves).
    Lines,
    /// At these offsets of the file, ascending, all inside the given bytes: for binary formats and many records on one line.
    At(&'a [u64]),
}

/// Seals one segment, streaming, memory bounded by one row group (≤ 64 Ki rows). `Send`: may live on its own thread.
pub struct SegmentWriter {}

/// A finished segment: on disk and synced, in no log yet. Dropped without a commit it is an orphan, never an error.
pub struct SealedSegment {}

impl SegmentWriter {
    /// The next bytes of the file, in order, without gaps.
    pub fn raw(&mut self, _bytes: &[u8], _cut: Cut<'_>) -> Result<(), EvidenceError> {
        Ok(())
    }
    /// The next rows, in file order. May be called before or after the bytes they come from.
    pub fn events(&mut self, _rows: &EventBatch) -> Result<(), EvidenceError> {
        Ok(())
    }
    /// True from 256 MiB or 4 Mi lines on: finish at the next record boundary and begin the next part.
    pub fn is_full(&self) -> bool {
        false
    }
    /// Closes, syncs and names the files. Events are counted here; `rejects` and `skipped` are the decoder's.
    pub fn finish(self, _rejects: u64, _skipped: u64) -> Result<SealedSegment, EvidenceError> {
        Ok(SealedSegment {})
    }
}
