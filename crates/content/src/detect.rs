//! Identifiers out of folded text: what looks like a number of a person, checked by its own key where it has one.
//!
//! Input is folded text ([`crate::text`]): lower-case ASCII, one byte a letter. Nothing here knows any person.
//! Standards: NIR, INSEE "numéro d'inscription au répertoire" (13 digits, key 97 − n mod 97, Corsica 2A = 19, 2B = 18);
//! IBAN, ISO 13616 (mod 97 = 1); RPPS, ADELI, FINESS, ISO/IEC 7812 check digit (Luhn); telephones, ITU-T E.164 for +33.

use crate::runs::{Bits, Digits, Openings, load, lowest, opening};

/// Something found in a text. Offsets are bytes of the folded text, `to` not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    pub from: usize,
    pub to: usize,
    pub what: What,
}

/// What a hit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The 13 digits of a NIR or NIA as a number (2A = 19, 2B = 18); `key`: the two digits of its key were there and right.
    Nir {
        stem: u64,
        key: bool,
    },
    /// A calendar date as `YYYYMMDD`.
    Date(u32),
    /// The nine national digits of a French telephone number.
    Phone(u64),
    Email,
    Iban,
    /// Letters and digits, at least one digit, 3 to 24 long: may be anybody's number.
    Token,
}

const LETTER: u8 = 1;
const DIGIT: u8 = 2;

static CLASS: [u8; 256] = {
    let mut t = [0u8; 256];
    let mut i = 0;
    while i < 26 {
        t[b'a' as usize + i] = LETTER;
        t[b'A' as usize + i] = LETTER;
        i += 1;
    }
    let mut i = 0;
    while i < 10 {
        t[b'0' as usize + i] = DIGIT;
        i += 1;
    }
    t
};

#[inline]
fn class(b: u8) -> u8 {
    CLASS[b as usize]
}
#[inline]
fn alnum(b: u8) -> bool {
    class(b) & (LETTER | DIGIT) != 0
}

/// Calls `each` for every hit that starts in `from..to`, in order of `from`; text outside may complete a hit.
pub fn scan(text: &[u8], from: usize, to: usize, each: &mut impl FnMut(Hit)) {
    let mut bits = Bits::default();
    bits.read(text);
    walk(text, &bits, (from, to), None, each, &mut |_, _, _| {});
}

/// As [`scan`], and calls `word` for the whole runs of letters and digits that start in `from..to`, in order: where each starts and
/// ends, and whether a digit is in it. Left out are runs of digits alone, and runs of letters alone that are not in `words`.
/// `bits` are those of `text`.
#[inline]
pub(crate) fn walk(
    text: &[u8],
    bits: &Bits,
    (from, to): (usize, usize),
    words: Option<&Openings>,
    each: &mut impl FnMut(Hit),
    word: &mut impl FnMut(usize, usize, bool),
) {
    let to = to.min(text.len());
    if from >= to {
        return;
    }
    let sign = |at: usize| memchr::memchr(b'@', &text[at..to]).map_or(usize::MAX, |n| at + n);
    let mut next_sign = sign(from);
    // Behind the hits so far: runs before it are words and no numbers.
    let mut done = from;
    if from > 0 && alnum(text[from - 1]) {
        // The rest of a run that starts before is a number and no word.
        let (end, digits) = bits.run(from);
        done = end;
        if digits != Digits::None {
            done = number(text, (from, end), digits, each);
        }
    }
    let blocks = &bits.blocks()[from / 64..to.div_ceil(64)];
    let mut base = from & !63;
    let mut before = base > 0 && alnum(text[base - 1]);
    for b in blocks {
        let mut here = u64::MAX;
        if base < from {
            here <<= from - base;
        }
        if to - base < 64 {
            here &= (1 << (to - base)) - 1;
        }
        let mut starts = b.words & !(b.words << 1 | u64::from(before));
        before = b.words >> 63 == 1;
        let mut signs = 0;
        while next_sign < base + 64 {
            signs |= 1 << (next_sign - base);
            next_sign = sign(next_sign + 1);
        }
        starts = (starts | signs) & here;
        while starts != 0 {
            let s = starts.trailing_zeros();
            starts &= starts - 1;
            let start = base + s as usize;
            if signs >> s & 1 == 1 {
                if start >= done {
                    done = start + 1;
                    if let Some(h) = email(text, start) {
                        each(h);
                        done = done.max(h.to);
                    }
                }
                continue;
            }
            let n = (!(b.words >> s)).trailing_zeros();
            let (end, digits) = if n < 64 - s {
                let (all, d) = ((1 << n) - 1, b.digits >> s);
                let digits = match d & all {
                    0 => Digits::None,
                    d if d == all => Digits::All,
                    _ => Digits::Some,
                };
                (start + n as usize, digits)
            } else {
                bits.run(start)
            };
            if digits == Digits::None {
                // Most runs of a text end here.
                if words.is_some_and(|w| w.holds(opening(text, start, end))) {
                    word(start, end, false);
                }
                continue;
            }
            if digits == Digits::Some {
                word(start, end, true);
            }
            if start >= done {
                done = number(text, (start, end), digits, each);
            } else if done < end && done < to {
                // A hit ended within the run: what is left is looked at by itself.
                let (_, digits) = bits.run(done);
                let at = done;
                done = end;
                if digits != Digits::None {
                    done = number(text, (at, end), digits, each);
                }
            }
        }
        base += 64;
    }
}

/// Hits of the token `start..end`, of whose signs some or all are digits. Returns where to go on: at `end` or behind a longer hit.
fn number(
    text: &[u8],
    (start, end): (usize, usize),
    digits: Digits,
    each: &mut impl FnMut(Hit),
) -> usize {
    let len = end - start;
    if text[start].is_ascii_digit() {
        // In the middle of a longer number (12.06…, 1-2-3) only the token itself counts.
        let inside = start >= 2
            && matches!(text[start - 1], b'.' | b',' | b'-' | b'/' | b':')
            && text[start - 2].is_ascii_digit();
        if !inside {
            if begins_nir(text, end, len)
                && let Some(h) = nir(text, (start, end), digits)
            {
                each(h);
                return h.to.max(end);
            }
            if (text[start] == b'0' || (start > 0 && text[start - 1] == b'+'))
                && let Some(h) = phone(text, start)
            {
                each(h);
                return h.to.max(end);
            }
            if begins_date(text, end, len, digits)
                && let Some(h) = date(text, start, end)
            {
                each(h);
                // A run of digits that may be a date may also be somebody's number.
                if h.to == end && len >= 6 {
                    each(token(start, end));
                }
                return h.to.max(end);
            }
        }
    } else if let Some(h) = iban(text, start) {
        each(h);
        return h.to.max(end);
    }
    if (3..=24).contains(&len) {
        each(token(start, end));
    }
    end
}

/// False when the run of `len` signs that ends at `end` is no beginning of a NIR: not its first groups with a digit behind the
/// sign after them, nor all of it.
#[inline]
fn begins_nir(text: &[u8], end: usize, len: usize) -> bool {
    const GROUPS: u32 = 1 << 1 | 1 << 3 | 1 << 5 | 1 << 7 | 1 << 10;
    match len {
        13 | 15 => true,
        1..=10 if GROUPS >> len & 1 == 1 => {
            matches!(text[end..], [s, d, ..] if separator(s) && d.is_ascii_digit())
        }
        _ => false,
    }
}

/// False when no date begins with the run of `len` signs that ends at `end`: digits of another number, or with no sign behind
/// them that a date goes on with.
#[inline]
fn begins_date(text: &[u8], end: usize, len: usize, digits: Digits) -> bool {
    const WHOLE: u32 = 1 << 8 | 1 << 10 | 1 << 12 | 1 << 14;
    match (digits, len) {
        (Digits::All, 1 | 2) => match text[end..] {
            [b'/' | b'-' | b'.', ..] => true,
            [b' ', next, ..] => !next.is_ascii_lowercase() || b"jfmasond".contains(&next),
            [b'_', next, ..] => next.is_ascii_digit(),
            _ => false,
        },
        (Digits::All, 4) => {
            matches!(text[end..], [b'-' | b'/' | b'.', d, ..] if d.is_ascii_digit())
        }
        (Digits::All, 8..=14) => WHOLE >> len & 1 == 1,
        (Digits::All, _) => false,
        _ => true,
    }
}

fn token(from: usize, to: usize) -> Hit {
    Hit {
        from,
        to,
        what: What::Token,
    }
}

/// The key of a NIR stem (2A = 19, 2B = 18).
pub fn nir_key(stem: u64) -> u64 {
    97 - stem % 97
}

/// A stem from the characters of an identifier: 13 or 15 significant, Corsican letters allowed; a wrong key is no NIR.
/// Returns the stem and whether a key confirmed it.
pub fn nir_of(value: &str) -> Option<(u64, bool)> {
    let folded: Vec<u8> = value
        .bytes()
        .filter(u8::is_ascii_alphanumeric)
        .map(|b| b.to_ascii_lowercase())
        .collect();
    if folded.len() != 13 && folded.len() != 15 {
        return None;
    }
    let stem = stem_of(folded.get(..13)?)?;
    if folded.len() == 13 {
        return Some((stem, false));
    }
    let key = two(&folded, 13)?;
    (key == nir_key(stem)).then_some((stem, true))
}

/// The text form of a stem with its key, digits only except Corsica, which cannot be told from departments 18 and 19.
pub fn nir_text(stem: u64) -> String {
    format!("{stem:013}{:02}", nir_key(stem))
}

fn two(b: &[u8], at: usize) -> Option<u64> {
    let (x, y) = (b.get(at)?, b.get(at + 1)?);
    (x.is_ascii_digit() && y.is_ascii_digit())
        .then(|| u64::from(x - b'0') * 10 + u64::from(y - b'0'))
}

/// A month of birth, or one of those the registers give where it is not known.
fn month(n: u64) -> bool {
    matches!(n, 1..=12 | 20..=42 | 50..=99)
}

/// Thirteen characters to a number; form, month and department plausible.
fn stem_of(s: &[u8]) -> Option<u64> {
    if !matches!(s[0], b'1'..=b'4' | b'7' | b'8') {
        return None;
    }
    if !month(two(s, 3)?) {
        return None;
    }
    let mut n = 0u64;
    for (i, b) in s.iter().enumerate() {
        let (tens, d) = match b {
            b'0'..=b'9' => (10, u64::from(b - b'0')),
            // 2A is counted as 19, 2B as 18: the 2 before it becomes 1.
            b'a' if i == 6 && s[5] == b'2' => {
                n -= 1;
                (10, 9)
            }
            b'b' if i == 6 && s[5] == b'2' => {
                n -= 1;
                (10, 8)
            }
            _ => return None,
        };
        n = n * tens + d;
    }
    let department = n / 1_000_000 % 100;
    (department != 0).then_some(n)
}

fn separator(b: u8) -> bool {
    matches!(b, b' ' | b'.' | b'-' | b'_')
}

/// A NIR that starts with the run `at..end`: contiguous, or in its groups 1 2 2 2 3 3 (2) with one sign between them.
fn nir(text: &[u8], (at, end): (usize, usize), of: Digits) -> Option<Hit> {
    if !matches!(text[at], b'1'..=b'4' | b'7' | b'8') {
        return None;
    }
    if of == Digits::All && end - at == 15 {
        let ((head, _), (tail, _)) = (digits(text, at), digits(text, at + 8));
        let stem = u64::from(head) * 100_000 + u64::from(tail / 100);
        let plausible = month(u64::from(head / 1000 % 100)) && head / 10 % 100 != 0;
        return (plausible && u64::from(tail % 100) == nir_key(stem)).then_some(Hit {
            from: at,
            to: end,
            what: What::Nir { stem, key: true },
        });
    }
    let mut s = [0u8; 15];
    let mut n = 0;
    let mut i = at;
    // End of the text after the thirteenth character.
    let mut at13 = 0;
    while n < 15 && i < text.len() {
        let b = text[i];
        if b.is_ascii_digit() || (n == 6 && matches!(b, b'a' | b'b')) {
            s[n] = b;
            n += 1;
            i += 1;
            if n == 13 {
                at13 = i;
            }
        } else if matches!(n, 1 | 3 | 5 | 7 | 10 | 13)
            && (separator(b) || (n == 13 && b == b'/'))
            && text.get(i + 1).is_some_and(|c| alnum(*c))
        {
            i += 1;
        } else {
            break;
        }
    }
    let ends = |at: usize| text.get(at).is_none_or(|b| !alnum(*b));
    if n == 15 && ends(i) {
        let stem = stem_of(&s[..13])?;
        if two(&s, 13)? == nir_key(stem) {
            return Some(Hit {
                from: at,
                to: i,
                what: What::Nir { stem, key: true },
            });
        }
    }
    if n >= 13 && ends(at13) {
        return Some(Hit {
            from: at,
            to: at13,
            what: What::Nir {
                stem: stem_of(&s[..13])?,
                key: false,
            },
        });
    }
    None
}

/// `0X` and eight digits, in pairs or together; `+33`, `0033`, `(0)` after them.
fn phone(text: &[u8], at: usize) -> Option<Hit> {
    let plus = at > 0 && text[at - 1] == b'+';
    let mut i = at;
    let rest = &text[at..];
    if plus && rest.starts_with(b"33") {
        i += 2;
    } else if rest.starts_with(b"0033") {
        i += 4;
    } else if rest[0] == b'0' && !plus {
        // The trunk zero is read below.
    } else {
        return None;
    }
    while matches!(text.get(i), Some(b' ' | b'.' | b'-')) {
        i += 1;
    }
    if text[i..].starts_with(b"(0)") {
        i += 3;
        while matches!(text.get(i), Some(b' ' | b'.')) {
            i += 1;
        }
    } else if text.get(i) == Some(&b'0') {
        i += 1;
    }
    if !matches!(text.get(i), Some(b'1'..=b'9')) {
        return None;
    }
    let mut n = u64::from(text[i] - b'0');
    i += 1;
    for k in 0..8 {
        // One separator before each pair.
        if k % 2 == 0
            && matches!(text.get(i), Some(b' ' | b'.' | b'-' | b'/'))
            && text.get(i + 1).is_some_and(u8::is_ascii_digit)
        {
            i += 1;
        }
        match text.get(i) {
            Some(d @ b'0'..=b'9') => n = n * 10 + u64::from(d - b'0'),
            _ => return None,
        }
        i += 1;
    }
    if text.get(i).is_some_and(|b| alnum(*b)) {
        return None;
    }
    Some(Hit {
        from: at,
        to: i,
        what: What::Phone(n),
    })
}

/// The month with this name or short name, in French or English.
fn month_named(word: &[u8]) -> Option<u32> {
    Some(match word {
        b"janvier" | b"janv" | b"jan" | b"january" => 1,
        b"fevrier" | b"fevr" | b"fev" | b"february" | b"feb" | b"fevier" => 2,
        b"mars" | b"mar" | b"march" => 3,
        b"avril" | b"avr" | b"april" | b"apr" => 4,
        b"mai" | b"may" => 5,
        b"juin" | b"june" | b"jun" => 6,
        b"juillet" | b"juil" | b"jul" | b"july" | b"juill" => 7,
        b"aout" | b"aou" | b"august" | b"aug" | b"agosto" => 8,
        b"septembre" | b"sept" | b"sep" | b"september" => 9,
        b"octobre" | b"oct" | b"october" | b"octo" => 10,
        b"novembre" | b"nov" | b"november" => 11,
        b"decembre" | b"dec" | b"december" => 12,
        _ => return None,
    })
}

/// High bits of the bytes that are no digit.
#[inline]
fn not_digits(v: u64) -> u64 {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let x = v & !HIGH;
    // From nought on, and above nine.
    let (least, above) = (x + 0x5050_5050_5050_5050, x + 0x4646_4646_4646_4646);
    (!least | above | v) & HIGH
}

/// Up to eight digits from `at` on as a number, and how many there are.
#[inline]
fn digits(text: &[u8], at: usize) -> (u32, usize) {
    let v = load(text, at);
    let n = not_digits(v).trailing_zeros() as usize / 8;
    if n == 0 {
        return (0, 0);
    }
    // The digits to the high end, zeros before them; then pairs, fours and all eight are added up.
    let d = (lowest(v, n) & 0x0f0f_0f0f_0f0f_0f0f) << (64 - 8 * n);
    let d = (d * 10 + (d >> 8)) & 0x00ff_00ff_00ff_00ff;
    let d = (d * 100 + (d >> 16)) & 0x0000_ffff_0000_ffff;
    let d = (d * 10_000 + (d >> 32)) & 0xffff_ffff;
    (d as u32, n)
}

/// A date of the years 1880 to 2099; days are checked against their month only up to 31, 30 and 29.
pub fn day(y: u32, m: u32, d: u32) -> Option<u32> {
    let last = match m {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    ((1880..2100).contains(&y) && (1..=last).contains(&d)).then_some(y * 10_000 + m * 100 + d)
}

fn date(text: &[u8], at: usize, end: usize) -> Option<Hit> {
    usual_date(text, at, end).unwrap_or_else(|| any_date(text, at, end))
}

/// `02/01/1980` in one look; `None` when it is written in another way.
#[inline]
fn usual_date(text: &[u8], at: usize, end: usize) -> Option<Option<Hit>> {
    if end - at != 2 || !text[at + 1].is_ascii_digit() {
        return None;
    }
    let s = *text.get(end)?;
    let v = load(text, end + 1);
    // Two digits, a sign, four digits and something else.
    if !matches!(s, b'/' | b'-' | b'.')
        || not_digits(v) != 0x8000_0000_0080_0000
        || (v >> 16) as u8 != s
    {
        return None;
    }
    let n = |at: u32| (v >> (8 * at)) as u32 & 15;
    let first = u32::from(text[at] & 15) * 10 + u32::from(text[at + 1] & 15);
    let (m, y) = (
        n(0) * 10 + n(1),
        n(3) * 1000 + n(4) * 100 + n(5) * 10 + n(6),
    );
    let found = day(y, m, first).or_else(|| day(y, first, m));
    Some(found.map(|n| Hit {
        from: at,
        to: end + 8,
        what: What::Date(n),
    }))
}

fn any_date(text: &[u8], at: usize, end: usize) -> Option<Hit> {
    let hit = |to: usize, n: u32| {
        Some(Hit {
            from: at,
            to,
            what: What::Date(n),
        })
    };
    let (first, len) = digits(text, at);
    let run = at + len == end;
    match len {
        8 => {
            // YYYYMMDD, alone or before a time (HL7, DICOM); else DDMMYYYY.
            let tail = end - at;
            if let Some(n) = day(first / 10_000, first / 100 % 100, first % 100)
                && (matches!(tail, 8 | 10 | 12 | 14) || text.get(at + 8) == Some(&b't'))
            {
                return hit(end, n);
            }
            if tail == 8
                && let Some(n) = day(first % 10_000, first / 10_000 % 100, first / 1_000_000)
            {
                return hit(end, n);
            }
            None
        }
        4 if run => {
            let s = *text.get(end)?;
            if !matches!(s, b'-' | b'/' | b'.') {
                return None;
            }
            let (m, a) = digits(text, end + 1);
            if a == 0 || a > 2 || text.get(end + 1 + a) != Some(&s) {
                return None;
            }
            let at_day = end + 2 + a;
            let (d, b) = digits(text, at_day);
            if b == 0 || b > 2 {
                return None;
            }
            let to = at_day + b;
            // `1980-01-02t00:00` goes on with a time, not with letters.
            if text.get(to).is_some_and(|c| alnum(*c) && *c != b't') {
                return None;
            }
            hit(to, day(first, m, d)?)
        }
        1 | 2 => {
            let mut i = at + len;
            if text[i..].starts_with(b"er") && first == 1 {
                i += 2;
            } else if !run {
                return None;
            }
            let s = *text.get(i)?;
            if matches!(s, b'/' | b'-' | b'.' | b' ' | b'_') {
                let (m, a) = digits(text, i + 1);
                if (1..=2).contains(&a) && text.get(i + 1 + a) == Some(&s) {
                    let (y, b) = digits(text, i + 2 + a);
                    let to = i + 2 + a + b;
                    if text.get(to).is_some_and(|c| c.is_ascii_digit()) {
                        return None;
                    }
                    let y = match b {
                        4 => y,
                        // Two digits of a year: nobody is born in the future, so the older century unless it is this one's youth.
                        2 if s != b' ' => {
                            if y <= 29 {
                                2000 + y
                            } else {
                                1900 + y
                            }
                        }
                        _ => return None,
                    };
                    // Day first, as France writes; month first where only that is a date.
                    return hit(to, day(y, m, first).or_else(|| day(y, first, m))?);
                }
            }
            // `2 janvier 1980`, `02-jan-1980`.
            while matches!(text.get(i), Some(b' ' | b'-' | b'.' | b'/')) && i < at + 6 {
                i += 1;
            }
            let w = i;
            while i < text.len() && i - w < 10 && text[i].is_ascii_lowercase() {
                i += 1;
            }
            if !(3..=9).contains(&(i - w)) || !b"jfmasond".contains(&text[w]) {
                return None;
            }
            let month = month_named(&text[w..i])?;
            let gap = i;
            while matches!(text.get(i), Some(b' ' | b'-' | b'.' | b'/' | b',')) && i < gap + 3 {
                i += 1;
            }
            let (y, b) = digits(text, i);
            if b != 4 || i == gap {
                return None;
            }
            hit(i + b, day(y, month, first)?)
        }
        _ => None,
    }
}

/// Total length of an IBAN by country, for the countries a French hospital meets (SWIFT IBAN registry).
fn iban_length(country: &[u8]) -> Option<usize> {
    Some(match country {
        b"fr" | b"mc" | b"it" | b"sm" => 27,
        b"be" => 16,
        b"lu" | b"at" | b"lt" | b"ee" => 20,
        b"de" | b"gb" | b"ie" | b"me" | b"rs" | b"bg" => 22,
        b"es" | b"se" | b"cz" | b"sk" | b"ro" | b"ad" | b"tn" => 24,
        b"pt" => 25,
        b"ch" | b"li" | b"hr" | b"lv" => 21,
        b"nl" | b"dk" | b"fi" => 18,
        b"pl" | b"hu" | b"cy" => 28,
        b"gr" => 27,
        b"ma" => 28,
        b"dz" => 26,
        b"no" => 15,
        b"mt" => 31,
        b"si" => 19,
        _ => return None,
    })
}

fn iban(text: &[u8], at: usize) -> Option<Hit> {
    let head = text.get(at..at + 4)?;
    if !head[2].is_ascii_digit() || !head[3].is_ascii_digit() {
        return None;
    }
    let want = iban_length(&head[..2])?;
    let mut s = [0u8; 34];
    let mut n = 0;
    let mut i = at;
    while n < want && i < text.len() {
        let b = text[i];
        if alnum(b) {
            s[n] = b;
            n += 1;
            i += 1;
        } else if matches!(b, b' ' | b'-') && text.get(i + 1).is_some_and(|c| alnum(*c)) {
            i += 1;
        } else {
            break;
        }
    }
    if n != want || text.get(i).is_some_and(|b| alnum(*b)) {
        return None;
    }
    (iban_rest(&s[..n]) == 1).then_some(Hit {
        from: at,
        to: i,
        what: What::Iban,
    })
}

/// ISO 13616: the first four characters go to the end, letters become 10 to 35, the rest of the number by 97.
fn iban_rest(s: &[u8]) -> u32 {
    s[4..].iter().chain(&s[..4]).fold(0, |r, b| match b {
        b'0'..=b'9' => (r * 10 + u32::from(b - b'0')) % 97,
        _ => (r * 100 + u32::from(b.to_ascii_lowercase() - b'a') + 10) % 97,
    })
}

/// The check digit of ISO/IEC 7812 (RPPS of 11 digits, ADELI and FINESS of 9; Corsican letters count as 1 and 2 of their place).
pub fn luhn(token: &[u8]) -> bool {
    let mut sum = 0u32;
    for (k, b) in token.iter().rev().enumerate() {
        let d = match b {
            b'0'..=b'9' => u32::from(b - b'0'),
            b'a' => 1,
            b'b' => 2,
            _ => return false,
        };
        sum += match (k % 2, d * 2) {
            (0, _) => d,
            (_, x) if x > 9 => x - 9,
            (_, x) => x,
        };
    }
    !token.is_empty() && sum.is_multiple_of(10)
}

fn email(text: &[u8], at: usize) -> Option<Hit> {
    let local = |b: u8| alnum(b) || matches!(b, b'.' | b'_' | b'%' | b'+' | b'-');
    let mut from = at;
    while from > 0 && at - from < 64 && local(text[from - 1]) {
        from -= 1;
    }
    while from < at && !alnum(text[from]) {
        from += 1;
    }
    let mut to = at + 1;
    while to < text.len() && to - at < 128 && (alnum(text[to]) || matches!(text[to], b'.' | b'-')) {
        to += 1;
    }
    while to > at && !alnum(text[to - 1]) {
        to -= 1;
    }
    let domain = text.get(at + 1..to)?;
    let top = domain.iter().rposition(|b| *b == b'.')?;
    let top = &domain[top + 1..];
    (from < at && top.len() >= 2 && top.iter().all(|b| class(*b) == LETTER) && domain[0] != b'.')
        .then_some(Hit {
            from,
            to,
            what: What::Email,
        })
}

#[cfg(test)]
// Social-security numbers are grouped as people write them.
#[allow(clippy::inconsistent_digit_grouping)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    fn hits(text: &str) -> Vec<(String, What)> {
        let mut out = vec![];
        scan(text.as_bytes(), 0, text.len(), &mut |h| {
            out.push((text[h.from..h.to].to_string(), h.what));
        });
        out
    }
    fn first(text: &str) -> Option<What> {
        hits(text).first().map(|h| h.1)
    }
    fn nir_with_key(stem: u64) -> String {
        nir_text(stem)
    }

    #[test]
    fn nir_in_every_writing() {
        let stem = 1_85_05_78_006_084;
        let key = nir_key(stem);
        let want = Some(What::Nir { stem, key: true });
        assert_eq!(first(&format!("185057800608{}{key:02}", 4)), want);
        assert_eq!(first(&format!("nir: 1 85 05 78 006 084 {key:02}.")), want);
        assert_eq!(first(&format!("1-85-05-78-006-084-{key:02}")), want);
        assert_eq!(first(&format!("1850578006084 {key:02}")), want);
        assert_eq!(first("1850578006084"), Some(What::Nir { stem, key: false }));
        // A wrong key is no NIR with key; what is left is thirteen digits and more, which is nothing.
        let wrong = (key + 1) % 97;
        assert!(!matches!(
            first(&format!("1850578006084{wrong:02}")),
            Some(What::Nir { key: true, .. })
        ));
    }
    #[test]
    fn corsica_counts_as_nineteen_and_eighteen() {
        // INSEE: for 2A the number is read with 0 in place of the letter, less one million; for 2B less two.
        for (letter, less) in [('a', 1_000_000u64), ('b', 2_000_000)] {
            let digits: u64 = "1850520006084".parse().unwrap();
            let n = digits - less;
            let text = format!("185052{letter}006084{:02}", 97 - n % 97);
            assert_eq!(
                first(&text),
                Some(What::Nir { stem: n, key: true }),
                "{text}"
            );
        }
    }
    #[test]
    fn dates_as_people_write_them() {
        for t in [
            "02/01/1980",
            "2/1/1980",
            "02-01-1980",
            "02.01.1980",
            "02 01 1980",
            "1980-01-02",
            "1980/01/02",
            "19800102",
            "02011980",
            "2 janvier 1980",
            "02-jan-1980",
            "19800102083000",
            "1980-01-02t00:00:00z",
            "02/01/80",
        ] {
            assert_eq!(first(t), Some(What::Date(19_800_102)), "{t}");
        }
        assert_eq!(first("1er mars 1975"), Some(What::Date(19_750_301)));
        assert_eq!(first("12/25/1980"), Some(What::Date(19_801_225)));
        for t in ["32/01/1980", "10.1.2.3", "1980-13-40", "3/4", "99/99/1980"] {
            assert!(!hits(t).iter().any(|h| matches!(h.1, What::Date(_))), "{t}");
        }
    }
    #[test]
    fn phones_and_mails_and_accounts() {
        for t in [
            "06 39 98 13 11",
            "0639981311",
            "06.39.98.13.11",
            "+33639981311",
            "+33 6 39 98 13 11",
            "+33 (0)6 39 98 13 11",
            "0033639981311",
        ] {
            assert!(
                hits(t).iter().any(|h| h.1 == What::Phone(639_981_311)),
                "{t}: {:?}",
                hits(t)
            );
        }
        assert!(
            !hits("306399813110")
                .iter()
                .any(|h| matches!(h.1, What::Phone(_)))
        );
        assert_eq!(
            hits("ecrire a <a.b-c@mail.example>.").last().unwrap().0,
            "a.b-c@mail.example"
        );
        assert!(!hits("a@b").iter().any(|h| h.1 == What::Email));
        // The example of ISO 13616 for France, in its printed form.
        assert!(
            hits("iban fr14 2004 1010 0505 0001 3m02 606")
                .iter()
                .any(|h| h.1 == What::Iban)
        );
        assert!(
            !hits("fr14 2004 1010 0505 0001 3m02 607")
                .iter()
                .any(|h| h.1 == What::Iban)
        );
    }
    #[test]
    fn check_digits_of_iso_7812() {
        assert!(luhn(b"79927398713"));
        assert!(!luhn(b"79927398710"));
        assert!(!luhn(b""));
    }
    /// [`number`] without a look at what may begin there.
    fn slow_number(text: &[u8], start: usize, end: usize, each: &mut impl FnMut(Hit)) -> usize {
        let digit_first = text[start].is_ascii_digit();
        let inside =
            start >= 2 && b".,-/:".contains(&text[start - 1]) && text[start - 2].is_ascii_digit();
        if digit_first && !inside {
            if let Some(h) = nir(text, (start, end), Digits::Some).or_else(|| phone(text, start)) {
                each(h);
                return h.to.max(end);
            }
            if let Some(h) = any_date(text, start, end) {
                each(h);
                if h.to == end && end - start >= 6 {
                    each(token(start, end));
                }
                return h.to.max(end);
            }
        }
        if !digit_first && let Some(h) = iban(text, start) {
            each(h);
            return h.to.max(end);
        }
        if (3..=24).contains(&(end - start)) {
            each(token(start, end));
        }
        end
    }
    /// [`walk`] byte by byte: hits and words as they come.
    fn slow_walk(text: &[u8], from: usize, to: usize) -> Vec<(usize, usize, Option<What>)> {
        let end_of = |i: usize| {
            let n = text[i..].iter().position(|b| !b.is_ascii_alphanumeric());
            n.map_or(text.len(), |n| i + n)
        };
        let mut out = vec![];
        // Words come in order, hits when their first run or their sign is met.
        let mut skip = from;
        for i in from..to.min(text.len()) {
            let starts = i == 0 || !text[i - 1].is_ascii_alphanumeric();
            if text[i].is_ascii_alphanumeric() && starts {
                out.push((i, end_of(i), None));
            }
            if i < skip || (!text[i].is_ascii_alphanumeric() && text[i] != b'@') {
                continue;
            }
            if text[i] == b'@' {
                skip = i + 1;
                if let Some(h) = email(text, i) {
                    out.push((h.from, h.to, Some(h.what)));
                    skip = h.to.max(skip);
                }
                continue;
            }
            let end = end_of(i);
            skip = end;
            if text[i..end].iter().any(u8::is_ascii_digit) {
                let mut hits = vec![];
                skip = slow_number(text, i, end, &mut |h| hits.push(h));
                out.extend(hits.iter().map(|h| (h.from, h.to, Some(h.what))));
            }
        }
        out
    }
    proptest! {
        #[test]
        fn a_walk_is_one_byte_by_byte(text in "([a-z]{1,9}|[0-9]{1,16}|[ ./@;:,+()é-]|06 39 98|[12] 85 05|1980|@mail.ex){0,60}", cut in 0usize..200, len in 0usize..400) {
            let b = text.as_bytes();
            let from = cut.min(b.len());
            let out = std::cell::RefCell::new(vec![]);
            let mut bits = Bits::default();
            bits.read(b);
            walk(b, &bits, (from, from + len), Some(&Openings::all()), &mut |h| out.borrow_mut().push((h.from, h.to, Some(h.what))), &mut |a, z, digit| {
                assert_eq!(digit, b[a..z].iter().any(u8::is_ascii_digit));
                out.borrow_mut().push((a, z, None));
            });
            let (mut fast, mut slow) = (out.into_inner(), slow_walk(b, from, from + len));
            let hits = |v: &[(usize, usize, Option<What>)]| v.iter().filter(|x| x.2.is_some()).copied().collect::<Vec<_>>();
            prop_assert_eq!(hits(&fast), hits(&slow));
            fast.retain(|x| x.2.is_none());
            slow.retain(|x| x.2.is_none() && !b[x.0..x.1].iter().all(u8::is_ascii_digit));
            prop_assert_eq!(fast, slow);
        }
        #[test]
        fn digits_are_those_read_one_by_one(text in "[0-9a-z:/]{0,12}", at in 0usize..13) {
            let at = at.min(text.len());
            let n = text.as_bytes()[at..].iter().take(8).take_while(|b| b.is_ascii_digit()).count();
            prop_assert_eq!(digits(text.as_bytes(), at), (text[at..at + n].parse().unwrap_or(0), n));
        }
        #[test]
        fn fifteen_digits_are_a_nir_by_either_way(text in "[1-478][0-9]{14}", key in any::<bool>()) {
            let stem: u64 = text[..13].parse().unwrap();
            let text = if key { format!("{}{:02}", &text[..13], nir_key(stem)) } else { text };
            prop_assert_eq!(nir(text.as_bytes(), (0, 15), Digits::All), nir(text.as_bytes(), (0, 15), Digits::Some));
        }
        #[test]
        fn a_date_is_the_same_in_one_look(text in "[0-9]{1,3}[/.: _-][0-9]{1,3}[/.: _-][0-9]{1,5}[a-z /]?|[0-9]{4}[/.-][0-9]{1,2}[/.-][0-9]{1,2}t?|[0-9]{1,2}(er)?[ /.-]{0,3}(janv|mai|dec|x|)[ ,.]{0,2}[0-9]{4}|(19|20)[0-9]{5,13}") {
            let end = crate::runs::run(text.as_bytes(), 0).0;
            let all = any_date(text.as_bytes(), 0, end);
            prop_assert_eq!(date(text.as_bytes(), 0, end), all);
            let of = if text[..end].bytes().all(|b| b.is_ascii_digit()) { Digits::All } else { Digits::Some };
            prop_assert!(all.is_none() || begins_date(text.as_bytes(), end, end, of));
        }
        /// A run that ends between two groups begins no NIR.
        #[test]
        fn no_nir_is_passed_over(text in "[1-478][0-9]{0,2}[ 0-9ab./-]{10,20}") {
            let b = text.as_bytes();
            let end = crate::runs::run(b, 0).0;
            let found = nir(b, (0, end), Digits::Some);
            if found.is_some() {
                prop_assert!(begins_nir(b, end, end));
            }
            let of = if b[..end].iter().all(u8::is_ascii_digit) { Digits::All } else { Digits::Some };
            prop_assert_eq!(nir(b, (0, end), of), found);
        }
        #[test]
        fn any_bytes_give_hits_inside_the_text_in_order(text in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut last = 0;
            let mut fine = true;
            scan(&text, 0, text.len(), &mut |h| {
                fine &= h.from < h.to && h.to <= text.len();
                if h.what != What::Email {
                    fine &= h.from >= last;
                    last = h.from;
                }
            });
            prop_assert!(fine);
        }
        #[test]
        fn numbers_like_text_do_not_stop_it(text in "[0-9 ./+()@a-f-]{0,120}") {
            scan(text.as_bytes(), 0, text.len(), &mut |_| {});
        }
        #[test]
        fn every_nir_with_its_key_is_found_and_no_single_digit_may_change(
            sex in 1u64..3, year in 0u64..100, month in 1u64..13, dep in 1u64..96, rest in 0u64..1_000_000, at in 0usize..15, by in 1u8..10,
        ) {
            let stem = ((sex * 100 + year) * 100 + month) * 100_000_000 + dep * 1_000_000 + rest;
            let text = nir_with_key(stem);
            let want = What::Nir { stem, key: true };
            prop_assert_eq!(hits(&text)[0].1, want);
            let mut wrong = text.into_bytes();
            wrong[at] = b'0' + (wrong[at] - b'0' + by) % 10;
            let wrong = String::from_utf8(wrong).unwrap();
            let found = hits(&wrong).iter().any(|h| matches!(h.1, What::Nir { key: true, .. }));
            prop_assert!(!found, "{}", wrong);
        }
        #[test]
        fn cutting_the_range_loses_nothing(text in "[0-9a-z ./@;]{0,200}", cut in 0usize..200) {
            // A cut between two words: both halves together find what the whole finds.
            let b = text.as_bytes();
            let cut = b.iter().take(cut).rposition(|c| *c == b';').map_or(0, |p| p + 1);
            let mut whole = vec![];
            scan(b, 0, b.len(), &mut |h| whole.push(h));
            let mut parts = vec![];
            scan(b, 0, cut, &mut |h| parts.push(h));
            scan(b, cut, b.len(), &mut |h| parts.push(h));
            prop_assert_eq!(whole, parts);
        }
    }
}
