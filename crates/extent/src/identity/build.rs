//! Parts → one base: the same numbers whatever the pieces and threads, because parts are taken in the order of the file.
use super::{
    Damage, Groups, IdentityBase, IdentityError, RecordId, Snapshot, VersionId,
    index::Index,
    names::Names,
    read::{Line, Part, Pieces, first_unreadable, snapshot_files},
};
use crate::strings::{Strings, Sym};
use ampleur_event::Nanos;
use rustc_hash::FxHashMap;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, mpsc},
};

/// Hash of a line → its version: lines of earlier snapshots that need not be parsed again.
pub(super) type Seen = FxHashMap<[u32; 4], VersionId>;

impl IdentityBase {
    /// Reads every snapshot of `dir` (a missing folder is an empty base) on `threads` threads; the base does not depend on their
    /// number. Lines that are no Patient are counted, not fatal.
    pub fn load(
        dir: &Path,
        zone: &jiff::tz::TimeZone,
        threads: usize,
    ) -> Result<IdentityBase, IdentityError> {
        load_files(&snapshot_files(dir, zone)?, threads)
    }
    /// The snapshots of a case, in order of time.
    pub fn load_case(
        case: &ampleur_sources::case::Case,
        threads: usize,
    ) -> Result<IdentityBase, IdentityError> {
        let files: Vec<(Nanos, String, PathBuf)> = case
            .snapshots()
            .map_err(|e| IdentityError::Open {
                path: "identities".into(),
                message: e.to_string(),
            })?
            .into_iter()
            .map(|f| (f.at, f.rel, f.path))
            .collect();
        load_files(&files, threads)
    }
    /// What is wrong with the snapshots, in their order.
    pub fn damage(&self) -> Vec<Damage> {
        let mut out = vec![];
        let mut before = 0;
        for s in &self.snapshots {
            if s.unreadable > 0 {
                out.push(Damage::Lines {
                    name: s.name.clone(),
                    lines: s.unreadable,
                    first: s.first_unreadable,
                });
            } else if s.records * 5 < before * 4 {
                out.push(Damage::Shrunk {
                    name: s.name.clone(),
                    records: s.records,
                    before,
                });
            }
            before = before.max(s.records);
        }
        out
    }
    /// The same from text in memory: `(time, lines)` per snapshot, in order of time.
    pub fn from_lines(snapshots: &[(Nanos, &str)]) -> IdentityBase {
        let mut b = Builder::new(snapshots.len());
        for (time, text) in snapshots {
            b.snapshot("memory", *time);
            let part = Part::parse(text.as_bytes(), &b.seen, b.hashed());
            b.merge(part);
        }
        b.finish(1)
    }
}

fn load_files(
    files: &[(Nanos, String, PathBuf)],
    threads: usize,
) -> Result<IdentityBase, IdentityError> {
    let mut b = Builder::new(files.len());
    for (time, name, path) in files {
        b.snapshot(name, *time);
        b.file(path, threads)?;
        if let Some(s) = b.base.snapshots.last_mut().filter(|s| s.unreadable > 0) {
            s.first_unreadable = first_unreadable(path).unwrap_or(0);
        }
    }
    Ok(b.finish(threads))
}

struct Builder {
    base: IdentityBase,
    names: Strings,
    seen: Seen,
    /// Lines of the snapshot being read, for the next one.
    fresh: Vec<([u32; 4], VersionId)>,
    record_of: FxHashMap<Sym, RecordId>,
    /// The version of each record that was read last.
    last: Vec<VersionId>,
    expected: usize,
}

impl Builder {
    fn new(snapshots: usize) -> Builder {
        Builder {
            base: IdentityBase {
                stride: snapshots.div_ceil(8).max(1),
                ..IdentityBase::default()
            },
            names: Strings::default(),
            seen: Seen::default(),
            fresh: vec![],
            record_of: FxHashMap::default(),
            last: vec![],
            expected: snapshots,
        }
    }
    fn snapshot(&mut self, name: &str, time: Nanos) {
        self.seen.reserve(self.fresh.len());
        for (h, v) in std::mem::take(&mut self.fresh) {
            self.seen.insert(h, v);
        }
        self.base.snapshots.push(Snapshot {
            name: name.to_string(),
            time,
            records: 0,
            unreadable: 0,
            first_unreadable: 0,
        });
    }
    /// True while a later snapshot may hold the same lines.
    fn hashed(&self) -> bool {
        self.base.snapshots.len() < self.expected
    }
    /// Reads one file: one thread reads, `threads` parse, this one merges. At most two pieces per thread are in the air.
    fn file(&mut self, path: &Path, threads: usize) -> Result<(), IdentityError> {
        let mut pieces = Pieces::open(path)?;
        let hashed = self.hashed();
        if threads < 2 {
            while let Some(piece) = pieces.next() {
                let part = Part::parse(&piece, &self.seen, hashed);
                self.merge(part);
            }
            return Ok(());
        }
        let window = 2 * threads + 1;
        let (to_parse, work) = mpsc::sync_channel::<(u64, Vec<u8>)>(window);
        let work = Mutex::new(work);
        let (parsed, done) = mpsc::channel::<(u64, Part)>();
        let (merged, room) = mpsc::channel::<()>();
        let seen = std::mem::take(&mut self.seen);
        let read = std::thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let mut number = 0;
                while let Some(piece) = pieces.next() {
                    if (number >= window as u64 && room.recv().is_err())
                        || to_parse.send((number, piece)).is_err()
                    {
                        break;
                    }
                    number += 1;
                }
            });
            for _ in 0..threads {
                let (work, seen, parsed) = (&work, &seen, parsed.clone());
                scope.spawn(move || {
                    loop {
                        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok((number, piece)) = next else { return };
                        if parsed
                            .send((number, Part::parse(&piece, seen, hashed)))
                            .is_err()
                        {
                            return;
                        }
                    }
                });
            }
            drop(parsed);
            let mut waiting = BTreeMap::new();
            let mut next = 0;
            for (number, part) in done {
                waiting.insert(number, part);
                while let Some(part) = waiting.remove(&next) {
                    self.merge(part);
                    next += 1;
                    // A reader that is done needs no more room.
                    let _ = merged.send(());
                }
            }
            drop(merged);
            reader.join()
        });
        self.seen = seen;
        match read {
            Ok(()) => Ok(()),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    fn unreadable(&mut self, lines: u64) {
        self.base.unreadable += lines;
        if let Some(s) = self.base.snapshots.last_mut() {
            s.unreadable += lines;
        }
    }
    fn mark(&mut self, v: VersionId) {
        let b = &mut self.base;
        let snapshot = b.snapshots.len() - 1;
        let byte = &mut b.presence[v as usize * b.stride + snapshot / 8];
        let bit = 1u8 << (snapshot % 8);
        if *byte & bit == 0 {
            *byte |= bit;
            b.snapshots[snapshot].records += 1;
        }
    }
    fn merge(&mut self, part: Part) {
        self.unreadable(part.unreadable);
        let string: Vec<Sym> = (0..part.strings.len() as u32)
            .map(|s| self.base.strings.intern(part.strings.get(s)))
            .collect();
        let name: Vec<u32> = (0..part.names.len() as u32)
            .map(|s| self.names.intern(part.names.get(s)))
            .collect();
        for line in &part.lines {
            match line {
                Line::Seen(v) => self.mark(*v),
                Line::New(local, hash) => match self.version(&part, *local, &string, &name) {
                    Some(v) => {
                        if self.hashed() {
                            self.fresh.push((*hash, v));
                        }
                        self.mark(v);
                    }
                    None => self.unreadable(1),
                },
            }
        }
    }
    /// The version of a part as one of the base: the record's last one when nothing changed, else a new one that shares the
    /// groups of rows that did not.
    fn version(
        &mut self,
        part: &Part,
        local: u32,
        string: &[Sym],
        name: &[u32],
    ) -> Option<VersionId> {
        let mut v = part.versions[local as usize];
        let id = string[v.record as usize];
        let b = &mut self.base;
        if id == 0 {
            return None;
        }
        let next = b.records.len() as u32;
        let record = *self.record_of.entry(id).or_insert(next);
        if record == next {
            b.records.push(id);
            self.last.push(u32::MAX);
        }
        let before = b.versions.get(self.last[record as usize] as usize).copied();
        let (own, rows) = (&part.rows, &mut b.rows);
        v.record = record;
        let s = |x: Sym| string[x as usize];
        v.organization = s(v.organization);
        v.birthplace = s(v.birthplace);
        v.mothers_name = s(v.mothers_name);
        v.death = s(v.death);
        v.ids = share(
            &mut rows.ids,
            before.map(|p| p.ids),
            own.ids.get(v.ids),
            |i| {
                i.system = s(i.system);
                i.value = s(i.value);
            },
        );
        let old: Vec<u32> = before.map_or(vec![], |p| {
            rows.names.get(p.names).iter().map(|n| n.givens).collect()
        });
        let (givens, mut k) = (&mut rows.givens, 0);
        v.names = share(
            &mut rows.names,
            before.map(|p| p.names),
            own.names.get(v.names),
            |n| {
                n.family = name[n.family as usize];
                n.givens = share(givens, old.get(k).copied(), own.givens.get(n.givens), |g| {
                    g.given = name[g.given as usize]
                });
                k += 1;
            },
        );
        v.telecoms = share(
            &mut rows.telecoms,
            before.map(|p| p.telecoms),
            own.telecoms.get(v.telecoms),
            |t| t.value = s(t.value),
        );
        v.addresses = share(
            &mut rows.addresses,
            before.map(|p| p.addresses),
            own.addresses.get(v.addresses),
            |a| {
                for x in [
                    &mut a.line,
                    &mut a.city,
                    &mut a.postal,
                    &mut a.state,
                    &mut a.country,
                ] {
                    *x = s(*x);
                }
            },
        );
        v.links = share(
            &mut rows.links,
            before.map(|p| p.links),
            own.links.get(v.links),
            |l| l.other = s(l.other),
        );
        if before == Some(v) {
            return Some(self.last[record as usize]);
        }
        let number = b.versions.len() as u32;
        b.versions.push(v);
        b.presence.resize(b.versions.len() * b.stride, 0);
        self.last[record as usize] = number;
        Some(number)
    }
    fn finish(self, threads: usize) -> IdentityBase {
        let Builder {
            mut base,
            names,
            seen,
            fresh,
            record_of,
            last,
            ..
        } = self;
        drop((seen, fresh, record_of, last));
        let b = &mut base;
        b.threads = threads;
        b.strings.finish();
        let (sorted, number) = Names::sorted(&names);
        drop(names);
        b.names = sorted;
        for n in b.rows.names.all_mut() {
            n.family = number[n.family as usize];
        }
        for g in b.rows.givens.all_mut() {
            g.given = number[g.given as usize];
        }
        b.rows.finish();
        b.by_record();
        let mut by_id: Vec<RecordId> = (0..b.records.len() as u32).collect();
        by_id.sort_unstable_by_key(|r| b.records[*r as usize]);
        b.record_by_id = by_id;
        b.index = if threads < 2 {
            Index::build(b)
        } else {
            Index::build_on_threads(b)
        };
        b.resolve_persons();
        base
    }
}

/// Puts `rows`, changed by `map`, into `to`; the group `before` is taken again when it holds the same.
fn share<T: Copy + PartialEq>(
    to: &mut Groups<T>,
    before: Option<u32>,
    rows: &[T],
    mut map: impl FnMut(&mut T),
) -> u32 {
    let start = to.begin(rows);
    to.tail_mut(start).iter_mut().for_each(&mut map);
    match before {
        Some(g) if to.get(g) == to.tail(start) => {
            to.drop_tail(start);
            g
        }
        _ => to.commit(start),
    }
}
