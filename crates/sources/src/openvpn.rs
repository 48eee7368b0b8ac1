//! OpenVPN server: its log at usual verbosities, through syslog or systemd or to a file, and its status file (versions 1 to 3).
//! Standard: OpenVPN reference manual openvpn(8), "--verb", "--status", "--machine-readable-output". Times: local without zone, in
//! the zone of the source; epoch in machine-readable output.
//!
//! Lines of one client begin with `name/address:port` or `address:port`; that address with its port is the `session_id`, because
//! every line of a connection has it. What earlier lines of the connection told (name, lent address) is carried on until it ends.
//! Status rows are running totals of a connection: received by the server → `bytes_in`, sent → `bytes_out`.
use crate::{
    Confidence, Decode, Decoded, Head, Reason, Setting, Source, Standard, lines, net, syslog,
    time::{self, Clock, Stamp},
};
use ampleur_event::{
    Capability, Event, GapSign, Outcome, Proof, Silence, System, Verb, account::is_placeholder,
};
use rustc_hash::FxHashMap;
use std::borrow::Cow;

pub(crate) struct Openvpn;

impl Source for Openvpn {
    fn name(&self) -> &'static str {
        "openvpn"
    }
    fn about(&self) -> &'static str {
        "OpenVPN server: connections, authentication, lent addresses, status"
    }
    fn standard(&self) -> Standard {
        Standard {
            name: "OpenVPN reference manual, openvpn(8)",
            section: "--verb, --status",
        }
    }
    fn capability(&self) -> Capability {
        Capability {
            rows: &[
                (Verb::Login, Proof::Presence),
                (Verb::TunnelUp, Proof::Presence),
                (Verb::TunnelDown, Proof::Presence),
                (Verb::TunnelStats, Proof::Transfer),
                (Verb::Restart, Proof::Health),
            ],
            silence: Silence::NoPresence,
            names_results: false,
            gap: GapSign::RateOnly,
        }
    }
    fn sniff(&self, head: &Head<'_>) -> Confidence {
        if syslog::of_others(head, is_openvpn) {
            return Confidence::No;
        }
        let mut likely = 0;
        for line in lines::sample(head) {
            let has = |w: &[u8]| memchr::memmem::find(line, w).is_some();
            if has(b"OpenVPN CLIENT LIST")
                || has(b"TITLE,OpenVPN ")
                || has(b"TITLE\tOpenVPN ")
                || has(b" Peer Connection Initiated with [AF_INET")
                || has(b"MULTI: Learn: ")
                || has(b"MULTI_sva: pool returned")
                || has(b"TLS: Initial packet from [AF_INET")
                || has(b" peer info: IV_")
                || has(b"IFCONFIG POOL IPv4")
                || has(b"#info] AUTH SUCCESS {")
                || has(b"#info] AUTH FAILURE {")
                || has(b"#info] [OVPN ")
            {
                return Confidence::Certain;
            }
            let words: [&[u8]; 12] = [
                b"OpenVPN ",
                b"ovpn-",
                b"openvpn[",
                b"Control Channel: TLS",
                b"VERIFY OK: depth=",
                b"client-instance ",
                b"TLS Error: ",
                b"TCP connection established with [AF_INET",
                b"SENT CONTROL [",
                b"Timers: ping",
                b"Socket Buffers: R=",
                b"PUSH: Received control message",
            ];
            likely += words.iter().filter(|w| has(w)).count();
        }
        match likely {
            0 => Confidence::No,
            1 => Confidence::Maybe,
            _ => Confidence::Likely,
        }
    }
    fn open(&self, _head: &Head<'_>, setting: &Setting) -> Box<dyn Decode> {
        Box::new(Decoder {
            clock: Clock::new(setting),
            accounts: setting.accounts.unwrap_or(System::Vpn),
            peers: FxHashMap::default(),
            status: None,
            username: None,
        })
    }
}

struct Decoder {
    clock: Clock,
    accounts: System,
    /// What is known of a live connection, by `address:port`.
    peers: FxHashMap<String, Peer>,
    /// Instant of the status file being read.
    status: Option<Stamp>,
    /// Where its rows of clients have the user name.
    username: Option<usize>,
}

#[derive(Default, Clone)]
struct Peer {
    user: String,
    /// The name whose password was right. The one in the certificate may be another person's, or everybody's.
    proven: bool,
    inner: String,
    up: bool,
}

/// Connections followed at a time; a flood of unauthenticated ones must not grow memory.
const PEERS_MAX: usize = 1 << 16;

impl Decode for Decoder {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        lines::each(bytes, last, out, |line, at, len, finished, out| {
            let text = lines::text(line);
            if !self.line(text.trim_end(), at, len, out) {
                let reason = if finished {
                    Reason::Shape
                } else {
                    Reason::Truncated
                };
                out.reject(bytes, at, len, reason);
            }
        })
    }
}

/// What stands before a message.
struct Line<'a> {
    stamp: Stamp,
    host: &'a str,
    pid: Option<u64>,
    message: &'a str,
    /// True when something in front says that this is a log line.
    headed: bool,
}

impl Decoder {
    fn line(&mut self, text: &str, at: usize, len: usize, out: &mut Decoded) -> bool {
        if let Some(done) = self.status_line(text, at, len, out) {
            return done;
        }
        let line = self.header(text);
        let mut e = Event {
            host: Cow::Borrowed(line.host),
            pid: line.pid.unwrap_or(ampleur_event::batch::NONE),
            ..Event::default()
        };
        line.stamp.put(&mut e);
        let (peer, message) = peer_prefix(unwrapped(line.message));
        let known = self.message(peer, message, &mut e);
        if !known && !line.headed && peer.is_none() {
            return false;
        }
        out.event(e, at, len);
        true
    }

    fn header<'a>(&mut self, text: &'a str) -> Line<'a> {
        let b = text.as_bytes();
        let mut line = Line {
            stamp: Stamp::NONE,
            host: "",
            pid: None,
            message: text,
            headed: false,
        };
        if let Some((local, offset, n)) = time::iso(b)
            && !text[n..].starts_with('|')
        {
            let rest = text[n..].trim_start();
            // A host and a program follow when the stamp is that of a syslog.
            match syslog::header(text, &mut self.clock) {
                Some(h) if !h.program.is_empty() && is_openvpn(h.program) => {
                    line.stamp = h.time;
                    line.host = h.host;
                    line.pid = h.pid;
                    line.message = &text[h.message..];
                }
                _ => {
                    line.stamp = self.clock.stamp(local, offset);
                    line.message = rest;
                }
            }
            line.headed = true;
        } else if let Some((local, offset, n)) = weekday(b) {
            line.stamp = self.clock.stamp(local, offset);
            line.message = text.get(n..).unwrap_or("").trim_start();
            line.headed = true;
        } else if let Some((stamp, rest)) = self.machine(text) {
            line.stamp = stamp;
            line.message = rest;
            line.headed = true;
        } else if let Some(h) = syslog::header(text, &mut self.clock) {
            line.stamp = h.time;
            line.host = h.host;
            line.pid = h.pid;
            line.message = &text[h.message..];
            line.headed = is_openvpn(h.program);
            // Logged to a file and through syslog: the inner stamp is the server's own.
            if let Some((local, offset, n)) = time::iso(line.message.as_bytes()) {
                line.stamp = self.clock.stamp(local, offset);
                line.message = line.message[n..].trim_start();
            }
        }
        if let Some(rest) = line.message.strip_prefix("us=") {
            let n = rest.bytes().take_while(u8::is_ascii_digit).count();
            line.message = rest[n..].trim_start();
        }
        line
    }

    /// `1702310982.123456 1 message`: epoch with microseconds and flags in hexadecimal.
    fn machine<'a>(&mut self, text: &'a str) -> Option<(Stamp, &'a str)> {
        let (stamp, rest) = text.split_once(' ')?;
        if !stamp.contains('.') {
            return None;
        }
        let t = time::epoch(stamp)?;
        let (flags, rest) = rest.split_once(' ')?;
        u64::from_str_radix(flags, 16).ok()?;
        Some((self.clock.explicit(t), rest))
    }

    /// Fills `e` from a message; false when nothing in it is known.
    fn message<'a>(
        &mut self,
        peer: Option<Prefix<'a>>,
        message: &'a str,
        e: &mut Event<'a>,
    ) -> bool {
        let mut key = String::new();
        if let Some(p) = &peer {
            e.src_ip = Cow::Borrowed(p.address);
            e.src_port = u64::from(p.port);
            key = format!("{}:{}", p.address, p.port);
            e.user = Cow::Borrowed(p.user);
        } else if let Some((a, p)) = family_address(message) {
            // `TLS: Initial packet from [AF_INET]203.0.113.7:1194` has no prefix at some verbosities.
            e.src_ip = Cow::Borrowed(a);
            if let Some(p) = p {
                e.src_port = u64::from(p);
                key = format!("{a}:{p}");
            }
        }
        let mut known = true;
        let mut remember: Option<Peer> = None;
        let mut forget = false;
        let known_peer = self.peers.get(&key).cloned().unwrap_or_default();
        if let Some((name, rest)) = bracketed(message)
            && rest.starts_with("Peer Connection Initiated with")
        {
            e.action = Cow::Borrowed("Peer Connection Initiated");
            if is_placeholder(name) || name == "UNDEF" {
                e.verb = Verb::Other;
            } else {
                e.verb = Verb::Login;
                e.outcome = Outcome::Success;
                e.user = Cow::Borrowed(name.strip_suffix("_AUTOLOGIN").unwrap_or(name));
                remember = Some(Peer {
                    user: if known_peer.proven {
                        known_peer.user.clone()
                    } else {
                        e.user.to_string()
                    },
                    ..known_peer.clone()
                });
            }
        } else if let Some((action, inner, to)) = learned(message) {
            e.action = Cow::Borrowed(action);
            let inner = net::address(inner);
            let to = peer_prefix(to).0;
            if let Some(p) = &to {
                e.src_ip = Cow::Borrowed(p.address);
                e.src_port = u64::from(p.port);
                e.user = Cow::Borrowed(p.user);
                key = format!("{}:{}", p.address, p.port);
            }
            let before = self.peers.get(&key).cloned().unwrap_or_default();
            if !inner.is_empty() {
                e.inner_ip = Cow::Borrowed(inner);
                // Learned again at each renegotiation: the tunnel is up once.
                if before.up && before.inner == inner {
                    e.verb = Verb::Other;
                } else {
                    e.verb = Verb::TunnelUp;
                    e.outcome = Outcome::Success;
                }
                let user = if e.user.is_empty() || before.proven {
                    before.user
                } else {
                    e.user.to_string()
                };
                remember = Some(Peer {
                    user,
                    inner: inner.to_string(),
                    up: true,
                    proven: before.proven,
                });
            }
        } else if let Some(i) = message.find(" received, client-instance ") {
            e.action = Cow::Borrowed(message[..i].split('[').next().unwrap_or("SIGTERM"));
            e.verb = Verb::TunnelDown;
            e.outcome = Outcome::Success;
            e.reason = Cow::Borrowed(bracketed_inside(&message[..i]));
            forget = true;
        } else if let Some(name) = quoted_after(message, "authentication succeeded for username '")
        {
            e.action = Cow::Borrowed("authentication succeeded");
            e.verb = Verb::Login;
            e.outcome = Outcome::Success;
            e.user = Cow::Borrowed(name);
            remember = Some(Peer {
                user: name.to_string(),
                proven: true,
                ..known_peer.clone()
            });
        } else if let Some((name, said)) = message
            .strip_prefix("user '")
            .and_then(|m| m.split_once("' "))
            .filter(|(_, said)| {
                said.starts_with("authenticated") || said.starts_with("could not authenticate")
            })
        {
            // The script that asks for passwords on pfSense and OPNsense.
            e.action = Cow::Borrowed("user authenticated");
            e.verb = Verb::Login;
            e.outcome = match said.starts_with("authenticated") {
                true => Outcome::Success,
                false => Outcome::Failure,
            };
            e.user = Cow::Borrowed(name);
        } else if let Some((server, rest)) = message
            .strip_prefix("openvpn server '")
            .and_then(|m| m.split_once("' user '"))
            && let Some((name, rest)) = rest.split_once("' address '")
            && let Some((from, said @ ("connected" | "disconnected"))) = rest.split_once("' - ")
        {
            // The same systems when a client comes and goes; newer ones name its port.
            e.action = Cow::Borrowed(said);
            e.verb = match said {
                "connected" => Verb::TunnelUp,
                _ => Verb::TunnelDown,
            };
            e.outcome = Outcome::Success;
            e.user = Cow::Borrowed(name);
            let (a, p) = net::endpoint(from);
            e.src_ip = Cow::Borrowed(a);
            if let Some(p) = p {
                e.src_port = u64::from(p);
            }
            e.process = Cow::Borrowed(server);
        } else if let Some((answer, rest)) = message
            .strip_prefix("AUTH ")
            .and_then(|r| r.split_once(" {'"))
        {
            // Access Server, as a Python dictionary.
            e.action = Cow::Borrowed("AUTH");
            e.verb = Verb::Login;
            e.outcome = match answer {
                "SUCCESS" => Outcome::Success,
                "FAILURE" => Outcome::Failure,
                _ => Outcome::Unknown,
            };
            e.user = Cow::Borrowed(quoted_after(rest, "'user': '").unwrap_or(""));
            e.reason = Cow::Borrowed(quoted_after(rest, "'reason': '").unwrap_or(""));
            let ip = rest.rsplit_once("(IP=").map_or("", |(_, a)| a);
            e.src_ip = Cow::Borrowed(net::address(ip.split(')').next().unwrap_or("")));
        } else if let Some(name) = message
            .strip_prefix("PLUGIN AUTH-PAM: ")
            .filter(|m| m.contains("' failed to authenticate"))
            .and_then(|m| quoted_after(m, "user '"))
        {
            e.action = Cow::Borrowed("auth_failed");
            e.verb = Verb::Login;
            e.outcome = Outcome::Failure;
            e.user = Cow::Borrowed(name);
        } else if message.contains("Auth Username/Password verification failed")
            || message.contains("AUTH_FAILED")
            || message.starts_with("TLS Auth Error")
            || message.starts_with("LDAP bind failed")
            || message.contains("PLUGIN_AUTH_USER_PASS_VERIFY status=1")
            || message.contains("PLUGIN_CALL: POST")
                && message.contains("AUTH")
                && message.ends_with("status=1")
            || message.starts_with("WARNING: Failed running command (--auth-user-pass-verify")
        {
            e.action = Cow::Borrowed("auth_failed");
            e.verb = Verb::Login;
            e.outcome = Outcome::Failure;
        } else if let Some(dn) = message.strip_prefix("Incorrect password supplied for LDAP DN \"")
        {
            e.action = Cow::Borrowed("auth_failed");
            e.verb = Verb::Login;
            e.outcome = Outcome::Failure;
            // The first part of the name is the account, or the person where the directory names by person.
            let first = dn.split([',', '"']).next().unwrap_or("");
            e.user = Cow::Borrowed(first.split_once('=').map_or(first, |(_, v)| v).trim());
        } else if let Some(rest) = message.strip_prefix("MULTI_sva: pool returned IPv4=") {
            e.action = Cow::Borrowed("MULTI_sva");
            e.inner_ip = Cow::Borrowed(net::address(rest.split(',').next().unwrap_or("")));
        } else if let Some(name) = message.strip_prefix("Unable to bind as ") {
            e.action = Cow::Borrowed("auth_failed");
            e.verb = Verb::Login;
            e.outcome = Outcome::Failure;
            e.user = Cow::Borrowed(name.trim());
        } else if message.starts_with("TLS Error: ") || message.starts_with("VERIFY ERROR") {
            e.action = Cow::Borrowed("auth_failed");
            e.verb = Verb::Login;
            e.outcome = Outcome::Failure;
            e.reason = Cow::Borrowed(message.split([':', ',']).nth(1).map_or("", str::trim));
        } else if message.starts_with("OpenVPN ") && message.contains('[')
            || message.starts_with("OpenVPN ") && message.ends_with(" started")
            || message == "Initialization Sequence Completed"
        {
            e.action = Cow::Borrowed(if message.starts_with("Init") {
                "Initialization Sequence Completed"
            } else {
                "OpenVPN"
            });
            e.verb = Verb::Restart;
            self.peers.clear();
        } else if let Some((name, rest)) = message
            .strip_prefix("SENT CONTROL [")
            .and_then(|r| r.split_once(']'))
        {
            e.action = Cow::Borrowed("SENT CONTROL");
            if name != "UNDEF" {
                e.user = Cow::Borrowed(name);
            }
            if let Some(a) = rest.split_once("ifconfig ") {
                e.inner_ip = Cow::Borrowed(net::address(a.1.split(' ').next().unwrap_or("")));
            }
            if rest.contains("AUTH_FAILED") {
                e.verb = Verb::Login;
                e.outcome = Outcome::Failure;
            }
        } else if let Some(info) = message.strip_prefix("peer info: ") {
            e.action = Cow::Borrowed("peer info");
            if let Some(v) = info
                .strip_prefix("IV_HWADDR=")
                .or_else(|| info.strip_prefix("IV_GUI_VER="))
                .or_else(|| info.strip_prefix("IV_PLAT="))
            {
                e.device = Cow::Borrowed(v);
            }
        } else {
            // The start of a message, up to where values begin, is its word.
            e.action = Cow::Borrowed(word_of(message));
            known = WORDS.iter().any(|w| message.starts_with(w));
        }
        e.session_id = Cow::Owned(key.clone());
        if forget {
            self.peers.remove(&key);
        } else if let (Some(p), false) = (remember, key.is_empty()) {
            if self.peers.len() >= PEERS_MAX {
                self.peers.clear();
            }
            self.peers.insert(key, p);
        }
        let renamed = known_peer.proven && e.user != known_peer.user;
        if renamed && e.outcome != Outcome::Failure && !message.contains("for username '") {
            e.user_name = std::mem::replace(&mut e.user, Cow::Owned(known_peer.user));
        } else if e.user.is_empty() && !known_peer.user.is_empty() {
            e.user = Cow::Owned(known_peer.user);
        }
        if e.inner_ip.is_empty() && !known_peer.inner.is_empty() {
            e.inner_ip = Cow::Owned(known_peer.inner);
        }
        if is_placeholder(&e.user) {
            e.user = Cow::Borrowed("");
        } else {
            e.system = self.accounts;
        }
        known
    }

    /// Rows of a status file. `None` when the line is of the log.
    fn status_line(
        &mut self,
        text: &str,
        at: usize,
        len: usize,
        out: &mut Decoded,
    ) -> Option<bool> {
        let sep = if text.contains('\t') { '\t' } else { ',' };
        let first = text.split(sep).next().unwrap_or("");
        match first {
            "OpenVPN CLIENT LIST"
            | "TITLE"
            | "HEADER"
            | "GLOBAL_STATS"
            | "END"
            | "GLOBAL STATS"
            | "ROUTING TABLE"
            | "ROUTING_TABLE"
            | "Common Name"
            | "Virtual Address"
            | "Max bcast/mcast queue length" => {
                if first == "OpenVPN CLIENT LIST" || first == "TITLE" {
                    self.status = Some(Stamp::NONE);
                    self.username = None;
                }
                let mut titles = text.split(sep);
                if first == "HEADER" && titles.nth(1) == Some("CLIENT_LIST") {
                    // The row itself has no word in front.
                    self.username = titles.position(|t| t == "Username").map(|i| i + 1);
                }
                self.status?;
                out.skip();
                return Some(true);
            }
            "TIME" | "Updated" => {
                self.status?;
                let v = text.split(sep).nth(1).unwrap_or("");
                let epoch = text.split(sep).nth(2).unwrap_or("");
                let stamp = time::epoch(epoch)
                    .map(|t| self.clock.explicit(t))
                    .or_else(|| {
                        let found = time::iso(v.as_bytes()).or_else(|| weekday(v.as_bytes()));
                        found.map(|(l, o, _)| self.clock.stamp(l, o))
                    });
                self.status = Some(stamp.unwrap_or(Stamp::NONE));
                out.skip();
                return Some(true);
            }
            _ => {}
        }
        let stamp = self.status?;
        let v: Vec<&str> = text.split(sep).collect();
        let (name, real, inner, received, sent) = match v.as_slice() {
            // Version 2 and 3; since 2.4 a column for the IPv6 address stands before the counters.
            [
                "CLIENT_LIST",
                name,
                real,
                inner,
                _,
                received,
                sent,
                _,
                _,
                ..,
            ] => (*name, *real, *inner, *received, *sent),
            ["CLIENT_LIST", name, real, inner, received, sent, ..] => {
                (*name, *real, *inner, *received, *sent)
            }
            // Version 1.
            [name, real, received, sent, _] if !net::address(real).is_empty() => {
                (*name, *real, "", *received, *sent)
            }
            // A route: virtual address, name, real address, last seen.
            [inner, name, real, _] if !net::address(inner).is_empty() => {
                (*name, *real, *inner, "", "")
            }
            _ => return None,
        };
        let (a, p) = net::endpoint(strip_protocol(real));
        let mut e = Event {
            verb: Verb::TunnelStats,
            outcome: Outcome::Success,
            action: Cow::Borrowed("status"),
            src_ip: Cow::Borrowed(a),
            inner_ip: Cow::Borrowed(net::address(inner)),
            session_id: Cow::Owned(p.map_or(String::new(), |p| format!("{a}:{p}"))),
            bytes_in: received.parse().unwrap_or(ampleur_event::batch::NONE),
            bytes_out: sent.parse().unwrap_or(ampleur_event::batch::NONE),
            ..Event::default()
        };
        if let Some(p) = p {
            e.src_port = u64::from(p);
        }
        let there = |name: &&str| *name != "UNDEF" && !is_placeholder(name);
        let username = self.username.filter(|_| v[0] == "CLIENT_LIST");
        let username = username.and_then(|i| v.get(i).copied()).filter(there);
        if let Some(user) = username.or(Some(name).filter(there)) {
            e.user = Cow::Borrowed(user);
            e.system = self.accounts;
            if user != name && there(&name) {
                e.user_name = Cow::Borrowed(name);
            }
        }
        stamp.put(&mut e);
        out.event(e, at, len);
        Some(true)
    }
}

/// Beginnings of messages that only an OpenVPN server writes, for lines without a stamp.
const WORDS: &[&str] = &[
    "Timers: ",
    "TCP connection established with ",
    "Control Channel",
    "Data Channel",
    "Outgoing Data Channel",
    "Incoming Data Channel",
    "VERIFY OK",
    "VERIFY KU OK",
    "VERIFY EKU OK",
    "MULTI",
    "PUSH: ",
    "TLS: ",
    "UDPv4 link",
    "UDPv6 link",
    "TCPv4_SERVER link",
    "IFCONFIG POOL",
    "Socket Buffers",
    "Connection reset",
    "Closing TUN/TAP",
    "net_",
];

fn is_openvpn(program: &str) -> bool {
    let p = program.rsplit('/').next().unwrap_or(program);
    p.starts_with("openvpn") || p.starts_with("ovpn") || p.contains("openvpn")
}

/// `Tue Oct 31 15:09:59 2023`: the stamp of versions before 2.5.
fn weekday(b: &[u8]) -> Option<(time::Local, Option<i32>, usize)> {
    let first = b.get(..4)?;
    if first[3] != b' '
        || !first[..3].iter().all(u8::is_ascii_alphabetic)
        || time::month(first).is_some()
    {
        return None;
    }
    time::named(b)
}

/// The client a line is about.
#[derive(Clone, Copy)]
struct Prefix<'a> {
    user: &'a str,
    address: &'a str,
    port: u16,
}

fn strip_protocol(text: &str) -> &str {
    let t = text
        .strip_prefix("[AF_INET6]")
        .or_else(|| text.strip_prefix("[AF_INET]"))
        .unwrap_or(text);
    match t.split_once(':') {
        Some((p, rest)) if p.starts_with("udp") || p.starts_with("tcp") => rest,
        _ => t,
    }
}

/// `client01/203.0.113.7:59321 message` or `203.0.113.7:59321 message`. Names may hold spaces and slashes; addresses may be IPv6
/// with the port after the last colon.
fn peer_prefix(text: &str) -> (Option<Prefix<'_>>, &str) {
    // The first word that ends in an address and a port, within reach.
    let mut from = 0;
    for _ in 0..6 {
        let end = match memchr::memchr(b' ', &text.as_bytes()[from..]) {
            Some(i) => from + i,
            None => text.len(),
        };
        let word = &text[from..end];
        let at = word.rfind('/').map_or(0, |i| i + 1);
        if let Some((address, port)) = address_port(strip_protocol(&word[at..])) {
            let user = if at == 0 {
                if from > 0 {
                    return (None, text);
                }
                ""
            } else {
                &text[..from + at - 1]
            };
            return (
                Some(Prefix {
                    user,
                    address,
                    port,
                }),
                text[end..].trim_start(),
            );
        }
        if end >= text.len() {
            break;
        }
        from = end + 1;
    }
    (None, text)
}

fn address_port(text: &str) -> Option<(&str, u16)> {
    let (a, p) = text.rsplit_once(':')?;
    let port = p.parse().ok()?;
    let a = a.trim_start_matches('[').trim_end_matches(']');
    let address = net::address(a);
    (!address.is_empty() && address.len() + 8 > a.len()).then_some((address, port))
}

/// The address in `… [AF_INET]203.0.113.7:1194 …`.
fn family_address(message: &str) -> Option<(&str, Option<u16>)> {
    let i = message.find("[AF_INET")?;
    let rest = message.get(i..)?;
    let (_, rest) = rest.split_once(']')?;
    let word = rest.split([' ', ',']).next()?;
    match address_port(word) {
        Some((a, p)) => Some((a, Some(p))),
        None => {
            let a = net::address(word);
            (!a.is_empty()).then_some((a, None))
        }
    }
}

/// What OpenVPN itself said, where Access Server wrote it down: `[stdout#info] [OVPN 0] OUT: '2025-03-12 10:01:02 …'`.
fn unwrapped(message: &str) -> &str {
    let Some((_, m)) = message
        .strip_prefix("[stdout#")
        .and_then(|m| m.split_once("] "))
    else {
        return message;
    };
    let Some((_, said)) = m
        .strip_prefix("[OVPN ")
        .and_then(|m| m.split_once("] OUT: "))
    else {
        return m;
    };
    let said = said.trim_matches(['"', '\'']);
    let stamp = time::iso(said.as_bytes()).or_else(|| weekday(said.as_bytes()));
    stamp.map_or(said, |(_, _, n)| said[n..].trim_start())
}

/// An address lent to a client: the word of the message, the address, the client.
fn learned(message: &str) -> Option<(&'static str, &str, &str)> {
    if let Some(rest) = message.strip_prefix("MULTI: Learn: ") {
        let (inner, to) = rest.split_once(" -> ").unwrap_or((rest, ""));
        return Some(("MULTI: Learn", inner, to));
    }
    let rest = message.strip_prefix("MULTI: primary virtual IP for ")?;
    let (to, inner) = rest.rsplit_once(": ")?;
    Some(("MULTI: primary virtual IP", inner, to))
}

/// `[name] rest`.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.strip_prefix('[')?.split_once(']')?;
    Some((name, rest.trim_start()))
}

fn bracketed_inside(text: &str) -> &str {
    text.split_once('[')
        .and_then(|(_, r)| r.split_once(']'))
        .map_or("", |(v, _)| v)
}

fn quoted_after<'a>(text: &'a str, marker: &str) -> Option<&'a str> {
    let i = text.find(marker)? + marker.len();
    text.get(i..)?.split('\'').next()
}

/// The words a message begins with, at most four, before any digit, quote or bracket.
fn word_of(message: &str) -> &str {
    let end = message
        .char_indices()
        .find(|(_, c)| c.is_ascii_digit() || matches!(c, '[' | '\'' | '"' | '=' | ':' | ',' | '('))
        .map_or(message.len(), |(i, _)| i);
    let head = &message[..end];
    let mut spaces = 0;
    let cut = head
        .char_indices()
        .find(|(_, c)| {
            spaces += usize::from(*c == ' ');
            spaces >= 4
        })
        .map_or(head.len(), |(i, _)| i);
    head[..cut].trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn clients_are_found_whatever_their_name() {
        let p = |t: &str| {
            let (p, m) = peer_prefix(t);
            p.map(|p| {
                (
                    p.user.to_string(),
                    p.address.to_string(),
                    p.port,
                    m.to_string(),
                )
            })
        };
        let s = String::from;
        assert_eq!(
            p("DOE John/192.0.2.4:61981 Timers: ping 10"),
            Some((s("DOE John"), s("192.0.2.4"), 61981, s("Timers: ping 10")))
        );
        assert_eq!(p("192.0.2.4:1 x"), Some((s(""), s("192.0.2.4"), 1, s("x"))));
        assert_eq!(
            p("a/b/2001:db8::5:1194 x"),
            Some((s("a/b"), s("2001:db8::5"), 1194, s("x")))
        );
        assert_eq!(
            p("c/udp4:192.0.2.4:7 x"),
            Some((s("c"), s("192.0.2.4"), 7, s("x")))
        );
        assert_eq!(p("route 10.0.0.0:1 x y"), None);
        assert_eq!(p("no client here"), None);
    }
}
