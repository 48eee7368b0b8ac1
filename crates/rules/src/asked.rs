//! Asking the rules of files, and joining what was found.
use crate::{
    Row, Rules, Scratch,
    count::{Counter, Hit},
};
use ampleur_event::{Account, Event, Nanos, time::NO_TIME};
use rsigma_eval::{Event as _, EventValue};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, BufWriter, Read, Seek, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
};

/// Findings of one rule kept apart; what comes beyond is one finding together.
pub const GROUPS_MAX: usize = 1000;
/// Records kept for one finding.
const RECORDS_MAX: usize = 5;
/// Names kept of one file to show what a correlation counted by.
const NAMES_MAX: usize = 100_000;
/// Hits of a file looked at before the room for all of them.
const STEP: usize = 1 << 15;
/// Hits held in memory by all files together before some go to disk: 200 MB.
const HELD_MAX: usize = 4 << 20;

/// What a rule found, of one account and address, or of what its correlation counts by. It accuses nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Place in [`Rules::about`].
    pub rule: usize,
    /// Field and value; empty for what came beyond [`GROUPS_MAX`].
    pub by: Vec<(String, String)>,
    /// Events that fired it, or bursts a correlation counted.
    pub times: u64,
    pub first: Nanos,
    pub last: Nanos,
    /// The most a correlation counted; 0 for a single rule.
    pub most: u64,
    /// File and record of the first events that fired it.
    pub records: Vec<(u32, u64)>,
}

#[derive(Debug, Default, Clone)]
struct Seen {
    times: u64,
    span: Option<(Nanos, Nanos)>,
    most: u64,
    records: Vec<(u32, u64)>,
}

impl Seen {
    fn add(&mut self, other: Seen) {
        self.times += other.times;
        self.most = self.most.max(other.most);
        self.span = match (self.span, other.span) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        let left = RECORDS_MAX.saturating_sub(self.records.len());
        self.records.extend(other.records.into_iter().take(left));
    }
}

type By = Vec<(String, String)>;

/// Findings by rule and what they are about, each rule's number of them bounded.
#[derive(Debug, Default)]
struct Groups {
    seen: BTreeMap<(usize, By), Seen>,
    of_rule: BTreeMap<usize, usize>,
}

impl Groups {
    fn add(&mut self, rule: usize, by: By, seen: Seen) {
        let mut key = (rule, by);
        if !self.seen.contains_key(&key) && !key.1.is_empty() {
            let n = self.of_rule.entry(rule).or_default();
            if *n >= GROUPS_MAX {
                key.1.clear();
            } else {
                *n += 1;
            }
        }
        self.seen.entry(key).or_default().add(seen);
    }
}

/// Where hits wait that are too many for memory. Files in it hold times and keys, no names, and are removed when read.
pub struct Spool {
    dir: PathBuf,
    held: AtomicUsize,
    held_max: usize,
    runs: AtomicU32,
}

impl Spool {
    /// `dir` is made when it is needed.
    pub fn new(dir: PathBuf) -> Spool {
        Spool::holding(dir, HELD_MAX)
    }

    /// With room for so many hits in memory.
    pub fn holding(dir: PathBuf, held_max: usize) -> Spool {
        Spool {
            dir,
            held: AtomicUsize::new(0),
            held_max,
            runs: AtomicU32::new(0),
        }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn write(&self, hits: &[Hit]) -> io::Result<PathBuf> {
        std::fs::create_dir_all(&self.dir)?;
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(format!("{run}.hits"));
        let mut out = BufWriter::new(File::create(&path)?);
        for h in hits {
            out.write_all(&h.bytes())?;
        }
        out.flush()?;
        Ok(path)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // Runs of files that were given up; nobody reads them any more.
        if self.runs.load(Ordering::Relaxed) > 0 {
            drop(std::fs::remove_dir_all(&self.dir));
        }
    }
}

/// The rules at work on one file; events come in order of the file.
pub struct Asked<'r> {
    rules: &'r Rules,
    spool: &'r Spool,
    source: &'static str,
    file: u32,
    scratch: Scratch,
    groups: Groups,
    hits: Vec<Hit>,
    /// How many of `hits` the spool has been told of.
    told: usize,
    runs: Vec<PathBuf>,
    names: BTreeMap<(u32, u64), By>,
    failed: Option<io::Error>,
}

/// What one file leaves to be joined.
pub struct FileHits {
    file: u32,
    groups: Groups,
    hits: Vec<Hit>,
    runs: Vec<PathBuf>,
    names: BTreeMap<(u32, u64), By>,
    failed: Option<io::Error>,
}

impl Rules {
    /// Begins to ask the events of a file; `None` when no rule asks for its source.
    pub fn file<'r>(&'r self, file: u32, source: &str, spool: &'r Spool) -> Option<Asked<'r>> {
        let (source, _) = self.route(source)?;
        Some(Asked {
            rules: self,
            spool,
            source,
            file,
            scratch: Scratch::default(),
            groups: Groups::default(),
            hits: vec![],
            told: 0,
            runs: vec![],
            names: BTreeMap::new(),
            failed: None,
        })
    }

    /// Findings of all files, in order of rule, then of what they are about; the order of `files` does not matter.
    /// Errors: hits that waited on disk cannot be written or read.
    pub fn join(&self, mut files: Vec<FileHits>) -> io::Result<Vec<Found>> {
        files.sort_by_key(|f| f.file);
        let mut groups = Groups::default();
        let mut names: BTreeMap<(u32, u64), By> = BTreeMap::new();
        let mut runs = vec![];
        for f in files {
            if let Some(e) = f.failed {
                return Err(e);
            }
            for ((rule, by), seen) in f.groups.seen {
                groups.add(rule, by, seen);
            }
            names.extend(f.names);
            runs.push(Run::Held(f.hits.into_iter()));
            for path in f.runs {
                runs.push(Run::Stored(Stored {
                    path,
                    read: 0,
                    ahead: vec![].into_iter(),
                }));
            }
        }
        let mut counter = Counter::new(&self.correlations);
        let mut heads = BinaryHeap::new();
        for (n, run) in runs.iter_mut().enumerate() {
            if let Some(hit) = run.next()? {
                heads.push(Reverse((hit, n)));
            }
        }
        while let Some(Reverse((hit, n))) = heads.pop() {
            if let Some(next) = runs[n].next()? {
                heads.push(Reverse((next, n)));
            }
            if let Some(most) = counter.take(&hit) {
                let by = names.get(&(hit.correlation, hit.group));
                let seen = Seen {
                    times: 1,
                    span: Some((hit.time, hit.time)),
                    most,
                    records: vec![(hit.file, hit.record)],
                };
                let rule = self.correlations[hit.correlation as usize].about;
                groups.add(rule, by.cloned().unwrap_or_default(), seen);
            }
        }
        let found = groups.seen.into_iter().map(|((rule, by), seen)| {
            let (first, last) = seen.span.unwrap_or((NO_TIME, NO_TIME));
            Found {
                rule,
                by,
                times: seen.times,
                first,
                last,
                most: seen.most,
                records: seen.records,
            }
        });
        Ok(found.collect())
    }
}

enum Run {
    Held(std::vec::IntoIter<Hit>),
    Stored(Stored),
}

/// Hits on disk, in order, read a few at a time: there may be more of such files than a process may have open.
struct Stored {
    path: PathBuf,
    read: u64,
    ahead: std::vec::IntoIter<Hit>,
}

/// Hits read at a time.
const AHEAD: usize = 512;

impl Run {
    fn next(&mut self) -> io::Result<Option<Hit>> {
        match self {
            Run::Held(hits) => Ok(hits.next()),
            Run::Stored(s) => match s.ahead.next() {
                Some(hit) => Ok(Some(hit)),
                None => s.more(),
            },
        }
    }
}

impl Stored {
    fn more(&mut self) -> io::Result<Option<Hit>> {
        let mut file = File::open(&self.path)?;
        file.seek(io::SeekFrom::Start(self.read))?;
        let mut bytes = vec![];
        file.take((AHEAD * Hit::BYTES) as u64)
            .read_to_end(&mut bytes)?;
        self.read += bytes.len() as u64;
        let (hits, _) = bytes.as_chunks::<{ Hit::BYTES }>();
        self.ahead = hits
            .iter()
            .map(Hit::from_bytes)
            .collect::<Vec<_>>()
            .into_iter();
        Ok(self.ahead.next())
    }
}

impl Asked<'_> {
    pub fn take(&mut self, event: &Event<'_>) {
        let rules = self.rules;
        rules.fired(self.source, event, &mut self.scratch);
        for i in 0..self.scratch.fired.len() {
            let single = &rules.singles[self.scratch.fired[i] as usize];
            if !single.counted {
                self.groups.add(single.about, about(event), self.one(event));
            }
            // No window holds an event without time.
            if event.time != NO_TIME {
                for (correlation, of) in &single.feeds {
                    self.count(event, *correlation, *of);
                }
            }
        }
    }

    fn one(&self, event: &Event<'_>) -> Seen {
        Seen {
            times: 1,
            span: (event.time != NO_TIME).then_some((event.time, event.time)),
            most: 0,
            records: vec![(self.file, event.record)],
        }
    }

    fn count(&mut self, event: &Event<'_>, correlation: u32, of: u32) {
        let c = &self.rules.correlations[correlation as usize];
        let row = Row {
            source: self.source,
            event,
        };
        let mut key = DefaultHasher::new();
        let fields = &c.groups[of as usize];
        for field in fields {
            let Some(value) = row.get_field(field) else {
                // Nobody in particular: counted together they would be one person.
                return;
            };
            let Some(text) = value.as_str() else { return };
            text.hash(&mut key);
        }
        let group = key.finish();
        let mut hit = Hit {
            time: event.time,
            record: event.record,
            file: self.file,
            correlation,
            of,
            group,
            value: 0,
        };
        match c.values.as_slice() {
            [] => self.hits.push(hit),
            // Each of a list is a value of its own.
            [field] => match row.get_field(field) {
                Some(EventValue::Array(list)) => {
                    for v in &list {
                        hit.value = hash(v);
                        self.hits.push(hit);
                    }
                }
                Some(v) => {
                    hit.value = hash(&v);
                    self.hits.push(hit);
                }
                None => return,
            },
            several => {
                let mut key = DefaultHasher::new();
                for field in several {
                    let Some(v) = row.get_field(field) else {
                        return;
                    };
                    hash(&v).hash(&mut key);
                }
                hit.value = key.finish();
                self.hits.push(hit);
            }
        }
        if self.names.len() < NAMES_MAX {
            self.names.entry((correlation, group)).or_insert_with(|| {
                let value = |field: &String| {
                    let value = row.get_field(field);
                    let text = value.as_ref().and_then(EventValue::as_str);
                    text.map(|t| t.into_owned()).unwrap_or_default()
                };
                c.by.iter().cloned().zip(fields.iter().map(value)).collect()
            });
        }
        if self.hits.len() - self.told >= STEP && self.tell() > self.spool.held_max {
            self.store();
        }
    }

    /// How many hits all files hold.
    fn tell(&mut self) -> usize {
        let more = self.hits.len() - self.told;
        self.told = self.hits.len();
        self.spool.held.fetch_add(more, Ordering::Relaxed) + more
    }

    fn store(&mut self) {
        self.hits.sort_unstable();
        match self.spool.write(&self.hits) {
            Ok(path) => self.runs.push(path),
            Err(e) => self.failed = Some(e),
        }
        self.spool.held.fetch_sub(self.told, Ordering::Relaxed);
        self.told = 0;
        self.hits.clear();
    }

    pub fn finish(mut self) -> FileHits {
        // Files that are done leave half of the room to those at work.
        if self.tell() > self.spool.held_max / 2 && !self.hits.is_empty() {
            self.store();
        }
        self.hits.sort_unstable();
        self.hits.shrink_to_fit();
        FileHits {
            file: self.file,
            groups: self.groups,
            hits: self.hits,
            runs: self.runs,
            names: self.names,
            failed: self.failed,
        }
    }
}

fn hash(v: &EventValue<'_>) -> u64 {
    let mut key = DefaultHasher::new();
    v.as_str().hash(&mut key);
    key.finish()
}

/// Whom a single event is about: the account and the address it came from.
fn about(e: &Event<'_>) -> By {
    let mut by = vec![];
    if let Some(account) = Account::new(e.system, &e.domain, &e.user) {
        by.push(("account".into(), account.to_string()));
    }
    if !e.src_ip.is_empty() {
        by.push(("src_ip".into(), e.src_ip.to_string()));
    }
    by
}
