//! Networks and addresses.
use std::net::IpAddr;

/// A network in CIDR notation; a bare address is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Net {
    address: u128,
    bits: u8,
    v6: bool,
}

fn widen(a: IpAddr) -> (u128, bool) {
    match a {
        IpAddr::V4(v) => (u128::from(u32::from(v)) << 96, false),
        IpAddr::V6(v) => match v.to_ipv4_mapped() {
            Some(v4) => (u128::from(u32::from(v4)) << 96, false),
            None => (u128::from(v), true),
        },
    }
}

impl Net {
    /// Reads `10.0.0.0/8` or `10.1.2.3`; `None` when it is no network.
    pub fn parse(text: &str) -> Option<Net> {
        let (a, bits) = match text.trim().split_once('/') {
            Some((a, b)) => (a, Some(b.parse::<u8>().ok()?)),
            None => (text.trim(), None),
        };
        let (address, v6) = widen(a.parse().ok()?);
        let max = if v6 { 128 } else { 32 };
        let bits = bits.unwrap_or(max);
        (bits <= max).then_some(Net { address, bits, v6 })
    }
    pub fn contains(&self, a: IpAddr) -> bool {
        let (x, v6) = widen(a);
        v6 == self.v6 && (self.bits == 0 || (x ^ self.address) >> (128 - u32::from(self.bits)) == 0)
    }
    /// True for a network of a single address.
    pub fn is_single(&self) -> bool {
        self.bits == if self.v6 { 128 } else { 32 }
    }
}

/// Reads an address as logs write it: with port, brackets or the IPv4-mapped form.
pub fn parse_address(text: &str) -> Option<IpAddr> {
    let t = text.trim().trim_matches(['[', ']']);
    let a: IpAddr = t.parse().ok().or_else(|| {
        t.rsplit_once(':').and_then(|(a, p)| {
            p.parse::<u16>()
                .ok()
                .and_then(|_| a.trim_matches(['[', ']']).parse().ok())
        })
    })?;
    Some(match a {
        IpAddr::V6(v) => v.to_ipv4_mapped().map_or(a, IpAddr::V4),
        IpAddr::V4(_) => a,
    })
}

/// True for addresses that are never on the public internet (RFC 1918, RFC 4193, loopback, link-local, RFC 6598).
/// Documentation and benchmark ranges count as public (contract §G).
pub fn is_private(a: IpAddr) -> bool {
    match a {
        IpAddr::V4(v) => {
            v.is_private()
                || v.is_loopback()
                || v.is_link_local()
                || v.is_unspecified()
                || (v.octets()[0] == 100 && v.octets()[1] & 0xc0 == 64)
        }
        IpAddr::V6(v) => {
            v.is_loopback()
                || v.is_unspecified()
                || v.segments()[0] & 0xfe00 == 0xfc00
                || v.segments()[0] & 0xffc0 == 0xfe80
        }
    }
}

/// The network an address shares with its neighbours: /24 for IPv4, /48 for IPv6.
pub fn neighbourhood(a: IpAddr) -> Net {
    let (x, v6) = widen(a);
    let bits: u8 = if v6 { 48 } else { 24 };
    let mask = u128::MAX << (128 - u32::from(bits));
    Net {
        address: x & mask,
        bits,
        v6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    fn ip(s: &str) -> IpAddr {
        parse_address(s).unwrap()
    }
    #[test]
    fn networks_hold_their_addresses() {
        let n = Net::parse("10.60.40.0/24").unwrap();
        assert!(n.contains(ip("10.60.40.11")) && !n.contains(ip("10.60.41.1")));
        assert!(Net::parse("10.60.40.11").unwrap().is_single());
        assert!(n.contains(ip("::ffff:10.60.40.11")) && n.contains(ip("10.60.40.11:53211")));
        assert!(Net::parse("0.0.0.0/0").unwrap().contains(ip("198.19.0.1")));
        assert!(Net::parse("10.0.0.0/33").is_none());
        assert!(!Net::parse("0.0.0.0/0").unwrap().contains(ip("2001:db8::1")));
    }
    #[test]
    fn documentation_ranges_are_public() {
        assert!(
            !is_private(ip("198.19.15.150"))
                && !is_private(ip("192.0.2.14"))
                && is_private(ip("10.1.1.1"))
        );
    }
}
