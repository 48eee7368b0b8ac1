//! Files a central syslog wrote, in which several programs speak: what the file's source does not know goes to the source that does,
//! program by program; lines of appliances that name no program are asked about one by one. Standards: RFC 3164 §4.1 (TAG), RFC 5424 §6.2.5 (APP-NAME).
use crate::{
    Confidence, Decode, Decoded, Head, MAPPED, Setting, Source, envelope, lines, mapped, reader,
    syslog, time::Clock,
};
use rustc_hash::FxHashMap;

/// Programs of one file that are told apart; lines of further ones go to the file's own source.
const PROGRAMS: usize = 1024;
/// Lines of one program looked at before it is left to the file's own source, and lines looked at in one file.
const TRIES: u8 = 64;
const TRIES_ALL: u32 = 4096;

/// The source that claims a file, or the one for syslog of anything where other sources know more of its lines.
pub(crate) fn shared(
    head: &Head<'_>,
    setting: &Setting,
    (sure, source): (Confidence, &'static dyn Source),
) -> (Confidence, &'static dyn Source) {
    let mixed = &mapped::SyslogMixed;
    if source.name() == mixed.name() {
        return (sure, source);
    }
    let mut clock = Clock::new(&Setting::default());
    let programs: Vec<(&[u8], Option<String>)> = (lines::sample(head))
        .map(|l| (l, program(l, &mut clock).map(|p| p.0)))
        .collect();
    let headed = programs.iter().filter(|p| p.1.is_some()).count();
    if headed * 3 < programs.len() * 2 {
        return (sure, source);
    }
    let (mut mine, mut others) = (0, 0);
    for (bytes, program) in programs {
        let Some(program) = program else { continue };
        let line = Head { bytes, whole: true };
        if source.sniff(&line) > Confidence::No {
            mine += 1;
        } else if mapped::claims().contains_key(&*program)
            || envelope::likely(&line, setting).is_some()
        {
            others += 1;
        }
    }
    match others > mine {
        true => (mixed.sniff(head).max(Confidence::Maybe), mixed),
        false => (sure, source),
    }
}

/// A header, and not only the stamp many logs begin with.
fn speaks(h: &syslog::Header<'_>) -> bool {
    !h.program.is_empty() || h.priority.is_some() || !h.host.is_empty()
}

/// Puts the decoder of a file behind one that listens for other programs, when the lines name theirs.
pub(crate) fn listen(
    head: &Head<'_>,
    setting: &Setting,
    source: &'static dyn Source,
    decoder: Box<dyn Decode>,
) -> Box<dyn Decode> {
    let mut clock = Clock::new(setting);
    let (mut all, mut headed, mut named) = (0, 0, 0);
    for line in lines::sample(head) {
        all += 1;
        let program = program(line, &mut clock);
        headed += usize::from(program.is_some());
        named += usize::from(program.is_some_and(|p| !p.0.is_empty()));
    }
    if named == 0 || headed * 3 < all * 2 {
        return decoder;
    }
    Box::new(Speakers {
        setting: setting.clone(),
        clock,
        source,
        decoders: vec![decoder],
        sources: vec![(source, false)],
        programs: FxHashMap::default(),
        tries: 0,
        speaks: 0,
    })
}

/// The program a line names in its header, empty where an appliance names none, and its machine. `None` without a header.
fn program(line: &[u8], clock: &mut Clock) -> Option<(String, String)> {
    // A header is in the first bytes, whatever the message holds.
    let text = lines::text(&line[..line.len().min(512)]);
    let h = syslog::header(&text, clock).filter(speaks)?;
    Some((h.program.to_string(), h.host.to_string()))
}

/// Who reads the lines of a program.
#[derive(Clone, Copy)]
enum Voice {
    /// A decoder, by its place.
    Known(usize),
    /// Nobody so far, after so many lines: the file's own source meanwhile.
    Open(u8),
}

struct Speakers {
    setting: Setting,
    clock: Clock,
    /// Of the file.
    source: &'static dyn Source,
    /// The file's own first.
    decoders: Vec<Box<dyn Decode>>,
    sources: Vec<(&'static dyn Source, bool)>,
    programs: FxHashMap<(String, String), Voice>,
    tries: u32,
    /// Whose line was the last.
    speaks: usize,
}

impl Speakers {
    /// The place of the decoder for a line. One that names no program goes on where the line before it stands.
    fn voice(&mut self, line: &[u8]) -> usize {
        if lines::is_blank(line) || line.first() == Some(&b'#') {
            return self.speaks;
        }
        let Some(program) = program(line, &mut self.clock) else {
            return self.speaks;
        };
        if program.0.is_empty() {
            return self.nameless(program, line);
        }
        let tried = match self.programs.get(&program) {
            Some(Voice::Known(at)) => return *at,
            Some(Voice::Open(n)) => *n,
            None if self.programs.len() >= PROGRAMS => return 0,
            None => 0,
        };
        if tried >= TRIES || self.tries >= TRIES_ALL {
            return 0;
        }
        self.tries += 1;
        let voice = match self.claimed(&program.0, line) {
            Some(at) => Voice::Known(at),
            None => Voice::Open(tried + 1),
        };
        self.programs.insert(program, voice);
        match voice {
            Voice::Known(at) => at,
            Voice::Open(_) => 0,
        }
    }
    /// The same for a line that names no program, which tells nothing of the next one from that machine.
    fn nameless(&mut self, machine: (String, String), line: &[u8]) -> usize {
        let head = Head {
            bytes: line,
            whole: true,
        };
        let last = match self.programs.get(&machine) {
            Some(Voice::Known(at)) => Some(*at),
            _ => None,
        };
        let knows = |at: &usize| self.sources[*at].0.sniff(&head) >= Confidence::Likely;
        let met = last.into_iter().chain(0..self.sources.len());
        if let Some(at) = met.into_iter().find(knows) {
            self.programs.insert(machine, Voice::Known(at));
            return at;
        }
        if self.tries >= TRIES_ALL || self.programs.len() >= PROGRAMS {
            return 0;
        }
        self.tries += 1;
        let at = self.claimed("", line).unwrap_or(0);
        if at > 0 {
            self.programs.insert(machine, Voice::Known(at));
        }
        at
    }
    /// The decoder of the source that reads a line: the file's own first, then the one that knows the program by its name, which
    /// nobody who writes into a message can change, then the one that claims the message.
    fn claimed(&mut self, program: &str, line: &[u8]) -> Option<usize> {
        let head = Head {
            bytes: line,
            whole: true,
        };
        let own = self.source.name();
        let by_name = mapped::claims().get(program);
        let by_name = by_name.map(|i| &MAPPED[usize::from(*i)] as &'static dyn Source);
        let mut known = by_name;
        if own == mapped::SyslogMixed.name() {
            // It asks those itself.
            if by_name.is_some() {
                return Some(0);
            }
        } else {
            let mine = reader::decode_bytes(self.source, line, &self.setting);
            if envelope::tells(&mine) > 0 {
                return Some(0);
            }
            if by_name.is_none() && syslog::keeps_house(program) {
                known = Some(&mapped::SyslogMixed as &'static dyn Source);
                if mine.event_count > 0 {
                    return Some(0);
                }
            }
        }
        if let Some(source) = known.or_else(|| envelope::likely(&head, &self.setting)) {
            return Some(self.place(source, false, line));
        }
        // Some sources know nothing of headers.
        let text = lines::text(line);
        let message = envelope::message(&text, &mut self.clock)?;
        let head = Head {
            bytes: message.as_bytes(),
            whole: true,
        };
        let source = envelope::likely(&head, &self.setting)?;
        Some(self.place(source, true, message.as_bytes()))
    }
    /// The decoder of a source, a new one where there is none yet. `peeled`: for what stands behind the header alone.
    fn place(&mut self, source: &'static dyn Source, peeled: bool, bytes: &[u8]) -> usize {
        let is = |s: &(&'static dyn Source, bool)| s.0.name() == source.name() && s.1 == peeled;
        if let Some(at) = self.sources.iter().position(is) {
            return at;
        }
        let decoder = if peeled {
            envelope::peeled(source, bytes, &self.setting)
        } else {
            source.open(&Head { bytes, whole: true }, &self.setting)
        };
        self.sources.push((source, peeled));
        self.decoders.push(decoder);
        self.sources.len() - 1
    }
}

impl Decode for Speakers {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let base = out.base;
        let mut done = 0;
        // Who speaks next, once he was heard: a line is asked about once, wherever the input is cut.
        let mut heard: Option<usize> = None;
        while done < bytes.len() {
            // The next lines of one speaker.
            let (mut to, mut voice, mut changes) = (done, None, false);
            while to < bytes.len() {
                let end = match memchr::memchr(b'\n', &bytes[to..]) {
                    Some(n) => to + n + 1,
                    None if last => bytes.len(),
                    None => break,
                };
                let line = bytes[to..end].trim_ascii_end();
                let who = match heard.take() {
                    Some(who) => who,
                    None => self.voice(line),
                };
                if voice.is_some_and(|v| v != who) {
                    changes = true;
                    heard = Some(who);
                    break;
                }
                voice = Some(who);
                self.speaks = who;
                to = end;
            }
            let Some(who) = voice else { break };
            let ends = last && to == bytes.len();
            out.base = base + done as u64;
            let decoder = &mut self.decoders[who];
            let mut taken = decoder.decode(&bytes[done..to], ends, out).min(to - done);
            if changes && taken < to - done {
                // Somebody else goes on: what the decoder waits for does not come.
                out.base = base + (done + taken) as u64;
                taken += decoder.decode(&bytes[done + taken..to], true, out);
                taken = taken.min(to - done);
            }
            if changes {
                out.base = base + (done + taken) as u64;
                decoder.finish(out);
            }
            if taken < to - done {
                done += taken;
                break;
            }
            done = to;
        }
        out.base = base;
        done
    }
    fn finish(&mut self, out: &mut Decoded) {
        for d in &mut self.decoders {
            d.finish(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::{Collect, Limits, read_bytes};

    const AUDIT: &str = r#"{"resourceType":"AuditEvent","id":"a1","type":{"system":"http://terminology.hl7.org/CodeSystem/audit-event-type","code":"rest"},"action":"R","recorded":"2025-03-03T09:00:02Z","outcome":"0","agent":[{"who":{"identifier":{"value":"99700000001"}},"requestor":true}],"source":{"observer":{"display":"sri"}}}"#;

    fn line(host: &str, program: &str, message: &str) -> String {
        format!("<134>Mar  3 10:00:01 {host} {program}: {message}\n")
    }

    fn file() -> String {
        let web = |path: &str| {
            line(
                "web1",
                "nginx",
                &format!(
                    "192.0.2.9 - marie [03/Mar/2025:10:00:01 +0100] \"GET {path} HTTP/1.1\" 200 51 \"-\" \"x\""
                ),
            )
        };
        let idp = line(
            "idp1",
            "keycloak",
            r#"{"@timestamp":"2025-03-03T09:00:01Z","log.logger":"org.keycloak.events","message":"type=\"LOGIN\", realmId=\"r\", clientId=\"c\", userId=\"u1\", ipAddress=\"192.0.2.9\", username=\"marie\""}"#,
        );
        let ssh = line(
            "srv1",
            "sshd[411]",
            "Accepted publickey for root from 192.0.2.7 port 52345 ssh2: RSA SHA256:abc",
        );
        // What somebody writes into a name decides nothing.
        let hostile = line(
            "srv1",
            "sshd[411]",
            "Failed password for invalid user org.keycloak.events from 192.0.2.6 port 1 ssh2",
        );
        let house = line(
            "srv1",
            "CRON[12]",
            "(root) CMD (run-parts /etc/cron.hourly)",
        );
        // Nobody knows what it told.
        let nobody = line("dpi1", "dpi-app", "patient 4711 ouvert par marie");
        // Its source knows nothing of headers.
        let json = line(
            "web2",
            "nginx",
            r#"{"time":"2025-03-03T10:00:01+01:00","remote_addr":"192.0.2.8","remote_user":"paul","request":"GET /d HTTP/1.1","status":200,"body_bytes_sent":7}"#,
        );
        let mut all = web("/a").repeat(70);
        all += &idp;
        all += &hostile;
        all += &line("sri1", "fhir-audit", AUDIT);
        all += &web("/b");
        all += &nobody;
        all += &ssh;
        all += &idp;
        all += &web("/c");
        all += &house;
        all += &json;
        all
    }

    #[test]
    fn appliances_that_name_no_program_are_heard() {
        let mut text = line("srv1", "app", "patient 4711 ouvert par marie").repeat(20);
        let headless = |host: &str, message: &str| format!("Mar  3 10:00:01 {host} {message}\n");
        text += &headless(
            "asa1",
            ": %ASA-6-113039: Group <GP> User <marie> IP <203.0.113.7> AnyConnect parent session started.",
        );
        text += &headless(
            "fw1",
            r#"id=firewall time="2025-03-03 10:00:01" fw="fw1" tz=+0100 startime="2025-03-03 10:00:01" error=0 user="paul" remotenet=10.8.0.6 src=203.0.113.9 msg="SSL tunnel created" logtype="xvpn""#,
        );
        text += &line("srv1", "app", "patient 4712 ouvert par marie");
        let (all, report) = read(&text, 1 << 20);
        assert_eq!((report.events, report.rejects), (23, 0));
        let told = |at: usize| (all.events[at].verb, &*all.events[at].user);
        use ampleur_event::Verb;
        assert_eq!(told(20), (Verb::TunnelUp, "marie"));
        assert_eq!(told(21), (Verb::TunnelUp, "paul"));
        assert_eq!(told(22), (Verb::Other, ""));
    }

    fn read(text: &str, block: usize) -> (Collect, crate::reader::FileReport) {
        let mut all = Collect::default();
        let limits = Limits {
            block_bytes: block,
            ..Limits::default()
        };
        let setting = Setting {
            year_hint: Some(2025),
            ..Setting::default()
        };
        let report = read_bytes(text.as_bytes(), 0, None, &setting, &limits, &mut all).unwrap();
        (all, report)
    }

    #[test]
    fn every_program_is_read_by_the_source_that_knows_it() {
        let text = file();
        let (all, report) = read(&text, 1 << 20);
        assert_eq!(report.format, "http-access");
        // The file's own source keeps what nobody knows.
        assert_eq!((report.records, report.events, report.rejects), (80, 79, 1));
        let told = |at: usize| {
            let e = &all.events[at];
            (e.user.to_string(), e.system, e.record)
        };
        use ampleur_event::System;
        assert_eq!(told(70), ("marie".into(), System::Oidc, 71));
        assert_eq!(all.events[71].user, "org.keycloak.events");
        assert_eq!(all.events[71].system, System::Host);
        assert_eq!(told(72), ("99700000001".into(), System::Rpps, 73));
        assert_eq!(all.events[73].url, "/b");
        assert_eq!(told(74), ("root".into(), System::Host, 76));
        assert_eq!(told(75).2, 77);
        assert_eq!(all.events[76].url, "/c");
        assert_eq!(all.events[77].process, "CRON");
        let e = &all.events[78];
        assert_eq!((&*e.user, &*e.url, e.record), ("paul", "/d", 80));
        for e in &all.events {
            let (from, len) = (e.offset as usize, e.len as usize);
            assert!(
                text[from..from + len].starts_with("<134>Mar")
                    && text[from..].find('\n') == Some(len - 1)
            );
        }
    }

    /// One line of a program that is sure of itself does not make the file, and appliances that name no program are heard.
    #[test]
    fn a_file_of_many_is_nobodys_own() {
        let mut text = String::new();
        for (at, message) in [
            "fgt2 date=2025-03-03 time=10:00:01 devname=\"FGT2\" devid=\"FG1\" eventtime=1740992401000000000 tz=\"+0100\" logid=\"0101039424\" type=\"event\" subtype=\"vpn\" action=\"tunnel-up\" tunneltype=\"ssl-tunnel\" tunnelid=7 remip=203.0.113.8 tunnelip=192.0.2.131 user=\"adurand\" msg=\"SSL tunnel established\"",
            "asa2 %ASA-4-722051: Group <G> User <adurand> IP <203.0.113.8> IPv4 Address <192.0.2.132> IPv6 address <::> assigned to session",
            "sns2 id=firewall time=\"2025-03-03 10:00:01\" fw=\"SNS2\" tz=+0100 startime=\"2025-03-03 10:00:01\" user=\"adurand\" domain=\"h.example\" src=203.0.113.8 dst=192.0.2.1 msg=\"SSL tunnel created\" logtype=\"xvpn\"",
            "srv2 sshd[7]: Accepted password for adurand from 203.0.113.8 port 50011 ssh2",
            "vpn2 openvpn[9]: adurand/203.0.113.8:50011 MULTI: Learn: 192.0.2.134 -> adurand/203.0.113.8:50011",
            "ldap2 slapd[3]: conn=9 op=1 BIND dn=\"uid=adurand,dc=h,dc=example\" mech=SIMPLE ssf=0",
        ]
        .iter()
        .enumerate()
        {
            text += &format!("Mar  3 10:00:0{at} {message}\n");
        }
        let (all, report) = read(&text, 1 << 20);
        assert_eq!((report.format, report.events), ("syslog", 6));
        for e in &all.events {
            assert_eq!(e.user, "adurand", "{e:?}");
            assert_ne!(e.time, ampleur_event::time::NO_TIME, "{e:?}");
            assert!(!e.host.is_empty(), "{e:?}");
        }
        let lent: Vec<&str> = all.events.iter().map(|e| &*e.inner_ip).collect();
        assert_eq!(
            lent,
            ["192.0.2.131", "192.0.2.132", "", "", "192.0.2.134", ""]
        );
    }

    #[test]
    fn blocks_change_nothing() {
        let text = file();
        let (whole, _) = read(&text, 1 << 20);
        for block in [1, 50, 333, 4096] {
            let (cut, report) = read(&text, block);
            assert_eq!(cut.events, whole.events, "{block}");
            assert_eq!((report.records, report.rejects), (80, 1));
        }
    }
}
