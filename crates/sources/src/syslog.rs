//! The envelope many records travel in: priority, time, host, program. Standards: RFC 5424 §6, RFC 3164 §4.1, framing RFC 6587 §3.4.1.
//! Tolerant: any part may be missing, and what is no header is left to the decoder.
use crate::time::{self, Clock, Stamp};
use ampleur_event::time::{DAY, Nanos};
use std::{borrow::Cow, sync::LazyLock};

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

/// The number of a priority as text.
pub(crate) fn priority_text(n: u16) -> Cow<'static, str> {
    static KNOWN: LazyLock<Vec<String>> =
        LazyLock::new(|| (0..192).map(|n: u16| n.to_string()).collect());
    match KNOWN.get(usize::from(n)) {
        Some(text) => Cow::Borrowed(text),
        None => Cow::Owned(n.to_string()),
    }
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
        if let [b'1', b' ', ..] = rest.as_bytes() {
            return rfc5424(line, at + 2, h, clock);
        }
    }
    at += spaces(&line[at..]);
    // Cisco's EMBLEM has a colon before the stamp.
    if h.priority.is_some() && line[at..].starts_with(':') {
        at += 1 + spaces(&line[at + 1..]);
    }
    let rest = &line[at..];
    let stamped = if let Some((y, n)) = time::bsd(rest.as_bytes()) {
        // `Sep 24 2021 10:04:52` and `Sep 24 10:04:52 2021` are read below; a year right after the time is part of it.
        let after = rest.get(n..).unwrap_or("");
        match year(after)
            .filter(|y| (1990..2200).contains(y))
            .and_then(|y0| time::civil(y0, y.month, y.day, y.hour, y.minute, y.second, y.nanos))
        {
            Some(local) => {
                let utc = zone(&after[5..]).1;
                h.time = clock.stamp(local, utc.then_some(0));
                Some(n + 5)
            }
            None => {
                h.time = clock.yearless(y);
                if zone(after).1 {
                    h.time = in_utc(&y, h.time, clock);
                }
                Some(n)
            }
        }
    } else if let Some((local, offset, n)) = time::iso(rest.as_bytes()) {
        h.time = clock.stamp(local, offset);
        Some(n)
    } else if let Some((local, offset, n)) = time::named(rest.as_bytes()) {
        h.time = clock.stamp(local, offset);
        Some(n)
    } else if let Some(local) = colons(rest.as_bytes()) {
        h.time = clock.local(local);
        Some(19)
    } else {
        None
    };
    let Some(n) = stamped else {
        h.message = at;
        return h.priority.map(|_| h);
    };
    at += n;
    at += zone(&line[at..]).0;
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
        // `Mar 12 08:14:23 relay Mar 12 2025 08:14:22: …`: the device's own stamp says the year, the relay's does not.
        if let Some((time, n)) = dated(&line[at..], clock) {
            h.time = time;
            at += n;
            at += zone(&line[at..]).0;
            if line[at..].starts_with(':') {
                at += 1;
            }
            at += spaces(&line[at..]);
        }
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

/// True when half of the first lines or more name in their header a program that is not this source's: the file is a central
/// syslog's, and a line of it does not make the file one's own.
pub(crate) fn of_others(head: &crate::Head<'_>, mine: impl Fn(&str) -> bool) -> bool {
    let mut clock = Clock::new(&crate::Setting::default());
    let known = crate::mapped::claims();
    let (mut all, mut others) = (0, 0);
    for line in crate::lines::sample(head) {
        all += 1;
        let text = crate::lines::text(&line[..line.len().min(512)]);
        let Some(h) = header(&text, &mut clock) else {
            continue;
        };
        // A word with a colon behind a stamp may be of the message itself.
        let named = h.pid.is_some() || h.priority.is_some() || known.contains_key(h.program);
        others += usize::from(named && !h.program.is_empty() && !mine(h.program));
    }
    others > 0 && others * 2 >= all
}

/// The year that stands behind a stamp without one: ` 2025 ` or ` 2025:`.
fn year(after: &str) -> Option<i64> {
    let a = after.strip_prefix(' ')?;
    let y = a.get(..4)?;
    let end = matches!(a.as_bytes().get(4), None | Some(b' ' | b':'));
    (end && y.bytes().all(|b| b.is_ascii_digit()))
        .then(|| y.parse().ok())
        .flatten()
}

/// `Mar 12 2025 08:14:22`, with the year where it always is or behind the time, and the bytes of it.
fn dated(text: &str, clock: &mut Clock) -> Option<(Stamp, usize)> {
    // Most often the header ends here, or a word that is no date follows.
    if !text.as_bytes().first()?.is_ascii_alphanumeric() {
        return None;
    }
    if let Some((local, offset, n)) = time::named(text.as_bytes()) {
        return Some((clock.stamp(local, offset), n));
    }
    let (y, n) = time::bsd(text.as_bytes())?;
    let of = year(text.get(n..)?).filter(|y| (1990..2200).contains(y))?;
    let local = time::civil(of, y.month, y.day, y.hour, y.minute, y.second, y.nanos)?;
    let utc = zone(&text[n + 5..]).1;
    Some((clock.stamp(local, utc.then_some(0)), n + 5))
}

/// A zone's name between a stamp and its colon, as Cisco writes it: its bytes, and whether it is UTC.
fn zone(after: &str) -> (usize, bool) {
    let named = |a: &&str| memchr::memchr(b':', &a.as_bytes()[..a.len().min(6)]);
    let Some((a, n)) = after.strip_prefix(' ').and_then(|a| Some((a, named(&a)?))) else {
        return (0, false);
    };
    let word = &a[..n];
    if !(3..=5).contains(&word.len()) || !word.bytes().all(|b| b.is_ascii_uppercase()) {
        return (0, false);
    }
    (1 + word.len(), matches!(word, "UTC" | "GMT"))
}

/// The same wall clock in UTC, of a stamp whose year was guessed.
fn in_utc(y: &time::Yearless, guess: Stamp, clock: &mut Clock) -> Stamp {
    const YEAR: Nanos = 365 * DAY + DAY / 4;
    if guess == Stamp::NONE {
        return guess;
    }
    let about = 1970 + guess.time.div_euclid(YEAR);
    let read = |year| time::civil(year, y.month, y.day, y.hour, y.minute, y.second, y.nanos);
    let near = (about - 1..=about + 1)
        .filter_map(read)
        .min_by_key(|t| t.abs_diff(guess.time));
    match near {
        Some(t) => Stamp {
            note: guess.note,
            ..clock.explicit(t)
        },
        None => guess,
    }
}

/// `2025:03:12-10:01:02`, as Sophos UTM (Astaro) stamps its lines.
fn colons(b: &[u8]) -> Option<time::Local> {
    const SHAPE: &[u8] = b"0000:00:00-00:00:00";
    let b = b.get(..SHAPE.len())?;
    let fits = |(c, s): (&u8, &u8)| {
        if *s == b'0' {
            c.is_ascii_digit()
        } else {
            c == s
        }
    };
    if !b.iter().zip(SHAPE).all(fits) {
        return None;
    }
    let n = |at: usize| (b[at] - b'0') * 10 + (b[at + 1] - b'0');
    let year = i64::from(n(0)) * 100 + i64::from(n(2));
    time::civil(year, n(5), n(8), n(11), n(14), n(17), 0)
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

/// A word that may name a machine: no sign of a payload that begins right after the stamp (`1,2021/03/24`, `%ASA-6-1:`, `id=fw`,
/// `14[IKE]`).
fn is_host(word: &str) -> bool {
    let thread = word.ends_with(']') && word.starts_with(|c: char| c.is_ascii_digit());
    !word.is_empty()
        && !thread
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
