//! Correlations: hits of single rules counted in order of time, over all files.
use rsigma_parser::{ConditionOperator, CorrelationType};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// A correlation, ready to be counted.
#[derive(Debug)]
pub(crate) struct Correlation {
    /// Place in `Rules::about`.
    pub(crate) about: usize,
    pub(crate) kind: CorrelationType,
    /// How many rules it counts.
    pub(crate) rules: usize,
    /// Names of what it counts by.
    pub(crate) by: Vec<String>,
    /// For each of its rules, the fields that are counted by.
    pub(crate) groups: Vec<Vec<String>>,
    /// Fields whose different values are counted.
    pub(crate) values: Vec<String>,
    /// Length of the window; both ends belong to it.
    pub(crate) seconds: i64,
    pub(crate) predicates: Vec<(ConditionOperator, u64)>,
}

impl Correlation {
    fn met(&self, n: u64) -> bool {
        use ConditionOperator::{Eq, Gt, Gte, Lt, Lte, Neq};
        self.predicates.iter().all(|(op, than)| match op {
            Lt => n < *than,
            Lte => n <= *than,
            Gt => n > *than,
            Gte => n >= *than,
            Eq => n == *than,
            Neq => n != *than,
        })
    }
}

/// One hit of a rule that is counted. In order of time, then of place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit {
    /// UTC nanoseconds.
    pub(crate) time: i64,
    pub(crate) record: u64,
    pub(crate) file: u32,
    pub(crate) correlation: u32,
    /// Which of the correlation's rules.
    pub(crate) of: u32,
    /// Keys of what is counted by, and of the value counted.
    pub(crate) group: u64,
    pub(crate) value: u64,
}

impl Hit {
    pub(crate) const BYTES: usize = 44;

    pub(crate) fn bytes(&self) -> [u8; Hit::BYTES] {
        let mut out = [0; Hit::BYTES];
        out[..8].copy_from_slice(&self.time.to_le_bytes());
        out[8..16].copy_from_slice(&self.record.to_le_bytes());
        out[16..24].copy_from_slice(&self.group.to_le_bytes());
        out[24..32].copy_from_slice(&self.value.to_le_bytes());
        out[32..36].copy_from_slice(&self.file.to_le_bytes());
        out[36..40].copy_from_slice(&self.correlation.to_le_bytes());
        out[40..].copy_from_slice(&self.of.to_le_bytes());
        out
    }

    pub(crate) fn from_bytes(b: &[u8; Hit::BYTES]) -> Hit {
        let long = |at: usize| std::array::from_fn(|i| b[at + i]);
        let short = |at: usize| std::array::from_fn(|i| b[at + i]);
        Hit {
            time: i64::from_le_bytes(long(0)),
            record: u64::from_le_bytes(long(8)),
            group: u64::from_le_bytes(long(16)),
            value: u64::from_le_bytes(long(24)),
            file: u32::from_le_bytes(short(32)),
            correlation: u32::from_le_bytes(short(36)),
            of: u32::from_le_bytes(short(40)),
        }
    }

    fn seconds(&self) -> i64 {
        self.time.div_euclid(1_000_000_000)
    }
}

/// What one group has in its window. Emptied when the correlation fires: one burst is one finding.
#[derive(Debug, Default)]
struct Window {
    /// Time and value of each hit.
    hits: VecDeque<(i64, u64)>,
    /// How often each value is in `hits`.
    values: FxHashMap<u64, u32>,
    /// For each rule: its last hit; for an ordered correlation, the latest start of a chain that ends at it.
    rules: Vec<i64>,
    last: i64,
}

const NEVER: i64 = i64::MIN;
/// Windows kept before those that are over are looked for.
const WINDOWS: usize = 100_000;

/// Counts hits given in order; only windows that are not over are held.
pub(crate) struct Counter<'r> {
    correlations: &'r [Correlation],
    windows: FxHashMap<(u32, u64), Window>,
    /// Windows to hold before the next look.
    full: usize,
}

impl<'r> Counter<'r> {
    pub(crate) fn new(correlations: &'r [Correlation]) -> Counter<'r> {
        Counter {
            correlations,
            windows: FxHashMap::default(),
            full: WINDOWS,
        }
    }

    /// How much was counted when this hit makes its correlation fire.
    pub(crate) fn take(&mut self, hit: &Hit) -> Option<u64> {
        let c = &self.correlations[hit.correlation as usize];
        let now = hit.seconds();
        if self.windows.len() >= self.full {
            let all = self.correlations;
            self.windows
                .retain(|(n, _), w| now.saturating_sub(all[*n as usize].seconds) <= w.last);
            self.full = (self.windows.len() * 2).max(WINDOWS);
        }
        let w = self
            .windows
            .entry((hit.correlation, hit.group))
            .or_default();
        w.last = now;
        let from = now.saturating_sub(c.seconds);
        let n = match c.kind {
            CorrelationType::EventCount | CorrelationType::ValueCount => {
                w.forget(from);
                w.hits.push_back((now, hit.value));
                if c.kind == CorrelationType::EventCount {
                    w.hits.len()
                } else {
                    *w.values.entry(hit.value).or_default() += 1;
                    w.values.len()
                }
            }
            CorrelationType::TemporalOrdered => {
                w.rules.resize(c.rules, NEVER);
                let of = hit.of as usize;
                let start = if of == 0 { now } else { w.rules[of - 1] };
                w.rules[of] = w.rules[of].max(start);
                let whole = w.rules.last().is_some_and(|start| *start >= from);
                if whole { c.rules } else { 0 }
            }
            _ => {
                w.rules.resize(c.rules, NEVER);
                w.rules[hit.of as usize] = now;
                w.rules.iter().filter(|last| **last >= from).count()
            }
        } as u64;
        if !c.met(n) {
            return None;
        }
        *w = Window {
            last: now,
            ..Window::default()
        };
        Some(n)
    }
}

impl Window {
    fn forget(&mut self, from: i64) {
        while let Some((time, value)) = self.hits.front().copied()
            && time < from
        {
            self.hits.pop_front();
            if let Some(n) = self.values.get_mut(&value) {
                *n -= 1;
                if *n == 0 {
                    self.values.remove(&value);
                }
            }
        }
    }
}
