//! Sessions → intruder, doubtful or legitimate, each with reasons. Floor 5.
//!
//! [`judge`] is a transparent sum of log-likelihood ratios, a pivot to a fixed point over what bad sessions share, and the
//! analyst's own word over both. Cardinal rule: no innocent is accused; what stays in doubt is `doubtful`.

mod contain;
pub mod habit;
mod internal;
pub mod live;
mod pivot;
mod places;
mod score;
pub mod signs;
mod units;

use crate::{habit::Habits, internal::Visits};
use ampleur_event::{
    Account, SessionVerdict, Window,
    session::{Judgement, Reason},
};
use ampleur_query::{Door, DoorError};
use ampleur_session::{
    Sessions,
    net::Net,
    profile::{Rules, account_id},
    spread::{beside, in_pieces},
};
use ampleur_sources::case::Case;
use rustc_hash::FxHashMap;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What the analyst says (`--account`, `--origin`, `--session`, `--from`, `--to`, `--not`; `ampleur extent`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Word {
    /// `system:name` texts: their sessions are the intruder's (inside `window` if given).
    pub accounts: Vec<String>,
    /// Addresses or networks in CIDR notation.
    pub origins: Vec<String>,
    /// Session ids.
    pub sessions: Vec<String>,
    /// Only sessions that overlap `[from, to)` are concerned by `accounts` and `origins`.
    pub window: Option<Window>,
    /// Accounts, addresses, networks or session ids that are certainly not the intruder's; wins over all others.
    pub not: Vec<String>,
    /// Nothing but this word is asked: what was named and what was opened from it, without a detector's opinion of the rest.
    pub alone: bool,
    /// Links that are none: (session that opened, session opened).
    pub apart: Vec<(String, String)>,
    /// Session id, account, address or network as written above → why the analyst says so. Shown with the session.
    pub because: BTreeMap<String, String>,
}

impl Word {
    /// True for what [`Word::origins`] may hold: an address, or a network in CIDR notation.
    pub fn is_origin(text: &str) -> bool {
        Net::parse(text).is_some()
    }
}

/// Verdict of one account over its sessions.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountJudged {
    pub account: Account,
    /// professional | staff | vendor | service | admin | generic; empty when unknown.
    pub kind: String,
    /// Index in `Context::persons`.
    pub person: Option<u32>,
    /// `Intruder` = usurped, `Doubtful`, `Legitimate` = clean.
    pub verdict: SessionVerdict,
    pub intruder: u64,
    pub doubtful: u64,
    pub legitimate: u64,
}

/// What to do, contract §A `containment`. Each list sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Containment {
    pub cut: Vec<String>,
    pub rotate: Vec<String>,
    pub keep: Vec<String>,
}

/// An employee whose accesses look personal; never part of the intrusion (law L9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalAccess {
    pub account: Account,
    /// Distinct persons whose record was opened without visible reason.
    pub subjects: u64,
    /// Stable code: `shared_curiosity`, `own_family`, `colleague`.
    pub code: &'static str,
    pub fr: String,
    pub en: String,
}

/// Everything [`judge`] says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judged {
    /// Parallel to `Sessions::list`.
    pub judgements: Vec<Judgement>,
    /// Sorted by account.
    pub accounts: Vec<AccountJudged>,
    pub containment: Containment,
    /// Sorted by account.
    pub internal: Vec<InternalAccess>,
    /// How the lawful accounts were used here: to be joined to what is remembered.
    pub habits: Habits,
}

/// Judges every session. `past` is what earlier runs remember (may be empty); the door is used only for the accesses of
/// employees (`internal`).
///
/// Errors: the door cannot read.
pub fn judge(
    case: &Case,
    sessions: &Sessions,
    past: &Habits,
    door: &dyn Door,
    word: &Word,
) -> Result<Judged, DoorError> {
    judge_on(1, case, sessions, past, door, word)
}

/// [`judge`] on this many threads: the same bytes on any number of them.
///
/// # Errors
/// The door cannot read.
pub fn judge_on(
    threads: usize,
    case: &Case,
    sessions: &Sessions,
    past: &Habits,
    door: &dyn Door,
    word: &Word,
) -> Result<Judged, DoorError> {
    let attribute = || attribute_on(threads, case, sessions, past, word);
    if word.alone {
        return Ok(attribute());
    }
    let read = || Visits::read(case, sessions, door);
    // Who opened which record does not depend on who is who.
    let (mut judged, visits) = beside(threads, attribute, read);
    let visits = visits?;
    judged.internal = visits.curious(threads, sessions, &judged.judgements);
    let mut lent = contain::lent(sessions, door, &judged.judgements)?;
    // The word of who investigates wins here too.
    let cleared: BTreeSet<String> = (word.not.iter())
        .map(|n| account_id(&Account::parse(n)))
        .collect();
    lent.retain(|a| !cleared.contains(&account_id(a)));
    if !lent.is_empty() {
        judged.usurp(case, lent);
        let rules = Rules::new(&case.context);
        judged.containment =
            contain::contain(case, sessions, &rules, &judged.judgements, &judged.accounts);
    }
    Ok(judged)
}

impl Judged {
    /// Accounts that are known to be in the intruder's hands though no session of theirs shows it.
    fn usurp(&mut self, case: &Case, lent: BTreeSet<Account>) {
        for account in lent {
            let id = account_id(&account);
            if let Some(a) = (self.accounts.iter_mut()).find(|a| account_id(&a.account) == id) {
                a.verdict = SessionVerdict::Intruder;
                continue;
            }
            let mut new = AccountJudged {
                account,
                kind: String::new(),
                person: None,
                verdict: SessionVerdict::Intruder,
                intruder: 0,
                doubtful: 0,
                legitimate: 0,
            };
            new.kind = kind_of(case, &id, &new);
            self.accounts.push(new);
        }
        self.accounts.sort_by(|a, b| a.account.cmp(&b.account));
    }
}

/// [`judge`] from sessions alone: everything but `internal`.
pub fn attribute(case: &Case, sessions: &Sessions, past: &Habits, word: &Word) -> Judged {
    attribute_on(1, case, sessions, past, word)
}

/// [`attribute`] on this many threads: the same bytes on any number of them.
pub fn attribute_on(
    threads: usize,
    case: &Case,
    sessions: &Sessions,
    past: &Habits,
    word: &Word,
) -> Judged {
    let threads = threads.clamp(1, 64);
    let rules = Rules::new(&case.context);
    let units = units::Units::new(threads, case, sessions, &rules, past, &word.apart);
    let model = score::Model::new(threads, case, sessions, &rules, &units, past);
    let spoken = spoken(sessions, word);
    let said: pivot::Said = units
        .list
        .iter()
        .map(|u| {
            let words: Vec<bool> = u
                .members
                .iter()
                .filter_map(|m| spoken[*m as usize].as_ref().map(|s| s.bad))
                .collect();
            match (words.contains(&false), words.contains(&true)) {
                (true, _) => Some(false),
                (_, true) => Some(true),
                _ => None,
            }
        })
        .collect();
    let outcome = if word.alone {
        pivot::follow(&model, &said)
    } else {
        pivot::run(threads, &model, &said)
    };
    let labels = pivot::label(&model, &outcome.verdicts);
    // Said where it is not certain, and where somebody known is at a place nobody knows.
    let unseen: Vec<Option<(Arc<str>, Arc<str>)>> =
        in_pieces(threads, units.list.len(), &|piece| {
            piece
                .map(|u| {
                    let open = match outcome.verdicts[u] {
                        SessionVerdict::Doubtful => true,
                        SessionVerdict::Legitimate => {
                            model.trust[u] == score::Trust::None
                                && outcome.sums.of(u).alarms()
                                && units.list[u].parents.is_empty()
                        }
                        SessionVerdict::Intruder => false,
                    };
                    let judged = !model.mute(u) || outcome.verdicts[u] == SessionVerdict::Doubtful;
                    (open && !word.alone && judged)
                        .then(|| model.unseen(u))
                        .flatten()
                })
                .collect()
        });
    let pivot::Outcome {
        verdicts,
        sums,
        through,
    } = outcome;
    let totals: Vec<f32> = (0..units.list.len()).map(|u| sums.of(u).total()).collect();
    // Most sessions have the reasons of their unit and no others.
    let of_unit: Vec<Arc<[Reason]>> = sums
        .into_lists()
        .map(|l| heaviest_first(l).into())
        .collect();
    let judgement = |i: usize| {
        let u = units.of[i];
        let said = spoken[i].as_ref();
        let verdict = match said.map(|s| s.bad) {
            Some(false) => SessionVerdict::Legitimate,
            Some(true) => SessionVerdict::Intruder,
            None => verdicts[u],
        };
        let mut more: Vec<Reason> = vec![];
        let mut score = totals[u];
        match said {
            Some(s) => more.push(said_reason(s)),
            None => {
                if let Some(p) = through[u] {
                    let outer = &units.list[p];
                    let from = outer.account.as_ref().map_or_else(
                        || outer.address.map_or_else(String::new, |a| a.to_string()),
                        |a| a.to_string(),
                    );
                    let weight = totals[p] - score;
                    more.push(Reason {
                        code: "reached_through",
                        fr: format!("ouverte depuis une session de {from} jugée de même").into(),
                        en: format!("opened from a session of {from} judged alike").into(),
                        weight,
                    });
                    score += weight.max(0.0);
                }
            }
        }
        if sessions.ambiguous.binary_search(&(i as u32)).is_ok() {
            more.push(Reason {
                code: "two_possible_paths",
                fr: "deux sessions ont pu l'ouvrir, rien ne les départage".into(),
                en: "two sessions could have opened it and nothing tells them apart".into(),
                weight: 0.0,
            });
        }
        if units.list[u].refused && said.is_none() && score >= score::INTRUDER {
            let weight = score::INTRUDER - 0.5 - score;
            more.push(Reason {
                code: "only_refused",
                fr: "n'a essuyé que des refus : personne n'est entré par là".into(),
                en: "was only refused: nobody got in by this".into(),
                weight,
            });
            score += weight;
        }
        if let (Some((fr, en)), None) = (&unseen[u], said) {
            more.push(Reason {
                code: "would_tell",
                fr: fr.clone(),
                en: en.clone(),
                weight: 0.0,
            });
        }
        let reasons = if more.is_empty() {
            of_unit[u].clone()
        } else {
            more.extend_from_slice(&of_unit[u]);
            heaviest_first(more).into()
        };
        Judgement {
            verdict,
            score,
            reasons,
            chain: sessions.chains[i].clone(),
            intrusion: if verdict == SessionVerdict::Legitimate {
                None
            } else {
                labels[u].clone().or_else(|| Some("1".into()))
            },
        }
    };
    let judgements = in_pieces(threads, sessions.list.len(), &|piece| {
        piece.map(judgement).collect()
    });
    let ((accounts, containment), habits) = beside(
        threads,
        || {
            let accounts = accounts(case, sessions, &judgements);
            let contained = contain::contain(case, sessions, &rules, &judgements, &accounts);
            (accounts, contained)
        },
        // What may be the intruder's is never anybody's habit.
        || model.habits(threads, &|u| verdicts[u] == SessionVerdict::Legitimate),
    );
    Judged {
        judgements,
        accounts,
        containment,
        internal: vec![],
        habits,
    }
}

fn heaviest_first(mut reasons: Vec<Reason>) -> Vec<Reason> {
    reasons.sort_by(|a, b| {
        b.weight
            .abs()
            .total_cmp(&a.weight.abs())
            .then_with(|| a.code.cmp(b.code))
    });
    reasons
}

/// What the analyst said of one session, and why.
struct Spoken {
    bad: bool,
    because: Option<String>,
}

fn said_reason(s: &Spoken) -> Reason {
    let why = |what: &str, colon: &str| match &s.because {
        Some(b) => format!("{what}{colon}{b}").into(),
        None => what.into(),
    };
    if s.bad {
        Reason {
            code: "analyst",
            fr: why("l'analyste l'attribue à l'intrus", " : "),
            en: why("the analyst attributes it to the intruder", ": "),
            weight: 20.0,
        }
    } else {
        Reason {
            code: "analyst_not",
            fr: why("l'analyste l'écarte", " : "),
            en: why("the analyst rules it out", ": "),
            weight: -20.0,
        }
    }
}

/// What the analyst said of each session.
fn spoken(s: &Sessions, word: &Word) -> Vec<Option<Spoken>> {
    let ids = |list: &[String]| -> BTreeMap<String, String> {
        list.iter()
            .map(|a| (account_id(&Account::parse(a)), a.clone()))
            .collect()
    };
    let nets = |list: &[String]| -> Vec<(Net, String)> {
        list.iter()
            .filter_map(|n| Some((Net::parse(n)?, n.clone())))
            .collect()
    };
    let sessions = |list: &[String]| -> BTreeSet<String> { list.iter().cloned().collect() };
    let (bad_accounts, bad_nets, bad_ids) = (
        ids(&word.accounts),
        nets(&word.origins),
        sessions(&word.sessions),
    );
    let (not_accounts, not_nets, not_ids) = (ids(&word.not), nets(&word.not), sessions(&word.not));
    let spoken = |bad: bool, by: &str| {
        Some(Spoken {
            bad,
            because: word.because.get(by).cloned(),
        })
    };
    if not_accounts.is_empty()
        && not_nets.is_empty()
        && not_ids.is_empty()
        && bad_accounts.is_empty()
        && bad_nets.is_empty()
        && bad_ids.is_empty()
    {
        return s.list.iter().map(|_| None).collect();
    }
    s.list
        .iter()
        .map(|x| {
            let id = x.account.as_deref().map(account_id).unwrap_or_default();
            let in_net = |n: &[(Net, String)]| {
                let a = x.origin.address?;
                n.iter().find(|n| n.0.contains(a)).map(|n| n.1.clone())
            };
            if not_ids.contains(&*x.id) {
                return spoken(false, &x.id);
            }
            if let Some(by) = not_accounts.get(&id).cloned().or_else(|| in_net(&not_nets)) {
                return spoken(false, &by);
            }
            if bad_ids.contains(&*x.id) {
                return spoken(true, &x.id);
            }
            if word.window.is_some_and(|w| x.from >= w.to || x.to < w.from) {
                return None;
            }
            let by = bad_accounts
                .get(&id)
                .cloned()
                .or_else(|| in_net(&bad_nets))?;
            spoken(true, &by)
        })
        .collect()
}

fn accounts(case: &Case, s: &Sessions, judgements: &[Judgement]) -> Vec<AccountJudged> {
    let mut list: Vec<(String, AccountJudged)> = vec![];
    let mut spelled: FxHashMap<&Account, usize> = FxHashMap::default();
    let mut ids: FxHashMap<String, usize> = FxHashMap::default();
    // Verdicts that uses of each account have.
    let mut used: Vec<[bool; 3]> = vec![];
    for (x, j) in s.list.iter().zip(judgements) {
        let Some(a) = x.account.as_deref() else {
            continue;
        };
        let at = *spelled.entry(a).or_insert_with(|| {
            let id = account_id(a);
            *ids.entry(id.clone()).or_insert_with(|| {
                let e = AccountJudged {
                    account: a.clone(),
                    kind: String::new(),
                    person: x.person,
                    verdict: SessionVerdict::Legitimate,
                    intruder: 0,
                    doubtful: 0,
                    legitimate: 0,
                };
                list.push((id, e));
                used.push([false; 3]);
                list.len() - 1
            })
        });
        let e = &mut list[at].1;
        // The fullest spelling names the account: with its domain rather than bare.
        if (a.name.contains('\\'), std::cmp::Reverse(a))
            > (e.account.name.contains('\\'), std::cmp::Reverse(&e.account))
        {
            e.account = a.clone();
        }
        e.person = e.person.or(x.person);
        match j.verdict {
            SessionVerdict::Intruder => e.intruder += 1,
            SessionVerdict::Doubtful => e.doubtful += 1,
            SessionVerdict::Legitimate => e.legitimate += 1,
        }
        // A name that is tried and refused is nobody's use of the account.
        if !x.only_refused() {
            used[at][j.verdict as usize] = true;
        }
    }
    for ((id, e), used) in list.iter_mut().zip(used) {
        let [lawful, doubtful, intruder] = used;
        e.verdict = match (intruder, doubtful && !lawful) {
            (true, _) => SessionVerdict::Intruder,
            (_, true) => SessionVerdict::Doubtful,
            _ => SessionVerdict::Legitimate,
        };
        e.kind = kind_of(case, id, e);
    }
    let mut out: Vec<AccountJudged> = list.into_iter().map(|(_, e)| e).collect();
    out.sort_by(|a, b| a.account.cmp(&b.account));
    out
}

fn kind_of(case: &Case, id: &str, e: &AccountJudged) -> String {
    if let Some(k) = case
        .context
        .accounts
        .iter()
        .find(|a| account_id(&Account::parse(&a.name)) == *id)
        .and_then(|a| a.kind.clone())
    {
        return k;
    }
    let c = &case.context;
    if e.account.is_machine()
        || c.jobs
            .iter()
            .any(|j| account_id(&Account::parse(&j.account)) == *id)
    {
        return "service".into();
    }
    match (e.account.system, e.person) {
        (ampleur_event::System::Rpps, _) => "professional".into(),
        (_, Some(p)) => {
            let rpps = c
                .persons
                .get(p as usize)
                .is_some_and(|p| p.accounts.iter().any(|a| a.starts_with("rpps:")));
            if rpps {
                "professional".into()
            } else {
                "staff".into()
            }
        }
        _ => String::new(),
    }
}
