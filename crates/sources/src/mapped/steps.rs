//! The closed list of changes a mapping may ask for on a value before it fills a column.
use crate::net;
use ampleur_event::account::is_placeholder;
use std::borrow::Cow;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Lower,
    Upper,
    Trim,
    Unquote,
    /// `\"`, `\\`, `\/` of JSON-like texts.
    Unescape,
    /// `%20` and `+`.
    Unurl,
    /// Hexadecimal text that stands for what quotes cannot hold.
    Unhex,
    /// The address of `10.0.0.1:443`, `[2001:db8::1]:443`, `::ffff:10.0.0.1`.
    Ip,
    /// The port of the same.
    Port,
    UrlHost,
    UrlPort,
    UrlPath,
    UrlScheme,
    FirstWord,
    LastWord,
    Basename,
    /// The user of `DOMAIN\user`; the rest goes to the column `domain`.
    Account,
    /// The same, and also of `user@realm`.
    Upn,
    /// The domain of either.
    Domain,
    /// Digits at the front of `443/tcp`, `12 bytes`.
    Number,
    /// `0x1f` or `1f` → 31.
    Hex,
    /// `0h:49m:49s`, `1d2h3m4s`, `01:02:03`, `PT1H2M` → milliseconds.
    Duration,
    /// `10.5 MB` → bytes.
    Size,
    Times(f64),
    Before(String),
    After(String),
    BeforeLast(String),
    AfterLast(String),
    StripPrefix(String),
    StripSuffix(String),
    Add(String),
    Append(String),
    /// Makes these texts absent.
    Not(String),
}

const PLAIN: &[(&str, Step)] = &[
    ("lower", Step::Lower),
    ("upper", Step::Upper),
    ("trim", Step::Trim),
    ("unquote", Step::Unquote),
    ("unescape", Step::Unescape),
    ("unurl", Step::Unurl),
    ("unhex", Step::Unhex),
    ("ip", Step::Ip),
    ("port", Step::Port),
    ("url-host", Step::UrlHost),
    ("url-port", Step::UrlPort),
    ("url-path", Step::UrlPath),
    ("url-scheme", Step::UrlScheme),
    ("first-word", Step::FirstWord),
    ("last-word", Step::LastWord),
    ("basename", Step::Basename),
    ("account", Step::Account),
    ("upn", Step::Upn),
    ("domain", Step::Domain),
    ("number", Step::Number),
    ("hex", Step::Hex),
    ("duration", Step::Duration),
    ("size", Step::Size),
];
/// A step with an argument: its name and what makes it.
type Taking = (&'static str, fn(String) -> Step);
const TAKING: &[Taking] = &[
    ("before", Step::Before),
    ("after", Step::After),
    ("before-last", Step::BeforeLast),
    ("after-last", Step::AfterLast),
    ("strip-prefix", Step::StripPrefix),
    ("strip-suffix", Step::StripSuffix),
    ("prepend", Step::Add),
    ("append", Step::Append),
    ("not", Step::Not),
];

impl Step {
    /// `lower`, `before:@`, `times:1000`. The error says what is allowed.
    pub(super) fn of(text: &str) -> Result<Step, String> {
        if let Some((_, s)) = PLAIN.iter().find(|(n, _)| *n == text) {
            return Ok(s.clone());
        }
        if let Some((name, arg)) = text.split_once(':') {
            if let Some((_, make)) = TAKING.iter().find(|(n, _)| *n == name) {
                return Ok(make(arg.to_string()));
            }
            if name == "times" {
                return match arg.parse::<f64>() {
                    Ok(n) if n.is_finite() && n > 0.0 => Ok(Step::Times(n)),
                    _ => Err(format!("`{arg}` is no positive number")),
                };
            }
        }
        let mut all: Vec<String> = PLAIN.iter().map(|(n, _)| n.to_string()).collect();
        all.extend(TAKING.iter().map(|(n, _)| format!("{n}:TEXT")));
        all.push("times:NUMBER".into());
        let near = super::plan::nearest(text, all.iter().map(String::as_str))
            .map(|n| format!(", did you mean `{n}`?"))
            .unwrap_or_default();
        Err(format!(
            "unknown step `{text}`{near} (allowed: {})",
            all.join(", ")
        ))
    }

    pub(super) fn run<'a>(&self, v: Cow<'a, str>) -> Cow<'a, str> {
        match self {
            Step::Lower if v.bytes().any(|b| b.is_ascii_uppercase() || b >= 0x80) => {
                Cow::Owned(v.to_lowercase())
            }
            Step::Upper if v.bytes().any(|b| b.is_ascii_lowercase() || b >= 0x80) => {
                Cow::Owned(v.to_uppercase())
            }
            Step::Lower | Step::Upper => v,
            Step::Trim => cut(v, str::trim),
            Step::Unquote => cut(v, |s| {
                let s = s.trim();
                for q in ['"', '\'', '`'] {
                    if let Some(i) = s.strip_prefix(q).and_then(|i| i.strip_suffix(q)) {
                        return i;
                    }
                }
                s
            }),
            Step::Unescape => {
                if !v.contains('\\') {
                    return v;
                }
                let mut out = String::with_capacity(v.len());
                let mut chars = v.chars();
                while let Some(c) = chars.next() {
                    if c != '\\' {
                        out.push(c);
                        continue;
                    }
                    match chars.next() {
                        Some(d @ ('\\' | '"' | '\'' | '/' | '=' | '|')) => out.push(d),
                        Some('n' | 'r') => out.push('\n'),
                        Some('t') => out.push('\t'),
                        Some(d) => {
                            out.push('\\');
                            out.push(d);
                        }
                        None => out.push('\\'),
                    }
                }
                Cow::Owned(out)
            }
            Step::Unurl => unurl(v),
            Step::Unhex => unhex(v),
            Step::Ip => cut(v, net::address),
            // The last group of an address alone is no port.
            Step::Port if v.parse::<std::net::IpAddr>().is_ok() => Cow::Borrowed(""),
            Step::Port => match net::endpoint(&v).1 {
                Some(p) => Cow::Owned(p.to_string()),
                None => cut(v, |s| {
                    let tail = s.rsplit_once([':', '/']).map_or("", |(_, p)| p);
                    if tail.bytes().all(|b| b.is_ascii_digit()) {
                        tail
                    } else {
                        ""
                    }
                }),
            },
            Step::UrlHost => cut(v, |s| host_port(authority(s)).0),
            Step::UrlPort => {
                let scheme = if v.starts_with("https://") {
                    "443"
                } else if v.starts_with("http://") {
                    "80"
                } else {
                    ""
                };
                let port = host_port(authority(&v)).1;
                Cow::Owned(if port.is_empty() { scheme } else { port }.to_string())
            }
            Step::UrlPath => cut(v, |s| {
                let rest = after_scheme(s);
                if rest.len() == s.len() && s.starts_with('/') {
                    return s;
                }
                let at = memchr::memchr(b'/', rest.as_bytes());
                at.map_or("", |i| &rest[i..])
            }),
            Step::UrlScheme => cut(v, |s| s.split_once("://").map_or("", |(a, _)| a)),
            Step::FirstWord => cut(v, |s| s.split_whitespace().next().unwrap_or("")),
            Step::LastWord => cut(v, |s| s.split_whitespace().next_back().unwrap_or("")),
            Step::Basename => cut(v, |s| s.rsplit(['/', '\\']).next().unwrap_or(s)),
            Step::Account => cut(v, |s| split_account(s, false).1),
            Step::Upn => cut(v, |s| split_account(s, true).1),
            Step::Domain => cut(v, |s| split_account(s, true).0),
            Step::Number => cut(v, |s| {
                let s = s.trim_start();
                let n = s.bytes().take_while(u8::is_ascii_digit).count();
                &s[..n]
            }),
            Step::Hex => {
                let s = v.trim();
                let s = s
                    .strip_prefix("0x")
                    .or_else(|| s.strip_prefix("0X"))
                    .unwrap_or(s);
                Cow::Owned(u64::from_str_radix(s, 16).map_or(String::new(), |n| n.to_string()))
            }
            Step::Duration => Cow::Owned(duration_ms(&v).map_or(String::new(), |n| n.to_string())),
            Step::Size => Cow::Owned(size(&v).map_or(String::new(), |n| n.to_string())),
            Step::Times(n) => match v.trim().parse::<f64>() {
                Ok(x) if x >= 0.0 => Cow::Owned(((x * n).round() as u64).to_string()),
                _ => Cow::Borrowed(""),
            },
            Step::Before(t) => cut(v, |s| s.split_once(t.as_str()).map_or(s, |(a, _)| a)),
            Step::After(t) => cut(v, |s| s.split_once(t.as_str()).map_or("", |(_, b)| b)),
            Step::BeforeLast(t) => cut(v, |s| s.rsplit_once(t.as_str()).map_or(s, |(a, _)| a)),
            Step::AfterLast(t) => cut(v, |s| s.rsplit_once(t.as_str()).map_or(s, |(_, b)| b)),
            Step::StripPrefix(t) => cut(v, |s| s.strip_prefix(t.as_str()).unwrap_or(s)),
            Step::StripSuffix(t) => cut(v, |s| s.strip_suffix(t.as_str()).unwrap_or(s)),
            Step::Add(_) | Step::Append(_) if v.is_empty() => v,
            Step::Add(t) => Cow::Owned(format!("{t}{v}")),
            Step::Append(t) => Cow::Owned(format!("{v}{t}")),
            Step::Not(t) => {
                if *v == **t {
                    Cow::Borrowed("")
                } else {
                    v
                }
            }
        }
    }
}

/// Applies a narrowing without copying a borrowed text.
pub(super) fn cut<'a>(v: Cow<'a, str>, f: impl Fn(&str) -> &str) -> Cow<'a, str> {
    match v {
        Cow::Borrowed(s) => {
            // The result is part of `s`, so it lives as long.
            let part = f(s);
            let at = (part.as_ptr() as usize).wrapping_sub(s.as_ptr() as usize);
            match s.get(at..at.wrapping_add(part.len())) {
                Some(p) if !part.is_empty() => Cow::Borrowed(p),
                _ => Cow::Borrowed(""),
            }
        }
        Cow::Owned(s) => Cow::Owned(f(&s).to_string()),
    }
}

/// `DOMAIN\user` (backslash doubled or not), with `realms` also `user@realm`: domain and user.
pub(super) fn split_account(text: &str, realms: bool) -> (&str, &str) {
    if let Some((d, n)) = text.split_once('\\') {
        let n = n.trim_start_matches('\\');
        if !d.is_empty() && !n.is_empty() {
            return (d, n);
        }
    }
    if realms
        && let Some((n, r)) = text.rsplit_once('@')
        && !n.is_empty()
        && !r.is_empty()
    {
        return (r, n);
    }
    ("", text)
}

/// What follows the first `://`; all of it where there is none.
fn after_scheme(url: &str) -> &str {
    let b = url.as_bytes();
    let sign = memchr::memchr_iter(b':', b).find(|i| b[*i..].starts_with(b"://"));
    sign.map_or(url, |i| &url[i + 3..])
}

fn authority(url: &str) -> &str {
    let rest = after_scheme(url);
    let b = rest.as_bytes();
    let end = memchr::memchr3(b'/', b'?', b'#', b).unwrap_or(b.len());
    let from = memchr::memrchr(b'@', &b[..end]).map_or(0, |i| i + 1);
    &rest[from..end]
}

fn host_port(authority: &str) -> (&str, &str) {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest
            .split_once(']')
            .map_or(("", ""), |(h, p)| (h, p.strip_prefix(':').unwrap_or("")));
    }
    if memchr::memchr(b':', authority.as_bytes()).is_none() {
        return (authority, "");
    }
    match authority.rsplit_once(':') {
        Some((h, p)) if p.bytes().all(|b| b.is_ascii_digit()) && !h.contains(':') => (h, p),
        _ => (authority, ""),
    }
}

/// What Linux's audit writes of a value that has blanks, quotes, control characters or letters beyond ASCII (audit_log_n_hex). A value
/// without any of them would have been written as it is, so one that only looks hexadecimal stays.
fn unhex(v: Cow<'_, str>) -> Cow<'_, str> {
    let digit = |b: &u8| b.is_ascii_digit() || (b'A'..=b'F').contains(b);
    if v.is_empty() || !v.len().is_multiple_of(2) || !v.bytes().all(|b| digit(&b)) {
        return v;
    }
    let value = |d: u8| if d > b'9' { d - b'A' + 10 } else { d - b'0' };
    let bytes = v.as_bytes().chunks_exact(2);
    let mut bytes: Vec<u8> = bytes.map(|p| value(p[0]) << 4 | value(p[1])).collect();
    if !bytes
        .iter()
        .any(|b| !(0x21..0x7f).contains(b) || *b == b'"')
    {
        return v;
    }
    // Between the words of a command line.
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    for b in bytes.iter_mut().filter(|b| **b == 0) {
        *b = b' ';
    }
    match String::from_utf8(bytes) {
        Ok(text) => Cow::Owned(text),
        Err(_) => v,
    }
}

fn unurl(v: Cow<'_, str>) -> Cow<'_, str> {
    if !v.bytes().any(|b| matches!(b, b'%' | b'+')) {
        return v;
    }
    let b = v.as_bytes();
    let (mut out, mut i) = (Vec::with_capacity(b.len()), 0);
    while i < b.len() {
        let two = v
            .get(i + 1..i + 3)
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match (b[i], two) {
            (b'%', Some(c)) => {
                out.push(c);
                i += 3;
                continue;
            }
            (b'+', _) => out.push(b' '),
            (c, _) => out.push(c),
        }
        i += 1;
    }
    Cow::Owned(crate::lines::text(&out).into_owned())
}

/// A duration in words or as a clock, in milliseconds.
pub(super) fn duration_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    let (days, rest) = match text.split_once("d") {
        Some((d, r)) if d.trim().bytes().all(|b| b.is_ascii_digit()) && !d.trim().is_empty() => (
            d.trim().parse::<u64>().ok()?,
            r.trim_start_matches([' ', ':', ','])
                .trim_start_matches("ays"),
        ),
        _ => (0, text),
    };
    let rest = rest.trim_start_matches("PT").trim();
    let mut total = days.checked_mul(86_400_000)?;
    if rest.is_empty() {
        return (text.len() > rest.len()).then_some(total);
    }
    if rest
        .bytes()
        .all(|b| b.is_ascii_digit() || b == b':' || b == b'.')
        && rest.contains(':')
    {
        let mut seconds = 0f64;
        for part in rest.split(':') {
            seconds = seconds * 60.0 + part.parse::<f64>().ok()?;
        }
        return total.checked_add((seconds * 1000.0).round() as u64);
    }
    let mut number = String::new();
    let mut any = false;
    let mut chars = rest.char_indices().peekable();
    while let Some((i, c)) = chars.next() {
        if c.is_ascii_digit() || c == '.' {
            number.push(c);
            continue;
        }
        if number.is_empty() {
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            'h' => 3_600_000.0,
            'm' if rest[i..].to_ascii_lowercase().starts_with("ms") => 1.0,
            'm' => 60_000.0,
            's' => 1000.0,
            ' ' | ':' | ',' => continue,
            _ => return None,
        };
        total = total.checked_add((number.parse::<f64>().ok()? * unit).round() as u64)?;
        number.clear();
        any = true;
        while chars.peek().is_some_and(|(_, c)| c.is_ascii_alphabetic()) {
            chars.next();
        }
    }
    if !number.is_empty() {
        // A bare number is seconds.
        total = total.checked_add((number.parse::<f64>().ok()? * 1000.0).round() as u64)?;
        any = true;
    }
    any.then_some(total)
}

fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let n = text
        .bytes()
        .take_while(|b| b.is_ascii_digit() || *b == b'.')
        .count();
    let value: f64 = text[..n].parse().ok()?;
    let unit = match text[n..]
        .trim_start()
        .bytes()
        .next()
        .map(|b| b.to_ascii_lowercase())
    {
        None | Some(b'b' | b'o') => 1.0,
        Some(b'k') => 1024.0,
        Some(b'm') => 1024.0 * 1024.0,
        Some(b'g') => 1024.0 * 1024.0 * 1024.0,
        Some(b't') => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some((value * unit).round() as u64)
}

/// A whole number as logs write it: plain, with a fraction that is dropped, or in `0x` hexadecimal.
pub(super) fn number(text: &str) -> Option<u64> {
    let text = crate::lines::trim(text);
    if let Ok(n) = text.parse::<u64>() {
        return (n != ampleur_event::batch::NONE).then_some(n);
    }
    if let Some(h) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(h, 16)
            .ok()
            .filter(|n| *n != ampleur_event::batch::NONE);
    }
    let (whole, part) = text.split_once('.')?;
    if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    whole.parse().ok()
}

/// Texts that say "nothing here".
#[inline]
pub(super) fn nothing(v: &str) -> bool {
    is_placeholder(v)
}

#[cfg(test)]
mod tests {
    use super::*;
    fn run(step: &str, v: &str) -> String {
        Step::of(step).unwrap().run(Cow::Borrowed(v)).into_owned()
    }
    #[test]
    fn steps_do_what_their_name_says() {
        for (s, v, want) in [
            ("lower", "ABC", "abc"),
            ("unquote", " \"x\" ", "x"),
            ("ip", "[2001:db8::1]:443", "2001:db8::1"),
            ("port", "10.0.0.1:443", "443"),
            ("port", "outside:10.0.0.1/51", "51"),
            ("url-host", "https://u@h.example:8443/p?q", "h.example"),
            ("url-port", "https://h.example/p", "443"),
            ("url-path", "https://h.example/p?q=1", "/p?q=1"),
            ("account", "CHU\\\\mdupont", "mdupont"),
            ("upn", "mdupont@chu.example", "mdupont"),
            ("domain", "CHU\\mdupont", "CHU"),
            ("number", "443/tcp", "443"),
            ("hex", "0x1f", "31"),
            ("duration", "0h:49m:49s", "2989000"),
            ("duration", "1d 02:03:04", "93784000"),
            ("duration", "01:02:03", "3723000"),
            ("duration", "2 min 5 sec", "125000"),
            ("duration", "350ms", "350"),
            ("size", "10.5 KB", "10752"),
            ("times:1000", "1.5", "1500"),
            ("before:@", "a@b", "a"),
            ("after:=", "a=b", "b"),
            ("after-last:.", "a.b.c", "c"),
            ("unurl", "a%20b+c", "a b c"),
            ("unhex", "746172202F64617461", "tar /data"),
            ("unhex", "6C73002D6C00", "ls -l"),
            ("unhex", "4142", "4142"),
            ("unhex", "DEADBEEF", "DEADBEEF"),
            ("unhex", "root", "root"),
            ("not:any", "any", ""),
        ] {
            assert_eq!(run(s, v), want, "{s} of {v}");
        }
        assert!(
            Step::of("lowr")
                .unwrap_err()
                .contains("did you mean `lower`")
        );
    }
}
