//! Addresses as logs write them. Nothing is looked up; a text that is no address stays out of address columns.
use std::net::Ipv6Addr;
use wide::u8x16;

/// The address in a text, without brackets, zone or port: `10.0.0.1`, `10.0.0.1:443`, `[2001:db8::1]:443`, `2001:db8::1`,
/// `::ffff:10.0.0.1`. Empty when there is none. The IPv4-mapped prefix is taken off; nothing else is rewritten.
#[inline]
pub fn address(text: &str) -> &str {
    endpoint(text).0
}

/// The address and the port, each empty or `None` when not there. An IPv6 address without brackets has no port.
pub fn endpoint(text: &str) -> (&str, Option<u16>) {
    let text = match text.as_bytes() {
        [b' ', ..] | [.., b' '] => text.trim_matches(' '),
        _ => text,
    };
    // Most texts are a plain IPv4 address or none at all; only a colon leads further.
    if is_v4(text) {
        return (text, None);
    }
    if memchr::memchr(b':', text.as_bytes()).is_none() {
        return ("", None);
    }
    if let Some(rest) = text.strip_prefix('[') {
        let Some((inside, after)) = rest.split_once(']') else {
            return ("", None);
        };
        let a = v6(inside);
        return (
            a,
            after
                .strip_prefix(':')
                .filter(|_| !a.is_empty())
                .and_then(|p| p.parse().ok()),
        );
    }
    if let Some((a, p)) = text.rsplit_once(':')
        && is_v4(a.trim_end())
    {
        return (a.trim_end(), p.trim().parse().ok());
    }
    (v6(text), None)
}

/// Four numbers up to 255 without leading zeros.
#[inline]
pub(crate) fn is_v4(text: &str) -> bool {
    let b = text.as_bytes();
    if b.len() < 7 || b.len() > 15 {
        return false;
    }
    let (mut dots, mut value, mut digits) = (0, 0u32, 0);
    for c in b {
        match c {
            b'0'..=b'9' => {
                if digits > 0 && value == 0 {
                    return false;
                }
                value = value * 10 + u32::from(c - b'0');
                digits += 1;
                if value > 255 {
                    return false;
                }
            }
            b'.' => {
                if digits == 0 {
                    return false;
                }
                dots += 1;
                value = 0;
                digits = 0;
            }
            _ => return false,
        }
    }
    dots == 3 && digits > 0
}

/// [`is_v4`] of the first `len` of sixteen bytes, all at once.
#[inline]
pub(crate) fn begins_v4(sixteen: &[u8; 16], len: usize) -> bool {
    if !(7..=15).contains(&len) {
        return false;
    }
    let (part, all) = (u8x16::new(*sixteen), (1u32 << len) - 1);
    let dots = part.simd_eq(u8x16::splat(b'.')).to_bitmask() & all;
    let values = part - u8x16::splat(b'0');
    let digits = values.min(u8x16::splat(9)).simd_eq(values).to_bitmask() & all;
    if dots | digits != all || dots.count_ones() != 3 {
        return false;
    }
    let (mut from, mut ends) = (0, dots | 1 << len);
    while ends != 0 {
        let end = ends.trailing_zeros() as usize;
        let fits = match &sixteen[from..end] {
            [_] => true,
            [a, _] => *a != b'0',
            [a, b, c] => *a == b'1' || *a == b'2' && (*b < b'5' || *b == b'5' && *c <= b'5'),
            _ => false,
        };
        if !fits {
            return false;
        }
        from = end + 1;
        ends &= ends - 1;
    }
    true
}

fn v6(text: &str) -> &str {
    let bare = text.split('%').next().unwrap_or(text);
    if bare.len() < 2 || bare.len() > 45 || !bare.contains(':') {
        return "";
    }
    if let Some(v4) = bare
        .strip_prefix("::ffff:")
        .or_else(|| bare.strip_prefix("::FFFF:"))
        && is_v4(v4)
    {
        return v4;
    }
    if bare.parse::<Ipv6Addr>().is_ok() {
        bare
    } else {
        ""
    }
}

/// True for an address and nothing else, as the standard library reads it.
#[inline]
pub(crate) fn is_bare(text: &str) -> bool {
    // Most texts have no sign that every address has.
    text.bytes().any(|b| matches!(b, b'.' | b':')) && text.parse::<std::net::IpAddr>().is_ok()
}

/// True for a plain address, without port.
#[inline]
pub fn is_address(text: &str) -> bool {
    !text.is_empty() && address(text).len() == text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn addresses_lose_ports_and_brackets_only() {
        assert_eq!(endpoint("10.0.0.1:443"), ("10.0.0.1", Some(443)));
        assert_eq!(endpoint("[2001:db8::1]:443"), ("2001:db8::1", Some(443)));
        assert_eq!(endpoint("2001:db8::1"), ("2001:db8::1", None));
        assert_eq!(endpoint("::ffff:10.0.0.1"), ("10.0.0.1", None));
        assert_eq!(endpoint("fe80::1%eth0"), ("fe80::1", None));
        for bad in [
            "",
            "example.com",
            "12192.0.2.116",
            "00192.0.2.100:00:00:00",
            "[",
            "[]:1",
            "::ffff:999.0.0.1x",
            "N/A",
        ] {
            assert_eq!(endpoint(bad).0, "", "{bad}");
        }
        assert!(is_address("10.0.0.1") && !is_address("10.0.0.1:1") && !is_address(""));
    }
    proptest::proptest! {
        #[test]
        fn sixteen_bytes_at_once_are_read_as_one_by_one(
            text in "([0-9]{1,3}|25[0-9]|0[0-9]|[a./]?)(\\.([0-9]{1,3}|2[0-9]{2}|[0-9]?)){2,4}[ -]?",
            len in 0usize..18,
        ) {
            let padded = format!("{text:<16}");
            let sixteen = padded.as_bytes().first_chunk().expect("sixteen bytes");
            for len in [len, text.len()] {
                let one_by_one = padded.get(..len).is_some_and(is_v4);
                proptest::prop_assert_eq!(begins_v4(sixteen, len), one_by_one, "{} {}", text, len);
            }
        }
    }
}
