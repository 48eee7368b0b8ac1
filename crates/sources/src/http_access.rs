//! Access logs of web servers and proxies: nginx and Apache in the common, combined and virtual-host forms with any tail, JSON
//! access logs, formats declared in the context (`layout`), and the error logs of both servers. Standards: Apache
//! mod_log_config "Custom Log Formats", nginx ngx_http_log_module `log_format`. Times: with offset in access logs; error logs
//! carry none and are read in the zone of the source.
//!
//! `bytes_in` is the body sent to the client (what came back to `src_ip`); `url` is the request target as logged, escapes kept; a
//! request line that is no HTTP is kept whole in `url`.
use crate::{
    Confidence, Decode, Decoded, Head, Reason, Setting, Source, Standard, lines, net, quick, scan,
    syslog,
    time::{self, CLF, Clock, Minute, Stamp},
};
use ampleur_event::{
    Capability, Event, GapSign, Outcome, Proof, Silence, System, Verb,
    batch::{NONE, OBSERVER},
};
use std::borrow::Cow;

pub(crate) struct HttpAccess;

impl Source for HttpAccess {
    fn name(&self) -> &'static str {
        "http-access"
    }
    fn about(&self) -> &'static str {
        "Web server and proxy access logs: nginx, Apache and compatible (combined, virtual host, JSON, declared layout), error logs"
    }
    fn standard(&self) -> Standard {
        Standard {
            name: "Apache mod_log_config and nginx ngx_http_log_module",
            section: "Custom Log Formats; log_format",
        }
    }
    fn capability(&self) -> Capability {
        Capability {
            rows: &[(Verb::Request, Proof::Question)],
            silence: Silence::NoAccess,
            names_results: false,
            gap: GapSign::RateOnly,
        }
    }
    fn sniff(&self, head: &Head<'_>) -> Confidence {
        let (mut seen, mut hits) = (0, 0);
        let mut clock = Clock::new(&Setting::default());
        for line in lines::sample(head).take(16) {
            seen += 1;
            let text = lines::text(line);
            let mut found = Row::default();
            let ok = if text.trim_start().starts_with('{') {
                json(&text, &mut clock).is_some()
            } else {
                error_line(&text, &mut clock).is_some()
                    || plain(peel(&text, &mut clock).0, &mut found) && !found.request.is_empty()
            };
            hits += usize::from(ok);
        }
        match (seen, hits) {
            (0, _) | (_, 0) => Confidence::No,
            (s, h) if h * 2 > s => Confidence::Likely,
            (s, h) if h * 3 > s => Confidence::Maybe,
            _ => Confidence::No,
        }
    }
    fn open(&self, _head: &Head<'_>, setting: &Setting) -> Box<dyn Decode> {
        Box::new(Decoder {
            clock: Clock::new(setting),
            minute: Minute::default(),
            accounts: setting.accounts.unwrap_or(System::Web),
            layout: setting.layout.as_deref().and_then(Layout::parse),
        })
    }
}

struct Decoder {
    clock: Clock,
    minute: Minute,
    accounts: System,
    layout: Option<Layout>,
}

impl Decode for Decoder {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        // Servers write such bytes as `\x00`: here the file is damaged, and what is read around them is somebody else's.
        let damaged = memchr::memchr(0, bytes).is_some();
        lines::each(bytes, last, out, |line, at, len, finished, out| {
            let text = lines::text(line);
            let mut e = Event::default();
            let read = match damaged && text.contains('\0') {
                true => Err(Reason::Shape),
                false => self.event(&text, &mut e),
            };
            match read {
                Ok(()) => out.next(&mut e, at, len),
                Err(Reason::Shape) if !finished => {
                    out.reject(bytes, at, len, Reason::Truncated);
                }
                Err(r) => out.reject(bytes, at, len, r),
            }
        })
    }
    fn cut(&self, bytes: &[u8], most: usize) -> Option<usize> {
        lines::cut(bytes, most)
    }
    fn apart(&self) -> Option<Box<dyn Decode>> {
        Some(Box::new(Decoder {
            clock: self.clock.apart(),
            minute: self.minute.clone(),
            accounts: self.accounts,
            layout: self.layout.clone(),
        }))
    }
    fn leaned(&self) -> bool {
        self.clock.leaned()
    }
}

impl Decoder {
    /// Fills an event that is empty so far.
    fn event<'a>(&mut self, text: &'a str, e: &mut Event<'a>) -> Result<(), Reason> {
        match &self.layout {
            Some(layout) => {
                if let Some(row) = layout.read(text) {
                    *e = row.event(&mut self.clock, self.accounts, Stamp::NONE, "")?;
                    return Ok(());
                }
            }
            None => {
                if self.combined(text, e).is_some() {
                    return Ok(());
                }
            }
        }
        *e = self.any(text)?;
        Ok(())
    }

    /// A line of any of the formats that need not be declared.
    fn any<'a>(&mut self, text: &'a str) -> Result<Event<'a>, Reason> {
        if text.trim_start().starts_with('{') {
            let mut e = json(text, &mut self.clock).ok_or(Reason::Shape)?;
            if !e.user.is_empty() {
                e.system = self.accounts;
            }
            return Ok(e);
        }
        if let Some(mut e) = error_line(text, &mut self.clock) {
            if !e.user.is_empty() {
                e.system = self.accounts;
            }
            return Ok(e);
        }
        let (body, outer, host) = peel(text, &mut self.clock);
        let mut row = Row::default();
        if plain(body, &mut row) {
            return row.event(&mut self.clock, self.accounts, outer, host);
        }
        Err(Reason::Shape)
    }

    /// The short way through the line most servers write: `address - user [stamp] "request" status bytes "referer" "agent"`, with
    /// nothing in front, behind or escaped. Of whatever else comes nothing is filled; it takes the long way, which reads this one the
    /// same.
    fn combined<'a>(&mut self, text: &'a str, e: &mut Event<'a>) -> Option<()> {
        let b = text.as_bytes();
        let blank = |from: usize| quick::blank(b, from).filter(|i| b[*i] == b' ');
        let client = &text[..blank(0)?];
        if b.get(client.len()..client.len() + 3)? != b" - "
            || !net::begins_v4(b.first_chunk()?, client.len())
        {
            return None;
        }
        let user = client.len() + 3;
        let stamp = blank(user)? + 2;
        let user = &text[user..stamp - 2];
        if user.is_empty() || user == "\"\"" || b.get(stamp - 1) != Some(&b'[') {
            return None;
        }
        let (local, offset) = self.minute.clf(b.get(stamp..)?.first_chunk()?)?;
        let request = stamp + CLF + 3;
        if b.get(request - 3..request)? != b"] \"" {
            return None;
        }
        // Ends at the first quote; one behind a backslash may be part of it.
        let quoted = |from: usize| quick::quote(b, from).filter(|q| b[q - 1] != b'\\');
        let end = quoted(request)?;
        let (method, target) = request_line(&text[request..end]);
        let [b' ', status @ .., b' '] = b.get(end + 1..end + 6)? else {
            return None;
        };
        let digit = |b: &u8| b.is_ascii_digit();
        if !status.iter().all(digit) {
            return None;
        }
        let status = status.iter().fold(0, |n, d| n * 10 + u64::from(d - b'0'));
        let (size, referer) = (end + 6, blank(end + 6)? + 2);
        let size = &b[size..referer - 2];
        let agent = quoted(referer)? + 3;
        let last = quoted(agent)?;
        if b.get(referer - 1) != Some(&b'"')
            || b.get(agent - 2..agent)? != b" \""
            || last + 1 != b.len()
            || !plain_user(user)
        {
            return None;
        }
        let bytes_in = match size {
            b"-" => 0,
            size => whole(size)?,
        };
        e.verb = Verb::Request;
        e.action = Cow::Borrowed(method);
        e.http_method = Cow::Borrowed(method);
        e.url = Cow::Borrowed(target);
        e.src_ip = Cow::Borrowed(client);
        e.user = Cow::Borrowed(dash(user));
        if !e.user.is_empty() {
            e.system = self.accounts;
        }
        e.device = Cow::Borrowed(dash(&text[agent..last]));
        e.status = status;
        e.outcome = outcome(status);
        e.bytes_in = bytes_in;
        self.clock.stamp(local, offset).put(e);
        Some(())
    }
}

/// A number of digits alone, [`NONE`] where it does not fit: [`number`] of these.
fn whole(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(match digits.len() {
        1..=18 => digits.iter().fold(0, |n, d| n * 10 + u64::from(d - b'0')),
        _ => std::str::from_utf8(digits).map_or(NONE, number),
    })
}

/// Without control characters, and without the bracket a stamp begins with.
fn plain_user(user: &str) -> bool {
    let odd = |odd: bool, b: &u8| odd | !matches!(b, b' '..=b'~') | (*b == b'[');
    !user.as_bytes().iter().fold(false, odd) || !user.chars().any(|c| c.is_control() || c == '[')
}

/// The parts of an access line, as written.
#[derive(Debug, Default)]
struct Row<'a> {
    vhost: &'a str,
    client: &'a str,
    user: &'a str,
    time: &'a str,
    time_kind: TimeKind,
    request: &'a str,
    method: &'a str,
    target: &'a str,
    args: &'a str,
    status: &'a str,
    bytes: &'a str,
    agent: &'a str,
    forwarded: &'a str,
    request_id: &'a str,
    upstream: &'a str,
    duration: &'a str,
    duration_unit: Unit,
    port: &'a str,
    pid: &'a str,
    /// The field says that the connection ended before the answer did.
    cut: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum TimeKind {
    #[default]
    Clf,
    Iso,
    Epoch,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Unit {
    #[default]
    Seconds,
    Millis,
    Micros,
}

#[inline]
fn dash(v: &str) -> &str {
    if v == "-" { "" } else { v }
}

impl<'a> Row<'a> {
    fn event(
        &self,
        clock: &mut Clock,
        accounts: System,
        outer: Stamp,
        outer_host: &'a str,
    ) -> Result<Event<'a>, Reason> {
        let mut e = Event {
            verb: Verb::Request,
            ..Event::default()
        };
        let t = self.time.as_bytes();
        let stamp = match self.time_kind {
            TimeKind::Clf => time::clf(t)
                .or_else(|| time::iso(t))
                .map(|(l, o, _)| clock.stamp(l, o)),
            TimeKind::Iso => time::iso(t)
                .or_else(|| time::clf(t))
                .map(|(l, o, _)| clock.stamp(l, o)),
            TimeKind::Epoch => time::epoch(self.time).map(|n| clock.explicit(n)),
        };
        match stamp {
            Some(s) => s.put(&mut e),
            None if !self.time.is_empty() => return Err(Reason::Time),
            None => outer.put(&mut e),
        }
        let (host, port) = host_port(dash(self.vhost));
        e.host = Cow::Borrowed(if host.is_empty() { outer_host } else { host });
        if host.is_empty() && !outer_host.is_empty() {
            // Who wrote the line is not the host somebody asked for.
            e.extra = Cow::Owned(format!("{OBSERVER}={outer_host}"));
        }
        if let Some(p) = port.or_else(|| self.port.parse().ok()) {
            e.dst_port = u64::from(p);
        }
        let (address, port) = net::endpoint(self.client);
        if address.is_empty() {
            // A name instead of an address (HostnameLookups): kept, but not as an address.
            e.device = Cow::Borrowed(dash(self.client));
        } else {
            e.src_ip = Cow::Borrowed(address);
            if let Some(p) = port {
                e.src_port = u64::from(p);
            }
        }
        let user = dash(self.user);
        if user.chars().any(char::is_control) {
            return Err(Reason::Shape);
        }
        if !user.is_empty() && user != "\"\"" {
            e.user = Cow::Borrowed(user);
            e.system = accounts;
        }
        if !self.method.is_empty() || !self.target.is_empty() {
            e.http_method = Cow::Borrowed(dash(self.method));
            e.url = join_query(self.target, dash(self.args));
        } else {
            let (method, target) = request_line(self.request);
            e.http_method = Cow::Borrowed(method);
            e.url = Cow::Borrowed(target);
        }
        e.action = e.http_method.clone();
        e.status = number(self.status);
        e.outcome = outcome(e.status);
        e.bytes_in = if self.bytes == "-" {
            0
        } else {
            number(self.bytes)
        };
        let agent = dash(self.agent);
        if !agent.is_empty() {
            e.device = Cow::Borrowed(agent);
        }
        e.forwarded = Cow::Borrowed(dash(self.forwarded));
        e.request_id = Cow::Borrowed(dash(self.request_id));
        e.pid = number(self.pid);
        let (up, up_port) = net::endpoint(self.upstream.split(',').next().unwrap_or(""));
        e.dst_ip = Cow::Borrowed(up);
        if let (false, Some(p)) = (up.is_empty(), up_port) {
            e.dst_port = u64::from(p);
        }
        e.duration_ms = duration(self.duration, self.duration_unit);
        if self.cut {
            let before = e.extra.to_string();
            let lines = ["ended=early", &*before];
            let told: Vec<&str> = lines.into_iter().filter(|l| !l.is_empty()).collect();
            e.extra = Cow::Owned(told.join("\n"));
        }
        Ok(e)
    }
}

fn outcome(status: u64) -> Outcome {
    match status {
        100..=399 => Outcome::Success,
        400..=599 => Outcome::Failure,
        _ => Outcome::Unknown,
    }
}

#[inline]
fn number(v: &str) -> u64 {
    v.parse().unwrap_or(NONE)
}

fn join_query<'a>(target: &'a str, args: &'a str) -> Cow<'a, str> {
    if args.is_empty() || target.contains('?') {
        return Cow::Borrowed(target);
    }
    let args = args.strip_prefix('?').unwrap_or(args);
    if args.is_empty() {
        return Cow::Borrowed(target);
    }
    Cow::Owned(format!("{target}?{args}"))
}

/// `name:443` → name and port; a bare IPv6 address keeps its colons.
fn host_port(v: &str) -> (&str, Option<u16>) {
    match v.rsplit_once(':') {
        Some((h, p)) if !h.is_empty() && (!h.contains(':') || h.ends_with(']')) => {
            match p.parse() {
                Ok(p) => (h, Some(p)),
                Err(_) => (v, None),
            }
        }
        _ => (v, None),
    }
}

fn duration(v: &str, unit: Unit) -> u64 {
    // With several upstream tries the values are listed; the last is the answer's.
    let v = v.rsplit([',', ' ']).next().unwrap_or(v);
    let (whole, frac) = v.split_once('.').unwrap_or((v, ""));
    let Ok(whole) = whole.parse::<u64>() else {
        return NONE;
    };
    let frac = frac.bytes().chain(*b"000").take(3).try_fold(0u64, |n, b| {
        b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0'))
    });
    match (unit, frac) {
        (_, None) => NONE,
        (Unit::Seconds, Some(f)) => whole.saturating_mul(1000).saturating_add(f),
        (Unit::Millis, _) => whole,
        (Unit::Micros, _) => whole / 1000,
    }
}

/// `GET /path HTTP/1.1` → method and target; what is no request line is given whole as the target.
#[inline]
fn request_line(line: &str) -> (&str, &str) {
    if let Some(parts) = usual(line) {
        return parts;
    }
    let Some(sp) = memchr::memchr(b' ', line.as_bytes()) else {
        return ("", dash(line));
    };
    let (method, rest) = (&line[..sp], &line[sp + 1..]);
    if method.is_empty()
        || method.len() > 20
        || !method
            .bytes()
            .all(|b| b.is_ascii_uppercase() || matches!(b, b'-' | b'_'))
    {
        return ("", line);
    }
    match memchr::memrchr(b' ', rest.as_bytes()) {
        Some(i) if rest[i + 1..].starts_with("HTTP/") => (method, rest[..i].trim_end()),
        _ => (method, rest),
    }
}

/// The short way through `GET /path HTTP/1.1`, with one blank in front of the version.
#[inline]
fn usual(line: &str) -> Option<(&str, &str)> {
    const VERSION: usize = " HTTP/1.1".len();
    let b = line.as_bytes();
    let method = b.iter().take(21).take_while(|b| b.is_ascii_uppercase());
    let (sp, end) = (method.count(), b.len().checked_sub(VERSION)?);
    let version = &b[end..];
    let fits = (1..=20).contains(&sp)
        && sp + 1 < end
        && b[sp] == b' '
        && version.starts_with(b" HTTP/")
        && version[6..].iter().all(u8::is_ascii_graphic)
        && b[end - 1].is_ascii_graphic();
    fits.then(|| (&line[..sp], &line[sp + 1..end]))
}

/// The syslog header some servers put in front (`Sep 24 10:04:52 web1 nginx: `), with its time and host.
fn peel<'a>(text: &'a str, clock: &mut Clock) -> (&'a str, Stamp, &'a str) {
    // Kubernetes' containers (CRI): stamp, stream and whether the line is whole.
    if let Some((_, rest)) = text.split_once(' ')
        && let Some(line) = ["stdout F ", "stderr F "]
            .iter()
            .find_map(|p| rest.strip_prefix(p))
    {
        return (line, Stamp::NONE, "");
    }
    let b = text.as_bytes();
    let likely = b.first() == Some(&b'<')
        || (b.len() > 16 && time::month(b).is_some() && b[3] == b' ')
        || (b.len() > 20 && b[4] == b'-' && b[10] == b'T');
    if likely
        && let Some(h) = syslog::header(text, clock)
        && !h.program.is_empty()
    {
        return (&text[h.message..], h.time, h.host);
    }
    (in_front(container(text)), Stamp::NONE, "")
}

/// What follows a file name or line number that grep or cat put in front (`access.log:192.0.2.1 …`, `12:…`, `  12<tab>…`), or a header
/// with a stamp nobody knows (`nov. 03 03:35:09 web-1 nginx[911]: …`). A line that begins with its client's address stays as it is.
fn in_front(text: &str) -> &str {
    let begun = text.trim_start();
    let word = begun.split(' ').next().unwrap_or("");
    if !net::address(word).is_empty() {
        return text;
    }
    if let Some(at) = word.rfind([':', '\t'])
        && !net::address(&word[at + 1..]).is_empty()
    {
        return &begun[at + 1..];
    }
    if let Some(end) = begun.find("]: ")
        && let Some(open) = begun[..end].rfind('[')
        && begun[open + 1..end].bytes().all(|b| b.is_ascii_digit())
        && begun[..open].split(' ').all(|w| net::address(w).is_empty())
    {
        return &begun[end + 3..];
    }
    text
}

/// What follows the name of a container that `docker compose logs` puts in front (`web-1  | `).
fn container(text: &str) -> &str {
    let Some((name, rest)) = text.split_once('|') else {
        return text;
    };
    let bare = name.trim_end_matches(' ');
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    match rest.strip_prefix(' ') {
        Some(rest) if bare.len() < name.len() && !bare.is_empty() && bare.bytes().all(plain) => {
            rest
        }
        _ => text,
    }
}

/// A quoted text at the front of `b` (which begins with the quote): place of its closing quote.
#[inline]
fn closing(b: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let q = at + memchr::memchr(b'"', b.get(at..)?)?;
        let slashes = b[from..q].iter().rev().take_while(|c| **c == b'\\').count();
        if slashes % 2 == 0 {
            return Some(q);
        }
        at = q + 1;
    }
}

/// Reads an access line of the common family, whatever its tail. False when it has no bracketed time and quoted request.
fn plain<'a>(text: &'a str, row: &mut Row<'a>) -> bool {
    let b = text.as_bytes();
    let Some(open) = memchr::memchr(b'[', b) else {
        return false;
    };
    // An IPv6 client may be in brackets; the stamp is the bracket that holds one.
    let mut open = open;
    let close = loop {
        let Some(close) = memchr::memchr(b']', &b[open..]).map(|i| open + i) else {
            return false;
        };
        if b.get(open + 3) == Some(&b'/') && time::clf(&b[open + 1..close]).is_some() {
            break close;
        }
        match memchr::memchr(b'[', &b[open + 1..]) {
            Some(i) => open += 1 + i,
            None => return false,
        }
    };
    row.time = &text[open + 1..close];
    let Some(quote) = memchr::memchr(b'"', &b[close..]).map(|i| close + i) else {
        return false;
    };
    let before = text[..open].trim();
    let between = text[close + 1..quote].trim();
    if before.is_empty() {
        // Time first: `[time] host client seconds "request" …`.
        let mut words = between.split(' ').filter(|w| !w.is_empty());
        for w in words.by_ref() {
            if net::address(w).is_empty() {
                if row.client.is_empty() {
                    row.vhost = w;
                } else if w.contains('.') && w.as_bytes()[0].is_ascii_digit() {
                    row.duration = w;
                } else {
                    row.user = w;
                }
            } else if row.client.is_empty() {
                row.client = w;
            }
        }
        if row.client.is_empty() {
            return false;
        }
    } else {
        leading(before, row);
    }
    let Some(mut end) = closing(b, quote + 1) else {
        return false;
    };
    row.request = &text[quote + 1..end];
    // Some put another quoted field before the request.
    if row.request == "-"
        && let Some(next) = memchr::memchr(b'"', &b[end + 1..]).map(|i| end + 1 + i)
        && text[end + 1..next].trim().is_empty()
        && let Some(e) = closing(b, next + 1)
    {
        row.request = &text[next + 1..e];
        end = e;
    }
    tail(&text[end + 1..], row)
}

/// `client ident user`, with a virtual host before or without ident.
fn leading<'a>(before: &'a str, row: &mut Row<'a>) {
    let (first, rest) = cut(before);
    if first.ends_with(',') {
        chain(before, row);
        return;
    }
    let (second, after) = cut(rest);
    // Only the first two words can be the client; a virtual host never is an address alone unless the next word is one too.
    let second_is = !net::address(second).is_empty();
    let (client, rest) = if second_is {
        row.vhost = first;
        (second, after)
    } else {
        (first, rest)
    };
    row.client = client;
    // ident, then the user, which may hold spaces.
    let (_, user) = cut(rest);
    row.user = user;
}

/// `203.0.113.7, 10.0.0.9 ident user`: X-Forwarded-For in the place of the client. The last is who the nearest proxy saw.
#[cold]
fn chain<'a>(before: &'a str, row: &mut Row<'a>) {
    let (mut word, mut rest) = cut(before);
    while word.ends_with(',') && !rest.is_empty() {
        (word, rest) = cut(rest);
    }
    let end = before.len() - rest.len();
    row.forwarded = before[..end].trim_end();
    row.client = word;
    let (_, user) = cut(rest);
    row.user = user;
}

#[inline]
fn cut(text: &str) -> (&str, &str) {
    match memchr::memchr(b' ', text.as_bytes()) {
        Some(i) => (&text[..i], text[i + 1..].trim_start()),
        None => (text, ""),
    }
}

/// ` 200 512 "referer" "agent" "forwarded" "0.010" …` and unquoted extras.
fn tail<'a>(text: &'a str, row: &mut Row<'a>) -> bool {
    let b = text.as_bytes();
    let mut at = 0;
    let (mut bare, mut quoted) = (0, 0);
    let mut unquoted_agent = None;
    while at < b.len() {
        if b[at] == b' ' {
            at += 1;
            continue;
        }
        if b[at] == b'"' {
            let Some(end) = closing(b, at + 1) else {
                // The line is cut inside a field; what stands before is read.
                break;
            };
            let v = &text[at + 1..end];
            quoted += 1;
            match quoted {
                1 => {}
                2 => row.agent = v,
                _ if row.forwarded.is_empty() && is_forwarded(v) => row.forwarded = v,
                _ if row.duration.is_empty() && is_seconds(v) => row.duration = v,
                _ if row.request_id.is_empty() && is_request_id(v) => row.request_id = v,
                _ => {}
            }
            at = end + 1;
            continue;
        }
        let end = memchr::memchr(b' ', &b[at..]).map_or(b.len(), |i| at + i);
        let v = &text[at..end];
        bare += 1;
        match bare {
            1 => row.status = v,
            2 => row.bytes = v,
            _ if quoted == 0 && !v.bytes().all(|c| c.is_ascii_digit() || c == b'-') => {
                // Tail without quotes: the user agent is the rest.
                unquoted_agent.get_or_insert(at);
            }
            _ if quoted >= 2 && row.duration.is_empty() && is_seconds(v) => row.duration = v,
            _ if quoted >= 2 && row.request_id.is_empty() && is_request_id(v) => row.request_id = v,
            _ => {}
        }
        at = end;
    }
    if let (Some(from), true) = (unquoted_agent, row.agent.is_empty()) {
        row.agent = text[from..].trim();
    }
    // A status is what makes it an access line; `-` is written when the client left early.
    row.status == "-" || (row.status.len() == 3 && row.status.bytes().all(|c| c.is_ascii_digit()))
}

fn is_forwarded(v: &str) -> bool {
    let first = v.split(',').next().unwrap_or(v).trim();
    !net::address(first).is_empty()
}

fn is_seconds(v: &str) -> bool {
    v.split_once('.').is_some_and(|(a, b)| {
        !a.is_empty()
            && !b.is_empty()
            && a.bytes().all(|c| c.is_ascii_digit())
            && b.bytes().all(|c| c.is_ascii_digit())
    })
}

/// A UUID or the 32 hexadecimal digits of nginx.
fn is_request_id(v: &str) -> bool {
    let hex = v.bytes().filter(u8::is_ascii_hexdigit).count();
    hex == 32 && (v.len() == 32 || v.len() == 36)
}

// ------------------------------------------------------------------------------------------------------------ error logs

/// `2021/12/01 13:53:33 [error] 31#31: *46 … client: …` (nginx) and `[Thu Oct 13 12:24:49.88 2022] [core:error] …` (Apache).
fn error_line<'a>(text: &'a str, clock: &mut Clock) -> Option<Event<'a>> {
    let b = text.as_bytes();
    let nginx = b.len() > 20 && b[4] == b'/' && b[0].is_ascii_digit();
    if nginx {
        let (local, offset, n) = time::iso(b)?;
        let rest = text[n..].trim_start().strip_prefix('[')?;
        let (level, rest) = rest.split_once("] ")?;
        if level.len() > 10 || !level.bytes().all(|c| c.is_ascii_lowercase()) {
            return None;
        }
        let mut e = Event {
            verb: Verb::Other,
            action: Cow::Borrowed(level),
            outcome: level_outcome(level),
            ..Event::default()
        };
        clock.stamp(local, offset).put(&mut e);
        let field = |name: &str| {
            let i = memchr::memmem::find(rest.as_bytes(), name.as_bytes())?;
            let v = &rest[i + name.len()..];
            Some(match v.strip_prefix('"') {
                Some(q) => &q[..closing(q.as_bytes(), 0).unwrap_or(q.len())],
                None => v.split([',', ' ']).next().unwrap_or(v),
            })
        };
        e.pid = rest.split('#').next().map_or(NONE, number);
        e.src_ip = Cow::Borrowed(net::address(field(", client: ").unwrap_or("")));
        let server = field(", server: ").unwrap_or("");
        let host = field(", host: ").unwrap_or("");
        let (h, p) = host_port(if host.is_empty() { server } else { host });
        e.host = Cow::Borrowed(h);
        if let Some(p) = p {
            e.dst_port = u64::from(p);
        }
        let (method, target) = request_line(field(", request: ").unwrap_or(""));
        e.http_method = Cow::Borrowed(method);
        e.url = Cow::Borrowed(target);
        let body = rest.split_once(": ").map_or(rest, |(_, m)| m);
        let body = body.strip_prefix('*').map_or(body, |m| cut(m).1);
        if let Some(user) = body.strip_prefix("user \"") {
            e.user = Cow::Borrowed(&user[..closing(user.as_bytes(), 0).unwrap_or(user.len())]);
            e.verb = Verb::Login;
        }
        return Some(e);
    }
    let rest = text.strip_prefix('[')?;
    let close = rest.find(']')?;
    let (local, offset, _) = time::named(&rest.as_bytes()[..close])?;
    let rest = rest[close + 1..].trim_start().strip_prefix('[')?;
    let (module, mut rest) = rest.split_once(']')?;
    let level = module.rsplit(':').next().unwrap_or(module);
    let mut e = Event {
        verb: Verb::Other,
        action: Cow::Borrowed(level),
        outcome: level_outcome(level),
        process: Cow::Borrowed(module.split_once(':').map_or("", |(m, _)| m)),
        ..Event::default()
    };
    clock.stamp(local, offset).put(&mut e);
    if let Some(p) = rest.trim_start().strip_prefix("[pid ") {
        let (inside, after) = p.split_once(']')?;
        e.pid = number(inside.split(':').next().unwrap_or(inside));
        rest = after;
    }
    if let Some((_, c)) = rest.split_once("[client ") {
        let (inside, after) = c.split_once(']').unwrap_or((c, ""));
        // An IPv6 address stands without brackets before its port.
        let wide = inside
            .rsplit_once(':')
            .filter(|(a, _)| a.contains(':') && e.pid != NONE)
            .and_then(|(a, p)| Some((net::address(a), Some(p.parse().ok()?))))
            .filter(|(a, _)| !a.is_empty());
        let (a, p) = wide.unwrap_or_else(|| net::endpoint(inside));
        e.src_ip = Cow::Borrowed(a);
        if let Some(p) = p {
            e.src_port = u64::from(p);
        }
        let message = after.trim_start();
        let message = message.split_once(": ").map_or(message, |(code, m)| {
            if code.starts_with("AH") { m } else { message }
        });
        // mod_auth_basic: `user NAME not found: /uri`, `user NAME: authentication failure for "/uri": Password Mismatch`.
        if let Some(m) = message.strip_prefix("user ") {
            if let Some((name, uri)) = m.split_once(" not found: ") {
                e.user = Cow::Borrowed(name);
                e.url = Cow::Borrowed(uri);
                e.verb = Verb::Login;
            } else if let Some((name, rest)) = m.split_once(": authentication failure for \"") {
                e.user = Cow::Borrowed(name);
                e.url = Cow::Borrowed(rest.split('"').next().unwrap_or(rest));
                e.verb = Verb::Login;
            }
        }
        for told in [
            "client denied by server configuration: ",
            "File does not exist: ",
        ] {
            if let Some(path) = message.strip_prefix(told) {
                e.object = Cow::Borrowed(path.split(", referer: ").next().unwrap_or(path));
            }
        }
        if let Some((_, rule)) = message.split_once("ModSecurity: ") {
            modsecurity(rule, &mut e);
        }
    }
    Some(e)
}

/// `Access denied with code 403 (phase 2). … [id "942100"] [msg "…"] [hostname "…"] [uri "…"] [unique_id "…"]`.
fn modsecurity<'a>(rule: &'a str, e: &mut Event<'a>) {
    let told = |name: &str| {
        let from = rule.find(&format!("[{name} \""))? + name.len() + 3;
        let value = &rule[from..];
        Some(Cow::Borrowed(&value[..value.find("\"]")?]))
    };
    e.url = told("uri").unwrap_or_default();
    e.host = told("hostname").unwrap_or_default();
    e.request_id = told("unique_id").unwrap_or_default();
    e.reason = told("msg").unwrap_or_default();
    // A rule that only warns says nothing of the answer, whatever the level of its line.
    e.outcome = Outcome::Unknown;
    if let Some((_, code)) = rule.split_once("Access denied with code ") {
        e.status = number(code.split(' ').next().unwrap_or(""));
        e.outcome = Outcome::Failure;
    }
}

fn level_outcome(level: &str) -> Outcome {
    match level {
        "error" | "crit" | "alert" | "emerg" => Outcome::Failure,
        "info" | "notice" | "debug" => Outcome::Success,
        l if l.starts_with("trace") => Outcome::Success,
        _ => Outcome::Unknown,
    }
}

// ------------------------------------------------------------------------------------------------------------------ JSON

/// An access record as one JSON object, by the names servers and their shippers use.
fn json<'a>(text: &'a str, clock: &mut Clock) -> Option<Event<'a>> {
    let pairs = scan::flatten(text).ok()?;
    let get = |names: &[&str]| -> Cow<'a, str> {
        for n in names {
            if let Some((_, v)) = pairs
                .iter()
                .find(|(k, v)| k == n && !v.is_empty() && v != "-")
            {
                return v.clone();
            }
        }
        Cow::Borrowed("")
    };
    let request = get(&["request", "request_line"]);
    let (m, t) = {
        let (m, t) = request_line(&request);
        (m.to_string(), t.to_string())
    };
    let method = get(&[
        "request_method",
        "method",
        "verb",
        "http_method",
        "http.request.method",
        "RequestMethod",
    ]);
    let target = get(&[
        "request_uri",
        "uri",
        "url",
        "path",
        "uri_path",
        "url.original",
        "requesturi",
        "RequestPath",
    ]);
    let args = get(&["args", "query_string", "query", "uri_query"]);
    let status = get(&[
        "status",
        "response_status",
        "status_code",
        "response",
        "http.response.status_code",
        "response_code",
        "DownstreamStatus",
    ]);
    let client = get(&[
        "remote_addr",
        "client_ip",
        "clientip",
        "remote_ip",
        "client",
        "source.ip",
        "remoteip",
        "remote_host",
        "ip",
        "ClientHost",
    ]);
    if status.is_empty() || client.is_empty() || (request.is_empty() && target.is_empty()) {
        return None;
    }
    let mut e = Event {
        verb: Verb::Request,
        ..Event::default()
    };
    let when = get(&[
        "timestamp",
        // Traefik writes its own log time to the second and the begin of the request to the nanosecond.
        "StartUTC",
        "@timestamp",
        "time_iso8601",
        "time",
        "time_local",
        "msec",
        "ts",
        "date",
        "datetime",
    ]);
    let stamp = time::iso(when.as_bytes())
        .or_else(|| time::clf(when.trim_matches(['[', ']']).as_bytes()))
        .map(|(l, o, _)| clock.stamp(l, o))
        .or_else(|| time::epoch(&when).map(|n| clock.explicit(n)));
    stamp?.put(&mut e);
    e.http_method = if method.is_empty() {
        Cow::Owned(m)
    } else {
        method
    };
    e.url = if t.is_empty() || !target.is_empty() && target.len() > t.len() {
        Cow::Owned(join_query(&target, &args).into_owned())
    } else {
        Cow::Owned(t)
    };
    e.action = e.http_method.clone();
    e.status = number(&status);
    e.outcome = outcome(e.status);
    let (a, p) = net::endpoint(&client);
    e.src_ip = Cow::Owned(a.to_string());
    if let Some(p) = p {
        e.src_port = u64::from(p);
    }
    if e.src_port == NONE {
        e.src_port = number(&get(&[
            "remote_port",
            "client_port",
            "source.port",
            "ClientPort",
        ]));
    }
    e.bytes_in = number(&get(&[
        "body_bytes_sent",
        "bytes_sent",
        "bytes",
        "size",
        "response_size",
        "http.response.body.bytes",
        "resp_body_size",
        "DownstreamContentSize",
    ]));
    e.bytes_out = number(&get(&[
        "request_length",
        "bytes_received",
        "http.request.bytes",
        "RequestContentSize",
    ]));
    e.duration_ms = duration(
        &get(&["request_time", "duration", "took", "response_time"]),
        Unit::Seconds,
    );
    if e.duration_ms == NONE {
        // Traefik: nanoseconds, whole.
        e.duration_ms = get(&["Duration"])
            .parse()
            .map_or(NONE, |n: u64| n / 1_000_000);
    }
    e.device = get(&[
        "http_user_agent",
        "user_agent",
        "agent",
        "useragent",
        "user_agent.original",
        "request_User-Agent",
    ]);
    e.forwarded = get(&[
        "http_x_forwarded_for",
        "x_forwarded_for",
        "xff",
        "forwarded_for",
        "request_X-Forwarded-For",
    ]);
    let host = get(&[
        "host",
        "http_host",
        "server_name",
        "vhost",
        "virtual_host",
        "url.domain",
        "RequestHost",
    ]);
    let (h, p) = host_port(&host);
    e.host = Cow::Owned(h.to_string());
    if let Some(p) = p {
        e.dst_port = u64::from(p);
    }
    let upstream = get(&["upstream_addr", "upstream", "ServiceAddr"]);
    let (a, p) = net::endpoint(upstream.split(',').next().unwrap_or(""));
    if !a.is_empty() {
        e.dst_ip = Cow::Owned(a.to_string());
        if let Some(p) = p {
            e.dst_port = u64::from(p);
        }
    }
    e.request_id = get(&[
        "request_id",
        "req_id",
        "x_request_id",
        "http_x_request_id",
        "request_X-Request-Id",
        "trace.id",
    ]);
    e.user = get(&[
        "remote_user",
        "user",
        "auth_user",
        "username",
        "user.name",
        "ClientUsername",
    ]);
    if !e.user.is_empty() {
        e.system = System::Web;
    }
    Some(e)
}

// ---------------------------------------------------------------------------------------------------------------- layout

/// A declared format: literals and variables in turn.
#[derive(Debug, Clone)]
struct Layout {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Literal(String),
    Field(Field),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Field {
    Client,
    User,
    Vhost,
    Port,
    ClfTime,
    /// Apache's `%t`, which brings its own brackets.
    BracketTime,
    IsoTime,
    EpochTime,
    Request,
    Method,
    Target,
    Path,
    Args,
    Status,
    Bytes,
    Agent,
    Forwarded,
    RequestId,
    Upstream,
    Seconds,
    Millis,
    Micros,
    Pid,
    /// Apache's `%X`: `X` where the connection ended before the answer.
    Connection,
    /// nginx' `$request_completion`: `OK`, or nothing.
    Completion,
    Skip,
}

impl Layout {
    /// `None` when the text has no variable.
    fn parse(text: &str) -> Option<Layout> {
        let text = text.trim();
        let named = match text {
            "combined" => Some(r#"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""#),
            "common" => Some(r#"%h %l %u %t \"%r\" %>s %b"#),
            "vhost_combined" => {
                Some(r#"%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\""#)
            }
            _ => None,
        };
        let text = named.unwrap_or(text).replace("\\\"", "\"");
        let mut parts: Vec<Part> = vec![];
        let mut literal = String::new();
        let b = text.as_bytes();
        let mut at = 0;
        while at < b.len() {
            let (field, n) = match b[at] {
                b'$' => nginx_variable(&text[at + 1..]),
                b'%' if b.get(at + 1) == Some(&b'%') => (None, 1),
                b'%' => apache_directive(&text[at + 1..]),
                _ => (None, 0),
            };
            match field {
                Some(f) => {
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(Part::Field(f));
                    at += 1 + n;
                }
                None => {
                    let c = text[at..].chars().next()?;
                    literal.push(c);
                    at += c.len_utf8() + if b[at] == b'%' { n } else { 0 };
                }
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        parts
            .iter()
            .any(|p| matches!(p, Part::Field(_)))
            .then_some(Layout { parts })
    }

    fn read<'a>(&self, line: &'a str) -> Option<Row<'a>> {
        let mut row = Row::default();
        let mut at = 0;
        for (i, part) in self.parts.iter().enumerate() {
            match part {
                Part::Literal(l) => {
                    // Blanks around a line are forgiven.
                    let rest = &line[at..];
                    if let Some(r) = rest.strip_prefix(l.as_str()) {
                        at = line.len() - r.len();
                    } else if i == 0 && rest.trim_start().starts_with(l.as_str()) {
                        at += rest.len() - rest.trim_start().len() + l.len();
                    } else if l.trim_end() == rest.trim_end() {
                        at = line.len();
                    } else {
                        return None;
                    }
                }
                Part::Field(f) => {
                    let rest = &line[at..];
                    let end = match self.parts.get(i + 1) {
                        Some(Part::Literal(l)) => field_end(*f, rest, l)?,
                        Some(Part::Field(_)) => {
                            memchr::memchr(b' ', rest.as_bytes()).unwrap_or(rest.len())
                        }
                        None => rest.len(),
                    };
                    set(&mut row, *f, &rest[..end]);
                    at += end;
                }
            }
        }
        (at == line.len() || line[at..].trim().is_empty()).then_some(row)
    }
}

/// Where a field ends: at the literal that follows it. Quoted fields pass over escaped quotes, Apache's time over its brackets.
fn field_end(f: Field, rest: &str, literal: &str) -> Option<usize> {
    let b = rest.as_bytes();
    if f == Field::BracketTime {
        return memchr::memchr(b']', b).map(|i| i + 1);
    }
    if literal.starts_with('"') {
        let mut from = 0;
        loop {
            let q = closing(b, from)?;
            if rest[q..].starts_with(literal) || rest[q..].trim_end() == literal.trim_end() {
                return Some(q);
            }
            from = q + 1;
        }
    }
    short(b, literal.as_bytes()).or_else(|| {
        let l = literal.trim_end();
        rest.trim_end().strip_suffix(l).map(str::len)
    })
}

/// Where a text of a few bytes is: no preparation is worth its while.
fn short(b: &[u8], what: &[u8]) -> Option<usize> {
    let Some(first) = what.first().copied() else {
        return Some(0);
    };
    memchr::memchr_iter(first, b).find(|i| b[*i..].starts_with(what))
}

fn set<'a>(row: &mut Row<'a>, f: Field, v: &'a str) {
    match f {
        Field::Client => row.client = v,
        Field::User => row.user = v,
        Field::Vhost => row.vhost = v,
        Field::Port => row.port = v,
        Field::ClfTime => row.time = v,
        Field::BracketTime => row.time = v.trim_start_matches('[').trim_end_matches(']'),
        Field::IsoTime => {
            row.time = v;
            row.time_kind = TimeKind::Iso;
        }
        Field::EpochTime => {
            row.time = v;
            row.time_kind = TimeKind::Epoch;
        }
        Field::Request => row.request = v,
        Field::Method => row.method = v,
        Field::Target => row.target = v,
        Field::Path => {
            if row.target.is_empty() {
                row.target = v;
            }
        }
        Field::Args => row.args = v,
        Field::Status => row.status = v,
        Field::Bytes => row.bytes = v,
        Field::Agent => row.agent = v,
        Field::Forwarded => row.forwarded = v,
        Field::RequestId => row.request_id = v,
        Field::Upstream => row.upstream = v,
        Field::Seconds => row.duration = v,
        Field::Millis => {
            row.duration = v;
            row.duration_unit = Unit::Millis;
        }
        Field::Micros => {
            row.duration = v;
            row.duration_unit = Unit::Micros;
        }
        Field::Pid => row.pid = v,
        Field::Connection => row.cut = v == "X",
        Field::Completion => row.cut = v != "OK",
        Field::Skip => {}
    }
}

/// The variable after `$`, with or without braces, and its length.
fn nginx_variable(text: &str) -> (Option<Field>, usize) {
    let braced = text.starts_with('{');
    let body = if braced { &text[1..] } else { text };
    let n = body
        .bytes()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == b'_')
        .count();
    if n == 0 {
        return (None, 0);
    }
    let field = match &body[..n] {
        "remote_addr" | "realip_remote_addr" => Field::Client,
        "remote_user" => Field::User,
        "host" | "http_host" | "server_name" => Field::Vhost,
        "server_port" => Field::Port,
        "time_local" => Field::ClfTime,
        "time_iso8601" => Field::IsoTime,
        "msec" => Field::EpochTime,
        "request" => Field::Request,
        "request_method" => Field::Method,
        "request_uri" => Field::Target,
        "uri" | "document_uri" => Field::Path,
        "args" | "query_string" => Field::Args,
        "status" => Field::Status,
        "body_bytes_sent" => Field::Bytes,
        "http_user_agent" => Field::Agent,
        "http_x_forwarded_for" => Field::Forwarded,
        "request_id" | "http_x_request_id" => Field::RequestId,
        "upstream_addr" => Field::Upstream,
        "request_time" => Field::Seconds,
        "pid" => Field::Pid,
        "request_completion" => Field::Completion,
        _ => Field::Skip,
    };
    let closing = usize::from(braced && body[n..].starts_with('}'));
    (Some(field), n + usize::from(braced) + closing)
}

/// The directive after `%`: modifiers, an argument in braces, the letter.
fn apache_directive(text: &str) -> (Option<Field>, usize) {
    let b = text.as_bytes();
    let mut n = b
        .iter()
        .take_while(|c| matches!(c, b'<' | b'>' | b'!' | b',') || c.is_ascii_digit())
        .count();
    let mut argument = "";
    if b.get(n) == Some(&b'{') {
        let Some(end) = memchr::memchr(b'}', &b[n..]) else {
            return (None, 0);
        };
        argument = &text[n + 1..n + end];
        n += end + 1;
    }
    let Some(letter) = b.get(n) else {
        return (None, 0);
    };
    let field = match (letter, argument) {
        (b'h' | b'a', _) => Field::Client,
        (b'u', _) => Field::User,
        (b'v' | b'V', _) => Field::Vhost,
        (b'p', _) => Field::Port,
        (b't', "") => Field::BracketTime,
        (b't', "sec" | "msec" | "usec") => Field::EpochTime,
        (b't', a) if a.starts_with("%Y-%m-%d") || a.starts_with("%F") => Field::IsoTime,
        (b't', a) if a.starts_with("%d/%b/%Y:") => Field::ClfTime,
        (b'r', _) => Field::Request,
        (b'm', _) => Field::Method,
        (b'U', _) => Field::Path,
        (b'q', _) => Field::Args,
        (b's', _) => Field::Status,
        (b'b' | b'B' | b'O', _) => Field::Bytes,
        (b'D', _) => Field::Micros,
        (b'T', "ms") => Field::Millis,
        (b'T', "us") => Field::Micros,
        (b'T', _) => Field::Seconds,
        (b'P', _) => Field::Pid,
        (b'X', _) => Field::Connection,
        (b'L', _) => Field::RequestId,
        (b'i', a) if a.eq_ignore_ascii_case("user-agent") => Field::Agent,
        (b'i', a) if a.eq_ignore_ascii_case("x-forwarded-for") => Field::Forwarded,
        (b'i', a) if a.eq_ignore_ascii_case("host") => Field::Vhost,
        (b'i' | b'e', a)
            if a.eq_ignore_ascii_case("x-request-id") || a.eq_ignore_ascii_case("UNIQUE_ID") =>
        {
            Field::RequestId
        }
        (c, _) if c.is_ascii_alphabetic() => Field::Skip,
        _ => return (None, 0),
    };
    (Some(field), n + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode_bytes;
    use proptest::prelude::*;

    /// Access lines of few pieces, most of them combined, some with what makes them something else.
    fn lines() -> impl Strategy<Value = String> {
        let piece = |all: &'static [&'static str]| {
            let usual = Just(all[0]);
            prop_oneof![4 => usual, 1 => prop::sample::select(all)]
        };
        let front = piece(&[
            "",
            "web-1  | ",
            "access.log:",
            "12:",
            " ",
            "\"",
            "[",
            "{",
            "10.0.0.9 ",
        ]);
        let client = piece(&[
            "10.0.0.1",
            "10.0.0.1,",
            "h.example",
            "2001:db8::1",
            "-",
            "10.0.0.256",
            "[::1]",
        ]);
        let ident = piece(&[" - ", " x ", " -", "  - ", " - - "]);
        let user = piece(&[
            "nadia",
            "-",
            "",
            "\"\"",
            "a b",
            "é",
            "a\u{85}",
            "a[b",
            "[01/Sep/2025:00:00:00]x",
            "x,y",
        ]);
        let stamp = piece(&[
            " [01/Sep/2025:00:00:00 +0200] ",
            " [31/Dec/2025:23:59:59 -0100] ",
            " [01/Sep/2025:00:00:00] ",
            " [01/Sep/2025:00:00:00 +02] ",
            " [32/Sep/2025:00:00:00 +0200] ",
            " [01/Sep/2025:00:00:00 +0200]  ",
            " [01/Sep/2025:00:00:00 +0200]x",
            " [2025-09-01T00:00:00+02:00] ",
            " ",
        ]);
        let request = piece(&[
            "\"GET /p HTTP/1.1\"",
            "\"GET  /p  HTTP/1.1\"",
            "\"-\"",
            "\"\"",
            "\"- /p\"",
            "\"get /p\"",
            "\"GET /a\\\"b HTTP/1.1\"",
            "\"GET /a\\\\\"",
            "\"-\" \"GET /p HTTP/1.1\"",
            "\"GET /\tp\"",
        ]);
        let status = piece(&[" 200 ", " 404 ", " 099 ", " 20 ", " - ", " 2000 ", "  200 "]);
        let size = piece(&["512", "-", "", "+5", "5x", "99999999999999999999", "\t"]);
        let referer = piece(&[
            " \"https://h.example/\"",
            " \"-\"",
            "  \"-\"",
            " \"a\\\"b\"",
            " x",
            "",
            "\"-\"",
        ]);
        let agent = piece(&[
            " \"Mozilla/5.0 (X11)\"",
            " \"-\"",
            " \"\"",
            " \"a\\\"b\"",
            " \"a",
            "  \"a\"",
            " a",
            "",
        ]);
        let tail = piece(&["", " ", " \"10.0.0.2\"", " 0.010", "\"", " x", "\r"]);
        let line = (front, client, ident, user, stamp);
        (line, (request, status, size, referer, agent, tail)).prop_map(
            |((a, b, c, d, e), (f, g, h, i, j, k))| [a, b, c, d, e, f, g, h, i, j, k].concat(),
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]
        #[test]
        fn the_short_way_reads_what_the_long_way_reads(lines in proptest::collection::vec(lines(), 1..6)) {
            let decoder = || Decoder {
                clock: Clock::new(&Setting::default()),
                minute: Minute::default(),
                accounts: System::Web,
                layout: None,
            };
            // What a line before left behind changes nothing.
            let mut short = decoder();
            for line in &lines {
                let mut e = Event::default();
                match short.combined(line, &mut e) {
                    Some(()) => prop_assert_eq!(Ok(e), decoder().any(line)),
                    None => prop_assert_eq!(e, Event::default()),
                }
            }
        }
    }

    #[test]
    fn most_lines_go_the_short_way() {
        let mut decoder = Decoder {
            clock: Clock::new(&Setting::default()),
            minute: Minute::default(),
            accounts: System::Web,
            layout: None,
        };
        for line in [
            "10.0.0.1 - nadia [01/Sep/2025:00:00:00 +0200] \"GET / HTTP/1.1\" 200 5 \"-\" \"Mozilla/5.0 (X11)\"",
            "10.0.0.1 - - [01/Sep/2025:00:00:00 +0200] \"-\" 408 - \"-\" \"-\"",
        ] {
            let mut e = Event::default();
            assert!(decoder.combined(line, &mut e).is_some(), "{line}");
        }
    }

    fn read(line: &str, layout: Option<&str>) -> Event<'static> {
        let setting = Setting {
            layout: layout.map(str::to_string),
            ..Setting::default()
        };
        let out = decode_bytes(&HttpAccess, line.as_bytes(), &setting);
        assert_eq!(out.event_count, 1, "{line}: {:?}", out.rejects);
        out.events.get(0).into_owned()
    }

    #[test]
    fn what_tools_put_in_front_is_cut_off_and_nothing_else() {
        const LINE: &str =
            "192.0.2.9 - marie [14/Sep/2025:01:00:36 +0200] \"GET / HTTP/1.1\" 200 5";
        for front in [
            "",
            "access.log:",
            "/var/log/a.log:12:",
            "12:",
            "    12\t",
            "nov. 03 03:35:09 web-1 nginx[911]: ",
        ] {
            assert_eq!(in_front(&format!("{front}{LINE}")), LINE, "{front}");
        }
        // What a client wrote into its name is no header.
        for line in [
            "192.0.2.9 - x[1]: 198.51.100.1 - admin [14/Sep/2025:01:00:36 +0200] \"GET / HTTP/1.1\" 200 5",
            "web.example 192.0.2.9 - x[1]: 198.51.100.1 - admin [14/Sep/2025:01:00:36 +0200] \"GET / HTTP/1.1\" 200 5",
            "2001:db8::1 - - [14/Sep/2025:01:00:36 +0200] \"GET / HTTP/1.1\" 200 5",
        ] {
            assert_eq!(in_front(line), line);
        }
    }

    #[test]
    fn a_field_tells_that_an_answer_was_cut() {
        for (layout, tail, cut) in [
            (r#"%h %l %u %t "%r" %>s %b %X"#, "200 512 X", true),
            (r#"%h %l %u %t "%r" %>s %b %X"#, "200 512 +", false),
            (
                r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent $request_completion"#,
                "200 512 -",
                true,
            ),
            (
                r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent $request_completion"#,
                "200 512 OK",
                false,
            ),
        ] {
            let line =
                format!("192.0.2.9 - u1 [14/Sep/2025:01:00:36 +0200] \"GET /p HTTP/1.1\" {tail}");
            let e = read(&line, Some(layout));
            assert_eq!((e.status, e.bytes_in), (200, 512));
            assert_eq!(
                e.extra_value("ended"),
                cut.then_some("early"),
                "{layout} {tail}"
            );
        }
    }

    /// What a container engine puts in front is nobody's account.
    #[test]
    fn the_prefix_of_a_container_is_not_part_of_the_line() {
        let line = r#"sri.example 192.0.2.9 - - [14/Sep/2025:01:00:36 +0200] "GET /p HTTP/1.1" 200 51 "-" "curl/8""#;
        for prefix in [
            "",
            "sri-fhir-1  | ",
            "2025-09-13T23:00:36.123456789Z stdout F ",
            "2025-09-13T23:00:36.123+02:00 stderr F ",
        ] {
            let line = format!("{prefix}{line}");
            let e = read(&line, None);
            assert_eq!(
                (&*e.user, &*e.src_ip, &*e.url),
                ("", "192.0.2.9", "/p"),
                "{line}"
            );
        }
    }

    #[test]
    fn declared_layouts_of_both_servers_are_read() {
        let e = read(
            r#"192.0.2.9 - marie [14/Sep/2025:01:00:36 +0200] "GET /p?q=a b HTTP/1.1" 200 51 0.250"#,
            Some(
                r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent $request_time"#,
            ),
        );
        assert_eq!(
            (&*e.user, &*e.url, e.status, e.bytes_in, e.duration_ms),
            ("marie", "/p?q=a b", 200, 51, 250)
        );
        let e = read(
            r#"portal:8443 192.0.2.9 - "Marie C" [14/Sep/2025:01:00:36 +0200] "POST /x HTTP/2.0" 403 - "-" "UA \"x\"" 12345 id7"#,
            Some(r#"%v:%p %h %l \"%u\" %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" %D %L"#),
        );
        assert_eq!(
            (&*e.host, e.dst_port, &*e.user),
            ("portal", 8443, "Marie C")
        );
        assert_eq!((e.duration_ms, &*e.request_id, e.bytes_in), (12, "id7", 0));
        let e = read(
            "2025-09-14T01:00:36+02:00|192.0.2.9|GET|/a|x=1|200",
            Some("$time_iso8601|$remote_addr|$request_method|$uri|$args|$status"),
        );
        assert_eq!((&*e.url, &*e.http_method), ("/a?x=1", "GET"));
    }

    #[test]
    fn a_line_that_does_not_fit_its_layout_is_still_read() {
        let e = read(
            r#"192.0.2.9 - - [14/Sep/2025:01:00:36 +0200] "GET / HTTP/1.1" 200 51"#,
            Some("$remote_addr|$status"),
        );
        assert_eq!((&*e.src_ip, e.status), ("192.0.2.9", 200));
    }

    #[test]
    fn odd_requests_are_kept_whole() {
        let e = read(
            r#"::1 - - [14/Sep/2025:01:00:36 +0200] "\x16\x03\x01 \x02" 400 226 "-" "-""#,
            None,
        );
        assert_eq!(
            (&*e.url, &*e.http_method, &*e.src_ip),
            (r"\x16\x03\x01 \x02", "", "::1")
        );
        let e = read(
            r#"192.0.2.9 - - [14/Sep/2025:01:00:36 +0200] "-" 408 - "-" "-""#,
            None,
        );
        assert_eq!((&*e.url, e.status), ("", 408));
    }
}
