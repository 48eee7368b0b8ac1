//! Reading, persons, time; and the compact base against the plain text of its snapshots.
use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

pub fn patient(id: &str, rest: &str) -> String {
    format!("{{\"resourceType\":\"Patient\",\"id\":\"{id}\",{rest}}}")
}
pub fn ident(kind: &str, system: &str, value: &str, usage: &str) -> String {
    format!(
        "{{\"use\":\"{usage}\",\"type\":{{\"coding\":[{{\"code\":\"{kind}\"}}]}},\"system\":\"{system}\",\"value\":\"{value}\"}}"
    )
}
const T0: i64 = 1_000_000_000_000_000_000;
const DAY: i64 = ampleur_event::time::DAY;

#[test]
fn shared_ins_regional_id_and_links_join_but_traits_do_not() {
    let text = [
        patient("a", &format!("\"identifier\":[{},{}],\"name\":[{{\"use\":\"official\",\"family\":\"EXEMPLE\",\"given\":[\"ANNE\"]}}],\"birthDate\":\"1980-01-02\",\"gender\":\"female\"", ident("INS-NIR", NIR_SYSTEM, "280015912345678", "official"), ident("PI", "1.2.3", "1", "usual"))),
        patient("b", &format!("\"identifier\":[{},{}],\"birthDate\":\"1980-01-02\"", ident("INS-NIR", NIR_SYSTEM, "280015912345678", "official"), ident("PI", "1.2.4", "9", "usual"))),
        patient("c", &format!("\"identifier\":[{}],\"link\":[{{\"other\":{{\"reference\":\"Patient/a\"}},\"type\":\"replaced-by\"}}],\"active\":false", ident("PI", "1.2.3", "2", "old"))),
        // Same traits, another person.
        patient("d", &format!("\"identifier\":[{}],\"name\":[{{\"use\":\"official\",\"family\":\"Exemple\",\"given\":[\"Anne\"]}}],\"birthDate\":\"1980-01-02\",\"gender\":\"female\"", ident("PI", "1.2.3", "3", "usual"))),
        // A temporary INS joins nobody.
        patient("e", &format!("\"identifier\":[{}]", ident("INS-NIR", NIR_SYSTEM, "280015912345678", "temp"))),
    ]
    .join("\n");
    let b = IdentityBase::from_lines(&[(T0, &text)]);
    assert_eq!(b.person_count(), 3);
    let p = b.person_of(b.record_by_id("a").unwrap());
    assert_eq!(b.records_of(p).len(), 3);
    assert_eq!(b.probable_duplicates(), vec![vec![0, 1]]);
    let name = b.name_for(
        p,
        &|v| {
            b.id_rows(v)
                .iter()
                .any(|i| b.text(i.system) == "urn:oid:1.2.3")
        },
        &|_| true,
    );
    assert_eq!(
        name, "urn:oid:1.2.3|1",
        "the surviving record's PI, not the merged one's"
    );
    let other = b.name_for(p, &|_| false, &|_| true);
    assert_eq!(other, format!("{NIR_SYSTEM}|280015912345678"));
    assert_eq!(b.records_named("Patient/c").len(), 1);
    assert_eq!(b.records_named("urn:oid:1.2.4|9").len(), 1);
}
#[test]
fn a_link_of_one_snapshot_joins_over_all() {
    let one = patient("a", "\"active\":true") + "\n" + &patient("b", "\"active\":true");
    let two = patient("a", "\"active\":true")
        + "\n"
        + &patient(
            "b",
            "\"active\":false,\"link\":[{\"other\":{\"reference\":\"Patient/a\"},\"type\":\"replaced-by\"}]",
        );
    let b = IdentityBase::from_lines(&[(T0, &one), (T0 + DAY, &two)]);
    assert_eq!(b.person_count(), 1);
    assert_eq!(b.version_count(), 3, "an unchanged line is one version");
    assert_eq!(b.surviving(1), 0);
}
#[test]
fn last_updated_decides_between_snapshots() {
    let v = |n: u32, at: &str, family: &str| {
        patient(
            "a",
            &format!(
                "\"meta\":{{\"versionId\":\"{n}\",\"lastUpdated\":\"{at}\"}},\"name\":[{{\"family\":\"{family}\"}}]"
            ),
        )
    };
    let day0 = fhir_instant("2025-09-05T00:00:00Z");
    let day1 = fhir_instant("2025-09-07T00:00:00Z");
    let b = IdentityBase::from_lines(&[
        (day0, &v(1, "2024-01-01T00:00:00Z", "A")),
        (day1, &v(2, "2025-09-06T12:00:00Z", "B")),
    ]);
    assert_eq!(b.at(0, fhir_instant("2025-09-06T11:00:00Z")), At::Sure(0));
    assert_eq!(b.at(0, fhir_instant("2025-09-06T12:00:00Z")), At::Sure(1));
    assert_eq!(b.at(0, fhir_instant("2025-09-01T00:00:00Z")), At::Sure(0));
    assert_eq!(b.at(0, fhir_instant("2025-10-01T00:00:00Z")), At::Sure(1));
    // Two changes in between: the state before the last one is unknown.
    let b = IdentityBase::from_lines(&[
        (day0, &v(1, "2024-01-01T00:00:00Z", "A")),
        (day1, &v(3, "2025-09-06T12:00:00Z", "B")),
    ]);
    assert_eq!(
        b.at(0, fhir_instant("2025-09-06T11:00:00Z")),
        At::Either(Some(0), Some(1))
    );
    // Created in between.
    let b = IdentityBase::from_lines(&[(day0, ""), (day1, &v(1, "2025-09-06T12:00:00Z", "B"))]);
    assert_eq!(b.at(0, fhir_instant("2025-09-06T11:00:00Z")), At::Absent);
    assert_eq!(b.at(0, fhir_instant("2025-09-06T13:00:00Z")), At::Sure(0));
}
#[test]
fn held_fields_are_per_version() {
    let one = patient(
        "a",
        "\"name\":[{\"family\":\"X\"}],\"telecom\":[{\"system\":\"phone\",\"value\":\"+33\"},{\"system\":\"email\",\"value\":\"180@patient.mssante.fr\"}],\"deceasedDateTime\":\"2025-01-01\"",
    );
    let b = IdentityBase::from_lines(&[(T0, &one)]);
    let held: Vec<&str> = b.held(0).iter().map(Category::code).collect();
    assert_eq!(
        held,
        ["ID.NAME", "ID.DEATH", "CONTACT.PHONE", "CONTACT.MSSANTE"]
    );
}
#[test]
fn snapshot_names_are_local_times() {
    let z = jiff::tz::TimeZone::get("Europe/Paris").unwrap();
    let t = |n| snapshot_time(n, &z).map(ampleur_event::time::rfc3339);
    assert_eq!(
        t("2025-09-14.ndjson.gz").as_deref(),
        Some("2025-09-13T22:00:00.000Z")
    );
    assert_eq!(
        t("2025-09-14T06:30.ndjson").as_deref(),
        Some("2025-09-14T04:30:00.000Z")
    );
    assert_eq!(t("readme.ndjson"), None);
}
#[test]
fn a_packed_snapshot_is_read_as_it_is() {
    use std::io::Write;
    let dir = tempfile::tempdir().unwrap();
    let line = patient("a", "\"name\":[{\"family\":\"X\"}]");
    let mut packed = bzip2::write::BzEncoder::new(vec![], bzip2::Compression::fast());
    packed.write_all(line.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let whole = |bytes: &[u8]| {
        std::fs::write(dir.path().join("2025-09-14.ndjson.bz2"), bytes).unwrap();
        let base = IdentityBase::load(dir.path(), &jiff::tz::TimeZone::UTC, 1).unwrap();
        (base.record_count(), base.damage().len())
    };
    assert_eq!(whole(&packed), (1, 0));
    assert_eq!(whole(&packed[..packed.len() - 9]), (0, 1));
}
#[test]
fn a_line_that_is_no_patient_is_counted() {
    let b = IdentityBase::from_lines(&[(
        T0,
        "{\"resourceType\":\"Patient\"\nnonsense\n{\"resourceType\":\"Group\",\"id\":\"x\"}",
    )]);
    // A whole resource of another kind hides nobody.
    assert_eq!((b.unreadable, b.record_count()), (2, 0));
    assert_eq!(b.damage().len(), 1);
}

/// A record of few possible contents, so that changes, repeats and shared parts are frequent.
fn record() -> impl Strategy<Value = Value> {
    let names = ["", "MARTIN", "Martin", "ÉVRARD", "DE LA RUE"];
    let pick = |of: &'static [&'static str]| prop::sample::select(of.to_vec());
    let name = (
        prop::sample::select(names.to_vec()),
        prop::collection::vec(pick(&["ANNE", "Zoé", "JEAN-LUC"]), 0..3),
        pick(&["official", "usual"]),
    )
        .prop_map(|(f, g, u)| json!({"use": u, "family": f, "given": g}));
    let id = (
        pick(&["urn:oid:1.2", "urn:oid:1.3"]),
        pick(&["1", "2", "3"]),
        pick(&["PI", "RRI"]),
    )
        .prop_map(|(s, v, k)| json!({"type": {"coding": [{"code": k}]}, "system": s, "value": v}));
    let phone = pick(&["+331", "+332"]).prop_map(|v| json!({"system": "phone", "value": v}));
    let place = pick(&["Évry", "Lyon"]).prop_map(|c| json!({"line": ["1 rue A", "B"], "city": c}));
    (
        0u32..6,
        prop::collection::vec(name, 0..3),
        prop::collection::vec(id, 0..3),
        prop::collection::vec(phone, 0..2),
        prop::collection::vec(place, 0..2),
        pick(&["1957", "1957-03-02", "1960-12"]),
        any::<bool>(),
    )
        .prop_map(|(n, name, identifier, telecom, address, birth, active)| {
            json!({"resourceType": "Patient", "id": format!("p{n}"), "active": active, "name": name,
                "identifier": identifier, "telecom": telecom, "address": address, "birthDate": birth})
        })
}

/// What the base says about a version, in the form of [`record`].
fn told(b: &IdentityBase, v: VersionId) -> Value {
    let row = b.version(v);
    let names: Vec<Value> = b
        .name_rows(v)
        .iter()
        .map(|n| {
            let given: Vec<&str> = b
                .givens_of(n)
                .iter()
                .map(|g| b.names.text(g.given))
                .collect();
            json!({"use": n.usage.word(), "family": b.names.text(n.family), "given": given})
        })
        .collect();
    let ids: Vec<Value> = b
        .id_rows(v)
        .iter()
        .map(|i| {
            let kind = if i.kind == IdKind::Pi { "PI" } else { "RRI" };
            json!({"type": {"coding": [{"code": kind}]}, "system": b.text(i.system), "value": b.text(i.value)})
        })
        .collect();
    let telecoms: Vec<Value> = b
        .telecom_rows(v)
        .iter()
        .map(|t| json!({"system": "phone", "value": b.text(t.value)}))
        .collect();
    let addresses: Vec<Value> = b
        .address_rows(v)
        .iter()
        .map(|a| {
            let lines: Vec<&str> = b.text(a.line).split('\n').collect();
            json!({"line": lines, "city": b.text(a.city)})
        })
        .collect();
    json!({"resourceType": "Patient", "id": b.logical_id(row.record), "active": row.active, "name": names,
        "identifier": ids, "telecom": telecoms, "address": addresses, "birthDate": row.birth.text()})
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    /// Each snapshot reads back as it was written, whole or in pieces, on any number of threads.
    #[test]
    fn snapshots_read_back(snapshots in prop::collection::vec(prop::collection::vec(record(), 0..8), 1..4)) {
        let dir = tempfile::tempdir().unwrap();
        let mut memory: Vec<(Nanos, String)> = vec![];
        let mut wanted: Vec<Vec<Value>> = vec![];
        for (k, records) in snapshots.iter().enumerate() {
            // A logical id is written once in a snapshot.
            let mut once: Vec<Value> = vec![];
            for r in records {
                if !once.iter().any(|o| o["id"] == r["id"]) {
                    once.push(r.clone());
                }
            }
            let text: String = once.iter().map(|r| format!("{r}\n")).collect();
            let name = format!("2025-09-0{}.ndjson", k + 1);
            std::fs::write(dir.path().join(&name), text.trim_end()).unwrap();
            let time = snapshot_time(&name, &jiff::tz::TimeZone::UTC).unwrap();
            memory.push((time, text));
            once.sort_by_key(|r| r["id"].to_string());
            wanted.push(once);
        }
        let memory: Vec<(Nanos, &str)> = memory.iter().map(|m| (m.0, m.1.as_str())).collect();
        let whole = IdentityBase::from_lines(&memory);
        let load = |threads| IdentityBase::load(dir.path(), &jiff::tz::TimeZone::UTC, threads).unwrap();
        for b in [&whole, &load(1), &load(3)] {
            for (k, wanted) in wanted.iter().enumerate() {
                let mut got: Vec<Value> = (0..b.record_count())
                    .filter_map(|r| b.version_at(r, k))
                    .map(|v| told(b, v))
                    .collect();
                got.sort_by_key(|r| r["id"].to_string());
                prop_assert_eq!(&got, wanted);
                prop_assert_eq!(b.snapshots[k].records as usize, wanted.len());
            }
            // Equal numbers, not only equal contents.
            prop_assert_eq!(format!("{:?}", (&b.versions, &b.records, &b.person_of, &b.index)),
                format!("{:?}", (&whole.versions, &whole.records, &whole.person_of, &whole.index)));
        }
    }
}
