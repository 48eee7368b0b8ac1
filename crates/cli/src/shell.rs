//! The edge to the outside: language, colours, output, errors with hints, progress.
use crate::exit::Exit;
use ampleur_notice::Lang;
use anstyle::{AnsiColor, Style};
use std::io::{self, IsTerminal, Write};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LangArg {
    Fr,
    En,
}

/// What every command is told.
pub struct Shell {
    pub lang: Lang,
    pub json: bool,
    pub quiet: bool,
    pub verbose: u8,
    color: When,
}

impl Shell {
    pub fn new(lang: Option<LangArg>, color: When, json: bool, quiet: bool, verbose: u8) -> Shell {
        let lang = match lang {
            Some(LangArg::Fr) => Lang::Fr,
            Some(LangArg::En) => Lang::En,
            None => locale(|name| std::env::var(name).ok()),
        };
        Shell {
            lang,
            json,
            quiet,
            verbose,
            color,
        }
    }

    fn coloured(&self, terminal: bool) -> bool {
        match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                terminal
                    && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                    && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
            }
        }
    }

    /// Colours for data on standard output.
    pub fn colour_out(&self) -> bool {
        self.coloured(io::stdout().is_terminal())
    }

    /// The sentence in the language of the run.
    pub fn say<'a>(&self, fr: &'a str, en: &'a str) -> &'a str {
        match self.lang {
            Lang::Fr => fr,
            Lang::En => en,
        }
    }

    /// The sentence in the language of the run, when that is not English and somebody has written it.
    pub fn translated(&self, text: &str) -> Option<String> {
        match self.lang {
            Lang::Fr => crate::french::french(text),
            Lang::En => None,
        }
    }

    /// A line on standard error, not when quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// True when a person watches: progress is drawn, otherwise not.
    pub fn watched(&self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }

    pub fn paint(&self, style: Style, text: &str) -> String {
        if self.colour_out() {
            format!("{}{text}{}", style.render(), style.render_reset())
        } else {
            text.to_string()
        }
    }

    /// Prints an error as `error: could not …` with its hint after a blank line, and gives the exit code it deserves.
    pub fn fail(&self, e: &anyhow::Error) -> Exit {
        if closed_pipe(e) {
            return Exit::Done;
        }
        let red = AnsiColor::Red.on_default().bold();
        let cyan = AnsiColor::Cyan.on_default().bold();
        let on = self.coloured(io::stderr().is_terminal());
        let paint = |s: Style, t: &str| {
            if on {
                format!("{}{t}{}", s.render(), s.render_reset())
            } else {
                t.to_string()
            }
        };
        let mut chain: Vec<String> = Vec::new();
        for cause in e.chain() {
            let text = cause.to_string();
            // A transparent error says the same as its cause.
            if chain.last().is_none_or(|last| !last.contains(&text)) {
                chain.push(text);
            }
        }
        let mut err = io::stderr().lock();
        let what = chain.join(": ");
        let _ = match self.translated(&what) {
            Some(fr) => writeln!(err, "{} impossible {fr}", paint(red, "erreur :")),
            None => writeln!(err, "{} could not {what}", paint(red, "error:")),
        };
        if let Some(hint) = e.chain().find_map(hint) {
            let _ = match self.translated(&hint) {
                Some(fr) => writeln!(err, "\n{} {fr}", paint(cyan, "conseil :")),
                None => writeln!(err, "\n{} {hint}", paint(cyan, "hint:")),
            };
        }
        e.chain().find_map(code).unwrap_or(Exit::Part)
    }
}

/// A failure with its exit code and the way out.
#[derive(Debug)]
pub struct Refusal {
    pub what: String,
    pub hint: Option<String>,
    pub exit: Exit,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Refusal {}

/// A usage error with a hint: nothing was done.
pub fn refuse(what: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    let hint = hint.into();
    anyhow::Error::new(Refusal {
        what: what.into(),
        hint: (!hint.is_empty()).then_some(hint),
        exit: Exit::Usage,
    })
}

fn code(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    use ampleur_evidence::EvidenceError as E;
    if let Some(r) = cause.downcast_ref::<Refusal>() {
        return Some(r.exit);
    }
    // A case that cannot be opened is refused before any work.
    if cause
        .downcast_ref::<ampleur_sources::case::CaseError>()
        .is_some()
    {
        return Some(Exit::Usage);
    }
    match cause.downcast_ref::<E>()? {
        E::Corrupt { .. } => Some(Exit::Broken),
        E::Absent | E::Exists | E::Key { .. } | E::Locked => Some(Exit::Usage),
        // A key that was named and is not there.
        E::Io { doing, source, .. }
            if doing.contains("key") && source.kind() == io::ErrorKind::NotFound =>
        {
            Some(Exit::Usage)
        }
        _ => None,
    }
}

fn hint(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    use ampleur_evidence::EvidenceError as E;
    use ampleur_sources::case::CaseError as C;
    if let Some(r) = cause.downcast_ref::<Refusal>() {
        return r.hint.clone();
    }
    if let Some(c) = cause.downcast_ref::<C>() {
        return match c {
            C::NoFolder(_) => {
                Some("give a folder that holds `logs/`; `ampleur demo` makes one".into())
            }
            C::NoLogs(_) => {
                Some("put the logs below CASE_DIR/logs; `ampleur demo` makes an example".into())
            }
            C::Format { .. } => Some("`ampleur sources list` shows every format".into()),
            C::Context { .. } => Some("`ampleur config example` explains every key".into()),
            _ => None,
        };
    }
    match cause.downcast_ref::<E>()? {
        E::Locked => Some("wait for the other run, or give another folder with `--lake`".into()),
        E::Corrupt { .. } => Some("`ampleur verify` names everything that does not verify".into()),
        E::Io { doing, source, .. }
            if doing.contains("key") && source.kind() == io::ErrorKind::NotFound =>
        {
            Some("give the file of the key; a new lake has its own in `keys/`".into())
        }
        E::Key { .. } => Some("give the folder of this lake’s keys with `--keys`".into()),
        _ => None,
    }
}

/// True when the reader of our output went away, which is its right.
pub fn closed_pipe(e: &anyhow::Error) -> bool {
    e.chain().any(|c| {
        c.downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
            || c.downcast_ref::<serde_json::Error>()
                .is_some_and(|e| e.io_error_kind() == Some(io::ErrorKind::BrokenPipe))
    })
}

/// Language of the locale variables, in the order POSIX gives them; English when they say nothing.
pub fn locale(get: impl Fn(&str) -> Option<String>) -> Lang {
    let value = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .filter_map(get)
        .find(|v| !v.is_empty())
        .unwrap_or_default();
    if value.starts_with("fr") {
        Lang::Fr
    } else {
        Lang::En
    }
}

/// Text that may come from evidence, safe for a terminal.
pub fn plain(text: &str) -> String {
    ampleur_notice::terminal::plain(text)
}

/// Rows with columns as wide as their widest cell, two blanks apart; the last column is not padded.
pub fn columns(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (i, cell) in row.iter().enumerate() {
            let n = cell.chars().count();
            match widths.get_mut(i) {
                Some(w) => *w = (*w).max(n),
                None => widths.push(n),
            }
        }
    }
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (i, cell) in row.iter().enumerate() {
            line.push_str(cell);
            if i + 1 < row.len() {
                let pad = widths[i] + 2 - cell.chars().count();
                line.extend(std::iter::repeat_n(' ', pad));
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn the_first_locale_variable_that_speaks_decides() {
        let env = |pairs: &'static [(&'static str, &'static str)]| {
            move |name: &str| {
                pairs
                    .iter()
                    .find(|(n, _)| *n == name)
                    .map(|(_, v)| v.to_string())
            }
        };
        assert_eq!(locale(env(&[("LANG", "fr_FR.UTF-8")])), Lang::Fr);
        assert_eq!(
            locale(env(&[("LC_ALL", "en_GB.UTF-8"), ("LANG", "fr_FR.UTF-8")])),
            Lang::En
        );
        assert_eq!(locale(env(&[("LC_ALL", ""), ("LANG", "fr_CA")])), Lang::Fr);
        assert_eq!(locale(env(&[])), Lang::En);
    }
    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["a".into(), "b".into()], vec!["été".into(), "c".into()]];
        assert_eq!(columns(&rows), "a    b\nété  c\n");
    }
}
