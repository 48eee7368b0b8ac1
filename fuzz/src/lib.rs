//! Fuzzing of decoders (and, in [`store`], of Outlook's stores) without a special compiler: inputs are mutated from golden cases and kept finds, fed in arbitrary pieces, and
//! what is new about a result (reasons, verbs, columns filled, counts) decides whether an input joins the pool.
//!
//! Checked on every run: no panic, records = events + rejects + skipped, places inside the input. On every eighth: the pieces
//! make no difference. Same seed, same runs.
pub mod store;

use ampleur_sources::{
    Decoded, Reason, Setting, Source,
    reader::{decode_bytes, decode_cut},
};
use rustc_hash::{FxHashSet, FxHasher};
use std::{
    fs,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
};

/// xorshift64*: small, fast, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 {
            0
        } else {
            (self.number() % n as u64) as usize
        }
    }
}

/// Folder of the repository that holds the workspace.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Kept finds of a source.
pub fn corpus_folder(source: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(source)
}

fn files_in(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(dir)
        .map(|d| d.filter_map(|e| Some(e.ok()?.path())).collect())
        .unwrap_or_default();
    all.sort();
    all
}

/// Inputs kept for a source, by name.
pub fn corpus(source: &str) -> Vec<(PathBuf, Vec<u8>)> {
    files_in(&corpus_folder(source))
        .into_iter()
        .filter_map(|p| fs::read(&p).ok().map(|b| (p, b)))
        .collect()
}

/// Golden inputs of a source.
pub fn goldens(source: &str) -> Vec<Vec<u8>> {
    files_in(&repository().join("testdata/sources").join(source))
        .iter()
        .flat_map(|dir| files_in(dir))
        .filter(|p| p.file_stem().is_some_and(|s| s == "input"))
        .filter_map(|p| fs::read(p).ok())
        .collect()
}

/// Numbers, signs and words that formats stumble over.
const WORDS: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b"\"",
    b"\\\"",
    b"\\",
    b"=",
    b"|",
    b",",
    b" ",
    b"[",
    b"]",
    b"{",
    b"}",
    b"<",
    b">",
    b"</",
    b"<!DOCTYPE",
    b"<![CDATA[",
    b"&#x0;",
    b"-",
    b"0",
    b"-1",
    b"18446744073709551615",
    b"18446744073709551616",
    b"99999999999999999999",
    b"9223372036854775807",
    b"1e999",
    b"2024-02-30",
    b"0000-00-00",
    b"2262-12-31T23:59:59Z",
    b"9999-12-31",
    b"+99:99",
    b"2024-10-27 02:30:00",
    b"2024-03-31 02:30:00",
    b"Feb 29 23:59:60 ",
    b"<191>",
    b"<0>1 - - - - - - ",
    b"CEF:0|",
    b"# ",
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x98\x80",
    b"\xc3",
    b"\xed\xa0\x80",
    b"::ffff:1.2.3.4",
    b"[::1]:99999",
    b"null",
    b"true",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":",
    b"%n%s",
    b"\xe2\x80\xa8",
    b"\t",
    b"''",
    b"$$",
    b"$body$",
];

/// Changes an input in one to six ways.
pub fn mutate(r: &mut Random, from: &[u8], pool: &[Vec<u8>], limit: usize) -> Vec<u8> {
    let mut b = from.to_vec();
    for _ in 0..=r.below(6) {
        let n = b.len();
        let at = r.below(n + 1);
        match r.below(12) {
            0 if n > 0 => b[at.min(n - 1)] ^= 1 << r.below(8),
            1 if n > 0 => b[at.min(n - 1)] = r.number() as u8,
            2 => {
                let len = r.below(24).min(n - at);
                b.drain(at..at + len);
            }
            3 => {
                let len = r.below(200).min(n - at);
                b.drain(at..at + len);
            }
            4 | 5 => {
                let w = WORDS[r.below(WORDS.len())];
                b.splice(at..at, w.iter().copied());
            }
            6 => {
                let w = WORDS[r.below(WORDS.len())];
                let end = (at + w.len()).min(n);
                b.splice(at..end, w.iter().copied());
            }
            7 if n > 0 => {
                // A part again.
                let from = r.below(n);
                let len = r.below(64).min(n - from);
                let part = b[from..from + len].to_vec();
                b.splice(at..at, part);
            }
            8 | 9 if !pool.is_empty() => {
                // A part of another input.
                let other = &pool[r.below(pool.len())];
                let from = r.below(other.len());
                let len = r.below(256).min(other.len() - from);
                b.splice(at..at, other[from..from + len].iter().copied());
            }
            10 => b.truncate(at),
            _ if n > 0 => {
                // A digit for a digit.
                let from = at.min(n - 1);
                if let Some(i) = b[from..].iter().position(u8::is_ascii_digit) {
                    b[from + i] = b'0' + r.below(10) as u8;
                }
            }
            _ => {}
        }
    }
    b.truncate(limit);
    b
}

/// Settings that take other paths through a decoder.
pub fn settings() -> Vec<Setting> {
    let zone = ["Europe/Paris", "America/St_Johns", "Australia/Lord_Howe"];
    let mut all = vec![Setting::default()];
    for (i, z) in zone.iter().enumerate() {
        all.push(Setting {
            zone: ampleur_sources::time::zone(z),
            clock_offset: [-2_820_000_000_000, i64::MAX, i64::MIN][i],
            year_hint: Some([2024, 1700, 2261][i]),
            ..Setting::default()
        });
    }
    for layout in [
        r#"$remote_addr [$time_iso8601] "$request" $status $body_bytes_sent"#,
        "%m [%p]: user=%u,db=%d,client=%h ",
        "%u|%I|%m|%S",
    ] {
        all.push(Setting {
            layout: Some(layout.into()),
            ..Setting::default()
        });
    }
    all
}

/// What is remarkable about a result, as a number: equal numbers, nothing new.
pub fn signature(d: &Decoded) -> u64 {
    let mut h = FxHasher::default();
    let few = |n: u64| n.min(3);
    (few(d.event_count), few(d.reject_count), few(d.skipped)).hash(&mut h);
    for r in d.rejects.iter().take(2) {
        match r.reason {
            Reason::Field(f) => f.hash(&mut h),
            other => other.hash(&mut h),
        }
    }
    for e in d.events.iter().take(2) {
        (
            e.verb as u8,
            e.outcome as u8,
            e.time_note as u8,
            e.system as u8,
        )
            .hash(&mut h);
        let mut filled = 0u64;
        for (i, (_, v)) in e.texts().iter().enumerate() {
            filled |= u64::from(!v.is_empty()) << i;
        }
        for (i, (_, v)) in e.numbers().iter().enumerate() {
            filled |= u64::from(*v != u64::MAX) << (32 + i);
        }
        filled.hash(&mut h);
    }
    h.finish()
}

/// Runs one input in pieces and checks what must always hold.
///
/// # Panics
/// When the decoder does, or when a law is broken.
pub fn check(
    source: &dyn Source,
    input: &[u8],
    setting: &Setting,
    cuts: &[usize],
    compare: bool,
) -> Decoded {
    let out = decode_cut(source, input, setting, cuts);
    assert!(out.balanced(), "records are not events + rejects + skipped");
    assert_eq!(
        out.events.len() as u64,
        out.event_count,
        "an event was lost"
    );
    assert_eq!(
        out.rejects.len() as u64,
        out.reject_count,
        "a reject was lost"
    );
    for r in &out.rejects {
        assert!(
            r.offset.saturating_add(r.len) <= input.len() as u64,
            "a reject lies outside the input"
        );
    }
    for e in out.events.iter() {
        assert!(
            e.offset.saturating_add(e.len) <= input.len() as u64,
            "an event lies outside the input"
        );
    }
    if compare && !cuts.is_empty() {
        let whole = decode_bytes(source, input, setting);
        assert_eq!(whole.events, out.events, "pieces change events");
        assert_eq!(whole.rejects, out.rejects, "pieces change rejects");
        assert_eq!(whole.skipped, out.skipped, "pieces change skips");
    }
    out
}

/// One fuzzing session over one source.
pub struct Session {
    pub source: &'static dyn Source,
    pub pool: Vec<Vec<u8>>,
    settings: Vec<Setting>,
    random: Random,
    seen: FxHashSet<u64>,
    /// Inputs that gave something new, in order.
    pub finds: Vec<Vec<u8>>,
    pub runs: u64,
}

/// Longest input tried; most are far shorter so that many runs fit a minute.
pub const INPUT_MAX: usize = 4096;

impl Session {
    pub fn new(source: &'static dyn Source, seed: u64) -> Session {
        let mut pool: Vec<Vec<u8>> = vec![];
        for g in goldens(source.name()) {
            // Single records make short inputs; the whole shows how records follow each other.
            if g.contains(&0) {
                pool.push(g);
                continue;
            }
            for line in g.split_inclusive(|b| *b == b'\n').take(40) {
                pool.push(line[..line.len().min(INPUT_MAX)].to_vec());
            }
            pool.push(g[..g.len().min(INPUT_MAX)].to_vec());
        }
        pool.extend(corpus(source.name()).into_iter().map(|c| c.1));
        if pool.is_empty() {
            pool.push(b"\n".to_vec());
        }
        Session {
            source,
            pool,
            settings: settings(),
            random: Random::new(seed),
            seen: FxHashSet::default(),
            finds: vec![],
            runs: 0,
        }
    }

    /// Makes the next input with its setting and cuts.
    pub fn input(&mut self) -> (Vec<u8>, usize, Vec<usize>) {
        let r = &mut self.random;
        // The shortest of up to sixteen: what a decoder stumbles over a short record can mostly say too, and in the time of a long one
        // several are run.
        let mut from = r.below(self.pool.len());
        for _ in 0..r.below(16) {
            let other = r.below(self.pool.len());
            if self.pool[other].len() < self.pool[from].len() {
                from = other;
            }
        }
        let from = &self.pool[from];
        let limit = from.len().max(INPUT_MAX) + 512;
        let input = mutate(r, from, &self.pool, limit);
        let setting = if r.below(4) == 0 {
            r.below(self.settings.len())
        } else {
            0
        };
        let mut cuts: Vec<usize> = (0..r.below(4)).map(|_| r.below(input.len() + 1)).collect();
        cuts.sort_unstable();
        (input, setting, cuts)
    }

    /// One execution. Panics pass through; the caller keeps the input.
    pub fn run(&mut self, input: &[u8], setting: usize, cuts: &[usize]) {
        self.runs += 1;
        let compare = self.runs.is_multiple_of(8);
        let out = check(self.source, input, &self.settings[setting], cuts, compare);
        if self.seen.len() < 1 << 20
            && self.seen.insert(signature(&out))
            && self.pool.len() < 20_000
        {
            self.pool.push(input.to_vec());
            self.finds.push(input.to_vec());
        }
    }
}
