//! Shared by the tests of the lake: made-up evidence, and a store that fails on demand.
#![allow(dead_code)]
use ampleur_event::{Event, EventBatch, System, Verb};
use ampleur_evidence::{
    Cut, DpoKey, EvidenceError, Keys, Lake, SealedSegment, SegmentMeta, Use,
    store::{Store, StoreFile},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex},
};

/// A small generator: tests repeat from their seed.
pub struct Random(pub u64);
impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn fill(&mut self, to: &mut [u8]) {
        for b in to {
            *b = self.next() as u8;
        }
    }
    pub fn salt(&mut self) -> [u8; 32] {
        let mut s = [0; 32];
        self.fill(&mut s);
        s
    }
}

pub fn keys(seed: u64) -> (Keys, DpoKey) {
    let mut r = Random(seed);
    Keys::generate(&mut |b| r.fill(b))
}

/// Log lines of one made-up file.
pub fn text(name: &str, lines: usize) -> Vec<u8> {
    (0..lines)
        .map(|i| {
            format!(
                "{name} line {i} user=u{} patient=p{}\n",
                i % 7,
                i * 13 % 101
            )
        })
        .collect::<String>()
        .into_bytes()
}

pub fn rows(bytes: &[u8]) -> EventBatch {
    let mut out = EventBatch::default();
    let mut at = 0;
    for (i, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        out.push(&Event {
            record: i as u64 + 1,
            offset: at,
            len: line.len() as u64,
            time: 1_700_000_000_000_000_000 + i as i64 * 1_000_000_000,
            verb: Verb::Read,
            system: System::Web,
            user: format!("u{}", i % 7).into(),
            src_ip: format!("10.0.0.{}", i % 5).into(),
            url: format!("/patient/p{}", i * 13 % 101).into(),
            subjects: format!("urn:oid:1.2|p{}", i * 13 % 101).into(),
            ..Event::default()
        });
        at += line.len() as u64;
    }
    out
}

pub const DAY: i64 = 1_760_000_000_000_000_000;

pub fn seal(
    lake: &Lake,
    name: &str,
    lines: usize,
    salt: [u8; 32],
) -> Result<SealedSegment, EvidenceError> {
    let bytes = text(name, lines);
    let mut w = lake.begin(
        SegmentMeta {
            file: format!("logs/{name}.log"),
            format: "made-up".into(),
            part: 0,
            start: 0,
            at: DAY,
        },
        salt,
    )?;
    // In uneven pieces, as a reader would.
    for piece in bytes.chunks(701) {
        w.raw(piece, Cut::Lines)?;
    }
    w.events(&rows(&bytes))?;
    w.finish(0, 0)
}

pub fn used(action: &str) -> Use {
    Use {
        at: DAY,
        actor: "analyst".into(),
        action: action.into(),
        detail: String::new(),
    }
}

/// How the `at`-th file call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This call alone fails, without effect.
    Error,
    /// Half of what was to be written is, then the call fails.
    Short,
    /// From here on the disk is full: creating and writing fail, the rest works.
    Full,
    /// The process dies before the call: it and everything later has no effect.
    Kill,
    /// The process dies just after the call.
    KillAfter,
}

/// What is on the disk when somebody looks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The machine stayed up: everything written is there.
    Everything,
    /// The power went: only what was synced is there.
    Synced,
    /// The power went, and some of the rest had reached the disk by chance.
    Some(u64),
}

#[derive(Default, Clone)]
struct Disk {
    /// Contents as written and as synced, by inode.
    files: Vec<(Vec<u8>, Vec<u8>)>,
    names: BTreeMap<String, usize>,
    dirs: BTreeSet<String>,
    synced_names: BTreeMap<String, usize>,
    synced_dirs: BTreeSet<String>,
    calls: u64,
    fault: Option<(u64, Fault)>,
    full: bool,
    dead: bool,
    locked: bool,
    pretends: bool,
}

/// A disk in memory that remembers what was synced, and fails as told.
#[derive(Default, Clone)]
pub struct FaultyStore(Arc<Mutex<Disk>>);

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(d, _)| d)
}
fn failed() -> io::Error {
    io::Error::other("injected")
}

#[derive(PartialEq)]
enum Go {
    Yes,
    Half,
    ThenDie,
}

impl Disk {
    fn call(&mut self, writes: bool) -> io::Result<Go> {
        if self.dead {
            return Err(failed());
        }
        self.calls += 1;
        if self.full && writes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        match self.fault {
            Some((at, fault)) if at == self.calls => match fault {
                Fault::Error => Err(failed()),
                Fault::Short => Ok(Go::Half),
                Fault::Full => {
                    self.full = true;
                    if writes {
                        Err(io::ErrorKind::StorageFull.into())
                    } else {
                        Ok(Go::Yes)
                    }
                }
                Fault::Kill => {
                    self.dead = true;
                    Err(failed())
                }
                Fault::KillAfter => Ok(Go::ThenDie),
            },
            _ => Ok(Go::Yes),
        }
    }
    fn done(&mut self, go: Go) -> io::Result<()> {
        match go {
            Go::Yes => Ok(()),
            Go::Half => Err(failed()),
            Go::ThenDie => {
                self.dead = true;
                Err(failed())
            }
        }
    }
}

impl FaultyStore {
    pub fn with(fault: Option<(u64, Fault)>) -> FaultyStore {
        let s = FaultyStore::default();
        s.0.lock().unwrap().fault = fault;
        s
    }
    /// From now on syncing does nothing and says it did.
    pub fn pretend_to_sync(&self) {
        self.0.lock().unwrap().pretends = true;
    }
    pub fn calls(&self) -> u64 {
        self.0.lock().unwrap().calls
    }
    /// The disk as found afterwards, working again.
    pub fn reopen(&self, after: After) -> FaultyStore {
        let d = self.0.lock().unwrap().clone();
        let mut out = Disk::default();
        match after {
            After::Everything => {
                out.names = d.names.clone();
                out.dirs = d.dirs.clone();
                out.files = d.files.iter().map(|f| (f.0.clone(), f.0.clone())).collect();
            }
            After::Synced | After::Some(_) => {
                let mut random = match after {
                    After::Some(seed) => Some(Random(seed)),
                    _ => None,
                };
                let mut lucky = || random.as_mut().is_some_and(|r| r.next() % 2 == 0);
                for dir in &d.dirs {
                    // A folder is there when its name was synced, or by chance when its parent is there.
                    if (d.synced_dirs.contains(dir) || lucky())
                        && (parent(dir).is_empty() || out.dirs.contains(parent(dir)))
                    {
                        out.dirs.insert(dir.clone());
                    }
                }
                out.names = d.synced_names.clone();
                for (name, inode) in &d.names {
                    if d.synced_names.get(name) != Some(inode) && lucky() {
                        out.names.insert(name.clone(), *inode);
                    }
                }
                for name in d.synced_names.keys() {
                    if !d.names.contains_key(name) && lucky() {
                        out.names.remove(name);
                    }
                }
                let dirs = out.dirs.clone();
                out.names
                    .retain(|n, _| parent(n).is_empty() || dirs.contains(parent(n)));
                for (written, synced) in &d.files {
                    let mut content = synced.clone();
                    if written != synced && lucky() {
                        // Some of the tail reached the disk, the rest is zeros: sizes are often ahead of contents.
                        content = written.clone();
                        for b in content.iter_mut().skip(synced.len() + 7) {
                            *b = 0;
                        }
                    }
                    out.files.push((content.clone(), content));
                }
            }
        }
        out.synced_names = out.names.clone();
        out.synced_dirs = out.dirs.clone();
        FaultyStore(Arc::new(Mutex::new(out)))
    }
    /// Changes one stored byte; true when the file has one there.
    pub fn damage(&self, path: &str, at: usize) -> bool {
        let mut d = self.0.lock().unwrap();
        let Some(inode) = d.names.get(path).copied() else {
            return false;
        };
        let f = &mut d.files[inode].0;
        if at >= f.len() {
            return false;
        }
        f[at] ^= 0x10;
        true
    }
    pub fn files(&self) -> Vec<(String, usize)> {
        let d = self.0.lock().unwrap();
        d.names
            .iter()
            .map(|(n, i)| (n.clone(), d.files[*i].0.len()))
            .collect()
    }
}

struct Handle {
    disk: Arc<Mutex<Disk>>,
    inode: usize,
}
impl StoreFile for Handle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut d = self.disk.lock().unwrap();
        let go = d.call(true)?;
        let n = if go == Go::Half {
            bytes.len() / 2
        } else {
            bytes.len()
        };
        d.files[self.inode].0.extend_from_slice(&bytes[..n]);
        d.done(go)
    }
    fn sync(&mut self) -> io::Result<()> {
        let mut d = self.disk.lock().unwrap();
        let go = d.call(false)?;
        if go != Go::Half && !d.pretends {
            d.files[self.inode].1 = d.files[self.inode].0.clone();
        }
        d.done(go)
    }
}

struct Held(Arc<Mutex<Disk>>);
impl Drop for Held {
    fn drop(&mut self) {
        self.0.lock().unwrap().locked = false;
    }
}

impl Store for FaultyStore {
    fn create(&self, path: &str) -> io::Result<Box<dyn StoreFile>> {
        let mut d = self.0.lock().unwrap();
        let go = d.call(true)?;
        if !parent(path).is_empty() && !d.dirs.contains(parent(path)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inode = d.files.len();
        d.files.push((vec![], vec![]));
        d.names.insert(path.to_string(), inode);
        d.done(go)?;
        Ok(Box::new(Handle {
            disk: self.0.clone(),
            inode,
        }))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut d = self.0.lock().unwrap();
        let go = d.call(false)?;
        if go != Go::Half {
            if !parent(to).is_empty() && !d.dirs.contains(parent(to)) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let inode = d.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
            d.names.insert(to.to_string(), inode);
        }
        d.done(go)
    }
    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut d = self.0.lock().unwrap();
        let go = d.call(false)?;
        if go != Go::Half && !d.pretends {
            let now: Vec<(String, usize)> = d
                .names
                .iter()
                .filter(|(n, _)| parent(n) == dir)
                .map(|(n, i)| (n.clone(), *i))
                .collect();
            d.synced_names.retain(|n, _| parent(n) != dir);
            d.synced_names.extend(now);
            let subs: Vec<String> = d
                .dirs
                .iter()
                .filter(|s| parent(s) == dir)
                .cloned()
                .collect();
            d.synced_dirs.extend(subs);
        }
        d.done(go)
    }
    fn make_dir(&self, dir: &str) -> io::Result<()> {
        let mut d = self.0.lock().unwrap();
        let go = d.call(true)?;
        if !parent(dir).is_empty() && !d.dirs.contains(parent(dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if go != Go::Half {
            d.dirs.insert(dir.to_string());
        }
        d.done(go)
    }
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut d = self.0.lock().unwrap();
        let go = d.call(false)?;
        let inode = *d.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        let bytes = d.files[inode].0.clone();
        d.done(go)?;
        Ok(bytes)
    }
    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let all = self.read(path)?;
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        all.get(from..from.saturating_add(len))
            .map(<[u8]>::to_vec)
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
    fn size(&self, path: &str) -> io::Result<u64> {
        Ok(self.read(path)?.len() as u64)
    }
    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let mut d = self.0.lock().unwrap();
        let go = d.call(false)?;
        let mut names: BTreeSet<String> = BTreeSet::new();
        for n in d.names.keys().chain(d.dirs.iter()) {
            if parent(n) == dir && !n.is_empty() {
                names.insert(n[dir.len()..].trim_start_matches('/').to_string());
            }
        }
        d.done(go)?;
        Ok(names.into_iter().collect())
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        let mut d = self.0.lock().unwrap();
        let go = d.call(false)?;
        if go != Go::Half {
            d.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        }
        d.done(go)
    }
    fn lock(&self, _path: &str) -> io::Result<Option<Box<dyn Send + Sync>>> {
        let mut d = self.0.lock().unwrap();
        let go = d.call(false)?;
        d.done(go)?;
        if d.locked {
            return Ok(None);
        }
        d.locked = true;
        Ok(Some(Box::new(Held(self.0.clone()))))
    }
    fn pause(&self, _milliseconds: u64) {
        std::thread::yield_now();
    }
}
