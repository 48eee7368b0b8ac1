//! Runs of letters and digits in folded text, eight bytes at a time in a plain 64-bit number; one bit a byte for 64 of them.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = ONES << 7;

/// The eight bytes from `at` on, the first in the lowest place; behind the end zeros.
#[inline]
pub fn load(text: &[u8], at: usize) -> u64 {
    let rest = &text[at.min(text.len())..];
    match rest.first_chunk::<8>() {
        Some(b) => u64::from_le_bytes(*b),
        None => rest.iter().rev().fold(0, |v, b| v << 8 | u64::from(*b)),
    }
}

/// The high bits of eight bytes, side by side.
#[inline]
fn gathered(high: u64) -> u64 {
    (high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// High bits of the bytes that are `@`.
#[inline]
fn signs(v: u64) -> u64 {
    let x = v ^ (ONES * u64::from(b'@'));
    !(((x & !HIGH) + !HIGH) | x) & HIGH
}

/// A text read from left to right: where the next run begins and where it ends, from bits that are made once for 64 bytes.
pub struct Marks<'t> {
    text: &'t [u8],
    /// The 64 bytes at hand; no multiple of 64 before there are any.
    at: usize,
    /// Letters and digits.
    words: u64,
    digits: u64,
    /// `@`.
    signs: u64,
}

impl<'t> Marks<'t> {
    pub fn new(text: &'t [u8]) -> Marks<'t> {
        Marks {
            text,
            at: usize::MAX,
            words: 0,
            digits: 0,
            signs: 0,
        }
    }
    #[inline]
    fn place(&mut self, i: usize) -> u32 {
        if self.at != i & !63 {
            self.fill(i & !63);
        }
        i as u32 & 63
    }
    #[inline(never)]
    fn fill(&mut self, at: usize) {
        let rest = &self.text[at.min(self.text.len())..];
        let mut short = [0u8; 64];
        let block = match rest.first_chunk::<64>() {
            Some(b) => b,
            None => {
                short[..rest.len()].copy_from_slice(rest);
                &short
            }
        };
        (self.at, self.words, self.digits, self.signs) = (at, 0, 0, 0);
        let mut any = 0;
        for (k, b) in block.as_chunks::<8>().0.iter().enumerate() {
            let v = u64::from_le_bytes(*b);
            let (letters, digits) = classes(v);
            self.words |= gathered(letters | digits) << (8 * k);
            self.digits |= gathered(digits) << (8 * k);
            any |= signs(v);
        }
        if any != 0 {
            for (k, b) in block.iter().enumerate() {
                self.signs |= u64::from(*b == b'@') << k;
            }
        }
    }
    /// The first letter, digit or `@` from `i` on; the end of the text where there is none.
    #[inline]
    pub fn next(&mut self, mut i: usize) -> usize {
        while i < self.text.len() {
            let s = self.place(i);
            let found = (self.words | self.signs) >> s;
            if found != 0 {
                return i + found.trailing_zeros() as usize;
            }
            i = (i | 63) + 1;
        }
        self.text.len()
    }
    /// As [`run`].
    #[inline]
    pub fn run(&mut self, mut i: usize) -> (usize, bool) {
        let mut digits = 0;
        while i < self.text.len() {
            let s = self.place(i);
            let stop = !self.words >> s;
            if stop != 0 {
                let n = stop.trailing_zeros();
                digits |= (self.digits >> s) & ((1 << n) - 1);
                return (i + n as usize, digits != 0);
            }
            digits |= self.digits >> s;
            i = (i | 63) + 1;
        }
        (self.text.len(), digits != 0)
    }
}

/// The lowest `n` bytes of a number; all of it from eight on.
#[inline]
pub fn lowest(v: u64, n: usize) -> u64 {
    if n >= 8 { v } else { v & ((1 << (n * 8)) - 1) }
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
        fn marks_are_the_bytes_they_stand_for(text in proptest::collection::vec(prop_oneof![any::<u8>(), b'a'..=b'z', b'0'..=b'9', Just(b'@')], 0..300), jumps in proptest::collection::vec(0usize..310, 1..20)) {
            let mut marks = Marks::new(&text);
            for i in jumps {
                let want = (i..text.len()).find(|k| text[*k].is_ascii_alphanumeric() || text[*k] == b'@');
                prop_assert_eq!(marks.next(i), want.unwrap_or(text.len()));
                prop_assert_eq!(marks.run(i.min(text.len())), run(&text, i.min(text.len())));
            }
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
