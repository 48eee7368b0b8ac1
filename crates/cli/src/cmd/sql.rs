//! `ampleur sql`: one statement over the sealed events, read-only. Feature `cluster`.
use crate::{
    exit::Exit,
    shell::{Shell, refuse},
};
use ampleur_evidence::{Keys, Lake};
use ampleur_query::DatafusionDoor;
use anyhow::Context as _;
use std::{io::Write, path::PathBuf};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur sql answer \\
      \"SELECT verb_word, count(*) FROM events GROUP BY verb_word ORDER BY 2 DESC\"
  ampleur sql answer --json \\
      \"SELECT time, url FROM events WHERE account_key = 'vpn:editeur-lis' LIMIT 20\"

The table is `events`: the columns of docs/DATA.md, and `file`, `verb_word`, `account_key`, `subject_tokens`. Nothing can be changed.")]
pub struct Args {
    /// A lake, or an answer folder that holds one.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// The statement.
    #[arg(value_name = "SQL")]
    pub statement: String,
    /// Folder of the lake's keys; beside the lake by default.
    #[arg(long, value_name = "DIR", env = "AMPLEUR_KEYS")]
    pub keys: Option<PathBuf>,
}

pub fn run(args: &Args, shell: &Shell) -> anyhow::Result<Exit> {
    let inner = args.path.join("lake");
    let lake_path = if inner.join("ampleur.json").is_file() {
        inner
    } else {
        args.path.clone()
    };
    if !lake_path.join("ampleur.json").is_file() {
        return Err(refuse(
            format!("find a lake in {}", args.path.display()),
            "give a lake, or the folder of an answer",
        ));
    }
    let keys_path = args.keys.clone().unwrap_or_else(|| args.path.join("keys"));
    let keys =
        Keys::load(&keys_path).with_context(|| format!("load keys of {}", lake_path.display()))?;
    let lake = Lake::open(&lake_path, &keys).context("open lake")?;
    let mut names: Vec<String> = lake
        .segments()
        .iter()
        .map(|s| s.meta.file.clone())
        .collect();
    names.sort();
    names.dedup();
    let files: Vec<(u32, String)> = (0u32..).zip(names).collect();
    let door = DatafusionDoor::open(&lake, &keys, &files).context("open events")?;
    let table = door.sql(&args.statement).map_err(|e| {
        refuse(
            format!("run the statement: {e}"),
            "the one table is `events`, read-only; `SELECT column_name FROM information_schema.columns` lists its columns",
        )
    })?;
    let mut out = std::io::stdout().lock();
    if shell.json {
        for row in &table.rows {
            let object: serde_json::Map<String, serde_json::Value> = table
                .columns
                .iter()
                .cloned()
                .zip(row.iter().map(|v| v.clone().into()))
                .collect();
            writeln!(out, "{}", serde_json::Value::Object(object))?;
        }
    } else {
        let mut w = csv::Writer::from_writer(out);
        w.write_record(&table.columns)?;
        for row in &table.rows {
            w.write_record(row)?;
        }
        w.flush()?;
    }
    Ok(Exit::Done)
}
