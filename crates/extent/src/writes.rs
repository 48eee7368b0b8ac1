//! What the intruder changed, as rows of the answer; which requests change something.
use crate::{
    disclose::{Disclosures, EvidenceRef},
    model::Write,
    people::People,
    replay::fhir,
    undescribed,
};

/// Operations of FHIR (R4, and the profiles of IHE) that change nothing; whoever calls another one may have changed something.
const READING: &[&str] = &[
    "$match",
    "$everything",
    "$export",
    "$lookup",
    "$validate",
    "$validate-code",
    "$expand",
    "$translate",
    "$subsumes",
    "$closure",
    "$find-matches",
    "$summary",
    "$lastn",
    "$stats",
    "$meta",
    "$diff",
    "$graph",
    "$graphql",
    "$docref",
    "$ihe-pix",
    "$evaluate-measure",
    "$versions",
    "$conforms",
    "$implements",
];
/// Words of addresses that are asked by POST because the question is long, and beginnings of such words.
const SEARCHING: &[&str] = &[
    "find", "query", "queries", "list", "lists", "listing", "liste", "listes", "print", "count",
];
const SEARCHES: &[&str] = &[
    "search", "recherch", "lookup", "filter", "filtr", "export", "imprim",
];

/// True when a word of an address says that something is looked for; `searchPatients` is two words.
fn searches(path: &str) -> bool {
    let mut word = String::new();
    let mut lower = false;
    let says = |w: &str| SEARCHING.contains(&w) || SEARCHES.iter().any(|s| w.starts_with(s));
    for c in path.chars().chain(['/']) {
        if !c.is_alphanumeric() || c.is_uppercase() && lower {
            if says(&word) {
                return true;
            }
            word.clear();
        }
        lower = c.is_lowercase();
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
    }
    false
}

/// Whether a request that was answered with success (`status`; [`NONE`]: nobody knows) changed something: `Some(true)` it did,
/// `Some(false)` it may have. `described`: an entry of the context says what its answer shows.
pub fn by_request(method: &str, url: &str, status: u64, described: bool) -> Option<bool> {
    match method {
        "PUT" | "PATCH" | "DELETE" => return Some(true),
        // WebDAV (RFC 4918, RFC 4791): files and their properties.
        "MKCOL" | "MKCALENDAR" | "MOVE" | "COPY" | "PROPPATCH" => return Some(true),
        "POST" => {}
        _ => return None,
    }
    let (path, _) = fhir::split_url(url);
    let path = fhir::percent_decode(path, false);
    let words: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let last = words.last().copied().unwrap_or("");
    if last == "_search" {
        return None;
    }
    if let Some(operation) = words.iter().find(|w| w.starts_with('$')) {
        return (!READING.contains(operation)).then_some(false);
    }
    if fhir::is_type(last) {
        // R4 §3.1.0.8: 201 says that a record was made; 200, that one was there already, and there are servers that say so of a new one.
        return Some(status == 201);
    }
    // A server that made something says so.
    if status == 201 {
        return Some(false);
    }
    if undescribed::same_for_all(url) || described {
        return None;
    }
    (!searches(&path)).then_some(false)
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use ampleur_event::batch::NONE;

    #[test]
    fn what_is_asked_by_post_is_told_from_what_is_made_by_it() {
        for (method, url, status, described, expect) in [
            ("POST", "/fhir/Appointment", 201, false, Some(true)),
            ("POST", "/fhir/Patient", 201, true, Some(true)),
            // A conditional create that found somebody, or a server with its own habits.
            ("POST", "/fhir/Patient", 200, false, Some(false)),
            ("POST", "/fhir/Patient", NONE, false, Some(false)),
            ("POST", "/fhir/Patient/_search", 200, false, None),
            ("POST", "/fhir/Patient/$match", 200, false, None),
            ("POST", "/fhir/Patient/$merge", 200, false, Some(false)),
            // A bundle may hold anything.
            ("POST", "/fhir", 200, false, Some(false)),
            (
                "POST",
                "/auth/realms/r/protocol/openid-connect/token",
                200,
                false,
                None,
            ),
            ("POST", "/login", 200, false, None),
            ("POST", "/api/rdv", 201, false, Some(false)),
            ("POST", "/api/patients/search", 200, false, None),
            ("POST", "/api/searchPatients", 200, false, None),
            ("POST", "/api/account/password", 200, false, Some(false)),
            ("POST", "/api/infiltrations", 200, false, Some(false)),
            (
                "POST",
                "https://sri.example/api/rdv",
                200,
                false,
                Some(false),
            ),
            ("POST", "/cabinet/fiche", 200, true, None),
            ("POST", "/cabinet/fiche", 201, true, Some(false)),
            ("PUT", "/fhir/Patient/1", 200, false, Some(true)),
            ("PATCH", "/fhir/Patient/1", 200, true, Some(true)),
            ("GET", "/fhir/Patient/1", 200, false, None),
        ] {
            assert_eq!(
                by_request(method, url, status, described),
                expect,
                "{method} {url} {status}"
            );
        }
    }
}
