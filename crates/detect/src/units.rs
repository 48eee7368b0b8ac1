//! Units: the sessions of one use of one account from one origin, over all systems that saw it, and who opened the door to whom.
use crate::habit::Habits;
use ampleur_event::{
    Account, LinkKind, SessionKey, System,
    time::{Nanos, SECOND},
};
use ampleur_session::{
    Features, List, Sessions,
    profile::{Rules, account_id, is_service, job_of},
    spread::over_pieces,
};
use ampleur_sources::case::Case;
use rustc_hash::{FxHashMap, FxHashSet};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Windows logon types of somebody at a desktop, near or far, bit per type.
const INTERACTIVE: u32 = 1 << 2 | 1 << 7 | 1 << 10 | 1 << 11;

/// A small set, laid out flat: a case has a million units with some of these each, most of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Small<T> {
    items: Box<[T]>,
}

impl<T> Default for Small<T> {
    fn default() -> Self {
        Small {
            items: Box::default(),
        }
    }
}
impl<T: Ord> FromIterator<T> for Small<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items: Vec<T> = items.into_iter().collect();
        items.sort_unstable();
        items.dedup();
        Small {
            items: items.into(),
        }
    }
}
/// Ascending, each once.
impl<T> std::ops::Deref for Small<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.items
    }
}
impl<'s, T> IntoIterator for &'s Small<T> {
    type Item = &'s T;
    type IntoIter = std::slice::Iter<'s, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

/// One use of one account from one origin.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unit<'s> {
    /// Session indexes, ascending.
    pub members: Vec<u32>,
    /// Person (`#n`) or canonical account; empty when nobody is known.
    pub who: &'s str,
    /// Number of `who` in [`Sessions::whos`]; [`NOBODY`] when nobody is known.
    pub whose: u32,
    pub account: Option<&'s Account>,
    pub service: bool,
    pub machine: bool,
    pub address: Option<IpAddr>,
    pub country: Option<&'s str>,
    pub asn: Option<u32>,
    /// Numbers in [`Units::devices`].
    pub devices: Small<u32>,
    pub programs: Small<&'s str>,
    pub from: Nanos,
    pub to: Nanos,
    /// Local days (days since the epoch) with activity.
    pub days: Small<i64>,
    pub flow_only: bool,
    /// Nothing but refused logins.
    pub refused: bool,
    /// Every member is explained by this batch of the context.
    pub job: Option<usize>,
    /// (unit, certainty) of those that made this one possible: a tunnel, a hop.
    pub parents: Vec<(usize, f32)>,
    pub children: Vec<(usize, f32)>,
    pub tokens: Small<&'s str>,
    pub does: Behaviour,
}

/// What a unit did, over its members: shares and rates of the member that shows them most.
#[derive(Debug, Clone, Default)]
pub(crate) struct Behaviour {
    pub asks: usize,
    pub prefix: f64,
    pub range: f64,
    pub walk: f64,
    pub exact: f64,
    /// Median seconds between questions.
    pub gap: f64,
    /// Spread of the gaps around the median, relative; small = a machine's beat.
    pub beat: f64,
    /// Thirty questions or more, seconds apart, without the pauses of somebody who reads.
    pub steady: bool,
    pub subjects: u64,
    pub objects: u64,
    pub files: u64,
    pub exports: u64,
    pub writes: u64,
    pub bytes_out: u64,
    pub queries: u64,
    pub failures: u64,
    pub logins: u64,
    pub requests: u64,
    pub break_glass: u64,
    pub tampering: u64,
    pub interactive: bool,
}

/// The number of nobody.
pub(crate) const NOBODY: u32 = u32::MAX;

pub(crate) struct Units<'s> {
    pub list: Vec<Unit<'s>>,
    /// Session → unit.
    pub of: Vec<usize>,
    /// Every device that occurs here or is remembered, ascending.
    pub devices: Vec<&'s str>,
}

/// Every device of the sessions and of what is remembered, ascending, and of each text its number.
fn devices<'s>(s: &'s Sessions, past: &'s Habits) -> (Vec<&'s str>, Vec<u32>) {
    let mut seen = vec![false; s.texts.len()];
    for f in &s.features {
        for t in f.list(List::Devices) {
            seen[*t as usize] = true;
        }
    }
    let texts = (0..s.texts.len() as u32).filter(|t| seen[*t as usize]);
    let mut all: FxHashSet<&str> = texts.map(|t| s.texts.get(t)).collect();
    all.extend(past.devices());
    let mut all: Vec<&str> = all.into_iter().collect();
    all.sort_unstable();
    let number = |t: u32| {
        all.binary_search(&s.texts.get(t))
            .map_or(NOBODY, |n| n as u32)
    };
    let numbers = (0..s.texts.len() as u32)
        .map(|t| if seen[t as usize] { number(t) } else { NOBODY })
        .collect();
    (all, numbers)
}

fn within_unit(kind: LinkKind) -> bool {
    !matches!(
        kind,
        LinkKind::TunnelAddress | LinkKind::Hop | LinkKind::None
    )
}

impl<'s> Units<'s> {
    /// `apart` are links the analyst says are none: (session that opened, session opened).
    pub fn new(
        threads: usize,
        case: &Case,
        s: &'s Sessions,
        rules: &Rules,
        past: &'s Habits,
        apart: &[(String, String)],
    ) -> Units<'s> {
        let n = s.list.len();
        let apart: BTreeSet<(&str, &str)> = apart
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        let holds = |l: &ampleur_event::Link| {
            apart.is_empty() || {
                let id = |i: u32| &*s.list[i as usize].id;
                !apart.contains(&(id(l.outer), id(l.inner)))
            }
        };
        let jobs: Vec<Option<usize>> = (0..n).map(|i| job_of(rules, s, i)).collect();
        let mut root: Vec<usize> = (0..n).collect();
        fn find(root: &mut [usize], mut i: usize) -> usize {
            while root[i] != i {
                root[i] = root[root[i]];
                i = root[i];
            }
            i
        }
        for l in s
            .links
            .iter()
            .filter(|l| within_unit(l.kind) && l.certainty >= 0.65 && holds(l))
        {
            let (a, b) = (l.outer as usize, l.inner as usize);
            let (x, y) = (&s.list[a], &s.list[b]);
            let origin = x.origin.address == y.origin.address
                || x.origin.address.is_none()
                || y.origin.address.is_none()
                || matches!(l.kind, LinkKind::RequestId | LinkKind::LogonId);
            let (p, q) = (s.who(a), s.who(b));
            let one = p.is_none() || q.is_none() || p == q;
            if origin && one && jobs[a].is_some() == jobs[b].is_some() {
                let (p, q) = (find(&mut root, a), find(&mut root, b));
                let (low, high) = (p.min(q), p.max(q));
                root[high] = low;
            }
        }
        for (a, b) in desks(s) {
            if jobs[a].is_some() == jobs[b].is_some() {
                let (p, q) = (find(&mut root, a), find(&mut root, b));
                root[p.max(q)] = p.min(q);
            }
        }
        let mut list: Vec<Unit> = vec![];
        let mut of = vec![usize::MAX; n];
        for i in 0..n {
            let r = find(&mut root, i);
            if of[r] == usize::MAX {
                of[r] = list.len();
                list.push(Unit {
                    flow_only: true,
                    whose: NOBODY,
                    ..Unit::default()
                });
            }
            of[i] = of[r];
            list[of[r]].members.push(i as u32);
        }
        let (devices, numbers) = devices(s, past);
        over_pieces(threads, &mut list, &|_, piece| {
            let mut kinds: FxHashMap<&Account, (bool, bool)> = FxHashMap::default();
            let mut kind = |a: &'s Account| {
                *kinds.entry(a).or_insert_with(|| {
                    let machine = a.is_machine() || system_account(a);
                    (is_service(case, rules, a), machine)
                })
            };
            for u in piece {
                fill(s, rules, &jobs, u, &numbers, &mut kind);
            }
            Vec::<()>::new()
        });
        for l in s
            .links
            .iter()
            .filter(|l| matches!(l.kind, LinkKind::TunnelAddress | LinkKind::Hop) && holds(l))
        {
            let (a, b) = (of[l.outer as usize], of[l.inner as usize]);
            if a == b || l.certainty < 0.4 {
                continue;
            }
            if list[b].job.is_some() {
                continue;
            }
            match list[b].parents.iter_mut().find(|(p, _)| *p == a) {
                Some((_, c)) => *c = c.max(l.certainty),
                None => list[b].parents.push((a, l.certainty)),
            }
        }
        for b in 0..list.len() {
            for k in 0..list[b].parents.len() {
                let (a, c) = list[b].parents[k];
                list[a].children.push((b, c));
            }
        }
        Units { list, of, devices }
    }

    /// The unit and everything it made possible (links of certainty 0.5 or more), each once, in order of discovery.
    pub fn reach(&self, u: usize) -> Vec<usize> {
        self.reach_by(u, 0.5)
    }
    /// The same by links of that certainty or more.
    pub fn reach_by(&self, u: usize, certainty: f32) -> Vec<usize> {
        if self.list[u].children.is_empty() {
            return vec![u];
        }
        let mut seen = BTreeSet::from([u]);
        let mut out = vec![u];
        let mut at = 0;
        while at < out.len() {
            for (c, w) in &self.list[out[at]].children {
                if *w >= certainty && seen.insert(*c) {
                    out.push(*c);
                }
            }
            at += 1;
        }
        out
    }
}

/// A remote desktop is let in over the network first: a network logon, then within seconds the interactive one of the same account
/// on the same machine from the same address. Two logons, one use; (network, interactive).
fn desks(s: &Sessions) -> Vec<(usize, usize)> {
    const APART: Nanos = 10 * SECOND;
    let mut logons: BTreeMap<(String, &str, IpAddr), Vec<usize>> = BTreeMap::new();
    for (i, x) in s.list.iter().enumerate() {
        if x.key_kind == SessionKey::LogonId
            && let (Some(a), Some(at)) = (&x.account, x.origin.address)
        {
            let place = (account_id(a), &*x.host, at);
            logons.entry(place).or_default().push(i);
        }
    }
    let mut out = vec![];
    // Each list is in order of its beginnings, as the sessions are.
    for list in logons.values() {
        for w in list.windows(2) {
            let (a, b) = (w[0], w[1]);
            let opens = s.features[a].logon_types & INTERACTIVE == 0
                && s.features[b].logon_types & INTERACTIVE != 0;
            if opens && s.list[b].from - s.list[a].from <= APART {
                out.push((a, b));
            }
        }
    }
    out
}

fn fill<'s>(
    s: &'s Sessions,
    rules: &Rules,
    jobs: &[Option<usize>],
    u: &mut Unit<'s>,
    devices: &[u32],
    kind: &mut dyn FnMut(&'s Account) -> (bool, bool),
) {
    u.members.shrink_to_fit();
    (u.from, u.to) = s.on_date(u.members[0] as usize);
    let mut job = jobs[u.members[0] as usize];
    for m in &u.members {
        let i = *m as usize;
        let (x, f) = (&s.list[i], &s.features[i]);
        let (from, to) = s.on_date(i);
        u.from = u.from.min(from);
        u.to = u.to.max(to);
        if u.account.is_none()
            && let Some(a) = &x.account
        {
            u.account = Some(a);
            u.who = s.who(i).map_or("", |w| w);
            u.whose = s.who_number(i).unwrap_or(NOBODY);
        }
        u.address = u.address.or(x.origin.address);
        if u.country.is_none() {
            u.country = x.origin.country.as_deref();
        }
        u.asn = u.asn.or(x.origin.asn);
        let flow = s.is_flow(i);
        u.flow_only &= flow;
        if jobs[i] != job {
            job = None;
        }
        u.does.take(x, f, flow);
    }
    let members = || u.members.iter().map(|m| *m as usize);
    let texts = |list| {
        members()
            .filter(|i| !s.is_flow(*i))
            .flat_map(move |i| s.texts_of(i, list))
    };
    u.refused = members().all(|i| s.list[i].only_refused());
    u.devices = members()
        .filter(|i| !s.is_flow(*i))
        .flat_map(|i| s.features[i].list(List::Devices))
        .map(|t| devices[*t as usize])
        .collect();
    u.programs = texts(List::Programs).collect();
    u.tokens = members()
        .flat_map(|i| s.texts_of(i, List::Tokens))
        .collect();
    u.days = members()
        .map(|i| s.on_date(i))
        .flat_map(|(from, to)| [from, to])
        .map(|t| day_of(t, &rules.zone))
        .collect();
    u.job = job;
    if let Some(a) = u.account {
        (u.service, u.machine) = kind(a);
    }
}

/// Accounts Windows itself works under; nobody's.
fn system_account(a: &Account) -> bool {
    let b = a.bare();
    a.system == System::Ad
        && (matches!(
            b.as_str(),
            "system" | "local service" | "network service" | "anonymous logon" | "système" | "iusr"
        ) || b.starts_with("dwm-")
            || b.starts_with("umfd-"))
}

pub(crate) fn day_of(t: Nanos, zone: &jiff::tz::TimeZone) -> i64 {
    let seconds = t.div_euclid(1_000_000_000);
    let offset = jiff::Timestamp::from_second(seconds).map_or(0, |ts| zone.to_offset(ts).seconds());
    (seconds + i64::from(offset)).div_euclid(86_400)
}

/// A way of going through an index, one entry after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Manner {
    /// By prefixes of names or by ranges of dates.
    Slices,
    /// By identifiers, one way.
    Numbers,
    /// Record after record without ever pausing to read one.
    Haste,
}

/// From this share of one-way steps on, identifiers are walked.
pub(crate) const WALK: f64 = 0.9;

impl Behaviour {
    /// How the index was gone through, if it was.
    pub fn manner(&self) -> Option<Manner> {
        if self.asks >= 4 && (self.prefix >= 0.5 || self.range >= 0.5) {
            Some(Manner::Slices)
        } else if self.asks >= 12 && self.walk >= WALK {
            Some(Manner::Numbers)
        } else {
            None
        }
    }
    fn take(&mut self, x: &ampleur_event::Session, f: &Features, flow: bool) {
        let c = &x.counts;
        if flow {
            return;
        }
        self.subjects = self.subjects.max(c.subjects);
        self.objects = self.objects.max(c.objects);
        self.files = self.files.max(u64::from(f.files));
        self.exports = self.exports.max(c.exports);
        self.writes = self.writes.max(c.writes);
        self.bytes_out = self.bytes_out.max(c.bytes_out);
        self.queries = self.queries.max(c.queries);
        self.requests = self.requests.max(c.requests + c.reads + c.searches);
        self.failures += c.failures;
        self.logins += c.logins;
        self.break_glass += u64::from(f.break_glass);
        self.tampering += u64::from(f.tampering);
        self.interactive |= f.logon_types & INTERACTIVE != 0;
        let Some(asks) = &f.asks else {
            return;
        };
        let n = asks.count as usize;
        let share = |k: u32| f64::from(k) / n as f64;
        self.prefix = self.prefix.max(share(asks.prefix));
        self.range = self.range.max(share(asks.range));
        self.exact = self.exact.max(share(asks.exact));
        // A worker's identifiers go up as often as down; a walk goes one way, whatever it leaves out.
        let (up, down) = (asks.up, asks.down);
        if up + down >= 11 {
            self.walk = self
                .walk
                .max(f64::from(up.max(down)) / f64::from(up + down));
        }
        if n > self.asks {
            self.asks = n;
            if n > 1 {
                let m = asks.gap;
                self.gap = m;
                self.beat = if m > 0.0 {
                    (asks.high - asks.low) / m
                } else {
                    9.0
                };
                self.steady = n >= 30 && m <= 3.0 && asks.mean <= 3.0 * m.max(0.05);
            }
        }
    }
    /// Distinct subjects, objects or files, whichever the log counts.
    pub fn spread(&self) -> u64 {
        self.subjects.max(self.objects).max(self.files)
    }
    /// What several units did one after the other, as one: of each what it was asked most by, and when.
    pub fn one_after_other(s: &Sessions, units: &[&Unit<'_>]) -> Behaviour {
        let mut out = Behaviour::default();
        let (mut times, mut all): (Vec<Nanos>, f64) = (vec![], 0.0);
        let (mut prefix, mut range, mut exact) = (0.0, 0.0, 0.0);
        let (mut up, mut down, mut last) = (0, 0, None);
        for u in units {
            out.with(&u.does);
            let asks = (u.members.iter()).filter_map(|m| s.features[*m as usize].asks.as_ref());
            let Some(most) = asks.max_by_key(|a| (a.count, a.ends.is_some())) else {
                continue;
            };
            let n = f64::from(most.count);
            all += n;
            prefix += u.does.prefix * n;
            range += u.does.range * n;
            exact += u.does.exact * n;
            times.extend(&most.at);
            (up, down) = (up + most.up, down + most.down);
            if let Some((first, end)) = most.ends {
                up += u32::from(last.is_some_and(|l| l < first));
                down += u32::from(last.is_some_and(|l| l > first));
                last = Some(end);
            }
        }
        if all < 2.0 {
            return out;
        }
        (out.asks, out.prefix, out.range, out.exact) =
            (all as usize, prefix / all, range / all, exact / all);
        if up + down >= 11 {
            out.walk = f64::from(up.max(down)) / f64::from(up + down);
        }
        times.sort_unstable();
        let mut gaps: Vec<f64> = (times.windows(2))
            .map(|w| (w[1] - w[0]) as f64 / 1e9)
            .collect();
        gaps.sort_by(f64::total_cmp);
        let at = |k: usize| gaps.get(k).copied().unwrap_or(0.0);
        let n = gaps.len();
        out.gap = at(n / 2);
        out.beat = if out.gap > 0.0 {
            (at(n * 4 / 5) - at(n / 5)) / out.gap
        } else {
            9.0
        };
        out
    }
    /// The most of each that was seen in one unit.
    pub fn highest(&mut self, o: &Behaviour) {
        let (exports, writes, bytes, queries, tampering, glass) = (
            self.exports.max(o.exports),
            self.writes.max(o.writes),
            self.bytes_out.max(o.bytes_out),
            self.queries.max(o.queries),
            self.tampering.max(o.tampering),
            self.break_glass.max(o.break_glass),
        );
        self.with(o);
        (self.exports, self.writes, self.bytes_out) = (exports, writes, bytes);
        (self.queries, self.tampering, self.break_glass) = (queries, tampering, glass);
    }
    /// Joins what a session reached through this one did.
    pub fn with(&mut self, o: &Behaviour) {
        self.prefix = self.prefix.max(o.prefix);
        self.range = self.range.max(o.range);
        self.walk = self.walk.max(o.walk);
        self.steady |= o.steady;
        if o.asks > self.asks {
            (self.asks, self.gap, self.beat, self.exact) = (o.asks, o.gap, o.beat, o.exact);
        }
        self.subjects = self.subjects.max(o.subjects);
        self.objects = self.objects.max(o.objects);
        self.files = self.files.max(o.files);
        self.exports += o.exports;
        self.writes += o.writes;
        self.bytes_out = self.bytes_out.max(o.bytes_out);
        self.queries += o.queries;
        self.requests = self.requests.max(o.requests);
        self.tampering += o.tampering;
        self.break_glass += o.break_glass;
    }
}
