//! JSON and NDJSON. FHIR R4 resources by the meaning of their elements (data-categories §3.1); other objects by their keys,
//! each object of a list a record of its own.
use super::{
    field,
    records::Records,
    tape::{Tape, Value, Wrong},
};
use crate::{
    whose::Reader,
    words::{Column, Columns, Role},
};
use ampleur_event::Category::{self, *};
use std::io::{BufRead, Read as _};

pub enum Stop {
    /// Too large to be held; what was read.
    TooLarge(Vec<u8>),
    Io,
}

/// Reads a document, or one document a line.
pub fn read(input: &mut dyn BufRead, cap: u64, reader: &mut Reader<'_>) -> Result<(), Stop> {
    let mut out = Out::default();
    let read = documents(input, cap, reader, &mut out);
    out.records.look(reader);
    read
}

fn documents(
    input: &mut dyn BufRead,
    cap: u64,
    reader: &mut Reader<'_>,
    out: &mut Out,
) -> Result<(), Stop> {
    let mut line = vec![];
    let mut tape = Tape::default();
    let mut first = true;
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
        match tape.read(&line) {
            Ok(v) => value(v, reader, out),
            Err(Wrong::Ends) if first => {
                // One document over many lines.
                let left = cap.saturating_sub(line.len() as u64);
                (&mut *input)
                    .take(left)
                    .read_to_end(&mut line)
                    .map_err(|_| Stop::Io)?;
                match tape.read(&line) {
                    Ok(v) => value(v, reader, out),
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

/// What documents hold.
#[derive(Default)]
struct Out {
    records: Records,
    names: Columns,
}

impl Out {
    fn put(&mut self, column: Column, value: &str) {
        self.records.put(column, value.as_bytes());
    }
    fn end(&mut self, reader: &mut Reader<'_>) {
        if self.records.count() > 0 && self.records.end() {
            self.records.look(reader);
        }
    }
    /// The bytes since the value before are one of this column, where there are some.
    fn done(&mut self, column: Column) {
        if self.records.open() > 0 {
            self.records.done(column);
        }
    }
    /// Appends a part of a value, a blank between two.
    fn part(&mut self, text: &str) {
        if self.records.open() > 0 {
            self.records.bytes.push(b' ');
        }
        self.records.bytes.extend_from_slice(text.as_bytes());
    }
}

fn value(v: Value<'_>, reader: &mut Reader<'_>, out: &mut Out) {
    if v.is_array() {
        return v.items().for_each(|x| value(x, reader, out));
    }
    if let Some(s) = v.as_str() {
        reader.text(s.as_bytes());
        reader.text(b"\n");
        reader.end_document();
    }
    if !v.is_object() {
        return;
    }
    if let Some(kind) = v.get("resourceType").as_str() {
        return resource(kind, v, reader, out);
    }
    // A wrapper holds its records in lists of objects.
    let records = |x: Value<'_>| x.items().nth(1).is_some() && x.items().all(Value::is_object);
    let lists = v.members().any(|(_, x)| records(x));
    let inner = |x: Value<'_>| x.is_object() || x.is_array();
    let plain = v.members().filter(|(_, x)| !inner(*x)).count();
    if lists && plain <= 3 {
        for (_, x) in v.members().filter(|(_, x)| inner(*x)) {
            value(x, reader, out);
        }
        return;
    }
    flatten("", v, out, 0);
    out.end(reader);
}

fn flatten(name: &str, v: Value<'_>, out: &mut Out, depth: u32) {
    if out.records.count() > 2_000 || depth > 32 {
        return;
    }
    if v.is_object() {
        v.members().for_each(|(k, x)| flatten(k, x, out, depth + 1));
    } else if v.is_array() {
        v.items().for_each(|x| flatten(name, x, out, depth + 1));
    } else if let Some(text) = v.as_str().or_else(|| v.as_number()) {
        let column = out
            .names
            .of(name, |n| crate::text::folded(split_case(n).as_bytes()));
        out.put(column, text);
    }
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

fn resource(kind: &str, v: Value<'_>, reader: &mut Reader<'_>, out: &mut Out) {
    if kind == "Bundle" {
        for e in v.get("entry").items() {
            let resource = e.get("resource");
            if resource.is_object() {
                value(resource, reader, out);
            }
        }
        return;
    }
    // The type's categories hold for the record as a whole; they ride on its type.
    out.put(field(Role::Other, of_resource(kind)), kind);
    if kind == "Patient" || kind == "Person" || kind == "RelatedPerson" {
        person(v, out, kind == "RelatedPerson");
    }
    let about = v.pick([
        "subject",
        "patient",
        "beneficiary",
        "individual",
        "subscriber",
    ]);
    about.into_iter().for_each(|x| reference(x, out));
    let said: [(&str, &[Category]); 8] = [
        ("note", &[FreeText]),
        ("comment", &[FreeText]),
        ("description", &[FreeText]),
        ("patientInstruction", &[FreeText]),
        ("conclusion", &[HealthDoc]),
        ("reasonCode", &[CareReason]),
        ("code", &[]),
        ("text", &[]),
    ];
    for p in v.get("participant").items() {
        let actor = p.get("actor");
        let whose = actor.get("reference").as_str();
        if whose.is_some_and(|r| r.contains("Patient/")) {
            reference(actor, out);
        }
    }
    for (x, (_, c)) in v.pick(said.map(|s| s.0)).into_iter().zip(said) {
        texts(x, out, 0);
        out.done(field(Role::Other, c));
    }
    out.end(reader);
}

fn reference(v: Value<'_>, out: &mut Out) {
    if !v.is_object() {
        return;
    }
    let [to, of, display] = v.pick(["reference", "identifier", "display"]);
    if let Some(r) = to.as_str() {
        let id = r.rsplit("Patient/").next().unwrap_or(r);
        let id = id.split("/_history").next().unwrap_or(id);
        out.put(field(Role::Id, &[]), id);
    }
    identifier(of, out);
    if let Some(d) = display.as_str() {
        out.put(field(Role::FullName, &[IdName]), d);
    }
}

fn identifier(v: Value<'_>, out: &mut Out) {
    let [value, system] = v.pick(["value", "system"]);
    let Some(t) = value.as_str() else {
        return;
    };
    let system = system.as_str().unwrap_or("");
    let c = if super::of_nir(system.as_bytes()) {
        field(Role::Nir, &[IdNir])
    } else {
        field(Role::Id, &[IdLocal])
    };
    out.put(c, t);
}

fn person(v: Value<'_>, out: &mut Out, kin: bool) {
    let c = |r: Role, c: Category, k: Category| field(r, &[if kin { k } else { c }]);
    let [id, identifiers, names, telecom, contact] =
        v.pick(["id", "identifier", "name", "telecom", "contact"]);
    if let Some(id) = id.as_str() {
        out.put(field(Role::Id, &[]), id);
    }
    for i in identifiers.items() {
        identifier(i, out);
    }
    for n in names.items() {
        let [family, given, text] = n.pick(["family", "given", "text"]);
        if let Some(t) = family.as_str() {
            out.put(c(Role::Family, IdName, KinName), t);
        }
        let given = given.items().filter_map(Value::as_str);
        given.for_each(|g| out.part(g));
        out.done(c(Role::Given, IdName, KinName));
        if let Some(t) = text.as_str() {
            out.put(c(Role::FullName, IdName, KinName), t);
        }
    }
    let told = [
        ("birthDate", Role::Birth, IdDob),
        ("gender", Role::Other, IdSex),
        ("deceasedDateTime", Role::Other, IdDeath),
        ("maritalStatus", Role::Other, IdCivil),
        ("photo", Role::Other, IdPhoto),
        ("address", Role::Other, ContactPostal),
        ("generalPractitioner", Role::Other, CarePro),
    ];
    for (x, (_, role, cat)) in v.pick(told.map(|t| t.0)).into_iter().zip(told) {
        texts(x, out, 0);
        out.done(c(role, cat, KinContact));
    }
    for t in telecom.items() {
        let [value, system] = t.pick(["value", "system"]);
        if let Some(x) = value.as_str() {
            let cat = match system.as_str() {
                Some("email") if x.to_ascii_lowercase().ends_with("@patient.mssante.fr") => {
                    ContactMssante
                }
                Some("email") => ContactEmail,
                _ => ContactPhone,
            };
            out.put(c(Role::Other, cat, KinContact), x);
        }
    }
    for k in contact.items() {
        // The relative's own telephone says nothing about the patient's.
        let [name, telecom, address] = k.pick(["name", "telecom", "address"]);
        texts(name, out, 0);
        out.done(field(Role::Other, &[KinName]));
        if telecom.is_array() || address.is_object() {
            out.put(field(Role::Other, &[KinContact]), "x");
        }
    }
}

/// Every text below a value, a blank between two.
fn texts(v: Value<'_>, out: &mut Out, depth: u32) {
    if depth > 32 || out.records.open() > 1 << 20 {
        return;
    }
    if let Some(s) = v.as_str() {
        // The narrative of a resource is markup.
        if s.starts_with('<') {
            out.part(&super::markup::html(s.as_bytes()));
        } else {
            out.part(s);
        }
    } else if v.is_array() {
        v.items().for_each(|x| texts(x, out, depth + 1));
    } else {
        v.members()
            .filter(|(k, _)| !matches!(*k, "system" | "use" | "status" | "url"))
            .for_each(|(_, x)| texts(x, out, depth + 1));
    }
}
