//! Intake: every file of a case is decoded, sealed, sessionised and observed in one pass.
use super::{JobError, Outside, Progress};
use ampleur_event::Nanos;
use ampleur_evidence::{Checkpoint, Cut, Lake, SealedSegment, SegmentMeta, SegmentWriter, Use};
use ampleur_extent::coverage::{Counts, Observation, Observer};
use ampleur_session::{FileIntake, Partial};
use ampleur_sources::{
    Reason, Source,
    case::{Case, FileId},
    reader::{FileReport, FileSink, Limits, Piece, SinkError, read_file},
};
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

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
    observation: Observation,
    segments: Vec<SealedSegment>,
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
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(FileId, Result<OneFile, JobError>)>> = Mutex::new(Vec::new());
    let (at, shared) = (outside.now, &*lake);
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, 64) {
            scope.spawn(|| {
                while let Some(file) = order.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                    let result = one_file(case, shared, file, salts[file as usize], at);
                    progress.advance(case.files[file as usize].size);
                    let failed = result.is_err();
                    done.lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .push((file, result));
                    if failed {
                        break;
                    }
                }
            });
        }
    });
    let mut files = done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    files.sort_by_key(|(file, _)| *file);
    let (mut reports, mut partials, mut observations, mut segments) =
        (vec![], vec![], vec![], vec![]);
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
        observations.push(one.observation);
        segments.extend(one.segments);
    }
    let records: u64 = reports.iter().map(|r| r.records).sum();
    let ingest = Use {
        at,
        actor: outside.actor.clone(),
        action: "ingest".into(),
        detail: format!("{} files, {records} records", reports.len()),
    };
    let checkpoint = lake.commit(segments, vec![ingest], at)?;
    Ok(Intake {
        reports,
        partials,
        observations,
        checkpoint,
    })
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

fn one_file(
    case: &Case,
    lake: &Lake,
    file: FileId,
    salt: [u8; 32],
    at: Nanos,
) -> Result<OneFile, JobError> {
    let mut sink = Sink {
        case,
        lake,
        file,
        salt,
        at,
        part: 0,
        writer: None,
        sealed: vec![],
        intake: None,
        observer: None,
        rejects: 0,
        skipped_known: 0,
        format: "unknown",
        end: 0,
        binary: false,
    };
    sink.open(None)?;
    let report = read_file(case, file, &Limits::default(), &mut sink)
        .map_err(|e| JobError::file("read", &case.files[file as usize].path, e))?;
    sink.close(report.skipped)?;
    let counts = Counts {
        records: report.records,
        events: report.events,
        rejects: report.rejects,
        skipped: report.skipped,
        cut_short: report
            .notes
            .iter()
            .any(|n| n.contains("damaged") || n.contains("cut")),
    };
    let partial = sink
        .intake
        .take()
        .unwrap_or_else(|| FileIntake::new(case, file, "unknown"))
        .finish();
    let observation = sink
        .observer
        .take()
        .unwrap_or_else(|| Observer::new(file, case.source_of(file), "unknown"))
        .finish(counts);
    Ok(OneFile {
        report,
        partial,
        observation,
        segments: sink.sealed,
    })
}

struct Sink<'a> {
    case: &'a Case,
    lake: &'a Lake,
    file: FileId,
    salt: [u8; 32],
    at: Nanos,
    part: u32,
    writer: Option<SegmentWriter>,
    sealed: Vec<SealedSegment>,
    intake: Option<FileIntake>,
    observer: Option<Observer>,
    /// Rejects of the open segment.
    rejects: u64,
    /// Skips already written with earlier segments of this file.
    skipped_known: u64,
    format: &'static str,
    end: u64,
    /// No lines: records are cut where they begin and end.
    binary: bool,
}

/// First bytes of a Windows event log file, the one binary format there is.
const EVTX: &[u8] = b"ElfFile\0";

/// Where the records of a piece begin and end, ascending: one record is proven without its neighbours.
fn places(piece: &Piece<'_>) -> Vec<u64> {
    let events = piece.events.iter().map(|e| (e.offset, e.len));
    let rejects = piece.rejects.iter().map(|r| (r.offset, r.len));
    let mut all: Vec<u64> = events
        .chain(rejects)
        .flat_map(|(offset, len)| [offset, offset.saturating_add(len)])
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

impl Sink<'_> {
    fn open(&mut self, source: Option<&'static dyn Source>) -> Result<(), JobError> {
        if let Some(s) = source {
            self.format = s.name();
        }
        Ok(())
    }
    fn writer(&mut self) -> Result<&mut SegmentWriter, JobError> {
        if self.writer.is_none() {
            let meta = SegmentMeta {
                file: self.case.files[self.file as usize].rel.clone(),
                format: if self.format == "unknown" {
                    String::new()
                } else {
                    self.format.to_string()
                },
                part: self.part,
                start: self.end,
                at: self.at,
            };
            let mut salt = self.salt;
            for (s, p) in salt.iter_mut().zip(self.part.to_le_bytes()) {
                *s ^= p;
            }
            self.writer = Some(self.lake.begin(meta, salt)?);
        }
        self.writer
            .as_mut()
            .ok_or_else(|| JobError::Refused("segment writer".into()))
    }
    fn seal(&mut self, skipped: u64) -> Result<(), JobError> {
        if let Some(w) = self.writer.take() {
            self.sealed.push(w.finish(self.rejects, skipped)?);
            self.part += 1;
            self.rejects = 0;
        }
        Ok(())
    }
    fn close(&mut self, skipped_total: u64) -> Result<(), JobError> {
        let skipped = skipped_total.saturating_sub(self.skipped_known);
        self.skipped_known = skipped_total;
        self.seal(skipped)
    }
}

impl FileSink for Sink<'_> {
    fn begin(
        &mut self,
        file: FileId,
        source: Option<&'static dyn Source>,
    ) -> Result<(), SinkError> {
        self.open(source)?;
        self.intake = Some(FileIntake::new(self.case, file, self.format));
        self.observer = Some(Observer::new(file, self.case.source_of(file), self.format));
        Ok(())
    }
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), SinkError> {
        if let Some(i) = &mut self.intake {
            i.push(piece.events);
        }
        if let Some(o) = &mut self.observer {
            o.rejects(piece.rejects);
            o.batch(piece.events);
        }
        let rejects = piece.rejects.len() as u64;
        let end = piece.offset + piece.bytes.len() as u64;
        if piece.offset == 0 {
            self.binary = piece.bytes.starts_with(EVTX);
        }
        let places = if self.binary { places(&piece) } else { vec![] };
        let cut = if self.binary {
            Cut::At(&places)
        } else {
            Cut::Lines
        };
        let writer = self.writer()?;
        writer.raw(piece.bytes, cut)?;
        writer.events(piece.events)?;
        let full = writer.is_full();
        self.rejects += rejects;
        self.end = end;
        if full {
            // The decoder tells skips only at the end of the file; they are booked with its last segment.
            self.seal(0)?;
        }
        Ok(())
    }
}
