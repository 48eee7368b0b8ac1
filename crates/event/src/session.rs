//! Sessions and the links between them. A session is one use of one account from one origin on one system.
use crate::{account::Account, time::Nanos, verdict::SessionVerdict, words::closed};
use std::{net::IpAddr, sync::Arc};

/// Stable over re-runs and thread counts: derived from source, key and first event. `s` and 15 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// From the first 60 bits of a hash.
    pub fn of(hash: [u8; 8]) -> SessionId {
        let mut id = [b's'; 16];
        for (i, c) in id[1..].iter_mut().enumerate() {
            let half = hash[i / 2] >> (4 * (1 - i % 2)) & 0xf;
            *c = b"0123456789abcdef"[half as usize];
        }
        SessionId(id)
    }
    pub fn as_str(&self) -> &str {
        // Nothing but ASCII is ever put in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::ops::Deref for SessionId {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}
impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
impl std::fmt::Debug for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Where a session came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Origin {
    pub address: Option<IpAddr>,
    /// ISO 3166-1 alpha-2, from the case's own GeoIP files, else as the source says.
    pub country: Option<Arc<str>>,
    pub asn: Option<u32>,
    /// User agent, client machine name or device id, as the source gave it. A host name alone proves nothing.
    pub device: Option<Arc<str>>,
}

closed! {
    /// What held the session's rows together.
    SessionKey {
        /// Account, address and device within an inactivity limit.
        Inactivity = 0 => "inactivity",
        Tunnel = 1 => "tunnel",
        LogonId = 2 => "logon-id",
        /// OIDC `sid` or identity-provider session.
        Sid = 3 => "sid",
        /// Token id (`jti`) or application session.
        Token = 4 => "token",
        /// Database backend (pid or session id).
        Backend = 5 => "backend",
        Application = 6 => "application",
    }
}

/// What a session did, as counts; enough to judge it without reading its events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionCounts {
    pub events: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub logins: u64,
    pub failures: u64,
    pub requests: u64,
    pub reads: u64,
    pub searches: u64,
    pub exports: u64,
    pub writes: u64,
    pub files: u64,
    pub queries: u64,
    /// Distinct data subjects named, counted exactly up to 4096 and as at least that above.
    pub subjects: u64,
    /// Distinct objects (files, urls, statements), same limit.
    pub objects: u64,
}

/// One session. Times are UTC nanoseconds; `[from, to]` both included (first and last event).
///
/// A case has a million of these: what many say alike is shared.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    pub id: SessionId,
    /// Index of the source (`[[source]]` entry or folder) in the case.
    pub source: u32,
    /// Name of the format that made its rows (`sources` registry).
    pub format: &'static str,
    pub key_kind: SessionKey,
    /// `None`: a flow or a proxy line that no account claims.
    pub account: Option<Arc<Account>>,
    /// Index in `Context::persons`.
    pub person: Option<u32>,
    pub origin: Origin,
    /// Address lent to the session inside (tunnel address).
    pub inner: Option<IpAddr>,
    /// The machine or service that was used (server host name, virtual host).
    pub host: Arc<str>,
    /// Client program, where the source tells (application_name, process, User-Agent product).
    pub program: Arc<str>,
    pub from: Nanos,
    pub to: Nanos,
    /// An end was seen (logout, tunnel-down, disconnect), not just silence.
    pub closed: bool,
    pub counts: SessionCounts,
}

impl Session {
    /// Nothing but refused logins: whoever tried was not let in, and nobody used the account.
    pub fn only_refused(&self) -> bool {
        self.counts.failures > 0 && self.counts.failures == self.counts.events
    }
}

closed! {
    /// Why two sessions are thought to be one person's path.
    LinkKind {
        None = 0 => "none",
        /// The inner session's origin address is the address lent by the outer tunnel at that time.
        TunnelAddress = 1 => "tunnel-address",
        /// Same LogonId on the same host in one life of the host.
        LogonId = 2 => "logon-id",
        /// Same OIDC session or authorisation code.
        Sid = 3 => "sid",
        /// Same request id in two logs.
        RequestId = 4 => "request-id",
        /// Same token id.
        Token = 5 => "token",
        /// Same account and address on two systems at the same time.
        SameAccountAddress = 6 => "same-account-address",
        /// A hop: the inner session starts from the host the outer one is logged on to (jump host, terminal server).
        Hop = 7 => "hop",
        /// Address leased to a device (DHCP).
        Lease = 8 => "lease",
        /// `X-Forwarded-For` names the outer address.
        Forwarded = 9 => "forwarded",
        /// Bytes and times agree between a flow and a session.
        Flow = 10 => "flow",
        /// One person's accounts (`[[person]]`) from one address in the same time.
        SamePerson = 11 => "same-person",
    }
}

/// A directed link: `outer` made `inner` possible.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Indexes into the case's session list.
    pub outer: u32,
    pub inner: u32,
    pub kind: LinkKind,
    /// 0.0–1.0; a shared NAT or proxy address lowers it.
    pub certainty: f32,
}

/// A plain-words reason for a judgement; `code` is stable, the sentences are for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    pub code: &'static str,
    /// Shared: one sentence stands under every session of a unit, and a case has a million sessions.
    pub fr: Arc<str>,
    pub en: Arc<str>,
    /// Log-likelihood ratio in natural units; positive speaks for an intruder.
    pub weight: f32,
}

/// The judgement of one session, index-parallel to the session list.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    pub verdict: SessionVerdict,
    /// Sum of the reasons' weights plus the prior.
    pub score: f32,
    /// Shared, like their sentences.
    pub reasons: Arc<[Reason]>,
    /// Chain label, equal for linked sessions.
    pub chain: Arc<str>,
    /// Intrusion label, equal for sessions of one outsider; `None` when legitimate.
    pub intrusion: Option<Arc<str>>,
}
