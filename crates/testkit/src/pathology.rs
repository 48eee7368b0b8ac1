//! What happens to logs between the machine and the analyst. Each one is applied to finished records while they are written
//! and is declared in the truth (records, gaps, what is still enumerable).
use crate::civil::Ms;

/// One kind of damage. Sources are named by the key of the truth (`sri-audit`); times are UTC milliseconds, `[from, to)`.
#[derive(Debug, Clone, PartialEq)]
pub enum Pathology {
    /// A share of lines is delivered twice.
    Duplicate { share: f64 },
    /// A share of lines is written after its successor (at most five seconds later).
    Reorder { share: f64 },
    /// A share of lines is cut short (one-line formats only, so that the number of records stays).
    Truncate { share: f64 },
    /// All records of an interval are lost.
    DropBurst { source: String, from: Ms, to: Ms },
    /// Somebody erased all records of an interval.
    Erase { source: String, from: Ms, to: Ms },
    /// The source was never collected.
    DropSource { source: String },
    /// Nothing before this instant was kept.
    Rotation { source: String, before: Ms },
    /// Somebody removed the lines of one session of the intruder; 0 is the first one this source saw.
    Edit { source: String, session: u32 },
    /// The clock of the source is wrong by this much.
    Clock { source: String, offset_s: i64 },
}

impl Pathology {
    /// The small wear every collection has: repeats, neighbours swapped, a few cut lines.
    pub fn wear() -> Vec<Pathology> {
        vec![
            Pathology::Duplicate { share: 0.0008 },
            Pathology::Reorder { share: 0.0015 },
        ]
    }
}
