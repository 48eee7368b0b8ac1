//! Writing one segment: raw bytes and rows, streaming.
use crate::{
    EvidenceError, Keys,
    columns::ParquetSink,
    error::io,
    lake::{day, hex, unhex},
    merkle::{Hash, leaf_hash},
    raw::{LineSummary, Lines, RawWriter},
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
/// `Send`: may live on its own thread. Its two halves may live on two ([`SegmentWriter::split`]).
pub struct SegmentWriter {
    raw: RawHalf,
    rows: RowHalf,
}

/// What a run that was stopped left behind of a segment: sealed files, in no log yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Leftover {
    pub v: u32,
    /// Of the settings the rows were made with; other settings make other rows of the same bytes.
    pub settings: String,
    /// Name of its files without their endings.
    pub temp: String,
    /// The leaf: binds the bytes, line by line, and the counts of rows.
    pub leaf: String,
    pub raw: LeftFile,
    pub events: Option<LeftFile>,
}

/// Length and SHA-256 (hex) of a stored file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LeftFile {
    pub bytes: u64,
    pub sha256: String,
}

impl Leftover {
    /// Names of its files, the note itself last.
    pub fn files(&self) -> Vec<String> {
        let mut names = vec![format!("{}.raw", self.temp), format!("{}.sums", self.temp)];
        if self.events.is_some() {
            names.push(format!("{}.parquet", self.temp));
        }
        names.push(format!("{}.{NOTE}", self.temp));
        names
    }
}

/// Ending of the note that lets the next run take a sealed segment up again.
pub(crate) const NOTE: &str = "sealed";
/// Smaller segments are sealed anew faster than they are noted.
const NOTE_BYTES: u64 = 1 << 20;

/// The bytes of a segment being sealed.
pub struct RawHalf {
    store: Arc<dyn Store>,
    meta: SegmentMeta,
    temp: String,
    settings: String,
    raw: Raw,
}

/// From so many bytes on, the two files of a segment are brought to their ends side by side.
const SIDE_BY_SIDE: u64 = 4 << 20;

enum Raw {
    Write(Box<RawWriter>),
    /// Sealed by a run that was stopped: the bytes are only held against what is there.
    Again(Box<Lines>, Box<Leftover>),
}

impl Raw {
    fn lines(&mut self) -> &mut Lines {
        match self {
            Raw::Write(w) => w.lines(),
            Raw::Again(lines, _) => lines,
        }
    }
    fn seen(&self) -> &Lines {
        match self {
            Raw::Write(w) => w.seen(),
            Raw::Again(lines, _) => lines,
        }
    }
}

/// The rows of a segment being sealed.
pub struct RowHalf {
    store: Arc<dyn Store>,
    keys: Arc<Keys>,
    temp: String,
    rows: Option<ParquetSink>,
    /// Sealed already: rows are only counted.
    again: bool,
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
    /// Goes once the segment is in the log.
    pub(crate) note: Option<String>,
    again: bool,
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

impl RawHalf {
    /// The next bytes of the file, in order, without gaps.
    pub fn raw(&mut self, bytes: &[u8], cut: Cut<'_>) -> Result<(), EvidenceError> {
        let base = self.meta.start + self.raw.seen().position();
        if let Raw::Write(w) = &mut self.raw {
            w.store(bytes)?;
        }
        let to = self.raw.lines();
        match cut {
            Cut::Lines => {
                to.lines_to(bytes, memchr::memchr_iter(b'\n', bytes).map(|at| at + 1));
            }
            Cut::At(starts) => {
                let mut from = 0;
                let ends = starts.iter().filter_map(|start| {
                    let at = start.checked_sub(base)? as usize;
                    if at < from || at >= bytes.len() {
                        return None;
                    }
                    from = at;
                    Some(at)
                });
                to.lines_to(bytes, ends);
            }
        }
        Ok(())
    }
    /// True from 256 MiB or 4 Mi lines on: finish at the next record boundary and begin the next part.
    pub fn is_full(&self) -> bool {
        self.raw.seen().bytes() >= FULL_BYTES || self.raw.seen().lines() >= FULL_LINES
    }
}

impl RowHalf {
    /// The next rows, in file order. May be called before or after the bytes they come from.
    pub fn events(&mut self, rows: &EventBatch) -> Result<(), EvidenceError> {
        if rows.is_empty() {
            return Ok(());
        }
        if self.again {
            self.events += rows.len() as u64;
            return Ok(());
        }
        if self.rows.is_none() {
            let path = format!("{}.parquet", self.temp);
            self.rows = Some(ParquetSink::create(&*self.store, &path, &self.keys)?);
        }
        self.events += rows.len() as u64;
        self.rows.as_mut().map_or(Ok(()), |sink| sink.write(rows))
    }
}

impl SegmentWriter {
    pub(crate) fn begin(
        store: Arc<dyn Store>,
        keys: Arc<Keys>,
        meta: SegmentMeta,
        temp: String,
        salt: [u8; 32],
        settings: &str,
    ) -> Result<SegmentWriter, EvidenceError> {
        let raw = RawWriter::create(&*store, &format!("{temp}.raw"), keys.segment(&salt), &salt)?;
        Ok(Self::of(
            store,
            keys,
            meta,
            temp,
            settings,
            Raw::Write(Box::new(raw)),
        ))
    }
    /// Goes over a segment that is sealed already.
    pub(crate) fn again(
        store: Arc<dyn Store>,
        keys: Arc<Keys>,
        meta: SegmentMeta,
        left: Leftover,
    ) -> SegmentWriter {
        let (temp, settings) = (left.temp.clone(), left.settings.clone());
        let raw = Raw::Again(Box::default(), Box::new(left));
        Self::of(store, keys, meta, temp, &settings, raw)
    }
    fn of(
        store: Arc<dyn Store>,
        keys: Arc<Keys>,
        meta: SegmentMeta,
        temp: String,
        settings: &str,
        raw: Raw,
    ) -> SegmentWriter {
        SegmentWriter {
            rows: RowHalf {
                store: store.clone(),
                keys,
                temp: temp.clone(),
                rows: None,
                again: matches!(raw, Raw::Again(..)),
                events: 0,
            },
            raw: RawHalf {
                store,
                meta,
                temp,
                settings: settings.to_string(),
                raw,
            },
        }
    }
    /// Its halves, to be fed by two threads; what is written does not depend on their pace.
    pub fn split(self) -> (RawHalf, RowHalf) {
        (self.raw, self.rows)
    }
    /// Puts the halves of one segment together again, to finish it.
    pub fn join(raw: RawHalf, rows: RowHalf) -> SegmentWriter {
        invariant::check(
            raw.temp == rows.temp,
            invariant::EV_1,
            "halves of one segment",
        );
        SegmentWriter { raw, rows }
    }
    /// See [`RawHalf::raw`].
    pub fn raw(&mut self, bytes: &[u8], cut: Cut<'_>) -> Result<(), EvidenceError> {
        self.raw.raw(bytes, cut)
    }
    /// See [`RowHalf::events`].
    pub fn events(&mut self, rows: &EventBatch) -> Result<(), EvidenceError> {
        self.rows.events(rows)
    }
    /// See [`RawHalf::is_full`].
    pub fn is_full(&self) -> bool {
        self.raw.is_full()
    }
    /// Bytes given so far.
    pub fn bytes(&self) -> u64 {
        self.raw.raw.seen().position()
    }
    /// Closes and syncs the files. Events were counted as they came; `rejects` and `skipped` are the decoder's.
    ///
    /// Errors: [`EvidenceError::Changed`] when a segment taken up again is not what was sealed; its files are gone then, and
    /// the file is to be read once more.
    pub fn finish(self, rejects: u64, skipped: u64) -> Result<SealedSegment, EvidenceError> {
        let RawHalf {
            store,
            meta,
            temp,
            settings,
            raw,
        } = self.raw;
        let events = self.rows.events;
        let leaf = |lines: &LineSummary| {
            let mut leaf = Leaf {
                bytes: lines.bytes,
                events,
                file: meta.file.clone(),
                format: meta.format.clone(),
                line_root: hex(&lines.root),
                lines: lines.lines,
                part: meta.part,
                records: events + rejects + skipped,
                rejects,
                segment: String::new(),
                skipped,
                start: meta.start,
                v: 1,
            };
            leaf.segment = hex(&leaf_hash(leaf.text().as_bytes())[..16]);
            leaf
        };
        let writer = match raw {
            Raw::Write(writer) => writer,
            Raw::Again(lines, left) => {
                let leaf = leaf(&lines.finish());
                if let Some(sealed) = left.take_up(&*store, &meta, &leaf)? {
                    return Ok(sealed);
                }
                for name in left.files() {
                    store.remove(&name).map_err(io("remove", &name))?;
                }
                return Err(EvidenceError::Changed { file: meta.file });
            }
        };
        let given = writer.seen().position();
        let rows = self.rows.rows;
        let (raw, rows) = match given < SIDE_BY_SIDE {
            true => (writer.finish(), rows.map(ParquetSink::finish).transpose()),
            // Each of the two packs its end and waits for the disk.
            false => std::thread::scope(|scope| {
                let raw = scope.spawn(|| writer.finish());
                let rows = rows.map(ParquetSink::finish).transpose();
                let raw = raw.join();
                (raw.unwrap_or_else(|p| std::panic::resume_unwind(p)), rows)
            }),
        };
        let (raw, rows) = (raw?, rows?);
        invariant::check(
            raw.lines.bytes == given,
            invariant::EV_1,
            "every byte is in a line",
        );
        let mut sums = vec![];
        for stored in [Some(&raw.stored), rows.as_ref()].into_iter().flatten() {
            for block in &stored.blocks {
                sums.extend_from_slice(block);
            }
        }
        let put = |path: &str, bytes: &[u8]| {
            let mut file = store.create(path).map_err(io("create", path))?;
            file.write(bytes)
                .and_then(|()| file.sync())
                .map_err(io("write", path))
        };
        put(&format!("{temp}.sums"), &sums)?;
        let leaf = leaf(&raw.lines);
        let mut sealed = SealedSegment::new(&meta, &temp, &leaf, raw.stored, rows);
        if raw.lines.bytes >= NOTE_BYTES {
            let file = |s: &Stored| LeftFile {
                bytes: s.bytes,
                sha256: hex(&s.sha256),
            };
            let left = Leftover {
                v: 1,
                settings,
                temp: temp.clone(),
                leaf: sealed.leaf.clone(),
                raw: file(&sealed.raw.1),
                events: sealed.events.as_ref().map(|e| file(&e.1)),
            };
            let note = format!("{temp}.{NOTE}");
            put(&note, &serde_json::to_vec(&left).unwrap_or_default())?;
            sealed.note = Some(note);
        }
        Ok(sealed)
    }
}

impl SealedSegment {
    fn new(
        meta: &SegmentMeta,
        temp: &str,
        leaf: &Leaf,
        raw: Stored,
        rows: Option<Stored>,
    ) -> SealedSegment {
        let (date, id) = (day(meta.at), &leaf.segment);
        let raw_path = format!("raw/{date}/{id}.zst");
        let rows_path = format!("events/{date}/{id}.parquet");
        let sums_path = format!("raw/{date}/{id}.sums");
        let mut moves = vec![
            (format!("{temp}.raw"), raw_path.clone()),
            (format!("{temp}.sums"), sums_path.clone()),
        ];
        if rows.is_some() {
            moves.push((format!("{temp}.parquet"), rows_path.clone()));
        }
        SealedSegment {
            meta: meta.clone(),
            counts: SegmentCounts {
                bytes: leaf.bytes,
                lines: leaf.lines,
                records: leaf.records,
                events: leaf.events,
                rejects: leaf.rejects,
                skipped: leaf.skipped,
            },
            leaf: leaf.text(),
            id: id.clone(),
            line_root: unhex(&leaf.line_root).unwrap_or_default(),
            raw: (raw_path, raw),
            events: rows.map(|r| (rows_path, r)),
            sums: sums_path,
            moves,
            note: None,
            again: false,
        }
    }
    /// True when an earlier, stopped run sealed it.
    pub fn taken_up(&self) -> bool {
        self.again
    }
}

impl Leftover {
    /// The sealed segment, when it is of these very bytes and counts. `None`: it is of something else.
    fn take_up(
        &self,
        store: &dyn Store,
        meta: &SegmentMeta,
        leaf: &Leaf,
    ) -> Result<Option<SealedSegment>, EvidenceError> {
        if leaf.text() != self.leaf {
            return Ok(None);
        }
        let path = format!("{}.sums", self.temp);
        let sums = store.read(&path).map_err(io("read", &path))?;
        let (hashes, rest) = sums.as_chunks::<32>();
        let of_raw = Stored::blocks_of(self.raw.bytes);
        let of_rows = self
            .events
            .as_ref()
            .map_or(0, |e| Stored::blocks_of(e.bytes));
        if !rest.is_empty() || hashes.len() != of_raw + of_rows {
            return Ok(None);
        }
        let stored = |file: &LeftFile, blocks: &[Hash]| {
            Some(Stored {
                bytes: file.bytes,
                sha256: unhex(&file.sha256)?,
                blocks: blocks.to_vec(),
            })
        };
        let Some(raw) = stored(&self.raw, &hashes[..of_raw]) else {
            return Ok(None);
        };
        let rows = match &self.events {
            Some(e) => match stored(e, &hashes[of_raw..]) {
                Some(s) => Some(s),
                None => return Ok(None),
            },
            None => None,
        };
        let mut sealed = SealedSegment::new(meta, &self.temp, leaf, raw, rows);
        sealed.note = Some(format!("{}.{NOTE}", self.temp));
        sealed.again = true;
        Ok(Some(sealed))
    }
}

impl Leaf {
    pub fn text(&self) -> String {
        // Strings and integers only: serialisation of this struct cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}
