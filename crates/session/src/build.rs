//! Fragments of all files → sessions, their accounts and links.
use crate::{
    Features, Key, Partial, chain,
    columns::{self, Alike},
    days,
    features::{Few, List, Spelled, Thin, Traits},
    geo::Geo,
    intake::{self, Accounts, Fragment, Slot, machine},
    key::{ID_LIFE, INACTIVITY, Keyed, canonical},
    key_of, net,
    profile::People,
    spread::{beside, in_pieces, side_by_side},
    texts::{Table, TextId, Texts},
    tickets::{self, Tickets},
    turns::{OPEN, Pause, Turns},
};
use ampleur_event::{
    Account, Event, Link, Origin, Session, SessionId, SessionKey, System,
    time::{HOUR, MINUTE, NO_TIME, Nanos, SECOND, at_no_fixed_minute, densest},
};
use ampleur_sources::case::{Case, FileId};
use rustc_hash::{FxHashMap, FxHashSet};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, mpsc::sync_channel},
};

/// Every session of a case.
#[derive(Debug, Clone, Default)]
pub struct Sessions {
    /// Sorted by (from, id).
    pub list: Vec<Session>,
    /// Parallel to `list`.
    pub features: Vec<Features>,
    /// What the numbers in `features` stand for.
    pub texts: Texts,
    /// Chain label of each session, parallel to `list`: equal for sessions joined by links of certainty 0.5 or more.
    pub chains: Vec<Arc<str>>,
    /// Sorted by (outer, inner, kind).
    pub links: Vec<Link>,
    /// Sessions that two outer sessions claim with equal right. Sorted.
    pub ambiguous: Vec<u32>,
    /// Machine name (first label, lower case) → its addresses, learned from the logs and the context.
    pub machines: BTreeMap<String, BTreeSet<IpAddr>>,
    /// Addresses that stand for many clients: gateways, reverse proxies, public egress. Value: distinct accounts seen there.
    pub shared: BTreeMap<IpAddr, usize>,
    /// Source of tunnels, logins or logons → nanoseconds to add to its times so that they agree with what followed elsewhere; only where
    /// they clearly disagree. Session times are left as the source gave them.
    pub skews: BTreeMap<u32, Nanos>,
    /// Columns that say the same of everybody, by source; what they say is not in `list`.
    pub alike: Vec<Alike>,
    /// Source whose clock is off by whole days → nanoseconds to add to its times; they are in `skews` too.
    pub days_off: BTreeMap<u32, Nanos>,
    /// Autonomous system → name of its operator, as the case's files say.
    pub operators: BTreeMap<u32, String>,
    /// Whoever is behind each session, parallel to `list`: a number in `whos`, [`NOBODY`] without account.
    who: Vec<u32>,
    /// Person of the context (`#n`) or canonical account.
    whos: Vec<Arc<str>>,
    index: Index,
    pub(crate) sources: Vec<u32>,
}

/// The sessions of each key.
#[derive(Debug, Clone, Default)]
struct Index {
    table: Table,
    /// Source, key, and where its spans end.
    keys: Vec<(u32, Keyed, u32)>,
    /// Ascending inside a key.
    spans: Vec<(Nanos, Nanos, u32)>,
}

impl Index {
    fn spans(&self, key: &Key, texts: &Texts) -> Option<&[(Nanos, Nanos, u32)]> {
        let i = self.table.find(key.hash(), |i| {
            let (source, k, _) = &self.keys[i as usize];
            *source == key.source && k.is(key, texts)
        })? as usize;
        let from = i.checked_sub(1).map_or(0, |b| self.keys[b].2);
        self.spans.get(from as usize..self.keys[i].2 as usize)
    }
}

/// What building needs to know of the sessions besides what is kept of them; parallel to `Sessions::list`.
#[derive(Default)]
pub(crate) struct Side {
    /// Accounts that occur.
    pub accounts: Vec<Known>,
    canonicals: FxHashMap<Box<str>, u32>,
    /// Of each session: a number in `accounts`, [`NOBODY`] without.
    pub account: Vec<u32>,
    /// The session's own id in its source; an empty text for none.
    pub id: Vec<TextId>,
    pub began: Vec<Nanos>,
    pub requests: Requests,
    /// Of each session without an account: the one whose turn at its address it is, [`OPEN`] where it may be another's, [`NOBODY`]
    /// where nothing says so.
    turns: Vec<u32>,
    /// Canonical accounts acted with or upon, and when first.
    pub targets: Vec<Thin<(TextId, Nanos)>>,
}

/// Hashes of the request ids of each session, ascending, in the order the sessions were made: they are gone through again and again, and
/// a million small pieces lie too far apart for that.
#[derive(Default)]
pub(crate) struct Requests {
    parts: Vec<Asking>,
    /// Place of the first session of each part in the order they were made.
    firsts: Vec<usize>,
    /// From the place in that order to the session, and back.
    sessions: Vec<u32>,
    made: Vec<u32>,
}

/// Those of some sessions, one behind the other.
#[derive(Default)]
struct Asking {
    all: Vec<u64>,
    ends: Vec<usize>,
}

impl Asking {
    fn push(&mut self, requests: &[u64]) {
        self.all.extend_from_slice(requests);
        self.ends.push(self.all.len());
    }
    fn of(&self, i: usize) -> &[u64] {
        let from = i.checked_sub(1).map_or(0, |b| self.ends[b]);
        &self.all[from..self.ends[i]]
    }
}

impl Requests {
    fn take(&mut self, part: Asking) {
        let last = self.parts.last().map_or(0, |p| p.ends.len());
        self.firsts.push(self.firsts.last().map_or(0, |f| f + last));
        self.parts.push(part);
    }
    /// How many there are.
    pub fn count(&self) -> usize {
        self.parts.iter().map(|p| p.all.len()).sum()
    }
    pub fn of(&self, session: usize) -> &[u64] {
        let made = self.made[session] as usize;
        let part = self.firsts.partition_point(|f| *f <= made) - 1;
        self.parts[part].of(made - self.firsts[part])
    }
    /// Of every session, as they lie.
    pub fn each(&self) -> impl Iterator<Item = (u32, &[u64])> {
        (0..self.parts.len()).flat_map(|p| self.of_part(p))
    }
    /// Of the sessions of a part.
    fn of_part(&self, part: usize) -> impl Iterator<Item = (u32, &[u64])> {
        let (asking, first) = (&self.parts[part], self.firsts[part]);
        (0..asking.ends.len()).map(move |i| (self.sessions[first + i], asking.of(i)))
    }
}

/// An account that occurs, worked out once.
pub(crate) struct Known {
    pub account: Arc<Account>,
    /// Number of its canonical text.
    pub canonical: u32,
    pub person: Option<u32>,
    /// Number of whoever is behind it.
    pub who: u32,
}

impl Side {
    pub fn known(&self, i: usize) -> Option<&Known> {
        self.accounts.get(self.account[i] as usize)
    }
    /// Number of the canonical account of a session.
    pub fn canonical(&self, i: usize) -> Option<u32> {
        self.known(i).map(|k| k.canonical)
    }
    /// Number of a canonical text, if a session has it.
    pub fn named(&self, canonical: &str) -> Option<u32> {
        self.canonicals.get(canonical).copied()
    }
    /// Nobody is known behind a session after all.
    pub fn forget(&mut self, i: usize) {
        self.account[i] = NOBODY;
    }
}

/// What many sessions say alike, once for each thread that makes them.
#[derive(Default)]
struct Words {
    texts: FxHashSet<Arc<str>>,
    /// Texts by number, and the products devices by number name.
    numbered: FxHashMap<TextId, Arc<str>>,
    products: FxHashMap<TextId, Arc<str>>,
    /// Autonomous system → what the files call its operator.
    operators: BTreeMap<u32, BTreeSet<String>>,
}

impl Words {
    fn numbered(&mut self, texts: &Texts, id: TextId) -> Arc<str> {
        if let Some(t) = self.numbered.get(&id) {
            return t.clone();
        }
        let t = self.text(texts.get(id));
        self.numbered.insert(id, t.clone());
        t
    }
    /// The product a device names.
    fn product(&mut self, texts: &Texts, device: TextId) -> Arc<str> {
        if let Some(t) = self.products.get(&device) {
            return t.clone();
        }
        let t = self.text(product(texts.get(device)));
        self.products.insert(device, t.clone());
        t
    }
    fn text(&mut self, text: &str) -> Arc<str> {
        match self.texts.get(text) {
            Some(t) => t.clone(),
            None => {
                let t: Arc<str> = text.into();
                self.texts.insert(t.clone());
                t
            }
        }
    }
    fn operator(&mut self, asn: u32, name: &str) {
        let known = self.operators.entry(asn).or_default();
        if !known.contains(name) {
            known.insert(name.to_string());
        }
    }
}

/// Accounts of many sessions, each worked out once.
#[derive(Default)]
struct Named {
    accounts: FxHashMap<(System, Box<str>), u32>,
    spelled: FxHashMap<(System, TextId), u32>,
    whos: FxHashMap<Arc<str>, u32>,
}

impl Named {
    /// Number of an account in `side`.
    fn account(
        &mut self,
        side: &mut Side,
        whos: &mut Vec<Arc<str>>,
        people: &People,
        system: System,
        name: &str,
    ) -> u32 {
        let key = (system, Box::from(name));
        if let Some(a) = self.accounts.get(&key) {
            return *a;
        }
        let account = Account {
            system,
            name: name.to_string(),
        };
        let text = canonical(&account);
        let person = people.of(&account);
        let who: Arc<str> = match person {
            Some(p) => format!("#{p}").into(),
            None => text.as_str().into(),
        };
        let who = *self.whos.entry(who.clone()).or_insert_with(|| {
            whos.push(who);
            whos.len() as u32 - 1
        });
        let next = side.canonicals.len() as u32;
        let number = side.accounts.len() as u32;
        side.accounts.push(Known {
            account: Arc::new(account),
            canonical: *side.canonicals.entry(text.into()).or_insert(next),
            person,
            who,
        });
        self.accounts.insert(key, number);
        number
    }
}

/// The stretches of one key in all files.
pub(crate) struct Merged {
    source: u32,
    /// The format of its rows with a time, and of the first file that has some without: numbers in [`Formats`].
    format: Option<std::num::NonZeroU16>,
    format_untimed: u16,
    pub slot: Slot,
}

/// Names of formats: there are few, and a million keys have one. The first is nobody's.
struct Formats(Vec<&'static str>);

impl Default for Formats {
    fn default() -> Self {
        Formats(vec![""])
    }
}
impl Formats {
    fn number(&mut self, name: &'static str) -> u16 {
        let known = self.0.iter().skip(1).position(|n| *n == name);
        known.map_or_else(
            || {
                self.0.push(name);
                self.0.len() as u16 - 1
            },
            |at| at as u16 + 1,
        )
    }
    fn name(&self, number: u16) -> &'static str {
        self.0.get(usize::from(number)).copied().unwrap_or("")
    }
}

/// What the files say together, in the texts of the whole case.
#[derive(Default)]
struct Together {
    table: Table,
    slots: Vec<Merged>,
    formats: Formats,
    /// Rows without a time whose key has some already.
    late: Vec<(u32, Box<Fragment>)>,
    names: BTreeMap<String, BTreeSet<Account>>,
    restarts: BTreeMap<String, BTreeSet<Nanos>>,
    machines: BTreeMap<(String, String), u64>,
    tickets: BTreeMap<u32, Tickets>,
}

impl Together {
    /// In the order of the parts. The texts of one are numbered while what another says is put with the rest.
    fn of(threads: usize, case: &Case, partials: Vec<Partial>) -> (Together, Texts) {
        let mut texts = Texts::default();
        // Most keys are of one file: room for all, which is not used before it is written to.
        let mut all = Together {
            slots: Vec::with_capacity(partials.iter().map(|p| p.slots.len()).sum()),
            ..Together::default()
        };
        let mut number = |p: &mut Partial| -> Vec<TextId> {
            let own = std::mem::take(&mut p.texts);
            // Read as another source, which turned out to be this one's copy.
            let source = case.source_of(p.file);
            if p.source != source {
                for slot in &mut p.slots {
                    slot.hash = slot.key.hash(source, &own);
                }
            }
            (0..own.len() as TextId)
                .map(|t| texts.put(own.get(t)))
                .collect()
        };
        if threads < 2 {
            for mut p in partials {
                let to = number(&mut p);
                all.take(case.source_of(p.file), p, &to);
            }
        } else {
            std::thread::scope(|scope| {
                let (give, numbered) = sync_channel::<(Partial, Vec<TextId>)>(2);
                let all = &mut all;
                scope.spawn(move || {
                    for (p, to) in numbered {
                        all.take(case.source_of(p.file), p, &to);
                    }
                });
                for mut p in partials {
                    let to = number(&mut p);
                    // Whoever takes no more has panicked, and that goes on at the end of the scope.
                    if give.send((p, to)).is_err() {
                        break;
                    }
                }
            });
        }
        for (i, rows) in std::mem::take(&mut all.late) {
            if let Some(known) = &mut all.slots[i as usize].slot.untimed {
                known.join(*rows, &texts);
            }
        }
        (all, texts)
    }

    /// `to` are the numbers its texts have in the whole.
    fn take(&mut self, source: u32, p: Partial, to: &[TextId]) {
        let format = self.formats.number(p.format);
        for mut slot in p.slots {
            slot.renumber(&mut |t| to[t as usize]);
            let timed = (!slot.list.is_empty())
                .then_some(format)
                .and_then(std::num::NonZeroU16::new);
            let known = self.table.find(slot.hash, |i| {
                let m = &self.slots[i as usize];
                m.source == source && m.slot.key == slot.key
            });
            let Some(i) = known else {
                self.table.insert(slot.hash, self.slots.len() as u32);
                self.slots.push(Merged {
                    source,
                    format: timed,
                    format_untimed: format,
                    slot,
                });
                continue;
            };
            let m = &mut self.slots[i as usize];
            m.format = match (m.format, timed) {
                (Some(a), Some(b)) => {
                    let name = |n: std::num::NonZeroU16| self.formats.name(n.get());
                    Some(if name(b) < name(a) { b } else { a })
                }
                (a, b) => a.or(b),
            };
            m.slot.list.append(&mut slot.list);
            match (&mut m.slot.untimed, slot.untimed) {
                (Some(_), Some(more)) => self.late.push((i, more)),
                (a @ None, b @ Some(_)) => {
                    *a = b;
                    m.format_untimed = format;
                }
                _ => {}
            }
        }
        for (k, v) in p.names {
            self.names.entry(k).or_default().extend(v);
        }
        for (k, v) in p.restarts {
            self.restarts.entry(k).or_default().extend(v);
        }
        for (k, v) in p.machines {
            *self.machines.entry(k).or_default() += v;
        }
        self.tickets.entry(source).or_default().join(p.tickets);
    }
}

/// Some sessions, before their accounts are known; the lists are parallel.
#[derive(Default)]
struct Made {
    list: Vec<Session>,
    features: Vec<Features>,
    rest: Vec<Rest>,
    requests: Asking,
}

/// What is made of a session besides.
struct Rest {
    slot: u32,
    /// Of its rows: they are looked up by their own times, not by when what they stand for began.
    span: (Nanos, Nanos),
    account: Option<(System, TextId)>,
    /// The account, when only its user id says so.
    named: Option<Account>,
    /// The one whose turn at its address it is: a number in [`Turns::accounts`], or [`OPEN`].
    turn: Option<u32>,
    began: Nanos,
    targets: Thin<(TextId, Nanos)>,
}

/// Finds the sessions of many events: what it takes apart once it remembers.
pub struct Finder<'s> {
    sessions: &'s Sessions,
    accounts: Accounts,
    /// Of the event at hand, written anew for each.
    key: Key,
}

impl<'s> Finder<'s> {
    pub fn new(sessions: &'s Sessions) -> Finder<'s> {
        Finder {
            sessions,
            accounts: Accounts::default(),
            key: Key::default(),
        }
    }
    /// What [`Sessions::of_event`] says, and the account the event names.
    pub fn of_event(
        &mut self,
        file: FileId,
        e: &Event<'_>,
    ) -> Option<(u32, Option<Arc<intake::Named>>)> {
        let source = *self.sessions.sources.get(file as usize)?;
        let named = self.accounts.of(e);
        let account = named.as_ref().map(|n| &*n.canonical);
        if !self.key.set(source, e, account) {
            return None;
        }
        Some((self.sessions.of_key(&self.key, e.time)?, named))
    }
}

impl Sessions {
    /// Joins what the files contributed. The order of `partials` does not matter.
    pub fn build(case: &Case, partials: Vec<Partial>) -> Sessions {
        Sessions::build_on(1, case, partials)
    }

    /// The same, on so many threads.
    pub fn build_on(threads: usize, case: &Case, mut partials: Vec<Partial>) -> Sessions {
        partials.sort_by_key(|p| p.file);
        let (all, texts) = Together::of(threads, case, partials);
        let people = People::new(&case.context);
        let geo = Geo::open(case);
        let estates = chain::Estates::new(case);
        let Together {
            table,
            slots,
            formats,
            names,
            restarts,
            machines,
            tickets,
            ..
        } = all;
        let mut slots = slots;
        let addresses = slots.iter().map(|m| texts.get(m.slot.key.address));
        let gateways = gateways(addresses, &estates);
        let making = Making {
            case,
            texts: &texts,
            names: &names,
            restarts: &restarts,
            gateways: &gateways,
            formats: &formats,
            geo: &geo,
        };
        let turns = Turns::of(&making, &people, &mut slots);
        let mut keys: Vec<(u32, Keyed, u32)> = Vec::with_capacity(slots.len());
        keys.extend(slots.iter().map(|m| (m.source, m.slot.key, 0)));
        // Sessions are large and many: what they are made of goes as they come, they stand in their lists from the start, and
        // their order is found before they move.
        let most = slots
            .iter()
            .map(|m| m.slot.list.len().max(1))
            .sum::<usize>();
        let mut out = Sessions {
            sources: case.files.iter().map(|f| f.source).collect(),
            list: Vec::with_capacity(most),
            features: Vec::with_capacity(most),
            ..Sessions::default()
        };
        let mut side = Side::default();
        let mut places: Vec<(u32, Nanos, Nanos)> = Vec::with_capacity(most);
        let mut named = Named::default();
        let operators = making.each(threads, slots, &turns, &mut |mut made| {
            for (s, rest) in made.list.iter_mut().zip(made.rest) {
                let account = match (rest.account, rest.named) {
                    (Some((system, name)), _) => {
                        let known = named.spelled.get(&(system, name)).copied();
                        Some(known.unwrap_or_else(|| {
                            let text = texts.get(name);
                            let a = named.account(&mut side, &mut out.whos, &people, system, text);
                            named.spelled.insert((system, name), a);
                            a
                        }))
                    }
                    (None, Some(a)) => {
                        Some(named.account(&mut side, &mut out.whos, &people, a.system, &a.name))
                    }
                    (None, None) => None,
                };
                if let Some(k) = account.and_then(|a| side.accounts.get(a as usize)) {
                    s.account = Some(k.account.clone());
                    s.person = k.person;
                }
                let turn = match rest.turn {
                    None => NOBODY,
                    Some(OPEN) => OPEN,
                    Some(t) => {
                        let a = &turns.accounts[t as usize];
                        named.account(&mut side, &mut out.whos, &people, a.system, &a.name)
                    }
                };
                side.turns.push(turn);
                side.account.push(account.unwrap_or(NOBODY));
                side.id.push(keys[rest.slot as usize].1.id);
                side.began.push(rest.began);
                side.targets.push(rest.targets);
                places.push((rest.slot, rest.span.0, rest.span.1));
            }
            side.requests.take(made.requests);
            out.list.append(&mut made.list);
            out.features.append(&mut made.features);
        });
        drop(named);
        out.operators = operators
            .into_iter()
            .map(|(n, names)| (n, out.operator(&texts, &geo, n, names, &places, &keys)))
            .collect();
        out.order(threads, &mut side, places, keys, table);
        out.texts = texts;
        out.learn_machines(case, &side, machines);
        let of = |s: &Sessions| (s.by_address(), s.bare_names());
        let alike = || columns::alike(case, &out, &side);
        let (alike, (mut by_address, mut bare)) = beside(threads, alike, || of(&out));
        if !alike.is_empty() {
            columns::take_out(&alike, &mut out, &mut side);
            (by_address, bare) = of(&out);
        }
        out.alike = alike;
        let tickets::Offsets { known, either } = tickets::offsets(&tickets);
        out.skews = known;
        out.days_off = days::off(threads, &out, &bare);
        out.skews.extend(&out.days_off);
        out.learn_skews();
        out.controller_or_machine(&either);
        out.learn_login_skews(threads, &by_address, &bare);
        drop(bare);
        out.adopt(threads, &mut side);
        out.who = (0..out.list.len())
            .map(|i| side.known(i).map_or(NOBODY, |k| k.who))
            .collect();
        out.shared = out.count_shared(&side, &gateways);
        chain::link(threads, case, &mut out, &side, &estates, &by_address);
        out
    }

    /// The sessions that come from each address, in their order.
    fn by_address(&self) -> FxHashMap<IpAddr, Vec<u32>> {
        let mut out: FxHashMap<IpAddr, Vec<u32>> = FxHashMap::default();
        for (i, s) in self.list.iter().enumerate() {
            if let Some(a) = s.origin.address {
                out.entry(a).or_default().push(i as u32);
            }
        }
        out
    }

    /// The operator of an autonomous system; where the files disagree, what they say of the session whose key comes first.
    fn operator(
        &self,
        texts: &Texts,
        geo: &Geo,
        asn: u32,
        names: BTreeSet<String>,
        places: &[(u32, Nanos, Nanos)],
        keys: &[(u32, Keyed, u32)],
    ) -> String {
        if names.len() > 1 {
            let told = self.list.iter().zip(places).filter_map(|(s, place)| {
                let (_, number, operator) = geo.find(s.origin.address?);
                let (source, key, _) = &keys[place.0 as usize];
                let rank = (*source, key.kind, key.texts(texts), place.1);
                (number == Some(asn)).then_some((rank, operator?))
            });
            if let Some((_, operator)) = told.min() {
                return operator.to_string();
            }
        }
        names.into_iter().next().unwrap_or_default()
    }

    /// Brings the sessions into their order and makes the index.
    fn order(
        &mut self,
        threads: usize,
        side: &mut Side,
        places: Vec<(u32, Nanos, Nanos)>,
        mut keys: Vec<(u32, Keyed, u32)>,
        table: Table,
    ) {
        let sessions = self.list.iter().zip(0u32..);
        let mut order: Vec<(Nanos, SessionId, u32)> =
            sessions.map(|(s, i)| (s.from, s.id, i)).collect();
        order.sort_unstable();
        let made: Vec<u32> = order.into_iter().map(|o| o.2).collect();
        let mut to = vec![0u32; made.len()];
        for (place, from) in made.iter().enumerate() {
            to[*from as usize] = place as u32;
        }
        // The sessions of a key stand together, in the order of the keys.
        let mut spans: Vec<(Nanos, Nanos, u32)> = Vec::with_capacity(places.len());
        let mut first = 0;
        for of in places.chunk_by(|a, b| a.0 == b.0) {
            spans.extend(
                of.iter()
                    .enumerate()
                    .map(|(i, p)| (p.1, p.2, to[first + i])),
            );
            spans[first..].sort_unstable();
            first = spans.len();
            keys[of[0].0 as usize].2 = first as u32;
        }
        self.index = Index { table, keys, spans };
        let Sessions { list, features, .. } = self;
        let mut others = |to: &mut [u32]| {
            moved(to, |i, j| {
                features.swap(i, j);
                side.account.swap(i, j);
                side.id.swap(i, j);
                side.began.swap(i, j);
                side.turns.swap(i, j);
                side.targets.swap(i, j);
            });
        };
        let mut again = to.clone();
        let mut sessions = |to: &mut [u32]| moved(to, |i, j| list.swap(i, j));
        side.requests.made = made;
        side.requests.sessions.clone_from(&to);
        beside(threads, || sessions(&mut to), || others(&mut again));
    }

    /// Person of the context (`#n`) or canonical account behind a session.
    pub fn who(&self, i: usize) -> Option<&Arc<str>> {
        self.whos.get(*self.who.get(i)? as usize)
    }
    /// Number of whoever is behind a session, in [`Sessions::whos`].
    pub fn who_number(&self, i: usize) -> Option<u32> {
        self.who.get(i).copied().filter(|w| *w != NOBODY)
    }
    /// Everybody behind a session, by number.
    pub fn whos(&self) -> &[Arc<str>] {
        &self.whos
    }
    /// Texts of a session, ascending; nothing for lists that are not kept.
    pub fn texts_of(&self, i: usize, list: List) -> impl Iterator<Item = &str> {
        self.features[i]
            .list(list)
            .iter()
            .map(|t| self.texts.get(*t))
    }

    /// The one session an event of `file` belongs to (SE-1); `None` for rows without account and address.
    pub fn of_event(&self, file: FileId, e: &Event<'_>) -> Option<u32> {
        let key = key_of(*self.sources.get(file as usize)?, e)?;
        self.of_key(&key, e.time)
    }
    /// The session of `key` whose interval holds `time`, else the nearest one.
    pub fn of_key(&self, key: &Key, time: Nanos) -> Option<u32> {
        let spans = self.index.spans(key, &self.texts)?;
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
        self.list
            .iter()
            .position(|s| *s.id == *id)
            .map(|i| i as u32)
    }

    /// Addresses that tunnels lend.
    pub fn lent(&self) -> BTreeSet<IpAddr> {
        let lendings = chain::lendings(self).into_iter();
        lendings
            .filter(|(i, ..)| {
                let s = &self.list[*i as usize];
                s.key_kind == SessionKey::Tunnel || s.inner.is_none()
            })
            .map(|(_, address, ..)| address)
            .collect()
    }

    /// True for sessions made of network flows only.
    pub fn is_flow(&self, i: usize) -> bool {
        self.features[i].ports != 0
    }

    /// True for a flow that carries a remote desktop.
    pub fn remote_desktop(&self, i: usize) -> bool {
        self.features[i].ports & 1 != 0
    }

    /// First and last instant of a session, on the date of the other logs where its own clock is off by whole days.
    pub fn on_date(&self, i: usize) -> (Nanos, Nanos) {
        let s = &self.list[i];
        let by = self.days_off.get(&s.source).copied().unwrap_or(0);
        (s.from.saturating_add(by), s.to.saturating_add(by))
    }

    /// Nanoseconds to add to the times of a source; see `skews`.
    pub(crate) fn skew(&self, source: u32) -> Nanos {
        self.skews.get(&source).copied().unwrap_or(0)
    }

    /// Clocks that disagree by tickets: where tunnels show the controller's to be off as much, it is; else the machine's, for a domain
    /// takes its time from its controllers.
    fn controller_or_machine(&mut self, either: &[(u32, u32, Nanos)]) {
        // Tunnels tell a clock by the minute, and people begin a minute or two after they came.
        const NEAR: Nanos = 5 * MINUTE;
        for (controller, machine, by) in either {
            match self.skews.get(controller) {
                Some(s) if (s + by).abs() <= NEAR => {
                    self.skews.insert(*controller, -by);
                }
                _ => {
                    self.skews.entry(*machine).or_insert(*by);
                }
            }
        }
    }

    /// Clocks: sessions of a person from a lent address lie inside that person's tunnel. Where they mostly do not, and one shift
    /// of the tunnels' clock puts nearly all of them inside, the clocks disagree by that much. It is the tunnels' clock that is off,
    /// unless other logs show that it is right: then it is that of the log whose sessions lie outside.
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
            let days = self.days_off.get(&source).copied().unwrap_or(0);
            // Each inner session with the tunnels of its person that are near in time: (tunnel from - begin, tunnel to - begin).
            let mut pairs: Vec<Vec<(Nanos, Nanos)>> = vec![];
            let mut told_by: Vec<u32> = vec![];
            for x in &self.list {
                let Some(a) = x.origin.address.filter(|_| x.source != source) else {
                    continue;
                };
                let Some(list) = tunnels.get(&(source, a)) else {
                    continue;
                };
                let near: Vec<(Nanos, Nanos)> = list
                    .iter()
                    .map(|j| (&self.list[*j as usize], self.on_date(*j as usize)))
                    .filter(|(_, t)| {
                        t.0.saturating_sub(REACH) <= x.from
                            && x.from <= t.1.saturating_add(REACH)
                    })
                    .filter(|(t, _)| {
                        (x.person.is_some() && x.person == t.person)
                            || matches!((&x.account, &t.account), (Some(p), Some(q)) if p.bare() == q.bare())
                    })
                    .map(|(_, t)| (t.0 - x.from, t.1 - x.from))
                    .collect();
                if !near.is_empty() {
                    pairs.push(near);
                    told_by.push(x.source);
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
            let (n, now) = (pairs.len(), inside(0));
            if n - now < ENOUGH {
                continue;
            }
            let scan: Vec<(usize, i64)> =
                (-180..=180i64).map(|m| (inside(m * MINUTE), m)).collect();
            let best = scan.iter().map(|x| x.0).max().unwrap_or(0);
            let many = best * 100 >= n * 90 && best * 100 >= now * 100 + n * 10;
            // Long tunnels hold most sessions whatever the clock says: then the few outside tell, when one shift brings them in.
            let few = best * 100 >= n * 98 && (n - best) * 4 <= n - now;
            if !many && !few {
                for (log, by) in apart_from_the_rest(&pairs, &told_by) {
                    self.skews.entry(log).or_insert(by);
                }
                continue;
            }
            // Of all shifts that fit, the latest: people log on soon after the tunnel is up.
            if let Some((_, m)) = scan.iter().rev().find(|x| x.0 * 100 >= best * 98) {
                match whose_clock(&pairs, &told_by, m * MINUTE) {
                    None => {
                        self.skews.insert(source, days + m * MINUTE);
                    }
                    Some(logs) => {
                        for log in logs {
                            self.skews.entry(log).or_insert(-m * MINUTE);
                        }
                    }
                }
            }
        }
    }

    /// Clocks: who logs in is heard elsewhere within a minute or two, from the same address. Where most are heard at one other sharp
    /// distance instead, the clock of the logins is off by that much.
    fn learn_login_skews(
        &mut self,
        threads: usize,
        at: &FxHashMap<IpAddr, Vec<u32>>,
        bare: &[u32],
    ) {
        let doors: BTreeSet<u32> = (self.list.iter())
            .filter(|s| is_login(s) && !self.skews.contains_key(&s.source))
            .map(|s| s.source)
            .collect();
        let found = side_by_side(threads, doors.into_iter().collect(), &|source| {
            let skew = self.login_skew(source, at, bare);
            skew.map(|by| (source, by)).into_iter().collect()
        });
        self.skews.extend(found);
    }

    /// What is to be added to the times of the logins of a source, where that is clear.
    fn login_skew(
        &self,
        source: u32,
        at: &FxHashMap<IpAddr, Vec<u32>>,
        bare: &[u32],
    ) -> Option<Nanos> {
        const REACH: Nanos = 3 * HOUR;
        // Distances within this of each other are one.
        const SHARP: Nanos = MINUTE;
        const CROWD: usize = 64;
        const ENOUGH: usize = 20;
        // A job that runs at its hour meets what runs at another: only who comes at no fixed minute tells a clock.
        let mut people: FxHashMap<u32, Vec<Nanos>> = FxHashMap::default();
        for (s, name) in self.list.iter().zip(bare) {
            if s.source == source && is_login(s) {
                people.entry(*name).or_default().push(s.from);
            }
        }
        people.retain(|_, times| at_no_fixed_minute(times));
        // (distance to what was heard, login)
        let mut heard: Vec<(Nanos, u32)> = vec![];
        for (i, login) in self.list.iter().enumerate() {
            let here = login.origin.address.and_then(|a| at.get(&a));
            let Some(here) = here.filter(|_| {
                login.source == source && is_login(login) && people.contains_key(&bare[i])
            }) else {
                continue;
            };
            let begun = |j: &u32| self.list[*j as usize].from;
            let first = here.partition_point(|j| begun(j) < login.from.saturating_sub(REACH));
            let past = here.partition_point(|j| begun(j) <= login.from.saturating_add(REACH));
            // A crowd behind one address says nothing of one of them, and takes long to go through.
            if past - first > 8 * CROWD {
                continue;
            }
            let others = here[first..past]
                .iter()
                .map(|j| (&self.list[*j as usize], bare[*j as usize]))
                .filter(|(x, _)| x.source != source)
                .filter(|(x, name)| {
                    x.account.is_none()
                        || *name == bare[i]
                        || (x.person.is_some() && x.person == login.person)
                });
            let before = heard.len();
            heard.extend(
                others
                    .take(CROWD + 1)
                    .map(|(x, _)| (x.from - login.from, i as u32)),
            );
            if heard.len() - before > CROWD {
                heard.truncate(before);
            }
            if heard.len() > 1 << 20 {
                break;
            }
        }
        heard.sort_unstable();
        let logins = |h: &[(Nanos, u32)]| -> BTreeSet<u32> { h.iter().map(|x| x.1).collect() };
        let all = logins(&heard).len();
        let within = |from: Nanos, to: Nanos| {
            let a = heard.partition_point(|x| x.0 < from);
            let b = heard.partition_point(|x| x.0 <= to);
            &heard[a..b]
        };
        let distances: Vec<Nanos> = heard.iter().map(|x| x.0).collect();
        let (most, peak) = densest(&distances, SHARP);
        // What comes back every few minutes meets itself at every multiple: that is no clock.
        let others: Vec<Nanos> = distances
            .into_iter()
            .filter(|d| (d - peak).abs() > 2 * SHARP)
            .collect();
        let second = densest(&others, SHARP).0;
        let near = within(peak - SHARP, peak + SHARP);
        // People are never exact: what always comes after the same time to the millisecond is a program's own delay.
        let exact = near
            .get(near.len() * 3 / 4)
            .is_none_or(|q| q.0 - near[near.len() / 4].0 < SECOND / 2);
        let there = logins(near);
        let usual = logins(within(-MINUTE, 3 * MINUTE));
        let accounts: BTreeSet<u32> = there.iter().map(|i| bare[*i as usize]).collect();
        let clear = !(-MINUTE..=10 * MINUTE).contains(&peak)
            && there.len() >= ENOUGH
            && there.len() * 10 >= all * 6
            && there.len() >= 2 * usual.len()
            && most >= 2 * second
            && !exact
            && accounts.len() >= 5;
        clear.then_some(peak)
    }

    /// Per session, the number of its account's bare name: equal for equal names, 0 where there is no account.
    pub(crate) fn bare_names(&self) -> Vec<u32> {
        let mut spelled: FxHashMap<&str, u32> = FxHashMap::default();
        let mut names: FxHashMap<String, u32> = FxHashMap::default();
        self.list
            .iter()
            .map(|s| {
                let Some(a) = &s.account else { return 0 };
                *spelled.entry(&a.name).or_insert_with(|| {
                    let next = names.len() as u32 + 1;
                    *names.entry(a.bare()).or_insert(next)
                })
            })
            .collect()
    }

    fn learn_machines(&mut self, case: &Case, side: &Side, told: BTreeMap<(String, String), u64>) {
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
        let mut logons: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for (i, s) in self.list.iter().enumerate() {
            if s.key_kind == SessionKey::LogonId
                && let Some(canonical) = side.canonical(i)
            {
                logons.entry(canonical).or_default().push(i as u32);
            }
        }
        for (i, targets) in side.targets.iter().enumerate() {
            if targets.is_empty() {
                continue;
            }
            let host = machine(&self.list[i].host);
            for (target, t) in targets.iter().filter(|_| !host.is_empty()) {
                let of = side.named(self.texts.get(*target));
                let Some(of) = of.and_then(|n| logons.get(&n)) else {
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
        // A remote-desktop logon on host H from X, and a flow X → Y:3389, or a farm's gateway that lets X to Y, that begins with it: Y
        // is H's.
        let mut desks: BTreeMap<IpAddr, Vec<u32>> = BTreeMap::new();
        for (i, s) in self.list.iter().enumerate() {
            let farm = s
                .account
                .as_ref()
                .is_some_and(|a| a.system == System::Citrix);
            if (self.features[i].ports & 1 != 0 || farm)
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
                    let (began, x) = (side.began[**j as usize], &self.list[**j as usize]);
                    (began - s.from).abs() <= 3 * MINUTE
                        || (began <= s.from && (x.to - s.to).abs() <= 3 * MINUTE)
                })
                .flat_map(|j| {
                    self.texts_of(*j as usize, List::Destinations)
                        .filter_map(net::parse_address)
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
    fn adopt(&mut self, threads: usize, side: &mut Side) {
        let known: &Side = side;
        let (by_request, (there, firsts)) = beside(
            threads,
            || self.asked_with(threads, known),
            || self.people_there(known),
        );
        let homeless: Vec<u32> = (0..self.list.len() as u32)
            .filter(|i| self.list[*i as usize].account.is_none())
            .collect();
        // Both sides of a pair may be shifted.
        let widest = 2 * self.skews.values().map(|s| s.abs()).max().unwrap_or(0);
        let found = in_pieces(threads, homeless.len(), &|piece| {
            let of = |i: &u32| {
                let a = self.adopted(*i as usize, known, &there, &firsts, &by_request, widest)?;
                Some((*i as usize, a))
            };
            homeless[piece].iter().filter_map(of).collect()
        });
        for (i, a) in found {
            side.account[i] = a;
            if let Some(k) = side.known(i) {
                self.list[i].person = k.person;
                self.list[i].account = Some(k.account.clone());
            }
        }
    }

    /// The sessions of people at each address; of each canonical account, its first session.
    fn people_there(&self, side: &Side) -> (FxHashMap<IpAddr, There>, Vec<u32>) {
        let mut there: FxHashMap<IpAddr, There> = FxHashMap::default();
        let mut firsts: Vec<u32> = vec![NOBODY; side.canonicals.len()];
        for (i, s) in self.list.iter().enumerate() {
            let Some(k) = side.known(i) else { continue };
            let first = &mut firsts[k.canonical as usize];
            *first = (*first).min(i as u32);
            if k.account.is_machine() {
                continue;
            }
            for x in s.origin.address.iter().chain(s.inner.iter()) {
                let there = there.entry(*x).or_default();
                there.list.push(i as u32);
                let last = there.ends.last().map_or(s.to, |e| s.to.max(*e));
                there.ends.push(last);
            }
        }
        (there, firsts)
    }

    /// Request ids somebody without account has → the accounts that have them too.
    fn asked_with(&self, threads: usize, side: &Side) -> Sorted<(u64, u32)> {
        let homeless = side.requests.each();
        let mut wanted: Vec<u64> = homeless
            .filter(|(i, _)| side.account[*i as usize] == NOBODY)
            .flat_map(|(_, r)| r.iter().copied())
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let wanted = Sorted::new(wanted, |r| *r);
        let parts = (0..side.requests.parts.len()).collect();
        let mut by_request = side_by_side(threads, parts, &|part| {
            let mut some: Vec<(u64, u32)> = vec![];
            for (i, requests) in side.requests.of_part(part) {
                let known = side.known(i as usize);
                let Some(k) = known.filter(|k| !k.account.is_machine()) else {
                    continue;
                };
                let shared = requests.iter().filter(|r| wanted.of(**r).next().is_some());
                some.extend(shared.map(|r| (*r, k.canonical)));
            }
            some
        });
        by_request.sort_unstable();
        by_request.dedup();
        Sorted::new(by_request, |b| b.0)
    }

    /// The account of session `i`, which has none of its own.
    fn adopted(
        &self,
        i: usize,
        side: &Side,
        there: &FxHashMap<IpAddr, There>,
        firsts: &[u32],
        by_request: &Sorted<(u64, u32)>,
        widest: Nanos,
    ) -> Option<u32> {
        let s = &self.list[i];
        let asked: BTreeSet<u32> = (side.requests.of(i).iter())
            .flat_map(|r| by_request.of(*r))
            .map(|b| b.1)
            .collect();
        let account_of = |j: u32| side.account[j as usize];
        let Some(There { list, ends }) = s.origin.address.and_then(|a| there.get(&a)) else {
            return match (asked.len(), asked.first()) {
                (1, Some(name)) => Some(account_of(firsts[*name as usize])),
                _ => None,
            };
        };
        let slack = 10 * MINUTE;
        let (from, to) = (
            side.began[i].min(s.from).saturating_sub(slack),
            s.to.saturating_add(slack),
        );
        let stop = list.partition_point(|j| self.list[*j as usize].from <= to + widest);
        let start = ends[..stop].partition_point(|x| *x < from - widest);
        let live = |j: &u32| {
            let o = &self.list[*j as usize];
            let shift = self.skew(o.source) - self.skew(s.source);
            o.from.saturating_add(shift) <= to && o.to.saturating_add(shift) >= from
        };
        let there = &list[start..stop];
        let who = |j: u32| side.known(j as usize).map_or(NOBODY, |k| k.who);
        if side.turns[i] == OPEN && asked.is_empty() {
            return None;
        }
        // By turns; told by clocks that agree.
        if let Some(k) = side
            .accounts
            .get(side.turns[i] as usize)
            .filter(|_| asked.is_empty())
            && there.iter().any(|j| {
                let o = &self.list[*j as usize];
                live(j) && who(*j) == k.who && self.skew(o.source) == self.skew(s.source)
            })
        {
            return Some(side.turns[i]);
        }
        let mut candidates = Candidates::of(there.iter().copied().filter(|j| live(j)), who);
        if matches!(candidates, Candidates::Several) && !asked.is_empty() {
            let kept = there.iter().copied().filter(|j| {
                live(j)
                    && side
                        .canonical(*j as usize)
                        .is_some_and(|c| asked.contains(&c))
            });
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
        match candidates {
            Candidates::One(j) => Some(account_of(j)),
            _ => None,
        }
    }

    fn count_shared(&self, side: &Side, gateways: &BTreeSet<IpAddr>) -> BTreeMap<IpAddr, usize> {
        let mut seen: FxHashMap<IpAddr, FxHashSet<u32>> = FxHashMap::default();
        for (i, s) in self.list.iter().enumerate() {
            if let (Some(k), Some(x)) = (side.known(i), s.origin.address) {
                let set = seen.entry(x).or_default();
                if set.len() < 1000 && !k.account.is_machine() {
                    set.insert(k.who);
                }
            }
        }
        seen.into_iter()
            .filter(|(a, s)| s.len() > 1 || gateways.contains(a))
            .map(|(a, s)| (a, s.len()))
            .collect()
    }
}

/// A sorted list of hashes and what belongs to them, found without going through the whole of it.
struct Sorted<T> {
    list: Vec<T>,
    key: fn(&T) -> u64,
    /// Where the keys begin that share their upper bits; one more than there are such parts.
    starts: Vec<u32>,
    shift: u32,
}

impl<T> Sorted<T> {
    fn new(list: Vec<T>, key: fn(&T) -> u64) -> Sorted<T> {
        // A few members in each part.
        let bits = (list.len() / 4).max(2).ilog2().clamp(1, 26);
        let shift = 64 - bits;
        let mut starts = vec![0u32; (1 << bits) + 1];
        for x in &list {
            starts[(key(x) >> shift) as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        Sorted {
            list,
            key,
            starts,
            shift,
        }
    }
    /// The members under a key.
    fn of(&self, wanted: u64) -> impl Iterator<Item = &T> {
        let part = (wanted >> self.shift) as usize;
        let part = &self.list[self.starts[part] as usize..self.starts[part + 1] as usize];
        let from = part.partition_point(|x| (self.key)(x) < wanted);
        let key = self.key;
        part[from..].iter().take_while(move |x| key(x) == wanted)
    }
}

/// Swaps until each member is where `to` says.
fn moved(to: &mut [u32], mut swap: impl FnMut(usize, usize)) {
    let mut i = 0;
    while i < to.len() {
        let j = to[i] as usize;
        if j == i {
            i += 1;
        } else {
            swap(i, j);
            to.swap(i, j);
        }
    }
}

/// Number of no account.
pub(crate) const NOBODY: u32 = u32::MAX;

/// Sessions of people at one address, and the latest end up to each, to stop looking back in time.
#[derive(Default)]
struct There {
    list: Vec<u32>,
    ends: Vec<Nanos>,
}

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

/// Joins the stretches of one key: across files, and for explicit ids across longer silence inside one life of the id. Of each, whose
/// turn it is where people use one address one after the other: a number in [`Turns::accounts`], or [`OPEN`]. Of two stretches and more.
fn joined(
    making: &Making<'_>,
    turns: &Turns,
    key: &Keyed,
    mut list: Vec<Fragment>,
) -> Vec<(Fragment, Option<u32>)> {
    let Making {
        texts, restarts, ..
    } = *making;
    list.sort_by_key(|f| (f.from, f.to, f.fingerprint));
    list.dedup_by(|again, f| {
        let same = (f.from, f.to, f.fingerprint) == (again.from, again.to, again.fingerprint);
        if same {
            // The same stretch delivered twice.
            f.counts.events += again.counts.events;
        }
        same
    });
    let lives = match key.kind {
        SessionKey::LogonId | SessionKey::Backend => texts
            .get(key.id)
            .rsplit_once('@')
            .and_then(|(_, h)| restarts.get(&machine(h))),
        _ => None,
    };
    let mut turn = turns.along(making, key, &list[0]);
    let mut out: Vec<(Fragment, Option<u32>)> = vec![];
    for f in list {
        let Some((last, whose)) = out.last_mut() else {
            out.push((f, None));
            continue;
        };
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
        if !join {
            turn.over();
            out.push((f, None));
            continue;
        }
        match turn.pause((last.from, last.to), f.from) {
            Pause::Own => last.join(f, texts),
            Pause::Open => {
                last.join(f, texts);
                *whose = Some(OPEN);
            }
            Pause::Between(before, behind) => {
                *whose = whose.or(before);
                out.push((f, Some(behind)));
            }
        }
    }
    out
}

/// Addresses that forward for others: private ones that name clients, and public ones that name three clients or more.
fn gateways<'a>(
    addresses: impl Iterator<Item = &'a str>,
    estates: &chain::Estates,
) -> BTreeSet<IpAddr> {
    let mut clients: BTreeMap<IpAddr, BTreeSet<&str>> = BTreeMap::new();
    for address in addresses {
        if let Some((src, client)) = address.split_once(',')
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

/// An id that several accounts of one system go by (a realm, a number each machine gives anew) says nothing of who it was.
fn one_person(known: &BTreeSet<Account>) -> bool {
    let mut names = BTreeMap::new();
    (known.iter()).all(|a| *names.entry(a.system).or_insert_with(|| a.bare()) == a.bare())
}

fn is_login(s: &Session) -> bool {
    s.counts.logins > 0 && s.key_kind != SessionKey::Tunnel && s.account.is_some()
}

/// The product a user agent names, when it is one.
fn product(device: &str) -> &str {
    device
        .split([' ', ';'])
        .next()
        .filter(|d| d.contains('/'))
        .unwrap_or("")
}

/// The account most rows name; of equally many, the smallest.
fn most(accounts: &Few<Spelled>, texts: &Texts) -> Option<(System, TextId)> {
    let spelling = |a: &Spelled| (a.system, texts.get(a.name));
    accounts
        .iter()
        .max_by(|a, b| {
            a.rows
                .cmp(&b.rows)
                .then_with(|| spelling(b).cmp(&spelling(a)))
        })
        .map(|a| (a.system, a.name))
}

/// What sessions are made from, besides their rows.
pub(crate) struct Making<'a> {
    case: &'a Case,
    pub texts: &'a Texts,
    names: &'a BTreeMap<String, BTreeSet<Account>>,
    restarts: &'a BTreeMap<String, BTreeSet<Nanos>>,
    gateways: &'a BTreeSet<IpAddr>,
    formats: &'a Formats,
    geo: &'a Geo,
}

impl Making<'_> {
    /// Gives the sessions of all keys, some at a time, in the order of the keys, and says what the files call the operators of their
    /// autonomous systems. Takes the stretches away. The next sessions are made while some are taken.
    fn each(
        &self,
        threads: usize,
        mut keys: Vec<Merged>,
        turns: &Turns,
        take: &mut dyn FnMut(Made),
    ) -> BTreeMap<u32, BTreeSet<String>> {
        const AT_ONCE: usize = 1 << 13;
        let parts = keys.chunks_mut(AT_ONCE).enumerate();
        let parts = Mutex::new(parts.map(|(i, part)| (i, i * AT_ONCE, part)));
        let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
        if threads < 2 {
            let mut words = Words::default();
            while let Some((_, first, part)) = next() {
                take(self.some(&mut words, turns, first, part));
            }
            return words.operators;
        }
        std::thread::scope(|scope| {
            let (made, ready) = sync_channel(1);
            // To take them is little work: as many make them as there are threads.
            let makers: Vec<_> = (0..threads)
                .map(|_| {
                    let (made, next) = (made.clone(), &next);
                    scope.spawn(move || {
                        let mut words = Words::default();
                        while let Some((i, first, part)) = next() {
                            let some = self.some(&mut words, turns, first, part);
                            if made.send((i, some)).is_err() {
                                break;
                            }
                        }
                        words.operators
                    })
                })
                .collect();
            drop(made);
            let mut early: BTreeMap<usize, Made> = BTreeMap::new();
            let mut due = 0;
            for (i, some) in ready {
                early.insert(i, some);
                while let Some(some) = early.remove(&due) {
                    take(some);
                    due += 1;
                }
            }
            let mut operators: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
            for maker in makers {
                match maker.join() {
                    Ok(some) => {
                        for (asn, names) in some {
                            operators.entry(asn).or_default().extend(names);
                        }
                    }
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            operators
        })
    }
    fn some(&self, words: &mut Words, turns: &Turns, first: usize, keys: &mut [Merged]) -> Made {
        let most = keys.iter().map(|m| m.slot.list.len().max(1)).sum();
        let mut out = Made {
            list: Vec::with_capacity(most),
            features: Vec::with_capacity(most),
            rest: Vec::with_capacity(most),
            requests: Asking::default(),
        };
        for (i, m) in keys.iter_mut().enumerate() {
            let slot = (first + i) as u32;
            let mut late = m.slot.untimed.take();
            let list = std::mem::take(&mut m.slot.list);
            let mut take = |mut part: Fragment, turn| {
                if let Some(f) = late.take() {
                    let (from, to, began) = (part.from, part.to, part.traits.began);
                    part.join(*f, self.texts);
                    (part.from, part.to, part.traits.began) = (from, to, began);
                }
                self.one(words, slot, m, part, turn, &mut out);
            };
            // Most keys have one stretch: it is made a session where it lies.
            if list.len() < 2 {
                list.into_iter().for_each(|part| take(part, None));
            } else {
                for (part, turn) in joined(self, turns, &m.slot.key, list) {
                    take(part, turn);
                }
            }
            if let Some(f) = late {
                self.one(words, slot, m, *f, None, &mut out);
            }
        }
        out
    }
    /// The account of a stretch: as its rows spell it, or the one whose user id they have.
    pub fn whose(&self, key: &Keyed, f: &Traits) -> (Option<(System, TextId)>, Option<Account>) {
        let texts = self.texts;
        let of_key = if texts.get(key.account).starts_with('#') {
            None
        } else {
            f.accounts
                .iter()
                .find(|a| a.canonical == key.account)
                .copied()
        };
        let account = of_key
            .map(|a| (a.system, a.name))
            .or_else(|| most(&f.accounts, texts));
        let named = if account.is_none() {
            let ids = f.noted.sorted(texts, List::UserIds);
            let mut ids = ids.iter().map(|u| texts.get(*u));
            ids.find_map(|id| {
                let known = self.names.get(id)?;
                // A SID is one account's for ever, whatever it is renamed to.
                (id.starts_with("S-1-") || one_person(known)).then(|| known.first().cloned())?
            })
        } else {
            None
        };
        (account, named)
    }
    /// Where the rows of a stretch come from.
    pub fn origin(&self, key: &Keyed, f: &Traits) -> Option<IpAddr> {
        let texts = self.texts;
        let key_address = texts.get(key.address);
        match key_address.split_once(',') {
            Some((src, client)) => {
                let near = net::parse_address(src);
                match near {
                    Some(a) if !self.gateways.contains(&a) => Some(a),
                    _ => net::parse_address(client).or(near),
                }
            }
            None => net::parse_address(key_address).or_else(|| {
                f.noted
                    .sorted(texts, List::Addresses)
                    .into_iter()
                    .filter_map(|a| net::parse_address(texts.get(a)))
                    .find(|a| !a.is_loopback() && !a.is_unspecified())
            }),
        }
    }
    /// The address a stretch was lent, or works from inside.
    pub fn inner(&self, f: &Traits) -> Option<IpAddr> {
        let mut told = f.noted.sorted(self.texts, List::Inner).into_iter();
        told.find_map(|a| net::parse_address(self.texts.get(a)))
            .filter(|a| !a.is_unspecified())
    }
    fn one(
        &self,
        words: &mut Words,
        slot: u32,
        m: &Merged,
        part: Fragment,
        turn: Option<u32>,
        out: &mut Made,
    ) {
        let (texts, key, f) = (self.texts, &m.slot.key, part.traits);
        let first = |list| f.noted.first(texts, list);
        let (account, named) = self.whose(key, &f);
        let address = self.origin(key, &f);
        let flow = f.ports != 0;
        let device = if flow { None } else { first(List::Devices) };
        let (country, asn, operator) = address.map_or((None, None, None), |a| self.geo.find(a));
        let country = match country {
            Some(c) => Some(words.text(c)),
            None => {
                let mut told = f.noted.sorted(texts, List::Countries).into_iter();
                let code = told.find_map(|c| crate::geo::country_code(texts.get(c)));
                code.map(|c| words.text(&c))
            }
        };
        if let (Some(n), Some(o)) = (asn, operator) {
            words.operator(n, o);
        }
        let mut counts = part.counts.counts();
        counts.subjects = f.subjects.items().len() as u64;
        counts.objects = f.objects.items().len() as u64;
        counts.bytes_in = counts.bytes_in.saturating_add(f.total_in);
        counts.bytes_out = counts.bytes_out.saturating_add(f.total_out);
        let id = {
            let mut h = blake3::Hasher::new();
            let name = self
                .case
                .sources
                .get(m.source as usize)
                .map_or("", |s| s.name.as_str());
            let [id, account, address, device] = key.texts(texts);
            for t in [name, key.kind.word(), id, account, address, device] {
                h.update(t.as_bytes());
                h.update(&[0]);
            }
            h.update(&part.from.to_le_bytes());
            let mut hash = [0; 8];
            hash.copy_from_slice(&h.finalize().as_bytes()[..8]);
            SessionId::of(hash)
        };
        let inner = self.inner(&f);
        let program = match (first(List::Programs), device) {
            (Some(p), _) => words.numbered(texts, p),
            (None, Some(d)) => words.product(texts, d),
            (None, None) => words.text(""),
        };
        out.list.push(Session {
            id,
            source: m.source,
            format: self
                .formats
                .name(m.format.map_or(m.format_untimed, |f| f.get())),
            key_kind: key.kind,
            account: None,
            person: None,
            origin: Origin {
                address,
                country,
                asn,
                device: device.map(|d| words.numbered(texts, d)),
            },
            inner: if flow { None } else { inner },
            host: match first(List::Hosts) {
                Some(h) => words.numbered(texts, h),
                None => words.text(""),
            },
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
        });
        out.features.push(Features::of(&f, texts));
        out.requests.push(f.requests.items());
        out.rest.push(Rest {
            slot,
            span: (part.from, part.to),
            account,
            named,
            turn,
            began: f.began,
            targets: f.targets,
        });
    }
}

/// Sessions behind tunnels (tunnel from - begin, tunnel to - begin) and the log each stands in: a shift of the tunnels' clock would put
/// nearly all of them inside. `None` when it is their clock that is off. Where it is not, the logs whose clock is: as they are, other logs
/// have their sessions inside, which that shift would leave outside or long after the coming, and no fewer say so than need it.
fn whose_clock(pairs: &[Vec<(Nanos, Nanos)>], told_by: &[u32], shift: Nanos) -> Option<Vec<u32>> {
    const ENOUGH: usize = 8;
    // People begin within this after the tunnel is up.
    const SOON: Nanos = 5 * MINUTE;
    let mut logs: BTreeMap<u32, Vec<&[(Nanos, Nanos)]>> = BTreeMap::new();
    for (near, log) in pairs.iter().zip(told_by) {
        logs.entry(*log).or_default().push(near);
    }
    let (mut right, mut off) = (0, vec![]);
    for (log, sessions) in logs {
        let of = |shift: Nanos, last: Nanos| {
            let hit = |(a, b): &(Nanos, Nanos)| {
                let since = -(a + shift);
                -MINUTE / 2 <= since && since <= last && b + shift >= -MINUTE / 2
            };
            sessions.iter().filter(|p| p.iter().any(hit)).count()
        };
        let (now, then) = (of(0, Nanos::MAX), of(shift, Nanos::MAX));
        let (soon_now, soon_then) = (of(0, SOON), of(shift, SOON));
        let n = sessions.len();
        if then >= now + ENOUGH && then * 10 >= n * 9 {
            off.push(log);
        } else if now * 100 >= n * 98
            && (now >= then + ENOUGH || soon_now >= ENOUGH && soon_now >= 4 * soon_then)
        {
            right += 1;
        }
    }
    (right > 0 && right >= off.len() && !off.is_empty()).then_some(off)
}

/// Logs behind tunnels, as for [`whose_clock`], of which nearly nothing lies in the tunnels as they are and nearly all by one shift, while
/// people come to another log soon after the tunnel is up: nanoseconds to add to their times.
fn apart_from_the_rest(pairs: &[Vec<(Nanos, Nanos)>], told_by: &[u32]) -> Vec<(u32, Nanos)> {
    const ENOUGH: usize = 8;
    let mut logs: BTreeMap<u32, Vec<&Vec<(Nanos, Nanos)>>> = BTreeMap::new();
    for (near, log) in pairs.iter().zip(told_by) {
        logs.entry(*log).or_default().push(near);
    }
    let mut out = vec![];
    for (log, own) in &logs {
        let inside = |shift: Nanos| {
            let hit = |(a, b): &(Nanos, Nanos)| a + shift <= MINUTE / 2 && b + shift >= -MINUTE / 2;
            own.iter().filter(|p| p.iter().any(hit)).count()
        };
        let n = own.len();
        if n < ENOUGH || inside(0) * 10 > n {
            continue;
        }
        let scan: Vec<(usize, i64)> = (-180..=180i64).map(|m| (inside(m * MINUTE), m)).collect();
        let best = scan.iter().map(|x| x.0).max().unwrap_or(0);
        let latest = scan.iter().rev().find(|x| x.0 * 100 >= best * 98);
        let Some((_, m)) = latest.filter(|_| best * 100 >= n * 98) else {
            continue;
        };
        // Another log alone with this one must speak for the tunnels.
        let speaks = logs.iter().any(|(other, its)| {
            let both: Vec<_> = own.iter().chain(its).map(|p| (*p).clone()).collect();
            let names = [vec![*log; n], vec![*other; its.len()]].concat();
            other != log && whose_clock(&both, &names, m * MINUTE) == Some(vec![*log])
        });
        if speaks {
            out.push((*log, -m * MINUTE));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_log_of_two_behind_tunnels_is_hours_off() {
        // Ten people in tunnels of an hour: one log has them half a minute after they came, the other three hours before.
        let told = |by: Nanos| {
            let (mut pairs, mut told_by) = (vec![], vec![]);
            for (log, off) in [(1, 0), (2, by)] {
                for k in 0..10 {
                    let since = MINUTE / 2 + k * SECOND + off;
                    pairs.push(vec![(-since, HOUR - since)]);
                    told_by.push(log);
                }
            }
            apart_from_the_rest(&pairs, &told_by)
        };
        let [(2, by)] = told(-3 * HOUR)[..] else {
            panic!("the second log is off");
        };
        assert!((by - 3 * HOUR).abs() <= MINUTE, "{by}");
        assert!(told(0).is_empty());
    }

    /// Twenty people, each in a tunnel of his own for an hour: (log, minutes from the coming to the session).
    fn told(logs: &[(u32, i64)]) -> Option<Vec<u32>> {
        let (mut pairs, mut told_by) = (vec![], vec![]);
        for (log, since) in logs {
            for k in 0..20 {
                let since = *since * MINUTE + k * SECOND;
                pairs.push(vec![(-since, HOUR - since)]);
                told_by.push(*log);
            }
        }
        whose_clock(&pairs, &told_by, -47 * MINUTE)
    }

    #[test]
    fn tunnels_that_other_logs_agree_with_are_right() {
        // Of one log behind them nobody can tell.
        assert_eq!(told(&[(1, -46)]), None);
        assert_eq!(told(&[(1, -46), (2, -45)]), None);
        assert_eq!(told(&[(1, -46), (2, 1)]), Some(vec![1]));
        assert_eq!(
            told(&[(1, -46), (2, 1), (3, -45), (4, 2)]),
            Some(vec![1, 3])
        );
        // Two against one and the tunnels' own.
        assert_eq!(told(&[(1, -46), (2, 1), (3, -45)]), None);
        // Late in a long stay says nothing.
        assert_eq!(
            told(&[(1, -46), (2, 30)]),
            Some(vec![1]),
            "outside by that shift"
        );
        assert_eq!(
            told(&[(1, -46), (2, 8)]),
            None,
            "inside either way, soon after neither"
        );
    }
}
