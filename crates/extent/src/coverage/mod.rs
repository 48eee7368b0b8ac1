//! What the evidence can and cannot show: for every source, where it is complete, where it has a gap, where nobody can say.
//!
//! [`Observer`] looks at one file as it is decoded (any order of files, bounded memory) and gives an [`Observation`]; [`Coverage::build`]
//! joins them per source. Signs, strongest first: the source's own numbers, its own word about auditing, heartbeats (declared or
//! learned), a second source that saw the same accesses, the rate it speaks at by hour of the week, the edges of what was kept.
//!
//! Times are UTC nanoseconds; a [`Stretch`] covers `[from, to)`.
mod numbers;
mod observe;
mod pairs;
mod readiness;
mod rhythm;
mod timeline;

pub use observe::{Counts, Gathered, Observation, Observer, RejectMark};
pub use pairs::{Clock, Recapture};
pub use readiness::{Question, ReadinessRow, readiness};
pub use timeline::case_window;

use crate::model::{Both, CoverageRow};
use ampleur_event::{
    Capability, Nanos, SessionVerdict, Silence, System, Window,
    category::Category,
    category::CategorySet,
    session::Judgement,
    time::{DAY, MINUTE, SECOND, rfc3339},
};
use ampleur_session::{Alike, Column, Sessions};
use ampleur_sources::case::Case;
use std::collections::{BTreeMap, BTreeSet};

/// What can be said of one source over one stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    Complete,
    /// It spoke, and nothing says whether it said everything.
    Unknown,
    /// It should have spoken and did not, or records are missing.
    Gap,
}

impl State {
    pub const fn word(self) -> &'static str {
        match self {
            State::Complete => "complete",
            State::Unknown => "unknown",
            State::Gap => "gap",
        }
    }
}

/// How a gap shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Kind {
    #[default]
    None,
    Silence,
    Sequence,
    Rotation,
    Tamper,
    Clock,
    AuditOff,
    Seal,
}

impl Kind {
    pub const fn word(self) -> &'static str {
        match self {
            Kind::None => "",
            Kind::Silence => "silence",
            Kind::Sequence => "sequence",
            Kind::Rotation => "rotation",
            Kind::Tamper => "tamper",
            Kind::Clock => "clock",
            Kind::AuditOff => "audit_off",
            Kind::Seal => "seal",
        }
    }
}

/// A reason in both languages. No personal data.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Why {
    pub fr: String,
    pub en: String,
}

impl Why {
    pub fn new(fr: impl Into<String>, en: impl Into<String>) -> Why {
        Why {
            fr: fr.into(),
            en: en.into(),
        }
    }
}

/// One source over one stretch, `[from, to)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    pub window: Window,
    pub state: State,
    pub kind: Kind,
    /// Records known to be missing, when the source numbers them or another source saw them.
    pub missing: Option<u64>,
    /// Index of a source that was complete all this time and tells the same categories.
    pub closed_by: Option<u32>,
    /// Laid to the intruder, see [`Coverage::note_laid`].
    pub laid: bool,
    pub why: Why,
}

impl Stretch {
    /// How it shows, and when it is laid to the intruder, that.
    pub fn shown(&self) -> Kind {
        if self.laid { Kind::Tamper } else { self.kind }
    }
}

/// Everything known about one source.
#[derive(Debug, Clone)]
pub struct SourceCoverage {
    /// Index in `Case::sources`; sources that were declared and have no file come after the last of them.
    pub index: u32,
    /// The `files` glob of the entry, else the folder.
    pub name: String,
    /// Names of the formats seen in it, sorted.
    pub formats: Vec<String>,
    pub capability: Option<Capability>,
    pub establishment: Option<String>,
    /// Categories whose access would leave a record here, as declared; empty when nothing was declared.
    pub tells: CategorySet,
    pub shows_results: bool,
    /// Its silence proves that nobody came through this door.
    pub door: bool,
    pub events: u64,
    pub rejects: u64,
    pub first: Option<Nanos>,
    pub last: Option<Nanos>,
    /// Systems of the accounts it names, sorted.
    pub systems: Vec<System>,
    /// Machines that wrote it, sorted, at most 64.
    pub hosts: Vec<String>,
    /// Seconds it stays silent at most, declared or learned.
    pub heartbeat_s: Option<f64>,
    /// In time order; complete stretches do not overlap gaps, gaps of different kinds may overlap each other.
    pub stretches: Vec<Stretch>,
    pub reject_marks: Vec<RejectMark>,
    /// No record could be taken out unseen: they are numbered per machine, or another source repeats every access and this one
    /// repeats every access of it. Numbers per session do not count: a whole session can go.
    pub guarded: bool,
    /// Why it does not tell who was there, though it spoke: a column says the same of everybody, or its dates are wrong.
    pub untold: Option<Why>,
    /// Where its sessions number their own rows: hash of the session and the number after which one is missing.
    pub cut_after: BTreeSet<(u64, u64)>,
    /// Where it said nothing for a minute or more, in time order; only of a source without numbers and without a beat, for which its usual
    /// rate or what others saw speaks.
    pub silences: Vec<Window>,
}

/// A shorter silence is nothing in any source that has no beat.
const NOTICED: Nanos = 10 * MINUTE;

/// What `SourceCoverage::cut_after` knows a session by.
pub(crate) fn session_hash(id: &str) -> u64 {
    observe::hash(id)
}

/// A stretch in which a source that should have told was not complete, and which no other source closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    pub source: u32,
    pub name: String,
    /// The door whose missing records open it.
    pub door: Option<String>,
    pub establishment: Option<String>,
    pub window: Window,
    pub state: State,
    pub kind: Kind,
    pub missing: Option<u64>,
    /// Categories that an access in this hole could have shown unseen.
    pub categories: CategorySet,
    pub why: Why,
}

/// The coverage of a case.
#[derive(Debug, Clone)]
pub struct Coverage {
    pub window: Window,
    /// How the window was found, for the method page.
    pub window_why: Why,
    /// In order of index.
    pub sources: Vec<SourceCoverage>,
    /// Offsets found between sources, sorted by source; see [`Clock`].
    pub clocks: Vec<Clock>,
    /// Actions seen by one source that the source named never records, although it declares their categories.
    pub unaudited: Vec<Unaudited>,
    /// Accesses two sources should both have seen, counted; for the method page.
    pub recaptures: Vec<Recapture>,
}

/// An action one source saw and another, which claims to tell, never records.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unaudited {
    pub source: u32,
    pub seen_by: u32,
    /// Method and path, numbers and ids replaced by `{id}`.
    pub action: String,
    pub count: u64,
}

/// All categories.
pub fn every_category() -> CategorySet {
    Category::ALL.iter().copied().collect()
}

impl Coverage {
    /// Joins what was observed. `window` `None`: derived from the data, see [`case_window`].
    pub fn build(case: &Case, observations: Vec<Observation>, window: Option<Window>) -> Coverage {
        timeline::build(case, observations, window)
    }

    /// Coverage rows as written, sorted by (source, from, to).
    pub fn rows(&self) -> Vec<CoverageRow> {
        let mut rows: Vec<CoverageRow> = Vec::new();
        for s in &self.sources {
            for st in &s.stretches {
                rows.push(CoverageRow {
                    source: s.name.clone(),
                    from: rfc3339(st.window.from),
                    to: rfc3339(st.window.to),
                    state: st.state.word().into(),
                    kind: if st.state == State::Complete {
                        String::new()
                    } else {
                        st.shown().word().into()
                    },
                    missing: st.missing,
                    closed_by: st
                        .closed_by
                        .and_then(|i| self.source(i))
                        .map(|s| s.name.clone()),
                    because: Some(Both {
                        fr: st.why.fr.clone(),
                        en: st.why.en.clone(),
                    }),
                });
            }
        }
        rows.sort_by(|a, b| {
            (&a.source, &a.from, &a.to, &a.state, &a.kind)
                .cmp(&(&b.source, &b.from, &b.to, &b.state, &b.kind))
        });
        rows
    }

    pub fn source(&self, index: u32) -> Option<&SourceCoverage> {
        self.sources.iter().find(|s| s.index == index)
    }

    /// Open holes of every source that tells some of `categories` for `establishment` (`None`: for any), inside `window`.
    /// A category drops out of a hole while another source that tells it is complete all through the hole.
    pub fn holes(
        &self,
        window: Window,
        establishment: Option<&str>,
        categories: CategorySet,
    ) -> Vec<Hole> {
        let mut out = Vec::new();
        for s in self.sources.iter().filter(|s| s.speaks_for(establishment)) {
            let asked = s.tells.intersect(categories);
            if asked.is_empty() {
                continue;
            }
            for st in s
                .stretches
                .iter()
                .filter(|st| st.state != State::Complete && s.counts(st))
            {
                let Some(w) = st.window.intersect(&window) else {
                    continue;
                };
                let mut left = asked;
                for o in &self.sources {
                    if !o.tells.intersect(left).is_empty() && self.speaks_instead(o, s, w) {
                        left = left.without(o.tells);
                    }
                }
                if !left.is_empty() {
                    out.push(s.hole(st, w, left));
                }
            }
        }
        out
    }

    /// Stretches of a source that it does not cover itself and others close, each with all that close it.
    pub(crate) fn closed<'a>(
        &'a self,
        s: &'a SourceCoverage,
    ) -> impl Iterator<Item = (&'a Stretch, Vec<&'a SourceCoverage>)> {
        s.stretches
            .iter()
            .filter(|st| st.closed_by.is_some())
            .map(move |st| {
                let closers = self.sources.iter().filter(|o| {
                    s.tells.without(o.tells).is_empty() && self.speaks_instead(o, s, st.window)
                });
                (st, closers.collect())
            })
    }

    /// `o` was complete all through `window` and records what `s` records of the same establishment.
    fn speaks_instead(&self, o: &SourceCoverage, s: &SourceCoverage, window: Window) -> bool {
        o.index != s.index
            && o.covers_establishment_of(s)
            && o.complete_in(window)
            && o.heard_in(window)
            && self.stands_in(o.index, s.index)
    }

    /// A stretch of a source as a hole in all it tells.
    pub(crate) fn hole_in(&self, s: &SourceCoverage, st: &Stretch) -> Hole {
        s.hole(st, st.window, s.tells)
    }

    /// `second` can speak where `first` is silent: the two were seen to record the same accesses, and `second` records every action
    /// that `first` does. That both declare the same data is not enough, for they may stand before different doors; and evidence
    /// taken away must never let one close the other's gaps. Nor can a source whose clock is off: its accesses are not sure to be laid
    /// to the session they belong to.
    pub fn stands_in(&self, second: u32, first: u32) -> bool {
        self.clock_of(second).is_none()
            && pairs::stands_in(&self.recaptures, &self.unaudited, second, first)
    }

    /// Sources that were declared, tell no data, and of which nothing was handed over, or nothing that can be read, and doors that do
    /// not tell who came in: who was there is unknown all along.
    pub fn lost_doors(&self) -> impl Iterator<Item = &SourceCoverage> {
        self.sources
            .iter()
            .filter(|s| s.tells.is_empty() && (s.first.is_none() || s.door && s.untold.is_some()))
    }

    /// Notes what the sessions showed of the sources: columns that say the same of everybody, and dates that are wrong. Such a source
    /// spoke and cannot tell who.
    pub fn note_untold(&mut self, sessions: &Sessions) {
        let mut found: Vec<(u32, Kind, Why)> = vec![];
        for a in &sessions.alike {
            found.push((a.source, Kind::None, alike(a)));
        }
        for (source, by) in &sessions.days_off {
            let days = by / DAY;
            let why = match days {
                0 => Why::new(
                    "son horloge ou celle d’une autre source est décalée d’un jour ou plus : nul ne sait laquelle",
                    "its clock or another source's is off by a day or more: nobody knows which",
                ),
                n => Why::new(
                    format!("dates décalées de jours entiers : ajouter {n} jour(s)"),
                    format!("dates are off by whole days: add {n} day(s)"),
                ),
            };
            if days != 0 && self.clock_of(*source).is_none() {
                self.clocks.push(Clock {
                    source: *source,
                    offset_s: (sessions.skews.get(source).copied().unwrap_or(*by) / SECOND) as f64,
                    uncertainty_s: (10 * MINUTE / SECOND) as f64,
                    pairs: 0,
                    against: *source,
                    why: why.clone(),
                });
            }
            found.push((*source, Kind::Clock, why));
        }
        self.clocks.sort_by_key(|c| c.source);
        let window = self.window;
        for (source, kind, why) in found {
            let Some(s) = self.sources.iter_mut().find(|s| s.index == source) else {
                continue;
            };
            if kind != Kind::Clock || s.stretches.iter().all(|st| st.kind != Kind::Clock) {
                s.stretches.push(Stretch {
                    window,
                    state: State::Unknown,
                    kind,
                    missing: None,
                    closed_by: None,
                    laid: false,
                    why: why.clone(),
                });
                s.stretches.sort_by_key(|a| (a.window, a.kind, a.state));
            }
            s.untold.get_or_insert(why);
        }
    }

    /// Lays to the intruder what is missing of a source whose settings, rights or audit he had changed, while another source heard him
    /// inside: the machine was in his hands. He is presumed to have edited it; nothing is proven, and no bound rests on it.
    pub fn note_laid(&mut self, sessions: &Sessions, judgements: &[Judgement]) {
        let his = || {
            let judged = sessions.list.iter().zip(&sessions.features).zip(judgements);
            judged
                .filter(|(_, j)| j.verdict == SessionVerdict::Intruder)
                .map(|((s, f), _)| (s, f))
        };
        let mut since: BTreeMap<u32, Nanos> = BTreeMap::new();
        for (s, _) in his().filter(|(_, f)| f.set || f.tampering > 0) {
            let (from, _) = self.on_time(s.source, s.from);
            let first = since.entry(s.source).or_insert(from);
            *first = from.min(*first);
        }
        let inside: Vec<(u32, Window)> = his()
            .map(|(s, _)| {
                let (from, to) = (
                    self.on_time(s.source, s.from).0,
                    self.on_time(s.source, s.to).1,
                );
                (s.source, Window::new(from, to.saturating_add(1)))
            })
            .collect();
        for s in &mut self.sources {
            let Some(first) = since.get(&s.index) else {
                continue;
            };
            let lost = s.stretches.iter_mut().filter(|st| {
                st.state == State::Gap && matches!(st.kind, Kind::Silence | Kind::Sequence)
            });
            for st in lost.filter(|st| *first < st.window.to) {
                let heard = |(by, w): &&(u32, Window)| *by != s.index && w.overlaps(&st.window);
                if inside.iter().any(|i| heard(&i)) {
                    st.laid = true;
                    st.why = Why::new(
                        format!(
                            "présumées, car l’intrus, qui en avait changé les réglages, était connecté ; {}",
                            st.why.fr
                        ),
                        format!(
                            "presumed, for the intruder, who had changed its settings, was connected; {}",
                            st.why.en
                        ),
                    );
                }
            }
        }
    }

    /// `Ok` when at every instant of `window` a source that tells `category` for `establishment` was complete.
    /// `Err` with the open holes; with an empty list when no source tells the category at all.
    pub fn complete_for(
        &self,
        category: Category,
        establishment: Option<&str>,
        window: Window,
    ) -> Result<(), Vec<Hole>> {
        let one = CategorySet::of(&[category]);
        if !self
            .sources
            .iter()
            .any(|s| s.speaks_for(establishment) && s.tells.contains(category))
        {
            return Err(vec![]);
        }
        let holes = self.holes(window, establishment, one);
        if holes.is_empty() { Ok(()) } else { Err(holes) }
    }

    /// Holes of the doors: time in which somebody may have come in unseen. Edges that are merely unproven count as unknown.
    pub fn presence_holes(&self, window: Window) -> Vec<Hole> {
        let mut out = Vec::new();
        for s in self.sources.iter().filter(|s| s.door) {
            for st in s.stretches.iter().filter(|st| {
                st.state != State::Complete && st.kind != Kind::Clock && st.closed_by.is_none()
            }) {
                if let Some(w) = st.window.intersect(&window) {
                    out.push(s.hole(st, w, s.tells));
                }
            }
        }
        out
    }

    /// An instant of a source on the clock of the others: `(earliest, latest)` it can have been.
    pub fn on_time(&self, source: u32, t: Nanos) -> (Nanos, Nanos) {
        let Some(c) = self.clock_of(source) else {
            return (t, t);
        };
        let nanos = |s: f64| (s * SECOND as f64) as Nanos;
        let at = t.saturating_add(nanos(c.offset_s));
        let slack = nanos(c.uncertainty_s.abs());
        (at.saturating_sub(slack), at.saturating_add(slack))
    }

    /// Seconds to add to the times of a source, when its clock was found to be wrong by more than its uncertainty.
    pub fn clock_of(&self, source: u32) -> Option<&Clock> {
        self.clocks.iter().find(|c| c.source == source)
    }
}

fn alike(a: &Alike) -> Why {
    match a.column {
        Column::Address => Why::new(
            format!(
                "tous y viennent de {} : l’adresse n’y distingue personne ({} sessions)",
                a.value, a.sessions
            ),
            format!(
                "everybody comes from {} there: the address tells nobody apart ({} sessions)",
                a.value, a.sessions
            ),
        ),
        Column::Network => Why::new(
            format!(
                "toutes les adresses y finissent par zéro : elles ne distinguent pas les voisins ({} sessions)",
                a.sessions
            ),
            format!(
                "all addresses end in zero there: they do not tell neighbours apart ({} sessions)",
                a.sessions
            ),
        ),
        Column::Name => Why::new(
            format!(
                "le nom d’utilisateur y est masqué : il ne distingue personne ({} sessions)",
                a.sessions
            ),
            format!(
                "the user's name is masked there: it tells nobody apart ({} sessions)",
                a.sessions
            ),
        ),
    }
}

impl SourceCoverage {
    /// True when an access to data of `establishment` would be seen here.
    pub fn speaks_for(&self, establishment: Option<&str>) -> bool {
        match (&self.establishment, establishment) {
            (Some(own), Some(asked)) => own == asked,
            _ => true,
        }
    }
    fn covers_establishment_of(&self, other: &SourceCoverage) -> bool {
        match (&self.establishment, &other.establishment) {
            (None, _) => true,
            (Some(a), Some(b)) => a == b,
            (Some(_), None) => false,
        }
    }
    /// The stretch hides something: a clock does so when its dates are wrong.
    fn counts(&self, st: &Stretch) -> bool {
        st.kind != Kind::Clock || self.untold.is_some()
    }
    /// Complete all through `window`.
    pub fn complete_in(&self, window: Window) -> bool {
        let mut at = window.from;
        for st in &self.stretches {
            if st.state != State::Complete {
                if self.counts(st) && st.window.overlaps(&window) {
                    return false;
                }
                continue;
            }
            if st.window.from <= at && st.window.to > at {
                at = st.window.to;
            }
        }
        at >= window.to
    }
    /// False where nothing of its own says that it was there, and it said nothing for most of so long a time: what took another source away
    /// may have taken this one too.
    pub(crate) fn heard_in(&self, window: Window) -> bool {
        let long = window.to.saturating_sub(window.from);
        let shared = |silence: &Window| {
            let both = silence.intersect(&window);
            both.is_some_and(|b| (b.to - b.from) / 3 >= long / 4)
        };
        long < NOTICED || !self.silences.iter().any(shared)
    }
    fn hole(&self, st: &Stretch, window: Window, categories: CategorySet) -> Hole {
        Hole {
            source: self.index,
            name: self.name.clone(),
            door: None,
            establishment: self.establishment.clone(),
            window,
            state: st.state,
            kind: st.shown(),
            missing: st.missing,
            categories,
            why: st.why.clone(),
        }
    }
    /// The silence of this source is declared to prove something (context or capability).
    pub fn is_witness(&self) -> bool {
        !self.tells.is_empty()
            || self
                .capability
                .is_some_and(|c| c.silence != Silence::Nothing)
    }
}

#[cfg(test)]
mod tests;
