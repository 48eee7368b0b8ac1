//! Rows that say the same of who acts, from where, with what and on which machine have one number: what such rows mean is worked out
//! once, not row by row. A number is given by a hash and confirmed text by text, a whole column at a time: the texts of a column lie one
//! behind the other, and most columns of a batch are empty.
use crate::{
    key::is_shell,
    texts::{Table, folded},
};
use ampleur_event::{
    EventBatch, Outcome, Verb,
    batch::{Column, NONE},
};
use rustc_hash::FxHasher;
use std::hash::Hasher;

/// Columns of text that rows of one number have in common; with them go verb, outcome, system, code and kind of logon, and the process id
/// of a share or a shell: the keys of their sessions hold it.
const COMMON: [&str; 14] = [
    "user",
    "user_id",
    "src_ip",
    "dst_ip",
    "inner_ip",
    "forwarded",
    SESSION_ID,
    "token",
    "device",
    "host",
    "share",
    "domain",
    "process",
    "src_country",
];
/// Flows and leases often have a number of their own here, which tells no session: of them it is left out.
const SESSION_ID: &str = "session_id";

/// So many parties are told apart at a time, with so many bytes of text; beyond them numbering begins anew.
const MOST: usize = 1 << 14;
const BYTES: usize = 1 << 21;
/// Where most rows of a batch are of parties not met before, numbers do not pay; so many batches go without.
const PAUSE: u32 = 15;

/// Numbers of the parties of a file's rows, batch by batch.
#[derive(Debug, Default)]
pub struct Parties {
    life: u32,
    table: Table,
    known: Vec<Known>,
    /// Where the texts of a party begin and end: one more than [`COMMON`] for each.
    bounds: Vec<u32>,
    bytes: Vec<u8>,
    /// Of the batch at hand.
    numbers: Vec<u32>,
    rows: Vec<Known>,
    pause: u32,
}

/// What a party is besides its texts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Known {
    hash: u64,
    /// Verb, outcome, system, and which texts there are.
    marks: u64,
    code: u64,
    logon_type: u64,
    pid: u64,
}

/// The row has no number; it is to be looked at by itself.
pub const NO_PARTY: u32 = u32::MAX;

/// True of rows whose session id is not among what their party has in common.
fn unnumbered(verb: u8) -> bool {
    verb == Verb::Flow as u8 || verb == Verb::Lease as u8
}

impl Parties {
    /// Numbers the rows of the next batch of the file.
    pub fn read(&mut self, batch: &EventBatch) {
        self.numbers.clear();
        if self.pause > 0 {
            self.pause -= 1;
            self.numbers.resize(batch.len(), NO_PARTY);
            return;
        }
        if self.known.len() >= MOST || self.bytes.len() >= BYTES {
            self.life += 1;
            self.table = Table::default();
            self.known.clear();
            self.bounds.clear();
            self.bytes.clear();
        }
        self.hash(batch);
        let before = self.known.len();
        for i in 0..batch.len() {
            let hash = self.rows[i].hash;
            let known = &self.known;
            let found = (self.table).find(folded(hash), |k| known[k as usize].hash == hash);
            let number = found.unwrap_or_else(|| self.add(batch, i));
            self.numbers.push(number);
        }
        self.confirm(batch);
        if (self.known.len() - before) * 2 > batch.len() {
            self.pause = PAUSE;
        }
    }
    /// One for each row of the batch that was read last, [`NO_PARTY`] for a row without. Valid during one [`Parties::life`].
    pub fn numbers(&self) -> &[u32] {
        &self.numbers
    }
    /// Numbers of another life are of other parties.
    pub fn life(&self) -> u32 {
        self.life
    }
    /// Parties there are.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    /// Hashes what rows have in common; nothing where a row has nothing, so that it does not matter what others of its batch have.
    fn hash(&mut self, batch: &EventBatch) {
        let (verbs, outcomes, systems) = (
            codes(batch, "verb"),
            codes(batch, "outcome"),
            codes(batch, "system"),
        );
        self.rows.clear();
        self.rows.extend((0..batch.len()).map(|i| Known {
            hash: 0,
            marks: u64::from(verbs[i]) << 48
                | u64::from(outcomes[i]) << 56
                | u64::from(systems[i]) << 40,
            code: NONE,
            logon_type: NONE,
            pid: NONE,
        }));
        for (c, name) in COMMON.iter().enumerate() {
            let Some((text, ends)) = texts(batch, name) else {
                continue;
            };
            let by_id = *name == SESSION_ID;
            for (i, (row, ends)) in self.rows.iter_mut().zip(ends.windows(2)).enumerate() {
                if ends[0] == ends[1] || by_id && unnumbered(verbs[i]) {
                    continue;
                }
                row.marks |= 1 << c;
                row.hash = mixed(row.hash, word(&text[ends[0] as usize..ends[1] as usize]));
            }
        }
        type Part = fn(&mut Known) -> &mut u64;
        let numbers: [(&str, Part); 3] = [
            ("code", |k| &mut k.code),
            ("logon_type", |k| &mut k.logon_type),
            ("pid", |k| &mut k.pid),
        ];
        let mark = |name: &str| 1u64 << COMMON.iter().position(|c| *c == name).unwrap_or(0);
        let (share, process) = (mark("share"), mark("process"));
        let processes = batch.text("process");
        let by_process = |row: &Known, i: usize| {
            row.marks & share != 0
                || row.marks & process != 0
                    && outcomes[i] != Outcome::Failure as u8
                    && processes.is_some_and(|column| is_shell(column.get(i)))
        };
        for (name, part) in numbers {
            let Some(Column::Numbers(values)) = batch.column(name) else {
                continue;
            };
            for (i, (row, n)) in self.rows.iter_mut().zip(values).enumerate() {
                if *n == NONE || name == "pid" && !by_process(row, i) {
                    continue;
                }
                *part(row) = *n;
                row.hash = mixed(row.hash, *n);
            }
        }
        for row in &mut self.rows {
            row.hash = mixed(row.hash, row.marks);
        }
    }

    fn add(&mut self, batch: &EventBatch, i: usize) -> u32 {
        let row = self.rows[i];
        let number = self.known.len() as u32;
        self.table.insert(folded(row.hash), number);
        self.known.push(row);
        self.bounds.push(self.bytes.len() as u32);
        for (c, name) in COMMON.iter().enumerate() {
            if row.marks & 1 << c != 0
                && let Some(column) = batch.text(name)
            {
                self.bytes.extend_from_slice(column.get(i).as_bytes());
            }
            self.bounds.push(self.bytes.len() as u32);
        }
        number
    }

    /// Takes its number from every row that is not what its party is: equal hashes are no proof.
    fn confirm(&mut self, batch: &EventBatch) {
        let Parties {
            numbers,
            rows,
            known,
            bounds,
            bytes,
            ..
        } = self;
        for (number, row) in numbers.iter_mut().zip(rows.iter()) {
            if known[*number as usize] != *row {
                *number = NO_PARTY;
            }
        }
        for (c, name) in COMMON.iter().enumerate() {
            let Some((text, ends)) = texts(batch, name) else {
                continue;
            };
            for ((number, row), ends) in numbers.iter_mut().zip(rows.iter()).zip(ends.windows(2)) {
                // A row and its party have the same texts by now, and what is absent is equal.
                if *number == NO_PARTY || row.marks & 1 << c == 0 {
                    continue;
                }
                let at = *number as usize * (COMMON.len() + 1) + c;
                let theirs = &bytes[bounds[at] as usize..bounds[at + 1] as usize];
                if !same(theirs, &text[ends[0] as usize..ends[1] as usize]) {
                    *number = NO_PARTY;
                }
            }
        }
    }
}

/// Equality of mostly short texts without a call.
fn same(a: &[u8], b: &[u8]) -> bool {
    let n = a.len();
    if n != b.len() {
        return false;
    }
    let eight = |s: &[u8], at: usize| s[at..].first_chunk::<8>().map(|c| u64::from_le_bytes(*c));
    match n {
        8..=16 => eight(a, 0) == eight(b, 0) && eight(a, n - 8) == eight(b, n - 8),
        _ => a == b,
    }
}

/// A column's texts and where each ends, 0 first; `None` where no row has one.
pub(crate) fn texts<'b>(batch: &'b EventBatch, name: &str) -> Option<(&'b [u8], &'b [i32])> {
    let (text, ends) = batch.text(name)?.parts();
    (!ends.is_empty()).then_some((text.as_bytes(), ends))
}

fn codes<'b>(batch: &'b EventBatch, name: &str) -> &'b [u8] {
    match batch.column(name) {
        Some(Column::Codes(codes)) => codes,
        _ => &[],
    }
}

/// A text as one word.
pub(crate) fn word(text: &[u8]) -> u64 {
    let mut h = FxHasher::default();
    h.write(text);
    h.finish()
}

fn mixed(hash: u64, word: u64) -> u64 {
    let wide = u128::from(hash.rotate_left(23) ^ word) * u128::from(0x9e37_79b9_7f4a_7c15_u64);
    (wide as u64) ^ (wide >> 64) as u64
}
