//! One file's events → fragments of sessions. Memory grows with sessions, not with events.
use crate::{
    Key,
    features::{Ask, Asked, List, SKETCH, Spelled, TOKENS, Traits},
    key::{INACTIVITY, Keyed, PAUSE, canonical, clip, personal, used_by},
    net,
    texts::{Table, TextId, Texts},
    tickets::Tickets,
};
use ampleur_event::{
    Account, Event, EventBatch, Outcome, SessionCounts, SessionKey, System, Verb,
    account::is_placeholder,
    batch::NONE,
    time::{HOUR, NO_TIME, Nanos},
};
use ampleur_sources::case::{Case, FileId};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::Hasher,
    sync::Arc,
};

/// A stretch of rows with one key and no silence longer than the inactivity limit ([`PAUSE`] in requests that name nobody).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fragment {
    /// `[from, to]`, both included.
    pub from: Nanos,
    pub to: Nanos,
    /// Order-independent hash of its distinct rows: the same stretch delivered in two files is counted once.
    pub fingerprint: u64,
    /// A begin (tunnel-up, logon, connection) or an end was seen.
    pub opened: bool,
    pub closed: bool,
    pub counts: SessionCounts,
    pub traits: Traits,
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
    /// Of the row at hand, written anew for each.
    key: Key,
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
            key: Key::default(),
        }
    }

    pub fn push(&mut self, batch: &EventBatch) {
        for e in batch.iter() {
            self.take(&e);
        }
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
        let nameless = self.key.kind == SessionKey::Inactivity && self.key.account.is_empty();
        let limit = match nameless && !matches!(e.verb, Verb::Flow | Verb::Lease) {
            true => PAUSE,
            false => INACTIVITY,
        };
        let Partial { texts, slots, .. } = &mut self.partial;
        let slot = &mut slots[at];
        if e.time == NO_TIME {
            let f = slot
                .untimed
                .get_or_insert_with(|| Box::new(Fragment::new(NO_TIME)));
            f.counts.events += 1;
            if fresh {
                f.add(texts, e, named, hash, None);
            }
            return;
        }
        let hour = self.hour.of(e.time, &self.zone);
        let at = place(&mut slot.list, e.time, limit, texts);
        let f = &mut slot.list[at];
        f.counts.events += 1;
        if fresh {
            f.add(texts, e, named, hash, Some(hour));
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
        let p = &mut self.partial;
        if matches!(e.code, 4624 | 4769) {
            p.tickets.take(e, named);
        }
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
        match e.verb {
            Verb::Restart if e.time != NO_TIME => {
                p.restarts
                    .entry(machine(&e.host))
                    .or_default()
                    .insert(e.time);
            }
            Verb::Lease => {
                for name in [&e.device, &e.user_name] {
                    self.machine(name, &e.inner_ip, 4);
                }
            }
            Verb::Login => {
                let name = if e.user.ends_with('$') {
                    e.user.trim_end_matches('$')
                } else {
                    ""
                };
                if !name.is_empty() {
                    self.machine(name, &e.src_ip, 16);
                } else if e.logon_type != 10 && machine(&e.device) != machine(&e.host) {
                    self.machine(&e.device, &e.src_ip, 1);
                }
            }
            _ => {}
        }
    }

    fn machine(&mut self, name: &str, address: &str, weight: u64) {
        let name = machine(name);
        if name.is_empty()
            || name.len() > 63
            || name.contains(['/', ' ', ':'])
            || self.partial.machines.len() >= FACTS
        {
            return;
        }
        if let Some(a) =
            net::parse_address(address).filter(|a| !a.is_loopback() && !a.is_unspecified())
        {
            *self
                .partial
                .machines
                .entry((name, a.to_string()))
                .or_default() += weight;
        }
    }

    pub fn finish(mut self) -> Partial {
        self.partial.settle();
        self.partial
    }

    /// What [`FileIntake::finish`] would give if the file ended here.
    pub fn so_far(&self) -> Partial {
        let mut p = self.partial.clone();
        p.settle();
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

/// First label of a host name in lower case: `FS-RH01.ch.example` and `fs-rh01` are one machine. Empty for an address or a placeholder.
pub fn machine(host: &str) -> String {
    let h = host.trim().trim_start_matches('\\');
    if h.parse::<std::net::IpAddr>().is_ok() || is_placeholder(h) {
        return String::new();
    }
    clip(h.split('.').next().unwrap_or(h), 64).to_lowercase()
}

/// The fragment of `list` that `time` falls into, joined with its neighbours when it bridges them.
fn place(list: &mut Vec<Fragment>, time: Nanos, limit: Nanos, texts: &Texts) -> usize {
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
    list.insert(i, Fragment::new(time));
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
            counts: SessionCounts::default(),
            traits: Traits {
                began: time,
                ..Traits::default()
            },
        }
    }

    /// Takes over another stretch of the same session.
    pub(crate) fn join(&mut self, o: Fragment, texts: &Texts) {
        self.from = self.from.min(o.from);
        self.to = self.to.max(o.to);
        self.fingerprint = self.fingerprint.wrapping_add(o.fingerprint);
        self.opened |= o.opened;
        self.closed |= o.closed;
        let (a, b) = (&mut self.counts, &o.counts);
        a.events += b.events;
        a.bytes_in = a.bytes_in.saturating_add(b.bytes_in);
        a.bytes_out = a.bytes_out.saturating_add(b.bytes_out);
        a.logins += b.logins;
        a.failures += b.failures;
        a.requests += b.requests;
        a.reads += b.reads;
        a.searches += b.searches;
        a.exports += b.exports;
        a.writes += b.writes;
        a.files += b.files;
        a.queries += b.queries;
        self.traits.join(o.traits, texts);
    }

    fn add(
        &mut self,
        texts: &mut Texts,
        e: &Event<'_>,
        named: Option<&Named>,
        hash: u64,
        hour: Option<usize>,
    ) {
        self.fingerprint = self.fingerprint.wrapping_add(hash | 1);
        let c = &mut self.counts;
        let f = &mut self.traits;
        let failed = e.outcome == Outcome::Failure;
        match e.verb {
            Verb::Login if failed => c.failures += 1,
            Verb::Login => c.logins += 1,
            Verb::Request => c.requests += 1,
            Verb::Read => c.reads += 1,
            Verb::Search => c.searches += 1,
            Verb::Export => c.exports += 1,
            Verb::FileRead => c.files += 1,
            Verb::Query => c.queries += 1,
            v if v.writes() => c.writes += 1,
            _ => {}
        }
        self.opened |=
            matches!(e.verb, Verb::TunnelUp | Verb::Connect) || (e.verb == Verb::Login && !failed);
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
        if let Some(n) = borrowed.as_ref().or(named) {
            let known = f
                .accounts
                .iter()
                .position(|a| texts.get(a.canonical) == n.canonical);
            match known {
                Some(at) => {
                    let a = &mut f.accounts[at];
                    a.rows += 1;
                    let (system, name) = (n.account.system, n.account.name.as_str());
                    if (system, name) < (a.system, texts.get(a.name)) {
                        (a.system, a.name) = (system, texts.put(name));
                    }
                }
                None if f.accounts.len() < TOKENS => {
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
        if !e.request_id.is_empty() {
            f.requests.add(text_hash(&e.request_id), TOKENS);
        }
        if !e.target.is_empty() && f.targets.len() < TOKENS && e.time != NO_TIME {
            let a = Account::parse(&e.target);
            let k = if a.system == System::Unknown {
                format!("ad:{}", a.bare())
            } else {
                canonical(&a)
            };
            f.target(texts.put(&k), e.time);
        }
        for s in e.subject_list() {
            f.subjects.add(text_hash(s), SKETCH);
        }
        if e.verb.may_show() || e.verb.writes() {
            let path = &*e.file_path;
            let text: &str = if !path.is_empty() {
                path
            } else if !e.url.is_empty() {
                &e.url
            } else if !e.query.is_empty() {
                &e.query
            } else {
                &e.object
            };
            if !text.is_empty() {
                f.objects.add(text_hash(text), SKETCH);
            }
            if e.verb == Verb::FileRead && !path.is_empty() {
                f.files.add(text_hash(path), SKETCH);
            }
            if e.time != NO_TIME && f.may_ask(e.time) {
                let a = ask_of(e);
                let asked = Asked {
                    at: e.time,
                    stem: texts.put(&a.stem),
                    prefix: a.prefix,
                    range: a.range,
                    exact: a.exact,
                    numbered: a.number.is_some(),
                    number: a.number.unwrap_or(0),
                };
                f.ask(texts, asked);
            }
        }
        if e.logon_type != NONE && e.logon_type < 32 {
            f.logon_types |= 1 << e.logon_type;
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
            Verb::BreakGlass => f.break_glass += 1,
            Verb::AuditOff | Verb::AuditClear => f.tampering += 1,
            _ => {}
        }
    }
}

pub(crate) fn text_hash(s: &str) -> u64 {
    let mut h = FxHasher::default();
    h.write(s.as_bytes());
    h.finish()
}

/// Hash of what a row says, without its place: equal for a line delivered twice.
fn row_hash(e: &Event<'_>) -> u64 {
    let mut h = FxHasher::default();
    h.write_i64(e.time);
    h.write_u8(e.verb as u8);
    h.write_u8(e.outcome as u8);
    for t in [
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
    ] {
        h.write(t.as_bytes());
        h.write_u8(0xff);
    }
    for n in [
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
    ] {
        h.write_u64(n);
    }
    h.finish()
}

/// Remembers the last rows of a file in bounded memory, to see a line delivered twice near its first place.
#[derive(Default)]
struct Recent {
    now: FxHashSet<u64>,
    before: FxHashSet<u64>,
}
impl Recent {
    /// True when the row was not seen lately.
    fn insert(&mut self, h: u64) -> bool {
        if self.before.contains(&h) || !self.now.insert(h) {
            return false;
        }
        if self.now.len() >= 1 << 17 {
            self.before = std::mem::take(&mut self.now);
        }
        true
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
fn ask_of(e: &Event<'_>) -> Ask {
    let mut a = Ask::default();
    let criteria = if !e.query.is_empty() {
        &*e.query
    } else {
        e.url.split_once('?').map_or("", |(_, q)| q)
    };
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
    if criteria.is_empty() {
        let path = if e.url.is_empty() {
            &*e.object
        } else {
            &*e.url
        };
        a.number = last_number(clip(path, 512));
        a.exact = a.number.is_some() && e.verb != Verb::FileRead;
    }
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
    s.rsplit(|c: char| !c.is_ascii_digit())
        .find(|d| !d.is_empty() && d.len() <= 15)
        .and_then(|d| d.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::{Event, Verb, ask_of};

    /// A number at the end of a range names nobody; one a column equals does, whatever range stands beside it.
    #[test]
    fn the_ends_of_a_range_name_nobody() {
        let shape = |sql: &str| {
            let a = ask_of(&Event {
                verb: Verb::Query,
                query: sql.into(),
                ..Event::default()
            });
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
