//! Lines of a log inside what carried them: one object of JSON a line with the line itself in one field, or a syslog header before a
//! line whose source knows none. The record is the outer line; what it tells is the inner one's, but for the time and the machine where
//! that says none. A batch of lines in one field is as many records. Docker "json-file" and journald's JSON
//! export, Elastic Common Schema (`event.original`, `message`), Logstash, Elasticsearch exports (`_source`), GELF 1.1 (`full_message`,
//! `short_message`), Kafka (`payload`), Loki (`line`), Splunk (`_raw`), Sentinel (`SyslogMessage`), rsyslog (`msg`, `rawmsg`),
//! OpenTelemetry with one record a line (`body`), Fluentd files; RFC 3164 §4.1, RFC 5424 §6.
use crate::{
    Confidence, Decode, Decoded, Head, MAPPED, Reason, Setting, Source, lines, mapped, reader,
    scan::{self, Pairs},
    syslog, tables,
    time::{self, Clock, Stamp},
};
use ampleur_event::{Event, Verb, time::NO_TIME};
use std::{borrow::Cow, cell::OnceCell};

/// Where carriers put the line as it was, the surest first.
const FIELDS: [&str; 18] = [
    "event.original",
    "_source.event.original",
    "full_message",
    "log",
    "MESSAGE",
    "rawmsg",
    "message",
    "_source.message",
    "short_message",
    "payload",
    "line",
    "msg",
    "SyslogMessage",
    "RawData",
    "_raw",
    "result._raw",
    "body",
    "body.stringValue",
];
/// A log record of OpenTelemetry keeps its line deep inside.
const DEEP: &str = ".body.stringValue";
/// Lines of one file whose shape may be looked at for a source not met before.
const TRIES: u32 = 4096;
/// Sources one file may hold.
const MOST: usize = 32;

/// Where carriers name the program that spoke, its process, the machine and the time, the surest first. In lower case.
const PROGRAMS: [&str; 10] = [
    "syslog_identifier",
    "program",
    "syslogtag",
    "processname",
    "programname",
    "process.name",
    "log.syslog.appname",
    "application_name",
    "_process_name",
    "appname",
];
const PROCESSES: [&str; 5] = ["syslog_pid", "_pid", "procid", "process.pid", "processid"];
const HOSTS: [&str; 11] = [
    "_hostname",
    "hostname",
    "host.hostname",
    "host.name",
    "log.syslog.hostname",
    "host",
    "computer",
    "fromhost",
    "agent.hostname",
    "machine",
    "source",
];
const TIMES: [&str; 11] = [
    "_source_realtime_timestamp",
    "__realtime_timestamp",
    "timereported",
    "@timestamp",
    "timestamp",
    "_time",
    "eventtime",
    "timegenerated",
    "time",
    "datetime",
    "date",
];

/// What the carrier says of a line.
#[derive(Default)]
struct Carrier {
    program: String,
    pid: String,
    host: String,
    /// ISO 8601, with its zone where one is known.
    time: String,
}

impl Carrier {
    fn of(pairs: &[(Cow<'_, str>, Cow<'_, str>)]) -> Carrier {
        let names: Vec<String> = (pairs.iter())
            .map(|(k, _)| {
                let around = ["_source.", "result."];
                let bare = around.iter().find_map(|p| k.strip_prefix(p));
                bare.unwrap_or(k).to_ascii_lowercase()
            })
            .collect();
        let get = |wanted: &[&str], fits: &dyn Fn(&str) -> bool| -> String {
            let found = wanted.iter().find_map(|w| {
                let at = names.iter().position(|n| n == w)?;
                let v = pairs[at].1.trim();
                (!v.is_empty() && v != "-" && fits(v)).then(|| v.to_string())
            });
            found.unwrap_or_default()
        };
        let word = |v: &str| v.len() < 254 && !v.contains(|c: char| c.is_whitespace() || c == '/');
        let program = get(&PROGRAMS, &|_| true);
        let program = program.trim_end_matches(':').split('[').next();
        let time = TIMES.iter().find_map(|w| {
            names.iter().zip(pairs).find_map(|(name, (_, v))| {
                let bare = name.trim_end_matches(['[', ']', '(', ')', 'u', 't', 'c', ' ']);
                let utc = bare.len() < name.len() && name.ends_with(['c', ']', ')']);
                (name == w || utc && bare == *w).then(|| moment(v, utc))?
            })
        });
        Carrier {
            program: program.unwrap_or("").to_string(),
            pid: get(&PROCESSES, &|v| v.bytes().all(|b| b.is_ascii_digit())),
            host: get(&HOSTS, &word),
            time: time.unwrap_or_default(),
        }
    }
    /// The line as if a syslog header stood before it.
    fn headed(&self, text: &str) -> Option<String> {
        if self.time.is_empty() || self.program.is_empty() && self.host.is_empty() {
            return None;
        }
        let mut all = format!("{} ", self.time);
        if !self.host.is_empty() {
            all += &self.host;
            all.push(' ');
        }
        if !self.program.is_empty() {
            all += &self.program;
            if !self.pid.is_empty() {
                all += &format!("[{}]", self.pid);
            }
            all += ": ";
        }
        Some(all + text)
    }
}

/// A carrier's time as ISO 8601.
pub(crate) fn moment(text: &str, utc: bool) -> Option<String> {
    let text = text.trim();
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        let at = jiff::Timestamp::from_nanosecond(time::epoch(text)?.into()).ok()?;
        return Some(at.to_string());
    }
    let shown = tables::instant(text);
    let text = shown.as_deref().unwrap_or(text);
    let (_, offset, n) = time::iso(text.as_bytes())?;
    let zone = if utc && offset.is_none() { "Z" } else { "" };
    Some(text[..n].replacen(' ', "T", 1) + zone)
}

/// The line inside an object, and the other fields of the object.
fn inside(line: &[u8]) -> Option<(Cow<'_, str>, Pairs<'_>)> {
    let object = match line.first() {
        Some(b'{') => line,
        // Fluentd: stamp, tag, object.
        Some(b'0'..=b'9') => {
            let at = memchr::memchr(b'{', line)?;
            if memchr::memchr_iter(b'\t', &line[..at]).count() != 2 || line[at - 1] != b'\t' {
                return None;
            }
            &line[at..]
        }
        _ => return None,
    };
    let text = std::str::from_utf8(object).ok()?;
    let mut pairs = scan::flatten(text).ok()?;
    let named = FIELDS
        .iter()
        .find_map(|f| pairs.iter().position(|(k, v)| k == f && !v.is_empty()));
    let at = named.or_else(|| {
        let mut deep = (pairs.iter().enumerate()).filter(|(_, (k, _))| k.ends_with(DEEP));
        let first = deep.next()?.0;
        deep.next().is_none().then_some(first)
    })?;
    let text = pairs.swap_remove(at).1;
    Some((text, pairs))
}

/// What stands behind the syslog header of a line that has one; a relay may have put one before another.
pub(crate) fn message<'t>(line: &'t str, clock: &mut Clock) -> Option<&'t str> {
    let mut peel = |line: &'t str, relayed: bool| {
        let h = syslog::header(line, clock)?;
        let text = line.get(h.message..)?.trim();
        let named = h.priority.is_some() || !h.program.is_empty();
        let headed = named || !relayed && !h.host.is_empty();
        (h.message > 0 && !text.is_empty() && headed).then_some(text)
    };
    let mut text = peel(line, false)?;
    for _ in 0..3 {
        match peel(text, true) {
            Some(t) => text = t,
            None => break,
        }
    }
    Some(text)
}

/// What a line may hold.
struct Held<'l> {
    /// The line inside an object, and what stands behind a syslog header.
    texts: [Option<String>; 2],
    /// The line inside with a header made of what the object says. This and what the object says are looked for when they are missed.
    headed: OnceCell<Option<String>>,
    object: Option<Pairs<'l>>,
    carrier: OnceCell<Carrier>,
    /// What the header of the line says.
    program: String,
    time: Stamp,
    host: String,
}

fn held<'l>(line: &'l [u8], clock: &mut Clock) -> Held<'l> {
    let (whole, object) = match inside(line) {
        Some((text, pairs)) => (text, Some(pairs)),
        None => (lines::text(line), None),
    };
    let whole = match object.is_some() {
        true => whole.trim(),
        false => &*whole,
    };
    let head = syslog::header(whole, clock);
    Held {
        texts: [
            object.is_some().then(|| whole.to_string()),
            message(whole, clock).map(str::to_string),
        ],
        headed: OnceCell::new(),
        object,
        carrier: OnceCell::new(),
        program: head.map_or(String::new(), |h| h.program.to_string()),
        time: head.map_or(Stamp::NONE, |h| h.time),
        host: head.map_or(String::new(), |h| mapped::host_of(&h).to_string()),
    }
}

impl Held<'_> {
    fn carrier(&self) -> &Carrier {
        let of = || (self.object.as_deref()).map_or_else(Carrier::default, Carrier::of);
        self.carrier.get_or_init(of)
    }
    fn text(&self, variant: usize) -> Option<&str> {
        if let Some(text) = self.texts.get(variant) {
            return text.as_deref();
        }
        let headed = || self.carrier().headed(self.texts[0].as_deref()?);
        self.headed.get_or_init(headed).as_deref()
    }
    fn program(&self) -> &str {
        match &*self.carrier().program {
            "" => &self.program,
            p => p,
        }
    }
    /// Something was understood, and when it was is known.
    fn tells(&self, found: &Decoded) -> bool {
        let timed = || self.time != Stamp::NONE || !self.carrier().time.is_empty();
        let mut events = found.events.iter();
        events.any(|e| e.verb != Verb::Other && (e.time != NO_TIME || timed()))
    }
    /// Gives an event what its line did not say.
    fn fill(&self, e: &mut Event<'_>, clock: &mut Clock) {
        if e.time == NO_TIME {
            let told = || time::iso(self.carrier().time.as_bytes());
            if self.time != Stamp::NONE {
                self.time.put(e);
            } else if let Some((local, offset, _)) = told() {
                clock.stamp(local, offset).put(e);
            }
        }
        // The host of a web request is the one that was asked.
        if e.host.is_empty() && e.http_method.is_empty() {
            let host = match &*self.carrier().host {
                "" => &self.host,
                h => h,
            };
            e.host = Cow::Owned(host.to_string());
        }
    }
}

/// Lines of a file whose carrier can be opened.
pub(crate) struct Carried {
    pub source: &'static dyn Source,
    pub decoder: Box<dyn Decode>,
    /// Objects of JSON, not headers alone.
    pub objects: bool,
}

/// The source of the lines inside, `format` if it is given, and a decoder that opens what carries them; `None` when these are carried
/// by nothing or nobody knows what is inside.
pub(crate) fn open(
    head: &Head<'_>,
    setting: &Setting,
    format: Option<&'static dyn Source>,
) -> Option<Carried> {
    let mut clock = Clock::new(setting);
    let (mut all, mut opened, mut objects) = (0, 0, 0);
    let mut within = [vec![], vec![], vec![]];
    for line in lines::sample(head) {
        all += 1;
        let held = held(line, &mut clock);
        let found = [0, 1, 2].map(|v| held.text(v).map(str::to_string));
        objects += usize::from(found[0].is_some());
        opened += usize::from(found.iter().any(Option::is_some));
        for (text, all) in found.into_iter().zip(&mut within) {
            if let Some(t) = text {
                all.extend_from_slice(t.as_bytes());
                all.push(b'\n');
            }
        }
    }
    if opened * 2 <= all {
        return None;
    }
    let known = |bytes: &[u8]| -> Option<&'static dyn Source> {
        let head = Head {
            bytes,
            whole: head.whole,
        };
        match format {
            Some(s) => (s.sniff(&head) > Confidence::No).then_some(s),
            None => likely(&head, setting),
        }
    };
    let told = |bytes| known(bytes).map(|s| (s, bytes));
    let whole = within.iter().find_map(|w| told(w.as_slice()));
    // Several programs: the first line that tells its source.
    let mut each = within
        .iter()
        .flat_map(|w| w.split_inclusive(|b| *b == b'\n'));
    let (source, bytes) = whole.or_else(|| each.find_map(told))?;
    let mut decoder = Enveloped {
        setting: setting.clone(),
        clock,
        inner: vec![],
        last: (0, 0),
        tries: 0,
        fixed: format.is_some(),
    };
    decoder.add(source, bytes);
    Some(Carried {
        source,
        decoder: Box::new(decoder),
        objects: objects * 2 > all,
    })
}

/// A decoder for lines of anybody, each in an object of JSON that says who spoke, when and where.
pub(crate) fn of_anything(setting: &Setting) -> Box<dyn Decode> {
    Box::new(Enveloped {
        setting: setting.clone(),
        clock: Clock::new(setting),
        inner: vec![],
        last: (0, 0),
        tries: 0,
        fixed: false,
    })
}

/// A decoder of `source` for lines behind a syslog header that source knows nothing of.
pub(crate) fn peeled(
    source: &'static dyn Source,
    bytes: &[u8],
    setting: &Setting,
) -> Box<dyn Decode> {
    let mut decoder = Enveloped {
        setting: setting.clone(),
        clock: Clock::new(setting),
        inner: vec![],
        last: (0, 1),
        tries: 0,
        fixed: true,
    };
    decoder.add(source, bytes);
    Box::new(decoder)
}

/// The source that is sure of these bytes, other than the one that takes syslog of anything.
pub(crate) fn likely(head: &Head<'_>, setting: &Setting) -> Option<&'static dyn Source> {
    let (sure, s) = reader::sniff_with(head, &setting.mappings)?;
    (sure >= Confidence::Likely && s.name() != mapped::SyslogMixed.name()).then_some(s)
}

/// Something was understood: what happened, and when.
pub(crate) fn tells(found: &Decoded) -> usize {
    let events = found.events.iter();
    events
        .filter(|e| e.verb != Verb::Other && e.time != NO_TIME)
        .count()
}

/// A source for lines inside.
struct Inner {
    source: &'static dyn Source,
    /// First byte of what the decoder was opened for.
    shape: Option<u8>,
    decoder: Box<dyn Decode>,
}

struct Enveloped {
    setting: Setting,
    clock: Clock,
    inner: Vec<Inner>,
    /// The decoder and the variant that told something last.
    last: (usize, usize),
    tries: u32,
    /// No other source is looked for.
    fixed: bool,
}

impl Enveloped {
    fn add(&mut self, source: &'static dyn Source, bytes: &[u8]) -> usize {
        let head = Head { bytes, whole: true };
        let decoder = source.open(&head, &self.setting);
        self.inner.push(Inner {
            source,
            shape: bytes.first().copied(),
            decoder,
        });
        self.inner.len() - 1
    }
    fn ask(&mut self, at: usize, text: &str) -> Decoded {
        let mut one = Vec::with_capacity(text.len() + 1);
        one.extend_from_slice(text.as_bytes());
        one.push(b'\n');
        let mut found = Decoded::default();
        let decoder = &mut self.inner[at].decoder;
        decoder.decode(&one, true, &mut found);
        decoder.finish(&mut found);
        found
    }
    /// What a line tells: by the source that told something last, by the others, by one not met before. Without any, what the first
    /// made of it.
    fn told(&mut self, held: &Held<'_>) -> Option<Decoded> {
        let mut kept: Option<Decoded> = None;
        let (first, variant) = self.last;
        let order = [variant, (variant + 1) % 3, (variant + 2) % 3];
        for v in order {
            let Some(text) = held.text(v) else { continue };
            for k in 0..self.inner.len() {
                let at = (first + k) % self.inner.len();
                let found = self.ask(at, text);
                if held.tells(&found) {
                    self.last = (at, v);
                    return Some(found);
                }
                if kept
                    .as_ref()
                    .is_none_or(|k| k.event_count == 0 && found.event_count > 0)
                {
                    kept = Some(found);
                }
            }
        }
        if self.fixed || self.inner.len() >= MOST {
            return kept;
        }
        for v in order {
            let Some(text) = held.text(v) else { continue };
            let head = Head {
                bytes: text.as_bytes(),
                whole: true,
            };
            let program = if v == 2 { held.program() } else { "" };
            let by_name = mapped::claims().get(program);
            let by_name = by_name.map(|i| &MAPPED[usize::from(*i)] as &'static dyn Source);
            let looked_at = by_name.is_some() || self.tries < TRIES;
            self.tries += u32::from(by_name.is_none() && looked_at);
            let by_shape = || looked_at.then(|| likely(&head, &self.setting))?;
            let Some(source) = by_name.or_else(by_shape) else {
                continue;
            };
            // One source may read several shapes, each with a decoder of its own.
            let shape = text.as_bytes().first().copied();
            if (self.inner.iter()).any(|i| i.source.name() == source.name() && i.shape == shape) {
                continue;
            }
            let at = self.add(source, text.as_bytes());
            let found = self.ask(at, text);
            if held.tells(&found) {
                self.last = (at, v);
                return Some(found);
            }
        }
        kept
    }
}

impl Decode for Enveloped {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        lines::each(bytes, last, out, |line, at, len, finished, out| {
            let held = held(line, &mut self.clock);
            let found = self.told(&held);
            if found.as_ref().is_none_or(|f| f.event_count == 0)
                && syslog::keeps_house(held.program())
            {
                let mut e = Event {
                    process: Cow::Borrowed(held.program()),
                    ..Event::default()
                };
                held.fill(&mut e, &mut self.clock);
                return out.event(e, at, len);
            }
            let Some(found) = found else {
                let reason = match finished {
                    true => Reason::Shape,
                    false => Reason::Truncated,
                };
                return out.reject(bytes, at, len, reason);
            };
            out.carried(&found, (bytes, at, len), |e| held.fill(e, &mut self.clock));
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Head;

    const LINE: &str = r#"192.0.2.9 - marie [14/Sep/2025:01:00:36 +0200] "GET /p?q=a HTTP/1.1" 200 51 "-" "curl/8""#;

    #[test]
    fn a_line_is_read_through_every_envelope() {
        let quoted = serde_json::Value::String(format!("{LINE}\n")).to_string();
        for envelope in [
            format!(r#"{{"log":{quoted},"stream":"stdout","time":"2025-09-13T23:00:36Z"}}"#),
            format!(r#"{{"MESSAGE":{quoted},"_HOSTNAME":"web1","PRIORITY":"6"}}"#),
            format!(r#"{{"@timestamp":"2025-09-13T23:00:36Z","message":{quoted}}}"#),
            format!(r#"{{"message":"GET /p","event":{{"original":{quoted}}}}}"#),
            format!(r#"{{"_index":"x","_source":{{"message":{quoted}}}}}"#),
            format!(
                r#"{{"version":"1.1","host":"web1","short_message":"GET","full_message":{quoted}}}"#
            ),
            format!(r#"{{"topic":"logs","partition":0,"key":null,"payload":{quoted}}}"#),
            format!(r#"{{"labels":{{"job":"nginx"}},"line":{quoted},"timestamp":"x"}}"#),
            format!(r#"{{"preview":false,"result":{{"_raw":{quoted},"host":"web1"}}}}"#),
            format!(r#"{{"timereported":"x","syslogtag":"nginx:","msg":{quoted}}}"#),
            format!(
                r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{{"stringValue":{quoted}}}}}]}}]}}]}}"#
            ),
            format!("2025-11-03T03:27:45+01:00\tnginx\t{{\"log\":{quoted}}}"),
        ] {
            // A line of the carrier's own, and one that was cut.
            let text = format!(
                "{envelope}\n{envelope}\n{envelope}\n{envelope}\n{{\"x\":1}}\n{{\"log\":\""
            );
            let head = Head {
                bytes: text.as_bytes(),
                whole: true,
            };
            let setting = Setting::default();
            let Carried {
                source,
                mut decoder,
                ..
            } = open(&head, &setting, None).unwrap_or_else(|| panic!("{envelope}"));
            assert_eq!(source.name(), "http-access");
            let mut out = Decoded::default();
            assert_eq!(decoder.decode(text.as_bytes(), true, &mut out), text.len());
            assert!(out.balanced());
            assert_eq!((out.records, out.event_count, out.reject_count), (6, 4, 2));
            let e = out.events.get(1);
            assert_eq!((&*e.user, &*e.url, e.record), ("marie", "/p?q=a", 2));
            assert_eq!(
                (e.offset, e.len),
                (envelope.len() as u64 + 1, envelope.len() as u64 + 1)
            );
        }
    }

    #[test]
    fn a_carrier_says_who_spoke_when_and_where() {
        let ssh = "Accepted publickey for adurand from 203.0.113.8 port 50011 ssh2: RSA SHA256:abc";
        for line in [
            format!(
                r#"{{"__REALTIME_TIMESTAMP":"1757811636123456","SYSLOG_IDENTIFIER":"sshd","_PID":"71","_HOSTNAME":"srv2","MESSAGE":"{ssh}"}}"#
            ),
            format!(
                r#"{{"version":"1.1","host":"srv2","short_message":"{ssh}","timestamp":1757811636.123456,"_process_name":"sshd"}}"#
            ),
            format!(
                r#"{{"timestamp":"2025-09-14T03:00:36.123456+02:00","hostname":"srv2","programname":"sshd","msg":"{ssh}"}}"#
            ),
        ] {
            let head = Head {
                bytes: line.as_bytes(),
                whole: true,
            };
            let (_, mut decoder) =
                reader::claim(&head, &Setting::default(), None).expect("claimed");
            let mut out = Decoded::default();
            decoder.decode(line.as_bytes(), true, &mut out);
            let e = out.events.get(0);
            assert_eq!(
                (&*e.user, &*e.host, e.verb),
                ("adurand", "srv2", Verb::Login)
            );
            assert_eq!(e.time, 1_757_811_636_123_456_000, "{line}");
        }
    }

    /// A declared format is that of the lines inside, when the outer ones do not have its shape.
    #[test]
    fn a_declared_format_is_found_inside() {
        let quoted = serde_json::Value::String(LINE.into()).to_string();
        let text = format!("{{\"log\":{quoted}}}\n");
        let head = Head {
            bytes: text.as_bytes(),
            whole: true,
        };
        for (format, events) in [("http-access", 1), ("openvpn", 0)] {
            let format = crate::by_name(format);
            let (source, mut decoder) =
                reader::claim(&head, &Setting::default(), format).expect("it is declared");
            assert_eq!(Some(source.name()), format.map(|f| f.name()));
            let mut out = Decoded::default();
            decoder.decode(text.as_bytes(), true, &mut out);
            decoder.finish(&mut out);
            assert_eq!(out.event_count, events);
        }
    }

    /// One carrier, several programs: each line goes to the source that understands it, in any order; who keeps house is kept.
    #[test]
    fn several_programs_in_one_carrier_are_told_apart() {
        let carried = |program: &str, text: &str| {
            let text = serde_json::Value::String(text.into());
            format!("{{\"SYSLOG_IDENTIFIER\":\"{program}\",\"MESSAGE\":{text}}}\n")
        };
        let kc = r#"{"@timestamp":"2025-03-03T09:00:01Z","log.logger":"org.keycloak.events","message":"type=\"LOGIN\", realmId=\"r\", clientId=\"c\", userId=\"u1\", ipAddress=\"192.0.2.9\", username=\"marie\""}"#;
        let fgt = r#"<190>date=2024-12-02 time=15:14:35 devname="PF-VPN-1" devid="FGT60F8761440795" eventtime=1733148875000000000 tz="+0100" logid="0101039424" type="event" subtype="vpn" level="information" vd="root" logdesc="SSL VPN tunnel up" action="tunnel-up" tunneltype="ssl-tunnel" tunnelid=7 remip=203.0.113.7 tunnelip=10.212.134.5 user="g.jacquemin" reason="N/A" msg="SSL tunnel established""#;
        let text = [
            carried("nginx", LINE),
            carried("fortigate", fgt),
            carried("keycloak", kc),
            carried("CRON[2]", "(root) CMD (true)"),
            carried("dpi-app", "nobody knows this"),
            carried("nginx", LINE),
        ]
        .concat();
        let head = Head {
            bytes: text.as_bytes(),
            whole: true,
        };
        let (_, mut decoder) = reader::claim(&head, &Setting::default(), None).expect("opened");
        let mut out = Decoded::default();
        decoder.decode(text.as_bytes(), true, &mut out);
        decoder.finish(&mut out);
        let users: Vec<String> = out.events.iter().map(|e| e.user.to_string()).collect();
        assert_eq!(users, ["marie", "g.jacquemin", "marie", "", "marie"]);
        assert_eq!((out.records, out.reject_count), (6, 1));
        assert!(out.balanced());
    }

    /// Collectors send lines in batches: each of a message is a record, at the place of what carried it.
    #[test]
    fn no_line_of_a_batch_is_lost() {
        let other = LINE
            .replace("marie", "paul")
            .replace("192.0.2.9", "192.0.2.10");
        let message = |text: &str| {
            let text = serde_json::Value::String(text.into());
            format!("{{\"@timestamp\":\"2025-09-13T23:00:36Z\",\"message\":{text}}}")
        };
        let single = message(LINE);
        let batch = message(&format!("{LINE}\n{other}\nnothing of the kind\n\n{LINE}\n"));
        let lines = format!("{single}\n{batch}\n{single}\n");
        let array = format!("[{single},{batch},{single}]");
        let table = format!(
            "time;message\n2025-09-13T23:00:36Z;\"{0}\"\n2025-09-13T23:00:36Z;\"{0}\n{1}\"\n",
            LINE.replace('"', "\"\""),
            other.replace('"', "\"\"")
        );
        let expected = "marie marie paul marie marie";
        let trace = message("nobody knows this\n at first\n at second");
        let traces = format!("{single}\n{single}\n{trace}\n{single}\n");
        for (text, users, rejects) in [
            (traces, "marie marie marie", 1),
            (lines, expected, 1),
            (array, expected, 1),
            (table, "marie marie paul", 0),
        ] {
            for block in [1 << 20, 5] {
                let mut all = reader::Collect::default();
                let limits = reader::Limits {
                    block_bytes: block,
                    ..reader::Limits::default()
                };
                let setting = Setting::default();
                let r = reader::read_bytes(text.as_bytes(), 0, None, &setting, &limits, &mut all)
                    .expect("read");
                let found: Vec<&str> = all.events.iter().map(|e| &*e.user).collect();
                assert_eq!(
                    (found.join(" ").as_str(), r.rejects),
                    (users, rejects),
                    "{text}"
                );
                assert_eq!(r.records, r.events + r.rejects + r.skipped);
                let Some(paul) = all.events.iter().find(|e| e.user == "paul") else {
                    assert!(!users.contains("paul"));
                    continue;
                };
                let (from, len) = (paul.offset as usize, paul.len as usize);
                assert!(text[from..from + len].contains("nothing of") || rejects == 0);
                assert!(text[from..from + len].contains("marie"));
            }
        }
    }

    /// A source that reads several shapes gets a decoder for the one that is there, also where other programs spoke first.
    #[test]
    fn a_source_of_several_shapes_is_opened_for_the_one_that_is_there() {
        let event = r#"{"EventTime":"2025-03-03T10:00:01Z","Hostname":"FS","EventID":4624,"Channel":"Security","SourceName":"Microsoft-Windows-Security-Auditing","TargetUserName":"marie","TargetLogonId":"0x3e8","LogonType":3,"IpAddress":"192.0.2.9","RecordNumber":7}"#;
        let carried = |text: &str| {
            format!(
                "{{\"MESSAGE\":{}}}\n",
                serde_json::Value::String(text.into())
            )
        };
        let text = carried("nobody knows this").repeat(3) + &carried(event);
        let head = Head {
            bytes: text.as_bytes(),
            whole: true,
        };
        let mut found = open(&head, &Setting::default(), None).expect("opened");
        assert_eq!(found.source.name(), "windows-security");
        let mut out = Decoded::default();
        found.decoder.decode(text.as_bytes(), true, &mut out);
        assert_eq!((out.records, out.event_count, tells(&out)), (4, 1, 1));
        assert_eq!(out.events.get(0).user, "marie");
    }

    fn part() -> impl proptest::strategy::Strategy<Value = String> {
        use proptest::prelude::*;
        prop_oneof![
            Just(LINE.to_string()),
            Just(format!("<134>Mar  3 10:00:01 web1 nginx[7]: {LINE}")),
            Just("Mar  3 10:00:01 srv1 sshd[4]: Accepted password for root from 192.0.2.7 port 5 ssh2".to_string()),
            Just("<30>1 2025-03-03T10:00:01Z h CRON 7 - - (root) CMD".to_string()),
            Just(format!("{{\"log\":{}}}", serde_json::Value::String(LINE.into()))),
            Just("{\"message\":\"x\",\"a\":[{\"b\":\"}\"}]}".to_string()),
            Just("{\"took\":1,\"hits\":{\"hits\":[".to_string()),
            Just("]}}".to_string()),
            Just(format!("{{\"fields\":[\"_raw\"],\"rows\":[[{0}],[{0}]]}}", serde_json::Value::String(LINE.into()))),
            Just(format!("[{0},{0}]", serde_json::Value::String(LINE.into()))),
            Just("[".to_string()),
            Just("]".to_string()),
            Just(",".to_string()),
            Just("\"date\",\"time\",\"logid\",\"type\"".to_string()),
            "[ -~é\\t]{0,12}",
        ]
    }

    proptest::proptest! {
        /// Whatever the pieces and however they are cut, every byte is handed on once and every record counted once.
        #[test]
        fn anything_carried_is_counted_whole(
            parts in proptest::collection::vec((part(), proptest::prop_oneof!["\n", "", "\r\n", " "]), 0..24),
            block in 1usize..400,
        ) {
            let text: String = parts.into_iter().map(|(a, b)| a + &b).collect();
            let limits = reader::Limits { block_bytes: block, ..reader::Limits::default() };
            let mut all = reader::Collect::default();
            let r = reader::read_bytes(text.as_bytes(), 0, None, &Setting::default(), &limits, &mut all).unwrap();
            proptest::prop_assert_eq!(&all.bytes, text.as_bytes());
            proptest::prop_assert_eq!(r.records, r.events + r.rejects + r.skipped);
            for e in &all.events {
                proptest::prop_assert!((e.offset + e.len) as usize <= text.len(), "{:?}", e);
            }
            let numbers: Vec<u64> = all.events.iter().map(|e| e.record).collect();
            proptest::prop_assert!(numbers.windows(2).all(|w| w[0] < w[1]), "{:?}", numbers);
        }
    }

    #[test]
    fn what_holds_no_line_of_a_log_is_no_envelope() {
        let text = "{\"log\":\"starting up\"}\n{\"log\":\"ready\"}\n";
        let head = Head {
            bytes: text.as_bytes(),
            whole: true,
        };
        assert!(open(&head, &Setting::default(), None).is_none());
    }
}
