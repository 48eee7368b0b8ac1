//! Intake: every file of a case is decoded, sealed, sessionised and observed in one pass.
//!
//! A file passes through four stages, each strictly in file order: decoding; sealing the bytes; sealing the rows; sessions and
//! coverage. Stages of one file work side by side, so that one big file keeps every core busy, and nothing depends on their
//! pace: the same bytes come out on any number of threads. Few blocks are on their way at a time, which bounds memory.
use super::{
    JobError, Outside, Progress,
    crew::{Crew, LAST},
    permits::held,
};
use ampleur_event::{Event, EventBatch, Nanos};
use ampleur_evidence::{
    Checkpoint, Cut, EvidenceError, Lake, RawHalf, RowHalf, SealedSegment, SegmentMeta,
    SegmentWriter, Use,
};
use ampleur_extent::coverage::{Counts, Gathered, Observation, Observer};
use ampleur_session::{FileIntake, Partial, Parties};
use ampleur_sources::{
    Reason, Reject, Source,
    case::{Case, FileId},
    reader::{FileReport, FileSink, Job, Limits, Piece, SinkError, read_what_can_be_read},
};
use std::{
    any::Any,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// Files smaller than this go through their stages on one thread: handing blocks over would cost more than it brings.
const STAGED_FROM: u64 = 256 << 10;
/// So much may wait for the stages of a file: a block (1 MiB of evidence and its rows) waits for two of them at a time.
const WAITING: usize = 8;
/// A block that grew beyond this is not kept for the next use.
const KEPT_BYTES: usize = 16 << 20;

/// What one pass over the evidence leaves behind. Each list has one entry per file, in order of [`FileId`].
pub struct Intake {
    pub reports: Vec<FileReport>,
    pub partials: Vec<Partial>,
    pub observations: Vec<Observation>,
    pub checkpoint: Checkpoint,
}

struct OneFile {
    report: FileReport,
    partial: Partial,
    segments: Vec<SealedSegment>,
}

/// Somebody else who looks at the rows of a file as they are read, in clear and in order of the file.
pub trait Looker: Send {
    fn row(&mut self, event: &Event<'_>);
    /// The file is read to its end. A looker dropped without it was at a file that is read again.
    fn end(self: Box<Self>);
}

/// Gives a looker for each file; called from several threads.
pub trait Looking: Sync {
    fn file<'a>(&'a self, file: FileId, format: &str) -> Option<Box<dyn Looker + 'a>>;
}

/// Reads every file of `case` into `lake` with `threads` workers. The result does not depend on the number of workers.
///
/// Errors: a file that cannot be opened or a lake that cannot be written. Nothing is acknowledged unless this returns `Ok`.
pub fn intake(
    case: &Case,
    lake: &mut Lake,
    threads: usize,
    outside: &mut Outside<'_>,
    progress: &dyn Progress,
) -> Result<Intake, JobError> {
    intake_looked_at(case, lake, threads, outside, progress, None)
}

/// [`intake`], with somebody looking on.
pub fn intake_looked_at(
    case: &Case,
    lake: &mut Lake,
    threads: usize,
    outside: &mut Outside<'_>,
    progress: &dyn Progress,
    looking: Option<&dyn Looking>,
) -> Result<Intake, JobError> {
    progress.stage("intake", case.files.iter().map(|f| f.size).sum());
    let salts: Vec<[u8; 32]> = case
        .files
        .iter()
        .map(|_| {
            let mut salt = [0u8; 32];
            (outside.random)(&mut salt);
            salt
        })
        .collect();
    // The largest files first, so that no worker is left alone with one at the end.
    let mut order: Vec<FileId> = (0..case.files.len() as u32).collect();
    order.sort_by_key(|f| (std::cmp::Reverse(case.files[*f as usize].size), *f));
    let taken = Mutex::new(Taken::default());
    let done: Mutex<Vec<(FileId, Result<OneFile, JobError>)>> = Mutex::new(Vec::new());
    let gathered = Mutex::new(Gathered::default());
    let threads = threads.clamp(1, 64);
    let work = Work {
        case,
        lake,
        at: outside.now,
        threads,
        crew: Crew::new(threads),
        spare: Mutex::new(vec![]),
        progress,
        looking,
    };
    let serve = || {
        let run = |task| work.run(task);
        loop {
            if let Some(task) = work.crew.next() {
                run(task);
                continue;
            }
            let Some(file) = held(&taken).next(&order) else {
                let all = &mut || held(&taken).is_all(&order);
                return work.crew.until(false, all, &run);
            };
            // Those who wait for the last file are told also where reading it panics.
            let ended = Ended(&taken, &work.crew);
            let result = work.file(file, salts[file as usize]);
            if result.is_err() {
                held(&taken).stop = true;
            }
            let result = result.map(|(one, observation)| {
                held(&gathered).take(observation);
                one
            });
            held(&done).push((file, result));
            drop(ended);
        }
    };
    std::thread::scope(|scope| {
        // One more than work at once: the end of a file waits for the disk, and the others go on meanwhile.
        let open = if threads > 1 { threads + 1 } else { 1 };
        for _ in 0..open {
            scope.spawn(|| work.crew.permits.with(serve));
        }
    });
    drop(work);
    let mut files = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    files.sort_by_key(|(file, _)| *file);
    let (mut reports, mut partials, mut segments) = (vec![], vec![], vec![]);
    for (_, result) in files {
        let one = result?;
        for note in &one.report.notes {
            progress.note(&format!(
                "{}: {note}",
                case.files[one.report.file as usize].rel
            ));
        }
        if let Some(note) = rejected(&one.report) {
            progress.note(&format!(
                "{}: {note}",
                case.files[one.report.file as usize].rel
            ));
        }
        reports.push(one.report);
        partials.push(one.partial);
        segments.extend(one.segments);
    }
    let again = segments.iter().filter(|s| s.taken_up()).count();
    if again > 0 {
        progress.note(&format!(
            "{again} segments sealed by a run that was stopped were taken up again"
        ));
    }
    let records: u64 = reports.iter().map(|r| r.records).sum();
    let at = outside.now;
    let ingest = Use {
        at,
        actor: outside.actor.clone(),
        action: "ingest".into(),
        detail: format!("{} files, {records} records", reports.len()),
    };
    let checkpoint = lake.commit(segments, vec![ingest], at)?;
    let gathered = gathered
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    Ok(Intake {
        reports,
        partials,
        observations: gathered.into_list(),
        checkpoint,
    })
}

/// Files begun, and those of them that are not at their end.
#[derive(Default)]
struct Taken {
    begun: usize,
    open: usize,
    /// A file failed: none is begun any more.
    stop: bool,
}

impl Taken {
    fn next(&mut self, order: &[FileId]) -> Option<FileId> {
        let file = order.get(self.begun).filter(|_| !self.stop)?;
        self.begun += 1;
        self.open += 1;
        Some(*file)
    }
    fn is_all(&self, order: &[FileId]) -> bool {
        self.open == 0 && (self.stop || self.begun == order.len())
    }
}

struct Ended<'t, 'a>(&'t Mutex<Taken>, &'t Crew<Task<'a>>);
impl Drop for Ended<'_, '_> {
    fn drop(&mut self) {
        let mut taken = held(self.0);
        taken.open -= 1;
        taken.stop |= std::thread::panicking();
        drop(taken);
        self.1.changed();
    }
}

/// What could not be read of one file: how much, where it begins, and what to do about it. Nothing of the records themselves.
fn rejected(report: &FileReport) -> Option<String> {
    let first = report.reject_list.first()?;
    let advice = match first.reason {
        Reason::UnknownFormat => {
            "name its format in ampleur.toml ([[source]] files, format); `ampleur sources list` shows those there are"
        }
        Reason::Damaged | Reason::Capped | Reason::Truncated => {
            "ask for the file again, whole; what can be read has been"
        }
        Reason::TooLong => {
            "look whether it is one log or several joined; the other records have been read"
        }
        _ => "`ampleur decode FILE` shows each of them",
    };
    Some(format!(
        "{} of {} records not understood, kept and counted; the first is record {} at byte {}, {} bytes: {}; {advice}",
        report.rejects, report.records, first.record, first.offset, first.len, first.reason
    ))
}

/// One block of a file on its way through the stages.
#[derive(Default)]
struct Block {
    /// As received, decompressed, and the offset of their end in the file.
    bytes: Vec<u8>,
    end: u64,
    events: EventBatch,
    rejects: Vec<Reject>,
}

impl Block {
    fn size(&self) -> usize {
        self.bytes.capacity() + self.events.bytes()
    }
}

struct Work<'a> {
    case: &'a Case,
    lake: &'a Lake,
    at: Nanos,
    threads: usize,
    crew: Crew<Task<'a>>,
    /// Blocks whose memory is used again.
    spare: Mutex<Vec<Block>>,
    progress: &'a dyn Progress,
    looking: Option<&'a dyn Looking>,
}

impl<'a> Work<'a> {
    /// One file; once more from its beginning when it is not what a stopped run had sealed of it.
    fn file(&self, file: FileId, salt: [u8; 32]) -> Result<(OneFile, Observation), JobError> {
        loop {
            match self.one_file(file, salt) {
                Err(JobError::Evidence(EvidenceError::Changed { .. })) => {}
                other => return other,
            }
        }
    }
    /// Whatever the rows of a file depend on besides its bytes.
    fn settings(&self, file: FileId, format: &str) -> String {
        let s = self.case.setting(file);
        let zone = s
            .zone
            .as_ref()
            .map(|z| (z.iana_name(), z.to_fixed_offset().ok()));
        format!(
            "{} {format} {zone:?} {} {:?} {:?} {:?} {:?}",
            env!("CARGO_PKG_VERSION"),
            s.clock_offset,
            s.accounts,
            s.layout,
            s.year_hint,
            s.not_after
        )
    }
    fn one_file(&self, file: FileId, salt: [u8; 32]) -> Result<(OneFile, Observation), JobError> {
        let seal = Seal {
            file,
            salt,
            format: UNKNOWN,
            part: 0,
            start: 0,
            open: None,
            rejects: 0,
            by_records: false,
        };
        let rows = Rows::default();
        let staged = self.threads > 1 && self.case.files[file as usize].size >= STAGED_FROM;
        let read = |sink: &mut dyn FileSink| {
            read_what_can_be_read(self.case, file, &Limits::default(), sink)
                .map_err(|e| JobError::file("read", &self.case.files[file as usize].path, e))
        };
        let (report, segments, lookers) = if staged {
            let pipe = Arc::new(Pipe {
                file,
                seal: Stage::new(seal),
                rows: Stage::new(rows),
                look: Stage::new(None),
                sealed: Mutex::new(vec![]),
                open: AtomicUsize::new(0),
                stopped: AtomicBool::new(false),
                failure: Mutex::new(None),
            });
            let mut decode = Decode {
                work: self,
                pipe: &pipe,
                read_before: 0,
            };
            let report = read(&mut decode);
            match &report {
                Ok(r) => self.to_seal(&pipe, ToSeal::End(r.skipped)),
                Err(_) => pipe.stopped.store(true, Ordering::Release),
            }
            self.until(&pipe, 1);
            // Why a stage failed is the cause: reading found nobody to hand to.
            match held(&pipe.failure).take() {
                Some(Failure::Error(e)) => return Err(e),
                Some(Failure::Panic(panic)) => resume_unwind(panic),
                None => {}
            }
            let mut segments = std::mem::take(&mut *held(&pipe.sealed));
            segments.sort_by_key(|(place, _)| *place);
            let segments = segments.into_iter().map(|(_, s)| s).collect();
            let lookers = held(&pipe.look.state).take();
            (report?, segments, lookers)
        } else {
            let mut inline = Inline {
                work: self,
                file,
                seal,
                rows,
                sealed: vec![],
                lookers: None,
                read_before: 0,
            };
            let report = read(&mut inline)?;
            let (mut seal, mut rows) = (inline.seal, inline.rows);
            let mut sealed = inline.sealed;
            seal.close(report.skipped, &mut |x| {
                let whole = rows.take(self, x)?;
                sealed.extend(whole.map(|w| w.finish(self)).transpose()?);
                Ok(())
            })?;
            (report, sealed, inline.lookers)
        };
        let counts = Counts {
            records: report.records,
            events: report.events,
            rejects: report.rejects,
            skipped: report.skipped,
            cut_short: report.cut_short,
        };
        let l = lookers.unwrap_or_else(|| self.lookers(file, UNKNOWN));
        let (partial, observation) = (l.intake.finish(), l.observer.finish(counts));
        if let Some(other) = l.other {
            other.end();
        }
        let one = OneFile {
            report,
            partial,
            segments,
        };
        Ok((one, observation))
    }

    fn fill(&self, block: &mut Block, piece: Piece<'_>) {
        block.end = piece.offset + piece.bytes.len() as u64;
        // The reader goes on in the memory of an earlier block, and so does the decoder.
        std::mem::swap(&mut block.bytes, piece.bytes);
        piece.bytes.clear();
        block.rejects.clear();
        block.rejects.extend_from_slice(piece.rejects);
        std::mem::swap(&mut block.events, piece.events);
        piece.events.clear();
    }

    /// The last stage that held a block gives its memory back.
    fn release(&self, block: Arc<Block>) {
        if let Some(b) = Arc::into_inner(block) {
            self.keep(b);
        }
    }
    fn keep(&self, block: Block) {
        if block.size() <= KEPT_BYTES {
            held(&self.spare).push(block);
        }
    }
    fn lookers(&self, file: FileId, format: &'static str) -> Lookers<'a> {
        Lookers {
            parties: Parties::default(),
            intake: FileIntake::new(self.case, file, format),
            observer: Observer::new(file, self.case.source_of(file), format),
            other: self.looking.and_then(|l| l.file(file, format)),
        }
    }
}

/// Something to be done by whoever has time.
enum Task<'a> {
    /// A part of a file to be decoded.
    Decode(Job),
    /// The next that waits for a stage.
    Seal(Arc<Pipe<'a>>),
    Rows(Arc<Pipe<'a>>),
    Look(Arc<Pipe<'a>>),
    Finish(Arc<Pipe<'a>>, Whole),
}

impl Task<'_> {
    fn rank(&self) -> usize {
        match self {
            Task::Finish(..) | Task::Rows(_) => 0,
            Task::Look(_) => 1,
            Task::Seal(_) => 2,
            Task::Decode(_) => LAST,
        }
    }
}

/// The stages of a file behind its decoding.
struct Pipe<'a> {
    file: FileId,
    seal: Stage<ToSeal, Seal>,
    rows: Stage<ToRows, Rows>,
    look: Stage<ToLook, Option<Lookers<'a>>>,
    /// Segments at their end, by their places.
    sealed: Mutex<Vec<(usize, SealedSegment)>>,
    /// Given to stages and not done.
    open: AtomicUsize,
    /// What still waits is dropped.
    stopped: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

enum Failure {
    Error(JobError),
    /// A violated invariant: goes on in the thread that reads the file.
    Panic(Box<dyn Any + Send>),
}

impl Pipe<'_> {
    /// The first failure is the cause of the others.
    fn fail(&self, failure: Failure) {
        held(&self.failure).get_or_insert(failure);
        self.stopped.store(true, Ordering::Release);
    }
}

/// A stage and what waits for it. One thread at a time is at work in it.
struct Stage<T, S> {
    queue: Mutex<Queue<T>>,
    state: Mutex<S>,
}

struct Queue<T> {
    waiting: VecDeque<T>,
    /// There is a task for it, or somebody at work.
    called: bool,
}

impl<T, S> Stage<T, S> {
    fn new(state: S) -> Stage<T, S> {
        Stage {
            queue: Mutex::new(Queue {
                waiting: VecDeque::new(),
                called: false,
            }),
            state: Mutex::new(state),
        }
    }
    /// True when somebody is to be called for it.
    fn push(&self, item: T) -> bool {
        let mut queue = held(&self.queue);
        queue.waiting.push_back(item);
        !std::mem::replace(&mut queue.called, true)
    }
    /// True when somebody is to be called again.
    fn goes_on(&self) -> bool {
        let mut queue = held(&self.queue);
        queue.called = !queue.waiting.is_empty();
        queue.called
    }
}

impl<'a> Work<'a> {
    fn give(&self, task: Task<'a>) {
        self.crew.give(task.rank(), task);
    }
    fn to_seal(&self, pipe: &Arc<Pipe<'a>>, what: ToSeal) {
        pipe.open.fetch_add(1, Ordering::AcqRel);
        if pipe.seal.push(what) {
            self.give(Task::Seal(pipe.clone()));
        }
    }
    fn to_rows(&self, pipe: &Arc<Pipe<'a>>, what: ToRows) {
        pipe.open.fetch_add(1, Ordering::AcqRel);
        if pipe.rows.push(what) {
            self.give(Task::Rows(pipe.clone()));
        }
    }
    fn to_look(&self, pipe: &Arc<Pipe<'a>>, what: ToLook) {
        pipe.open.fetch_add(1, Ordering::AcqRel);
        if pipe.look.push(what) {
            self.give(Task::Look(pipe.clone()));
        }
    }
    /// Works until less than so much waits for the stages of a file.
    fn until(&self, pipe: &Pipe<'a>, less_than: usize) {
        let mut done = || pipe.open.load(Ordering::Acquire) < less_than;
        self.crew.until(false, &mut done, &|task| self.run(task));
    }
    fn run(&self, task: Task<'a>) {
        match task {
            // What a decoder that panics leaves undone is missed by the one who reads.
            Task::Decode(job) => drop(catch_unwind(AssertUnwindSafe(job))),
            Task::Seal(pipe) => {
                let one = |item, seal: &mut Seal| {
                    seal.item(self, item, &mut |x| {
                        self.to_rows(&pipe, x);
                        Ok(())
                    })
                };
                if self.step(&pipe, &pipe.seal, one) {
                    self.give(Task::Seal(pipe));
                }
            }
            Task::Rows(pipe) => {
                let one = |item, rows: &mut Rows| {
                    if let Some(whole) = rows.take(self, item)? {
                        pipe.open.fetch_add(1, Ordering::AcqRel);
                        self.give(Task::Finish(pipe.clone(), whole));
                    }
                    Ok(())
                };
                if self.step(&pipe, &pipe.rows, one) {
                    self.give(Task::Rows(pipe));
                }
            }
            Task::Finish(pipe, whole) => self.guarded(&pipe, || {
                let place = whole.place;
                let sealed = whole.finish(self)?;
                held(&pipe.sealed).push((place, sealed));
                Ok(())
            }),
            Task::Look(pipe) => {
                let one = |item, lookers: &mut Option<Lookers<'a>>| {
                    look(self, pipe.file, lookers, item);
                    Ok(())
                };
                if self.step(&pipe, &pipe.look, one) {
                    self.give(Task::Look(pipe));
                }
            }
        }
        self.crew.changed();
    }
    /// Does the next that waits for a stage; true when more does.
    fn step<T, S>(
        &self,
        pipe: &Pipe<'a>,
        stage: &Stage<T, S>,
        one: impl FnOnce(T, &mut S) -> Result<(), JobError>,
    ) -> bool {
        let item = held(&stage.queue).waiting.pop_front();
        if let Some(item) = item {
            self.guarded(pipe, || one(item, &mut held(&stage.state)));
        }
        stage.goes_on()
    }
    /// Does one of what is open, unless the file is given up.
    fn guarded(&self, pipe: &Pipe<'a>, one: impl FnOnce() -> Result<(), JobError>) {
        if !pipe.stopped.load(Ordering::Acquire) {
            match catch_unwind(AssertUnwindSafe(one)) {
                Ok(Ok(())) => {}
                Ok(Err(e)) => pipe.fail(Failure::Error(e)),
                Err(panic) => pipe.fail(Failure::Panic(panic)),
            }
        }
        pipe.open.fetch_sub(1, Ordering::AcqRel);
    }
}

enum ToSeal {
    /// Name of the source that claims the file.
    Begin(&'static str),
    Block(Arc<Block>),
    /// The end, with the number of records skipped in the whole file.
    End(u64),
}

enum ToRows {
    Begin(Box<RowHalf>),
    Block(Arc<Block>),
    /// The bytes of the segment are sealed; its rejects and skips.
    Seal(Box<RawHalf>, u64, u64),
}

enum ToLook {
    Begin(&'static str),
    Block(Arc<Block>),
}

/// First stage: decoding, on the thread that took the file.
struct Decode<'w, 'a> {
    work: &'w Work<'a>,
    pipe: &'w Arc<Pipe<'a>>,
    read_before: u64,
}

impl FileSink for Decode<'_, '_> {
    fn begin(&mut self, _: FileId, source: Option<&'static dyn Source>) -> Result<(), SinkError> {
        let format = source.map_or(UNKNOWN, |s| s.name());
        self.work.to_seal(self.pipe, ToSeal::Begin(format));
        self.work.to_look(self.pipe, ToLook::Begin(format));
        Ok(())
    }
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), SinkError> {
        let read = piece.read;
        let mut block = held(&self.work.spare).pop().unwrap_or_default();
        self.work.fill(&mut block, piece);
        let block = Arc::new(block);
        self.work.until(self.pipe, WAITING);
        if self.pipe.stopped.load(Ordering::Acquire) {
            return Err("a later stage has stopped".into());
        }
        (self.work).to_look(self.pipe, ToLook::Block(block.clone()));
        self.work.to_seal(self.pipe, ToSeal::Block(block));
        self.work
            .progress
            .advance(read.saturating_sub(self.read_before));
        self.read_before = self.read_before.max(read);
        Ok(())
    }
    fn hands(&self) -> usize {
        self.work.threads
    }
    fn soon(&mut self, job: Job) {
        self.work.give(Task::Decode(job));
    }
    fn idle(&mut self, done: &mut dyn FnMut() -> bool) {
        let run = |task| self.work.run(task);
        self.work.crew.until(true, done, &run);
    }
}

const UNKNOWN: &str = "unknown";

/// Second stage: the bytes.
struct Seal {
    file: FileId,
    salt: [u8; 32],
    format: &'static str,
    part: u32,
    /// Offset of the open segment's first byte.
    start: u64,
    open: Option<RawHalf>,
    /// Rejects of the open segment.
    rejects: u64,
    /// Leaves are cut where records begin and end: there are no lines, or many records on one.
    by_records: bool,
}

/// Binary formats have no lines: event log files of Windows and journals of systemd begin with these, login records of Linux with a
/// small number.
fn is_binary(bytes: &[u8]) -> bool {
    let signed = [b"ElfFile\0", b"LPKSHHRH"];
    signed.iter().any(|s| bytes.starts_with(*s)) || matches!(bytes, [_, 0, 0, 0, ..])
}

impl Block {
    /// Where its records begin and end, ascending: one record is proven without its neighbours.
    fn places(&self) -> Vec<u64> {
        let events = self.events.iter().map(|e| (e.offset, e.len));
        let rejects = self.rejects.iter().map(|r| (r.offset, r.len));
        let mut all: Vec<u64> = events
            .chain(rejects)
            .flat_map(|(offset, len)| [offset, offset.saturating_add(len)])
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Seal {
    fn item(
        &mut self,
        work: &Work<'_>,
        item: ToSeal,
        out: &mut dyn FnMut(ToRows) -> Result<(), JobError>,
    ) -> Result<(), JobError> {
        match item {
            ToSeal::Begin(format) => {
                self.format = format;
                Ok(())
            }
            ToSeal::Block(block) => self.take(work, block, out),
            ToSeal::End(skipped) => self.close(skipped, out),
        }
    }
    fn take(
        &mut self,
        work: &Work<'_>,
        block: Arc<Block>,
        out: &mut dyn FnMut(ToRows) -> Result<(), JobError>,
    ) -> Result<(), JobError> {
        let mut half = match self.open.take() {
            Some(half) => half,
            None => {
                let meta = SegmentMeta {
                    file: work.case.files[self.file as usize].rel.clone(),
                    format: if self.format == UNKNOWN {
                        String::new()
                    } else {
                        self.format.to_string()
                    },
                    part: self.part,
                    start: self.start,
                    at: work.at,
                };
                let mut salt = self.salt;
                for (s, p) in salt.iter_mut().zip(self.part.to_le_bytes()) {
                    *s ^= p;
                }
                let settings = work.settings(self.file, self.format);
                let writer = work.lake.begin_again(meta, salt, &settings)?;
                let (half, rows) = writer.split();
                out(ToRows::Begin(Box::new(rows)))?;
                half
            }
        };
        if block.end == block.bytes.len() as u64 {
            let several = block.events.len() + block.rejects.len() > 1;
            self.by_records = is_binary(&block.bytes) || several && !block.bytes.contains(&b'\n');
        }
        if self.by_records {
            half.raw(&block.bytes, Cut::At(&block.places()))?;
        } else {
            half.raw(&block.bytes, Cut::Lines)?;
        }
        self.rejects += block.rejects.len() as u64;
        let end = block.end;
        out(ToRows::Block(block))?;
        if half.is_full() {
            self.part += 1;
            self.start = end;
            // The decoder tells skips only at the end of the file; they are booked with its last segment.
            out(ToRows::Seal(
                Box::new(half),
                std::mem::take(&mut self.rejects),
                0,
            ))
        } else {
            self.open = Some(half);
            Ok(())
        }
    }
    fn close(
        &mut self,
        skipped: u64,
        out: &mut dyn FnMut(ToRows) -> Result<(), JobError>,
    ) -> Result<(), JobError> {
        match self.open.take() {
            Some(half) => out(ToRows::Seal(
                Box::new(half),
                std::mem::take(&mut self.rejects),
                skipped,
            )),
            None => Ok(()),
        }
    }
}

/// Third stage: the rows.
#[derive(Default)]
struct Rows {
    half: Option<RowHalf>,
    /// Segments whose rows are all there.
    whole: usize,
}

impl Rows {
    /// Whatever comes last in a segment gives it whole.
    fn take(&mut self, work: &Work<'_>, next: ToRows) -> Result<Option<Whole>, JobError> {
        match (next, &mut self.half) {
            (ToRows::Begin(half), open) => *open = Some(*half),
            (ToRows::Block(block), Some(half)) => {
                half.events(&block.events)?;
                work.release(block);
            }
            (ToRows::Seal(raw, rejects, skipped), open) => {
                if let Some(half) = open.take() {
                    self.whole += 1;
                    return Ok(Some(Whole {
                        place: self.whole,
                        writer: Box::new(SegmentWriter::join(*raw, half)),
                        rejects,
                        skipped,
                    }));
                }
            }
            (ToRows::Block(block), None) => work.release(block),
        }
        Ok(None)
    }
}

/// A segment to be brought to its end.
struct Whole {
    /// Which of the file.
    place: usize,
    writer: Box<SegmentWriter>,
    rejects: u64,
    skipped: u64,
}

impl Whole {
    /// With a permit, given back meanwhile: the end of a segment mostly waits for the disk, and the others go on.
    fn finish(self, work: &Work<'_>) -> Result<SealedSegment, JobError> {
        let Whole {
            writer,
            rejects,
            skipped,
            ..
        } = self;
        let finish = || writer.finish(rejects, skipped);
        Ok(work.crew.permits.without(finish)?)
    }
}

/// Fourth stage: what the rows mean, for sessions, for coverage and for whoever else looks.
struct Lookers<'a> {
    /// Whose rows they are, for both.
    parties: Parties,
    intake: FileIntake,
    observer: Observer,
    other: Option<Box<dyn Looker + 'a>>,
}

fn look<'a>(work: &Work<'a>, file: FileId, lookers: &mut Option<Lookers<'a>>, item: ToLook) {
    match item {
        ToLook::Begin(format) => *lookers = Some(work.lookers(file, format)),
        ToLook::Block(block) => {
            if let Some(lookers) = lookers {
                see(lookers, &block);
            }
            work.release(block);
        }
    }
}

fn see(lookers: &mut Lookers<'_>, block: &Block) {
    let Lookers {
        parties,
        intake,
        observer,
        other,
    } = lookers;
    parties.read(&block.events);
    intake.push_known(&block.events, parties);
    observer.rejects(&block.rejects);
    observer.batch_known(&block.events, parties);
    if let Some(other) = other {
        block.events.iter().for_each(|e| other.row(&e));
    }
}

/// All stages of a small file, one after the other.
struct Inline<'w, 'a> {
    work: &'w Work<'a>,
    file: FileId,
    seal: Seal,
    rows: Rows,
    sealed: Vec<SealedSegment>,
    lookers: Option<Lookers<'a>>,
    read_before: u64,
}

impl FileSink for Inline<'_, '_> {
    fn begin(&mut self, _: FileId, source: Option<&'static dyn Source>) -> Result<(), SinkError> {
        self.seal.format = source.map_or(UNKNOWN, |s| s.name());
        self.lookers = Some(self.work.lookers(self.file, self.seal.format));
        Ok(())
    }
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), SinkError> {
        let read = piece.read;
        let mut block = held(&self.work.spare).pop().unwrap_or_default();
        self.work.fill(&mut block, piece);
        if let Some(lookers) = &mut self.lookers {
            see(lookers, &block);
        }
        let (seal, rows, work) = (&mut self.seal, &mut self.rows, self.work);
        let sealed = &mut self.sealed;
        seal.take(work, Arc::new(block), &mut |x| {
            let whole = rows.take(work, x)?;
            sealed.extend(whole.map(|w| w.finish(work)).transpose()?);
            Ok(())
        })?;
        self.work
            .progress
            .advance(read.saturating_sub(self.read_before));
        self.read_before = self.read_before.max(read);
        Ok(())
    }
}
