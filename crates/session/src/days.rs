//! Clocks that are off by whole days: who is let in is heard elsewhere within minutes, and if not, then on one other day at the same time
//! of day. A wrong date, and no wrong hour: nothing else of the source looks odd.
use crate::{Sessions, spread::beside};
use ampleur_event::SessionKey;
use ampleur_event::time::{DAY, HOUR, MINUTE, Nanos, at_no_fixed_minute};
use rustc_hash::{FxHashMap, FxHashSet};
use std::{collections::BTreeMap, net::IpAddr};

/// Days a clock is searched apart.
const REACH: i64 = 3;
/// What two logs tell of one coming lies within this time.
const NEAR: Nanos = 4 * MINUTE;
/// Beginnings looked at in one source (more take time and tell no more), and of one person or address there: a crowd meets itself on any day.
const LOOKED_AT: usize = 5_000;
const CROWD: usize = 400;

/// Beginnings of sessions by who or where, each list ascending; the keys in their order.
type Begins = BTreeMap<u64, Vec<Nanos>>;

/// Source → nanoseconds to add to its times, a whole number of days; 0 where one of two is off and nobody can say which.
/// `bare` are [`Sessions::bare_names`].
pub(crate) fn off(threads: usize, s: &Sessions, bare: &[u32]) -> BTreeMap<u32, Nanos> {
    let (by_address, (by_name, lent)) = beside(
        threads,
        || begins(s, &address_keys(s)),
        || (begins(s, &name_keys(s, bare, false)), lent(s, bare)),
    );
    let mut ids: Vec<u32> = by_name.keys().chain(by_address.keys()).copied().collect();
    let mut apart: Vec<(u32, u32, i64)> = vec![];
    let mut agree: Vec<(u32, u32)> = vec![];
    let none = Begins::new();
    ids.sort_unstable();
    ids.dedup();
    for (n, a) in ids.iter().enumerate() {
        for b in &ids[n + 1..] {
            let of = |all: &BTreeMap<u32, Begins>| {
                let (x, y) = (all.get(a).unwrap_or(&none), all.get(b).unwrap_or(&none));
                compared(x, y)
            };
            let in_tunnels = || {
                let turned = || inside(&lent, *b, *a).map(|days| -days);
                inside(&lent, *a, *b).or_else(turned)
            };
            match in_tunnels()
                .or_else(|| of(&by_name))
                .or_else(|| of(&by_address))
            {
                Some(0) => agree.push((*a, *b)),
                Some(days) => apart.push((*a, *b, days)),
                None => {}
            }
        }
    }
    blamed(&apart, &agree)
}

/// The source that differs from most others, and whose others agree among themselves, is the one that is off.
fn blamed(apart: &[(u32, u32, i64)], agree: &[(u32, u32)]) -> BTreeMap<u32, Nanos> {
    let mut out: BTreeMap<u32, Nanos> = BTreeMap::new();
    loop {
        let open: Vec<&(u32, u32, i64)> = (apart.iter())
            .filter(|(a, b, _)| !out.contains_key(a) && !out.contains_key(b))
            .collect();
        let weight = |s: u32| {
            let bad = open.iter().filter(|(a, b, _)| *a == s || *b == s).count() as i64;
            let good = agree.iter().filter(|(a, b)| *a == s || *b == s).count() as i64;
            bad - good
        };
        let Some(most) = (open.iter().flat_map(|(a, b, _)| [*a, *b]).map(weight)).max() else {
            return out;
        };
        // The first of those that differ alike is put right, so that they meet again; of the others nobody knows.
        let Some((a, b, days)) = (open.iter())
            .find(|(a, b, _)| weight(*a) == most || weight(*b) == most)
            .copied()
        else {
            return out;
        };
        let (wrong, other, add) = match weight(*a) == most {
            true => (*a, *b, *days),
            false => (*b, *a, -*days),
        };
        let tie = weight(other) == most;
        out.insert(wrong, add * DAY);
        if tie {
            out.insert(other, 0);
        }
    }
}

/// Days to add to the times of `a` so that it agrees with `b`; `None` when nothing tells.
fn compared(a: &Begins, b: &Begins) -> Option<i64> {
    const ENOUGH: usize = 12;
    const KEYS: usize = 4;
    let meets = |days: i64| {
        let (mut all, mut met, mut keys) = (0, 0, 0);
        for (key, ours) in a {
            let Some(theirs) = b.get(key) else { continue };
            let there = ours.iter().filter(|t| {
                let t = t.saturating_add(days * DAY);
                // Whoever is first heard there may be here a little later, and the reverse.
                let from = theirs.partition_point(|x| *x < t.saturating_sub(NEAR));
                let near = &theirs[from..];
                near.first().is_some_and(|x| *x <= t.saturating_add(NEAR))
            });
            let there = there.count();
            all += ours.len();
            met += there;
            keys += usize::from(there > 0);
        }
        (all, met, keys)
    };
    let (all, now, _) = meets(0);
    if all < ENOUGH {
        return None;
    }
    if now >= ENOUGH / 2 && now * 4 >= all {
        return Some(0);
    }
    let mut found: Vec<(usize, usize, i64)> = (-REACH..=REACH)
        .filter(|d| *d != 0)
        .map(|d| {
            let (_, met, keys) = meets(d);
            (met, keys, d)
        })
        .collect();
    found.sort_unstable();
    let (met, keys, days) = found.pop()?;
    let second = found.last().map_or(0, |f| f.0);
    let clear = met >= ENOUGH && keys >= KEYS && met * 2 >= all;
    (clear && met >= 4 * now && met >= 3 * second).then_some(days)
}

/// Gateway, lent address and person → sessions of its tunnels; and sessions of others by source, address and person.
struct Lent {
    tunnels: BTreeMap<(u32, IpAddr, u64), Vec<(Nanos, Nanos)>>,
    others: BTreeMap<u32, Vec<(IpAddr, u64, Nanos)>>,
}

fn lent(s: &Sessions, bare: &[u32]) -> Lent {
    let names = name_keys(s, bare, true);
    let mut out = Lent {
        tunnels: BTreeMap::new(),
        others: BTreeMap::new(),
    };
    let mut addresses: FxHashSet<IpAddr> = FxHashSet::default();
    for (x, name) in s.list.iter().zip(&names).filter(|(_, n)| **n != 0) {
        if let (SessionKey::Tunnel, Some(inner)) = (x.key_kind, x.inner) {
            let of = out.tunnels.entry((x.source, inner, *name)).or_default();
            of.push((x.from, x.to));
            addresses.insert(inner);
        }
    }
    for (x, name) in s.list.iter().zip(&names).filter(|(_, n)| **n != 0) {
        if let Some(a) = x.origin.address.filter(|a| addresses.contains(a)) {
            let of = out.others.entry(x.source).or_default();
            if of.len() < LOOKED_AT {
                of.push((a, *name, x.from));
            }
        }
    }
    out
}

/// Days to add to the times of the gateway `a` so that what `b` hears of a person from a lent address begins inside that person's tunnel;
/// `None` when nothing tells.
fn inside(lent: &Lent, a: u32, b: u32) -> Option<i64> {
    const ENOUGH: usize = 8;
    /// A clock may be off by less than an hour besides.
    const SLACK: Nanos = HOUR;
    let heard: Vec<(&Vec<(Nanos, Nanos)>, Nanos)> = (lent.others.get(&b)?.iter())
        .filter_map(|(at, name, t)| Some((lent.tunnels.get(&(a, *at, *name))?, *t)))
        .collect();
    let all = heard.len();
    if all < ENOUGH {
        return None;
    }
    let outside = |days: i64| {
        let within = |(tunnels, t): &&(&Vec<(Nanos, Nanos)>, Nanos)| {
            let t = t.saturating_sub(days * DAY);
            (tunnels.iter()).any(|(from, to)| from - SLACK <= t && t <= to + SLACK)
        };
        all - heard.iter().filter(within).count()
    };
    let now = outside(0);
    if now * 5 <= all {
        return Some(0);
    }
    let mut found: Vec<(usize, i64)> = (-REACH..=REACH)
        .filter(|d| *d != 0)
        .map(|d| (outside(d), d))
        .collect();
    found.sort_unstable();
    let ((least, days), second) = (*found.first()?, found.get(1)?.0);
    let clear = least * 10 <= all && least * 4 <= now && least * 2 < second;
    (clear && now >= ENOUGH).then_some(days)
}

fn begins(s: &Sessions, keys: &[u64]) -> BTreeMap<u32, Begins> {
    let mut all: FxHashMap<(u32, u64), Vec<Nanos>> = FxHashMap::default();
    for (x, key) in s.list.iter().zip(keys).filter(|(_, k)| **k != 0) {
        let of = all.entry((x.source, *key)).or_default();
        // One more shows that there are too many.
        if of.len() <= CROWD {
            of.push(x.from);
        }
    }
    let mut all: Vec<((u32, u64), Vec<Nanos>)> = all.into_iter().collect();
    all.sort_unstable_by_key(|a| a.0);
    let mut out: BTreeMap<u32, Begins> = BTreeMap::new();
    for ((source, key), times) in all {
        out.entry(source).or_default().insert(key, times);
    }
    for of in out.values_mut() {
        // A job comes at its hour on any day.
        of.retain(|_, t| t.len() <= CROWD && at_no_fixed_minute(t));
        let mut left = LOOKED_AT;
        of.retain(|_, t| {
            let keep = left >= t.len();
            left = left.saturating_sub(t.len());
            keep
        });
    }
    out
}

/// Person of the context, else bare name: accounts of different systems are one when they are spelled alike. 0: nobody.
fn name_keys(s: &Sessions, bare: &[u32], flows: bool) -> Vec<u64> {
    let person = |p: u32| (1 << 32) | u64::from(p);
    let machine = |i: usize| s.list[i].account.as_ref().is_some_and(|a| a.is_machine());
    (0..s.list.len())
        .map(|i| match s.list[i].person {
            _ if machine(i) || s.is_flow(i) && !flows => 0,
            Some(p) => person(p),
            None => u64::from(bare[i]),
        })
        .collect()
}

/// Address it comes from, or that its tunnel was lent. 0: none is told.
fn address_keys(s: &Sessions) -> Vec<u64> {
    let mut numbers: FxHashMap<IpAddr, u64> = FxHashMap::default();
    let mut keys = vec![0; s.list.len()];
    for (x, key) in s.list.iter().zip(&mut keys) {
        if let Some(a) = x.inner.or(x.origin.address) {
            let next = numbers.len() as u64 + 1;
            *key = *numbers.entry(a).or_insert(next);
        }
    }
    keys
}
