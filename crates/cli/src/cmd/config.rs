//! `ampleur config`: every value of a case's context and where it came from, or an example of all that can be said.
use crate::{
    exit::Exit,
    shell::{Shell, columns, plain},
};
use ampleur_sources::case::Case;
use anyhow::Context as _;
use serde_json::json;
use std::{
    io::{self, Write},
    path::PathBuf,
};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Print each value of a case's ampleur.toml with its origin: the file, the environment, or the default.
    Show {
        /// The case: a folder with logs/ and, better, ampleur.toml.
        #[arg(value_name = "CASE_DIR")]
        case: PathBuf,
    },
    /// Print an ampleur.toml with every key explained, to be saved and changed.
    Example,
}

/// Values that count when the file does not say: key, default, unit or meaning.
const DEFAULTS: [(&str, &str); 4] = [
    ("version", "1"),
    ("timezone", "\"UTC\""),
    ("home_countries", "[]"),
    ("geoip", "[]"),
];

/// Variables the command line reads.
const VARIABLES: [&str; 6] = [
    "AMPLEUR_LANG",
    "AMPLEUR_COLOR",
    "AMPLEUR_TIMEZONE",
    "AMPLEUR_KEYS",
    "AMPLEUR_LAKE",
    "AMPLEUR_THREADS",
];

pub fn run(command: &Command, shell: &Shell) -> anyhow::Result<Exit> {
    let Command::Show { case: dir } = command else {
        io::stdout()
            .lock()
            .write_all(ampleur_event::context::EXAMPLE.as_bytes())?;
        return Ok(Exit::Done);
    };
    // Opened first, so that a wrong key is named with its line and its nearest neighbour.
    let case = Case::open(dir)?;
    let path = case.root.join(ampleur_sources::case::CONTEXT_FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(t) => t,
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(e).with_context(|| format!("read {}", path.display())),
    };
    let table: toml::Table = toml::from_str(text.strip_prefix('\u{feff}').unwrap_or(&text))
        .with_context(|| format!("read {}", path.display()))?;
    let mut rows: Vec<(String, String, String)> = Vec::new();
    for (k, v) in &table {
        flatten(k, v, &mut rows);
    }
    for (k, v) in DEFAULTS {
        if !table.contains_key(k) {
            rows.push((k.to_string(), v.to_string(), "default".into()));
        }
    }
    for name in VARIABLES {
        if let Ok(v) = std::env::var(name) {
            rows.push((name.to_string(), v, "environment".into()));
        }
    }
    rows.sort();
    let mut out = io::stdout().lock();
    if shell.json {
        let list: Vec<_> = rows
            .iter()
            .map(|(k, v, o)| json!({ "key": k, "value": v, "origin": o }))
            .collect();
        serde_json::to_writer_pretty(&mut out, &list)?;
        writeln!(out)?;
    } else {
        let rows: Vec<Vec<String>> = rows
            .into_iter()
            .map(|(k, v, o)| vec![plain(&k), plain(&v), o])
            .collect();
        out.write_all(columns(&rows).as_bytes())?;
    }
    Ok(Exit::Done)
}

fn flatten(key: &str, value: &toml::Value, out: &mut Vec<(String, String, String)>) {
    match value {
        toml::Value::Table(t) => {
            for (k, v) in t {
                flatten(&format!("{key}.{k}"), v, out);
            }
        }
        toml::Value::Array(a) if a.iter().any(toml::Value::is_table) => {
            for (i, v) in a.iter().enumerate() {
                flatten(&format!("{key}[{i}]"), v, out);
            }
        }
        v => out.push((key.to_string(), v.to_string(), "ampleur.toml".into())),
    }
}
