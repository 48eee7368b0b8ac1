//! Two sources, the same acts: clocks and missing lines.
use super::Why;

/// The clock of one source against the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Clock {
    pub source: u32,
    /// Seconds to ADD to its times so that they agree with the other sources.
    pub offset_s: f64,
    /// The true offset lies within `offset_s ± uncertainty_s`.
    pub uncertainty_s: f64,
    /// Pairs of acts seen by both.
    pub pairs: u64,
    /// Source it was compared with.
    pub against: u32,
    pub why: Why,
}
