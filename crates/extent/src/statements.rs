//! The closed list of sentences (contract §A): every code is always there, holds or is refused with the reason.
//!
//! A sentence holds only on positive evidence (law L2). Each refusal begins `untrue:` when the evidence shows the contrary, and
//! `unsupported:` when it shows nothing either way; the rest names cells, sources and instants, never a person.
use crate::{
    bounds::{Bounds, told},
    coverage::{Coverage, Hole, Kind, State},
    model::{Cell, Partial, Statement},
};
use ampleur_event::{
    Capability, Category, Context, Interval, Nanos, Proof, Silence, Verb, Window,
    category::CategorySet,
    time::{DAY, rfc3339},
};

use std::collections::BTreeMap;

/// Every code, in the order they are written.
pub const CODES: &[&str] = &[
    "no_intrusion",
    "no_evidence_of_access",
    "no_health_data",
    "no_nir",
    "no_contact_data",
    "no_bank_data",
    "no_rights_data",
    "no_staff_data",
    "nothing_exfiltrated",
    "nothing_leaked",
    "nothing_written",
    "list_complete",
    "unaffected_can_be_told",
    "start_known",
    "only_these_accounts",
    "logs_intact",
];

/// What the sentences rest on. Plain data, filled by the assembly.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Establishments of the case (id, name), sorted by id.
    pub establishments: Vec<(String, String)>,
    /// The cells as written, bounds included (`exposed` too).
    pub cells: Vec<Cell>,
    pub subjects: Interval,
    /// Persons established by name; the rest of `subjects.at_least` is counted without being named.
    pub named: u64,
    pub unaffected: Interval,
    /// Persons of the identity base at the last snapshot; 0 when there is none.
    pub population: u64,
    pub intruder_sessions: u64,
    pub doubtful_sessions: u64,
    /// Sources in which sessions judged intruder or doubtful were seen.
    pub touched_sources: Vec<u32>,
    /// First and last instants of intruder or doubtful sessions, each `[from, to]`.
    pub activity: Vec<(Nanos, Nanos)>,
    /// First and last instants of the sessions judged intruder; `None` without any.
    pub signs: Option<(Nanos, Nanos)>,
    /// Fields, records or files changed by intruder sessions; by doubtful ones.
    pub writes: u64,
    pub possible_writes: u64,
    /// Rejects compatible with an intruder session, in sources that tell.
    pub possible_accesses: u64,
    /// Published lists were examined.
    pub leak_examined: bool,
    /// What every share of the case holds is known, so that a list can be compared with all of it.
    pub leak_compared: bool,
    /// Lines of published lists that are files of the hospital and no others.
    pub published: u64,
    /// Whole files that could not be decoded.
    pub unreadable_files: u64,
    /// Accesses of intruder sessions whose persons could not be resolved.
    pub unresolved_accesses: u64,
    /// Files that were read through what no log counts the bytes of.
    pub unweighed_reads: u64,
    /// Inside addresses outside every declared network from which accounts were used, and no log says how they were come by.
    pub unexplained_places: u64,
    /// Patients of the last snapshot by establishment.
    pub population_of: BTreeMap<String, u64>,
    /// Patients of whom a sentence may be untrue, at most, by (code, establishment; `None`: all): established, within reach, or
    /// hidden by a hole. A sentence that is absent concerns nobody.
    pub reached: BTreeMap<(String, Option<String>), u64>,
}

/// The patterns of one sentence about categories (contract §A, §F).
pub(crate) fn patterns(code: &str) -> Option<&'static [&'static str]> {
    Some(match code {
        "no_health_data" => &["HEALTH.*", "COVER.STATUS", "FREE.*"],
        "no_nir" => &["ID.NIR", "STAFF.NIR", "CONTACT.MSSANTE"],
        "no_contact_data" => &["CONTACT.*", "STAFF.CONTACT", "KIN.*"],
        "no_bank_data" => &["FIN.BANK", "STAFF.BANK"],
        "no_rights_data" => &["COVER.*"],
        "no_staff_data" => &["STAFF.*", "PRO.*"],
        _ => return None,
    })
}

struct Judged {
    holds: bool,
    because: Vec<String>,
}

fn yes(because: Vec<String>) -> Judged {
    Judged {
        holds: true,
        because,
    }
}
fn untrue(mut because: Vec<String>) -> Judged {
    if let Some(b) = because.first_mut() {
        *b = format!("untrue: {b}");
    }
    Judged {
        holds: false,
        because,
    }
}
fn unsupported(mut because: Vec<String>) -> Judged {
    if let Some(b) = because.first_mut() {
        *b = format!("unsupported: {b}");
    }
    Judged {
        holds: false,
        because,
    }
}

/// Sentences that are also said of each establishment.
pub(crate) fn by_establishment(code: &str) -> bool {
    patterns(code).is_some() || code == "no_evidence_of_access"
}

/// All statements: the whole case in the order of [`CODES`], then per establishment those about data.
pub fn statements(
    context: &Context,
    facts: &Facts,
    coverage: &Coverage,
    bounds: &Bounds,
) -> Vec<Statement> {
    let j = Judge {
        context,
        facts,
        coverage,
        bounds,
    };
    let mut out: Vec<Statement> = CODES
        .iter()
        .map(|code| j.written(code, None, j.case(code)))
        .collect();
    for place in &facts.establishments {
        for code in CODES.iter().filter(|c| by_establishment(c)) {
            let judged = match patterns(code) {
                Some(_) => j.categories(code, Some(&place.0)),
                None => j.no_evidence(Some(&place.0)),
            };
            out.push(j.written(code, Some(place), judged));
        }
    }
    out
}

/// Takes back the sentences of `codes` that hold, for a reason outside the evidence (what nobody looked for is not known).
pub fn withhold(list: &mut [Statement], codes: &[&str], because: &str) {
    for s in list
        .iter_mut()
        .filter(|s| s.holds && s.establishment.is_none() && codes.contains(&s.code.as_str()))
    {
        let (fr, en) = sentence(&s.code, false, false);
        *s = Statement {
            code: s.code.clone(),
            holds: false,
            fr,
            en,
            because: unsupported(vec![because.to_string()]).because,
            establishment: None,
            partial: None,
        };
    }
}

struct Judge<'a> {
    context: &'a Context,
    facts: &'a Facts,
    coverage: &'a Coverage,
    bounds: &'a Bounds,
}

fn hole_text(h: &Hole) -> String {
    format!(
        "{} {} {} {}/{}{}",
        h.state.word(),
        h.name,
        h.kind.word(),
        rfc3339(h.window.from),
        rfc3339(h.window.to),
        h.missing
            .map(|n| format!(" missing {n}"))
            .unwrap_or_default()
    )
}

fn first_holes(holes: &[Hole]) -> Vec<String> {
    let mut v: Vec<String> = holes.iter().take(5).map(hole_text).collect();
    if holes.len() > 5 {
        v.push(format!("+{}", holes.len() - 5));
    }
    v
}

impl Judge<'_> {
    fn case(&self, code: &str) -> Judged {
        let f = self.facts;
        match code {
            "no_intrusion" => self.no_intrusion(),
            "no_evidence_of_access" => self.no_evidence(None),
            "nothing_exfiltrated" => {
                let gone =
                    self.cells_with(&["exfiltrated", "leaked"], None, CategorySet::EMPTY, true);
                if !gone.is_empty() {
                    return untrue(gone);
                }
                if f.unweighed_reads > 0 {
                    return unsupported(vec![format!(
                        "{} files were read while no log counted what left",
                        f.unweighed_reads
                    )]);
                }
                self.carried_by_complete_logs(|c| c.verdict == "exposed" && c.subjects.at_most > 0)
            }
            "nothing_leaked" => {
                let gone = self.cells_with(&["leaked"], None, CategorySet::EMPTY, true);
                if !gone.is_empty() {
                    untrue(gone)
                } else if f.leak_examined && f.leak_compared {
                    yes(vec!["published lists examined, no match".into()])
                } else if f.leak_examined {
                    unsupported(vec![
                        "published lists examined without an inventory of every share".into(),
                    ])
                } else {
                    unsupported(vec!["no published list was examined".into()])
                }
            }
            "nothing_written" => self.nothing_written(),
            "list_complete" => {
                if f.subjects.at_least != f.subjects.at_most {
                    return unsupported(vec![format!(
                        "subjects {}..{}",
                        f.subjects.at_least,
                        told(f.subjects.at_most)
                    )]);
                }
                let mut why = vec![];
                if self.possible_accesses() > 0 {
                    why.push(format!(
                        "{} unreadable records may be accesses",
                        self.possible_accesses()
                    ));
                }
                // A doubtful session that reached nobody new changes no figure, so it does not refuse the list by itself.
                if f.unresolved_accesses > 0 {
                    why.push(format!(
                        "{} accesses name nobody known",
                        f.unresolved_accesses
                    ));
                }
                why.extend(first_holes(&self.bounds.usable));
                why.extend(self.on_trust());
                why.extend(self.there_on_the_first_day());
                why.extend(self.logons_lost());
                if !self.witnessed() {
                    why.push("no source tells".into());
                }
                if why.is_empty() {
                    yes(vec![format!("subjects {}", f.subjects.at_least)])
                } else {
                    unsupported(why)
                }
            }
            "unaffected_can_be_told" => {
                if f.population == 0 {
                    return unsupported(vec!["no identity base".into()]);
                }
                let mut why = vec![];
                if f.unaffected.at_least != f.unaffected.at_most {
                    why.push(format!(
                        "unaffected {}..{}",
                        f.unaffected.at_least,
                        told(f.unaffected.at_most)
                    ));
                }
                if self.possible_accesses() > 0 {
                    why.push(format!(
                        "{} unreadable records may be accesses",
                        self.possible_accesses()
                    ));
                }
                if f.unresolved_accesses > 0 {
                    why.push(format!(
                        "{} accesses name nobody known",
                        f.unresolved_accesses
                    ));
                }
                why.extend(first_holes(&self.bounds.usable));
                why.extend(self.on_trust());
                why.extend(self.there_on_the_first_day());
                why.extend(self.logons_lost());
                if !self.witnessed() {
                    why.push("no source tells".into());
                }
                if why.is_empty() {
                    yes(vec![format!("unaffected {}", f.unaffected.at_least)])
                } else {
                    unsupported(why)
                }
            }
            "start_known" => self.start_known(),
            "only_these_accounts" => self.only_these_accounts(),
            "logs_intact" => self.logs_intact(),
            _ => self.categories(code, None),
        }
    }

    /// He was there as soon as anything was kept: whom he saw before stands nowhere.
    fn there_on_the_first_day(&self) -> Option<String> {
        let first = self.facts.activity.iter().map(|a| a.0).min()?;
        let before = first.saturating_sub(self.coverage.window.from);
        (before < DAY).then(|| few_days(before, first))
    }

    /// Logs of logons inside with a gap while he was there: what stands under other accounts may be his too.
    fn logons_lost(&self) -> Vec<String> {
        let activity = &self.facts.activity;
        let from = activity.iter().map(|a| a.0).min();
        let to = activity.iter().map(|a| a.1).max();
        let (Some(from), Some(to)) = (from, to) else {
            return vec![];
        };
        let there = Window::new(from, to.saturating_add(1));
        let logons = |c: &Capability| c.rows.contains(&(Verb::Login, Proof::Presence));
        let mut holes = vec![];
        for s in &self.coverage.sources {
            if s.door || !s.tells.is_empty() || !s.capability.as_ref().is_some_and(logons) {
                continue;
            }
            for st in &s.stretches {
                let lost = st.state == State::Gap && st.kind != Kind::Clock;
                if lost && st.closed_by.is_none() && st.window.overlaps(&there) {
                    holes.push(self.coverage.hole_in(s, st));
                }
            }
        }
        first_holes(&holes)
    }

    /// Gaps that only a log closes whose records nobody counts.
    fn on_trust(&self) -> Vec<String> {
        let list = &self.bounds.on_trust;
        let text = |h: &Hole| match &h.door {
            Some(door) => {
                format!(
                    "{} has no running numbers, and records are missing at {door}",
                    h.name
                )
            }
            None => format!(
                "{}, closed only by a log without running numbers",
                hole_text(h)
            ),
        };
        let mut v: Vec<String> = list.iter().take(5).map(text).collect();
        if list.len() > 5 {
            v.push(format!("+{}", list.len() - 5));
        }
        v
    }

    fn possible_accesses(&self) -> u64 {
        self.facts
            .possible_accesses
            .max(self.bounds.possible_accesses)
    }

    /// Some source tells something at all.
    fn witnessed(&self) -> bool {
        self.coverage
            .sources
            .iter()
            .any(|s| !s.tells.is_empty() && s.events > 0)
    }

    fn cells_with(
        &self,
        verdicts: &[&str],
        establishment: Option<&str>,
        set: CategorySet,
        any: bool,
    ) -> Vec<String> {
        let mut v: Vec<String> = self
            .facts
            .cells
            .iter()
            .filter(|c| verdicts.contains(&c.verdict.as_str()) && c.subjects.at_most > 0)
            .filter(|c| establishment.is_none_or(|e| c.establishment == e))
            .filter(|c| any || Category::from_code(&c.category).is_some_and(|k| set.contains(k)))
            .map(|c| {
                format!(
                    "{} {} {} {}..{}",
                    c.establishment,
                    c.category,
                    c.verdict,
                    c.subjects.at_least,
                    told(c.subjects.at_most)
                )
            })
            .collect();
        if v.len() > 8 {
            let more = v.len() - 8;
            v.truncate(8);
            v.push(format!("+{more}"));
        }
        v
    }

    fn no_intrusion(&self) -> Judged {
        let f = self.facts;
        if f.intruder_sessions > 0 {
            return untrue(vec![format!(
                "{} sessions of an intruder",
                f.intruder_sessions
            )]);
        }
        if f.published > 0 {
            return untrue(vec![format!(
                "{} published files are held here",
                f.published
            )]);
        }
        if f.doubtful_sessions > 0 {
            return unsupported(vec![format!("{} doubtful sessions", f.doubtful_sessions)]);
        }
        let mut why: Vec<String> = first_holes(
            &self
                .coverage
                .presence_holes(self.coverage.window)
                .into_iter()
                .filter(|h| h.state == State::Gap)
                .collect::<Vec<_>>(),
        );
        why.extend(first_holes(
            &self
                .coverage
                .holes(
                    self.coverage.window,
                    None,
                    crate::coverage::every_category(),
                )
                .into_iter()
                .filter(|h| h.state == State::Gap)
                .collect::<Vec<_>>(),
        ));
        if f.unreadable_files > 0 {
            why.push(format!("{} files could not be read", f.unreadable_files));
        }
        why.extend(self.lost());
        why.extend(self.unexplained());
        if self.mostly_complete_witnesses() == 0 {
            why.push("no door and no telling source is complete".into());
        }
        if why.is_empty() {
            let door = self.coverage.sources.iter().any(|s| s.door && s.events > 0);
            let what = if door { "door" } else { "telling source" };
            yes(vec![format!(
                "every {what} complete, no session of an outsider"
            )])
        } else {
            unsupported(why)
        }
    }

    /// Doors and telling sources that were complete for most of the window.
    fn mostly_complete_witnesses(&self) -> usize {
        let w = self.coverage.window;
        self.coverage
            .sources
            .iter()
            .filter(|s| s.door || !s.tells.is_empty())
            .filter(|s| {
                let whole: i64 = s
                    .stretches
                    .iter()
                    .filter(|x| x.state == State::Complete)
                    .filter_map(|x| x.window.intersect(&w))
                    .map(|x| x.length())
                    .sum();
                whole > 0 && whole / 2 >= w.length() / 4
            })
            .count()
    }

    /// Nobody's data of this establishment (or of any) was reached, and the logs would have shown it.
    fn no_evidence(&self, establishment: Option<&str>) -> Judged {
        let f = self.facts;
        let established = self.cells_with(
            &["consulted", "exfiltrated", "leaked"],
            establishment,
            CategorySet::EMPTY,
            true,
        );
        if !established.is_empty() {
            return untrue(established);
        }
        let possible = self.cells_with(&["exposed"], establishment, CategorySet::EMPTY, true);
        if !possible.is_empty() {
            return unsupported(possible);
        }
        if establishment.is_none() && f.subjects.at_most > 0 {
            return unsupported(vec![format!("subjects at most {}", f.subjects.at_most)]);
        }
        let mut why = first_holes(&self.coverage.holes(
            self.coverage.window,
            establishment,
            crate::coverage::every_category(),
        ));
        why.extend(first_holes(
            &self
                .coverage
                .presence_holes(self.coverage.window)
                .into_iter()
                .filter(|h| h.state == State::Gap)
                .collect::<Vec<_>>(),
        ));
        if !self.witnessed() {
            why.push("no source tells".into());
        }
        if self.possible_accesses() > 0 {
            why.push(format!(
                "{} unreadable records may be accesses",
                self.possible_accesses()
            ));
        }
        if why.is_empty() {
            yes(vec!["every telling source complete, no access".into()])
        } else {
            unsupported(why)
        }
    }

    /// A sentence about categories, for one establishment or for all.
    fn categories(&self, code: &str, establishment: Option<&str>) -> Judged {
        let Some(p) = patterns(code) else {
            return unsupported(vec!["unknown sentence".into()]);
        };
        let set = CategorySet::parse(p).unwrap_or(CategorySet::EMPTY);
        let hit = |c: &Cell| {
            let Some(k) = Category::from_code(&c.category) else {
                return false;
            };
            set.contains(k) && self.counts(code, c)
        };
        let mut touched = vec![];
        let mut possible = vec![];
        for c in self.facts.cells.iter().filter(|c| {
            establishment.is_none_or(|e| c.establishment == e) && c.subjects.at_most > 0
        }) {
            if c.verdict == "ruled_out" || !hit(c) {
                continue;
            }
            let text = format!(
                "{} {} {} {}..{}",
                c.establishment,
                c.category,
                c.verdict,
                c.subjects.at_least,
                told(c.subjects.at_most)
            );
            if c.subjects.at_least > 0 {
                touched.push(text);
            } else {
                possible.push(text);
            }
        }
        if code == "no_health_data" && self.date_and_unit(establishment) {
            possible.push("CARE.DATE with CARE.UNIT".into());
        }
        if !touched.is_empty() {
            touched.truncate(8);
            return untrue(touched);
        }
        if !possible.is_empty() {
            possible.truncate(8);
            return unsupported(possible);
        }
        let told = self
            .coverage
            .sources
            .iter()
            .filter(|s| s.speaks_for(establishment) && s.events > 0)
            .fold(CategorySet::EMPTY, |a, s| a.union(s.tells))
            .intersect(set);
        if told.is_empty() {
            return unsupported(vec!["no source tells these categories".into()]);
        }
        let holes: Vec<Hole> = self
            .bounds
            .usable
            .iter()
            .filter(|h| !h.categories.intersect(set).is_empty())
            .filter(|h| match (&h.establishment, establishment) {
                (Some(own), Some(asked)) => own == asked,
                _ => true,
            })
            .cloned()
            .collect();
        if !holes.is_empty() {
            return unsupported(first_holes(&holes));
        }
        let untold = set.without(told);
        let placed = untold.intersect(self.declared_places());
        if !placed.is_empty() {
            return unsupported(vec![format!(
                "no source tells {}",
                placed
                    .iter()
                    .map(|c| c.code())
                    .collect::<Vec<_>>()
                    .join(" ")
            )]);
        }
        if let Some(dark) = self.dark_source() {
            return unsupported(vec![format!("{dark} was entered and does not tell")]);
        }
        let by: Vec<String> = self
            .coverage
            .sources
            .iter()
            .filter(|s| s.events > 0)
            .filter(|s| s.speaks_for(establishment) && !s.tells.intersect(set).is_empty())
            .map(|s| format!("complete {}", s.name))
            .collect();
        yes(by)
    }

    /// A derived category counts in `no_health_data` only when it derives from CARE.DATE with CARE.UNIT or from COVER.STATUS, and
    /// in no other sentence.
    fn counts(&self, code: &str, c: &Cell) -> bool {
        if c.derived_from.is_empty() {
            return true;
        }
        let from = |k: &str| c.derived_from.iter().any(|d| d == k);
        code == "no_health_data"
            && (from("COVER.STATUS") || (from("CARE.DATE") && from("CARE.UNIT")))
    }

    fn date_and_unit(&self, establishment: Option<&str>) -> bool {
        let possible = |e: &str, code: &str| {
            self.facts.cells.iter().any(|c| {
                c.establishment == e
                    && c.category == code
                    && c.verdict != "ruled_out"
                    && c.subjects.at_most > 0
            })
        };
        self.facts
            .cells
            .iter()
            .filter(|c| {
                c.category == "CARE.UNIT" && establishment.is_none_or(|e| c.establishment == e)
            })
            .any(|c| {
                possible(&c.establishment, "CARE.UNIT") && possible(&c.establishment, "CARE.DATE")
            })
    }

    /// Categories that endpoints, tables and shares of the context are declared to hold.
    fn declared_places(&self) -> CategorySet {
        let c = self.context;
        c.endpoints
            .iter()
            .map(|e| &e.categories)
            .chain(c.tables.iter().map(|t| &t.categories))
            .chain(c.shares.iter().map(|s| &s.categories))
            .filter_map(|p| CategorySet::parse(p).ok())
            .fold(CategorySet::EMPTY, CategorySet::union)
    }

    /// A source the intruder entered whose silence about data proves nothing: it holds data, and tells nothing of them.
    fn dark_source(&self) -> Option<String> {
        self.facts.touched_sources.iter().find_map(|i| {
            let s = self.coverage.source(*i)?;
            let carries = s.tells.is_empty()
                && !s.door
                && s.capability.is_none_or(|c| {
                    !matches!(c.silence, Silence::NoPresence | Silence::NoTransfer)
                });
            carries.then(|| s.name.clone())
        })
    }

    /// No usable hole, no dark source, and no cell of the kind `may` describes.
    fn carried_by_complete_logs(&self, may: impl Fn(&Cell) -> bool) -> Judged {
        let mut why: Vec<String> = self
            .facts
            .cells
            .iter()
            .filter(|c| may(c))
            .take(5)
            .map(|c| {
                format!(
                    "{} {} {} 0..{}",
                    c.establishment,
                    c.category,
                    c.verdict,
                    told(c.subjects.at_most)
                )
            })
            .collect();
        why.extend(first_holes(&self.bounds.usable));
        if let Some(dark) = self.dark_source() {
            why.push(format!("{dark} was entered and does not tell"));
        }
        if self.possible_accesses() > 0 {
            why.push(format!(
                "{} unreadable records may be accesses",
                self.possible_accesses()
            ));
        }
        if !self.witnessed() {
            why.push("no source tells".into());
        }
        if why.is_empty() {
            yes(self
                .coverage
                .sources
                .iter()
                .filter(|s| !s.tells.is_empty())
                .map(|s| format!("complete {}", s.name))
                .collect())
        } else {
            unsupported(why)
        }
    }

    fn nothing_written(&self) -> Judged {
        let f = self.facts;
        if f.writes > 0 {
            return untrue(vec![format!("{} writes by the intruder", f.writes)]);
        }
        if f.possible_writes > 0 {
            return unsupported(vec![format!(
                "{} writes in doubtful sessions",
                f.possible_writes
            )]);
        }
        // Some source the intruder entered must be one in which a write would show.
        let shows_writes = |i: &u32| {
            self.coverage.source(*i).is_some_and(|s| {
                s.capability.is_some_and(|c| {
                    c.rows.iter().any(|(v, _)| {
                        matches!(
                            v,
                            Verb::Request
                                | Verb::Update
                                | Verb::Create
                                | Verb::FileWrite
                                | Verb::Query
                        )
                    })
                }) || !s.tells.is_empty()
            })
        };
        if !f.touched_sources.is_empty() && !f.touched_sources.iter().any(shows_writes) {
            return unsupported(vec!["no source entered would show a write".into()]);
        }
        self.carried_by_complete_logs(|_| false)
    }

    fn start_known(&self) -> Judged {
        let f = self.facts;
        let Some(first) = f.activity.iter().map(|a| a.0).min() else {
            return unsupported(vec!["no activity known".into()]);
        };
        let w = self.coverage.window;
        let before = Window::new(w.from, first);
        let mut why: Vec<String> = first_holes(&self.coverage.presence_holes(before));
        why.extend(self.lost());
        why.extend(first_holes(&self.coverage.holes(
            before,
            None,
            crate::coverage::every_category(),
        )));
        let doors: Vec<_> = self
            .coverage
            .sources
            .iter()
            .filter(|s| s.door && s.events > 0)
            .collect();
        if doors.is_empty() {
            why.push("no door was logged".into());
        }
        // He pauses; the quiet time before the first sign must be longer than any pause he made since, twice over.
        let mut spans = f.activity.clone();
        spans.sort_unstable();
        let mut pause = 0;
        let mut late = spans.first().map_or(first, |s| s.1);
        for (a, b) in &spans {
            pause = pause.max(a.saturating_sub(late));
            late = late.max(*b);
        }
        let need = (2 * pause).max(3 * DAY);
        if before.length() < need {
            why.push(few_days(before.length(), first));
        }
        if why.is_empty() {
            yes(vec![format!(
                "first sign {}, doors complete before",
                rfc3339(first)
            )])
        } else {
            unsupported(why)
        }
    }

    /// What was declared and never handed over, or does not tell who: nobody knows who would be seen there.
    fn lost(&self) -> impl Iterator<Item = String> + '_ {
        let sources = self.coverage.sources.iter();
        sources.filter_map(|s| match &s.untold {
            Some(why) => Some(format!("{} does not tell who: {}", s.name, why.en)),
            None => (s.first.is_none()).then(|| format!("{} was never handed over", s.name)),
        })
    }

    /// Accounts came from where only a door nobody logged can have led, and no other door was logged that they had to pass too.
    fn unexplained(&self) -> Option<String> {
        let n = self.facts.unexplained_places;
        let door = self.coverage.sources.iter().any(|s| s.door && s.events > 0);
        (n > 0 && !door).then(|| {
            format!("{n} inside addresses outside every declared network, and no log says how they were come by")
        })
    }

    fn only_these_accounts(&self) -> Judged {
        let f = self.facts;
        let mut why: Vec<String> = self.lost().chain(self.unexplained()).collect();
        if f.doubtful_sessions > 0 {
            why.push(format!("{} doubtful sessions", f.doubtful_sessions));
        }
        if f.published > 0 && f.intruder_sessions == 0 {
            why.push("who took the published files is not known".into());
        }
        why.extend(first_holes(
            &self.coverage.presence_holes(self.coverage.window),
        ));
        if !self.coverage.sources.iter().any(|s| s.door && s.events > 0) {
            why.push("no door was logged".into());
        }
        if f.unreadable_files > 0 {
            why.push(format!("{} files could not be read", f.unreadable_files));
        }
        if why.is_empty() {
            yes(vec!["every door complete, no doubtful session".into()])
        } else {
            unsupported(why)
        }
    }

    fn logs_intact(&self) -> Judged {
        let mut tampered = vec![];
        let mut open = vec![];
        for s in &self.coverage.sources {
            for st in &s.stretches {
                let text = || {
                    format!(
                        "{} {} {} {}/{}",
                        st.state.word(),
                        s.name,
                        st.shown().word(),
                        rfc3339(st.window.from),
                        rfc3339(st.window.to)
                    )
                };
                match (st.state, st.shown()) {
                    (State::Gap, k) if altered(k) => tampered.push(text()),
                    (State::Gap, Kind::Sequence | Kind::Silence) => open.push(text()),
                    (State::Unknown, k) if k != Kind::Clock && (s.door || !s.tells.is_empty()) => {
                        open.push(text())
                    }
                    _ => {}
                }
            }
        }
        // Where nothing counts the records, taking some out leaves no trace: nobody can vouch for that log.
        open.extend(
            self.coverage
                .sources
                .iter()
                .filter(|s| !s.guarded && (s.door || !s.tells.is_empty()))
                .map(|s| {
                    format!(
                        "{} has no running numbers and no second log repeats it",
                        s.name
                    )
                }),
        );
        if self.facts.unreadable_files > 0 {
            open.push(format!(
                "{} files could not be read",
                self.facts.unreadable_files
            ));
        }
        if self.coverage.sources.is_empty() {
            open.push("no source".into());
        }
        tampered.truncate(8);
        open.truncate(8);
        if !tampered.is_empty() {
            untrue(tampered)
        } else if !open.is_empty() {
            unsupported(open)
        } else {
            yes(vec![
                "every log is numbered or repeated by another, and nothing is missing".into(),
            ])
        }
    }
}

/// Such a gap is somebody's doing.
fn altered(kind: Kind) -> bool {
    matches!(kind, Kind::Tamper | Kind::Seal | Kind::AuditOff)
}

impl Judge<'_> {
    /// Nothing shows that a log was altered but what is laid to the intruder.
    fn presumed(&self) -> bool {
        let stretches = self.coverage.sources.iter().flat_map(|s| &s.stretches);
        let mut altered = stretches.filter(|st| st.state == State::Gap && altered(st.shown()));
        altered.all(|st| st.laid)
    }
    fn written(&self, code: &str, place: Option<&(String, String)>, j: Judged) -> Statement {
        let untrue = j.because.first().is_some_and(|b| b.starts_with("untrue"));
        let (mut fr, mut en) = match plainly(code) {
            Some((verdicts, (fr, en)))
                if untrue && self.established(verdicts, place.map(|p| p.0.as_str())) =>
            {
                (fr.to_string(), en.to_string())
            }
            _ if code == "logs_intact" && untrue && self.presumed() => (
                "Des lignes de journaux ont vraisemblablement été supprimées.".into(),
                "Lines were probably removed from logs.".into(),
            ),
            _ => sentence(code, j.holds, untrue),
        };
        if let Some((f, e)) = self.dated(code) {
            fr = format!("{fr} {f}");
            en = format!("{en} {e}");
        }
        if let Some((id, name)) = place {
            let place = if name.is_empty() { id } else { name };
            fr = format!("{place} : {}", lower(&fr));
            en = format!("{place}: {}", lower(&en));
        }
        let partial = match j.holds {
            true => None,
            false => self.partial(code, place.map(|p| p.0.as_str())),
        };
        if let Some(p) = &partial {
            fr = format!("{fr} {}", p.fr);
            en = format!("{en} {}", p.en);
        }
        Statement {
            code: code.to_string(),
            holds: j.holds,
            fr,
            en,
            because: j.because,
            establishment: place.map(|p| p.0.clone()),
            partial,
        }
    }

    /// Somebody is established under one of these verdicts.
    fn established(&self, verdicts: &[&str], establishment: Option<&str>) -> bool {
        self.facts.cells.iter().any(|c| {
            c.subjects.at_least > 0
                && verdicts.contains(&c.verdict.as_str())
                && establishment.is_none_or(|e| c.establishment == e)
        })
    }

    /// The instants a sentence turns on: the start is never later than the first sign, and the last sign is not the end.
    fn dated(&self, code: &str) -> Option<(String, String)> {
        let (first, last) = self.facts.signs?;
        let zone = self.context.zone();
        let at = |t: Nanos, pattern: &str| {
            jiff::Timestamp::from_nanosecond(i128::from(t))
                .map(|t| t.to_zoned(zone.clone()).strftime(pattern).to_string())
                .unwrap_or_default()
        };
        const FR: &str = "le %d/%m/%Y à %H:%M";
        const EN: &str = "%-d %b %Y, %H:%M";
        match code {
            "start_known" => Some((
                format!(
                    "Il n’est pas postérieur au premier signe, {}.",
                    at(first, FR)
                ),
                format!("It is not later than the first sign, {}.", at(first, EN)),
            )),
            "no_intrusion" => Some((
                format!("Dernier signe : {}.", at(last, FR)),
                format!("Last sign: {}.", at(last, EN)),
            )),
            _ => None,
        }
    }

    /// How far a refused sentence can be said all the same.
    fn partial(&self, code: &str, establishment: Option<&str>) -> Option<Partial> {
        let f = self.facts;
        let percent = |part: u64, whole: u64| -> Option<u64> {
            let p = (u128::from(part) * 100).checked_div(u128::from(whole))?;
            u64::try_from(p).ok().map(|p| p.min(99)).filter(|p| *p > 0)
        };
        match code {
            "list_complete" => {
                let (least, most) = (f.subjects.at_least, f.subjects.at_most);
                let named = f.named.min(least);
                let (fr, en) = if named == least {
                    (
                        format!(
                            "Elle en nomme {} sur {} au plus.",
                            fr_number(least),
                            fr_number(most)
                        ),
                        format!(
                            "It names {} of {} at most.",
                            en_number(least),
                            en_number(most)
                        ),
                    )
                } else {
                    (
                        format!(
                            "Elle nomme {} des {} personnes établies\u{a0}; {} au plus sont concernées.",
                            fr_number(named),
                            fr_number(least),
                            fr_number(most)
                        ),
                        format!(
                            "It names {} of the {} people established; {} at most are affected.",
                            en_number(named),
                            en_number(least),
                            en_number(most)
                        ),
                    )
                };
                Some(Partial {
                    percent: percent(named, most)?,
                    of: "list".into(),
                    fr,
                    en,
                })
            }
            "unaffected_can_be_told" => {
                let n = f.unaffected.at_least;
                let percent = percent(n, f.population)?;
                Some(Partial {
                    percent,
                    of: "patients".into(),
                    fr: format!(
                        "Il est certain que {} patients ({percent}\u{a0}%) ne sont pas concernés.",
                        fr_number(n)
                    ),
                    en: format!(
                        "{} patients ({percent}%) are certainly not affected.",
                        en_number(n)
                    ),
                })
            }
            "start_known" | "no_intrusion" | "only_these_accounts" => {
                let w = self.coverage.window;
                let until = match code {
                    "start_known" => f.activity.iter().map(|a| a.0).min()?.min(w.to),
                    _ => w.to,
                };
                if !self.coverage.sources.iter().any(|s| s.door && s.events > 0) {
                    return None;
                }
                let asked = Window::new(w.from, until.max(w.from));
                let mut holes: Vec<Window> = self
                    .coverage
                    .presence_holes(asked)
                    .into_iter()
                    .map(|h| h.window)
                    .collect();
                holes.sort_unstable();
                let (mut open, mut at) = (0i64, asked.from);
                for h in holes {
                    open += (h.to - h.from.max(at)).max(0);
                    at = at.max(h.to);
                }
                let percent = percent(
                    (asked.length() - open).max(0).unsigned_abs(),
                    asked.length().unsigned_abs(),
                )?;
                Some(Partial {
                    percent,
                    of: "time".into(),
                    fr: format!("Les entrées sont couvertes {percent}\u{a0}% de ce temps."),
                    en: format!("The doors are covered {percent}% of that time."),
                })
            }
            _ => {
                let staff = code == "no_staff_data";
                if staff || !(by_establishment(code) || code == "nothing_exfiltrated") {
                    return None;
                }
                let population = match establishment {
                    None => f.population,
                    Some(e) => f.population_of.get(e).copied().unwrap_or(0),
                };
                let reached = f
                    .reached
                    .get(&(code.to_string(), establishment.map(String::from)))
                    .copied()
                    .unwrap_or(0);
                // Nobody counted as reached, and refused all the same: nothing is known of anybody.
                if reached == 0 {
                    return None;
                }
                let percent = percent(population.saturating_sub(reached), population)?;
                // The sentence itself, not "that": what was just said is its contrary.
                let (fr, en) = sentence(code, true, false);
                let said = |s: &str| lower(s.trim_end_matches('.'));
                Some(Partial {
                    percent,
                    of: "patients".into(),
                    fr: format!(
                        "Pour {percent}\u{a0}% des patients au moins, on peut affirmer ceci\u{a0}: {}.",
                        said(&fr)
                    ),
                    en: format!(
                        "Of {percent}% of patients at least, this can be said: {}.",
                        said(&en)
                    ),
                })
            }
        }
    }
}

/// A whole number in groups of three digits with a sign between them; ∞ from [`Interval::UNBOUNDED`] on.
pub fn grouped(n: u64, between: &str) -> String {
    if n >= Interval::UNBOUNDED {
        return "∞".into();
    }
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push_str(between);
        }
        out.push(c);
    }
    out
}

fn fr_number(n: u64) -> String {
    grouped(n, "\u{202f}")
}

fn en_number(n: u64) -> String {
    grouped(n, ",")
}

fn lower(s: &str) -> String {
    let mut c = s.chars();
    c.next()
        .map(|f| f.to_lowercase().chain(c).collect())
        .unwrap_or_default()
}

/// A sentence in French and in English.
type Sentence = (&'static str, &'static str);

/// How a denial is said where somebody is established, not only possible: the verdicts that count, and the sentence.
fn plainly(code: &str) -> Option<(&'static [&'static str], Sentence)> {
    Some(match code {
        "no_evidence_of_access" => (
            &["consulted", "exfiltrated", "leaked"],
            ("Des données ont été vues.", "Data were seen."),
        ),
        "nothing_exfiltrated" => (
            &["exfiltrated", "leaked"],
            ("Des copies sont parties.", "Copies left."),
        ),
        "nothing_leaked" => (
            &["leaked"],
            ("Des données ont été publiées.", "Data were published."),
        ),
        _ => return None,
    })
}

/// The sentence in French and English: said, denied, or withheld.
fn sentence(code: &str, holds: bool, untrue: bool) -> (String, String) {
    let (yes, no, open): (Sentence, Sentence, Sentence) = match code {
        "no_intrusion" => (
            ("Personne d’extérieur n’est entré.", "No outsider came in."),
            ("Quelqu’un d’extérieur est entré.", "An outsider came in."),
            (
                "On ne peut pas affirmer que personne n’est entré.",
                "It cannot be said that nobody came in.",
            ),
        ),
        "no_evidence_of_access" => (
            (
                "Aucun accès à des données, et les journaux l’auraient montré.",
                "No access to data, and the logs would have shown it.",
            ),
            (
                "Des données ont été vues ou ont pu l’être.",
                "Data were seen or may have been.",
            ),
            (
                "On ne peut pas affirmer qu’aucune donnée n’a été vue.",
                "It cannot be said that no data were seen.",
            ),
        ),
        "no_health_data" => (
            (
                "Aucune donnée de santé n’a été vue.",
                "No health data were seen.",
            ),
            (
                "Des données de santé ont été vues.",
                "Health data were seen.",
            ),
            (
                "On ne peut pas exclure que des données de santé aient été vues.",
                "It cannot be ruled out that health data were seen.",
            ),
        ),
        "no_nir" => (
            (
                "Aucun numéro de sécurité sociale n’a été vu.",
                "No social security number was seen.",
            ),
            (
                "Des numéros de sécurité sociale ont été vus.",
                "Social security numbers were seen.",
            ),
            (
                "On ne peut pas exclure que des numéros de sécurité sociale aient été vus.",
                "It cannot be ruled out that social security numbers were seen.",
            ),
        ),
        "no_contact_data" => (
            (
                "Aucune coordonnée (téléphone, adresse, courriel) n’a été vue.",
                "No contact details (phone, address, e-mail) were seen.",
            ),
            (
                "Des coordonnées ont été vues.",
                "Contact details were seen.",
            ),
            (
                "On ne peut pas exclure que des coordonnées aient été vues.",
                "It cannot be ruled out that contact details were seen.",
            ),
        ),
        "no_bank_data" => (
            (
                "Aucune coordonnée bancaire n’a été vue.",
                "No bank details were seen.",
            ),
            (
                "Des coordonnées bancaires ont été vues.",
                "Bank details were seen.",
            ),
            (
                "On ne peut pas exclure que des coordonnées bancaires aient été vues.",
                "It cannot be ruled out that bank details were seen.",
            ),
        ),
        "no_rights_data" => (
            (
                "Aucune donnée de couverture sociale n’a été vue.",
                "No insurance cover data were seen.",
            ),
            (
                "Des données de couverture sociale ont été vues.",
                "Insurance cover data were seen.",
            ),
            (
                "On ne peut pas exclure que des données de couverture sociale aient été vues.",
                "It cannot be ruled out that insurance cover data were seen.",
            ),
        ),
        "no_staff_data" => (
            (
                "Aucune donnée du personnel n’a été vue.",
                "No staff data were seen.",
            ),
            (
                "Des données du personnel ont été vues.",
                "Staff data were seen.",
            ),
            (
                "On ne peut pas exclure que des données du personnel aient été vues.",
                "It cannot be ruled out that staff data were seen.",
            ),
        ),
        "nothing_exfiltrated" => (
            ("Aucune copie n’est partie.", "No copy left."),
            (
                "Des copies sont parties ou ont pu partir.",
                "Copies left or may have left.",
            ),
            (
                "On ne peut pas exclure qu’une copie soit partie.",
                "It cannot be ruled out that a copy left.",
            ),
        ),
        "nothing_leaked" => (
            (
                "Rien n’a été trouvé dans les listes publiées examinées.",
                "Nothing was found in the published lists examined.",
            ),
            (
                "Des données ont été publiées ou ont pu l’être.",
                "Data were published or may have been.",
            ),
            (
                "Aucune liste publiée n’a pu être comparée à l’inventaire de tous les partages : on ne peut rien dire d’une publication.",
                "No published list could be compared with an inventory of every share: nothing can be said of publication.",
            ),
        ),
        "nothing_written" => (
            (
                "L’intrus n’a rien modifié.",
                "The intruder changed nothing.",
            ),
            (
                "L’intrus a modifié des données.",
                "The intruder changed data.",
            ),
            (
                "On ne peut pas exclure que l’intrus ait modifié des données.",
                "It cannot be ruled out that the intruder changed data.",
            ),
        ),
        "list_complete" => (
            (
                "La liste des personnes concernées est complète.",
                "The list of persons affected is complete.",
            ),
            (
                "La liste des personnes concernées n’est pas complète.",
                "The list of persons affected is not complete.",
            ),
            (
                "La liste des personnes concernées n’est pas complète : d’autres ont pu l’être.",
                "The list of persons affected is not complete: others may have been.",
            ),
        ),
        "unaffected_can_be_told" => (
            (
                "Toutes les autres personnes peuvent être informées qu’elles ne sont pas concernées.",
                "Everybody else can be told that they are not affected.",
            ),
            (
                "On ne peut pas dire aux autres personnes qu’elles ne sont pas concernées.",
                "It cannot be said to everybody else that they are not affected.",
            ),
            (
                "On ne peut pas encore dire aux autres personnes qu’elles ne sont pas concernées.",
                "It cannot yet be said to everybody else that they are not affected.",
            ),
        ),
        "start_known" => (
            (
                "Le début de l’intrusion est connu.",
                "The start of the intrusion is known.",
            ),
            (
                "Le début de l’intrusion n’est pas connu.",
                "The start of the intrusion is not known.",
            ),
            (
                "Le début de l’intrusion n’est pas connu : elle a pu commencer avant.",
                "The start of the intrusion is not known: it may have begun earlier.",
            ),
        ),
        "only_these_accounts" => (
            (
                "Aucun autre compte n’a servi à l’intrus.",
                "No other account was used by the intruder.",
            ),
            (
                "D’autres comptes ont servi à l’intrus.",
                "Other accounts were used by the intruder.",
            ),
            (
                "On ne peut pas exclure que d’autres comptes aient servi à l’intrus.",
                "It cannot be ruled out that the intruder used other accounts.",
            ),
        ),
        "logs_intact" => (
            (
                "Les journaux n’ont pas été altérés.",
                "The logs were not altered.",
            ),
            (
                "Des journaux ont été effacés, coupés ou modifiés.",
                "Logs were cleared, switched off or edited.",
            ),
            (
                "On ne peut pas affirmer que les journaux sont intacts.",
                "It cannot be said that the logs are intact.",
            ),
        ),
        _ => (("", ""), ("", ""), ("", "")),
    };
    let (fr, en) = if holds {
        yes
    } else if untrue {
        no
    } else {
        open
    };
    (fr.to_string(), en.to_string())
}

fn few_days(before: Nanos, first: Nanos) -> String {
    format!(
        "only {:.1} days of logs before the first sign {}",
        before as f64 / DAY as f64,
        rfc3339(first)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::{SourceCoverage, Stretch, Why};
    use ampleur_event::{GapSign, time::HOUR};

    const WHOLE: Window = Window::new(0, 240 * HOUR);

    fn source(
        index: u32,
        door: bool,
        tells: &[&str],
        gap: Option<(i64, i64, Kind)>,
    ) -> SourceCoverage {
        let st = |w, state, kind| Stretch {
            window: w,
            state,
            kind,
            missing: None,
            closed_by: None,
            laid: false,
            why: Why::default(),
        };
        let stretches = match gap {
            None => vec![st(WHOLE, State::Complete, Kind::None)],
            Some((a, b, kind)) => vec![
                st(Window::new(0, a * HOUR), State::Complete, Kind::None),
                st(Window::new(a * HOUR, b * HOUR), State::Gap, kind),
                st(
                    Window::new(b * HOUR, 240 * HOUR),
                    State::Complete,
                    Kind::None,
                ),
            ],
        };
        SourceCoverage {
            index,
            name: format!("logs/{index}/*"),
            formats: vec![],
            capability: Some(Capability {
                rows: &[(Verb::Request, Proof::Question)],
                silence: if door {
                    Silence::NoPresence
                } else {
                    Silence::NoAccess
                },
                names_results: false,
                gap: GapSign::RateOnly,
            }),
            establishment: None,
            tells: CategorySet::parse(tells).unwrap(),
            shows_results: false,
            door,
            events: 10,
            rejects: 0,
            first: Some(0),
            last: Some(240 * HOUR),
            systems: vec![],
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
    fn coverage(sources: Vec<SourceCoverage>) -> Coverage {
        Coverage {
            window: WHOLE,
            window_why: Why::default(),
            sources,
            clocks: vec![],
            unaudited: vec![],
            recaptures: vec![],
        }
    }
    fn sound() -> Coverage {
        coverage(vec![
            source(0, true, &[], None),
            source(
                1,
                false,
                &[
                    "ID.*",
                    "HEALTH.*",
                    "COVER.*",
                    "FREE.*",
                    "FIN.*",
                    "CONTACT.*",
                ],
                None,
            ),
        ])
    }
    fn cell(category: &str, verdict: &str, lo: u64, hi: u64, derived: &[&str]) -> Cell {
        Cell {
            establishment: "finess:1".into(),
            category: category.into(),
            verdict: verdict.into(),
            subjects: Interval::new(lo, hi),
            derived_from: derived.iter().map(|s| s.to_string()).collect(),
        }
    }
    fn facts(cells: Vec<Cell>) -> Facts {
        Facts {
            establishments: vec![
                ("finess:1".into(), "CH A".into()),
                ("finess:2".into(), "CH B".into()),
            ],
            cells,
            subjects: Interval::exactly(5),
            unaffected: Interval::exactly(95),
            population: 100,
            intruder_sessions: 2,
            touched_sources: vec![0, 1],
            activity: vec![(200 * HOUR, 201 * HOUR), (220 * HOUR, 221 * HOUR)],
            ..Facts::default()
        }
    }
    fn said(f: &Facts, c: &Coverage, b: &Bounds) -> Vec<(String, bool)> {
        statements(&Context::default(), f, c, b)
            .into_iter()
            .filter(|s| s.establishment.is_none())
            .map(|s| (s.code, s.holds))
            .collect()
    }
    fn holds(v: &[(String, bool)], code: &str) -> bool {
        v.iter().any(|(c, h)| c == code && *h)
    }

    #[test]
    fn every_code_is_there_once_in_both_languages() {
        let all = statements(
            &Context::default(),
            &facts(vec![]),
            &sound(),
            &Bounds::default(),
        );
        for code in CODES {
            assert_eq!(
                all.iter()
                    .filter(|s| s.code == *code && s.establishment.is_none())
                    .count(),
                1
            );
        }
        assert!(
            all.iter()
                .all(|s| !s.fr.is_empty() && !s.en.is_empty() && !s.because.is_empty())
        );
        assert_eq!(all.iter().filter(|s| s.establishment.is_some()).count(), 14);
    }
    #[test]
    fn complete_logs_carry_the_sentences() {
        let v = said(
            &facts(vec![cell("ID.NAME", "consulted", 5, 5, &[])]),
            &sound(),
            &Bounds::default(),
        );
        for code in [
            "no_health_data",
            "no_nir",
            "no_contact_data",
            "no_bank_data",
            "no_rights_data",
            "nothing_exfiltrated",
            "nothing_written",
            "list_complete",
            "unaffected_can_be_told",
            "start_known",
            "only_these_accounts",
            "logs_intact",
        ] {
            assert!(holds(&v, code), "{code}");
        }
        for code in [
            "no_intrusion",
            "no_evidence_of_access",
            "nothing_leaked",
            "no_staff_data",
        ] {
            assert!(!holds(&v, code), "{code}");
        }
    }
    #[test]
    fn a_list_without_an_inventory_of_every_share_denies_no_publication() {
        let mut f = facts(vec![]);
        f.leak_examined = true;
        let said_of = |f: &Facts| holds(&said(f, &sound(), &Bounds::default()), "nothing_leaked");
        assert!(!said_of(&f));
        f.leak_compared = true;
        assert!(said_of(&f));
    }
    #[test]
    fn what_was_seen_or_may_have_been_is_not_denied() {
        for c in [
            cell("HEALTH.DRUG", "consulted", 1, 1, &[]),
            cell("HEALTH.DRUG", "exposed", 0, 1, &[]),
            cell("FREE.TEXT", "consulted", 0, 2, &[]),
            cell(
                "HEALTH.STATE",
                "consulted",
                1,
                1,
                &["CARE.DATE", "CARE.UNIT"],
            ),
            cell("HEALTH.STATE", "consulted", 1, 1, &["COVER.STATUS"]),
        ] {
            assert!(!holds(
                &said(&facts(vec![c]), &sound(), &Bounds::default()),
                "no_health_data"
            ));
        }
        let derived = cell("HEALTH.ACT", "consulted", 1, 1, &["FIN.BILL"]);
        assert!(holds(
            &said(&facts(vec![derived]), &sound(), &Bounds::default()),
            "no_health_data"
        ));
        let both = vec![
            cell("CARE.DATE", "exposed", 0, 3, &[]),
            cell("CARE.UNIT", "exposed", 0, 3, &[]),
        ];
        assert!(!holds(
            &said(&facts(both), &sound(), &Bounds::default()),
            "no_health_data"
        ));
    }
    #[test]
    fn a_hole_he_could_use_withholds_what_it_could_hide_and_nothing_else() {
        let c = coverage(vec![
            source(0, true, &[], None),
            source(
                1,
                false,
                &["ID.*", "CONTACT.*"],
                Some((190, 210, Kind::Silence)),
            ),
            source(2, false, &["HEALTH.*", "COVER.*", "FREE.*"], None),
        ]);
        let usable = c.holes(
            Window::new(200 * HOUR, 201 * HOUR),
            None,
            crate::coverage::every_category(),
        );
        assert_eq!(usable.len(), 1);
        let b = Bounds {
            usable,
            ..Bounds::default()
        };
        let v = said(&facts(vec![]), &c, &b);
        assert!(holds(&v, "no_health_data"));
        for code in [
            "no_nir",
            "no_contact_data",
            "list_complete",
            "unaffected_can_be_told",
            "nothing_exfiltrated",
            "nothing_written",
            "logs_intact",
        ] {
            assert!(!holds(&v, code), "{code}");
        }
    }
    #[test]
    fn without_an_intruder_and_with_whole_logs_nobody_came_in() {
        let mut f = facts(vec![]);
        f.intruder_sessions = 0;
        f.subjects = Interval::ZERO;
        f.touched_sources = vec![];
        f.activity = vec![];
        let v = said(&f, &sound(), &Bounds::default());
        assert!(
            holds(&v, "no_intrusion")
                && holds(&v, "no_evidence_of_access")
                && !holds(&v, "start_known")
        );
        let holed = coverage(vec![
            source(0, true, &[], Some((10, 20, Kind::Silence))),
            source(1, false, &["ID.*"], None),
        ]);
        let v = said(&f, &holed, &Bounds::default());
        assert!(
            !holds(&v, "no_intrusion")
                && !holds(&v, "no_evidence_of_access")
                && !holds(&v, "logs_intact")
        );
        let bare = coverage(vec![]);
        let v = said(&f, &bare, &Bounds::default());
        assert!(
            v.iter().all(|(_, h)| !h)
                || v.iter()
                    .filter(|(_, h)| *h)
                    .all(|(c, _)| c == "only_these_accounts"),
            "{v:?}"
        );
    }
    #[test]
    fn a_cleared_log_is_no_intact_log_and_rotation_alone_is_one() {
        let c = |k| {
            coverage(vec![
                source(0, true, &[], None),
                source(1, false, &["ID.*"], Some((0, 20, k))),
            ])
        };
        assert!(!holds(
            &said(&facts(vec![]), &c(Kind::Tamper), &Bounds::default()),
            "logs_intact"
        ));
        assert!(holds(
            &said(&facts(vec![]), &c(Kind::Rotation), &Bounds::default()),
            "logs_intact"
        ));
    }
    #[test]
    fn nobody_vouches_for_a_log_whose_records_are_not_counted() {
        let mut c = sound();
        c.sources[1].guarded = false;
        let v = said(&facts(vec![]), &c, &Bounds::default());
        assert!(!holds(&v, "logs_intact") && holds(&v, "no_health_data"));
    }
    #[test]
    fn a_list_is_not_complete_on_the_word_of_a_log_nobody_counts() {
        let hole = Hole {
            source: 1,
            name: "logs/audit/*".into(),
            door: None,
            establishment: None,
            window: WHOLE,
            state: State::Gap,
            kind: Kind::Rotation,
            missing: None,
            categories: CategorySet::EMPTY,
            why: Why::default(),
        };
        let b = Bounds {
            on_trust: vec![hole],
            ..Bounds::default()
        };
        let v = said(&facts(vec![]), &sound(), &b);
        assert!(
            !holds(&v, "list_complete")
                && !holds(&v, "unaffected_can_be_told")
                && holds(&v, "no_health_data")
        );
    }
    #[test]
    fn a_list_is_not_complete_while_a_record_may_be_an_access() {
        let mut f = facts(vec![]);
        f.possible_accesses = 1;
        let v = said(&f, &sound(), &Bounds::default());
        assert!(
            !holds(&v, "list_complete")
                && !holds(&v, "unaffected_can_be_told")
                && holds(&v, "no_health_data")
        );
    }
    #[test]
    fn a_list_is_not_complete_that_begins_with_the_intruder() {
        let mut f = facts(vec![]);
        f.activity.insert(0, (23 * HOUR, 24 * HOUR));
        let v = said(&f, &sound(), &Bounds::default());
        assert!(
            !holds(&v, "list_complete")
                && !holds(&v, "unaffected_can_be_told")
                && holds(&v, "no_health_data")
        );
        f.activity[0] = (25 * HOUR, 26 * HOUR);
        let v = said(&f, &sound(), &Bounds::default());
        assert!(holds(&v, "list_complete") && holds(&v, "unaffected_can_be_told"));
    }
    #[test]
    fn a_list_is_not_complete_while_logons_are_lost() {
        let with = |gap| {
            let mut c = sound();
            let mut logons = source(2, false, &[], gap);
            logons.capability = logons.capability.map(|c| Capability {
                rows: &[(Verb::Login, Proof::Presence)],
                ..c
            });
            c.sources.push(logons);
            said(&facts(vec![]), &c, &Bounds::default())
        };
        for (gap, complete) in [
            (None, true),
            // He was there from 200 to 221.
            (Some((150, 190, Kind::Rotation)), true),
            (Some((150, 210, Kind::Rotation)), false),
        ] {
            let v = with(gap);
            assert_eq!(holds(&v, "list_complete"), complete, "{gap:?}");
            assert_eq!(holds(&v, "unaffected_can_be_told"), complete, "{gap:?}");
            assert!(holds(&v, "no_health_data"), "{gap:?}");
        }
    }
}
