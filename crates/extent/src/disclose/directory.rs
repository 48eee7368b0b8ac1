//! What a directory (LDAP) writes of one search in several records: the filter, the attributes asked for, the result.
use super::Row;
use ampleur_event::{Verb, batch::NONE};
use std::collections::BTreeMap;

/// Key of `extra`: attributes a search asked for, blanks between them.
pub(super) const ATTRIBUTES: &str = "attributes";

/// Puts the attributes and the number found into the record of the search they belong to, by connection and operation. Records of
/// attributes that found their search are gone afterwards; results have no verb.
pub(super) fn join_results(rows: &mut Vec<Row>) {
    // A search that two files have is there twice.
    let mut asked: BTreeMap<(u32, String, String), Vec<usize>> = BTreeMap::new();
    let mut told: Vec<(usize, usize)> = vec![];
    for (i, r) in rows.iter().enumerate() {
        let Some(operation) = r.e.extra_value("op").filter(|_| !r.e.session_id.is_empty()) else {
            continue;
        };
        let key = (r.session, r.e.session_id.to_string(), operation.to_string());
        match r.e.verb {
            Verb::Search if !r.e.query.is_empty() => {
                let same = |at: &usize| {
                    let e = &rows[*at].e;
                    (e.time, &e.query) == (r.e.time, &r.e.query)
                };
                let all = asked.entry(key).or_default();
                all.retain(same);
                all.push(i);
            }
            Verb::Search => {
                if let (Some(all), true) = (asked.get(&key), r.e.extra_value(ATTRIBUTES).is_some())
                {
                    told.extend(all.iter().map(|at| (*at, i)));
                }
            }
            Verb::Other if r.e.count != NONE => {
                // A number may come back on another connection later.
                let all = asked.remove(&key).unwrap_or_default();
                told.extend(all.into_iter().map(|at| (at, i)));
            }
            _ => {}
        }
    }
    let mut gone = vec![false; rows.len()];
    for (at, i) in told {
        let (count, status) = (rows[i].e.count, rows[i].e.status);
        if rows[i].e.verb == Verb::Other {
            let e = &mut rows[at].e;
            e.count = count;
            e.status = status;
        } else if let Some(a) = rows[i].e.extra_value(ATTRIBUTES) {
            let line = format!("{ATTRIBUTES}={a}");
            let e = &mut rows[at].e;
            let before = e.extra.to_string();
            let lines = before.split('\n').filter(|l| !l.is_empty() && *l != line);
            e.extra = lines.chain([&*line]).collect::<Vec<_>>().join("\n").into();
            gone[i] = true;
        }
    }
    let mut gone = gone.into_iter();
    rows.retain(|_| !gone.next().unwrap_or(false));
}
