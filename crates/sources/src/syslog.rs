//! The envelope many records travel in: priority, time, host, program. Standards: RFC 5424 §6, RFC 3164 §4.1, framing RFC 6587 §3.4.1.
//! Tolerant: any part may be missing, and what is no header is left to the decoder.
use crate::time::{self, Clock, Stamp};

/// What stood in front of a message. Parts that are not there are empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    pub priority: Option<u16>,
    pub time: Stamp,
    pub host: &'a str,
    pub program: &'a str,
    pub pid: Option<u64>,
    /// MSGID of RFC 5424.
    pub id: &'a str,
    /// Where the message begins in the line.
    pub message: usize,
}

/// `<189>` at the front: its number and its length.
#[inline]
pub fn priority(line: &str) -> Option<(u16, usize)> {
    let b = line.as_bytes();
    if *b.first()? != b'<' {
        return None;
    }
    let end = b.iter().take(6).position(|c| *c == b'>')?;
    Some((line.get(1..end)?.parse().ok()?, end + 1))
}

/// Length of an octet count (`123 <13>1 …`) at the front. The count itself is not trusted: lines are cut at line ends.
#[inline]
pub fn octet_count(line: &str) -> usize {
    let n = line.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=6).contains(&n) && line[n..].starts_with(" <") {
        n + 1
    } else {
        0
    }
}

/// Peels the header off a line. `None` when the line does not begin like one (no priority and no stamp).
pub fn header<'a>(line: &'a str, clock: &mut Clock) -> Option<Header<'a>> {
    let mut at = octet_count(line);
    let mut h = Header {
        priority: None,
        time: Stamp::NONE,
        host: "",
        program: "",
        pid: None,
        id: "",
        message: 0,
    };
    if let Some((p, n)) = priority(&line[at..]) {
        h.priority = Some(p);
        at += n;
        let rest = &line[at..];
        if let Some(body) = rest.strip_prefix("1 ") {
            return rfc5424(line, line.len() - body.len(), h, clock);
        }
    }
    at += spaces(&line[at..]);
    let rest = &line[at..];
    let stamped = if let Some((y, n)) = time::bsd(rest.as_bytes()) {
        // `Sep 24 2021 10:04:52` and `Sep 24 10:04:52 2021` are read below; a year right after the time is part of it.
        let after = rest.get(n..).unwrap_or("");
        let year = after.strip_prefix(' ').and_then(|a| {
            let y = a.get(..4)?;
            (y.bytes().all(|b| b.is_ascii_digit())
                && matches!(a.as_bytes().get(4), Some(b' ' | b':')))
            .then(|| y.parse::<i64>().ok())
            .flatten()
        });
        match year
            .filter(|y| (1990..2200).contains(y))
            .and_then(|y0| time::civil(y0, y.month, y.day, y.hour, y.minute, y.second, y.nanos))
        {
            Some(local) => {
                h.time = clock.local(local);
                Some(n + 5)
            }
            None => {
                h.time = clock.yearless(y);
                Some(n)
            }
        }
    } else if let Some((local, offset, n)) = time::iso(rest.as_bytes()) {
        h.time = clock.stamp(local, offset);
        Some(n)
    } else if let Some((local, offset, n)) = time::named(rest.as_bytes()) {
        h.time = clock.stamp(local, offset);
        Some(n)
    } else {
        None
    };
    let Some(n) = stamped else {
        h.message = at;
        return h.priority.map(|_| h);
    };
    at += n;
    if line[at..].starts_with(':') {
        at += 1;
    }
    at += spaces(&line[at..]);
    // HOST PROGRAM[PID]: message. A word that is already the program has no host before it.
    let (word, len) = first_word(&line[at..]);
    if !is_tag(word) && is_host(word) {
        let next = at + len + spaces(&line[at + len..]);
        h.host = word;
        at = next;
    }
    let (word, len) = first_word(&line[at..]);
    if is_tag(word) {
        let tag = word.trim_end_matches(':');
        match tag.split_once('[') {
            Some((p, rest)) => {
                h.program = p;
                h.pid = rest.trim_end_matches(']').parse().ok();
            }
            None => h.program = tag,
        }
        at += len;
        at += spaces(&line[at..]);
    }
    h.message = at;
    Some(h)
}

fn rfc5424<'a>(
    line: &'a str,
    from: usize,
    mut h: Header<'a>,
    clock: &mut Clock,
) -> Option<Header<'a>> {
    let mut at = from;
    let mut field = || {
        let rest = line.get(at..).unwrap_or("");
        let (w, n) = first_word(rest);
        at += n;
        if line[at..].starts_with(' ') {
            at += 1;
        }
        if w == "-" { "" } else { w }
    };
    let stamp = field();
    h.host = field();
    h.program = field();
    h.pid = field().parse().ok();
    h.id = field();
    if let Some((local, offset, _)) = time::iso(stamp.as_bytes()) {
        h.time = clock.stamp(local, offset);
    }
    at += structured_data(&line[at..]);
    if line[at..].starts_with(' ') {
        at += 1;
    }
    if line[at..].starts_with('\u{feff}') {
        at += 3;
    }
    h.message = at;
    Some(h)
}

/// Length of `-` or of `[id name="value" …][…]`, quotes and escapes respected; 0 when there is none.
fn structured_data(text: &str) -> usize {
    let b = text.as_bytes();
    if b.first() == Some(&b'-') {
        return 1;
    }
    let mut at = 0;
    while b.get(at) == Some(&b'[') {
        let (mut i, mut quoted) = (at + 1, false);
        loop {
            match b.get(i) {
                None => return at,
                Some(b'\\') if quoted => i += 1,
                Some(b'"') => quoted = !quoted,
                Some(b']') if !quoted => break,
                _ => {}
            }
            i += 1;
        }
        at = i + 1;
    }
    at
}

/// Programs of any machine that keep house: what they say is kept and tells of no access.
pub fn keeps_house(program: &str) -> bool {
    const NAMES: [&str; 72] = [
        "CRON",
        "NetworkManager",
        "acpid",
        "agetty",
        "anacron",
        "ansible",
        "apt",
        "atd",
        "audispd",
        "avahi-daemon",
        "chronyd",
        "clamd",
        "collectd",
        "containerd",
        "cron",
        "crond",
        "crontab",
        "cupsd",
        "dbus",
        "dbus-broker",
        "dbus-daemon",
        "dhclient",
        "dhcpcd",
        "dnsmasq",
        "dockerd",
        "dracut",
        "firewalld",
        "freshclam",
        "fwupd",
        "irqbalance",
        "iscsid",
        "kernel",
        "kubelet",
        "lldpd",
        "logrotate",
        "lvm",
        "master",
        "mcelog",
        "mdadm",
        "motd",
        "multipathd",
        "named",
        "nagios",
        "nrpe",
        "nscd",
        "nslcd",
        "ntpd",
        "packagekitd",
        "polkitd",
        "puppet-agent",
        "rngd",
        "rpcbind",
        "rsyslogd",
        "rtkit-daemon",
        "run-parts",
        "smartd",
        "snapd",
        "snmpd",
        "sssd",
        "syslog-ng",
        "systemd",
        "telegraf",
        "thermald",
        "tuned",
        "udevd",
        "udisksd",
        "unattended-upgrade",
        "unbound",
        "upowerd",
        "wpa_supplicant",
        "zabbix_agentd",
        "zed",
    ];
    const FAMILIES: [&str; 4] = ["systemd-", "postfix/", "pm-", "dbus-"];
    NAMES.binary_search(&program).is_ok() || FAMILIES.iter().any(|f| program.starts_with(f))
}

#[inline]
fn spaces(text: &str) -> usize {
    text.bytes().take_while(|b| *b == b' ').count()
}

#[inline]
fn first_word(text: &str) -> (&str, usize) {
    let n = memchr::memchr(b' ', text.as_bytes()).unwrap_or(text.len());
    (&text[..n], n)
}

/// A word that may name a machine: no sign of a payload that begins right after the stamp (`1,2021/03/24`, `%ASA-6-1:`, `id=fw`).
fn is_host(word: &str) -> bool {
    !word.is_empty()
        && !word
            .bytes()
            .any(|b| matches!(b, b',' | b'=' | b'|' | b'%' | b'{' | b'"' | b'<' | b';'))
}

/// `smbd[2725]:`, `openvpn:`; not a bare host name.
fn is_tag(word: &str) -> bool {
    let Some(bare) = word.strip_suffix(':') else {
        return false;
    };
    let name = bare.split('[').next().unwrap_or(bare);
    !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-./()@".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Setting;
    use ampleur_event::time::rfc3339;

    fn peel(line: &str) -> (String, String, String, Option<u64>, &str) {
        let mut clock = Clock::new(&Setting {
            year_hint: Some(2021),
            ..Setting::default()
        });
        let h = header(line, &mut clock).unwrap();
        (
            rfc3339(h.time.time),
            h.host.into(),
            h.program.into(),
            h.pid,
            &line[h.message..],
        )
    }

    #[test]
    fn house_keepers_are_known_by_name() {
        for p in ["CRON", "zed", "kernel", "systemd-logind", "postfix/smtp"] {
            assert!(keeps_house(p), "{p}");
        }
        for p in ["", "nginx", "dpi-app", "cron2"] {
            assert!(!keeps_house(p), "{p}");
        }
    }
    #[test]
    fn headers_of_both_standards_are_peeled() {
        let s = String::from;
        assert_eq!(
            peel("Sep 24 10:04:52 host2 smb[2725]: Auth: x"),
            (
                s("2021-09-24T10:04:52.000Z"),
                s("host2"),
                s("smb"),
                Some(2725),
                "Auth: x"
            )
        );
        assert_eq!(
            peel("<134> Mar 10 12:34:56 fortigate date=2024-03-10"),
            (
                s("2021-03-10T12:34:56.000Z"),
                s("fortigate"),
                s(""),
                None,
                "date=2024-03-10"
            )
        );
        assert_eq!(
            peel(
                "<29>1 2024-03-10T12:34:56.5+01:00 fw app 12 ID7 [a@1 b=\"]\\\"\"] \u{feff}msg here"
            ),
            (
                s("2024-03-10T11:34:56.500Z"),
                s("fw"),
                s("app"),
                Some(12),
                "msg here"
            )
        );
        assert_eq!(
            peel("96 <13>1 - - - - - - hello"),
            (s(""), s(""), s(""), None, "hello")
        );
        assert_eq!(
            peel("2024-03-10T12:34:56.123456+01:00 host openvpn[7]: text: more"),
            (
                s("2024-03-10T11:34:56.123Z"),
                s("host"),
                s("openvpn"),
                Some(7),
                "text: more"
            )
        );
        assert_eq!(
            peel("Sep 24 2020 10:04:52 h a: b").0,
            "2020-09-24T10:04:52.000Z"
        );
        assert!(header("no header here", &mut Clock::new(&Setting::default())).is_none());
    }
}
