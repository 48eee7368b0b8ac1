//! Fortinet FortiGate: syslog key=value, the comma-separated variant and CEF. Standard: FortiOS Log Reference, "Log field format";
//! CEF per ArcSight Common Event Format §2. Times: `eventtime` (seconds to nanoseconds) if there, else `date` + `time` + `tz`,
//! else `date` + `time` in the zone of the source. Kept: SSL-VPN and IPsec tunnels, logins, traffic, web filter, system events.
//!
//! Bytes: `sentbyte` → `bytes_out`, `rcvdbyte` → `bytes_in`. For traffic, sent is from `srcip` to `dstip`; for tunnels it is the
//! gateway's view (sent to the remote client). Interim traffic rows carry running totals of their session; each row is given
//! what is new since the row before it in the same file, so that rows of one session can be added. Tunnel statistics stay totals.
//!
//! Not here: FortiMail, FortiWeb, FortiProxy, which share the key=value form but not the field meaning.
use crate::{
    Confidence, Decode, Decoded, Head, Reason, Setting, Source, Standard,
    kv::{Cef, Course, Pairs, unescape, unescape_cef},
    lines, net, syslog,
    time::{self, Clock, Stamp},
};
use ampleur_event::{
    Capability, Event, GapSign, Outcome, Proof, Silence, System, Verb, account::is_placeholder,
    batch::NONE,
};
use rustc_hash::FxHashMap;
use std::borrow::Cow;

pub(crate) struct FortinetFortigate;

impl Source for FortinetFortigate {
    fn name(&self) -> &'static str {
        "fortinet-fortigate"
    }
    fn about(&self) -> &'static str {
        "Fortinet FortiGate firewall and VPN: tunnels, logins, traffic, system events (key=value syslog, CSV, CEF)"
    }
    fn standard(&self) -> Standard {
        Standard {
            name: "FortiOS Log Reference",
            section: "Log field format",
        }
    }
    fn capability(&self) -> Capability {
        Capability {
            rows: &[
                (Verb::TunnelUp, Proof::Presence),
                (Verb::TunnelDown, Proof::Presence),
                (Verb::TunnelStats, Proof::Transfer),
                (Verb::Login, Proof::Presence),
                (Verb::Logout, Proof::Presence),
                (Verb::Flow, Proof::Transfer),
                (Verb::Heartbeat, Proof::Health),
                (Verb::Config, Proof::Change),
                (Verb::Restart, Proof::Health),
                (Verb::AuditOff, Proof::Health),
                (Verb::AuditClear, Proof::Health),
            ],
            silence: Silence::NoPresence,
            names_results: false,
            gap: GapSign::RateOnly,
        }
    }
    fn sniff(&self, head: &Head<'_>) -> Confidence {
        let (mut seen, mut sure, mut likely) = (0, 0, 0);
        for line in lines::sample(head) {
            if seen == 0 && columns(&lines::text(line)).is_some() {
                return Confidence::Certain;
            }
            seen += 1;
            let has = |w: &[u8]| memchr::memmem::find(line, w).is_some();
            // FortiWeb writes the same form with other meanings; so does FortiProxy, told by its serial number if at all.
            let sibling: [&[u8]; 4] = [
                b"devid=\"FPX",
                b"devid=FPX",
                b"device_id=FV",
                b"device_id=\"FV",
            ];
            if sibling.iter().any(|w| has(w)) || has(b"|Fortinet|FortiWeb") || has(b"msg_id=") {
                continue;
            }
            if has(b"|Fortinet|Forti") {
                sure += 1;
                continue;
            }
            let words: [&[u8]; 8] = [
                b"logid=",
                b"devid=",
                b"devname=",
                b"subtype=",
                b"eventtime=",
                b"vd=",
                b"logdesc=",
                b"log_id=",
            ];
            let n = words.iter().filter(|w| has(w)).count();
            sure += usize::from(n >= 4 && has(b"type="));
            likely += usize::from(n >= 3);
        }
        if sure * 2 > seen {
            Confidence::Certain
        } else if (sure + likely) * 3 > seen {
            Confidence::Likely
        } else {
            Confidence::No
        }
    }
    fn open(&self, _head: &Head<'_>, setting: &Setting) -> Box<dyn Decode> {
        Box::new(Decoder {
            clock: Clock::new(setting),
            accounts: setting.accounts,
            flows: FxHashMap::default(),
            interim: false,
            extra: String::new(),
            columns: None,
            course: Course::new(field("")),
        })
    }
}

/// Cells of one line of CSV; `None` when it is none.
fn cells(line: &str) -> Option<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(line.as_bytes());
    let row = reader.records().next()?.ok()?;
    Some(row.iter().map(str::to_string).collect())
}

/// Names of the fields where the line is the heading of an export with one column for each.
fn columns(line: &str) -> Option<Vec<String>> {
    if line.contains('=') || !line.contains("logid") {
        return None;
    }
    let names = cells(line)?;
    let has = |n: &str| names.iter().any(|c| c == n);
    (has("logid") && has("type") && has("date") && has("time")).then_some(names)
}

/// Names and values as FortiOS writes them in a line, of the cells of an export.
fn joined(names: Option<&[String]>, line: &str) -> Option<String> {
    let mut out = String::new();
    for (i, cell) in cells(line)?.iter().enumerate() {
        let (name, value) = match names {
            Some(n) => (n.get(i)?.as_str(), cell.as_str()),
            None => cell.split_once('=')?,
        };
        if !value.is_empty() {
            let value = value.replace('"', "\\\"");
            out.push_str(&format!("{name}=\"{value}\" "));
        }
    }
    Some(out)
}

struct Decoder {
    clock: Clock,
    accounts: Option<System>,
    /// Bytes already given out for sessions that have interim rows, by session number.
    flows: FxHashMap<u64, (u64, u64)>,
    /// A session with interim rows was met.
    interim: bool,
    extra: String,
    /// Of an export with one column for each field.
    columns: Option<Vec<String>>,
    course: Course<Take>,
}

/// Sessions followed at a time; beyond it the oldest knowledge is dropped and totals count as new.
const FLOWS_MAX: usize = 1 << 16;

impl Decode for Decoder {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        lines::each(bytes, last, out, |line, at, len, finished, out| {
            let mut text = lines::text(line);
            if line.starts_with(b"\"") || self.columns.is_some() {
                // A heading tells of no event.
                if let Some(names) = columns(&text) {
                    self.columns = Some(names);
                    return out.skip();
                }
                if let Some(plain) = joined(self.columns.as_deref(), &text) {
                    text = plain.into();
                }
            } else if let Some(names) = columns(&text) {
                self.columns = Some(names);
                return out.skip();
            }
            match self.record(&text, at, len, out) {
                Ok(()) => {}
                Err(Reason::Shape) if !finished => out.reject(bytes, at, len, Reason::Truncated),
                Err(reason) => out.reject(bytes, at, len, reason),
            }
        })
    }
    fn cut(&self, bytes: &[u8], most: usize) -> Option<usize> {
        lines::cut(bytes, most)
    }
    /// Sessions followed and the heading of an export are told by lines that went before.
    fn apart(&self) -> Option<Box<dyn Decode>> {
        (self.flows.is_empty() && self.columns.is_none()).then(|| {
            Box::new(Decoder {
                clock: self.clock.apart(),
                accounts: self.accounts,
                flows: FxHashMap::default(),
                interim: false,
                extra: String::new(),
                columns: None,
                course: Course::new(field("")),
            }) as Box<dyn Decode>
        })
    }
    fn leaned(&self) -> bool {
        self.interim || self.columns.is_some() || self.clock.leaned()
    }
}

/// The fields this decoder uses, as written.
#[derive(Default)]
struct Fields<'a> {
    count: u32,
    cef: bool,
    date: &'a str,
    time: &'a str,
    tz: &'a str,
    eventtime: &'a str,
    timestamp: &'a str,
    itime: &'a str,
    devname: &'a str,
    devid: &'a str,
    logid: &'a str,
    kind: &'a str,
    subtype: &'a str,
    logdesc: &'a str,
    action: &'a str,
    status: &'a str,
    reason: &'a str,
    user: &'a str,
    suser: &'a str,
    xauthuser: &'a str,
    unauthuser: &'a str,
    group: &'a str,
    authserver: &'a str,
    srcip: &'a str,
    srcport: &'a str,
    srccountry: &'a str,
    dstip: &'a str,
    dstport: &'a str,
    remip: &'a str,
    remport: &'a str,
    locip: &'a str,
    locport: &'a str,
    tunnelip: &'a str,
    assignip: &'a str,
    tunnelid: &'a str,
    tunneltype: &'a str,
    sessionid: &'a str,
    sentbyte: &'a str,
    rcvdbyte: &'a str,
    sentdelta: &'a str,
    rcvddelta: &'a str,
    duration: &'a str,
    url: &'a str,
    hostname: &'a str,
    httpmethod: &'a str,
    agent: &'a str,
    forwardedfor: &'a str,
    filename: &'a str,
    ui: &'a str,
    srcname: &'a str,
    srcmac: &'a str,
    fctuid: &'a str,
    service: &'a str,
    app: &'a str,
    proto: &'a str,
    policyid: &'a str,
    transip: &'a str,
    dst_host: &'a str,
    cfgpath: &'a str,
    cfgobj: &'a str,
}

/// How a field takes its value.
type Take = for<'a> fn(&mut Fields<'a>, &'a str);

/// The field a key names.
fn field(key: &str) -> Take {
    match key {
        "date" => |f, v| f.date = v,
        "time" => |f, v| f.time = v,
        // The first one counts: a collector may append its own zone.
        "tz" => |f, v| first(&mut f.tz, v),
        "eventtime" => |f, v| f.eventtime = v,
        "timestamp" => |f, v| f.timestamp = v,
        "itime" => |f, v| f.itime = v,
        "devname" | "dvchost" => |f, v| f.devname = v,
        "devid" | "device_id" | "deviceExternalId" => |f, v| f.devid = v,
        "logid" | "log_id" => |f, v| f.logid = v,
        "type" => |f, v| f.kind = v,
        "subtype" => |f, v| f.subtype = v,
        "cat" => |f, v| {
            if f.cef {
                first(&mut f.kind, v.split(':').next().unwrap_or(v))
            }
        },
        "logdesc" | "desc" => |f, v| f.logdesc = v,
        "action" | "act" => |f, v| f.action = v,
        "status" | "outcome" => |f, v| f.status = v,
        "reason" => |f, v| f.reason = v,
        "user" | "duser" => |f, v| first(&mut f.user, v),
        "suser" => |f, v| f.suser = v,
        "xauthuser" => |f, v| f.xauthuser = v,
        "unauthuser" => |f, v| f.unauthuser = v,
        "group" => |f, v| f.group = v,
        "authserver" | "server" => |f, v| f.authserver = v,
        "srcip" | "src" | "userip" => |f, v| f.srcip = v,
        "srcport" | "spt" => |f, v| f.srcport = v,
        "srccountry" => |f, v| f.srccountry = v,
        "dstip" | "dst" => |f, v| f.dstip = v,
        "dstport" | "dpt" => |f, v| f.dstport = v,
        "remip" => |f, v| f.remip = v,
        "remport" => |f, v| f.remport = v,
        "locip" => |f, v| f.locip = v,
        "locport" => |f, v| f.locport = v,
        "tunnelip" => |f, v| f.tunnelip = v,
        "assignip" => |f, v| f.assignip = v,
        "tunnelid" => |f, v| f.tunnelid = v,
        "tunneltype" => |f, v| f.tunneltype = v,
        "sessionid" | "externalId" => |f, v| f.sessionid = v,
        "sentbyte" | "out" => |f, v| f.sentbyte = v,
        "rcvdbyte" | "in" => |f, v| f.rcvdbyte = v,
        "sentdelta" => |f, v| f.sentdelta = v,
        "rcvddelta" => |f, v| f.rcvddelta = v,
        "duration" => |f, v| f.duration = v,
        "url" | "request" => |f, v| f.url = v,
        "hostname" | "dhost" => |f, v| f.hostname = v,
        "httpmethod" => |f, v| f.httpmethod = v,
        "agent" | "requestClientApplication" => |f, v| f.agent = v,
        "forwardedfor" => |f, v| f.forwardedfor = v,
        "filename" | "fname" => |f, v| f.filename = v,
        "ui" | "sproc" => |f, v| f.ui = v,
        "srcname" | "shost" => |f, v| f.srcname = v,
        "srcmac" => |f, v| f.srcmac = v,
        "fctuid" => |f, v| f.fctuid = v,
        "service" => |f, v| f.service = v,
        "app" => |f, v| f.app = v,
        "proto" => |f, v| f.proto = v,
        "policyid" => |f, v| f.policyid = v,
        "transip" => |f, v| f.transip = v,
        "dst_host" => |f, v| f.dst_host = v,
        "cfgpath" => |f, v| f.cfgpath = v,
        "cfgobj" => |f, v| f.cfgobj = v,
        _ => |_, _| {},
    }
}

#[inline]
fn first<'a>(slot: &mut &'a str, v: &'a str) {
    if slot.is_empty() {
        *slot = v;
    }
}

#[inline]
fn number(v: &str) -> u64 {
    if v.is_empty() {
        return NONE;
    }
    v.parse().unwrap_or(NONE)
}

/// An empty or placeholder text (`N/A`) is absent.
#[inline]
fn some(v: &str) -> &str {
    if is_placeholder(v) { "" } else { v }
}

/// `https(172.16.0.1)`, `GUI(192.0.2.1)`, a bare address.
fn address_of_ui(ui: &str) -> &str {
    let inside = ui
        .split_once('(')
        .and_then(|(_, r)| r.split_once(')'))
        .map_or(ui, |(a, _)| a);
    net::address(inside)
}

/// `UTC-5:00`, `UTC+2`, `+0200`: seconds east of UTC.
fn offset_of(tz: &str) -> Option<i32> {
    let bare = tz.strip_prefix("UTC").unwrap_or(tz);
    if let Some((o, n)) = time::zone_offset(bare.as_bytes()) {
        return (n == bare.len()).then_some(o);
    }
    let (sign, digits) = match bare.as_bytes().first()? {
        b'+' => (1, &bare[1..]),
        b'-' => (-1, &bare[1..]),
        _ => return None,
    };
    let (h, m) = digits.split_once(':').unwrap_or((digits, "0"));
    let (h, m): (i32, i32) = (h.parse().ok()?, m.parse().ok()?);
    ((0..=15).contains(&h) && (0..60).contains(&m)).then(|| sign * (h * 3600 + m * 60))
}

impl Decoder {
    /// Makes the line an event, or says why it is none.
    fn record(
        &mut self,
        line: &str,
        at: usize,
        len: usize,
        out: &mut Decoded,
    ) -> Result<(), Reason> {
        let mut f = Fields::default();
        self.course.begin();
        let mut outer = Stamp::NONE;
        let mut outer_host = "";
        let mut body = line;
        let n = syslog::octet_count(body);
        if let Some((_, m)) = syslog::priority(&body[n..]) {
            body = &body[n + m..];
        }
        let starts = |b: &str| {
            let b = b.trim_start();
            let key = b
                .bytes()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == b'_')
                .count();
            (key > 1 && b.as_bytes().get(key) == Some(&b'='))
                || b.starts_with("CEF:")
                || b.starts_with("0|")
        };
        if !starts(body)
            && let Some(h) = syslog::header(line, &mut self.clock)
        {
            outer = h.time;
            outer_host = h.host;
            body = &line[h.message..];
        }
        let body = body.trim();
        let cef = if body.starts_with("CEF:") || body.starts_with("0|") {
            Some(body)
        } else if starts(body) {
            None
        } else {
            memchr::memmem::find(body.as_bytes(), b"CEF:0|").map(|i| &body[i..])
        };
        if let Some((head, pairs)) = cef
            .and_then(Cef::split)
            .filter(|(h, _)| h[1].eq_ignore_ascii_case("Fortinet"))
        {
            f.cef = true;
            for (k, v) in pairs {
                let k = k
                    .strip_prefix("FTNTFGT")
                    .or_else(|| k.strip_prefix("FortinetFortiGate"))
                    .unwrap_or(k);
                f.count += 1;
                self.course.pass(k, field)(&mut f, v);
            }
            first(&mut f.kind, head[5].split([':', ' ']).next().unwrap_or(""));
        } else {
            let mut pairs = Pairs::new(body);
            while let Some((take, v)) = self.course.pair(&mut pairs, field) {
                f.count += 1;
                take(&mut f, v);
            }
        }
        // A pair or two can stand in any text; two words of this product cannot.
        let known = [
            f.logid,
            f.devid,
            f.devname,
            f.kind,
            f.subtype,
            f.logdesc,
            f.eventtime,
        ]
        .iter()
        .filter(|v| !v.is_empty())
        .count();
        if f.count < 2 || known < 1 || (known < 2 && f.action.is_empty() && f.logdesc.is_empty()) {
            return Err(Reason::Shape);
        }
        let stamp = self.stamp(&f, outer);
        // A record without any time is kept; one whose time cannot be read is not taken for one without.
        if stamp == Stamp::NONE && !(f.eventtime.is_empty() && f.date.is_empty()) {
            return Err(Reason::Time);
        }
        let mut e = Event {
            host: Cow::Borrowed(if f.devname.is_empty() {
                outer_host
            } else {
                f.devname
            }),
            action: Cow::Borrowed(f.action),
            ..Event::default()
        };
        stamp.put(&mut e);
        e.code = number(f.logid);
        fill_addresses(&f, &mut e);
        fill_user(&f, &mut e, self.accounts);
        e.verb = verb_of(&f);
        e.outcome = outcome_of(&f, e.verb);
        e.session_id = Cow::Borrowed(if f.tunnelid.is_empty() {
            f.sessionid
        } else {
            f.tunnelid
        });
        self.fill_bytes(&f, &mut e);
        if !f.duration.is_empty() {
            e.duration_ms = f
                .duration
                .parse::<u64>()
                .map_or(NONE, |s| s.saturating_mul(1000));
        }
        e.reason = Cow::Borrowed(some(f.reason));
        e.url = text(f.url, f.cef);
        e.http_method = Cow::Borrowed(f.httpmethod);
        e.file_path = text(f.filename, f.cef);
        e.forwarded = Cow::Borrowed(f.forwardedfor);
        e.device = Cow::Borrowed(
            [f.agent, f.fctuid, f.srcname, f.srcmac]
                .into_iter()
                .find(|v| !v.is_empty())
                .unwrap_or(""),
        );
        if !f.cfgpath.is_empty() {
            e.object = if f.cfgobj.is_empty() {
                Cow::Borrowed(f.cfgpath)
            } else {
                Cow::Owned(format!("{} {}", f.cfgpath, f.cfgobj))
            };
        }
        let mut extra = std::mem::take(&mut self.extra);
        extra.clear();
        for (k, v) in [
            ("app", f.app),
            ("destination", f.hostname),
            ("group", some(f.group)),
            ("logdesc", f.logdesc),
            ("policyid", f.policyid),
            ("proto", f.proto),
            ("service", f.service),
            ("subtype", f.subtype),
            ("transip", f.transip),
            ("tunneltype", f.tunneltype),
            ("type", f.kind),
        ] {
            if !v.is_empty() {
                if !extra.is_empty() {
                    extra.push('\n');
                }
                extra.push_str(k);
                extra.push('=');
                extra.push_str(v);
            }
        }
        e.extra = Cow::Borrowed(&extra);
        out.next(&mut e, at, len);
        self.extra = extra;
        Ok(())
    }

    fn stamp(&mut self, f: &Fields<'_>, outer: Stamp) -> Stamp {
        if let Some(t) = time::epoch(f.eventtime) {
            return self.clock.explicit(t);
        }
        if f.date.len() == 10 && f.time.len() >= 8 {
            let mut both = [b' '; 32];
            let n = f.time.len().min(21);
            both[..10].copy_from_slice(f.date.as_bytes());
            both[11..11 + n].copy_from_slice(&f.time.as_bytes()[..n]);
            if let Some((local, _, _)) = time::iso(&both[..11 + n]) {
                return self.clock.stamp(local, offset_of(f.tz));
            }
        }
        // FortiAnalyzer: the instant of reception; `timestamp` is shifted by some versions and comes last.
        if let Some(t) = time::epoch(f.itime).or_else(|| time::epoch(f.timestamp)) {
            return self.clock.explicit(t);
        }
        outer
    }

    fn fill_bytes(&mut self, f: &Fields<'_>, e: &mut Event<'_>) {
        let (sent, received) = (number(f.sentbyte), number(f.rcvdbyte));
        e.bytes_out = sent;
        e.bytes_in = received;
        if e.verb != Verb::Flow {
            return;
        }
        let interim = f.logid.ends_with("00020");
        self.interim |= interim;
        if !interim && self.flows.is_empty() {
            return;
        }
        let Ok(session) = f.sessionid.parse::<u64>() else {
            return;
        };
        let before = self.flows.get(&session).copied();
        if let Some((s, r)) = before {
            // Since the last row of this session in the file.
            if sent != NONE {
                e.bytes_out = sent.saturating_sub(s);
            }
            if received != NONE {
                e.bytes_in = received.saturating_sub(r);
            }
        } else if interim && !f.sentdelta.is_empty() {
            // The rows before this one are in another file.
            e.bytes_out = number(f.sentdelta);
            e.bytes_in = number(f.rcvddelta);
        }
        if interim {
            if self.flows.len() >= FLOWS_MAX {
                self.flows.clear();
            }
            let zero = |n: u64| if n == NONE { 0 } else { n };
            self.flows.insert(session, (zero(sent), zero(received)));
        } else {
            self.flows.remove(&session);
        }
    }
}

fn text(v: &str, cef: bool) -> Cow<'_, str> {
    if cef { unescape_cef(v) } else { unescape(v) }
}

fn fill_addresses<'a>(f: &Fields<'a>, e: &mut Event<'a>) {
    let pick = |list: &[&'a str]| {
        list.iter()
            .map(|v| net::address(v))
            .find(|v| !v.is_empty())
            .unwrap_or("")
    };
    e.src_ip = Cow::Borrowed(pick(&[f.remip, f.srcip]));
    if e.src_ip.is_empty() && !f.ui.is_empty() {
        e.src_ip = Cow::Borrowed(address_of_ui(f.ui));
    }
    e.dst_ip = Cow::Borrowed(pick(&[f.dstip, f.locip]));
    e.inner_ip = Cow::Borrowed(pick(&[f.tunnelip, f.assignip]));
    let one = |v: &str| v.parse::<u16>().map_or(NONE, u64::from);
    let port = |a: &str, b: &str| match one(a) {
        NONE => one(b),
        n => n,
    };
    e.src_port = port(f.srcport, f.remport);
    e.dst_port = port(f.dstport, f.locport);
    e.src_country = Cow::Borrowed(some(f.srccountry));
}

fn fill_user<'a>(f: &Fields<'a>, e: &mut Event<'a>, accounts: Option<System>) {
    let tunnel = f.kind == "event" && f.subtype == "vpn";
    let (name, from_directory) = [
        (f.xauthuser, false),
        (f.suser, false),
        (f.user, false),
        (f.unauthuser, true),
    ]
    .into_iter()
    .map(|(v, d)| (some(v), d))
    .find(|(v, _)| !v.is_empty())
    .unwrap_or(("", false));
    if name.is_empty() {
        return;
    }
    let name = text(name, f.cef);
    let directory = from_directory
        || f.authserver.starts_with("FSSO")
        || f.action.starts_with("FSSO")
        || f.subtype == "fsso";
    match split_domain(&name) {
        Some((d, n)) => {
            e.domain = Cow::Owned(d.to_string());
            e.user = Cow::Owned(n.to_string());
        }
        None => e.user = name,
    }
    e.system = accounts.unwrap_or(if tunnel {
        System::Vpn
    } else if directory {
        System::Ad
    } else if f.kind == "event" && matches!(f.subtype, "system" | "rest-api" | "router" | "ha") {
        System::Host
    } else {
        System::Vpn
    });
}

/// `DOMAIN\name`, also with the backslash doubled on the way.
fn split_domain(name: &str) -> Option<(&str, &str)> {
    let (d, n) = name.split_once('\\')?;
    let n = n.trim_start_matches('\\');
    (!d.is_empty() && !n.is_empty()).then_some((d, n))
}

fn verb_of(f: &Fields<'_>) -> Verb {
    match f.kind {
        "traffic" => return Verb::Flow,
        "utm" | "dns" | "anomaly" | "voip" => return Verb::Other,
        _ => {}
    }
    let action = f.action;
    let vpn = f.subtype == "vpn";
    match action {
        "tunnel-up" => Verb::TunnelUp,
        "tunnel-down" => Verb::TunnelDown,
        "tunnel-stats" => Verb::TunnelStats,
        "ssl-login-fail" | "ssl-login" | "login" | "authentication" | "auth-logon"
        | "FSSO-logon" | "Authentication" | "auth" => Verb::Login,
        "logout" | "auth-logout" | "FSSO-logoff" | "ssl-logout" => Verb::Logout,
        "perf-stats" => Verb::Heartbeat,
        "reboot" | "shutdown" | "restart" | "restart-system" => Verb::Restart,
        "Add" | "Edit" | "Delete" | "Move" | "Rename" if !f.cfgpath.is_empty() => {
            // A changed or removed log setting decides what is recorded from here on.
            if f.cfgpath.starts_with("log") && action != "Add" {
                Verb::AuditOff
            } else {
                Verb::Config
            }
        }
        _ if vpn && action.contains("login") => Verb::Login,
        _ if action.contains("clear-log") || action.contains("delete-log") => Verb::AuditClear,
        _ if f.logdesc.contains("log") && f.logdesc.contains("deleted") => Verb::AuditClear,
        _ if f.logdesc.starts_with("Admin login") => Verb::Login,
        _ => Verb::Other,
    }
}

fn outcome_of(f: &Fields<'_>, verb: Verb) -> Outcome {
    let bad = |v: &str| {
        let v = v.as_bytes();
        let has =
            |w: &[u8]| v.len() >= w.len() && v.windows(w.len()).any(|x| x.eq_ignore_ascii_case(w));
        has(b"fail") || has(b"error") || has(b"denied") || has(b"invalid")
    };
    if !f.status.is_empty() && bad(f.status) {
        return Outcome::Failure;
    }
    let action = f.action;
    if action.is_empty() {
        return Outcome::Unknown;
    }
    if bad(action) || action == "deny" || action == "ip-conn" {
        return Outcome::Failure;
    }
    if verb == Verb::Flow && action.starts_with("block") {
        return Outcome::Failure;
    }
    if verb == Verb::Login && f.logdesc.contains("fail") {
        return Outcome::Failure;
    }
    Outcome::Success
}

#[cfg(test)]
mod tests {
    use super::FortinetFortigate;
    use crate::{Setting, reader::decode_bytes};
    use proptest::prelude::*;

    proptest! {
        /// Keys in any order, twice, torn and without sense: lines read by one decoder are those read each by a new one.
        #[test]
        fn keys_of_lines_before_change_nothing(lines in prop::collection::vec(
            (prop::collection::vec(prop::sample::select(&[
                "date=2025-09-01", "time=00:00:00", "devname=\"FGT-A\"", "logid=\"0000000013\"", "type=\"traffic\"", "type=event",
                "subtype=\"forward\"", "subtype=\"vpn\"", "srcip=10.59.15.232", "src=10.0.0.1", "srcport=42680", "user=\"CHU\\nadia\"",
                "user=\"say \\\"hi\\\"\"", "action=\"close\"", "sentbyte=1", "rcvdbyte=x", "tz=\"+0200\"", "tz=UTC", "=", "time=",
                "devname=\"", "msg=\"a b=c\"", "é=é", ",", "cat=utm", "xauthuser=N/A",
            ][..]), 0..20), prop::sample::select(&[" ", ",", "  ", "\t", ", "][..]), 0usize..400), 1..8)
        ) {
            let lines: Vec<String> = lines
                .into_iter()
                .map(|(pairs, between, cut)| pairs.join(between).chars().take(cut).collect())
                .map(|line: String| format!("<189>{line}\n"))
                .collect();
            let read = |text: &str| decode_bytes(&FortinetFortigate, text.as_bytes(), &Setting::default());
            let all = read(&lines.concat());
            let (mut events, mut rejects) = (0, 0);
            for line in &lines {
                let one = read(line);
                for i in 0..one.events.len() {
                    let (a, mut b) = (all.events.get(events), one.events.get(i));
                    (b.record, b.offset) = (a.record, a.offset);
                    prop_assert_eq!(a, b);
                    events += 1;
                }
                for r in &one.rejects {
                    prop_assert_eq!(all.rejects[rejects].reason, r.reason);
                    rejects += 1;
                }
            }
            prop_assert_eq!((all.events.len(), all.rejects.len()), (events, rejects));
        }
    }

    /// Exports of FortiAnalyzer and FortiCloud: a cell for each pair, or a column for each field.
    #[test]
    fn cells_are_read_as_the_line_they_were() {
        const PAIRS: [(&str, &str); 18] = [
            ("date", "2024-12-04"),
            ("time", "11:47:58"),
            ("devname", "PF"),
            ("devid", "FGT60F"),
            ("eventtime", "1733309278187257472"),
            ("tz", "+0100"),
            ("logid", "0101039947"),
            ("type", "event"),
            ("subtype", "vpn"),
            ("level", "information"),
            ("vd", "root"),
            ("logdesc", "SSL VPN tunnel up"),
            ("action", "tunnel-up"),
            ("tunneltype", "ssl-tunnel"),
            ("tunnelid", "705911821"),
            ("remip", "198.18.58.128"),
            ("tunnelip", "10.212.70.11"),
            ("user", "h.astruc"),
        ];
        let all = |each: &dyn Fn(&(&str, &str)) -> String, by: &str| {
            PAIRS.iter().map(each).collect::<Vec<_>>().join(by) + "\n"
        };
        let line = all(&|p| format!("{}=\"{}\"", p.0, p.1), " ");
        let pairs = all(&|p| format!("\"{}={}\"", p.0, p.1), ",");
        let quoted = all(&|p| format!("\"{}\"", p.0), ",") + &all(&|p| format!("\"{}\"", p.1), ",");
        let bare = all(&|p| p.0.into(), ",") + &all(&|p| p.1.into(), ",");
        let read = |text: &str| {
            let source = crate::reader::sniff(&crate::Head {
                bytes: text.as_bytes(),
                whole: true,
            });
            let source = source.expect("known");
            let out = decode_bytes(source, text.as_bytes(), &Setting::default());
            assert_eq!((out.event_count, out.reject_count), (1, 0), "{text}");
            let mut e = out.events.get(0).into_owned();
            (e.record, e.offset, e.len) = (0, 0, 0);
            (source.name(), e)
        };
        let want = read(&line);
        assert_eq!((want.0, &*want.1.user), ("fortinet-fortigate", "h.astruc"));
        for text in [pairs, quoted, bare] {
            assert_eq!(read(&text), want, "{text}");
        }
    }
}
