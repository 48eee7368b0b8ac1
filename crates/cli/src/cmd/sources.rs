//! `ampleur sources`: what can be read, and what each format can prove.
use crate::{
    exit::Exit,
    shell::{Shell, columns, refuse},
};
use ampleur_event::{
    GapSign,
    capability::{Proof, Silence},
};
use ampleur_sources::{SOURCES, Source, by_name, nearest_name};
use serde_json::{Value, json};
use std::io::{self, Write};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Every format, one a line.
    List,
    /// What one format proves, what its silence proves, how a gap would show.
    Show {
        #[arg(value_name = "NAME")]
        name: String,
    },
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
