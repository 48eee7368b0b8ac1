//! Stamps as logs write them, and the instants they mean: fixed layouts read by hand, zones with their folds and gaps,
//! years that are not written, epoch numbers of any unit.
use crate::Setting;
use ampleur_event::{
    Event, TimeNote,
    time::{DAY, MINUTE, NO_TIME, Nanos, SECOND},
};
use jiff::tz::{AmbiguousOffset, TimeZone};

/// An instant as a record gave it, with what is uncertain about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub time: Nanos,
    /// The other reading inside the repeated hour, else [`NO_TIME`].
    pub alt: Nanos,
    pub note: TimeNote,
}

impl Stamp {
    pub const NONE: Stamp = Stamp {
        time: NO_TIME,
        alt: NO_TIME,
        note: TimeNote::Missing,
    };
    #[inline]
    pub fn put(self, e: &mut Event<'_>) {
        e.time = self.time;
        e.time_alt = self.alt;
        e.time_note = self.note;
    }
}

/// A date and time of day without a zone, as nanoseconds since 1970-01-01T00:00 on the same wall clock.
pub type Local = i64;

/// Turns wall-clock readings of one file into instants. Keeps file order inside the repeated hour and across new year.
#[derive(Debug, Clone)]
pub struct Clock {
    zone: Option<TimeZone>,
    shift: Nanos,
    /// Year of the next year-less stamp, and the month of the last one.
    year: Option<i16>,
    month: u8,
    /// No year-less stamp is later than this.
    not_after: Option<Nanos>,
    /// Quarter hour of wall-clock time whose offset is known and unambiguous, with that offset.
    known: Option<(i64, Nanos)>,
    /// Latest instant given out, before the clock offset; decides inside the repeated hour.
    latest: Nanos,
    /// What stood before a stamp had a say in how it was read.
    leaned: bool,
}

const QUARTER: i64 = 15 * MINUTE;

impl Clock {
    pub fn new(setting: &Setting) -> Clock {
        Clock {
            zone: setting.zone.clone(),
            shift: setting.clock_offset,
            year: setting.year_hint,
            month: 0,
            not_after: setting.not_after,
            known: None,
            latest: NO_TIME,
            leaned: false,
        }
    }

    /// One that goes on in another part of the file: it knows the year and the month of this one.
    pub(crate) fn apart(&self) -> Clock {
        Clock {
            latest: NO_TIME,
            leaned: false,
            ..self.clone()
        }
    }
    /// True of one made by [`Clock::apart`] when the stamps before its own have a say in its readings, or its own in those to come
    /// otherwise than the next stamp does by itself.
    pub(crate) fn leaned(&self) -> bool {
        self.leaned || self.latest == NO_TIME
    }

    /// An instant the record gives itself, with an offset or as an epoch number.
    #[inline]
    pub fn explicit(&mut self, time: Nanos) -> Stamp {
        self.latest = time;
        Stamp {
            time: time.saturating_add(self.shift),
            alt: NO_TIME,
            note: TimeNote::Explicit,
        }
    }

    /// A stamp given out before stands here once more, as it was written then; one whose hour comes twice is to be read anew.
    #[inline]
    pub(crate) fn again(&mut self, stamp: Stamp) {
        if stamp != Stamp::NONE {
            self.latest = stamp.time.saturating_sub(self.shift);
        }
    }

    /// `offset` is seconds east of UTC as written beside the stamp.
    #[inline]
    pub fn with_offset(&mut self, local: Local, offset: i32) -> Stamp {
        self.explicit(local.saturating_sub(i64::from(offset) * SECOND))
    }

    /// What [`iso`] or another reader found, whichever it has.
    #[inline]
    pub fn stamp(&mut self, local: Local, offset: Option<i32>) -> Stamp {
        match offset {
            Some(o) => self.with_offset(local, o),
            None => self.local(local),
        }
    }

    /// A zone-naive reading. In the repeated hour of autumn the reading that keeps file order is taken and the other one is in
    /// `alt`; an hour that does not exist (spring) is read with the offset before the change.
    pub fn local(&mut self, local: Local) -> Stamp {
        let Some(zone) = &self.zone else {
            self.latest = local;
            return Stamp {
                time: local.saturating_add(self.shift),
                alt: NO_TIME,
                note: TimeNote::Assumed,
            };
        };
        let quarter = local.div_euclid(QUARTER);
        if let Some((q, offset)) = self.known
            && q == quarter
        {
            let t = local.saturating_sub(offset);
            self.latest = t;
            return Stamp {
                time: t.saturating_add(self.shift),
                alt: NO_TIME,
                note: TimeNote::Zoned,
            };
        }
        let Some(civil) = civil_of(local) else {
            return Stamp::NONE;
        };
        let nanos = |o: jiff::tz::Offset| i64::from(o.seconds()) * SECOND;
        let (t, alt, note) = match zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                self.known = Some((quarter, nanos(offset)));
                (
                    local.saturating_sub(nanos(offset)),
                    NO_TIME,
                    TimeNote::Zoned,
                )
            }
            AmbiguousOffset::Gap { before, .. } => (
                local.saturating_sub(nanos(before)),
                NO_TIME,
                TimeNote::Zoned,
            ),
            AmbiguousOffset::Fold { before, after } => {
                let early = local.saturating_sub(nanos(before));
                let late = local.saturating_sub(nanos(after));
                self.leaned = true;
                // A minute of disorder is normal in a log; more means that the hour has begun again.
                let again = self.latest != NO_TIME && early < self.latest.saturating_sub(MINUTE);
                let (t, alt) = if again { (late, early) } else { (early, late) };
                (t, alt, TimeNote::Folded)
            }
        };
        self.latest = t;
        Stamp {
            time: t.saturating_add(self.shift),
            alt: if alt == NO_TIME {
                NO_TIME
            } else {
                alt.saturating_add(self.shift)
            },
            note,
        }
    }

    /// A stamp without a year (`Sep 24 10:04:52`). The year is that of the setting, moved on when December is followed by
    /// January; without any hint there is no instant.
    pub fn yearless(&mut self, stamp: Yearless) -> Stamp {
        let Some(mut year) = self.year else {
            return Stamp::NONE;
        };
        self.leaned |= stamp.month != self.month;
        if self.month != 0 {
            if stamp.month + 6 < self.month {
                year += 1;
            } else if stamp.month > self.month + 6 {
                // A late line of the year before.
                year -= 1;
            }
        }
        let reading = |year: i16| {
            civil(
                i64::from(year),
                stamp.month,
                stamp.day,
                stamp.hour,
                stamp.minute,
                stamp.second,
                stamp.nanos,
            )
        };
        // The hint is often the year in which the file ends; a first record in the future belongs to the year before.
        if self.month == 0
            && let (Some(limit), Some(t)) = (self.not_after, reading(year))
            && t > limit.saturating_add(2 * DAY)
        {
            year -= 1;
            self.year = Some(year);
        }
        let Some(local) = reading(year) else {
            return Stamp::NONE;
        };
        if year >= self.year.unwrap_or(year) {
            self.year = Some(year);
            self.month = stamp.month;
        }
        let mut s = self.local(local);
        if s.note == TimeNote::Zoned {
            s.note = TimeNote::Yearless;
        }
        s
    }
}

/// A stamp without a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Yearless {
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    pub nanos: u32,
}

fn civil_of(local: Local) -> Option<jiff::civil::DateTime> {
    let ts = jiff::Timestamp::from_nanosecond(i128::from(local)).ok()?;
    Some(ts.to_zoned(TimeZone::UTC).datetime())
}

/// Days since 1970-01-01 of a proleptic Gregorian date.
fn days(year: i64, month: u8, day: u8) -> i64 {
    // Years start in March so that the leap day is the last day.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let m = i64::from(month);
    let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

/// A wall-clock reading, `None` when a part is out of range. A leap second is read as the second before.
#[inline]
pub fn civil(year: i64, month: u8, day: u8, h: u8, m: u8, s: u8, nanos: u32) -> Option<Local> {
    const LENGTH: [u8; 13] = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if !(1700..2262).contains(&year) || !(1..=12).contains(&month) || h > 23 || m > 59 || s > 60 {
        return None;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if day == 0 || day > LENGTH[usize::from(month)] || (month == 2 && day == 29 && !leap) {
        return None;
    }
    let seconds = days(year, month, day) * 86_400
        + i64::from(h) * 3600
        + i64::from(m) * 60
        + i64::from(s.min(59));
    seconds.checked_mul(SECOND)?.checked_add(i64::from(nanos))
}

#[inline]
fn two(b: &[u8], at: usize) -> Option<u8> {
    let (a, c) = (
        b.get(at)?.wrapping_sub(b'0'),
        b.get(at + 1)?.wrapping_sub(b'0'),
    );
    (a < 10 && c < 10).then(|| a * 10 + c)
}

#[inline]
fn four(b: &[u8], at: usize) -> Option<i64> {
    Some(i64::from(two(b, at)?) * 100 + i64::from(two(b, at + 2)?))
}

/// `.123`, `,123456789`: nanoseconds and how many bytes; digits beyond nine are read and dropped.
#[inline]
fn fraction(b: &[u8]) -> (u32, usize) {
    if !matches!(b.first(), Some(b'.' | b',')) || !b.get(1).is_some_and(u8::is_ascii_digit) {
        return (0, 0);
    }
    let (mut value, mut digits, mut n) = (0u32, 0, 1);
    while let Some(d) = b.get(n).filter(|c| c.is_ascii_digit()) {
        if digits < 9 {
            value = value * 10 + u32::from(d - b'0');
            digits += 1;
        }
        n += 1;
    }
    while digits < 9 {
        value *= 10;
        digits += 1;
    }
    (value, n)
}

/// `Z`, `+02:00`, `+0200`, `+02` at the front: seconds east of UTC and how many bytes.
#[inline]
pub fn zone_offset(b: &[u8]) -> Option<(i32, usize)> {
    let sign = match b.first()? {
        b'Z' | b'z' => return Some((0, 1)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let h = two(b, 1)?;
    let (m, n) = match b.get(3) {
        Some(b':') => (two(b, 4)?, 6),
        _ => two(b, 3).map_or((0, 3), |m| (m, 5)),
    };
    if h > 15 || m > 59 {
        return None;
    }
    Some((sign * (i32::from(h) * 3600 + i32::from(m) * 60), n))
}

/// An ISO-like stamp at the front: `2025-09-14T01:51:55.418Z`, `2025-09-14 01:51:55,418`, `2021/12/01 13:53:33`, with or without
/// offset (one space before it is allowed). Gives the reading, the offset in seconds, and how many bytes.
#[inline]
pub fn iso(b: &[u8]) -> Option<(Local, Option<i32>, usize)> {
    let year = four(b, 0)?;
    let sep = *b.get(4)?;
    if !matches!(sep, b'-' | b'/') || *b.get(7)? != sep {
        return None;
    }
    if !matches!(b.get(10)?, b'T' | b't' | b' ' | b'_') || *b.get(13)? != b':' {
        return None;
    }
    let (month, day, h, m) = (two(b, 5)?, two(b, 8)?, two(b, 11)?, two(b, 14)?);
    let (s, mut n) = if b.get(16) == Some(&b':') {
        (two(b, 17)?, 19)
    } else {
        (0, 16)
    };
    let (nanos, k) = fraction(&b[n..]);
    n += k;
    let local = civil(year, month, day, h, m, s, nanos)?;
    if let Some((o, k)) = zone_offset(&b[n..]) {
        return Some((local, Some(o), n + k));
    }
    if b.get(n) == Some(&b' ')
        && let Some((o, k)) = zone_offset(&b[n + 1..])
        && matches!(b.get(n + 1), Some(b'+' | b'-'))
        && k >= 5
        && !b.get(n + 1 + k).is_some_and(u8::is_ascii_alphanumeric)
    {
        return Some((local, Some(o), n + 1 + k));
    }
    Some((local, None, n))
}

/// `Jan` … `Dec` in any case: 1 … 12.
#[inline]
pub fn month(b: &[u8]) -> Option<u8> {
    let m = [
        b.first()?.to_ascii_lowercase(),
        b.get(1)?.to_ascii_lowercase(),
        b.get(2)?.to_ascii_lowercase(),
    ];
    Some(match &m {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => return None,
    })
}

/// The stamp of web server logs, `14/Sep/2025:01:00:36 +0200`; the offset may be missing.
#[inline]
pub fn clf(b: &[u8]) -> Option<(Local, Option<i32>, usize)> {
    if *b.get(2)? != b'/' || *b.get(6)? != b'/' || *b.get(11)? != b':' {
        return None;
    }
    let (day, month, year) = (two(b, 0)?, month(&b[3..6])?, four(b, 7)?);
    if *b.get(14)? != b':' || *b.get(17)? != b':' {
        return None;
    }
    let (h, m, s) = (two(b, 12)?, two(b, 15)?, two(b, 18)?);
    let (nanos, k) = fraction(&b[20..]);
    let local = civil(year, month, day, h, m, s, nanos)?;
    let n = 20 + k;
    match b.get(n) {
        Some(b' ') => match zone_offset(&b[n + 1..]) {
            Some((o, k)) => Some((local, Some(o), n + 1 + k)),
            None => Some((local, None, n)),
        },
        _ => Some((local, None, n)),
    }
}

/// Length of a stamp of the common log format with its zone, without fractions.
pub(crate) const CLF: usize = 26;

/// The minute of the common log stamp read last: most stamps of a file differ from the one before in their seconds at most.
#[derive(Debug, Clone, Default)]
pub(crate) struct Minute {
    /// Up to the seconds, and behind them.
    head: [u8; 18],
    zone: [u8; CLF - 20],
    begins: Local,
    offset: Option<i32>,
}

impl Minute {
    /// What [`clf`] reads there, if it reads all of it.
    #[inline]
    pub(crate) fn clf(&mut self, written: &[u8; CLF]) -> Option<(Local, Option<i32>)> {
        if written[..18] == self.head
            && written[20..] == self.zone
            && let Some(second) = two(written, 18).filter(|s| *s < 60)
        {
            return Some((self.begins + i64::from(second) * SECOND, self.offset));
        }
        let (local, offset, n) = clf(written)?;
        if n != CLF {
            return None;
        }
        // With a blank there, no part of a second stands in front of it.
        if written[20] == b' ' && offset.is_some() {
            self.head.copy_from_slice(&written[..18]);
            self.zone.copy_from_slice(&written[20..]);
            self.begins = local - local.rem_euclid(MINUTE);
            self.offset = offset;
        }
        Some((local, offset))
    }
}

/// The old syslog stamp `Sep 24 10:04:52` or `Sep  4 10:04:52.123`, without a year; how many bytes.
#[inline]
pub fn bsd(b: &[u8]) -> Option<(Yearless, usize)> {
    let month = month(b)?;
    let mut n = 3;
    let spaces = b[n..].iter().take_while(|c| **c == b' ').count();
    if spaces == 0 || spaces > 2 {
        return None;
    }
    n += spaces;
    let day = match two(b, n) {
        Some(d) => {
            n += 2;
            d
        }
        None => {
            let d = b.get(n)?.wrapping_sub(b'0');
            n += 1;
            (d < 10).then_some(d)?
        }
    };
    if b.get(n) != Some(&b' ') {
        return None;
    }
    n += 1;
    let (hour, minute, second, nanos, k) = time_of_day(&b[n..])?;
    Some((
        Yearless {
            month,
            day,
            hour,
            minute,
            second,
            nanos,
        },
        n + k,
    ))
}

/// `10:04:52.123`: hour, minute, second, nanoseconds, bytes.
#[inline]
fn time_of_day(b: &[u8]) -> Option<(u8, u8, u8, u32, usize)> {
    if *b.get(2)? != b':' || *b.get(5)? != b':' {
        return None;
    }
    let (h, m, s) = (two(b, 0)?, two(b, 3)?, two(b, 6)?);
    if h > 23 || m > 59 || s > 60 {
        return None;
    }
    let (nanos, k) = fraction(&b[8..]);
    Some((h, m, s, nanos, 8 + k))
}

/// `Thu Oct 13 12:24:49.880562 2022`, `Thu, 14 Oct 2021 15:24:16.248504 UTC`, `Oct 13 2022 12:24:49`: a date with a month name
/// and a year. Gives the reading, the offset (only for `UTC`, `GMT` or digits), and how many bytes.
pub fn named(b: &[u8]) -> Option<(Local, Option<i32>, usize)> {
    let text = std::str::from_utf8(&b[..b.len().min(64)])
        .or_else(|e| std::str::from_utf8(&b[..e.valid_up_to()]))
        .ok()?;
    let (mut m, mut d, mut y, mut t) = (None, None, None, None);
    let mut n = 0;
    for (i, word) in text.split(' ').enumerate() {
        if i > 7 || (m.is_some() && d.is_some() && y.is_some() && t.is_some()) {
            break;
        }
        let bare = word.trim_end_matches(',').as_bytes();
        if !word.is_empty() {
            let number = bare.iter().all(u8::is_ascii_digit);
            if t.is_none() && bare.contains(&b':') {
                t = Some(time_of_day(bare)?);
            } else if m.is_none() && bare.len() >= 3 && month(bare).is_some() && bare.len() <= 9 {
                m = month(bare);
            } else if y.is_none() && number && bare.len() == 4 {
                y = four(bare, 0);
            } else if d.is_none() && number && (1..=2).contains(&bare.len()) {
                d = std::str::from_utf8(bare).ok()?.parse::<u8>().ok();
            } else if i == 0 && bare.len() >= 2 && bare.iter().all(u8::is_ascii_alphabetic) {
                // The day of the week says nothing new.
            } else {
                break;
            }
        }
        n += word.len() + 1;
    }
    let (h, mi, s, nanos, _) = t?;
    let local = civil(y?, m?, d?, h, mi, s, nanos)?;
    let rest = &b[n.min(b.len())..];
    if rest.starts_with(b"UTC") || rest.starts_with(b"GMT") {
        return Some((local, Some(0), n + 3));
    }
    match zone_offset(rest) {
        Some((o, k)) if rest[0] != b'Z' => Some((local, Some(o), n + k)),
        _ => Some((local, None, n.saturating_sub(1))),
    }
}

/// An epoch number in seconds, milliseconds, microseconds or nanoseconds, told apart by size; a fraction is of the unit.
/// `None` before 1980 in seconds, where a small number is a counter and no time.
pub fn epoch(text: &str) -> Option<Nanos> {
    let b = text.as_bytes();
    let digits = b.iter().take_while(|c| c.is_ascii_digit()).count();
    let whole: u64 = text.get(..digits)?.parse().ok()?;
    let (frac, used) = fraction(&b[digits..]);
    if digits + used != b.len() {
        return None;
    }
    let unit: u64 = match whole {
        315_532_800..=99_999_999_999 => 1_000_000_000,
        100_000_000_000..=99_999_999_999_999 => 1_000_000,
        100_000_000_000_000..=99_999_999_999_999_999 => 1_000,
        100_000_000_000_000_000.. => 1,
        _ => return None,
    };
    let below = u64::from(frac) * unit / 1_000_000_000;
    i64::try_from(whole.checked_mul(unit)?.checked_add(below)?).ok()
}

/// The zone with this IANA name, `None` when there is none.
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ampleur_event::time::rfc3339;

    fn utc(l: Option<(Local, Option<i32>, usize)>) -> String {
        let (l, o, _) = l.unwrap();
        rfc3339(l - i64::from(o.unwrap_or(0)) * SECOND)
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2048))]
        #[test]
        fn a_minute_read_before_is_read_the_same(stamps in proptest::collection::vec(
            "(01|31)/(Sep|Feb)/20(24|25):(00|23|24):(00|59)[:.]([0-5][0-9]|60|61|5|1 )(\\.1|,5)?( [+-]0[0-2]00|Z| GMT| \\+02:0|\\.12345)", 1..12,
        )) {
            let mut minute = Minute::default();
            for stamp in &stamps {
                let padded = format!("{stamp:<26}");
                let written = padded.as_bytes().first_chunk().expect("so many bytes");
                let slow = clf(written).filter(|c| c.2 == CLF).map(|c| (c.0, c.1));
                proptest::prop_assert_eq!(minute.clf(written), slow, "{}", stamp);
            }
        }
    }
    #[test]
    fn every_layout_gives_its_instant() {
        let same = "2025-09-13T23:00:36.000Z";
        assert_eq!(utc(iso(b"2025-09-14T01:00:36+02:00")), same);
        assert_eq!(utc(iso(b"2025-09-14 01:00:36 +0200 x")), same);
        assert_eq!(utc(iso(b"2025/09/13 23:00:36 [error]")), same);
        assert_eq!(utc(clf(b"14/Sep/2025:01:00:36 +0200]")), same);
        assert_eq!(utc(named(b"Sun Sep 13 23:00:36 2025 us=5")), same);
        assert_eq!(utc(named(b"Sun, 13 Sep 2025 23:00:36 UTC")), same);
        assert_eq!(
            utc(named(b"Sun Sep  7 23:00:36.5 2025")),
            "2025-09-07T23:00:36.500Z"
        );
        assert_eq!(
            utc(iso(b"2025-09-14 01:51:55,418 WARN")),
            "2025-09-14T01:51:55.418Z"
        );
        assert_eq!(iso(b"2023-10-31 15:09:59 +33 6 phone").unwrap().1, None);
        assert_eq!(iso(b"2025-02-30 00:00:00"), None);
        assert_eq!(clf(b"14/Sep/2025:01:00"), None);
        for s in [
            "1757804436",
            "1757804436000",
            "1757804436000000",
            "1757804436000000000",
        ] {
            assert_eq!(rfc3339(epoch(s).unwrap()), "2025-09-13T23:00:36.000Z");
        }
        assert_eq!(
            epoch("1710070496.123456").map(rfc3339).as_deref(),
            Some("2024-03-10T11:34:56.123Z")
        );
        assert_eq!(
            (
                epoch("12"),
                epoch("99999999999999999999"),
                epoch("1757804436x")
            ),
            (None, None, None)
        );
    }

    #[test]
    fn the_repeated_hour_keeps_file_order_and_says_so() {
        let mut c = Clock::new(&Setting {
            zone: Some(TimeZone::get("Europe/Paris").unwrap()),
            ..Setting::default()
        });
        let mut at = |t: &str| {
            let s = c.local(iso(t.as_bytes()).unwrap().0);
            (rfc3339(s.time), s.note, rfc3339(s.alt))
        };
        assert_eq!(at("2025-10-26 01:59:00").1, TimeNote::Zoned);
        let first = at("2025-10-26 02:50:00");
        assert_eq!(first.0, "2025-10-26T00:50:00.000Z");
        assert_eq!(
            (first.1, first.2.as_str()),
            (TimeNote::Folded, "2025-10-26T01:50:00.000Z")
        );
        let second = at("2025-10-26 02:10:00");
        assert_eq!(
            (second.0.as_str(), second.2.as_str()),
            ("2025-10-26T01:10:00.000Z", "2025-10-26T00:10:00.000Z")
        );
        assert_eq!(at("2025-10-26 02:50:00").0, "2025-10-26T01:50:00.000Z");
        assert_eq!(at("2025-10-26 03:00:00").0, "2025-10-26T02:00:00.000Z");
        assert_eq!(at("2025-03-30 02:30:00").0, "2025-03-30T01:30:00.000Z");
        let mut none = Clock::new(&Setting::default());
        assert_eq!(none.local(0).note, TimeNote::Assumed);
    }

    #[test]
    fn a_file_that_ends_in_january_began_in_december_before() {
        let mut c = Clock::new(&Setting {
            year_hint: Some(2024),
            not_after: iso(b"2024-01-03T00:00:00").map(|(l, _, _)| l),
            ..Setting::default()
        });
        let mut at = |t: &str| rfc3339(c.yearless(bsd(t.as_bytes()).unwrap().0).time);
        assert_eq!(at("Dec 31 23:00:00 h"), "2023-12-31T23:00:00.000Z");
        assert_eq!(at("Jan  2 00:00:10 h"), "2024-01-02T00:00:10.000Z");
    }

    #[test]
    fn years_roll_over_in_file_order() {
        let mut c = Clock::new(&Setting {
            year_hint: Some(2023),
            zone: Some(TimeZone::UTC),
            clock_offset: -60 * SECOND,
            ..Setting::default()
        });
        let mut at = |t: &str| rfc3339(c.yearless(bsd(t.as_bytes()).unwrap().0).time);
        assert_eq!(at("Dec 31 23:59:59 h"), "2023-12-31T23:58:59.000Z");
        assert_eq!(at("Jan  1 00:00:10 h"), "2023-12-31T23:59:10.000Z");
        assert_eq!(at("Dec 31 23:59:59 h"), "2023-12-31T23:58:59.000Z");
        assert_eq!(at("Jan 2 00:00:10 h"), "2024-01-01T23:59:10.000Z");
        assert_eq!(at("Feb 29 00:00:10 h"), "2024-02-28T23:59:10.000Z");
    }
}
