//! `ampleur rules`: the Sigma rules there are, and whether a hospital's own can be loaded.
use crate::{
    exit::Exit,
    shell::{Shell, columns, refuse},
};
use ampleur_notice::Lang;
use ampleur_rules::{About, PACK, Problem, Rules, files};
use serde_json::json;
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Every rule that is asked, one a line.
    List {
        /// The hospital's own rules too.
        #[arg(long, value_name = "DIR")]
        rules: Option<PathBuf>,
    },
    /// Load the rules of a folder beside ours and say what is wrong with them, by file and line.
    Check {
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

/// The texts of a folder; a folder that cannot be read is a usage error.
fn given(dir: &Path) -> anyhow::Result<Vec<(String, String)>> {
    files(dir).map_err(|p| {
        refuse(
            format!("read rules: {}: {}", p.file, p.what),
            "name a folder that holds Sigma rules as .yml files",
        )
    })
}

pub fn run(command: &Command, shell: &Shell) -> anyhow::Result<Exit> {
    match command {
        Command::List { rules } => {
            let texts = rules.as_deref().map(given).transpose()?;
            let rules = Rules::with_own(&texts.unwrap_or_default()).map_err(|problems| {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                refuse(
                    format!("use these rules:\n{}", lines.join("\n")),
                    "`ampleur rules check DIR` says the same",
                )
            })?;
            list(&rules, shell)
        }
        Command::Check { dir } => {
            let texts = given(dir)?;
            let (rules, problems) = match Rules::with_own(&texts) {
                Ok(rules) => (Some(rules), vec![]),
                Err(problems) => (None, problems),
            };
            let loaded = rules.map_or(0, |r| r.about().iter().filter(|a| !own(a)).count());
            check(texts.len(), loaded, &problems, shell)
        }
    }
}

fn own(a: &About) -> bool {
    PACK.iter().any(|(file, _)| *file == a.file)
}

fn list(rules: &Rules, shell: &Shell) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    if shell.json {
        let rows = rules.about().iter().map(|a| {
            json!({
                "id": a.id, "title": a.title, "title_fr": a.title_fr, "description": a.description,
                "description_fr": a.description_fr, "level": a.level, "kind": a.kind, "file": a.file,
                "own": own(a), "counted": a.counted,
            })
        });
        serde_json::to_writer_pretty(&mut out, &rows.collect::<Vec<_>>())?;
        writeln!(out)?;
        return Ok(Exit::Done);
    }
    let head = [
        shell.say("NIVEAU", "LEVEL"),
        shell.say("GENRE", "KIND"),
        shell.say("FICHIER", "FILE"),
        shell.say("RÈGLE", "RULE"),
    ];
    let mut rows = vec![head.map(str::to_string).to_vec()];
    let listed = rules.about().iter().filter(|a| !a.counted).map(|a| {
        let title = match shell.lang {
            Lang::Fr if !a.title_fr.is_empty() => &a.title_fr,
            _ => &a.title,
        };
        vec![
            a.level.clone(),
            a.kind.into(),
            a.file.clone(),
            title.clone(),
        ]
    });
    rows.extend(listed);
    out.write_all(columns(&rows).as_bytes())?;
    Ok(Exit::Done)
}

fn check(texts: usize, loaded: usize, problems: &[Problem], shell: &Shell) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    if shell.json {
        let rows = problems
            .iter()
            .map(|p| json!({"file": p.file, "line": p.line, "what": p.what}));
        serde_json::to_writer_pretty(&mut out, &rows.collect::<Vec<_>>())?;
        writeln!(out)?;
    } else {
        for p in problems {
            writeln!(out, "{p}")?;
        }
        if problems.is_empty() {
            let rules = shell.say("règles utilisables", "rules can be used");
            writeln!(
                out,
                "{loaded} {rules} ({texts} {})",
                shell.say("fichiers", "files")
            )?;
        }
    }
    Ok(if problems.is_empty() {
        Exit::Done
    } else {
        Exit::Act
    })
}
