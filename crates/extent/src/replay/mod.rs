//! Questions asked again: what a search or statement of then returns on the snapshots around its time.
//!
//! A question becomes an [`Expr`] over one record version; [`search`] finds the versions through the sorted columns of the
//! identity base and decides per record: matching in both neighbouring snapshots (or in the state `lastUpdated` fixes) is
//! certain, in one only possible. What cannot be decided ([`Expr::Unknown`]) makes a record possible, never certain and never
//! absent. [`search_slowly`] is the reference: every record, no index.
pub mod fhir;
pub mod hl7;
pub mod ldap;
pub mod sql;
#[cfg(test)]
mod tests;
pub mod texts;

use crate::{
    identity::{
        At, Gender, IdKind, IdentityBase, Name, PartDate, RecordId, TelecomKind, Use, VersionId,
        entries,
    },
    letters,
    strings::Sym,
};
use ampleur_event::{Category, Nanos, category::CategorySet, time::NO_TIME};
use std::sync::atomic::{AtomicUsize, Ordering};
pub use texts::{Asked, Pieces, Texts};

/// True for what a privacy filter left in the place of a value: nobody knows what was asked.
pub fn is_masked(value: &str) -> bool {
    const WORDS: [&str; 8] = [
        "redacted",
        "masked",
        "masque",
        "masqué",
        "hidden",
        "removed",
        "anonymized",
        "anonymise",
    ];
    let v = value.trim_matches(|c: char| c == '%' || c.is_whitespace());
    if ["***", "###", "•••", "███", "XXXX"]
        .iter()
        .any(|m| v.contains(m))
    {
        return true;
    }
    let bare = v.trim_matches(|c| matches!(c, '<' | '>' | '[' | ']' | '(' | ')' | '{' | '}'));
    bare.len() < v.len() && WORDS.contains(&bare.to_lowercase().as_str())
}

/// Three-valued truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tri {
    No,
    Maybe,
    Yes,
}

impl From<bool> for Tri {
    fn from(b: bool) -> Tri {
        if b { Tri::Yes } else { Tri::No }
    }
}

/// A condition on one record version.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Not(Box<Expr>),
    Test(Test),
    Known(bool),
    /// A condition the identity base cannot answer.
    Unknown,
}

/// Numbers of names, as ranges `start..end` in order that do not touch.
pub type NameRanges = Vec<(Name, Name)>;

fn in_ranges(ranges: &NameRanges, n: Name) -> bool {
    match ranges[..] {
        [(a, b)] => a <= n && n < b,
        _ => {
            let i = ranges.partition_point(|r| r.1 <= n);
            ranges.get(i).is_some_and(|r| r.0 <= n)
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamePart {
    Family,
    Given,
    /// Family or given.
    Any,
}

/// How a date is compared, FHIR R4 §3.1.1.4.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOp {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    Sa,
    Eb,
    Ap,
}

/// How a text is compared.
#[derive(Debug, Clone, PartialEq)]
pub enum TextOp {
    /// Folded, starts with.
    Starts(Asked),
    /// Folded, anywhere.
    Contains(Asked),
    /// Pieces in order with anything between them; one piece: the whole text.
    Pieces(Pieces),
    /// `%` and `_` of this folded text may stand for any letters: never certain.
    Wild(String),
    /// As stored.
    Exact(String),
}

impl TextOp {
    /// Whether a text may hold, folded as widely as a server may.
    fn wide(&self, text: &str) -> bool {
        match self {
            TextOp::Starts(a) => a.may(text, |t, a| t.starts_with(a)),
            TextOp::Contains(a) => a.may(text, |t, a| t.contains(a)),
            TextOp::Pieces(p) => p.may(text),
            TextOp::Wild(p) => letters::like(&letters::plain(text), p),
            TextOp::Exact(p) => text == p,
        }
    }
    /// Whether a text must hold, when it may.
    fn sure(&self, text: &str) -> bool {
        match self {
            TextOp::Starts(a) => a.sure(text, |t, a| t.starts_with(a)),
            TextOp::Contains(a) => a.sure(text, |t, a| t.contains(a)),
            TextOp::Pieces(p) => p.sure(text),
            TextOp::Wild(_) => false,
            TextOp::Exact(_) => true,
        }
    }
    fn holds(&self, text: &str) -> Tri {
        match self.wide(text) {
            false => Tri::No,
            true if self.sure(text) => Tri::Yes,
            true => Tri::Maybe,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressPart {
    Any,
    City,
    Postal,
    State,
    Country,
    Line,
}

/// Fields whose presence can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldName {
    Name,
    Family,
    Given,
    Birth,
    Identifier,
    Telecom,
    Phone,
    Email,
    Address,
    Gender,
    /// Date of death.
    Death,
    Deceased,
    Active,
    Organization,
    Link,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Name in `names`, those of `unsure` (sorted) only perhaps; `asked` is the folded text of the question, to tell what the
    /// asker knew.
    Name {
        part: NamePart,
        names: NameRanges,
        unsure: Vec<Name>,
        asked: String,
    },
    /// Name as stored.
    NameExact {
        part: NamePart,
        text: String,
    },
    /// One name of the kind is all the record has; of several, a system may hold any one.
    OneName(NamePart),
    Birth {
        op: DateOp,
        date: PartDate,
    },
    /// `None` = any; `no_system` = the identifier must have none.
    Identifier {
        system: Option<Sym>,
        no_system: bool,
        value: Option<Sym>,
    },
    /// A value of one kind of identifier, under any system.
    IdentifierOf {
        kind: IdKind,
        value: Sym,
    },
    /// The day of death.
    Death {
        op: DateOp,
        date: PartDate,
    },
    /// Exact value, case ignored; `kind` narrows.
    Telecom {
        kind: Option<TelecomKind>,
        value: Sym,
    },
    Gender(Gender),
    Active(bool),
    Record(Option<RecordId>),
    Updated {
        op: DateOp,
        from: Nanos,
        to: Nanos,
    },
    Address {
        part: AddressPart,
        op: TextOp,
    },
    Deceased(bool),
    /// Number of the organization, under any system.
    Organization(String),
    /// Reference to the organization: `type/id`, an id or an address.
    OrganizationAt(String),
    MothersName(TextOp),
    Missing(FieldName),
    /// A column of a table, compared as the database does.
    Column {
        path: ColumnPath,
        op: sql::Compare,
        texts: Texts,
    },
}

/// Where a table's column lies in a record (contract §D).
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnPath {
    /// `None` = any patient-id authority.
    Identifier(Option<String>),
    Family(Option<Use>),
    Given(Option<Use>),
    Birth,
    Gender,
    Telecom(Option<TelecomKind>),
    Address(AddressPart),
    Death,
    LogicalId,
    Active,
    Organization,
    BirthPlace,
}

/// A record in an answer, with the two versions it may have shown (equal when its state is known).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    pub record: RecordId,
    pub version: VersionId,
    /// The other neighbour's version, when the state is not fixed.
    pub other: VersionId,
}

/// What the question returns. Both lists are sorted by record and share none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub certain: Vec<Hit>,
    pub possible: Vec<Hit>,
}

impl Answer {
    pub fn len(&self) -> usize {
        self.certain.len() + self.possible.len()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The names that may satisfy `op`, as ranges.
fn one_by_one(base: &IdentityBase, all: std::ops::Range<Name>, op: &TextOp) -> NameRanges {
    let mut out: NameRanges = vec![];
    for n in all {
        // Number 0 is no name.
        if n == 0 || !op.wide(base.names.text(n)) {
            continue;
        }
        match out.last_mut() {
            Some(l) if l.1 == n => l.1 = n + 1,
            _ => out.push((n, n + 1)),
        }
    }
    out
}

impl Test {
    pub fn name(base: &IdentityBase, part: NamePart, op: TextOp) -> Test {
        // Whether the widest folded forms say who may be found; else each name is looked at.
        let by_wide = match &op {
            TextOp::Starts(a) | TextOp::Contains(a) => a.by_wide(),
            TextOp::Pieces(p) => p.by_wide(),
            TextOp::Wild(_) | TextOp::Exact(_) => true,
        };
        let names = match &op {
            TextOp::Exact(text) => {
                return Test::NameExact {
                    part,
                    text: text.clone(),
                };
            }
            TextOp::Starts(a) if by_wide => vec![base.names.starting(a.wide())],
            TextOp::Contains(a) if by_wide => base.names.matching(&|f| f.contains(a.wide())),
            TextOp::Wild(p) => {
                // Folded forms stand in for the texts: an odd name is looked at itself.
                let p = letters::name(p);
                base.names.matching(&|f| letters::like(f, &p))
            }
            TextOp::Pieces(p) if by_wide => {
                let first = p.first().map_or("", Asked::wide);
                let (from, to) = base.names.starting(first);
                one_by_one(base, from..to, &op)
            }
            _ => {
                let (from, to) = base.names.starting("");
                one_by_one(base, from..to, &op)
            }
        };
        // A name that is case and accents apart answers as the question does; only the others are looked at one by one.
        let (asked, every) = match &op {
            TextOp::Starts(a) | TextOp::Contains(a) => (a.wide().to_string(), !a.simple()),
            TextOp::Pieces(p) => (p.first().map_or("", Asked::wide).to_string(), true),
            TextOp::Wild(p) | TextOp::Exact(p) => (p.clone(), true),
        };
        let mut unsure = vec![];
        for (from, to) in &names {
            let not_sure = |n: &Name| !op.sure(base.names.text(*n));
            if every {
                unsure.extend((*from..*to).filter(not_sure));
            } else {
                unsure.extend(base.names.odd(*from, *to).iter().copied().filter(not_sure));
            }
        }
        Test::Name {
            part,
            names,
            unsure,
            asked,
        }
    }
}

fn date_holds(op: DateOp, date: PartDate, birth: PartDate) -> Tri {
    if birth == PartDate::default() {
        // R4 §3.1.1.4.6 does not say whether what is not there is unequal: servers differ.
        return match op {
            DateOp::Ne => Tri::Maybe,
            _ => Tri::No,
        };
    }
    let (pl, ph) = date.range();
    let (bl, bh) = birth.range();
    let inside = pl <= bl && bh <= ph;
    match op {
        DateOp::Eq => inside.into(),
        DateOp::Ne => (!inside).into(),
        DateOp::Gt => (bh > ph).into(),
        DateOp::Lt => (bl < pl).into(),
        DateOp::Ge => (bh > ph || inside).into(),
        DateOp::Le => (bl < pl || inside).into(),
        DateOp::Sa => (bl > ph).into(),
        DateOp::Eb => (bh < pl).into(),
        // The width of "approximately" is the server's choice; the standard recommends a tenth of the distance to today.
        DateOp::Ap => {
            if bl <= ph && pl <= bh {
                Tri::Yes
            } else if bl.abs_diff(ph).min(pl.abs_diff(bh)) < 120_000 {
                Tri::Maybe
            } else {
                Tri::No
            }
        }
    }
}

/// A reference as stored against one asked for, R4 §3.1.1.4.13: `id`, `type/id` or an address.
fn organization_at(stored: &str, asked: &str) -> Tri {
    if stored.is_empty() {
        return Tri::No;
    }
    let ends = |long: &str, short: &str| {
        long.strip_suffix(short)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    if stored.starts_with("finess:") {
        // Known by its number here; the record may hold a reference beside it.
        Tri::Maybe
    } else if stored == asked || (!stored.contains("://") && ends(stored, asked)) {
        Tri::Yes
    } else if ends(&stored.to_lowercase(), &asked.to_lowercase())
        || ends(&asked.to_lowercase(), &stored.to_lowercase())
        || stored.contains("/_history/")
        || asked.contains("/_history/")
    {
        Tri::Maybe
    } else {
        Tri::No
    }
}

fn instant_holds(op: DateOp, from: Nanos, to: Nanos, t: Nanos) -> Tri {
    if t == NO_TIME {
        return Tri::Maybe;
    }
    let inside = from <= t && t < to;
    match op {
        DateOp::Eq => inside.into(),
        DateOp::Ne => (!inside).into(),
        DateOp::Gt | DateOp::Sa => (t >= to).into(),
        DateOp::Lt | DateOp::Eb => (t < from).into(),
        DateOp::Ge => (t >= from).into(),
        DateOp::Le => (t < to).into(),
        DateOp::Ap => Tri::Maybe,
    }
}

impl Expr {
    /// Whether one version satisfies the condition.
    pub fn eval(&self, b: &IdentityBase, v: VersionId) -> Tri {
        match self {
            Expr::Known(k) => (*k).into(),
            Expr::Unknown => Tri::Maybe,
            Expr::Not(e) => match e.eval(b, v) {
                Tri::No => Tri::Yes,
                Tri::Yes => Tri::No,
                Tri::Maybe => Tri::Maybe,
            },
            Expr::All(es) => {
                let mut out = Tri::Yes;
                for e in es {
                    out = out.min(e.eval(b, v));
                    if out == Tri::No {
                        break;
                    }
                }
                out
            }
            Expr::Any(es) => {
                let mut out = Tri::No;
                for e in es {
                    out = out.max(e.eval(b, v));
                    if out == Tri::Yes {
                        break;
                    }
                }
                out
            }
            Expr::Test(t) => t.eval(b, v),
        }
    }
}

impl Test {
    fn eval(&self, b: &IdentityBase, v: VersionId) -> Tri {
        let row = b.version(v);
        match self {
            Test::Name {
                part,
                names,
                unsure,
                ..
            } => {
                let holds = |n: Name| {
                    if !in_ranges(names, n) {
                        Tri::No
                    } else if unsure.binary_search(&n).is_ok() {
                        Tri::Maybe
                    } else {
                        Tri::Yes
                    }
                };
                let mut out = Tri::No;
                for n in b.name_rows(v) {
                    if *part != NamePart::Given {
                        out = out.max(holds(n.family));
                    }
                    if *part != NamePart::Family {
                        for g in b.givens_of(n) {
                            out = out.max(holds(g.given));
                        }
                    }
                    if out == Tri::Yes {
                        break;
                    }
                }
                out
            }
            Test::NameExact { part, text } => b
                .name_rows(v)
                .iter()
                .any(|n| {
                    (*part != NamePart::Given && b.names.text(n.family) == text)
                        || (*part != NamePart::Family
                            && b.givens_of(n).iter().any(|g| b.names.text(g.given) == text))
                })
                .into(),
            Test::OneName(part) => {
                let names = b.name_rows(v);
                let one = match part {
                    NamePart::Given => b.given_rows(v).count() <= 1,
                    _ => names.len() <= 1,
                };
                if one { Tri::Yes } else { Tri::Maybe }
            }
            Test::Birth { op, date } => date_holds(*op, *date, row.birth),
            Test::Identifier {
                system,
                no_system,
                value,
            } => b
                .id_rows(v)
                .iter()
                .any(|i| {
                    system.is_none_or(|s| s == i.system)
                        && (!no_system || i.system == 0)
                        && value.is_none_or(|x| x == i.value)
                })
                .into(),
            Test::IdentifierOf { kind, value } => b
                .id_rows(v)
                .iter()
                .any(|i| i.kind == *kind && i.value == *value)
                .into(),
            Test::Death { op, date } => {
                let text = b.text(row.death);
                let day = text.get(..10).unwrap_or(text);
                let died = PartDate::parse(day).unwrap_or_default();
                let (from, to) = date.range();
                // A time of death may be another day in the server's zone.
                let beside = |end: u32| matches!(end.abs_diff(died.0), 0..=1 | 70..=73 | 8870);
                if text.len() > day.len() && (beside(from) || beside(to)) {
                    Tri::Maybe
                } else {
                    date_holds(*op, *date, died)
                }
            }
            Test::Telecom { kind, value } => {
                let want = b.text(*value);
                b.telecom_rows(v)
                    .iter()
                    .filter(|t| {
                        kind.is_none_or(|k| {
                            k == t.kind
                                || (k == TelecomKind::Email && t.kind == TelecomKind::Mssante)
                        })
                    })
                    .map(|t| {
                        if t.value == *value {
                            Tri::Yes
                        } else if b.text(t.value).eq_ignore_ascii_case(want) {
                            // R4 §3.1.1.4.10: servers should set case aside, and some do not.
                            Tri::Maybe
                        } else {
                            Tri::No
                        }
                    })
                    .max()
                    .unwrap_or(Tri::No)
            }
            Test::Gender(g) => (row.gender == *g).into(),
            // A record is supposed active when it does not say so (R4 Patient.active); a search may find nothing to compare.
            Test::Active(a) => match row.active == *a {
                true if row.says_active() => Tri::Yes,
                true => Tri::Maybe,
                false => Tri::No,
            },
            Test::Record(r) => (Some(row.record) == *r).into(),
            Test::Updated { op, from, to } => instant_holds(*op, *from, *to, row.updated),
            Test::Address { part, op } => b
                .address_rows(v)
                .iter()
                .filter_map(|a| {
                    let parts: &[Sym] = match part {
                        AddressPart::Any => &[a.line, a.city, a.postal, a.state, a.country],
                        AddressPart::City => &[a.city],
                        AddressPart::Postal => &[a.postal],
                        AddressPart::State => &[a.state],
                        AddressPart::Country => &[a.country],
                        AddressPart::Line => &[a.line],
                    };
                    parts
                        .iter()
                        .flat_map(|s| b.text(*s).split('\n'))
                        .filter(|t| !t.is_empty())
                        .map(|t| op.holds(t))
                        .max()
                })
                .max()
                .unwrap_or(Tri::No),
            Test::Deceased(d) => (row.deceased == *d).into(),
            Test::Organization(number) => {
                let t = b.text(row.organization);
                match t.strip_prefix("finess:") {
                    Some(n) => (n == number).into(),
                    None if row.organization == 0 => Tri::No,
                    // A reference leads to an organization whose numbers are not known here.
                    None => Tri::Maybe,
                }
            }
            Test::OrganizationAt(asked) => organization_at(b.text(row.organization), asked),
            Test::MothersName(op) => {
                if row.mothers_name == 0 {
                    Tri::No
                } else {
                    op.holds(b.text(row.mothers_name))
                }
            }
            Test::Missing(f) => {
                let has = match f {
                    // A name without a part is there and has no text to search: servers differ.
                    FieldName::Name
                        if !b.name_rows(v).is_empty()
                            && b.name_rows(v).iter().all(|n| n.family == 0)
                            && b.given_rows(v).next().is_none() =>
                    {
                        return Tri::Maybe;
                    }
                    FieldName::Name => !b.name_rows(v).is_empty(),
                    FieldName::Family => b.name_rows(v).iter().any(|n| n.family != 0),
                    FieldName::Given => b.given_rows(v).next().is_some(),
                    FieldName::Birth => row.birth != PartDate::default(),
                    FieldName::Identifier => !b.id_rows(v).is_empty(),
                    FieldName::Telecom => !b.telecom_rows(v).is_empty(),
                    FieldName::Phone => b
                        .telecom_rows(v)
                        .iter()
                        .any(|t| t.kind == TelecomKind::Phone),
                    FieldName::Email => b
                        .telecom_rows(v)
                        .iter()
                        .any(|t| matches!(t.kind, TelecomKind::Email | TelecomKind::Mssante)),
                    FieldName::Address => !b.address_rows(v).is_empty(),
                    FieldName::Gender => row.gender != Gender::Absent,
                    FieldName::Death => row.death != 0,
                    // A server that computes `deceased` has a value for everybody (R4 Patient, search parameter `deceased`).
                    FieldName::Deceased if !row.deceased => return Tri::Maybe,
                    FieldName::Deceased => true,
                    FieldName::Active => row.says_active(),
                    FieldName::Organization => row.organization != 0,
                    FieldName::Link => !b.link_rows(v).is_empty(),
                };
                (!has).into()
            }
            Test::Column { path, op, texts } => sql::column_holds(b, v, path, op, *texts),
        }
    }
    /// How much work it is to list the records that may satisfy the test, about one unit for each, or `None` without an index.
    fn estimate(&self, b: &IdentityBase) -> Option<usize> {
        let ix = &b.index;
        match self {
            Test::Name { part, names, .. } => Some(
                names
                    .iter()
                    .map(|(lo, hi)| {
                        let family = match part {
                            NamePart::Given => 0,
                            _ => ix.family.rows(*lo, *hi).len(),
                        };
                        let given = match part {
                            NamePart::Family => 0,
                            _ => ix.given.rows(*lo, *hi).len(),
                        };
                        family + given
                    })
                    .sum(),
            ),
            Test::Birth { op, date } => birth_span(*op, *date).map(|s| born(b, s).len()),
            Test::Identifier { value: Some(s), .. } => Some(entries(&ix.id, *s).len()),
            Test::Telecom { value, .. } => Some(
                telecom_values(b, *value)
                    .iter()
                    .map(|s| entries(&ix.telecom, *s).len())
                    .sum(),
            ),
            Test::Record(_) => Some(1),
            Test::Column { path, op, texts } => {
                sql::index_hint(b, path, op, *texts).and_then(|e| e.estimate(b))
            }
            _ => None,
        }
    }
    /// Records one version of which may satisfy the test: all of those, and perhaps more, in no order.
    fn candidates(&self, b: &IdentityBase, out: &mut Vec<RecordId>) {
        let ix = &b.index;
        match self {
            Test::Name { part, names, .. } => {
                for (lo, hi) in names {
                    if *part != NamePart::Given {
                        out.extend(ix.family.rows(*lo, *hi).iter().map(|x| x.1));
                    }
                    if *part != NamePart::Family {
                        out.extend_from_slice(ix.given.rows(*lo, *hi));
                    }
                }
            }
            Test::Birth { op, date } => {
                if let Some(s) = birth_span(*op, *date) {
                    out.extend_from_slice(born(b, s));
                }
            }
            Test::Identifier { value: Some(s), .. } => {
                out.extend(entries(&ix.id, *s).iter().map(|x| x.1));
            }
            Test::Telecom { value, .. } => {
                for s in telecom_values(b, *value) {
                    out.extend(entries(&ix.telecom, s).iter().map(|x| x.1));
                }
            }
            Test::Record(Some(r)) => out.push(*r),
            Test::Column { path, op, texts } => {
                if let Some(e) = sql::index_hint(b, path, op, *texts) {
                    e.candidates(b, out);
                }
            }
            _ => {}
        }
    }
}

/// Texts a telecom test takes for `value`: itself, and for an e-mail address those that differ in case.
fn telecom_values(b: &IdentityBase, value: Sym) -> Vec<Sym> {
    let text = b.text(value);
    if text.bytes().any(|c| c.is_ascii_alphabetic()) {
        b.index.telecom_like(b, text)
    } else {
        vec![value]
    }
}

/// Birth dates a version may have that satisfies the comparison, first and last: a superset.
type BirthSpan = (u32, u32);

fn birth_span(op: DateOp, date: PartDate) -> Option<BirthSpan> {
    let (lo, hi) = date.range();
    // Partial dates (`1950`, `1950-03`) sort before the days they contain: the lower edge goes back to the year's own row.
    let floor = lo / 10_000 * 10_000;
    Some(match op {
        DateOp::Eq => (floor, hi),
        DateOp::Gt | DateOp::Ge | DateOp::Sa => (floor, u32::MAX),
        DateOp::Lt | DateOp::Le | DateOp::Eb => (0, hi),
        DateOp::Ne | DateOp::Ap => return None,
    })
}

fn born(b: &IdentityBase, (lo, hi): BirthSpan) -> &[RecordId] {
    let d = b.index.dates_between(lo, hi);
    b.index.birth.rows(d.start, d.end)
}

/// How one condition of several leads to the records.
enum Way<'a> {
    /// Through a part of the condition.
    Part(&'a Expr),
    Born(BirthSpan),
    /// Family names in ranges, born in a span.
    Family(&'a NameRanges, BirthSpan),
}

/// The cheapest way to the records that satisfy all of `es`, with its cost.
fn way<'a>(b: &IdentityBase, es: &'a [Expr]) -> Option<(usize, Way<'a>)> {
    // Several comparisons of the birth date narrow more than each of them.
    let span = es
        .iter()
        .filter_map(|e| match e {
            Expr::Test(Test::Birth { op, date }) => birth_span(*op, *date),
            Expr::Test(Test::Column { path, op, texts }) => {
                match sql::index_hint(b, path, op, *texts) {
                    Some(Test::Birth { op, date }) => birth_span(op, date),
                    _ => None,
                }
            }
            _ => None,
        })
        .reduce(|x, y| (x.0.max(y.0), x.1.min(y.1)));
    let parts = es
        .iter()
        .filter_map(|e| Some((e.estimate(b)?, Way::Part(e))));
    let joint = span.map(|s| (born(b, s).len(), Way::Born(s)));
    let family = es.iter().filter_map(|e| match e {
        Expr::Test(Test::Name {
            part: NamePart::Family,
            names,
            ..
        }) => {
            // A look at each name, then a few bytes of each entry: less than judging one record.
            let cost = |(lo, hi): &(Name, Name)| {
                (*hi - *lo) as usize / 8 + b.index.family.rows(*lo, *hi).len() / 32
            };
            Some((names.iter().map(cost).sum(), Way::Family(names, span?)))
        }
        _ => None,
    });
    parts.chain(joint).chain(family).min_by_key(|w| w.0)
}

impl Expr {
    fn estimate(&self, b: &IdentityBase) -> Option<usize> {
        match self {
            Expr::Known(false) => Some(0),
            Expr::Test(t) => t.estimate(b),
            Expr::All(es) => way(b, es).map(|w| w.0),
            Expr::Any(es) => es
                .iter()
                .map(|e| e.estimate(b))
                .try_fold(0, |a, e| e.map(|e| a + e)),
            _ => None,
        }
    }
    fn candidates(&self, b: &IdentityBase, out: &mut Vec<RecordId>) {
        match self {
            Expr::Test(t) => t.candidates(b, out),
            Expr::All(es) => match way(b, es).map(|w| w.1) {
                Some(Way::Part(e)) => e.candidates(b, out),
                Some(Way::Born(s)) => out.extend_from_slice(born(b, s)),
                Some(Way::Family(names, (lo, hi))) => {
                    for (from, to) in names {
                        for n in *from..*to {
                            let row = b.index.family.row(n);
                            // Short lists are read through, long ones searched.
                            let first = if row.len() < 32 {
                                0
                            } else {
                                row.partition_point(|x| x.0.0 < lo)
                            };
                            out.extend(
                                row[first..]
                                    .iter()
                                    .skip_while(|x| x.0.0 < lo)
                                    .take_while(|x| x.0.0 <= hi)
                                    .map(|x| x.1),
                            );
                        }
                    }
                }
                None => {}
            },
            Expr::Any(es) => es.iter().for_each(|e| e.candidates(b, out)),
            _ => {}
        }
    }
    /// Categories whose full value the question already held, for one version that matched (contract §F).
    pub fn known(&self, b: &IdentityBase, v: VersionId) -> CategorySet {
        let mut tests: Vec<&Test> = vec![];
        collect_tests(self, &mut tests);
        let mut s = CategorySet::EMPTY;
        let (mut family, mut given) = (false, false);
        for t in tests {
            match t {
                Test::Name { part, asked, .. } => {
                    if *part != NamePart::Given
                        && b.name_rows(v)
                            .iter()
                            .all(|n| b.names.folded(n.family) == asked)
                    {
                        family = true;
                    }
                    if *part != NamePart::Family
                        && b.given_rows(v)
                            .all(|(_, g)| b.names.folded(g.given) == asked)
                    {
                        given = true;
                    }
                }
                Test::NameExact { part, text } => {
                    if *part != NamePart::Given
                        && b.name_rows(v)
                            .iter()
                            .all(|n| b.names.text(n.family) == text)
                    {
                        family = true;
                    }
                    if *part != NamePart::Family
                        && b.given_rows(v).all(|(_, g)| b.names.text(g.given) == text)
                    {
                        given = true;
                    }
                }
                Test::Birth {
                    op: DateOp::Eq,
                    date,
                } if date.is_full() => s.insert(Category::IdDob),
                Test::Gender(_) => s.insert(Category::IdSex),
                Test::Identifier { value: Some(x), .. } => {
                    let rows = b.id_rows(v);
                    let nir = |k: IdKind| matches!(k, IdKind::InsNir | IdKind::Nir);
                    for want_nir in [true, false] {
                        let mut all = rows.iter().filter(|i| nir(i.kind) == want_nir).peekable();
                        if all.peek().is_some() && all.all(|i| i.value == *x) {
                            s.insert(if want_nir {
                                Category::IdNir
                            } else {
                                Category::IdLocal
                            });
                        }
                    }
                }
                Test::Telecom { value, .. } => {
                    for (k, c) in [
                        (TelecomKind::Phone, Category::ContactPhone),
                        (TelecomKind::Email, Category::ContactEmail),
                        (TelecomKind::Mssante, Category::ContactMssante),
                    ] {
                        let mut all = b.telecom_rows(v).iter().filter(|t| t.kind == k).peekable();
                        if all.peek().is_some() && all.all(|t| t.value == *value) {
                            s.insert(c);
                        }
                    }
                }
                Test::Column {
                    path,
                    op: sql::Compare::Eq(_),
                    ..
                } => match path {
                    ColumnPath::Birth => s.insert(Category::IdDob),
                    ColumnPath::Gender => s.insert(Category::IdSex),
                    ColumnPath::Family(_) => family = true,
                    ColumnPath::Given(_) => given = true,
                    _ => {}
                },
                _ => {}
            }
        }
        if family && given {
            s.insert(Category::IdName);
        }
        s
    }
    /// True when the question can only mean one person: an identifier or logical id with value, or name and full birth date.
    pub fn names_one(&self) -> bool {
        let mut tests: Vec<&Test> = vec![];
        collect_tests(self, &mut tests);
        let by_id = tests.iter().any(|t| {
            matches!(t, Test::Identifier { value: Some(_), .. } | Test::Record(_))
                || matches!(
                    t,
                    Test::Column {
                        path: ColumnPath::Identifier(_) | ColumnPath::LogicalId,
                        op: sql::Compare::Eq(_),
                        ..
                    }
                )
        });
        let name = tests.iter().any(|t| {
            matches!(t, Test::Name { .. } | Test::NameExact { .. })
                || matches!(
                    t,
                    Test::Column {
                        path: ColumnPath::Family(_),
                        op: sql::Compare::Eq(_),
                        ..
                    }
                )
        });
        let born = tests.iter().any(|t| match t {
            Test::Birth {
                op: DateOp::Eq,
                date,
            } => date.is_full(),
            Test::Column {
                path: ColumnPath::Birth,
                op: sql::Compare::Eq(_),
                ..
            } => true,
            _ => false,
        });
        by_id || (name && born)
    }
}

/// Tests every match must satisfy.
fn collect_tests<'a>(e: &'a Expr, out: &mut Vec<&'a Test>) {
    match e {
        Expr::Test(t) => out.push(t),
        Expr::All(es) => es.iter().for_each(|e| collect_tests(e, out)),
        Expr::Any(es) if es.len() == 1 => collect_tests(&es[0], out),
        _ => {}
    }
}

/// Limits the versions that exist for the asker (an establishment's table).
pub type Scope<'a> = &'a (dyn Fn(VersionId) -> bool + Sync);

/// Who the question returns at `t`.
pub fn search(b: &IdentityBase, e: &Expr, t: Nanos, scope: Scope<'_>) -> Answer {
    let mut out = Answer::default();
    match e.estimate(b) {
        // A scan in order is cheaper than gathering most of the base through an index.
        Some(n) if n <= b.record_count() as usize / 2 => {
            let mut records = vec![];
            e.candidates(b, &mut records);
            records.sort_unstable();
            records.dedup();
            for r in records {
                place(b, e, t, r, scope, &mut out);
            }
        }
        _ => {
            for r in 0..b.record_count() {
                place(b, e, t, r, scope, &mut out);
            }
        }
    }
    out
}

/// [`search`] for many questions on `threads` threads: answers in the order of the questions, whatever the threads. Once the
/// answers hold `hits_max` hits no further question is begun; those not asked have none.
pub fn search_many(
    b: &IdentityBase,
    questions: &[(&Expr, Nanos)],
    scope: Scope<'_>,
    threads: usize,
    hits_max: usize,
) -> Vec<Option<Answer>> {
    let (next, hits) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let mut mine = vec![];
        while hits.load(Ordering::Relaxed) < hits_max {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some((e, t)) = questions.get(i) else {
                break;
            };
            let a = search(b, e, *t, scope);
            hits.fetch_add(a.len(), Ordering::Relaxed);
            mine.push((i, a));
        }
        mine
    };
    let found: Vec<Vec<(usize, Answer)>> = std::thread::scope(|s| {
        let others: Vec<_> = (1..threads.min(questions.len()))
            .map(|_| s.spawn(work))
            .collect();
        let mut all = vec![work()];
        for w in others {
            match w.join() {
                Ok(found) => all.push(found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    let mut out = vec![None; questions.len()];
    for (i, a) in found.into_iter().flatten() {
        out[i] = Some(a);
    }
    out
}

fn place(b: &IdentityBase, e: &Expr, t: Nanos, r: RecordId, scope: Scope<'_>, out: &mut Answer) {
    let ask = |v: VersionId| if scope(v) { e.eval(b, v) } else { Tri::No };
    match b.at(r, t) {
        At::Absent => {}
        At::Sure(v) => {
            let hit = Hit {
                record: r,
                version: v,
                other: v,
            };
            match ask(v) {
                Tri::Yes => out.certain.push(hit),
                Tri::Maybe => out.possible.push(hit),
                Tri::No => {}
            }
        }
        At::Either(x, y) => {
            let (ex, ey) = (x.map_or(Tri::No, ask), y.map_or(Tri::No, ask));
            let hit = |v: VersionId, o: Option<VersionId>| Hit {
                record: r,
                version: v,
                other: o.unwrap_or(v),
            };
            if ex == Tri::Yes && ey == Tri::Yes {
                if let Some(v) = x {
                    out.certain.push(hit(v, y));
                }
            } else if ex != Tri::No {
                if let Some(v) = x {
                    out.possible.push(hit(v, y));
                }
            } else if ey != Tri::No
                && let Some(v) = y
            {
                out.possible.push(hit(v, x));
            }
        }
    }
}

/// The reference [`search`] is held to: every record, no index.
pub fn search_slowly(b: &IdentityBase, e: &Expr, t: Nanos, scope: Scope<'_>) -> Answer {
    let mut out = Answer::default();
    for r in 0..b.record_count() {
        place(b, e, t, r, scope, &mut out);
    }
    out
}
