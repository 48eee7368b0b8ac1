//! `ampleur investigate`: a case folder → a proven extent.
use crate::{
    exit::Exit,
    shell::{Shell, plain, refuse},
};
use ampleur_detect::Word;
use ampleur_event::{Nanos, Window};
use ampleur_notice::{self as notice, Lang};
use ampleur_serve::job::{
    Finding, JobError, Options, Outside, Progress, Quiet, SubjectsForm, investigate,
};
use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Subjects {
    Tokens,
    Clear,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur investigate CASE_DIR --out answer
  ampleur investigate CASE_DIR --out answer \\
      --account vpn:editeur-lis --from 2023-06-20T18:00:00Z
  ampleur investigate CASE_DIR --out answer2 --add found-later --previous answer

CASE_DIR holds logs/ and, better, ampleur.toml, identities/, inventory/, leak/ (docs/DATA.md). The answer folder gets extent.json, report.html, report.pdf, persons.csv, sessions.csv, timeline.csv, disclosures.parquet, evidence.zip, the sealed lake and its keys. Exit code 0: no intrusion found; 1: something to act on; 3: part of the input could not be read.")]
pub struct Args {
    /// The case: a folder with logs/ and, better, ampleur.toml.
    #[arg(value_name = "CASE_DIR")]
    pub case: PathBuf,
    /// Folder of the answer.
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub word: WordArgs,
    /// How data subjects are written: keyed tokens, or identifiers as the source gave them.
    #[arg(long, value_enum, default_value_t = Subjects::Tokens)]
    pub subjects: Subjects,
    /// Key of the data-protection officer: opens a locked inventory, and identifiers in clear from a lake made earlier.
    #[arg(long, value_name = "FILE")]
    pub dpo_key: Option<PathBuf>,
    /// More evidence found later, laid out like a case folder.
    #[arg(long, value_name = "DIR", requires = "previous")]
    pub add: Option<PathBuf>,
    /// The answer this one follows; the differences are stated.
    #[arg(long, value_name = "DIR")]
    pub previous: Option<PathBuf>,
    /// The hospital's own Sigma rules, asked beside ours; `ampleur rules check DIR` tells whether they can be loaded.
    #[cfg(feature = "sigma")]
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
    #[command(flatten)]
    pub place: Place,
}

/// Where an answer is worked out.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// Lake to seal into; OUT/lake by default.
    #[arg(long, value_name = "DIR", env = "AMPLEUR_LAKE")]
    pub lake: Option<PathBuf>,
    /// Folder of the lake's keys; OUT/keys by default. Keep it apart from the lake.
    #[arg(long, value_name = "DIR", env = "AMPLEUR_KEYS")]
    pub keys: Option<PathBuf>,
    /// Threads; all cores by default. The answer is the same on any number.
    #[arg(long, value_name = "N", env = "AMPLEUR_THREADS")]
    pub threads: Option<usize>,
}

/// The investigator's own word; it wins over what the software thinks.
#[derive(Debug, Default, clap::Args)]
pub struct WordArgs {
    /// This account is the intruder's, as `system:name`; may be repeated.
    #[arg(
        long,
        value_name = "ACCOUNT",
        help_heading = "What the investigator knows"
    )]
    pub account: Vec<String>,
    /// This address or network is the intruder's; may be repeated.
    #[arg(
        long,
        value_name = "ADDRESS",
        help_heading = "What the investigator knows"
    )]
    pub origin: Vec<String>,
    /// This session is the intruder's; may be repeated.
    #[arg(long, value_name = "ID", help_heading = "What the investigator knows")]
    pub session: Vec<String>,
    /// --account and --origin hold from this instant on (RFC 3339).
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "What the investigator knows"
    )]
    pub from: Option<String>,
    /// --account and --origin hold before this instant (RFC 3339).
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "What the investigator knows"
    )]
    pub to: Option<String>,
    /// This session, account or address is certainly not the intruder's; may be repeated.
    #[arg(
        long,
        value_name = "WHAT",
        help_heading = "What the investigator knows"
    )]
    pub not: Vec<String>,
}

fn instant(text: &str) -> anyhow::Result<Nanos> {
    let t: jiff::Timestamp = text.parse().map_err(|_| {
        refuse(
            format!("read time `{text}`"),
            "write it like 2025-09-04T01:13:00Z or 2025-09-04T03:13:00+02:00",
        )
    })?;
    i64::try_from(t.as_nanosecond())
        .map_err(|_| refuse(format!("use time `{text}`"), "a time between 1678 and 2261"))
}

impl WordArgs {
    pub fn word(&self) -> anyhow::Result<Word> {
        let window = match (&self.from, &self.to) {
            (None, None) => None,
            (from, to) => {
                let from = from.as_deref().map(instant).transpose()?;
                let to = to.as_deref().map(instant).transpose()?;
                let w = Window::new(
                    from.unwrap_or(Window::ALL.from),
                    to.unwrap_or(Window::ALL.to),
                );
                if w.is_empty() {
                    return Err(refuse("use this window", "--from must be before --to"));
                }
                Some(w)
            }
        };
        for a in &self.account {
            if !a.contains(':') {
                return Err(refuse(
                    format!("read account `{a}`"),
                    "write it as system:name, such as vpn:editeur-lis",
                ));
            }
        }
        for o in &self.origin {
            if !Word::is_origin(o) {
                return Err(refuse(
                    format!("read address `{o}`"),
                    "write it like 203.0.113.9 or 203.0.113.0/24",
                ));
            }
        }
        Ok(Word {
            accounts: self.account.clone(),
            origins: self.origin.clone(),
            sessions: self.session.clone(),
            window,
            not: self.not.clone(),
            ..Word::default()
        })
    }
}

/// Progress on a terminal.
struct Bar<'s>(ProgressBar, &'s Shell);

/// What a job tells, in the language of the run, safe for a terminal.
fn told(shell: &Shell, text: &str) -> String {
    plain(&shell.translated(text).unwrap_or_else(|| text.to_string()))
}

impl Progress for Bar<'_> {
    fn stage(&self, name: &'static str, total: u64) {
        // Only a stage that knows its size can say how fast it is and when it ends.
        let shape = match (total > 0, self.1.lang) {
            (true, Lang::En) => {
                "{spinner} {msg:<12} {bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left"
            }
            (true, Lang::Fr) => {
                "{spinner} {msg:<12} {bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  encore {eta}"
            }
            (false, _) => "{spinner} {msg:<12} {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(shape) {
            self.0.set_style(style);
        }
        self.0.reset();
        self.0.set_length(total.max(1));
        self.0.set_message(told(self.1, name));
    }
    fn advance(&self, by: u64) {
        self.0.inc(by);
    }
    fn note(&self, text: &str) {
        self.0.suspend(|| {
            let _ = writeln!(io::stderr().lock(), "{}", told(self.1, text));
        });
    }
}

/// Notes alone, when nobody watches.
struct Notes<'s>(&'s Shell);

impl Progress for Notes<'_> {
    fn note(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{}", told(self.0, text));
    }
}

/// Gives a job the clock, the randomness and the screen of this process.
pub fn with_outside<T>(
    shell: &Shell,
    job: impl FnOnce(&mut Outside<'_>, &dyn Progress) -> Result<T, JobError>,
) -> anyhow::Result<T> {
    let mut failed = None;
    let mut random = |bytes: &mut [u8]| {
        if let Err(e) = getrandom::fill(bytes) {
            failed = Some(e);
        }
    };
    let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(0);
    let actor = ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(|n| std::env::var(n).ok())
        .unwrap_or_else(|| "unknown".into());
    let mut outside = Outside {
        now,
        actor,
        random: &mut random,
    };
    let bar = shell.watched().then(|| {
        let bar = ProgressBar::new(1);
        bar.enable_steady_tick(Duration::from_millis(120));
        Bar(bar, shell)
    });
    let notes = Notes(shell);
    let progress: &dyn Progress = match &bar {
        Some(b) => b,
        None if shell.quiet => &Quiet,
        None => &notes,
    };
    let found = job(&mut outside, progress);
    if let Some(b) = &bar {
        b.0.finish_and_clear();
    }
    // Keys made without randomness would be no keys: nothing is answered from them.
    if let Some(e) = failed {
        anyhow::bail!("find randomness for keys: {e}");
    }
    found.map_err(|e| match e {
        JobError::Refused(what) => refuse(format!("go on: {what}"), ""),
        // Folders are made before any work.
        e @ JobError::File {
            what: "make folder",
            ..
        } => refuse(
            e.to_string(),
            "give a folder that can be written, with --out",
        ),
        // A transparent error hides what it holds from the one that picks exit code and hint.
        JobError::Case(e) => anyhow::Error::new(e),
        JobError::Evidence(e) => anyhow::Error::new(e),
        e => anyhow::Error::new(e),
    })
}

/// Runs the investigation.
pub fn job(options: &Options, shell: &Shell) -> anyhow::Result<Finding> {
    let began = Instant::now();
    let clock = move || -> Duration { began.elapsed() };
    with_outside(shell, |outside, progress| {
        investigate(options, outside, &clock, progress)
    })
}

/// 0 when nothing is to be done, 1 when something is, 3 when the answer is only part of it.
pub fn exit(found: &Finding) -> Exit {
    let e = &found.answer.extent;
    let act = e.subjects.at_most > 0
        || found.answer.accounts.iter().any(|a| a.verdict != "clean")
        || found
            .answer
            .sessions
            .iter()
            .any(|s| s.verdict == "intruder")
        || !e.writes.is_empty()
        || !e.internal.is_empty()
        || !found.answer.changes.is_empty();
    let exit = if act { Exit::Act } else { Exit::Done };
    if found.partial {
        exit.and(Exit::Part)
    } else {
        exit
    }
}

/// The summary for people, or the answer for programs.
pub fn show(
    found: &Finding,
    options: &notice::Options,
    out: &Path,
    shell: &Shell,
) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    if shell.json {
        notice::tables::json(&found.answer, &mut stdout)?;
        return Ok(());
    }
    stdout
        .write_all(
            notice::terminal::summary(&found.answer, &found.persons, options, shell.colour_out())
                .as_bytes(),
        )
        .context("write output")?;
    writeln!(
        stdout,
        "\n{} {}",
        shell.say("Rapport :", "Report:"),
        out.join("report.html").display()
    )?;
    if shell.verbose > 0 {
        for (stage, time) in &found.timing.stages {
            shell.note(&format!("{stage:<12} {:.2} s", time.as_secs_f64()));
        }
        for n in &found.notes {
            shell.note(&plain(n));
        }
    }
    Ok(())
}

/// What reports need from the context of the case.
pub fn notice_options(case: &Path, shell: &Shell, simulated: bool) -> notice::Options {
    let context = ampleur_sources::case::Case::open(case)
        .map(|c| c.context)
        .unwrap_or_default();
    notice::Options {
        lang: shell.lang,
        zone: context.zone(),
        zone_name: context.timezone.clone().unwrap_or_else(|| "UTC".into()),
        establishments: context
            .establishments
            .iter()
            .filter(|e| !e.name.is_empty())
            .map(|e| (e.id.clone(), e.name.clone()))
            .collect(),
        simulated,
        findings: None,
    }
}

/// Threads to use when nobody says.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub fn run(args: &Args, shell: &Shell) -> anyhow::Result<Exit> {
    let options = Options {
        case: args.case.clone(),
        out: args.out.clone(),
        lake: args.place.lake.clone(),
        keys: args.place.keys.clone(),
        dpo_key: args.dpo_key.clone(),
        subjects: match args.subjects {
            Subjects::Tokens => SubjectsForm::Tokens,
            Subjects::Clear => SubjectsForm::Clear,
        },
        word: args.word.word()?,
        add: args.add.clone(),
        previous: args.previous.clone(),
        threads: args.place.threads.unwrap_or_else(cores).max(1),
        lang: shell.lang,
        simulated: false,
        sessions_max: 100_000,
        #[cfg(feature = "sigma")]
        rules: args.rules.clone(),
        #[cfg(not(feature = "sigma"))]
        rules: None,
    };
    answer(&options, shell)
}

/// Works the answer out, shows it, and says it in the exit code.
pub fn answer(options: &Options, shell: &Shell) -> anyhow::Result<Exit> {
    let keys = options.out.join("keys");
    let new_keys = options.keys.is_none() && !keys.join("dpo.key").exists();
    let found = job(options, shell)?;
    show(
        &found,
        &notice_options(&options.case, shell, false),
        &options.out,
        shell,
    )?;
    if new_keys {
        shell.note(&format!(
            "{} {}",
            keys.display(),
            shell.say(
                ": clés neuves du lac. Gardez-les ailleurs que lui, dpo.key chez le délégué à la protection des données.",
                "holds the new keys of the lake. Keep them apart from it, dpo.key with the data-protection officer."
            )
        ));
    }
    if options.subjects == SubjectsForm::Clear {
        shell.note(shell.say(
            "Identifiants en clair : traitez cette réponse comme les dossiers eux-mêmes.",
            "Identifiers in clear: treat this answer like the records themselves.",
        ));
    }
    Ok(exit(&found))
}
