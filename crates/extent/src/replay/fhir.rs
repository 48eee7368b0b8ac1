//! FHIR R4 requests as questions: search on Patient (R4 §3.1.1, patient.html#search), reads, `$everything`, `$export`,
//! `$ihe-pix` (ITI-83), `$match` (ITI-119), searches of other types by patient. Only the request is looked at.
use super::{
    AddressPart, Asked as Text, DateOp, Expr, FieldName, NamePart, Test, TextOp, hl7, ldap,
    texts::{Sounds, Texts},
};
use crate::{
    fold,
    identity::{Gender, IdKind, IdentityBase, PartDate, TelecomKind, oid},
    letters,
    strings::Sym,
};
use ampleur_event::context::Comparison;
use ampleur_event::{Nanos, time::SECOND};

/// A request taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub what: What,
    pub paging: Paging,
    pub shape: Shape,
    /// Resource types added by `_include`: those asked, or what they point to.
    pub included: Vec<String>,
    /// Resource types added by `_revinclude`, where there are any that point to a match.
    pub pointing: Vec<String>,
    /// `_include` adds the patient a record is about.
    pub with_patient: bool,
    /// Parameters that could not be taken into account.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// One resource by logical id; `everything` for the whole compartment.
    Read {
        kind: String,
        id: String,
        everything: bool,
    },
    /// Search on Patient.
    Patients(Expr),
    /// Search on another type; the patients it names, as subject texts (`Patient/id`, `system|value`).
    Others {
        kind: String,
        patients: Vec<String>,
        narrowed: bool,
    },
    /// `$export` of everything, or of one group.
    Export { group: Option<String> },
    /// `$match`: the criteria are in the body.
    Match,
    /// `$ihe-pix`: identifiers of the patient that holds `source`.
    Pix {
        source: String,
        targets: Vec<String>,
    },
    /// A page of an earlier answer, by token.
    Page { token: String },
    /// No request for data (`metadata`, `healthz`).
    Nothing,
}

/// Which part of the answer was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paging {
    pub count: Option<u64>,
    pub offset: Option<u64>,
    /// From 1.
    pub page: Option<u64>,
    pub sorted: Option<String>,
}

impl Paging {
    /// The first match that is shown, from 0, when a page holds `size`.
    pub fn begin(&self, size: u64) -> u64 {
        let of_page = |k: u64| k.saturating_sub(1).saturating_mul(size);
        self.offset.or(self.page.map(of_page)).unwrap_or(0)
    }
}

/// Which elements come back (health-audit c.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    pub summary: Option<String>,
    pub elements: Vec<String>,
}

/// `%41` and `+` of a query undone; bytes that are no UTF-8 are read as Windows-1252.
pub fn percent_decode(text: &str, plus: bool) -> String {
    let b = text.as_bytes();
    let mut out = Vec::with_capacity(b.len());
    let mut i = 0;
    while i < b.len() {
        match b[i] {
            b'%' if i + 2 < b.len() && hex(b[i + 1]).is_some() && hex(b[i + 2]).is_some() => {
                out.push(hex(b[i + 1]).unwrap_or(0) * 16 + hex(b[i + 2]).unwrap_or(0));
                i += 3;
            }
            b'+' if plus => {
                out.push(b' ');
                i += 1;
            }
            c => {
                out.push(c);
                i += 1;
            }
        }
    }
    fold::text_of(&out)
}

fn hex(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    }
}

/// `name=value` pairs of a query, decoded, in order.
pub fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|p| !p.is_empty())
        .map(|p| {
            let (k, v) = p.split_once('=').unwrap_or((p, ""));
            (percent_decode(k, true), percent_decode(v, true))
        })
        .collect()
}

/// Path and query of a request target; scheme, host and fragment are taken off.
pub fn split_url(url: &str) -> (&str, &str) {
    let u = url.split('#').next().unwrap_or(url);
    let u = match u.find("://") {
        Some(i) => {
            let rest = &u[i + 3..];
            rest.find('/').map_or("/", |j| &rest[j..])
        }
        None => u,
    };
    u.split_once('?').unwrap_or((u, ""))
}

/// A value of a parameter, its escapes undone (R4 §3.1.1.4.20); an escaped bar stays `\u{1}` for the token split.
#[derive(Debug, Default, PartialEq)]
struct Value {
    text: String,
    /// It holds an escape that servers leave to the type of the parameter.
    doubtful: bool,
}

/// What blanks at the ends of a value are to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Nobody knows.
    Open,
    Kept,
    TakenOff,
}

/// Values of one parameter: a comma is OR, `\,` is a comma.
fn alternatives(value: &str) -> Vec<Value> {
    let mut out = vec![Value::default()];
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c == ',' {
            out.push(Value::default());
            continue;
        }
        let Some(last) = out.last_mut() else {
            break;
        };
        match c {
            '\\' => {
                let n = chars.next();
                last.doubtful |= !matches!(n, Some(',' | '\\'));
                last.text
                    .extend(n.map(|n| if n == '|' { '\u{1}' } else { n }));
            }
            c => last.text.push(c),
        }
    }
    out
}

/// Perhaps: what satisfies `e` may be in the answer and need not.
pub(super) fn perhaps(e: Expr) -> Expr {
    Expr::All(vec![e, Expr::Unknown])
}

fn token(value: &str) -> (Option<String>, String) {
    let un = |s: &str| s.replace('\u{1}', "|");
    match value.split_once('|') {
        Some((s, v)) => (Some(un(s)), un(v)),
        None => (None, un(value)),
    }
}

fn date_op(value: &str) -> (DateOp, &str) {
    let op = match value.get(..2) {
        Some("eq") => DateOp::Eq,
        Some("ne") => DateOp::Ne,
        Some("gt") => DateOp::Gt,
        Some("lt") => DateOp::Lt,
        Some("ge") => DateOp::Ge,
        Some("le") => DateOp::Le,
        Some("sa") => DateOp::Sa,
        Some("eb") => DateOp::Eb,
        Some("ap") => DateOp::Ap,
        _ => return (DateOp::Eq, value),
    };
    (op, &value[2..])
}

/// The least step of a time as written: its last digit (R4 §3.1.1.4.6).
fn precision(text: &str) -> Nanos {
    let digits = text
        .split_once('.')
        .map_or(0, |(_, f)| f.bytes().take_while(u8::is_ascii_digit).count());
    SECOND / 10_i64.pow(digits.min(9) as u32)
}

/// A comparison of the last change. A fraction of a second is the precision asked for, and some servers drop it.
fn updated(op: DateOp, (from, to): (Nanos, Nanos)) -> Expr {
    let test = |from, to| Expr::Test(Test::Updated { op, from, to });
    if to.saturating_sub(from) >= SECOND {
        return test(from, to);
    }
    let second = from - from.rem_euclid(SECOND);
    let (written, dropped) = (test(from, to), test(second, second.saturating_add(SECOND)));
    let both = Expr::All(vec![written.clone(), dropped.clone()]);
    Expr::Any(vec![both, perhaps(Expr::Any(vec![written, dropped]))])
}

/// A FHIR date or date-time as the half-open range of instants it covers; without offset it is UTC.
fn instant_range(text: &str) -> Option<(Nanos, Nanos)> {
    if let Ok(t) = text.parse::<jiff::Timestamp>() {
        let t = i64::try_from(t.as_nanosecond()).ok()?;
        return Some((t, t.checked_add(precision(text))?));
    }
    let d = PartDate::parse(text)?;
    let (y, m, day) = (d.0 / 10_000, d.0 / 100 % 100, d.0 % 100);
    let at = |y: u32, m: u32, d: u32| -> Option<Nanos> {
        let date = jiff::civil::Date::new(
            i16::try_from(y).ok()?,
            i8::try_from(m).ok()?,
            i8::try_from(d).ok()?,
        )
        .ok()?;
        let t = date
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()?
            .timestamp()
            .as_nanosecond();
        i64::try_from(t).ok()
    };
    let from = at(y, m.max(1), day.max(1))?;
    let to = match (m, day) {
        (0, _) => at(y + 1, 1, 1)?,
        (12, 0) => at(y + 1, 1, 1)?,
        (_, 0) => at(y, m + 1, 1)?,
        _ => from.checked_add(ampleur_event::time::DAY)?,
    };
    Some((from, to))
}

/// A search criterion on Patient; `None` when it limits nothing (result parameters).
fn criterion(
    b: &IdentityBase,
    key: &str,
    value: &str,
    (texts, ends): (Texts, Ends),
    notes: &mut Vec<String>,
) -> Option<Expr> {
    if super::is_masked(key) || super::is_masked(value) {
        return Some(Expr::Unknown);
    }
    let (name, modifier) = key.split_once(':').unwrap_or((key, ""));
    if modifier == "missing" {
        let field = match name {
            "name" => FieldName::Name,
            "family" => FieldName::Family,
            "given" => FieldName::Given,
            "birthdate" => FieldName::Birth,
            "identifier" => FieldName::Identifier,
            "telecom" => FieldName::Telecom,
            "phone" => FieldName::Phone,
            "email" => FieldName::Email,
            "address" => FieldName::Address,
            "gender" => FieldName::Gender,
            "death-date" => FieldName::Death,
            "deceased" => FieldName::Deceased,
            "organization" => FieldName::Organization,
            "link" => FieldName::Link,
            "active" => FieldName::Active,
            "_id" | "_lastUpdated" if matches!(value, "true" | "false") => {
                return Some(Expr::Known(value == "false"));
            }
            _ => {
                notes.push(key.to_string());
                return Some(Expr::Unknown);
            }
        };
        let missing = Expr::Test(Test::Missing(field));
        return Some(match value {
            "true" => missing,
            "false" => Expr::Not(Box::new(missing)),
            _ => Expr::Unknown,
        });
    }
    // A text test; `make` puts one comparison on the field.
    let text = |v: &str, make: &dyn Fn(TextOp) -> Test| -> Expr {
        let v = v.replace('\u{1}', "|");
        let e = Expr::Test(make(match modifier {
            "exact" => TextOp::Exact(v.clone()),
            "contains" => TextOp::Contains(Text::of(&v, texts)),
            _ => TextOp::Starts(Text::of(&v, texts)),
        }));
        let e = if texts.sounds == Sounds::Unknown && modifier != "exact" {
            Expr::Any(vec![e, Expr::Unknown])
        } else {
            e
        };
        // R4 knows no wildcards, but a server may hand the text to LIKE as it is.
        if modifier != "exact" && v.contains(['%', '_']) {
            let before = if modifier == "contains" { "%" } else { "" };
            let wild = TextOp::Wild(format!("{before}{}%", letters::plain(&v)));
            Expr::Any(vec![e, Expr::Test(make(wild))])
        } else {
            e
        }
    };
    let text_ok = matches!(modifier, "" | "exact" | "contains");
    let token_ok = matches!(modifier, "" | "not");
    let mut unknown = || {
        notes.push(key.to_string());
        Expr::Unknown
    };
    let each = |f: &mut dyn FnMut(&str) -> Expr| -> Expr {
        let mut all: Vec<Expr> = alternatives(value)
            .iter()
            .map(|v| {
                let trimmed = v.text.trim();
                if trimmed.is_empty() {
                    // An empty alternative is refused, left out, or the start of every text: servers differ.
                    Expr::Unknown
                } else if trimmed.len() == v.text.len() && !v.doubtful {
                    f(&v.text)
                } else {
                    let e = match ends {
                        Ends::Open => Expr::Any(vec![f(&v.text), f(trimmed)]),
                        Ends::Kept => f(&v.text),
                        Ends::TakenOff => f(trimmed),
                    };
                    match ends {
                        Ends::Kept | Ends::TakenOff if !v.doubtful => e,
                        _ => perhaps(e),
                    }
                }
            })
            .collect();
        if all.len() == 1 {
            all.remove(0)
        } else {
            Expr::Any(all)
        }
    };
    if value.trim().is_empty() {
        // An empty value is ignored by servers (R4 §3.1.1.4).
        return None;
    }
    let e = match name {
        "family" | "given" | "name" if text_ok => {
            let part = match name {
                "family" => NamePart::Family,
                "given" => NamePart::Given,
                _ => NamePart::Any,
            };
            each(&mut |v| text(v, &|op| Test::name(b, part, op)))
        }
        "birthdate" if modifier.is_empty() => each(&mut |v| {
            let (op, d) = date_op(v);
            match PartDate::parse(d) {
                Some(date) => Expr::Test(Test::Birth { op, date }),
                // A server refuses a date it cannot read; the outcome of the row says so when it did.
                None => Expr::Unknown,
            }
        }),
        "death-date" if modifier.is_empty() => each(&mut |v| {
            let (op, d) = date_op(v);
            match PartDate::parse(d) {
                Some(date) => Expr::Test(Test::Death { op, date }),
                None => Expr::Unknown,
            }
        }),
        "identifier" if modifier.is_empty() || modifier == "not" => each(&mut |v| {
            let (system, value) = token(v);
            identifier(b, system.as_deref(), &value)
        }),
        "identifier" if modifier == "of-type" => each(&mut |v| {
            let parts: Vec<&str> = v.split('|').collect();
            match (&parts[..], b.strings.find(parts.last().unwrap_or(&""))) {
                (["http://terminology.hl7.org/CodeSystem/v2-0203", "PI", _], Some(value)) => {
                    let kind = IdKind::Pi;
                    Expr::Test(Test::IdentifierOf { kind, value })
                }
                // The system of the type is not kept: a value that fits may be of another type.
                _ => {
                    let value = parts.last().unwrap_or(&"").replace('\u{1}', "|");
                    perhaps(identifier(b, None, &value))
                }
            }
        }),
        "telecom" | "phone" | "email" if token_ok => each(&mut |v| {
            let (system, value) = token(v);
            let kind = match name {
                "phone" => Some(TelecomKind::Phone),
                "email" => Some(TelecomKind::Email),
                _ => None,
            };
            match (name, system.as_deref()) {
                (_, None) => telecom(b, kind, &value),
                ("telecom" | "phone", Some("phone")) => {
                    telecom(b, Some(TelecomKind::Phone), &value)
                }
                ("telecom" | "email", Some("email")) => {
                    telecom(b, Some(TelecomKind::Email), &value)
                }
                // Other systems of contact points are not kept apart (R4 §3.1.1.4.10: the system of a contact point).
                _ => perhaps(telecom(b, None, &value)),
            }
        }),
        "gender" if token_ok => each(&mut |v| {
            let (system, code) = token(v);
            let lower = code.to_lowercase();
            let same = match Gender::of(&lower) {
                // No code of the value set; a record may hold one all the same.
                Gender::Absent => return perhaps(Expr::Test(Test::Gender(Gender::Absent))),
                g => Expr::Test(Test::Gender(g)),
            };
            match system.as_deref() {
                None | Some("http://hl7.org/fhir/administrative-gender") if lower == code => same,
                // Another system, none, or another case (R4 §3.1.1.4.10: servers should set case aside).
                _ => perhaps(same),
            }
        }),
        "active" if token_ok => each(&mut |v| {
            let (system, v) = token(v);
            match (system, v.as_str()) {
                (None, "true") => Expr::Test(Test::Active(true)),
                (None, "false") => Expr::Test(Test::Active(false)),
                _ => Expr::Unknown,
            }
        }),
        "_id" if token_ok => each(&mut |v| {
            let id = v.rsplit('/').next().unwrap_or(v);
            Expr::Test(Test::Record(b.record_by_id(id)))
        }),
        "_lastUpdated" if modifier.is_empty() => each(&mut |v| {
            let (op, d) = date_op(v);
            match instant_range(d) {
                Some(range) => updated(op, range),
                None => Expr::Unknown,
            }
        }),
        "address" | "address-city" | "address-postalcode" | "address-state" | "address-country"
            if text_ok =>
        {
            let part = match name {
                "address-city" => AddressPart::City,
                "address-postalcode" => AddressPart::Postal,
                "address-state" => AddressPart::State,
                "address-country" => AddressPart::Country,
                _ => AddressPart::Any,
            };
            each(&mut |v| text(v, &|op| Test::Address { part, op }))
        }
        "deceased" if token_ok => each(&mut |v| match v {
            "true" => Expr::Test(Test::Deceased(true)),
            // A server without a value for the living finds none of them.
            "false" => perhaps(Expr::Test(Test::Deceased(false))),
            _ => Expr::Unknown,
        }),
        "mothersMaidenName" if text_ok => each(&mut |v| text(v, &Test::MothersName)),
        "organization" if matches!(modifier, "" | "Organization") => {
            each(&mut |v| Expr::Test(Test::OrganizationAt(v.replace('\u{1}', "|"))))
        }
        "organization" | "organization.identifier"
            if modifier == "identifier" || name.contains('.') =>
        {
            each(&mut |v| Expr::Test(Test::Organization(token(v).1)))
        }
        "_count" | "_offset" | "_page" | "page" | "_sort" | "_format" | "_pretty" | "_total"
        | "_include" | "_revinclude" | "_elements" | "_summary" | "_getpages"
        | "_getpagesoffset" | "_bundletype" | "_pageId" | "_contained" | "_containedType"
        | "_maxresults" | "offset" | "count" | "_cursor" | "pageToken" | "_page_token" | "ct"
        | "search-id" => {
            return None;
        }
        _ => unknown(),
    };
    Some(if modifier == "not" {
        Expr::Not(Box::new(e))
    } else {
        e
    })
}

/// An identifier test from a token's parts.
pub fn identifier(b: &IdentityBase, system: Option<&str>, value: &str) -> Expr {
    let no_system = system == Some("");
    let sys = match system {
        None | Some("") => None,
        Some(s) => match b.strings.find(&oid(s)) {
            Some(x) => Some(x),
            None => return Expr::Known(false),
        },
    };
    let test = |value| {
        Expr::Test(Test::Identifier {
            system: sys,
            no_system,
            value,
        })
    };
    let e = if value.is_empty() {
        test(None)
    } else {
        let like = || b.index.id_like(b, value);
        in_any_case(b, value, like, |x| test(Some(x)))
    };
    match system {
        // A number is an OID without the form of an address; servers compare the text (R4 §3.1.1.4.10).
        Some(s) if oid(s) != s => perhaps(e),
        _ => e,
    }
}

pub(super) fn telecom(b: &IdentityBase, kind: Option<TelecomKind>, value: &str) -> Expr {
    if value.is_empty() {
        return Expr::Unknown;
    }
    let like = || b.index.telecom_like(b, value);
    in_any_case(b, value, like, |value| {
        Expr::Test(Test::Telecom { kind, value })
    })
}

/// A token as written, and perhaps what differs from it in case: servers should set it aside, and some do not
/// (R4 §3.1.1.4.10). `like` gives the values that differ in case at most; numbers have none.
fn in_any_case(
    b: &IdentityBase,
    value: &str,
    like: impl Fn() -> Vec<Sym>,
    test: impl Fn(Sym) -> Expr,
) -> Expr {
    let same = b.strings.find(value);
    let mut any: Vec<Expr> = same.map(&test).into_iter().collect();
    if value.bytes().any(|c| c.is_ascii_alphabetic()) {
        let others = like().into_iter().filter(|x| Some(*x) != same);
        any.extend(others.map(|x| perhaps(test(x))));
    }
    match any.len() {
        0 => Expr::Known(false),
        1 => any.remove(0),
        _ => Expr::Any(any),
    }
}

/// The criteria of a search on Patient, as one condition (repeated parameters are AND).
pub fn patient_search(b: &IdentityBase, query: &str) -> (Expr, Vec<String>) {
    patient_search_as(b, query, Texts::FHIR)
}

/// The same, on a server that compares texts in its own way.
pub fn patient_search_as(b: &IdentityBase, query: &str, texts: Texts) -> (Expr, Vec<String>) {
    patient_search_by(b, query, (texts, Ends::Open))
}

fn patient_search_by(b: &IdentityBase, query: &str, by: (Texts, Ends)) -> (Expr, Vec<String>) {
    let mut notes = vec![];
    let mut all: Vec<Expr> = pairs(query)
        .iter()
        .filter_map(|(k, v)| criterion(b, k, v, by, &mut notes))
        .collect();
    let e = if all.len() == 1 {
        all.remove(0)
    } else {
        Expr::All(all)
    };
    (e, notes)
}

const TYPES: &[&str] = &[
    "Patient",
    "RelatedPerson",
    "Encounter",
    "EpisodeOfCare",
    "CareTeam",
    "CarePlan",
    "Goal",
    "Task",
    "Flag",
    "Appointment",
    "AppointmentResponse",
    "Slot",
    "Schedule",
    "Condition",
    "ClinicalImpression",
    "DetectedIssue",
    "RiskAssessment",
    "AdverseEvent",
    "Observation",
    "DiagnosticReport",
    "Specimen",
    "Media",
    "ImagingStudy",
    "BodyStructure",
    "MedicationRequest",
    "MedicationStatement",
    "MedicationAdministration",
    "MedicationDispense",
    "Procedure",
    "ServiceRequest",
    "DeviceRequest",
    "DeviceUseStatement",
    "Immunization",
    "NutritionOrder",
    "VisionPrescription",
    "AllergyIntolerance",
    "FamilyMemberHistory",
    "MolecularSequence",
    "DocumentReference",
    "Composition",
    "Binary",
    "DocumentManifest",
    "QuestionnaireResponse",
    "Communication",
    "List",
    "Basic",
    "Coverage",
    "CoverageEligibilityRequest",
    "CoverageEligibilityResponse",
    "EnrollmentRequest",
    "Claim",
    "ClaimResponse",
    "ExplanationOfBenefit",
    "Invoice",
    "ChargeItem",
    "Account",
    "Consent",
    "Person",
    "Group",
    "ResearchSubject",
    "Practitioner",
    "PractitionerRole",
    "AuditEvent",
    "Provenance",
    "Bundle",
    "Organization",
    "Location",
    "Medication",
    "Device",
    "Questionnaire",
];

/// True for a resource type of FHIR R4 that the category tables know.
pub fn is_type(word: &str) -> bool {
    TYPES.contains(&word)
}

/// Takes a request apart. `criteria` are search parameters from elsewhere (a form body the audit kept); they join the URL's.
pub fn ask(b: &IdentityBase, url: &str, criteria: &str) -> Asked {
    ask_as(b, url, criteria, &Server::default())
}

/// The server asked, as far as the operator tells.
#[derive(Debug, Clone, Copy, Default)]
pub struct Server<'a> {
    pub compare: Option<&'a Comparison>,
    /// It is a directory of patients, when it is a directory.
    pub patients: bool,
}

/// The parameters of a request, its own and those from elsewhere.
fn query_of(url: &str, criteria: &str) -> String {
    let (_, query) = split_url(url);
    match (query.is_empty(), criteria.is_empty()) {
        (true, _) => criteria.to_string(),
        (_, true) => query.to_string(),
        // The audit repeats the URL's own query.
        _ if query == criteria || query.ends_with(criteria) => query.to_string(),
        _ if criteria.ends_with(query) => criteria.to_string(),
        _ => format!("{query}&{criteria}"),
    }
}

/// The readings of a search on Patient whose texts begin or end in blanks, which a server keeps or takes off: one of them is what it
/// did. None where there is no such text.
pub fn readings(b: &IdentityBase, url: &str, criteria: &str, server: &Server<'_>) -> Vec<Expr> {
    let query = query_of(url, criteria);
    let blank = |v: &Value| !v.text.trim().is_empty() && v.text.trim() != v.text;
    let mut all = pairs(&query).into_iter();
    let blanks = all.any(|(k, v)| !k.starts_with('_') && alternatives(&v).iter().any(blank));
    if !blanks || hl7::is_query(criteria) {
        return vec![];
    }
    let texts = Texts::FHIR.declared(server.compare);
    [Ends::Kept, Ends::TakenOff]
        .into_iter()
        .map(|ends| patient_search_by(b, &query, (texts, ends)).0)
        .collect()
}

/// [`ask`] of a server that compares texts in its own way. The criteria may be an HL7 v2 query or an LDAP filter.
pub fn ask_as(b: &IdentityBase, url: &str, criteria: &str, server: &Server<'_>) -> Asked {
    if hl7::is_query(criteria)
        && let Some(a) = hl7::ask(b, criteria, Texts::HL7.declared(server.compare))
    {
        return a;
    }
    if server.patients {
        let filter = if criteria.trim().is_empty() {
            url
        } else {
            criteria
        };
        if let Some(a) = ldap::ask(b, filter, Texts::LDAP.declared(server.compare)) {
            return a;
        }
    }
    let texts = Texts::FHIR.declared(server.compare);
    let (path, _) = split_url(url);
    let query = query_of(url, criteria);
    let decoded = percent_decode(path, false);
    let segments: Vec<&str> = decoded.split('/').filter(|s| !s.is_empty()).collect();
    let all = pairs(&query);
    let get = |k: &str| all.iter().find(|(n, _)| n == k).map(|(_, v)| v.as_str());
    let number = |k: &str| get(k).and_then(|v| v.parse::<u64>().ok());
    let paging = Paging {
        count: number("_count").or_else(|| number("count")),
        offset: number("_offset")
            .or_else(|| number("_getpagesoffset"))
            .or_else(|| number("offset")),
        page: number("_page").or_else(|| number("page")),
        sorted: get("_sort").map(str::to_string),
    };
    let shape = Shape {
        // R4 §3.1.1.4.10: a page of nothing is a count.
        summary: match paging.count {
            Some(0) => Some("count".to_string()),
            _ => get("_summary").map(str::to_string),
        },
        elements: get("_elements")
            .map(|e| e.split(',').map(|x| x.trim().to_string()).collect())
            .unwrap_or_default(),
    };
    let with = |name: &'static str| {
        all.iter()
            .filter(move |(k, _)| k.split(':').next() == Some(name))
            .map(|(_, v)| v.as_str())
    };
    let first = |v: &str| v.split(':').next().unwrap_or(v).to_string();
    let included = with("_include").map(first).collect();
    let pointing = with("_revinclude").map(first).collect();
    let with_patient = with("_include").any(|v| {
        let mut parts = v.split(':').skip(1);
        let (by, target) = (parts.next().unwrap_or("*"), parts.next());
        // Where the type of what is pointed to is left out, these parameters of R4 can mean a patient.
        match target {
            Some(t) => t == "Patient" || t == "*",
            None => PATIENT_BY.contains(&by),
        }
    });
    let mut notes = vec![];
    let at = segments.iter().position(|s| is_type(s));
    let last = segments.last().copied().unwrap_or("");
    let what = match at {
        _ if last == "metadata" => What::Nothing,
        _ if get("_getpages")
            .or(get("_cursor"))
            .or(get("pageToken"))
            .is_some()
            && !all
                .iter()
                .any(|(k, _)| !k.starts_with('_') && k != "pageToken") =>
        {
            What::Page {
                token: get("_getpages")
                    .or(get("_cursor"))
                    .or(get("pageToken"))
                    .unwrap_or("")
                    .to_string(),
            }
        }
        None if last == "$export" => What::Export { group: None },
        None => What::Nothing,
        Some(i) => {
            let kind = segments[i];
            let next = segments.get(i + 1).copied().unwrap_or("");
            let after = segments.get(i + 2).copied().unwrap_or("");
            match (kind, next) {
                ("Patient", "$export") => What::Export { group: None },
                ("Group", id) if after == "$export" => What::Export {
                    group: Some(id.to_string()),
                },
                ("Patient", "$match") => What::Match,
                ("Patient", "$ihe-pix") => What::Pix {
                    source: get("sourceIdentifier").unwrap_or("").to_string(),
                    targets: all
                        .iter()
                        .filter(|(k, _)| k == "targetSystem")
                        .map(|(_, v)| v.clone())
                        .collect(),
                },
                ("Patient", "" | "_search") => {
                    let (e, n) = patient_search_as(b, &query, texts);
                    notes = n;
                    What::Patients(e)
                }
                (_, "" | "_search") => other_search(kind, &all, &mut notes),
                (_, op) if op.starts_with('$') => other_search(kind, &all, &mut notes),
                (_, id) => What::Read {
                    kind: kind.to_string(),
                    id: id.to_string(),
                    everything: after == "$everything",
                },
            }
        }
    };
    Asked {
        what,
        paging,
        shape,
        included,
        pointing,
        with_patient,
        notes,
    }
}

/// Search parameters that point to a patient, among other things.
const PATIENT_BY: &[&str] = &[
    "*",
    "patient",
    "subject",
    "actor",
    "beneficiary",
    "candidate",
    "entity",
    "focus",
    "individual",
    "link",
    "member",
    "participant",
    "performer",
    "recipient",
    "requester",
    "sender",
    "source",
    "subscriber",
    "target",
];

fn other_search(kind: &str, all: &[(String, String)], notes: &mut Vec<String>) -> What {
    let mut patients = vec![];
    let mut narrowed = false;
    for (k, v) in all {
        let base = k.split([':', '.']).next().unwrap_or(k);
        match base {
            "patient" | "subject" | "beneficiary" | "individual" => {
                for x in alternatives(v) {
                    let x = x.text.replace('\u{1}', "|");
                    if k.ends_with(".identifier") || k.ends_with(":identifier") || x.contains('|') {
                        patients.push(x);
                    } else if k == base || k.ends_with(":Patient") || k.ends_with("._id") {
                        let id = x.rsplit('/').next().unwrap_or(&x).to_string();
                        patients.push(format!("Patient/{id}"));
                    } else {
                        notes.push(k.clone());
                    }
                }
            }
            _ if base.starts_with('_') || matches!(base, "page" | "count" | "offset") => {}
            _ => narrowed = true,
        }
    }
    What::Others {
        kind: kind.to_string(),
        patients,
        narrowed,
    }
}
