//! `key=value` text: quoted or bare values, separated by spaces or commas, and the extension part of CEF.
use std::borrow::Cow;

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
}

#[inline]
fn separator(b: u8) -> bool {
    matches!(b, b' ' | b',' | b'\t' | b'\n' | b'\r')
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

/// Place of the quote that ends a value starting at `from`; the end of the text when none does.
#[inline]
fn closing_quote(b: &[u8], from: usize) -> usize {
    let mut at = from;
    loop {
        let Some(n) = memchr::memchr(b'"', &b[at..]) else {
            return b.len();
        };
        let q = at + n;
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
    if !value.contains("\\\"") {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.replace("\\\"", "\""))
}

/// The extension of a CEF record: values may hold spaces and run until the next ` key=`; `\=` and `\\` are escapes.
pub struct Cef<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cef<'a> {
    /// An extension without its header.
    pub fn extension(text: &'a str) -> Cef<'a> {
        Cef { text, at: 0 }
    }
    /// Splits `CEF:0|vendor|product|version|id|name|severity|extension`; the `CEF:` may have been cut off. Gives the seven
    /// header fields (the first is the version) and the extension.
    pub fn split(text: &'a str) -> Option<([&'a str; 7], Cef<'a>)> {
        let body = text.strip_prefix("CEF:").unwrap_or(text);
        let b = body.as_bytes();
        let mut head = [""; 7];
        let (mut n, mut from, mut i) = (0, 0, 0);
        while i < b.len() && n < 7 {
            match b[i] {
                b'\\' => i += 1,
                b'|' => {
                    head[n] = &body[from..i];
                    n += 1;
                    from = i + 1;
                }
                _ => {}
            }
            i += 1;
        }
        (n == 7).then_some((
            head,
            Cef {
                text: &body[from..],
                at: 0,
            },
        ))
    }
}

impl<'a> Iterator for Cef<'a> {
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
            while k > from && (b[k - 1].is_ascii_alphanumeric() || matches!(b[k - 1], b'_' | b'.'))
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

fn next_sign(b: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let n = at + memchr::memchr(b'=', b.get(at..)?)?;
        if n == 0 || b[n - 1] != b'\\' {
            return Some(n);
        }
        at = n + 1;
    }
}

/// The value of a CEF key. Few products escape the backslash of `DOMAIN\nadia`: in the name of a user it makes no line end.
pub fn unescape_cef_of<'a>(key: &str, value: &'a str) -> Cow<'a, str> {
    let names_users = || key.ends_with("user") || key.contains("User");
    if value.contains('\\') && names_users() {
        return Cow::Owned(value.replace("\\\\", "\\").replace("\\=", "="));
    }
    unescape_cef(value)
}

/// Escapes of a CEF value: `\=`, `\\`, `\n`, `\|`.
pub fn unescape_cef(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
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
