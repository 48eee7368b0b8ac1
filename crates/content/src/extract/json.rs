//! JSON and NDJSON. FHIR R4 resources by the meaning of their elements (data-categories §3.1); other objects by their keys,
//! each object of a list a record of its own.
use super::field;
use crate::{
    whose::Reader,
    words::{self, Column, Role},
};
use ampleur_event::Category::{self, *};
use serde_json::Value;
use std::io::{BufRead, Read as _};

pub enum Stop {
    /// Too large to be held; what was read.
    TooLarge(Vec<u8>),
    Io,
}

/// Reads a document, or one document a line.
pub fn read(input: &mut dyn BufRead, cap: u64, reader: &mut Reader<'_>) -> Result<(), Stop> {
    let mut line = vec![];
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
        match serde_json::from_slice::<Value>(&line) {
            Ok(v) => value(&v, reader),
            Err(e) if first && e.is_eof() => {
                // One document over many lines.
                let left = cap.saturating_sub(line.len() as u64);
                (&mut *input)
                    .take(left)
                    .read_to_end(&mut line)
                    .map_err(|_| Stop::Io)?;
                match serde_json::from_slice::<Value>(&line) {
                    Ok(v) => value(&v, reader),
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

fn value(v: &Value, reader: &mut Reader<'_>) {
    match v {
        Value::Array(list) => list.iter().for_each(|x| value(x, reader)),
        Value::Object(map) => {
            if map.get("resourceType").is_some_and(Value::is_string) {
                return resource(v, reader);
            }
            // A wrapper holds its records in lists of objects.
            let lists: Vec<&Value> = map
                .values()
                .filter(|x| {
                    x.as_array()
                        .is_some_and(|a| a.len() > 1 && a.iter().all(Value::is_object))
                })
                .collect();
            let plain = map
                .values()
                .filter(|x| !x.is_object() && !x.is_array())
                .count();
            if !lists.is_empty() && plain <= 3 {
                map.values()
                    .filter(|x| x.is_object() || x.is_array())
                    .for_each(|x| value(x, reader));
                return;
            }
            let mut fields = vec![];
            flatten("", v, &mut fields, 0);
            let refs: Vec<(Column, &[u8])> =
                fields.iter().map(|(c, t)| (*c, t.as_bytes())).collect();
            reader.record(&refs);
        }
        Value::String(s) => {
            reader.text(s.as_bytes());
            reader.text(b"\n");
            reader.end_document();
        }
        _ => {}
    }
}

fn scalar(v: &Value) -> Option<String> {
    match v {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(_) | Value::Null => None,
        _ => None,
    }
}

fn flatten(name: &str, v: &Value, out: &mut Vec<(Column, String)>, depth: u32) {
    if out.len() > 2_000 || depth > 32 {
        return;
    }
    match v {
        Value::Object(m) => m.iter().for_each(|(k, x)| flatten(k, x, out, depth + 1)),
        Value::Array(a) => a.iter().for_each(|x| flatten(name, x, out, depth + 1)),
        _ => {
            if let Some(t) = scalar(v) {
                let folded = crate::text::folded(split_case(name).as_bytes());
                out.push((words::column(&folded), t));
            }
        }
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

fn resource(v: &Value, reader: &mut Reader<'_>) {
    let kind = v["resourceType"].as_str().unwrap_or("");
    if kind == "Bundle" {
        for e in v["entry"].as_array().into_iter().flatten() {
            if e["resource"].is_object() {
                value(&e["resource"], reader);
            }
        }
        return;
    }
    let mut f: Vec<(Column, String)> = vec![];
    // The type's categories hold for the record as a whole; they ride on its type.
    f.push((field(Role::Other, of_resource(kind)), kind.to_string()));
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
            f.push((field(Role::Other, c), t));
        }
    }
    let refs: Vec<(Column, &[u8])> = f.iter().map(|(c, t)| (*c, t.as_bytes())).collect();
    reader.record(&refs);
}

fn reference(v: &Value, out: &mut Vec<(Column, String)>) {
    if let Some(r) = v["reference"].as_str() {
        let id = r.rsplit("Patient/").next().unwrap_or(r);
        let id = id.split("/_history").next().unwrap_or(id);
        out.push((field(Role::Id, &[]), id.to_string()));
    }
    identifier(&v["identifier"], out);
    if let Some(d) = v["display"].as_str() {
        out.push((field(Role::FullName, &[IdName]), d.to_string()));
    }
}

fn identifier(v: &Value, out: &mut Vec<(Column, String)>) {
    let Some(t) = v["value"].as_str() else { return };
    let system = v["system"].as_str().unwrap_or("");
    let c = if system.contains("1.2.250.1.213.1.4.") {
        field(Role::Nir, &[IdNir])
    } else {
        field(Role::Id, &[IdLocal])
    };
    out.push((c, t.to_string()));
}

fn person(v: &Value, out: &mut Vec<(Column, String)>, kin: bool) {
    let c = |r: Role, c: Category, k: Category| field(r, &[if kin { k } else { c }]);
    if let Some(id) = v["id"].as_str() {
        out.push((field(Role::Id, &[]), id.to_string()));
    }
    for i in v["identifier"].as_array().into_iter().flatten() {
        identifier(i, out);
    }
    for n in v["name"].as_array().into_iter().flatten() {
        if let Some(t) = n["family"].as_str() {
            out.push((c(Role::Family, IdName, KinName), t.to_string()));
        }
        let given: Vec<&str> = n["given"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if !given.is_empty() {
            out.push((c(Role::Given, IdName, KinName), given.join(" ")));
        }
        if let Some(t) = n["text"].as_str() {
            out.push((c(Role::FullName, IdName, KinName), t.to_string()));
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
            out.push((c(role, cat, KinContact), t));
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
            out.push((c(Role::Other, cat, KinContact), x.to_string()));
        }
    }
    for k in v["contact"].as_array().into_iter().flatten() {
        let mut t = String::new();
        // The relative's own telephone says nothing about the patient's.
        texts(&k["name"], &mut t, 0);
        if !t.is_empty() {
            out.push((field(Role::Other, &[KinName]), t));
        }
        if k["telecom"].is_array() || k["address"].is_object() {
            out.push((field(Role::Other, &[KinContact]), "x".into()));
        }
    }
}

/// Every text below a value, a blank between two.
fn texts(v: &Value, out: &mut String, depth: u32) {
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
            .filter(|(k, _)| !matches!(k.as_str(), "system" | "use" | "status" | "url"))
            .for_each(|(_, x)| texts(x, out, depth + 1)),
        _ => {}
    }
}
