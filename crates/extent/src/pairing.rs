//! Two logs of the same acts: which record of the one belongs to which of the other. Both keep the order, so the pairs do too; taken one
//! by one, each to its nearest, a program that asks every 1.1 seconds slips a place further with every request where one of the logs
//! has whole seconds, and what is left over stands at the end of its run and not where a line is missing.
use ampleur_event::{Nanos, time::SECOND};

/// A record that the other log may have too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Act {
    pub time: Nanos,
    /// Nothing follows when it is alone: the same line again.
    pub free: bool,
    /// A record of the other log that cannot be read stands in its place.
    pub unread: bool,
}

impl Act {
    pub fn at(time: Nanos) -> Act {
        Act {
            time,
            free: false,
            unread: false,
        }
    }
}

/// What a record alone where one cannot be read is worth against distances.
const UNREAD: Nanos = SECOND;
/// Cells weighed for each record, at most: denser stretches (hundreds a second that lack many) are paired first with first.
const CELLS: usize = 64;
const CELLS_SMALL: usize = 1 << 16;
/// Pairs nobody doubts, at least, that a usual distance is told by.
const KNOWN: usize = 8;

/// For each of `a` its partner in `b`, at most `within` away; both ascending. The fewest are left alone (first of those that are not
/// free), then the sum of `|b - a - usual|` is the least that pairs in order have.
pub(crate) fn in_order(a: &[Act], b: &[Act], within: Nanos, usual: Nanos) -> Vec<Option<usize>> {
    let mut out = vec![None; a.len()];
    for (x, y) in stretches(a, b, within) {
        let found = stretch(&a[x.clone()], &b[y.clone()], within, usual);
        for (to, j) in out[x].iter_mut().zip(found) {
            *to = j.map(|j| y.start + j);
        }
    }
    out
}

/// How many pairs [`in_order`] makes.
pub(crate) fn count(a: &[Act], b: &[Act], within: Nanos) -> usize {
    first_with_first(a, b, within).iter().flatten().count()
}

/// How many of `b` are near enough to each of `a`, all together.
pub(crate) fn within_reach(a: &[Act], b: &[Act], within: Nanos) -> usize {
    let (mut from, mut to) = (0, 0);
    let of = |x: &Act| {
        let t = x.time;
        while b
            .get(from)
            .is_some_and(|y| t.saturating_sub(y.time) > within)
        {
            from += 1;
        }
        to = to.max(from);
        while b
            .get(to)
            .is_some_and(|y| y.time.saturating_sub(t) <= within)
        {
            to += 1;
        }
        to - from
    };
    a.iter().map(of).sum()
}

/// Adds the distances of pairs nobody doubts: stretches of which both logs have as many.
pub(crate) fn sure_distances(a: &[Act], b: &[Act], within: Nanos, out: &mut Vec<Nanos>) {
    for (x, y) in stretches(a, b, within) {
        if let Some(d) = one_to_one(&a[x], &b[y], within) {
            out.extend(d);
        }
    }
}

/// The middle of some distances; none where they are too few to tell.
pub(crate) fn usual(mut d: Vec<Nanos>) -> Nanos {
    if d.len() < KNOWN {
        return 0;
    }
    let middle = d.len() / 2;
    *d.select_nth_unstable(middle).1
}

type Range = std::ops::Range<usize>;

/// Stretches that have records of both and pause longer than `within` around them: no pair crosses a pause.
fn stretches(a: &[Act], b: &[Act], within: Nanos) -> impl Iterator<Item = (Range, Range)> {
    let (mut i, mut j) = (0, 0);
    std::iter::from_fn(move || {
        while i < a.len() && j < b.len() {
            let from = (i, j);
            let mut last = a[i].time.min(b[j].time);
            let near = |x: &[Act], at: usize, last: Nanos| {
                x.get(at)
                    .is_some_and(|x| x.time.saturating_sub(last) <= within)
            };
            loop {
                let (na, nb) = (near(a, i, last), near(b, j, last));
                if na && (!nb || a[i].time <= b[j].time) {
                    last = a[i].time;
                    i += 1;
                } else if nb {
                    last = b[j].time;
                    j += 1;
                } else {
                    break;
                }
            }
            if i > from.0 && j > from.1 {
                return Some((from.0..i, from.1..j));
            }
        }
        None
    })
}

/// Distances of the first of `a` to the first of `b` and so on, when there are as many and all are near.
fn one_to_one(a: &[Act], b: &[Act], within: Nanos) -> Option<impl Iterator<Item = Nanos>> {
    let d = || a.iter().zip(b).map(|(x, y)| y.time.saturating_sub(x.time));
    (a.len() == b.len() && d().all(|d| (-within..=within).contains(&d))).then(d)
}

/// As many pairs as there can be, each with the first that is near enough.
fn first_with_first(a: &[Act], b: &[Act], within: Nanos) -> Vec<Option<usize>> {
    let mut out = vec![None; a.len()];
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let d = b[j].time.saturating_sub(a[i].time);
        if d > within {
            i += 1;
        } else if d < -within {
            j += 1;
        } else {
            out[i] = Some(j);
            i += 1;
            j += 1;
        }
    }
    out
}

/// Records alone (those that are not free, all), then distances.
type Cost = (u32, u32, Nanos);

fn alone(c: Cost, x: &Act) -> Cost {
    let worth = if x.unread { UNREAD } else { 0 };
    (c.0 + u32::from(!x.free), c.1 + 1, c.2 - worth)
}

const PAIR: u8 = 0;
const ALONE_A: u8 = 1;
const ALONE_B: u8 = 2;

/// [`in_order`] of one stretch: the best way through the table of "so many of `a` and so many of `b` are done". No way of fewest alone
/// strays further from the diagonal than there are records alone, nor further than `within`; the rest of the table is left out.
fn stretch(a: &[Act], b: &[Act], within: Nanos, usual: Nanos) -> Vec<Option<usize>> {
    if one_to_one(a, b, within).is_some() {
        return (0..a.len()).map(Some).collect();
    }
    let simple = first_with_first(a, b, within);
    let pairs = simple.iter().flatten().count();
    let (alone_a, alone_b) = (a.len() - pairs, b.len() - pairs);
    if pairs == 0 {
        return simple;
    }
    // Row `i`: `i` of `a` are done, and from `lo` to `hi` of `b`.
    let before = |t: Nanos| b.partition_point(|y| y.time < t);
    let rows: Vec<(usize, usize)> = (0..=a.len())
        .map(|i| {
            // What lies before the reach of the last done is done, what lies behind the reach of the next is not yet.
            let done = i.checked_sub(1).map(|i| &a[i]);
            let lo = done.map_or(0, |x| before(x.time.saturating_sub(within)));
            let reach = |x: &Act| before(x.time.saturating_add(within).saturating_add(1));
            let hi = a.get(i).map_or(b.len(), reach);
            (lo.max(i.saturating_sub(alone_a)), hi.min(i + alone_b))
        })
        .collect();
    let cells: usize = rows
        .iter()
        .map(|(lo, hi)| (hi + 1).saturating_sub(*lo))
        .sum();
    if rows.iter().any(|(lo, hi)| lo > hi) || cells > CELLS_SMALL.max(CELLS * (a.len() + b.len())) {
        return simple;
    }
    const NEVER: Cost = (u32::MAX, u32::MAX, Nanos::MAX);
    let mut steps: Vec<u8> = Vec::with_capacity(cells);
    let mut starts: Vec<usize> = Vec::with_capacity(rows.len());
    let mut above: Vec<Cost> = vec![];
    for (i, (lo, hi)) in rows.iter().copied().enumerate() {
        starts.push(steps.len());
        let mut row: Vec<Cost> = Vec::with_capacity(hi + 1 - lo);
        for j in lo..=hi {
            let mut best = (NEVER, PAIR);
            let mut offer = |c: Cost, step: u8| {
                if c < best.0 {
                    best = (c, step);
                }
            };
            if let Some(x) = i.checked_sub(1).map(|i| &a[i]) {
                let (from, to) = rows[i - 1];
                let up = |j: usize| above[j - from];
                if j > from && j <= to + 1 {
                    let (c, d) = (up(j - 1), b[j - 1].time.saturating_sub(x.time));
                    if c != NEVER && (-within..=within).contains(&d) {
                        offer((c.0, c.1, c.2 + (d - usual).abs()), PAIR);
                    }
                }
                if (from..=to).contains(&j) && up(j) != NEVER {
                    offer(alone(up(j), x), ALONE_A);
                }
            } else if j == 0 {
                offer((0, 0, 0), PAIR);
            }
            if j > lo && row[j - 1 - lo] != NEVER {
                offer(alone(row[j - 1 - lo], &b[j - 1]), ALONE_B);
            }
            row.push(best.0);
            steps.push(best.1);
        }
        above = row;
    }
    if above.last().is_none_or(|c| *c == NEVER) {
        return simple;
    }
    let mut out = vec![None; a.len()];
    let (mut i, mut j) = (a.len(), b.len());
    while i > 0 || j > 0 {
        match steps[starts[i] + j - rows[i].0] {
            ALONE_A => i -= 1,
            ALONE_B => j -= 1,
            _ => {
                i -= 1;
                j -= 1;
                out[i] = Some(j);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WITHIN: Nanos = 3 * SECOND;

    /// Acts by their times in tenths of a second.
    fn acts(tenths: &[i64]) -> Vec<Act> {
        tenths.iter().map(|t| Act::at(t * SECOND / 10)).collect()
    }
    /// The same in whole seconds, as a proxy writes them.
    fn floored(acts: &[Act]) -> Vec<Act> {
        let floor = |x: &Act| Act::at(x.time.div_euclid(SECOND) * SECOND);
        acts.iter().map(floor).collect()
    }
    fn without<T: Clone>(all: &[T], i: usize) -> Vec<T> {
        [&all[..i], &all[i + 1..]].concat()
    }

    #[test]
    fn a_constant_pace_does_not_slip() {
        for pace in 1..40 {
            let times: Vec<i64> = (0..40).map(|i| 4 + i * pace).collect();
            let a = acts(&times);
            let found = in_order(&a, &floored(&a), WITHIN, 0);
            assert_eq!(found, (0..40).map(Some).collect::<Vec<_>>(), "{pace}");
        }
    }
    #[test]
    fn the_one_alone_stands_where_the_line_is_missing() {
        for pace in 10..30 {
            for lost in 0..40 {
                let times: Vec<i64> = (0..40).map(|i| 4 + i * pace).collect();
                let a = acts(&times);
                let b = without(&floored(&a), lost);
                let found = in_order(&a, &b, WITHIN, -SECOND / 2);
                assert_eq!(found[lost], None, "pace {pace} lost {lost}");
                assert_eq!(found.iter().flatten().count(), 39);
            }
        }
    }
    #[test]
    fn an_unread_record_decides_among_equals() {
        let times: Vec<i64> = (0..40).map(|i| i * 2).collect();
        for lost in 0..40 {
            let mut a = acts(&times);
            a[lost].unread = true;
            let b = without(&acts(&times), lost);
            assert_eq!(in_order(&a, &b, WITHIN, 0)[lost], None);
        }
        // But it does not pull the one alone across a run: another line is missing there.
        let times: Vec<i64> = (0..40).map(|i| i * 12).collect();
        let mut a = acts(&times);
        a[30].unread = true;
        assert_eq!(in_order(&a, &without(&acts(&times), 5), WITHIN, 0)[5], None);
    }
    #[test]
    fn a_line_delivered_twice_takes_nobodys_partner() {
        let times: Vec<i64> = (0..40).map(|i| i * 3).collect();
        let b = acts(&times);
        for twice in 0..40 {
            let mut a = b.clone();
            a.insert(
                twice + 1,
                Act {
                    free: true,
                    ..a[twice]
                },
            );
            let lost = in_order(&a, &without(&b, 20), WITHIN, 0);
            let alone: Vec<&Act> = a
                .iter()
                .zip(&lost)
                .filter(|x| x.1.is_none())
                .map(|x| x.0)
                .collect();
            assert_eq!(
                (alone.len(), alone.iter().filter(|x| !x.free).count()),
                (2, 1)
            );
            let whole = in_order(&a, &b, WITHIN, 0);
            assert!(
                a.iter()
                    .zip(whole)
                    .all(|(x, p)| x.free || p.is_some() || a[twice] == *x)
            );
        }
    }
    #[test]
    fn the_usual_distance_is_told_by_stretches_of_as_many() {
        let times: Vec<i64> = (0..40).map(|i| i * 47).collect();
        let (a, mut b) = (acts(&times), acts(&times));
        b.iter_mut().for_each(|x| x.time += SECOND);
        let mut d = vec![];
        sure_distances(&a, &without(&b, 7), WITHIN, &mut d);
        assert_eq!((d.len(), usual(d)), (39, SECOND));
        assert_eq!(usual(vec![SECOND; 7]), 0);
    }
    #[test]
    fn long_runs_are_paired_in_a_moment() {
        // A hundred a second for a quarter of an hour; forty lines are lost and as many come twice.
        let a: Vec<Act> = (0..90_000).map(|i| Act::at(i * SECOND / 100)).collect();
        let mut b = floored(&a);
        for i in (0..40).rev() {
            let at = i * 2_111 + 77;
            b.remove(at);
            b.insert(at + 1000, b[at + 1000]);
        }
        let found = in_order(&a, &b, WITHIN, -SECOND / 2);
        let mut last = None;
        for (x, p) in a.iter().zip(&found) {
            let Some(j) = *p else { continue };
            assert!(last < Some(j) && (b[j].time - x.time).abs() <= WITHIN);
            last = Some(j);
        }
        assert_eq!(found.iter().flatten().count(), count(&a, &b, WITHIN));
    }

    /// The least cost of all ways there are.
    fn slow(a: &[Act], b: &[Act], usual: Nanos) -> Cost {
        let (Some((x, rest_a)), Some((y, rest_b))) = (a.split_first(), b.split_first()) else {
            return a.iter().chain(b).fold((0, 0, 0), alone);
        };
        let mut best = alone(slow(rest_a, b, usual), x).min(alone(slow(a, rest_b, usual), y));
        let d = y.time - x.time;
        if d.abs() <= WITHIN {
            let c = slow(rest_a, rest_b, usual);
            best = best.min((c.0, c.1, c.2 + (d - usual).abs()));
        }
        best
    }
    fn cost(a: &[Act], b: &[Act], found: &[Option<usize>], usual: Nanos) -> Cost {
        let mut c = (0, 0, 0);
        let mut with = vec![false; b.len()];
        for (x, p) in a.iter().zip(found) {
            match p {
                None => c = alone(c, x),
                Some(j) => {
                    with[*j] = true;
                    c.2 += (b[*j].time - x.time - usual).abs();
                }
            }
        }
        let left = b.iter().zip(with).filter(|x| !x.1).map(|x| x.0);
        left.fold(c, alone)
    }

    fn some() -> impl Strategy<Value = Vec<Act>> {
        let one = (0i64..90, 0u8..5, 0u8..5);
        proptest::collection::vec(one, 0..8).prop_map(|list| {
            let mut acts: Vec<Act> = list
                .into_iter()
                .map(|(t, free, unread)| Act {
                    time: t * SECOND / 10,
                    free: free == 0,
                    unread: unread == 0,
                })
                .collect();
            acts.sort();
            acts
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        /// The pairs are in order, each near, and as good as any.
        #[test]
        fn as_good_as_any(a in some(), b in some(), usual in -20i64..20) {
            let usual = usual * SECOND / 10;
            let found = in_order(&a, &b, WITHIN, usual);
            let pairs: Vec<(usize, usize)> = found.iter().enumerate().filter_map(|(i, p)| p.map(|j| (i, j))).collect();
            for (i, j) in &pairs {
                prop_assert!((b[*j].time - a[*i].time).abs() <= WITHIN);
            }
            prop_assert!(pairs.windows(2).all(|w| w[0].1 < w[1].1));
            prop_assert_eq!(pairs.len(), count(&a, &b, WITHIN));
            prop_assert_eq!(cost(&a, &b, &found, usual), slow(&a, &b, usual));
        }
    }
}
