//! A share of mixed files with the truth about whose data is in each: what an inventory is measured against.
//!
//! Files are made in the formats hospitals keep (tables in three encodings, letters, HL7 v2, FHIR, CDA, mail, stores of Outlook,
//! Office, PDF, DICOM, archives inside archives), with what misleads beside the persons: numbers of the same length, dates of visits, staff with
//! the same family names, strangers born on a patient's day, patients' names with other birth dates. Equal seed, equal bytes.
use crate::{
    Error,
    civil::{self, DAY, Ms},
    pst::{self, Attachment, Layout, Message, Shape, Value},
    rng::{Rng, mix},
    world::{FAMILIES, MEN, Plan, WOMEN, World, capital},
};
use ampleur_event::fold::base;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// What to make.
#[derive(Debug, Clone, Copy)]
pub struct ShareRecipe {
    pub seed: u64,
    pub files: usize,
    pub persons: usize,
}

/// Truth of one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShareFile {
    /// Below the share, with `\`.
    pub path: String,
    pub kind: String,
    /// `authority|id`, sorted.
    pub subjects: Vec<String>,
    /// The file cannot be read by a program (a picture, a password): it must be told, not guessed.
    #[serde(default)]
    pub unreadable: bool,
}

/// What was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShareTruth {
    pub format: String,
    pub seed: u64,
    pub files: Vec<ShareFile>,
}

/// Makes `DIR/case` (identities and context), `DIR/share` and `DIR/truth.json`.
///
/// # Errors
/// When `dir` holds a case already, or a file cannot be written.
pub fn simulate_share(r: &ShareRecipe, dir: &Path) -> Result<ShareTruth, Error> {
    let case = dir.join("case");
    if case.exists() {
        return Err(Error::NotEmpty { path: case });
    }
    let at = |p: &Path| {
        let path = p.to_path_buf();
        move |source| Error::Write { path, source }
    };
    std::fs::create_dir_all(&case).map_err(at(&case))?;
    let from = civil::paris(2024, 3, 4, 0, 0);
    let rng = Rng::new(mix(r.seed ^ 0x5a4e));
    let plan = Plan {
        establishments: 1,
        persons: r.persons.max(10),
        staff: 40,
        from,
        to: from + 20 * DAY,
        kind: "CH",
        churn: 0.0,
        several: 0.0,
    };
    let mut world = World::build(&plan, &mut rng.fork(1));
    if world.snapshots.is_empty() {
        world.snapshots.push(from + 20 * DAY);
    }
    world.write_snapshots(&case, false).map_err(at(&case))?;
    let e = &world.ests[0];
    let toml = format!(
        "version = 1\ntimezone = \"Europe/Paris\"\n\n[[establishment]]\nid = \"{}\"\nname = \"{}\"\nnetworks = [\"10.{}.0.0/16\"]\nauthorities = [\"{}\", \"{}\"]\n",
        e.id, e.name, e.net, e.authority, e.staff_authority
    );
    std::fs::write(case.join("ampleur.toml"), toml).map_err(at(&case))?;
    let share = dir.join("share");
    let mut m = Maker {
        w: &world,
        rng,
        to: from + 20 * DAY,
        root: share.clone(),
        files: vec![],
    };
    for i in 0..r.files {
        m.file(i).map_err(at(&share))?;
    }
    m.files.sort_by(|a, b| a.path.cmp(&b.path));
    let truth = ShareTruth {
        format: "ampleur.share-truth/1".into(),
        seed: r.seed,
        files: m.files,
    };
    let path = dir.join("truth.json");
    let text = serde_json::to_vec(&truth).map_err(|source| Error::Json {
        path: path.clone(),
        source,
    })?;
    std::fs::write(&path, text).map_err(at(&path))?;
    Ok(truth)
}

/// How well rows agree with the truth: found and right, found and wrong, missed; and unreadable files told as such.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShareScore {
    pub right: u64,
    pub wrong: u64,
    pub missed: u64,
    pub told: u64,
    pub silent: u64,
}

impl ShareScore {
    pub fn recall(&self) -> f64 {
        self.right as f64 / (self.right + self.missed).max(1) as f64
    }
    pub fn precision(&self) -> f64 {
        self.right as f64 / (self.right + self.wrong).max(1) as f64
    }
}

/// Compares rows of an inventory (JSON lines, in clear) with the truth. `each` is told every person missed or wrong.
pub fn score_share(
    truth: &ShareTruth,
    rows: &str,
    each: &mut dyn FnMut(&ShareFile, &str, bool),
) -> ShareScore {
    let mut found: BTreeMap<String, (BTreeSet<String>, String)> = BTreeMap::new();
    for line in rows.lines() {
        let Ok(v) = serde_json::from_str::<serde_json::Value>(line) else {
            continue;
        };
        let who = v["subjects"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|s| s["subject"].as_str().map(str::to_string))
            .collect();
        found.insert(
            v["path"].as_str().unwrap_or_default().to_string(),
            (who, v["state"].as_str().unwrap_or_default().to_string()),
        );
    }
    let mut s = ShareScore::default();
    for f in &truth.files {
        let (got, state) = found.get(&f.path).cloned().unwrap_or_default();
        if f.unreadable {
            if state == "read" {
                s.silent += 1;
            } else {
                s.told += 1;
            }
        }
        let want: BTreeSet<String> = f.subjects.iter().cloned().collect();
        for w in &want {
            if got.contains(w) {
                s.right += 1;
            } else {
                s.missed += 1;
                each(f, w, true);
            }
        }
        for g in got.difference(&want) {
            s.wrong += 1;
            each(f, g, false);
        }
    }
    s
}

struct Maker<'w> {
    w: &'w World,
    rng: Rng,
    to: Ms,
    root: PathBuf,
    files: Vec<ShareFile>,
}

/// One person as files write it.
struct Who {
    record: u32,
    family: String,
    given: String,
    /// Year, month, day.
    born: (i64, i64, i64),
    ipp: u32,
    ins: u64,
    phone: Option<u32>,
    woman: bool,
}

const FOLDERS: &[&str] = &[
    "Secretariat",
    "Labo\\2023",
    "Cardio",
    "Echanges",
    "Qualite",
    "Psychiatrie",
    "Facturation",
    "Archives\\2019",
    "Direction",
];
const EXAMS: &[&str] = &[
    "glycémie",
    "créatinine",
    "hémoglobine",
    "CRP",
    "TSH",
    "kaliémie",
];
const ILLNESSES: &[&str] = &[
    "diabète de type 2",
    "hypertension artérielle",
    "fracture du radius",
    "asthme",
    "dépression",
    "pneumonie",
];

impl Maker<'_> {
    fn who(&mut self) -> Who {
        loop {
            let record = self.rng.below(self.w.records.len() as u64) as u32;
            let r = &self.w.records[record as usize];
            if r.created >= self.to || r.change.is_some() || self.w.surviving(record) != record {
                continue;
            }
            let p = &self.w.persons[r.person as usize];
            return Who {
                record,
                family: FAMILIES
                    [p.usual.filter(|_| self.rng.chance(0.5)).unwrap_or(p.family) as usize]
                    .to_string(),
                given: self.w.given(p).to_string(),
                born: civil::civil_from_days(i64::from(p.birth)),
                ipp: r.ipp,
                ins: p.ins,
                phone: p.phone,
                woman: p.woman,
            };
        }
    }
    fn subject(&self, w: &Who) -> String {
        self.w.pi(w.record)
    }
    /// As it was typed: capitals, small letters, without accents.
    fn typed(&mut self, s: &str) -> String {
        match self.rng.below(4) {
            0 => s.to_uppercase(),
            1 => capital(&s.to_uppercase()),
            2 => s
                .chars()
                .flat_map(|c| {
                    let low = c.to_lowercase().next().unwrap_or(c);
                    base(low)
                        .map_or(low.to_string(), str::to_string)
                        .chars()
                        .collect::<Vec<_>>()
                })
                .collect(),
            _ => s.to_string(),
        }
    }
    fn date(&mut self, (y, m, d): (i64, i64, i64)) -> String {
        const MONTHS: [&str; 12] = [
            "janvier",
            "février",
            "mars",
            "avril",
            "mai",
            "juin",
            "juillet",
            "août",
            "septembre",
            "octobre",
            "novembre",
            "décembre",
        ];
        match self.rng.below(5) {
            0 => format!("{y:04}-{m:02}-{d:02}"),
            1 => format!("{d} {} {y}", MONTHS[(m - 1) as usize]),
            2 => format!("{d:02}.{m:02}.{y}"),
            _ => format!("{d:02}/{m:02}/{y}"),
        }
    }
    /// A day of the last years, such as that of a visit.
    fn day(&mut self) -> String {
        let d = self.to / DAY - self.rng.range(1, 1500);
        let at = civil::civil_from_days(d);
        self.date(at)
    }
    /// A sentence about nobody who is a patient.
    fn noise(&mut self) -> String {
        let n = self.rng.below(900_000_000) + 1_000_000_000;
        match self.rng.below(6) {
            0 => format!("Facture {n} du {} : {} euros.", self.day(), self.rng.below(90_000)),
            1 => {
                let f = FAMILIES[self.rng.below(FAMILIES.len() as u64) as usize];
                format!("Vu avec le Dr {f} le {}.", self.day())
            }
            2 => format!("Commande {n}, lot {:x}, péremption {}.", self.rng.bits() >> 40, self.day()),
            3 => format!("Rappeler le standard au 03 {:02} {:02} {:02} {:02}.", 10 + self.rng.below(80), self.rng.below(100), self.rng.below(100), self.rng.below(100)),
            4 => {
                // A patient's name with a birth date that is not theirs.
                let w = self.who();
                let born = (w.born.0 - 3, w.born.1, (w.born.2 % 27) + 1);
                let date = self.date(born);
                format!("Homonyme écarté : {} {}, {date}.", w.family, w.given)
            }
            _ => "La commission s’est réunie pour examiner les procédures et le calendrier des travaux de la toiture.".to_string(),
        }
    }
    fn stranger(&mut self) -> String {
        let w = self.who();
        let f = FAMILIES[self.rng.below(FAMILIES.len() as u64) as usize];
        let g = if w.woman { MEN[0] } else { WOMEN[0] };
        // Same day, another person; the family may be a patient's of another day.
        if f == w.family {
            String::from("sans objet")
        } else {
            let d = self.date(w.born);
            format!("{f}\u{b7}{g}x, {d}")
        }
    }

    fn put(&mut self, path: &str, kind: &str, bytes: &[u8], who: &[&Who]) -> io::Result<()> {
        let full = self.root.join(path.replace('\\', "/"));
        if let Some(d) = full.parent() {
            std::fs::create_dir_all(d)?;
        }
        std::fs::write(&full, bytes)?;
        let mut subjects: Vec<String> = who.iter().map(|w| self.subject(w)).collect();
        subjects.sort();
        subjects.dedup();
        self.files.push(ShareFile {
            path: path.to_string(),
            kind: kind.to_string(),
            subjects,
            unreadable: false,
        });
        Ok(())
    }

    fn file(&mut self, i: usize) -> io::Result<()> {
        let folder = *self.rng.pick(FOLDERS);
        let kind = i % 20;
        let name = |ext: &str| format!("{folder}\\f{i:05}.{ext}");
        match kind {
            0..=2 => {
                let (bytes, who) = self.csv();
                self.put(&name("csv"), "csv", &bytes, &who.iter().collect::<Vec<_>>())
            }
            3 => {
                let (t, w) = self.letter();
                self.put(&name("txt"), "text", t.as_bytes(), &[&w])
            }
            4 => {
                let (t, w) = self.letter();
                let b: Vec<u8> = t.chars().map(latin).collect();
                self.put(&name("txt"), "text-1252", &b, &[&w])
            }
            5 => {
                let (b, who) = self.hl7();
                self.put(&name("hl7"), "hl7", &b, &who.iter().collect::<Vec<_>>())
            }
            6 => {
                let (b, who) = self.fhir();
                self.put(
                    &name("ndjson"),
                    "fhir",
                    b.as_bytes(),
                    &who.iter().collect::<Vec<_>>(),
                )
            }
            7 => {
                let w = self.who();
                let b = cda(&w);
                self.put(&name("xml"), "cda", b.as_bytes(), &[&w])
            }
            8 => {
                let (t, w) = self.letter();
                let b = zipped(&[
                    ("[Content_Types].xml", b"<Types/>"),
                    ("word/document.xml", paragraphs("w:p", "w:t", &t).as_bytes()),
                ])?;
                self.put(&name("docx"), "docx", &b, &[&w])
            }
            9 => {
                let (t, w) = self.letter();
                let b = zipped(&[
                    ("mimetype", b"application/vnd.oasis.opendocument.text"),
                    (
                        "content.xml",
                        paragraphs("text:p", "text:span", &t).as_bytes(),
                    ),
                ])?;
                self.put(&name("odt"), "odt", &b, &[&w])
            }
            10 => {
                let (rows, who) = self.rows(12);
                let b = xlsx(&rows)?;
                self.put(&name("xlsx"), "xlsx", &b, &who.iter().collect::<Vec<_>>())
            }
            11 => {
                let (t, w) = self.letter();
                let b = pdf(&t);
                self.put(&name("pdf"), "pdf", &b, &[&w])
            }
            12 if i % 40 >= 20 => {
                let (b, who) = self.outlook(i)?;
                self.put(&name("pst"), "pst", &b, &who.iter().collect::<Vec<_>>())
            }
            12 => {
                let (t, w) = self.letter();
                let (rows, mut who) = self.rows(5);
                let eml = mail(&t, &csv_text(&rows, ';'));
                who.push(w);
                self.put(
                    &name("eml"),
                    "mail",
                    eml.as_bytes(),
                    &who.iter().collect::<Vec<_>>(),
                )
            }
            13 => {
                let w = self.who();
                let b = dicom(&w);
                self.put(&name("dcm"), "dicom", &b, &[&w])
            }
            14 => {
                let (rows, who) = self.rows(30);
                let (t, w) = self.letter();
                let inner = zipped(&[
                    ("liste.csv", csv_text(&rows, '\t').as_bytes()),
                    ("lettre.txt", t.as_bytes()),
                ])?;
                let mut g = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
                g.write_all(&inner)?;
                let b = zipped(&[("a/b.zip.gz", &g.finish()?)])?;
                let mut all: Vec<&Who> = who.iter().collect();
                all.push(&w);
                self.put(&name("zip"), "archive", &b, &all)
            }
            15 => {
                let (t, w) = self.letter();
                let mut b = String::from("{\\rtf1\\ansi\\uc1 ");
                for c in t.chars() {
                    match c {
                        '\n' => b.push_str("\\par "),
                        '\\' | '{' | '}' => {
                            b.push('\\');
                            b.push(c);
                        }
                        c if c.is_ascii() => b.push(c),
                        c => {
                            let _ = write!(b, "\\u{}?", c as u32);
                        }
                    }
                }
                b.push('}');
                self.put(&name("rtf"), "rtf", b.as_bytes(), &[&w])
            }
            16 => {
                let (rows, who) = self.rows(20);
                let mut b = String::from(
                    "<!DOCTYPE html><html><head><title>Liste</title></head><body><table>",
                );
                for r in &rows {
                    b.push_str("<tr>");
                    for c in r {
                        let _ = write!(
                            b,
                            "<td>{}</td>",
                            c.replace('&', "&amp;").replace('é', "&eacute;")
                        );
                    }
                    b.push_str("</tr>\n");
                }
                b.push_str("</table></body></html>");
                self.put(
                    &name("html"),
                    "html",
                    b.as_bytes(),
                    &who.iter().collect::<Vec<_>>(),
                )
            }
            17 => {
                // Nobody: minutes, orders, plans, strangers.
                let mut t = String::new();
                for _ in 0..40 {
                    let line = if self.rng.chance(0.2) {
                        self.stranger()
                    } else {
                        self.noise()
                    };
                    let _ = writeln!(t, "{line}");
                }
                self.put(&name("txt"), "nobody", t.as_bytes(), &[])
            }
            18 => {
                // A picture of a page: its name tells whose it may be, nobody can tell what is on it.
                let w = self.who();
                let mut b = b"\x89PNG\r\n\x1a\n".to_vec();
                b.extend((0..64).map(|_| self.rng.bits() as u8));
                let (y, m, d) = w.born;
                let path = format!(
                    "{folder}\\scan_{}_{}_{y:04}{m:02}{d:02}_{i}.png",
                    plain(&w.family),
                    plain(&w.given)
                );
                self.put(&path, "scan", &b, &[&w])?;
                if let Some(f) = self.files.last_mut() {
                    f.unreadable = true;
                }
                Ok(())
            }
            _ => {
                // An export in wide letters, numbers alone in the first column.
                let mut t = String::from("ipp\tresultat\tdate\r\n");
                let mut who = vec![];
                for _ in 0..15 {
                    let w = self.who();
                    let _ = write!(
                        t,
                        "{}\t{} {}\t{}\r\n",
                        w.ipp,
                        self.rng.pick(EXAMS),
                        self.rng.below(90),
                        self.day()
                    );
                    who.push(w);
                }
                let mut b = vec![0xff, 0xfe];
                b.extend(t.encode_utf16().flat_map(u16::to_le_bytes));
                self.put(&name("txt"), "utf16", &b, &who.iter().collect::<Vec<_>>())
            }
        }
    }

    /// Rows of a table of persons, the heading first.
    fn rows(&mut self, n: u64) -> (Vec<Vec<String>>, Vec<Who>) {
        let style = self.rng.below(4);
        let head: &[&str] = match style {
            0 => &[
                "IPP",
                "Nom",
                "Prénom",
                "Date de naissance",
                "Tél",
                "Diagnostic",
            ],
            1 => &["NOM PRENOM", "DDN", "Motif"],
            2 => &["nir", "date_entree", "service", "montant"],
            _ => &["Nom de naissance", "Prénom", "Né(e) le", "Commentaire"],
        };
        let mut rows = vec![head.iter().map(|h| h.to_string()).collect::<Vec<_>>()];
        let mut who = vec![];
        for _ in 0..1 + self.rng.below(n) {
            let mut w = self.who();
            let (family, given) = (w.family.clone(), w.given.clone());
            let (f, g) = (self.typed(&family), self.typed(&given));
            let born = self.date(w.born);
            let row = match style {
                0 => vec![
                    w.ipp.to_string(),
                    f,
                    g,
                    born,
                    w.phone.map(|p| format!("06{p:08}")).unwrap_or_default(),
                    self.rng.pick(ILLNESSES).to_string(),
                ],
                1 => {
                    let both = if self.rng.chance(0.5) {
                        format!("{f} {g}")
                    } else {
                        format!("{g} {f}")
                    };
                    vec![both, born, "consultation".into()]
                }
                2 => {
                    if w.ins == 0 {
                        continue;
                    }
                    let n = format!("{:015}", w.ins);
                    let n = if self.rng.chance(0.5) {
                        format!(
                            "{} {} {} {} {} {} {}",
                            &n[..1],
                            &n[1..3],
                            &n[3..5],
                            &n[5..7],
                            &n[7..10],
                            &n[10..13],
                            &n[13..]
                        )
                    } else {
                        n
                    };
                    vec![
                        n,
                        self.day(),
                        "cardiologie".into(),
                        self.rng.below(5_000).to_string(),
                    ]
                }
                _ => {
                    // This column holds the name of birth.
                    let p = &self.w.persons[self.w.records[w.record as usize].person as usize];
                    w.family = FAMILIES[p.family as usize].to_string();
                    let family = w.family.clone();
                    vec![self.typed(&family), g, born, self.noise_without_names()]
                }
            };
            rows.push(row);
            who.push(w);
        }
        (rows, who)
    }
    fn noise_without_names(&mut self) -> String {
        format!("revu le {}, {}", self.day(), self.rng.pick(ILLNESSES))
    }

    fn csv(&mut self) -> (Vec<u8>, Vec<Who>) {
        let n = if self.rng.chance(0.1) { 2_000 } else { 60 };
        let (rows, who) = self.rows(n);
        let d = *self.rng.pick(&[';', ',', '\t']);
        let t = csv_text(&rows, d);
        let b = match self.rng.below(3) {
            0 => t.chars().map(latin).collect(),
            1 => {
                let mut b = vec![0xef, 0xbb, 0xbf];
                b.extend(t.as_bytes());
                b
            }
            _ => t.into_bytes(),
        };
        (b, who)
    }

    fn letter(&mut self) -> (String, Who) {
        let w = self.who();
        let (family, given) = (w.family.clone(), w.given.clone());
        let (f, g) = (self.typed(&family), self.typed(&given));
        let born = self.date(w.born);
        let title = if w.woman { "Madame" } else { "Monsieur" };
        let ne = if w.woman { "née" } else { "né" };
        let mut t = String::new();
        for _ in 0..self.rng.below(4) {
            let _ = writeln!(t, "{}", self.noise());
        }
        match self.rng.below(4) {
            0 => {
                let _ = writeln!(
                    t,
                    "Cher confrère,\nje vous adresse {title} {g} {f}, {ne} le {born}, pour {}.",
                    self.rng.pick(ILLNESSES)
                );
            }
            1 => {
                let _ = writeln!(
                    t,
                    "Nom : {f}\nPrénom : {g}\nDate de naissance : {born}\nCompte rendu d’hospitalisation"
                );
            }
            2 => {
                let _ = writeln!(
                    t,
                    "Patient : {f} {g} ({born}) IPP {}\n{} : {} mmol/l",
                    w.ipp,
                    self.rng.pick(EXAMS),
                    self.rng.below(20)
                );
            }
            _ => {
                let _ = writeln!(
                    t,
                    "Dossier {} - résultats du {}\n{} normale.",
                    w.ipp,
                    self.day(),
                    self.rng.pick(EXAMS)
                );
            }
        }
        for _ in 0..self.rng.below(30) {
            let _ = writeln!(t, "{}", self.noise());
        }
        (t, w)
    }

    /// A store with two messages, the second one forwarded with what was attached to it, and a contact.
    fn outlook(&mut self, i: usize) -> io::Result<(Vec<u8>, Vec<Who>)> {
        let (first, a) = self.letter();
        let (inner, b) = self.letter();
        let (attached, c) = self.letter();
        let (rows, mut who) = self.rows(5);
        let d = self.who();
        let docx = zipped(&[
            ("[Content_Types].xml", b"<Types/>"),
            (
                "word/document.xml",
                paragraphs("w:p", "w:t", &attached).as_bytes(),
            ),
        ])?;
        let mail = |body: &str, attachments: Vec<Attachment>| Message {
            subject: "liste".into(),
            properties: vec![
                (0x1000, Value::Text(body.into())),
                (0x0c1a, Value::Text("Secretariat".into())),
                (0x0c1f, Value::Text("secretariat@ch.example".into())),
            ],
            recipients: vec![("Labo".into(), "labo@ch.example".into())],
            attachments,
        };
        let file = |name: &str, b: &[u8]| Attachment::File(name.into(), b.to_vec());
        let forwarded = mail(&inner, vec![file("courrier.docx", &docx)]);
        // Days since 1601; a birth day is kept as the midnight of Paris.
        let day = civil::days_from_civil(d.born.0, d.born.1, d.born.2) + 134_774;
        let ticks = (day * 86_400 - 3_600) * 10_000_000;
        let contact = Message {
            subject: "fiche".into(),
            properties: vec![
                (0x001a, Value::Text("IPM.Contact".into())),
                (0x3a11, Value::Text(d.family.clone())),
                (0x3a06, Value::Text(d.given.clone())),
                (0x3a42, Value::Time(ticks.unsigned_abs())),
            ],
            ..Message::default()
        };
        let messages = [
            mail(
                &first,
                vec![file("liste.csv", csv_text(&rows, ';').as_bytes())],
            ),
            mail("Pour suite.", vec![Attachment::Message(forwarded)]),
            contact,
        ];
        let layout = [Layout::Unicode, Layout::Ansi, Layout::Wide][i / 40 % 3];
        who.extend([a, b, c, d]);
        Ok((
            pst::store(&Shape::plain(layout), "Boîte de réception", &messages),
            who,
        ))
    }

    fn hl7(&mut self) -> (Vec<u8>, Vec<Who>) {
        let mut b = String::new();
        let mut who = vec![];
        for k in 0..1 + self.rng.below(6) {
            let w = self.who();
            let (y, m, d) = w.born;
            let _ = write!(
                b,
                "MSH|^~\\&|LAB|CH|DPI|CH|20240101||ORU^R01|{k}|P|2.5\rPID|1||{}^^^CH&1.2.3&ISO^PI||{}^{}^^^^^L||{y:04}{m:02}{d:02}|{}\rNK1|1|PROCHE^UN|||0102030405\rOBX|1|NM|X^{}||{}|mmol/l\r",
                w.ipp,
                w.family,
                w.given,
                if w.woman { "F" } else { "M" },
                self.rng.pick(EXAMS),
                self.rng.below(99)
            );
            who.push(w);
        }
        (b.into_bytes(), who)
    }

    fn fhir(&mut self) -> (String, Vec<Who>) {
        let mut b = String::new();
        let mut who = vec![];
        for _ in 0..1 + self.rng.below(10) {
            let w = self.who();
            let (y, m, d) = w.born;
            let _ = if self.rng.chance(0.5) {
                writeln!(
                    b,
                    "{{\"resourceType\":\"Patient\",\"identifier\":[{{\"system\":\"urn:oid:1.2.3\",\"value\":\"{}\"}}],\"name\":[{{\"family\":\"{}\",\"given\":[\"{}\"]}}],\"birthDate\":\"{y:04}-{m:02}-{d:02}\"}}",
                    w.ipp, w.family, w.given
                )
            } else {
                writeln!(
                    b,
                    "{{\"resourceType\":\"Observation\",\"status\":\"final\",\"subject\":{{\"reference\":\"Patient/{}\"}},\"code\":{{\"text\":\"{}\"}},\"valueQuantity\":{{\"value\":{}}}}}",
                    self.w.fhir_id(w.record),
                    self.rng.pick(EXAMS),
                    self.rng.below(50)
                )
            };
            who.push(w);
        }
        (b, who)
    }
}

fn plain(s: &str) -> String {
    s.chars()
        .filter_map(|c| {
            let low = c.to_lowercase().next()?;
            let b = base(low).map_or(low.to_string(), str::to_string);
            Some(b.replace(|c: char| !c.is_ascii_alphanumeric(), "-"))
        })
        .collect()
}

fn latin(c: char) -> u8 {
    match c {
        '’' => 0x92,
        c if (c as u32) < 256 => c as u32 as u8,
        _ => b'?',
    }
}

fn csv_text(rows: &[Vec<String>], d: char) -> String {
    let mut t = String::new();
    for r in rows {
        for (i, c) in r.iter().enumerate() {
            if i > 0 {
                t.push(d);
            }
            if c.contains(d) || c.contains('"') {
                let _ = write!(t, "\"{}\"", c.replace('"', "\"\""));
            } else {
                t.push_str(c);
            }
        }
        t.push_str("\r\n");
    }
    t
}

fn escape(t: &str) -> String {
    t.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn paragraphs(p: &str, run: &str, t: &str) -> String {
    let mut b = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><root>");
    for l in t.lines() {
        let _ = write!(b, "<{p}><{run}>{}</{run}></{p}>", escape(l));
    }
    b.push_str("</root>");
    b
}

fn zipped(members: &[(&str, &[u8])]) -> io::Result<Vec<u8>> {
    let mut z = zip::ZipWriter::new(io::Cursor::new(vec![]));
    let o = zip::write::SimpleFileOptions::default();
    for (n, b) in members {
        z.start_file(*n, o).map_err(io::Error::other)?;
        z.write_all(b)?;
    }
    Ok(z.finish().map_err(io::Error::other)?.into_inner())
}

fn xlsx(rows: &[Vec<String>]) -> io::Result<Vec<u8>> {
    let mut sheet = String::from(
        "<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData>",
    );
    for (r, row) in rows.iter().enumerate() {
        let _ = write!(sheet, "<row r=\"{}\">", r + 1);
        for (c, cell) in row.iter().enumerate() {
            let at = format!("{}{}", (b'A' + c as u8) as char, r + 1);
            // Long numbers are typed as numbers.
            if cell.len() < 15
                && !cell.is_empty()
                && !cell.starts_with('0')
                && cell.bytes().all(|b| b.is_ascii_digit())
            {
                let _ = write!(sheet, "<c r=\"{at}\"><v>{cell}</v></c>");
            } else {
                let _ = write!(
                    sheet,
                    "<c r=\"{at}\" t=\"inlineStr\"><is><t>{}</t></is></c>",
                    escape(cell)
                );
            }
        }
        sheet.push_str("</row>");
    }
    sheet.push_str("</sheetData></worksheet>");
    zipped(&[
        ("[Content_Types].xml", b"<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>"),
        ("_rels/.rels", b"<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"),
        ("xl/workbook.xml", b"<workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><sheets><sheet name=\"A\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"),
        ("xl/_rels/workbook.xml.rels", b"<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ])
}

/// A plain PDF: one font, one line of text per line, WinAnsi encoding.
fn pdf(t: &str) -> Vec<u8> {
    let mut pages: Vec<Vec<u8>> = vec![];
    let lines: Vec<&str> = t.lines().collect();
    for chunk in lines.chunks(40) {
        let mut c = b"BT /F1 10 Tf 50 780 Td 14 TL\n".to_vec();
        for l in chunk {
            c.push(b'(');
            for b in l.chars().map(latin) {
                if matches!(b, b'(' | b')' | b'\\') {
                    c.push(b'\\');
                }
                c.push(b);
            }
            c.extend(b") Tj T*\n");
        }
        c.extend(b"ET");
        pages.push(c);
    }
    let mut objects: Vec<Vec<u8>> = vec![
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        vec![],
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_vec(),
    ];
    let mut kids = String::new();
    for c in &pages {
        let n = objects.len() + 1;
        let _ = write!(kids, "{n} 0 R ");
        objects.push(
            format!(
                "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>>>/Contents {} 0 R>>",
                n + 1
            )
            .into_bytes(),
        );
        let mut s = format!("<</Length {}>>stream\n", c.len()).into_bytes();
        s.extend(c);
        s.extend(b"\nendstream");
        objects.push(s);
    }
    objects[1] = format!("<</Type/Pages/Kids[{kids}]/Count {}>>", pages.len()).into_bytes();
    let mut out = b"%PDF-1.4\n".to_vec();
    let mut at = vec![];
    for (i, o) in objects.iter().enumerate() {
        at.push(out.len());
        out.extend(format!("{} 0 obj\n", i + 1).as_bytes());
        out.extend(o);
        out.extend(b"\nendobj\n");
    }
    let xref = out.len();
    out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).as_bytes());
    for a in at {
        out.extend(format!("{a:010} 00000 n \n").as_bytes());
    }
    out.extend(
        format!(
            "trailer<</Size {}/Root 1 0 R>>\nstartxref\n{xref}\n%%EOF\n",
            objects.len() + 1
        )
        .as_bytes(),
    );
    out
}

fn mail(text: &str, table: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    format!(
        "From: Secretariat <secretariat@ch.example>\r\nTo: labo@ch.example\r\nSubject: liste\r\nDate: Mon, 4 Mar 2024 10:00:00 +0100\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b1\"\r\n\r\n--b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--b1\r\nContent-Type: text/csv; name=\"liste.csv\"\r\nContent-Disposition: attachment; filename=\"liste.csv\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--b1--\r\n",
        STANDARD.encode(text),
        STANDARD.encode(table)
    )
}

fn cda(w: &Who) -> String {
    let (y, m, d) = w.born;
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ClinicalDocument xmlns=\"urn:hl7-org:v3\"><recordTarget><patientRole><id extension=\"{}\" root=\"1.2.3\"/><addr><city>Bourg</city></addr><patient><name><family>{}</family><given>{}</given></name><birthTime value=\"{y:04}{m:02}{d:02}\"/></patient></patientRole></recordTarget><component><section><title>Conclusion</title><text>Suivi pour {}.</text></section></component></ClinicalDocument>",
        w.ipp, w.family, w.given, ILLNESSES[0]
    )
}

fn dicom(w: &Who) -> Vec<u8> {
    let (y, m, d) = w.born;
    let mut b = vec![0u8; 128];
    b.extend(b"DICM");
    let mut put = |g: u16, e: u16, vr: &str, v: String| {
        let mut v: Vec<u8> = v.chars().map(latin).collect();
        if v.len() % 2 == 1 {
            v.push(if vr == "UI" { 0 } else { b' ' });
        }
        b.extend(g.to_le_bytes());
        b.extend(e.to_le_bytes());
        b.extend(vr.as_bytes());
        b.extend((v.len() as u16).to_le_bytes());
        b.extend(v);
    };
    put(2, 0x10, "UI", "1.2.840.10008.1.2.1".into());
    put(8, 0x20, "DA", "20240102".into());
    put(8, 0x90, "PN", "PRESCRIPTEUR^UN".into());
    put(0x10, 0x10, "PN", format!("{}^{}", w.family, w.given));
    put(0x10, 0x20, "LO", w.ipp.to_string());
    put(0x10, 0x30, "DA", format!("{y:04}{m:02}{d:02}"));
    b.extend([0xe0, 0x7f, 0x10, 0, b'O', b'W', 0, 0, 64, 0, 0, 0]);
    b.extend([7u8; 64]);
    b
}
