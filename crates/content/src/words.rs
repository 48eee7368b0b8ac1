//! Which data, from names of columns, folders and fields, and from words in free text. Input is folded text.
//!
//! Heuristics of the category list (data-categories §3.4): a header or a folder tells what the values are; a word in free text
//! only raises to "possible", which is why the lists name things, not people: nobody is found by a word.
use crate::{
    roster::{WORD, key},
    runs::{opening, run},
};
use ampleur_event::{
    Category::{self, *},
    category::CategorySet,
};

/// What the cells of a column are, as far as finding persons goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    #[default]
    Other,
    Family,
    Given,
    /// Family and given names in one cell, in any order.
    FullName,
    Birth,
    /// A local number: the cell as a whole is looked up.
    Id,
    Nir,
}

/// What a column's name says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Column {
    pub role: Role,
    pub categories: CategorySet,
}

/// Whole words, then pieces of a word; role; category.
type Rule = (
    &'static [&'static str],
    &'static [&'static str],
    Role,
    Category,
);

const COLUMNS: &[Rule] = &[
    (
        &[
            "ddn",
            "dob",
            "naissance",
            "birthdate",
            "dtnais",
            "datnais",
            "dnaiss",
            "datenais",
        ],
        &[
            "datenaiss",
            "datedenaiss",
            "datnaiss",
            "dtnaiss",
            "dateofbirth",
            "birthdate",
            "birthday",
            "nele",
            "neele",
            "neeele",
        ],
        Role::Birth,
        IdDob,
    ),
    (&["age"], &[], Role::Other, IdDob),
    (
        &[
            "nir",
            "numss",
            "secu",
            "ins",
            "nss",
            "insnir",
            "matriculeins",
        ],
        &[
            "securitesociale",
            "numsecu",
            "matriculeins",
            "numeroins",
            "numins",
            "socialsecurity",
        ],
        Role::Nir,
        IdNir,
    ),
    (
        &[
            "ipp",
            "iep",
            "nda",
            "nip",
            "ndossier",
            "nodossier",
            "pid",
            "patientid",
            "idpatient",
            "mrn",
            "ndp",
        ],
        &[
            "numdossier",
            "numerodossier",
            "patientid",
            "idpatient",
            "numpatient",
            "numeropatient",
            "codepatient",
            "dossierpatient",
            "medicalrecord",
        ],
        Role::Id,
        IdLocal,
    ),
    (
        &["matricule", "rpps", "adeli"],
        &["matriculeagent", "numagent", "idagent"],
        Role::Id,
        IdLocal,
    ),
    (
        &["nomprenom", "fullname", "nomcomplet", "patientname"],
        &[
            "nometprenom",
            "nomprenom",
            "fullname",
            "nomcomplet",
            "patientname",
            "nompatient",
            "prenomnom",
        ],
        Role::FullName,
        IdName,
    ),
    (
        &[
            "prenom",
            "prenoms",
            "firstname",
            "given",
            "givenname",
            "forename",
        ],
        &["prenom", "firstname", "givenname"],
        Role::Given,
        IdName,
    ),
    (
        &[
            "nom",
            "lastname",
            "surname",
            "family",
            "familyname",
            "patronyme",
            "nomnaissance",
            "nomusuel",
        ],
        &[
            "lastname",
            "familyname",
            "nomdenaiss",
            "nomnaiss",
            "nomusage",
            "nomusuel",
            "nomdusage",
            "nommarital",
            "nomjeunefille",
            "nomfamille",
            "nomdefamille",
            "nomutilise",
        ],
        Role::Family,
        IdName,
    ),
    (
        &["sexe", "sex", "genre", "gender", "civilite"],
        &[],
        Role::Other,
        IdSex,
    ),
    (
        &["lieunaissance", "birthplace"],
        &[
            "lieunaiss",
            "lieudenaiss",
            "communenaiss",
            "placeofbirth",
            "birthplace",
        ],
        Role::Other,
        IdBirthplace,
    ),
    (
        &["deces", "deathdate"],
        &["datedeces", "datededeces", "deceased"],
        Role::Other,
        IdDeath,
    ),
    (
        &["nationalite", "maritalstatus"],
        &["situationfamil", "nationalit"],
        Role::Other,
        IdCivil,
    ),
    (
        &[
            "tel",
            "mobile",
            "portable",
            "telephone",
            "phone",
            "gsm",
            "fax",
        ],
        &["telephone", "telfixe", "telport", "phone", "numtel"],
        Role::Other,
        ContactPhone,
    ),
    (
        &["mail", "email", "courriel", "mel"],
        &["courriel", "email", "adressemail"],
        Role::Other,
        ContactEmail,
    ),
    (
        &[
            "adresse",
            "cp",
            "ville",
            "commune",
            "rue",
            "address",
            "city",
            "zip",
            "postalcode",
        ],
        &["codepostal", "adressepost", "voie", "postcode"],
        Role::Other,
        ContactPostal,
    ),
    (&["iban", "rib", "bic"], &["iban"], Role::Other, FinBank),
    (
        &["facture", "montant", "tarif"],
        &["montantfact", "facturation", "resteacharge"],
        Role::Other,
        FinBill,
    ),
    (
        &["ald", "exo", "c2s", "ame", "cmu", "acs"],
        &["exoneration"],
        Role::Other,
        CoverStatus,
    ),
    (
        &["mutuelle", "amc", "amo", "contrat", "caisse", "regime"],
        &["mutuelle", "organismeassur", "complementaire"],
        Role::Other,
        CoverRights,
    ),
    (
        &["motif", "reason"],
        &["motif", "libellesejour", "libsejour", "reasonforvisit"],
        Role::Other,
        CareReason,
    ),
    (
        &[
            "uf",
            "service",
            "specialite",
            "pole",
            "ward",
            "unite",
            "department",
        ],
        &["unitefonct", "unitemed", "specialite"],
        Role::Other,
        CareUnit,
    ),
    (
        &["chambre", "lit", "site", "room", "bed"],
        &["lieusoin"],
        Role::Other,
        CarePlace,
    ),
    (
        &[
            "entree",
            "sortie",
            "rdv",
            "sejour",
            "venue",
            "admission",
            "appointment",
        ],
        &[
            "dateentree",
            "datesortie",
            "daterdv",
            "dateadmission",
            "datesejour",
            "dateexam",
            "dateconsult",
            "dateacte",
            "dateprelev",
            "datehosp",
            "dischargedate",
        ],
        Role::Other,
        CareDate,
    ),
    (
        &[
            "medecin",
            "praticien",
            "prescripteur",
            "docteur",
            "physician",
            "operateur",
        ],
        &["medecin", "praticien", "prescripteur"],
        Role::Other,
        CarePro,
    ),
    (
        &[
            "diag",
            "cim",
            "icd",
            "ghm",
            "cim10",
            "icd10",
            "diagnostic",
            "diagnosis",
            "pathologie",
            "dp",
            "das",
            "antecedents",
            "atcd",
        ],
        &["diagnos", "cim10", "icd10", "patholog", "antecedent"],
        Role::Other,
        HealthState,
    ),
    (
        &[
            "resultat",
            "resultats",
            "labo",
            "bio",
            "anapath",
            "result",
            "valeur",
            "analyse",
            "examen",
            "loinc",
        ],
        &[
            "resultat",
            "biolog",
            "anapath",
            "glycem",
            "hemoglob",
            "creatinin",
            "analyse",
        ],
        Role::Other,
        HealthResult,
    ),
    (
        &[
            "ordonnance",
            "prescription",
            "medic",
            "medicament",
            "traitement",
            "dci",
            "posologie",
            "drug",
            "medication",
            "ucd",
        ],
        &[
            "ordonnance",
            "prescription",
            "medicament",
            "traitement",
            "posologie",
            "medication",
        ],
        Role::Other,
        HealthDrug,
    ),
    (
        &[
            "acte",
            "actes",
            "ccam",
            "intervention",
            "vaccin",
            "procedure",
            "ngap",
        ],
        &["vaccin", "codeacte", "libacte", "libelleacte", "ccam"],
        Role::Other,
        HealthAct,
    ),
    (
        &["allergie", "allergies", "allergy"],
        &["allergi"],
        Role::Other,
        HealthAllergy,
    ),
    (
        &[
            "commentaire",
            "commentaires",
            "observation",
            "observations",
            "note",
            "notes",
            "remarque",
            "remarques",
            "comment",
            "texte",
        ],
        &["commentair", "remarque"],
        Role::Other,
        FreeText,
    ),
    (
        &["login", "identifiant", "username", "utilisateur"],
        &["username"],
        Role::Other,
        CredLogin,
    ),
    (
        &["motdepasse", "password", "mdp", "pwd", "passwd"],
        &["motdepasse", "password"],
        Role::Other,
        CredSecret,
    ),
    (
        &["salaire", "brut", "net", "indice", "echelon"],
        &["salaire", "netapayer", "traitementbrut", "bulletinpaie"],
        Role::Other,
        StaffPay,
    ),
    (
        &["grade", "echelon", "affectation", "evaluation"],
        &[],
        Role::Other,
        StaffCareer,
    ),
    (&["syndicat"], &["syndic"], Role::Other, StaffUnion),
    (
        &["arret"],
        &["arretmaladie", "arrettravail", "congemaladie"],
        Role::Other,
        StaffSick,
    ),
    (
        &["profession", "emploi", "logement"],
        &["situationsociale", "tutelle", "curatelle"],
        Role::Other,
        SocLife,
    ),
    (
        &["conjoint", "pere", "mere", "contact"],
        &[
            "personneconfiance",
            "personneaprevenir",
            "personnedeconfiance",
        ],
        Role::Other,
        KinName,
    ),
];

/// What the name of a column (folded) says; the first rule that fits gives the role, every rule its category.
pub fn column(name: &[u8]) -> Column {
    let joined: Vec<u8> = name
        .iter()
        .copied()
        .filter(u8::is_ascii_alphanumeric)
        .collect();
    if joined.is_empty() || joined.len() > 60 {
        return Column::default();
    }
    let parts: Vec<&[u8]> = name
        .split(|b| !b.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
        .collect();
    let mut out = Column::default();
    if matches!(&joined[..], b"patient" | b"identite" | b"agent") {
        out.role = Role::FullName;
        out.categories.insert(IdName);
        return out;
    }
    for (whole, pieces, role, category) in COLUMNS {
        let hit = whole.iter().any(|w| {
            let w = w.as_bytes();
            joined == w || parts.contains(&w)
        }) || pieces.iter().any(|p| {
            // "prénom" ends in "nom" and is another thing.
            memchr::memmem::find(&joined, p.as_bytes())
                .is_some_and(|at| !(p.starts_with("nom") && joined[..at].ends_with(b"pre")))
        });
        if !hit {
            continue;
        }
        // "Nom du service" names a service, "Nom" a person: a role only where no other thing is named before it.
        if out.role == Role::Other && out.categories.is_empty() {
            out.role = *role;
        }
        out.categories.insert(*category);
        // The first person-like rule settles it: a birth place is no birth date.
        if out.role != Role::Other {
            break;
        }
    }
    let has = |w: &str| parts.contains(&w.as_bytes());
    if out.role == Role::Birth
        && (joined.starts_with(b"lieu")
            || joined.starts_with(b"commune")
            || joined.starts_with(b"nom"))
    {
        return if joined.starts_with(b"nom") {
            Column {
                role: Role::Family,
                categories: CategorySet::of(&[IdName]),
            }
        } else {
            Column {
                role: Role::Other,
                categories: CategorySet::of(&[IdBirthplace]),
            }
        };
    }
    // A name or number of something else than the person.
    if matches!(out.role, Role::Family | Role::Given | Role::FullName)
        && [
            "service",
            "medecin",
            "praticien",
            "prescripteur",
            "operateur",
            "uf",
            "unite",
            "site",
            "etablissement",
            "fichier",
            "file",
        ]
        .iter()
        .any(|w| has(w))
    {
        let about = ["medecin", "praticien", "prescripteur", "operateur"]
            .iter()
            .any(|w| has(w));
        return Column {
            role: Role::Other,
            categories: CategorySet::of(&[if about { CarePro } else { CareUnit }]),
        };
    }
    out
}

/// What names of columns say, kept: a document has few names and many values.
#[derive(Default)]
pub struct Columns(rustc_hash::FxHashMap<Box<str>, Column>);

impl Columns {
    /// Names of one document that are kept.
    const MOST: usize = 4096;
    /// What [`column`] says of `folded(name)`.
    pub fn of(&mut self, name: &str, folded: impl FnOnce(&str) -> Vec<u8>) -> Column {
        if let Some(c) = self.0.get(name) {
            return *c;
        }
        let c = column(&folded(name));
        if self.0.len() < Self::MOST {
            self.0.insert(name.into(), c);
        }
        c
    }
}

/// What a folder or file name says about what is inside: categories for everybody in it, and whether it is about staff.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    pub categories: CategorySet,
    pub staff: bool,
}

/// Words of a path (whole words; a trailing star means any ending) and what they say.
const FOLDERS: &[(&str, Category)] = &[
    ("psy*", HealthVuln),
    ("ivg", HealthVuln),
    ("orthogenie", HealthVuln),
    ("cegidd", HealthVuln),
    ("addicto*", HealthVuln),
    ("csapa", HealthVuln),
    ("umj", HealthVuln),
    ("usmp", HealthVuln),
    ("onco*", HealthVuln),
    ("amp", HealthVuln),
    ("vih", HealthVuln),
    ("labo*", HealthResult),
    ("biologie", HealthResult),
    ("anapath*", HealthResult),
    ("resultat*", HealthResult),
    ("radio*", HealthImage),
    ("imagerie", HealthImage),
    ("dentaire", HealthImage),
    ("pano", HealthImage),
    ("scanner", HealthImage),
    ("irm", HealthImage),
    ("echo*", HealthImage),
    ("ordonnance*", HealthDrug),
    ("prescription*", HealthDrug),
    ("pharmacie", HealthDrug),
    ("courrier*", HealthDoc),
    ("crh", HealthDoc),
    ("cro", HealthDoc),
    ("crs", HealthDoc),
    ("facture*", FinBill),
    ("facturation", FinBill),
    ("rib", FinBank),
];
const STAFF_FOLDERS: &[(&str, Category)] = &[
    ("rh", StaffId),
    ("drh", StaffId),
    ("paie*", StaffPay),
    ("paye", StaffPay),
    ("bulletin*", StaffPay),
    ("gpec", StaffCareer),
    ("carriere*", StaffCareer),
    ("syndic*", StaffUnion),
    ("arret*", StaffSick),
    ("agent*", StaffId),
    ("personnel", StaffId),
];

/// Reads a folded path.
pub fn place(path: &[u8]) -> Place {
    let mut out = Place::default();
    for w in path
        .split(|b| !b.is_ascii_alphabetic())
        .filter(|w| w.len() > 1)
    {
        let fits = |p: &str| match p.strip_suffix('*') {
            Some(stem) => w.starts_with(stem.as_bytes()),
            None => w == p.as_bytes(),
        };
        for (p, c) in FOLDERS {
            if fits(p) {
                out.categories.insert(*c);
            }
        }
        for (p, c) in STAFF_FOLDERS {
            if fits(p) {
                out.categories.insert(*c);
                out.staff = true;
            }
        }
    }
    out
}

/// The staff category that stands for a patient category in a file about staff; `None` when there is no other word for it.
pub fn of_staff(c: Category) -> Option<Category> {
    Some(match c {
        IdName | IdDob | IdSex | IdBirthplace | IdCivil | IdLocal => StaffId,
        ContactPhone | ContactEmail | ContactPostal => StaffContact,
        IdNir => StaffNir,
        FinBank => StaffBank,
        CredLogin | CredSecret => StaffCred,
        KinName | KinContact => StaffFamily,
        _ => return None,
    })
}

/// Words of free text: French and English names of what a health record speaks of. Whole words, a plural s allowed.
const TEXT: &[(Category, &[&str])] = &[
    (
        HealthState,
        &[
            "diagnostic",
            "diagnosis",
            "antecedent",
            "antecedents medicaux",
            "medical history",
            "pathologie",
            "maladie",
            "diabete",
            "diabetique",
            "diabetes",
            "hypertension",
            "hta",
            "asthme",
            "asthma",
            "bpco",
            "copd",
            "insuffisance renale",
            "insuffisance cardiaque",
            "heart failure",
            "infarctus",
            "stroke",
            "avc",
            "epilepsie",
            "epilepsy",
            "fracture",
            "pneumonie",
            "pneumopathie",
            "pneumonia",
            "covid",
            "embolie",
            "phlebite",
            "sepsis",
            "septicemie",
            "anemie",
            "cirrhose",
            "hepatite",
            "hepatitis",
            "pancreatite",
            "appendicite",
            "parkinson",
            "alzheimer",
            "demence",
            "dementia",
            "sclerose en plaques",
            "polyarthrite",
            "arthrose",
            "handicap",
            "grossesse",
            "enceinte",
            "pregnancy",
            "pregnant",
            "symptome",
            "symptom",
            "syndrome",
            "tumeur",
            "cancer",
            "metastase",
            "metastasis",
            "carcinome",
            "lymphome",
            "leucemie",
            "leukemia",
            "obesite",
            "obesity",
            "insuline",
            "dialyse",
            "dialysis",
            "chimiotherapie",
            "chemotherapy",
            "radiotherapie",
            "soins palliatifs",
            "palliative",
            "evolution favorable",
            "pronostic",
            "cim10",
            "cim-10",
            "icd-10",
        ],
    ),
    (
        HealthResult,
        &[
            "resultat d'examen",
            "resultats biologiques",
            "biologie",
            "hemogramme",
            "numeration",
            "nfs",
            "glycemie",
            "creatinine",
            "creatininemie",
            "hemoglobine",
            "hemoglobin",
            "plaquettes",
            "leucocytes",
            "crp",
            "inr",
            "troponine",
            "cholesterol",
            "ferritine",
            "tsh",
            "ionogramme",
            "natremie",
            "kaliemie",
            "hba1c",
            "ecbu",
            "hemoculture",
            "serologie",
            "serology",
            "antibiogramme",
            "anatomopathologie",
            "biopsie",
            "biopsy",
            "frottis",
            "saturation",
            "tension arterielle",
            "blood pressure",
            "electrocardiogramme",
            "ecg",
            "eeg",
            "mmol/l",
            "g/dl",
            "mg/l",
            "ui/l",
            "umol/l",
            "lab result",
            "laboratory",
        ],
    ),
    (
        HealthImage,
        &[
            "radiographie",
            "scanner",
            "irm",
            "mri",
            "ct scan",
            "echographie",
            "ultrasound",
            "mammographie",
            "scintigraphie",
            "tdm",
            "panoramique dentaire",
            "x-ray",
            "echocardiographie",
            "doppler",
            "angiographie",
        ],
    ),
    (
        HealthDrug,
        &[
            "ordonnance",
            "posologie",
            "comprime",
            "gelule",
            "traitement",
            "prescription",
            "medicament",
            "medication",
            "paracetamol",
            "amoxicilline",
            "metformine",
            "ramipril",
            "bisoprolol",
            "atorvastatine",
            "furosemide",
            "prednisone",
            "prednisolone",
            "morphine",
            "oxycodone",
            "tramadol",
            "ibuprofene",
            "levothyroxine",
            "warfarine",
            "apixaban",
            "rivaroxaban",
            "heparine",
            "enoxaparine",
            "omeprazole",
            "pantoprazole",
            "methotrexate",
            "insulin",
            "antibiotique",
            "antibiotic",
            "matin midi et soir",
            "per os",
            "tablet",
        ],
    ),
    (
        HealthAct,
        &[
            "intervention chirurgicale",
            "chirurgie",
            "surgery",
            "operation",
            "prothese",
            "coloscopie",
            "colonoscopy",
            "endoscopie",
            "fibroscopie",
            "vaccin",
            "vaccination",
            "vaccine",
            "ccam",
            "anesthesie",
            "anesthesia",
            "arthroscopie",
            "cesarienne",
            "appendicectomie",
            "cholecystectomie",
            "pose de",
            "ablation",
            "greffe",
            "transplant",
        ],
    ),
    (
        HealthAllergy,
        &[
            "allergie",
            "allergique",
            "allergy",
            "allergic",
            "intolerance",
        ],
    ),
    (
        HealthDoc,
        &[
            "compte rendu",
            "compte-rendu",
            "lettre de liaison",
            "lettre de sortie",
            "cher confrere",
            "chere consoeur",
            "discharge summary",
            "courrier de sortie",
            "observation medicale",
            "conclusion medicale",
        ],
    ),
    (
        HealthGen,
        &[
            "genetique",
            "genetic",
            "brca1",
            "brca2",
            "caryotype",
            "karyotype",
            "trisomie",
            "mucoviscidose",
            "drepanocytose",
        ],
    ),
    (
        HealthVuln,
        &[
            "psychiatrie",
            "psychiatrique",
            "psychiatric",
            "schizophrenie",
            "schizophrenia",
            "bipolaire",
            "bipolar",
            "depression",
            "depressif",
            "suicide",
            "suicidaire",
            "tentative de suicide",
            "anorexie",
            "boulimie",
            "addiction",
            "alcoolisme",
            "ethylisme",
            "sevrage",
            "methadone",
            "heroine",
            "cocaine",
            "toxicomanie",
            "vih",
            "hiv",
            "sida",
            "syphilis",
            "chlamydia",
            "gonocoque",
            "ist",
            "ivg",
            "img",
            "interruption volontaire de grossesse",
            "abortion",
            "maltraitance",
            "violences",
            "viol",
            "agression sexuelle",
            "detenu",
            "detention",
            "tutelle",
            "curatelle",
            "soins sans consentement",
            "hospitalisation d'office",
            "fausse couche",
            "pma",
            "fiv",
            "contraception",
            "lithium",
            "olanzapine",
            "risperidone",
            "clozapine",
            "subutex",
            "buprenorphine",
        ],
    ),
    (
        CareReason,
        &[
            "motif d'hospitalisation",
            "motif de consultation",
            "motif d'admission",
            "adresse pour",
            "reason for visit",
            "reason for admission",
        ],
    ),
    (
        CareUnit,
        &[
            "service de",
            "unite fonctionnelle",
            "cardiologie",
            "cardiology",
            "neurologie",
            "pneumologie",
            "gastroenterologie",
            "urologie",
            "nephrologie",
            "geriatrie",
            "pediatrie",
            "oncologie",
            "oncology",
            "maternite",
            "maternity",
            "reanimation",
            "urgences",
            "orthopedie",
            "dermatologie",
            "rhumatologie",
            "hematologie",
            "endocrinologie",
            "ophtalmologie",
            "gynecologie",
            "psychiatry",
        ],
    ),
    (CarePlace, &["chambre", "hospitalise dans", "lit n"]),
    (
        CareDate,
        &[
            "rendez-vous",
            "rendez vous",
            "date d'entree",
            "date de sortie",
            "date d'hospitalisation",
            "date de consultation",
            "hospitalise du",
            "hospitalisee du",
            "consultation du",
            "appointment",
        ],
    ),
    (
        CarePro,
        &[
            "medecin traitant",
            "docteur",
            "dr",
            "praticien",
            "chirurgien",
            "physician",
            "surgeon",
        ],
    ),
    (
        CoverStatus,
        &[
            "ald",
            "c2s",
            "cmu",
            "cmu-c",
            "aide medicale d'etat",
            "affection de longue duree",
            "accident du travail",
            "invalidite",
        ],
    ),
    (
        CoverRights,
        &[
            "mutuelle",
            "complementaire sante",
            "tiers payant",
            "carte vitale",
            "caisse primaire",
            "cpam",
        ],
    ),
    (
        FinBill,
        &[
            "facture",
            "reste a charge",
            "forfait journalier",
            "montant du",
            "invoice",
        ],
    ),
    (
        CredSecret,
        &["mot de passe", "mdp", "password", "passwd", "code d'acces"],
    ),
    (
        SensReligion,
        &[
            "temoin de jehovah",
            "temoins de jehovah",
            "confession",
            "religion",
        ],
    ),
    (
        SensJustice,
        &[
            "garde a vue",
            "requisition judiciaire",
            "casier judiciaire",
            "injonction de soins",
        ],
    ),
    (
        SocLife,
        &[
            "sans domicile",
            "assistante sociale",
            "situation sociale",
            "sans emploi",
            "rsa",
            "aah",
        ],
    ),
    (
        StaffPay,
        &[
            "bulletin de paie",
            "bulletin de salaire",
            "net a payer",
            "salaire brut",
            "payslip",
            "traitement indiciaire",
        ],
    ),
    (
        StaffCareer,
        &[
            "echelon",
            "fiche de poste",
            "entretien professionnel",
            "contrat de travail",
            "avancement de grade",
        ],
    ),
    (
        StaffUnion,
        &["cotisation syndicale", "retenue syndicale", "syndicat"],
    ),
    (
        StaffSick,
        &[
            "arret de travail",
            "arret maladie",
            "conge maladie",
            "sick leave",
        ],
    ),
    (
        IdDoc,
        &[
            "passeport",
            "passport",
            "carte nationale d'identite",
            "titre de sejour",
        ],
    ),
    (
        KinName,
        &[
            "personne de confiance",
            "personne a prevenir",
            "next of kin",
            "conjoint",
            "epouse de",
            "epoux de",
        ],
    ),
    (
        ContactPostal,
        &[
            "adresse postale",
            "domicilie",
            "demeurant",
            "code postal",
            "cedex",
        ],
    ),
];

/// Places of the table of first words; a power of two.
const PLACES: usize = 1 << 12;

/// Words of free text, looked up by their first run of letters and digits.
pub struct Words {
    firsts: Vec<u64>,
    /// Per place of a first run: 0, or one more than the first of its entries.
    places: Vec<u16>,
    /// Entries of one place, the longest first; the next one as in `places`.
    entries: Vec<Entry>,
}

struct Entry {
    /// Hash of the first run.
    first: u64,
    text: &'static [u8],
    of: Category,
    next: u16,
}

impl Default for Words {
    fn default() -> Self {
        let mut list: Vec<(&'static [u8], Category)> = TEXT
            .iter()
            .flat_map(|(c, words)| words.iter().map(|w| (w.as_bytes(), *c)))
            .collect();
        // What is put in last comes first; of equal words the one listed first counts.
        list.reverse();
        list.sort_by_key(|w| w.0.len());
        let mut words = Words {
            firsts: vec![],
            places: vec![0; PLACES],
            entries: vec![],
        };
        for (text, of) in list {
            let (end, _) = run(text, 0);
            words.put(&text[..end], text, of);
            if end == text.len() {
                words.put(&[text, b"s"].concat(), text, of);
            }
        }
        words
    }
}

impl Words {
    fn put(&mut self, first: &[u8], text: &'static [u8], of: Category) {
        self.firsts.push(opening(first, 0, first.len()));
        let first = key(WORD, first);
        let place = &mut self.places[first as usize % PLACES];
        self.entries.push(Entry {
            first,
            text,
            of,
            next: *place,
        });
        *place = self.entries.len() as u16;
    }

    /// The [`opening`]s of the first runs of all words.
    pub(crate) fn firsts(&self) -> impl Iterator<Item = u64> {
        self.firsts.iter().copied()
    }
    /// The longest word of the list that starts at `from` with the whole run whose hash this is: where it ends, and its category.
    #[inline(never)]
    pub fn at(&self, text: &[u8], from: usize, run: u64) -> Option<(usize, Category)> {
        let mut next = self.places[run as usize % PLACES];
        while next != 0 {
            let e = &self.entries[usize::from(next) - 1];
            if e.first == run && text[from..].starts_with(e.text) {
                let letter = |i: usize| text.get(i).is_some_and(u8::is_ascii_alphanumeric);
                let z = from + e.text.len();
                if !letter(z) || (text[z] == b's' && !letter(z + 1)) {
                    return Some((z, e.of));
                }
            }
            next = e.next;
        }
        None
    }
}

/// Categories a diagnosis code of ICD-10 adds (data-categories §3.4): the ranges that make a person vulnerable.
/// `None` when the token (folded, such as `f32.1`, `b24`) is no such code.
pub fn icd10(token: &[u8]) -> Option<CategorySet> {
    let (chapter, rest) = token.split_first()?;
    if !chapter.is_ascii_lowercase() || rest.len() < 2 || !rest[..2].iter().all(u8::is_ascii_digit)
    {
        return None;
    }
    let tail = rest[2..].strip_prefix(b".").unwrap_or(&rest[2..]);
    if tail.len() > 3 || !tail.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let n = (rest[0] - b'0') * 10 + (rest[1] - b'0');
    let vulnerable = matches!(
        (*chapter, n),
        (b'f' | b'o', _)
            | (b'b', 20..=24)
            | (b'a', 50..=64)
            | (b'z', 21 | 30 | 32 | 33 | 60..=65)
            | (b'x', 60..=84)
            | (b't', 74)
            | (b'y', 4..=9)
            | (b'q', 90..=99)
            | (b'c', 0..=97)
    );
    let mut s = CategorySet::of(&[HealthState]);
    if vulnerable {
        s.insert(HealthVuln);
    }
    Some(s)
}

/// A word that, just before a bare number, says that it is a person's number.
pub fn of_id(word: &[u8]) -> bool {
    matches!(
        word,
        b"ipp"
            | b"nip"
            | b"iep"
            | b"nda"
            | b"ndp"
            | b"dossier"
            | b"patient"
            | b"pid"
            | b"identifiant"
            | b"matricule"
            | b"mrn"
            | b"id"
            | b"ins"
            | b"rpps"
            | b"adeli"
            | b"record"
            | b"chart"
    )
}
/// The same for a NIR without key.
pub fn of_nir(word: &[u8]) -> bool {
    matches!(
        word,
        b"nir"
            | b"ins"
            | b"secu"
            | b"sociale"
            | b"ss"
            | b"matricule"
            | b"assure"
            | b"immatriculation"
    )
}

/// True when a whole word in the last `reach` bytes before `at`, on the same line, is one of these.
pub fn before(text: &[u8], at: usize, reach: usize, is: impl Fn(&[u8]) -> bool) -> bool {
    let mut end = at;
    let from = at.saturating_sub(reach);
    // From the last word back; one that is cut counts as it is cut.
    while end > from {
        if !text[end - 1].is_ascii_alphanumeric() {
            end -= 1;
            if text[end] == b'\n' {
                return false;
            }
            continue;
        }
        let mut start = end - 1;
        while start > from && text[start - 1].is_ascii_alphanumeric() {
            start -= 1;
        }
        if is(&text[start..end]) {
            return true;
        }
        end = start;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    fn col(name: &str) -> (Role, Vec<&'static str>) {
        let c = column(name.as_bytes());
        (c.role, c.categories.iter().map(Category::code).collect())
    }
    #[test]
    fn columns_by_their_names() {
        assert_eq!(col("nom"), (Role::Family, vec!["ID.NAME"]));
        assert_eq!(col("nom_de_naissance"), (Role::Family, vec!["ID.NAME"]));
        assert_eq!(col("nom d'usage"), (Role::Family, vec!["ID.NAME"]));
        assert_eq!(col("prenom_patient").0, Role::Given);
        assert_eq!(col("nom prenom").0, Role::FullName);
        assert_eq!(col("date_naissance"), (Role::Birth, vec!["ID.DOB"]));
        assert_eq!(col("ddn").0, Role::Birth);
        assert_eq!(col("lieu_naissance"), (Role::Other, vec!["ID.BIRTHPLACE"]));
        assert_eq!(col("ipp").0, Role::Id);
        assert_eq!(col("num_dossier").0, Role::Id);
        assert_eq!(col("nir").0, Role::Nir);
        assert_eq!(col("tel. mobile").1, ["CONTACT.PHONE"]);
        assert_eq!(col("nom_service").1, ["CARE.UNIT"]);
        assert_eq!(col("nom medecin").1, ["CARE.PRO"]);
        assert_eq!(col("diagnostic principal").1, ["HEALTH.STATE"]);
        assert_eq!(col("iban").1, ["FIN.BANK"]);
        assert_eq!(col("xyz"), (Role::Other, vec![]));
    }
    #[test]
    fn folders_tell_staff_from_patients_and_the_vulnerable() {
        let p = place(b"rh\\2023\\bulletin_paie_x1.pdf");
        assert!(p.staff && p.categories.contains(StaffPay));
        assert!(
            place(b"psychiatrie/crh/a.docx")
                .categories
                .contains(HealthVuln)
        );
        assert!(!place(b"technique/plan.dwg").staff);
    }
    #[test]
    fn words_are_whole() {
        let w = Words::default();
        let found = |t: &str| {
            let mut v = vec![];
            v.extend(quickly(&w, t.as_bytes()).iter().map(|x| x.1.code()));
            v
        };
        assert_eq!(found("suivi pour un diabete."), ["HEALTH.STATE"]);
        assert_eq!(found("allergies: penicilline"), ["HEALTH.ALLERGY"]);
        assert!(found("statistiques avcenter visthmus").is_empty());
        assert_eq!(found("tentative de suicide"), ["HEALTH.VULN"]);
        // A longer word that is not whole hides neither a shorter one nor the one that follows.
        assert_eq!(found("cmu-cx"), ["COVER.STATUS"]);
        assert_eq!(found("depose depression"), ["HEALTH.VULN"]);
        assert_eq!(
            found("a@mutuelle.fr, le 02/01/2020t00 avc"),
            ["COVER.RIGHTS", "HEALTH.STATE"]
        );
    }
    /// The list read from first to last at every place: the longest word that stands whole.
    fn slowly(text: &[u8]) -> Vec<(usize, Category)> {
        let letter = |i: usize| text.get(i).is_some_and(u8::is_ascii_alphanumeric);
        let (mut out, mut done) = (vec![], 0);
        for at in 0..text.len() {
            if at < done || (at > 0 && letter(at - 1)) {
                continue;
            }
            let mut best: Option<(usize, Category)> = None;
            for (c, list) in TEXT {
                for w in *list {
                    let z = at + w.len();
                    let whole = !letter(z) || (text[z] == b's' && !letter(z + 1));
                    if text[at..].starts_with(w.as_bytes()) && whole && best.is_none_or(|b| z > b.0)
                    {
                        best = Some((z, *c));
                    }
                }
            }
            if let Some((z, c)) = best {
                out.push((at, c));
                done = z;
            }
        }
        out
    }
    fn quickly(w: &Words, text: &[u8]) -> Vec<(usize, Category)> {
        let (mut out, mut done) = (vec![], 0);
        let mut bits = crate::runs::Bits::default();
        bits.read(text);
        let all = crate::runs::Openings::all();
        crate::detect::walk(
            text,
            &bits,
            (0, text.len()),
            Some(&all),
            &mut |_| {},
            &mut |a, z, _| {
                let found = w.at(text, a, key(WORD, &text[a..z]));
                if let Some((to, c)) = found.filter(|_| a >= done) {
                    out.push((a, c));
                    done = to;
                }
            },
        );
        out
    }
    #[test]
    fn every_word_of_the_list_is_found_alone_and_with_an_s() {
        let words = Words::default();
        for w in TEXT.iter().flat_map(|t| t.1) {
            assert!(w.starts_with(|c: char| c.is_ascii_lowercase()), "{w}");
            for t in [w.to_string(), format!("{w}s"), format!("x {w}, x")] {
                assert_eq!(quickly(&words, t.as_bytes()), slowly(t.as_bytes()), "{t}");
                assert!(!quickly(&words, t.as_bytes()).is_empty(), "{t}");
            }
            assert!(
                quickly(&words, format!("x{w}").as_bytes())
                    .iter()
                    .all(|h| h.0 > 0),
                "{w}"
            );
        }
    }
    proptest::proptest! {
        #[test]
        fn the_table_finds_what_the_list_says(parts in proptest::collection::vec((0usize..1000, "[ a-z0-9s@./'-]{0,4}"), 0..12)) {
            let all: Vec<&str> = TEXT.iter().flat_map(|t| t.1).copied().collect();
            let text: String = parts.iter().map(|(n, glue)| format!("{}{glue}", all[n % all.len()])).collect();
            proptest::prop_assert_eq!(quickly(&Words::default(), text.as_bytes()), slowly(text.as_bytes()));
        }
    }
    #[test]
    fn diagnosis_codes_by_range() {
        let v = |t: &str| icd10(t.as_bytes()).map(|s| s.contains(HealthVuln));
        assert_eq!(v("f32.1"), Some(true));
        assert_eq!(v("i10"), Some(false));
        assert_eq!(v("z21"), Some(true));
        assert_eq!(v("y04"), Some(true));
        assert_eq!(v("ab1"), None);
        assert_eq!(v("f3"), None);
    }
    #[test]
    fn a_label_counts_on_its_own_line() {
        let t = b"ipp : 123456\nfacture 99";
        assert!(before(t, 6, 24, of_id));
        assert!(!before(t, 21, 24, of_id));
    }
}
