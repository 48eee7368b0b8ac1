//! Stamps whose layout a mapping declares (`%d/%m/%Y %H:%M:%S`) and stamps of any usual layout, told by their shape.
use crate::time::{self, Clock, Local, Stamp, Yearless};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Year,
    YearShort,
    Month,
    MonthName,
    Day,
    Hour,
    Hour12,
    Minute,
    Second,
    /// Digits of a fraction, with or without a sign before them.
    Fraction,
    Half,
    Zone,
    /// A word that says nothing (day of the week, zone abbreviation other than UTC).
    Word,
    Epoch,
    /// Seconds since 1970 in hexadecimal.
    EpochHex,
    Text(char),
}

/// A declared layout. `%Y %y %m %b %d %H %I %M %S %f %p %z %a %s %x`, everything else literal; a space stands for any number of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout(Vec<Part>);

impl Layout {
    pub(super) fn of(format: &str) -> Result<Layout, String> {
        let mut parts = vec![];
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                parts.push(Part::Text(c));
                continue;
            }
            parts.push(match chars.next() {
                Some('Y') => Part::Year,
                Some('y') => Part::YearShort,
                Some('m') => Part::Month,
                Some('b' | 'B' | 'h') => Part::MonthName,
                Some('d' | 'e') => Part::Day,
                Some('H' | 'k') => Part::Hour,
                Some('I' | 'l') => Part::Hour12,
                Some('M') => Part::Minute,
                Some('S') => Part::Second,
                Some('f') => Part::Fraction,
                Some('p') => Part::Half,
                Some('z') => Part::Zone,
                Some('a' | 'A' | 'Z') => Part::Word,
                Some('s') => Part::Epoch,
                Some('x') => Part::EpochHex,
                Some('%') => Part::Text('%'),
                c => {
                    return Err(format!(
                        "unknown `%{}` (allowed: %Y %y %m %b %d %H %I %M %S %f %p %z %a %s %x)",
                        c.map(String::from).unwrap_or_default()
                    ));
                }
            });
        }
        Ok(Layout(parts))
    }

    /// The instant of a text that begins like this layout; what follows it is left alone.
    pub(super) fn read(&self, text: &str, clock: &mut Clock, zone: Option<i32>) -> Option<Stamp> {
        let b = text.as_bytes();
        let mut at = 0;
        let (mut year, mut month, mut day) = (None, 1u8, 1u8);
        let (mut h, mut mi, mut s, mut nanos) = (0u8, 0u8, 0u8, 0u32);
        let (mut half, mut offset) = (None, zone);
        for part in &self.0 {
            match part {
                Part::Text(' ') => {
                    let n = b[at..].iter().take_while(|c| **c == b' ').count();
                    if n == 0 {
                        return None;
                    }
                    at += n;
                }
                Part::Text(c) => {
                    at += text.get(at..)?.strip_prefix(*c).map(|_| c.len_utf8())?;
                }
                Part::Year => {
                    let (n, k) = digits(b, at, 4)?;
                    (k == 4).then_some(())?;
                    year = Some(n as i64);
                    at += k;
                }
                Part::YearShort => {
                    let (n, k) = digits(b, at, 2)?;
                    year = Some(if n < 70 { 2000 } else { 1900 } + n as i64);
                    at += k;
                }
                Part::Month
                | Part::Day
                | Part::Hour
                | Part::Hour12
                | Part::Minute
                | Part::Second => {
                    if *part == Part::Day && b.get(at) == Some(&b' ') {
                        at += 1;
                    }
                    let (n, k) = digits(b, at, 2)?;
                    at += k;
                    let n = n as u8;
                    match part {
                        Part::Month => month = n,
                        Part::Day => day = n,
                        Part::Minute => mi = n,
                        Part::Second => s = n,
                        _ => h = n,
                    }
                }
                Part::MonthName => {
                    let (m, n) = month_word(text.get(at..)?)?;
                    month = m;
                    at += n;
                    at += usize::from(b.get(at) == Some(&b'.'));
                }
                Part::Fraction => {
                    if matches!(b.get(at), Some(b'.' | b',')) {
                        at += 1;
                    }
                    let mut k = 0;
                    while let Some(c) = b.get(at + k).filter(|c| c.is_ascii_digit()) {
                        if k < 9 {
                            nanos = nanos * 10 + u32::from(c - b'0');
                        }
                        k += 1;
                    }
                    nanos *= 10u32.pow(9 - (k.min(9) as u32));
                    at += k;
                }
                Part::Half => {
                    let t = text.get(at..at + 2)?;
                    half = Some(t.eq_ignore_ascii_case("pm"));
                    if !half? && !t.eq_ignore_ascii_case("am") {
                        return None;
                    }
                    at += 2;
                }
                Part::Zone => {
                    let rest = b.get(at..)?;
                    if rest.starts_with(b"UTC") || rest.starts_with(b"GMT") {
                        offset = Some(0);
                        at += 3;
                    } else {
                        let (o, k) = time::zone_offset(rest)?;
                        offset = Some(o);
                        at += k;
                    }
                }
                Part::Word => {
                    let w = b.get(at..)?;
                    let n = w.iter().take_while(|c| c.is_ascii_alphabetic()).count();
                    if n == 3 && (w.starts_with(b"UTC") || w.starts_with(b"GMT")) {
                        offset = Some(0);
                    }
                    at += n;
                }
                Part::EpochHex => {
                    let n = b[at..].iter().take_while(|c| c.is_ascii_hexdigit()).count();
                    let t = i64::from_str_radix(text.get(at..at + n)?, 16).ok()?;
                    return t
                        .checked_mul(ampleur_event::time::SECOND)
                        .map(|t| clock.explicit(t));
                }
                Part::Epoch => return time::epoch(text.get(at..)?).map(|t| clock.explicit(t)),
            }
        }
        match half {
            Some(true) if h < 12 => h += 12,
            Some(false) if h == 12 => h = 0,
            _ => {}
        }
        match year {
            Some(y) => {
                let local = time::civil(y, month, day, h, mi, s, nanos)?;
                Some(clock.stamp(local, offset))
            }
            None => (h < 24 && mi < 60 && s <= 60 && (1..=12).contains(&month)).then(|| {
                clock.yearless(Yearless {
                    month,
                    day,
                    hour: h,
                    minute: mi,
                    second: s,
                    nanos,
                })
            }),
        }
    }
}

/// A month's English or French name, whole or shortened, and its bytes.
fn month_word(text: &str) -> Option<(u8, usize)> {
    let n = text
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(text.len());
    let word = &text[..n];
    if let Some(m) = time::month(word.as_bytes()) {
        return Some((m, n));
    }
    const FRENCH: &[(&str, u8)] = &[
        ("fév", 2),
        ("fev", 2),
        ("avr", 4),
        ("mai", 5),
        ("juin", 6),
        ("juil", 7),
        ("aoû", 8),
        ("aou", 8),
        ("déc", 12),
    ];
    let low = word.to_lowercase();
    let found = FRENCH.iter().find(|(w, _)| low.starts_with(w));
    found.map(|(_, m)| (*m, n))
}

fn digits(b: &[u8], at: usize, max: usize) -> Option<(u32, usize)> {
    let (mut v, mut n) = (0u32, 0);
    while n < max {
        match b.get(at + n).filter(|c| c.is_ascii_digit()) {
            Some(c) => v = v * 10 + u32::from(c - b'0'),
            None => break,
        }
        n += 1;
    }
    (n > 0).then_some((v, n))
}

/// A stamp of any usual layout: an epoch number of any unit, ISO, a web server's, a date with a month name, the old syslog stamp.
pub(super) fn any(text: &str, clock: &mut Clock, zone: Option<i32>) -> Option<Stamp> {
    let text = text
        .trim()
        .trim_start_matches(['[', '('])
        .trim_start_matches('"');
    let b = text.as_bytes();
    let read = |clock: &mut Clock, (local, offset): (Local, Option<i32>)| {
        clock.stamp(local, offset.or(zone))
    };
    if b.first()?.is_ascii_digit() {
        if let Some((l, o, n)) = time::iso(b) {
            // ` UTC` or ` GMT` behind a stamp without an offset.
            let tail = text.get(n..).unwrap_or("").trim_start();
            let o = o.or_else(|| (tail.starts_with("UTC") || tail.starts_with("GMT")).then_some(0));
            return Some(read(clock, (l, o)));
        }
        if let Some(t) = time::epoch(text) {
            return Some(clock.explicit(t));
        }
        if let Some((l, o, _)) = time::clf(b) {
            return Some(read(clock, (l, o)));
        }
        // As tables show it to people.
        if matches!(b.get(1..5), Some(t) if t.contains(&b'/') || t[1] == b'.')
            && let Some(iso) = crate::tables::instant(text)
            && let Some((l, o, _)) = time::iso(iso.as_bytes())
        {
            return Some(read(clock, (l, o)));
        }
        if b.len() >= 14 && b[..14].iter().all(u8::is_ascii_digit) {
            // 20250914010036[.123][Z|+0200]: LDAP generalised time, HL7 timestamps.
            let two = |i: usize| (b[i] - b'0') * 10 + (b[i + 1] - b'0');
            let year = i64::from(two(0)) * 100 + i64::from(two(2));
            let local = time::civil(year, two(4), two(6), two(8), two(10), two(12), 0)?;
            let rest = &b[14..];
            let skip = if matches!(rest.first(), Some(b'.' | b',')) {
                1 + rest[1..].iter().take_while(|c| c.is_ascii_digit()).count()
            } else {
                0
            };
            let o = time::zone_offset(&rest[skip..]).map(|(o, _)| o);
            return Some(read(clock, (local, o)));
        }
    }
    if let Some((l, o, _)) = time::named(b) {
        return Some(read(clock, (l, o)));
    }
    if text.contains(" @ ")
        && let Some(iso) = crate::tables::instant(text)
        && let Some((l, o, _)) = time::iso(iso.as_bytes())
    {
        return Some(read(clock, (l, o)));
    }
    let (y, n) = time::bsd(b)?;
    // `Sep 24 10:04:52 2024` was read above; `Sep 24 10:04:52.123 2024` too.
    let _ = n;
    Some(clock.yearless(y))
}

/// Abbreviations of zones that mean one offset: those of RFC 5322 §4.3 and of Europe; hours east of UTC. Others (IST, BST, AST) mean
/// several and are not believed.
const ZONES: &[(&str, i32)] = &[
    ("Z", 0),
    ("WET", 0),
    ("WEST", 1),
    ("CET", 1),
    ("CEST", 2),
    ("MET", 1),
    ("MEST", 2),
    ("EET", 2),
    ("EEST", 3),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
];

/// `+0200`, `UTC+2`, `UTC-5:00`, `GMT`, `Z`: seconds east of UTC.
pub(super) fn offset(text: &str) -> Option<i32> {
    let bare = text.trim();
    let bare = bare
        .strip_prefix("UTC")
        .or_else(|| bare.strip_prefix("GMT"))
        .unwrap_or(bare);
    if bare.is_empty() {
        return (!text.trim().is_empty()).then_some(0);
    }
    if let Some((_, h)) = ZONES.iter().find(|(name, _)| *name == bare) {
        return Some(h * 3600);
    }
    if let Some((o, n)) = time::zone_offset(bare.as_bytes())
        && n == bare.len()
    {
        return Some(o);
    }
    let (sign, digits) = match bare.as_bytes().first()? {
        b'+' => (1, &bare[1..]),
        b'-' => (-1, &bare[1..]),
        _ => return None,
    };
    let (h, m) = digits.split_once(':').unwrap_or((digits, "0"));
    let (h, m): (i32, i32) = (h.parse().ok()?, m.parse().ok()?);
    ((0..=15).contains(&h) && (0..60).contains(&m)).then(|| sign * (h * 3600 + m * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Setting;
    use ampleur_event::time::rfc3339;

    #[test]
    fn declared_and_usual_layouts_give_their_instant() {
        let mut c = Clock::new(&Setting {
            year_hint: Some(2025),
            ..Setting::default()
        });
        for (f, t) in [
            ("%d/%m/%Y %H:%M:%S", "14/09/2025 01:00:36"),
            ("%m/%d/%Y %I:%M:%S %p", "9/14/2025 1:00:36 AM"),
            ("%Y%m%d%H%M%S%z", "20250914030036+0200"),
            ("%d %b %Y %H:%M:%S.%f", "14 Sep 2025 01:00:36.000"),
            ("%b %d %H:%M:%S", "Sep 14 01:00:36"),
            ("%d %b %Y %H:%M:%S", "14 sept. 2025 01:00:36"),
            ("%s", "1757811636"),
        ] {
            let s = Layout::of(f).unwrap().read(t, &mut c, None).unwrap();
            assert_eq!(rfc3339(s.time), "2025-09-14T01:00:36.000Z", "{f}");
        }
        for t in [
            "1757811636000",
            "2025-09-14T01:00:36Z",
            "2025-09-14 03:00:36 +0200",
            "[14/Sep/2025:01:00:36 +0000]",
            "Sun Sep 14 01:00:36 2025",
            "Sep 14 2025 01:00:36",
            "Sep 14 01:00:36",
            "20250914010036.000Z",
        ] {
            assert_eq!(
                rfc3339(any(t, &mut c, None).unwrap().time),
                "2025-09-14T01:00:36.000Z",
                "{t}"
            );
        }
        for (w, m) in [
            ("janv. 1", 1),
            ("févr.", 2),
            ("mars", 3),
            ("avril", 4),
            ("mai", 5),
            ("juin", 6),
            ("juil.", 7),
            ("août", 8),
            ("oct.", 10),
            ("nov.", 11),
            ("Déc.", 12),
            ("August", 8),
        ] {
            assert_eq!(month_word(w).map(|(m, _)| m), Some(m), "{w}");
        }
        assert_eq!(month_word("lundi"), None);
        assert!(Layout::of("%Q").unwrap_err().contains("%Y"));
        assert_eq!(
            (
                offset("UTC+2"),
                offset("+0100"),
                offset("GMT"),
                offset("CHU")
            ),
            (Some(7200), Some(3600), Some(0), None)
        );
    }
}
