//! What the logs of a case cover, read once and sealed nowhere: what could be answered tonight.
use super::{JobError, Progress};
use ampleur_extent::coverage::{Counts, Coverage, Gathered, Observer};
use ampleur_sources::{
    FileSink, Limits, Piece, Source,
    case::{Case, FileId},
    reader::{SinkError, read_what_can_be_read},
};

struct Look<'a> {
    case: &'a Case,
    file: FileId,
    observer: Option<Observer>,
    progress: &'a dyn Progress,
    at: u64,
}

impl FileSink for Look<'_> {
    fn begin(
        &mut self,
        file: FileId,
        source: Option<&'static dyn Source>,
    ) -> Result<(), SinkError> {
        let format = source.map_or("unknown", |s| s.name());
        self.observer = Some(Observer::new(file, self.case.source_of(file), format));
        Ok(())
    }
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), SinkError> {
        if let Some(o) = &mut self.observer {
            o.batch(piece.events);
            o.rejects(piece.rejects);
        }
        piece.events.clear();
        self.progress.advance(piece.read.saturating_sub(self.at));
        self.at = piece.read;
        Ok(())
    }
}

/// What was read: the coverage, and by file the format found in it (`unknown` where no source claims it).
pub struct Covered {
    pub coverage: Coverage,
    pub formats: Vec<&'static str>,
}

/// Reads every log of the case on this thread.
///
/// Errors: a file cannot be read. What cannot be decoded is counted, not fatal.
pub fn cover(case: &Case, progress: &dyn Progress) -> Result<Covered, JobError> {
    progress.stage("coverage", case.files.iter().map(|f| f.size).sum());
    let mut gathered = Gathered::default();
    let mut formats = Vec::with_capacity(case.files.len());
    for file in 0..case.files.len() as FileId {
        let mut look = Look {
            case,
            file,
            observer: None,
            progress,
            at: 0,
        };
        let r = read_what_can_be_read(case, look.file, &Limits::default(), &mut look)
            .map_err(|e| JobError::file("read", &case.files[file as usize].path, e))?;
        formats.push(r.format);
        if let Some(o) = look.observer {
            gathered.take(o.finish(Counts {
                records: r.records,
                events: r.events,
                rejects: r.rejects,
                skipped: r.skipped,
                cut_short: r.cut_short,
            }));
        }
    }
    Ok(Covered {
        coverage: Coverage::build(case, gathered.into_list(), None),
        formats,
    })
}
