//! Curiosity of employees: a separate matter, never part of the intrusion (law L9).
use crate::InternalAccess;
use ampleur_event::{Account, SessionVerdict, Verb, session::Judgement, time::DAY};
use ampleur_query::{Door, DoorError, Select};
use ampleur_session::{
    Finder, Sessions, TextId, Texts,
    profile::{Rules, is_service},
    spread::{in_pieces, side_by_side},
};
use ampleur_sources::case::Case;
use rustc_hash::FxHashMap;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

/// A record this many employees opened without any act is looked at.
const CROWD: usize = 10;
/// So many who share no other record with most of the others are no ward.
const STRANGERS: usize = 8;
/// Crowds below the bar that are looked at closely, largest first.
const LOOKED_AT: usize = 256;
/// A written act on the same record within this time is care.
const CARE: i64 = 30 * DAY;
/// Readings of one record by one employee that are looked at, the first ones.
const READINGS: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Did {
    Read,
    /// Emergency access is logged as such and reviewed by its own rule.
    Exempt,
    Wrote,
}

/// One employee and one record.
#[derive(Debug, Clone, Copy)]
struct Visit {
    subject: TextId,
    /// Person (`#n`) or canonical account.
    who: TextId,
    time: i64,
    did: Did,
    /// Number of the account as the row names it.
    account: u32,
}

/// The visits to one record, by employee, in the order they were read.
struct Record<'v> {
    subject: TextId,
    visits: &'v [Visit],
    /// The employees of the seven days in which most of them opened it, ascending; left out when they are few.
    crowd: Vec<TextId>,
}

/// Who opened which record of one person.
pub(crate) struct Visits {
    texts: Texts,
    accounts: Vec<Account>,
    /// Canonical text of each account.
    canonical: Vec<TextId>,
    /// `who` is the number of the session here.
    list: Vec<Visit>,
    /// A name of a record → the one it stands beside in rows that name it twice; none when these differ.
    beside: FxHashMap<TextId, Option<TextId>>,
}

/// A server's own number of a record, not an identifier.
fn local(subject: &str) -> bool {
    subject.starts_with("Patient/")
}

/// The names of the one record a row is about, its identifier first: a server's own number beside identifiers names the same
/// record, and so do identifiers of different authorities. None when the row is about several or nobody.
fn names<'e>(subjects: impl Iterator<Item = &'e str>) -> Option<Vec<&'e str>> {
    let mut list: Vec<&str> = subjects.collect();
    list.sort_unstable_by_key(|s| (local(s), *s));
    list.dedup();
    let authority = |s: &'e str| s.rsplit_once('|').map_or(s, |x| x.0);
    let one = list.windows(2).all(|w| match (local(w[0]), local(w[1])) {
        (false, false) => authority(w[0]) != authority(w[1]),
        (false, true) => true,
        _ => false,
    });
    (one && !list.is_empty()).then_some(list)
}

impl Visits {
    /// Reads the rows that open records; programs and machines apart.
    pub(crate) fn read(case: &Case, s: &Sessions, door: &dyn Door) -> Result<Visits, DoorError> {
        let mut out = Visits {
            texts: Texts::default(),
            accounts: vec![],
            canonical: vec![],
            list: vec![],
            beside: FxHashMap::default(),
        };
        let verbs = vec![
            Verb::Read,
            Verb::Create,
            Verb::Update,
            Verb::Delete,
            Verb::Export,
            Verb::Print,
            Verb::BreakGlass,
        ];
        let mut columns = ampleur_session::KEY_COLUMNS.to_vec();
        columns.push("subjects");
        let mut finder = Finder::new(s);
        let rules = Rules::new(&case.context);
        // Account → its number; none for programs: one that reads every record is nobody's curiosity.
        let mut number: FxHashMap<Account, Option<u32>> = FxHashMap::default();
        door.scan_columns(
            &Select {
                verbs,
                ..Select::default()
            },
            &columns,
            &mut |file, batch| {
                for e in batch.iter() {
                    let Some(names) = names(e.subject_list()) else {
                        continue;
                    };
                    let Some((session, Some(named))) = finder.of_event(file, &e) else {
                        continue;
                    };
                    let account = match number.get(&named.account) {
                        Some(known) => *known,
                        None => {
                            let a = &named.account;
                            let n = (!a.is_machine() && !is_service(case, &rules, a)).then(|| {
                                out.accounts.push(a.clone());
                                out.canonical.push(out.texts.put(&named.canonical));
                                out.accounts.len() as u32 - 1
                            });
                            number.insert(a.clone(), n);
                            n
                        }
                    };
                    let Some(account) = account else {
                        continue;
                    };
                    let subject = out.texts.put(names[0]);
                    for other in &names[1..] {
                        let other = out.texts.put(other);
                        let known = out.beside.entry(other).or_insert(Some(subject));
                        *known = known.filter(|k| *k == subject);
                    }
                    out.list.push(Visit {
                        subject,
                        who: session,
                        time: e.time,
                        did: match e.verb {
                            v if v.writes() => Did::Wrote,
                            Verb::BreakGlass => Did::Exempt,
                            _ => Did::Read,
                        },
                        account,
                    });
                }
            },
        )?;
        Ok(out)
    }

    /// Employees whose lawful visits look personal.
    pub(crate) fn curious(
        self,
        threads: usize,
        s: &Sessions,
        judgements: &[Judgement],
    ) -> Vec<InternalAccess> {
        let Visits {
            mut texts,
            accounts,
            canonical,
            list: mut visits,
            beside,
        } = self;
        for v in &mut visits {
            // A number, an identifier, the first of them: two steps.
            for _ in 0..2 {
                if let Some(Some(first)) = beside.get(&v.subject) {
                    v.subject = *first;
                }
            }
        }
        let mut persons: FxHashMap<u32, TextId> = FxHashMap::default();
        visits.retain_mut(|v| {
            let session = v.who as usize;
            v.who = match s.list[session].person {
                Some(p) => *persons
                    .entry(p)
                    .or_insert_with(|| texts.put(&format!("#{p}"))),
                None => canonical[v.account as usize],
            };
            judgements[session].verdict == SessionVerdict::Legitimate
        });
        crowds(threads, &texts, &accounts, visits)
    }
}

fn crowds(
    threads: usize,
    texts: &Texts,
    accounts: &[Account],
    mut visits: Vec<Visit>,
) -> Vec<InternalAccess> {
    visits.sort_by_key(|v| (v.subject, v.who));
    // What is ordinary: how many employees open one record within a week. The rumour's record stands far above.
    let all: Vec<&[Visit]> = visits.chunk_by(|a, b| a.subject == b.subject).collect();
    let crowds = in_pieces(threads, all.len(), &|piece| {
        let mut inside = FxHashMap::default();
        piece
            .map(|i| busiest_week(all[i], &mut inside))
            .collect::<Vec<Crowd>>()
    });
    let mut sizes: Vec<usize> = crowds.iter().map(|c| c.size).collect();
    let records: Vec<Record<'_>> = all
        .into_iter()
        .zip(crowds)
        .filter(|(_, crowd)| crowd.size >= STRANGERS)
        .map(|(visits, crowd)| Record {
            subject: visits[0].subject,
            visits,
            crowd: crowd.members,
        })
        .collect();
    sizes.sort_unstable();
    let usual = sizes
        .get(sizes.len().saturating_sub(1) * 99 / 100)
        .copied()
        .unwrap_or(0);
    let bar = CROWD.max(2 * usual);
    // In a small house everybody opens many records: there a crowd is told by its members having nothing else in common.
    let mut near: Vec<&Record<'_>> = records
        .iter()
        .filter(|r| r.crowd.len() >= usual && r.crowd.len() < bar)
        .collect();
    near.sort_by_key(|r| (std::cmp::Reverse(r.crowd.len()), texts.get(r.subject)));
    near.truncate(LOOKED_AT);
    let strangers = strangers(threads, &visits, &near);
    let mut found: BTreeMap<&str, (&Account, u64)> = BTreeMap::new();
    for r in records
        .iter()
        .filter(|r| r.crowd.len() >= bar || strangers.contains(&r.subject))
    {
        for visits in r.visits.chunk_by(|a, b| a.who == b.who) {
            let who = visits[0].who;
            if r.crowd.binary_search(&who).is_err() {
                continue;
            }
            let times: Vec<i64> = readings(visits).map(|v| v.time).collect();
            let care = visits
                .iter()
                .filter(|a| a.did == Did::Wrote)
                .any(|a| times.iter().any(|x| (x - a.time).abs() <= CARE));
            let exempt = visits.iter().any(|v| v.did == Did::Exempt);
            // One spelling for all orders: the smallest.
            let spelled = visits
                .iter()
                .filter(|v| v.did != Did::Wrote)
                .map(|v| &accounts[v.account as usize])
                .min();
            if let (false, false, Some(account)) = (care, exempt, spelled) {
                found.entry(texts.get(who)).or_insert((account, 0)).1 += 1;
            }
        }
    }
    let mut out: Vec<InternalAccess> = found
        .into_values()
        .map(|(account, subjects)| InternalAccess {
            account: account.clone(),
            subjects,
            code: "shared_curiosity",
            fr: "dossier ouvert par de nombreux agents, sans acte de celui-ci sur ce dossier"
                .into(),
            en: "record opened by many employees, with no act of this one on it".into(),
        })
        .collect();
    out.sort_by(|a, b| a.account.cmp(&b.account));
    out
}

/// The readings of one employee that are looked at.
fn readings(visits: &[Visit]) -> impl Iterator<Item = &Visit> {
    visits.iter().filter(|v| v.did != Did::Wrote).take(READINGS)
}

/// Records of `near` whose readers mostly are strangers to each other: two employees who opened several other records in common
/// belong together (a ward, a clinic, a task).
fn strangers(threads: usize, visits: &[Visit], near: &[&Record<'_>]) -> BTreeSet<TextId> {
    let people: BTreeSet<TextId> = near.iter().flat_map(|r| r.crowd.iter().copied()).collect();
    // What each of them opened, ascending: the visits are in order of the records.
    let mut opened: FxHashMap<TextId, Vec<TextId>> = FxHashMap::default();
    if !people.is_empty() {
        for v in visits.iter().filter(|v| v.did != Did::Wrote) {
            if people.contains(&v.who) {
                let list = opened.entry(v.who).or_default();
                if list.last() != Some(&v.subject) {
                    list.push(v.subject);
                }
            }
        }
    }
    let none = vec![];
    let of = |who: &TextId| opened.get(who).unwrap_or(&none);
    let found = side_by_side(threads, near.to_vec(), &|r: &Record<'_>| {
        let crowd = &r.crowd;
        let mut with = vec![0; crowd.len()];
        for i in 0..crowd.len() {
            for j in 0..i {
                // The record itself is one in common; two more are a habit.
                if common(of(&crowd[i]), of(&crowd[j]), 3) {
                    with[i] += 1;
                    with[j] += 1;
                }
            }
        }
        let alone = with.iter().filter(|n| *n * 2 < crowd.len() - 1).count();
        let rumour = alone >= STRANGERS && alone * 5 >= crowd.len() * 3;
        rumour.then_some(r.subject).into_iter().collect()
    });
    found.into_iter().collect()
}

/// True when two ascending lists have at least `n` members in common.
fn common(a: &[TextId], b: &[TextId], n: usize) -> bool {
    let (mut i, mut j, mut found) = (0, 0, 0);
    while found < n && i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            Ordering::Less => i += 1,
            Ordering::Greater => j += 1,
            Ordering::Equal => {
                found += 1;
                i += 1;
                j += 1;
            }
        }
    }
    found >= n
}

/// The employees of the seven days in which most of them opened a record.
struct Crowd {
    size: usize,
    /// Ascending; left out when they are few.
    members: Vec<TextId>,
}

/// `inside` is room to count in.
fn busiest_week(visits: &[Visit], inside: &mut FxHashMap<TextId, usize>) -> Crowd {
    let mut seen: Vec<(i64, TextId)> = visits
        .chunk_by(|a, b| a.who == b.who)
        .flat_map(readings)
        .map(|v| (v.time, v.who))
        .collect();
    seen.sort_unstable();
    inside.clear();
    let (mut size, mut week) = (0, 0..0);
    let mut first = 0;
    for at in 0..seen.len() {
        *inside.entry(seen[at].1).or_default() += 1;
        while seen[at].0 - seen[first].0 > 7 * DAY {
            if let Some(n) = inside.get_mut(&seen[first].1) {
                *n -= 1;
                if *n == 0 {
                    inside.remove(&seen[first].1);
                }
            }
            first += 1;
        }
        if inside.len() > size {
            (size, week) = (inside.len(), first..at + 1);
        }
    }
    let mut members = vec![];
    if size >= STRANGERS {
        members.extend(seen[week].iter().map(|s| s.1));
        members.sort_unstable();
        members.dedup();
    }
    Crowd { size, members }
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_number_beside_an_identifier_is_the_same_record() {
        let of = |list: &'static [&'static str]| names(list.iter().copied());
        assert_eq!(
            of(&["Patient/7", "urn:oid:1.2|42"]),
            Some(vec!["urn:oid:1.2|42", "Patient/7"])
        );
        assert_eq!(of(&["Patient/7"]), Some(vec!["Patient/7"]));
        assert_eq!(
            of(&["urn:oid:1.3|9", "urn:oid:1.2|42"]),
            Some(vec!["urn:oid:1.2|42", "urn:oid:1.3|9"])
        );
        assert_eq!(of(&["urn:oid:1.2|42", "urn:oid:1.2|43"]), None);
        assert_eq!(of(&["Patient/7", "Patient/8"]), None);
        assert_eq!(of(&[]), None);
    }
}
