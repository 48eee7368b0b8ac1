//! HL7 v2 queries as questions (HL7 v2.5 chapter 5; IHE ITI-21 PDQ and PDVQ, ITI-9 PIX): `QBP^Q22` and `QBP^ZV1` ask by
//! fields of PID (`@PID.5.1^MARTIN`), `QBP^Q23` for the identifiers of one patient, `QBP^Q21` for the record of one.
//!
//! How a supplier matches is its own affair: a name it must find is one that is written alike, and unless the operator says
//! how it compares, any other name may be found beside it. Identifiers, dates and codes are compared as they stand.
use super::{
    AddressPart, DateOp, Expr, FieldName, NamePart, Test, TextOp,
    fhir::{self, Paging, Shape, What, perhaps},
    texts::{Pieces, Sounds, Texts},
};
use crate::identity::{Gender, IdentityBase, PartDate, TelecomKind, oid};

/// Separators of a message.
#[derive(Debug, Clone, Copy)]
struct Marks {
    field: char,
    component: char,
    repeat: char,
    escape: char,
    sub: char,
}

impl Default for Marks {
    fn default() -> Marks {
        Marks {
            field: '|',
            component: '^',
            repeat: '~',
            escape: '\\',
            sub: '&',
        }
    }
}

/// A message's segments. MLLP's frame is taken off.
fn segments(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\r', '\n'])
        .map(|s| s.trim_matches(|c: char| c.is_control() || c == ' '))
        .filter(|s| !s.is_empty())
}

fn marks(text: &str) -> Marks {
    let mut m = Marks::default();
    let Some(head) = segments(text).find_map(|s| s.strip_prefix("MSH")) else {
        return m;
    };
    let mut c = head.chars();
    for place in [
        &mut m.field,
        &mut m.component,
        &mut m.repeat,
        &mut m.escape,
        &mut m.sub,
    ] {
        match c.next() {
            Some(x) if !x.is_alphanumeric() => *place = x,
            _ => break,
        }
    }
    m
}

/// True for a text that is an HL7 v2 query.
pub fn is_query(text: &str) -> bool {
    let m = marks(text);
    let has = |name: &str| {
        segments(text).any(|s| {
            s.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(m.field))
        })
    };
    has("QPD")
}

/// Escapes undone (HL7 v2.5 §2.7); those of fonts and layout are left out.
fn plain(text: &str, m: Marks) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(m.escape) {
        out.push_str(&rest[..at]);
        let after = &rest[at + m.escape.len_utf8()..];
        let Some(end) = after.find(m.escape) else {
            out.push(m.escape);
            rest = after;
            continue;
        };
        match &after[..end] {
            "F" => out.push(m.field),
            "S" => out.push(m.component),
            "T" => out.push(m.sub),
            "R" => out.push(m.repeat),
            "E" => out.push(m.escape),
            code => {
                if let Some(hex) = code.strip_prefix('X') {
                    let bytes: Vec<u8> = hex
                        .as_bytes()
                        .chunks(2)
                        .filter_map(|p| u8::from_str_radix(std::str::from_utf8(p).ok()?, 16).ok())
                        .collect();
                    out.push_str(&crate::fold::text_of(&bytes));
                }
            }
        }
        rest = &after[end + m.escape.len_utf8()..];
    }
    out.push_str(rest);
    out
}

/// Fields of a segment; the first is its name.
fn fields<'t>(text: &'t str, name: &str, m: Marks) -> Option<Vec<&'t str>> {
    segments(text)
        .map(|s| s.split(m.field).collect::<Vec<_>>())
        .find(|f| f.first() == Some(&name))
}

/// Takes a query apart; `None` when the text is none that returns patients.
pub fn ask(b: &IdentityBase, text: &str, texts: Texts) -> Option<fhir::Asked> {
    let m = marks(text);
    let qpd = fields(text, "QPD", m)?;
    let part = |f: &str, n: usize| plain(f.split(m.component).nth(n).unwrap_or(""), m);
    let kind =
        fields(text, "MSH", m).map_or(String::new(), |f| part(f.get(8).copied().unwrap_or(""), 1));
    let name = qpd.get(1).copied().unwrap_or("").to_ascii_uppercase();
    let asked = qpd.get(3).copied().unwrap_or("");
    let by_fields = asked.starts_with('@');
    let mut notes = vec![];
    let rcp = fields(text, "RCP", m);
    let count = rcp
        .and_then(|f| part(f.get(2).copied().unwrap_or(""), 0).trim().parse().ok())
        .filter(|n| *n > 0);
    let token = fields(text, "DSC", m)
        .map(|f| f.get(1).copied().unwrap_or("").to_string())
        .filter(|t| !t.is_empty());
    let what = match kind.as_str() {
        _ if by_fields || matches!(kind.as_str(), "Q22" | "ZV1") => match token {
            Some(token) => What::Page { token },
            None => {
                let mut e = criteria(b, asked, m, texts, &mut notes);
                if let Some(domains) = qpd.get(8).filter(|d| !d.is_empty()) {
                    e = in_domains(b, e, domains, m);
                }
                What::Patients(e)
            }
        },
        "Q24" | "Q25" | "Q11" | "Q13" | "Q15" => return None,
        _ if asked.is_empty() => return None,
        "Q21" => What::Patients(by_identifier(b, asked, m)),
        _ if kind == "Q23" || name.contains("PIX") => What::Pix {
            source: identifier_text(asked.split(m.repeat).next().unwrap_or(""), m),
            targets: qpd
                .get(4)
                .map(|t| {
                    t.split(m.repeat)
                        .filter(|x| !x.is_empty())
                        .map(|x| domain(x.rsplit(m.component).next().unwrap_or(""), m))
                        .collect()
                })
                .unwrap_or_default(),
        },
        _ => return None,
    };
    Some(fhir::Asked {
        what,
        paging: Paging {
            count,
            ..Paging::default()
        },
        shape: Shape::default(),
        included: vec![],
        pointing: vec![],
        with_patient: false,
        notes,
    })
}

/// An authority, `name&1.2.3&ISO`, as the address of its identifiers.
fn domain(text: &str, m: Marks) -> String {
    let mut parts = text.split(m.sub);
    let name = parts.next().unwrap_or("");
    let id = parts.next().unwrap_or("");
    plain(if id.is_empty() { name } else { id }, m)
}

/// A CX, `7^^^NAME&1.2.3&ISO`, as the text of a subject.
fn identifier_text(cx: &str, m: Marks) -> String {
    let mut parts = cx.split(m.component);
    let value = plain(parts.next().unwrap_or(""), m);
    let d = domain(parts.nth(2).unwrap_or(""), m);
    if d.is_empty() {
        value
    } else {
        format!("{}|{value}", oid(&d))
    }
}

fn by_identifier(b: &IdentityBase, cx: &str, m: Marks) -> Expr {
    let mut parts = cx.split(m.component);
    let value = plain(parts.next().unwrap_or(""), m);
    numbered(b, &value, &[parts.nth(2).unwrap_or("").to_string()], m)
}

/// An identifier, of an authority when its OID is told. The name of an authority is local: it may be any.
fn numbered(b: &IdentityBase, value: &str, authority: &[String], m: Marks) -> Expr {
    if value.contains('*') || value.trim().is_empty() {
        return Expr::Unknown;
    }
    let any = fhir::identifier(b, None, value.trim());
    let known = authority
        .iter()
        .map(|a| domain(a, m))
        .find(|d| d.starts_with(|c: char| c.is_ascii_digit()) || d.contains(':'));
    match known {
        Some(d) => fhir::identifier(b, Some(&oid(&d)), value.trim()),
        None if authority.iter().any(|a| !a.is_empty()) => perhaps(any),
        None => any,
    }
}

/// Only patients with a number of these domains come back; one without may be left out.
fn in_domains(b: &IdentityBase, e: Expr, domains: &str, m: Marks) -> Expr {
    let mut any: Vec<Expr> = domains
        .split(m.repeat)
        .map(|d| domain(d.rsplit(m.component).next().unwrap_or(""), m))
        .filter(|d| !d.is_empty())
        .map(|d| fhir::identifier(b, Some(&oid(&d)), ""))
        .collect();
    any.push(Expr::Unknown);
    Expr::All(vec![e, Expr::Any(any)])
}

/// QPD-3: `@PID.5.1^MARTIN~@PID.7^19570302`; all must hold.
fn criteria(
    b: &IdentityBase,
    asked: &str,
    m: Marks,
    texts: Texts,
    notes: &mut Vec<String>,
) -> Expr {
    let mut all = vec![];
    let (mut number, mut authority): (Option<String>, Vec<String>) = (None, vec![]);
    for one in asked.split(m.repeat).filter(|x| !x.is_empty()) {
        let (key, raw) = one.split_once(m.component).unwrap_or((one, ""));
        let path = key.trim_start_matches('@').to_ascii_uppercase();
        let value = plain(raw, m);
        if value.trim().is_empty() {
            // It limits nothing; some suppliers refuse it.
            continue;
        }
        if super::is_masked(raw) {
            all.push(Expr::Unknown);
            continue;
        }
        let mut path = path.split('.');
        let segment = path.next().unwrap_or("");
        let place: Vec<u32> = path.map(|p| p.parse().unwrap_or(0)).collect();
        let at = |n: usize| place.get(n).copied().unwrap_or(0);
        if segment == "PID" && at(0) == 3 {
            match (at(1), at(2)) {
                (0 | 1, _) if raw.contains(m.component) => all.push(by_identifier(b, raw, m)),
                (0 | 1, _) => number = Some(value),
                (4, 2) => authority.insert(0, value),
                (4, 3) => {}
                (4, _) => authority.push(raw.to_string()),
                _ => all.push(Expr::Unknown),
            }
            continue;
        }
        let e = if segment == "PID" {
            field(b, at(0), at(1), at(2), &value, texts)
        } else {
            None
        };
        all.push(e.unwrap_or_else(|| {
            notes.push(key.to_string());
            Expr::Unknown
        }));
    }
    match number {
        Some(n) => all.push(numbered(b, &n, &authority, m)),
        None if !authority.is_empty() => all.push(Expr::Unknown),
        None => {}
    }
    match all.len() {
        0 => Expr::Unknown,
        1 => all.remove(0),
        _ => Expr::All(all),
    }
}

/// A text with `*` for anything, on a field; `present` is where a text that only sounds alike would stand.
fn text(value: &str, texts: Texts, present: FieldName, make: &dyn Fn(TextOp) -> Test) -> Expr {
    let value = value.trim();
    let pieces: Vec<String> = value.split('*').map(str::to_string).collect();
    let op = TextOp::Pieces(Pieces::of(&pieces, texts));
    let mut any = vec![Expr::Test(make(op))];
    if value.contains('*') {
        // Wildcards are an agreement between two systems: the star may also stand for itself.
        any = any.into_iter().map(perhaps).collect();
    } else if texts.sounds != Sounds::No {
        // A supplier that weighs likeness may take the start for the whole.
        let start = TextOp::Pieces(Pieces::of(&[value.to_string(), String::new()], texts));
        any.push(perhaps(Expr::Test(make(start))));
    }
    if texts.sounds == Sounds::Unknown {
        any.push(perhaps(Expr::Not(Box::new(Expr::Test(Test::Missing(
            present,
        ))))));
    }
    if any.len() == 1 {
        any.remove(0)
    } else {
        Expr::Any(any)
    }
}

/// A field of PID (HL7 v2.5 §3.4.2).
fn field(
    b: &IdentityBase,
    number: u32,
    part: u32,
    sub: u32,
    value: &str,
    texts: Texts,
) -> Option<Expr> {
    // Of several names the supplier may compare one.
    let name = |part, present| {
        Expr::All(vec![
            text(value, texts, present, &|op| Test::name(b, part, op)),
            Expr::Test(Test::OneName(part)),
        ])
    };
    let address = |part| {
        text(value, texts, FieldName::Address, &|op| Test::Address {
            part,
            op,
        })
    };
    let contact = |kind| {
        let bare: String = value
            .chars()
            .filter(|c| !matches!(c, ' ' | '.' | '-' | '(' | ')'))
            .collect();
        let like = [value.trim(), bare.as_str()]
            .map(|v| fhir::telecom(b, Some(kind), v))
            .to_vec();
        let present = match kind {
            TelecomKind::Phone => FieldName::Phone,
            _ => FieldName::Email,
        };
        // How a number is written differs from one system to the next.
        let other = Expr::Not(Box::new(Expr::Test(Test::Missing(present))));
        Expr::All(vec![
            Expr::Any(like.into_iter().chain([other]).collect()),
            Expr::Unknown,
        ])
    };
    Some(match (number, part) {
        (5, 0 | 1) if sub < 2 => name(NamePart::Family, FieldName::Family),
        (5, 2 | 3) => name(NamePart::Given, FieldName::Given),
        (9, 0..=3) => perhaps(name(NamePart::Any, FieldName::Name)),
        (6, 0 | 1) if sub < 2 => {
            let pieces: Vec<String> = value.trim().split('*').map(str::to_string).collect();
            let e = Expr::Test(Test::MothersName(TextOp::Pieces(Pieces::of(
                &pieces, texts,
            ))));
            if value.contains('*') || texts.sounds != Sounds::No {
                Expr::Any(vec![e, Expr::Unknown])
            } else {
                e
            }
        }
        (7, 0 | 1) => {
            // `19570302`, `195703`, `1957`, with a time behind or not.
            let digits: String = value
                .trim()
                .chars()
                .take_while(char::is_ascii_digit)
                .take(8)
                .collect();
            match PartDate::parse(&digits) {
                Some(date) if digits.len() == value.trim().len() && date.is_full() => {
                    Expr::Test(Test::Birth {
                        op: DateOp::Eq,
                        date,
                    })
                }
                // A part of a date is a range, the start of a text, or a value nobody has.
                Some(date) if !value.contains('*') => perhaps(Expr::Test(Test::Birth {
                    op: DateOp::Eq,
                    date,
                })),
                _ => Expr::Unknown,
            }
        }
        (8, 0 | 1) => match value.trim() {
            "M" => Expr::Test(Test::Gender(Gender::Male)),
            "F" => Expr::Test(Test::Gender(Gender::Female)),
            "m" => perhaps(Expr::Test(Test::Gender(Gender::Male))),
            "f" => perhaps(Expr::Test(Test::Gender(Gender::Female))),
            // Table 0001 is the user's own: other codes are written in more than one way.
            _ => Expr::Unknown,
        },
        (11, 1) => address(AddressPart::Line),
        (11, 3) => address(AddressPart::City),
        (11, 4) => address(AddressPart::State),
        (11, 5) => address(AddressPart::Postal),
        (11, 6) => address(AddressPart::Country),
        (13 | 14, 4) => contact(TelecomKind::Email),
        (13 | 14, 0 | 1 | 12) => contact(TelecomKind::Phone),
        (30, 0 | 1) => match value.trim() {
            "Y" => Expr::Test(Test::Deceased(true)),
            "N" => perhaps(Expr::Test(Test::Deceased(false))),
            _ => Expr::Unknown,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn escapes_and_separators() {
        let m = Marks::default();
        assert_eq!(
            plain("A\\T\\B\\F\\\\X4142\\\\H\\x\\N\\\\E\\", m),
            "A&B|ABx\\"
        );
        assert_eq!(plain("no end \\T", m), "no end \\T");
        assert!(is_query("\u{b}MSH|^~\\&|A\rQPD|IHE PDQ Query|1|\r\u{1c}\r"));
        assert!(is_query("MSH$%~\\&$A\nQPD$x$1$"));
        assert!(!is_query("MSH|^~\\&|A\rPID|1") && !is_query("family=QPD|"));
        assert_eq!(
            identifier_text("7^^^MPI&1.2.250.1&ISO^PI", m),
            "urn:oid:1.2.250.1|7"
        );
        assert_eq!(identifier_text("7^^^MPI", m), "MPI|7");
    }
}
