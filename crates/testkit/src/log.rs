//! Writers of log records in the shapes of real products. Each writes one record into a [`Line`]; order, numbering and files are
//! the sink's work. Times arrive as the source's own clock shows them.
#![allow(clippy::too_many_arguments)]
use crate::civil::{self, DAY, Ms};
use crate::out::{Line, Mark, Sink};
use crate::rng::mix;
use crate::world::country;
use base64::Engine as _;

/// A FortiGate device. Syslog lines of FortiOS 7: event (VPN, system) and traffic logs, key=value.
#[derive(Debug, Clone)]
pub struct Forti {
    pub source: usize,
    pub name: String,
    pub serial: String,
    pub session: u64,
}

/// One flow as the firewall saw it, written when it ends.
#[derive(Debug, Clone)]
pub struct Flow<'a> {
    pub src: (&'a str, u16),
    pub dst: (&'a str, u16),
    pub service: &'a str,
    pub seconds: u64,
    pub sent: u64,
    pub received: u64,
    pub user: Option<&'a str>,
    /// Address it is hidden behind on the way out.
    pub hidden: Option<&'a str>,
}

/// One tunnel of the SSL-VPN.
#[derive(Debug, Clone)]
pub struct Tunnel {
    pub id: u64,
    pub user: String,
    pub group: &'static str,
    pub remote: String,
    pub inner: String,
    pub up: Ms,
    pub down: Ms,
    /// Sent by the gateway to the remote client over the life of the tunnel.
    pub sent: u64,
    pub received: u64,
}

impl Forti {
    pub fn new(source: usize, name: &str) -> Forti {
        Forti {
            source,
            name: name.into(),
            serial: format!("FGT60F{:010}", mix(name.len() as u64 ^ 77) % 9_999_999_999),
            session: 700_000 + mix(source as u64) % 90_000,
        }
    }
    fn head(&self, l: &mut Line<'_>, t: Ms, pri: &str, logid: &str, kind: &str, level: &str) {
        l.s(pri);
        let zone = civil::put_forti(l.b, t);
        l.s(" devname=\"")
            .s(&self.name)
            .s("\" devid=\"")
            .s(&self.serial)
            .s("\" eventtime=");
        l.n(t as u64);
        civil::put_num(l.b, mix(t as u64) % 1_000_000, 6);
        l.s(" tz=\"")
            .s(zone)
            .s("\" logid=\"")
            .s(logid)
            .s("\" ")
            .s(kind)
            .s(" level=\"")
            .s(level)
            .s("\" vd=\"root\" ");
    }
    /// A line of statistics every 300 seconds: the device's heartbeat.
    pub fn heartbeats(&self, sink: &mut Sink, from: Ms, to: Ms) {
        let phase = (mix(self.source as u64 ^ 5) % 290_000) as i64;
        let mut t = (from - phase).div_euclid(300_000) * 300_000 + phase;
        while t < to {
            if t >= from {
                sink.push(self.source, t, Mark::default(), |l, at| {
                    let r = mix(at as u64);
                    self.head(
                        l,
                        at,
                        "<189>",
                        "0100040704",
                        "type=\"event\" subtype=\"system\"",
                        "notice",
                    );
                    l.s("logdesc=\"System performance statistics\" action=\"perf-stats\" cpu=")
                        .n(2 + r % 30)
                        .s(" mem=")
                        .n(30 + r / 31 % 20);
                    l.s(" totalsession=")
                        .n(200 + r / 7 % 3000)
                        .s(" disk=3 bandwidth=\"")
                        .n(r % 9000)
                        .s("/")
                        .n(r / 3 % 9000);
                    l.s("\" setuprate=")
                        .n(r % 40)
                        .s(" disklograte=0 fazlograte=0 freediskstorage=3412 sysuptime=")
                        .n((at / 1000 % 8_000_000) as u64);
                    l.s(" waninfo=\"N/A\" msg=\"Performance statistics: average CPU: ")
                        .n(2 + r % 30)
                        .s(", memory:  ")
                        .n(30 + r / 31 % 20);
                    l.s(", concurrent sessions:  ")
                        .n(200 + r / 7 % 3000)
                        .s(", setup-rate: ")
                        .n(r % 40)
                        .s("\"");
                });
            }
            t += 300_000;
        }
    }
    pub fn flow(&mut self, sink: &mut Sink, end: Ms, mark: Mark, f: &Flow<'_>) {
        self.session += 1 + mix(end as u64) % 5;
        let id = self.session;
        sink.push(self.source, end, mark, |l, at| {
            self.head(
                l,
                at,
                "<189>",
                "0000000013",
                "type=\"traffic\" subtype=\"forward\"",
                "notice",
            );
            let (sc, dc) = (country(f.src.0), country(f.dst.0));
            l.s("srcip=")
                .s(f.src.0)
                .s(" srcport=")
                .n(u64::from(f.src.1))
                .s(" srcintf=\"")
                .s(if sc == "Reserved" { "lan" } else { "wan1" });
            l.s("\" srcintfrole=\"")
                .s(if sc == "Reserved" { "lan" } else { "wan" })
                .s("\" dstip=")
                .s(f.dst.0)
                .s(" dstport=")
                .n(u64::from(f.dst.1));
            l.s(" dstintf=\"")
                .s(if dc == "Reserved" { "servers" } else { "wan1" })
                .s("\" dstintfrole=\"")
                .s(if dc == "Reserved" { "lan" } else { "wan" });
            l.s("\" srccountry=\"")
                .s(sc)
                .s("\" dstcountry=\"")
                .s(dc)
                .s("\" sessionid=")
                .n(id)
                .s(" proto=6 action=\"close\" policyid=")
                .n(3 + id % 9);
            l.s(" policytype=\"policy\" ");
            if let Some(u) = f.user {
                l.s("user=\"").s(u).s("\" ");
            }
            l.s("service=\"")
                .s(f.service)
                .s("\" trandisp=\"")
                .s(if f.hidden.is_some() { "snat" } else { "noop" });
            if let Some(h) = f.hidden {
                l.s("\" transip=")
                    .s(h)
                    .s(" transport=")
                    .n(u64::from(f.src.1));
            } else {
                l.s("\"");
            }
            l.s(" duration=")
                .n(f.seconds)
                .s(" sentbyte=")
                .n(f.sent)
                .s(" rcvdbyte=")
                .n(f.received);
            l.s(" sentpkt=")
                .n(f.sent / 900 + 3)
                .s(" rcvdpkt=")
                .n(f.received / 1100 + 3)
                .s(" appcat=\"unscanned\"");
        });
    }
    fn vpn(
        &self,
        sink: &mut Sink,
        t: Ms,
        mark: Mark,
        k: &Tunnel,
        what: (&str, &str, &str),
        sums: Option<(u64, u64, u64)>,
    ) {
        sink.push(self.source, t, mark, |l, at| {
            self.head(
                l,
                at,
                "<190>",
                what.0,
                "type=\"event\" subtype=\"vpn\"",
                "information",
            );
            l.s("logdesc=\"")
                .s(what.1)
                .s("\" action=\"")
                .s(what.2)
                .s("\" tunneltype=\"ssl-tunnel\" tunnelid=")
                .n(k.id)
                .s(" remip=")
                .s(&k.remote);
            l.s(" srccountry=\"")
                .s(country(&k.remote))
                .s("\" tunnelip=")
                .s(&k.inner)
                .s(" user=\"")
                .s(&k.user)
                .s("\" group=\"")
                .s(k.group)
                .s("\" dst_host=\"N/A\" ");
            match sums {
                None => l.s("reason=\"tunnel established\" msg=\"SSL tunnel established\""),
                Some((d, s, r)) => {
                    if what.2 == "tunnel-stats" {
                        l.s("nextstat=600 ");
                    } else {
                        l.s("reason=\"N/A\" ");
                    }
                    l.s("duration=")
                        .n(d)
                        .s(" sentbyte=")
                        .n(s)
                        .s(" rcvdbyte=")
                        .n(r);
                    l.s(if what.2 == "tunnel-stats" {
                        " msg=\"SSL tunnel statistics\""
                    } else {
                        " msg=\"SSL tunnel shutdown\""
                    })
                }
            };
        });
    }
    /// All records of a tunnel: up, statistics every ten minutes (running totals), down.
    pub fn tunnel(&self, sink: &mut Sink, mark: Mark, k: &Tunnel) {
        self.vpn(
            sink,
            k.up,
            mark,
            k,
            ("0101039947", "SSL VPN tunnel up", "tunnel-up"),
            None,
        );
        let life = (k.down - k.up).max(1);
        let part =
            |t: Ms, total: u64| (u128::from(total) * (t - k.up) as u128 / life as u128) as u64;
        let mut t = k.up + 600_000;
        while t < k.down {
            let sums = (
                (t - k.up) as u64 / 1000,
                part(t, k.sent),
                part(t, k.received),
            );
            self.vpn(
                sink,
                t,
                mark,
                k,
                ("0101039949", "SSL VPN statistics", "tunnel-stats"),
                Some(sums),
            );
            t += 600_000;
        }
        let sums = (life as u64 / 1000, k.sent, k.received);
        self.vpn(
            sink,
            k.down,
            mark,
            k,
            ("0101039948", "SSL VPN tunnel down", "tunnel-down"),
            Some(sums),
        );
    }
    /// An administrator's account is added on the device itself.
    pub fn configured(&self, sink: &mut Sink, t: Ms, mark: Mark, by: &str, from: &str) {
        sink.push(self.source, t, mark, |l, at| {
            self.head(l, at, "<189>", "0100044547", "type=\"event\" subtype=\"system\"", "information");
            l.s("logdesc=\"Object attribute configured\" user=\"").s(by).s("\" ui=\"GUI(").s(from);
            l.s(")\" action=\"Add\" cfgtid=32112641 cfgpath=\"system.admin\" cfgobj=\"support-fw\" cfgattr=\"accprofile[super_admin]\" msg=\"Add system.admin support-fw\"");
        });
    }
    /// A refused login.
    pub fn refused(&self, sink: &mut Sink, t: Ms, user: &str, remote: &str) {
        sink.push(self.source, t, Mark::default(), |l, at| {
            self.head(l, at, "<185>", "0101039426", "type=\"event\" subtype=\"vpn\"", "alert");
            l.s("logdesc=\"SSL VPN login fail\" action=\"ssl-login-fail\" tunneltype=\"ssl-web\" tunnelid=0 remip=").s(remote).s(" srccountry=\"").s(country(remote));
            l.s("\" user=\"").s(user).s("\" group=\"N/A\" dst_host=\"N/A\" reason=\"sslvpn_login_permission_denied\" msg=\"SSL user failed to logged in\"");
        });
    }
}

/// A Windows machine and its Security log: `<Event>` XML, one source a machine.
#[derive(Debug, Clone)]
pub struct Windows {
    pub source: usize,
    pub name: String,
    pub domain: &'static str,
    logon: u64,
}

/// Who acts on a Windows machine.
#[derive(Debug, Clone)]
pub struct Who<'a> {
    pub name: &'a str,
    pub rid: u32,
    pub logon: u64,
}

pub const DOMAIN: &str = "HOSP";
const SID: &str = "S-1-5-21-1870340012-3349911005-902117744";

pub fn sid(rid: u32) -> String {
    format!("{SID}-{rid}")
}

impl Windows {
    pub fn new(source: usize, name: &str) -> Windows {
        Windows {
            source,
            name: name.into(),
            domain: DOMAIN,
            logon: 0x2_0000 + mix(source as u64) % 0xffff,
        }
    }
    pub fn fqdn(&self) -> String {
        format!("{}.hosp.example", self.name)
    }
    /// A LogonId nobody had since the machine started.
    pub fn new_logon(&mut self) -> u64 {
        self.logon += 0x31 + mix(self.logon) % 0x1f00;
        self.logon
    }
    fn event(
        &self,
        sink: &mut Sink,
        t: Ms,
        mark: Mark,
        (id, version, task, ok): (u32, u8, u32, bool),
        data: &[(&str, &str)],
    ) {
        sink.push(self.source, t, mark, |l, at| {
            l.s("<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing' Guid='{54849625-5478-4994-A5BA-3E3B0328C30D}'/><EventID>");
            l.n(u64::from(id)).s("</EventID><Version>").n(u64::from(version)).s("</Version><Level>0</Level><Task>").n(u64::from(task));
            l.s("</Task><Opcode>0</Opcode><Keywords>").s(if ok { "0x8020000000000000" } else { "0x8010000000000000" }).s("</Keywords><TimeCreated SystemTime='");
            civil::put_iso_fine(l.b, at, mix(at as u64) % 10_000, 4);
            l.s("'/><EventRecordID>").hole().s("</EventRecordID><Correlation/><Execution ProcessID='").n(600 + mix(at as u64) % 300).s("' ThreadID='").n(900 + mix(at as u64 + 1) % 9000);
            l.s("'/><Channel>Security</Channel><Computer>").s(&self.name).s(".hosp.example</Computer><Security/></System><EventData>");
            for (k, v) in data {
                l.s("<Data Name='").s(k).s("'>");
                if v.bytes().any(|c| matches!(c, b'<' | b'&' | b'>')) {
                    l.s(&v.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
                } else {
                    l.s(v);
                }
                l.s("</Data>");
            }
            l.s("</EventData></Event>");
        });
    }
    /// 4624. `kind` 3 network, 10 remote desktop, 2 console, 5 service. `package` Kerberos or NTLM; NTLM names the workstation.
    pub fn logon(
        &self,
        sink: &mut Sink,
        t: Ms,
        mark: Mark,
        who: &Who<'_>,
        kind: u8,
        from: (&str, &str),
        package: &str,
    ) {
        let id = format!("{:#x}", who.logon);
        let port = (49_152 + mix(t as u64) % 16_000).to_string();
        let k = kind.to_string();
        let guid = if package == "Kerberos" {
            let m = mix(who.logon);
            format!(
                "{{{:08X}-{:04X}-4{:03X}-A{:03X}-{:012X}}}",
                m >> 32,
                m >> 16 & 0xffff,
                m & 0xfff,
                m >> 20 & 0xfff,
                mix(m) & 0xffff_ffff_ffff
            )
        } else {
            "{00000000-0000-0000-0000-000000000000}".into()
        };
        let (process, program) = if kind == 10 {
            ("User32 ", "C:\\Windows\\System32\\svchost.exe")
        } else if kind == 3 {
            (
                if package == "Kerberos" {
                    "Kerberos"
                } else {
                    "NtLmSsp "
                },
                "-",
            )
        } else {
            ("Advapi  ", "C:\\Windows\\System32\\services.exe")
        };
        let machine = format!("{}$", self.name);
        let subject = kind == 10 || kind == 5;
        self.event(
            sink,
            t,
            mark,
            (4624, 2, 12544, true),
            &[
                (
                    "SubjectUserSid",
                    if subject { "S-1-5-18" } else { "S-1-0-0" },
                ),
                ("SubjectUserName", if subject { &machine } else { "-" }),
                ("SubjectDomainName", if subject { self.domain } else { "-" }),
                ("SubjectLogonId", if subject { "0x3e7" } else { "0x0" }),
                ("TargetUserSid", &sid(who.rid)),
                ("TargetUserName", who.name),
                ("TargetDomainName", self.domain),
                ("TargetLogonId", &id),
                ("LogonType", &k),
                ("LogonProcessName", process),
                (
                    "AuthenticationPackageName",
                    if kind == 10 { "Negotiate" } else { package },
                ),
                (
                    "WorkstationName",
                    if kind == 10 { &self.name } else { from.1 },
                ),
                ("LogonGuid", &guid),
                ("TransmittedServices", "-"),
                (
                    "LmPackageName",
                    if package == "NTLM" { "NTLM V2" } else { "-" },
                ),
                ("KeyLength", if package == "NTLM" { "128" } else { "0" }),
                ("ProcessId", if kind == 3 { "0x0" } else { "0x3f8" }),
                ("ProcessName", program),
                ("IpAddress", from.0),
                (
                    "IpPort",
                    if from.0 == "-" {
                        "-"
                    } else if kind == 10 {
                        "0"
                    } else {
                        &port
                    },
                ),
                ("ImpersonationLevel", "%%1833"),
                ("RestrictedAdminMode", "-"),
                ("TargetOutboundUserName", "-"),
                ("TargetOutboundDomainName", "-"),
                ("VirtualAccount", "%%1843"),
                ("TargetLinkedLogonId", "0x0"),
                ("ElevatedToken", "%%1843"),
            ],
        );
    }
    /// 4672, privileges of an administrator's logon; the list spans lines.
    pub fn privileges(&self, sink: &mut Sink, t: Ms, mark: Mark, who: &Who<'_>) {
        self.event(sink, t, mark, (4672, 0, 12548, true), &[
            ("SubjectUserSid", &sid(who.rid)),
            ("SubjectUserName", who.name),
            ("SubjectDomainName", self.domain),
            ("SubjectLogonId", &format!("{:#x}", who.logon)),
            ("PrivilegeList", "SeSecurityPrivilege\n\t\t\tSeBackupPrivilege\n\t\t\tSeRestorePrivilege\n\t\t\tSeDebugPrivilege"),
        ]);
    }
    /// 4634, end of a logon.
    pub fn logoff(&self, sink: &mut Sink, t: Ms, mark: Mark, who: &Who<'_>, kind: u8) {
        self.event(
            sink,
            t,
            mark,
            (4634, 0, 12545, true),
            &[
                ("TargetUserSid", &sid(who.rid)),
                ("TargetUserName", who.name),
                ("TargetDomainName", self.domain),
                ("TargetLogonId", &format!("{:#x}", who.logon)),
                ("LogonType", &kind.to_string()),
            ],
        );
    }
    /// 4625, refused logon.
    pub fn refused(&self, sink: &mut Sink, t: Ms, mark: Mark, name: &str, from: (&str, &str)) {
        self.event(
            sink,
            t,
            mark,
            (4625, 0, 12544, false),
            &[
                ("SubjectUserSid", "S-1-0-0"),
                ("SubjectUserName", "-"),
                ("SubjectDomainName", "-"),
                ("SubjectLogonId", "0x0"),
                ("TargetUserSid", "S-1-0-0"),
                ("TargetUserName", name),
                ("TargetDomainName", self.domain),
                ("Status", "0xc000006d"),
                ("FailureReason", "%%2313"),
                ("SubStatus", "0xc000006a"),
                ("LogonType", "3"),
                ("LogonProcessName", "NtLmSsp "),
                ("AuthenticationPackageName", "NTLM"),
                ("WorkstationName", from.1),
                ("TransmittedServices", "-"),
                ("LmPackageName", "-"),
                ("KeyLength", "0"),
                ("ProcessId", "0x0"),
                ("ProcessName", "-"),
                ("IpAddress", from.0),
                ("IpPort", "0"),
            ],
        );
    }
    /// 4768 on a domain controller: a ticket-granting ticket for `name` asked from an address.
    pub fn ticket(&self, sink: &mut Sink, t: Ms, mark: Mark, who: (&str, u32), from: &str) {
        let mapped = format!("::ffff:{from}");
        self.event(
            sink,
            t,
            mark,
            (4768, 0, 14339, true),
            &[
                ("TargetUserName", who.0),
                ("TargetDomainName", self.domain),
                ("TargetSid", &sid(who.1)),
                ("ServiceName", "krbtgt"),
                ("ServiceSid", &sid(502)),
                ("TicketOptions", "0x40810010"),
                ("Status", "0x0"),
                ("TicketEncryptionType", "0x12"),
                ("PreAuthType", "2"),
                ("IpAddress", &mapped),
                ("IpPort", &(49_152 + mix(t as u64) % 16_000).to_string()),
                ("CertIssuerName", ""),
                ("CertSerialNumber", ""),
                ("CertThumbprint", ""),
            ],
        );
    }
    /// 4769: a service ticket for `machine`.
    pub fn service_ticket(
        &self,
        sink: &mut Sink,
        t: Ms,
        mark: Mark,
        who: &str,
        machine: &str,
        from: &str,
    ) {
        let mapped = format!("::ffff:{from}");
        let name = format!("{who}@HOSP.EXAMPLE");
        let m = mix(t as u64);
        self.event(
            sink,
            t,
            mark,
            (4769, 0, 14337, true),
            &[
                ("TargetUserName", &name),
                ("TargetDomainName", "HOSP.EXAMPLE"),
                ("ServiceName", &format!("{machine}$")),
                ("ServiceSid", &sid(1000 + machine.len() as u32)),
                ("TicketOptions", "0x40810000"),
                ("TicketEncryptionType", "0x12"),
                ("IpAddress", &mapped),
                ("IpPort", &(49_152 + m % 16_000).to_string()),
                ("Status", "0x0"),
                (
                    "LogonGuid",
                    &format!(
                        "{{{:08X}-0000-4000-8000-{:012X}}}",
                        m >> 32,
                        m & 0xffff_ffff_ffff
                    ),
                ),
                ("TransmittedServices", "-"),
            ],
        );
    }
    /// 5140: a share was opened; the only record that gives its local root.
    pub fn share(
        &self,
        sink: &mut Sink,
        t: Ms,
        mark: Mark,
        who: &Who<'_>,
        from: &str,
        share: &str,
        root: &str,
    ) {
        self.event(
            sink,
            t,
            mark,
            (5140, 1, 12808, true),
            &[
                ("SubjectUserSid", &sid(who.rid)),
                ("SubjectUserName", who.name),
                ("SubjectDomainName", self.domain),
                ("SubjectLogonId", &format!("{:#x}", who.logon)),
                ("ObjectType", "File"),
                ("IpAddress", from),
                ("IpPort", &(49_152 + mix(t as u64) % 16_000).to_string()),
                ("ShareName", &format!("\\\\*\\{share}")),
                ("ShareLocalPath", &format!("\\??\\{root}")),
                ("AccessMask", "0x1"),
                ("AccessList", "%%4416\n\t\t\t\t"),
            ],
        );
    }
    /// 4663: an object was accessed; local path, no address.
    pub fn object(
        &self,
        sink: &mut Sink,
        t: Ms,
        mark: Mark,
        who: &Who<'_>,
        path: &str,
        mask: &str,
        process: &str,
    ) {
        let list = match mask {
            "0x1" => "%%4416\n\t\t\t\t",
            "0x2" => "%%4417\n\t\t\t\t",
            "0x10000" => "%%1537\n\t\t\t\t",
            _ => "%%4423\n\t\t\t\t",
        };
        self.event(
            sink,
            t,
            mark,
            (4663, 1, 12800, true),
            &[
                ("SubjectUserSid", &sid(who.rid)),
                ("SubjectUserName", who.name),
                ("SubjectDomainName", self.domain),
                ("SubjectLogonId", &format!("{:#x}", who.logon)),
                ("ObjectServer", "Security"),
                ("ObjectType", "File"),
                ("ObjectName", path),
                (
                    "HandleId",
                    &format!("{:#x}", 0x400 + mix(t as u64) % 0x4000),
                ),
                ("AccessList", list),
                ("AccessMask", mask),
                ("ProcessId", "0x4"),
                ("ProcessName", process),
                ("ResourceAttributes", "S:AI"),
            ],
        );
    }
    /// 5145: a file of a share was checked for access; path relative to the share.
    pub fn detailed(
        &self,
        sink: &mut Sink,
        t: Ms,
        mark: Mark,
        who: &Who<'_>,
        from: &str,
        share: (&str, &str),
        path: &str,
        mask: &str,
    ) {
        self.event(
            sink,
            t,
            mark,
            (5145, 0, 12811, true),
            &[
                ("SubjectUserSid", &sid(who.rid)),
                ("SubjectUserName", who.name),
                ("SubjectDomainName", self.domain),
                ("SubjectLogonId", &format!("{:#x}", who.logon)),
                ("ObjectType", "File"),
                ("IpAddress", from),
                ("IpPort", &(49_152 + mix(t as u64) % 16_000).to_string()),
                ("ShareName", &format!("\\\\*\\{}", share.0)),
                ("ShareLocalPath", &format!("\\??\\{}", share.1)),
                ("RelativeTargetName", path),
                ("AccessMask", mask),
                (
                    "AccessList",
                    if mask == "0x12019f" || mask == "0x2" {
                        "%%1541\n\t\t\t\t%%4416\n\t\t\t\t%%4417\n\t\t\t\t"
                    } else {
                        "%%1538\n\t\t\t\t%%1541\n\t\t\t\t%%4416\n\t\t\t\t%%4423\n\t\t\t\t"
                    },
                ),
                ("AccessReason", "-"),
            ],
        );
    }
}

/// A Keycloak realm, events as ECS JSON (log.console.json.format=ecs). Only LOGIN carries the user name.
#[derive(Debug, Clone)]
pub struct Keycloak {
    pub source: usize,
    pub realm: &'static str,
    pub client: &'static str,
    pub site: String,
}

/// One login at the identity provider.
#[derive(Debug, Clone)]
pub struct Login<'a> {
    pub user: &'a str,
    pub uuid: &'a str,
    pub session: &'a str,
    pub address: &'a str,
}

impl Keycloak {
    fn event(
        &self,
        sink: &mut Sink,
        t: Ms,
        mark: Mark,
        kind: &str,
        client: &str,
        k: &Login<'_>,
        rest: &[(&str, &str)],
    ) {
        sink.push(self.source, t, mark, |l, at| {
            let m = mix(at as u64);
            l.s("{\"@timestamp\":\"");
            civil::put_iso_fine(l.b, at, m % 1_000_000, 6);
            l.s("\",\"event.sequence\":").hole().s(",\"log.logger\":\"org.keycloak.events\",\"log.level\":\"").s(if kind.ends_with("ERROR") { "WARN" } else { "DEBUG" });
            l.s("\",\"message\":\"type=\\\"").s(kind).s("\\\", realmId=\\\"5d1c77aa-0d1e-4c0e-9f5b-0c2f6f0a7e11\\\", realmName=\\\"").s(self.realm);
            l.s("\\\", clientId=\\\"").s(client).s("\\\", userId=\\\"").s(k.uuid);
            if !k.session.is_empty() {
                l.s("\\\", sessionId=\\\"").s(k.session);
            }
            l.s("\\\", ipAddress=\\\"").s(k.address);
            for (n, v) in rest {
                l.s("\\\", ").s(n).s("=\\\"").s(v);
            }
            l.s("\\\"\",\"process.thread.name\":\"executor-thread-").n(m % 40).s("\",\"process.thread.id\":").n(20 + m % 60);
            l.s(",\"mdc\":{},\"ndc\":\"\",\"host.hostname\":\"kc-a\",\"process.name\":\"/opt/java/bin/java\",\"process.pid\":1,\"ecs.version\":\"1.12.2\",\"data_stream.type\":\"logs\",\"service.name\":\"Keycloak\",\"service.version\":\"26.3.1\",\"service.environment\":\"prod\"}");
        });
    }
    /// LOGIN then CODE_TO_TOKEN a moment later; `token` is the access token's id.
    pub fn login(&self, sink: &mut Sink, t: Ms, mark: Mark, k: &Login<'_>, token: &str) {
        let cb = format!("https://{}/retour", self.site);
        self.event(
            sink,
            t,
            mark,
            "LOGIN",
            self.client,
            k,
            &[
                ("auth_method", "openid-connect"),
                ("auth_type", "code"),
                ("redirect_uri", &cb),
                ("consent", "no_consent_required"),
                ("code_id", k.session),
                ("username", k.user),
            ],
        );
        self.event(
            sink,
            t + 280,
            mark,
            "CODE_TO_TOKEN",
            self.client,
            k,
            &[
                ("token_id", token),
                ("grant_type", "authorization_code"),
                ("refresh_token_type", "Refresh"),
                ("scope", "openid profile"),
                ("code_id", k.session),
                ("client_auth_method", "client-secret"),
            ],
        );
    }
    pub fn logout(&self, sink: &mut Sink, t: Ms, mark: Mark, k: &Login<'_>) {
        let cb = format!("https://{}/", self.site);
        self.event(sink, t, mark, "LOGOUT", "null", k, &[("redirect_uri", &cb)]);
    }
    pub fn refused(&self, sink: &mut Sink, t: Ms, k: &Login<'_>) {
        let cb = format!("https://{}/retour", self.site);
        self.event(
            sink,
            t,
            Mark::default(),
            "LOGIN_ERROR",
            self.client,
            k,
            &[
                ("error", "invalid_user_credentials"),
                ("auth_method", "openid-connect"),
                ("auth_type", "code"),
                ("redirect_uri", &cb),
                ("username", k.user),
            ],
        );
    }
}

/// One request as a reverse proxy logs it.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub host: &'a str,
    pub remote: &'a str,
    pub user: &'a str,
    pub method: &'a str,
    pub url: &'a str,
    pub status: u16,
    pub bytes: u64,
    pub agent: &'a str,
    pub forwarded: &'a str,
    pub id: &'a str,
    pub ms: u64,
}

/// The layout of [`nginx_extended`], as `[[source]] layout` wants it.
pub const EXTENDED: &str = r#"$host $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for" $request_time $request_id"#;

fn clf(l: &mut Line<'_>, at: Ms, r: &Request<'_>) {
    l.s(r.remote).s(" - ").s(r.user).s(" [");
    civil::put_clf(l.b, at);
    l.s("] \"")
        .s(r.method)
        .s(" ")
        .s(r.url)
        .s(" HTTP/1.1\" ")
        .n(u64::from(r.status))
        .s(" ")
        .n(r.bytes)
        .s(" \"-\" \"")
        .s(r.agent)
        .s("\"");
}
/// nginx with virtual host, X-Forwarded-For, request time and request id.
pub fn nginx_extended(sink: &mut Sink, source: usize, t: Ms, mark: Mark, r: &Request<'_>) {
    sink.push(source, t, mark, |l, at| {
        l.s(r.host).s(" ");
        clf(l, at, r);
        l.s(" \"").s(r.forwarded).s("\" ").n(r.ms / 1000).s(".");
        civil::put_num(l.b, r.ms % 1000, 3);
        l.s(" ").s(r.id);
    });
}
/// nginx `combined`, nothing more.
pub fn nginx_combined(sink: &mut Sink, source: usize, t: Ms, mark: Mark, r: &Request<'_>) {
    sink.push(source, t, mark, |l, at| clf(l, at, r));
}
/// nginx with `log_format … escape=json`: one object a line, seconds only.
pub fn nginx_json(sink: &mut Sink, source: usize, t: Ms, mark: Mark, r: &Request<'_>) {
    sink.push(source, t, mark, |l, at| {
        l.s("{\"time_iso8601\":\"");
        let start = l.b.len();
        civil::put_iso_paris(l.b, at);
        // The server writes whole seconds.
        l.b.drain(start + 19..start + 23);
        l.s("\",\"host\":\"")
            .s(r.host)
            .s("\",\"remote_addr\":\"")
            .s(r.remote);
        l.s("\",\"remote_user\":\"")
            .s(if r.user == "-" { "" } else { r.user });
        l.s("\",\"request_method\":\"")
            .s(r.method)
            .s("\",\"request_uri\":\"")
            .s(r.url);
        l.s("\",\"server_protocol\":\"HTTP/2.0\",\"status\":")
            .n(u64::from(r.status));
        l.s(",\"body_bytes_sent\":")
            .n(r.bytes)
            .s(",\"request_time\":")
            .n(r.ms / 1000)
            .s(".");
        civil::put_num(l.b, r.ms % 1000, 3);
        l.s(",\"http_referer\":\"\",\"http_user_agent\":\"")
            .s(r.agent)
            .s("\",\"connection\":")
            .hole()
            .s("}");
    });
}

/// One access as a FHIR server audits it (IHE BALP).
#[derive(Debug, Clone)]
pub struct Access<'a> {
    pub site: &'a str,
    pub server: &'a str,
    pub client: &'a str,
    pub address: &'a str,
    pub user: &'a str,
    pub display: &'a str,
    pub token: &'a str,
    pub request: &'a str,
    pub what: What<'a>,
}
#[derive(Debug, Clone)]
pub enum What<'a> {
    /// A search: the request line, form body of a POST, number of results when the server writes it.
    Search {
        line: &'a str,
        body: &'a str,
        total: Option<usize>,
    },
    /// One resource of one patient was read.
    Read { resource: &'a str, patient: &'a str },
}

pub fn audit_event(sink: &mut Sink, source: usize, t: Ms, mark: Mark, a: &Access<'_>) {
    const DCM: &str = "{\"type\":{\"coding\":[{\"system\":\"http://dicom.nema.org/resources/ontology/DCM\",\"code\":\"";
    sink.push(source, t, mark, |l, at| {
        let search = matches!(a.what, What::Search { .. });
        let m = mix(at as u64 ^ 0xf41);
        l.s("{\"resourceType\":\"AuditEvent\",\"id\":\"");
        l.s(&format!("{m:016x}"));
        l.s("\",\"meta\":{\"profile\":[\"https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.").s(if search { "Query" } else { "PatientRead" });
        l.s("\"]},\"type\":{\"system\":\"http://terminology.hl7.org/CodeSystem/audit-event-type\",\"code\":\"rest\"},\"subtype\":[{\"system\":\"http://hl7.org/fhir/restful-interaction\",\"code\":\"").s(if search { "search-type" } else { "read" });
        l.s("\"}],\"action\":\"").s(if search { "E" } else { "R" }).s("\",\"recorded\":\"");
        civil::put_iso_paris(l.b, at);
        l.s("\",\"outcome\":\"0\",\"agent\":[").s(DCM).s(if search { "110153" } else { "110152" }).s("\"}]},\"who\":{\"identifier\":{\"value\":\"").s(a.client);
        l.s("\"}},\"requestor\":false,\"network\":{\"address\":\"").s(a.address).s("\",\"type\":\"2\"}},").s(DCM).s(if search { "110152" } else { "110153" });
        l.s("\"}]},\"who\":{\"identifier\":{\"value\":\"").s(a.server).s("\"}},\"requestor\":false,\"network\":{\"address\":\"https://").s(a.server);
        l.s("/r4\",\"type\":\"5\"}},{\"type\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ParticipationType\",\"code\":\"IRCP\"}]},\"who\":{\"identifier\":{\"system\":\"https://rpps.esante.gouv.fr\",\"value\":\"").s(a.user);
        l.s("\"},\"display\":\"").s(a.display).s("\"},\"name\":\"").s(a.display).s("\",\"requestor\":true,\"policy\":[\"urn:ietf:params:oauth:jti:").s(a.token);
        l.s("\"]}],\"source\":{\"site\":\"").s(a.site).s("\",\"observer\":{\"identifier\":{\"value\":\"").s(a.server).s("\"}},\"type\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/security-source-type\",\"code\":\"4\"}]},\"entity\":[{\"type\":{\"system\":\"https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType\",\"code\":\"XrequestId\"},\"what\":{\"identifier\":{\"value\":\"");
        l.s(a.request).s("\"}}},");
        match &a.what {
            What::Search { line, body, total } => {
                l.s("{\"type\":{\"system\":\"http://terminology.hl7.org/CodeSystem/audit-entity-type\",\"code\":\"2\"},\"role\":{\"system\":\"http://terminology.hl7.org/CodeSystem/object-role\",\"code\":\"24\"},\"query\":\"");
                let raw = if body.is_empty() {
                    format!("{line} HTTP/1.1\nAccept: application/fhir+json\nX-Request-Id: {}\n", a.request)
                } else {
                    format!("{line} HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\nX-Request-Id: {}\n\n{body}", a.request)
                };
                l.s(&base64::engine::general_purpose::STANDARD.encode(raw)).s("\"");
                if let Some(n) = total {
                    l.s(",\"detail\":[{\"type\":\"total\",\"valueString\":\"").n(*n as u64).s("\"}]");
                }
                l.s("}");
            }
            What::Read { resource, patient } => {
                l.s("{\"what\":{\"reference\":\"").s(resource).s("\"},\"type\":{\"system\":\"http://terminology.hl7.org/CodeSystem/audit-entity-type\",\"code\":\"2\"},\"role\":{\"system\":\"http://terminology.hl7.org/CodeSystem/object-role\",\"code\":\"4\"}},{\"what\":{\"reference\":\"Patient/").s(patient);
                l.s("\"},\"type\":{\"system\":\"http://terminology.hl7.org/CodeSystem/audit-entity-type\",\"code\":\"1\"},\"role\":{\"system\":\"http://terminology.hl7.org/CodeSystem/object-role\",\"code\":\"1\"}}");
            }
        }
        l.s("]}");
    });
}

/// A record opened in the patient file, as ATNA XML inside syslog RFC 5424.
#[derive(Debug, Clone)]
pub struct Opened<'a> {
    pub finess: &'a str,
    pub host: &'a str,
    pub user: &'a str,
    pub display: &'a str,
    pub address: &'a str,
    /// `id^^^&OID&ISO^PI` made from these.
    pub ipp: u64,
    pub oid: &'a str,
    pub resource: &'a str,
    /// R or U; `break_glass` is an emergency override.
    pub action: char,
    pub event: (&'a str, &'a str),
    pub kind: (&'a str, &'a str),
}

pub fn atna(sink: &mut Sink, source: usize, t: Ms, mark: Mark, o: &Opened<'_>) {
    sink.push(source, t, mark, |l, at| {
        l.s("<85>1 ");
        civil::put_iso(l.b, at + 40);
        l.s(" ").s(o.host).s(" dpi 2417 IHE+RFC-3881 - \u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?><AuditMessage><EventIdentification EventActionCode=\"");
        l.b.push(o.action as u8);
        l.s("\" EventDateTime=\"");
        civil::put_iso_paris(l.b, at);
        l.s("\" EventOutcomeIndicator=\"0\"><EventID csd-code=\"").s(o.event.0).s("\" codeSystemName=\"DCM\" originalText=\"").s(o.event.1);
        l.s("\"/><EventTypeCode csd-code=\"").s(o.kind.0).s("\" codeSystemName=\"").s(if o.kind.0.starts_with('1') { "DCM" } else { "DPI" }).s("\" originalText=\"").s(o.kind.1);
        l.s("\"/></EventIdentification><ActiveParticipant UserID=\"").s(o.user).s("\" UserName=\"").s(o.display).s("\" UserIsRequestor=\"true\" NetworkAccessPointID=\"").s(o.address);
        l.s("\" NetworkAccessPointTypeCode=\"2\"/><AuditSourceIdentification AuditEnterpriseSiteID=\"").s(o.finess).s("\" AuditSourceID=\"").s(o.host);
        l.s("\"><AuditSourceTypeCode csd-code=\"4\" codeSystemName=\"DCM\" originalText=\"Application Server Process or Thread\"/></AuditSourceIdentification><ParticipantObjectIdentification ParticipantObjectID=\"");
        l.n(o.ipp).s("^^^&amp;").s(o.oid).s("&amp;ISO^PI\" ParticipantObjectTypeCode=\"1\" ParticipantObjectTypeCodeRole=\"1\" ParticipantObjectDataLifeCycle=\"6\"><ParticipantObjectIDTypeCode csd-code=\"2\" codeSystemName=\"RFC-3881\" originalText=\"Patient Number\"/><ParticipantObjectName></ParticipantObjectName></ParticipantObjectIdentification>");
        if !o.resource.is_empty() {
            l.s("<ParticipantObjectIdentification ParticipantObjectID=\"").s(o.resource).s("\" ParticipantObjectTypeCode=\"2\" ParticipantObjectTypeCodeRole=\"3\"><ParticipantObjectIDTypeCode csd-code=\"12\" codeSystemName=\"RFC-3881\" originalText=\"URI\"/></ParticipantObjectIdentification>");
        }
        l.s("</AuditMessage>");
    });
}

/// One backend of a PostgreSQL server; csvlog of version 16 with pgaudit.
#[derive(Debug, Clone)]
pub struct Backend {
    pub source: usize,
    pub user: String,
    pub database: &'static str,
    pub program: String,
    pub address: String,
    pub port: u16,
    pub pid: u32,
    pub start: Ms,
    line: u64,
    audit: u64,
}

impl Backend {
    pub fn new(
        source: usize,
        user: &str,
        program: &str,
        address: &str,
        pid: u32,
        start: Ms,
    ) -> Backend {
        Backend {
            source,
            user: user.into(),
            database: "dossier",
            program: program.into(),
            address: address.into(),
            port: 40_000 + (mix(start as u64) % 20_000) as u16,
            pid,
            start,
            line: 0,
            audit: 0,
        }
    }
    fn row(
        &mut self,
        sink: &mut Sink,
        t: Ms,
        mark: Mark,
        tag: &str,
        (severity, state): (&str, &str),
        message: &str,
        query: &str,
    ) {
        self.line += 1;
        let shift = sink.shift(self.source);
        sink.push(self.source, t, mark, |l, at| {
            let quote = |l: &mut Line<'_>, s: &str| {
                if !s.is_empty() {
                    l.s("\"").s(&s.replace('"', "\"\"")).s("\"");
                }
            };
            civil::put_pg(l.b, at);
            l.s(",\"")
                .s(&self.user)
                .s("\",\"")
                .s(self.database)
                .s("\",")
                .n(u64::from(self.pid))
                .s(",\"")
                .s(&self.address)
                .s(":")
                .n(u64::from(self.port))
                .s("\",");
            l.s(&format!("{:x}.{:x}", (self.start + shift) / 1000, self.pid))
                .s(",")
                .n(self.line)
                .s(",\"")
                .s(tag)
                .s("\",");
            // Second precision, like the server writes it.
            let whole = l.b.len();
            civil::put_pg(l.b, self.start + shift);
            if let Some(dot) = l.b[whole..].iter().position(|c| *c == b'.') {
                l.b.drain(whole + dot..whole + dot + 4);
            }
            l.s(",")
                .n(3 + u64::from(self.pid) % 90)
                .s("/")
                .n(self.line * 7 + 1)
                .s(",0,")
                .s(severity)
                .s(",")
                .s(state)
                .s(",");
            quote(l, message);
            l.s(",,,,,,");
            quote(l, query);
            l.s(",,,");
            l.s("\"").s(&self.program).s("\",\"client backend\",,0");
        });
    }
    pub fn connect(&mut self, sink: &mut Sink, mark: Mark) {
        let t = self.start;
        let m = format!(
            "connection authorized: user={} database={} application_name={}",
            self.user, self.database, self.program
        );
        self.row(sink, t, mark, "authentication", ("LOG", "00000"), &m, "");
    }
    pub fn disconnect(&mut self, sink: &mut Sink, t: Ms, mark: Mark) {
        let s = (t - self.start) / 1000;
        let m = format!(
            "disconnection: session time: {}:{:02}:{:02}.118 user={} database={} host={} port={}",
            s / 3600,
            s / 60 % 60,
            s % 60,
            self.user,
            self.database,
            self.address,
            self.port
        );
        self.row(sink, t, mark, "idle", ("LOG", "00000"), &m, "");
    }
    /// pgaudit writes the statement before it runs.
    pub fn query(&mut self, sink: &mut Sink, t: Ms, mark: Mark, object: &str, sql: &str) {
        self.audit += 1;
        let m = format!(
            "AUDIT: SESSION,{},1,READ,SELECT,TABLE,{object},\"{}\",<not logged>",
            self.audit,
            sql.replace('"', "\"\"")
        );
        self.row(sink, t, mark, "SELECT", ("LOG", "00000"), &m, "");
    }
    /// The statement before failed.
    pub fn error(
        &mut self,
        sink: &mut Sink,
        t: Ms,
        mark: Mark,
        state: &str,
        message: &str,
        sql: &str,
    ) {
        self.row(sink, t, mark, "SELECT", ("ERROR", state), message, sql);
    }
    /// Somebody ended the backend while a statement ran.
    pub fn killed(&mut self, sink: &mut Sink, t: Ms, mark: Mark, sql: &str) {
        self.row(
            sink,
            t,
            mark,
            "SELECT",
            ("FATAL", "57P01"),
            "terminating connection due to administrator command",
            sql,
        );
    }
}

/// Checkpoint lines of the PostgreSQL server, every five minutes.
pub fn checkpoints(sink: &mut Sink, source: usize, from: Ms, to: Ms) {
    let mut t = from.div_euclid(300_000) * 300_000 + 17_000;
    while t < to {
        if t >= from {
            sink.push(source, t, Mark::default(), |l, at| {
                civil::put_pg(l.b, at);
                l.s(",,,812,,66a1f000.32c,").hole().s(",,");
                let whole = l.b.len();
                civil::put_pg(l.b, at - at.rem_euclid(DAY));
                if let Some(dot) = l.b[whole..].iter().position(|c| *c == b'.') {
                    l.b.drain(whole + dot..whole + dot + 4);
                }
                l.s(",,0,LOG,00000,\"checkpoint complete: wrote ").n(mix(at as u64) % 900).s(" buffers (0.1%); 0 WAL file(s) added, 0 removed, 0 recycled; write=3.301 s, sync=0.004 s, total=3.320 s\",,,,,,,,,\"\",\"checkpointer\",,0");
            });
        }
        t += 300_000;
    }
}
