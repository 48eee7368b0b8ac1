//! Generated FHIR searches to a real server (`hfs` of the crate `helios-hfs`) that holds the same people as a snapshot: who
//! comes back must be who is replayed.
//!
//! What is certain must come back, what comes back must be possible; a page holds so many of the matches; a request that is
//! refused returns nobody. The snapshot is read back from the server, as an export would be, so that both hold the same
//! versions. `AMPLEUR_HFS` names the server, else it is looked for on PATH; a machine without it is told so and compares
//! nothing. Requests go through curl: it keeps one connection for thousands of addresses and adds nothing to what we build.
use crate::servers::{CITIES, GIVENS};
use ampleur_extent::{
    identity::IdentityBase,
    replay::{Hit, fhir, search},
};
use ampleur_testkit::rng::Rng;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

const PEOPLE: usize = 800;
const QUESTIONS: usize = 2_600;
const OID: &str = "urn:oid:1.2.250.1.999.3";

/// Search parameters of Patient, R4 patient.html#search: code, type, expression.
const PARAMETERS: [(&str, &str, &str); 22] = [
    ("name", "string", "Patient.name"),
    ("family", "string", "Patient.name.family"),
    ("given", "string", "Patient.name.given"),
    ("birthdate", "date", "Patient.birthDate"),
    ("death-date", "date", "Patient.deceased.ofType(dateTime)"),
    (
        "deceased",
        "token",
        "Patient.deceased.exists() and Patient.deceased != false",
    ),
    ("gender", "token", "Patient.gender"),
    ("active", "token", "Patient.active"),
    ("identifier", "token", "Patient.identifier"),
    ("telecom", "token", "Patient.telecom"),
    ("phone", "token", "Patient.telecom.where(system='phone')"),
    ("email", "token", "Patient.telecom.where(system='email')"),
    ("address", "string", "Patient.address"),
    ("address-city", "string", "Patient.address.city"),
    ("address-country", "string", "Patient.address.country"),
    ("address-postalcode", "string", "Patient.address.postalCode"),
    ("address-state", "string", "Patient.address.state"),
    ("address-use", "token", "Patient.address.use"),
    ("language", "token", "Patient.communication.language"),
    ("link", "reference", "Patient.link.other"),
    ("organization", "reference", "Patient.managingOrganization"),
    (
        "general-practitioner",
        "reference",
        "Patient.generalPractitioner",
    ),
];

fn definitions() -> Value {
    let own = PARAMETERS.map(|(code, kind, expression)| ("Patient", code, kind, expression));
    let all = [
        ("Resource", "_id", "token", "Resource.id"),
        (
            "Resource",
            "_lastUpdated",
            "date",
            "Resource.meta.lastUpdated",
        ),
    ];
    let entries: Vec<Value> = all
        .into_iter()
        .chain(own)
        .map(|(base, code, kind, expression)| {
            let id = format!("{base}-{}", code.trim_start_matches('_'));
            let targets = match code {
                "link" => json!(["Patient", "RelatedPerson"]),
                "organization" => json!(["Organization"]),
                "general-practitioner" => {
                    json!(["Organization", "Practitioner", "PractitionerRole"])
                }
                _ => Value::Null,
            };
            let mut resource = json!({
                "resourceType": "SearchParameter", "id": id, "name": code, "code": code, "status": "active",
                "url": format!("http://hl7.org/fhir/SearchParameter/{id}"), "description": code,
                "base": [base], "type": kind, "expression": expression,
            });
            if !targets.is_null() {
                resource["target"] = targets;
            }
            json!({"resource": resource})
        })
        .collect();
    json!({"resourceType": "Bundle", "type": "collection", "entry": entries})
}

// ------------------------------------------------------------------ the server

struct Server {
    child: Child,
    address: String,
    dir: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An answer: status and body.
type Got = (u32, Value);

impl Server {
    /// Starts it in a folder of its own, on loopback; `None` when it or curl is not there.
    fn start(dir: &Path) -> Result<Option<Server>> {
        let program = std::env::var("AMPLEUR_HFS").unwrap_or_else(|_| "hfs".into());
        for p in [program.as_str(), "curl"] {
            let there = Command::new(p)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|s| s.success());
            if !there {
                println!("servers: {p} does not start");
                return Ok(None);
            }
        }
        let dir = dir.join("fhir");
        let data = dir.join("data");
        std::fs::create_dir_all(&data)?;
        std::fs::write(
            data.join("search-parameters-r4.json"),
            serde_json::to_vec(&definitions())?,
        )?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("http://127.0.0.1:{port}");
        let log = std::fs::File::create(dir.join("log"))?;
        let child = Command::new(&program)
            .current_dir(&dir)
            .env("HFS_SERVER_HOST", "127.0.0.1")
            .env("HFS_SERVER_PORT", port.to_string())
            .env("HFS_BASE_URL", &address)
            .env("HFS_DATA_DIR", &data)
            .env("HFS_DATABASE_URL", dir.join("fhir.db"))
            .env("DATABASE_URL", dir.join("fhir.db"))
            .env("HFS_DEFAULT_PAGE_SIZE", "100")
            .env("HFS_LOG_LEVEL", "warn")
            .env("HFS_UI_ENABLED", "false")
            .env("HFS_NL_SEARCH_ENABLED", "false")
            .env("HFS_REQUEST_TIMEOUT", "600")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("start the FHIR server")?;
        let mut s = Server {
            child,
            address,
            dir,
        };
        let url = format!("{}/_liveness", s.address);
        let wait = [
            "--retry",
            "120",
            "--retry-connrefused",
            "--retry-delay",
            "1",
        ];
        let mut args = wait.to_vec();
        args.extend(["-o", "/dev/null", "-w", "%{http_code}", &url]);
        let code = s.curl(&args, "")?;
        if let Some(end) = s.child.try_wait()? {
            bail!("the FHIR server ended with {end}: {}", s.log());
        }
        ensure!(
            code.ends_with("200"),
            "the FHIR server does not answer: {}",
            s.log()
        );
        Ok(Some(s))
    }
    fn log(&self) -> String {
        let text = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        let from = text.len().saturating_sub(2_000);
        text.get(from..).unwrap_or_default().to_string()
    }
    /// Answers to addresses (a path of ours, or a whole one of the server's), in order.
    fn get(&self, targets: &[String]) -> Result<Vec<Got>> {
        let mut config = String::new();
        for (i, t) in targets.iter().enumerate() {
            let url = if t.starts_with("http://") {
                t.clone()
            } else {
                format!("{}{t}", self.address)
            };
            let _ = writeln!(
                config,
                "url = \"{}\"\noutput = \"{}/{i}.json\"\n",
                url.replace('\\', "\\\\").replace('"', "\\\""),
                self.dir.display()
            );
        }
        let codes = self.curl(&["-K", "-", "-w", "%{http_code}\\n"], &config)?;
        let codes: Vec<u32> = codes.lines().map(|l| l.parse().unwrap_or(0)).collect();
        ensure!(codes.len() == targets.len(), "an answer is missing");
        codes
            .into_iter()
            .enumerate()
            .map(|(i, code)| {
                let body = std::fs::read(self.dir.join(format!("{i}.json"))).unwrap_or_default();
                Ok((code, serde_json::from_slice(&body).unwrap_or_default()))
            })
            .collect()
    }
    fn post(&self, path: &str, body: &Value) -> Result<Got> {
        let file = self.dir.join("body.json");
        std::fs::write(&file, serde_json::to_vec(body)?)?;
        let data = format!("@{}", file.display());
        let url = format!("{}{path}", self.address);
        let text = self.curl(
            &[
                "-H",
                "Content-Type: application/fhir+json",
                "-w",
                "\\n%{http_code}",
                "--data-binary",
                &data,
                &url,
            ],
            "",
        )?;
        let (body, code) = text.rsplit_once('\n').context("read an answer")?;
        Ok((
            code.parse()?,
            serde_json::from_str(body).unwrap_or_default(),
        ))
    }
    fn curl(&self, args: &[&str], input: &str) -> Result<String> {
        let mut child = Command::new("curl")
            .args(["-q", "-s", "-g", "--path-as-is", "--noproxy", "*"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("start curl")?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        let out = child.wait_with_output()?;
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }
}

// ------------------------------------------------------------------ people

const FAMILIES: [&str; 26] = [
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
    "D’ARTOIS",
    "LE-GOFF",
    "LE GOFF",
    "LEGOFF",
    "ŒUVRARD",
    "OEUVRARD",
    "ÇELIK",
    "CELIK",
    "Nuñez",
    "Nguyễn",
    "Łukasz",
    "100%",
    "UNDER_SCORE",
    "A,B",
    "ZOLA",
];
const BIRTHS: [&str; 4] = ["%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%d"];

fn day(rng: &mut Rng, form: &str) -> String {
    form.replace("%Y", &(1930 + rng.below(90)).to_string())
        .replace("%m", &format!("{:02}", 1 + rng.below(12)))
        .replace("%d", &format!("{:02}", 1 + rng.below(28)))
}

fn person(rng: &mut Rng, n: usize) -> Value {
    let mut p = json!({"resourceType": "Patient", "id": format!("p{n}")});
    let name = |rng: &mut Rng| {
        let mut name = json!({"use": *rng.pick(&["official", "maiden", "usual"])});
        if !rng.chance(0.05) {
            name["family"] = (*rng.pick(&FAMILIES)).into();
        }
        if !rng.chance(0.05) {
            let count = 1 + rng.below(2);
            let given: Vec<&str> = (0..count).map(|_| *rng.pick(&GIVENS)).collect();
            name["given"] = given.into();
        }
        name
    };
    if !rng.chance(0.03) {
        let count = 1 + rng.below(2);
        p["name"] = (0..count).map(|_| name(rng)).collect();
    }
    if !rng.chance(0.04) {
        let form = *rng.pick(&BIRTHS);
        p["birthDate"] = day(rng, form).into();
    }
    let mut ids = vec![];
    if !rng.chance(0.05) {
        ids.push(json!({"system": OID, "value": (8_000 + n).to_string(),
            "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PI"}]}}));
    }
    if rng.chance(0.3) {
        ids.push(json!({"system": "https://ids.example/other", "value": format!("2A{:03}", rng.below(300))}));
    }
    if rng.chance(0.1) {
        ids.push(json!({"value": (8_000 + rng.below(900)).to_string()}));
    }
    if !ids.is_empty() {
        p["identifier"] = ids.into();
    }
    if !rng.chance(0.1) {
        p["gender"] = (*rng.pick(&["male", "female", "female", "other", "unknown"])).into();
    }
    if rng.chance(0.6) {
        p["active"] = rng.chance(0.8).into();
    }
    let mut telecom = vec![];
    if rng.chance(0.6) {
        telecom.push(json!({"system": "phone", "value": format!("+33639{:04}", rng.below(900))}));
    }
    if rng.chance(0.4) {
        let at = *rng.pick(&["mail.example", "Mail.example"]);
        telecom.push(json!({"system": "email", "value": format!("p{}@{at}", rng.below(500))}));
    }
    if !telecom.is_empty() {
        p["telecom"] = telecom.into();
    }
    if rng.chance(0.8) {
        let mut a = json!({"use": *rng.pick(&["home", "work"]), "city": *rng.pick(&CITIES), "country": *rng.pick(&["FRA", "BEL"])});
        if rng.chance(0.8) {
            a["postalCode"] = format!("{:05}", 1_000 + rng.below(95_000)).into();
        }
        if rng.chance(0.5) {
            a["line"] = json!([format!("{} rue de l'Église", rng.below(90))]);
        }
        if rng.chance(0.2) {
            a["state"] = "Nord".into();
        }
        p["address"] = json!([a]);
    }
    match rng.below(12) {
        0 => p["deceasedBoolean"] = true.into(),
        1 => p["deceasedBoolean"] = false.into(),
        2 => p["deceasedDateTime"] = "2024-03-02".into(),
        _ => {}
    }
    if rng.chance(0.5) {
        p["managingOrganization"] = json!({"reference": format!("Organization/o{}", rng.below(9))});
    }
    if rng.chance(0.3) {
        p["generalPractitioner"] =
            json!([{"reference": format!("Practitioner/d{}", rng.below(9))}]);
    }
    if n > 0 && rng.chance(0.05) {
        let other = format!("Patient/p{}", rng.below(n as u64));
        p["link"] = json!([{"other": {"reference": other}, "type": "replaced-by"}]);
    }
    if rng.chance(0.2) {
        p["communication"] =
            json!([{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "fr"}]}}]);
    }
    p
}

// ------------------------------------------------------------------ questions

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut s, b| {
        if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) {
            s.push(char::from(b));
        } else {
            let _ = write!(s, "%{b:02X}");
        }
        s
    })
}

struct Questions<'a> {
    rng: Rng,
    people: &'a [Value],
    /// Times at which the server wrote.
    written: Vec<String>,
}

impl Questions<'_> {
    fn text(&mut self, of: &[&str]) -> String {
        let t = self.rng.pick(of).to_string();
        let chars: Vec<char> = t.chars().collect();
        let t = if self.rng.chance(0.5) {
            let n = 1 + self.rng.below(chars.len() as u64) as usize;
            chars[..n].iter().collect()
        } else {
            t
        };
        let t = match self.rng.below(8) {
            0 => t.to_lowercase(),
            1 => t.to_uppercase(),
            2 => t.replace(['É', 'é', 'È'], "e").replace('Œ', "OE"),
            3 => format!(" {t}"),
            _ => t,
        };
        t.replace('\\', "\\\\").replace(',', "\\,")
    }
    fn date(&mut self) -> String {
        let form = *self.rng.pick(&BIRTHS);
        let sign = *self
            .rng
            .pick(&["", "", "eq", "ne", "lt", "le", "gt", "ge", "sa", "eb", "ap"]);
        format!("{sign}{}", day(&mut self.rng, form))
    }
    /// A value some person holds, at a pointer into the resource.
    fn held(&mut self, pointer: &str) -> String {
        for _ in 0..40 {
            let n = self.rng.below(self.people.len() as u64) as usize;
            if let Some(v) = self.people[n].pointer(pointer).and_then(Value::as_str) {
                return v.to_string();
            }
        }
        "none".into()
    }
    fn values(&mut self, one: &mut dyn FnMut(&mut Self) -> String) -> String {
        let count = *self.rng.pick(&[1, 1, 1, 2, 3]);
        let v: Vec<String> = (0..count).map(|_| one(self)).collect();
        v.join(",")
    }
    fn cased(&mut self, text: String) -> String {
        match self.rng.below(8) {
            0 => text.to_lowercase(),
            1 => text.to_uppercase(),
            _ => text,
        }
    }
    fn criterion(&mut self) -> (String, String) {
        let no = if self.rng.chance(0.2) { ":not" } else { "" };
        match self.rng.below(20) {
            0..=4 => {
                let (name, of): (&str, &[&str]) = match self.rng.below(3) {
                    0 => ("given", &GIVENS),
                    1 => ("family", &FAMILIES),
                    _ if self.rng.chance(0.5) => ("name", &FAMILIES),
                    _ => ("name", &GIVENS),
                };
                let modifier = *self.rng.pick(&["", "", ":exact", ":contains"]);
                (
                    format!("{name}{modifier}"),
                    self.values(&mut |q| q.text(of)),
                )
            }
            5..=7 => ("birthdate".into(), self.values(&mut |q| q.date())),
            8 | 9 => {
                let value = self.values(&mut |q| {
                    let i = *q.rng.pick(&["0", "1"]);
                    let value = q.held(&format!("/identifier/{i}/value"));
                    let value = q.cased(value);
                    match q.rng.below(8) {
                        0 => format!("{OID}|{value}"),
                        1 => format!("https://ids.example/other|{value}"),
                        2 => format!("|{value}"),
                        3 => format!("{}|{value}", OID.trim_start_matches("urn:oid:")),
                        4 if q.rng.chance(0.3) => format!("{OID}|"),
                        _ => value,
                    }
                });
                (format!("identifier{no}"), value)
            }
            10 => {
                let value = self.values(&mut |q| {
                    let v = (*q
                        .rng
                        .pick(&["male", "female", "other", "unknown", "FEMALE", "f"]))
                    .to_string();
                    match q.rng.below(8) {
                        0 => format!("http://hl7.org/fhir/administrative-gender|{v}"),
                        1 => format!("http://other.example|{v}"),
                        2 => format!("|{v}"),
                        _ => v,
                    }
                });
                (format!("gender{no}"), value)
            }
            11 => {
                let name = *self.rng.pick(&["telecom", "phone", "email"]);
                let value = self.values(&mut |q| {
                    let i = *q.rng.pick(&["0", "1"]);
                    let value = q.held(&format!("/telecom/{i}/value"));
                    let value = q.cased(value);
                    let system = *q.rng.pick(&["", "", "", "phone|", "email|", "|"]);
                    format!("{system}{value}")
                });
                (format!("{name}{no}"), value)
            }
            12 | 13 => {
                let (name, of): (&str, &[&str]) = match self.rng.below(5) {
                    0 => (
                        "address",
                        &["rue de l'Église", "59", "FRA", "Lille", "12 rue"],
                    ),
                    1 => ("address-postalcode", &["59000", "62100", "01000", "75"]),
                    2 => ("address-country", &["FRA", "BEL"]),
                    3 => ("address-state", &["Nord"]),
                    _ => ("address-city", &CITIES),
                };
                let modifier = *self.rng.pick(&["", "", ":exact", ":contains"]);
                (
                    format!("{name}{modifier}"),
                    self.values(&mut |q| q.text(of)),
                )
            }
            14 => {
                let name = *self.rng.pick(&["active", "deceased"]);
                let value = *self
                    .rng
                    .pick(&["true", "false", "true", "false", "perhaps"]);
                (format!("{name}{no}"), value.into())
            }
            15 => {
                let (name, kind, letter) = *self.rng.pick(&[
                    ("organization", "Organization", 'o'),
                    ("general-practitioner", "Practitioner", 'd'),
                    ("link", "Patient", 'p'),
                ]);
                let id = format!("{letter}{}", self.rng.below(10));
                match self.rng.below(4) {
                    0 => (name.into(), id),
                    1 => (format!("{name}:{kind}"), id),
                    2 => (name.into(), format!("{kind}/{id},{kind}/{letter}1")),
                    _ => (name.into(), format!("{kind}/{id}")),
                }
            }
            16 => {
                let value = self.values(&mut |q| format!("p{}", q.rng.below(900)));
                ("_id".into(), value)
            }
            17 => {
                let sign = *self.rng.pick(&["ge", "lt", "gt", "le", "eq", "ne"]);
                let at = if self.rng.chance(0.7) {
                    let n = self.rng.below(self.written.len() as u64) as usize;
                    self.written[n].clone()
                } else {
                    "2020-01-01".into()
                };
                ("_lastUpdated".into(), format!("{sign}{at}"))
            }
            18 => {
                let name = *self.rng.pick(&[
                    "name",
                    "family",
                    "given",
                    "birthdate",
                    "identifier",
                    "telecom",
                    "phone",
                    "email",
                    "address",
                    "gender",
                    "death-date",
                    "deceased",
                    "organization",
                    "link",
                    "active",
                    "_id",
                    "address-city",
                    "general-practitioner",
                    "language",
                ]);
                let value = *self
                    .rng
                    .pick(&["true", "false", "true", "false", "perhaps"]);
                (format!("{name}:missing"), value.into())
            }
            _ => match self.rng.below(8) {
                // What a server refuses, ignores or reads in its own way.
                0 => ("birthdate".into(), "1957-02-30".into()),
                1 => ("birthdate".into(), "yesterday".into()),
                2 => ("family".into(), "MARTIN,".into()),
                3 => ("family".into(), String::new()),
                4 => ("gender:exact".into(), "male".into()),
                5 => ("family".into(), "A\\$B".into()),
                6 => ("language".into(), "fr".into()),
                _ => ("no-such-parameter".into(), "1".into()),
            },
        }
    }
    /// The query of a search.
    fn query(&mut self) -> String {
        let count = *self.rng.pick(&[1, 1, 1, 2, 2, 3]);
        let mut parts: Vec<String> = (0..count)
            .map(|_| {
                let (k, v) = self.criterion();
                format!("{k}={}", encoded(&v))
            })
            .collect();
        match self.rng.below(10) {
            0 => parts.push(format!("_count={}", 1 + self.rng.below(40))),
            1 => parts.push("_sort=family,-birthdate&_count=25".into()),
            2 => parts.push("_elements=name,birthDate".into()),
            3 => parts.push("_summary=true".into()),
            4 => parts.push("_summary=count".into()),
            5 => parts.push("_sort=-_lastUpdated".into()),
            _ => {}
        }
        parts.join("&")
    }
}

/// Records of a bundle that match (what was added to them is left out), and the address of the next page.
fn page(bundle: &Value) -> (Vec<String>, Option<String>) {
    let list = |v: &Value, k: &str| v[k].as_array().cloned().unwrap_or_default();
    let ids = list(bundle, "entry")
        .iter()
        .filter(|e| e["search"]["mode"] == "match" || e["search"]["mode"].is_null())
        .filter_map(|e| Some(e["resource"]["id"].as_str()?.to_string()))
        .collect();
    let next = list(bundle, "link")
        .iter()
        .find(|l| l["relation"] == "next")
        .and_then(|l| Some(l["url"].as_str()?.to_string()));
    (ids, next)
}

/// What the server said to one search, over all its pages.
#[derive(Default)]
struct Said {
    status: u32,
    ids: BTreeSet<String>,
    twice: bool,
    first: usize,
    pages: usize,
    total: Option<u64>,
}

fn asked(server: &Server, queries: &[String]) -> Result<Vec<Said>> {
    let mut out: Vec<Said> = queries.iter().map(|_| Said::default()).collect();
    let mut open: Vec<(usize, String)> = queries
        .iter()
        .enumerate()
        .map(|(i, q)| (i, format!("/Patient?{q}")))
        .collect();
    while !open.is_empty() {
        let targets: Vec<String> = open.iter().map(|o| o.1.clone()).collect();
        let answers = server.get(&targets)?;
        let mut more = vec![];
        for ((i, _), (status, bundle)) in open.into_iter().zip(answers) {
            let said = &mut out[i];
            said.status = status;
            if status != 200 {
                continue;
            }
            let (ids, next) = page(&bundle);
            if said.pages == 0 {
                said.first = ids.len();
                said.total = bundle["total"].as_u64();
            }
            said.pages += 1;
            for id in ids {
                said.twice |= !said.ids.insert(id);
            }
            ensure!(said.pages <= PEOPLE + 2, "pages without end");
            more.extend(next.map(|n| (i, n)));
        }
        open = more;
    }
    Ok(out)
}

pub fn compared(dir: &Path) -> Result<()> {
    let Some(server) = Server::start(dir)? else {
        println!(
            "servers: the FHIR server IS MISSING on this machine, nothing was compared with it"
        );
        return Ok(());
    };
    let start = Instant::now();
    let mut rng = Rng::new(29);
    let made: Vec<Value> = (0..PEOPLE).map(|n| person(&mut rng, n)).collect();
    for some in made.chunks(100) {
        let entries: Vec<Value> = some
            .iter()
            .map(|p| {
                let id = p["id"].as_str().unwrap_or_default();
                json!({"resource": p, "request": {"method": "PUT", "url": format!("Patient/{id}")}})
            })
            .collect();
        let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": entries});
        let (status, answer) = server.post("/", &bundle)?;
        let done = answer["entry"].as_array().map_or(0, |e| {
            e.iter()
                .filter(|e| {
                    e["response"]["status"]
                        .as_str()
                        .is_some_and(|s| s.starts_with('2'))
                })
                .count()
        });
        ensure!(
            status == 200 && done == some.len(),
            "{done} of {} people were taken ({status}): {answer}",
            some.len()
        );
    }
    // The snapshot: what the server holds.
    let mut held: BTreeMap<String, Value> = BTreeMap::new();
    let mut next = Some("/Patient?_count=500".to_string());
    while let Some(target) = next {
        let (status, bundle) = server.get(&[target])?.remove(0);
        ensure!(status == 200, "read the people back: {status}");
        for e in bundle["entry"].as_array().into_iter().flatten() {
            let id = e["resource"]["id"].as_str().unwrap_or_default();
            held.insert(id.to_string(), e["resource"].clone());
        }
        next = page(&bundle).1;
    }
    ensure!(
        held.len() == PEOPLE,
        "the server holds {} people",
        held.len()
    );
    let people: Vec<Value> = held.into_values().collect();
    let lines: String = people.iter().map(|p| format!("{p}\n")).collect();
    // After the last write.
    let at = i64::try_from(jiff::Timestamp::now().as_nanosecond())?;
    let base = IdentityBase::from_lines(&[(at, &lines)]);
    let written = people
        .iter()
        .filter_map(|p| Some(p["meta"]["lastUpdated"].as_str()?.to_string()))
        .collect();
    let mut questions = Questions {
        rng,
        people: &people,
        written,
    };
    let queries: Vec<String> = (0..QUESTIONS).map(|_| questions.query()).collect();
    let mut answers = vec![];
    for some in queries.chunks(400) {
        answers.extend(asked(&server, some)?);
    }
    let (mut refused, mut exact, mut bad, mut paged) = (0, 0, 0, 0);
    for (query, said) in queries.iter().zip(&answers) {
        if said.status != 200 {
            ensure!(
                (400..600).contains(&said.status),
                "{} for {query}",
                said.status
            );
            // The log tells the failure; the request returned nobody.
            refused += 1;
            continue;
        }
        paged += usize::from(said.pages > 1);
        let whole = fhir::ask(&base, &format!("/Patient?{query}"), "");
        let fhir::What::Patients(e) = &whole.what else {
            bail!("{query} is no search")
        };
        let answer = search(&base, e, at, &|_| true);
        let names = |hits: &[Hit]| -> BTreeSet<String> {
            hits.iter()
                .map(|h| base.logical_id(h.record).to_string())
                .collect()
        };
        let (certain, possible) = (names(&answer.certain), names(&answer.possible));
        let (least, most) = (
            certain.len() as u64,
            (certain.len() + possible.len()) as u64,
        );
        let ok = if whole.shape.summary.as_deref() == Some("count") {
            // A number and nobody.
            said.ids.is_empty() && said.total.is_none_or(|t| (least..=most).contains(&t))
        } else {
            let page = whole.paging.count.unwrap_or(u64::MAX);
            certain.is_subset(&said.ids)
                && said
                    .ids
                    .iter()
                    .all(|id| certain.contains(id) || possible.contains(id))
                && !said.twice
                && said.first as u64 <= page
        };
        if ok && possible.is_empty() {
            exact += 1;
        }
        if !ok {
            bad += 1;
            if bad <= 40 {
                let more: Vec<_> = said
                    .ids
                    .iter()
                    .filter(|r| !certain.contains(*r) && !possible.contains(*r))
                    .take(3)
                    .collect();
                let less: Vec<_> = certain.difference(&said.ids).take(3).collect();
                let shown = more
                    .first()
                    .or(less.first())
                    .and_then(|id| people.iter().find(|p| p["id"] == id.as_str()));
                println!(
                    "servers: FHIR DIFFERS: {query}\n  server {} (total {:?}) replay {}+{}; not foreseen {more:?}, not returned {less:?}\n  {}",
                    said.ids.len(),
                    said.total,
                    certain.len(),
                    possible.len(),
                    shown.map(Value::to_string).unwrap_or_default()
                );
            }
        }
    }
    let count = queries.len();
    println!(
        "servers: FHIR server: {count} searches over {PEOPLE} people in {:.1} s: {refused} refused there, {paged} in several pages, \
         {exact} answered exactly, {} within their interval, {bad} wrong",
        start.elapsed().as_secs_f64(),
        count - refused - exact - bad
    );
    ensure!(bad == 0, "{bad} answers differ from the server's");
    ensure!(count - refused >= 2_000, "too few searches were answered");
    // The interval must not be the easy way out.
    ensure!(exact * 3 >= count, "only {exact} answers are exact");
    Ok(())
}
