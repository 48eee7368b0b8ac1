//! Units: the sessions of one use of one account from one origin, over all systems that saw it, and who opened the door to whom.
use ampleur_event::{Account, LinkKind, System, time::Nanos};
use ampleur_session::{
    Ask, Features, Sessions,
    profile::{Rules, account_id, is_service, job_of},
};
use ampleur_sources::case::Case;
use std::{collections::BTreeSet, net::IpAddr};

/// One use of one account from one origin.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unit {
    /// Session indexes, ascending.
    pub members: Vec<u32>,
    /// Person (`#n`) or canonical account; empty when nobody is known.
    pub who: String,
    pub account: Option<Account>,
    pub service: bool,
    pub machine: bool,
    pub address: Option<IpAddr>,
    pub country: Option<String>,
    pub asn: Option<u32>,
    pub devices: BTreeSet<String>,
    pub programs: BTreeSet<String>,
    pub from: Nanos,
    pub to: Nanos,
    /// Local days (days since the epoch) with activity.
    pub days: BTreeSet<i64>,
    pub flow_only: bool,
    /// Every member is explained by this batch of the context.
    pub job: Option<usize>,
    /// (unit, certainty) of those that made this one possible: a tunnel, a hop.
    pub parents: Vec<(usize, f32)>,
    pub children: Vec<(usize, f32)>,
    pub tokens: BTreeSet<String>,
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

pub(crate) struct Units {
    pub list: Vec<Unit>,
    /// Session → unit.
    pub of: Vec<usize>,
}

fn within_unit(kind: LinkKind) -> bool {
    !matches!(
        kind,
        LinkKind::TunnelAddress | LinkKind::Hop | LinkKind::None
    )
}

impl Units {
    /// `apart` are links the analyst says are none: (session that opened, session opened).
    pub fn new(case: &Case, s: &Sessions, rules: &Rules, apart: &[(String, String)]) -> Units {
        let n = s.list.len();
        let apart: BTreeSet<(&str, &str)> = apart
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        let holds = |l: &ampleur_event::Link| {
            apart.is_empty() || {
                let id = |i: u32| s.list[i as usize].id.as_str();
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
            let who = |x: &ampleur_event::Session| {
                x.person
                    .map(|p| format!("#{p}"))
                    .or_else(|| x.account.as_ref().map(account_id))
            };
            let one = who(x).is_none() || who(y).is_none() || who(x) == who(y);
            if origin && one && jobs[a].is_some() == jobs[b].is_some() {
                let (p, q) = (find(&mut root, a), find(&mut root, b));
                let (low, high) = (p.min(q), p.max(q));
                root[high] = low;
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
                    ..Unit::default()
                });
            }
            of[i] = of[r];
            list[of[r]].members.push(i as u32);
        }
        for u in &mut list {
            fill(case, s, rules, &jobs, u);
        }
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
            for (a, c) in list[b].parents.clone() {
                list[a].children.push((b, c));
            }
        }
        Units { list, of }
    }

    /// The unit and everything it made possible (links of certainty 0.5 or more), each once, in order of discovery.
    pub fn reach(&self, u: usize) -> Vec<usize> {
        let mut seen = BTreeSet::from([u]);
        let mut out = vec![u];
        let mut at = 0;
        while at < out.len() {
            for (c, w) in &self.list[out[at]].children {
                if *w >= 0.5 && seen.insert(*c) {
                    out.push(*c);
                }
            }
            at += 1;
        }
        out
    }
}

fn fill(case: &Case, s: &Sessions, rules: &Rules, jobs: &[Option<usize>], u: &mut Unit) {
    let first = &s.list[u.members[0] as usize];
    (u.from, u.to) = (first.from, first.to);
    let mut zone_days = BTreeSet::new();
    let mut job = jobs[u.members[0] as usize];
    for m in &u.members {
        let x = &s.list[*m as usize];
        let f = &s.features[*m as usize];
        u.from = u.from.min(x.from);
        u.to = u.to.max(x.to);
        if u.account.is_none()
            && let Some(a) = &x.account
        {
            u.account = Some(a.clone());
            u.who = x.person.map_or_else(|| account_id(a), |p| format!("#{p}"));
        }
        u.address = u.address.or(x.origin.address);
        if u.country.is_none() {
            u.country.clone_from(&x.origin.country);
        }
        u.asn = u.asn.or(x.origin.asn);
        let flow = s.is_flow(*m as usize);
        u.flow_only &= flow;
        if !flow {
            u.devices
                .extend(f.devices.items.iter().filter(|d| !d.is_empty()).cloned());
            u.programs.extend(f.programs.items.iter().cloned());
        }
        u.tokens.extend(f.tokens.items.iter().cloned());
        if jobs[*m as usize] != job {
            job = None;
        }
        for t in [x.from, x.to] {
            zone_days.insert(day_of(t, &rules.zone));
        }
        u.does.take(x, f, flow);
    }
    u.job = job;
    u.days = zone_days;
    if let Some(a) = &u.account {
        u.service = is_service(case, rules, a);
        u.machine = a.is_machine() || system_account(a);
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
        self.files = self.files.max(f.files.len() as u64);
        self.exports = self.exports.max(c.exports);
        self.writes = self.writes.max(c.writes);
        self.bytes_out = self.bytes_out.max(c.bytes_out);
        self.queries = self.queries.max(c.queries);
        self.requests = self.requests.max(c.requests + c.reads + c.searches);
        self.failures += c.failures;
        self.logins += c.logins;
        self.break_glass += f.break_glass;
        self.tampering += f.tampering;
        self.interactive |= f.logon_types & (1 << 10 | 1 << 2 | 1 << 7 | 1 << 11) != 0;
        let n = f.asks.len();
        if n == 0 {
            return;
        }
        let share =
            |p: &dyn Fn(&Ask) -> bool| f.asks.values().filter(|a| p(a)).count() as f64 / n as f64;
        self.prefix = self.prefix.max(share(&|a| a.prefix && !a.exact));
        self.range = self.range.max(share(&|a| a.range && !a.exact));
        self.exact = self.exact.max(share(&|a| a.exact));
        let numbers: Vec<u64> = f.asks.values().filter_map(|a| a.number).collect();
        // A worker's identifiers go up as often as down; a walk goes one way, whatever it leaves out.
        let (mut up, mut down) = (0usize, 0usize);
        for w in numbers.windows(2) {
            up += usize::from(w[1] > w[0]);
            down += usize::from(w[1] < w[0]);
        }
        if up + down >= 11 {
            self.walk = self.walk.max(up.max(down) as f64 / (up + down) as f64);
        }
        if n > self.asks {
            self.asks = n;
            let mut gaps = f.gaps();
            gaps.sort_by(f64::total_cmp);
            if let Some(m) = gaps.get(gaps.len() / 2) {
                self.gap = *m;
                let (a, b) = (gaps[gaps.len() / 5], gaps[gaps.len() * 4 / 5]);
                self.beat = if *m > 0.0 { (b - a) / m } else { 9.0 };
                let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
                self.steady = n >= 30 && *m <= 3.0 && mean <= 3.0 * m.max(0.05);
            }
        }
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
