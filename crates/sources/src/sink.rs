//! Where decoders put what they found: events as columns, rejects, counts.
use ampleur_event::{Event, EventBatch, Verb};

/// Why a record could not be decoded. No value of the record is ever part of the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The record does not have the format's shape.
    Shape,
    /// The record ends before it is complete.
    Truncated,
    /// A required field is missing or cannot be read.
    Field(&'static str),
    /// No usable time.
    Time,
    /// Bytes that are no text in any supported encoding.
    Encoding,
    /// Longer than the limit on one record.
    TooLong,
    /// XML with a document type or entity, forbidden input.
    Forbidden,
    /// No source knows the file.
    UnknownFormat,
    /// Compressed data is damaged: what would follow cannot be read. One reject for all of it.
    Damaged,
    /// A cap on decompression was reached. One reject for all that would follow.
    Capped,
    /// The program of a mapping gave no record. `line` is the program's own, from 1; 0 when it is about none.
    Program { stop: Stop, line: u32 },
}

/// How a program of a mapping ended without a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stop {
    /// It said `abort`.
    Aborted,
    /// A function in it failed and nothing caught that.
    Failed,
    /// It went through more steps than a record may take.
    Steps,
    /// It left nothing.
    Nothing,
    /// It left what is no object.
    NoObject,
    /// It left more than one record may hold.
    Large,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reason::Shape => f.write_str("not the shape of this format"),
            Reason::Truncated => f.write_str("record is cut short"),
            Reason::Field(name) => write!(f, "field {name} is missing or unreadable"),
            Reason::Time => f.write_str("no usable time"),
            Reason::Encoding => f.write_str("not text in a supported encoding"),
            Reason::TooLong => f.write_str("record is longer than the limit"),
            Reason::Forbidden => f.write_str("document type or entity is not allowed"),
            Reason::UnknownFormat => f.write_str("no source knows this format"),
            Reason::Damaged => f.write_str("damaged, or not to be read from here on"),
            Reason::Capped => f.write_str("decompression limit reached, the rest was not read"),
            Reason::Program { stop, line } => {
                f.write_str(match stop {
                    Stop::Aborted => "the mapping's program aborted",
                    Stop::Failed => "the mapping's program failed",
                    Stop::Steps => "the mapping's program took too many steps",
                    Stop::Nothing => "the mapping's program left nothing",
                    Stop::NoObject => "the mapping's program left no object",
                    Stop::Large => "the mapping's program left too much",
                })?;
                match line {
                    0 => Ok(()),
                    n => write!(f, " at its line {n}"),
                }
            }
        }
    }
}

/// A record that is kept, counted and shown, but not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    pub record: u64,
    pub offset: u64,
    pub len: u64,
    pub reason: Reason,
    /// Instant read from the readable part, if any.
    pub time: Option<i64>,
    /// Readable start of the record (user, address…), at most 512 bytes, lossy UTF-8. Evidence, not for logs.
    pub readable: String,
}

/// Output of decoding one file. The engine empties `events` and `rejects` as it goes; counts and position stay.
#[derive(Debug, Default)]
pub struct Decoded {
    pub events: EventBatch,
    pub rejects: Vec<Reject>,
    /// Records seen so far: events + rejects + skipped (EV-1).
    pub records: u64,
    pub event_count: u64,
    pub reject_count: u64,
    pub skipped: u64,
    /// Offset of the piece being decoded in the decompressed file; set by the engine before each `decode`.
    pub base: u64,
}

impl Decoded {
    /// Accepts `event` as the next record. `at` and `len` are within the piece given to `decode`.
    pub fn event(&mut self, mut event: Event<'_>, at: usize, len: usize) {
        self.next(&mut event, at, len)
    }
    /// The same, of an event that stays where it is.
    pub(crate) fn next(&mut self, event: &mut Event<'_>, at: usize, len: usize) {
        self.records += 1;
        self.event_count += 1;
        event.record = self.records;
        event.offset = self.base + at as u64;
        event.len = len as u64;
        self.events.push(event);
    }
    /// Accepts what stood inside one record of a carrier, at `at` for `len`. A batch of lines is as many records, all at its place, and
    /// so is each of them that is not understood; lines of which none tells anything, behind one that is merely kept, are one text.
    /// Each event goes through `fill` first.
    pub(crate) fn carried(
        &mut self,
        found: &Decoded,
        (bytes, at, len): (&[u8], usize, usize),
        mut fill: impl FnMut(&mut Event<'_>),
    ) {
        let told = found.events.verbs().iter().any(|v| *v != Verb::Other as u8);
        let batch = told || found.reject_count == 0;
        let (events, rejects) = match (batch, found.events.is_empty()) {
            (true, _) => (usize::MAX, usize::MAX),
            (false, false) => (1, 0),
            (false, true) => (0, 1),
        };
        for mut e in found.events.iter().take(events) {
            fill(&mut e);
            self.event(e, at, len);
        }
        for r in found.rejects.iter().take(rejects) {
            self.reject_at(bytes, at, len, r.reason, r.time);
        }
        if found.event_count + found.reject_count == 0 {
            self.skip();
        }
    }
    /// Counts the next record as undecodable.
    pub fn reject(&mut self, bytes: &[u8], at: usize, len: usize, reason: Reason) {
        self.reject_at(bytes, at, len, reason, None)
    }
    /// The same, with the instant its readable part carries.
    pub fn reject_at(
        &mut self,
        bytes: &[u8],
        at: usize,
        len: usize,
        reason: Reason,
        time: Option<i64>,
    ) {
        let end = (at + len.min(512)).min(bytes.len());
        self.refuse(
            bytes.get(at..end).unwrap_or_default(),
            at,
            len,
            reason,
            time,
        )
    }
    /// The same where only the start of the record is at hand.
    pub(crate) fn refuse(
        &mut self,
        start: &[u8],
        at: usize,
        len: usize,
        reason: Reason,
        time: Option<i64>,
    ) {
        self.records += 1;
        self.reject_count += 1;
        let start = &start[..start.len().min(512)];
        let readable = String::from_utf8_lossy(start).into_owned();
        self.rejects.push(Reject {
            record: self.records,
            offset: self.base + at as u64,
            len: len as u64,
            reason,
            time,
            readable,
        });
    }
    /// Counts the next record as blank or comment.
    pub fn skip(&mut self) {
        self.records += 1;
        self.skipped += 1;
    }
    pub fn balanced(&self) -> bool {
        self.records == self.event_count + self.reject_count + self.skipped
    }
}
