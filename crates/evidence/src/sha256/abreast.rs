//! A message in each lane of wide registers: sixteen with AVX-512, which is quicker than a processor's own instructions for SHA-256
//! when all lanes are busy, eight with AVX2, for those that have none.
use super::{INITIAL, Message, ROUNDS, Way};
use crate::merkle::Hash;

/// Messages that fill the lanes of AVX-512 once.
pub(super) const SIXTEEN: usize = 16;

pub(super) fn of_sixteen() -> Option<Way> {
    // SAFETY: the processor has the instructions the function is compiled for.
    let here =
        std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512bw");
    here.then_some(|prefix, messages, out| unsafe { sixteen::hashes(prefix, messages, out) })
}

pub(super) fn of_eight() -> Option<Way> {
    // SAFETY: the processor has the instructions the function is compiled for.
    std::is_x86_feature_detected!("avx2")
        .then_some(|prefix, messages, out| unsafe { eight::hashes(prefix, messages, out) })
}

/// One round, FIPS 180-4, 6.2.2: `$d` and `$h` are the words that change, and come to stand for the next ones.
macro_rules! round {
    ($w:expr, $k:expr, $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident) => {{
        let big1 = xor3(right::<6, 26>($e), right::<11, 21>($e), right::<25, 7>($e));
        let t = add(add(add($h, splat($k)), $w), add(big1, choose($e, $f, $g)));
        let big0 = xor3(right::<2, 30>($a), right::<13, 19>($a), right::<22, 10>($a));
        $d = add($d, t);
        $h = add(t, add(big0, majority($a, $b, $c)));
    }};
}

/// Eight rounds: afterwards each word stands in its own place again.
macro_rules! rounds {
    ($w:ident $at:literal $k:ident, $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident) => {
        round!($w[$at], $k[$at], $a $b $c $d $e $f $g $h);
        round!($w[$at + 1], $k[$at + 1], $h $a $b $c $d $e $f $g);
        round!($w[$at + 2], $k[$at + 2], $g $h $a $b $c $d $e $f);
        round!($w[$at + 3], $k[$at + 3], $f $g $h $a $b $c $d $e);
        round!($w[$at + 4], $k[$at + 4], $e $f $g $h $a $b $c $d);
        round!($w[$at + 5], $k[$at + 5], $d $e $f $g $h $a $b $c);
        round!($w[$at + 6], $k[$at + 6], $c $d $e $f $g $h $a $b);
        round!($w[$at + 7], $k[$at + 7], $b $c $d $e $f $g $h $a);
    };
}

/// Words of the message for sixteen later rounds, FIPS 180-4, 6.2.2, step 1.
macro_rules! later {
    ($w:ident) => {
        for i in 0..16 {
            let (x, y) = ($w[(i + 1) % 16], $w[(i + 14) % 16]);
            let small0 = xor3(right::<7, 25>(x), right::<18, 14>(x), down::<3>(x));
            let small1 = xor3(right::<17, 15>(y), right::<19, 13>(y), down::<10>(y));
            $w[i] = add(add($w[i], small0), add($w[(i + 9) % 16], small1));
        }
    };
}

/// All that does not depend on how wide the registers are.
macro_rules! of_lanes {
    ($features:literal) => {
        /// A block of every message.
        #[target_feature(enable = $features)]
        fn blocks(state: &mut [[u32; LANES]; 8], text: &[&[u8; 64]; LANES]) {
            let [a0, b0, c0, d0, e0, f0, g0, h0] = [
                load(&state[0]),
                load(&state[1]),
                load(&state[2]),
                load(&state[3]),
                load(&state[4]),
                load(&state[5]),
                load(&state[6]),
                load(&state[7]),
            ];
            let (mut a, mut b, mut c, mut d) = (a0, b0, c0, d0);
            let (mut e, mut f, mut g, mut h) = (e0, f0, g0, h0);
            let mut w = words(text);
            for (n, k) in ROUNDS.as_chunks::<16>().0.iter().enumerate() {
                if n > 0 {
                    later!(w);
                }
                rounds!(w 0 k, a b c d e f g h);
                rounds!(w 8 k, a b c d e f g h);
            }
            let sums = [(a0, a), (b0, b), (c0, c), (d0, d), (e0, e), (f0, f), (g0, g), (h0, h)];
            for (state, (x, y)) in state.iter_mut().zip(sums) {
                *state = stored(add(x, y));
            }
        }

        /// SHA-256 of the prefix and each message.
        #[target_feature(enable = $features)]
        pub fn hashes(prefix: u8, messages: &[&[u8]], out: &mut Vec<Hash>) {
            let first = out.len();
            out.resize(first + messages.len(), [0; 32]);
            let mut lanes = [Message::NONE; LANES];
            let mut state = [[0u32; LANES]; 8];
            let mut next = 0;
            loop {
                let mut steps = usize::MAX;
                for (i, lane) in lanes.iter_mut().enumerate() {
                    if lane.left() == 0 {
                        if let Some(number) = lane.number.take() {
                            let words = out[first + number].as_chunks_mut::<4>().0;
                            for (to, word) in words.iter_mut().zip(&state) {
                                *to = word[i].to_be_bytes();
                            }
                        }
                        let Some(message) = messages.get(next) else {
                            continue;
                        };
                        lane.begin(prefix, message, Some(next));
                        next += 1;
                        for (word, initial) in state.iter_mut().zip(INITIAL) {
                            word[i] = initial;
                        }
                    }
                    steps = steps.min(lane.left());
                }
                if steps == usize::MAX {
                    return;
                }
                for _ in 0..steps {
                    let text = lanes.each_mut().map(|lane| match lane.number {
                        Some(_) => lane.block(),
                        None => &[0; 64],
                    });
                    blocks(&mut state, &text);
                }
            }
        }
    };
}

mod sixteen {
    use super::*;
    use std::arch::x86_64::*;

    const LANES: usize = SIXTEEN;

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn load(words: &[u32; LANES]) -> __m512i {
        // SAFETY: both are 64 bytes of which any will do, and the load may be from anywhere.
        unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
    }
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn stored(x: __m512i) -> [u32; LANES] {
        let mut words = [0; LANES];
        // SAFETY: both are 64 bytes, and the store may be to anywhere.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), x) }
        words
    }
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn splat(word: u32) -> __m512i {
        _mm512_set1_epi32(word.cast_signed())
    }
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn add(x: __m512i, y: __m512i) -> __m512i {
        _mm512_add_epi32(x, y)
    }
    /// Rotated; the second number is 32 less the first.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn right<const BY: i32, const BACK: i32>(x: __m512i) -> __m512i {
        _mm512_ror_epi32::<BY>(x)
    }
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn down<const BY: u32>(x: __m512i) -> __m512i {
        _mm512_srli_epi32::<BY>(x)
    }
    /// The words of a block of each message, big-endian as SHA-256 reads them: the first of all, the second of all.
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn words(text: &[&[u8; 64]; LANES]) -> [__m512i; 16] {
        let swap = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
        let mut rows = [swap; 16];
        for (row, block) in rows.iter_mut().zip(text) {
            // SAFETY: a block has 64 bytes, and the load may be from anywhere.
            let loaded = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
            *row = _mm512_shuffle_epi8(loaded, swap);
        }
        // Squares of four by four within each quarter of the registers, then the quarters.
        let mut within = [swap; 16];
        for (r, w) in rows
            .as_chunks::<4>()
            .0
            .iter()
            .zip(within.as_chunks_mut::<4>().0)
        {
            let (a, b) = (
                _mm512_unpacklo_epi32(r[0], r[1]),
                _mm512_unpacklo_epi32(r[2], r[3]),
            );
            let (c, d) = (
                _mm512_unpackhi_epi32(r[0], r[1]),
                _mm512_unpackhi_epi32(r[2], r[3]),
            );
            *w = [
                _mm512_unpacklo_epi64(a, b),
                _mm512_unpackhi_epi64(a, b),
                _mm512_unpacklo_epi64(c, d),
                _mm512_unpackhi_epi64(c, d),
            ];
        }
        let mut words = [swap; 16];
        for i in 0..4 {
            let (a, b) = (within[i], within[4 + i]);
            let (c, d) = (within[8 + i], within[12 + i]);
            let (even, odd) = (
                _mm512_shuffle_i32x4::<0x88>(a, b),
                _mm512_shuffle_i32x4::<0xdd>(a, b),
            );
            let (even2, odd2) = (
                _mm512_shuffle_i32x4::<0x88>(c, d),
                _mm512_shuffle_i32x4::<0xdd>(c, d),
            );
            words[i] = _mm512_shuffle_i32x4::<0x88>(even, even2);
            words[8 + i] = _mm512_shuffle_i32x4::<0xdd>(even, even2);
            words[4 + i] = _mm512_shuffle_i32x4::<0x88>(odd, odd2);
            words[12 + i] = _mm512_shuffle_i32x4::<0xdd>(odd, odd2);
        }
        words
    }
    // Any function of three bits in one instruction: the number is its table.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn xor3(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
        _mm512_ternarylogic_epi32::<0x96>(x, y, z)
    }
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn choose(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
        _mm512_ternarylogic_epi32::<0xca>(x, y, z)
    }
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn majority(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
        _mm512_ternarylogic_epi32::<0xe8>(x, y, z)
    }

    of_lanes!("avx512f,avx512bw");
}

mod eight {
    use super::*;
    use std::arch::x86_64::*;

    const LANES: usize = 8;

    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(words: &[u32; LANES]) -> __m256i {
        // SAFETY: both are 32 bytes of which any will do, and the load may be from anywhere.
        unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
    }
    #[target_feature(enable = "avx2")]
    #[inline]
    fn stored(x: __m256i) -> [u32; LANES] {
        let mut words = [0; LANES];
        // SAFETY: both are 32 bytes, and the store may be to anywhere.
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), x) }
        words
    }
    #[target_feature(enable = "avx2")]
    #[inline]
    fn splat(word: u32) -> __m256i {
        _mm256_set1_epi32(word.cast_signed())
    }
    #[target_feature(enable = "avx2")]
    #[inline]
    fn add(x: __m256i, y: __m256i) -> __m256i {
        _mm256_add_epi32(x, y)
    }
    /// Rotated; the second number is 32 less the first.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn right<const BY: i32, const BACK: i32>(x: __m256i) -> __m256i {
        _mm256_or_si256(_mm256_srli_epi32::<BY>(x), _mm256_slli_epi32::<BACK>(x))
    }
    #[target_feature(enable = "avx2")]
    #[inline]
    fn down<const BY: i32>(x: __m256i) -> __m256i {
        _mm256_srli_epi32::<BY>(x)
    }
    /// The words of a block of each message, big-endian as SHA-256 reads them: the first of all, the second of all.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn words(text: &[&[u8; 64]; LANES]) -> [__m256i; 16] {
        let swap = _mm256_setr_epi32(
            0x0001_0203,
            0x0405_0607,
            0x0809_0a0b,
            0x0c0d_0e0f,
            0x0001_0203,
            0x0405_0607,
            0x0809_0a0b,
            0x0c0d_0e0f,
        );
        let mut words = [swap; 16];
        for (half, words) in words.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let mut rows = [swap; 8];
            for (row, block) in rows.iter_mut().zip(text) {
                let part = &block.as_chunks::<32>().0[half];
                // SAFETY: the part has 32 bytes, and the load may be from anywhere.
                let loaded = unsafe { _mm256_loadu_si256(part.as_ptr().cast()) };
                *row = _mm256_shuffle_epi8(loaded, swap);
            }
            // Squares of four by four within each half of the registers, then the halves.
            let mut within = [swap; 8];
            for (r, w) in rows
                .as_chunks::<4>()
                .0
                .iter()
                .zip(within.as_chunks_mut::<4>().0)
            {
                let (a, b) = (
                    _mm256_unpacklo_epi32(r[0], r[1]),
                    _mm256_unpacklo_epi32(r[2], r[3]),
                );
                let (c, d) = (
                    _mm256_unpackhi_epi32(r[0], r[1]),
                    _mm256_unpackhi_epi32(r[2], r[3]),
                );
                *w = [
                    _mm256_unpacklo_epi64(a, b),
                    _mm256_unpackhi_epi64(a, b),
                    _mm256_unpacklo_epi64(c, d),
                    _mm256_unpackhi_epi64(c, d),
                ];
            }
            for i in 0..4 {
                words[i] = _mm256_permute2x128_si256::<0x20>(within[i], within[4 + i]);
                words[4 + i] = _mm256_permute2x128_si256::<0x31>(within[i], within[4 + i]);
            }
        }
        words
    }
    #[target_feature(enable = "avx2")]
    #[inline]
    fn xor3(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
        _mm256_xor_si256(_mm256_xor_si256(x, y), z)
    }
    #[target_feature(enable = "avx2")]
    #[inline]
    fn choose(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
        _mm256_xor_si256(z, _mm256_and_si256(x, _mm256_xor_si256(y, z)))
    }
    #[target_feature(enable = "avx2")]
    #[inline]
    fn majority(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
        _mm256_or_si256(
            _mm256_and_si256(x, y),
            _mm256_and_si256(z, _mm256_or_si256(x, y)),
        )
    }

    of_lanes!("avx2");
}
