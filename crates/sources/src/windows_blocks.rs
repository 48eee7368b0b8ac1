//! Windows events as blocks of text: `wevtutil qe … /f:text` (English and French), and what Splunk's inputs keep of one (`LogName=` …
//! `Message=`). A few lines of headings, then the text of the event (`windows_text.rs`).
use crate::{
    Decode, Decoded, Reason, Setting, lines, scan, tables,
    windows_security::{self, Fields},
    windows_text,
};
use std::borrow::Cow;

/// Longest block; past it the next line end ends it.
const BLOCK: usize = 1 << 20;

type Put = fn(&mut Fields<'static>, String);

/// Headings without accents, in lower case, and the field each fills.
const HEADINGS: &[(&str, Put)] = &[
    ("log name", |f, v| f.channel = v.into()),
    ("logname", |f, v| f.channel = v.into()),
    ("nom du journal", |f, v| f.channel = v.into()),
    ("source", |f, v| f.provider = v.into()),
    ("sourcename", |f, v| f.provider = v.into()),
    ("date", |f, v| f.time = v.into()),
    ("event id", |f, v| f.id = v.into()),
    ("eventcode", |f, v| f.id = v.into()),
    ("id de levenement", |f, v| f.id = v.into()),
    ("id devenement", |f, v| f.id = v.into()),
    ("id evenement", |f, v| f.id = v.into()),
    ("recordnumber", |f, v| f.record = v.into()),
    ("keyword", |f, v| f.keywords = v.into()),
    ("keywords", |f, v| f.keywords = v.into()),
    ("mot cle", |f, v| f.keywords = v.into()),
    ("mots cles", |f, v| f.keywords = v.into()),
    ("computer", |f, v| f.computer = v.into()),
    ("computername", |f, v| f.computer = v.into()),
    ("ordinateur", |f, v| f.computer = v.into()),
    ("user", |f, v| f.user_id = v.into()),
    ("utilisateur", |f, v| f.user_id = v.into()),
    ("sid", |f, v| f.user_id = v.into()),
];

/// True when an event begins here: `Event[0]:`, or the line before `LogName=`.
fn begins(rest: &[u8]) -> bool {
    if let Some(n) = rest.strip_prefix(b"Event[") {
        return n.first().is_some_and(u8::is_ascii_digit);
    }
    // A stamp is a short line.
    let line = memchr::memchr(b'\n', &rest[..rest.len().min(64)]);
    line.is_some_and(|n| n > 8 && rest[n + 1..].starts_with(b"LogName="))
}

pub(crate) fn claims(head: &[u8]) -> bool {
    let at = scan::past_space(head, scan::mark(head, 0));
    let rest = &head[at..];
    let has = |w: &[u8]| memchr::memmem::find(rest, w).is_some();
    begins(rest) && (has(b"\n  Event ID: ") || has(b"\nEventCode=") || has(b"\n  ID "))
}

pub(crate) struct Blocks {
    pub setting: Setting,
}

impl Blocks {
    fn one(&self, block: &[u8], at: usize, out: &mut Decoded, all: &[u8]) {
        if lines::is_blank(block.trim_ascii()) {
            return out.skip();
        }
        if !begins(block) {
            return out.reject(all, at, block.len(), Reason::Shape);
        }
        let Some(f) = fields(&lines::text(block)) else {
            return out.reject(all, at, block.len(), Reason::Truncated);
        };
        match windows_security::event(&f, &self.setting) {
            Ok(e) => out.event(e, at, block.len()),
            Err(reason) => out.reject(all, at, block.len(), reason),
        }
    }
}

/// `None` when the text of the event is not there any more.
fn fields(block: &str) -> Option<Fields<'static>> {
    let mut f = Fields::default();
    let mut rest = block;
    let splunk = !rest.starts_with("Event[");
    let sign = if splunk { '=' } else { ':' };
    loop {
        let (line, after) = rest.split_once('\n')?;
        let line = line.trim();
        match line
            .split_once(sign)
            .map(|(k, v)| (tables::plain(k), v.trim()))
        {
            Some((key, v)) if key == "description" || key == "message" => {
                let id = windows_security::number(&f.id);
                if windows_security::is_security(&f) {
                    f.data = windows_text::fields(id, &format!("{v}\n{after}"));
                } else if after.contains(windows_security::SQL_AUDIT) {
                    let key = Cow::Borrowed(windows_security::SQL_AUDIT);
                    f.data.push((key, Cow::Owned(after.to_string())));
                }
                return Some(f);
            }
            Some((key, v)) if !v.is_empty() && v != "N/A" => {
                if let Some((_, put)) = HEADINGS.iter().find(|(k, _)| *k == key) {
                    put(&mut f, v.to_string());
                }
            }
            None if splunk && f.time.is_empty() => f.time = line.to_string().into(),
            _ => {}
        }
        rest = after;
    }
}

impl Decode for Blocks {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            // The next line that begins an event; where input goes on, one that is there whole with what tells it.
            let next = memchr::memchr_iter(b'\n', &bytes[at..])
                .map(|n| at + n + 1)
                .find(|n| *n - at > BLOCK || begins(&bytes[*n..]));
            let end = match next {
                Some(n) => n,
                None if last => bytes.len(),
                None => return at,
            };
            self.one(&bytes[at..end], at, out, bytes);
            at = end;
        }
        at
    }
}
