//! SHA-256 of many short messages at once, for the leaves and nodes of a segment's tree.
//!
//! The processor's SHA instructions wait for each other within one message; two messages side by side take little longer than one.
//! And a line, or the two halves of a node, need no buffer in between. The hashes are those of [`crate::merkle`], which the tests
//! hold them to; a processor without these instructions takes that way.
use crate::merkle::{Hash, leaf_hash, node_hash};

/// [`leaf_hash`] of each line, in order, behind what is in `out`.
pub(crate) fn leaf_hashes(lines: &[&[u8]], out: &mut Vec<Hash>) {
    #[cfg(target_arch = "x86_64")]
    if x86::here() {
        // SAFETY: the processor has the instructions the function is compiled for.
        return unsafe { x86::hashes(0, lines, out) };
    }
    out.extend(lines.iter().map(|l| leaf_hash(l)));
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
    #[cfg(target_arch = "x86_64")]
    if x86::here() {
        let mut group: [&[u8]; 128] = [&[]; 128];
        for some in pairs.chunks(group.len()) {
            for (to, pair) in group.iter_mut().zip(some) {
                *to = pair;
            }
            // SAFETY: the processor has the instructions the function is compiled for.
            unsafe { x86::hashes(1, &group[..some.len()], out) };
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use crate::merkle::Hash;
    use std::arch::x86_64::*;

    pub fn here() -> bool {
        std::is_x86_feature_detected!("sha")
            && std::is_x86_feature_detected!("ssse3")
            && std::is_x86_feature_detected!("sse4.1")
    }

    #[rustfmt::skip]
    const K: [u32; 64] = [
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
    #[derive(Clone, Copy)]
    struct Lane<'a> {
        /// As the instructions want it: A B E F and C D G H.
        state: [__m128i; 2],
        text: &'a [u8],
        front: [u8; 64],
        back: [u8; 128],
        /// Next block, blocks that stand in front of `back`, and all.
        at: usize,
        whole: usize,
        all: usize,
        /// Which message it is; none when it only keeps the other company.
        number: usize,
    }

    const NOBODY: usize = usize::MAX;

    impl<'a> Lane<'a> {
        #[target_feature(enable = "sha,ssse3,sse4.1")]
        fn begin(&mut self, prefix: u8, text: &'a [u8], number: usize) {
            let len = text.len() + 1;
            let (whole, rest) = (len / 64, len % 64);
            self.state = [
                _mm_set_epi32(
                    0x6a09e667u32 as i32,
                    0xbb67ae85u32 as i32,
                    0x510e527fu32 as i32,
                    0x9b05688cu32 as i32,
                ),
                _mm_set_epi32(
                    0x3c6ef372u32 as i32,
                    0xa54ff53au32 as i32,
                    0x1f83d9abu32 as i32,
                    0x5be0cd19u32 as i32,
                ),
            ];
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
        #[inline(always)]
        fn block(&mut self) -> &[u8; 64] {
            let at = self.at;
            self.at += 1;
            let bytes = if at >= self.whole {
                &self.back[(at - self.whole) * 64..]
            } else if at == 0 {
                &self.front[..]
            } else {
                // The prefix moves every block of the text by one.
                &self.text[at * 64 - 1..]
            };
            bytes.first_chunk().expect("a block has 64 bytes")
        }
        #[target_feature(enable = "sha,ssse3,sse4.1")]
        fn hash(&self) -> Hash {
            let [abef, cdgh] = self.state;
            let words = [
                _mm_extract_epi32::<3>(abef),
                _mm_extract_epi32::<2>(abef),
                _mm_extract_epi32::<3>(cdgh),
                _mm_extract_epi32::<2>(cdgh),
                _mm_extract_epi32::<1>(abef),
                _mm_extract_epi32::<0>(abef),
                _mm_extract_epi32::<1>(cdgh),
                _mm_extract_epi32::<0>(cdgh),
            ];
            let mut out = [0; 32];
            for (to, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(words) {
                *to = word.to_be_bytes();
            }
            out
        }
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    #[inline]
    fn words(block: &[u8; 64], part: usize) -> __m128i {
        let (eights, _) = block.as_chunks::<8>();
        let swap = _mm_set_epi64x(0x0C0D_0E0F_0809_0A0B, 0x0405_0607_0001_0203);
        let loaded = _mm_set_epi64x(
            i64::from_le_bytes(eights[part * 2 + 1]),
            i64::from_le_bytes(eights[part * 2]),
        );
        _mm_shuffle_epi8(loaded, swap)
    }

    /// Four rounds of both messages, and the words of the message for four later ones.
    macro_rules! rounds {
        ($i:literal, $a:ident, $b:ident, $m:ident, $n:ident) => {{
            let k = _mm_set_epi32(
                K[$i * 4 + 3] as i32,
                K[$i * 4 + 2] as i32,
                K[$i * 4 + 1] as i32,
                K[$i * 4] as i32,
            );
            if $i >= 4 {
                $m[$i % 4] = later(
                    $m[$i % 4],
                    $m[($i + 1) % 4],
                    $m[($i + 2) % 4],
                    $m[($i + 3) % 4],
                );
                $n[$i % 4] = later(
                    $n[$i % 4],
                    $n[($i + 1) % 4],
                    $n[($i + 2) % 4],
                    $n[($i + 3) % 4],
                );
            }
            let (x, y) = (_mm_add_epi32($m[$i % 4], k), _mm_add_epi32($n[$i % 4], k));
            $a[1] = _mm_sha256rnds2_epu32($a[1], $a[0], x);
            $b[1] = _mm_sha256rnds2_epu32($b[1], $b[0], y);
            let (x, y) = (_mm_shuffle_epi32::<0x0E>(x), _mm_shuffle_epi32::<0x0E>(y));
            $a[0] = _mm_sha256rnds2_epu32($a[0], $a[1], x);
            $b[0] = _mm_sha256rnds2_epu32($b[0], $b[1], y);
        }};
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    #[inline]
    fn later(a: __m128i, b: __m128i, c: __m128i, d: __m128i) -> __m128i {
        let sum = _mm_add_epi32(_mm_sha256msg1_epu32(a, b), _mm_alignr_epi8::<4>(d, c));
        _mm_sha256msg2_epu32(sum, d)
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    #[inline]
    fn both(one: &mut Lane<'_>, two: &mut Lane<'_>) {
        let (mut a, mut b) = (one.state, two.state);
        let (p, q) = (one.block(), two.block());
        let mut m = [words(p, 0), words(p, 1), words(p, 2), words(p, 3)];
        let mut n = [words(q, 0), words(q, 1), words(q, 2), words(q, 3)];
        rounds!(0, a, b, m, n);
        rounds!(1, a, b, m, n);
        rounds!(2, a, b, m, n);
        rounds!(3, a, b, m, n);
        rounds!(4, a, b, m, n);
        rounds!(5, a, b, m, n);
        rounds!(6, a, b, m, n);
        rounds!(7, a, b, m, n);
        rounds!(8, a, b, m, n);
        rounds!(9, a, b, m, n);
        rounds!(10, a, b, m, n);
        rounds!(11, a, b, m, n);
        rounds!(12, a, b, m, n);
        rounds!(13, a, b, m, n);
        rounds!(14, a, b, m, n);
        rounds!(15, a, b, m, n);
        for i in 0..2 {
            one.state[i] = _mm_add_epi32(one.state[i], a[i]);
            two.state[i] = _mm_add_epi32(two.state[i], b[i]);
        }
    }

    /// SHA-256 of the prefix and each message.
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    pub fn hashes(prefix: u8, messages: &[&[u8]], out: &mut Vec<Hash>) {
        let first = out.len();
        out.resize(first + messages.len(), [0; 32]);
        let idle = Lane {
            state: [_mm_setzero_si128(); 2],
            text: &[],
            front: [0; 64],
            back: [0; 128],
            at: 0,
            whole: 0,
            all: 0,
            number: NOBODY,
        };
        let (mut one, mut two) = (idle, idle);
        let mut next = 0;
        loop {
            for lane in [&mut one, &mut two] {
                if lane.at < lane.all {
                    continue;
                }
                if lane.number != NOBODY {
                    out[first + lane.number] = lane.hash();
                    lane.number = NOBODY;
                }
                if let Some(text) = messages.get(next) {
                    lane.begin(prefix, text, next);
                    next += 1;
                }
            }
            match (one.number, two.number) {
                (NOBODY, NOBODY) => return,
                // The last one has nobody beside it: an empty message keeps it company.
                (NOBODY, _) => one.begin(prefix, &[], NOBODY),
                (_, NOBODY) => two.begin(prefix, &[], NOBODY),
                _ => {}
            }
            for _ in 0..(one.all - one.at).min(two.all - two.at) {
                both(&mut one, &mut two);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::root_of;

    #[test]
    fn the_hashes_are_those_of_the_library() {
        let text: Vec<u8> = (0..2000u32).map(|i| (i * i % 251) as u8).collect();
        // Every length around the ends of blocks, and short beside long ones.
        let mut lines: Vec<&[u8]> = (0..300).map(|n| &text[n..n * 2]).collect();
        lines.extend((0..40).map(|i| &text[..(i * 617) % 1900]));
        for n in [0, 1, 2, 3, 7, lines.len()] {
            let mut hashes = vec![[7; 32]];
            leaf_hashes(&lines[..n], &mut hashes);
            let expected: Vec<Hash> = lines[..n].iter().map(|l| leaf_hash(l)).collect();
            assert_eq!(hashes[1..], expected, "{n} lines");
        }
        for n in [1, 2, 4, 64, 256] {
            let leaves: Vec<Hash> = lines.iter().map(|l| leaf_hash(l)).take(n).collect();
            assert_eq!(root_of_complete(&mut leaves.clone()), root_of(&leaves));
        }
    }
}
