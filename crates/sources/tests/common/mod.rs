//! What the tests over all sources share.
#![allow(dead_code)]
use ampleur_sources::{Source, mapped};
use std::{
    fs,
    path::{Path, PathBuf},
};

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

/// The mappings of `testdata/mappings`, loaded as a case loads its own, each with its folder of golden cases. Those with a program need
/// the feature `vrl`; without it they must say so.
pub fn own_mappings() -> Vec<(&'static dyn Source, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/mappings");
    let mut folders: Vec<PathBuf> = fs::read_dir(&root)
        .expect("a folder of mappings")
        .map(|e| e.expect("an entry").path())
        .collect();
    folders.sort();
    let mut all: Vec<(&'static dyn Source, PathBuf)> = vec![];
    for folder in folders {
        let name = folder.file_name().expect("a name").to_string_lossy();
        let file = folder.join(format!("{name}.toml"));
        let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        match mapped::load_in(&name, &text, Some(&folder)) {
            Ok(m) => all.push((m, folder.clone())),
            Err(e) => assert!(
                !mapped::PROGRAMS && e.to_string().contains("feature `vrl`"),
                "{}: {e}",
                file.display()
            ),
        }
    }
    all
}
