//! The inventory of a share: one row a file, whose data it holds.
//!
//! Files are read by all threads and written in order of their path, so the result does not depend on the number of threads.
//! Beside `OUT` lies `OUT.seen`: per row, a hash of path, size and time of change, and one of path and content, under the
//! people and the version it was made with. A later run takes over rows whose hash has not changed; a run that was broken off
//! goes on from `OUT.part`. With the officer's key the rows are locked line by line (`ampleur_evidence::locked`), and taken
//! over without being opened.
use super::{JobError, Outside, Progress};
use ampleur_content::{
    detect::{What, nir_of, scan},
    extract::{Limits, Risky, Why},
    inventory::{ENGINE, Row, State, denied, examine, sha256},
    roster::{Known, Roster},
    text,
    whose::Knowledge,
};
use ampleur_event::Context;
use ampleur_evidence::{
    DpoKey, DpoPublic,
    locked::{LineKeys, LineLock},
};
use ampleur_extent::{
    files::Inventory,
    fold,
    identity::{IdKind, IdentityBase, TelecomKind, Use},
};
use ampleur_sources::case::Case;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write},
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, PoisonError},
};

/// First line of a locked inventory.
pub const FORMAT: &str = "ampleur.inventory/1";
/// Authority of an RPPS number.
const RPPS: &str = "urn:oid:1.2.250.1.71.4.2.1";
/// Rows read ahead of the one to be written next.
const AHEAD: usize = 4096;

/// What to list and where to write.
pub struct InventoryOptions<'a> {
    /// Folder or file.
    pub root: PathBuf,
    /// `\\host\share`, as the logs name it.
    pub share: String,
    pub out: PathBuf,
    /// Lock the rows for this officer; `None` writes them in clear.
    pub officer: Option<DpoPublic>,
    pub threads: usize,
    pub limits: Limits,
    /// Makes the reader of hostile documents for one thread.
    pub risky: &'a (dyn Fn() -> Box<dyn Risky + Send> + Sync),
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InventorySummary {
    pub files: u64,
    pub bytes: u64,
    /// Rows taken over from an earlier run.
    pub kept: u64,
    pub read: u64,
    pub part: u64,
    pub unread: u64,
    /// Files read now that name somebody.
    pub named: u64,
    /// Reasons, with how many files had them.
    pub why: BTreeMap<Why, u64>,
    /// Files not wholly read, in order: path and reasons. Paths may name persons: for the operator's screen only.
    pub troubles: Vec<(String, Vec<Why>)>,
}

/// Everybody the identity base and the context know. `establishment` chooses whose number names a person.
pub fn roster(base: &IdentityBase, context: &Context, establishment: Option<&str>) -> Roster {
    let mut b = Roster::builder();
    let owned: Vec<&str> = context
        .establishments
        .iter()
        .filter(|e| establishment.is_none_or(|x| x == e.id))
        .flat_map(|e| e.authorities.iter().map(String::as_str))
        .collect();
    let owns = |system: &str| owned.is_empty() || owned.contains(&system);
    for p in 0..base.person_count() {
        let mut k = Known::default();
        let here = |v| {
            base.id_rows(v)
                .iter()
                .any(|i| i.kind == IdKind::Pi && owns(base.text(i.system)))
        };
        k.subject = base.name_for(p, &here, &owns);
        let mut emails: Vec<&str> = vec![];
        for r in base.records_of(p) {
            k.ids.push(base.logical_id(*r));
            for v in base.versions_of(*r) {
                let birth = base.version(v).birth;
                if birth.is_full() {
                    k.births.push(birth.0);
                }
                for i in base.id_rows(v) {
                    let value = base.text(i.value);
                    match i.kind {
                        // A number that was given by mistake still names whom it was given to.
                        IdKind::InsNir | IdKind::Nir => match nir_of(value) {
                            Some((stem, _)) => k.nirs.push(stem),
                            None => k.ids.push(value),
                        },
                        _ => k.ids.push(value),
                    }
                }
                for t in base.telecom_rows(v) {
                    let value = base.text(t.value);
                    match t.kind {
                        TelecomKind::Email => emails.push(value),
                        TelecomKind::Phone | TelecomKind::Other => k.phones.extend(phone(value)),
                        TelecomKind::Mssante => {}
                    }
                }
                for n in base.name_rows(v) {
                    if n.usage == Use::Anonymous {
                        continue;
                    }
                    let givens = base.givens_of(n).iter();
                    let givens = givens.map(|g| base.names.text(g.given)).collect();
                    k.names.push((base.names.text(n.family), givens));
                }
            }
        }
        k.emails = emails;
        tidy(&mut k);
        b.add(&k);
    }
    for p in &context.persons {
        let rpps = p.accounts.iter().find_map(|a| a.strip_prefix("rpps:"));
        let (family, given): (Vec<&str>, Vec<&str>) = p
            .name
            .split_whitespace()
            .filter(|w| {
                !matches!(
                    w.trim_end_matches('.'),
                    "Dr" | "Pr" | "M" | "Mme" | "Mlle" | "Me"
                )
            })
            .partition(|w| {
                w.chars()
                    .filter(|c| c.is_alphabetic())
                    .all(char::is_uppercase)
                    && w.chars().count() > 1
            });
        let family = family.join(" ");
        let mut k = Known {
            subject: match rpps {
                Some(n) => format!("{RPPS}|{n}"),
                None => format!("person|{}", p.id),
            },
            staff: true,
            ids: rpps.into_iter().collect(),
            ..Known::default()
        };
        if !family.is_empty() && !given.is_empty() {
            k.names.push((&family, given));
        }
        b.add(&k);
    }
    b.finish()
}

fn tidy(k: &mut Known<'_>) {
    k.births.sort_unstable();
    k.births.dedup();
    k.nirs.sort_unstable();
    k.nirs.dedup();
    k.ids.sort_unstable();
    k.ids.dedup();
    k.phones.sort_unstable();
    k.phones.dedup();
    k.emails.sort_unstable();
    k.emails.dedup();
    k.names.sort();
    k.names.dedup();
}

fn phone(value: &str) -> Option<u64> {
    let f = text::folded(value.as_bytes());
    let mut found = None;
    scan(&f, 0, f.len(), &mut |h| {
        if let What::Phone(n) = h.what {
            found = found.or(Some(n));
        }
    });
    found
}

/// A file of the share.
struct Entry {
    /// With `\`.
    path: String,
    full: PathBuf,
    size: u64,
    /// Nanoseconds since 1970, 0 when the system does not tell.
    changed: u128,
}

/// Every regular file, in order of path; links are not followed, folders that cannot be listed are told.
fn walk(root: &Path) -> Result<(Vec<Entry>, u64), JobError> {
    let mut out = vec![];
    let mut denied = 0;
    let entry = |path: String, full: PathBuf, m: &std::fs::Metadata| Entry {
        path,
        full,
        size: m.len(),
        changed: m
            .modified()
            .ok()
            .and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok())
            .map_or(0, |d| d.as_nanos()),
    };
    let meta = std::fs::metadata(root).map_err(|e| JobError::file("read", root, e))?;
    if meta.is_file() {
        let name = root
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        return Ok((vec![entry(name, root.to_path_buf(), &meta)], 0));
    }
    let mut folders = vec![(root.to_path_buf(), String::new())];
    while let Some((dir, rel)) = folders.pop() {
        let list = match std::fs::read_dir(&dir) {
            Ok(l) => l,
            Err(e) if rel.is_empty() => return Err(JobError::file("list", &dir, e)),
            Err(_) => {
                denied += 1;
                continue;
            }
        };
        for e in list {
            let Ok(e) = e else {
                denied += 1;
                continue;
            };
            let name = name_of(&e.file_name());
            let rel = if rel.is_empty() {
                name
            } else {
                format!("{rel}\\{name}")
            };
            match e.metadata() {
                Ok(m) if m.is_dir() => folders.push((e.path(), rel)),
                Ok(m) if m.is_file() => out.push(entry(rel, e.path(), &m)),
                Ok(_) => {}
                Err(_) => denied += 1,
            }
        }
    }
    out.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((out, denied))
}

/// Every regular file of a folder, or the file itself: (path with `\\`, where it lies, size), in order of path.
pub(super) fn files_under(root: &Path) -> Result<Vec<(String, PathBuf, u64)>, JobError> {
    Ok(walk(root)?
        .0
        .into_iter()
        .map(|e| (e.path, e.full, e.size))
        .collect())
}

/// Bytes that are not UTF-8 are Windows-1252 (contract §D).
fn name_of(name: &std::ffi::OsStr) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        fold::text_of(name.as_bytes())
    }
    #[cfg(not(unix))]
    {
        name.to_string_lossy().into_owned()
    }
}

fn hash(key: &[u8; 32], parts: &[&[u8]]) -> String {
    let mut h = blake3::Hasher::new_keyed(key);
    for p in parts {
        h.update(&(p.len() as u64).to_le_bytes());
        h.update(p);
    }
    h.finalize().to_hex()[..32].to_string()
}

/// Where a row lies, and the hash of its content.
struct Place {
    file: usize,
    at: u64,
    len: u32,
    same: String,
    state: State,
    why: Vec<Why>,
}

/// Rows of earlier runs: hash → line in its file.
#[derive(Default)]
struct Earlier {
    seen: BTreeMap<String, Place>,
    files: Vec<PathBuf>,
    /// First lines of locked runs, by run.
    heads: BTreeMap<String, String>,
}

impl Earlier {
    /// Reads `rows` with the hashes beside it; a pair that does not fit is left out.
    fn add(&mut self, rows: &Path, seen: &Path, locked: bool) {
        let (Ok(r), Ok(s)) = (File::open(rows), File::open(seen)) else {
            return;
        };
        let file = self.files.len();
        self.files.push(rows.to_path_buf());
        let mut r = BufReader::with_capacity(1 << 16, r);
        let mut hashes = BufReader::new(s).lines().map_while(Result::ok);
        let mut at = 0u64;
        let mut line = vec![];
        loop {
            line.clear();
            let Ok(n) = r.read_until(b'\n', &mut line) else {
                return;
            };
            // A line without its end was being written when the run broke off.
            if n == 0 || line.last() != Some(&b'\n') {
                return;
            }
            let from = at;
            at += n as u64;
            let head = line.starts_with(b"{\"format\"");
            if line.starts_with(b"{\"rows\"") {
                continue;
            }
            if head != locked && from == 0 {
                // The other form: nothing of it can be taken over.
                return;
            }
            if head {
                if let Ok(v) = serde_json::from_slice::<Value>(&line) {
                    let run = v["run"].as_str().unwrap_or_default().to_string();
                    self.heads
                        .insert(run, String::from_utf8_lossy(&line).into_owned());
                }
                continue;
            }
            let Some(h) = hashes.next() else { return };
            let [seen, same, state, why] = h.split(' ').collect::<Vec<_>>()[..] else {
                return;
            };
            for w in [seen, same].into_iter().filter(|w| *w != "-") {
                let place = Place {
                    file,
                    at: from,
                    len: n as u32,
                    same: same.to_string(),
                    state: match state {
                        "read" => State::Read,
                        "part" => State::Part,
                        _ => State::Unread,
                    },
                    why: Why::ALL
                        .into_iter()
                        .filter(|x| why.split(',').any(|w| w == x.word()))
                        .collect(),
                };
                self.seen.insert(w.to_string(), place);
            }
        }
    }
    fn line(&self, hash: &str) -> Option<(Vec<u8>, &Place)> {
        let p = self.seen.get(hash)?;
        let mut f = File::open(&self.files[p.file]).ok()?;
        f.seek(io::SeekFrom::Start(p.at)).ok()?;
        let mut line = vec![0u8; p.len as usize];
        f.read_exact(&mut line).ok()?;
        Some((line, p))
    }
}

enum Done {
    /// A line of an earlier run.
    Kept(Vec<u8>),
    Made(Box<Row>),
}

/// A row, or what stands for it, on its way to the result.
struct Ready {
    done: Done,
    seen: String,
    same: String,
    state: State,
    why: Vec<Why>,
}

#[derive(Default)]
struct Queue {
    next: usize,
    written: usize,
    done: BTreeMap<usize, Ready>,
    stop: bool,
}

/// Lists a share.
///
/// # Errors
/// The share cannot be listed, or the result cannot be written. A file that cannot be read is a row that says so.
pub fn inventory(
    options: &InventoryOptions<'_>,
    know: &Knowledge,
    outside: &mut Outside<'_>,
    progress: &dyn Progress,
) -> Result<InventorySummary, JobError> {
    progress.stage("list", 0);
    let (entries, denied_folders) = walk(&options.root)?;
    progress.stage("read", entries.iter().map(|e| e.size.max(1)).sum());
    let locked = options.officer.is_some();
    let side = |end: &str| {
        let mut p = options.out.clone().into_os_string();
        p.push(end);
        PathBuf::from(p)
    };
    let (part, part_seen, seen) = (side(".part"), side(".part.seen"), side(".seen"));
    let old = (side(".old"), side(".old.seen"));
    // What a broken-off run left is read from under another name, so that this run writes anew.
    let length = |p: &Path| std::fs::metadata(p).map_or(0, |m| m.len());
    if length(&part) > length(&old.0) {
        let moved =
            std::fs::rename(&part, &old.0).and_then(|()| std::fs::rename(&part_seen, &old.1));
        if moved.is_err() {
            let _ = std::fs::remove_file(&old.0);
        }
    }
    let mut earlier = Earlier::default();
    earlier.add(&options.out, &seen, locked);
    earlier.add(&old.0, &old.1, locked);
    // The people, the version and the share are part of every hash.
    let mut id = blake3::Hasher::new();
    id.update(&know.roster.fingerprint());
    id.update(&ENGINE.to_le_bytes());
    id.update(options.share.as_bytes());
    let id = *id.finalize().as_bytes();

    let write = |what: &'static str, p: &Path| {
        let p = p.to_path_buf();
        move |e: io::Error| JobError::file(what, &p, e)
    };
    if let Some(dir) = options.out.parent().filter(|d| !d.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir).map_err(write("make folder", dir))?;
    }
    let private = |p: &Path| -> io::Result<BufWriter<File>> {
        let mut o = std::fs::OpenOptions::new();
        o.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut o, 0o600);
        Ok(BufWriter::with_capacity(1 << 16, o.open(p)?))
    };
    let mut rows = private(&part).map_err(write("write", &part))?;
    let mut hashes = private(&part_seen).map_err(write("write", &part_seen))?;
    let mut lock = options
        .officer
        .as_ref()
        .map(|o| LineLock::new(o, outside.random));
    let mut told: Vec<String> = vec![];

    let queue = Mutex::new(Queue::default());
    let moved = Condvar::new();
    let mut summary = InventorySummary {
        files: entries.len() as u64,
        ..InventorySummary::default()
    };
    if denied_folders > 0 {
        summary.why.insert(Why::Denied, denied_folders);
    }
    let result = std::thread::scope(|scope| {
        for _ in 0..options.threads.clamp(1, 256) {
            scope.spawn(|| {
                let mut risky = (options.risky)();
                loop {
                    let i = {
                        let mut q = queue.lock().unwrap_or_else(PoisonError::into_inner);
                        while q.next >= q.written + AHEAD && !q.stop {
                            q = moved.wait(q).unwrap_or_else(PoisonError::into_inner);
                        }
                        if q.stop || q.next >= entries.len() {
                            return;
                        }
                        q.next += 1;
                        q.next - 1
                    };
                    let e = &entries[i];
                    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        one(e, options, know, &earlier, &id, &mut *risky)
                    }))
                    .unwrap_or_else(|_| broken(e, options));
                    progress.advance(e.size.max(1));
                    let mut q = queue.lock().unwrap_or_else(PoisonError::into_inner);
                    q.done.insert(i, done);
                    moved.notify_all();
                }
            });
        }
        let run = (|| -> Result<(), JobError> {
            for (i, e) in entries.iter().enumerate() {
                let ready = {
                    let mut q = queue.lock().unwrap_or_else(PoisonError::into_inner);
                    loop {
                        if let Some(d) = q.done.remove(&i) {
                            q.written = i + 1;
                            moved.notify_all();
                            break d;
                        }
                        q = moved.wait(q).unwrap_or_else(PoisonError::into_inner);
                    }
                };
                summary.bytes += e.size;
                count(&ready, &e.path, &mut summary);
                match ready.done {
                    Done::Kept(line) => {
                        summary.kept += 1;
                        if locked {
                            // The run of a locked line must be known before it.
                            let run = serde_json::from_slice::<Value>(&line)
                                .ok()
                                .and_then(|v| v["run"].as_str().map(str::to_string))
                                .unwrap_or_default();
                            if !told.contains(&run) {
                                if let Some(h) = earlier.heads.get(&run) {
                                    rows.write_all(h.as_bytes())
                                        .map_err(write("write", &part))?;
                                }
                                told.push(run);
                            }
                        }
                        rows.write_all(&line).map_err(write("write", &part))?;
                    }
                    Done::Made(row) => {
                        summary.named +=
                            u64::from(!row.subjects.is_empty() || !row.possible.is_empty());
                        let clear = serde_json::to_vec(&*row)
                            .map_err(|e| JobError::file("write", &part, e))?;
                        let line = match &mut lock {
                            None => clear,
                            Some(l) => {
                                if !told.iter().any(|r| r == l.run()) {
                                    let head =
                                        json!({"format": FORMAT, "key": l.key(), "run": l.run()});
                                    writeln!(rows, "{head}").map_err(write("write", &part))?;
                                    told.push(l.run().to_string());
                                }
                                let (n, text) = l.lock(&clear);
                                json!({"line": text, "n": n, "run": l.run()})
                                    .to_string()
                                    .into_bytes()
                            }
                        };
                        rows.write_all(&line)
                            .and_then(|()| rows.write_all(b"\n"))
                            .map_err(write("write", &part))?;
                    }
                }
                let words: Vec<&str> = ready.why.iter().map(|w| w.word()).collect();
                writeln!(
                    hashes,
                    "{} {} {} {}",
                    ready.seen,
                    ready.same,
                    match ready.state {
                        State::Read => "read",
                        State::Part => "part",
                        State::Unread => "unread",
                    },
                    if words.is_empty() {
                        "-".to_string()
                    } else {
                        words.join(",")
                    }
                )
                .map_err(write("write", &part_seen))?;
                // What is on disk is not read again after a break.
                if i % 64 == 63 {
                    rows.flush().map_err(write("write", &part))?;
                    hashes.flush().map_err(write("write", &part_seen))?;
                }
            }
            Ok(())
        })();
        let mut q = queue.lock().unwrap_or_else(PoisonError::into_inner);
        q.stop = true;
        drop(q);
        moved.notify_all();
        run
    });
    result?;
    if locked {
        writeln!(rows, "{}", json!({"rows": summary.files})).map_err(write("write", &part))?;
    }
    for (w, p) in [(rows, &part), (hashes, &part_seen)] {
        w.into_inner()
            .map_err(|e| e.into_error())
            .and_then(|f| f.sync_all())
            .map_err(write("write", p))?;
    }
    std::fs::rename(&part, &options.out).map_err(write("write", &options.out))?;
    std::fs::rename(&part_seen, &seen).map_err(write("write", &seen))?;
    let _ = std::fs::remove_file(&old.0);
    let _ = std::fs::remove_file(&old.1);
    Ok(summary)
}

fn count(r: &Ready, path: &str, s: &mut InventorySummary) {
    match r.state {
        State::Read => s.read += 1,
        State::Part => s.part += 1,
        State::Unread => s.unread += 1,
    }
    for w in &r.why {
        *s.why.entry(*w).or_default() += 1;
    }
    if !r.why.is_empty() {
        s.troubles.push((path.to_string(), r.why.clone()));
    }
}

fn made(row: Row, seen: String, same: String) -> Ready {
    // A reader that was stopped may do better another time.
    let again = row.why.contains(&Why::Stopped);
    let (seen, same) = if again {
        ("-".to_string(), "-".to_string())
    } else {
        (seen, same)
    };
    Ready {
        seen,
        same,
        state: row.state,
        why: row.why.clone(),
        done: Done::Made(Box::new(row)),
    }
}

/// What stands for a file whose reading broke down before anything was known.
fn broken(e: &Entry, options: &InventoryOptions<'_>) -> Ready {
    let row = Row {
        share: options.share.clone(),
        path: e.path.clone(),
        size: e.size,
        sha256: String::new(),
        subjects: vec![],
        possible: vec![],
        state: State::Unread,
        why: vec![Why::Stopped],
        unnamed: vec![],
    };
    made(row, "-".into(), "-".into())
}

fn one(
    e: &Entry,
    options: &InventoryOptions<'_>,
    know: &Knowledge,
    earlier: &Earlier,
    id: &[u8; 32],
    risky: &mut dyn Risky,
) -> Ready {
    let path = e.path.as_bytes();
    let size = e.size.to_le_bytes();
    let seen = hash(id, &[b"seen", path, &size, &e.changed.to_le_bytes()]);
    let kept = |line: Vec<u8>, p: &Place, seen: String| Ready {
        done: Done::Kept(line),
        seen,
        same: p.same.clone(),
        state: p.state,
        why: p.why.clone(),
    };
    if e.changed != 0
        && let Some((line, p)) = earlier.line(&seen)
    {
        return kept(line, p, seen);
    }
    let opened = File::open(&e.full).and_then(|mut f| sha256(&mut f).map(|h| (f, h)));
    let (file, content) = match opened {
        Ok(x) => x,
        Err(_) => {
            // Another run may be let in.
            let row = denied(know, &options.share, &e.path, e.size);
            return made(row, "-".into(), "-".into());
        }
    };
    let same = hash(id, &[b"same", path, content.0.as_bytes()]);
    if let Some((line, p)) = earlier.line(&same) {
        return kept(line, p, seen);
    }
    let row = examine(
        know,
        &options.share,
        &e.path,
        file,
        content,
        risky,
        options.limits,
    );
    made(row, seen, same)
}

/// The inventory of a case, locked files opened with the officer's key.
///
/// # Errors
/// A locked file without the right key, or one whose end is missing: an answer without it would leave people out.
pub fn load(case: &Case, officer: Option<&DpoKey>) -> Result<Inventory, JobError> {
    let mut inv = Inventory::default();
    for path in case.inventory()? {
        // The hashes beside an inventory are no inventory.
        if path
            .extension()
            .is_some_and(|e| e == "seen" || e == "part" || e == "old")
        {
            continue;
        }
        let mut keys = officer.map(LineKeys::new);
        let mut locked = false;
        let mut rows = 0u64;
        let mut want = None;
        let mut fault: Option<&'static str> = None;
        let name = path.strip_prefix(&case.root).unwrap_or(&path);
        let name = name.display().to_string();
        Inventory::lines_of(&path, &mut |number, line| {
            if !locked && !line.starts_with(b"{\"format\":\"ampleur.inventory/") {
                inv.add_line(&name, number, line);
                return;
            }
            locked = true;
            let v: Value = serde_json::from_slice(line).unwrap_or_default();
            let Some(k) = &mut keys else {
                fault = Some("it is locked: give the officer's key with --dpo-key FILE");
                return;
            };
            if let Some(n) = v["rows"].as_u64() {
                want = Some(n);
            } else if let Some(key) = v["key"].as_str() {
                if !k.learn(v["run"].as_str().unwrap_or_default(), key) {
                    fault = Some("it was locked for another officer");
                }
            } else {
                let opened = k.open(
                    v["run"].as_str().unwrap_or_default(),
                    v["n"].as_u64().unwrap_or_default(),
                    v["line"].as_str().unwrap_or_default(),
                );
                match opened {
                    Some(row) => {
                        rows += 1;
                        inv.add(&row);
                    }
                    None => fault = fault.or(Some("a line does not open: it was changed")),
                }
            }
        })
        .map_err(|e| JobError::file("read", &path, e))?;
        if locked && fault.is_none() && want != Some(rows) {
            fault = Some("lines are missing");
        }
        if let Some(f) = fault {
            return Err(JobError::Refused(format!(
                "the inventory {} cannot be read: {f}",
                path.file_name().unwrap_or_default().to_string_lossy()
            )));
        }
    }
    inv.finish();
    Ok(inv)
}
