//! One file's events → fragments of sessions. Memory grows with sessions, not with events.
use crate::{
    Key,
    features::{Ask, Asked, List, SKETCH, Spelled, TOKENS, Traits},
    key::{INACTIVITY, Keyed, PAUSE, canonical, clip, personal, used_by},
    net,
    parties::{self, NO_PARTY, Parties},
    texts::{Table, TextId, Texts},
    tickets::Tickets,
};
use ampleur_event::{
    Account, Event, EventBatch, Outcome, SessionCounts, SessionKey, System, Verb,
    account::is_placeholder,
    batch::{Column, NONE, TextColumn},
    time::{HOUR, NO_TIME, Nanos},
};
use ampleur_sources::case::{Case, FileId};
use rustc_hash::FxHashMap;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

/// A stretch of rows with one key and no silence longer than the inactivity limit ([`PAUSE`] in requests that name nobody).
#[derive(Debug, Clone)]
pub(crate) struct Fragment {
    /// `[from, to]`, both included.
    pub from: Nanos,
    pub to: Nanos,
    /// Order-independent hash of its distinct rows: the same stretch delivered in two files is counted once.
    pub fingerprint: u64,
    /// A begin (tunnel-up, logon, connection) or an end was seen.
    pub opened: bool,
    pub closed: bool,
    /// Number of the stretch while its file is read: what a party said in it is noted once.
    serial: u32,
    pub counts: Tally,
    pub traits: Traits,
}

/// What a stretch did, as counts in little room: there are as many stretches as sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tally {
    pub events: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    kinds: [u32; KINDS],
}

/// Where each kind of row is counted in [`Tally`].
const LOGINS: usize = 0;
const FAILURES: usize = 1;
const REQUESTS: usize = 2;
const READS: usize = 3;
const SEARCHES: usize = 4;
const EXPORTS: usize = 5;
const WRITES: usize = 6;
const FILES: usize = 7;
const QUERIES: usize = 8;
const KINDS: usize = 9;

impl Tally {
    fn count(&mut self, kind: usize) {
        self.kinds[kind] = self.kinds[kind].saturating_add(1);
    }
    fn join(&mut self, o: &Tally) {
        self.events += o.events;
        self.bytes_in = self.bytes_in.saturating_add(o.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(o.bytes_out);
        for (a, b) in self.kinds.iter_mut().zip(o.kinds) {
            *a = a.saturating_add(b);
        }
    }
    /// Without subjects and objects, which are counted elsewhere.
    pub fn counts(&self) -> SessionCounts {
        let of = |kind: usize| u64::from(self.kinds[kind]);
        SessionCounts {
            events: self.events,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            logins: of(LOGINS),
            failures: of(FAILURES),
            requests: of(REQUESTS),
            reads: of(READS),
            searches: of(SEARCHES),
            exports: of(EXPORTS),
            writes: of(WRITES),
            files: of(FILES),
            queries: of(QUERIES),
            subjects: 0,
            objects: 0,
        }
    }
}

/// The stretches of one key.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub key: Keyed,
    pub hash: u32,
    /// In order of time.
    pub list: Vec<Fragment>,
    /// Rows without a time.
    pub untimed: Option<Box<Fragment>>,
}

/// What one file contributes. Joined by [`crate::Sessions::build`] in any order.
#[derive(Debug, Clone, Default)]
pub struct Partial {
    pub(crate) file: FileId,
    /// The source the file was read as.
    pub(crate) source: u32,
    pub(crate) format: &'static str,
    pub(crate) texts: Texts,
    pub(crate) slots: Vec<Slot>,
    /// The source's user id → accounts it was named with.
    pub(crate) names: BTreeMap<String, BTreeSet<Account>>,
    /// Host → instants its ids began anew.
    pub(crate) restarts: BTreeMap<String, BTreeSet<Nanos>>,
    /// (host name, address) → rows that say so.
    pub(crate) machines: BTreeMap<(String, String), u64>,
    pub(crate) tickets: Tickets,
}

/// Reads the events of one file, in file order.
pub struct FileIntake {
    source: u32,
    zone: jiff::tz::TimeZone,
    partial: Partial,
    /// Key → slot.
    table: Table,
    seen: Recent,
    hour: HourOfWeek,
    accounts: Accounts,
    machines: Machines,
    /// Stretches begun.
    serials: u32,
    /// Of the row at hand, written anew for each.
    key: Key,
    /// By number of party, of one of their lives.
    members: Vec<Option<Member>>,
    life: u32,
    /// Of a file whose rows nobody else numbers.
    parties: Option<Box<Parties>>,
    words: Words,
    fresh: Vec<bool>,
}

/// What the rows of a party mean, worked out with the first of them.
struct Member {
    /// Nothing is remembered of such rows.
    single: bool,
    /// Part of the hash of its rows.
    hash: u64,
    named: Option<Arc<Named>>,
    /// `None` without a key.
    slot: Option<u32>,
    limit: Nanos,
    /// The stretch in which its texts are noted, and where its account stands there.
    noted: u32,
    account: Option<u32>,
    /// Place in [`Machines`], and what a row of it weighs.
    machine: Option<(u32, u64)>,
    ticket: Ticket,
}

#[derive(Clone, Copy)]
enum Ticket {
    /// No row of it tells of tickets.
    None,
    /// Each row is to be looked at.
    Each,
    /// A logon of (machine, who).
    Used(u64, u64),
}

/// (host name, address) → rows that say so.
#[derive(Clone, Default)]
struct Machines {
    places: BTreeMap<(String, String), u32>,
    weights: Vec<u64>,
}

impl Machines {
    /// `None` beyond the limit.
    fn place(&mut self, name: &str, address: &str) -> Option<u32> {
        let name = machine(name);
        if name.is_empty()
            || name.len() > 63
            || name.contains(['/', ' ', ':'])
            || self.weights.len() >= FACTS
        {
            return None;
        }
        let a = net::parse_address(address).filter(|a| !a.is_loopback() && !a.is_unspecified())?;
        let next = self.weights.len() as u32;
        let place = *self.places.entry((name, a.to_string())).or_insert(next);
        if place == next {
            self.weights.push(0);
        }
        Some(place)
    }
    fn add(&mut self, place: u32, weight: u64) {
        // Beyond the limit nothing is counted any more but the first word of each.
        let full = self.weights.len() >= FACTS;
        let known = &mut self.weights[place as usize];
        if *known == 0 || !full {
            *known += weight;
        }
    }
    fn counted(self) -> BTreeMap<(String, String), u64> {
        let Machines { places, weights } = self;
        let counted = places.into_iter();
        counted.map(|(k, at)| (k, weights[at as usize])).collect()
    }
}

/// An account as the source wrote it and as it is compared.
#[derive(Debug)]
pub struct Named {
    pub account: Account,
    /// Lower-case text under which the spellings of one account agree.
    pub canonical: String,
}

/// Accounts come back row after row, so their names are taken apart once.
#[derive(Default)]
pub(crate) struct Accounts {
    /// User → what it makes with each system and domain it came with.
    known: FxHashMap<Box<str>, Vec<Known>>,
    count: usize,
}

struct Known {
    system: System,
    domain: Box<str>,
    named: Option<Arc<Named>>,
}

impl Accounts {
    const KEPT: usize = 1 << 15;

    pub fn of(&mut self, e: &Event<'_>) -> Option<Arc<Named>> {
        if e.user.is_empty() {
            return None;
        }
        let is = |k: &&Known| k.system == e.system && *k.domain == *e.domain;
        let known = self.known.get(&*e.user);
        if let Some(k) = known.and_then(|k| k.iter().find(is)) {
            return k.named.clone();
        }
        let named = e.account().map(|account| {
            Arc::new(Named {
                canonical: canonical(&account),
                account,
            })
        });
        if self.count >= Self::KEPT {
            self.known.clear();
            self.count = 0;
        }
        self.count += 1;
        let known = Known {
            system: e.system,
            domain: Box::from(&*e.domain),
            named: named.clone(),
        };
        match self.known.get_mut(&*e.user) {
            Some(list) => list.push(known),
            None => {
                self.known.insert(Box::from(&*e.user), vec![known]);
            }
        }
        named
    }
}

/// Rows whose stretches are fetched at a time.
const FETCHED: usize = 32;
/// Accounts kept per user id.
const NAMES: usize = 8;
/// Longest memory of names and machines of one file; beyond it the file is no log of a hospital.
const FACTS: usize = 1 << 20;

impl FileIntake {
    /// `format` is the name of the source that decodes the file.
    pub fn new(case: &Case, file: FileId, format: &'static str) -> FileIntake {
        FileIntake {
            source: case.source_of(file),
            zone: case.context.zone(),
            partial: Partial {
                file,
                source: case.source_of(file),
                format,
                ..Partial::default()
            },
            table: Table::default(),
            seen: Recent::default(),
            hour: HourOfWeek::default(),
            accounts: Accounts::default(),
            machines: Machines::default(),
            serials: 0,
            key: Key::default(),
            members: vec![],
            life: 0,
            parties: None,
            words: Words::default(),
            fresh: vec![],
        }
    }

    /// The next rows of the file.
    pub fn push(&mut self, batch: &EventBatch) {
        let mut parties = self.parties.take().unwrap_or_default();
        parties.read(batch);
        self.push_known(batch, &parties);
        self.parties = Some(parties);
    }

    /// The same, of a batch that `parties` has just read; they have read every batch of the file.
    pub fn push_known(&mut self, batch: &EventBatch, parties: &Parties) {
        if self.life != parties.life() {
            self.life = parties.life();
            self.members.clear();
        }
        if self.members.len() < parties.count() {
            self.members.resize_with(parties.count(), || None);
        }
        let rows = Rows::of(batch);
        let mut words = std::mem::take(&mut self.words);
        words.read(batch);
        let numbers = parties.numbers();
        let mut i = 0;
        while i < numbers.len() {
            let from = i;
            while i < numbers.len()
                && rows.times[i] != NO_TIME
                && self.is_member(numbers[i], batch, i)
            {
                i += 1;
            }
            self.run(batch, &rows, &words, numbers, from..i);
            if i < numbers.len() {
                self.take(&batch.get(i));
                i += 1;
            }
        }
        self.words = words;
    }

    /// True when rows of a party need not be looked at one by one.
    fn is_member(&mut self, number: u32, batch: &EventBatch, i: usize) -> bool {
        if number == NO_PARTY {
            return false;
        }
        if let Some(known) = &self.members[number as usize] {
            return !known.single;
        }
        let member = self.member(&batch.get(i));
        let single = member.single;
        self.members[number as usize] = Some(member);
        !single
    }

    fn member(&mut self, e: &Event<'_>) -> Member {
        let mut m = Member {
            // Each of these says something of its own.
            single: matches!(e.verb, Verb::Restart | Verb::Lease) || e.code == 4648,
            hash: common_hash(e),
            named: None,
            slot: None,
            limit: INACTIVITY,
            noted: 0,
            account: None,
            machine: None,
            ticket: Ticket::None,
        };
        if m.single {
            return m;
        }
        m.named = self.accounts.of(e);
        let named = m.named.as_deref();
        m.ticket = match (e.verb, e.code) {
            (Verb::Login, 4624) => {
                let used = Tickets::used(e, named);
                used.map_or(Ticket::None, |(machine, who)| Ticket::Used(machine, who))
            }
            (Verb::Token, 4769) => Ticket::Each,
            _ => Ticket::None,
        };
        self.learn_name(e, named);
        if let Some((name, weight)) = named_machine(e) {
            m.machine = self.machines.place(name, &e.src_ip).map(|p| (p, weight));
        }
        if self.key.set(self.source, e, named.map(|n| &*n.canonical)) {
            m.limit = self.limit(e.verb);
            m.slot = Some(self.slot() as u32);
        }
        m
    }

    /// Rows of known parties, with a time.
    fn run(
        &mut self,
        batch: &EventBatch,
        rows: &Rows<'_>,
        words: &Words,
        numbers: &[u32],
        range: Range<usize>,
    ) {
        // All at once: what was seen lately lies far apart in memory, and many may be looked for at a time.
        self.fresh.clear();
        for i in range.clone() {
            let known = self.members[numbers[i] as usize].as_ref();
            let fresh = known
                .filter(|m| m.slot.is_some())
                .is_some_and(|m| self.seen.insert(words.row_hash(m.hash, i)));
            self.fresh.push(fresh);
        }
        for (at, (fresh, i)) in self.fresh.iter().zip(range.clone()).enumerate() {
            if at % FETCHED == 0 {
                self.fetch(&numbers[i..range.end.min(i + FETCHED)]);
            }
            let Some(m) = &mut self.members[numbers[i] as usize] else {
                continue;
            };
            let time = rows.times[i];
            match m.ticket {
                Ticket::None => {}
                Ticket::Each => self.partial.tickets.take(&batch.get(i), m.named.as_deref()),
                Ticket::Used(machine, who) => self.partial.tickets.add_used(machine, who, time),
            }
            if let Some((place, weight)) = m.machine {
                self.machines.add(place, weight);
            }
            let Some(slot) = m.slot else {
                continue;
            };
            let Partial { texts, slots, .. } = &mut self.partial;
            let list = &mut slots[slot as usize].list;
            let at = place(list, time, m.limit, texts, &mut self.serials);
            let f = &mut list[at];
            f.counts.events += 1;
            if !fresh {
                continue;
            }
            if m.noted == f.serial {
                // All else was said by the row before.
                let account = m
                    .account
                    .and_then(|at| f.traits.accounts.iter_mut().nth(at as usize));
                if let Some(a) = account {
                    a.rows = a.rows.saturating_add(1);
                }
            } else {
                m.account = f.note(texts, &batch.get(i), m.named.as_deref());
                m.noted = f.serial;
            }
            let row = rows.at(i, words);
            let hour = self.hour.of(time, &self.zone);
            f.add(texts, &row, words.row_hash(m.hash, i), Some(hour));
        }
    }

    /// Has a look at the stretches that rows of these parties go on with: each lies at the end of a chain of places far apart, and
    /// many chains are gone along at a time.
    fn fetch(&self, numbers: &[u32]) {
        let seen = numbers.iter().fold(0, |seen, n| {
            let slot = self.members[*n as usize].as_ref().and_then(|m| m.slot);
            let last = slot.and_then(|s| self.partial.slots[s as usize].list.last());
            seen ^ last.map_or(0, Fragment::seen)
        });
        std::hint::black_box(seen);
    }

    /// The next row of the file.
    pub fn take(&mut self, e: &Event<'_>) {
        let named = self.accounts.of(e);
        let named = named.as_deref();
        self.learn(e, named);
        if !self.key.set(self.source, e, named.map(|n| &*n.canonical)) {
            return;
        }
        let hash = row_hash(e);
        let fresh = self.seen.insert(hash);
        let at = self.slot();
        let limit = self.limit(e.verb);
        let Partial { texts, slots, .. } = &mut self.partial;
        let slot = &mut slots[at];
        let serials = &mut self.serials;
        let (f, hour) = if e.time == NO_TIME {
            let f = slot
                .untimed
                .get_or_insert_with(|| Box::new(Fragment::begun(NO_TIME, serials)));
            (&mut **f, None)
        } else {
            let at = place(&mut slot.list, e.time, limit, texts, serials);
            let hour = self.hour.of(e.time, &self.zone);
            (&mut slot.list[at], Some(hour))
        };
        f.counts.events += 1;
        if fresh {
            f.note(texts, e, named);
            f.add(texts, &Row::of(e), hash, hour);
        }
    }

    /// The longest silence inside a session of the key at hand.
    fn limit(&self, verb: Verb) -> Nanos {
        let nameless = self.key.kind == SessionKey::Inactivity && self.key.account.is_empty();
        match nameless && !matches!(verb, Verb::Flow | Verb::Lease) {
            true => PAUSE,
            false => INACTIVITY,
        }
    }

    /// The slot of the key at hand.
    fn slot(&mut self) -> usize {
        let Partial { texts, slots, .. } = &mut self.partial;
        let hash = self.key.hash();
        let known = self
            .table
            .find(hash, |i| slots[i as usize].key.is(&self.key, texts));
        if let Some(i) = known {
            return i as usize;
        }
        let key = Keyed::put(&self.key, texts);
        self.table.insert(hash, slots.len() as u32);
        slots.push(Slot {
            key,
            hash,
            list: vec![],
            untimed: None,
        });
        slots.len() - 1
    }

    /// What rows say about names, machines and lives, whatever session they are in.
    fn learn(&mut self, e: &Event<'_>, named: Option<&Named>) {
        if matches!(e.code, 4624 | 4769) {
            self.partial.tickets.take(e, named);
        }
        self.learn_name(e, named);
        if let Some((name, weight)) = named_machine(e) {
            self.machine(name, &e.src_ip, weight);
        }
        match e.verb {
            Verb::Restart if e.time != NO_TIME => {
                self.partial
                    .restarts
                    .entry(machine(&e.host))
                    .or_default()
                    .insert(e.time);
            }
            Verb::Lease => {
                for name in [&e.device, &e.user_name] {
                    self.machine(name, &e.inner_ip, 4);
                }
            }
            _ => {}
        }
    }

    fn learn_name(&mut self, e: &Event<'_>, named: Option<&Named>) {
        let p = &mut self.partial;
        if personal(&e.user_id)
            && p.names.len() < FACTS
            && let Some(a) = named.map(|n| &n.account).filter(|a| a.name != e.user_id)
        {
            match p.names.get_mut(&*e.user_id) {
                Some(s) if s.len() < NAMES && !s.contains(a) => {
                    s.insert(a.clone());
                }
                Some(_) => {}
                None => {
                    p.names
                        .insert(e.user_id.to_string(), BTreeSet::from([a.clone()]));
                }
            }
        }
    }

    fn machine(&mut self, name: &str, address: &str, weight: u64) {
        if let Some(place) = self.machines.place(name, address) {
            self.machines.add(place, weight);
        }
    }

    pub fn finish(mut self) -> Partial {
        self.partial.settle();
        self.partial.machines = self.machines.counted();
        self.partial
    }

    /// What [`FileIntake::finish`] would give if the file ended here.
    pub fn so_far(&self) -> Partial {
        let mut p = self.partial.clone();
        p.settle();
        p.machines = self.machines.clone().counted();
        p
    }

    /// Drops the stretches that ended before this instant: a stream that never ends keeps what is recent.
    pub fn forget(&mut self, before: Nanos) {
        let p = &mut self.partial;
        let had = p.slots.len();
        p.slots.retain_mut(|s| {
            s.list.retain(|f| f.to >= before);
            !s.list.is_empty() || s.untimed.is_some()
        });
        if p.slots.len() == had {
            return;
        }
        // What is left, in texts of its own.
        let old = std::mem::take(&mut p.texts);
        let mut map = Renumbering::new(&old);
        let mut table = Table::default();
        for (i, s) in p.slots.iter_mut().enumerate() {
            s.renumber(&mut |t| map.of(t, &mut p.texts));
            table.insert(s.hash, i as u32);
        }
        self.table = table;
        // They name slots by their old places.
        self.members.fill_with(|| None);
    }
}

impl Partial {
    fn settle(&mut self) {
        for s in &mut self.slots {
            s.list.shrink_to_fit();
            for f in s.list.iter_mut().chain(s.untimed.as_deref_mut()) {
                f.traits.settle();
            }
        }
    }
}

impl Slot {
    pub fn renumber(&mut self, to: &mut dyn FnMut(TextId) -> TextId) {
        self.key.renumber(to);
        for f in self.list.iter_mut().chain(self.untimed.as_deref_mut()) {
            f.traits.renumber(to);
        }
    }
}

/// From the numbers of some texts to those they get elsewhere, as far as they are asked for.
pub(crate) struct Renumbering<'t> {
    from: &'t Texts,
    known: Vec<TextId>,
}

impl<'t> Renumbering<'t> {
    pub fn new(from: &'t Texts) -> Renumbering<'t> {
        Renumbering {
            from,
            known: vec![TextId::MAX; from.len()],
        }
    }
    pub fn of(&mut self, id: TextId, to: &mut Texts) -> TextId {
        let new = &mut self.known[id as usize];
        if *new == TextId::MAX {
            *new = to.put(self.from.get(id));
        }
        *new
    }
}

/// The machine a logon names beside its address, and how much that weighs: a machine account is sure of its own.
fn named_machine<'e>(e: &'e Event<'_>) -> Option<(&'e str, u64)> {
    if e.verb != Verb::Login {
        return None;
    }
    let name = match e.user.ends_with('$') {
        true => e.user.trim_end_matches('$'),
        false => "",
    };
    if !name.is_empty() {
        Some((name, 16))
    } else if e.logon_type != 10 && machine(&e.device) != machine(&e.host) {
        Some((&e.device, 1))
    } else {
        None
    }
}

/// First label of a host name in lower case: `FS-RH01.ch.example` and `fs-rh01` are one machine. Empty for an address or a placeholder.
pub fn machine(host: &str) -> String {
    let h = host.trim().trim_start_matches('\\');
    if h.parse::<std::net::IpAddr>().is_ok() || is_placeholder(h) {
        return String::new();
    }
    clip(h.split('.').next().unwrap_or(h), 64).to_lowercase()
}

/// The fragment of `list` that `time` falls into, joined with its neighbours when it bridges them.
fn place(
    list: &mut Vec<Fragment>,
    time: Nanos,
    limit: Nanos,
    texts: &Texts,
    serials: &mut u32,
) -> usize {
    // Most rows go on with what came last.
    if let [before @ .., last] = &mut list[..]
        && last.from <= time
        && time <= last.to.saturating_add(limit)
        && (before.last()).is_none_or(|b| last.from.saturating_sub(b.to) > limit)
    {
        last.to = last.to.max(time);
        return list.len() - 1;
    }
    let i = list.partition_point(|f| f.from.saturating_sub(limit) <= time);
    // Fragments 0..i begin no later than `time` + limit.
    if i > 0 && time <= list[i - 1].to.saturating_add(limit) {
        let f = &mut list[i - 1];
        f.from = f.from.min(time);
        f.to = f.to.max(time);
        // The row may have bridged two fragments.
        if i >= 2 && list[i - 1].from.saturating_sub(list[i - 2].to) <= limit {
            let b = list.remove(i - 1);
            list[i - 2].join(b, texts);
            return i - 2;
        }
        if i < list.len() && list[i].from.saturating_sub(list[i - 1].to) <= limit {
            let b = list.remove(i);
            list[i - 1].join(b, texts);
        }
        return i - 1;
    }
    if list.len() < 4 {
        list.reserve_exact(1);
    }
    list.insert(i, Fragment::begun(time, serials));
    i
}

impl Fragment {
    pub(crate) fn new(time: Nanos) -> Fragment {
        Fragment {
            from: time,
            to: time,
            fingerprint: 0,
            opened: false,
            closed: false,
            serial: 0,
            counts: Tally::default(),
            traits: Traits {
                began: time,
                ..Traits::default()
            },
        }
    }
    fn begun(time: Nanos, serials: &mut u32) -> Fragment {
        *serials += 1;
        Fragment {
            serial: *serials,
            ..Fragment::new(time)
        }
    }

    /// Something of all that a further row changes.
    fn seen(&self) -> u64 {
        self.counts.events ^ self.to as u64 ^ self.traits.seen()
    }

    /// Takes over another stretch of the same session.
    pub(crate) fn join(&mut self, o: Fragment, texts: &Texts) {
        self.from = self.from.min(o.from);
        self.to = self.to.max(o.to);
        self.fingerprint = self.fingerprint.wrapping_add(o.fingerprint);
        self.opened |= o.opened;
        self.closed |= o.closed;
        self.counts.join(&o.counts);
        self.traits.join(o.traits, texts);
    }

    /// What a row has in common with all of its party. Saying it again changes nothing but the rows of the account, whose place is
    /// given back.
    fn note(&mut self, texts: &mut Texts, e: &Event<'_>, named: Option<&Named>) -> Option<u32> {
        let f = &mut self.traits;
        let borrowed = used_by(e).map(|(account, _)| Named {
            canonical: canonical(&account),
            account,
        });
        if let (Some(_), Some(n)) = (&borrowed, named)
            && f.targets.len() < TOKENS
            && e.time != NO_TIME
        {
            f.target(texts.put(&n.canonical), e.time);
        }
        let mut account = None;
        if let Some(n) = borrowed.as_ref().or(named) {
            let many = f.accounts.len();
            let mut known = f.accounts.iter_mut().enumerate();
            match known.find(|(_, a)| texts.get(a.canonical) == n.canonical) {
                Some((at, a)) => {
                    a.rows = a.rows.saturating_add(1);
                    let (system, name) = (n.account.system, n.account.name.as_str());
                    if (system, name) < (a.system, texts.get(a.name)) {
                        (a.system, a.name) = (system, texts.put(name));
                    }
                    account = Some(at as u32);
                }
                None if many < TOKENS => {
                    account = Some(many as u32);
                    drop(known);
                    f.accounts.push(Spelled {
                        canonical: texts.put(&n.canonical),
                        system: n.account.system,
                        name: texts.put(&n.account.name),
                        rows: 1,
                    });
                }
                None => {}
            }
        }
        let mut note = |list, text| f.noted.note(texts, list, text);
        note(List::UserIds, clip(&e.user_id, 256));
        if !is_placeholder(&e.src_ip) {
            note(List::Addresses, clip(&e.src_ip, 64));
        }
        note(List::Inner, clip(&e.inner_ip, 64));
        note(List::Countries, clip(&e.src_country, 64));
        if !is_placeholder(&e.device) {
            note(List::Devices, clip(&e.device, 256));
        }
        note(List::Hosts, clip(&e.host, 256));
        if !is_placeholder(&e.process) {
            note(List::Programs, clip(&e.process, 128));
        }
        note(List::Destinations, clip(&e.dst_ip, 64));
        note(List::Places, clip(&e.share, 256));
        note(List::Tokens, clip(&e.token, 256));
        if e.logon_type != NONE && e.logon_type < 32 {
            f.logon_types |= 1 << e.logon_type;
        }
        account
    }

    /// What a row says of itself.
    fn add(&mut self, texts: &mut Texts, e: &Row<'_>, hash: u64, hour: Option<usize>) {
        self.fingerprint = self.fingerprint.wrapping_add(hash | 1);
        let c = &mut self.counts;
        let f = &mut self.traits;
        let failed = e.outcome == Outcome::Failure;
        match e.verb {
            Verb::Login if failed => c.count(FAILURES),
            Verb::Login => c.count(LOGINS),
            Verb::Request => c.count(REQUESTS),
            Verb::Read => c.count(READS),
            Verb::Search => c.count(SEARCHES),
            Verb::Export => c.count(EXPORTS),
            Verb::FileRead => c.count(FILES),
            Verb::Query => c.count(QUERIES),
            v if v.writes() => c.count(WRITES),
            _ => {}
        }
        self.opened |= matches!(e.verb, Verb::TunnelUp | Verb::Connect | Verb::ShareConnect)
            || (e.verb == Verb::Login && !failed);
        self.closed |= matches!(e.verb, Verb::TunnelDown | Verb::Logout | Verb::Disconnect);
        let (inward, outward) = (
            if e.bytes_in == NONE { 0 } else { e.bytes_in },
            if e.bytes_out == NONE { 0 } else { e.bytes_out },
        );
        match e.verb {
            Verb::TunnelUp | Verb::TunnelDown | Verb::TunnelStats => {
                f.total_in = f.total_in.max(inward);
                f.total_out = f.total_out.max(outward);
            }
            Verb::Flow => {
                c.bytes_in = c.bytes_in.saturating_add(inward);
                c.bytes_out = c.bytes_out.saturating_add(outward);
            }
            _ => {
                // The answer of a server is what went towards the user.
                c.bytes_in = c.bytes_in.saturating_add(outward);
                c.bytes_out = c.bytes_out.saturating_add(inward);
            }
        }
        if e.time != NO_TIME {
            let long = if e.verb == Verb::Flow && e.duration_ms != NONE {
                i64::try_from(e.duration_ms.saturating_mul(1_000_000)).unwrap_or(i64::MAX)
            } else {
                0
            };
            f.began = f.began.min(e.time.saturating_sub(long.min(48 * HOUR)));
        }
        if let Some(h) = hour {
            f.hour(h);
        }
        if !e.request_id.is_empty() {
            f.requests.add(e.hash(REQUEST_ID), TOKENS);
        }
        if !e.target.is_empty() && f.targets.len() < TOKENS && e.time != NO_TIME {
            let a = Account::parse(e.target);
            let k = if a.system == System::Unknown {
                format!("ad:{}", a.bare())
            } else {
                canonical(&a)
            };
            f.target(texts.put(&k), e.time);
        }
        if e.subjects.contains('\n') {
            for s in e.subjects.split('\n').filter(|s| !s.is_empty()) {
                f.subjects.add(text_hash(s), SKETCH);
            }
        } else if !e.subjects.is_empty() {
            f.subjects.add(e.hash(SUBJECTS), SKETCH);
        }
        if e.verb.may_show() || e.verb.writes() {
            let object = [FILE_PATH, URL, QUERY, OBJECT]
                .into_iter()
                .find(|c| !e.text(*c).is_empty());
            if let Some(column) = object {
                f.objects.add(e.hash(column), SKETCH);
            }
            if e.verb == Verb::FileRead && !e.file_path.is_empty() {
                f.files.add(e.hash(FILE_PATH), SKETCH);
            }
            if e.time != NO_TIME && f.may_ask(e.time) {
                let asked = Asked::new(e.time, &ask_of(e), texts);
                f.ask(texts, asked);
            }
        }
        if e.verb == Verb::Flow {
            f.ports |= match e.dst_port {
                3389 => 1,
                445 | 139 => 2,
                22 => 4,
                80 | 443 | 8080 | 8443 => 8,
                1433 | 1521 | 3306 | 5432 => 16,
                _ => 32,
            };
        }
        match e.verb {
            Verb::BreakGlass => f.break_glass = f.break_glass.saturating_add(1),
            Verb::AuditOff | Verb::AuditClear => f.tampering = f.tampering.saturating_add(1),
            Verb::Config if e.outcome != Outcome::Failure => f.set = true,
            _ => {}
        }
    }
}

pub(crate) fn text_hash(s: &str) -> u64 {
    parties::word(s.as_bytes())
}

/// A row without what its party has in common.
struct Row<'a> {
    time: Nanos,
    verb: Verb,
    outcome: Outcome,
    bytes_in: u64,
    bytes_out: u64,
    duration_ms: u64,
    dst_port: u64,
    request_id: &'a str,
    url: &'a str,
    query: &'a str,
    file_path: &'a str,
    object: &'a str,
    subjects: &'a str,
    target: &'a str,
    /// Where the hashes of its texts are known.
    words: Option<(&'a Words, usize)>,
}

impl<'a> Row<'a> {
    fn of(e: &'a Event<'_>) -> Row<'a> {
        Row {
            time: e.time,
            verb: e.verb,
            outcome: e.outcome,
            bytes_in: e.bytes_in,
            bytes_out: e.bytes_out,
            duration_ms: e.duration_ms,
            dst_port: e.dst_port,
            request_id: &e.request_id,
            url: &e.url,
            query: &e.query,
            file_path: &e.file_path,
            object: &e.object,
            subjects: &e.subjects,
            target: &e.target,
            words: None,
        }
    }
    /// The text of one of the [`HASHED`] columns that a row has here.
    fn text(&self, column: usize) -> &'a str {
        match column {
            REQUEST_ID => self.request_id,
            URL => self.url,
            QUERY => self.query,
            FILE_PATH => self.file_path,
            OBJECT => self.object,
            SUBJECTS => self.subjects,
            _ => "",
        }
    }
    /// Hash of such a text.
    fn hash(&self, column: usize) -> u64 {
        let known = self
            .words
            .and_then(|(w, i)| w.texts[column].get(i).copied());
        known.unwrap_or_else(|| text_hash(self.text(column)))
    }
}

/// Columns of a batch, as far as rows of known parties are read from them.
struct Rows<'b> {
    times: &'b [Nanos],
    verbs: &'b [u8],
    outcomes: &'b [u8],
    numbers: [Option<&'b [u64]>; 4],
    /// Those of [`Row`], in its order; `None` where no row has a text.
    texts: [Option<&'b TextColumn>; 7],
}

impl<'b> Rows<'b> {
    fn of(batch: &'b EventBatch) -> Rows<'b> {
        let texts = [REQUEST_ID, URL, QUERY, FILE_PATH, OBJECT, SUBJECTS, TARGET];
        Rows {
            times: batch.times(),
            verbs: batch.verbs(),
            outcomes: match batch.column("outcome") {
                Some(Column::Codes(codes)) => codes,
                _ => &[],
            },
            numbers: ["bytes_in", "bytes_out", "duration_ms", "dst_port"]
                .map(|name| numbers(batch, name)),
            texts: texts.map(|c| batch.text(HASHED[c]).filter(|c| !c.is_blank())),
        }
    }
    fn at<'a>(&self, i: usize, words: &'a Words) -> Row<'a>
    where
        'b: 'a,
    {
        let [request_id, url, query, file_path, object, subjects, target] =
            self.texts.map(|c| c.map_or("", |c| c.get(i)));
        let [bytes_in, bytes_out, duration_ms, dst_port] =
            self.numbers.map(|n| n.map_or(NONE, |n| n[i]));
        Row {
            time: self.times[i],
            verb: Verb::from_code(self.verbs[i]),
            outcome: Outcome::from_code(self.outcomes[i]),
            bytes_in,
            bytes_out,
            duration_ms,
            dst_port,
            request_id,
            url,
            query,
            file_path,
            object,
            subjects,
            target,
            words: Some((words, i)),
        }
    }
}

/// A column of numbers; `None` where no row has one.
fn numbers<'b>(batch: &'b EventBatch, name: &str) -> Option<&'b [u64]> {
    match batch.column(name) {
        Some(Column::Numbers(n)) => Some(n),
        _ => None,
    }
}

/// Columns of text that make up the hash of a row, in its order.
const HASHED: [&str; 20] = [
    "action",
    "user",
    "user_id",
    "src_ip",
    "dst_ip",
    "inner_ip",
    "forwarded",
    "session_id",
    "request_id",
    "token",
    "device",
    "host",
    "url",
    "query",
    "file_path",
    "share",
    "object",
    "subjects",
    "changes",
    "target",
];
const REQUEST_ID: usize = 8;
const URL: usize = 12;
const QUERY: usize = 13;
const FILE_PATH: usize = 14;
const OBJECT: usize = 16;
const SUBJECTS: usize = 17;
const TARGET: usize = 19;
/// Those of them that rows of one party do not have in common.
const OWN: [usize; 10] = [
    0, 7, REQUEST_ID, URL, QUERY, FILE_PATH, OBJECT, SUBJECTS, 18, TARGET,
];
/// Columns of numbers behind them.
const COUNTED: [&str; 11] = [
    "seq",
    "code",
    "bytes_in",
    "bytes_out",
    "status",
    "src_port",
    "dst_port",
    "duration_ms",
    "count",
    "mask",
    "pid",
];

/// The hash of a row is a sum of its words, each times a power of [`FACTOR`]: what a whole batch or party has in common is added once.
/// It is what [`FxHasher`] makes of the same words in this order.
const FACTOR: u64 = 0xf135_7aea_2e62_a9c5;
/// By how much that hasher turns its sum in the end.
const TURN: u32 = 26;
/// Time, verb and outcome; the texts with a mark behind each; the numbers.
const WORDS: usize = 3 + 2 * HASHED.len() + COUNTED.len();

/// Weight of the word at a place.
const WEIGHTS: [u64; WORDS] = {
    let mut w = [FACTOR; WORDS];
    let mut i = WORDS - 1;
    while i > 0 {
        i -= 1;
        w[i] = w[i + 1].wrapping_mul(FACTOR);
    }
    w
};

/// Weight of a text whose hash has the factor once already.
const fn text_weight(column: usize) -> u64 {
    WEIGHTS[3 + 2 * column + 1]
}
const fn number_weight(column: usize) -> u64 {
    WEIGHTS[3 + 2 * HASHED.len() + column]
}

/// A text in the sum, without its weight.
fn part(hash: u64) -> u64 {
    hash.rotate_right(TURN)
}

/// Verb, outcome and the texts of a row that its party has in common, and the marks behind all texts: a part of the sum.
fn common_hash(e: &Event<'_>) -> u64 {
    let mut sum = (e.verb as u64).wrapping_mul(WEIGHTS[1]);
    sum = sum.wrapping_add((e.outcome as u64).wrapping_mul(WEIGHTS[2]));
    for (c, text) in texts_of(e).into_iter().enumerate() {
        sum = sum.wrapping_add(0xff_u64.wrapping_mul(WEIGHTS[3 + 2 * c + 1]));
        if !OWN.contains(&c) {
            sum = sum.wrapping_add(part(text_hash(text)).wrapping_mul(text_weight(c)));
        }
    }
    sum
}

fn texts_of<'a>(e: &'a Event<'_>) -> [&'a str; HASHED.len()] {
    [
        &e.action,
        &e.user,
        &e.user_id,
        &e.src_ip,
        &e.dst_ip,
        &e.inner_ip,
        &e.forwarded,
        &e.session_id,
        &e.request_id,
        &e.token,
        &e.device,
        &e.host,
        &e.url,
        &e.query,
        &e.file_path,
        &e.share,
        &e.object,
        &e.subjects,
        &e.changes,
        &e.target,
    ]
}

/// Hash of what a row says, without its place: equal for a line delivered twice.
fn row_hash(e: &Event<'_>) -> u64 {
    let mut sum = common_hash(e).wrapping_add((e.time as u64).wrapping_mul(WEIGHTS[0]));
    let texts = texts_of(e);
    for c in OWN {
        sum = sum.wrapping_add(part(text_hash(texts[c])).wrapping_mul(text_weight(c)));
    }
    let counted = [
        e.seq,
        e.code,
        e.bytes_in,
        e.bytes_out,
        e.status,
        e.src_port,
        e.dst_port,
        e.duration_ms,
        e.count,
        e.mask,
        e.pid,
    ];
    for (c, n) in counted.into_iter().enumerate() {
        sum = sum.wrapping_add(n.wrapping_mul(number_weight(c)));
    }
    sum.rotate_left(TURN)
}

/// Hashes of the texts of a batch, and of its rows as far as they are no party's.
#[derive(Default)]
struct Words {
    /// Of [`HASHED`], one for each row, or none where no row has a text.
    texts: [Vec<u64>; HASHED.len()],
    sums: Vec<u64>,
}

impl Words {
    fn read(&mut self, batch: &EventBatch) {
        let mut same = 0u64;
        self.sums.clear();
        let times = batch.times().iter();
        (self.sums).extend(times.map(|t| (*t as u64).wrapping_mul(WEIGHTS[0])));
        for c in OWN {
            let words = &mut self.texts[c];
            words.clear();
            let weight = text_weight(c);
            let Some((text, ends)) = parties::texts(batch, HASHED[c]) else {
                same = same.wrapping_add(part(text_hash("")).wrapping_mul(weight));
                continue;
            };
            let texts = ends
                .windows(2)
                .map(|e| parties::word(&text[e[0] as usize..e[1] as usize]));
            words.extend(texts);
            for (sum, word) in self.sums.iter_mut().zip(words) {
                *sum = sum.wrapping_add(part(*word).wrapping_mul(weight));
            }
        }
        for (c, name) in COUNTED.iter().enumerate() {
            let weight = number_weight(c);
            match numbers(batch, name) {
                None => same = same.wrapping_add(NONE.wrapping_mul(weight)),
                Some(numbers) => {
                    for (sum, n) in self.sums.iter_mut().zip(numbers) {
                        *sum = sum.wrapping_add(n.wrapping_mul(weight));
                    }
                }
            }
        }
        self.sums.iter_mut().for_each(|s| *s = s.wrapping_add(same));
    }
    /// What [`row_hash`] gives for a row of a party with this part of it.
    fn row_hash(&self, common: u64, i: usize) -> u64 {
        self.sums[i].wrapping_add(common).rotate_left(TURN)
    }
}

/// Remembers the last rows of a file in bounded memory, to see a line delivered twice near its first place.
#[derive(Default)]
struct Recent {
    now: Seen,
    before: Seen,
}

impl Recent {
    const KEPT: usize = 1 << 17;

    /// True when the row was not seen lately.
    fn insert(&mut self, h: u64) -> bool {
        if self.before.has(h) || !self.now.insert(h) {
            return false;
        }
        if self.now.count >= Self::KEPT {
            std::mem::swap(&mut self.now, &mut self.before);
            self.now.clear(self.before.places.len());
        }
        true
    }
}

/// A set of hashes, each at the first free place from the one its lowest bits say on; at most half of the places are taken.
#[derive(Default)]
struct Seen {
    /// As many as a power of two says; 0 is none.
    places: Vec<u64>,
    count: usize,
    zero: bool,
}

impl Seen {
    /// The place of a hash, or of none.
    #[inline]
    fn find(&self, h: u64) -> usize {
        let mask = self.places.len() - 1;
        let mut at = h as usize & mask;
        while self.places[at] != h && self.places[at] != 0 {
            at = (at + 1) & mask;
        }
        at
    }
    #[inline]
    fn has(&self, h: u64) -> bool {
        match h {
            0 => self.zero,
            h => !self.places.is_empty() && self.places[self.find(h)] == h,
        }
    }
    /// True when it was not there.
    #[inline]
    fn insert(&mut self, h: u64) -> bool {
        if h == 0 {
            self.count += usize::from(!self.zero);
            return !std::mem::replace(&mut self.zero, true);
        }
        if self.places.len() < 2 * (self.count + 1) {
            self.grow();
        }
        let at = self.find(h);
        if self.places[at] == h {
            return false;
        }
        self.places[at] = h;
        self.count += 1;
        true
    }
    #[cold]
    fn grow(&mut self) {
        let size = (4 * self.places.len()).max(256);
        for h in std::mem::replace(&mut self.places, vec![0; size]) {
            if h != 0 {
                let at = self.find(h);
                self.places[at] = h;
            }
        }
    }
    /// Empties it, with room as it says.
    fn clear(&mut self, places: usize) {
        self.places.clear();
        self.places.resize(places, 0);
        (self.count, self.zero) = (0, false);
    }
}

/// Hour of the local week, 0 = Monday 00:00; remembers the last hour because zone arithmetic costs more than the rest of a row.
#[derive(Default)]
pub(crate) struct HourOfWeek {
    last: Option<(i64, usize)>,
}
impl HourOfWeek {
    pub(crate) fn of(&mut self, t: Nanos, zone: &jiff::tz::TimeZone) -> usize {
        // Zones differ by whole quarters of an hour.
        let quarter = t.div_euclid(HOUR / 4);
        if let Some((q, h)) = self.last
            && q == quarter
        {
            return h;
        }
        let h = local(t, zone).map_or(0, |z| {
            z.weekday().to_monday_zero_offset() as usize * 24 + z.hour() as usize
        });
        self.last = Some((quarter, h));
        h
    }
}

/// The civil time of an instant.
pub(crate) fn local(t: Nanos, zone: &jiff::tz::TimeZone) -> Option<jiff::civil::DateTime> {
    jiff::Timestamp::from_nanosecond(i128::from(t))
        .ok()
        .map(|ts| zone.to_datetime(ts))
}

fn lower_clip(s: &str) -> String {
    clip(s, 24).to_lowercase()
}

/// What a row asks for, read from its criteria, statement or path. Only the shape matters here; replaying is another floor's work.
fn ask_of(e: &Row<'_>) -> Ask {
    let mut a = Ask::default();
    let criteria = if !e.query.is_empty() {
        e.query
    } else {
        // Most have none.
        let asks = e.url.bytes().fold(false, |asks, b| asks | (b == b'?'));
        let query = asks.then(|| e.url.split_once('?')).flatten();
        query.map_or("", |(_, q)| q)
    };
    if criteria.is_empty() && e.verb != Verb::Query {
        let path = if e.url.is_empty() { e.object } else { e.url };
        a.number = last_number(clip(path, 512));
        a.exact = a.number.is_some() && e.verb != Verb::FileRead;
        return a;
    }
    let head = clip(criteria, 2048);
    let sql = e.verb == Verb::Query
        || head
            .get(..6)
            .is_some_and(|s| s.eq_ignore_ascii_case("select"));
    if sql {
        let low = head.to_lowercase();
        a.range = low.contains(" between ") || low.contains("offset ") || compares(&low);
        let names_one = |lit: &str| {
            let digits = lit.bytes().filter(u8::is_ascii_digit).count();
            lit.len() >= 6 && digits * 2 > lit.len()
        };
        let parts: Vec<&str> = low.split('\'').collect();
        if let Some(lit) = parts.get(1) {
            a.prefix = lit.ends_with('%') || low.contains(" like ");
            a.stem = lower_clip(lit.trim_end_matches('%'));
            // The ends of a range are numbers too: beside one only what a column equals names one person.
            let equals = |before: &str| {
                let before = before.trim_end().as_bytes();
                before.ends_with(b"=") && !matches!(before, [.., b'<' | b'>' | b'!', b'='])
            };
            a.exact = !a.prefix
                && if a.range {
                    let mut pairs = parts.chunks_exact(2);
                    pairs.any(|p| equals(p[0]) && names_one(p[1]) && !p[1].contains('-'))
                } else {
                    names_one(lit)
                };
        }
        a.number = last_number(&low);
        return a;
    }
    let mut birth = false;
    for pair in head.split('&') {
        let Some((k, v)) = pair.split_once('=') else {
            continue;
        };
        let k = k.split(':').next().unwrap_or(k).to_ascii_lowercase();
        let v = v.trim();
        match k.as_str() {
            "family" | "name" | "nom" | "lastname" | "surname" | "q" | "search" | "given"
                if a.stem.is_empty() =>
            {
                a.stem = lower_clip(v.trim_end_matches(['*', '%']));
                a.prefix = v.ends_with(['*', '%']) || v.chars().count() <= 4;
            }
            "birthdate" | "dob" | "naissance" | "date" => {
                if v.starts_with("ge")
                    || v.starts_with("le")
                    || v.starts_with("gt")
                    || v.starts_with("lt")
                    || v.len() < 10
                {
                    a.range = true;
                } else {
                    birth = true;
                }
            }
            "identifier" | "ins" | "nir" | "ipp" | "_id" | "patient" | "subject" => {
                a.exact = true;
                a.number = last_number(v);
            }
            _ => {}
        }
    }
    a.exact |= birth && !a.stem.is_empty();
    a
}

/// True when a statement compares by greater or less, outside of its texts; `<>`, `->`, `@>` and the like are other operators.
fn compares(sql: &str) -> bool {
    let outside = sql.split('\'').step_by(2);
    let signs = |c: char| "<>=!-@#&|?".contains(c);
    outside
        .flat_map(|part| part.split(|c: char| !signs(c)))
        .any(|operator| matches!(operator, "<" | ">" | "<=" | ">="))
}

fn last_number(s: &str) -> Option<u64> {
    let digits = |bytes: &[u8], wanted: bool| {
        let at = |b: &u8| b.is_ascii_digit() != wanted;
        bytes.iter().rposition(at).map_or(0, |i| i + 1)
    };
    let mut bytes = s.as_bytes();
    loop {
        let end = digits(bytes, false);
        let from = digits(&bytes[..end], true);
        match end - from {
            0 => return None,
            // So many always fit.
            1..=15 => {
                let number = bytes[from..end].iter();
                return Some(number.fold(0, |n, d| n * 10 + u64::from(d - b'0')));
            }
            _ => bytes = &bytes[..from],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustc_hash::FxHasher;
    use std::{borrow::Cow, hash::Hasher};

    /// Everything a file contributes, with its texts spelled out, in an order of its own.
    fn spelled_out(p: &Partial) -> Vec<String> {
        let text = |id: TextId| p.texts.get(id);
        let fragment = |f: &Fragment| {
            let t = &f.traits;
            let mut accounts: Vec<_> = (t.accounts.iter())
                .map(|a| (text(a.canonical), a.system, text(a.name), a.rows))
                .collect();
            accounts.sort_unstable();
            let noted: Vec<Vec<&str>> = crate::features::LISTS
                .map(|l| t.noted.sorted(&p.texts, l).into_iter().map(text).collect())
                .into();
            let mut targets: Vec<_> = t.targets.iter().map(|t| (text(t.0), t.1)).collect();
            targets.sort_unstable();
            let asks: Vec<_> = (t.asks.iter())
                .map(|a| (a.at(), a.rank(&p.texts)))
                .collect();
            let plain = (f.from, f.to, f.fingerprint, f.opened, f.closed, &f.counts);
            let sketches = (&t.requests, &t.subjects, &t.objects, &t.files);
            let rest = (
                t.hours,
                t.logon_types,
                t.ports,
                t.began,
                t.break_glass,
                t.tampering,
                t.set,
            );
            format!(
                "{plain:?} {accounts:?} {noted:?} {targets:?} {sketches:?} {asks:?} {rest:?} {} {}",
                t.total_in, t.total_out
            )
        };
        let slots = p.slots.iter().map(|s| {
            let fragments: Vec<String> = s.list.iter().map(fragment).collect();
            let untimed = s.untimed.as_deref().map(fragment);
            let key = (s.key.kind, s.key.texts(&p.texts), s.hash);
            format!("{key:?} {fragments:?} {untimed:?}")
        });
        let mut out: Vec<String> = slots.collect();
        out.push(format!("{:?} {:?} {:?}", p.names, p.restarts, p.machines));
        out.push(format!("{:?}", p.tickets));
        out
    }

    /// Rows of few people, places and pages, made from numbers: anything may meet anything.
    fn made(seed: &[u64]) -> Event<'static> {
        let pick = |at: usize, from: &[&'static str]| -> Cow<'static, str> {
            Cow::Borrowed(from[seed[at] as usize % from.len()])
        };
        let number = |at: usize, from: &[u64]| from[seed[at] as usize % from.len()];
        let verbs = [
            Verb::Request,
            Verb::Request,
            Verb::Read,
            Verb::Login,
            Verb::Login,
            Verb::Flow,
            Verb::Lease,
            Verb::Restart,
            Verb::TunnelUp,
            Verb::TunnelDown,
            Verb::Query,
            Verb::FileRead,
            Verb::Token,
            Verb::Update,
            Verb::BreakGlass,
            Verb::AuditClear,
            Verb::Other,
        ];
        let systems = [
            System::Web,
            System::Ad,
            System::Vpn,
            System::Db,
            System::Smb,
            System::Oidc,
            System::Unknown,
        ];
        Event {
            time: match seed[0] % 40 {
                0 => NO_TIME,
                1 => 7_000_000_000_000,
                n => (seed[1] % 50_000 * n) as i64 * 1_000_000_000,
            },
            verb: verbs[seed[2] as usize % verbs.len()],
            outcome: [Outcome::Success, Outcome::Failure, Outcome::Unknown][seed[3] as usize % 3],
            system: systems[seed[4] as usize % systems.len()],
            user: pick(5, &["", "", "u1", "U1", "CHX\\u1", "-", "PC-7$", "u2"]),
            domain: pick(6, &["", "", "CHX", "chx"]),
            user_id: pick(7, &["", "", "S-1-5-21-7-8-9-1188", "S-1-5-18", "0"]),
            user_name: pick(8, &["", "pc-8"]),
            src_ip: pick(9, &["", "10.1.2.3", "10.1.2.4", "198.19.7.7", "-"]),
            dst_ip: pick(10, &["", "10.9.9.9", "10.9.9.8"]),
            inner_ip: pick(11, &["", "", "10.8.0.2"]),
            forwarded: pick(12, &["", "", "198.19.15.150", "10.7.7.7, 198.19.1.1"]),
            src_country: pick(13, &["", "FR", "NL"]),
            session_id: pick(14, &["", "", "0x3e7", "0x5f1", "77", "5.6"]),
            request_id: pick(15, &["", "r1", "r2", "r3"]),
            token: pick(16, &["", "", "t1", "a-token-of-more-than-sixteen-bytes"]),
            device: pick(
                17,
                &[
                    "",
                    "pc-7",
                    "PC-8.ch.example",
                    "Mozilla/5.0 (X11; Linux x86_64) of more than sixteen bytes",
                ],
            ),
            host: pick(18, &["", "fs01.ch.example", "FS02"]),
            process: pick(19, &["", "app", "psql", "sshd", "sshd-session"]),
            url: pick(
                20,
                &["", "/r4/Patient/1", "/r4/Patient/2", "/r4/Patient?name=MAR"],
            ),
            query: pick(
                21,
                &[
                    "",
                    "",
                    "SELECT nom FROM patient WHERE ipp = '100004618'",
                    "nom=DU*",
                ],
            ),
            file_path: pick(22, &["", "", "RH/paie.xlsx"]),
            share: pick(23, &["", "", "\\\\FS01\\RH"]),
            object: pick(24, &["", "cifs/fs01", "fs02$"]),
            subjects: pick(25, &["", "", "a|1", "a|1\nb|2", "a|3"]),
            target: pick(26, &["", "", "", "ad:CHX\\u9"]),
            action: pick(27, &["", "GET", "4624"]),
            extra: pick(28, &["", "subject=CHX\\u1\nsubject_logon_id=0x5f1"]),
            code: number(29, &[NONE, NONE, 4624, 4624, 4769, 4648, 13]),
            logon_type: number(30, &[NONE, 3, 10, 77]),
            pid: number(31, &[NONE, 12, 13]),
            bytes_in: number(32, &[NONE, 5, 700]),
            bytes_out: number(33, &[NONE, 8, 1 << 40]),
            dst_port: number(34, &[NONE, 443, 3389]),
            duration_ms: number(35, &[NONE, 1000, u64::MAX - 1]),
            status: number(36, &[NONE, 200, 404]),
            ..Event::default()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// A batch says what its rows say one by one, whatever is known of their parties.
        #[test]
        fn a_batch_says_what_its_rows_say(
            few in proptest::collection::vec(proptest::collection::vec(0u64..1 << 20, 37), 1..12),
            order in proptest::collection::vec((0usize..12, 0u64..1 << 20, 0usize..80), 1..400),
            size in 1usize..150,
            forget in proptest::bool::weighted(0.2),
        ) {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(dir.path().join("logs")).unwrap();
            std::fs::write(dir.path().join("logs/a.log"), "x").unwrap();
            let case = Case::open(dir.path()).unwrap();
            let (mut one, mut all) = (FileIntake::new(&case, 0, "a"), FileIntake::new(&case, 0, "a"));
            // Mostly what was said before at another time, and now and then with one thing changed.
            let rows: Vec<Event<'static>> = order.iter().map(|(which, n, at)| {
                let mut seed = few[which % few.len()].clone();
                seed[0] = 2 + n % 38;
                seed[1] = *n;
                if let Some(other) = seed.get_mut(*at) { *other = *n; }
                made(&seed)
            }).collect();
            for (part, rows) in rows.chunks(size).enumerate() {
                let mut batch = EventBatch::default();
                for e in rows {
                    one.take(e);
                    batch.push(e);
                }
                all.push(&batch);
                if forget && part % 3 == 1 {
                    one.forget(300_000_000_000_000);
                    all.forget(300_000_000_000_000);
                }
            }
            prop_assert_eq!(spelled_out(&one.so_far()), spelled_out(&all.so_far()));
            prop_assert_eq!(spelled_out(&one.finish()), spelled_out(&all.finish()));
        }
        #[test]
        fn the_hash_of_a_row_is_that_of_its_words(seed in proptest::collection::vec(0u64..1 << 20, 37)) {
            let e = made(&seed);
            let mut h = FxHasher::default();
            h.write_i64(e.time);
            h.write_u8(e.verb as u8);
            h.write_u8(e.outcome as u8);
            for t in texts_of(&e) {
                h.write(t.as_bytes());
                h.write_u8(0xff);
            }
            for n in [e.seq, e.code, e.bytes_in, e.bytes_out, e.status, e.src_port, e.dst_port, e.duration_ms, e.count, e.mask, e.pid] {
                h.write_u64(n);
            }
            prop_assert_eq!(row_hash(&e), h.finish());
            let mut batch = EventBatch::default();
            batch.push(&Event::default());
            batch.push(&e);
            let mut words = Words::default();
            words.read(&batch);
            prop_assert_eq!(words.row_hash(common_hash(&e), 1), h.finish());
        }
    }

    proptest! {
        #[test]
        fn a_row_is_seen_as_a_set_sees_it(rows in proptest::collection::vec(0u64..400, 0..2000), spread in 0u32..60) {
            let (mut recent, mut set) = (Seen::default(), std::collections::HashSet::new());
            for h in rows.iter().map(|h| h << spread) {
                prop_assert_eq!(recent.has(h), set.contains(&h));
                prop_assert_eq!(recent.insert(h), set.insert(h));
            }
            prop_assert_eq!(recent.count, set.len());
        }
        #[test]
        fn the_last_number_is_the_last_that_fits(s in "([a-zé/%]{0,3}[0-9]{0,20}){0,4}[a-zé]{0,2}") {
            let parts = s.rsplit(|c: char| !c.is_ascii_digit());
            let mut fitting = parts.filter(|d| !d.is_empty() && d.len() <= 15);
            let slow = fitting.next().and_then(|d| d.parse().ok());
            prop_assert_eq!(last_number(&s), slow);
        }
    }

    /// A number at the end of a range names nobody; one a column equals does, whatever range stands beside it.
    #[test]
    fn the_ends_of_a_range_name_nobody() {
        let shape = |sql: &str| {
            let a = ask_of(&Row::of(&Event {
                verb: Verb::Query,
                query: sql.into(),
                ..Event::default()
            }));
            (a.prefix, a.range, a.exact)
        };
        let of = |rest: &str| shape(&format!("SELECT nom FROM patient WHERE {rest}"));
        assert_eq!(of("ipp = '100004618'"), (false, false, true));
        assert_eq!(of("ipp > '100004618' ORDER BY ipp"), (false, true, false));
        assert_eq!(
            of("ipp BETWEEN '100004618' AND '100004700'"),
            (false, true, false)
        );
        assert_eq!(
            of("date_naissance >= '1971-01-01' AND date_naissance < '1972-01-01'"),
            (false, true, false)
        );
        assert_eq!(
            of("ipp = '100004618' AND pris_le >= '2025-01-01'"),
            (false, true, true)
        );
        assert_eq!(of("nom LIKE 'BE%'"), (true, false, false));
        assert_eq!(of("ipp = '100004618' AND nom <> '<'"), (false, false, true));
    }
}
