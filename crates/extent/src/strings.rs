//! Interned text: each distinct string once, named by a number. The memory of the identity base.
use rustc_hash::FxHasher;
use std::hash::Hasher;

/// Number of a string in [`Strings`]. 0 is always the empty string.
pub type Sym = u32;

/// Strings to one base offset: with lines of 16 MiB at most, offsets inside a block fit 32 bits.
const BLOCK: usize = 256;

/// Distinct strings in one buffer, with an open-addressing index. Numbers are given in order of first appearance.
/// Memory: the text, 4 bytes for its start and 5 to 12 for the index.
#[derive(Debug, Clone)]
pub struct Strings {
    bytes: Vec<u8>,
    /// Start of each string counted from its block's; its end is the next start.
    starts: Vec<u32>,
    blocks: Vec<u64>,
    slots: Vec<u32>,
}

impl Default for Strings {
    fn default() -> Self {
        let mut s = Strings {
            bytes: Vec::new(),
            starts: vec![0],
            blocks: vec![0],
            slots: vec![u32::MAX; 64],
        };
        s.intern("");
        s
    }
}

fn hash(b: &[u8]) -> u64 {
    let mut h = FxHasher::default();
    h.write(b);
    // The slot is taken from the high bits, which this spreads into.
    h.finish().wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn slot(hash: u64, slots: usize) -> usize {
    ((u128::from(hash) * slots as u128) >> 64) as usize
}

impl Strings {
    /// The number of `text`, giving it one when it is new. `None` when numbers or a block's offsets run out.
    pub fn try_intern(&mut self, text: &str) -> Option<Sym> {
        let h = hash(text.as_bytes());
        if let Some(s) = self.find_hashed(h, text) {
            return Some(s);
        }
        let n = u32::try_from(self.starts.len() - 1).ok()?;
        let next = n as usize + 1;
        let end = (self.bytes.len() + text.len()) as u64;
        if n == u32::MAX - 1 {
            return None;
        }
        if next.is_multiple_of(BLOCK) {
            self.blocks.push(end);
            self.starts.push(0);
        } else {
            let inside = u32::try_from(end - self.blocks[next / BLOCK]).ok()?;
            self.starts.push(inside);
        }
        self.bytes.extend_from_slice(text.as_bytes());
        if self.starts.len() * 4 > self.slots.len() * 3 {
            self.resize(self.slots.len() * 2);
        } else {
            self.place(h, n);
        }
        Some(n)
    }
    /// The number of `text`; text beyond the limits reads as empty.
    pub fn intern(&mut self, text: &str) -> Sym {
        self.try_intern(text).unwrap_or(0)
    }
    fn place(&mut self, h: u64, n: u32) {
        let mut i = slot(h, self.slots.len());
        while self.slots[i] != u32::MAX {
            i += 1;
            if i == self.slots.len() {
                i = 0;
            }
        }
        self.slots[i] = n;
    }
    fn resize(&mut self, size: usize) {
        self.slots.clear();
        self.slots.resize(size, u32::MAX);
        for n in 0..self.len() as u32 {
            let h = hash(self.raw(n));
            self.place(h, n);
        }
    }
    /// Gives back memory nothing uses: to be called when no more strings come.
    pub fn finish(&mut self) {
        self.bytes.shrink_to_fit();
        self.starts.shrink_to_fit();
        let fit = self.len() * 4 / 3 + 8;
        if self.slots.len() > fit + fit / 8 {
            self.slots = Vec::new();
            self.resize(fit);
        }
    }
    pub fn find(&self, text: &str) -> Option<Sym> {
        self.find_hashed(hash(text.as_bytes()), text)
    }
    fn find_hashed(&self, h: u64, text: &str) -> Option<Sym> {
        let mut i = slot(h, self.slots.len());
        loop {
            match self.slots[i] {
                u32::MAX => return None,
                n if self.raw(n) == text.as_bytes() => return Some(n),
                _ => {
                    i += 1;
                    if i == self.slots.len() {
                        i = 0;
                    }
                }
            }
        }
    }
    fn start(&self, n: usize) -> usize {
        (self.blocks[n / BLOCK] + u64::from(self.starts[n])) as usize
    }
    fn raw(&self, s: Sym) -> &[u8] {
        &self.bytes[self.start(s as usize)..self.start(s as usize + 1)]
    }
    /// The text of a number; empty when the number is not one of ours.
    pub fn get(&self, s: Sym) -> &str {
        if s as usize + 1 >= self.starts.len() {
            return "";
        }
        std::str::from_utf8(self.raw(s)).unwrap_or("")
    }
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }
    pub fn is_empty(&self) -> bool {
        self.len() <= 1
    }
    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.bytes.capacity()
            + (self.starts.capacity() + self.slots.capacity()) * 4
            + self.blocks.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn equal_text_has_one_number() {
        let mut s = Strings::default();
        let n: Vec<Sym> = (0..5000)
            .map(|i| s.intern(&format!("x{}", i % 1700)))
            .collect();
        for _ in 0..2 {
            assert_eq!(s.len(), 1701);
            for (i, n) in n.iter().enumerate() {
                assert_eq!(s.get(*n), format!("x{}", i % 1700));
                assert_eq!(s.find(&format!("x{}", i % 1700)), Some(*n));
            }
            assert_eq!(s.find("y"), None);
            assert_eq!(s.intern(""), 0);
            assert_eq!(s.get(999_999), "");
            s.finish();
        }
        let more = s.intern("y");
        assert_eq!((s.get(more), s.find("y")), ("y", Some(more)));
    }
}
