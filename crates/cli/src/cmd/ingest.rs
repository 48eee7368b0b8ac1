//! `ampleur ingest`: seal a case's logs now, investigate later.
use super::investigate::{cores, with_outside};
use crate::{
    exit::Exit,
    shell::{Shell, columns, plain},
};
use ampleur_evidence::{Keys, Lake, Wait};
use ampleur_serve::job::intake;
use ampleur_sources::case::Case;
use anyhow::Context as _;
use std::{
    io::{self, Write},
    path::PathBuf,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur ingest CASE_DIR --lake lake --keys keys
  ampleur verify lake --keys keys
  ampleur investigate CASE_DIR --out answer --lake lake --keys keys

Exit code 3 when a file could not be decoded; it is sealed and counted all the same.")]
pub struct Args {
    /// The case: a folder with logs/ and, better, ampleur.toml.
    #[arg(value_name = "CASE_DIR")]
    pub case: PathBuf,
    /// Lake to seal into; made if missing.
    #[arg(long, value_name = "DIR", env = "AMPLEUR_LAKE")]
    pub lake: PathBuf,
    /// Folder of the lake's keys; made with a new lake. Keep it apart from the lake.
    #[arg(long, value_name = "DIR", env = "AMPLEUR_KEYS")]
    pub keys: PathBuf,
    /// Threads; all cores by default.
    #[arg(long, value_name = "N", env = "AMPLEUR_THREADS")]
    pub threads: Option<usize>,
}

pub fn run(args: &Args, shell: &Shell) -> anyhow::Result<Exit> {
    let case = Case::open(&args.case)?.with_logs()?;
    let fresh = !args.lake.join("ampleur.json").is_file();
    if fresh {
        std::fs::create_dir_all(&args.keys)
            .with_context(|| format!("make {}", args.keys.display()))?;
    }
    let done = with_outside(shell, |outside, progress| {
        let mut lake = if fresh {
            let (keys, dpo) = Keys::generate(outside.random);
            keys.save(&args.keys)?;
            dpo.save(&args.keys.join("dpo.key"))?;
            Lake::create(&args.lake, &keys, outside.now)?
        } else {
            let keys = Keys::load(&args.keys)?;
            Lake::open_writer(&args.lake, &keys, Wait::Millis(5_000))?
        };
        let threads = args.threads.unwrap_or_else(cores).max(1);
        intake(&case, &mut lake, threads, outside, progress)
    })?;
    let mut out = io::stdout().lock();
    let part = done.reports.iter().any(|r| r.rejects > 0 && r.events == 0);
    if shell.json {
        let v = serde_json::json!({
            "tree_size": done.checkpoint.tree_size, "root_hash": done.checkpoint.root_hex(),
            "files": done.reports.iter().map(|r| serde_json::json!({
                "source": case.files[r.file as usize].rel, "format": r.format, "records": r.records, "events": r.events,
                "rejects": r.rejects, "skipped": r.skipped })).collect::<Vec<_>>(),
        });
        serde_json::to_writer_pretty(&mut out, &v)?;
        writeln!(out)?;
    } else {
        let rows: Vec<Vec<String>> = done
            .reports
            .iter()
            .map(|r| {
                vec![
                    plain(&case.files[r.file as usize].rel),
                    r.format.to_string(),
                    format!(
                        "{} = {} + {} + {}",
                        r.records, r.events, r.rejects, r.skipped
                    ),
                ]
            })
            .collect();
        out.write_all(columns(&rows).as_bytes())?;
        writeln!(
            out,
            "{} {}",
            shell.say("racine", "root"),
            done.checkpoint.root_hex()
        )?;
    }
    Ok(if part { Exit::Part } else { Exit::Done })
}
