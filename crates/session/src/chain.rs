//! Links between sessions and the chains they make.
use crate::{
    Sessions,
    bastion::{self, Bastion},
    build::Side,
    features::List,
    intake::machine,
    net::{self, Net},
    profile::{Rules, is_service, job_of},
    spread::side_by_side,
    texts::TextId,
};
use ampleur_event::{
    Link, LinkKind, Session, SessionKey, System,
    time::{DAY, HOUR, MINUTE, NO_TIME, Nanos, SECOND},
};
use ampleur_sources::case::Case;
use rustc_hash::FxHashMap;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

/// Links of this certainty or more join two sessions into one chain.
pub const JOINS: f32 = 0.5;

/// The networks of the establishments.
pub(crate) struct Estates {
    nets: Vec<Net>,
}
impl Estates {
    pub(crate) fn new(case: &Case) -> Estates {
        Estates {
            nets: case
                .context
                .establishments
                .iter()
                .flat_map(|e| &e.networks)
                .filter_map(|n| Net::parse(n))
                .collect(),
        }
    }
    pub(crate) fn holds(&self, a: IpAddr) -> bool {
        self.nets.iter().any(|n| n.contains(a))
    }
    /// True for addresses beyond the hospital: neither private nor in its networks.
    pub(crate) fn outside(&self, a: IpAddr) -> bool {
        !net::is_private(a) && !self.holds(a)
    }
}

pub(crate) struct Web<'a> {
    pub s: &'a Sessions,
    pub side: &'a Side,
    pub by_address: &'a FxHashMap<IpAddr, Vec<u32>>,
    /// As found: one pair of sessions may stand here several times.
    links: Vec<Link>,
}

impl Web<'_> {
    pub fn add(&mut self, outer: u32, inner: u32, kind: LinkKind, certainty: f32) {
        if outer == inner {
            return;
        }
        self.links.push(Link {
            outer,
            inner,
            kind,
            certainty,
        });
    }
    /// Each pair once, in order. The strongest reason is kept; equal ones by their code, so that order does not matter.
    fn links(mut self) -> Vec<Link> {
        self.links.sort_unstable_by(|a, b| {
            (a.outer, a.inner)
                .cmp(&(b.outer, b.inner))
                .then_with(|| b.certainty.total_cmp(&a.certainty))
                .then_with(|| a.kind.cmp(&b.kind))
        });
        self.links.dedup_by_key(|l| (l.outer, l.inner));
        self.links.shrink_to_fit();
        self.links
    }
    fn start(&self, i: u32) -> Nanos {
        let s = &self.s.list[i as usize];
        s.from.min(self.side.began[i as usize])
    }
    /// False for what no line tells the time of: it opens nothing and is opened by nothing.
    fn timed(&self, i: u32) -> bool {
        self.s.list[i as usize].from != NO_TIME
    }
    /// When it started by the clock of the others.
    pub fn true_start(&self, i: u32) -> Nanos {
        let skew = self.s.skew(self.s.list[i as usize].source);
        self.start(i).saturating_add(skew)
    }
    /// Sessions from `address` that begin inside `[from, to]`.
    fn begun(&self, address: IpAddr, from: Nanos, to: Nanos) -> Vec<u32> {
        let Some(list) = self.by_address.get(&address) else {
            return vec![];
        };
        // A flow can begin up to its duration before its row, and clocks may be off: look a little beyond and test the true begin.
        let off = self.s.skews.values().map(|s| s.abs()).max().unwrap_or(0);
        let (first, last) = (from.saturating_sub(off), to.saturating_add(off + 2 * DAY));
        let a = list.partition_point(|i| self.s.list[*i as usize].from < first);
        list[a..]
            .iter()
            .copied()
            .take_while(|i| self.s.list[*i as usize].from <= last)
            .filter(|i| {
                let b = self.true_start(*i);
                b >= from && b <= to
            })
            .collect()
    }
}

/// What may join two sessions.
enum Kind {
    /// Addresses and accounts.
    Place,
    /// Ids the sources give.
    Id,
    /// Ids of requests; a part of them at a time: they are hashes, so that the parts are alike.
    Request { part: u64, parts: u64 },
}
const REQUEST_PARTS: u64 = 16;
const MANY_REQUESTS: usize = 1 << 20;

pub(crate) fn link(
    threads: usize,
    case: &Case,
    out: &mut Sessions,
    side: &Side,
    estates: &Estates,
    by_address: &FxHashMap<IpAddr, Vec<u32>>,
) {
    let rules = Rules::new(&case.context);
    let web = || Web {
        s: out,
        side,
        by_address,
        links: vec![],
    };
    let asked = side.requests.count();
    let parts = if asked > MANY_REQUESTS {
        REQUEST_PARTS
    } else {
        1
    };
    let kinds = [Kind::Place, Kind::Id].into_iter();
    let kinds = kinds.chain((0..parts).map(|part| Kind::Request { part, parts }));
    // One kind does not depend on the other, and the order in which links are found does not matter.
    let found = side_by_side(threads, kinds.collect(), &|kind| {
        let (mut w, mut ambiguous) = (web(), BTreeSet::new());
        match kind {
            Kind::Place => {
                let through = tunnels(&mut w, &mut ambiguous);
                let late = late_logons(&w, &through);
                let bastions = bastion::all(estates, &mut w, &mut ambiguous);
                hops(&rules, estates, &late, &bastions, &mut w, &mut ambiguous);
                same_account(case, &rules, &through, &mut w);
            }
            Kind::Id => shared_ids(&mut w),
            Kind::Request { part, parts } => shared_requests(&mut w, part, parts),
        }
        vec![(w.links, ambiguous)]
    });
    let (mut w, mut ambiguous) = (web(), BTreeSet::new());
    for (links, open) in found {
        w.links.extend(links);
        ambiguous.extend(open);
    }
    let links = w.links();
    out.chains = components(out, &links);
    out.links = links;
    out.ambiguous = ambiguous.into_iter().collect();
}

/// Who was lent which address, and when: (session, address, from, to), both ends within, as the session's source tells the time.
pub(crate) fn lendings(s: &Sessions) -> Vec<(u32, IpAddr, Nanos, Nanos)> {
    let door = |x: &Session| x.account.as_ref().is_some_and(|a| a.system == System::Vpn);
    let mut out = vec![];
    // Sources that say what they lend.
    let mut say: BTreeSet<u32> = BTreeSet::new();
    for (i, x) in s.list.iter().enumerate() {
        let tunnel = x.key_kind == SessionKey::Tunnel || door(x);
        let Some(inner) = x.inner.filter(|_| tunnel) else {
            continue;
        };
        say.insert(x.source);
        if Some(inner) != x.origin.address {
            out.push((i as u32, inner, x.from, x.to));
        }
    }
    // A door that does not say it names the account on the flows from there: those of one address, one after the other, are one use,
    // and it is the last login before it that brought it.
    let mut logins: BTreeMap<String, Vec<(Nanos, u32)>> = BTreeMap::new();
    let mut uses: BTreeMap<(String, IpAddr), Vec<(Nanos, Nanos)>> = BTreeMap::new();
    for (i, x) in s.list.iter().enumerate() {
        let (Some(a), Some(at)) = (&x.account, x.origin.address) else {
            continue;
        };
        if say.contains(&x.source) || !door(x) {
            continue;
        }
        if !net::is_private(at) {
            logins.entry(a.bare()).or_default().push((x.from, i as u32));
        } else {
            uses.entry((a.bare(), at)).or_default().push((x.from, x.to));
        }
    }
    for ((who, at), mut list) in uses {
        let Some(came) = logins.get_mut(&who) else {
            continue;
        };
        came.sort_unstable();
        list.sort_unstable();
        let goes_on = |a: &(Nanos, Nanos), b: &(Nanos, Nanos)| b.0.saturating_sub(a.1) <= 8 * HOUR;
        for run in list.chunk_by(goes_on) {
            let (from, to) = (run[0].0, run.iter().map(|r| r.1).max().unwrap_or(run[0].1));
            let before = came.partition_point(|c| c.0 <= from.saturating_add(MINUTE));
            if let Some((t, i)) = before.checked_sub(1).map(|k| came[k])
                && from.saturating_sub(t) <= DAY
            {
                out.push((i, at, t, to));
            }
        }
    }
    out.sort_unstable();
    out
}

/// Sessions that come from the address a tunnel lent, while it was up. Returns the tunnel of each that can have only one.
fn tunnels(w: &mut Web<'_>, ambiguous: &mut BTreeSet<u32>) -> FxHashMap<u32, u32> {
    let mut through = FxHashMap::default();
    let mut claims: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let mut lent: BTreeMap<IpAddr, Vec<u32>> = BTreeMap::new();
    let timed = |l: &(u32, IpAddr, Nanos, Nanos)| l.2 != NO_TIME;
    for (i, inner, from, to) in lendings(w.s).into_iter().filter(timed) {
        lent.entry(inner).or_default().push(i);
        let shift = w.s.skew(w.s.list[i as usize].source);
        let slack = if shift == 0 { MINUTE } else { 4 * MINUTE };
        for j in w.begun(inner, from + shift - slack, to + shift + slack) {
            if i != j {
                claims.entry(j).or_default().push(i);
            }
        }
    }
    let s = w.s;
    let of_one = |o: u32, j: u32| {
        let (a, b) = (&s.list[o as usize], &s.list[j as usize]);
        (a.person.is_some() && a.person == b.person)
            || (a.account.is_some()
                && b.account.as_ref().map(|x| x.bare()) == a.account.as_ref().map(|x| x.bare()))
    };
    // A log that two collectors delivered tells of one tunnel twice: that is one door and no choice.
    let side = w.side;
    let one_told_twice = |a: u32, b: u32| {
        let (x, y) = (&s.list[a as usize], &s.list[b as usize]);
        let near = |p: Nanos, q: Nanos| (p - q).abs() <= 2 * SECOND;
        x.source != y.source
            && x.inner == y.inner
            && x.origin.address == y.origin.address
            && near(
                x.from.saturating_add(s.skew(x.source)),
                y.from.saturating_add(s.skew(y.source)),
            )
            && near(
                x.to.saturating_add(s.skew(x.source)),
                y.to.saturating_add(s.skew(y.source)),
            )
            && side.canonical(a as usize) == side.canonical(b as usize)
    };
    let doors = |owners: &[u32]| {
        let mut out: Vec<u32> = vec![];
        for o in owners {
            if !out.iter().any(|p| one_told_twice(*p, *o)) {
                out.push(*o);
            }
        }
        out
    };
    for (j, owners) in &claims {
        let owners = &doors(owners);
        let same: Vec<u32> = owners.iter().copied().filter(|o| of_one(*o, *j)).collect();
        // A clock that errs can lay somebody's session to the next holder of the address: his own tunnel there, a little before
        // or after, has the same right.
        let b = &s.list[*j as usize];
        let own = b.origin.address.and_then(|a| {
            let near = |o: &&u32| {
                let t = &s.list[**o as usize];
                t.from.saturating_sub(2 * HOUR) <= b.from
                    && b.from <= t.to.saturating_add(2 * HOUR)
                    && of_one(**o, *j)
            };
            lent.get(&a)?.iter().find(near).copied()
        });
        let (chosen, certainty) = match (owners.len(), same.len(), own) {
            (1, 0, Some(own)) => {
                ambiguous.insert(*j);
                (vec![owners[0], own], 0.45)
            }
            (1, ..) => (owners.clone(), 0.95),
            (_, 1, _) => (same, 0.9),
            _ => {
                ambiguous.insert(*j);
                (owners.clone(), 0.45)
            }
        };
        if let [one] = chosen[..] {
            through.insert(*j, one);
        }
        for o in chosen {
            w.add(o, *j, LinkKind::TunnelAddress, certainty);
        }
    }
    // Clocks may disagree: an orphan from a lent address belongs to the only tunnel that had it within two hours.
    for (inner, owners) in &lent {
        let Some(list) = w.by_address.get(inner).cloned() else {
            continue;
        };
        for j in list {
            if claims.contains_key(&j) {
                continue;
            }
            let b = w.start(j);
            let near: Vec<u32> = owners
                .iter()
                .copied()
                .filter(|o| {
                    s.list[*o as usize].from - 2 * HOUR <= b
                        && b <= s.list[*o as usize].to + 2 * HOUR
                })
                .collect();
            if let [one] = doors(&near)[..] {
                // Under another name it may as well be the next holder's, whose own line is missing.
                if of_one(one, j) || s.list[j as usize].account.is_none() {
                    through.insert(j, one);
                    w.add(one, j, LinkKind::TunnelAddress, 0.6);
                } else {
                    ambiguous.insert(j);
                    w.add(one, j, LinkKind::TunnelAddress, 0.45);
                }
            }
        }
    }
    through
}

/// The same token, identity-provider session or logon in two logs. From one address it is one use; from two it may be
/// a stolen one, which is said but joins nothing.
fn shared_ids(w: &mut Web<'_>) {
    let s = w.s;
    let mut ids: Vec<(LinkKind, TextId, u32)> = vec![];
    for (i, x) in s.list.iter().enumerate() {
        let tokens = s.features[i].list(List::Tokens);
        let i = i as u32;
        ids.extend(tokens.iter().map(|t| (LinkKind::Token, *t, i)));
        let id = w.side.id[i as usize];
        match x.key_kind {
            SessionKey::Sid | SessionKey::Application => ids.push((LinkKind::Sid, id, i)),
            SessionKey::LogonId => ids.push((LinkKind::LogonId, id, i)),
            _ => {}
        }
    }
    ids.sort_unstable();
    for group in ids.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        if group.len() > 1 {
            let list: Vec<u32> = group.iter().map(|g| g.2).collect();
            shared_id(w, group[0].0, &list);
        }
    }
}

/// The same request in two logs.
fn shared_requests(w: &mut Web<'_>, part: u64, parts: u64) {
    // Sorted runs rather than maps: a case has tens of millions of request ids.
    let mut requests: Vec<(u64, u32)> = vec![];
    for (i, r) in w.side.requests.each() {
        let mine = r.iter().filter(|r| **r % parts == part);
        requests.extend(mine.map(|r| (*r, i)));
    }
    requests.sort_unstable();
    for group in requests.chunk_by(|a, b| a.0 == b.0) {
        if group.len() > 1 {
            let list: Vec<u32> = group.iter().map(|g| g.1).collect();
            shared_id(w, LinkKind::RequestId, &list);
        }
    }
}

/// Sessions, in order, that share one id.
fn shared_id(w: &mut Web<'_>, kind: LinkKind, list: &[u32]) {
    let s = w.s;
    if list.len() < 2 || list.len() > 64 {
        return;
    }
    for pair in 1..list.len() {
        let j = list[pair];
        // The nearest earlier one of the same origin, else the first.
        let b = &s.list[j as usize];
        let same = list[..pair]
            .iter()
            .rev()
            .copied()
            .find(|o| s.list[*o as usize].origin.address == b.origin.address);
        let (o, certainty) = match same {
            Some(o) => (o, 0.95),
            None => {
                let o = list[0];
                let a = &s.list[o as usize];
                let hidden = |x: Option<IpAddr>| {
                    x.is_none_or(|x| s.shared.contains_key(&x) || net::is_private(x))
                };
                let through = kind == LinkKind::RequestId
                    || kind == LinkKind::LogonId
                    || (hidden(a.origin.address) != hidden(b.origin.address));
                (o, if through { 0.8 } else { 0.4 })
            }
        };
        let a = &s.list[o as usize];
        if b.from.saturating_sub(a.to) > DAY {
            continue;
        }
        w.add(o, j, kind, certainty);
    }
}

/// Two connections to one server with two programs: whoever has an application's machine has its address and account too.
fn other_program(s: &Sessions, i: u32, j: u32) -> bool {
    let (a, b) = (&s.list[i as usize], &s.list[j as usize]);
    let backends = a.key_kind == SessionKey::Backend && b.key_kind == SessionKey::Backend;
    let of = |i: u32| s.features[i as usize].list(List::Programs);
    backends
        && a.source == b.source
        && !of(i).is_empty()
        && !of(j).is_empty()
        && of(i).iter().all(|g| !of(j).contains(g))
}

/// One account, or one person's accounts, from one address in the same time.
fn same_account(case: &Case, rules: &Rules, through: &FxHashMap<u32, u32>, w: &mut Web<'_>) {
    let s = w.s;
    // A lent address is lent again: what came through tunnels from two places is two uses, though by clocks that err they meet.
    let outer = |i: u32| through.get(&i).map(|t| s.list[*t as usize].origin.address);
    // So is what was opened on one machine, or through one bastion, by people who came to it from two places.
    let doors = Doors::of(s, &w.links);
    let apart = |i: u32, j: u32| {
        matches!((outer(i), outer(j)), (Some(a), Some(b)) if a != b)
            || !s.is_flow(i as usize) && !s.is_flow(j as usize) && doors.differ(i, j)
    };
    // (who, where, begin, session)
    let mut uses: Vec<(u32, IpAddr, Nanos, u32)> = vec![];
    // A server works for many at once: its address and account say nothing about who is behind.
    let services: Vec<bool> = w
        .side
        .accounts
        .iter()
        .map(|k| is_service(case, rules, &k.account))
        .collect();
    for (i, x) in s.list.iter().enumerate() {
        if let (Some(k), Some(at)) = (w.side.known(i), x.origin.address)
            && !services[w.side.account[i] as usize]
        {
            uses.push((k.who, at, w.true_start(i as u32), i as u32));
        }
    }
    uses.sort_unstable();
    for group in uses.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        if group.len() < 2 {
            continue;
        }
        let at = group[0].1;
        let crowd = s.shared.get(&at).copied().unwrap_or(1);
        let mut open: Vec<u32> = vec![];
        for (_, _, begin, j) in group {
            let (j, begin) = (*j, *begin);
            let b = &s.list[j as usize];
            open.retain(|o| {
                let o = &s.list[*o as usize];
                o.to.saturating_add(s.skew(o.source))
                    .saturating_add(5 * MINUTE)
                    >= begin
            });
            for o in &open {
                let a = &s.list[*o as usize];
                let unlike = match (&a.origin.device, &b.origin.device) {
                    (Some(x), Some(y)) => x != y && a.source == b.source,
                    _ => other_program(s, *o, j),
                };
                let token = a.key_kind == SessionKey::Token
                    && b.key_kind == SessionKey::Token
                    && w.side.id[*o as usize] != w.side.id[j as usize]
                    && crowd > 1;
                let kind = if s.is_flow(j as usize) || s.is_flow(*o as usize) {
                    LinkKind::Flow
                } else if w.side.canonical(*o as usize) == w.side.canonical(j as usize) {
                    LinkKind::SameAccountAddress
                } else {
                    LinkKind::SamePerson
                };
                let c = if unlike || token || apart(*o, j) {
                    0.3
                } else if crowd > 1 {
                    0.7
                } else {
                    0.9
                };
                w.add(*o, j, kind, c);
            }
            open.push(j);
            if open.len() > 8 {
                open.remove(0);
            }
        }
    }
}

/// What opened each session, as far as that is certain.
struct Doors {
    parents: FxHashMap<u32, Vec<u32>>,
    origins: Vec<Option<IpAddr>>,
}

impl Doors {
    fn of(s: &Sessions, links: &[Link]) -> Doors {
        let mut parents: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        let opens = |l: &&Link| {
            matches!(l.kind, LinkKind::TunnelAddress | LinkKind::Hop) && l.certainty >= JOINS
        };
        let certain = links.iter().filter(opens).map(|l| (l.inner, l.outer));
        let certain: BTreeSet<(u32, u32)> = certain.collect();
        for (inner, outer) in certain {
            parents.entry(inner).or_default().push(outer);
        }
        Doors {
            parents,
            origins: s.list.iter().map(|x| x.origin.address).collect(),
        }
    }
    /// Where those came from who may have opened a session: the outermost places, by eight steps at most. Of a ring with no way out,
    /// all of it.
    fn places(&self, i: u32) -> BTreeSet<Option<IpAddr>> {
        const STEPS: usize = 8;
        let mut places = BTreeSet::new();
        let mut seen = BTreeSet::from([i]);
        let mut here = vec![i];
        for step in 0..=STEPS {
            let mut next = vec![];
            for x in here {
                match self.parents.get(&x).filter(|_| step < STEPS) {
                    Some(all) => next.extend(all.iter().copied().filter(|p| seen.insert(*p))),
                    None => {
                        places.insert(self.origins[x as usize]);
                    }
                }
            }
            here = next;
        }
        if places.is_empty() {
            places.extend(seen.iter().map(|x| self.origins[*x as usize]));
        }
        places
    }
    /// True when both were opened, and not from the same places.
    fn differ(&self, i: u32, j: u32) -> bool {
        if !self.parents.contains_key(&i) || !self.parents.contains_key(&j) {
            return false;
        }
        self.places(i) != self.places(j)
    }
}

/// How long an interactive logon without a seen end is thought to stay open.
const OPEN_END: Nanos = 4 * HOUR;

/// Sources whose logons through tunnels come long after the tunnel each time, and each time as long: people log on soon after the
/// tunnel is up, so that this clock may be ahead, by the longest of these times at most. Too little to move a clock, enough to doubt.
fn late_logons(w: &Web<'_>, through: &FxHashMap<u32, u32>) -> BTreeMap<u32, Nanos> {
    const ENOUGH: usize = 5;
    const LATE: Nanos = 10 * MINUTE;
    let s = w.s;
    let mut first: BTreeMap<(u32, u32), Nanos> = BTreeMap::new();
    let mut pairs: Vec<(u32, u32)> = through.iter().map(|(j, t)| (*j, *t)).collect();
    pairs.sort_unstable();
    for (j, tunnel) in pairs {
        let x = &s.list[j as usize];
        if x.key_kind != SessionKey::LogonId {
            continue;
        }
        let t = &s.list[tunnel as usize];
        let delay = w.true_start(j) - t.from.saturating_add(s.skew(t.source));
        let known = first.entry((x.source, tunnel)).or_insert(delay);
        *known = delay.min(*known);
    }
    let mut delays: BTreeMap<u32, Vec<Nanos>> = BTreeMap::new();
    for ((source, _), delay) in first {
        delays.entry(source).or_default().push(delay);
    }
    let ahead = |mut d: Vec<Nanos>| {
        d.sort_unstable();
        let longest = d[d.len() - 1 - d.len() / 10];
        (d.len() >= ENOUGH && d[0] >= LATE && longest - d[0] <= LATE).then_some(longest)
    };
    delays
        .into_iter()
        .filter_map(|(source, d)| Some((source, ahead(d)?)))
        .collect()
}

/// Sessions that start from a machine somebody is logged on to.
/// Uses of servers of a farm as its gateway tells them (Citrix ADC): by server, its addresses and who worked on it. Where the server's
/// own log has the logon, it tells that better, and the use is only tied to it; one that log lacks joins the logons it has.
fn farms(
    s: &Sessions,
    stays: &mut BTreeMap<String, Vec<u32>>,
    w: &mut Web<'_>,
) -> BTreeMap<String, (BTreeSet<IpAddr>, Vec<u32>)> {
    const APART: Nanos = 2 * MINUTE;
    let mut names: FxHashMap<IpAddr, &str> = FxHashMap::default();
    for (name, at) in &s.machines {
        for a in at {
            names.entry(*a).or_insert(name);
        }
    }
    let mut out: BTreeMap<String, (BTreeSet<IpAddr>, Vec<u32>)> = BTreeMap::new();
    let mut lacking: Vec<(String, u32)> = vec![];
    for (i, x) in s.list.iter().enumerate() {
        let citrix = x
            .account
            .as_ref()
            .is_some_and(|a| a.system == System::Citrix);
        if !citrix || s.is_flow(i) || x.origin.address.is_none() || !w.timed(i as u32) {
            continue;
        }
        let to = s.texts_of(i, List::Destinations);
        for at in to.filter_map(net::parse_address) {
            let name = names.get(&at).copied();
            let logons = name.and_then(|n| stays.get(n));
            if let Some(logons) = logons {
                let came = w.true_start(i as u32);
                let from = logons.partition_point(|l| s.list[*l as usize].from < x.from - DAY);
                let his: Vec<u32> = logons[from..]
                    .iter()
                    .copied()
                    .take_while(|l| s.list[*l as usize].from <= x.to.saturating_add(DAY))
                    .filter(|l| {
                        let y = &s.list[*l as usize];
                        y.origin.address == x.origin.address
                            && w.side.canonical(*l as usize) == w.side.canonical(i)
                            && (w.true_start(*l) - came).abs() <= APART
                    })
                    .collect();
                if his.is_empty() {
                    lacking.extend(name.map(|n| (n.to_string(), i as u32)));
                }
                for l in his {
                    w.add(i as u32, l, LinkKind::SameAccountAddress, 0.9);
                }
                continue;
            }
            let name = name.map_or_else(|| at.to_string(), str::to_string);
            let farm = out.entry(name).or_default();
            farm.0.insert(at);
            farm.1.push(i as u32);
        }
    }
    for (name, i) in lacking {
        stays.entry(name).or_default().push(i);
    }
    out
}

fn hops(
    rules: &Rules,
    estates: &Estates,
    late: &BTreeMap<u32, Nanos>,
    bastions: &[Bastion],
    w: &mut Web<'_>,
    ambiguous: &mut BTreeSet<u32>,
) {
    let s = w.s;
    // Interactive logons on each machine.
    let mut stays: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (i, x) in s.list.iter().enumerate() {
        let f = &s.features[i];
        let interactive = match x.account.as_ref().map(|a| a.system) {
            Some(System::Ad | System::Host | System::Smb) if x.key_kind == SessionKey::LogonId => {
                f.logon_types & (1 << 10 | 1 << 2 | 1 << 7 | 1 << 11) != 0 || untyped(s, w.side, i)
            }
            Some(System::Citrix | System::Host) => x.counts.logins > 0,
            _ => false,
        };
        if !interactive || !w.timed(i as u32) {
            continue;
        }
        let host = machine(&x.host);
        if !host.is_empty() && s.machines.contains_key(&host) {
            stays.entry(host).or_default().push(i as u32);
        }
    }
    let farms = farms(s, &mut stays, w);
    let known = stays
        .iter()
        .map(|(host, logons)| (host, &s.machines[host], logons, None));
    let told = farms
        .iter()
        .map(|(host, (at, uses))| (host, at, uses, None));
    let through = bastions
        .iter()
        .map(|b| (&b.host, &b.addresses, &b.visits, Some(b)));
    for (host, addresses, logons, bastion) in known.chain(told).chain(through) {
        let begin = |l: u32| {
            let x = &s.list[l as usize];
            x.from.saturating_add(s.skew(x.source))
        };
        let end = |l: u32| {
            let x = &s.list[l as usize];
            let end = bastion.and_then(|b| b.ends.get(&l).copied());
            let slack = if x.closed || end.is_some() {
                2 * MINUTE
            } else {
                OPEN_END
            };
            let end = end.map_or(x.to, |e| e.max(x.to));
            end.saturating_add(s.skew(x.source)).saturating_add(slack)
        };
        // When it is known to have ended.
        let ended = |l: u32| {
            let seen =
                s.list[l as usize].closed || bastion.is_some_and(|b| b.ends.contains_key(&l));
            seen.then(|| end(l) - 2 * MINUTE)
        };
        // Remote ones are the hop; a logon at the machine's own console from its own address is its user.
        let mut remote: Vec<u32> = logons
            .iter()
            .copied()
            .filter(|l| {
                s.list[*l as usize]
                    .origin
                    .address
                    .is_some_and(|a| !addresses.contains(&a))
            })
            .collect();
        if remote.is_empty() {
            continue;
        }
        // None of those that began longer before than the longest lasted is still there.
        remote.sort_by_key(|l| (begin(*l), *l));
        let longest = remote
            .iter()
            .map(|l| end(*l) - begin(*l))
            .max()
            .unwrap_or(0);
        let there = |t: Nanos, early: Nanos| {
            let from = remote.partition_point(|l| begin(*l) < t - longest);
            let to = remote.partition_point(|l| begin(*l) - early <= t);
            let some = remote[from.min(to)..to].iter().copied();
            some.filter(move |l| t <= end(*l))
        };
        for address in addresses {
            let Some(mut all) = w.by_address.get(address).cloned() else {
                continue;
            };
            all.retain(|j| w.timed(*j));
            // What this machine does when nobody is logged on to it is its own habit.
            let trait_of = |j: u32| {
                let x = &s.list[j as usize];
                (
                    w.side.canonical(j as usize),
                    machine(&x.host),
                    x.program.to_lowercase(),
                    s.is_flow(j as usize)
                        .then(|| s.features[j as usize].list(List::Destinations)),
                )
            };
            // When it did so, ascending.
            let mut habit: BTreeMap<_, Vec<Nanos>> = BTreeMap::new();
            for j in &all {
                let b = w.true_start(*j);
                if there(b, MINUTE).next().is_none() {
                    habit.entry(trait_of(*j)).or_default().push(b);
                }
            }
            habit.values_mut().for_each(|starts| starts.sort_unstable());
            for j in &all {
                let x = &s.list[*j as usize];
                if machine(&x.host) == *host && !s.is_flow(*j as usize) {
                    continue;
                }
                if job_of(rules, s, *j as usize).is_some() {
                    continue;
                }
                let b = w.true_start(*j);
                let open: Vec<u32> = there(b, 30 * SECOND).collect();
                if open.is_empty() {
                    // By a clock that may be ahead he was there already.
                    let early = remote.iter().copied().filter(|l| {
                        let ahead = late.get(&s.list[*l as usize].source);
                        ahead.is_some_and(|a| begin(*l) - a - MINUTE <= b && b < begin(*l))
                    });
                    let by_itself = habit.get(&trait_of(*j)).map_or(&[][..], Vec::as_slice);
                    let early: Vec<u32> = early.collect();
                    if !early.is_empty() && !on_the_minute(rules, b, by_itself) {
                        ambiguous.insert(*j);
                        for l in early {
                            w.add(l, *j, LinkKind::Hop, 0.45);
                        }
                    }
                    continue;
                }
                let named: Vec<u32> = open
                    .iter()
                    .copied()
                    .filter(|l| {
                        let o = &s.list[*l as usize];
                        let mine = w.side.canonical(*j as usize);
                        let (from, skew) = (begin(*j), s.skew(o.source));
                        let target = |(t, at): &(TextId, Nanos)| {
                            let at = at.saturating_add(skew);
                            w.side.named(s.texts.get(*t)) == mine
                                && ((from - at).abs() <= 30 * MINUTE || at <= from)
                        };
                        (mine.is_some() && mine == w.side.canonical(*l as usize))
                            || (o.person.is_some() && o.person == x.person)
                            || (mine.is_some() && w.side.targets[*l as usize].iter().any(target))
                    })
                    .collect();
                let by_itself = habit.get(&trait_of(*j)).map_or(&[][..], Vec::as_slice);
                let usual = by_itself.len();
                let flow_inside = s.is_flow(*j as usize)
                    && !s
                        .texts_of(*j as usize, List::Destinations)
                        .any(|d| net::parse_address(d).is_some_and(|d| estates.outside(d)));
                let origins: BTreeSet<Option<IpAddr>> = open
                    .iter()
                    .map(|l| s.list[*l as usize].origin.address)
                    .collect();
                let pair = |among: &[u32]| one_of(w, *j, among, &begin, &ended);
                let (chosen, certainty): (Vec<u32>, f32) = if !named.is_empty()
                    && !s.is_flow(*j as usize)
                {
                    let named = pair(&named).unwrap_or(named);
                    // Whoever used this account from here: what the machine does by itself at that minute is not his.
                    let its_own = on_the_minute(rules, b, by_itself);
                    (named, if its_own { 0.3 } else { 0.95 })
                } else if let Some(one) = bastion.filter(|_| usual < 3).and_then(|_| pair(&open)) {
                    (one, 0.85)
                } else if origins.len() > 1 {
                    ambiguous.insert(*j);
                    (open, 0.45)
                } else if flow_inside && usual > 0 {
                    (open, 0.3)
                } else if usual >= 3 {
                    // The machine does this by itself: the logon does not explain it, hours may.
                    (
                        open,
                        if is_off_pattern(rules, b, by_itself) {
                            0.6
                        } else {
                            0.3
                        },
                    )
                } else {
                    (open, 0.85)
                };
                // Where that address is only likely the bastion's, no more than doubt goes through it.
                let sure = bastion.is_none_or(|b| b.sure);
                if !sure {
                    ambiguous.insert(*j);
                }
                for l in chosen {
                    let certainty = if sure { certainty } else { certainty.min(0.45) };
                    w.add(l, *j, LinkKind::Hop, certainty);
                }
            }
        }
    }
}

/// A logon of a system that knows no kinds of them: somebody at a shell.
pub(crate) fn untyped(s: &Sessions, side: &Side, i: usize) -> bool {
    s.features[i].logon_types == 0
        && s.list[i].counts.logins > 0
        && !s.texts.get(side.id[i]).starts_with("0x")
}

/// Of several visits that may have opened a logon, from two places and more, those of the only place whose visit ends with it; where no
/// end tells, of the only place somebody had come from just before it.
fn one_of(
    w: &Web<'_>,
    j: u32,
    visits: &[u32],
    begin: &dyn Fn(u32) -> Nanos,
    ended: &dyn Fn(u32) -> Option<Nanos>,
) -> Option<Vec<u32>> {
    const TOGETHER: Nanos = 2 * MINUTE;
    const SOON: Nanos = 3 * MINUTE;
    let s = w.s;
    let x = &s.list[j as usize];
    let place = |l: &u32| s.list[*l as usize].origin.address;
    let places = |list: &[u32]| list.iter().map(place).collect::<BTreeSet<_>>().len();
    if places(visits) < 2 || s.is_flow(j as usize) {
        return None;
    }
    let among = |near: &dyn Fn(u32) -> bool| -> Vec<u32> {
        visits.iter().copied().filter(|l| near(*l)).collect()
    };
    if x.closed && x.to - x.from >= MINUTE {
        let to = x.to.saturating_add(s.skew(x.source));
        let with = among(&|l| ended(l).is_some_and(|e| (e - to).abs() <= TOGETHER));
        if places(&with) == 1 {
            return Some(with);
        }
    }
    let from = w.true_start(j);
    let soon = among(&|l| from - begin(l) <= SOON);
    (places(&soon) == 1).then_some(soon)
}

/// True when this minute of the local day, two more or less, is that of `others` (UTC nanoseconds, ascending) on three other days or
/// more: a timetable, not a person.
fn on_the_minute(rules: &Rules, t: Nanos, others: &[Nanos]) -> bool {
    const NEAR: i64 = 2;
    let place = |t: Nanos| {
        crate::intake::local(t, &rules.zone)
            .map(|z| (z.date(), i64::from(z.hour()) * 60 + i64::from(z.minute())))
    };
    let Some((day, minute)) = place(t) else {
        return false;
    };
    // The nearest ones in time are enough to know a habit, however busy the machine is.
    let at = others.partition_point(|o| *o < t);
    let near = &others[at.saturating_sub(1000)..(at + 1000).min(others.len())];
    let days: BTreeSet<_> = near
        .iter()
        .filter_map(|o| place(*o))
        .filter(|(_, m)| (m - minute).abs().min(1440 - (m - minute).abs()) <= NEAR)
        .map(|(d, _)| d)
        .filter(|d| *d != day)
        .collect();
    days.len() >= 3
}

/// True when the machine never does this by itself at this hour of day on other days; `others` as for [`on_the_minute`]. What somebody
/// who is logged on does evening after evening is no habit of the machine.
fn is_off_pattern(rules: &Rules, t: Nanos, others: &[Nanos]) -> bool {
    let hour = |t: Nanos| {
        crate::intake::local(t, &rules.zone)
            .map_or(0, |z| i32::from(z.hour()) * 60 + i32::from(z.minute()))
    };
    let mine = hour(t);
    // The nearest ones in time are enough to know a habit, however busy the machine is.
    let at = others.partition_point(|o| *o < t);
    let near = &others[at.saturating_sub(1000)..(at + 1000).min(others.len())];
    let like = near.iter().filter(|o| {
        let d = (hour(**o) - mine).abs();
        d.min(1440 - d) <= 45 && (**o - t).abs() >= 12 * HOUR
    });
    like.take(2).count() < 2
}

fn components(s: &Sessions, links: &[Link]) -> Vec<Arc<str>> {
    let mut root: Vec<u32> = (0..s.list.len() as u32).collect();
    fn find(root: &mut [u32], mut i: u32) -> u32 {
        while root[i as usize] != i {
            root[i as usize] = root[root[i as usize] as usize];
            i = root[i as usize];
        }
        i
    }
    for l in links.iter().filter(|l| l.certainty >= JOINS) {
        let (a, b) = (find(&mut root, l.outer), find(&mut root, l.inner));
        // The earliest session names the chain.
        let (low, high) = (a.min(b), a.max(b));
        root[high as usize] = low;
    }
    let mut out: Vec<Arc<str>> = Vec::with_capacity(s.list.len());
    for i in 0..s.list.len() as u32 {
        let r = find(&mut root, i);
        // The earliest comes first.
        let label = match out.get(r as usize) {
            Some(l) => l.clone(),
            None => format!("c{}", &s.list[r as usize].id[1..]).into(),
        };
        out.push(label);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ampleur_event::Context;
    use proptest::prelude::*;

    /// Sessions in layers of so many, each opened by any of the layer before; the first layer comes from one address each.
    fn layers(width: u32, depth: u32) -> Doors {
        let all = width * depth;
        let opens = |i: u32| (i / width - 1) * width..i / width * width;
        Doors {
            parents: (width..all).map(|i| (i, opens(i).collect())).collect(),
            origins: (0..all)
                .map(|i| Some(IpAddr::from((0x0a00_0000 + i).to_be_bytes())))
                .collect(),
        }
    }

    /// By every path there is this would take longer than anybody waits.
    #[test]
    fn places_are_found_by_going_through_each_session_once() {
        let doors = layers(100, 8);
        let places = doors.places(7 * 100);
        assert!(places.iter().eq(&doors.origins[..100]));
        assert!(!doors.differ(700, 799));
    }

    #[test]
    fn a_ring_is_all_of_it() {
        let mut doors = layers(1, 3);
        doors.parents.insert(0, vec![1]);
        assert!(doors.places(2).iter().eq(&doors.origins[..3]));
    }

    proptest! {
        #[test]
        fn places_are_those_of_every_path(
            parents in proptest::collection::vec(proptest::collection::btree_set(0u32..64, 0..4), 1..9),
        ) {
            // The outermost come first: everybody was opened by some of those before, or by none.
            let n = parents.len() as u32;
            let some = (0..n).zip(&parents).filter(|(i, _)| *i > 0);
            let some = some.map(|(i, p)| (i, p.iter().map(|x| x % i).collect::<Vec<u32>>()));
            let doors = Doors {
                parents: some.filter(|(_, p)| !p.is_empty()).collect(),
                ..layers(1, n)
            };
            fn walk(doors: &Doors, i: u32, out: &mut BTreeSet<Option<IpAddr>>) {
                match doors.parents.get(&i) {
                    Some(all) => all.iter().for_each(|p| walk(doors, *p, out)),
                    None => {
                        out.insert(doors.origins[i as usize]);
                    }
                }
            }
            for i in 0..n {
                let mut slow = BTreeSet::new();
                walk(&doors, i, &mut slow);
                prop_assert_eq!(doors.places(i), slow);
            }
        }
    }

    #[test]
    fn a_timetable_is_the_same_minute_on_other_days() {
        let zone = "version = 1\ntimezone = \"Europe/Paris\"\n";
        let rules = Rules::new(&Context::parse(zone).expect("a context"));
        // 2023-03-20 01:02 in Paris; the clocks go forward six days later.
        let first: Nanos = 1_679_270_520_000_000_000;
        let nights: Vec<Nanos> = (0..4).map(|d| first + d * DAY).collect();
        assert!(on_the_minute(&rules, first + 4 * DAY, &nights));
        assert!(on_the_minute(
            &rules,
            first + 5 * DAY + 90 * SECOND,
            &nights
        ));
        let summer = first + 9 * DAY - HOUR;
        assert!(
            on_the_minute(&rules, summer, &nights),
            "local minutes count"
        );
        assert!(!on_the_minute(
            &rules,
            first + 4 * DAY + 5 * MINUTE,
            &nights
        ));
        assert!(!on_the_minute(&rules, first + 4 * DAY, &nights[..2]));
        // Many starts of one night are one night, and the night itself does not count.
        let one_night = [first, first + MINUTE, first + 2 * MINUTE];
        assert!(!on_the_minute(&rules, first + DAY, &one_night));
        assert!(!on_the_minute(&rules, first, &nights[..3]));
    }

    #[test]
    fn an_hour_the_machine_never_works_at_by_itself_is_off_its_pattern() {
        let zone = "version = 1\ntimezone = \"Europe/Paris\"\n";
        let rules = Rules::new(&Context::parse(zone).expect("a context"));
        let first: Nanos = 1_679_270_520_000_000_000;
        let nights: Vec<Nanos> = (0..4).map(|d| first + d * DAY).collect();
        assert!(!is_off_pattern(&rules, first + 4 * DAY, &nights));
        assert!(!is_off_pattern(
            &rules,
            first + 4 * DAY + 40 * MINUTE,
            &nights
        ));
        assert!(is_off_pattern(&rules, first + 4 * DAY + HOUR, &nights));
        assert!(is_off_pattern(&rules, first + 4 * DAY, &nights[..1]));
    }
}
