//! [`ampleur_event::plain::fold`] for long texts of mostly plain letters: the same answer, ASCII sixteen bytes at a time and the letters
//! of French and the signs of its typography by a table; all else is left to it.
use ampleur_event::plain;

const HIGH: u64 = 0x8080_8080_8080_8080;

/// What a character becomes: up to two bytes, then how many; [`OTHER`] for one that is looked at with what follows or that grows.
/// Letters of two bytes from C3 to C5, signs of three from E2 80, and bytes from 80 on by themselves.
type Letters = [[u8; 3]; 384];
const OTHER: u8 = 255;

fn letters() -> &'static Letters {
    static TABLE: std::sync::OnceLock<Letters> = std::sync::OnceLock::new();
    TABLE.get_or_init(|| {
        std::array::from_fn(|k| {
            let b = 0x80 | (k as u8 & 0x3f);
            let bytes = match k >> 6 {
                3 => vec![0xe2, 0x80, b],
                lead @ 0..3 => vec![0xc3 + lead as u8, b],
                _ => vec![(k - 256) as u8 + 0x80],
            };
            let mut one = vec![];
            plain::fold(&bytes, true, &mut one);
            let at = |i: usize| one.get(i).copied().unwrap_or(0);
            // Ã and Â of two bytes may begin a character encoded twice.
            let alone = one.len() <= bytes.len().min(2) && !matches!(k, 2 | 3);
            [at(0), at(1), if alone { one.len() as u8 } else { OTHER }]
        })
    })
}

/// As [`plain::fold`].
pub fn fold(bytes: &[u8], end: bool, out: &mut Vec<u8>) -> usize {
    let table = letters();
    // A step here reads as much as it writes, or more. What is not needed is cut off at the end.
    const SPARE: usize = 16;
    let (mut i, mut n) = (0, out.len());
    out.resize(n + bytes.len() + SPARE, 0);
    let mut other: Vec<u8> = vec![];
    loop {
        let rest = &bytes[i..];
        if let (Some(block), Some(place)) = (
            rest.first_chunk::<16>(),
            out.get_mut(n..).and_then(|o| o.first_chunk_mut::<16>()),
        ) {
            let mut low = *block;
            low.make_ascii_lowercase();
            *place = low;
            let high = u128::from_le_bytes(*block) & (u128::from(HIGH) << 64 | u128::from(HIGH));
            if high == 0 {
                n += 16;
                i += 16;
                continue;
            }
            let plain = match high as u64 {
                0 => 8 + ((high >> 64) as u64).trailing_zeros() as usize / 8,
                low => low.trailing_zeros() as usize / 8,
            };
            n += plain;
            i += plain;
        } else {
            let few = rest.iter().take_while(|b| b.is_ascii()).count();
            for (to, b) in out[n..].iter_mut().zip(&rest[..few]) {
                *to = b.to_ascii_lowercase();
            }
            n += few;
            i += few;
        }
        let (entry, read) = match bytes[i..] {
            [] => break,
            [a @ 0xc3..=0xc5, b @ 0x80..=0xbf, _, _, _, _, _, _, ..] => {
                (usize::from(a - 0xc3) << 6 | usize::from(b & 0x3f), 2)
            }
            [0xe2, 0x80, b @ 0x80..=0xbf, _, _, _, _, _, ..] => (3 << 6 | usize::from(b & 0x3f), 3),
            // No character of UTF-8: what follows is none of its bytes.
            [a @ 0x80..=0xff, 0..=0x7f, _, _, _, _, _, _, ..] => (256 + usize::from(a & 0x7f), 1),
            _ => (0, 0),
        };
        let [a, b, written] = table[entry];
        if read > 0
            && written <= 2
            && let Some(place) = out[n..].first_chunk_mut::<2>()
        {
            *place = [a, b];
            n += usize::from(written);
            i += read;
            continue;
        }
        // A few characters in the other way.
        let to = (i + 32).min(bytes.len());
        other.clear();
        let read = plain::fold(&bytes[i..to], end && to == bytes.len(), &mut other);
        if read == 0 {
            break;
        }
        i += read;
        let need = n + other.len() + (bytes.len() - i) + SPARE;
        if need > out.len() {
            out.resize(need + bytes.len() / 8, 0);
        }
        out[n..n + other.len()].copy_from_slice(&other);
        n += other.len();
    }
    out.truncate(n);
    i
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    proptest! {
        #[test]
        fn it_is_the_fold_of_any_text(parts in proptest::collection::vec(prop_oneof![
            any::<char>().prop_map(|c| c.to_string().into_bytes()),
            (0xc0u32..0x180).prop_map(|c| char::from_u32(c).unwrap().to_string().into_bytes()),
            (0x2000u32..0x2040).prop_map(|c| char::from_u32(c).unwrap().to_string().into_bytes()),
            "[A-Za-z0-9 ]{0,40}".prop_map(String::into_bytes),
            "[éàÃÂ©’]{1,3}".prop_map(String::into_bytes),
            "[a-z]{0,20}".prop_flat_map(|t| (0x80u8..).prop_map(move |b| [t.as_bytes(), &[b], t.as_bytes()].concat())),
            proptest::collection::vec(any::<u8>(), 0..9),
        ], 0..20), end in any::<bool>(), kept in "[a-z]{0,3}") {
            let bytes = parts.concat();
            let (mut fast, mut slow) = (kept.clone().into_bytes(), kept.into_bytes());
            let read = (fold(&bytes, end, &mut fast), plain::fold(&bytes, end, &mut slow));
            prop_assert_eq!(read.0, read.1);
            prop_assert_eq!(fast, slow);
        }
    }
}
