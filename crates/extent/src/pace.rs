//! Broken pace: a program that asks every second and then not for ten, in a log that tells of nobody else meanwhile. Lines may have been
//! lost there, and nothing else would show it where records have no numbers.
use ampleur_event::{Nanos, time::SECOND};

/// A pause in a machine's pace, and how many requests may have been made in it. Requests were seen at `from` and at `to` (UTC
/// nanoseconds), and none between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pause {
    /// Index of the source.
    pub source: u32,
    pub from: Nanos,
    pub to: Nanos,
    pub missing: u64,
}

/// Gaps a pace is known by, at least.
const KNOWN: usize = 24;
/// A pause is this many times longer than nine gaps of ten.
const TIMES: Nanos = 5;
/// Longer ones are a pause of the program or of whoever has it: a burst of lost lines is short.
pub(crate) const LONGEST: Nanos = 25 * SECOND;

/// Pauses of one session in one source, its times ascending. None when the session has no pace, or pauses as its manner is.
pub(crate) fn pauses(source: u32, times: &[Nanos]) -> Vec<Pause> {
    let gaps: Vec<Nanos> = times.windows(2).map(|w| w[1] - w[0]).collect();
    if gaps.len() < KNOWN {
        return vec![];
    }
    let mut sorted = gaps.clone();
    sorted.sort_unstable();
    let at = |tenth: usize| sorted[(sorted.len() - 1) * tenth / 10];
    // Logs in whole seconds have gaps of none.
    let (quick, usual, slow) = (at(1).max(SECOND / 4), at(5).max(SECOND / 2), at(9));
    if slow > 4 * usual || slow > 10 * SECOND {
        return vec![];
    }
    let long = (TIMES * slow.max(SECOND / 2)).max(4 * SECOND);
    let out: Vec<Pause> = gaps
        .iter()
        .zip(times)
        .filter(|(g, _)| **g >= long && **g <= LONGEST)
        .map(|(g, t)| Pause {
            source,
            from: *t,
            to: t + g,
            missing: (g / quick) as u64,
        })
        .collect();
    if out.len() * 16 > gaps.len() {
        return vec![];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Times by their gaps in tenths of a second.
    fn times(gaps: impl IntoIterator<Item = i64>) -> Vec<Nanos> {
        let mut t = 0;
        std::iter::once(0)
            .chain(gaps.into_iter().map(|g| {
                t += g * SECOND / 10;
                t
            }))
            .collect()
    }

    #[test]
    fn a_hole_in_a_steady_run_shows_and_a_hesitating_hand_has_none() {
        let steady = (0..60).map(|k| if k == 30 { 110 } else { 6 + k % 7 });
        let found = pauses(3, &times(steady));
        assert_eq!(found.len(), 1);
        let p = found[0];
        assert_eq!((p.source, p.to - p.from), (3, 11 * SECOND));
        assert!(p.missing >= 11, "{p:?}");
        // A minute's rest between two lists.
        let rest = (0..60).map(|k| if k == 30 { 600 } else { 6 + k % 7 });
        assert!(pauses(3, &times(rest)).is_empty());
        // Every eighth gap is long: that is its manner.
        let manner = (0..64).map(|k| if k % 8 == 7 { 110 } else { 8 });
        assert!(pauses(3, &times(manner)).is_empty());
        // A person reads, clicks, reads.
        let person = (0..64).map(|k| 20 + (k * 37) % 400);
        assert!(pauses(3, &times(person)).is_empty());
        // Too short to have a pace.
        assert!(pauses(3, &times([8; 20].into_iter().chain([110]))).is_empty());
    }
    proptest! {
        /// Whatever dozen or more consecutive requests of a steady run are taken out, the pause has room for them.
        #[test]
        fn the_pause_has_room_for_what_was_taken_out(
            gaps in proptest::collection::vec(5i64..13, 60..120),
            at in 5usize..40,
            n in 12usize..17,
        ) {
            let all = times(gaps);
            let mut left = all.clone();
            left.drain(at..at + n);
            let found = pauses(0, &left);
            prop_assert_eq!(found.len(), 1);
            prop_assert!(found[0].missing >= n as u64, "{:?}", found);
        }
    }
}
