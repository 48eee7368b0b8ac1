//! `key=value` text: quoted or bare values, separated by spaces or commas, and the extension part of CEF.
use crate::quick::{Signs, blank, quote, same};
use rustc_hash::FxHashMap;
use std::{borrow::Cow, ops::Range};

/// Walks `key=value key="quoted value",key=value`. Text between pairs that is no pair is passed over. A quote inside a quoted
/// value ends it only when a separator or the end follows, so that values holding quotes stay whole.
#[derive(Clone)]
pub struct Pairs<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Pairs<'a> {
    pub fn new(text: &'a str) -> Self {
        Pairs { text, at: 0 }
    }
    /// The value that begins at `from`.
    #[inline]
    fn value(&mut self, from: usize) -> &'a str {
        let b = self.text.as_bytes();
        if b.get(from) == Some(&b'"') {
            let end = closing_quote(b, from + 1);
            self.at = (end + 1).min(b.len());
            return &self.text[from + 1..end];
        }
        let mut end = from;
        while b.get(end).is_some_and(|c| !separator(*c)) {
            end += 1;
        }
        self.at = end;
        &self.text[from..end]
    }
}

/// What the keys of records mean, in the order they come: a record mostly has the keys of the one before it, and a key that comes
/// where it is awaited is compared and not looked up.
pub(crate) struct Course<T> {
    known: Vec<Known<T>>,
    of: FxHashMap<Box<str>, u32>,
    /// The key that came last; 0 before the first.
    at: u32,
    /// That key was seen ahead, and has not been given yet.
    ahead: bool,
}

struct Known<T> {
    key: Box<str>,
    /// Made of what CEF makes its keys of.
    word: bool,
    means: T,
    /// What came after it the last time.
    next: u32,
}

impl<T: Copy> Course<T> {
    /// Most keys kept, and the longest; others are looked up each time.
    const KEYS: usize = 1 << 10;
    const KEY: usize = 64;

    /// With what an empty key means.
    pub(crate) fn new(none: T) -> Self {
        let start = Known {
            key: "".into(),
            word: false,
            means: none,
            next: 0,
        };
        Course {
            known: vec![start],
            of: FxHashMap::default(),
            at: 0,
            ahead: false,
        }
    }
    /// A record begins.
    #[inline]
    pub(crate) fn begin(&mut self) {
        self.at = 0;
        self.ahead = false;
    }
    /// The next pair of an extension as [`Cef`] gives it, by where its key and its value are, and what its key means. Where the key
    /// awaited follows the first blank, the value ends there: no sign before that blank can have a key of its own.
    #[inline]
    pub(crate) fn extension(
        &mut self,
        cef: &mut Cef<'_>,
        find: impl FnOnce(&str) -> T,
    ) -> Option<(T, Range<usize>, Range<usize>)> {
        let (key, from) = cef.key()?;
        let means = match std::mem::take(&mut self.ahead) {
            true => self.known[self.at as usize].means,
            false => self.pass(&cef.text[key.clone()], find),
        };
        let next = self.known[self.at as usize].next;
        let awaited = &self.known[next as usize];
        let end = match awaited.word {
            true => cef.until(from, &awaited.key),
            false => None,
        };
        let value = match end {
            Some(value) => {
                (self.at, self.ahead) = (next, true);
                value
            }
            None => cef.value(from),
        };
        Some((means, key, value))
    }
    /// The next pair of a record as [`Pairs`] gives it: what its key means, and its value. The key awaited is looked for where it
    /// must stand, sooner than any key is read.
    #[inline]
    pub(crate) fn pair<'a>(
        &mut self,
        pairs: &mut Pairs<'a>,
        find: impl FnOnce(&str) -> T,
    ) -> Option<(T, &'a str)> {
        let b = pairs.text.as_bytes();
        let next = self.known[self.at as usize].next;
        let awaited = &self.known[next as usize];
        let n = awaited.key.len();
        // Behind a separator the key is all that stands before the sign; one that was read once has no separator in it.
        let start = pairs.at + 1;
        if n > 0
            && b.get(pairs.at).is_some_and(|c| separator(*c))
            && b.get(start + n) == Some(&b'=')
            && same(&b[start..start + n], awaited.key.as_bytes())
        {
            self.at = next;
            return Some((awaited.means, pairs.value(start + n + 1)));
        }
        let (key, value) = pairs.next()?;
        Some((self.stray(key, find), value))
    }
    /// What the next key of the record means, by `find` where it is not known.
    #[inline]
    pub(crate) fn pass(&mut self, key: &str, find: impl FnOnce(&str) -> T) -> T {
        let next = self.known[self.at as usize].next;
        let awaited = &self.known[next as usize];
        if same(awaited.key.as_bytes(), key.as_bytes()) {
            self.at = next;
            return awaited.means;
        }
        self.stray(key, find)
    }
    fn stray(&mut self, key: &str, find: impl FnOnce(&str) -> T) -> T {
        let found = match self.of.get(key) {
            Some(i) => *i,
            None => {
                let means = find(key);
                if self.known.len() >= Self::KEYS || key.len() > Self::KEY || key.is_empty() {
                    return means;
                }
                let i = self.known.len() as u32;
                self.known.push(Known {
                    key: key.into(),
                    word: key.bytes().all(|c| WORD[usize::from(c)]),
                    means,
                    next: 0,
                });
                self.of.insert(key.into(), i);
                i
            }
        };
        self.known[self.at as usize].next = found;
        self.at = found;
        self.known[found as usize].means
    }
}

/// By byte: one that stands between pairs.
const SEPARATOR: [bool; 256] = table(b" ,\t\n\r");
/// By byte: one that a CEF key after the first is made of.
const WORD: [bool; 256] =
    table(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.");

const fn table(of: &[u8]) -> [bool; 256] {
    let mut all = [false; 256];
    let mut i = 0;
    while i < of.len() {
        all[of[i] as usize] = true;
        i += 1;
    }
    all
}

#[inline]
fn separator(b: u8) -> bool {
    SEPARATOR[usize::from(b)]
}

impl<'a> Iterator for Pairs<'a> {
    /// Key and value as written, without the outer quotes; escapes are left in (see [`unescape`]).
    type Item = (&'a str, &'a str);
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let b = self.text.as_bytes();
        loop {
            let rest = b.get(self.at..)?;
            let eq = self.at + memchr::memchr(b'=', rest)?;
            // The key is the word that touches the sign.
            let mut start = eq;
            while start > self.at && !separator(b[start - 1]) {
                start -= 1;
            }
            let key = &self.text[start..eq];
            let value = self.value(eq + 1);
            if !key.is_empty() {
                return Some((key, value));
            }
        }
    }
}

/// Place of the quote that ends a value starting at `from`; the end of the text when none does.
#[inline]
fn closing_quote(b: &[u8], from: usize) -> usize {
    let mut at = from;
    loop {
        let Some(q) = quote(b, at) else {
            return b.len();
        };
        let escaped = q > from && b[q - 1] == b'\\';
        match b.get(q + 1) {
            None => return q,
            Some(c) if separator(*c) && !escaped => return q,
            // The last value of structured data: `user="a"]`.
            Some(b']') if !escaped && b.get(q + 2).is_none_or(|c| separator(*c)) => return q,
            // `user="CHU\"` ends here only when another pair follows.
            Some(c) if separator(*c) && pair_follows(&b[q + 2..]) => return q,
            _ => at = q + 1,
        }
    }
}

fn pair_follows(b: &[u8]) -> bool {
    let n = b
        .iter()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'))
        .count();
    n > 0 && b.get(n) == Some(&b'=')
}

/// `\"` and `\\` inside a quoted value; a lone backslash stays (`CHU\mdupont`).
pub fn unescape(value: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', value.as_bytes()).is_none() || !value.contains("\\\"") {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.replace("\\\"", "\""))
}

/// The extension of a CEF record: values may hold spaces and run until the next ` key=`; `\=` and `\\` are escapes.
pub struct Cef<'a> {
    text: &'a str,
    signs: Signs<'a>,
    /// The key that comes next and its sign; `None` before the first.
    ahead: Option<(Range<usize>, usize)>,
    over: bool,
}

impl<'a> Cef<'a> {
    /// An extension without its header.
    pub fn extension(text: &'a str) -> Cef<'a> {
        Cef {
            text,
            signs: Signs::new(text.as_bytes(), b'='),
            ahead: None,
            over: false,
        }
    }
    /// Splits `CEF:0|vendor|product|version|id|name|severity|extension`; the `CEF:` may have been cut off. Gives the seven
    /// header fields (the first is the version) and the extension.
    pub fn split(text: &'a str) -> Option<([&'a str; 7], Cef<'a>)> {
        let body = text.strip_prefix("CEF:").unwrap_or(text);
        let (head, from) = header(body)?;
        Some((head.map(|r| &body[r]), Cef::extension(&body[from..])))
    }
    /// The next sign that is no escape.
    #[inline]
    fn sign(&mut self) -> Option<usize> {
        let b = self.text.as_bytes();
        self.signs.find(|i| *i == 0 || b[i - 1] != b'\\')
    }
    /// The first key, however it is written, and its sign.
    fn first(&mut self) -> Option<(Range<usize>, usize)> {
        let sign = self.sign()?;
        let b = self.text.as_bytes();
        let stop = key_end(&b[..sign]);
        let mut start = stop;
        while start > 0 && !between(b[start - 1]) {
            start -= 1;
        }
        Some((start..stop, sign))
    }
}

/// The seven fields of a CEF header and where the extension begins.
fn header(body: &str) -> Option<([Range<usize>; 7], usize)> {
    let b = body.as_bytes();
    let mut head = [const { 0..0 }; 7];
    let (mut n, mut from, mut i) = (0, 0, 0);
    while i < b.len() && n < 7 {
        match b[i] {
            b'\\' => i += 1,
            b'|' => {
                head[n] = from..i;
                n += 1;
                from = i + 1;
            }
            _ => {}
        }
        i += 1;
    }
    (n == 7).then_some((head, from))
}

/// Splits CEF records as [`Cef::split`] does. The header of the record before is kept: most records of a file repeat it, and
/// then it is compared and not read.
#[derive(Default)]
pub struct CefHeads {
    /// With its last bar; empty at first.
    known: String,
    fields: [Range<usize>; 7],
}

impl CefHeads {
    /// Longest header kept.
    const KEPT: usize = 1024;

    pub fn split<'a>(&mut self, text: &'a str) -> Option<([&'a str; 7], Cef<'a>)> {
        let body = text.strip_prefix("CEF:").unwrap_or(text);
        if self.known.is_empty() || !body.starts_with(&self.known) {
            let (fields, from) = header(body)?;
            if from > Self::KEPT {
                return Cef::split(text);
            }
            self.known.clear();
            self.known.push_str(&body[..from]);
            self.fields = fields;
        }
        let head = self.fields.each_ref().map(|r| &body[r.clone()]);
        Some((head, Cef::extension(&body[self.known.len()..])))
    }
}

impl<'a> Cef<'a> {
    /// The key that comes next, and where its value begins.
    #[inline]
    fn key(&mut self) -> Option<(Range<usize>, usize)> {
        if self.over {
            return None;
        }
        match self.ahead.take() {
            Some((key, sign)) => Some((key, sign + 1)),
            None => self.first().map(|(key, sign)| (key, sign + 1)),
        }
    }
    /// All of it.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }
    /// The value that begins at `from`, when its first blank is followed by `key`, a word, and its sign.
    #[inline]
    fn until(&mut self, from: usize, key: &str) -> Option<Range<usize>> {
        let (b, n) = (self.text.as_bytes(), key.len());
        let end = blank(b, from)?;
        let start = end + 1;
        let follows = b[end] == b' '
            && b.get(start + n) == Some(&b'=')
            && same(&b[start..start + n], key.as_bytes());
        if !follows {
            return None;
        }
        self.ahead = Some((start..start + n, start + n));
        Some(trim_end(self.text, from..end))
    }
    /// The value that begins at `from`: to the next key, or to the end.
    fn value(&mut self, from: usize) -> Range<usize> {
        let b = self.text.as_bytes();
        let mut end = b.len();
        self.over = true;
        self.signs.leave(from);
        while let Some(sign) = self.sign() {
            // Only a blank before the sign leaves open where the key ends.
            let stop = if sign > from && b[sign - 1] == b' ' {
                from + key_end(&b[from..sign])
            } else {
                sign
            };
            let other = (b[from..stop].iter()).rposition(|c| !WORD[usize::from(*c)]);
            let k = other.map_or(from, |i| from + i + 1);
            if k < stop && k > from && between(b[k - 1]) {
                end = k - 1;
                self.ahead = Some((k..stop, sign));
                self.over = false;
                break;
            }
        }
        trim_end(self.text, from..end)
    }
}

impl<'a> Iterator for Cef<'a> {
    type Item = (&'a str, &'a str);
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (key, from) = self.key()?;
        let value = self.value(from);
        Some((&self.text[key], &self.text[value]))
    }
}

/// Without the blanks at its end, of which most values have none.
#[inline]
fn trim_end(text: &str, value: Range<usize>) -> Range<usize> {
    match text.as_bytes()[value.clone()].last() {
        Some(b) if b.is_ascii_graphic() => value,
        _ => value.start..value.start + text[value].trim_end().len(),
    }
}

/// Where the key before a sign ends. PAN-OS writes some as `PanOSSourceUserName =x`; a word of prose before a sign is no key.
fn key_end(before: &[u8]) -> usize {
    let Some(rest) = before.strip_suffix(b" ") else {
        return before.len();
    };
    let word = rest
        .iter()
        .rev()
        .take_while(|c| c.is_ascii_alphanumeric())
        .count();
    let word = &rest[rest.len() - word..];
    let camel = |w: &[u8]| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase();
    if word.windows(2).any(camel) {
        rest.len()
    } else {
        before.len()
    }
}

/// Before a key stands a blank, or a line end where a record was folded.
fn between(b: u8) -> bool {
    matches!(b, b' ' | b'\n' | b'\r')
}

/// The value of a CEF key. Few products escape the backslash of `DOMAIN\nadia`: in the name of a user it makes no line end.
pub fn unescape_cef_of<'a>(key: &str, value: &'a str) -> Cow<'a, str> {
    if memchr::memchr(b'\\', value.as_bytes()).is_none() {
        return Cow::Borrowed(value);
    }
    if key.ends_with("user") || key.contains("User") {
        return Cow::Owned(value.replace("\\\\", "\\").replace("\\=", "="));
    }
    unescape_cef(value)
}

/// Escapes of a CEF value: `\=`, `\\`, `\n`, `\|`.
pub fn unescape_cef(value: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', value.as_bytes()).is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n' | 'r') => out.push('\n'),
            Some(d @ ('=' | '\\' | '|')) => out.push(d),
            Some(d) => {
                out.push('\\');
                out.push(d);
            }
            None => out.push('\\'),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same walks a byte at a time, without anything known beforehand.
    struct SlowPairs<'a> {
        text: &'a str,
        at: usize,
    }
    struct SlowCef<'a> {
        text: &'a str,
        at: usize,
    }

    impl<'a> Iterator for SlowPairs<'a> {
        type Item = (&'a str, &'a str);
        fn next(&mut self) -> Option<Self::Item> {
            let b = self.text.as_bytes();
            loop {
                let rest = b.get(self.at..)?;
                let eq = self.at + memchr::memchr(b'=', rest)?;
                // The key is the word that touches the sign.
                let mut start = eq;
                while start > self.at && !separator(b[start - 1]) {
                    start -= 1;
                }
                let key = &self.text[start..eq];
                let from = eq + 1;
                if b.get(from) == Some(&b'"') {
                    let end = closing_quote(b, from + 1);
                    self.at = (end + 1).min(b.len());
                    if key.is_empty() {
                        continue;
                    }
                    return Some((key, &self.text[from + 1..end]));
                }
                let len = b[from..]
                    .iter()
                    .position(|c| separator(*c))
                    .unwrap_or(b.len() - from);
                self.at = from + len;
                if key.is_empty() {
                    continue;
                }
                return Some((key, &self.text[from..from + len]));
            }
        }
    }

    impl<'a> Iterator for SlowCef<'a> {
        type Item = (&'a str, &'a str);
        fn next(&mut self) -> Option<Self::Item> {
            let b = self.text.as_bytes();
            let eq = next_sign(b, self.at)?;
            let stop = self.at + key_end(&b[self.at..eq]);
            let mut start = stop;
            while start > self.at && !between(b[start - 1]) {
                start -= 1;
            }
            let (from, mut end) = (eq + 1, b.len());
            self.at = b.len();
            let mut look = from;
            while let Some(sign) = next_sign(b, look) {
                let stop = from + key_end(&b[from..sign]);
                let mut k = stop;
                while k > from
                    && (b[k - 1].is_ascii_alphanumeric() || matches!(b[k - 1], b'_' | b'.'))
                {
                    k -= 1;
                }
                if k < stop && k > from && between(b[k - 1]) {
                    end = k - 1;
                    self.at = k;
                    break;
                }
                look = sign + 1;
            }
            let value = self.text[from..end].trim_end();
            Some((&self.text[start..stop], value))
        }
    }

    fn next_sign(b: &[u8], mut at: usize) -> Option<usize> {
        loop {
            let n = at + memchr::memchr(b'=', b.get(at..)?)?;
            if n == 0 || b[n - 1] != b'\\' {
                return Some(n);
            }
            at = n + 1;
        }
    }

    /// Lines of pieces that mean something to either walk, whole and torn, with keys that come twice and in another order.
    fn lines() -> impl Strategy<Value = Vec<String>> {
        const PIECES: &[&str] = &[
            "src=",
            " src=",
            " dst=10.0.0.1",
            " suser=",
            " userName =",
            " msg=so that x = y",
            ",a=",
            " b=\"x y\"",
            "\"",
            "\\\"",
            "=",
            "==",
            " ",
            "  ",
            "\\=",
            "\\\\",
            "\\",
            "\n",
            "\r",
            "\t",
            ",",
            "|",
            "]",
            ".",
            "_",
            "é",
            "\u{a0}",
            "aB =",
            "aB ",
            "cs1Label=",
            " cs1=",
            "x",
            "7",
            "CHU\\nadia",
            "https://h.example/p?q\\=1",
            "CEF:0|V|P|1|i|n|3|",
        ];
        let line = prop::collection::vec(prop::sample::select(PIECES), 0..40);
        prop::collection::vec(line.prop_map(|l| l.concat()), 1..6)
    }

    proptest! {
        #[test]
        fn pairs_are_those_of_the_slow_walk(all in lines()) {
            let mut course = Course::new(None);
            let mut number = FxHashMap::default();
            for line in all.iter().chain(&all) {
                let slow: Vec<_> = SlowPairs { text: line, at: 0 }.collect();
                prop_assert_eq!(Pairs::new(line).collect::<Vec<_>>(), slow.clone());
                // By what is known of the lines before, each key means the same again.
                let mut pairs = Pairs::new(line);
                course.begin();
                for (key, value) in slow {
                    let n = number.len();
                    let means = *number.entry(key.to_string()).or_insert(n);
                    let found = course.pair(&mut pairs, |k| number.get(k).copied());
                    prop_assert_eq!(found, Some((Some(means), value)));
                }
                prop_assert_eq!(course.pair(&mut pairs, |_| None), None);
            }
        }

        #[test]
        fn cef_pairs_are_those_of_the_slow_walk(all in lines()) {
            let mut course = Course::new(None);
            let mut heads = CefHeads::default();
            for line in all.iter().chain(&all) {
                let slow: Vec<_> = SlowCef { text: line, at: 0 }.collect();
                prop_assert_eq!(Cef::extension(line).collect::<Vec<_>>(), slow.clone());
                let length = |k: &str| Some(k.len()).filter(|n| *n > 0);
                let mut extension = Cef::extension(line);
                course.begin();
                for (key, value) in slow {
                    let found = course.extension(&mut extension, length);
                    let found = found.map(|(n, k, v)| (n, &line[k], &line[v]));
                    prop_assert_eq!(found, Some((length(key), key, value)));
                }
                prop_assert_eq!(course.extension(&mut extension, length), None);
                let split = |s: Option<([&str; 7], Cef<'_>)>| s.map(|(h, x)| (h.map(str::to_string), x.text.to_string()));
                prop_assert_eq!(split(heads.split(line)), split(Cef::split(line)));
            }
        }
    }

    #[test]
    fn a_course_keeps_so_many_keys() {
        let mut course = Course::new(0);
        for round in 0..2 {
            course.begin();
            for i in 0..3000usize {
                assert_eq!(course.pass(&format!("k{i}"), |_| i), i, "{round}");
            }
        }
        assert_eq!(course.known.len(), Course::<usize>::KEYS);
        let long = "k".repeat(65);
        assert_eq!(
            (course.pass(&long, |_| 7), course.pass(&long, |_| 8)),
            (7, 8)
        );
    }

    #[test]
    fn pairs_keep_quotes_and_backslashes() {
        let all: Vec<_> =
            Pairs::new(r#"a=1 b="x y",c=,d="say \"hi\" now" e="CHU\" f="in"side" g=z"#).collect();
        assert_eq!(
            all,
            [
                ("a", "1"),
                ("b", "x y"),
                ("c", ""),
                ("d", r#"say \"hi\" now"#),
                ("e", "CHU\\"),
                ("f", "in\"side"),
                ("g", "z")
            ]
        );
        assert_eq!(Pairs::new("=\"\"=").count(), 0);
        assert_eq!(Pairs::new("k=\"open").collect::<Vec<_>>(), [("k", "open")]);
    }
    #[test]
    fn the_backslash_of_a_domain_is_no_line_end() {
        assert_eq!(unescape_cef_of("suser", r"chu\nadia"), r"chu\nadia");
        assert_eq!(unescape_cef_of("suser", r"chu\\nadia"), r"chu\nadia");
        assert_eq!(unescape_cef_of("msg", r"two\nlines"), "two\nlines");
    }
    #[test]
    fn a_blank_behind_a_cef_key_is_passed_over() {
        let x = Cef::extension("aB= userName =CHU\\\\a b deviceName =PC msg=so that x = y c=3");
        assert_eq!(
            x.collect::<Vec<_>>(),
            [
                ("aB", ""),
                ("userName", "CHU\\\\a b"),
                ("deviceName", "PC"),
                ("msg", "so that x = y"),
                ("c", "3")
            ]
        );
    }
    #[test]
    fn a_folded_cef_record_keeps_its_keys() {
        let (_, x) =
            Cef::split("CEF:0|V|P|1|i|n|3|act=Accept \nsrc=1.2.3.4\r\nmsg=two\nwords dst=5.6.7.8")
                .unwrap();
        assert_eq!(
            x.collect::<Vec<_>>(),
            [
                ("act", "Accept"),
                ("src", "1.2.3.4"),
                ("msg", "two\nwords"),
                ("dst", "5.6.7.8")
            ]
        );
    }
    #[test]
    fn cef_values_hold_spaces_and_signs() {
        let (h, x) = Cef::split(r"CEF:0|Fortinet|Fortigate|v6|1|a\|b|3|src=1.2.3.4 msg=two words request=http://h/?a\=b duser= act=deny").unwrap();
        assert_eq!((h[1], h[5]), ("Fortinet", r"a\|b"));
        let all: Vec<_> = x.map(|(k, v)| (k, unescape_cef(v).into_owned())).collect();
        let all: Vec<_> = all.iter().map(|(k, v)| (*k, v.as_str())).collect();
        assert_eq!(
            all,
            [
                ("src", "1.2.3.4"),
                ("msg", "two words"),
                ("request", "http://h/?a=b"),
                ("duser", ""),
                ("act", "deny")
            ]
        );
    }
}
