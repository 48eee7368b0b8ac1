//! `ampleur readiness`: before any incident, what could these sources prove?
use crate::{
    cmd::investigate::with_outside,
    exit::Exit,
    shell::{Shell, plain},
};
use ampleur_event::{
    Category,
    capability::{Proof, Silence},
    category::CategorySet,
};
use ampleur_notice::{
    Lang,
    terminal::{WIDTH, wrap},
    words,
};
use ampleur_serve::job::cover;
use ampleur_sources::case::Case;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    path::PathBuf,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur readiness hospital/case

Four questions every attacked hospital is asked, for each source: whose records were served, who came in and since when, did copies leave, can its silence be trusted; and what to switch on first. Then the data no source would tell of: there an answer could only say `exposed`. Exit code 1 when there is such data, 3 when a file has no known format.")]
pub struct Args {
    /// A case folder: logs/ and, better, ampleur.toml.
    #[arg(value_name = "CASE_DIR")]
    pub case: PathBuf,
}

pub fn run(args: &Args, shell: &Shell) -> anyhow::Result<Exit> {
    let case = Case::open(&args.case)?;
    let covered = with_outside(shell, |_, progress| cover(&case, progress))?;
    let asked = ampleur_extent::coverage::readiness(&covered.coverage);
    let mut unknown = Vec::new();
    let mut told = CategorySet::EMPTY;
    // Format of each source, for people.
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut list = Vec::new();
    for (i, def) in case.sources.iter().enumerate() {
        let mut formats: BTreeSet<&'static str> = BTreeSet::new();
        for file in &def.files {
            let format = covered.formats[*file as usize];
            if ampleur_sources::by_name(format).is_some() {
                formats.insert(format);
            } else {
                unknown.push(case.files[*file as usize].rel.clone());
            }
        }
        let tells = case
            .entry(i as u32)
            .and_then(|e| CategorySet::parse(&e.tells).ok())
            .unwrap_or(CategorySet::EMPTY);
        told = told.union(tells);
        let sheets: Vec<_> = formats
            .iter()
            .filter_map(|f| ampleur_sources::by_name(f))
            .map(|s| s.capability())
            .collect();
        let serves = sheets
            .iter()
            .any(|c| c.rows.iter().any(|(_, p)| *p == Proof::Access));
        let names = case
            .entry(i as u32)
            .and_then(|e| e.shows_results)
            .unwrap_or(sheets.iter().any(|c| c.names_results));
        let quiet = sheets.iter().all(|c| c.silence == Silence::Nothing) && tells.is_empty();
        let name: Vec<&str> = formats.iter().copied().collect();
        if !name.is_empty() {
            found.insert(def.name.clone(), format!("  ({})", name.join(", ")));
        }
        list.push(json!({
            "source": def.name, "formats": name, "files": def.files.len(), "shows_access": serves, "names_results": names,
            "silence_proves": !quiet, "tells": tells.iter().map(|c| c.code()).collect::<Vec<_>>(),
        }));
    }
    let blind: Vec<Category> = Category::ALL
        .iter()
        .copied()
        .filter(|c| !told.contains(*c))
        .collect();
    let mut out = io::stdout().lock();
    if shell.json {
        let questions: Vec<_> = asked
            .iter()
            .map(|r| {
                json!({
                    "source": r.source, "question": r.question.en(), "proven": r.proven, "fr": r.fr, "en": r.en,
                    "first_fr": r.first_fr, "first_en": r.first_en,
                })
            })
            .collect();
        let v = json!({ "sources": list, "questions": questions, "untold": blind.iter().map(|c| c.code()).collect::<Vec<_>>(), "unknown_files": unknown });
        serde_json::to_writer_pretty(&mut out, &v)?;
        writeln!(out)?;
    } else {
        // What to do first, once, before the sheets of the sources.
        let mut first: Vec<(&str, Vec<&str>)> = Vec::new();
        for r in asked.iter().filter(|r| !r.proven) {
            let text = shell.say(&r.first_fr, &r.first_en);
            match first.iter_mut().find(|(t, _)| *t == text) {
                Some((_, sources)) => sources.push(&r.source),
                None if !text.is_empty() => first.push((text, vec![&r.source])),
                None => {}
            }
        }
        first.sort_by_key(|(_, sources)| std::cmp::Reverse(sources.len()));
        if !first.is_empty() {
            writeln!(out, "{}", shell.say("À faire d’abord", "To do first"))?;
            for (i, (text, sources)) in first.iter().enumerate() {
                let named: Vec<String> = (sources.iter().filter(|s| !s.is_empty()))
                    .map(|s| plain(s))
                    .collect();
                let tail = match named.len() {
                    0 => String::new(),
                    n if n <= 3 => format!(" ({})", named.join(", ")),
                    n => format!(" ({n} {})", shell.say("sources", "sources")),
                };
                let line = format!("{text}{tail}");
                for (k, line) in wrap(&line, WIDTH - 5).iter().enumerate() {
                    let mark = if k == 0 {
                        format!("{}.", i + 1)
                    } else {
                        String::new()
                    };
                    writeln!(out, "  {mark:<2} {line}")?;
                }
            }
            writeln!(out)?;
        }
        let mut source = None;
        for r in &asked {
            if source != Some(&r.source) {
                source = Some(&r.source);
                let name = match r.source.as_str() {
                    "" => shell.say("Aucune source", "No source"),
                    name => name,
                };
                let formats = found.get(&r.source).cloned().unwrap_or_default();
                writeln!(out, "{}{}", plain(name), formats)?;
            }
            let mark = if r.proven { "✓" } else { "✗" };
            let (says, first) = match shell.lang {
                Lang::Fr => (format!("{} {}", r.question.fr(), r.fr), &r.first_fr),
                Lang::En => (format!("{} {}", r.question.en(), r.en), &r.first_en),
            };
            for (i, line) in wrap(&says, WIDTH - 4).iter().enumerate() {
                writeln!(out, "  {} {line}", if i == 0 { mark } else { " " })?;
            }
            for (i, line) in wrap(first, WIDTH - 6).iter().enumerate() {
                writeln!(out, "    {} {line}", if i == 0 { "→" } else { " " })?;
            }
        }
        for u in &unknown {
            writeln!(
                out,
                "{}: {}",
                shell.say("format inconnu", "unknown format"),
                plain(u)
            )?;
        }
        if !blind.is_empty() {
            let named: Vec<String> = (blind.iter())
                .map(|c| words::category(c.code()).get(shell.lang).to_string())
                .collect();
            let all = format!(
                "{} {}.",
                shell.say(
                    "Aucune source ne dirait un accès à ces données :",
                    "No source would tell of an access to these data:"
                ),
                named.join(", ")
            );
            writeln!(out)?;
            for line in wrap(&all, WIDTH) {
                writeln!(out, "{line}")?;
            }
            writeln!(
                out,
                "{}",
                shell.say(
                    "Déclarez `tells` dans ampleur.toml pour les sources complètes.",
                    "Declare `tells` in ampleur.toml for sources that are complete."
                )
            )?;
        }
    }
    Ok(if !unknown.is_empty() {
        Exit::Part
    } else if blind.is_empty() {
        Exit::Done
    } else {
        Exit::Act
    })
}
