//! Names of Sigma, ECS and Windows → our columns, and an event as the engine asks it.
use ampleur_event::{Event, batch::NONE};
use rsigma_eval::EventValue;
use std::borrow::Cow;

macro_rules! fields {
    (text { $($t:ident: $($tn:literal)|+;)+ } number { $($n:ident: $($nn:literal)|+;)+ }) => {
        /// Text columns and the names rules may call them by.
        pub const TEXTS: &[(&str, &[&str])] = &[$((stringify!($t), &[$($tn),+]),)+];
        /// Number columns and the names rules may call them by.
        pub const NUMBERS: &[(&str, &[&str])] = &[$((stringify!($n), &[$($nn),+]),)+];

        /// Reads one text column; in the order of [`TEXTS`].
        pub(crate) const READ: &[for<'e> fn(&'e Event<'_>) -> &'e str] = &[$({
            fn read<'e>(e: &'e Event<'_>) -> &'e str { &e.$t }
            read
        },)+ extra];

        fn value<'e>(e: &'e Event<'_>, name: &str) -> Option<EventValue<'e>> {
            match name {
                $($($tn)|+ => some(&e.$t),)+
                $($($nn)|+ => (e.$n != NONE).then(|| EventValue::Int(i64::try_from(e.$n).unwrap_or(i64::MAX))),)+
                _ => None,
            }
        }
        fn column(name: &str) -> bool { matches!(name, $($($tn)|+)|+ $(| $($nn)|+)+) }
    };
}

fields! {
    text {
        action: "action" | "event.action" | "type";
        user: "user" | "user.name" | "User" | "TargetUserName" | "SubjectUserName" | "username";
        domain: "domain" | "user.domain" | "TargetDomainName" | "SubjectDomainName";
        user_id: "user_id" | "user.id" | "TargetUserSid" | "SubjectUserSid";
        target: "target" | "user.target.name";
        src_ip: "src_ip" | "source.ip" | "client.ip" | "IpAddress" | "SourceIp" | "c-ip" | "srcip" | "remip" | "ipAddress";
        dst_ip: "dst_ip" | "destination.ip" | "DestinationIp" | "dstip";
        inner_ip: "inner_ip" | "tunnelip";
        src_country: "src_country" | "source.geo.country_iso_code" | "srccountry";
        session_id: "session_id" | "TargetLogonId" | "SubjectLogonId" | "sessionId";
        device: "device" | "user_agent.original" | "c-useragent" | "WorkstationName";
        host: "host" | "host.name" | "Computer" | "cs-host";
        process: "process" | "process.name" | "ProcessName" | "clientId";
        http_method: "http_method" | "http.request.method" | "cs-method";
        url: "url" | "url.original" | "cs-uri" | "c-uri" | "cs-uri-query" | "cs-uri-stem";
        query: "query" | "db.statement";
        file_path: "file_path" | "file.path" | "RelativeTargetName";
        share: "share" | "ShareName";
        object: "object" | "ObjectName";
        reason: "reason" | "error";
    }
    number {
        src_port: "src_port" | "source.port" | "IpPort";
        dst_port: "dst_port" | "destination.port" | "DestinationPort";
        bytes_in: "bytes_in" | "source.bytes";
        bytes_out: "bytes_out" | "destination.bytes" | "sc-bytes";
        status: "status" | "http.response.status_code" | "sc-status";
        count: "count";
        duration_ms: "duration_ms";
        code: "code" | "EventID" | "event.code" | "logid";
        mask: "mask" | "AccessMask";
        logon_type: "logon_type" | "LogonType";
    }
}

fn extra<'e>(e: &'e Event<'_>) -> &'e str {
    &e.extra
}

/// Place in [`READ`] of the column whose text holds the field's text whenever the field has any.
pub(crate) fn holder(name: &str) -> Option<usize> {
    if name.starts_with("extra.") {
        return Some(TEXTS.len());
    }
    TEXTS.iter().position(|(_, names)| names.contains(&name))
}

/// True for a name of the source's own event code.
pub(crate) fn is_code(name: &str) -> bool {
    let codes = NUMBERS.iter().find(|(column, _)| *column == "code");
    codes.is_some_and(|(_, names)| names.contains(&name))
}

/// True for a field that may hold an identifier of a person or what was asked about one; it is never written in clear.
pub fn delicate(name: &str) -> bool {
    let column = |n: &&(&str, &[&str])| n.1.contains(&name);
    match TEXTS.iter().find(column) {
        Some((column, _)) => matches!(
            *column,
            "target" | "url" | "query" | "file_path" | "object" | "reason"
        ),
        None => name == "subjects" || name.starts_with("extra."),
    }
}

fn some(text: &str) -> Option<EventValue<'_>> {
    (!text.is_empty()).then_some(EventValue::Str(Cow::Borrowed(text)))
}

/// True when a rule may ask for this field.
pub fn known(name: &str) -> bool {
    column(name)
        || matches!(
            name,
            "verb" | "outcome" | "event.outcome" | "system" | "source" | "subjects"
        )
        || name.starts_with("extra.")
}

/// One event of one source, as rules see it.
pub struct Row<'a> {
    pub source: &'a str,
    pub event: &'a Event<'a>,
}

impl rsigma_eval::Event for Row<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        let e = self.event;
        match path {
            "verb" => some(e.verb.word()),
            "outcome" | "event.outcome" => some(e.outcome.word()),
            "system" => some(e.system.word()),
            "source" => some(self.source),
            "subjects" => {
                let list: Vec<_> = e.subjects.lines().filter_map(some).collect();
                match list.len() {
                    0 => None,
                    // Alone it can be counted by; a list cannot.
                    1 => list.into_iter().next(),
                    _ => Some(EventValue::Array(list)),
                }
            }
            _ => match path.strip_prefix("extra.") {
                Some(key) => e
                    .extra
                    .lines()
                    .find_map(|l| l.strip_prefix(key)?.strip_prefix('='))
                    .and_then(some),
                None => value(e, path),
            },
        }
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        self.event
            .texts()
            .iter()
            .any(|(_, t)| !t.is_empty() && pred(t))
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let texts = self.event.texts();
        texts
            .into_iter()
            .filter(|(_, t)| !t.is_empty())
            .map(|(_, t)| Cow::Borrowed(t))
            .collect()
    }

    fn to_json(&self) -> serde_json::Value {
        let e = self.event;
        let mut out = serde_json::Map::new();
        out.insert("verb".into(), e.verb.word().into());
        out.insert("outcome".into(), e.outcome.word().into());
        out.insert("system".into(), e.system.word().into());
        out.insert("source".into(), self.source.into());
        for (name, text) in e.texts().into_iter().filter(|(_, t)| !t.is_empty()) {
            out.insert(name.into(), text.into());
        }
        for (name, n) in e.numbers().into_iter().filter(|(_, n)| *n != NONE) {
            out.insert(name.into(), n.into());
        }
        serde_json::Value::Object(out)
    }
}
