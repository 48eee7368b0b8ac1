//! The answer arranged for people: one pass over the rows, then every rendering says the same.
use crate::{
    Lang, Options,
    words::{self, Both},
};
use ampleur_event::{Category, Interval};
use ampleur_extent::model::{Answer, Cell, CoverageRow, PersonRow, SessionRow, Statement};
use std::collections::{BTreeMap, BTreeSet};

/// What can be said of a group of categories, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Established for at least one person.
    Seen(Interval),
    /// Nothing established; at most this many could have been reached.
    Possible(u64),
    /// A statement holds: positive coverage shows no access.
    Excluded,
    /// Neither seen nor excluded.
    Untold,
    /// Nobody came, and no log would tell of these data.
    Unlogged,
}

/// A group of categories a director asks for by name.
#[derive(Debug, Clone)]
pub struct Group {
    pub code: &'static str,
    pub label: Both,
    pub standing: Standing,
}

/// One category over all establishments, by verdict.
#[derive(Debug, Clone)]
pub struct CategoryRow {
    pub code: String,
    pub label: Both,
    /// leaked, exfiltrated, consulted, exposed.
    pub cells: [Interval; 4],
    pub derived: bool,
    /// Special category of GDPR art. 9 or 10.
    pub special: bool,
}

/// One establishment.
#[derive(Debug, Clone)]
pub struct Place {
    pub id: String,
    pub name: String,
    /// Consulted or worse.
    pub subjects: Interval,
    /// Codes established, in list order.
    pub seen: Vec<String>,
    /// Codes only possible.
    pub possible: Vec<String>,
    pub rows: Vec<CategoryRow>,
    pub statements: Vec<Statement>,
}

/// A run of sessions with no long pause inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wave {
    /// UTC seconds, `[from, to]`.
    pub from: i64,
    pub to: i64,
    pub sessions: u64,
}

/// How the two bounds relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sureness {
    /// No intrusion, and the logs could have shown one.
    NoIntrusion,
    /// No session is attributed, and it cannot be excluded either.
    NothingFound,
    /// Not one record could be read: nothing is said either way.
    Unread,
    Exact,
    Between,
}

/// The answer, arranged.
pub struct View<'a> {
    pub answer: &'a Answer,
    pub options: &'a Options,
    pub sureness: Sureness,
    pub groups: Vec<Group>,
    pub categories: Vec<CategoryRow>,
    pub places: Vec<Place>,
    pub waves: Vec<Wave>,
    /// Persons of the identity base, if `unaffected` tells.
    pub population: Option<u64>,
    pub intruder: Vec<&'a SessionRow>,
    pub doubtful: Vec<&'a SessionRow>,
    pub legitimate: u64,
    pub gaps: Vec<&'a CoverageRow>,
    /// Gaps nothing else closes.
    pub open_gaps: usize,
    /// Sentences that are established, as they stand or by their contrary.
    pub established: Vec<&'a Statement>,
    /// Sentences that the evidence does not carry.
    pub open: Vec<&'a Statement>,
    /// Where the intruder came from: (address, country), sorted. Addresses inside count only when there are no others: they were
    /// lent to him, or are machines he went through.
    pub origins: Vec<(String, String)>,
    pub bytes_out: u64,
    /// Accounts of the answer, sorted.
    accounts: Vec<&'a str>,
    /// The one account with a name in a system; `None` where several domains have it.
    alike: BTreeMap<(&'a str, String), Option<&'a str>>,
}

/// Verdicts in the order of every table, strongest first.
pub const VERDICTS: [&str; 4] = ["leaked", "exfiltrated", "consulted", "exposed"];

/// Pause that starts a new wave: a twelfth of the time observed, between six hours and three days.
fn wave_pause(span: i64) -> i64 {
    (span / 12).clamp(6 * 3600, 3 * 86_400)
}

impl<'a> View<'a> {
    pub fn new(answer: &'a Answer, persons: &[PersonRow], options: &'a Options) -> Self {
        let by = |verdict: &str| -> Vec<&'a SessionRow> {
            answer
                .sessions
                .iter()
                .filter(|s| s.verdict == verdict)
                .collect()
        };
        let (intruder, doubtful) = (by("intruder"), by("doubtful"));
        let listed = answer
            .sessions
            .iter()
            .filter(|s| s.verdict == "legitimate")
            .count() as u64;
        let legitimate = listed + answer.sessions_omitted;
        let (established, open): (Vec<_>, Vec<_>) = answer
            .statements
            .iter()
            .filter(|s| s.establishment.is_none())
            .partition(|s| is_established(s));
        let says = |code: &str| established.iter().any(|s| s.holds && s.code == code);
        // Where nobody came in, a sentence about the intruder's beginning or other accounts would speak of somebody who is not there.
        let nobody = says("no_intrusion");
        let mut open = open;
        open.retain(|s| !(nobody && ["start_known", "only_these_accounts"].contains(&&*s.code)));
        let subjects = answer.extent.subjects;
        let sureness = if intruder.is_empty() && subjects.at_least == 0 {
            let read = &answer.evidence;
            if says("no_intrusion") {
                Sureness::NoIntrusion
            } else if read.events == 0 && read.rejects > 0 {
                Sureness::Unread
            } else {
                Sureness::NothingFound
            }
        } else if subjects.is_exact() {
            Sureness::Exact
        } else {
            Sureness::Between
        };
        let categories = category_rows(&answer.extent.cells.iter().collect::<Vec<_>>());
        let gaps: Vec<&CoverageRow> = answer
            .coverage
            .iter()
            .filter(|c| c.state != "complete")
            .collect();
        let open_gaps = gaps.iter().filter(|g| g.closed_by.is_none()).count();
        let mut origins: BTreeSet<(String, String)> = intruder
            .iter()
            .filter_map(|s| {
                Some((
                    s.origin.address.clone()?,
                    s.origin.country.clone().unwrap_or_default(),
                ))
            })
            .collect();
        if origins.iter().any(|(a, _)| !is_inside(a)) {
            origins.retain(|(a, _)| !is_inside(a));
        }
        let mut accounts: Vec<&str> = answer.accounts.iter().map(|a| &*a.account).collect();
        accounts.sort_unstable();
        let mut alike: BTreeMap<(&str, String), Option<&str>> = BTreeMap::new();
        for a in &accounts {
            let one = alike.entry(bare(a)).or_insert(Some(a));
            if *one != Some(*a) {
                *one = None;
            }
        }
        let unaffected = answer.extent.unaffected;
        let population = (unaffected != Interval::ZERO && !unaffected.is_open())
            .then(|| unaffected.at_least.saturating_add(subjects.at_most));
        let places = places(answer, persons, options);
        View {
            sureness,
            groups: groups(&categories, &places, answer, sureness),
            places,
            waves: waves(&intruder, &doubtful),
            categories,
            population,
            legitimate,
            open_gaps,
            gaps,
            origins: origins.into_iter().collect(),
            bytes_out: intruder
                .iter()
                .fold(0, |a, s| a.saturating_add(s.bytes_out)),
            intruder,
            doubtful,
            established,
            open,
            accounts,
            alike,
            answer,
            options,
        }
    }

    /// The answer in one line: `Entre 4 212 et 6 980 personnes`.
    pub fn headline(&self) -> Both {
        let s = self.answer.extent.subjects;
        Both::of(|l| {
            let persons = |n| words::count(n, l, ("personne", "personnes"), ("person", "people"));
            match (self.sureness, l) {
                (Sureness::NoIntrusion, Lang::Fr) => "Aucune intrusion".into(),
                (Sureness::NoIntrusion, Lang::En) => "No intrusion".into(),
                (Sureness::Unread, Lang::Fr) => "Rien n’a pu être lu".into(),
                (Sureness::Unread, Lang::En) => "Nothing could be read".into(),
                (Sureness::NothingFound, Lang::Fr) if s.at_most == 0 => {
                    "Aucune session attribuée à un intrus".into()
                }
                (Sureness::NothingFound, Lang::En) if s.at_most == 0 => {
                    "No session attributed to an intruder".into()
                }
                (_, _) if s.is_exact() => persons(s.at_least),
                (_, Lang::Fr) if s.is_open() && s.at_least == 0 => {
                    "Combien de personnes : nul ne peut le dire".into()
                }
                (_, Lang::En) if s.is_open() && s.at_least == 0 => {
                    "How many people: nobody can say".into()
                }
                (_, Lang::Fr) if s.is_open() => format!("Au moins {}", persons(s.at_least)),
                (_, Lang::En) if s.is_open() => format!("At least {}", persons(s.at_least)),
                (_, Lang::Fr) => format!(
                    "Entre {} et {}",
                    words::number(s.at_least, l),
                    persons(s.at_most)
                ),
                (_, Lang::En) => format!(
                    "Between {} and {}",
                    words::number(s.at_least, l),
                    persons(s.at_most)
                ),
            }
        })
    }

    /// What alone was asked: such an answer must not be read as one about the incident.
    pub fn asked(&self) -> Option<Both> {
        let asked = &self.answer.asked;
        (!asked.is_empty()).then(|| {
            let list: String = asked.join(", ").chars().take(300).collect();
            Both::new(
                format!("Question posée : {list}. Rien d’autre n’a été examiné : ce n’est pas l’étendue de l’incident."),
                format!("What was asked: {list}. Nothing else was looked at: this is not the extent of the incident."),
            )
        })
    }

    /// The days the logs speak of, and the version of the answer.
    pub fn window(&self) -> Both {
        Both::of(|l| {
            let at = |t: &str| {
                words::instant(t).map_or_else(
                    || "—".to_string(),
                    |t| words::date(t, &self.options.zone, l),
                )
            };
            let (from, to) = (at(&self.answer.window.from), at(&self.answer.window.to));
            let version = self.answer.version;
            match (self.sureness, l) {
                (Sureness::Unread, Lang::Fr) => format!("Aucun événement lu · version {version}"),
                (Sureness::Unread, Lang::En) => format!("No event read · version {version}"),
                (_, Lang::Fr) => format!("Journaux du {from} au {to} · version {version}"),
                (_, Lang::En) => format!("Logs from {from} to {to} · version {version}"),
            }
        })
    }

    /// Who is counted, in one sentence; `None` when nobody is, or when something else was asked.
    pub fn lead(&self) -> Option<Both> {
        let s = self.answer.extent.subjects;
        if s.at_most == 0 || !self.answer.asked.is_empty() {
            return None;
        }
        Some(match (s.at_least, s.at_most) {
            (0, _) => (
                "Ce sont les personnes dont des données ont pu être consultées, copiées ou publiées au cours de cette intrusion.",
                "These are the people whose data may have been consulted, copied out or published during this intrusion.",
            ).into(),
            (1, 1) => (
                "C’est la personne dont des données ont été consultées, copiées ou publiées au cours de cette intrusion.",
                "This is the person whose data was consulted, copied out or published during this intrusion.",
            ).into(),
            _ => (
                "Ce sont les personnes dont des données ont été consultées, copiées ou publiées au cours de cette intrusion.",
                "These are the people whose data was consulted, copied out or published during this intrusion.",
            ).into(),
        })
    }

    /// Patients certainly not affected, when the identity base tells how many there are.
    pub fn spared(&self) -> Option<Interval> {
        let un = self.answer.extent.unaffected;
        (un != Interval::ZERO && !un.is_open()).then_some(un)
    }

    /// What the bar of the answer stands for as a whole: the patients of the identity base, or a little more than the upper bound
    /// where nobody knows how many there are.
    pub fn whole(&self) -> u64 {
        let most = self.answer.extent.subjects.at_most;
        self.population
            .filter(|p| *p >= most)
            .unwrap_or_else(|| most.saturating_add(most / 6))
            .max(1)
    }

    /// Claims, each with its verdict and what it rests on.
    pub fn claims(&self, l: Lang) -> Vec<(String, Both)> {
        self.answer
            .claims
            .iter()
            .map(|c| {
                let (open, close) = match l {
                    Lang::Fr => ("«\u{a0}", "\u{a0}»"),
                    Lang::En => ("“", "”"),
                };
                let text = format!("{open}{}{close}", crate::picture::clip(&c.text, 200));
                (text, words::claim_verdict(&c.verdict))
            })
            .collect()
    }

    /// The sentence that the list is complete holds.
    fn complete(&self) -> bool {
        let said = self.answer.statements.iter();
        said.filter(|s| s.code == "list_complete" && s.establishment.is_none())
            .all(|s| s.holds)
    }

    /// What the number means and why the bounds differ, in plain sentences.
    pub fn how_sure(&self) -> Both {
        let s = self.answer.extent.subjects;
        Both::of(|l| {
            let mut out = match (self.sureness, l) {
                (Sureness::NoIntrusion, Lang::Fr) => "Les entrées sont couvertes sur cette période et ne montrent aucune session d’intrus.".to_string(),
                (Sureness::NoIntrusion, Lang::En) => "The doors are covered for this period and show no session of an intruder.".to_string(),
                (Sureness::NothingFound, Lang::Fr) => "Aucune session n’est attribuée à un intrus, mais les journaux ne permettent pas de l’exclure.".to_string(),
                (Sureness::NothingFound, Lang::En) => "No session is attributed to an intruder, but the logs are not enough to rule it out.".to_string(),
                (Sureness::Unread, Lang::Fr) => format!("Aucun des {} remis n’est d’un format connu : cette réponse ne dit rien, ni dans un sens ni dans l’autre.",
                    words::count(self.answer.evidence.records, l, ("enregistrement", "enregistrements"), ("", ""))),
                (Sureness::Unread, Lang::En) => format!("None of the {} handed over could be read: this answer says nothing either way.",
                    words::count(self.answer.evidence.records, l, ("", ""), ("record", "records"))),
                (Sureness::Exact, Lang::Fr) if !self.answer.asked.is_empty() => "Nombre exact pour ce qui a été demandé : chaque personne est établie par les journaux.".to_string(),
                (Sureness::Exact, Lang::En) if !self.answer.asked.is_empty() => "Exact number for what was asked: every person is established by the logs.".to_string(),
                (Sureness::Exact, Lang::Fr) if !self.complete() => "Nombre exact d’après les journaux fournis : chaque personne est établie. La liste peut pourtant ne pas être complète ; la phrase refusée plus bas dit pourquoi.".to_string(),
                (Sureness::Exact, Lang::En) if !self.complete() => "Exact number by the logs handed over: every person is established. The list may be incomplete all the same; the sentence refused below says why.".to_string(),
                (Sureness::Exact, Lang::Fr) if s.at_least == 1 => "Nombre exact : cette personne est établie par les journaux, et aucune autre n’a pu être atteinte.".to_string(),
                (Sureness::Exact, Lang::En) if s.at_least == 1 => "Exact number: this person is established by the logs, and nobody else could have been reached.".to_string(),
                (Sureness::Exact, Lang::Fr) => "Nombre exact : chaque personne est établie par les journaux, et aucune autre n’a pu être atteinte.".to_string(),
                (Sureness::Exact, Lang::En) => "Exact number: every person is established by the logs, and nobody else could have been reached.".to_string(),
                (Sureness::Between, Lang::Fr) => format!("{} ; au plus {}. Le vrai nombre est entre les deux.",
                    if s.at_least == 0 { "Aucune n’est établie par les journaux".to_string() } else { format!("{} par les journaux", words::count(s.at_least, l, ("est établie", "sont établies"), ("", ""))) }, words::number(s.at_most, l)),
                (Sureness::Between, Lang::En) => format!("{} established by the logs; at most {}. The true number lies between.",
                    if s.at_least == 0 { "None is".to_string() } else { words::count(s.at_least, l, ("", ""), ("is", "are")) }, words::number(s.at_most, l)),
            };
            let mut why = Vec::new();
            if s.is_open() {
                why.push(match l {
                    Lang::Fr => "aucun cliché entier de la base d’identités, qui seul dirait combien de personnes elle tient (∞)".into(),
                    Lang::En => "no whole snapshot of the identity base, which alone would say how many people it holds (∞)".to_string(),
                });
            }
            if self.open_gaps > 0 {
                why.push(words::count(
                    self.open_gaps as u64,
                    l,
                    (
                        "période incomplète des journaux",
                        "périodes incomplètes des journaux",
                    ),
                    ("incomplete log period", "incomplete log periods"),
                ));
            }
            let blind = &self.answer.extent.blind_shares;
            if !blind.is_empty() {
                let some: Vec<String> = (blind.iter().take(3))
                    .map(|s| crate::picture::clip(s, 60))
                    .collect();
                let more = if blind.len() > 3 { ", …" } else { "" };
                let several = words::count(
                    blind.len() as u64,
                    l,
                    (
                        "partage dont aucun journal ne dit les lectures",
                        "partages dont aucun journal ne dit les lectures",
                    ),
                    (
                        "share whose reads no log tells",
                        "shares whose reads no log tells",
                    ),
                );
                why.push(format!("{several} ({}{more})", some.join(", ")));
            }
            if !self.doubtful.is_empty() {
                why.push(words::count(
                    self.doubtful.len() as u64,
                    l,
                    ("session douteuse", "sessions douteuses"),
                    ("doubtful session", "doubtful sessions"),
                ));
            }
            if self.answer.evidence.rejects > 0 {
                why.push(words::count(
                    self.answer.evidence.rejects,
                    l,
                    ("ligne illisible", "lignes illisibles"),
                    ("unreadable line", "unreadable lines"),
                ));
            }
            if why.is_empty() {
                why.push(match l {
                    Lang::Fr => "personnes atteignables sans trace, ou questions dont les journaux ne gardent pas la réponse".into(),
                    Lang::En => "people reachable without trace, or questions whose answer the logs do not keep".into(),
                });
            }
            if self.sureness == Sureness::Between {
                match l {
                    Lang::Fr => out.push_str(" L’écart vient de\u{a0}: "),
                    Lang::En => out.push_str(" The difference comes from: "),
                }
                out.push_str(&why.join(", "));
                out.push('.');
            } else if s.is_open() {
                out.push_str(match l {
                    Lang::Fr => " Sans cliché de la base d’identités, nul ne sait combien de personnes elle tient (∞).",
                    Lang::En => " Without a snapshot of the identity base nobody knows how many people it holds (∞).",
                });
            }
            out
        })
    }

    /// Who came, from where, when: one or two sentences.
    pub fn story(&self) -> Both {
        Both::of(|l| {
            if self.intruder.is_empty() {
                return match l {
                    Lang::Fr => {
                        "Aucune session n’est attribuée à un intrus dans les journaux fournis."
                            .into()
                    }
                    Lang::En => {
                        "No session in these logs is attributed to an intruder.".to_string()
                    }
                };
            }
            let accounts: BTreeSet<&str> = self
                .intruder
                .iter()
                .filter_map(|s| s.account.as_deref())
                .map(|a| self.account(a))
                .collect();
            let sessions = words::count(
                self.intruder.len() as u64,
                l,
                ("session", "sessions"),
                ("session", "sessions"),
            );
            let accounts = words::count(
                accounts.len() as u64,
                l,
                ("compte", "comptes"),
                ("account", "accounts"),
            );
            let origins = words::count(
                self.origins.len() as u64,
                l,
                ("adresse", "adresses"),
                ("address", "addresses"),
            );
            let mut countries: Vec<&str> = self
                .origins
                .iter()
                .map(|(_, c)| c.as_str())
                .filter(|c| !c.is_empty())
                .collect();
            countries.sort_unstable();
            countries.dedup();
            let countries = if countries.is_empty() || countries.len() > 6 {
                String::new()
            } else {
                format!(" ({})", countries.join(", "))
            };
            let waves = if self.waves.len() > 1 {
                match l {
                    Lang::Fr => format!(" en {} vagues", self.waves.len()),
                    Lang::En => format!(" in {} waves", self.waves.len()),
                }
            } else {
                String::new()
            };
            let (from, to) = self.intruder_span();
            let when = |t: Option<i64>| {
                t.and_then(|t| jiff::Timestamp::from_second(t).ok())
                    .map_or_else(
                        || "—".to_string(),
                        |t| words::moment(t, &self.options.zone, l),
                    )
            };
            match l {
                Lang::Fr => format!(
                    "L’intrus a ouvert {sessions}{waves} avec {accounts}, depuis {origins}{countries}. Première trace le {}, dernière le {}.",
                    when(from),
                    when(to)
                ),
                Lang::En => format!(
                    "The intruder opened {sessions}{waves} with {accounts}, from {origins}{countries}. First trace {}, last {}.",
                    when(from),
                    when(to)
                ),
            }
        })
    }

    /// The account of the answer that a session's spelling stands for: itself, or the one of its system with its name under another
    /// spelling of the domain.
    pub fn account<'b>(&'b self, spelled: &'b str) -> &'b str {
        let known = self.accounts.binary_search(&spelled).is_ok();
        match self.alike.get(&bare(spelled)) {
            Some(Some(one)) if !known => one,
            _ => spelled,
        }
    }

    /// First and last second of the intruder's sessions.
    pub fn intruder_span(&self) -> (Option<i64>, Option<i64>) {
        let from = self.intruder.iter().filter_map(|s| second(&s.from)).min();
        let to = self.intruder.iter().filter_map(|s| second(&s.to)).max();
        (from, to)
    }

    /// The name of an establishment, or its id.
    pub fn place_name<'b>(&'b self, id: &'b str) -> &'b str {
        self.options
            .establishments
            .get(id)
            .filter(|n| !n.is_empty())
            .map_or(id, String::as_str)
    }
}

/// System and name of an account, without its domain, case folded.
fn bare(account: &str) -> (&str, String) {
    let (system, name) = account.split_once(':').unwrap_or(("", account));
    let name = name.rsplit('\\').next().unwrap_or(name);
    (system, name.to_lowercase())
}

/// A sentence that holds, or whose contrary does.
pub fn is_established(s: &Statement) -> bool {
    s.holds || s.because.first().is_some_and(|b| b.starts_with("untrue"))
}

/// An address of no public network.
fn is_inside(address: &str) -> bool {
    address.parse().is_ok_and(ampleur_session::net::is_private)
}

/// UTC seconds of an RFC 3339 text.
pub fn second(text: &str) -> Option<i64> {
    words::instant(text).map(|t| t.as_second())
}

fn column(verdict: &str) -> Option<usize> {
    VERDICTS.iter().position(|v| *v == verdict)
}

fn rank(code: &str) -> (usize, &str) {
    (
        Category::from_code(code).map_or(usize::MAX, |c| c as usize),
        code,
    )
}

fn category_rows(cells: &[&Cell]) -> Vec<CategoryRow> {
    let mut rows: BTreeMap<(usize, &str), CategoryRow> = BTreeMap::new();
    for cell in cells {
        let Some(col) = column(&cell.verdict) else {
            continue;
        };
        if cell.subjects == Interval::ZERO {
            continue;
        }
        let row = rows
            .entry(rank(&cell.category))
            .or_insert_with(|| CategoryRow {
                code: cell.category.clone(),
                label: words::category(&cell.category),
                cells: [Interval::ZERO; 4],
                derived: false,
                special: Category::from_code(&cell.category).is_some_and(Category::special),
            });
        row.cells[col] = row.cells[col] + cell.subjects;
        row.derived |= !cell.derived_from.is_empty();
    }
    rows.into_values().collect()
}

impl CategoryRow {
    /// Persons for whom it is consulted or worse: the three `at_least`, and every `at_most` with the exposed.
    pub fn touched(&self) -> Interval {
        let low = self.cells[..3]
            .iter()
            .fold(0u64, |a, c| a.saturating_add(c.at_least));
        let high = self
            .cells
            .iter()
            .fold(0u64, |a, c| a.saturating_add(c.at_most));
        Interval::new(low, high.max(low))
    }
}

fn groups(
    rows: &[CategoryRow],
    places: &[Place],
    answer: &Answer,
    sureness: Sureness,
) -> Vec<Group> {
    let subjects = answer.extent.subjects;
    // Cells count a person once per establishment. At most this many of those counts are repeats of one person, so a category
    // summed over establishments stands for at least its sum less the repeats.
    let pairs = places
        .iter()
        .map(|p| p.subjects.at_least)
        .fold(0u64, u64::saturating_add);
    let repeats = pairs.saturating_sub(subjects.at_least);
    type Spec = (
        &'static str,
        (&'static str, &'static str),
        &'static [&'static str],
        &'static str,
    );
    const SPECS: [Spec; 8] = [
        (
            "identity",
            ("Identité", "Identity"),
            &[
                "ID.NAME",
                "ID.SEX",
                "ID.DOB",
                "ID.BIRTHPLACE",
                "ID.DEATH",
                "ID.CIVIL",
                "ID.PHOTO",
                "ID.LOCAL",
                "ID.DOC",
            ],
            "",
        ),
        (
            "nir",
            ("Numéro de sécurité sociale", "Social security number"),
            &["ID.NIR", "STAFF.NIR", "CONTACT.MSSANTE"],
            "no_nir",
        ),
        (
            "contact",
            ("Coordonnées", "Contact details"),
            &["CONTACT.", "STAFF.CONTACT", "KIN."],
            "no_contact_data",
        ),
        (
            "health",
            ("Données de santé", "Health data"),
            &["HEALTH.", "COVER.STATUS", "FREE."],
            "no_health_data",
        ),
        (
            "care",
            ("Venue à l’hôpital", "Visits to the hospital"),
            &["CARE."],
            "",
        ),
        (
            "rights",
            ("Droits et mutuelle", "Insurance rights"),
            &["COVER."],
            "no_rights_data",
        ),
        (
            "bank",
            ("Coordonnées bancaires", "Bank details"),
            &["FIN.BANK", "STAFF.BANK"],
            "no_bank_data",
        ),
        (
            "staff",
            ("Données du personnel", "Staff data"),
            &["STAFF.", "PRO."],
            "no_staff_data",
        ),
    ];
    let mut out = Vec::new();
    for (code, label, prefixes, statement) in SPECS {
        let mut low = 0u64;
        let mut high = 0u64;
        for r in rows {
            if prefixes.iter().any(|p| {
                if p.ends_with('.') {
                    r.code.starts_with(p)
                } else {
                    r.code == *p
                }
            }) {
                let t = r.touched();
                let alone = places
                    .iter()
                    .flat_map(|p| p.rows.iter().filter(|x| x.code == r.code))
                    .map(|x| x.touched().at_least)
                    .max()
                    .unwrap_or(0);
                low = low.max(t.at_least.saturating_sub(repeats)).max(alone);
                // A derived category is written where it is established; how far it could reach is told by the whole answer.
                high = high.max(if r.derived {
                    subjects.at_most
                } else {
                    t.at_most
                });
            }
        }
        high = high.min(subjects.at_most).max(low);
        let said = answer
            .statements
            .iter()
            .find(|s| s.code == statement && s.establishment.is_none());
        let standing = if low > 0 {
            Standing::Seen(Interval::new(low, high.max(low)))
        } else if said.is_some_and(|s| s.holds) {
            Standing::Excluded
        } else if high > 0 {
            Standing::Possible(high)
        } else if let Some(said) = said {
            let unlogged = (said.because.first()).is_some_and(|b| b.contains("no source tells"));
            if sureness == Sureness::NoIntrusion && unlogged {
                Standing::Unlogged
            } else {
                Standing::Untold
            }
        } else {
            continue;
        };
        out.push(Group {
            code,
            label: label.into(),
            standing,
        });
    }
    out
}

fn places(answer: &Answer, persons: &[PersonRow], options: &Options) -> Vec<Place> {
    let mut cells: BTreeMap<&str, Vec<&Cell>> = BTreeMap::new();
    for c in &answer.extent.cells {
        cells.entry(&c.establishment).or_default().push(c);
    }
    for s in &answer.statements {
        if let Some(e) = &s.establishment {
            cells.entry(e).or_default();
        }
    }
    for id in options.establishments.keys() {
        cells.entry(id).or_default();
    }
    let mut touched: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut rows_of: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for p in persons {
        if VERDICTS.contains(&p.verdict.as_str()) {
            named
                .entry(&p.establishment)
                .or_default()
                .insert(&p.subject);
            // One row per subject, establishment and category.
            *rows_of.entry((&p.establishment, &p.category)).or_default() += 1;
        }
        if VERDICTS[..3].contains(&p.verdict.as_str()) {
            touched
                .entry(&p.establishment)
                .or_default()
                .insert(&p.subject);
        }
    }
    let mut out: Vec<Place> = cells
        .into_iter()
        .map(|(id, cells)| {
            let rows = category_rows(&cells);
            let established = touched.get(id).map_or(0, |s| s.len() as u64);
            let low = rows
                .iter()
                .map(|r| r.touched().at_least)
                .max()
                .unwrap_or(0)
                .max(established);
            // Everybody named, and those a category counts without naming them. The unnamed of one group of people are taken to
            // be the same from category to category; patients and staff are not.
            let unnamed = |staff: bool| {
                rows.iter()
                    .filter(|r| {
                        Category::from_code(&r.code).is_some_and(Category::is_staff) == staff
                    })
                    .map(|r| {
                        let known = rows_of.get(&(id, r.code.as_str())).copied().unwrap_or(0);
                        r.touched().at_most.saturating_sub(known)
                    })
                    .max()
                    .unwrap_or(0)
            };
            let high = named
                .get(id)
                .map_or(0, |s| s.len() as u64)
                .saturating_add(unnamed(false))
                .saturating_add(unnamed(true))
                .min(answer.extent.subjects.at_most)
                .max(low);
            let (seen, possible): (Vec<&CategoryRow>, Vec<&CategoryRow>) =
                rows.iter().partition(|r| r.touched().at_least > 0);
            Place {
                id: id.to_string(),
                name: options
                    .establishments
                    .get(id)
                    .filter(|n| !n.is_empty())
                    .cloned()
                    .unwrap_or_else(|| id.to_string()),
                subjects: Interval::new(low, high),
                seen: seen.iter().map(|r| r.code.clone()).collect(),
                possible: possible.iter().map(|r| r.code.clone()).collect(),
                statements: answer
                    .statements
                    .iter()
                    .filter(|s| s.establishment.as_deref() == Some(id))
                    .cloned()
                    .collect(),
                rows,
            }
        })
        .collect();
    // When only one establishment is reached, its count is the whole count.
    let mut reached = out.iter_mut().filter(|p| p.subjects.at_most > 0);
    if let (Some(only), None) = (reached.next(), reached.next()) {
        only.subjects = answer.extent.subjects;
    }
    out.sort_by(|a, b| {
        (b.subjects.at_least, b.subjects.at_most)
            .cmp(&(a.subjects.at_least, a.subjects.at_most))
            .then_with(|| a.id.cmp(&b.id))
    });
    out
}

fn waves(intruder: &[&SessionRow], doubtful: &[&SessionRow]) -> Vec<Wave> {
    let shown = if intruder.is_empty() {
        doubtful
    } else {
        intruder
    };
    let mut spans: Vec<(i64, i64)> = shown
        .iter()
        .filter_map(|s| {
            let from = second(&s.from)?;
            Some((from, second(&s.to).unwrap_or(from).max(from)))
        })
        .collect();
    spans.sort_unstable();
    let (Some(first), Some(last)) = (spans.first(), spans.iter().map(|s| s.1).max()) else {
        return vec![];
    };
    let pause = wave_pause(last - first.0);
    let mut out: Vec<Wave> = Vec::new();
    for (from, to) in spans {
        match out.last_mut() {
            Some(w) if from - w.to < pause => {
                w.to = w.to.max(to);
                w.sessions += 1;
            }
            _ => out.push(Wave {
                from,
                to,
                sessions: 1,
            }),
        }
    }
    out
}
