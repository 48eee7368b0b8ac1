//! Curiosity of employees: a separate matter, never part of the intrusion (law L9).
use crate::InternalAccess;
use ampleur_event::{Account, SessionVerdict, Verb, session::Judgement, time::DAY};
use ampleur_query::{Door, DoorError, Select};
use ampleur_session::{Sessions, profile::account_id};
use ampleur_sources::case::Case;
use std::collections::{BTreeMap, BTreeSet};

/// A record this many employees opened without any act is looked at.
const CROWD: usize = 12;
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
    door.scan(
        &Select {
            verbs,
            ..Select::default()
        },
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
    // What is ordinary: how many employees open one record.
    let mut sizes: Vec<usize> = by.values().map(|v| v.readers.len()).collect();
    sizes.sort_unstable();
    let usual = if sizes.is_empty() {
        0
    } else {
        sizes[(sizes.len() - 1) * 9 / 10]
    };
    let bar = CROWD.max(3 * usual);
    let mut found: BTreeMap<String, (Account, BTreeSet<&str>)> = BTreeMap::new();
    for (subject, seen) in by.iter().filter(|(_, v)| v.readers.len() >= bar) {
        for (who, r) in &seen.readers {
            let care = seen.acts.get(who).is_some_and(|a| {
                a.iter()
                    .any(|t| r.times.iter().any(|x| (x - t).abs() <= CARE))
            });
            if !care && !r.exempt {
                found
                    .entry(who.clone())
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
