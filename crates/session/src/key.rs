//! The key that holds the rows of one session together, a pure function of source, format and event.
use crate::texts::{TextId, Texts, folded};
use ampleur_event::{
    Account, Event, Outcome, SessionKey, System, Verb,
    account::is_placeholder,
    batch::NONE,
    time::{HOUR, MINUTE, Nanos},
};
use rustc_hash::FxHasher;
use std::{hash::Hasher, net::IpAddr};

/// What two events of one session share. Two events with different keys are never in one session.
///
/// Every key holds the origin address, so that owner and intruder are apart even inside one identity-provider session or token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key {
    /// Index of the source in the case.
    pub source: u32,
    pub kind: SessionKey,
    /// The source's own id (tunnel id, `LogonId@host`, sid, token, `pid@host` of a backend or file server), empty for inactivity.
    pub id: String,
    /// Canonical account text ([`canonical`]), or `#` and the source's user id, or empty.
    pub account: String,
    /// Address as received, and behind a comma the forwarded client if any.
    pub address: String,
    /// User agent, client machine or destination of a flow.
    pub device: String,
}

/// Rows of one inactivity key further apart than this are two sessions.
pub const INACTIVITY: Nanos = 30 * MINUTE;
/// Requests that name nobody are read in stretches with no longer pause than this: somebody else may go on after it.
pub(crate) const PAUSE: Nanos = 5 * MINUTE;
/// Rows of one explicit id further apart than this are two uses of the id (contract §F, ids that come back).
pub const ID_LIFE: Nanos = 24 * HOUR;

/// Lower-case account text under which the spellings of one account agree: a domain account, which a Citrix farm uses too, by its
/// bare name, all others by `system:name`.
pub fn canonical(a: &Account) -> String {
    match a.system {
        System::Ad | System::Smb | System::Citrix => format!("ad:{}", a.bare()),
        _ => a.key(),
    }
}

/// The client an `X-Forwarded-For` value names: each proxy appends what it saw, so the last public address is the one the own
/// infrastructure received; without a public one the first. Empty when no address is there. What stands before was told by
/// the client itself and can be forged.
pub(crate) fn forwarded_client(forwarded: &str) -> &str {
    if forwarded.is_empty() {
        return "";
    }
    let mut first = None;
    for f in forwarded.rsplit([',', ';']) {
        let t = f
            .trim()
            .trim_start_matches("for=")
            .trim_matches(['"', '[', ']']);
        if let Ok(a) = t.parse::<IpAddr>() {
            if !crate::net::is_private(a) {
                return t;
            }
            first = Some(t);
        }
    }
    first.unwrap_or("")
}

pub(crate) fn clip(s: &str, n: usize) -> &str {
    if s.len() <= n {
        return s;
    }
    let mut end = n;
    while !s.is_char_boundary(end) {
        end -= 1;
    }
    &s[..end]
}

/// Longest part of a source's text that a key keeps; the rest cannot tell two sessions apart.
const CLIP: usize = 256;

fn absent(id: &str) -> bool {
    is_placeholder(id) || matches!(id, "0" | "0x0" | "0x00000000")
}

/// True of a user id that names one person's account at most: no placeholder, and of Windows' SIDs those of a domain, a machine
/// (`S-1-5-21-…`) or Entra ID (`S-1-12-1-…`); all others are services, groups and logon kinds (MS-DTYP §2.4.2.4).
pub(crate) fn personal(id: &str) -> bool {
    let sid = id
        .get(..4)
        .filter(|p| p.eq_ignore_ascii_case("S-1-"))
        .map(|_| &id[4..]);
    !absent(id) && sid.is_none_or(|s| s.starts_with("5-21-") || s.starts_with("12-1-"))
}

/// Columns [`key_of`] looks at, besides `extra` on explicit credentials (Windows 4648): for doors that read columns singly.
pub const KEY_COLUMNS: &[&str] = &[
    "time",
    "verb",
    "outcome",
    "system",
    "user",
    "domain",
    "user_id",
    "src_ip",
    "dst_ip",
    "forwarded",
    "inner_ip",
    "session_id",
    "token",
    "device",
    "host",
    "process",
    "code",
    "pid",
    "share",
];

/// A key whose texts are numbers; of which source stands elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Keyed {
    pub kind: SessionKey,
    pub id: TextId,
    pub account: TextId,
    pub address: TextId,
    pub device: TextId,
}

impl Keyed {
    pub fn put(key: &Key, texts: &mut Texts) -> Keyed {
        Keyed {
            kind: key.kind,
            id: texts.put(&key.id),
            account: texts.put(&key.account),
            address: texts.put(&key.address),
            device: texts.put(&key.device),
        }
    }
    pub fn is(&self, key: &Key, texts: &Texts) -> bool {
        self.kind == key.kind
            && texts.get(self.id) == key.id
            && texts.get(self.account) == key.account
            && texts.get(self.address) == key.address
            && texts.get(self.device) == key.device
    }
    /// What [`Key::hash`] gives for a key of that source.
    pub fn hash(&self, source: u32, texts: &Texts) -> u32 {
        hash(source, self.kind, self.texts(texts))
    }
    pub fn texts<'t>(&self, texts: &'t Texts) -> [&'t str; 4] {
        [self.id, self.account, self.address, self.device].map(|t| texts.get(t))
    }
    pub fn renumber(&mut self, to: &mut dyn FnMut(TextId) -> TextId) {
        for t in [
            &mut self.id,
            &mut self.account,
            &mut self.address,
            &mut self.device,
        ] {
            *t = to(*t);
        }
    }
}

fn hash(source: u32, kind: SessionKey, texts: [&str; 4]) -> u32 {
    let mut h = FxHasher::default();
    h.write_u32(source);
    h.write_u8(kind as u8);
    for t in texts {
        h.write(t.as_bytes());
        h.write_u8(0xff);
    }
    folded(h.finish())
}

/// The key of an event of `source`; `None` when the row names no account and no address (a source speaking of itself).
pub fn key_of(source: u32, e: &Event<'_>) -> Option<Key> {
    let mut key = Key::default();
    let account = e.account().map(|a| canonical(&a));
    key.set(source, e, account.as_deref()).then_some(key)
}

impl Key {
    pub(crate) fn hash(&self) -> u32 {
        let texts = [&self.id, &self.account, &self.address, &self.device];
        hash(self.source, self.kind, texts.map(String::as_str))
    }
    /// Becomes the key of an event whose account's canonical text is known, in the memory it has; false when there is none.
    pub(crate) fn set(&mut self, source: u32, e: &Event<'_>, account: Option<&str>) -> bool {
        let by_id;
        let account = match account {
            Some(a) => a,
            None if !absent(&e.user_id) => {
                by_id = format!("#{}", clip(&e.user_id, CLIP));
                &by_id
            }
            None => "",
        };
        let client = forwarded_client(&e.forwarded);
        let src = if absent(&e.src_ip) {
            ""
        } else {
            clip(&e.src_ip, 64)
        };
        let client = if client == src { "" } else { client };
        let no_address = src.is_empty() && client.is_empty();
        let id = if absent(&e.session_id) {
            ""
        } else {
            clip(&e.session_id, CLIP)
        };
        let device = if absent(&e.device) {
            ""
        } else {
            clip(&e.device, CLIP)
        };
        self.source = source;
        let mut key = |kind, id: &str, account: &str, src: &str, client: &str, device: &str| {
            self.kind = kind;
            for (to, from) in [
                (&mut self.id, id),
                (&mut self.account, account),
                (&mut self.address, src),
                (&mut self.device, device),
            ] {
                to.clear();
                to.push_str(from);
            }
            if !client.is_empty() {
                self.address.push(',');
                self.address.push_str(client);
            }
            true
        };
        let on_host = |id: &str| {
            format!(
                "{}@{}",
                id.to_lowercase(),
                clip(&e.host, CLIP).to_lowercase()
            )
        };
        // Explicit credentials (4648): an act of the session that used them, not a session of the account they belong to.
        if let Some((subject, logon)) = used_by(e) {
            let (id, account) = (on_host(logon), canonical(&subject));
            return key(SessionKey::LogonId, &id, &account, "", "", "");
        }
        match e.verb {
            Verb::Lease => {
                let leased = if absent(&e.inner_ip) {
                    src
                } else {
                    clip(&e.inner_ip, 64)
                };
                return !leased.is_empty()
                    && key(SessionKey::Inactivity, "", "", leased, "", device);
            }
            Verb::Flow => {
                let to = clip(&e.dst_ip, 64);
                return !(account.is_empty() && no_address)
                    && key(SessionKey::Inactivity, "", account, src, client, to);
            }
            _ => {}
        }
        // Rows inside a Windows logon, a database backend or a tunnel often lack the address; the id with its host stands for it.
        if !id.is_empty() {
            match e.system {
                System::Vpn => return key(SessionKey::Tunnel, id, "", src, "", ""),
                System::Ad | System::Smb | System::Host if looks_like_logon_id(id) => {
                    return key(SessionKey::LogonId, &on_host(id), account, "", "", "");
                }
                System::Db => {
                    // A csvlog session id is unique; a bare pid comes back, so the user keeps two lives apart.
                    let user = if id.contains('.') { "" } else { account };
                    let id = format!("{id}@{}", clip(&e.host, CLIP));
                    return key(SessionKey::Backend, &id, user, "", "", "");
                }
                System::Oidc | System::Rpps
                    if matches!(e.verb, Verb::Login | Verb::Logout | Verb::Token)
                        || (account.starts_with('#') && !src.is_empty()) =>
                {
                    return key(SessionKey::Sid, id, "", src, client, "");
                }
                _ => {}
            }
        }
        if account.is_empty() && no_address {
            return false;
        }
        // Gateways that number no tunnel (Cisco ASA): one user has one from one address at a time, whatever its silence.
        let tunnel = matches!(
            e.verb,
            Verb::TunnelUp | Verb::TunnelDown | Verb::TunnelStats
        );
        if id.is_empty() && tunnel && e.system == System::Vpn && !account.is_empty() && !no_address
        {
            return key(SessionKey::Tunnel, "", account, src, client, "");
        }
        // A file server's process serves one client: two at once from one machine are two.
        let share = matches!(e.system, System::Smb | System::Ad) && !e.share.is_empty();
        if id.is_empty() && share && e.pid != NONE && e.code == NONE {
            let id = format!("{}@{}", e.pid, clip(&e.host, CLIP));
            return key(SessionKey::Backend, &id, account, src, client, device);
        }
        // So does a process of sshd, whose lines about the shell lack the address.
        let shell = is_shell(&e.process) && e.outcome != Outcome::Failure && e.pid != NONE;
        if id.is_empty() && shell && !account.is_empty() && !e.host.is_empty() {
            let id = on_host(&e.pid.to_string());
            return key(SessionKey::LogonId, &id, account, "", "", "");
        }
        if !id.is_empty() {
            return key(SessionKey::Application, id, account, src, client, device);
        }
        let token = if absent(&e.token) {
            ""
        } else {
            clip(&e.token, CLIP)
        };
        if !token.is_empty() {
            return key(SessionKey::Token, token, account, src, client, "");
        }
        key(SessionKey::Inactivity, "", account, src, client, device)
    }
}

/// Who used somebody else's credentials, and in which logon: rows that carry `subject` and `subject_logon_id`.
pub(crate) fn used_by<'a>(e: &'a Event<'_>) -> Option<(Account, &'a str)> {
    if e.code != 4648 {
        return None;
    }
    let logon = e
        .extra_value("subject_logon_id")
        .filter(|l| looks_like_logon_id(l) && !absent(l))?;
    let subject = e.extra_value("subject")?;
    let (domain, name) = subject.split_once('\\').unwrap_or(("", subject));
    Some((Account::new(System::Ad, domain, name)?, logon))
}

/// A process of which each serves one shell.
pub(crate) fn is_shell(process: &str) -> bool {
    matches!(process, "sshd" | "sshd-session")
}

fn looks_like_logon_id(id: &str) -> bool {
    id.strip_prefix("0x")
        .is_some_and(|h| !h.is_empty() && h.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_services_and_groups_name_nobody() {
        for id in [
            "S-1-5-21-7-8-9-1188",
            "s-1-12-1-5-6-7-8",
            "26be570a",
            "1007",
        ] {
            assert!(personal(id), "{id}");
        }
        for id in [
            "S-1-5-18",
            "S-1-5-20",
            "S-1-5-7",
            "S-1-0-0",
            "S-1-1-0",
            "S-1-5-32-544",
            "S-1-5-80-1-2-3-4-5",
            "S-1-5-90-0-1",
            "s-1-5-96-0-2",
            "",
            "-",
            "0",
        ] {
            assert!(!personal(id), "{id}");
        }
    }
}
