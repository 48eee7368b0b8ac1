//! Answers of addresses that nobody described: what they can show, and whom a request names.
//!
//! An answer with content on such an address is an access with unknown content (laws L2 and L5). Left out is only what by its name
//! is the same for everybody: parts of a page, the way in, a look at the server's health, the server's own description.
use crate::replay::fhir;
use ampleur_event::category::CategorySet;

/// Fewer bytes than this name nobody: `ok`, `[]`, `{}`.
const LEAST_BYTES: u64 = 4;
/// A person takes no fewer bytes than this in any answer, packed ones included.
const BYTES_PER_PERSON: u64 = 2;
/// Shorter texts equal a number by chance, unless a word before them says that they are a person's.
const SHORTEST: usize = 4;
/// What stands before the number of a person in a path, or is the parameter that holds it.
const PERSON: &[&str] = &[
    "patient",
    "patients",
    "ipp",
    "nip",
    "dossier",
    "dossiers",
    "usager",
    "usagers",
    "personne",
    "person",
    "identite",
    "malade",
    "resident",
    "beneficiaire",
    "pid",
    "nir",
    "ins",
];

/// Parts of a page and pictures of its dress.
const STATIC: &[&str] = &[
    "css",
    "js",
    "mjs",
    "map",
    "ico",
    "svg",
    "woff",
    "woff2",
    "ttf",
    "otf",
    "eot",
    "wasm",
    "webmanifest",
];
const PICTURES: &[&str] = &["png", "jpg", "jpeg", "gif", "webp", "avif"];
/// A path with a word that begins so serves pictures of people.
const OF_PEOPLE: &[&str] = &[
    "patient", "wado", "dicom", "stud", "series", "instance", "frame", "render", "photo", "scan",
    "document", "radio", "thumb",
];
/// Last words of paths before and after a login, of probes, and of what a server says of itself.
const SAME_FOR_ALL: &[&str] = &[
    "login",
    "logout",
    "logoff",
    "signin",
    "sign-in",
    "signout",
    "sign-out",
    "connexion",
    "deconnexion",
    "authorize",
    "authenticate",
    "token",
    "userinfo",
    "j_security_check",
    "j_spring_security_check",
    "healthz",
    "livez",
    "readyz",
    "ping",
    "metadata",
    "robots",
    "favicon",
    "smart-configuration",
    "openid-configuration",
    "jwks",
    "certs",
];
/// Any word of such a path.
const WAY_IN: &[&str] = &[
    "openid-connect",
    "oauth",
    "oauth2",
    "saml",
    "saml2",
    ".well-known",
];
/// Resources of FHIR R4 that hold nobody's data.
const NOBODYS: &[&str] = &[
    "CapabilityStatement",
    "CodeSystem",
    "ConceptMap",
    "Endpoint",
    "HealthcareService",
    "ImplementationGuide",
    "NamingSystem",
    "OperationDefinition",
    "SearchParameter",
    "StructureDefinition",
    "ValueSet",
];
/// Parameters that give an end of a range or the place to go on from.
const RANGE: &[&str] = &[
    "from", "to", "after", "before", "since", "start", "end", "begin", "first", "last", "min",
    "max", "gt", "ge", "lt", "le", "gte", "lte", "offset", "cursor", "next", "prev", "page",
    "skip", "depuis", "jusqua", "debut", "fin", "apres", "avant", "suivant",
];

/// A text of a request that may be somebody's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub text: String,
    /// When it is somebody's number the answer is about him.
    pub telling: bool,
}

/// True when the address shows the same to everybody, as long as the request names nobody.
pub(crate) fn same_for_all(url: &str) -> bool {
    let (path, _) = fhir::split_url(url);
    let path = fhir::percent_decode(path, false);
    let words: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    if words.iter().any(|w| NOBODYS.contains(w)) {
        return true;
    }
    let path = path.to_lowercase();
    let words: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let Some(last) = words.last() else {
        return false;
    };
    let (stem, extension) = last.rsplit_once('.').unwrap_or((last, ""));
    words.iter().any(|w| WAY_IN.contains(w))
        || SAME_FOR_ALL.contains(last)
        || SAME_FOR_ALL.contains(&stem)
        || STATIC.contains(&extension)
        || PICTURES.contains(&extension)
            && !words
                .iter()
                .any(|w| OF_PEOPLE.iter().any(|o| w.starts_with(o)))
}

/// True when the request went through a proxy to somebody else's server.
pub(crate) fn elsewhere(url: &str) -> bool {
    url.contains("://")
}

/// Most persons an answer of so many bytes can name; `None`: not measured.
pub(crate) fn most_by_bytes(bytes: Option<u64>) -> Option<u64> {
    bytes.map(|b| match b {
        b if b < LEAST_BYTES => 0,
        b => b / BYTES_PER_PERSON,
    })
}

/// What may be somebody's number in a request: segments of the path, values of the query and of the criteria, and their parts.
pub(crate) fn words(url: &str, criteria: &str) -> Vec<Word> {
    let (path, query) = fhir::split_url(url);
    let mut out: Vec<Word> = vec![];
    let mut put = |text: &str, telling: bool, person: bool| {
        let whole = text.trim();
        let parts = whole.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'));
        let pieces = whole.split(|c: char| !c.is_alphanumeric());
        for w in std::iter::once(whole).chain(parts).chain(pieces) {
            let long = w.len() >= SHORTEST;
            if (long || person && !w.is_empty()) && out.iter().all(|x| x.text != w) {
                out.push(Word {
                    text: w.to_string(),
                    telling: telling && (person || long && !year(w)),
                });
            }
        }
    };
    let of_person = |word: &str| PERSON.contains(&word.to_lowercase().as_str());
    let (mut after_word, mut after_number) = (false, false);
    for s in path.split('/') {
        let s = fhir::percent_decode(s, false);
        let number = s.bytes().all(|b| b.is_ascii_digit());
        let person = after_word || after_number && number;
        put(&s, true, person);
        (after_word, after_number) = (of_person(&s), person && number);
    }
    let mut pairs = fhir::pairs(query);
    if criteria != query {
        pairs.extend(fhir::pairs(criteria));
    }
    for (k, v) in pairs {
        let k = k.to_lowercase();
        let named = |l: &[&str]| {
            k.split(|c: char| !c.is_ascii_alphanumeric())
                .any(|w| l.contains(&w))
        };
        // A body kept as it was has no pairs.
        let text = if v.is_empty() { &k } else { &v };
        put(text, !named(RANGE), named(PERSON));
    }
    out
}

fn year(w: &str) -> bool {
    w.len() == 4
        && (w.starts_with("19") || w.starts_with("20"))
        && w.bytes().all(|b| b.is_ascii_digit())
}

/// Categories of patients.
pub(crate) fn of_patients(set: CategorySet) -> CategorySet {
    set.iter().filter(|c| !c.is_staff()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_page_show_nobody_and_addresses_of_records_may() {
        for url in [
            "/app/main.3f9a.js",
            "/static/app.css?v=3",
            "/images/logo.png",
            "/favicon.ico",
            "/login.php",
            "/realms/ch/protocol/openid-connect/token",
            "/fhir/metadata",
            "/fhir/ValueSet/x",
        ] {
            assert!(same_for_all(url), "{url}");
        }
        for url in [
            "/",
            "/cabinet/3/agenda",
            "/patients.json",
            "/wado/1.2.3/frame.jpg",
            "/patient/7/photo.png",
            "/compte-rendu.pdf",
            "/token/9",
        ] {
            assert!(!same_for_all(url), "{url}");
        }
    }
    #[test]
    fn a_number_in_the_path_tells_and_an_end_of_a_range_does_not() {
        let told = |url: &str| -> Vec<(String, bool)> {
            let w = words(url, "");
            w.into_iter().map(|w| (w.text, w.telling)).collect()
        };
        let own = |l: &[(&str, bool)]| {
            l.iter()
                .map(|(t, k)| (t.to_string(), *k))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            told("/c/3/acte/100003?apres=100020&ipp=44&y=2025"),
            own(&[
                ("acte", true),
                ("100003", true),
                ("100020", false),
                ("44", true),
                ("2025", false)
            ])
        );
        assert_eq!(told("/patient/7/x"), own(&[("patient", true), ("7", true)]));
        let w = words("/d/dossier_100003.pdf", "");
        assert!(w.iter().any(|w| w.text == "100003"), "{w:?}");
        assert!(
            words("/x?id=urn:oid:1.2%7C100003", "")
                .iter()
                .any(|w| w.text == "urn:oid:1.2|100003")
        );
    }
    #[test]
    fn an_answer_names_no_more_than_its_bytes_hold() {
        assert_eq!(most_by_bytes(Some(2)), Some(0));
        assert_eq!(most_by_bytes(Some(500)), Some(250));
        assert_eq!(most_by_bytes(None), None);
    }
}
