//! Answers about short texts, kept.
use crate::runs;

/// Each text of up to `8 * EIGHTS` bytes has one place, and takes it from another.
pub struct Memo<V, const EIGHTS: usize>(Vec<Kept<V, EIGHTS>>);

#[derive(Clone, Copy)]
struct Kept<V, const EIGHTS: usize> {
    /// Its bytes, zeros behind them.
    bytes: [u64; EIGHTS],
    len: usize,
    answer: V,
}

impl<V, const EIGHTS: usize> Default for Memo<V, EIGHTS> {
    fn default() -> Self {
        Memo(vec![])
    }
}

impl<V: Copy + Default, const EIGHTS: usize> Memo<V, EIGHTS> {
    const PLACES: usize = 1 << 10;
    /// The answer about `text[from..to]`; a longer text is asked about each time.
    #[inline]
    pub fn of(&mut self, text: &[u8], (from, to): (usize, usize), ask: impl FnOnce() -> V) -> V {
        let len = to - from;
        if len > 8 * EIGHTS {
            return ask();
        }
        let mut bytes = [0; EIGHTS];
        let mut mixed = len as u64;
        for (k, b) in bytes.iter_mut().enumerate().take(len.div_ceil(8)) {
            *b = runs::lowest(runs::load(text, from + 8 * k), len - 8 * k);
            mixed = (mixed.rotate_left(23) ^ *b).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        if self.0.is_empty() {
            let none = Kept {
                bytes: [0; EIGHTS],
                len: usize::MAX,
                answer: V::default(),
            };
            self.0.resize(Self::PLACES, none);
        }
        let place = &mut self.0[(mixed >> 54) as usize % Self::PLACES];
        if place.bytes != bytes || place.len != len {
            *place = Kept {
                bytes,
                len,
                answer: ask(),
            };
        }
        place.answer
    }
}
