//! The running numbers of a source: which are there, which are missing, and between which instants.
use ampleur_event::{GapSign, Nanos, Window, time::HOUR};
use std::collections::{BTreeMap, BTreeSet};

const STREAMS_KEPT: usize = 1 << 17;
const RUNS_KEPT: usize = 1 << 16;

/// Consecutive numbers `lo..=hi`, with the instants of both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub lo: u64,
    pub hi: u64,
    pub from: Nanos,
    pub to: Nanos,
}

/// Numbers of one source, per host or per session.
#[derive(Debug, Clone)]
pub(super) struct Numbers {
    sign: GapSign,
    /// By name, their places in `streams`.
    names: BTreeMap<String, u32>,
    /// Sorted by `lo` inside each stream.
    streams: Vec<Vec<Run>>,
    pub present: u64,
    pub overflow: bool,
}

/// Numbers that nobody has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Missing {
    pub window: Window,
    pub count: u64,
    pub stream: String,
}

impl Numbers {
    pub fn new(sign: GapSign) -> Numbers {
        Numbers {
            sign,
            names: BTreeMap::new(),
            streams: Vec::new(),
            present: 0,
            overflow: false,
        }
    }

    pub fn see(&mut self, host: &str, session: &str, seq: u64, t: Nanos) {
        let stream = self.stream(host, session);
        self.see_in(stream, seq, t);
    }

    /// True when numbers run by session, not by host.
    pub fn by_session(&self) -> bool {
        self.sign == GapSign::SequencePerSession
    }

    /// Place of a stream, a new one when it has none; `None` when there are too many.
    pub fn stream(&mut self, host: &str, session: &str) -> Option<u32> {
        let key = match self.sign {
            GapSign::SequencePerHost => host,
            GapSign::SequencePerSession => session,
            // A collector may number what the format does not (syslog `sequenceId`); density decides whether that proves anything.
            GapSign::RateOnly => host,
        };
        if let Some(known) = self.names.get(key) {
            return Some(*known);
        }
        if self.names.len() >= STREAMS_KEPT {
            return None;
        }
        let place = self.streams.len() as u32;
        self.names.insert(key.to_string(), place);
        self.streams.push(Vec::new());
        Some(place)
    }

    /// A number of a stream; of none when there are too many.
    pub fn see_in(&mut self, stream: Option<u32>, seq: u64, t: Nanos) {
        self.present += 1;
        let Some(runs) = stream.and_then(|s| self.streams.get_mut(s as usize)) else {
            self.overflow = true;
            return;
        };
        let one = Run {
            lo: seq,
            hi: seq,
            from: t,
            to: t,
        };
        // The common case: the next number of the run written last.
        if let Some(last) = runs.last_mut()
            && seq == last.hi.wrapping_add(1)
            && t >= last.from
        {
            last.hi = seq;
            last.to = last.to.max(t);
            return;
        }
        if runs
            .iter()
            .rev()
            .take(64)
            .any(|r| r.lo <= seq && seq <= r.hi && near(r, t))
        {
            return;
        }
        runs.push(one);
        if runs.len() > RUNS_KEPT {
            join(runs);
            if runs.len() > RUNS_KEPT {
                self.overflow = true;
                runs.truncate(RUNS_KEPT);
            }
        } else if runs.len() % 256 == 0 {
            join(runs);
        }
    }

    pub fn absorb(&mut self, other: Numbers) {
        if self.sign == GapSign::RateOnly {
            self.sign = other.sign;
        }
        self.present += other.present;
        self.overflow |= other.overflow;
        let mut theirs = other.streams;
        for (k, at) in other.names {
            let runs = std::mem::take(&mut theirs[at as usize]);
            if let Some(own) = self.names.get(&k) {
                self.streams[*own as usize].extend(runs);
            } else if self.names.len() >= STREAMS_KEPT {
                self.overflow = true;
            } else {
                self.names.insert(k, self.streams.len() as u32);
                self.streams.push(runs);
            }
        }
    }

    pub fn shift(&mut self, by: Nanos) {
        for r in self.streams.iter_mut().flatten() {
            r.from = r.from.saturating_add(by);
            r.to = r.to.saturating_add(by);
        }
    }

    pub fn settle(&mut self) {
        for runs in &mut self.streams {
            join(runs);
        }
    }

    /// True when the numbers prove something: dense enough that a hole means a lost record, not a filtered export.
    pub fn usable(&self) -> bool {
        let runs: usize = self.streams.iter().map(Vec::len).sum();
        let present: u64 = self.present;
        match self.sign {
            // Nobody promised these numbers: they must be nearly unbroken before a hole means anything.
            GapSign::RateOnly => {
                !self.overflow
                    && present >= 64
                    && (runs as u64).saturating_sub(self.streams.len() as u64) * 50 <= present
            }
            GapSign::SequencePerHost | GapSign::SequencePerSession => {
                !self.overflow
                    && present >= 8
                    && (runs as u64).saturating_sub(self.streams.len() as u64) * 10 <= present * 3
            }
        }
    }

    /// Missing numbers, sorted by time. Numbers that begin again (a cleared log, a restart) start a new life and leave no gap
    /// between lives.
    pub fn missing(&mut self) -> Vec<Missing> {
        self.settle();
        let mut out = Vec::new();
        for (stream, runs) in self.by_name() {
            // A stream that leaps all the time is numbered by something else than its records.
            let held = runs
                .iter()
                .map(|r| r.hi.saturating_sub(r.lo).saturating_add(1))
                .fold(0u64, u64::saturating_add);
            // A session is short, and whoever cuts its lines makes it leap: all sessions together say whether numbers hold.
            let leaps =
                runs.len() > 3 && (runs.len() as u64).saturating_mul(10) > held.saturating_mul(3);
            if leaps && self.sign != GapSign::SequencePerSession {
                continue;
            }
            for life in lives(runs) {
                for w in life.windows(2) {
                    let (a, b) = (&w[0], &w[1]);
                    let count = b.lo.saturating_sub(a.hi).saturating_sub(1);
                    if count == 0 {
                        continue;
                    }
                    let (from, to) = (a.to.min(b.from), b.from.max(a.to));
                    out.push(Missing {
                        window: Window::new(from, to.max(from.saturating_add(1_000_000))),
                        count,
                        stream: stream.to_string(),
                    });
                }
                if self.sign == GapSign::SequencePerSession
                    && let Some(first) = life.first()
                    && first.lo > 1
                {
                    out.push(Missing {
                        window: Window::new(i64::MIN + 1, first.from),
                        count: first.lo - 1,
                        stream: stream.to_string(),
                    });
                }
            }
        }
        out.sort();
        out
    }

    /// Of sessions numbered by themselves: the session and number after which one is missing.
    pub fn cut_after(&self) -> BTreeSet<(u64, u64)> {
        if self.sign != GapSign::SequencePerSession || !self.usable() {
            return BTreeSet::new();
        }
        let mut out = BTreeSet::new();
        for (stream, runs) in self.by_name() {
            for life in lives(runs) {
                let cut = life
                    .windows(2)
                    .filter(|w| w[1].lo > w[0].hi.saturating_add(1));
                out.extend(cut.map(|w| (super::observe::hash(stream), w[0].hi)));
            }
        }
        out
    }

    /// Per stream: the first and the last instant its numbers reach.
    pub fn ends(&self) -> Vec<(&str, Nanos, Nanos)> {
        self.by_name()
            .filter_map(|(k, runs)| {
                let a = runs.iter().map(|r| r.from).min()?;
                let b = runs.iter().map(|r| r.to).max()?;
                Some((k, a, b))
            })
            .collect()
    }
    fn by_name(&self) -> impl Iterator<Item = (&str, &[Run])> {
        let names = self.names.iter();
        names.map(|(name, at)| (name.as_str(), &self.streams[*at as usize][..]))
    }
    pub fn per_host(&self) -> bool {
        self.sign != GapSign::SequencePerSession
    }
}

/// Times close enough to belong to one life.
fn near(r: &Run, t: Nanos) -> bool {
    t >= r.from.saturating_sub(24 * HOUR) && t <= r.to.saturating_add(24 * HOUR)
}

/// Joins runs that touch or overlap in number and are near in time.
fn join(runs: &mut Vec<Run>) {
    runs.sort_by_key(|r| (r.lo, r.from, r.hi));
    let mut out: Vec<Run> = Vec::with_capacity(runs.len());
    for r in runs.drain(..) {
        // Two lives interleave in number order: look back over a few runs.
        let mut placed = false;
        for o in out.iter_mut().rev().take(8) {
            let touches = r.lo <= o.hi.saturating_add(1) && r.hi.saturating_add(1) >= o.lo;
            if touches && same_life(o, &r) {
                if r.hi > o.hi {
                    o.hi = r.hi;
                    o.to = r.to;
                }
                placed = true;
                break;
            }
        }
        if !placed {
            out.push(r);
        }
    }
    *runs = out;
}

fn same_life(a: &Run, b: &Run) -> bool {
    // Numbers that follow each other may be far apart in time (a quiet machine), but time must not run backwards by more than the
    // disorder of a log.
    if b.lo == a.hi.saturating_add(1) {
        return b.from >= a.to.saturating_sub(HOUR);
    }
    b.from <= a.to.saturating_add(24 * HOUR) && b.to >= a.from.saturating_sub(24 * HOUR)
}

/// Splits the runs of a stream into lives: time runs on while the number falls back.
fn lives(runs: &[Run]) -> Vec<Vec<Run>> {
    let mut by_time: Vec<Run> = runs.to_vec();
    by_time.sort_by_key(|r| (r.from, r.lo));
    let mut lives: Vec<Vec<Run>> = Vec::new();
    for r in by_time {
        let new_life = match lives.last() {
            None => true,
            Some(life) => {
                let top = life.iter().map(|x| x.hi).max().unwrap_or(0);
                let late = life.iter().map(|x| x.to).max().unwrap_or(i64::MIN);
                r.hi < top && r.from > late && r.lo <= top / 2 + 1
            }
        };
        if new_life {
            lives.push(vec![r]);
        } else if let Some(life) = lives.last_mut() {
            life.push(r);
        }
    }
    for life in &mut lives {
        life.sort_by_key(|r| (r.lo, r.hi));
    }
    lives
}

#[cfg(test)]
mod tests {
    use super::*;
    use ampleur_event::time::SECOND;
    use proptest::prelude::*;

    fn fed(rows: &[(u64, i64)]) -> Numbers {
        let mut n = Numbers::new(GapSign::SequencePerHost);
        for (s, t) in rows {
            n.see("h", "", *s, *t * SECOND);
        }
        n.settle();
        n
    }
    fn lost(n: &mut Numbers) -> u64 {
        n.missing().iter().map(|m| m.count).sum()
    }

    #[test]
    fn a_restart_is_no_gap() {
        let mut rows: Vec<(u64, i64)> = (1..=100).map(|i| (i, i as i64)).collect();
        rows.extend((1..=50).map(|i| (i, 1000 + i as i64)));
        assert_eq!(lost(&mut fed(&rows)), 0);
    }
    #[test]
    fn newest_first_is_no_gap() {
        let rows: Vec<(u64, i64)> = (1..=300).rev().map(|i| (i, i as i64)).collect();
        assert_eq!(lost(&mut fed(&rows)), 0);
    }
    /// However many lines of one session are cut, the others say that numbers hold.
    #[test]
    fn a_session_of_which_much_was_cut_still_leaps() {
        let mut n = Numbers::new(GapSign::SequencePerSession);
        for s in 0..20 {
            (1..=10).for_each(|k| n.see("", &format!("s{s}"), k, (s * 100 + k as i64) * SECOND));
        }
        let kept = (1..=30).filter(|k| k % 3 != 0);
        kept.for_each(|k| n.see("", "cut", k, (9000 + k as i64) * SECOND));
        assert!(n.usable());
        assert_eq!(lost(&mut n), 9);
        assert!(
            n.cut_after()
                .contains(&(super::super::observe::hash("cut"), 2))
        );
        assert_eq!(n.cut_after().len(), 9);
    }
    #[test]
    fn a_filtered_export_proves_nothing() {
        let rows: Vec<(u64, i64)> = (1..=300).map(|i| (i * 7, i as i64)).collect();
        assert!(!fed(&rows).usable());
    }
    proptest! {
        #[test]
        fn exactly_the_dropped_numbers_are_missing(n in 20u64..400, drops in proptest::collection::btree_set(1u64..398, 0..12), dup in 0u64..400, swap in 0usize..390) {
            let mut rows: Vec<(u64, i64)> = (0..n).filter(|i| !drops.contains(i) ).map(|i| (1000 + i, i as i64)).collect();
            if let Some(r) = rows.iter().find(|r| r.0 == 1000 + dup).copied() { rows.push(r); }
            if swap + 1 < rows.len() { rows.swap(swap, swap + 1); }
            let first = rows.iter().map(|r| r.0).min().unwrap_or(0);
            let last = rows.iter().map(|r| r.0).max().unwrap_or(0);
            let inner = drops.iter().filter(|d| 1000 + **d > first && 1000 + **d < last).count() as u64;
            prop_assert_eq!(lost(&mut fed(&rows)), inner);
        }
        #[test]
        fn splitting_over_files_changes_nothing(n in 20u64..200, drops in proptest::collection::btree_set(1u64..198, 0..8), cut in 1usize..190) {
            let rows: Vec<(u64, i64)> = (0..n).filter(|i| !drops.contains(i)).map(|i| (i + 5, i as i64 * 30)).collect();
            let cut = cut.min(rows.len());
            let mut a = fed(&rows[cut..]);
            a.absorb(fed(&rows[..cut]));
            prop_assert_eq!(a.missing(), fed(&rows).missing());
        }
    }
}
