//! `ampleur inventory`: whose data is in each file of a share.
use super::investigate::{cores, with_outside};
use crate::{
    exit::Exit,
    shell::{Shell, plain, refuse},
};
use ampleur_content::{extract::Limits, whose::Knowledge};
use ampleur_event::Context;
use ampleur_evidence::{DpoKey, DpoPublic};
use ampleur_extent::identity::IdentityBase;
use ampleur_notice::words;
use ampleur_serve::job::{
    Apart, InventoryOptions, InventorySummary, inventory, roster, serve_documents,
};
use ampleur_sources::case::Case;
use anyhow::Context as _;
use serde_json::json;
use std::{
    io::{self, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur inventory /mnt/rh --share '\\\\FS01\\RH$' --case hospital
  ampleur inventory /mnt/labo --identities identities --out labo.jsonl --clear
  ampleur investigate hospital --out answer --dpo-key inventory-keys/dpo.key

Reads text, CSV, spreadsheets, Word, OpenDocument, RTF, PDF, mail, Outlook's stores (.pst, .ost) of any size, HL7 v2, FHIR, CDA, DICOM headers, and archives inside archives. Persons are told by NIR, local numbers, and names with birth dates of the identity base. Files nobody can read (scans, passwords, unknown kinds) are rows that say so. A second run reads only what has changed; a run that was broken off goes on. The result is locked for the data-protection officer unless --clear is given.
Exit code 0: every file was read; 3: some were not, and the result says which and why.")]
pub struct Args {
    /// Folder or file to list.
    #[arg(value_name = "PATH", required_unless_present = "worker")]
    pub path: Option<PathBuf>,
    /// Result; CASE/inventory/<share>.jsonl with --case, else <name>.inventory.jsonl.
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Case folder whose identities/ and ampleur.toml say who is who.
    #[arg(long, value_name = "CASE_DIR")]
    pub case: Option<PathBuf>,
    /// Folder of dated identity snapshots, instead of those of the case.
    #[arg(long, value_name = "DIR")]
    pub identities: Option<PathBuf>,
    /// The share as logs name it, such as \\FS01\RH$; \\localhost\<name of PATH> by default.
    #[arg(long, value_name = "SHARE")]
    pub share: Option<String>,
    /// Establishment whose numbers name persons, such as finess:590780193; all of the case by default.
    #[arg(long, value_name = "ID")]
    pub establishment: Option<String>,
    /// Folder that holds the officer's dpo.pub; made with a new key when there is none.
    #[arg(long, value_name = "DIR", env = "AMPLEUR_KEYS")]
    pub keys: Option<PathBuf>,
    /// Write rows in clear instead of locking them for the officer.
    #[arg(long)]
    pub clear: bool,
    /// Threads; all cores by default. The result is the same on any number.
    #[arg(long, value_name = "N", env = "AMPLEUR_THREADS")]
    pub threads: Option<usize>,
    /// Longest a document may take to open, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub patience_s: u64,
    /// Largest document held in memory, in bytes; longer ones are read in part or as text.
    #[arg(long, value_name = "BYTES", default_value_t = 256 << 20)]
    pub document_bytes_max: u64,
    /// Reads documents handed over by the parent process.
    #[arg(long, hide = true)]
    pub worker: bool,
}

/// Everybody who may be in files: of a case, or of a folder of snapshots alone.
pub fn knowledge(
    case: Option<&Case>,
    identities: Option<&Path>,
    establishment: Option<&str>,
    shell: &Shell,
) -> anyhow::Result<Knowledge> {
    let context = case.map_or_else(Context::default, |c| c.context.clone());
    if let Some(e) = establishment
        && !context.establishments.iter().any(|x| x.id == e)
    {
        return Err(refuse(
            format!("find establishment `{e}`"),
            "name one of ampleur.toml, and give the case with --case",
        ));
    }
    let base = match (identities, case) {
        (Some(dir), _) => IdentityBase::load(dir, &context.zone(), cores())?,
        (None, Some(c)) => IdentityBase::load_case(c, cores())?,
        (None, None) => IdentityBase::default(),
    };
    for d in base.damage() {
        shell.note(&d.to_string());
    }
    Ok(Knowledge::new(roster(&base, &context, establishment)))
}

/// This program as the process that opens hostile documents.
pub fn apart(patience_s: u64) -> anyhow::Result<Apart> {
    Ok(Apart {
        program: std::env::current_exe().context("find this program")?,
        arguments: vec!["inventory".into(), "--worker".into()],
        patience: Duration::from_secs(patience_s.max(1)),
    })
}

/// The officer's public key: of the folder, or made there.
fn officer(dir: &Path, shell: &Shell) -> anyhow::Result<DpoPublic> {
    let public = dir.join("dpo.pub");
    if public.exists() {
        return Ok(DpoPublic::load(&public)?);
    }
    std::fs::create_dir_all(dir).context("make folder of keys")?;
    let mut failed = None;
    let key = DpoKey::generate(&mut |b| {
        if let Err(e) = getrandom::fill(b) {
            failed = Some(e);
        }
    });
    if let Some(e) = failed {
        anyhow::bail!("find randomness for keys: {e}");
    }
    key.save(&dir.join("dpo.key"))?;
    key.save_public(&public)?;
    shell.note(&format!(
        "{} {}",
        shell.say(
            "Nouvelle clé du délégué à la protection des données ; confiez-la-lui et retirez-la d’ici :",
            "New key of the data-protection officer; hand it over and take it away from here:"
        ),
        dir.join("dpo.key").display()
    ));
    Ok(key.public())
}

pub fn run(args: &Args, shell: &Shell) -> anyhow::Result<Exit> {
    if args.worker {
        return worker();
    }
    let Some(path) = &args.path else {
        return Err(refuse("list nothing", "give a folder or a file"));
    };
    if !path.exists() {
        return Err(refuse(
            format!("find {}", path.display()),
            "give a folder or a file",
        ));
    }
    let name = path
        .canonicalize()
        .ok()
        .and_then(|p| p.file_name().map(|n| n.to_string_lossy().into_owned()))
        .unwrap_or_else(|| "share".into());
    let share = args
        .share
        .clone()
        .unwrap_or_else(|| format!("\\\\localhost\\{name}"));
    let case = args.case.as_deref().map(Case::open).transpose()?;
    let file: String = share
        .trim_matches('\\')
        .chars()
        .map(|c| {
            if c.is_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let out = match (&args.out, &args.case) {
        (Some(o), _) => o.clone(),
        (None, Some(c)) => c
            .join("inventory")
            .join(format!("{}.jsonl", file.trim_end_matches('-'))),
        (None, None) => PathBuf::from(format!("{name}.inventory.jsonl")),
    };
    let officer = if args.clear {
        None
    } else {
        // Never inside the case: a key does not lie beside what it locks.
        let dir = args.keys.clone().unwrap_or_else(|| {
            let near = args.case.as_deref().unwrap_or(&out);
            near.parent()
                .unwrap_or(Path::new(""))
                .join("inventory-keys")
        });
        Some(officer(&dir, shell)?)
    };
    let know = knowledge(
        case.as_ref(),
        args.identities.as_deref(),
        args.establishment.as_deref(),
        shell,
    )?;
    if know.roster.is_empty() {
        shell.note(shell.say(
            "Aucune base d’identités : seuls les numéros qui portent leur clé nomment quelqu’un (--case ou --identities).",
            "No identity base: only numbers that carry their key name anybody (--case or --identities).",
        ));
    }
    let how = apart(args.patience_s)?;
    let risky = || how.reader();
    let options = InventoryOptions {
        root: path.clone(),
        share,
        out: out.clone(),
        officer,
        threads: args.threads.unwrap_or_else(cores).max(1),
        limits: Limits {
            document_bytes: args.document_bytes_max.max(1 << 16),
            ..Limits::default()
        },
        risky: &risky,
    };
    let began = Instant::now();
    let s = with_outside(shell, |outside, progress| {
        inventory(&options, &know, outside, progress)
    })?;
    show(&s, &out, began.elapsed(), shell)?;
    Ok(if s.part + s.unread > 0 || !s.why.is_empty() {
        Exit::Part
    } else {
        Exit::Done
    })
}

fn show(s: &InventorySummary, out: &Path, took: Duration, shell: &Shell) -> anyhow::Result<()> {
    let mut o = io::stdout().lock();
    if shell.json {
        let why: serde_json::Map<String, serde_json::Value> = s
            .why
            .iter()
            .map(|(w, n)| (w.word().to_string(), json!(n)))
            .collect();
        let v = json!({
            "out": out.display().to_string(), "files": s.files, "bytes": s.bytes, "kept": s.kept, "read": s.read,
            "part": s.part, "unread": s.unread, "named": s.named, "why": why,
        });
        writeln!(o, "{v}").context("write output")?;
        return Ok(());
    }
    let rate = (s.bytes as f64 / took.as_secs_f64().max(1e-3)) as u64;
    let n = |n: u64| plain(&words::number(n, shell.lang));
    let size = |n: u64| plain(&words::bytes(n, shell.lang));
    writeln!(
        o,
        "{}{} {} {} ({}, {}/s); {} {}, {} {}, {} {}, {} {}; {} {}",
        plain(&out.display().to_string()),
        plain(words::colon(shell.lang)),
        n(s.files),
        shell.say("fichiers", "files"),
        size(s.bytes),
        size(rate),
        n(s.read),
        shell.say("lus", "read"),
        n(s.part),
        shell.say("en partie", "in part"),
        n(s.unread),
        shell.say("non lus", "not read"),
        n(s.kept),
        shell.say("inchangés", "unchanged"),
        n(s.named),
        shell.say("nomment quelqu’un", "name somebody"),
    )
    .context("write output")?;
    for (w, n) in &s.why {
        use ampleur_content::extract::Why;
        let text = match w {
            Why::Scanned => shell.say(
                "image de texte : quelqu’un doit regarder",
                "picture of text: somebody must look",
            ),
            Why::Encrypted => shell.say("protégé par un mot de passe", "protected by a password"),
            Why::Unknown => shell.say("format non lu", "kind not read"),
            Why::Damaged => shell.say("abîmé", "damaged"),
            Why::Limit => shell.say("au-delà des limites", "beyond the limits"),
            Why::Stopped => shell.say("lecteur arrêté ou en panne", "reader stopped or broke down"),
            Why::Denied => shell.say("accès refusé", "access refused"),
        };
        writeln!(o, "  {n} {text}").context("write output")?;
    }
    // Paths may name persons: only who asks for more sees them.
    if shell.verbose > 0 {
        for (path, why) in &s.troubles {
            let words: Vec<&str> = why.iter().map(|w| w.word()).collect();
            shell.note(&format!("{}: {}", plain(path), words.join(", ")));
        }
    } else if !s.troubles.is_empty() && !shell.quiet {
        shell.note(shell.say(
            "Avec -v, ces fichiers sont nommés.",
            "With -v these files are named.",
        ));
    }
    Ok(())
}

/// Memory a process that opens documents may use.
#[cfg(unix)]
const WORKER_BYTES: u64 = 4 << 30;

fn worker() -> anyhow::Result<Exit> {
    #[cfg(unix)]
    {
        let cap = Some(WORKER_BYTES);
        // Without the cap a hostile file can only take what the machine has; the parent goes on in any case.
        let _ = rustix::process::setrlimit(
            rustix::process::Resource::As,
            rustix::process::Rlimit {
                current: cap,
                maximum: cap,
            },
        );
    }
    let mut input = BufReader::with_capacity(1 << 16, io::stdin().lock());
    let mut output = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    serve_documents(&mut input, &mut output).context("read documents")?;
    Ok(Exit::Done)
}
