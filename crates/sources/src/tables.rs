//! Tables: what a SIEM, PowerShell or Windows' own viewer exports as CSV, one row an event. A row becomes one object with a field for
//! each column and is read as such, by the source that knows the object or the line in one of its fields. The record is the row, also
//! where a quoted cell spans lines. RFC 4180; separators `,` `;` tab `|`; Excel's `sep=` and PowerShell's `#TYPE` before the heading.
use crate::{Confidence, Decode, Decoded, Head, Reason, Setting, Source, envelope, lines, reader};
use std::borrow::Cow;

/// Columns in which exports keep the line as it was, in lower case.
const LINES: [&str; 22] = [
    "_raw",
    "raw",
    "raw event",
    "raw_event",
    "raw message",
    "raw_message",
    "rawmessage",
    "raw_log",
    "full_log",
    "full_message",
    "event.original",
    "@message",
    "auditdata",
    "payload",
    "payloadasutf8",
    "utf8(payload)",
    "syslogmessage",
    "line",
    "log",
    "msg",
    "message",
    "content",
];
/// Columns of Windows events, in lower case without accents and signs, and their names as shippers write them.
const WINDOWS: [(&str, &str); 24] = [
    ("eventid", "EventID"),
    ("id", "Id"),
    ("event id", "EventID"),
    ("id de levenement", "EventID"),
    ("id devenement", "EventID"),
    ("evenement", "EventID"),
    ("instanceid", ""),
    ("date and time", "EventTime"),
    ("date et heure", "EventTime"),
    ("source", "SourceName"),
    ("keywords", "Keywords"),
    ("mots cles", "Keywords"),
    ("keywordsdisplaynames", "EventType"),
    ("entrytype", "EventType"),
    ("computer", "Computer"),
    ("ordinateur", "Computer"),
    ("log", "Channel"),
    ("journal", "Channel"),
    ("message", "Message"),
    ("description", "Message"),
    ("timegenerated", "EventTime"),
    ("timewritten", ""),
    ("index", "RecordId"),
    ("payload", "Payload"),
];
/// Columns in which Sentinel keeps an event in CEF (CommonSecurityLog), in lower case, and the keys of its line.
const CEF: [(&str, &str); 37] = [
    ("sourceip", "src"),
    ("sourceport", "spt"),
    ("destinationip", "dst"),
    ("destinationport", "dpt"),
    ("sourceusername", "suser"),
    ("sourceuserid", "suid"),
    ("sourcehostname", "shost"),
    ("sourcetranslatedaddress", "sourceTranslatedAddress"),
    ("destinationusername", "duser"),
    ("destinationhostname", "dhost"),
    ("protocol", "proto"),
    ("applicationprotocol", "app"),
    ("deviceaction", "act"),
    ("deviceeventcategory", "cat"),
    ("message", "msg"),
    ("requesturl", "request"),
    ("requestmethod", "requestMethod"),
    ("requestclientapplication", "requestClientApplication"),
    ("sentbytes", "out"),
    ("receivedbytes", "in"),
    ("devicename", "dvchost"),
    ("deviceaddress", "dvc"),
    ("deviceexternalid", "deviceExternalId"),
    ("filename", "fname"),
    ("filepath", "filePath"),
    ("eventoutcome", "outcome"),
    ("reason", "reason"),
    ("devicecustomstring1", "cs1"),
    ("devicecustomstring1label", "cs1Label"),
    ("devicecustomstring2", "cs2"),
    ("devicecustomstring2label", "cs2Label"),
    ("devicecustomstring3", "cs3"),
    ("devicecustomstring3label", "cs3Label"),
    ("devicecustomstring4", "cs4"),
    ("devicecustomstring4label", "cs4Label"),
    ("devicecustomstring5", "cs5"),
    ("devicecustomstring5label", "cs5Label"),
];
/// Longest row; past it a quote that never closed is taken for damage of its line.
const ROW: usize = 1 << 20;
/// Most columns.
const COLUMNS: usize = 512;

/// The heading of a table.
#[derive(Clone)]
struct Heading {
    separator: u8,
    cells: Vec<String>,
    /// What each column is called in the object; empty where it is left out.
    names: Vec<String>,
    /// Columns whose times are UTC, as their names say.
    utc: Vec<bool>,
    /// The names folded, where the rows are events of CEF taken apart.
    cef: Option<Vec<String>>,
    /// It is that of an export known; else what the rows say must make sure.
    known: bool,
}

/// Lower case, without accents and signs that people write in two ways.
pub(crate) fn plain(name: &str) -> String {
    let fold = |c: char| match c {
        'à' | 'â' | 'À' => Some('a'),
        'é' | 'è' | 'ê' | 'É' => Some('e'),
        'î' => Some('i'),
        'ô' => Some('o'),
        '\'' | '’' => None,
        '\u{a0}' | '-' => Some(' '),
        c => Some(c.to_ascii_lowercase()),
    };
    name.trim().chars().filter_map(fold).collect()
}

/// The name of a column whose times are UTC, without what says so.
fn told(name: &str) -> Option<&str> {
    let bare = ["[UTC]", "(UTC)"].iter().find_map(|u| name.strip_suffix(u));
    bare.map(str::trim)
}

impl Heading {
    fn read(line: &[u8]) -> Option<Heading> {
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        let (separator, cells) = [b',', b';', b'\t', b'|']
            .into_iter()
            .filter_map(|s| Some((s, cells(line, s)?)))
            .max_by_key(|(_, c)| c.len())?;
        let named = |c: &String| {
            c.len() <= 80 && c.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '@'))
        };
        if cells.len() < 2 || cells.len() > COLUMNS || !cells.iter().all(named) {
            return None;
        }
        let utc: Vec<bool> = cells.iter().map(|c| told(c).is_some()).collect();
        let known: Vec<String> = cells.iter().map(|c| plain(told(c).unwrap_or(c))).collect();
        let has = |n: &str| known.iter().any(|k| k == n);
        let event = ["event id", "id de levenement", "id devenement"]
            .iter()
            .any(|n| has(n))
            || (has("eventid") && (has("source") || has("provider") || has("channel")))
            || (has("id") && (has("providername") || has("logname") || has("timecreated")));
        let cef = ["devicevendor", "deviceproduct", "deviceeventclassid"];
        let cef = cef.iter().all(|n| has(n)).then(|| known.clone());
        // The surest column that keeps lines, under the name the carriers are opened by.
        let line = LINES.iter().find_map(|l| known.iter().position(|k| k == l));
        let dotted = known.iter().any(|k| k.starts_with("winlog."));
        let of_export = event || cef.is_some() || line.is_some() || dotted;
        let names: Vec<String> = if cef.is_some() {
            let name = |c: &String| told(c).unwrap_or(c).to_string();
            cells.iter().map(name).collect()
        } else if event {
            let name = |(cell, k): (&String, &String)| {
                if let Some(bare) = told(cell) {
                    return bare.to_string();
                }
                let known = WINDOWS.iter().find(|(n, _)| n == k);
                known.map_or(cell.clone(), |(_, name)| name.to_string())
            };
            cells.iter().zip(&known).map(name).collect()
        } else {
            let name = |(i, cell): (usize, &String)| match line {
                Some(l) if l == i => "event.original".to_string(),
                _ => told(cell).unwrap_or(cell).to_string(),
            };
            cells.iter().enumerate().map(name).collect()
        };
        Some(Heading {
            separator,
            cells,
            names,
            utc,
            cef,
            known: of_export,
        })
    }
    /// One object on one line; `None` for the heading itself.
    fn object(&self, row: &[u8]) -> Option<Result<Vec<u8>, Reason>> {
        let Some(cells) = cells(row, self.separator) else {
            return Some(Err(Reason::Shape));
        };
        if cells == self.cells {
            return None;
        }
        // Windows' viewer gives its text a cell without a heading.
        let names = self.names.iter().map(String::as_str);
        let names = names.chain(std::iter::once("Message"));
        let utc = self.utc.iter().copied().chain(std::iter::once(false));
        let pairs =
            (names.zip(utc).zip(&cells)).filter(|((n, _), v)| !n.is_empty() && !v.is_empty());
        let mut object: serde_json::Map<String, serde_json::Value> = pairs
            .map(|((n, utc), v)| {
                let time = utc.then(|| envelope::moment(v, true)).flatten();
                (n.to_string(), time.unwrap_or_else(|| v.clone()).into())
            })
            .collect();
        if let Some(names) = &self.cef {
            object.insert("event.original".into(), cef_line(names, &cells).into());
        }
        let mut line = serde_json::to_vec(&object).unwrap_or_default();
        line.push(b'\n');
        Some(Ok(line))
    }
}

/// The line of CEF that was taken apart into these cells.
fn cef_line(names: &[String], cells: &[String]) -> String {
    let get = |name: &str| {
        let at = names.iter().position(|n| n == name);
        at.and_then(|i| cells.get(i)).map_or("", String::as_str)
    };
    let head = [
        "devicevendor",
        "deviceproduct",
        "deviceversion",
        "deviceeventclassid",
        "activity",
        "logseverity",
    ];
    let mut line = "CEF:0".to_string();
    for name in head {
        line.push('|');
        line += &get(name).replace('\\', "\\\\").replace('|', "\\|");
    }
    line.push('|');
    let mut put = |key: &str, value: &str| {
        if !value.is_empty() {
            let value = value.replace('\\', "\\\\").replace('=', "\\=");
            line += &format!("{key}={} ", value.replace(['\n', '\r'], " "));
        }
    };
    for (name, key) in CEF {
        put(key, get(name));
    }
    // What CEF has no column for: `key=value;key=value`.
    for pair in get("additionalextensions").split(';') {
        if let Some((key, value)) = pair.split_once('=') {
            put(key.trim(), value);
        }
    }
    line
}

/// Where the row that begins at the start of `bytes` ends, its line end included; `None` when it does not end there.
fn row_end(bytes: &[u8], separator: u8) -> Option<usize> {
    let (mut quoted, mut fresh) = (false, true);
    let mut i = 0;
    while i < bytes.len() {
        let b = bytes[i];
        if quoted {
            if b == b'"' {
                match bytes.get(i + 1) {
                    Some(b'"') => i += 1,
                    Some(n) if *n != separator && !matches!(n, b'\n' | b'\r') => {}
                    _ => quoted = false,
                }
            }
        } else if b == b'\n' {
            return Some(i + 1);
        } else if b == b'"' && fresh {
            quoted = true;
        } else {
            fresh = b == separator;
        }
        i += 1;
    }
    None
}

/// The cells of one row. A quote inside a quoted cell that nothing separates from what follows is a sign like another.
fn cells(row: &[u8], separator: u8) -> Option<Vec<String>> {
    let row = row.strip_suffix(b"\n").unwrap_or(row);
    let row = row.strip_suffix(b"\r").unwrap_or(row);
    let mut all = vec![];
    let mut at = 0;
    loop {
        let mut cell = vec![];
        if row.get(at) == Some(&b'"') {
            at += 1;
            loop {
                match row.get(at)? {
                    b'"' if row.get(at + 1) == Some(&b'"') => {
                        cell.push(b'"');
                        at += 2;
                    }
                    b'"' if row.get(at + 1).is_none_or(|n| *n == separator) => {
                        at += 1;
                        break;
                    }
                    b => {
                        cell.push(*b);
                        at += 1;
                    }
                }
            }
        } else {
            let end = memchr::memchr(separator, &row[at..]).map_or(row.len(), |n| at + n);
            cell.extend_from_slice(&row[at..end]);
            at = end;
        }
        all.push(lines::text(&cell).trim().to_string());
        if at >= row.len() {
            return Some(all);
        }
        at += 1;
    }
}

/// What stands before the heading.
fn preamble(line: &[u8]) -> bool {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    lines::is_blank(line.trim_ascii()) || line.starts_with(b"sep=") || line.starts_with(b"#TYPE")
}

/// The heading of the table that these bytes are, and where its rows begin.
fn heading(bytes: &[u8]) -> Option<(Heading, usize)> {
    let mut at = 0;
    for _ in 0..4 {
        let end = memchr::memchr(b'\n', &bytes[at..])? + at + 1;
        let line = &bytes[at..end];
        at = end;
        if !preamble(line) {
            return Some((Heading::read(line)?, at));
        }
    }
    None
}

/// The source of what the rows hold, `format` if it is given, and a decoder of the rows; `None` when this is no table of events.
pub(crate) fn open(
    head: &Head<'_>,
    setting: &Setting,
    format: Option<&'static dyn Source>,
) -> Option<(&'static dyn Source, Box<dyn Decode>)> {
    let (heading, start) = heading(head.bytes)?;
    let mut within = vec![];
    let mut at = start;
    for _ in 0..64 {
        let rest = &head.bytes[at..];
        let end = match row_end(rest, heading.separator) {
            Some(n) => n,
            None if head.whole => rest.len(),
            None => break,
        };
        if end == 0 {
            break;
        }
        if let Some(Ok(object)) = heading.object(&rest[..end]) {
            within.extend(object);
        }
        at += end;
    }
    let inner = Head {
        bytes: &within,
        whole: true,
    };
    let sure = || match format {
        Some(s) => s.sniff(&inner) >= Confidence::Likely,
        None => envelope::likely(&inner, setting).is_some(),
    };
    if !heading.known && !sure() {
        return None;
    }
    let (source, inner) = reader::claim(&inner, setting, format)?;
    Some((
        source,
        Box::new(Rows {
            heading,
            started: false,
            inner,
        }),
    ))
}

struct Rows {
    heading: Heading,
    /// The heading was met.
    started: bool,
    inner: Box<dyn Decode>,
}

impl Decode for Rows {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let first = memchr::memchr(b'\n', rest).map_or(rest.len(), |n| n + 1);
            let len = match row_end(rest, self.heading.separator) {
                Some(n) if n <= ROW => n,
                None if !last && rest.len() <= ROW => return at,
                // The last row may lack its end; a quote that never closes takes its line alone.
                None if cells(rest, self.heading.separator).is_some() => rest.len(),
                _ => first,
            };
            let row = &rest[..len];
            let before = !self.started;
            if row.trim_ascii().is_empty() || (before && preamble(row)) {
                out.skip();
                at += len;
                continue;
            }
            self.started = true;
            let row = row.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(row);
            match self.heading.object(row) {
                None => out.skip(),
                Some(Err(reason)) => out.reject(bytes, at, len, reason),
                Some(Ok(object)) => {
                    let mut found = Decoded::default();
                    self.inner.decode(&object, true, &mut found);
                    self.inner.finish(&mut found);
                    out.carried(&found, (bytes, at, len), |_| {});
                }
            }
            at += len;
        }
        at
    }
}

/// An instant as a table shows it to people, as ISO 8601 without zone: `27/05/2024 02:32:16`, `5/27/2024 2:32:16 AM`,
/// `May 27, 2024 @ 02:32:16.778`; seconds since 1970, also `/Date(ms)/`, get their zone. Day before month, unless AM or PM is said or
/// the second number can be no month.
pub(crate) fn instant(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    let ms = text
        .strip_prefix("/Date(")
        .and_then(|t| t.strip_suffix(")/"));
    let epoch = match ms {
        Some(ms) => ms.parse::<f64>().ok().map(|v| v / 1000.0),
        None => (text.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
            .then(|| text.parse::<f64>().ok().filter(|v| *v > 1e8 && *v < 1e10))
            .flatten(),
    };
    if let Some(seconds) = epoch {
        let at = jiff::Timestamp::from_microsecond((seconds * 1e6).round() as i64).ok()?;
        return Some(at.to_string().into());
    }
    let (date, time) = match text.split_once(" @ ") {
        Some((date, time)) => {
            let (month, rest) = date.split_once(' ')?;
            let (day, year) = rest.split_once(", ")?;
            const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
            let month = MONTHS.find(month.get(..3)?)? / 3 + 1;
            ((year.parse().ok()?, month as u32, day.parse().ok()?), time)
        }
        None => {
            let (date, time) = text.split_once([' ', '\u{202f}'])?;
            let date = date.trim_end_matches(',');
            let mut parts = date.split(['/', '.', '-']).map(|p| p.parse::<u32>());
            let (a, b, year) = (
                parts.next()?.ok()?,
                parts.next()?.ok()?,
                parts.next()?.ok()?,
            );
            if a > 31 || year < 1970 || parts.next().is_some() {
                return None;
            }
            let american = time.ends_with(['M', 'm']) || b > 12;
            (if american { (year, a, b) } else { (year, b, a) }, time)
        }
    };
    let (clock, half) = match time.trim().split_once([' ', '\u{202f}', '\u{a0}']) {
        Some((c, h)) => (c, h.trim()),
        None => (time.trim(), ""),
    };
    let mut parts = clock.splitn(3, ':');
    let mut hour: u32 = parts.next()?.parse().ok()?;
    let (minute, second) = (parts.next()?, parts.next().unwrap_or("00"));
    hour = match half.to_ascii_uppercase().as_str() {
        "" => hour,
        "AM" => hour % 12,
        "PM" => hour % 12 + 12,
        _ => return None,
    };
    let (year, month, day) = date;
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:0>2}:{second:0>2}").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ampleur_event::{Outcome, Verb, batch::NONE};

    const LINE: &str = r#"192.0.2.9 - marie [14/Sep/2025:01:00:36 +0200] "GET /p?q=a HTTP/1.1" 200 51 "-" "curl/8""#;

    fn read(text: &str) -> (&'static str, Decoded) {
        let head = Head {
            bytes: text.as_bytes(),
            whole: true,
        };
        let setting = Setting::default();
        let (source, mut decoder) = reader::claim(&head, &setting, None).expect("claimed");
        let mut out = Decoded::default();
        assert_eq!(decoder.decode(text.as_bytes(), true, &mut out), text.len());
        decoder.finish(&mut out);
        assert!(out.balanced());
        (source.name(), out)
    }

    #[test]
    fn the_columns_of_an_export_say_when_and_where() {
        let asa = "%ASA-4-722051: Group <G> User <adurand> IP <203.0.113.8> IPv4 Address <192.0.2.131> IPv6 address <::> assigned to session";
        for (heading, row) in [
            (
                "\"timestamp\",\"source\",\"message\"",
                format!("\"2025-09-14T01:00:36.000Z\",\"asa-2\",\"{asa}\""),
            ),
            (
                "TenantId,TimeGenerated [UTC],Computer,SyslogMessage",
                format!("t,\"9/14/2025, 1:00:36.000 AM\",asa-2,\"{asa}\""),
            ),
            (
                "\"@timestamp\",\"host.name\",message",
                format!("\"Sep 14, 2025 @ 01:00:36.000\",\"asa-2\",\"{asa}\""),
            ),
        ] {
            let (source, out) = read(&format!("{heading}\n{row}\n{row}\n"));
            assert_eq!(source, "cisco-asa");
            let e = out.events.get(1);
            let time = ampleur_event::time::rfc3339(e.time);
            assert_eq!((&*e.user, &*e.host), ("adurand", "asa-2"), "{heading}");
            assert_eq!(time, "2025-09-14T01:00:36.000Z", "{heading}");
        }
    }

    #[test]
    fn an_event_of_cef_taken_apart_is_put_together() {
        let (source, out) = read(
            "TimeGenerated [UTC],DeviceVendor,DeviceProduct,DeviceEventClassID,Activity,SourceIP,DestinationUserName,Message,AdditionalExtensions\n\"9/14/2025, 1:00:36.000 AM\",Fortinet,Fortigate,39947,event:vpn tunnel-up,203.0.113.8,adurand,SSL tunnel established,FTNTFGTtunnelip=192.0.2.131;FTNTFGTremip=203.0.113.8;FTNTFGTaction=tunnel-up;FTNTFGTtunneltype=ssl-tunnel;FTNTFGTtunnelid=17\n",
        );
        assert_eq!(source, "fortinet-fortigate");
        let e = out.events.get(0);
        assert_eq!((&*e.user, &*e.inner_ip), ("adurand", "192.0.2.131"));
        let time = ampleur_event::time::rfc3339(e.time);
        assert_eq!(
            (e.verb, &*time),
            (Verb::TunnelUp, "2025-09-14T01:00:36.000Z")
        );
    }

    #[test]
    fn an_audit_kept_as_json_in_a_cell_is_the_record() {
        let audit = r#"{"CreationTime":"2025-09-14T01:00:36","Operation":"FileDownloaded","OrganizationId":"o","RecordType":6,"UserType":0,"Workload":"SharePoint","UserId":"anne@hopital.example","ClientIP":"2001:db8::8","SourceFileName":"labo.xlsx"}"#;
        let quoted = audit.replace('"', "\"\"");
        for text in [
            format!(
                "RecordId,CreationDate,RecordType,Operation,UserId,AuditData,AssociatedAdminUnits\na,2025-09-14T01:00:36Z,6,FileDownloaded,anne@hopital.example,\"{quoted}\",\n"
            ),
            format!(
                "#TYPE UnifiedAuditLogEvent\n\"RunspaceId\";\"CreationDate\";\"UserIds\";\"AuditData\"\n\"r\";\"14/09/2025 01:00:36\";\"anne@hopital.example\";\"{quoted}\"\n"
            ),
        ] {
            let (source, out) = read(&text);
            assert_eq!((source, out.event_count), ("office365", 1), "{text}");
            let e = out.events.get(0);
            assert_eq!((&*e.file_path, &*e.src_ip), ("labo.xlsx", "2001:db8::8"));
            assert_eq!((e.verb, e.src_port), (Verb::Export, NONE));
        }
    }

    #[test]
    fn a_line_is_read_in_the_column_an_export_keeps_it_in() {
        let quoted = format!("\"{}\"", LINE.replace('"', "\"\""));
        for (heading, row) in [
            (
                "_time,_raw,host",
                format!("2025-09-14T01:00:36,{quoted},web1"),
            ),
            ("timestamp;source;message", format!("x;web1;{quoted}")),
            ("\"@timestamp\",\"@message\"", format!("\"x\",{quoted}")),
            ("sep=;\nTime;Name;Payload", format!("x;web;{quoted}")),
            ("Date\tHost\tMessage", format!("x\tweb\t{LINE}")),
        ] {
            let text = format!("\u{feff}{heading}\n{row}\n{row}\r\n\n{row}");
            let (name, out) = read(&text);
            assert_eq!(name, "http-access", "{heading}");
            assert_eq!((out.event_count, out.reject_count), (3, 0), "{heading}");
            let e = out.events.get(2);
            assert_eq!((&*e.user, &*e.url), ("marie", "/p?q=a"));
            let (at, len) = (e.offset as usize, e.len as usize);
            assert_eq!(&text[at..at + len], row);
        }
    }

    #[test]
    fn what_is_cut_or_never_closed_is_one_record() {
        let quoted = format!("\"{}\"", LINE.replace('"', "\"\""));
        let text = format!("_time,_raw\nx,{quoted}\ny,\"never closed\nz,{quoted}\nw,\"cut");
        let (_, out) = read(&text);
        // The open quote takes the row after it too, up to a quote that closes.
        assert_eq!(
            out.records,
            out.event_count + out.reject_count + out.skipped
        );
        assert!(out.event_count >= 1 && out.reject_count >= 1);
    }

    #[test]
    fn instants_for_people() {
        for (text, iso) in [
            ("27/05/2024 02:32:16", "2024-05-27T02:32:16"),
            ("05/06/2024 2:32", "2024-06-05T02:32:00"),
            ("5/6/2024 2:32:16 PM", "2024-05-06T14:32:16"),
            ("5/6/2024 12:02:16 AM", "2024-05-06T00:02:16"),
            ("May 27, 2024 @ 02:32:16.778", "2024-05-27T02:32:16.778"),
            ("/Date(1716769936778)/", "2024-05-27T00:32:16.778Z"),
        ] {
            let seen = instant(text).map(|t| t[..iso.len().min(t.len())].to_string());
            assert_eq!(seen.as_deref(), Some(iso));
        }
        for text in ["", "x", "2024-05-27T02:32:16", "99/99 x", "27/05/2024 x"] {
            assert!(instant(text).is_none_or(|t| !t.contains("9999")), "{text}");
        }
    }

    /// What is in the columns says whose rows they are, also where no column keeps a line (OfficeActivity and SigninLogs of Log
    /// Analytics, as the portal exports them).
    #[test]
    fn rows_of_log_analytics_are_what_their_columns_say() {
        let office = "TenantId,\"TimeGenerated [UTC]\",RecordType,Operation,OrganizationId,UserType,UserKey,OfficeWorkload,ResultStatus,OfficeObjectId,UserId,ClientIP,Type\n\
            2f3c,\"9/1/2025, 10:00:00.000 AM\",ExchangeItemAggregated,MailItemsAccessed,9a,Regular,1003,Exchange,Succeeded,,anne@chu.example,203.0.113.9:50123,OfficeActivity\n\
            2f3c,\"9/1/2025, 10:01:00.000 AM\",SharePointFileOperation,FileDownloaded,9a,Regular,1003,SharePoint,Succeeded,\"https://s.example/dim/liste, copie.xlsx\",anne@chu.example,203.0.113.9,OfficeActivity\n";
        let (source, out) = read(office);
        assert_eq!(
            (source, out.event_count, out.reject_count),
            ("office365", 2, 0)
        );
        let verbs: Vec<Verb> = out.events.iter().map(|e| e.verb).collect();
        assert_eq!(verbs, [Verb::Read, Verb::Export]);
        let e = out.events.get(1);
        assert_eq!((&*e.user, &*e.src_ip), ("anne@chu.example", "203.0.113.9"));
        assert_eq!(&*e.object, "https://s.example/dim/liste, copie.xlsx");
        assert_eq!(e.time, 1_756_720_860_000_000_000);
        let row = |code: &str, ip: &str| {
            format!(
                "2f3c,\"9/1/2025, 8:00:01.250 AM\",\"Sign-in activity\",SignInLogs,{code},Outlook,success,\"9/1/2025, 8:00:00.000 AM\",{ip},\"{{\"\"city\"\":\"\"Rennes\"\",\"\"countryOrRegion\"\":\"\"FR\"\"}}\",\"{{\"\"errorCode\"\":{code}}}\",anne@chu.example,SigninLogs\n"
            )
        };
        let signs = format!(
            "TenantId,\"TimeGenerated [UTC]\",OperationName,Category,ResultType,AppDisplayName,ConditionalAccessStatus,\"CreatedDateTime [UTC]\",IPAddress,LocationDetails,Status,UserPrincipalName,Type\n{}{}",
            row("0", "203.0.113.9"),
            row("50126", "198.51.100.7")
        );
        let (source, out) = read(&signs);
        assert!(source.starts_with("entra-id"), "{source}");
        assert_eq!((out.event_count, out.reject_count), (2, 0));
        let found: Vec<_> = (out.events.iter())
            .map(|e| (e.verb, e.outcome, e.user.to_string(), e.src_ip.to_string()))
            .collect();
        let one = |outcome, ip: &str| {
            let user = "anne@chu.example".to_string();
            (Verb::Login, outcome, user, ip.to_string())
        };
        let both = [
            one(Outcome::Success, "203.0.113.9"),
            one(Outcome::Failure, "198.51.100.7"),
        ];
        assert_eq!(found, both);
    }

    #[test]
    fn a_table_of_anything_is_no_table_of_events() {
        let text = "id,nom,date,montant\n1,Durand,2025-09-01,3\n2,Martin,2025-09-02,4\n";
        let head = Head {
            bytes: text.as_bytes(),
            whole: true,
        };
        for format in [None, crate::by_name("syslog-kv")] {
            assert!(open(&head, &Setting::default(), format).is_none());
        }
    }
}
