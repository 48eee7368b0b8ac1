//! Runs of letters and digits in folded text, eight bytes at a time in a plain 64-bit number; one bit a byte for 64 of them,
//! sixteen bytes at a time.
use ampleur_event::plain::few;
use wide::u8x16;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = ONES << 7;

/// The eight bytes from `at` on, the first in the lowest place; behind the end zeros.
#[inline]
pub fn load(text: &[u8], at: usize) -> u64 {
    let rest = &text[at.min(text.len())..];
    match rest.first_chunk::<8>() {
        Some(b) => u64::from_le_bytes(*b),
        None => few(rest),
    }
}

/// What of a run is digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digits {
    None,
    Some,
    All,
}

/// One bit a byte for 64 bytes of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Block {
    /// Letters of any case and digits.
    pub words: u64,
    pub digits: u64,
}

/// The bits of a whole text.
#[derive(Debug, Default)]
pub struct Bits(Vec<Block>);

impl Bits {
    /// Takes the bits of this text in place of those before.
    pub fn read(&mut self, text: &[u8]) {
        self.0.clear();
        let (blocks, rest) = text.as_chunks::<64>();
        self.0.extend(blocks.iter().map(block));
        if !rest.is_empty() {
            let mut last = [0u8; 64];
            last[..rest.len()].copy_from_slice(rest);
            self.0.push(block(&last));
        }
    }
    /// One for every 64 bytes begun; behind the end of the text no bit is set.
    pub fn blocks(&self) -> &[Block] {
        &self.0
    }
    /// Runs of letters that start in `from..to`.
    pub fn letters(&self, from: usize, to: usize) -> usize {
        let mut n = 0;
        let letters = |k: usize| self.0.get(k).map_or(0, |b| b.words & !b.digits);
        for k in from / 64..to.div_ceil(64) {
            let before = k.checked_sub(1).map_or(0, letters) >> 63;
            let mut starts = letters(k) & !(letters(k) << 1 | before);
            if k == from / 64 {
                starts &= u64::MAX << (from % 64);
            }
            if k == to / 64 {
                starts &= (1 << (to % 64)) - 1;
            }
            n += starts.count_ones() as usize;
        }
        n
    }
    /// As [`run`], for a place in the text: where the run ends, and what of it is digits.
    pub fn run(&self, at: usize) -> (usize, Digits) {
        let (mut end, mut any, mut all) = (at, false, true);
        loop {
            let s = end as u32 & 63;
            let b = self.0.get(end / 64).copied().unwrap_or_default();
            let n = (!(b.words >> s)).trailing_zeros();
            let here = u64::MAX.checked_shr(64 - n).unwrap_or(0);
            any |= b.digits >> s & here != 0;
            all &= b.digits >> s & here == here;
            end += n as usize;
            if n < 64 - s || n == 0 {
                break;
            }
        }
        let digits = match (any, all) {
            (false, _) => Digits::None,
            (true, false) => Digits::Some,
            (true, true) => Digits::All,
        };
        (end, digits)
    }
}

/// Appends where one of these signs stands, ascending.
pub fn places<const N: usize>(text: &[u8], signs: [u8; N], out: &mut Vec<u32>) {
    let mut take = |base: usize, mut bits: u64| {
        while bits != 0 {
            out.push((base + bits.trailing_zeros() as usize) as u32);
            bits &= bits - 1;
        }
    };
    let (blocks, rest) = text.as_chunks::<64>();
    for (k, b) in blocks.iter().enumerate() {
        take(k * 64, among(b, signs));
    }
    if !rest.is_empty() {
        let mut last = [0u8; 64];
        last[..rest.len()].copy_from_slice(rest);
        let here = (1 << rest.len()) - 1;
        take(blocks.len() * 64, among(&last, signs) & here);
    }
}

/// Where signs stand in lines: those that part a line, in order, and the ends of the lines.
#[derive(Debug, Default)]
pub struct Marks {
    bars: Vec<u32>,
    lines: Vec<Line>,
}

/// The end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Where its end sign stands.
    pub at: usize,
    /// Bars up to there.
    pub bars: usize,
    /// The sign that is only looked for is in the line.
    pub repeats: bool,
}

impl Marks {
    /// Takes the marks of this text in place of those before: `bar` parts a line, one of `ends` ends it, `repeat` is looked for; a
    /// sign that is two of these is the first of them, an end before all. Returns whether `repeat` is behind the last end.
    pub fn read<const N: usize>(
        &mut self,
        text: &[u8],
        bar: u8,
        repeat: u8,
        ends: [u8; N],
    ) -> bool {
        self.bars.clear();
        self.lines.clear();
        let mut repeats = false;
        let (blocks, rest) = text.as_chunks::<64>();
        for (k, b) in blocks.iter().enumerate() {
            self.block(k * 64, b, u64::MAX, (bar, repeat, ends), &mut repeats);
        }
        if !rest.is_empty() {
            let mut last = [0u8; 64];
            last[..rest.len()].copy_from_slice(rest);
            let here = (1 << rest.len()) - 1;
            self.block(
                blocks.len() * 64,
                &last,
                here,
                (bar, repeat, ends),
                &mut repeats,
            );
        }
        repeats
    }
    fn block<const N: usize>(
        &mut self,
        base: usize,
        bytes: &[u8; 64],
        here: u64,
        (bar, repeat, ends): (u8, u8, [u8; N]),
        repeats: &mut bool,
    ) {
        let ends = among(bytes, ends) & here;
        let mut bars = among(bytes, [bar]) & here & !ends;
        let found = among(bytes, [repeat]) & here & !ends & !bars;
        // The lines that end here, each behind its bars.
        let (mut left, mut seen) = (ends, 0);
        while left != 0 {
            let n = left.trailing_zeros();
            let before = (1 << n) - 1;
            self.lines.push(Line {
                at: base + n as usize,
                bars: self.bars.len() + (bars & before).count_ones() as usize,
                repeats: std::mem::take(repeats) | (found & before & !seen != 0),
            });
            seen = before;
            left &= left - 1;
        }
        *repeats |= found & !seen != 0;
        let (mut here, mut n) = ([0u32; 64], 0);
        while bars != 0 {
            here[n % 64] = (base + bars.trailing_zeros() as usize) as u32;
            bars &= bars - 1;
            n += 1;
        }
        self.bars.extend_from_slice(&here[..n]);
    }
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
    /// Where the bars `from..to` stand.
    pub fn bars(&self, from: usize, to: usize) -> &[u32] {
        &self.bars[from..to]
    }
    /// How many bars there are.
    pub fn all(&self) -> usize {
        self.bars.len()
    }
}

/// One bit for each byte that is one of these signs.
#[inline]
fn among<const N: usize>(bytes: &[u8; 64], signs: [u8; N]) -> u64 {
    let mut bits = 0;
    for (k, b) in bytes.as_chunks::<16>().0.iter().enumerate() {
        let v = u8x16::new(*b);
        let one = |all: u8x16, s: &u8| all | v.simd_eq(u8x16::splat(*s));
        let any = signs.iter().fold(u8x16::splat(0), one);
        bits |= u64::from(any.to_bitmask()) << (16 * k);
    }
    bits
}

/// How many bytes are one of these signs.
pub fn count<const N: usize>(text: &[u8], signs: [u8; N]) -> usize {
    let one = |b: &u8| signs.iter().fold(0, |c, s| c | u8::from(b == s));
    // So few at a time that a byte can count them.
    let few = |bytes: &[u8]| bytes.iter().fold(0u8, |n, b| n + one(b));
    text.chunks(192).map(|c| usize::from(few(c))).sum()
}

fn block(bytes: &[u8; 64]) -> Block {
    // All bits of the bytes from `first` on that are fewer than `n` away.
    let among = |v: u8x16, first: u8, n: u8| {
        let away = v - u8x16::splat(first);
        away.min(u8x16::splat(n - 1)).simd_eq(away)
    };
    let mut out = Block::default();
    for (k, b) in bytes.as_chunks::<16>().0.iter().enumerate() {
        let v = u8x16::new(*b);
        let digit = among(v, b'0', 10);
        let word = digit | among(v | u8x16::splat(0x20), b'a', 26);
        out.words |= u64::from(word.to_bitmask()) << (16 * k);
        out.digits |= u64::from(digit.to_bitmask()) << (16 * k);
    }
    out
}

/// The first place from `at` on where this byte stands; the end of the text where there is none.
#[inline]
pub fn find(text: &[u8], at: usize, byte: u8) -> usize {
    let mut i = at;
    while i < text.len() {
        let v = load(text, i) ^ (ONES * u64::from(byte));
        // The lowest byte that is nought is told right.
        let found = v.wrapping_sub(ONES) & !v & HIGH;
        if found != 0 {
            return (i + found.trailing_zeros() as usize / 8).min(text.len());
        }
        i += 8;
    }
    text.len()
}

/// The lowest `n` bytes of a number; all of it from eight on.
#[inline]
pub fn lowest(v: u64, n: usize) -> u64 {
    if n >= 8 { v } else { v & ((1 << (n * 8)) - 1) }
}

/// A number that is equal for equal runs and seldom for others, from the first eight bytes and the length; its high bits are mixed
/// best. A run has a byte or more.
#[inline]
pub fn opening(text: &[u8], from: usize, to: usize) -> u64 {
    let len = to - from;
    // The bytes of the run at the high end, zeros before them.
    let head = load(text, from) << ((64 - 8 * len.min(8)) & 63);
    head.wrapping_add(len as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A set of [`opening`]s, and by chance some more: of a hundred thousand words one stranger in ten.
#[derive(Debug, Clone)]
pub struct Openings(Box<[u64; Openings::WORDS]>);

impl Default for Openings {
    fn default() -> Self {
        Openings(Box::new([0; Openings::WORDS]))
    }
}

impl Openings {
    /// 128 KiB, which the cache of a core holds.
    const WORDS: usize = 1 << 14;
    #[inline]
    fn bit(opening: u64) -> (usize, u64) {
        let bit = opening >> (64 - 20);
        ((bit / 64) as usize % Openings::WORDS, 1 << (bit % 64))
    }
    /// Holds everything.
    #[cfg(test)]
    pub fn all() -> Openings {
        Openings(Box::new([u64::MAX; Openings::WORDS]))
    }
    pub fn put(&mut self, opening: u64) {
        let (w, b) = Openings::bit(opening);
        self.0[w] |= b;
    }
    #[inline]
    pub fn holds(&self, opening: u64) -> bool {
        let (w, b) = Openings::bit(opening);
        self.0[w] & b != 0
    }
}

/// High bits of the bytes `from..=to`; bytes of `x` and both bounds below 128.
#[inline]
fn between(x: u64, from: u8, to: u8) -> u64 {
    let least = |c: u8| x + ONES * u64::from(0x80 - c);
    least(from) & !least(to + 1) & HIGH
}

/// High bits of the letters of any case, and of the digits.
#[inline]
fn classes(v: u64) -> (u64, u64) {
    let (x, plain) = (v & !HIGH, !v & HIGH);
    (
        between(x | ONES << 5, b'a', b'z') & plain,
        between(x, b'0', b'9') & plain,
    )
}

/// End of the letters and digits that start at `at`, and whether a digit is among them.
#[inline]
pub fn run(text: &[u8], at: usize) -> (usize, bool) {
    let mut i = at;
    let mut digit = false;
    loop {
        let (letters, digits) = classes(load(text, i));
        let stop = HIGH & !(letters | digits);
        if stop == 0 {
            digit |= digits != 0;
            i += 8;
            continue;
        }
        let below = (stop & stop.wrapping_neg()) - 1;
        return (
            i + stop.trailing_zeros() as usize / 8,
            digit | (digits & below != 0),
        );
    }
}

/// True when a letter is in `text[from..to]`.
#[inline]
pub fn letter(text: &[u8], from: usize, to: usize) -> bool {
    let mut i = from;
    let mut found = 0;
    while i < to {
        found |= lowest(classes(load(text, i)).0, to - i);
        i += 8;
    }
    found != 0
}

/// The lower-case letters from `at` on: where they end.
#[inline]
pub fn word(text: &[u8], at: usize) -> usize {
    let mut i = at;
    loop {
        let v = load(text, i);
        let stop = HIGH & !(between(v & !HIGH, b'a', b'z') & !v);
        if stop != 0 {
            return i + stop.trailing_zeros() as usize / 8;
        }
        i += 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    proptest! {
        #[test]
        fn runs_are_those_read_byte_by_byte(text in proptest::collection::vec(prop_oneof![any::<u8>(), b'a'..=b'z', b'0'..=b'9', Just(b'Z')], 0..60), at in 0usize..60) {
            let at = at.min(text.len());
            let end = text[at..].iter().position(|b| !b.is_ascii_alphanumeric()).map_or(text.len(), |n| at + n);
            prop_assert_eq!(run(&text, at), (end, text[at..end].iter().any(u8::is_ascii_digit)));
            let end = text[at..].iter().position(|b| !b.is_ascii_lowercase()).map_or(text.len(), |n| at + n);
            prop_assert_eq!(word(&text, at), end);
            for to in [end, at + 3, text.len()].map(|t| t.clamp(at, text.len())) {
                prop_assert_eq!(letter(&text, at, to), text[at..to].iter().any(u8::is_ascii_alphabetic));
            }
        }
        #[test]
        fn bits_are_the_bytes_they_stand_for(text in proptest::collection::vec(prop_oneof![any::<u8>(), b'a'..=b'z', b'0'..=b'9', Just(b'Z')], 0..300)) {
            let mut bits = Bits::default();
            bits.read(b"left over");
            bits.read(&text);
            prop_assert_eq!(bits.blocks().len(), text.len().div_ceil(64));
            for i in 0..bits.blocks().len() * 64 {
                let b = text.get(i).copied().unwrap_or(0);
                let of = bits.blocks()[i / 64];
                prop_assert_eq!(of.words >> (i % 64) & 1 == 1, b.is_ascii_alphanumeric());
                prop_assert_eq!(of.digits >> (i % 64) & 1 == 1, b.is_ascii_digit());
            }
            for i in 0..text.len() {
                let end = run(&text, i).0;
                let digit = |b: &u8| b.is_ascii_digit();
                let digits = match &text[i..end] {
                    r if !r.iter().any(digit) => Digits::None,
                    r if r.iter().all(digit) => Digits::All,
                    _ => Digits::Some,
                };
                prop_assert_eq!(bits.run(i), (end, digits));
            }
            for to in 0..=text.len() {
                for from in [0, to / 2, to] {
                    let starts = (from..to).filter(|i| text[*i].is_ascii_alphabetic() && (*i == 0 || !text[i - 1].is_ascii_alphabetic()));
                    prop_assert_eq!(bits.letters(from, to), starts.count());
                }
            }
        }
        #[test]
        fn places_are_those_of_the_bytes(text in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b';'), Just(b'\n')], 0..200)) {
            let signs = *b";\n\0";
            let mut fast = vec![];
            places(&text, signs, &mut fast);
            let slow: Vec<u32> = (0..text.len()).filter(|i| signs.contains(&text[*i])).map(|i| i as u32).collect();
            prop_assert_eq!(count(&text.repeat(9), signs), slow.len() * 9);
            prop_assert_eq!(fast, slow);
        }
        #[test]
        fn marks_are_those_of_the_bytes(text in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'|'), Just(b'~'), Just(b'\r'), Just(b'\n')], 0..300), bar in prop::sample::select(b"||~\r\0".to_vec()), repeat in prop::sample::select(b"~~|\n\0".to_vec())) {
            let mut marks = Marks::default();
            marks.read(b"|~\r", bar, repeat, *b"\r");
            let left = marks.read(&text, bar, repeat, *b"\r\n");
            let (mut bars, mut lines, mut repeats) = (vec![], vec![], false);
            for (at, b) in text.iter().enumerate() {
                if matches!(b, b'\r' | b'\n') {
                    lines.push(Line { at, bars: bars.len(), repeats });
                    repeats = false;
                } else if *b == bar {
                    bars.push(at as u32);
                } else if *b == repeat {
                    repeats = true;
                }
            }
            prop_assert_eq!(marks.lines(), &lines[..]);
            prop_assert_eq!(marks.bars(0, marks.all()), &bars[..]);
            prop_assert_eq!(left, repeats);
        }
        #[test]
        fn a_byte_is_found_where_it_is(text in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'|'), Just(b'}')], 0..40), byte in prop_oneof![Just(b'|'), Just(0u8), any::<u8>()], at in 0usize..44) {
            let at = at.min(text.len());
            let want = text[at..].iter().position(|b| *b == byte).map_or(text.len(), |n| at + n);
            prop_assert_eq!(find(&text, at, byte), want);
        }
        #[test]
        fn eight_bytes_end_with_the_text(text in proptest::collection::vec(any::<u8>(), 0..20), at in 0usize..24, n in 0usize..10) {
            let mut want = [0u8; 8];
            for (k, b) in text.iter().skip(at).take(8).enumerate() {
                if k < n { want[k] = *b; }
            }
            prop_assert_eq!(lowest(load(&text, at), n), u64::from_le_bytes(want));
        }
    }
}
