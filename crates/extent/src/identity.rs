//! The identity base: dated snapshots of FHIR R4 Patient records, the persons behind them, and how each record looked when.
//!
//! Words: a *record* is one logical id (`Patient/id`); a *version* is one content of it; a *person* is the set of records that
//! share an INS-NIR (not `temp`), a regional id or a link, over all snapshots (contract §C). Equal traits never join.
//! A snapshot is the state at 00:00 of its date in the case's zone, or at the time in its name.
//! Memory: one row per distinct version; a record that does not change between snapshots costs one bit per snapshot.
use crate::{
    fold,
    strings::{Strings, Sym},
};
use ampleur_event::{Category, Nanos, category::CategorySet, time::NO_TIME};
use rustc_hash::FxHashMap;
use serde::Deserialize;
use std::{
    borrow::Cow,
    io::{BufRead, Read},
    path::{Path, PathBuf},
};

/// Number of a record (logical id), in order of first appearance.
pub type RecordId = u32;
/// Number of a version, in order of first appearance.
pub type VersionId = u32;
/// Number of a person, in order of its first record.
pub type PersonId = u32;

pub const NIR_SYSTEM: &str = "urn:oid:1.2.250.1.213.1.4.8";
/// A line of a snapshot longer than this is not read.
const LINE_MAX: usize = 16 << 20;

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("open {path}: {message}")]
    Open { path: String, message: String },
    #[error("read {path} at line {line}: {message}")]
    Read {
        path: String,
        line: u64,
        message: String,
    },
    #[error("{path}: the name is no date (`<date>.ndjson`, `<date>T<hh:mm>.ndjson`)")]
    Name { path: String },
}

/// What kind of identifier, by its FHIR type code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum IdKind {
    Other,
    /// INS-NIR: joins persons when not `temp`.
    InsNir,
    /// Waiting number, INS of test, or a NIR without the INS type: a NIR all the same, but joins nobody.
    Nir,
    /// Local patient id of one establishment.
    Pi,
    /// Regional id: joins persons.
    Rri,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Use {
    None,
    Usual,
    Official,
    Temp,
    Old,
    Secondary,
    Nickname,
    Maiden,
    Home,
    Work,
    Mobile,
    Anonymous,
}

impl Use {
    fn of(s: Option<&str>) -> Use {
        match s.unwrap_or("") {
            "usual" => Use::Usual,
            "official" => Use::Official,
            "temp" => Use::Temp,
            "old" => Use::Old,
            "secondary" => Use::Secondary,
            "nickname" => Use::Nickname,
            "maiden" => Use::Maiden,
            "home" => Use::Home,
            "work" => Use::Work,
            "mobile" => Use::Mobile,
            "anonymous" => Use::Anonymous,
            _ => Use::None,
        }
    }
    pub fn word(self) -> &'static str {
        match self {
            Use::None => "",
            Use::Usual => "usual",
            Use::Official => "official",
            Use::Temp => "temp",
            Use::Old => "old",
            Use::Secondary => "secondary",
            Use::Nickname => "nickname",
            Use::Maiden => "maiden",
            Use::Home => "home",
            Use::Work => "work",
            Use::Mobile => "mobile",
            Use::Anonymous => "anonymous",
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct IdRow {
    pub system: Sym,
    pub value: Sym,
    pub kind: IdKind,
    pub usage: Use,
}

#[derive(Debug, Clone, Copy)]
pub struct NameRow {
    pub family: Sym,
    /// Folded family.
    pub family_fold: Sym,
    givens: u32,
    pub usage: Use,
}

#[derive(Debug, Clone, Copy)]
pub struct GivenRow {
    pub given: Sym,
    pub fold: Sym,
    /// From the birth-list extension, not `given` itself.
    pub birth_list: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum TelecomKind {
    Other,
    Phone,
    Email,
    /// `<matricule>@patient.mssante.fr`
    Mssante,
}

#[derive(Debug, Clone, Copy)]
pub struct TelecomRow {
    pub value: Sym,
    pub kind: TelecomKind,
    pub usage: Use,
}

#[derive(Debug, Clone, Copy)]
pub struct AddressRow {
    /// Lines joined by a line break.
    pub line: Sym,
    pub city: Sym,
    pub postal: Sym,
    pub state: Sym,
    pub country: Sym,
    pub usage: Use,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum LinkKind {
    ReplacedBy,
    Replaces,
    SeeAlso,
    Refer,
}

#[derive(Debug, Clone, Copy)]
pub struct LinkRow {
    pub kind: LinkKind,
    /// Logical id of the other record.
    pub other: Sym,
}

/// A date of FHIR precision: year, month and day, 0 where not given. Orders like the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PartDate(pub u32);

impl PartDate {
    /// Reads `YYYY`, `YYYY-MM`, `YYYY-MM-DD` or the same without hyphens; what follows a `T` is ignored.
    pub fn parse(text: &str) -> Option<PartDate> {
        let t = text.split(['T', ' ']).next()?;
        let digits: String = t.chars().filter(|c| *c != '-').collect();
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let n: u32 = digits.parse().ok()?;
        let d = match digits.len() {
            4 => PartDate(n * 10_000),
            6 => PartDate(n * 100),
            8 => PartDate(n),
            _ => return None,
        };
        let (m, day) = (d.0 / 100 % 100, d.0 % 100);
        (m <= 12 && day <= 31).then_some(d)
    }
    pub fn is_full(self) -> bool {
        !self.0.is_multiple_of(100)
    }
    /// First and last day the date may mean, as `YYYYMMDD` numbers; the last is over-wide by at most three days of no month.
    pub fn range(self) -> (u32, u32) {
        let (y, m, d) = (self.0 / 10_000, self.0 / 100 % 100, self.0 % 100);
        match (m, d) {
            (0, _) => (y * 10_000 + 101, y * 10_000 + 1231),
            (_, 0) => (y * 10_000 + m * 100 + 1, y * 10_000 + m * 100 + 31),
            _ => (self.0, self.0),
        }
    }
    pub fn text(self) -> String {
        let (y, m, d) = (self.0 / 10_000, self.0 / 100 % 100, self.0 % 100);
        match (m, d) {
            _ if self.0 == 0 => String::new(),
            (0, _) => format!("{y:04}"),
            (_, 0) => format!("{y:04}-{m:02}"),
            _ => format!("{y:04}-{m:02}-{d:02}"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Gender {
    #[default]
    Absent,
    Male,
    Female,
    Other,
    Unknown,
}

impl Gender {
    pub fn of(s: &str) -> Gender {
        match s {
            "male" => Gender::Male,
            "female" => Gender::Female,
            "other" => Gender::Other,
            "unknown" => Gender::Unknown,
            _ => Gender::Absent,
        }
    }
    pub fn word(self) -> &'static str {
        match self {
            Gender::Absent => "",
            Gender::Male => "male",
            Gender::Female => "female",
            Gender::Other => "other",
            Gender::Unknown => "unknown",
        }
    }
}

/// One content of a record. Ranges end where those of the next version start.
#[derive(Debug, Clone, Copy)]
pub struct Version {
    pub record: RecordId,
    ids: u32,
    names: u32,
    telecoms: u32,
    addresses: u32,
    links: u32,
    pub birth: PartDate,
    /// `finess:…` or the reference as given; 0 when absent.
    pub organization: Sym,
    pub birthplace: Sym,
    pub mothers_name: Sym,
    /// Date or time of death as given.
    pub death: Sym,
    pub updated: Nanos,
    /// `meta.versionId` when a number, else 0.
    pub number: u32,
    pub gender: Gender,
    pub active: bool,
    pub deceased: bool,
    /// Bits of [`extra`]: fields the record holds that are not kept by value.
    extras: u8,
}

/// Fields known to be there, without their value.
mod extra {
    pub const CIVIL: u8 = 1;
    pub const PHOTO: u8 = 2;
    pub const KIN_NAME: u8 = 4;
    pub const KIN_CONTACT: u8 = 8;
    pub const PRACTITIONER: u8 = 16;
    pub const LANGUAGE: u8 = 32;
}

#[derive(Debug, Clone)]
pub struct Snapshot {
    /// File name, for people.
    pub name: String,
    pub time: Nanos,
    pub records: u64,
}

/// How a record looked at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Exactly this.
    Sure(VersionId),
    /// Not there.
    Absent,
    /// One of the two neighbours (or something between); `None` = absent.
    Either(Option<VersionId>, Option<VersionId>),
}

/// All snapshots of an identity base, resolved to persons.
#[derive(Debug, Default)]
pub struct IdentityBase {
    pub strings: Strings,
    pub snapshots: Vec<Snapshot>,
    /// Lines that are no Patient.
    pub unreadable: u64,
    versions: Vec<Version>,
    /// One bit per snapshot, `stride` words per version.
    presence: Vec<u64>,
    stride: usize,
    ids: Vec<IdRow>,
    names: Vec<NameRow>,
    givens: Vec<GivenRow>,
    telecoms: Vec<TelecomRow>,
    addresses: Vec<AddressRow>,
    links: Vec<LinkRow>,
    /// Logical id of each record.
    records: Vec<Sym>,
    record_by_id: FxHashMap<Sym, RecordId>,
    record_versions: Csr,
    person_of: Vec<PersonId>,
    person_records: Csr,
    pub(crate) index: Index,
}

/// Rows grouped under keys: `row(k)` is `items[starts[k]..starts[k+1]]`.
#[derive(Debug, Default, Clone)]
pub(crate) struct Csr {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Csr {
    /// Groups `0..keys.len()` by key; rows keep their order.
    fn group(keys: &[u32], groups: usize) -> Csr {
        let mut starts = vec![0u32; groups + 1];
        for k in keys {
            starts[*k as usize + 1] += 1;
        }
        for i in 0..groups {
            starts[i + 1] += starts[i];
        }
        let mut at = starts.clone();
        let mut items = vec![0u32; keys.len()];
        for (i, k) in keys.iter().enumerate() {
            items[at[*k as usize] as usize] = i as u32;
            at[*k as usize] += 1;
        }
        Csr { starts, items }
    }
    pub(crate) fn row(&self, k: u32) -> &[u32] {
        match self.starts.get(k as usize + 1) {
            Some(end) => &self.items[self.starts[k as usize] as usize..*end as usize],
            None => &[],
        }
    }
}

/// Sorted columns that make a search a few binary searches.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Distinct folded names, sorted as text; a prefix is a range of ranks.
    pub folded: Vec<Sym>,
    /// (rank, version), sorted.
    pub family: Vec<(u32, VersionId)>,
    pub given: Vec<(u32, VersionId)>,
    pub birth: Vec<(PartDate, VersionId)>,
    /// (value, version), sorted.
    pub id: Vec<(Sym, VersionId)>,
    pub telecom: Vec<(Sym, VersionId)>,
    /// Rank of each name row's family and of each given row.
    pub family_rank: Vec<u32>,
    pub given_rank: Vec<u32>,
}

// ------------------------------------------------------------------ reading

#[derive(Deserialize, Clone, Default)]
#[serde(transparent)]
struct S<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPatient<'a> {
    #[serde(borrow, default)]
    resource_type: Option<S<'a>>,
    #[serde(borrow, default)]
    id: Option<S<'a>>,
    #[serde(borrow, default)]
    meta: Option<RawMeta<'a>>,
    #[serde(borrow, default)]
    identifier: Vec<RawId<'a>>,
    #[serde(default)]
    active: Option<bool>,
    #[serde(borrow, default)]
    name: Vec<RawName<'a>>,
    #[serde(borrow, default)]
    telecom: Vec<RawTelecom<'a>>,
    #[serde(borrow, default)]
    gender: Option<S<'a>>,
    #[serde(borrow, default)]
    birth_date: Option<S<'a>>,
    #[serde(default)]
    deceased_boolean: Option<bool>,
    #[serde(borrow, default)]
    deceased_date_time: Option<S<'a>>,
    #[serde(borrow, default)]
    address: Vec<RawAddress<'a>>,
    #[serde(default)]
    marital_status: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    multiple_birth_boolean: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    multiple_birth_integer: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    photo: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(borrow, default)]
    contact: Vec<RawContact<'a>>,
    #[serde(default)]
    communication: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(default)]
    general_practitioner: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(borrow, default)]
    managing_organization: Option<RawReference<'a>>,
    #[serde(borrow, default)]
    link: Vec<RawLink<'a>>,
    #[serde(borrow, default)]
    extension: Vec<RawExtension<'a>>,
}
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMeta<'a> {
    #[serde(borrow, default)]
    version_id: Option<S<'a>>,
    #[serde(borrow, default)]
    last_updated: Option<S<'a>>,
}
#[derive(Deserialize)]
struct RawId<'a> {
    #[serde(rename = "use", borrow, default)]
    usage: Option<S<'a>>,
    #[serde(rename = "type", borrow, default)]
    kind: Option<RawConcept<'a>>,
    #[serde(borrow, default)]
    system: Option<S<'a>>,
    #[serde(borrow, default)]
    value: Option<S<'a>>,
}
#[derive(Deserialize)]
struct RawConcept<'a> {
    #[serde(borrow, default)]
    coding: Vec<RawCoding<'a>>,
    #[serde(borrow, default)]
    text: Option<S<'a>>,
}
#[derive(Deserialize)]
struct RawCoding<'a> {
    #[serde(borrow, default)]
    code: Option<S<'a>>,
}
#[derive(Deserialize)]
struct RawName<'a> {
    #[serde(rename = "use", borrow, default)]
    usage: Option<S<'a>>,
    #[serde(borrow, default)]
    family: Option<S<'a>>,
    #[serde(borrow, default)]
    given: Vec<S<'a>>,
    #[serde(borrow, default)]
    extension: Vec<RawExtension<'a>>,
}
#[derive(Deserialize)]
struct RawTelecom<'a> {
    #[serde(borrow, default)]
    system: Option<S<'a>>,
    #[serde(borrow, default)]
    value: Option<S<'a>>,
    #[serde(rename = "use", borrow, default)]
    usage: Option<S<'a>>,
}
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAddress<'a> {
    #[serde(rename = "use", borrow, default)]
    usage: Option<S<'a>>,
    #[serde(borrow, default)]
    line: Vec<S<'a>>,
    #[serde(borrow, default)]
    city: Option<S<'a>>,
    #[serde(borrow, default)]
    postal_code: Option<S<'a>>,
    #[serde(borrow, default)]
    state: Option<S<'a>>,
    #[serde(borrow, default)]
    country: Option<S<'a>>,
}
#[derive(Deserialize)]
struct RawContact<'a> {
    #[serde(default)]
    name: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    telecom: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(borrow, default)]
    address: Option<RawAddress<'a>>,
}
#[derive(Deserialize)]
struct RawReference<'a> {
    #[serde(borrow, default)]
    reference: Option<S<'a>>,
    #[serde(borrow, default)]
    identifier: Option<RawId<'a>>,
}
#[derive(Deserialize)]
struct RawLink<'a> {
    #[serde(borrow, default)]
    other: Option<RawReference<'a>>,
    #[serde(rename = "type", borrow, default)]
    kind: Option<S<'a>>,
}
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawExtension<'a> {
    #[serde(borrow, default)]
    url: Option<S<'a>>,
    #[serde(borrow, default)]
    value_string: Option<S<'a>>,
    #[serde(borrow, default)]
    value_address: Option<RawAddress<'a>>,
}

fn s<'a>(x: &'a Option<S<'_>>) -> &'a str {
    x.as_ref().map_or("", |s| &s.0)
}
fn so<'a>(x: &'a Option<S<'_>>) -> Option<&'a str> {
    x.as_ref().map(|s| &*s.0)
}

/// Opens a file, reading through gzip and Zstandard by their magic numbers.
pub(crate) fn open_text(path: &Path) -> std::io::Result<Box<dyn BufRead>> {
    let mut f = std::fs::File::open(path)?;
    let mut magic = [0u8; 4];
    let mut n = 0;
    while n < 4 {
        match f.read(&mut magic[n..])? {
            0 => break,
            k => n += k,
        }
    }
    let whole = std::io::Cursor::new(magic[..n].to_vec()).chain(f);
    Ok(match &magic[..n] {
        [0x1f, 0x8b, ..] => Box::new(std::io::BufReader::with_capacity(
            1 << 18,
            flate2::read::MultiGzDecoder::new(std::io::BufReader::new(whole)),
        )),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(std::io::BufReader::with_capacity(
            1 << 18,
            zstd::stream::read::Decoder::new(whole)?,
        )),
        _ => Box::new(std::io::BufReader::with_capacity(1 << 18, whole)),
    })
}

/// Calls `each(line number, bytes)` for every line of a file; lines above the limit are passed as empty.
pub(crate) fn each_line(
    path: &Path,
    each: &mut dyn FnMut(u64, &[u8]),
) -> Result<(), IdentityError> {
    let mut r = open_text(path).map_err(|e| IdentityError::Open {
        path: path.display().to_string(),
        message: e.to_string(),
    })?;
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        let n = (&mut r)
            .take(LINE_MAX as u64 + 1)
            .read_until(b'\n', &mut line)
            .map_err(|e| IdentityError::Read {
                path: path.display().to_string(),
                line: number,
                message: e.to_string(),
            })?;
        if n == 0 {
            return Ok(());
        }
        number += 1;
        if line.len() > LINE_MAX && line.last() != Some(&b'\n') {
            // The rest of the over-long line is passed over piece by piece.
            loop {
                line.clear();
                let n = (&mut r)
                    .take(1 << 20)
                    .read_until(b'\n', &mut line)
                    .unwrap_or(0);
                if n == 0 || line.last() == Some(&b'\n') {
                    break;
                }
            }
            each(number, b"\0");
            continue;
        }
        while matches!(line.last(), Some(b'\n' | b'\r')) {
            line.pop();
        }
        let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line);
        if !text.iter().all(u8::is_ascii_whitespace) {
            each(number, text);
        }
    }
}

/// The instant of a snapshot from its file name: `<date>` or `<date>T<hh:mm>`, then extensions.
pub fn snapshot_time(file_name: &str, zone: &jiff::tz::TimeZone) -> Option<Nanos> {
    let date: jiff::civil::Date = file_name.get(..10)?.parse().ok()?;
    let rest = &file_name[10..];
    let (h, m) = match rest.strip_prefix('T') {
        Some(t) => {
            let d: String = t
                .split('.')
                .next()
                .unwrap_or("")
                .chars()
                .filter(char::is_ascii_digit)
                .collect();
            if d.len() < 4 {
                return None;
            }
            (d[..2].parse().ok()?, d[2..4].parse().ok()?)
        }
        None => (0, 0),
    };
    let at = date.at(h, m, 0, 0);
    i64::try_from(at.to_zoned(zone.clone()).ok()?.timestamp().as_nanosecond()).ok()
}

/// An instant of FHIR (`lastUpdated`), or [`NO_TIME`].
pub(crate) fn fhir_instant(text: &str) -> Nanos {
    text.parse::<jiff::Timestamp>()
        .ok()
        .and_then(|t| i64::try_from(t.as_nanosecond()).ok())
        .unwrap_or(NO_TIME)
}

/// Files of a folder that hold a snapshot, sorted by time then name.
fn snapshot_files(
    dir: &Path,
    zone: &jiff::tz::TimeZone,
) -> Result<Vec<(Nanos, String, PathBuf)>, IdentityError> {
    let mut out = vec![];
    let list = match std::fs::read_dir(dir) {
        Ok(l) => l,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(out),
        Err(e) => {
            return Err(IdentityError::Open {
                path: dir.display().to_string(),
                message: e.to_string(),
            });
        }
    };
    for entry in list.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || !entry.path().is_file() {
            continue;
        }
        match snapshot_time(&name, zone) {
            Some(t) => out.push((t, name, entry.path())),
            None if name.contains("json") => return Err(IdentityError::Name { path: name }),
            None => {}
        }
    }
    out.sort();
    Ok(out)
}

impl IdentityBase {
    /// Reads every snapshot of `dir` (a missing folder is an empty base). Lines that are no Patient are counted, not fatal.
    pub fn load(dir: &Path, zone: &jiff::tz::TimeZone) -> Result<IdentityBase, IdentityError> {
        let files = snapshot_files(dir, zone)?;
        let mut b = Builder::new(files.len());
        for (i, (time, name, path)) in files.iter().enumerate() {
            b.snapshot(name, *time);
            each_line(path, &mut |_, line| b.line(i, line))?;
        }
        Ok(b.finish())
    }
    /// The snapshots of a case, in order of time.
    pub fn load_case(case: &ampleur_sources::case::Case) -> Result<IdentityBase, IdentityError> {
        let files = case.snapshots().map_err(|e| IdentityError::Open {
            path: "identities".into(),
            message: e.to_string(),
        })?;
        let mut b = Builder::new(files.len());
        for (i, f) in files.iter().enumerate() {
            b.snapshot(&f.rel, f.at);
            each_line(&f.path, &mut |_, line| b.line(i, line))?;
        }
        Ok(b.finish())
    }
    /// The same from text in memory: `(time, lines)` per snapshot, in order of time.
    pub fn from_lines(snapshots: &[(Nanos, &str)]) -> IdentityBase {
        let mut b = Builder::new(snapshots.len());
        for (i, (time, text)) in snapshots.iter().enumerate() {
            b.snapshot("memory", *time);
            for l in text.lines().filter(|l| !l.trim().is_empty()) {
                b.line(i, l.as_bytes());
            }
        }
        b.finish()
    }
}

struct Builder {
    base: IdentityBase,
    /// Line hash → version, so that an unchanged line is not parsed again.
    seen: FxHashMap<u128, VersionId>,
    now: usize,
}

fn line_hash(line: &[u8]) -> u128 {
    u128::from_le_bytes(
        blake3::hash(line).as_bytes()[..16]
            .try_into()
            .expect("sixteen bytes"),
    )
}

impl Builder {
    fn new(snapshots: usize) -> Builder {
        Builder {
            base: IdentityBase {
                stride: snapshots.div_ceil(64).max(1),
                ..IdentityBase::default()
            },
            seen: FxHashMap::default(),
            now: 0,
        }
    }
    fn snapshot(&mut self, name: &str, time: Nanos) {
        self.now = self.base.snapshots.len();
        self.base.snapshots.push(Snapshot {
            name: name.to_string(),
            time,
            records: 0,
        });
    }
    fn line(&mut self, snapshot: usize, line: &[u8]) {
        let h = line_hash(line);
        let v = match self.seen.get(&h) {
            Some(v) => *v,
            None => match self.parse(line) {
                Some(v) => {
                    self.seen.insert(h, v);
                    v
                }
                None => {
                    self.base.unreadable += 1;
                    return;
                }
            },
        };
        let b = &mut self.base;
        let word = v as usize * b.stride + snapshot / 64;
        let bit = 1u64 << (snapshot % 64);
        if b.presence[word] & bit == 0 {
            b.presence[word] |= bit;
            b.snapshots[snapshot].records += 1;
        }
    }
    fn parse(&mut self, line: &[u8]) -> Option<VersionId> {
        let lossy;
        let text = match std::str::from_utf8(line) {
            Ok(t) => t,
            Err(_) => {
                lossy = fold::text_of(line);
                &lossy
            }
        };
        let p: RawPatient<'_> = serde_json::from_str(text).ok()?;
        if p.resource_type.as_ref().is_some_and(|t| t.0 != "Patient") {
            return None;
        }
        let b = &mut self.base;
        let id = so(&p.id).filter(|i| !i.is_empty())?;
        let id = b.strings.try_intern(id)?;
        let next = b.records.len() as u32;
        let record = *b.record_by_id.entry(id).or_insert(next);
        if record == next {
            b.records.push(id);
        }
        let mut v = Version {
            record,
            ids: b.ids.len() as u32,
            names: b.names.len() as u32,
            telecoms: b.telecoms.len() as u32,
            addresses: b.addresses.len() as u32,
            links: b.links.len() as u32,
            birth: so(&p.birth_date)
                .and_then(PartDate::parse)
                .unwrap_or_default(),
            organization: 0,
            birthplace: 0,
            mothers_name: 0,
            death: 0,
            updated: NO_TIME,
            number: 0,
            gender: Gender::of(s(&p.gender)),
            active: p.active.unwrap_or(true),
            deceased: p.deceased_boolean == Some(true) || p.deceased_date_time.is_some(),
            extras: 0,
        };
        if let Some(m) = &p.meta {
            v.number = s(&m.version_id).parse().unwrap_or(0);
            v.updated = fhir_instant(s(&m.last_updated));
        }
        v.death = b.strings.intern(s(&p.deceased_date_time));
        for i in &p.identifier {
            let value = s(&i.value).trim();
            if value.is_empty() {
                continue;
            }
            let system = oid(s(&i.system));
            let code = i.kind.as_ref().map_or("", |k| {
                k.coding
                    .iter()
                    .map(|c| s(&c.code))
                    .find(|c| !c.is_empty())
                    .unwrap_or_else(|| s(&k.text))
            });
            let kind = match code {
                "INS-NIR" => IdKind::InsNir,
                "INS-NIA" | "NH" | "INS-C" => IdKind::Nir,
                "PI" => IdKind::Pi,
                "RRI" => IdKind::Rri,
                "" if system == NIR_SYSTEM => IdKind::InsNir,
                _ if is_nir_system(&system) => IdKind::Nir,
                _ => IdKind::Other,
            };
            let row = IdRow {
                system: b.strings.intern(&system),
                value: b.strings.intern(value),
                kind,
                usage: Use::of(so(&i.usage)),
            };
            b.ids.push(row);
        }
        for n in &p.name {
            let family = s(&n.family);
            let row = NameRow {
                family: b.strings.intern(family),
                family_fold: b.strings.intern(&fold::name(family)),
                givens: b.givens.len() as u32,
                usage: Use::of(so(&n.usage)),
            };
            b.names.push(row);
            for g in &n.given {
                let row = GivenRow {
                    given: b.strings.intern(&g.0),
                    fold: b.strings.intern(&fold::name(&g.0)),
                    birth_list: false,
                };
                b.givens.push(row);
            }
            for e in &n.extension {
                if s(&e.url).ends_with("birth-list-given-name") {
                    let t = s(&e.value_string);
                    let row = GivenRow {
                        given: b.strings.intern(t),
                        fold: b.strings.intern(&fold::name(t)),
                        birth_list: true,
                    };
                    b.givens.push(row);
                }
            }
        }
        for t in &p.telecom {
            let value = s(&t.value).trim();
            if value.is_empty() {
                continue;
            }
            let kind = match s(&t.system) {
                "email" if value.to_ascii_lowercase().ends_with("@patient.mssante.fr") => {
                    TelecomKind::Mssante
                }
                "email" => TelecomKind::Email,
                "phone" | "sms" | "fax" | "pager" => TelecomKind::Phone,
                _ if value.to_ascii_lowercase().ends_with("@patient.mssante.fr") => {
                    TelecomKind::Mssante
                }
                "" if value.contains('@') => TelecomKind::Email,
                "" => TelecomKind::Phone,
                _ => TelecomKind::Other,
            };
            let row = TelecomRow {
                value: b.strings.intern(value),
                kind,
                usage: Use::of(so(&t.usage)),
            };
            b.telecoms.push(row);
        }
        for a in &p.address {
            let lines: Vec<&str> = a.line.iter().map(|l| &*l.0).collect();
            let row = AddressRow {
                line: b.strings.intern(&lines.join("\n")),
                city: b.strings.intern(s(&a.city)),
                postal: b.strings.intern(s(&a.postal_code)),
                state: b.strings.intern(s(&a.state)),
                country: b.strings.intern(s(&a.country)),
                usage: Use::of(so(&a.usage)),
            };
            b.addresses.push(row);
        }
        for l in &p.link {
            let Some(other) = l.other.as_ref().map(|o| s(&o.reference)) else {
                continue;
            };
            let other = other.rsplit("Patient/").next().unwrap_or(other);
            let other = other.split("/_history").next().unwrap_or(other);
            if other.is_empty() {
                continue;
            }
            let kind = match s(&l.kind) {
                "replaced-by" => LinkKind::ReplacedBy,
                "replaces" => LinkKind::Replaces,
                "seealso" => LinkKind::SeeAlso,
                _ => LinkKind::Refer,
            };
            let row = LinkRow {
                kind,
                other: b.strings.intern(other),
            };
            b.links.push(row);
        }
        if let Some(o) = &p.managing_organization {
            let value = o.identifier.as_ref().map_or("", |i| s(&i.value));
            let text = if value.is_empty() {
                s(&o.reference).to_string()
            } else {
                format!("finess:{value}")
            };
            v.organization = b.strings.intern(&text);
        }
        for e in &p.extension {
            let url = s(&e.url);
            if url.ends_with("patient-birthPlace") || url.ends_with("birthPlace") {
                let place = e.value_address.as_ref().map_or("", |a| s(&a.city));
                v.birthplace = b.strings.intern(if place.is_empty() { "?" } else { place });
            } else if url.ends_with("mothersMaidenName") {
                v.mothers_name = b.strings.intern(s(&e.value_string));
                v.extras |= extra::CIVIL;
            } else if url.ends_with("nationality") {
                v.extras |= extra::CIVIL;
            }
        }
        if p.marital_status.is_some()
            || p.multiple_birth_boolean.is_some()
            || p.multiple_birth_integer.is_some()
        {
            v.extras |= extra::CIVIL;
        }
        if p.communication.is_some_and(|c| !c.is_empty()) {
            v.extras |= extra::CIVIL | extra::LANGUAGE;
        }
        if p.photo.is_some_and(|c| !c.is_empty()) {
            v.extras |= extra::PHOTO;
        }
        if p.general_practitioner.is_some_and(|c| !c.is_empty()) {
            v.extras |= extra::PRACTITIONER;
        }
        for c in &p.contact {
            if c.name.is_some() {
                v.extras |= extra::KIN_NAME;
            }
            if c.telecom.as_ref().is_some_and(|t| !t.is_empty()) || c.address.is_some() {
                v.extras |= extra::KIN_CONTACT;
            }
        }
        let n = b.versions.len() as u32;
        b.versions.push(v);
        b.presence.resize(b.versions.len() * b.stride, 0);
        Some(n)
    }
    fn finish(mut self) -> IdentityBase {
        drop(std::mem::take(&mut self.seen));
        let mut b = self.base;
        let keys: Vec<u32> = b.versions.iter().map(|v| v.record).collect();
        b.record_versions = Csr::group(&keys, b.records.len());
        b.resolve_persons();
        b.build_index();
        b
    }
}

/// `urn:oid:` in front of a bare OID.
pub fn oid(system: &str) -> String {
    let s = system.trim();
    if s.starts_with(|c: char| c.is_ascii_digit()) {
        format!("urn:oid:{s}")
    } else {
        s.to_string()
    }
}

/// Systems whose values are a NIR or stand for one (INS-NIR, INS-NIA, test, demo).
pub fn is_nir_system(system: &str) -> bool {
    matches!(
        system.strip_prefix("urn:oid:"),
        Some(
            "1.2.250.1.213.1.4.8"
                | "1.2.250.1.213.1.4.9"
                | "1.2.250.1.213.1.4.10"
                | "1.2.250.1.213.1.4.11"
        )
    )
}

/// The 13 digits of a NIR: without blanks and without key.
pub fn nir_stem(value: &str) -> String {
    let v: String = value
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .collect();
    if v.len() == 15 {
        v[..13].to_string()
    } else {
        v
    }
}

fn find(up: &mut [u32], mut x: u32) -> u32 {
    while up[x as usize] != x {
        up[x as usize] = up[up[x as usize] as usize];
        x = up[x as usize];
    }
    x
}

impl IdentityBase {
    fn resolve_persons(&mut self) {
        let n = self.records.len();
        let mut up: Vec<u32> = (0..n as u32).collect();
        let join = |up: &mut [u32], a: u32, b: u32| {
            let (a, b) = (find(up, a), find(up, b));
            // The smaller number stays on top, so that the result does not depend on the order of joins.
            if a < b {
                up[b as usize] = a
            } else {
                up[a as usize] = b
            }
        };
        let mut keys: Vec<(u32, u32, u32)> = vec![];
        for v in 0..self.versions.len() as u32 {
            let record = self.versions[v as usize].record;
            let range = self.id_range(v);
            for k in range {
                let i = self.ids[k];
                match i.kind {
                    IdKind::InsNir if i.usage != Use::Temp => {
                        let stem = nir_stem(self.strings.get(i.value));
                        if !stem.is_empty() {
                            let stem = self.strings.intern(&stem);
                            keys.push((u32::MAX, stem, record));
                        }
                    }
                    IdKind::Rri => keys.push((i.system, i.value, record)),
                    _ => {}
                }
            }
            for l in self.link_rows(v).to_vec() {
                if l.kind != LinkKind::Refer
                    && let Some(other) = self.record_by_id.get(&l.other)
                {
                    join(&mut up, record, *other);
                }
            }
        }
        keys.sort_unstable();
        for w in keys.windows(2) {
            if (w[0].0, w[0].1) == (w[1].0, w[1].1) {
                join(&mut up, w[0].2, w[1].2);
            }
        }
        let mut person = vec![u32::MAX; n];
        let mut count = 0;
        for r in 0..n as u32 {
            let root = find(&mut up, r) as usize;
            if person[root] == u32::MAX {
                person[root] = count;
                count += 1;
            }
            person[r as usize] = person[root];
        }
        self.person_records = Csr::group(&person, count as usize);
        self.person_of = person;
    }
    fn build_index(&mut self) {
        let mut folded: Vec<Sym> = self
            .names
            .iter()
            .map(|n| n.family_fold)
            .chain(self.givens.iter().map(|g| g.fold))
            .collect();
        folded.sort_unstable();
        folded.dedup();
        folded.sort_by(|a, b| self.strings.get(*a).cmp(self.strings.get(*b)));
        let mut rank_of: FxHashMap<Sym, u32> = FxHashMap::default();
        for (i, s) in folded.iter().enumerate() {
            rank_of.insert(*s, i as u32);
        }
        let mut ix = Index {
            family_rank: self.names.iter().map(|n| rank_of[&n.family_fold]).collect(),
            given_rank: self.givens.iter().map(|g| rank_of[&g.fold]).collect(),
            folded,
            ..Index::default()
        };
        for v in 0..self.versions.len() as u32 {
            for k in self.name_range(v) {
                ix.family.push((ix.family_rank[k], v));
                for g in self.given_range(k, v) {
                    ix.given.push((ix.given_rank[g], v));
                }
            }
            ix.birth.push((self.versions[v as usize].birth, v));
            for k in self.id_range(v) {
                ix.id.push((self.ids[k].value, v));
            }
            for t in self.telecom_rows(v) {
                ix.telecom.push((t.value, v));
            }
        }
        ix.family.sort_unstable();
        ix.family.dedup();
        ix.given.sort_unstable();
        ix.given.dedup();
        ix.birth.sort_unstable();
        ix.id.sort_unstable();
        ix.telecom.sort_unstable();
        self.index = ix;
    }

    // -------------------------------------------------------------- rows of a version
    fn id_range(&self, v: VersionId) -> std::ops::Range<usize> {
        let i = v as usize;
        let end = self
            .versions
            .get(i + 1)
            .map_or(self.ids.len(), |n| n.ids as usize);
        self.versions[i].ids as usize..end
    }
    pub(crate) fn name_range(&self, v: VersionId) -> std::ops::Range<usize> {
        let i = v as usize;
        let end = self
            .versions
            .get(i + 1)
            .map_or(self.names.len(), |n| n.names as usize);
        self.versions[i].names as usize..end
    }
    /// Rows of `givens` of name row `name` of version `v`.
    pub(crate) fn given_range(&self, name: usize, _v: VersionId) -> std::ops::Range<usize> {
        let end = self
            .names
            .get(name + 1)
            .map_or(self.givens.len(), |n| n.givens as usize);
        self.names[name].givens as usize..end
    }
    pub fn version(&self, v: VersionId) -> &Version {
        &self.versions[v as usize]
    }
    pub fn version_count(&self) -> u32 {
        self.versions.len() as u32
    }
    pub fn id_rows(&self, v: VersionId) -> &[IdRow] {
        &self.ids[self.id_range(v)]
    }
    pub fn name_rows(&self, v: VersionId) -> &[NameRow] {
        &self.names[self.name_range(v)]
    }
    /// Given names of all name rows of a version, with the name's use.
    pub fn given_rows(&self, v: VersionId) -> impl Iterator<Item = (Use, GivenRow)> + '_ {
        self.name_range(v).flat_map(move |k| {
            let usage = self.names[k].usage;
            self.given_range(k, v).map(move |g| (usage, self.givens[g]))
        })
    }
    pub fn telecom_rows(&self, v: VersionId) -> &[TelecomRow] {
        let i = v as usize;
        let end = self
            .versions
            .get(i + 1)
            .map_or(self.telecoms.len(), |n| n.telecoms as usize);
        &self.telecoms[self.versions[i].telecoms as usize..end]
    }
    pub fn address_rows(&self, v: VersionId) -> &[AddressRow] {
        let i = v as usize;
        let end = self
            .versions
            .get(i + 1)
            .map_or(self.addresses.len(), |n| n.addresses as usize);
        &self.addresses[self.versions[i].addresses as usize..end]
    }
    pub fn link_rows(&self, v: VersionId) -> &[LinkRow] {
        let i = v as usize;
        let end = self
            .versions
            .get(i + 1)
            .map_or(self.links.len(), |n| n.links as usize);
        &self.links[self.versions[i].links as usize..end]
    }
    pub fn text(&self, s: Sym) -> &str {
        self.strings.get(s)
    }

    // -------------------------------------------------------------- records, persons, time
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
    pub fn record_count(&self) -> u32 {
        self.records.len() as u32
    }
    pub fn person_count(&self) -> u32 {
        self.person_records.starts.len().saturating_sub(1) as u32
    }
    pub fn logical_id(&self, r: RecordId) -> &str {
        self.records
            .get(r as usize)
            .map_or("", |s| self.strings.get(*s))
    }
    pub fn person_of(&self, r: RecordId) -> PersonId {
        self.person_of[r as usize]
    }
    pub fn records_of(&self, p: PersonId) -> &[RecordId] {
        self.person_records.row(p)
    }
    pub fn versions_of(&self, r: RecordId) -> &[VersionId] {
        self.record_versions.row(r)
    }
    pub fn present(&self, v: VersionId, snapshot: usize) -> bool {
        self.presence[v as usize * self.stride + snapshot / 64] >> (snapshot % 64) & 1 == 1
    }
    /// The version of a record in one snapshot.
    pub fn version_at(&self, r: RecordId, snapshot: usize) -> Option<VersionId> {
        self.versions_of(r)
            .iter()
            .copied()
            .find(|v| self.present(*v, snapshot))
    }
    /// Snapshots around `t`: the last one at or before it, the first one after it.
    pub fn around(&self, t: Nanos) -> (Option<usize>, Option<usize>) {
        let after = self.snapshots.partition_point(|s| s.time <= t);
        (
            after.checked_sub(1),
            (after < self.snapshots.len()).then_some(after),
        )
    }
    /// How a record looked at `t`. Between two snapshots `meta.lastUpdated` and `meta.versionId` decide where they can
    /// (contract §C); before the first and after the last snapshot the nearest one stands.
    pub fn at(&self, r: RecordId, t: Nanos) -> At {
        let (a, b) = self.around(t);
        let va = a.and_then(|s| self.version_at(r, s));
        let vb = b.and_then(|s| self.version_at(r, s));
        self.decide(va, vb, a.is_some(), b.is_some(), t)
    }
    pub(crate) fn decide(
        &self,
        va: Option<VersionId>,
        vb: Option<VersionId>,
        has_a: bool,
        has_b: bool,
        t: Nanos,
    ) -> At {
        let updated = |v: VersionId| self.versions[v as usize].updated;
        let number = |v: VersionId| self.versions[v as usize].number;
        match (va, vb) {
            (None, None) => At::Absent,
            (Some(a), Some(b)) if a == b => At::Sure(a),
            (Some(a), Some(b)) => {
                let u = updated(b);
                if u != NO_TIME && u <= t {
                    At::Sure(b)
                } else if u != NO_TIME && number(a) > 0 && number(b) == number(a) + 1 {
                    At::Sure(a)
                } else {
                    At::Either(va, vb)
                }
            }
            (None, Some(b)) => {
                let u = updated(b);
                if u != NO_TIME && u <= t {
                    At::Sure(b)
                } else if u != NO_TIME && number(b) == 1 {
                    At::Absent
                } else if !has_a && u == NO_TIME {
                    At::Sure(b)
                } else {
                    At::Either(None, vb)
                }
            }
            (Some(a), None) if !has_b => At::Sure(a),
            (Some(_), None) => At::Either(va, None),
        }
    }
    /// The version that says most about a record: the one of the last snapshot that holds it.
    pub fn latest(&self, r: RecordId) -> Option<VersionId> {
        (0..self.snapshots.len())
            .rev()
            .find_map(|s| self.version_at(r, s))
    }
    pub fn record_by_id(&self, logical: &str) -> Option<RecordId> {
        let s = self.strings.find(logical)?;
        self.record_by_id.get(&s).copied()
    }

    // -------------------------------------------------------------- looking up
    /// Versions that carry an identifier of this value; with `system` only of that system.
    pub fn versions_with(&self, system: Option<&str>, value: &str) -> Vec<VersionId> {
        let Some(value) = self.strings.find(value) else {
            return vec![];
        };
        let system = match system {
            Some(s) => match self.strings.find(&oid(s)) {
                Some(s) => Some(s),
                None => return vec![],
            },
            None => None,
        };
        let a = self.index.id.partition_point(|x| x.0 < value);
        let mut out: Vec<VersionId> = self.index.id[a..]
            .iter()
            .take_while(|x| x.0 == value)
            .map(|x| x.1)
            .filter(|v| {
                self.id_rows(*v)
                    .iter()
                    .any(|i| i.value == value && system.is_none_or(|s| s == i.system))
            })
            .collect();
        out.dedup();
        out
    }
    /// Records that ever carried the identifier, sorted.
    pub fn records_with(&self, system: Option<&str>, value: &str) -> Vec<RecordId> {
        let mut r: Vec<RecordId> = self
            .versions_with(system, value)
            .into_iter()
            .map(|v| self.versions[v as usize].record)
            .collect();
        r.sort_unstable();
        r.dedup();
        r
    }
    /// The record a subject text names: `Patient/id`, `authority|value`, or a bare value when only one person has it.
    pub fn records_named(&self, subject: &str) -> Vec<RecordId> {
        let s = subject.trim();
        let s = s.split("/_history").next().unwrap_or(s);
        if let Some(at) = s.rfind("Patient/") {
            return self.record_by_id(&s[at + 8..]).into_iter().collect();
        }
        if let Some((a, v)) = s.split_once('|') {
            if a.is_empty() {
                return self.records_with(None, v);
            }
            let found = self.records_with(Some(a), v);
            if !found.is_empty() {
                return found;
            }
            // A NIR may be written with or without its key.
            if is_nir_system(&oid(a)) && v.len() == 13 {
                return self.records_by_nir(v);
            }
            return vec![];
        }
        let found = self.records_with(None, s);
        let mut persons: Vec<PersonId> = found.iter().map(|r| self.person_of(*r)).collect();
        persons.sort_unstable();
        persons.dedup();
        if persons.len() == 1 { found } else { vec![] }
    }
    fn records_by_nir(&self, stem: &str) -> Vec<RecordId> {
        let mut out = vec![];
        for (value, v) in &self.index.id {
            if self.strings.get(*value).starts_with(stem) {
                out.push(self.versions[*v as usize].record);
            }
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    // -------------------------------------------------------------- what a record holds
    /// Categories of the fields a version holds (data-categories §3.1), CARE.EXISTENCE left out.
    pub fn held(&self, v: VersionId) -> CategorySet {
        let row = self.version(v);
        let mut s = CategorySet::EMPTY;
        for i in self.id_rows(v) {
            s.insert(match i.kind {
                IdKind::InsNir | IdKind::Nir => Category::IdNir,
                _ => Category::IdLocal,
            });
        }
        if !self.name_rows(v).is_empty() {
            s.insert(Category::IdName);
        }
        if row.birth != PartDate::default() {
            s.insert(Category::IdDob);
        }
        if row.gender != Gender::Absent {
            s.insert(Category::IdSex);
        }
        for t in self.telecom_rows(v) {
            s.insert(match t.kind {
                TelecomKind::Phone | TelecomKind::Other => Category::ContactPhone,
                TelecomKind::Email => Category::ContactEmail,
                TelecomKind::Mssante => Category::ContactMssante,
            });
        }
        if !self.address_rows(v).is_empty() {
            s.insert(Category::ContactPostal);
        }
        if row.deceased {
            s.insert(Category::IdDeath);
        }
        if row.birthplace != 0 {
            s.insert(Category::IdBirthplace);
        }
        for (bit, c) in [
            (extra::CIVIL, Category::IdCivil),
            (extra::PHOTO, Category::IdPhoto),
            (extra::KIN_NAME, Category::KinName),
            (extra::KIN_CONTACT, Category::KinContact),
            (extra::PRACTITIONER, Category::CarePro),
        ] {
            if row.extras & bit != 0 {
                s.insert(c);
            }
        }
        s
    }
    /// Categories an identity base decides about: absent from [`IdentityBase::held`] means the person had no such field.
    pub fn carried() -> CategorySet {
        CategorySet::of(&[
            Category::IdName,
            Category::IdSex,
            Category::IdDob,
            Category::IdBirthplace,
            Category::IdDeath,
            Category::IdCivil,
            Category::IdPhoto,
            Category::IdNir,
            Category::IdLocal,
            Category::ContactPhone,
            Category::ContactEmail,
            Category::ContactPostal,
            Category::ContactMssante,
            Category::KinName,
            Category::KinContact,
        ])
    }

    // -------------------------------------------------------------- naming a person
    /// The record that stands for `r` after merges: `replaced-by` followed to its end.
    pub fn surviving(&self, r: RecordId) -> RecordId {
        let mut at = r;
        for _ in 0..32 {
            let next = self.latest(at).and_then(|v| {
                self.link_rows(v)
                    .iter()
                    .filter(|l| l.kind == LinkKind::ReplacedBy)
                    .find_map(|l| self.record_by_id.get(&l.other).copied())
            });
            match next {
                Some(n) if n != at && n != r => at = n,
                _ => break,
            }
        }
        at
    }
    /// `authority|value` of a person as one establishment names it: the PI of the surviving record there, else the INS, else
    /// the regional id (contract §A). `in_establishment` says whether a version's record belongs to the establishment.
    pub fn name_for(
        &self,
        p: PersonId,
        in_establishment: &dyn Fn(VersionId) -> bool,
        owns: &dyn Fn(&str) -> bool,
    ) -> String {
        // Ranked: smaller is better; ties are settled by the text itself.
        let mut best: Option<(u32, String)> = None;
        let mut offer = |rank: u32, text: String| {
            if best.as_ref().is_none_or(|b| (rank, &text) < (b.0, &b.1)) {
                best = Some((rank, text));
            }
        };
        for r in self.records_of(p) {
            let Some(v) = self.latest(*r) else { continue };
            let survives = self.surviving(*r) == *r;
            let active = self.version(v).active;
            let here = in_establishment(v);
            for i in self.id_rows(v) {
                let system = self.text(i.system);
                let text = || format!("{system}|{}", self.text(i.value));
                let old = matches!(i.usage, Use::Old | Use::Temp);
                let stale = u32::from(!survives) * 4 + u32::from(!active) * 2 + u32::from(old);
                match i.kind {
                    IdKind::Pi if here => {
                        offer(u32::from(!owns(system)) * 8 + stale, text());
                    }
                    IdKind::InsNir if i.usage != Use::Temp => offer(100 + stale, text()),
                    IdKind::Rri => offer(200 + stale, text()),
                    IdKind::Pi => offer(300 + stale, text()),
                    _ => offer(400 + stale, text()),
                }
            }
        }
        best.map_or_else(|| format!("unknown|{p}"), |b| b.1)
    }
    /// Folded traits of a record version: official family, first given, birth date, sex. Empty when incomplete.
    pub fn traits(&self, v: VersionId) -> Option<(Sym, Vec<Sym>, PartDate, Gender)> {
        let row = self.version(v);
        let k = self
            .name_range(v)
            .find(|k| self.names[*k].usage == Use::Official)
            .or_else(|| self.name_range(v).next())?;
        let given: Vec<Sym> = self
            .given_range(k, v)
            .map(|g| self.givens[g])
            .filter(|g| !g.birth_list)
            .map(|g| g.fold)
            .collect();
        if !row.birth.is_full() || given.is_empty() {
            return None;
        }
        Some((self.names[k].family_fold, given, row.birth, row.gender))
    }
    /// Groups of two or more persons with equal traits at the last snapshot: probable duplicates (or twins, or namesakes).
    /// Each group is sorted; groups are sorted by their first person.
    pub fn probable_duplicates(&self) -> Vec<Vec<PersonId>> {
        type Key = (Sym, Vec<Sym>, PartDate, u8);
        let mut rows: Vec<(Key, PersonId)> = vec![];
        for r in 0..self.record_count() {
            if let Some((f, g, b, s)) = self.latest(r).and_then(|v| self.traits(v)) {
                rows.push(((f, g, b, s as u8), self.person_of(r)));
            }
        }
        rows.sort_unstable();
        rows.dedup();
        let mut out: Vec<Vec<PersonId>> = rows
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|c| c.len() > 1)
            .map(|c| c.iter().map(|x| x.1).collect())
            .collect();
        out.sort();
        out.dedup();
        out
    }
    /// Persons with a record in `snapshot` for which `here` holds, sorted.
    pub fn persons_in(&self, snapshot: usize, here: &dyn Fn(VersionId) -> bool) -> Vec<PersonId> {
        let mut out: Vec<PersonId> = (0..self.version_count())
            .filter(|v| self.present(*v, snapshot) && here(*v))
            .map(|v| self.person_of(self.version(v).record))
            .collect();
        out.sort_unstable();
        out.dedup();
        out
    }
    /// Bytes held, roughly.
    pub fn memory(&self) -> usize {
        use std::mem::size_of;
        self.strings.memory()
            + self.versions.capacity() * size_of::<Version>()
            + self.presence.capacity() * 8
            + self.ids.capacity() * size_of::<IdRow>()
            + self.names.capacity() * size_of::<NameRow>()
            + self.givens.capacity() * size_of::<GivenRow>()
            + self.telecoms.capacity() * size_of::<TelecomRow>()
            + self.addresses.capacity() * size_of::<AddressRow>()
            + self.links.capacity() * size_of::<LinkRow>()
            + self.records.capacity() * 16
            + (self.index.family.capacity()
                + self.index.given.capacity()
                + self.index.birth.capacity()
                + self.index.id.capacity()
                + self.index.telecom.capacity())
                * 8
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn patient(id: &str, rest: &str) -> String {
        format!("{{\"resourceType\":\"Patient\",\"id\":\"{id}\",{rest}}}")
    }
    pub fn ident(kind: &str, system: &str, value: &str, usage: &str) -> String {
        format!(
            "{{\"use\":\"{usage}\",\"type\":{{\"coding\":[{{\"code\":\"{kind}\"}}]}},\"system\":\"{system}\",\"value\":\"{value}\"}}"
        )
    }
    const T0: i64 = 1_000_000_000_000_000_000;
    const DAY: i64 = ampleur_event::time::DAY;

    #[test]
    fn shared_ins_regional_id_and_links_join_but_traits_do_not() {
        let text = [
            patient("a", &format!("\"identifier\":[{},{}],\"name\":[{{\"use\":\"official\",\"family\":\"EXEMPLE\",\"given\":[\"ANNE\"]}}],\"birthDate\":\"1980-01-02\",\"gender\":\"female\"", ident("INS-NIR", NIR_SYSTEM, "280015912345678", "official"), ident("PI", "1.2.3", "1", "usual"))),
            patient("b", &format!("\"identifier\":[{},{}],\"birthDate\":\"1980-01-02\"", ident("INS-NIR", NIR_SYSTEM, "280015912345678", "official"), ident("PI", "1.2.4", "9", "usual"))),
            patient("c", &format!("\"identifier\":[{}],\"link\":[{{\"other\":{{\"reference\":\"Patient/a\"}},\"type\":\"replaced-by\"}}],\"active\":false", ident("PI", "1.2.3", "2", "old"))),
            // Same traits, another person.
            patient("d", &format!("\"identifier\":[{}],\"name\":[{{\"use\":\"official\",\"family\":\"Exemple\",\"given\":[\"Anne\"]}}],\"birthDate\":\"1980-01-02\",\"gender\":\"female\"", ident("PI", "1.2.3", "3", "usual"))),
            // A temporary INS joins nobody.
            patient("e", &format!("\"identifier\":[{}]", ident("INS-NIR", NIR_SYSTEM, "280015912345678", "temp"))),
        ]
        .join("\n");
        let b = IdentityBase::from_lines(&[(T0, &text)]);
        assert_eq!(b.person_count(), 3);
        let p = b.person_of(b.record_by_id("a").unwrap());
        assert_eq!(b.records_of(p).len(), 3);
        assert_eq!(b.probable_duplicates(), vec![vec![0, 1]]);
        let name = b.name_for(
            p,
            &|v| {
                b.id_rows(v)
                    .iter()
                    .any(|i| b.text(i.system) == "urn:oid:1.2.3")
            },
            &|_| true,
        );
        assert_eq!(
            name, "urn:oid:1.2.3|1",
            "the surviving record's PI, not the merged one's"
        );
        let other = b.name_for(p, &|_| false, &|_| true);
        assert_eq!(other, format!("{NIR_SYSTEM}|280015912345678"));
        assert_eq!(b.records_named("Patient/c").len(), 1);
        assert_eq!(b.records_named("urn:oid:1.2.4|9").len(), 1);
    }
    #[test]
    fn a_link_of_one_snapshot_joins_over_all() {
        let one = patient("a", "\"active\":true") + "\n" + &patient("b", "\"active\":true");
        let two = patient("a", "\"active\":true")
            + "\n"
            + &patient(
                "b",
                "\"active\":false,\"link\":[{\"other\":{\"reference\":\"Patient/a\"},\"type\":\"replaced-by\"}]",
            );
        let b = IdentityBase::from_lines(&[(T0, &one), (T0 + DAY, &two)]);
        assert_eq!(b.person_count(), 1);
        assert_eq!(b.version_count(), 3, "an unchanged line is one version");
        assert_eq!(b.surviving(1), 0);
    }
    #[test]
    fn last_updated_decides_between_snapshots() {
        let v = |n: u32, at: &str, family: &str| {
            patient(
                "a",
                &format!(
                    "\"meta\":{{\"versionId\":\"{n}\",\"lastUpdated\":\"{at}\"}},\"name\":[{{\"family\":\"{family}\"}}]"
                ),
            )
        };
        let day0 = fhir_instant("2025-09-05T00:00:00Z");
        let day1 = fhir_instant("2025-09-07T00:00:00Z");
        let b = IdentityBase::from_lines(&[
            (day0, &v(1, "2024-01-01T00:00:00Z", "A")),
            (day1, &v(2, "2025-09-06T12:00:00Z", "B")),
        ]);
        assert_eq!(b.at(0, fhir_instant("2025-09-06T11:00:00Z")), At::Sure(0));
        assert_eq!(b.at(0, fhir_instant("2025-09-06T12:00:00Z")), At::Sure(1));
        assert_eq!(b.at(0, fhir_instant("2025-09-01T00:00:00Z")), At::Sure(0));
        assert_eq!(b.at(0, fhir_instant("2025-10-01T00:00:00Z")), At::Sure(1));
        // Two changes in between: the state before the last one is unknown.
        let b = IdentityBase::from_lines(&[
            (day0, &v(1, "2024-01-01T00:00:00Z", "A")),
            (day1, &v(3, "2025-09-06T12:00:00Z", "B")),
        ]);
        assert_eq!(
            b.at(0, fhir_instant("2025-09-06T11:00:00Z")),
            At::Either(Some(0), Some(1))
        );
        // Created in between.
        let b = IdentityBase::from_lines(&[(day0, ""), (day1, &v(1, "2025-09-06T12:00:00Z", "B"))]);
        assert_eq!(b.at(0, fhir_instant("2025-09-06T11:00:00Z")), At::Absent);
        assert_eq!(b.at(0, fhir_instant("2025-09-06T13:00:00Z")), At::Sure(0));
    }
    #[test]
    fn held_fields_are_per_version() {
        let one = patient(
            "a",
            "\"name\":[{\"family\":\"X\"}],\"telecom\":[{\"system\":\"phone\",\"value\":\"+33\"},{\"system\":\"email\",\"value\":\"180@patient.mssante.fr\"}],\"deceasedDateTime\":\"2025-01-01\"",
        );
        let b = IdentityBase::from_lines(&[(T0, &one)]);
        let held: Vec<&str> = b.held(0).iter().map(Category::code).collect();
        assert_eq!(
            held,
            ["ID.NAME", "ID.DEATH", "CONTACT.PHONE", "CONTACT.MSSANTE"]
        );
    }
    #[test]
    fn snapshot_names_are_local_times() {
        let z = jiff::tz::TimeZone::get("Europe/Paris").unwrap();
        let t = |n| snapshot_time(n, &z).map(ampleur_event::time::rfc3339);
        assert_eq!(
            t("2025-09-14.ndjson.gz").as_deref(),
            Some("2025-09-13T22:00:00.000Z")
        );
        assert_eq!(
            t("2025-09-14T06:30.ndjson").as_deref(),
            Some("2025-09-14T04:30:00.000Z")
        );
        assert_eq!(t("readme.ndjson"), None);
    }
    #[test]
    fn a_line_that_is_no_patient_is_counted() {
        let b = IdentityBase::from_lines(&[(
            T0,
            "{\"resourceType\":\"Patient\"\nnonsense\n{\"resourceType\":\"Group\",\"id\":\"x\"}",
        )]);
        assert_eq!((b.unreadable, b.record_count()), (3, 0));
    }
}
