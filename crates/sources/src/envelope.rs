//! Lines of a log inside the JSON of whoever carried them: one object a line, the line itself in one field. The record is the outer
//! line; what it tells is the inner one's. Docker "json-file" and journald's JSON export, Elastic Common Schema (`event.original`,
//! `message`), Logstash, Elasticsearch exports (`_source`), GELF 1.1 (`full_message`, `short_message`).
use crate::{Confidence, Decode, Decoded, Head, Reason, Setting, Source, lines, reader, scan};
use std::borrow::Cow;

/// Where carriers put the line as it was, the surest first.
const FIELDS: [&str; 8] = [
    "event.original",
    "_source.event.original",
    "full_message",
    "log",
    "MESSAGE",
    "message",
    "_source.message",
    "short_message",
];

/// The line inside a line.
fn inner(line: &[u8]) -> Option<Cow<'_, str>> {
    if line.first() != Some(&b'{') {
        return None;
    }
    let text = std::str::from_utf8(line).ok()?;
    let mut pairs = scan::flatten(text).ok()?;
    let at = FIELDS
        .iter()
        .find_map(|f| pairs.iter().position(|(k, v)| k == f && !v.is_empty()))?;
    Some(pairs.swap_remove(at).1)
}

/// The source of the lines inside, `format` if it is given, and its decoder behind one that opens the envelopes; `None` when these are
/// none or nobody knows what is inside.
pub(crate) fn open(
    head: &Head<'_>,
    setting: &Setting,
    format: Option<&'static dyn Source>,
) -> Option<(&'static dyn Source, Box<dyn Decode>)> {
    let (mut all, mut within) = (0, Vec::new());
    let mut opened = 0;
    for line in lines::sample(head) {
        all += 1;
        if let Some(text) = inner(line) {
            opened += 1;
            within.extend_from_slice(text.trim_end().as_bytes());
            within.push(b'\n');
        }
    }
    if opened * 2 <= all {
        return None;
    }
    let head = Head {
        bytes: &within,
        whole: head.whole,
    };
    let (source, known) = match format {
        Some(s) => (s, s.sniff(&head) > Confidence::No),
        None => {
            let (sure, s) = reader::sniff_with(&head, &setting.mappings)?;
            (s, sure >= Confidence::Likely)
        }
    };
    known.then(|| {
        let inner = source.open(&head, setting);
        (source, Box::new(Enveloped { inner }) as Box<dyn Decode>)
    })
}

struct Enveloped {
    inner: Box<dyn Decode>,
}

impl Decode for Enveloped {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let decoder = &mut self.inner;
        lines::each(bytes, last, out, |line, at, len, finished, out| {
            let Some(text) = inner(line) else {
                let reason = match finished {
                    true => Reason::Shape,
                    false => Reason::Truncated,
                };
                return out.reject(bytes, at, len, reason);
            };
            let mut one = text.trim_end().as_bytes().to_vec();
            one.push(b'\n');
            let mut found = Decoded::default();
            decoder.decode(&one, true, &mut found);
            decoder.finish(&mut found);
            for e in found.events.iter() {
                out.event(e, at, len);
            }
            if found.event_count > 0 {
                return;
            }
            match found.rejects.first() {
                Some(r) => out.reject_at(bytes, at, len, r.reason, r.time),
                None => out.skip(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Head;

    const LINE: &str = r#"192.0.2.9 - marie [14/Sep/2025:01:00:36 +0200] "GET /p?q=a HTTP/1.1" 200 51 "-" "curl/8""#;

    #[test]
    fn a_line_is_read_through_every_envelope() {
        let quoted = serde_json::Value::String(format!("{LINE}\n")).to_string();
        for envelope in [
            format!(r#"{{"log":{quoted},"stream":"stdout","time":"2025-09-13T23:00:36Z"}}"#),
            format!(r#"{{"MESSAGE":{quoted},"_HOSTNAME":"web1","PRIORITY":"6"}}"#),
            format!(r#"{{"@timestamp":"2025-09-13T23:00:36Z","message":{quoted}}}"#),
            format!(r#"{{"message":"GET /p","event":{{"original":{quoted}}}}}"#),
            format!(r#"{{"_index":"x","_source":{{"message":{quoted}}}}}"#),
            format!(
                r#"{{"version":"1.1","host":"web1","short_message":"GET","full_message":{quoted}}}"#
            ),
        ] {
            // A line of the carrier's own, and one that was cut.
            let text = format!(
                "{envelope}\n{envelope}\n{envelope}\n{envelope}\n{{\"x\":1}}\n{{\"log\":\""
            );
            let head = Head {
                bytes: text.as_bytes(),
                whole: true,
            };
            let setting = Setting::default();
            let (source, mut decoder) =
                open(&head, &setting, None).unwrap_or_else(|| panic!("{envelope}"));
            assert_eq!(source.name(), "http-access");
            let mut out = Decoded::default();
            assert_eq!(decoder.decode(text.as_bytes(), true, &mut out), text.len());
            assert!(out.balanced());
            assert_eq!((out.records, out.event_count, out.reject_count), (6, 4, 2));
            let e = out.events.get(1);
            assert_eq!((&*e.user, &*e.url, e.record), ("marie", "/p?q=a", 2));
            assert_eq!(
                (e.offset, e.len),
                (envelope.len() as u64 + 1, envelope.len() as u64 + 1)
            );
        }
    }

    /// A declared format is that of the lines inside, when the outer ones do not have its shape.
    #[test]
    fn a_declared_format_is_found_inside() {
        let quoted = serde_json::Value::String(LINE.into()).to_string();
        let text = format!("{{\"log\":{quoted}}}\n");
        let head = Head {
            bytes: text.as_bytes(),
            whole: true,
        };
        for (format, events) in [("http-access", 1), ("openvpn", 0)] {
            let format = crate::by_name(format);
            let (source, mut decoder) =
                reader::claim(&head, &Setting::default(), format).expect("it is declared");
            assert_eq!(Some(source.name()), format.map(|f| f.name()));
            let mut out = Decoded::default();
            decoder.decode(text.as_bytes(), true, &mut out);
            decoder.finish(&mut out);
            assert_eq!(out.event_count, events);
        }
    }

    #[test]
    fn what_holds_no_line_of_a_log_is_no_envelope() {
        let text = "{\"log\":\"starting up\"}\n{\"log\":\"ready\"}\n";
        let head = Head {
            bytes: text.as_bytes(),
            whole: true,
        };
        assert!(open(&head, &Setting::default(), None).is_none());
    }
}
