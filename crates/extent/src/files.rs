//! What files contain: the inventory, and how a path in a log is found in it (contract §D).
use crate::{
    fold,
    identity::{Damage, IdentityError, each_line},
    strings::{Strings, Sym},
};
use ampleur_event::{Category, category::CategorySet};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path};

/// One file of the inventory.
#[derive(Debug, Clone)]
pub struct FileRow {
    /// Folded `\\host\share`.
    pub share: Sym,
    /// Folded path below the share.
    pub path: Sym,
    pub size: Option<u64>,
    /// Lower-case hex, or 0.
    pub sha256: Sym,
    /// Not all of it could be read: more persons may be inside.
    pub open: bool,
    subjects: (u32, u32),
}

/// A person in a file, and which data of theirs it holds.
#[derive(Debug, Clone, Copy)]
pub struct FileSubject {
    /// `authority|id` as the inventory gives it.
    pub subject: Sym,
    pub categories: CategorySet,
    /// Named without doubt; otherwise the file may mean a namesake.
    pub sure: bool,
}

/// The inventory of all shares, in order of file name and line.
#[derive(Debug, Default)]
pub struct Inventory {
    pub strings: Strings,
    pub files: Vec<FileRow>,
    subjects: Vec<FileSubject>,
    by_full: FxHashMap<Sym, Vec<u32>>,
    /// Last path component → files.
    by_leaf: FxHashMap<Sym, Vec<u32>>,
    by_sha: FxHashMap<Sym, Vec<u32>>,
    by_size: FxHashMap<u64, Vec<u32>>,
    /// Lines that could not be read.
    pub unreadable: u64,
    /// What is wrong with its files.
    pub damage: Vec<Damage>,
}

/// Local folders behind shares, learned from events that name both: machine → (folded root, folded share), longest root first.
#[derive(Debug, Default, Clone)]
pub struct Roots(BTreeMap<String, Vec<(String, String)>>);

#[derive(Deserialize)]
struct RawFile {
    #[serde(default)]
    share: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    sha256: Option<String>,
    #[serde(default)]
    subjects: Vec<RawSubject>,
    #[serde(default)]
    possible: Vec<RawSubject>,
    /// `read`, `part` or `unread`; lists made elsewhere do not say.
    #[serde(default)]
    state: Option<String>,
}
#[derive(Deserialize)]
struct RawSubject {
    subject: String,
    #[serde(default)]
    categories: Vec<String>,
}

/// `\\host.domain\share` with the machine's first label only, folded.
pub fn share_key(share: &str) -> String {
    let s = fold::path(share);
    match s.strip_prefix("\\\\") {
        Some(rest) => {
            let (host, tail) = rest.split_once('\\').unwrap_or((rest, ""));
            let short = short_host(host);
            if tail.is_empty() {
                format!("\\\\{short}")
            } else {
                format!("\\\\{short}\\{tail}")
            }
        }
        None => s,
    }
}

/// First label of a machine name in lower case; addresses stay whole.
pub fn short_host(host: &str) -> String {
    let h = host.trim().trim_matches('\\').to_lowercase();
    if h.parse::<std::net::IpAddr>().is_ok() {
        return h;
    }
    h.split('.').next().unwrap_or(&h).to_string()
}

impl Inventory {
    pub fn from_lines(text: &str) -> Inventory {
        let mut inv = Inventory::default();
        text.lines()
            .filter(|l| !l.trim().is_empty())
            .for_each(|l| inv.add(l.as_bytes()));
        inv.finish();
        inv
    }
    /// Calls `each` for every line of a file, compressed or not, with its number from 1.
    pub fn lines_of(path: &Path, each: &mut dyn FnMut(u64, &[u8])) -> Result<(), IdentityError> {
        each_line(path, each)
    }
    /// Adds line `number` (from 1) of a file, and keeps in mind whether it is no row.
    pub fn add_line(&mut self, file: &str, number: u64, line: &[u8]) {
        let before = self.unreadable;
        self.add(line);
        if self.unreadable == before {
            return;
        }
        match self.damage.last_mut() {
            Some(Damage::Rows { name, lines, .. }) if name == file => *lines += 1,
            _ => self.damage.push(Damage::Rows {
                name: file.to_string(),
                lines: 1,
                first: number,
            }),
        }
    }
    /// Adds a row; [`Inventory::finish`] makes it findable. A line that is no row is counted.
    pub fn add(&mut self, line: &[u8]) {
        let text = fold::text_of(line);
        let Ok(raw) = serde_json::from_str::<RawFile>(&text) else {
            self.unreadable += 1;
            return;
        };
        let start = self.subjects.len() as u32;
        let sure = raw.subjects.iter().map(|s| (s, true));
        for (s, sure) in sure.chain(raw.possible.iter().map(|s| (s, false))) {
            let row = FileSubject {
                subject: self.strings.intern(&subject_text(&s.subject)),
                categories: s
                    .categories
                    .iter()
                    .flat_map(|c| Category::matching(c))
                    .collect(),
                sure,
            };
            self.subjects.push(row);
        }
        let row = FileRow {
            share: self.strings.intern(&share_key(&raw.share)),
            path: self
                .strings
                .intern(fold::path(&raw.path).trim_start_matches('\\')),
            size: raw.size,
            sha256: self
                .strings
                .intern(&raw.sha256.unwrap_or_default().to_ascii_lowercase()),
            open: raw.state.is_some_and(|s| s != "read"),
            subjects: (start, self.subjects.len() as u32),
        };
        self.files.push(row);
    }
    /// Makes what was added findable; once, after the last row.
    pub fn finish(&mut self) {
        for i in 0..self.files.len() as u32 {
            let f = self.files[i as usize].clone();
            let full = format!(
                "{}\\{}",
                self.strings.get(f.share),
                self.strings.get(f.path)
            );
            let leaf = self
                .strings
                .get(f.path)
                .rsplit('\\')
                .next()
                .unwrap_or("")
                .to_string();
            let full = self.strings.intern(&full);
            let leaf = self.strings.intern(&leaf);
            self.by_full.entry(full).or_default().push(i);
            self.by_leaf.entry(leaf).or_default().push(i);
            if let Some(size) = f.size {
                self.by_size.entry(size).or_default().push(i);
            }
            if f.sha256 != 0 {
                self.by_sha.entry(f.sha256).or_default().push(i);
            }
        }
    }
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
    pub fn subjects(&self, file: u32) -> &[FileSubject] {
        let (a, b) = self.files[file as usize].subjects;
        &self.subjects[a as usize..b as usize]
    }
    pub fn share_of(&self, file: u32) -> &str {
        self.strings.get(self.files[file as usize].share)
    }
    pub fn path_of(&self, file: u32) -> &str {
        self.strings.get(self.files[file as usize].path)
    }
    /// The folders in which the listed files of a share lie, below its root.
    pub(crate) fn folders_of(&self, share: &str) -> FxHashSet<String> {
        let mut out = FxHashSet::default();
        for f in self.files_of_share(share) {
            let mut path = self.path_of(f);
            while let Some((folder, _)) = path.rsplit_once('\\') {
                if !out.insert(folder.to_string()) {
                    break;
                }
                path = folder;
            }
        }
        out
    }
    /// Files of one share (folded `\\host\share`), in order.
    pub fn files_of_share(&self, share: &str) -> Vec<u32> {
        (0..self.files.len() as u32)
            .filter(|f| self.share_of(*f) == share)
            .collect()
    }
    /// Shares of the inventory, sorted.
    pub fn shares(&self) -> Vec<String> {
        let mut s: Vec<String> = self
            .files
            .iter()
            .map(|f| self.strings.get(f.share).to_string())
            .collect();
        s.sort();
        s.dedup();
        s
    }
    /// The share a row names, folded; `None` when it names none. `\\*\X` on host H is `\\H\X`.
    pub fn share_named(roots: &Roots, host: &str, share: &str, path: &str) -> Option<String> {
        if let Some(s) = full_share(host, share) {
            return Some(s);
        }
        let p = local(path);
        if p.starts_with("\\\\") {
            let mut it = p.trim_start_matches('\\').splitn(3, '\\');
            return Some(share_key(&format!("\\\\{}\\{}", it.next()?, it.next()?)));
        }
        roots
            .0
            .get(&short_host(host))?
            .iter()
            .find(|(root, _)| p == *root || p.starts_with(&format!("{root}\\")))
            .map(|(_, s)| s.clone())
    }
    /// Files of the inventory a row's path may be: one when found, several when ambiguous, none when unknown.
    pub fn find(&self, roots: &Roots, host: &str, share: &str, path: &str) -> Vec<u32> {
        let p = local(path);
        if p.is_empty() {
            return vec![];
        }
        let mut tries = vec![];
        if p.starts_with("\\\\") {
            let mut it = p.trim_start_matches('\\').splitn(2, '\\');
            let (h, rest) = (it.next().unwrap_or(""), it.next().unwrap_or(""));
            tries.push(format!("\\\\{}\\{rest}", short_host(h)));
        } else if let Some(s) = full_share(host, share) {
            tries.push(format!("{s}\\{}", p.trim_start_matches('\\')));
        }
        for (root, s) in roots.0.get(&short_host(host)).into_iter().flatten() {
            if let Some(rest) = p
                .strip_prefix(root.as_str())
                .and_then(|r| r.strip_prefix('\\'))
            {
                tries.push(format!("{s}\\{rest}"));
            }
        }
        for t in &tries {
            if let Some(f) = self.strings.find(t).and_then(|s| self.by_full.get(&s)) {
                return f.clone();
            }
        }
        // Longest common tail, unique in the inventory; limited to the machine when a share of it is known there.
        let on_host = format!("\\\\{}\\", short_host(host));
        let known_host = self
            .files
            .iter()
            .any(|f| self.strings.get(f.share).starts_with(&on_host));
        let mut best: (usize, Vec<u32>) = (0, vec![]);
        let leaf = p.rsplit('\\').next().unwrap_or("");
        let list = self
            .strings
            .find(leaf)
            .and_then(|s| self.by_leaf.get(&s))
            .map_or(&[][..], Vec::as_slice);
        for f in list {
            if known_host && !host.is_empty() && !self.share_of(*f).starts_with(&on_host) {
                continue;
            }
            let n = common_tail(&p, self.path_of(*f));
            let whole = n == self.path_of(*f).split('\\').count();
            // A bare file name is not a place.
            if n < 2 && !whole {
                continue;
            }
            match n.cmp(&best.0) {
                std::cmp::Ordering::Greater => best = (n, vec![*f]),
                std::cmp::Ordering::Equal => best.1.push(*f),
                std::cmp::Ordering::Less => {}
            }
        }
        best.1
    }
    /// Files with this SHA-256, lower-case hex.
    pub fn with_sha(&self, sha: &str) -> &[u32] {
        self.strings
            .find(sha)
            .filter(|s| *s != 0)
            .and_then(|s| self.by_sha.get(&s))
            .map_or(&[], Vec::as_slice)
    }
    /// Files of this many bytes.
    pub fn with_size(&self, size: u64) -> &[u32] {
        self.by_size.get(&size).map_or(&[], Vec::as_slice)
    }
    /// Files with this last path component, folded.
    pub fn with_leaf(&self, leaf: &str) -> &[u32] {
        self.strings
            .find(leaf)
            .and_then(|s| self.by_leaf.get(&s))
            .map_or(&[], Vec::as_slice)
    }
}

impl Roots {
    /// Learns that `share` on `host` is the folder `root` (event 5140 or 5145, `ShareLocalPath`).
    pub fn learn(&mut self, host: &str, share: &str, root: &str) {
        let root = local(root);
        let Some(share) = full_share(host, share) else {
            return;
        };
        if root.is_empty() || share.is_empty() {
            return;
        }
        let list = self.0.entry(short_host(host)).or_default();
        let pair = (root, share);
        if !list.contains(&pair) {
            list.push(pair);
            // The longest root first, so that a share inside another is found.
            list.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
        }
    }
    /// True when a local path is the root of a share, or a folder above one.
    pub(crate) fn lie_below(&self, host: &str, path: &str) -> bool {
        let below = |r: &(String, String)| {
            r.0.strip_prefix(path.trim_end_matches('\\'))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('\\'))
        };
        self.0
            .get(&short_host(host))
            .is_some_and(|l| l.iter().any(below))
    }
}

/// `authority|id` with `urn:oid:` in front of a bare OID.
pub fn subject_text(s: &str) -> String {
    match s.split_once('|') {
        Some((a, v)) => format!("{}|{v}", crate::identity::oid(a)),
        None => s.to_string(),
    }
}

/// Path components two folded paths share, counted from their ends.
pub fn common_tail(a: &str, b: &str) -> usize {
    a.rsplit('\\')
        .zip(b.rsplit('\\'))
        .take_while(|(x, y)| x == y)
        .count()
}

/// Folded local path, without the `\??\` in front that Windows writes.
pub(crate) fn local(path: &str) -> String {
    let p = path
        .trim()
        .trim_start_matches("\\??\\")
        .trim_start_matches("\\\\?\\");
    fold::path(p)
}

fn full_share(host: &str, share: &str) -> Option<String> {
    let s = share.trim();
    if s.is_empty() {
        return None;
    }
    let f = fold::path(s);
    match f.strip_prefix("\\\\") {
        Some(rest) => {
            let (h, name) = rest.split_once('\\').unwrap_or((rest, ""));
            if h == "*" || h.is_empty() {
                (!host.is_empty()).then(|| format!("\\\\{}\\{name}", short_host(host)))
            } else {
                Some(
                    format!("\\\\{}\\{name}", short_host(h))
                        .trim_end_matches('\\')
                        .to_string(),
                )
            }
        }
        None => (!host.is_empty())
            .then(|| format!("\\\\{}\\{}", short_host(host), f.trim_matches('\\'))),
    }
}

/// Fewest persons that any choice of files summing to at least `bytes` must hold.
///
/// A file of `k` persons gives each of them a share of `size / k`; the persons of any choice of files cover at least its
/// bytes with their shares over all files, so the smallest number of persons whose greatest shares reach `bytes` is a
/// lower bound. Files without persons, and files without size, cost nobody: their bytes are taken off first (when a size is
/// missing nothing can be said and the bound is 0).
pub fn fewest_persons(files: &[(u64, Vec<u32>)], bytes: u64) -> u64 {
    let mut free = 0u64;
    let mut weight: BTreeMap<u32, u128> = BTreeMap::new();
    for (size, persons) in files {
        if persons.is_empty() {
            free = free.saturating_add(*size);
            continue;
        }
        // Sixteen fractional bits, rounded up, keep the bound on the safe side.
        let share = (u128::from(*size) << 16).div_ceil(persons.len() as u128);
        for p in persons {
            *weight.entry(*p).or_default() += share;
        }
    }
    let mut need = u128::from(bytes.saturating_sub(free)) << 16;
    if need == 0 {
        return 0;
    }
    let mut w: Vec<u128> = weight.into_values().collect();
    w.sort_unstable_by(|a, b| b.cmp(a));
    let mut n = 0;
    for x in w {
        n += 1;
        if x >= need {
            return n;
        }
        need -= x;
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;
    fn inventory() -> Inventory {
        Inventory::from_lines(
            r#"{"share":"\\\\FS01\\RH$","path":"2023\\Bulletin é.pdf","size":10,"sha256":"AA","subjects":[{"subject":"1.2|7","categories":["STAFF.*"]}]}
{"share":"\\\\FS01\\RH$","path":"2022\\a.pdf","size":11,"subjects":[]}
{"share":"\\\\FS02\\Labo","path":"2022\\a.pdf","size":12,"subjects":[]}
nonsense"#,
        )
    }
    #[test]
    fn paths_are_found_however_the_log_writes_them() {
        let i = inventory();
        let mut r = Roots::default();
        assert_eq!(i.unreadable, 1);
        assert_eq!(
            i.find(
                &r,
                "FS01.chu.example",
                "\\\\*\\RH$",
                "2023\\bulletin e\u{301}.PDF"
            ),
            [0]
        );
        assert_eq!(i.find(&r, "fs01", "RH$", "2023/Bulletin É.pdf"), [0]);
        assert_eq!(i.find(&r, "x", "\\\\fs02\\labo", "2022\\A.pdf"), [2]);
        // A local path: by the longest common tail on that machine, and by the root once it is known.
        assert_eq!(
            i.find(&r, "FS01", "", "D:\\Partages\\RH$\\2022\\a.pdf"),
            [1]
        );
        assert!(i.find(&r, "FS01", "", "D:\\else\\2022\\b.pdf").is_empty());
        r.learn("FS01.chu.example", "\\\\*\\RH$", "\\??\\D:\\Partages\\RH$");
        assert_eq!(
            Inventory::share_named(&r, "fs01", "", "d:\\partages\\rh$\\2022").as_deref(),
            Some("\\\\fs01\\rh$")
        );
        assert_eq!(
            i.find(&r, "FS01", "", "D:\\Partages\\RH$\\2022\\a.pdf"),
            [1]
        );
        assert_eq!(i.subjects(0)[0].categories.len(), 10);
    }
    #[test]
    fn a_name_alone_is_no_place() {
        let (i, r) = (inventory(), Roots::default());
        assert!(i.find(&r, "", "", "a.pdf").is_empty());
        assert_eq!(
            i.find(&r, "", "", "C:\\x\\2022\\a.pdf"),
            [1, 2],
            "ambiguous: both"
        );
    }
    #[test]
    fn fewest_persons_is_a_lower_bound_for_every_choice() {
        // All choices of up to eight files, against the bound.
        let files: Vec<(u64, Vec<u32>)> = vec![
            (50, vec![1]),
            (40, vec![1, 2]),
            (30, vec![3]),
            (90, vec![4, 5, 6]),
            (10, vec![]),
            (20, vec![2]),
            (5, vec![7]),
            (60, vec![3, 7]),
        ];
        for mask in 0u32..256 {
            let chosen: Vec<&(u64, Vec<u32>)> = (0..8)
                .filter(|i| mask >> i & 1 == 1)
                .map(|i| &files[i as usize])
                .collect();
            let bytes = chosen.iter().map(|f| f.0).sum();
            let mut persons: Vec<u32> = chosen.iter().flat_map(|f| f.1.clone()).collect();
            persons.sort_unstable();
            persons.dedup();
            assert!(
                fewest_persons(&files, bytes) <= persons.len() as u64,
                "{mask}"
            );
        }
        assert_eq!(fewest_persons(&[(100, vec![1]), (100, vec![2])], 150), 2);
    }
}
