//! What the intruder changed, as rows of the answer.
use crate::{
    disclose::{Disclosures, EvidenceRef},
    model::Write,
    people::People,
};

/// Changes to data of persons by intruder sessions, sorted; equal changes seen twice are one row with both records.
pub fn writes(
    d: &Disclosures,
    people: &People<'_>,
    cite: &dyn Fn(&EvidenceRef) -> String,
) -> Vec<Write> {
    let mut out: Vec<Write> = vec![];
    for c in d.changes.iter().filter(|c| !c.doubtful) {
        for (who, place) in &c.who {
            out.push(Write {
                subject: people.name(*who, *place, &d.places),
                field: c.field.clone(),
                before: c.before.clone(),
                after: c.after.clone(),
                evidence: c.evidence.iter().map(cite).collect(),
            });
        }
    }
    out.sort_by(|a, b| {
        (&a.subject, &a.field, &a.before, &a.after, &a.evidence).cmp(&(
            &b.subject,
            &b.field,
            &b.before,
            &b.after,
            &b.evidence,
        ))
    });
    out.dedup_by(|b, a| {
        let same = a.subject == b.subject
            && a.field == b.field
            && a.before == b.before
            && a.after == b.after;
        if same {
            a.evidence.append(&mut b.evidence);
            a.evidence.sort();
            a.evidence.dedup();
        }
        same
    });
    out
}

/// Fields, records and files changed: by intruder sessions, and by doubtful ones.
pub fn tally(d: &Disclosures) -> (u64, u64) {
    let sure = d.changes.iter().filter(|c| !c.doubtful).count() as u64;
    let maybe = d.changes.len() as u64 - sure;
    (sure + d.other_writes, maybe + d.possible_writes)
}
