//! A tiny writer of MaxMind-DB files, IPv4 (MaxMind DB File Format Specification 2.0): search tree of 24-bit records, data section,
//! metadata. Enough for the address plan of a simulated case.

/// A value of the data section.
#[derive(Debug, Clone)]
pub enum Value {
    Text(String),
    U16(u16),
    U32(u32),
    U64(u64),
    Map(Vec<(&'static str, Value)>),
    List(Vec<Value>),
}

impl Value {
    pub fn text(s: &str) -> Value {
        Value::Text(s.to_string())
    }
    fn encode(&self, b: &mut Vec<u8>) {
        let control = |b: &mut Vec<u8>, kind: u8, size: usize| {
            let (low, extra): (u8, Vec<u8>) = match size {
                0..29 => (size as u8, vec![]),
                29..285 => (29, vec![(size - 29) as u8]),
                _ => {
                    let n = size - 285;
                    (30, vec![(n >> 8) as u8, n as u8])
                }
            };
            if kind < 8 {
                b.push((kind << 5) | low);
            } else {
                b.push(low);
                b.push(kind - 7);
            }
            b.extend(extra);
        };
        let number = |b: &mut Vec<u8>, kind: u8, n: u64| {
            let bytes = n.to_be_bytes();
            let skip = bytes.iter().take_while(|x| **x == 0).count();
            control(b, kind, 8 - skip);
            b.extend_from_slice(&bytes[skip..]);
        };
        match self {
            Value::Text(s) => {
                control(b, 2, s.len());
                b.extend_from_slice(s.as_bytes());
            }
            Value::U16(n) => number(b, 5, u64::from(*n)),
            Value::U32(n) => number(b, 6, u64::from(*n)),
            Value::U64(n) => number(b, 9, *n),
            Value::Map(m) => {
                control(b, 7, m.len());
                for (k, v) in m {
                    Value::text(k).encode(b);
                    v.encode(b);
                }
            }
            Value::List(l) => {
                control(b, 11, l.len());
                l.iter().for_each(|v| v.encode(b));
            }
        }
    }
}

/// A whole file for these networks (`address`, `prefix length`, `value`). Networks must not overlap.
pub fn build(kind: &'static str, networks: &[([u8; 4], u8, Value)], epoch: u64) -> Vec<u8> {
    #[derive(Clone, Copy, PartialEq)]
    enum To {
        Nothing,
        Node(usize),
        Data(usize),
    }
    let mut nodes = vec![[To::Nothing; 2]];
    let mut data = Vec::new();
    for (address, len, value) in networks {
        let at = data.len();
        value.encode(&mut data);
        let bits = u32::from_be_bytes(*address);
        let mut node = 0;
        for i in 0..*len {
            let bit = ((bits >> (31 - i)) & 1) as usize;
            if i + 1 == *len {
                nodes[node][bit] = To::Data(at);
            } else if let To::Node(n) = nodes[node][bit] {
                node = n;
            } else {
                nodes.push([To::Nothing; 2]);
                let n = nodes.len() - 1;
                nodes[node][bit] = To::Node(n);
                node = n;
            }
        }
    }
    let count = nodes.len();
    let mut b = Vec::new();
    for node in &nodes {
        for side in node {
            let v = match side {
                To::Nothing => count,
                To::Node(n) => *n,
                To::Data(at) => count + 16 + at,
            } as u32;
            b.extend_from_slice(&v.to_be_bytes()[1..]);
        }
    }
    b.extend_from_slice(&[0; 16]);
    b.extend_from_slice(&data);
    b.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    Value::Map(vec![
        ("binary_format_major_version", Value::U16(2)),
        ("binary_format_minor_version", Value::U16(0)),
        ("build_epoch", Value::U64(epoch)),
        ("database_type", Value::text(kind)),
        (
            "description",
            Value::Map(vec![("en", Value::text("Simulated address plan"))]),
        ),
        ("ip_version", Value::U16(4)),
        ("languages", Value::List(vec![Value::text("en")])),
        ("node_count", Value::U32(count as u32)),
        ("record_size", Value::U16(24)),
    ])
    .encode(&mut b);
    b
}

#[cfg(test)]
mod tests {
    use super::*;
    /// A reader of three lines, independent of the writer's tree: walks the bits and returns the bytes at the data pointer.
    fn find(file: &[u8], nodes: usize, address: [u8; 4]) -> Option<&[u8]> {
        let bits = u32::from_be_bytes(address);
        let mut n = 0usize;
        for i in 0..32 {
            let at = n * 6 + 3 * ((bits >> (31 - i)) & 1) as usize;
            n = u32::from_be_bytes([0, file[at], file[at + 1], file[at + 2]]) as usize;
            if n == nodes {
                return None;
            }
            if n > nodes {
                return Some(&file[nodes * 6 + 16 + (n - nodes - 16)..]);
            }
        }
        None
    }
    #[test]
    fn an_address_finds_its_network() {
        let v = |s: &str| {
            Value::Map(vec![(
                "country",
                Value::Map(vec![("iso_code", Value::text(s))]),
            )])
        };
        let f = build(
            "Test",
            &[
                ([198, 18, 0, 0], 18, v("FR")),
                ([198, 19, 0, 0], 18, v("RO")),
                ([192, 0, 2, 0], 24, v("FR")),
            ],
            1,
        );
        let meta = f
            .windows(14)
            .position(|w| w == b"\xab\xcd\xefMaxMind.com")
            .unwrap();
        let text = String::from_utf8_lossy(&f[meta..]).into_owned();
        let at = text.find("node_count").unwrap();
        assert!(at > 0);
        // Counted by hand: one root and one node for each further bit not shared.
        let nodes = (1..400).find(|n| {
            f.get(n * 6..n * 6 + 16)
                .is_some_and(|z| z.iter().all(|x| *x == 0))
                && find(&f, *n, [192, 0, 2, 9]).is_some_and(|d| d.starts_with(&[0xe1]))
        });
        let nodes = nodes.unwrap();
        let iso = |a| {
            find(&f, nodes, a)
                .map(|d| d.windows(2).any(|w| w == b"RO") && d[..24].windows(2).any(|w| w == b"RO"))
        };
        assert_eq!(iso([198, 19, 3, 4]), Some(true));
        assert_eq!(iso([198, 18, 3, 4]), Some(false));
        assert_eq!(iso([10, 0, 0, 1]), None);
    }
}
