//! LDAP filters as questions (RFC 4515; RFC 4516 addresses), for a directory the operator says holds patients.
//!
//! Equality and substrings follow the rules of the attributes that RFC 4519 and RFC 2798 define; `~=` is the server's own affair
//! (RFC 4511 §4.5.1.7.6). What a directory of the site's own may hold under other names makes a person possible only.
use super::{
    AddressPart, DateOp, Expr, FieldName, NamePart, Test, TextOp,
    fhir::{self, Paging, Shape, What, perhaps},
    texts::{Pieces, Sounds, Texts},
};
use crate::identity::{Gender, IdentityBase, PartDate, TelecomKind};
use ampleur_event::{Category, category::CategorySet};

/// Depth of parentheses read.
const DEPTH: u32 = 64;

/// An item of a filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Present(String),
    /// One piece: the whole value.
    Equal(String, Vec<String>),
    Approx(String, String),
    AtLeast(String, String),
    AtMost(String, String),
    /// A matching rule is named.
    Extended,
}

/// The filter of a text or of an LDAP address.
pub fn filter_of(text: &str) -> Option<Filter> {
    let text = text.trim();
    let scheme = text.split("://").next().unwrap_or("").to_ascii_lowercase();
    if matches!(scheme.as_str(), "ldap" | "ldaps" | "ldapi") {
        // ldap://host/base?attributes?scope?filter; without a filter: (objectClass=*).
        let filter = text.split('?').nth(3).unwrap_or("");
        return if filter.is_empty() {
            Some(Filter::Present("objectclass".into()))
        } else {
            parse(&fhir::percent_decode(filter, false))
        };
    }
    parse(text)
}

/// Reads a filter; `None` for a text that is none.
pub fn parse(text: &str) -> Option<Filter> {
    let text = text.trim();
    let (f, rest) = filter(text, 0)?;
    rest.trim().is_empty().then_some(f)
}

fn filter(text: &str, depth: u32) -> Option<(Filter, &str)> {
    let inner = text.strip_prefix('(')?;
    if depth > DEPTH {
        return None;
    }
    let list = |mut rest: &'_ str| -> Option<(Vec<Filter>, usize)> {
        let whole = rest.len();
        let mut out = vec![];
        loop {
            rest = rest.trim_start();
            if rest.starts_with(')') {
                return Some((out, whole - rest.len() + 1));
            }
            let (f, after) = filter(rest, depth + 1)?;
            out.push(f);
            rest = after;
        }
    };
    match inner.as_bytes().first()? {
        b'&' => {
            let (all, n) = list(&inner[1..])?;
            Some((Filter::And(all), &inner[1 + n..]))
        }
        b'|' => {
            let (any, n) = list(&inner[1..])?;
            Some((Filter::Or(any), &inner[1 + n..]))
        }
        b'!' => {
            let (f, rest) = filter(inner[1..].trim_start(), depth + 1)?;
            let rest = rest.trim_start().strip_prefix(')')?;
            Some((Filter::Not(Box::new(f)), rest))
        }
        _ => {
            // A bare `(` or `)` in a value must be escaped.
            let end = inner.find(')')?;
            if inner[..end].contains('(') {
                return None;
            }
            Some((item(&inner[..end])?, &inner[end + 1..]))
        }
    }
}

fn item(text: &str) -> Option<Filter> {
    let (left, value) = text.split_once('=')?;
    if left.ends_with(':') || super::is_masked(value) {
        return Some(Filter::Extended);
    }
    let attribute = |s: &str| {
        let s = s.trim().to_ascii_lowercase();
        let ok = !s.is_empty()
            && s.chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';'));
        ok.then_some(s)
    };
    Some(match left.as_bytes().last()? {
        b'~' => Filter::Approx(attribute(&left[..left.len() - 1])?, unescaped(value)?),
        b'>' => Filter::AtLeast(attribute(&left[..left.len() - 1])?, unescaped(value)?),
        b'<' => Filter::AtMost(attribute(&left[..left.len() - 1])?, unescaped(value)?),
        _ if value == "*" => Filter::Present(attribute(left)?),
        _ => Filter::Equal(
            attribute(left)?,
            value.split('*').map(unescaped).collect::<Option<_>>()?,
        ),
    })
}

/// `\2a` undone; `None` when an escape is broken.
fn unescaped(text: &str) -> Option<String> {
    let b = text.as_bytes();
    let mut out = Vec::with_capacity(b.len());
    let mut i = 0;
    while i < b.len() {
        if b[i] == b'\\' {
            let hex = text.get(i + 1..i + 3)?;
            out.push(u8::from_str_radix(hex, 16).ok()?);
            i += 3;
        } else {
            out.push(b[i]);
            i += 1;
        }
    }
    Some(crate::fold::text_of(&out))
}

/// Takes a filter apart; `None` for a text that is none.
pub fn ask(b: &IdentityBase, text: &str, texts: Texts) -> Option<fhir::Asked> {
    let f = filter_of(text)?;
    Some(fhir::Asked {
        what: What::Patients(condition(b, &f, false, texts)),
        paging: Paging::default(),
        shape: Shape::default(),
        included: vec![],
        pointing: vec![],
        with_patient: false,
        notes: vec![],
    })
}

/// True when a text is a filter of LDAP, or an address that holds one.
pub fn is_filter(text: &str) -> bool {
    filter_of(text).is_some()
}

/// Of `categories`, what an answer shows that gives these attributes (RFC 4511 §4.5.1.8): certain, and possible. The name of an entry
/// comes with every answer, and may be a person's.
pub fn shown(attributes: &str, categories: CategorySet) -> (CategorySet, CategorySet) {
    let (mut certain, mut all) = (CategorySet::EMPTY, false);
    let mut unknown = false;
    for a in attributes.split([' ', ',', '"']).filter(|a| !a.is_empty()) {
        let a = a.to_ascii_lowercase();
        let c: &[Category] = match a.split(';').next().unwrap_or("") {
            "*" => {
                all = true;
                &[]
            }
            // No attributes; those of the server's own.
            "1.1"
            | "+"
            | "objectclass"
            | "entryuuid"
            | "entrydn"
            | "createtimestamp"
            | "modifytimestamp"
            | "hassubordinates"
            | "structuralobjectclass" => &[],
            "displayname" | "initials" => &[Category::IdName],
            "birthplace" | "placeofbirth" | "schacplaceofbirth" => &[Category::IdBirthplace],
            "jpegphoto" | "photo" | "thumbnailphoto" => &[Category::IdPhoto],
            "nir" | "ins" => &[Category::IdNir],
            "ipp" | "patientid" => &[Category::IdLocal],
            name => match place(name) {
                Some((Place::Name(..), _)) => &[Category::IdName],
                Some((Place::Address(_), _)) => &[Category::ContactPostal],
                Some((Place::Telecom(TelecomKind::Email, _), _)) => &[Category::ContactEmail],
                Some((Place::Telecom(..), _)) => &[Category::ContactPhone],
                Some((Place::Birth, _)) => &[Category::IdDob],
                Some((Place::Gender, _)) => &[Category::IdSex],
                Some((Place::Number, _)) | None => {
                    unknown = true;
                    &[]
                }
            },
        };
        c.iter().for_each(|c| certain.insert(*c));
    }
    if all {
        return (categories, CategorySet::EMPTY);
    }
    let certain = certain.intersect(categories);
    let named = CategorySet::of(&[Category::IdName, Category::IdLocal]).intersect(categories);
    let possible = if unknown { categories } else { named };
    (certain, possible.without(certain))
}

/// What holds where `f` does, or where it does not: the sign goes inwards, since what a server does not know is neither.
pub fn condition(b: &IdentityBase, f: &Filter, not: bool, texts: Texts) -> Expr {
    let each = |all: &[Filter]| all.iter().map(|f| condition(b, f, not, texts)).collect();
    match f {
        Filter::And(all) if not => Expr::Any(each(all)),
        Filter::And(all) => Expr::All(each(all)),
        Filter::Or(any) if not => Expr::All(each(any)),
        Filter::Or(any) => Expr::Any(each(any)),
        Filter::Not(f) => condition(b, f, !not, texts),
        leaf => {
            let Some((e, standard)) = test(b, leaf, texts) else {
                return Expr::Unknown;
            };
            let e = if not { Expr::Not(Box::new(e)) } else { e };
            if standard { e } else { perhaps(e) }
        }
    }
}

/// An attribute with its place in a record.
enum Place {
    Name(NamePart, FieldName),
    Address(AddressPart),
    Telecom(TelecomKind, FieldName),
    Birth,
    Gender,
    Number,
}

/// The place of an attribute, and whether a standard defines it.
fn place(attribute: &str) -> Option<(Place, bool)> {
    let (name, option) = attribute.split_once(';').unwrap_or((attribute, ""));
    let (p, standard) = match name {
        "sn" | "surname" | "2.5.4.4" => (Place::Name(NamePart::Family, FieldName::Family), true),
        "givenname" | "gn" | "2.5.4.42" => (Place::Name(NamePart::Given, FieldName::Given), true),
        "l" | "localityname" | "2.5.4.7" => (Place::Address(AddressPart::City), true),
        "st" | "stateorprovincename" | "2.5.4.8" => (Place::Address(AddressPart::State), true),
        "postalcode" | "2.5.4.17" => (Place::Address(AddressPart::Postal), true),
        "c" | "countryname" | "co" => (Place::Address(AddressPart::Country), false),
        "street" | "streetaddress" | "postaladdress" => (Place::Address(AddressPart::Line), false),
        "mail" | "rfc822mailbox" => (Place::Telecom(TelecomKind::Email, FieldName::Email), true),
        "telephonenumber" | "mobile" | "homephone" | "pager" => {
            (Place::Telecom(TelecomKind::Phone, FieldName::Phone), false)
        }
        "birthdate" | "dateofbirth" | "schacdateofbirth" => (Place::Birth, false),
        "gender" | "schacgender" | "sex" => (Place::Gender, false),
        "ipp" | "ins" | "nir" | "patientid" => (Place::Number, false),
        _ => return None,
    };
    Some((p, standard && option.is_empty()))
}

/// The condition of an item, and whether it may be certain; `None` when nothing is known.
fn test(b: &IdentityBase, f: &Filter, texts: Texts) -> Option<(Expr, bool)> {
    let there = |f: FieldName| Expr::Not(Box::new(Expr::Test(Test::Missing(f))));
    match f {
        Filter::Present(a) if a == "objectclass" => Some((Expr::Known(true), true)),
        // Which classes of people a directory gives its patients is its own.
        Filter::Equal(a, _) if a == "objectclass" => None,
        Filter::Present(a) => {
            let (p, standard) = place(a)?;
            let field = match p {
                Place::Name(_, f) | Place::Telecom(_, f) => f,
                Place::Birth => FieldName::Birth,
                Place::Gender => FieldName::Gender,
                Place::Number => FieldName::Identifier,
                // A part of an address may be missing where others are not.
                Place::Address(_) => return Some((there(FieldName::Address), false)),
            };
            Some((there(field), standard))
        }
        Filter::Equal(a, pieces) => {
            let (p, standard) = place(a)?;
            Some((equal(b, &p, pieces, texts)?, standard))
        }
        Filter::Approx(a, value) => {
            let (p, _) = place(a)?;
            let e = equal(b, &p, std::slice::from_ref(value), texts)?;
            let Place::Name(_, field) = p else {
                return None;
            };
            Some((Expr::Any(vec![e, perhaps(there(field))]), true))
        }
        Filter::AtLeast(a, value) | Filter::AtMost(a, value) => match place(a)?.0 {
            Place::Birth => {
                let date = date(value)?;
                let op = match f {
                    Filter::AtLeast(..) => DateOp::Ge,
                    _ => DateOp::Le,
                };
                Some((Expr::Test(Test::Birth { op, date }), false))
            }
            _ => None,
        },
        _ => None,
    }
}

/// A full date: generalised time, `19570302000000Z`, or a date.
fn date(value: &str) -> Option<PartDate> {
    let digits = value.trim();
    let day = digits.get(..8).unwrap_or(digits);
    let day = if day.bytes().all(|c| c.is_ascii_digit()) {
        day
    } else {
        digits
    };
    PartDate::parse(day).filter(|d| d.is_full())
}

fn equal(b: &IdentityBase, p: &Place, pieces: &[String], texts: Texts) -> Option<Expr> {
    let whole = match pieces {
        [one] => Some(one.as_str()),
        _ => None,
    };
    let op = || TextOp::Pieces(Pieces::of(pieces, texts));
    Some(match p {
        Place::Name(part, field) => {
            let e = Expr::Test(Test::name(b, *part, op()));
            if whole.is_some() && texts.sounds == Sounds::Unknown {
                let there = Expr::Not(Box::new(Expr::Test(Test::Missing(*field))));
                Expr::Any(vec![sure_when_one(e, *part), perhaps(there)])
            } else {
                sure_when_one(e, *part)
            }
        }
        Place::Address(part) => Expr::Test(Test::Address {
            part: *part,
            op: op(),
        }),
        // Stored with blanks and signs or without: who has one may be meant.
        Place::Telecom(kind, field) => {
            let there = perhaps(Expr::Not(Box::new(Expr::Test(Test::Missing(*field)))));
            match (whole, kind) {
                (Some(v), TelecomKind::Email) => fhir::telecom(b, Some(*kind), v),
                (Some(v), _) => Expr::Any(vec![fhir::telecom(b, Some(*kind), v), there]),
                _ => there,
            }
        }
        Place::Birth => Expr::Test(Test::Birth {
            op: DateOp::Eq,
            date: match (whole, pieces) {
                (Some(v), _) => date(v)?,
                // A year or a month is the beginning of a date.
                (None, [begin, rest]) if rest.is_empty() => {
                    PartDate::parse(begin.trim_end_matches('-'))?
                }
                _ => return None,
            },
        }),
        Place::Gender => match whole?.trim().to_lowercase().as_str() {
            "m" | "male" => Expr::Test(Test::Gender(Gender::Male)),
            "f" | "female" => Expr::Test(Test::Gender(Gender::Female)),
            _ => return None,
        },
        Place::Number => fhir::identifier(b, None, whole?),
    })
}

/// Of several names the directory may hold one.
fn sure_when_one(e: Expr, part: NamePart) -> Expr {
    Expr::All(vec![e, Expr::Test(Test::OneName(part))])
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn an_answer_shows_what_was_asked_and_the_name_of_the_entry() {
        let set = |l: &[&str]| CategorySet::parse(l).unwrap();
        let all = set(&["ID.NAME", "ID.DOB", "ID.NIR", "ID.LOCAL", "CONTACT.PHONE"]);
        for (attributes, certain, possible) in [
            (
                "sn dateOfBirth",
                &["ID.NAME", "ID.DOB"][..],
                &["ID.LOCAL"][..],
            ),
            (
                "telephoneNumber",
                &["CONTACT.PHONE"],
                &["ID.NAME", "ID.LOCAL"],
            ),
            ("1.1", &[], &["ID.NAME", "ID.LOCAL"]),
        ] {
            assert_eq!(
                shown(attributes, all),
                (set(certain), set(possible)),
                "{attributes}"
            );
        }
        assert_eq!(shown("sn *", all), (all, CategorySet::EMPTY));
        // What nobody knows may be anything.
        let (certain, possible) = shown("sn x-numero", all);
        assert_eq!((certain, certain.union(possible)), (set(&["ID.NAME"]), all));
    }
    #[test]
    fn filters_are_read() {
        let eq = |a: &str, p: &[&str]| {
            Filter::Equal(a.into(), p.iter().map(|s| (*s).to_string()).collect())
        };
        assert_eq!(
            parse("(&(sn=Mar*t*)(!(givenName=Anne))(|(mail=*)(l~=Lille)))"),
            Some(Filter::And(vec![
                eq("sn", &["Mar", "t", ""]),
                Filter::Not(Box::new(eq("givenname", &["Anne"]))),
                Filter::Or(vec![
                    Filter::Present("mail".into()),
                    Filter::Approx("l".into(), "Lille".into())
                ]),
            ]))
        );
        assert_eq!(
            parse("(sn=\\c3\\89vrard\\2a\\28x\\29)"),
            Some(eq("sn", &["Évrard*(x)"]))
        );
        assert_eq!(
            parse("(memberOf:1.2.840.113556.1.4.1941:=cn=x)"),
            Some(Filter::Extended)
        );
        assert_eq!(
            parse("(birthDate>=19570302)"),
            Some(Filter::AtLeast("birthdate".into(), "19570302".into()))
        );
        for bad in [
            "", "sn=x", "(sn=x", "(sn=x))", "(sn=\\4)", "(&(sn=x)", "(=x)", "(sn=a(b)",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(parse(&"(!".repeat(100_000)), None);
        assert_eq!(
            filter_of("ldap://h/dc=x?cn,mail?sub?(sn=%c3%89)"),
            Some(eq("sn", &["É"]))
        );
    }
}
