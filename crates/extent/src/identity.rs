//! The identity base: dated snapshots of FHIR R4 Patient records, the persons behind them, and how each record looked when.
//!
//! Words: a *record* is one logical id (`Patient/id`); a *version* is one content of it; a *person* is the set of records that
//! share an INS-NIR (not `temp`), a regional id or a link, over all snapshots (contract §C). Equal traits never join.
//! A snapshot is the state at 00:00 of its date in the case's zone, or at the time in its name.
//! Memory: one row per distinct version, which shares the groups of rows (names, identifiers …) its record kept from before; a
//! record that does not change between snapshots costs one bit per snapshot. Names, the only text searched by prefix, are
//! numbered in the order of their folded form.
mod build;
mod index;
mod names;
mod read;

use crate::strings::{Strings, Sym};
use ampleur_event::{
    Category, Nanos,
    category::CategorySet,
    time::{DAY, NO_TIME},
};
use std::ops::Range;

pub(crate) use index::{Csr, Index, entries};
pub use names::{Name, Names};
use read::Rows;
#[cfg(test)]
pub(crate) use read::fhir_instant;
pub use read::snapshot_time;
pub(crate) use read::{each_line, open_text};

/// Number of a record (logical id), in order of first appearance.
pub type RecordId = u32;
/// Number of a version, in order of its record, then of first appearance: the versions of a record are neighbours.
pub type VersionId = u32;
/// Number of a person, in order of its first record.
pub type PersonId = u32;

pub const NIR_SYSTEM: &str = "urn:oid:1.2.250.1.213.1.4.8";
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRow {
    pub system: Sym,
    pub value: Sym,
    pub kind: IdKind,
    pub usage: Use,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameRow {
    pub family: Name,
    /// Group of given names.
    givens: u32,
    pub usage: Use,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenRow {
    pub given: Name,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelecomRow {
    pub value: Sym,
    pub kind: TelecomKind,
    pub usage: Use,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// One content of a record. `ids` to `links` are numbers of groups of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl Version {
    /// Whether the record says `active` at all; `active` is true for one that does not.
    pub fn says_active(&self) -> bool {
        self.extras & extra::ACTIVE != 0
    }
}

/// Fields known to be there, without their value.
mod extra {
    pub const CIVIL: u8 = 1;
    pub const PHOTO: u8 = 2;
    pub const KIN_NAME: u8 = 4;
    pub const KIN_CONTACT: u8 = 8;
    pub const PRACTITIONER: u8 = 16;
    pub const LANGUAGE: u8 = 32;
    /// `active` is said, not supposed.
    pub const ACTIVE: u8 = 64;
}

#[derive(Debug, Clone)]
pub struct Snapshot {
    /// File name, for people.
    pub name: String,
    pub time: Nanos,
    pub records: u64,
    /// Lines that are no resource at all.
    pub unreadable: u64,
    /// The first of them, from 1; 0 when nobody knows.
    pub first_unreadable: u64,
}

/// What is wrong with a snapshot or an inventory: who or what is missing in it cannot be known. Displayed, it says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// Lines of a snapshot that are no resource, and the first of them (from 1; 0 when nobody knows).
    Lines {
        name: String,
        lines: u64,
        first: u64,
    },
    /// Lines of an inventory that are no row, and the first of them (from 1).
    Rows {
        name: String,
        lines: u64,
        first: u64,
    },
    /// Fewer than four fifths of the records of the snapshot before: a base grows, a copy breaks off.
    Shrunk {
        name: String,
        records: u64,
        before: u64,
    },
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const GIVE: &str = "give the whole of it, or take it away";
        match self {
            Damage::Lines { name, lines, first } => {
                write!(f, "{name}: {lines} lines cannot be read as FHIR resources")?;
                if *first > 0 {
                    write!(f, ", the first is line {first}")?;
                }
                write!(f, "; who is missing may have been seen: {GIVE}")
            }
            Damage::Rows { name, lines, first } => write!(
                f,
                "{name}: {lines} lines are no row of an inventory, the first is line {first}; files that are missing may have been \
                 taken: {GIVE}"
            ),
            Damage::Shrunk {
                name,
                records,
                before,
            } => write!(
                f,
                "{name}: {records} records where an earlier snapshot has {before}; if it broke off, who is missing may have been \
                 seen: {GIVE}"
            ),
        }
    }
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
    /// Lines that are no resource.
    pub unreadable: u64,
    /// Threads that reading used and replay may use. No answer depends on it.
    pub threads: usize,
    pub names: Names,
    versions: Vec<Version>,
    /// One bit per snapshot, `stride` bytes per version.
    presence: Vec<u8>,
    stride: usize,
    rows: Rows,
    /// Logical id of each record.
    records: Vec<Sym>,
    /// Records in the order of their logical ids' numbers.
    record_by_id: Vec<RecordId>,
    /// First version of each record, and one end; empty when version and record have equal numbers.
    firsts: Vec<VersionId>,
    person_of: Vec<PersonId>,
    person_records: Csr<RecordId>,
    pub(crate) index: Index,
}

/// Rows in groups, named by numbers; group 0 is the empty one.
#[derive(Debug)]
struct Groups<T> {
    /// End of each group after 0; its start is the end before.
    ends: Vec<u32>,
    rows: Vec<T>,
}

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Groups {
            ends: vec![],
            rows: vec![],
        }
    }
}

impl<T: Copy> Groups<T> {
    fn get(&self, g: u32) -> &[T] {
        let end = |g: u32| match g.checked_sub(1) {
            Some(i) => self.ends[i as usize] as usize,
            None => 0,
        };
        match g {
            0 => &[],
            g => &self.rows[end(g - 1)..end(g)],
        }
    }
    fn push(&mut self, rows: &[T]) -> u32 {
        let start = self.begin(rows);
        self.commit(start)
    }
    /// Rows behind the last group, which [`Groups::commit`] makes one or [`Groups::drop_tail`] takes away.
    fn begin(&mut self, rows: &[T]) -> usize {
        self.rows.extend_from_slice(rows);
        self.rows.len() - rows.len()
    }
    fn tail(&self, start: usize) -> &[T] {
        &self.rows[start..]
    }
    fn tail_mut(&mut self, start: usize) -> &mut [T] {
        &mut self.rows[start..]
    }
    fn drop_tail(&mut self, start: usize) {
        self.rows.truncate(start);
    }
    fn commit(&mut self, start: usize) -> u32 {
        if start == self.rows.len() {
            return 0;
        }
        self.ends.push(self.rows.len() as u32);
        self.ends.len() as u32
    }
    fn all_mut(&mut self) -> &mut [T] {
        &mut self.rows
    }
    fn finish(&mut self) {
        self.ends.shrink_to_fit();
        self.rows.shrink_to_fit();
    }
    fn memory(&self) -> usize {
        self.ends.capacity() * 4 + self.rows.capacity() * size_of::<T>()
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
    /// Brings the versions of each record together.
    fn by_record(&mut self) {
        self.versions.shrink_to_fit();
        self.presence.shrink_to_fit();
        self.records.shrink_to_fit();
        if self
            .versions
            .iter()
            .enumerate()
            .all(|(i, v)| v.record as usize == i)
        {
            return;
        }
        let mut at = vec![0u32; self.records.len() + 1];
        for v in &self.versions {
            at[v.record as usize + 1] += 1;
        }
        for i in 1..at.len() {
            at[i] += at[i - 1];
        }
        self.firsts = at.clone();
        let mut to: Vec<u32> = Vec::with_capacity(self.versions.len());
        for v in &self.versions {
            to.push(at[v.record as usize]);
            at[v.record as usize] += 1;
        }
        for i in 0..to.len() {
            while to[i] as usize != i {
                let t = to[i] as usize;
                self.versions.swap(i, t);
                for k in 0..self.stride {
                    self.presence.swap(i * self.stride + k, t * self.stride + k);
                }
                to.swap(i, t);
            }
        }
    }
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
        // Joining keys: the stem of a NIR (its text, or its hash when it is no NIR by its length), or system and value.
        let mut keys: Vec<([u8; 16], RecordId)> = vec![];
        for v in &self.versions {
            for i in self.rows.ids.get(v.ids) {
                let mut key = [0; 16];
                match i.kind {
                    IdKind::InsNir if i.usage != Use::Temp => {
                        let stem = nir_stem(self.strings.get(i.value));
                        match stem.len() {
                            0 => continue,
                            len @ 1..=14 => key[..len].copy_from_slice(stem.as_bytes()),
                            _ => {
                                key.copy_from_slice(&blake3::hash(stem.as_bytes()).as_bytes()[..16])
                            }
                        }
                    }
                    IdKind::Rri => {
                        key[..4].copy_from_slice(&i.system.to_be_bytes());
                        key[4..8].copy_from_slice(&i.value.to_be_bytes());
                        key[15] = 1;
                    }
                    _ => continue,
                }
                keys.push((key, v.record));
            }
            for l in self.rows.links.get(v.links) {
                if l.kind != LinkKind::Refer
                    && let Some(other) = self.record_with_id(l.other)
                {
                    join(&mut up, v.record, other);
                }
            }
        }
        keys.sort_unstable();
        for w in keys.windows(2) {
            if w[0].0 == w[1].0 {
                join(&mut up, w[0].1, w[1].1);
            }
        }
        drop(keys);
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
        drop(up);
        let mut rows: Vec<(PersonId, RecordId)> =
            person.iter().zip(0..).map(|(p, r)| (*p, r)).collect();
        rows.sort_unstable();
        self.person_records = Csr::from_sorted(count as usize, rows.iter().copied());
        self.person_of = person;
    }

    // -------------------------------------------------------------- rows of a version
    pub fn version(&self, v: VersionId) -> &Version {
        &self.versions[v as usize]
    }
    pub fn version_count(&self) -> u32 {
        self.versions.len() as u32
    }
    pub fn id_rows(&self, v: VersionId) -> &[IdRow] {
        self.rows.ids.get(self.version(v).ids)
    }
    pub fn name_rows(&self, v: VersionId) -> &[NameRow] {
        self.rows.names.get(self.version(v).names)
    }
    /// Given names of one name.
    pub fn givens_of(&self, n: &NameRow) -> &[GivenRow] {
        self.rows.givens.get(n.givens)
    }
    /// Given names of all name rows of a version, with the name's use.
    pub fn given_rows(&self, v: VersionId) -> impl Iterator<Item = (Use, GivenRow)> + '_ {
        self.name_rows(v)
            .iter()
            .flat_map(|n| self.givens_of(n).iter().map(|g| (n.usage, *g)))
    }
    pub fn telecom_rows(&self, v: VersionId) -> &[TelecomRow] {
        self.rows.telecoms.get(self.version(v).telecoms)
    }
    pub fn address_rows(&self, v: VersionId) -> &[AddressRow] {
        self.rows.addresses.get(self.version(v).addresses)
    }
    pub fn link_rows(&self, v: VersionId) -> &[LinkRow] {
        self.rows.links.get(self.version(v).links)
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
        self.person_records.keys() as u32
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
    /// Versions of a record, in order of first appearance.
    pub fn versions_of(&self, r: RecordId) -> Range<VersionId> {
        match self.firsts.get(r as usize..r as usize + 2) {
            Some(f) => f[0]..f[1],
            None if self.firsts.is_empty() && (r as usize) < self.records.len() => r..r + 1,
            None => 0..0,
        }
    }
    pub fn present(&self, v: VersionId, snapshot: usize) -> bool {
        self.presence[v as usize * self.stride + snapshot / 8] >> (snapshot % 8) & 1 == 1
    }
    /// The version of a record in one snapshot.
    pub fn version_at(&self, r: RecordId, snapshot: usize) -> Option<VersionId> {
        self.versions_of(r).find(|v| self.present(*v, snapshot))
    }
    /// Snapshots around `t`: the last one at or before it, the first one after it.
    pub fn around(&self, t: Nanos) -> (Option<usize>, Option<usize>) {
        let after = self.snapshots.partition_point(|s| s.time <= t);
        (
            after.checked_sub(1),
            (after < self.snapshots.len()).then_some(after),
        )
    }
    /// Until when the last snapshot stands for what came after it: a week, or as long as two snapshots lie apart. `None` without any.
    pub fn stands_until(&self) -> Option<Nanos> {
        let times = self.snapshots.iter().map(|s| s.time);
        let apart = (self.snapshots.windows(2)).map(|w| w[1].time - w[0].time);
        let long = apart.max().unwrap_or(0).max(7 * DAY);
        Some(times.max()?.saturating_add(long))
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
        self.record_with_id(self.strings.find(logical)?)
    }
    fn record_with_id(&self, id: Sym) -> Option<RecordId> {
        let at = |i: usize| self.records[self.record_by_id[i] as usize];
        let (mut a, mut b) = (0, self.record_by_id.len());
        while a < b {
            let m = a + (b - a) / 2;
            if at(m) < id {
                a = m + 1;
            } else {
                b = m;
            }
        }
        (a < self.record_by_id.len() && at(a) == id).then(|| self.record_by_id[a])
    }

    // -------------------------------------------------------------- looking up
    /// Versions that carry an identifier of this value; with `system` only of that system. Sorted.
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
        entries(&self.index.id, value)
            .iter()
            .flat_map(|x| self.versions_of(x.1))
            .filter(|v| {
                self.id_rows(*v)
                    .iter()
                    .any(|i| i.value == value && system.is_none_or(|s| s == i.system))
            })
            .collect()
    }
    /// Records that ever carried the identifier, sorted.
    pub fn records_with(&self, system: Option<&str>, value: &str) -> Vec<RecordId> {
        let mut r: Vec<RecordId> = self
            .versions_with(system, value)
            .into_iter()
            .map(|v| self.versions[v as usize].record)
            .collect();
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
    /// Records with a NIR of these 13 digits: the key may be any two, right or wrong.
    fn records_by_nir(&self, stem: &str) -> Vec<RecordId> {
        let mut out: Vec<RecordId> = (0..100)
            .filter_map(|key| self.strings.find(&format!("{stem}{key:02}")))
            .flat_map(|s| entries(&self.index.id, s).iter().map(|x| x.1))
            .collect();
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
    /// True when some record names its practitioner.
    pub fn names_practitioners(&self) -> bool {
        (0..self.version_count()).any(|v| self.version(v).extras & extra::PRACTITIONER != 0)
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
                    .find_map(|l| self.record_with_id(l.other))
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
    /// Traits of a record version that do not depend on spelling: folds of the official family and given names, birth date,
    /// sex. `None` when incomplete.
    pub fn traits(&self, v: VersionId) -> Option<(u32, Vec<u32>, PartDate, Gender)> {
        let row = self.version(v);
        let names = self.name_rows(v);
        let name = names
            .iter()
            .find(|n| n.usage == Use::Official)
            .or(names.first())?;
        let given: Vec<u32> = self
            .givens_of(name)
            .iter()
            .filter(|g| !g.birth_list)
            .map(|g| self.names.fold_of(g.given))
            .collect();
        if !row.birth.is_full() || given.is_empty() {
            return None;
        }
        Some((
            self.names.fold_of(name.family),
            given,
            row.birth,
            row.gender,
        ))
    }
    /// Groups of two or more persons with equal traits at the last snapshot: probable duplicates (or twins, or namesakes).
    /// Each group is sorted; groups are sorted by their first person.
    pub fn probable_duplicates(&self) -> Vec<Vec<PersonId>> {
        type Key = (u32, Vec<u32>, PartDate, u8);
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
    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.strings.memory()
            + self.names.memory()
            + self.rows.memory()
            + self.versions.capacity() * size_of::<Version>()
            + self.presence.capacity()
            + (self.records.capacity()
                + self.record_by_id.capacity()
                + self.firsts.capacity()
                + self.person_of.capacity())
                * 4
            + self.person_records.memory()
            + self.index.memory()
    }
}

#[cfg(test)]
pub(crate) mod tests;
