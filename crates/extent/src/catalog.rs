//! What an answer shows: categories of endpoints, FHIR types, tables, shares and event kinds (contract §A, data-categories §3).
//! Categories come from fields actually returned; what the context declares is an upper list, what a record lacks is taken off later.
use crate::{
    fold,
    replay::{
        fhir::{self, Shape},
        sql,
    },
};
use Category as C;
use ampleur_event::{
    Category, Context,
    category::CategorySet,
    context::{Column, Endpoint, Share, Table},
};

/// A declared endpoint that a request matches.
#[derive(Debug, Clone)]
pub struct EndpointHit<'a> {
    pub endpoint: &'a Endpoint,
    pub categories: CategorySet,
    /// Text of the first `{…}` of the pattern named by `subject.path`.
    pub path_id: Option<String>,
}

/// The context's declarations, ready to be asked.
#[derive(Debug)]
pub struct Catalog<'a> {
    context: &'a Context,
}

/// Matches a pattern in which `*` is any text and `{name}` one path segment; returns the texts of the braces in order.
pub fn glob(pattern: &str, text: &str) -> Option<Vec<(String, String)>> {
    fn go(p: &[char], t: &[char], out: &mut Vec<(String, String)>, fuel: &mut u32) -> bool {
        *fuel = fuel.saturating_sub(1);
        if *fuel == 0 {
            return false;
        }
        match p.first() {
            None => t.is_empty(),
            Some('*') => (0..=t.len()).any(|n| go(&p[1..], &t[n..], out, fuel)),
            Some('{') => {
                let Some(end) = p.iter().position(|c| *c == '}') else {
                    return false;
                };
                let name: String = p[1..end].iter().collect();
                let limit = t.iter().position(|c| *c == '/').unwrap_or(t.len());
                for n in (1..=limit).rev() {
                    out.push((name.clone(), t[..n].iter().collect()));
                    if go(&p[end + 1..], &t[n..], out, fuel) {
                        return true;
                    }
                    out.pop();
                }
                false
            }
            Some(c) => t.first() == Some(c) && go(&p[1..], &t[1..], out, fuel),
        }
    }
    let p: Vec<char> = pattern.chars().collect();
    let t: Vec<char> = text.chars().take(4096).collect();
    let mut out = vec![];
    let mut fuel = 200_000;
    go(&p, &t, &mut out, &mut fuel).then_some(out)
}

fn host_matches(pattern: &str, host: &str) -> bool {
    let h = host.split(':').next().unwrap_or(host).to_lowercase();
    glob(&pattern.to_lowercase(), &h).is_some()
}

impl<'a> Catalog<'a> {
    pub fn new(context: &'a Context) -> Catalog<'a> {
        Catalog { context }
    }
    /// The most specific endpoint a request matches: most literal characters in its path, then order of declaration.
    /// A log without host cannot contradict `host` (nginx combined).
    pub fn endpoint(&self, host: &str, method: &str, url: &str) -> Option<EndpointHit<'a>> {
        let (path, query) = fhir::split_url(url);
        let decoded = fhir::percent_decode(path, false);
        let mut best: Option<(usize, EndpointHit<'a>)> = None;
        for e in &self.context.endpoints {
            let m = &e.matches;
            if let Some(x) = &m.method
                && !method.is_empty()
                && !x.eq_ignore_ascii_case(method)
                && x != "*"
            {
                continue;
            }
            if let Some(h) = &m.host
                && !host.is_empty()
                && !host_matches(h, host)
            {
                continue;
            }
            let pattern = m.path.as_deref().unwrap_or("*");
            let found = if pattern.contains('?') {
                glob(pattern, &format!("{decoded}?{query}"))
            } else {
                glob(pattern, &decoded)
            };
            let Some(found) = found else { continue };
            let literal = pattern.chars().filter(|c| *c != '*').count();
            if best.as_ref().is_some_and(|b| b.0 >= literal) {
                continue;
            }
            let wanted = e
                .subject
                .as_ref()
                .and_then(|s| s.path.as_deref())
                .map(|p| p.trim_matches(['{', '}']).to_string());
            let path_id =
                wanted.and_then(|w| found.iter().find(|(n, _)| *n == w).map(|(_, v)| v.clone()));
            best = Some((
                literal,
                EndpointHit {
                    endpoint: e,
                    categories: CategorySet::parse(&e.categories).unwrap_or_default(),
                    path_id,
                },
            ));
        }
        best.map(|b| b.1)
    }
    /// Categories of a resource type: those of an endpoint declared for it, else of the type itself.
    pub fn of_type(&self, kind: &str, shape: &Shape) -> CategorySet {
        let declared = self
            .context
            .endpoints
            .iter()
            .filter(|e| !e.export)
            .filter(|e| {
                e.matches.path.as_deref().is_some_and(|p| {
                    p.split('/')
                        .any(|s| s.trim_end_matches('*').split('?').next() == Some(kind))
                })
            })
            .map(|e| CategorySet::parse(&e.categories).unwrap_or_default())
            .fold(CategorySet::EMPTY, CategorySet::union);
        let set = if declared.is_empty() {
            of_fhir_type(kind)
        } else {
            declared
        };
        shaped(kind, set, shape)
    }
    /// Categories of columns returned by a statement on one table: declared columns, the table's own list, else the names.
    pub fn of_columns(&self, table: &str, columns: &[String], star: bool) -> CategorySet {
        match sql::find_table(&self.context.tables, table) {
            Some(t) => {
                let whole = || {
                    t.columns.iter().map(|(k, c)| of_column(k, c)).fold(
                        CategorySet::parse(&t.categories).unwrap_or_default(),
                        CategorySet::union,
                    )
                };
                if star {
                    return whole();
                }
                let mut s = CategorySet::EMPTY;
                for c in columns {
                    match t.columns.iter().find(|(k, _)| k.eq_ignore_ascii_case(c)) {
                        Some((k, col)) => s = s.union(of_column(k, col)),
                        None => s = s.union(of_column_name(c)),
                    }
                }
                s
            }
            None if star => of_table_name(table),
            None => columns
                .iter()
                .map(|c| of_column_name(c))
                .fold(CategorySet::EMPTY, CategorySet::union),
        }
    }
    /// What the columns of a statement may hold beyond [`Catalog::of_columns`]: those of a `*` that nobody describes, and those whose
    /// name says nothing. `anything` is what the place may hold; a table declared as a whole holds no more than that.
    pub fn open_columns(
        &self,
        tables: &[String],
        columns: &[String],
        star: bool,
        anything: CategorySet,
    ) -> CategorySet {
        let data: Vec<&String> = tables.iter().filter(|t| !of_the_server(t)).collect();
        let described = |t: &Table| !(t.columns.is_empty() && t.categories.is_empty());
        let declared: Vec<&Table> = data.iter().filter_map(|t| self.table(t)).collect();
        let all_declared = declared.len() == data.len() && declared.iter().all(|t| described(t));
        if star && !all_declared {
            return anything;
        }
        let told = |c: &str| {
            says_nothing_of_people(c)
                || !of_column_name(c).is_empty()
                || declared
                    .iter()
                    .any(|t| t.columns.keys().any(|k| k.eq_ignore_ascii_case(c)))
        };
        if data.is_empty() || columns.iter().all(|c| told(c)) {
            return CategorySet::EMPTY;
        }
        let whole = |t: &&Table| CategorySet::parse(&t.categories).unwrap_or_default();
        if all_declared && declared.iter().all(|t| t.columns.is_empty()) {
            return declared
                .iter()
                .map(whole)
                .fold(CategorySet::EMPTY, CategorySet::union);
        }
        anything
    }
    pub fn table(&self, name: &str) -> Option<&'a Table> {
        sql::find_table(&self.context.tables, name)
    }
    /// The declared share of a folded path (`\\host\share…`).
    pub fn share(&self, path: &str) -> Option<&'a Share> {
        self.context.shares.iter().find(|s| {
            let root = fold::path(&s.path);
            path == root
                || path
                    .strip_prefix(&root)
                    .is_some_and(|r| r.starts_with('\\'))
        })
    }
}

fn of_column(name: &str, c: &Column) -> CategorySet {
    match c {
        Column::Category { category } => {
            CategorySet::parse(&[category.as_str()]).unwrap_or_default()
        }
        Column::Path(p) => {
            let (head, tail) = p.split_once(':').unwrap_or((p, ""));
            let one = |c| CategorySet::of(&[c]);
            match head {
                "identifier" => {
                    if crate::identity::is_nir_system(&crate::identity::oid(tail)) {
                        one(C::IdNir)
                    } else {
                        one(C::IdLocal)
                    }
                }
                h if h.starts_with("name") => one(C::IdName),
                "birthDate" => one(C::IdDob),
                "gender" => one(C::IdSex),
                "telecom" => match tail {
                    "email" => one(C::ContactEmail),
                    "mssante" => one(C::ContactMssante),
                    "phone" | "mobile" | "sms" | "fax" => one(C::ContactPhone),
                    _ => CategorySet::of(&[C::ContactPhone, C::ContactEmail]),
                },
                h if h.starts_with("address") => one(C::ContactPostal),
                h if h.starts_with("deceased") => one(C::IdDeath),
                "birthPlace" => one(C::IdBirthplace),
                "id" | "active" => CategorySet::EMPTY,
                h if h.starts_with("managingOrganization") => one(C::CareExistence),
                "maritalStatus" | "multipleBirth" | "mothersMaidenName" => one(C::IdCivil),
                "photo" => one(C::IdPhoto),
                h if h.starts_with("contact") => CategorySet::of(&[C::KinName, C::KinContact]),
                "generalPractitioner" => one(C::CarePro),
                _ => of_column_name(name),
            }
        }
    }
}

/// True for the tables in which a database describes itself.
fn of_the_server(table: &str) -> bool {
    let t = table.to_lowercase();
    let (schema, name) = t.rsplit_once('.').unwrap_or(("", &t));
    matches!(
        schema.rsplit('.').next().unwrap_or(schema),
        "pg_catalog" | "information_schema" | "sys" | "mysql" | "performance_schema"
    ) || ["pg_", "sqlite_", "v$", "dba_"]
        .iter()
        .any(|p| name.starts_with(p))
        || name == "dual"
}

/// True for the columns by which tables are kept: keys, versions, times of a change.
fn says_nothing_of_people(column: &str) -> bool {
    matches!(
        column,
        "id" | "pk"
            | "oid"
            | "ctid"
            | "xmin"
            | "rowid"
            | "rownum"
            | "uuid"
            | "guid"
            | "version"
            | "created_at"
            | "updated_at"
            | "cree_le"
            | "modifie_le"
            | "actif"
            | "active"
    )
}

/// Categories a column's name suggests (data-categories §3.4).
pub fn of_column_name(name: &str) -> CategorySet {
    let n = fold::name(name);
    let parts: Vec<&str> = n.split(['_', '-', '.', ' ']).collect();
    let has = |w: &[&str]| w.iter().any(|w| n == *w || parts.contains(w));
    let holds = |w: &[&str]| w.iter().any(|w| n.contains(w));
    let mut s = CategorySet::EMPTY;
    if has(&[
        "nom",
        "prenom",
        "prenoms",
        "lastname",
        "firstname",
        "family",
        "given",
    ]) || holds(&["last_name", "first_name", "nom_naiss", "nom_usuel"])
    {
        s.insert(C::IdName);
    }
    if has(&["ddn", "dob", "age"]) || holds(&["date_naiss", "birth"]) {
        s.insert(C::IdDob);
    }
    if has(&["nir", "numss", "secu", "ins", "nss"]) {
        s.insert(C::IdNir);
    }
    if has(&["ipp", "iep", "nda"]) || holds(&["num_dossier"]) {
        s.insert(C::IdLocal);
    }
    if has(&["sexe", "sex", "gender"]) {
        s.insert(C::IdSex);
    }
    if has(&["tel", "telephone", "mobile", "portable", "phone"]) {
        s.insert(C::ContactPhone);
    }
    if has(&["mail", "courriel", "email"]) {
        s.insert(C::ContactEmail);
    }
    if has(&["adresse", "cp", "ville", "rue"]) || holds(&["code_postal", "address"]) {
        s.insert(C::ContactPostal);
    }
    if has(&["iban", "rib", "bic"]) {
        s.insert(C::FinBank);
    }
    if has(&["ald", "exo", "c2s", "ame"]) {
        s.insert(C::CoverStatus);
    }
    if has(&["mutuelle", "amc", "amo", "contrat"]) {
        s.insert(C::CoverRights);
    }
    if has(&["motif"]) || holds(&["libelle_sejour"]) {
        s.insert(C::CareReason);
    }
    if has(&["uf", "service", "specialite"]) {
        s.insert(C::CareUnit);
    }
    if has(&["diag", "diagnostic", "cim", "cim10", "icd", "ghm"]) {
        s.insert(C::HealthState);
    }
    if has(&["resultat", "resultats", "labo", "bio", "anapath"]) {
        s.insert(C::HealthResult);
    }
    if has(&[
        "ordonnance",
        "prescription",
        "medicament",
        "medic",
        "traitement",
    ]) {
        s.insert(C::HealthDrug);
    }
    if has(&["commentaire", "note", "notes", "observation"]) {
        s.insert(C::FreeText);
    }
    s
}

fn of_table_name(name: &str) -> CategorySet {
    let n = fold::name(name.rsplit('.').next().unwrap_or(name));
    let mut s = of_column_name(&n);
    if ["patient", "identite", "usager", "individu"]
        .iter()
        .any(|w| n.contains(w))
    {
        for c in [C::IdName, C::IdDob, C::IdSex, C::IdLocal] {
            s.insert(c);
        }
    }
    if ["sejour", "encounter", "passage"]
        .iter()
        .any(|w| n.contains(w))
    {
        for c in [C::CareDate, C::CareUnit] {
            s.insert(c);
        }
    }
    if n.contains("rdv") || n.contains("appointment") {
        s.insert(C::CareDate);
    }
    s
}

/// Categories of a FHIR R4 resource's usual elements (data-categories §3.1). For Patient the record decides which are there.
pub fn of_fhir_type(kind: &str) -> CategorySet {
    let l: &[Category] = match kind {
        "Patient" | "Person" => &[
            C::IdName,
            C::IdSex,
            C::IdDob,
            C::IdBirthplace,
            C::IdDeath,
            C::IdCivil,
            C::IdPhoto,
            C::IdNir,
            C::IdLocal,
            C::ContactPhone,
            C::ContactEmail,
            C::ContactPostal,
            C::ContactMssante,
            C::KinName,
            C::KinContact,
            C::CarePro,
        ],
        "RelatedPerson" => &[C::KinName, C::KinContact],
        "Encounter" => &[
            C::CareUnit,
            C::CareReason,
            C::HealthState,
            C::CareDate,
            C::CarePlace,
            C::CarePro,
        ],
        "EpisodeOfCare" | "CareTeam" | "CarePlan" | "Goal" | "Task" | "Flag" => {
            &[C::CareUnit, C::CareDate, C::CarePro, C::HealthState]
        }
        "Appointment" | "AppointmentResponse" | "Slot" | "Schedule" => &[
            C::CareDate,
            C::CareUnit,
            C::CarePro,
            C::CarePlace,
            C::CareReason,
        ],
        "Condition" | "ClinicalImpression" | "DetectedIssue" | "RiskAssessment"
        | "AdverseEvent" => &[C::HealthState],
        "Observation" | "Specimen" => &[C::HealthResult, C::CareDate],
        "DiagnosticReport" => &[C::HealthResult, C::CareDate, C::HealthDoc],
        "ImagingStudy" | "Media" | "BodyStructure" => &[C::HealthImage, C::CareDate],
        "MedicationRequest"
        | "MedicationStatement"
        | "MedicationAdministration"
        | "MedicationDispense" => &[C::HealthDrug, C::CareDate, C::CarePro],
        "Procedure" | "ServiceRequest" | "DeviceRequest" | "DeviceUseStatement"
        | "Immunization" | "NutritionOrder" | "VisionPrescription" => {
            &[C::HealthAct, C::CareDate, C::CarePro]
        }
        "AllergyIntolerance" => &[C::HealthAllergy],
        "FamilyMemberHistory" | "MolecularSequence" => &[C::HealthGen],
        "DocumentReference" | "Composition" | "DocumentManifest" => {
            &[C::HealthDoc, C::CareDate, C::CarePro, C::CareUnit]
        }
        "Binary" => &[C::FreeFile],
        "QuestionnaireResponse" | "Communication" | "List" | "Basic" => {
            &[C::FreeText, C::HealthState]
        }
        "Coverage"
        | "CoverageEligibilityRequest"
        | "CoverageEligibilityResponse"
        | "EnrollmentRequest" => &[C::CoverRights, C::CoverStatus],
        "Claim"
        | "ClaimResponse"
        | "ExplanationOfBenefit"
        | "Invoice"
        | "ChargeItem"
        | "Account" => &[C::FinBill, C::HealthAct, C::HealthState, C::CareDate],
        "Consent" => &[C::MetaTrace],
        "ResearchSubject" | "Group" => &[C::IdLocal],
        "Practitioner" | "PractitionerRole" => &[C::ProId, C::ProContact],
        "AuditEvent" | "Provenance" => &[C::MetaTrace],
        _ => &[],
    };
    CategorySet::of(l)
}

/// What `_summary` and `_elements` leave of a set (health-audit c.2). Summary mode is no mitigation for identity.
pub fn shaped(kind: &str, set: CategorySet, shape: &Shape) -> CategorySet {
    let mut s = set;
    match shape.summary.as_deref() {
        Some("count") => return CategorySet::EMPTY,
        Some("true") if kind == "Patient" => {
            s = s.without(CategorySet::of(&[
                C::IdBirthplace,
                C::IdCivil,
                C::IdPhoto,
                C::KinName,
                C::KinContact,
                C::CarePro,
            ]));
        }
        Some("text") if kind == "Patient" => {
            s = s.intersect(CategorySet::of(&[
                C::IdName,
                C::IdDob,
                C::IdSex,
                C::IdNir,
                C::IdLocal,
                C::ContactPostal,
                C::ContactPhone,
                C::ContactEmail,
                C::ContactMssante,
            ]));
        }
        _ => {}
    }
    if kind == "Patient" && !shape.elements.is_empty() {
        let mut kept = CategorySet::of(&[C::IdDeath]);
        for e in &shape.elements {
            let root = e.split('.').next().unwrap_or(e);
            let l: &[Category] = match root {
                "identifier" => &[C::IdNir, C::IdLocal],
                "name" => &[C::IdName],
                "telecom" => &[C::ContactPhone, C::ContactEmail, C::ContactMssante],
                "gender" => &[C::IdSex],
                "birthDate" => &[C::IdDob],
                "deceased" => &[C::IdDeath],
                "address" => &[C::ContactPostal],
                "maritalStatus" | "multipleBirth" | "communication" => &[C::IdCivil],
                "photo" => &[C::IdPhoto],
                "contact" => &[C::KinName, C::KinContact],
                "generalPractitioner" => &[C::CarePro],
                "extension" => &[C::IdBirthplace, C::IdCivil],
                "text" => &[C::IdName, C::IdDob, C::IdSex, C::IdNir, C::IdLocal],
                _ => &[],
            };
            l.iter().for_each(|c| kept.insert(*c));
        }
        s = s.intersect(kept);
    }
    s
}

/// Categories of a DICOM/ATNA event that names no resource (PS3.15 §A.5.3): images for studies, the record's traits otherwise.
pub fn of_audit_code(code: &str) -> CategorySet {
    match code {
        "110103" | "110104" | "110105" | "110106" | "110102" => {
            CategorySet::of(&[C::HealthImage, C::IdName, C::IdDob, C::IdLocal, C::CareDate])
        }
        "110110" => CategorySet::of(&[C::IdName, C::IdSex, C::IdDob, C::IdLocal]),
        _ => CategorySet::EMPTY,
    }
}

/// Categories that come with others (data-categories §5), without those already there, each with what it derives from.
pub fn derived(set: CategorySet) -> Vec<(Category, Category)> {
    let mut out: Vec<(Category, Category)> = vec![];
    let mut have = set;
    for c in set.iter() {
        for d in c.derives() {
            if !have.contains(*d) {
                have.insert(*d);
                out.push((*d, c));
            }
        }
    }
    if set.contains(C::CareDate) && set.contains(C::CareUnit) && !have.contains(C::HealthState) {
        out.push((C::HealthState, C::CareDate));
        out.push((C::HealthState, C::CareUnit));
        have.insert(C::HealthState);
    }
    let patient = set.iter().find(|c| !c.is_staff() && *c != C::CareExistence);
    if let Some(from) = patient
        && !have.contains(C::CareExistence)
    {
        out.push((C::CareExistence, from));
    }
    out
}

/// A set and everything that comes with it. What may have been seen of the one may have been concluded of the other.
pub fn with_derived(set: CategorySet) -> CategorySet {
    derived(set).into_iter().fold(set, |mut all, (d, _)| {
        all.insert(d);
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    fn context() -> Context {
        Context::parse(
            r#"
[[endpoint]]
match = { host = "sri.example", method = "GET", path = "/fhir/Patient*" }
categories = ["ID.NAME", "CONTACT.*"]
[[endpoint]]
match = { host = "sri.example", method = "GET", path = "/fhir/Patient/{id}/photo" }
subject = { path = "{id}", authority = "urn:oid:1.2" }
categories = ["ID.PHOTO"]
[[table]]
name = "public.patient"
columns = { ipp = "identifier:urn:oid:1.2", nir = "identifier:urn:oid:1.2.250.1.213.1.4.8", nom = "name.family:official", traitement = { category = "HEALTH.DRUG" } }
[[share]]
path = "\\\\FS01\\Dentaire"
"#,
        )
        .unwrap()
    }
    #[test]
    fn the_most_specific_endpoint_wins() {
        let c = context();
        let k = Catalog::new(&c);
        let hit = k
            .endpoint("SRI.example", "GET", "/fhir/Patient/7?x=1")
            .unwrap();
        assert!(hit.categories.contains(C::ContactPhone));
        let hit = k.endpoint("", "get", "/fhir/Patient/7/photo").unwrap();
        assert_eq!(hit.path_id.as_deref(), Some("7"));
        assert!(
            k.endpoint("other.example", "GET", "/fhir/Patient/7")
                .is_none()
        );
        assert!(
            k.endpoint("sri.example", "POST", "/fhir/Patient/7")
                .is_none()
        );
    }
    #[test]
    fn columns_decide_over_the_table() {
        let c = context();
        let k = Catalog::new(&c);
        let codes = |cols: &[&str], star| -> Vec<&'static str> {
            let cols: Vec<String> = cols.iter().map(|s| s.to_string()).collect();
            k.of_columns("patient", &cols, star)
                .iter()
                .map(Category::code)
                .collect()
        };
        assert_eq!(codes(&["nom", "IPP"], false), ["ID.NAME", "ID.LOCAL"]);
        assert_eq!(
            codes(&[], true),
            ["ID.NAME", "ID.NIR", "ID.LOCAL", "HEALTH.DRUG"]
        );
        assert_eq!(
            codes(&["date_naissance"], false),
            ["ID.DOB"],
            "an undeclared column by its name"
        );
    }
    #[test]
    fn columns_nobody_describes_stay_open() {
        let c = context();
        let k = Catalog::new(&c);
        let all = CategorySet::of(&[C::CareDate, C::ContactEmail]);
        let open = |tables: &[&str], columns: &[&str], star| {
            let own = |l: &[&str]| l.iter().map(|s| s.to_string()).collect::<Vec<_>>();
            k.open_columns(&own(tables), &own(columns), star, all)
        };
        assert_eq!(open(&["public.sejour"], &[], true), all);
        assert_eq!(open(&["public.sejour"], &["ipp", "date_disp"], false), all);
        assert!(open(&["public.sejour"], &["ipp", "nom", "id"], false).is_empty());
        // The operator said what `*` is.
        assert!(open(&["public.patient"], &[], true).is_empty());
        assert_eq!(open(&["patient"], &["nom", "zone_3"], false), all);
        assert_eq!(open(&["patient", "sejour"], &[], true), all);
        assert!(open(&["pg_catalog.pg_stat_activity"], &[], true).is_empty());
        assert!(open(&["information_schema.tables"], &["table_name"], false).is_empty());
    }
    #[test]
    fn summary_still_shows_identity() {
        let s = of_fhir_type("Patient");
        let shape = |summary: &str, elements: &[&str]| Shape {
            summary: (!summary.is_empty()).then(|| summary.to_string()),
            elements: elements.iter().map(|e| e.to_string()).collect(),
        };
        let t = shaped("Patient", s, &shape("true", &[]));
        assert!(t.contains(C::IdNir) && t.contains(C::ContactPhone) && !t.contains(C::IdPhoto));
        assert!(shaped("Patient", s, &shape("count", &[])).is_empty());
        let t = shaped("Patient", s, &shape("", &["name", "birthDate"]));
        assert_eq!(
            t.iter().map(Category::code).collect::<Vec<_>>(),
            ["ID.NAME", "ID.DOB", "ID.DEATH"]
        );
    }
    #[test]
    fn derived_categories_name_their_source() {
        let d = derived(CategorySet::of(&[C::IdNir, C::CareDate, C::CareUnit]));
        assert!(d.contains(&(C::IdBirthplace, C::IdNir)));
        assert!(d.contains(&(C::HealthState, C::CareDate)));
        assert!(d.iter().any(|x| x.0 == C::CareExistence));
        assert!(derived(CategorySet::of(&[C::StaffPay])).is_empty());
    }
    #[test]
    fn globs_do_not_run_away() {
        assert!(glob(&"*b".repeat(40), &"a".repeat(200)).is_none());
        assert!(glob("/a/{x}/b*", "/a/1/b/c").is_some());
        assert!(glob("/a/{x}", "/a/1/b").is_none());
    }
}
