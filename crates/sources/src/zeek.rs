//! Zeek logs: conn, http, ssl, dns, smb_files, smb_mapping, files, kerberos, ntlm, rdp, dce_rpc, ssh, ftp, dhcp; TSV with `#fields` and JSON.
//! Documentation: Zeek "Log Files" reference, "Log Output Formats". Times: seconds since the epoch with a fraction, or ISO 8601.
//! Not here: other streams; their rows are kept as events of verb `other` with their addresses.
use crate::{
    Capability, Confidence, Decode, Decoded, Head, Reason, Setting, Source, Standard,
    scan::{self, Extra, Lines},
};
use ampleur_event::{Event, GapSign, Outcome, Proof, Silence, System, Verb, batch::NONE};
use std::borrow::Cow;

pub(crate) struct Zeek;

impl Source for Zeek {
    fn name(&self) -> &'static str {
        "zeek"
    }
    fn about(&self) -> &'static str {
        "Zeek network monitor: flows, HTTP, TLS, DNS, SMB shares and files, Kerberos, NTLM, RDP"
    }
    fn standard(&self) -> Standard {
        Standard {
            name: "Zeek documentation",
            section: "Log Files",
        }
    }
    fn capability(&self) -> Capability {
        Capability {
            rows: &[
                (Verb::Flow, Proof::Transfer),
                (Verb::Request, Proof::Question),
                (Verb::ShareConnect, Proof::Presence),
                // An SMB open does not tell its mask: it may have read, it may have listed.
                (Verb::FileRead, Proof::Attempt),
                (Verb::FileWrite, Proof::Change),
                (Verb::FileDelete, Proof::Change),
                (Verb::FileRename, Proof::Change),
                (Verb::Print, Proof::Attempt),
                (Verb::Login, Proof::Presence),
                (Verb::Token, Proof::Presence),
            ],
            silence: Silence::NoTransfer,
            names_results: false,
            gap: GapSign::RateOnly,
        }
    }
    fn sniff(&self, head: &Head<'_>) -> Confidence {
        let b = head.bytes;
        let has = |s: &str| memchr::memmem::find(b, s.as_bytes()).is_some();
        let start = scan::past_space(b, if b.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 });
        let b = &b[start.min(b.len())..];
        if b.starts_with(b"#separator") && has("#fields") {
            return Confidence::Certain;
        }
        if b.starts_with(b"#fields\tts") || b.starts_with(b"#path\t") {
            return Confidence::Certain;
        }
        if b.first() == Some(&b'{')
            && has("\"ts\"")
            && has("\"uid\"")
            && (has("\"id.orig_h\"") || has("\"id_orig_h\""))
        {
            return Confidence::Certain;
        }
        if b.first() == Some(&b'{') && has("\"ts\"") && has("\"fuid\"") {
            return Confidence::Certain;
        }
        Confidence::No
    }
    fn open(&self, _head: &Head<'_>, setting: &Setting) -> Box<dyn Decode> {
        Box::new(Decoder {
            setting: setting.clone(),
            lines: Lines::default(),
            header: Header::default(),
        })
    }
}

/// What the `#` lines of a TSV file said so far.
struct Header {
    separator: u8,
    set_separator: String,
    empty: String,
    unset: String,
    path: String,
    fields: Vec<String>,
}

impl Default for Header {
    fn default() -> Self {
        Header {
            separator: b'\t',
            set_separator: ",".into(),
            empty: "(empty)".into(),
            unset: "-".into(),
            path: String::new(),
            fields: Vec::new(),
        }
    }
}

impl Header {
    fn learn(&mut self, line: &str) {
        if let Some(v) = line.strip_prefix("#separator ") {
            if let Some(b) = v
                .trim()
                .strip_prefix("\\x")
                .and_then(|h| u8::from_str_radix(h, 16).ok())
            {
                self.separator = b;
            } else if let Some(b) = v.bytes().next() {
                self.separator = b;
            }
            return;
        }
        let sep = char::from(self.separator);
        let Some((key, value)) = line.split_once(sep) else {
            return;
        };
        match key {
            "#set_separator" => self.set_separator = value.to_string(),
            "#empty_field" => self.empty = value.to_string(),
            "#unset_field" => self.unset = value.to_string(),
            "#path" => self.path = value.to_string(),
            "#fields" => self.fields = value.split(sep).map(str::to_string).collect(),
            _ => {}
        }
    }
}

struct Decoder {
    setting: Setting,
    lines: Lines,
    header: Header,
}

/// The fields of one row by name, whichever way they were written.
struct Row<'a, 'h> {
    pairs: Vec<(Cow<'h, str>, Cow<'a, str>)>,
    path: Cow<'h, str>,
}

impl<'a> Row<'a, '_> {
    fn get(&self, name: &str) -> Cow<'a, str> {
        self.find(|k| k == name)
    }
    fn find(&self, is: impl Fn(&str) -> bool) -> Cow<'a, str> {
        self.pairs
            .iter()
            .find(|(k, _)| is(k))
            .map_or(Cow::Borrowed(""), |(_, v)| v.clone())
    }
    /// A field of the connection id: `id.orig_h` or `id_orig_h`.
    fn id(&self, name: &str) -> Cow<'a, str> {
        self.find(|k| {
            k.len() == name.len() + 3
                && k.starts_with("id")
                && matches!(k.as_bytes()[2], b'.' | b'_')
                && &k[3..] == name
        })
    }
    fn number(&self, name: &str) -> u64 {
        number(&self.get(name))
    }
    fn yes(&self, name: &str) -> Option<bool> {
        match &*self.get(name) {
            "T" | "true" => Some(true),
            "F" | "false" => Some(false),
            _ => None,
        }
    }
}

fn number(text: &str) -> u64 {
    text.parse::<u64>()
        .ok()
        .or_else(|| {
            let f: f64 = text.parse().ok()?;
            (0.0..9e18).contains(&f).then_some(f as u64)
        })
        .unwrap_or(NONE)
}

/// Undoes the `\xHH` escapes of TSV values.
fn unescape(v: &str) -> Cow<'_, str> {
    if !v.contains("\\x") && !v.contains("\\\\") {
        return Cow::Borrowed(v);
    }
    let b = v.as_bytes();
    let mut out = Vec::with_capacity(b.len());
    let mut i = 0;
    while i < b.len() {
        if b[i] == b'\\' && b.get(i + 1) == Some(&b'\\') {
            out.push(b'\\');
            i += 2;
            continue;
        }
        let code = (b[i] == b'\\' && b.get(i + 1) == Some(&b'x'))
            .then(|| b.get(i + 2..i + 4))
            .flatten()
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match code {
            Some(c) => {
                out.push(c);
                i += 4;
            }
            None => {
                out.push(b[i]);
                i += 1;
            }
        }
    }
    match String::from_utf8(out) {
        Ok(s) => Cow::Owned(s),
        Err(_) => Cow::Borrowed(v),
    }
}

/// The stream of a row that does not name it, from fields only that stream has.
fn guess(row: &Row<'_, '_>) -> &'static str {
    let has = |k: &str| row.pairs.iter().any(|(n, _)| n == k);
    if has("share_type") {
        "smb_mapping"
    } else if has("conn_state") || (has("orig_bytes") && has("proto")) {
        "conn"
    } else if has("request_type") || (has("till") && has("client")) {
        "kerberos"
    } else if has("fuid") && (has("tx_hosts") || has("seen_bytes")) {
        "files"
    } else if has("status_code") || (has("method") && has("uri")) || has("trans_depth") {
        "http"
    } else if has("qtype") || has("rcode") || has("trans_id") {
        "dns"
    } else if has("ntlm.username") || has("domainname") || has("server_nb_computer_name") {
        "ntlm"
    } else if has("cookie") && has("security_protocol") {
        "rdp"
    } else if has("endpoint") || has("named_pipe") {
        "dce_rpc"
    } else if has("cipher") || has("established") || has("server_name") {
        "ssl"
    } else if has("assigned_addr") || has("client_addr") {
        "dhcp"
    } else if has("auth_success") || has("auth_attempts") {
        "ssh"
    } else if has("reply_code") && has("command") {
        "ftp"
    } else if has("action") && (has("path") || has("name")) {
        "smb_files"
    } else {
        ""
    }
}

fn event<'a>(row: &Row<'a, '_>, setting: &Setting) -> Result<Event<'a>, Reason> {
    let mut e = Event::default();
    let ts = row.get("ts");
    if ts.is_empty() {
        return Err(Reason::Field("ts"));
    }
    scan::stamp_epoch(&ts, setting)
        .or_else(|| scan::stamp(&ts, setting))
        .ok_or(Reason::Time)?
        .put(&mut e);
    e.session_id = row.get("uid");
    e.src_ip = row.id("orig_h");
    e.dst_ip = row.id("resp_h");
    e.src_port = number(&row.id("orig_p"));
    e.dst_port = number(&row.id("resp_p"));
    let mut x = Extra::default();
    x.put("sensor", &row.get("@system"));
    let path = if row.path.is_empty() {
        guess(row)
    } else {
        &*row.path
    };
    x.put("stream", path);
    match path {
        "conn" | "conn_long" => {
            e.verb = Verb::Flow;
            e.action = row.get("conn_state");
            e.bytes_out = row.number("orig_bytes");
            e.bytes_in = row.number("resp_bytes");
            e.duration_ms = millis(&row.get("duration"));
            x.put("proto", &row.get("proto"));
            x.put("service", &row.get("service"));
            x.put("history", &row.get("history"));
            x.put("missed_bytes", &row.get("missed_bytes"));
        }
        "http" => {
            e.verb = Verb::Request;
            e.http_method = row.get("method");
            e.action = e.http_method.clone();
            e.host = row.get("host");
            e.url = row.get("uri");
            e.status = row.number("status_code");
            e.bytes_out = row.number("request_body_len");
            e.bytes_in = row.number("response_body_len");
            e.device = row.get("user_agent");
            e.user = row.get("username");
            e.system = System::Web;
            x.put("mime", &row.get("resp_mime_types"));
            x.put("file", &row.get("resp_fuids"));
            let proxied = row.get("proxied");
            if let Some(v) = proxied
                .split(',')
                .find_map(|p| p.trim().strip_prefix("X-FORWARDED-FOR -> "))
            {
                e.forwarded = Cow::Owned(v.to_string());
            }
            e.outcome = match e.status {
                200..=399 => Outcome::Success,
                400..=599 => Outcome::Failure,
                _ => Outcome::Unknown,
            };
        }
        "ssl" => {
            e.verb = Verb::Flow;
            e.action = Cow::Borrowed("ssl");
            e.host = row.get("server_name");
            e.outcome = match row.yes("established") {
                Some(true) => Outcome::Success,
                Some(false) => Outcome::Failure,
                None => Outcome::Unknown,
            };
            x.put("version", &row.get("version"));
            x.put("ja3", &row.get("ja3"));
            x.put("subject", &row.get("subject"));
        }
        "dns" => {
            e.action = row.get("qtype_name");
            e.query = row.get("query");
            e.reason = row.get("rcode_name");
            x.put("answers", &row.get("answers"));
            e.duration_ms = millis(&row.get("rtt"));
        }
        "smb_mapping" => {
            e.verb = Verb::ShareConnect;
            e.action = Cow::Borrowed("smb_mapping");
            e.share = row.get("path");
            e.object = e.share.clone();
            e.system = System::Smb;
            x.put("share_type", &row.get("share_type"));
        }
        "smb_files" => {
            e.action = row.get("action");
            e.share = row.get("path");
            e.object = e.share.clone();
            e.file_path = row.get("name");
            e.system = System::Smb;
            e.verb = match e.action.rsplit("::").next().unwrap_or("") {
                "FILE_READ" => Verb::FileRead,
                "FILE_OPEN" | "PIPE_OPEN" | "PIPE_READ" if ipc(&e.share) => Verb::Other,
                "FILE_OPEN" => Verb::FileRead,
                "FILE_WRITE" | "FILE_SET_ATTRIBUTE" => Verb::FileWrite,
                "FILE_DELETE" => Verb::FileDelete,
                "FILE_RENAME" => Verb::FileRename,
                "PRINT_OPEN" | "PRINT_READ" | "PRINT_WRITE" => Verb::Print,
                _ => Verb::Other,
            };
            x.put("size", &row.get("size"));
            x.put("previous_name", &row.get("prev_name"));
            x.put("fuid", &row.get("fuid"));
            x.put("times_modified", &row.get("times.modified"));
        }
        "files" => {
            let source = row.get("source");
            e.action = Cow::Borrowed("file");
            if e.session_id.is_empty() {
                let uids = row.get("conn_uids");
                e.session_id = Cow::Owned(uids.split(',').next().unwrap_or("").to_string());
            }
            let uploaded = row.yes("is_orig") == Some(true);
            if e.src_ip.is_empty() {
                let (client, server) = if uploaded {
                    (row.get("tx_hosts"), row.get("rx_hosts"))
                } else {
                    (row.get("rx_hosts"), row.get("tx_hosts"))
                };
                e.src_ip = Cow::Owned(client.split(',').next().unwrap_or("").to_string());
                e.dst_ip = Cow::Owned(server.split(',').next().unwrap_or("").to_string());
            }
            e.file_path = row.get("filename");
            let seen = row.number("seen_bytes");
            if uploaded {
                e.bytes_out = seen;
            } else {
                e.bytes_in = seen;
            }
            if source == "SMB" || source == "FTP_DATA" {
                e.verb = if uploaded {
                    Verb::FileWrite
                } else {
                    Verb::FileRead
                };
                e.system = System::Smb;
            }
            x.put("source", &source);
            x.put("mime", &row.get("mime_type"));
            x.put("fuid", &row.get("fuid"));
            x.put("size", &row.get("total_bytes"));
            x.put("md5", &row.get("md5"));
            x.put("sha256", &row.get("sha256"));
        }
        "kerberos" => {
            e.action = row.get("request_type");
            // `name/REALM`.
            let client = row.get("client");
            match client.rsplit_once('/') {
                Some((name, realm)) => {
                    e.user = Cow::Owned(name.to_string());
                    e.domain = Cow::Owned(realm.to_string());
                }
                None => e.user = client,
            }
            e.object = row.get("service");
            e.system = System::Ad;
            e.reason = row.get("error_msg");
            e.verb = match &*e.action {
                "AS" => Verb::Login,
                "TGS" => Verb::Token,
                _ if e.object.starts_with("krbtgt/") => Verb::Login,
                _ if !e.object.is_empty() => Verb::Token,
                _ => Verb::Other,
            };
            outcome(&mut e, row);
            // How every exchange begins (RFC 4120 §3.1.1), and no refusal.
            if e.reason == "KDC_ERR_PREAUTH_REQUIRED" {
                e.outcome = Outcome::Unknown;
            }
        }
        "ssh" => {
            e.action = Cow::Borrowed("ssh");
            (e.verb, e.outcome) = match row.yes("auth_success") {
                Some(true) => (Verb::Login, Outcome::Success),
                Some(false) => (Verb::Login, Outcome::Failure),
                None => (Verb::Other, Outcome::Unknown),
            };
            x.put("auth_attempts", &row.get("auth_attempts"));
            x.put("client", &row.get("client"));
            x.put("server", &row.get("server"));
        }
        "ftp" => {
            e.action = row.get("command");
            e.user = row.get("user");
            e.file_path = row.get("arg");
            let size = row.number("file_size");
            e.verb = match &*e.action {
                "RETR" => Verb::FileRead,
                "STOR" | "STOU" | "APPE" => Verb::FileWrite,
                "DELE" => Verb::FileDelete,
                "RNTO" => Verb::FileRename,
                "LIST" | "NLST" | "MLSD" => Verb::FileList,
                _ => Verb::Other,
            };
            match e.verb {
                Verb::FileRead => e.bytes_in = size,
                Verb::FileWrite => e.bytes_out = size,
                Verb::Other => e.file_path = Cow::Borrowed(""),
                _ => {}
            }
            e.outcome = match row.number("reply_code") {
                200..=299 => Outcome::Success,
                400..=599 => Outcome::Failure,
                _ => Outcome::Unknown,
            };
            e.reason = row.get("reply_msg");
        }
        "dhcp" => {
            e.action = row.get("msg_types");
            e.inner_ip = row.get("assigned_addr");
            let given = e.action.split(',').any(|kind| kind == "ACK");
            if given && !e.inner_ip.is_empty() {
                e.verb = Verb::Lease;
            }
            e.device = row.get("host_name");
            e.dst_ip = row.get("server_addr");
            x.put("mac", &row.get("mac"));
        }
        "ntlm" => {
            e.verb = Verb::Login;
            e.action = Cow::Borrowed("ntlm");
            e.user = row.get("username");
            e.domain = row.get("domainname");
            e.device = row.get("hostname");
            e.host = row.get("server_dns_computer_name");
            e.system = System::Ad;
            outcome(&mut e, row);
        }
        "rdp" => {
            e.verb = Verb::Login;
            e.action = row.get("result");
            e.user = row.get("cookie");
            e.device = row.get("client_name");
            e.system = System::Ad;
            x.put("security_protocol", &row.get("security_protocol"));
            x.put("auth_success", &row.get("auth_success"));
        }
        "dce_rpc" => {
            e.action = row.get("operation");
            e.object = row.get("endpoint");
            x.put("named_pipe", &row.get("named_pipe"));
        }
        _ => {
            e.action = Cow::Owned(path.to_string());
        }
    }
    if let Some(system) = setting.accounts {
        e.system = system;
    }
    e.extra = x.done();
    Ok(e)
}

fn ipc(share: &str) -> bool {
    share
        .rsplit('\\')
        .next()
        .is_some_and(|s| s.eq_ignore_ascii_case("IPC$"))
}

fn outcome(e: &mut Event<'_>, row: &Row<'_, '_>) {
    e.outcome = match row.yes("success") {
        Some(true) => Outcome::Success,
        Some(false) => Outcome::Failure,
        None => Outcome::Unknown,
    };
}

fn millis(seconds: &str) -> u64 {
    match seconds.parse::<f64>() {
        Ok(s) if (0.0..1e15).contains(&s) => (s * 1000.0).round() as u64,
        _ => NONE,
    }
}

impl Decode for Decoder {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let Decoder {
            setting,
            lines,
            header,
        } = self;
        lines.run(bytes, last, out, |line, at, len, out| {
            let text = scan::text(line);
            if text.starts_with('#') {
                header.learn(&text);
                return out.skip();
            }
            let row = if text.starts_with('{') {
                match scan::flatten(&text) {
                    Ok(pairs) => {
                        let path = pairs
                            .iter()
                            .find(|(k, _)| k == "@stream" || k == "_path")
                            .map(|(_, v)| v.clone())
                            .unwrap_or_default();
                        Row { pairs, path }
                    }
                    Err(e) => {
                        let reason = if e.is_eof() {
                            Reason::Truncated
                        } else {
                            Reason::Shape
                        };
                        return out.reject(bytes, at, len, reason);
                    }
                }
            } else if header.fields.is_empty() {
                return out.reject(bytes, at, len, Reason::Shape);
            } else {
                let sep = char::from(header.separator);
                let count = text.split(sep).count();
                if count != header.fields.len() {
                    let reason = if count < header.fields.len() {
                        Reason::Truncated
                    } else {
                        Reason::Shape
                    };
                    let time = text
                        .split(sep)
                        .next()
                        .filter(|_| header.fields[0] == "ts")
                        .and_then(|t| scan::stamp_epoch(t, setting))
                        .map(|s| s.time);
                    return out.reject_at(bytes, at, len, reason, time);
                }
                let pairs = header
                    .fields
                    .iter()
                    .zip(text.split(sep))
                    .filter(|(_, v)| *v != header.unset && *v != header.empty)
                    .map(|(k, v)| (Cow::Borrowed(k.as_str()), unescape(v)))
                    .collect();
                Row {
                    pairs,
                    path: Cow::Borrowed(header.path.as_str()),
                }
            };
            match event(&row, setting) {
                Ok(e) => out.event(e, at, len),
                Err(reason) => out.reject(bytes, at, len, reason),
            }
        })
    }
}
