//! Stores written by [`pst_writer`], whole, changed and cut. The writer was checked against readers nobody here wrote.
use super::{
    pst,
    pst_writer::{Attachment, Layout, Message, Shape, Value, store},
    tests::{docx, has, names, read, read_with, zip_of},
    *,
};
use proptest::prelude::*;
use std::io::Write as _;

const LAYOUTS: [Layout; 3] = [Layout::Ansi, Layout::Unicode, Layout::Wide];
const ANNE: &str = "LÉGER Anne, née le 02/01/1980";

/// Method 1 hides by the first table, method 2 by the very doing that shows.
fn hide(method: u8, block: u64, bytes: &mut [u8]) {
    if method == 1 {
        for b in bytes {
            *b = pst::MIX[0][usize::from(*b)];
        }
    } else {
        pst::reveal(method, block, bytes);
    }
}
fn made(layout: Layout, method: u8, folder: &str, messages: &[Message]) -> Vec<u8> {
    if method == 0 {
        return store(&Shape::plain(layout), folder, messages);
    }
    let hide = |block: u64, b: &mut [u8]| hide(method, block, b);
    let shape = Shape {
        layout,
        method,
        hide: &hide,
    };
    store(&shape, folder, messages)
}
fn text(t: &str) -> Value {
    Value::Text(t.into())
}
fn mail(body: &str) -> Message {
    Message {
        subject: "Objet".into(),
        properties: vec![
            (0x1000, text(body)),
            (0x0c1a, text("Secrétariat")),
            (0x0c1f, text("secretariat@ch.example")),
        ],
        recipients: vec![("Accueil".into(), "accueil@ch.example".into())],
        attachments: vec![],
    }
}
fn with(id: u16, v: Value) -> Message {
    let mut m = mail("Bonjour, voir plus bas.");
    m.properties
        .retain(|p| p.0 != id && (p.0, id) != (0x1000, 0x1013) && (p.0, id) != (0x1000, 0x1009));
    m.properties.push((id, v));
    m
}
fn carrying(a: Vec<Attachment>) -> Message {
    Message {
        attachments: a,
        ..mail("Voir joint.")
    }
}
fn file(name: &str, b: &[u8]) -> Attachment {
    Attachment::File(name.into(), b.to_vec())
}

/// RTF packed without any reference back: flags of zero, eight letters, and the end sign.
fn packed(rtf: &str) -> Vec<u8> {
    let mut data = vec![];
    let mut at = 207;
    for some in rtf.as_bytes().chunks(8) {
        // The last group has the end sign in it, or after it.
        data.push(if some.len() < 8 { 1 << some.len() } else { 0 });
        data.extend(some);
        at = (at + some.len()) % 4096;
    }
    if rtf.len().is_multiple_of(8) {
        data.push(1);
    }
    data.extend(((at as u16) << 4).to_be_bytes());
    let mut b = (data.len() as u32 + 12).to_le_bytes().to_vec();
    b.extend((rtf.len() as u32).to_le_bytes());
    b.extend(b"LZFu\0\0\0\0");
    b.extend(data);
    b
}

#[test]
fn a_person_is_found_wherever_a_message_may_name_them() {
    let letter = zip_of(&[("lettre.txt", ANNE.as_bytes())]);
    let long = "Compte rendu. ".repeat(3_000) + ANNE;
    let birthday = 11_644_473_600u64 + 3_653 * 86_400 - 3_600;
    let places: Vec<(&str, Message)> = vec![
        (
            "subject",
            Message {
                subject: ANNE.into(),
                ..mail("Bonjour")
            },
        ),
        (
            "marked subject",
            Message {
                subject: format!("\u{1}\u{5}RE: {ANNE}"),
                ..mail("Bonjour")
            },
        ),
        ("body", mail(ANNE)),
        ("long body", mail(&long)),
        (
            "page",
            with(
                0x1013,
                Value::Bytes(
                    b"<html><body><p>L&eacute;ger <b>Anne</b>, 02/01/1980</body></html>".to_vec(),
                ),
            ),
        ),
        (
            "page as text",
            with(
                0x1013,
                text("<html><body><p>L&eacute;ger <b>Anne</b>, 02/01/1980</body></html>"),
            ),
        ),
        (
            "rtf",
            with(
                0x1009,
                Value::Bytes(packed(
                    "{\\rtf1\\ansi L\\'e9ger Anne, n\\'e9e le 02/01/1980\\par}",
                )),
            ),
        ),
        ("sender", with(0x0c1a, text("Anne LÉGER 02/01/1980"))),
        (
            "recipient",
            Message {
                recipients: vec![
                    ("Accueil".into(), "a@ch.example".into()),
                    (ANNE.into(), "b@ch.example".into()),
                ],
                ..mail("Bonjour")
            },
        ),
        ("field of a form", with(0x8001, text(ANNE))),
        (
            "several",
            with(0x8001, Value::Texts(vec!["Urgent".into(), ANNE.into()])),
        ),
        (
            "attached name",
            carrying(vec![file("LEGER_Anne_19800102.txt", b"x")]),
        ),
        (
            "attached file",
            carrying(vec![file("a.txt", b"rien"), file("b.txt", ANNE.as_bytes())]),
        ),
        ("attached archive", carrying(vec![file("a.zip", &letter)])),
        (
            "attached long file",
            carrying(vec![file("a.txt", long.as_bytes())]),
        ),
        (
            "attached message",
            carrying(vec![Attachment::Message(mail(ANNE))]),
        ),
        (
            "attached to an attached message",
            carrying(vec![Attachment::Message(carrying(vec![
                Attachment::Message(carrying(vec![file("b.txt", ANNE.as_bytes())])),
            ]))]),
        ),
        (
            "contact",
            Message {
                subject: "fiche".into(),
                properties: vec![
                    (0x001a, text("IPM.Contact")),
                    (0x3a11, text("Leger")),
                    (0x3a06, text("Anne")),
                    (0x3a42, Value::Time(birthday * 10_000_000)),
                ],
                ..Message::default()
            },
        ),
        (
            "appointment",
            Message {
                properties: vec![
                    (0x001a, text("IPM.Appointment")),
                    (0x8001, text("Salle 3")),
                    (0x1000, text(ANNE)),
                ],
                ..mail("")
            },
        ),
    ];
    for (l, layout) in LAYOUTS.into_iter().enumerate() {
        for (i, (place, m)) in places.iter().enumerate() {
            // Each place under each method in one layout or another.
            let method = ((i + l) % 3) as u8;
            let (f, o) = read(&made(layout, method, "Courrier", std::slice::from_ref(m)));
            let sure: Vec<u32> = f
                .persons
                .iter()
                .filter(|p| p.1.sure)
                .map(|p| *p.0)
                .collect();
            assert!(
                o.read && o.why.is_empty(),
                "{place} {layout:?} {method}: {o:?}"
            );
            assert_eq!(sure, [0], "{place} {layout:?} {method}: {f:?}");
        }
        let b = made(
            layout,
            1,
            "Dossier LÉGER Anne 02/01/1980",
            &[mail("Bonjour")],
        );
        names(&b, &[0]);
        // Lines the transport wrote are nobody's.
        let b = made(
            layout,
            1,
            "Courrier",
            &[with(0x8000, text(ANNE)), with(0x007d, text(ANNE))],
        );
        names(&b, &[]);
    }
}

#[test]
fn each_message_is_a_document() {
    let b = made(
        Layout::Unicode,
        1,
        "Courrier",
        &[
            mail("LÉGER Anne 02/01/1980 : diabète de type 2"),
            mail("NGUYEN Linh 05/05/1990 : allergie à la pénicilline"),
            carrying(vec![file(
                "cr.docx",
                &docx("Mme L&#233;ger Anne, n&#xE9;e le 02/01/1980"),
            )]),
        ],
    );
    let f = names(&b, &[0, 1]);
    has(&f, 0, &["ID.NAME", "ID.DOB", "HEALTH.STATE"]);
    has(&f, 1, &["HEALTH.ALLERGY"]);
    assert!(!f.persons[&0].categories.contains(Category::HealthAllergy));
    assert!(!f.persons[&1].categories.contains(Category::HealthState));
}

#[test]
fn a_message_file_with_nothing_but_packed_rtf_is_read() {
    let rtf = packed("{\\rtf1\\ansi L\\'e9ger Anne, n\\'e9e le 02/01/1980\\par}");
    let msg = |rtf: &[u8]| {
        let mut f = cfb::CompoundFile::create(io::Cursor::new(vec![])).unwrap();
        for (name, b) in [
            ("/__properties_version1.0", &[0; 32][..]),
            ("/__substg1.0_10090102", rtf),
        ] {
            f.create_stream(name).unwrap().write_all(b).unwrap();
        }
        f.flush().unwrap();
        f.into_inner().into_inner()
    };
    names(&msg(&rtf), &[0]);
    let (_, o) = read(&msg(&rtf[..20]));
    assert!(o.why.contains(&Why::Damaged), "{o:?}");
}

#[test]
fn large_stores_are_read_to_their_end() {
    // More nodes than one step takes, trees of three levels, the person in the last message.
    let mut messages: Vec<Message> = (0..1_300).map(|i| mail(&format!("Commande {i}"))).collect();
    messages.push(mail(ANNE));
    for layout in LAYOUTS {
        names(&made(layout, 1, "Courrier", &messages), &[0]);
    }
    // More bytes than one step gives; a list of lists of blocks; a table of recipients beside its heap.
    let mut big = vec![b'.'; 9 << 20];
    big.extend(format!("\n{ANNE}\n").bytes());
    let mut m = carrying(vec![file("a.txt", &big)]);
    m.recipients = (0..500)
        .map(|i| (format!("Service {i}"), format!("service-{i}@ch.example")))
        .collect();
    let b = made(
        Layout::Unicode,
        2,
        "Courrier",
        &[m, mail("NGUYEN Linh 05/05/1990")],
    );
    names(&b, &[0, 1]);
}

#[test]
fn memory_does_not_grow_with_the_store() {
    let one = vec![b'x'; 3 << 20];
    let messages: Vec<Message> = (0..4)
        .map(|_| carrying(vec![file("a.bin", &one)]))
        .collect();
    let b = made(Layout::Unicode, 0, "Courrier", &messages);
    let (mut from, mut steps) = (Bookmark::default(), 0);
    loop {
        let mut held = 0;
        let next = Direct
            .step(&mut io::Cursor::new(&b), b.len() as u64, from, &mut |u| {
                if let Unit::Member(m) = u {
                    held += m.len();
                }
            })
            .unwrap();
        steps += 1;
        assert!(held <= 6 << 20, "{held}");
        match next {
            Some(n) => from = n,
            None => break,
        }
    }
    assert!(steps > 1, "{steps}");
}

fn sample(layout: Layout) -> Vec<u8> {
    let mut m = mail(ANNE);
    m.attachments = vec![
        file("a.txt", "Compte rendu sans nom. ".repeat(800).as_bytes()),
        Attachment::Message(carrying(vec![file("b.txt", b"NGUYEN Linh 05/05/1990")])),
    ];
    let mut all = vec![m];
    all.extend((0..40).map(|i| mail(&format!("Commande {i}"))));
    made(layout, 1, "Courrier", &all)
}

/// Never a panic (here caught and told as stopped), and nobody lost in silence.
fn checked(b: &[u8], what: &dyn std::fmt::Debug) -> Outcome {
    let (f, o) = read(b);
    assert!(!o.why.contains(&Why::Stopped), "{what:?}: {o:?}");
    let sure = f.persons.values().filter(|p| p.sure).count();
    assert!(sure == 2 || !o.why.is_empty(), "{what:?}: {f:?} {o:?}");
    o
}

#[test]
fn a_cut_store_says_so() {
    for layout in LAYOUTS {
        let b = sample(layout);
        assert!(checked(&b, &layout).why.is_empty());
        let step = (b.len() / 41).max(1);
        for n in (8..600).step_by(23).chain((600..b.len()).step_by(step)) {
            let o = checked(&b[..n], &(layout, n));
            assert!(!o.why.is_empty(), "{layout:?} {n}");
        }
    }
}

fn number(b: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(b[at..at + 8].try_into().unwrap())
}

#[test]
fn circles_end() {
    let good = sample(Layout::Unicode);
    let (nodes, blocks) = (number(&good, 224) as usize, number(&good, 240) as usize);
    // Every child of a root is the root itself, then the root of the other tree.
    for to in [nodes, blocks] {
        for root in [nodes, blocks] {
            let mut b = good.clone();
            assert!(b[root + 491] > 0, "a root above leaves");
            for i in 0..usize::from(b[root + 488]) {
                b[root + i * 24 + 16..root + i * 24 + 24]
                    .copy_from_slice(&(to as u64).to_le_bytes());
            }
            let o = checked(&b, &(root, to));
            assert!(o.why.contains(&Why::Damaged), "{o:?}");
        }
    }
    // A level that never ends.
    let mut b = good.clone();
    b[nodes + 491] = 255;
    assert!(checked(&b, &"level").why.contains(&Why::Damaged));
    // A list of blocks that lists itself.
    let list = (0..good.len() - 8)
        .step_by(64)
        .find(|a| good[*a..a + 2] == [1, 1] && good[a + 2] == 3)
        .expect("a list of three blocks");
    let name = number(&good, list + 64 - 8);
    let mut b = good.clone();
    b[list + 8..list + 16].copy_from_slice(&name.to_le_bytes());
    assert!(checked(&b, &"list").why.contains(&Why::Damaged));
}

#[test]
fn a_message_inside_itself_ends() {
    let inner = Message {
        subject: "dedans".into(),
        ..Message::default()
    };
    let mut b = made(
        Layout::Unicode,
        0,
        "Courrier",
        &[carrying(vec![Attachment::Message(inner)])],
    );
    // The outer message's node, by its id in the tree of nodes; then the inner one's node, of the only other kind 4.
    let outer = memchr::memmem::find(&b, &0x0020_0004u64.to_le_bytes()).expect("node");
    let to = b[outer + 8..outer + 24].to_vec();
    let mut changed = 0;
    for a in (0..b.len() - 32).step_by(8) {
        let n = number(&b, a);
        if b[a.saturating_sub(8)..a].first() == Some(&2)
            && n & 0x1f == 4
            && n >> 5 > 0x400
            && n < 0x20_0000
        {
            b[a + 8..a + 24].copy_from_slice(&to);
            changed += 1;
        }
    }
    assert_eq!(changed, 1);
    let (_, o) = read(&b);
    assert!(o.why.contains(&Why::Limit), "{o:?}");
}

#[test]
fn nodes_that_share_everything_are_not_read_for_ever() {
    let mut messages: Vec<Message> = (0..2_000).map(|_| Message::default()).collect();
    messages[0] = carrying(vec![file(
        "a.exe",
        &[b"MZ".as_slice(), &[0; 1 << 20]].concat(),
    )]);
    let mut b = made(Layout::Unicode, 0, "Courrier", &messages);
    let first = memchr::memmem::find(&b, &0x0020_0004u64.to_le_bytes()).expect("node");
    let to = b[first + 8..first + 24].to_vec();
    // The leaves of the tree lie in order, before the pages above them.
    let mut last = first;
    for i in 1..2_000u64 {
        let id = (0x0020_0004 + i * 0x20).to_le_bytes();
        last += memchr::memmem::find(&b[last..], &id).expect("node");
        b[last + 8..last + 24].copy_from_slice(&to);
    }
    let (_, o) = read(&b);
    assert!(o.why.contains(&Why::Limit), "{o:?}");
}

#[test]
fn what_cannot_be_opened_is_said() {
    let good = sample(Layout::Unicode);
    for (at, v, w) in [
        (10, 37, Why::Encrypted),
        (10, 99, Why::Unknown),
        (513, 0x10, Why::Encrypted),
        (513, 7, Why::Damaged),
    ] {
        let mut b = good.clone();
        b[at] = v;
        let (_, o) = read(&b);
        assert_eq!(o.why.into_iter().collect::<Vec<_>>(), [w], "{at}");
        assert!(!o.read);
    }
    // In an archive a store is held whole, and what does not fit is told.
    let z = zip_of(&[("a.pst", &good)]);
    names(&z, &[0, 1]);
    let limits = Limits {
        document_bytes: good.len() as u64 / 2,
        ..Limits::default()
    };
    let (_, o) = read_with(&z, limits);
    assert!(o.why.contains(&Why::Limit), "{o:?}");
    // On disk the cap of documents held whole does not concern it.
    let (f, o) = read_with(&good, limits);
    assert!(o.why.is_empty() && f.persons.len() == 2, "{o:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Bytes changed anywhere: an outcome, never a panic, and whoever is no longer found is not passed over in silence.
    #[test]
    fn changed_stores_end(which in 0usize..3, changes in proptest::collection::vec((any::<u64>(), any::<u8>()), 1..8)) {
        let mut b = sample(LAYOUTS[which]);
        let from = if which == 2 { 0x24000 } else { 0x4800 };
        for (at, v) in &changes {
            let n = b.len() as u64 - from;
            b[(from + at % n) as usize] = *v;
        }
        checked(&b, &changes);
    }
    /// Numbers that lead elsewhere: the places of pages and blocks are what a store is made of.
    #[test]
    fn led_astray(which in 0usize..3, at in any::<u64>(), to in any::<u64>(), wide in any::<bool>()) {
        let mut b = sample(LAYOUTS[which]);
        let n = b.len() as u64;
        let at = ((at % (n - 8)) & !3) as usize;
        // Mostly places inside the file.
        let to = if wide { to } else { to % n };
        b[at..at + 8].copy_from_slice(&to.to_le_bytes());
        let (_, o) = read(&b);
        prop_assert!(!o.why.contains(&Why::Stopped));
    }
}
