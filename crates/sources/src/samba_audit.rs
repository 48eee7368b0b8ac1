//! Samba: `vfs_full_audit` through syslog and `auth_audit` lines. Standards: vfs_full_audit(8); Samba wiki "Setting up Audit
//! Logging" (auth_audit). Times: those of the syslog header or of the log file's bracket header in the zone of the source; auth
//! lines bring their own instant.
//!
//! A full_audit record is `prefix|operation|result|details`, the prefix being whatever `full_audit:prefix` says, usually
//! `%u|%I|%m|%S`. Its fields are told apart by what they look like; `layout` of the source names them exactly
//! (`%u|%I|%m|%S`).
use crate::{
    Confidence, Decode, Decoded, Head, Reason, Setting, Source, Standard, lines, net, scan, syslog,
    time::{self, Clock, Stamp},
};
use ampleur_event::{
    Capability, Event, GapSign, Outcome, Proof, Silence, System, Verb, account::is_placeholder,
    batch::NONE,
};
use std::borrow::Cow;

pub(crate) struct SambaAudit;

impl Source for SambaAudit {
    fn name(&self) -> &'static str {
        "samba-audit"
    }
    fn about(&self) -> &'static str {
        "Samba file server: file operations (vfs_full_audit) and authentication (auth_audit)"
    }
    fn standard(&self) -> Standard {
        Standard {
            name: "vfs_full_audit(8)",
            section: "OPTIONS, full_audit:prefix",
        }
    }
    fn capability(&self) -> Capability {
        Capability {
            rows: &[
                (Verb::FileRead, Proof::Access),
                (Verb::FileWrite, Proof::Change),
                (Verb::FileDelete, Proof::Change),
                (Verb::FileRename, Proof::Change),
                (Verb::FileList, Proof::Presence),
                (Verb::ShareConnect, Proof::Presence),
                (Verb::Login, Proof::Presence),
                (Verb::Logout, Proof::Presence),
            ],
            silence: Silence::Nothing,
            names_results: false,
            gap: GapSign::RateOnly,
        }
    }
    fn sniff(&self, head: &Head<'_>) -> Confidence {
        let mut best = Confidence::No;
        for line in lines::sample(head) {
            let text = lines::text(line);
            if text.contains("Auth: [") && text.contains(" status [NT_STATUS_")
                || is_audit_json(&text)
            {
                return Confidence::Certain;
            }
            let pipes = text.matches('|').count();
            if pipes >= 3 && operation_at(&text).is_some() {
                best = if text.contains("smbd_audit") {
                    return Confidence::Certain;
                } else {
                    Confidence::Likely
                };
            }
        }
        best
    }
    fn open(&self, _head: &Head<'_>, setting: &Setting) -> Box<dyn Decode> {
        let layout = setting.layout.as_deref().map(|l| {
            l.split('|')
                .map(|p| {
                    p.trim()
                        .trim_start_matches('%')
                        .chars()
                        .next()
                        .unwrap_or(' ')
                })
                .collect()
        });
        Box::new(Decoder {
            clock: Clock::new(setting),
            accounts: setting.accounts,
            layout,
            pending: Stamp::NONE,
            path: String::new(),
        })
    }
}

struct Decoder {
    clock: Clock,
    accounts: Option<System>,
    /// Letters of `full_audit:prefix`, one per field.
    layout: Option<Vec<char>>,
    /// Stamp of the bracket header that stands on the line before its message.
    pending: Stamp,
    path: String,
}

/// Operations of the VFS that full_audit names, with what they do. Sorted by name.
const OPERATIONS: &[(&str, Verb)] = &[
    ("aio_force", Verb::Other),
    ("audit_file", Verb::Other),
    ("brl_cancel_windows", Verb::Other),
    ("brl_lock_windows", Verb::Other),
    ("brl_unlock_windows", Verb::Other),
    ("chdir", Verb::Other),
    ("chflags", Verb::FileWrite),
    ("chmod", Verb::FileWrite),
    ("chmod_acl", Verb::FileWrite),
    ("chown", Verb::FileWrite),
    ("close", Verb::Other),
    ("closedir", Verb::Other),
    ("connect", Verb::ShareConnect),
    ("connectpath", Verb::ShareConnect),
    ("copy_chunk_recv", Verb::FileRead),
    ("copy_chunk_send", Verb::FileRead),
    ("create_dfs_pathat", Verb::FileWrite),
    ("create_file", Verb::FileRead),
    ("disconnect", Verb::Logout),
    ("disk_free", Verb::Other),
    ("durable_cookie", Verb::Other),
    ("fallocate", Verb::FileWrite),
    ("fchmod", Verb::FileWrite),
    ("fchown", Verb::FileWrite),
    ("fdopendir", Verb::FileList),
    ("file_id_create", Verb::Other),
    ("fntimes", Verb::FileWrite),
    ("fs_capabilities", Verb::Other),
    ("fset_dos_attributes", Verb::FileWrite),
    ("fset_nt_acl", Verb::FileWrite),
    ("fstat", Verb::FileList),
    ("fsync", Verb::Other),
    ("ftruncate", Verb::FileWrite),
    ("get_alloc_size", Verb::Other),
    ("get_dfs_referrals", Verb::Other),
    ("get_nt_acl", Verb::FileList),
    ("get_quota", Verb::Other),
    ("getwd", Verb::Other),
    ("getxattr", Verb::FileList),
    ("kernel_flock", Verb::Other),
    ("link", Verb::FileWrite),
    ("linkat", Verb::FileWrite),
    ("linux_setlease", Verb::Other),
    ("listxattr", Verb::FileList),
    ("lock", Verb::Other),
    ("lstat", Verb::FileList),
    ("mkdir", Verb::FileWrite),
    ("mkdirat", Verb::FileWrite),
    ("mknod", Verb::FileWrite),
    ("mknodat", Verb::FileWrite),
    ("ntimes", Verb::FileWrite),
    ("offload_read_recv", Verb::FileRead),
    ("offload_read_send", Verb::FileRead),
    ("offload_write_recv", Verb::FileWrite),
    ("offload_write_send", Verb::FileWrite),
    ("open", Verb::FileRead),
    ("openat", Verb::FileRead),
    ("opendir", Verb::FileList),
    ("parent_pathname", Verb::Other),
    ("pread", Verb::FileRead),
    ("pread_recv", Verb::FileRead),
    ("pread_send", Verb::FileRead),
    ("pwrite", Verb::FileWrite),
    ("pwrite_recv", Verb::FileWrite),
    ("pwrite_send", Verb::FileWrite),
    ("read", Verb::FileRead),
    ("read_dfs_pathat", Verb::Other),
    ("readdir", Verb::FileList),
    ("readlink", Verb::FileList),
    ("readlinkat", Verb::FileList),
    ("realpath", Verb::Other),
    ("recvfile", Verb::FileWrite),
    ("removexattr", Verb::FileWrite),
    ("rename", Verb::FileRename),
    ("renameat", Verb::FileRename),
    ("rewinddir", Verb::Other),
    ("rmdir", Verb::FileDelete),
    ("seekdir", Verb::Other),
    ("sendfile", Verb::FileRead),
    ("set_dos_attributes", Verb::FileWrite),
    ("set_nt_acl", Verb::FileWrite),
    ("set_quota", Verb::Other),
    ("setxattr", Verb::FileWrite),
    ("stat", Verb::FileList),
    ("statvfs", Verb::Other),
    ("streaminfo", Verb::FileList),
    ("strict_lock_check", Verb::Other),
    ("symlink", Verb::FileWrite),
    ("symlinkat", Verb::FileWrite),
    ("sys_acl_set_file", Verb::FileWrite),
    ("telldir", Verb::Other),
    ("translate_name", Verb::Other),
    ("truncate", Verb::FileWrite),
    ("unlink", Verb::FileDelete),
    ("unlinkat", Verb::FileDelete),
    ("write", Verb::FileWrite),
];

fn verb_of(operation: &str) -> Option<Verb> {
    OPERATIONS
        .binary_search_by(|(n, _)| (*n).cmp(operation))
        .ok()
        .map(|i| OPERATIONS[i].1)
}

/// Index of the field that is an operation followed by its result, in a bar-separated text.
fn operation_at(text: &str) -> Option<usize> {
    let mut fields = text.split('|').map(str::trim).peekable();
    let mut i = 0;
    while let Some(f) = fields.next() {
        let result = fields.peek().copied().unwrap_or("");
        if i > 0 && is_result(result) && verb_of(f).is_some() {
            return Some(i);
        }
        i += 1;
        if i > 16 {
            break;
        }
    }
    None
}

/// The object of a line of `audit_logging`, bare or behind `JSON Authentication: `.
fn audit_json(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let json = match text.strip_prefix("JSON ") {
        Some(rest) => rest.split_once(": ").map_or("", |(_, json)| json),
        None => text,
    };
    (json.starts_with("{\"timestamp\"") && json.contains("\"type\"")).then_some(json)
}

/// The kinds no other program writes in these words.
fn is_audit_json(text: &str) -> bool {
    let kinds = [
        ("Authentication", "NT_STATUS_"),
        ("Authorization", "\"serviceDescription\""),
        ("passwordChange", "\"userSid\""),
        ("groupChange", "\"userSid\""),
        ("dsdbChange", "\"userSid\""),
    ];
    let says = |(kind, word): &(&str, &str)| {
        text.contains(&format!("\"type\": \"{kind}\"")) && text.contains(word)
    };
    kinds.iter().any(says)
}

fn is_result(f: &str) -> bool {
    f == "ok" || f.starts_with("fail")
}

impl Decode for Decoder {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        lines::each(bytes, last, out, |line, at, len, finished, out| {
            let text = lines::text(line);
            match self.line(&text, at, len, out) {
                Ok(()) => {}
                Err(Reason::Shape) if !finished => out.reject(bytes, at, len, Reason::Truncated),
                Err(r) => out.reject(bytes, at, len, r),
            }
        })
    }
}

impl Decoder {
    fn line(&mut self, text: &str, at: usize, len: usize, out: &mut Decoded) -> Result<(), Reason> {
        // `[2023/06/24 02:11:37.123456,  3] ../../auth/auth_log.c:760(log_authentication_event_human_readable)`: the message is
        // on the next line.
        if let Some(rest) = text.strip_prefix('[')
            && let Some((local, offset, _)) = time::iso(rest.as_bytes())
        {
            self.pending = self.clock.stamp(local, offset);
            let message = rest.split_once(')').map_or("", |(_, m)| m).trim();
            if message.is_empty() {
                out.skip();
                return Ok(());
            }
            return self.message(message, self.pending, "", None, at, len, out);
        }
        match syslog::header(text, &mut self.clock) {
            Some(h) => self.message(&text[h.message..], h.time, h.host, h.pid, at, len, out),
            None => {
                let stamp = self.pending;
                self.message(text.trim_start(), stamp, "", None, at, len, out)
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn message(
        &mut self,
        text: &str,
        stamp: Stamp,
        host: &str,
        pid: Option<u64>,
        at: usize,
        len: usize,
        out: &mut Decoded,
    ) -> Result<(), Reason> {
        let mut e = Event {
            host: Cow::Borrowed(host),
            pid: pid.unwrap_or(NONE),
            ..Event::default()
        };
        stamp.put(&mut e);
        if let Some(i) = text.find("Auth: [") {
            self.authentication(&text[i..], &mut e)?;
            out.event(e, at, len);
            return Ok(());
        }
        if let Some(json) = audit_json(text) {
            let pairs = scan::flatten(json).map_err(|_| Reason::Shape)?;
            self.audited(&pairs, &mut e)?;
            out.event(e, at, len);
            return Ok(());
        }
        let Some(op) = operation_at(text) else {
            if host.is_empty() && stamp.note == ampleur_event::TimeNote::Missing {
                return Err(Reason::Shape);
            }
            // Another message of the server, under a header that could be read.
            e.action = Cow::Borrowed(text.split([' ', ':']).next().unwrap_or(""));
            if text.contains("smbd version") && text.contains("started") {
                e.verb = Verb::Restart;
            }
            if let Some(from) = text.strip_prefix("Denied connection from ") {
                e.outcome = Outcome::Failure;
                let inside = from.rsplit_once('(').map_or(from, |(_, r)| r);
                let address = inside.trim_end_matches(')');
                if address.parse::<std::net::IpAddr>().is_ok() {
                    e.src_ip = Cow::Borrowed(address);
                }
            }
            out.event(e, at, len);
            return Ok(());
        };
        let fields: Vec<&str> = text.split('|').map(str::trim).collect();
        let action = fields[op];
        let result = fields[op + 1];
        // A path may hold a bar: everything after the result is detail.
        let details = &fields[op + 2..];
        e.action = Cow::Borrowed(action);
        e.verb = verb_of(action).unwrap_or(Verb::Other);
        e.outcome = if result == "ok" {
            Outcome::Success
        } else {
            Outcome::Failure
        };
        if let Some((_, why)) = result.split_once('(') {
            e.reason = Cow::Borrowed(why.trim_end_matches(')'));
        }
        self.prefix(&fields[..op], &mut e);
        let mut path = std::mem::take(&mut self.path);
        path.clear();
        let mut rest = details;
        match action {
            "open" | "openat" => {
                // `r` or `w` stands before the path.
                if let Some((mode, p)) = details.split_first()
                    && matches!(*mode, "r" | "w" | "rw")
                {
                    if *mode == "w" {
                        e.verb = Verb::FileWrite;
                    }
                    rest = p;
                }
            }
            // access mask, `file` or `dir`, disposition, path.
            "create_file" if details.len() >= 4 => {
                let mask = details[0]
                    .strip_prefix("0x")
                    .and_then(|m| u64::from_str_radix(m, 16).ok());
                e.mask = mask.unwrap_or(NONE);
                e.verb = create_verb(mask, details[1], details[2]);
                rest = &details[3..];
            }
            // Two paths; the second is where it went.
            "rename" | "renameat" if details.len() == 2 => {
                e.target = Cow::Borrowed(details[1]);
                rest = &details[..1];
            }
            "connect" => {
                if let Some(share) = details.first().filter(|s| !s.is_empty())
                    && e.share.is_empty()
                {
                    e.share = Cow::Borrowed(share);
                }
                rest = &[];
            }
            _ => {}
        }
        for (i, part) in rest.iter().enumerate() {
            if i > 0 {
                path.push('|');
            }
            path.push_str(part);
        }
        e.file_path = Cow::Borrowed(&path);
        if !e.share.is_empty() && !e.share.starts_with('\\') {
            e.share = if host.is_empty() {
                Cow::Owned(format!("\\\\*\\{}", e.share))
            } else {
                Cow::Owned(format!("\\\\{host}\\{}", e.share))
            };
        }
        out.event(e, at, len);
        self.path = path;
        Ok(())
    }

    /// Fields before the operation: user, address, machine, share, in the declared order or as they look.
    fn prefix(&self, fields: &[&str], e: &mut Event<'_>) {
        let own = |v: &str| Cow::Owned(v.to_string());
        if let Some(letters) = self.layout.as_ref().filter(|l| l.len() == fields.len()) {
            for (letter, v) in letters.iter().zip(fields) {
                match letter {
                    'u' | 'U' => self.user(v, e),
                    'I' => e.src_ip = own(net::address(v)),
                    'm' | 'M' => e.device = own(v),
                    'S' => e.share = own(v),
                    'D' => e.domain = own(v),
                    'h' | 'L' => e.host = own(v),
                    'd' => e.pid = v.parse().unwrap_or(NONE),
                    _ => {}
                }
            }
            return;
        }
        let address = fields.iter().position(|v| !net::address(v).is_empty());
        let mut names = vec![];
        for (i, v) in fields.iter().enumerate() {
            if Some(i) == address {
                e.src_ip = own(net::address(v));
            } else if !v.is_empty() {
                names.push((i, *v));
            }
        }
        // `%u|%I|%m|%S` and `%u|%I|%S`: the user first, the share last when more than one name follows the address.
        let mut names = names.into_iter();
        if let Some((i, v)) = names.next() {
            if address.is_some_and(|a| i > a) && fields.first().is_some_and(|f| f.is_empty()) {
                e.device = own(v);
            } else {
                self.user(v, e);
            }
        }
        let rest: Vec<&str> = names.map(|(_, v)| v).collect();
        match rest.as_slice() {
            [] => {}
            [one] => e.share = own(one),
            [machine, .., share] => {
                if e.device.is_empty() {
                    e.device = own(machine);
                }
                e.share = own(share);
            }
        }
    }

    fn user(&self, name: &str, e: &mut Event<'_>) {
        if is_placeholder(name) {
            return;
        }
        let (domain, name) = name.split_once(['\\', '+']).unwrap_or(("", name));
        e.user = Cow::Owned(name.to_string());
        e.domain = Cow::Owned(domain.to_string());
        e.system = self.accounts.unwrap_or(if domain.is_empty() {
            System::Smb
        } else {
            System::Ad
        });
    }

    /// `Auth: [SMB2,(null)] user [DOM]\[name] at [Thu, 14 Oct 2021 15:24:16 UTC] with [NTLMv2] status [NT_STATUS_OK] workstation
    /// [PC] remote host [ipv4:1.2.3.4:44896] … local host [ipv4:…]`.
    fn authentication(&mut self, text: &str, e: &mut Event<'_>) -> Result<(), Reason> {
        let field = |name: &str| {
            let i = text.find(name)? + name.len();
            let rest = text.get(i..)?;
            rest.split_once(']').map(|(v, _)| v)
        };
        let own = |v: &str| Cow::Owned(v.to_string());
        let status = field(" status [").ok_or(Reason::Field("status"))?;
        e.action = own("Auth");
        e.verb = Verb::Login;
        e.outcome = if status == "NT_STATUS_OK" {
            Outcome::Success
        } else {
            Outcome::Failure
        };
        e.reason = own(status);
        let domain = field(" user [").unwrap_or("");
        let name = text
            .find(" user [")
            .and_then(|i| text.get(i..))
            .and_then(|t| t.split_once("]\\["))
            .and_then(|(_, r)| r.split_once(']'))
            .map_or("", |(n, _)| n);
        self.set_account(domain, name, e);
        if let Some(t) = field(" at [") {
            let (local, offset, _) = time::named(t.as_bytes()).ok_or(Reason::Time)?;
            self.clock.stamp(local, offset).put(e);
        }
        e.device = own(field(" workstation [").unwrap_or(""));
        let (a, p) = endpoint(field(" remote host [").unwrap_or(""));
        e.src_ip = own(a);
        e.src_port = p;
        let (a, p) = endpoint(field(" local host [").unwrap_or(""));
        e.dst_ip = own(a);
        e.dst_port = p;
        e.process = own(field("Auth: [").unwrap_or(""));
        Ok(())
    }

    /// What `log.h` of Samba's `audit_logging` makes: each kind says the same in its own words.
    fn audited(
        &mut self,
        pairs: &[(Cow<'_, str>, Cow<'_, str>)],
        e: &mut Event<'_>,
    ) -> Result<(), Reason> {
        let get = |n: &str| {
            pairs
                .iter()
                .find(|(k, _)| k.rsplit('.').next() == Some(n))
                .map_or("", |(_, v)| &**v)
        };
        let own = |v: &str| Cow::Owned(v.to_string());
        let when = get("timestamp");
        let (local, offset, _) = time::iso(when.as_bytes()).ok_or(Reason::Time)?;
        self.clock.stamp(local, offset).put(e);
        let kind = get("type");
        e.action = own(kind);
        let status = get("status");
        e.outcome = match status {
            "" => Outcome::Unknown,
            "NT_STATUS_OK" | "Success" => Outcome::Success,
            _ => Outcome::Failure,
        };
        match kind {
            "Authentication" => {
                e.verb = Verb::Login;
                e.reason = own(status);
                // The account a principal was found to be.
                match get("mappedAccount") {
                    "" => self.set_account(get("clientDomain"), get("clientAccount"), e),
                    known => self.set_account(get("mappedDomain"), known, e),
                }
                e.user_id = own(get("becameSid"));
            }
            // Written for a session that was let in.
            "Authorization" => {
                e.verb = Verb::Login;
                e.outcome = Outcome::Success;
                self.set_account(get("domain"), get("account"), e);
                e.user_id = own(get("sid"));
            }
            "passwordChange" | "groupChange" | "dsdbChange" => {
                e.verb = Verb::Config;
                e.action = own(&[kind, get("action"), get("operation")].join(" "));
                e.user_id = own(get("userSid"));
                e.reason = own(status);
                e.object = own(if kind == "groupChange" {
                    get("group")
                } else {
                    get("dn")
                });
                e.target = own(if kind == "groupChange" {
                    get("user")
                } else {
                    ""
                });
            }
            _ => e.verb = Verb::Other,
        }
        e.device = own(get("workstation"));
        e.session_id = own(Some(get("logonId"))
            .filter(|id| !id.is_empty())
            .unwrap_or(get("sessionId")));
        e.code = get("eventId").parse().unwrap_or(NONE);
        e.logon_type = get("logonType").parse().unwrap_or(NONE);
        let (a, p) = endpoint(get("remoteAddress"));
        e.src_ip = own(a);
        e.src_port = p;
        let (a, p) = endpoint(get("localAddress"));
        e.dst_ip = own(a);
        e.dst_port = p;
        Ok(())
    }

    fn set_account(&self, domain: &str, name: &str, e: &mut Event<'_>) {
        if is_placeholder(name) {
            return;
        }
        let domain = if is_placeholder(domain) { "" } else { domain };
        e.user = Cow::Owned(name.to_string());
        e.domain = Cow::Owned(domain.to_string());
        e.system = self.accounts.unwrap_or(if domain.is_empty() {
            System::Smb
        } else {
            System::Ad
        });
    }
}

/// `ipv4:172.17.0.1:44896`, `ipv6:2001:db8::1:445`.
fn endpoint(text: &str) -> (&str, u64) {
    if let Some(v4) = text.strip_prefix("ipv4:") {
        let (a, p) = net::endpoint(v4);
        return (a, p.map_or(NONE, u64::from));
    }
    if let Some(v6) = text.strip_prefix("ipv6:")
        && let Some((a, p)) = v6.rsplit_once(':')
    {
        return (net::address(a), p.parse().unwrap_or(NONE));
    }
    (net::address(text), NONE)
}

/// What opening with this access mask can do (MS-SMB2 §2.2.13.1). A folder is only listed.
fn create_verb(mask: Option<u64>, kind: &str, disposition: &str) -> Verb {
    const READ_DATA: u64 = 0x1;
    const WRITES: u64 = 0x2 | 0x4;
    const DELETE: u64 = 0x1_0000;
    const GENERIC_READ: u64 = 0x8000_0000;
    const GENERIC_WRITE: u64 = 0x4000_0000;
    const ALL: u64 = 0x1000_0000 | 0x0200_0000;
    if kind == "dir" {
        return if disposition == "create" {
            Verb::FileWrite
        } else {
            Verb::FileList
        };
    }
    // Without a mask nothing rules reading out.
    let Some(mask) = mask else {
        return Verb::FileRead;
    };
    if mask & (READ_DATA | GENERIC_READ | ALL) != 0 {
        Verb::FileRead
    } else if mask & (WRITES | GENERIC_WRITE) != 0 {
        Verb::FileWrite
    } else if mask & DELETE != 0 {
        Verb::FileDelete
    } else {
        Verb::FileList
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn operations_are_sorted_for_searching() {
        assert!(OPERATIONS.windows(2).all(|w| w[0].0 < w[1].0));
    }
    #[test]
    fn masks_decide_between_reading_writing_and_listing() {
        assert_eq!(create_verb(Some(0x12_0089), "file", "open"), Verb::FileRead);
        assert_eq!(create_verb(Some(0x10_0080), "file", "open"), Verb::FileList);
        assert_eq!(
            create_verb(Some(0x12_0116), "file", "overwrite_if"),
            Verb::FileWrite
        );
        assert_eq!(
            create_verb(Some(0x1_0080), "file", "open"),
            Verb::FileDelete
        );
        assert_eq!(create_verb(Some(0x10_0081), "dir", "open"), Verb::FileList);
    }
}
