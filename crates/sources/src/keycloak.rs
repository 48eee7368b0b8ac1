//! Keycloak user events: ECS JSON lines of the server log, plain `server.log` lines, and event objects as listeners and the admin
//! API write them. Standard: Keycloak Server Administration Guide, "Auditing user events". Times: `@timestamp` with offset; plain
//! lines are read in the zone of the source; event objects carry milliseconds.
//!
//! Only LOGIN events carry the user name; the others name the user by its id. Lines of other loggers are events without verb.
use crate::{
    Confidence, Decode, Decoded, Head, Reason, Setting, Source, Standard,
    kv::Pairs,
    lines, net, scan, syslog,
    time::{self, Clock},
};
use ampleur_event::{
    Capability, Event, GapSign, Outcome, Proof, Silence, System, Verb, account::is_placeholder,
    batch::NONE,
};
use std::borrow::Cow;

pub(crate) struct Keycloak;

impl Source for Keycloak {
    fn name(&self) -> &'static str {
        "keycloak"
    }
    fn about(&self) -> &'static str {
        "Keycloak identity provider: logins, tokens, logouts (ECS JSON, server.log, event JSON)"
    }
    fn standard(&self) -> Standard {
        Standard {
            name: "Keycloak Server Administration Guide",
            section: "Auditing user events",
        }
    }
    fn capability(&self) -> Capability {
        Capability {
            rows: &[
                (Verb::Login, Proof::Presence),
                (Verb::Logout, Proof::Presence),
                (Verb::Token, Proof::Presence),
                (Verb::Config, Proof::Change),
            ],
            silence: Silence::NoPresence,
            names_results: false,
            gap: GapSign::SequencePerHost,
        }
    }
    fn sniff(&self, head: &Head<'_>) -> Confidence {
        if syslog::of_others(head, |p| {
            p.contains("keycloak") || p == "kc.sh" || p == "java"
        }) {
            return Confidence::No;
        }
        for line in lines::sample(head) {
            let has = |w: &[u8]| memchr::memmem::find(line, w).is_some();
            if has(b"org.keycloak.events") || has(b"[org.key.events]") {
                return Confidence::Certain;
            }
            let shape = has(b"realmId") && has(b"clientId") && has(b"ipAddress");
            if shape && (has(b"type=") || has(b"\"type\"")) {
                return Confidence::Certain;
            }
            if has(b"[org.keycloak.") || has(b"\"org.keycloak.") {
                return Confidence::Likely;
            }
        }
        Confidence::No
    }
    fn open(&self, _head: &Head<'_>, setting: &Setting) -> Box<dyn Decode> {
        Box::new(Decoder {
            clock: Clock::new(setting),
            accounts: setting.accounts,
        })
    }
}

struct Decoder {
    clock: Clock,
    accounts: Option<System>,
}

impl Decode for Decoder {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        lines::each(bytes, last, out, |line, at, len, finished, out| {
            let text = lines::text(line);
            let mut r = self.record(&text, "", at, len, out);
            if r == Err(Reason::Shape)
                && let Some((host, inner)) = self.carried(&text)
            {
                r = self.record(inner, host, at, len, out);
            }
            if let Err(reason) = r {
                let reason = match reason {
                    Reason::Shape if !finished => Reason::Truncated,
                    r => r,
                };
                out.reject(bytes, at, len, reason);
            }
        })
    }
}

/// What an event says, whatever its envelope.
#[derive(Default)]
struct Fields<'a> {
    action: &'a str,
    realm: &'a str,
    realm_name: &'a str,
    client: &'a str,
    user_id: &'a str,
    session: &'a str,
    address: &'a str,
    error: &'a str,
    username: &'a str,
    code: &'a str,
    token: &'a str,
    grant: &'a str,
    redirect: &'a str,
    method: &'a str,
    operation: &'a str,
    resource: &'a str,
}

impl<'a> Fields<'a> {
    fn take(&mut self, key: &str, v: &'a str) {
        let v = if v == "null" { "" } else { v };
        match key {
            "type" | "operationType" => self.action = v,
            "realmId" => self.realm = v,
            "realmName" => self.realm_name = v,
            "clientId" | "authDetails.clientId" => self.client = v,
            "userId" | "authDetails.userId" => self.user_id = v,
            "sessionId" => self.session = v,
            "ipAddress" | "authDetails.ipAddress" => self.address = v,
            "error" => self.error = v,
            "username" | "details.username" => self.username = v,
            "code_id" | "details.code_id" => self.code = v,
            "token_id" | "details.token_id" => self.token = v,
            "grant_type" | "details.grant_type" => self.grant = v,
            "redirect_uri" | "details.redirect_uri" => self.redirect = v,
            "auth_method" | "details.auth_method" => self.method = v,
            "resourceType" => self.operation = v,
            "resourcePath" => self.resource = v,
            _ => {}
        }
    }
    fn fill(&self, e: &mut Event<'a>, accounts: Option<System>) {
        e.action = Cow::Borrowed(self.action);
        e.verb = verb(self.action, !self.operation.is_empty());
        e.outcome = if !self.error.is_empty() || self.action.ends_with("_ERROR") {
            Outcome::Failure
        } else {
            Outcome::Success
        };
        e.process = Cow::Borrowed(self.client);
        e.user_id = Cow::Borrowed(self.user_id);
        e.session_id = Cow::Borrowed(self.session);
        e.src_ip = Cow::Borrowed(net::address(self.address));
        e.reason = Cow::Borrowed(self.error);
        e.token = Cow::Borrowed(if self.token.is_empty() {
            self.code
        } else {
            self.token
        });
        e.object = Cow::Borrowed(self.resource);
        if !is_placeholder(self.username) {
            e.user = Cow::Borrowed(self.username);
        }
        if !self.username.is_empty() || !self.user_id.is_empty() {
            e.system = accounts.unwrap_or(if is_rpps(self.username) {
                System::Rpps
            } else {
                System::Oidc
            });
        }
        let mut extra = String::new();
        for (k, v) in [
            ("auth_method", self.method),
            ("code_id", self.code),
            ("grant_type", self.grant),
            (
                "realm",
                if self.realm_name.is_empty() {
                    self.realm
                } else {
                    self.realm_name
                },
            ),
            ("redirect_uri", self.redirect),
            ("resource_type", self.operation),
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
        e.extra = Cow::Owned(extra);
    }
}

/// 11 digits, or 12 with the leading 8 of the card form.
fn is_rpps(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_digit())
        && (name.len() == 11 || (name.len() == 12 && name.starts_with('8')))
}

fn verb(action: &str, admin: bool) -> Verb {
    if admin {
        return Verb::Config;
    }
    match action.strip_suffix("_ERROR").unwrap_or(action) {
        "LOGIN" | "IDENTITY_PROVIDER_LOGIN" | "IMPERSONATE" | "IDENTITY_PROVIDER_FIRST_LOGIN" => {
            Verb::Login
        }
        "LOGOUT" => Verb::Logout,
        "CODE_TO_TOKEN"
        | "REFRESH_TOKEN"
        | "TOKEN_EXCHANGE"
        | "CLIENT_LOGIN"
        | "INTROSPECT_TOKEN"
        | "PERMISSION_TOKEN"
        | "OAUTH2_DEVICE_CODE_TO_TOKEN"
        | "REVOKE_GRANT" => Verb::Token,
        "UPDATE_PASSWORD" | "UPDATE_PROFILE" | "UPDATE_EMAIL" | "UPDATE_TOTP" | "REMOVE_TOTP"
        | "REGISTER" | "RESET_PASSWORD" | "UPDATE_CREDENTIAL" | "REMOVE_CREDENTIAL"
        | "DELETE_ACCOUNT" => Verb::Config,
        _ => Verb::Other,
    }
}

impl Decoder {
    /// The line a syslog or `docker compose logs` (`keycloak-1  | …`) carries, with the host of the former.
    fn carried<'a>(&mut self, text: &'a str) -> Option<(&'a str, &'a str)> {
        if let Some(h) = syslog::header(text, &mut self.clock)
            && !h.program.is_empty()
        {
            return Some((h.host, text[h.message..].trim_start()));
        }
        let (name, rest) = text.split_once("| ")?;
        (!name.is_empty() && name.len() < 64).then_some(("", rest))
    }

    fn record(
        &mut self,
        text: &str,
        host: &str,
        at: usize,
        len: usize,
        out: &mut Decoded,
    ) -> Result<(), Reason> {
        if text.trim_start().starts_with('{') {
            self.json(text, host, at, len, out)
        } else {
            self.plain(text, host, at, len, out)
        }
    }

    fn json(
        &mut self,
        text: &str,
        host: &str,
        at: usize,
        len: usize,
        out: &mut Decoded,
    ) -> Result<(), Reason> {
        let pairs = scan::flatten(text).map_err(|_| Reason::Shape)?;
        let get = |names: &[&str]| {
            names
                .iter()
                .find_map(|n| pairs.iter().find(|(k, _)| k == n))
                .map_or("", |(_, v)| &**v)
        };
        let mut e = Event::default();
        let when = get(&["@timestamp", "timestamp", "time"]);
        let stamp = time::iso(when.as_bytes())
            .map(|(l, o, _)| self.clock.stamp(l, o))
            .or_else(|| time::epoch(when).map(|t| self.clock.explicit(t)));
        match stamp {
            Some(s) => s.put(&mut e),
            None => return Err(Reason::Time),
        }
        e.seq = get(&["event.sequence", "sequence"]).parse().unwrap_or(NONE);
        e.host = Cow::Borrowed(get(&["host.hostname", "hostName", "host.name"]));
        if e.host.is_empty() {
            e.host = Cow::Borrowed(host);
        }
        e.pid = get(&["process.pid", "processId"]).parse().unwrap_or(NONE);
        let mut f = Fields::default();
        let message = get(&["message"]);
        if message.is_empty() {
            for (k, v) in &pairs {
                f.take(k, v);
            }
            if f.action.is_empty() {
                return Err(Reason::Field("type"));
            }
        } else if !take_message(message, &mut f) {
            e.action = Cow::Borrowed(get(&["log.level", "level"]));
            e.reason = Cow::Borrowed(get(&["log.logger", "loggerName"]));
            restart(message, &mut e);
            out.event(e, at, len);
            return Ok(());
        }
        f.fill(&mut e, self.accounts);
        out.event(e, at, len);
        Ok(())
    }

    /// `2024-05-06 20:40:16,353 WARN  [org.keycloak.events] (executor-thread-1) type=LOGIN_ERROR, realmId=…`.
    fn plain(
        &mut self,
        text: &str,
        host: &str,
        at: usize,
        len: usize,
        out: &mut Decoded,
    ) -> Result<(), Reason> {
        let (local, offset, n) = time::iso(text.as_bytes()).ok_or(Reason::Shape)?;
        let rest = text[n..].trim_start();
        let (level, rest) = rest.split_once(' ').ok_or(Reason::Shape)?;
        if level.is_empty() || !level.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(Reason::Shape);
        }
        let rest = rest.trim_start();
        let (logger, rest) = rest
            .strip_prefix('[')
            .and_then(|r| r.split_once(']'))
            .ok_or(Reason::Shape)?;
        let rest = rest.trim_start();
        let message = match rest.strip_prefix('(').and_then(|r| r.split_once(") ")) {
            Some((_, m)) => m,
            None => rest,
        };
        let mut e = Event {
            host: Cow::Borrowed(host),
            ..Event::default()
        };
        self.clock.stamp(local, offset).put(&mut e);
        let mut f = Fields::default();
        if take_message(message, &mut f) {
            f.fill(&mut e, self.accounts);
        } else {
            e.action = Cow::Borrowed(level);
            e.reason = Cow::Borrowed(logger);
            restart(message, &mut e);
        }
        out.event(e, at, len);
        Ok(())
    }
}

/// Reads `type="LOGIN", realmId="…"`; false when the message is no user event.
fn take_message<'a>(message: &'a str, f: &mut Fields<'a>) -> bool {
    let starts = message.starts_with("type=") || message.starts_with("operationType=");
    if !starts {
        return false;
    }
    for (k, v) in Pairs::new(message) {
        // A name that holds an escaped quote is kept as written.
        f.take(k, v);
    }
    !f.action.is_empty()
}

/// `Keycloak 26.4.2 on JVM … started in 9.1s`: sessions held in memory are gone.
fn restart(message: &str, e: &mut Event<'_>) {
    if message.starts_with("Keycloak ") && message.contains(" started in ") {
        e.verb = Verb::Restart;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn professional_numbers_are_told_from_names() {
        assert!(is_rpps("10101234567") && is_rpps("810101234567"));
        assert!(!is_rpps("1010123456") && !is_rpps("910101234567") && !is_rpps("m.dupont"));
    }
}
