//! Fragments of all files → sessions, their accounts and links.
use crate::{
    Features, Fragment, Key, Partial, chain,
    features::Sorted,
    geo::Geo,
    intake::machine,
    key::{ID_LIFE, INACTIVITY, canonical},
    key_of, net,
    profile::People,
};
use ampleur_event::{
    Account, Event, Link, Origin, Session, SessionKey,
    time::{HOUR, MINUTE, NO_TIME, Nanos},
};
use ampleur_sources::case::{Case, FileId};
use rustc_hash::FxHashMap;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Every session of a case.
#[derive(Debug, Clone, Default)]
pub struct Sessions {
    /// Sorted by (from, id).
    pub list: Vec<Session>,
    /// Parallel to `list`.
    pub features: Vec<Features>,
    /// Chain label of each session, parallel to `list`: equal for sessions joined by links of certainty 0.5 or more.
    pub chains: Vec<String>,
    /// Sorted by (outer, inner, kind).
    pub links: Vec<Link>,
    /// Sessions that two outer sessions claim with equal right. Sorted.
    pub ambiguous: Vec<u32>,
    /// Machine name (first label, lower case) → its addresses, learned from the logs and the context.
    pub machines: BTreeMap<String, BTreeSet<IpAddr>>,
    /// Addresses that stand for many clients: gateways, reverse proxies, public egress. Value: distinct accounts seen there.
    pub shared: BTreeMap<IpAddr, usize>,
    /// Source of tunnels → nanoseconds to add to its times so that its tunnels agree with what came out of them; only where they
    /// clearly disagree. Session times are left as the source gave them.
    pub skews: BTreeMap<u32, Nanos>,
    /// Autonomous system → name of its operator, as the case's files say.
    pub operators: BTreeMap<u32, String>,
    /// Spans of each key in order. Only ever asked for one key at a time.
    pub(crate) index: FxHashMap<Key, Vec<(Nanos, Nanos, u32)>>,
    pub(crate) sources: Vec<u32>,
}

struct Proto {
    key: Key,
    format: &'static str,
    part: Fragment,
}

impl Sessions {
    /// Joins what the files contributed. The order of `partials` does not matter.
    pub fn build(case: &Case, mut partials: Vec<Partial>) -> Sessions {
        partials.sort_by_key(|p| p.file);
        let mut parts: BTreeMap<Key, (&'static str, Vec<Fragment>)> = BTreeMap::new();
        let mut untimed: BTreeMap<Key, (&'static str, Fragment)> = BTreeMap::new();
        let mut names: BTreeMap<String, BTreeSet<Account>> = BTreeMap::new();
        let mut restarts: BTreeMap<String, BTreeSet<Nanos>> = BTreeMap::new();
        let mut told: BTreeMap<(String, String), u64> = BTreeMap::new();
        for p in partials {
            for (k, list) in p.fragments {
                let e = parts.entry(k).or_insert((p.format, vec![]));
                e.0 = e.0.min(p.format);
                e.1.extend(list);
            }
            for (k, f) in p.untimed {
                match untimed.get_mut(&k) {
                    Some((_, g)) => g.join(f),
                    None => {
                        untimed.insert(k, (p.format, f));
                    }
                }
            }
            for (k, v) in p.names {
                names.entry(k).or_default().extend(v);
            }
            for (k, v) in p.restarts {
                restarts.entry(k).or_default().extend(v);
            }
            for (k, v) in p.machines {
                *told.entry(k).or_default() += v;
            }
        }
        let people = People::new(&case.context);
        let geo = Geo::open(case);
        let estates = chain::Estates::new(case);
        let gateways = gateways(parts.keys().chain(untimed.keys()), &estates);
        let mut out = Sessions {
            sources: case.files.iter().map(|f| f.source).collect(),
            ..Sessions::default()
        };
        // Sessions are large and many: what they are made of goes as they come, they stand in their lists from the start, and
        // their order is found before they move.
        let most = parts.values().map(|p| p.1.len()).sum::<usize>() + untimed.len();
        out.list.reserve_exact(most);
        out.features.reserve_exact(most);
        let mut keys: Vec<(Key, Nanos, Nanos)> = Vec::with_capacity(most);
        let mut put = |key: Key, format: &'static str, part: Fragment| {
            // Rows are looked up by their own times, not by when what they stand for began.
            let (from, to) = (part.from, part.to);
            let p = Proto { key, format, part };
            let (session, features, key) = session_of(
                case,
                p,
                &names,
                &gateways,
                &people,
                &geo,
                &mut out.operators,
            );
            out.list.push(session);
            out.features.push(features);
            keys.push((key, from, to));
        };
        for (key, (format, list)) in parts {
            let mut late = untimed.remove(&key).map(|(_, f)| f);
            for mut part in joined(&key, list, &restarts) {
                if let Some(f) = late.take() {
                    let (from, to, began) = (part.from, part.to, part.features.began);
                    part.join(f);
                    (part.from, part.to, part.features.began) = (from, to, began);
                }
                put(key.clone(), format, part);
            }
        }
        for (key, (format, part)) in untimed {
            put(key, format, part);
        }
        let mut order: Vec<usize> = (0..out.list.len()).collect();
        order.sort_by_key(|i| (out.list[*i].from, &out.list[*i].id));
        let mut place = vec![0; order.len()];
        for (to, from) in order.into_iter().enumerate() {
            place[from] = to;
        }
        for (i, (key, from, to)) in keys.into_iter().enumerate() {
            let spans = out.index.entry(key).or_default();
            let span = (from, to, place[i] as u32);
            spans.insert(spans.partition_point(|s| *s < span), span);
        }
        let mut i = 0;
        while i < place.len() {
            let to = place[i];
            if to == i {
                i += 1;
            } else {
                out.list.swap(i, to);
                out.features.swap(i, to);
                place.swap(i, to);
            }
        }
        out.learn_skews();
        out.learn_machines(case, told);
        out.adopt(&people);
        out.shared = out.count_shared(&gateways);
        chain::link(case, &mut out, &estates);
        out
    }

    /// The one session an event of `file` belongs to (SE-1); `None` for rows without account and address.
    pub fn of_event(&self, file: FileId, e: &Event<'_>) -> Option<u32> {
        let key = key_of(*self.sources.get(file as usize)?, e)?;
        self.of_key(&key, e.time)
    }
    /// The session of `key` whose interval holds `time`, else the nearest one.
    pub fn of_key(&self, key: &Key, time: Nanos) -> Option<u32> {
        let spans = self.index.get(key)?;
        if time == NO_TIME {
            return spans.first().map(|s| s.2);
        }
        let at = spans.partition_point(|(from, _, _)| *from <= time);
        let before = at.checked_sub(1).and_then(|i| spans.get(i));
        let after = spans.get(at);
        match (before, after) {
            (Some(b), Some(a))
                if time > b.1 && a.0.saturating_sub(time) < time.saturating_sub(b.1) =>
            {
                Some(a.2)
            }
            (Some(b), _) => Some(b.2),
            (None, Some(a)) => Some(a.2),
            (None, None) => None,
        }
    }
    /// Index of the session with this id.
    pub fn by_id(&self, id: &str) -> Option<u32> {
        self.list.iter().position(|s| s.id == id).map(|i| i as u32)
    }

    /// Addresses that tunnels lend.
    pub fn lent(&self) -> BTreeSet<IpAddr> {
        self.list
            .iter()
            .filter(|s| s.key_kind == SessionKey::Tunnel)
            .filter_map(|s| s.inner)
            .collect()
    }

    /// True for sessions made of network flows only.
    pub fn is_flow(&self, i: usize) -> bool {
        self.features[i].ports != 0
    }

    /// Clocks: sessions of a person from a lent address lie inside that person's tunnel. Where they mostly do not, and one shift
    /// of the tunnels' clock puts nearly all of them inside, the clocks disagree by that much.
    fn learn_skews(&mut self) {
        const REACH: Nanos = 3 * HOUR;
        const ENOUGH: usize = 8;
        let mut tunnels: BTreeMap<(u32, IpAddr), Vec<u32>> = BTreeMap::new();
        for (i, t) in self.list.iter().enumerate() {
            if let (SessionKey::Tunnel, Some(inner)) = (t.key_kind, t.inner) {
                tunnels.entry((t.source, inner)).or_default().push(i as u32);
            }
        }
        let sources: BTreeSet<u32> = tunnels.keys().map(|k| k.0).collect();
        for source in sources {
            // Each inner session with the tunnels of its person that are near in time: (tunnel from - begin, tunnel to - begin).
            let mut pairs: Vec<Vec<(Nanos, Nanos)>> = vec![];
            for x in &self.list {
                let Some(a) = x.origin.address.filter(|_| x.source != source) else {
                    continue;
                };
                let Some(list) = tunnels.get(&(source, a)) else {
                    continue;
                };
                let near: Vec<(Nanos, Nanos)> = list
                    .iter()
                    .map(|j| &self.list[*j as usize])
                    .filter(|t| t.from - REACH <= x.from && x.from <= t.to + REACH)
                    .filter(|t| {
                        (x.person.is_some() && x.person == t.person)
                            || matches!((&x.account, &t.account), (Some(p), Some(q)) if p.bare() == q.bare())
                    })
                    .map(|t| (t.from - x.from, t.to - x.from))
                    .collect();
                if !near.is_empty() {
                    pairs.push(near);
                }
                if pairs.len() >= 20_000 {
                    break;
                }
            }
            if pairs.len() < ENOUGH {
                continue;
            }
            let inside = |shift: Nanos| {
                let hit =
                    |(a, b): &(Nanos, Nanos)| a + shift <= MINUTE / 2 && b + shift >= -MINUTE / 2;
                pairs.iter().filter(|p| p.iter().any(hit)).count()
            };
            let n = pairs.len();
            if inside(0) * 100 >= n * 90 {
                continue;
            }
            let scan: Vec<(usize, i64)> =
                (-180..=180i64).map(|m| (inside(m * MINUTE), m)).collect();
            let best = scan.iter().map(|x| x.0).max().unwrap_or(0);
            if best * 100 < n * 90 || best * 100 < inside(0) * 100 + n * 10 {
                continue;
            }
            // Of all shifts that fit, the latest: people log on soon after the tunnel is up.
            if let Some((_, m)) = scan.iter().rev().find(|x| x.0 * 100 >= best * 98) {
                self.skews.insert(source, m * MINUTE);
            }
        }
    }

    fn learn_machines(&mut self, case: &Case, told: BTreeMap<(String, String), u64>) {
        // A name one row tells may be forged or stale: an address belongs to the name told most often for it.
        let mut best: BTreeMap<String, (u64, String)> = BTreeMap::new();
        for ((name, address), n) in told {
            let e = best.entry(address).or_insert((0, String::new()));
            if n > e.0 {
                *e = (n, name);
            }
        }
        for (address, (_, name)) in best {
            if let Some(a) = net::parse_address(&address) {
                self.machines.entry(name).or_default().insert(a);
            }
        }
        // A job's host and the single address its account works from name one machine.
        for j in &case.context.jobs {
            let Some(host) = j.host.as_deref().map(machine).filter(|h| !h.is_empty()) else {
                continue;
            };
            let account = canonical(&Account::parse(&j.account));
            for a in case
                .context
                .accounts
                .iter()
                .filter(|a| canonical(&Account::parse(&a.name)) == account)
            {
                for n in a
                    .networks
                    .iter()
                    .filter(|n| net::Net::parse(n).is_some_and(|n| n.is_single()))
                {
                    if let Some(x) = net::parse_address(n.split('/').next().unwrap_or(n)) {
                        self.machines.entry(host.clone()).or_default().insert(x);
                    }
                }
            }
        }
        // Explicit credentials on host H for account A, and within minutes A logs on elsewhere from address X: X is H's.
        let mut votes: BTreeMap<(String, IpAddr), u64> = BTreeMap::new();
        let mut logons: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (i, s) in self
            .list
            .iter()
            .enumerate()
            .filter(|(_, s)| s.key_kind == SessionKey::LogonId)
        {
            if let Some(a) = &s.account {
                logons.entry(canonical(a)).or_default().push(i as u32);
            }
        }
        for (i, f) in self.features.iter().enumerate() {
            let host = machine(&self.list[i].host);
            for (target, t) in f.targets.iter().filter(|_| !host.is_empty()) {
                let Some(of) = logons.get(target) else {
                    continue;
                };
                let first = of.partition_point(|j| self.list[*j as usize].from < t - 5 * MINUTE);
                let near: BTreeSet<IpAddr> = of[first..]
                    .iter()
                    .map(|j| &self.list[*j as usize])
                    .take_while(|s| s.from <= t + 5 * MINUTE)
                    .filter(|s| machine(&s.host) != host)
                    .filter_map(|s| s.origin.address)
                    .collect();
                if near.len() == 1 {
                    for a in near {
                        *votes.entry((host.clone(), a)).or_default() += 1;
                    }
                }
            }
        }
        // A remote-desktop logon on host H from X, and a flow X → Y:3389 that begins with it: Y is H's.
        let mut desks: BTreeMap<IpAddr, Vec<u32>> = BTreeMap::new();
        for (i, s) in self.list.iter().enumerate() {
            if self.features[i].ports & 1 != 0
                && let Some(a) = s.origin.address
            {
                desks.entry(a).or_default().push(i as u32);
            }
        }
        for (_, s) in self
            .list
            .iter()
            .enumerate()
            .filter(|(i, _)| self.features[*i].logon_types & 1 << 10 != 0)
        {
            let host = machine(&s.host);
            let Some(flows) = s
                .origin
                .address
                .and_then(|a| desks.get(&a))
                .filter(|_| !host.is_empty())
            else {
                continue;
            };
            let near: BTreeSet<IpAddr> = flows
                .iter()
                .filter(|j| {
                    let (f, x) = (&self.features[**j as usize], &self.list[**j as usize]);
                    (f.began - s.from).abs() <= 3 * MINUTE
                        || (f.began <= s.from && (x.to - s.to).abs() <= 3 * MINUTE)
                })
                .flat_map(|j| {
                    self.features[*j as usize]
                        .destinations
                        .items
                        .iter()
                        .filter_map(|d| net::parse_address(d))
                })
                .collect();
            if near.len() == 1 {
                for a in near {
                    *votes.entry((host.clone(), a)).or_default() += 1;
                }
            }
        }
        for ((host, a), _) in votes {
            self.machines.entry(host).or_default().insert(a);
        }
    }

    /// Sessions without account get the account of their address when exactly one is known there at that time (contract §F).
    fn adopt(&mut self, people: &People) {
        let mut there: BTreeMap<IpAddr, Vec<u32>> = BTreeMap::new();
        let mut by_request: FxHashMap<u64, BTreeSet<u32>> = FxHashMap::default();
        // Accounts and whoever is behind them as numbers: at one address thousands may be compared.
        let mut names: FxHashMap<String, u32> = FxHashMap::default();
        let mut firsts: Vec<u32> = vec![];
        let mut whos: FxHashMap<String, u32> = FxHashMap::default();
        let mut of: Vec<(u32, u32)> = vec![(NOBODY, NOBODY); self.list.len()];
        for (i, s) in self.list.iter().enumerate() {
            let Some(a) = &s.account else { continue };
            let name = canonical(a);
            let next = whos.len() as u32;
            let who = people
                .of(a)
                .map_or_else(|| name.clone(), |p| format!("#{p}"));
            let who = *whos.entry(who).or_insert(next);
            let next = firsts.len() as u32;
            let name = *names.entry(name).or_insert(next);
            if name == next {
                firsts.push(i as u32);
            }
            of[i] = (name, who);
            if a.is_machine() {
                continue;
            }
            for x in s.origin.address.iter().chain(s.inner.iter()) {
                there.entry(*x).or_default().push(i as u32);
            }
            for r in &self.features[i].requests.items {
                by_request.entry(*r).or_default().insert(name);
            }
        }
        // The latest end up to each place, to stop looking back in time.
        let ends: BTreeMap<IpAddr, Vec<Nanos>> = there
            .iter()
            .map(|(a, l)| {
                let mut latest = Nanos::MIN;
                let ends = l
                    .iter()
                    .map(|j| {
                        latest = latest.max(self.list[*j as usize].to);
                        latest
                    })
                    .collect();
                (*a, ends)
            })
            .collect();
        let widest = self.skews.values().map(|s| s.abs()).max().unwrap_or(0);
        let mut found: Vec<(usize, Account)> = vec![];
        for (i, s) in self.list.iter().enumerate() {
            if s.account.is_some() {
                continue;
            }
            let f = &self.features[i];
            let asked: BTreeSet<u32> = f
                .requests
                .items
                .iter()
                .filter_map(|r| by_request.get(r))
                .flatten()
                .copied()
                .collect();
            let account_of = |j: u32| self.list[j as usize].account.clone();
            let Some(near) = s.origin.address.and_then(|a| there.get(&a)) else {
                if let (1, Some(name)) = (asked.len(), asked.first())
                    && let Some(a) = account_of(firsts[*name as usize])
                {
                    found.push((i, a));
                }
                continue;
            };
            let slack = 10 * MINUTE;
            let (from, to) = (
                f.began.min(s.from).saturating_sub(slack),
                s.to.saturating_add(slack),
            );
            let stop = near.partition_point(|j| self.list[*j as usize].from <= to + widest);
            let ends = s.origin.address.and_then(|a| ends.get(&a));
            let start = ends.map_or(0, |e| e[..stop].partition_point(|x| *x < from - widest));
            let live = |j: &u32| {
                let o = &self.list[*j as usize];
                let shift = if o.inner == s.origin.address {
                    self.skews.get(&o.source).copied().unwrap_or(0)
                } else {
                    0
                };
                o.from + shift <= to && o.to + shift >= from
            };
            let there = &near[start..stop];
            let who = |j: u32| of[j as usize].1;
            let mut candidates = Candidates::of(there.iter().copied().filter(|j| live(j)), who);
            if matches!(candidates, Candidates::Several) && !asked.is_empty() {
                let kept = there
                    .iter()
                    .copied()
                    .filter(|j| live(j) && asked.contains(&of[*j as usize].0));
                candidates = Candidates::of(kept, who);
            }
            if matches!(candidates, Candidates::Several) {
                // Several people behind one address: the one whose session begins and ends with this one.
                const LAG: Nanos = 20 * ampleur_event::time::SECOND;
                let near = |a: Nanos, b: Nanos| (a - b).abs() <= LAG;
                let a = there.partition_point(|j| self.list[*j as usize].from < s.from - LAG);
                let kept = there[a..]
                    .iter()
                    .copied()
                    .take_while(|j| self.list[*j as usize].from <= s.from + LAG)
                    .filter(|j| live(j) && near(self.list[*j as usize].to, s.to));
                candidates = Candidates::of(kept, who);
            }
            if let Candidates::One(j) = candidates
                && let Some(a) = account_of(j)
            {
                found.push((i, a));
            }
        }
        for (i, a) in found {
            self.list[i].person = people.of(&a);
            self.list[i].account = Some(a);
        }
    }

    fn count_shared(&self, gateways: &BTreeSet<IpAddr>) -> BTreeMap<IpAddr, usize> {
        let mut seen: BTreeMap<IpAddr, BTreeSet<String>> = BTreeMap::new();
        for s in &self.list {
            if let (Some(a), Some(x)) = (&s.account, s.origin.address) {
                let set = seen.entry(x).or_default();
                if set.len() < 1000 && !a.is_machine() {
                    set.insert(s.person.map_or_else(|| canonical(a), |p| format!("#{p}")));
                }
            }
        }
        seen.into_iter()
            .filter(|(a, s)| s.len() > 1 || gateways.contains(a))
            .map(|(a, s)| (a, s.len()))
            .collect()
    }
}

/// Number of no account.
const NOBODY: u32 = u32::MAX;

/// How many people a list of sessions is of; of one, the first of its sessions.
enum Candidates {
    Nobody,
    One(u32),
    Several,
}

impl Candidates {
    fn of(list: impl Iterator<Item = u32>, who: impl Fn(u32) -> u32) -> Candidates {
        let mut out = Candidates::Nobody;
        for j in list.filter(|j| who(*j) != NOBODY) {
            match out {
                Candidates::Nobody => out = Candidates::One(j),
                Candidates::One(first) if who(first) != who(j) => return Candidates::Several,
                _ => {}
            }
        }
        out
    }
}

/// Joins the stretches of one key: across files, and for explicit ids across longer silence inside one life of the id.
fn joined(
    key: &Key,
    mut list: Vec<Fragment>,
    restarts: &BTreeMap<String, BTreeSet<Nanos>>,
) -> Vec<Fragment> {
    list.sort_by_key(|f| (f.from, f.to, f.fingerprint));
    let lives = match key.kind {
        SessionKey::LogonId | SessionKey::Backend => key
            .id
            .rsplit_once('@')
            .and_then(|(_, h)| restarts.get(&machine(h))),
        _ => None,
    };
    let mut out: Vec<Fragment> = vec![];
    for f in list {
        let Some(last) = out.last_mut() else {
            out.push(f);
            continue;
        };
        if last.from == f.from && last.to == f.to && last.fingerprint == f.fingerprint {
            // The same stretch delivered twice.
            last.counts.events += f.counts.events;
            continue;
        }
        let silence = f.from.saturating_sub(last.to);
        let join = match key.kind {
            _ if silence <= INACTIVITY => true,
            SessionKey::Inactivity => false,
            _ => {
                silence <= ID_LIFE
                    && !(last.closed && f.opened)
                    && lives.is_none_or(|l| l.range(last.to + 1..=f.from).next().is_none())
            }
        };
        if join {
            last.join(f);
        } else {
            out.push(f);
        }
    }
    out
}

/// Addresses that forward for others: private ones that name clients, and public ones that name three clients or more.
fn gateways<'a>(keys: impl Iterator<Item = &'a Key>, estates: &chain::Estates) -> BTreeSet<IpAddr> {
    let mut clients: BTreeMap<IpAddr, BTreeSet<&str>> = BTreeMap::new();
    for key in keys {
        if let Some((src, client)) = key.address.split_once(',')
            && let Some(a) = net::parse_address(src)
        {
            clients.entry(a).or_default().insert(client);
        }
    }
    clients
        .into_iter()
        .filter(|(a, c)| net::is_private(*a) || estates.holds(*a) || c.len() >= 3)
        .map(|(a, _)| a)
        .collect()
}

fn most(accounts: &Sorted<String, (Account, u64)>) -> Option<Account> {
    accounts
        .values()
        .max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)))
        .map(|(a, _)| a.clone())
}

fn session_of(
    case: &Case,
    p: Proto,
    names: &BTreeMap<String, BTreeSet<Account>>,
    gateways: &BTreeSet<IpAddr>,
    people: &People,
    geo: &Geo,
    operators: &mut BTreeMap<u32, String>,
) -> (Session, Features, Key) {
    let Proto { key, format, part } = p;
    let f = part.features;
    let account = if key.account.starts_with('#') {
        None
    } else {
        f.accounts.get(&key.account).map(|(a, _)| a.clone())
    }
    .or_else(|| most(&f.accounts))
    .or_else(|| {
        let mut known = f
            .user_ids
            .items
            .iter()
            .filter_map(|u| names.get(u))
            .flatten();
        known.next().cloned()
    });
    let address = match key.address.split_once(',') {
        Some((src, client)) => {
            let near = net::parse_address(src);
            match near {
                Some(a) if !gateways.contains(&a) => Some(a),
                _ => net::parse_address(client).or(near),
            }
        }
        None => net::parse_address(&key.address).or_else(|| {
            f.addresses
                .items
                .iter()
                .filter_map(|a| net::parse_address(a))
                .find(|a| !a.is_loopback() && !a.is_unspecified())
        }),
    };
    let flow = f.ports != 0;
    let device = if flow {
        None
    } else {
        f.devices
            .first()
            .filter(|d| !d.is_empty())
            .map(str::to_string)
    };
    let (country, asn, operator) = address.map_or((None, None, None), |a| geo.find(a));
    if let (Some(n), Some(o)) = (asn, operator) {
        operators.entry(n).or_insert(o);
    }
    let country = country.or_else(|| {
        f.countries
            .items
            .iter()
            .find_map(|c| crate::geo::country_code(c))
    });
    let host = f.hosts.first().unwrap_or("").to_string();
    let program = match f.programs.first() {
        Some(p) => p.to_string(),
        None => device
            .as_deref()
            .and_then(|d| d.split([' ', ';']).next())
            .filter(|d| d.contains('/'))
            .unwrap_or("")
            .to_string(),
    };
    let mut counts = part.counts;
    counts.subjects = f.subjects.len() as u64;
    counts.objects = f.objects.len() as u64;
    counts.bytes_in = counts.bytes_in.saturating_add(f.total_in);
    counts.bytes_out = counts.bytes_out.saturating_add(f.total_out);
    let id = {
        let mut h = blake3::Hasher::new();
        let name = case
            .sources
            .get(key.source as usize)
            .map_or("", |s| s.name.as_str());
        for t in [
            name,
            key.kind.word(),
            &key.id,
            &key.account,
            &key.address,
            &key.device,
        ] {
            h.update(t.as_bytes());
            h.update(&[0]);
        }
        h.update(&part.from.to_le_bytes());
        format!("s{}", h.finalize().to_hex().get(..15).unwrap_or_default())
    };
    let inner = f
        .inner
        .items
        .iter()
        .find_map(|a| net::parse_address(a))
        .filter(|a| !a.is_unspecified());
    let s = Session {
        id,
        source: key.source,
        format,
        key_kind: key.kind,
        key: key.id.clone(),
        person: account.as_ref().and_then(|a| people.of(a)),
        account,
        origin: Origin {
            address,
            country,
            asn,
            device,
        },
        inner: if flow { None } else { inner },
        host,
        program,
        // A flow is logged at its end: what it stands for began earlier.
        from: if flow {
            f.began.min(part.from)
        } else {
            part.from
        },
        to: part.to,
        closed: part.closed,
        counts,
    };
    (s, f, key)
}
