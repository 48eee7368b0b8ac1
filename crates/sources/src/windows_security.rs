//! Windows events: EVTX files, event XML, the JSON of Winlogbeat, Elastic Agent, NXLog, Azure diagnostics, EvtxECmd, Chainsaw,
//! Velociraptor and PowerShell, rows of their tables (`tables.rs`) and blocks of text (`windows_blocks.rs`).
//! Standard: MS-EVEN6 §2.2.13 (event schema), MS-EVTX file layout; meaning of fields per event as in Microsoft's "Audit" reference.
//! Times: UTC in EVTX, XML and Winlogbeat; NXLog `EventTime` is the host's local time and uses the zone of the source.
//! The text of `Message`, which is localised and repeats the fields, is read only where nothing else has them (`windows_text.rs`).
use crate::{
    Capability, Confidence, Decode, Decoded, Head, Reason, Setting, Source, Standard,
    scan::{self, Elements, Extra, Pairs, Seen, Stamp, Tag, Values, Xml, XmlStop},
    tables, windows_blocks,
    windows_shape::Shapes,
    windows_text,
};
use ampleur_event::{
    Event, GapSign, Outcome, Proof, Silence, System, TimeNote, Verb,
    batch::NONE,
    time::{HOUR, MINUTE},
};
use std::{borrow::Cow, cell::Cell, sync::Arc};

pub(crate) struct WindowsSecurity;

impl Source for WindowsSecurity {
    fn name(&self) -> &'static str {
        "windows-security"
    }
    fn about(&self) -> &'static str {
        "Windows event log (EVTX, event XML, Winlogbeat/NXLog JSON): logons, Kerberos, shares, files, audit policy"
    }
    fn standard(&self) -> Standard {
        Standard {
            name: "MS-EVEN6",
            section: "§2.2.13",
        }
    }
    fn capability(&self) -> Capability {
        Capability {
            rows: &[
                (Verb::Login, Proof::Presence),
                (Verb::Logout, Proof::Presence),
                (Verb::Token, Proof::Presence),
                (Verb::Disconnect, Proof::Presence),
                (Verb::ShareConnect, Proof::Presence),
                (Verb::FileRead, Proof::Access),
                (Verb::FileList, Proof::Access),
                (Verb::FileWrite, Proof::Change),
                (Verb::FileDelete, Proof::Change),
                (Verb::FileRename, Proof::Change),
                (Verb::Process, Proof::Attempt),
                (Verb::TunnelUp, Proof::Presence),
                (Verb::TunnelDown, Proof::Presence),
                (Verb::Query, Proof::Question),
                (Verb::Create, Proof::Change),
                (Verb::Update, Proof::Change),
                (Verb::Delete, Proof::Change),
                (Verb::Config, Proof::Change),
                (Verb::AuditOff, Proof::Health),
                (Verb::AuditOn, Proof::Health),
                (Verb::AuditClear, Proof::Health),
                (Verb::Restart, Proof::Health),
            ],
            // Object auditing is switched on per folder and per policy; only the operator knows where.
            silence: Silence::Nothing,
            names_results: false,
            gap: GapSign::SequencePerHost,
        }
    }
    fn sniff(&self, head: &Head<'_>) -> Confidence {
        let b = head.bytes;
        if b.starts_with(b"ElfFile\0") {
            return Confidence::Certain;
        }
        let has = |s: &str| memchr::memmem::find(b, s.as_bytes()).is_some();
        if windows_blocks::claims(b) {
            return Confidence::Certain;
        }
        let start = scan::past_space(b, if b.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 });
        match b.get(start) {
            Some(b'<') if has("schemas.microsoft.com/win/2004/08/events/event") => {
                Confidence::Certain
            }
            Some(b'<') if has("<EventID>") && NETAPP.iter().any(|n| has(n)) => Confidence::Certain,
            Some(b'<') if has("<EventRecordID>") && has("<EventID") => Confidence::Likely,
            Some(b'{') if has("\"winlog\"") || has("\"winlog.") => Confidence::Certain,
            Some(b'{')
                if (has("\"EventID\"") || has("\"EventId\""))
                    && (has("Microsoft-Windows-") || has("\"Channel\"") || has("\"RawXml\"")) =>
            {
                Confidence::Certain
            }
            Some(b'{')
                if has("\"Id\"")
                    && has("\"Message\"")
                    && (has("Security ID:") || has("ID de sécurité")) =>
            {
                Confidence::Likely
            }
            // PowerShell's names.
            Some(b'{')
                if has("\"Id\"")
                    && (has("\"ProviderName\"") || has("\"LogName\""))
                    && (has("Microsoft-Windows-") || has("\"Security\"")) =>
            {
                Confidence::Likely
            }
            _ => Confidence::No,
        }
    }
    fn open(&self, head: &Head<'_>, setting: &Setting) -> Box<dyn Decode> {
        let b = head.bytes;
        if b.starts_with(b"ElfFile\0") {
            return Box::new(Evtx {
                setting: setting.clone(),
                shapes: Shapes::default(),
                header: false,
                render: Arc::new(evtx::ParserSettings::new().num_threads(1).indent(false)),
            });
        }
        if windows_blocks::claims(b) {
            return Box::new(windows_blocks::Blocks {
                setting: setting.clone(),
            });
        }
        let start = scan::past_space(b, if b.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 });
        if b.get(start) == Some(&b'{') {
            Box::new(Json {
                setting: setting.clone(),
                shapes: Shapes::default(),
                values: Values::new(""),
            })
        } else {
            Box::new(EventXml {
                setting: setting.clone(),
                shapes: Shapes::default(),
                elements: Elements::new("<Event", "</Event>"),
            })
        }
    }
}

/// What one event says, whatever carried it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Fields<'a> {
    pub provider: Cow<'a, str>,
    pub id: Cow<'a, str>,
    /// What the shipper calls it, in a field of the record (`event.action`).
    pub action: Cow<'a, str>,
    pub record: Cow<'a, str>,
    pub time: Cow<'a, str>,
    /// Local time of the host, when `time` is only the time of receipt.
    pub local: Cow<'a, str>,
    pub computer: Cow<'a, str>,
    pub keywords: Cow<'a, str>,
    pub channel: Cow<'a, str>,
    pub pid: Cow<'a, str>,
    /// Of the account the record was written under: a service's, unless the event names nobody else.
    pub user_id: Cow<'a, str>,
    /// A value without a name is called `param` and its place, as Winlogbeat does.
    pub data: Pairs<'a>,
    /// The marks of all names in `data`, once nothing is added to it; 0 before. Most names asked for are not there.
    marks: Cell<u64>,
}

/// One of 64 bits for a name.
#[inline]
fn mark(name: &str) -> u64 {
    let b = name.as_bytes();
    match (b.first(), b.last()) {
        (Some(first), Some(last)) => {
            1 << ((b.len() + 5 * usize::from(*first) + 11 * usize::from(*last)) % 64)
        }
        _ => u64::MAX,
    }
}

impl<'a> Fields<'a> {
    /// The first value that says something: not empty and not a dash.
    fn get(&self, names: &[&str]) -> Cow<'a, str> {
        let marks = self.marks.get();
        for name in names {
            if marks != 0 && marks & mark(name) == 0 {
                continue;
            }
            if let Some((_, v)) = self.data.iter().find(|(k, _)| k == name) {
                let t = v.trim();
                if !t.is_empty() && t != "-" {
                    return if t.len() == v.len() {
                        v.clone()
                    } else {
                        Cow::Owned(t.to_string())
                    };
                }
            }
        }
        Cow::Borrowed("")
    }
}

pub(crate) fn number(text: &str) -> u64 {
    let t = text.trim();
    match t.strip_prefix("0x").or_else(|| t.strip_prefix("0X")) {
        Some(h) => u64::from_str_radix(h, 16).unwrap_or(NONE),
        None => t
            .parse::<u64>()
            .or_else(|_| t.parse::<i64>().map(|v| v as u64))
            .unwrap_or(NONE),
    }
}

/// LogonId in lower-case hex; the null id is no id.
fn logon(text: Cow<'_, str>) -> Cow<'_, str> {
    if text == "0x0" || text == "0" {
        return Cow::Borrowed("");
    }
    if text.starts_with("0x") && !text.bytes().any(|b| b.is_ascii_uppercase()) {
        return text;
    }
    let n = number(&text);
    if n == NONE {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Owned(format!("{n:#x}"))
    }
}

const READ_DATA: u64 = 0x1 | 0x8000_0000 | 0x1000_0000;
const WRITE_DATA: u64 = 0x2 | 0x4 | 0x4000_0000;
const WRITE_OTHER: u64 = 0x10 | 0x100 | 0x4_0000 | 0x8_0000;
const DELETE: u64 = 0x1_0000 | 0x40;

/// What a mask on a file lets the opener do; the strongest reading wins, because a read may show data.
fn file_verb(mask: u64, access_list: &str) -> Verb {
    let list = |code: &str| access_list.contains(code);
    let known = mask != NONE;
    if (known && mask & READ_DATA != 0) || (!known && (list("%%4416") || list("ReadData"))) {
        Verb::FileRead
    } else if (known && mask & WRITE_DATA != 0)
        || (!known && (list("%%4417") || list("%%4418") || list("WriteData")))
    {
        Verb::FileWrite
    } else if (known && mask & DELETE != 0) || (!known && (list("%%1537") || list("DELETE"))) {
        Verb::FileDelete
    } else if known && mask & WRITE_OTHER != 0 {
        Verb::FileWrite
    } else {
        Verb::FileList
    }
}

fn verb_of(id: u64) -> Verb {
    match id {
        4624 | 4625 | 4648 | 4768 | 4771 | 4772 | 4776 | 4777 | 4778 | 6272 | 6273 => Verb::Login,
        4634 | 4647 => Verb::Logout,
        4779 => Verb::Disconnect,
        4769 | 4770 | 4773 => Verb::Token,
        4688 => Verb::Process,
        5140 => Verb::ShareConnect,
        4660 => Verb::FileDelete,
        4719 | 4912 | 1100 | 1104 => Verb::AuditOff,
        1102 => Verb::AuditClear,
        4608 | 4609 => Verb::Restart,
        4616
        | 4670
        | 4697..=4702
        | 4703..=4707
        | 4713..=4718
        | 4720..=4767
        | 4780..=4794
        | 4904..=4909
        | 4946..=4958
        | 5136..=5139
        | 5141..=5144 => Verb::Config,
        _ => Verb::Other,
    }
}

/// Members came into a group or left it.
fn is_membership(id: u64) -> bool {
    matches!(
        id,
        4728 | 4729 | 4732 | 4733 | 4746 | 4747 | 4751 | 4752 | 4756 | 4757 | 4761 | 4762 | 4785
            ..=4788
    )
}

/// The instant: an explicit one, or the host's local time in the declared zone, or the local time moved by the whole
/// quarter hours that separate it from the explicit time of receipt.
fn instant(f: &Fields<'_>, setting: &Setting) -> Option<Stamp> {
    let utc = f.get(&["UtcTime"]);
    if !utc.is_empty() && !f.local.is_empty() && f.provider.ends_with("Sysmon") {
        // Sysmon writes its own field in UTC, without saying so in the value.
        if let Some(s) = scan::stamp(&format!("{utc}Z"), setting) {
            return Some(s);
        }
    }
    let stamp = |text: &str| {
        scan::stamp(text, setting).or_else(|| scan::stamp(&tables::instant(text)?, setting))
    };
    let explicit = stamp(&f.time);
    if f.local.is_empty() {
        return explicit;
    }
    let local = stamp(&f.local)?;
    if local.note == TimeNote::Explicit || setting.zone.is_some() {
        return Some(local);
    }
    match explicit {
        Some(received) if received.note == TimeNote::Explicit => {
            let quarter = 15 * MINUTE;
            let away = received.time.saturating_sub(local.time);
            let zone = (away + quarter / 2).div_euclid(quarter) * quarter;
            if zone.abs() <= 14 * HOUR && (away - zone).abs() <= 7 * MINUTE {
                Some(Stamp {
                    time: local.time + zone,
                    note: TimeNote::Zoned,
                    ..local
                })
            } else {
                Some(local)
            }
        }
        _ => Some(local),
    }
}

pub(crate) fn is_security(f: &Fields<'_>) -> bool {
    f.channel.eq_ignore_ascii_case("Security")
        || f.provider == "Microsoft-Windows-Security-Auditing"
        || f.provider == "Microsoft-Windows-Eventlog"
        || f.provider == "Security"
        || f.provider.starts_with("Microsoft Windows security")
        || (f.channel.is_empty() && f.provider.is_empty())
}

pub(crate) fn event<'a>(f: &Fields<'a>, setting: &Setting) -> Result<Event<'a>, Reason> {
    f.marks
        .set(f.data.iter().fold(0, |all, (name, _)| all | mark(name)));
    let id = number(&f.id);
    if id == NONE && (f.computer.is_empty() || (f.provider.is_empty() && f.channel.is_empty())) {
        return Err(Reason::Field("EventID"));
    }
    if id == 33205
        && let Some((_, text)) = f.data.iter().find(|(_, v)| v.contains(SQL_AUDIT))
        && let Some(e) = sql_audit(f, text, setting)
    {
        return Ok(e);
    }
    let mut e = Event {
        action: if f.action.is_empty() {
            f.id.clone()
        } else {
            f.action.clone()
        },
        system: setting.accounts.unwrap_or(System::Ad),
        code: id,
        seq: number(&f.record),
        host: f.computer.clone(),
        ..Event::default()
    };
    match instant(f, setting) {
        Some(s) => s.put(&mut e),
        None if f.time.is_empty() && f.local.is_empty() => {}
        None => return Err(Reason::Time),
    }
    let security = is_security(f);
    let id = if security { id } else { 0 };
    e.verb = verb_of(id);
    // Every log but Security says so by this event, in the log System.
    let cleared = id == 104 && f.provider == "Microsoft-Windows-Eventlog";
    if cleared {
        e.verb = Verb::AuditClear;
    }
    if id == 4719 {
        // %%8448 success auditing removed, %%8449 added; the other codes are about failures, which show no access.
        let changes = f.get(&["AuditPolicyChanges"]);
        if changes.contains("%%8449") && !changes.contains("%%8448") {
            e.verb = Verb::AuditOn;
        } else if changes.contains("%%845") && !changes.contains("%%8448") {
            e.verb = Verb::Config;
        }
    }
    let mut extra = Extra::default();
    // Whose act it is: the account logged on for logons and Kerberos, the subject for everything else.
    let target_acts = matches!(id, 4624..=4627 | 4634 | 4647 | 4648 | 4768..=4777 | 4964);
    const SUBJECT: [&[&str]; 4] = [
        &[
            "SubjectUserName",
            "user.name",
            "AccountName",
            "UserName",
            "writer.name",
        ],
        &[
            "SubjectDomainName",
            "user.domain",
            "AccountDomain",
            "DomainName",
            "Domain",
            "writer.domain",
        ],
        &["SubjectUserSid", "user.id", "UserSid"],
        &[
            "SubjectLogonId",
            "winlog.logon.id",
            "logon.id",
            "LogonId",
            "LogonID",
        ],
    ];
    const TARGET: [&[&str]; 4] = [
        &["TargetUserName", "user.name", "AccountName", "LogonAccount"],
        &["TargetDomainName", "user.domain", "AccountDomain"],
        &["TargetUserSid", "TargetSid", "user.id"],
        &["TargetLogonId", "winlog.logon.id", "logon.id"],
    ];
    let who = if target_acts { TARGET } else { SUBJECT };
    e.user = f.get(who[0]);
    e.domain = f.get(who[1]);
    e.user_id = f.get(who[2]);
    if e.user_id == "S-1-0-0" {
        e.user_id = Cow::Borrowed("");
    }
    e.session_id = logon(f.get(who[3]));
    if target_acts {
        if id == 4648 {
            // The subject used the credentials of the target; its LogonId is not a session of the target.
            e.session_id = Cow::Borrowed("");
        }
        let subject = f.get(&["SubjectUserName"]);
        if !subject.is_empty() && subject != e.user {
            let domain = f.get(&["SubjectDomainName"]);
            extra.put("subject", &format!("{domain}\\{subject}"));
            extra.put("subject_logon_id", &logon(f.get(&["SubjectLogonId"])));
        }
        let guid = f.get(&["LogonGuid"]).to_ascii_lowercase();
        if guid.bytes().any(|b| b.is_ascii_hexdigit() && b != b'0') {
            extra.put("logon_guid", &guid);
        }
        let linked = logon(f.get(&["TargetLinkedLogonId"]));
        extra.put("linked_logon_id", &linked);
        extra.put(
            "auth_package",
            &f.get(&["AuthenticationPackageName", "PackageName"]),
        );
        extra.put("logon_process", &f.get(&["LogonProcessName"]));
        extra.put("ticket_options", &f.get(&["TicketOptions"]));
        extra.put("ticket_encryption", &f.get(&["TicketEncryptionType"]));
    } else if is_membership(id) {
        // Who came into the group or left it; the group is the object.
        e.target = f.get(&["MemberName", "MemberSid"]);
    } else {
        let target = f.get(&[
            "OldTargetUserName",
            "TargetUserName",
            "MemberName",
            "TargetSid",
        ]);
        if !target.is_empty() && target != e.user {
            let domain = f.get(&["TargetDomainName"]);
            // A lockout names there the machine the wrong passwords came from.
            let domain = if id == 4740 { e.domain.clone() } else { domain };
            e.target = if domain.is_empty() {
                target
            } else {
                Cow::Owned(format!("ad:{domain}\\{target}"))
            };
        }
    }
    e.device = match id {
        4740 => f.get(&["TargetDomainName"]),
        _ => f.get(&["WorkstationName", "Workstation", "ClientName"]),
    };
    if let Some(bare) = e.device.strip_prefix("\\\\") {
        e.device = Cow::Owned(bare.to_string());
    }
    let ip = f.get(&[
        "IpAddress",
        "ClientAddress",
        "SourceAddress",
        "SourceNetworkAddress",
        "SourceIp",
        "SubjectIP",
        "source.ip",
        "Address",
    ]);
    e.src_ip = match scan::address(&ip) {
        a if a.len() == ip.len() => ip,
        a => Cow::Owned(a.to_string()),
    };
    e.src_port = number(&f.get(&["IpPort", "SourcePort", "source.port"]));
    if e.src_port > 65_535 || (e.src_port == 0 && e.verb != Verb::Flow) {
        e.src_port = NONE;
    }
    e.logon_type = number(&f.get(&["LogonType", "logon.type"]));
    // Who writes the log is another process than the one it speaks of.
    let own_pid = match id {
        4688 => f.get(&["NewProcessId"]),
        0 if f.provider.ends_with("Sysmon") => f.get(&["ProcessId"]),
        _ => Cow::Borrowed(""),
    };
    e.pid = number(if own_pid.is_empty() { &f.pid } else { &own_pid });
    e.process = f.get(&[
        "NewProcessName",
        "ProcessName",
        "Image",
        "Application",
        "process.executable",
    ]);
    e.share = f.get(&["ShareName"]);
    extra.put("share_root", &f.get(&["ShareLocalPath"]));
    // What a directory service calls an object is no file.
    if f.get(&["ObjectServer"]) != "DS" {
        e.file_path = f.get(&["RelativeTargetName", "ObjectName"]);
    }
    e.changes = match id {
        5136 => f.get(&["AttributeLDAPDisplayName"]),
        4781 => f.get(&["NewTargetUserName"]),
        _ => Cow::Borrowed(""),
    };
    if id == 4662 {
        // Which rights of the object were used: those of replication give out every secret there is.
        extra.put("properties", &f.get(&["Properties"]));
    }
    e.mask = number(&f.get(&["AccessMask"]));
    e.object = match id {
        5136..=5139 | 5141 => f.get(&["ObjectDN"]),
        5140..=5145 => e.share.clone(),
        4648 => f.get(&["TargetServerName"]),
        4768..=4773 => f.get(&["ServiceName"]),
        4688 => Cow::Borrowed(""),
        1102 => f.channel.clone(),
        104 if cleared => f.get(&["Channel"]),
        4662 => f.get(&["ObjectName", "ObjectType"]),
        _ if is_membership(id) => {
            match (f.get(&["TargetDomainName"]), f.get(&["TargetUserName"])) {
                (domain, group) if domain.is_empty() => group,
                (domain, group) => Cow::Owned(format!("{domain}\\{group}")),
            }
        }
        4719 => f.get(&["SubcategoryGuid", "SubcategoryId"]),
        4697 => f.get(&["ServiceName"]),
        4698..=4702 => f.get(&["TaskName"]),
        _ => f.get(&["ObjectType"]),
    };
    let status = f.get(&["Status"]);
    let sub = f.get(&["SubStatus"]);
    extra.put("status", &status);
    extra.put("substatus", &sub);
    extra.put("object_type", &f.get(&["ObjectType"]));
    extra.put("handle_id", &f.get(&["HandleId"]));
    extra.put("parent_process", &f.get(&["ParentProcessName"]));
    extra.put("command_line", &f.get(&["CommandLine"]));
    extra.put("privileges", &f.get(&["PrivilegeList"]));
    if !f.channel.eq_ignore_ascii_case("Security") {
        extra.put("channel", &f.channel);
    }
    if f.provider != "Microsoft-Windows-Security-Auditing" {
        extra.put("provider", &f.provider);
    }

    // The shipper's word before the bits: some shippers round the keywords to a floating-point number.
    let word = f.get(&["EventType", "event.outcome"]);
    let bits = number(&f.keywords);
    let bit = |mask: u64| bits != NONE && bits & mask != 0;
    let told = |a: &str, b: &str| word == a || f.keywords.contains(b);
    let said = match (
        told("AUDIT_SUCCESS", "Audit Success") || told("SuccessAudit", "Succès de l"),
        told("AUDIT_FAILURE", "Audit Failure") || told("FailureAudit", "chec de l"),
    ) {
        (true, _) => Outcome::Success,
        (_, true) => Outcome::Failure,
        _ if bit(0x0010_0000_0000_0000) => Outcome::Failure,
        _ if bit(0x0020_0000_0000_0000) => Outcome::Success,
        _ => match &*word {
            "success" => Outcome::Success,
            "failure" => Outcome::Failure,
            _ => Outcome::Unknown,
        },
    };
    let bad_status = !status.is_empty() && !matches!(number(&status), 0 | NONE);
    e.outcome = match id {
        4625 | 4771 | 4772 | 4773 | 4777 | 6273 => Outcome::Failure,
        4624 | 4634 | 4647 | 4778 | 4779 | 1102 | 6272 => Outcome::Success,
        104 if cleared => Outcome::Success,
        4768..=4770 | 4776 if bad_status => Outcome::Failure,
        4768..=4770 | 4776 if !status.is_empty() => Outcome::Success,
        _ => said,
    };
    if e.outcome == Outcome::Failure {
        e.reason = if sub.is_empty() || number(&sub) == 0 {
            if status.is_empty() {
                f.get(&["FailureReason", "FailureCode", "ErrorCode"])
            } else {
                status
            }
        } else {
            sub
        };
    }
    let ontap = NETAPP.contains(&f.provider.as_ref());
    if ontap {
        // Its mask is written without saying in which base.
        e.mask = NONE;
    }
    match id {
        5145 => {
            let pipe = e.share.len() >= 4
                && e.share.is_char_boundary(e.share.len() - 4)
                && e.share[e.share.len() - 4..].eq_ignore_ascii_case("IPC$");
            e.verb = if pipe {
                Verb::Other
            } else if e.file_path == "\\" {
                Verb::FileList
            } else {
                file_verb(e.mask, &f.get(&["AccessList"]))
            };
        }
        4663 | 4656 => {
            e.verb = if id == 4663 && f.get(&["ObjectType"]) == "File" {
                file_verb(e.mask, &f.get(&["AccessList"]))
            } else {
                Verb::Other
            };
        }
        4660 | 4658 if !ontap => e.file_path = Cow::Borrowed(""),
        5156..=5159 => {
            // Filtering platform: inbound connections name the client as destination on some versions; kept as told.
            e.dst_ip = f.get(&["DestAddress"]);
            e.dst_port = number(&f.get(&["DestPort"]));
            e.verb = Verb::Flow;
        }
        4778 | 4779 if e.user.is_empty() => e.user = f.get(&["AccountName"]),
        // Certificate services: who asked for the certificate.
        4886..=4889 if e.user.is_empty() => {
            let asked = f.get(&["Requester"]);
            match asked.split_once('\\') {
                Some((domain, name)) => {
                    e.user = Cow::Owned(name.to_string());
                    e.domain = Cow::Owned(domain.to_string());
                }
                None => e.user = asked,
            }
        }
        // Network Policy Server: the client called from its station, the access server asked for it.
        6272..=6280 => {
            let station = f.get(&["CallingStationID"]);
            let address = scan::address(&station);
            if scan::is_address(address) {
                e.src_ip = Cow::Owned(address.to_string());
            } else if e.device.is_empty() || e.device == f.get(&["ClientName"]) {
                e.device = station;
            }
            let server = f.get(&["NASIPv4Address", "ClientIPAddress", "NASIPv6Address"]);
            e.dst_ip = Cow::Owned(scan::address(&server).to_string());
        }
        4616 => {
            extra.put("old_time", &f.get(&["PreviousTime"]));
            extra.put("new_time", &f.get(&["NewTime"]));
        }
        _ => {}
    }
    if ontap {
        audited_by_ontap(&mut e, f, id);
    }
    let federated = f.provider.starts_with("AD FS");
    let document = federated
        .then(|| f.data.iter().find(|(_, v)| v.contains(AUDIT_BASE)))
        .flatten();
    if let Some((_, document)) = document {
        federation(&mut e, document, &mut extra);
    } else if federated && e.code == 411 {
        refused_token(&mut e, f);
    } else if !security {
        other_channel(&mut e, f, &mut extra);
    }
    e.extra = extra.done();
    Ok(e)
}

/// Who writes what ONTAP audits of files, in the layout of Windows; its releases do not agree on the spelling.
const NETAPP: [&str; 2] = ["Netapp-Security-Auditing", "NetApp-Security-Auditing"];

/// One number of Windows stands for several acts; the name of the event tells which. Paths are `(volume);/path`.
fn audited_by_ontap(e: &mut Event<'_>, f: &Fields<'_>, id: u64) {
    let name = f.get(&["EventName"]);
    e.verb = match &*name {
        "Read Object" => Verb::FileRead,
        "Write Object" | "Create Object" | "Set Object Attributes" => Verb::FileWrite,
        "Get Object Attributes" => Verb::FileList,
        "Delete Object" | "Unlink Object" => Verb::FileDelete,
        "Rename Object" => Verb::FileRename,
        _ if id == 9998 => Verb::FileDelete,
        _ if id == 9999 => Verb::FileRename,
        _ => e.verb,
    };
    let path = |text: Cow<'_, str>| match text.split_once(';') {
        Some((volume, path)) => {
            let volume = volume.trim_matches(['(', ')']).to_string();
            (Some(volume), path.to_string())
        }
        None => (None, text.to_string()),
    };
    let (old, new) = (f.get(&["OldPath"]), f.get(&["NewPath"]));
    let from = if old.is_empty() {
        e.file_path.clone()
    } else {
        old
    };
    if from.is_empty() {
        return;
    }
    let (volume, place) = path(from);
    if let Some(volume) = volume {
        e.share = Cow::Owned(volume);
    }
    e.file_path = Cow::Owned(place);
    if !new.is_empty() {
        e.object = Cow::Owned(path(new).1);
    }
}

/// How the document begins in which AD FS tells what it audits (events 1200 to 1207); a text of the event has it, escaped once more.
const AUDIT_BASE: &str = "<AuditBase";

/// An audit event of AD FS: who signed in to what, from where.
fn federation(e: &mut Event<'_>, document: &str, extra: &mut Extra) {
    let told = |name: &str| {
        let open = format!("<{name}>");
        let from = document.find(&open)? + open.len();
        let len = document[from..].find("</")?;
        let v = scan::unescape(&document[from..from + len]).ok()?;
        let v = v.trim();
        (!v.is_empty() && !v.eq_ignore_ascii_case("N/A") && v != "None").then(|| v.to_string())
    };
    let own = |name: &str| Cow::Owned(told(name).unwrap_or_default());
    e.verb = match told("AuditType").as_deref() {
        Some("FreshCredentials" | "ExtranetLockout") => Verb::Login,
        Some("AppToken" | "AppCredentials") => Verb::Token,
        Some("SignOut") => Verb::Logout,
        Some("PasswordChange") => Verb::Config,
        _ => Verb::Other,
    };
    e.outcome = match told("AuditResult").as_deref() {
        Some("Success") => Outcome::Success,
        Some("Failure") => Outcome::Failure,
        _ => e.outcome,
    };
    let user = told("UserId").unwrap_or_default();
    // The account the service runs under wrote it, and is not who signed in.
    (e.user_id, e.session_id) = (Cow::Borrowed(""), Cow::Borrowed(""));
    actor(e, &user);
    let address = |name: &str| {
        let list = told(name)?;
        let first = scan::address(list.split(',').next()?.trim()).to_string();
        scan::is_address(&first).then_some(first)
    };
    e.src_ip = Cow::Owned(address("IpAddress").unwrap_or_default());
    e.forwarded = Cow::Owned(address("ForwardedIpAddress").unwrap_or_default());
    (e.device, e.url, e.process) = (own("UserAgentString"), own("Endpoint"), own("RelyingParty"));
    if e.outcome == Outcome::Failure {
        e.reason = Cow::Owned(
            told("FailureType")
                .or_else(|| told("ErrorCode"))
                .unwrap_or_default(),
        );
    }
    for (key, name) in [
        ("protocol", "AuthProtocol"),
        ("network", "NetworkLocation"),
        ("method", "PrimaryAuth"),
    ] {
        extra.put(key, &told(name).unwrap_or_default());
    }
}

/// AD FS 411: a sign-in was refused. Its texts have no names: activity, kind of token, `account-why`, exception, addresses; some
/// releases have the addresses before the account.
fn refused_token(e: &mut Event<'_>, f: &Fields<'_>) {
    let first = |list: &str| -> String {
        let first = list.split(',').next().unwrap_or("");
        let address = scan::address(first.trim());
        String::from(if scan::is_address(address) {
            address
        } else {
            ""
        })
    };
    let third = f.get(&["param3"]);
    let (why, client) = match first(&third) {
        none if none.is_empty() => (third, first(&f.get(&["param5"]))),
        address => (f.get(&["param4"]), address),
    };
    let said = why.split_once(' ').and_then(|(word, _)| {
        let at = word.rfind('-')?;
        Some((&why[..at], &why[at + 1..]))
    });
    (e.user_id, e.session_id) = (Cow::Borrowed(""), Cow::Borrowed(""));
    e.outcome = Outcome::Failure;
    let (user, why) = said.unwrap_or(("", &why));
    if !user.is_empty() {
        e.verb = Verb::Login;
    }
    actor(e, user);
    e.reason = Cow::Owned(why.to_string());
    if !client.is_empty() {
        e.src_ip = Cow::Owned(client);
    }
}

/// What stands in the text of every record of SQL Server's audit (event 33205).
pub(crate) const SQL_AUDIT: &str = "audit_schema_version:";

/// A record of SQL Server's audit, whose text has the columns of `sys.fn_get_audit_file` as `key:value` lines.
fn sql_audit(f: &Fields<'_>, text: &str, setting: &Setting) -> Option<Event<'static>> {
    // In the order they are written in; a statement may have lines that look like others.
    const KEYS: [&str; 22] = [
        "audit_schema_version",
        "event_time",
        "sequence_number",
        "action_id",
        "succeeded",
        "session_id",
        "class_type",
        "duration_milliseconds",
        "response_rows",
        "affected_rows",
        "client_ip",
        "session_server_principal_name",
        "server_principal_name",
        "database_principal_name",
        "target_server_principal_name",
        "server_instance_name",
        "database_name",
        "schema_name",
        "object_name",
        "statement",
        "additional_information",
        "application_name",
    ];
    let mut object = serde_json::Map::new();
    let (mut next, mut stated) = (0, String::new());
    for line in text[text.find(SQL_AUDIT)?..].lines() {
        let pair = line.split_once(':');
        let known = pair.and_then(|(k, v)| {
            let at = KEYS[next..].iter().position(|key| *key == k)?;
            Some((next + at, v.trim()))
        });
        match known {
            Some((at, v)) if KEYS[at] == "statement" => (next, stated) = (at + 1, v.to_string()),
            Some((at, v)) => {
                next = at + 1;
                object.insert(KEYS[at].into(), v.into());
            }
            None if next > 0 && KEYS[next - 1] == "statement" => {
                stated.push('\n');
                stated.push_str(line);
            }
            None => {}
        }
    }
    object.insert("statement".into(), stated.trim_end().into());
    let line = serde_json::to_vec(&object).ok()?;
    let source = crate::by_name("mssql")?;
    let found = crate::reader::decode_bytes(source, &line, setting);
    let mut e = found.events.iter().next()?.into_owned();
    (e.code, e.seq) = (number(&f.id), number(&f.record));
    e.host = Cow::Owned(f.computer.to_string());
    Some(e)
}

/// Events of the terminal server and system channels that tell of presence or restarts.
fn other_channel<'a>(e: &mut Event<'a>, f: &Fields<'a>, extra: &mut Extra) {
    let p: &str = &f.provider;
    // Some shippers give the writer's id as if it were the actor's.
    let writer = f.get(&["writer.name"]);
    if e.user_id == f.user_id && e.user != writer {
        e.user_id = Cow::Borrowed("");
    }
    if p.contains("TerminalServices-RemoteConnectionManager") && e.code == 1149 {
        e.verb = Verb::Login;
        e.user = f.get(&["Param1"]);
        e.domain = f.get(&["Param2"]);
        let ip = f.get(&["Param3"]);
        e.src_ip = Cow::Owned(scan::address(&ip).to_string());
        e.logon_type = 10;
    } else if p.ends_with("TerminalServices-Gateway") {
        gateway(e, f);
    } else if p == "RemoteAccess" {
        remote_access(e, f);
    } else if p == "Service Control Manager" && e.code == 7045 {
        e.verb = Verb::Config;
        e.object = f.get(&["ServiceName"]);
        e.process = f.get(&["ImagePath"]);
        let account = f.get(&["AccountName"]);
        // NXLog puts the writer's name, beside its kind, where the event has the account the service will run under.
        let runs = account.contains(['\\', '@']) || account == "LocalSystem";
        if f.get(&["AccountType"]).is_empty() || runs {
            // That one installed nothing.
            extra.put("service_account", &account);
            (e.user, e.domain) = (Cow::Borrowed(""), Cow::Borrowed(""));
        } else {
            e.user_id = f.user_id.clone();
        }
    } else if p.ends_with("PowerShell") && e.code == 4104 {
        e.verb = Verb::Process;
        e.query = f.get(&["ScriptBlockText"]);
        e.file_path = f.get(&["Path"]);
    } else if p.contains("TerminalServices-LocalSessionManager") {
        e.verb = match e.code {
            21 | 22 | 25 => Verb::Login,
            23 => Verb::Logout,
            24 => Verb::Disconnect,
            _ => Verb::Other,
        };
        if e.verb != Verb::Other && e.outcome == Outcome::Unknown {
            e.outcome = Outcome::Success;
        }
        e.user = f.get(&["User"]);
        e.session_id = f.get(&["SessionID"]);
        e.logon_type = 10;
    } else if matches!(
        p,
        "EventLog" | "Microsoft-Windows-Kernel-General" | "Microsoft-Windows-Eventlog"
    ) {
        e.verb = match (p, e.code) {
            ("EventLog", 6005 | 6009) | ("Microsoft-Windows-Kernel-General", 12) => Verb::Restart,
            (_, 104) => Verb::AuditClear,
            _ => Verb::Other,
        };
    }
    let sysmon = p.ends_with("Sysmon");
    if sysmon && e.code == 3 {
        e.verb = Verb::Flow;
        e.dst_ip = f.get(&["DestinationIp"]);
        e.dst_port = number(&f.get(&["DestinationPort"]));
    }
    if sysmon {
        e.verb = match e.code {
            1 => Verb::Process,
            11 => Verb::FileWrite,
            23 | 26 => Verb::FileDelete,
            _ => e.verb,
        };
    }
    if sysmon && matches!(e.code, 2 | 11 | 15 | 23 | 26) && e.file_path.is_empty() {
        e.file_path = f.get(&["TargetFilename"]);
    }
    if sysmon && matches!(e.code, 8 | 10) && e.process.is_empty() {
        e.process = f.get(&["SourceImage"]);
    }
    if p.ends_with("Bits-Client") {
        e.url = f.get(&["url", "Url"]);
    }
    if e.file_path.is_empty() {
        e.file_path = f.get(&["file.path"]);
    }
    if e.user.is_empty() || (sysmon && !f.get(&["User"]).is_empty()) {
        let user = f.get(&["User"]);
        match user.split_once('\\') {
            Some((domain, name)) => {
                e.user = Cow::Owned(name.to_string());
                e.domain = Cow::Owned(domain.to_string());
            }
            None => e.user = user,
        }
    }
    if e.user_id.is_empty() && (e.user.is_empty() || e.user == writer) {
        e.user_id = f.user_id.clone();
    }
}

/// Puts `DOMAIN\name` or `name@realm`.
fn actor(e: &mut Event<'_>, name: &str) {
    let (domain, user) = match (name.split_once('\\'), name.split_once('@')) {
        (Some((d, u)), _) | (None, Some((u, d))) => (d, u),
        _ => ("", name),
    };
    (e.domain, e.user) = (Cow::Owned(domain.to_string()), Cow::Owned(user.to_string()));
}

/// Remote Desktop Gateway: policies met or not (200, 201, 300, 301), connected, disconnected, not connected (302, 303, 304).
fn gateway<'a>(e: &mut Event<'a>, f: &Fields<'a>) {
    (e.verb, e.outcome) = match e.code {
        200 | 302 => (Verb::Login, Outcome::Success),
        201 => (Verb::Login, Outcome::Failure),
        300 => (Verb::Other, Outcome::Success),
        301 | 304 => (Verb::Other, Outcome::Failure),
        303 => (Verb::Logout, Outcome::Success),
        _ => (e.verb, e.outcome),
    };
    actor(e, &f.get(&["Username"]));
    if e.code == 302 {
        // The remote desktop goes on from the gateway under the same account.
        e.target = e.user.clone();
    }
    e.object = f.get(&["Resource"]);
    let to = scan::address(&e.object).to_string();
    if scan::is_address(&to) {
        e.dst_ip = Cow::Owned(to);
    }
    e.bytes_out = number(&f.get(&["BytesTransfered", "BytesTransferred"]));
    e.bytes_in = number(&f.get(&["BytesReceived"]));
    let seconds = number(&f.get(&["SessionDuration"]));
    e.duration_ms = match seconds {
        NONE => NONE,
        s => s.saturating_mul(1000),
    };
    if e.outcome == Outcome::Failure {
        e.reason = f.get(&["ErrorCode"]);
    }
}

/// Routing and Remote Access: refused (20271), disconnected (20272), authenticated (20250), address lent (20274). The texts have no
/// names: the connection, which newer versions put behind the routing domain, the user, then what the event is about.
fn remote_access(e: &mut Event<'_>, f: &Fields<'_>) {
    let values: Vec<&str> = (f.data.iter())
        .filter(|(k, _)| k.starts_with("param"))
        .map(|(_, v)| v.trim())
        .collect();
    let ids = values.iter().take_while(|v| v.starts_with('{')).count();
    let value = |i: usize| values.get(ids + i).copied().unwrap_or("");
    let user = value(0);
    (e.verb, e.outcome) = match e.code {
        20250 => (Verb::Login, Outcome::Success),
        20271 => (Verb::Login, Outcome::Failure),
        20272 => (Verb::TunnelDown, Outcome::Success),
        20274 => (Verb::TunnelUp, Outcome::Success),
        _ => return,
    };
    e.system = System::Vpn;
    actor(e, user);
    let connection = ids.checked_sub(1).map_or("", |i| values[i]);
    e.session_id = Cow::Owned(connection.to_ascii_lowercase());
    let address = |text: &str| {
        let a = scan::address(text);
        Cow::Owned(if scan::is_address(a) { a } else { "" }.to_string())
    };
    match e.code {
        20271 => {
            e.src_ip = address(value(1));
            e.reason = Cow::Owned(value(2).to_string());
        }
        20272 => {
            let (minutes, seconds) = (number(value(6)), number(value(7)));
            if minutes != NONE && seconds != NONE {
                e.duration_ms = minutes.saturating_mul(60).saturating_add(seconds) * 1000;
            }
            // What the server sent went to the client.
            (e.bytes_out, e.bytes_in) = (number(value(8)), number(value(9)));
            e.reason = Cow::Owned(value(10).to_string());
        }
        20274 => e.inner_ip = address(value(2)),
        _ => {}
    }
}

/// Reads one `<Event>` element.
pub(crate) fn from_xml(text: &str) -> Result<Fields<'_>, XmlStop> {
    let mut f = Fields::default();
    let mut x = Xml::new(text);
    // Names of the open elements; depth is bounded by the refusal of deeper ones.
    let mut path: Vec<&str> = Vec::with_capacity(6);
    let mut name = "";
    let mut unnamed = 0;
    let mut value: Cow<'_, str> = Cow::Borrowed("");
    while let Some(tag) = x.next()? {
        match tag {
            Tag::Open(tag, raw, closed) => {
                value = Cow::Borrowed("");
                name = "";
                match (path.last().copied(), tag) {
                    (Some("System"), "Provider") => {
                        f.provider = scan::unescape(scan::attribute(raw, "Name"))?
                    }
                    (Some("System"), "TimeCreated") => {
                        f.time = scan::unescape(scan::attribute(raw, "SystemTime"))?
                    }
                    (Some("System"), "Execution") => {
                        f.pid = Cow::Borrowed(scan::attribute(raw, "ProcessID"))
                    }
                    (Some("System"), "Security") => {
                        f.user_id = Cow::Borrowed(scan::attribute(raw, "UserID"))
                    }
                    (_, "Data") => name = scan::attribute(raw, "Name"),
                    _ => {}
                }
                if !closed {
                    if path.len() > 32 {
                        return Err(XmlStop::Shape);
                    }
                    path.push(tag);
                }
            }
            Tag::Text(raw) => {
                if value.is_empty() {
                    value = scan::unescape(raw)?;
                } else {
                    value.to_mut().push_str(&scan::unescape(raw)?);
                }
            }
            Tag::Literal(raw) => value.to_mut().push_str(raw),
            Tag::Close(tag) => {
                if path.pop() != Some(tag) {
                    return Err(XmlStop::Shape);
                }
                let value = std::mem::take(&mut value);
                match path.last().copied() {
                    Some("System") => match tag {
                        "EventID" => f.id = trimmed(value),
                        "EventRecordID" => f.record = trimmed(value),
                        "Computer" => f.computer = trimmed(value),
                        "Channel" => f.channel = trimmed(value),
                        "Keywords" => f.keywords = trimmed(value),
                        "EventName" => f.data.push((Cow::Borrowed(tag), value)),
                        _ => {}
                    },
                    Some("EventData") if !name.is_empty() => {
                        f.data.push((Cow::Borrowed(name), value))
                    }
                    Some("EventData") if tag == "Data" => {
                        unnamed += 1;
                        f.data.push((Cow::Owned(format!("param{unnamed}")), value))
                    }
                    Some("EventData" | "Event" | "RenderingInfo") | None => {}
                    Some(_) if path.contains(&"UserData") => {
                        f.data.push((Cow::Borrowed(tag), value))
                    }
                    _ => {}
                }
            }
        }
    }
    if path.is_empty() {
        Ok(f)
    } else {
        Err(XmlStop::Truncated)
    }
}

pub(crate) fn trimmed(v: Cow<'_, str>) -> Cow<'_, str> {
    if v.trim().len() == v.len() {
        v
    } else {
        Cow::Owned(v.trim().to_string())
    }
}

struct EventXml {
    setting: Setting,
    shapes: Shapes,
    elements: Elements,
}

fn one_xml(
    bytes: &[u8],
    setting: &Setting,
    shapes: &mut Shapes,
    at: usize,
    len: usize,
    out: &mut Decoded,
    place: &[u8],
) {
    let text = scan::text(bytes);
    let result = shapes
        .fields(&text)
        .map_err(XmlStop::reason)
        .and_then(|f| event(&f, setting));
    match result {
        Ok(e) => out.event(e, at, len),
        Err(reason) => {
            let time = xml_time(&text, setting);
            out.reject_at(place, at, len, reason, time);
        }
    }
}

/// Time of an event that could not be read whole.
fn xml_time(text: &str, setting: &Setting) -> Option<i64> {
    let i = text.find("SystemTime=")?;
    let rest = text.get(i + 12..)?;
    let end = rest.find(['\'', '"'])?;
    scan::stamp(&rest[..end], setting).map(|s| s.time)
}

impl Decode for EventXml {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let (setting, shapes) = (&self.setting, &mut self.shapes);
        self.elements.run(
            bytes,
            last,
            out,
            |element, at, out| one_xml(element, setting, shapes, at, element.len(), out, bytes),
            |all, at, len, out| {
                let time = xml_time(&scan::text(&all[at..at + len]), setting);
                out.reject_at(all, at, len, Reason::Truncated, time);
            },
        )
    }
    fn cut(&self, bytes: &[u8], most: usize) -> Option<usize> {
        self.elements.cut(bytes, most)
    }
    fn apart(&self) -> Option<Box<dyn Decode>> {
        Some(Box::new(EventXml {
            setting: self.setting.clone(),
            shapes: Shapes::default(),
            elements: self.elements.apart()?,
        }))
    }
}

struct Json {
    setting: Setting,
    /// Of the XML some shippers put in a field.
    shapes: Shapes,
    values: Values,
}

/// Where the shippers put what Windows says about itself.
fn from_json(json: &str) -> Result<(Fields<'_>, Option<Cow<'_, str>>), Reason> {
    let pairs = scan::flatten(json).map_err(|e| {
        if e.is_eof() {
            Reason::Truncated
        } else {
            Reason::Shape
        }
    })?;
    let mut f = Fields::default();
    let mut raw_xml = None;
    let (mut message, mut payload) = (None, None);
    let mut received = Cow::Borrowed("");
    let mut host = Cow::Borrowed("");
    for (path, v) in pairs {
        let p: &str = &path;
        let p = p.strip_prefix("document.data.").unwrap_or(p);
        let p = p.strip_prefix("Event.").unwrap_or(p);
        let p = p.strip_prefix("winlog.").unwrap_or(p);
        let p = p.strip_prefix("properties.").unwrap_or(p);
        match p {
            "EventID"
            | "EventId"
            | "event_id"
            | "System.EventID"
            | "System.EventID.#text"
            | "System.EventID.Value"
            | "Id"
            | "event.code" => {
                // The weaker names only count while nothing better was there: some providers have an `Id` of their own.
                let weak = matches!(p, "Id" | "event.code");
                if number(&v) != NONE && (f.id.is_empty() || !weak) {
                    f.id = v
                }
            }
            "Hostname" | "Computer" | "computer_name" | "ComputerName" | "System.Computer"
            | "MachineName" => f.computer = v,
            "host.name" | "host.hostname" | "RoleInstance" => {
                if host.is_empty() {
                    host = v
                }
            }
            // EvtxECmd numbers the records of a file anew, beside the event's own number.
            "RecordNumber" if !f.record.is_empty() => {}
            "RecordNumber"
            | "record_id"
            | "EventRecordID"
            | "EventRecordId"
            | "System.EventRecordID"
            | "RecordId" => f.record = v,
            "SourceName"
            | "provider_name"
            | "ProviderName"
            | "Provider"
            | "System.Provider.#attributes.Name"
            | "System.Provider_attributes.Name"
            | "System.Provider.Name" => f.provider = v,
            "Channel" | "channel" | "System.Channel" | "LogName" => {
                f.channel = if v == "Sec" { "Security".into() } else { v }
            }
            "Details" | "ExtraFieldInfo" => {
                for part in v.split(" ¦ ") {
                    if let Some((k, v)) = part.split_once(": ") {
                        short(k, v, &mut f.data);
                    }
                }
            }
            "Keywords" | "keywords" | "System.Keywords" => f.keywords = v,
            "TimeCreated"
            | "System.TimeCreated.#attributes.SystemTime"
            | "System.TimeCreated_attributes.SystemTime"
            | "System.TimeCreated.SystemTime"
            | "TimeGenerated" => f.time = v,
            "@timestamp" | "time" | "timestamp" => received = v,
            // Hayabusa writes a blank before the offset.
            "Timestamp" => received = v.replace(" +", "+").replace(" -", "-").into(),
            "EventTime" => f.local = v,
            "ProcessID"
            | "ExecutionProcessID"
            | "process.pid"
            | "Pid"
            | "System.Execution.#attributes.ProcessID" => f.pid = v,
            "user.identifier" => f.user_id = v,
            "event.action" => f.action = v,
            // Who wrote the record; the actor of the event, where there is one, stands outside `winlog`.
            "user.name" if path.starts_with("winlog.") => {
                f.data.push((Cow::Borrowed("writer.name"), v))
            }
            "user.domain" if path.starts_with("winlog.") => {
                f.data.push((Cow::Borrowed("writer.domain"), v))
            }
            "RawXml" => raw_xml = Some(v),
            // Long, localised, and only a repetition of the fields.
            "Message" | "message" | "Description" => message = Some(v),
            "event.original" => {}
            "Payload" if v.starts_with('{') => payload = Some(v),
            _ => {
                let key = ["event_data.", "user_data.", "EventData.", "UserData."]
                    .iter()
                    .find_map(|m| p.find(m).map(|i| i + m.len()))
                    .map(|i| &p[i..])
                    .unwrap_or(p);
                let key = key.strip_prefix("Data.").unwrap_or(key);
                let told = ["Details.", "ExtraFieldInfo."];
                if let Some(key) = told.iter().find_map(|t| key.strip_prefix(t)) {
                    short(key, &v, &mut f.data);
                } else if key.len() == path.len() {
                    f.data.push((path, v));
                } else {
                    let key = key.to_string();
                    f.data.push((Cow::Owned(key), v));
                }
            }
        }
    }
    if let Some(payload) = payload {
        packed(&payload, &mut f.data);
        // EvtxECmd's tables have UTC without saying so.
        if f.time.len() >= 19 && !f.time.ends_with('Z') && !f.time[19..].contains(['+', '-']) {
            f.time.to_mut().push('Z');
        }
    }
    if f.time.is_empty() {
        f.time = received;
    }
    if f.computer.is_empty() {
        f.computer = host;
    }
    const ACCOUNTS: [&str; 4] = [
        "TargetUserName",
        "SubjectUserName",
        "AccountName",
        "user.name",
    ];
    let told = |f: &Fields<'_>| f.data.iter().any(|(k, _)| ACCOUNTS.contains(&&**k));
    match message {
        Some(text) if text.contains(SQL_AUDIT) => f.data.push((Cow::Borrowed(SQL_AUDIT), text)),
        Some(text) if !told(&f) && is_security(&f) => {
            f.data.extend(windows_text::fields(number(&f.id), &text))
        }
        _ => {}
    }
    Ok((f, raw_xml))
}

/// Hayabusa's short names of fields.
fn short(key: &str, value: &str, data: &mut Pairs<'_>) {
    let mut put = |key: &str, value: &str| {
        data.push((Cow::Owned(key.to_string()), Cow::Owned(value.to_string())));
    };
    match key {
        "TgtUser" => put("TargetUserName", value),
        "SrcUser" | "User" => put("SubjectUserName", value),
        "SrcIP" => put("IpAddress", value),
        "SrcComp" => put("WorkstationName", value),
        "Type" | "LogonType" => put("LogonType", value.split(' ').next().unwrap_or("")),
        "Cmdline" => put("CommandLine", value),
        "Proc" => put("NewProcessName", value),
        "LID" => {
            put("TargetLogonId", value);
            put("SubjectLogonId", value);
        }
        key => put(key, value),
    }
}

/// The data of an event as EvtxECmd keeps it: `{"EventData":{"Data":[{"@Name":…,"#text":…}]}}`, `{"UserData":{…}}`.
fn packed(payload: &str, data: &mut Pairs<'_>) {
    use serde_json::Value;
    let text = |v: &Value| match v {
        Value::String(s) => s.clone(),
        Value::Null => String::new(),
        v => v.to_string(),
    };
    let Ok(Value::Object(all)) = serde_json::from_str(payload) else {
        return;
    };
    let named = |v: &Value, data: &mut Pairs<'_>| {
        if let Some(name) = v.get("@Name").and_then(Value::as_str) {
            let value = v.get("#text").map(text).unwrap_or_default();
            data.push((Cow::Owned(name.to_string()), Cow::Owned(value)));
        }
    };
    match all.get("EventData").and_then(|d| d.get("Data")) {
        Some(Value::Array(list)) => list.iter().for_each(|v| named(v, data)),
        Some(one) => named(one, data),
        None => {}
    }
    if let Some(Value::Object(user)) = all.get("UserData") {
        let inner = user.values().filter_map(Value::as_object).flatten();
        for (k, v) in inner.filter(|(_, v)| !v.is_object()) {
            data.push((Cow::Owned(k.clone()), Cow::Owned(text(v))));
        }
    }
}

impl Decode for Json {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let (setting, shapes) = (&self.setting, &mut self.shapes);
        self.values.run(bytes, last, out, |value, at, len, _, out| {
            let text = scan::text(value);
            match from_json(&text) {
                Ok((_, Some(xml))) => {
                    one_xml(xml.as_bytes(), setting, shapes, at, len, out, bytes);
                }
                Ok((f, None)) => match event(&f, setting) {
                    Ok(e) => out.event(e, at, len),
                    Err(reason) => {
                        let time = instant(&f, setting).map(|s| s.time);
                        out.reject_at(bytes, at, len, reason, time)
                    }
                },
                Err(Reason::Truncated) => return Seen::Cut,
                Err(reason) => out.reject(bytes, at, len, reason),
            }
            Seen::Done
        })
    }
}

/// Size of the file header block and of every chunk.
const HEADER: usize = 4096;
const CHUNK: usize = 65_536;

/// Where a chunk says its records end, from its own start.
fn free_space(chunk: &[u8]) -> usize {
    match chunk.get(48..52) {
        Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]) as usize,
        _ => usize::MAX,
    }
}

/// The end of the last event decoded, within the piece at hand.
fn after_last(out: &Decoded) -> usize {
    let Some(last) = out.events.len().checked_sub(1) else {
        return 0;
    };
    let e = out.events.get(last);
    usize::try_from((e.offset + e.len).saturating_sub(out.base)).unwrap_or(0)
}

struct Evtx {
    setting: Setting,
    shapes: Shapes,
    header: bool,
    render: Arc<evtx::ParserSettings>,
}

impl Evtx {
    fn chunk(&mut self, bytes: &[u8], at: usize, end: usize, out: &mut Decoded) {
        let chunk = &bytes[at..end];
        if !chunk.starts_with(b"ElfChnk\0") {
            // Space set aside and never used is zero and holds no record.
            if chunk.iter().any(|b| *b != 0) {
                out.reject(bytes, at, end - at, Reason::Shape);
            }
            return;
        }
        let mut data = chunk.to_vec();
        data.resize(CHUNK, 0);
        let (before, refused) = (out.records, out.reject_count);
        // The parser is fuzzed upstream; should it still panic on a hostile chunk, only that chunk is lost, and it is counted.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            self.records(bytes, data, at, end, out)
        }));
        if !matches!(done, Ok(Ok(()))) {
            let reason = if end - at < CHUNK {
                Reason::Truncated
            } else {
                Reason::Shape
            };
            out.reject(bytes, at, end - at, reason);
        } else if out.reject_count == refused && free_space(chunk) > end - at {
            // The chunk says its records go on beyond the end of the file: what is missing counts as one.
            let from = match out.records - before {
                0 => at,
                _ => after_last(out).clamp(at, end),
            };
            out.reject(bytes, from, end - from, Reason::Truncated);
        }
    }
    fn records(
        &mut self,
        bytes: &[u8],
        data: Vec<u8>,
        at: usize,
        end: usize,
        out: &mut Decoded,
    ) -> Result<(), ()> {
        let mut chunk = evtx::EvtxChunkData::new(data, false).map_err(|_| ())?;
        let mut chunk = chunk.parse(self.render.clone()).map_err(|_| ())?;
        for record in chunk.iter() {
            match record {
                Ok(r) => {
                    // The record header of 24 bytes stands before the binary XML; a copy of the size follows it.
                    let from = usize::try_from(r.binxml_offset).unwrap_or(0);
                    let from = (at + from.saturating_sub(24)).min(end);
                    let len = (r.binxml_size as usize).saturating_add(28);
                    if len > end - from {
                        // Half a record would read as one with empty fields.
                        out.reject(bytes, from, end - from, Reason::Truncated);
                        continue;
                    }
                    match r.into_xml() {
                        Ok(r) => {
                            let xml = r.data.trim_start();
                            let xml = match xml.strip_prefix("<?xml") {
                                Some(rest) => rest.find("?>").map_or(rest, |i| &rest[i + 2..]),
                                None => xml,
                            };
                            one_xml(
                                xml.as_bytes(),
                                &self.setting,
                                &mut self.shapes,
                                from,
                                len,
                                out,
                                bytes,
                            );
                        }
                        Err(_) => out.reject(bytes, from, len, Reason::Shape),
                    }
                }
                Err(evtx::err::EvtxError::FailedToReadRecordAt { offset, .. }) => {
                    let from = at + usize::try_from(offset).unwrap_or(0).min(end - at);
                    let reason = if end - at < CHUNK {
                        Reason::Truncated
                    } else {
                        Reason::Shape
                    };
                    out.reject(bytes, from, 0, reason);
                }
                Err(_) => out.reject(bytes, at, 0, Reason::Shape),
            }
        }
        Ok(())
    }
}

impl Decode for Evtx {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let mut at = 0;
        if !self.header {
            if bytes.len() < HEADER && !last {
                return 0;
            }
            if bytes.len() < HEADER {
                out.reject(bytes, 0, bytes.len(), Reason::Truncated);
                return bytes.len();
            }
            self.header = true;
            at = HEADER;
        }
        while at < bytes.len() {
            let end = at + CHUNK;
            if end > bytes.len() && !last {
                return at;
            }
            let end = end.min(bytes.len());
            self.chunk(bytes, at, end, out);
            at = end;
        }
        at
    }
    fn cut(&self, bytes: &[u8], most: usize) -> Option<usize> {
        let whole = most.min(bytes.len()) / CHUNK * CHUNK;
        (self.header && whole > 0).then_some(whole)
    }
    fn apart(&self) -> Option<Box<dyn Decode>> {
        self.header.then(|| {
            Box::new(Evtx {
                setting: self.setting.clone(),
                shapes: Shapes::default(),
                header: true,
                render: self.render.clone(),
            }) as Box<dyn Decode>
        })
    }
}
