//! Disclosures → the answer: cells, subjects, unaffected, targeted, writes, statements, claims, and the rows of `persons.csv`.
//!
//! Every count is of data subjects, once each (L4, EX-4), as an interval (L1, EX-1). What the logs establish is the lower
//! bound; doubtful sessions, exposed persons and what gaps may hide are added above.
use crate::{
    bounds::{self, UNBOUNDED},
    catalog, claims,
    coverage::{self, Coverage},
    disclose::{self, Access, AccessKind, Disclosures, EvidenceRef, Touch},
    files::{Inventory, share_key, short_host},
    identity::{IdentityBase, PersonId},
    leak::LeakLine,
    model::{Cell, CoverageRow, Extent, PersonRow, Statement, Targeted},
    people::{People, PlaceId, Who},
    statements, targeted, writes,
};
use ampleur_event::{
    Category, Interval, LinkKind, Nanos, Session, SessionId, SessionKey, SessionVerdict, System,
    Verdict, Window,
    category::CategorySet,
    invariant::{self, EX_1},
    session::Judgement,
    time::{MINUTE, NO_TIME, SECOND, rfc3339},
};
use ampleur_query::{Door, DoorError};
use ampleur_session::{ID_LIFE, Sessions, net};
use ampleur_sources::case::Case;
use std::collections::{BTreeMap, BTreeSet};

/// Records cited per row of `persons.csv`; the rest is counted.
const CITED: usize = 50;

/// What assembling needs. Nothing here reads a clock or a file.
pub struct Input<'a> {
    pub case: &'a Case,
    pub sessions: &'a Sessions,
    /// Parallel to `sessions.list`.
    pub judgements: &'a [Judgement],
    pub door: &'a dyn Door,
    pub identity: &'a IdentityBase,
    pub inventory: &'a Inventory,
    pub leaks: &'a [LeakLine],
    pub coverage: &'a Coverage,
    /// Whole files that could not be decoded.
    pub unreadable_files: u64,
}

/// The parts of the answer this crate decides.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// `internal` is left empty: it is not part of the intrusion (L9).
    pub extent: Extent,
    pub statements: Vec<Statement>,
    pub claims: Vec<crate::model::Claim>,
    pub coverage: Vec<CoverageRow>,
    pub bounds: bounds::Bounds,
    pub disclosures: Disclosures,
    /// Rows of `persons.csv`, sorted by subject, establishment, category.
    pub persons: Vec<PersonRow>,
    pub(crate) people: People<'a>,
    pub(crate) canaries: BTreeSet<Who>,
    /// Session ids by index and paths by file, for rows.
    session_ids: Vec<SessionId>,
    paths: Vec<String>,
}

/// Who is established or reachable in one cell.
#[derive(Debug, Default, Clone)]
struct CellSets {
    /// Strongest established verdict; sorted by person.
    established: Vec<(Who, Verdict, bool)>,
    /// Reached, nothing established; sorted.
    exposed: Vec<Who>,
    /// Categories it follows from, when nobody was shown it directly.
    from: BTreeSet<Category>,
    direct: bool,
    /// The same for those only within reach.
    exposed_from: BTreeSet<Category>,
    exposed_direct: bool,
}

/// What lone requests and gaps may hide in one cell.
#[derive(Debug, Default, Clone)]
struct Wide {
    persons: u64,
    /// Categories it would follow from; read only when nothing would have shown the category itself.
    from: BTreeSet<Category>,
    direct: bool,
}

impl Wide {
    /// `from`: what it would follow from; nothing when it would have been shown itself.
    fn add(&mut self, persons: u64, from: impl IntoIterator<Item = Category>) {
        self.persons = self.persons.saturating_add(persons);
        let mut from = from.into_iter().peekable();
        self.direct |= from.peek().is_none();
        self.from.extend(from);
    }
}

/// Machines whose own log has an open gap while a session that is not legitimate lasted: what it did there nobody can tell.
fn silent_hosts(input: &Input<'_>) -> BTreeSet<String> {
    let bad: Vec<Window> = input
        .sessions
        .list
        .iter()
        .zip(input.judgements)
        .filter(|(_, j)| j.verdict != SessionVerdict::Legitimate)
        .map(|(s, _)| {
            let from = input.coverage.on_time(s.source, s.from).0;
            let to = input.coverage.on_time(s.source, s.to).1;
            Window::new(from, to.max(from).saturating_add(1))
        })
        .collect();
    let silent = |s: &&coverage::SourceCoverage| {
        s.stretches.iter().any(|st| {
            st.state == coverage::State::Gap
                && st.closed_by.is_none()
                && bad.iter().any(|w| w.overlaps(&st.window))
        })
    };
    let sources = input.coverage.sources.iter().filter(silent);
    sources
        .flat_map(|s| &s.hosts)
        .map(|h| short_host(h))
        .collect()
}

/// When a source that counts bytes was not heard, or its clock is off: what left then is not known.
fn uncounted(input: &Input<'_>) -> Vec<Window> {
    let counts: BTreeSet<u32> = (0..input.sessions.list.len())
        .filter(|i| input.sessions.is_flow(*i) || input.sessions.list[*i].counts.bytes_out > 0)
        .map(|i| input.sessions.list[i].source)
        .collect();
    let sources = counts.iter().filter_map(|s| input.coverage.source(*s));
    sources
        .flat_map(|s| &s.stretches)
        .filter(|st| st.state == coverage::State::Gap && st.closed_by.is_none())
        .map(|st| st.window)
        .collect()
}

/// Machines towards which a session that is not legitimate used credentials (Windows 4648), and whose own log heard nobody of that
/// account at that time: lines are missing there, or its clock is off.
fn unheard_hosts(input: &Input<'_>) -> Result<BTreeSet<String>, DoorError> {
    const BEFORE: Nanos = 3 * MINUTE;
    const AFTER: Nanos = 15 * MINUTE;
    let bad = |s: u32| {
        let j = input.judgements.get(s as usize);
        j.is_some_and(|j| j.verdict != SessionVerdict::Legitimate)
    };
    let mut used: Vec<(String, String, (Nanos, Nanos))> = vec![];
    input.door.scan_chosen(
        &ampleur_query::Select {
            verbs: vec![ampleur_event::Verb::Login],
            ..ampleur_query::Select::default()
        },
        ampleur_session::KEY_COLUMNS,
        &|_, e| e.code == 4648,
        &mut |file, batch| {
            for e in batch
                .iter()
                .filter(|e| e.outcome != ampleur_event::Outcome::Failure)
            {
                let host = short_host(&e.object);
                let own = host == short_host(&e.host);
                if host.is_empty() || host == "localhost" || own || e.time == NO_TIME {
                    continue;
                }
                if let Some(s) = input.sessions.of_event(file, &e)
                    && bad(s)
                    && let Some(a) = e.account()
                {
                    let source = input.case.source_of(file);
                    used.push((host, a.bare(), input.coverage.on_time(source, e.time)));
                }
            }
        },
    )?;
    used.sort();
    used.dedup();
    if used.is_empty() {
        return Ok(BTreeSet::new());
    }
    let named: BTreeSet<&str> = used.iter().map(|u| u.0.as_str()).collect();
    let mut heard: BTreeMap<(String, String), Vec<(Nanos, Nanos)>> = BTreeMap::new();
    for x in &input.sessions.list {
        let host = short_host(&x.host);
        if let Some(a) = x.account.as_ref().filter(|_| named.contains(host.as_str())) {
            let from = input.coverage.on_time(x.source, x.from).0;
            let to = input.coverage.on_time(x.source, x.to).1;
            heard.entry((host, a.bare())).or_default().push((from, to));
        }
    }
    let mut out = BTreeSet::new();
    for (host, account, (from, to)) in used {
        let there = heard.get(&(host.clone(), account));
        let met = there.is_some_and(|l| {
            l.iter()
                .any(|(a, b)| *a <= to.saturating_add(AFTER) && *b >= from.saturating_sub(BEFORE))
        });
        if !met {
            out.insert(host);
        }
    }
    Ok(out)
}

/// Logins at an identity provider and tunnels that are not legitimate and after which no source that tells heard anything, though they
/// hear nearly all of the lawful ones: source, and how long the login lets in. One source that hears all but one in fifty is opened; so
/// is each that hears a quarter, where together they hear all but one in twenty. A source that shows by itself that nothing is missing
/// then, and that heard nobody at all, proves that nothing was done; not against the bytes of a tunnel that carried more than any
/// lawful one after which nothing was heard: numbers can be made anew.
fn unheard_logins(input: &Input<'_>) -> Vec<(u32, Window)> {
    const BEFORE: Nanos = MINUTE;
    const AFTER: Nanos = 30 * MINUTE;
    const LAWFUL: usize = 20;
    // Coming and going, a look at a page and what a machine says by itself stay below.
    const CARRIED: u64 = 4 << 20;
    let list = &input.sessions.list;
    let legitimate = |i: usize| {
        let j = input.judgements.get(i);
        j.is_none_or(|j| j.verdict == SessionVerdict::Legitimate)
    };
    let tunnel = |s: &Session| {
        s.key_kind == SessionKey::Tunnel && input.coverage.source(s.source).is_some_and(|c| c.door)
    };
    let login = |i: usize| lets_in(input, &list[i]) || tunnel(&list[i]);
    let tells: BTreeSet<u32> = input
        .coverage
        .sources
        .iter()
        .filter(|s| !s.door && !s.tells.is_empty())
        .map(|s| s.index)
        .collect();
    // What one use is known by: its chain, and where no log names who asks, its address.
    let known_by = |i: usize| {
        let x = &list[i];
        let chain = Some(format!("#{}", input.sessions.chains[i]));
        let address = x.origin.address.filter(|_| x.account.is_none() || login(i));
        chain.into_iter().chain(address.map(|a| a.to_string()))
    };
    // Something was shown or asked for, besides the way in and out.
    let shows = |x: &Session| {
        let c = &x.counts;
        c.requests + c.reads + c.searches + c.exports + c.writes + c.files + c.queries + c.subjects
            > 0
    };
    // Sources heard after each of some logins.
    let heard = |logins: &[usize]| -> Vec<BTreeSet<u32>> {
        let mut by: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (k, i) in logins.iter().enumerate() {
            for name in known_by(*i) {
                by.entry(name).or_default().push(k);
            }
        }
        let mut out = vec![BTreeSet::new(); logins.len()];
        for (i, x) in list.iter().enumerate() {
            if !tells.contains(&x.source) || !shows(x) {
                continue;
            }
            for his in known_by(i).filter_map(|name| by.get(&name)) {
                // In order of time, as the sessions are.
                let from = |k: &usize| list[logins[*k]].from;
                let first = his.partition_point(|k| from(k).saturating_add(AFTER) < x.from);
                let later = his[first..]
                    .iter()
                    .take_while(|k| from(k).saturating_sub(BEFORE) <= x.to);
                for k in later {
                    out[*k].insert(x.source);
                }
            }
        }
        out
    };
    let bad: Vec<usize> = (0..list.len())
        .filter(|i| login(*i) && !legitimate(*i))
        .collect();
    let bad: Vec<usize> = heard(&bad)
        .iter()
        .zip(bad)
        .filter(|(h, _)| h.is_empty())
        .map(|(_, i)| i)
        .collect();
    if bad.is_empty() {
        return vec![];
    }
    let lawful: Vec<usize> = (0..list.len())
        .filter(|i| login(*i) && legitimate(*i))
        .collect();
    let heard = heard(&lawful);
    let mut out = vec![];
    for i in bad {
        let of = list[i].source;
        let all = lawful.iter().filter(|k| list[**k].source == of).count();
        let idle = (lawful.iter().zip(&heard))
            .filter(|(k, h)| list[**k].source == of && h.is_empty())
            .map(|(k, _)| list[*k].counts.bytes_out);
        let carried = list[i].counts.bytes_out > idle.max().unwrap_or(0).max(CARRIED);
        // Bytes are a sign of their own, and need fewer others beside them.
        if all < if carried { LAWFUL / 4 } else { LAWFUL } {
            continue;
        }
        let of_door = || {
            let pairs = lawful.iter().zip(&heard);
            pairs.filter(|(k, _)| list[**k].source == of).map(|p| p.1)
        };
        let followed = of_door().filter(|h| !h.is_empty()).count();
        let together = (all - followed) * 20 <= all;
        for source in &tells {
            let there = of_door().filter(|h| h.contains(source)).count();
            if (all - there) * 50 <= all || together && there * 4 >= all {
                let (from, _) = input.coverage.on_time(of, list[i].from);
                let (_, to) = input.coverage.on_time(of, lives(input, &list[i]));
                let open = Window::new(from, to.saturating_add(SECOND));
                let around = Window::new(
                    open.from.saturating_sub(AFTER),
                    open.to.saturating_add(AFTER),
                );
                let spoke = |x: &Session| {
                    x.source == *source && shows(x) && x.from < around.to && x.to >= around.from
                };
                if carried || !whole(input, *source, open) || list.iter().any(spoke) {
                    out.push((*source, open));
                }
            }
        }
    }
    out.sort();
    out.dedup();
    out
}

/// By its own numbers, or as a second log that repeats it, nothing is missing in that time, and no sign says that its clock is off.
fn whole(input: &Input<'_>, source: u32, window: Window) -> bool {
    let right =
        !input.sessions.skews.contains_key(&source) && input.coverage.clock_of(source).is_none();
    let guarded =
        |s: &coverage::SourceCoverage| s.guarded && s.untold.is_none() && s.complete_in(window);
    right && input.coverage.source(source).is_some_and(guarded)
}

/// A login at an identity provider: what it gives out opens other systems.
fn lets_in(input: &Input<'_>, s: &Session) -> bool {
    matches!(s.key_kind, SessionKey::Sid | SessionKey::Token)
        && s.counts.logins > 0
        && input.coverage.source(s.source).is_some_and(|c| c.door)
}

/// Until when what a session let in may be used again.
fn lives(input: &Input<'_>, s: &Session) -> Nanos {
    if lets_in(input, s) && !s.closed {
        s.from.saturating_add(ID_LIFE).max(s.to)
    } else {
        s.to
    }
}

/// Asks what the bad sessions saw, and counts.
pub fn assemble<'a>(input: &Input<'a>) -> Result<Outcome<'a>, DoorError> {
    let case = input.case;
    let context = &case.context;
    let mut people = People::new(input.identity);
    let logged_hosts: BTreeSet<String> = input
        .coverage
        .sources
        .iter()
        .flat_map(|s| &s.hosts)
        .map(|h| short_host(h))
        .collect();
    let mut silent_hosts = silent_hosts(input);
    silent_hosts.extend(unheard_hosts(input)?);
    let uncounted = uncounted(input);
    let cut_after = (input.coverage.sources.iter())
        .flat_map(|s| s.cut_after.iter().copied())
        .collect();
    let di = disclose::Input {
        case,
        sessions: input.sessions,
        judgements: input.judgements,
        door: input.door,
        identity: input.identity,
        inventory: input.inventory,
        leaks: input.leaks,
        logged_hosts: &logged_hosts,
        silent_hosts: &silent_hosts,
        uncounted: &uncounted,
        cut_after: &cut_after,
        clocks: &input.coverage.clocks,
    };
    let mut d = disclose::disclose(&di, &mut people)?;
    undecodable_sources(input, &mut d);
    let open_base = damaged(input, &mut d);
    let canaries: BTreeSet<Who> = context
        .canaries
        .iter()
        .filter_map(|c| people.of_subject(&c.subject))
        .collect();

    // ---- cells
    let mut cells: BTreeMap<(PlaceId, Category), CellSets> = BTreeMap::new();
    let mut affected: BTreeSet<Who> = BTreeSet::new();
    let mut reached: BTreeSet<Who> = BTreeSet::new();
    for_each_person(&d, &canaries, |who, place, states| {
        for (c, s) in states {
            let cell = cells.entry((place, *c)).or_default();
            if s.verdict.touched() {
                cell.established.push((who, s.verdict, s.exact));
                if s.direct {
                    cell.direct = true;
                } else {
                    cell.from.extend(s.from.iter().copied());
                }
                if s.direct {
                    affected.insert(who);
                }
            } else {
                cell.exposed.push(who);
                if s.direct {
                    cell.exposed_direct = true;
                } else {
                    cell.exposed_from.extend(s.from.iter().copied());
                }
            }
            reached.insert(who);
        }
    });

    // ---- populations
    let populations = Populations::of(
        input.identity,
        &mut d,
        input.inventory,
        &mut people,
        context,
    )
    .known(!open_base);
    let facts = bound_facts(input, &d, &populations);
    let bounds = bounds::bounds(&facts, input.coverage, context);

    let groups = duplicate_groups(input.identity);
    let rows = cells_of(&d, &cells, &canaries, &populations, &bounds, &groups);

    // ---- everybody once
    let is_patient = |w: Who| people.is_known(w) || !populations.staff.contains(&w);
    let total = |only_patients: bool| -> Interval {
        let keep = |w: &Who| !only_patients || is_patient(*w);
        let e: BTreeSet<Who> = affected.iter().copied().filter(|w| keep(w)).collect();
        let least = distinct_groups(e.iter().copied(), &groups)
            + partial_gain(
                d.partials
                    .iter()
                    .filter(|p| !only_patients || p.categories.iter().any(|c| !c.is_staff()))
                    .map(|p| (p.at_least, &p.candidates)),
                &e,
                &canaries,
            );
        let mut all: BTreeSet<Who> = reached.iter().copied().filter(|w| keep(w)).collect();
        all.extend(
            d.partials
                .iter()
                .flat_map(|p| p.candidates.iter().copied())
                .filter(|w| keep(w) && !canaries.contains(w)),
        );
        // Patients and staff fill up apart: nobody of the staff is reached where only patients can be.
        let loose = |staff: bool| {
            d.loose
                .iter()
                .filter(|l| l.categories.iter().any(|c| c.is_staff() == staff))
                .map(|l| populations.cap(&l.places, l.up_to))
                .fold(0u64, u64::saturating_add)
        };
        let fill = |known: u64, more: u64, everybody: Option<u64>| match (more, everybody) {
            (0, _) => known,
            // The whole population is an upper bound, unless more than it is already named.
            (m, Some(n)) => known.saturating_add(m).min(n.max(known)),
            (m, None) => known.saturating_add(m).min(UNBOUNDED),
        };
        let patients = all.iter().filter(|w| is_patient(**w)).count() as u64;
        // Whoever is named and is not in the base comes on top of it.
        let strangers = all
            .iter()
            .filter(|w| is_patient(**w) && !people.is_known(**w))
            .count() as u64;
        let mut most = fill(
            patients,
            loose(false).saturating_add(bounds.patients),
            populations.patients.map(|n| n + strangers),
        );
        if !only_patients {
            let staff = all.len() as u64 - patients;
            let more = bounds.persons.saturating_sub(bounds.patients);
            let everybody = populations.staff_count.max(populations.staff.len() as u64);
            most = most
                .saturating_add(fill(
                    staff,
                    loose(true).saturating_add(more),
                    populations.patients.map(|_| everybody),
                ))
                .min(UNBOUNDED);
        }
        interval(least, most)
    };
    let subjects = total(false);
    let patients = total(true);
    let population = populations.patients.unwrap_or(0);
    let sources = &input.coverage.sources;
    let tells = sources.iter().any(|s| !s.tells.is_empty() && s.events > 0);
    // Without a base nobody knows of how many.
    let unaffected = match populations.patients {
        // Where no log tells of data, nobody is known not to be affected.
        Some(n) => interval(
            match tells {
                true => n.saturating_sub(patients.at_most),
                false => 0,
            },
            n.saturating_sub(patients.at_least),
        ),
        None => interval(0, UNBOUNDED),
    };

    // ---- targeted, canaries, writes
    let session_ids: Vec<SessionId> = input.sessions.list.iter().map(|s| s.id).collect();
    let paths: Vec<String> = case.files.iter().map(|f| f.rel.clone()).collect();
    let name_sessions = |l: &[u32]| -> Vec<String> {
        l.iter()
            .map(|s| session_ids[*s as usize].to_string())
            .collect()
    };
    let targets = targeted::targeted(&d, input.sessions, input.judgements, &canaries);
    let mut target_rows: Vec<Targeted> = targets
        .iter()
        .map(|t| Targeted {
            subject: people.name(t.who, t.place, &d.places),
            sessions: name_sessions(&t.sessions),
            times: t.times.iter().map(|t| rfc3339(*t)).collect(),
        })
        .collect();
    target_rows.sort_by(|a, b| a.subject.cmp(&b.subject));
    let mut touched: BTreeMap<Who, (PlaceId, BTreeSet<u32>, BTreeSet<Nanos>)> = BTreeMap::new();
    for t in d.touches.iter().filter(|t| canaries.contains(&t.who)) {
        let a = &d.accesses[t.access as usize];
        if !t.verdict.touched() {
            continue;
        }
        let e = touched
            .entry(t.who)
            .or_insert((t.place, BTreeSet::new(), BTreeSet::new()));
        e.1.extend(&a.sessions);
        if a.time != NO_TIME {
            e.2.insert(a.time);
        }
    }
    let canary_rows: Vec<Targeted> = touched
        .iter()
        .map(|(w, (p, s, t))| Targeted {
            subject: people.name(*w, *p, &d.places),
            sessions: name_sessions(&s.iter().copied().collect::<Vec<_>>()),
            times: t.iter().map(|t| rfc3339(*t)).collect(),
        })
        .collect();
    let cite = |e: &EvidenceRef| cite(&paths, e);
    let write_rows = writes::writes(&d, &people, &cite);
    let probable: Vec<Vec<String>> = input
        .identity
        .probable_duplicates()
        .into_iter()
        .filter(|g| g.iter().filter(|p| affected.contains(p)).count() > 1)
        .map(|g| {
            g.iter()
                .map(|p| people.name(*p, home(input.identity, *p, &d), &d.places))
                .collect()
        })
        .collect();

    // ---- statements and claims
    let (sure_writes, maybe_writes) = writes::tally(&d);
    let verdict_of = |s: usize| input.judgements.get(s).map(|j| j.verdict);
    let bad: Vec<usize> = (0..input.sessions.list.len())
        .filter(|s| verdict_of(*s).is_some_and(|v| v != SessionVerdict::Legitimate))
        .collect();
    let intruders = bad
        .iter()
        .filter(|s| verdict_of(**s) == Some(SessionVerdict::Intruder))
        .count() as u64;
    let mut touched_sources: Vec<u32> = bad
        .iter()
        .map(|s| &input.sessions.list[*s])
        .filter(|s| !web_sign_in(s))
        .map(|s| s.source)
        .collect();
    touched_sources.sort_unstable();
    touched_sources.dedup();
    let signs = bad
        .iter()
        .filter(|s| verdict_of(**s) == Some(SessionVerdict::Intruder))
        .map(|s| &input.sessions.list[*s])
        // He was there no later than this, and still at that time.
        .map(|s| {
            (
                input.coverage.on_time(s.source, s.from).1,
                input.coverage.on_time(s.source, s.to).0,
            )
        })
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let population_of: BTreeMap<String, u64> = populations
        .by_place
        .iter()
        .map(|(p, n)| (d.places.id(*p).to_string(), *n))
        .collect();
    let reached_by = reached_by_sentence(&d, &cells, &bounds);
    let sfacts = statements::Facts {
        signs,
        population_of,
        reached: reached_by,
        establishments: context
            .establishments
            .iter()
            .map(|e| (e.id.clone(), e.name.clone()))
            .collect::<BTreeMap<_, _>>()
            .into_iter()
            .collect(),
        cells: rows.clone(),
        subjects,
        named: distinct_groups(affected.iter().copied(), &groups),
        unaffected,
        population,
        intruder_sessions: intruders,
        // Who was only refused did nothing that could make a sentence untrue; what a hole hides around it counts as a hole.
        doubtful_sessions: (bad.iter())
            .filter(|s| verdict_of(**s) != Some(SessionVerdict::Intruder))
            .filter(|s| !input.sessions.list[**s].only_refused())
            .count() as u64,
        touched_sources,
        activity: bad
            .iter()
            .map(|s| &input.sessions.list[*s])
            .map(|s| {
                (
                    input.coverage.on_time(s.source, s.from).0,
                    input.coverage.on_time(s.source, s.to).1,
                )
            })
            .collect(),
        writes: sure_writes,
        possible_writes: maybe_writes,
        possible_accesses: bounds.possible_accesses,
        leak_examined: !input.leaks.is_empty(),
        published: (d.accesses.iter())
            .filter(|a| a.kind == AccessKind::Leak && a.proven)
            .count() as u64,
        leak_compared: inventoried(context, input.inventory),
        unreadable_files: input.unreadable_files,
        unresolved_accesses: d.loose.len() as u64,
        unweighed_reads: unweighed_reads(input, &d),
        unexplained_places: unexplained_places(input),
    };
    let statements = statements::statements(context, &sfacts, input.coverage, &bounds);
    let claims = claims::claims(
        context,
        &claims::Facts {
            subjects,
            cells: rows.clone(),
            told: (input.coverage.sources.iter())
                .filter(|s| s.events > 0)
                .fold(CategorySet::EMPTY, |a, s| a.union(s.tells)),
            identity_base: !input.identity.is_empty(),
        },
    );
    let extent = Extent {
        subjects,
        cells: rows,
        unaffected,
        targeted: target_rows,
        writes: write_rows,
        internal: vec![],
        canaries: canary_rows,
        probable_duplicates: probable,
        blind_shares: blind_shares(input, &d),
    };
    let mut outcome = Outcome {
        persons: vec![],
        extent,
        statements,
        claims,
        coverage: input.coverage.rows(),
        bounds,
        disclosures: d,
        people,
        canaries,
        session_ids,
        paths,
    };
    outcome.persons = outcome.all_person_rows();
    Ok(outcome)
}

/// As they are declared, otherwise as they are compared.
fn blind_shares(input: &Input<'_>, d: &Disclosures) -> Vec<String> {
    let declared = &input.case.context.shares;
    let name = |key: &String| {
        let same = |s: &&ampleur_event::context::Share| share_key(&s.path) == *key;
        declared.iter().find(same).map_or(key, |s| &s.path).clone()
    };
    let all: BTreeSet<String> = d.blind_shares.iter().map(|(key, _)| name(key)).collect();
    all.into_iter().collect()
}

fn interval(least: u64, most: u64) -> Interval {
    invariant::check(least <= most, EX_1, "extent");
    Interval::new(least, most)
}

/// `path:record`, blanks of the path as `%20`.
fn cite(paths: &[String], e: &EvidenceRef) -> String {
    format!(
        "{}:{}",
        paths
            .get(e.file as usize)
            .map_or_else(String::new, |p| p.replace(' ', "%20")),
        e.record
    )
}

/// An establishment of a person, for naming.
fn home(base: &IdentityBase, p: PersonId, d: &Disclosures) -> PlaceId {
    base.records_of(p)
        .iter()
        .filter_map(|r| base.latest(*r))
        .find_map(|v| d.places.of_version(base, v))
        .unwrap_or(0)
}

// ------------------------------------------------------------------ states per person

/// What is known about one category of one person in one establishment.
#[derive(Debug, Clone)]
struct State {
    verdict: Verdict,
    /// Shown itself, at the strongest verdict or below; else it follows from others.
    direct: bool,
    /// Proven by a record naming the person.
    proven: bool,
    /// Shown, or following with certainty (a NIR tells the sex).
    exact: bool,
    from: Vec<Category>,
    /// Accesses behind it.
    accesses: Vec<u32>,
}

/// True when what every share holds is known: only then says a list that matches nothing that nothing of ours is in it.
fn inventoried(context: &ampleur_event::Context, inventory: &Inventory) -> bool {
    let known: BTreeSet<String> = inventory.shares().iter().map(|s| share_key(s)).collect();
    !known.is_empty()
        && context
            .shares
            .iter()
            .all(|s| known.contains(&share_key(&s.path)))
}

/// Calls `each(who, place, states)` for every person and establishment touched, in order; canaries are left out.
fn for_each_person(
    d: &Disclosures,
    canaries: &BTreeSet<Who>,
    mut each: impl FnMut(Who, PlaceId, &BTreeMap<Category, State>),
) {
    for group in d
        .touches
        .chunk_by(|a, b| (a.who, a.place) == (b.who, b.place))
    {
        if canaries.contains(&group[0].who) {
            continue;
        }
        let states = states_of(d, group);
        if !states.is_empty() {
            each(group[0].who, group[0].place, &states);
        }
    }
}

fn states_of(d: &Disclosures, group: &[Touch]) -> BTreeMap<Category, State> {
    let mut out: BTreeMap<Category, State> = BTreeMap::new();
    // What follows from what was shown; and, for what was only within reach, from all of it.
    let (mut shown_any, mut reached_any) = (CategorySet::EMPTY, CategorySet::EMPTY);
    for t in group {
        let shown = d.sets[t.shown as usize];
        reached_any = reached_any.union(shown);
        if t.verdict.touched() {
            shown_any = shown_any.union(shown);
        }
    }
    let exactly: Vec<(Category, Category)> = catalog::derived(shown_any);
    let possibly: Vec<(Category, Category)> = catalog::derived(reached_any);
    let mut put = |c: Category, t: &Touch, a: &Access, direct: bool| {
        let follows = if t.verdict.touched() {
            &exactly
        } else {
            &possibly
        };
        let from: Vec<Category> = follows.iter().filter(|x| x.0 == c).map(|x| x.1).collect();
        let exact = direct
            || from.is_empty()
            || c == Category::CareExistence
            || from
                .iter()
                .any(|f| matches!(f, Category::IdNir | Category::ContactMssante));
        let new = State {
            verdict: t.verdict,
            direct,
            proven: direct && a.proven,
            exact,
            from,
            accesses: vec![t.access],
        };
        match out.get_mut(&c) {
            None => {
                out.insert(c, new);
            }
            Some(s) => {
                let (was, is) = (s.verdict.touched(), new.verdict.touched());
                if is && !was {
                    *s = new;
                } else if was == is {
                    s.verdict = s.verdict.max(new.verdict);
                    s.direct |= new.direct;
                    s.proven |= new.proven;
                    s.exact |= new.exact;
                    s.accesses.extend(new.accesses);
                }
            }
        }
    };
    for t in group {
        let a = &d.accesses[t.access as usize];
        for c in d.sets[t.shown as usize].iter() {
            put(c, t, a, true);
        }
        for c in d.sets[t.derived as usize].iter() {
            put(c, t, a, false);
        }
    }
    // What only follows makes nobody a row of his own.
    if out.values().all(|s| !s.direct) {
        out.clear();
    }
    out
}

// ------------------------------------------------------------------ populations

/// How many there are, at the last snapshot.
#[derive(Debug, Default)]
struct Populations {
    /// Persons of the base over all establishments; `None` without a base.
    patients: Option<u64>,
    by_place: BTreeMap<PlaceId, u64>,
    with: BTreeMap<(PlaceId, Category), u64>,
    /// Staff the inventory names.
    staff: BTreeSet<Who>,
    staff_count: u64,
    /// Persons of any inventory file per cell, for categories no identity base carries.
    in_files: BTreeMap<(PlaceId, Category), u64>,
}

impl Populations {
    fn of(
        base: &IdentityBase,
        d: &mut Disclosures,
        inventory: &Inventory,
        people: &mut People<'_>,
        context: &ampleur_event::Context,
    ) -> Populations {
        let mut p = Populations {
            staff_count: context.persons.len() as u64,
            ..Populations::default()
        };
        if let Some(last) = base.snapshots.len().checked_sub(1) {
            let mut rows: Vec<(PlaceId, PersonId, CategorySet)> = vec![];
            for v in 0..base.version_count() {
                if !base.present(v, last) {
                    continue;
                }
                let org = base.text(base.version(v).organization);
                let place = match d.places.of_version(base, v) {
                    Some(p) => p,
                    None if org.is_empty() => continue,
                    None => d.places.intern(org),
                };
                rows.push((place, base.person_of(base.version(v).record), base.held(v)));
            }
            rows.sort_unstable();
            let mut everybody: Vec<PersonId> = rows.iter().map(|r| r.1).collect();
            everybody.sort_unstable();
            everybody.dedup();
            p.patients = Some(everybody.len() as u64);
            for g in rows.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
                let held = g.iter().fold(CategorySet::EMPTY, |s, r| s.union(r.2));
                *p.by_place.entry(g[0].0).or_default() += 1;
                for c in held.iter() {
                    *p.with.entry((g[0].0, c)).or_default() += 1;
                }
            }
        }
        let mut in_files: BTreeSet<(PlaceId, Category, Who)> = BTreeSet::new();
        for f in 0..inventory.files.len() as u32 {
            for s in inventory.subjects(f) {
                let text = inventory.strings.get(s.subject);
                let Some(w) = people.of_subject(text) else {
                    continue;
                };
                if !people.is_known(w) && s.categories.iter().all(Category::is_staff) {
                    p.staff.insert(w);
                }
                let place = text
                    .split_once('|')
                    .and_then(|(a, _)| d.places.owner(a))
                    .unwrap_or(0);
                for c in s.categories.iter() {
                    in_files.insert((place, c, w));
                }
            }
        }
        for (place, c, _) in in_files {
            *p.in_files.entry((place, c)).or_default() += 1;
        }
        p.staff_count = p.staff_count.max(p.staff.len() as u64);
        p
    }
    /// Nothing is known of how many there are when the lists are broken.
    fn known(self, known: bool) -> Populations {
        match known {
            true => self,
            false => Populations {
                patients: None,
                by_place: BTreeMap::new(),
                with: BTreeMap::new(),
                in_files: BTreeMap::new(),
                ..self
            },
        }
    }
    /// Persons who can have `category` in a place; `None` when nobody knows.
    fn of_cell(&self, place: PlaceId, category: Category) -> Option<u64> {
        let files = self.in_files.get(&(place, category)).copied().unwrap_or(0);
        if category.is_staff() {
            return Some(self.staff_count.max(files)).filter(|n| *n > 0);
        }
        self.patients?;
        let n = if IdentityBase::carried().contains(category) {
            self.with.get(&(place, category)).copied().unwrap_or(0)
        } else {
            self.by_place.get(&place).copied().unwrap_or(0)
        };
        Some(n.max(files))
    }
    /// `up_to` persons of these places (empty = all), at most their population.
    fn cap(&self, places: &[PlaceId], up_to: u64) -> u64 {
        match self.patients {
            None => up_to.min(UNBOUNDED),
            Some(all) if places.is_empty() => up_to.min(all),
            Some(_) => up_to.min(
                places
                    .iter()
                    .map(|p| self.by_place.get(p).copied().unwrap_or(0))
                    .sum(),
            ),
        }
    }
}

/// Patients each sentence may be untrue of, at most, by (code, establishment): those named, once each, and what lone requests and
/// holes may hide beside them.
fn reached_by_sentence(
    d: &Disclosures,
    cells: &BTreeMap<(PlaceId, Category), CellSets>,
    bounds: &bounds::Bounds,
) -> BTreeMap<(String, Option<String>), u64> {
    let mut out = BTreeMap::new();
    for code in statements::CODES {
        let set = match (statements::patterns(code), *code) {
            (Some(p), _) => CategorySet::parse(p).unwrap_or(CategorySet::EMPTY),
            (None, "no_evidence_of_access" | "nothing_exfiltrated") => {
                crate::coverage::every_category()
            }
            _ => continue,
        };
        // Visit date and unit together tell of health (contract §F).
        let set = match *code {
            "no_health_data" => set.union(CategorySet::of(&[Category::CareUnit])),
            _ => set,
        };
        let set: CategorySet = set.iter().filter(|c| !c.is_staff()).collect();
        let counts = |v: Verdict| *code != "nothing_exfiltrated" || v >= Verdict::Exfiltrated;
        let mut named: BTreeMap<PlaceId, BTreeSet<Who>> = BTreeMap::new();
        for ((place, _), s) in cells.iter().filter(|((_, c), _)| set.contains(*c)) {
            let who = named.entry(*place).or_default();
            who.extend(s.exposed.iter());
            who.extend(s.established.iter().filter(|e| counts(e.1)).map(|e| e.0));
        }
        for p in d.partials.iter().filter(|p| counts(p.verdict)) {
            if !p.categories.intersect(set).is_empty() {
                named.entry(p.place).or_default().extend(&p.candidates);
            }
        }
        let mut hidden: BTreeMap<String, u64> = BTreeMap::new();
        for ((place, _), reach) in bounds.cells.iter().filter(|((_, c), _)| set.contains(*c)) {
            let n = hidden.entry(place.clone()).or_default();
            *n = n.saturating_add(reach.persons);
        }
        for l in d.loose.iter() {
            if l.categories.intersect(set).is_empty() {
                continue;
            }
            let places: Vec<PlaceId> = match l.places.is_empty() {
                true => (0..d.places.ids.len() as PlaceId).collect(),
                false => l.places.clone(),
            };
            for p in places {
                let n = hidden.entry(d.places.id(p).to_string()).or_default();
                *n = n.saturating_add(l.up_to);
            }
        }
        let everybody: BTreeSet<Who> = named.values().flatten().copied().collect();
        let all = hidden
            .values()
            .fold(everybody.len() as u64, |a, n| a.saturating_add(*n));
        out.insert((code.to_string(), None), all);
        let places: BTreeSet<String> = named
            .keys()
            .map(|p| d.places.id(*p).to_string())
            .chain(hidden.keys().cloned())
            .collect();
        for e in places {
            let here = d.places.find(&e).and_then(|p| named.get(&p));
            let n = here.map_or(0, |w| w.len() as u64);
            let more = hidden.get(&e).copied().unwrap_or(0);
            out.insert((code.to_string(), Some(e)), n.saturating_add(more));
        }
    }
    out
}

/// A source that tells and of which nothing could be decoded: each of its records may be an access (contract §B).
fn undecodable_sources(input: &Input<'_>, d: &mut Disclosures) {
    let bad = (0..input.sessions.list.len()).find(|s| {
        input
            .judgements
            .get(*s)
            .is_some_and(|j| j.verdict != SessionVerdict::Legitimate)
    });
    // Where nothing that tells could be read nobody can be named, and nobody can be ruled out.
    let read = (input.coverage.sources.iter()).any(|s| !s.tells.is_empty() && s.events > 0);
    let time = match bad {
        Some(first) => input.sessions.list[first].from,
        None if read => return,
        None => 0,
    };
    for s in &input.coverage.sources {
        if s.events > 0 || s.rejects == 0 || s.tells.is_empty() {
            continue;
        }
        d.accesses.push(Access {
            time,
            kind: AccessKind::Read,
            sessions: vec![],
            doubtful: true,
            verdict: Verdict::Exposed,
            proven: false,
            evidence: vec![],
            source: s.index,
        });
        let places = s
            .establishment
            .as_deref()
            .map(|e| d.places.intern(e))
            .into_iter()
            .collect();
        d.loose.push(disclose::Loose {
            access: (d.accesses.len() - 1) as u32,
            places,
            categories: s.tells,
            // One record can have shown everybody.
            up_to: u64::MAX,
        });
    }
}

/// Inside addresses outside every declared network that somebody's account came from, and of which no log says how they were come by: a
/// door nobody logged lends them. None where no network is declared.
fn unexplained_places(input: &Input<'_>) -> u64 {
    let context = &input.case.context;
    let nets = |list: &[String]| -> Vec<net::Net> {
        list.iter().filter_map(|n| net::Net::parse(n)).collect()
    };
    let site: Vec<net::Net> = (context.establishments.iter())
        .flat_map(|e| nets(&e.networks))
        .collect();
    if site.is_empty() {
        return 0;
    }
    let declared: Vec<net::Net> = (context.accounts.iter())
        .flat_map(|a| nets(&a.networks))
        .collect();
    let s = input.sessions;
    // The range a gateway lends from is known by the addresses its log shows; its own holes are looked at elsewhere.
    let lent: BTreeSet<net::Net> = s.lent().into_iter().map(net::neighbourhood).collect();
    let come_by: BTreeSet<u32> = (s.links.iter())
        .filter(|l| matches!(l.kind, LinkKind::TunnelAddress | LinkKind::Hop))
        .map(|l| l.inner)
        .collect();
    let mut out: BTreeSet<std::net::IpAddr> = BTreeSet::new();
    for (i, x) in s.list.iter().enumerate() {
        let person = x.account.as_ref().is_some_and(|a| !a.is_machine()) && !s.is_flow(i);
        let Some(a) = x.origin.address.filter(|a| person && net::is_private(*a)) else {
            continue;
        };
        let known = a.is_loopback()
            || a.is_unspecified()
            || site.iter().chain(&declared).any(|n| n.contains(a))
            || lent.contains(&net::neighbourhood(a));
        if !known && !come_by.contains(&(i as u32)) {
            out.insert(a);
        }
    }
    out.len() as u64
}

/// Files read in uses of which neither a tunnel nor a flow counts what left.
fn unweighed_reads(input: &Input<'_>, d: &Disclosures) -> u64 {
    let sessions = input.sessions;
    let chain = |s: u32| &*sessions.chains[s as usize];
    let counted: BTreeSet<&str> = (sessions.list.iter().enumerate())
        .filter(|(i, x)| {
            x.counts.bytes_out > 0 && (x.key_kind == SessionKey::Tunnel || sessions.is_flow(*i))
        })
        .map(|(i, _)| chain(i as u32))
        .collect();
    let read = |a: &&Access| a.kind == disclose::AccessKind::File && !a.sessions.is_empty();
    let weighed = |a: &Access| a.sessions.iter().any(|s| counted.contains(chain(*s)));
    d.accesses
        .iter()
        .filter(read)
        .filter(|a| !weighed(a))
        .count() as u64
}

/// What a broken or old snapshot or a broken inventory may hide: whoever is missing there may have been in any answer, or in any file of
/// a share that was opened. True when nobody knows how many people there are.
fn damaged(input: &Input<'_>, d: &mut Disclosures) -> bool {
    use disclose::AccessKind as A;
    let of_files = |a: &Access| matches!(a.kind, A::File | A::ShareTheft | A::ShareReach | A::Leak);
    let base = !input.identity.damage().is_empty();
    let files = !input.inventory.damage.is_empty() && d.accesses.iter().any(of_files);
    if files {
        // Which files were taken cannot be told from their sizes while some are missing from the list.
        for p in &mut d.partials {
            if d.accesses[p.access as usize].kind == A::ShareTheft {
                p.at_least = 0;
            }
        }
    }
    let old = input.identity.stands_until();
    let mut opened: BTreeMap<u32, (u32, CategorySet)> = BTreeMap::new();
    for (i, a) in d.accesses.iter().enumerate() {
        // Long after the last snapshot nobody knows who was there to be found.
        let asked = matches!(a.kind, A::Search | A::Export | A::Statement) && !a.proven;
        let late = asked && old.is_some_and(|t| a.time > t);
        let hidden = if of_files(a) { files } else { base || late };
        if !hidden {
            continue;
        }
        let tells = input.coverage.source(a.source);
        let mut set = tells.map_or(CategorySet::EMPTY, |s| s.tells);
        if of_files(a) {
            set = coverage::every_category();
        }
        let e = opened
            .entry(a.source)
            .or_insert((i as u32, CategorySet::EMPTY));
        e.1 = e.1.union(set);
    }
    for t in &d.touches {
        let source = d.accesses[t.access as usize].source;
        if let Some(e) = opened.get_mut(&source) {
            let (shown, derived) = (d.sets[t.shown as usize], d.sets[t.derived as usize]);
            e.1 = e.1.union(shown).union(derived);
        }
    }
    let open = !opened.is_empty();
    for (access, categories) in opened.into_values() {
        d.loose.push(disclose::Loose {
            access,
            places: vec![],
            categories,
            up_to: u64::MAX,
        });
    }
    open || base
}

fn duplicate_groups(base: &IdentityBase) -> BTreeMap<Who, Who> {
    let mut out = BTreeMap::new();
    for g in base.probable_duplicates() {
        for p in &g {
            out.entry(*p).or_insert(g[0]);
        }
    }
    out
}

/// Persons, probable duplicates once.
fn distinct_groups(who: impl Iterator<Item = Who>, groups: &BTreeMap<Who, Who>) -> u64 {
    let mut s: Vec<Who> = who.map(|w| groups.get(&w).copied().unwrap_or(w)).collect();
    s.sort_unstable();
    s.dedup();
    s.len() as u64
}

/// Persons that partial knowledge adds to a lower bound, beyond those established: of each set at least so many, less those
/// that may be among the established or among the candidates already counted.
fn partial_gain<'x>(
    partials: impl Iterator<Item = (u64, &'x Vec<Who>)>,
    established: &BTreeSet<Who>,
    canaries: &BTreeSet<Who>,
) -> u64 {
    let mut list: Vec<(u64, &Vec<Who>)> = partials.filter(|p| p.0 > 0).collect();
    list.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let mut used: BTreeSet<Who> = BTreeSet::new();
    let mut gain = 0;
    for (least, candidates) in list {
        let spent = candidates
            .iter()
            .filter(|w| established.contains(w) || used.contains(w) || canaries.contains(w))
            .count() as u64;
        let g = least.saturating_sub(spent);
        if g > 0 {
            gain += g;
            used.extend(candidates.iter().copied());
        }
    }
    gain
}

// ------------------------------------------------------------------ cells

fn cells_of(
    d: &Disclosures,
    cells: &BTreeMap<(PlaceId, Category), CellSets>,
    canaries: &BTreeSet<Who>,
    populations: &Populations,
    bounds: &bounds::Bounds,
    groups: &BTreeMap<Who, Who>,
) -> Vec<Cell> {
    let mut keys: BTreeSet<(PlaceId, Category)> = cells.keys().copied().collect();
    for p in &d.partials {
        keys.extend(p.categories.iter().map(|c| (p.place, c)));
    }
    // What lone requests and gaps may hide, per cell.
    let mut wide: BTreeMap<(PlaceId, Category), Wide> = BTreeMap::new();
    for l in &d.loose {
        let places: Vec<PlaceId> = if l.places.is_empty() {
            (0..d.places.ids.len() as PlaceId).collect()
        } else {
            l.places.clone()
        };
        for p in places {
            for c in l.categories.iter() {
                wide.entry((p, c)).or_default().add(l.up_to, []);
            }
            let mut follows: BTreeMap<Category, Vec<Category>> = BTreeMap::new();
            for (c, from) in catalog::derived(l.categories) {
                follows.entry(c).or_default().push(from);
            }
            for (c, from) in follows {
                wide.entry((p, c)).or_default().add(l.up_to, from);
            }
        }
    }
    for ((place, c), reach) in &bounds.cells {
        if let Some(p) = d.places.find(place) {
            let w = wide.entry((p, *c)).or_default();
            w.persons = w.persons.saturating_add(reach.persons);
            w.direct |= reach.direct;
            w.from.extend(reach.from.iter().copied());
        }
    }
    keys.extend(wide.keys().copied());
    let empty = CellSets::default();
    let mut out = vec![];
    const LADDER: [Verdict; 3] = [Verdict::Leaked, Verdict::Exfiltrated, Verdict::Consulted];
    for (place, category) in keys {
        let sets = cells.get(&(place, category)).unwrap_or(&empty);
        let partials: Vec<&disclose::Partial> = d
            .partials
            .iter()
            .filter(|p| p.place == place && p.categories.contains(category))
            .collect();
        let strongest: BTreeMap<Who, (Verdict, bool)> = sets
            .established
            .iter()
            .map(|(w, v, exact)| (*w, (*v, *exact)))
            .collect();
        let mut settled: BTreeSet<Who> = BTreeSet::new();
        let establishment = d.places.id(place).to_string();
        let mut cell = |verdict: Verdict, least: u64, most: u64, from: &BTreeSet<Category>| {
            if most > 0 {
                out.push(Cell {
                    establishment: establishment.clone(),
                    category: category.code().to_string(),
                    verdict: verdict.word().to_string(),
                    subjects: interval(least, most),
                    derived_from: from.iter().map(|c| c.code().to_string()).collect(),
                });
            }
        };
        let nothing = BTreeSet::new();
        let follows = if sets.direct { &nothing } else { &sets.from };
        for (rank, v) in LADDER.iter().enumerate() {
            let mine: Vec<Who> = strongest
                .iter()
                .filter(|(_, s)| s.0 == *v)
                .map(|(w, _)| *w)
                .collect();
            let stronger: BTreeSet<Who> = strongest
                .iter()
                .filter(|(_, s)| s.0 >= *v)
                .map(|(w, _)| *w)
                .collect();
            // Somebody who may have met something worse need not be in this cell.
            let may_be_worse: BTreeSet<Who> = partials
                .iter()
                .filter(|p| LADDER[..rank].contains(&p.verdict))
                .flat_map(|p| p.candidates.iter().copied())
                .collect();
            let sure = distinct_groups(
                mine.iter()
                    .copied()
                    .filter(|w| strongest[w].1 && !may_be_worse.contains(w)),
                groups,
            );
            let at_v: Vec<&&disclose::Partial> =
                partials.iter().filter(|p| p.verdict == *v).collect();
            let candidates: BTreeSet<Who> = at_v
                .iter()
                .flat_map(|p| p.candidates.iter().copied())
                .filter(|w| !canaries.contains(w))
                .collect();
            let mut counted = stronger.clone();
            counted.extend(may_be_worse.iter().copied());
            let gain = partial_gain(
                at_v.iter().map(|p| (p.at_least, &p.candidates)),
                &counted,
                canaries,
            );
            let more = candidates.difference(&stronger).count() as u64;
            cell(*v, sure + gain, mine.len() as u64 + more, follows);
            settled.extend(stronger);
            settled.extend(candidates);
        }
        let named = sets.exposed.iter().filter(|w| !settled.contains(w)).count() as u64;
        let extra = wide.get(&(place, category)).cloned().unwrap_or_default();
        let most = if extra.persons == 0 {
            named
        } else {
            // Who may have the category, or something as widely hidden that it follows from: a NIR tells the place of birth of
            // whoever has a NIR, whether or not his record holds a place of birth.
            let tellers = Category::ALL
                .iter()
                .copied()
                .filter(|c| c.derives().contains(&category) && wide.contains_key(&(place, *c)));
            let holders = extra
                .from
                .iter()
                .copied()
                .chain([category])
                .chain(tellers)
                .map(|c| populations.of_cell(place, c))
                .try_fold(0, |most: u64, n| n.map(|n| most.max(n)));
            let open = holders.map_or(UNBOUNDED, |n| n.saturating_sub(settled.len() as u64));
            named.saturating_add(extra.persons).min(open).max(named)
        };
        let mut from = extra.from;
        from.extend(sets.exposed_from.iter().copied());
        if extra.direct || sets.exposed_direct {
            from.clear();
        }
        cell(Verdict::Exposed, 0, most, &from);
    }
    out.sort_by(|a, b| {
        (&a.establishment, &a.category, &a.verdict).cmp(&(
            &b.establishment,
            &b.category,
            &b.verdict,
        ))
    });
    out
}

// ------------------------------------------------------------------ bounds

fn bound_facts(input: &Input<'_>, d: &Disclosures, populations: &Populations) -> bounds::Facts {
    let list = &input.sessions.list;
    let inner: BTreeSet<u32> = input
        .sessions
        .links
        .iter()
        .filter(|l| l.certainty >= 0.5 && l.kind != LinkKind::None)
        .map(|l| l.inner)
        .collect();
    let mut presences = vec![];
    for (i, s) in list.iter().enumerate() {
        let v = input
            .judgements
            .get(i)
            .map_or(SessionVerdict::Legitimate, |j| j.verdict);
        if v == SessionVerdict::Legitimate {
            continue;
        }
        presences.push(bounds::Presence {
            live: input.coverage.on_time(s.source, lives(input, s)).1,
            account: s.account.as_ref().map(ToString::to_string),
            system: s.account.as_ref().map_or(System::Unknown, |a| a.system),
            source: s.source,
            from: input.coverage.on_time(s.source, s.from).0,
            to: input.coverage.on_time(s.source, s.to).1,
            certain: v == SessionVerdict::Intruder,
            outermost: !inner.contains(&(i as u32)),
            closed: s.closed,
            entered: s.counts.logins > 0 || s.inner.is_some(),
        });
    }
    let mut establishments: Vec<String> = input
        .case
        .context
        .establishments
        .iter()
        .map(|e| e.id.clone())
        .collect();
    // A hole hides whoever the base holds, declared or not; without either, whoever there may be.
    establishments.extend(
        populations
            .by_place
            .keys()
            .map(|p| d.places.id(*p).to_string()),
    );
    establishments.sort();
    establishments.dedup();
    if establishments.is_empty() {
        establishments.push(d.places.id(0).to_string());
    }
    let mut blind = vec![];
    for (share, counted) in &d.blind_shares {
        // With an inventory its persons are named as exposed already.
        if *counted {
            continue;
        }
        let declared = input
            .case
            .context
            .shares
            .iter()
            .find(|s| crate::files::share_key(&s.path) == *share);
        if let Some(s) = declared {
            blind.push(bounds::BlindPlace {
                name: s.path.clone(),
                establishment: establishments.first().cloned().unwrap_or_default(),
                categories: s
                    .categories
                    .iter()
                    .flat_map(|c| Category::matching(c))
                    .collect(),
                persons: None,
            });
        }
    }
    // Who else there was and what files hold is asked of records nobody can read only.
    let mut sources = input.coverage.sources.iter();
    let rejects = sources.any(|s| !s.tells.is_empty() && !s.reject_marks.is_empty());
    bounds::Facts {
        presences,
        population: populations
            .by_place
            .iter()
            .map(|(p, n)| (d.places.id(*p).to_string(), *n))
            .collect(),
        population_with: populations
            .with
            .iter()
            .map(|((p, c), n)| ((d.places.id(*p).to_string(), *c), *n))
            .collect(),
        persons: populations.patients.unwrap_or(0),
        staff: populations.staff_count,
        establishments,
        blind,
        bytes_out: BTreeMap::new(),
        bytes_per_person: d.bytes_per_person.clone(),
        persons_per_record: persons_per_record(d),
        pauses: d.pauses.clone(),
        unheard: unheard_logins(input),
        persons_per_reject: if rejects {
            persons_per_reject(d, input.inventory)
        } else {
            BTreeMap::new()
        },
        served: served(d),
        others: if rejects {
            others(input, list)
        } else {
            BTreeSet::new()
        },
        addresses: list
            .iter()
            .enumerate()
            .filter(|(i, _)| {
                input
                    .judgements
                    .get(*i)
                    .is_some_and(|j| j.verdict != SessionVerdict::Legitimate)
            })
            .flat_map(|(_, s)| s.origin.address.into_iter().chain(s.inner))
            .map(|a| a.to_string())
            .collect(),
    }
}

/// Addresses and professionals' numbers of legitimate sessions.
fn others(input: &Input<'_>, list: &[ampleur_event::Session]) -> BTreeSet<String> {
    let verdict = |i: usize| input.judgements.get(i).map(|j| j.verdict);
    let legitimate = list
        .iter()
        .enumerate()
        .filter(|(i, _)| verdict(*i) == Some(SessionVerdict::Legitimate));
    legitimate
        .flat_map(|(_, s)| {
            let number = s.account.as_ref().map(|a| a.bare());
            let number = number
                .filter(|n| matches!(n.len(), 11 | 12) && n.bytes().all(|b| b.is_ascii_digit()));
            let addresses = s.origin.address.into_iter().chain(s.inner);
            addresses.map(|a| a.to_string()).chain(number)
        })
        .collect()
}

/// A sign-in with a browser that a Windows log tells (AD FS): the machine that answers it is not entered.
fn web_sign_in(s: &ampleur_event::Session) -> bool {
    s.format == "windows-security"
        && s.key_kind != SessionKey::LogonId
        && s.origin.device.as_ref().is_some_and(|d| d.contains('/'))
}

/// Establishments of the persons each source was seen to serve.
fn served(d: &Disclosures) -> BTreeMap<u32, BTreeSet<String>> {
    let seen: BTreeSet<(u32, PlaceId)> = d
        .touches
        .iter()
        .filter(|t| t.verdict.touched())
        .map(|t| (&d.accesses[t.access as usize], t.place))
        .filter(|(a, _)| !a.evidence.is_empty())
        .map(|(a, p)| (a.source, p))
        .collect();
    let mut out: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for (s, p) in seen {
        out.entry(s).or_default().insert(d.places.id(p).to_string());
    }
    out
}

/// How many persons each access shows; one that may have shown anybody counts as `anybody`.
fn persons_by_access(d: &Disclosures, anybody: u64) -> Vec<u64> {
    let mut out = vec![0u64; d.accesses.len()];
    for t in &d.touches {
        out[t.access as usize] += 1;
    }
    for l in &d.loose {
        let n = &mut out[l.access as usize];
        let up_to = if l.up_to == u64::MAX {
            anybody
        } else {
            l.up_to
        };
        *n = n.saturating_add(up_to);
    }
    out
}

/// Most persons one record of a source can name, where the source only ever served pages and single records; a statement or an
/// export that is missing may hold any number.
fn persons_per_record(d: &Disclosures) -> BTreeMap<u32, u64> {
    let mut out: BTreeMap<u32, Option<u64>> = BTreeMap::new();
    for (a, n) in d.accesses.iter().zip(persons_by_access(d, u64::MAX)) {
        if a.evidence.is_empty() {
            continue;
        }
        let paged = matches!(a.kind, AccessKind::Read | AccessKind::Search);
        let e = out.entry(a.source).or_insert(Some(0));
        *e = e.filter(|_| paged).map(|m| m.max(n));
    }
    out.into_iter()
        .filter_map(|(s, n)| Some((s, n.filter(|n| *n > 0)?)))
        .collect()
}

/// Most persons a record of a source that cannot be read may have shown: as many as the fullest readable one, and for files as many
/// as the fullest file there is.
fn persons_per_reject(d: &Disclosures, inventory: &Inventory) -> BTreeMap<u32, u64> {
    let files = 0..inventory.files.len() as u32;
    let fullest = files.map(|f| inventory.subjects(f).len() as u64).max();
    let mut out: BTreeMap<u32, u64> = BTreeMap::new();
    // Whoever could have shown anybody is no measure of the others.
    for (a, n) in d.accesses.iter().zip(persons_by_access(d, 0)) {
        if a.evidence.is_empty() {
            continue;
        }
        let file = matches!(
            a.kind,
            AccessKind::File | AccessKind::ShareTheft | AccessKind::ShareReach
        );
        let most = out.entry(a.source).or_default();
        // What a whole share holds is no single record's.
        *most = (*most).max(if file { fullest.unwrap_or(0) } else { n });
    }
    out
}

// ------------------------------------------------------------------ persons.csv

impl Outcome<'_> {
    /// Calls `each` with every row of `persons.csv`, sorted by subject, establishment, category. Bounded memory: one person at a time.
    pub fn each_person_row(&self, mut each: impl FnMut(PersonRow)) {
        let d = &self.disclosures;
        // (subject, establishment, first touch) decides the order of the file.
        let mut order: Vec<(String, PlaceId, usize)> = vec![];
        let mut at = 0;
        for g in d
            .touches
            .chunk_by(|a, b| (a.who, a.place) == (b.who, b.place))
        {
            if !self.canaries.contains(&g[0].who) {
                order.push((
                    self.people.name(g[0].who, g[0].place, &d.places),
                    g[0].place,
                    at,
                ));
            }
            at += g.len();
        }
        order.sort_by(|a, b| (&a.0, d.places.id(a.1), a.2).cmp(&(&b.0, d.places.id(b.1), b.2)));
        for (subject, place, start) in order {
            let t0 = d.touches[start];
            let len = d.touches[start..]
                .iter()
                .take_while(|t| (t.who, t.place) == (t0.who, t0.place))
                .count();
            let states = states_of(d, &d.touches[start..start + len]);
            let mut rows: Vec<PersonRow> = states
                .iter()
                .map(|(c, s)| self.row(&subject, place, *c, s))
                .collect();
            rows.sort();
            rows.into_iter().for_each(&mut each);
        }
    }
    fn all_person_rows(&self) -> Vec<PersonRow> {
        let mut v = vec![];
        self.each_person_row(|r| v.push(r));
        v
    }
    fn row(&self, subject: &str, place: PlaceId, c: Category, s: &State) -> PersonRow {
        let d = &self.disclosures;
        let mut sessions: BTreeSet<&str> = BTreeSet::new();
        let mut evidence: BTreeSet<EvidenceRef> = BTreeSet::new();
        let (mut first, mut last) = (NO_TIME, NO_TIME);
        for a in s.accesses.iter().map(|a| &d.accesses[*a as usize]) {
            for x in &a.sessions {
                sessions.insert(&self.session_ids[*x as usize]);
            }
            evidence.extend(a.evidence.iter().copied());
            if a.time != NO_TIME {
                first = if first == NO_TIME {
                    a.time
                } else {
                    first.min(a.time)
                };
                last = last.max(a.time);
            }
        }
        let mut cited: Vec<String> = evidence
            .iter()
            .take(CITED)
            .map(|e| cite(&self.paths, e))
            .collect();
        if evidence.len() > CITED {
            cited.push(format!("+{}", evidence.len() - CITED));
        }
        PersonRow {
            subject: subject.to_string(),
            establishment: d.places.id(place).to_string(),
            category: c.code().to_string(),
            verdict: s.verdict.word().to_string(),
            certainty: match (s.verdict.touched(), s.direct && s.proven) {
                (false, _) => String::new(),
                (true, true) => "proven".into(),
                (true, false) => "derived".into(),
            },
            first: rfc3339(first),
            last: rfc3339(last),
            events: evidence.len() as u64,
            sessions: sessions.into_iter().map(str::to_string).collect(),
            evidence: cited,
        }
    }
    /// Index of a session in the case, by id.
    pub fn session_index(&self, id: &str) -> Option<u32> {
        self.session_ids
            .iter()
            .position(|s| **s == *id)
            .map(|i| i as u32)
    }
    pub(crate) fn session_id(&self, s: u32) -> String {
        self.session_ids
            .get(s as usize)
            .map_or_else(String::new, ToString::to_string)
    }
    pub(crate) fn cite(&self, e: &EvidenceRef) -> String {
        cite(&self.paths, e)
    }
}
