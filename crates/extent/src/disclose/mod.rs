//! Sessions judged intruder or doubtful × their events → who was shown which data, how sure, by which records.
//!
//! Each event is one of: a record served, a question ([`crate::replay`]), a file, a statement, a change. The same access seen by
//! two sources is one access that cites both. What only a doubtful session did, and what may or may not have been in an answer,
//! is exposed; what nobody can be named for is [`Loose`]; when some of a known set were shown, it is [`Partial`].
mod directory;
mod queries;
mod requests;
mod sent;
mod shares;
mod short;

use crate::{
    catalog::{self, Catalog},
    coverage::Clock,
    files::{Inventory, Roots},
    identity::{At, IdentityBase, VersionId},
    leak::LeakLine,
    pace::{self, Pause},
    people::{People, PlaceId, Places, Who},
    replay::{Answer, ColumnPath, Expr, Hit, fhir::Paging, sql},
};
use ampleur_event::{
    Category, Event, Nanos, SessionVerdict, System, Verb, Verdict, Window,
    batch::NONE,
    category::CategorySet,
    context::Population,
    session::Judgement,
    time::{NO_TIME, SECOND},
};
use ampleur_query::{Door, DoorError, Select};
use ampleur_session::Sessions;
use ampleur_sources::case::{Case, FileId};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EvidenceRef {
    pub file: FileId,
    pub record: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessKind {
    Read,
    Search,
    Export,
    Statement,
    File,
    ShareTheft,
    ShareReach,
    Leak,
}

/// One access: what one or two records say was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    pub time: Nanos,
    pub kind: AccessKind,
    /// Sessions in which it was seen, sorted; empty for a leak.
    pub sessions: Vec<u32>,
    /// Only doubtful sessions.
    pub doubtful: bool,
    /// `consulted`, `exfiltrated` or `leaked` for what it established.
    pub verdict: Verdict,
    /// Proven by a record that names the person; else derived.
    pub proven: bool,
    pub evidence: Vec<EvidenceRef>,
    pub source: u32,
}

/// One person in one access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touch {
    pub who: Who,
    pub place: PlaceId,
    /// Index into [`Disclosures::accesses`].
    pub access: u32,
    /// Index into [`Disclosures::sets`]: categories shown.
    pub shown: u16,
    /// Index into [`Disclosures::sets`]: categories that follow or were known before.
    pub derived: u16,
    /// `exposed` when the person may or may not have been in the answer, or the session is doubtful.
    pub verdict: Verdict,
}

/// Some of these persons, at least so many: a page of unknown order, a share read file by unknown file.
#[derive(Debug, Clone, PartialEq)]
pub struct Partial {
    pub access: u32,
    pub place: PlaceId,
    pub categories: CategorySet,
    pub verdict: Verdict,
    /// Sorted.
    pub candidates: Vec<Who>,
    pub at_least: u64,
}

/// An access whose persons cannot be named: at most `up_to` persons of these establishments.
#[derive(Debug, Clone, PartialEq)]
pub struct Loose {
    pub access: u32,
    /// Sorted; empty = any.
    pub places: Vec<PlaceId>,
    pub categories: CategorySet,
    pub up_to: u64,
}

/// A question asked by a session: for who was targeted.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub session: u32,
    pub source: u32,
    pub time: Nanos,
    /// The one person it could only mean, when it was answered.
    pub one: Option<(Who, PlaceId)>,
    /// A list, prefix or range.
    pub broad: bool,
    pub access: u32,
}

/// A value changed by a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    pub session: u32,
    pub time: Nanos,
    /// Persons concerned; empty for files and records of nobody.
    pub who: Vec<(Who, PlaceId)>,
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
    pub evidence: Vec<EvidenceRef>,
    pub doubtful: bool,
}

/// Everything the bad sessions did to data.
#[derive(Debug, Default)]
pub struct Disclosures {
    pub accesses: Vec<Access>,
    /// Sorted by (who, place, access).
    pub touches: Vec<Touch>,
    pub sets: Vec<CategorySet>,
    pub partials: Vec<Partial>,
    pub loose: Vec<Loose>,
    pub questions: Vec<Question>,
    pub changes: Vec<Changed>,
    /// Files, records or fields changed that belong to no named person.
    pub other_writes: u64,
    pub possible_writes: u64,
    pub places: Places,
    /// Shares without any log that the intruder could reach: (folded share, has an inventory).
    pub blind_shares: Vec<(String, bool)>,
    /// Bytes of answers per person, smallest ever seen, by source.
    pub bytes_per_person: BTreeMap<u32, u64>,
    /// Pauses in a program's pace in which lines may have been lost.
    pub pauses: Vec<Pause>,
    /// Replays that disagree with the count the log gives: (replayed, told).
    pub disagreements: u64,
}

/// What disclosing needs.
pub struct Input<'a> {
    pub case: &'a Case,
    pub sessions: &'a Sessions,
    /// Parallel to `sessions.list`.
    pub judgements: &'a [Judgement],
    pub door: &'a dyn Door,
    pub identity: &'a IdentityBase,
    pub inventory: &'a Inventory,
    pub leaks: &'a [LeakLine],
    /// Machines that wrote logs, short names, lower case (from coverage).
    pub logged_hosts: &'a BTreeSet<String>,
    /// Machines whose own log has a gap while a bad session lasted.
    pub silent_hosts: &'a BTreeSet<String>,
    /// When a source that counts bytes was not heard, `[from, to)` on its own clock.
    pub uncounted: &'a [Window],
    /// Sessions that number their own rows: hash of the session and the number after which one is missing.
    pub cut_after: &'a BTreeSet<(u64, u64)>,
    /// Sources whose clocks are off.
    pub clocks: &'a [Clock],
}

/// A row of a bad session, owned.
struct Row {
    file: FileId,
    session: u32,
    e: Event<'static>,
}

struct Work<'a, 'p, 'b> {
    input: &'a Input<'a>,
    people: &'p mut People<'b>,
    catalog: Catalog<'a>,
    out: Disclosures,
    set_ids: FxHashMap<CategorySet, u16>,
    roots: Roots,
    /// Folders of listed files, by share, of the shares asked about so far.
    folders: FxHashMap<String, FxHashSet<String>>,
    /// Some record of the base names its practitioner.
    practitioners: bool,
}

const VERBS: &[Verb] = &[
    Verb::Request,
    Verb::Read,
    Verb::Search,
    Verb::Create,
    Verb::Update,
    Verb::Delete,
    Verb::Export,
    Verb::ShareConnect,
    Verb::FileRead,
    Verb::FileWrite,
    Verb::FileDelete,
    Verb::FileRename,
    Verb::Query,
    Verb::QueryError,
    Verb::Print,
    // Values of the statement in the record before (PostgreSQL's DETAIL lines).
    Verb::Other,
];

/// Runs over the events of bad sessions once and gathers what they did to data.
pub fn disclose<'a>(
    input: &'a Input<'a>,
    people: &mut People<'_>,
) -> Result<Disclosures, DoorError> {
    let mut w = Work {
        catalog: Catalog::new(&input.case.context),
        out: Disclosures {
            places: Places::new(&input.case.context),
            ..Disclosures::default()
        },
        set_ids: FxHashMap::default(),
        roots: Roots::default(),
        folders: FxHashMap::default(),
        practitioners: input.identity.names_practitioners(),
        input,
        people,
    };
    w.set(CategorySet::EMPTY);
    let rows = w.collect()?;
    w.pauses(&rows)?;
    let by_verb = |vs: &[Verb]| -> Vec<usize> {
        (0..rows.len())
            .filter(|i| vs.contains(&rows[*i].e.verb))
            .collect()
    };
    w.requests(
        &rows,
        &by_verb(&[
            Verb::Request,
            Verb::Read,
            Verb::Search,
            Verb::Export,
            Verb::Create,
            Verb::Update,
            Verb::Delete,
            Verb::Print,
        ]),
    );
    w.statements(&rows, &by_verb(&[Verb::Query, Verb::QueryError]));
    w.files(
        &rows,
        &by_verb(&[
            Verb::ShareConnect,
            Verb::FileRead,
            Verb::FileWrite,
            Verb::FileDelete,
            Verb::FileRename,
        ]),
    )?;
    w.unlogged_shares(&rows);
    w.leaks();
    let mut out = w.out;
    out.touches.sort_unstable();
    out.touches.dedup();
    Ok(out)
}

impl<'a> Work<'a, '_, '_> {
    fn verdict(&self, s: u32) -> SessionVerdict {
        self.input
            .judgements
            .get(s as usize)
            .map_or(SessionVerdict::Legitimate, |j| j.verdict)
    }
    fn is_bad(&self, s: u32) -> bool {
        self.verdict(s) != SessionVerdict::Legitimate
    }
    fn set(&mut self, s: CategorySet) -> u16 {
        if let Some(i) = self.set_ids.get(&s) {
            return *i;
        }
        let i = u16::try_from(self.out.sets.len()).unwrap_or(0);
        self.out.sets.push(s);
        self.set_ids.insert(s, i);
        i
    }
    /// Rows of bad sessions, sorted by (time, file, record); exact repeats (a line delivered twice) are one row.
    fn collect(&mut self) -> Result<Vec<Row>, DoorError> {
        let bad: Vec<u32> = (0..self.input.sessions.list.len() as u32)
            .filter(|s| self.is_bad(*s))
            .collect();
        if bad.is_empty() {
            return Ok(vec![]);
        }
        let list = &self.input.sessions.list;
        let from = bad
            .iter()
            .map(|s| list[*s as usize].from)
            .min()
            .unwrap_or(0);
        let to = bad.iter().map(|s| list[*s as usize].to).max().unwrap_or(0);
        let sources: BTreeSet<u32> = bad.iter().map(|s| list[*s as usize].source).collect();
        let files: Vec<FileId> = (0..self.input.case.files.len() as u32)
            .filter(|f| sources.contains(&self.input.case.source_of(*f)))
            .collect();
        let window = if from == NO_TIME {
            Window::ALL
        } else {
            Window::new(from.saturating_sub(SECOND), to.saturating_add(SECOND))
        };
        let mut rows: Vec<Row> = vec![];
        let roots = &mut self.roots;
        let (input, judged) = (self.input, self.input.judgements);
        // Rows that tell where a share lies on its machine are worth knowing from anybody.
        input.door.scan_columns(
            &Select {
                verbs: vec![Verb::ShareConnect],
                ..Select::default()
            },
            &["host", "share", "extra"],
            &mut |_, batch| {
                for e in batch.iter() {
                    if let Some(r) = e.extra_value("share_root") {
                        roots.learn(&e.host, &e.share, r);
                    }
                }
            },
        )?;
        let of_intruder = |file: FileId, e: &Event<'_>| {
            let s = input.sessions.of_event(file, e)?;
            let j = judged.get(s as usize)?;
            (j.verdict != SessionVerdict::Legitimate).then_some(s)
        };
        // Nearly every row is somebody else's: those are left out before the sealed columns are opened. Explicit credentials
        // (4648) say whose session they are of in a sealed column, so they are looked at below.
        input.door.scan_chosen(
            &Select {
                files,
                verbs: VERBS.to_vec(),
                window,
                ..Select::default()
            },
            ampleur_session::KEY_COLUMNS,
            &|file, e| {
                let values = e.verb != Verb::Other
                    || e.system == System::Db
                    || e.system == System::Ad && e.code == NONE;
                e.code == 4648 || values && of_intruder(file, e).is_some()
            },
            &mut |file, batch| {
                for e in batch.iter() {
                    let Some(s) = of_intruder(file, &e) else {
                        continue;
                    };
                    if let Some(r) = e.extra_value("share_root") {
                        roots.learn(&e.host, &e.share, r);
                    }
                    rows.push(Row {
                        file,
                        session: s,
                        e: e.into_owned(),
                    });
                }
            },
        )?;
        rows.sort_by_key(|r| (r.e.time, r.file, r.e.record));
        directory::join_results(&mut rows);
        queries::join_values(&mut rows);
        let mut seen: BTreeSet<(u32, u64, String)> = BTreeSet::new();
        let sources: Vec<u32> = input.case.files.iter().map(|f| f.source).collect();
        rows.retain(|r| {
            // The numbers of a record are its place, not its content.
            let mut c = r.e.clone();
            (c.record, c.offset) = (0, 0);
            let h = blake3::hash(format!("{c:?}").as_bytes());
            seen.insert((
                sources.get(r.file as usize).copied().unwrap_or(0),
                r.e.len,
                h.to_hex().to_string(),
            ))
        });
        Ok(rows)
    }

    /// Pauses in a program's pace in which its source tells of nobody.
    fn pauses(&mut self, rows: &[Row]) -> Result<(), DoorError> {
        let mut times: BTreeMap<(u32, u32), Vec<Nanos>> = BTreeMap::new();
        for r in rows.iter().filter(|r| r.e.time != NO_TIME) {
            if matches!(r.e.verb, Verb::Request | Verb::Read | Verb::Search) {
                let source = self.input.case.source_of(r.file);
                times.entry((r.session, source)).or_default().push(r.e.time);
            }
        }
        let mut by_source: BTreeMap<u32, Vec<Pause>> = BTreeMap::new();
        for ((_, source), times) in &times {
            let found = pace::pauses(*source, times);
            by_source.entry(*source).or_default().extend(found);
        }
        for (source, mut found) in by_source {
            found.sort_unstable();
            found.dedup();
            let (Some(first), Some(last)) = (found.first(), found.iter().map(|p| p.to).max())
            else {
                continue;
            };
            let files = (0..self.input.case.files.len() as u32)
                .filter(|f| self.input.case.source_of(*f) == source)
                .collect();
            let window = Window::new(first.from, last);
            // Pauses last half a minute at most, so that only those that began just before hold an instant.
            let mut heard = vec![false; found.len()];
            self.input.door.scan_columns(
                &Select {
                    files,
                    window,
                    ..Select::default()
                },
                &["time"],
                &mut |_, batch| {
                    for t in batch.iter().map(|e| e.time) {
                        let from = found.partition_point(|p| p.from < t - pace::LONGEST);
                        for (p, h) in found.iter().zip(&mut heard).skip(from) {
                            if p.from >= t {
                                break;
                            }
                            *h |= t < p.to;
                        }
                    }
                },
            )?;
            let alone = found.into_iter().zip(heard).filter(|(_, h)| !h);
            self.out.pauses.extend(alone.map(|(p, _)| p));
        }
        Ok(())
    }

    // -------------------------------------------------------------- emitting
    fn source_place(&mut self, source: u32) -> Option<PlaceId> {
        let id = self.input.case.entry(source)?.establishment.clone()?;
        Some(self.out.places.intern(&id))
    }
    fn place_of(&mut self, v: VersionId, source: u32) -> PlaceId {
        let base = self.input.identity;
        if let Some(p) = self.out.places.of_version(base, v) {
            return p;
        }
        let org = base.text(base.version(v).organization);
        if org.starts_with("finess:") {
            return self.out.places.intern(org);
        }
        self.fallback_place(source)
    }
    fn fallback_place(&mut self, source: u32) -> PlaceId {
        if let Some(p) = self.source_place(source) {
            return p;
        }
        match self.out.places.ids.first().cloned() {
            Some(first) if self.out.places.ids.len() == 1 => self.out.places.intern(&first),
            _ => self.out.places.intern("unknown"),
        }
    }
    fn place_of_subject(&mut self, subject: &str, who: Who, source: u32) -> PlaceId {
        if let Some((a, _)) = subject.split_once('|')
            && let Some(p) = self.out.places.owner(a)
        {
            return p;
        }
        if self.people.is_known(who) {
            let base = self.input.identity;
            let v = base
                .records_named(subject)
                .first()
                .and_then(|r| base.latest(*r));
            if let Some(v) = v {
                return self.place_of(v, source);
            }
        }
        self.fallback_place(source)
    }
    fn access(&mut self, kind: AccessKind, rows: &[&Row], verdict: Verdict, proven: bool) -> u32 {
        let mut sessions: Vec<u32> = rows.iter().map(|r| r.session).collect();
        sessions.sort_unstable();
        sessions.dedup();
        let doubtful = sessions
            .iter()
            .all(|s| self.verdict(*s) != SessionVerdict::Intruder);
        let mut evidence = cited(rows);
        evidence.sort_unstable();
        evidence.dedup();
        let first = rows[0];
        self.out.accesses.push(Access {
            time: first.e.time,
            kind,
            sessions,
            doubtful,
            verdict,
            proven,
            evidence,
            source: self.input.case.source_of(first.file),
        });
        (self.out.accesses.len() - 1) as u32
    }
    fn touch(
        &mut self,
        who: Who,
        place: PlaceId,
        access: u32,
        shown: CategorySet,
        derived: CategorySet,
        certain: bool,
    ) {
        if shown.is_empty() && derived.is_empty() {
            return;
        }
        let a = &self.out.accesses[access as usize];
        let verdict = if certain && !a.doubtful {
            a.verdict
        } else {
            Verdict::Exposed
        };
        let (shown, derived) = (self.set(shown), self.set(derived));
        self.out.touches.push(Touch {
            who,
            place,
            access,
            shown,
            derived,
            verdict,
        });
    }
    /// One record of an answer: only fields it holds; what the question knew is derived.
    fn serve(
        &mut self,
        hit: Hit,
        access: u32,
        source: u32,
        categories: CategorySet,
        known: CategorySet,
        certain: bool,
    ) -> (Who, PlaceId) {
        let base = self.input.identity;
        let who = base.person_of(hit.record);
        let place = self.place_of(hit.version, source);
        let (a, b) = (
            self.held_of(hit.version, categories),
            self.held_of(hit.other, categories),
        );
        let both = a.intersect(b);
        let shown = both.without(known);
        let mut derived: CategorySet = catalog::derived(both).into_iter().map(|d| d.0).collect();
        derived = derived.union(both.intersect(known));
        self.touch(who, place, access, shown, derived, certain);
        let mut maybe = a.union(b).without(both);
        if categories.contains(Category::CarePro)
            && !a.union(b).contains(Category::CarePro)
            && !(self.practitioners && categories.contains(Category::IdName))
        {
            // A base that names nobody's practitioner need not be all the server knows.
            maybe.insert(Category::CarePro);
        }
        if !maybe.is_empty() {
            let follows = catalog::with_derived(a.union(b)).without(catalog::with_derived(both));
            self.touch(who, place, access, maybe, follows.without(maybe), false);
        }
        (who, place)
    }
    /// What of `categories` an answer showed of a version: only fields it holds. In an answer about identity alone the practitioner
    /// is the one the record names; elsewhere the visit's.
    fn held_of(&self, v: VersionId, categories: CategorySet) -> CategorySet {
        let carried = IdentityBase::carried();
        let practitioner = CategorySet::of(&[Category::CarePro]);
        let identity = categories.without(carried).without(practitioner).is_empty();
        let carried = if identity {
            carried.union(practitioner)
        } else {
            carried
        };
        categories.intersect(self.input.identity.held(v).union(carried_not(carried)))
    }
    /// A subject named by a record: its record as it was then.
    #[allow(clippy::too_many_arguments)]
    fn serve_named(
        &mut self,
        subject: &str,
        t: Nanos,
        access: u32,
        source: u32,
        categories: CategorySet,
        known: CategorySet,
        certain: bool,
    ) -> Option<(Who, PlaceId)> {
        let base = self.input.identity;
        let records = base.records_named(subject);
        let r = match records.len() {
            0 => {
                let who = self.people.of_subject(subject)?;
                let place = self.place_of_subject(subject, who, source);
                // In no snapshot: what the record held is unknown, and so is what would follow from it.
                let open = categories.intersect(IdentityBase::carried());
                let sure = categories.without(open);
                let follows = catalog::with_derived(sure).without(sure);
                self.touch(who, place, access, sure, follows, certain);
                let maybe = catalog::with_derived(categories)
                    .without(categories)
                    .without(follows);
                self.touch(who, place, access, open, maybe, false);
                return Some((who, place));
            }
            _ => {
                // Several records carry the identifier: the one that survives, in the identifier's own establishment.
                let owner = subject
                    .split_once('|')
                    .and_then(|(a, _)| self.out.places.owner(a));
                records
                    .iter()
                    .copied()
                    .max_by_key(|r| {
                        let here = owner.is_some()
                            && base
                                .latest(*r)
                                .and_then(|v| self.out.places.of_version(base, v))
                                == owner;
                        (here, base.surviving(*r) == *r, std::cmp::Reverse(*r))
                    })
                    .unwrap_or(records[0])
            }
        };
        let hit = match base.at(r, t) {
            At::Sure(v) => Hit {
                record: r,
                version: v,
                other: v,
            },
            At::Either(a, b) => {
                let v = a.or(b)?;
                Hit {
                    record: r,
                    version: v,
                    other: b.unwrap_or(v),
                }
            }
            At::Absent => {
                let v = base.versions_of(r).next()?;
                Hit {
                    record: r,
                    version: v,
                    other: v,
                }
            }
        };
        Some(self.serve(hit, access, source, categories, known, certain))
    }
    /// Anybody of the source's establishment may have been shown these categories.
    fn anybody(&mut self, access: u32, source: u32, categories: CategorySet) {
        let places: Vec<PlaceId> = self.source_place(source).into_iter().collect();
        self.out.loose.push(Loose {
            access,
            places,
            categories,
            up_to: u64::MAX,
        });
    }
    /// Establishments an account may reach by `[[rights]]`; empty = every one. The number when rights are absolute.
    fn rights(&self, session: u32) -> (Vec<PlaceId>, Option<u64>) {
        let Some(a) = self
            .input
            .sessions
            .list
            .get(session as usize)
            .and_then(|s| s.account.as_ref())
        else {
            return (vec![], None);
        };
        let key = a.key();
        let (mut places, mut total) = (vec![], None);
        for r in &self.input.case.context.rights {
            if ampleur_event::Account::parse(&r.account).key() != key {
                continue;
            }
            match &r.population {
                Population::Establishment(e) => {
                    if let Some(p) = self.out.places.find(e) {
                        places.push(p);
                    }
                }
                Population::Absolute { subjects } => {
                    total = Some(total.unwrap_or(0) + subjects);
                }
            }
        }
        places.sort_unstable();
        places.dedup();
        if total.is_some() {
            places.clear();
        }
        (places, total)
    }
}

/// The records themselves, in their order.
fn cited(rows: &[&Row]) -> Vec<EvidenceRef> {
    let one = |r: &&Row| EvidenceRef {
        file: r.file,
        record: r.e.record,
    };
    rows.iter().map(one).collect()
}

/// One page of a search, with the whole answer.
#[derive(Debug, Clone)]
struct PageSeen {
    access: u32,
    source: u32,
    categories: CategorySet,
    /// What it may have shown beside, nobody knows.
    open: CategorySet,
    expr: Expr,
    answer: Answer,
    paging: Paging,
    size: Option<u64>,
    order: Option<Order>,
    /// The answer ended before its end.
    cut: bool,
    /// Source of the line that counted its bytes, and the bytes.
    weight: Option<(u32, u64)>,
    /// Persons found, where a log tells.
    told: Option<u64>,
}

/// An order the server is known to give its rows in.
#[derive(Debug, Clone)]
enum Order {
    /// By logical id.
    Id,
    /// By a column; the greatest first.
    Column(ColumnPath, bool),
}

impl Order {
    /// The rows in this order; `None` where collations would disagree or two rows are equal.
    fn sorted(&self, base: &IdentityBase, rows: &[Hit]) -> Option<Vec<Hit>> {
        let mut rows = rows.to_vec();
        match self {
            Order::Id => {
                rows.sort_by(|a, b| base.logical_id(a.record).cmp(base.logical_id(b.record)));
                Some(rows)
            }
            Order::Column(path, falling) => {
                let value = |h: &Hit| -> Option<String> {
                    let mut values = sql::column_values(base, h.version, path);
                    let same =
                        h.version == h.other || values == sql::column_values(base, h.other, path);
                    (same && values.len() == 1).then(|| values.pop()).flatten()
                };
                // Figures of one length, and whole dates, have one order everywhere.
                let shape =
                    |s: &str| -> Vec<bool> { s.bytes().map(|b| b.is_ascii_digit()).collect() };
                let mut keyed = vec![];
                for h in rows {
                    let v = value(&h)?;
                    if !v.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
                        return None;
                    }
                    keyed.push((v, h));
                }
                let first = keyed.first().map(|k| shape(&k.0));
                if keyed.iter().any(|k| Some(shape(&k.0)) != first) {
                    return None;
                }
                keyed.sort_by(|a, b| a.0.cmp(&b.0));
                if keyed.windows(2).any(|w| w[0].0 == w[1].0) {
                    return None;
                }
                if *falling {
                    keyed.reverse();
                }
                Some(keyed.into_iter().map(|k| k.1).collect())
            }
        }
    }
}

/// Categories outside the identity base: a record cannot lack them.
fn carried_not(carried: CategorySet) -> CategorySet {
    Category::ALL
        .iter()
        .copied()
        .collect::<CategorySet>()
        .without(carried)
}
