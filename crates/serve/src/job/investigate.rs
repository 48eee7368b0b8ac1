//! The main job: a case folder → a proven extent.
use super::{
    Intake, JobError, Outside, Progress, findings,
    intake::{Looking, intake_looked_at},
    merge, output, overrule, profiles,
};
use ampleur_detect::{Judged, Word, judge_on};
use ampleur_event::{Account, Interval, SessionVerdict, Window, invariant, time::rfc3339};
use ampleur_evidence::{Checkpoint, Citation, Keys, Lake, Use, Wait};
use ampleur_extent::{
    coverage::Coverage,
    extent::{Input, assemble},
    files::Inventory,
    identity::IdentityBase,
    leak,
    model::{self, Answer, PersonRow},
    statements, versions,
};
use ampleur_notice as notice;
use ampleur_query::{Door, LocalDoor};
use ampleur_session::{Sessions, net::Net, profile::account_id, spread::beside};
use ampleur_sources::{
    case::{Case, CaseError},
    reader::FileReport,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

/// Records in `evidence.zip`: enough to re-check every figure of an ordinary case by hand.
const CITED_MAX: usize = 50_000;

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
    /// A folder of the hospital's own Sigma rules, asked beside ours; only with the feature `sigma`.
    pub rules: Option<PathBuf>,
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

/// Reads, seals, judges, measures and writes. `clock` gives monotonic time since the start, for [`Timing`] only.
///
/// Errors: the case cannot be read, the lake or the output folder cannot be written. Unreadable evidence is counted, not an error.
pub fn investigate(
    options: &Options,
    outside: &mut Outside<'_>,
    clock: &dyn Fn() -> Duration,
    progress: &dyn Progress,
) -> Result<Finding, JobError> {
    let mut timing = Timing::default();
    let mut since = clock();
    let mut lap = |name: &'static str| {
        let now = clock();
        timing.stages.push((name, now.saturating_sub(since)));
        since = now;
    };
    // A mistyped case leaves no folder behind.
    if !options.case.is_dir() {
        return Err(CaseError::NoFolder(options.case.clone()).into());
    }
    std::fs::create_dir_all(&options.out)
        .map_err(|e| JobError::file("make folder", &options.out, e))?;
    // An answer among the evidence would be evidence next time; one over the other would leave nothing to compare with.
    let real = |p: &Path| std::fs::canonicalize(p).ok();
    let taken = [Some(&options.case), options.previous.as_ref()];
    if taken
        .into_iter()
        .flatten()
        .any(|p| real(p) == real(&options.out))
    {
        return Err(JobError::Refused(
            "the answer needs a folder of its own, not the case and not the answer before".into(),
        ));
    }
    if options.subjects == SubjectsForm::Clear {
        own(&options.out)?;
    }
    let merged = match &options.add {
        Some(add) => Some(merge::merge(
            &options.case,
            add,
            &options.out.join(".case"),
        )?),
        None => None,
    };
    let mut case = Case::open(merged.as_ref().map_or(&options.case, |m| &m.root))?.with_logs()?;
    // Before anything is sealed: an inventory nobody can open is a refusal, not half an answer.
    let officer = options
        .dpo_key
        .as_deref()
        .map(ampleur_evidence::DpoKey::load)
        .transpose()?;
    let inventory = super::load_inventory(&case, officer.as_ref())?;
    let previous = options.previous.as_deref().map(read_previous).transpose()?;
    for file in &case.context.geoip {
        if let Err(e) = std::fs::File::open(case.root.join(file)) {
            progress.note(&format!(
                "{file}: {e}; countries and networks of addresses are not known without this file of `geoip`"
            ));
        }
    }
    let asking = findings::Asking::new(options)?;
    let lake_path = options
        .lake
        .clone()
        .unwrap_or_else(|| options.out.join("lake"));
    let keys_path = options
        .keys
        .clone()
        .unwrap_or_else(|| options.out.join("keys"));
    let Opened {
        mut lake,
        keys,
        fresh,
    } = open_lake(&lake_path, &keys_path, options.previous.as_deref(), outside)?;
    if options.subjects == SubjectsForm::Clear && !fresh {
        let given = options
            .dpo_key
            .as_deref()
            .map(ampleur_evidence::DpoKey::load)
            .transpose()?;
        if !given.is_some_and(|k| k.belongs_to(&keys)) {
            return Err(JobError::Refused("identifiers in clear need the DPO key of this lake (--dpo-key FILE): the lake was made by an earlier run".into()));
        }
    }
    let Intake {
        reports,
        partials,
        observations,
        checkpoint,
    } = intake_looked_at(
        &case,
        &mut lake,
        options.threads,
        outside,
        progress,
        asking.as_ref().map(|a| a as &dyn Looking),
    )?;
    lap("intake");
    // Read by itself, and counted with the other from here on: its rows are cited as rows of the source they belong to.
    for (second, first) in ampleur_session::copies(&case, &partials) {
        let name = |s: u32| case.sources[s as usize].name.as_str();
        progress.note(&format!(
            "{}: the same log as {}, delivered twice: counted once",
            name(second),
            name(first)
        ));
        case.join_sources(second, first);
    }

    // What the files cover and what they tell do not depend on each other.
    let coverage = || Coverage::build(&case, observations, None::<Window>);
    let (mut coverage, found) = beside(options.threads, coverage, || -> Result<_, JobError> {
        progress.stage("sessions", 0);
        let sessions = Sessions::build_on(options.threads, &case, partials);
        lap("sessions");
        let files: Vec<(u32, String)> = case
            .files
            .iter()
            .enumerate()
            .map(|(i, f)| (i as u32, f.rel.clone()))
            .collect();
        let door = LocalDoor::open(&lake, &keys, &files)?;
        progress.stage("judgement", 0);
        let past = profiles::load(&lake, &|text| progress.note(text));
        // Somebody who asks about one account alone is answered about that account alone.
        let word = if options.word.alone {
            options.word.clone()
        } else {
            overrule::with_overrules(&options.word, lake.uses())
        };
        for unknown in unmatched(&options.word, &sessions) {
            progress.note(&unknown);
        }
        let known = past.before(&case, &sessions);
        let judged = judge_on(options.threads, &case, &sessions, &known, &door, &word)?;
        if options.word.alone
            && !judged
                .judgements
                .iter()
                .any(|j| j.verdict == SessionVerdict::Intruder)
        {
            // An answer about nobody would read as a clean one.
            return Err(JobError::Refused(
                "no session of these logs matches what was named".into(),
            ));
        }
        lap("judgement");

        progress.stage("identities", 0);
        let known = |e: &dyn std::fmt::Display| JobError::file("read context of", &options.case, e);
        let identity = IdentityBase::load(
            &case.root.join("identities"),
            &case.context.zone(),
            options.threads,
        )
        .map_err(|e| known(&e))?;
        let leaks = leak::load_case(&case).map_err(|e| known(&e))?;
        lap("identities");
        Ok((sessions, door, past, judged, identity, leaks))
    });
    let (sessions, door, past, judged, identity, leaks) = found?;
    coverage.note_untold(&sessions);
    coverage.note_laid(&sessions, &judged.judgements);

    progress.stage("extent", 0);
    let evidence = Evidence {
        coverage: &coverage,
        reports: &reports,
        checkpoint: &checkpoint,
    };
    // What is to be remembered of the accounts has nothing to do with it.
    let remember = || {
        let mut habits = past;
        habits.join(&judged.habits);
        (!options.word.alone).then(|| habits.to_json())
    };
    let (remembered, answered) = beside(options.threads, remember, || {
        answer(
            &case,
            &sessions,
            &judged,
            &door,
            &identity,
            &inventory,
            &leaks,
            evidence,
            options.sessions_max,
        )
    });
    let (mut answer, mut persons) = answered?;
    if options.word.alone {
        asked_alone(&mut answer, &options.word);
    }
    if let Some((before, before_persons)) = &previous {
        answer.version = before.version + 1;
        answer.incident.clone_from(&before.incident);
        // Both sides are compared in the form the earlier version was written in.
        answer.changes = if before_persons.iter().any(|p| is_token(&p.subject)) {
            let (mut now, mut now_persons) = (answer.clone(), persons.clone());
            tokens(&keys, &mut now, &mut now_persons);
            versions::difference(before, before_persons, &now, &now_persons)
        } else {
            versions::difference(before, before_persons, &answer, &persons)
        };
    }
    lap("extent");
    // What the answer was made from is large: it goes while the answer is written down, and nobody waits for that.
    if options.threads > 1 {
        std::thread::spawn(move || drop((sessions, judged)));
    }

    progress.stage("reports", 0);
    let cited = cited(&case, &door, &persons, &answer)?;
    lock_vault(&lake, &keys, &persons, outside)?;
    if options.subjects == SubjectsForm::Tokens {
        tokens(&keys, &mut answer, &mut persons);
    }
    let mut shown = output::notice_options(options, &case.context);
    let used = |action: &str, detail: String| Use {
        at: outside.now,
        actor: outside.actor.clone(),
        action: action.into(),
        detail,
    };
    let mut uses = vec![];
    if let Some(asking) = asking {
        let mut found = asking.found(&case)?;
        found.incident.clone_from(&answer.incident);
        found.version = answer.version;
        if options.subjects == SubjectsForm::Tokens {
            findings::tokens(&keys, &mut found);
        }
        uses.push(used("ask rules", findings::summary(&found)));
        shown.findings = Some(found);
    }
    output::write_all(&answer, &persons, &options.out, &shown)?;
    output::evidence_zip(&lake, &cited, &options.out.join("evidence.zip"))?;
    output::keep_case(&lake, &answer, &options.out)?;
    uses.push(used(
        "investigate",
        format!("{} version {}", answer.incident, answer.version),
    ));
    if options.subjects == SubjectsForm::Clear {
        uses.push(used(
            "re-identify",
            format!("{} rows of persons.csv in clear", persons.len()),
        ));
    }
    if let Some(habits) = remembered {
        let habits = habits.map_err(|e| JobError::Refused(e.to_string()))?;
        if let Some((action, detail)) = profiles::keep(&lake, &habits)? {
            uses.push(used(&action, detail));
        }
    }
    lake.commit(vec![], uses, outside.now)?;
    lap("reports");
    // The answer is open above until they are mended.
    let damage: Vec<String> = (identity.damage().iter())
        .chain(&inventory.damage)
        .map(ToString::to_string)
        .collect();
    damage.iter().for_each(|d| progress.note(d));
    let notes = damage
        .iter()
        .cloned()
        .chain(reports.iter().flat_map(|r| {
            r.notes
                .iter()
                .map(|n| format!("{}: {n}", case.files[r.file as usize].rel))
        }))
        .collect();
    Ok(Finding {
        partial: is_partial(&case, &reports) || !damage.is_empty(),
        answer,
        persons,
        timing,
        notes,
        lake: lake_path,
    })
}

/// A folder for its owner alone.
fn own(dir: &Path) -> Result<(), JobError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
            .map_err(|e| JobError::file("close", dir, e))?;
    }
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}

/// What the investigator named and these logs do not know: a slip of the pen must not read as an answer.
fn unmatched(word: &Word, sessions: &Sessions) -> Vec<String> {
    let named = !(word.accounts.is_empty() && word.not.is_empty());
    let spelled: BTreeSet<&Account> = (sessions.list.iter())
        .filter(|_| named)
        .filter_map(|s| s.account.as_deref())
        .collect();
    let accounts: BTreeSet<String> = spelled.into_iter().map(account_id).collect();
    let account = |a: &str| accounts.contains(&account_id(&Account::parse(a)));
    let origin = |o: &str| {
        Net::parse(o).is_some_and(|n| {
            let mut addresses = sessions.list.iter().filter_map(|s| s.origin.address);
            addresses.any(|a| n.contains(a))
        })
    };
    let session = |s: &str| sessions.by_id(s).is_some();
    let mut out = vec![];
    let mut say = |option: &str, text: &str, known: bool| {
        if !known {
            out.push(format!(
                "{option} {text}: no session of these logs; it changes nothing"
            ));
        }
    };
    for a in &word.accounts {
        say("--account", a, account(a));
    }
    for o in &word.origins {
        say("--origin", o, origin(o));
    }
    for s in &word.sessions {
        say("--session", s, session(s));
    }
    for n in &word.not {
        say("--not", n, account(n) || origin(n) || session(n));
    }
    out
}

/// An answer about what was named is not one about the incident: it says what was asked, has a name of its own, and no sentence about
/// all of it.
fn asked_alone(answer: &mut Answer, word: &Word) {
    let mut asked = vec![];
    for (what, list) in [
        ("account", &word.accounts),
        ("origin", &word.origins),
        ("session", &word.sessions),
    ] {
        asked.extend(list.iter().map(|x| format!("{what} {x}")));
    }
    if let Some(w) = word.window {
        asked.push(format!("from {} to {}", rfc3339(w.from), rfc3339(w.to)));
    }
    asked.extend(word.not.iter().map(|x| format!("not {x}")));
    answer.asked = asked;
    answer.incident.push_str("-asked");
    answer.extent.unaffected = Interval::new(0, Interval::UNBOUNDED);
    // Of each establishment too: what was not looked at may have been there.
    let about_logs = |code: &str| matches!(code, "logs_intact" | "nothing_leaked");
    (answer.statements).retain(|s| s.establishment.is_none() || !s.holds || about_logs(&s.code));
    let codes: Vec<&str> = statements::CODES
        .iter()
        .copied()
        .filter(|c| !about_logs(c))
        .collect();
    statements::withhold(
        &mut answer.statements,
        &codes,
        "only what was named was looked at",
    );
}

struct Evidence<'a> {
    coverage: &'a Coverage,
    reports: &'a [FileReport],
    checkpoint: &'a Checkpoint,
}

/// The whole answer, identifiers in clear, version 1.
#[allow(clippy::too_many_arguments)]
fn answer(
    case: &Case,
    sessions: &Sessions,
    judged: &Judged,
    door: &dyn Door,
    identity: &IdentityBase,
    inventory: &Inventory,
    leaks: &[leak::LeakLine],
    found: Evidence<'_>,
    sessions_max: usize,
) -> Result<(Answer, Vec<PersonRow>), JobError> {
    let coverage = found.coverage;
    let input = Input {
        case,
        sessions,
        judgements: &judged.judgements,
        door,
        identity,
        inventory,
        leaks,
        coverage,
        unreadable_files: found
            .reports
            .iter()
            .filter(|r| r.rejects > 0 && r.events == 0)
            .count() as u64,
    };
    let outcome = assemble(&input)?;
    let (rows, sessions_omitted) = session_rows(case, sessions, judged, sessions_max);
    let mut extent = outcome.extent;
    extent.internal = judged
        .internal
        .iter()
        .map(|i| model::Internal {
            account: i.account.to_string(),
            subjects: i.subjects,
            reason: i.code.to_string(),
        })
        .collect();
    let root = found.checkpoint.root_hex();
    let answer = Answer {
        format: model::FORMAT.to_string(),
        // Named after the evidence: the same evidence is the same incident on every machine.
        incident: format!("amp-{}", root.get(..12).unwrap_or(&root)),
        version: 1,
        window: model::Span {
            from: rfc3339(coverage.window.from),
            to: rfc3339(coverage.window.to),
        },
        evidence: evidence(case, found.reports, found.checkpoint),
        accounts: account_rows(case, judged),
        sessions: rows,
        sessions_omitted,
        extent,
        coverage: outcome.coverage,
        statements: outcome.statements,
        claims: outcome.claims,
        containment: model::Containment {
            cut: judged.containment.cut.clone(),
            rotate: judged.containment.rotate.clone(),
            keep: judged.containment.keep.clone(),
        },
        changes: vec![],
        asked: vec![],
    };
    for c in &answer.extent.cells {
        invariant::check(
            c.subjects.at_least <= c.subjects.at_most,
            invariant::EX_1,
            &c.category,
        );
    }
    Ok((answer, outcome.persons))
}

/// An earlier answer in `dir`: its `extent.json` and the rows of its `persons.csv`.
fn read_previous(dir: &Path) -> Result<(Answer, Vec<PersonRow>), JobError> {
    let path = dir.join("extent.json");
    let text = std::fs::read(&path).map_err(|e| JobError::file("read", &path, e))?;
    let answer: Answer =
        serde_json::from_slice(&text).map_err(|e| JobError::file("read", &path, e))?;
    let path = dir.join("persons.csv");
    let rows = notice::tables::read_persons(
        &std::fs::read(&path).map_err(|e| JobError::file("read", &path, e))?,
    )
    .map_err(|e| JobError::file("read", &path, e))?;
    Ok((answer, rows))
}

/// Where the records that figures rest on lie: those of `persons.csv`, then of writes; at most [`CITED_MAX`].
fn cited(
    case: &Case,
    door: &dyn Door,
    persons: &[PersonRow],
    answer: &Answer,
) -> Result<Vec<Citation>, JobError> {
    let by_path: BTreeMap<String, u32> = case
        .files
        .iter()
        .enumerate()
        .map(|(i, f)| (f.rel.replace(' ', "%20"), i as u32))
        .collect();
    let mut wanted: BTreeMap<u32, BTreeSet<u64>> = BTreeMap::new();
    let mut left = CITED_MAX;
    let evidence = persons
        .iter()
        .flat_map(|p| &p.evidence)
        .chain(answer.extent.writes.iter().flat_map(|w| &w.evidence));
    for e in evidence {
        let Some((file, record)) = e
            .rsplit_once(':')
            .and_then(|(p, r)| Some((*by_path.get(p)?, r.parse().ok()?)))
        else {
            continue;
        };
        if left == 0 {
            break;
        }
        if wanted.entry(file).or_default().insert(record) {
            left -= 1;
        }
    }
    let mut out: Vec<Citation> = door
        .locate(&wanted)?
        .into_iter()
        .map(|p| Citation {
            file: case.files[p.file as usize].rel.clone(),
            offset: p.offset,
            len: p.len,
        })
        .collect();
    out.sort();
    Ok(out)
}

/// The persons of the answer go into the lake's vault: only the DPO key turns their tokens back.
fn lock_vault(
    lake: &Lake,
    keys: &Keys,
    persons: &[PersonRow],
    outside: &mut Outside<'_>,
) -> Result<(), JobError> {
    let clear: BTreeSet<String> = persons.iter().map(|p| p.subject.clone()).collect();
    if !clear.is_empty() {
        let mut random = [0u8; 32];
        (outside.random)(&mut random);
        lake.lock_persons(keys, &clear, random)?;
    }
    Ok(())
}

/// Identifiers become keyed tokens wherever an answer names a person.
fn tokens(keys: &Keys, answer: &mut Answer, persons: &mut [PersonRow]) {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut token = |s: &mut String| {
        let t = known
            .entry(s.clone())
            .or_insert_with(|| keys.token(s))
            .clone();
        *s = t;
    };
    persons.iter_mut().for_each(|p| token(&mut p.subject));
    let e = &mut answer.extent;
    e.targeted
        .iter_mut()
        .chain(&mut e.canaries)
        .for_each(|t| token(&mut t.subject));
    e.writes.iter_mut().for_each(|w| token(&mut w.subject));
    e.probable_duplicates
        .iter_mut()
        .flatten()
        .for_each(&mut token);
    for c in &mut answer.changes {
        if let Some(subject) = c.what.strip_prefix("person ").filter(|s| !is_token(s)) {
            c.what = format!("person {}", keys.token(subject));
        }
    }
    persons.sort();
    answer
        .extent
        .targeted
        .sort_by(|a, b| a.subject.cmp(&b.subject));
    answer
        .extent
        .canaries
        .sort_by(|a, b| a.subject.cmp(&b.subject));
}

struct Opened {
    lake: Lake,
    keys: Keys,
    /// The lake and its DPO key were made by this run.
    fresh: bool,
}

/// Opens the lake for writing, or makes it. A lake that follows an earlier answer takes over that answer's keys, so that one
/// person keeps one token through all versions; otherwise new keys are made. Keys lie in a folder of their own, the DPO key
/// among them until its owner takes it away.
fn open_lake(
    path: &Path,
    keys_dir: &Path,
    previous: Option<&Path>,
    outside: &mut Outside<'_>,
) -> Result<Opened, JobError> {
    if path.join("ampleur.json").exists() {
        let keys = Keys::load(keys_dir)?;
        let lake = Lake::open_writer(path, &keys, Wait::Millis(5_000))?;
        return Ok(Opened {
            lake,
            keys,
            fresh: false,
        });
    }
    let earlier = previous.map(|p| p.join("keys")).filter(|k| k.is_dir());
    let (keys, fresh) = match earlier {
        Some(earlier) if !keys_dir.exists() => {
            copy_keys(&earlier, keys_dir)?;
            (Keys::load(keys_dir)?, keys_dir.join(DPO_KEY).exists())
        }
        _ => {
            let (keys, dpo) = Keys::generate(outside.random);
            std::fs::create_dir_all(keys_dir)
                .map_err(|e| JobError::file("make folder", keys_dir, e))?;
            keys.save(keys_dir)?;
            dpo.save(&keys_dir.join(DPO_KEY))?;
            (keys, true)
        }
    };
    let lake = Lake::create(path, &keys, outside.now)?;
    Ok(Opened { lake, keys, fresh })
}

const DPO_KEY: &str = "dpo.key";

/// Copies key files with their permissions.
fn copy_keys(from: &Path, to: &Path) -> Result<(), JobError> {
    std::fs::create_dir_all(to).map_err(|e| JobError::file("make folder", to, e))?;
    let entries = std::fs::read_dir(from).map_err(|e| JobError::file("read", from, e))?;
    for entry in entries {
        let entry = entry.map_err(|e| JobError::file("read", from, e))?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))
            .map_err(|e| JobError::file("copy key", entry.path(), e))?;
    }
    Ok(())
}

fn is_token(subject: &str) -> bool {
    subject.starts_with("tok_")
}

/// Contract §B: a whole file, or more than 1 % of a source that tells, could not be decoded.
fn is_partial(case: &Case, reports: &[FileReport]) -> bool {
    let whole = reports.iter().any(|r| r.rejects > 0 && r.events == 0);
    let share = (0..case.sources.len() as u32).any(|source| {
        let tells = case.entry(source).is_some_and(|e| !e.tells.is_empty());
        let of = || reports.iter().filter(|r| case.source_of(r.file) == source);
        let (records, rejects) = (
            of().map(|r| r.records).sum::<u64>(),
            of().map(|r| r.rejects).sum::<u64>(),
        );
        tells && rejects * 100 > records
    });
    whole || share
}

fn evidence(case: &Case, reports: &[FileReport], checkpoint: &Checkpoint) -> model::Evidence {
    let mut rows: Vec<model::SourceRow> = reports
        .iter()
        .map(|r| {
            invariant::check(
                r.records == r.events + r.rejects + r.skipped,
                invariant::EV_1,
                r.format,
            );
            model::SourceRow {
                source: case.files[r.file as usize].rel.clone(),
                format: r.format.to_string(),
                records: r.records,
                events: r.events,
                rejects: r.rejects,
                skipped: r.skipped,
                from: rfc3339(r.from),
                to: rfc3339(r.to),
            }
        })
        .collect();
    rows.sort_by(|a, b| a.source.cmp(&b.source));
    let sum = |f: fn(&model::SourceRow) -> u64| rows.iter().map(f).sum();
    model::Evidence {
        tree_size: checkpoint.tree_size,
        root_hash: checkpoint.root_hex(),
        records: sum(|r| r.records),
        events: sum(|r| r.events),
        rejects: sum(|r| r.rejects),
        skipped: sum(|r| r.skipped),
        by_source: rows,
    }
}

fn session_rows(
    case: &Case,
    sessions: &Sessions,
    judged: &Judged,
    max: usize,
) -> (Vec<model::SessionRow>, u64) {
    let all = sessions.list.len();
    let mut rows = Vec::new();
    for (s, j) in sessions.list.iter().zip(&judged.judgements) {
        // Above the limit only ordinary sessions are left out, never a judged one.
        if all > max && j.verdict == SessionVerdict::Legitimate {
            continue;
        }
        rows.push(model::SessionRow {
            id: s.id.to_string(),
            chain: j.chain.to_string(),
            intrusion: j.intrusion.as_ref().map(ToString::to_string),
            account: s.account.as_ref().map(ToString::to_string),
            source: case
                .sources
                .get(s.source as usize)
                .map(|d| d.name.clone())
                .unwrap_or_default(),
            origin: model::OriginRow {
                address: s.origin.address.map(|a| a.to_string()),
                country: s.origin.country.as_ref().map(ToString::to_string),
                asn: s.origin.asn,
                device: s.origin.device.as_ref().map(ToString::to_string),
            },
            from: rfc3339(s.from),
            to: rfc3339(s.to),
            events: s.counts.events,
            bytes_out: s.counts.bytes_out,
            verdict: j.verdict.word().to_string(),
            score: round3(j.score),
            reasons: j
                .reasons
                .iter()
                .map(|r| model::ReasonRow {
                    code: r.code.to_string(),
                    fr: r.fr.to_string(),
                    en: r.en.to_string(),
                    weight: round3(r.weight),
                })
                .collect(),
        });
    }
    rows.sort_by(|a, b| (&a.from, &a.id).cmp(&(&b.from, &b.id)));
    let omitted = (all - rows.len()) as u64;
    (rows, omitted)
}

/// Scores are written with three decimals: enough to see, and the same text on every machine.
fn round3(x: f32) -> f64 {
    (f64::from(x) * 1000.0).round() / 1000.0
}

fn account_rows(case: &Case, judged: &Judged) -> Vec<model::AccountRow> {
    let mut rows: Vec<model::AccountRow> = judged
        .accounts
        .iter()
        .map(|a| model::AccountRow {
            account: a.account.to_string(),
            kind: a.kind.clone(),
            person: a
                .person
                .and_then(|p| case.context.persons.get(p as usize))
                .map(|p| p.id.clone()),
            verdict: match a.verdict {
                SessionVerdict::Intruder => "usurped",
                SessionVerdict::Doubtful => "doubtful",
                SessionVerdict::Legitimate => "clean",
            }
            .to_string(),
            sessions: model::SessionTally {
                intruder: a.intruder,
                doubtful: a.doubtful,
                legitimate: a.legitimate,
            },
        })
        .collect();
    rows.sort_by(|a, b| a.account.cmp(&b.account));
    rows
}
