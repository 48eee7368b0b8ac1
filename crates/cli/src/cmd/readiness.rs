//! `ampleur readiness`: before any incident, what could these sources prove?
use crate::{
    exit::Exit,
    shell::{Shell, columns, plain},
};
use ampleur_event::{
    Category,
    capability::{Proof, Silence},
    category::CategorySet,
};
use ampleur_sources::{
    Head,
    case::Case,
    reader::{HEAD_BYTES, Limits, open, sniff},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    path::PathBuf,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur readiness hospital/case

For each source: its format, whether a row names the data served, what its silence would prove. Then the categories of data
for which no source would tell: for those, an answer could only say `exposed`. Exit code 1 when there is such a category,
3 when a file has no known format.")]
pub struct Args {
    /// A case folder: logs/ and, better, ampleur.toml.
    #[arg(value_name = "CASE_DIR")]
    pub case: PathBuf,
}

pub fn run(args: &Args, shell: &Shell) -> anyhow::Result<Exit> {
    let case = Case::open(&args.case)?;
    let limits = Limits::default();
    let mut unknown = Vec::new();
    let mut told = CategorySet::EMPTY;
    let mut rows = Vec::new();
    let mut list = Vec::new();
    for (i, def) in case.sources.iter().enumerate() {
        let mut formats: BTreeMap<&'static str, u64> = BTreeMap::new();
        for file in &def.files {
            let entry = &case.files[*file as usize];
            let found = case.format_of(*file).or_else(|| {
                let mut head = Vec::new();
                open(&entry.path, &limits)
                    .and_then(|r| r.take(HEAD_BYTES as u64).read_to_end(&mut head))
                    .ok()?;
                let whole = head.len() < HEAD_BYTES;
                sniff(&Head {
                    bytes: &head,
                    whole,
                })
            });
            match found {
                Some(s) => *formats.entry(s.name()).or_default() += 1,
                None => unknown.push(entry.rel.clone()),
            }
        }
        let tells = case
            .entry(i as u32)
            .and_then(|e| CategorySet::parse(&e.tells).ok())
            .unwrap_or(CategorySet::EMPTY);
        told = told.union(tells);
        let sheets: Vec<_> = formats
            .keys()
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
        let yes = |b: bool| {
            if b {
                shell.say("oui", "yes")
            } else {
                shell.say("non", "no")
            }
        };
        let name: Vec<&str> = formats.keys().copied().collect();
        rows.push(vec![
            plain(&def.name),
            if name.is_empty() {
                "?".into()
            } else {
                name.join(" ")
            },
            yes(serves).to_string(),
            yes(names).to_string(),
            yes(!quiet).to_string(),
        ]);
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
        let v = json!({ "sources": list, "untold": blind.iter().map(|c| c.code()).collect::<Vec<_>>(), "unknown_files": unknown });
        serde_json::to_writer_pretty(&mut out, &v)?;
        writeln!(out)?;
    } else {
        let mut table = vec![
            [
                shell.say("source", "source"),
                "format",
                shell.say("montre l’accès", "shows access"),
                shell.say("nomme les résultats", "names results"),
                shell.say("son silence prouve", "silence proves"),
            ]
            .map(str::to_string)
            .to_vec(),
        ];
        table.extend(rows);
        out.write_all(columns(&table).as_bytes())?;
        for u in &unknown {
            writeln!(
                out,
                "{}: {}",
                shell.say("format inconnu", "unknown format"),
                plain(u)
            )?;
        }
        if !blind.is_empty() {
            let families: Vec<&str> = {
                let mut f: Vec<&str> = blind
                    .iter()
                    .map(|c| c.code().split('.').next().unwrap_or(c.code()))
                    .collect();
                f.dedup();
                f
            };
            writeln!(
                out,
                "\n{} {}",
                shell.say(
                    "Aucune source ne dirait un accès à (tout ou partie de) :",
                    "No source would tell of an access to (all or part of):"
                ),
                families.join(", ")
            )?;
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
