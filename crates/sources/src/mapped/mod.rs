//! Sources that are data: one TOML file in `crates/sources/mappings/` each, read by one engine. The same files are read from a case
//! (`mappings/*.toml`). The format is described in `docs/adding-a-source.md`; what a mapping follows is in the file itself.
//!
//! Where a mapping has a program instead of a container, that program makes the fields of a record ([`program`]).
//!
//! A record passes through an optional JSON envelope, an optional syslog header and its container, which together fill named slots;
//! patterns add more; then time, columns, verb and outcome are read from the slots. Whatever parses is an event, of verb `other`
//! when no rule speaks of it.
mod decode;
mod fields;
pub mod learn;
mod plan;
mod program;
mod stamp;
mod steps;
mod syslog_mixed;
mod words;

pub(crate) use decode::host_of;
pub use plan::MappingError;
pub(crate) use syslog_mixed::{SyslogMixed, claims};

use crate::{Confidence, Decode, Head, Setting, Source, Standard, lines};
use ampleur_event::Capability;
use plan::{Container, Heading, Plan, Sniff};
#[cfg(feature = "vrl")]
#[doc(hidden)]
pub use program::language::{FUNCTIONS, LEFT_OUT, RESULTS_MAX};
use std::{
    path::Path,
    sync::{OnceLock, RwLock},
};

/// A source made of a mapping file.
pub struct Mapped {
    name: &'static str,
    text: &'static str,
    /// Of one compiled in; of others the plan is there.
    heading: OnceLock<Option<&'static Heading>>,
    plan: OnceLock<Result<&'static Plan, MappingError>>,
}

impl std::fmt::Debug for Mapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Mapped").field(&self.name).finish()
    }
}

impl Mapped {
    /// A mapping compiled in. It is read when first asked; that every one is well-formed is a test.
    pub(crate) const fn embedded(name: &'static str, text: &'static str) -> Mapped {
        Mapped {
            name,
            text,
            heading: OnceLock::new(),
            plan: OnceLock::new(),
        }
    }

    /// Read once and kept: a mapping lives as long as the process.
    fn plan(&self) -> Result<&'static Plan, &MappingError> {
        self.plan
            .get_or_init(|| Plan::parse(self.text, None).map(|p| &*Box::leak(Box::new(p))))
            .as_ref()
            .copied()
    }

    /// What is wrong with the file, if anything. Compiles every expression in it.
    pub fn error(&self) -> Option<MappingError> {
        match self.plan() {
            Ok(plan) => plan.check().err(),
            Err(e) => Some(e.clone()),
        }
    }

    /// The file itself.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// Its program, which may stand in a file of its own.
    fn program(&self) -> Option<&'static str> {
        self.plan().ok()?.program.as_ref().map(|p| p.text())
    }

    /// What files are held against, read without the rest: of the many mappings a case needs few.
    fn heading(&self) -> Option<&'static Heading> {
        if self.heading.get().is_none() && self.plan.get().is_some() {
            return None;
        }
        let read = || Heading::read(self.text).map(|h| &*Box::leak(Box::new(h)));
        *self.heading.get_or_init(read)
    }

    pub(crate) fn tags(&self) -> &'static [String] {
        match self.heading() {
            Some(h) => &h.tags,
            None => self.plan().map_or(&[], |p| &p.tags),
        }
    }

    pub(crate) fn decoder(&self, setting: &Setting) -> Option<decode::Decoder> {
        Some(decode::Decoder::new(self.plan().ok()?, setting))
    }
}

/// Mappings read at run time: name, text, source. Kept for the life of the process.
static LOADED: RwLock<Vec<&'static Mapped>> = RwLock::new(Vec::new());

/// True in a build that reads mappings with a program.
pub const PROGRAMS: bool = cfg!(feature = "vrl");

/// Makes a mapping known under `name` beside the built-in sources. The same name with the same text is the same source; with
/// another text, or another program, it replaces the earlier one from here on.
///
/// Errors: the text is no valid mapping; a built-in source has this name.
pub fn load(name: &str, text: &str) -> Result<&'static Mapped, MappingError> {
    load_in(name, text, None)
}

/// The same for a mapping kept in `folder`, where the file of its program is read (`program_file`).
pub fn load_in(
    name: &str,
    text: &str,
    folder: Option<&Path>,
) -> Result<&'static Mapped, MappingError> {
    if crate::SOURCES.iter().any(|s| s.name() == name) {
        return Err(MappingError {
            key: name.to_string(),
            what: "a built-in source has this name; choose another".into(),
        });
    }
    let earlier = loaded()
        .into_iter()
        .find(|m| m.name == name && m.text == text);
    if let Some(m) = earlier
        && m.program().is_none()
    {
        return Ok(m);
    }
    let plan = Plan::parse(text, folder)?;
    if let Some(m) = earlier
        && m.program() == plan.program.as_ref().map(program::Program::text)
    {
        return Ok(m);
    }
    plan.check()?;
    let plan: &'static Plan = Box::leak(Box::new(plan));
    let cell = OnceLock::new();
    let _ = cell.set(Ok(plan));
    let made: &'static Mapped = Box::leak(Box::new(Mapped {
        name: Box::leak(name.to_string().into_boxed_str()),
        text: Box::leak(text.to_string().into_boxed_str()),
        heading: OnceLock::new(),
        plan: cell,
    }));
    let mut all = LOADED
        .write()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    all.retain(|m| m.name != name);
    all.push(made);
    all.sort_by_key(|m| m.name);
    Ok(made)
}

/// Name of every built-in mapping, and what is wrong with its file, if anything.
pub fn built_in() -> impl Iterator<Item = (&'static str, Option<MappingError>)> {
    crate::MAPPED.iter().map(|m| (m.name, m.error()))
}

/// Mappings read at run time, by name.
pub fn loaded() -> Vec<&'static Mapped> {
    LOADED
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .clone()
}

impl Source for Mapped {
    fn name(&self) -> &'static str {
        self.name
    }
    fn about(&self) -> &'static str {
        self.plan().map_or("", |p| p.about)
    }
    fn standard(&self) -> Standard {
        self.plan().map_or(
            Standard {
                name: "",
                section: "",
            },
            |p| p.standard,
        )
    }
    fn capability(&self) -> Capability {
        self.plan().map_or(
            Capability {
                rows: &[],
                silence: ampleur_event::Silence::Nothing,
                names_results: false,
                gap: ampleur_event::GapSign::RateOnly,
            },
            |p| p.capability,
        )
    }
    fn sniff(&self, head: &Head<'_>) -> Confidence {
        let heading = self.heading().map(|h| &h.sniff);
        if heading.is_some_and(|h| nowhere(h, head.bytes) || nothing(h, head)) {
            return Confidence::No;
        }
        self.plan().map_or(Confidence::No, |p| {
            sniff(p, heading.unwrap_or(&p.sniff), head)
        })
    }
    fn open(&self, head: &Head<'_>, setting: &Setting) -> Box<dyn Decode> {
        match self.plan() {
            Ok(plan) => Box::new(decode::Opened::new(plan, head, setting)),
            Err(_) => Box::new(decode::Nothing),
        }
    }
}

/// True when the head is JSON whose first value goes on after the first line.
fn spans_lines(bytes: &[u8]) -> bool {
    let at = crate::scan::past_space(bytes, 0);
    match bytes.get(at) {
        Some(b'[') => crate::scan::opens_json(bytes),
        Some(b'{') => {
            let line = bytes[at..].split(|b| *b == b'\n').next().unwrap_or(b"");
            let line = line.trim_ascii_end();
            !line.ends_with(b"}") && line.len() < 4096
        }
        _ => false,
    }
}

/// `told` is what the plan says of its files.
fn sniff(plan: &Plan, told: &[Sniff], head: &Head<'_>) -> Confidence {
    let json = plan.containers.contains(&Container::Json);
    if head.bytes.is_empty() {
        return Confidence::No;
    }
    if nowhere(told, head.bytes) {
        return Confidence::No;
    }
    if plan.whole_head || json && spans_lines(head.bytes) {
        return sniff_one(told, head.bytes);
    }
    let (mut seen, mut hits, mut foreign) = (0usize, 0usize, 0usize);
    let mut best = Confidence::No;
    for line in lines::sample(head) {
        // A line that goes on with the record before it says nothing by itself.
        if hits > 0 && plan.begin.is_some() && goes_on(plan, line) {
            continue;
        }
        seen += 1;
        let c = sniff_line(told, line);
        hits += usize::from(c > Confidence::No);
        foreign += usize::from(c == Confidence::No && is_cef(line));
        best = best.max(c);
    }
    // CEF of several products is read by what all of CEF has in common.
    if plan.containers.contains(&Container::Cef) && foreign * 5 >= seen * 2 {
        best = best.min(Confidence::Maybe);
    }
    // Some lines of a file that is mostly something else do not make the file; a file of many programs has its own source.
    if hits * 2 >= seen {
        best
    } else if hits > 0 {
        best.min(Confidence::Maybe)
    } else {
        Confidence::No
    }
}

/// True when the words of a mapping are not even in the whole head: then they are in none of its lines.
fn nowhere(sniff: &[Sniff], bytes: &[u8]) -> bool {
    // Inside the JSON of a collector words may be written otherwise.
    let object = || bytes.starts_with(b"{") || memchr::memmem::find(bytes, b"\n{").is_some();
    let escaped = || memchr::memchr(b'\\', bytes).is_some() && object();
    !sniff.iter().any(|s| s.is_possible(bytes)) && !escaped()
}

fn is_cef(line: &[u8]) -> bool {
    memchr::memmem::find(line, b"CEF:").is_some() || line.starts_with(b"0|")
}

/// True for a line that neither begins a record of this mapping nor looks like the start of a log line of any kind.
fn goes_on(plan: &Plan, line: &[u8]) -> bool {
    let starts = match line.trim_ascii_start().first() {
        Some(b'<' | b'{' | b'[' | b'"' | b'0'..=b'9') => true,
        Some(_) => line
            .get(..3)
            .is_some_and(|m| crate::time::month(m).is_some()),
        None => false,
    };
    !starts
        && plan
            .begin
            .as_ref()
            .is_some_and(|b| !b.is_match(&lines::text(line)))
}

/// True when neither the head nor any of its lines is what a mapping is told by, whichever of the two it is held against.
fn nothing(told: &[Sniff], head: &Head<'_>) -> bool {
    let no = |c| c == Confidence::No;
    no(sniff_one(told, head.bytes)) && lines::sample(head).all(|l| no(sniff_line(told, l)))
}

fn sniff_line(told: &[Sniff], line: &[u8]) -> Confidence {
    let c = sniff_one(told, line);
    if c == Confidence::No && line.first() == Some(&b'{') && memchr::memchr(b'\\', line).is_some() {
        // A record inside the JSON of a collector is escaped there.
        let text = lines::text(line);
        if let Some(inner) = decode::envelope(&text) {
            return sniff_one(told, inner.as_bytes());
        }
    }
    c
}

fn sniff_one(told: &[Sniff], bytes: &[u8]) -> Confidence {
    let has = |w: &String| memchr::memmem::find(bytes, w.as_bytes()).is_some();
    let mut best = Confidence::No;
    for s in told {
        if s.confidence > best
            && s.is_possible(bytes)
            && !s.not.iter().any(has)
            && (s.regex.as_ref()).is_none_or(|r| r.is_in(lines::text(bytes).as_bytes()))
        {
            best = s.confidence;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a mapping before it is needed is what the whole of it says.
    #[test]
    fn headings_are_those_of_their_mappings() {
        for mapped in crate::MAPPED.iter() {
            let Ok(plan) = Plan::parse(mapped.text, None) else {
                continue; // One with a program, in a build without.
            };
            let heading = Heading::read(mapped.text).expect(mapped.name);
            assert_eq!(heading.tags, plan.tags, "{}", mapped.name);
            assert!(
                heading
                    .sniff
                    .iter()
                    .map(Sniff::told)
                    .eq(plan.sniff.iter().map(Sniff::told)),
                "{}",
                mapped.name
            );
        }
    }
}
