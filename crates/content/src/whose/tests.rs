use super::*;
use crate::{
    detect::{nir_key, nir_text},
    roster::Known,
};
use proptest::prelude::*;

const ANNE_NIR: u64 = 2_80_01_59_123_456;

fn know() -> Knowledge {
    let mut b = Roster::builder();
    b.add(&Known {
        subject: "a|100007682".into(),
        names: vec![("DE LA TOUR", vec!["Anne", "Zoé"]), ("LÉGER", vec!["Anne"])],
        births: vec![19_800_102],
        nirs: vec![ANNE_NIR],
        ids: vec!["100007682"],
        phones: vec![639_980_001],
        emails: vec!["anne@mail.example"],
        ..Known::default()
    });
    b.add(&Known {
        subject: "a|100007683".into(),
        names: vec![("MARTIN", vec!["Paul"])],
        births: vec![19_751_224],
        ids: vec!["100007683", "771"],
        phones: vec![639_980_002],
        ..Known::default()
    });
    b.add(&Known {
        subject: "a|100007684".into(),
        names: vec![("MARTIN", vec!["Paul"])],
        births: vec![19_900_505],
        ids: vec!["100007684"],
        phones: vec![639_980_002],
        ..Known::default()
    });
    b.add(&Known {
        subject: "a|100007685".into(),
        names: vec![("NGUYEN", vec!["Linh"])],
        births: vec![19_900_505],
        ids: vec!["100007685"],
        ..Known::default()
    });
    Knowledge::new(b.finish())
}

/// `name: CATEGORY CATEGORY`, possible persons with a question mark; names are a, m, M (the younger), n.
fn show(k: &Knowledge, f: &Found) -> Vec<String> {
    let mut out: Vec<String> = f
        .persons
        .iter()
        .map(|(p, m)| {
            let c: Vec<&str> = m.categories.iter().map(Category::code).collect();
            format!(
                "{}{}: {}",
                ["a", "m", "M", "n"][*p as usize],
                if m.sure { "" } else { "?" },
                c.join(" ")
            )
        })
        .collect();
    out.extend(f.foreign.iter().map(|(n, c)| {
        let c: Vec<&str> = c.iter().map(Category::code).collect();
        format!("{n}: {}", c.join(" "))
    }));
    let _ = k;
    out
}
fn text_of(t: &str) -> Vec<String> {
    let k = know();
    let mut r = Reader::new(&k, "x/y");
    r.text(t.as_bytes());
    show(&k, &r.finish())
}
fn table(rows: &[&[&str]]) -> Vec<String> {
    let k = know();
    let mut r = Reader::new(&k, "x/y");
    r.table();
    for row in rows {
        let cells: Vec<&[u8]> = row.iter().map(|c| c.as_bytes()).collect();
        r.row(&cells);
    }
    show(&k, &r.finish())
}

#[test]
fn name_and_birth_in_any_order_and_accent() {
    for t in [
        "Mme Anne DE LA TOUR, née le 02/01/1980",
        "née le 2 janvier 1980 : Leger Anne",
        "DE LA TOUR Zoe 1980-01-02",
        "Nom : LÉGER\nPrénom : ANNE\nDate de naissance : 02.01.1980\n",
        "1980-01-02\nanne\nleger\n",
    ] {
        assert_eq!(text_of(t), ["a: ID.NAME ID.DOB"], "{t}");
    }
    // The day of somebody else, the name of somebody else: nobody.
    assert!(text_of("Anne LEGER 03/01/1980").is_empty());
    assert!(text_of("MARTIN Paul 02/01/1980").is_empty());
    // Another given name stands beside the family name: not this person.
    assert!(text_of("LEGER Linh 02/01/1980").is_empty());
}
#[test]
fn a_number_needs_its_key_its_label_or_its_owner() {
    let nir = nir_text(ANNE_NIR);
    assert_eq!(text_of(&format!("n° {nir}")), ["a: ID.NIR"]);
    let stranger = nir_text(1_75_12_59_004_321);
    assert_eq!(
        text_of(&format!("assuré {stranger}")),
        [format!("{stranger}: ID.NIR")]
    );
    // Nine digits, four persons: rare enough to count alone. Three digits are not.
    assert_eq!(text_of("vu 100007683 ce jour"), ["m: ID.LOCAL"]);
    assert!(text_of("il y en a 771 ici").is_empty());
    assert_eq!(text_of("dossier 771"), ["m: ID.LOCAL"]);
    assert_eq!(text_of("M. MARTIN (771)"), ["m: ID.LOCAL"]);
}
#[test]
fn an_address_names_its_owner_only_where_nobody_is_named_better() {
    assert_eq!(text_of("Anne@Mail.example"), ["a: CONTACT.EMAIL"]);
    assert!(text_of("06 39 98 00 02").is_empty(), "two persons share it");
    assert_eq!(
        text_of("patient MARTIN Paul 24/12/1975, fille : anne@mail.example"),
        ["m: ID.NAME ID.DOB CONTACT.EMAIL"]
    );
}
#[test]
fn a_letter_belongs_to_its_patient_a_list_line_by_line() {
    assert_eq!(
        text_of("Cher confrère,\nLEGER Anne née le 02/01/1980\nsuivie pour un diabète.\n"),
        ["a: ID.NAME ID.DOB HEALTH.STATE HEALTH.DOC"]
    );
    let list = "LEGER Anne 02/01/1980 diabète\nMARTIN Paul 24/12/1975\nMARTIN Paul 05/05/1990\nNGUYEN Linh 05/05/1990 allergie\nsuite : scanner\n";
    assert_eq!(
        text_of(list),
        [
            "a: ID.NAME ID.DOB HEALTH.STATE",
            "m: ID.NAME ID.DOB",
            "M: ID.NAME ID.DOB",
            "n: ID.NAME ID.DOB HEALTH.IMAGE HEALTH.ALLERGY"
        ]
    );
}
#[test]
fn free_text_stays_free_text_and_is_raised() {
    let t = "LEGER Anne 02/01/1980. La patiente est venue ce matin avec sa fille pour parler de son suivi et de son diabète";
    let s = text_of(t).join("");
    assert!(s.contains("FREE.TEXT") && s.contains("HEALTH.STATE"), "{s}");
}
#[test]
fn tables_by_heading_and_by_value() {
    assert_eq!(
        table(&[
            &["Nom", "Prénom", "DDN", "Tél", "Diagnostic"],
            &["LEGER", "Anne", "02/01/1980", "", "I10"],
            &["NGUYEN", "Linh", "05/05/1990", "06 39 98 00 09", "F32.1"],
            &["INCONNU", "Jean", "01/01/1960", "", ""],
        ]),
        [
            "a: ID.NAME ID.DOB HEALTH.STATE",
            "n: ID.NAME ID.DOB CONTACT.PHONE HEALTH.STATE HEALTH.VULN"
        ]
    );
    // No heading: values tell that the first column is of numbers, even of a common shape.
    let rows: Vec<Vec<&str>> = [
        "100007682",
        "100007683",
        "100007684",
        "100007685",
        "100007682",
    ]
    .iter()
    .map(|n| vec![*n, "12", "mmol/l"])
    .collect();
    let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
    assert_eq!(table(&rows).len(), 4);
    // Namesakes without birth date are possible, never proven; a name only one person has is that person.
    assert_eq!(
        table(&[&["nom", "prenom"], &["MARTIN", "Paul"], &["NGUYEN", "Linh"]]),
        ["m?: ID.NAME", "M?: ID.NAME", "n: ID.NAME"]
    );
    // A birth date that fits nobody refutes the name.
    assert!(table(&[&["nom", "prenom", "ddn"], &["NGUYEN", "Linh", "06/05/1990"]]).is_empty());
}
#[test]
fn values_beat_names() {
    let nir = nir_text(ANNE_NIR);
    let s = table(&[&["commentaire"], &[&nir]]).join("");
    assert!(s.contains("ID.NIR"), "{s}");
    assert_eq!(nir_key(ANNE_NIR), ANNE_NIR_KEY);
}
const ANNE_NIR_KEY: u64 = 97 - ANNE_NIR % 97;

#[test]
fn a_path_names_persons_and_folders_name_categories() {
    let k = know();
    let mut r = Reader::new(&k, "Psychiatrie/2023/LEGER_Anne_19800102.pdf");
    r.text(b"rien");
    assert_eq!(show(&k, &r.finish()), ["a: ID.NAME ID.DOB HEALTH.VULN"]);
    let mut r = Reader::new(&k, "RH$/paie/bulletin_100007682.pdf");
    r.text(b"anne leger 02/01/1980 iban FR14 2004 1010 0505 0001 3M02 606");
    assert_eq!(show(&k, &r.finish()), ["a: STAFF.ID STAFF.BANK STAFF.PAY"]);
}

#[test]
fn a_name_at_the_edge_of_what_is_near_counts_whole_or_not_at_all() {
    let dots = |n: usize| ".".repeat(n);
    assert_eq!(
        text_of(&format!("02/01/1980{}leger", dots(118))),
        ["a: ID.NAME ID.DOB"]
    );
    assert!(text_of(&format!("02/01/1980{}leger", dots(120))).is_empty());
    assert!(text_of(&format!("maleger{}02/01/1980", dots(195))).is_empty());
    assert_eq!(
        text_of(&format!("ma leger{}02/01/1980", dots(195))),
        ["a: ID.NAME ID.DOB"]
    );
}

/// People whose names share words, of one word, of several and of one letter, born on the same few days.
fn relatives() -> Knowledge {
    let mut b = Roster::builder();
    let people: [(&str, Vec<&str>, u32, &str); 8] = [
        (
            "MARTIN",
            vec!["Paul", "Anne-Marie"],
            19_800_102,
            "100007690",
        ),
        ("MARTIN", vec!["Anne"], 19_800_102, "4711"),
        ("MARTIN DURAND", vec!["Anne"], 19_800_102, "4712"),
        ("DURAND", vec!["Martin"], 19_800_102, "100007691"),
        ("O", vec!["Li"], 19_800_102, "4713"),
        ("PAUL", vec!["Paul"], 19_751_224, "4714"),
        ("DE LA TOUR", vec![], 19_751_224, "ab12"),
        ("TOUR-MARTIN", vec!["Zoé"], 19_751_224, "4715"),
    ];
    for (i, (family, given, born, id)) in people.into_iter().enumerate() {
        b.add(&Known {
            subject: format!("a|{i}"),
            names: vec![(family, given)],
            births: vec![born],
            ids: vec![id],
            nirs: vec![ANNE_NIR + i as u64],
            phones: vec![639_980_000 + i as u64 / 2],
            emails: vec![["a@mail.example", "b@mail.example"][i % 2]],
            ..Known::default()
        });
    }
    Knowledge::new(b.finish())
}

/// Pieces of what is written about these people, and of what looks like it.
fn pieces() -> impl Strategy<Value = Vec<String>> {
    let whole = prop::sample::select(vec![
        "MARTIN",
        "Martin",
        "Durand",
        "Paul",
        "Anne",
        "Marie",
        "Li",
        "O",
        "Tour",
        "Zoé",
        "ZOË",
        "de la",
        "tour2",
        "2martin",
        "02/01/1980",
        "2 janvier 1980",
        "1980-01-02",
        "24.12.1975",
        "19751224",
        "24121975",
        "05/05/1990",
        "02/01/1980/12",
        "1980-01-02T08:30Z",
        "1er mars 1980",
        "100007690",
        "000100007690",
        "4711",
        "4712",
        "4713",
        "4714",
        "ab12",
        "AB 12",
        "dossier",
        "patient :",
        "nir",
        "rpps 10000000001",
        "06 39 98 00 01",
        "+33639980002",
        "a@mail.example",
        "b@mail.example.",
        "@",
        "x@y",
        "280015912345614",
        "2 80 01 59 123 456 14",
        "2800159123457",
        "1 85 05",
        "fr14 2004 1010 0505 0001 3m02 606",
        "F32.1",
        "cim-10",
        "diabète",
        "allergie",
        "mot de passe",
        "12/8",
        "6 mois",
        "3,5",
        "-",
        "…",
        "\u{85}",
        "\u{2028}",
        "Ã©",
        "n°",
        "\"",
    ]);
    let piece = prop_oneof![
        8 => whole.prop_map(str::to_string),
        2 => "[a-zéà]{1,9}",
        1 => "[0-9]{1,16}",
        1 => "([a-z] ){90,110}",
        1 => "[.]{60,130}",
    ];
    let glue = prop::sample::select(vec![" ", " ", ", ", "\n", "\r\n", ";", "\t", "", "'", "/"]);
    prop::collection::vec((piece, glue).prop_map(|(p, g)| p + g), 0..60)
}

fn both_ways(read: impl Fn(&mut Reader<'_>)) -> [Found; 2] {
    let k = relatives();
    [true, false].map(|slow| {
        let mut r = Reader::new(&k, "x/y").with_piece(700);
        r.slow = slow;
        read(&mut r);
        r.finish()
    })
}

proptest! {
    /// The short cuts find in a text what the long way finds.
    #[test]
    fn short_cuts_change_nothing_in_a_text(text in pieces()) {
        let [slow, fast] = both_ways(|r| r.text(text.concat().as_bytes()));
        prop_assert_eq!(slow, fast);
    }
    /// Many rows at once are rows one by one, whatever is in their cells.
    #[test]
    fn short_cuts_change_nothing_in_a_table(text in pieces(), heading in any::<bool>(), d in prop::sample::select(b";,|\t".to_vec()), cut in any::<prop::sample::Index>()) {
        let sign = char::from(d).to_string();
        let head = ["nom", "prenom", "ddn", "ipp", "diagnostic", "commentaire"].join(&sign);
        let rows = "x".to_string() + &sign + "y\n";
        let body = text.concat().replace(';', &sign);
        let all = format!("{}\n{}{body}", if heading { &head } else { "z" }, rows.repeat(70));
        let [slow, fast] = both_ways(|r| {
            r.table();
            let at = all.bytes().take(cut.index(all.len())).rposition(|b| b == b'\n').map_or(0, |n| n + 1);
            r.lines(&all.as_bytes()[..at], d);
            r.lines(&all.as_bytes()[at..], d);
        });
        prop_assert_eq!(slow, fast);
    }
    /// Records are the same with their values one behind the other.
    #[test]
    fn short_cuts_change_nothing_in_records(text in pieces(), roles in prop::collection::vec(0usize..7, 60), last in prop::collection::vec(any::<bool>(), 60), within in any::<bool>()) {
        let role = [Role::Other, Role::Family, Role::Given, Role::FullName, Role::Birth, Role::Id, Role::Nir];
        let columns: Vec<Column> = text.iter().zip(&roles).map(|(_, r)| Column {
            role: role[*r],
            categories: CategorySet::of(&[[IdName, HealthState][*r % 2]]),
        }).collect();
        let (mut values, mut ends) = (vec![], vec![]);
        for (v, last) in text.iter().zip(&last) {
            values.extend(v.bytes().filter(|b| *b != b'\n'));
            ends.push(values.len() as u32);
            values.push(if *last { b'\n' } else { b'\t' });
        }
        let [slow, fast] = both_ways(|r| {
            r.within = within;
            r.joined(&columns, &values, &ends);
            r.joined(&columns, &values, &ends);
        });
        prop_assert_eq!(slow, fast);
    }
    /// What a value says wherever it stands it says alone and beside a number of somebody.
    #[test]
    fn a_code_says_the_same_everywhere(text in pieces()) {
        let k = relatives();
        for v in text {
            let v = v.replace('\n', " ");
            let says = Reader::new(&k, "x/y").says(v.as_bytes());
            let Some(all) = says else { continue };
            let id = Column { role: Role::Id, categories: CategorySet::of(&[IdLocal]) };
            let read = |fields: &[(Column, &[u8])]| {
                let mut r = Reader::new(&k, "x/y");
                r.record(fields);
                r.finish()
            };
            let code = (Column::default(), v.as_bytes());
            let alone = read(&[code]);
            prop_assert_eq!((alone.persons.len(), alone.foreign.len(), alone.nobody), (0, 0, all));
            let mut beside = read(&[(id, b"4711")]);
            for m in beside.persons.values_mut() {
                m.categories = m.categories.union(all);
            }
            let both = read(&[(id, b"4711"), code]);
            prop_assert_eq!(both.persons, beside.persons);
        }
    }
    /// The words of one pass, and the ones around a place, are those of a plain reading.
    #[test]
    fn words_around_are_those_read_byte_by_byte(text in "[a-z0-9 .,@/\n-]{0,400}", places in proptest::collection::vec((0usize..400, 0usize..40, 0usize..200, 0usize..120), 1..6)) {
        let (k, b) = (know(), text.as_bytes());
        let mut plain: Vec<(usize, u64)> = vec![];
        let mut i = 0;
        for w in b.split(|x| !x.is_ascii_lowercase()) {
            if !w.is_empty() {
                plain.push((i, key(WORD, w)));
            }
            i += w.len() + 1;
        }
        let mut around = Around::default();
        for (from, len, before, after) in places {
            let (from, to) = (from.min(b.len()), (from + len).min(b.len()));
            let (a, after) = (from.saturating_sub(before), after.min(b.len() - to));
            around.cover(&k.roster, b, a, to + after);
            let within = |x: usize, y: usize| plain.iter().filter(move |p| (x..y).contains(&p.0)).map(|p| p.1);
            let near: Vec<u64> = within(a, from).collect();
            let near = &near[near.len().saturating_sub(WINDOW_WORDS)..];
            let far: Vec<u64> = within(to, to + after).take(WINDOW_WORDS).collect();
            let [x, y] = around.beside(a, from, to, to + after).map(|s| s.iter().map(|n| n.word).collect::<Vec<_>>());
            prop_assert_eq!(&x[..], near);
            prop_assert_eq!(y, far);
        }
    }
    /// Text cut in any pieces says the same.
    #[test]
    fn pieces_make_no_difference(cuts in proptest::collection::vec(1usize..400, 1..12), filler in "[a-zé ]{0,30}", lines in 1usize..60) {
        let one = format!("{filler}\nDE LA TOUR Anne 02/01/1980 {filler} 06 39 98 00 02\n{filler}\nMARTIN Paul né le 24/12/1975 dossier 771\n");
        let text = one.repeat(lines);
        let want = text_of(&text);
        let k = know();
        let mut r = Reader::new(&k, "x/y").with_piece(500);
        let bytes = text.as_bytes();
        let mut at = 0;
        for c in cuts.iter().cycle() {
            if at >= bytes.len() { break; }
            let to = (at + c).min(bytes.len());
            r.text(&bytes[at..to]);
            at = to;
        }
        prop_assert_eq!(show(&k, &r.finish()), want);
    }
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..600), path in ".{0,40}") {
        let k = know();
        let mut r = Reader::new(&k, &path);
        r.text(&bytes);
        r.end_document();
        r.table();
        let cells: Vec<&[u8]> = bytes.chunks(7).collect();
        r.row(&cells);
        r.finish();
    }
    /// A random number is nobody's: the chance of a false person is what the roster's density says.
    #[test]
    fn random_numbers_name_nobody(n in 100_000_000u64..999_999_999) {
        prop_assume!(!(100_007_682..=100_007_685).contains(&n));
        let found = text_of(&format!("montant {n} euros"));
        prop_assert!(found.is_empty());
    }
}
