//! Watching: log files of a case are followed while they grow, and what becomes the intruder's is told once, in time.
//!
//! Nothing is sent anywhere: an alarm is a line of `alarms.jsonl` in the answer's folder, which is also all that is remembered
//! from one run to the next. A line holds no account, address or name: tokens of the lake's keys, the id of the session, codes.
use super::{JobError, overrule, profiles};
use ampleur_detect::{
    Word,
    live::{Alarm, Live, QUIET},
};
use ampleur_event::{
    EventBatch,
    session::Reason,
    time::{DAY, NO_TIME, Nanos, from_rfc3339, rfc3339},
};
use ampleur_evidence::{Keys, Lake};
use ampleur_sources::{
    Source,
    case::{Case, FileId},
    follow::{Disk, Follower, Look},
    reader::{FileSink, Limits, Piece, SinkError, read_file},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Version of a line.
pub const ALARM: &str = "ampleur.alarm/1";
/// Name of the file of alarms in the answer's folder.
pub const ALARMS: &str = "alarms.jsonl";

/// What is watched, and for whom.
#[derive(Debug, Clone)]
pub struct WatchOptions {
    pub case: PathBuf,
    /// Folder of an investigation: alarms are kept there.
    pub answer: PathBuf,
    pub lake: Option<PathBuf>,
    pub keys: Option<PathBuf>,
    pub word: Word,
    /// Days of sessions kept in memory; older ones live on as habits.
    pub days: u32,
    pub threads: usize,
}

/// One line of `alarms.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlarmLine {
    pub format: String,
    /// When it was told, UTC.
    pub at: String,
    /// First event of the session, UTC.
    pub since: String,
    /// Id of the session, as `ampleur sessions` prints it.
    pub session: String,
    /// Token of the account or, without one, of the address: equal for equal ones under one lake's keys.
    pub who: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    pub score: f32,
    /// (code, weight) of `docs/DETECTION.md`, heaviest first.
    pub reasons: Vec<(String, f32)>,
}

impl AlarmLine {
    fn of(a: &Alarm, keys: &Keys) -> AlarmLine {
        let code = |r: &Reason| (r.code.to_string(), (r.weight * 10.0).round() / 10.0);
        AlarmLine {
            format: ALARM.into(),
            at: rfc3339(a.at),
            since: rfc3339(a.from),
            session: a.session.clone(),
            who: keys.token(&format!("who|{}", a.who)),
            origin: a.address.map(|o| keys.token(&format!("address|{o}"))),
            score: (a.score * 10.0).round() / 10.0,
            reasons: a
                .reasons
                .iter()
                .filter(|r| r.weight != 0.0)
                .map(code)
                .collect(),
        }
    }
}

/// Where alarms are kept; another one in tests.
pub trait Book {
    /// Everything there, empty when there is nothing yet.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&mut self) -> io::Result<Vec<u8>>;
    /// Writes `line` at `at`, over whatever an interrupted writing left behind it, so that it outlasts a loss of power.
    ///
    /// # Errors
    /// It may not be there, whole or in part; writing the same again is right.
    fn write(&mut self, at: u64, line: &[u8]) -> io::Result<()>;
}

/// A file.
pub struct BookFile(pub PathBuf);

impl Book for BookFile {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        /// Bytes. Alarms are few: a longer file is none of ours, and is not written to.
        const MOST: u64 = 1 << 28;
        let mut out = vec![];
        match std::fs::File::open(&self.0) {
            Ok(f) => f.take(MOST + 1).read_to_end(&mut out)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            Err(e) => return Err(e),
        };
        if out.len() as u64 > MOST {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "longer than 256 MiB: move it away, alarms go on in a new one",
            ));
        }
        Ok(out)
    }
    fn write(&mut self, at: u64, line: &[u8]) -> io::Result<()> {
        let mut f = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&self.0)?;
        f.set_len(at)?;
        f.seek(SeekFrom::Start(at))?;
        f.write_all(line)?;
        f.sync_all()
    }
}

/// What one step brought.
#[derive(Debug, Default)]
pub struct Step {
    /// New alarms, already in the book.
    pub alarms: Vec<AlarmLine>,
    pub events: u64,
    /// Files that could not be read or alarms that could not be kept: tried again at the next step. (what, why)
    pub trouble: Vec<(PathBuf, String)>,
}

/// A case being watched.
pub struct Watch {
    case: Case,
    live: Live,
    keys: Keys,
    files: BTreeMap<FileId, Follower>,
    /// Token → when it was told of last.
    said: BTreeMap<String, Nanos>,
    /// Alarms that are not in the book yet.
    unsaid: Vec<Alarm>,
    /// Whole lines of the book, in bytes.
    length: u64,
    newest: Nanos,
}

impl Watch {
    /// Opens the case and what is remembered of it. Nothing of its logs is read yet.
    ///
    /// Errors: there is no lake with its keys, the case or the book cannot be read.
    pub fn open(options: &WatchOptions, book: &mut dyn Book) -> Result<Watch, JobError> {
        let place = |given: &Option<PathBuf>, name: &str| {
            given.clone().unwrap_or_else(|| options.answer.join(name))
        };
        let keys = Keys::load(&place(&options.keys, "keys"))?;
        let lake = Lake::open(&place(&options.lake, "lake"), &keys)?;
        let past = profiles::load(&lake, &|_| {});
        let word = overrule::with_overrules(&options.word, lake.uses());
        let case = Case::open(&options.case)?;
        let at = options.answer.join(ALARMS);
        let bytes = book.read().map_err(|e| JobError::file("read", &at, e))?;
        // A line an interrupted writing left unfinished was never told.
        let length = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
        let mut said = BTreeMap::new();
        for line in bytes[..length]
            .split(|b| *b == b'\n')
            .filter(|l| !l.is_empty())
        {
            let a: AlarmLine =
                serde_json::from_slice(line).map_err(|e| JobError::file("read", &at, e))?;
            if a.format != ALARM {
                return Err(JobError::Refused(format!(
                    "{} holds lines of format `{}`, this version writes {ALARM}",
                    at.display(),
                    a.format
                )));
            }
            said.insert(a.who, from_rfc3339(&a.at).unwrap_or(0));
        }
        Ok(Watch {
            live: Live::new(past, word)
                .remembering(DAY * i64::from(options.days.max(1)))
                .on(options.threads),
            case,
            keys,
            files: BTreeMap::new(),
            said,
            unsaid: vec![],
            length: length as u64,
            newest: 0,
        })
    }

    /// Looks at every file once, judges if anything came, and keeps what is to be told. `now`: UTC nanoseconds.
    ///
    /// Errors: the case folder cannot be listed. Single files in trouble are in the step.
    pub fn step(
        &mut self,
        now: Nanos,
        disk: &dyn Disk,
        book: &mut dyn Book,
    ) -> Result<Step, JobError> {
        let mut step = Step::default();
        self.case.grow()?;
        for id in 0..self.case.files.len() as FileId {
            self.look(id, disk, &mut step);
        }
        // Logs of the past are judged at their own time, and a stamp from the future makes nobody forget.
        let at = self.newest.min(now);
        let new = self.live.tick(&self.case, at);
        self.unsaid.extend(new);
        self.tell(now, book, &mut step);
        Ok(step)
    }

    fn look(&mut self, id: FileId, disk: &dyn Disk, step: &mut Step) {
        let case = &self.case;
        let path = case.files[id as usize].path.clone();
        let mut taker = Taker {
            case,
            file: id,
            format: "unknown",
            live: &mut self.live,
            newest: &mut self.newest,
            events: &mut step.events,
        };
        let follower = self.files.entry(id).or_default();
        let mut setting = case.setting(id);
        // The file is not closed yet: stamps without a year may be later than its last writing.
        let written = case.files[id as usize].written;
        setting.not_after = written.map(|t| t.saturating_add(40 * DAY));
        let mut take = |format: &'static str, batch: &EventBatch| taker.take(format, batch);
        let failed = match follower.look(disk, &path, case.format_of(id), &setting, &mut take) {
            Ok(Look::Whole) => {
                taker.live.restart(id);
                let read = read_file(case, id, &Limits::default(), &mut taker);
                read.err().map(|e| {
                    follower.again();
                    e.to_string()
                })
            }
            Ok(_) => None,
            Err(e) => Some(e.to_string()),
        };
        step.trouble.extend(failed.map(|why| (path, why)));
    }

    fn tell(&mut self, now: Nanos, book: &mut dyn Book, step: &mut Step) {
        while let Some(mut a) = self.unsaid.first().cloned() {
            a.at = now;
            let line = AlarmLine::of(&a, &self.keys);
            let told = self.said.get(&line.who);
            if told.is_none_or(|t| now.saturating_sub(*t) >= QUIET) {
                let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
                bytes.push(b'\n');
                if let Err(e) = book.write(self.length, &bytes) {
                    step.trouble.push((PathBuf::from(ALARMS), e.to_string()));
                    return;
                }
                self.length += bytes.len() as u64;
                self.said.insert(line.who.clone(), now);
                step.alarms.push(line);
            }
            self.unsaid.remove(0);
        }
    }

    /// Records that could not be decoded so far.
    pub fn rejects(&self) -> u64 {
        self.files.values().map(|f| f.rejects).sum()
    }
    /// Files whose format is known, and all files.
    pub fn files(&self) -> (usize, usize) {
        let known = self.files.values().filter(|f| f.format().is_some());
        (known.count(), self.case.files.len())
    }
}

/// Takes the events of one file in: as it grows, or a piece at a time from its beginning to its end.
struct Taker<'a> {
    case: &'a Case,
    file: FileId,
    format: &'static str,
    live: &'a mut Live,
    newest: &'a mut Nanos,
    events: &'a mut u64,
}

impl Taker<'_> {
    fn take(&mut self, format: &'static str, batch: &EventBatch) {
        let times = batch.times().iter().copied().filter(|t| *t != NO_TIME);
        *self.newest = times.fold(*self.newest, Nanos::max);
        *self.events += batch.len() as u64;
        self.live.push(self.case, self.file, format, batch);
    }
}

impl FileSink for Taker<'_> {
    fn begin(&mut self, _: FileId, source: Option<&'static dyn Source>) -> Result<(), SinkError> {
        self.format = source.map_or("unknown", Source::name);
        Ok(())
    }
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), SinkError> {
        self.take(self.format, piece.events);
        piece.events.clear();
        Ok(())
    }
}

/// The book of alarms of an answer.
pub fn book(answer: &Path) -> BookFile {
    BookFile(answer.join(ALARMS))
}
