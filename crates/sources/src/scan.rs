//! Shared by several decoders: cutting pieces into lines, reading stamps, addresses, flat JSON and tags of XML.
//!
//! Everything here takes untrusted bytes: nothing panics, nothing recurses without a limit, nothing is larger than its input.
use crate::{Decoded, Reason, Setting};
use ampleur_event::{
    Event, TimeNote,
    time::{NO_TIME, Nanos, SECOND},
};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;

/// Longest record a decoder waits for. A longer one is rejected and what follows is read from the next line or tag.
pub(crate) const RECORD_MAX: usize = 16 << 20;

/// An instant as a record gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub time: Nanos,
    pub alt: Nanos,
    pub note: TimeNote,
}

impl Stamp {
    pub(crate) fn put(self, e: &mut Event<'_>) {
        e.time = self.time;
        e.time_alt = self.alt;
        e.time_note = self.note;
    }
    fn explicit(time: Nanos) -> Stamp {
        Stamp {
            time,
            alt: NO_TIME,
            note: TimeNote::Explicit,
        }
    }
    fn shifted(mut self, setting: &Setting) -> Stamp {
        self.time = self.time.saturating_add(setting.clock_offset);
        if self.alt != NO_TIME {
            self.alt = self.alt.saturating_add(setting.clock_offset);
        }
        self
    }
}

/// A civil date and time, before any zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub year: i64,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    pub nanos: u32,
}

impl Civil {
    fn valid(&self) -> bool {
        (1678..2262).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60
    }
    /// Nanoseconds if the civil time were UTC. A leap second counts as the second before it.
    fn as_utc(&self) -> Nanos {
        let (y, m, d) = (self.year, i64::from(self.month), i64::from(self.day));
        let y = if m <= 2 { y - 1 } else { y };
        let era = y.div_euclid(400);
        let yoe = y - era * 400;
        let doy = (153 * (m + if m > 2 { -3 } else { 9 }) + 2) / 5 + d - 1;
        let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
        let days = era * 146_097 + doe - 719_468;
        let s = days * 86_400
            + i64::from(self.hour) * 3600
            + i64::from(self.minute) * 60
            + i64::from(self.second.min(59));
        s * SECOND + i64::from(self.nanos)
    }
    /// The instant in the zone of the source.
    pub(crate) fn zoned(&self, setting: &Setting) -> Option<Stamp> {
        if !self.valid() {
            return None;
        }
        let Some(zone) = &setting.zone else {
            return Some(
                Stamp {
                    time: self.as_utc(),
                    alt: NO_TIME,
                    note: TimeNote::Assumed,
                }
                .shifted(setting),
            );
        };
        let civil = jiff::civil::DateTime::new(
            i16::try_from(self.year).ok()?,
            self.month as i8,
            self.day as i8,
            self.hour as i8,
            self.minute as i8,
            self.second.min(59) as i8,
            self.nanos as i32,
        )
        .ok()?;
        let ambiguous = zone.to_ambiguous_timestamp(civil);
        let fold = matches!(ambiguous.offset(), jiff::tz::AmbiguousOffset::Fold { .. });
        let ns = |t: jiff::Timestamp| i64::try_from(t.as_nanosecond()).ok();
        let time = ns(ambiguous.compatible().ok()?)?;
        let (alt, note) = if fold {
            (ns(ambiguous.later().ok()?)?, TimeNote::Folded)
        } else {
            (NO_TIME, TimeNote::Zoned)
        };
        Some(Stamp { time, alt, note }.shifted(setting))
    }
}

fn digits(b: &[u8], at: usize, n: usize) -> Option<u32> {
    let mut v = 0u32;
    for i in at..at + n {
        let c = *b.get(i)?;
        if !c.is_ascii_digit() {
            return None;
        }
        v = v * 10 + u32::from(c - b'0');
    }
    Some(v)
}

/// Reads `YYYY-MM-DD[T ]hh:mm[:ss[.fraction]]` and an offset, zone word or nothing, at the front of `text`.
/// Returns the instant and how many bytes it took.
pub(crate) fn stamp_at(text: &str, setting: &Setting) -> Option<(Stamp, usize)> {
    let b = text.as_bytes();
    let sep = *b.get(4)?;
    if !(sep == b'-' || sep == b'/') || *b.get(7)? != sep {
        return None;
    }
    let mut c = Civil {
        year: i64::from(digits(b, 0, 4)?),
        month: digits(b, 5, 2)? as u8,
        day: digits(b, 8, 2)? as u8,
        hour: 0,
        minute: 0,
        second: 0,
        nanos: 0,
    };
    let mut at = 10;
    if matches!(b.get(at), Some(b'T' | b't' | b' ')) && digits(b, at + 1, 2).is_some() {
        c.hour = digits(b, at + 1, 2)? as u8;
        if b.get(at + 3) != Some(&b':') {
            return None;
        }
        c.minute = digits(b, at + 4, 2)? as u8;
        at += 6;
        if b.get(at) == Some(&b':') {
            c.second = digits(b, at + 1, 2)? as u8;
            at += 3;
            if matches!(b.get(at), Some(b'.' | b','))
                && b.get(at + 1).is_some_and(u8::is_ascii_digit)
            {
                at += 1;
                let (mut scale, mut n) = (100_000_000u32, 0u32);
                while let Some(d) = b.get(at).filter(|d| d.is_ascii_digit()) {
                    n += u32::from(d - b'0') * scale;
                    scale /= 10;
                    at += 1;
                }
                c.nanos = n;
            }
        }
    }
    if !c.valid() {
        return None;
    }
    let (offset, used) = offset_at(&b[at..]);
    match offset {
        Some(seconds) => Some((
            Stamp::explicit(c.as_utc().checked_sub(seconds * SECOND)?).shifted(setting),
            at + used,
        )),
        None => Some((c.zoned(setting)?, at)),
    }
}

/// The same for a text that is nothing but the stamp.
pub(crate) fn stamp(text: &str, setting: &Setting) -> Option<Stamp> {
    let text = text.trim();
    let (s, used) = stamp_at(text, setting)?;
    (used == text.len()).then_some(s)
}

/// Zone words that servers print and that mean one offset only, in seconds east of Greenwich.
const ZONES: &[(&str, i64)] = &[
    ("UTC", 0),
    ("GMT", 0),
    ("Z", 0),
    ("CEST", 7200),
    ("CET", 3600),
    ("WEST", 3600),
    ("WET", 0),
    ("EEST", 10800),
    ("EET", 7200),
    ("MSK", 10800),
    ("EST", -18000),
    ("EDT", -14400),
    ("CST", -21600),
    ("CDT", -18000),
    ("MST", -25200),
    ("MDT", -21600),
    ("PST", -28800),
    ("PDT", -25200),
];

fn offset_at(b: &[u8]) -> (Option<i64>, usize) {
    let lead = usize::from(b.first() == Some(&b' '));
    let r = &b[lead..];
    match r.first() {
        Some(b'Z' | b'z') if !r.get(1).is_some_and(u8::is_ascii_alphanumeric) => {
            (Some(0), lead + 1)
        }
        Some(s @ (b'+' | b'-')) => {
            let Some(h) = digits(r, 1, 2) else {
                return (None, 0);
            };
            let (m, used) = if r.get(3) == Some(&b':') && digits(r, 4, 2).is_some() {
                (digits(r, 4, 2).unwrap_or(0), 6)
            } else if let Some(m) = digits(r, 3, 2) {
                (m, 5)
            } else {
                (0, 3)
            };
            let v = i64::from(h) * 3600 + i64::from(m) * 60;
            (Some(if *s == b'-' { -v } else { v }), lead + used)
        }
        Some(c) if c.is_ascii_uppercase() => {
            let word = r.iter().take_while(|c| c.is_ascii_alphabetic()).count();
            let found = ZONES.iter().find(|(w, _)| w.as_bytes() == &r[..word]);
            match found {
                Some((_, s)) => (Some(*s), lead + word),
                None => (None, 0),
            }
        }
        _ => (None, 0),
    }
}

/// Reads `Mon dd hh:mm:ss` of RFC 3164 at the front of `text`. Without a year hint there is no instant.
pub(crate) fn stamp_bsd(text: &str, setting: &Setting) -> Option<(Option<Stamp>, usize)> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let b = text.as_bytes();
    let month = MONTHS.iter().position(|m| text.get(..3) == Some(*m))? as u8 + 1;
    let mut at = 3;
    while b.get(at) == Some(&b' ') && at < 6 {
        at += 1;
    }
    let (day, used) = match digits(b, at, 2) {
        Some(d) => (d, 2),
        None => (digits(b, at, 1)?, 1),
    };
    at += used;
    if b.get(at) != Some(&b' ') || b.get(at + 3) != Some(&b':') || b.get(at + 6) != Some(&b':') {
        return None;
    }
    let c = Civil {
        year: i64::from(setting.year_hint.unwrap_or(2000)),
        month,
        day: day as u8,
        hour: digits(b, at + 1, 2)? as u8,
        minute: digits(b, at + 4, 2)? as u8,
        second: digits(b, at + 7, 2)? as u8,
        nanos: 0,
    };
    let s = c.zoned(setting)?;
    let s = setting.year_hint.map(|_| Stamp {
        note: TimeNote::Yearless,
        ..s
    });
    Some((s, at + 9))
}

/// Seconds since the epoch with a decimal fraction, as text.
pub(crate) fn stamp_epoch(text: &str, setting: &Setting) -> Option<Stamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let s: i64 = whole.parse().ok()?;
    let mut scale = 100_000_000i64;
    let mut n = 0i64;
    for c in fraction.bytes() {
        if !c.is_ascii_digit() {
            return None;
        }
        n += i64::from(c - b'0') * scale;
        scale /= 10;
    }
    let time = s.checked_mul(SECOND)?.checked_add(n)?;
    Some(Stamp::explicit(time).shifted(setting))
}

/// An address without its IPv4-mapped prefix or brackets; words that mean "here" or "none" become empty.
pub(crate) fn address(text: &str) -> &str {
    let t = text.trim();
    let t = t
        .strip_prefix('[')
        .and_then(|t| t.strip_suffix(']'))
        .unwrap_or(t);
    let t = match t.get(..7) {
        Some(p) if p.eq_ignore_ascii_case("::ffff:") && t[7..].contains('.') => &t[7..],
        _ => t,
    };
    match t {
        "-" | "LOCAL" | "local" | "localhost" | "N/A" | "unknown" | "UNKNOWN" => "",
        _ => t,
    }
}

/// True when the text is an IPv4 or IPv6 address, a zone index allowed.
pub(crate) fn is_address(text: &str) -> bool {
    text.split('%')
        .next()
        .unwrap_or("")
        .parse::<std::net::IpAddr>()
        .is_ok()
}

/// Text of a record: UTF-8, else Windows-1252 byte by byte (contract §D).
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(s) => Cow::Borrowed(s),
        Err(_) => {
            const HIGH: [char; 32] = [
                '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}',
                'Ž', '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›',
                'œ', '\u{9d}', 'ž', 'Ÿ',
            ];
            Cow::Owned(
                bytes
                    .iter()
                    .map(|b| match b {
                        0x80..=0x9f => HIGH[usize::from(b - 0x80)],
                        _ => char::from(*b),
                    })
                    .collect(),
            )
        }
    }
}

/// Length of a UTF-8 byte order mark at the very start of a file.
pub(crate) fn mark(bytes: &[u8], base: u64) -> usize {
    if base == 0 && bytes.starts_with(b"\xEF\xBB\xBF") {
        3
    } else {
        0
    }
}

/// True when JSON begins here: an object, or an array of objects. Many lines of text begin with `[`.
pub(crate) fn opens_json(bytes: &[u8]) -> bool {
    let at = past_space(bytes, mark(bytes, 0));
    match bytes.get(at) {
        Some(b'{') => true,
        Some(b'[') => {
            let inner = bytes.get(past_space(bytes, at + 1));
            matches!(inner, None | Some(b'{' | b'[' | b']'))
        }
        _ => false,
    }
}

/// Index of the first byte that is not white space.
pub(crate) fn past_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes
        .get(at)
        .is_some_and(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
    {
        at += 1;
    }
    at
}

/// Cuts pieces into lines. A line longer than [`RECORD_MAX`] is one reject.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    skipping: bool,
}

impl Lines {
    /// Calls `each(line without its end, offset in bytes, length with its end, out)` for every whole line and returns the
    /// bytes taken. Blank lines are skips and never reach `each`.
    pub(crate) fn run(
        &mut self,
        bytes: &[u8],
        last: bool,
        out: &mut Decoded,
        mut each: impl FnMut(&[u8], usize, usize, &mut Decoded),
    ) -> usize {
        self.run_all(bytes, last, out, |line, at, len, out| {
            if line.iter().all(u8::is_ascii_whitespace) {
                out.skip();
            } else {
                each(line, at, len, out);
            }
        })
    }
    /// The same with blank lines given to `each`, for formats where they can be inside a value.
    pub(crate) fn run_all(
        &mut self,
        bytes: &[u8],
        last: bool,
        out: &mut Decoded,
        mut each: impl FnMut(&[u8], usize, usize, &mut Decoded),
    ) -> usize {
        let mut at = 0;
        if out.base == 0 && b"\xEF\xBB\xBF".starts_with(&bytes[..bytes.len().min(3)]) && !last {
            if bytes.len() < 3 {
                return 0;
            }
            at = 3;
        } else {
            at += mark(bytes, out.base);
        }
        while at < bytes.len() {
            let found = memchr::memchr(b'\n', &bytes[at..]);
            let end = match found {
                Some(i) => at + i,
                None if last => bytes.len(),
                None if self.skipping => return bytes.len(),
                None if bytes.len() - at > RECORD_MAX => {
                    out.reject(bytes, at, RECORD_MAX, Reason::TooLong);
                    self.skipping = true;
                    return bytes.len();
                }
                None => return at,
            };
            let next = if found.is_some() { end + 1 } else { end };
            if std::mem::take(&mut self.skipping) {
                at = next;
                continue;
            }
            let mut line = &bytes[at..end];
            if line.last() == Some(&b'\r') {
                line = &line[..line.len() - 1];
            }
            if line.len() > RECORD_MAX {
                out.reject(bytes, at, RECORD_MAX, Reason::TooLong);
            } else {
                each(line, at, next - at, out);
            }
            at = next;
        }
        at
    }
}

/// What a decoder made of one JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It was accounted for.
    Done,
    /// It ends too early; nothing was accounted for.
    Cut,
    /// It holds an array of records under the key the cutter was made for; nothing was accounted for.
    Container,
}

/// Cuts JSON into records: one value a line, values that span lines, top-level arrays, and the elements of one named
/// array inside a container object. Containers, brackets and commas are no records; blank and `#` lines are skips.
#[derive(Debug)]
pub(crate) struct Values {
    /// Key of the array that holds records; empty when there are no containers.
    key: &'static str,
    /// Finds the text a container has near its front.
    marker: Box<memchr::memmem::Finder<'static>>,
    state: State,
    /// True at the start of a line.
    fresh: bool,
    /// True after a top-level `[`.
    array: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Top,
    Inside,
    Tail,
    /// After a value longer than the limit, until the next line.
    Skipping,
}

/// Where a JSON value ends.
enum End {
    At(usize),
    More,
    /// A line end inside a string, or a new value at the start of a line: the value was cut there.
    Broken(usize),
}

/// Finds the end of the object or array at `from`; `depth` brackets are open already.
fn json_end(b: &[u8], from: usize, mut depth: usize) -> End {
    let mut i = from;
    while i < b.len() {
        match b[i] {
            b'"' => {
                let mut j = i + 1;
                loop {
                    match memchr::memchr3(b'"', b'\\', b'\n', &b[j.min(b.len())..]) {
                        None => return End::More,
                        Some(k) => match b[j + k] {
                            b'"' => {
                                i = j + k;
                                break;
                            }
                            b'\n' => return End::Broken(j + k),
                            _ => j += k + 2,
                        },
                    }
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return End::At(i + 1);
                }
            }
            b'\n' if depth > 0 && b.get(i + 1) == Some(&b'{') => return End::Broken(i),
            _ => {}
        }
        i += 1;
    }
    End::More
}

/// Finds the array under `key` of the object at `from`: the index after its `[`. `Err(true)`: not decided yet.
pub(crate) fn array_of(b: &[u8], from: usize, key: &str) -> Result<usize, bool> {
    let mut depth = 0usize;
    let mut i = from;
    while i < b.len() {
        match b[i] {
            b'"' => {
                let mut j = i + 1;
                loop {
                    match memchr::memchr3(b'"', b'\\', b'\n', &b[j.min(b.len())..]) {
                        None => return Err(true),
                        Some(k) => match b[j + k] {
                            b'"' => {
                                j += k;
                                break;
                            }
                            b'\n' => return Err(false),
                            _ => j += k + 2,
                        },
                    }
                }
                if depth == 1 && &b[i + 1..j] == key.as_bytes() {
                    let colon = past_space(b, j + 1);
                    match b.get(colon) {
                        None => return Err(true),
                        Some(b':') => {
                            let open = past_space(b, colon + 1);
                            match b.get(open) {
                                None => return Err(true),
                                Some(b'[') => return Ok(open + 1),
                                Some(_) => {}
                            }
                        }
                        Some(_) => {}
                    }
                }
                i = j;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Err(false);
                }
            }
            _ => {}
        }
        i += 1;
    }
    Err(true)
}

/// Where a container must have named itself, from its first byte.
const CONTAINER_HEAD: usize = 2048;

impl Values {
    pub(crate) fn new(key: &'static str) -> Self {
        Values::marked(key, "\"Bundle\"")
    }
    /// Containers told by another text than that of a FHIR bundle.
    pub(crate) fn marked(key: &'static str, marker: &'static str) -> Self {
        Values {
            key,
            marker: Box::new(memchr::memmem::Finder::new(marker)),
            state: State::Top,
            fresh: true,
            array: false,
        }
    }
    /// Between two values, neither in a container nor in an array, at the start of a line.
    pub(crate) fn at_rest(&self) -> bool {
        self.state == State::Top && self.fresh && !self.array
    }
    /// For [`crate::Decode::cut`].
    pub(crate) fn cut(&self, bytes: &[u8], most: usize) -> Option<usize> {
        if !self.at_rest() {
            return None;
        }
        crate::lines::cut(bytes, most)
    }
    /// For [`crate::Decode::apart`].
    pub(crate) fn apart(&self) -> Option<Values> {
        self.at_rest().then(|| Values {
            key: self.key,
            marker: self.marker.clone(),
            state: State::Top,
            fresh: true,
            array: false,
        })
    }
    /// Calls `each(value, offset, length, element of a container, out)` and returns the bytes taken.
    pub(crate) fn run(
        &mut self,
        bytes: &[u8],
        last: bool,
        out: &mut Decoded,
        mut each: impl FnMut(&[u8], usize, usize, bool, &mut Decoded) -> Seen,
    ) -> usize {
        let mut at = 0;
        if out.base == 0 && !last && bytes.len() < 3 {
            return 0;
        }
        at += mark(bytes, out.base);
        loop {
            let step = match self.state {
                State::Top => self.top(bytes, at, last, out, &mut each),
                State::Inside => self.inside(bytes, at, last, out, &mut each),
                State::Tail => match json_end(bytes, at, 1) {
                    End::At(i) => {
                        self.state = State::Top;
                        self.fresh = false;
                        Some(i)
                    }
                    // The records before it were complete; only their container was cut.
                    End::Broken(i) => {
                        out.reject(bytes, at, i - at, Reason::Truncated);
                        self.state = State::Top;
                        self.fresh = true;
                        Some(i + 1)
                    }
                    End::More if last => {
                        out.reject(bytes, at, bytes.len() - at, Reason::Truncated);
                        Some(bytes.len())
                    }
                    End::More if bytes.len() - at > RECORD_MAX => {
                        out.reject(bytes, at, RECORD_MAX, Reason::TooLong);
                        self.state = State::Skipping;
                        Some(bytes.len())
                    }
                    End::More => None,
                },
                State::Skipping => match memchr::memchr(b'\n', &bytes[at..]) {
                    Some(i) => {
                        self.state = State::Top;
                        self.fresh = true;
                        Some(at + i + 1)
                    }
                    None => return bytes.len(),
                },
            };
            match step {
                Some(i) if i >= bytes.len() => {
                    if last && self.state == State::Inside {
                        out.reject(bytes, bytes.len(), 0, Reason::Truncated);
                    }
                    return bytes.len();
                }
                Some(i) => at = i,
                None => return at,
            }
        }
    }
    fn top(
        &mut self,
        bytes: &[u8],
        at: usize,
        last: bool,
        out: &mut Decoded,
        each: &mut impl FnMut(&[u8], usize, usize, bool, &mut Decoded) -> Seen,
    ) -> Option<usize> {
        if at >= bytes.len() {
            return Some(at);
        }
        let eol = memchr::memchr(b'\n', &bytes[at..]).map(|i| at + i);
        let (end, next) = match eol {
            Some(e) => (e, e + 1),
            None => (bytes.len(), bytes.len()),
        };
        let mut p = at;
        while p < end && bytes[p].is_ascii_whitespace() {
            p += 1;
        }
        if p == end {
            // Nothing but white space up to the line end.
            if eol.is_none() && !last {
                return None;
            }
            if std::mem::replace(&mut self.fresh, true) {
                out.skip();
            }
            return Some(next);
        }
        match bytes[p] {
            b'[' | b']' | b',' => {
                self.array |= bytes[p] == b'[';
                self.fresh = false;
                return Some(p + 1);
            }
            b'{' => {}
            c => {
                if eol.is_none() && !last {
                    if bytes.len() - p > RECORD_MAX {
                        out.reject(bytes, p, RECORD_MAX, Reason::TooLong);
                        self.state = State::Skipping;
                        return Some(bytes.len());
                    }
                    return None;
                }
                if c == b'#' {
                    out.skip();
                } else {
                    out.reject(bytes, p, next - p, Reason::Shape);
                }
                self.fresh = true;
                return Some(next);
            }
        }
        // A container names its kind early; looking only there keeps the usual case to one pass over the line.
        if !self.key.is_empty() {
            let window = &bytes[p..bytes.len().min(p + CONTAINER_HEAD)];
            let ends = memchr::memchr_iter(b'\n', window);
            let mut next_value = ends.into_iter().find(|i| window.get(i + 1) == Some(&b'{'));
            if next_value.is_none() && window.len() < CONTAINER_HEAD && !last {
                // A value that ends in its own line needs nothing of what follows.
                match json_end(bytes, p, 0) {
                    End::At(i) if eol.is_some() && i <= end => next_value = Some(i - p),
                    _ => return None,
                }
            }
            let window = &window[..next_value.unwrap_or(window.len())];
            if self.marker.find(window).is_some() {
                match array_of(bytes, p, self.key) {
                    Ok(i) => {
                        self.state = State::Inside;
                        return Some(i);
                    }
                    Err(true) if !last && bytes.len() - p <= RECORD_MAX => return None,
                    Err(_) => {}
                }
            }
        }
        if eol.is_none() && !last {
            if bytes.len() - p > RECORD_MAX {
                out.reject(bytes, p, RECORD_MAX, Reason::TooLong);
                self.state = State::Skipping;
                return Some(bytes.len());
            }
            return None;
        }
        let mut stop = end;
        while stop > p
            && (bytes[stop - 1].is_ascii_whitespace()
                || (self.array && matches!(bytes[stop - 1], b',' | b']')))
        {
            stop -= 1;
        }
        match each(&bytes[p..stop], p, next - p, false, out) {
            Seen::Done => {
                self.fresh = true;
                return Some(next);
            }
            Seen::Container => {
                // A container without records is no record itself.
                if let End::At(i) = json_end(bytes, p, 0) {
                    self.fresh = false;
                    return Some(i);
                }
            }
            Seen::Cut => {
                // A line cut short is followed by a new value; a value that spans lines is not.
                match bytes.get(next) {
                    None if !last => return None,
                    Some(b'{') | None => {
                        out.reject(bytes, p, next - p, Reason::Truncated);
                        self.fresh = true;
                        return Some(next);
                    }
                    Some(_) => {}
                }
            }
        }
        match json_end(bytes, p, 0) {
            End::At(i) => {
                if each(&bytes[p..i], p, i - p, false, out) != Seen::Done {
                    out.reject(bytes, p, i - p, Reason::Shape);
                }
                self.fresh = false;
                Some(i)
            }
            End::Broken(i) => {
                out.reject(bytes, p, i - p, Reason::Truncated);
                self.fresh = true;
                Some(i + 1)
            }
            End::More if last => {
                out.reject(bytes, p, bytes.len() - p, Reason::Truncated);
                Some(bytes.len())
            }
            End::More if bytes.len() - p > RECORD_MAX => {
                out.reject(bytes, p, RECORD_MAX, Reason::TooLong);
                self.state = State::Skipping;
                Some(bytes.len())
            }
            End::More => None,
        }
    }
    fn inside(
        &mut self,
        bytes: &[u8],
        at: usize,
        last: bool,
        out: &mut Decoded,
        each: &mut impl FnMut(&[u8], usize, usize, bool, &mut Decoded) -> Seen,
    ) -> Option<usize> {
        let mut p = past_space(bytes, at);
        while bytes.get(p) == Some(&b',') {
            p = past_space(bytes, p + 1);
        }
        match bytes.get(p) {
            None => Some(p),
            Some(b']') => {
                self.state = State::Tail;
                Some(p + 1)
            }
            Some(b'{') => match json_end(bytes, p, 0) {
                End::At(i) => {
                    if each(&bytes[p..i], p, i - p, true, out) != Seen::Done {
                        out.reject(bytes, p, i - p, Reason::Shape);
                    }
                    Some(i)
                }
                End::Broken(i) => {
                    out.reject(bytes, p, i - p, Reason::Truncated);
                    self.state = State::Top;
                    self.fresh = true;
                    Some(i + 1)
                }
                End::More if last => {
                    out.reject(bytes, p, bytes.len() - p, Reason::Truncated);
                    self.state = State::Top;
                    Some(bytes.len())
                }
                End::More if bytes.len() - p > RECORD_MAX => {
                    out.reject(bytes, p, RECORD_MAX, Reason::TooLong);
                    self.state = State::Skipping;
                    Some(bytes.len())
                }
                End::More => None,
            },
            Some(_) => {
                let end = memchr::memchr(b'\n', &bytes[p..]).map(|i| p + i + 1);
                if end.is_none() && !last {
                    return None;
                }
                let end = end.unwrap_or(bytes.len());
                out.reject(bytes, p, end - p, Reason::Shape);
                self.state = State::Top;
                self.fresh = true;
                Some(end)
            }
        }
    }
}

/// Keys and scalar values of a JSON object: nested keys joined with dots, arrays of scalars joined with commas.
pub(crate) type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Most pairs kept of one object; the rest is ignored.
const PAIRS_MAX: usize = 4096;

/// Flattens one JSON object. Numbers and booleans become text, null is left out.
pub(crate) fn flatten(json: &str) -> Result<Pairs<'_>, serde_json::Error> {
    let mut pairs = Vec::with_capacity(32);
    let mut de = serde_json::Deserializer::from_str(json);
    Flat {
        pairs: &mut pairs,
        path: Cow::Borrowed(""),
        top: true,
    }
    .deserialize(&mut de)?;
    de.end()?;
    Ok(pairs)
}

pub(crate) struct Flat<'p, 'a> {
    pairs: &'p mut Pairs<'a>,
    path: Cow<'a, str>,
    top: bool,
}

impl<'p, 'a> Flat<'p, 'a> {
    /// Flattens any value, not only an object; a scalar has an empty key.
    pub(crate) fn inner(pairs: &'p mut Pairs<'a>) -> Self {
        Flat {
            pairs,
            path: Cow::Borrowed(""),
            top: false,
        }
    }
}

impl<'a> Flat<'_, 'a> {
    fn put(self, v: Cow<'a, str>) {
        if self.pairs.len() >= PAIRS_MAX {
            return;
        }
        match self.pairs.last_mut() {
            Some((k, old)) if *k == self.path && !self.path.is_empty() => {
                let old = old.to_mut();
                old.push(',');
                old.push_str(&v);
            }
            _ => self.pairs.push((self.path, v)),
        }
    }
}

impl<'a> DeserializeSeed<'a> for Flat<'_, 'a> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, d: D) -> Result<(), D::Error> {
        if self.top {
            d.deserialize_map(self)
        } else {
            d.deserialize_any(self)
        }
    }
}

impl<'a> Visitor<'a> for Flat<'_, 'a> {
    type Value = ();
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }
    fn visit_borrowed_str<E>(self, v: &'a str) -> Result<(), E> {
        self.put(Cow::Borrowed(v));
        Ok(())
    }
    fn visit_str<E>(self, v: &str) -> Result<(), E> {
        self.put(Cow::Owned(v.to_string()));
        Ok(())
    }
    fn visit_bool<E>(self, v: bool) -> Result<(), E> {
        self.put(Cow::Borrowed(if v { "true" } else { "false" }));
        Ok(())
    }
    fn visit_i64<E>(self, v: i64) -> Result<(), E> {
        self.put(Cow::Owned(v.to_string()));
        Ok(())
    }
    fn visit_u64<E>(self, v: u64) -> Result<(), E> {
        self.put(Cow::Owned(v.to_string()));
        Ok(())
    }
    fn visit_f64<E>(self, v: f64) -> Result<(), E> {
        self.put(Cow::Owned(v.to_string()));
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let Flat { pairs, path, .. } = self;
        while seq
            .next_element_seed(Flat {
                pairs: &mut *pairs,
                path: path.clone(),
                top: false,
            })?
            .is_some()
        {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Flat { pairs, path, .. } = self;
        while let Some(Word(key)) = map.next_key::<Word<'a>>()? {
            let path = if path.is_empty() {
                key
            } else {
                Cow::Owned(format!("{path}.{key}"))
            };
            map.next_value_seed(Flat {
                pairs: &mut *pairs,
                path,
                top: false,
            })?;
        }
        Ok(())
    }
}

/// A scalar of JSON as text, borrowed where it has no escapes. Objects and arrays read as empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Word<'a>(pub Cow<'a, str>);

impl std::ops::Deref for Word<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> serde::Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Word<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a scalar")
            }
            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Word<'de>, E> {
                Ok(Word(Cow::Borrowed(v)))
            }
            fn visit_str<E>(self, v: &str) -> Result<Word<'de>, E> {
                Ok(Word(Cow::Owned(v.to_string())))
            }
            fn visit_bool<E>(self, v: bool) -> Result<Word<'de>, E> {
                Ok(Word(Cow::Borrowed(if v { "true" } else { "false" })))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Word<'de>, E> {
                Ok(Word(Cow::Owned(v.to_string())))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Word<'de>, E> {
                Ok(Word(Cow::Owned(v.to_string())))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Word<'de>, E> {
                Ok(Word(Cow::Owned(v.to_string())))
            }
            fn visit_unit<E>(self) -> Result<Word<'de>, E> {
                Ok(Word::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut a: A) -> Result<Word<'de>, A::Error> {
                while a.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                Ok(Word::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut a: A) -> Result<Word<'de>, A::Error> {
                while a
                    .next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?
                    .is_some()
                {}
                Ok(Word::default())
            }
        }
        d.deserialize_any(V)
    }
}

/// Lines of `extra`, sorted by key.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// Values, one behind the other.
    text: String,
    /// Key, and where its value begins and ends.
    lines: Vec<(&'static str, usize, usize)>,
}

impl Extra {
    /// Keeps a value unless it is empty or a dash. Line ends would break the form and become spaces.
    pub(crate) fn put(&mut self, key: &'static str, value: &str) {
        let value = value.trim();
        if value.is_empty() || value == "-" {
            return;
        }
        if self.lines.is_empty() {
            self.lines.reserve(8);
            self.text.reserve(value.len().max(128));
        }
        let from = self.text.len();
        if value.bytes().any(|b| matches!(b, b'\n' | b'\r')) {
            for (i, word) in value.split_whitespace().enumerate() {
                if i > 0 {
                    self.text.push(' ');
                }
                self.text.push_str(word);
            }
        } else {
            self.text.push_str(value);
        }
        self.lines.push((key, from, self.text.len()));
    }
    pub(crate) fn done(mut self) -> Cow<'static, str> {
        if self.lines.is_empty() {
            return Cow::Borrowed("");
        }
        let text = &self.text;
        self.lines
            .sort_by(|a, b| (a.0, &text[a.1..a.2]).cmp(&(b.0, &text[b.1..b.2])));
        let keys: usize = self.lines.iter().map(|l| l.0.len() + 2).sum();
        let mut s = String::with_capacity(text.len() + keys);
        for (i, (key, from, to)) in self.lines.iter().enumerate() {
            if i > 0 {
                s.push('\n');
            }
            s.push_str(key);
            s.push('=');
            s.push_str(&text[*from..*to]);
        }
        Cow::Owned(s)
    }
}

/// One step of the XML scanner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Tag<'a> {
    /// Local name, raw attributes, and whether the element is already closed (`<a/>`).
    Open(&'a str, &'a str, bool),
    Close(&'a str),
    /// Raw text, still escaped.
    Text(&'a str),
    /// Text of a CDATA section, literal.
    Literal(&'a str),
}

/// Why the scanner stopped early.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum XmlStop {
    Truncated,
    Shape,
    /// A document type or an entity that is not one of the five of XML.
    Forbidden,
}

impl XmlStop {
    pub(crate) fn reason(self) -> Reason {
        match self {
            XmlStop::Truncated => Reason::Truncated,
            XmlStop::Shape => Reason::Shape,
            XmlStop::Forbidden => Reason::Forbidden,
        }
    }
}

/// A scanner over the tags of one small document: borrowed, without namespaces, document types refused.
pub(crate) struct Xml<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Xml<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Xml { text, at: 0 }
    }
    /// Nothing, at the place the next tag or text begins.
    pub(crate) fn here(&self) -> &'a str {
        &self.text[self.at..self.at]
    }
    pub(crate) fn next(&mut self) -> Result<Option<Tag<'a>>, XmlStop> {
        loop {
            let rest = &self.text[self.at..];
            let Some(lt) = memchr::memchr(b'<', rest.as_bytes()) else {
                if rest.is_empty() {
                    return Ok(None);
                }
                self.at = self.text.len();
                return Ok(Some(Tag::Text(rest)));
            };
            if lt > 0 {
                self.at += lt;
                return Ok(Some(Tag::Text(&rest[..lt])));
            }
            let skip = |close: &str| match memchr::memmem::find(rest.as_bytes(), close.as_bytes()) {
                Some(i) => Ok(i + close.len()),
                None => Err(XmlStop::Truncated),
            };
            if rest.starts_with("<!--") {
                self.at += skip("-->")?;
            } else if rest.starts_with("<![CDATA[") {
                let used = skip("]]>")?;
                self.at += used;
                return Ok(Some(Tag::Literal(&rest[9..used - 3])));
            } else if rest.starts_with("<!") {
                return Err(XmlStop::Forbidden);
            } else if rest.starts_with("<?") {
                self.at += skip("?>")?;
            } else {
                // The end of the tag is the first '>' outside quotes.
                let b = rest.as_bytes();
                let mut i = 1;
                let end = loop {
                    match memchr::memchr3(b'>', b'"', b'\'', &b[i..]) {
                        None => return Err(XmlStop::Truncated),
                        Some(j) if b[i + j] == b'>' => break i + j,
                        Some(j) => {
                            let q = b[i + j];
                            match memchr::memchr(q, &b[i + j + 1..]) {
                                None => return Err(XmlStop::Truncated),
                                Some(k) => i = i + j + 1 + k + 1,
                            }
                        }
                    }
                };
                let inner = &rest[1..end];
                self.at += end + 1;
                if let Some(name) = inner.strip_prefix('/') {
                    return Ok(Some(Tag::Close(local(name.trim_end()))));
                }
                let (inner, closed) = match inner.strip_suffix('/') {
                    Some(i) => (i, true),
                    None => (inner, false),
                };
                let cut = inner
                    .find(|c: char| c.is_ascii_whitespace())
                    .unwrap_or(inner.len());
                if cut == 0 {
                    return Err(XmlStop::Shape);
                }
                return Ok(Some(Tag::Open(local(&inner[..cut]), &inner[cut..], closed)));
            }
        }
    }
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// Attributes of a tag: local name and raw value, in order. Stops at the first thing that is no attribute.
pub(crate) fn attributes(raw: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = raw;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let eq = rest.find('=')?;
        let name = local(rest[..eq].trim());
        let after = rest[eq + 1..].trim_start();
        let q = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let close = after[1..].find(q)?;
        let value = &after[1..1 + close];
        rest = &after[close + 2..];
        Some((name, value))
    })
}

/// Value of one attribute, raw.
pub(crate) fn attribute<'a>(raw: &'a str, name: &str) -> &'a str {
    attributes(raw)
        .find(|(n, _)| *n == name)
        .map_or("", |(_, v)| v)
}

/// Resolves the five entities of XML and character references; any other entity is refused.
pub(crate) fn unescape(raw: &str) -> Result<Cow<'_, str>, XmlStop> {
    let Some(first) = memchr::memchr(b'&', raw.as_bytes()) else {
        return Ok(Cow::Borrowed(raw));
    };
    let mut s = String::with_capacity(raw.len());
    s.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    while let Some(i) = rest.find('&') {
        s.push_str(&rest[..i]);
        let after = &rest[i + 1..];
        let Some(semi) = after.find(';').filter(|i| *i <= 10) else {
            // A bare ampersand is not XML but harmless; it is kept as it is.
            s.push('&');
            rest = after;
            continue;
        };
        let name = &after[..semi];
        match name {
            "amp" => s.push('&'),
            "lt" => s.push('<'),
            "gt" => s.push('>'),
            "quot" => s.push('"'),
            "apos" => s.push('\''),
            _ => {
                let code = name
                    .strip_prefix('#')
                    .and_then(|n| match n.strip_prefix(['x', 'X']) {
                        Some(h) => u32::from_str_radix(h, 16).ok(),
                        None => n.parse().ok(),
                    });
                match code {
                    Some(c) => s.push(char::from_u32(c).unwrap_or('\u{fffd}')),
                    None if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                        && !name.is_empty() =>
                    {
                        return Err(XmlStop::Forbidden);
                    }
                    None => {
                        s.push('&');
                        rest = after;
                        continue;
                    }
                }
            }
        }
        rest = &after[semi + 1..];
    }
    s.push_str(rest);
    Ok(Cow::Owned(s))
}

/// Length of an element that has attributes only (`<Name a="b"/>`).
fn closed_at_once(element: &[u8]) -> Option<usize> {
    let mut quote = 0;
    // Attributes longer than this are none, and no value holds the sign that begins a tag.
    for (i, b) in element.iter().enumerate().take(1 << 18) {
        match b {
            b'<' if i > 0 => return None,
            b'"' | b'\'' if quote == 0 => quote = *b,
            b if *b == quote => quote = 0,
            b'>' if quote == 0 => return (element[i - 1] == b'/').then_some(i + 1),
            _ => {}
        }
    }
    None
}

/// Cuts one kind of element (`<Event …>…</Event>`) out of a stream of documents.
/// Declarations, wrappers and white space around elements are no records; anything else is a reject.
pub(crate) struct Elements {
    open: Box<str>,
    opens: memchr::memmem::Finder<'static>,
    close: memchr::memmem::Finder<'static>,
    close_len: usize,
    skipping: bool,
    /// Documents say of themselves what they are before their first record (`<Version>11.2</Version>`).
    headed: bool,
    /// No record was seen yet.
    heading: bool,
}

impl Elements {
    /// `open` is `<Name`, `close` is `</Name>`.
    pub(crate) fn new(open: &str, close: &str) -> Self {
        Elements {
            open: open.into(),
            opens: memchr::memmem::Finder::new(open).into_owned(),
            close: memchr::memmem::Finder::new(close).into_owned(),
            close_len: close.len(),
            skipping: false,
            headed: false,
            heading: false,
        }
    }
    /// The same for documents with elements of their own before the first record.
    pub(crate) fn with_heading(open: &str, close: &str) -> Self {
        Elements {
            headed: true,
            heading: true,
            ..Elements::new(open, close)
        }
    }
    /// For [`crate::Decode::cut`]: behind the last element that ends.
    pub(crate) fn cut(&self, bytes: &[u8], most: usize) -> Option<usize> {
        let close = self.close.needle();
        let end = memchr::memmem::rfind(&bytes[..most.min(bytes.len())], close)? + close.len();
        self.at_rest().then_some(end)
    }
    /// For [`crate::Decode::apart`].
    pub(crate) fn apart(&self) -> Option<Elements> {
        self.at_rest().then(|| Elements {
            open: self.open.clone(),
            opens: self.opens.clone(),
            close: self.close.clone(),
            ..*self
        })
    }
    fn at_rest(&self) -> bool {
        !self.skipping && !self.headed
    }
    /// The next `<Name` that is not the start of a longer name, from `from`. `Err(i)`: undecided from `i` on.
    fn start(&self, bytes: &[u8], from: usize) -> Result<usize, usize> {
        let n = self.open.len();
        let mut at = from;
        while let Some(i) = self.opens.find(&bytes[at..]) {
            let p = at + i;
            match bytes.get(p + n) {
                None => return Err(p),
                Some(b' ' | b'>' | b'\t' | b'\r' | b'\n' | b'/') => return Ok(p),
                Some(_) => at = p + 1,
            }
        }
        // Only the beginning of one may stand at the very end.
        at = at.max((bytes.len() + 1).saturating_sub(n));
        let begins = |i: &usize| self.open.as_bytes().starts_with(&bytes[at + i..]);
        if let Some(i) = memchr::memchr_iter(b'<', &bytes[at..]).find(begins) {
            return Err(at + i);
        }
        Err(bytes.len())
    }
    /// Calls `each(element, offset)`; `broken(bytes, at, len, out)` for an element that never ends.
    pub(crate) fn run(
        &mut self,
        bytes: &[u8],
        last: bool,
        out: &mut Decoded,
        mut each: impl FnMut(&[u8], usize, &mut Decoded),
        mut broken: impl FnMut(&[u8], usize, usize, &mut Decoded),
    ) -> usize {
        let mut at = 0;
        loop {
            let (start, whole) = match self.start(bytes, at) {
                Ok(p) => (p, true),
                Err(p) if last => (bytes.len().max(p), false),
                Err(p) => (p, false),
            };
            if !self.skipping {
                if !whole && !last {
                    // What stands before an undecided start is judged only when the next element or the end is known.
                    if bytes.len() - at <= RECORD_MAX {
                        // Of a heading nothing is taken before its end is known.
                        if self.headed {
                            return at;
                        }
                        return at + noise_front(&bytes[at..start], false, false);
                    }
                    self.noise(bytes, at, at + RECORD_MAX, out, true);
                    self.skipping = true;
                    return start;
                }
                self.noise(bytes, at, start, out, last && !whole);
            }
            if !whole {
                return if last { bytes.len() } else { start };
            }
            self.skipping = false;
            self.heading = false;
            let n = self.open.len();
            if let Some(len) = closed_at_once(&bytes[start..]) {
                each(&bytes[start..start + len], start, out);
                at = start + len;
                continue;
            }
            match self.close.find(&bytes[start..]) {
                Some(i) => {
                    let end = start + i + self.close_len;
                    // Another element opening before the close means this one was cut.
                    match self.start(&bytes[..start + i], start + n) {
                        Ok(second) => {
                            let len = trim_end(&bytes[start..second]);
                            broken(bytes, start, len, out);
                            at = second;
                        }
                        Err(_) => {
                            each(&bytes[start..end], start, out);
                            at = end;
                        }
                    }
                }
                None => {
                    if let Ok(second) = self.start(bytes, start + n) {
                        let len = trim_end(&bytes[start..second]);
                        broken(bytes, start, len, out);
                        at = second;
                    } else if last {
                        let len = trim_end(&bytes[start..]);
                        broken(bytes, start, len, out);
                        return bytes.len();
                    } else if bytes.len() - start > RECORD_MAX {
                        out.reject(bytes, start, RECORD_MAX, Reason::TooLong);
                        self.skipping = true;
                        return start + RECORD_MAX;
                    } else {
                        return start;
                    }
                }
            }
        }
    }
    fn noise(&self, bytes: &[u8], from: usize, to: usize, out: &mut Decoded, _at_end: bool) {
        let to = to.min(bytes.len());
        let mut at = from + noise_front(&bytes[from..to], self.headed, self.heading);
        if at < to {
            let len = trim_end(&bytes[at..to]);
            if len > 0 {
                let reason = if memchr::memmem::find(&bytes[at..at + len], b"<!DOCTYPE").is_some() {
                    Reason::Forbidden
                } else {
                    Reason::Shape
                };
                out.reject(bytes, at, len, reason);
            }
            at = to;
        }
        debug_assert!(at <= to.max(from));
    }
}

fn trim_end(b: &[u8]) -> usize {
    b.iter()
        .rposition(|c| !c.is_ascii_whitespace())
        .map_or(0, |i| i + 1)
}

/// Length of the harmless front: white space, byte order mark, declarations, comments, and tags of wrappers
/// (an opening or closing tag with no text around it); in a heading also elements that hold only text. With `headed` a declaration
/// begins a document with its heading.
fn noise_front(b: &[u8], headed: bool, mut heading: bool) -> usize {
    let mut at = 0;
    loop {
        let from = past_space(b, at);
        let rest = &b[from..];
        let end = if rest.starts_with(b"\xEF\xBB\xBF") {
            Some(3)
        } else if let Some(n) = simple_element(rest).filter(|_| heading) {
            Some(n)
        } else if rest.starts_with(b"<?") {
            heading |= headed && rest.starts_with(b"<?xml");
            memchr::memmem::find(rest, b"?>").map(|i| i + 2)
        } else if rest.starts_with(b"<!--") {
            memchr::memmem::find(rest, b"-->").map(|i| i + 3)
        } else if rest.starts_with(b"<!") {
            None
        } else if rest.starts_with(b"</") || rest.first() == Some(&b'<') {
            memchr::memchr(b'>', rest).map(|i| i + 1).filter(|i| {
                matches!(rest.get(1), Some(c) if c.is_ascii_alphabetic() || *c == b'/')
                    && memchr::memchr(b'<', &rest[1..*i]).is_none()
            })
        } else {
            None
        };
        match end {
            Some(n) => at = from + n,
            None => return from,
        }
    }
}

/// Length of an element that holds only text, at the start.
fn simple_element(b: &[u8]) -> Option<usize> {
    let open = memchr::memchr(b'>', b)?;
    let tag = b.get(1..open).filter(|_| b[0] == b'<')?;
    let name = tag.split(u8::is_ascii_whitespace).next()?;
    let text = open + 1 + memchr::memchr(b'<', &b[open + 1..])?;
    let rest = b[text..].strip_prefix(b"</")?.strip_prefix(name)?;
    (name.first()?.is_ascii_alphabetic() && rest.first() == Some(&b'>'))
        .then(|| text + 2 + name.len() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn what_a_document_says_of_itself_is_no_reject_and_what_stands_between_is() {
        let text = b"<?xml version='1.0'?><A><V a='1'>11.2</V>\n<R>1</R><V>2</V><R>3</R></A>\n<?xml?><A><V>12</V><R>4</R></A>";
        let run = |mut e: Elements| {
            let mut out = Decoded::default();
            let mut seen = vec![];
            let taken = e.run(
                text,
                true,
                &mut out,
                |element, _, _| seen.push(element.to_vec()),
                |_, _, _, _| {},
            );
            assert_eq!((taken, seen.len()), (text.len(), 3));
            out.reject_count
        };
        assert_eq!(run(Elements::with_heading("<R", "</R>")), 1);
        assert_eq!(run(Elements::new("<R", "</R>")), 3);
    }
    fn time(text: &str, setting: &Setting) -> String {
        stamp(text, setting).map_or(String::new(), |s| ampleur_event::time::rfc3339_full(s.time))
    }
    #[test]
    fn stamps_with_and_without_offset() {
        let none = Setting::default();
        assert_eq!(
            time("2025-09-14T03:51:47.747+02:00", &none),
            "2025-09-14T01:51:47.747Z"
        );
        assert_eq!(
            time("2021-01-21 16:12:57.127 CET", &none),
            "2021-01-21T15:12:57.127Z"
        );
        assert_eq!(
            time("2023-06-23T23:00:24.4797882Z", &none),
            "2023-06-23T23:00:24.4797882Z"
        );
        assert_eq!(time("2023-06-31T25:00:24Z", &none), "");
        let paris = Setting {
            zone: jiff::tz::TimeZone::get("Europe/Paris").ok(),
            ..Setting::default()
        };
        assert_eq!(time("2023-07-01 12:00:00", &paris), "2023-07-01T10:00:00Z");
        let s = stamp("2023-10-29 02:30:00", &paris).expect("a stamp");
        assert_eq!(s.note, TimeNote::Folded);
        assert_eq!(s.alt - s.time, 3600 * SECOND);
    }
    #[test]
    fn addresses_lose_their_mapping() {
        assert_eq!(address("::ffff:10.0.0.1"), "10.0.0.1");
        assert_eq!(address("::FFFF:10.0.0.1"), "10.0.0.1");
        assert_eq!(address("::1"), "::1");
        assert_eq!(address("-"), "");
        assert_eq!(address("LOCAL"), "");
        assert!(is_address("fe80::1%10"));
    }
    #[test]
    fn json_is_flattened_with_dots() {
        let p = flatten(r#"{"a":1,"b":{"c":"x","d":[1,2]},"e.f":true,"g":null}"#).expect("json");
        let p: Vec<_> = p.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(p, ["a=1", "b.c=x", "b.d=1,2", "e.f=true"]);
        assert!(flatten("[1]").is_err());
    }
    #[test]
    fn entities_of_a_document_are_refused() {
        assert_eq!(unescape("a&amp;b&#x41;&lt;").as_deref(), Ok("a&bA<"));
        assert_eq!(unescape("&xxe;"), Err(XmlStop::Forbidden));
        assert_eq!(Xml::new("<!DOCTYPE a>").next(), Err(XmlStop::Forbidden));
    }
    #[test]
    fn tags_and_attributes() {
        let mut x = Xml::new("<a:b k='1>2' l=\"x\"/><c>t</c>");
        let Ok(Some(Tag::Open(n, raw, true))) = x.next() else {
            panic!("an empty element")
        };
        assert_eq!(
            (n, attribute(raw, "k"), attribute(raw, "l")),
            ("b", "1>2", "x")
        );
        assert_eq!(x.next(), Ok(Some(Tag::Open("c", "", false))));
        assert_eq!(x.next(), Ok(Some(Tag::Text("t"))));
        assert_eq!(x.next(), Ok(Some(Tag::Close("c"))));
        assert_eq!(x.next(), Ok(None));
    }
}
