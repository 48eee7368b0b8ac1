//! Texts of a case, each kept once. Sessions name them by number: a case has a million sessions that say the same things.
use ampleur_event::invariant;
use rustc_hash::FxHasher;
use std::hash::Hasher;

/// Number of a text in its [`Texts`].
pub type TextId = u32;

/// Open addressing over 32-bit hashes; what is looked for is compared by the caller.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    /// (hash, index), [`FREE`] when empty. A power of two of them, or none.
    cells: Vec<(u32, u32)>,
    used: usize,
}

const FREE: u32 = u32::MAX;

impl Table {
    pub fn find(&self, hash: u32, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.cells.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let (h, index) = self.cells[at];
            if index == FREE {
                return None;
            }
            if h == hash && same(index) {
                return Some(index);
            }
            at = (at + 1) & mask;
        }
    }
    /// Puts in what [`Table::find`] did not find.
    pub fn insert(&mut self, hash: u32, index: u32) {
        if (self.used + 1) * 4 > self.cells.len() * 3 {
            let room = (self.cells.len() * 2).max(16);
            let old = std::mem::replace(&mut self.cells, vec![(0, FREE); room]);
            for (h, i) in old.into_iter().filter(|c| c.1 != FREE) {
                self.place(h, i);
            }
        }
        self.used += 1;
        self.place(hash, index);
    }
    fn place(&mut self, hash: u32, index: u32) {
        let mask = self.cells.len() - 1;
        let mut at = hash as usize & mask;
        while self.cells[at].1 != FREE {
            at = (at + 1) & mask;
        }
        self.cells[at] = (hash, index);
    }
}

/// Both halves of a hash in one.
pub(crate) fn folded(h: u64) -> u32 {
    (h ^ (h >> 32)) as u32
}

fn hash(text: &str) -> u32 {
    let mut h = FxHasher::default();
    h.write(text.as_bytes());
    folded(h.finish())
}

#[derive(Debug, Clone, Copy)]
struct Place {
    chunk: u32,
    from: u32,
    len: u32,
}

/// Texts laid out in a few large blocks.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    chunks: Vec<String>,
    places: Vec<Place>,
    table: Table,
}

/// So many texts have a number: four bits of it are left to say what a text is, and one number says that there is none.
const MOST: usize = (1 << 28) - 1;
const CHUNK: usize = 1 << 16;

impl Texts {
    pub fn get(&self, id: TextId) -> &str {
        let p = self.places[id as usize];
        &self.chunks[p.chunk as usize][p.from as usize..(p.from + p.len) as usize]
    }
    pub fn find(&self, text: &str) -> Option<TextId> {
        self.table.find(hash(text), |i| self.get(i) == text)
    }
    /// The number of a text, a new one when it has none.
    ///
    /// # Panics
    /// Beyond 2²⁸ texts: none is taken for another.
    pub fn put(&mut self, text: &str) -> TextId {
        let hash = hash(text);
        if let Some(id) = self.table.find(hash, |i| self.get(i) == text) {
            return id;
        }
        let small = self.places.len() < MOST && text.len() < 1 << 31;
        invariant::check(small, invariant::SE_1, "more texts than have a number");
        // A block is never moved once it is there; a small case has a small one.
        let full = |c: &String| c.capacity() - c.len() < text.len();
        if self.chunks.last().is_none_or(full) {
            let room = (CHUNK >> 6 << self.chunks.len().min(6)).max(text.len());
            self.chunks.push(String::with_capacity(room));
        }
        let chunk = self.chunks.len() - 1;
        let block = &mut self.chunks[chunk];
        let id = self.places.len() as u32;
        self.places.push(Place {
            chunk: chunk as u32,
            from: block.len() as u32,
            len: text.len() as u32,
        });
        block.push_str(text);
        self.table.insert(hash, id);
        id
    }
    pub fn len(&self) -> usize {
        self.places.len()
    }
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn each_text_has_one_number() {
        let mut t = Texts::default();
        let ids: Vec<TextId> = (0..20_000)
            .map(|i| t.put(&format!("text {}", i % 5000)))
            .collect();
        assert_eq!(t.len(), 5000);
        for (i, id) in ids.iter().enumerate() {
            assert_eq!(t.get(*id), format!("text {}", i % 5000));
            assert_eq!(t.find(t.get(*id)), Some(*id));
        }
        let long = "x".repeat(3 * CHUNK);
        let id = t.put(&long);
        assert_eq!(t.get(id), long);
        assert_eq!(t.put(""), t.put(""));
        assert_eq!(t.find("never"), None);
    }
}
