//! Runs of letters and digits in folded text, eight bytes at a time in a plain 64-bit number.

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
