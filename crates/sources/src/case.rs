//! The case folder: its files, its sources, its context (design §4). Reads names and sizes; opening files is `reader`'s work.
use crate::{Setting, Source};
use ampleur_event::{
    Context, System,
    context::{ContextError, SourceEntry},
    time::{DAY, Nanos},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Number of a file in the case: files are numbered in order of their relative path, so that numbers are the same on every machine.
pub type FileId = u32;

/// Name of the context file inside a case.
pub const CONTEXT_FILE: &str = "ampleur.toml";

/// One file under `logs/`.
#[derive(Debug, Clone)]
pub struct CaseFile {
    /// Path relative to the case, with `/` on every system: `logs/vpn/vpn-2023-06-24.log`.
    pub rel: String,
    pub path: PathBuf,
    /// Index into [`Case::sources`].
    pub source: u32,
    pub size: u64,
    /// When the file was last written, the last resort for stamps without a year; `None` when the system does not tell.
    pub written: Option<Nanos>,
}

/// A source: a `[[source]]` entry of the context, or a folder of logs nobody declared.
#[derive(Debug, Clone)]
pub struct SourceDef {
    /// The entry's `files` glob, else the folder (`logs/vpn`). The name used in `coverage` and `sessions`.
    pub name: String,
    /// Index into `Context::sources`.
    pub entry: Option<usize>,
    /// May be empty: a declared source whose files were not handed over is still a source that is silent.
    pub files: Vec<FileId>,
}

/// A case folder, listed.
#[derive(Debug, Clone)]
pub struct Case {
    pub root: PathBuf,
    pub context: Context,
    /// Sorted by `rel`, bytewise.
    pub files: Vec<CaseFile>,
    /// Declared sources in the order of the context, then undeclared folders in order of their name.
    pub sources: Vec<SourceDef>,
    /// Entries under `logs/` that are not read: links that leave the case, broken links, devices. Relative paths, sorted.
    pub refused: Vec<String>,
    /// Mappings of the folder `mappings`, by name.
    pub mappings: Vec<&'static crate::mapped::Mapped>,
}

/// A dated snapshot of the identity base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Relative path with `/`.
    pub rel: String,
    pub path: PathBuf,
    /// The state at this instant: 00:00 of the date in the case's zone, or the time in the name. UTC nanoseconds.
    pub at: Nanos,
}

/// Why a case could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    #[error("read {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("read {}: {source}", path.display())]
    Context { path: PathBuf, source: ContextError },
    #[error("read {}: entry {entry}: unknown format `{format}`{}", path.display(), .nearest.map(|n| format!(", did you mean `{n}`?")).unwrap_or_default())]
    Format {
        path: PathBuf,
        entry: String,
        format: String,
        nearest: Option<&'static str>,
    },
    #[error("read {}: entry {entry}: unknown account system `{system}`", path.display())]
    Accounts {
        path: PathBuf,
        entry: String,
        system: String,
    },
    #[error("read {}: {source}", path.display())]
    Mapping {
        path: PathBuf,
        source: crate::mapped::MappingError,
    },
    #[error("open case {}: it is no folder", .0.display())]
    NoFolder(PathBuf),
    #[error("open case {}: there is no file under logs/ that holds anything", .0.display())]
    NoLogs(PathBuf),
    #[error("open case {}: it holds more than {} files", .0.display(), FileId::MAX)]
    TooMany(PathBuf),
}

impl Case {
    /// Errors: there is nothing to read. An answer from no log at all would read as a clean one.
    pub fn with_logs(self) -> Result<Case, CaseError> {
        if self.files.iter().all(|f| f.size == 0) {
            return Err(CaseError::NoLogs(self.root));
        }
        Ok(self)
    }
    /// Lists a case folder. A missing `ampleur.toml` is an empty context; a missing `logs/` is a case without files.
    ///
    /// Errors: the folder cannot be listed, or the context is wrong (place and nearest key are named).
    pub fn open(root: &Path) -> Result<Case, CaseError> {
        if !root.is_dir() {
            return Err(CaseError::NoFolder(root.to_path_buf()));
        }
        let at = root.join(CONTEXT_FILE);
        let context = match fs::read_to_string(&at) {
            Ok(text) => Context::parse(text.strip_prefix('\u{feff}').unwrap_or(&text)).map_err(
                |source| CaseError::Context {
                    path: at.clone(),
                    source,
                },
            )?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Context::default(),
            Err(source) => return Err(CaseError::Io { path: at, source }),
        };
        Case::with_context(root, context)
    }

    /// Lists a case folder under a context given by the caller.
    pub fn with_context(root: &Path, context: Context) -> Result<Case, CaseError> {
        let at = root.join(CONTEXT_FILE);
        let mappings = mappings(root)?;
        for entry in &context.sources {
            if let Some(format) = &entry.format
                && !mappings.iter().any(|m| m.name() == format)
                && crate::by_name(format).is_none()
            {
                return Err(CaseError::Format {
                    path: at,
                    entry: entry.files.clone(),
                    format: format.clone(),
                    nearest: crate::nearest_name(format),
                });
            }
            if let Some(system) = &entry.accounts
                && System::from_word(system).is_none()
            {
                return Err(CaseError::Accounts {
                    path: at,
                    entry: entry.files.clone(),
                    system: system.clone(),
                });
            }
        }
        let (mut found, refused) = walk(root, "logs")?;
        if let Some(at) = copied(root, &found)? {
            found.iter_mut().for_each(|f| f.written = Some(at));
        }
        let globs: Vec<Glob> = context
            .sources
            .iter()
            .map(|s| Glob::new(&s.files))
            .collect();
        let mut sources: Vec<SourceDef> = context
            .sources
            .iter()
            .enumerate()
            .map(|(i, s)| SourceDef {
                name: s.files.clone(),
                entry: Some(i),
                files: vec![],
            })
            .collect();
        let declared = sources.len();
        let mut folders: Vec<String> = found
            .iter()
            .filter(|f| !globs.iter().any(|g| g.matches(&f.rel)))
            .map(|f| folder_of(&f.rel).to_string())
            .collect();
        folders.sort();
        folders.dedup();
        sources.extend(folders.iter().map(|f| SourceDef {
            name: f.clone(),
            entry: None,
            files: vec![],
        }));
        if FileId::try_from(found.len()).is_err() {
            return Err(CaseError::TooMany(root.to_path_buf()));
        }
        let mut files = Vec::with_capacity(found.len());
        for (id, f) in found.into_iter().enumerate() {
            let source = globs
                .iter()
                .position(|g| g.matches(&f.rel))
                .or_else(|| {
                    folders
                        .binary_search_by(|n| n.as_str().cmp(folder_of(&f.rel)))
                        .ok()
                        .map(|i| declared + i)
                })
                .unwrap_or(0);
            if let Some(s) = sources.get_mut(source) {
                s.files.push(id as FileId);
            }
            files.push(CaseFile {
                source: source as u32,
                ..f
            });
        }
        Ok(Case {
            root: root.to_path_buf(),
            context,
            files,
            sources,
            refused,
            mappings,
        })
    }

    /// Lists the folder again and takes in what is new under it, behind the files known so far, whose numbers stay. For a case
    /// that is being watched; elsewhere files are in order.
    ///
    /// Errors: the folder cannot be listed.
    pub fn grow(&mut self) -> Result<Vec<FileId>, CaseError> {
        let now = Case::with_context(&self.root, self.context.clone())?;
        let known: std::collections::BTreeSet<String> =
            self.files.iter().map(|f| f.rel.clone()).collect();
        let mut new = vec![];
        for f in now.files.iter().filter(|f| !known.contains(&f.rel)) {
            let Some(def) = now.sources.get(f.source as usize) else {
                continue;
            };
            let same = |d: &SourceDef| d.entry == def.entry && d.name == def.name;
            let source = self.sources.iter().position(same).unwrap_or_else(|| {
                self.sources.push(SourceDef {
                    files: vec![],
                    ..def.clone()
                });
                self.sources.len() - 1
            });
            let Ok(id) = FileId::try_from(self.files.len()) else {
                return Err(CaseError::TooMany(self.root.clone()));
            };
            self.sources[source].files.push(id);
            self.files.push(CaseFile {
                source: source as u32,
                ..f.clone()
            });
            new.push(id);
        }
        Ok(new)
    }

    /// The context entry of a source, if declared.
    pub fn entry(&self, source: u32) -> Option<&SourceEntry> {
        self.sources
            .get(source as usize)?
            .entry
            .and_then(|i| self.context.sources.get(i))
    }
    pub fn source_of(&self, file: FileId) -> u32 {
        self.files[file as usize].source
    }
    /// The files of `second` are files of `first` from here on: they hold the same log. `second` stays in the list, without files.
    pub fn join_sources(&mut self, second: u32, first: u32) {
        let moved = std::mem::take(&mut self.sources[second as usize].files);
        for f in &moved {
            self.files[*f as usize].source = first;
        }
        let files = &mut self.sources[first as usize].files;
        files.extend(moved);
        files.sort_unstable();
    }
    /// The format the operator declared for a file, if any.
    pub fn format_of(&self, file: FileId) -> Option<&'static dyn Source> {
        let entry = self.entry(self.files.get(file as usize)?.source)?;
        let name = entry.format.as_deref()?;
        match self.mappings.iter().find(|m| m.name() == name) {
            Some(m) => Some(*m),
            None => crate::by_name(name),
        }
    }
    /// What is known about a file before it is read: zone of its source, else of the case, clock offset, account system, layout, year.
    pub fn setting(&self, file: FileId) -> Setting {
        let Some(f) = self.files.get(file as usize) else {
            return Setting::default();
        };
        let entry = self.entry(f.source);
        let zone = entry
            .and_then(|e| e.timezone.as_deref())
            .or(self.context.timezone.as_deref())
            .and_then(|z| jiff::tz::TimeZone::get(z).ok());
        // Seconds may be fractional; beyond ±100 years the value is nonsense and saturates.
        let clock_offset = entry
            .and_then(|e| e.clock_offset_s)
            .filter(|s| s.is_finite())
            .map_or(0, |s| (s.clamp(-3.2e9, 3.2e9) * 1e9) as i64);
        Setting {
            zone,
            clock_offset,
            accounts: entry
                .and_then(|e| e.accounts.as_deref())
                .and_then(System::from_word),
            layout: entry.and_then(|e| e.layout.clone()),
            year_hint: year_in(&f.rel).or(f.written.and_then(year_of)),
            // A name carries the day the file was begun or closed; a month and some days cover every usual rotation.
            not_after: day_in(&f.rel)
                .map(|t| t.saturating_add(40 * DAY))
                .into_iter()
                .chain(f.written)
                .min(),
            mappings: self.mappings.clone(),
        }
    }
    /// Dated snapshots of the identity base (`identities/<date>[T<hh:mm>].ndjson[.gz…]`), oldest first. Files whose name is no
    /// date are left out.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>, CaseError> {
        let zone = self.context.zone();
        let mut out: Vec<Snapshot> = walk(&self.root, "identities")?
            .0
            .into_iter()
            .filter_map(|f| {
                let name = f.rel.rsplit('/').next().unwrap_or(&f.rel);
                let at = snapshot_time(name, &zone)?;
                Some(Snapshot {
                    at,
                    path: f.path,
                    rel: f.rel,
                })
            })
            .collect();
        out.sort_by(|a, b| (a.at, &a.rel).cmp(&(b.at, &b.rel)));
        Ok(out)
    }
    /// Files that list what shares hold (`inventory/**`), sorted. Open them with [`crate::reader::open`].
    pub fn inventory(&self) -> Result<Vec<PathBuf>, CaseError> {
        Ok(walk(&self.root, "inventory")?
            .0
            .into_iter()
            .map(|f| f.path)
            .collect())
    }
    /// Published listings (`leak/**`), sorted. Open them with [`crate::reader::open`].
    pub fn leaks(&self) -> Result<Vec<PathBuf>, CaseError> {
        Ok(walk(&self.root, "leak")?
            .0
            .into_iter()
            .map(|f| f.path)
            .collect())
    }
}

fn folder_of(rel: &str) -> &str {
    rel.rsplit_once('/').map_or("", |(d, _)| d)
}

/// `2023-06-25.ndjson`, `2023-06-25T07:30.ndjson.gz`, also `T07-30` and `T0730` where a colon cannot be in a name.
fn snapshot_time(name: &str, zone: &jiff::tz::TimeZone) -> Option<Nanos> {
    let date: jiff::civil::Date = name.get(..10)?.parse().ok()?;
    let rest = name.get(10..)?;
    let digits: Vec<u8> = match rest.strip_prefix(['T', '_']) {
        Some(t) => t
            .bytes()
            .take_while(|b| *b != b'.')
            .filter(u8::is_ascii_digit)
            .collect(),
        None if rest.is_empty() || rest.starts_with('.') => vec![],
        None => return None,
    };
    let two = |i: usize| match (digits.get(i), digits.get(i + 1)) {
        (Some(a), Some(b)) => ((a - b'0') * 10 + (b - b'0')) as i8,
        _ => 0,
    };
    let local = date.at(two(0).min(23), two(2).min(59), two(4).min(59), 0);
    i64::try_from(
        local
            .to_zoned(zone.clone())
            .ok()?
            .timestamp()
            .as_nanosecond(),
    )
    .ok()
}

/// A year of this century standing in a path as four digits (`vpn-2023-06-24.log`), the last one.
/// When the files must have been written at the latest, if their own word is worth nothing: all were written in one go, long after the
/// dates their names carry, as a copy leaves them.
fn copied(root: &Path, logs: &[CaseFile]) -> Result<Option<Nanos>, CaseError> {
    let written = || logs.iter().filter_map(|f| f.written);
    let (Some(first), Some(last)) = (written().min(), written().max()) else {
        return Ok(None);
    };
    let latest = |files: &[CaseFile]| files.iter().filter_map(|f| day_in(&f.rel)).max();
    let limit = match latest(logs) {
        Some(day) => Some(day.saturating_add(40 * DAY)),
        // Half a year to either side of the last snapshot, so that of two years the nearer one is taken.
        None => latest(&walk(root, "identities")?.0).map(|day| day.saturating_add(183 * DAY)),
    };
    Ok(limit.filter(|limit| last - first < DAY && first > *limit))
}

fn year_in(rel: &str) -> Option<i16> {
    let b = rel.as_bytes();
    let mut found = None;
    for i in 0..b.len().saturating_sub(3) {
        let before = i.checked_sub(1).is_some_and(|j| b[j].is_ascii_digit());
        let year = &b[i..i + 4];
        if !before && year.starts_with(b"20") && year.iter().all(u8::is_ascii_digit) {
            // Eight digits in a row are a date (20230624); more are a serial number.
            let run = b[i..].iter().take_while(|c| c.is_ascii_digit()).count();
            if run == 4 || run == 8 {
                found = Some(2000 + i16::from(year[2] - b'0') * 10 + i16::from(year[3] - b'0'));
            }
        }
    }
    found
}

fn year_of(t: Nanos) -> Option<i16> {
    let t = jiff::Timestamp::from_nanosecond(i128::from(t)).ok()?;
    Some(t.to_zoned(jiff::tz::TimeZone::UTC).year())
}

/// The last full date standing in a path (`2023-06-24`, `2023_06_24`, `20230624`), 00:00 UTC.
fn day_in(rel: &str) -> Option<Nanos> {
    let b = rel.as_bytes();
    let mut found = None;
    for i in 0..b.len() {
        if i > 0 && b[i - 1].is_ascii_digit() {
            continue;
        }
        let run = b[i..].iter().take_while(|c| c.is_ascii_digit()).count();
        let number = |at: usize, n: usize| -> Option<i64> {
            let d = b.get(at..at + n)?;
            d.iter().try_fold(0, |v, c| {
                c.is_ascii_digit().then(|| v * 10 + i64::from(c - b'0'))
            })
        };
        let parts = match run {
            8 => (number(i, 4), number(i + 4, 2), number(i + 6, 2)),
            4 if matches!(b.get(i + 4), Some(b'-' | b'_' | b'.'))
                && b.get(i + 7) == b.get(i + 4) =>
            {
                (number(i, 4), number(i + 5, 2), number(i + 8, 2))
            }
            _ => continue,
        };
        if let (Some(y @ 1990..=2200), Some(m @ 1..=12), Some(d @ 1..=31)) = parts
            && let Some(t) = crate::time::civil(y, m as u8, d as u8, 0, 0, 0, 0)
        {
            found = Some(t);
        }
    }
    found
}

/// Largest mapping file read.
const MAPPING_MAX: u64 = 1 << 20;

/// The mappings a case carries, `mappings/NAME.toml`, by name.
fn mappings(root: &Path) -> Result<Vec<&'static crate::mapped::Mapped>, CaseError> {
    let mut all = vec![];
    for f in walk(root, "mappings")?.0 {
        let Some(name) = f
            .rel
            .strip_prefix("mappings/")
            .and_then(|n| n.strip_suffix(".toml"))
        else {
            continue;
        };
        let wrong = |source| CaseError::Mapping {
            path: f.path.clone(),
            source,
        };
        if f.size > MAPPING_MAX {
            return Err(wrong(crate::mapped::MappingError {
                key: "top".into(),
                what: format!("larger than {MAPPING_MAX} bytes"),
            }));
        }
        let text = fs::read_to_string(&f.path).map_err(|source| CaseError::Io {
            path: f.path.clone(),
            source,
        })?;
        all.push(crate::mapped::load_in(name, &text, f.path.parent()).map_err(wrong)?);
    }
    Ok(all)
}

/// Every regular file under `root/top`, sorted by relative path; links that leave the case are refused and named.
fn walk(root: &Path, top: &str) -> Result<(Vec<CaseFile>, Vec<String>), CaseError> {
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| CaseError::Io { path, source }
    };
    let base = fs::canonicalize(root).map_err(io(root))?;
    let mut found = vec![];
    let mut refused = vec![];
    let mut folders = vec![(root.join(top), top.to_string(), 0u32)];
    while let Some((dir, rel, depth)) = folders.pop() {
        let entries = match fs::read_dir(&dir) {
            Ok(e) => e,
            Err(e) if e.kind() == io::ErrorKind::NotFound && rel == top => break,
            Err(source) => return Err(CaseError::Io { path: dir, source }),
        };
        for entry in entries {
            let entry = entry.map_err(io(&dir))?;
            let name = entry.file_name();
            let rel = format!("{rel}/{}", name.to_string_lossy());
            let path = entry.path();
            let kind = entry.file_type().map_err(io(&path))?;
            if kind.is_symlink() {
                let inside = fs::canonicalize(&path).is_ok_and(|t| t.starts_with(&base));
                // A link to a folder could lead in circles; only links to files are followed.
                if !inside || !path.is_file() {
                    refused.push(rel);
                    continue;
                }
            } else if kind.is_dir() {
                if depth < 64 {
                    folders.push((path, rel, depth + 1));
                } else {
                    refused.push(rel);
                }
                continue;
            } else if !kind.is_file() {
                refused.push(rel);
                continue;
            }
            let meta = fs::metadata(&path).map_err(io(&path))?;
            let written = meta
                .modified()
                .ok()
                .and_then(|t| jiff::Timestamp::try_from(t).ok())
                .and_then(|t| i64::try_from(t.as_nanosecond()).ok());
            found.push(CaseFile {
                rel,
                path,
                source: 0,
                size: meta.len(),
                written,
            });
        }
    }
    found.sort_by(|a, b| a.rel.cmp(&b.rel));
    refused.sort();
    Ok((found, refused))
}

/// A file glob relative to the case: `*` and `?` stay inside one path segment, `**` crosses segments (also none), `[a-z]` is a
/// class. `\` is read as `/`.
#[derive(Debug, Clone)]
pub struct Glob {
    segments: Vec<String>,
}

impl Glob {
    pub fn new(pattern: &str) -> Glob {
        let pattern = pattern.replace('\\', "/");
        let pattern = pattern.trim_start_matches("./").trim_start_matches('/');
        Glob {
            segments: pattern.split('/').map(str::to_string).collect(),
        }
    }
    /// `path` is relative, with `/`.
    pub fn matches(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        // Rows of a small table instead of recursion: a hostile pattern of many `**` stays quadratic.
        let mut row = vec![false; parts.len() + 1];
        row[0] = true;
        for seg in &self.segments {
            let mut next = vec![false; parts.len() + 1];
            if seg == "**" {
                let mut seen = false;
                for (i, cell) in next.iter_mut().enumerate() {
                    seen |= row[i];
                    *cell = seen;
                }
            } else {
                for i in 0..parts.len() {
                    next[i + 1] = row[i] && segment_matches(seg.as_bytes(), parts[i].as_bytes());
                }
            }
            row = next;
        }
        row[parts.len()]
    }
}

fn segment_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => class(&pattern[p..], text[t]),
            Some(c) if *c == text[t] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(n), _) => {
                p += n;
                t += 1;
            }
            (None, Some((sp, st))) => {
                p = sp + 1;
                t = st + 1;
                star = Some((sp, st + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// Length of the class at the front of `pattern` when it holds `c`; a `[` that is never closed stands for itself.
fn class(pattern: &[u8], c: u8) -> Option<usize> {
    let Some(end) = pattern.iter().skip(2).position(|b| *b == b']') else {
        return (c == b'[').then_some(1);
    };
    let end = end + 2;
    let mut inside = &pattern[1..end];
    let negated = matches!(inside.first(), Some(b'!' | b'^'));
    if negated {
        inside = &inside[1..];
    }
    let mut hit = false;
    let mut i = 0;
    while i < inside.len() {
        if i + 2 < inside.len() && inside[i + 1] == b'-' {
            hit |= inside[i] <= c && c <= inside[i + 2];
            i += 3;
        } else {
            hit |= inside[i] == c;
            i += 1;
        }
    }
    (hit != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_stay_inside_a_segment_unless_doubled() {
        let yes = |p: &str, t: &str| assert!(Glob::new(p).matches(t), "{p} should match {t}");
        let no = |p: &str, t: &str| assert!(!Glob::new(p).matches(t), "{p} should not match {t}");
        yes("logs/vpn/*", "logs/vpn/a.log");
        no("logs/vpn/*", "logs/vpn/sub/a.log");
        no("logs/vpn/*", "logs/vpn2/a.log");
        yes("logs/**", "logs/vpn/sub/a.log");
        yes("logs/**/*.log", "logs/a.log");
        yes("logs/**/*.log", "logs/vpn/sub/a.log");
        no("logs/**/*.log", "logs/a.gz");
        yes("logs/vpn/vpn-*.log*", "logs/vpn/vpn-2023.log.gz");
        yes("logs/fw/fw-202[34]-??.log", "logs/fw/fw-2024-01.log");
        no("logs/fw/fw-202[!34].log", "logs/fw/fw-2024.log");
        yes("logs/rh$/[a", "logs/rh$/[a");
    }

    #[test]
    fn years_come_from_names() {
        assert_eq!(year_in("logs/vpn/vpn-2023-06-24.log"), Some(2023));
        assert_eq!(year_in("logs/20240101/a.log"), Some(2024));
        assert_eq!(year_in("logs/FG100F2044998161.log"), None);
        let day = |p| day_in(p).map(ampleur_event::time::rfc3339);
        assert_eq!(
            day("logs/vpn/vpn-2023-06-24.log.gz").as_deref(),
            Some("2023-06-24T00:00:00.000Z")
        );
        assert_eq!(
            day("logs/20240101/a.log").as_deref(),
            Some("2024-01-01T00:00:00.000Z")
        );
        assert_eq!(day("logs/2024/a-12345678901.log"), None);
    }

    #[test]
    fn a_case_groups_declared_files_then_folders() {
        let dir = tempfile::tempdir().unwrap();
        for f in [
            "logs/vpn/a.log",
            "logs/vpn/b.log",
            "logs/web/x/c.log",
            "logs/d.log",
        ] {
            let p = dir.path().join(f);
            fs::create_dir_all(p.parent().unwrap()).unwrap();
            fs::write(p, "x\n").unwrap();
        }
        fs::write(
            dir.path().join(CONTEXT_FILE),
            "version = 1\ntimezone = \"Europe/Paris\"\n[[source]]\nfiles = \"logs/vpn/*\"\nclock_offset_s = -2820\n[[source]]\nfiles = \"logs/none/*\"\ntimezone = \"UTC\"\n",
        )
        .unwrap();
        let case = Case::open(dir.path()).unwrap();
        let names: Vec<&str> = case.sources.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["logs/vpn/*", "logs/none/*", "logs", "logs/web/x"]);
        let rels: Vec<&str> = case.files.iter().map(|f| f.rel.as_str()).collect();
        assert_eq!(
            rels,
            [
                "logs/d.log",
                "logs/vpn/a.log",
                "logs/vpn/b.log",
                "logs/web/x/c.log"
            ]
        );
        assert_eq!(case.sources[0].files, [1, 2]);
        assert!(case.sources[1].files.is_empty());
        let s = case.setting(1);
        assert_eq!(s.clock_offset, -2_820_000_000_000);
        assert_eq!(
            s.zone.unwrap().iana_name().map(str::to_string).as_deref(),
            Some("Europe/Paris")
        );
    }

    #[test]
    fn a_wrong_format_name_is_refused_with_the_entry() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(
            dir.path().join(CONTEXT_FILE),
            "[[source]]\nfiles = \"logs/*\"\nformat = \"no-such-format\"\n",
        )
        .unwrap();
        let e = Case::open(dir.path()).unwrap_err().to_string();
        assert!(
            e.contains("logs/*") && e.contains("unknown format `no-such-format`"),
            "{e}"
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_link_out_of_the_case_is_refused() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "x").unwrap();
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("logs")).unwrap();
        fs::write(dir.path().join("logs/real.log"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), dir.path().join("logs/out"))
            .unwrap();
        std::os::unix::fs::symlink(dir.path().join("logs/real.log"), dir.path().join("logs/in"))
            .unwrap();
        let case = Case::open(dir.path()).unwrap();
        assert_eq!(case.files.len(), 2);
        assert_eq!(case.refused, ["logs/out"]);
    }

    #[test]
    fn snapshots_are_dated_in_the_zone_of_the_case() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("identities")).unwrap();
        for n in [
            "2023-06-25.ndjson",
            "2023-06-11T07:30.ndjson.gz",
            "notes.txt",
        ] {
            fs::write(dir.path().join("identities").join(n), "").unwrap();
        }
        fs::write(
            dir.path().join(CONTEXT_FILE),
            "timezone = \"Europe/Paris\"\n",
        )
        .unwrap();
        let s = Case::open(dir.path()).unwrap().snapshots().unwrap();
        let at: Vec<String> = s
            .iter()
            .map(|s| ampleur_event::time::rfc3339(s.at))
            .collect();
        assert_eq!(at, ["2023-06-11T05:30:00.000Z", "2023-06-24T22:00:00.000Z"]);
    }
}
