//! What a session did, compact enough to keep for every session and rich enough to judge it without its events.
//!
//! Every part is associative and commutative: sets keep their smallest members, samples their earliest, so that order, threads
//! and repeated delivery change nothing.
use ampleur_event::{Account, time::Nanos};
use std::borrow::Borrow;

/// A small map in order of its keys, laid out flat: a case has a million sessions with a dozen of these each, most of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sorted<K, V> {
    items: Vec<(K, V)>,
}
impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Sorted { items: vec![] }
    }
}
impl<K: Ord, V> Sorted<K, V> {
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        // Most keys come in order.
        match self.items.last() {
            None => Err(0),
            Some((last, _)) if last.borrow() < key => Err(self.items.len()),
            _ => self.items.binary_search_by(|(k, _)| k.borrow().cmp(key)),
        }
    }
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|i| &self.items[i].1)
    }
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let i = self.find(key).ok()?;
        Some(&mut self.items[i].1)
    }
    /// The value of `key`, put there first when missing.
    pub(crate) fn or_insert(&mut self, key: K, value: V) -> &mut V {
        let i = match self.find(&key) {
            Ok(i) => i,
            Err(i) => {
                room(&mut self.items);
                self.items.insert(i, (key, value));
                i
            }
        };
        &mut self.items[i].1
    }
    pub(crate) fn pop_last(&mut self) -> Option<(K, V)> {
        self.items.pop()
    }
    pub fn len(&self) -> usize {
        self.items.len()
    }
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
    /// Ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.items.iter().map(|(k, v)| (k, v))
    }
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.items.iter().map(|(k, _)| k)
    }
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.items.iter().map(|(_, v)| v)
    }
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        self.items.last().map(|(k, v)| (k, v))
    }
}

/// Room for one more, and no more than that while there are few.
fn room<T>(items: &mut Vec<T>) {
    if items.len() < 4 {
        items.reserve_exact(1);
    }
}

/// A set that keeps its `limit` smallest members; exact up to there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Few<T: Ord> {
    /// Ascending, each once.
    pub items: Vec<T>,
    /// A member was dropped: the set is a lower bound.
    pub more: bool,
}
impl<T: Ord> Default for Few<T> {
    fn default() -> Self {
        Few {
            items: vec![],
            more: false,
        }
    }
}
impl<T: Ord> Few<T> {
    pub fn add(&mut self, item: T, limit: usize) {
        let Err(at) = self.items.binary_search(&item) else {
            return;
        };
        if self.items.len() >= limit {
            self.more = true;
            if at == self.items.len() {
                return;
            }
            self.items.pop();
        } else {
            room(&mut self.items);
        }
        self.items.insert(at, item);
    }
    pub fn join(&mut self, other: Few<T>, limit: usize) {
        self.more |= other.more;
        for i in other.items {
            self.add(i, limit);
        }
    }
    pub fn len(&self) -> usize {
        self.items.len()
    }
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}
impl Few<String> {
    /// Adds a text without allocating when it is already there; empty texts are no members.
    pub(crate) fn note(&mut self, text: &str, limit: usize) {
        if !text.is_empty() && !self.has(text) {
            self.add(text.to_string(), limit);
        }
    }
    pub fn has(&self, text: &str) -> bool {
        self.items
            .binary_search_by(|i| i.as_str().cmp(text))
            .is_ok()
    }
    pub fn first(&self) -> Option<&str> {
        self.items.first().map(String::as_str)
    }
}

/// One question of a session: what was asked for, in a form that shows walks through an index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Ask {
    /// Lower-case leading criterion (family name or its prefix, `LIKE` pattern), at most 24 bytes; empty when there is none.
    pub stem: String,
    /// The stem is a prefix or pattern, not a whole name.
    pub prefix: bool,
    /// A range of dates or numbers was asked.
    pub range: bool,
    /// An identifier, or a name with a full birth date, was asked: at most one person.
    pub exact: bool,
    /// Last number of a path or identifier, for walks over ids.
    pub number: Option<u64>,
}

/// How many of each a session keeps.
pub(crate) const TEXTS: usize = 8;
pub(crate) const TOKENS: usize = 64;
pub(crate) const ASKS: usize = 256;
pub(crate) const SKETCH: usize = 4096;

/// Features of one session (or of a part of it).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    /// Accounts named by its rows: canonical text → (as the source wrote it, rows).
    pub accounts: Sorted<String, (Account, u64)>,
    /// The source's own user ids (UUID, SID).
    pub user_ids: Few<String>,
    /// Clear names of the user.
    pub user_names: Few<String>,
    pub addresses: Few<String>,
    /// Clients named by `X-Forwarded-For`.
    pub forwarded: Few<String>,
    pub inner: Few<String>,
    pub countries: Few<String>,
    pub devices: Few<String>,
    pub hosts: Few<String>,
    pub programs: Few<String>,
    /// Destination addresses of flows.
    pub destinations: Few<String>,
    /// Shares and databases touched.
    pub places: Few<String>,
    /// Token ids and authorisation codes.
    pub tokens: Few<String>,
    /// The source's session ids.
    pub ids: Few<String>,
    /// Canonical accounts acted with or upon (explicit credentials, account changes).
    pub targets: Sorted<String, Nanos>,
    /// Hashes of request ids.
    pub requests: Few<u64>,
    /// Hashes of distinct subjects / objects; smallest 4096.
    pub subjects: Few<u64>,
    pub objects: Few<u64>,
    /// Files or documents opened for reading: distinct hashes.
    pub files: Few<u64>,
    /// Earliest rows that show or change data: instant → what was asked.
    pub asks: Sorted<Nanos, Ask>,
    /// Hours of the local week with activity, bit 0 = Monday 00:00–01:00.
    pub hours: [u64; 3],
    /// Windows logon types seen, bit per type.
    pub logon_types: u32,
    /// Ports of flows, bit 0 = 3389, 1 = 445, 2 = 22, 3 = 443/80, 4 = database, 5 = other.
    pub ports: u8,
    /// Earliest instant the activity can have begun (a flow logged at its end began `duration_ms` before).
    pub began: Nanos,
    pub break_glass: u64,
    /// Audit switched off, log cleared, rights changed.
    pub tampering: u64,
    /// Answers with status 401, 403 or another refusal.
    pub refused: u64,
    /// Results the source itself counted.
    pub results: u64,
    /// Highest running totals (tunnels).
    pub total_in: u64,
    pub total_out: u64,
    /// Written acts on records (create, update), which speak for care.
    pub acts: u64,
}

impl Features {
    pub(crate) fn hour(&mut self, hour_of_week: usize) {
        if let Some(w) = self.hours.get_mut(hour_of_week / 64) {
            *w |= 1 << (hour_of_week % 64);
        }
    }
    pub fn has_hour(&self, hour_of_week: usize) -> bool {
        self.hours
            .get(hour_of_week / 64)
            .is_some_and(|w| w >> (hour_of_week % 64) & 1 == 1)
    }
    /// False when a question of this instant would not be kept: the sample holds the earliest.
    pub(crate) fn may_ask(&self, at: Nanos) -> bool {
        self.asks.len() < ASKS || self.asks.last_key_value().is_none_or(|(t, _)| *t >= at)
    }
    pub(crate) fn ask(&mut self, at: Nanos, ask: Ask) {
        // Two questions of one instant: the greater one stays, whatever order they came in.
        match self.asks.get_mut(&at) {
            Some(a) => {
                if ask > *a {
                    *a = ask;
                }
            }
            None => {
                if self.asks.len() >= ASKS {
                    if self.asks.last_key_value().is_some_and(|(t, _)| *t < at) {
                        return;
                    }
                    self.asks.pop_last();
                }
                self.asks.or_insert(at, ask);
            }
        }
    }
    pub(crate) fn join(&mut self, o: Features) {
        for (k, (a, n)) in o.accounts.items {
            let e = self.accounts.or_insert(k, (a.clone(), 0));
            // One spelling for all orders: the smallest.
            if a < e.0 {
                e.0 = a;
            }
            e.1 += n;
        }
        self.user_ids.join(o.user_ids, TEXTS);
        self.user_names.join(o.user_names, TEXTS);
        self.addresses.join(o.addresses, TEXTS);
        self.forwarded.join(o.forwarded, TEXTS);
        self.inner.join(o.inner, TEXTS);
        self.countries.join(o.countries, TEXTS);
        self.devices.join(o.devices, TEXTS);
        self.hosts.join(o.hosts, TEXTS);
        self.programs.join(o.programs, TEXTS);
        self.destinations.join(o.destinations, TEXTS);
        self.places.join(o.places, TEXTS);
        self.tokens.join(o.tokens, TOKENS);
        self.ids.join(o.ids, TEXTS);
        for (k, t) in o.targets.items {
            let e = self.targets.or_insert(k, t);
            *e = (*e).min(t);
        }
        while self.targets.len() > TOKENS {
            self.targets.pop_last();
        }
        self.requests.join(o.requests, TOKENS);
        self.subjects.join(o.subjects, SKETCH);
        self.objects.join(o.objects, SKETCH);
        self.files.join(o.files, SKETCH);
        for (t, a) in o.asks.items {
            self.ask(t, a);
        }
        for (a, b) in self.hours.iter_mut().zip(o.hours) {
            *a |= b;
        }
        self.logon_types |= o.logon_types;
        self.ports |= o.ports;
        self.began = self.began.min(o.began);
        self.break_glass += o.break_glass;
        self.tampering += o.tampering;
        self.refused += o.refused;
        self.results += o.results;
        self.total_in = self.total_in.max(o.total_in);
        self.total_out = self.total_out.max(o.total_out);
        self.acts += o.acts;
    }
    /// Gives back room that was kept for growth.
    pub(crate) fn settle(&mut self) {
        self.asks.items.shrink_to_fit();
        for hashes in [
            &mut self.requests,
            &mut self.subjects,
            &mut self.objects,
            &mut self.files,
        ] {
            hashes.items.shrink_to_fit();
        }
    }
    /// Seconds between consecutive questions of the sample, in time order.
    pub fn gaps(&self) -> Vec<f64> {
        let t: Vec<Nanos> = self.asks.keys().copied().collect();
        t.windows(2).map(|w| (w[1] - w[0]) as f64 / 1e9).collect()
    }
}
