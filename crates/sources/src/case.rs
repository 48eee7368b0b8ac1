//! The case folder: its files, its sources, its context (design §4). Reads names and sizes; opening files is `reader`'s work.
use ampleur_event::Context;
use std::path::PathBuf;

/// Number of a file in the case: files are numbered in order of their relative path, so that numbers are the same on every machine.
pub type FileId = u32;

/// One file under `logs/`.
#[derive(Debug, Clone)]
pub struct CaseFile {
    /// Path relative to the case, with `/` on every system: `logs/vpn/vpn-2023-06-24.log`.
    pub rel: String,
    pub path: PathBuf,
    /// Index into [`Case::sources`].
    pub source: u32,
    pub size: u64,
}

/// A source: a `[[source]]` entry of the context, or a folder of logs nobody declared.
#[derive(Debug, Clone)]
pub struct SourceDef {
    /// The entry's `files` glob, else the folder (`logs/vpn`). The name used in `coverage` and `sessions`.
    pub name: String,
    /// Index into `Context::sources`.
    pub entry: Option<usize>,
    pub files: Vec<FileId>,
}

/// A case folder, listed.
#[derive(Debug, Clone)]
pub struct Case {
    pub root: PathBuf,
    pub context: Context,
    pub files: Vec<CaseFile>,
    pub sources: Vec<SourceDef>,
}

impl Case {
    /// The context entry of a source, if declared.
    pub fn entry(&self, source: u32) -> Option<&ampleur_event::context::SourceEntry> {
        self.sources
            .get(source as usize)?
            .entry
            .and_then(|i| self.context.sources.get(i))
    }
    pub fn source_of(&self, file: FileId) -> u32 {
        self.files[file as usize].source
    }
}
