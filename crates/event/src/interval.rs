//! `{at_least, at_most}`: every count in an answer (law L1).
use serde::{Deserialize, Serialize};

/// A count known only between two bounds, both included. `at_least <= at_most` always (invariant EX-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct Interval {
    pub at_least: u64,
    pub at_most: u64,
}

impl Interval {
    /// From here on a count is "nobody knows": still a whole number in every JSON reader.
    pub const UNBOUNDED: u64 = (1 << 53) - 1;
    pub const ZERO: Interval = Interval {
        at_least: 0,
        at_most: 0,
    };
    pub const fn exactly(n: u64) -> Self {
        Interval {
            at_least: n,
            at_most: n,
        }
    }
    /// # Panics
    /// When `at_least > at_most`: the caller has broken invariant EX-1.
    pub const fn new(at_least: u64, at_most: u64) -> Self {
        assert!(
            at_least <= at_most,
            "EX-1: an interval's lower bound is above its upper bound"
        );
        Interval { at_least, at_most }
    }
    /// True when nobody can say how many at most.
    pub const fn is_open(self) -> bool {
        self.at_most >= Self::UNBOUNDED
    }
    pub const fn contains(self, n: u64) -> bool {
        self.at_least <= n && n <= self.at_most
    }
    pub const fn is_exact(self) -> bool {
        self.at_least == self.at_most
    }
}

impl std::ops::Add for Interval {
    type Output = Interval;
    fn add(self, other: Interval) -> Interval {
        Interval {
            at_least: self.at_least.saturating_add(other.at_least),
            at_most: self.at_most.saturating_add(other.at_most),
        }
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_exact() {
            write!(f, "{}", self.at_least)
        } else {
            write!(f, "{}–{}", self.at_least, self.at_most)
        }
    }
}
