//! Curiosity of employees: a separate matter, never part of the intrusion (law L9).
use crate::InternalAccess;
use ampleur_event::{Account, SessionVerdict, Verb, session::Judgement, time::DAY};
use ampleur_query::{Door, DoorError, Select};
use ampleur_session::{Sessions, profile::account_id};
use ampleur_sources::case::Case;
use std::collections::{BTreeMap, BTreeSet};

/// A record this many employees opened without any act is looked at.
const CROWD: usize = 10;
/// So many who share no other record with most of the others are no ward.
const STRANGERS: usize = 8;
/// Crowds below the bar that are looked at closely, largest first.
const LOOKED_AT: usize = 256;
/// A written act on the same record within this time is care.
const CARE: i64 = 30 * DAY;

#[derive(Default)]
struct Seen {
    /// Employee → (instants of reading, as the source names them).
    readers: BTreeMap<String, Reader>,
    /// Employee → instants of written acts.
    acts: BTreeMap<String, Vec<i64>>,
}

struct Reader {
    account: Account,
    times: Vec<i64>,
    exempt: bool,
}

pub(crate) fn curious(
    _case: &Case,
    s: &Sessions,
    door: &dyn Door,
    judgements: &[Judgement],
) -> Result<Vec<InternalAccess>, DoorError> {
    let mut by: BTreeMap<String, Seen> = BTreeMap::new();
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
    door.scan_columns(
        &Select {
            verbs,
            ..Select::default()
        },
        &columns,
        &mut |file, batch| {
            for e in batch.iter() {
                let mut subjects = e.subject_list();
                let (Some(subject), None) = (subjects.next(), subjects.next()) else {
                    continue;
                };
                let Some(account) = e.account().filter(|a| !a.is_machine()) else {
                    continue;
                };
                let Some(i) = s.of_event(file, &e) else {
                    continue;
                };
                if judgements[i as usize].verdict != SessionVerdict::Legitimate {
                    continue;
                }
                let who = s.list[i as usize]
                    .person
                    .map_or_else(|| account_id(&account), |p| format!("#{p}"));
                let seen = by.entry(subject.to_string()).or_default();
                if e.verb.writes() {
                    seen.acts.entry(who).or_default().push(e.time);
                } else {
                    let r = seen.readers.entry(who).or_insert_with(|| Reader {
                        account: account.clone(),
                        times: vec![],
                        exempt: false,
                    });
                    if r.times.len() < 256 {
                        r.times.push(e.time);
                    }
                    r.account = r.account.clone().min(account);
                    // Emergency access is logged as such and reviewed by its own rule.
                    r.exempt |= e.verb == Verb::BreakGlass;
                }
            }
        },
    )?;
    // What is ordinary: how many employees open one record within a week. The rumour's record stands far above.
    let crowds: BTreeMap<&String, BTreeSet<&String>> =
        by.iter().map(|(k, v)| (k, busiest_week(v))).collect();
    let mut sizes: Vec<usize> = crowds.values().map(BTreeSet::len).collect();
    sizes.sort_unstable();
    let usual = sizes
        .get(sizes.len().saturating_sub(1) * 99 / 100)
        .copied()
        .unwrap_or(0);
    let bar = CROWD.max(2 * usual);
    // In a small house everybody opens many records: there a crowd is told by its members having nothing else in common.
    let mut near: Vec<(&&String, &BTreeSet<&String>)> = crowds
        .iter()
        .filter(|(_, c)| c.len() >= STRANGERS && c.len() >= usual && c.len() < bar)
        .collect();
    near.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.0.cmp(b.0)));
    near.truncate(LOOKED_AT);
    let strangers = strangers(&by, &near);
    let mut found: BTreeMap<String, (Account, BTreeSet<&str>)> = BTreeMap::new();
    for (subject, crowd) in crowds
        .iter()
        .filter(|(s, c)| c.len() >= bar || strangers.contains(s.as_str()))
    {
        let Some(seen) = by.get(*subject) else {
            continue;
        };
        for who in crowd {
            let Some(r) = seen.readers.get(*who) else {
                continue;
            };
            let care = seen.acts.get(*who).is_some_and(|a| {
                a.iter()
                    .any(|t| r.times.iter().any(|x| (x - t).abs() <= CARE))
            });
            if !care && !r.exempt {
                found
                    .entry((*who).clone())
                    .or_insert_with(|| (r.account.clone(), BTreeSet::new()))
                    .1
                    .insert(subject);
            }
        }
    }
    let mut out: Vec<InternalAccess> = found
        .into_values()
        .map(|(account, subjects)| InternalAccess {
            account,
            subjects: subjects.len() as u64,
            code: "shared_curiosity",
            fr: "dossier ouvert par de nombreux agents, sans acte de celui-ci sur ce dossier"
                .into(),
            en: "record opened by many employees, with no act of this one on it".into(),
        })
        .collect();
    out.sort_by(|a, b| a.account.cmp(&b.account));
    Ok(out)
}

/// Records of `near` whose readers mostly are strangers to each other: two employees who opened several other records in common
/// belong together (a ward, a clinic, a task).
fn strangers<'a>(
    by: &BTreeMap<String, Seen>,
    near: &[(&&'a String, &BTreeSet<&String>)],
) -> BTreeSet<&'a str> {
    let people: BTreeSet<&String> = near.iter().flat_map(|(_, c)| c.iter().copied()).collect();
    let mut opened: BTreeMap<&String, BTreeSet<usize>> = BTreeMap::new();
    for (n, seen) in by.values().enumerate() {
        for who in seen.readers.keys().filter(|w| people.contains(w)) {
            opened.entry(who).or_default().insert(n);
        }
    }
    let together = |a: &String, b: &String| match (opened.get(a), opened.get(b)) {
        // The record itself is one in common; two more are a habit.
        (Some(x), Some(y)) => x.intersection(y).take(3).count() >= 3,
        _ => false,
    };
    let mut out = BTreeSet::new();
    for (subject, crowd) in near {
        let alone = crowd
            .iter()
            .filter(|a| {
                let with = crowd.iter().filter(|b| a != b && together(a, b)).count();
                with * 2 < crowd.len() - 1
            })
            .count();
        if alone >= STRANGERS && alone * 5 >= crowd.len() * 3 {
            out.insert(subject.as_str());
        }
    }
    out
}

/// The employees of the seven days in which most of them opened the record.
fn busiest_week(seen: &Seen) -> BTreeSet<&String> {
    let mut visits: Vec<(i64, &String)> = seen
        .readers
        .iter()
        .flat_map(|(who, r)| r.times.iter().map(move |t| (*t, who)))
        .collect();
    visits.sort_unstable();
    let mut best = BTreeSet::new();
    let mut inside: BTreeMap<&String, usize> = BTreeMap::new();
    let mut first = 0;
    for at in 0..visits.len() {
        *inside.entry(visits[at].1).or_default() += 1;
        while visits[at].0 - visits[first].0 > 7 * DAY {
            if let Some(n) = inside.get_mut(visits[first].1) {
                *n -= 1;
                if *n == 0 {
                    inside.remove(visits[first].1);
                }
            }
            first += 1;
        }
        if inside.len() > best.len() {
            best = inside.keys().copied().collect();
        }
    }
    best
}
