//! The short way through plain JSON: text without a backslash and without control characters, as machines write it, a record a
//! line. Whatever else comes is `None`, and the caller takes the long way (serde). What is returned is what the long way returns:
//! a property test holds one against the other.
use crate::scan::Word;
use std::borrow::Cow;
use wide::u8x16;

/// Values deeper than this take the long way, which goes deeper before it refuses.
const DEEP: u32 = 64;
/// Whole numbers up to this many digits stay as written.
const DIGITS: usize = 18;

/// A place in a JSON text.
pub(crate) struct Quick<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

/// What can be read at a place, where it is to stay: records have many fields, and none of them is to be moved.
pub(crate) trait Pull<'a>: Default {
    /// Of a value that is empty so far.
    fn pull(&mut self, q: &mut Quick<'a>) -> Option<()>;
    /// From a text that stands where one or many may stand.
    fn of_text(&mut self, _: &'a str) -> Option<()> {
        None
    }
}

/// Reads the whole text as one value, which is empty so far. `None`: it holds a part of the text, or nothing.
pub(crate) fn whole<'a, T: Pull<'a>>(text: &'a str, value: &mut T) -> Option<()> {
    let odd = |odd: bool, b: &u8| odd | (*b == b'\\') | (*b < b' ');
    if text.as_bytes().iter().fold(false, odd) {
        return None;
    }
    let mut q = Quick {
        text,
        at: 0,
        depth: 0,
    };
    value.pull(&mut q)?;
    q.next();
    (q.at == text.len()).then_some(())
}

impl<'a> Quick<'a> {
    /// The next byte that is no space.
    pub fn next(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }
    fn eat(&mut self, b: u8) -> bool {
        let is = self.next() == Some(b);
        self.at += usize::from(is);
        is
    }
    /// A text, between its quotes.
    pub fn string(&mut self) -> Option<&'a str> {
        if !self.eat(b'"') {
            return None;
        }
        let from = self.at;
        let end = quote(self.text.as_bytes(), from)?;
        self.at = end + 1;
        self.text.get(from..end)
    }
    /// Every key of an object; `f` reads its value.
    pub fn object(&mut self, mut f: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        if !self.eat(b'{') || self.depth == DEEP {
            return None;
        }
        if self.eat(b'}') {
            return Some(());
        }
        self.depth += 1;
        loop {
            let key = self.string()?;
            if !self.eat(b':') {
                return None;
            }
            f(self, key)?;
            if !self.eat(b',') {
                break;
            }
        }
        self.depth -= 1;
        self.eat(b'}').then_some(())
    }
    /// Every element of an array; `f` reads it.
    pub fn array(&mut self, mut f: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if !self.eat(b'[') || self.depth == DEEP {
            return None;
        }
        if self.eat(b']') {
            return Some(());
        }
        self.depth += 1;
        loop {
            f(self)?;
            if !self.eat(b',') {
                break;
            }
        }
        self.depth -= 1;
        self.eat(b']').then_some(())
    }
    /// A value of any kind, left out.
    pub fn skip(&mut self) -> Option<()> {
        match self.next()? {
            b'"' => self.string().map(drop),
            b'{' => self.object(|q, _| q.skip()),
            b'[' => self.array(Quick::skip),
            b'0'..=b'9' => self.number().map(drop),
            _ => self.literal().map(drop),
        }
    }
    /// A whole number as written; signs, fractions and powers take the long way.
    pub fn number(&mut self) -> Option<&'a str> {
        self.next();
        let rest = &self.text.as_bytes()[self.at..];
        let n = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let plain = (1..=DIGITS).contains(&n) && (rest[0] != b'0' || n == 1);
        if !plain || matches!(rest.get(n), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        self.at += n;
        self.text.get(self.at - n..self.at)
    }
    /// `true`, `false`, or nothing for `null`.
    pub fn literal(&mut self) -> Option<Option<bool>> {
        self.next();
        let rest = &self.text.as_bytes()[self.at..];
        let (n, value) = if rest.starts_with(b"true") {
            (4, Some(true))
        } else if rest.starts_with(b"false") {
            (5, Some(false))
        } else if rest.starts_with(b"null") {
            (4, None)
        } else {
            return None;
        };
        self.at += n;
        Some(value)
    }
}

/// Where the next quote is, sixteen bytes at a time.
#[inline]
pub(crate) fn quote(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(part) = bytes.get(at..at + 16) {
        let part = u8x16::new(part.try_into().ok()?);
        let found = part.simd_eq(u8x16::splat(b'"')).to_bitmask();
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += 16;
    }
    let rest = bytes.get(at..)?;
    rest.iter().position(|b| *b == b'"').map(|i| at + i)
}

/// Where the next blank or control character is, sixteen bytes at a time.
#[inline]
pub(crate) fn blank(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(part) = bytes.get(at..at + 16) {
        let part = u8x16::new(part.try_into().ok()?);
        let found = part.min(u8x16::splat(b' ')).simd_eq(part).to_bitmask();
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += 16;
    }
    let rest = bytes.get(at..)?;
    rest.iter().position(|b| *b <= b' ').map(|i| at + i)
}

/// The places of one sign in a text, in order, eight bytes at a time.
pub(crate) struct Signs<'a> {
    bytes: &'a [u8],
    sign: u8,
    /// Where the eight bytes begin whose signs are in `here`, by their highest bits.
    at: usize,
    here: u64,
}

impl<'a> Signs<'a> {
    pub(crate) fn new(bytes: &'a [u8], sign: u8) -> Self {
        let mut all = Signs {
            bytes,
            sign,
            at: 0,
            here: 0,
        };
        all.here = all.look();
        all
    }
    /// From here on, which is at or behind the sign given last.
    #[inline]
    pub(crate) fn leave(&mut self, from: usize) {
        self.at = from;
        self.here = self.look();
    }
    #[inline]
    fn look(&self) -> u64 {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const LOW: u64 = !(ONES << 7);
        let eight: Option<[u8; 8]> = self
            .bytes
            .get(self.at..self.at + 8)
            .and_then(|e| e.try_into().ok());
        let (eight, there) = match eight {
            Some(e) => (e, u64::MAX),
            None => {
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                let mut eight = [0; 8];
                eight[..rest.len()].copy_from_slice(rest);
                (eight, (1 << (8 * rest.len())) - 1)
            }
        };
        let x = u64::from_le_bytes(eight) ^ (u64::from(self.sign) * ONES);
        // The highest bit of every byte of `x` that is zero, and of no other.
        !(((x & LOW) + LOW) | x | LOW) & there
    }
}

impl Iterator for Signs<'_> {
    type Item = usize;
    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.here == 0 {
            if self.at >= self.bytes.len() {
                return None;
            }
            self.at += 8;
            self.here = self.look();
        }
        let place = self.at + self.here.trailing_zeros() as usize / 8;
        self.here &= self.here - 1;
        Some(place)
    }
}

/// True for equal bytes; short ones, as keys are, are compared in two words.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    fn ends<const N: usize>(b: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
        Some((b.first_chunk()?, b.last_chunk()?))
    }
    a.len() == b.len()
        && match a.len() {
            0 => true,
            1 => a[0] == b[0],
            2..=3 => ends::<2>(a) == ends::<2>(b),
            4..=7 => ends::<4>(a) == ends::<4>(b),
            8..=16 => ends::<8>(a) == ends::<8>(b),
            _ => a == b,
        }
}

impl<'a> Pull<'a> for Word<'a> {
    #[inline]
    fn pull(&mut self, q: &mut Quick<'a>) -> Option<()> {
        let text = match q.next()? {
            b'"' => q.string()?,
            b'0'..=b'9' => q.number()?,
            b'{' | b'[' => {
                q.skip()?;
                ""
            }
            _ => match q.literal()? {
                Some(true) => "true",
                Some(false) => "false",
                None => "",
            },
        };
        self.of_text(text)
    }
    #[inline]
    fn of_text(&mut self, text: &'a str) -> Option<()> {
        self.0 = Cow::Borrowed(text);
        Some(())
    }
}

/// A key that comes twice takes the long way.
pub(crate) fn once(seen: &mut u32, bit: u32) -> Option<()> {
    let before = *seen;
    *seen |= 1 << bit;
    (before != *seen).then_some(())
}

/// How a struct is read: a number for each field, its keys, its name; `= f` when `f` reads it.
macro_rules! pulled {
    ($type:ident { $($bit:literal $($key:literal)|+ => $field:ident $(= $by:path)?),+ $(,)? }) => {
        impl<'a> Pull<'a> for $type<'a> {
            fn pull(&mut self, q: &mut Quick<'a>) -> Option<()> {
                let mut seen = 0u32;
                q.object(|q, key| match key {
                    $($($key)|+ => {
                        crate::quick::once(&mut seen, $bit)?;
                        pulled!(@by self.$field, q $($by)?)
                    })+
                    _ => q.skip(),
                })
            }
        }
    };
    (@by $field:expr, $q:ident) => { Pull::pull(&mut $field, $q) };
    (@by $field:expr, $q:ident $by:path) => { $by(&mut $field, $q) };
}
pub(crate) use pulled;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quotes_are_found(text in "[ab\"é]{0,40}", from in 0usize..40) {
            let slow = text.as_bytes().iter().skip(from).position(|b| *b == b'"').map(|i| i + from);
            prop_assert_eq!(quote(text.as_bytes(), from), slow);
        }

        #[test]
        fn blanks_are_found(text in "[ab\\u{1} \\n\u{1f}!é]{0,40}", from in 0usize..40) {
            let slow = text.as_bytes().iter().skip(from).position(|b| *b <= b' ').map(|i| i + from);
            prop_assert_eq!(blank(text.as_bytes(), from), slow);
        }

        #[test]
        fn all_signs_are_found(text in "[ab=\u{1}<>é]{0,40}") {
            let slow: Vec<usize> = text.match_indices('=').map(|m| m.0).collect();
            prop_assert_eq!(Signs::new(text.as_bytes(), b'=').collect::<Vec<_>>(), slow);
        }

        #[test]
        fn same_is_equal(a in "[ab]{0,20}", b in "[ab]{0,20}", at in 0usize..20) {
            prop_assert_eq!(same(a.as_bytes(), b.as_bytes()), a == b);
            let mut c = a.clone().into_bytes();
            prop_assert!(same(&c, a.as_bytes()));
            if let Some(x) = c.get_mut(at) {
                *x = b'c';
                prop_assert!(!same(&c, a.as_bytes()));
            }
        }

        #[test]
        fn what_is_read_is_json(text in r#"[\[\]{}":, 0-9a.etrufalsn-]{0,24}"#) {
            #[derive(Default)]
            struct Any;
            impl<'a> Pull<'a> for Any {
                fn pull(&mut self, q: &mut Quick<'a>) -> Option<()> {
                    q.skip()
                }
            }
            if whole(&text, &mut Any).is_some() {
                prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok());
            }
        }

        #[test]
        fn words_are_those_of_the_long_way(text in r#"("[a-z ]{0,3}"|[0-9]{1,3}|true|false|null|\[1,"a"\]|\{"a":\[\]\}|-1|1.5|"\\n")"#) {
            let mut w = Word::default();
            if whole(&text, &mut w).is_some() {
                let long: Word<'_> = serde_json::from_str(&text).expect("JSON");
                prop_assert_eq!(&*w, &*long);
            }
        }
    }
}
