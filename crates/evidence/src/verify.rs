//! Checks a lake or an exported bundle, without the writer's code.
//!
//! Everything here has its own paths, hashes and parsing on purpose: a mistake of the writer must not be repeated by its
//! judge. Shared are only the constants of the formats, written out again, and the reading half of [`Store`].
use crate::{PublicKey, store::Store};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
};

/// What was found. Empty `findings` means: everything the checkpoint signs is there and unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Leaves of the evidence log (segments) and its root, hex; of the custody log.
    pub tree_size: u64,
    pub root: String,
    pub custody_size: u64,
    /// Stored files checked, and their bytes.
    pub files: u64,
    pub bytes: u64,
    /// Lines whose hashes were recomputed from the opened raw bytes; 0 without the raw key.
    pub lines: u64,
    /// True when the raw key was given, so that contents were opened and not only stored bytes compared.
    pub contents: bool,
    pub findings: Vec<Finding>,
    /// Stored files that no log names: written but never acknowledged. Harmless.
    pub orphans: Vec<String>,
}

/// One thing that does not verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Relative to the lake, or the name inside the bundle.
    pub path: String,
    /// First byte concerned and how many; `None` when the file is missing or wrong as a whole.
    pub at: Option<(u64, u64)>,
    pub what: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.at {
            Some((at, 1)) => write!(f, "{} byte {at}: {}", self.path, self.what),
            Some((at, n)) => write!(f, "{} bytes {at}..{}: {}", self.path, at + n, self.what),
            None => write!(f, "{}: {}", self.path, self.what),
        }
    }
}

impl Report {
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
    fn find(&mut self, path: &str, at: Option<(u64, u64)>, what: impl Into<String>) {
        self.findings.push(Finding {
            path: path.to_string(),
            at,
            what: what.into(),
        });
    }
}

type Hash = [u8; 32];

fn leaf(data: &[u8]) -> Hash {
    Sha256::new_with_prefix([0])
        .chain_update(data)
        .finalize()
        .into()
}
fn node(l: &Hash, r: &Hash) -> Hash {
    Sha256::new_with_prefix([1])
        .chain_update(l)
        .chain_update(r)
        .finalize()
        .into()
}
/// RFC 6962 §2.1 bottom-up: pair neighbours, carry an odd last one up.
fn tree_root(leaves: &[Hash]) -> Hash {
    if leaves.is_empty() {
        return Sha256::digest([]).into();
    }
    let mut row = leaves.to_vec();
    while row.len() > 1 {
        row = row
            .chunks(2)
            .map(|c| {
                if c.len() == 2 {
                    node(&c[0], &c[1])
                } else {
                    c[0]
                }
            })
            .collect();
    }
    row[0]
}
fn to_hex(h: &[u8]) -> String {
    h.iter().map(|b| format!("{b:02x}")).collect()
}
fn from_hex(s: &str) -> Option<Hash> {
    if s.len() != 64 || !s.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..32)
        .map(|i| u8::from_str_radix(&s[2 * i..2 * i + 2], 16).ok())
        .collect();
    bytes?.try_into().ok()
}

/// A signed tree head as parsed from a note.
struct Head {
    size: u64,
    root: Hash,
    custody_size: u64,
    custody_root: Hash,
}

/// The verifier of a key in the form of the signed note (C2SP signed-note, "Verifier keys"), with its name and id.
fn read_key(key: &PublicKey) -> Result<(&str, [u8; 4], VerifyingKey), String> {
    let mut parts = key.0.splitn(3, '+');
    let (name, id, data) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let data = BASE64
        .decode(data)
        .map_err(|_| "the public key is not base64")?;
    let point: Hash = match data.split_first() {
        Some((1, rest)) => rest
            .try_into()
            .map_err(|_| "the public key is not 32 bytes")?,
        _ => return Err("the public key is not Ed25519".to_string()),
    };
    let verifier = VerifyingKey::from_bytes(&point).map_err(|_| "the public key is no point")?;
    let digest = Sha256::new()
        .chain_update(name)
        .chain_update(b"\n")
        .chain_update(&data)
        .finalize();
    if to_hex(&digest[..4]) != id {
        return Err("the public key does not have the id it claims".to_string());
    }
    Ok((name, [digest[0], digest[1], digest[2], digest[3]], verifier))
}

/// Errors: it is no verifier key, in words.
pub fn check_key(key: &PublicKey) -> Result<(), String> {
    read_key(key).map(drop)
}

fn read_head(note: &[u8], key: &PublicKey) -> Result<Head, String> {
    let note = std::str::from_utf8(note).map_err(|_| "not text")?;
    let (text, signatures) = note.rsplit_once("\n\n").ok_or("no signature")?;
    let text = format!("{text}\n");
    let (name, id, verifier) = read_key(key)?;
    let mut signed = false;
    for line in signatures.lines() {
        let Some((who, sig)) = line
            .strip_prefix("\u{2014} ")
            .and_then(|l| l.split_once(' '))
        else {
            return Err("a signature line is not well formed".to_string());
        };
        let sig = BASE64.decode(sig).unwrap_or_default();
        if who != name || sig.len() != 68 || sig[..4] != id {
            continue;
        }
        let signature = Signature::from_slice(&sig[4..]).map_err(|_| "no signature")?;
        verifier
            .verify_strict(text.as_bytes(), &signature)
            .map_err(|_| "the signature is not that of this text")?;
        signed = true;
    }
    if !signed {
        return Err("not signed by this key".to_string());
    }
    let lines: Vec<&str> = text.lines().collect();
    let root = |s: &str| -> Option<Hash> { BASE64.decode(s).ok()?.try_into().ok() };
    let head = || -> Option<Head> {
        let extension: Vec<&str> = lines
            .iter()
            .find(|l| l.starts_with("ampleur-custody "))?
            .split(' ')
            .collect();
        Some(Head {
            size: lines.get(1)?.parse().ok()?,
            root: root(lines.get(2)?)?,
            custody_size: extension.get(1)?.parse().ok()?,
            custody_root: root(extension.get(2)?)?,
        })
    };
    if lines.first() != Some(&name) {
        return Err("the checkpoint is that of another log".to_string());
    }
    head().ok_or_else(|| "the checkpoint is not well formed".to_string())
}

fn numbered(n: u64) -> String {
    let digits = n.to_string();
    let digits = format!("{}{digits}", "0".repeat((3 - digits.len() % 3) % 3));
    let groups: Vec<&str> = (0..digits.len() / 3)
        .map(|i| &digits[3 * i..3 * i + 3])
        .collect();
    let (last, first) = groups.split_last().unwrap_or((&"000", &[]));
    first.iter().map(|g| format!("x{g}/")).collect::<String>() + last
}

/// Name of tile `n` of `level` in a log of which `count` hashes exist at that level.
fn tile_name(log: &str, level: &str, n: u64, count: u64) -> (String, u64) {
    let width = (count - n * 256).min(256);
    let partial = if width < 256 {
        format!(".p/{width}")
    } else {
        String::new()
    };
    (
        format!("{log}/tile/{level}/{}{partial}", numbered(n)),
        width,
    )
}

/// Reads and checks one log; gives its entries as far as they are proven.
fn check_log(
    store: &dyn Store,
    log: &str,
    size: u64,
    root: &Hash,
    report: &mut Report,
) -> Vec<Vec<u8>> {
    let mut entries: Vec<Vec<u8>> = vec![];
    // Where each entry begins: file and offset.
    let mut places: Vec<(String, u64)> = vec![];
    for n in 0..size.div_ceil(256) {
        let (path, width) = tile_name(log, "entries", n, size);
        let bytes = match store.read(&path) {
            Ok(b) => b,
            Err(e) => {
                report.find(&path, None, format!("cannot be read: {e}"));
                return vec![];
            }
        };
        let mut at = 0;
        for _ in 0..width {
            let len = match bytes.get(at..at + 2) {
                Some(b) => usize::from(b[0]) << 8 | usize::from(b[1]),
                None => usize::MAX,
            };
            let Some(entry) = at
                .checked_add(2)
                .and_then(|a| bytes.get(a..a.checked_add(len)?))
            else {
                report.find(
                    &path,
                    Some((at as u64, bytes.len().saturating_sub(at).max(1) as u64)),
                    "an entry is cut short",
                );
                return vec![];
            };
            places.push((path.clone(), at as u64));
            entries.push(entry.to_vec());
            at += 2 + len;
        }
        if at < bytes.len() {
            report.find(
                &path,
                Some((at as u64, (bytes.len() - at) as u64)),
                "more than its entries",
            );
        }
    }
    let hashes: Vec<Hash> = entries.iter().map(|e| leaf(e)).collect();
    let sound = tree_root(&hashes) == *root;
    // The hash tiles, level by level; a level above is the root of each full tile below.
    let mut below = hashes.clone();
    let mut stored_leaves: Vec<Hash> = vec![];
    for level in 0..8u32 {
        if below.is_empty() {
            break;
        }
        for n in 0..(below.len() as u64).div_ceil(256) {
            let (path, width) = tile_name(log, &level.to_string(), n, below.len() as u64);
            let bytes = match store.read(&path) {
                Ok(b) => b,
                Err(e) => {
                    report.find(&path, None, format!("cannot be read: {e}"));
                    continue;
                }
            };
            if bytes.len() as u64 != width * 32 {
                report.find(&path, None, format!("is not {width} hashes long"));
                continue;
            }
            let from = n as usize * 256;
            for (i, h) in bytes.chunks(32).enumerate() {
                if level == 0 {
                    stored_leaves.push(h.try_into().unwrap_or_default());
                }
                if sound && h != below[from + i] {
                    let byte = h.iter().zip(&below[from + i]).position(|(a, b)| a != b);
                    let at = i * 32 + byte.unwrap_or(0);
                    report.find(
                        &path,
                        Some((at as u64, 1)),
                        "a hash is not that of its entry",
                    );
                }
            }
        }
        below = below.chunks_exact(256).map(tree_root).collect();
    }
    if sound {
        return entries;
    }
    if tree_root(&stored_leaves) == *root {
        // The tiles are what was signed, so an entry was changed, and the tiles tell which.
        for (i, h) in hashes.iter().enumerate() {
            if stored_leaves.get(i) != Some(h) {
                let (path, at) = &places[i];
                report.find(
                    path,
                    Some((*at, entries[i].len() as u64 + 2)),
                    "an entry is not the one that was signed",
                );
            }
        }
    } else {
        report.find(
            &format!("{log}/tile"),
            None,
            "neither entries nor hashes have the root that was signed",
        );
    }
    vec![]
}

/// Checks the stored bytes of one file against its custody entry and its block hashes.
fn check_file(
    store: &dyn Store,
    place: &Value,
    sums_path: &str,
    sums: &[u8],
    report: &mut Report,
) -> Option<u64> {
    let path = place["path"].as_str()?;
    let want = place["bytes"].as_u64()?;
    report.files += 1;
    let size = match store.size(path) {
        Ok(n) => n,
        Err(e) => {
            report.find(path, None, format!("cannot be read: {e}"));
            return Some(want.div_ceil(4096));
        }
    };
    if size < want {
        report.find(path, Some((size, want - size)), "is cut short");
    } else if size > want {
        report.find(path, Some((want, size - want)), "bytes were added");
    }
    let blocks = want.div_ceil(4096);
    let sums_good = place["blocks"].as_str() == Some(&blake3::hash(sums).to_hex())
        && sums.len() as u64 == blocks * 32;
    if !sums_good {
        report.find(
            sums_path,
            None,
            format!("does not hold the block hashes of {path}"),
        );
    }
    let mut whole = Sha256::new();
    let mut searched = false;
    let mut bad_blocks = 0u64;
    const STEP: u64 = 4096 * 256;
    for from in (0..want.min(size)).step_by(STEP as usize) {
        let len = STEP.min(want.min(size) - from);
        let bytes = match store.read_at(path, from, len as usize) {
            Ok(b) => b,
            Err(e) => {
                report.find(path, Some((from, len)), format!("cannot be read: {e}"));
                return Some(blocks);
            }
        };
        report.bytes += len;
        whole.update(&bytes);
        if !sums_good {
            continue;
        }
        for (i, block) in bytes.chunks(4096).enumerate() {
            let at = from + i as u64 * 4096;
            let n = (at / 4096) as usize * 32;
            let Some(want_hash) = sums.get(n..n + 32) else {
                continue;
            };
            // A block at the cut of a shortened file is already named.
            if blake3::hash(block).as_bytes() == want_hash
                || (size < want && at + block.len() as u64 == size)
            {
                continue;
            }
            bad_blocks += 1;
            if bad_blocks > 100 {
                continue;
            }
            let found = if searched {
                None
            } else {
                searched = true;
                single_change(block, want_hash)
            };
            match found {
                Some((k, was)) => report.find(
                    path,
                    Some((at + k as u64, 1)),
                    format!("is 0x{:02x}, was 0x{was:02x}", block[k]),
                ),
                None => report.find(path, Some((at, block.len() as u64)), "was changed"),
            }
        }
    }
    if bad_blocks > 100 {
        report.find(
            path,
            None,
            format!("{bad_blocks} blocks of 4096 bytes were changed, the first 100 are listed"),
        );
    }
    let digest: Hash = whole.finalize().into();
    if size == want && bad_blocks == 0 && Some(to_hex(&digest).as_str()) != place["sha256"].as_str()
    {
        report.find(
            path,
            None,
            "does not have the SHA-256 the custody log holds",
        );
    }
    Some(blocks)
}

/// The single byte whose change explains a block, if one does: at most 4096 × 255 hashes, about a second.
fn single_change(block: &[u8], want: &[u8]) -> Option<(usize, u8)> {
    let mut copy = block.to_vec();
    for i in 0..copy.len() {
        let is = copy[i];
        // A flipped bit is the likeliest damage, so those come first.
        for bit in 0..8 {
            copy[i] = is ^ (1 << bit);
            if blake3::hash(&copy).as_bytes() == want {
                return Some((i, copy[i]));
            }
        }
        copy[i] = is;
    }
    for i in 0..copy.len() {
        let is = copy[i];
        for was in (0..=255u8).filter(|w| (w ^ is).count_ones() > 1) {
            copy[i] = was;
            if blake3::hash(&copy).as_bytes() == want {
                return Some((i, was));
            }
        }
        copy[i] = is;
    }
    None
}

/// Opens one raw file and recomputes its lines; `Err((at, len, what))` names the part.
fn check_contents(
    store: &dyn Store,
    path: &str,
    raw_key: &[u8; 32],
    facts: &Value,
) -> Result<u64, (Option<(u64, u64)>, String)> {
    use aes_gcm_siv::{Aes256GcmSiv, KeyInit, Nonce, aead::Aead};
    let whole = |what: &str| (None, what.to_string());
    let size = store.size(path).map_err(|e| whole(&e.to_string()))?;
    let read = |at: u64, len: u64| {
        let len = usize::try_from(len).map_err(|_| whole("too long"))?;
        store
            .read_at(path, at, len)
            .map_err(|e| (Some((at, len as u64)), e.to_string()))
    };
    if size < 80 {
        return Err(whole("too short"));
    }
    let head = read(0, 48)?;
    let tail = read(size - 32, 32)?;
    let num = |b: &[u8]| b.iter().rev().fold(0u64, |n, x| n << 8 | u64::from(*x));
    let (index_at, index_len, index_clear, chunk_count) = (
        num(&tail[..8]),
        num(&tail[8..16]),
        num(&tail[16..20]),
        num(&tail[20..24]),
    );
    if !head.starts_with(b"ampleur-raw 1\n")
        || &tail[24..] != b"ampraw 1"
        || index_at.checked_add(index_len) != Some(size - 32)
        || index_clear > 64 << 20
    {
        return Err(whole("is not a raw segment"));
    }
    let mut key = blake3::Hasher::new_keyed(raw_key);
    key.update(b"ampleur raw segment 1");
    key.update(&head[16..48]);
    let cipher = Aes256GcmSiv::new(key.finalize().as_bytes().into());
    let open = |kind: u8, n: u64, at: u64, len: u64, clear: u64| {
        let mut nonce = [0u8; 12];
        nonce[0] = kind;
        nonce[4..].copy_from_slice(&n.to_be_bytes());
        let packed = cipher
            .decrypt(Nonce::from_slice(&nonce), &read(at, len)?[..])
            .map_err(|_| {
                (
                    Some((at, len)),
                    "does not open with the raw key".to_string(),
                )
            })?;
        zstd::bulk::decompress(&packed, clear as usize)
            .map_err(|_| (Some((at, len)), "does not decompress".to_string()))
    };
    let index = open(1, 0, index_at, index_len, index_clear)?;
    let shape = || {
        (
            Some((index_at, index_len)),
            "the index is not well formed".to_string(),
        )
    };
    let table = index.get(..chunk_count as usize * 8).ok_or_else(shape)?;
    let rest = &index[table.len()..];
    let blocks = num(rest.get(..4).ok_or_else(shape)?) as usize;
    let rest = rest.get(4 + blocks * 40..).ok_or_else(shape)?;
    let lines = num(rest.get(..4).ok_or_else(shape)?);
    let mut lengths = rest[4..].iter();
    let mut next_len = || -> Option<u64> {
        let (mut n, mut shift) = (0u64, 0u32);
        loop {
            let b = lengths.next()?;
            n |= u64::from(b & 127).checked_shl(shift)?;
            if b & 128 == 0 {
                return Some(n);
            }
            shift += 7;
        }
    };
    let mut hashes: Vec<Hash> = vec![];
    let mut line = Sha256::new_with_prefix([0]);
    let mut left = next_len();
    let (mut at, mut total) = (48u64, 0u64);
    for (n, e) in table.chunks(8).enumerate() {
        let (clear, stored) = (num(&e[..4]), num(&e[4..]));
        if clear > 1 << 20 {
            return Err(shape());
        }
        let bytes = open(0, n as u64, at, stored, clear)?;
        let mut piece = &bytes[..];
        while !piece.is_empty() {
            let Some(want) = left else {
                return Err(whole("holds more bytes than its lines"));
            };
            let take = want.min(piece.len() as u64);
            line.update(&piece[..take as usize]);
            piece = &piece[take as usize..];
            left = Some(want - take);
            if want == take {
                hashes.push(
                    std::mem::replace(&mut line, Sha256::new_with_prefix([0]))
                        .finalize()
                        .into(),
                );
                left = next_len();
            }
        }
        at += stored;
        total += bytes.len() as u64;
    }
    if at != index_at || left.is_some() || hashes.len() as u64 != lines {
        return Err(whole("holds fewer bytes than its lines"));
    }
    if facts["bytes"].as_u64() != Some(total) || facts["lines"].as_u64() != Some(lines) {
        return Err(whole(
            "does not hold as many bytes or lines as its leaf says",
        ));
    }
    if facts["line_root"].as_str() != Some(&to_hex(&tree_root(&hashes))) {
        return Err(whole("lines do not have the root its leaf says"));
    }
    Ok(lines)
}

/// Checks a whole lake against the public key its reader trusts. With `raw_key` the raw bytes are opened and every line's
/// hash is recomputed; without it stored bytes are compared and nothing is decrypted.
///
/// Never fails: whatever cannot be read is a finding.
pub fn verify(store: &dyn Store, key: &PublicKey, raw_key: Option<&[u8; 32]>) -> Report {
    let mut report = Report {
        contents: raw_key.is_some(),
        ..Report::default()
    };
    match store
        .read("ampleur.json")
        .map(|b| serde_json::from_slice::<Value>(&b))
    {
        Ok(Ok(about)) => {
            if about["public_key"].as_str() != Some(&key.0) {
                report.find("ampleur.json", None, "names another public key");
            }
            if about["format"].as_str() != Some("ampleur.lake/1") {
                report.find("ampleur.json", None, "is of another version");
            }
        }
        Ok(Err(e)) => report.find("ampleur.json", Some((e.column() as u64, 1)), "is not JSON"),
        Err(e) => report.find("ampleur.json", None, format!("cannot be read: {e}")),
    }
    let head = match store.read("log/checkpoint") {
        Ok(note) => match read_head(&note, key) {
            Ok(head) => head,
            Err(what) => {
                report.find("log/checkpoint", None, what);
                return report;
            }
        },
        Err(e) => {
            report.find("log/checkpoint", None, format!("cannot be read: {e}"));
            return report;
        }
    };
    report.tree_size = head.size;
    report.root = to_hex(&head.root);
    report.custody_size = head.custody_size;
    let evidence = check_log(store, "log", head.size, &head.root, &mut report);
    let custody = check_log(
        store,
        "log/custody",
        head.custody_size,
        &head.custody_root,
        &mut report,
    );
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut placed: BTreeMap<u64, Value> = BTreeMap::new();
    for text in &custody {
        let Ok(entry) = serde_json::from_slice::<Value>(text) else {
            report.find("log/custody/tile/entries", None, "an entry is not JSON");
            continue;
        };
        if entry["kind"] == "segment" {
            placed.insert(entry["index"].as_u64().unwrap_or(u64::MAX), entry);
        }
    }
    for (i, text) in evidence.iter().enumerate() {
        let Some(entry) = placed.remove(&(i as u64)) else {
            if !custody.is_empty() || head.custody_size == 0 {
                report.find(
                    "log/custody",
                    None,
                    format!("says nothing about segment {i} of the evidence log"),
                );
            }
            continue;
        };
        if entry["leaf"].as_str() != Some(&to_hex(&leaf(text))) {
            report.find(
                "log/custody",
                None,
                format!("names another leaf for segment {i}"),
            );
        }
        let sums_path = entry["sums"].as_str().unwrap_or_default();
        let sums = store.read(sums_path).unwrap_or_default();
        known.insert(sums_path.to_string());
        let mut at = 0usize;
        for part in ["raw", "events"] {
            let place = &entry[part];
            if place.is_null() {
                continue;
            }
            known.insert(place["path"].as_str().unwrap_or_default().to_string());
            let blocks = place["bytes"].as_u64().unwrap_or(0).div_ceil(4096) as usize * 32;
            let mine = sums
                .get(at.min(sums.len())..(at + blocks).min(sums.len()))
                .unwrap_or_default();
            if check_file(store, place, sums_path, mine, &mut report).is_none() {
                report.find(
                    "log/custody",
                    None,
                    format!("is incomplete about segment {i}"),
                );
            }
            at += blocks;
        }
        if sums.len() > at {
            report.find(
                sums_path,
                Some((at as u64, (sums.len() - at) as u64)),
                "bytes were added",
            );
        }
        if let (Some(raw_key), Ok(facts)) = (raw_key, serde_json::from_slice::<Value>(text)) {
            let path = entry["raw"]["path"].as_str().unwrap_or_default();
            match check_contents(store, path, raw_key, &facts) {
                Ok(n) => report.lines += n,
                Err((at, what)) => report.find(path, at, what),
            }
        }
    }
    for dir in ["raw", "events"] {
        for day in store.list(dir).unwrap_or_default() {
            for name in store.list(&format!("{dir}/{day}")).unwrap_or_default() {
                let path = format!("{dir}/{day}/{name}");
                if !known.contains(&path) && report.findings.is_empty() {
                    report.orphans.push(path);
                }
            }
        }
    }
    report
}

/// Climbs an inclusion path (RFC 9162 §2.1.3.2). `None`: the path does not fit the tree.
fn climb(index: u64, size: u64, leaf: Hash, path: &[Value]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last, mut node_hash) = (index, size - 1, leaf);
    for step in path {
        let sibling = from_hex(step.as_str()?)?;
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            node_hash = node(&sibling, &node_hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            node_hash = node(&node_hash, &sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(node_hash)
}

/// The verifier key a bundle carries, `None` when it has none: it says who signed, not that he is to be trusted.
///
/// Errors: the bytes are no zip file. One that was damaged is for [`verify_bundle`] to name.
pub fn bundle_key(input: &[u8]) -> Result<Option<PublicKey>, String> {
    // As in [`verify_bundle`]: hostile.
    const MOST: u64 = 4096;
    if !input.starts_with(b"PK") {
        return Err("it is no zip file".into());
    }
    let mut key = String::new();
    let read = zip::ZipArchive::new(std::io::Cursor::new(input)).is_ok_and(|mut archive| {
        archive
            .by_name("public.key")
            .is_ok_and(|m| m.take(MOST).read_to_string(&mut key).is_ok())
    });
    Ok(read.then(|| PublicKey(key.trim().to_string())))
}

/// Checks an exported bundle (`evidence.zip`): the checkpoint's signature, and every proof from its line to the root.
/// `input` is the whole file. `lines` counts proven lines, `files` the proofs.
pub fn verify_bundle(input: &[u8], key: &PublicKey) -> Report {
    let mut report = Report {
        contents: true,
        ..Report::default()
    };
    let mut archive = match zip::ZipArchive::new(std::io::Cursor::new(input)) {
        Ok(a) => a,
        Err(e) => {
            report.find("evidence.zip", None, format!("cannot be read: {e}"));
            return report;
        }
    };
    let mut member = |name: &str, report: &mut Report| -> Vec<u8> {
        // A hostile bundle must not fill memory: a gigabyte of proofs is more than any report cites.
        const MOST: u64 = 1 << 30;
        let mut out = vec![];
        let read = archive
            .by_name(name)
            .map_err(|e| e.to_string())
            .and_then(|m| {
                m.take(MOST)
                    .read_to_end(&mut out)
                    .map_err(|e| e.to_string())
            });
        if let Err(e) = read {
            report.find(name, None, format!("cannot be read: {e}"));
        }
        out
    };
    let note = member("checkpoint", &mut report);
    let proofs = member("proofs.jsonl", &mut report);
    if !report.findings.is_empty() {
        return report;
    }
    let head = match read_head(&note, key) {
        Ok(h) => h,
        Err(what) => {
            report.find("checkpoint", None, what);
            return report;
        }
    };
    report.tree_size = head.size;
    report.root = to_hex(&head.root);
    report.custody_size = head.custody_size;
    report.bytes = proofs.len() as u64;
    let mut at = 0u64;
    for text in proofs.split_inclusive(|b| *b == b'\n') {
        let here = Some((at, text.len() as u64));
        at += text.len() as u64;
        let Ok(proof) = serde_json::from_slice::<Value>(text) else {
            report.find("proofs.jsonl", here, "is not JSON");
            continue;
        };
        report.files += 1;
        let lines = proof["lines"].as_array().map_or(&[][..], |v| v);
        if lines.is_empty() {
            report.find("proofs.jsonl", here, "a proof has no line");
        }
        for line in lines {
            match check_line(&proof["file"], line, &head) {
                Ok(()) => report.lines += 1,
                Err(what) => report.find("proofs.jsonl", here, what),
            }
        }
    }
    report
}

fn check_line(file: &Value, line: &Value, head: &Head) -> Result<(), &'static str> {
    let bytes = line["bytes"]
        .as_str()
        .and_then(|b| BASE64.decode(b).ok())
        .ok_or("a line's bytes are not base64")?;
    let leaf_text = line["leaf"].as_str().ok_or("a line names no segment")?;
    let facts: Value =
        serde_json::from_str(leaf_text).map_err(|_| "a segment's leaf is not JSON")?;
    if &facts["file"] != file {
        return Err("a line is of another file");
    }
    let none = vec![];
    let path = |v: &'static str| line[v].as_array().unwrap_or(&none);
    let number = |v: &Value| v.as_u64().unwrap_or(u64::MAX);
    let root = climb(
        number(&line["line_index"]),
        number(&facts["lines"]),
        leaf(&bytes),
        path("line_path"),
    )
    .ok_or("a line's path does not fit its segment")?;
    if facts["line_root"].as_str() != Some(&to_hex(&root)) {
        return Err("a line is not in its segment");
    }
    if number(&line["tree_size"]) != head.size {
        return Err("a proof is of another checkpoint");
    }
    match climb(
        number(&line["leaf_index"]),
        head.size,
        leaf(leaf_text.as_bytes()),
        path("leaf_path"),
    ) {
        Some(r) if r == head.root => Ok(()),
        _ => Err("a segment is not in the tree that was signed"),
    }
}
