//! Who was looked for by name (contract §A, §F): asked for by identifier, or by name and full birth date, among questions that
//! are otherwise lists, prefixes or ranges. Where every request can only name one person, only who was asked for again on three
//! days or under three accounts, or a canary.
use crate::{
    disclose::{Disclosures, Question},
    people::{PlaceId, Who},
};
use ampleur_event::{SessionVerdict, session::Judgement, time::DAY};
use ampleur_session::Sessions;
use std::collections::{BTreeMap, BTreeSet};

/// One person looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub who: Who,
    pub place: PlaceId,
    /// Sorted.
    pub sessions: Vec<u32>,
    /// Times of the questions, sorted.
    pub times: Vec<i64>,
}

/// Persons looked for by intruder sessions, sorted by person.
pub fn targeted(
    d: &Disclosures,
    sessions: &Sessions,
    judgements: &[Judgement],
    canaries: &BTreeSet<Who>,
) -> Vec<Target> {
    let intruder = |s: u32| {
        judgements
            .get(s as usize)
            .is_some_and(|j| j.verdict == SessionVerdict::Intruder)
    };
    // The habit of the outsider on one system decides what is unusual there.
    let mut groups: BTreeMap<(Option<&str>, u32), Vec<&Question>> = BTreeMap::new();
    for q in d.questions.iter().filter(|q| intruder(q.session)) {
        let label = judgements[q.session as usize].intrusion.as_deref();
        groups.entry((label, q.source)).or_default().push(q);
    }
    let mut found: BTreeMap<Who, Target> = BTreeMap::new();
    let mut add = |q: &Question, who: Who, place: PlaceId| {
        let t = found.entry(who).or_insert(Target {
            who,
            place,
            sessions: vec![],
            times: vec![],
        });
        t.sessions.push(q.session);
        t.times.push(q.time);
    };
    // Asked again: by person, over every group.
    let mut days: BTreeMap<Who, BTreeSet<i64>> = BTreeMap::new();
    let mut accounts: BTreeMap<Who, BTreeSet<String>> = BTreeMap::new();
    for q in groups.values().flatten() {
        if let Some((who, _)) = q.one {
            days.entry(who).or_default().insert(q.time.div_euclid(DAY));
            let s = &sessions.list[q.session as usize];
            let name = s
                .account
                .as_ref()
                .map_or_else(|| s.id.to_string(), |a| a.key());
            accounts.entry(who).or_default().insert(name);
        }
    }
    let again = |who: Who| {
        days.get(&who).is_some_and(|d| d.len() >= 3)
            || accounts.get(&who).is_some_and(|a| a.len() >= 3)
    };
    for list in groups.values() {
        let exact = list.iter().filter(|q| !q.broad).count();
        let broad = list.len() - exact;
        // Single questions stand out among lists; where they are the habit, they do not.
        let stands_out = broad > exact;
        for q in list {
            if let Some((who, place)) = q.one
                && (stands_out || again(who) || canaries.contains(&who))
            {
                add(q, who, place);
            }
        }
    }
    let mut out: Vec<Target> = found.into_values().collect();
    for t in &mut out {
        t.sessions.sort_unstable();
        t.sessions.dedup();
        t.times.sort_unstable();
        t.times.dedup();
    }
    out
}
