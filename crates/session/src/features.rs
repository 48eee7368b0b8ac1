//! What a session did, compact enough to keep for every session and rich enough to judge it without its events.
//!
//! Every part is associative and commutative: sets keep their smallest members, samples their earliest, so that order, threads
//! and repeated delivery change nothing.
use crate::texts::{TextId, Texts};
use ampleur_event::{System, time::Nanos};

/// A list that is mostly empty: one word when it is, not three.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::box_collection)]
pub(crate) struct Thin<T>(Option<Box<Vec<T>>>);

impl<T> Default for Thin<T> {
    fn default() -> Self {
        Thin(None)
    }
}
impl<T> std::ops::Deref for Thin<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        self.0.as_deref().map_or(&[], |v| v)
    }
}
impl<T> std::ops::DerefMut for Thin<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.0.as_deref_mut().map_or(&mut [], |v| v)
    }
}
impl<T> Thin<T> {
    fn insert(&mut self, at: usize, item: T) {
        let items = self.0.get_or_insert_default();
        // Room for one more, and no more than that while there are few.
        if items.len() < 4 {
            items.reserve_exact(1);
        }
        items.insert(at, item);
    }
    pub fn push(&mut self, item: T) {
        self.insert(self.len(), item);
    }
    fn pop(&mut self) {
        if let Some(v) = &mut self.0 {
            v.pop();
        }
    }
    fn truncate(&mut self, len: usize) {
        if let Some(v) = &mut self.0 {
            v.truncate(len);
        }
    }
    fn settle(&mut self) {
        if let Some(v) = &mut self.0 {
            v.shrink_to_fit();
        }
    }
    fn into_items(self) -> impl Iterator<Item = T> {
        self.0.into_iter().flat_map(|v| *v)
    }
}

/// A set of hashes that keeps its smallest members; exact up to its limit.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Hashes(Thin<u64>);

impl Hashes {
    pub fn add(&mut self, h: u64, limit: usize) {
        let Err(at) = self.0.binary_search(&h) else {
            return;
        };
        if self.0.len() >= limit {
            if at == self.0.len() {
                return;
            }
            self.0.pop();
        }
        self.0.insert(at, h);
    }
    fn join(&mut self, other: Hashes, limit: usize) {
        for h in other.0.into_items() {
            self.add(h, limit);
        }
    }
    /// Ascending, each once.
    pub fn items(&self) -> &[u64] {
        &self.0
    }
}

/// What a text of a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum List {
    /// The source's own user ids (UUID, SID).
    UserIds = 0,
    Addresses = 1,
    Inner = 2,
    Countries = 3,
    Devices = 4,
    Hosts = 5,
    Programs = 6,
    /// Destination addresses of flows.
    Destinations = 7,
    /// Token ids and authorisation codes.
    Tokens = 8,
    /// Shares and databases touched.
    Places = 9,
}

impl List {
    const fn limit(self) -> usize {
        match self {
            List::Tokens => TOKENS,
            _ => 8,
        }
    }
    const fn tag(self) -> u32 {
        (self as u32) << 28
    }
}

const TAG: u32 = 0xf << 28;

/// Sets of texts, each keeping its smallest members: what a text is stands in the upper four bits of its number.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Noted(Vec<u32>);

impl Noted {
    fn of(&self, list: List) -> impl Iterator<Item = TextId> + '_ {
        let tag = list.tag();
        self.0
            .iter()
            .filter(move |n| **n & TAG == tag)
            .map(|n| n & !TAG)
    }
    /// Adds a text; empty texts are no members.
    pub fn note(&mut self, texts: &mut Texts, list: List, text: &str) {
        if text.is_empty() || self.of(list).any(|t| texts.get(t) == text) {
            return;
        }
        if self.is_room(texts, list, text) {
            self.push(list, texts.put(text));
        }
    }
    fn push(&mut self, list: List, id: TextId) {
        if self.0.len() < 8 {
            self.0.reserve_exact(1);
        }
        self.0.push(list.tag() | id);
    }
    /// Makes room by dropping the greatest; false when that is the text itself.
    fn is_room(&mut self, texts: &Texts, list: List, text: &str) -> bool {
        if self.of(list).count() < list.limit() {
            return true;
        }
        let Some(greatest) = self.of(list).max_by_key(|t| texts.get(*t)) else {
            return true;
        };
        if texts.get(greatest) < text {
            return false;
        }
        self.0.retain(|n| *n != list.tag() | greatest);
        true
    }
    fn join(&mut self, other: Noted, texts: &Texts) {
        for n in other.0 {
            let (id, list) = (n & !TAG, LISTS[(n >> 28) as usize]);
            if !self.0.contains(&n) && self.is_room(texts, list, texts.get(id)) {
                self.push(list, id);
            }
        }
    }
    /// Ascending by text.
    pub fn sorted(&self, texts: &Texts, list: List) -> Vec<TextId> {
        let mut out: Vec<TextId> = self.of(list).collect();
        if out.len() > 1 {
            out.sort_unstable_by_key(|t| texts.get(*t));
        }
        out
    }
    pub fn has(&self, list: List) -> bool {
        self.of(list).next().is_some()
    }
    pub fn first(&self, texts: &Texts, list: List) -> Option<TextId> {
        self.of(list).min_by_key(|t| texts.get(*t))
    }
}

pub(crate) const LISTS: [List; 10] = [
    List::UserIds,
    List::Addresses,
    List::Inner,
    List::Countries,
    List::Devices,
    List::Hosts,
    List::Programs,
    List::Destinations,
    List::Tokens,
    List::Places,
];

/// One question of a session: what was asked for, in a form that shows walks through an index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Ask {
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

/// A question as it is kept, in little room: a session has up to [`ASKS`] of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Asked {
    /// Both halves of the instant, and of the number.
    at: [u32; 2],
    number: [u32; 2],
    /// Number of its text, [`NO_STEM`] without; what else is known of it stands in the upper four bits.
    stem: u32,
}

/// No text has this number.
const NO_STEM: TextId = !TAG;
const PREFIX: u32 = 1 << 28;
const RANGE: u32 = 1 << 29;
const EXACT: u32 = 1 << 30;
const NUMBERED: u32 = 1 << 31;

fn halves(n: u64) -> [u32; 2] {
    [n as u32, (n >> 32) as u32]
}
fn whole([low, high]: [u32; 2]) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

impl Asked {
    pub fn new(at: Nanos, ask: &Ask, texts: &mut Texts) -> Asked {
        let stem = match ask.stem.is_empty() {
            true => NO_STEM,
            false => texts.put(&ask.stem),
        };
        let mark = |is: bool, mark: u32| if is { mark } else { 0 };
        Asked {
            at: halves(at as u64),
            number: halves(ask.number.unwrap_or(0)),
            stem: stem
                | mark(ask.prefix, PREFIX)
                | mark(ask.range, RANGE)
                | mark(ask.exact, EXACT)
                | mark(ask.number.is_some(), NUMBERED),
        }
    }
    pub fn at(&self) -> Nanos {
        whole(self.at) as Nanos
    }
    fn is(&self, mark: u32) -> bool {
        self.stem & mark != 0
    }
    fn number(&self) -> Option<u64> {
        self.is(NUMBERED).then_some(whole(self.number))
    }
    fn stem(&self) -> Option<TextId> {
        Some(self.stem & !TAG).filter(|t| *t != NO_STEM)
    }
    /// True when its rank is the greater; most ask for the same text, or for none.
    fn outranks(&self, other: &Asked, texts: &Texts) -> bool {
        match self.stem() == other.stem() {
            true => self.about() > other.about(),
            false => self.rank(texts) > other.rank(texts),
        }
    }
    fn about(&self) -> (bool, bool, bool, Option<u64>) {
        (
            self.is(PREFIX),
            self.is(RANGE),
            self.is(EXACT),
            self.number(),
        )
    }
    pub fn rank<'t>(&self, texts: &'t Texts) -> (&'t str, bool, bool, bool, Option<u64>) {
        (
            self.stem().map_or("", |t| texts.get(t)),
            self.is(PREFIX),
            self.is(RANGE),
            self.is(EXACT),
            self.number(),
        )
    }
}

/// Rows of one account: how the source writes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spelled {
    pub canonical: TextId,
    pub system: System,
    pub name: TextId,
    pub rows: u32,
}

/// Mostly one, which then needs no room elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Few<T> {
    first: Option<T>,
    more: Thin<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Few {
            first: None,
            more: Thin::default(),
        }
    }
}
impl<T> Few<T> {
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(self.more.iter())
    }
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.first.iter_mut().chain(self.more.iter_mut())
    }
    pub fn push(&mut self, item: T) {
        match self.first {
            None => self.first = Some(item),
            Some(_) => self.more.push(item),
        }
    }
    fn into_items(self) -> impl Iterator<Item = T> {
        self.first.into_iter().chain(self.more.into_items())
    }
}

/// How many of each a session keeps.
pub(crate) const TOKENS: usize = 64;
pub(crate) const ASKS: usize = 256;
pub(crate) const SKETCH: usize = 4096;

/// What is known of a part of a session. Texts are numbers in the [`Texts`] of whoever holds it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Traits {
    /// Accounts named by its rows, each canonical text once.
    pub accounts: Few<Spelled>,
    pub noted: Noted,
    /// Canonical accounts acted with or upon (explicit credentials, account changes), and when first.
    pub targets: Thin<(TextId, Nanos)>,
    /// Hashes of request ids.
    pub requests: Hashes,
    /// Hashes of distinct subjects / objects; smallest 4096.
    pub subjects: Hashes,
    pub objects: Hashes,
    /// Files or documents opened for reading: distinct hashes.
    pub files: Hashes,
    /// Earliest rows that show or change data, in order of time, each instant once.
    pub asks: Thin<Asked>,
    /// Hours of the local week with activity, bit 0 = Monday 00:00–01:00.
    pub hours: [u64; 3],
    /// Windows logon types seen, bit per type.
    pub logon_types: u32,
    /// Ports of flows, bit 0 = 3389, 1 = 445, 2 = 22, 3 = 443/80, 4 = database, 5 = other.
    pub ports: u8,
    /// Earliest instant the activity can have begun (a flow logged at its end began `duration_ms` before).
    pub began: Nanos,
    pub break_glass: u32,
    /// Audit switched off, log cleared.
    pub tampering: u32,
    /// A setting, right, group or account was changed.
    pub set: bool,
    /// Highest running totals (tunnels).
    pub total_in: u64,
    pub total_out: u64,
}

impl Traits {
    pub fn hour(&mut self, hour_of_week: usize) {
        if let Some(w) = self.hours.get_mut(hour_of_week / 64) {
            *w |= 1 << (hour_of_week % 64);
        }
    }
    /// Something of all that a further row changes.
    pub fn seen(&self) -> u64 {
        let object = self.objects.items().last();
        self.hours[0] ^ self.asks.last().map_or(0, |a| a.at() as u64) ^ object.copied().unwrap_or(0)
    }
    /// False when a question of this instant would not be kept: the sample holds the earliest.
    pub fn may_ask(&self, at: Nanos) -> bool {
        self.asks.len() < ASKS || self.asks.last().is_none_or(|a| a.at() >= at)
    }
    pub fn ask(&mut self, texts: &Texts, ask: Asked) {
        // Most questions come in order.
        let place = match self.asks.last() {
            Some(last) if last.at() < ask.at() => Err(self.asks.len()),
            _ => self.asks.binary_search_by_key(&ask.at(), Asked::at),
        };
        match place {
            // Two questions of one instant: the greater one stays, whatever order they came in.
            Ok(i) => {
                if ask.outranks(&self.asks[i], texts) {
                    self.asks[i] = ask;
                }
            }
            Err(i) => {
                if self.asks.len() >= ASKS {
                    if i == self.asks.len() {
                        return;
                    }
                    self.asks.pop();
                }
                self.asks.insert(i, ask);
            }
        }
    }
    /// Rows of an account. One spelling for all orders: the smallest.
    pub fn spelled(&mut self, texts: &Texts, s: Spelled) {
        let mut known = self.accounts.iter_mut();
        match known.find(|a| a.canonical == s.canonical) {
            Some(a) => {
                a.rows = a.rows.saturating_add(s.rows);
                if (s.system, texts.get(s.name)) < (a.system, texts.get(a.name)) {
                    (a.system, a.name) = (s.system, s.name);
                }
            }
            None => {
                drop(known);
                self.accounts.push(s);
            }
        }
    }
    pub fn target(&mut self, canonical: TextId, at: Nanos) {
        match self.targets.iter_mut().find(|t| t.0 == canonical) {
            Some(t) => t.1 = t.1.min(at),
            None => self.targets.push((canonical, at)),
        }
    }
    pub fn join(&mut self, o: Traits, texts: &Texts) {
        for a in o.accounts.into_items() {
            self.spelled(texts, a);
        }
        self.noted.join(o.noted, texts);
        for (k, t) in o.targets.into_items() {
            self.target(k, t);
        }
        if self.targets.len() > TOKENS {
            self.targets.sort_unstable_by_key(|t| texts.get(t.0));
            self.targets.truncate(TOKENS);
        }
        self.requests.join(o.requests, TOKENS);
        self.subjects.join(o.subjects, SKETCH);
        self.objects.join(o.objects, SKETCH);
        self.files.join(o.files, SKETCH);
        for a in o.asks.into_items() {
            self.ask(texts, a);
        }
        for (a, b) in self.hours.iter_mut().zip(o.hours) {
            *a |= b;
        }
        self.logon_types |= o.logon_types;
        self.ports |= o.ports;
        self.began = self.began.min(o.began);
        self.break_glass = self.break_glass.saturating_add(o.break_glass);
        self.tampering = self.tampering.saturating_add(o.tampering);
        self.set |= o.set;
        self.total_in = self.total_in.max(o.total_in);
        self.total_out = self.total_out.max(o.total_out);
    }
    /// Gives back room that was kept for growth.
    pub fn settle(&mut self) {
        self.asks.settle();
        for hashes in [
            &mut self.requests,
            &mut self.subjects,
            &mut self.objects,
            &mut self.files,
        ] {
            hashes.0.settle();
        }
    }
    /// Every text gets its number in another [`Texts`].
    pub fn renumber(&mut self, to: &mut dyn FnMut(TextId) -> TextId) {
        for a in self.accounts.iter_mut() {
            a.canonical = to(a.canonical);
            a.name = to(a.name);
        }
        for n in &mut self.noted.0 {
            *n = *n & TAG | to(*n & !TAG);
        }
        for t in self.targets.iter_mut() {
            t.0 = to(t.0);
        }
        for a in self.asks.iter_mut() {
            if let Some(stem) = a.stem() {
                a.stem = a.stem & TAG | to(stem);
            }
        }
    }
}

/// The questions of a session, counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asks {
    /// Questions of the sample: the earliest 256.
    pub count: u32,
    /// By a prefix or pattern, by a range of dates or numbers, for no single person.
    pub prefix: u32,
    pub range: u32,
    /// For one person at most.
    pub exact: u32,
    /// Steps from one number to a greater or smaller one.
    pub up: u32,
    pub down: u32,
    /// The numbers asked first and last; `None` without any.
    pub ends: Option<(u64, u64)>,
    /// Seconds between consecutive questions: median, its lower and upper fifth, mean; 0 without any.
    pub gap: f64,
    pub low: f64,
    pub high: f64,
    pub mean: f64,
    /// When: the earliest 64, ascending.
    pub at: Box<[Nanos]>,
}

impl Asks {
    const AT: usize = 64;

    fn of(asks: &[Asked]) -> Asks {
        let count = |p: &dyn Fn(&Asked) -> bool| asks.iter().filter(|a| p(a)).count() as u32;
        let numbers: Vec<u64> = asks.iter().filter_map(Asked::number).collect();
        let steps = |up: bool| {
            let steps = numbers.windows(2);
            let wanted = |w: &&[u64]| if up { w[1] > w[0] } else { w[1] < w[0] };
            steps.filter(wanted).count() as u32
        };
        let mut gaps: Vec<f64> = asks
            .windows(2)
            .map(|w| (w[1].at() - w[0].at()) as f64 / 1e9)
            .collect();
        gaps.sort_by(f64::total_cmp);
        let n = gaps.len();
        let at = |i: usize| gaps.get(i).copied().unwrap_or(0.0);
        Asks {
            count: asks.len() as u32,
            prefix: count(&|a| a.is(PREFIX) && !a.is(EXACT)),
            range: count(&|a| a.is(RANGE) && !a.is(EXACT)),
            exact: count(&|a| a.is(EXACT)),
            up: steps(true),
            down: steps(false),
            ends: numbers.first().copied().zip(numbers.last().copied()),
            gap: at(n / 2),
            low: at(n / 5),
            high: at(n * 4 / 5),
            mean: if n == 0 {
                0.0
            } else {
                gaps.iter().sum::<f64>() / n as f64
            },
            at: asks.iter().take(Self::AT).map(Asked::at).collect(),
        }
    }
}

/// What is kept of a whole session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Features {
    /// Devices, programs, destinations, places and tokens, one list behind the other, each ascending by text.
    texts: Box<[TextId]>,
    /// Where the lists end.
    ends: [u8; 5],
    /// Ports of flows, bit 0 = 3389, 1 = 445, 2 = 22, 3 = 443/80, 4 = database, 5 = other.
    pub ports: u8,
    /// A setting, right, group or account was changed.
    pub set: bool,
    /// Windows logon types seen, bit per type.
    pub logon_types: u32,
    /// Hours of the local week with activity, bit 0 = Monday 00:00–01:00.
    hours: [u64; 3],
    /// Files or documents opened for reading.
    pub files: u32,
    pub break_glass: u32,
    /// Audit switched off, log cleared.
    pub tampering: u32,
    /// `None`: nothing was asked.
    pub asks: Option<Box<Asks>>,
}

const KEPT: [List; 5] = [
    List::Devices,
    List::Programs,
    List::Destinations,
    List::Places,
    List::Tokens,
];

impl Features {
    pub(crate) fn of(t: &Traits, texts: &Texts) -> Features {
        let mut kept = vec![];
        let ends = KEPT.map(|list| {
            kept.append(&mut t.noted.sorted(texts, list));
            // At most 4 × 8 + 64.
            kept.len() as u8
        });
        Features {
            texts: kept.into(),
            ends,
            ports: t.ports,
            logon_types: t.logon_types,
            hours: t.hours,
            files: t.files.items().len() as u32,
            break_glass: t.break_glass,
            tampering: t.tampering,
            set: t.set,
            asks: (!t.asks.is_empty()).then(|| Box::new(Asks::of(&t.asks))),
        }
    }
    /// Texts of a list, ascending; nothing for lists that are not kept.
    pub fn list(&self, list: List) -> &[TextId] {
        let Some(i) = KEPT.iter().position(|k| *k == list) else {
            return &[];
        };
        let from = i.checked_sub(1).map_or(0, |b| self.ends[b]);
        &self.texts[from as usize..self.ends[i] as usize]
    }
    pub fn has_hour(&self, hour_of_week: usize) -> bool {
        self.hours
            .get(hour_of_week / 64)
            .is_some_and(|w| w >> (hour_of_week % 64) & 1 == 1)
    }
    /// Hours of the day with activity on any day of the week, bit 0 = 00:00–01:00.
    pub fn hours_of_day(&self) -> u32 {
        let [a, b, c] = self.hours;
        // Seven days of 24 bits; two of them lie across words.
        let days = [
            a,
            a >> 24,
            a >> 48 | b << 16,
            b >> 8,
            b >> 32,
            b >> 56 | c << 8,
            c >> 16,
        ];
        (days.iter().fold(0, |all, d| all | d) & 0xff_ffff) as u32
    }
}

#[cfg(test)]
mod hours {
    use super::Features;
    #[test]
    fn hours_of_the_day_are_those_of_the_week() {
        for hour in 0..168 {
            let mut hours = [0; 3];
            hours[hour / 64] = 1u64 << (hour % 64);
            let f = Features {
                hours,
                ..Features::default()
            };
            assert!(f.has_hour(hour));
            assert_eq!(f.hours_of_day(), 1 << (hour % 24), "{hour}");
        }
    }
}
