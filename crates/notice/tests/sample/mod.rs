//! A made-up answer, as rich as a real one: usurped professionals on a regional identity server, five hospitals, twelve intruder sessions
//! in three waves, one hostile vendor tunnel, gaps, doubts, claims. Nobody in it exists.
#![allow(dead_code)]
use ampleur_event::Interval;
use ampleur_extent::model::*;
use ampleur_notice::Options;
use std::collections::BTreeMap;

pub const PLACES: [(&str, &str, u64, u64); 5] = [
    ("finess:609954771", "CH de Merville-Neuve", 1841, 2210),
    ("finess:599993433", "Hôpital de Crécy", 1102, 1409),
    ("finess:629956178", "CH de l’Yser-Français", 774, 1022),
    ("finess:609960661", "CH de Hautmont-le-Vieux", 495, 2063),
    ("finess:590000001", "Clinique Sainte-Ampoule", 0, 276),
];

pub fn options() -> Options {
    Options {
        zone: jiff::tz::TimeZone::get("Europe/Paris").expect("bundled zone"),
        zone_name: "Europe/Paris".into(),
        establishments: PLACES
            .iter()
            .map(|(id, name, _, _)| (id.to_string(), name.to_string()))
            .chain([(
                "finess:620000002".to_string(),
                "CH de Port-aux-Grues".to_string(),
            )])
            .collect::<BTreeMap<_, _>>(),
        simulated: true,
        ..Options::default()
    }
}

fn cell(e: &str, c: &str, v: &str, lo: u64, hi: u64, derived: &[&str]) -> Cell {
    Cell {
        establishment: e.into(),
        category: c.into(),
        verdict: v.into(),
        subjects: Interval::new(lo, hi),
        derived_from: derived.iter().map(|d| d.to_string()).collect(),
    }
}

fn reason(code: &str, fr: &str, en: &str, weight: f64) -> ReasonRow {
    ReasonRow {
        code: code.into(),
        fr: fr.into(),
        en: en.into(),
        weight,
    }
}

pub fn answer() -> Answer {
    let mut cells = Vec::new();
    for (e, _, lo, hi) in PLACES {
        let spread = hi - lo;
        for (c, share, derived) in [
            ("ID.NAME", 100, &[][..]),
            ("ID.SEX", 100, &[]),
            ("ID.DOB", 100, &[]),
            ("ID.BIRTHPLACE", 88, &["ID.NIR"]),
            ("ID.NIR", 61, &[]),
            ("ID.LOCAL", 100, &[]),
            ("CONTACT.PHONE", 82, &[]),
            ("CONTACT.EMAIL", 47, &[]),
            ("CONTACT.POSTAL", 93, &[]),
            ("CARE.EXISTENCE", 100, &["ID.LOCAL"]),
        ] {
            let n = lo * share / 100;
            let taken = n * 2 / 3;
            if n > 0 {
                cells.push(cell(
                    e,
                    c,
                    "exfiltrated",
                    taken,
                    taken + spread / 40,
                    derived,
                ));
                cells.push(cell(e, c, "consulted", n - taken, n - taken, derived));
            }
            cells.push(cell(e, c, "exposed", 0, spread * share / 100, derived));
        }
        if lo > 1000 {
            cells.push(cell(e, "COVER.RIGHTS", "consulted", lo / 9, lo / 8, &[]));
        }
    }
    cells.push(cell("finess:609954771", "STAFF.ID", "exposed", 0, 34, &[]));
    cells.sort_by(|a, b| {
        (&a.establishment, &a.category, &a.verdict).cmp(&(
            &b.establishment,
            &b.category,
            &b.verdict,
        ))
    });

    let people = [
        ("rpps:99700100020", "Dr S. Darras"),
        ("rpps:99700100133", "A. Bertrand"),
        ("rpps:99700100218", "A. Fabre"),
        ("rpps:99700100307", "L. Morel"),
    ];
    let mut sessions = Vec::new();
    let days = [
        (28, 1),
        (29, 0),
        (29, 2),
        (4, 1),
        (4, 3),
        (5, 0),
        (5, 1),
        (5, 2),
        (12, 3),
        (12, 0),
        (13, 1),
        (13, 3),
    ];
    for (i, (day, who)) in days.iter().enumerate() {
        let month = if *day > 20 { "08" } else { "09" };
        let hour = [1, 22, 3, 0, 2, 23, 4, 1, 2, 3, 0, 5][i];
        let minutes = [42, 95, 30, 64, 118, 77, 22, 51, 140, 66, 35, 88][i];
        let end = hour * 60 + 7 + minutes;
        let (end_day, end) = (day + end / 1440, end % 1440);
        let foreign = i % 4 == 1;
        sessions.push(SessionRow {
            id: format!("s{:04}", 310 + i * 37),
            chain: format!("c{:03}", 20 + i / 2),
            intrusion: Some("A".into()),
            account: Some(people[*who as usize].0.into()),
            source: if i % 3 == 2 {
                "logs/sri-idp/*"
            } else {
                "logs/sri/*"
            }
            .into(),
            origin: OriginRow {
                address: Some(if foreign {
                    format!("203.0.113.{}", 7 + i)
                } else {
                    format!("198.51.100.{}", 20 + i * 3)
                }),
                country: Some(if foreign { "RO" } else { "FR" }.into()),
                asn: Some(if foreign { 64500 } else { 64496 }),
                device: Some("python-requests/2.31".into()),
            },
            from: format!("2025-{month}-{day:02}T{hour:02}:07:12.000Z"),
            to: format!(
                "2025-{month}-{end_day:02}T{:02}:{:02}:41.000Z",
                end / 60,
                end % 60
            ),
            events: 310 + 411 * ((i as u64 * 7) % 11),
            bytes_out: 1_900_000 + 23_700_000 * ((i as u64 * 5) % 9),
            verdict: "intruder".into(),
            score: 11.4 + i as f64 * 0.37,
            reasons: vec![
                reason(
                    "new_origin",
                    "Adresse jamais vue pour ce compte en 180 jours.",
                    "Address never seen for this account in 180 days.",
                    4.1,
                ),
                reason(
                    "pace",
                    "Une recherche toutes les 6 secondes, sans pause, la nuit.",
                    "One search every 6 seconds, without pause, at night.",
                    3.6,
                ),
                reason(
                    "enumeration",
                    "Préfixes de noms × années de naissance, dans l’ordre.",
                    "Name prefixes × birth years, in order.",
                    5.2,
                ),
            ],
        });
    }
    for (i, (day, hour)) in [(30, 19), (6, 13)].iter().enumerate() {
        let month = if *day > 20 { "08" } else { "09" };
        sessions.push(SessionRow {
            id: format!("s{:04}", 900 + i),
            chain: format!("c{:03}", 60 + i),
            account: Some(people[2].0.into()),
            source: "logs/sri/*".into(),
            origin: OriginRow {
                address: Some("192.0.2.44".into()),
                country: Some("FR".into()),
                asn: Some(64511),
                device: Some("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)".into()),
            },
            from: format!("2025-{month}-{day:02}T{hour:02}:01:00.000Z"),
            to: format!("2025-{month}-{day:02}T{hour:02}:48:00.000Z"),
            events: 61,
            bytes_out: 410_000,
            verdict: "doubtful".into(),
            score: 0.8,
            reasons: vec![
                reason(
                    "mobile_network",
                    "Réseau mobile : l’adresse change, l’appareil est nouveau.",
                    "Mobile network: the address changes, the device is new.",
                    1.2,
                ),
                reason(
                    "care_relation",
                    "La plupart des dossiers relèvent de son service.",
                    "Most records belong to their own department.",
                    -0.9,
                ),
            ],
            ..SessionRow::default()
        });
    }
    for i in 0..40u32 {
        let (account, _) = people[(i % 4) as usize];
        let (month, day) = if i < 12 {
            (8, 25 + i / 2)
        } else {
            (9, 1 + (i - 12) / 2)
        };
        sessions.push(SessionRow {
            id: format!("s{:04}", 2000 + i),
            chain: format!("c{:03}", 200 + i),
            account: Some(account.into()),
            source: "logs/sri/*".into(),
            origin: OriginRow {
                address: Some("10.60.4.17".into()),
                ..OriginRow::default()
            },
            from: format!("2025-{month:02}-{day:02}T07:0{}:00.000Z", i % 9),
            to: format!("2025-{month:02}-{day:02}T15:2{}:00.000Z", i % 9),
            events: 120,
            verdict: "legitimate".into(),
            score: -6.0,
            ..SessionRow::default()
        });
    }
    sessions.sort_by(|a, b| (&a.from, &a.id).cmp(&(&b.from, &b.id)));

    let st = |code: &str, holds, fr: &str, en: &str, because: &[&str]| Statement {
        code: code.into(),
        holds,
        fr: fr.into(),
        en: en.into(),
        because: because.iter().map(|b| b.to_string()).collect(),
        establishment: None,
        partial: None,
    };
    let mut statements = vec![
        st(
            "no_intrusion",
            false,
            "Une intrusion a eu lieu.",
            "There was an intrusion.",
            &["s0310"],
        ),
        st(
            "no_health_data",
            true,
            "Aucune donnée de santé n’a été consultée : le journal du mandataire est complet et aucun service médical n’y paraît.",
            "No health data was consulted: the proxy log is complete and no medical service appears in it.",
            &["logs/sri/*"],
        ),
        st(
            "no_nir",
            false,
            "Le numéro de sécurité sociale a été vu pour une partie des personnes.",
            "The social security number was seen for some of the people.",
            &["ID.NIR"],
        ),
        st(
            "no_contact_data",
            false,
            "Des coordonnées ont été vues.",
            "Contact details were seen.",
            &["CONTACT.PHONE", "CONTACT.EMAIL", "CONTACT.POSTAL"],
        ),
        st(
            "no_bank_data",
            true,
            "Aucune coordonnée bancaire n’a été consultée.",
            "No bank details were consulted.",
            &["logs/sri/*"],
        ),
        st(
            "no_rights_data",
            false,
            "Des droits à l’assurance maladie ont été vus dans deux hôpitaux.",
            "Insurance rights were seen at two hospitals.",
            &["COVER.RIGHTS"],
        ),
        st(
            "no_staff_data",
            false,
            "On ne peut pas exclure des données du personnel : journal manquant du 4 au 5 septembre.",
            "Staff data cannot be ruled out: log missing from 4 to 5 September.",
            &["logs/sri-audit/*"],
        ),
        st(
            "nothing_exfiltrated",
            false,
            "Des données ont été copiées par un programme.",
            "Data was copied by a program.",
            &["s0347"],
        ),
        st(
            "nothing_leaked",
            true,
            "Aucune publication n’est connue à ce jour.",
            "No publication is known to date.",
            &[],
        ),
        st(
            "nothing_written",
            true,
            "L’intrus n’a rien modifié.",
            "The intruder changed nothing.",
            &["logs/sri/*"],
        ),
        st(
            "list_complete",
            false,
            "La liste n’est pas complète : la première vague est à moitié effacée.",
            "The list is not complete: half of the first wave has been deleted.",
            &["logs/sri-audit/*"],
        ),
        st(
            "unaffected_can_be_told",
            true,
            "On peut écrire aux patients non concernés.",
            "Patients not affected can be told so.",
            &[],
        ),
        st(
            "start_known",
            false,
            "Le début n’est pas connu : les journaux commencent le 24 août.",
            "The start is not known: the logs begin on 24 August.",
            &["rotation"],
        ),
        st(
            "only_these_accounts",
            false,
            "Un autre compte reste possible.",
            "Another account remains possible.",
            &["s0900"],
        ),
        st(
            "logs_intact",
            true,
            "Aucune ligne n’a été modifiée.",
            "No line was edited.",
            &[],
        ),
        st(
            "no_evidence_of_access",
            false,
            "Il y a des preuves d’accès.",
            "There is evidence of access.",
            &[],
        ),
    ];
    for (e, name, lo, _) in PLACES {
        statements.push(Statement {
            code: "no_health_data".into(),
            holds: lo != 495,
            fr: format!(
                "{name} : {}",
                if lo != 495 {
                    "aucune donnée de santé."
                } else {
                    "les données de santé ne peuvent pas être exclues."
                }
            ),
            en: format!(
                "{name}: {}",
                if lo != 495 {
                    "no health data."
                } else {
                    "health data cannot be ruled out."
                }
            ),
            because: vec![],
            establishment: Some(e.into()),
            partial: None,
        });
    }

    let cov = |source: &str,
               from: &str,
               to: &str,
               state: &str,
               kind: &str,
               missing,
               closed: Option<&str>,
               fr: &str,
               en: &str| CoverageRow {
        source: source.into(),
        from: from.into(),
        to: to.into(),
        state: state.into(),
        kind: kind.into(),
        missing,
        closed_by: closed.map(str::to_string),
        because: (!fr.is_empty()).then(|| Both {
            fr: fr.into(),
            en: en.into(),
        }),
    };
    let (a, z) = ("2025-08-23T22:00:00.000Z", "2025-09-16T22:00:00.000Z");
    let coverage = vec![
        cov(
            "logs/dmz/*",
            a,
            "2025-09-02T03:10:00.000Z",
            "complete",
            "",
            None,
            None,
            "",
            "",
        ),
        cov(
            "logs/dmz/*",
            "2025-09-02T03:10:00.000Z",
            "2025-09-02T17:40:00.000Z",
            "gap",
            "silence",
            Some(5120),
            Some("logs/sri/*"),
            "Aucune ligne pendant 14 h ; d’ordinaire une toutes les 10 secondes.",
            "No line for 14 h; usually one every 10 seconds.",
        ),
        cov(
            "logs/dmz/*",
            "2025-09-02T17:40:00.000Z",
            z,
            "complete",
            "",
            None,
            None,
            "",
            "",
        ),
        cov(
            "logs/sri-audit/*",
            a,
            "2025-08-30T06:00:00.000Z",
            "gap",
            "rotation",
            None,
            None,
            "Le journal ne garde que 14 jours.",
            "The log keeps 14 days only.",
        ),
        cov(
            "logs/sri-audit/*",
            "2025-08-30T06:00:00.000Z",
            "2025-09-04T22:14:00.000Z",
            "complete",
            "",
            None,
            None,
            "",
            "",
        ),
        cov(
            "logs/sri-audit/*",
            "2025-09-04T22:14:00.000Z",
            "2025-09-05T09:02:00.000Z",
            "gap",
            "sequence",
            Some(1877),
            None,
            "1 877 numéros manquent.",
            "1,877 numbers are missing.",
        ),
        cov(
            "logs/sri-audit/*",
            "2025-09-05T09:02:00.000Z",
            z,
            "complete",
            "",
            None,
            None,
            "",
            "",
        ),
        cov("logs/sri-idp/*", a, z, "complete", "", None, None, "", ""),
        cov("logs/sri/*", a, z, "complete", "", None, None, "", ""),
        cov(
            "logs/vpn",
            a,
            "2025-09-10T00:00:00.000Z",
            "complete",
            "",
            None,
            None,
            "",
            "",
        ),
        cov(
            "logs/vpn",
            "2025-09-10T00:00:00.000Z",
            z,
            "unknown",
            "",
            None,
            None,
            "Rien ne dit si ce journal est complet.",
            "Nothing says whether this log is complete.",
        ),
    ];

    Answer {
        format: FORMAT.into(),
        incident: "Comptes professionnels usurpés sur le serveur régional d’identités".into(),
        version: 1,
        window: Span {
            from: a.into(),
            to: z.into(),
        },
        evidence: Evidence {
            tree_size: 71,
            root_hash: "9f2c6f0d3a58b1c4e7750a9be1d2f3146c8b0a7d55e94f21c3a6b8d7e0f91234".into(),
            records: 181_306,
            events: 181_240,
            rejects: 12,
            skipped: 54,
            by_source: (0..14)
                .map(|i| SourceRow {
                    source: format!("logs/sri/access-2025-09-{:02}.log.gz", i + 1),
                    format: "http-access".into(),
                    records: 12_000 + i,
                    events: 11_990 + i,
                    rejects: u64::from(i == 4) * 12,
                    skipped: 4,
                    from: a.into(),
                    to: z.into(),
                })
                .collect(),
        },
        accounts: people
            .iter()
            .enumerate()
            .map(|(i, (a, _))| AccountRow {
                account: a.to_string(),
                kind: "professional".into(),
                person: Some(format!("p:{i}")),
                verdict: "usurped".into(),
                sessions: SessionTally {
                    intruder: 3,
                    doubtful: if i == 2 { 2 } else { 0 },
                    legitimate: 10,
                },
            })
            .collect(),
        sessions,
        sessions_omitted: 5120,
        extent: Extent {
            subjects: Interval::new(4212, 6980),
            cells,
            unaffected: Interval::new(83_020, 85_788),
            targeted: vec![Targeted {
                subject: "tok:6b1f0f64c2a94f7c".into(),
                sessions: vec!["s0347".into(), "s0421".into(), "s0606".into()],
                times: vec![
                    "2025-08-29T22:41:05.000Z".into(),
                    "2025-09-04T01:13:00.000Z".into(),
                    "2025-09-12T02:59:44.000Z".into(),
                ],
            }],
            writes: vec![],
            internal: vec![Internal {
                account: "ad:CHU\\jlemaire".into(),
                subjects: 3,
                reason: "dossiers de même nom de famille, sans acte ni rendez-vous".into(),
            }],
            canaries: vec![Targeted {
                subject: "tok:00c0ffee00c0ffee".into(),
                sessions: vec!["s0421".into()],
                times: vec!["2025-09-04T01:20:00.000Z".into()],
            }],
            probable_duplicates: vec![],
            blind_shares: vec![],
        },
        coverage,
        statements,
        claims: vec![
            Claim {
                text: "900,000 patients with medical history".into(),
                verdict: "refuted".into(),
                because: vec!["at_most 6980".into(), "no_health_data".into()],
            },
            Claim {
                text: "names and phone numbers of 4,000 people".into(),
                verdict: "supported".into(),
                because: vec!["at_least 4212".into()],
            },
        ],
        containment: Containment {
            cut: vec![
                "rpps:99700100020".into(),
                "rpps:99700100133".into(),
                "rpps:99700100218".into(),
                "rpps:99700100307".into(),
                "203.0.113.0/24".into(),
            ],
            rotate: vec!["oidc:sri-portail".into()],
            keep: vec!["rpps:99700100412".into(), "db:sri_app".into()],
        },
        changes: vec![],
        asked: vec![],
    }
}

/// Rows that fit the first two hospitals; enough for the tables.
pub fn persons() -> Vec<PersonRow> {
    let mut out = Vec::new();
    for (e, _, lo, _) in PLACES {
        for i in 0..lo {
            out.push(PersonRow {
                subject: format!("tok:{:016x}", (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
                establishment: e.into(),
                category: "ID.NAME".into(),
                verdict: if i % 3 == 0 {
                    "consulted"
                } else {
                    "exfiltrated"
                }
                .into(),
                certainty: "derived".into(),
                first: "2025-09-04T01:13:00.000Z".into(),
                last: "2025-09-13T05:13:00.000Z".into(),
                events: 2,
                sessions: vec!["s0421".into(), "s0606".into()],
                evidence: vec!["logs/sri/access-2025-09-04.log.gz:1207".into()],
            });
        }
    }
    out.sort();
    out
}
