//! What the tests over all sources share.
use std::path::{Path, PathBuf};

/// Sources that read a shape, not a product: they may claim what no product claims.
pub const GENERIC: &[&str] = &[
    "cef",
    "csv",
    "ecs",
    "gelf",
    "leef",
    "ocsf",
    "syslog",
    "syslog-json",
    "syslog-kv",
    "w3c",
];

/// The golden cases, a folder for each source.
pub fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/sources")
}
