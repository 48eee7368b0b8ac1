//! Interned text: each distinct string once, named by a number. The memory of the identity base.
use rustc_hash::FxHasher;
use std::hash::Hasher;

/// Number of a string in [`Strings`]. 0 is always the empty string.
pub type Sym = u32;

/// Distinct strings in one buffer, with an open-addressing index. Numbers are given in order of first appearance.
#[derive(Debug, Clone)]
pub struct Strings {
    bytes: Vec<u8>,
    /// Start of each string; its end is the next start.
    starts: Vec<u32>,
    slots: Vec<u32>,
}

impl Default for Strings {
    fn default() -> Self {
        let mut s = Strings {
            bytes: Vec::new(),
            starts: vec![0],
            slots: vec![u32::MAX; 1024],
        };
        s.intern("");
        s
    }
}

fn hash(b: &[u8]) -> u64 {
    let mut h = FxHasher::default();
    h.write(b);
    h.finish()
}

impl Strings {
    /// The number of `text`, giving it one when it is new. `None` when the buffer would pass 4 GiB.
    pub fn try_intern(&mut self, text: &str) -> Option<Sym> {
        if let Some(s) = self.find(text) {
            return Some(s);
        }
        let n = u32::try_from(self.starts.len() - 1).ok()?;
        if n == u32::MAX {
            return None;
        }
        self.bytes.extend_from_slice(text.as_bytes());
        match u32::try_from(self.bytes.len()) {
            Ok(end) => self.starts.push(end),
            Err(_) => {
                self.bytes.truncate(self.bytes.len() - text.len());
                return None;
            }
        }
        if (self.starts.len()) * 10 > self.slots.len() * 7 {
            self.grow();
        }
        self.place(n);
        Some(n)
    }
    /// The number of `text`; text beyond the limit of the buffer reads as empty.
    pub fn intern(&mut self, text: &str) -> Sym {
        self.try_intern(text).unwrap_or(0)
    }
    fn place(&mut self, n: u32) {
        let mask = self.slots.len() - 1;
        let mut i = hash(self.raw(n)) as usize & mask;
        while self.slots[i] != u32::MAX {
            i = (i + 1) & mask;
        }
        self.slots[i] = n;
    }
    fn grow(&mut self) {
        let size = self.slots.len() * 2;
        self.slots.clear();
        self.slots.resize(size, u32::MAX);
        for n in 0..(self.starts.len() - 1) as u32 {
            self.place(n);
        }
    }
    pub fn find(&self, text: &str) -> Option<Sym> {
        let mask = self.slots.len() - 1;
        let mut i = hash(text.as_bytes()) as usize & mask;
        loop {
            match self.slots[i] {
                u32::MAX => return None,
                n if self.raw(n) == text.as_bytes() => return Some(n),
                _ => i = (i + 1) & mask,
            }
        }
    }
    fn raw(&self, s: Sym) -> &[u8] {
        let (a, b) = (self.starts[s as usize], self.starts[s as usize + 1]);
        &self.bytes[a as usize..b as usize]
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
        self.bytes.capacity() + (self.starts.capacity() + self.slots.capacity()) * 4
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
        assert_eq!(s.len(), 1701);
        for (i, n) in n.iter().enumerate() {
            assert_eq!(s.get(*n), format!("x{}", i % 1700));
            assert_eq!(s.find(&format!("x{}", i % 1700)), Some(*n));
        }
        assert_eq!(s.find("y"), None);
        assert_eq!(s.intern(""), 0);
        assert_eq!(s.get(999_999), "");
    }
}
