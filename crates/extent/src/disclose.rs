//! Sessions judged intruder or doubtful × their events → who was shown which data, how sure, by which records.
//!
//! Each event is one of: a record served, a question ([`crate::replay`]), a file, a statement, a change. The same access seen by
//! two sources is one access that cites both. What only a doubtful session did, and what may or may not have been in an answer,
//! is exposed; what nobody can be named for is [`Loose`]; when some of a known set were shown, it is [`Partial`].
use crate::{
    catalog::{self, Catalog},
    files::{self, Inventory, Roots, short_host},
    identity::{At, IdentityBase, VersionId},
    leak::{LeakLine, LeakMatch},
    pace::{self, Pause},
    people::{People, PlaceId, Places, Who},
    replay::{
        self, Answer, Expr, Hit,
        fhir::{self, Paging, Shape, What},
        sql,
    },
    undescribed,
};
use ampleur_event::{
    Category, Event, Nanos, Outcome, SessionVerdict, Silence, System, Verb, Verdict, Window,
    batch::NONE,
    category::CategorySet,
    context::Population,
    session::{Judgement, Session},
    time::{DAY, HOUR, MINUTE, NO_TIME, SECOND},
};
use ampleur_query::{Door, DoorError, Select};
use ampleur_session::Sessions;
use ampleur_sources::case::{Case, FileId};
use rustc_hash::FxHashMap;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Bytes of one flow to a file server that need not be files or their names: negotiation, attributes, signing, directory reads
/// that were repeated. Listings are counted apart, by what the inventory says there is to list.
const SHARE_OVERHEAD: u64 = 512 << 10;
/// One entry of a directory listing without its name ([MS-FSCC] §2.4.8, FileBothDirectoryInformation), rounded up to its alignment.
const LISTED_ENTRY: u64 = 112;

/// What one session moved from one share.
#[derive(Debug, Default)]
struct Haul {
    /// The records that show the share being opened.
    list: Vec<usize>,
    /// Per session judged intruder: bytes of each flow towards it.
    sessions: Vec<Vec<u64>>,
    /// Some session judged intruder opened it.
    sure: bool,
    flows: BTreeSet<EvidenceRef>,
}

impl Haul {
    /// Bytes of file content that some one session must have moved. A second session may have read the same files again, so
    /// sessions are not added up. `listing`: bytes that listing the whole share moves once.
    fn payload(&self, listing: u64) -> u64 {
        let overhead = SHARE_OVERHEAD.saturating_add(listing);
        let one = |s: &Vec<u64>| s.iter().map(|b| b.saturating_sub(overhead)).sum::<u64>();
        let most = self.sessions.iter().map(one).max().unwrap_or(0);
        // Framing and acknowledgements take a few hundredths of a flow; a twentieth is above them.
        most - most / 20
    }
}

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
    /// When a source that counts bytes was not heard.
    pub uncounted: &'a [Window],
}

/// How long after a session a copy it made may still leave.
const LEAVES: Nanos = 3 * DAY;

/// Requests whose searches are asked on all threads before they are weighed one by one, and the hits their answers may hold
/// (12 bytes each) before the rest is asked in turn: bounds the memory of asking ahead.
const AHEAD: usize = 4096;
const HITS_AHEAD: usize = 4 << 20;

/// The request target of an access: the proxy's, else the audit's.
fn url_of<'r>(line: Option<&'r Row>, group: &[&'r Row]) -> &'r str {
    line.map(|r| &*r.e.url)
        .filter(|u| !u.is_empty())
        .or_else(|| group.iter().map(|r| &*r.e.url).find(|u| !u.is_empty()))
        .unwrap_or("")
}

/// The search parameters an audit kept.
fn criteria_of<'r>(group: &[&'r Row]) -> &'r str {
    group
        .iter()
        .map(|r| &*r.e.query)
        .find(|q| !q.is_empty())
        .unwrap_or("")
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
            &|file, e| e.code == 4648 || of_intruder(file, e).is_some(),
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
        let mut evidence: Vec<EvidenceRef> = rows
            .iter()
            .map(|r| EvidenceRef {
                file: r.file,
                record: r.e.record,
            })
            .collect();
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

    // -------------------------------------------------------------- requests and audits
    /// Joins proxy lines with audit rows of the same access, then reads what each access showed.
    fn requests(&mut self, rows: &[Row], at: &[usize]) {
        let (lines, audits): (Vec<usize>, Vec<usize>) =
            at.iter().partition(|i| rows[**i].e.verb == Verb::Request);
        // Audit rows of one request (one row per patient found) are one access.
        let mut groups: Vec<Vec<usize>> = vec![];
        let mut by_request: FxHashMap<(u32, &str), usize> = FxHashMap::default();
        for i in audits {
            let r = &rows[i];
            if !r.e.request_id.is_empty() {
                let k = (r.session, &*r.e.request_id);
                if let Some(g) = by_request.get(&k) {
                    groups[*g].push(i);
                    continue;
                }
                by_request.insert(k, groups.len());
            }
            groups.push(vec![i]);
        }
        let joined = self.join(rows, &lines, &groups);
        let mut used: BTreeSet<usize> = BTreeSet::new();
        let mut units: Vec<(Option<usize>, Vec<usize>)> = vec![];
        for (g, line) in groups.into_iter().zip(joined) {
            if let Some(l) = line {
                used.insert(l);
            }
            units.push((line, g));
        }
        for l in lines {
            if !used.contains(&l) {
                units.push((Some(l), vec![]));
            }
        }
        let first = |u: &(Option<usize>, Vec<usize>)| u.0.or(u.1.first().copied()).unwrap_or(0);
        units.sort_by_key(|u| {
            let r = &rows[first(u)];
            (r.e.time, r.file, r.e.record)
        });
        // Smallest bytes per person an answer ever had, per source of proxy lines, from joined searches with a count.
        let mut paged: BTreeMap<(u32, String), Vec<PageSeen>> = BTreeMap::new();
        let mut last_search: BTreeMap<u32, usize> = BTreeMap::new();
        let mut listed: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        let mut lone: Vec<Lone> = vec![];
        for some in units.chunks(AHEAD) {
            let units: Vec<(Option<&Row>, Vec<&Row>)> = some
                .iter()
                .map(|(line, group)| {
                    (
                        line.map(|i| &rows[i]),
                        group.iter().map(|i| &rows[*i]).collect(),
                    )
                })
                .collect();
            let ahead = self.searched_ahead(&units);
            for ((line, group), found) in units.iter().zip(ahead) {
                self.unit(
                    *line,
                    group,
                    found,
                    &mut paged,
                    &mut last_search,
                    &mut listed,
                    &mut lone,
                );
            }
        }
        self.pages(paged);
        self.lone(lone);
    }
    /// For each audit group the proxy line of the same access, or `None`.
    fn join(&self, rows: &[Row], lines: &[usize], groups: &[Vec<usize>]) -> Vec<Option<usize>> {
        let mut out = vec![None; groups.len()];
        let mut taken: BTreeSet<usize> = BTreeSet::new();
        let mut by_id: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
        for l in lines {
            let id = &*rows[*l].e.request_id;
            if !id.is_empty() {
                by_id.entry(id).or_default().push(*l);
            }
        }
        for (g, group) in groups.iter().enumerate() {
            let id = &*rows[group[0]].e.request_id;
            if let Some(l) = by_id
                .get(id)
                .filter(|_| !id.is_empty())
                .and_then(|v| v.first())
                && taken.insert(*l)
            {
                out[g] = Some(*l);
            }
        }
        // By account or address, path and time: nearest first, each line and each group once.
        let mut by_path: FxHashMap<String, Vec<usize>> = FxHashMap::default();
        for l in lines {
            if !taken.contains(l) {
                by_path.entry(path_key(&rows[*l].e)).or_default().push(*l);
            }
        }
        let mut pairs: Vec<(Nanos, usize, usize)> = vec![];
        for (g, group) in groups.iter().enumerate() {
            if out[g].is_some() {
                continue;
            }
            let a = &rows[group[0]];
            let Some(list) = by_path.get(&path_key(&a.e)) else {
                continue;
            };
            let i = list.partition_point(|l| rows[*l].e.time < a.e.time - JOIN);
            for l in &list[i..] {
                let r = &rows[*l];
                let d = (r.e.time - a.e.time).abs();
                if r.e.time > a.e.time + JOIN {
                    break;
                }
                if self.same_user(a, r) {
                    pairs.push((d, g, *l));
                }
            }
        }
        pairs.sort_unstable();
        for (_, g, l) in pairs {
            if out[g].is_none() && taken.insert(l) {
                out[g] = Some(l);
            }
        }
        out
    }
    fn same_user(&self, a: &Row, b: &Row) -> bool {
        let list = &self.input.sessions.list;
        let (sa, sb) = (&list[a.session as usize], &list[b.session as usize]);
        match (&sa.account, &sb.account) {
            (Some(x), Some(y)) => {
                x.bare() == y.bare() || (sa.person.is_some() && sa.person == sb.person)
            }
            _ => {
                let chain = |s: u32| self.input.judgements.get(s as usize).map(|j| &*j.chain);
                chain(a.session) == chain(b.session)
                    || (sa.origin.address.is_some() && sa.origin.address == sb.origin.address)
            }
        }
    }
    /// What the operator says of the server behind a source. A directory is one of patients when it tells of more than staff.
    fn server_of(&self, source: u32) -> fhir::Server<'_> {
        let entry = self.input.case.entry(source);
        fhir::Server {
            compare: entry.and_then(|e| e.compare.as_ref()),
            patients: entry.is_some_and(|e| e.tells.iter().any(|t| !t.starts_with("STAFF"))),
        }
    }
    /// Answers of the searches on Patient among `units`, found on all threads; a unit that is no such search has none.
    fn searched_ahead(&self, units: &[(Option<&Row>, Vec<&Row>)]) -> Vec<Option<replay::Answer>> {
        let base = self.input.identity;
        let mut out = vec![None; units.len()];
        if base.is_empty() || base.threads < 2 || units.len() < 2 {
            return out;
        }
        let asked: Vec<(usize, Expr, Nanos)> = units
            .iter()
            .enumerate()
            .filter_map(|(i, (line, group))| {
                let head = group.first().copied().or(*line)?;
                let server = self.server_of(self.input.case.source_of(head.file));
                match fhir::ask_as(base, url_of(*line, group), criteria_of(group), &server).what {
                    What::Patients(e) => Some((i, e, head.e.time)),
                    _ => None,
                }
            })
            .collect();
        let questions: Vec<(&Expr, Nanos)> = asked.iter().map(|(_, e, t)| (e, *t)).collect();
        let answers = replay::search_many(base, &questions, &|_| true, base.threads, HITS_AHEAD);
        for ((i, ..), a) in asked.iter().zip(answers) {
            out[*i] = a;
        }
        out
    }
    /// `found`: the answer, when the unit is a search that was asked ahead.
    #[allow(clippy::too_many_arguments)]
    fn unit(
        &mut self,
        line: Option<&Row>,
        group: &[&Row],
        found: Option<replay::Answer>,
        paged: &mut BTreeMap<(u32, String), Vec<PageSeen>>,
        last_search: &mut BTreeMap<u32, usize>,
        listed: &mut BTreeMap<u32, BTreeSet<u32>>,
        lone: &mut Vec<Lone>,
    ) {
        let all: Vec<&Row> = line.into_iter().chain(group.iter().copied()).collect();
        let Some(&head) = group.first().or(all.first()) else {
            return;
        };
        if group.iter().any(|r| r.e.outcome == Outcome::Failure)
            || line.is_some_and(|r| r.e.status != NONE && r.e.status >= 300)
            || line.is_none()
                && group
                    .iter()
                    .any(|r| r.e.status != NONE && r.e.status >= 300)
        {
            return;
        }
        let base = self.input.identity;
        let source = self.input.case.source_of(head.file);
        let url = url_of(line, group);
        let method = line
            .map(|r| &*r.e.http_method)
            .filter(|m| !m.is_empty())
            .or_else(|| {
                group
                    .iter()
                    .map(|r| &*r.e.http_method)
                    .find(|m| !m.is_empty())
            })
            .unwrap_or("");
        if matches!(method, "HEAD" | "OPTIONS" | "CONNECT" | "TRACE") {
            return;
        }
        let host = line
            .and_then(|r| r.e.host_asked())
            .or_else(|| url_host(url))
            .unwrap_or("");
        let criteria = criteria_of(group);
        let verb = group.first().map_or(Verb::Request, |r| r.e.verb);
        let t = head.e.time;
        let writes =
            verb.writes() || group.is_empty() && matches!(method, "PUT" | "PATCH" | "DELETE");
        if writes {
            self.changed(&all, group);
            if verb.writes() || group.is_empty() {
                return;
            }
        }
        let subjects: BTreeSet<String> = group
            .iter()
            .flat_map(|r| r.e.subject_list().map(str::to_string).collect::<Vec<_>>())
            .collect();
        let endpoint = if url.is_empty() {
            None
        } else {
            self.catalog.endpoint(host, method, url)
        };
        let export = verb == Verb::Export || endpoint.as_ref().is_some_and(|e| e.endpoint.export);
        let verdict = if export {
            Verdict::Exfiltrated
        } else {
            Verdict::Consulted
        };
        let asked = fhir::ask_as(base, url, criteria, &self.server_of(source));
        let told = group.iter().map(|r| r.e.count).filter(|c| *c != NONE).max();
        let declared = endpoint.as_ref().map(|e| e.categories);
        let by_endpoint = |kind: &str, shape: &Shape, c: &Catalog<'_>| match declared {
            Some(d) => catalog::shaped(kind, d, shape),
            None => c.of_type(kind, shape),
        };

        // ---- searches and exports: who is in the answer must be found out.
        match &asked.what {
            What::Patients(e) if !is_body_search_without_criteria(method, url, criteria) => {
                let cats = by_endpoint("Patient", &asked.shape, &self.catalog);
                let added: CategorySet = asked
                    .included
                    .iter()
                    .flat_map(|k| {
                        self.catalog
                            .of_type(k, &asked.shape)
                            .iter()
                            .collect::<Vec<_>>()
                    })
                    .collect();
                let cats = cats.union(added);
                let mut answer = found.unwrap_or_else(|| replay::search(base, e, t, &|_| true));
                if !asked.notes.is_empty() {
                    // A parameter nobody could weigh makes matches possible only.
                    answer.possible.append(&mut answer.certain);
                    answer.possible.sort_unstable();
                }
                let page = asked.paging.count.or(endpoint
                    .as_ref()
                    .and_then(|x| x.endpoint.page_size)
                    .map(u64::from));
                self.reconcile(&mut answer, told, page, head.session, source);
                let access = self.access(
                    if export {
                        AccessKind::Export
                    } else {
                        AccessKind::Search
                    },
                    &all,
                    verdict,
                    false,
                );
                let one = e.names_one();
                self.named_in_search(&subjects, e, &mut answer, access, source, cats, t);
                if let (Some(l), Some(n)) = (line, told)
                    && n > 0
                    && l.e.bytes_in != NONE
                {
                    let shown = n.min(page.unwrap_or(n));
                    self.calibrate(self.input.case.source_of(l.file), l.e.bytes_in, shown);
                }
                let named = !subjects.is_empty()
                    && self
                        .input
                        .case
                        .entry(source)
                        .is_some_and(|s| s.shows_results == Some(true));
                if base.is_empty() && !named {
                    // No snapshot says who was in the answer: as many as a page or the told number allows.
                    let most = [page, told].into_iter().flatten().min();
                    if most != Some(0) {
                        lone.push(Lone {
                            access,
                            session: head.session,
                            line_source: self.input.case.source_of(line.unwrap_or(head).file),
                            bytes: line.map(|l| l.e.bytes_in).filter(|b| *b != NONE),
                            page: most,
                            categories: cats,
                        });
                    }
                    return;
                }
                let order = endpoint.as_ref().and_then(|x| x.endpoint.order.clone());
                let mut persons: BTreeSet<Who> = answer
                    .certain
                    .iter()
                    .map(|h| base.person_of(h.record))
                    .collect();
                let known_one = if one && persons.len() == 1 {
                    answer.certain.first().copied()
                } else {
                    None
                };
                let place = known_one.map(|h| self.place_of(h.version, source));
                self.out.questions.push(Question {
                    session: head.session,
                    source,
                    time: t,
                    one: persons
                        .pop_first()
                        .filter(|_| known_one.is_some())
                        .zip(place),
                    broad: !one,
                    access,
                });
                listed
                    .entry(head.session)
                    .or_default()
                    .extend(answer.certain.iter().map(|h| h.record));
                let seen = PageSeen {
                    access,
                    source,
                    categories: cats,
                    open: CategorySet::EMPTY,
                    expr: e.clone(),
                    answer,
                    paging: asked.paging.clone(),
                    size: page,
                    order,
                };
                let key = (head.session, search_key(url, criteria));
                let list = paged.entry(key).or_default();
                list.push(seen);
                last_search.insert(head.session, list.len());
                return;
            }
            What::Page { .. } => {
                // A further page of an earlier answer: it belongs to the last search of the session, or of the one another log shows
                // of the same use.
                let chains = &self.input.sessions.chains;
                let chain = &chains[head.session as usize];
                let mine = paged
                    .iter_mut()
                    .filter(|(k, _)| k.0 == head.session || chains[k.0 as usize] == *chain)
                    .max_by_key(|(_, v)| v.last().map(|p| p.access));
                if let Some((_, list)) = mine
                    && let Some(p) = list.last().cloned()
                {
                    let access = self.access(AccessKind::Search, &all, verdict, false);
                    list.push(PageSeen {
                        access,
                        paging: Paging {
                            offset: asked
                                .paging
                                .offset
                                .or(Some(p.paging.offset.unwrap_or(0) + p.size.unwrap_or(0))),
                            ..asked.paging.clone()
                        },
                        size: asked.paging.count.or(p.size),
                        ..p
                    });
                } else {
                    let cats = by_endpoint("Patient", &asked.shape, &self.catalog);
                    lone.push(Lone::of(
                        self,
                        &all,
                        line,
                        verdict,
                        cats,
                        asked.paging.count,
                    ));
                }
                return;
            }
            What::Patients(_) => {
                // A search whose criteria nobody kept.
                let cats = by_endpoint("Patient", &asked.shape, &self.catalog);
                if subjects.is_empty() {
                    let page = endpoint.as_ref().and_then(|x| x.endpoint.page_size);
                    lone.push(Lone::of(
                        self,
                        &all,
                        line,
                        verdict,
                        cats,
                        page.map(u64::from),
                    ));
                } else {
                    let access = self.access(AccessKind::Search, &all, verdict, true);
                    for s in &subjects {
                        self.serve_named(s, t, access, source, cats, CategorySet::EMPTY, true);
                    }
                }
                return;
            }
            What::Match => {
                let cats = by_endpoint("Patient", &asked.shape, &self.catalog);
                if subjects.is_empty() {
                    lone.push(Lone::of(
                        self,
                        &all,
                        line,
                        verdict,
                        cats,
                        asked.paging.count,
                    ));
                } else {
                    let access = self.access(AccessKind::Search, &all, verdict, true);
                    for s in &subjects {
                        self.serve_named(s, t, access, source, cats, CategorySet::EMPTY, true);
                    }
                }
                return;
            }
            What::Pix { source: id, .. } => {
                let access = self.access(AccessKind::Read, &all, verdict, false);
                let cats = declared
                    .unwrap_or(CategorySet::of(&[Category::IdLocal, Category::IdNir]))
                    .intersect(CategorySet::of(&[Category::IdLocal, Category::IdNir]));
                let who = self.serve_named(id, t, access, source, cats, CategorySet::EMPTY, true);
                self.out.questions.push(Question {
                    session: head.session,
                    source,
                    time: t,
                    one: who,
                    broad: false,
                    access,
                });
                return;
            }
            What::Export { group: None } if subjects.is_empty() => {
                let access = self.access(AccessKind::Export, &all, Verdict::Exfiltrated, false);
                let cats = by_endpoint("Patient", &asked.shape, &self.catalog);
                self.everybody(access, head.session, source, t, cats);
                return;
            }
            What::Export { .. } if subjects.is_empty() => {
                let cats = by_endpoint("Patient", &asked.shape, &self.catalog);
                lone.push(Lone::of(self, &all, line, Verdict::Exfiltrated, cats, None));
                return;
            }
            _ => {}
        }

        // ---- one record or document.
        let mut cats = declared.unwrap_or_default();
        let mut named: BTreeSet<String> = subjects.clone();
        let mut kinds: Vec<String> = group
            .iter()
            .flat_map(|r| {
                r.e.object
                    .split('\n')
                    .map(str::to_string)
                    .collect::<Vec<_>>()
            })
            .filter_map(|o| {
                let mut it = o.split('/').rev();
                let last = it.next()?.to_string();
                let kind = it.find(|k| fhir::is_type(k)).map(str::to_string);
                kind.or(fhir::is_type(&last).then_some(last))
            })
            .collect();
        let mut broad = false;
        let mut followed = false;
        match &asked.what {
            What::Read {
                kind,
                id,
                everything,
            } => {
                if *everything {
                    cats = cats.union(everything_set());
                }
                if kind == "Patient" {
                    let s = format!("Patient/{id}");
                    followed = base
                        .record_by_id(id)
                        .is_some_and(|r| listed.get(&head.session).is_some_and(|l| l.contains(&r)));
                    // The audit's own names are the same person; the URL's one names the record served.
                    if named.is_empty() || base.record_by_id(id).is_some() {
                        named = BTreeSet::from([s]);
                    }
                }
                kinds.push(kind.clone());
            }
            What::Others { kind, patients, .. } => {
                kinds.push(kind.clone());
                if named.is_empty() {
                    named.extend(patients.iter().cloned());
                    broad = patients.len() != 1;
                }
            }
            _ => {}
        }
        kinds.sort();
        kinds.dedup();
        if declared.is_none() {
            for k in &kinds {
                cats = cats.union(self.catalog.of_type(k, &asked.shape));
            }
            if kinds.is_empty() && !group.is_empty() {
                let code = group.iter().map(|r| r.e.code).find(|c| *c != NONE);
                let action = group.first().map_or("", |r| &*r.e.action);
                let code = code.map_or_else(|| digits(action), |c| c.to_string());
                cats = catalog::of_audit_code(&code);
                if cats.is_empty()
                    && !subjects.is_empty()
                    && group
                        .iter()
                        .any(|r| r.e.verb == Verb::Read || r.e.verb == Verb::Export)
                {
                    cats = self.catalog.of_type("Patient", &asked.shape);
                }
            }
        } else if let Some(d) = declared {
            cats = catalog::shaped(
                kinds.first().map_or("", String::as_str),
                cats.union(d),
                &asked.shape,
            );
        }
        // An endpoint of the application: its subject is declared, or a value of the request is an identifier of the base.
        let mut ambiguous = false;
        if named.is_empty()
            && let Some(hit) = &endpoint
        {
            named.extend(self.subject_of_endpoint(hit, url, criteria, source, t));
            // One number, several establishments: one of these persons was shown.
            ambiguous = hit.endpoint.subject.is_some() && named.len() > 1;
        }
        if cats.is_empty() {
            // A bundle holds anything; another resource without categories holds nobody's data.
            if declared.is_none() && kinds.iter().all(|k| k == "Bundle") {
                self.undescribed(&all, line, url, criteria, &subjects, told);
            }
            return;
        }
        let list = endpoint.as_ref().is_some_and(|e| e.endpoint.list);
        if named.is_empty() {
            if export && (list || !kinds.is_empty() || declared.is_some()) {
                let access = self.access(AccessKind::Export, &all, Verdict::Exfiltrated, false);
                self.everybody(access, head.session, source, t, cats);
            } else if list || declared.is_some() || !kinds.is_empty() {
                let size = endpoint
                    .as_ref()
                    .and_then(|x| x.endpoint.page_size)
                    .map(u64::from);
                let one = !list && matches!(asked.what, What::Read { .. } | What::Nothing);
                lone.push(Lone::of(
                    self,
                    &all,
                    line,
                    verdict,
                    cats,
                    if one { Some(1) } else { size },
                ));
            }
            return;
        }
        let proven = !group.is_empty() && !subjects.is_empty()
            || matches!(&asked.what, What::Read { kind, .. } if kind == "Patient");
        let kind = if export {
            AccessKind::Export
        } else {
            AccessKind::Read
        };
        let access = self.access(kind, &all, verdict, proven);
        let mut who = None;
        let mut lost = 0;
        for s in &named {
            let sure = !ambiguous;
            match self.serve_named(s, t, access, source, cats, CategorySet::EMPTY, sure) {
                Some(w) => who = Some(w),
                None => lost += 1,
            }
        }
        if lost > 0 {
            let (places, _) = self.rights(head.session);
            self.out.loose.push(Loose {
                access,
                places,
                categories: cats,
                up_to: lost,
            });
        }
        // Opening a record out of a list that was just shown names nobody anew.
        if !followed {
            self.out.questions.push(Question {
                session: head.session,
                source,
                time: t,
                one: who.filter(|_| named.len() == 1),
                broad: broad || named.len() > 1,
                access,
            });
        }
    }
    /// An answer of an address nobody described. Whom the request names may have been shown, with all that the place may hold; where
    /// it names nobody, or several that may be the ends of a range, so may as many as the bytes and the rights allow.
    fn undescribed(
        &mut self,
        rows: &[&Row],
        line: Option<&Row>,
        url: &str,
        criteria: &str,
        subjects: &BTreeSet<String>,
        told: Option<u64>,
    ) {
        let bytes = line.map(|l| l.e.bytes_in).filter(|b| *b != NONE);
        let no_content = line.is_some_and(|l| matches!(l.e.status, 204 | 205));
        if told == Some(0) || bytes == Some(0) || no_content {
            return;
        }
        let mut sources: Vec<u32> = rows
            .iter()
            .map(|r| self.input.case.source_of(r.file))
            .collect();
        sources.dedup();
        // A log of what passes by, or of who comes in, is not the log of a place of data.
        let passes = rows.iter().all(|r| {
            let format = &self.input.sessions.list[r.session as usize].format;
            ampleur_sources::by_name(format).is_some_and(|s| {
                matches!(
                    s.capability().silence,
                    Silence::NoPresence | Silence::NoTransfer
                )
            })
        });
        let held = self.may_hold(&sources, !passes && !undescribed::elsewhere(url));
        let silent = held.is_empty();
        let named_hold = match silent {
            // A number of the base is about a person wherever it stands.
            true => crate::coverage::every_category(),
            false => held,
        };
        let patients = undescribed::of_patients(named_hold);
        let head = rows[0];
        let (source, t) = (self.input.case.source_of(head.file), head.e.time);
        let (rights, absolute) = self.rights(head.session);
        let mut named = subjects.clone();
        let (mut numbers, mut telling): (Vec<String>, bool) = (vec![], true);
        for w in undescribed::words(url, criteria) {
            if numbers.iter().any(|n| n.contains(&w.text)) {
                continue;
            }
            let mut owners = self.owners_of_word(&w.text);
            // One number, several establishments: his who may be reached.
            let within = |s: &String| {
                let owner = s
                    .split_once('|')
                    .and_then(|(a, _)| self.out.places.owner(a));
                owner.is_none_or(|o| rights.contains(&o))
            };
            if !rights.is_empty() && owners.iter().any(within) {
                owners.retain(within);
            }
            if owners.is_empty() {
                continue;
            }
            telling &= w.telling;
            numbers.push(w.text);
            named.extend(owners);
        }
        // What an audit names is what was shown; of the numbers of a request only a single one says so.
        let all_named = !subjects.is_empty() || numbers.len() == 1 && telling;
        if named.is_empty() && (silent || undescribed::same_for_all(url)) {
            return;
        }
        let access = self.access(AccessKind::Read, rows, Verdict::Exposed, false);
        let (mut who, mut lost) = (BTreeSet::new(), 0);
        for s in &named {
            match self.serve_named(s, t, access, source, patients, CategorySet::EMPTY, false) {
                Some(w) => _ = who.insert(w),
                None => lost += 1,
            }
        }
        let up_to = match (all_named, undescribed::most_by_bytes(bytes)) {
            (true, _) => lost,
            (false, most) => [most, told, absolute]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(u64::MAX),
        };
        if up_to > 0 && !silent {
            self.out.loose.push(Loose {
                access,
                places: rights,
                categories: held,
                up_to,
            });
        }
        if all_named {
            self.out.questions.push(Question {
                session: head.session,
                source,
                time: t,
                one: who.first().copied().filter(|_| who.len() == 1),
                broad: who.len() > 1,
                access,
            });
        }
    }
    /// What the place behind these sources may hold: what they tell; every category of patients where nothing is declared of any
    /// source and this may be a place of data. Where others are declared to tell and these are not, nothing.
    fn may_hold(&self, sources: &[u32], data: bool) -> CategorySet {
        let tells = |s: u32| {
            let entry = self.input.case.entry(s);
            entry.map_or(CategorySet::EMPTY, |e| {
                CategorySet::parse(&e.tells).unwrap_or_default()
            })
        };
        let told = sources
            .iter()
            .fold(CategorySet::EMPTY, |s, x| s.union(tells(*x)));
        let all = 0..self.input.case.sources.len() as u32;
        if !told.is_empty() || !data || all.into_iter().any(|s| !tells(s).is_empty()) {
            return told;
        }
        undescribed::of_patients(crate::coverage::every_category())
    }
    /// The persons of the base whose number or logical id a text is, as subjects.
    fn owners_of_word(&self, word: &str) -> Vec<String> {
        let base = self.input.identity;
        if word.contains('|') {
            return match base.records_named(word).is_empty() {
                true => vec![],
                false => vec![word.to_string()],
            };
        }
        let mut out = self.owners(word);
        if out.is_empty() && base.record_by_id(word).is_some() {
            out.push(format!("Patient/{word}"));
        }
        out
    }
    /// Persons an audit names in a search: absent from the criteria, they come from the answer and are proven.
    #[allow(clippy::too_many_arguments)]
    fn named_in_search(
        &mut self,
        subjects: &BTreeSet<String>,
        e: &Expr,
        answer: &mut Answer,
        access: u32,
        source: u32,
        cats: CategorySet,
        t: Nanos,
    ) {
        if subjects.is_empty() {
            return;
        }
        let base = self.input.identity;
        let in_criteria = e.names_one();
        for s in subjects {
            if in_criteria {
                // The row may repeat the question; the replay decides.
                continue;
            }
            let records = base.records_named(s);
            answer.possible.retain(|h| !records.contains(&h.record));
            answer.certain.retain(|h| !records.contains(&h.record));
            self.serve_named(s, t, access, source, cats, CategorySet::EMPTY, true);
        }
        let sure = self
            .input
            .case
            .entry(source)
            .is_some_and(|s| s.shows_results == Some(true));
        if sure && !in_criteria {
            // The source names everybody returned: nobody else was.
            answer.certain.clear();
            answer.possible.clear();
        }
    }
    /// The count a log tells decides who of the possible ones was there, when it can only be all or none of them.
    fn reconcile(
        &mut self,
        a: &mut Answer,
        told: Option<u64>,
        page: Option<u64>,
        session: u32,
        source: u32,
    ) {
        let Some(n) = told else { return };
        let (c, p) = (a.certain.len() as u64, a.possible.len() as u64);
        if n == c {
            a.possible.clear();
        } else if n == c + p {
            a.certain.append(&mut a.possible);
            a.certain.sort_unstable();
        } else if n == 0 {
            a.certain.clear();
            a.possible.clear();
            self.out.disagreements += 1;
        } else if n < c {
            // Fewer came back than the replay says: nobody of them is sure, unless they are just those the account may see.
            let (reach, _) = self.rights(session);
            let (within, beyond): (Vec<Hit>, Vec<Hit>) = (a.certain.iter().copied())
                .partition(|h| reach.contains(&self.place_of(h.version, source)));
            if n == within.len() as u64 && page != Some(n) {
                a.certain = within;
                a.possible.extend(beyond);
            } else {
                a.possible.append(&mut a.certain);
                self.out.disagreements += 1;
            }
            a.possible.sort_unstable();
        } else if n > c + p {
            self.out.disagreements += 1;
        }
    }
    fn calibrate(&mut self, source: u32, bytes: u64, persons: u64) {
        let per = (bytes / persons.max(1)).max(1);
        let e = self.out.bytes_per_person.entry(source).or_insert(per);
        *e = (*e).min(per);
    }
    /// Subjects an endpoint's request names.
    fn subject_of_endpoint(
        &mut self,
        hit: &catalog::EndpointHit<'_>,
        url: &str,
        criteria: &str,
        source: u32,
        t: Nanos,
    ) -> Vec<String> {
        let base = self.input.identity;
        let (path, query) = fhir::split_url(url);
        let mut pairs = fhir::pairs(query);
        pairs.extend(fhir::pairs(criteria));
        let value = match &hit.endpoint.subject {
            Some(s) => match (&hit.path_id, &s.query) {
                (Some(v), _) => Some(v.clone()),
                (None, Some(q)) => pairs.iter().find(|(k, _)| k == q).map(|(_, v)| v.clone()),
                _ => None,
            }
            .map(|v| (v, s.authority.clone())),
            None => None,
        };
        if let Some((v, authority)) = value {
            if let Some((a, x)) = v.split_once('|') {
                return vec![format!("{}|{x}", crate::identity::oid(a))];
            }
            return match authority.as_deref() {
                Some(a) if a != "*" => vec![format!("{}|{v}", crate::identity::oid(a))],
                _ => match self.unique_owner(&v, source) {
                    Some(s) => vec![s],
                    None => self.owners(&v),
                },
            };
        }
        if hit.endpoint.subject.is_some() {
            return vec![];
        }
        // Without a declared subject: a path segment or query value that is an identifier of the base.
        let mut out = vec![];
        let segments: Vec<String> = path
            .split('/')
            .map(|s| fhir::percent_decode(s, false))
            .collect();
        for v in segments
            .into_iter()
            .chain(pairs.into_iter().map(|(_, v)| v))
        {
            if v.len() < 4 {
                continue;
            }
            if v.contains('|') {
                if !base.records_named(&v).is_empty() {
                    out.push(v);
                }
            } else if let Some(s) = self.unique_owner(&v, source) {
                out.push(s);
            } else if let Some(r) = base.record_by_id(&v) {
                let _ = (r, t);
                out.push(format!("Patient/{v}"));
            }
        }
        out.sort();
        out.dedup();
        out
    }
    /// Every `authority|value` the base has for a bare identifier, sorted.
    fn owners(&self, value: &str) -> Vec<String> {
        let base = self.input.identity;
        let mut out: Vec<String> = base
            .versions_with(None, value)
            .into_iter()
            .flat_map(|v| base.id_rows(v).to_vec())
            .filter(|i| base.text(i.value) == value)
            .map(|i| format!("{}|{value}", base.text(i.system)))
            .collect();
        out.sort();
        out.dedup();
        out
    }
    /// `authority|value` when one person has the bare identifier, in the establishment of the source first.
    fn unique_owner(&mut self, value: &str, source: u32) -> Option<String> {
        let base = self.input.identity;
        let place = self.source_place(source);
        let mut owners: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for v in base.versions_with(None, value) {
            for i in base.id_rows(v) {
                if base.text(i.value) == value {
                    owners
                        .entry(base.text(i.system).to_string())
                        .or_default()
                        .insert(base.person_of(base.version(v).record));
                }
            }
        }
        if let Some(p) = place {
            let mine: Vec<&String> = owners
                .keys()
                .filter(|a| self.out.places.owner(a) == Some(p))
                .collect();
            if let [one] = mine[..] {
                return Some(format!("{one}|{value}"));
            }
        }
        let persons: BTreeSet<u32> = owners.values().flatten().copied().collect();
        if persons.len() == 1 {
            owners.keys().next().map(|a| format!("{a}|{value}"))
        } else {
            None
        }
    }
    /// An export without criteria: the population then, limited by rights (contract §D).
    fn everybody(&mut self, access: u32, session: u32, source: u32, t: Nanos, cats: CategorySet) {
        let (rights, _) = self.rights(session);
        let own = self.source_place(source);
        let answer = replay::search(self.input.identity, &Expr::Known(true), t, &|_| true);
        // Whose population it was must be known: by rights, by the source, or because there is one establishment only.
        let whose = !rights.is_empty() || own.is_some() || self.out.places.ids.len() == 1;
        for (hits, certain) in [(answer.certain, whose), (answer.possible, false)] {
            for h in hits {
                let place = self.place_of(h.version, source);
                let allowed = if rights.is_empty() {
                    own.is_none_or(|o| o == place)
                } else {
                    rights.contains(&place)
                };
                if allowed {
                    self.serve(h, access, source, cats, CategorySet::EMPTY, certain);
                }
            }
        }
        if self.input.identity.is_empty() {
            self.out.loose.push(Loose {
                access,
                places: rights,
                categories: cats,
                up_to: u64::MAX,
            });
        }
    }
    /// Serves searches page by page: all pages seen, or a known order, prove each match; else each is possible (contract §D).
    fn pages(&mut self, paged: BTreeMap<(u32, String), Vec<PageSeen>>) {
        for (_, list) in paged {
            // The same question asked again hours later is another answer: pages belong together within an hour.
            let mut runs: Vec<Vec<PageSeen>> = vec![];
            for p in list {
                let t = self.out.accesses[p.access as usize].time;
                let joins = runs.last().is_some_and(|r| {
                    r.last().is_some_and(|q| {
                        t - self.out.accesses[q.access as usize].time <= HOUR
                            && p.paging.offset.or(p.paging.page).is_some()
                    })
                });
                if joins {
                    if let Some(r) = runs.last_mut() {
                        r.push(p);
                    }
                } else {
                    runs.push(vec![p]);
                }
            }
            for run in runs {
                self.run_of_pages(run);
            }
        }
    }
    fn run_of_pages(&mut self, run: Vec<PageSeen>) {
        let n = run.iter().map(|p| p.answer.len()).max().unwrap_or(0) as u64;
        let mut covered: Vec<(u64, u64)> = run
            .iter()
            .map(|p| match p.size {
                None => (0, u64::MAX),
                Some(size) => {
                    let from = p
                        .paging
                        .offset
                        .or(p
                            .paging
                            .page
                            .map(|k| k.saturating_sub(1).saturating_mul(size)))
                        .unwrap_or(0);
                    (from, from.saturating_add(size))
                }
            })
            .collect();
        covered.sort_unstable();
        let (mut reach, mut shown) = (0u64, 0u64);
        let mut whole = true;
        for (a, b) in &covered {
            let (a, b) = (*a.min(&n), *b.min(&n));
            if a > reach {
                whole = false;
            }
            shown += b.saturating_sub(a.max(reach));
            reach = reach.max(b);
        }
        let whole = whole && reach >= n;
        let base = self.input.identity;
        // With a known order and nobody doubtful, each page is a slice.
        let by_id = |p: &PageSeen| {
            p.answer.possible.is_empty()
                && (p.order.as_deref().is_some_and(|o| o == "id" || o == "_id")
                    || matches!(p.paging.sorted.as_deref(), Some("_id")))
        };
        if !whole && run.iter().all(by_id) {
            for p in &run {
                let mut order: Vec<Hit> = p.answer.certain.clone();
                order.sort_by(|a, b| base.logical_id(a.record).cmp(base.logical_id(b.record)));
                let size = p.size.unwrap_or(u64::MAX);
                let from = p
                    .paging
                    .offset
                    .or(p
                        .paging
                        .page
                        .map(|k| k.saturating_sub(1).saturating_mul(size)))
                    .unwrap_or(0);
                for h in order
                    .into_iter()
                    .skip(usize::try_from(from).unwrap_or(usize::MAX))
                    .take(usize::try_from(size).unwrap_or(usize::MAX))
                {
                    let known = p.expr.known(base, h.version);
                    self.serve(h, p.access, p.source, p.categories, known, true);
                    if !p.open.is_empty() {
                        self.serve(h, p.access, p.source, p.open, known, false);
                    }
                }
            }
            return;
        }
        // All pages of one question are one access that cites every page.
        let Some(widest) = run.iter().max_by_key(|p| (p.answer.len(), p.access)) else {
            return;
        };
        let access = run[0].access;
        if run.len() > 1 {
            let (mut evidence, mut sessions) = (vec![], vec![]);
            for p in &run {
                let a = &self.out.accesses[p.access as usize];
                evidence.extend(a.evidence.iter().copied());
                sessions.extend(a.sessions.iter().copied());
            }
            evidence.sort_unstable();
            evidence.dedup();
            sessions.sort_unstable();
            sessions.dedup();
            let a = &mut self.out.accesses[access as usize];
            a.evidence = evidence;
            a.sessions = sessions;
        }
        for (h, certain) in widest
            .answer
            .certain
            .iter()
            .map(|h| (h, whole))
            .chain(widest.answer.possible.iter().map(|h| (h, false)))
        {
            let known = widest.expr.known(base, h.version);
            self.serve(*h, access, widest.source, widest.categories, known, certain);
            if !widest.open.is_empty() {
                self.serve(*h, access, widest.source, widest.open, known, false);
            }
        }
        if !whole && shown > 0 {
            // So many records were shown, whoever they were.
            self.some_of(
                access,
                widest.source,
                &widest.answer.certain,
                widest.answer.possible.len() as u64,
                shown,
                widest.categories,
            );
        }
    }
    /// `shown` of these records were served and nobody knows which: per establishment the fewest persons that must be among them.
    fn some_of(
        &mut self,
        access: u32,
        source: u32,
        certain: &[Hit],
        possible: u64,
        shown: u64,
        cats: CategorySet,
    ) {
        if self.out.accesses[access as usize].doubtful {
            return;
        }
        let base = self.input.identity;
        let verdict = self.out.accesses[access as usize].verdict;
        let mut by_place: BTreeMap<PlaceId, BTreeMap<Who, u64>> = BTreeMap::new();
        // A category counts only where the record held it.
        let mut held: BTreeMap<PlaceId, CategorySet> = BTreeMap::new();
        for h in certain {
            let place = self.place_of(h.version, source);
            *by_place
                .entry(place)
                .or_default()
                .entry(base.person_of(h.record))
                .or_default() += 1;
            let both = self
                .held_of(h.version, cats)
                .intersect(self.held_of(h.other, cats));
            let e = held.entry(place).or_insert(both);
            *e = e.intersect(both);
        }
        let total = certain.len() as u64 + possible;
        for (place, persons) in by_place {
            let here: u64 = persons.values().sum();
            let must = shown.saturating_sub(total - here);
            let mut counts: Vec<u64> = persons.values().copied().collect();
            counts.sort_unstable_by(|a, b| b.cmp(a));
            let (mut left, mut fewest) = (must, 0);
            for c in counts {
                if left == 0 {
                    break;
                }
                fewest += 1;
                left = left.saturating_sub(c);
            }
            if fewest > 0 {
                self.out.partials.push(Partial {
                    access,
                    place,
                    categories: held.get(&place).copied().unwrap_or_default(),
                    verdict,
                    candidates: persons.into_keys().collect(),
                    at_least: fewest,
                });
            }
        }
    }
    /// Requests whose answer nobody kept: each may have shown as many persons as a page or its bytes allow.
    fn lone(&mut self, lone: Vec<Lone>) {
        for l in lone {
            let per = self.out.bytes_per_person.get(&l.line_source).copied();
            let by_bytes = match (l.bytes, per) {
                // Half of the smallest answer ever seen per person leaves room for one smaller still.
                (Some(b), Some(p)) => Some(b / (p / 2).max(1) + 1),
                _ => None,
            };
            let up_to = match (l.page, by_bytes) {
                (Some(p), Some(b)) => p.min(b),
                (Some(p), None) => p,
                (None, Some(b)) => b,
                (None, None) => u64::MAX,
            };
            let (places, absolute) = self.rights(l.session);
            let up_to = absolute.map_or(up_to, |a| up_to.min(a));
            self.out.loose.push(Loose {
                access: l.access,
                places,
                categories: l.categories,
                up_to,
            });
        }
    }

    // -------------------------------------------------------------- statements
    fn statements(&mut self, rows: &[Row], at: &[usize]) {
        // What became of each statement, told by the rows after it in the same backend.
        #[derive(Clone, Copy, PartialEq)]
        enum Fate {
            Done,
            Failed,
            Killed,
        }
        let mut lives: BTreeMap<(u32, &str, u64), Vec<usize>> = BTreeMap::new();
        for i in at {
            let r = &rows[*i];
            lives
                .entry((r.session, &*r.e.session_id, r.e.pid))
                .or_default()
                .push(*i);
        }
        let mut fate: BTreeMap<usize, Fate> = BTreeMap::new();
        let mut cites: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        // Rows that were fetched of a cursor, by the statement that declared it; `None`: nobody can say how many.
        let mut fetched: BTreeMap<usize, Option<u64>> = BTreeMap::new();
        for list in lives.values() {
            let mut cursors: BTreeMap<String, usize> = BTreeMap::new();
            let texts = Texts::of(list.iter().map(|i| &rows[*i].e));
            let mut waiting: Vec<usize> = vec![];
            let mut last: Option<usize> = None;
            for i in list {
                let e = &rows[*i].e;
                // Some auditors write a line for each table besides the statement's own.
                if e.query.trim().is_empty() && texts.tell_of(e) {
                    continue;
                }
                if e.verb == Verb::Query {
                    match sql::cursor(&e.query) {
                        Some(sql::Cursor::Declared(name)) => {
                            cursors.insert(name, *i);
                        }
                        Some(sql::Cursor::Fetched(name, n)) if e.outcome != Outcome::Failure => {
                            let declared = cursors.get(&name);
                            let all = declared.map(|d| fetched.entry(*d).or_insert(Some(0)));
                            if let Some(Some(all)) = all {
                                *all = all.saturating_add(n);
                            }
                        }
                        Some(sql::Cursor::Moved(name)) => {
                            if let Some(d) = cursors.get(&name) {
                                fetched.insert(*d, None);
                            }
                        }
                        _ => {}
                    }
                    // The statement log and the audit both write one execution, the audit once per table.
                    if let Some(l) = last
                        && same_execution(&rows[l].e.query, &e.query)
                        && e.time - rows[l].e.time <= SECOND
                    {
                        if given_with(&rows[l].e.query).is_empty()
                            && !given_with(&e.query).is_empty()
                        {
                            // The line with its values speaks for both.
                            let mut cited = cites.remove(&l).unwrap_or_default();
                            cited.push(l);
                            cites.insert(*i, cited);
                            if let Some(f) = fate.remove(&l) {
                                fate.insert(*i, f);
                            }
                            waiting.retain(|w| *w != l);
                            waiting.push(*i);
                            last = Some(*i);
                        } else {
                            cites.entry(l).or_default().push(*i);
                        }
                        continue;
                    }
                    waiting.clear();
                    waiting.push(*i);
                    last = Some(*i);
                    fate.insert(*i, Fate::Done);
                    if e.outcome == Outcome::Failure {
                        let format = self.input.sessions.list[rows[*i].session as usize].format;
                        let cut = cut_short(format, e.status);
                        fate.insert(*i, if cut { Fate::Killed } else { Fate::Failed });
                    }
                } else {
                    last = None;
                    let why = e.reason.to_ascii_lowercase();
                    let killed = ["57p01", "57014", "57p02", "timeout", "cancel", "terminat"]
                        .iter()
                        .any(|k| why.contains(k));
                    // An error of a statement that was refused before it ran, and so was not audited, says nothing of the one before.
                    // Without its statement the name it speaks of tells.
                    let of_another = |w: usize| {
                        if e.query.is_empty() {
                            ["42601", "42703", "42p01", "syntax error", "does not exist"]
                                .iter()
                                .any(|k| why.contains(k))
                                && named_in(&why).is_some_and(|n| !has_word(&rows[w].e.query, n))
                        } else {
                            !may_be_one(&rows[w].e.query, &e.query)
                        }
                    };
                    for w in waiting.drain(..) {
                        if of_another(w) {
                            continue;
                        }
                        fate.insert(w, if killed { Fate::Killed } else { Fate::Failed });
                        cites.entry(w).or_default().push(*i);
                    }
                }
            }
        }
        let mut paged: BTreeMap<(u32, String), Vec<PageSeen>> = BTreeMap::new();
        for (i, f) in fate {
            if f == Fate::Failed {
                continue;
            }
            let mut cited: Vec<&Row> = vec![&rows[i]];
            cited.extend(cites.get(&i).into_iter().flatten().map(|k| &rows[*k]));
            let rows = fetched.get(&i).copied().flatten();
            self.statement(&cited, f == Fate::Killed, rows, &mut paged);
        }
        self.pages(paged);
    }
    fn statement(
        &mut self,
        rows: &[&Row],
        killed: bool,
        fetched: Option<u64>,
        paged: &mut BTreeMap<(u32, String), Vec<PageSeen>>,
    ) {
        let r = rows[0];
        let tables = &self.input.case.context.tables;
        let base = self.input.identity;
        let source = self.input.case.source_of(r.file);
        let texts = sql::texts_of(self.input.sessions.list[r.session as usize].format)
            .declared(self.server_of(source).compare);
        let mut st = asked(&r.e, tables).compared(texts);
        match fetched {
            // As many rows came as were fetched, as if the question had asked for no more.
            Some(n) if n < u64::MAX => st.limit = Some(st.limit.map_or(n, |l| l.min(n))),
            Some(_) => {}
            None => st.reshaped |= st.cursor,
        }
        let doubtful = self.verdict(r.session) != SessionVerdict::Intruder;
        match st.kind {
            sql::Kind::Nothing | sql::Kind::Aggregate => return,
            sql::Kind::Insert | sql::Kind::Update | sql::Kind::Delete => {
                self.statement_writes(rows, &st, doubtful);
                if !st.returning {
                    return;
                }
            }
            _ => {}
        }
        let Some(main) = st.tables.first().cloned() else {
            // Nobody can say what came back: whatever the source holds may have.
            let categories = self.may_hold(&[source], true);
            if !categories.is_empty() {
                let access = self.access(AccessKind::Statement, rows, Verdict::Consulted, false);
                let (places, _) = self.rights(r.session);
                let places = match self.source_place(source) {
                    Some(p) if places.is_empty() => vec![p],
                    _ => places,
                };
                self.out.loose.push(Loose {
                    access,
                    places,
                    categories,
                    up_to: u64::MAX,
                });
            }
            return;
        };
        let table = self.catalog.table(&main);
        let (mut cats, mut perhaps) = (CategorySet::EMPTY, CategorySet::EMPTY);
        for (k, t) in st.tables.iter().enumerate() {
            if !st.perhaps.is_empty() {
                perhaps = perhaps.union(self.catalog.of_columns(t, &st.perhaps, false));
            }
            if st.star || k == 0 || self.catalog.table(t).is_some() {
                let names: Vec<String> = st
                    .columns
                    .iter()
                    .filter(|c| {
                        self.catalog.table(t).is_none_or(|t| {
                            t.columns.is_empty()
                                || t.columns.keys().any(|k| k.eq_ignore_ascii_case(c))
                                || k == 0
                        })
                    })
                    .cloned()
                    .collect();
                if st.star || !names.is_empty() || st.perhaps.is_empty() {
                    let of = self.catalog.of_columns(t, &names, st.star);
                    if k > 0 && st.optional.contains(t) {
                        perhaps = perhaps.union(of);
                    } else {
                        cats = cats.union(of);
                    }
                }
            }
        }
        let verdict = if st.kind == sql::Kind::Copy {
            Verdict::Exfiltrated
        } else {
            Verdict::Consulted
        };
        let mut anything = self.may_hold(&[source], true);
        if anything.is_empty() && (table.is_some() || main_is_patients(&main)) {
            anything = undescribed::of_patients(crate::coverage::every_category());
        }
        let open = self
            .catalog
            .open_columns(&st.tables, &st.columns, st.star, anything)
            .union(perhaps)
            .union(
                self.catalog
                    .open_columns(&st.tables, &st.perhaps, false, anything),
            )
            .without(cats);
        if cats.is_empty() && open.is_empty() && table.is_none() {
            return;
        }
        let access = self.access(AccessKind::Statement, rows, verdict, false);
        // Which rows exist in the table: those with an identifier of its authority, else of the source's establishment.
        let authority = table.and_then(|t| {
            t.columns.values().find_map(|c| match c {
                ampleur_event::context::Column::Path(p) => match sql::parse_path(p) {
                    Some(replay::ColumnPath::Identifier(Some(a)))
                        if !crate::identity::is_nir_system(&a) =>
                    {
                        Some(a)
                    }
                    _ => None,
                },
                ampleur_event::context::Column::Category { .. } => None,
            })
        });
        let maps = table.is_some_and(|t| {
            t.columns.is_empty()
                || t.columns
                    .values()
                    .any(|c| matches!(c, ampleur_event::context::Column::Path(_)))
        }) || table.is_none()
            && sql::table_column(None, "ipp").is_some()
            && main_is_patients(&main);
        if !maps || base.is_empty() {
            let (places, _) = self.rights(r.session);
            let places = match self.source_place(source) {
                Some(p) if places.is_empty() => vec![p],
                _ => places,
            };
            let categories = cats.union(open);
            if !categories.is_empty() {
                self.out.loose.push(Loose {
                    access,
                    places,
                    categories,
                    up_to: st.limit.unwrap_or(u64::MAX),
                });
            }
            return;
        }
        let own = self.source_place(source);
        let auth_sym = authority.as_deref().and_then(|a| base.strings.find(a));
        let places = self.out.places.clone();
        let scope = |v: VersionId| match (&authority, auth_sym) {
            (Some(_), Some(s)) => base.id_rows(v).iter().any(|i| i.system == s),
            (Some(_), None) => false,
            _ => own.is_none_or(|o| places.of_version(base, v).is_none_or(|p| p == o)),
        };
        let mut answer = replay::search(base, &st.rows, r.e.time, &scope);
        // A table of facts about persons holds rows of some of them only; which ones is known when the row is named.
        let people_table = table.is_none_or(|t| {
            t.columns.is_empty()
                || t.columns.values().any(|c| {
                    matches!(c, ampleur_event::context::Column::Path(p) if p.starts_with("name") || p == "birthDate")
                })
        });
        let unsure = killed || st.reshaped || (!people_table && !st.rows.names_one());
        if unsure {
            answer.possible.append(&mut answer.certain);
            answer.possible.sort_unstable();
        }
        let told = Some(r.e.count).filter(|c| *c != NONE && !killed);
        self.reconcile(&mut answer, told, st.limit, r.session, source);
        let one = st.rows.names_one();
        let persons: BTreeSet<Who> = answer
            .certain
            .iter()
            .map(|h| base.person_of(h.record))
            .collect();
        let first = answer.certain.first().copied();
        let place = first.map(|h| self.place_of(h.version, source));
        self.out.questions.push(Question {
            session: r.session,
            source,
            time: r.e.time,
            one: (one && persons.len() == 1)
                .then(|| persons.first().copied().zip(place))
                .flatten(),
            broad: !one,
            access,
        });
        let n = answer.len() as u64;
        let limit = st.limit.unwrap_or(u64::MAX);
        let offset = st.offset.unwrap_or(0);
        let cut = limit < n || offset > 0;
        if cut && !killed && !unsure {
            paged
                .entry((r.session, statement_key(&r.e.query)))
                .or_default()
                .push(PageSeen {
                    access,
                    source,
                    categories: cats,
                    open,
                    expr: st.rows.clone(),
                    answer,
                    paging: Paging {
                        offset: Some(offset),
                        ..Paging::default()
                    },
                    size: Some(limit),
                    order: None,
                });
            return;
        }
        let (certain, possible) = if cut {
            (
                vec![],
                answer
                    .certain
                    .iter()
                    .chain(&answer.possible)
                    .copied()
                    .collect(),
            )
        } else {
            (answer.certain, answer.possible)
        };
        for (hits, sure) in [(&certain, true), (&possible, false)] {
            for h in hits {
                let known = st.rows.known(base, h.version);
                self.serve(*h, access, source, cats, known, sure);
                if !open.is_empty() {
                    self.serve(*h, access, source, open, known, false);
                }
            }
        }
    }
    fn statement_writes(&mut self, rows: &[&Row], st: &sql::Statement, doubtful: bool) {
        let r = rows[0];
        let base = self.input.identity;
        let source = self.input.case.source_of(r.file);
        let table = st.tables.first().and_then(|t| self.catalog.table(t));
        let evidence: Vec<EvidenceRef> = rows
            .iter()
            .map(|r| EvidenceRef {
                file: r.file,
                record: r.e.record,
            })
            .collect();
        let mut who = vec![];
        let mut versions = vec![];
        if st.kind != sql::Kind::Insert && table.is_some() && st.rows != Expr::All(vec![]) {
            // As it was before: a record may say that it was changed at this very second.
            let before = r.e.time.saturating_sub(SECOND);
            let a = replay::search(base, &st.rows, before, &|_| true);
            for h in a.certain {
                who.push((base.person_of(h.record), self.place_of(h.version, source)));
                versions.push(h.version);
            }
        }
        if who.is_empty() {
            if doubtful {
                self.out.possible_writes += 1;
            } else {
                self.out.other_writes += 1;
            }
        }
        for (field, after) in &st.set {
            for (k, w) in who.iter().enumerate() {
                let before = sql::table_column(table, field)
                    .map(|p| sql::column_values(base, versions[k], &p))
                    .and_then(|v| v.first().cloned());
                self.out.changes.push(Changed {
                    session: r.session,
                    time: r.e.time,
                    who: vec![*w],
                    field: field.clone(),
                    before,
                    after: Some(after.clone()),
                    evidence: evidence.clone(),
                    doubtful,
                });
            }
        }
    }
    /// A create, update or delete of a record.
    fn changed(&mut self, all: &[&Row], group: &[&Row]) {
        let doubtful = all
            .iter()
            .all(|r| self.verdict(r.session) != SessionVerdict::Intruder);
        let evidence: Vec<EvidenceRef> = all
            .iter()
            .map(|r| EvidenceRef {
                file: r.file,
                record: r.e.record,
            })
            .collect();
        let head = all[0];
        let source = self.input.case.source_of(head.file);
        let mut subjects: BTreeSet<String> = group
            .iter()
            .flat_map(|r| r.e.subject_list().map(str::to_string).collect::<Vec<_>>())
            .collect();
        if subjects.is_empty()
            && let What::Read { kind, id, .. } =
                &fhir::ask(self.input.identity, &head.e.url, "").what
            && kind == "Patient"
        {
            subjects.insert(format!("Patient/{id}"));
        }
        let mut who: Vec<(Who, PlaceId)> = vec![];
        for s in &subjects {
            if let Some(w) = self.people.of_subject(s) {
                let place = self.place_of_subject(s, w, source);
                who.push((w, place));
            }
        }
        let mut any = false;
        for r in all {
            for l in r.e.changes.split('\n').filter(|l| !l.is_empty()) {
                let mut it = l.split('\u{1f}');
                let field = it.next().unwrap_or("").to_string();
                let before = it.next().map(str::to_string);
                let after = it.next().map(str::to_string);
                any = true;
                self.out.changes.push(Changed {
                    session: r.session,
                    time: r.e.time,
                    who: who.clone(),
                    field,
                    before: before.filter(|s| !s.is_empty()),
                    after: after.filter(|s| !s.is_empty()),
                    evidence: evidence.clone(),
                    doubtful,
                });
            }
        }
        if !any {
            if doubtful {
                self.out.possible_writes += 1;
            } else {
                self.out.other_writes += 1;
            }
        }
    }

    // -------------------------------------------------------------- files and shares
    fn files(&mut self, rows: &[Row], at: &[usize]) -> Result<(), DoorError> {
        // Files read, per session; and shares connected to.
        let mut read: BTreeMap<u32, Vec<(usize, Vec<u32>)>> = BTreeMap::new();
        let mut connected: BTreeMap<(u32, String), Vec<usize>> = BTreeMap::new();
        let mut named_in: BTreeSet<(u32, String)> = BTreeSet::new();
        for i in at {
            let r = &rows[*i];
            let e = &r.e;
            if e.outcome == Outcome::Failure {
                continue;
            }
            match e.verb {
                Verb::ShareConnect => {
                    if let Some(s) =
                        Inventory::share_named(&self.roots, &e.host, &e.share, &e.file_path)
                    {
                        connected.entry((r.session, s)).or_default().push(*i);
                    }
                }
                Verb::FileRead => {
                    let found =
                        self.input
                            .inventory
                            .find(&self.roots, &e.host, &e.share, &e.file_path);
                    if let Some(s) =
                        Inventory::share_named(&self.roots, &e.host, &e.share, &e.file_path)
                    {
                        named_in.insert((r.session, s));
                    }
                    read.entry(r.session).or_default().push((*i, found));
                }
                _ => {
                    if self.verdict(r.session) == SessionVerdict::Intruder {
                        self.out.other_writes += 1;
                    } else {
                        self.out.possible_writes += 1;
                    }
                }
            }
        }
        let mut theft: Vec<(u32, String, Vec<usize>)> = vec![];
        for ((s, share), list) in connected {
            if !named_in.contains(&(s, share.clone())) && !self.names_files(&share, s) {
                theft.push((s, share, list));
            }
        }
        let sessions: BTreeSet<u32> = read
            .keys()
            .copied()
            .chain(theft.iter().map(|t| t.0))
            .collect();
        if sessions.is_empty() {
            return Ok(());
        }
        let flows = self.flows_of(&sessions)?;
        for (s, list) in &read {
            let mut distinct: BTreeSet<u32> = BTreeSet::new();
            for (_, f) in list {
                if let [one] = f[..] {
                    distinct.insert(one);
                }
            }
            let bytes: u64 = distinct
                .iter()
                .filter_map(|f| self.input.inventory.files[*f as usize].size)
                .sum();
            let left = self.bytes_out(*s, &flows);
            let verdict = if left > 0 && left >= bytes {
                Verdict::Exfiltrated
            } else {
                Verdict::Consulted
            };
            let before = self.out.touches.len();
            for (i, found) in list {
                self.file_read(&rows[*i], found, verdict);
            }
            if verdict == Verdict::Consulted && self.more_may_have_left(*s) {
                self.may_have_left(before);
            }
        }
        self.thefts(rows, theft, &flows);
        Ok(())
    }
    fn file_read(&mut self, row: &Row, found: &[u32], verdict: Verdict) {
        let source = self.input.case.source_of(row.file);
        match found {
            [] => {
                // A file nobody listed: its share may say what such files hold, not whose.
                let share = Inventory::share_named(
                    &self.roots,
                    &row.e.host,
                    &row.e.share,
                    &row.e.file_path,
                );
                let Some(share) = share else { return };
                let cats = self.share_categories(&share);
                if cats.is_empty() {
                    return;
                }
                let access = self.access(AccessKind::File, &[row], verdict, false);
                let files = self.input.inventory.files_of_share(&share);
                if files.is_empty() {
                    let places: Vec<PlaceId> = self.source_place(source).into_iter().collect();
                    self.out.loose.push(Loose {
                        access,
                        places,
                        categories: cats,
                        up_to: u64::MAX,
                    });
                }
            }
            [one] => {
                let access = self.access(AccessKind::File, &[row], verdict, true);
                self.file_subjects(*one, access, source, true);
            }
            many => {
                let access = self.access(AccessKind::File, &[row], verdict, false);
                for f in many {
                    self.file_subjects(*f, access, source, false);
                }
            }
        }
    }
    /// Persons of a file, touched. Returned are those the inventory is sure of, with their categories.
    fn file_subjects(
        &mut self,
        file: u32,
        access: u32,
        source: u32,
        certain: bool,
    ) -> Vec<(Who, PlaceId, CategorySet)> {
        let inv = self.input.inventory;
        let mut out = vec![];
        for s in inv.subjects(file) {
            let text = inv.strings.get(s.subject);
            let Some(who) = self.people.of_subject(text) else {
                continue;
            };
            let place = self.place_of_subject(text, who, source);
            let derived = catalog::derived(s.categories)
                .into_iter()
                .map(|d| d.0)
                .collect();
            self.touch(who, place, access, s.categories, derived, certain && s.sure);
            if s.sure {
                out.push((who, place, s.categories));
            }
        }
        if inv.files[file as usize].open {
            // Nobody could read all of it: anybody may be inside.
            let mut categories = self.share_categories(inv.share_of(file));
            categories.insert(Category::FreeFile);
            let places: Vec<PlaceId> = self.source_place(source).into_iter().collect();
            self.out.loose.push(Loose {
                access,
                places,
                categories,
                up_to: u64::MAX,
            });
        }
        out
    }
    fn share_categories(&self, share: &str) -> CategorySet {
        self.input
            .case
            .context
            .shares
            .iter()
            .filter(|s| files::share_key(&s.path) == share)
            .filter_map(|s| CategorySet::parse(&s.categories).ok())
            .fold(CategorySet::EMPTY, CategorySet::union)
    }
    /// True when the machine of a share writes file names for anybody: then silence about files means none were read.
    fn names_files(&self, share: &str, session: u32) -> bool {
        let host = share
            .trim_start_matches('\\')
            .split('\\')
            .next()
            .unwrap_or("");
        let list = &self.input.sessions.list;
        let source = list[session as usize].source;
        list.iter()
            .any(|s| s.source == source && short_host(&s.host) == host && s.counts.files > 0)
    }
    /// Flows that start at the addresses of these sessions.
    fn flows_of(&self, sessions: &BTreeSet<u32>) -> Result<Vec<FlowRow>, DoorError> {
        let list = &self.input.sessions.list;
        let addresses: BTreeSet<String> = sessions
            .iter()
            .filter_map(|s| list[*s as usize].origin.address)
            .map(|a| a.to_string())
            .collect();
        let mut out = vec![];
        if addresses.is_empty() {
            return Ok(out);
        }
        let input = self.input;
        let mut columns = ampleur_session::KEY_COLUMNS.to_vec();
        columns.extend(["record", "dst_port", "bytes_in", "bytes_out", "duration_ms"]);
        input.door.scan_columns(
            &Select {
                verbs: vec![Verb::Flow],
                addresses: addresses.iter().cloned().collect(),
                ..Select::default()
            },
            &columns,
            &mut |file, batch| {
                for e in batch.iter() {
                    let (Ok(src), Ok(dst)) = (e.src_ip.parse(), e.dst_ip.parse()) else {
                        continue;
                    };
                    if e.outcome == Outcome::Failure || !addresses.contains(&*e.src_ip) {
                        continue;
                    }
                    let ms = if e.duration_ms == NONE {
                        0
                    } else {
                        e.duration_ms
                    };
                    out.push(FlowRow {
                        at: EvidenceRef {
                            file,
                            record: e.record,
                        },
                        src,
                        dst,
                        port: e.dst_port,
                        from: e.time.saturating_sub(
                            i64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000),
                        ),
                        to: e.time,
                        sent: if e.bytes_out == NONE { 0 } else { e.bytes_out },
                        back: if e.bytes_in == NONE { 0 } else { e.bytes_in },
                        legitimate: input
                            .sessions
                            .of_event(file, &e)
                            .and_then(|s| input.judgements.get(s as usize))
                            .is_some_and(|j| j.verdict == SessionVerdict::Legitimate),
                    });
                }
            },
        )?;
        out.sort_by_key(|f| (f.from, f.at));
        // A line delivered twice is one flow.
        out.dedup_by(|a, b| {
            (a.src, a.dst, a.port, a.from, a.to, a.sent, a.back)
                == (b.src, b.dst, b.port, b.from, b.to, b.sent, b.back)
        });
        Ok(out)
    }
    fn is_inside(&self, a: IpAddr) -> bool {
        private(a)
            || self
                .input
                .case
                .context
                .establishments
                .iter()
                .flat_map(|e| &e.networks)
                .any(|n| in_network(n, a))
    }
    /// What a session carried out may be more than is counted: its tunnel was never closed in the log, or a log that counts bytes has a
    /// gap while its copies may have left.
    fn more_may_have_left(&self, s: u32) -> bool {
        let list = &self.input.sessions.list;
        let me = &list[s as usize];
        let copying = Window::new(me.from, me.to.saturating_add(LEAVES).saturating_add(1));
        self.input.uncounted.iter().any(|w| w.overlaps(&copying))
            || self.doors_of(s).iter().any(|o| {
                let o = &list[*o as usize];
                is_tunnel(o) && !o.closed && o.counts.bytes_out == 0
            })
    }
    /// Persons of the touches from `before` on may have been carried out: for nobody is it established.
    fn may_have_left(&mut self, before: usize) {
        let mut by: BTreeMap<(PlaceId, u32, u16, u16), BTreeSet<Who>> = BTreeMap::new();
        let established = |t: &&Touch| t.verdict == Verdict::Consulted;
        for t in self.out.touches[before..].iter().filter(established) {
            by.entry((t.place, t.access, t.shown, t.derived))
                .or_default()
                .insert(t.who);
        }
        for ((place, access, shown, derived), who) in by {
            let categories = self.out.sets[shown as usize].union(self.out.sets[derived as usize]);
            self.out.partials.push(Partial {
                access,
                place,
                categories,
                verdict: Verdict::Exfiltrated,
                candidates: who.into_iter().collect(),
                at_least: 0,
            });
        }
    }
    /// A session and the doors that made it possible: upwards through the links of sessions that are not legitimate.
    fn doors_of(&self, s: u32) -> BTreeSet<u32> {
        let mut outer: BTreeSet<u32> = BTreeSet::from([s]);
        loop {
            let more: Vec<u32> = self
                .input
                .sessions
                .links
                .iter()
                .filter(|l| {
                    l.certainty >= 0.5 && outer.contains(&l.inner) && !outer.contains(&l.outer)
                })
                .map(|l| l.outer)
                .filter(|o| self.is_bad(*o))
                .collect();
            if more.is_empty() {
                break;
            }
            outer.extend(more);
        }
        outer
    }
    /// Bytes that left through the tunnel of a session's chain, or from the machine it worked on.
    fn bytes_out(&self, s: u32, flows: &[FlowRow]) -> u64 {
        let list = &self.input.sessions.list;
        let me = &list[s as usize];
        let outer = self.doors_of(s);
        let tunnels: u64 = outer
            .iter()
            .map(|o| &list[*o as usize])
            .filter(|o| is_tunnel(o))
            .map(|o| o.counts.bytes_out)
            .sum();
        let mut hosts: BTreeSet<IpAddr> = me.origin.address.into_iter().collect();
        hosts.extend(outer.iter().filter_map(|o| list[*o as usize].inner));
        let first_bad = (0..list.len() as u32)
            .filter(|x| self.verdict(*x) == SessionVerdict::Intruder)
            .map(|x| list[x as usize].from)
            .min()
            .unwrap_or(me.from);
        // Where the machine already sent before the intruder came is its own work.
        let usual: BTreeSet<IpAddr> = flows
            .iter()
            .filter(|f| f.to < first_bad && hosts.contains(&f.src))
            .map(|f| f.dst)
            .collect();
        let direct: u64 = flows
            .iter()
            .filter(|f| {
                hosts.contains(&f.src)
                    && !self.is_inside(f.dst)
                    && !f.legitimate
                    && !usual.contains(&f.dst)
                    && f.to >= me.from
                    && f.from <= me.to.saturating_add(LEAVES)
            })
            .map(|f| f.sent)
            .sum();
        tunnels
            .max(direct)
            .max(me.counts.bytes_out.min(u64::MAX / 2) * u64::from(me.inner.is_some()))
    }
    /// Thefts seen at share level only: bytes, no names.
    fn thefts(&mut self, rows: &[Row], theft: Vec<(u32, String, Vec<usize>)>, flows: &[FlowRow]) {
        let servers = self.server_addresses(flows, &theft);
        let mut by_share: BTreeMap<String, Haul> = BTreeMap::new();
        let mut taken: BTreeSet<EvidenceRef> = BTreeSet::new();
        for (s, share, list) in theft {
            let me = &self.input.sessions.list[s as usize];
            let host = share
                .trim_start_matches('\\')
                .split('\\')
                .next()
                .unwrap_or("")
                .to_string();
            let sure = self.verdict(s) == SessionVerdict::Intruder;
            let e = by_share.entry(share).or_default();
            e.list.extend(list);
            e.sure |= sure;
            let Some(dst) = servers.get(&host) else {
                continue;
            };
            let mut mine = vec![];
            // Of the flows between the two machines, those that begin with the session; others are of another use.
            for f in flows.iter().filter(|f| {
                Some(f.src) == me.origin.address
                    && f.dst == *dst
                    && is_share_port(f.port)
                    && (f.from - me.from).abs() <= 10 * MINUTE
                    && f.to <= me.to.saturating_add(HOUR)
            }) {
                let nearest = self
                    .input
                    .sessions
                    .list
                    .iter()
                    .enumerate()
                    .filter(|(_, o)| {
                        short_host(&o.host) == host && o.origin.address == me.origin.address
                    })
                    .min_by_key(|(i, o)| ((f.from - o.from).abs(), *i))
                    .map(|(i, _)| i as u32);
                if nearest == Some(s) && taken.insert(f.at) {
                    mine.push(f.back);
                    e.flows.insert(f.at);
                }
            }
            if sure {
                e.sessions.push(mine);
            }
        }
        for (share, haul) in by_share {
            let rs: Vec<&Row> = haul.list.iter().map(|i| &rows[*i]).collect();
            let source = self.input.case.source_of(rs[0].file);
            let verdict = Verdict::Exfiltrated;
            let access = self.access(AccessKind::ShareTheft, &rs, verdict, false);
            self.out.accesses[access as usize]
                .evidence
                .extend(haul.flows.iter().copied());
            let inv = self.input.inventory;
            let files = inv.files_of_share(&share);
            if files.is_empty() {
                let cats = self.share_categories(&share);
                if !cats.is_empty() {
                    let places: Vec<PlaceId> = self.source_place(source).into_iter().collect();
                    self.out.loose.push(Loose {
                        access,
                        places,
                        categories: cats,
                        up_to: u64::MAX,
                    });
                }
                continue;
            }
            let mut held: Vec<(u64, Vec<u32>)> = vec![];
            let mut sized = true;
            let mut listed = 0u64;
            let mut groups: BTreeMap<(PlaceId, CategorySet), BTreeSet<Who>> = BTreeMap::new();
            for f in files {
                sized &= inv.files[f as usize].size.is_some();
                let name = inv.strings.get(inv.files[f as usize].path).chars().count() as u64;
                listed = listed.saturating_add(LISTED_ENTRY + 2 * name);
                let who = self.file_subjects(f, access, source, false);
                let mut ids: Vec<u32> = who.iter().map(|w| w.0).collect();
                ids.sort_unstable();
                ids.dedup();
                held.push((inv.files[f as usize].size.unwrap_or(0), ids));
                for (w, p, c) in who {
                    groups.entry((p, c)).or_default().insert(w);
                }
            }
            if !haul.sure {
                continue;
            }
            let listing = listed.saturating_mul(2);
            let payload = haul.payload(listing);
            let fewest = if sized {
                files::fewest_persons(&held, payload)
            } else {
                0
            };
            // With one kind of file the bound holds for its categories; with several, only for those all files share.
            let common = groups
                .keys()
                .map(|k| k.1)
                .reduce(CategorySet::intersect)
                .unwrap_or_default();
            let mut by_place: BTreeMap<PlaceId, BTreeSet<Who>> = BTreeMap::new();
            let mut union: BTreeMap<PlaceId, CategorySet> = BTreeMap::new();
            for ((p, c), w) in &groups {
                by_place.entry(*p).or_default().extend(w);
                let u = union.entry(*p).or_default();
                *u = u.union(*c);
            }
            let single = by_place.len() == 1;
            for (p, w) in by_place {
                let all = union.get(&p).copied().unwrap_or_default();
                let candidates: Vec<Who> = w.into_iter().collect();
                for (cats, least) in [
                    (common, if single { fewest } else { 0 }),
                    (all.without(common), 0),
                ] {
                    if !cats.is_empty() {
                        self.out.partials.push(Partial {
                            access,
                            place: p,
                            categories: cats,
                            verdict,
                            candidates: candidates.clone(),
                            at_least: least,
                        });
                    }
                }
            }
        }
    }
    /// Addresses of file servers: known from the logs, else the address to which flows begin when sessions there begin.
    fn server_addresses(
        &self,
        flows: &[FlowRow],
        theft: &[(u32, String, Vec<usize>)],
    ) -> BTreeMap<String, IpAddr> {
        let list = &self.input.sessions.list;
        let mut out = BTreeMap::new();
        let mut votes: BTreeMap<String, BTreeMap<IpAddr, u64>> = BTreeMap::new();
        for (_, share, _) in theft {
            let host = share
                .trim_start_matches('\\')
                .split('\\')
                .next()
                .unwrap_or("")
                .to_string();
            if out.contains_key(&host) || votes.contains_key(&host) {
                continue;
            }
            let known = self.input.sessions.machines.get(&host);
            if let Some(a) = known.filter(|k| k.len() == 1).and_then(|k| k.first()) {
                out.insert(host, *a);
                continue;
            }
            let mut v: BTreeMap<IpAddr, u64> = BTreeMap::new();
            for s in list.iter().filter(|s| short_host(&s.host) == host) {
                let Some(src) = s.origin.address else {
                    continue;
                };
                let from = flows.partition_point(|f| f.from < s.from - 2 * MINUTE);
                for f in flows[from..]
                    .iter()
                    .take_while(|f| f.from <= s.from + 2 * MINUTE)
                {
                    if f.src == src && is_share_port(f.port) {
                        // Nearer in time is likelier; a minute apart is a tenth as good.
                        let d = (f.from - s.from).abs() / SECOND;
                        *v.entry(f.dst).or_default() += 1000 / (1 + d.unsigned_abs());
                    }
                }
            }
            votes.insert(host, v);
        }
        // Each address is one machine: the strongest claim first.
        let mut claims: Vec<(u64, String, IpAddr)> = votes
            .iter()
            .flat_map(|(h, v)| v.iter().map(|(a, n)| (*n, h.clone(), *a)))
            .collect();
        claims.sort_by(|a, b| (b.0, &a.1, a.2).cmp(&(a.0, &b.1, b.2)));
        let mut given: BTreeSet<IpAddr> = out.values().copied().collect();
        for (_, h, a) in claims {
            if !out.contains_key(&h) && given.insert(a) {
                out.insert(h, a);
            }
        }
        out
    }
    /// Shares of which a file was published that no log shows him taking: their logs do not tell everything.
    fn stolen_unseen(&self, rows: &[Row]) -> BTreeSet<String> {
        let inventory = self.input.inventory;
        let leaked: BTreeSet<u32> = self
            .input
            .leaks
            .iter()
            .filter_map(|l| match crate::leak::find(inventory, l) {
                LeakMatch::File(f) => Some(f),
                _ => None,
            })
            .collect();
        if leaked.is_empty() {
            return BTreeSet::new();
        }
        let mut seen: BTreeSet<u32> = BTreeSet::new();
        let mut moved: BTreeSet<String> = BTreeSet::new();
        for r in rows {
            match r.e.verb {
                Verb::FileRead | Verb::FileRename => {
                    seen.extend(inventory.find(&self.roots, &r.e.host, &r.e.share, &r.e.file_path))
                }
                // Only the share is logged, not its files: the flow says how much was taken.
                Verb::ShareConnect => {
                    let share = Inventory::share_named(&self.roots, &r.e.host, &r.e.share, "");
                    moved.extend(share);
                }
                _ => {}
            }
        }
        let read: BTreeSet<&str> = seen.iter().map(|f| inventory.share_of(*f)).collect();
        leaked
            .iter()
            .filter(|f| !seen.contains(*f))
            .map(|f| inventory.share_of(*f))
            .filter(|share| read.contains(share) || !moved.contains(*share))
            .map(str::to_string)
            .collect()
    }
    /// Shares nobody logs, or whose log is silent for a time in which he was there, and that the intruder could reach: everybody in
    /// them is exposed.
    fn unlogged_shares(&mut self, rows: &[Row]) {
        let stolen_unseen = self.stolen_unseen(rows);
        let list = &self.input.sessions.list;
        let bad: Vec<u32> = (0..list.len() as u32).filter(|s| self.is_bad(*s)).collect();
        // Only somebody inside the network reaches a file share.
        let inside: Vec<u32> = bad
            .iter()
            .copied()
            .filter(|s| {
                let x = &list[*s as usize];
                x.inner.is_some()
                    || x.account.as_ref().is_some_and(|a| {
                        matches!(a.system, System::Ad | System::Smb | System::Host)
                    })
            })
            .collect();
        if inside.is_empty() {
            return;
        }
        let mut shares: BTreeSet<String> = self.input.inventory.shares().into_iter().collect();
        shares.extend(
            self.input
                .case
                .context
                .shares
                .iter()
                .map(|s| files::share_key(&s.path)),
        );
        let hosts: BTreeSet<String> = list.iter().map(|s| short_host(&s.host)).collect();
        for share in shares {
            let host = share
                .trim_start_matches('\\')
                .split('\\')
                .next()
                .unwrap_or("")
                .to_string();
            let logged = hosts.contains(&host) || self.input.logged_hosts.contains(&host);
            let silent = self.input.silent_hosts.contains(&host) || stolen_unseen.contains(&share);
            if host.is_empty() || logged && !silent {
                continue;
            }
            let address = self.input.sessions.machines.get(&host);
            let reach = |s: &u32| {
                let Some(a) = &list[*s as usize].account else {
                    return true;
                };
                let limits: Vec<&String> = self
                    .input
                    .case
                    .context
                    .accounts
                    .iter()
                    .filter(|e| ampleur_event::Account::parse(&e.name).key() == a.key())
                    .flat_map(|e| &e.may_reach)
                    .collect();
                limits.is_empty()
                    || address.is_none_or(|l| {
                        l.iter().any(|ip| limits.iter().any(|n| in_network(n, *ip)))
                    })
            };
            let Some(by) = inside.iter().find(|s| reach(s)).copied() else {
                continue;
            };
            let files = self.input.inventory.files_of_share(&share);
            self.out
                .blind_shares
                .push((share.clone(), !files.is_empty()));
            if files.is_empty() {
                continue;
            }
            let s = &list[by as usize];
            self.out.accesses.push(Access {
                time: s.from,
                kind: AccessKind::ShareReach,
                sessions: vec![by],
                doubtful: true,
                verdict: Verdict::Exposed,
                proven: false,
                evidence: vec![],
                source: s.source,
            });
            let access = (self.out.accesses.len() - 1) as u32;
            for f in files {
                self.file_subjects(f, access, s.source, false);
            }
        }
    }
    fn leaks(&mut self) {
        for l in self.input.leaks {
            let (found, certain) = match crate::leak::find(self.input.inventory, l) {
                LeakMatch::None => continue,
                LeakMatch::File(f) => (vec![f], true),
                LeakMatch::Among(f) => (f, false),
            };
            self.out.accesses.push(Access {
                time: NO_TIME,
                kind: AccessKind::Leak,
                sessions: vec![],
                doubtful: false,
                verdict: Verdict::Leaked,
                proven: certain,
                evidence: vec![],
                source: 0,
            });
            let access = (self.out.accesses.len() - 1) as u32;
            let mut holds: Vec<BTreeSet<(Who, PlaceId)>> = vec![];
            let mut cats = CategorySet::EMPTY;
            for f in &found {
                holds.push(
                    self.file_subjects(*f, access, 0, certain)
                        .into_iter()
                        .map(|(w, p, _)| (w, p))
                        .collect(),
                );
                for s in self.input.inventory.subjects(*f) {
                    cats = cats.union(s.categories);
                }
            }
            if !certain {
                // One of the files was published: at least the fewest persons of one of them.
                let least = holds.iter().map(BTreeSet::len).min().unwrap_or(0) as u64;
                let all: BTreeSet<(Who, PlaceId)> = holds.into_iter().flatten().collect();
                let places: BTreeSet<PlaceId> = all.iter().map(|x| x.1).collect();
                for p in &places {
                    self.out.partials.push(Partial {
                        access,
                        place: *p,
                        categories: cats,
                        verdict: Verdict::Leaked,
                        candidates: all.iter().filter(|x| x.1 == *p).map(|x| x.0).collect(),
                        at_least: if places.len() == 1 { least } else { 0 },
                    });
                }
            }
        }
    }
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
    order: Option<String>,
}

/// The column or table an error says is not there: what stands behind its code, without a qualifier.
fn named_in(why: &str) -> Option<&str> {
    let mut words = why.split_whitespace();
    words.find(|w| matches!(*w, "42703" | "42p01"))?;
    words.next()?.rsplit('.').next().filter(|n| !n.is_empty())
}

/// True when a lower-case word stands in a statement as a whole.
fn has_word(statement: &str, word: &str) -> bool {
    statement
        .to_lowercase()
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .any(|w| w == word)
}

/// A request whose answer nobody kept.
struct Lone {
    access: u32,
    session: u32,
    line_source: u32,
    bytes: Option<u64>,
    page: Option<u64>,
    categories: CategorySet,
}

impl Lone {
    fn of(
        w: &mut Work<'_, '_, '_>,
        rows: &[&Row],
        line: Option<&Row>,
        verdict: Verdict,
        categories: CategorySet,
        page: Option<u64>,
    ) -> Lone {
        let access = w.access(AccessKind::Search, rows, verdict, false);
        Lone {
            access,
            session: rows[0].session,
            line_source: w.input.case.source_of(line.unwrap_or(rows[0]).file),
            bytes: line.map(|l| l.e.bytes_in).filter(|b| *b != NONE),
            page,
            categories,
        }
    }
}

#[derive(Debug, Clone)]
struct FlowRow {
    at: EvidenceRef,
    src: IpAddr,
    dst: IpAddr,
    port: u64,
    from: Nanos,
    to: Nanos,
    sent: u64,
    back: u64,
    legitimate: bool,
}

/// Two rows of one access are at most this far apart in two logs (second stamps, a slow answer).
const JOIN: Nanos = 3 * SECOND;

/// Categories outside the identity base: a record cannot lack them.
fn carried_not(carried: CategorySet) -> CategorySet {
    Category::ALL
        .iter()
        .copied()
        .collect::<CategorySet>()
        .without(carried)
}

fn everything_set() -> CategorySet {
    CategorySet::of(&[
        Category::CareDate,
        Category::CareUnit,
        Category::CarePro,
        Category::CarePlace,
        Category::CareReason,
        Category::HealthState,
        Category::HealthResult,
        Category::HealthDrug,
        Category::HealthAct,
        Category::HealthAllergy,
        Category::HealthDoc,
    ])
}

/// The statements of one backend, in order of time.
struct Texts<'e> {
    list: Vec<&'e Event<'e>>,
    by_id: FxHashMap<&'e str, usize>,
}

impl<'e> Texts<'e> {
    fn of(rows: impl Iterator<Item = &'e Event<'e>>) -> Texts<'e> {
        let list: Vec<&Event<'_>> = rows.filter(|e| !e.query.trim().is_empty()).collect();
        let ids = list.iter().enumerate();
        let by_id = ids
            .filter_map(|(i, e)| Some((e.extra_value("query_id")?, i)))
            .collect();
        Texts { list, by_id }
    }
    /// True when a row that only names an object belongs to one of them: the auditor says so by number, else by its name at that time.
    fn tell_of(&self, e: &Event<'_>) -> bool {
        const NEAR: Nanos = 2 * SECOND;
        let table = e.object.rsplit('.').next().unwrap_or("").trim();
        let names = |t: &Event<'_>| !table.is_empty() && contains_word(&t.query, table);
        if let Some(id) = e.extra_value("query_id") {
            return self.by_id.get(id).is_some_and(|i| names(self.list[*i]));
        }
        let from = self.list.partition_point(|t| t.time < e.time - NEAR);
        let near = self.list[from..].iter();
        near.take_while(|t| t.time <= e.time + NEAR)
            .any(|t| names(t))
    }
}

/// True when a name stands in a text, whatever its case, and not as a part of another.
fn contains_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_lowercase(), word.to_lowercase());
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(&word)
        .any(|(i, _)| !text[..i].ends_with(part) && !text[i + word.len()..].starts_with(part))
}

/// True for a code of failure after which rows may have been sent: the statement was killed, ran out of time, or its client went away.
fn cut_short(format: &str, code: u64) -> bool {
    match format {
        // ORA-00028, 01013, 01089, 01092, 01555, 02396, 02399, 03113, 03114, 03135, 12571.
        "oracle-audit" => matches!(
            code,
            28 | 1013 | 1089 | 1092 | 1555 | 2396 | 2399 | 3113 | 3114 | 3135 | 12571
        ),
        // ER_ABORTING_CONNECTION, ER_NET_*, ER_SERVER_SHUTDOWN, ER_QUERY_INTERRUPTED, ER_QUERY_TIMEOUT, client lost.
        "mysql" => matches!(
            code,
            1028 | 1053 | 1077 | 1152 | 1158
                ..=1161 | 1184 | 1317 | 1927 | 1969 | 2006 | 2013 | 3024
        ),
        // Attention, severe errors after rows have begun to flow, timeouts.
        "mssql" => matches!(code, 1222 | 3617 | 3621 | 596 | 1205),
        _ => false,
    }
}

/// The statement of a row. One that only names an object read all of it, for all anybody knows; one that names nothing is not understood.
fn asked(e: &Event<'_>, tables: &[ampleur_event::context::Table]) -> sql::Statement {
    if !e.query.trim().is_empty() || e.object.trim().is_empty() {
        return sql::parse(&e.query, tables);
    }
    let action = e.action.to_ascii_lowercase();
    let one_of = |words: &[&str]| words.iter().any(|w| action.contains(w));
    if one_of(&["write", "update", "insert", "delete"]) {
        return sql::parse("update", tables);
    }
    if !one_of(&["select", "read", "find", "get", "query", "execute"]) && !action.is_empty() {
        return sql::parse(&action, tables);
    }
    let mut st = sql::parse("select *", tables);
    st.kind = sql::Kind::Select;
    st.star = true;
    st.tables = vec![e.object.trim().to_lowercase()];
    st.rows = Expr::Unknown;
    st.reshaped = true;
    st
}

fn url_host(url: &str) -> Option<&str> {
    let rest = &url[url.find("://")? + 3..];
    Some(&rest[..rest.find(['/', '?']).unwrap_or(rest.len())])
}

/// Method and path of a row, for joining two logs of one request.
fn path_key(e: &Event<'_>) -> String {
    let url = if e.url.is_empty() {
        &*e.object
    } else {
        &*e.url
    };
    let (path, _) = fhir::split_url(url);
    let path = fhir::percent_decode(path, false);
    // The audit may know the resource only (`Patient/7`), the proxy the full path (`/fhir/Patient/7`).
    let from = path.split('/').position(fhir::is_type);
    let path = match from {
        Some(i) => path.split('/').skip(i).collect::<Vec<_>>().join("/"),
        None => path.trim_matches('/').to_string(),
    };
    path.trim_end_matches('/').to_string()
}

/// What makes two pages one question: the criteria without paging.
fn search_key(url: &str, criteria: &str) -> String {
    let (_, query) = fhir::split_url(url);
    let mut pairs = fhir::pairs(query);
    if criteria != query {
        pairs.extend(fhir::pairs(criteria));
    }
    pairs.retain(|(k, _)| {
        !matches!(
            k.as_str(),
            "_count"
                | "_offset"
                | "_page"
                | "page"
                | "offset"
                | "count"
                | "_getpagesoffset"
                | "_format"
                | "_total"
        )
    });
    pairs.sort();
    pairs.dedup();
    pairs
        .into_iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect::<Vec<_>>()
        .join("&")
}

/// What makes two statements pages of one: the text without its limit, offset and layout.
fn statement_key(sql: &str) -> String {
    let words: Vec<String> = sql.split_whitespace().map(str::to_lowercase).collect();
    let mut out = vec![];
    let mut skip = false;
    for w in words {
        if skip {
            skip = false;
            continue;
        }
        if w == "limit" || w == "offset" {
            skip = true;
            continue;
        }
        out.push(w.trim_end_matches(';').to_string());
    }
    out.join(" ")
}

fn is_body_search_without_criteria(method: &str, url: &str, criteria: &str) -> bool {
    let (path, query) = fhir::split_url(url);
    criteria.is_empty()
        && (method.eq_ignore_ascii_case("POST") || path.ends_with("_search"))
        && !fhir::pairs(query).iter().any(|(k, _)| !k.starts_with('_'))
}

fn digits(s: &str) -> String {
    s.chars().filter(char::is_ascii_digit).collect()
}

fn same_execution(a: &str, b: &str) -> bool {
    let (va, vb) = (given_with(a), given_with(b));
    plain_statement(a) == plain_statement(b) && (va == vb || va.is_empty() || vb.is_empty())
}

/// The values a statement was given, as the log tells them; empty when it does not.
fn given_with(s: &str) -> &str {
    s.rfind(sql::PARAMETERS)
        .map_or("", |at| &s[at + sql::PARAMETERS.len()..])
}

/// The same text, whatever it was given, or one is the other cut short.
fn may_be_one(a: &str, b: &str) -> bool {
    let (a, b) = (plain_statement(a), plain_statement(b));
    a.starts_with(&b) || b.starts_with(&a)
}

fn plain_statement(s: &str) -> String {
    let text = s.rfind(sql::PARAMETERS).map_or(s, |at| &s[..at]);
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .trim_end_matches(';')
        .to_lowercase()
}

fn main_is_patients(name: &str) -> bool {
    let n = name.rsplit('.').next().unwrap_or(name);
    ["patient", "identite", "usager", "individu"]
        .iter()
        .any(|w| n.contains(w))
}

/// A way into the network, which counts what passes.
fn is_tunnel(s: &Session) -> bool {
    s.account.as_ref().is_some_and(|a| a.system == System::Vpn) || s.inner.is_some()
}

fn is_share_port(p: u64) -> bool {
    matches!(p, 445 | 139 | 2049)
}

/// Addresses that never appear on the public network.
pub(crate) fn private(a: IpAddr) -> bool {
    match a {
        IpAddr::V4(v) => {
            v.is_private() || v.is_loopback() || v.is_link_local() || {
                let o = v.octets();
                o[0] == 100 && (64..128).contains(&o[1])
            }
        }
        IpAddr::V6(v) => {
            v.is_loopback()
                || (v.segments()[0] & 0xfe00) == 0xfc00
                || (v.segments()[0] & 0xffc0) == 0xfe80
        }
    }
}

/// True when `net` (`10.0.0.0/8`, or one address) holds the address.
pub(crate) fn in_network(net: &str, a: IpAddr) -> bool {
    let (base, bits) = net.split_once('/').unwrap_or((net, ""));
    let Ok(base) = base.parse::<IpAddr>() else {
        return false;
    };
    match (base, a) {
        (IpAddr::V4(b), IpAddr::V4(a)) => {
            let n: u32 = bits.parse().unwrap_or(32).min(32);
            let mask = if n == 0 { 0 } else { u32::MAX << (32 - n) };
            u32::from(b) & mask == u32::from(a) & mask
        }
        (IpAddr::V6(b), IpAddr::V6(a)) => {
            let n: u32 = bits.parse().unwrap_or(128).min(128);
            let mask = if n == 0 { 0 } else { u128::MAX << (128 - n) };
            u128::from(b) & mask == u128::from(a) & mask
        }
        _ => false,
    }
}
