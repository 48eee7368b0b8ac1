//! Upper bounds: what could have been seen where nobody was looking (design §6, law L11).
//!
//! A hole of a source that tells widens the answer only while the intruder could have been present: during a session of his, or
//! while a door he could use is itself in a hole. What he could have seen there is limited by rights, by the bytes that left, by the
//! number of missing records and by the population. Nothing here lowers a bound because evidence is missing.
use crate::catalog;
use crate::coverage::{Coverage, Hole, Kind, SourceCoverage, State, Why};
use crate::pace::Pause;
use ampleur_event::{
    Account, Category, Context, Nanos, System, Window,
    category::CategorySet,
    context::Population,
    time::{MINUTE, SECOND, rfc3339},
};
use std::collections::{BTreeMap, BTreeSet};

/// One judged use of an account, as far as bounds need it. `[from, to]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Presence {
    /// `system:name`; `None` for a session without an account.
    pub account: Option<String>,
    pub system: System,
    /// Index of the source the session was seen in.
    pub source: u32,
    pub from: Nanos,
    pub to: Nanos,
    /// Until when what was let in may be used again: the end, or as long as an identity provider's session lives that nobody ended.
    pub live: Nanos,
    /// Judged intruder (else doubtful).
    pub certain: bool,
    /// The session's first link of its chain: nothing outside made it possible.
    pub outermost: bool,
    /// An end was seen.
    pub closed: bool,
    /// He got in: a login of this session succeeded.
    pub entered: bool,
}

/// A place that holds data and that no source watches: a share of a server whose log was never collected, a database without audit.
#[derive(Debug, Clone, PartialEq)]
pub struct BlindPlace {
    pub name: String,
    pub establishment: String,
    pub categories: Vec<Category>,
    /// Persons it holds, by the inventory; `None` when nobody knows.
    pub persons: Option<u64>,
}

/// What bounds need to know. Plain data, filled by the assembly.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Sessions judged intruder or doubtful.
    pub presences: Vec<Presence>,
    /// Establishments of the case, sorted.
    pub establishments: Vec<String>,
    /// Persons of the last snapshot per establishment.
    pub population: BTreeMap<String, u64>,
    /// Persons of the last snapshot who have a value for the category; absent: the whole population.
    pub population_with: BTreeMap<(String, Category), u64>,
    /// Persons over all establishments, each once.
    pub persons: u64,
    /// Staff known (persons of the context, inventory); bound for STAFF.* and PRO.*.
    pub staff: u64,
    /// Places the intruder could reach and nobody watched.
    pub blind: Vec<BlindPlace>,
    /// Bytes that left in the intruder's sessions while a hole of the source was open; absent: not measured, no limit.
    pub bytes_out: BTreeMap<u32, u64>,
    /// Fewest bytes one person's record was ever answered with, by source; absent: not calibrated.
    pub bytes_per_person: BTreeMap<u32, u64>,
    /// Most persons one record of the source ever named; with numbered gaps it limits what the missing records can hold.
    pub persons_per_record: BTreeMap<u32, u64>,
    /// Pauses in a program's pace in which lines may have been lost.
    pub pauses: Vec<Pause>,
    /// Logins of his after which a source that hears everybody else's heard nothing, and how long they let in.
    pub unheard: Vec<(u32, Window)>,
    /// Most persons a record of the source that cannot be read may have shown; absent: one.
    pub persons_per_reject: BTreeMap<u32, u64>,
    /// Establishments whose persons the source was seen to serve, whatever it is declared for.
    pub served: BTreeMap<u32, BTreeSet<String>>,
    /// Texts that show somebody else in such a record: addresses and professionals' numbers of sessions that are nobody's but theirs.
    pub others: BTreeSet<String>,
    /// Texts that show the intruder in a record that could only be read in part: his addresses.
    pub addresses: BTreeSet<String>,
}

/// What one hole or blind place may hide in one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Widening {
    pub establishment: String,
    pub category: Category,
    /// Categories it would follow from; empty when it would have been shown itself.
    pub from: Vec<Category>,
    /// Persons who could have been reached, at most (those already established included).
    pub at_most: u64,
    /// Source or place, stable text.
    pub because: String,
    pub fr: String,
    pub en: String,
}

/// Persons reachable in one cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CellReach {
    /// At most: the sum over reasons, never above the population of the cell.
    pub persons: u64,
    /// Some reason would have shown the category itself.
    pub direct: bool,
    /// Else it would follow from these.
    pub from: BTreeSet<Category>,
}

/// The bounds of a case.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// One per (establishment, category, reason), sorted.
    pub widenings: Vec<Widening>,
    /// The parts of holes the intruder could have used, sorted by (source, window).
    pub usable: Vec<Hole>,
    pub cells: BTreeMap<(String, Category), CellReach>,
    /// Persons reachable over the whole case, each once; staff included.
    pub persons: u64,
    /// Patients reachable, each once.
    pub patients: u64,
    /// Records that could not be decoded and may be accesses of the intruder (contract §B). Each can hide as many persons as the
    /// fullest readable record of its source named.
    pub possible_accesses: u64,
    /// Gaps the intruder was there in, and which only logs close whose records nobody counts, sorted: no figure is wider for them,
    /// but no list is complete by their word alone.
    pub on_trust: Vec<Hole>,
}

/// A bound in words: `∞` where nobody knows one.
pub(crate) fn told(n: u64) -> String {
    if n >= UNBOUNDED {
        "∞".into()
    } else {
        n.to_string()
    }
}

/// The categories with those that come with them: each with what it follows from (empty when it is one of the set) and how many
/// persons may have it, when `people` tells how many may have one of the set.
fn spread(
    set: CategorySet,
    people: impl Fn(Category) -> u64,
) -> Vec<(Category, Vec<Category>, u64)> {
    let mut out: Vec<(Category, Vec<Category>, u64)> =
        set.iter().map(|c| (c, vec![], people(c))).collect();
    let most_patients = set
        .iter()
        .filter(|c| !c.is_staff())
        .map(&people)
        .max()
        .unwrap_or(0);
    let mut follows: BTreeMap<Category, Vec<Category>> = BTreeMap::new();
    for (c, from) in catalog::derived(set) {
        follows.entry(c).or_default().push(from);
    }
    for (c, from) in follows {
        let n = match c {
            Category::CareExistence => most_patients,
            _ => from.iter().map(|f| people(*f)).max().unwrap_or(0),
        };
        out.push((c, from, n));
    }
    // A record that holds what tells a category need not hold the category itself: both ways count.
    for (c, _, n) in &mut out {
        for f in set.iter().filter(|f| f.derives().contains(c)) {
            *n = (*n).max(people(f));
        }
    }
    out
}

impl Bounds {
    /// One more reason; the cell never rises above `cap`.
    fn put(&mut self, w: Widening, cap: u64) {
        let cell = self
            .cells
            .entry((w.establishment.clone(), w.category))
            .or_default();
        cell.persons = cell
            .persons
            .saturating_add(w.at_most)
            .min(cap.max(cell.persons));
        cell.direct |= w.from.is_empty();
        cell.from.extend(w.from.iter().copied());
        self.widenings.push(w);
    }
    /// Upper bound of a cell in which `established` persons are already counted: nobody is counted twice, and never more than
    /// the cell can hold.
    pub fn exposed_beside(
        &self,
        facts: &Facts,
        establishment: &str,
        category: Category,
        established: u64,
    ) -> u64 {
        let Some(reach) = self.cells.get(&(establishment.to_string(), category)) else {
            return 0;
        };
        reach.persons.min(
            facts
                .holders(establishment, category)
                .saturating_sub(established),
        )
    }
}

pub(crate) const UNBOUNDED: u64 = ampleur_event::Interval::UNBOUNDED;

impl Facts {
    /// True when the source may hold data of the establishment: it is declared for it, or for none, or was seen to serve it.
    fn holds_data_of(&self, s: &SourceCoverage, establishment: &str) -> bool {
        s.speaks_for(Some(establishment))
            || self
                .served
                .get(&s.index)
                .is_some_and(|e| e.contains(establishment))
    }
    /// Persons who have a value of the category in the establishment, at most. Without an identity base nobody knows: no limit.
    pub fn holders(&self, establishment: &str, category: Category) -> u64 {
        if category.is_staff() {
            return self.staff;
        }
        if let Some(n) = self
            .population_with
            .get(&(establishment.to_string(), category))
        {
            return *n;
        }
        let unknown = if self.population.is_empty() {
            UNBOUNDED
        } else {
            0
        };
        self.population
            .get(establishment)
            .copied()
            .unwrap_or(unknown)
    }
}

/// Systems whose logins open each other's doors: a portal login is an identity-provider login; a domain account opens shares.
pub fn related(a: System, b: System) -> bool {
    fn family(s: System) -> u8 {
        match s {
            System::Oidc | System::Rpps | System::Web | System::Cloud => 1,
            System::Ad | System::Smb | System::Host | System::Citrix | System::Bastion => 2,
            System::Vpn => 3,
            System::Db => 4,
            System::Mail => 5,
            System::Unknown => 0,
        }
    }
    family(a) == family(b) || a == System::Unknown || b == System::Unknown
}

/// True when the intruder holds something that opens this source: a session of his was seen in it, or it knows accounts of a kind
/// he has, or nothing is known of its accounts. Whoever works on a machine inside may use what its programs use: a database opens to
/// him, under whatever account. Whoever has a tunnel stands before everything inside, and the same person's other account is a password
/// away.
fn opens(s: &SourceCoverage, presences: &[Presence]) -> bool {
    let inside = |p: &Presence| {
        matches!(
            p.system,
            System::Ad | System::Smb | System::Host | System::Citrix | System::Bastion
        )
    };
    s.systems.is_empty()
        || presences.iter().any(|p| {
            p.source == s.index
                || (p.system == System::Vpn && !s.tells.is_empty())
                || s.systems
                    .iter()
                    .any(|x| related(*x, p.system) || (*x == System::Db && inside(p)))
        })
}

/// Windows in which the intruder was seen, joined; and holes of doors he could use.
struct Possible {
    seen: Vec<Window>,
    /// The same, with the time a login may have been used again unseen.
    live: Vec<Window>,
    doors: Vec<Hole>,
    /// No source stands at any door: he could have come at any time.
    always: bool,
}

fn possible(facts: &Facts, coverage: &Coverage) -> Possible {
    let until = |end: &dyn Fn(&Presence) -> Nanos| {
        let window = |p: &Presence| Window::new(p.from, end(p).max(p.from).saturating_add(SECOND));
        let mut all: Vec<Window> = facts.presences.iter().map(window).collect();
        all.sort();
        merge(all)
    };
    let (seen, live) = (until(&|p| p.to), until(&|p| p.to.max(p.live)));
    let outer: BTreeSet<u32> = facts
        .presences
        .iter()
        .filter(|p| p.outermost)
        .map(|p| p.source)
        .collect();
    let relevant = |s: &SourceCoverage| {
        facts.presences.is_empty() || outer.contains(&s.index) || opens(s, &facts.presences)
    };
    let doors = coverage
        .presence_holes(coverage.window)
        .into_iter()
        .filter(|h| coverage.source(h.source).is_some_and(relevant))
        .collect();
    let any_door = coverage.sources.iter().any(|s| s.door && relevant(s));
    // Without a door log the sources that tell are their own witnesses of presence; only their holes are blind, all of them.
    Possible {
        seen,
        live,
        doors,
        always: !any_door,
    }
}

fn merge(sorted: Vec<Window>) -> Vec<Window> {
    let mut out: Vec<Window> = Vec::new();
    for w in sorted {
        match out.last_mut() {
            Some(l) if w.from <= l.to => l.to = l.to.max(w.to),
            _ => out.push(w),
        }
    }
    out
}

/// Parts of holes that the intruder could have used. The flag says that any account could have been used there, for a door was open.
fn usable_holes(facts: &Facts, coverage: &Coverage, trusted: &[OnTrust]) -> Vec<(Hole, bool)> {
    let p = possible(facts, coverage);
    let mut out: Vec<(Hole, bool)> = Vec::new();
    for h in coverage.holes(coverage.window, None, crate::coverage::every_category()) {
        let Some(s) = coverage.source(h.source) else {
            continue;
        };
        // What spoke and cannot tell who is as good as not handed over.
        let h = match s.untold {
            Some(_) => Hole {
                state: State::Gap,
                ..h
            },
            None => h,
        };
        let mut parts: Vec<(Window, bool)> = Vec::new();
        if opens(s, &facts.presences) {
            // He left this source before its last record, and what is unproven after it is short: no opening.
            let left = |w: &Window| {
                let near = w.from.saturating_add(MINUTE);
                let here = || facts.presences.iter().filter(|x| x.source == s.index);
                h.state == State::Unknown
                    && w.length() <= 30 * MINUTE
                    && here().any(|x| x.closed && x.to <= near)
                    && !here().any(|x| x.to > near && x.from < w.to)
            };
            // What is known to be missing may have held what a login still allowed; what merely cannot prove itself, not.
            let there = if h.state == State::Gap {
                &p.live
            } else {
                &p.seen
            };
            parts.extend(
                there
                    .iter()
                    .filter_map(|w| w.intersect(&h.window))
                    .filter(|w| !left(w))
                    .map(|w| (w, false)),
            );
        }
        for d in &p.doors {
            // Two sources that merely cannot prove themselves are no opening.
            if d.state == State::Unknown && h.state == State::Unknown {
                continue;
            }
            // With an intruder known, a door that merely cannot prove itself is no opening either while he was not seen.
            if d.state == State::Unknown && facts.presences.is_empty() {
                continue;
            }
            if let Some(w) = d.window.intersect(&h.window) {
                parts.push((w, true));
            }
        }
        // Where no intruder is known, a source that should have told and did not is the very place where he would have shown.
        if h.state == State::Gap && facts.presences.is_empty() {
            parts.push((h.window, true));
        }
        if p.always && h.state == State::Gap && opens(s, &facts.presences) {
            // Nothing but this source would have shown with which account he came.
            parts.push((h.window, true));
        }
        parts.sort();
        parts.dedup();
        let any = parts.iter().any(|x| x.1);
        for w in merge(parts.into_iter().map(|x| x.0).collect()) {
            out.push((
                Hole {
                    window: w,
                    ..h.clone()
                },
                any,
            ));
        }
    }
    let unheard = trusted.iter().filter(|t| t.unheard);
    out.extend(unheard.map(|t| (t.hole.clone(), false)));
    for (source, window) in &facts.unheard {
        let Some(s) = coverage.source(*source) else {
            continue;
        };
        let taken_out = Hole {
            source: s.index,
            name: s.name.clone(),
            door: None,
            establishment: s.establishment.clone(),
            window: *window,
            state: State::Gap,
            kind: Kind::Tamper,
            missing: None,
            categories: s.tells,
            why: Why::new(
                "rien après une connexion de l’intrus, alors que les autres y sont toutes suivies",
                "nothing after a login of the intruder, though all others are followed there",
            ),
        };
        out.push((taken_out, false));
    }
    let behind = behind_cut_doors(facts, coverage).into_iter();
    out.extend(behind.filter(|h| !h.1).map(|h| (h.0, true)));
    out.sort_by_key(|a| (a.0.source, a.0.window, a.0.kind));
    out
}

/// Records of a door are missing by their numbers: whoever took out the lines of his coming may have taken out all he did behind it,
/// from every log whose records nobody counts. The flag says that the log heard him all the same: no fewer uses that no login is there
/// for than records are missing.
fn behind_cut_doors(facts: &Facts, coverage: &Coverage) -> Vec<(Hole, bool)> {
    let mut out = vec![];
    for door in coverage.sources.iter().filter(|s| s.door) {
        let cut = (door.stretches.iter())
            .filter(|st| st.state == State::Gap && st.kind == Kind::Sequence);
        for st in cut {
            let until = st.window.to.saturating_add(ampleur_session::ID_LIFE);
            let window = Window::new(st.window.from, until);
            let Some(window) = window.intersect(&coverage.window) else {
                continue;
            };
            let behind = coverage.sources.iter().filter(|s| {
                let apart = (s.establishment.as_ref())
                    .zip(door.establishment.as_ref())
                    .is_some_and(|(_, d)| !facts.holds_data_of(s, d));
                s.index != door.index && !s.tells.is_empty() && !s.guarded && !apart
            });
            out.extend(behind.map(|s| {
                let hole = Hole {
                    source: s.index,
                    name: s.name.clone(),
                    door: Some(door.name.clone()),
                    establishment: s.establishment.clone(),
                    window,
                    state: State::Gap,
                    kind: Kind::Tamper,
                    missing: None,
                    categories: s.tells,
                    why: Why::new(
                        format!("il manque des enregistrements à {} : ce qui s’est fait derrière a pu être retiré aussi", door.name),
                        format!("records of {} are missing: what was done behind it may have been taken out too", door.name),
                    ),
                };
                let uses = uses_without_login(facts, coverage, &st.window, s);
                // A login is one record or more: so none is left that let in somebody nobody heard.
                let heard = st.missing.is_some_and(|n| 0 < n && n <= uses);
                (hole, heard)
            }));
        }
    }
    out
}

/// Uses of the intruder in a log that began in that time and that no login at a door let in; those of one account within the life
/// of a login are one.
fn uses_without_login(
    facts: &Facts,
    coverage: &Coverage,
    time: &Window,
    s: &SourceCoverage,
) -> u64 {
    let key = |p: &Presence| {
        let bare = |a: &String| {
            a.split_once(':')
                .map_or(a.clone(), |(_, name)| name.to_string())
        };
        p.account.as_ref().map(bare)
    };
    // Whose account nobody knows may be anybody's.
    let same = |a: &Presence, b: &Presence| {
        let (a, b) = (key(a), key(b));
        a.is_none() || b.is_none() || a == b
    };
    let let_in = |p: &Presence| {
        facts.presences.iter().any(|d| {
            d.entered
                && coverage.source(d.source).is_some_and(|s| s.door)
                && same(d, p)
                && d.from <= p.from.saturating_add(MINUTE)
                && p.from <= d.from.saturating_add(ampleur_session::ID_LIFE)
        })
    };
    let mut counted: Vec<&Presence> = vec![];
    let mut here: Vec<&Presence> = (facts.presences.iter())
        .filter(|p| p.source == s.index && p.certain)
        .filter(|p| time.from.saturating_sub(MINUTE) <= p.from && p.from <= time.to)
        .filter(|p| !let_in(p))
        .collect();
    here.sort_by_key(|p| p.from);
    for p in here {
        let again = |c: &&&Presence| {
            let life = ampleur_session::ID_LIFE + MINUTE;
            same(c, p) && p.from <= c.from.saturating_add(life)
        };
        if counted.iter().rfind(again).is_none() {
            counted.push(p);
        }
    }
    counted.len() as u64
}

/// A gap while the intruder was there, closed by logs whose records nobody counts.
struct OnTrust {
    hole: Hole,
    /// He came in through a door, and none of the logs that close the gap heard him: his records may have been taken out.
    unheard: bool,
}

fn on_trust(facts: &Facts, coverage: &Coverage) -> Vec<OnTrust> {
    // What follows a login comes within this time.
    const FOLLOWS: Nanos = 30 * MINUTE;
    let mut out: Vec<OnTrust> = Vec::new();
    for s in coverage
        .sources
        .iter()
        .filter(|s| opens(s, &facts.presences))
    {
        for (st, closers) in coverage.closed(s) {
            if closers.iter().any(|c| c.guarded) {
                continue;
            }
            for p in &facts.presences {
                let there = Window::new(p.from, p.to.max(p.from).saturating_add(SECOND));
                let Some(w) = there.intersect(&st.window) else {
                    continue;
                };
                let heard = || {
                    facts.presences.iter().any(|q| {
                        closers.iter().any(|c| c.index == q.source)
                            && q.from <= p.to.saturating_add(FOLLOWS)
                            && q.to >= p.from.saturating_sub(MINUTE)
                    })
                };
                let at_a_door = coverage.source(p.source).is_some_and(|d| d.door);
                let hole = Hole {
                    window: w,
                    ..coverage.hole_in(s, st)
                };
                let unheard = at_a_door && p.entered && !heard();
                out.push(OnTrust { hole, unheard });
            }
        }
    }
    let behind = behind_cut_doors(facts, coverage).into_iter();
    out.extend(behind.filter(|h| h.1).map(|h| OnTrust {
        hole: h.0,
        unheard: false,
    }));
    out.sort_by_key(|t| (t.hole.source, t.hole.window, t.hole.kind, t.unheard));
    out
}

/// Categories that some place of the case is known to hold.
fn held_anywhere(coverage: &Coverage, context: &Context) -> CategorySet {
    let places = context
        .endpoints
        .iter()
        .map(|e| &e.categories)
        .chain(context.tables.iter().map(|t| &t.categories))
        .chain(context.shares.iter().map(|s| &s.categories))
        .filter_map(|p| CategorySet::parse(p).ok());
    let told = coverage.sources.iter().map(|s| s.tells);
    places
        .chain(told)
        .fold(CategorySet::EMPTY, CategorySet::union)
}

/// Establishments whose data can be reached through a door: its own, and all those of every system behind it. What a system is
/// declared for may be another establishment than its door's; a system declared for none holds data of all, and so does, for all
/// anybody knows, one that no log tells of.
fn behind_door(facts: &Facts, coverage: &Coverage, door: &SourceCoverage) -> Vec<String> {
    let mut systems = coverage
        .sources
        .iter()
        .filter(|t| t.index != door.index && !t.tells.is_empty())
        .peekable();
    let unwatched = systems.peek().is_none();
    let reached: Vec<&SourceCoverage> = systems
        .filter(|t| match (&t.establishment, &door.establishment) {
            (Some(_), Some(d)) => facts.holds_data_of(t, d),
            _ => true,
        })
        .collect();
    let all = facts.establishments.iter();
    all.filter(|e| {
        unwatched || door.speaks_for(Some(e)) || reached.iter().any(|t| facts.holds_data_of(t, e))
    })
    .cloned()
    .collect()
}

/// What the holes may hide.
pub fn bounds(facts: &Facts, coverage: &Coverage, context: &Context) -> Bounds {
    let mut b = Bounds::default();
    let mut patients: BTreeMap<String, u64> = BTreeMap::new();
    let mut staff = 0u64;
    let (mut lone, mut records) = (0u64, 0u64);
    let mut take = |b: &mut Bounds, w: Vec<Widening>| {
        let mut per: BTreeMap<String, u64> = BTreeMap::new();
        let mut own_staff = 0;
        for x in w {
            if x.at_most == 0 {
                continue;
            }
            if x.category.is_staff() {
                own_staff = own_staff.max(x.at_most);
            } else {
                let e = per.entry(x.establishment.clone()).or_default();
                *e = (*e).max(x.at_most);
            }
            let cap = facts.holders(&x.establishment, x.category).max(x.at_most);
            b.put(x, cap);
        }
        for (e, n) in per {
            let p = patients.entry(e).or_default();
            *p = p.saturating_add(n);
        }
        staff = u64::max(staff, own_staff);
    };
    let trusted = on_trust(facts, coverage);
    let all = usable_holes(facts, coverage, &trusted);
    // The parts of one source add up to one limit by bytes, and to one by missing records.
    let mut by_source: BTreeMap<u32, Vec<&(Hole, bool)>> = BTreeMap::new();
    for h in &all {
        by_source.entry(h.0.source).or_default().push(h);
    }
    for (source, holes) in &by_source {
        let Some(s) = coverage.source(*source) else {
            continue;
        };
        let any_account = holes.iter().any(|h| h.1);
        let reach = Reach::of(facts, context, s, any_account);
        let mut limit = u64::MAX;
        if let (Some(bytes), Some(per)) = (
            facts.bytes_out.get(source),
            facts.bytes_per_person.get(source),
        ) && *per > 0
        {
            limit = limit.min(bytes / per);
        }
        // A numbered gap cannot hide more records than are missing.
        if holes.iter().all(|h| h.0.missing.is_some())
            && let Some(per) = facts.persons_per_record.get(source)
        {
            let missing: u64 = holes
                .iter()
                .map(|h| h.0.missing.unwrap_or(0))
                .fold(0, u64::saturating_add);
            limit = limit.min(missing.saturating_mul((*per).max(1)));
        }
        let categories = holes
            .iter()
            .fold(CategorySet::EMPTY, |c, h| c.union(h.0.categories));
        let (from, to) = (
            holes.iter().map(|h| h.0.window.from).min().unwrap_or(0),
            holes.iter().map(|h| h.0.window.to).max().unwrap_or(0),
        );
        let mut w = Vec::new();
        for e in &facts.establishments {
            if !facts.holds_data_of(s, e) {
                continue;
            }
            for (c, follows, n) in spread(categories, |c| reach.people(facts, e, c)) {
                let n = n.min(limit);
                let up_to = told(n);
                w.push(Widening {
                    establishment: e.clone(),
                    category: c,
                    from: follows,
                    at_most: n,
                    because: s.name.clone(),
                    fr: format!(
                        "{} ne dit pas tout entre {} et {} : jusqu’à {up_to} personnes ont pu être vues",
                        s.name,
                        rfc3339(from),
                        rfc3339(to)
                    ),
                    en: format!(
                        "{} does not tell everything between {} and {}: up to {up_to} persons may have been seen",
                        s.name,
                        rfc3339(from),
                        rfc3339(to)
                    ),
                });
            }
        }
        take(&mut b, w);
    }
    for p in possible_accesses(facts, coverage, context) {
        let Some(s) = coverage.source(p.source) else {
            continue;
        };
        // A record can have shown as many as the fullest readable one of its kind, whatever the establishments and categories.
        let per = facts.persons_per_reject.get(&p.source);
        let persons = p.count.saturating_mul(per.copied().unwrap_or(1).max(1));
        records = records.saturating_add(p.count);
        lone = lone.saturating_add(persons);
        for e in facts
            .establishments
            .iter()
            .filter(|e| facts.holds_data_of(s, e))
        {
            for (c, from, n) in spread(p.categories, |c| facts.holders(e, c)) {
                let n = n.min(persons);
                if n == 0 {
                    continue;
                }
                let w = Widening {
                    establishment: e.clone(),
                    category: c,
                    from,
                    at_most: n,
                    because: s.name.clone(),
                    fr: if p.lost {
                        format!(
                            "le rythme d’un automate s’interrompt dans {} : jusqu’à {} lignes ont pu s’y perdre",
                            s.name, p.count
                        )
                    } else {
                        format!(
                            "{} enregistrements illisibles de {} ont pu être des accès",
                            p.count, s.name
                        )
                    },
                    en: if p.lost {
                        format!(
                            "a program's pace breaks off in {}: up to {} lines may have been lost there",
                            s.name, p.count
                        )
                    } else {
                        format!(
                            "{} unreadable records of {} may have been accesses",
                            p.count, s.name
                        )
                    },
                };
                b.put(w, u64::MAX);
            }
        }
    }
    b.possible_accesses = records;
    b.on_trust = trusted.into_iter().map(|t| t.hole).collect();
    b.on_trust.dedup();
    // Without the log of a door nobody can say which sessions were an outsider's: any of them may have been.
    let mut lost: Vec<Hole> = Vec::new();
    let held = held_anywhere(coverage, context);
    for s in coverage.lost_doors() {
        let mut w = Vec::new();
        let behind = behind_door(facts, coverage, s);
        for e in &behind {
            for (c, from, n) in spread(held, |c| facts.holders(e, c)) {
                w.push(Widening {
                    establishment: e.clone(),
                    category: c,
                    from,
                    at_most: n,
                    because: s.name.clone(),
                    fr: match &s.untold {
                        Some(why) => format!("{} : {}, nul ne sait qui est entré", s.name, why.fr),
                        None => format!(
                            "{} est déclarée et n’a jamais été remise : nul ne sait qui est entré",
                            s.name
                        ),
                    },
                    en: match &s.untold {
                        Some(why) => format!("{}: {}, nobody knows who came in", s.name, why.en),
                        None => format!(
                            "{} was declared and never handed over: nobody knows who came in",
                            s.name
                        ),
                    },
                });
            }
        }
        take(&mut b, w);
        lost.push(Hole {
            source: s.index,
            name: s.name.clone(),
            door: None,
            establishment: s.establishment.clone().filter(|_| behind.len() == 1),
            window: coverage.window,
            state: if s.untold.is_some() {
                State::Unknown
            } else {
                State::Gap
            },
            kind: if s.untold.is_some() {
                Kind::None
            } else {
                Kind::Silence
            },
            missing: None,
            categories: held,
            why: s.untold.clone().unwrap_or_default(),
        });
    }
    for place in &facts.blind {
        let held: CategorySet = place.categories.iter().copied().collect();
        let w = spread(held, |c| facts.holders(&place.establishment, c))
            .into_iter()
            .map(|(c, from, cap)| {
                let n = place.persons.unwrap_or(cap);
                let up_to = told(n);
                Widening {
                    establishment: place.establishment.clone(),
                    category: c,
                    from,
                    at_most: n,
                    because: place.name.clone(),
                    fr: format!(
                        "aucun journal ne surveille {} : {up_to} personnes au plus",
                        place.name
                    ),
                    en: format!("no log watches {}: {up_to} persons at most", place.name),
                }
            })
            .collect();
        take(&mut b, w);
    }
    b.widenings.sort_by(|x, y| {
        (&x.establishment, x.category, &x.because).cmp(&(&y.establishment, y.category, &y.because))
    });
    b.usable = all.into_iter().map(|h| h.0).chain(lost).collect();
    b.usable.sort_by_key(|h| (h.source, h.window, h.kind));
    let mut sum = 0u64;
    for (e, n) in &patients {
        let cap = facts.population.get(e).copied().unwrap_or(*n);
        sum = sum.saturating_add((*n).min(cap));
    }
    sum = sum.saturating_add(lone);
    b.patients = if facts.persons > 0 {
        sum.min(facts.persons)
    } else {
        sum
    };
    b.persons = b.patients.saturating_add(staff);
    b
}

/// Whom the accounts that open a source may see there.
struct Reach {
    /// Every account that could have been used has an entry.
    limited: bool,
    establishments: BTreeSet<String>,
    absolute: u64,
}

impl Reach {
    fn of(facts: &Facts, context: &Context, s: &SourceCoverage, any_account: bool) -> Reach {
        let mut r = Reach {
            limited: !any_account,
            establishments: BTreeSet::new(),
            absolute: 0,
        };
        let mut accounts: BTreeSet<Option<String>> = BTreeSet::new();
        for p in &facts.presences {
            if p.source == s.index
                || s.systems.is_empty()
                || s.systems.iter().any(|x| related(*x, p.system))
            {
                accounts.insert(p.account.as_deref().map(|a| Account::parse(a).key()));
            }
        }
        // A session without an account says nothing of rights; it counts only when no account is known beside it.
        if accounts.iter().any(Option::is_some) {
            accounts.remove(&None);
        }
        if accounts.is_empty() {
            r.limited = false;
        }
        for a in &accounts {
            let names = a
                .as_ref()
                .map(|a| same_person(context, a))
                .unwrap_or_default();
            let mut has = false;
            for entry in &context.rights {
                if names.contains(&Account::parse(&entry.account).key()) {
                    has = true;
                    match &entry.population {
                        Population::Establishment(e) => {
                            r.establishments.insert(e.clone());
                        }
                        Population::Absolute { subjects } => {
                            r.absolute = r.absolute.saturating_add(*subjects);
                        }
                    }
                }
            }
            r.limited &= has;
        }
        r
    }
    fn people(&self, facts: &Facts, establishment: &str, category: Category) -> u64 {
        let all = facts.holders(establishment, category);
        if !self.limited || category.is_staff() || self.establishments.contains(establishment) {
            all
        } else {
            self.absolute.min(all)
        }
    }
}

/// Keys of the account and of the other accounts of its person.
fn same_person(context: &Context, key: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::from([key.to_string()]);
    for p in &context.persons {
        let keys: Vec<String> = p.accounts.iter().map(|a| Account::parse(a).key()).collect();
        if keys.iter().any(|k| k == key) {
            out.extend(keys);
        }
    }
    out
}

/// Records of one source that cannot be read, or may be lost, and may be accesses of the intruder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PossibleAccesses {
    pub source: u32,
    pub count: u64,
    /// What they could have shown, as far as their readable part lets one tell.
    pub categories: CategorySet,
    /// They are not there: a pause in a program's pace has room for them.
    pub lost: bool,
}

/// Records that could not be decoded and that fit a session of the intruder: in time, and by their readable part (contract §B).
/// A readable part that names other addresses and accounts than his does not fit; one that names nobody fits. A second source that
/// was complete at that time has the same access, readable.
pub fn possible_accesses(
    facts: &Facts,
    coverage: &Coverage,
    context: &Context,
) -> Vec<PossibleAccesses> {
    let mut seen: Vec<Window> = facts
        .presences
        .iter()
        .map(|p| Window::new(p.from, p.to.saturating_add(SECOND)))
        .collect();
    seen.sort();
    let seen = merge(seen);
    // A session begins with its first record that can be read: one that cannot, of his own, lies outside it by a pause at most.
    let beside: Vec<Window> = (seen.iter())
        .map(|w| Window::new(w.from.saturating_sub(PAUSE), w.to.saturating_add(PAUSE)))
        .collect();
    let names: BTreeSet<String> = facts
        .presences
        .iter()
        .filter_map(|p| p.account.as_deref())
        .flat_map(|a| same_person(context, &Account::parse(a).key()))
        .map(|k| Account::parse(&k).bare())
        .filter(|n| n.len() >= 3)
        .collect();
    // (source, categories, lost) → how many.
    let mut found: BTreeMap<(u32, CategorySet, bool), u64> = BTreeMap::new();
    let mut add = |s: &SourceCoverage, categories: CategorySet, lost: bool, count: u64| {
        if !categories.is_empty() {
            let n = found.entry((s.index, categories, lost)).or_default();
            *n = n.saturating_add(count);
        }
    };
    for s in coverage.sources.iter().filter(|s| !s.tells.is_empty()) {
        for r in &s.reject_marks {
            let w = Window::new(r.after, r.before.max(r.after).saturating_add(1));
            let fit = fits(&r.readable, facts, &names);
            let at = match fit {
                Fit::Another => continue,
                Fit::Anybody => &seen,
                Fit::His => &beside,
            };
            if !at.iter().any(|x| x.overlaps(&w)) || !opens(s, &facts.presences) {
                continue;
            }
            let shown = match shown_by(context, &r.readable) {
                Some(c) => s.tells.intersect(c),
                None => s.tells,
            };
            add(s, elsewhere(coverage, s, w, shown), false, 1);
        }
    }
    for p in &facts.pauses {
        if let Some(s) = coverage.source(p.source).filter(|s| !s.guarded) {
            let w = Window::new(p.from, p.to);
            add(s, elsewhere(coverage, s, w, s.tells), true, p.missing);
        }
    }
    let out = found.into_iter();
    out.map(|((source, categories, lost), count)| PossibleAccesses {
        source,
        count,
        categories,
        lost,
    })
    .collect()
}

/// What of `categories` no other source that was complete then would have told in its stead.
fn elsewhere(
    coverage: &Coverage,
    s: &SourceCoverage,
    w: Window,
    mut categories: CategorySet,
) -> CategorySet {
    for o in coverage.sources.iter().filter(|o| o.index != s.index) {
        let same_place = o.establishment.is_none() || o.establishment == s.establishment;
        let there = o.complete_in(w) && o.heard_in(w);
        if same_place && there && coverage.stands_in(o.index, s.index) {
            categories = categories.without(o.tells);
        }
    }
    categories
}

/// Whose the readable part of a record can be: it names the intruder's address or account, nobody's, or somebody else's alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    His,
    Anybody,
    Another,
}

/// The longest pause within a session.
const PAUSE: Nanos = 30 * MINUTE;

fn fits(readable: &str, facts: &Facts, names: &BTreeSet<String>) -> Fit {
    let text = readable.to_lowercase();
    let between = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_'));
    // A version follows its product (`chrome/126.0.0.0`): it is no address.
    let mut version = false;
    let mut words: Vec<&str> = vec![];
    for part in text.split_inclusive(between) {
        let word = part.trim_end_matches(between);
        if !word.is_empty() && !version {
            words.push(word);
        }
        version = !word.is_empty() && part.ends_with('/');
    }
    // `198.51.100.7:37188` names the address as well.
    let address = |w: &str| match w.rsplit_once(':') {
        Some((a, port)) if port.bytes().all(|b| b.is_ascii_digit()) && a.contains('.') => a.into(),
        _ => w.to_string(),
    };
    if words
        .iter()
        .any(|w| facts.addresses.contains(&address(w)) || names.contains(*w))
    {
        return Fit::His;
    }
    // Somebody else is named: by an address or a number he is known by.
    let names_other = words.iter().any(|w| facts.others.contains(&address(w)));
    // Without any known address an address proves nothing either way.
    if !names_other || facts.addresses.is_empty() {
        Fit::Anybody
    } else {
        Fit::Another
    }
}

/// Categories of the endpoints whose path the readable part begins to spell; `None` when it spells none.
fn shown_by(context: &Context, readable: &str) -> Option<CategorySet> {
    let mut best: Option<(usize, CategorySet)> = None;
    for e in &context.endpoints {
        let Some(stem) = e
            .matches
            .path
            .as_deref()
            .and_then(|p| p.split(['*', '{']).next())
        else {
            continue;
        };
        if stem.len() < 2 || !readable.contains(stem) {
            continue;
        }
        let c = CategorySet::parse(&e.categories).unwrap_or(CategorySet::EMPTY);
        best = match best {
            Some((n, b)) if n > stem.len() => Some((n, b)),
            Some((n, b)) if n == stem.len() => Some((n, b.union(c))),
            _ => Some((stem.len(), c)),
        };
    }
    best.map(|b| b.1)
}

/// Chao's lower estimate of how many distinct persons a set of accesses drew from, by capture–recapture: `seen_once` and
/// `seen_twice` are how many persons were met exactly once and exactly twice. A figure for the method page, never a bound.
pub fn capture_recapture(distinct: u64, seen_once: u64, seen_twice: u64) -> f64 {
    let (f1, f2) = (seen_once as f64, seen_twice as f64);
    distinct as f64 + f1 * (f1 - 1.0).max(0.0) / (2.0 * (f2 + 1.0))
}

/// Bytes one answered person takes, from accesses whose answer is known: `(bytes, persons)` per access. The tenth percentile of
/// bytes per person, so that dividing by it gives an upper bound on persons; `None` below five accesses.
pub fn calibrate(accesses: &[(u64, u64)]) -> Option<u64> {
    let mut per: Vec<u64> = accesses
        .iter()
        .filter(|(b, n)| *b > 0 && *n > 0)
        .map(|(b, n)| b / n)
        .collect();
    if per.len() < 5 {
        return None;
    }
    per.sort_unstable();
    // The smallest seen, less a tenth: one leaner record than any before must still be inside.
    per.first().map(|m| (m - m / 10).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::{Kind, Stretch, Why};
    use ampleur_event::{category::CategorySet, time::HOUR};
    use proptest::prelude::*;

    fn source(
        index: u32,
        door: bool,
        tells: &[&str],
        systems: &[System],
        stretches: Vec<Stretch>,
    ) -> SourceCoverage {
        SourceCoverage {
            index,
            name: format!("logs/{index}/*"),
            formats: vec![],
            capability: None,
            establishment: None,
            tells: CategorySet::parse(tells).unwrap(),
            shows_results: false,
            door,
            events: 1,
            rejects: 0,
            first: Some(0),
            last: Some(100 * HOUR),
            systems: systems.to_vec(),
            hosts: vec![],
            heartbeat_s: None,
            stretches,
            reject_marks: vec![],
            guarded: true,
            untold: None,
            cut_after: Default::default(),
            silences: vec![],
        }
    }
    fn st(a: i64, b: i64, state: State) -> Stretch {
        Stretch {
            window: Window::new(a * HOUR, b * HOUR),
            state,
            kind: if state == State::Complete {
                Kind::None
            } else {
                Kind::Silence
            },
            missing: None,
            closed_by: None,
            laid: false,
            why: Why::default(),
        }
    }
    fn with_gap(a: i64, b: i64) -> Vec<Stretch> {
        [
            st(0, a, State::Complete),
            st(a, b, State::Gap),
            st(b, 100, State::Complete),
        ]
        .into_iter()
        .filter(|s| !s.window.is_empty())
        .collect()
    }
    fn coverage(sources: Vec<SourceCoverage>) -> Coverage {
        Coverage {
            window: Window::new(0, 100 * HOUR),
            window_why: Why::default(),
            sources,
            clocks: vec![],
            unaudited: vec![],
            recaptures: vec![],
        }
    }
    fn facts() -> Facts {
        Facts {
            presences: vec![Presence {
                account: Some("rpps:99700100426".into()),
                system: System::Rpps,
                source: 1,
                from: 10 * HOUR,
                to: 12 * HOUR,
                live: 12 * HOUR,
                certain: true,
                outermost: true,
                closed: true,
                entered: true,
            }],
            establishments: vec!["finess:1".into(), "finess:2".into()],
            population: [("finess:1".into(), 100), ("finess:2".into(), 50)].into(),
            persons: 140,
            staff: 10,
            ..Facts::default()
        }
    }
    fn door(s: Vec<Stretch>) -> SourceCoverage {
        source(0, true, &[], &[System::Oidc], s)
    }
    fn teller(s: Vec<Stretch>) -> SourceCoverage {
        source(1, false, &["ID.NAME"], &[System::Rpps], s)
    }
    fn whole() -> Vec<Stretch> {
        vec![st(0, 100, State::Complete)]
    }

    #[test]
    fn a_hole_while_he_was_there_exposes_everybody_he_may_see() {
        let c = coverage(vec![door(whole()), teller(with_gap(8, 20))]);
        let b = bounds(&facts(), &c, &Context::default());
        assert_eq!(
            b.cells[&("finess:1".to_string(), Category::IdName)].persons,
            100
        );
        assert_eq!(b.patients, 140);
        assert_eq!(
            b.exposed_beside(&facts(), "finess:1", Category::IdName, 30),
            70
        );
        assert_eq!(
            b.usable[0].window,
            Window::new(10 * HOUR, 12 * HOUR + SECOND)
        );
    }
    #[test]
    fn a_hole_while_the_door_saw_nobody_widens_nothing() {
        let c = coverage(vec![door(whole()), teller(with_gap(20, 40))]);
        assert!(
            bounds(&facts(), &c, &Context::default())
                .widenings
                .is_empty()
        );
    }
    #[test]
    fn a_login_nobody_ended_may_be_used_in_what_is_missing() {
        let mut f = facts();
        f.presences[0].live = 34 * HOUR;
        let missing = coverage(vec![door(whole()), teller(with_gap(20, 40))]);
        let b = bounds(&f, &missing, &Context::default());
        assert_eq!(
            b.usable[0].window,
            Window::new(20 * HOUR, 34 * HOUR + SECOND)
        );
        assert_eq!(b.patients, 140);
        // A log that merely cannot prove itself is no such opening.
        let unproven = vec![
            st(0, 20, State::Complete),
            st(20, 40, State::Unknown),
            st(40, 100, State::Complete),
        ];
        let open = coverage(vec![door(whole()), teller(unproven)]);
        assert!(bounds(&f, &open, &Context::default()).widenings.is_empty());
    }
    #[test]
    fn a_hole_behind_an_open_door_widens() {
        let c = coverage(vec![door(with_gap(25, 30)), teller(with_gap(20, 40))]);
        let b = bounds(&facts(), &c, &Context::default());
        assert_eq!(b.usable[0].window, Window::new(25 * HOUR, 30 * HOUR));
        assert_eq!(b.patients, 140);
    }
    #[test]
    fn rights_limit_and_bytes_limit() {
        let context =
            Context::parse("[[rights]]\naccount=\"rpps:99700100426\"\npopulation=\"finess:2\"\n")
                .unwrap();
        let c = coverage(vec![door(whole()), teller(with_gap(8, 20))]);
        let b = bounds(&facts(), &c, &context);
        assert_eq!(
            b.cells.get(&("finess:1".to_string(), Category::IdName)),
            None
        );
        assert_eq!(b.patients, 50);
        let mut f = facts();
        f.bytes_out.insert(1, 5000);
        f.bytes_per_person.insert(1, 1000);
        assert_eq!(bounds(&f, &c, &context).patients, 5);
    }
    /// The two telling sources of these tests were seen to record the same accesses.
    fn seen_together(mut c: Coverage) -> Coverage {
        c.recaptures.push(crate::coverage::Recapture {
            a: 1,
            b: 2,
            seen_a: 100,
            seen_b: 100,
            both: 100,
            estimate: 100.0,
        });
        c
    }
    #[test]
    fn a_closed_hole_widens_nothing() {
        let second = source(2, false, &["ID.*"], &[], whole());
        let c = coverage(vec![door(whole()), teller(with_gap(8, 20)), second]);
        assert!(
            !bounds(&facts(), &c, &Context::default())
                .widenings
                .is_empty()
        );
        let c = seen_together(c);
        assert!(
            bounds(&facts(), &c, &Context::default())
                .widenings
                .is_empty()
        );
    }
    #[test]
    fn a_login_that_the_only_log_left_did_not_hear_opens_the_gap_it_closes() {
        let second = |guarded| SourceCoverage {
            guarded,
            ..source(2, false, &["ID.*"], &[System::Web], whole())
        };
        let closed = |guarded| {
            let mut c = seen_together(coverage(vec![
                door(whole()),
                teller(with_gap(8, 20)),
                second(guarded),
            ]));
            c.sources[1].stretches[1].closed_by = Some(2);
            c
        };
        let mut f = facts();
        f.presences[0].source = 0;
        let heard = Presence {
            source: 2,
            from: 10 * HOUR + MINUTE,
            outermost: false,
            entered: false,
            ..f.presences[0].clone()
        };
        let everybody = |b: &Bounds| b.patients == 140;
        let ask = |f: &Facts, guarded| bounds(f, &closed(guarded), &Context::default());
        // He came in and the log that alone covers those hours heard nothing.
        let b = ask(&f, false);
        assert!(everybody(&b) && b.on_trust.len() == 1);
        // Its records are counted: none was taken out.
        let b = ask(&f, true);
        assert!(b.widenings.is_empty() && b.on_trust.is_empty());
        // He was turned away.
        f.presences[0].entered = false;
        assert!(ask(&f, false).widenings.is_empty());
        // He was heard: no figure widens, and the list still rests on that log alone.
        f.presences[0].entered = true;
        f.presences.push(heard);
        let b = ask(&f, false);
        assert!(b.widenings.is_empty() && b.on_trust.len() == 2);
    }
    #[test]
    fn a_machine_inside_opens_the_database_its_programs_use() {
        let database = source(2, false, &["ID.*"], &[System::Db], with_gap(8, 20));
        let c = coverage(vec![door(whole()), teller(whole()), database]);
        let mut f = facts();
        assert!(bounds(&f, &c, &Context::default()).widenings.is_empty());
        f.presences[0].system = System::Ad;
        assert_eq!(bounds(&f, &c, &Context::default()).patients, 140);
    }
    #[test]
    fn a_door_never_handed_over_opens_every_establishment_of_the_systems_behind_it() {
        let lost = || SourceCoverage {
            establishment: Some("finess:1".into()),
            first: None,
            last: None,
            events: 0,
            ..source(2, true, &[], &[], vec![])
        };
        let system = |of: Option<&str>| SourceCoverage {
            establishment: of.map(str::to_string),
            ..teller(whole())
        };
        let reached = |f: &Facts, of: Option<&str>| {
            let c = coverage(vec![door(whole()), system(of), lost()]);
            let b = bounds(f, &c, &Context::default());
            let n = |e: &str| {
                b.cells
                    .get(&(e.to_string(), Category::IdName))
                    .map_or(0, |c| c.persons)
            };
            (n("finess:1"), n("finess:2"), b.patients)
        };
        let mut f = facts();
        assert_eq!(reached(&f, None), (100, 50, 140), "a shared system");
        assert_eq!(reached(&f, Some("finess:1")), (100, 0, 100));
        assert_eq!(
            reached(&f, Some("finess:2")),
            (100, 0, 100),
            "another's system"
        );
        // Declared for one, it was seen to serve the other too.
        f.served
            .insert(1, ["finess:1".into(), "finess:2".into()].into());
        assert_eq!(reached(&f, Some("finess:1")), (100, 50, 140));
        assert_eq!(reached(&f, Some("finess:2")), (100, 50, 140));
    }
    #[test]
    fn what_cannot_tell_who_is_as_good_as_not_handed_over() {
        let whole_hole = || {
            let mut s = whole();
            s.push(st(0, 100, State::Unknown));
            s
        };
        let untold = |s: SourceCoverage| SourceCoverage {
            untold: Some(Why::default()),
            ..s
        };
        let everybody = |c: Coverage| {
            let b = bounds(&facts(), &c, &Context::default());
            (b.patients == 140, b.usable.len())
        };
        // It merely cannot prove itself for those two hours: that opens them alone. That it cannot tell who opens as a missing log does,
        // for as long as a login lets in.
        let mut long = facts();
        long.presences[0].live = 34 * HOUR;
        let until = |s: SourceCoverage| {
            let c = coverage(vec![door(whole()), s]);
            bounds(&long, &c, &Context::default()).usable[0].window.to
        };
        assert_eq!(until(teller(whole_hole())), 12 * HOUR + SECOND);
        assert_eq!(until(untold(teller(whole_hole()))), 34 * HOUR + SECOND);
        // A door that does not tell who came in: any session may be the intruder's.
        assert_eq!(
            everybody(coverage(vec![door(whole()), teller(whole())])),
            (false, 0)
        );
        let c = coverage(vec![untold(door(whole())), teller(whole())]);
        assert_eq!(everybody(c), (true, 1));
    }
    #[test]
    fn numbers_missing_at_a_door_open_what_nobody_counts_behind_it() {
        let cut = |kind: Kind| {
            let mut s = with_gap(30, 31);
            s[1].kind = kind;
            s[1].missing = Some(3);
            door(s)
        };
        let behind = |guarded: bool| SourceCoverage {
            guarded,
            ..teller(whole())
        };
        let nobody = Facts {
            presences: vec![],
            ..facts()
        };
        for f in [nobody, facts()] {
            let ask = |door, guarded| {
                let c = coverage(vec![door, behind(guarded)]);
                bounds(&f, &c, &Context::default())
            };
            let b = ask(cut(Kind::Sequence), false);
            assert_eq!(b.patients, 140);
            assert_eq!(
                b.usable[0].window,
                Window::new(30 * HOUR, 31 * HOUR + ampleur_session::ID_LIFE)
            );
            // A log that counts its records would show that some are missing; a silent door is another matter.
            assert!(ask(cut(Kind::Sequence), true).widenings.is_empty());
            assert!(ask(cut(Kind::Silence), false).widenings.is_empty());
        }
    }
    #[test]
    fn a_use_heard_without_its_login_explains_the_numbers_missing_at_the_door() {
        let ask = |missing: u64, f: &Facts| {
            let mut cut = with_gap(9, 11);
            cut[1].kind = Kind::Sequence;
            cut[1].missing = Some(missing);
            let behind = SourceCoverage {
                guarded: false,
                ..teller(whole())
            };
            bounds(f, &coverage(vec![door(cut), behind]), &Context::default())
        };
        // Heard at ten o'clock, and nowhere a login of his: what is missing is his coming. The list still rests on that log alone.
        let b = ask(1, &facts());
        assert!(b.widenings.is_empty() && b.on_trust.len() == 1);
        // One use does not explain more records than one: the others may be logins of his of which nothing is left.
        assert_eq!(ask(2, &facts()).patients, 140);
        // His login is there: somebody else's lines are missing.
        let mut f = facts();
        let login = Presence {
            source: 0,
            from: 9 * HOUR + 50 * MINUTE,
            to: 9 * HOUR + 50 * MINUTE,
            account: Some("oidc:99700100426".into()),
            ..f.presences[0].clone()
        };
        f.presences.push(login);
        assert_eq!(ask(1, &f).patients, 140);
    }
    #[test]
    fn another_kind_of_account_does_not_open_a_source() {
        let staff = source(2, false, &["STAFF.PAY"], &[System::Ad], with_gap(0, 100));
        let c = coverage(vec![door(whole()), teller(whole()), staff]);
        assert!(
            bounds(&facts(), &c, &Context::default())
                .widenings
                .is_empty()
        );
    }
    #[test]
    fn without_a_base_nobody_knows_how_many_hold_a_category() {
        let mut f = facts();
        assert_eq!(f.holders("finess:1", Category::IdName), 100);
        assert_eq!(f.holders("finess:3", Category::IdName), 0);
        f.population.clear();
        assert_eq!(f.holders("finess:1", Category::IdName), UNBOUNDED);
    }
    #[test]
    fn a_cut_line_is_one_possible_access_and_only_when_it_fits() {
        use crate::coverage::RejectMark;
        let mut t = teller(whole());
        let mark = |after: i64, readable: &str| RejectMark {
            file: 0,
            record: 1,
            after,
            before: after + SECOND,
            readable: readable.into(),
        };
        t.reject_marks = vec![
            mark(11 * HOUR, "198.51.100.9 - - [.."),
            mark(11 * HOUR, "192.0.2.1 - - [.."),
            mark(11 * HOUR, "{\"resour"),
            mark(50 * HOUR, "198.51.100.9 - - [.."),
        ];
        let mut f = facts();
        f.addresses.insert("198.51.100.9".into());
        f.others.insert("192.0.2.1".into());
        // The address with its port, and a browser's version, which is no address.
        let none = BTreeSet::new();
        f.others.insert("126.0.0.0".into());
        for his in [
            "198.51.100.9:37188 [14/Sep",
            "\u{fffd}.9 \"GET /\" Chrome/126.0.0.0 Safari/537.36",
        ] {
            assert!(fits(his, &f, &none) != Fit::Another, "{his}");
        }
        assert!(fits("192.0.2.1:443 Chrome/126.0.0.0", &f, &none) == Fit::Another);
        let c = coverage(vec![door(whole()), t.clone()]);
        let b = bounds(&f, &c, &Context::default());
        let told = |b: &Bounds| {
            let cell = &b.cells[&("finess:1".to_string(), Category::IdName)];
            (b.possible_accesses, b.patients, cell.persons)
        };
        assert_eq!(told(&b), (2, 2, 2));
        // A search answers with several at a time.
        f.persons_per_reject.insert(t.index, 3);
        assert_eq!(told(&bounds(&f, &c, &Context::default())), (2, 6, 6));
        // His first record, that cannot be read, lies before what can; nobody's lies anywhere.
        f.persons_per_reject.clear();
        let begins = f.presences.iter().map(|p| p.from).min().unwrap();
        let before = |readable: &str| {
            let mut t = t.clone();
            t.reject_marks = vec![mark(begins - 20 * MINUTE, readable)];
            bounds(&f, &coverage(vec![door(whole()), t]), &Context::default()).possible_accesses
        };
        assert_eq!(before("198.51.100.9 - - [.."), 1);
        assert_eq!(before("{\"resour"), 0);
        // A second journal that was complete has the same access, readable.
        let c = seen_together(coverage(vec![
            door(whole()),
            t,
            source(2, false, &["ID.NAME"], &[], whole()),
        ]));
        assert_eq!(bounds(&f, &c, &Context::default()).possible_accesses, 0);
    }
    #[test]
    fn recapture_is_above_what_was_seen() {
        assert_eq!(capture_recapture(100, 0, 50), 100.0);
        assert!(capture_recapture(100, 80, 10) > 300.0);
        assert_eq!(
            calibrate(&[(1000, 1), (2500, 2), (900, 1), (3000, 3), (1100, 1)]),
            Some(810)
        );
        assert_eq!(calibrate(&[(1000, 1)]), None);
    }
    proptest! {
        /// L11: one more hole, in whatever source, never lowers any bound.
        #[test]
        fn more_holes_never_narrow(a in 0i64..99, len in 1i64..60, d in 0i64..99, dlen in 1i64..60, extra in 0usize..2, x in 0i64..99, xlen in 1i64..60) {
            let cut = |a: i64, len: i64, b: i64, blen: i64| {
                let mut hours = [true; 100];
                for (s, l) in [(a, len), (b, blen)] { for h in s..(s + l).min(100) { hours[h as usize] = false; } }
                let mut out = Vec::new();
                let mut i = 0;
                while i < 100 {
                    let mut j = i; while j < 100 && hours[j] == hours[i] { j += 1; }
                    out.push(st(i as i64, j as i64, if hours[i] { State::Complete } else { State::Gap }));
                    i = j;
                }
                out
            };
            let before = coverage(vec![door(cut(d, dlen, d, dlen)), teller(cut(a, len, a, len))]);
            let after = if extra == 0 {
                coverage(vec![door(cut(d, dlen, x, xlen)), teller(cut(a, len, a, len))])
            } else {
                coverage(vec![door(cut(d, dlen, d, dlen)), teller(cut(a, len, x, xlen))])
            };
            let (f, ctx) = (facts(), Context::default());
            let (p, q) = (bounds(&f, &before, &ctx), bounds(&f, &after, &ctx));
            prop_assert!(q.persons >= p.persons && q.patients >= p.patients);
            for (k, n) in &p.cells { prop_assert!(q.cells.get(k).map_or(0, |c| c.persons) >= n.persons); }
        }
    }
}
