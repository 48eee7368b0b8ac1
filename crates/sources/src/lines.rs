//! Line-based input: cutting into lines, skipping blanks and comments, reading bytes as text.
use crate::Decoded;
use memchr::{memchr, memchr_iter};
use std::borrow::Cow;

/// Calls `f` for every whole line of `bytes`, and for an unfinished one when `last`; returns the bytes used.
///
/// `f` gets (line without its end, its place, its length with its end, whether it was finished, out) and must account for exactly
/// one record. Blank lines and lines that start with `#` are skipped here.
pub fn each(
    bytes: &[u8],
    last: bool,
    out: &mut Decoded,
    mut f: impl FnMut(&[u8], usize, usize, bool, &mut Decoded),
) -> usize {
    let mut start = 0;
    for end in memchr_iter(b'\n', bytes) {
        one(
            &bytes[start..end],
            start,
            end + 1 - start,
            true,
            out,
            &mut f,
        );
        start = end + 1;
    }
    if last && start < bytes.len() {
        one(
            &bytes[start..],
            start,
            bytes.len() - start,
            false,
            out,
            &mut f,
        );
        start = bytes.len();
    }
    start
}

/// The end of the last whole line of `bytes` that ends at `most` or before.
pub(crate) fn cut(bytes: &[u8], most: usize) -> Option<usize> {
    memchr::memrchr(b'\n', &bytes[..most.min(bytes.len())]).map(|i| i + 1)
}

#[inline]
fn one(
    line: &[u8],
    at: usize,
    len: usize,
    finished: bool,
    out: &mut Decoded,
    f: &mut impl FnMut(&[u8], usize, usize, bool, &mut Decoded),
) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.first() == Some(&b'#') || is_blank(line) {
        out.skip();
    } else {
        f(line, at, len, finished, out);
    }
}

/// Nothing but spaces, tabs and zero bytes (left by a crash in the middle of a write).
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r' | 0))
}

/// Without blanks around it, which most values do not have.
#[inline]
pub(crate) fn trim(text: &str) -> &str {
    match text.as_bytes() {
        [a] if a.is_ascii_graphic() => text,
        [a, .., b] if a.is_ascii_graphic() && b.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

/// Bytes as text: UTF-8 where valid, else Windows-1252, which every byte has a meaning in.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    match simdutf8::basic::from_utf8(bytes) {
        Ok(s) => Cow::Borrowed(s),
        Err(_) => Cow::Owned(windows_1252(bytes)),
    }
}

/// Windows-1252 as the web reads it: the five bytes without a character are the C1 controls.
pub fn windows_1252(bytes: &[u8]) -> String {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    bytes
        .iter()
        .map(|b| match b {
            0x80..=0x9F => HIGH[usize::from(b - 0x80)],
            b => char::from(*b),
        })
        .collect()
}

/// The lines of a head for sniffing, without blanks and comments; a last line cut by the head is left out.
pub fn sample<'a>(head: &crate::Head<'a>) -> impl Iterator<Item = &'a [u8]> {
    let bytes = head.bytes;
    let end = if head.whole || memchr(b'\n', bytes).is_none() {
        bytes.len()
    } else {
        memchr::memrchr(b'\n', bytes).map_or(bytes.len(), |i| i + 1)
    };
    bytes[..end]
        .split(|b| *b == b'\n')
        .map(|l| l.strip_suffix(b"\r").unwrap_or(l))
        .filter(|l| !is_blank(l) && l.first() != Some(&b'#'))
        .take(64)
}
