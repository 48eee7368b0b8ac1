//! One file to one row of the inventory (contract: `share`, `path`, `size`, `sha256`, `subjects`), with what could not be read.
use crate::{
    extract::{Limits, Outcome, Risky, Walk, Why},
    whose::{Found, Knowledge, Reader},
};
use ampleur_event::{Category::FreeFile, category::CategorySet};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    io::{self, Read, Seek},
};

/// Changes when the same bytes may give another row: rows of another version are not taken over.
pub const ENGINE: u32 = 4;

/// OID of the INS-NIR, the authority of a NIR that is nobody's in the identity base.
pub const NIR_SYSTEM: &str = "urn:oid:1.2.250.1.213.1.4.8";

/// A person and the categories of theirs a file holds, in list order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Holding {
    /// `authority|id`
    pub subject: String,
    pub categories: Vec<String>,
}

/// How much of a file was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// All of it.
    Read,
    /// Some; more persons may be inside.
    Part,
    /// Nothing; anybody may be inside.
    Unread,
}

/// A line of `inventory/*.jsonl`. Keys beyond the contract's are additions that readers may leave out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub share: String,
    /// Below the share, with `\`.
    pub path: String,
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
    /// Sorted by subject.
    pub subjects: Vec<Holding>,
    /// Persons who may be meant: namesakes, a number two authorities gave. Sorted by subject.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub possible: Vec<Holding>,
    pub state: State,
    /// Why not all was read, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<Why>,
    /// Categories found that belong to nobody who could be named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unnamed: Vec<String>,
}

/// SHA-256 of everything from the start, lower-case hex, and the number of bytes; the file is at its start again.
pub fn sha256(file: &mut (impl Read + Seek)) -> io::Result<(String, u64)> {
    file.seek(io::SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut buf = vec![0u8; 1 << 18];
    let mut len = 0;
    loop {
        match file.read(&mut buf) {
            Ok(0) => break,
            Ok(n) => {
                hash.update(&buf[..n]);
                len += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    file.seek(io::SeekFrom::Start(0))?;
    let hex: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    Ok((hex, len))
}

/// Reads one file. `path` is the one below the share. A panic of any reader ends the file, not the run.
pub fn examine(
    know: &Knowledge,
    share: &str,
    path: &str,
    file: impl Read + Seek,
    (sha256, size): (String, u64),
    risky: &mut dyn Risky,
    limits: Limits,
) -> Row {
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut reader = Reader::new(know, path);
        let mut walk = Walk::new(&mut reader, risky, limits);
        walk.file(file, size);
        let outcome = walk.outcome;
        (reader.finish(), outcome)
    }));
    let (found, outcome) = read.unwrap_or_else(|_| {
        // What the path says is known all the same.
        let found = Reader::new(know, path).finish();
        let mut outcome = Outcome::default();
        outcome.why.insert(Why::Stopped);
        (found, outcome)
    });
    row(know, share, path, size, sha256, &found, &outcome)
}

/// A file that could not be opened.
pub fn denied(know: &Knowledge, share: &str, path: &str, size: u64) -> Row {
    let found = Reader::new(know, path).finish();
    let mut outcome = Outcome::default();
    outcome.why.insert(Why::Denied);
    row(know, share, path, size, String::new(), &found, &outcome)
}

fn codes(c: CategorySet) -> Vec<String> {
    c.iter().map(|c| c.code().to_string()).collect()
}

fn row(
    know: &Knowledge,
    share: &str,
    path: &str,
    size: u64,
    sha256: String,
    found: &Found,
    outcome: &Outcome,
) -> Row {
    let state = match (outcome.why.is_empty(), outcome.read) {
        (true, _) => State::Read,
        (false, true) => State::Part,
        (false, false) => State::Unread,
    };
    // What nobody has read may hold anything about the persons the file is known to be about.
    let more = if state == State::Read {
        CategorySet::EMPTY
    } else {
        CategorySet::of(&[FreeFile])
    };
    let mut sure: BTreeMap<String, CategorySet> = BTreeMap::new();
    let mut possible: BTreeMap<String, CategorySet> = BTreeMap::new();
    let put = |m: &mut BTreeMap<String, CategorySet>, s: String, c: CategorySet| {
        let e = m.entry(s).or_default();
        *e = e.union(c).union(more);
    };
    for (p, m) in &found.persons {
        let subject = know.roster.subject(*p).to_string();
        put(
            if m.sure { &mut sure } else { &mut possible },
            subject,
            m.categories,
        );
    }
    for (nir, c) in &found.foreign {
        put(&mut sure, format!("{NIR_SYSTEM}|{nir}"), *c);
    }
    possible.retain(|s, _| !sure.contains_key(s));
    let holdings = |m: BTreeMap<String, CategorySet>| -> Vec<Holding> {
        m.into_iter()
            .map(|(subject, c)| Holding {
                subject,
                categories: codes(c),
            })
            .collect()
    };
    Row {
        share: share.to_string(),
        path: path.replace('/', "\\"),
        size,
        sha256,
        subjects: holdings(sure),
        possible: holdings(possible),
        state,
        why: outcome.why.iter().copied().collect(),
        unnamed: codes(found.nobody),
    }
}
