//! A later version of an answer says what moved, by how much, and which records moved it (law L8).
use crate::model::{Answer, Cell, Change, PersonRow};
use ampleur_event::Interval;
use std::collections::{BTreeMap, BTreeSet};

/// Differences from `before` to `after`, in a fixed order: the total, cells by (establishment, category, verdict), persons by
/// subject, statements by code. Empty when nothing moved.
///
/// `because` names the records that are new in `after` for what moved (`path:record`, at most [`EVIDENCE_MAX`]), else the sources
/// that appeared or whose coverage changed.
pub fn difference(
    before: &Answer,
    before_persons: &[PersonRow],
    after: &Answer,
    after_persons: &[PersonRow],
) -> Vec<Change> {
    let mut out = Vec::new();
    let sources = moved_sources(before, after);
    if before.extent.subjects != after.extent.subjects {
        out.push(count(
            "subjects",
            before.extent.subjects,
            after.extent.subjects,
            sources.clone(),
        ));
    }
    if before.extent.unaffected != after.extent.unaffected {
        out.push(count(
            "unaffected",
            before.extent.unaffected,
            after.extent.unaffected,
            sources.clone(),
        ));
    }
    let old_rows = by_row(before_persons);
    let new_rows = by_row(after_persons);
    let mut reasons: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    let mut persons: BTreeMap<&str, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for (key, row) in &new_rows {
        let old = old_rows.get(key);
        if old.is_some_and(|o| o.verdict == row.verdict) {
            continue;
        }
        let known: BTreeSet<&str> = old
            .iter()
            .flat_map(|o| o.evidence.iter().map(String::as_str))
            .collect();
        let fresh = row
            .evidence
            .iter()
            .filter(|e| !known.contains(e.as_str()))
            .cloned();
        let cell = reasons
            .entry((row.establishment.clone(), row.category.clone()))
            .or_default();
        let person = persons.entry(key.0).or_default();
        person.0.insert(format!(
            "{} {} → {}",
            row.category,
            old.map_or("–", |o| o.verdict.as_str()),
            row.verdict
        ));
        for e in fresh {
            cell.insert(e.clone());
            person.1.insert(e);
        }
    }
    for (key, row) in old_rows.iter().filter(|(k, _)| !new_rows.contains_key(*k)) {
        persons
            .entry(key.0)
            .or_default()
            .0
            .insert(format!("{} {} → –", row.category, row.verdict));
    }
    let old_cells = by_cell(&before.extent.cells);
    let new_cells = by_cell(&after.extent.cells);
    let keys: BTreeSet<_> = old_cells.keys().chain(new_cells.keys()).copied().collect();
    for key in keys {
        let (a, b) = (
            old_cells.get(&key).copied().unwrap_or_default(),
            new_cells.get(&key).copied().unwrap_or_default(),
        );
        if a != b {
            let mut because: Vec<String> = reasons
                .get(&(key.0.to_string(), key.1.to_string()))
                .map(|s| s.iter().take(EVIDENCE_MAX).cloned().collect())
                .unwrap_or_default();
            if because.is_empty() {
                because.clone_from(&sources);
            }
            out.push(count(
                &format!("cell {} {} {}", key.0, key.1, key.2),
                a,
                b,
                because,
            ));
        }
    }
    for (subject, (moves, evidence)) in persons {
        let moves: Vec<String> = moves.into_iter().collect();
        let because = if evidence.is_empty() {
            sources.clone()
        } else {
            evidence.into_iter().take(EVIDENCE_MAX).collect()
        };
        out.push(Change {
            what: format!("person {subject}"),
            before: None,
            after: None,
            because,
            fr: moves.join(" ; "),
            en: moves.join("; "),
        });
    }
    let old_said: BTreeMap<_, _> = before
        .statements
        .iter()
        .map(|s| ((&s.code, &s.establishment), s.holds))
        .collect();
    for s in &after.statements {
        if old_said
            .get(&(&s.code, &s.establishment))
            .is_some_and(|h| *h != s.holds)
        {
            let (fr, en) = if s.holds {
                ("peut désormais être affirmé", "can now be said")
            } else {
                ("ne peut plus être affirmé", "can no longer be said")
            };
            out.push(Change {
                what: format!("statement {}", s.code),
                before: None,
                after: None,
                because: s.because.clone(),
                fr: format!("« {} » {fr}", s.fr.trim_end_matches('.')),
                en: format!("“{}” {en}", s.en.trim_end_matches('.')),
            });
        }
    }
    out
}

/// Records named for one change.
pub const EVIDENCE_MAX: usize = 20;

fn by_row(rows: &[PersonRow]) -> BTreeMap<(&str, &str, &str), &PersonRow> {
    rows.iter()
        .map(|r| {
            (
                (
                    r.subject.as_str(),
                    r.establishment.as_str(),
                    r.category.as_str(),
                ),
                r,
            )
        })
        .collect()
}

fn by_cell(cells: &[Cell]) -> BTreeMap<(&str, &str, &str), Interval> {
    cells
        .iter()
        .map(|c| {
            (
                (
                    c.establishment.as_str(),
                    c.category.as_str(),
                    c.verdict.as_str(),
                ),
                c.subjects,
            )
        })
        .collect()
}

/// Files that appeared, vanished or hold another number of records, and sources whose coverage changed.
fn moved_sources(before: &Answer, after: &Answer) -> Vec<String> {
    let old: BTreeMap<_, _> = before
        .evidence
        .by_source
        .iter()
        .map(|s| (&s.source, s.records))
        .collect();
    let new: BTreeMap<_, _> = after
        .evidence
        .by_source
        .iter()
        .map(|s| (&s.source, s.records))
        .collect();
    let mut out: BTreeSet<String> = new
        .iter()
        .filter(|(s, n)| old.get(*s) != Some(*n))
        .map(|(s, _)| (*s).clone())
        .collect();
    out.extend(
        old.keys()
            .filter(|s| !new.contains_key(*s))
            .map(|s| (*s).clone()),
    );
    let rows = |a: &Answer| {
        a.coverage
            .iter()
            .map(|c| {
                (
                    c.source.clone(),
                    c.from.clone(),
                    c.to.clone(),
                    c.state.clone(),
                )
            })
            .collect::<BTreeSet<_>>()
    };
    out.extend(
        rows(before)
            .symmetric_difference(&rows(after))
            .map(|r| r.0.clone()),
    );
    out.into_iter().take(EVIDENCE_MAX).collect()
}

fn count(what: &str, a: Interval, b: Interval, because: Vec<String>) -> Change {
    let signed = |x: u64, y: u64| {
        if y >= x {
            format!("+{}", y - x)
        } else {
            format!("−{}", x - y)
        }
    };
    let (low, high) = (signed(a.at_least, b.at_least), signed(a.at_most, b.at_most));
    Change {
        what: what.to_string(),
        before: Some(a),
        after: Some(b),
        because,
        fr: format!("{low} sur la borne basse, {high} sur la borne haute"),
        en: format!("{low} on the lower bound, {high} on the upper bound"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(low: u64, high: u64, file: &str) -> Answer {
        let mut a = Answer::default();
        a.extent.subjects = Interval::new(low, high);
        a.extent.cells.push(Cell {
            establishment: "finess:1".into(),
            category: "ID.NAME".into(),
            verdict: "consulted".into(),
            subjects: Interval::exactly(low),
            derived_from: vec![],
        });
        a.evidence.by_source.push(crate::model::SourceRow {
            source: file.into(),
            records: 3,
            ..Default::default()
        });
        a
    }
    fn person(subject: &str, verdict: &str, evidence: &str) -> PersonRow {
        PersonRow {
            subject: subject.into(),
            establishment: "finess:1".into(),
            category: "ID.NAME".into(),
            verdict: verdict.into(),
            certainty: String::new(),
            first: String::new(),
            last: String::new(),
            events: 1,
            sessions: vec![],
            evidence: vec![evidence.into()],
        }
    }

    #[test]
    fn equal_answers_differ_in_nothing() {
        let a = answer(1, 4, "logs/a");
        assert_eq!(
            difference(
                &a,
                &[person("x|1", "consulted", "logs/a:1")],
                &a,
                &[person("x|1", "consulted", "logs/a:1")]
            ),
            []
        );
    }
    #[test]
    fn what_moved_names_the_record_that_moved_it() {
        let d = difference(
            &answer(1, 4, "logs/a"),
            &[person("x|1", "exposed", "logs/a:1")],
            &answer(2, 3, "logs/b"),
            &[person("x|1", "consulted", "logs/b:9")],
        );
        let total = &d[0];
        assert_eq!(
            (total.what.as_str(), total.en.as_str()),
            ("subjects", "+1 on the lower bound, −1 on the upper bound")
        );
        assert_eq!(total.because, ["logs/a", "logs/b"]);
        let cell = d
            .iter()
            .find(|c| c.what == "cell finess:1 ID.NAME consulted")
            .expect("the cell moved");
        assert_eq!(cell.because, ["logs/b:9"]);
        let p = d
            .iter()
            .find(|c| c.what == "person x|1")
            .expect("the person moved");
        assert_eq!(p.en, "ID.NAME exposed → consulted");
    }
}
