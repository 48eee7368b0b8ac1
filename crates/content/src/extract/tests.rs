//! Every kind, made here byte by byte or by the libraries that write it, with the same two persons inside.
use super::*;
use crate::{
    roster::{Known, Roster},
    whose::{Found, Knowledge},
};
use proptest::prelude::*;
use std::io::Write;

fn know() -> Knowledge {
    let mut b = Roster::builder();
    b.add(&Known {
        subject: "a|100007682".into(),
        names: vec![("LÉGER", vec!["Anne"])],
        births: vec![19_800_102],
        nirs: vec![2_80_01_59_123_456],
        ids: vec!["100007682", "0002388520"],
        ..Known::default()
    });
    b.add(&Known {
        subject: "a|100007683".into(),
        names: vec![("NGUYEN", vec!["Linh"])],
        births: vec![19_900_505],
        ids: vec!["100007683"],
        ..Known::default()
    });
    Knowledge::new(b.finish())
}

pub(super) fn read_with(bytes: &[u8], limits: Limits) -> (Found, Outcome) {
    let k = know();
    let mut reader = Reader::new(&k, "x/y");
    let mut direct = Direct;
    let mut walk = Walk::new(&mut reader, &mut direct, limits);
    walk.file(io::Cursor::new(bytes), bytes.len() as u64);
    let outcome = walk.outcome;
    (reader.finish(), outcome)
}
pub(super) fn read(bytes: &[u8]) -> (Found, Outcome) {
    read_with(bytes, Limits::default())
}
/// The file names these persons and was read to its end.
pub(super) fn names(bytes: &[u8], want: &[u32]) -> Found {
    let (f, o) = read(bytes);
    assert!(o.why.is_empty() && o.read, "{o:?}");
    let got: Vec<u32> = f
        .persons
        .iter()
        .filter(|p| p.1.sure)
        .map(|p| *p.0)
        .collect();
    assert_eq!(got, want, "{f:?}");
    f
}
#[test]
fn a_member_written_twice_hides_nobody() {
    names(
        br#"{"numDossier":"100007682","numDossier":"100007683"}"#,
        &[0, 1],
    );
}
pub(super) fn has(f: &Found, p: u32, codes: &[&str]) {
    let got: Vec<&str> = f.persons[&p]
        .categories
        .iter()
        .map(Category::code)
        .collect();
    for c in codes {
        assert!(got.contains(c), "{c} not in {got:?}");
    }
}

pub(super) fn zip_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut z = zip::ZipWriter::new(io::Cursor::new(vec![]));
    for (n, b) in members {
        z.start_file(*n, zip::write::SimpleFileOptions::default())
            .unwrap();
        z.write_all(b).unwrap();
    }
    z.finish().unwrap().into_inner()
}
fn gz(b: &[u8]) -> Vec<u8> {
    let mut w = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    w.write_all(b).unwrap();
    w.finish().unwrap()
}
pub(super) fn docx(text: &str) -> Vec<u8> {
    let body = format!(
        "<?xml version=\"1.0\"?><w:document xmlns:w=\"x\"><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p><w:r><w:t>NGUYEN Li</w:t></w:r><w:r><w:t>nh</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>05/05/1990</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:document>"
    );
    zip_of(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", body.as_bytes()),
    ])
}
const LETTER: &str = "Compte rendu : Mme L&#233;ger Anne, n&#xE9;e le 02/01/1980, diab&#233;tique";

#[test]
fn kinds_are_told_by_content() {
    for (b, k) in [
        (&b""[..], Kind::Empty),
        (b"bonjour", Kind::Text),
        (b"MSH|^~\\&|A", Kind::Hl7),
        (b"{\"a\":1}", Kind::Json),
        (b"<?xml version=\"1.0\"?><a/>", Kind::Xml),
        (b"<!DOCTYPE html><p>x", Kind::Html),
        (b"{\\rtf1 x}", Kind::Rtf),
        (b"%PDF-1.4", Kind::Pdf),
        (b"!BDN....", Kind::Pst),
        (b"From: a@b\nTo: c\nSubject: d\n\nx", Kind::Mail),
        (b"\x89PNG\r\n", Kind::Image),
        (b"\0\x01\x02\x03\x04\x05", Kind::Unknown),
        (b"MZ ou autre", Kind::Text),
    ] {
        assert_eq!(kind_of(b), k, "{:?}", String::from_utf8_lossy(b));
    }
}

#[test]
fn office_text() {
    let f = names(&docx(LETTER), &[0, 1]);
    has(&f, 0, &["ID.NAME", "ID.DOB", "HEALTH.STATE", "HEALTH.DOC"]);
    let odt = zip_of(&[
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        (
            "content.xml",
            "<office:document><text:p>Léger <text:span>Anne</text:span></text:p><text:p>née le 2 janvier 1980</text:p></office:document>".as_bytes(),
        ),
    ]);
    names(&odt, &[0]);
    let rtf = br"{\rtf1\ansi{\fonttbl{\f0 Nguyen Linh;}}\uc1 L\'e9ger\par Anne, n\u233?e le 02/01/1980\par}";
    names(rtf, &[0]);
}

#[test]
fn spreadsheets() {
    let sheet = "<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData>\
<row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>Nom</t></is></c><c r=\"B1\" t=\"inlineStr\"><is><t>Prénom</t></is></c><c r=\"C1\" t=\"inlineStr\"><is><t>DDN</t></is></c></row>\
<row r=\"2\"><c r=\"A2\" t=\"inlineStr\"><is><t>LEGER</t></is></c><c r=\"B2\" t=\"inlineStr\"><is><t>Anne</t></is></c><c r=\"C2\" s=\"1\"><v>29222</v></c></row>\
</sheetData></worksheet>";
    let xlsx = zip_of(&[
        ("[Content_Types].xml", b"<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>"),
        ("_rels/.rels", b"<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"),
        ("xl/workbook.xml", b"<workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><sheets><sheet name=\"A\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"),
        ("xl/_rels/workbook.xml.rels", b"<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"),
        ("xl/styles.xml", b"<styleSheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/></cellXfs></styleSheet>"),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ]);
    // 29222 days after the epoch of spreadsheets is 2 January 1980.
    names(&xlsx, &[0]);
}

#[test]
fn messages_of_health_systems() {
    let hl7 = "MSH|^~\\&|LAB|X|||20230101||ORU^R01|1|P|2.5\rPID|1||100007682^^^H&1.2.3&ISO^PI||LEGER^ANNE^^^^^L||19800102|F|||1 RUE^^V||0639980001\rOBX|1|NM|GLU||1,2\rMSH|^~\\&|LAB|X|||20230101||ORU^R01|2|P|2.5\rPID|1||100007683^^^H&1.2.3&ISO^PI||NGUYEN^LINH||19900505\rAL1|1||PENI\r";
    let f = names(hl7.as_bytes(), &[0, 1]);
    has(
        &f,
        0,
        &[
            "HEALTH.RESULT",
            "CONTACT.POSTAL",
            "CONTACT.PHONE",
            "ID.LOCAL",
            "ID.SEX",
        ],
    );
    has(&f, 1, &["HEALTH.ALLERGY"]);
    assert!(!f.persons[&1].categories.contains(Category::HealthResult));

    let bundle = r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"0002388520","name":[{"family":"Léger","given":["Anne"]}],"birthDate":"1980-01-02","telecom":[{"system":"phone","value":"+33639980001"}]}},{"resource":{"resourceType":"Condition","subject":{"reference":"Patient/100007683"},"code":{"text":"diabète"}}}]}"#;
    let f = names(bundle.as_bytes(), &[0, 1]);
    has(
        &f,
        0,
        &["ID.NAME", "ID.DOB", "CONTACT.PHONE", "CARE.EXISTENCE"],
    );
    has(&f, 1, &["HEALTH.STATE"]);
    let pretty = bundle.replace(",\"", ",\n \"");
    names(pretty.as_bytes(), &[0, 1]);

    let xml = r#"<?xml version="1.0"?><Bundle xmlns="http://hl7.org/fhir"><entry><resource><Patient><identifier><system value="urn:oid:1.2.3"/><value value="100007682"/></identifier><name><family value="Leger"/><given value="Anne"/></name><birthDate value="1980-01-02"/></Patient></resource></entry><entry><resource><Observation><subject><reference value="Patient/100007683"/></subject></Observation></resource></entry></Bundle>"#;
    let f = names(xml.as_bytes(), &[0, 1]);
    has(&f, 1, &["HEALTH.RESULT"]);

    let cda = r#"<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><recordTarget><patientRole><id extension="100007682" root="1.2.3"/><patient><name><given>Anne</given><family>L&#233;ger</family></name><birthTime value="19800102"/></patient></patientRole></recordTarget><component><section><text>Allergie à la pénicilline</text></section></component></ClinicalDocument>"#;
    let f = names(cda.as_bytes(), &[0]);
    has(&f, 0, &["HEALTH.ALLERGY", "HEALTH.DOC", "ID.NAME"]);
}

fn element(out: &mut Vec<u8>, tag: (u16, u16), vr: &str, value: &str) {
    let mut v = value.as_bytes().to_vec();
    if v.len() % 2 == 1 {
        v.push(if vr == "UI" { 0 } else { b' ' });
    }
    out.extend(tag.0.to_le_bytes());
    out.extend(tag.1.to_le_bytes());
    if vr.is_empty() {
        out.extend((v.len() as u32).to_le_bytes());
    } else {
        out.extend(vr.as_bytes());
        out.extend((v.len() as u16).to_le_bytes());
    }
    out.extend(v);
}
#[test]
fn dicom_headers() {
    for (syntax, explicit) in [("1.2.840.10008.1.2.1", true), ("1.2.840.10008.1.2", false)] {
        let vr = |v: &'static str| if explicit { v } else { "" };
        let mut b = vec![0u8; 128];
        b.extend(b"DICM");
        element(&mut b, (2, 0x10), "UI", syntax);
        element(&mut b, (8, 0x20), vr("DA"), "20230101");
        element(&mut b, (0x10, 0x10), vr("PN"), "L\u{e9}ger^Anne");
        element(&mut b, (0x10, 0x20), vr("LO"), "100007682");
        element(&mut b, (0x10, 0x30), vr("DA"), "19800102");
        element(&mut b, (0x28, 0x10), vr("US"), "ab");
        let f = names(&b, &[0]);
        has(
            &f,
            0,
            &["HEALTH.IMAGE", "ID.NAME", "ID.DOB", "ID.LOCAL", "CARE.DATE"],
        );
        // Cut anywhere: never a panic.
        for n in 0..b.len() {
            read(&b[..n]);
        }
    }
}

#[test]
fn mail_with_an_attachment_inside_an_archive() {
    use base64_of as b64;
    let inner = zip_of(&[("a.txt", b"NGUYEN Linh 05/05/1990")]);
    let eml = format!(
        "From: A <a@mail.example>\r\nTo: b@mail.example\r\nSubject: =?utf-8?Q?L=C3=A9ger_Anne_02/01/1980?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nvoir joint\r\n--x\r\nContent-Type: application/zip; name=\"a.zip\"\r\nContent-Disposition: attachment; filename=\"a.zip\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--x--\r\n",
        b64(&gz(&inner))
    );
    names(eml.as_bytes(), &[0, 1]);
    let mbox = format!("From a Thu\n{eml}\nFrom b Thu\nFrom: c\nTo: d\nSubject: e\n\nrien\n");
    names(mbox.as_bytes(), &[0, 1]);
}
fn base64_of(b: &[u8]) -> String {
    const T: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for c in b.chunks(3) {
        let n = (u32::from(c[0]) << 16)
            | (u32::from(*c.get(1).unwrap_or(&0)) << 8)
            | u32::from(*c.get(2).unwrap_or(&0));
        for k in 0..4 {
            out.push(if k <= c.len() {
                T[(n >> (18 - 6 * k) & 63) as usize] as char
            } else {
                '='
            });
        }
    }
    out
}

#[test]
fn archives_inside_archives() {
    let mut t = tar::Builder::new(vec![]);
    let z = zip_of(&[(
        "deep.csv",
        b"nom;prenom;ddn\nLEGER;Anne;02/01/1980\nNGUYEN;Linh;05/05/1990\n",
    )]);
    let mut h = tar::Header::new_gnu();
    h.set_size(z.len() as u64);
    h.set_mode(0o644);
    h.set_cksum();
    t.append_data(&mut h, "z.zip", &z[..]).unwrap();
    let tar = t.into_inner().unwrap();
    names(&gz(&tar), &[0, 1]);
    names(&zstd::encode_all(&tar[..], 1).unwrap(), &[0, 1]);
    let mut bz = bzip2::write::BzEncoder::new(vec![], bzip2::Compression::fast());
    bz.write_all(&tar).unwrap();
    names(&bz.finish().unwrap(), &[0, 1]);
    // A member's name may be all there is.
    let f = names(&zip_of(&[("LEGER_Anne_19800102.txt", b"x")]), &[0]);
    has(&f, 0, &["ID.NAME"]);
}

#[test]
fn pdf_text_and_scans() {
    use lopdf::{
        Document, Object, Stream,
        content::{Content, Operation},
        dictionary,
    };
    let make = |scan: bool| {
        let mut doc = Document::with_version("1.5");
        let pages = doc.new_object_id();
        let font = doc.add_object(dictionary! {"Type"=>"Font","Subtype"=>"Type1","BaseFont"=>"Helvetica","Encoding"=>"WinAnsiEncoding"});
        let image = doc.add_object(Stream::new(
            dictionary! {"Type"=>"XObject","Subtype"=>"Image","Width"=>1,"Height"=>1,"ColorSpace"=>"DeviceGray","BitsPerComponent"=>8},
            vec![0],
        ));
        let operations = if scan {
            vec![Operation::new("Do", vec!["I".into()])]
        } else {
            vec![
                Operation::new("BT", vec![]),
                Operation::new("Tf", vec!["F1".into(), 12.into()]),
                Operation::new("Td", vec![50.into(), 700.into()]),
                Operation::new(
                    "Tj",
                    vec![Object::string_literal(b"L\xe9ger Anne 02/01/1980".to_vec())],
                ),
                Operation::new("ET", vec![]),
            ]
        };
        let content = doc.add_object(Stream::new(
            dictionary! {},
            Content { operations }.encode().unwrap(),
        ));
        let page = doc.add_object(dictionary! {"Type"=>"Page","Parent"=>pages,"Contents"=>content,"MediaBox"=>vec![0.into(),0.into(),595.into(),842.into()],
            "Resources"=>dictionary!{"Font"=>dictionary!{"F1"=>font},"XObject"=>dictionary!{"I"=>image}}});
        doc.objects.insert(
            pages,
            Object::Dictionary(dictionary! {"Type"=>"Pages","Kids"=>vec![page.into()],"Count"=>1}),
        );
        let root = doc.add_object(dictionary! {"Type"=>"Catalog","Pages"=>pages});
        doc.trailer.set("Root", root);
        let mut out = vec![];
        doc.save_to(&mut out).unwrap();
        out
    };
    names(&make(false), &[0]);
    let (_, o) = read(&make(true));
    assert!(o.why.contains(&Why::Scanned), "{o:?}");
}

#[test]
fn old_office_in_compound_files() {
    fn compound(streams: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut f = cfb::CompoundFile::create(io::Cursor::new(vec![])).unwrap();
        for (n, b) in streams {
            if let Some((dir, _)) = n.rsplit_once('/').filter(|d| !d.0.is_empty()) {
                f.create_storage_all(dir).unwrap();
            }
            f.create_stream(n).unwrap().write_all(b).unwrap();
        }
        f.flush().unwrap();
        f.into_inner().into_inner()
    }
    // Word 97: one piece of eight-bit text at 0x400, found through the piece table.
    let text = b"L\xe9ger Anne\rn\xe9e le 02/01/1980\r";
    let mut main = vec![0u8; 0x400];
    main[0x0b] = 0x02;
    main.extend(text);
    let mut clx = vec![2u8];
    clx.extend(16u32.to_le_bytes());
    clx.extend(0u32.to_le_bytes());
    clx.extend((text.len() as u32).to_le_bytes());
    clx.extend([0, 0]);
    clx.extend((0x4000_0000u32 | (0x400 * 2)).to_le_bytes());
    clx.extend([0, 0]);
    main[0x1a2..0x1a6].copy_from_slice(&0u32.to_le_bytes());
    main[0x1a6..0x1aa].copy_from_slice(&(clx.len() as u32).to_le_bytes());
    names(
        &compound(&[("/WordDocument", main), ("/1Table", clx)]),
        &[0],
    );
    // An Outlook message with a text file inside.
    let wide = |t: &str| -> Vec<u8> { t.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let msg = compound(&[
        ("/__properties_version1.0", vec![0; 32]),
        ("/__substg1.0_0037001F", wide("Objet")),
        (
            "/__substg1.0_1000001F",
            wide("Léger Anne, née le 02/01/1980"),
        ),
        (
            "/__attach_version1.0_#00000000/__substg1.0_37010102",
            b"NGUYEN Linh 05/05/1990".to_vec(),
        ),
    ]);
    names(&msg, &[0, 1]);
    let (_, o) = read(&compound(&[
        ("/EncryptedPackage", vec![1]),
        ("/EncryptionInfo", vec![1]),
    ]));
    assert_eq!(o.why.into_iter().collect::<Vec<_>>(), [Why::Encrypted]);
}

#[test]
fn what_is_not_read_is_said() {
    for (b, w) in [
        (&b"!BDN\x01\x02"[..], Why::Damaged),
        (b"\x89PNG\r\n\x1a\n", Why::Scanned),
        (b"\0\x01\x02\x03\x04\x05\x06", Why::Unknown),
        (b"PK\x03\x04broken", Why::Damaged),
        (b"%PDF-1.4 broken", Why::Damaged),
        (b"\x1f\x8b\x08\x00broken", Why::Damaged),
    ] {
        let (_, o) = read(b);
        assert!(o.why.contains(&w), "{b:?}: {o:?}");
    }
}

#[test]
fn bombs_are_capped() {
    let zeros = vec![b' '; 32 << 20];
    let mut b = gz(&zeros);
    for _ in 0..3 {
        b = gz(&b);
    }
    let limits = Limits {
        inflated_bytes: 1 << 20,
        ..Limits::default()
    };
    let (_, o) = read_with(&b, limits);
    assert!(o.why.contains(&Why::Limit), "{o:?}");
    // Archives inside archives, too deep.
    let mut b = b"x".to_vec();
    for _ in 0..12 {
        b = zip_of(&[("a.zip", &b)]);
    }
    let (_, o) = read(&b);
    assert!(o.why.contains(&Why::Limit), "{o:?}");
    let many: Vec<(String, &[u8])> = (0..300).map(|i| (format!("{i}"), &b"x"[..])).collect();
    let refs: Vec<(&str, &[u8])> = many.iter().map(|(n, b)| (n.as_str(), *b)).collect();
    let (_, o) = read_with(
        &zip_of(&refs),
        Limits {
            members: 100,
            ..Limits::default()
        },
    );
    assert!(o.why.contains(&Why::Limit), "{o:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Any bytes under any signature: an outcome, never a panic.
    #[test]
    fn any_bytes_end(magic in 0usize..12, bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        const M: [&[u8]; 12] = [b"", b"%PDF-1.4\n", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"7z\xbc\xaf\x27\x1c", b"{\\rtf1", b"MSH|^~\\&|", b"<?xml?><a>", b"{\"resourceType\":\"Patient\",", b"From: a\nTo: b\nDate: c\n\n", b"\x1f\x8b\x08", b"<html>"];
        let mut b = M[magic].to_vec();
        b.extend(&bytes);
        read(&b);
    }
    /// A good file with some bytes changed: an outcome, never a panic.
    #[test]
    fn changed_files_end(which in 0usize..3, at in any::<u64>(), by in 1u8..255, more in any::<u64>()) {
        let mut b = match which {
            0 => docx(LETTER),
            1 => zip_of(&[("a.csv", b"a;b\n1;2\n3;4\n")]),
            _ => gz(b"LEGER Anne 02/01/1980"),
        };
        let n = b.len() as u64;
        b[(at % n) as usize] ^= by;
        b[(more % n) as usize] ^= by;
        read(&b);
    }
}
