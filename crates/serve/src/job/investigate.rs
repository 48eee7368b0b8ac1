//! The main job: a case folder → a proven extent.
use super::{Intake, JobError, Outside, Progress, intake, output};
use ampleur_detect::{Judged, Word, judge};
use ampleur_event::{Event, EventBatch, Nanos, SessionVerdict, invariant, time::NO_TIME, time::rfc3339};
use ampleur_evidence::{Keys, Lake, Use, Wait};
use ampleur_extent::{
    bounds, claims,
    coverage::{Coverage, Observation},
    extent::{Input, Outcome, assemble},
    identity::IdentityBase,
    model::{self, Answer, PersonRow},
    statements, versions,
};
use ampleur_notice as notice;
use ampleur_query::{Door, LocalDoor};
use ampleur_session::Sessions;
use ampleur_sources::{case::Case, reader::FileReport};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// How subjects are written in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubjectsForm {
    /// Keyed tokens: the default, safe to pass around.
    #[default]
    Tokens,
    /// Identifiers as the source gave them; needs the DPO key.
    Clear,
}

/// What to investigate and where to write.
#[derive(Debug, Clone)]
pub struct Options {
    pub case: PathBuf,
    /// Folder of the answer; made if missing, files of an earlier answer in it are replaced.
    pub out: PathBuf,
    /// Lake to seal into; `OUT/lake` by default.
    pub lake: Option<PathBuf>,
    /// Folder of the lake's keys; `OUT/keys` by default. Keep it apart from the lake.
    pub keys: Option<PathBuf>,
    pub dpo_key: Option<PathBuf>,
    pub subjects: SubjectsForm,
    pub word: Word,
    /// More evidence for a case already investigated (`--add`), laid out like a case folder.
    pub add: Option<PathBuf>,
    /// The answer this one follows (`--previous`).
    pub previous: Option<PathBuf>,
    pub threads: usize,
    pub lang: notice::Lang,
    pub simulated: bool,
    /// Sessions written to `extent.json`; above it, legitimate ones are left out and counted.
    pub sessions_max: usize,
}

/// Wall time of the stages, for benches; never part of the answer.
#[derive(Debug, Clone, Default)]
pub struct Timing {
    pub stages: Vec<(&'static str, Duration)>,
}

/// What an investigation found.
pub struct Finding {
    pub answer: Answer,
    pub persons: Vec<PersonRow>,
    pub timing: Timing,
    pub notes: Vec<String>,
    /// A whole file, or more than 1 % of a source that tells, could not be decoded (contract §B).
    pub partial: bool,
    pub lake: PathBuf,
}

/// Everything known about a case before it is written down.
pub struct Known {
    pub case: Case,
    pub reports: Vec<FileReport>,
    pub sessions: Sessions,
    pub judged: Judged,
    pub coverage: Coverage,
    pub identity: IdentityBase,
    pub outcome: Outcome,
    pub answer: Answer,
}

/// Reads, seals, judges, measures and writes. `clock` gives monotonic time since the start, for [`Timing`] only.
///
/// Errors: the case cannot be read, the lake or the output folder cannot be written. Unreadable evidence is counted, not an error.
pub fn investigate(options: &Options, outside: &mut Outside<'_>, clock: &dyn Fn() -> Duration, progress: &dyn Progress) -> Result<Finding, JobError> {
    let mut timing = Timing::default();
    let mut since = clock();
    let mut lap = |name: &'static str| {
        let now = clock();
        timing.stages.push((name, now.saturating_sub(since)));
        since = now;
    };
    let extra: Vec<&Path> = options.add.as_deref().into_iter().collect();
    let case = Case::open_with(&options.case, &extra)?;
    std::fs::create_dir_all(&options.out).map_err(|e| JobError::file("make folder", &options.out, e))?;
    let lake_path = options.lake.clone().unwrap_or_else(|| options.out.join("lake"));
    let keys_path = options.keys.clone().unwrap_or_else(|| options.out.join("keys"));
    let opened = open_lake(&lake_path, &keys_path, outside)?;
    let (mut lake, keys) = (opened.lake, opened.keys);
    if options.subjects == SubjectsForm::Clear && options.dpo_key.is_none() && !opened.fresh {
        return Err(JobError::Refused(
            "identifiers in clear need the DPO key of this lake (--dpo-key): the lake was made by an earlier run".into(),
        ));
    }
    let Intake { reports, partials, observations, checkpoint } = intake(&case, &mut lake, options.threads, outside, progress)?;
    lap("intake");

    progress.stage("sessions", 0);
    let sessions = Sessions::build(&case, partials);
    lap("sessions");
    let files: Vec<(u32, String)> = case.files.iter().enumerate().map(|(i, f)| (i as u32, f.rel.clone())).collect();
    let door = LocalDoor::open(&lake, &keys, &files)?;
    progress.stage("judgement", 0);
    let judged = judge(&case, &sessions, &door, &options.word)?;
    lap("judgement");

    progress.stage("identities", 0);
    let identity = IdentityBase::load_case(&case).map_err(|e| JobError::file("read identities of", &options.case, e))?;
    lap("identities");

    progress.stage("extent", 0);
    let (answer, outcome) = answer(&case, &sessions, &judged, &door, &identity, observations, &reports, &checkpoint, options)?;
    lap("extent");

    progress.stage("reports", 0);
    let mut finding = Finding { partial: is_partial(&case, &reports), answer, persons: outcome.persons, timing: Timing::default(), notes: reports.iter().flat_map(|r| r.notes.iter().map(|n| format!("{}: {n}", case.files[r.file as usize].rel))).collect(), lake: lake_path };
    output::write_all(&case, &lake, &keys, &finding.answer, &finding.persons, options, outside)?;
    let used = Use { at: outside.now, actor: outside.actor.clone(), action: "investigate".into(), detail: format!("{} version {}", finding.answer.incident, finding.answer.version) };
    let mut uses = vec![used];
    if options.subjects == SubjectsForm::Clear {
        uses.push(Use { at: outside.now, actor: outside.actor.clone(), action: "re-identify".into(), detail: format!("{} rows of persons.csv in clear", finding.persons.len()) });
    }
    lake.commit(vec![], uses, outside.now)?;
    lap("reports");
    finding.timing = timing;
    Ok(finding)
}
