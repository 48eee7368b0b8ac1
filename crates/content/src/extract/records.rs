//! Records on their way to the reader, many in one go.
use crate::{whose::Reader, words::Column};

/// Values of records: what each is, and its bytes, with a tab behind each, a line end behind the last of a record.
#[derive(Default)]
pub struct Records {
    columns: Vec<Column>,
    pub bytes: Vec<u8>,
    /// Where the values end.
    ends: Vec<u32>,
    /// Values of the records before the one at hand.
    before: usize,
}

impl Records {
    /// Bytes of values that are looked at in one go.
    const BATCH: usize = 1 << 14;

    pub fn put(&mut self, column: Column, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.done(column);
    }
    /// Appends `text[from..to]`.
    #[inline]
    pub fn append(&mut self, text: &[u8], (from, to): (usize, usize)) {
        match text.get(from..).and_then(|t| t.first_chunk::<16>()) {
            // Most values are short: more is copied than is kept.
            Some(more) if to - from <= 16 => {
                let len = self.bytes.len() + to - from;
                self.bytes.extend_from_slice(more);
                self.bytes.truncate(len);
            }
            _ => self.bytes.extend_from_slice(&text[from..to]),
        }
    }
    /// The bytes since the value before are one of this column.
    pub fn done(&mut self, column: Column) {
        self.columns.push(column);
        self.ends.push(self.bytes.len() as u32);
        self.bytes.push(b'\t');
    }
    /// Bytes behind the last value: a value that is not done.
    pub fn open(&self) -> usize {
        self.bytes.len() - self.ends.last().map_or(0, |e| *e as usize + 1)
    }
    /// Values of the record at hand.
    pub fn count(&self) -> usize {
        self.columns.len() - self.before
    }
    /// All values of a record are there; true when it is time to look at what is.
    #[must_use]
    pub fn end(&mut self) -> bool {
        self.before = self.columns.len();
        if let Some(last) = self.bytes.last_mut() {
            *last = b'\n';
        }
        self.bytes.len() >= Records::BATCH
    }
    /// Parts the record at hand: up to each of these numbers of its values, ascending, is a record of its own. What is behind the last
    /// is the record at hand then.
    pub fn part(&mut self, at: &[usize]) {
        for n in at {
            if let Some(last) = (self.before + n).checked_sub(1) {
                self.bytes[self.ends[last] as usize] = b'\n';
            }
        }
        self.before += at.last().copied().unwrap_or(0);
    }
    /// Lets the records be looked at.
    pub fn look(&mut self, reader: &mut Reader<'_>) {
        reader.joined(&self.columns, &self.bytes, &self.ends);
        self.columns.clear();
        self.bytes.clear();
        self.ends.clear();
        self.before = 0;
    }
    #[cfg(test)]
    pub fn parts(&self) -> (Vec<Column>, Vec<u32>) {
        (self.columns.clone(), self.ends.clone())
    }
}
