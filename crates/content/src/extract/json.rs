//! JSON and NDJSON. FHIR R4 resources by the meaning of their elements (data-categories §3.1); other objects by their keys,
//! each object of a list a record of its own.
use super::field;
use crate::{
    whose::Reader,
    words::{Column, Columns, Role},
};
use ampleur_event::Category::{self, *};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use std::{
    borrow::Cow,
    fmt,
    io::{BufRead, Read as _},
    marker::PhantomData,
};

pub enum Stop {
    /// Too large to be held; what was read.
    TooLarge(Vec<u8>),
    Io,
}

/// Reads a document, or one document a line.
pub fn read(input: &mut dyn BufRead, cap: u64, reader: &mut Reader<'_>) -> Result<(), Stop> {
    let mut line = vec![];
    let mut first = true;
    let mut names = Columns::default();
    loop {
        line.clear();
        let n = (&mut *input)
            .take(cap)
            .read_until(b'\n', &mut line)
            .map_err(|_| Stop::Io)?;
        if n == 0 {
            return Ok(());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Value<'_>>(&line) {
            Ok(v) => value(&v, reader, &mut names),
            Err(e) if first && e.is_eof() => {
                // One document over many lines.
                let left = cap.saturating_sub(line.len() as u64);
                (&mut *input)
                    .take(left)
                    .read_to_end(&mut line)
                    .map_err(|_| Stop::Io)?;
                match serde_json::from_slice::<Value<'_>>(&line) {
                    Ok(v) => value(&v, reader, &mut names),
                    Err(_) => return Err(Stop::TooLarge(line)),
                }
                return Ok(());
            }
            Err(_) => {
                reader.text(&line);
                reader.end_document();
            }
        }
        first = false;
    }
}

/// A value whose texts lie in the document where they can; the members of an object in its order, one that is there twice twice.
enum Value<'a> {
    Nothing,
    Number(serde_json::Number),
    String(Cow<'a, str>),
    Array(Vec<Value<'a>>),
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

impl<'a> Value<'a> {
    fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(s) => Some(s),
            _ => None,
        }
    }
    fn as_array(&self) -> Option<&[Value<'a>]> {
        match self {
            Value::Array(a) => Some(a),
            _ => None,
        }
    }
    fn is_array(&self) -> bool {
        matches!(self, Value::Array(_))
    }
    fn is_object(&self) -> bool {
        matches!(self, Value::Object(_))
    }
}

/// Members of an object by name, the last of equals; nothing where there is none.
impl<'a> std::ops::Index<&str> for Value<'a> {
    type Output = Value<'a>;
    fn index(&self, name: &str) -> &Value<'a> {
        let found = match self {
            Value::Object(m) => m.iter().rfind(|m| m.0 == name),
            _ => None,
        };
        found.map_or(&Value::Nothing, |m| &m.1)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Values(PhantomData))
    }
}

struct Values<'a>(PhantomData<&'a str>);

impl<'de: 'a, 'a> Visitor<'de> for Values<'a> {
    type Value = Value<'a>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<Value<'a>, E> {
        Ok(Value::Nothing)
    }
    fn visit_unit<E>(self) -> Result<Value<'a>, E> {
        Ok(Value::Nothing)
    }
    fn visit_i64<E>(self, n: i64) -> Result<Value<'a>, E> {
        Ok(Value::Number(n.into()))
    }
    fn visit_u64<E>(self, n: u64) -> Result<Value<'a>, E> {
        Ok(Value::Number(n.into()))
    }
    fn visit_f64<E>(self, n: f64) -> Result<Value<'a>, E> {
        Ok(serde_json::Number::from_f64(n).map_or(Value::Nothing, Value::Number))
    }
    fn visit_borrowed_str<E>(self, s: &'de str) -> Result<Value<'a>, E> {
        Ok(Value::String(Cow::Borrowed(s)))
    }
    fn visit_str<E>(self, s: &str) -> Result<Value<'a>, E> {
        Ok(Value::String(Cow::Owned(s.to_string())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value<'a>, A::Error> {
        let mut out = vec![];
        while let Some(v) = list.next_element()? {
            out.push(v);
        }
        Ok(Value::Array(out))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'a>, A::Error> {
        let mut out = vec![];
        while let Some((Name(k), v)) = map.next_entry()? {
            out.push((k, v));
        }
        Ok(Value::Object(out))
    }
}

/// A key.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match d.deserialize_str(Values(PhantomData))? {
            Value::String(s) => Ok(Name(s)),
            _ => Err(de::Error::custom("a key is a text")),
        }
    }
}

fn value(v: &Value<'_>, reader: &mut Reader<'_>, names: &mut Columns) {
    match v {
        Value::Array(list) => list.iter().for_each(|x| value(x, reader, names)),
        Value::Object(map) => {
            if v["resourceType"].as_str().is_some() {
                return resource(v, reader, names);
            }
            // A wrapper holds its records in lists of objects.
            let lists = map.iter().any(|(_, x)| {
                x.as_array()
                    .is_some_and(|a| a.len() > 1 && a.iter().all(Value::is_object))
            });
            let inner = |x: &Value<'_>| x.is_object() || x.is_array();
            let plain = map.iter().filter(|(_, x)| !inner(x)).count();
            if lists && plain <= 3 {
                for (_, x) in map.iter().filter(|(_, x)| inner(x)) {
                    value(x, reader, names);
                }
                return;
            }
            let mut fields = vec![];
            flatten("", v, &mut fields, 0, names);
            record(&fields, reader);
        }
        Value::String(s) => {
            reader.text(s.as_bytes());
            reader.text(b"\n");
            reader.end_document();
        }
        _ => {}
    }
}

type Fields<'v> = Vec<(Column, Cow<'v, str>)>;

fn record(fields: &Fields<'_>, reader: &mut Reader<'_>) {
    reader.values(fields.len(), |i| (fields[i].0, fields[i].1.as_bytes()));
}

fn flatten<'v>(
    name: &str,
    v: &'v Value<'_>,
    out: &mut Fields<'v>,
    depth: u32,
    names: &mut Columns,
) {
    if out.len() > 2_000 || depth > 32 {
        return;
    }
    let text = match v {
        Value::Object(m) => {
            return m
                .iter()
                .for_each(|(k, x)| flatten(k, x, out, depth + 1, names));
        }
        Value::Array(a) => {
            return a
                .iter()
                .for_each(|x| flatten(name, x, out, depth + 1, names));
        }
        Value::String(s) => Cow::Borrowed(&**s),
        Value::Number(n) => n.to_string().into(),
        Value::Nothing => return,
    };
    let column = names.of(name, |n| crate::text::folded(split_case(n).as_bytes()));
    out.push((column, text));
}

/// `dateNaissance` to `date_Naissance`.
fn split_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut lower = false;
    for c in name.chars() {
        if c.is_uppercase() && lower {
            out.push('_');
        }
        lower = c.is_lowercase();
        out.push(c);
    }
    out
}

/// Categories a resource carries for its patient, by type (data-categories §3.1).
pub fn of_resource(kind: &str) -> &'static [Category] {
    match kind {
        "Patient" | "Person" => &[CareExistence],
        "RelatedPerson" => &[KinName, KinContact],
        "Encounter" => &[
            CareUnit,
            CareReason,
            CareDate,
            CarePlace,
            CarePro,
            HealthState,
        ],
        "EpisodeOfCare" | "CareTeam" | "CarePlan" | "Goal" | "Task" | "Flag" => {
            &[CareUnit, CareDate, CarePro, HealthState]
        }
        "Appointment" | "AppointmentResponse" | "Slot" | "Schedule" => {
            &[CareDate, CareUnit, CarePro, CarePlace]
        }
        "Condition" | "ClinicalImpression" | "DetectedIssue" | "RiskAssessment"
        | "AdverseEvent" => &[HealthState],
        "Observation" | "DiagnosticReport" | "Specimen" => &[HealthResult, CareDate],
        "ImagingStudy" | "BodyStructure" | "Media" => &[HealthImage, CareDate],
        "MedicationRequest"
        | "MedicationStatement"
        | "MedicationAdministration"
        | "MedicationDispense" => &[HealthDrug, CareDate],
        "Procedure" | "ServiceRequest" | "DeviceRequest" | "DeviceUseStatement"
        | "Immunization" | "NutritionOrder" | "VisionPrescription" => &[HealthAct, CareDate],
        "AllergyIntolerance" => &[HealthAllergy],
        "FamilyMemberHistory" | "MolecularSequence" => &[HealthGen],
        "DocumentReference" | "Composition" | "Binary" | "DocumentManifest" => {
            &[HealthDoc, CareDate, FreeFile]
        }
        "QuestionnaireResponse" | "Communication" | "List" | "Basic" => &[FreeText, HealthState],
        "Coverage"
        | "CoverageEligibilityRequest"
        | "CoverageEligibilityResponse"
        | "EnrollmentRequest" => &[CoverRights],
        "Claim"
        | "ClaimResponse"
        | "ExplanationOfBenefit"
        | "Invoice"
        | "ChargeItem"
        | "Account" => &[FinBill, HealthAct, HealthState, CareDate],
        "AuditEvent" | "Provenance" => &[MetaTrace, CareExistence],
        _ => &[],
    }
}

fn resource(v: &Value<'_>, reader: &mut Reader<'_>, names: &mut Columns) {
    let kind = v["resourceType"].as_str().unwrap_or("");
    if kind == "Bundle" {
        for e in v["entry"].as_array().into_iter().flatten() {
            if e["resource"].is_object() {
                value(&e["resource"], reader, names);
            }
        }
        return;
    }
    let mut f: Fields<'_> = vec![];
    // The type's categories hold for the record as a whole; they ride on its type.
    f.push((field(Role::Other, of_resource(kind)), kind.into()));
    if kind == "Patient" || kind == "Person" || kind == "RelatedPerson" {
        person(v, &mut f, kind == "RelatedPerson");
    }
    for key in [
        "subject",
        "patient",
        "beneficiary",
        "individual",
        "subscriber",
    ] {
        reference(&v[key], &mut f);
    }
    for p in v["participant"].as_array().into_iter().flatten() {
        let actor = &p["actor"];
        if actor["reference"]
            .as_str()
            .is_some_and(|r| r.contains("Patient/"))
        {
            reference(actor, &mut f);
        }
    }
    for key in [
        "note",
        "comment",
        "description",
        "patientInstruction",
        "conclusion",
        "reasonCode",
        "code",
        "text",
    ] {
        let mut t = String::new();
        texts(&v[key], &mut t, 0);
        if !t.is_empty() {
            let c: &[Category] = match key {
                "note" | "comment" | "patientInstruction" | "description" => &[FreeText],
                "conclusion" => &[HealthDoc],
                "reasonCode" => &[CareReason],
                _ => &[],
            };
            f.push((field(Role::Other, c), t.into()));
        }
    }
    record(&f, reader);
}

fn reference<'v>(v: &'v Value<'_>, out: &mut Fields<'v>) {
    if let Some(r) = v["reference"].as_str() {
        let id = r.rsplit("Patient/").next().unwrap_or(r);
        let id = id.split("/_history").next().unwrap_or(id);
        out.push((field(Role::Id, &[]), id.into()));
    }
    identifier(&v["identifier"], out);
    if let Some(d) = v["display"].as_str() {
        out.push((field(Role::FullName, &[IdName]), d.into()));
    }
}

fn identifier<'v>(v: &'v Value<'_>, out: &mut Fields<'v>) {
    let Some(t) = v["value"].as_str() else { return };
    let system = v["system"].as_str().unwrap_or("");
    let c = if system.contains("1.2.250.1.213.1.4.") {
        field(Role::Nir, &[IdNir])
    } else {
        field(Role::Id, &[IdLocal])
    };
    out.push((c, t.into()));
}

fn person<'v>(v: &'v Value<'_>, out: &mut Fields<'v>, kin: bool) {
    let c = |r: Role, c: Category, k: Category| field(r, &[if kin { k } else { c }]);
    if let Some(id) = v["id"].as_str() {
        out.push((field(Role::Id, &[]), id.into()));
    }
    for i in v["identifier"].as_array().into_iter().flatten() {
        identifier(i, out);
    }
    for n in v["name"].as_array().into_iter().flatten() {
        if let Some(t) = n["family"].as_str() {
            out.push((c(Role::Family, IdName, KinName), t.into()));
        }
        let given: Vec<&str> = n["given"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if !given.is_empty() {
            out.push((c(Role::Given, IdName, KinName), given.join(" ").into()));
        }
        if let Some(t) = n["text"].as_str() {
            out.push((c(Role::FullName, IdName, KinName), t.into()));
        }
    }
    for (key, role, cat) in [
        ("birthDate", Role::Birth, IdDob),
        ("gender", Role::Other, IdSex),
        ("deceasedDateTime", Role::Other, IdDeath),
        ("maritalStatus", Role::Other, IdCivil),
        ("photo", Role::Other, IdPhoto),
        ("address", Role::Other, ContactPostal),
        ("generalPractitioner", Role::Other, CarePro),
    ] {
        let mut t = String::new();
        texts(&v[key], &mut t, 0);
        if !t.is_empty() {
            out.push((c(role, cat, KinContact), t.into()));
        }
    }
    for t in v["telecom"].as_array().into_iter().flatten() {
        if let Some(x) = t["value"].as_str() {
            let cat = match t["system"].as_str() {
                Some("email") if x.to_ascii_lowercase().ends_with("@patient.mssante.fr") => {
                    ContactMssante
                }
                Some("email") => ContactEmail,
                _ => ContactPhone,
            };
            out.push((c(Role::Other, cat, KinContact), x.into()));
        }
    }
    for k in v["contact"].as_array().into_iter().flatten() {
        let mut t = String::new();
        // The relative's own telephone says nothing about the patient's.
        texts(&k["name"], &mut t, 0);
        if !t.is_empty() {
            out.push((field(Role::Other, &[KinName]), t.into()));
        }
        if k["telecom"].is_array() || k["address"].is_object() {
            out.push((field(Role::Other, &[KinContact]), "x".into()));
        }
    }
}

/// Every text below a value, a blank between two.
fn texts(v: &Value<'_>, out: &mut String, depth: u32) {
    if depth > 32 || out.len() > 1 << 20 {
        return;
    }
    match v {
        Value::String(s) => {
            if !out.is_empty() {
                out.push(' ');
            }
            // The narrative of a resource is markup.
            if s.starts_with('<') {
                out.push_str(&super::markup::html(s.as_bytes()));
            } else {
                out.push_str(s);
            }
        }
        Value::Array(a) => a.iter().for_each(|x| texts(x, out, depth + 1)),
        Value::Object(m) => m
            .iter()
            .filter(|(k, _)| !matches!(&**k, "system" | "use" | "status" | "url"))
            .for_each(|(_, x)| texts(x, out, depth + 1)),
        _ => {}
    }
}
