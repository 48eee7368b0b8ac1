//! Addresses as logs write them. Nothing is looked up; a text that is no address stays out of address columns.
use std::net::{Ipv4Addr, Ipv6Addr};

/// The address in a text, without brackets, zone or port: `10.0.0.1`, `10.0.0.1:443`, `[2001:db8::1]:443`, `2001:db8::1`,
/// `::ffff:10.0.0.1`. Empty when there is none. The IPv4-mapped prefix is taken off; nothing else is rewritten.
#[inline]
pub fn address(text: &str) -> &str {
    endpoint(text).0
}

/// The address and the port, each empty or `None` when not there. An IPv6 address without brackets has no port.
pub fn endpoint(text: &str) -> (&str, Option<u16>) {
    let text = text.trim();
    if is_v4(text) {
        return (text, None);
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

#[inline]
fn is_v4(text: &str) -> bool {
    text.len() <= 15
        && text.as_bytes().first().is_some_and(u8::is_ascii_digit)
        && text.parse::<Ipv4Addr>().is_ok()
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
}
