//! Proof that bytes were in the evidence: from a line to its segment's root, from the segment's leaf to the signed root.
use serde::{Deserialize, Serialize};

/// Lines of one file, each with the path from its hash to the root the checkpoint signs. Hashes are lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineProof {
    pub file: String,
    pub lines: Vec<ProvenLine>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenLine {
    /// The segment's leaf in the evidence log, canonical JSON; names the file, its start and `line_root`.
    pub leaf: String,
    /// Its index, and its inclusion path (RFC 6962 §2.1.1) to the checkpoint's root, from the leaf up.
    pub leaf_index: u64,
    pub tree_size: u64,
    pub leaf_path: Vec<String>,
    /// Index of the line in the segment and its inclusion path to the leaf's `line_root`.
    pub line_index: u64,
    pub line_path: Vec<String>,
    /// Offset of the line in the file. Informative: the hash covers the bytes and their order, not the offset.
    pub offset: u64,
    /// The line's own bytes with its line end, base64.
    pub bytes: String,
}
