//! `ampleur sources`: what can be read, and what each format can prove.
use crate::{
    exit::Exit,
    shell::{Shell, columns, refuse},
};
use ampleur_event::{
    GapSign,
    capability::{Proof, Silence},
};
use ampleur_sources::{
    Limits, SOURCES, Setting, Source, by_name, canonical, mapped, nearest_name,
    reader::{Collect, read_bytes},
};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Every format, one a line.
    List,
    /// What one format proves, what its silence proves, how a gap would show.
    Show {
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Propose a mapping for a format nobody knows, from a sample of it; show what it reads, keep it as a file.
    Learn {
        /// Some lines of the log, the more kinds of them the better.
        #[arg(value_name = "SAMPLE")]
        sample: PathBuf,
        /// What the source is to be called; the name of the sample by default.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Write the mapping here, for example to `CASE_DIR/mappings/NAME.toml`; an existing file is left alone.
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
}

/// Bytes of a sample looked at.
const SAMPLE_MAX: u64 = 4 << 20;

/// A mapping file as a source.
pub fn mapping(path: &Path) -> anyhow::Result<&'static dyn Source> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let name = name_of(path);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let source = mapped::load_in(&name, &text, Some(folder)).map_err(|e| {
        refuse(
            format!("read {}", path.display()),
            format!("{e}; docs/adding-a-source.md describes mappings"),
        )
    })?;
    Ok(source)
}

/// A kebab-case name from a file's own.
fn name_of(path: &Path) -> String {
    let stem = path
        .file_stem()
        .map(|s| s.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let mut name = String::new();
    for c in stem.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_end_matches('-');
    if name.is_empty() {
        "learned".into()
    } else {
        name.into()
    }
}

fn learn(
    sample: &Path,
    name: Option<&str>,
    save: Option<&Path>,
    shell: &Shell,
) -> anyhow::Result<Exit> {
    let mut bytes = vec![];
    fs::File::open(sample)
        .and_then(|f| f.take(SAMPLE_MAX).read_to_end(&mut bytes))
        .with_context(|| format!("read {}", sample.display()))?;
    // Only whole lines teach.
    if bytes.len() as u64 == SAMPLE_MAX
        && let Some(end) = bytes.iter().rposition(|b| *b == b'\n')
    {
        bytes.truncate(end + 1);
    }
    let name = name.map_or_else(|| name_of(sample), str::to_string);
    let proposal = mapped::learn::learn(&bytes, &name).map_err(|e| {
        refuse(
            format!("learn from {}", sample.display()),
            format!(
                "{e}; a sample of a hundred lines or more of one format works best, and a program reads what no mapping describes \
                 (docs/adding-a-source.md)"
            ),
        )
    })?;
    let source = mapped::load(&name, &proposal.text)
        .map_err(|e| refuse(format!("name the source `{name}`"), e.to_string()))?;
    let mut got = Collect::default();
    let report = read_bytes(
        &bytes,
        0,
        Some(source),
        &Setting::default(),
        &Limits::default(),
        &mut got,
    )?;
    let first: Vec<Value> = got
        .events
        .iter()
        .take(5)
        .map(|e| Value::Object(canonical(&name, e)))
        .collect();
    let mut out = io::stdout().lock();
    if shell.json {
        let columns: Vec<Value> = proposal
            .columns
            .iter()
            .map(|(c, f)| json!({"column": c, "field": f}))
            .collect();
        let all = json!({
            "name": name, "container": proposal.container, "columns": columns, "open": proposal.open, "mapping": proposal.text,
            "sample": {"records": report.records, "events": report.events, "rejects": report.rejects, "skipped": report.skipped},
            "events": first,
        });
        serde_json::to_writer_pretty(&mut out, &all)?;
        writeln!(out)?;
    } else {
        let rows: Vec<Vec<String>> = proposal
            .columns
            .iter()
            .map(|(c, f)| vec![format!("  {c}"), f.clone()])
            .collect();
        shell.note(&format!(
            "{name}{} {}, {} {}, {} {}, {} {}",
            shell.say(" :", ":"),
            proposal.container,
            report.records,
            shell.say("enregistrements", "records"),
            report.events,
            shell.say("compris", "understood"),
            report.rejects,
            shell.say("rejetés", "rejected"),
        ));
        shell.note(columns(&rows).trim_end());
        for e in &first {
            shell.note(&e.to_string());
        }
        for o in &proposal.open {
            let o = shell.translated(o).unwrap_or_else(|| o.clone());
            shell.note(&format!("{} {o}", shell.say("à préciser :", "open:")));
        }
        if save.is_none() {
            out.write_all(proposal.text.as_bytes())?;
        }
    }
    if let Some(path) = save {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        }
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .and_then(|mut f| f.write_all(proposal.text.as_bytes()))
            .with_context(|| format!("write {}", path.display()))?;
        shell.note(&format!(
            "{} {}",
            shell.say("écrit :", "wrote"),
            path.display()
        ));
    }
    Ok(if report.rejects * 100 > report.records {
        Exit::Part
    } else {
        Exit::Done
    })
}

fn proof(p: Proof) -> (&'static str, &'static str, &'static str) {
    match p {
        Proof::Access => (
            "access",
            "la donnée nommée a été servie",
            "the data named was served",
        ),
        Proof::Question => (
            "question",
            "une question a été posée, la réponse se rejoue",
            "a question was asked; the answer is replayed",
        ),
        Proof::Attempt => (
            "attempt",
            "une tentative ; rien n’est montré par la ligne",
            "an attempt; the row shows no data",
        ),
        Proof::Presence => (
            "presence",
            "un compte était là, depuis une origine",
            "an account was there, from an origin",
        ),
        Proof::Transfer => ("transfer", "des octets sont passés", "bytes moved"),
        Proof::Change => ("change", "une valeur a changé", "a value was changed"),
        Proof::Health => (
            "health",
            "la source parle d’elle-même",
            "the source speaks of itself",
        ),
    }
}

fn silence(s: Silence) -> (&'static str, &'static str, &'static str) {
    match s {
        Silence::NoAccess => (
            "no-access",
            "pas d’accès de ce genre",
            "no access of this kind",
        ),
        Silence::NoPresence => (
            "no-presence",
            "personne n’est passé par cette porte",
            "nobody came through this door",
        ),
        Silence::NoTransfer => (
            "no-transfer",
            "rien n’a traversé ce point",
            "nothing crossed this point",
        ),
        Silence::Nothing => (
            "nothing",
            "rien, sauf si le contexte le déclare (`tells`)",
            "nothing, unless the context declares it (`tells`)",
        ),
    }
}

fn gap(g: GapSign) -> (&'static str, &'static str, &'static str) {
    match g {
        GapSign::SequencePerHost => (
            "sequence-per-host",
            "un numéro manque, par machine",
            "a number is missing, per host",
        ),
        GapSign::SequencePerSession => (
            "sequence-per-session",
            "un numéro manque, par session",
            "a number is missing, per session",
        ),
        GapSign::RateOnly => (
            "rate-only",
            "un silence ou un débit anormal",
            "an unusual silence or rate",
        ),
    }
}

pub fn run(command: &Command, shell: &Shell) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    match command {
        Command::List => {
            if shell.json {
                let list: Vec<Value> = SOURCES.iter().map(|s| sheet(*s)).collect();
                serde_json::to_writer_pretty(&mut out, &list)?;
                writeln!(out)?;
            } else {
                let rows: Vec<Vec<String>> = SOURCES
                    .iter()
                    .map(|s| vec![s.name().to_string(), s.about().to_string()])
                    .collect();
                out.write_all(columns(&rows).as_bytes())?;
            }
        }
        Command::Learn { sample, name, save } => {
            drop(out);
            return learn(sample, name.as_deref(), save.as_deref(), shell);
        }
        Command::Show { name } => {
            let source = by_name(name).ok_or_else(|| {
                let near = nearest_name(name)
                    .map(|n| format!("did you mean `{n}`? "))
                    .unwrap_or_default();
                refuse(
                    format!("find format `{name}`"),
                    format!("{near}`ampleur sources list` shows every format"),
                )
            })?;
            if shell.json {
                serde_json::to_writer_pretty(&mut out, &sheet(source))?;
                writeln!(out)?;
                return Ok(Exit::Done);
            }
            let c = source.capability();
            let standard = source.standard();
            let pick = |t: (&'static str, &'static str, &'static str)| shell.say(t.1, t.2);
            let bold = anstyle::Style::new().bold();
            writeln!(out, "{}", shell.paint(bold, source.name()))?;
            writeln!(out, "{}\n", source.about())?;
            let mut rows = vec![
                vec![
                    shell.say("norme", "standard").to_string(),
                    format!("{} {}", standard.name, standard.section),
                ],
                vec![
                    shell
                        .say("son silence prouve", "its silence proves")
                        .to_string(),
                    pick(silence(c.silence)).to_string(),
                ],
                vec![
                    shell
                        .say("un trou se voit par", "a gap shows by")
                        .to_string(),
                    pick(gap(c.gap)).to_string(),
                ],
                vec![
                    shell
                        .say("nomme les résultats", "names results")
                        .to_string(),
                    if c.names_results {
                        shell.say("oui", "yes")
                    } else {
                        shell.say("non", "no")
                    }
                    .to_string(),
                ],
            ];
            out.write_all(columns(&rows).as_bytes())?;
            writeln!(
                out,
                "\n{}",
                shell.paint(bold, shell.say("Une ligne prouve", "A row proves"))
            )?;
            rows = c
                .rows
                .iter()
                .map(|(v, p)| vec![format!("  {}", v.word()), pick(proof(*p)).to_string()])
                .collect();
            out.write_all(columns(&rows).as_bytes())?;
        }
    }
    Ok(Exit::Done)
}

/// The capability sheet as data.
fn sheet(source: &dyn Source) -> Value {
    let c = source.capability();
    json!({
        "name": source.name(),
        "about": source.about(),
        "standard": { "name": source.standard().name, "section": source.standard().section },
        "rows": c.rows.iter().map(|(v, p)| json!({ "verb": v.word(), "proves": proof(*p).0 })).collect::<Vec<_>>(),
        "silence": silence(c.silence).0,
        "names_results": c.names_results,
        "gap": gap(c.gap).0,
    })
}

/// The documentation page of all formats, from the same list as everything else.
#[cfg(test)]
fn page() -> String {
    use std::fmt::Write as _;
    let mut out = String::from(
        "# Formats\n\nMade from the registry; `AMPLEUR_BLESS=1 cargo test -p ampleur sources` rewrites it. `ampleur sources show NAME` says the same.\n",
    );
    let mapped: Vec<&str> = ampleur_sources::mapped::built_in().map(|m| m.0).collect();
    for s in SOURCES.iter().filter(|s| !mapped.contains(&s.name())) {
        let c = s.capability();
        let _ = write!(
            out,
            "\n## {}\n\n{}\n\nFollows: {} {}. Its silence proves: {}. A gap shows by: {}. Names the results: {}.\n\n| a row of | proves |\n| --- | --- |\n",
            s.name(),
            s.about(),
            s.standard().name,
            s.standard().section,
            silence(c.silence).2,
            gap(c.gap).2,
            if c.names_results { "yes" } else { "no" }
        );
        for (v, p) in c.rows {
            let _ = writeln!(out, "| {} | {} |", v.word(), proof(*p).2);
        }
    }
    out.push_str(
        "\n## Mapped formats\n\nEvery file of `crates/sources/mappings/` is a format too: `ampleur sources list` names them, `ampleur sources show NAME` says what their rows prove, `docs/adding-a-source.md` how one is written.\n",
    );
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_of_sources_is_the_registry() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sources.md");
        let page = super::page();
        if std::env::var_os("AMPLEUR_BLESS").is_some() {
            std::fs::write(path, &page).expect("write docs/sources.md");
        }
        let there = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            there == page,
            "docs/sources.md is not what the registry says: AMPLEUR_BLESS=1 cargo test -p ampleur sources"
        );
    }
}
