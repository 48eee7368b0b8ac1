//! Columns that say the same of everybody: the one address of a balancer before a door, names a filter masked, addresses without their
//! last part. Such a column tells nobody from anybody else, and what does not tell is not used.
use crate::{Sessions, build::Side, net};
use ampleur_event::{Session, SessionKey};
use ampleur_sources::case::Case;
use rustc_hash::{FxHashMap, FxHashSet};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// What a column says alike of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// Everybody comes from the same address, or from few that all have in common.
    Address,
    /// The last part of every address is zero.
    Network,
    /// Nobody has a name, or all have the same, which is none.
    Name,
}

/// A column of a source that says the same of everybody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alike {
    pub source: u32,
    pub column: Column,
    /// What stands there; empty where nothing does, or where it differs.
    pub value: String,
    /// Sessions of the source it is about.
    pub sessions: u64,
}

/// Sessions below which nobody can say what is the same for all: a small practice has one line and few people.
const ENOUGH: u64 = 20;
/// Accounts, or clients where no account is named, that an address must have in common.
const MANY: usize = 8;
/// The same at a gateway of tunnels: those who need one are not at one place.
const FEW: usize = 4;
/// Balancers stand in pairs; so many are a network.
const BALANCERS: usize = 4;

/// What the sessions of one source have in their columns.
#[derive(Default)]
struct Seen {
    /// Sessions with an address; of tunnels or logins; of these with an account that is no machine's.
    addressed: u64,
    entries: u64,
    named: u64,
    tunnels: u64,
    /// Address → sessions, and who they are of; given up where there are many.
    at: FxHashMap<IpAddr, (u64, FxHashSet<(bool, u32)>)>,
    visitors: FxHashSet<(bool, u32)>,
    /// Networks of addresses whose last part is zero; nothing once there is another address.
    networks: BTreeSet<IpAddr>,
    whole: bool,
    names: BTreeSet<String>,
}

impl Seen {
    const ADDRESSES: usize = 64;

    fn take(&mut self, s: &Session, who: Option<u32>, device: Option<u32>) {
        if s.account.as_ref().is_some_and(|a| a.is_machine()) {
            return;
        }
        // Without a name a tunnel is known by the address it lends alone.
        let tunnel = s.key_kind == SessionKey::Tunnel || s.inner.is_some();
        self.entries += u64::from(tunnel || s.counts.logins > 0);
        self.tunnels += u64::from(tunnel);
        if let Some(a) = &s.account {
            self.named += 1;
            if self.names.len() < 2 {
                self.names.insert(a.bare());
            }
        }
        let Some(a) = s.origin.address else { return };
        self.addressed += 1;
        if !shortened(a) {
            self.whole = true;
        } else if self.networks.len() < Seen::ADDRESSES {
            self.networks.insert(a);
        }
        let visitor = match (who, device) {
            (Some(w), _) => (true, w),
            (None, Some(d)) => (false, d),
            (None, None) => return,
        };
        if self.visitors.len() < 1 << 16 {
            self.visitors.insert(visitor);
        }
        if self.at.len() < Seen::ADDRESSES || self.at.contains_key(&a) {
            let here = self.at.entry(a).or_default();
            here.0 += 1;
            if here.1.len() < 1 << 16 {
                here.1.insert(visitor);
            }
        }
    }

    /// The addresses everybody has in common, as text.
    fn common_address(&self, known: &dyn Fn(IpAddr) -> bool) -> Option<String> {
        let gateway = self.tunnels > 0 && self.tunnels == self.entries;
        let (people, sessions) = match gateway {
            true => (FEW, ENOUGH / 2),
            false => (MANY, ENOUGH),
        };
        if self.addressed < sessions
            || self.visitors.len() < people
            || self.at.len() >= Seen::ADDRESSES
        {
            return None;
        }
        let (main, odd): (Vec<_>, Vec<_>) =
            (self.at.iter()).partition(|(_, (n, _))| n * 50 >= self.addressed);
        // A probe beside the balancer is inside; a single visitor from outside would show that addresses are told.
        if odd.iter().any(|(a, _)| !net::is_private(**a)) || main.len() > BALANCERS {
            return None;
        }
        // Where an address is public and not a tunnel's, it may be the one exit of the hospital all these people work in.
        let common = main.iter().all(|(a, (_, who))| {
            who.len() * 2 >= self.visitors.len() && !known(**a) && (net::is_private(**a) || gateway)
        });
        let texts: BTreeSet<IpAddr> = main.iter().map(|(a, _)| **a).collect();
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        (common && !texts.is_empty()).then(|| texts.join(", "))
    }

    fn shortened(&self) -> bool {
        self.addressed >= ENOUGH && !self.whole && self.networks.len() >= MANY
    }

    /// The name that is none, or an empty text where entries have no name at all.
    fn common_name(&self) -> Option<String> {
        if self.entries >= ENOUGH && self.named == 0 {
            return Some(String::new());
        }
        let name = self.names.first().filter(|_| self.names.len() == 1)?;
        (self.named >= ENOUGH && masked(name)).then(|| name.clone())
    }
}

/// An address whose last part is taken away: the last number of four, or of an IPv6 address its lower half.
fn shortened(a: IpAddr) -> bool {
    match a {
        IpAddr::V4(v) => v.octets()[3] == 0,
        IpAddr::V6(v) => v.segments()[4..].iter().all(|s| *s == 0),
    }
}

/// A name that stands for one that was taken away.
fn masked(name: &str) -> bool {
    const WORDS: [&str; 14] = [
        "anonymous",
        "anonymized",
        "anonymised",
        "anonyme",
        "anonymise",
        "anonymisé",
        "masked",
        "masque",
        "masqué",
        "redacted",
        "hidden",
        "removed",
        "unknown",
        "inconnu",
    ];
    let bare = name.trim_matches(|c: char| !c.is_alphanumeric());
    WORDS.contains(&bare) || bare.chars().all(|c| matches!(c, 'x' | 'X'))
}

/// Columns that say the same of everybody. Sorted.
pub(crate) fn alike(case: &Case, s: &Sessions, side: &Side) -> Vec<Alike> {
    let mut seen: BTreeMap<u32, Seen> = BTreeMap::new();
    for i in (0..s.list.len()).filter(|i| !s.is_flow(*i)) {
        let device = s.features[i].list(crate::List::Devices).first().copied();
        let who = side.known(i).map(|k| k.who);
        let of = seen.entry(s.list[i].source).or_default();
        of.take(&s.list[i], who, device);
    }
    // Machines of the house with a log of their own, and places the context says somebody works from, stand for themselves.
    let places: Vec<net::Net> = (case.context.accounts.iter())
        .flat_map(|a| &a.networks)
        .filter_map(|n| net::Net::parse(n))
        .collect();
    let hosts: FxHashSet<&str> = s
        .list
        .iter()
        .filter_map(|x| x.host.split('.').next())
        .collect();
    let machines: BTreeSet<IpAddr> = (s.machines.iter())
        .filter(|(name, _)| hosts.iter().any(|h| h.eq_ignore_ascii_case(name)))
        .flat_map(|(_, a)| a.iter().copied())
        .collect();
    let known = |a: IpAddr| machines.contains(&a) || places.iter().any(|n| n.contains(a));
    let mut out = vec![];
    for (source, of) in &seen {
        let mut add = |column, value: String, sessions| {
            out.push(Alike {
                source: *source,
                column,
                value,
                sessions,
            });
        };
        if let Some(value) = of.common_address(&known) {
            add(Column::Address, value, of.addressed);
        } else if of.shortened() {
            add(Column::Network, String::new(), of.addressed);
        }
        if let Some(value) = of.common_name() {
            add(Column::Name, value, of.entries.max(of.named));
        }
    }
    out.sort();
    out
}

/// Takes out of the sessions what such columns say: a country that a shortened address tells stays.
pub(crate) fn take_out(alike: &[Alike], s: &mut Sessions, side: &mut Side) {
    let of = |source: u32, column: Column| {
        (alike.iter()).any(|a| (a.source, a.column) == (source, column))
    };
    for (i, x) in s.list.iter_mut().enumerate() {
        let address = of(x.source, Column::Address);
        if address || of(x.source, Column::Network) {
            x.origin.address = None;
        }
        if address {
            x.origin.country = None;
            x.origin.asn = None;
        }
        if of(x.source, Column::Name) {
            x.account = None;
            x.person = None;
            side.forget(i);
        }
    }
}
