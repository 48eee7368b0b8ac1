//! `ampleur leak`: a published list, and files published with it, against what the hospital holds.
use super::{
    inventory::{apart, knowledge},
    investigate::cores,
};
use crate::{
    exit::Exit,
    shell::{Shell, columns, plain, refuse},
};
use ampleur_content::{extract::Limits, inventory::State};
use ampleur_evidence::DpoKey;
use ampleur_extent::{
    files::Inventory,
    identity::{Damage, IdentityBase},
};
use ampleur_notice::words;
use ampleur_serve::job::{LeakReport, LineVerdict, leak_report, listings, load_inventory, samples};
use ampleur_sources::case::Case;
use anyhow::Context as _;
use serde_json::json;
use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::PathBuf,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur leak published.csv --case hospital --dpo-key inventory-keys/dpo.key
  ampleur leak tree.txt --case hospital --sample published/
  ampleur leak published.csv --case hospital --add

A list is a table with path, size and sha256 in any order, or what sha256sum, ls -lR, find -ls, dir /s, tree, tar tv, unzip -l, 7z l and rclone lsl print; names may have gone through other encodings. A line is ours when its hash is, or its path and size; a path alone proves nothing, and a path with another size is told as a decoy. Sample files are read, and who is named in them is published.
Exit code 0: nothing of ours; 1: something is; 3: a sample could not be read.")]
pub struct Args {
    /// Published lists.
    #[arg(value_name = "LISTING")]
    pub lists: Vec<PathBuf>,
    /// Published files, or folders of them; may be repeated.
    #[arg(long, value_name = "PATH")]
    pub sample: Vec<PathBuf>,
    /// Case folder with inventory/ and identities/.
    #[arg(long, value_name = "CASE_DIR")]
    pub case: PathBuf,
    /// Key of the data-protection officer, for an inventory that is locked.
    #[arg(long, value_name = "FILE")]
    pub dpo_key: Option<PathBuf>,
    /// Put the lists, and what the samples hold, into the case, for the next `investigate`.
    #[arg(long)]
    pub add: bool,
    /// Longest a sample may take to open, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub patience_s: u64,
}

pub fn run(args: &Args, shell: &Shell) -> anyhow::Result<Exit> {
    if args.lists.is_empty() && args.sample.is_empty() {
        return Err(refuse(
            "compare nothing",
            "give a list, or files with --sample",
        ));
    }
    for p in args.lists.iter().chain(&args.sample) {
        if !p.exists() {
            return Err(refuse(
                format!("find {}", p.display()),
                "give a file that is there",
            ));
        }
    }
    let case = Case::open(&args.case)?;
    let officer = args.dpo_key.as_deref().map(DpoKey::load).transpose()?;
    let inventory =
        load_inventory(&case, officer.as_ref()).map_err(|e| refuse(format!("go on: {e}"), ""))?;
    let base = IdentityBase::load_case(&case, cores())?;
    let mut damage: Vec<Damage> = inventory.damage.clone();
    if args.sample.is_empty() {
        damage.extend(base.damage());
    }
    damage.iter().for_each(|d| shell.note(&d.to_string()));
    let mut rows = vec![];
    if !args.sample.is_empty() {
        let know = knowledge(Some(&case), None, None, shell)?;
        let how = apart(args.patience_s)?;
        rows = samples(&args.sample, &know, Limits::default(), &mut *how.reader())?;
    }
    let lines = listings(&args.lists)?;
    let report = leak_report(lines, rows, &inventory, &base, &case.context.claims);
    if args.add {
        add(args, &report)?;
    }
    show(&report, &inventory, shell)?;
    let ours = report.subjects.at_most > 0
        || report
            .lines
            .iter()
            .any(|(_, v)| matches!(v, LineVerdict::Leaked { .. } | LineVerdict::Among(_)));
    let exit = if ours { Exit::Act } else { Exit::Done };
    let part = report.samples.iter().any(|s| s.state != State::Read);
    Ok(if part || !damage.is_empty() || !base.damage().is_empty() {
        exit.and(Exit::Part)
    } else {
        exit
    })
}

/// Lists go to `leak/`; samples to `inventory/`, with a list of their hashes: for an investigation they are published files.
fn add(args: &Args, report: &LeakReport) -> anyhow::Result<()> {
    let leak = args.case.join("leak");
    std::fs::create_dir_all(&leak).context("make folder leak")?;
    for l in &args.lists {
        let to = leak.join(l.file_name().unwrap_or_default());
        if !to.exists() {
            std::fs::copy(l, &to).with_context(|| format!("copy {}", l.display()))?;
        }
    }
    if !report.samples.is_empty() {
        let inventory = args.case.join("inventory");
        std::fs::create_dir_all(&inventory).context("make folder inventory")?;
        let mut text = vec![];
        let mut list = csv::Writer::from_writer(vec![]);
        list.write_record(["path", "size", "sha256"])?;
        for s in &report.samples {
            serde_json::to_writer(&mut text, s)?;
            text.push(b'\n');
            list.write_record([&s.path, &s.size.to_string(), &s.sha256])?;
        }
        std::fs::write(inventory.join("published-samples.jsonl"), text)
            .context("write inventory/published-samples.jsonl")?;
        std::fs::write(leak.join("published-samples.csv"), list.into_inner()?)
            .context("write leak/published-samples.csv")?;
    }
    Ok(())
}

fn show(r: &LeakReport, inventory: &Inventory, shell: &Shell) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let mut tally: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, v) in &r.lines {
        *tally.entry(v.word()).or_default() += 1;
    }
    let place = |f: u32| format!("{}\\{}", inventory.share_of(f), inventory.path_of(f));
    if shell.json {
        let lines: Vec<_> = r
            .lines
            .iter()
            .map(|(l, v)| {
                let (files, by) = match v {
                    LineVerdict::Leaked { file, by_hash } => (
                        vec![place(*file)],
                        Some(if *by_hash { "sha256" } else { "path and size" }),
                    ),
                    LineVerdict::Among(f) | LineVerdict::Decoy(f) | LineVerdict::NameOnly(f) => {
                        (f.iter().map(|f| place(*f)).collect(), None)
                    }
                    LineVerdict::Unknown => (vec![], None),
                };
                json!({"list": l.list, "line": l.line, "path": l.path, "size": l.size, "verdict": v.word(), "by": by, "files": files})
            })
            .collect();
        let categories: Vec<_> = r
            .categories
            .iter()
            .map(|(c, n)| json!({"category": c.code(), "subjects": n}))
            .collect();
        let claims: Vec<_> = r
            .claims
            .iter()
            .map(|c| json!({"text": c.text, "verdict": c.verdict, "because": shell.say(&c.fr, &c.en)}))
            .collect();
        let v = json!({
            "lines": lines, "verdicts": tally, "subjects": r.subjects, "categories": categories, "open": r.open,
            "samples": r.samples, "claims": claims,
        });
        serde_json::to_writer_pretty(&mut out, &v)?;
        writeln!(out)?;
        return Ok(());
    }
    for (word, n) in &tally {
        let text = match *word {
            "leaked" => shell.say("à nous, publiés", "ours, published"),
            "among" => shell.say(
                "à nous, l’un de plusieurs fichiers",
                "ours, one of several files",
            ),
            "decoy" => shell.say(
                "leurres ou autres versions (même chemin, autre taille ou empreinte)",
                "decoys or other versions (same path, another size or hash)",
            ),
            "name-only" => shell.say(
                "un nom à nous, sans taille ni empreinte : ne prouve rien",
                "a name of ours, without size or hash: proves nothing",
            ),
            _ => shell.say("inconnus", "unknown"),
        };
        writeln!(out, "{n:>8}  {text}")?;
    }
    if !r.samples.is_empty() {
        let named = r.samples.iter().filter(|s| !s.subjects.is_empty()).count();
        writeln!(
            out,
            "{:>8}  {} ({} {})",
            r.samples.len(),
            shell.say("fichiers publiés lus", "published files read"),
            named,
            shell.say("nomment quelqu’un", "name somebody")
        )?;
    }
    let mut rows = vec![];
    for (c, n) in &r.categories {
        rows.push(vec![
            format!("  {}", words::category(c.code()).get(shell.lang)),
            plain(&words::interval(*n, shell.lang)),
        ]);
    }
    writeln!(
        out,
        "{} {}",
        shell.say(
            "Personnes dans ce qui est publié :",
            "People in what was published:"
        ),
        plain(&words::interval(r.subjects, shell.lang))
    )?;
    out.write_all(columns(&rows).as_bytes())?;
    if r.open {
        writeln!(
            out,
            "{}",
            shell.say(
                "Un fichier publié n’a pas pu être lu en entier : la borne haute est tout le monde.",
                "A published file could not be read to its end: the upper bound is everybody."
            )
        )?;
    }
    for c in &r.claims {
        let verdict = match c.verdict {
            "supported" => shell.say("appuyé", "supported"),
            "refuted" => shell.say("réfuté", "refuted"),
            _ => shell.say("indécidable", "undecidable"),
        };
        writeln!(
            out,
            "{}{}{} {verdict}, {}",
            shell.say("« ", "“"),
            plain(&c.text),
            shell.say(" » :", "”:"),
            shell.say(&c.fr, &c.en)
        )?;
    }
    Ok(())
}
