//! What really happened, in the shape scorers read (`ampleur.truth/1`). Families report touches; this module turns them into
//! disclosures, cells, totals and expectations, knowing which proofs were lost on the way.
use crate::civil::{Ms, iso};
use ampleur_event::{Category, category::CategorySet};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub const FORMAT: &str = "ampleur.truth/1";

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Span {
    pub from: String,
    pub to: String,
}
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TEst {
    pub id: String,
    pub name: String,
    pub authority: String,
    pub population: u64,
}
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    pub affected: u64,
    pub affected_patients: u64,
    pub affected_enumerable: u64,
    pub population: u64,
    pub unaffected_patients: u64,
    pub staff: u64,
    pub intruder_sessions: u64,
    pub records: u64,
    pub events_generated: u64,
}
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TPerson {
    pub ids: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub staff: bool,
}
/// person, establishment, categories, optional, level, accept, permit, first, last, sessions
pub type Disclosure = (
    u32,
    u32,
    u32,
    u32,
    String,
    Vec<String>,
    String,
    String,
    String,
    Vec<u32>,
);

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Levels {
    pub consulted: u64,
    pub exfiltrated: u64,
    pub leaked: u64,
}
impl Levels {
    pub fn get(&self, l: &str) -> u64 {
        match l {
            "consulted" => self.consulted,
            "exfiltrated" => self.exfiltrated,
            _ => self.leaked,
        }
    }
    fn add(&mut self, l: &str) {
        match l {
            "consulted" => self.consulted += 1,
            "exfiltrated" => self.exfiltrated += 1,
            _ => self.leaked += 1,
        }
    }
}
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TCell {
    pub establishment: String,
    pub category: String,
    pub level: Levels,
    pub level_max: Levels,
    pub level_min: Levels,
    pub touched: u64,
    pub enumerable: u64,
    pub optional: u64,
}
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TSession {
    pub id: u32,
    pub account: String,
    pub system: String,
    pub address: Option<String>,
    pub inner: Option<String>,
    pub device: Option<String>,
    /// intruder | owner | vendor | job | …
    pub actor: String,
    pub chain: String,
    pub from: String,
    pub to: String,
    pub sources: Vec<String>,
    pub visible: bool,
    pub separable: bool,
    pub intrusion: Option<String>,
    pub note: Option<String>,
}
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TAccount {
    pub account: String,
    pub kind: String,
    pub verdict: String,
    pub must_cut: bool,
    pub must_keep: bool,
    pub must_rotate: bool,
    pub note: Option<String>,
    pub aliases: Vec<String>,
}
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TGap {
    pub source: String,
    pub files: Option<String>,
    pub from: String,
    pub to: String,
    pub kind: String,
    pub lost: Option<u64>,
    pub detectable: bool,
    pub partial: bool,
    pub required: Option<bool>,
    pub why: String,
}
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TStatement {
    pub code: String,
    pub truth: bool,
    /// hold | refuse | either
    pub expect: String,
}
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TClaim {
    pub text: String,
    pub expect: String,
}
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TTargeted {
    pub person: u32,
}
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TWrite {
    pub person: u32,
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
}
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TInternal {
    pub account: String,
    pub subjects: u64,
}
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TRecords {
    pub source: String,
    pub format: String,
    pub records: u64,
    pub skipped: u64,
    pub broken: u64,
    pub duplicates: u64,
}
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TSource {
    pub key: String,
    pub files: String,
    pub format: String,
    pub clock_offset_ms: i64,
}

/// `truth.json`. Reading ignores keys of other writers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Truth {
    pub format: String,
    pub family: String,
    pub seed: u64,
    pub scale: f64,
    pub incident: String,
    pub window: Span,
    pub timezone: String,
    pub establishments: Vec<TEst>,
    pub totals: Totals,
    pub catsets: Vec<Vec<String>>,
    pub persons: Vec<TPerson>,
    pub disclosure_columns: Vec<String>,
    pub disclosures: Vec<Disclosure>,
    pub undetermined: Vec<(u32, u32, u32)>,
    pub cells: Vec<TCell>,
    pub exposed: Vec<Value>,
    pub sessions: Vec<TSession>,
    pub accounts: Vec<TAccount>,
    pub gaps: Vec<TGap>,
    pub statements: Vec<TStatement>,
    pub claims: Vec<TClaim>,
    pub targeted: Vec<TTargeted>,
    pub targeted_optional: Vec<u32>,
    pub writes: Vec<TWrite>,
    pub internal: Vec<TInternal>,
    pub records: BTreeMap<String, TRecords>,
    pub sources: Vec<TSource>,
    pub knobs: BTreeMap<String, Value>,
    pub background: f64,
    pub notes: Vec<String>,
    pub tests: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Consulted,
    Exfiltrated,
    Leaked,
}
impl Level {
    pub fn name(self) -> &'static str {
        ["consulted", "exfiltrated", "leaked"][self as usize]
    }
}

/// The intruder saw or took something of somebody.
#[derive(Debug, Clone, Copy)]
pub struct Touch {
    /// Number of the data subject in the family's own list.
    pub person: u32,
    pub est: u16,
    pub cats: CategorySet,
    /// Derived or arguable: neither required nor wrong.
    pub optional: CategorySet,
    pub level: Level,
    pub t: Ms,
    pub session: u32,
    /// The answer this is part of; 0 needs no proof.
    pub group: u32,
    /// False when even whole logs give an interval only.
    pub enumerable: bool,
}

/// Collects what happened while a family writes.
#[derive(Debug, Default)]
pub struct Ledger {
    pub touches: Vec<Touch>,
    /// For each answer: its pages, each with the records any one of which proves it (0 = none).
    pub groups: Vec<Vec<[u32; 2]>>,
    pub sessions: Vec<TSession>,
    pub next_session: u32,
    pub accounts: Vec<TAccount>,
    pub exposed: Vec<Value>,
    /// (data subject, targeted for certain)
    pub targeted: Vec<(u32, bool)>,
    pub writes: Vec<(u32, String, Option<String>, Option<String>)>,
    pub internal: Vec<TInternal>,
    pub claims: Vec<TClaim>,
    pub gaps: Vec<TGap>,
    pub undetermined: Vec<(u32, u16, CategorySet)>,
    /// Sentences that must hold while these sources are whole; the rest of the closed list is worked out.
    pub must_hold: BTreeMap<&'static str, Vec<String>>,
    /// Sentences that are false for a reason touches do not show.
    pub must_refuse: BTreeSet<&'static str>,
    pub tests: BTreeMap<String, Value>,
}

impl Ledger {
    /// A session number.
    pub fn session(&mut self) -> u32 {
        self.next_session += 1;
        self.next_session
    }
    /// Opens an answer; its pages are added with [`Ledger::page`].
    pub fn group(&mut self) -> u32 {
        self.groups.push(Vec::new());
        self.groups.len() as u32
    }
    pub fn page(&mut self, group: u32, proofs: [u32; 2]) {
        self.groups[group as usize - 1].push(proofs);
    }
    pub fn account(
        &mut self,
        account: &str,
        kind: &str,
        verdict: &str,
        aliases: Vec<String>,
        note: &str,
    ) {
        if self.accounts.iter().any(|a| a.account == account) {
            return;
        }
        let usurped = verdict == "usurped";
        self.accounts.push(TAccount {
            account: account.into(),
            kind: kind.into(),
            verdict: verdict.into(),
            must_cut: usurped,
            must_keep: !usurped,
            must_rotate: false,
            note: (!note.is_empty()).then(|| note.into()),
            aliases,
        });
    }
}

/// What the family knows about its people when the truth is written.
pub struct People<'a> {
    /// Identifiers of a data subject of the family's list.
    pub ids: &'a dyn Fn(u32) -> Vec<String>,
    pub staff: &'a dyn Fn(u32) -> bool,
    pub population: u64,
    pub staff_count: u64,
}

fn codes(s: CategorySet) -> Vec<String> {
    s.iter().map(|c| c.code().to_string()).collect()
}

/// The closed list of sentences (contract §A).
pub const CODES: &[&str] = &[
    "no_intrusion",
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
    "no_evidence_of_access",
];

/// Which categories a sentence is about.
pub fn about(code: &str) -> Option<CategorySet> {
    let of = |p: &[&str]| CategorySet::parse(p).unwrap_or_default();
    Some(match code {
        "no_health_data" => of(&["HEALTH.*", "COVER.STATUS", "FREE.*"]),
        "no_nir" => of(&["ID.NIR", "STAFF.NIR", "CONTACT.MSSANTE"]),
        "no_contact_data" => of(&["CONTACT.*", "STAFF.CONTACT", "KIN.*"]),
        "no_bank_data" => of(&["FIN.BANK", "STAFF.BANK"]),
        "no_rights_data" => of(&["COVER.*"]),
        "no_staff_data" => of(&["STAFF.*", "PRO.*"]),
        _ => return None,
    })
}

/// One person's strongest fact about one category in one establishment, while it is worked out.
struct Fact {
    level: Level,
    enumerable: bool,
    weaker: Option<Level>,
    first: Ms,
    last: Ms,
    sessions: Vec<u32>,
}

impl Truth {
    /// Works the touches into disclosures. `lost` are the proofs that did not survive, sorted.
    pub fn settle(
        &mut self,
        ledger: Ledger,
        people: &People<'_>,
        lost: &[u32],
        harmed: &BTreeSet<String>,
    ) {
        let gone = |tag: u32| tag == 0 || lost.binary_search(&tag).is_ok();
        let proven: Vec<bool> = ledger
            .groups
            .iter()
            .map(|g| g.iter().all(|[a, b]| !gone(*a) || !gone(*b)))
            .collect();
        let mut facts: BTreeMap<(u32, u16, Category), Fact> = BTreeMap::new();
        let mut optional: BTreeMap<(u32, u16), CategorySet> = BTreeMap::new();
        // Persons somebody was shown, and those of them whom surviving records still show. What a record held may be uncertain
        // between two snapshots; whose record it was is not.
        let mut shown: BTreeSet<u32> = BTreeSet::new();
        let mut witnessed: BTreeSet<u32> = BTreeSet::new();
        for t in &ledger.touches {
            let survives = t.group == 0 || proven[t.group as usize - 1];
            shown.insert(t.person);
            if survives {
                witnessed.insert(t.person);
            }
            let enumerable = t.enumerable && survives;
            let o = optional.entry((t.person, t.est)).or_default();
            *o = o.union(t.optional);
            for c in t.cats.iter() {
                let f = facts.entry((t.person, t.est, c)).or_insert(Fact {
                    level: t.level,
                    enumerable,
                    weaker: None,
                    first: t.t,
                    last: t.t,
                    sessions: Vec::new(),
                });
                if t.level > f.level {
                    if f.enumerable && !enumerable {
                        // The weaker fact can be told by name, the stronger one only perhaps: both answers are right.
                        f.weaker = Some(f.level);
                    } else {
                        f.weaker = None;
                        f.enumerable = enumerable;
                    }
                    f.level = t.level;
                } else if t.level == f.level {
                    if enumerable {
                        f.weaker = None;
                    }
                    f.enumerable |= enumerable;
                } else if enumerable && !f.enumerable {
                    f.weaker = Some(t.level);
                    f.enumerable = true;
                }
                f.first = f.first.min(t.t);
                f.last = f.last.max(t.t);
                if t.session != 0 && !f.sessions.contains(&t.session) {
                    f.sessions.push(t.session);
                }
            }
        }
        // People of the file: everybody with a fact, then the undetermined and the named.
        let mut number: BTreeMap<u32, u32> = BTreeMap::new();
        let mut list = |p: u32, persons: &mut Vec<TPerson>| -> u32 {
            *number.entry(p).or_insert_with(|| {
                persons.push(TPerson {
                    ids: (people.ids)(p),
                    staff: (people.staff)(p),
                });
                persons.len() as u32 - 1
            })
        };
        let mut catset: BTreeMap<CategorySet, u32> = BTreeMap::new();
        let mut catsets: Vec<Vec<String>> = Vec::new();
        let mut set = |s: CategorySet| -> u32 {
            *catset.entry(s).or_insert_with(|| {
                catsets.push(codes(s));
                catsets.len() as u32 - 1
            })
        };
        let mut affected = BTreeSet::new();
        let mut enumerable_persons = BTreeSet::new();
        let mut cells: BTreeMap<(u16, Category), TCell> = BTreeMap::new();
        let mut rows: BTreeMap<(u32, u16), Vec<(CategorySet, Fact)>> = BTreeMap::new();
        for ((p, e, c), f) in facts {
            affected.insert(p);
            if f.enumerable {
                enumerable_persons.insert(p);
            }
            let cell = cells.entry((e, c)).or_default();
            cell.touched += 1;
            cell.enumerable += u64::from(f.enumerable);
            cell.level.add(f.level.name());
            cell.level_max.add(f.level.name());
            match f.weaker {
                Some(w) => cell.level_max.add(w.name()),
                None => cell.level_min.add(f.level.name()),
            }
            let r = rows.entry((p, e)).or_default();
            let same = r.iter_mut().find(|(_, g)| {
                g.level == f.level
                    && g.enumerable == f.enumerable
                    && g.weaker == f.weaker
                    && g.first == f.first
                    && g.last == f.last
                    && g.sessions == f.sessions
            });
            match same {
                Some((s, _)) => s.insert(c),
                None => r.push((CategorySet::of(&[c]), f)),
            }
        }
        for ((p, e), o) in &optional {
            let told = rows
                .get(&(*p, *e))
                .map(|r| r.iter().fold(CategorySet::EMPTY, |a, (s, _)| a.union(*s)))
                .unwrap_or_default();
            for c in o.without(told).iter() {
                cells.entry((*e, c)).or_default().optional += 1;
            }
        }
        for ((p, e), r) in rows {
            let told = r.iter().fold(CategorySet::EMPTY, |a, (s, _)| a.union(*s));
            let o = optional
                .get(&(p, e))
                .copied()
                .unwrap_or_default()
                .without(told);
            for (s, f) in r {
                let mut accept: Vec<String> =
                    f.weaker.iter().map(|w| w.name().to_string()).collect();
                accept.push(f.level.name().into());
                self.disclosures.push((
                    list(p, &mut self.persons),
                    u32::from(e),
                    set(s),
                    set(o),
                    f.level.name().into(),
                    accept,
                    if f.enumerable {
                        "enumerable"
                    } else {
                        "bounded"
                    }
                    .into(),
                    iso(f.first),
                    iso(f.last),
                    f.sessions,
                ));
            }
        }
        for (p, e, c) in &ledger.undetermined {
            self.undetermined
                .push((list(*p, &mut self.persons), u32::from(*e), set(*c)));
        }
        for (p, sure) in &ledger.targeted {
            let n = list(*p, &mut self.persons);
            if *sure {
                if !self.targeted.iter().any(|t| t.person == n) {
                    self.targeted.push(TTargeted { person: n });
                }
            } else if !self.targeted_optional.contains(&n) {
                self.targeted_optional.push(n);
            }
        }
        for (p, field, before, after) in ledger.writes {
            let person = list(p, &mut self.persons);
            self.writes.push(TWrite {
                person,
                field,
                before,
                after,
            });
        }
        self.catsets = catsets;
        self.disclosure_columns = [
            "person",
            "establishment",
            "categories",
            "optional",
            "level",
            "accept",
            "permit",
            "first",
            "last",
            "sessions",
        ]
        .map(String::from)
        .to_vec();
        // A list is complete when its two ends meet: true whenever every person shown is still witnessed.
        let complete = shown.is_subset(&witnessed) && ledger.exposed.is_empty();
        let touched_any = |s: CategorySet| {
            cells
                .iter()
                .any(|((_, c), v)| v.touched > 0 && s.contains(*c))
        };
        // The scorer takes two more as health data: free text, and what visit date with unit tells.
        let leaked = cells.values().any(|c| c.level.leaked > 0);
        let exfil = cells
            .values()
            .any(|c| c.level.exfiltrated + c.level.leaked > 0);
        let intrusion = ledger.sessions.iter().any(|s| s.actor == "intruder");
        let unit_date = {
            let d = touched_any(CategorySet::of(&[Category::CareDate]));
            d && touched_any(CategorySet::of(&[Category::CareUnit]))
        };
        for code in CODES {
            let truth = match *code {
                "no_intrusion" => !intrusion,
                "nothing_exfiltrated" => !exfil,
                "nothing_leaked" => !leaked,
                "nothing_written" => self.writes.is_empty(),
                "list_complete" | "unaffected_can_be_told" => complete,
                "no_evidence_of_access" => !intrusion,
                "no_health_data" if unit_date => false,
                "logs_intact" => !self
                    .gaps
                    .iter()
                    .chain(&ledger.gaps)
                    .any(|g| g.kind == "tamper"),
                c => about(c).is_none_or(|s| !touched_any(s)),
            } && !ledger.must_refuse.contains(code);
            let expect = if !truth {
                "refuse"
            } else if ledger
                .must_hold
                .get(code)
                .is_some_and(|needs| needs.iter().all(|n| !harmed.contains(n)))
            {
                "hold"
            } else {
                "either"
            };
            self.statements.push(TStatement {
                code: (*code).into(),
                truth,
                expect: expect.into(),
            });
        }
        self.cells = cells
            .into_iter()
            .map(|((e, c), mut cell)| {
                cell.establishment = self.establishments[e as usize].id.clone();
                cell.category = c.code().into();
                cell
            })
            .collect();
        self.totals.affected = affected.len() as u64;
        self.totals.affected_patients =
            affected.iter().filter(|p| !(people.staff)(**p)).count() as u64;
        self.totals.affected_enumerable = enumerable_persons.len() as u64;
        self.totals.population = people.population;
        self.totals.unaffected_patients = people
            .population
            .saturating_sub(self.totals.affected_patients);
        self.totals.staff = people.staff_count;
        self.totals.intruder_sessions = ledger
            .sessions
            .iter()
            .filter(|s| s.actor == "intruder")
            .count() as u64;
        self.sessions = ledger.sessions;
        self.accounts = ledger.accounts;
        self.accounts.sort_by(|a, b| a.account.cmp(&b.account));
        self.exposed = ledger.exposed;
        self.internal = ledger.internal;
        self.claims = ledger.claims;
        self.gaps.extend(ledger.gaps);
        self.tests = ledger.tests;
    }
}
