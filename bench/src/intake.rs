//! Intake, lane by lane: made-up lines of one format are decoded, sealed, tokenised, sessionised and written as Parquet, on one
//! core and on two, beside other tools that are installed. Answers are compared; no ratio is printed when they differ.
use crate::{
    lanes::{Floor, LANES, Lane},
    pipeline::{cpu_seconds, peak_mib},
    rsigma, syslog_ng,
};
use ampleur_event::batch::NONE;
use ampleur_evidence::{Keys, Lake};
use ampleur_query::{Door, LocalDoor, Select};
use ampleur_serve::job::{Outside, Quiet, intake};
use ampleur_session::Sessions;
use ampleur_sources::Case;
use anyhow::{Context, Result, ensure};
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

/// Records of a lane: small for CI, enough for a steady rate with `--full`.
const SMALL: u64 = 20_000;
const FULL: u64 = 2_000_000;
/// Runs on one thread, and on two, with `--full`.
const TURNS: usize = 3;
/// Evidence made and taken in at a time by `--gigabytes`.
const SLICE_BYTES: u64 = 1 << 30;

/// `[--full] [--lane NAME] [--gigabytes N]`.
pub fn run(args: &[String], full: bool) -> Result<()> {
    let value = |name: &str| {
        let at = args.iter().position(|a| a == name)?;
        args.get(at + 1).map(String::as_str)
    };
    let dir = std::env::temp_dir().join(format!("ampleur-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let result = match value("--gigabytes") {
        Some(n) => gigabytes(&dir, n.parse().context("--gigabytes takes a number")?),
        None => LANES
            .iter()
            .filter(|l| value("--lane").is_none_or(|n| n == l.name))
            .try_for_each(|lane| measure(&dir, lane, full)),
    };
    drop(std::fs::remove_dir_all(&dir));
    result
}

/// The measured process: `CASE LAKE THREADS`. One line: wall seconds, CPU seconds, peak MiB, bytes, the answer's hash, its facts.
pub fn child(args: &[String]) -> Result<()> {
    let [case, lake, threads] = args else {
        anyhow::bail!("usage: intake-child CASE LAKE THREADS")
    };
    let start = (Instant::now(), cpu_seconds());
    let taken = take(Path::new(case), Path::new(lake), threads.parse()?)?;
    let (wall, cpu) = (start.0.elapsed().as_secs_f64(), cpu_seconds() - start.1);
    println!(
        "{wall} {cpu} {} {} {} {}",
        peak_mib(),
        taken.bytes,
        taken.answer,
        taken.formats
    );
    Ok(())
}

struct Taken {
    records: u64,
    bytes: u64,
    answer: String,
    formats: String,
}

/// Takes a case in and makes its sessions. The answer depends on the evidence alone.
fn take(case: &Path, lake: &Path, threads: usize) -> Result<Taken> {
    let case = Case::open(case)?;
    let keys = keys();
    let mut counter = 0u64;
    let mut random = |bytes: &mut [u8]| {
        for chunk in bytes.chunks_mut(32) {
            counter += 1;
            chunk.copy_from_slice(&blake3::hash(&counter.to_le_bytes()).as_bytes()[..chunk.len()]);
        }
    };
    let mut outside = Outside {
        now: 0,
        actor: "bench".into(),
        random: &mut random,
    };
    let mut lake = Lake::create(lake, &keys, 0)?;
    let done = intake(&case, &mut lake, threads, &mut outside, &Quiet)?;
    let mut text = done.checkpoint.root_hex();
    for r in &done.reports {
        write!(
            text,
            " {} {} {} {}",
            r.records, r.events, r.rejects, r.skipped
        )?;
    }
    let (bytes, formats) = (
        done.reports.iter().map(|r| r.bytes).sum(),
        done.reports.iter().map(|r| r.format).collect(),
    );
    for s in &Sessions::build_on(threads, &case, done.partials).list {
        write!(text, " {}", s.id)?;
    }
    let records = done.reports.iter().map(|r| r.events).sum();
    Ok(Taken {
        records,
        bytes,
        answer: blake3::hash(text.as_bytes()).to_hex()[..16].to_string(),
        formats,
    })
}

fn keys() -> Keys {
    let mut n = 0u8;
    Keys::generate(&mut |bytes| {
        for b in bytes {
            n = n.wrapping_mul(181).wrapping_add(59);
            *b = n;
        }
    })
    .0
}

fn measure(dir: &Path, lane: &Lane, full: bool) -> Result<()> {
    let records = if full { FULL } else { SMALL };
    let case = dir.join(lane.name);
    std::fs::create_dir_all(case.join("logs"))?;
    let file = case.join("logs").join(lane.file);
    let mut out = std::io::BufWriter::new(std::fs::File::create(&file)?);
    lane.write(0, &mut out, |made, _| made == records)?;
    drop(out);
    let mut answers = BTreeSet::new();
    // In turns, so that a slow minute of the machine is not one of them only; the quickest of each counts.
    let mut best: [Option<Run>; 2] = [None, None];
    for _ in 0..if full { TURNS } else { 1 } {
        for (threads, best) in (1..).zip(&mut best) {
            let lake = dir.join(format!("lake-{}-{threads}", lane.name));
            let run = Run::of(lane, &case, &lake, threads)?;
            answers.insert(run.answer.clone());
            if best.as_ref().is_none_or(|b| run.wall < b.wall) {
                *best = Some(run);
            }
        }
    }
    ensure!(
        answers.len() == 1,
        "{}: runs of one thread and of two give different answers",
        lane.name
    );
    let [Some(one), Some(two)] = best else {
        return Ok(());
    };
    for (run, threads) in [(&one, 1), (&two, 2)] {
        let cpu = run.cpu.max(0.01);
        let (rate, mib) = (records as f64 / cpu, run.bytes / 1048576.0 / cpu);
        let floor = match lane.floor {
            Floor::Records(n) => {
                format!("{:.0} % of the floor of {n:.0} records", rate / n * 100.0)
            }
            Floor::Mebibytes(n) => format!("{:.0} % of the floor of {n:.0} MiB", mib / n * 100.0),
        };
        println!(
            "intake {:<12} {threads} threads: {:>6.2} s wall, {cpu:>6.2} s CPU, {rate:>9.0} records and {mib:>6.1} MiB per CPU second ({floor}), peak {:.0} MiB, answer {}",
            lane.name, run.wall, run.peak, run.answer
        );
    }
    println!(
        "intake {:<12} two threads are {:.2} times one",
        lane.name,
        one.wall / two.wall
    );
    beside(dir, lane, &case, &file, full)
}

/// What one measured process says: seconds, MiB at its peak, bytes read.
struct Run {
    wall: f64,
    cpu: f64,
    peak: f64,
    bytes: f64,
    answer: String,
}

impl Run {
    /// Into a new lake, in place of one of a run before.
    fn of(lane: &Lane, case: &Path, lake: &Path, threads: usize) -> Result<Run> {
        if lake.exists() {
            std::fs::remove_dir_all(lake)?;
        }
        // What was written so far is not to be brought to the disk during the run.
        drop(Command::new("sync").status());
        let run = Command::new(std::env::current_exe()?)
            .arg("intake-child")
            .args([case, lake])
            .arg(threads.to_string())
            .stderr(Stdio::inherit())
            .output()
            .context("start the measured process")?;
        ensure!(
            run.status.success(),
            "the measured process ended with {}",
            run.status
        );
        let text = String::from_utf8_lossy(&run.stdout);
        let mut words = text.split_whitespace();
        let mut number = || -> Result<f64> {
            let word = words
                .next()
                .context("the measured process said too little")?;
            Ok(word.parse()?)
        };
        let (wall, cpu, peak, bytes) = (number()?, number()?, number()?, number()?);
        let (answer, format) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        ensure!(
            format == lane.format,
            "{} was taken for {format}",
            lane.name
        );
        Ok(Run {
            wall,
            cpu,
            peak,
            bytes,
            answer: answer.to_string(),
        })
    }
}

/// What another tool makes of the same file: lines, distinct addresses, sum of bytes; nothing when it is not installed. Beside the file
/// it is given a folder to write in.
type Other<'a> = Box<dyn Fn(&Path, &Path) -> Option<String> + 'a>;

fn other<'a>(
    name: &'static str,
    facts: impl Fn(&Path, &Path) -> Option<String> + 'a,
) -> (&'static str, Other<'a>) {
    (name, Box::new(facts))
}

/// The other tools, on the same file: how many lines, how many distinct client addresses. They do a small part of the work:
/// nothing is sealed, hashed, tokenised or sessionised.
fn beside(dir: &Path, lane: &Lane, case: &Path, file: &Path, full: bool) -> Result<()> {
    let mut others = match lane.name {
        "nginx" => vec![other("awk", awk_nginx), other("duckdb", duckdb_nginx)],
        "fortigate" => vec![
            other("awk", awk_fortigate),
            other("duckdb", duckdb_fortigate),
        ],
        "auditevent" => vec![other("jq", jq_audit), other("duckdb", duckdb_audit)],
        "evtx" => vec![other("the evtx crate's JSON", json_evtx)],
        "cef" => vec![other("awk", awk_cef)],
        _ => vec![],
    };
    if syslog_ng::reads(lane.name) {
        let facts = |file: &Path, dir: &Path| syslog_ng::facts(lane.name, file, dir);
        others.push(other("syslog-ng", facts));
    }
    if rsigma::reads(lane.name) {
        // Built before its time is taken.
        let program = rsigma::program(full);
        let facts = move |file: &Path, _: &Path| rsigma::facts(program.as_ref()?, lane.name, file);
        others.push(other("rsigma's decoder", facts));
    }
    if others.is_empty() {
        return Ok(());
    }
    let ours = facts(case, &dir.join(format!("lake-{}-1", lane.name)))?;
    for (name, other) in others {
        let start = Instant::now();
        match other(file, dir) {
            None => println!(
                "intake {:<12} {name}: NOT INSTALLED, NOT COMPARED",
                lane.name
            ),
            Some(theirs) if theirs.trim() == ours => println!(
                "intake {:<12} {name}: {:.2} s wall, same answer ({ours})",
                lane.name,
                start.elapsed().as_secs_f64()
            ),
            Some(theirs) => println!(
                "intake {:<12} {name}: ANOTHER ANSWER, no time given: theirs {:?}, ours {ours:?}",
                lane.name,
                theirs.trim()
            ),
        }
    }
    Ok(())
}

/// `lines addresses bytes` as our own lake has them.
fn facts(case: &Path, lake: &Path) -> Result<String> {
    let case = Case::open(case)?;
    let keys = keys();
    let lake = Lake::open(lake, &keys)?;
    let files: Vec<(u32, String)> = (0u32..)
        .zip(&case.files)
        .map(|(i, f)| (i, f.rel.clone()))
        .collect();
    let door = LocalDoor::open(&lake, &keys, &files)?;
    let (mut lines, mut bytes, mut addresses) = (0u64, 0u64, BTreeSet::new());
    door.scan_columns(
        &Select::default(),
        &["src_ip", "bytes_in", "verb"],
        &mut |_, batch| {
            for e in batch.iter() {
                lines += 1;
                if e.bytes_in != NONE {
                    bytes += e.bytes_in;
                }
                if !addresses.contains(&*e.src_ip) {
                    addresses.insert(e.src_ip.to_string());
                }
            }
        },
    )?;
    Ok(format!("{lines} {} {bytes}", addresses.len()))
}

fn output(command: &mut Command) -> Option<String> {
    let done = command.output().ok()?;
    done.status
        .success()
        .then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

fn awk_nginx(file: &Path, _: &Path) -> Option<String> {
    let program =
        r#"{ n++; a[$1] = 1; b += $10 } END { for (x in a) d++; printf "%d %d %.0f\n", n, d, b }"#;
    output(Command::new("awk").arg(program).arg(file))
}

fn awk_fortigate(file: &Path, _: &Path) -> Option<String> {
    let program = r#"{ n++; for (i = 1; i <= NF; i++) { p = index($i, "="); k = substr($i, 1, p - 1); v = substr($i, p + 1); if (k == "srcip") a[v] = 1; if (k == "rcvdbyte") b += v } } END { for (x in a) d++; printf "%d %d %.0f\n", n, d, b }"#;
    output(Command::new("awk").arg(program).arg(file))
}

fn awk_cef(file: &Path, _: &Path) -> Option<String> {
    let program = r#"{ n++; for (i = 1; i <= NF; i++) { p = index($i, "="); k = substr($i, 1, p - 1); v = substr($i, p + 1); if (k == "src") a[v] = 1; if (k == "in") b += v } } END { for (x in a) d++; printf "%d %d %.0f\n", n, d, b }"#;
    output(Command::new("awk").arg(program).arg(file))
}

/// The library's own dump, record after record, on one thread.
fn json_evtx(file: &Path, _: &Path) -> Option<String> {
    let settings = evtx::ParserSettings::new().num_threads(1).indent(false);
    let mut parser = evtx::EvtxParser::from_path(file)
        .ok()?
        .with_configuration(settings);
    let (mut lines, mut addresses) = (0u64, BTreeSet::new());
    for record in parser.records_json() {
        let json = record.ok()?.data;
        lines += 1;
        let (_, rest) = json.split_once("\"IpAddress\":\"")?;
        let address = rest.split('"').next()?;
        if !addresses.contains(address) {
            addresses.insert(address.to_string());
        }
    }
    Some(format!("{lines} {} 0", addresses.len()))
}

fn jq_audit(file: &Path, _: &Path) -> Option<String> {
    let lines = output(
        Command::new("jq")
            .args(["-r", ".agent[0].network.address"])
            .arg(file),
    )?;
    let distinct: BTreeSet<&str> = lines.lines().collect();
    Some(format!("{} {} 0", lines.lines().count(), distinct.len()))
}

/// DuckDB, one thread, into Parquet. `read` and `facts` are SQL; FILE stands for the file.
fn duckdb(file: &Path, dir: &Path, read: &str, facts: &str) -> Option<String> {
    const PROGRAM: &str = r#"
const { DuckDBInstance } = require("@duckdb/node-api");
const [file, parquet, read, facts] = process.argv.slice(1);
(async () => {
  const c = await (await DuckDBInstance.create(":memory:")).connect();
  await c.run("set threads = 1");
  await c.run(`copy (${read.replace("FILE", () => file)}) to '${parquet}' (format parquet, compression zstd)`);
  const all = await c.runAndReadAll(`select ${facts} from '${parquet}'`);
  console.log(all.getRows()[0].map(String).join(" "));
})();
"#;
    output(
        crate::duck::node(PROGRAM)?
            .args([file, &dir.join("other.parquet")])
            .args([read, facts]),
    )
}

const LINES: &str = "read_csv('FILE', columns = {'line': 'VARCHAR'}, delim = chr(1), quote = '', escape = '', header = false)";

fn duckdb_nginx(file: &Path, dir: &Path) -> Option<String> {
    let pattern =
        r#"^(\S+) \S+ (\S+) \[([^\]]+)\] "(\S+) (\S+) [^"]*" (\d+) (\d+) "([^"]*)" "([^"]*)""#;
    let names = "['ip', 'who', 'at', 'method', 'url', 'status', 'bytes', 'referer', 'agent']";
    let read = format!("select unnest(regexp_extract(line, '{pattern}', {names})) from {LINES}");
    duckdb(
        file,
        dir,
        &read,
        "count(*), count(distinct ip), sum(bytes::bigint)",
    )
}

fn duckdb_fortigate(file: &Path, dir: &Path) -> Option<String> {
    let field = |key: &str| format!("regexp_extract(line, ' {key}=\"?([^\" ]*)', 1) as {key}");
    let fields: Vec<String> = [
        "time",
        "devname",
        "logid",
        "type",
        "srcip",
        "srcport",
        "dstip",
        "dstport",
        "sessionid",
        "action",
        "service",
        "duration",
        "sentbyte",
        "rcvdbyte",
    ]
    .iter()
    .map(|k| field(k))
    .collect();
    let read = format!("select {} from {LINES}", fields.join(", "));
    duckdb(
        file,
        dir,
        &read,
        "count(*), count(distinct srcip), sum(rcvdbyte::bigint)",
    )
}

fn duckdb_audit(file: &Path, dir: &Path) -> Option<String> {
    duckdb(
        file,
        dir,
        "select * from read_json('FILE', format = 'newline_delimited')",
        "count(*), count(distinct agent[1].network.address), 0",
    )
}

/// Gigabytes made on the fly and never kept: slice after slice is written, taken in by this one process, and removed, lake
/// included. Says the highest memory it had.
fn gigabytes(dir: &Path, n: u64) -> Result<()> {
    let start = (Instant::now(), cpu_seconds());
    let (mut made, mut record, mut slice) = (0u64, 0u64, 0usize);
    while made < n << 30 {
        let lane = &LANES[slice % LANES.len()];
        slice += 1;
        let (case, lake) = (dir.join("slice"), dir.join("slice-lake"));
        std::fs::create_dir_all(case.join("logs"))?;
        let mut out =
            std::io::BufWriter::new(std::fs::File::create(case.join("logs").join(lane.file))?);
        let most = SLICE_BYTES.min((n << 30) - made);
        let (records, size) = lane.write(record, &mut out, |_, size| size >= most)?;
        drop(out);
        record += records;
        made += size;
        let taken = take(&case, &lake, crate::pipeline::threads())?;
        ensure!(
            taken.records == records,
            "{}: {} of {} records",
            lane.name,
            taken.records,
            records
        );
        std::fs::remove_dir_all(&case)?;
        std::fs::remove_dir_all(&lake)?;
    }
    println!(
        "intake: {:.1} GiB and {record} records in {slice} slices, {:.0} s wall and {:.0} s CPU with generation, peak memory {} MiB",
        made as f64 / f64::from(1 << 30),
        start.0.elapsed().as_secs_f64(),
        cpu_seconds() - start.1,
        peak_mib()
    );
    Ok(())
}
