//! Clocks of machines, from Kerberos: who gets a ticket for a machine is logged on there a moment later, and two logs tell it
//! (Windows 4769 at the domain controller, 4624 at the machine). Where most logons come at one other distance, a clock is off.
//!
//! A sample is kept, the same on both sides whatever the order of rows and files: the least by a hash of machine, account,
//! address and day.
use crate::{
    intake::{Named, machine, text_hash},
    net,
};
use ampleur_event::{
    Event, Outcome, Verb,
    time::{DAY, HOUR, MINUTE, NO_TIME, Nanos, SECOND, densest},
};
use std::collections::{BTreeMap, BTreeSet};

/// Machines, (account, address) of one machine, and times of one of these that are kept.
const MACHINES: usize = 512;
const USES: usize = 128;
const TIMES: usize = 16;
/// A ticket and its logon are looked for within this.
const REACH: Nanos = 3 * HOUR;
/// Distances within this of each other are one.
const SHARP: Nanos = 5 * SECOND;
/// Clocks that differ less agree.
const AGREE: Nanos = 90 * SECOND;

/// (account, address) → (rank of the day, time), the least ranks.
type Uses = BTreeMap<u64, BTreeSet<(u64, Nanos)>>;

/// Machine → who came when.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard(BTreeMap<u64, Uses>);

impl Heard {
    fn add(&mut self, machine: u64, who: u64, time: Nanos) {
        let full = |n: usize, most: usize, last: Option<u64>, new: u64| {
            n >= most && last.is_some_and(|l| new > l)
        };
        let last = self.0.last_key_value().map(|l| *l.0);
        if full(self.0.len(), MACHINES, last, machine) {
            return;
        }
        let uses = self.0.entry(machine).or_default();
        let last = uses.last_key_value().map(|l| *l.0);
        if !full(uses.len(), USES, last, who) {
            let times = uses.entry(who).or_default();
            times.insert((mixed(who ^ time.div_euclid(DAY) as u64), time));
            if times.len() > TIMES {
                times.pop_last();
            }
            if uses.len() > USES {
                uses.pop_last();
            }
        }
        if self.0.len() > MACHINES {
            self.0.pop_last();
        }
    }
    fn join(&mut self, other: Heard) {
        for (machine, uses) in other.0 {
            for (who, times) in uses {
                for (_, time) in times {
                    self.add(machine, who, time);
                }
            }
        }
    }
}

/// What a file, or all files of a source, tell of tickets and of logons.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tickets {
    given: Heard,
    used: Heard,
}

impl Tickets {
    pub fn take(&mut self, e: &Event<'_>, named: Option<&Named>) {
        match (e.verb, e.code) {
            (Verb::Token, 4769) => {
                // `FS01$`, `cifs/fs01.example.org`: the machine the ticket is for.
                let name = e.object.rsplit('/').next().unwrap_or(&e.object);
                let host = machine(name.trim_end_matches('$'));
                if e.time != NO_TIME
                    && let Some((machine, who)) = use_of(e, named, &host)
                {
                    self.given.add(machine, who, e.time);
                }
            }
            (Verb::Login, 4624) if e.time != NO_TIME => {
                if let Some((machine, who)) = Tickets::used(e, named) {
                    self.add_used(machine, who, e.time);
                }
            }
            _ => {}
        }
    }
    /// The machine a logon is on, and whose it is from where: numbers for [`Tickets::add_used`].
    pub fn used(e: &Event<'_>, named: Option<&Named>) -> Option<(u64, u64)> {
        use_of(e, named, &machine(&e.host))
    }
    pub fn add_used(&mut self, machine: u64, who: u64, time: Nanos) {
        self.used.add(machine, who, time);
    }
    pub fn join(&mut self, other: Tickets) {
        self.given.join(other.given);
        self.used.join(other.used);
    }
}

fn use_of(e: &Event<'_>, named: Option<&Named>, host: &str) -> Option<(u64, u64)> {
    let (named, address) = (named?, net::parse_address(&e.src_ip)?);
    if host.is_empty() || e.outcome == Outcome::Failure || named.account.is_machine() {
        return None;
    }
    let who = text_hash(&format!("{host} {} {address}", named.account.bare()));
    Some((mixed(text_hash(host)), mixed(who)))
}

fn mixed(x: u64) -> u64 {
    let x = (x ^ x >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^ x >> 32
}

/// What two clocks say of each other.
enum Clocks {
    Agree,
    /// To be added to the times of the logons.
    Off(Nanos),
}

/// What tickets say of clocks.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    /// Source → nanoseconds to add to its times.
    pub known: BTreeMap<u32, Nanos>,
    /// A controller and the one machine it was compared with: (controller, machine, nanoseconds to add to the times of the machine,
    /// unless it is the controller that is off).
    pub either: Vec<(u32, u32, Nanos)>,
}

/// A controller that all machines disagree with in one way is off itself; else the machine is, for a domain takes its time from its
/// controllers. Of a machine alone only a third clock can tell.
pub(crate) fn offsets(by_source: &BTreeMap<u32, Tickets>) -> Offsets {
    let mut out = Offsets::default();
    for (controller, t) in by_source.iter().filter(|(_, t)| !t.given.0.is_empty()) {
        let mut agree = 0;
        let mut off: Vec<(u32, Nanos)> = vec![];
        for (source, other) in by_source.iter().filter(|(s, _)| *s != controller) {
            match compared(&other.used, &t.given) {
                Some(Clocks::Agree) => agree += 1,
                Some(Clocks::Off(by)) => off.push((*source, by)),
                None => {}
            }
        }
        let alike = off.iter().all(|o| (o.1 - off[0].1).abs() <= 2 * SHARP);
        if agree == 0 && off.len() > 1 && alike {
            out.known.entry(*controller).or_insert(-off[0].1);
        } else if let (0, [(machine, by)]) = (agree, &off[..]) {
            out.either.push((*controller, *machine, *by));
        } else {
            for (source, by) in off {
                out.known.entry(source).or_insert(by);
            }
        }
    }
    out
}

/// Nothing where too little speaks, or it speaks with two voices.
fn compared(used: &Heard, given: &Heard) -> Option<Clocks> {
    const ENOUGH: usize = 5;
    // (distance to a ticket, logon)
    let mut pairs: Vec<(Nanos, usize)> = vec![];
    let mut logons = 0;
    for (machine, uses) in &used.0 {
        let Some(tickets) = given.0.get(machine) else {
            continue;
        };
        for (who, times) in uses {
            let Some(tickets) = tickets.get(who) else {
                continue;
            };
            for (_, logon) in times {
                let before = pairs.len();
                let near = tickets.iter().map(|t| t.1 - logon);
                pairs.extend(near.filter(|d| d.abs() <= REACH).map(|d| (d, logons)));
                logons += usize::from(pairs.len() > before);
            }
        }
    }
    let within = |from: Nanos, to: Nanos| {
        let inside = pairs.iter().filter(|p| from <= p.0 && p.0 <= to);
        inside.map(|p| p.1).collect::<BTreeSet<_>>().len()
    };
    let usual = within(-AGREE, AGREE);
    if usual >= ENOUGH.min(logons) && usual * 10 >= logons * 6 && logons > 0 {
        return Some(Clocks::Agree);
    }
    let mut distances: Vec<Nanos> = pairs.iter().map(|p| p.0).collect();
    distances.sort_unstable();
    let (most, peak) = densest(&distances, SHARP);
    let there = within(peak - SHARP, peak + SHARP);
    let others: Vec<Nanos> = distances
        .into_iter()
        .filter(|d| (d - peak).abs() > 2 * SHARP)
        .collect();
    // What comes back every few minutes meets itself at every multiple: that is no clock.
    let second = densest(&others, SHARP).0;
    (peak.abs() > MINUTE
        && there >= ENOUGH
        && there * 10 >= logons * 6
        && there >= 3 * usual
        && most >= 2 * second)
        .then_some(Clocks::Off(peak))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twelve people log on to a machine on some days; `off` is what its clock is ahead of the controller's.
    fn told(machines: &[(u64, Nanos)]) -> Offsets {
        let mut by_source: BTreeMap<u32, Tickets> = BTreeMap::new();
        for (m, off) in machines {
            for who in 0..12u64 {
                for day in 0..3 {
                    let t = day * DAY + (who as i64 * 3_571 + *m as i64 * 977) * SECOND;
                    let key = mixed(m * 100 + who);
                    by_source.entry(0).or_default().given.add(*m, key, t);
                    let seen = t + off + SECOND / 10;
                    by_source
                        .entry(*m as u32)
                        .or_default()
                        .used
                        .add(*m, key, seen);
                }
            }
        }
        offsets(&by_source)
    }

    #[test]
    fn the_clock_that_is_off_is_the_one_that_stands_alone() {
        let off = 47 * MINUTE;
        let none = told(&[(1, 0), (2, 0)]);
        assert!(none.known.is_empty() && none.either.is_empty());
        for off in [off, -off] {
            let found = told(&[(1, off), (2, 0), (3, 0)]).known;
            assert_eq!(found.keys().collect::<Vec<_>>(), [&1]);
            assert!((found[&1] + off).abs() < SECOND, "{found:?}");
            // One machine alone: it or the controller.
            let found = told(&[(1, off)]);
            assert!(found.known.is_empty());
            let [(0, 1, by)] = found.either[..] else {
                panic!("{found:?}")
            };
            assert!((by + off).abs() < SECOND, "{found:?}");
            // All in one way: the controller.
            let found = told(&[(1, off), (2, off)]).known;
            assert_eq!(found.keys().collect::<Vec<_>>(), [&0]);
            assert!((found[&0] - off).abs() < SECOND, "{found:?}");
        }
    }

    #[test]
    fn what_comes_back_every_ten_minutes_is_no_clock() {
        let mut by_source: BTreeMap<u32, Tickets> = BTreeMap::new();
        for k in 0..40i64 {
            by_source
                .entry(0)
                .or_default()
                .given
                .add(1, 1, k * 10 * MINUTE);
            let seen = k * 10 * MINUTE + 3 * MINUTE;
            by_source.entry(1).or_default().used.add(1, 1, seen);
        }
        let found = offsets(&by_source);
        assert!(found.known.is_empty() && found.either.is_empty());
    }

    #[test]
    fn the_sample_does_not_depend_on_the_order() {
        let rows: Vec<(u64, u64, Nanos)> = (0..60_000u64)
            .map(|i| {
                (
                    mixed(i) % 700,
                    mixed(i * 7) % 300,
                    mixed(i * 13) as i64 >> 8,
                )
            })
            .collect();
        let mut forth = Heard::default();
        rows.iter().for_each(|r| forth.add(r.0, r.1, r.2));
        let (mut back, mut half) = (Heard::default(), Heard::default());
        let (first, second) = rows.split_at(20_000);
        second.iter().rev().for_each(|r| back.add(r.0, r.1, r.2));
        first.iter().for_each(|r| half.add(r.0, r.1, r.2));
        back.join(half);
        assert_eq!(forth.0.len(), MACHINES);
        assert_eq!(forth.0, back.0);
    }
}
