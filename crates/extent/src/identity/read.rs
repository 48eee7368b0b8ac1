//! Lines of a snapshot → rows of a [`Part`]: a piece of a file parsed on its own, with its own numbers, so that pieces can be
//! parsed on any number of threads. Also files as lines, and the instants in their names.
use super::{
    AddressRow, Gender, GivenRow, Groups, IdKind, IdRow, IdentityError, LinkKind, LinkRow,
    NIR_SYSTEM, NameRow, PartDate, TelecomKind, TelecomRow, Use, Version, VersionId, build::Seen,
    extra, is_nir_system, oid,
};
use crate::{fold, strings::Strings};
use ampleur_event::{Nanos, time::NO_TIME};
use serde::Deserialize;
use std::{
    borrow::Cow,
    io::{BufRead, Read},
    path::{Path, PathBuf},
};

/// A line of a snapshot longer than this is not read.
const LINE_MAX: usize = 16 << 20;
/// Bytes parsed as one piece: large enough to make handing over cheap, small enough for its numbers to stay in cache. Tests cut
/// in every line.
const PIECE: usize = if cfg!(test) { 100 } else { 2 << 20 };

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

/// Opens a file, reading through whatever packs logs.
pub(crate) fn open_text(path: &Path) -> std::io::Result<Box<dyn BufRead + Send>> {
    let content = ampleur_sources::reader::content(path)?;
    Ok(Box::new(std::io::BufReader::with_capacity(
        1 << 18,
        content,
    )))
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
pub(super) fn snapshot_files(
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

/// Reads a file in pieces of whole lines. A line above the limit is cut and stays too long to be taken for a Patient.
pub(super) struct Pieces {
    read: Box<dyn BufRead + Send>,
    broken: bool,
}

impl Pieces {
    pub(super) fn open(path: &Path) -> Result<Pieces, IdentityError> {
        match open_text(path) {
            Ok(read) => Ok(Pieces {
                read,
                broken: false,
            }),
            Err(e) => Err(IdentityError::Open {
                path: path.display().to_string(),
                message: e.to_string(),
            }),
        }
    }
    /// The next piece; `None` at the end. Where the file cannot be read to its end, a line that is no Patient stands for the rest.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let mut piece = Vec::with_capacity(PIECE + (PIECE >> 4));
        if self.broken {
            return None;
        }
        if self.fill(&mut piece).is_err() {
            self.broken = true;
            if !piece.is_empty() && piece.last() != Some(&b'\n') {
                piece.push(b'\n');
            }
            piece.extend_from_slice(b"the rest cannot be read\n");
        }
        (!piece.is_empty()).then_some(piece)
    }
    fn fill(&mut self, piece: &mut Vec<u8>) -> std::io::Result<()> {
        let mut take = |limit: usize, line: bool, piece: &mut Vec<u8>| {
            let mut r = (&mut self.read).take(limit as u64);
            if line {
                r.read_until(b'\n', piece)
            } else {
                r.read_to_end(piece)
            }
        };
        if take(PIECE, false, piece)? == 0 {
            return Ok(());
        }
        if piece.last() != Some(&b'\n') {
            take(LINE_MAX + 1, true, piece)?;
        }
        if piece.last() != Some(&b'\n') {
            // The end of the file, or a line above the limit whose rest is passed over.
            let mut rest = vec![];
            while take(1 << 20, true, &mut rest)? > 0 && rest.last() != Some(&b'\n') {
                rest.clear();
            }
        }
        Ok(())
    }
}

/// One line of a piece.
pub(super) enum Line {
    /// Equal to a line of an earlier snapshot.
    Seen(VersionId),
    /// A new content: the version of the part, and the hash of the line (zero when nobody will ask).
    New(u32, [u32; 4]),
}

/// What a piece of a file holds, in numbers of its own. `Version::record` is the string of the logical id.
#[derive(Default)]
pub(super) struct Part {
    pub strings: Strings,
    pub names: Strings,
    pub rows: Rows,
    pub versions: Vec<Version>,
    pub lines: Vec<Line>,
    pub unreadable: u64,
}

/// Repeated fields, each group once.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub ids: Groups<IdRow>,
    pub names: Groups<NameRow>,
    pub givens: Groups<GivenRow>,
    pub telecoms: Groups<TelecomRow>,
    pub addresses: Groups<AddressRow>,
    pub links: Groups<LinkRow>,
}

impl Rows {
    pub(super) fn finish(&mut self) {
        self.ids.finish();
        self.names.finish();
        self.givens.finish();
        self.telecoms.finish();
        self.addresses.finish();
        self.links.finish();
    }
    pub(super) fn memory(&self) -> usize {
        self.ids.memory()
            + self.names.memory()
            + self.givens.memory()
            + self.telecoms.memory()
            + self.addresses.memory()
            + self.links.memory()
    }
}

pub(super) fn line_hash(line: &[u8]) -> [u32; 4] {
    let h = blake3::hash(line);
    let mut out = [0; 4];
    for (o, b) in out.iter_mut().zip(h.as_bytes().chunks_exact(4)) {
        *o = u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    }
    out
}

/// A whole resource of another type.
fn is_other(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kind<'a> {
        #[serde(borrow)]
        resource_type: S<'a>,
    }
    line.len() <= LINE_MAX
        && serde_json::from_slice::<Kind<'_>>(line).is_ok_and(|k| k.resource_type.0 != "Patient")
}

/// The first line of a file that is no resource, from 1.
pub(crate) fn first_unreadable(path: &Path) -> Option<u64> {
    let (mut first, mut last) = (None, 0);
    let read = each_line(path, &mut |number, line| {
        last = number;
        if first.is_none() && !line.is_empty() {
            let part = Part::parse(line, &Seen::default(), false);
            first = (part.unreadable > 0).then_some(number);
        }
    });
    // Where the file breaks off, the line after the last one read.
    first.or(read.is_err().then_some(last + 1))
}

impl Part {
    /// Parses a piece. `seen`: lines of earlier snapshots, not parsed again; `hashed`: a later snapshot will ask.
    pub(super) fn parse(piece: &[u8], seen: &Seen, hashed: bool) -> Part {
        let mut p = Part::default();
        for line in piece.split(|b| *b == b'\n') {
            let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
            let line = line.trim_ascii_end();
            if line.is_empty() {
                continue;
            }
            let hash = if hashed || !seen.is_empty() {
                line_hash(line)
            } else {
                [0; 4]
            };
            if let Some(v) = seen.get(&hash) {
                p.lines.push(Line::Seen(*v));
                continue;
            }
            match (line.len() <= LINE_MAX).then(|| p.patient(line)).flatten() {
                Some(v) => p.lines.push(Line::New(v, hash)),
                // Other resources stand beside the patients in some exports; they hide nobody.
                None if is_other(line) => {}
                None => p.unreadable += 1,
            }
        }
        p
    }
    fn patient(&mut self, line: &[u8]) -> Option<u32> {
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
        let id = so(&p.id).filter(|i| !i.is_empty())?;
        let mut v = Version {
            record: self.strings.try_intern(id)?,
            ids: 0,
            names: 0,
            telecoms: 0,
            addresses: 0,
            links: 0,
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
            extras: if p.active.is_some() { extra::ACTIVE } else { 0 },
        };
        if let Some(m) = &p.meta {
            v.number = s(&m.version_id).parse().unwrap_or(0);
            v.updated = fhir_instant(s(&m.last_updated));
        }
        v.death = self.strings.intern(s(&p.deceased_date_time));
        let mut ids = vec![];
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
            ids.push(IdRow {
                system: self.strings.intern(&system),
                value: self.strings.intern(value),
                kind,
                usage: Use::of(so(&i.usage)),
            });
        }
        v.ids = self.rows.ids.push(&ids);
        let mut names = vec![];
        for n in &p.name {
            let mut givens: Vec<GivenRow> = n
                .given
                .iter()
                .map(|g| GivenRow {
                    given: self.names.intern(&g.0),
                    birth_list: false,
                })
                .collect();
            for e in &n.extension {
                if s(&e.url).ends_with("birth-list-given-name") {
                    givens.push(GivenRow {
                        given: self.names.intern(s(&e.value_string)),
                        birth_list: true,
                    });
                }
            }
            names.push(NameRow {
                family: self.names.intern(s(&n.family)),
                givens: self.rows.givens.push(&givens),
                usage: Use::of(so(&n.usage)),
            });
        }
        v.names = self.rows.names.push(&names);
        let mut telecoms = vec![];
        for t in &p.telecom {
            let value = s(&t.value).trim();
            if value.is_empty() {
                continue;
            }
            let mssante = || value.to_ascii_lowercase().ends_with("@patient.mssante.fr");
            let kind = match s(&t.system) {
                "email" if mssante() => TelecomKind::Mssante,
                "email" => TelecomKind::Email,
                "phone" | "sms" | "fax" | "pager" => TelecomKind::Phone,
                _ if mssante() => TelecomKind::Mssante,
                "" if value.contains('@') => TelecomKind::Email,
                "" => TelecomKind::Phone,
                _ => TelecomKind::Other,
            };
            telecoms.push(TelecomRow {
                value: self.strings.intern(value),
                kind,
                usage: Use::of(so(&t.usage)),
            });
        }
        v.telecoms = self.rows.telecoms.push(&telecoms);
        let mut addresses = vec![];
        for a in &p.address {
            let lines: Vec<&str> = a.line.iter().map(|l| &*l.0).collect();
            addresses.push(AddressRow {
                line: self.strings.intern(&lines.join("\n")),
                city: self.strings.intern(s(&a.city)),
                postal: self.strings.intern(s(&a.postal_code)),
                state: self.strings.intern(s(&a.state)),
                country: self.strings.intern(s(&a.country)),
                usage: Use::of(so(&a.usage)),
            });
        }
        v.addresses = self.rows.addresses.push(&addresses);
        let mut links = vec![];
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
            links.push(LinkRow {
                kind,
                other: self.strings.intern(other),
            });
        }
        v.links = self.rows.links.push(&links);
        if let Some(o) = &p.managing_organization {
            let value = o.identifier.as_ref().map_or("", |i| s(&i.value));
            v.organization = if value.is_empty() {
                self.strings.intern(s(&o.reference))
            } else {
                self.strings.intern(&format!("finess:{value}"))
            };
        }
        for e in &p.extension {
            let url = s(&e.url);
            if url.ends_with("patient-birthPlace") || url.ends_with("birthPlace") {
                let place = e.value_address.as_ref().map_or("", |a| s(&a.city));
                v.birthplace = self
                    .strings
                    .intern(if place.is_empty() { "?" } else { place });
            } else if url.ends_with("mothersMaidenName") {
                v.mothers_name = self.strings.intern(s(&e.value_string));
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
        let n = self.versions.len() as u32;
        self.versions.push(v);
        Some(n)
    }
}
