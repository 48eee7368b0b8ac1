//! One file, seen as it is decoded.
use super::numbers::Numbers;
use ampleur_event::{
    Capability, Event, EventBatch, GapSign, Nanos, Outcome, System, Verb,
    batch::{Column, NONE, TextColumn},
    time::{MINUTE, NO_TIME},
};
use ampleur_session::{NO_PARTY, Parties};
use ampleur_sources::{Decoded, Reject, syslog};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{Hash, Hasher},
};

/// Number of a file in the case.
pub type FileId = u32;

pub(super) const REJECTS_KEPT: usize = 4096;
const MARKS_KEPT: usize = 4096;
const TOUCHES_KEPT: usize = 1 << 20;
const IDS_KEPT: usize = 1 << 18;
const STARTS_KEPT: usize = 1 << 17;
const ADDRESSES_KEPT: usize = 1 << 16;
const CLASSES_KEPT: usize = 2048;
const NAMES_KEPT: usize = 1 << 15;
/// An address that was silent this long starts anew when it speaks.
const PAUSE: Nanos = 10 * MINUTE;

/// Counts of one file, as conservation has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub records: u64,
    pub events: u64,
    pub rejects: u64,
    pub skipped: u64,
    /// The input could not be read to its end (broken compression, read error).
    pub cut_short: bool,
}

impl Counts {
    pub fn of(d: &Decoded) -> Counts {
        Counts {
            records: d.records,
            events: d.event_count,
            rejects: d.reject_count,
            skipped: d.skipped,
            cut_short: false,
        }
    }
}

/// A record that could not be decoded, kept as a possible access.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RejectMark {
    pub file: FileId,
    pub record: u64,
    /// Its own time twice when readable, else that of the event before and the event after it; [`NO_TIME`] when there is none.
    pub after: Nanos,
    pub before: Nanos,
    /// Readable start, at most 512 bytes. Evidence: may hold personal data.
    pub readable: String,
}

/// The source's word about its own auditing, or about its life.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub time: Nanos,
    pub verb: Verb,
    pub host: String,
}

/// One minute in which the source spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bin {
    pub count: u64,
    pub first: Nanos,
    pub last: Nanos,
}

/// Keeps items by a hash of what they are about, so that two sources keep the same ones whatever their size.
#[derive(Debug, Clone)]
pub(super) struct Sample<T> {
    pub items: Vec<(u64, T)>,
    /// Only hashes whose lowest `level` bits are zero are kept.
    pub level: u32,
    pub limit: usize,
}

impl<T> Sample<T> {
    pub fn new(limit: usize) -> Self {
        Sample {
            items: Vec::new(),
            level: 0,
            limit,
        }
    }
    /// Empty, thinned like another.
    pub fn like<U>(other: &Sample<U>) -> Self {
        Sample {
            items: Vec::new(),
            level: other.level,
            limit: other.limit,
        }
    }
    #[inline]
    pub fn push(&mut self, key: u64, item: T) {
        if kept(key, self.level) {
            // What does not stay makes room first: the list never grows beyond its limit.
            if self.items.len() >= self.limit && self.level < 40 {
                self.make_room(key);
                if !kept(key, self.level) {
                    return;
                }
            }
            if self.items.len() == self.items.capacity() {
                self.grow();
            }
            self.items.push((key, item));
        }
    }
    /// A list that is long already will often be full: it gets its place at once, and is not moved again and again. What is not
    /// filled of it is not taken from the machine.
    #[cold]
    fn grow(&mut self) {
        const LONG: usize = 1 << 14;
        if self.items.len() >= LONG {
            self.items
                .reserve_exact(self.limit.saturating_sub(self.items.len()));
        }
    }
    #[cold]
    fn make_room(&mut self, key: u64) {
        while self.items.len() + usize::from(kept(key, self.level)) > self.limit && self.level < 40
        {
            self.level += 1;
            let level = self.level;
            self.items.retain(|(k, _)| kept(*k, level));
        }
    }
    pub fn thin(&mut self, level: u32) {
        if level > self.level {
            self.level = level;
            self.items.retain(|(k, _)| kept(*k, level));
            self.items.shrink_to_fit();
        }
    }
    /// What would be left of it at a level.
    pub fn kept_at(&self, level: u32) -> impl Iterator<Item = &(u64, T)> {
        self.items.iter().filter(move |(k, _)| kept(*k, level))
    }
    pub fn absorb(&mut self, other: Sample<T>) {
        self.thin(other.level);
        for (k, t) in other.items {
            self.push(k, t);
        }
    }
}

fn kept(key: u64, level: u32) -> bool {
    key & ((1u64 << level) - 1) == 0
}

/// A stable hash: same text, same number, on every machine and run.
pub(super) fn hash(text: &str) -> u64 {
    let mut h = FxHasher::default();
    text.hash(&mut h);
    // The multiplicative hash leaves its low bits poor; sampling looks at those.
    let x = h.finish();
    let x = (x ^ (x >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x ^ (x >> 29)
}

/// One access as two sources could both see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Touch {
    pub time: Nanos,
    /// Hash of the action's shape.
    pub class: u32,
    /// It was answered. A refused request shows nothing, and many journals stay silent about it.
    pub served: bool,
}

/// Looks at one file. Feed every batch in file order, and the rejects of a stretch before its events: record numbers put each
/// reject between its neighbours.
pub struct Observer {
    o: Observation,
    minute: i64,
    bin: Bin,
    last_time: Nanos,
    /// Rejects whose place is not reached yet, first record last.
    waiting: Vec<(u64, Option<Nanos>, String)>,
    open_rejects: usize,
    /// The file's source takes syslog of anything.
    headers: bool,
    /// Client → its place in `spoken`.
    speaking: FxHashMap<u64, u32>,
    /// When each client spoke last, [`NO_TIME`] before it did.
    spoken: Vec<Nanos>,
    /// How often they were forgotten.
    silences: u32,
    host: String,
    /// Written anew for every row whose class is not met lately.
    shape: String,
    met: [Met; 16],
    /// User → hash of its bare name, for each system and domain it came with.
    names: FxHashMap<Box<str>, Vec<Known>>,
    names_kept: usize,
    /// Those of `classes`, and that of the row before.
    classes_known: FxHashSet<u32>,
    class_before: Option<u32>,
    /// By number of party, of one of their lives.
    heard: Vec<Option<Heard>>,
    life: u32,
    /// Of a file whose rows nobody else numbers.
    parties: Option<Box<Parties>>,
}

/// What rows of a party are to coverage, worked out with the first of them that has a time.
#[derive(Clone, Copy)]
struct Heard {
    /// Its rows are to be looked at one by one.
    single: bool,
    vague: bool,
    untold: bool,
    client: Option<u64>,
    account: Option<u64>,
    /// The client's place among those that spoke, while `silences` is this.
    speaker: (u32, u32),
    /// The stream of its numbers, where a host has one.
    stream: Option<u32>,
}

type Known = (System, Box<str>, Option<u64>);

/// What was seen in one file. Small, whatever the size of the file.
#[derive(Debug, Clone)]
pub struct Observation {
    pub file: FileId,
    pub source: u32,
    pub format: String,
    pub counts: Counts,
    pub(super) capability: Option<Capability>,
    pub(super) bins: BTreeMap<i64, Bin>,
    pub(super) numbers: Numbers,
    pub(super) marks: Vec<Mark>,
    pub(super) rejects: Vec<RejectMark>,
    /// Of them, without a time of their own, those before the first event of the file and those behind its last.
    open: (usize, usize),
    /// Records of programs nobody knows, kept for their header alone.
    pub(super) untold: u64,
    /// Records of which nothing but a time is understood.
    pub(super) vague: u64,
    pub(super) hosts: BTreeSet<String>,
    pub(super) systems: BTreeSet<System>,
    /// Accesses by client address, and by account.
    pub(super) by_address: Sample<Touch>,
    pub(super) by_account: Sample<Touch>,
    pub(super) by_request: Sample<Nanos>,
    /// An address spoke after a pause.
    pub(super) starts: Sample<Nanos>,
    /// An address logged in.
    pub(super) logins: Sample<Nanos>,
    /// A tunnel came up, by lent address.
    pub(super) tunnels: Sample<Nanos>,
    /// A tunnel went down, by lent address.
    pub(super) downs: Sample<Nanos>,
    /// Neighbourhood (/24) of private addresses that begin to speak or that tunnels lend.
    pub(super) near: BTreeMap<u64, u64>,
    pub(super) classes: BTreeMap<u32, String>,
}

impl Observation {
    /// First and last instant, `None` when no row had a time.
    pub fn span(&self) -> Option<(Nanos, Nanos)> {
        let a = self.bins.values().next()?.first;
        let b = self.bins.values().next_back()?.last;
        Some((a, b))
    }
    /// Adds `by` to every instant: the clock of the source is put right before anything is said of it.
    pub(super) fn shift(&mut self, by: Nanos) {
        let mut bins = BTreeMap::new();
        for b in self.bins.values() {
            let b = Bin {
                count: b.count,
                first: b.first.saturating_add(by),
                last: b.last.saturating_add(by),
            };
            merge_bin(&mut bins, b.first.div_euclid(MINUTE), b);
        }
        self.bins = bins;
        self.numbers.shift(by);
        for m in &mut self.marks {
            m.time = m.time.saturating_add(by);
        }
        for r in &mut self.rejects {
            if r.after != NO_TIME {
                r.after = r.after.saturating_add(by);
                r.before = r.before.saturating_add(by);
            }
        }
        for s in [&mut self.by_address, &mut self.by_account] {
            for (_, t) in &mut s.items {
                t.time = t.time.saturating_add(by);
            }
        }
        for s in [
            &mut self.by_request,
            &mut self.starts,
            &mut self.logins,
            &mut self.tunnels,
            &mut self.downs,
        ] {
            for (_, t) in &mut s.items {
                *t = t.saturating_add(by);
            }
        }
    }
    /// Joins another file of the same source.
    pub(super) fn absorb(&mut self, other: Observation) {
        self.counts.records += other.counts.records;
        self.counts.events += other.counts.events;
        self.counts.rejects += other.counts.rejects;
        self.untold += other.untold;
        self.vague += other.vague;
        self.counts.skipped += other.counts.skipped;
        self.counts.cut_short |= other.counts.cut_short;
        self.capability = self.capability.or(other.capability);
        for (m, b) in other.bins {
            merge_bin(&mut self.bins, m, b);
        }
        self.numbers.absorb(other.numbers);
        self.marks.extend(other.marks);
        self.marks.sort();
        self.marks.dedup();
        self.marks.truncate(MARKS_KEPT);
        self.rejects.extend(other.rejects);
        self.rejects.sort();
        self.rejects.truncate(4 * REJECTS_KEPT);
        self.hosts.extend(other.hosts);
        self.systems.extend(other.systems);
        self.by_address.absorb(other.by_address);
        self.by_account.absorb(other.by_account);
        self.by_request.absorb(other.by_request);
        self.starts.absorb(other.starts);
        self.logins.absorb(other.logins);
        self.tunnels.absorb(other.tunnels);
        self.downs.absorb(other.downs);
        for (k, v) in other.near {
            if self.near.len() < ADDRESSES_KEPT {
                self.near.entry(k).or_insert(v);
            }
        }
        for (k, v) in other.classes {
            if self.classes.len() < CLASSES_KEPT {
                self.classes.entry(k).or_insert(v);
            }
        }
    }
}

/// Puts the records nobody can read at the ends of files between their neighbours in the files before and behind.
pub(super) fn between_files(list: &mut [Observation]) {
    let spans: Vec<(u32, Option<(Nanos, Nanos)>)> =
        list.iter().map(|o| (o.source, o.span())).collect();
    for (i, o) in list.iter_mut().enumerate() {
        let (Some((first, last)), (head, tail)) = (spans[i].1, o.open) else {
            continue;
        };
        if (head, tail) == (0, 0) {
            continue;
        }
        let others = || {
            let others = spans
                .iter()
                .enumerate()
                .filter(|(j, x)| *j != i && x.0 == o.source);
            others.filter_map(|(_, x)| x.1)
        };
        let next = others().map(|x| x.0).filter(|t| *t >= last).min();
        let before = others().map(|x| x.1).filter(|t| *t <= first).max();
        if let Some(t) = next {
            let from = o.rejects.len().saturating_sub(tail);
            o.rejects[from..].iter_mut().for_each(|r| r.before = t);
        }
        if let Some(t) = before {
            o.rejects.iter_mut().take(head).for_each(|r| r.after = t);
        }
    }
}

/// Observations of files as they come in, in any order. What their sources together would not keep is dropped at once.
#[derive(Debug, Default)]
pub struct Gathered {
    by_source: BTreeMap<u32, Vec<Observation>>,
}

impl Gathered {
    pub fn take(&mut self, o: Observation) {
        let list = self.by_source.entry(o.source).or_default();
        list.push(o);
        thin_together(list, |o| &mut o.by_address);
        thin_together(list, |o| &mut o.by_account);
        thin_together(list, |o| &mut o.by_request);
        thin_together(list, |o| &mut o.starts);
        thin_together(list, |o| &mut o.logins);
        thin_together(list, |o| &mut o.tunnels);
        thin_together(list, |o| &mut o.downs);
    }
    /// In order of file.
    pub fn into_list(self) -> Vec<Observation> {
        let mut list: Vec<Observation> = self.by_source.into_values().flatten().collect();
        list.sort_by_key(|o| o.file);
        list
    }
}

/// More than one sample keeps of so many files will not be kept of all: what goes does not depend on when it goes.
fn thin_together<T>(list: &mut [Observation], of: impl Fn(&mut Observation) -> &mut Sample<T>) {
    let level = |list: &mut [Observation]| list.iter_mut().map(|o| of(o).level).max().unwrap_or(0);
    loop {
        let level = level(list);
        let (mut sum, mut limit) = (0, 0);
        for o in list.iter_mut() {
            let sample = of(o);
            sample.thin(level);
            sum += sample.items.len();
            limit = sample.limit;
        }
        if sum <= limit || level >= 40 {
            break;
        }
        for o in list.iter_mut() {
            of(o).thin(level + 1);
        }
    }
}

fn merge_bin(bins: &mut BTreeMap<i64, Bin>, minute: i64, b: Bin) {
    bins.entry(minute)
        .and_modify(|x| {
            x.count += b.count;
            x.first = x.first.min(b.first);
            x.last = x.last.max(b.last);
        })
        .or_insert(b);
}

impl Observer {
    /// `format` is the name in the registry of sources; its capability sheet says what its rows and its silence prove.
    pub fn new(file: FileId, source: u32, format: &str) -> Observer {
        let capability = ampleur_sources::by_name(format).map(|s| s.capability());
        Observer::with_capability(file, source, format, capability)
    }
    /// The same under a capability sheet given by the caller.
    pub fn with_capability(
        file: FileId,
        source: u32,
        format: &str,
        capability: Option<Capability>,
    ) -> Observer {
        Observer {
            o: Observation {
                file,
                source,
                format: format.to_string(),
                counts: Counts::default(),
                capability,
                bins: BTreeMap::new(),
                numbers: Numbers::new(capability.map_or(GapSign::RateOnly, |c| c.gap)),
                marks: vec![],
                rejects: vec![],
                open: (0, 0),
                untold: 0,
                vague: 0,
                hosts: BTreeSet::new(),
                systems: BTreeSet::new(),
                by_address: Sample::new(TOUCHES_KEPT),
                by_account: Sample::new(TOUCHES_KEPT),
                by_request: Sample::new(IDS_KEPT),
                starts: Sample::new(STARTS_KEPT),
                logins: Sample::new(STARTS_KEPT),
                tunnels: Sample::new(STARTS_KEPT),
                downs: Sample::new(STARTS_KEPT),
                near: BTreeMap::new(),
                classes: BTreeMap::new(),
            },
            minute: i64::MIN,
            bin: Bin {
                count: 0,
                first: 0,
                last: 0,
            },
            last_time: NO_TIME,
            waiting: vec![],
            open_rejects: 0,
            headers: format == "syslog",
            speaking: FxHashMap::default(),
            spoken: vec![],
            silences: 0,
            host: String::new(),
            shape: String::new(),
            met: Default::default(),
            names: FxHashMap::default(),
            names_kept: 0,
            classes_known: FxHashSet::default(),
            class_before: None,
            heard: vec![],
            life: 0,
            parties: None,
        }
    }

    /// The next rows of the file.
    pub fn batch(&mut self, batch: &EventBatch) {
        let mut parties = self.parties.take().unwrap_or_default();
        parties.read(batch);
        self.batch_known(batch, &parties);
        self.parties = Some(parties);
    }

    /// The same, of a batch that `parties` has just read; they have read every batch of the file.
    pub fn batch_known(&mut self, batch: &EventBatch, parties: &Parties) {
        if self.life != parties.life() {
            self.life = parties.life();
            self.heard.clear();
        }
        if self.heard.len() < parties.count() {
            self.heard.resize(parties.count(), None);
        }
        let rows = Rows::of(batch);
        for (i, number) in parties.numbers().iter().enumerate() {
            let heard = match *number {
                NO_PARTY => None,
                _ if rows.times[i] == NO_TIME => None,
                n => {
                    let known = &mut self.heard[n as usize];
                    match known {
                        Some(h) => Some(*h),
                        None => {
                            let h = self.hear(&batch.get(i));
                            self.heard[n as usize] = Some(h);
                            Some(h)
                        }
                    }
                }
            };
            match heard.filter(|h| !h.single) {
                Some(h) => self.again(&rows, i, *number, h),
                None => self.row(&batch.get(i)),
            }
        }
    }

    fn hear(&mut self, e: &Event<'_>) -> Heard {
        let single = matches!(
            e.verb,
            Verb::AuditOff
                | Verb::AuditOn
                | Verb::AuditClear
                | Verb::Restart
                | Verb::TunnelUp
                | Verb::TunnelDown
                | Verb::Heartbeat
        );
        let mut heard = Heard {
            single,
            vague: e.verb == Verb::Other,
            untold: self.untold(e),
            client: None,
            account: None,
            speaker: (0, 0),
            stream: None,
        };
        if single {
            return heard;
        }
        self.surroundings(e);
        let client = client_of(&e.forwarded, &e.src_ip);
        heard.client = (!client.is_empty()).then(|| hash(client));
        if comparable(e.verb) {
            heard.account = self.account(e);
        }
        if e.seq != NONE && !self.o.numbers.by_session() {
            heard.stream = self.o.numbers.stream(&e.host, "");
        }
        heard
    }

    /// True of a record kept for its header alone.
    fn untold(&self, e: &Event<'_>) -> bool {
        self.headers && e.verb == Verb::Other && !syslog::keeps_house(&e.process)
    }

    /// The host and the system of a row with a time.
    fn surroundings(&mut self, e: &Event<'_>) {
        if self.host != *e.host {
            self.host.clear();
            self.host.push_str(&e.host);
            if self.o.hosts.len() < 64 && !e.host.is_empty() {
                self.o.hosts.insert(e.host.to_string());
            }
        }
        if e.system != System::Unknown && !e.user.is_empty() {
            self.o.systems.insert(e.system);
        }
    }

    /// A row of a known party, with a time: what [`Observer::row`] makes of it.
    fn again(&mut self, rows: &Rows<'_>, i: usize, number: u32, heard: Heard) {
        self.o.counts.events += 1;
        self.o.vague += u64::from(heard.vague);
        self.o.untold += u64::from(heard.untold);
        if !self.waiting.is_empty() {
            let record = rows.records[i];
            while self.waiting.last().is_some_and(|r| r.0 < record) {
                self.place_reject();
            }
        }
        let t = rows.times[i];
        self.tick(t);
        let at = |column: Option<&[u64]>| column.map_or(NONE, |c| c[i]);
        let seq = at(rows.seq);
        if seq != NONE {
            let stream = match heard.stream {
                Some(stream) => Some(stream),
                None => (self.o.numbers).stream(rows.host.get(i), rows.session_id.get(i)),
            };
            self.o.numbers.see_in(stream, seq, t);
        }
        let (verb, outcome) = (
            Verb::from_code(rows.verbs[i]),
            Outcome::from_code(rows.outcomes[i]),
        );
        let compared = comparable(verb);
        let touch = compared.then(|| {
            let (method, url) = (rows.http_method.get(i), rows.url.get(i));
            Touch {
                time: t,
                class: self.class(method, url, verb),
                served: served(outcome, at(rows.status)),
            }
        });
        if let Some(who) = heard.client {
            if verb == Verb::Login && outcome != Outcome::Failure {
                self.o.logins.push(who, t);
            }
            if speaks(verb) {
                let known = (heard.speaker.1 == self.silences + 1).then_some(heard.speaker.0);
                let place = known.unwrap_or_else(|| {
                    let place = self.speaker(who);
                    if let Some(Some(h)) = self.heard.get_mut(number as usize) {
                        h.speaker = (place, self.silences + 1);
                    }
                    place
                });
                let begun = begun(verb, t, at(rows.duration));
                if self.spoke(place, t, begun) {
                    self.o.starts.push(who, begun);
                    self.place(client_of(rows.forwarded.get(i), rows.src_ip.get(i)));
                }
            }
            if let Some(touch) = touch {
                self.o.by_address.push(who, touch);
            }
        }
        if let Some(touch) = touch {
            if let Some(who) = heard.account {
                self.o.by_account.push(who, touch);
            }
            let request = rows.request_id.get(i);
            if !request.is_empty() {
                self.o.by_request.push(hash(request), t);
            }
        }
    }

    /// The place of a client among those that spoke.
    fn speaker(&mut self, who: u64) -> u32 {
        if let Some(place) = self.speaking.get(&who) {
            return *place;
        }
        if self.speaking.len() >= ADDRESSES_KEPT {
            self.speaking.clear();
            self.spoken.clear();
            self.silences += 1;
        }
        let place = self.spoken.len() as u32;
        self.speaking.insert(who, place);
        self.spoken.push(NO_TIME);
        place
    }

    /// Notes that a client speaks; true when it did not for a while.
    fn spoke(&mut self, place: u32, t: Nanos, begun: Nanos) -> bool {
        let last = std::mem::replace(&mut self.spoken[place as usize], t);
        last == NO_TIME || begun.saturating_sub(last) > PAUSE
    }

    /// The next row of the file.
    pub fn row(&mut self, e: &Event<'_>) {
        self.o.counts.events += 1;
        self.o.vague += u64::from(e.verb == Verb::Other);
        self.o.untold += u64::from(self.untold(e));
        while self.waiting.last().is_some_and(|r| r.0 < e.record) {
            self.place_reject();
        }
        let t = e.time;
        if t == NO_TIME {
            return;
        }
        self.tick(t);
        self.surroundings(e);
        if e.seq != NONE {
            self.o.numbers.see(&e.host, &e.session_id, e.seq, t);
        }
        match e.verb {
            Verb::AuditOff | Verb::AuditOn | Verb::AuditClear | Verb::Restart
                if self.o.marks.len() < MARKS_KEPT =>
            {
                self.o.marks.push(Mark {
                    time: t,
                    verb: e.verb,
                    host: e.host.to_string(),
                });
            }
            Verb::TunnelUp if !e.inner_ip.is_empty() => {
                self.o.tunnels.push(hash(&e.inner_ip), t);
                self.place(&e.inner_ip);
            }
            Verb::TunnelDown if !e.inner_ip.is_empty() => self.o.downs.push(hash(&e.inner_ip), t),
            Verb::Heartbeat => return,
            _ => {}
        }
        let client = client_of(&e.forwarded, &e.src_ip);
        let begun = begun(e.verb, t, e.duration_ms);
        let compared = comparable(e.verb);
        let served = served(e.outcome, e.status);
        let class = if compared {
            self.class(&e.http_method, &e.url, e.verb)
        } else {
            0
        };
        if !client.is_empty() {
            let who = hash(client);
            if e.verb == Verb::Login && e.outcome != Outcome::Failure {
                self.o.logins.push(who, t);
            }
            if speaks(e.verb) {
                let place = self.speaker(who);
                if self.spoke(place, t, begun) {
                    self.o.starts.push(who, begun);
                    self.place(client);
                }
            }
            if compared {
                self.o.by_address.push(
                    who,
                    Touch {
                        time: t,
                        class,
                        served,
                    },
                );
            }
        }
        if compared {
            if let Some(who) = self.account(e) {
                self.o.by_account.push(
                    who,
                    Touch {
                        time: t,
                        class,
                        served,
                    },
                );
            }
            if !e.request_id.is_empty() {
                self.o.by_request.push(hash(&e.request_id), t);
            }
        }
    }

    /// Rejects of the file, in order. Their place between events is kept, so that a cut line is not taken for silence.
    pub fn rejects(&mut self, rejects: &[Reject]) {
        self.o.counts.rejects += rejects.len() as u64;
        self.waiting.reverse();
        for r in rejects {
            self.waiting.push((
                r.record,
                r.time.filter(|t| *t != NO_TIME),
                r.readable.clone(),
            ));
        }
        self.waiting.sort_by_key(|r| r.0);
        self.waiting.reverse();
        // Binary waste makes a reject of every line; only the first are worth their memory.
        if self.waiting.len() > 4 * REJECTS_KEPT {
            self.place_reject();
            let from = self.waiting.len() - REJECTS_KEPT;
            self.waiting.drain(..from);
        }
    }

    fn place_reject(&mut self) {
        let Some((record, own, readable)) = self.waiting.pop() else {
            return;
        };
        if let Some(t) = own {
            self.tick(t);
        }
        if self.o.rejects.len() < REJECTS_KEPT {
            self.o.rejects.push(RejectMark {
                file: self.o.file,
                record,
                after: own.unwrap_or(self.last_time),
                before: own.unwrap_or(NO_TIME),
                readable,
            });
        }
    }

    pub fn finish(mut self, counts: Counts) -> Observation {
        while !self.waiting.is_empty() {
            self.place_reject();
        }
        // What was cut at the very end or beginning lies after or before everything known.
        for r in &mut self.o.rejects {
            if r.before == NO_TIME {
                r.before = r.after;
                self.o.open.1 += usize::from(r.after != NO_TIME);
            } else if r.after == NO_TIME {
                r.after = r.before;
                self.o.open.0 += 1;
            }
        }
        self.flush();
        self.o.counts = counts;
        for touches in [&mut self.o.by_address, &mut self.o.by_account] {
            touches.items.shrink_to_fit();
        }
        for times in [
            &mut self.o.by_request,
            &mut self.o.starts,
            &mut self.o.logins,
            &mut self.o.tunnels,
            &mut self.o.downs,
        ] {
            times.items.shrink_to_fit();
        }
        self.o.numbers.settle();
        self.o
    }

    fn tick(&mut self, t: Nanos) {
        while let Some(r) = self.o.rejects.get_mut(self.open_rejects) {
            if r.before == NO_TIME {
                r.before = t;
            }
            self.open_rejects += 1;
        }
        self.last_time = t;
        let minute = t.div_euclid(MINUTE);
        if minute == self.minute {
            self.bin.count += 1;
            self.bin.first = self.bin.first.min(t);
            self.bin.last = self.bin.last.max(t);
        } else {
            self.flush();
            self.minute = minute;
            self.bin = Bin {
                count: 1,
                first: t,
                last: t,
            };
        }
    }

    fn flush(&mut self) {
        if self.bin.count > 0 {
            merge_bin(&mut self.o.bins, self.minute, self.bin);
            self.bin.count = 0;
        }
    }

    /// Notes where a private address lies.
    fn place(&mut self, address: &str) {
        let Ok(a) = address.parse::<std::net::Ipv4Addr>() else {
            return;
        };
        if a.is_private() && self.o.near.len() < ADDRESSES_KEPT {
            let [x, y, z, _] = a.octets();
            self.o
                .near
                .insert(hash(address), hash(&format!("{x}.{y}.{z}")));
        }
    }
    /// Hash of the bare name of the acting account. Names come back, so they are taken apart once.
    fn account(&mut self, e: &Event<'_>) -> Option<u64> {
        if e.user.is_empty() {
            return None;
        }
        let is = |k: &&Known| k.0 == e.system && *k.1 == *e.domain;
        let known = self.names.get(&*e.user);
        if let Some(k) = known.and_then(|k| k.iter().find(is)) {
            return k.2;
        }
        let who = e.account().map(|a| hash(&a.bare()));
        if self.names_kept >= NAMES_KEPT {
            self.names.clear();
            self.names_kept = 0;
        }
        self.names_kept += 1;
        let known = (e.system, Box::from(&*e.domain), who);
        match self.names.get_mut(&*e.user) {
            Some(list) => list.push(known),
            None => {
                self.names.insert(Box::from(&*e.user), vec![known]);
            }
        }
        who
    }

    /// What a request asks for, without whom it asks for.
    fn class(&mut self, method: &str, url: &str, verb: Verb) -> u32 {
        let Some(fixed) = fixed_part(url) else {
            return self.class_of(method, url, verb);
        };
        let mut h = FxHasher::default();
        h.write(fixed.as_bytes());
        let at = (h.finish() >> 60) as usize;
        let met = &self.met[at];
        if met.whole == (fixed.len() == url.len()) && met.fixed == fixed && met.method == method {
            return met.class;
        }
        let class = self.class_of(method, url, verb);
        let met = &mut self.met[at];
        met.whole = fixed.len() == url.len();
        met.class = class;
        for (kept, now) in [(&mut met.fixed, fixed), (&mut met.method, method)] {
            kept.clear();
            kept.push_str(now);
        }
        class
    }

    fn class_of(&mut self, method: &str, url: &str, verb: Verb) -> u32 {
        let mut shape = std::mem::take(&mut self.shape);
        shape.clear();
        if url.is_empty() {
            shape.push_str(verb.word());
        } else {
            shape.push_str(method);
            shape.push(' ');
            shape_of(url, &mut shape);
        }
        let class = (hash(&shape) >> 16) as u32;
        if self.class_before != Some(class) {
            self.class_before = Some(class);
            if self.o.classes.len() < CLASSES_KEPT && self.classes_known.insert(class) {
                self.o.classes.insert(class, shape.clone());
            }
        }
        self.shape = shape;
        class
    }
}

/// Columns of a batch, as far as rows of known parties are read from them.
struct Rows<'b> {
    times: &'b [Nanos],
    verbs: &'b [u8],
    outcomes: &'b [u8],
    records: &'b [u64],
    seq: Option<&'b [u64]>,
    status: Option<&'b [u64]>,
    duration: Option<&'b [u64]>,
    host: &'b TextColumn,
    session_id: &'b TextColumn,
    forwarded: &'b TextColumn,
    src_ip: &'b TextColumn,
    http_method: &'b TextColumn,
    url: &'b TextColumn,
    request_id: &'b TextColumn,
}

impl<'b> Rows<'b> {
    fn of(batch: &'b EventBatch) -> Rows<'b> {
        static NOTHING: std::sync::OnceLock<TextColumn> = std::sync::OnceLock::new();
        let text = |name| match batch.text(name) {
            Some(column) => column,
            None => NOTHING.get_or_init(TextColumn::default),
        };
        let numbers = |name| match batch.column(name) {
            Some(Column::Numbers(numbers)) => Some(numbers),
            _ => None,
        };
        Rows {
            times: batch.times(),
            verbs: batch.verbs(),
            outcomes: match batch.column("outcome") {
                Some(Column::Codes(codes)) => codes,
                _ => &[],
            },
            records: numbers("record").unwrap_or_default(),
            seq: numbers("seq"),
            status: numbers("status"),
            duration: numbers("duration_ms"),
            host: text("host"),
            session_id: text("session_id"),
            forwarded: text("forwarded"),
            src_ip: text("src_ip"),
            http_method: text("http_method"),
            url: text("url"),
            request_id: text("request_id"),
        }
    }
}

/// The client a row names: the first address forwarded, else where it came from.
fn client_of<'a>(forwarded: &'a str, src_ip: &'a str) -> &'a str {
    let first = forwarded.split(',').next().map(str::trim);
    first
        .filter(|f| !f.is_empty() && *f != "-")
        .unwrap_or(src_ip)
}

/// When a row began: a flow is written at its end.
fn begun(verb: Verb, t: Nanos, duration_ms: u64) -> Nanos {
    match verb == Verb::Flow && duration_ms != NONE {
        true => t.saturating_sub((duration_ms.min(864_000_000) as i64) * 1_000_000),
        false => t,
    }
}

fn served(outcome: Outcome, status: u64) -> bool {
    outcome != Outcome::Failure && (status == NONE || (200..300).contains(&status))
}

/// True of what a client does that was silent before.
fn speaks(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::Login
            | Verb::Request
            | Verb::Flow
            | Verb::Read
            | Verb::Search
            | Verb::Connect
            | Verb::ShareConnect
            | Verb::Query
    )
}

fn comparable(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::Request
            | Verb::Read
            | Verb::Search
            | Verb::Export
            | Verb::Create
            | Verb::Update
            | Verb::Delete
            | Verb::BreakGlass
    )
}

/// A class met lately: of requests of this method whose path is `fixed`, with an id behind it unless it is `whole`.
#[derive(Default)]
struct Met {
    fixed: String,
    method: String,
    whole: bool,
    class: u32,
}

/// What a request without a query has in common with all of its shape: its path, up to the id where it ends with one. `None` of others,
/// and of what is better not kept.
fn fixed_part(url: &str) -> Option<&str> {
    const KEPT: usize = 128;
    let bytes = url.as_bytes();
    let ends = |ends: bool, b: &u8| ends | (*b == b'?') | (*b == b'#');
    if bytes.is_empty() || bytes.len() > KEPT || bytes.iter().fold(false, ends) {
        return None;
    }
    let tail = bytes.iter().rev().take_while(|b| **b != b'/');
    let (len, digits) = tail.fold((0, 0), |(len, digits), b| {
        (len + 1, digits + usize::from(b.is_ascii_digit()))
    });
    // A path of this one segment is no path before it.
    let before = bytes.len() - len;
    match len > 0 && before > 0 && is_id(len, digits) {
        true => url.get(..before),
        false => Some(url),
    }
}

/// True of a segment that looks like an id, from its bytes and the digits among them.
fn is_id(len: usize, digits: usize) -> bool {
    digits * 3 >= len || len > 32
}

/// The path of a request with everything that looks like an id replaced, at most eight segments; the query is left out.
fn shape_of(url: &str, out: &mut String) {
    let end = url.bytes().position(|b| matches!(b, b'?' | b'#'));
    let mut path = &url[..end.unwrap_or(url.len())];
    // Few have a colon at all.
    if path.bytes().any(|b| b == b':')
        && let Some((_, rest)) = path.split_once("://")
    {
        path = rest.find('/').map_or("/", |i| &rest[i..]);
    }
    // What stays as it is is copied in one piece, up to the next segment that does not.
    let (mut from, mut at, mut segments) = (0, 0, 0);
    let bytes = path.as_bytes();
    while segments < 8 && at < bytes.len() {
        if bytes[at] == b'/' {
            // Of several slashes one stays, and none at the end.
            if bytes.get(at + 1).is_none_or(|b| *b == b'/') {
                out.push_str(&path[from..at]);
                from = at + 1;
            }
            at += 1;
            continue;
        }
        let rest = &bytes[at..];
        let (mut len, mut digits) = (0, 0);
        while len < rest.len() && rest[len] != b'/' {
            digits += usize::from(rest[len].is_ascii_digit());
            len += 1;
        }
        segments += 1;
        if at == 0 {
            out.push('/');
        }
        if is_id(len, digits) {
            out.push_str(&path[from..at]);
            out.push_str("{id}");
            from = at + len;
        }
        at += len;
    }
    if from < at {
        out.push_str(&path[from..at]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn shapes_hide_ids_and_queries() {
        let shape_of = |url: &str| {
            let mut out = String::new();
            super::shape_of(url, &mut out);
            out
        };
        assert_eq!(
            shape_of("/fhir/Patient/9948302852?x=1"),
            "/fhir/Patient/{id}"
        );
        assert_eq!(
            shape_of("https://h.example/fhir/Patient/_search"),
            "/fhir/Patient/_search"
        );
    }
    proptest::proptest! {
        #[test]
        fn a_shape_is_its_segments(url in "(https?://h)?[/]{0,2}([a-z0-9é]{0,6}/{0,2}[?#]?){0,11}") {
            let path = url.split(['?', '#']).next().unwrap_or(&url);
            let path = path
                .split_once("://")
                .map_or(path, |(_, rest)| rest.find('/').map_or("/", |i| &rest[i..]));
            let mut slow = String::new();
            for seg in path.split('/').filter(|s| !s.is_empty()).take(8) {
                slow.push('/');
                let digits = seg.bytes().filter(u8::is_ascii_digit).count();
                slow.push_str(match digits * 3 >= seg.len() || seg.len() > 32 {
                    true => "{id}",
                    false => seg,
                });
            }
            let mut out = String::new();
            super::shape_of(&url, &mut out);
            proptest::prop_assert_eq!(out, slow);
        }
        #[test]
        fn a_class_met_lately_is_the_class(
            urls in proptest::collection::vec("(https?:/{0,2})?(/?(r4|Patient|a|[0-9]{1,3}|[0-9a-f]{30,34}|é1)){0,3}/?[?#]?", 1..40),
            methods in proptest::collection::vec("(GET|PUT|)", 40),
        ) {
            let mut o = Observer::new(0, 0, "");
            for (url, method) in urls.iter().zip(&methods).cycle().take(80) {
                let slow = Observer::new(0, 0, "").class_of(method, url, Verb::Request);
                proptest::prop_assert_eq!(o.class(method, url, Verb::Request), slow);
            }
        }
    }
    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        /// A batch says what its rows say one by one, whatever is known of their parties.
        #[test]
        fn a_batch_says_what_its_rows_say(
            few in proptest::collection::vec(proptest::collection::vec(0usize..1 << 20, 16), 1..12),
            order in proptest::collection::vec((0usize..12, 0usize..1 << 20, 0usize..30), 1..400),
            size in 1usize..150,
            format in 0usize..4,
        ) {
            let format = ["http-access", "syslog", "postgresql", "windows-security"][format];
            let mut one = Observer::new(0, 0, format);
            let mut all = Observer::new(0, 0, format);
            for o in [&mut one, &mut all] {
                o.o.by_address = Sample::new(40);
                o.o.starts = Sample::new(20);
            }
            let mut record = 0;
            let rows: Vec<Event<'static>> = order.iter().map(|(which, n, at)| {
                let mut seed = few[which % few.len()].clone();
                seed[0] = *n;
                if let Some(other) = seed.get_mut(*at) { *other = *n; }
                record += 2;
                made(&seed, record)
            }).collect();
            for rows in rows.chunks(size) {
                let reject = Reject {
                    record: rows[rows.len() / 2].record - 1,
                    offset: 0,
                    len: 1,
                    reason: ampleur_sources::Reason::Shape,
                    time: None,
                    readable: "?".into(),
                };
                let mut batch = EventBatch::default();
                one.rejects(std::slice::from_ref(&reject));
                all.rejects(&[reject]);
                for e in rows {
                    one.row(e);
                    batch.push(e);
                }
                all.batch(&batch);
            }
            let told = |o: Observer| format!("{:?}", o.finish(Counts::default()));
            proptest::prop_assert_eq!(told(one), told(all));
        }
    }

    /// A row of few people, places and pages, made from numbers: anything may meet anything.
    fn made(seed: &[usize], record: u64) -> Event<'static> {
        let pick = |at: usize, from: &[&'static str]| from[seed[at] % from.len()].into();
        let number = |at: usize, from: &[u64]| from[seed[at] % from.len()];
        let verbs = [
            Verb::Request,
            Verb::Request,
            Verb::Read,
            Verb::Login,
            Verb::Flow,
            Verb::Restart,
            Verb::TunnelUp,
            Verb::TunnelDown,
            Verb::Heartbeat,
            Verb::Update,
            Verb::AuditClear,
            Verb::Other,
        ];
        Event {
            record,
            time: match seed[0] % 40 {
                0 => NO_TIME,
                n => (seed[0] / 40 % 400 * n) as i64 * 10_000_000_000,
            },
            verb: verbs[seed[1] % verbs.len()],
            outcome: [Outcome::Success, Outcome::Failure, Outcome::Unknown][seed[2] % 3],
            system: [System::Web, System::Ad, System::Unknown][seed[3] % 3],
            user: pick(4, &["", "u1", "CHX\\u1", "-", "u2@x"]),
            domain: pick(5, &["", "CHX"]),
            src_ip: pick(6, &["", "10.1.2.3", "10.1.2.4", "198.19.7.7"]),
            inner_ip: pick(7, &["", "10.8.0.2"]),
            forwarded: pick(8, &["", "", "198.19.15.150", "10.7.7.7, 198.19.1.1", "-"]),
            session_id: pick(9, &["", "s1", "s2"]),
            request_id: pick(10, &["", "r1", "r2"]),
            host: pick(11, &["", "fs01", "fs02"]),
            process: pick(12, &["", "sshd", "cron", "thing"]),
            http_method: pick(13, &["", "GET"]),
            url: pick(14, &["", "/r4/Patient/1", "/r4/Patient?name=MAR", "/a/b"]),
            seq: number(15, &[NONE, 1, 2, 3, 4, 9]),
            status: number(13, &[NONE, 200, 404]),
            duration_ms: number(12, &[NONE, 1000, u64::MAX - 1]),
            ..Event::default()
        }
    }

    #[test]
    fn what_is_dropped_early_would_not_have_been_kept() {
        let file = |f: u32| {
            let mut o = Observer::new(f, 0, "").o;
            o.by_request = Sample::new(100);
            for i in 0..70u64 {
                let k = hash(&format!("{f} {i}"));
                o.by_request.push(k, i as i64);
            }
            o
        };
        let joined = |list: Vec<Observation>| {
            let mut list = list.into_iter();
            let mut first = list.next().unwrap();
            list.for_each(|o| first.absorb(o));
            (first.by_request.level, first.by_request.items)
        };
        let plain = joined((0..9).map(file).collect());
        for order in [[0u32, 1, 2, 3, 4, 5, 6, 7, 8], [8, 3, 5, 0, 7, 1, 6, 2, 4]] {
            let mut g = Gathered::default();
            order.map(file).into_iter().for_each(|o| g.take(o));
            let list = g.into_list();
            assert!(list.iter().map(|o| o.by_request.items.len()).sum::<usize>() <= 100);
            assert_eq!(joined(list), plain);
        }
    }
    #[test]
    fn a_sample_keeps_the_same_keys_on_both_sides() {
        let mut a = Sample::new(64);
        let mut b = Sample::new(1000);
        for i in 0..900u64 {
            let k = hash(&i.to_string());
            a.push(k, i);
            b.push(k, i);
        }
        b.thin(a.level);
        assert!(a.items.len() <= 64 && a.level > 0);
        let keys = |s: &Sample<u64>| s.items.iter().map(|x| x.0).collect::<Vec<_>>();
        assert_eq!(keys(&a), keys(&b));
    }
}
