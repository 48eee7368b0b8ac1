//! A case watched while its files grow: told in time, once, across failing disks, broken writes and restarts; and nothing is told
//! in a month in which nobody breaks in.
use ampleur_detect::{Word, live::TICK};
use ampleur_event::time::{DAY, NO_TIME, Nanos, from_rfc3339};
use ampleur_evidence::{Keys, Lake};
use ampleur_serve::job::{AlarmLine, Book, Watch, WatchOptions};
use ampleur_sources::{
    case::FileId,
    follow::{Disk, Local},
    reader::{Limits, open},
};
use ampleur_testkit::{Family, Recipe, Truth, simulate, trial};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// A file under the case, its bytes, and how many of them are there at which time: (time, bytes), both rising.
type Grows = (String, Vec<u8>, Vec<(Nanos, usize)>);

/// A finished case, and the same one growing in another folder.
struct Growing {
    _dir: tempfile::TempDir,
    truth: Truth,
    options: WatchOptions,
    files: Vec<Grows>,
    from: Nanos,
    to: Nanos,
}

fn copy(from: &Path, to: &Path, logs: bool) {
    fs::create_dir_all(to).unwrap();
    for e in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (a, b) = (e.path(), to.join(e.file_name()));
        if !a.is_dir() {
            fs::copy(a, b).unwrap();
        } else if logs || e.file_name() != "logs" {
            copy(&a, &b, true);
        }
    }
}

impl Growing {
    fn new(family: Family, seed: u64) -> Growing {
        let dir = tempfile::tempdir().unwrap();
        let (whole, case, answer) = (
            dir.path().join("whole"),
            dir.path().join("case"),
            dir.path().join("answer"),
        );
        simulate(&Recipe::new(family, seed, 0.001), &whole).unwrap();
        let text = fs::read(whole.join("truth.json")).unwrap();
        let r = trial::run(&whole.join("case"), &Word::default()).unwrap();
        copy(&whole.join("case"), &case, false);
        let (keys, _) = Keys::generate(&mut |b| b.fill(7));
        keys.save(&answer.join("keys")).unwrap();
        Lake::create(&answer.join("lake"), &keys, 0).unwrap();
        let mut when: BTreeMap<FileId, Vec<(Nanos, usize)>> = BTreeMap::new();
        let (mut from, mut to) = (Nanos::MAX, Nanos::MIN);
        for (file, batch) in &r.door.batches {
            let list = when.entry(*file).or_default();
            for e in batch.iter() {
                let last = list.last().copied().unwrap_or((Nanos::MIN, 0));
                let t = if e.time == NO_TIME { last.0 } else { e.time };
                let end = (e.offset + e.len) as usize;
                list.push((t.max(last.0), end.max(last.1)));
                if e.time != NO_TIME {
                    (from, to) = (from.min(e.time), to.max(e.time));
                }
            }
        }
        let files = r
            .case
            .files
            .iter()
            .enumerate()
            .map(|(i, f)| {
                let at = when.remove(&(i as FileId)).unwrap_or_default();
                // A log that still grows is not packed yet.
                let mut bytes = vec![];
                let mut content = open(&f.path, &Limits::default()).unwrap();
                content.read_to_end(&mut bytes).unwrap();
                let rel = f.rel.trim_end_matches(".gz").trim_end_matches(".zst");
                (rel.to_string(), bytes, at)
            })
            .collect();
        Growing {
            truth: serde_json::from_slice(&text).unwrap(),
            options: WatchOptions {
                case,
                answer,
                lake: None,
                keys: None,
                word: Word::default(),
                days: 60,
                threads: 1,
            },
            files,
            from,
            to,
            _dir: dir,
        }
    }
    /// Lets the files be what they are at `t`.
    fn grow(&self, t: Nanos) {
        for (rel, bytes, at) in &self.files {
            let n = at.partition_point(|x| x.0 < t);
            let end = if n == at.len() {
                bytes.len()
            } else if n == 0 {
                0
            } else {
                at[n - 1].1
            };
            // A whole line with its end, and the first bytes of the next one.
            let end = bytes[end..]
                .iter()
                .position(|b| *b == b'\n')
                .map_or(bytes.len(), |p| (end + p + 12).min(bytes.len()));
            let end = if n == 0 { 0 } else { end };
            let path = self.options.case.join(rel);
            let have = fs::metadata(&path).map_or(0, |m| m.len() as usize);
            if end > have {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                let mut all = fs::OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(&path)
                    .unwrap();
                io::Write::write_all(&mut all, &bytes[have..end]).unwrap();
            }
        }
    }
    fn first(&self) -> Nanos {
        let bad = self.truth.sessions.iter().filter(|s| s.actor == "intruder");
        bad.filter_map(|s| from_rfc3339(&s.from)).min().unwrap()
    }
}

/// In memory; the writes whose number is in `broken` leave half a line and fail.
#[derive(Default)]
struct Paper {
    bytes: Vec<u8>,
    writes: usize,
    broken: BTreeSet<usize>,
}
impl Book for Paper {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.bytes.clone())
    }
    fn write(&mut self, at: u64, line: &[u8]) -> io::Result<()> {
        self.writes += 1;
        self.bytes.truncate(at as usize);
        let whole = !self.broken.contains(&self.writes);
        let n = if whole { line.len() } else { line.len() / 2 };
        self.bytes.extend_from_slice(&line[..n]);
        if whole {
            Ok(())
        } else {
            Err(io::Error::other("the disk is full"))
        }
    }
}
impl Paper {
    fn lines(&self) -> Vec<AlarmLine> {
        let text = std::str::from_utf8(&self.bytes).unwrap();
        text.lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect()
    }
}

/// Every place of every file cannot be read the first time it is asked for; reads come in small parts.
#[derive(Default)]
struct Bad(RefCell<BTreeSet<(PathBuf, u64)>>);
impl Disk for Bad {
    fn len(&self, path: &Path) -> io::Result<u64> {
        Local.len(path)
    }
    fn read(&self, path: &Path, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        if self.0.borrow_mut().insert((path.to_path_buf(), offset)) {
            return Err(io::Error::other("the share is away"));
        }
        let n = into.len().min(100_000);
        Local.read(path, offset, &mut into[..n])
    }
}

#[test]
fn told_in_time_once_and_without_a_name() {
    let g = Growing::new(Family::S2, 4);
    let first = g.first();
    let mut paper = Paper::default();
    let mut watch = Watch::open(&g.options, &mut paper).unwrap();
    g.grow(first);
    let calm = watch.step(first, &Local, &mut paper).unwrap();
    assert!(calm.alarms.is_empty() && calm.trouble.is_empty() && calm.events > 0);
    let mut now = first;
    let alarm = loop {
        now += TICK;
        g.grow(now);
        let step = watch.step(now, &Local, &mut paper).unwrap();
        if let Some(a) = step.alarms.into_iter().next() {
            break a;
        }
        assert!(now < first + 3_600_000_000_000, "no alarm in an hour");
    };
    assert!(now <= first + 60_000_000_000, "told at {}", alarm.at);
    assert_eq!(paper.lines(), [alarm]);
    let text = String::from_utf8(paper.bytes.clone()).unwrap();
    for s in &g.truth.sessions {
        let name = trial::norm(&s.account);
        assert!(!text.contains(&name), "an account in clear");
        assert!(s.address.as_ref().is_none_or(|a| !text.contains(a)));
    }
    assert!(
        watch
            .step(now, &Local, &mut paper)
            .unwrap()
            .alarms
            .is_empty()
    );
}

/// Watches from before the intruder to the end in a few looks; `restart`: a new process at each look.
fn told(g: &Growing, disk: &dyn Disk, paper: &mut Paper, restart: bool) -> BTreeSet<String> {
    for (rel, ..) in &g.files {
        drop(fs::remove_file(g.options.case.join(rel)));
    }
    let (first, mut looks) = (g.first(), 0);
    let mut watch = Watch::open(&g.options, paper).unwrap();
    for part in 0..=3 {
        let now = first + (g.to + 1 - first) / 3 * part;
        g.grow(if part == 3 { Nanos::MAX } else { now });
        if restart {
            watch = Watch::open(&g.options, paper).unwrap();
        }
        // What failed is tried again, until nothing is left.
        loop {
            let step = watch.step(now, disk, paper).unwrap();
            if step.trouble.is_empty() && step.events == 0 {
                break;
            }
            looks += 1;
            assert!(looks < 10_000);
        }
    }
    paper.lines().into_iter().map(|a| a.who).collect()
}

#[test]
fn failing_disks_and_restarts_lose_and_repeat_nothing() {
    let g = Growing::new(Family::S2, 4);
    let mut paper = Paper::default();
    let expected = told(&g, &Local, &mut paper, false);
    assert!(!expected.is_empty());
    let mut torn = Paper {
        broken: BTreeSet::from([1, 2, 5]),
        ..Paper::default()
    };
    assert_eq!(told(&g, &Bad::default(), &mut torn, false), expected);
    let mut again = Paper::default();
    assert_eq!(told(&g, &Local, &mut again, true), expected);
    for p in [&torn, &again] {
        let lines = p.lines();
        for (i, a) in lines.iter().enumerate() {
            let at = from_rfc3339(&a.at).unwrap();
            let before = lines[..i].iter().rfind(|b| b.who == a.who);
            let quiet = before.is_none_or(|b| at - from_rfc3339(&b.at).unwrap() >= DAY);
            assert!(quiet, "told twice in a day");
        }
    }
}

#[test]
fn a_clean_month_is_silent_enough() {
    let g = Growing::new(Family::Clean, 1);
    let mut paper = Paper::default();
    let mut watch = Watch::open(&g.options, &mut paper).unwrap();
    let mut now = g.from;
    while now < g.to + DAY {
        now += DAY;
        g.grow(now);
        let step = watch.step(now, &Local, &mut paper).unwrap();
        assert!(step.alarms.len() <= 3, "{:?}", step.alarms);
    }
    let days = ((g.to - g.from) / DAY + 1) as usize;
    assert!(
        paper.lines().len() * 10 <= days,
        "{} alarms",
        paper.lines().len()
    );
    let (known, all) = watch.files();
    assert!(known > 0 && all >= known);
}
