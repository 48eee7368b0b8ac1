//! SHA-256 of many short messages at once, for the leaves and nodes of a segment's tree.
//!
//! One message is a chain: each step waits for the one before. Messages side by side do not wait for each other. One goes in each
//! lane of wide registers where they fill them ([`abreast`]); otherwise two at a time keep the processor's instructions
//! for SHA-256 busy, where it has any ([`pairs`]). A line, or the two halves of a node, need no buffer in between. The hashes are
//! those of [`crate::merkle`], which the tests hold every way to; a processor without any takes them one by one.
use crate::merkle::{Hash, leaf_hash, node_hash};

#[cfg(target_arch = "x86_64")]
mod abreast;
#[cfg(target_arch = "x86_64")]
mod pairs;

/// [`leaf_hash`] of each line, in order, behind what is in `out`.
pub(crate) fn leaf_hashes(lines: &[&[u8]], out: &mut Vec<Hash>) {
    let (longest, all) = lines.iter().fold((0, 0), |(longest, all), l| {
        (l.len().max(longest), all + l.len())
    });
    match way(longest, all) {
        Some(way) => way(0, lines, out),
        None => out.extend(lines.iter().map(|l| leaf_hash(l))),
    }
}

/// The root over a power of two of hashes; what is in `nodes` afterwards is of no use.
pub(crate) fn root_of_complete(nodes: &mut Vec<Hash>) -> Hash {
    debug_assert!(nodes.len().is_power_of_two());
    let mut above = Vec::with_capacity(nodes.len() / 2);
    while nodes.len() > 1 {
        above.clear();
        node_hashes(nodes, &mut above);
        std::mem::swap(nodes, &mut above);
    }
    nodes[0]
}

/// [`node_hash`] of each two neighbours.
fn node_hashes(children: &[Hash], out: &mut Vec<Hash>) {
    let pairs = children.as_flattened().as_chunks::<64>().0;
    if let Some(way) = way(64, pairs.len() * 64) {
        let mut group: [&[u8]; 128] = [&[]; 128];
        for some in pairs.chunks(group.len()) {
            for (to, pair) in group.iter_mut().zip(some) {
                *to = pair;
            }
            way(1, &group[..some.len()], out);
        }
        return;
    }
    for pair in pairs {
        let (mut left, mut right) = ([0; 32], [0; 32]);
        left.copy_from_slice(&pair[..32]);
        right.copy_from_slice(&pair[32..]);
        out.push(node_hash(&left, &right));
    }
}

/// `SHA-256(prefix || message)` of each message, in order, behind what is in the list.
type Way = fn(u8, &[&[u8]], &mut Vec<Hash>);

/// The quickest this processor has for messages of so many bytes, the longest and all: sixteen abreast where the longest does not
/// keep the others' lanes waiting.
fn way(longest: usize, all: usize) -> Option<Way> {
    #[cfg(target_arch = "x86_64")]
    return if all / abreast::SIXTEEN < longest {
        pairs::way().or_else(abreast::of_sixteen)
    } else {
        abreast::of_sixteen().or_else(pairs::way)
    }
    .or_else(abreast::of_eight);
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (longest, all);
        None
    }
}

/// First words of the fractions of the square roots of the first eight primes: FIPS 180-4, 5.3.3.
#[rustfmt::skip]
#[cfg(target_arch = "x86_64")]
const INITIAL: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// Those of the cube roots of the first 64: FIPS 180-4, 4.2.2.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const ROUNDS: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// One message on its way. What stands in no block of its text as it is (the prefix before the first bytes, the padding behind
/// the last) is in `front` and `back`.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Message<'a> {
    text: &'a [u8],
    front: [u8; 64],
    back: [u8; 128],
    /// Next block, blocks that stand in front of `back`, and all.
    at: usize,
    whole: usize,
    all: usize,
    /// Which message it is; none when it only keeps the others company.
    number: Option<usize>,
}

#[cfg(target_arch = "x86_64")]
impl<'a> Message<'a> {
    /// Nobody's, and at its end.
    const NONE: Message<'static> = Message {
        text: &[],
        front: [0; 64],
        back: [0; 128],
        at: 0,
        whole: 0,
        all: 0,
        number: None,
    };

    fn begin(&mut self, prefix: u8, text: &'a [u8], number: Option<usize>) {
        let len = text.len() + 1;
        let (whole, rest) = (len / 64, len % 64);
        (self.text, self.number) = (text, number);
        (self.at, self.whole) = (0, whole);
        let back = if rest < 56 { 64 } else { 128 };
        self.all = whole + back / 64;
        self.back = [0; 128];
        if whole > 0 {
            self.front[0] = prefix;
            self.front[1..].copy_from_slice(&text[..63]);
            self.back[..rest].copy_from_slice(&text[text.len() - rest..]);
        } else {
            self.back[0] = prefix;
            self.back[1..rest].copy_from_slice(text);
        }
        self.back[rest] = 0x80;
        self.back[back - 8..back].copy_from_slice(&(len as u64 * 8).to_be_bytes());
    }
    /// Blocks still to come.
    fn left(&self) -> usize {
        self.all - self.at
    }
    /// The next block. Behind the last, any.
    #[inline(always)]
    fn block(&mut self) -> &[u8; 64] {
        let at = self.at;
        self.at += 1;
        let bytes = if at >= self.whole {
            &self.back[((at - self.whole) * 64).min(64)..]
        } else if at == 0 {
            &self.front[..]
        } else {
            // The prefix moves every block of the text by one.
            &self.text[at * 64 - 1..]
        };
        bytes.first_chunk().expect("a block has 64 bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::root_of;
    use sha2::{Digest, Sha256};

    #[cfg(target_arch = "x86_64")]
    fn ways() -> Vec<Way> {
        [pairs::way, abreast::of_sixteen, abreast::of_eight]
            .into_iter()
            .filter_map(|w| w())
            .collect()
    }
    #[cfg(not(target_arch = "x86_64"))]
    fn ways() -> Vec<Way> {
        vec![]
    }

    /// Every length around the ends of blocks, and short beside long ones.
    fn lines(text: &[u8]) -> Vec<&[u8]> {
        let mut lines: Vec<&[u8]> = (0..300).map(|n| &text[n..n * 2]).collect();
        lines.extend((0..40).map(|i| &text[..(i * 617) % 1900]));
        lines
    }
    fn text() -> Vec<u8> {
        (0..2000u32).map(|i| (i * i % 251) as u8).collect()
    }

    #[test]
    fn every_way_of_this_processor_gives_the_hashes_of_the_library() {
        let text = text();
        let lines = lines(&text);
        for (i, way) in ways().into_iter().enumerate() {
            for prefix in [0, 1, 0xff] {
                for n in [0, 1, 2, 3, 7, 8, 9, 16, 17, 33, lines.len()] {
                    let mut hashes = vec![[7; 32]];
                    way(prefix, &lines[..n], &mut hashes);
                    let expected: Vec<Hash> = (lines[..n].iter())
                        .map(|l| {
                            Sha256::new_with_prefix([prefix])
                                .chain_update(l)
                                .finalize()
                                .into()
                        })
                        .collect();
                    assert_eq!(hashes[1..], expected, "way {i}, prefix {prefix}, {n} lines");
                }
            }
        }
    }
    #[test]
    fn leaves_and_nodes_are_those_of_the_tree() {
        let text = text();
        let lines = lines(&text);
        let mut leaves = vec![];
        leaf_hashes(&lines, &mut leaves);
        let expected: Vec<Hash> = lines.iter().map(|l| leaf_hash(l)).collect();
        assert_eq!(leaves, expected);
        for n in [1, 2, 4, 64, 256] {
            let leaves = &leaves[..n];
            assert_eq!(root_of_complete(&mut leaves.to_vec()), root_of(leaves));
        }
    }
}
