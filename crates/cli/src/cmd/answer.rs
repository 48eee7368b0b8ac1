//! Looking into a finished answer: `sessions`, `coverage`, `explain`.
use crate::{
    exit::Exit,
    shell::{Shell, columns, plain, refuse},
};
use ampleur_extent::model::{Answer, SessionRow};
use ampleur_notice::{Lang, words};
use ampleur_sources::{
    case::Case,
    reader::{FileSink, Limits, Piece, SinkError, read_file},
};
use anyhow::Context as _;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Records shown by `explain` unless --all is given.
const SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur sessions answer
  ampleur sessions answer --account vpn:editeur-lis
  ampleur sessions answer --verdict intruder --json

Without --verdict, --account or --all the intruder's and the doubtful ones are listed; --json gives all.
Exit code 1 when one of those listed is the intruder's.")]
pub struct SessionsArgs {
    /// Folder of an answer.
    #[arg(value_name = "ANSWER")]
    pub answer: PathBuf,
    /// Only this verdict: intruder, doubtful or legitimate.
    #[arg(long, value_parser = ["intruder", "doubtful", "legitimate"])]
    pub verdict: Option<String>,
    /// Only this account.
    #[arg(long)]
    pub account: Option<String>,
    /// The legitimate ones too.
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur coverage answer
  ampleur coverage answer --json

Exit code 1 when some period is not complete and no other source closes it.")]
pub struct CoverageArgs {
    /// Folder of an answer.
    #[arg(value_name = "ANSWER")]
    pub answer: PathBuf,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur explain tok_3vq7… --answer answer
  ampleur explain s0421 --answer answer --case CASE_DIR

Walks from a person or a session back to the records that prove it. With --case the original records are printed.")]
pub struct ExplainArgs {
    /// A data subject as persons.csv writes it, or a session id.
    #[arg(value_name = "SUBJECT|SESSION")]
    pub what: String,
    /// Folder of an answer.
    #[arg(long, value_name = "DIR")]
    pub answer: PathBuf,
    /// The case folder, to print the original records.
    #[arg(long, value_name = "CASE_DIR")]
    pub case: Option<PathBuf>,
    /// Every record, not only the first.
    #[arg(long)]
    pub all: bool,
}

pub fn load(dir: &Path) -> anyhow::Result<Answer> {
    let path = dir.join("extent.json");
    let text = std::fs::read_to_string(&path).map_err(|e| {
        refuse(
            format!("read {}: {e}", path.display()),
            "give the folder `ampleur investigate --out` wrote",
        )
    })?;
    serde_json::from_str(&text).with_context(|| format!("read {}", path.display()))
}

/// An RFC 3339 instant in UTC, to the second: `2025-09-04 01:13:00Z`, which --from and --to understand.
fn utc(text: &str) -> String {
    match text.parse::<jiff::Timestamp>() {
        Ok(t) => t.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Err(_) => plain(text),
    }
}

/// A number as it is written in the language of the run.
fn number(n: u64, shell: &Shell) -> String {
    plain(&words::number(n, shell.lang))
}

/// Rows under their names; nothing when there is no row.
fn headed(head: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut all = vec![head.iter().map(|h| (*h).to_string()).collect()];
    all.extend(rows);
    columns(&all)
}

pub fn sessions(args: &SessionsArgs, shell: &Shell) -> anyhow::Result<Exit> {
    let answer = load(&args.answer)?;
    let list: Vec<&SessionRow> = answer
        .sessions
        .iter()
        .filter(|s| args.verdict.as_ref().is_none_or(|v| *v == s.verdict))
        .filter(|s| args.account.is_none() || s.account == args.account)
        .collect();
    // Thousands of an ordinary month would bury the few that matter.
    let whole = args.all || shell.json || args.verdict.is_some() || args.account.is_some();
    let before = list.len();
    let list: Vec<&SessionRow> = list
        .into_iter()
        .filter(|s| whole || s.verdict != "legitimate")
        .collect();
    let hidden = (before - list.len()) as u64 + if whole { 0 } else { answer.sessions_omitted };
    let mut out = io::stdout().lock();
    if shell.json {
        for s in &list {
            serde_json::to_writer(&mut out, s)?;
            writeln!(out)?;
        }
    } else {
        let rows: Vec<Vec<String>> = list
            .iter()
            .map(|s| {
                vec![
                    plain(&s.id),
                    plain(words::session_verdict(&s.verdict).get(shell.lang)),
                    utc(&s.from),
                    plain(s.account.as_deref().unwrap_or("-")),
                    plain(s.origin.address.as_deref().unwrap_or("-")),
                    number(s.events, shell),
                ]
            })
            .collect();
        let head = [
            shell.say("session", "session"),
            shell.say("avis", "verdict"),
            shell.say("début (UTC)", "from (UTC)"),
            shell.say("compte", "account"),
            shell.say("adresse", "address"),
            shell.say("événements", "events"),
        ];
        out.write_all(headed(&head, rows).as_bytes())?;
        if hidden > 0 {
            let tally = words::count(
                hidden,
                shell.lang,
                ("session légitime", "sessions légitimes"),
                ("legitimate session", "legitimate sessions"),
            );
            shell.note(&plain(&format!(
                "{}{tally}{}",
                if list.is_empty() {
                    shell.say(
                        "Aucune session de l’intrus, aucune douteuse ; ",
                        "No session of the intruder, none in doubt; ",
                    )
                } else {
                    shell.say("Et ", "And ")
                },
                shell.say("\u{a0}: --all", ": --all")
            )));
        }
    }
    Ok(if list.iter().any(|s| s.verdict == "intruder") {
        Exit::Act
    } else {
        Exit::Done
    })
}

pub fn coverage(args: &CoverageArgs, shell: &Shell) -> anyhow::Result<Exit> {
    let answer = load(&args.answer)?;
    let mut out = io::stdout().lock();
    if shell.json {
        for c in &answer.coverage {
            serde_json::to_writer(&mut out, c)?;
            writeln!(out)?;
        }
    } else {
        let rows: Vec<Vec<String>> = answer
            .coverage
            .iter()
            .map(|c| {
                let mut what = plain(words::state(&c.state).get(shell.lang));
                if c.state != "complete" {
                    what = plain(&format!(
                        "{what}{} {}",
                        words::colon(shell.lang),
                        words::gap_kind(&c.kind).get(shell.lang)
                    ));
                }
                if let Some(by) = &c.closed_by {
                    what = format!(
                        "{what} ({} {})",
                        shell.say("comblé par", "closed by"),
                        plain(by)
                    );
                }
                vec![plain(&c.source), utc(&c.from), utc(&c.to), what]
            })
            .collect();
        let head = [
            shell.say("source", "source"),
            shell.say("de (UTC)", "from (UTC)"),
            shell.say("à (exclu)", "to (excluded)"),
            shell.say("état", "state"),
        ];
        out.write_all(headed(&head, rows).as_bytes())?;
    }
    let open = answer
        .coverage
        .iter()
        .any(|c| c.state != "complete" && c.closed_by.is_none());
    Ok(if open { Exit::Act } else { Exit::Done })
}

/// A row of persons.csv that has to do with the question.
struct Row {
    subject: String,
    establishment: String,
    category: String,
    verdict: String,
    certainty: String,
    sessions: String,
    evidence: Vec<String>,
}

fn persons(dir: &Path, keep: impl Fn(&str, &str) -> bool) -> anyhow::Result<Vec<Row>> {
    let path = dir.join("persons.csv");
    let mut reader =
        csv::Reader::from_path(&path).with_context(|| format!("read {}", path.display()))?;
    let mut out = Vec::new();
    for row in reader.records() {
        let row = row.with_context(|| format!("read {}", path.display()))?;
        let at = |i: usize| row.get(i).unwrap_or_default();
        if keep(at(0), at(8)) {
            out.push(Row {
                subject: at(0).into(),
                establishment: at(1).into(),
                category: at(2).into(),
                verdict: at(3).into(),
                certainty: at(4).into(),
                sessions: at(8).into(),
                evidence: at(9)
                    .split(' ')
                    .filter(|e| !e.is_empty())
                    .map(str::to_string)
                    .collect(),
            });
        }
    }
    Ok(out)
}

pub fn explain(args: &ExplainArgs, shell: &Shell) -> anyhow::Result<Exit> {
    let answer = load(&args.answer)?;
    let session = answer.sessions.iter().find(|s| s.id == args.what);
    let rows = match session {
        Some(s) => persons(&args.answer, |_, sessions| {
            sessions.split(' ').any(|x| x == s.id)
        })?,
        None => persons(&args.answer, |subject, _| subject == args.what)?,
    };
    if session.is_none() && rows.is_empty() {
        return Err(refuse(
            format!("find `{}` in {}", args.what, args.answer.display()),
            "a subject as persons.csv writes it, or an id of `ampleur sessions`",
        ));
    }
    let mut cited: BTreeSet<(String, u64)> = BTreeSet::new();
    for e in rows.iter().flat_map(|r| &r.evidence) {
        if let Some((path, record)) = e.rsplit_once(':')
            && let Ok(record) = record.parse()
        {
            cited.insert((path.replace("%20", " "), record));
        }
    }
    let all = cited.len();
    let cited: Vec<(String, u64)> = cited
        .into_iter()
        .take(if args.all { usize::MAX } else { SHOWN })
        .collect();
    let originals = match &args.case {
        Some(case) => originals(case, &cited)?,
        None => BTreeMap::new(),
    };
    let mut out = io::stdout().lock();
    if shell.json {
        let v = json!({
            "session": session,
            "disclosures": rows.iter().map(|r| json!({ "subject": r.subject, "establishment": r.establishment, "category": r.category,
                "verdict": r.verdict, "certainty": r.certainty, "sessions": r.sessions.split(' ').filter(|s| !s.is_empty()).collect::<Vec<_>>(), "evidence": r.evidence })).collect::<Vec<_>>(),
            "records": cited.iter().map(|c| json!({ "source": c.0, "record": c.1, "text": originals.get(c) })).collect::<Vec<_>>(),
            "records_total": all,
        });
        serde_json::to_writer_pretty(&mut out, &v)?;
        writeln!(out)?;
        return Ok(Exit::Done);
    }
    if let Some(s) = session {
        writeln!(
            out,
            "{} · {} · {} · {} → {}",
            plain(&s.id),
            words::session_verdict(&s.verdict).get(shell.lang),
            plain(s.account.as_deref().unwrap_or("-")),
            utc(&s.from),
            utc(&s.to)
        )?;
        for r in &s.reasons {
            let mut weight = format!("{:+.1}", r.weight);
            if shell.lang == Lang::Fr {
                weight = weight.replace('.', ",");
            }
            writeln!(out, "  {weight}  {}", plain(shell.say(&r.fr, &r.en)))?;
        }
        let subjects: BTreeSet<&str> = rows.iter().map(|r| r.subject.as_str()).collect();
        let seen: BTreeSet<&str> = (rows.iter())
            .filter(|r| r.verdict != "exposed")
            .map(|r| r.subject.as_str())
            .collect();
        let n = |n: usize, fr, en| words::count(n as u64, shell.lang, fr, en);
        writeln!(
            out,
            "{}",
            plain(&format!(
                "{}{} {}, {}",
                shell.say("Personnes", "People"),
                words::colon(shell.lang),
                n(
                    seen.len(),
                    ("établie", "établies"),
                    ("established", "established")
                ),
                n(
                    subjects.len() - seen.len(),
                    ("exposée, sans trace", "exposées, sans trace"),
                    ("exposed, no trace", "exposed, no trace")
                )
            ))
        )?;
    } else {
        let table: Vec<Vec<String>> = rows
            .iter()
            .map(|r| {
                let certainty = match r.certainty.as_str() {
                    "proven" => shell.say("prouvé", "proven"),
                    "derived" => shell.say("déduit", "derived"),
                    _ => "",
                };
                let mut verdict = plain(words::verdict(&r.verdict).get(shell.lang));
                if !certainty.is_empty() {
                    verdict = format!("{verdict} ({certainty})");
                }
                // Many sessions may have shown one thing; the first few lead there.
                let all: Vec<&str> = r.sessions.split(' ').collect();
                let mut sessions = all[..all.len().min(3)].join(" ");
                if all.len() > 3 {
                    sessions.push_str(&format!(" +{}", all.len() - 3));
                }
                vec![
                    plain(words::category(&r.category).get(shell.lang)),
                    verdict,
                    plain(&r.establishment),
                    plain(&sessions),
                ]
            })
            .collect();
        let head = [
            shell.say("donnée", "data"),
            shell.say("ce qui en est su", "what is known"),
            shell.say("établissement", "establishment"),
            shell.say("sessions", "sessions"),
        ];
        out.write_all(headed(&head, table).as_bytes())?;
    }
    // A row of persons.csv cites the records of all its sessions together.
    let shared = session.is_some() && rows.iter().any(|r| r.sessions.contains(' '));
    let heading = if shared {
        shell.say(
            "Enregistrements qui montrent ces personnes, dans cette session ou une autre",
            "Records that show these people, in this session or another",
        )
    } else {
        shell.say("Enregistrements", "Records")
    };
    if all == 0 {
        if !rows.is_empty() {
            writeln!(
                out,
                "\n{}",
                shell.say(
                    "Aucun enregistrement ne le montre : les sessions pouvaient atteindre ces données,\net aucune trace ne dit si elles l’ont fait.",
                    "No record shows it: the sessions could reach these data,\nand no trace says whether they did."
                )
            )?;
        }
        return Ok(Exit::Done);
    }
    writeln!(out, "\n{heading}")?;
    for c in &cited {
        writeln!(out, "  {}:{}", plain(&c.0), c.1)?;
        if let Some(text) = originals.get(c) {
            for line in text.lines() {
                writeln!(out, "    {}", plain(line))?;
            }
        }
    }
    if all > cited.len() {
        writeln!(
            out,
            "  … {} {}",
            all - cited.len(),
            shell.say("autres (--all)", "more (--all)")
        )?;
    }
    Ok(Exit::Done)
}

/// Picks records by number out of the pieces of one file.
struct Pick<'a> {
    wanted: &'a BTreeSet<u64>,
    found: BTreeMap<u64, String>,
}

impl FileSink for Pick<'_> {
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), SinkError> {
        let events = piece.events.iter().map(|e| (e.record, e.offset, e.len));
        let rejects = piece.rejects.iter().map(|r| (r.record, r.offset, r.len));
        for (record, offset, len) in events.chain(rejects) {
            if self.wanted.contains(&record) {
                // A record that began in an earlier piece is shown from where this piece starts.
                let from = offset.saturating_sub(piece.offset) as usize;
                let to = (offset + len).saturating_sub(piece.offset) as usize;
                let bytes = piece
                    .bytes
                    .get(from.min(piece.bytes.len())..to.min(piece.bytes.len()))
                    .unwrap_or_default();
                self.found
                    .insert(record, String::from_utf8_lossy(bytes).into_owned());
            }
        }
        Ok(())
    }
}

/// The original text of the records cited.
fn originals(
    dir: &Path,
    cited: &[(String, u64)],
) -> anyhow::Result<BTreeMap<(String, u64), String>> {
    let case = Case::open(dir)?;
    let mut by_file: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for (path, record) in cited {
        by_file.entry(path).or_default().insert(*record);
    }
    let mut out = BTreeMap::new();
    for (path, wanted) in by_file {
        let Some(file) = case.files.iter().position(|f| f.rel == path) else {
            continue;
        };
        let mut pick = Pick {
            wanted: &wanted,
            found: BTreeMap::new(),
        };
        read_file(&case, file as u32, &Limits::default(), &mut pick)?;
        for (record, text) in pick.found {
            out.insert((path.to_string(), record), text);
        }
    }
    Ok(out)
}
