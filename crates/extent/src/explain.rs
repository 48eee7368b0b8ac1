//! Back from a figure to its records: every access behind a data subject, or behind a session (law L7).
use crate::{
    disclose::{Access, AccessKind, EvidenceRef, Touch},
    extent::Outcome,
};
use ampleur_event::{Verdict, time::rfc3339};
use std::collections::BTreeMap;

/// One access, told with its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// RFC 3339 UTC; empty when the access has no time (a published list).
    pub time: String,
    pub kind: &'static str,
    pub verdict: Verdict,
    /// A record names the person; else the answer was replayed or follows from what else is known.
    pub proven: bool,
    /// Session ids, sorted.
    pub sessions: Vec<String>,
    pub establishment: String,
    /// Data subject, as `persons.csv` names it.
    pub subject: String,
    /// Codes shown, in list order.
    pub shown: Vec<&'static str>,
    /// Codes that follow or were known before.
    pub derived: Vec<&'static str>,
    /// `path:record`.
    pub evidence: Vec<String>,
}

fn word(kind: AccessKind) -> &'static str {
    match kind {
        AccessKind::Read => "read",
        AccessKind::Search => "search",
        AccessKind::Export => "export",
        AccessKind::Statement => "statement",
        AccessKind::File => "file",
        AccessKind::ShareTheft => "share, by bytes only",
        AccessKind::ShareReach => "share, reachable and not logged",
        AccessKind::Leak => "published list",
    }
}

fn tell(o: &Outcome<'_>, t: &Touch) -> Told {
    let d = &o.disclosures;
    let a: &Access = &d.accesses[t.access as usize];
    let codes = |i: u16| d.sets[i as usize].iter().map(|c| c.code()).collect();
    Told {
        time: rfc3339(a.time),
        kind: word(a.kind),
        verdict: t.verdict,
        proven: a.proven && t.verdict.touched(),
        sessions: a.sessions.iter().map(|s| o.session_id(*s)).collect(),
        establishment: d.places.id(t.place).to_string(),
        subject: o.people.name(t.who, t.place, &d.places),
        shown: codes(t.shown),
        derived: codes(t.derived),
        evidence: a.evidence.iter().map(|e: &EvidenceRef| o.cite(e)).collect(),
    }
}

/// Every access that touched a data subject, in order of time. `subject` is any identifier of the person (`authority|value`,
/// `Patient/id`). `None` when nobody of that name is in the answer; an empty list never.
pub fn subject(o: &Outcome<'_>, subject: &str) -> Option<Vec<Told>> {
    let d = &o.disclosures;
    let base = o.people.base;
    let known = base
        .records_named(subject)
        .first()
        .map(|r| base.person_of(*r));
    let mut out: Vec<Told> = d
        .touches
        .iter()
        .filter(|t| match known {
            Some(p) => t.who == p,
            None => !o.people.is_known(t.who) && o.people.extra_name(t.who) == subject,
        })
        .map(|t| tell(o, t))
        .collect();
    out.sort_by(|a, b| {
        (&a.time, &a.evidence, &a.establishment).cmp(&(&b.time, &b.evidence, &b.establishment))
    });
    (!out.is_empty()).then_some(out)
}

/// Accesses of one session, in order of time, with the number of persons each established and the number it may have shown.
/// `None` when no session has the id.
pub fn session(o: &Outcome<'_>, id: &str) -> Option<Vec<(Told, u64, u64)>> {
    let s = o.session_index(id)?;
    let d = &o.disclosures;
    let mut by_access: BTreeMap<u32, (u64, u64, Touch)> = BTreeMap::new();
    for t in &d.touches {
        if d.accesses[t.access as usize].sessions.contains(&s) {
            let e = by_access.entry(t.access).or_insert((0, 0, *t));
            if t.verdict.touched() {
                e.0 += 1;
            } else {
                e.1 += 1;
            }
        }
    }
    let mut out: Vec<(Told, u64, u64)> = by_access
        .into_values()
        .map(|(sure, maybe, t)| {
            let mut told = tell(o, &t);
            if sure + maybe > 1 {
                told.subject = String::new();
            }
            (told, sure, maybe)
        })
        .collect();
    out.sort_by(|a, b| (&a.0.time, &a.0.evidence).cmp(&(&b.0.time, &b.0.evidence)));
    Some(out)
}
