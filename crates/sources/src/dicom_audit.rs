//! DICOM audit messages (ATNA): XML of DICOM PS3.15 §A.5 and RFC 3881, bare or inside syslog (RFC 5424, RFC 3164, octet counting).
//! Times: `EventDateTime`; without an offset it is in the zone of the source. CX identifiers become `urn:oid:OID|id`.
//! Not here: other syslog messages of the same stream; each is a reject, so that nothing disappears.
use crate::{
    Capability, Confidence, Decode, Decoded, Head, Reason, Setting, Source, Standard,
    fhir_auditevent::{self as health, HEALTH},
    scan::{self, Extra, RECORD_MAX, Tag, Xml, XmlStop},
};
use ampleur_event::{Event, Verb, batch::NONE};
use std::borrow::Cow;

pub(crate) struct DicomAudit;

impl Source for DicomAudit {
    fn name(&self) -> &'static str {
        "dicom-audit"
    }
    fn about(&self) -> &'static str {
        "DICOM/ATNA audit messages, bare or in syslog: records opened, queries, exports, logins, emergency access"
    }
    fn standard(&self) -> Standard {
        Standard {
            name: "DICOM PS3.15",
            section: "§A.5",
        }
    }
    fn capability(&self) -> Capability {
        HEALTH
    }
    fn sniff(&self, head: &Head<'_>) -> Confidence {
        let has = |s: &str| memchr::memmem::find(head.bytes, s.as_bytes()).is_some();
        if has("<AuditMessage") && (has("<EventIdentification") || has("EventDateTime")) {
            Confidence::Certain
        } else if has("IHE+RFC-3881") || has("DICOM+RFC3881") {
            Confidence::Likely
        } else {
            Confidence::No
        }
    }
    fn open(&self, _head: &Head<'_>, setting: &Setting) -> Box<dyn Decode> {
        Box::new(Decoder {
            setting: setting.clone(),
            skipping: false,
            fresh: true,
        })
    }
}

/// Attributes of the elements that matter, raw.
#[derive(Default)]
struct Message<'a> {
    action: &'a str,
    time: &'a str,
    outcome: &'a str,
    id: &'a str,
    types: Vec<&'a str>,
    purposes: Vec<&'a str>,
    people: Vec<Participant<'a>>,
    source: &'a str,
    site: &'a str,
    objects: Vec<Object<'a>>,
}

#[derive(Default)]
struct Participant<'a> {
    id: &'a str,
    alternative: &'a str,
    name: &'a str,
    asks: bool,
    address: &'a str,
    address_type: &'a str,
    roles: Vec<&'a str>,
}

#[derive(Default)]
struct Object<'a> {
    id: &'a str,
    kind: &'a str,
    role: &'a str,
    id_type: &'a str,
    query: &'a str,
    total: &'a str,
    request: &'a str,
}

/// A coded value: `csd-code` of DICOM or `code` of RFC 3881.
fn code(raw: &str) -> &str {
    let c = scan::attribute(raw, "csd-code");
    if c.is_empty() {
        scan::attribute(raw, "code")
    } else {
        c
    }
}

/// Lists longer than this are cut; a real message has a handful.
const MANY: usize = 10_000;

/// Reads as much of a message as there is. The error tells why it is not whole.
fn read(text: &str) -> (Message<'_>, Result<(), XmlStop>) {
    let mut m = Message::default();
    let mut x = Xml::new(text);
    let mut depth = 0usize;
    let mut in_query = false;
    loop {
        let tag = match x.next() {
            Ok(Some(t)) => t,
            Ok(None) => return (m, Err(XmlStop::Truncated)),
            Err(stop) => return (m, Err(stop)),
        };
        match tag {
            Tag::Open(name, raw, closed) => {
                if depth == 0 && name != "AuditMessage" {
                    return (m, Err(XmlStop::Shape));
                }
                depth += usize::from(!closed);
                if depth > 32 {
                    return (m, Err(XmlStop::Shape));
                }
                // An entity that is not one of XML's own is refused wherever it stands.
                if raw.contains('&') && scan::unescape(raw).is_err() {
                    return (m, Err(XmlStop::Forbidden));
                }
                in_query = false;
                match name {
                    "EventIdentification" => {
                        for (k, v) in scan::attributes(raw) {
                            match k {
                                "EventActionCode" => m.action = v,
                                "EventDateTime" => m.time = v,
                                "EventOutcomeIndicator" => m.outcome = v,
                                _ => {}
                            }
                        }
                    }
                    "EventID" => m.id = code(raw),
                    "EventTypeCode" if m.types.len() < MANY => m.types.push(code(raw)),
                    "PurposeOfUse" if m.purposes.len() < MANY => m.purposes.push(code(raw)),
                    "ActiveParticipant" if m.people.len() < MANY => {
                        let mut p = Participant::default();
                        for (k, v) in scan::attributes(raw) {
                            match k {
                                "UserID" => p.id = v,
                                "AlternativeUserID" => p.alternative = v,
                                "UserName" => p.name = v,
                                "UserIsRequestor" => {
                                    p.asks = v.eq_ignore_ascii_case("true") || v == "1"
                                }
                                "NetworkAccessPointID" => p.address = v,
                                "NetworkAccessPointTypeCode" => p.address_type = v,
                                _ => {}
                            }
                        }
                        m.people.push(p);
                    }
                    "RoleIDCode" => {
                        if let Some(p) = m.people.last_mut().filter(|p| p.roles.len() < MANY) {
                            p.roles.push(code(raw));
                        }
                    }
                    "AuditSourceIdentification" => {
                        m.source = scan::attribute(raw, "AuditSourceID");
                        m.site = scan::attribute(raw, "AuditEnterpriseSiteID");
                    }
                    "ParticipantObjectIdentification" if m.objects.len() < MANY => {
                        let mut o = Object::default();
                        for (k, v) in scan::attributes(raw) {
                            match k {
                                "ParticipantObjectID" => o.id = v,
                                "ParticipantObjectTypeCode" => o.kind = v,
                                "ParticipantObjectTypeCodeRole" => o.role = v,
                                _ => {}
                            }
                        }
                        m.objects.push(o);
                    }
                    "ParticipantObjectIDTypeCode" => {
                        if let Some(o) = m.objects.last_mut() {
                            o.id_type = code(raw);
                        }
                    }
                    "ParticipantObjectQuery" => in_query = true,
                    "ParticipantObjectDetail" => {
                        if let Some(o) = m.objects.last_mut() {
                            match scan::attribute(raw, "type") {
                                "total" | "count" => o.total = scan::attribute(raw, "value"),
                                "X-Request-Id" | "XrequestId" | "TraceId" => {
                                    o.request = scan::attribute(raw, "value")
                                }
                                _ => {}
                            }
                        }
                    }
                    _ => {}
                }
                if closed && depth == 0 {
                    return (m, Ok(()));
                }
            }
            Tag::Text(raw) | Tag::Literal(raw) => {
                if in_query && let Some(o) = m.objects.last_mut() {
                    o.query = raw;
                }
                if raw.contains('&') && scan::unescape(raw).is_err() {
                    return (m, Err(XmlStop::Forbidden));
                }
            }
            Tag::Close(_) => {
                in_query = false;
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return (m, Ok(()));
                }
            }
        }
    }
}

fn plain(raw: &str) -> Cow<'_, str> {
    scan::unescape(raw).unwrap_or(Cow::Borrowed(raw))
}

impl<'a> Message<'a> {
    fn user(&self) -> Option<&Participant<'a>> {
        self.people
            .iter()
            .find(|p| p.asks && !p.id.is_empty())
            .or_else(|| self.people.iter().find(|p| p.asks && !p.name.is_empty()))
            .or_else(|| self.people.iter().find(|p| !p.id.is_empty()))
    }
    /// The client's address: the requestor's own, else another requestor's, else that of the source of the request.
    fn client(&self) -> Option<&Participant<'a>> {
        let ip = |p: &&Participant<'a>| {
            matches!(p.address_type, "2" | "") && scan::is_address(scan::address(p.address))
        };
        self.user()
            .filter(ip)
            .or_else(|| self.people.iter().filter(|p| p.asks).find(ip))
            .or_else(|| {
                let client = |p: &&Participant<'a>| p.roles.contains(&"110153");
                self.people.iter().filter(client).find(ip)
            })
    }
}

fn event<'a>(m: &Message<'a>, header: &str, setting: &Setting) -> Result<Event<'a>, Reason> {
    let mut e = Event::default();
    if m.time.is_empty() {
        return Err(Reason::Field("EventDateTime"));
    }
    if m.id.is_empty() {
        return Err(Reason::Field("EventID"));
    }
    scan::stamp(m.time, setting)
        .ok_or(Reason::Time)?
        .put(&mut e);
    let mut x = Extra::default();
    e.action = plain(
        m.types
            .iter()
            .copied()
            .find(|t| !t.is_empty())
            .unwrap_or(m.id),
    );
    x.put("class", &plain(m.id));
    e.code = m.id.parse().unwrap_or(NONE);
    e.outcome = health::health_outcome(m.outcome);
    let mut subjects = String::new();
    let mut objects = String::new();
    let mut asked = None;
    for o in &m.objects {
        if !o.query.trim().is_empty() && asked.is_none() {
            let text = plain(o.query);
            let text = health::base64_text(text.trim()).unwrap_or_else(|| text.into_owned());
            asked = Some(health::asked(&text));
        }
        if !o.total.is_empty() {
            let t = plain(o.total);
            e.count = t
                .parse::<u64>()
                .ok()
                .or_else(|| health::base64_text(&t)?.trim().parse().ok())
                .unwrap_or(NONE);
        }
        if !o.request.is_empty() {
            let t = plain(o.request);
            e.request_id = Cow::Owned(health::base64_text(&t).unwrap_or_else(|| t.into_owned()));
        }
        let id = plain(o.id);
        if (o.kind == "1" && matches!(o.role, "1" | "")) || id.starts_with("Patient/") {
            health::add(&mut subjects, &health::patient_id(&id));
            if e.patient.is_empty() {
                e.patient = id;
            }
        } else if o.role != "24" {
            health::add(&mut objects, &id);
        }
    }
    e.verb = health::health_verb(
        m.id,
        m.types.iter().copied(),
        m.action,
        asked.as_ref().map_or("", |q| &q.url),
        asked.is_some(),
    );
    if let Some(q) = asked {
        e.http_method = Cow::Owned(q.method);
        e.url = Cow::Owned(q.url);
        e.query = Cow::Owned(q.criteria);
    }
    e.subjects = Cow::Owned(subjects);
    e.object = Cow::Owned(objects);
    if let Some(u) = m.user() {
        e.user = plain(if u.id.is_empty() { u.name } else { u.id });
        if matches!(&*e.user, "unknown" | "UNKNOWN" | "-") {
            e.user = Cow::Borrowed("");
        }
        // XUA: `alias<user@issuer>` names the person and who vouches for them.
        let name = plain(u.name);
        if name != e.user {
            e.user_name = name;
        }
        e.system = health::user_system(&e.user, "", setting);
        for r in &u.roles {
            if !r.starts_with("1101") {
                x.put("role", &plain(r));
            }
        }
        if u.address_type == "1" {
            e.device = plain(u.address);
        }
    }
    if let Some(c) = m.client() {
        e.src_ip = Cow::Owned(scan::address(&plain(c.address)).to_string());
    }
    let server = m
        .people
        .iter()
        .find(|p| !p.asks && p.roles.contains(&"110152"));
    if let Some(s) = server {
        x.put("server", &plain(s.id));
    }
    if let Some(app) = m
        .people
        .iter()
        .find(|p| !p.asks && p.roles.iter().any(|r| matches!(*r, "110150" | "110153")))
    {
        e.process = plain(app.id);
    }
    let mut why = String::new();
    for p in &m.purposes {
        health::add(&mut why, &plain(p));
    }
    e.reason = Cow::Owned(why.replace('\n', " "));
    e.host = plain(m.source);
    x.put("site", &plain(m.site));
    if let Some(declared) = syslog_time(header) {
        x.put("declared", declared);
    }
    if e.verb == Verb::Restart && m.types.contains(&"110121") {
        // An application that stops does not begin a new life of its ids.
        e.verb = Verb::Other;
    }
    e.extra = x.done();
    Ok(e)
}

/// The timestamp word of an RFC 5424 header.
fn syslog_time(header: &str) -> Option<&str> {
    let after = header.split_once('>')?.1;
    let mut words = after.split(' ');
    let version = words.next()?;
    if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    words.next().filter(|w| *w != "-")
}

struct Decoder {
    setting: Setting,
    skipping: bool,
    /// False on what is left of the line a message ended on: it is no blank line.
    fresh: bool,
}

const OPEN: &[u8] = b"<AuditMessage";
const CLOSE: &[u8] = b"</AuditMessage>";

/// Where a line says a new record begins.
fn syslog_start(line: &[u8]) -> bool {
    let mut i = line.iter().take_while(|b| b.is_ascii_digit()).count();
    if i > 0 {
        if i > 8 || line.get(i) != Some(&b' ') {
            return false;
        }
        i += 1;
    }
    let Some(rest) = line.get(i..).and_then(|r| r.strip_prefix(b"<")) else {
        return false;
    };
    let n = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    (1..=3).contains(&n) && rest.get(n) == Some(&b'>')
}

fn find(b: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(b, what)
}

/// End of the record that starts at `p`, and whether it is whole. `None`: more bytes are needed.
///
/// A line is judged by its bytes up to the first closing tag only, so that the answer is the same whether the rest of a stream
/// without line ends has arrived or not.
fn extent(b: &[u8], p: usize, last: bool) -> Option<(usize, bool)> {
    let mut line = p;
    let (mut open, mut declared) = (false, false);
    loop {
        let eol = memchr::memchr(b'\n', &b[line..]).map(|i| line + i);
        let end = eol.unwrap_or(b.len());
        let close = find(&b[line..end], CLOSE).map(|i| line + i + CLOSE.len());
        if eol.is_none() && close.is_none() && !last {
            return None;
        }
        let text = &b[line..close.unwrap_or(end)];
        let message = find(text, OPEN);
        let xml = find(text, b"<?xml").is_some();
        if line > p {
            // Does this line begin another record?
            let again = declared || open;
            if syslog_start(text)
                || (text.starts_with(b"<?xml") && again)
                || (message.is_some() && open)
            {
                return Some((line, false));
            }
        }
        declared |= xml;
        let mut from = 0;
        if !open && let Some(i) = message {
            open = true;
            from = i + 1;
        }
        if open && let Some(i) = find(&text[from..], OPEN) {
            // A second message before the first one ended: cut where its header or declaration starts.
            let between = &text[from..from + i];
            let header = (0..between.len())
                .rev()
                .find(|k| between[*k] == b'<' && syslog_start(&between[*k..]))
                .map(|mut k| {
                    // The length of octet counting stands before the header.
                    if k > 1 && between[k - 1] == b' ' && between[k - 2].is_ascii_digit() {
                        k -= 1;
                        while k > 0 && between[k - 1].is_ascii_digit() {
                            k -= 1;
                        }
                    }
                    k
                });
            let cut = header
                .or_else(|| memchr::memmem::rfind(between, b"<?xml"))
                .unwrap_or(i);
            return Some(((line + from + cut).max(p + 1), false));
        }
        if let Some(c) = close {
            return Some((c, open));
        }
        // A first line that is neither a header nor XML stands alone.
        if line == p && !open && !declared && !syslog_start(text) && !looks_like_header(text) {
            return Some((end, false));
        }
        match eol {
            Some(e) => line = e + 1,
            None => return Some((b.len(), false)),
        }
        if !open && !declared {
            // A header may stand on a line of its own, but only right before its XML.
            let mut i = line;
            while i < b.len() && matches!(b[i], b' ' | b'\t' | 0xEF | 0xBB | 0xBF) {
                i += 1;
            }
            let rest = &b[i..];
            let near = |w: &[u8]| rest.starts_with(w) || (!last && w.starts_with(rest));
            if !near(b"<?xml") && !near(OPEN) {
                return Some((end, false));
            }
            if rest.len() < OPEN.len() && !last && !rest.starts_with(b"<?xml") {
                return None;
            }
        }
        if line >= b.len() {
            return last.then_some((b.len(), false));
        }
    }
}

/// RFC 3164 without priority: `Sep  5 02:14:07 host …`.
fn looks_like_header(line: &[u8]) -> bool {
    std::str::from_utf8(line.get(..15).unwrap_or(line))
        .ok()
        .is_some_and(|t| scan::stamp_bsd(t, &Setting::default()).is_some())
}

impl Decoder {
    fn one(&self, bytes: &[u8], p: usize, end: usize, complete: bool, out: &mut Decoded) {
        let setting = &self.setting;
        let mut len = end - p;
        while len > 0 && bytes[p + len - 1].is_ascii_whitespace() {
            len -= 1;
        }
        let record = scan::text(&bytes[p..p + len]);
        let start = record
            .find("<?xml")
            .or_else(|| record.find("<AuditMessage"));
        let Some(start) = start else {
            let reason = if complete || !syslog_start(record.as_bytes()) {
                Reason::Shape
            } else if record.contains("RFC-3881") || record.contains("RFC3881") {
                Reason::Truncated
            } else {
                Reason::Shape
            };
            let time = syslog_time(&record)
                .and_then(|t| scan::stamp(t, setting))
                .map(|s| s.time);
            return out.reject_at(bytes, p, len, reason, time);
        };
        let header = &record[..start];
        let (m, result) = read(&record[start..]);
        let reason = match result {
            Ok(()) => match event(&m, header, setting) {
                Ok(e) => return out.event(e, p, len),
                Err(reason) => reason,
            },
            Err(stop) => stop.reason(),
        };
        // What could be read of a broken message is kept with the reject: it may be compatible with an intruder session.
        let time = scan::stamp(m.time, setting)
            .or_else(|| scan::stamp(syslog_time(header)?, setting))
            .map(|s| s.time);
        out.reject_at(bytes, p, len, reason, time);
        if let Some(r) = out.rejects.last_mut() {
            let mut s = String::new();
            for (k, v) in [
                ("user", m.user().map_or("", |u| u.id)),
                ("address", m.client().map_or("", |c| c.address)),
                ("event", m.id),
                ("action", m.action),
                ("host", m.source),
            ] {
                if !v.is_empty() {
                    s.push_str(k);
                    s.push('=');
                    s.push_str(&plain(v));
                    s.push(' ');
                }
            }
            if !s.is_empty() {
                s.push_str(&r.readable);
                let mut cut = s.len().min(512);
                while !s.is_char_boundary(cut) {
                    cut -= 1;
                }
                s.truncate(cut);
                r.readable = s;
            }
        }
    }
}

impl Decode for Decoder {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        if out.base == 0 && !last && bytes.len() < 3 {
            return 0;
        }
        let mut at = scan::mark(bytes, out.base);
        while at < bytes.len() {
            if self.skipping {
                match memchr::memchr(b'\n', &bytes[at..]) {
                    Some(i) => {
                        at += i + 1;
                        self.skipping = false;
                        continue;
                    }
                    None => return bytes.len(),
                }
            }
            let b = bytes[at];
            if b.is_ascii_whitespace() {
                let eol = memchr::memchr(b'\n', &bytes[at..]).map(|i| at + i);
                let end = eol.unwrap_or(bytes.len());
                if bytes[at..end].iter().all(u8::is_ascii_whitespace) {
                    if eol.is_none() && !last {
                        return at;
                    }
                    if std::mem::replace(&mut self.fresh, true) {
                        out.skip();
                    }
                    at = eol.map_or(bytes.len(), |e| e + 1);
                    continue;
                }
                at += 1;
                continue;
            }
            if b == b'#' && self.fresh {
                let eol = memchr::memchr(b'\n', &bytes[at..]).map(|i| at + i);
                if eol.is_none() && !last {
                    return at;
                }
                out.skip();
                at = eol.map_or(bytes.len(), |e| e + 1);
                continue;
            }
            match extent(bytes, at, last) {
                Some((end, complete)) => {
                    let end = end.max(at + 1).min(bytes.len());
                    self.one(bytes, at, end, complete, out);
                    self.fresh = bytes[end - 1] == b'\n';
                    at = end;
                }
                None if bytes.len() - at > RECORD_MAX => {
                    out.reject(bytes, at, RECORD_MAX, Reason::TooLong);
                    self.skipping = true;
                    return bytes.len();
                }
                None => return at,
            }
        }
        at
    }
}
