//! Two sources, the same acts: clocks that disagree, and lines that one has and the other lacks.
use super::{
    Unaudited, Why,
    observe::{Observation, RejectMark, Sample, Touch},
};
use crate::pairing::{self, Act};
use ampleur_event::{
    Nanos, Window,
    time::{HOUR, MINUTE, SECOND, at_no_fixed_minute, densest},
};
use std::collections::BTreeMap;

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

/// Farthest that two clocks are searched apart: zone mistakes and dead batteries of a day are found by their owner.
const REACH: Nanos = 3 * HOUR;
/// What follows a tunnel or a login comes within this time; a smaller difference is no clock.
const LAG: Nanos = 180 * SECOND;
const VOTES: usize = 400_000;

/// `b` minus `a` for one pair of sources.
#[derive(Debug, Clone, Copy)]
struct Difference {
    a: u32,
    b: u32,
    nanos: Nanos,
    slack: Nanos,
    pairs: u64,
}

/// Clocks that are off by more than their uncertainty, sorted by source.
pub(super) fn clocks(per: &BTreeMap<u32, Observation>, tells: &BTreeMap<u32, bool>) -> Vec<Clock> {
    let mut found: Vec<Difference> = Vec::new();
    let ids: Vec<u32> = per.keys().copied().collect();
    for (i, a) in ids.iter().enumerate() {
        for b in &ids[i + 1..] {
            if let Some(d) = difference(&per[a], &per[b], *a, *b) {
                found.push(d);
            }
        }
    }
    let agrees = |d: &Difference| d.nanos.abs() <= d.slack;
    let mut wrong: BTreeMap<u32, Clock> = BTreeMap::new();
    // The source that disagrees with most others, and whose others agree among themselves, is the one that is off.
    loop {
        let open: Vec<&Difference> = found
            .iter()
            .filter(|d| !agrees(d) && !wrong.contains_key(&d.a) && !wrong.contains_key(&d.b))
            .collect();
        let mut score: BTreeMap<u32, (i64, bool)> = BTreeMap::new();
        for d in &open {
            for s in [d.a, d.b] {
                let good = found
                    .iter()
                    .filter(|x| agrees(x) && (x.a == s || x.b == s))
                    .count() as i64;
                let bad = open.iter().filter(|x| x.a == s || x.b == s).count() as i64;
                score.insert(s, (bad - good, !tells.get(&s).copied().unwrap_or(false)));
            }
        }
        // On a tie the source that tells keeps its clock: the answer is dated by it.
        let Some((s, _)) = score
            .iter()
            .max_by_key(|(s, v)| (**v, std::cmp::Reverse(**s)))
        else {
            break;
        };
        let s = *s;
        let Some(best) = open
            .iter()
            .filter(|d| d.a == s || d.b == s)
            .max_by_key(|d| (d.pairs, std::cmp::Reverse(d.slack)))
        else {
            break;
        };
        let add = if best.a == s { best.nanos } else { -best.nanos };
        let (offset_s, uncertainty_s) = (
            add as f64 / SECOND as f64,
            best.slack as f64 / SECOND as f64,
        );
        wrong.insert(
            s,
            Clock {
                source: s,
                offset_s,
                uncertainty_s,
                pairs: best.pairs,
                against: if best.a == s { best.b } else { best.a },
                why: Why::new(
                    format!(
                        "ajouter {offset_s:.0} s (± {uncertainty_s:.0} s), d’après {} actes vus aussi par une autre source",
                        best.pairs
                    ),
                    format!(
                        "add {offset_s:.0} s (± {uncertainty_s:.0} s), from {} acts another source saw too",
                        best.pairs
                    ),
                ),
            },
        );
    }
    wrong.into_values().collect()
}

fn difference(a: &Observation, b: &Observation, ia: u32, ib: u32) -> Option<Difference> {
    if let Some(mut d) = shared(&a.by_request, &b.by_request) {
        d.sort_unstable();
        if d.len() >= 5 {
            let median = d[d.len() / 2];
            let mut dev: Vec<Nanos> = d.iter().map(|x| (x - median).abs()).collect();
            dev.sort_unstable();
            let slack = (3 * dev[dev.len() / 2]).max(2 * SECOND);
            return Some(Difference {
                a: ia,
                b: ib,
                nanos: median,
                slack,
                pairs: d.len() as u64,
            });
        }
    }
    // The same accesses in two journals: most must coincide, or do so after one shift.
    let times = |s: &Sample<Touch>| Sample {
        items: s.items.iter().map(|(k, t)| (*k, t.time)).collect(),
        ..Sample::like(s)
    };
    let (ta, tb) = (times(&a.by_address), times(&b.by_address));
    let small = ta.items.len().min(tb.items.len()) as u64;
    if small >= 20 {
        let now = hits(&a.by_address, &b.by_address, 0);
        let d = Difference {
            a: ia,
            b: ib,
            nanos: 0,
            slack: 5 * SECOND,
            pairs: now,
        };
        if now * 2 >= small {
            return Some(d);
        }
        if let Some((n, pairs)) = mode(votes(&ta, &tb), 4 * SECOND)
            && hits(&a.by_address, &b.by_address, n) * 2 >= small
        {
            return Some(Difference {
                nanos: n,
                pairs,
                ..d
            });
        }
        return None;
    }
    // What speaks from a lent address does so while its tunnel is up.
    let t = tunnels(a, b, ia, ib).or_else(|| {
        tunnels(b, a, ib, ia).map(|d| Difference {
            a: ia,
            b: ib,
            nanos: -d.nanos,
            ..d
        })
    });
    // Logins and what follows them prove agreement; a difference only where most are heard at one sharp distance.
    let d = |nanos, pairs| Difference {
        a: ia,
        b: ib,
        nanos,
        slack: LAG,
        pairs,
    };
    t.or_else(|| {
        follows(a, b)
            .or_else(|| follows(b, a))
            .map(|pairs| d(0, pairs))
    })
    .or_else(|| apart(a, b).map(|(nanos, pairs)| d(nanos, pairs)))
    .or_else(|| apart(b, a).map(|(nanos, pairs)| d(-nanos, pairs)))
}

/// How far, and how often, an address that logs in at `a` begins to speak in `b`; `None` unless most do so at one sharp distance, and
/// at no other: what comes back every few minutes meets itself at every multiple.
fn apart(a: &Observation, b: &Observation) -> Option<(Nanos, u64)> {
    const SHARP: Nanos = MINUTE;
    // A job that runs at its hour meets what runs at another: only who comes at no fixed minute tells a clock.
    let mut times: BTreeMap<u64, Vec<Nanos>> = BTreeMap::new();
    for (k, t) in &a.logins.items {
        times.entry(*k).or_default().push(*t);
    }
    times.retain(|_, t| at_no_fixed_minute(t));
    let mut people = Sample::like(&a.logins);
    people.items = a
        .logins
        .items
        .iter()
        .filter(|(k, _)| times.contains_key(k))
        .copied()
        .collect();
    let (mut v, took) = votes(&people, &b.starts);
    v.sort_unstable();
    let (peak, best) = mode((v.clone(), took), SHARP)?;
    if peak.abs() <= LAG + MINUTE {
        return None;
    }
    let (near, others): (Vec<Nanos>, Vec<Nanos>) =
        v.into_iter().partition(|d| (d - peak).abs() <= 2 * SHARP);
    // People are never exact: what always comes after the same time to the millisecond is a program's own delay.
    if near[near.len() * 3 / 4] - near[near.len() / 4] < SECOND / 2 {
        return None;
    }
    if densest(&others, SHARP).0 as u64 * 2 > best {
        return None;
    }
    let level = people.level.max(b.starts.level);
    let (ga, gb) = (grouped(&people, level), grouped(&b.starts, level));
    let (mut pairs, mut usual, mut addresses) = (0u64, 0u64, 0u64);
    for (k, ta) in &ga {
        let Some(tb) = gb.get(k) else { continue };
        let heard = |t: &Nanos, from: Nanos, to: Nanos| {
            let i = tb.partition_point(|x| *x < t.saturating_add(from));
            tb.get(i).is_some_and(|x| *x <= t.saturating_add(to))
        };
        let there = |t: &&Nanos| heard(t, peak - SHARP, peak + SHARP);
        let n = ta.iter().filter(there).count() as u64;
        pairs += n;
        addresses += u64::from(n > 0);
        usual += ta.iter().filter(|t| heard(t, -LAG, LAG)).count() as u64;
    }
    (pairs >= 20 && addresses >= 5 && pairs * 10 >= took * 6 && pairs >= 2 * usual)
        .then_some((peak, pairs))
}

/// How many addresses that begin to speak in `a` begin in `b` within [`LAG`]; `None` when that is not the rule.
fn follows(a: &Observation, b: &Observation) -> Option<u64> {
    let level = a.starts.level.max(b.starts.level);
    let (ga, gb) = (grouped(&a.starts, level), grouped(&b.starts, level));
    let (mut n, mut hit) = (0u64, 0u64);
    for (k, ta) in &ga {
        let Some(tb) = gb.get(k) else { continue };
        for t in ta {
            n += 1;
            let i = tb.partition_point(|x| *x < t.saturating_sub(10 * SECOND));
            hit += u64::from(tb.get(i).is_some_and(|x| *x <= t.saturating_add(LAG)));
        }
    }
    (n >= 10 && hit * 10 >= n * 6).then_some(hit)
}

/// The clock of the gateway `a` against `b`, which hears what comes out of its tunnels.
fn tunnels(a: &Observation, b: &Observation, ia: u32, ib: u32) -> Option<Difference> {
    let level = a.tunnels.level.max(a.downs.level).max(b.starts.level);
    let (up, down, heard) = (
        grouped(&a.tunnels, level),
        grouped(&a.downs, level),
        grouped(&b.starts, level),
    );
    // Share of starts inside a tunnel of their address when `shift` is added to the gateway's times.
    let none = Vec::new();
    let inside = |shift: Nanos| {
        let (mut n, mut hit) = (0u64, 0u64);
        for (k, starts) in &heard {
            let Some(ups) = up.get(k) else { continue };
            let downs = down.get(k).unwrap_or(&none);
            for t in starts {
                n += 1;
                let t = t.saturating_sub(shift);
                let i = ups.partition_point(|u| *u <= t.saturating_add(5 * SECOND));
                if i == 0 {
                    continue;
                }
                let u = ups[i - 1];
                let j = downs.partition_point(|d| *d < u);
                let end = downs.get(j).copied().unwrap_or(u.saturating_add(24 * HOUR));
                hit += u64::from(t <= end.saturating_add(5 * SECOND));
            }
        }
        (n, hit)
    };
    let (n, hit) = inside(0);
    if n < 6 {
        return None;
    }
    let d = Difference {
        a: ia,
        b: ib,
        nanos: 0,
        slack: LAG,
        pairs: n,
    };
    let agrees = (hit * 10 >= n * 7).then_some(d);
    let Some((peak, pairs)) = mode(votes(&a.tunnels, &b.starts), 120 * SECOND) else {
        return agrees;
    };
    // People speak within minutes of coming up; a peak elsewhere is a clock only when it puts nearly all of them inside.
    if (-10 * SECOND..=10 * MINUTE).contains(&peak) {
        return agrees;
    }
    // Half the usual lag between coming up and speaking is taken away; the rest is in the uncertainty.
    let shift = peak - LAG / 2;
    let now = inside(shift).1;
    if now * 20 >= n * 19 && now >= hit + n / 10 {
        return Some(Difference {
            nanos: shift,
            slack: LAG / 2 + 60 * SECOND,
            pairs,
            ..d
        });
    }
    agrees
}

/// Addresses of a gateway's pool that speak elsewhere while no tunnel lends them: `(gateway, heard by, window, how many)`. Only
/// said of pools that are otherwise nearly always lent by a tunnel, and of gateways whose tunnels have ends. An address nobody was lent
/// is of the pool when three of its neighbours are.
pub(super) fn orphans(per: &BTreeMap<u32, Observation>) -> Vec<(u32, u32, Window, u64)> {
    let mut out = Vec::new();
    for (ia, a) in per.iter().filter(|(_, o)| {
        o.tunnels.items.len() >= 10 && o.downs.items.len() * 2 >= o.tunnels.items.len()
    }) {
        let Some((first, last)) = a.span() else {
            continue;
        };
        for (ib, b) in per.iter().filter(|(ib, _)| *ib != ia) {
            let level = a.tunnels.level.max(a.downs.level).max(b.starts.level);
            let (up, down, heard) = (
                grouped(&a.tunnels, level),
                grouped(&a.downs, level),
                grouped(&b.starts, level),
            );
            let none = Vec::new();
            let mut pools: BTreeMap<u64, usize> = BTreeMap::new();
            for n in up.keys().filter_map(|k| a.near.get(k)) {
                *pools.entry(*n).or_default() += 1;
            }
            let pooled =
                |k: &u64| (b.near.get(k)).is_some_and(|n| pools.get(n).is_some_and(|p| *p >= 3));
            let (mut lent, mut lone) = (0usize, Vec::new());
            for (k, starts) in &heard {
                let ups = match up.get(k) {
                    Some(ups) => ups,
                    None if pooled(k) => &none,
                    None => continue,
                };
                let downs = down.get(k).unwrap_or(&none);
                for t in starts.iter().filter(|t| **t >= first + HOUR && **t <= last) {
                    let i = ups.partition_point(|u| *u <= t.saturating_add(5 * MINUTE));
                    let held = i > 0 && {
                        let j = downs.partition_point(|d| *d < ups[i - 1]);
                        downs
                            .get(j)
                            .is_none_or(|d| *t <= d.saturating_add(10 * MINUTE))
                    };
                    if held {
                        lent += 1;
                    } else {
                        lone.push(*t);
                    }
                }
            }
            if lent < 10 || lone.len() * 3 > lent {
                continue;
            }
            lone.sort_unstable();
            for run in lone.chunk_by(|x, y| y - x <= 2 * HOUR) {
                let w = Window::new(run[0], run[run.len() - 1].saturating_add(1_000_000));
                out.push((*ia, *ib, w, 1));
            }
        }
    }
    out.truncate(4096);
    out
}

/// Differences of the instants of keys that each side has exactly once.
fn shared(a: &Sample<Nanos>, b: &Sample<Nanos>) -> Option<Vec<Nanos>> {
    let (a, b) = (once(a, b.level), once(b, a.level));
    let mut rest = b.iter().peekable();
    let mut d: Vec<Nanos> = vec![];
    for (k, t) in &a {
        while rest.next_if(|x| x.0 < *k).is_some() {}
        if let Some((_, other)) = rest.next_if(|x| x.0 == *k) {
            d.push(other - t);
        }
    }
    (!d.is_empty()).then_some(d)
}

/// Keys that occur once, ascending.
fn once(s: &Sample<Nanos>, level: u32) -> Vec<(u64, Nanos)> {
    let mut items: Vec<(u64, Nanos)> = s.kept_at(level).copied().collect();
    items.sort_unstable();
    items
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|same| same.len() == 1)
        .map(|one| one[0])
        .collect()
}

fn grouped(s: &Sample<Nanos>, level: u32) -> BTreeMap<u64, Vec<Nanos>> {
    let mut s = s.clone();
    s.thin(level);
    let mut m: BTreeMap<u64, Vec<Nanos>> = BTreeMap::new();
    for (k, t) in s.items {
        m.entry(k).or_default().push(t);
    }
    m.values_mut().for_each(|v| v.sort_unstable());
    m
}

/// Every difference `b - a` under one key within [`REACH`], and how many instants of `a` took part.
fn votes(a: &Sample<Nanos>, b: &Sample<Nanos>) -> (Vec<Nanos>, u64) {
    let (ga, gb) = (grouped(a, b.level), grouped(b, a.level));
    let mut out = Vec::new();
    let mut took = 0;
    for (k, ta) in &ga {
        let Some(tb) = gb.get(k) else { continue };
        for t in ta {
            let from = tb.partition_point(|x| *x < t.saturating_sub(REACH));
            let before = out.len();
            for x in tb[from..]
                .iter()
                .take_while(|x| **x <= t.saturating_add(REACH))
            {
                out.push(x - t);
                if out.len() >= VOTES {
                    return (out, took + 1);
                }
            }
            took += u64::from(out.len() > before);
        }
    }
    (out, took)
}

/// The difference most pairs agree on: `(median of the peak, pairs in it)`; `None` when no peak stands out.
fn mode((mut v, took): (Vec<Nanos>, u64), width: Nanos) -> Option<(Nanos, u64)> {
    if v.len() < 6 {
        return None;
    }
    v.sort_unstable();
    let (mut best, mut at, mut lo) = (0usize, 0usize, 0usize);
    for hi in 0..v.len() {
        while v[hi] - v[lo] > width {
            lo += 1;
        }
        let n = hi - lo + 1;
        // Of equal peaks the one nearest to no difference at all.
        if n > best || (n == best && v[(lo + hi) / 2].abs() < v[at + best / 2].abs()) {
            best = n;
            at = lo;
        }
    }
    let noise = v.len() as f64 * width as f64 / (2 * REACH) as f64;
    (best >= 6 && best as f64 >= 5.0 * noise && best as u64 * 10 >= took * 3)
        .then(|| (v[at + best / 2], best as u64))
}

/// Accesses that `seen_by` has and `source` lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lack {
    pub source: u32,
    pub seen_by: u32,
    /// From the first of them to the last.
    pub window: Window,
    /// From the last access that is there to the next one.
    pub hole: Window,
    pub count: u64,
    /// The one client they all came from.
    pub who: Option<u64>,
}

/// The outcome of comparing every pair of telling sources.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub lacks: Vec<Lack>,
    /// Sources of which nearly every access another source saw was found: `(source, seen_by, matched)`.
    pub verified: Vec<(u32, u32, u64)>,
    /// Source, and another that repeats every access it shows.
    pub repeated: Vec<(u32, u32)>,
    pub unaudited: Vec<Unaudited>,
    pub recaptures: Vec<Recapture>,
}

/// Accesses two sources should both have seen (capture–recapture). A figure for the method page, never a bound: a sample when the
/// sources are large.
#[derive(Debug, Clone, PartialEq)]
pub struct Recapture {
    pub a: u32,
    pub b: u32,
    pub seen_a: u64,
    pub seen_b: u64,
    pub both: u64,
    /// Chapman's estimate of all accesses, seen by either or by neither.
    pub estimate: f64,
}

impl Recapture {
    fn of(a: u32, b: u32, seen_a: u64, seen_b: u64, both: u64) -> Recapture {
        let (n, m, k) = (seen_a as f64, seen_b as f64, both as f64);
        Recapture {
            a,
            b,
            seen_a,
            seen_b,
            both,
            estimate: (n + 1.0) * (m + 1.0) / (k + 1.0) - 1.0,
        }
    }
}

/// Whether `second` was seen to record the accesses of `first`; see [`super::Coverage::stands_in`].
pub(super) fn stands_in(
    recaptures: &[Recapture],
    unaudited: &[Unaudited],
    second: u32,
    first: u32,
) -> bool {
    recaptures
        .iter()
        .any(|r| (r.a, r.b) == (first, second) || (r.a, r.b) == (second, first))
        && !unaudited
            .iter()
            .any(|u| u.source == second && u.seen_by == first)
}

const TOLERANCE: Nanos = 3 * SECOND;
const RUN_PAUSE: Nanos = 30 * MINUTE;

/// Compares every pair of sources both ways, their clocks already put right. Accesses in gaps that are known to hold nothing are
/// not counted.
pub(super) fn compare(
    per: &BTreeMap<u32, Observation>,
    pairs: &[(u32, u32)],
    known_gaps: &BTreeMap<u32, Vec<Window>>,
) -> Compared {
    let mut out = Compared::default();
    for (a, b) in pairs {
        let (Some(oa), Some(ob)) = (per.get(a), per.get(b)) else {
            continue;
        };
        let ways = [
            (&oa.by_address, &ob.by_address),
            (&oa.by_account, &ob.by_account),
        ];
        let best = ways
            .into_iter()
            .map(|(x, y)| {
                let (x, y) = (rows(x, y.level, 0), rows(y, x.level, 0));
                (count(&x, &y), x, y)
            })
            .max_by_key(|m| m.0);
        let Some((_, x, y)) = best.filter(|m| m.0 >= 20) else {
            continue;
        };
        let m = matched(x, y, &unread(oa), &unread(ob));
        // Only actions both record say anything of what both missed.
        let shared = |rows: &[Row]| {
            let mut t: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
            for r in rows.iter().filter(|r| r.touch.served) {
                let x = t.entry(r.touch.class).or_default();
                x.0 += 1;
                x.1 += u64::from(r.hit);
            }
            t.values()
                .filter(|(n, hit)| hit * 2 >= *n)
                .fold((0, 0), |s, x| (s.0 + x.0, s.1 + x.1))
        };
        let ((na, ka), (nb, kb)) = (shared(&m.a), shared(&m.b));
        out.recaptures
            .push(Recapture::of(*a, *b, na, nb, ka.min(kb)));
        // A log that shows more than its twin is not repeated by it: what was taken out of it may have stood there alone.
        for (of, by, rows) in [(*a, *b, &m.a), (*b, *a, &m.b)] {
            if rows.iter().all(|r| r.hit || !r.touch.served) {
                out.repeated.push((of, by));
            }
        }
        for (of, by, rows, o) in [(*b, *a, &m.a, oa), (*a, *b, &m.b, ob)] {
            one_way(&mut out, per, of, by, rows, &o.classes, known_gaps);
        }
    }
    out.lacks
        .sort_by_key(|l| (l.source, l.window.from, l.window.to, l.seen_by));
    out.verified.sort_unstable();
    out.unaudited.sort();
    out.unaudited.dedup();
    out
}

struct Row {
    who: u64,
    touch: Touch,
    hit: bool,
}

struct Matched {
    a: Vec<Row>,
    b: Vec<Row>,
}

/// Accesses by client, then in order; `shift` is added to their times.
fn rows(s: &Sample<Touch>, level: u32, shift: Nanos) -> Vec<Row> {
    let row = |(who, t): &(u64, Touch)| Row {
        who: *who,
        touch: Touch {
            time: t.time.saturating_add(shift),
            ..*t
        },
        hit: false,
    };
    let mut v: Vec<Row> = s.kept_at(level).map(row).collect();
    v.sort_unstable_by_key(|r| (r.who, r.touch));
    v
}

/// What one client did in both logs: where its rows lie.
fn clients<'r>(a: &'r [Row], b: &'r [Row]) -> impl Iterator<Item = (Range, Range)> + 'r {
    let (mut i, mut j) = (0, 0);
    std::iter::from_fn(move || {
        while i < a.len() && j < b.len() {
            let who = a[i].who.max(b[j].who);
            let run = |v: &[Row], from: usize| {
                let from = from + v[from..].partition_point(|r| r.who < who);
                from..from + v[from..].partition_point(|r| r.who == who)
            };
            let (x, y) = (run(a, i), run(b, j));
            (i, j) = (x.end, y.end);
            if !x.is_empty() && !y.is_empty() {
                return Some((x, y));
            }
        }
        None
    })
}
type Range = std::ops::Range<usize>;

/// A line delivered twice is one access. Of times in whole seconds nobody knows whether they are twins.
fn acts(rows: &[Row]) -> Vec<Act> {
    let twin =
        |i: usize| i > 0 && rows[i - 1].touch == rows[i].touch && rows[i].touch.time % SECOND != 0;
    let act = |(i, r): (usize, &Row)| Act {
        free: twin(i),
        ..Act::at(r.touch.time)
    };
    rows.iter().enumerate().map(act).collect()
}

/// Accesses of the same client within [`TOLERANCE`], each used once.
fn hits(a: &Sample<Touch>, b: &Sample<Touch>, shift_a: Nanos) -> u64 {
    count(&rows(a, b.level, shift_a), &rows(b, a.level, 0))
}
fn count(a: &[Row], b: &[Row]) -> u64 {
    let n = |(x, y): (Range, Range)| pairing::count(&acts(&a[x]), &acts(&b[y]), TOLERANCE);
    clients(a, b).map(n).sum::<usize>() as u64
}

/// When a record that could not be read was made, as far as its neighbours tell; ascending.
fn unread(o: &Observation) -> Vec<Nanos> {
    let near = |r: &&RejectMark| (0..=2 * TOLERANCE).contains(&r.before.saturating_sub(r.after));
    let mut times: Vec<Nanos> = o
        .rejects
        .iter()
        .filter(near)
        .map(|r| r.after + (r.before - r.after) / 2)
        .collect();
    times.sort_unstable();
    times
}

/// Joins those accesses in order, and what is alone stands where the other log lacks it; `unread_a`, `unread_b`: times of records
/// nobody can read.
fn matched(mut va: Vec<Row>, mut vb: Vec<Row>, unread_a: &[Nanos], unread_b: &[Nanos]) -> Matched {
    let mut sure = vec![];
    for (x, y) in clients(&va, &vb) {
        pairing::sure_distances(&acts(&va[x]), &acts(&vb[y]), TOLERANCE, &mut sure);
    }
    let usual = pairing::usual(sure);
    let marked = |rows: &[Row], unread: &[Nanos], to: Nanos| {
        let mut acts = acts(rows);
        if !unread.is_empty() {
            for x in &mut acts {
                let t = x.time.saturating_add(to);
                let i = unread.partition_point(|u| *u < t.saturating_sub(SECOND));
                x.unread = unread
                    .get(i)
                    .is_some_and(|u| *u <= t.saturating_add(SECOND));
            }
        }
        acts
    };
    let mut pairs: Vec<(usize, usize)> = vec![];
    for (x, y) in clients(&va, &vb) {
        let (xs, ys) = (
            marked(&va[x.clone()], unread_b, usual),
            marked(&vb[y.clone()], unread_a, -usual),
        );
        let found = pairing::in_order(&xs, &ys, TOLERANCE, usual);
        let pair = |(i, j): (usize, Option<usize>)| j.map(|j| (x.start + i, y.start + j));
        pairs.extend(found.into_iter().enumerate().filter_map(pair));
    }
    for (i, j) in pairs {
        va[i].hit = true;
        vb[j].hit = true;
    }
    // The twin of a matched row is matched.
    for v in [&mut va, &mut vb] {
        for i in 1..v.len() {
            if v[i - 1].who == v[i].who
                && v[i - 1].touch == v[i].touch
                && (v[i - 1].hit || v[i].hit)
            {
                v[i - 1].hit = true;
                v[i].hit = true;
            }
        }
    }
    Matched { a: va, b: vb }
}

/// Rows of `by` that `of` lacks.
fn one_way(
    out: &mut Compared,
    per: &BTreeMap<u32, Observation>,
    of: u32,
    by: u32,
    rows: &[Row],
    classes: &BTreeMap<u32, String>,
    known_gaps: &BTreeMap<u32, Vec<Window>>,
) {
    let Some((first, last)) = per[&of].span() else {
        return;
    };
    let none = Vec::new();
    let gaps = known_gaps.get(&of).unwrap_or(&none);
    let inside = |t: Nanos| t >= first && t <= last && !gaps.iter().any(|g| g.contains(t));
    let mut tally: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for r in rows
        .iter()
        .filter(|r| r.touch.served && inside(r.touch.time))
    {
        let t = tally.entry(r.touch.class).or_default();
        t.0 += 1;
        t.1 += u64::from(r.hit);
    }
    let audited = |c: u32| {
        tally
            .get(&c)
            .is_some_and(|(n, hit)| *hit >= 5 && hit * 2 >= *n)
    };
    let sure = |c: u32| {
        tally
            .get(&c)
            .is_some_and(|(n, hit)| *n >= 100 && hit * 200 >= n * 199)
    };
    for (class, (n, hit)) in &tally {
        if *n >= 5 && hit * 50 <= *n {
            out.unaudited.push(Unaudited {
                source: of,
                seen_by: by,
                action: classes.get(class).cloned().unwrap_or_default(),
                count: *n,
            });
        }
    }
    let rejects = &per[&of].rejects;
    let explained = |t: Nanos| {
        rejects.iter().any(|r| {
            t >= r.after.saturating_sub(5 * SECOND)
                && t <= r.before.saturating_add(5 * SECOND)
                && r.before.saturating_sub(r.after) < HOUR
        })
    };
    // Runs of one client, then runs that overlap in time.
    let mut runs: Vec<(Window, u64, u64, bool)> = Vec::new();
    let mut open: Option<(u64, Nanos, Nanos, u64, bool)> = None;
    let mut close = |o: &mut Option<(u64, Nanos, Nanos, u64, bool)>| {
        if let Some((who, from, to, n, all_sure)) = o.take()
            && (n >= 3 || all_sure)
        {
            runs.push((
                Window::new(from, to.saturating_add(1_000_000)),
                n,
                who,
                true,
            ));
        }
    };
    let (mut seen, mut found) = (0u64, 0u64);
    for r in rows
        .iter()
        .filter(|r| r.touch.served && inside(r.touch.time) && audited(r.touch.class))
    {
        seen += 1;
        found += u64::from(r.hit);
        if r.hit {
            close(&mut open);
            continue;
        }
        if explained(r.touch.time) {
            found += 1;
            continue;
        }
        let t = r.touch.time;
        match &mut open {
            Some((who, _, to, n, all)) if *who == r.who && t - *to <= RUN_PAUSE => {
                *to = t;
                *n += 1;
                *all &= sure(r.touch.class);
            }
            _ => {
                close(&mut open);
                open = Some((r.who, t, t, 1, sure(r.touch.class)));
            }
        }
    }
    close(&mut open);
    if seen >= 20 && found * 100 >= seen * 98 {
        out.verified.push((of, by, found));
    }
    runs.sort_by_key(|r| (r.0.from, r.0.to, r.2));
    // Nothing shows that the log worked between the last access before a run that is there and the first one behind it.
    let mut there: Vec<Nanos> = rows
        .iter()
        .filter(|r| r.hit && inside(r.touch.time))
        .map(|r| r.touch.time)
        .collect();
    there.sort_unstable();
    let around = |w: Window| {
        let before = there.partition_point(|t| *t < w.from);
        let behind = there.partition_point(|t| *t < w.to);
        Window::new(
            before
                .checked_sub(1)
                .map_or(first, |b| there[b] + 1)
                .min(w.from),
            there.get(behind).copied().unwrap_or(last).max(w.to),
        )
    };
    let mut merged: Vec<(Window, Window, u64, Vec<u64>)> = Vec::new();
    for (w, n, who, _) in runs {
        let hole = around(w);
        match merged.last_mut() {
            Some(m) if w.from <= m.0.to || hole.from < m.1.to => {
                m.0.to = m.0.to.max(w.to);
                m.1.to = m.1.to.max(hole.to);
                m.2 += n;
                if !m.3.contains(&who) {
                    m.3.push(who);
                }
            }
            _ => merged.push((w, hole, n, vec![who])),
        }
    }
    for (window, hole, count, who) in merged.into_iter().take(4096) {
        out.lacks.push(Lack {
            source: of,
            seen_by: by,
            window,
            hole,
            count,
            who: if who.len() == 1 {
                who.first().copied()
            } else {
                None
            },
        });
    }
}
