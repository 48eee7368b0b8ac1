//! Two messages at a time through the processor's own instructions for SHA-256: they wait for each other within one message, so
//! two side by side take little longer than one.
use super::{INITIAL, Message, ROUNDS, Way};
use crate::merkle::Hash;
use std::arch::x86_64::*;

pub(super) fn way() -> Option<Way> {
    let here = std::is_x86_feature_detected!("sha")
        && std::is_x86_feature_detected!("ssse3")
        && std::is_x86_feature_detected!("sse4.1");
    // SAFETY: the processor has the instructions the function is compiled for.
    here.then_some(|prefix, messages, out| unsafe { hashes(prefix, messages, out) })
}

/// A message and its state, as the instructions want it: A B E F and C D G H.
#[derive(Clone, Copy)]
struct Lane<'a> {
    state: [__m128i; 2],
    message: Message<'a>,
}

impl<'a> Lane<'a> {
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn begin(&mut self, prefix: u8, text: &'a [u8], number: Option<usize>) {
        self.message.begin(prefix, text, number);
        let [a, b, c, d, e, f, g, h] = INITIAL.map(u32::cast_signed);
        self.state = [_mm_set_epi32(a, b, e, f), _mm_set_epi32(c, d, g, h)];
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
            ROUNDS[$i * 4 + 3] as i32,
            ROUNDS[$i * 4 + 2] as i32,
            ROUNDS[$i * 4 + 1] as i32,
            ROUNDS[$i * 4] as i32,
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
    let (p, q) = (one.message.block(), two.message.block());
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
fn hashes(prefix: u8, messages: &[&[u8]], out: &mut Vec<Hash>) {
    let first = out.len();
    out.resize(first + messages.len(), [0; 32]);
    let idle = Lane {
        state: [_mm_setzero_si128(); 2],
        message: Message::NONE,
    };
    let (mut one, mut two) = (idle, idle);
    let mut next = 0;
    loop {
        for lane in [&mut one, &mut two] {
            if lane.message.left() > 0 {
                continue;
            }
            if let Some(number) = lane.message.number.take() {
                out[first + number] = lane.hash();
            }
            if let Some(text) = messages.get(next) {
                lane.begin(prefix, text, Some(next));
                next += 1;
            }
        }
        match (one.message.number, two.message.number) {
            (None, None) => return,
            // The last one has nobody beside it: an empty message keeps it company.
            (None, _) => one.begin(prefix, &[], None),
            (_, None) => two.begin(prefix, &[], None),
            _ => {}
        }
        for _ in 0..one.message.left().min(two.message.left()) {
            both(&mut one, &mut two);
        }
    }
}
