//! syslog-ng beside us: its own parsers on the same lines, which come through a pipe, on one thread. What it wrote of each is counted.
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

/// Parsers of a lane, and what is to be written of each line: the client's address and the bytes the answer had.
fn parsers(lane: &str) -> Option<(&'static str, &'static str)> {
    Some(match lane {
        "fortigate" => (r#"kv-parser(prefix("k."));"#, "${k.srcip} ${k.rcvdbyte}"),
        "nginx" => (
            r#"csv-parser(prefix("k.") dialect(escape-double-char) flags(strip-whitespace) delimiters(" ") quote-pairs('""[]') columns("ip", "ident", "user", "time", "request", "status", "bytes", "referer", "agent"));"#,
            "${k.ip} ${k.bytes}",
        ),
        "windows-xml" => (
            r#"xml(prefix("k."));"#,
            "$(list-slice 12:13 ${k.Event.EventData.Data}) 0",
        ),
        "auditevent" => (
            r#"json-parser(prefix("k.")); json-parser(prefix("a.") template("${k.agent}") extract-prefix("[0]"));"#,
            "${a.network.address} 0",
        ),
        "cef" => (
            r#"csv-parser(columns("h.version", "h.vendor", "h.product", "h.device", "h.id", "h.name", "h.severity", "h.extension") delimiters("|") flags(greedy)); kv-parser(prefix("k.") template("${h.extension}"));"#,
            "${k.src} ${k.in}",
        ),
        _ => return None,
    })
}

/// True of a lane it has parsers for.
pub fn reads(lane: &str) -> bool {
    parsers(lane).is_some()
}

/// `lines addresses bytes`; `None` where it is not installed or there is no parser for the lane.
pub fn facts(lane: &str, file: &Path, dir: &Path) -> Option<String> {
    let (parsers, template) = parsers(lane)?;
    let [config, out, control, persist, pid] =
        ["conf", "out", "ctl", "persist", "pid"].map(|x| dir.join(format!("syslog-ng.{x}")));
    drop(fs::remove_file(&out));
    let text = format!(
        r#"@version: current
options {{ stats-freq(0); log-msg-size(1048576); }};
source s {{ stdin(flags(no-parse)); }};
parser p {{ {parsers} }};
destination d {{ file("{}" template("{template}\n") log-fifo-size(20000)); }};
log {{ source(s); parser(p); destination(d); flags(flow-control); }};
"#,
        out.display()
    );
    fs::write(&config, text).ok()?;
    let mut run = Command::new("syslog-ng")
        .args(["--foreground", "--no-caps", "--cfgfile"])
        .arg(&config)
        .arg("--control")
        .arg(&control)
        .arg("--persist-file")
        .arg(&persist)
        .arg("--pidfile")
        .arg(&pid)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // It watches a pipe; a plain file it would follow for ever.
    let mut pipe = run.stdin.take()?;
    let copied = io::copy(&mut File::open(file).ok()?, &mut pipe);
    drop(pipe);
    let ended = run.wait().ok()?;
    copied.ok()?;
    if !ended.success() {
        return None;
    }
    let (mut lines, mut bytes, mut addresses) = (0u64, 0u64, BTreeSet::new());
    for line in BufReader::new(File::open(&out).ok()?).lines() {
        let line = line.ok()?;
        let (address, size) = line.split_once(' ')?;
        lines += 1;
        bytes += size.parse().unwrap_or(0);
        if !addresses.contains(address) {
            addresses.insert(address.to_string());
        }
    }
    Some(format!("{lines} {} {bytes}", addresses.len()))
}
