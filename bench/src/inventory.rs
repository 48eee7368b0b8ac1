//! Whose data is in files, one core: our reader on text, tables, HL7, FHIR and CDA, beside Python's csv and re on the same table.
//! Question of the side-by-side: which known persons does the table hold, by number and by NIR with its key? Answers compared.
use ampleur_content::{
    detect::{nir_key, nir_text},
    extract::{Direct, Limits, Walk},
    roster::{Known, Roster},
    whose::{Knowledge, Reader},
};
use ampleur_testkit::rng::Rng;
use anyhow::{Context, Result, ensure};
use std::{collections::BTreeSet, fmt::Write as _, io::Cursor, path::Path, process::Command};

const SMALL: usize = 8 << 20;
const FULL: usize = 256 << 20;
const PEOPLE: u32 = 200_000;

struct Human {
    ipp: u32,
    stem: u64,
    family: String,
    given: &'static str,
    born: u32,
}

fn people() -> Vec<Human> {
    let mut rng = Rng::new(11);
    const GIVEN: [&str; 8] = [
        "Anne", "Paul", "Zoé", "Linh", "Jean", "Inès", "Luc", "Marie",
    ];
    const A: [&str; 16] = [
        "MAR", "LE", "DU", "BER", "ROU", "GAU", "PER", "MOR", "LAM", "FON", "CHE", "BOI", "VAL",
        "TES", "RIV", "NOË",
    ];
    const B: [&str; 16] = [
        "TIN", "GRAND", "PONT", "NARD", "SEL", "TIER", "RIN", "EAU", "BERT", "TAINE", "VAL",
        "LEAU", "ADE", "SIER", "IERE", "LET",
    ];
    (0..PEOPLE)
        .map(|i| {
            let (y, m, d) = (1930 + rng.below(90), 1 + rng.below(12), 1 + rng.below(28));
            let sex = 1 + rng.below(2);
            let stem = ((sex * 100 + y % 100) * 100 + m) * 100_000_000
                + (1 + rng.below(95)) * 1_000_000
                + rng.below(1_000_000);
            Human {
                ipp: 100_000_000 + i * 7,
                stem,
                family: format!("{}{}", rng.pick(&A), rng.pick(&B)),
                given: GIVEN[rng.below(8) as usize],
                born: (y * 10_000 + m * 100 + d) as u32,
            }
        })
        .collect()
}

fn know(people: &[Human]) -> Knowledge {
    let mut b = Roster::builder();
    for h in people {
        let ipp = h.ipp.to_string();
        b.add(&Known {
            subject: format!("a|{ipp}"),
            names: vec![(&h.family, vec![h.given])],
            births: vec![h.born],
            nirs: vec![h.stem],
            ids: vec![&ipp],
            ..Known::default()
        });
    }
    Knowledge::new(b.finish())
}

/// One row in three names a known person, by number or by NIR; the others are numbers of nobody or a NIR with a wrong key.
fn table(people: &[Human], size: usize) -> String {
    let mut rng = Rng::new(5);
    let mut t = String::from("ipp;nir;nom;prenom;date_entree;service;commentaire\n");
    while t.len() < size {
        let h = &people[rng.below(people.len() as u64) as usize];
        let kind = rng.below(3);
        let ipp = if kind == 0 {
            h.ipp
        } else {
            900_000_000 + rng.below(90_000_000) as u32
        };
        let nir = match kind {
            1 => nir_text(h.stem),
            _ => format!(
                "{:013}{:02}",
                h.stem,
                nir_key(h.stem) % 97 + 1 - u64::from(nir_key(h.stem) == 97)
            ),
        };
        let nir = if kind != 1 && nir == nir_text(h.stem) {
            String::new()
        } else {
            nir
        };
        let _ = writeln!(
            t,
            "{ipp};{nir};X{};Y{};{:02}/{:02}/{};cardiologie;vu le {:02}/{:02}/2023, montant {} euros, suite du dossier comptable",
            h.family,
            h.given,
            1 + rng.below(28),
            1 + rng.below(12),
            2015 + rng.below(9),
            1 + rng.below(28),
            1 + rng.below(12),
            rng.below(100_000)
        );
    }
    t
}

fn letters(people: &[Human], size: usize) -> String {
    let mut rng = Rng::new(6);
    let mut t = String::new();
    while t.len() < size {
        let h = &people[rng.below(people.len() as u64) as usize];
        let _ = write!(
            t,
            "Cher confrère,\nje vous remercie d’avoir adressé {} {}, né le {:02}/{:02}/{:04}, pour un suivi régulier depuis le {:02}/{:02}/2021.\n\
             L’examen clinique retrouve un état général conservé ; la tension est à 12/8 et le poids stable à {} kg. Le bilan du jour est sans \
             particularité et le traitement reste inchangé jusqu’à la prochaine consultation, prévue dans six mois au même endroit.\n\
             Téléphone du secrétariat 03 20 00 {:02} {:02}, dossier {}.\n\n",
            h.family,
            h.given,
            h.born % 100,
            h.born / 100 % 100,
            h.born / 10_000,
            1 + rng.below(28),
            1 + rng.below(12),
            40 + rng.below(60),
            rng.below(100),
            rng.below(100),
            h.ipp
        );
    }
    t
}

fn messages(people: &[Human], size: usize) -> String {
    let mut rng = Rng::new(8);
    let mut t = String::new();
    while t.len() < size {
        let h = &people[rng.below(people.len() as u64) as usize];
        let _ = write!(
            t,
            "MSH|^~\\&|LAB|CH|DPI|CH|20240101||ORU^R01|{}|P|2.5\rPID|1||{}^^^CH&1.2.3&ISO^PI||{}^{}^^^^^L||{}|F|||1 RUE DU PORT^^VILLE^^59000\rPV1|1|I|CARDIO^12^2\r\
             OBR|1|||NFS^Numeration\rOBX|1|NM|GLU^Glycemie||{}|mmol/l|||||F\rOBX|2|NM|CREA^Creatinine||{}|umol/l|||||F\r",
            rng.below(1 << 30),
            h.ipp,
            h.family,
            h.given,
            h.born,
            rng.below(90),
            rng.below(200)
        );
    }
    t
}

/// FHIR R4 resources, one a line: a person in three of four, a result about one in the fourth.
fn resources(people: &[Human], size: usize) -> String {
    let mut rng = Rng::new(9);
    let mut t = String::new();
    while t.len() < size {
        let h = &people[rng.below(people.len() as u64) as usize];
        let born = format!(
            "{:04}-{:02}-{:02}",
            h.born / 10_000,
            h.born / 100 % 100,
            h.born % 100
        );
        if rng.below(4) > 0 {
            let _ = writeln!(
                t,
                "{{\"resourceType\":\"Patient\",\"id\":\"p{}\",\"meta\":{{\"versionId\":\"1\",\"lastUpdated\":\"2024-02-03T10:11:12.000+01:00\",\"profile\":[\"http://interopsante.org/fhir/StructureDefinition/FrPatient\"]}},\"identifier\":[{{\"use\":\"usual\",\"type\":{{\"coding\":[{{\"system\":\"http://terminology.hl7.org/CodeSystem/v2-0203\",\"code\":\"PI\"}}]}},\"system\":\"urn:oid:1.2.250.1.9.9.1\",\"value\":\"{}\"}}],\"active\":true,\"name\":[{{\"use\":\"official\",\"family\":\"{}\",\"given\":[\"{}\"]}}],\"telecom\":[{{\"system\":\"phone\",\"value\":\"03 20 00 {:02} {:02}\",\"use\":\"home\"}}],\"gender\":\"female\",\"birthDate\":\"{born}\",\"address\":[{{\"use\":\"home\",\"line\":[\"{} RUE DU PORT\"],\"city\":\"VILLE\",\"postalCode\":\"59000\",\"country\":\"FRA\"}}]}}",
                rng.below(1 << 40),
                h.ipp,
                h.family,
                h.given,
                rng.below(100),
                rng.below(100),
                rng.below(300),
            );
        } else {
            let _ = writeln!(
                t,
                "{{\"resourceType\":\"Observation\",\"id\":\"o{}\",\"status\":\"final\",\"code\":{{\"coding\":[{{\"system\":\"http://loinc.org\",\"code\":\"15074-8\",\"display\":\"Glucose\"}}],\"text\":\"Glycémie\"}},\"subject\":{{\"reference\":\"Patient/p1\",\"identifier\":{{\"system\":\"urn:oid:1.2.250.1.9.9.1\",\"value\":\"{}\"}}}},\"effectiveDateTime\":\"2024-02-03T10:11:12+01:00\",\"valueQuantity\":{{\"value\":{}.{},\"unit\":\"mmol/l\",\"system\":\"http://unitsofmeasure.org\",\"code\":\"mmol/L\"}},\"note\":[{{\"text\":\"prélèvement à jeun, sans particularité\"}}]}}",
                rng.below(1 << 40),
                h.ipp,
                rng.below(20),
                rng.below(10),
            );
        }
    }
    t
}

/// Documents in CDA, one behind the other below one element, as an export packs them.
fn documents(people: &[Human], size: usize) -> String {
    let mut rng = Rng::new(10);
    let mut t = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<export>\n");
    while t.len() < size {
        let h = &people[rng.below(people.len() as u64) as usize];
        let _ = write!(
            t,
            "<ClinicalDocument xmlns=\"urn:hl7-org:v3\">\n <typeId root=\"2.16.840.1.113883.1.3\" extension=\"POCD_HD000040\"/>\n <id root=\"1.2.250.1.9.9.{}\"/>\n <code code=\"11502-2\" codeSystem=\"2.16.840.1.113883.6.1\" displayName=\"CR d'examens biologiques\"/>\n <effectiveTime value=\"20240203101112+0100\"/>\n <recordTarget><patientRole>\n  <id extension=\"{}\" root=\"1.2.250.1.9.9.1\"/>\n  <patient><name><given>{}</given><family>{}</family></name><administrativeGenderCode code=\"F\" codeSystem=\"2.16.840.1.113883.5.1\"/><birthTime value=\"{}\"/></patient>\n </patientRole></recordTarget>\n <component><structuredBody><component><section><title>Biologie</title><text>Glycémie à jeun {},{} mmol/l, créatinine {} µmol/l. Résultats dans les limites attendues, à contrôler dans six mois au même laboratoire.</text></section></component></structuredBody></component>\n</ClinicalDocument>\n",
            rng.below(1 << 30),
            h.ipp,
            h.given,
            h.family,
            h.born,
            rng.below(9),
            rng.below(10),
            rng.below(150),
        );
    }
    t.push_str("</export>\n");
    t
}

/// CPU seconds of this process so far (user and system), from the kernel: of its one thread to the microsecond where the
/// scheduler tells it, else in hundredths of a second.
fn cpu() -> f64 {
    // The scheduler counts up when it is entered.
    std::thread::yield_now();
    let spent = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    if let Some(ns) = spent
        .split_whitespace()
        .next()
        .and_then(|x| x.parse::<f64>().ok())
    {
        return ns / 1e9;
    }
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let rest = text.rsplit(')').next().unwrap_or("");
    let f: Vec<f64> = rest
        .split_whitespace()
        .map(|x| x.parse().unwrap_or(0.0))
        .collect();
    // Clock ticks; a hundred a second on every Linux this runs on.
    (f.get(11).unwrap_or(&0.0) + f.get(12).unwrap_or(&0.0)) / 100.0
}

fn read(know: &Knowledge, text: &str) -> (BTreeSet<String>, f64) {
    let began = cpu();
    let mut reader = Reader::new(know, "x");
    let mut direct = Direct;
    let mut walk = Walk::new(&mut reader, &mut direct, Limits::default());
    walk.file(Cursor::new(text.as_bytes()), text.len() as u64);
    let found = reader.finish();
    let took = cpu() - began;
    let who = found
        .persons
        .iter()
        .filter(|p| p.1.sure)
        .map(|p| know.roster.subject(*p.0).to_string())
        .collect();
    (who, took)
}

const PYTHON: &str = r#"
import csv, re, sys
ids, nirs = {}, {}
for line in open(sys.argv[2]):
    s, ipp, stem = line.split()
    ids[ipp] = s; nirs[stem] = s
digits = re.compile(r"(?<!\d)[1-478]\d{14}(?!\d)")
found = set()
with open(sys.argv[1], newline="", encoding="utf-8") as f:
    rows = csv.reader(f, delimiter=";")
    next(rows)
    for r in rows:
        s = ids.get(r[0])
        if s: found.add(s)
        for n in digits.findall(";".join(r)):
            if 97 - int(n[:13]) % 97 == int(n[13:]):
                s = nirs.get(n[:13])
                if s: found.add(s)
import resource
u = resource.getrusage(resource.RUSAGE_SELF)
print(u.ru_utime + u.ru_stime)
for s in sorted(found): print(s)
"#;

pub fn run(full: bool) -> Result<()> {
    let size = if full { FULL } else { SMALL };
    let people = people();
    let know = know(&people);
    println!(
        "inventory: {PEOPLE} people, roster of {} MiB",
        know.roster.memory() >> 20
    );
    let mut answers = blake3::Hasher::new();
    let t = table(&people, size);
    // The first read of a process pays for its memory too.
    read(&know, &t);
    let (ours, took) = read(&know, &t);
    rate("table", t.len(), took, ours.len());
    for s in &ours {
        answers.update(s.as_bytes());
    }
    let dir = std::env::temp_dir().join(format!("ampleur-bench-inventory-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let result = beside(&dir, &people, &t, &ours, took);
    drop(std::fs::remove_dir_all(&dir));
    result?;
    for (name, text) in [
        ("letters", letters(&people, size)),
        ("hl7", messages(&people, size)),
        ("fhir", resources(&people, size)),
        ("cda", documents(&people, size)),
    ] {
        let (who, took) = read(&know, &text);
        rate(name, text.len(), took, who.len());
        for s in &who {
            answers.update(s.as_bytes());
        }
    }
    println!("inventory: answer {}", answers.finalize().to_hex());
    Ok(())
}

fn rate(name: &str, bytes: usize, seconds: f64, persons: usize) {
    println!(
        "inventory: {name:<8} {:>7.1} MB in {seconds:.3} CPU s, {:>5.0} MB/s per core, {persons} persons",
        bytes as f64 / 1e6,
        bytes as f64 / 1e6 / seconds.max(1e-6)
    );
}

fn beside(
    dir: &Path,
    people: &[Human],
    table: &str,
    ours: &BTreeSet<String>,
    took: f64,
) -> Result<()> {
    let (file, list, script) = (dir.join("t.csv"), dir.join("people"), dir.join("b.py"));
    std::fs::write(&file, table)?;
    let mut known = String::new();
    for h in people {
        let _ = writeln!(known, "a|{} {} {:013}", h.ipp, h.ipp, h.stem);
    }
    std::fs::write(&list, known)?;
    std::fs::write(&script, PYTHON)?;
    let out = match Command::new("python3")
        .arg(&script)
        .arg(&file)
        .arg(&list)
        .output()
    {
        Ok(o) if o.status.success() => o,
        Ok(o) => anyhow::bail!("python3: {}", String::from_utf8_lossy(&o.stderr)),
        Err(e) => {
            println!("inventory: SKIPPED side by side: python3 does not start ({e})");
            return Ok(());
        }
    };
    let text = String::from_utf8(out.stdout)?;
    let mut lines = text.lines();
    let theirs_took: f64 = lines.next().context("time of python3")?.parse()?;
    let theirs: BTreeSet<String> = lines.map(str::to_string).collect();
    ensure!(
        theirs == *ours,
        "the answers differ: {} persons here, {} there",
        ours.len(),
        theirs.len()
    );
    println!(
        "inventory: python   {:>7.1} MB in {theirs_took:.2} CPU s, reading the list included; same {} persons, {:.1} times our CPU",
        table.len() as f64 / 1e6,
        theirs.len(),
        theirs_took / took.max(1e-6)
    );
    Ok(())
}
