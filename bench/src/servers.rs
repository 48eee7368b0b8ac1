//! Generated questions to a real PostgreSQL that holds the same people as a snapshot: who comes back must be who is replayed.
//!
//! What is certain must come back, what comes back must be possible; a limit returns so many of the matches; a statement that
//! fails returns nobody. Two databases ask in two collations (code points, and French by ICU), because the reading of a
//! statement must not depend on one. A machine without the server is told so and compares nothing.
use crate::postgres::Server;
use ampleur_event::Context;
use ampleur_extent::{
    identity::IdentityBase,
    replay::{search, sql},
};
use ampleur_testkit::rng::Rng;
use anyhow::{Context as _, Result, ensure};
use std::{collections::BTreeSet, fmt::Write as _, path::Path, time::Instant};

const PEOPLE: usize = 1_500;
/// Questions per database.
const QUESTIONS: usize = 1_500;

const TABLE: &str = r#"
[[table]]
name = "public.patient"
columns = { ipp = "identifier:urn:oid:1.2", nom = "name.family:official", prenom = "name.given", naissance = "birthDate", sexe = "gender", tel = "telecom:phone", ville = "address.city", cp = "address.postalCode" }
"#;

/// `--questions N`: so many to each database of PostgreSQL instead of the usual number.
pub fn run(args: &[String]) -> Result<()> {
    let asked = args.iter().position(|a| a == "--questions");
    let questions = match asked.map(|k| args.get(k + 1)) {
        None => QUESTIONS,
        Some(n) => n
            .context("--questions needs a number")?
            .parse()
            .context("--questions needs a number")?,
    };
    let dir = std::env::temp_dir().join(format!("ampleur-servers-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    // One server's differences do not hide the other's.
    let both = [
        compared(&dir, questions),
        crate::fhir_server::compared(&dir),
    ];
    drop(std::fs::remove_dir_all(&dir));
    both.into_iter().collect()
}

struct Person {
    ipp: String,
    family: Option<String>,
    given: Option<String>,
    birth: Option<String>,
    sex: Option<char>,
    phone: Option<String>,
    city: Option<String>,
    postal: Option<String>,
}

const FAMILIES: [&str; 24] = [
    "MARTIN",
    "Martin",
    "MARTINEZ",
    "MÂRTIN",
    "MARCHAL",
    "ÉVRARD",
    "EVRARD",
    "Évrard",
    "DE LA RUE",
    "DELARUE",
    "D'ARTOIS",
    "DARTOIS",
    "LE-GOFF",
    "LE GOFF",
    "LEGOFF",
    "ŒUVRARD",
    "OEUVRARD",
    "ÇELIK",
    "CELIK",
    "Nuñez",
    "ÀBBÉ",
    "100%",
    "UNDER_SCORE",
    "ZOLA",
];
pub const GIVENS: [&str; 12] = [
    "ANNE",
    "Anne",
    "ANNE-MARIE",
    "ÉLODIE",
    "ELODIE",
    "JEAN",
    "JEAN-LUC",
    "ZOÉ",
    "Zoe",
    "LÉA",
    "LEA",
    "ÎLE",
];
pub const CITIES: [&str; 6] = ["Lille", "LILLE", "Évry", "Saint-Omer", "St Omer", "L'Isle"];

fn people(rng: &mut Rng) -> Vec<Person> {
    let maybe = |rng: &mut Rng, p: f64, text: String| (!rng.chance(p)).then_some(text);
    (0..PEOPLE)
        .map(|n| {
            let family = rng.pick(&FAMILIES).to_string();
            let given = rng.pick(&GIVENS).to_string();
            let birth = format!(
                "{}-{:02}-{:02}",
                1930 + rng.below(90),
                1 + rng.below(12),
                1 + rng.below(28)
            );
            let sex = *rng.pick(&['M', 'F']);
            let phone = format!("+33639{:07}", rng.below(10_000_000));
            let city = rng.pick(&CITIES).to_string();
            let postal = format!("{:05}", 1000 + rng.below(95_000));
            Person {
                ipp: format!("{}", 8_000 + 3 * n),
                family: maybe(rng, 0.03, family),
                given: maybe(rng, 0.03, given),
                birth: maybe(rng, 0.03, birth),
                sex: (!rng.chance(0.05)).then_some(sex),
                phone: maybe(rng, 0.3, phone),
                city: maybe(rng, 0.1, city),
                postal: maybe(rng, 0.1, postal),
            }
        })
        .collect()
}

/// The snapshot and the table of the same people.
fn written(people: &[Person]) -> (String, String) {
    let mut lines = String::new();
    let mut sql = String::from(
        "CREATE TABLE patient (ipp text, nom text, prenom text, naissance date, sexe text, tel text, ville text, cp text);\n\
         CREATE TABLE sejour (ipp text, nom text, jour date);\n",
    );
    let quoted = |t: &Option<String>| {
        t.as_ref().map_or("NULL".to_string(), |t| {
            format!("'{}'", t.replace('\'', "''"))
        })
    };
    for p in people {
        let mut record = serde_json::json!({"resourceType": "Patient", "id": format!("r{}", p.ipp),
            "identifier": [{"type": {"coding": [{"code": "PI"}]}, "system": "urn:oid:1.2", "value": p.ipp}]});
        let mut name = serde_json::Map::new();
        if let Some(f) = &p.family {
            name.insert("family".into(), f.as_str().into());
        }
        if let Some(g) = &p.given {
            name.insert("given".into(), vec![g.as_str()].into());
        }
        if !name.is_empty() {
            name.insert("use".into(), "official".into());
            record["name"] = serde_json::json!([name]);
        }
        if let Some(b) = &p.birth {
            record["birthDate"] = b.as_str().into();
        }
        if let Some(s) = p.sex {
            record["gender"] = if s == 'M' { "male" } else { "female" }.into();
        }
        if let Some(t) = &p.phone {
            record["telecom"] = serde_json::json!([{"system": "phone", "value": t}]);
        }
        let mut place = serde_json::Map::new();
        if let Some(c) = &p.city {
            place.insert("city".into(), c.as_str().into());
        }
        if let Some(c) = &p.postal {
            place.insert("postalCode".into(), c.as_str().into());
        }
        if !place.is_empty() {
            record["address"] = serde_json::json!([place]);
        }
        lines += &format!("{record}\n");
        let sex = p.sex.map(|s| s.to_string());
        sql += &format!(
            "INSERT INTO patient VALUES ('{}', {}, {}, {}, {}, {}, {}, {});\n",
            p.ipp,
            quoted(&p.family),
            quoted(&p.given),
            quoted(&p.birth),
            quoted(&sex),
            quoted(&p.phone),
            quoted(&p.city),
            quoted(&p.postal)
        );
    }
    for p in people.iter().step_by(3) {
        sql += &format!(
            "INSERT INTO sejour VALUES ('{}', 'MARTIN', '2025-01-02');\n",
            p.ipp
        );
    }
    (lines, sql)
}

// ------------------------------------------------------------------ questions

struct Questions {
    rng: Rng,
}

impl Questions {
    fn text(&mut self, of: &[&str]) -> String {
        let t = self.rng.pick(of).to_string();
        let t = match self.rng.below(6) {
            0 => t.to_lowercase(),
            1 => t.to_uppercase(),
            _ => t,
        };
        t.replace('\'', "''")
    }
    fn pattern(&mut self, of: &[&str]) -> String {
        let t: Vec<char> = self.rng.pick(of).chars().collect();
        let n = 1 + self.rng.below(t.len() as u64) as usize;
        let piece: String = match self.rng.below(4) {
            0 => format!("%{}", t[t.len() - n..].iter().collect::<String>()),
            1 => format!("%{}%", t[..n].iter().collect::<String>()),
            2 => {
                let mut t = t.clone();
                t[n - 1] = '_';
                t.iter().collect()
            }
            _ => format!("{}%", t[..n].iter().collect::<String>()),
        };
        piece.replace('\'', "''")
    }
    /// One to three letters of a text.
    fn piece(&mut self, of: &[&str]) -> String {
        let t: Vec<char> = self.rng.pick(of).chars().collect();
        let from = self.rng.below(t.len() as u64) as usize;
        let n = 1 + self.rng.below(3) as usize;
        let piece: String = t.iter().skip(from).take(n).collect();
        piece.replace('\'', "''")
    }
    fn regular(&mut self, of: &[&str]) -> String {
        let piece = self.piece(of).replace("''", "");
        let other = self.piece(of).replace("''", "");
        match self.rng.below(9) {
            0 => format!("^{piece}"),
            1 => format!("{piece}$"),
            2 => format!("^({piece}|{other})"),
            3 => "^[A-M]".to_string(),
            4 => format!("[^{piece}]$"),
            5 => format!("{piece}.*{other}"),
            6 => format!("^.{{4,6}}{other}?$"),
            7 => "(E|É)+".to_string(),
            _ => piece,
        }
    }
    fn date(&mut self) -> String {
        format!(
            "{}-{:02}-{:02}",
            1930 + self.rng.below(90),
            1 + self.rng.below(12),
            1 + self.rng.below(28)
        )
    }
    fn comparison(&mut self) -> &'static str {
        const SIGNS: [&str; 7] = ["=", "<>", "<", "<=", ">", ">=", "!="];
        SIGNS[self.rng.below(7) as usize]
    }
    fn test(&mut self) -> String {
        let (column, of): (&str, &[&str]) = match self.rng.below(3) {
            0 => ("nom", &FAMILIES),
            1 => ("prenom", &GIVENS),
            _ => ("ville", &CITIES),
        };
        match self.rng.below(42) {
            0 | 1 => format!("{column} = '{}'", self.text(of)),
            2 => format!("{column} {} '{}'", self.comparison(), self.text(of)),
            3 | 4 => format!("{column} LIKE '{}'", self.pattern(of)),
            5 => format!("{column} ILIKE '{}'", self.pattern(of)),
            6 => format!("{column} NOT LIKE '{}'", self.pattern(of)),
            7 => format!("{column} IN ('{}', '{}')", self.text(of), self.text(of)),
            8 => format!("{column} NOT IN ('{}', '{}')", self.text(of), self.text(of)),
            9 => {
                let f = *self.rng.pick(&["lower", "upper"]);
                format!("{f}({column}) = {f}('{}')", self.text(of))
            }
            10 => format!("unaccent({column}) = unaccent('{}')", self.text(of)),
            11 => format!(
                "lower(unaccent({column})) LIKE lower('{}')",
                self.pattern(of)
            ),
            12 => {
                let not = *self.rng.pick(&["", "NOT "]);
                let c =
                    *self
                        .rng
                        .pick(&["nom", "prenom", "naissance", "sexe", "tel", "ville", "cp"]);
                format!("{c} IS {not}NULL")
            }
            13 => format!("naissance {} '{}'", self.comparison(), self.date()),
            14 => format!(
                "naissance BETWEEN '{}' AND date '{}'",
                self.date(),
                self.date()
            ),
            15 => format!(
                "extract(year from naissance) {} {}",
                self.comparison(),
                1930 + self.rng.below(90)
            ),
            16 => format!(
                "date_part('year', naissance) = {}",
                1930 + self.rng.below(90)
            ),
            17 => format!("sexe = '{}'", self.rng.pick(&["M", "F"])),
            18 => format!(
                "ipp {} '{}'",
                self.comparison(),
                8_000 + self.rng.below(5_000)
            ),
            19 => format!(
                "left({column}, 3) = '{}'",
                self.text(of)
                    .chars()
                    .take(3)
                    .collect::<String>()
                    .replace('\'', "")
            ),
            20 => format!(
                "substr({column}, 2, 2) = '{}'",
                self.text(of)
                    .chars()
                    .skip(1)
                    .take(2)
                    .collect::<String>()
                    .replace('\'', "")
            ),
            21 => format!("{column} SIMILAR TO '{}'", self.pattern(of)),
            22 => format!("{column} LIKE '{}' ESCAPE '!'", self.pattern(of)),
            23 => format!(
                "{column} {} (ARRAY['{}', '{}'])",
                self.rng.pick(&["= ANY", "<> ALL", "<> ANY", "= SOME"]),
                self.text(of),
                self.text(of)
            ),
            24 => format!(
                "{column} {} ANY ('{{\"{}\",X}}'::text[])",
                self.rng.pick(&["=", "LIKE", "ILIKE", "NOT LIKE"]),
                self.text(of)
            ),
            25 => format!(
                "{column} {} '{}'",
                self.rng.pick(&["~", "~*", "!~", "!~*"]),
                self.regular(of)
            ),
            26 => format!(
                "{column} {}SIMILAR TO '({}|{})'",
                self.rng.pick(&["", "NOT "]),
                self.pattern(of),
                self.pattern(of)
            ),
            27 => format!(
                "to_char(naissance, '{}') {} '{}'",
                self.rng
                    .pick(&["YYYY", "MM", "DD/MM/YYYY", "YYYY-MM-DD", "MM-DD"]),
                self.comparison(),
                self.date()
            ),
            28 => format!("to_char(naissance, 'MM') = '{:02}'", 1 + self.rng.below(12)),
            29 => format!(
                "{} {} {}",
                self.rng.pick(&[
                    "date_part('month', naissance)",
                    "extract(day from naissance)",
                    "extract(month from naissance)"
                ]),
                self.comparison(),
                1 + self.rng.below(14)
            ),
            30 => format!(
                "{}({column}) {} {}",
                self.rng.pick(&["length", "char_length"]),
                self.comparison(),
                1 + self.rng.below(14)
            ),
            31 => format!(
                "position('{}' IN {column}) {} {}",
                self.piece(of),
                self.comparison(),
                self.rng.below(5)
            ),
            32 => format!("strpos({column}, '{}') > 0", self.piece(of)),
            33 => format!(
                "coalesce({}) {} '{}'",
                self.rng.pick(&[
                    "ville, nom",
                    "tel, ville",
                    "ville, '-'",
                    "prenom, ville, nom"
                ]),
                self.rng.pick(&["=", "<>", "LIKE", "NOT LIKE"]),
                self.pattern(of)
            ),
            34 => format!(
                "replace({column}, '{}', '{}') = '{}'",
                self.piece(of),
                self.rng.pick(&["", "-", "E"]),
                self.text(of)
            ),
            35 => format!(
                "ipp::int % {} = {}",
                1 + self.rng.below(6),
                self.rng.below(4)
            ),
            36 => format!(
                "cast(ipp as integer) {} {}",
                self.comparison(),
                8_000 + self.rng.below(5_000)
            ),
            37 => format!(
                "{column} COLLATE \"C\" {} '{}'",
                self.comparison(),
                self.text(of)
            ),
            38 => format!(
                "{} IS {}DISTINCT FROM {}",
                self.rng.pick(&["ville", "tel", "prenom"]),
                self.rng.pick(&["", "NOT "]),
                self.rng.pick(&["NULL", "'LILLE'", "'Zoé'"])
            ),
            39 => {
                let inner = self
                    .rng
                    .pick(&["ville = 'LILLE'", "tel IS NULL", "nom LIKE 'M%'"]);
                format!(
                    "({inner}) IS {}{}",
                    self.rng.pick(&["", "NOT "]),
                    self.rng.pick(&["TRUE", "FALSE"])
                )
            }
            40 => format!(
                "coalesce({}) IS {}NULL",
                self.rng.pick(&["tel, ville", "ville, cp"]),
                self.rng.pick(&["", "NOT "])
            ),
            _ => format!("trim({column}) = '{}'", self.text(of)),
        }
    }
    fn condition(&mut self, depth: u32) -> String {
        if depth == 0 || self.rng.chance(0.35) {
            return self.test();
        }
        let (a, b) = (self.condition(depth - 1), self.condition(depth - 1));
        match self.rng.below(5) {
            0 => format!("{a} AND {b}"),
            1 => format!("({a} OR {b})"),
            2 => format!("NOT ({a})"),
            3 => format!("({a}) AND NOT ({b})"),
            _ => format!("{a} OR {b}"),
        }
    }
    /// The statement the log holds, and the one the server is given (they differ in how a cursor is read).
    fn statement(&mut self) -> String {
        let c = self.condition(2);
        let n = self.rng.below(40);
        match self.rng.below(32) {
            0 => format!("SELECT ipp, nom FROM patient WHERE {c} LIMIT {n}"),
            1 => format!(
                "SELECT ipp FROM patient WHERE {c} ORDER BY nom, ipp LIMIT {n} OFFSET {}",
                n / 2
            ),
            2 => format!("SELECT ipp FROM patient WHERE {c} OFFSET {n}"),
            3 => format!(
                "SELECT ipp FROM patient WHERE {c} FETCH FIRST {} ROWS ONLY",
                n + 1
            ),
            4 => format!(
                "SELECT p.ipp FROM patient p JOIN sejour s ON s.ipp = p.ipp WHERE {}",
                c.replace("nom ", "p.nom ")
            ),
            5 => {
                "SELECT p.ipp FROM patient p JOIN sejour s ON s.ipp = p.ipp WHERE s.nom = 'MARTIN'"
                    .to_string()
            }
            6 => format!(
                "SELECT p.ipp FROM patient AS p LEFT JOIN sejour s ON s.ipp = p.ipp WHERE p.nom LIKE '{}'",
                self.pattern(&FAMILIES)
            ),
            7 => format!(
                "SELECT ipp FROM patient WHERE {c} UNION SELECT ipp FROM patient WHERE {}",
                self.test()
            ),
            8 => format!("SELECT ipp FROM patient WHERE {c} EXCEPT SELECT ipp FROM sejour"),
            9 => format!("SELECT min(ipp) FROM patient WHERE {c} GROUP BY nom"),
            10 => {
                format!("SELECT ipp FROM patient WHERE ipp IN (SELECT ipp FROM sejour) AND ({c})")
            }
            11 => format!(
                "WITH x AS (SELECT * FROM patient WHERE {c}), y AS (SELECT ipp AS i, ville AS nom FROM x) SELECT i FROM y WHERE {}",
                self.rng
                    .pick(&["nom = 'Lille'", "y.nom IS NULL", "i > '9000'", "true"])
            ),
            12 => format!(
                "SELECT ipp FROM (SELECT ipp, nom FROM patient WHERE {c} LIMIT {}) t WHERE nom LIKE 'M%'",
                n + 5
            ),
            13 => format!("SELECT DISTINCT ON (nom) ipp FROM patient WHERE {c}"),
            14 => {
                format!("SELECT \"ipp\" FROM \"public\".\"patient\" WHERE {c} -- comment ' here\n")
            }
            15 => format!("SELECT ipp FROM patient WHERE {c} AND 1/0 = 1"),
            16 => format!("SELECT ipp FROM patient WHERE {c} AND naissance = '1957-02-30'"),
            17 => format!("COPY (SELECT ipp FROM patient WHERE {c}) TO STDOUT"),
            18 => format!(
                "SELECT ipp, nom FROM patient WHERE {c} {} SELECT ipp, nom FROM patient WHERE {}",
                self.rng
                    .pick(&["UNION ALL", "INTERSECT", "EXCEPT", "UNION"]),
                self.condition(1)
            ),
            19 => format!(
                "SELECT ipp FROM patient WHERE {c} {} SELECT ipp FROM patient WHERE {} UNION SELECT ipp FROM patient WHERE {}",
                self.rng.pick(&["INTERSECT", "EXCEPT"]),
                self.test(),
                self.test()
            ),
            20 => format!(
                "SELECT x.i, x.n FROM (SELECT ipp AS i, nom AS n, naissance FROM patient WHERE {c}) x WHERE x.n {} '{}' AND naissance > '{}'",
                self.comparison(),
                self.text(&FAMILIES),
                self.date()
            ),
            21 => format!("SET enable_seqscan = on; SELECT ipp FROM patient WHERE {c}"),
            22 => format!(
                "SELECT ipp FROM patient WHERE {c} ORDER BY ipp {} LIMIT {n}",
                self.rng.pick(&["ASC", "DESC"])
            ),
            _ => format!("SELECT ipp, nom, prenom FROM patient WHERE {c}"),
        }
    }
}

fn compared(dir: &Path, asked_of_each: usize) -> Result<()> {
    let Some(server) = Server::start(dir)? else {
        println!("servers: PostgreSQL IS MISSING on this machine, nothing was compared with it");
        return Ok(());
    };
    let start = Instant::now();
    let mut rng = Rng::new(23);
    let people = people(&mut rng);
    let (lines, table) = written(&people);
    let base = IdentityBase::from_lines(&[(0, &lines)]);
    let tables = Context::parse(TABLE)
        .map_err(|e| anyhow::anyhow!("{e}"))?
        .tables;
    let mut questions = Questions { rng };
    let (mut asked, mut failed, mut exact, mut bad) = (0, 0, 0, 0);
    for (name, options) in [
        ("code_points", "TEMPLATE template0 LOCALE 'C.UTF-8'"),
        (
            "french",
            "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'fr-FR' LOCALE 'C.UTF-8'",
        ),
    ] {
        server.sql("postgres", &format!("CREATE DATABASE {name} {options}"))?;
        server.sql(name, &format!("CREATE EXTENSION unaccent;\n{table}"))?;
        let statements: Vec<String> = (0..asked_of_each).map(|_| questions.statement()).collect();
        let answers = server.answers(name, &statements)?;
        ensure!(answers.len() == statements.len(), "an answer is missing");
        for (statement, real) in statements.iter().zip(answers) {
            asked += 1;
            let st = sql::parse(statement, &tables);
            let Some(real) = real else {
                // The log tells the failure; the statement returned nobody.
                failed += 1;
                continue;
            };
            let answer = search(&base, &st.rows, 0, &|_| true);
            let names = |hits: &[ampleur_extent::replay::Hit]| -> BTreeSet<String> {
                hits.iter()
                    .map(|h| base.logical_id(h.record)[1..].to_string())
                    .collect()
            };
            let (mut certain, mut possible) = (names(&answer.certain), names(&answer.possible));
            if st.reshaped || st.kind == sql::Kind::Unknown {
                possible.append(&mut certain);
            }
            let cut = st.limit.is_some() || st.offset.is_some();
            let all = certain.union(&possible).count() as u64;
            let (limit, offset) = (st.limit.unwrap_or(u64::MAX), st.offset.unwrap_or(0));
            let inside = real
                .iter()
                .all(|r| certain.contains(r) || possible.contains(r));
            let ok = if cut {
                let most = limit.min(all.saturating_sub(offset));
                let least = limit.min((certain.len() as u64).saturating_sub(offset));
                inside && (least..=most).contains(&(real.len() as u64))
            } else {
                inside && certain.iter().all(|c| real.contains(c))
            };
            if ok && possible.is_empty() {
                exact += 1;
            }
            if !ok {
                bad += 1;
                if bad <= 20 {
                    let more: Vec<_> = real
                        .iter()
                        .filter(|r| !certain.contains(*r) && !possible.contains(*r))
                        .take(3)
                        .collect();
                    let less: Vec<_> = certain
                        .iter()
                        .filter(|c| !real.contains(*c))
                        .take(3)
                        .collect();
                    println!(
                        "servers: {name}: DIFFERS: {statement}\n  server {} replay {}+{}; not foreseen {more:?}, not returned {less:?}\n  {:?}",
                        real.len(),
                        certain.len(),
                        possible.len(),
                        st.rows
                    );
                }
            }
        }
    }
    println!(
        "servers: PostgreSQL: {asked} questions over {PEOPLE} people in {:.1} s: {failed} failed there, {exact} answered exactly, \
         {} within their interval, {bad} wrong",
        start.elapsed().as_secs_f64(),
        asked - failed - exact - bad
    );
    ensure!(bad == 0, "{bad} answers differ from the server's");
    ensure!(asked - failed >= 2_000, "too few questions were answered");
    // The interval must not be the easy way out: half of what the server answered is to be exact.
    let answered = asked - failed;
    ensure!(
        exact * 2 >= answered,
        "only {exact} of {answered} answers are exact"
    );
    Ok(())
}

/// Marks between answers, which no name holds.
pub fn script(statements: &[String]) -> String {
    let mut s = String::from("\\set VERBOSITY terse\n");
    for t in statements {
        let _ = writeln!(s, "{t};\n\\echo \u{1} :ERROR");
    }
    s
}

/// First column of each answer; `None` for a statement that failed.
pub fn read(text: &str) -> Vec<Option<BTreeSet<String>>> {
    let mut out = vec![];
    let mut now = BTreeSet::new();
    for line in text.lines() {
        match line.strip_prefix("\u{1} ") {
            Some(error) => {
                let rows = std::mem::take(&mut now);
                out.push((error.trim() == "false").then_some(rows));
            }
            None => {
                now.insert(line.split('|').next().unwrap_or("").to_string());
            }
        }
    }
    out
}
