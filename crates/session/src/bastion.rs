//! Bastions: people come to them under their own names, and their connections go on from there, under accounts and from an address that
//! are the bastion's. What leads from a visit to the logons it opened is found in `chain`; here is who came when, and which addresses
//! the connections go on from.
use crate::{
    Sessions,
    build::Side,
    chain::{Estates, Web, untyped},
    features::List,
    intake::machine,
    net,
    texts::TextId,
};
use ampleur_event::{
    LinkKind, SessionKey, System,
    time::{HOUR, MINUTE, NO_TIME, Nanos, SECOND},
};
use rustc_hash::FxHashMap;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// One machine of a bastion.
pub(crate) struct Bastion {
    /// A name no machine has.
    pub host: String,
    /// Where its connections go on from.
    pub addresses: BTreeSet<IpAddr>,
    /// Sessions that say where somebody came from, in order.
    pub visits: Vec<u32>,
    /// When visits ended of which other lines say so.
    pub ends: FxHashMap<u32, Nanos>,
    /// The addresses are its own; else they are only likely to be.
    pub sure: bool,
}

/// Connections go on within this after somebody came.
const SOON: Nanos = 5 * MINUTE;
/// Clocks of two machines agree as well as that.
const SLACK: Nanos = 30 * SECOND;
/// A visit whose end no line tells is thought to be over after this.
const LONGEST: Nanos = 12 * HOUR;

/// Every bastion whose log is there and of which it is known, or likely, where its connections come from.
pub(crate) fn all(
    estates: &Estates,
    w: &mut Web<'_>,
    ambiguous: &mut BTreeSet<u32>,
) -> Vec<Bastion> {
    let (s, side) = (w.s, w.side);
    let mut told: BTreeMap<(u32, String), Vec<u32>> = BTreeMap::new();
    // When nobody can tell what came before what, nothing is told.
    let timed = |i: usize| s.list[i].from != NO_TIME;
    for (i, x) in s.list.iter().enumerate() {
        if timed(i) && door(s, side, i) && !x.only_refused() && !s.is_flow(i) {
            let at = (x.source, machine(&x.host));
            told.entry(at).or_default().push(i as u32);
        }
    }
    told.retain(|_, rows| !rows.iter().all(|i| only_an_end(s, *i)));
    let mut out = vec![];
    if told.is_empty() {
        return out;
    }
    let inside = |i: u32| {
        let at = s.list[i as usize].origin.address?;
        (timed(i as usize) && !estates.outside(at) && !s.is_flow(i as usize)).then_some(at)
    };
    let mut from: BTreeMap<IpAddr, Vec<u32>> = BTreeMap::new();
    for i in 0..s.list.len() as u32 {
        if let Some(at) = inside(i) {
            from.entry(at).or_default().push(i);
        }
    }
    for ((source, label), rows) in told {
        let (visits, ends) = visits(w, ambiguous, &rows);
        let others: BTreeMap<IpAddr, Vec<u32>> = (from.iter())
            .map(|(at, list)| {
                let of_others = |i: &u32| s.list[*i as usize].source != source;
                (*at, list.iter().copied().filter(of_others).collect())
            })
            .collect();
        let mut known: BTreeSet<IpAddr> = s.machines.get(&label).cloned().unwrap_or_default();
        known.extend(named(w, &visits, &ends, &others));
        let mut likely = BTreeSet::new();
        if known.is_empty() {
            (known, likely) = followed(w, &rows, &others);
        }
        for (addresses, sure) in [(known, true), (likely, false)] {
            if !addresses.is_empty() {
                out.push(Bastion {
                    host: format!("{label} #{source}"),
                    addresses,
                    visits: visits.clone(),
                    ends: ends.clone(),
                    sure,
                });
            }
        }
    }
    out
}

fn only_an_end(s: &Sessions, i: u32) -> bool {
    let x = &s.list[i as usize];
    x.closed && x.counts.logins == 0 && x.counts.events == 1
}

/// A session at a bastion; or at a gateway that goes on under the very account somebody came with (Remote Desktop Gateway).
fn door(s: &Sessions, side: &Side, i: usize) -> bool {
    let x = &s.list[i];
    let own = |t: &(TextId, Nanos)| {
        let account = side.canonical(i);
        account.is_some() && side.named(s.texts.get(t.0)) == account
    };
    match x.account.as_ref().map(|a| a.system) {
        Some(System::Bastion) => true,
        Some(System::Ad) if x.key_kind == SessionKey::Inactivity => {
            // The end of such a visit is a line by itself.
            side.targets[i].iter().any(own) || only_an_end(s, i as u32)
        }
        _ => false,
    }
}

/// The sessions that say where somebody came from. Lines without an address belong to the last coming under their account: they are tied to
/// it, and may tell when the visit ended. Where two who came from two places may have been meant, they are tied to both, in doubt.
fn visits(
    w: &mut Web<'_>,
    ambiguous: &mut BTreeSet<u32>,
    rows: &[u32],
) -> (Vec<u32>, FxHashMap<u32, Nanos>) {
    let s = w.s;
    let session = |i: u32| &s.list[i as usize];
    let mut came: BTreeMap<Option<u32>, Vec<u32>> = BTreeMap::new();
    let (told, without): (Vec<u32>, Vec<u32>) =
        (rows.iter()).partition(|i| session(**i).origin.address.is_some() && !only_an_end(s, **i));
    for i in &told {
        let account = w.side.canonical(*i as usize);
        came.entry(account).or_default().push(*i);
    }
    let mut ends: FxHashMap<u32, Nanos> = FxHashMap::default();
    for i in without {
        let x = session(i);
        let Some(came) = came.get(&w.side.canonical(i as usize)) else {
            continue;
        };
        let first = came.partition_point(|v| session(*v).from < x.from.saturating_sub(LONGEST));
        let last = came.partition_point(|v| session(*v).from <= x.to.saturating_add(SECOND));
        let there: Vec<u32> = (came[first..last].iter().copied())
            .filter(|v| !session(*v).closed || session(*v).to.saturating_add(MINUTE) >= x.from)
            .filter(|v| {
                x.origin
                    .address
                    .is_none_or(|a| session(*v).origin.address == Some(a))
            })
            .collect();
        let place = |v: u32| session(v).origin.address;
        let Some(latest) = there.last().copied() else {
            continue;
        };
        // Whoever has just come is meant, unless somebody else came while these lines were written.
        let just = session(latest).from.saturating_add(MINUTE) >= x.from
            && x.to.saturating_sub(x.from) <= MINUTE;
        let mine: Vec<u32> = if just {
            let now = |v: &u32| session(*v).from.saturating_add(MINUTE) >= session(latest).from;
            there.into_iter().filter(now).collect()
        } else {
            there
        };
        if mine.iter().all(|v| place(*v) == place(latest)) {
            w.add(latest, i, LinkKind::SameAccountAddress, 0.9);
            if x.closed {
                let end = ends.entry(latest).or_insert(x.to);
                *end = x.to.max(*end);
            }
        } else {
            ambiguous.insert(i);
            for v in mine {
                w.add(v, i, LinkKind::Hop, 0.45);
            }
        }
    }
    (told, ends)
}

/// Addresses from which the accounts a bastion names log on just after it was told to use them, and hardly ever otherwise.
fn named(
    w: &Web<'_>,
    visits: &[u32],
    ends: &FxHashMap<u32, Nanos>,
    others: &BTreeMap<IpAddr, Vec<u32>>,
) -> BTreeSet<IpAddr> {
    let (s, side) = (w.s, w.side);
    let end = |v: u32| {
        let x = &s.list[v as usize];
        let end = match ends.get(&v) {
            Some(e) => x.to.max(*e),
            None if x.closed => x.to,
            None => x.to.saturating_add(LONGEST),
        };
        end.saturating_add(s.skew(x.source))
    };
    // Account → when it was asked for, and by which visit.
    let mut asked: BTreeMap<u32, Vec<(Nanos, u32)>> = BTreeMap::new();
    for v in visits {
        let skew = s.skew(s.list[*v as usize].source);
        for (target, at) in side.targets[*v as usize].iter() {
            if let Some(account) = side.named(s.texts.get(*target)) {
                let at = at.saturating_add(skew);
                asked.entry(account).or_default().push((at, *v));
            }
        }
    }
    asked.values_mut().for_each(|list| list.sort_unstable());
    if asked.is_empty() {
        return BTreeSet::new();
    }
    let mut found: Vec<(usize, IpAddr)> = vec![];
    for (address, list) in others {
        // A second connection of one visit comes late, and speaks neither way.
        let (mut without, mut soon) = (0usize, 0usize);
        for j in list {
            let account = side.canonical(*j as usize);
            let Some(asked) = account.and_then(|a| asked.get(&a)) else {
                continue;
            };
            let begin = w.true_start(*j);
            let first = asked.partition_point(|a| a.0 < begin.saturating_sub(SOON));
            let of_late = asked.partition_point(|a| a.0 < begin.saturating_sub(2 * LONGEST));
            let came = asked.partition_point(|a| a.0 <= begin.saturating_add(SLACK));
            let near = &asked[first.min(came)..came];
            let fits = |v: u32| {
                let came = s.list[v as usize].origin.address;
                came != Some(*address) && leads(s, v, *j)
            };
            if near.iter().any(|a| fits(a.1)) {
                soon += 1;
            } else if !asked[of_late..came].iter().any(|a| end(a.1) >= begin) {
                without += 1;
            }
        }
        if soon > 0 && soon >= without * 4 {
            found.push((soon, *address));
        }
    }
    let most = found.iter().map(|f| f.0).max().unwrap_or(0);
    (found.into_iter())
        .filter(|(soon, _)| *soon == most || *soon >= 3)
        .map(|f| f.1)
        .collect()
}

/// False when a visit says that it leads to machines other than that of the logon.
fn leads(s: &Sessions, visit: u32, logon: u32) -> bool {
    let x = &s.list[logon as usize];
    let mut to = s.texts_of(visit as usize, List::Destinations).peekable();
    if to.peek().is_none() || x.key_kind != SessionKey::LogonId {
        return true;
    }
    let Some(at) = s.machines.get(&machine(&x.host)) else {
        return true;
    };
    to.any(|d| net::parse_address(d).is_some_and(|d| at.contains(&d)))
}

/// Where a bastion does not say under which account it goes on: addresses whose remote desktops and shells begin just after somebody came to
/// it, every time, and would not at other times of the day. First those where chance does not do that, then the likely ones.
fn followed(
    w: &Web<'_>,
    rows: &[u32],
    others: &BTreeMap<IpAddr, Vec<u32>>,
) -> (BTreeSet<IpAddr>, BTreeSet<IpAddr>) {
    let s = w.s;
    let mut came: Vec<Nanos> = rows.iter().map(|i| w.true_start(*i)).collect();
    came.sort_unstable();
    let desktop = |j: &u32| {
        let (x, f) = (&s.list[*j as usize], &s.features[*j as usize]);
        x.key_kind == SessionKey::LogonId
            && (f.logon_types & 1 << 10 != 0 || untyped(s, w.side, *j as usize))
    };
    // Where the machines behind keep no log, the controller still names who logs on.
    let logon = |j: &u32| s.list[*j as usize].counts.logins > 0;
    let (known, likely) = those(&came, w, others, &desktop);
    if known.is_empty() && likely.is_empty() {
        return those(&came, w, others, &logon);
    }
    (known, likely)
}

/// The addresses that follow the comings by sessions of one kind: surely, and likely.
fn those(
    came: &[Nanos],
    w: &Web<'_>,
    others: &BTreeMap<IpAddr, Vec<u32>>,
    kind: &dyn Fn(&u32) -> bool,
) -> (BTreeSet<IpAddr>, BTreeSet<IpAddr>) {
    const STEP: Nanos = 17 * MINUTE;
    const STEPS: i64 = 8;
    const CHANCE: f64 = 1e-4;
    let follows = |t: Nanos| {
        let first = came.partition_point(|c| *c < t.saturating_sub(SOON));
        came.get(first)
            .is_some_and(|c| *c <= t.saturating_add(SLACK))
    };
    let (mut known, mut likely) = (BTreeSet::new(), BTreeSet::new());
    for (address, list) in others {
        let some = list.iter().filter(|j| kind(j));
        let mut begins: Vec<Nanos> = some.map(|j| w.true_start(*j)).collect();
        begins.sort_unstable();
        begins.dedup_by(|b, a| b.saturating_sub(*a) < MINUTE);
        let n = begins.len();
        let soon = begins.iter().filter(|t| follows(**t)).count();
        if soon == 0 || soon * 10 < n * 9 {
            continue;
        }
        let steps = (1..=STEPS).flat_map(|k| [k * STEP, -k * STEP]);
        let elsewhere: usize = steps
            .map(|by| {
                begins
                    .iter()
                    .filter(|t| follows(t.saturating_add(by)))
                    .count()
            })
            .sum();
        let tries = n * 2 * STEPS as usize;
        let by_chance = (elsewhere + 1) as f64 / (tries + 1) as f64;
        if soon >= 3 && by_chance.powi(soon as i32) <= CHANCE {
            known.insert(*address);
        } else if by_chance <= 0.3 {
            likely.insert(*address);
        }
    }
    (known, likely)
}
