//! Bytes of any encoding to folded text: lower-case ASCII, one byte a letter, accents gone, line ends kept.
//!
//! UTF-8; a byte that is not UTF-8 is Windows-1252; UTF-16 by its mark or its zero bytes. Text that was UTF-8 and was read
//! once as Windows-1252 (`Ã©`) is read back. Digits keep their place, blanks of every kind are a blank.
use crate::fold::{base, cp1252};

/// What a letter without a plain form becomes: no letter, no digit, no separator.
const OTHER: u8 = 0x1f;

/// Appends the folded form of `bytes` to `out`. `end`: nothing follows; otherwise the bytes of a cut character at the end are
/// left. Returns how many bytes were read.
pub fn fold(bytes: &[u8], end: bool, out: &mut Vec<u8>) -> usize {
    let mut i = 0;
    while i < bytes.len() {
        i += quick(&bytes[i..], out);
        if i >= bytes.len() {
            break;
        }
        let rest = &bytes[i..];
        // Three more bytes may belong to this character, two more to the second half of a doubly encoded one.
        if !end && rest.len() < 8 {
            break;
        }
        let (c, len) = character(rest);
        // UTF-8 taken for Windows-1252 and encoded again: the lead byte shows as Â or Ã, the next as a sign.
        if matches!(c, 'Ã' | 'Â') && rest.len() > len {
            let (next, more) = character(&rest[len..]);
            if let Some(b) = to_cp1252(next).filter(|b| (0x80..0xc0).contains(b)) {
                let lead: u32 = if c == 'Ã' { 0xc3 } else { 0xc2 };
                let code = (lead & 0x1f) << 6 | u32::from(b & 0x3f);
                put(char::from_u32(code).unwrap_or(' '), out);
                i += len + more;
                continue;
            }
        }
        put(c, out);
        i += len;
    }
    i
}

/// Folds a whole piece of text.
pub fn folded(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 8);
    match utf16(bytes) {
        Some(big) => fold(narrow(bytes, big).as_bytes(), true, &mut out),
        None => fold(bytes, true, &mut out),
    };
    out
}

/// Appends what needs no second look: ASCII in lower case, and the letters of French and the signs of its typography by table.
/// Returns how many bytes were read; a doubly encoded character is left, and one that fewer than eight bytes are left of.
fn quick(bytes: &[u8], out: &mut Vec<u8>) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    // Nothing here grows: a step reads as much as it writes, or more.
    let mut held = [0u8; 72];
    let mut i = 0;
    loop {
        // Long ASCII first, by the widest steps there are.
        if let Some(block) = bytes[i..].first_chunk::<64>()
            && block.is_ascii()
        {
            let at = out.len();
            out.extend_from_slice(block);
            out[at..].make_ascii_lowercase();
            i += 64;
            continue;
        }
        // A copy of one length, cut afterwards, is cheaper than one of any length.
        let at = out.len();
        let mut n = 0;
        // To the end of the text or of the next 56 bytes, whichever comes first.
        let stop = i + 56;
        while i < stop {
            let rest = &bytes[i..];
            let (v, len) = match rest.first_chunk::<8>() {
                Some(b) => (u64::from_le_bytes(*b), 8),
                None => (few(rest), rest.len()),
            };
            // Bytes from A to Z.
            let x = v & !HIGH;
            let upper = (x + ONES * 63) & !(x + ONES * 37) & HIGH & !v;
            let high = v & HIGH;
            held[n..n + 8].copy_from_slice(&(v | upper >> 2).to_le_bytes());
            let plain = len.min(high.trailing_zeros() as usize / 8);
            n += plain;
            i += plain;
            if high == 0 && len == 8 {
                continue;
            }
            let (entry, read) = match bytes[i..] {
                [a @ 0xc3..=0xc5, b @ 0x80..=0xbf, _, _, _, _, _, _, ..]
                    if (a, b) != (0xc3, 0x83) && (a, b) != (0xc3, 0x82) =>
                {
                    (usize::from(a - 0xc3) << 6 | usize::from(b & 0x3f), 2)
                }
                [0xe2, 0x80, b @ 0x80..=0xbf, _, _, _, _, _, ..] => {
                    (3 << 6 | usize::from(b & 0x3f), 3)
                }
                _ => {
                    out.extend_from_slice(&held);
                    out.truncate(at + n);
                    return i;
                }
            };
            let [a, b, written] = letters()[entry];
            (held[n], held[n + 1]) = (a, b);
            n += usize::from(written.min(2));
            i += read;
        }
        out.extend_from_slice(&held);
        out.truncate(at + n);
    }
}

/// Fewer than eight bytes as a number, the first in the lowest place.
#[inline]
pub fn few(b: &[u8]) -> u64 {
    let four = |b: &[u8; 4]| u64::from(u32::from_le_bytes(*b));
    match (b.first_chunk(), b.last_chunk()) {
        (Some(a), Some(z)) => four(a) | four(z) << (8 * (b.len() - 4)),
        _ => match *b {
            [] => 0,
            [a] => u64::from(a),
            [a, b] => u64::from(u16::from_le_bytes([a, b])),
            [a, b, c, ..] => u64::from(u32::from_le_bytes([a, b, c, 0])),
        },
    }
}

/// What [`put`] writes for U+00C0 to U+017F, then U+2000 to U+203F: up to two bytes, then how many.
type Letters = [[u8; 3]; 256];

fn letters() -> &'static Letters {
    static TABLE: std::sync::OnceLock<Letters> = std::sync::OnceLock::new();
    TABLE.get_or_init(|| {
        std::array::from_fn(|k| {
            let k = k as u32;
            let c = if k < 192 { 0xc0 + k } else { 0x2000 + k - 192 };
            let mut one = vec![];
            put(char::from_u32(c).unwrap_or(' '), &mut one);
            let at = |i: usize| one.get(i).copied().unwrap_or(0);
            [at(0), at(1), one.len() as u8]
        })
    })
}

/// The first character, and its length in bytes: UTF-8, else Windows-1252.
fn character(bytes: &[u8]) -> (char, usize) {
    let head = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(head) {
        Ok(s) => s,
        Err(e) => std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or(""),
    };
    match valid.chars().next() {
        Some(c) => (c, c.len_utf8()),
        None => (bytes.first().map_or(' ', |b| cp1252(*b)), 1),
    }
}

/// Text whose UTF-8 was read once as Windows-1252 (`Ã©`), read back; anything else as it is. Letter case must still be as written.
pub fn read_back(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains(['Ã', 'Â', 'Ì', 'Í', 'â', 'Å']) {
        return text.into();
    }
    let bytes: Option<Vec<u8>> = text.chars().map(to_cp1252).collect();
    match bytes.map(String::from_utf8) {
        Some(Ok(back)) => back.into(),
        _ => text.into(),
    }
}

fn to_cp1252(c: char) -> Option<u8> {
    match u32::from(c) {
        n @ 0..=0xff => Some(n as u8),
        _ => (0x80..=0x9fu8).find(|b| cp1252(*b) == c),
    }
}

fn put(c: char, out: &mut Vec<u8>) {
    if c.is_ascii() {
        out.push(c.to_ascii_lowercase() as u8);
        return;
    }
    match c {
        '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{feff}' => {}
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => out.push(b' '),
        '\u{85}' | '\u{2028}' | '\u{2029}' => out.push(b'\n'),
        '°' | 'º' => out.push(b'o'),
        '\u{ff10}'..='\u{ff19}' => out.push(b'0' + (c as u32 - 0xff10) as u8),
        '\u{fb01}' => out.extend_from_slice(b"fi"),
        '\u{fb02}' => out.extend_from_slice(b"fl"),
        _ => {
            for l in c.to_lowercase() {
                match base(l) {
                    Some(b) => out.extend_from_slice(b.as_bytes()),
                    None if l.is_ascii() => out.push(l as u8),
                    None if ('\u{300}'..='\u{36f}').contains(&l) => {}
                    None => out.push(OTHER),
                }
            }
        }
    }
}

/// `Some(big-endian)` when the bytes are UTF-16: by the mark, or because nearly every other byte of the start is zero.
pub fn utf16(bytes: &[u8]) -> Option<bool> {
    match bytes {
        [0xff, 0xfe, ..] => return Some(false),
        [0xfe, 0xff, ..] => return Some(true),
        _ => {}
    }
    let head = &bytes[..bytes.len().min(512) & !1];
    if head.len() < 16 {
        return None;
    }
    let zeros = |at: usize| head.iter().skip(at).step_by(2).filter(|b| **b == 0).count() * 10;
    let half = head.len() / 2;
    if zeros(1) >= half * 8 && zeros(0) == 0 {
        Some(false)
    } else if zeros(0) >= half * 8 && zeros(1) == 0 {
        Some(true)
    } else {
        None
    }
}

/// UTF-16 to a string; lone halves of a pair are replaced, a mark at the start is dropped.
pub fn narrow(bytes: &[u8], big: bool) -> String {
    let units = bytes.chunks_exact(2).map(|p| {
        if big {
            u16::from_be_bytes([p[0], p[1]])
        } else {
            u16::from_le_bytes([p[0], p[1]])
        }
    });
    let s: String = char::decode_utf16(units)
        .map(|c| c.unwrap_or('\u{fffd}'))
        .collect();
    s.strip_prefix('\u{feff}').map_or(s.clone(), str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    fn f(t: &[u8]) -> String {
        String::from_utf8(folded(t)).unwrap()
    }
    #[test]
    fn one_name_in_every_encoding_is_one_text() {
        let want = "elodie leuon, nee l'ete";
        for t in [
            "Élodie LEUÔN, née l’été".as_bytes(),
            "E\u{301}lodie LEUO\u{302}N, ne\u{301}e l'e\u{301}te\u{301}".as_bytes(),
            b"\xc9lodie LEU\xd4N, n\xe9e l\x92\xe9t\xe9",
            "Ã‰lodie LEUÃ”N, nÃ©e lâ€™Ã©tÃ©"
                .replace("â€™", "'")
                .as_bytes(),
        ] {
            assert_eq!(f(t), want);
        }
        let wide: Vec<u8> = "Élodie LEUÔN, née l'été"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(f(&wide), want);
        let mut marked = vec![0xfe, 0xff];
        marked.extend("Été".encode_utf16().flat_map(u16::to_be_bytes));
        assert_eq!(f(&marked), "ete");
    }
    #[test]
    fn blanks_and_signs_are_plain() {
        assert_eq!(
            f("06\u{a0}39\u{202f}98 — n° 5".as_bytes()),
            "06 39 98 - no 5"
        );
    }
    /// Byte by byte and character by character, without tables.
    fn slowly(bytes: &[u8]) -> Vec<u8> {
        let (mut out, mut i) = (vec![], 0);
        while i < bytes.len() {
            let (c, len) = character(&bytes[i..]);
            i += len;
            if matches!(c, 'Ã' | 'Â') && i < bytes.len() {
                let (next, more) = character(&bytes[i..]);
                if let Some(b) = to_cp1252(next).filter(|b| (0x80..0xc0).contains(b)) {
                    let lead: u32 = if c == 'Ã' { 0xc3 } else { 0xc2 };
                    let code = (lead & 0x1f) << 6 | u32::from(b & 0x3f);
                    put(char::from_u32(code).unwrap(), &mut out);
                    i += more;
                    continue;
                }
            }
            put(c, &mut out);
        }
        out
    }
    #[test]
    fn entries_of_the_table_are_whole() {
        for (k, e) in letters().iter().enumerate() {
            assert!(e[2] <= 2, "{k}");
        }
    }
    proptest! {
        #[test]
        fn tables_say_what_the_characters_say(parts in proptest::collection::vec(prop_oneof![
            any::<char>().prop_map(|c| c.to_string().into_bytes()),
            (0xc0u32..0x180).prop_map(|c| char::from_u32(c).unwrap().to_string().into_bytes()),
            (0x2000u32..0x2040).prop_map(|c| char::from_u32(c).unwrap().to_string().into_bytes()),
            "[A-Za-z0-9 ]{0,90}".prop_map(String::into_bytes),
            proptest::collection::vec(any::<u8>(), 0..9),
        ], 0..20)) {
            let bytes = parts.concat();
            let mut fast = vec![];
            prop_assert_eq!(fold(&bytes, true, &mut fast), bytes.len());
            prop_assert_eq!(fast, slowly(&bytes));
        }
        #[test]
        fn pieces_make_no_difference(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..200) {
            let mut whole = vec![];
            prop_assert_eq!(fold(&bytes, true, &mut whole), bytes.len());
            prop_assert!(whole.is_ascii());
            let cut = cut.min(bytes.len());
            let mut parts = vec![];
            let n = fold(&bytes[..cut], false, &mut parts);
            prop_assert!(cut - n < 8);
            fold(&bytes[n..], true, &mut parts);
            prop_assert_eq!(whole, parts);
        }
        #[test]
        fn text_of_french_letters_is_never_lost(s in "[a-zéèêëàâîïôûùüçœA-ZÉÈÀ 0-9]{0,60}") {
            let a = folded(s.as_bytes());
            prop_assert!(!a.contains(&OTHER));
        }
    }
}
