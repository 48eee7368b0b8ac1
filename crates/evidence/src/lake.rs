//! The lake: opening, committing, reading back.
//!
//! ```text
//! ampleur.json                      format, origin, public key
//! raw/<day>/<segment>.zst           bytes as received (see `raw`)
//! raw/<day>/<segment>.sums          BLAKE3 of every 4 KiB of the raw file, then of the Parquet file
//! events/<day>/<segment>.parquet    rows (see `columns`)
//! log/checkpoint                    signed note over both logs
//! log/tile/…                        evidence log, C2SP tlog-tiles: one entry per segment
//! log/custody/tile/…                custody log: where segments are stored, who used the lake
//! vault/<n>.locked                  token → person, for the officer's key only
//! cases/<incident>/<version>/       written by the layers above
//! tmp/                              files not yet named; a note (`<n>.sealed`) lets the next writer take a segment up again
//! lock                              held by the one writer
//! ```
use crate::{
    EvidenceError, Keys, LineProof, PublicKey, SealedSegment, SegmentCounts, SegmentMeta,
    SegmentWriter,
    error::{corrupt, io},
    merkle::{Hash, Tree, leaf_hash},
    proof::ProvenLine,
    raw::{RawLine, RawReader},
    segment::{Leaf, Leftover, NOTE},
    store::{FolderStore, Store},
    tiles,
};
use ampleur_event::{Nanos, invariant, time::rfc3339_full};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

const FORMAT: &str = "ampleur.lake/1";
const ABOUT: &str = "ampleur.json";
const CHECKPOINT: &str = "log/checkpoint";
const EVIDENCE: &str = "log";
const CUSTODY: &str = "log/custody";
/// First word of the checkpoint's extension line that binds the custody log.
const EXTENSION: &str = "ampleur-custody";

/// What a second writer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Refused at once with [`EvidenceError::Locked`].
    No,
    /// Tries for about this many milliseconds, then is refused.
    Millis(u64),
}

/// The signed state of the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Leaves of the evidence log: segments.
    pub tree_size: u64,
    /// RFC 6962 root of the evidence log. Depends on the evidence alone, not on keys, times or machine.
    pub root: Hash,
    pub custody_size: u64,
    pub custody_root: Hash,
    /// The signed note as it is stored in `log/checkpoint`.
    pub note: String,
}

impl Checkpoint {
    /// The root in lower-case hex.
    pub fn root_hex(&self) -> String {
        hex(&self.root)
    }
}

/// One sealed segment: part of one file (or all of it).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    /// 32 hex digits, derived from the evidence: the same bytes of the same file are the same segment.
    pub id: String,
    /// Index of its leaf in the evidence log.
    pub index: u64,
    pub meta: SegmentMeta,
    pub counts: SegmentCounts,
    /// RFC 6962 root over the lines.
    pub line_root: Hash,
    /// Paths relative to the lake; `events` is empty when the segment has no event.
    pub raw: String,
    pub events: String,
    /// The leaf as logged.
    pub(crate) leaf: String,
}

/// Our own use of the lake, logged in its custody log. No clear identifier may be in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub at: Nanos,
    /// Who: the operating account or API user.
    pub actor: String,
    /// `ingest`, `investigate`, `re-identify`, `export` …
    pub action: String,
    pub detail: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct About {
    created: String,
    format: String,
    origin: String,
    public_key: String,
}

/// A stored file as the custody log names it. Fields in alphabetical order: canonical JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    /// BLAKE3 over the block hashes in the `.sums` file, in order.
    blocks: String,
    bytes: u64,
    path: String,
    sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Entry {
    Segment {
        at: i64,
        events: Option<Place>,
        /// Index of the evidence leaf and its RFC 6962 leaf hash.
        index: u64,
        leaf: String,
        raw: Place,
        sums: String,
        v: u32,
    },
    Use {
        action: String,
        actor: String,
        at: i64,
        detail: String,
        v: u32,
    },
}

/// A lake in a folder. Opened for reading by any number, for writing by one.
pub struct Lake {
    store: Arc<dyn Store>,
    root: PathBuf,
    keys: Arc<Keys>,
    checkpoint: Checkpoint,
    evidence: Tree,
    custody: Tree,
    segments: Vec<SegmentInfo>,
    uses: Vec<Use>,
    ids: BTreeSet<String>,
    /// Positions in `segments` by file, in order of `start`.
    files: BTreeMap<String, Vec<usize>>,
    /// Entries of the tiles still open: the evidence log's, the custody log's.
    tails: [Vec<Vec<u8>>; 2],
    days: Mutex<BTreeSet<String>>,
    /// Segments begun, for their temporary names: two never share one, whatever salt they are given.
    begun: AtomicU64,
    /// Sealed by a run that was stopped before it committed, by file, part and start.
    left: Mutex<BTreeMap<(String, u32, u64), Leftover>>,
    /// `None`: reading only.
    lock: Option<Box<dyn Send + Sync>>,
}

impl Lake {
    /// Makes a new lake at `path` (created; must not hold one) and opens it for writing. `at` is only noted.
    pub fn create(path: &Path, keys: &Keys, at: Nanos) -> Result<Lake, EvidenceError> {
        std::fs::create_dir_all(path).map_err(io("make folder", &path.display().to_string()))?;
        Lake::create_in(Arc::new(FolderStore::new(path)), path, keys, at)
    }
    /// The same in any store; `root` is only for people and for readers of the Parquet files.
    pub fn create_in(
        store: Arc<dyn Store>,
        root: &Path,
        keys: &Keys,
        at: Nanos,
    ) -> Result<Lake, EvidenceError> {
        let lock = take_lock(&*store, Wait::No)?;
        // The checkpoint is written last: a creation cut short has none and may be begun again.
        if store.size(CHECKPOINT).is_ok() {
            return Err(EvidenceError::Exists);
        }
        for dir in [
            "tmp",
            "raw",
            "events",
            "sessions",
            "profiles",
            "vault",
            "cases",
            "log",
            "log/custody",
        ] {
            store.make_dir(dir).map_err(io("make folder", dir))?;
        }
        let about = About {
            created: rfc3339_full(at),
            format: FORMAT.to_string(),
            origin: keys.origin(),
            public_key: keys.public().0,
        };
        let text = serde_json::to_string(&about).unwrap_or_default() + "\n";
        replace(&*store, ABOUT, text.as_bytes())?;
        for dir in ["", "log"] {
            store.sync_dir(dir).map_err(io("sync folder", dir))?;
        }
        let mut lake = Lake::empty(store, root, keys);
        lake.lock = Some(lock);
        lake.sign()?;
        Ok(lake)
    }
    /// Opens for reading the state of the last checkpoint.
    pub fn open(path: &Path, keys: &Keys) -> Result<Lake, EvidenceError> {
        Lake::open_in(Arc::new(FolderStore::new(path)), path, keys)
    }
    pub fn open_in(store: Arc<dyn Store>, root: &Path, keys: &Keys) -> Result<Lake, EvidenceError> {
        let mut lake = Lake::empty(store, root, keys);
        lake.load()?;
        Ok(lake)
    }
    /// Opens for writing. What a writer that was killed had sealed is taken up again by [`Lake::begin_again`]; the rest it left
    /// is removed. None of it was acknowledged.
    pub fn open_writer(path: &Path, keys: &Keys, wait: Wait) -> Result<Lake, EvidenceError> {
        if !path.join(ABOUT).exists() {
            return Err(EvidenceError::Absent);
        }
        Lake::open_writer_in(Arc::new(FolderStore::new(path)), path, keys, wait)
    }
    pub fn open_writer_in(
        store: Arc<dyn Store>,
        root: &Path,
        keys: &Keys,
        wait: Wait,
    ) -> Result<Lake, EvidenceError> {
        let lock = take_lock(&*store, wait)?;
        let mut lake = Lake::open_in(store, root, keys)?;
        lake.look_over()?;
        lake.lock = Some(lock);
        Ok(lake)
    }
    /// Keeps what can be taken up again of `tmp/`, removes the rest.
    fn look_over(&mut self) -> Result<(), EvidenceError> {
        let names = self.store.list("tmp").map_err(io("list", "tmp"))?;
        let mut kept: BTreeSet<String> = BTreeSet::new();
        let mut left = BTreeMap::new();
        let mut next = 0;
        for name in names.iter().filter(|n| n.ends_with(NOTE)) {
            let path = format!("tmp/{name}");
            let text = self.store.read(&path).map_err(io("read", &path))?;
            // A note cut short by the stop is no note.
            let Ok(l) = serde_json::from_slice::<Leftover>(&text) else {
                continue;
            };
            let Ok(leaf) = serde_json::from_str::<Leaf>(&l.leaf) else {
                continue;
            };
            let number = l
                .temp
                .strip_prefix("tmp/")
                .and_then(|n| n.parse::<u64>().ok());
            let Some(number) = number.filter(|_| l.v == 1 && path == format!("{}.{NOTE}", l.temp))
            else {
                continue;
            };
            let whole = |ending: &str, bytes: u64| {
                let size = self.store.size(&format!("{}.{ending}", l.temp));
                size.is_ok_and(|s| s == bytes)
            };
            if !whole("raw", l.raw.bytes)
                || l.events
                    .as_ref()
                    .is_some_and(|e| !whole("parquet", e.bytes))
            {
                continue;
            }
            next = next.max(number + 1);
            kept.extend(l.files());
            left.insert((leaf.file, leaf.part, leaf.start), l);
        }
        for name in names {
            let path = format!("tmp/{name}");
            if !kept.contains(&path) {
                self.store.remove(&path).map_err(io("remove", &path))?;
            }
        }
        self.begun = AtomicU64::new(next);
        self.left = Mutex::new(left);
        Ok(())
    }
    fn empty(store: Arc<dyn Store>, root: &Path, keys: &Keys) -> Lake {
        Lake {
            store,
            root: root.to_path_buf(),
            keys: Arc::new(keys.clone()),
            checkpoint: Checkpoint {
                tree_size: 0,
                root: [0; 32],
                custody_size: 0,
                custody_root: [0; 32],
                note: String::new(),
            },
            evidence: Tree::default(),
            custody: Tree::default(),
            segments: vec![],
            uses: vec![],
            ids: BTreeSet::new(),
            files: BTreeMap::new(),
            tails: [vec![], vec![]],
            days: Mutex::new(BTreeSet::new()),
            begun: AtomicU64::new(0),
            left: Mutex::new(BTreeMap::new()),
            lock: None,
        }
    }
    fn load(&mut self) -> Result<(), EvidenceError> {
        let note = match self.store.read(CHECKPOINT) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(EvidenceError::Absent);
            }
            other => other.map_err(io("read", CHECKPOINT))?,
        };
        let checkpoint =
            read_checkpoint(&note, &self.keys).map_err(|what| corrupt(CHECKPOINT, 0, what))?;
        let evidence = tiles::read_entries(&*self.store, EVIDENCE, checkpoint.tree_size)?;
        let custody = tiles::read_entries(&*self.store, CUSTODY, checkpoint.custody_size)?;
        for entry in &evidence {
            self.evidence.push(leaf_hash(entry));
        }
        for entry in &custody {
            self.custody.push(leaf_hash(entry));
        }
        if self.evidence.root() != checkpoint.root || self.custody.root() != checkpoint.custody_root
        {
            return Err(corrupt(
                CHECKPOINT,
                0,
                "entries do not have the root that was signed; run verify",
            ));
        }
        let bad = |dir: &str| corrupt(dir, 0, "an entry cannot be read by this version");
        let mut places: BTreeMap<u64, (Place, Option<Place>, i64)> = BTreeMap::new();
        for text in &custody {
            match serde_json::from_slice::<Entry>(text).map_err(|_| bad(CUSTODY))? {
                Entry::Segment {
                    at,
                    index,
                    raw,
                    events,
                    ..
                } => {
                    places.insert(index, (raw, events, at));
                }
                Entry::Use {
                    action,
                    actor,
                    at,
                    detail,
                    ..
                } => self.uses.push(Use {
                    at,
                    actor,
                    action,
                    detail,
                }),
            }
        }
        for (index, text) in evidence.iter().enumerate() {
            let leaf: Leaf = serde_json::from_slice(text).map_err(|_| bad(EVIDENCE))?;
            let (raw, events, at) = places.remove(&(index as u64)).ok_or_else(|| bad(CUSTODY))?;
            self.remember(SegmentInfo {
                id: leaf.segment,
                index: index as u64,
                meta: SegmentMeta {
                    file: leaf.file,
                    format: leaf.format,
                    part: leaf.part,
                    start: leaf.start,
                    at,
                },
                counts: SegmentCounts {
                    bytes: leaf.bytes,
                    lines: leaf.lines,
                    records: leaf.records,
                    events: leaf.events,
                    rejects: leaf.rejects,
                    skipped: leaf.skipped,
                },
                line_root: unhex(&leaf.line_root).ok_or_else(|| bad(EVIDENCE))?,
                raw: raw.path,
                events: events.map(|e| e.path).unwrap_or_default(),
                leaf: String::from_utf8_lossy(text).into_owned(),
            });
        }
        let open = |entries: Vec<Vec<u8>>| {
            let from = entries.len() / tiles::WIDTH * tiles::WIDTH;
            entries[from..].to_vec()
        };
        self.tails = [open(evidence), open(custody)];
        self.checkpoint = checkpoint;
        Ok(())
    }
    fn remember(&mut self, info: SegmentInfo) {
        self.ids.insert(info.id.clone());
        let n = self.segments.len();
        let of_file = self.files.entry(info.meta.file.clone()).or_default();
        let at = of_file.partition_point(|i| self.segments[*i].meta.start <= info.meta.start);
        of_file.insert(at, n);
        self.segments.push(info);
    }
    /// Folder of the lake.
    pub fn root(&self) -> &Path {
        &self.root
    }
    pub fn public_key(&self) -> PublicKey {
        self.keys.public()
    }
    /// The state everything read from this value belongs to.
    pub fn checkpoint(&self) -> Checkpoint {
        self.checkpoint.clone()
    }
    /// Segments in order of the log.
    pub fn segments(&self) -> &[SegmentInfo] {
        &self.segments
    }
    /// Segments of one file, in order of their start.
    pub fn segments_of(&self, file: &str) -> Vec<&SegmentInfo> {
        self.files
            .get(file)
            .map_or_else(Vec::new, |v| v.iter().map(|i| &self.segments[*i]).collect())
    }
    /// The segments that make up `file` as imported last, from its first byte on, without overlap. A file that grew and was
    /// imported again is the later import; the earlier one stays in the log.
    pub fn current(&self, file: &str) -> Vec<&SegmentInfo> {
        let all = self.segments_of(file);
        let mut out: Vec<&SegmentInfo> = vec![];
        let mut at = 0;
        while let Some(next) = all
            .iter()
            .filter(|s| s.meta.start == at && s.meta.part as usize == out.len())
            .max_by_key(|s| s.index)
        {
            out.push(next);
            at += next.counts.bytes;
        }
        out
    }
    /// Starts a segment. `&self`: many files may be sealed at once, on many threads. `salt`: 32 fresh random bytes.
    pub fn begin(&self, meta: SegmentMeta, salt: [u8; 32]) -> Result<SegmentWriter, EvidenceError> {
        self.begin_again(meta, salt, "")
    }
    /// The same; a segment that a stopped run sealed with the same `settings` (whatever else the rows depend on) is not sealed
    /// a second time: what is given is held against it, and [`SegmentWriter::finish`] says when it is not the same.
    pub fn begin_again(
        &self,
        meta: SegmentMeta,
        salt: [u8; 32],
        settings: &str,
    ) -> Result<SegmentWriter, EvidenceError> {
        if self.lock.is_none() {
            return Err(EvidenceError::NotWritable);
        }
        let date = day(meta.at);
        {
            let mut days = self.days.lock().unwrap_or_else(|e| e.into_inner());
            if !days.contains(&date) {
                for dir in ["raw", "events"] {
                    let sub = format!("{dir}/{date}");
                    self.store.make_dir(&sub).map_err(io("make folder", &sub))?;
                    self.store.sync_dir(dir).map_err(io("sync folder", dir))?;
                }
                days.insert(date);
            }
        }
        let (store, keys) = (self.store.clone(), self.keys.clone());
        let place = (meta.file.clone(), meta.part, meta.start);
        let left = {
            let mut left = self.left.lock().unwrap_or_else(|e| e.into_inner());
            left.remove(&place)
        };
        if let Some(left) = left {
            if left.settings == settings && !settings.is_empty() {
                return Ok(SegmentWriter::again(store, keys, meta, left));
            }
            for name in left.files() {
                store.remove(&name).map_err(io("remove", &name))?;
            }
        }
        let temp = format!("tmp/{}", self.begun.fetch_add(1, Ordering::Relaxed));
        SegmentWriter::begin(store, keys, meta, temp, salt, settings)
    }
    /// Appends finished segments, in the given order, and our own uses. When this returns, all of it survives a kill and a
    /// power loss (EV-3). A segment already in the lake (same bytes, same file) is left out silently.
    ///
    /// # Errors
    /// After an error the lake on disk is whole, either with or without the append; this value takes no more appends and
    /// keeps answering for the state before.
    pub fn commit(
        &mut self,
        segments: Vec<SealedSegment>,
        uses: Vec<Use>,
        at: Nanos,
    ) -> Result<Checkpoint, EvidenceError> {
        if self.lock.is_none() {
            return Err(EvidenceError::NotWritable);
        }
        let before = (self.evidence.len(), self.custody.len());
        let (known, n) = (self.ids.clone(), self.segments.len());
        let result = self.append(segments, &uses, at);
        match &result {
            Ok(_) => self.uses.extend(uses),
            Err(_) => {
                self.lock = None;
                self.evidence.truncate(before.0);
                self.custody.truncate(before.1);
                self.ids = known;
                self.segments.truncate(n);
                for list in self.files.values_mut() {
                    list.retain(|i| *i < n);
                }
            }
        }
        result
    }
    fn append(
        &mut self,
        segments: Vec<SealedSegment>,
        uses: &[Use],
        at: Nanos,
    ) -> Result<Checkpoint, EvidenceError> {
        let mut fresh: [Vec<Vec<u8>>; 2] = [vec![], vec![]];
        let mut dirs: BTreeSet<String> = BTreeSet::new();
        for s in segments {
            if self.ids.contains(&s.id) {
                for temp in s.moves.iter().map(|m| &m.0).chain(&s.note) {
                    self.store.remove(temp).map_err(io("remove", temp))?;
                }
                continue;
            }
            for (temp, path) in &s.moves {
                // A file of that name can only be an orphan: the id is in no log. It never was acknowledged.
                self.store.rename(temp, path).map_err(io("rename", path))?;
                dirs.insert(parent(path).to_string());
            }
            if let Some(note) = &s.note {
                self.store.remove(note).map_err(io("remove", note))?;
            }
            let index = self.evidence.len();
            let hash = leaf_hash(s.leaf.as_bytes());
            let events_path = s.events.as_ref().map(|e| e.0.clone()).unwrap_or_default();
            let place = |(path, stored): (String, crate::stored::Stored)| Place {
                blocks: blake3::hash(stored.blocks.as_flattened())
                    .to_hex()
                    .to_string(),
                bytes: stored.bytes,
                path,
                sha256: hex(&stored.sha256),
            };
            let raw_path = s.raw.0.clone();
            let entry = Entry::Segment {
                at,
                events: s.events.map(place),
                index,
                leaf: hex(&hash),
                raw: place(s.raw),
                sums: s.sums,
                v: 1,
            };
            self.evidence.push(hash);
            fresh[0].push(s.leaf.clone().into_bytes());
            self.log_custody(&entry, &mut fresh[1]);
            self.remember(SegmentInfo {
                id: s.id,
                index,
                meta: s.meta,
                counts: s.counts,
                line_root: s.line_root,
                raw: raw_path,
                events: events_path,
                leaf: s.leaf,
            });
        }
        for u in uses {
            let entry = Entry::Use {
                action: cut(&u.action),
                actor: cut(&u.actor),
                at: u.at,
                detail: cut(&u.detail),
                v: 1,
            };
            self.log_custody(&entry, &mut fresh[1]);
        }
        if fresh[1].is_empty() {
            return Ok(self.checkpoint.clone());
        }
        for dir in &dirs {
            self.store.sync_dir(dir).map_err(io("sync folder", dir))?;
        }
        let [evidence, custody] = fresh;
        let mut tails = self.tails.clone();
        tiles::append(
            &*self.store,
            EVIDENCE,
            &self.evidence,
            &mut tails[0],
            evidence,
        )?;
        tiles::append(&*self.store, CUSTODY, &self.custody, &mut tails[1], custody)?;
        let checkpoint = self.sign()?;
        self.tails = tails;
        // What of a stopped run nobody asked for by now belongs to other evidence or other settings.
        let stale = std::mem::take(&mut *self.left.lock().unwrap_or_else(|e| e.into_inner()));
        for name in stale.values().flat_map(Leftover::files) {
            // Should one stay, the next writer finds it.
            drop(self.store.remove(&name));
        }
        Ok(checkpoint)
    }
    fn log_custody(&mut self, entry: &Entry, fresh: &mut Vec<Vec<u8>>) {
        let text = serde_json::to_string(entry).unwrap_or_default();
        self.custody.push(leaf_hash(text.as_bytes()));
        fresh.push(text.into_bytes());
    }
    /// Signs both logs as they are and replaces the checkpoint: the instant everything appended becomes true.
    fn sign(&mut self) -> Result<Checkpoint, EvidenceError> {
        invariant::check(
            self.evidence.len() >= self.checkpoint.tree_size
                && self.custody.len() >= self.checkpoint.custody_size,
            invariant::EV_3,
            "a log never shrinks",
        );
        let (root, custody_root) = (self.evidence.root(), self.custody.root());
        let text = format!(
            "{}\n{}\n{}\n{EXTENSION} {} {}\n",
            self.keys.origin(),
            self.evidence.len(),
            BASE64.encode(root),
            self.custody.len(),
            BASE64.encode(custody_root),
        );
        let note = sign_note(&self.keys, &text);
        replace(&*self.store, CHECKPOINT, note.as_bytes())?;
        self.store
            .sync_dir(EVIDENCE)
            .map_err(io("sync folder", EVIDENCE))?;
        self.checkpoint = Checkpoint {
            tree_size: self.evidence.len(),
            root,
            custody_size: self.custody.len(),
            custody_root,
            note,
        };
        Ok(self.checkpoint.clone())
    }
    fn reader(&self, info: &SegmentInfo) -> Result<RawReader<'_>, EvidenceError> {
        RawReader::open(&*self.store, &info.raw, |salt| self.keys.segment(salt))
    }
    /// The segments of `file` that hold a byte of `[offset, offset + len)`; the one holding `offset` when `len` is 0.
    fn holding(
        &self,
        file: &str,
        offset: u64,
        len: u64,
    ) -> Result<Vec<&SegmentInfo>, EvidenceError> {
        let end = offset.saturating_add(len.max(1));
        let mut seen_to = offset;
        let mut out = vec![];
        for s in self.current(file) {
            let (a, b) = (s.meta.start, s.meta.start + s.counts.bytes);
            if a <= seen_to && seen_to < b && seen_to < end {
                out.push(s);
                seen_to = b;
            }
        }
        if seen_to < end {
            return Err(EvidenceError::NotFound {
                file: file.to_string(),
                offset: seen_to,
            });
        }
        Ok(out)
    }
    /// The bytes `[offset, offset + len)` of a source file as received (decompressed), read from the sealed raw chunks that hold them.
    pub fn read(&self, file: &str, offset: u64, len: u64) -> Result<Vec<u8>, EvidenceError> {
        let mut out = vec![];
        for s in self.holding(file, offset, len)? {
            let from = (offset + out.len() as u64) - s.meta.start;
            let to = offset.saturating_add(len) - s.meta.start;
            out.extend(self.reader(s)?.read(from, to)?);
        }
        Ok(out)
    }
    /// Proof that the lines holding `[offset, offset + len)` of `file` are in the tree the checkpoint signs.
    pub fn prove(&self, file: &str, offset: u64, len: u64) -> Result<LineProof, EvidenceError> {
        Ok(self
            .prove_all(&[Citation {
                file: file.to_string(),
                offset,
                len,
            }])?
            .swap_remove(0))
    }
    /// Many proofs, in the given order; each segment's index is read once when neighbours in the list share it.
    pub fn prove_all(&self, cited: &[Citation]) -> Result<Vec<LineProof>, EvidenceError> {
        let mut out = Vec::with_capacity(cited.len());
        self.prove_each(cited, &mut |_, proof| {
            out.push(proof);
            Ok(())
        })?;
        Ok(out)
    }
    /// The same, one proof after the other: nothing is kept. Fast when `cited` is sorted.
    pub fn prove_each(
        &self,
        cited: &[Citation],
        each: &mut dyn FnMut(&Citation, LineProof) -> Result<(), EvidenceError>,
    ) -> Result<(), EvidenceError> {
        let mut open: Option<(u64, RawReader<'_>)> = None;
        for c in cited {
            let mut lines = vec![];
            for s in self.holding(&c.file, c.offset, c.len)? {
                if open.as_ref().is_none_or(|(n, _)| *n != s.index) {
                    open = Some((s.index, self.reader(s)?));
                }
                let Some((_, reader)) = &mut open else {
                    continue;
                };
                let from = c.offset.saturating_sub(s.meta.start);
                let to = c.offset.saturating_add(c.len) - s.meta.start;
                for line in reader.lines(from, to)? {
                    lines.push(self.proven(s, line));
                }
            }
            let file = c.file.clone();
            each(c, LineProof { file, lines })?;
        }
        Ok(())
    }
    fn proven(&self, s: &SegmentInfo, line: RawLine) -> ProvenLine {
        ProvenLine {
            leaf: s.leaf.clone(),
            leaf_index: s.index,
            tree_size: self.checkpoint.tree_size,
            leaf_path: self.evidence.path(s.index).iter().map(|h| hex(h)).collect(),
            line_index: line.index,
            line_path: line.path.iter().map(|h| hex(h)).collect(),
            offset: s.meta.start + line.start,
            bytes: BASE64.encode(&line.bytes),
        }
    }
    /// Our own uses so far, oldest first.
    pub fn uses(&self) -> &[Use] {
        &self.uses
    }
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }
    pub(crate) fn writable(&self) -> bool {
        self.lock.is_some()
    }
}

/// Bytes of a source file somebody rests a figure on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Citation {
    /// Path relative to the case.
    pub file: String,
    pub offset: u64,
    pub len: u64,
}

fn take_lock(store: &dyn Store, wait: Wait) -> Result<Box<dyn Send + Sync>, EvidenceError> {
    const STEP: u64 = 20;
    let tries = match wait {
        Wait::No => 0,
        Wait::Millis(ms) => ms / STEP,
    };
    for left in (0..=tries).rev() {
        if let Some(lock) = store.lock("lock").map_err(io("lock", "lock"))? {
            return Ok(lock);
        }
        if left > 0 {
            store.pause(STEP);
        }
    }
    Err(EvidenceError::Locked)
}

/// Writes a whole file beside its place, syncs it, and puts it there in one step. The caller syncs the folder.
pub(crate) fn replace(store: &dyn Store, path: &str, bytes: &[u8]) -> Result<(), EvidenceError> {
    let temp = format!("tmp/{}", path.replace('/', "_"));
    let mut file = store.create(&temp).map_err(io("create", &temp))?;
    file.write(bytes).map_err(io("write", path))?;
    file.sync().map_err(io("sync", path))?;
    drop(file);
    store.rename(&temp, path).map_err(io("rename", path))
}

pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// Keeps an entry below the 64 KiB an entry of a tile may have.
fn cut(text: &str) -> String {
    text.chars().take(4000).collect()
}

fn sign_note(keys: &Keys, text: &str) -> String {
    use ed25519_dalek::Signer;
    let key = keys.signing.verifying_key();
    // The C2SP signature type of Ed25519 is 1, in front of the key when the id is made.
    let mut typed = vec![1u8];
    typed.extend_from_slice(key.as_bytes());
    let name = keys.origin();
    let mut sig = signed_note::key_id(&name, &typed).to_be_bytes().to_vec();
    sig.extend_from_slice(&keys.signing.sign(text.as_bytes()).to_bytes());
    format!("{text}\n\u{2014} {name} {}\n", BASE64.encode(sig))
}

fn read_checkpoint(note: &[u8], keys: &Keys) -> Result<Checkpoint, &'static str> {
    let parsed = signed_note::Note::from_bytes(note).map_err(|_| "not a signed note")?;
    let verifier = signed_note::StandardVerifier::new(&keys.public().0)
        .map_err(|_| "the lake's key has no verifier")?;
    let (good, _) = parsed
        .verify(&signed_note::VerifierList::new(vec![Box::new(verifier)]))
        .map_err(|_| "not signed by this lake's key")?;
    if good.is_empty() {
        return Err("not signed by this lake's key");
    }
    let text = std::str::from_utf8(parsed.text()).map_err(|_| "not text")?;
    let mut lines = text.lines();
    let hash = |s: Option<&str>| -> Option<Hash> { BASE64.decode(s?).ok()?.try_into().ok() };
    if lines.next() != Some(&keys.origin()) {
        return Err("of another lake");
    }
    let tree_size = lines
        .next()
        .and_then(|s| s.parse().ok())
        .ok_or("no tree size")?;
    let root = hash(lines.next()).ok_or("no root")?;
    let mut custody = lines
        .find_map(|l| l.strip_prefix(EXTENSION))
        .ok_or("no custody log")?
        .split_ascii_whitespace();
    Ok(Checkpoint {
        tree_size,
        root,
        custody_size: custody
            .next()
            .and_then(|s| s.parse().ok())
            .ok_or("no custody size")?,
        custody_root: hash(custody.next()).ok_or("no custody root")?,
        note: String::from_utf8_lossy(note).into_owned(),
    })
}

/// `yyyy-mm-dd` of an instant, UTC.
pub(crate) fn day(at: Nanos) -> String {
    let full = ampleur_event::time::rfc3339(at);
    full.get(..10).unwrap_or("undated").to_string()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut s = String::with_capacity(bytes.len() * 2);
    for b in bytes {
        for n in [b >> 4, b & 15] {
            s.push(char::from(b"0123456789abcdef"[n as usize]));
        }
    }
    s
}

pub(crate) fn unhex(text: &str) -> Option<Hash> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut out = [0u8; 32];
    for (i, o) in out.iter_mut().enumerate() {
        *o = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(out)
}
