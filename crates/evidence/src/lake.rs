//! The lake: opening, committing, reading back.
use crate::{
    EvidenceError, Keys, LineProof, PublicKey, SealedSegment, SegmentCounts, SegmentMeta,
    SegmentWriter,
};
use ampleur_event::Nanos;
use std::path::Path;

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
    pub root: [u8; 32],
    pub custody_size: u64,
    pub custody_root: [u8; 32],
    /// The signed note as it is stored in `log/checkpoint`.
    pub note: String,
}

impl Checkpoint {
    pub fn root_hex(&self) -> String {
        self.root.iter().map(|b| format!("{b:02x}")).collect()
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
    pub line_root: [u8; 32],
    /// Paths relative to the lake; `events` is empty when the segment has no event.
    pub raw: String,
    pub events: String,
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

/// A lake in a folder. Opened for reading by any number, for writing by one.
pub struct Lake {}

impl Lake {
    /// Makes a new lake at `path` (created; must not hold one) and opens it for writing.
    /// `random` gives the lake id and, later, salts of segments.
    pub fn create(
        _path: &Path,
        _keys: &Keys,
        _at: Nanos,
        _random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Lake, EvidenceError> {
        Ok(Lake {})
    }
    pub fn open(_path: &Path, _keys: &Keys) -> Result<Lake, EvidenceError> {
        Ok(Lake {})
    }
    pub fn open_writer(_path: &Path, _keys: &Keys, _wait: Wait) -> Result<Lake, EvidenceError> {
        Ok(Lake {})
    }
    pub fn public_key(&self) -> PublicKey {
        PublicKey(String::new())
    }
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            tree_size: 0,
            root: [0; 32],
            custody_size: 0,
            custody_root: [0; 32],
            note: String::new(),
        }
    }
    /// Segments in order of the log.
    pub fn segments(&self) -> &[SegmentInfo] {
        &[]
    }
    /// Starts a segment. `&self`: many files may be sealed at once, on many threads. `salt`: 32 fresh random bytes.
    pub fn begin(
        &self,
        _meta: SegmentMeta,
        _salt: [u8; 32],
    ) -> Result<SegmentWriter, EvidenceError> {
        Err(EvidenceError::NotWritable)
    }
    /// Appends finished segments, in the given order, and our own uses. When this returns, all of it survives a kill and a
    /// power loss. A segment already in the lake (same bytes, same file) is left out silently.
    pub fn commit(
        &mut self,
        _segments: Vec<SealedSegment>,
        _uses: Vec<Use>,
        _at: Nanos,
    ) -> Result<Checkpoint, EvidenceError> {
        Err(EvidenceError::NotWritable)
    }
    /// The bytes `[offset, offset + len)` of a source file as received (decompressed), read from the sealed raw chunks that hold them.
    pub fn read(&self, file: &str, offset: u64, _len: u64) -> Result<Vec<u8>, EvidenceError> {
        Err(EvidenceError::NotFound {
            file: file.to_string(),
            offset,
        })
    }
    /// Proof that the lines holding `[offset, offset + len)` of `file` are in the tree the checkpoint signs.
    pub fn prove(&self, file: &str, offset: u64, _len: u64) -> Result<LineProof, EvidenceError> {
        Err(EvidenceError::NotFound {
            file: file.to_string(),
            offset,
        })
    }
    /// Our own uses so far, oldest first.
    pub fn uses(&self) -> Result<Vec<Use>, EvidenceError> {
        Ok(vec![])
    }
}
