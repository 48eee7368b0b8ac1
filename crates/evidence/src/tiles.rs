//! The two logs on disk: C2SP tlog-tiles, tiles of height 8. A full tile is written once; a partial one is its own file
//! (`….p/<width>`), so that a reader of an older checkpoint still finds what it needs.
use crate::{
    EvidenceError,
    error::{corrupt, io},
    lake::{parent, replace},
    merkle::{Hash, Tree},
    store::Store,
};
use std::collections::BTreeSet;

/// Leaves (or hashes) in a full tile.
pub(crate) const WIDTH: usize = 256;

/// `n` in groups of three digits, all but the last with an `x`: 1234067 is `x001/x234/067`.
fn groups(n: u64) -> String {
    let mut text = format!("{:03}", n % 1000);
    let mut rest = n / 1000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1000);
        rest /= 1000;
    }
    text
}

fn tile_path(log: &str, level: &str, n: u64, width: usize) -> String {
    let partial = if width == WIDTH {
        String::new()
    } else {
        format!(".p/{width}")
    };
    format!("{log}/tile/{level}/{}{partial}", groups(n))
}

/// All entries of a log of `size` leaves.
pub(crate) fn read_entries(
    store: &dyn Store,
    log: &str,
    size: u64,
) -> Result<Vec<Vec<u8>>, EvidenceError> {
    let mut out = vec![];
    let mut n = 0;
    while (out.len() as u64) < size {
        let width = (size - out.len() as u64).min(WIDTH as u64) as usize;
        let path = tile_path(log, "entries", n, width);
        let bytes = store.read(&path).map_err(io("read", &path))?;
        let mut at = 0usize;
        for _ in 0..width {
            let len = bytes
                .get(at..at + 2)
                .map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])));
            let entry = len.and_then(|len| bytes.get(at + 2..at + 2 + len));
            let Some(entry) = entry else {
                return Err(corrupt(&path, at as u64, "an entry is cut short"));
            };
            out.push(entry.to_vec());
            at += 2 + entry.len();
        }
        if at != bytes.len() {
            return Err(corrupt(&path, at as u64, "more than its entries"));
        }
        n += 1;
    }
    Ok(out)
}

/// Writes the tiles that `fresh` entries change and syncs them. `tree` already holds their hashes; `tail` holds the entries
/// of the open tile and is brought up to date. A tile beyond the checkpoint (left by a killed writer) is replaced.
pub(crate) fn append(
    store: &dyn Store,
    log: &str,
    tree: &Tree,
    tail: &mut Vec<Vec<u8>>,
    fresh: Vec<Vec<u8>>,
) -> Result<(), EvidenceError> {
    if fresh.is_empty() {
        return Ok(());
    }
    let new = tree.len();
    let old = new - fresh.len() as u64;
    let mut dirs: BTreeSet<String> = BTreeSet::new();
    let mut write = |path: &str, bytes: &[u8]| -> Result<(), EvidenceError> {
        make_dirs(store, parent(path), &mut dirs)?;
        dirs.insert(parent(path).to_string());
        replace(store, path, bytes)
    };
    let mut n = old / WIDTH as u64;
    let mut fresh = fresh.into_iter();
    loop {
        while tail.len() < WIDTH {
            match fresh.next() {
                Some(e) => tail.push(e),
                None => break,
            }
        }
        if tail.is_empty() {
            break;
        }
        let mut bytes = vec![];
        for e in tail.iter() {
            // Leaves and custody entries are kept below 64 KiB where they are made.
            bytes.extend_from_slice(&(e.len().min(0xffff) as u16).to_be_bytes());
            bytes.extend_from_slice(&e[..e.len().min(0xffff)]);
        }
        write(&tile_path(log, "entries", n, tail.len()), &bytes)?;
        if tail.len() < WIDTH {
            break;
        }
        tail.clear();
        n += 1;
    }
    for level in 0..8u32 {
        let (had, has) = (old >> (8 * level), new >> (8 * level));
        if has == had {
            break;
        }
        let hashes: &[Hash] = tree.level(8 * level as usize);
        for n in had / WIDTH as u64..has.div_ceil(WIDTH as u64) {
            let from = n as usize * WIDTH;
            let to = (from + WIDTH).min(has as usize);
            let bytes = hashes[from..to].as_flattened();
            write(&tile_path(log, &level.to_string(), n, to - from), bytes)?;
        }
    }
    for dir in &dirs {
        store.sync_dir(dir).map_err(io("sync folder", dir))?;
    }
    Ok(())
}

/// Makes a folder and its parents; each new name's folder is noted to be synced.
fn make_dirs(
    store: &dyn Store,
    dir: &str,
    dirs: &mut BTreeSet<String>,
) -> Result<(), EvidenceError> {
    if dirs.contains(dir) {
        return Ok(());
    }
    let mut at = 0;
    while at < dir.len() {
        at = dir[at..].find('/').map_or(dir.len(), |i| at + i);
        let part = &dir[..at];
        if !dirs.contains(part) {
            store.make_dir(part).map_err(io("make folder", part))?;
            dirs.insert(part.to_string());
            dirs.insert(parent(part).to_string());
        }
        at += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn paths_are_those_of_the_standard() {
        assert_eq!(groups(7), "007");
        assert_eq!(groups(1_234_067), "x001/x234/067");
        assert_eq!(tile_path("log", "0", 5, 256), "log/tile/0/005");
        assert_eq!(tile_path("log", "1", 5, 3), "log/tile/1/005.p/3");
        for n in [0, 999, 1000, 1_234_067] {
            let theirs = tlog_tiles::Tile::new(8, 2, n, 256, false).path();
            assert!(theirs.ends_with(&groups(n)), "{theirs}");
        }
    }
}
