//! Searches by family prefix and year of birth asked again of an identity base: ours, PostgreSQL's and DuckDB's answers to the
//! same questions over the same people, in one run.
//!
//! The people are made up from syllables. The others get every help: folded names in a column of their own, PostgreSQL its best
//! index (read without touching the table) and two connections, DuckDB a sorted table and one hash join per length of prefix.
//! Programs that are not there are said to be missing. DuckDB is fetched by npm (`duck.rs`).
use crate::postgres::Server;
use ampleur_extent::{
    fold,
    identity::IdentityBase,
    replay::{Expr, fhir, search_many},
};
use ampleur_testkit::rng::Rng;
use anyhow::{Context, Result, bail, ensure};
use std::{
    fmt::Write as _,
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

const SMALL: (u64, usize) = (60_000, 4_100);
const FULL: (u64, usize) = (6_500_000, 41_000);
const YEARS: std::ops::Range<u32> = 1925..2025;

pub fn run(full: bool) -> Result<()> {
    let dir = std::env::temp_dir().join(format!("ampleur-replay-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let result = measured(&dir, full);
    drop(std::fs::remove_dir_all(&dir));
    result
}

struct Side {
    name: &'static str,
    ready: f64,
    replay: f64,
    answer: String,
}

fn measured(dir: &Path, full: bool) -> Result<()> {
    let (people, searches) = if full { FULL } else { SMALL };
    let start = Instant::now();
    made_up(dir, people, searches)?;
    println!(
        "replay: {people} people and {searches} searches made up in {:.1} s (not counted)",
        start.elapsed().as_secs_f64()
    );
    let mut sides = vec![ours(dir)?];
    for (name, other) in [
        ("PostgreSQL", postgres(dir).context("ask PostgreSQL")?),
        ("DuckDB", duckdb(dir).context("ask DuckDB")?),
    ] {
        match other {
            Some(side) => sides.push(side),
            None => println!("replay: {name} IS MISSING on this machine, no comparison with it"),
        }
    }
    for s in &sides {
        println!(
            "replay: {:<10} ready in {:>7.2} s, {searches} searches in {:>7.3} s = {:>9.0}/s, answer {}",
            s.name,
            s.ready,
            s.replay,
            searches as f64 / s.replay,
            s.answer
        );
    }
    for s in &sides[1..] {
        ensure!(
            s.answer == sides[0].answer,
            "{} answers differently: no ratio",
            s.name
        );
        println!(
            "replay: {:.1} times as fast as {}",
            s.replay / sides[0].replay,
            s.name
        );
    }
    Ok(())
}

// ------------------------------------------------------------------ people and questions

const ONSETS: [&str; 20] = [
    "B", "BR", "C", "CH", "D", "F", "G", "GR", "H", "L", "M", "MAR", "N", "P", "PR", "R", "S", "T",
    "V", "",
];
const NUCLEI: [&str; 12] = [
    "A", "E", "I", "O", "OU", "AI", "EAU", "É", "È", "ON", "AN", "IN",
];
const CODAS: [&str; 12] = ["", "", "", "R", "L", "N", "S", "T", "RD", "LT", "NT", "X"];

fn word(rng: &mut Rng, syllables: usize) -> String {
    let mut w = String::new();
    for _ in 0..syllables {
        w += ONSETS[rng.below(ONSETS.len() as u64) as usize];
        w += NUCLEI[rng.below(NUCLEI.len() as u64) as usize];
    }
    w + CODAS[rng.below(CODAS.len() as u64) as usize]
}

/// `people.ndjson`, `people.csv` (number, folded family, year) and `questions.csv` (number, folded prefix, year).
fn made_up(dir: &Path, people: u64, searches: usize) -> Result<()> {
    let mut rng = Rng::new(41);
    let families: Vec<String> = (0..60_000)
        .map(|i| word(&mut rng, 1 + i % 3).replace("  ", " "))
        .collect();
    let given: Vec<String> = (0..2_000).map(|i| word(&mut rng, 1 + i % 2)).collect();
    // Few names are frequent: the product of two uniform draws leans to the front.
    let pick = |rng: &mut Rng, n: usize| {
        let (a, b) = (rng.below(n as u64), rng.below(n as u64));
        (a * b / n as u64) as usize
    };
    std::fs::create_dir_all(dir.join("identities"))?;
    let mut json = BufWriter::with_capacity(
        1 << 20,
        File::create(dir.join("identities/2025-09-01.ndjson"))?,
    );
    let mut csv = BufWriter::with_capacity(1 << 20, File::create(dir.join("people.csv"))?);
    let mut line = String::new();
    for n in 0..people {
        let family = &families[pick(&mut rng, families.len())];
        let first = &given[pick(&mut rng, given.len())];
        let year = YEARS.start + rng.below(u64::from(YEARS.end - YEARS.start)) as u32;
        let (month, day) = (1 + rng.below(12), 1 + rng.below(28));
        let sex = 1 + rng.below(2);
        let gender = if sex == 1 { "male" } else { "female" };
        let nir = format!(
            "{sex}{:02}{month:02}59{:06}{:02}",
            year % 100,
            rng.below(1_000_000),
            rng.below(97)
        );
        line.clear();
        write!(
            line,
            "{{\"resourceType\":\"Patient\",\"id\":\"{n}\",\"meta\":{{\"versionId\":\"1\",\"lastUpdated\":\"2024-05-06T07:08:09Z\"}},\
             \"identifier\":[{{\"use\":\"official\",\"type\":{{\"coding\":[{{\"system\":\"https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203\",\"code\":\"INS-NIR\"}}]}},\"system\":\"urn:oid:1.2.250.1.213.1.4.8\",\"value\":\"{nir}\"}},\
             {{\"use\":\"usual\",\"type\":{{\"coding\":[{{\"system\":\"http://terminology.hl7.org/CodeSystem/v2-0203\",\"code\":\"PI\"}}]}},\"system\":\"urn:oid:1.2.250.1.999.10.{}\",\"value\":\"{}\"}}],\
             \"active\":true,\"name\":[{{\"use\":\"official\",\"family\":\"{family}\",\"given\":[\"{first}\"]}}],\
             \"telecom\":[{{\"system\":\"phone\",\"value\":\"+336399{:05}\"}},{{\"system\":\"email\",\"value\":\"p{n}@mail.example\"}}],\
             \"gender\":\"{gender}\",\"birthDate\":\"{year:04}-{month:02}-{day:02}\",\
             \"address\":[{{\"line\":[\"{} rue de l'Exemple\"],\"city\":\"{}\",\"postalCode\":\"{:05}\",\"country\":\"FRA\"}}],\
             \"managingOrganization\":{{\"identifier\":{{\"system\":\"https://finess.esante.gouv.fr\",\"value\":\"{}\"}}}}}}",
            n % 40,
            100_000_000 + n,
            rng.below(100_000),
            1 + rng.below(300),
            families[(n % 997) as usize],
            59_000 + n % 997,
            629_994_000 + n % 40,
        )?;
        writeln!(json, "{line}")?;
        writeln!(csv, "{n},{},{year}", fold::name(family))?;
    }
    json.flush()?;
    csv.flush()?;
    // Prefixes of two to four letters of names that exist, each with every year: the enumeration of a whole base.
    let mut prefixes: Vec<String> = families
        .iter()
        .enumerate()
        .map(|(i, f)| fold::name(f).chars().take(2 + i % 3).collect())
        .collect();
    prefixes.sort();
    prefixes.dedup();
    let step = (prefixes.len() * YEARS.len() / searches).max(1);
    let mut questions = BufWriter::new(File::create(dir.join("questions.csv"))?);
    let mut n = 0;
    'all: for (i, p) in prefixes.iter().enumerate() {
        for (k, year) in YEARS.enumerate() {
            if (i * YEARS.len() + k).is_multiple_of(step) {
                writeln!(questions, "{n},{p},{year}")?;
                n += 1;
                if n == searches {
                    break 'all;
                }
            }
        }
    }
    questions.flush()?;
    ensure!(n == searches, "{n} questions instead of {searches}");
    Ok(())
}

fn questions(dir: &Path) -> Result<Vec<(String, u32)>> {
    BufReader::new(File::open(dir.join("questions.csv"))?)
        .lines()
        .map(|l| {
            let l = l?;
            let f: Vec<&str> = l.split(',').collect();
            let [_, prefix, year] = f[..] else {
                bail!("read a question")
            };
            Ok((prefix.to_string(), year.parse()?))
        })
        .collect()
}

/// One line a question: number, persons, sum and exclusive-or of their numbers.
fn digest(lines: &mut [String]) -> String {
    lines.sort_unstable();
    blake3::hash(lines.join("\n").as_bytes()).to_hex()[..16].to_string()
}

// ------------------------------------------------------------------ ours

fn ours(dir: &Path) -> Result<Side> {
    let out = Command::new(std::env::current_exe()?)
        .arg("replay-child")
        .arg(dir)
        .stderr(Stdio::inherit())
        .output()
        .context("start the measured process")?;
    ensure!(
        out.status.success(),
        "the measured process ended with {}",
        out.status
    );
    let text = String::from_utf8_lossy(&out.stdout);
    let mut last = "";
    for l in text.lines() {
        match l.strip_prefix("result ") {
            Some(r) => last = r,
            None => println!("{l}"),
        }
    }
    let f: Vec<&str> = last.split(' ').collect();
    let [ready, replay, answer] = f[..] else {
        bail!("read the result of the measured process")
    };
    Ok(Side {
        name: "Ampleur",
        ready: ready.parse()?,
        replay: replay.parse()?,
        answer: answer.to_string(),
    })
}

/// The measured process: `DIR`.
pub fn child(args: &[String]) -> Result<()> {
    let [dir] = args else {
        bail!("usage: replay-child DIR")
    };
    let dir = PathBuf::from(dir);
    let threads = crate::pipeline::threads();
    let start = Instant::now();
    let base = IdentityBase::load(&dir.join("identities"), &jiff::tz::TimeZone::UTC, threads)?;
    let ready = start.elapsed().as_secs_f64();
    println!(
        "replay: base of {} records takes {:.0} bytes each, peak {} MiB while loading",
        base.record_count(),
        base.memory() as f64 / f64::from(base.record_count()),
        crate::pipeline::peak_mib()
    );
    let questions = questions(&dir)?;
    let at = base.snapshots.first().context("find a snapshot")?.time + 3_600_000_000_000;
    let start = Instant::now();
    let asked: Vec<Expr> = questions
        .iter()
        .map(|(prefix, year)| {
            let url = format!("/fhir/Patient?family={prefix}&birthdate={year}");
            match fhir::ask(&base, &url, "").what {
                fhir::What::Patients(e) => e,
                _ => Expr::Unknown,
            }
        })
        .collect();
    let asked: Vec<(&Expr, i64)> = asked.iter().map(|e| (e, at)).collect();
    let answers = search_many(&base, &asked, &|_| true, threads, usize::MAX);
    let replay = start.elapsed().as_secs_f64();
    let mut persons = 0;
    let mut lines: Vec<String> = answers
        .iter()
        .flatten()
        .enumerate()
        .filter(|(_, a)| !a.is_empty())
        .map(|(n, a)| {
            persons += a.certain.len();
            let numbers = a
                .certain
                .iter()
                .map(|h| base.logical_id(h.record).parse::<u64>().unwrap_or(u64::MAX));
            let (sum, xor) = numbers.fold((0u64, 0u64), |(s, x), n| (s.wrapping_add(n), x ^ n));
            format!("{n} {} {sum} {xor} {}", a.certain.len(), a.possible.len())
        })
        .collect();
    println!(
        "replay: {persons} answers, {threads} threads, peak {} MiB in all",
        crate::pipeline::peak_mib()
    );
    println!("result {ready} {replay} {}", digest(&mut lines));
    Ok(())
}

// ------------------------------------------------------------------ PostgreSQL

fn postgres(dir: &Path) -> Result<Option<Side>> {
    match Server::start(dir)? {
        None => Ok(None),
        Some(s) => postgres_asked(dir, &s).map(Some),
    }
}

fn postgres_asked(dir: &Path, server: &Server) -> Result<Side> {
    let d = dir.display();
    let start = Instant::now();
    server.sql(
        "postgres",
        &format!(
            "CREATE UNLOGGED TABLE patient (id bigint, family text COLLATE \"C\", birth int);\n\
             \\copy patient FROM '{d}/people.csv' CSV\n\
             CREATE INDEX ON patient (birth, family) INCLUDE (id);\n\
             CREATE UNLOGGED TABLE q (n int, prefix text COLLATE \"C\", birth int);\n\
             \\copy q FROM '{d}/questions.csv' CSV\n\
             VACUUM ANALYZE patient; VACUUM ANALYZE q;\n"
        ),
    )?;
    let ready = start.elapsed().as_secs_f64();
    // A letter after every other closes the range of a prefix; the order of "C" is that of code points.
    let ask = |half: u32| {
        server.sql(
            "postgres",
            &format!(
                "\\pset fieldsep ' '\nSET enable_hashjoin=off; SET enable_mergejoin=off; \
                 SELECT n, count(*), sum(id), bit_xor(id), 0 FROM q JOIN patient p ON p.birth = q.birth \
                 AND p.family >= q.prefix AND p.family < q.prefix || chr(1114111) \
                 WHERE n % 2 = {half} GROUP BY n;\n"
            ),
        )
    };
    let start = Instant::now();
    let (even, odd) = std::thread::scope(|s| {
        let odd = s.spawn(|| ask(1));
        (ask(0), odd.join())
    });
    let replay = start.elapsed().as_secs_f64();
    let odd = odd.map_err(|_| anyhow::anyhow!("the second connection failed"))??;
    let mut lines: Vec<String> = even?
        .lines()
        .chain(odd.lines())
        .map(str::to_string)
        .collect();
    Ok(Side {
        name: "PostgreSQL",
        ready,
        replay,
        answer: digest(&mut lines),
    })
}

// ------------------------------------------------------------------ DuckDB

const DUCKDB: &str = r#"
const { DuckDBInstance } = require("@duckdb/node-api");
const d = process.argv[1];
(async () => {
  const c = await (await DuckDBInstance.create(":memory:")).connect();
  const now = () => performance.now() / 1000;
  let t = now();
  await c.run(`create table patient as select * from read_csv('${d}/people.csv', header=false, columns={'id':'bigint','family':'varchar','birth':'int'}) order by birth, family`);
  await c.run(`create table q as select * from read_csv('${d}/questions.csv', header=false, columns={'n':'int','prefix':'varchar','birth':'int'})`);
  const ready = now() - t;
  t = now();
  let rows = [];
  const lengths = await c.runAndReadAll("select distinct length(prefix) from q order by 1");
  for (const [k] of lengths.getRows()) {
    const all = await c.runAndReadAll(`select n, count(*), sum(id)::bigint, bit_xor(id), 0 from q join patient p on p.birth = q.birth and left(p.family, ${k}) = q.prefix where length(q.prefix) = ${k} group by n`);
    rows = rows.concat(all.getRows());
  }
  const replay = now() - t;
  console.log(rows.map((r) => r.map(String).join(" ")).concat(`result ${ready} ${replay}`).join("\n"));
})();
"#;

fn duckdb(dir: &Path) -> Result<Option<Side>> {
    let Some(mut node) = crate::duck::node(DUCKDB) else {
        return Ok(None);
    };
    let out = node.arg(dir).output()?;
    ensure!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let text = String::from_utf8_lossy(&out.stdout);
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    let last = lines.pop().unwrap_or_default();
    let f: Vec<&str> = last.split(' ').collect();
    let ["result", ready, replay] = f[..] else {
        bail!("read the result of DuckDB")
    };
    Ok(Some(Side {
        name: "DuckDB",
        ready: ready.parse()?,
        replay: replay.parse()?,
        answer: digest(&mut lines),
    }))
}
