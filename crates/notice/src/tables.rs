//! `persons.csv`, `sessions.csv`, `timeline.csv` (RFC 4180, UTF-8, CRLF, times in UTC) and `extent.json`.
//!
//! Identifiers (subjects, accounts, addresses, ids, evidence places) are written exactly as they are: other tools join on them.
//! Free text that an intruder may choose (`device`, `text_fr`, `text_en`) gets a leading apostrophe when it begins with a character
//! a spreadsheet would take for a formula (`=`, `+`, `-`, `@`, tab, carriage return).
use crate::NoticeError;
use ampleur_extent::{
    findings::Findings,
    model::{Answer, PersonRow},
};
use std::io::Write;

pub const PERSONS_HEAD: [&str; 10] = [
    "subject",
    "establishment",
    "category",
    "verdict",
    "certainty",
    "first",
    "last",
    "events",
    "sessions",
    "evidence",
];

pub const SESSIONS_HEAD: [&str; 16] = [
    "id",
    "chain",
    "intrusion",
    "account",
    "source",
    "address",
    "country",
    "asn",
    "device",
    "from",
    "to",
    "events",
    "bytes_out",
    "verdict",
    "score",
    "reasons",
];

/// One row per thing that happened to the case, in order of time.
pub const TIMELINE_HEAD: [&str; 9] = [
    "time", "until", "kind", "account", "source", "address", "session", "text_fr", "text_en",
];

fn writer<W: Write>(out: W) -> csv::Writer<W> {
    csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(out)
}

/// An apostrophe before a character that would start a formula; only for text that identifies nothing.
pub fn guard(text: &str) -> std::borrow::Cow<'_, str> {
    match text.as_bytes().first() {
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r') => format!("'{text}").into(),
        _ => text.into(),
    }
}

/// Rows as given: the caller's order is (subject, establishment, category). Lists are separated by one space.
pub fn persons<W: Write>(rows: &[PersonRow], out: W) -> Result<(), NoticeError> {
    let mut w = writer(out);
    w.write_record(PERSONS_HEAD)?;
    for r in rows {
        w.write_record([
            r.subject.as_str(),
            &r.establishment,
            &r.category,
            &r.verdict,
            &r.certainty,
            &r.first,
            &r.last,
            &r.events.to_string(),
            &r.sessions.join(" "),
            &r.evidence.join(" "),
        ])?;
    }
    w.flush()?;
    Ok(())
}

/// Every session of the answer, in its order. `reasons` are codes separated by one space; the sentences are in `extent.json`.
pub fn sessions<W: Write>(answer: &Answer, out: W) -> Result<(), NoticeError> {
    let mut w = writer(out);
    w.write_record(SESSIONS_HEAD)?;
    for s in &answer.sessions {
        let codes: Vec<&str> = s.reasons.iter().map(|r| r.code.as_str()).collect();
        w.write_record([
            s.id.as_str(),
            &s.chain,
            s.intrusion.as_deref().unwrap_or(""),
            s.account.as_deref().unwrap_or(""),
            &s.source,
            s.origin.address.as_deref().unwrap_or(""),
            s.origin.country.as_deref().unwrap_or(""),
            &s.origin.asn.map(|a| a.to_string()).unwrap_or_default(),
            &guard(s.origin.device.as_deref().unwrap_or("")),
            &s.from,
            &s.to,
            &s.events.to_string(),
            &s.bytes_out.to_string(),
            &s.verdict,
            &format!("{:.3}", s.score),
            &codes.join(" "),
        ])?;
    }
    w.flush()?;
    Ok(())
}

/// Sessions of the intruder and doubtful ones, coverage that is not complete, targeted persons, sorted by (time, kind, text).
pub fn timeline<W: Write>(answer: &Answer, out: W) -> Result<(), NoticeError> {
    let mut rows: Vec<[String; 9]> = Vec::new();
    for s in answer.sessions.iter().filter(|s| s.verdict != "legitimate") {
        let (fr, en): (Vec<&str>, Vec<&str>) = s
            .reasons
            .iter()
            .map(|r| (r.fr.as_str(), r.en.as_str()))
            .unzip();
        rows.push([
            s.from.clone(),
            s.to.clone(),
            format!("session-{}", s.verdict),
            s.account.clone().unwrap_or_default(),
            s.source.clone(),
            s.origin.address.clone().unwrap_or_default(),
            s.id.clone(),
            guard(&fr.join(" ; ")).into_owned(),
            guard(&en.join("; ")).into_owned(),
        ]);
    }
    for c in answer.coverage.iter().filter(|c| c.state != "complete") {
        let because = c.because.clone().unwrap_or_default();
        rows.push([
            c.from.clone(),
            c.to.clone(),
            if c.kind.is_empty() {
                format!("coverage-{}", c.state)
            } else {
                format!("coverage-{}-{}", c.state, c.kind)
            },
            String::new(),
            c.source.clone(),
            String::new(),
            String::new(),
            guard(&because.fr).into_owned(),
            guard(&because.en).into_owned(),
        ]);
    }
    let targeted = answer.extent.targeted.iter().map(|t| (t, "targeted"));
    let canaries = answer.extent.canaries.iter().map(|t| (t, "canary"));
    for (t, kind) in targeted.chain(canaries) {
        for (i, time) in t.times.iter().enumerate() {
            rows.push([
                time.clone(),
                time.clone(),
                kind.into(),
                String::new(),
                String::new(),
                String::new(),
                t.sessions
                    .get(i)
                    .or(t.sessions.first())
                    .cloned()
                    .unwrap_or_default(),
                t.subject.clone(),
                t.subject.clone(),
            ]);
        }
    }
    rows.sort();
    let mut w = writer(out);
    w.write_record(TIMELINE_HEAD)?;
    for r in rows {
        w.write_record(&r)?;
    }
    w.flush()?;
    Ok(())
}

/// `extent.json`: two spaces, fields in the order of the model, a line feed at the end.
pub fn json<W: Write>(answer: &Answer, mut out: W) -> Result<(), NoticeError> {
    serde_json::to_writer_pretty(&mut out, answer)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// `findings.json`, laid out as [`json`].
pub fn findings<W: Write>(found: &Findings, mut out: W) -> Result<(), NoticeError> {
    serde_json::to_writer_pretty(&mut out, found)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Reads back what [`persons`] wrote, for a later version to compare with.
///
/// # Errors
/// When it is no CSV, or a row has other columns.
pub fn read_persons(text: &[u8]) -> Result<Vec<PersonRow>, NoticeError> {
    let list = |s: &str| {
        s.split(' ')
            .filter(|x| !x.is_empty())
            .map(str::to_string)
            .collect::<Vec<_>>()
    };
    let mut rows = Vec::new();
    for record in csv::Reader::from_reader(text).records() {
        let r = record?;
        let at = |i: usize| r.get(i).unwrap_or_default().to_string();
        rows.push(PersonRow {
            subject: at(0),
            establishment: at(1),
            category: at(2),
            verdict: at(3),
            certainty: at(4),
            first: at(5),
            last: at(6),
            events: at(7).parse().unwrap_or(0),
            sessions: list(&at(8)),
            evidence: list(&at(9)),
        });
    }
    Ok(rows)
}

/// The published JSON Schema of `extent.json`.
pub const SCHEMA: &str = include_str!("../../../docs/schema/ampleur.extent-1.schema.json");

/// The published JSON Schema of `findings.json`.
pub const FINDINGS_SCHEMA: &str =
    include_str!("../../../docs/schema/ampleur.findings-1.schema.json");
