//! Made-up log lines, one lane per source, generated on the fly: equal numbers give equal bytes. Nobody in them exists.
use ampleur_testkit::evtx::{FILE_HEADER, FileWriter, Record};
use std::io::{self, Seek, SeekFrom, Write};

/// One kind of log to be taken in.
pub struct Lane {
    pub name: &'static str,
    /// Name of the source that must claim the file.
    pub format: &'static str,
    pub file: &'static str,
    /// What we hold ourselves to on one core.
    pub floor: Floor,
    pub made: Made,
}

/// How record `i` of a lane is made.
#[derive(Clone, Copy)]
pub enum Made {
    /// Text, one line after the other.
    Lines(fn(u64, &mut Vec<u8>)),
    /// Records of a Windows event log file.
    Evtx(fn(u64) -> Record),
}

impl Lane {
    /// Writes records from number `first` on until `enough` of their number and their bytes; how many and how many bytes.
    pub fn write(
        &self,
        first: u64,
        to: &mut (impl Write + Seek),
        enough: impl Fn(u64, u64) -> bool,
    ) -> io::Result<(u64, u64)> {
        let (mut records, mut bytes, mut part) = (0, 0, vec![]);
        let mut evtx = FileWriter::default();
        if let Made::Evtx(_) = self.made {
            part.resize(FILE_HEADER, 0);
        }
        while !enough(records, bytes) {
            match self.made {
                Made::Lines(line) => line(first + records, &mut part),
                Made::Evtx(record) => evtx.push(&record(first + records), &mut part),
            }
            records += 1;
            bytes += part.len() as u64;
            to.write_all(&part)?;
            part.clear();
        }
        if let Made::Evtx(_) = self.made {
            let header = evtx.finish(&mut part);
            bytes += part.len() as u64;
            to.write_all(&part)?;
            to.seek(SeekFrom::Start(0))?;
            to.write_all(&header)?;
        }
        to.flush()?;
        Ok((records, bytes))
    }
}

#[derive(Clone, Copy)]
pub enum Floor {
    /// Records a second.
    Records(f64),
    /// MiB of evidence a second.
    Mebibytes(f64),
}

pub static LANES: &[Lane] = &[
    Lane {
        name: "fortigate",
        format: "fortinet-fortigate",
        file: "fortigate.log",
        floor: Floor::Records(500_000.0),
        made: Made::Lines(fortigate),
    },
    Lane {
        name: "nginx",
        format: "http-access",
        file: "access.log",
        floor: Floor::Records(1_000_000.0),
        made: Made::Lines(nginx),
    },
    Lane {
        name: "windows-xml",
        format: "windows-security",
        file: "security.xml",
        floor: Floor::Records(150_000.0),
        made: Made::Lines(windows),
    },
    Lane {
        name: "auditevent",
        format: "fhir-auditevent",
        file: "audit.ndjson",
        floor: Floor::Mebibytes(200.0),
        made: Made::Lines(audit),
    },
    Lane {
        name: "evtx",
        format: "windows-security",
        file: "security.evtx",
        floor: Floor::Records(150_000.0),
        made: Made::Evtx(evtx),
    },
    Lane {
        name: "cef",
        format: "cef",
        file: "relay.log",
        floor: Floor::Records(500_000.0),
        made: Made::Lines(cef),
    },
];

fn mix(i: u64) -> u64 {
    let mut z = i.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The session record `i` is of: 64 people work at once, each for 50 records.
fn session(i: u64) -> u64 {
    mix(i / 3200 * 64 + i % 64)
}

/// Second of the day and day of the month for record `i`, 200 records a second.
fn clock(i: u64) -> (u64, u64, u64, u64) {
    let s = i / 200;
    (s / 86_400 % 28 + 1, s / 3600 % 24, s / 60 % 60, s % 60)
}

fn fortigate(i: u64, out: &mut Vec<u8>) {
    let (r, p) = (mix(i), session(i));
    let (day, h, m, s) = clock(i);
    let _ = writeln!(
        out,
        "<189>date=2025-09-{day:02} time={h:02}:{m:02}:{s:02} devname=\"FGT-A\" devid=\"FG200F0000000001\" logid=\"0000000013\" type=\"traffic\" subtype=\"forward\" level=\"notice\" vd=\"root\" srcip=10.59.{}.{} srcport={} srcintf=\"lan\" dstip=10.59.200.{} dstport=443 dstintf=\"srv\" sessionid={i} proto=6 action=\"close\" policyid=12 service=\"HTTPS\" duration={} sentbyte={} rcvdbyte={} sentpkt=12 rcvdpkt=33",
        p % 40,
        p / 41 % 250,
        1024 + r / 77 % 60_000,
        p / 91 % 60,
        r % 900,
        r / 3 % 90_000,
        r / 7 % 900_000,
    );
}

fn nginx(i: u64, out: &mut Vec<u8>) {
    let (r, p) = (mix(i), session(i));
    let (day, h, m, s) = clock(i);
    let _ = writeln!(
        out,
        "10.60.{}.{} - u{} [{day:02}/Sep/2025:{h:02}:{m:02}:{s:02} +0200] \"GET /r4/Patient/{} HTTP/1.1\" {} {} \"https://portail.example/\" \"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/{}.0\"",
        p % 40,
        p / 41 % 250,
        p / 5 % 3000,
        r / 11 % 400_000,
        if r.is_multiple_of(50) { 404 } else { 200 },
        r / 13 % 9000,
        100 + p % 30,
    );
}

fn windows(i: u64, out: &mut Vec<u8>) {
    let (r, p) = (mix(i), session(i));
    let (day, h, m, s) = clock(i);
    let _ = writeln!(
        out,
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing' Guid='{{54849625-5478-4994-a5ba-3e3b0328c30d}}'/><EventID>4624</EventID><Version>2</Version><Level>0</Level><Task>12544</Task><Opcode>0</Opcode><Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='2025-09-{day:02}T{h:02}:{m:02}:{s:02}.1234567Z'/><EventRecordID>{}</EventRecordID><Execution ProcessID='712' ThreadID='8'/><Channel>Security</Channel><Computer>FS01.ch.example</Computer><Security/></System><EventData><Data Name='SubjectUserSid'>S-1-0-0</Data><Data Name='SubjectUserName'>-</Data><Data Name='SubjectDomainName'>-</Data><Data Name='SubjectLogonId'>0x0</Data><Data Name='TargetUserSid'>S-1-5-21-100-200-300-{}</Data><Data Name='TargetUserName'>u{}</Data><Data Name='TargetDomainName'>CHX</Data><Data Name='TargetLogonId'>0x{:x}</Data><Data Name='LogonType'>3</Data><Data Name='LogonProcessName'>NtLmSsp </Data><Data Name='AuthenticationPackageName'>NTLM</Data><Data Name='WorkstationName'>PC-{}</Data><Data Name='IpAddress'>10.61.{}.{}</Data><Data Name='IpPort'>{}</Data></EventData></Event>",
        i + 1,
        1000 + p % 3000,
        p % 3000,
        p >> 32,
        p / 5 % 800,
        p / 7 % 40,
        p / 11 % 250,
        1024 + r / 13 % 60_000,
    );
}

fn audit(i: u64, out: &mut Vec<u8>) {
    let (r, p) = (mix(i), session(i));
    let (day, h, m, s) = clock(i);
    let _ = writeln!(
        out,
        "{{\"resourceType\":\"AuditEvent\",\"id\":\"{r:016x}\",\"type\":{{\"system\":\"http://terminology.hl7.org/CodeSystem/audit-event-type\",\"code\":\"rest\",\"display\":\"RESTful Operation\"}},\"subtype\":[{{\"system\":\"http://hl7.org/fhir/restful-interaction\",\"code\":\"read\",\"display\":\"read\"}}],\"action\":\"R\",\"recorded\":\"2025-09-{day:02}T{h:02}:{m:02}:{s:02}.{:03}+02:00\",\"outcome\":\"0\",\"agent\":[{{\"type\":{{\"coding\":[{{\"system\":\"http://dicom.nema.org/resources/ontology/DCM\",\"code\":\"110153\",\"display\":\"Source Role ID\"}}]}},\"who\":{{\"identifier\":{{\"system\":\"urn:oid:1.2.250.1.71.4.2.1\",\"value\":\"8101{:08}\"}}}},\"requestor\":true,\"network\":{{\"address\":\"10.62.{}.{}\",\"type\":\"2\"}}}}],\"source\":{{\"site\":\"sri.example\",\"observer\":{{\"display\":\"serveur d'identités\"}}}},\"entity\":[{{\"what\":{{\"reference\":\"Patient/{}\"}},\"type\":{{\"system\":\"http://terminology.hl7.org/CodeSystem/audit-entity-type\",\"code\":\"1\",\"display\":\"Person\"}},\"role\":{{\"system\":\"http://terminology.hl7.org/CodeSystem/object-role\",\"code\":\"1\",\"display\":\"Patient\"}}}}]}}",
        r % 1000,
        p % 3000,
        p / 7 % 40,
        p / 11 % 250,
        r / 13 % 400_000,
    );
}

/// 2025-09-01 in nanoseconds.
const SEPTEMBER: i64 = 1_756_684_800_000_000_000;

/// The logons of [`windows`], as Windows keeps them.
fn evtx(i: u64) -> Record {
    let (r, p) = (mix(i), session(i));
    let (day, h, m, s) = clock(i);
    let second = (day - 1) * 86_400 + h * 3600 + m * 60 + s;
    Record {
        event_id: 4624,
        record_id: i + 1,
        time: SEPTEMBER + second as i64 * 1_000_000_000 + 123_456_700,
        keywords: 0x8020_0000_0000_0000,
        computer: "FS01.ch.example".into(),
        data: vec![
            ("SubjectUserSid", "S-1-0-0".into()),
            ("SubjectUserName", "-".into()),
            ("SubjectDomainName", "-".into()),
            ("SubjectLogonId", "0x0".into()),
            (
                "TargetUserSid",
                format!("S-1-5-21-100-200-300-{}", 1000 + p % 3000),
            ),
            ("TargetUserName", format!("u{}", p % 3000)),
            ("TargetDomainName", "CHX".into()),
            ("TargetLogonId", format!("0x{:x}", p >> 32)),
            ("LogonType", "3".into()),
            ("LogonProcessName", "NtLmSsp ".into()),
            ("AuthenticationPackageName", "NTLM".into()),
            ("WorkstationName", format!("PC-{}", p / 5 % 800)),
            (
                "IpAddress",
                format!("10.61.{}.{}", p / 7 % 40, p / 11 % 250),
            ),
            ("IpPort", (1024 + r / 13 % 60_000).to_string()),
        ],
    }
}

fn cef(i: u64, out: &mut Vec<u8>) {
    let (r, p) = (mix(i), session(i));
    let (day, h, m, s) = clock(i);
    let second = (day - 1) * 86_400 + h * 3600 + m * 60 + s;
    let _ = writeln!(
        out,
        "<134>Sep {day:2} {h:02}:{m:02}:{s:02} relay CEF:0|Example Corp|Gate|4.1|200|request|3|rt={}{:03} src=10.63.{}.{} spt={} dst=10.59.200.{} dpt=443 suser=u{} act=allow outcome=success proto=TCP requestMethod=GET request=https://dpi.example/r4/Patient/{} in={} out={} cs1Label=SessionId cs1={:08x}",
        SEPTEMBER / 1_000_000_000 + second as i64,
        r % 1000,
        p % 40,
        p / 41 % 250,
        1024 + r / 77 % 60_000,
        p / 91 % 60,
        p / 5 % 3000,
        r / 11 % 400_000,
        r / 3 % 90_000,
        r / 7 % 900_000,
        p >> 32,
    );
}
