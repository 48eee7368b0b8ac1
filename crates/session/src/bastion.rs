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
    let inside: Vec<(u32, IpAddr)> = (0..s.list.len() as u32)
        .filter_map(|i| Some((i, s.list[i as usize].origin.address?)))
        .filter(|(i, at)| {
            let i = *i as usize;
            timed(i) && !estates.outside(*at) && !s.is_flow(i)
        })
        .collect();
    let others = Inside::of(w, &inside);
    for ((source, label), rows) in told {
        let (visits, ends) = visits(w, ambiguous, &rows);
        let mut known: BTreeSet<IpAddr> = s.machines.get(&label).cloned().unwrap_or_default();
        known.extend(named(w, source, &visits, &ends, &others));
        let mut likely = BTreeSet::new();
        if known.is_empty() {
            (known, likely) = followed(w, source, &rows, &others);
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

/// What begins inside, from which address: gone through once, for a log may lead to more machines than one can go through it for.
struct Inside {
    by_account: FxHashMap<u32, Vec<(u32, IpAddr)>>,
    desktops: Begins,
    logons: Begins,
}

impl Inside {
    fn of(w: &Web<'_>, all: &[(u32, IpAddr)]) -> Inside {
        let s = w.s;
        let mut by_account: FxHashMap<u32, Vec<(u32, IpAddr)>> = FxHashMap::default();
        for (i, at) in all {
            if let Some(account) = w.side.canonical(*i as usize) {
                by_account.entry(account).or_default().push((*i, *at));
            }
        }
        let desktop = |i: usize| {
            let (x, f) = (&s.list[i], &s.features[i]);
            x.key_kind == SessionKey::LogonId
                && (f.logon_types & 1 << 10 != 0 || untyped(s, w.side, i))
        };
        let logon = |i: usize| s.list[i].counts.logins > 0;
        Inside {
            by_account,
            desktops: Begins::of(w, all, &desktop),
            logons: Begins::of(w, all, &logon),
        }
    }
}

/// When sessions of one kind begin, ascending.
struct Begins {
    /// By address, with the source that tells it.
    from: FxHashMap<IpAddr, Vec<(Nanos, u32)>>,
    all: Vec<(Nanos, IpAddr)>,
}

impl Begins {
    fn of(w: &Web<'_>, all: &[(u32, IpAddr)], kind: &dyn Fn(usize) -> bool) -> Begins {
        let some = all.iter().filter(|(i, _)| kind(*i as usize));
        let mut begun: Vec<(Nanos, IpAddr, u32)> = some
            .map(|(i, at)| (w.true_start(*i), *at, w.s.list[*i as usize].source))
            .collect();
        begun.sort_unstable();
        let mut from: FxHashMap<IpAddr, Vec<(Nanos, u32)>> = FxHashMap::default();
        for (begin, at, source) in &begun {
            from.entry(*at).or_default().push((*begin, *source));
        }
        Begins {
            from,
            all: begun.into_iter().map(|b| (b.0, b.1)).collect(),
        }
    }
    /// Addresses from which something begins within [`SOON`] after one of `came`, which ascend.
    fn soon_after(&self, came: &[Nanos]) -> BTreeSet<IpAddr> {
        let mut out = BTreeSet::new();
        let mut next = 0;
        for c in came {
            let first = self.all.partition_point(|b| b.0 < c.saturating_sub(SLACK));
            let past = self.all.partition_point(|b| b.0 <= c.saturating_add(SOON));
            // Those of comings near each other are looked at once.
            let some = &self.all[first.max(next).min(past)..past];
            out.extend(some.iter().map(|b| b.1));
            next = past;
        }
        out
    }
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
    source: u32,
    visits: &[u32],
    ends: &FxHashMap<u32, Nanos>,
    others: &Inside,
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
    // Address → how many begin without a coming, and how many soon after one. A second connection of one visit comes late, and speaks
    // neither way.
    let mut begun: BTreeMap<IpAddr, (usize, usize)> = BTreeMap::new();
    for (account, asked) in &asked {
        let list = others.by_account.get(account).into_iter().flatten();
        for (j, address) in list.filter(|(j, _)| s.list[*j as usize].source != source) {
            let begin = w.true_start(*j);
            let first = asked.partition_point(|a| a.0 < begin.saturating_sub(SOON));
            let of_late = asked.partition_point(|a| a.0 < begin.saturating_sub(2 * LONGEST));
            let came = asked.partition_point(|a| a.0 <= begin.saturating_add(SLACK));
            let near = &asked[first.min(came)..came];
            let fits = |v: u32| {
                let came = s.list[v as usize].origin.address;
                came != Some(*address) && leads(s, v, *j)
            };
            let (without, soon) = begun.entry(*address).or_default();
            if near.iter().any(|a| fits(a.1)) {
                *soon += 1;
            } else if !asked[of_late..came].iter().any(|a| end(a.1) >= begin) {
                *without += 1;
            }
        }
    }
    let found: Vec<(usize, IpAddr)> = (begun.into_iter())
        .filter(|(_, (without, soon))| *soon > 0 && *soon >= without * 4)
        .map(|(address, (_, soon))| (soon, address))
        .collect();
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
    source: u32,
    rows: &[u32],
    others: &Inside,
) -> (BTreeSet<IpAddr>, BTreeSet<IpAddr>) {
    let mut came: Vec<Nanos> = rows.iter().map(|i| w.true_start(*i)).collect();
    came.sort_unstable();
    let (known, likely) = those(&came, source, &others.desktops);
    // Where the machines behind keep no log, the controller still names who logs on.
    if known.is_empty() && likely.is_empty() {
        return those(&came, source, &others.logons);
    }
    (known, likely)
}

/// The addresses that follow the comings by sessions of one kind: surely, and likely.
fn those(came: &[Nanos], source: u32, begins: &Begins) -> (BTreeSet<IpAddr>, BTreeSet<IpAddr>) {
    const STEP: Nanos = 17 * MINUTE;
    const STEPS: i64 = 8;
    const CHANCE: f64 = 1e-4;
    let follows = |t: Nanos| {
        let first = came.partition_point(|c| *c < t.saturating_sub(SOON));
        came.get(first)
            .is_some_and(|c| *c <= t.saturating_add(SLACK))
    };
    let (mut known, mut likely) = (BTreeSet::new(), BTreeSet::new());
    for address in begins.soon_after(came) {
        let all = begins.from.get(&address).into_iter().flatten();
        let of_others = all.filter(|b| b.1 != source);
        let mut begins: Vec<Nanos> = vec![];
        for (t, _) in of_others {
            if begins.last().is_none_or(|a| t.saturating_sub(*a) >= MINUTE) {
                begins.push(*t);
            }
            // No more than six, a minute apart, fall together with one coming: most of so many cannot.
            if begins.len() > came.len() * 7 {
                break;
            }
        }
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
            known.insert(address);
        } else if by_chance <= 0.3 {
            likely.insert(address);
        }
    }
    (known, likely)
}
