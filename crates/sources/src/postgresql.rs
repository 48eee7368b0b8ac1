//! PostgreSQL server logs: stderr with any `log_line_prefix`, csvlog, jsonlog, syslog, and what platforms make of them
//! (RDS, CloudNativePG, Cloud SQL, logplex, PgBouncer); pgAudit entries inside any of them or bare.
//! Documentation: PostgreSQL "Error Reporting and Logging", §20.8; pgAudit README, "Format". Times: those of the prefix; a
//! zone word is honoured, without one the zone of the source is used.
//! One physical line of a stderr log is one record; lines that continue an entry are skips. One csvlog record is one record.
//! Not here: what a statement returned. pgAudit writes before execution; an ERROR that follows takes it back.
use crate::{
    Capability, Confidence, Decode, Decoded, Head, Reason, Setting, Source, Standard,
    scan::{self, Extra, Lines, RECORD_MAX, Seen, Stamp, Values, Word},
    syslog,
};
use ampleur_event::{Event, GapSign, Outcome, Proof, Silence, System, Verb, batch::NONE};
use rustc_hash::FxHashMap;
use serde::Deserialize;
use std::borrow::Cow;

pub(crate) struct Postgresql;

impl Source for Postgresql {
    fn name(&self) -> &'static str {
        "postgresql"
    }
    fn about(&self) -> &'static str {
        "PostgreSQL server log (stderr, csvlog, jsonlog, syslog) with pgAudit: connections, statements, errors"
    }
    fn standard(&self) -> Standard {
        Standard {
            name: "PostgreSQL documentation",
            section: "§20.8 Error Reporting and Logging",
        }
    }
    fn capability(&self) -> Capability {
        Capability {
            rows: &[
                (Verb::Query, Proof::Question),
                (Verb::QueryError, Proof::Attempt),
                (Verb::Connect, Proof::Presence),
                (Verb::Disconnect, Proof::Presence),
                (Verb::Login, Proof::Presence),
                (Verb::Config, Proof::Change),
                (Verb::AuditOff, Proof::Health),
                (Verb::Restart, Proof::Health),
                (Verb::Heartbeat, Proof::Health),
            ],
            // Statement logging is a matter of levels; only the operator knows what is logged.
            silence: Silence::Nothing,
            names_results: false,
            gap: GapSign::SequencePerSession,
        }
    }
    fn sniff(&self, head: &Head<'_>) -> Confidence {
        let text = scan::text(head.bytes);
        let start = text.trim_start_matches('\u{feff}').trim_start();
        if start.starts_with('{') {
            let has = |s: &str| text.contains(s);
            return if (has("\"error_severity\"")
                && (has("\"session_id\"") || has("\"line_num\"") || has("\"log_time\"")))
                || has("cloudsql.googleapis.com%2Fpostgres")
                || (has("\"logger\":\"postgres\"") || has("\"logger\":\"pgaudit\""))
            {
                Confidence::Certain
            } else {
                Confidence::No
            };
        }
        if start.starts_with("AUDIT: SESSION,") || start.starts_with("AUDIT: OBJECT,") {
            return Confidence::Certain;
        }
        let none = Setting::default();
        let of_others = || {
            syslog::of_others(head, |p| {
                p.starts_with("postgres") || p.contains("pgbouncer")
            })
        };
        let (mut known, mut seen, mut sure) = (0, 0, false);
        for line in start
            .lines()
            .filter(|l| !l.starts_with(['\t', ' ', '#']) && !l.trim().is_empty())
            .take(40)
        {
            seen += 1;
            if csv_start(line) && csv_is_log(line) {
                known += 1;
                sure = true;
            } else if let Some(p) = entry(line, &none, None) {
                if p.stamp.is_some() || p.syslog || p.pid != NONE {
                    known += 1;
                }
                sure |= p.syslog
                    || p.message.starts_with("AUDIT: ")
                    || p.message.starts_with("duration: ")
                    || p.message.starts_with("statement: ")
                    || p.message.starts_with("connection ")
                    || p.message.starts_with("database system ")
                    || p.message.contains("authentication failed for user")
                    || p.message.starts_with("starting PostgreSQL")
                    || (p.pooler
                        && (p.session.starts_with("C-0x")
                            || p.session.starts_with("S-0x")
                            || p.message.contains("pgbouncer")));
            }
        }
        // A stamp in front is everybody's; a level and two blanks are not.
        let levels = [":  ", "AUDIT: "];
        let leveled = levels.iter().any(|l| text.contains(l));
        match (known * 2 > seen, sure) {
            (true, true) => Confidence::Certain,
            (true, false) if seen > 0 && leveled => Confidence::Maybe,
            (false, true) if known > 0 && !of_others() => Confidence::Likely,
            _ => Confidence::No,
        }
    }
    fn open(&self, head: &Head<'_>, setting: &Setting) -> Box<dyn Decode> {
        let b = head.bytes;
        let start = scan::past_space(b, if b.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 });
        if b.get(start) == Some(&b'{') {
            return Box::new(InJson {
                setting: setting.clone(),
                values: Values::new(""),
            });
        }
        Box::new(InText {
            setting: setting.clone(),
            layout: setting.layout.as_deref().map(Layout::new),
            lines: Lines::default(),
            held: None,
            backends: Backends::default(),
        })
    }
}

/// One log entry, whatever carried it.
struct Entry<'a> {
    stamp: Option<Stamp>,
    user: Cow<'a, str>,
    database: Cow<'a, str>,
    application: Cow<'a, str>,
    client: Cow<'a, str>,
    port: u64,
    pid: u64,
    session: Cow<'a, str>,
    line: u64,
    tag: Cow<'a, str>,
    severity: Cow<'a, str>,
    sqlstate: Cow<'a, str>,
    message: Cow<'a, str>,
    /// Parameters and other detail text.
    detail: Cow<'a, str>,
    /// The statement that caused an error.
    statement: Cow<'a, str>,
    host: Cow<'a, str>,
    syslog: bool,
    pooler: bool,
}

impl Default for Entry<'_> {
    fn default() -> Self {
        const E: Cow<'static, str> = Cow::Borrowed("");
        Entry {
            stamp: None,
            user: E,
            database: E,
            application: E,
            client: E,
            port: NONE,
            pid: NONE,
            session: E,
            line: NONE,
            tag: E,
            severity: E,
            sqlstate: E,
            message: E,
            detail: E,
            statement: E,
            host: E,
            syslog: false,
            pooler: false,
        }
    }
}

/// Words of severity, English and French; French puts a space before the colon of some.
const SEVERITIES: &[(&str, &str)] = &[
    ("LOG", "LOG"),
    ("ERROR", "ERROR"),
    ("FATAL", "FATAL"),
    ("PANIC", "PANIC"),
    ("WARNING", "WARNING"),
    ("NOTICE", "NOTICE"),
    ("INFO", "INFO"),
    ("DEBUG", "DEBUG"),
    ("DEBUG1", "DEBUG"),
    ("DEBUG2", "DEBUG"),
    ("DEBUG3", "DEBUG"),
    ("DEBUG4", "DEBUG"),
    ("DEBUG5", "DEBUG"),
    ("DETAIL", "DETAIL"),
    ("HINT", "HINT"),
    ("CONTEXT", "CONTEXT"),
    ("STATEMENT", "STATEMENT"),
    ("QUERY", "QUERY"),
    ("LOCATION", "LOCATION"),
    ("BACKTRACE", "LOCATION"),
    ("ERREUR", "ERROR"),
    ("PANIQUE", "PANIC"),
    ("ATTENTION", "WARNING"),
    ("DÉTAIL", "DETAIL"),
    ("ASTUCE", "HINT"),
    ("CONTEXTE", "CONTEXT"),
    ("INSTRUCTION", "STATEMENT"),
    ("REQUÊTE", "QUERY"),
    ("JOURNAL", "LOG"),
];

/// Finds `SEVERITY:  ` in a line: start of the word, its English form, start of the message.
fn severity(line: &str) -> Option<(usize, &'static str, usize)> {
    let mut from = 0;
    while let Some(i) = line[from..].find(':') {
        let colon = from + i;
        from = colon + 1;
        let after = &line[colon + 1..];
        // The marker is followed by two spaces; some collectors squeeze them to one.
        if !after.starts_with(' ') {
            continue;
        }
        let before = line[..colon].trim_end_matches(['\u{a0}', '\u{202f}', ' ']);
        let word_at = before.rfind(|c: char| !c.is_alphanumeric()).map_or(0, |k| {
            k + before[k..].chars().next().map_or(1, char::len_utf8)
        });
        let word = &before[word_at..];
        if let Some((_, english)) = SEVERITIES.iter().find(|(w, _)| *w == word) {
            let lead = after.len() - after.trim_start_matches(' ').len();
            return Some((word_at, english, colon + 1 + lead));
        }
        if colon > 2000 {
            return None;
        }
    }
    None
}

/// A `log_line_prefix`, cut into literals and escapes.
struct Layout(Vec<(char, String)>);

impl Layout {
    fn new(prefix: &str) -> Layout {
        let mut parts = vec![(' ', String::new())];
        let mut chars = prefix.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                if let Some((_, l)) = parts.last_mut() {
                    l.push(c);
                }
                continue;
            }
            match chars.find(|c| !c.is_ascii_digit() && *c != '-') {
                Some('%') => {
                    if let Some((_, l)) = parts.last_mut() {
                        l.push('%');
                    }
                }
                Some(e) => parts.push((e, String::new())),
                None => break,
            }
        }
        Layout(parts)
    }
    /// Reads the prefix of a line into `e`. `None` when the line does not follow the layout.
    fn read<'a>(&self, prefix: &'a str, setting: &Setting, e: &mut Entry<'a>) -> Option<()> {
        let mut rest = prefix;
        for (i, (escape, literal)) in self.0.iter().enumerate() {
            if *escape == 'q' {
                // Processes without a session stop here.
                if rest.trim().is_empty() {
                    return Some(());
                }
                rest = rest.strip_prefix(literal.as_str())?;
                continue;
            }
            if i == 0 {
                rest = rest.strip_prefix(literal.as_str())?;
                continue;
            }
            let value;
            if matches!(escape, 'm' | 't' | 's') {
                let (s, used) = scan::stamp_at(rest, setting)?;
                value = &rest[..used];
                if *escape != 's' {
                    e.stamp = Some(s);
                }
                rest = &rest[used..];
            } else {
                let end = if literal.is_empty() {
                    rest.len()
                } else {
                    match rest.find(literal.as_str()) {
                        Some(i) => i,
                        // A trailing space may have been squeezed away.
                        None if i + 1 == self.0.len() => rest.len(),
                        None => return None,
                    }
                };
                value = &rest[..end];
                rest = &rest[end..];
            }
            match escape {
                'n' => e.stamp = scan::stamp_epoch(value, setting),
                'u' => e.user = Cow::Borrowed(value),
                'd' => e.database = Cow::Borrowed(value),
                'a' => e.application = Cow::Borrowed(value),
                'h' => e.client = Cow::Borrowed(value),
                'r' => client(value, e),
                'p' => e.pid = value.parse().unwrap_or(NONE),
                'l' => e.line = value.parse().unwrap_or(NONE),
                'c' => e.session = Cow::Borrowed(value),
                'i' => e.tag = Cow::Borrowed(value),
                'e' => e.sqlstate = Cow::Borrowed(value),
                _ => {}
            }
            rest = rest
                .strip_prefix(literal.as_str())
                .or_else(|| rest.strip_prefix(literal.trim_end()))
                .unwrap_or(rest);
        }
        Some(())
    }
}

/// `host(port)`, `host:port`, `host port` or a host alone.
fn client<'a>(value: &'a str, e: &mut Entry<'a>) {
    let v = value.trim();
    if let Some((h, p)) = v.split_once('(') {
        e.client = Cow::Borrowed(h);
        e.port = p.trim_end_matches(')').parse().unwrap_or(NONE);
    } else if let Some((h, p)) = v.rsplit_once(':')
        && !h.is_empty()
        && (!h.contains(':') || scan::is_address(h) && !scan::is_address(v) || h.starts_with('['))
        && p.bytes().all(|b| b.is_ascii_digit())
    {
        e.client = Cow::Borrowed(h);
        e.port = p.parse().unwrap_or(NONE);
    } else {
        e.client = Cow::Borrowed(v);
    }
}

/// Reads one stderr or syslog line. `None` when it begins no entry.
fn entry<'a>(line: &'a str, setting: &Setting, layout: Option<&Layout>) -> Option<Entry<'a>> {
    let mut e = Entry::default();
    if line.starts_with("AUDIT: SESSION,") || line.starts_with("AUDIT: OBJECT,") {
        e.severity = Cow::Borrowed("LOG");
        e.message = Cow::Borrowed(line);
        return Some(e);
    }
    let (at, english, message) = match severity(line) {
        Some(s) => s,
        None => return pooler(line, setting),
    };
    if at > 1000 {
        return None;
    }
    e.severity = Cow::Borrowed(english);
    e.message = Cow::Borrowed(&line[message..]);
    let prefix = &line[..at];
    if let Some(layout) = layout {
        let mut given = Entry {
            severity: e.severity.clone(),
            message: e.message.clone(),
            ..Entry::default()
        };
        if layout.read(prefix, setting, &mut given).is_some() {
            return Some(given);
        }
    }
    if prefix.trim().is_empty() {
        // A marker alone is only an entry for servers without any prefix.
        return (at == 0 && english != "INFO" && english != "QUERY").then_some(e);
    }
    let rest = header(prefix, setting, &mut e);
    words(rest, setting, &mut e);
    let known = e.stamp.is_some() || e.syslog || e.pid != NONE || !e.user.is_empty();
    known.then_some(e)
}

/// Takes a syslog, logplex or priority header off the front.
fn header<'a>(prefix: &'a str, setting: &Setting, e: &mut Entry<'a>) -> &'a str {
    let mut p = prefix.trim_start();
    if let Some(r) = p.strip_prefix('<')
        && let Some((n, rest)) = r.split_once('>')
        && n.len() <= 3
        && n.bytes().all(|b| b.is_ascii_digit())
    {
        p = rest.strip_prefix("1 ").unwrap_or(rest);
    }
    let after = if let Some((s, used)) = scan::stamp_bsd(p, setting) {
        e.stamp = s;
        &p[used..]
    } else if let Some((s, used)) = scan::stamp_at(p, setting)
        && p.as_bytes().get(10) == Some(&b'T')
    {
        e.stamp = Some(s);
        &p[used..]
    } else {
        return p;
    };
    // `host program[pid]: ` or `app[postgres.4882]: ` or RFC 5424 `host postgres 4882 - - `.
    let after = after.trim_start();
    let Some(colon) = after
        .find("]: ")
        .map(|i| i + 1)
        .or_else(|| after.find(": "))
    else {
        let mut w = after.splitn(6, ' ');
        if let (Some(h), Some(app), Some(pid), Some(_), Some(_), Some(rest)) =
            (w.next(), w.next(), w.next(), w.next(), w.next(), w.next())
            && app.contains("postgres")
        {
            e.host = Cow::Borrowed(h);
            e.pid = pid.parse().unwrap_or(NONE);
            e.syslog = true;
            return rest;
        }
        return after;
    };
    let (head, rest) = (&after[..colon], &after[colon + 1..]);
    let (host, program) = head.rsplit_once(' ').unwrap_or(("", head));
    if let Some((name, pid)) = program.split_once('[') {
        let pid = pid.trim_end_matches(']');
        e.pid = pid
            .rsplit('.')
            .next()
            .and_then(|p| p.parse().ok())
            .unwrap_or(NONE);
        if name.contains("postgres") || pid.contains("postgres") || name.contains("pgbouncer") {
            e.syslog = true;
        }
        e.host = Cow::Borrowed(host);
        return rest;
    }
    after
}

/// Keys of `key=value` prefixes.
const KEYS: &[&str] = &[
    "user",
    "usr",
    "u",
    "db",
    "database",
    "d",
    "app",
    "application",
    "application_name",
    "a",
    "client",
    "host",
    "h",
    "remote",
    "port",
    "session",
    "sess",
    "sid",
    "c",
    "line",
    "l",
    "pid",
    "p",
    "xid",
    "tx",
    "vxid",
    "state",
    "sqlstate",
    "sql_error_code",
    "e",
    "tag",
    "cmd",
    "time",
    "qid",
    "query_id",
    "r",
];

/// Reads what is left of a prefix: a stamp, `[pid]`, `[line-part]`, `key=value`, `user@database`, addresses.
fn words<'a>(prefix: &'a str, setting: &Setting, e: &mut Entry<'a>) {
    let mut rest = prefix;
    if e.line == NONE && e.stamp.is_some() {
        // Nothing: a header already gave the time.
    }
    // key=value pairs: a value runs to the next known key.
    let mut pairs: Vec<(usize, usize, &str)> = Vec::new();
    for (i, _) in rest.match_indices('=').take(64) {
        let before = &rest[..i];
        let trimmed = before.trim_end();
        let start = trimmed
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .map_or(0, |k| {
                k + trimmed[k..].chars().next().map_or(1, char::len_utf8)
            });
        let key = &trimmed[start..];
        if KEYS.contains(&key) {
            pairs.push((start, i + 1, key));
        }
    }
    for (n, (_, from, key)) in pairs.iter().enumerate() {
        let to = pairs.get(n + 1).map_or(rest.len(), |(s, _, _)| *s);
        let mut value = rest[*from..to.max(*from)].trim();
        value = value.trim_end_matches([',', ';', ' ', ':', '|']).trim();
        if n + 1 == pairs.len() {
            value = value
                .split([' ', ']'])
                .next()
                .unwrap_or("")
                .trim_end_matches(',');
            if matches!(*key, "app" | "application" | "application_name" | "a") {
                value = rest[*from..].trim().trim_end_matches([',', ':']);
            }
        }
        match *key {
            "user" | "usr" | "u" => e.user = Cow::Borrowed(value),
            "db" | "database" | "d" => e.database = Cow::Borrowed(value),
            "app" | "application" | "application_name" | "a" => {
                e.application = Cow::Borrowed(value)
            }
            "client" | "host" | "h" | "remote" | "r" => client(value, e),
            "port" => e.port = value.parse().unwrap_or(e.port),
            "session" | "sess" | "sid" | "c" => e.session = Cow::Borrowed(value),
            "line" | "l" => e.line = value.parse().unwrap_or(NONE),
            "pid" | "p" => e.pid = value.parse().unwrap_or(e.pid),
            "state" | "sqlstate" | "sql_error_code" | "e" => e.sqlstate = Cow::Borrowed(value),
            "tag" | "cmd" => e.tag = Cow::Borrowed(value),
            _ => {}
        }
    }
    if let Some((start, _, _)) = pairs.first() {
        rest = &rest[..*start];
    }
    while !rest.is_empty() {
        if e.stamp.is_none()
            && let Some((s, used)) = scan::stamp_at(rest, setting)
        {
            e.stamp = Some(s);
            rest = &rest[used..];
            continue;
        }
        let c = rest.chars().next().unwrap_or(' ');
        if matches!(c, ' ' | ':' | ',' | ';' | '|' | '\t') {
            rest = &rest[1..];
            continue;
        }
        if c == '['
            && let Some(close) = rest.find(']')
        {
            let inner = &rest[1..close];
            if let Some((l, part)) = inner.split_once('-')
                && part.bytes().all(|b| b.is_ascii_digit())
                && let Ok(l) = l.parse()
            {
                e.line = l;
            } else if let Ok(p) = inner.parse::<u64>() {
                if e.pid == NONE {
                    e.pid = p;
                } else if e.line == NONE {
                    e.line = p;
                }
            } else if inner == "local" || scan::is_address(inner) {
                e.client = Cow::Borrowed(inner);
            }
            rest = &rest[close + 1..];
            continue;
        }
        // A word ends at a space; colons end it too unless it is an IPv6 address.
        let end = rest.find(' ').unwrap_or(rest.len());
        let word = rest[..end].trim_end_matches([',', ':']);
        let bare = word.split('(').next().unwrap_or(word);
        if scan::is_address(bare) {
            let end = word.find(')').map_or(end, |i| i + 1);
            client(&rest[..end], e);
            rest = &rest[end..];
            continue;
        }
        let cut = rest[..end].find(':').unwrap_or(end);
        let word = &rest[..cut];
        let bare = word.split('(').next().unwrap_or(word);
        if scan::is_address(bare) {
            client(word, e);
        } else if let Some((u, d)) = word.split_once('@') {
            if e.user.is_empty() && e.database.is_empty() {
                e.user = Cow::Borrowed(u);
                e.database = Cow::Borrowed(d.trim_end_matches(','));
            }
        } else if word.len() >= 9
            && word.contains('.')
            && word.split('.').count() == 2
            && word.bytes().all(|b| b.is_ascii_hexdigit() || b == b'.')
        {
            e.session = Cow::Borrowed(word);
        } else if let Ok(n) = word.trim_end_matches('-').parse::<u64>() {
            if e.pid == NONE {
                e.pid = n;
            } else if e.line == NONE {
                e.line = n;
            }
        } else if word.contains('(') && word.ends_with(')') {
            client(word, e);
        }
        rest = &rest[cut..];
    }
}

/// PgBouncer: `2018-09-12 16:09:05.313 3394 LOG C-0x5623: db/user@ip:port message`.
fn pooler<'a>(line: &'a str, setting: &Setting) -> Option<Entry<'a>> {
    let mut e = Entry::default();
    let rest = if let Some((s, used)) = scan::stamp_at(line, setting) {
        e.stamp = Some(s);
        &line[used..]
    } else {
        header(line, setting, &mut e)
    };
    let mut w = rest.trim_start().splitn(3, ' ');
    let (first, second) = (w.next()?, w.next()?);
    let (level, message) = match first.trim_matches(['[', ']']).parse::<u64>() {
        Ok(pid) => {
            e.pid = pid;
            (second, w.next()?)
        }
        Err(_) if e.syslog => {
            let i = rest.find(second)?;
            (first, &rest[i..])
        }
        Err(_) => return None,
    };
    e.severity = match level.trim_end_matches(':') {
        "LOG" | "INFO" | "NOISE" | "DEBUG" => Cow::Borrowed("LOG"),
        "WARNING" => Cow::Borrowed("WARNING"),
        "ERROR" => Cow::Borrowed("ERROR"),
        "FATAL" => Cow::Borrowed("FATAL"),
        _ => return None,
    };
    e.pooler = true;
    e.message = Cow::Borrowed(message);
    if let Some((id, rest)) = message.split_once(": ")
        && (id.starts_with("C-0x") || id.starts_with("S-0x"))
    {
        e.session = Cow::Borrowed(id);
        let (who, text) = rest.split_once(' ').unwrap_or((rest, ""));
        if let Some((db_user, from)) = who.rsplit_once('@') {
            let (db, user) = db_user.split_once('/').unwrap_or(("", db_user));
            let nobody = |v: &str| matches!(v, "(nodb)" | "(nouser)");
            if !nobody(db) {
                e.database = Cow::Borrowed(db);
            }
            if !nobody(user) {
                e.user = Cow::Borrowed(user);
            }
            client(from, &mut e);
        }
        e.message = Cow::Borrowed(text);
    }
    Some(e)
}

/// The column or relation a message says is not there.
fn unknown_name(message: &str) -> Option<&str> {
    if let Some(quoted) = message.split('"').nth(1) {
        return Some(quoted).filter(|n| !n.is_empty() && !n.contains(char::is_whitespace));
    }
    let mut words = message.split_whitespace();
    words.find(|w| matches!(*w, "column" | "relation" | "colonne"))?;
    words.next()
}

/// Class of an error whose code is not logged, from the wording of the server (English, French).
fn class_of(message: &str) -> &'static str {
    const CLASSES: &[(&str, &str)] = &[
        ("administrator command", "57P01"),
        ("commande de l'administrateur", "57P01"),
        ("canceling statement", "57014"),
        ("annulation de la requête", "57014"),
        ("authentication failed", "28P01"),
        ("authentification par mot de passe échouée", "28P01"),
        ("no pg_hba.conf entry", "28000"),
        ("aucune entrée dans pg_hba.conf", "28000"),
        ("permission denied", "42501"),
        ("droit refusé", "42501"),
        ("deadlock detected", "40P01"),
        ("syntax error", "42601"),
        ("erreur de syntaxe", "42601"),
        ("duplicate key", "23505"),
        ("division by zero", "22012"),
        ("connection to client lost", "08006"),
        ("too many connections", "53300"),
        ("too many clients", "53300"),
        ("is starting up", "57P03"),
        ("is shutting down", "57P03"),
    ];
    if let Some((_, c)) = CLASSES.iter().find(|(w, _)| message.contains(w)) {
        return c;
    }
    if message.contains("does not exist") {
        if message.starts_with("relation ") {
            "42P01"
        } else if message.starts_with("column ") {
            "42703"
        } else if message.starts_with("role ") {
            "28000"
        } else if message.starts_with("database ") {
            "3D000"
        } else {
            "42704"
        }
    } else {
        ""
    }
}

/// Splits one record of comma-separated values; quotes are doubled inside quotes.
fn fields(text: &str) -> Vec<Cow<'_, str>> {
    let mut out = Vec::with_capacity(26);
    let mut rest = text;
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let b = quoted.as_bytes();
            let mut i = 0;
            let mut doubled = false;
            let end = loop {
                match memchr::memchr(b'"', &b[i..]) {
                    None => break quoted.len(),
                    Some(k) if b.get(i + k + 1) == Some(&b'"') => {
                        doubled = true;
                        i += k + 2;
                    }
                    Some(k) => break i + k,
                }
            };
            let v = &quoted[..end];
            out.push(if doubled {
                Cow::Owned(v.replace("\"\"", "\""))
            } else {
                Cow::Borrowed(v)
            });
            rest = quoted.get(end + 1..).unwrap_or("");
            match rest.find(',') {
                Some(c) => rest = &rest[c + 1..],
                None => return out,
            }
        } else {
            match rest.find(',') {
                Some(c) => {
                    out.push(Cow::Borrowed(&rest[..c]));
                    rest = &rest[c + 1..];
                }
                None => {
                    out.push(Cow::Borrowed(rest));
                    return out;
                }
            }
        }
        if out.len() > 64 {
            return out;
        }
    }
}

/// True when the quotes of the text pair up.
fn quotes_closed(text: &[u8]) -> bool {
    memchr::memchr_iter(b'"', text).count().is_multiple_of(2)
}

/// `duration: 12.3 ms` at the front: milliseconds and what follows.
fn duration(message: &str) -> Option<(u64, &str)> {
    let r = message
        .strip_prefix("duration: ")
        .or_else(|| message.strip_prefix("durée : "))
        .or_else(|| message.strip_prefix("durée\u{a0}: "))?;
    let (n, rest) = r.split_once(" ms")?;
    let ms: f64 = n.replace(',', ".").parse().ok()?;
    (0.0..1e15)
        .contains(&ms)
        .then(|| (ms.round() as u64, rest.trim_start()))
}

/// `statement: SQL`, `execute name: SQL`, `parse name: SQL`: the word and the statement.
fn statement(message: &str) -> Option<(&str, &str)> {
    for word in [
        "statement",
        "instruction",
        "execute",
        "exécute",
        "parse",
        "bind",
        "analyse",
        "lien",
    ] {
        if let Some(r) = message.strip_prefix(word) {
            let kind = if word == "instruction" {
                "statement"
            } else {
                word
            };
            if let Some(sql) = r
                .strip_prefix(": ")
                .or_else(|| r.strip_prefix(" : "))
                .or_else(|| r.strip_prefix("\u{a0}: "))
            {
                return Some((kind, sql));
            }
            if r.starts_with(' ')
                && let Some((_, sql)) = r.split_once(": ")
            {
                return Some((kind, sql));
            }
        }
    }
    None
}

/// Command tag of a statement that has none: its first word.
fn first_word(sql: &str) -> Cow<'_, str> {
    let w = sql
        .trim_start_matches(['(', ' ', '\n', '\t', '\r'])
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .next()
        .unwrap_or("");
    if w.len() > 20 {
        Cow::Borrowed("")
    } else {
        Cow::Owned(w.to_ascii_uppercase())
    }
}

/// Parameters appended to a statement, as a comment of SQL: they may name a patient and are sealed with it.
fn with_parameters(sql: &str, parameters: &str) -> String {
    let p = parameters
        .strip_prefix("parameters: ")
        .or_else(|| parameters.strip_prefix("Parameters: "))
        .or_else(|| parameters.strip_prefix("paramètres : "))
        .unwrap_or(parameters)
        .trim();
    if p.is_empty() || matches!(p, "<none>" | "<not logged>") {
        sql.to_string()
    } else {
        format!("{sql}\n-- parameters: {}", p.replace('\n', " "))
    }
}

fn event<'a>(mut e: Entry<'a>, setting: &Setting) -> Event<'a> {
    let mut v = Event {
        system: setting.accounts.unwrap_or(System::Db),
        pid: e.pid,
        seq: e.line,
        ..Event::default()
    };
    if let Some(s) = e.stamp {
        s.put(&mut v);
    }
    let mut x = Extra::default();
    let named = |c: Cow<'a, str>| match &*c {
        "[unknown]" | "[local]" | "-" => Cow::Borrowed(""),
        _ => c,
    };
    v.user = named(std::mem::take(&mut e.user));
    let mut database = named(std::mem::take(&mut e.database));
    v.process = named(std::mem::take(&mut e.application));
    if &*e.client == "[local]" {
        x.put("client", "local");
    }
    let ip = scan::address(&e.client);
    if !ip.starts_with('[') && ip != "local" && !ip.starts_with("unix") && ip != "::local" {
        v.src_ip = Cow::Owned(ip.to_string());
    }
    v.src_port = e.port;
    v.host = std::mem::take(&mut e.host);
    v.session_id = if e.session.is_empty() {
        if e.pid == NONE {
            Cow::Borrowed("")
        } else {
            Cow::Owned(e.pid.to_string())
        }
    } else {
        std::mem::take(&mut e.session)
    };
    v.action = std::mem::take(&mut e.tag);
    x.put("severity", &e.severity);
    let message: &str = &e.message;
    let mut message = message.trim_end();
    if let Some((ms, rest)) = duration(message) {
        v.duration_ms = ms;
        message = rest;
    }
    let sqlstate = if matches!(&*e.sqlstate, "" | "00000") {
        class_of(message).to_string()
    } else {
        e.sqlstate.to_string()
    };
    match &*e.severity {
        "ERROR" | "FATAL" | "PANIC" => {
            v.outcome = Outcome::Failure;
            let login = matches!(sqlstate.as_str(), "28P01" | "28000" | "3D000")
                || message.contains("authentication failed")
                || message.contains("échec de l'authentification");
            v.verb = if e.severity == "FATAL" && login {
                Verb::Login
            } else if sqlstate == "57P03" {
                Verb::Other
            } else {
                Verb::QueryError
            };
            if v.action.is_empty() {
                v.action = e.severity.clone();
            }
            // An unknown column or table is named: it tells whose error this is where the statement is not told. No other message
            // is kept, they may hold values.
            v.reason = Cow::Owned(match (sqlstate.as_str(), unknown_name(message)) {
                ("", _) => e.severity.to_string(),
                ("42703" | "42P01", Some(name)) => format!("{sqlstate} {name}"),
                _ => sqlstate,
            });
            v.query = Cow::Owned(e.statement.to_string());
            if e.pooler || v.user.is_empty() {
                named_in(message, &mut v, &mut database);
            }
            if e.pooler {
                v.verb = Verb::Login;
            }
        }
        "DETAIL" | "HINT" | "CONTEXT" | "STATEMENT" | "QUERY" | "LOCATION" => {
            // Parts of the entry before them in the same backend; never an act of their own.
            if v.action.is_empty() {
                v.action = e.severity.clone();
            }
            let values = ["parameters: ", "Parameters: ", "paramètres : "];
            if matches!(&*e.severity, "STATEMENT" | "QUERY")
                || values.iter().any(|p| message.starts_with(p))
            {
                v.query = Cow::Owned(message.to_string());
            }
        }
        _ => said(message, &e, &mut v, &mut database, &mut x),
    }
    if v.object.is_empty() {
        v.object = database;
    } else {
        x.put("database", &database);
    }
    v.extra = x.done();
    v
}

/// What a LOG message tells.
fn said<'a>(
    message: &str,
    e: &Entry<'a>,
    v: &mut Event<'a>,
    database: &mut Cow<'a, str>,
    x: &mut Extra,
) {
    if let Some(payload) = message.strip_prefix("AUDIT: ") {
        return audit(payload, v, x);
    }
    if let Some((kind, sql)) = statement(message) {
        // Parse and bind show no rows; the execution that follows does.
        v.verb = if matches!(kind, "statement" | "execute" | "exécute") {
            Verb::Query
        } else {
            Verb::Other
        };
        if v.action.is_empty() {
            v.action = Cow::Owned(first_word(sql).into_owned());
        }
        if v.duration_ms != NONE && v.verb == Verb::Query {
            // A duration is written after the statement ended.
            v.outcome = Outcome::Success;
        }
        x.put("phase", kind);
        v.query = Cow::Owned(with_parameters(sql, &e.detail));
        return;
    }
    let starts = |all: &[&str]| all.iter().any(|s| message.starts_with(s));
    if e.pooler {
        v.verb = if message.starts_with("login attempt:") {
            Verb::Login
        } else if message.starts_with("closing because:") {
            Verb::Disconnect
        } else if starts(&["stats:", "Stats:"]) {
            Verb::Heartbeat
        } else if starts(&["process up", "kernel file descriptor"]) {
            Verb::Restart
        } else {
            Verb::Other
        };
        v.action = Cow::Owned(
            message
                .split([':', '('])
                .next()
                .unwrap_or("")
                .trim()
                .chars()
                .take(40)
                .collect(),
        );
        return;
    }
    if starts(&[
        "connection authorized",
        "connexion autorisée",
        "replication connection authorized",
    ]) {
        v.verb = Verb::Connect;
        v.outcome = Outcome::Success;
        named_in(message, v, database);
    } else if starts(&["connection authenticated"]) {
        v.verb = Verb::Login;
        v.outcome = Outcome::Success;
        x.put("identity", quoted(message).unwrap_or(""));
    } else if starts(&["connection received", "connexion reçue"]) {
        named_in(message, v, database);
    } else if starts(&["disconnection", "déconnexion"]) {
        v.verb = Verb::Disconnect;
        named_in(message, v, database);
        if let Some(t) = message
            .split(": ")
            .nth(2)
            .or_else(|| message.split("time: ").nth(1))
            .and_then(|t| t.split(' ').next())
        {
            v.duration_ms = clock(t).unwrap_or(NONE);
        }
    } else if starts(&[
        "checkpoint",
        "restartpoint",
        "automatic vacuum",
        "automatic analyze",
        "automatic aggressive vacuum",
    ]) {
        v.verb = Verb::Heartbeat;
    } else if starts(&[
        "database system is ready",
        "starting PostgreSQL",
        "database system was",
    ]) || message.contains("prêt pour accepter les connexions")
    {
        v.verb = Verb::Restart;
    } else if starts(&["parameter \""]) && message.contains("changed to") {
        let name = quoted(message).unwrap_or("");
        let audit = name.starts_with("pgaudit.")
            || matches!(
                name,
                "log_statement"
                    | "log_connections"
                    | "log_disconnections"
                    | "log_min_duration_statement"
                    | "log_line_prefix"
                    | "log_destination"
                    | "logging_collector"
                    | "log_min_messages"
                    | "shared_preload_libraries"
            );
        v.verb = if audit { Verb::AuditOff } else { Verb::Config };
        v.object = Cow::Owned(name.to_string());
    } else if starts(&["received SIGHUP"]) {
        v.verb = Verb::Config;
    }
    if v.action.is_empty() {
        let label: String = message
            .split(|c: char| matches!(c, ':' | '"' | '(' | ',') || c.is_ascii_digit())
            .next()
            .unwrap_or("")
            .trim()
            .chars()
            .take(60)
            .collect();
        v.action = Cow::Owned(label);
    }
}

/// Text between the first pair of double quotes.
fn quoted(message: &str) -> Option<&str> {
    message.split('"').nth(1)
}

/// `H:MM:SS.mmm` in milliseconds.
fn clock(t: &str) -> Option<u64> {
    let mut p = t.split(':');
    let h: u64 = p.next()?.parse().ok()?;
    let m: u64 = p.next()?.parse().ok()?;
    let s: f64 = p.next()?.parse().ok()?;
    if !(0.0..61.0).contains(&s) || m > 59 {
        return None;
    }
    h.checked_mul(3_600_000)?
        .checked_add(m * 60_000)?
        .checked_add((s * 1000.0).round() as u64)
}

/// User, database, application, host and port named inside a message.
fn named_in<'a>(message: &str, v: &mut Event<'a>, database: &mut Cow<'a, str>) {
    let value = |keys: &[&str]| {
        for k in keys {
            if let Some(i) = message.find(k) {
                let r = &message[i + k.len()..];
                let r = match r.strip_prefix('"') {
                    Some(q) => q.split('"').next().unwrap_or(""),
                    None => r.split([' ', ',', '\n']).next().unwrap_or(""),
                };
                if !r.is_empty() && r != "[unknown]" {
                    return Some(r.to_string());
                }
            }
        }
        None
    };
    if v.user.is_empty()
        && let Some(u) = value(&[
            "user=",
            "utilisateur=",
            "for user ",
            "user ",
            "l'utilisateur « ",
        ])
    {
        v.user = Cow::Owned(u);
    }
    if database.is_empty()
        && let Some(d) = value(&["database=", "base de données=", "base=", "database "])
    {
        *database = Cow::Owned(d);
    }
    if v.process.is_empty()
        && let Some(a) = value(&["application_name="])
    {
        v.process = Cow::Owned(a);
    }
    if v.src_ip.is_empty()
        && let Some(h) = value(&["host=", "hôte=", "for host "])
        && scan::is_address(scan::address(&h))
    {
        v.src_ip = Cow::Owned(scan::address(&h).to_string());
    }
    if v.src_port == NONE
        && let Some(p) = value(&["port="])
    {
        v.src_port = p.parse().unwrap_or(NONE);
    }
}

/// The payload of pgAudit: type, statement id, substatement id, class, command, object type, object name, statement,
/// parameters, and rows when `pgaudit.log_rows` is on.
fn audit(payload: &str, v: &mut Event<'_>, x: &mut Extra) {
    let f = fields(payload);
    let get = |i: usize| f.get(i).map_or("", |s| s);
    v.verb = Verb::Query;
    v.action = Cow::Owned(get(4).to_string());
    v.object = Cow::Owned(get(6).to_string());
    // Statements are quoted when they hold commas; old versions and `<none>` leave fewer fields.
    v.query = Cow::Owned(with_parameters(get(7), get(8)));
    if let Ok(rows) = get(9).trim().parse() {
        v.count = rows;
    }
    x.put("audit", get(0));
    x.put("statement_id", get(1));
    x.put("substatement_id", get(2));
    x.put("audit_class", get(3));
    x.put("object_type", get(5));
}

/// True when the line begins like a csvlog record: stamp, zone, comma.
fn csv_start(line: &str) -> bool {
    let Some((_, used)) = scan::stamp_at(line, &Setting::default()) else {
        return false;
    };
    let r = &line[used..];
    // A zone word that is not known to us may stand before the comma.
    let r = match r.strip_prefix(' ') {
        Some(z) if z.bytes().take(5).any(|b| b == b',') => &z[z.find(',').unwrap_or(0)..],
        _ => r,
    };
    match r.as_bytes() {
        [b',', b'"', c, ..] => *c != b'"' || r.as_bytes().get(3) == Some(&b','),
        [b',', b',', b',', rest @ ..] => rest.first().is_some_and(u8::is_ascii_digit),
        [b',', rest @ ..] => rest.first().is_some_and(u8::is_ascii_alphabetic),
        _ => false,
    }
}

/// Cheap check that the fields look like csvlog.
fn csv_is_log(line: &str) -> bool {
    let f = fields(line);
    f.len() < 12 || SEVERITIES.iter().any(|(w, _)| *w == &*f[11])
}

fn csv_entry<'a>(f: &[Cow<'a, str>], setting: &Setting) -> Result<Entry<'a>, Reason> {
    if f.len() < 14 {
        return Err(Reason::Truncated);
    }
    let get = |i: usize| f.get(i).cloned().unwrap_or(Cow::Borrowed(""));
    let severity = get(11);
    let Some((_, english)) = SEVERITIES.iter().find(|(w, _)| *w == &*severity) else {
        return Err(Reason::Field("error_severity"));
    };
    let mut e = Entry {
        stamp: Some(csv_stamp(&f[0], setting).ok_or(Reason::Time)?),
        user: get(1),
        database: get(2),
        pid: f[3].parse().unwrap_or(NONE),
        session: get(5),
        line: f[6].parse().unwrap_or(NONE),
        tag: get(7),
        severity: Cow::Borrowed(english),
        sqlstate: get(12),
        message: get(13),
        detail: get(14),
        statement: get(19),
        application: get(22),
        ..Entry::default()
    };
    from_text(get(4), &mut e);
    Ok(e)
}

/// A stamp whose zone word may be unknown to us; then it is read as the zone of the source.
fn csv_stamp(text: &str, setting: &Setting) -> Option<Stamp> {
    let (s, used) = scan::stamp_at(text, setting)?;
    text[used..]
        .trim()
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'/' | b'_'))
        .then_some(s)
}

fn from_text<'a>(from: Cow<'a, str>, e: &mut Entry<'a>) {
    match from {
        Cow::Borrowed(b) => client(b, e),
        Cow::Owned(o) => {
            let mut t = Entry::default();
            client(&o, &mut t);
            let (c, p) = (t.client.into_owned(), t.port);
            e.client = Cow::Owned(c);
            e.port = p;
        }
    }
}

/// An entry that may go on.
struct Held {
    text: Vec<u8>,
    /// Offset in the decompressed file.
    offset: u64,
    len: u64,
    /// Lines that continue it.
    more: u64,
    csv: bool,
    /// pgAudit payload or csvlog record whose quotes are still open.
    open: bool,
}

struct InText {
    setting: Setting,
    layout: Option<Layout>,
    lines: Lines,
    held: Option<Held>,
    backends: Backends,
}

/// A line that continues the entry before it: syslog parts after the first, or a leading tab.
fn syslog_part(line: &str) -> Option<(u64, &str)> {
    let open = line.find("]: [").filter(|i| *i < 200)? + 3;
    let mut rest = &line[open..];
    // Platforms put a word of their own in brackets before the numbers.
    for _ in 0..3 {
        let (inner, after) = rest.strip_prefix('[')?.split_once(']')?;
        if let Some((_, part)) = inner.split_once('-')
            && let Ok(part) = part.parse()
        {
            return Some((part, after));
        }
        rest = after.trim_start_matches(' ');
    }
    None
}

/// Undoes the `#011` escapes of syslog daemons.
fn unsyslog(text: &str) -> Cow<'_, str> {
    if text.contains("#0") {
        Cow::Owned(
            text.replace("#011", "\t")
                .replace("#015", "\r")
                .replace("#012", "\n"),
        )
    } else {
        Cow::Borrowed(text)
    }
}

/// Decodes one complete entry and counts its continuation lines as skips.
/// Who is behind each process, where the prefix of a line does not say: told once, when the connection is made. Standard: PostgreSQL
/// manual §20.8.3 (`log_connections`).
#[derive(Default)]
struct Backends(FxHashMap<(Box<str>, u64), Backend>);

#[derive(Default)]
struct Backend {
    user: String,
    database: String,
    application: String,
    client: String,
    port: Option<u64>,
}

impl Backends {
    /// Processes followed at a time.
    const MOST: usize = 1 << 16;

    /// Completes an entry of a process whose connection was told.
    fn complete(&mut self, e: &mut Entry<'_>) {
        if e.pid == NONE || !e.session.is_empty() || self.0.is_empty() {
            return;
        }
        let key = (Box::from(&*e.host), e.pid);
        // The number comes back: another connection has it now.
        if is_received(&e.message) {
            self.0.remove(&key);
            return;
        }
        let Some(b) = self.0.get(&key) else { return };
        if !e.user.is_empty() && !b.user.is_empty() && *e.user != *b.user {
            return;
        }
        let fill = |to: &mut Cow<'_, str>, from: &str| {
            if to.is_empty() {
                *to = Cow::Owned(from.to_string());
            }
        };
        fill(&mut e.user, &b.user);
        fill(&mut e.database, &b.database);
        fill(&mut e.application, &b.application);
        if e.client.is_empty() {
            fill(&mut e.client, &b.client);
            e.port = b.port.unwrap_or(e.port);
        }
    }
    /// Notes what an event tells of its process.
    fn note(&mut self, received: bool, host: Box<str>, v: &Event<'_>) {
        let key = (host, v.pid);
        match v.verb {
            Verb::Restart => self.0.clear(),
            Verb::Disconnect => {
                self.0.remove(&key);
            }
            Verb::Connect if self.0.len() < Self::MOST || self.0.contains_key(&key) => {
                let b = self.0.entry(key).or_default();
                b.user = v.user.to_string();
                b.database = v.object.to_string();
                b.application = v.process.to_string();
            }
            _ if received && self.0.len() < Self::MOST => {
                let b = Backend {
                    client: v.src_ip.to_string(),
                    port: (v.src_port != NONE).then_some(v.src_port),
                    ..Backend::default()
                };
                self.0.insert(key, b);
            }
            _ => {}
        }
    }
}

fn is_received(message: &str) -> bool {
    ["connection received", "connexion reçue"]
        .iter()
        .any(|s| message.starts_with(s))
}

fn settle(
    h: Held,
    setting: &Setting,
    layout: Option<&Layout>,
    backends: &mut Backends,
    out: &mut Decoded,
) {
    let text = scan::text(&h.text);
    let text = unsyslog(&text);
    let base = out.base;
    // Offsets are those of the file; the entry may have begun in an earlier piece.
    out.base = h.offset;
    let len = usize::try_from(h.len).unwrap_or(usize::MAX);
    if h.csv {
        if h.open {
            let time = csv_stamp(text.split(',').next().unwrap_or(""), setting).map(|s| s.time);
            out.reject_at(&h.text, 0, h.text.len(), Reason::Truncated, time);
        } else {
            match csv_entry(&fields(&text), setting) {
                Ok(e) => out.event(event(e, setting), 0, len),
                Err(reason) => {
                    let time =
                        csv_stamp(text.split(',').next().unwrap_or(""), setting).map(|s| s.time);
                    out.reject_at(&h.text, 0, h.text.len(), reason, time);
                }
            }
        }
    } else {
        match entry(&text, setting, layout) {
            Some(mut e) => {
                let cut = h.open;
                backends.complete(&mut e);
                let received = is_received(&e.message);
                let own = e.pid != NONE && e.session.is_empty();
                let host: Box<str> = Box::from(&*e.host);
                let e = event(e, setting);
                if own {
                    backends.note(received, host, &e);
                }
                if cut {
                    let time = Some(e.time).filter(|t| *t != ampleur_event::time::NO_TIME);
                    out.reject_at(&h.text, 0, h.text.len(), Reason::Truncated, time);
                } else {
                    out.event(e, 0, len);
                }
            }
            None => out.reject(&h.text, 0, h.text.len(), Reason::Shape),
        }
        for _ in 0..h.more {
            out.skip();
        }
    }
    if let Some(r) = out
        .rejects
        .last_mut()
        .filter(|r| r.offset == h.offset && r.record + h.more >= out.records)
    {
        r.len = h.len;
    }
    out.base = base;
}

impl Decode for InText {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let InText {
            setting,
            layout,
            lines,
            held,
            backends,
        } = self;
        let layout = layout.as_ref();
        let base = out.base;
        // Blank lines inside a quoted value belong to it; the cutter counts them as skips, so they are only noted.
        lines.run_all(bytes, last, out, |line, at, len, out| {
            let offset = base + at as u64;
            let blank = line.iter().all(u8::is_ascii_whitespace);
            let text = scan::text(line);
            if let Some(h) = held.as_mut() {
                let fits = h.text.len() + line.len() < RECORD_MAX;
                let starts_csv = h.csv && h.open && csv_start(&text);
                let part = syslog_part(&text).filter(|(p, _)| *p > 1);
                let goes_on = fits
                    && if h.csv {
                        h.open && !starts_csv
                    } else if let Some((_, rest)) = part {
                        rest.trim_start_matches(' ').starts_with(['\t'])
                            || rest.trim_start().starts_with("#011")
                            || severity(&text).is_none()
                    } else {
                        line.first() == Some(&b'\t')
                            || (h.open && (blank || entry(&text, setting, layout).is_none()))
                    };
                if goes_on {
                    h.text.push(b'\n');
                    match part {
                        Some((_, rest)) if !h.csv => {
                            let rest = unsyslog(rest.trim_start());
                            h.text
                                .extend_from_slice(rest.trim_start_matches('\t').as_bytes());
                        }
                        _ => {
                            let l = if h.csv {
                                line
                            } else {
                                line.strip_prefix(b"\t").unwrap_or(line)
                            };
                            h.text.extend_from_slice(l);
                        }
                    }
                    h.len = offset + len as u64 - h.offset;
                    h.more += u64::from(!h.csv);
                    if h.open {
                        h.open = !quotes_closed(&h.text);
                    }
                    if h.csv && !h.open {
                        let h = held.take();
                        if let Some(h) = h {
                            settle(h, setting, layout, backends, out);
                        }
                    }
                    return;
                }
                if let Some(h) = held.take() {
                    settle(h, setting, layout, backends, out);
                }
            }
            if blank {
                return out.skip();
            }
            if line.first() == Some(&b'#') {
                return out.skip();
            }
            let csv = csv_start(&text);
            let audit = !csv && text.contains("AUDIT: ");
            let new = Held {
                text: line.to_vec(),
                offset,
                len: len as u64,
                more: 0,
                csv,
                open: (csv || audit) && !quotes_closed(line),
            };
            if csv && !new.open {
                settle(new, setting, layout, backends, out);
            } else {
                *held = Some(new);
            }
        })
    }
    fn finish(&mut self, out: &mut Decoded) {
        if let Some(h) = self.held.take() {
            settle(
                h,
                &self.setting,
                self.layout.as_ref(),
                &mut self.backends,
                out,
            );
        }
    }
}

/// jsonlog of PostgreSQL 15, CloudNativePG and Cloud SQL.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Json<'a> {
    // CloudNativePG
    #[serde(borrow)]
    record: Option<Box<Json<'a>>>,
    #[serde(borrow)]
    audit: Option<Audit<'a>>,
    #[serde(borrow)]
    logging_pod: Word<'a>,
    #[serde(borrow)]
    ts: Word<'a>,
    // Cloud SQL
    #[serde(borrow, rename = "textPayload")]
    text_payload: Word<'a>,
    // The server's own fields: jsonlog names, then those of csvlog.
    #[serde(borrow, alias = "log_time")]
    timestamp: Word<'a>,
    #[serde(borrow, alias = "user_name")]
    user: Word<'a>,
    #[serde(borrow, alias = "database_name")]
    dbname: Word<'a>,
    #[serde(borrow, alias = "process_id")]
    pid: Word<'a>,
    #[serde(borrow, alias = "connection_from")]
    remote_host: Word<'a>,
    #[serde(borrow)]
    remote_port: Word<'a>,
    #[serde(borrow)]
    session_id: Word<'a>,
    #[serde(borrow, alias = "session_line_num")]
    line_num: Word<'a>,
    #[serde(borrow, alias = "command_tag")]
    ps: Word<'a>,
    #[serde(borrow)]
    error_severity: Word<'a>,
    #[serde(borrow, alias = "sql_state_code")]
    state_code: Word<'a>,
    #[serde(borrow)]
    message: Word<'a>,
    #[serde(borrow)]
    detail: Word<'a>,
    #[serde(borrow, alias = "query")]
    statement: Word<'a>,
    #[serde(borrow)]
    application_name: Word<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Audit<'a> {
    #[serde(borrow)]
    audit_type: Word<'a>,
    #[serde(borrow)]
    statement_id: Word<'a>,
    #[serde(borrow)]
    substatement_id: Word<'a>,
    #[serde(borrow)]
    class: Word<'a>,
    #[serde(borrow)]
    command: Word<'a>,
    #[serde(borrow)]
    object_type: Word<'a>,
    #[serde(borrow)]
    object_name: Word<'a>,
    #[serde(borrow)]
    statement: Word<'a>,
    #[serde(borrow)]
    parameter: Word<'a>,
    #[serde(borrow)]
    rows: Word<'a>,
}

struct InJson {
    setting: Setting,
    values: Values,
}

fn json_event<'a>(j: &Json<'a>, setting: &Setting) -> Result<Event<'a>, Reason> {
    if !j.text_payload.is_empty() {
        let text: &str = &j.text_payload;
        let mut e = match entry(text, setting, None) {
            Some(e) => event(e, setting).into_owned(),
            None => Event {
                action: Cow::Borrowed("text"),
                ..Event::default()
            },
        };
        if e.time == ampleur_event::time::NO_TIME {
            scan::stamp(&j.timestamp, setting)
                .ok_or(Reason::Time)?
                .put(&mut e);
        }
        return Ok(e);
    }
    let r = j.record.as_deref().unwrap_or(j);
    if r.error_severity.is_empty() {
        // The operator's own lines: kept, they carry no access.
        if j.ts.is_empty() || j.record.is_some() {
            return Err(Reason::Field("error_severity"));
        }
        let mut e = Event {
            action: Cow::Borrowed("operator"),
            host: j.logging_pod.0.clone(),
            ..Event::default()
        };
        scan::stamp_epoch(&j.ts, setting)
            .or_else(|| scan::stamp(&j.ts, setting))
            .ok_or(Reason::Time)?
            .put(&mut e);
        return Ok(e);
    }
    let Some((_, english)) = SEVERITIES.iter().find(|(w, _)| *w == &*r.error_severity) else {
        return Err(Reason::Field("error_severity"));
    };
    let mut e = Entry {
        stamp: Some(csv_stamp(&r.timestamp, setting).ok_or(Reason::Time)?),
        user: r.user.0.clone(),
        database: r.dbname.0.clone(),
        application: r.application_name.0.clone(),
        pid: r.pid.parse().unwrap_or(NONE),
        session: r.session_id.0.clone(),
        line: r.line_num.parse().unwrap_or(NONE),
        tag: r.ps.0.clone(),
        severity: Cow::Borrowed(english),
        sqlstate: r.state_code.0.clone(),
        message: r.message.0.clone(),
        detail: r.detail.0.clone(),
        statement: r.statement.0.clone(),
        host: j.logging_pod.0.clone(),
        ..Entry::default()
    };
    from_text(r.remote_host.0.clone(), &mut e);
    if !r.remote_port.is_empty() {
        e.port = r.remote_port.parse().unwrap_or(NONE);
    }
    let mut v = event(e, setting);
    if let Some(a) = r.audit.as_ref().or(j.audit.as_ref()) {
        v.verb = Verb::Query;
        v.action = a.command.0.clone();
        let mut x = Extra::default();
        x.put("database", &v.object);
        v.object = a.object_name.0.clone();
        v.query = Cow::Owned(with_parameters(&a.statement, &a.parameter));
        v.count = a.rows.parse().unwrap_or(NONE);
        x.put("audit", &a.audit_type);
        x.put("statement_id", &a.statement_id);
        x.put("substatement_id", &a.substatement_id);
        x.put("audit_class", &a.class);
        x.put("object_type", &a.object_type);
        v.extra = x.done();
    }
    Ok(v)
}

impl Decode for InJson {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let setting = &self.setting;
        self.values.run(bytes, last, out, |value, at, len, _, out| {
            let text = scan::text(value);
            match serde_json::from_str::<Json<'_>>(&text) {
                Ok(j) => match json_event(&j, setting) {
                    Ok(e) => out.event(e, at, len),
                    Err(reason) => {
                        let time = csv_stamp(&j.timestamp, setting).map(|s| s.time);
                        out.reject_at(bytes, at, len, reason, time)
                    }
                },
                Err(e) if e.is_eof() => return Seen::Cut,
                Err(_) => out.reject(bytes, at, len, Reason::Shape),
            }
            Seen::Done
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    fn read(line: &str) -> Option<Event<'static>> {
        let s = Setting::default();
        entry(line, &s, None).map(|e| event(e, &s).into_owned())
    }
    #[test]
    fn common_prefixes_are_understood() {
        for line in [
            "2025-03-01 10:00:00.123 UTC [42] app@sri LOG:  statement: SELECT 1",
            "2025-03-01 10:00:00 UTC [42]: [7-1] user=app,db=sri,app=psql,client=10.0.0.9 LOG:  statement: SELECT 1",
            "2025-03-01 10:00:00 UTC:10.0.0.9(5000):app@sri:[42]:LOG:  statement: SELECT 1",
            "2025-03-01 10:00:00.123 UTC [42] 10.0.0.9 app@sri LOG:  statement: SELECT 1",
        ] {
            let e = read(line).expect(line);
            assert_eq!((&*e.user, &*e.object, e.pid), ("app", "sri", 42), "{line}");
            assert_eq!((&*e.query, e.verb), ("SELECT 1", Verb::Query), "{line}");
        }
        assert!(read("pg_ctl: could not start server").is_none());
    }
    #[test]
    fn a_declared_layout_wins() {
        let s = Setting::default();
        let l = Layout::new("%m|%u|%d|%a|%r|%p|%l ");
        let e = entry(
            "2025-03-01 10:00:00.123 UTC|x user|sri|my app: v2|10.0.0.9(5000)|42|7 LOG:  statement: SELECT 1",
            &s,
            Some(&l),
        )
        .expect("an entry");
        assert_eq!(
            (&*e.user, &*e.application, e.port, e.line),
            ("x user", "my app: v2", 5000, 7)
        );
    }
    #[test]
    fn pgaudit_payloads() {
        let e = read(
            "2025-03-01 10:00:00 UTC [42] app@sri LOG:  AUDIT: SESSION,3,1,READ,SELECT,TABLE,public.patient,\"SELECT \"\"nom\"\", nir FROM patient\",<none>,17",
        )
        .expect("an entry");
        assert_eq!(
            (&*e.action, &*e.object, e.count),
            ("SELECT", "public.patient", 17)
        );
        assert_eq!(&*e.query, "SELECT \"nom\", nir FROM patient");
        assert_eq!(e.extra_value("database"), Some("sri"));
    }
    #[test]
    fn failures_carry_their_class() {
        let e = read("2025-03-01 10:00:00 UTC [42] app@sri FATAL:  terminating connection due to administrator command").expect("an entry");
        assert_eq!((e.verb, &*e.reason), (Verb::QueryError, "57P01"));
        let e = read("2025-03-01 10:00:00 UTC [42] app@sri FATAL:  password authentication failed for user \"app\"").expect("an entry");
        assert_eq!((e.verb, e.outcome), (Verb::Login, Outcome::Failure));
    }
}
