//! An event as a flat JSON object with the names everybody uses: what `ampleur decode` prints and format tests compare.
use ampleur_event::{Event, Outcome, batch::NONE, time::rfc3339_full};
use serde_json::{Map, Value};

/// The known keys of an event, each only when known: `record` (1-based), `timestamp` (RFC 3339, UTC), `action`, `verb`, `outcome`,
/// `user`, `domain`, `src_ip`, `src_port`, `dst_ip`, `dst_port`, `src_country`, `session_id`, `host`, `bytes_in`, `bytes_out`,
/// `http_method`, `url`, `status`, `file_path`, `object`, `process`, then every other column under its own name.
///
/// Where a record names a patient, `object` is the patient as written and `resource` the column of that name: other things named.
///
/// `source` is the name of the source and is always there.
pub fn canonical(source: &str, e: &Event<'_>) -> Map<String, Value> {
    let mut m = Map::new();
    m.insert("record".into(), e.record.into());
    m.insert("source".into(), source.into());
    let mut put = |k: &str, v: &str| {
        if !v.is_empty() {
            m.insert(k.into(), v.into());
        }
    };
    put("timestamp", &rfc3339_full(e.time));
    put("timestamp_other_reading", &rfc3339_full(e.time_alt));
    put("timestamp_note", e.time_note.word());
    put("verb", e.verb.word());
    if e.outcome != Outcome::Unknown {
        put("outcome", e.outcome.word());
    }
    put("system", e.system.word());
    for (k, v) in e.texts() {
        put(k, v);
    }
    if !e.patient.is_empty() {
        put("resource", &e.object);
        put("object", &e.patient);
    }
    for (k, v) in e.numbers() {
        if v != NONE {
            m.insert(k.into(), v.into());
        }
    }
    m
}
