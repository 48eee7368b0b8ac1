//! What can go wrong, with its place. No variant ever carries a value of the evidence.

/// Shape: every variant names the file, relative to the lake, and what was being done to it.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    #[error("{doing} {path}: {source}")]
    Io {
        doing: &'static str,
        path: String,
        source: std::io::Error,
    },
    #[error("open lake {path}: another writer holds it")]
    Locked { path: String },
    #[error("open lake {path}: a lake is already there")]
    Exists { path: String },
    #[error("open lake {path}: no lake is there")]
    Absent { path: String },
    #[error("read {path} at byte {offset}: {what}")]
    Corrupt {
        path: String,
        offset: u64,
        what: String,
    },
    #[error("read key {path}: {what}")]
    Key { path: String, what: &'static str },
    #[error("find {file} byte {offset}: not in the lake")]
    NotFound { file: String, offset: u64 },
    #[error("write {path}: {what}")]
    Write { path: String, what: String },
    #[error(
        "append to lake: it was opened for reading, or an earlier append failed; open it again to write"
    )]
    NotWritable,
}
