//! Writing one segment: raw bytes and rows, streaming.
use crate::{
    EvidenceError, Keys,
    columns::ParquetSink,
    error::io,
    lake::{day, hex},
    merkle::{Hash, leaf_hash},
    raw::RawWriter,
    store::Store,
    stored::Stored,
};
use ampleur_event::{EventBatch, Nanos, invariant};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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
    /// At these offsets of the file, ascending: for binary formats and many records on one line. Offsets outside the given
    /// bytes are ignored.
    At(&'a [u64]),
}

/// From this many bytes or lines on a segment is full.
const FULL_BYTES: u64 = 256 << 20;
const FULL_LINES: u64 = 4 << 20;

/// The leaf of a segment, fields in alphabetical order: written by serde this is canonical JSON (no spaces, no floats).
/// Nothing in it depends on keys, clocks or machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Leaf {
    pub bytes: u64,
    pub events: u64,
    pub file: String,
    pub format: String,
    pub line_root: String,
    pub lines: u64,
    pub part: u32,
    pub records: u64,
    pub rejects: u64,
    pub segment: String,
    pub skipped: u64,
    pub start: u64,
    pub v: u32,
}

/// Seals one segment, streaming; memory is bounded by one row group (at most 64 Ki rows) and one chunk (1 MiB).
/// `Send`: may live on its own thread.
pub struct SegmentWriter {
    store: Arc<dyn Store>,
    keys: Arc<Keys>,
    meta: SegmentMeta,
    temp: String,
    raw: RawWriter,
    rows: Option<ParquetSink>,
    events: u64,
}

/// A finished segment: on disk and synced, in no log yet. Dropped without a commit it is an orphan, never an error.
#[derive(Debug)]
pub struct SealedSegment {
    pub(crate) meta: SegmentMeta,
    pub(crate) counts: SegmentCounts,
    pub(crate) leaf: String,
    pub(crate) id: String,
    pub(crate) line_root: Hash,
    pub(crate) raw: (String, Stored),
    pub(crate) events: Option<(String, Stored)>,
    pub(crate) sums: String,
    /// Temporary names and where they go.
    pub(crate) moves: Vec<(String, String)>,
}

impl SealedSegment {
    /// 32 hex digits, derived from the evidence.
    pub fn id(&self) -> &str {
        &self.id
    }
    pub fn counts(&self) -> SegmentCounts {
        self.counts
    }
    pub fn meta(&self) -> &SegmentMeta {
        &self.meta
    }
}

impl SegmentWriter {
    pub(crate) fn begin(
        store: Arc<dyn Store>,
        keys: Arc<Keys>,
        meta: SegmentMeta,
        temp: String,
        salt: [u8; 32],
    ) -> Result<SegmentWriter, EvidenceError> {
        let raw = RawWriter::create(&*store, &format!("{temp}.raw"), keys.segment(&salt), &salt)?;
        Ok(SegmentWriter {
            store,
            keys,
            meta,
            temp,
            raw,
            rows: None,
            events: 0,
        })
    }
    /// The next bytes of the file, in order, without gaps.
    pub fn raw(&mut self, bytes: &[u8], cut: Cut<'_>) -> Result<(), EvidenceError> {
        let base = self.meta.start + self.raw_position();
        self.raw.store(bytes)?;
        match cut {
            Cut::Lines => {
                let mut from = 0;
                for at in memchr::memchr_iter(b'\n', bytes) {
                    self.raw.line(&bytes[from..=at], true);
                    from = at + 1;
                }
                self.raw.line(&bytes[from..], false);
            }
            Cut::At(starts) => {
                let mut from = 0;
                for start in starts {
                    let Some(at) = start.checked_sub(base).map(|a| a as usize) else {
                        continue;
                    };
                    if at < from || at >= bytes.len() {
                        continue;
                    }
                    self.raw.line(&bytes[from..at], true);
                    from = at;
                }
                self.raw.line(&bytes[from..], false);
            }
        }
        Ok(())
    }
    fn raw_position(&self) -> u64 {
        self.raw.position()
    }
    /// The next rows, in file order. May be called before or after the bytes they come from.
    pub fn events(&mut self, rows: &EventBatch) -> Result<(), EvidenceError> {
        if rows.is_empty() {
            return Ok(());
        }
        if self.rows.is_none() {
            let path = format!("{}.parquet", self.temp);
            self.rows = Some(ParquetSink::create(&*self.store, &path, &self.keys)?);
        }
        self.events += rows.len() as u64;
        self.rows.as_mut().map_or(Ok(()), |sink| sink.write(rows))
    }
    /// True from 256 MiB or 4 Mi lines on: finish at the next record boundary and begin the next part.
    pub fn is_full(&self) -> bool {
        self.raw.bytes() >= FULL_BYTES || self.raw.lines() >= FULL_LINES
    }
    /// Bytes given so far.
    pub fn bytes(&self) -> u64 {
        self.raw_position()
    }
    /// Closes and syncs the files. Events were counted as they came; `rejects` and `skipped` are the decoder's.
    pub fn finish(self, rejects: u64, skipped: u64) -> Result<SealedSegment, EvidenceError> {
        let given = self.raw_position();
        let raw = self.raw.finish()?;
        invariant::check(
            raw.bytes == given,
            invariant::EV_1,
            "every byte is in a line",
        );
        let rows = match self.rows {
            Some(sink) => Some(sink.finish()?),
            None => None,
        };
        let mut sums = vec![];
        for stored in [Some(&raw.stored), rows.as_ref()].into_iter().flatten() {
            for block in &stored.blocks {
                sums.extend_from_slice(block);
            }
        }
        let sums_temp = format!("{}.sums", self.temp);
        let mut file = self
            .store
            .create(&sums_temp)
            .map_err(io("create", &sums_temp))?;
        file.write(&sums)
            .and_then(|()| file.sync())
            .map_err(io("write", &sums_temp))?;

        let counts = SegmentCounts {
            bytes: raw.bytes,
            lines: raw.lines,
            records: self.events + rejects + skipped,
            events: self.events,
            rejects,
            skipped,
        };
        let mut leaf = Leaf {
            bytes: counts.bytes,
            events: counts.events,
            file: self.meta.file.clone(),
            format: self.meta.format.clone(),
            line_root: hex(&raw.line_root),
            lines: counts.lines,
            part: self.meta.part,
            records: counts.records,
            rejects,
            segment: String::new(),
            skipped,
            start: self.meta.start,
            v: 1,
        };
        let id = hex(&leaf_hash(leaf.text().as_bytes())[..16]);
        leaf.segment.clone_from(&id);
        let date = day(self.meta.at);
        let raw_path = format!("raw/{date}/{id}.zst");
        let rows_path = format!("events/{date}/{id}.parquet");
        let sums_path = format!("raw/{date}/{id}.sums");
        let mut moves = vec![
            (format!("{}.raw", self.temp), raw_path.clone()),
            (sums_temp, sums_path.clone()),
        ];
        if rows.is_some() {
            moves.push((format!("{}.parquet", self.temp), rows_path.clone()));
        }
        Ok(SealedSegment {
            meta: self.meta,
            counts,
            leaf: leaf.text(),
            id,
            line_root: raw.line_root,
            raw: (raw_path, raw.stored),
            events: rows.map(|r| (rows_path, r)),
            sums: sums_path,
            moves,
        })
    }
}

impl Leaf {
    pub fn text(&self) -> String {
        // Strings and integers only: serialisation of this struct cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}
