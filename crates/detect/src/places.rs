//! What a place says that nobody knows: who comes from it, whose accounts, and what is done from there.
use crate::{
    pivot::{METHOD, Owners, does, doubt, own_use, planned, unlike, up_to, wandering, works},
    score::{INTRUDER, Model, Sum, Trust},
    units::Unit,
};
use ampleur_event::{
    SessionVerdict,
    time::{DAY, Nanos},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Uses from outside at a place nobody knows, without a device of their owner's and without a plan, by address.
pub(crate) fn unknown_places(m: &Model<'_>, base: &[Sum]) -> BTreeMap<IpAddr, Vec<usize>> {
    let mut at: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for (i, u) in m.units.list.iter().enumerate() {
        if let Some(a) = u.address.filter(|a| !m.on_site(*a) && !m.lent_place(*a))
            && own_use(u)
            && m.trust[i] == Trust::None
            && !planned(&base[i])
            && base[i].weight("own_device") >= 0.0
        {
            at.entry(a).or_default().push(i);
        }
    }
    at
}

/// An account the intruder has and another one of a stranger to it come from one place neither is known at, within days.
pub(crate) fn beside_usurped(
    m: &Model<'_>,
    unknown: &BTreeMap<IpAddr, Vec<usize>>,
    base: &[Sum],
    verdicts: &[SessionVerdict],
    out: &mut BTreeMap<usize, Sum>,
) {
    const WITHIN: Nanos = 3 * DAY;
    const MANY: usize = 8;
    let units = &m.units.list;
    let bad = |i: &usize| verdicts[*i] == SessionVerdict::Intruder;
    let usurped: BTreeSet<&str> = (0..units.len())
        .filter(|i| bad(i) && own_use(&units[*i]))
        .map(|i| units[i].who)
        .collect();
    if usurped.is_empty() {
        return;
    }
    for list in unknown.values() {
        let whos: BTreeSet<&str> = list.iter().map(|i| units[*i].who).collect();
        if whos.len() < 2 || whos.len() > MANY || whos.is_disjoint(&usurped) {
            continue;
        }
        for i in list.iter().filter(|i| !bad(i)) {
            let u = &units[*i];
            let near = list.iter().map(|j| &units[*j]).any(|v| {
                v.who != u.who
                    && (v.from - u.from).abs() <= WITHIN
                    && (usurped.contains(u.who) || usurped.contains(v.who))
                    && m.strangers(u, v)
            });
            if near {
                doubt(
                    base,
                    out,
                    *i,
                    "one_address",
                    (
                        "un compte usurpé et un autre, sans rapport, viennent en quelques jours d'une adresse inconnue des deux",
                        "a usurped account and another that has nothing to do with it come within days from an address neither is known at",
                    ),
                );
            }
        }
    }
}

/// Uses from an address where something bad or in doubt comes from too: of the same account, of any where the address is abroad or
/// rented, or of one whose owner does not do that. One stranger at one place is one stranger. And of an account in doubt or bad at one
/// unknown place, what is done as its owner never does at another.
pub(crate) fn same_stranger(
    m: &Model<'_>,
    unknown: &BTreeMap<IpAddr, Vec<usize>>,
    base: &[Sum],
    verdicts: &[SessionVerdict],
    out: &mut BTreeMap<usize, Sum>,
) {
    let units = &m.units.list;
    let lawful = |i: &usize| verdicts[*i] == SessionVerdict::Legitimate;
    let mut doubted: BTreeSet<u32> = BTreeSet::new();
    for list in unknown.values() {
        let (lawful, odd): (Vec<usize>, Vec<usize>) = list.iter().partition(|i| lawful(i));
        doubted.extend(odd.iter().map(|i| units[*i].whose));
        if odd.is_empty() {
            continue;
        }
        let whos: BTreeSet<&str> = odd.iter().map(|i| units[*i].who).collect();
        for i in lawful {
            let u = &units[i];
            let strange = does(&base[i]) || base[i].weight("hours") > 0.0;
            let strange = strange && odd.iter().any(|j| m.strangers(u, &units[*j]));
            if whos.contains(u.who) || m.rented(u) || !m.at_home(u) || strange {
                doubt(
                    base,
                    out,
                    i,
                    "same_stranger",
                    (
                        "d'un lieu inconnu d'où vient une autre session, bien plus suspecte",
                        "from an unknown place that another, much odder session comes from",
                    ),
                );
            }
        }
    }
    for i in unknown.values().flatten().filter(|i| lawful(i)) {
        if does(&base[*i]) && doubted.contains(&units[*i].whose) {
            doubt(
                base,
                out,
                *i,
                "same_stranger",
                (
                    "d'un lieu inconnu, comme son titulaire ne le fait jamais, sous un compte suspect d'un autre lieu inconnu",
                    "from an unknown place, as its owner never does, under an account that is suspicious at another unknown place",
                ),
            );
        }
    }
}

/// A rented or foreign address that works accounts of people who have nothing to do with each other, within days.
pub(crate) fn one_address(m: &Model<'_>, unknown: &BTreeMap<IpAddr, Vec<usize>>, base: &mut [Sum]) {
    const WITHIN: Nanos = 7 * DAY;
    const MANY: usize = 64;
    let units = &m.units.list;
    let owners = Owners::of(units, base);
    for (a, list) in unknown {
        let mut list = list.clone();
        list.retain(|i| m.rented(&units[*i]) || !m.at_home(&units[*i]));
        list.retain(|i| works(&base[*i]) || !owners.stand_at(&units[*i]));
        // Of each account one unit that stands for it, and when it came.
        let mut came: BTreeMap<&str, (usize, Vec<Nanos>)> = BTreeMap::new();
        for i in &list {
            let times = came.entry(units[*i].who).or_insert((*i, vec![]));
            times.1.push(units[*i].from);
        }
        // What so many come in through is an exit, whoever rents it; a list of names that is tried there is none.
        let entered: BTreeSet<&str> = (list.iter().map(|i| &units[*i]))
            .filter(|u| !u.refused)
            .map(|u| u.who)
            .collect();
        if came.len() < 2 || entered.len() > MANY {
            continue;
        }
        let mut room = MANY - entered.len();
        came.retain(|who, _| {
            let stays = entered.contains(who) || room > 0;
            room -= usize::from(stays && !entered.contains(who));
            stays
        });
        came.values_mut().for_each(|c| c.1.sort_unstable());
        let strangers: BTreeMap<&str, Vec<&str>> = came
            .iter()
            .map(|(who, (i, _))| {
                let others = came.iter().filter(|(_, (j, _))| {
                    units[*i].who != units[*j].who && m.strangers(&units[*i], &units[*j])
                });
                (*who, others.map(|(who, _)| *who).collect())
            })
            .collect();
        for i in list.iter().filter(|i| came.contains_key(units[**i].who)) {
            let u = &units[*i];
            let near = |who: &&&str| {
                let times = &came[**who].1;
                let after = times.partition_point(|t| *t < u.from - WITHIN);
                times.get(after).is_some_and(|t| *t <= u.from + WITHIN)
            };
            let n = strangers[u.who].iter().filter(near).count() + 1;
            // Two travellers in one hotel abroad are no sign; a rented server is no hotel.
            let w = match (m.rented(u), n) {
                (_, 0 | 1) | (false, 2) => continue,
                (false, _) => 1.5,
                (true, 2) => 2.0,
                (true, _) => 3.0,
            };
            base[*i].add(
                "one_address",
                w,
                format!("{a} sert en quelques jours à {n} comptes sans rapport entre eux"),
                format!(
                    "{a} works {n} accounts that have nothing to do with each other within days"
                ),
            );
        }
    }
}

/// A network of rented servers that works accounts of people who have nothing to do with each other, within days, and that nobody else
/// ever comes from: each of these uses does something its owner does not do.
pub(crate) fn one_renter(m: &Model<'_>, unknown: &BTreeMap<IpAddr, Vec<usize>>, base: &mut [Sum]) {
    const WITHIN: Nanos = 14 * DAY;
    let units = &m.units.list;
    let mut by: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for i in unknown.values().flatten() {
        if let Some(n) = units[*i].asn.filter(|_| m.rented(&units[*i])) {
            by.entry(n).or_default().push(*i);
        }
    }
    // A customer who works there as ever shows that it is let to others too; who comes at hours never worked, in the dead of night, does not.
    let odd = |i: usize| does(&base[i]) || base[i].weight("hours") > 0.0 && m.deep_night(&units[i]);
    let all: BTreeSet<usize> = by.values().flatten().copied().collect();
    for (i, u) in units.iter().enumerate() {
        let customer = own_use(u) && (!all.contains(&i) || !odd(i));
        if let Some(n) = u.asn.filter(|_| customer) {
            by.remove(&n);
        }
    }
    for list in by.values() {
        let days = |who: u32| {
            let its = list.iter().map(|i| &units[*i]).filter(|v| v.whose == who);
            its.flat_map(|v| v.days.first()).collect::<BTreeSet<_>>()
        };
        for i in list {
            let u = &units[*i];
            let others = list.iter().map(|j| &units[*j]).filter(|v| {
                v.whose != u.whose && (v.from - u.from).abs() <= WITHIN && m.strangers(u, v)
            });
            let others: BTreeSet<u32> = others.map(|v| v.whose).collect();
            let again = |who: &u32| days(*who).len() >= 2;
            let w = match others.len() {
                0 => continue,
                1 if !again(&u.whose) || !others.iter().all(again) => 2.0,
                _ => 3.0,
            };
            let n = others.len() + 1;
            base[*i].add(
                "one_address",
                w,
                format!("un même loueur de serveurs, d'où nul autre ne vient, sert en quelques jours à {n} comptes sans rapport entre eux"),
                format!("one renter of servers, where nobody else comes from, works {n} accounts that have nothing to do with each other within days"),
            );
        }
    }
}

/// An account that comes from rented servers at hours never worked and unlike its owner, on three days and more: once is an exception,
/// three times from where no person sits is none.
pub(crate) fn again_and_again(
    m: &Model<'_>,
    unknown: &BTreeMap<IpAddr, Vec<usize>>,
    base: &mut [Sum],
) {
    const DAYS: usize = 3;
    let units = &m.units.list;
    let odd: Vec<usize> = (unknown.values().flatten().copied())
        .filter(|i| m.rented(&units[*i]) && unlike(m, &base[*i], *i) == Some(true))
        .collect();
    let mut days: BTreeMap<u32, BTreeSet<i64>> = BTreeMap::new();
    for u in odd.iter().map(|i| &units[*i]) {
        days.entry(u.whose).or_default().extend(u.days.first());
    }
    for i in odd {
        let n = days[&units[i].whose].len();
        let w = INTRUDER + 0.5 - base[i].total();
        if n >= DAYS && w > 0.0 {
            base[i].add(
                "again_and_again",
                w,
                format!("{n} jours depuis des serveurs loués, à des heures où ce compte ne travaille jamais, sans rien du titulaire"),
                format!("{n} days from rented servers, at hours this account never works, nothing like the owner"),
            );
        }
    }
}

/// A place nobody is at home in from which accounts of strangers come by turns, on three days and more and never on the same, each time
/// by night and doing what its owner never does: people who are somewhere together come together, one stranger comes as one after the
/// other. Two days are enough where each reads far more than ever, and far faster or with far more bytes.
pub(crate) fn by_turns(m: &Model<'_>, unknown: &BTreeMap<IpAddr, Vec<usize>>, base: &mut [Sum]) {
    const WITHIN: i64 = 14;
    let units = &m.units.list;
    let lived: BTreeSet<IpAddr> = (0..units.len())
        .filter(|i| m.trust[*i] > Trust::None || base[*i].weight("own_device") < 0.0)
        .filter_map(|i| units[i].address)
        .collect();
    for (a, list) in unknown.iter().filter(|(a, _)| !lived.contains(a)) {
        if !list.iter().all(|i| unlike(m, &base[*i], *i) == Some(true)) {
            continue;
        }
        let mut days: BTreeMap<i64, u32> = BTreeMap::new();
        let apart = list.iter().all(|i| {
            let u = &units[*i];
            let free = |day: &i64| *days.entry(*day).or_insert(u.whose) == u.whose;
            u.days.iter().all(free)
        });
        let near = days
            .keys()
            .zip(days.keys().skip(1))
            .all(|(x, y)| y - x <= WITHIN);
        let strangers = list.iter().all(|i| {
            let mut others = list.iter().map(|j| &units[*j]);
            others.any(|v| v.whose != units[*i].whose && m.strangers(&units[*i], v))
        });
        let wholly = list.iter().all(|i| match m.unlike(*i) {
            (faster, true) => faster || base[*i].weight("volume") > 0.0,
            _ => false,
        });
        let enough = if wholly { 2 } else { 3 };
        if !apart || !near || !strangers || days.len() < enough {
            continue;
        }
        let n = list
            .iter()
            .map(|i| units[*i].whose)
            .collect::<BTreeSet<_>>()
            .len();
        for i in list {
            let w = INTRUDER + 0.5 - base[*i].total() + base[*i].weight("one_address");
            base[*i].add(
                "one_address",
                w.max(0.1),
                format!("{a} sert tour à tour, de nuit, à {n} comptes sans rapport entre eux, qu'aucun titulaire n'emploie ainsi"),
                format!("{a} works {n} accounts that have nothing to do with each other by turns and by night, as none of their owners does"),
            );
        }
    }
}

/// A place nobody is at home in from which the index is gone through, or a program none of them works with asks much, under accounts of
/// strangers, and nothing else is done, as neither ever does where it is known: a house of two professionals would do its work there too.
pub(crate) fn walked_through(
    m: &Model<'_>,
    unknown: &BTreeMap<IpAddr, Vec<usize>>,
    base: &mut [Sum],
) {
    const WITHIN: Nanos = 14 * DAY;
    let units = &m.units.list;
    let program = |i: &usize| {
        let u = &units[*i];
        let known = m.past(u).is_some_and(|p| p.trusted_units > 0);
        let strange = m.trust[*i] == Trust::None && own_use(u) && !planned(&base[*i]);
        strange && known && base[*i].weight("automated_client") >= 3.0 && u.does.asks >= METHOD
    };
    let programs = (0..units.len()).filter(program);
    let walks: BTreeSet<usize> = wandering(m, base).into_iter().chain(programs).collect();
    let works = |u: &Unit<'_>| u.does.asks > 0 || u.does.subjects > 0 || u.does.files > 0;
    let lived: BTreeSet<IpAddr> = (0..units.len())
        .filter(|i| own_use(&units[*i]) && works(&units[*i]) && !walks.contains(i))
        .filter_map(|i| units[i].address)
        .collect();
    for (a, list) in unknown.iter().filter(|(a, _)| !lived.contains(a)) {
        let list: Vec<usize> = list.iter().copied().filter(|i| walks.contains(i)).collect();
        for i in &list {
            let u = &units[*i];
            let others: BTreeSet<u32> = (list.iter().map(|j| &units[*j]))
                .filter(|v| v.whose != u.whose && (v.from - u.from).abs() <= WITHIN)
                .filter(|v| m.strangers(u, v))
                .map(|v| v.whose)
                .collect();
            let w = INTRUDER + 0.5 - base[*i].total() + base[*i].weight("one_address");
            if others.is_empty() || w <= 0.0 {
                continue;
            }
            let n = others.len() + 1;
            base[*i].add(
                "one_address",
                w,
                format!("de {a}, d'où nul ne travaille, {n} comptes sans rapport entre eux parcourent l'index ou le font parcourir à un programme, ce que leurs titulaires ne font jamais"),
                format!("from {a}, where nobody works, {n} accounts that have nothing to do with each other go through the index or have a program do it, as their owners never do"),
            );
        }
    }
}

/// A place nobody is at home in from which accounts of strangers come within days, each of them doing what its owner never does: one
/// person from there may be a guest, two are one stranger or an exit nobody told of.
pub(crate) fn odd_place(
    m: &Model<'_>,
    unknown: &BTreeMap<IpAddr, Vec<usize>>,
    base: &[Sum],
) -> Vec<usize> {
    const WITHIN: Nanos = 14 * DAY;
    let units = &m.units.list;
    let lived: BTreeSet<IpAddr> = (0..units.len())
        .filter(|i| own_use(&units[*i]) && !units[*i].refused && !does(&base[*i]))
        .filter_map(|i| units[i].address)
        .collect();
    let mut out = vec![];
    for list in unknown
        .iter()
        .filter(|(a, _)| !lived.contains(a))
        .map(|x| x.1)
    {
        let near = |i: &&usize| {
            let u = &units[**i];
            let mut others = list.iter().map(|j| &units[*j]);
            others.any(|v| {
                (v.from - u.from).abs() <= WITHIN && v.whose != u.whose && m.strangers(u, v)
            })
        };
        out.extend(list.iter().filter(near));
    }
    out.sort_unstable();
    out
}

/// Two strangers and more are usurped from rented servers abroad: who comes from such a one in these days, at hours never worked, through
/// the same door, is of the same campaign.
pub(crate) fn rented_abroad(
    m: &Model<'_>,
    base: &[Sum],
    verdicts: &[SessionVerdict],
    out: &mut BTreeMap<usize, Sum>,
) {
    const WITHIN: Nanos = 10 * DAY;
    let units = &m.units.list;
    let door = |i: usize| {
        let first = units[i].members.first();
        first.map(|x| m.s.list[*x as usize].format)
    };
    let there = |i: &usize| {
        let u = &units[*i];
        own_use(u) && m.trust[*i] == Trust::None && m.rented(u) && !m.at_home(u)
    };
    let (bad, odd): (Vec<usize>, Vec<usize>) = (0..units.len())
        .filter(there)
        .partition(|i| verdicts[*i] == SessionVerdict::Intruder);
    let odd = odd.into_iter().filter(|i| {
        let own = &base[*i];
        let untimely = own.weight("hours") > 0.0 && m.by_night(*i);
        untimely && own.weight("own_device") >= 0.0 && !planned(own)
    });
    for i in odd {
        let u = &units[i];
        let near = bad.iter().map(|j| (*j, &units[*j])).filter(|(j, v)| {
            (v.from - u.from).abs() <= WITHIN && door(*j) == door(i) && m.strangers(u, v)
        });
        let whos: BTreeSet<u32> = near.map(|(_, v)| v.whose).collect();
        if whos.len() >= 2 {
            up_to(
                INTRUDER + 0.5,
                base,
                out,
                i,
                "in_campaign",
                (
                    "de nuit, d'un serveur loué à l'étranger, comme d'autres comptes usurpés ces jours-là",
                    "by night, from a rented server abroad, as other accounts that are usurped in these days",
                ),
            );
        }
    }
}
