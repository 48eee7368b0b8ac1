//! AES-256-GCM-SIV (RFC 8452) for many short values under one nonce and one associated text.
//!
//! The library derives its two keys from the nonce for every message: six AES blocks and a key schedule, several times the
//! cost of sealing a short value. Here they are derived once, and the associated text is absorbed once. The bytes are those of
//! the library, which the tests hold it to.
use aes::{
    Aes256, Block,
    cipher::{BlockEncrypt, KeyInit},
};
use polyval::{Polyval, universal_hash::UniversalHash};
use std::ops::Range;

/// Length of the tag behind the sealed text.
pub(crate) const TAG: usize = 16;
/// Blocks of key stream made at once, as many as the processor keeps in flight.
const STRIDE: usize = 8;

pub(crate) struct FixedNonce {
    cipher: Aes256,
    /// Has absorbed the associated text.
    mac: Polyval,
    associated_bits: u64,
    nonce: [u8; 12],
}

impl FixedNonce {
    pub fn new(key: &[u8; 32], nonce: [u8; 12], associated: &[u8]) -> FixedNonce {
        let generator = Aes256::new(key.into());
        let mut derived = zeroize::Zeroizing::new([0u8; 48]);
        for (counter, half) in derived.chunks_exact_mut(8).enumerate() {
            let mut block = Block::default();
            block[..4].copy_from_slice(&(counter as u32).to_le_bytes());
            block[4..].copy_from_slice(&nonce);
            generator.encrypt_block(&mut block);
            half.copy_from_slice(&block[..8]);
        }
        let mut mac = Polyval::new(derived[..16].into());
        mac.update_padded(associated);
        FixedNonce {
            cipher: Aes256::new(derived[16..].into()),
            mac,
            associated_bits: associated.len() as u64 * 8,
            nonce,
        }
    }
    /// Appends the sealed text, then its tag.
    pub fn seal_onto(&self, clear: &[u8], out: &mut Vec<u8>) {
        let place = lay(clear, out);
        self.seal_at(out, &[place]);
    }
    /// Seals what [`lay`] laid at these places. What is done for one waits for itself step by step, so several are done at a time.
    pub fn seal_at(&self, bytes: &mut [u8], places: &[Range<usize>]) {
        for places in places.chunks(STRIDE) {
            let mut tags = [Block::default(); STRIDE];
            for (tag, place) in tags.iter_mut().zip(places) {
                *tag = self.mark(&bytes[place.clone()]);
            }
            self.cipher.encrypt_blocks(&mut tags[..places.len()]);
            let mut stream = [Block::default(); STRIDE];
            let mut parts: [Range<usize>; STRIDE] = Default::default();
            let mut n = 0;
            for (tag, place) in tags.iter().zip(places) {
                bytes[place.end..place.end + TAG].copy_from_slice(tag);
                let mut counters = Counters::after(tag.as_ref());
                for from in place.clone().step_by(16) {
                    stream[n] = counters.next();
                    parts[n] = from..place.end.min(from + 16);
                    n += 1;
                    if n == STRIDE {
                        self.hide(bytes, &mut stream, &parts);
                        n = 0;
                    }
                }
            }
            self.hide(bytes, &mut stream[..n], &parts);
        }
    }
    /// `None` when `sealed` was not made with this key, nonce and associated text.
    pub fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (text, tag) = sealed.split_last_chunk::<TAG>()?;
        let mut clear = text.to_vec();
        self.stream(tag, &mut clear);
        // Every byte is looked at, whatever the first difference.
        let difference = self
            .tag(&clear)
            .iter()
            .zip(tag)
            .fold(0u8, |d, (a, b)| d | (a ^ b));
        (difference == 0).then_some(clear)
    }
    fn tag(&self, clear: &[u8]) -> [u8; TAG] {
        let mut tag = self.mark(clear);
        self.cipher.encrypt_block(&mut tag);
        tag.into()
    }
    /// The tag before it is encrypted.
    fn mark(&self, clear: &[u8]) -> Block {
        let mut mac = self.mac.clone();
        let mut blocks = [polyval::Block::default(); STRIDE];
        let whole = clear.len() / (16 * (STRIDE - 1)) * (16 * (STRIDE - 1));
        let (long, short) = clear.split_at(whole);
        mac.update_padded(long);
        // The end and the lengths in one go.
        let n = short.len().div_ceil(16);
        for (block, part) in blocks.iter_mut().zip(short.chunks(16)) {
            block[..part.len()].copy_from_slice(part);
        }
        blocks[n][..8].copy_from_slice(&self.associated_bits.to_le_bytes());
        blocks[n][8..].copy_from_slice(&(clear.len() as u64 * 8).to_le_bytes());
        mac.update(&blocks[..=n]);
        let mut tag: Block = mac.finalize();
        for (t, n) in tag.iter_mut().zip(self.nonce) {
            *t ^= n;
        }
        tag[15] &= 0x7f;
        tag
    }
    fn stream(&self, tag: &[u8; TAG], text: &mut [u8]) {
        let mut counters = Counters::after(tag);
        let mut stream = [Block::default(); STRIDE];
        let parts: [Range<usize>; STRIDE] = std::array::from_fn(|i| i * 16..i * 16 + 16);
        for part in text.chunks_mut(STRIDE * 16) {
            let n = part.len().div_ceil(16);
            stream[..n].fill_with(|| counters.next());
            let mut parts = parts.clone();
            parts[n - 1].end = part.len();
            self.hide(part, &mut stream[..n], &parts);
        }
    }
    /// Lays the key stream of these counters over as many parts of 16 bytes at most.
    fn hide(&self, bytes: &mut [u8], counters: &mut [Block], parts: &[Range<usize>]) {
        self.cipher.encrypt_blocks(counters);
        for (part, stream) in parts.iter().zip(&*counters) {
            for (b, k) in bytes[part.clone()].iter_mut().zip(stream) {
                *b ^= k;
            }
        }
    }
}

/// Appends a text and room for its tag, for [`FixedNonce::seal_at`]; gives the place of the text.
pub(crate) fn lay(clear: &[u8], out: &mut Vec<u8>) -> Range<usize> {
    let from = out.len();
    out.extend_from_slice(clear);
    out.extend_from_slice(&[0; TAG]);
    from..from + clear.len()
}

/// Blocks that make the key stream of a message (RFC 8452, section 4).
struct Counters {
    first: Block,
    count: u32,
}

impl Counters {
    fn after(tag: &[u8; TAG]) -> Counters {
        let mut first = *tag;
        first[15] |= 0x80;
        Counters {
            first: first.into(),
            count: u32::from_le_bytes([first[0], first[1], first[2], first[3]]),
        }
    }
    fn next(&mut self) -> Block {
        let mut block = self.first;
        block[..4].copy_from_slice(&self.count.to_le_bytes());
        self.count = self.count.wrapping_add(1);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes_gcm_siv::{
        Aes256GcmSiv, Nonce,
        aead::{Aead, Payload},
    };

    #[test]
    fn the_bytes_are_those_of_the_library() {
        let key: [u8; 32] = std::array::from_fn(|i| (i * 37 + 5) as u8);
        let nonce: [u8; 12] = std::array::from_fn(|i| (i * 11 + 3) as u8);
        let library = Aes256GcmSiv::new(&key.into());
        let text: Vec<u8> = (0..700u32).map(|i| (i * i % 251) as u8).collect();
        for aad in [&b""[..], b"url", b"a longer name than one block has"] {
            let ours = FixedNonce::new(&key, nonce, aad);
            for n in (0..300).chain([511, 512, 513, 700]) {
                let msg = &text[..n];
                let expected = library
                    .encrypt(Nonce::from_slice(&nonce), Payload { msg, aad })
                    .unwrap();
                let mut sealed = vec![1, 2, 3];
                ours.seal_onto(msg, &mut sealed);
                assert_eq!(sealed[..3], [1, 2, 3]);
                sealed.drain(..3);
                assert_eq!(sealed, expected, "{n} bytes");
                assert_eq!(ours.open(&sealed).as_deref(), Some(msg));
                sealed[n / 2] ^= 1;
                assert_eq!(ours.open(&sealed), None);
            }
        }
        assert_eq!(FixedNonce::new(&key, nonce, b"").open(b"short"), None);
    }
    #[test]
    fn many_at_a_time_are_as_each_by_itself() {
        let ours = FixedNonce::new(&[7; 32], [9; 12], b"url");
        let text: Vec<u8> = (0..400u32).map(|i| (i * 7 % 253) as u8).collect();
        for many in [0, 1, 7, 8, 9, 31] {
            let (mut at_once, mut one_by_one, mut places) = (vec![5], vec![5], vec![]);
            for i in 0..many {
                let clear = &text[..(i * i * 13) % 300];
                places.push(lay(clear, &mut at_once));
                at_once.push(6);
                ours.seal_onto(clear, &mut one_by_one);
                one_by_one.push(6);
            }
            ours.seal_at(&mut at_once, &places);
            assert_eq!(at_once, one_by_one, "{many}");
        }
    }
    #[test]
    fn the_counter_wraps_as_the_standard_says() {
        // RFC 8452, appendix C.3: the block counter passes 2³².
        let hex = |s: &str| -> Vec<u8> {
            let digits = |i: usize| u8::from_str_radix(&s[i * 2..i * 2 + 2], 16).unwrap();
            (0..s.len() / 2).map(digits).collect()
        };
        let ours = FixedNonce::new(&[0; 32], [0; 12], b"");
        let clear = "000000000000000000000000000000004db923dc793ee6497c76dcc03a98e108";
        let mut out = vec![];
        ours.seal_onto(&hex(clear), &mut out);
        let expected = "f3f80f2cf0cb2dd9c5984fcda908456cc537703b5ba70324a6793a7bf218d3eaffffffff000000000000000000000000";
        assert_eq!(out, hex(expected));
    }
}
