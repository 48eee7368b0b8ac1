//! Questions asked again: what a search or statement of then returns on the snapshots around its time.
//!
//! A question becomes an [`Expr`] over one record version; [`search`] finds the versions through the sorted columns of the
//! identity base and decides per record: matching in both neighbouring snapshots (or in the state `lastUpdated` fixes) is
//! certain, in one only possible. What cannot be decided ([`Expr::Unknown`]) makes a record possible, never certain and never
//! absent. [`search_slowly`] is the reference: every record, no index.
pub mod fhir;
pub mod sql;
#[cfg(test)]
mod tests;

use crate::{
    fold,
    identity::{At, Gender, IdKind, IdentityBase, PartDate, RecordId, TelecomKind, Use, VersionId},
    strings::Sym,
};
use ampleur_event::{Category, Nanos, category::CategorySet, time::NO_TIME};

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

/// Ranks in the sorted list of folded names.
#[derive(Debug, Clone, PartialEq)]
pub enum Ranks {
    Range(u32, u32),
    /// Sorted.
    Set(Vec<u32>),
}

impl Ranks {
    fn has(&self, r: u32) -> bool {
        match self {
            Ranks::Range(a, b) => *a <= r && r < *b,
            Ranks::Set(s) => s.binary_search(&r).is_ok(),
        }
    }
    fn pieces(&self) -> Vec<(u32, u32)> {
        match self {
            Ranks::Range(a, b) => vec![(*a, *b)],
            Ranks::Set(s) => s.iter().map(|r| (*r, r + 1)).collect(),
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
    Starts(String),
    /// Folded, anywhere.
    Contains(String),
    /// As stored.
    Exact(String),
}

impl TextOp {
    fn holds(&self, text: &str) -> bool {
        match self {
            TextOp::Starts(p) => fold::name(text).starts_with(p.as_str()),
            TextOp::Contains(p) => fold::name(text).contains(p.as_str()),
            TextOp::Exact(p) => text == p,
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
    Death,
    Organization,
    Link,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Folded name in `ranks`; `whole` is the folded text when only the whole name matches it exactly (for what the caller knew).
    Name {
        part: NamePart,
        ranks: Ranks,
        asked: String,
    },
    /// Name as stored.
    NameExact {
        part: NamePart,
        text: String,
    },
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
    Organization(TextOp),
    MothersName(TextOp),
    Missing(FieldName),
    /// A column of a table, compared as the database does.
    Column {
        path: ColumnPath,
        op: sql::Compare,
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

impl Test {
    pub fn name(base: &IdentityBase, part: NamePart, op: TextOp) -> Test {
        match op {
            TextOp::Exact(text) => Test::NameExact { part, text },
            TextOp::Starts(p) => {
                let f = &base.index.folded;
                let a = f.partition_point(|s| base.text(*s) < p.as_str());
                let b = a + f[a..].partition_point(|s| base.text(*s).starts_with(p.as_str()));
                Test::Name {
                    part,
                    ranks: Ranks::Range(a as u32, b as u32),
                    asked: p,
                }
            }
            TextOp::Contains(p) => Test::Name {
                part,
                ranks: Ranks::Set(
                    base.index
                        .folded
                        .iter()
                        .enumerate()
                        .filter(|(_, s)| base.text(**s).contains(p.as_str()))
                        .map(|(i, _)| i as u32)
                        .collect(),
                ),
                asked: p,
            },
        }
    }
}

fn date_holds(op: DateOp, date: PartDate, birth: PartDate) -> Tri {
    if birth == PartDate::default() {
        return (op == DateOp::Ne).into();
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
            Test::Name { part, ranks, .. } => {
                let family = *part != NamePart::Given
                    && b.name_range(v).any(|k| ranks.has(b.index.family_rank[k]));
                let given = || {
                    *part != NamePart::Family
                        && b.name_range(v).any(|k| {
                            b.given_range(k, v)
                                .any(|g| ranks.has(b.index.given_rank[g]))
                        })
                };
                (family || given()).into()
            }
            Test::NameExact { part, text } => {
                let family = *part != NamePart::Given
                    && b.name_rows(v).iter().any(|n| b.text(n.family) == text);
                let given = || {
                    *part != NamePart::Family
                        && b.given_rows(v).any(|(_, g)| b.text(g.given) == text)
                };
                (family || given()).into()
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
            Test::Telecom { kind, value } => {
                let want = b.text(*value);
                b.telecom_rows(v)
                    .iter()
                    .any(|t| {
                        kind.is_none_or(|k| {
                            k == t.kind
                                || (k == TelecomKind::Email && t.kind == TelecomKind::Mssante)
                        }) && (t.value == *value || b.text(t.value).eq_ignore_ascii_case(want))
                    })
                    .into()
            }
            Test::Gender(g) => (row.gender == *g).into(),
            Test::Active(a) => (row.active == *a).into(),
            Test::Record(r) => (Some(row.record) == *r).into(),
            Test::Updated { op, from, to } => instant_holds(*op, *from, *to, row.updated),
            Test::Address { part, op } => b
                .address_rows(v)
                .iter()
                .any(|a| {
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
                        .any(|t| !t.is_empty() && op.holds(t))
                })
                .into(),
            Test::Deceased(d) => (row.deceased == *d).into(),
            Test::Organization(op) => {
                let t = b.text(row.organization);
                (op.holds(t) || op.holds(t.trim_start_matches("finess:"))).into()
            }
            Test::MothersName(op) => {
                if row.mothers_name == 0 {
                    Tri::No
                } else {
                    op.holds(b.text(row.mothers_name)).into()
                }
            }
            Test::Missing(f) => {
                let has = match f {
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
                    FieldName::Death => row.deceased,
                    FieldName::Organization => row.organization != 0,
                    FieldName::Link => !b.link_rows(v).is_empty(),
                };
                (!has).into()
            }
            Test::Column { path, op } => sql::column_holds(b, v, path, op),
        }
    }
    /// How many versions the index would give, or `None` without an index for this test.
    fn estimate(&self, b: &IdentityBase) -> Option<usize> {
        let span = |list: &[(u32, VersionId)], ranks: &Ranks| -> usize {
            ranks
                .pieces()
                .iter()
                .map(|(lo, hi)| {
                    list.partition_point(|x| x.0 < *hi) - list.partition_point(|x| x.0 < *lo)
                })
                .sum()
        };
        match self {
            Test::Name { part, ranks, .. } => Some(match part {
                NamePart::Family => span(&b.index.family, ranks),
                NamePart::Given => span(&b.index.given, ranks),
                NamePart::Any => span(&b.index.family, ranks) + span(&b.index.given, ranks),
            }),
            Test::Birth { op, date } => birth_span(b, *op, *date).map(|r| r.len()),
            Test::Identifier { value: Some(s), .. } => Some(
                b.index.id.partition_point(|x| x.0 <= *s)
                    - b.index.id.partition_point(|x| x.0 < *s),
            ),
            Test::Record(Some(r)) => Some(b.versions_of(*r).len()),
            Test::Record(None) => Some(0),
            Test::Column { path, op } => sql::index_hint(b, path, op).and_then(|e| e.estimate(b)),
            _ => None,
        }
    }
    fn candidates(&self, b: &IdentityBase, out: &mut Vec<VersionId>) {
        let take = |list: &[(u32, VersionId)], ranks: &Ranks, out: &mut Vec<VersionId>| {
            for (lo, hi) in ranks.pieces() {
                let (i, j) = (
                    list.partition_point(|x| x.0 < lo),
                    list.partition_point(|x| x.0 < hi),
                );
                out.extend(list[i..j].iter().map(|x| x.1));
            }
        };
        match self {
            Test::Name { part, ranks, .. } => {
                if *part != NamePart::Given {
                    take(&b.index.family, ranks, out);
                }
                if *part != NamePart::Family {
                    take(&b.index.given, ranks, out);
                }
            }
            Test::Birth { op, date } => {
                if let Some(r) = birth_span(b, *op, *date) {
                    out.extend(b.index.birth[r].iter().map(|x| x.1));
                }
            }
            Test::Identifier { value: Some(s), .. } => {
                let (i, j) = (
                    b.index.id.partition_point(|x| x.0 < *s),
                    b.index.id.partition_point(|x| x.0 <= *s),
                );
                out.extend(b.index.id[i..j].iter().map(|x| x.1));
            }
            Test::Record(Some(r)) => out.extend_from_slice(b.versions_of(*r)),
            Test::Column { path, op } => {
                if let Some(e) = sql::index_hint(b, path, op) {
                    e.candidates(b, out);
                }
            }
            _ => {}
        }
    }
}

/// Where in the birth-date column the versions lie that may satisfy the comparison: a superset.
fn birth_span(b: &IdentityBase, op: DateOp, date: PartDate) -> Option<std::ops::Range<usize>> {
    let (lo, hi) = date.range();
    // Partial dates (`1950`, `1950-03`) sort before the days they contain: the lower edge goes back to the year's own row.
    let floor = PartDate(lo / 10_000 * 10_000);
    let list = &b.index.birth;
    let at_least = |d: PartDate| list.partition_point(|x| x.0 < d);
    let up_to = |d: u32| list.partition_point(|x| x.0.0 <= d);
    Some(match op {
        DateOp::Eq => at_least(floor)..up_to(hi),
        DateOp::Gt | DateOp::Ge | DateOp::Sa => at_least(floor)..list.len(),
        DateOp::Lt | DateOp::Le | DateOp::Eb => 0..up_to(hi),
        DateOp::Ne | DateOp::Ap => return None,
    })
}

/// A date range from several birth tests narrows more than each of them.
fn joint_birth(b: &IdentityBase, es: &[Expr]) -> Option<std::ops::Range<usize>> {
    let mut span: Option<std::ops::Range<usize>> = None;
    for e in es {
        if let Expr::Test(Test::Birth { op, date }) = e
            && let Some(r) = birth_span(b, *op, *date)
        {
            span = Some(match span {
                None => r,
                Some(s) => s.start.max(r.start)..s.end.min(r.end),
            });
        }
    }
    span.map(|s| s.start..s.end.max(s.start))
}

impl Expr {
    fn estimate(&self, b: &IdentityBase) -> Option<usize> {
        match self {
            Expr::Known(false) => Some(0),
            Expr::Test(t) => t.estimate(b),
            Expr::All(es) => es
                .iter()
                .filter_map(|e| e.estimate(b))
                .chain(joint_birth(b, es).map(|r| r.len()))
                .min(),
            Expr::Any(es) => es
                .iter()
                .map(|e| e.estimate(b))
                .try_fold(0, |a, e| e.map(|e| a + e)),
            _ => None,
        }
    }
    fn candidates(&self, b: &IdentityBase, out: &mut Vec<VersionId>) {
        match self {
            Expr::Test(t) => t.candidates(b, out),
            Expr::All(es) => {
                let joint = joint_birth(b, es);
                let best = es
                    .iter()
                    .filter_map(|e| e.estimate(b).map(|n| (n, e)))
                    .min_by_key(|x| x.0);
                match (best, joint) {
                    (Some((n, _)), Some(r)) if r.len() <= n => {
                        out.extend(b.index.birth[r].iter().map(|x| x.1));
                    }
                    (Some((_, e)), _) => e.candidates(b, out),
                    (None, Some(r)) => out.extend(b.index.birth[r].iter().map(|x| x.1)),
                    (None, None) => {}
                }
            }
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
                            .all(|n| b.text(n.family_fold) == asked)
                    {
                        family = true;
                    }
                    if *part != NamePart::Family
                        && b.given_rows(v).all(|(_, g)| b.text(g.fold) == asked)
                    {
                        given = true;
                    }
                }
                Test::NameExact { part, text } => {
                    if *part != NamePart::Given
                        && b.name_rows(v).iter().all(|n| b.text(n.family) == text)
                    {
                        family = true;
                    }
                    if *part != NamePart::Family
                        && b.given_rows(v).all(|(_, g)| b.text(g.given) == text)
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
                        op: sql::Compare::Eq(_)
                    }
                )
        });
        let name = tests.iter().any(|t| {
            matches!(t, Test::Name { .. } | Test::NameExact { .. })
                || matches!(
                    t,
                    Test::Column {
                        path: ColumnPath::Family(_),
                        op: sql::Compare::Eq(_)
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

/// Who the question returns at `t`. `scope` limits the versions that exist for the asker (an establishment's table).
pub fn search(b: &IdentityBase, e: &Expr, t: Nanos, scope: &dyn Fn(VersionId) -> bool) -> Answer {
    let (sa, sb) = b.around(t);
    let mut versions = vec![];
    match e.estimate(b) {
        // A scan in order is cheaper than gathering most of the base through an index.
        Some(n) if n <= b.version_count() as usize / 2 => {
            e.candidates(b, &mut versions);
            versions.sort_unstable();
            versions.dedup();
        }
        _ => versions.extend(0..b.version_count()),
    }
    let mut records: Vec<RecordId> = versions
        .into_iter()
        .filter(|v| {
            (sa.is_some_and(|s| b.present(*v, s)) || sb.is_some_and(|s| b.present(*v, s)))
                && e.eval(b, *v) != Tri::No
                && scope(*v)
        })
        .map(|v| b.version(v).record)
        .collect();
    records.sort_unstable();
    records.dedup();
    let mut out = Answer::default();
    for r in records {
        place(b, e, t, r, scope, &mut out);
    }
    out
}

fn place(
    b: &IdentityBase,
    e: &Expr,
    t: Nanos,
    r: RecordId,
    scope: &dyn Fn(VersionId) -> bool,
    out: &mut Answer,
) {
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
pub fn search_slowly(
    b: &IdentityBase,
    e: &Expr,
    t: Nanos,
    scope: &dyn Fn(VersionId) -> bool,
) -> Answer {
    let mut out = Answer::default();
    for r in 0..b.record_count() {
        place(b, e, t, r, scope, &mut out);
    }
    out
}
