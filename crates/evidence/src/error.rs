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
    #[error("open lake: another writer holds it")]
    Locked,
    #[error("create lake: one is already there")]
    Exists,
    #[error("open lake: no lake is there")]
    Absent,
    #[error("read {path} at byte {offset}: {what}")]
    Corrupt {
        path: String,
        offset: u64,
        what: &'static str,
    },
    #[error("read key {path}: {what}")]
    Key { path: String, what: &'static str },
    #[error("find {file} byte {offset}: not in the lake")]
    NotFound { file: String, offset: u64 },
    #[error("write {path}: {source}")]
    Parquet {
        path: String,
        source: parquet::errors::ParquetError,
    },
    #[error("take up {file} again: it changed since the run that was stopped")]
    Changed { file: String },
    #[error(
        "append to lake: it was opened for reading, or an earlier append failed and it must be opened again"
    )]
    NotWritable,
}

/// Adds the place to an I/O error.
pub(crate) fn io<'a>(
    doing: &'static str,
    path: &'a str,
) -> impl FnOnce(std::io::Error) -> EvidenceError + 'a {
    move |source| EvidenceError::Io {
        doing,
        path: path.to_string(),
        source,
    }
}

pub(crate) fn corrupt(path: &str, offset: u64, what: &'static str) -> EvidenceError {
    EvidenceError::Corrupt {
        path: path.to_string(),
        offset,
        what,
    }
}
