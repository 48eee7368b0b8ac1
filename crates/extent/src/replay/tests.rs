//! The indexed search against the slow one, over random bases and questions; and the meaning of single parameters.
use super::{
    fhir::{self, What},
    sql, *,
};
use crate::identity::{
    NIR_SYSTEM, fhir_instant,
    tests::{ident, patient},
};
use ampleur_event::{Context, context::Table};
use proptest::prelude::*;

const T0: &str = "2025-09-05T00:00:00Z";
const T1: &str = "2025-09-07T00:00:00Z";

fn t(s: &str) -> Nanos {
    fhir_instant(s)
}

/// Four patients over two snapshots: a change, a merge, a newcomer.
fn base() -> IdentityBase {
    let p = |id: &str, meta: &str, ids: &str, name: &str, birth: &str, rest: &str| {
        patient(
            id,
            &format!(
                "\"meta\":{{{meta}}},\"identifier\":[{ids}],\"name\":[{name}],\"birthDate\":\"{birth}\"{rest}"
            ),
        )
    };
    let old = "\"versionId\":\"1\",\"lastUpdated\":\"2024-01-01T00:00:00Z\"";
    let official = |f: &str, g: &str| {
        format!("{{\"use\":\"official\",\"family\":\"{f}\",\"given\":[\"{g}\"]}}")
    };
    let a = p(
        "a",
        old,
        &ident("PI", "urn:oid:1.2", "100", "usual"),
        &official("MARTIN", "ÉLODIE"),
        "1957-03-02",
        ",\"gender\":\"female\",\"telecom\":[{\"system\":\"phone\",\"value\":\"+33100\"},{\"system\":\"email\",\"value\":\"E.M@mail.example\"}],\"address\":[{\"city\":\"Évry\",\"postalCode\":\"91000\"}]",
    );
    let b = p(
        "b",
        old,
        &ident("PI", "urn:oid:1.2", "200", "usual"),
        &official("MARTINEZ", "JEAN"),
        "1957-11-30",
        ",\"gender\":\"male\"",
    );
    let c1 = p(
        "c",
        old,
        &ident("PI", "urn:oid:1.2", "300", "usual"),
        &official("Durand", "ANNE"),
        "1960",
        ",\"active\":true",
    );
    let c2 = p(
        "c",
        "\"versionId\":\"2\",\"lastUpdated\":\"2025-09-06T12:00:00Z\"",
        &ident("PI", "urn:oid:1.2", "300", "old"),
        &official("MARCHAL", "ANNE"),
        "1960",
        ",\"active\":false,\"link\":[{\"other\":{\"reference\":\"Patient/a\"},\"type\":\"replaced-by\"}]",
    );
    let d = p(
        "d",
        "\"versionId\":\"1\",\"lastUpdated\":\"2025-09-06T08:00:00Z\"",
        &ident("INS-NIR", NIR_SYSTEM, "257039100000042", "official"),
        &official("MARTIN", "LÉA"),
        "1957-03-02",
        "",
    );
    IdentityBase::from_lines(&[
        (t(T0), &[a.clone(), b.clone(), c1].join("\n")),
        (t(T1), &[a, b, c2, d].join("\n")),
    ])
}

fn asked(b: &IdentityBase, url: &str, criteria: &str, at: &str) -> (Vec<String>, Vec<String>) {
    let What::Patients(e) = fhir::ask(b, url, criteria).what else {
        return (vec!["no search".into()], vec![]);
    };
    let a = search(b, &e, t(at), &|_| true);
    assert_eq!(
        a,
        search_slowly(b, &e, t(at), &|_| true),
        "{url} {criteria}"
    );
    let ids = |h: &[Hit]| {
        h.iter()
            .map(|h| b.logical_id(h.record).to_string())
            .collect()
    };
    (ids(&a.certain), ids(&a.possible))
}

#[test]
fn search_parameters_mean_what_r4_says() {
    let b = base();
    let certain = |q: &str| {
        asked(&b, "/fhir/Patient", q, "2025-09-06T18:00:00Z")
            .0
            .join(" ")
    };
    assert_eq!(certain("family=mart"), "a b d", "starts with, case apart");
    assert_eq!(certain("family:exact=MARTIN"), "a d");
    assert_eq!(certain("family:contains=tine"), "b");
    assert_eq!(certain("given=elod"), "a", "accents apart");
    assert_eq!(certain("name=anne"), "c");
    assert_eq!(
        certain("family=MARTIN,MARCH&given=a"),
        "c",
        "comma is OR, repeated is AND"
    );
    assert_eq!(certain("birthdate=1957"), "a b d");
    assert_eq!(certain("birthdate=1957-03"), "a d");
    assert_eq!(certain("birthdate=ge1957-04-01&birthdate=lt1961"), "b c");
    assert_eq!(certain("birthdate=ne1957"), "c");
    assert_eq!(certain("birthdate=sa1957-12-31"), "c");
    assert_eq!(certain("birthdate=eb1957-11-30"), "a d");
    assert_eq!(certain("birthdate=gt1957-03-02"), "b c");
    assert_eq!(certain("identifier=urn:oid:1.2|100"), "a");
    assert_eq!(certain("identifier=100"), "a");
    assert_eq!(
        certain("identifier=urn:oid:1.2%7C300"),
        "c",
        "the merged record is part of the answer"
    );
    assert_eq!(certain("identifier=urn:oid:9|100"), "");
    assert_eq!(certain("identifier=urn:oid:1.2|"), "a b c");
    assert_eq!(certain("active=false"), "c");
    assert_eq!(certain("gender=male"), "b");
    assert_eq!(certain("gender:not=male"), "a c d");
    assert_eq!(certain("gender:missing=true"), "c d");
    assert_eq!(certain("phone=%2B33100"), "a");
    assert_eq!(certain("email=E.M@mail.example"), "a");
    assert_eq!(certain("telecom=phone|%2B33100"), "a");
    assert_eq!(certain("address-city=evr"), "a");
    assert_eq!(certain("address=91"), "a");
    assert_eq!(certain("_id=a,b"), "a b");
    assert_eq!(certain("_lastUpdated=gt2025-01-01"), "c d");
    assert_eq!(
        certain("family=MARTIN&_count=1&_sort=family"),
        "a b d",
        "result parameters limit nothing"
    );
    assert_eq!(
        asked(
            &b,
            "/fhir/Patient?family=durand",
            "",
            "2025-09-06T18:00:00Z"
        ),
        (vec![], vec![])
    );
}

/// What R4 leaves to the server is in the answer perhaps: neither certain nor ruled out.
#[test]
fn what_servers_may_read_differently_is_possible() {
    let record = |id: &str, family: &str, rest: &str| {
        patient(id, &format!("\"name\":[{{\"family\":\"{family}\"}}]{rest}"))
    };
    let lines = [
        record("a", "ŒUVRARD", ",\"active\":true,\"gender\":\"female\""),
        record(
            "b",
            "OEUVRARD",
            ",\"managingOrganization\":{\"reference\":\"Organization/1\"}",
        ),
        record(
            "c",
            "NGUYỄN",
            ",\"deceasedBoolean\":true,\"birthDate\":\"1957-03-02\"",
        ),
        record(
            "d",
            "UNDER_SCORE",
            ",\"telecom\":[{\"system\":\"email\",\"value\":\"D@mail.example\"}]",
        ),
        record(
            "e",
            "UNDERSSCORE",
            &format!(
                ",\"telecom\":[{{\"system\":\"email\",\"value\":\"d@mail.example\"}}],\"identifier\":[{}]",
                ident("PI", "urn:oid:1.2", "2A7", "usual")
            ),
        ),
    ]
    .join("\n");
    let b = IdentityBase::from_lines(&[(t(T0), &lines), (t(T1), &lines)]);
    let ask = |q: &str| {
        let (sure, maybe) = asked(&b, "/fhir/Patient", q, "2025-09-06T18:00:00Z");
        format!("{}|{}", sure.join(" "), maybe.join(" "))
    };
    // A ligature is no accent (§3.1.1.4.8), every mark on a letter is.
    assert_eq!(ask("family=oeuv"), "b|a");
    assert_eq!(ask("family=œuv"), "a|b");
    assert_eq!(ask("family:contains=uvr"), "a b|");
    assert_eq!(ask("family=nguyen"), "c|");
    // Wildcards of a database.
    assert_eq!(ask("family=under_"), "d|e");
    assert_eq!(ask("family=%25"), "|a b c d e");
    // Case of a token (§3.1.1.4.10), an OID without its form.
    assert_eq!(ask("email=d@mail.example"), "e|d");
    assert_eq!(ask("email=D@MAIL.example"), "|d e");
    assert_eq!(ask("identifier=2a7"), "|e");
    assert_eq!(ask("identifier=1.2|2A7"), "|e");
    assert_eq!(ask("identifier=urn:oid:1.2|2A7"), "e|");
    assert_eq!(ask("gender=FEMALE"), "|a");
    assert_eq!(ask("gender=http://other.example|female"), "|a");
    // What a record does not say.
    assert_eq!(ask("active=true"), "a|b c d e");
    assert_eq!(ask("active:missing=true"), "b c d e|");
    assert_eq!(ask("deceased=true"), "c|");
    assert_eq!(ask("deceased=false"), "|a b d e");
    assert_eq!(ask("death-date:missing=false"), "|");
    assert_eq!(ask("birthdate=ne1958"), "c|a b d e");
    // Forms of a reference (§3.1.1.4.13).
    assert_eq!(ask("organization=1"), "b|");
    assert_eq!(ask("organization=Organization/1"), "b|");
    assert_eq!(
        ask("organization=https://h.example/fhir/Organization/1"),
        "|b"
    );
    assert_eq!(ask("organization=2"), "|");
    // Values a server refuses, leaves out or takes for the start of everything.
    assert_eq!(ask("family=oeuv,"), "b|a c d e");
    assert_eq!(ask("family:missing=perhaps"), "|a b c d e");
    assert_eq!(ask("family=oeuv\\$"), "|");
    assert_eq!(ask("family=%20oeuv"), "|a b");
}

#[test]
fn the_neighbouring_snapshots_decide() {
    let b = base();
    // Before the change of c and the creation of d, then after.
    assert_eq!(
        asked(&b, "/fhir/Patient?family=dur", "", "2025-09-06T07:00:00Z").0,
        ["c"]
    );
    assert_eq!(
        asked(
            &b,
            "/fhir/Patient?family=MARTIN",
            "",
            "2025-09-06T07:00:00Z"
        )
        .0,
        ["a", "b"]
    );
    assert_eq!(
        asked(
            &b,
            "/fhir/Patient?family=MARTIN",
            "",
            "2025-09-06T09:00:00Z"
        )
        .0,
        ["a", "b", "d"]
    );
    // A criterion nobody can weigh makes matches possible, not certain and not absent.
    let (sure, maybe) = asked(
        &b,
        "/fhir/Patient?family=MARTIN&general-practitioner=Practitioner/1",
        "",
        "2025-09-06T09:00:00Z",
    );
    assert_eq!((sure.len(), maybe.len()), (0, 3));
}

#[test]
fn requests_are_taken_apart() {
    let b = base();
    let what = |u: &str| fhir::ask(&b, u, "").what;
    assert!(
        matches!(what("https://h.example/r4/Patient/a?_format=json"), What::Read { id, everything: false, .. } if id == "a")
    );
    assert!(matches!(
        what("/fhir/Patient/a/$everything"),
        What::Read {
            everything: true,
            ..
        }
    ));
    assert!(matches!(what("/fhir/Patient/$match"), What::Match));
    assert!(matches!(
        what("/fhir/Patient/$export"),
        What::Export { group: None }
    ));
    assert!(
        matches!(what("/fhir/Patient/$ihe-pix?sourceIdentifier=urn:oid:1.2|100"), What::Pix { source, .. } if source == "urn:oid:1.2|100")
    );
    assert!(
        matches!(what("/fhir/Observation?patient=Patient/a&code=1"), What::Others { patients, narrowed: true, .. } if patients == ["Patient/a"])
    );
    assert!(
        matches!(what("/fhir?_getpages=x1&_getpagesoffset=20"), What::Page { token } if token == "x1")
    );
    assert!(matches!(what("/healthz"), What::Nothing));
    assert!(matches!(what("/fhir/metadata"), What::Nothing));
    let a = fhir::ask(
        &b,
        "/fhir/Patient/_search",
        "family=Dia&birthdate=ge1948-01-01&_count=20",
    );
    assert_eq!(a.paging.count, Some(20));
}

#[test]
fn what_the_question_knew_is_no_news() {
    let b = base();
    let known = |q: &str| {
        let (e, _) = fhir::patient_search(&b, q);
        let mut c: Vec<&str> = e.known(&b, 0).iter().map(Category::code).collect();
        c.sort();
        (c.join(" "), e.names_one())
    };
    assert_eq!(
        known("family=martin&given=elodie&birthdate=1957-03-02"),
        ("ID.DOB ID.NAME".into(), true)
    );
    assert_eq!(known("family=mart&birthdate=1957"), (String::new(), false));
    assert_eq!(known("identifier=100"), ("ID.LOCAL".into(), true));
    assert_eq!(known("phone=%2B33100"), ("CONTACT.PHONE".into(), false));
}

fn table() -> Vec<Table> {
    ampleur_event::Context::parse(
        "[[table]]\nname = \"public.patient\"\ncolumns = { ipp = \"identifier:urn:oid:1.2\", nom = \"name.family:official\", prenom = \"name.given\", naissance = \"birthDate\", sexe = \"gender\", tel = \"telecom:phone\", soin = { category = \"HEALTH.DRUG\" } }",
    )
    .unwrap()
    .tables
}

#[test]
fn what_a_database_sets_aside_in_texts_decides_who_was_found() {
    let b = base();
    let tables = table();
    let ask = |s: &str, texts: Texts| {
        let st = sql::parse(s, &tables).compared(texts);
        let at = t("2025-09-06T18:00:00Z");
        let a = search(&b, &st.rows, at, &|_| true);
        assert_eq!(a, search_slowly(&b, &st.rows, at, &|_| true), "{s}");
        let ids = |h: &[Hit]| -> Vec<&str> { h.iter().map(|h| b.logical_id(h.record)).collect() };
        (ids(&a.certain).join(" "), ids(&a.possible).join(" "))
    };
    let declared = |name: &str| {
        let c = ampleur_event::context::Comparison {
            collation: Some(name.into()),
            ..Default::default()
        };
        Texts::SQL.declared(Some(&c))
    };
    let (none, a) = (String::new(), String::from("a"));
    for s in [
        "SELECT * FROM patient WHERE prenom = 'Elodie'",
        "SELECT * FROM patient WHERE prenom IN ('Zoé', 'elodie')",
        "SELECT * FROM patient WHERE prenom LIKE 'elod%'",
    ] {
        assert_eq!(ask(s, Texts::BYTES), (none.clone(), none.clone()), "{s}");
        assert_eq!(ask(s, Texts::SQL), (none.clone(), a.clone()), "{s}");
        assert_eq!(
            ask(s, declared("French_CI_AI")),
            (a.clone(), none.clone()),
            "{s}"
        );
        assert_eq!(
            ask(s, declared("French_CI_AS")),
            (none.clone(), none.clone()),
            "{s}"
        );
    }
    // Whoever is perhaps equal is perhaps unequal too.
    let (yes, maybe) = ask("SELECT * FROM patient WHERE prenom <> 'Elodie'", Texts::SQL);
    assert!(maybe == "a" && !yes.contains('a'), "{yes}|{maybe}");
}

#[test]
fn statements_are_replayed() {
    let b = base();
    let tables = table();
    let ask = |s: &str| {
        let st = sql::parse(s, &tables);
        let a = search(&b, &st.rows, t("2025-09-06T18:00:00Z"), &|_| true);
        assert_eq!(
            a,
            search_slowly(&b, &st.rows, t("2025-09-06T18:00:00Z"), &|_| true),
            "{s}"
        );
        let ids = |h: &[Hit]| {
            h.iter()
                .map(|h| b.logical_id(h.record))
                .collect::<Vec<_>>()
                .join(" ")
        };
        format!("{}|{}", ids(&a.certain), ids(&a.possible))
    };
    assert_eq!(
        ask("SELECT * FROM patient WHERE nom LIKE 'MART%'"),
        "a b d|"
    );
    assert_eq!(
        ask("select nom from public.patient p where p.nom ilike 'mart%' and p.sexe = 'F'"),
        "a|"
    );
    assert_eq!(
        ask("SELECT nom FROM \"patient\" WHERE nom = 'MARTIN' OR ipp IN ('300', '200')"),
        "a b c d|"
    );
    assert_eq!(
        ask("SELECT nom FROM patient WHERE naissance BETWEEN '1957-01-01' AND '1957-06-30'"),
        "a d|"
    );
    assert_eq!(
        ask(
            "SELECT nom FROM patient WHERE extract(year from naissance) = 1957 AND NOT nom = 'MARTINEZ'"
        ),
        "a d|"
    );
    assert_eq!(
        ask("SELECT nom FROM patient WHERE upper(prenom) = 'LÉA'"),
        "d|"
    );
    assert_eq!(
        ask("SELECT nom FROM patient WHERE unaccent(prenom) = 'ELODIE'"),
        "a|"
    );
    assert_eq!(ask("SELECT nom FROM patient WHERE tel IS NOT NULL"), "a|");
    assert_eq!(
        ask("SELECT nom FROM patient WHERE tel IS NULL AND nom <> 'MARTIN'"),
        "b c|"
    );
    assert_eq!(
        ask("SELECT nom FROM patient WHERE '1958-01-01' <= naissance"),
        "c|"
    );
    assert_eq!(
        ask(
            "SELECT nom FROM patient WHERE naissance >= date '1957-11-01' AND naissance < '1958-01-01'::date"
        ),
        "b|"
    );
    assert_eq!(
        ask(
            "SELECT nom FROM patient WHERE (nom LIKE 'MARC%' OR (nom = 'MARTIN' AND prenom = 'LÉA'))"
        ),
        "c d|"
    );
    assert_eq!(
        ask("SELECT nom FROM patient WHERE soin = 'x' AND nom = 'MARTIN'"),
        "|a d",
        "a column nobody can weigh"
    );
    assert_eq!(ask("SELECT nom FROM patient WHERE nom = $1"), "|a b c d");
    assert_eq!(
        ask("SELECT p.nom FROM patient p JOIN sejour s ON s.pid = p.id WHERE p.nom = 'MARTIN'"),
        "|a d"
    );
    assert_eq!(
        ask(
            "SELECT p.nom FROM patient p LEFT JOIN sejour s ON s.pid = p.id WHERE p.nom = 'MARTIN'"
        ),
        "a d|"
    );
    assert_eq!(ask("COPY public.patient TO STDOUT"), "a b c d|");
    assert_eq!(
        ask("COPY (SELECT nom FROM patient WHERE nom LIKE '%TIN') TO STDOUT"),
        "a d|"
    );
}

#[test]
fn functions_lists_and_sets_are_weighed() {
    let b = base();
    let tables = table();
    for (condition, who) in [
        ("nom = ANY('{MARTIN,\"X, Y\"}')", "a d"),
        ("nom = ANY('{MARTIN}'::text[])", "a d"),
        ("nom <> ALL(ARRAY['MARTIN','X'])", "b c"),
        ("nom LIKE ANY (ARRAY['%TIN','MARC%'])", "a c d"),
        (
            "nom SIMILAR TO '(MARC|MARTI)%' AND nom NOT SIMILAR TO '%(Z|x)'",
            "a c d",
        ),
        ("nom ~ 'T.N$'", "a d"),
        ("nom ~* '^mart.+z$'", "b"),
        ("nom !~ '^[A-L]' AND nom !~ 'TIN'", "c"),
        ("nom REGEXP '^(MARTINEZ|MARCHAL)$'", "b c"),
        // Of c the year alone is known.
        ("to_char(naissance, 'DD/MM/YYYY') = '02/03/1957'", "a d|c"),
        ("date_format(naissance, '%Y-%m') = '1957-11'", "b|c"),
        ("date_part('month', naissance) = 11", "b|c"),
        (
            "extract(day from naissance) < 3 AND month(naissance) = 3",
            "a d|c",
        ),
        ("position('TINE' IN nom) > 0", "b"),
        ("strpos(nom, 'TIN') = 4 AND char_length(nom) < 7", "a d"),
        ("length(nom) > 7", "b"),
        // Bytes or characters: both say so.
        ("length(prenom) > 5", "a"),
        ("coalesce(tel, nom) = 'MARTINEZ'", "b"),
        ("NOT coalesce(tel, nom) = 'MARTINEZ'", "a c d"),
        ("coalesce(tel, '-') <> '-'", "a"),
        ("replace(nom, 'TIN', 'X') = 'MARX'", "a d"),
        ("ipp::int BETWEEN 150 AND 250", "b"),
        ("ipp::int % 200 = 0 AND mod(ipp::int, 3) = 2", "b"),
        ("nom COLLATE \"C\" > 'MARTIN'", "b"),
        (
            "tel IS NOT DISTINCT FROM NULL AND nom IS DISTINCT FROM 'MARTIN'",
            "b c",
        ),
        ("tel IS DISTINCT FROM 'x' AND ipp <=> '100'", "a"),
        ("(tel IS NULL) IS NOT TRUE", "a"),
        // Neither is NULL: its opposite holds of whoever has no telephone.
        ("NOT ((tel = 'x') IS TRUE)", "a b c d"),
        ("NOT (tel IS NOT DISTINCT FROM '+33100')", "b c d"),
        ("NOT coalesce(tel, tel) = 'x'", "a"),
        ("nom NOT LIKE ANY (ARRAY['MARTIN%','X'])", "a b c d"),
        ("nom NOT LIKE ALL (ARRAY['MARTIN%','X'])", "c"),
        ("(tel = 'x') IS NOT FALSE", "b c d"),
        ("naissance = str_to_date('02/03/1957', '%d/%m/%Y')", "a d"),
        ("nom = 'MARTIN' # AND 1=0", "a d"),
    ] {
        let s = format!("SELECT nom FROM patient WHERE {condition}");
        let who = match who.contains('|') {
            true => who.to_string(),
            false => format!("{who}|"),
        };
        assert_eq!(told(&b, &tables, &s), who, "{condition}");
    }
    for (s, who) in [
        (
            "SELECT 1; SELECT nom FROM patient WHERE nom = 'MARTIN';",
            "a d|",
        ),
        (
            "SELECT ipp, nom FROM patient WHERE nom = 'MARTIN' UNION ALL SELECT ipp, nom FROM patient WHERE nom = 'MARCHAL'",
            "a c d|",
        ),
        (
            "SELECT ipp FROM patient WHERE nom LIKE 'M%' EXCEPT SELECT ipp FROM patient WHERE tel IS NULL",
            "a|",
        ),
        (
            "SELECT ipp, nom FROM patient WHERE nom LIKE 'MART%' INTERSECT SELECT ipp, nom FROM patient WHERE tel IS NULL",
            "b d|",
        ),
        (
            "SELECT x.n FROM (SELECT nom, naissance AS n FROM patient WHERE nom LIKE 'MART%') x WHERE x.n < '1957-06-01'",
            "a d|",
        ),
        (
            "SELECT n FROM (SELECT p.nom n FROM patient p) AS y WHERE y.n = 'MARCHAL'",
            "c|",
        ),
        (
            "WITH z AS (SELECT * FROM patient WHERE nom LIKE 'MART%'), y AS NOT MATERIALIZED (SELECT nom AS n, ipp FROM z) SELECT n FROM y WHERE y.ipp = '200'",
            "b|",
        ),
        (
            "WITH z AS (SELECT nom FROM patient WHERE nom = 'MARTIN') SELECT q.nom FROM z q",
            "a d|",
        ),
        // A name means what it was given last.
        (
            "SELECT b FROM (SELECT nom AS b, ipp FROM (SELECT prenom AS nom, nom AS ipp FROM patient) x) y WHERE b = 'ANNE' AND ipp = 'MARCHAL'",
            "c|",
        ),
    ] {
        assert_eq!(told(&b, &tables, s), who, "{s}");
    }
    // Where nobody told how the server compares, what it may set aside stays open.
    let open = |condition: &str| {
        let s = format!("SELECT nom FROM patient WHERE {condition}");
        let st = sql::parse(&s, &tables).compared(Texts::SQL);
        let a = search(&b, &st.rows, t("2025-09-06T18:00:00Z"), &|_| true);
        (a.certain.len(), a.possible.len())
    };
    assert_eq!(open("nom REGEXP 'tin$'"), (0, 2));
    assert_eq!(open("nom REGEXP 'TIN$'"), (2, 0));
    assert_eq!(open("instr(nom, 'tin') > 0"), (0, 3));
}

/// Who comes back for certain and perhaps.
fn told(b: &IdentityBase, tables: &[Table], s: &str) -> String {
    let st = sql::parse(s, tables);
    assert!(!st.reshaped, "{s}");
    let at = t("2025-09-06T18:00:00Z");
    let a = search(b, &st.rows, at, &|_| true);
    assert_eq!(a, search_slowly(b, &st.rows, at, &|_| true), "{s}");
    let ids = |h: &[Hit]| {
        h.iter()
            .map(|h| b.logical_id(h.record))
            .collect::<Vec<_>>()
            .join(" ")
    };
    format!("{}|{}", ids(&a.certain), ids(&a.possible))
}

#[test]
fn whole_rows_and_first_values_show_what_they_hold() {
    let tables = table();
    let p = |s: &str| sql::parse(s, &tables);
    for s in [
        "SELECT p FROM patient p WHERE nom = 'X'",
        "SELECT row_to_json(p) FROM public.patient AS p",
        "SELECT to_jsonb(patient) AS j FROM patient",
    ] {
        let s = p(s);
        assert!(s.star && s.columns.is_empty(), "{s:?}");
    }
    // A column of that name is the column; of a join it may be another table's row.
    assert!(!p("SELECT nom FROM patient nom").star);
    assert!(!p("SELECT s FROM patient p JOIN sejour s ON s.p = p.ipp").star);
    let s = p("SELECT coalesce(tel, p.nom, '-') AS t, ipp FROM patient p");
    assert_eq!(s.columns, ["ipp", "tel"]);
    assert!(s.perhaps.contains(&"nom".to_string()), "{s:?}");
    let order = |s: &str| p(s).order;
    let ipp = ColumnPath::Identifier(Some("urn:oid:1.2".into()));
    assert_eq!(
        order("SELECT nom FROM patient p ORDER BY p.ipp DESC LIMIT 3"),
        Some((ipp.clone(), true))
    );
    assert_eq!(
        order("SELECT nom FROM patient ORDER BY ipp, nom"),
        Some((ipp, false))
    );
    assert_eq!(order("SELECT nom FROM patient ORDER BY lower(nom)"), None);
}

#[test]
fn what_a_statement_may_mean_is_never_ruled_out() {
    let b = base();
    let tables = table();
    let ask = |s: &str| {
        let st = sql::parse(s, &tables);
        let a = search(&b, &st.rows, t("2025-09-06T18:00:00Z"), &|_| true);
        assert_eq!(
            a,
            search_slowly(&b, &st.rows, t("2025-09-06T18:00:00Z"), &|_| true),
            "{s}"
        );
        let ids = |h: &[Hit]| {
            h.iter()
                .map(|h| b.logical_id(h.record))
                .collect::<Vec<_>>()
                .join(" ")
        };
        format!("{}|{}", ids(&a.certain), ids(&a.possible))
    };
    for (statement, answer) in [
        // NULL satisfies neither a comparison nor its opposite: b and d have no telephone.
        ("SELECT nom FROM patient WHERE NOT tel = 'x'", "a|"),
        (
            "SELECT nom FROM patient WHERE NOT (tel = 'x' OR nom = 'MARTINEZ')",
            "a|",
        ),
        // Another table's column of the same name says nothing about this one's.
        (
            "SELECT p.nom FROM patient p LEFT JOIN medecin m ON m.id = p.m WHERE m.nom = 'X'",
            "|a b c d",
        ),
        (
            "SELECT p.nom FROM patient p LEFT JOIN (SELECT id FROM x WHERE nom = 'X') y ON y.id = p.m",
            "a b c d|",
        ),
        (
            "SELECT nom FROM patient WHERE nom SIMILAR TO 'M\\_%'",
            "|a b c d",
        ),
        (
            "SELECT nom FROM patient WHERE nom = 'MARTIN' OR nom REGEXP '\\bX$'",
            "a d|b c",
        ),
        (
            "SELECT nom FROM patient WHERE nom = 'MARTIN' UNION SELECT prenom FROM patient",
            "|a b c d",
        ),
        (
            "SELECT nom FROM patient WHERE nom = 'X' EXCEPT SELECT nom FROM sejour UNION SELECT nom FROM patient",
            "|a b c d",
        ),
        // Two persons of one name: whose row is left out cannot be told, who is in the second selection is.
        (
            "SELECT nom FROM patient WHERE nom LIKE 'M%' EXCEPT SELECT nom FROM patient WHERE prenom = 'ANNE'",
            "|a b d",
        ),
        (
            "SELECT nom FROM patient WHERE nom = ANY(SELECT nom FROM x)",
            "|a b c d",
        ),
        (
            "SELECT nom FROM patient WHERE nom = ANY('{MARTIN,NULL}')",
            "|a b c d",
        ),
        (
            "SELECT x.nom FROM (SELECT upper(nom) AS nom FROM patient) x WHERE x.nom = 'X'",
            "|a b c d",
        ),
        (
            "WITH RECURSIVE z AS (SELECT nom FROM patient) SELECT nom FROM z",
            "|a b c d",
        ),
        (
            "WITH z(n) AS (SELECT nom FROM patient WHERE nom = 'X') SELECT n FROM z",
            "|a b c d",
        ),
        (
            "WITH z AS (SELECT nom FROM patient) SELECT 1 FROM medecin WHERE nom IN (SELECT nom FROM z)",
            "|a b c d",
        ),
        (
            "SELECT nom FROM patient WHERE coalesce(soin, nom) = 'MARTIN'",
            "|a b c d",
        ),
        (
            "SELECT nom FROM patient WHERE nom LIKE 'MART!%' ESCAPE '!'",
            "|",
        ),
        (
            "SELECT nom FROM patient WHERE left(nom, 4) = 'MART'",
            "a b d|",
        ),
        (
            "SELECT nom FROM patient WHERE nom::varchar(3) = 'MAR'",
            "|a b c d",
        ),
        (
            "SELECT nom FROM patient WHERE nom = 'X'; SELECT nom FROM patient",
            "|a b c d",
        ),
    ] {
        assert_eq!(ask(statement), answer, "{statement}");
    }
    let reshaped = |s: &str| sql::parse(s, &tables).reshaped;
    assert!(reshaped("SELECT nom FROM patient LIMIT $1"));
    assert!(reshaped("SELECT DISTINCT ON (nom) nom FROM patient"));
    let declared = sql::parse("DECLARE c CURSOR FOR SELECT nom FROM patient", &tables);
    assert!(declared.cursor && !declared.reshaped);
    let fetched = |s: &str| match sql::cursor(s) {
        Some(sql::Cursor::Fetched(c, n)) => Some((c, n)),
        _ => None,
    };
    for (s, n) in [
        ("FETCH c", 1),
        ("FETCH NEXT FROM c", 1),
        ("fetch forward 20 from \"c\";", 20),
        ("FETCH 20 IN c", 20),
        ("FETCH ALL FROM c", u64::MAX),
        ("FETCH FORWARD ALL FROM c", u64::MAX),
    ] {
        assert_eq!(fetched(s), Some(("c".into(), n)), "{s}");
    }
    for s in [
        "FETCH BACKWARD 20 FROM c",
        "FETCH LAST FROM c",
        "MOVE 20 FROM c",
    ] {
        assert_eq!(sql::cursor(s), Some(sql::Cursor::Moved("c".into())), "{s}");
    }
    assert_eq!(sql::cursor("SELECT nom FROM patient"), None);
    assert!(!reshaped("SELECT nom FROM patient LIMIT ALL"));
    let s = sql::parse("SELECT nom FROM patient LIMIT 20, 10", &tables);
    assert_eq!((s.limit, s.offset), (Some(10), Some(20)));
}

/// Values a log tells beside the statement are as good as written in it; what it does not tell stays open.
#[test]
fn parameters_are_put_where_they_belong() {
    let tables = table();
    let rows = |s: &str| sql::parse(s, &tables).rows;
    let plain = rows("SELECT nom FROM patient WHERE ipp = '100' AND nom LIKE 'D''A%'");
    for given in [
        "SELECT nom FROM patient WHERE ipp = $1 AND nom LIKE $2\n-- parameters: $1 = '100', $2 = 'D''A%'",
        "SELECT nom FROM patient WHERE ipp = $1 AND nom LIKE $2\n-- parameters: 100,D'A%",
        "SELECT nom FROM patient WHERE ipp = :1 AND nom LIKE :B2\n-- parameters: #1(3):100 #2(4):D'A%",
        "SELECT nom FROM patient WHERE ipp = ? AND nom LIKE ?\n-- parameters: \"100\",\"D'A%\"",
    ] {
        assert_eq!(rows(given), plain, "{given}");
    }
    // A length may be one of bytes.
    assert_eq!(
        rows(
            "SELECT nom FROM patient WHERE nom = :1 AND ipp = :2\n-- parameters: #1(5):LÉVY #2(3):100"
        ),
        rows("SELECT nom FROM patient WHERE nom = 'LÉVY' AND ipp = '100'")
    );
    let swapped = "SELECT nom FROM patient WHERE nom LIKE $2 AND ipp = $1\n-- parameters: $1 = '100', $2 = 'D''A%'";
    assert_eq!(
        rows(swapped),
        rows("SELECT nom FROM patient WHERE nom LIKE 'D''A%' AND ipp = '100'")
    );
    let open = rows("SELECT nom FROM patient WHERE ipp = $1");
    for cut in [
        "SELECT nom FROM patient WHERE ipp = $1\n-- parameters: $1 = '10...'",
        "SELECT nom FROM patient WHERE ipp = $2\n-- parameters: $1 = '100'",
        "SELECT nom FROM patient WHERE ipp = $1\n-- parameters: $1 = '100",
        "SELECT nom FROM patient WHERE ipp = :1\n-- parameters: #1(9):100",
        "SELECT nom FROM patient WHERE ipp = $1\n-- parameters: <not logged>",
        "SELECT nom FROM patient WHERE ipp = $2\n-- parameters: 7,<long param suppressed>",
        "SELECT nom FROM patient WHERE ipp = $1\n-- parameters: ,7",
        "SELECT nom FROM patient WHERE ipp = :1\n-- parameters: #1(2):100",
    ] {
        assert_eq!(rows(cut), open, "{cut}");
    }
    let s = sql::parse(
        "SELECT nom FROM patient LIMIT $1 OFFSET $2\n-- parameters: $1 = '50', $2 = '100'",
        &tables,
    );
    assert_eq!((s.limit, s.offset), (Some(50), Some(100)));
}

/// What is not understood, or done by a routine whose text is elsewhere, is never taken for nothing.
#[test]
fn what_is_not_understood_is_not_nothing() {
    let tables = table();
    let p = |s: &str| sql::parse(s, &tables);
    for unknown in [
        "",
        "EXEC dbo.lire_patient 42",
        "CALL lire_patient(42)",
        "BEGIN lire_patient(42); END;",
        "DO $$ BEGIN PERFORM 1; END $$",
        "HANDLER patient READ FIRST",
        "SELECT lire_patient(42)",
        "SELECT dossier.lire(42) AS d",
        "{\"find\": \"patient\"}",
        "UNLOAD patient",
    ] {
        assert_eq!(p(unknown).kind, sql::Kind::Unknown, "{unknown}");
    }
    for nothing in [
        "BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "BEGIN;",
        "SET search_path = dpi",
        "SELECT version(), now()",
        "SELECT pg_sleep(3)",
        "SHOW TABLES",
    ] {
        assert_eq!(p(nothing).kind, sql::Kind::Nothing, "{nothing}");
    }
    // A selection inside an item, and one in quotes, show what they show.
    let s = p("SELECT (SELECT nom FROM patient LIMIT 1)");
    assert_eq!(
        (s.kind, s.tables.join(" "), s.reshaped),
        (sql::Kind::Select, "patient".into(), true)
    );
    assert_eq!(
        p("SELECT (SELECT count(*) FROM patient)").kind,
        sql::Kind::Nothing
    );
    let s = p(r"'SELECT nom FROM patient WHERE ipp = \'100\''");
    assert_eq!(
        (s.kind, s.columns.join(" ")),
        (sql::Kind::Select, "nom".into())
    );
    // The least of many values is somebody's; a number of rows is nobody's.
    let s = p("SELECT max(nom) FROM patient");
    assert_eq!(
        (s.kind, s.columns.join(" "), s.reshaped),
        (sql::Kind::Select, "nom".into(), true)
    );
    assert_eq!(
        p("SELECT count(*) AS n, sum(x) FROM patient").kind,
        sql::Kind::Aggregate
    );
    assert_eq!(
        p("SELECT count(*) || string_agg(nom, ',') FROM patient").kind,
        sql::Kind::Select
    );
    let s =
        p("(SELECT CASE WHEN nom LIKE 'MA%' THEN nom END, coalesce(tel, ''), ipp FROM patient)");
    assert_eq!(
        (s.columns.join(" "), s.perhaps.join(" ")),
        ("ipp tel".into(), "nom nom".into())
    );
    for (sql, star, columns, perhaps) in [
        (
            "UPDATE patient SET email = email WHERE ipp = '1' RETURNING nom, p.prenom AS x",
            false,
            vec!["nom", "prenom"],
            vec![],
        ),
        (
            "DELETE FROM patient WHERE ipp = '1' RETURNING upper(nom), ipp;",
            false,
            vec!["ipp"],
            vec!["upper", "nom"],
        ),
        (
            "UPDATE patient SET ville = 'X' OUTPUT deleted.nom WHERE ipp = '1'",
            false,
            vec!["nom"],
            vec![],
        ),
        (
            "DELETE FROM patient WHERE ipp = '1' RETURNING *",
            true,
            vec![],
            vec![],
        ),
    ] {
        let s = p(sql);
        assert!(s.returning, "{sql}");
        assert_eq!(
            (s.star, s.columns),
            (star, columns.iter().map(|c| c.to_string()).collect()),
            "{sql}"
        );
        assert_eq!(s.perhaps, perhaps, "{sql}");
    }
    let s = p("DELETE FROM patient WHERE ipp = '100' RETURNING *");
    assert_eq!(
        (s.kind, s.returning, s.star),
        (sql::Kind::Delete, true, true)
    );
}

#[test]
fn statements_are_taken_apart() {
    let tables = table();
    let p = |s: &str| sql::parse(s, &tables);
    let s = p(
        "SELECT p.ipp, upper(p.nom) AS n, soin s FROM public.patient AS p ORDER BY nom LIMIT 50 OFFSET 100;",
    );
    assert_eq!(
        (s.columns.join(" "), s.limit, s.offset),
        ("ipp nom soin".into(), Some(50), Some(100))
    );
    assert_eq!(p("SELECT count(*) FROM patient").kind, sql::Kind::Aggregate);
    assert_eq!(p("SELECT 1").kind, sql::Kind::Nothing);
    assert_eq!(p("BEGIN").kind, sql::Kind::Nothing);
    assert_eq!(p("EXPLAIN SELECT * FROM patient").kind, sql::Kind::Nothing);
    assert_eq!(p("SELECT TOP 10 nom FROM dbo.patient").limit, Some(10));
    assert_eq!(
        p("SELECT nom FROM patient FETCH FIRST 7 ROWS ONLY").limit,
        Some(7)
    );
    assert_eq!(
        p("COPY patient (nom, tel) TO '/tmp/x'").columns,
        ["nom", "tel"]
    );
    assert_eq!(p("COPY patient FROM STDIN").kind, sql::Kind::Insert);
    let s = p("UPDATE patient SET tel = '+33', nom='X' WHERE ipp = '100'");
    assert_eq!((s.kind, s.set.len()), (sql::Kind::Update, 2));
    assert_eq!(
        p("execute <unnamed>: SELECT nom FROM patient").kind,
        sql::Kind::Select
    );
    assert!(
        p("SELECT t.* FROM (SELECT nom, tel FROM patient) t")
            .columns
            .contains(&"tel".to_string())
    );
    // Nonsense and deep nesting end.
    p(&"(".repeat(100_000));
    p(&format!(
        "SELECT a FROM b WHERE {}1=1",
        "NOT (".repeat(5_000)
    ));
    p("SELECT 'unclosed FROM x WHERE");
}

#[test]
fn like_is_sql_like() {
    for (p, t, want) in [
        ("MART%", "MARTIN", true),
        ("%TIN", "MARTIN", true),
        ("M_RTIN", "MARTIN", true),
        ("M%T%N", "MARTIN", true),
        ("MARTIN", "MARTINE", false),
        ("a\\%b", "a%b", true),
        ("a\\%b", "axb", false),
        ("%", "", true),
        ("", "x", false),
    ] {
        assert_eq!(sql::like(p, t), want, "{p} {t}");
    }
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "A", "AB", "ABBÉ", "ÀBE", "B", "BA", "Bac", "C D", "c-d",
    ])
    .prop_map(str::to_string)
}
fn birth() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "1950",
        "1950-02",
        "1950-02-03",
        "1950-12-31",
        "1951-01-01",
        "1951",
        "1952-07-07",
        "",
    ])
    .prop_map(str::to_string)
}
fn version() -> impl Strategy<Value = (String, String, String, bool, bool)> {
    (
        word(),
        word(),
        birth(),
        any::<bool>(),
        prop::bool::weighted(0.9),
    )
}
fn lines(records: &[(String, String, String, bool, bool)], number: u32, at: &str) -> String {
    records
        .iter()
        .enumerate()
        .filter(|(_, r)| r.4)
        .map(|(i, (f, g, d, active, _))| {
            let birth = if d.is_empty() { String::new() } else { format!(",\"birthDate\":\"{d}\"") };
            patient(
                &format!("p{i}"),
                &format!("\"meta\":{{\"versionId\":\"{number}\",\"lastUpdated\":\"{at}\"}},\"identifier\":[{}],\"active\":{active},\"name\":[{{\"use\":\"official\",\"family\":\"{f}\",\"given\":[\"{g}\"]}}]{birth}", ident("PI", "urn:oid:1.2", &format!("{}", i / 2), "usual")),
            )
        })
        .collect::<Vec<_>>()
        .join("\n")
}
fn criterion() -> impl Strategy<Value = String> {
    let op = prop::sample::select(vec![
        "", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap",
    ]);
    prop_oneof![
        (
            prop::sample::select(vec![
                "family",
                "given",
                "name",
                "family:exact",
                "given:contains",
                "name:exact"
            ]),
            word()
        )
            .prop_map(|(k, v)| format!("{k}={v}")),
        (op, birth()).prop_map(|(o, d)| format!("birthdate={o}{d}")),
        (0u32..6).prop_map(|i| format!("identifier=urn:oid:1.2|{i}")),
        Just("active=true".to_string()),
        Just("birthdate:missing=true".to_string()),
        (word(), word()).prop_map(|(a, b)| format!("family={a},{b}")),
        Just("general-practitioner=x".to_string()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn the_index_gives_what_the_slow_way_gives(
        one in prop::collection::vec(version(), 1..12),
        two in prop::collection::vec(version(), 1..12),
        number in 1u32..4,
        updated in prop::sample::select(vec!["2024-01-01T00:00:00Z", "2025-09-05T10:00:00Z", "2025-09-06T10:00:00Z"]),
        query in prop::collection::vec(criterion(), 0..4),
        at in prop::sample::select(vec!["2025-09-01T00:00:00Z", "2025-09-05T00:00:00Z", "2025-09-06T00:00:00Z", "2025-09-07T00:00:00Z", "2025-09-30T00:00:00Z"]),
    ) {
        let b = IdentityBase::from_lines(&[
            (t(T0), &lines(&one, 1, "2024-01-01T00:00:00Z")),
            (t(T1), &lines(&two, number, updated)),
        ]);
        let (e, _) = fhir::patient_search(&b, &query.join("&"));
        let fast = search(&b, &e, t(at), &|_| true);
        prop_assert_eq!(&fast, &search_slowly(&b, &e, t(at), &|_| true));
        let many = search_many(&b, &[(&e, t(at)); 5], &|_| true, 3, usize::MAX);
        prop_assert!(many.iter().all(|m| m.as_ref() == Some(&fast)));
        // Certain and possible share nobody.
        prop_assert!(fast.certain.iter().all(|h| !fast.possible.iter().any(|p| p.record == h.record)));
    }
    #[test]
    fn statements_never_panic(s in "[A-Za-z0-9 '\"().,*=<>%_$:;\\[\\]-]{0,120}") {
        sql::parse(&s, &table());
        sql::parse(&format!("SELECT nom FROM patient WHERE {s}"), &table());
    }
    #[test]
    fn requests_never_panic(s in ".{0,120}") {
        let b = base();
        fhir::ask(&b, &s, &s);
        fhir::ask(&b, &format!("/fhir/Patient?{s}"), &s);
    }
}

// ------------------------------------------------------------------ HL7 v2, LDAP, declared texts

fn compared(text: &str) -> ampleur_event::context::Comparison {
    Context::parse(&format!(
        "version = 1\n[[source]]\nfiles = \"logs/*\"\ncompare = {{ {text} }}\n"
    ))
    .expect("context")
    .sources
    .remove(0)
    .compare
    .expect("compare")
}

/// Certain and possible, by the index and the slow way.
fn of_server(b: &IdentityBase, url: &str, criteria: &str, compare: &str) -> (String, String) {
    let c = compared(compare);
    let server = fhir::Server {
        compare: (!compare.is_empty()).then_some(&c),
        patients: true,
    };
    let What::Patients(e) = fhir::ask_as(b, url, criteria, &server).what else {
        return ("no search".into(), String::new());
    };
    let at = t("2025-09-06T18:00:00Z");
    let a = search(b, &e, at, &|_| true);
    assert_eq!(a, search_slowly(b, &e, at, &|_| true), "{criteria}");
    let ids = |h: &[Hit]| -> String {
        h.iter()
            .map(|h| b.logical_id(h.record).to_string())
            .collect::<Vec<_>>()
            .join(" ")
    };
    // Whether the state itself is known is not asked here.
    (ids(&a.certain), ids(&a.possible))
}

fn qbp(kind: &str, qpd3: &str, rest: &str) -> String {
    format!(
        "MSH|^~\\&|A|B|C|D|20250906||QBP^{kind}^QBP_Q21|1|P|2.5\rQPD|IHE Query|7|{qpd3}{rest}\rRCP|I|10^RD\r"
    )
}

#[test]
fn hl7_queries_are_replayed() {
    let b = base();
    let pdq = |f: &str, how: &str| of_server(&b, "", &qbp("Q22", f, ""), how);
    let strict = "case = 'ignored', accents = 'ignored', phonetic = 'none'";
    let s = |a: &str, b: &str| (a.to_string(), b.to_string());
    assert_eq!(pdq("@PID.5.1^martin", strict), s("a d", ""));
    assert_eq!(
        pdq("@PID.5.1^martin~@PID.7^19570302", ""),
        s("", "a d"),
        "nobody says how case is compared"
    );
    assert_eq!(pdq("@PID.5.1^MARTIN~@PID.7^19570302", ""), s("a d", ""));
    assert_eq!(
        pdq("@PID.5.1^MARTHIN~@PID.7^19571130", ""),
        s("", "b"),
        "who was born that day may sound alike"
    );
    assert_eq!(pdq("@PID.5.1^MARTHIN~@PID.7^19571130", strict), s("", ""));
    assert_eq!(pdq("@PID.5.1^MART*", strict), s("", "a b d"));
    assert_eq!(pdq("@PID.5.1^MART*EZ~@PID.5.2^Jean", strict), s("", "b"));
    assert_eq!(
        pdq("@PID.5.1^MARTEN", "phonetic = 'soundex'"),
        s("", "a b d")
    );
    assert_eq!(
        pdq("@PID.3.1^100~@PID.3.4.2^1.2~@PID.3.4.3^ISO", ""),
        s("a", "")
    );
    assert_eq!(pdq("@PID.3.1^100~@PID.3.4.1^HOSP", ""), s("", "a"));
    assert_eq!(pdq("@PID.3.1^100~@PID.3.4.2^9.9", ""), s("", ""));
    assert_eq!(pdq("@PID.8^M~@PID.7^195711", ""), s("", "b"));
    assert_eq!(
        pdq(
            "@PID.11.3^Évry",
            "case = 'ignored', accents = 'kept', phonetic = 'none'"
        ),
        s("a", "")
    );
    assert_eq!(
        pdq(
            "@PID.11.3^Evry",
            "case = 'ignored', accents = 'kept', phonetic = 'none'"
        ),
        s("", "")
    );
    // Only patients with a number of the domain.
    assert_eq!(
        of_server(
            &b,
            "",
            &qbp("ZV1", "@PID.5.1^MARTIN", "|||||^^^X&1.2&ISO"),
            strict
        ),
        s("a", "d")
    );
    // What is not understood rules nobody out.
    assert_eq!(pdq("@PV1.3.1^WARD", "").1.split(' ').count(), 4);
    let pix = fhir::ask(&b, "", &qbp("Q23", "100^^^X&1.2&ISO", "|^^^&1.3&ISO~^^^N"));
    assert_eq!(
        pix.what,
        What::Pix {
            source: "urn:oid:1.2|100".into(),
            targets: vec!["1.3".into(), "N".into()]
        }
    );
    assert_eq!(
        of_server(&b, "", &qbp("Q21", "200^^^X&1.2&ISO", ""), ""),
        s("b", "")
    );
    let asked = fhir::ask(&b, "", &qbp("Q22", "@PID.8^F", ""));
    assert_eq!(asked.paging.count, Some(10));
    let next = format!("{}DSC|page-2|I\r", qbp("Q22", "@PID.8^F", ""));
    assert_eq!(
        fhir::ask(&b, "", &next).what,
        What::Page {
            token: "page-2".into()
        }
    );
}

#[test]
fn filters_of_a_directory_of_patients_are_replayed() {
    let b = base();
    let ldap = |f: &str| of_server(&b, "", f, "accents = 'ignored'");
    let s = |a: &str, b: &str| (a.to_string(), b.to_string());
    assert_eq!(ldap("(sn=martin)"), s("a d", ""));
    assert_eq!(ldap("(&(sn=mar*)(givenName=anne))"), s("c", ""));
    assert_eq!(ldap("(|(sn=m*ez)(givenName=lea))"), s("b d", ""));
    assert_eq!(ldap("(!(sn=mart*))"), s("c", ""));
    assert_eq!(ldap("(&(objectClass=*)(mail=*))"), s("a", ""));
    // Which classes its patients are of, a directory alone knows.
    for class in ["(objectClass=person)", "(!(objectClass=inetOrgPerson))"] {
        assert_eq!(ldap(&format!("(&{class}(sn=mart*))")), s("", "a b d"));
    }
    assert_eq!(ldap("(mail=e.m@MAIL.example)").1, "a");
    assert_eq!(ldap("(sn~=marten)"), s("", "a b c d"));
    assert_eq!(ldap("(birthDate>=19570601)"), s("", "b c"));
    assert_eq!(ldap("(cn=Jean Martinez)"), s("", "a b c d"));
    assert_eq!(ldap("(!(cn=Jean Martinez))"), s("", "a b c d"));
    assert_eq!(
        of_server(&b, "", "(givenName=elodie)", ""),
        s("", "a"),
        "directories differ on accents"
    );
    assert_eq!(
        of_server(&b, "", "(givenName=elodie)", "accents = 'kept'"),
        s("", "")
    );
    // Nobody said that the directory holds patients.
    assert!(!matches!(
        fhir::ask(&b, "", "(sn=martin)").what,
        What::Patients(_)
    ));
}

#[test]
fn a_server_is_asked_as_it_compares() {
    let b = base();
    let fhir = |q: &str, how: &str| of_server(&b, "/fhir/Patient", q, how);
    let s = |a: &str, b: &str| (a.to_string(), b.to_string());
    assert_eq!(fhir("given=elod", ""), s("a", ""));
    assert_eq!(fhir("given=elod", "accents = 'kept'"), s("", ""));
    assert_eq!(fhir("given=élod", "accents = 'kept'"), s("a", ""));
    assert_eq!(fhir("family=mart", "collation = 'C'"), s("", ""));
    assert_eq!(
        fhir("family=mart", "collation = 'French_CI_AI'"),
        s("a b d", "")
    );
    assert_eq!(
        fhir("family=marten", "phonetic = 'soundex'"),
        s("", "a b d")
    );
    assert_eq!(fhir("family=mart", "phonetic = 'other'"), s("a b d", "c"));
    assert!(
        Context::parse("version = 1\n[[source]]\nfiles = 'x'\ncompare = { case = 'no' }").is_err()
    );
}

fn how() -> impl Strategy<Value = String> {
    let one = |k: &'static str, v: Vec<&'static str>| {
        prop::option::of(prop::sample::select(v))
            .prop_map(move |v| v.map(|v| format!("{k} = '{v}'")).unwrap_or_default())
    };
    (
        one("case", vec!["kept", "ignored"]),
        one("accents", vec!["kept", "ignored"]),
        one("phonetic", vec!["none", "soundex", "other"]),
    )
        .prop_map(|(a, b, c)| {
            [a, b, c]
                .into_iter()
                .filter(|x| !x.is_empty())
                .collect::<Vec<_>>()
                .join(", ")
        })
}

fn leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        word().prop_map(|w| format!("(sn={w})")),
        word().prop_map(|w| format!("(givenName={w}*)")),
        word().prop_map(|w| format!("(sn=*{w}*)")),
        word().prop_map(|w| format!("(sn~={w})")),
        Just("(birthDate<=19600101)".to_string()),
        Just("(sn=*)".to_string()),
        Just("(uid=x)".to_string()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn other_questions_by_index_and_slowly(
        one in prop::collection::vec(version(), 1..12),
        fields in prop::collection::vec((prop::sample::select(vec!["5.1", "5.2", "7", "8", "11.3", "3.1"]), word()), 1..4),
        leaves in prop::collection::vec((leaf(), prop::sample::select(vec!["&", "|", "!"])), 1..4),
        how in how(),
    ) {
        let b = IdentityBase::from_lines(&[(t(T0), &lines(&one, 1, "2024-01-01T00:00:00Z"))]);
        let fields: Vec<String> = fields.iter().map(|(k, v)| format!("@PID.{k}^{v}")).collect();
        of_server(&b, "", &qbp("Q22", &fields.join("~"), ""), &how);
        let filter = leaves.iter().fold("(objectClass=*)".to_string(), |all, (l, op)| match *op {
            "!" => format!("(!(&{all}{l}))"),
            op => format!("({op}{all}{l})"),
        });
        of_server(&b, "", &filter, &how);
        of_server(&b, "/fhir/Patient", &format!("family={}", fields[0].rsplit('^').next().unwrap_or("")), &how);
    }
    #[test]
    fn other_questions_never_panic(s in ".{0,120}", f in "[(&|!)a-z=*~<>\\\\0-9:]{0,80}") {
        let b = base();
        let server = fhir::Server { compare: None, patients: true };
        fhir::ask_as(&b, "", &f, &server);
        fhir::ask_as(&b, &format!("ldap://h/?{s}"), &f, &server);
        for text in [qbp("Q22", &s, ""), qbp("Q23", &s, &s), format!("MSH{s}\rQPD|{s}"), qbp("Q22", &format!("@PID.5.1^{s}"), &f)] {
            fhir::ask_as(&b, "", &text, &server);
        }
    }
}

/// What a filter masked, or a limit of length cut, was asked in a way nobody knows: possible for all, certain for nobody.
#[test]
fn what_is_masked_or_cut_finds_nobody_for_certain() {
    let b = base();
    for query in ["*****", "family=*****", "family=XXXX", "family=[REDACTED]"] {
        let (e, _) = fhir::patient_search(&b, query);
        let a = search(&b, &e, t(T1), &|_| true);
        assert!(a.certain.is_empty() && !a.possible.is_empty(), "{query}");
    }
    let tables = table();
    for sql in [
        "SELECT nom FROM patient WHERE nom LIKE '*****'",
        "SELECT nom FROM patient WHERE nom LIKE 'MAR",
        "'SELECT nom FROM patient WHERE nom LIKE \\'MAR",
    ] {
        let st = sql::parse(sql, &tables);
        let cut = !sql.contains('*');
        assert!(
            format!("{:?}", st.rows).contains("Unknown") && st.reshaped == cut,
            "{sql}: {st:?}"
        );
    }
    let whole = sql::parse("SELECT nom FROM patient WHERE nom = 'O''BRIEN'", &tables);
    assert!(!whole.reshaped);
}
