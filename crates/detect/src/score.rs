//! The transparent sum: what speaks for and against a stranger, unit by unit, in natural log units.
use crate::{
    habit::{Habit, Habits, Place},
    units::{Behaviour, Manner, Small, Unit, Units, WALK, day_of},
};
use ampleur_event::{
    Account, System,
    session::Reason,
    time::{DAY, MINUTE, Nanos},
};
use ampleur_session::{
    INACTIVITY, List, Sessions, TextId,
    net::{self, Net},
    profile::{Hours, Rules, account_id},
    spread::{in_pieces, over_pieces},
};
use ampleur_sources::case::Case;
use rustc_hash::{FxHashMap, FxHashSet};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

/// Log odds before any evidence: one use of an account in fifty is worth a second look, far fewer are a stranger's.
pub(crate) const PRIOR: f32 = -4.0;
/// From here on a unit is the intruder's.
pub(crate) const INTRUDER: f32 = 3.0;
/// From here on it stays in doubt.
pub(crate) const DOUBTFUL: f32 = 0.5;
/// From this certainty on a link is told by a log, and not merely the only one that was possible.
pub(crate) const SAID: f32 = 0.9;

/// Nobody goes from one desk to another and works there within this time, again and again.
const TURN: Nanos = 5 * MINUTE;

/// How an origin is known, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trust {
    None,
    /// The account comes from there day after day.
    Habit,
    /// Several people's usual address.
    Peers,
    /// Inside the establishments.
    Site,
    /// The context says so.
    Declared,
}

/// Reasons by code: the heaviest of each code counts. Ordered by code, laid out flat: a case has a million of these, each of a
/// few reasons.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sum {
    list: Vec<Reason>,
}

impl Sum {
    pub fn add(&mut self, code: &'static str, weight: f32, fr: String, en: String) {
        match self.find(code) {
            Ok(i) if self.list[i].weight.abs() >= weight.abs() => {}
            at => self.put(at, code, weight, fr.into(), en.into()),
        }
    }
    /// The same with sentences that stand elsewhere already.
    pub fn share(&mut self, code: &'static str, weight: f32, fr: &Arc<str>, en: &Arc<str>) {
        match self.find(code) {
            Ok(i) if self.list[i].weight.abs() >= weight.abs() => {}
            at => self.put(at, code, weight, fr.clone(), en.clone()),
        }
    }
    /// True when something speaks for an outsider, whatever speaks against.
    pub fn alarms(&self) -> bool {
        self.list.iter().any(|r| r.weight > 0.0)
    }
    fn find(&self, code: &str) -> Result<usize, usize> {
        self.list.binary_search_by(|r| r.code.cmp(code))
    }
    fn put(
        &mut self,
        at: Result<usize, usize>,
        code: &'static str,
        weight: f32,
        fr: Arc<str>,
        en: Arc<str>,
    ) {
        let reason = Reason {
            code,
            fr,
            en,
            weight,
        };
        match at {
            Ok(i) => self.list[i] = reason,
            Err(i) => self.list.insert(i, reason),
        }
    }
    /// Gives back room that was kept for growth and for sentences others have too.
    pub fn settle(&mut self, sentences: &mut Sentences) {
        self.list.shrink_to_fit();
        for r in &mut self.list {
            sentences.one(&mut r.fr);
            sentences.one(&mut r.en);
        }
    }
    /// In order of their codes.
    pub fn reasons(&self) -> &[Reason] {
        &self.list
    }
    pub fn into_list(self) -> Vec<Reason> {
        self.list
    }
    pub fn total(&self) -> f32 {
        PRIOR + self.list.iter().map(|r| r.weight).sum::<f32>()
    }
    pub fn weight(&self, code: &str) -> f32 {
        self.find(code).map_or(0.0, |i| self.list[i].weight)
    }
}

/// Each sentence once.
#[derive(Default)]
pub(crate) struct Sentences {
    known: FxHashSet<Arc<str>>,
}

impl Sentences {
    fn one(&mut self, text: &mut Arc<str>) {
        match self.known.get(&**text) {
            Some(k) => text.clone_from(k),
            None => {
                self.known.insert(text.clone());
            }
        }
    }
}

/// Local days since the epoch, ascending, each once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Days {
    list: Vec<i64>,
}

impl Days {
    /// True when it was not there.
    fn insert(&mut self, day: i64) -> bool {
        if self.list.last().is_none_or(|l| *l < day) {
            self.list.push(day);
            return true;
        }
        match self.list.binary_search(&day) {
            Ok(_) => false,
            Err(at) => {
                self.list.insert(at, day);
                true
            }
        }
    }
    fn extend<'d>(&mut self, days: impl IntoIterator<Item = &'d i64>) {
        for d in days {
            self.insert(*d);
        }
    }
}
impl std::ops::Deref for Days {
    type Target = [i64];
    fn deref(&self) -> &[i64] {
        &self.list
    }
}

/// A small map, laid out flat and in the order of its keys.
#[derive(Debug, Clone)]
pub(crate) struct Flat<K, V> {
    list: Vec<(K, V)>,
}

impl<K, V> Default for Flat<K, V> {
    fn default() -> Self {
        Flat { list: vec![] }
    }
}
impl<K: Ord, V: Default> Flat<K, V> {
    /// What is kept under a key; made when there is nothing.
    fn at(&mut self, key: K) -> &mut V {
        let at = match self.list.binary_search_by(|x| x.0.cmp(&key)) {
            Ok(at) => at,
            Err(at) => {
                self.list.insert(at, (key, V::default()));
                at
            }
        };
        &mut self.list[at].1
    }
    fn get(&self, key: &K) -> Option<&V> {
        let at = self.list.binary_search_by(|x| x.0.cmp(key)).ok()?;
        Some(&self.list[at].1)
    }
    fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.list.iter()
    }
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// A set, ascending; few members come one by one.
fn note<T: Ord + Copy>(set: &mut Vec<T>, some: impl IntoIterator<Item = T>) {
    for x in some {
        if let Err(at) = set.binary_search(&x) {
            set.insert(at, x);
        }
    }
}

/// What the context and the case's own past say about one account or person.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past<'a> {
    pub networks: Vec<Net>,
    pub may_reach: Vec<Net>,
    pub hours: Vec<Hours>,
    pub kind: String,
    /// Address → local days.
    pub addresses: Flat<IpAddr, Days>,
    pub days: Days,
    /// Devices seen in trusted units → days; and their shapes without version numbers.
    pub devices: Flat<u32, Days>,
    pub shapes: Vec<u32>,
    /// All devices → days, trusted or not.
    pub any_device: Flat<u32, Days>,
    /// Automated clients on certain ground, and those of earlier runs → days.
    tools: Flat<u32, Days>,
    /// Seen on certain ground.
    pub grounded: bool,
    /// How it reads on certain ground.
    reads: Reading,
    pub countries: Vec<&'a str>,
    /// Units with trusted activity per hour of the day, local.
    pub hours_seen: Clock,
    pub trusted_units: usize,
    pub most: Behaviour,
    /// Database and service accounts: (address, program) → days.
    pub ways: BTreeMap<Way, Days>,
    /// The same of its planned jobs.
    job_ways: BTreeMap<Way, Days>,
    /// Those of `ways` it is used in day after day.
    daily: Vec<Way>,
    /// Ways that begin at one minute of the day, and that minute.
    clocks: Vec<(Way, i64)>,
    /// First used when its log had been there for a week, and not for two weeks since.
    new_here: bool,
    /// Uses that ask neither by prefixes nor by ranges, and those that do little else.
    plain: usize,
    sliced: usize,
    /// Address → what was asked from there under a technical account in none of its daily ways.
    strays: BTreeMap<Option<IpAddr>, Strayed>,
    /// Day → writes.
    written: Flat<i64, u64>,
    pub exports: bool,
    /// Servers used on trusted ground, by number.
    pub servers: Vec<u32>,
    /// Accounts or persons it opened from known ground, by number.
    pub opens: Vec<u32>,
    /// Interactive logons on trusted or habitual ground.
    pub interactive_days: Days,
    /// First local day after the person left (exclusive end of lawful use).
    pub left: Option<i64>,
    /// Local days of absence, both included.
    pub away: Vec<(i64, i64)>,
}

/// How much an account ever reads in one use, and how fast. Of certain ground only: a stranger who keeps coming would raise it himself.
#[derive(Debug, Clone, Default)]
struct Reading {
    /// Local days on which it read something.
    days: Days,
    /// Distinct subjects, objects or files of one use, at the most.
    most: u64,
    /// Shortest median gap between the questions of one use, seconds; 0 when no use had two.
    gap: f64,
}

impl Reading {
    fn take(&mut self, days: &[i64], spread: u64, gap: f64) {
        self.days.extend(days);
        self.most = self.most.max(spread);
        if gap > 0.0 {
            self.gap = if self.gap > 0.0 {
                self.gap.min(gap)
            } else {
                gap
            };
        }
    }
    /// Three days show how somebody reads.
    fn is_known(&self) -> bool {
        self.days.len() >= 3
    }
    /// What was done is several times faster than the account ever reads, and several times more.
    fn unlike(&self, b: &Behaviour) -> (bool, bool) {
        const TIMES: f64 = 4.0;
        // Nobody reads like that, whatever the amount.
        const MACHINE: f64 = 20.0;
        if !self.is_known() {
            return (false, false);
        }
        let times = |n: f64| b.asks >= 4 && b.gap > 0.0 && b.gap * n <= self.gap;
        let spread = b.spread();
        let more = spread > 3 * self.most || times(MACHINE);
        (times(TIMES), spread >= 10 && more)
    }
}

/// Questions of a technical account's uses that are none of its daily ways.
#[derive(Debug, Clone, Copy, Default)]
struct Strayed {
    prefix: u32,
    range: u32,
    /// Minute of the day the first of them began at.
    minute: i64,
    days: u32,
    /// All begin within minutes of that one.
    by_the_clock: bool,
}

/// Address and program a technical account is used with.
pub(crate) type Way = (Option<IpAddr>, String);

impl Past<'_> {
    /// The account goes through the index on known ground half as much as here, and more than now and then.
    fn slices_as_much(&self, b: &Behaviour) -> bool {
        let own = self.most.prefix.max(self.most.range);
        own >= 0.25 && b.prefix.max(b.range) <= 2.0 * own
    }
    /// Ways a database or technical account is used day after day. Where it is used so from the networks it is declared for, and by
    /// programs, what comes from elsewhere or has hands behind it is none of them however often it comes: nobody says whose they are.
    fn find_daily(&self) -> Vec<Way> {
        let mut ways: Vec<&Way> = (self.ways.iter())
            .filter(|(_, d)| d.len() >= 3 && d.len() * 5 >= self.days.len() * 2)
            .map(|(w, _)| w)
            .filter(|w| !self.came_beside(w))
            .collect();
        let firm: [&dyn Fn(&Way) -> bool; 2] = [
            &|w| {
                w.0.is_some_and(|a| self.networks.iter().any(|n| n.contains(a)))
            },
            &|w| !by_hand(&w.1),
        ];
        for of in firm {
            if ways.iter().any(|w| of(w)) {
                ways.retain(|w| of(w));
            }
        }
        ways.into_iter().cloned().collect()
    }
    /// A program or machine that came when the account had been used otherwise for three days, and while that use went on: its own
    /// days never make it usual. One that takes the place of another is a change of the house.
    fn came_beside(&self, way: &Way) -> bool {
        self.beside(&|w| w.1 == way.1) || self.beside(&|w| w.0 == way.0)
    }
    fn machine_came_beside(&self, at: IpAddr) -> bool {
        self.beside(&|w| w.0 == Some(at))
    }
    /// These ways began when there had been others for three days, and while these went on.
    fn beside(&self, same: &dyn Fn(&Way) -> bool) -> bool {
        let days = |alike: bool| {
            let mut out = Days::default();
            let all = self.ways.iter().chain(&self.job_ways);
            for (_, d) in all.filter(|(w, _)| same(w) == alike) {
                out.extend(&**d);
            }
            out
        };
        let (its, others) = (days(true), days(false));
        let before = its
            .first()
            .map_or(0, |first| others.partition_point(|d| d < first));
        before >= 3 && others.len() > before
    }
    /// The account is declared for networks, and the address is in none of them.
    fn undeclared(&self, a: IpAddr) -> bool {
        !self.networks.is_empty() && !self.networks.iter().any(|n| n.contains(a))
    }
    /// True for a use of a technical account that is not one of its daily ways: what it did is no habit, wherever it came from.
    fn stray(&self, u: &Unit) -> bool {
        if !technical(u) {
            return false;
        }
        let known = !self.daily.is_empty() || !self.job_ways.is_empty();
        u.job.is_none() && known && !self.usual_way(u)
    }
}

impl Past<'_> {
    /// The unit is one of the account's daily ways.
    fn usual_way(&self, u: &Unit) -> bool {
        let programs = ways_of(&u.programs);
        self.daily
            .iter()
            .any(|(a, g)| *a == u.address && programs.contains(g))
    }
    /// The unit begins when it does on most days: nobody's hand.
    fn by_the_clock(&self, u: &Unit) -> bool {
        let at = minute_of_day(u.from);
        let programs = ways_of(&u.programs);
        self.clocks
            .iter()
            .any(|((a, g), m)| *a == u.address && programs.contains(g) && *m == at)
    }
}

/// Of the universal day, and without summer time: what begins by the clock is the same minute on nearly all days of a case.
fn minute_of_day(t: Nanos) -> i64 {
    t.rem_euclid(DAY) / MINUTE
}

/// Minutes of the day at which somebody begins on five days and on most of all days, within ten minutes; `begun` is (minute, day).
fn minutes_of_most_days(begun: &BTreeSet<(i64, i64)>) -> Vec<i64> {
    const NEAR: i64 = 10;
    const ALL: i64 = 24 * 60;
    let days: BTreeSet<i64> = begun.iter().map(|b| b.1).collect();
    let mut minutes: Vec<i64> = begun.iter().map(|b| b.0).collect();
    minutes.dedup();
    minutes.retain(|m| {
        let near: BTreeSet<i64> = (-NEAR..=NEAR)
            .map(|by| (m + by).rem_euclid(ALL))
            .flat_map(|m| begun.range((m, i64::MIN)..=(m, i64::MAX)))
            .map(|b| b.1)
            .collect();
        near.len() >= 5 && near.len() * 5 >= days.len() * 3
    });
    minutes
}

/// An account programs and databases work under.
pub(crate) fn technical(u: &Unit) -> bool {
    u.service || u.account.is_some_and(|a| a.system == System::Db)
}

/// What the text of a device says, worked out once.
#[derive(Debug)]
pub(crate) struct Device<'a> {
    pub text: &'a str,
    pub automated: bool,
    /// The name of one machine.
    pub machine: bool,
    /// A machine of the house: its name has a fixed address here.
    pub housed: bool,
    monitor: bool,
    platform: bool,
    /// A machine whose own log or service is in the case: no client's device.
    pub serves: bool,
    /// Number of its text without version numbers.
    shape: u32,
}

/// The servers and shares of a case and of what is remembered, each after the format of the log that says so.
#[derive(Default)]
struct Servers<'a> {
    /// Ascending.
    texts: Vec<Box<str>>,
    /// Those of each session, one behind the other, and where they end.
    of: Vec<u32>,
    ends: Vec<u32>,
    /// Those of remembered rows.
    remembered: FxHashMap<&'a str, u32>,
}

impl<'a> Servers<'a> {
    fn new(s: &'a Sessions, past: &'a Habits) -> Servers<'a> {
        let mut texts: Vec<Box<str>> = vec![];
        let mut known: FxHashMap<Box<str>, u32> = FxHashMap::default();
        let mut number = |text: String| -> u32 {
            *known.entry(text.into()).or_insert_with_key(|text| {
                texts.push(text.clone());
                texts.len() as u32 - 1
            })
        };
        let mut hosts: FxHashMap<(&str, &str), Option<u32>> = FxHashMap::default();
        let mut shares: FxHashMap<(&str, TextId), Option<u32>> = FxHashMap::default();
        let (mut of, mut ends) = (vec![], Vec::with_capacity(s.list.len()));
        for (x, f) in s.list.iter().zip(&s.features) {
            let host = *hosts.entry((x.format, &x.host)).or_insert_with(|| {
                let host = x.host.split('.').next().filter(|h| !h.is_empty())?;
                Some(number(format!("{} {}", x.format, host.to_lowercase())))
            });
            of.extend(host);
            for place in f.list(List::Places) {
                let share = *shares.entry((x.format, *place)).or_insert_with(|| {
                    let share = share_of(s.texts.get(*place))?;
                    Some(number(format!("{} {share}", x.format)))
                });
                of.extend(share);
            }
            ends.push(of.len() as u32);
        }
        let mut remembered: FxHashMap<&str, u32> = FxHashMap::default();
        for h in past.rows().flat_map(|(_, _, _, h)| &h.servers) {
            remembered
                .entry(h.as_str())
                .or_insert_with(|| number(h.clone()));
        }
        // Numbers in the order of the texts.
        let mut order: Vec<u32> = (0..texts.len() as u32).collect();
        order.sort_unstable_by(|a, b| texts[*a as usize].cmp(&texts[*b as usize]));
        let mut to = vec![0u32; order.len()];
        for (n, i) in order.iter().enumerate() {
            to[*i as usize] = n as u32;
        }
        texts.sort_unstable();
        for n in of.iter_mut() {
            *n = to[*n as usize];
        }
        let remembered = past
            .rows()
            .flat_map(|(_, _, _, h)| &h.servers)
            .map(|h| h.as_str())
            .filter_map(|h| Some((h, to[*remembered.get(h)? as usize])))
            .collect();
        Servers {
            texts,
            of,
            ends,
            remembered,
        }
    }
    fn of(&self, session: usize) -> &[u32] {
        let from = session.checked_sub(1).map_or(0, |b| self.ends[b]);
        &self.of[from as usize..self.ends[session] as usize]
    }
    fn text(&self, n: u32) -> &str {
        &self.texts[n as usize]
    }
}

pub(crate) struct Model<'a> {
    pub case: &'a Case,
    pub s: &'a Sessions,
    pub rules: &'a Rules,
    pub units: &'a Units<'a>,
    /// By number of the account or person; those nothing of the case names stand behind.
    pasts: Vec<Option<Past<'a>>>,
    whos: FxHashMap<Arc<str>, u32>,
    /// Parallel to `Units::devices`.
    pub devices: Vec<Device<'a>>,
    servers: Servers<'a>,
    pub trust: Vec<Trust>,
    site: Vec<Net>,
    /// Networks declared for any account.
    declared: Vec<Net>,
    /// Addresses that are the usual place of two persons or more.
    peers: FxHashSet<IpAddr>,
    /// Sources whose sessions cannot be laid to tunnels ([`Model::in_mixed`]).
    mixed: FxHashSet<u32>,
    home: BTreeSet<String>,
    /// Share of trusted units with questions that walk by prefix or range: what is common is no sign.
    walkers: f64,
    /// 99th percentile of distinct subjects or objects of a trusted unit.
    wide: u64,
    exporters: f64,
    first_day: i64,
    last_day: i64,
    /// How people read on certain ground, all but the hastiest and the busiest of them.
    colleagues: Reading,
    /// Of the people known on certain ground hardly anybody works in the middle of the night.
    quiet_nights: bool,
    /// Days on which somebody no log names asked something, by address.
    nameless_days: FxHashMap<IpAddr, Days>,
    /// Format of a log → its first local day.
    since: FxHashMap<&'static str, i64>,
    /// Addresses that tunnels lend, and their neighbourhoods: inside, but nobody's place.
    lent: FxHashSet<IpAddr>,
    pool: Vec<Net>,
    /// The units of each account or person, one list behind the other, and where they end.
    units_by: Vec<u32>,
    ends_by: Vec<u32>,
    /// Units nobody judges by themselves.
    mute: Vec<bool>,
    /// Share of trusted units with questions that go through the index in each manner.
    slices: f64,
    numbers: f64,
    hasty: f64,
    /// Device → accounts or persons that have it on trusted ground.
    holders: FxHashMap<u32, usize>,
    people_with_devices: usize,
    /// Machines never seen on known ground → accounts of strangers to each other.
    lodgers: FxHashMap<u32, Vec<String>>,
    /// Address a tunnel lends → units of flows that name the tunnel's account there.
    told: BTreeMap<IpAddr, Vec<usize>>,
    /// Machine of the house → flows of remote desktops into it that no log of logons explains, and uses of accounts that come
    /// from it.
    pub desktops: BTreeMap<IpAddr, Desktop>,
    /// Uses that change their address as they go, and the one each unit belongs to.
    roams: Vec<Roam>,
    roam_of: FxHashMap<usize, usize>,
}

/// One bearer's use that goes on from one address after the other.
struct Roam {
    /// What was done in all of it.
    does: Behaviour,
    /// Neighbourhoods and operators it came from.
    places: usize,
    operators: usize,
}

/// A machine somebody works on from another one, as a firewall sees it.
#[derive(Debug, Default)]
pub(crate) struct Desktop {
    /// Sessions of remote desktops into it.
    pub flows: Vec<usize>,
    /// Units of a known account that come from it, flows and machines apart.
    pub uses: Vec<usize>,
}

/// One bearer's use as far as it is followed.
#[derive(Default)]
struct Bearer<'u> {
    units: Vec<usize>,
    to: Nanos,
    tokens: BTreeSet<&'u str>,
    devices: BTreeSet<u32>,
}

impl<'u> Bearer<'u> {
    /// The same token, with one and the same client; where no token is told the same client alone.
    fn bears(&self, u: &Unit<'u>) -> bool {
        let untold = self.devices.is_empty() || u.devices.is_empty();
        let client = u.devices.iter().any(|d| self.devices.contains(d));
        if self.tokens.is_empty() || u.tokens.is_empty() {
            return client;
        }
        u.tokens.iter().any(|t| self.tokens.contains(t)) && (client || untold)
    }
    fn take(&mut self, i: usize, u: &Unit<'u>) {
        self.units.push(i);
        self.to = self.to.max(u.to);
        self.tokens.extend(u.tokens.iter().copied());
        self.devices.extend(u.devices.iter().copied());
    }
}

/// A remembered row.
struct Row<'a> {
    whose: u32,
    address: Option<IpAddr>,
    /// Every client there is a program.
    bot: bool,
    habit: &'a Habit,
}

/// What the account shows where it is certainly at work: a new habit is measured against it.
#[derive(Default)]
struct Anchor {
    /// Kinds of log that show the account there.
    formats: Vec<&'static str>,
    devices: Vec<u32>,
    shapes: Vec<u32>,
    hours: Clock,
    /// It is at work somewhere for certain.
    known: bool,
    /// Manners in which it goes through an index there.
    manners: Vec<Manner>,
    /// Other neighbourhoods it goes through one from, and how.
    walks: Vec<(Net, Manner)>,
}

/// One use seen from outside, to say how well its origin is known.
struct Use<'u> {
    address: Option<IpAddr>,
    country: Option<&'u str>,
    asn: Option<u32>,
    /// Kinds of log that show it and name a machine.
    naming: &'u dyn Fn() -> Small<&'static str>,
    devices: &'u [u32],
    hours: u32,
}

/// How often each hour of the day was worked in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock {
    units: u32,
    per_hour: [u32; 24],
}

impl Clock {
    fn add(&mut self, hours: u32, times: u32) {
        self.units += times;
        for (h, n) in self.per_hour.iter_mut().enumerate() {
            *n += times * (hours >> h & 1);
        }
    }
    /// Hours that are no exception, bit 0 = 00:00–01:00: one unit in fifteen has them.
    fn usual(&self) -> u32 {
        (0..24)
            .filter(|h| self.per_hour[*h] > 0 && self.per_hour[*h] * 15 >= self.units)
            .fold(0, |m, h| m | 1 << h)
    }
}

/// Hours of the day, and two around each.
fn around(hours: u32) -> u32 {
    let turn = |h: u32, by: u32| ((h << by) | (h >> (24 - by))) & 0xff_ffff;
    hours | turn(hours, 1) | turn(hours, 23) | turn(hours, 2) | turn(hours, 22)
}

const BOTS: &[&str] = &[
    "go-http-client",
    "python",
    "curl/",
    "wget",
    "okhttp",
    "java/",
    "libwww",
    "powershell",
    "aiohttp",
    "node-fetch",
    "axios",
    "scrapy",
    "headless",
    "httpx",
    "requests/",
    "httpie",
    "postman",
    "insomnia",
    "ruby",
    "perl",
    "phantomjs",
    "selenium",
    "puppeteer",
    "playwright",
    "rclone",
    "restsharp",
    "apache-httpclient",
    "guzzle",
    "mechanize",
    "winhttp",
    "undici",
    "dart/",
    "reqwest",
    "hyper/",
    "urllib",
    "got (",
    "sqlmap",
    "nuclei",
    "zgrab",
    "masscan",
    "nikto",
    "burp",
    "hydra",
    "ffuf",
    "gobuster",
];

/// Programs somebody types queries into.
const HAND_TOOLS: &[&str] = &[
    "psql",
    "pgadmin",
    "dbeaver",
    "sql workbench",
    "sqlworkbench",
    "datagrip",
    "heidisql",
    "toad",
    "sqlplus",
    "sql*plus",
    "sql developer",
    "sqldeveloper",
    "management studio",
    "mysql workbench",
    "squirrel",
    "navicat",
    "azure data studio",
];

fn by_hand(program: &str) -> bool {
    HAND_TOOLS.iter().any(|t| program.contains(t))
}

/// A browser of a telephone or a tablet, as such call themselves (RFC 9110 §10.1.5 tells no form; these words are in all of them).
pub(crate) fn handheld(device: &str) -> bool {
    ["iPhone", "iPad", "Android"]
        .iter()
        .any(|w| device.contains(w))
}

/// True for a client that is a program, not a browser a person sits at.
pub(crate) fn automated(device: &str) -> bool {
    let d = device.to_lowercase();
    BOTS.iter().any(|b| d.contains(b))
}

/// True for user agents thousands share; they tell no one apart.
pub(crate) fn common_browser(device: &str) -> bool {
    device.starts_with("Mozilla/") || device.starts_with("Opera/")
}

/// A user agent without its version numbers.
pub(crate) fn shape(device: &str) -> String {
    let mut out = String::with_capacity(device.len());
    let mut last = ' ';
    for c in device.chars() {
        let c = if c.is_ascii_digit() { '0' } else { c };
        if (c == '0' || c == '.') && (last == '0' || last == '.') {
            continue;
        }
        out.push(c);
        last = c;
    }
    out
}

fn monitor(device: &str) -> bool {
    let d = device.to_lowercase();
    [
        "healthchecker",
        "kube-probe",
        "zabbix",
        "nagios",
        "prometheus",
        "centreon",
        "uptime",
        "blackbox",
        "check_http",
        "haproxy",
    ]
    .iter()
    .any(|m| d.contains(m))
}

/// The name of a platform alone (what an OpenVPN client says of itself): half the world shares it, it identifies no device.
fn platform(device: &str) -> bool {
    matches!(
        device.to_lowercase().as_str(),
        "linux"
            | "win"
            | "windows"
            | "mac"
            | "macos"
            | "darwin"
            | "android"
            | "ios"
            | "freebsd"
            | "openbsd"
    )
}

/// True for a name one machine has: no browser, no program, no name a maker gives to all of a kind.
pub(crate) fn machine_name(device: &str) -> bool {
    const KINDS: [&str; 12] = [
        "iphone",
        "ipad",
        "android",
        "localhost",
        "macbook",
        "imac",
        "workstation",
        "desktop",
        "laptop",
        "computer",
        "unknown",
        "ordinateur",
    ];
    let d = device.to_lowercase();
    let d = d.split('.').next().unwrap_or("");
    let kind = |k: &&str| {
        d.strip_prefix(*k)
            .is_some_and(|rest| matches!(rest, "" | "-pro" | "-air" | "-mini"))
    };
    d.len() >= 6
        && !d.contains(['/', ' ', ';', '('])
        && !platform(d)
        && !KINDS.iter().any(kind)
        && !automated(d)
}

/// True when the operator of a network rents servers.
pub(crate) fn hosting(operator: &str) -> bool {
    operator
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .any(|w| {
            matches!(
                w,
                "host"
                    | "vps"
                    | "cloud"
                    | "server"
                    | "servers"
                    | "serveur"
                    | "serveurs"
                    | "colo"
                    | "ovh"
                    | "hetzner"
                    | "digitalocean"
                    | "linode"
                    | "vultr"
                    | "m247"
                    | "leaseweb"
                    | "contabo"
                    | "scaleway"
                    | "amazon"
                    | "aws"
                    | "azure"
                    | "choopa"
                    | "datacamp"
                    | "datapacket"
                    | "selectel"
                    | "ionos"
                    | "netcup"
                    | "ikoula"
                    | "gcore"
                    | "upcloud"
                    | "kamatera"
                    | "timeweb"
                    | "aeza"
                    | "frantech"
                    | "quadranet"
                    | "colocrossing"
                    | "psychz"
                    | "clouvider"
                    | "worldstream"
                    | "serverius"
                    | "rackspace"
                    | "tencent"
                    | "alibaba"
                    | "packethub"
                    | "cdn77"
            ) || w.starts_with("host") && w.len() > 6
                || w.ends_with("host") && w.len() > 5
                || w.starts_with("hebergement")
                || w.starts_with("hébergement")
                || w.starts_with("hébergeur")
                || w.starts_with("hebergeur")
                || w.starts_with("datacent")
                || w.starts_with("dedicated")
                || w.starts_with("colocation")
                || w.ends_with("hosting")
                || w.ends_with("vps")
        })
}

/// The country most accounts come from, when the context names no home: three in five of those whose country is known.
fn commonest_country(units: &Units<'_>) -> Option<String> {
    let mut by: BTreeMap<&str, FxHashSet<u32>> = BTreeMap::new();
    let mut all: FxHashSet<u32> = FxHashSet::default();
    for u in units.list.iter().filter(|u| !u.who.is_empty()) {
        if let Some(c) = u.country.filter(|c| !c.is_empty()) {
            by.entry(c).or_default().insert(u.whose);
            all.insert(u.whose);
        }
    }
    let (country, who) = by
        .into_iter()
        .max_by_key(|(c, w)| (w.len(), std::cmp::Reverse(*c)))?;
    (who.len() >= 5 && who.len() * 5 >= all.len() * 3).then(|| country.to_string())
}

/// Addresses that tunnels lend: what a gateway says, and inner addresses other logs name a tunnel's account for.
fn lent(s: &Sessions) -> FxHashSet<IpAddr> {
    let mut out: FxHashSet<IpAddr> = s.lent().into_iter().collect();
    out.extend(
        s.list
            .iter()
            .filter(|x| x.account.as_ref().is_some_and(|a| a.system == System::Vpn))
            .filter_map(|x| x.origin.address)
            .filter(|a| net::is_private(*a)),
    );
    out
}

/// A share as it is compared, `\\server\share` or `\\*\share`; those every Windows logon opens are none, and neither are other places.
fn share_of(place: &str) -> Option<String> {
    let p = place.to_lowercase().replace('/', "\\");
    let name = p.rsplit('\\').next().unwrap_or("");
    (p.starts_with('\\') && !matches!(name, "" | "ipc$" | "sysvol" | "netlogon" | "print$"))
        .then_some(p)
}

/// `adm.jmartin` belongs to `jmartin`.
fn related(u: &Unit, v: &Unit) -> bool {
    let bare = |u: &Unit| -> String {
        let name = u.account.map(Account::bare).unwrap_or_default();
        name.chars().filter(|c| c.is_alphanumeric()).collect()
    };
    let (mine, its) = (bare(u), bare(v));
    u.who == v.who
        || mine.len() >= 4 && its.contains(&mine)
        || its.len() >= 4 && mine.contains(&its)
}

/// Names of different systems tell nobody apart unless the context knows whose they are.
fn comparable(u: &Unit, v: &Unit) -> bool {
    let estate = |u: &Unit| {
        let system = u.account.as_ref().map(|a| a.system);
        match system {
            Some(System::Smb | System::Host) => Some(System::Ad),
            s => s,
        }
    };
    u.who.starts_with('#') && v.who.starts_with('#') || estate(u) == estate(v)
}

/// Programs as the keys of `Past::ways`; one empty text when the source names none.
fn ways_of(programs: &[&str]) -> Vec<String> {
    if programs.is_empty() {
        return vec![String::new()];
    }
    programs.iter().map(|g| g.to_lowercase()).collect()
}

impl<'a> Model<'a> {
    /// `past` is what earlier runs remember of each account.
    pub fn new(
        threads: usize,
        case: &'a Case,
        s: &'a Sessions,
        rules: &'a Rules,
        units: &'a Units<'a>,
        past: &'a Habits,
    ) -> Model<'a> {
        let c = &case.context;
        let nets = |l: &[String]| l.iter().filter_map(|n| Net::parse(n)).collect::<Vec<_>>();
        let site: Vec<Net> = c
            .establishments
            .iter()
            .flat_map(|e| nets(&e.networks))
            .collect();
        let declared: Vec<Net> = c.accounts.iter().flat_map(|a| nets(&a.networks)).collect();
        let mut m = Model {
            case,
            s,
            rules,
            units,
            pasts: vec![None; s.whos().len()],
            whos: s
                .whos()
                .iter()
                .zip(0..)
                .map(|(w, n)| (w.clone(), n))
                .collect(),
            devices: vec![],
            servers: Servers::new(s, past),
            trust: vec![Trust::None; units.list.len()],
            site,
            declared,
            peers: FxHashSet::default(),
            mixed: FxHashSet::default(),
            home: c.home_countries.iter().map(|h| h.to_uppercase()).collect(),
            walkers: 0.0,
            wide: u64::MAX,
            exporters: 0.0,
            lent: lent(s),
            pool: vec![],
            units_by: vec![],
            ends_by: vec![],
            mute: vec![],
            slices: 0.0,
            numbers: 0.0,
            hasty: 0.0,
            holders: FxHashMap::default(),
            people_with_devices: 0,
            lodgers: FxHashMap::default(),
            colleagues: Reading::default(),
            quiet_nights: false,
            nameless_days: FxHashMap::default(),
            since: FxHashMap::default(),
            told: BTreeMap::new(),
            desktops: BTreeMap::new(),
            roams: vec![],
            roam_of: FxHashMap::default(),
            last_day: units
                .list
                .iter()
                .filter_map(|u| u.days.last().copied())
                .max()
                .unwrap_or(0),
            first_day: units
                .list
                .iter()
                .filter_map(|u| u.days.first().copied())
                .min()
                .unwrap_or(0),
        };
        m.sort_by_who();
        for u in units
            .list
            .iter()
            .filter(|u| u.who.is_empty() && u.does.asks > 0)
        {
            if let Some(a) = u.address {
                m.nameless_days.entry(a).or_default().extend(&u.days);
            }
        }
        for u in &units.list {
            for x in u.members.iter().map(|m| &s.list[*m as usize]) {
                if let Some(day) = u.days.first() {
                    let first = m.since.entry(x.format).or_insert(*day);
                    *first = (*first).min(*day);
                }
            }
        }
        let mut near: BTreeMap<Net, usize> = BTreeMap::new();
        for n in m.lent.iter().map(|a| net::neighbourhood(*a)) {
            *near.entry(n).or_default() += 1;
        }
        m.pool = near
            .into_iter()
            .filter(|(_, n)| *n >= 3)
            .map(|(n, _)| n)
            .collect();
        if m.home.is_empty() {
            m.home.extend(commonest_country(units));
        }
        m.know_devices();
        m.mute = in_pieces(threads, units.list.len(), &|piece| {
            piece.map(|i| m.is_mute(i)).collect()
        });
        m.declare();
        m.remember(threads, past);
        m.find_lodgers();
        m.mixed = m.find_mixed();
        for (i, u) in units.list.iter().enumerate() {
            let names = |x: &u32| {
                let a = s.list[*x as usize].account.as_ref();
                s.is_flow(*x as usize) && a.is_some_and(|a| a.system == System::Vpn)
            };
            if let Some(a) = u
                .address
                .filter(|a| m.lent_place(*a) && net::is_private(*a))
                && u.members.iter().any(names)
            {
                m.told.entry(a).or_default().push(i);
            }
        }
        m.find_desktops();
        m.find_roams();
        m
    }

    /// What a unit did, with what its bearer did before and after from other addresses.
    pub fn does(&self, i: usize) -> &Behaviour {
        let roam = self.roam_of.get(&i).map(|r| &self.roams[*r]);
        roam.map_or(&self.units.list[i].does, |r| &r.does)
    }

    /// One token, or where no log tells it one client under one account, that comes from address after address nobody knows without a
    /// pause: each address alone shows next to nothing of a walk.
    fn find_roams(&mut self) {
        let units = self.units;
        let (mut roams, mut of) = (vec![], FxHashMap::default());
        for whose in 0..self.s.whos().len() {
            let mut list: Vec<usize> = (self.units_of(whose as u32))
                .filter(|i| {
                    let u = &units.list[*i];
                    let outside = |a: IpAddr| !self.on_site(a) && !self.lent_place(a);
                    self.trust[*i] == Trust::None
                        && u.address.is_some_and(outside)
                        && !(u.machine || u.flow_only || u.refused)
                        && u.job.is_none()
                        && !u.parents.iter().any(|(_, c)| *c >= 0.5)
                })
                .collect();
            if list.len() < 2 {
                continue;
            }
            list.sort_by_key(|i| (units.list[*i].from, *i));
            // Uses that may go on: their units, last end, tokens and devices.
            let mut open: Vec<Bearer> = vec![];
            let mut done: Vec<Bearer> = vec![];
            for i in list {
                let u = &units.list[i];
                let (over, on) = open.into_iter().partition(|b| b.to + INACTIVITY < u.from);
                open = on;
                done.extend::<Vec<Bearer>>(over);
                match open.iter_mut().find(|b| b.bears(u)) {
                    Some(b) => b.take(i, u),
                    None => {
                        let mut b = Bearer::default();
                        b.take(i, u);
                        open.push(b);
                    }
                }
            }
            done.append(&mut open);
            for b in done {
                let some: Vec<&Unit> = b.units.iter().map(|i| &units.list[*i]).collect();
                let at = some.iter().filter_map(|u| u.address);
                let places = at.map(net::neighbourhood).collect::<BTreeSet<_>>().len();
                if places < 2 {
                    continue;
                }
                let operators = some.iter().filter_map(|u| u.asn).collect::<BTreeSet<_>>();
                of.extend(b.units.iter().map(|i| (*i, roams.len())));
                roams.push(Roam {
                    does: Behaviour::one_after_other(self.s, &some),
                    places,
                    operators: operators.len(),
                });
            }
        }
        (self.roams, self.roam_of) = (roams, of);
    }

    fn find_desktops(&mut self) {
        const SLACK: Nanos = 2 * MINUTE;
        let mut seated: BTreeMap<IpAddr, Vec<(Nanos, Nanos)>> = BTreeMap::new();
        for u in self.units.list.iter().filter(|u| u.does.interactive) {
            if let Some(a) = u.address {
                seated
                    .entry(a)
                    .or_default()
                    .push((u.from - SLACK, u.to + SLACK));
            }
        }
        for i in (0..self.s.list.len()).filter(|i| self.s.remote_desktop(*i)) {
            let x = &self.s.list[i];
            let logon = x.origin.address.and_then(|a| seated.get(&a));
            let (from, to) = self.s.on_date(i);
            if logon.is_some_and(|l| l.iter().any(|(a, b)| *a <= to && from <= *b)) {
                continue;
            }
            let into = self.s.texts_of(i, List::Destinations);
            for a in into.filter_map(net::parse_address) {
                if self.on_site(a) && !self.lent_place(a) {
                    self.desktops.entry(a).or_default().flows.push(i);
                }
            }
        }
        for (i, u) in self.units.list.iter().enumerate() {
            if u.flow_only || u.machine || u.who.is_empty() || u.job.is_some() {
                continue;
            }
            if let Some(d) = u.address.and_then(|a| self.desktops.get_mut(&a)) {
                d.uses.push(i);
            }
        }
    }

    /// The units of each account or person, ascending.
    fn sort_by_who(&mut self) {
        let units = &self.units.list;
        let mut at = vec![0u32; self.pasts.len() + 1];
        let known = |u: &&Unit| !u.who.is_empty();
        for u in units.iter().filter(known) {
            at[u.whose as usize + 1] += 1;
        }
        for i in 1..at.len() {
            at[i] += at[i - 1];
        }
        self.units_by = vec![0; at.last().map_or(0, |n| *n as usize)];
        self.ends_by = at[1..].to_vec();
        for (i, u) in units.iter().enumerate().filter(|(_, u)| known(u)) {
            let next = &mut at[u.whose as usize];
            self.units_by[*next as usize] = i as u32;
            *next += 1;
        }
    }

    /// Reads what the text of each device says.
    fn know_devices(&mut self) {
        let mut raw: FxHashSet<&str> = FxHashSet::default();
        raw.extend(self.s.list.iter().map(|x| &*x.host));
        let hosts: FxHashSet<String> = raw
            .into_iter()
            .filter_map(|h| h.split('.').next().filter(|h| !h.is_empty()))
            .map(str::to_lowercase)
            .collect();
        let mut shapes: FxHashMap<String, u32> = FxHashMap::default();
        let texts = self.units.devices.iter();
        let devices = texts.map(|text| {
            let next = shapes.len() as u32;
            let label = text.split('.').next().unwrap_or(text).to_lowercase();
            let at = self.s.machines.get(&label);
            Device {
                text,
                automated: automated(text),
                machine: machine_name(text),
                housed: at.is_some_and(|l| {
                    l.iter()
                        .any(|a| self.certain_site(*a) && !self.lent_place(*a))
                }),
                monitor: monitor(text),
                platform: platform(text),
                serves: hosts.contains(&label),
                shape: *shapes.entry(shape(text)).or_insert(next),
            }
        });
        self.devices = devices.collect();
    }

    /// The number of an account or person.
    fn number(&mut self, who: String) -> u32 {
        let next = self.pasts.len() as u32;
        let n = *self.whos.entry(who.into()).or_insert(next);
        if n == next {
            self.pasts.push(None);
        }
        n
    }
    fn past_of(&mut self, who: String) -> &mut Past<'a> {
        let n = self.number(who);
        self.pasts[n as usize].get_or_insert_default()
    }
    /// What is known of whoever used a unit.
    pub fn past(&self, u: &Unit) -> Option<&Past<'a>> {
        self.pasts.get(u.whose as usize)?.as_ref()
    }

    fn declare(&mut self) {
        let (c, rules) = (&self.case.context, self.rules);
        let zone = &rules.zone;
        let people = ampleur_session::profile::People::new(c);
        for a in &c.accounts {
            let account = Account::parse(&a.name);
            let who = people
                .of(&account)
                .map_or_else(|| account_id(&account), |p| format!("#{p}"));
            let p = self.past_of(who);
            p.networks
                .extend(a.networks.iter().filter_map(|n| Net::parse(n)));
            p.may_reach
                .extend(a.may_reach.iter().filter_map(|n| Net::parse(n)));
            p.hours
                .extend(a.hours.iter().filter_map(|h| Hours::parse(h)));
            if let Some(k) = &a.kind {
                p.kind = k.clone();
            }
        }
        for (i, person) in c.persons.iter().enumerate() {
            if let Some(d) = person.until.as_ref().and_then(|d| d.start(zone)) {
                self.past_of(format!("#{i}")).left = Some(day_of(d + DAY / 2, zone) + 1);
            }
            for x in c.absences.iter().filter(|x| x.person == person.id) {
                if let (Some(a), Some(b)) = (x.from.start(zone), x.to.start(zone)) {
                    self.past_of(format!("#{i}"))
                        .away
                        .push((day_of(a + DAY / 2, zone), day_of(b + DAY / 2, zone)));
                }
            }
        }
    }

    /// Units of one account or person, ascending.
    pub fn units_of(&self, whose: u32) -> impl Iterator<Item = usize> + '_ {
        let w = whose as usize;
        let end = self.ends_by.get(w).map_or(0, |e| *e as usize);
        let from = w.checked_sub(1).and_then(|b| self.ends_by.get(b));
        let from = from.map_or(0, |f| *f as usize).min(end);
        self.units_by[from..end].iter().map(|i| *i as usize)
    }
    pub fn device(&self, n: u32) -> &Device<'a> {
        &self.devices[n as usize]
    }
    /// Servers a unit and what it made possible used, domain controllers and gateways apart; by number, ascending.
    fn servers(&self, i: usize) -> Vec<u32> {
        let mut out = vec![];
        for r in &self.units.reach(i) {
            for m in self.units.list[*r].members.iter().map(|m| *m as usize) {
                let x = &self.s.list[m];
                let c = &x.counts;
                let used =
                    c.files + c.writes + c.reads + c.requests + c.searches + c.queries + c.logins;
                if used > 0 && !self.s.is_flow(m) && x.inner.is_none() {
                    note(&mut out, self.servers.of(m).iter().copied());
                }
            }
        }
        out
    }
    /// Of the servers and shares in `used` those that `known` has none of, where a log of the same kind shows others there.
    fn unusual(&self, used: &[u32], known: &[u32]) -> Vec<String> {
        let kind = |h: &str| {
            h.find(' ')
                .map(|at| (h[..at].to_string(), h[at + 1..].starts_with('\\')))
        };
        let new: Vec<u32> = used
            .iter()
            .copied()
            .filter(|h| known.binary_search(h).is_err())
            .collect();
        if new.is_empty() {
            return vec![];
        }
        let told: BTreeSet<(String, bool)> = known
            .iter()
            .filter_map(|h| kind(self.servers.text(*h)))
            .collect();
        new.into_iter()
            .map(|h| self.servers.text(h))
            .filter(|h| kind(h).is_some_and(|k| told.contains(&k)))
            .filter_map(|h| Some(h[h.find(' ')? + 1..].to_string()))
            .collect()
    }
    /// Formats of the sessions of a unit and what it made possible, flows apart.
    fn formats(&self, i: usize, of: &dyn Fn(usize) -> bool) -> Small<&'static str> {
        self.units
            .reach(i)
            .iter()
            .flat_map(|r| &self.units.list[*r].members)
            .map(|m| *m as usize)
            .filter(|m| !self.s.is_flow(*m) && of(*m))
            .map(|m| self.s.list[m].format)
            .collect()
    }
    /// True for addresses a tunnel lends: the origin is the tunnel's, known or not.
    pub fn lent_place(&self, a: IpAddr) -> bool {
        self.lent.contains(&a) || self.pool.iter().any(|n| n.contains(a))
    }
    pub fn on_site(&self, a: IpAddr) -> bool {
        net::is_private(a) || self.site.iter().any(|n| n.contains(a))
    }
    /// A private address that is no usual one of the unit's account: lent by tunnels, or one it came from on one day at most and that
    /// nobody declared for it.
    pub fn strange_inside(&self, u: &Unit, a: IpAddr) -> bool {
        if self.lent_place(a) {
            return true;
        }
        let known = self.past(u).is_some_and(|p| {
            p.networks.iter().any(|n| n.contains(a))
                || p.addresses.get(&a).is_some_and(|d| d.len() >= 2)
        });
        net::is_private(a) && !known && !self.site.iter().any(|n| n.contains(a))
    }
    /// An address of the establishments as the context declares them; any private one where it declares none.
    fn certain_site(&self, a: IpAddr) -> bool {
        if self.site.is_empty() {
            return self.on_site(a);
        }
        self.site.iter().any(|n| n.contains(a))
    }
    pub fn at_home(&self, u: &Unit) -> bool {
        u.country
            .is_none_or(|c| self.home.is_empty() || self.home.contains(c))
    }
    pub fn rented(&self, u: &Unit) -> bool {
        u.asn
            .and_then(|a| self.s.operators.get(&a))
            .is_some_and(|o| hosting(o))
    }

    /// What each account's past looks like; two passes, because devices are trusted through origins.
    fn remember(&mut self, threads: usize, past: &'a Habits) {
        let units = self.units;
        let people = ampleur_session::profile::People::new(&self.case.context);
        let mut rows: Vec<Row<'a>> = vec![];
        for (account, at, bot, habit) in past.rows() {
            let who = people
                .of(&Account::parse(account))
                .map_or_else(|| account.to_string(), |p| format!("#{p}"));
            rows.push(Row {
                whose: self.number(who),
                address: at,
                bot,
                habit,
            });
        }
        rows.sort_by_key(|r| r.whose);
        let mut pasts = std::mem::take(&mut self.pasts);
        let rows_of = |whose: usize| -> &[Row<'a>] {
            let from = rows.partition_point(|r| (r.whose as usize) < whose);
            let len = rows[from..].partition_point(|r| r.whose as usize == whose);
            &rows[from..from + len]
        };
        let this = &*self;
        over_pieces(threads, &mut pasts, &|first, piece| {
            for (whose, p) in (first..).zip(piece) {
                this.seen(whose as u32, p, rows_of(whose));
            }
            Vec::<()>::new()
        });
        // The usual place of several people is a lawful shared exit: a tenth of days is a visit, a third is a place of work. What is
        // abroad or rents servers is nobody's place of work, and who is declared to work elsewhere says half as much, and nothing when
        // none of the devices there is one of those he has at his own places: several thieves' accounts make no exit of theirs. Nor is it
        // the place of work of whoever goes through the index there, and asks otherwise elsewhere.
        let odd: FxHashSet<IpAddr> = (units.list.iter())
            .filter(|u| !self.at_home(u) || self.rented(u))
            .filter_map(|u| u.address)
            .collect();
        let mut at: FxHashMap<IpAddr, usize> = FxHashMap::default();
        for (whose, p) in pasts.iter().enumerate() {
            let Some(p) = p else { continue };
            for (a, d) in p.addresses.iter() {
                if d.len() < 2 || d.len() * 3 < p.days.len() || odd.contains(a) {
                    continue;
                }
                if self.walked_only_at(whose as u32, *a) {
                    continue;
                }
                if p.networks.is_empty() || p.networks.iter().any(|n| n.contains(*a)) {
                    *at.entry(*a).or_default() += 2;
                } else if !self.other_devices(whose as u32, p, *a) {
                    *at.entry(*a).or_default() += 1;
                }
            }
        }
        self.peers = at
            .into_iter()
            .filter(|(_, n)| *n >= 4)
            .map(|(a, _)| a)
            .collect();
        let this = &*self;
        let mut trust = in_pieces(threads, units.list.len(), &|piece| {
            piece
                .map(|i| this.ground(None, units.list[i].address))
                .collect()
        });
        let of_known = over_pieces(threads, &mut pasts, &|first, piece| {
            let mut out = vec![];
            for (whose, p) in (first..).zip(piece) {
                this.learn(whose as u32, p, rows_of(whose), &mut out);
            }
            out
        });
        for (i, t) in of_known {
            trust[i as usize] = t;
        }
        self.trust = trust;
        self.pasts = pasts;
        for p in self.pasts.iter().flatten() {
            if !p.devices.is_empty() {
                self.people_with_devices += 1;
            }
            for (d, _) in p.devices.iter() {
                *self.holders.entry(*d).or_default() += 1;
            }
        }
        self.know_colleagues();
        let trusted: Vec<&Unit> = units
            .list
            .iter()
            .enumerate()
            .filter(|(i, u)| {
                self.trust[*i] > Trust::Habit
                    && u.parents.is_empty()
                    && !u.machine
                    && u.does.asks >= 5
                    && self.past(u).is_none_or(|p| !p.stray(u))
            })
            .map(|(_, u)| u)
            .collect();
        if trusted.len() >= 10 {
            let n = trusted.len() as f64;
            self.walkers = trusted
                .iter()
                .filter(|u| u.does.prefix >= 0.5 || u.does.range >= 0.5)
                .count() as f64
                / n;
            let people = |of: &dyn Fn(&Unit) -> bool| {
                let whos: FxHashSet<u32> =
                    trusted.iter().filter(|u| of(u)).map(|u| u.whose).collect();
                whos.len()
            };
            let all = people(&|_| true).max(1) as f64;
            // One person's work is no custom, however often he does it.
            let with = |of: &dyn Fn(&Unit) -> bool| {
                let k = trusted.iter().filter(|u| of(u));
                let others = people(of).saturating_sub(1);
                (k.count() as f64 / n).min(others as f64 / all)
            };
            self.slices = with(&|u| u.does.manner() == Some(Manner::Slices));
            self.numbers = with(&|u| u.does.manner() == Some(Manner::Numbers));
            self.hasty = with(&|u| u.does.steady);
            self.exporters = trusted.iter().filter(|u| u.does.exports > 0).count() as f64 / n;
            let mut w: Vec<u64> = trusted
                .iter()
                .map(|u| u.does.subjects.max(u.does.objects))
                .collect();
            w.sort_unstable();
            self.wide = w[(w.len() - 1) * 99 / 100].max(50);
        }
    }

    /// What people do on certain ground, for those of whom little is known.
    fn know_colleagues(&mut self) {
        // So many people and uses show a custom.
        const PEOPLE: usize = 5;
        const USES: usize = 20;
        let (mut spreads, mut gaps, mut days) = (vec![], vec![], Days::default());
        let mut people: BTreeMap<u32, bool> = BTreeMap::new();
        for (i, u) in self.units.list.iter().enumerate() {
            let person = !u.who.is_empty() && !u.machine && !u.flow_only && !technical(u);
            if !person || u.job.is_some() || !u.parents.is_empty() || self.trust[i] < Trust::Peers {
                continue;
            }
            let by_night = people.entry(u.whose).or_default();
            *by_night |= self.deep_night(u);
            let b = self.done(i);
            if b.spread() > 0 {
                spreads.push(b.spread());
                days.extend(&u.days);
                if b.asks >= 2 && b.gap > 0.0 {
                    gaps.push(b.gap);
                }
            }
        }
        if people.len() < PEOPLE {
            return;
        }
        let awake = people.values().filter(|n| **n).count();
        self.quiet_nights = awake * 10 <= people.len();
        if spreads.len() >= USES && !gaps.is_empty() {
            spreads.sort_unstable();
            gaps.sort_unstable_by(f64::total_cmp);
            self.colleagues = Reading {
                days,
                most: spreads[(spreads.len() - 1) * 98 / 100],
                gap: gaps[gaps.len() * 2 / 100],
            };
        }
    }

    /// Devices are told of an account at its own places, and none of them at this address.
    fn other_devices(&self, whose: u32, p: &Past<'a>, address: IpAddr) -> bool {
        let (mut own, mut there) = (vec![], vec![]);
        for u in self.units_of(whose).map(|i| &self.units.list[i]) {
            if u.address == Some(address) {
                note(&mut there, u.devices.iter().copied());
            } else if self.ground(Some(p), u.address) > Trust::Peers {
                note(&mut own, u.devices.iter().copied());
            }
        }
        !own.is_empty() && there.iter().all(|d| own.binary_search(d).is_err())
    }

    /// The account goes through the index at this address whenever it asks more than a little, and at another one it does not.
    fn walked_only_at(&self, whose: u32, address: IpAddr) -> bool {
        let mut at: BTreeMap<IpAddr, (usize, usize)> = BTreeMap::new();
        for u in self.units_of(whose).map(|i| &self.units.list[i]) {
            if let Some(a) = u.address.filter(|_| u.does.asks > 0) {
                let (walks, asks) = at.entry(a).or_default();
                *walks += usize::from(u.does.manner().is_some());
                *asks += 1;
            }
        }
        let walked = |(walks, asks): &(usize, usize)| walks * 2 >= *asks;
        at.get(&address).is_some_and(walked) && !at.values().all(walked)
    }

    /// The account goes through the index where this unit comes from, and asks otherwise elsewhere.
    pub fn otherwise_elsewhere(&self, i: usize) -> bool {
        let u = &self.units.list[i];
        u.address.is_some_and(|a| self.walked_only_at(u.whose, a))
    }

    /// When and where an account or person was seen, trusted or not.
    fn seen(&self, whose: u32, past: &mut Option<Past<'a>>, rows: &[Row<'a>]) {
        let mine = || self.units_of(whose).map(|i| &self.units.list[i]);
        // How programs are used is asked of technical accounts only.
        let ways = mine().any(technical);
        let mut begun: BTreeMap<Way, BTreeSet<(i64, i64)>> = BTreeMap::new();
        // Whoever knocks at a door every night is not at home there.
        for u in mine().filter(|u| !u.machine && !u.refused) {
            let p = past.get_or_insert_default();
            p.days.extend(&u.days);
            if let Some(a) = u.address.filter(|_| u.parents.is_empty()) {
                // A night is one visit: the day it began.
                p.addresses.at(a).extend(u.days.first());
            }
            note(&mut p.countries, u.country);
            for d in &u.devices {
                p.any_device.at(*d).extend(&u.days);
            }
            for g in ways_of(&u.programs).into_iter().filter(|_| ways) {
                // A job's own way is no habit of whoever uses a database's account besides.
                if u.job.is_some() && u.account.is_some_and(|a| a.system == System::Db) {
                    let days = p.job_ways.entry((u.address, g)).or_default();
                    days.extend(&u.days);
                    continue;
                }
                if let Some(day) = u.days.first() {
                    let begun = begun.entry((u.address, g.clone())).or_default();
                    begun.insert((minute_of_day(u.from), *day));
                }
                p.ways.entry((u.address, g)).or_default().extend(&u.days);
            }
            if let Some(day) = u.days.first().filter(|_| u.does.writes > 0) {
                *p.written.at(*day) += u.does.writes;
            }
        }
        for r in rows {
            let (h, p) = (r.habit, past.get_or_insert_default());
            p.days.extend(&h.days);
            if let Some(a) = r.address {
                p.addresses.at(a).extend(&h.days);
            }
            note(&mut p.countries, h.country.as_deref());
            for (d, days) in &h.devices {
                p.any_device.at(self.device_number(d)).extend(days);
            }
            if h.programs.is_empty() {
                let way = p.ways.entry((r.address, String::new())).or_default();
                way.extend(&h.days);
            }
            for (g, days) in &h.programs {
                let way = p.ways.entry((r.address, g.to_lowercase())).or_default();
                way.extend(days);
            }
        }
        if let Some(p) = past {
            // Only a log that has been there for a while shows that a use is the first one.
            let shown = mine()
                .filter(|u| ways && !u.flow_only)
                .flat_map(|u| &u.members)
                .filter_map(|m| self.since.get(self.s.list[*m as usize].format))
                .max();
            if let (Some(shown), Some(first), Some(last)) = (shown, p.days.first(), p.days.last()) {
                p.new_here = *first >= shown + 7 && last - first < 14;
            }
            // What begins with its first use may be the thief's from the first day on.
            if !p.new_here {
                p.daily = p.find_daily();
            }
            p.clocks = begun
                .into_iter()
                .filter(|(_, b)| b.len() >= 5)
                .flat_map(|(way, b)| {
                    let minutes = minutes_of_most_days(&b).into_iter();
                    minutes.map(move |m| (way.clone(), m))
                })
                .collect();
        }
    }

    /// The number of a remembered device.
    fn device_number(&self, text: &str) -> u32 {
        let found = self.units.devices.binary_search(&text);
        found.map_or(crate::units::NOBODY, |n| n as u32)
    }

    /// How well the origins of one account or person are known, and what it does on known ground.
    fn learn(
        &self,
        whose: u32,
        past: &mut Option<Past<'a>>,
        rows: &[Row<'a>],
        out: &mut Vec<(u32, Trust)>,
    ) {
        let units = &self.units.list;
        let mut anchor = Anchor::default();
        let devices = |r: &Row<'a>| -> Small<u32> {
            let texts = r.habit.devices.keys();
            texts.map(|d| self.device_number(d)).collect()
        };
        let mut at_work = |address, hours, times, devices: &[u32]| {
            let sure = self.ground(past.as_ref(), address) >= Trust::Peers;
            if sure {
                anchor.known = true;
                anchor.hours.add(hours, times);
                for d in devices.iter().filter(|d| !self.device(**d).automated) {
                    note(&mut anchor.devices, [*d]);
                    note(&mut anchor.shapes, [self.device(*d).shape]);
                }
            }
            sure
        };
        let mut formats: Vec<&'static str> = vec![];
        let (mut manners, mut walks) = (vec![], vec![]);
        for i in self.units_of(whose) {
            let u = &units[i];
            let sure = at_work(u.address, self.hours_of(u), 1, &u.devices);
            if sure {
                note(&mut formats, self.formats(i, &|_| true).iter().copied());
            }
            match (u.does.manner(), u.address) {
                (Some(k), _) if sure => note(&mut manners, [k]),
                (Some(k), Some(a)) => walks.push((net::neighbourhood(a), k)),
                _ => {}
            }
        }
        for r in rows {
            at_work(
                r.address,
                r.habit.hours,
                r.habit.days.len() as u32,
                &devices(r),
            );
        }
        (anchor.formats, anchor.manners, anchor.walks) = (formats, manners, walks);
        let named = |m: usize| {
            let device = self.s.list[m].origin.device.as_deref();
            device.is_some_and(|d| {
                self.devices
                    .get(self.device_number(d) as usize)
                    .map_or_else(|| machine_name(d), |d| d.machine)
            })
        };
        let left = past.as_ref().and_then(|p| p.left);
        let gone = |u: &Unit| left.is_some_and(|left| u.days.first().is_some_and(|d| *d >= left));
        let first = out.len();
        for i in self.units_of(whose) {
            let u = &units[i];
            let seen = Use {
                address: u.address,
                country: u.country,
                asn: u.asn,
                naming: &|| self.formats(i, &named),
                devices: &u.devices,
                hours: self.hours_of(u),
            };
            let bot = self.is_bot(u);
            let trust = self.trust_of(past.as_ref(), bot, &seen, &anchor);
            // Nobody makes a habit under the account of somebody who has left.
            let nobodys = trust == Trust::Habit && gone(u);
            out.push((i as u32, if nobodys { Trust::None } else { trust }));
        }
        let row_trust: Vec<Trust> = rows
            .iter()
            .map(|r| {
                let seen = Use {
                    address: r.address,
                    country: r.habit.country.as_deref(),
                    asn: r.habit.asn,
                    naming: &Small::default,
                    devices: &devices(r),
                    hours: r.habit.hours,
                };
                self.trust_of(past.as_ref(), r.bot, &seen, &anchor)
            })
            .collect();
        let Some(p) = past else {
            return;
        };
        // An account nobody places anywhere is known by the place it comes from day after day.
        let certain = if anchor.known {
            Trust::Peers
        } else {
            Trust::Habit
        };
        let mut trusted_days = Days::default();
        for (i, trust) in &out[first..] {
            let (i, u) = (*i as usize, &units[*i as usize]);
            // Nothing is learned from what is not known ground, nor from what was opened from elsewhere.
            if *trust == Trust::None || u.machine || !u.parents.is_empty() || gone(u) {
                continue;
            }
            let opened = self.opened(i).into_iter();
            let opened = opened.map(|v| v.whose).filter(|w| *w != whose);
            note(&mut p.opens, opened);
            p.trusted_units += 1;
            trusted_days.extend(&u.days);
            for d in &u.devices {
                if !self.device(*d).automated {
                    p.devices.at(*d).extend(&u.days);
                    note(&mut p.shapes, [self.device(*d).shape]);
                } else if *trust >= Trust::Peers {
                    p.tools.at(*d).extend(&u.days);
                }
            }
            p.hours_seen.add(self.hours_of(u), 1);
            if !p.stray(u) {
                p.most.highest(&u.does);
                p.exports |= u.does.exports > 0;
                note(&mut p.servers, self.servers(i));
            }
            if u.does.interactive {
                p.interactive_days.extend(&u.days);
            }
            if *trust >= certain && u.job.is_none() && !p.stray(u) {
                let b = self.done(i);
                if b.asks > 0 || b.spread() > 0 {
                    let gap = if b.asks >= 2 { b.gap } else { 0.0 };
                    p.reads.take(&u.days, b.spread(), gap);
                }
            }
        }
        self.stray_questions(whose, p);
        let technical = |u: &&Unit| technical(u) && u.job.is_none() && u.does.asks > 0;
        for u in (self.units_of(whose).map(|i| &units[i])).filter(technical) {
            p.plain += usize::from(self.slices_of(u).0 == 0);
            p.sliced += usize::from(self.is_sliced(u));
        }
        p.grounded = anchor.known;
        for (r, trust) in rows.iter().zip(row_trust) {
            let h = r.habit;
            for (d, days) in &h.devices {
                let d = self.device_number(d);
                if self.device(d).automated {
                    p.tools.at(d).extend(days);
                }
            }
            if trust == Trust::None {
                continue;
            }
            for d in &h.days {
                p.trusted_units += usize::from(trusted_days.insert(*d));
            }
            for (d, days) in &h.devices {
                let d = self.device_number(d);
                if !self.device(d).automated {
                    p.devices.at(d).extend(days);
                    note(&mut p.shapes, [self.device(d).shape]);
                }
            }
            p.hours_seen.add(h.hours, h.days.len() as u32);
            let b = h.behaviour();
            if trust >= certain && (b.asks > 0 || b.spread() > 0) {
                let days: Vec<i64> = h.days.iter().copied().collect();
                p.reads.take(&days, b.spread(), b.gap);
            }
            p.most.highest(&b);
            p.exports |= h.exports;
            let servers = h.servers.iter();
            note(
                &mut p.servers,
                servers.filter_map(|s| self.servers.remembered.get(s.as_str()).copied()),
            );
            p.interactive_days.extend(&h.interactive);
        }
    }

    /// How many questions by prefixes and ranges a unit asks, and how many in all.
    fn slices_of(&self, u: &Unit) -> (u32, u32) {
        let members = u.members.iter();
        let asks = members.filter_map(|m| self.s.features[*m as usize].asks.as_ref());
        asks.fold((0, 0), |(sliced, all), a| {
            (sliced + a.prefix + a.range, all + a.count)
        })
    }
    /// Asks little else than by prefixes or ranges, four times and more.
    fn is_sliced(&self, u: &Unit) -> bool {
        let (sliced, all) = self.slices_of(u);
        sliced >= 4 && sliced * 2 >= all
    }
    /// In one of a technical account's daily ways, questions by prefixes or ranges that next to none of its uses ask.
    pub fn slices_like_none(&self, i: usize) -> bool {
        const USES: usize = 20;
        let u = &self.units.list[i];
        let Some(p) = self.past(u).filter(|_| technical(u) && u.job.is_none()) else {
            return false;
        };
        p.plain >= USES && p.sliced * 10 <= p.plain && !p.by_the_clock(u) && self.is_sliced(u)
    }

    /// What was asked under a technical account in none of its daily ways, by address.
    fn stray_questions(&self, whose: u32, p: &mut Past<'a>) {
        // A timer is not late; somebody who comes at the same hour is.
        const NEAR: i64 = 1;
        const DAY_MINUTES: i64 = 24 * 60;
        let mut strays: BTreeMap<Option<IpAddr>, (Strayed, Days)> = BTreeMap::new();
        for u in self.units_of(whose).map(|i| &self.units.list[i]) {
            if u.machine || u.flow_only || !p.stray(u) {
                continue;
            }
            let minute = minute_of_day(u.from);
            let (at, days) = strays.entry(u.address).or_insert_with(|| {
                let first = Strayed {
                    minute,
                    by_the_clock: true,
                    ..Strayed::default()
                };
                (first, Days::default())
            });
            let apart = (minute - at.minute).rem_euclid(DAY_MINUTES);
            at.by_the_clock &= apart.min(DAY_MINUTES - apart) <= NEAR;
            days.extend(u.days.first());
            for m in &u.members {
                if let Some(a) = &self.s.features[*m as usize].asks {
                    at.prefix += a.prefix;
                    at.range += a.range;
                }
            }
        }
        let counted = strays.into_iter().map(|(a, (mut at, days))| {
            at.days = days.len() as u32;
            (a, at)
        });
        p.strays = counted.collect();
    }

    /// Every client of the unit is a program.
    fn is_bot(&self, u: &Unit) -> bool {
        !u.devices.is_empty() && u.devices.iter().all(|d| self.device(*d).automated)
    }

    /// Units of somebody's account that unit `i` made possible, itself apart: what it opened, and what a log says was opened from there.
    fn opened(&self, i: usize) -> Vec<&Unit<'a>> {
        let mut out: Vec<usize> = self.units.list[i]
            .children
            .iter()
            .filter(|(_, c)| *c >= 0.5)
            .map(|(c, _)| *c)
            .collect();
        if !out.is_empty() {
            out.extend(self.units.reach_by(i, SAID));
            out.sort_unstable();
            out.dedup();
        }
        out.retain(|j| *j != i);
        out.into_iter()
            .map(|j| &self.units.list[j])
            .filter(|v| !v.who.is_empty() && !v.machine && !v.flow_only && v.job.is_none())
            .collect()
    }

    /// Share of the people with known devices who have this one.
    fn share_of(&self, device: u32) -> f64 {
        let n = self.holders.get(&device).copied().unwrap_or(0);
        (n as f64 + 1.0) / (self.people_with_devices as f64 + 2.0)
    }

    /// True for what the account does from there at this time of day, day after day: nobody's raid, whoever else used the account.
    pub fn daily(&self, i: usize) -> bool {
        const NEAR: i64 = 45 * MINUTE;
        let u = &self.units.list[i];
        let days: BTreeSet<i64> = self
            .units_of(u.whose)
            .map(|j| &self.units.list[j])
            .filter(|v| v.address == u.address && v.flow_only == u.flow_only)
            .filter(|v| {
                let apart = (v.from - u.from).rem_euclid(DAY);
                apart.min(DAY - apart) <= NEAR && (v.from - u.from).abs() >= DAY / 2
            })
            .filter_map(|v| v.days.first().copied())
            .collect();
        days.len() >= 3
    }

    /// A use of a technical account that is one of its daily ways.
    pub fn usual_way(&self, i: usize) -> bool {
        let u = &self.units.list[i];
        let past = self.past(u);
        past.is_some_and(|p| p.usual_way(u) || p.by_the_clock(u))
    }
    /// Two accounts that are certainly not one person's, none of which opens the other.
    pub fn strangers(&self, u: &Unit, v: &Unit) -> bool {
        comparable(u, v) && !related(u, v) && !self.opens(u, v) && !self.opens(v, u)
    }

    /// The account of a unit goes through the index like that on known ground too.
    pub fn own_manner(&self, u: &Unit, manner: Manner) -> bool {
        self.past(u).is_some_and(|p| match manner {
            Manner::Slices => p.slices_as_much(&u.does),
            Manner::Numbers => p.most.walk >= WALK,
            Manner::Haste => p.most.steady,
        })
    }
    /// True when hardly anybody goes through an index like this from known ground.
    pub fn rare(&self, manner: Manner) -> bool {
        let share = match manner {
            Manner::Slices => self.slices,
            Manner::Numbers => self.numbers,
            Manner::Haste => self.hasty,
        };
        share <= 0.02
    }

    /// Thirty things and more looked at, seconds apart and without a pause, from a place nobody knows: no person does that, whatever the
    /// client calls itself. Not where the account, or who works on known ground, has a program that does.
    pub fn machine_pace(&self, i: usize) -> bool {
        const THINGS: u64 = 30;
        let u = &self.units.list[i];
        self.trust[i] == Trust::None
            && !u.who.is_empty()
            && !u.machine
            && u.job.is_none()
            && u.parents.is_empty()
            && u.does.steady
            && u.does.subjects.max(u.does.objects) >= THINGS
            && self.rare(Manner::Haste)
            && !self.own_manner(u, Manner::Haste)
    }

    /// Hours of the day with activity, bit 0 = 00:00–01:00 local.
    fn hours_of(&self, u: &Unit) -> u32 {
        u.members.iter().fold(0, |all, m| {
            all | self.s.features[*m as usize].hours_of_day()
        })
    }

    /// None of it between seven and nine in the evening, when people work at home who never did before.
    pub fn by_night(&self, i: usize) -> bool {
        const DAY: u32 = 0x1f_ff80;
        let hours = self.hours_of(&self.units.list[i]);
        hours != 0 && hours & DAY == 0
    }
    /// All of it between midnight and five.
    pub fn deep_night(&self, u: &Unit) -> bool {
        let hours = self.hours_of(u);
        hours != 0 && hours >> 5 == 0
    }

    /// The rows the units in `keep` leave behind for later runs.
    pub fn habits(&self, threads: usize, keep: &(dyn Fn(usize) -> bool + Sync)) -> Habits {
        // An account is one person's: no row is made in two pieces.
        let rows = in_pieces(threads, self.s.whos().len(), &|piece| {
            let mut out: Vec<(Place, Habit)> = vec![];
            for whose in piece {
                let first = out.len();
                // An account as it is spelled, its canonical text.
                let mut names: Vec<(&Account, String)> = vec![];
                for i in self.units_of(whose as u32).filter(|i| keep(*i)) {
                    let u = &self.units.list[i];
                    let Some(account) = u.account.filter(|_| Habits::takes(u)) else {
                        continue;
                    };
                    if !names.iter().any(|n| n.0 == account) {
                        names.push((account, account_id(account)));
                    }
                    let known = names.iter().find(|n| n.0 == account);
                    let name = known.map_or("", |n| &n.1);
                    let bot = self.is_bot(u);
                    let at = out[first..]
                        .iter()
                        .position(|((n, at, b), _)| n == name && *at == u.address && *b == bot);
                    let at = at.map_or_else(
                        || {
                            let place = (name.to_string(), u.address, bot);
                            out.push((place, Habit::default()));
                            out.len() - 1
                        },
                        |k| first + k,
                    );
                    let servers = self.servers(i);
                    out[at].1.take(
                        u,
                        u.devices.iter().map(|d| self.device(*d).text),
                        servers.iter().map(|s| self.servers.text(*s)),
                        self.hours_of(u),
                    );
                }
            }
            out
        });
        let mut out = Habits::of(rows);
        out.settle();
        out
    }

    /// What is known of an origin before any habit.
    fn ground(&self, p: Option<&Past<'a>>, address: Option<IpAddr>) -> Trust {
        let Some(a) = address.filter(|a| !self.lent_place(*a)) else {
            return Trust::None;
        };
        if p.is_some_and(|p| p.networks.iter().any(|n| n.contains(a))) {
            return Trust::Declared;
        }
        if self.certain_site(a) {
            return Trust::Site;
        }
        if self.peers.contains(&a) || self.declared.iter().any(|n| n.contains(a)) {
            return Trust::Peers;
        }
        Trust::None
    }

    /// A habit is a place the account comes from day after day, as the person known from certain ground: same device where
    /// devices are told, else the same hours. A stranger who keeps coming makes no habit, and neither does anybody under an
    /// account whose networks are declared because it is lent to a firm or a machine.
    fn trust_of(&self, past: Option<&Past<'a>>, bot: bool, x: &Use<'_>, k: &Anchor) -> Trust {
        let ground = self.ground(past, x.address);
        if ground != Trust::None || bot {
            return ground;
        }
        let Some(a) = x.address.filter(|a| !self.lent_place(*a)) else {
            return Trust::None;
        };
        let home = x
            .country
            .is_none_or(|c| self.home.is_empty() || self.home.contains(c));
        let rented = x
            .asn
            .and_then(|n| self.s.operators.get(&n))
            .is_some_and(|o| hosting(o));
        let Some(p) = past.filter(|_| home && !rented) else {
            return Trust::None;
        };
        if !p.networks.is_empty() && matches!(p.kind.as_str(), "vendor" | "service" | "admin") {
            return Trust::None;
        }
        let near = net::neighbourhood(a);
        // Inside, but in no declared network: what a door nobody logged lends to one today it lends to another tomorrow. A machine
        // there keeps its address.
        let lent = net::is_private(a) && !self.certain_site(a);
        let mut days = Days::default();
        for (x, d) in p.addresses.iter() {
            if *x == a || !lent && net::neighbourhood(*x) == near {
                days.extend(&**d);
            }
        }
        // One such place: where the account comes from most often of all that is not certain ground.
        let most = p
            .addresses
            .iter()
            .filter(|(x, _)| !self.on_site(*x) && !self.peers.contains(x) && !self.lent_place(*x))
            .filter(|(x, _)| !p.networks.iter().any(|n| n.contains(*x)))
            .map(|(_, d)| d.len())
            .max()
            .unwrap_or(0);
        let often = days.len() >= 3 && days.len() * 5 >= p.days.len() && days.len() >= most;
        let person = if !k.known {
            days.len() * 2 >= p.days.len()
        } else if !k.devices.is_empty() && !x.devices.is_empty() {
            x.devices.iter().any(|d| {
                k.devices.binary_search(d).is_ok()
                    || k.shapes.binary_search(&self.device(*d).shape).is_ok()
            })
        } else if k.devices.is_empty()
            && (x.naming)()
                .iter()
                .any(|f| k.formats.binary_search(f).is_ok())
        {
            // A machine is named here by logs that show the account at its usual places, on machines they do not name.
            false
        } else {
            let usual = (x.hours & around(k.hours.usual())).count_ones();
            usual * 2 >= x.hours.count_ones()
        };
        // Somebody who goes through the index there, and nowhere for certain, is not at work as the person known.
        let walks = k.known
            && k.walks
                .iter()
                .any(|(n, m)| *n == near && k.manners.binary_search(m).is_err());
        if often && person && !walks {
            Trust::Habit
        } else {
            Trust::None
        }
    }

    /// Reasons of one unit from its origin, device and time. Empty for what a tunnel or hop made possible: its origin is the outer one's.
    pub fn origin(&self, i: usize, sum: &mut Sum) {
        let u = &self.units.list[i];
        let Some(p) = self.past(u) else {
            self.ticket(u, sum);
            self.nobody(i, sum);
            return;
        };
        let trust = self.trust[i];
        let addr = u.address.map_or_else(String::new, |a| a.to_string());
        let tried =
            u.does.logins == 0 && u.does.failures > 0 && u.does.asks == 0 && u.does.bytes_out == 0;
        let k = if tried { 0.4 } else { 1.0 };
        let country = u.country.unwrap_or_default();
        let place = if country.is_empty() {
            addr.clone()
        } else {
            format!("{addr} ({country})")
        };
        let db = u.account.as_ref().is_some_and(|a| a.system == System::Db);
        match trust {
            // A tool somebody types into is no program of the machine's: that it is used there says nothing of who types.
            Trust::Declared if p.stray(u) && self.taken_up_by_hand(u) => {}
            // What an account is declared for is a hint: of a use that is none of its usual ones it says little.
            Trust::Declared if p.stray(u) && !p.by_the_clock(u) => sum.add(
                "declared_network",
                -1.0,
                format!("vient de {addr}, réseau déclaré pour ce compte, qui ne sert pas ainsi"),
                format!(
                    "comes from {addr}, a network declared for this account, which is not used so"
                ),
            ),
            Trust::Declared => sum.add(
                "declared_network",
                -3.0,
                format!("vient de {addr}, réseau déclaré pour ce compte"),
                format!("comes from {addr}, a network declared for this account"),
            ),
            // Technical accounts are always inside: that says nothing, unless it is a machine they were not declared for and hardly
            // come from.
            Trust::Site if u.service || db => {
                let declared = matches!(p.kind.as_str(), "vendor" | "service" | "admin");
                // However often it came: a program with hands behind it speaks for itself.
                let stray = p.stray(u) && !p.by_the_clock(u) && !self.taken_up_by_hand(u);
                let elsewhere = u.address.filter(|a| {
                    let days = p.addresses.get(a).map_or(0, |d| d.len());
                    p.undeclared(*a)
                        && (stray || days * 3 < p.days.len() || p.machine_came_beside(*a))
                });
                if let Some(a) = elsewhere.filter(|_| declared) {
                    let beside = db && p.machine_came_beside(a);
                    sum.add(
                        "undeclared_network",
                        if beside { 1.0 } else { 0.5 } * k,
                        format!("{addr} n'est pas un réseau déclaré pour ce compte"),
                        format!("{addr} is no network declared for this account"),
                    );
                }
            }
            Trust::Site => sum.add(
                "on_site",
                -2.0,
                format!("vient de {addr}, dans l'établissement"),
                format!("comes from {addr}, inside the establishment"),
            ),
            Trust::Peers => sum.add(
                "shared_exit",
                -2.0,
                format!("vient de {addr}, sortie habituelle de plusieurs professionnels"),
                format!("comes from {addr}, the usual exit of several professionals"),
            ),
            Trust::Habit => sum.add(
                "usual_place",
                -1.5,
                format!("vient de {addr}, lieu habituel de ce compte"),
                format!("comes from {addr}, a usual place of this account"),
            ),
            Trust::None => {
                if u.address.is_some_and(|a| !self.lent_place(a)) {
                    if !p.networks.is_empty() {
                        let w = if matches!(p.kind.as_str(), "vendor" | "service" | "admin") {
                            3.2
                        } else {
                            1.0
                        };
                        sum.add(
                            "undeclared_network",
                            w * k,
                            format!("{place} n'est pas un réseau déclaré pour ce compte"),
                            format!("{place} is no network declared for this account"),
                        );
                    } else if p.trusted_units > 0 {
                        sum.add(
                            "new_network",
                            0.7 * k,
                            format!("{place} n'est pas un lieu habituel de ce compte"),
                            format!("{place} is no usual place of this account"),
                        );
                    }
                    self.far_or_rented(u, k, sum);
                }
            }
        }
        if trust == Trust::None && !self.at_home(u) {
            let abroad = p
                .countries
                .iter()
                .filter(|c| !self.home.contains(**c))
                .count();
            if abroad >= 2 && !self.home.is_empty() {
                sum.add(
                    "several_countries",
                    1.0 * k,
                    format!("ce compte vient de {abroad} pays étrangers"),
                    format!("this account comes from {abroad} foreign countries"),
                );
            }
        }
        self.client(u, p, trust, k, sum);
        self.calendar(u, p, trust, k, sum);
        if u.does.logins > 0 && u.does.failures >= 5 && trust == Trust::None {
            sum.add(
                "guessing",
                1.0,
                format!("{} échecs avant d'entrer", u.does.failures),
                format!("{} failures before getting in", u.does.failures),
            );
        }
        if trust == Trust::None {
            self.elsewhere(i, u, sum);
        }
    }

    /// Somebody no log names, who was told something: the place speaks, and a program that asks much where none asks day after day.
    fn nobody(&self, i: usize, sum: &mut Sum) {
        const MUCH: usize = 8;
        let u = &self.units.list[i];
        let told = u.does.queries > 0 || u.does.asks > 0 || u.does.subjects > 0;
        let outside = |a: &IpAddr| !self.on_site(*a) && !self.lent_place(*a);
        let Some(a) = u.address.filter(outside) else {
            return;
        };
        if !told || self.trust[i] != Trust::None {
            return;
        }
        self.far_or_rented(u, 1.0, sum);
        let devices = || u.devices.iter().map(|d| self.device(*d));
        let tool = devices().find(|d| d.automated && !d.monitor && !d.platform);
        let days = self.nameless_days.get(&a).map_or(0, |d| d.len() as i64);
        let partner = days >= 4 && days * 2 > self.last_day - self.first_day;
        if let Some(t) = tool.filter(|_| u.does.asks >= MUCH && !partner) {
            sum.add(
                "automated_client",
                3.5,
                format!("client automatique : {}", t.text),
                format!("automated client: {}", t.text),
            );
        }
    }

    /// What an unknown place abroad, or of somebody who lets servers, says.
    fn far_or_rented(&self, u: &Unit, k: f32, sum: &mut Sum) {
        let Some(a) = u.address else { return };
        let home = self.at_home(u);
        if !home {
            let country = u.country.unwrap_or_default();
            sum.add(
                "new_country",
                2.2 * k,
                format!("connexion depuis l'étranger : {a} ({country})"),
                format!("comes from abroad: {a} ({country})"),
            );
        }
        if self.rented(u) {
            let operator = u.asn.and_then(|n| self.s.operators.get(&n));
            let operator = operator.cloned().unwrap_or_default();
            let w = match (home, self.deep_night(u)) {
                (true, true) => 3.2,
                (true, false) => 2.0,
                (false, _) => 2.6,
            };
            sum.add(
                "hosting",
                w * k,
                format!("{a} appartient à un loueur de serveurs ({operator})"),
                format!("{a} belongs to a renter of servers ({operator})"),
            );
        }
    }

    fn client(&self, u: &Unit, p: &Past, trust: Trust, k: f32, sum: &mut Sum) {
        // What is behind a tunnel shows the machine's name only in the logons it made possible.
        let mut seen: Vec<u32> = u.devices.to_vec();
        for (c, _) in u.children.iter().filter(|(_, w)| *w >= 0.5) {
            note(&mut seen, self.units.list[*c].devices.iter().copied());
        }
        let all = &self.devices;
        let of = |d: &u32| &all[*d as usize];
        seen.retain(|d| {
            let d = of(d);
            !d.text.is_empty() && !d.monitor && !d.platform && !d.serves
        });
        // A technical account has no owner whose device it could be.
        if seen.is_empty() || technical(u) {
            return;
        }
        let tool = seen.iter().find(|d| of(d).automated);
        let mine = seen
            .iter()
            .find(|d| p.devices.get(d).is_some() || self.trusted_below(u, **d));
        if let Some(t) = tool {
            // Somebody known at certain places uses his tools there too: elsewhere the days may all be a thief's.
            let mut tools = vec![&p.tools];
            tools.extend((!p.grounded).then_some(&p.any_device));
            let habitual = tools.into_iter().filter_map(|list| list.get(t));
            let habitual = (habitual.map(|d| d.len())).any(|n| n * 2 >= p.days.len() && n >= 4);
            if !habitual {
                sum.add(
                    "automated_client",
                    if trust >= Trust::Peers { 1.5 } else { 3.5 } * k,
                    format!("client automatique : {}", of(t).text),
                    format!("automated client: {}", of(t).text),
                );
            }
        } else if let Some(d) = mine {
            // A client many have is met by chance as often; the name of a machine is forged with one keystroke.
            let rare = -(0.8 * self.share_of(*d).ln()) as f32;
            let d = of(d).text;
            // A client's name is copied with a line; on a server somebody rents abroad it is hardly the owner's machine.
            let copied = trust == Trust::None && self.rented(u) && !self.at_home(u);
            let most = match (d.contains('/'), copied) {
                (true, true) => 0.9_f32,
                (true, false) => 2.5,
                (false, _) => 1.5,
            };
            sum.add(
                "own_device",
                -most.min(rare.max(0.2)),
                format!("appareil habituel du titulaire : {d}"),
                format!("the owner's usual device: {d}"),
            );
        } else if seen
            .iter()
            .any(|d| p.shapes.binary_search(&of(d).shape).is_ok())
        {
            sum.add(
                "like_device",
                -0.5,
                "appareil du même type que celui du titulaire".into(),
                "a device of the owner's kind".into(),
            );
        } else {
            let d = seen.first().map_or("", |d| of(d).text);
            let days = |d: &u32| p.any_device.get(d).map_or(0, |d| d.len());
            // Nothing is known from certain ground: another device the account has much more often stands for it.
            let mine = seen.iter().map(days).max().unwrap_or(0).max(1);
            let other = p
                .any_device
                .iter()
                .filter(|(d, _)| !of(d).automated && !of(d).platform && !of(d).serves)
                .filter(|(d, _)| !seen.contains(d))
                .any(|(_, n)| n.len() >= 3 && n.len() >= 2 * mine);
            // A machine that came later, while the one known before stays in use, is somebody else's.
            let first = seen
                .iter()
                .filter_map(|d| p.any_device.get(d)?.first())
                .min();
            let other = other
                || first.is_some_and(|first| {
                    p.any_device
                        .iter()
                        .filter(|(d, _)| of(d).machine && !of(d).serves && !seen.contains(d))
                        .any(|(_, n)| {
                            let before = n.partition_point(|day| day < first);
                            before >= 3 && before < n.len()
                        })
                });
            // Logons of a machine of the house name none; one that does comes from elsewhere.
            let foreign = self.named_elsewhere(u, p);
            if p.devices.is_empty() && !other && !foreign {
                return;
            }
            sum.add(
                "new_device",
                if p.devices.is_empty() { 1.0 } else { 1.6 } * k,
                format!("appareil jamais vu pour ce compte : {d}"),
                format!("device never seen for this account: {d}"),
            );
        }
    }

    /// A log that names the machine of this use shows the account on known ground too, and names none there.
    fn named_elsewhere(&self, u: &Unit, p: &Past) -> bool {
        let below = u.children.iter().filter(|(_, w)| *w >= 0.5);
        let members = below
            .flat_map(|(c, _)| self.units.list[*c].members.iter())
            .chain(&u.members);
        p.devices.is_empty()
            && p.trusted_units >= 3
            && members
                .filter(|m| !self.s.is_flow(**m as usize))
                .map(|m| &self.s.list[*m as usize])
                .filter(|x| x.origin.device.as_deref().is_some_and(machine_name))
                .any(|x| {
                    let known = |h: &u32| {
                        let rest = self.servers.text(*h).strip_prefix(x.format);
                        rest.is_some_and(|h| h.starts_with(' '))
                    };
                    p.servers.iter().any(known)
                })
    }

    /// The device is seen on declared ground in a unit that a trusted one of the same account made possible.
    fn trusted_below(&self, u: &Unit, device: u32) -> bool {
        self.units_of(u.whose).any(|j| {
            let v = &self.units.list[j];
            v.members != u.members
                && self.trust[j] >= Trust::Peers
                && v.children
                    .iter()
                    .any(|(c, w)| *w >= 0.5 && self.units.list[*c].devices.contains(&device))
        })
    }

    fn ticket(&self, u: &Unit, sum: &mut Sum) {
        let id = u.account.map(account_id).unwrap_or_default();
        if self.rules.ticket_of(&id, u.from, u.to, u.address).is_some() {
            sum.add(
                "ticket",
                -8.0,
                "intervention prévue : compte, heures et réseau du ticket".into(),
                "planned work: the ticket's account, hours and network".into(),
            );
        }
    }

    fn calendar(&self, u: &Unit, p: &Past, trust: Trust, k: f32, sum: &mut Sum) {
        if p.left
            .is_some_and(|left| u.days.last().is_some_and(|d| *d >= left))
        {
            // From a place nobody knows there is no colleague either who had the password.
            let asked = u.does.asks > 0 || u.does.subjects > 0 || u.does.files > 0;
            let w = if trust == Trust::None && asked {
                7.0
            } else {
                6.0
            };
            sum.add(
                "left",
                w * k,
                "compte d'une personne partie".into(),
                "account of a person who has left".into(),
            );
        }
        let away = p
            .away
            .iter()
            .any(|(a, b)| u.days.iter().all(|d| a <= d && d <= b));
        if away && trust == Trust::Site && u.does.asks >= 3 {
            sum.add(
                "absent",
                2.5,
                "le titulaire était absent, la session est sur place".into(),
                "the owner was absent and the session is on site".into(),
            );
        }
        // Where no log names the device, the absence explains the place a little.
        let untold = sum.weight("new_device") <= 0.0
            && sum.weight("automated_client") <= 0.0
            && !self.rented(u)
            && !self.at_home(u);
        if away && trust == Trust::None && sum.weight("own_device") == 0.0 && untold {
            sum.add(
                "traveller",
                -0.5,
                "le titulaire est absent, ce qui explique le lieu".into(),
                "the owner is away, which explains the place".into(),
            );
        }
        if away && trust == Trust::None && sum.weight("own_device") < 0.0 {
            sum.add(
                "traveller",
                -1.0,
                "le titulaire est absent et utilise son propre appareil".into(),
                "the owner is away and uses their own device".into(),
            );
        }
        if !p.hours.is_empty() {
            let inside = p.hours.iter().any(|h| {
                h.holds(u.from, &self.rules.zone, 30)
                    && h.holds(u.to.min(u.from + 4 * 60 * MINUTE), &self.rules.zone, 90)
            });
            if !inside {
                sum.add(
                    "hours",
                    1.5 * k,
                    "hors des heures déclarées pour ce compte".into(),
                    "outside the hours declared for this account".into(),
                );
            }
        } else if trust == Trust::None && p.trusted_units >= 3 && p.hours_seen.units > 0 {
            // An hour or two early or late is no other hour.
            if self.hours_of(u) & around(p.hours_seen.usual()) == 0 {
                sum.add(
                    "hours",
                    0.7 * k,
                    "à des heures où ce compte ne travaille jamais".into(),
                    "at hours this account never works".into(),
                );
            }
        }
        self.ticket(u, sum);
        if u.job.is_some() {
            sum.add(
                "job",
                -8.0,
                "traitement prévu : compte, hôte, programme et heures".into(),
                "scheduled batch: account, host, program and hours".into(),
            );
        }
    }

    /// Whether a unit reads several times faster than its account ever did on certain ground, and several times more.
    pub fn unlike(&self, i: usize) -> (bool, bool) {
        let past = self.past(&self.units.list[i]);
        past.map_or((false, false), |p| self.reads_of(p).unlike(&self.done(i)))
    }
    /// How an account reads, or where it was hardly seen how its colleagues do.
    fn reads_of<'p>(&'p self, p: &'p Past<'_>) -> &'p Reading {
        if p.reads.is_known() {
            &p.reads
        } else {
            &self.colleagues
        }
    }
    /// In the middle of the night, under an account nobody knows the hours of, where hardly anybody works then.
    pub fn strange_night(&self, i: usize) -> bool {
        let u = &self.units.list[i];
        let known = self.past(u).is_some_and(|p| p.trusted_units >= 3);
        !known && self.quiet_nights && self.deep_night(u)
    }

    /// Instants of what a unit and what it made possible looked at.
    fn looks(&self, i: usize) -> Vec<Nanos> {
        let mut out: Vec<Nanos> = self
            .units
            .reach(i)
            .iter()
            .flat_map(|r| &self.units.list[*r].members)
            .filter_map(|m| self.s.features[*m as usize].asks.as_ref())
            .flat_map(|a| a.at.iter().copied())
            .collect();
        out.sort_unstable();
        out
    }

    /// How often somebody at two places would have had to go from one to the other within [`TURN`].
    fn turns(a: &[Nanos], b: &[Nanos]) -> usize {
        let mut all: Vec<(Nanos, bool)> = a.iter().map(|t| (*t, false)).collect();
        all.extend(b.iter().map(|t| (*t, true)));
        all.sort_unstable();
        all.windows(2)
            .filter(|w| w[0].1 != w[1].1 && w[1].0 - w[0].0 <= TURN)
            .count()
    }

    /// The owner works on known ground while this unit comes from elsewhere.
    fn elsewhere(&self, i: usize, u: &Unit, sum: &mut Sum) {
        if sum.weight("own_device") < 0.0 {
            return;
        }
        let mut mine: Option<Vec<Nanos>> = None;
        for j in self.units_of(u.whose) {
            let v = &self.units.list[j];
            if j == i || self.trust[j] < Trust::Habit || !v.parents.is_empty() || v.flow_only {
                continue;
            }
            if v.from <= u.to && v.to >= u.from {
                let its = self.looks(j);
                let mine = mine.get_or_insert_with(|| self.looks(i));
                if mine.len() + its.len() == 0 {
                    continue;
                }
                // A screen left open elsewhere shows nothing; somebody at work here and there by turns is two.
                let turns = Self::turns(mine, &its);
                // A telephone is carried, and looked at from the desk.
                let carried = self.at_home(u) && !self.rented(u) && !u.devices.is_empty();
                let carried = carried && u.devices.iter().all(|d| handheld(self.device(*d).text));
                if turns >= 2 {
                    sum.add(
                        "two_desks",
                        if carried { 1.0 } else { 2.0 },
                        format!("le titulaire consulte ailleurs dans les mêmes minutes ({turns} allers-retours)"),
                        format!("the owner is reading elsewhere within the same minutes ({turns} turns)"),
                    );
                }
                let apart = v.country.is_some() && u.country.is_some() && v.country != u.country;
                sum.add(
                    "two_places",
                    if apart { 1.5 } else { 0.7 },
                    "le titulaire travaille ailleurs en même temps".into(),
                    "the owner works elsewhere at the same time".into(),
                );
            }
        }
    }

    /// What a unit did, with everything it made possible.
    fn done(&self, i: usize) -> Behaviour {
        let mut b = Behaviour::default();
        for r in self.units.reach(i) {
            b.with(self.does(r));
        }
        b
    }

    /// Reasons from what the unit did, with everything it made possible.
    pub fn behaviour(&self, i: usize, sum: &mut Sum) {
        let u = &self.units.list[i];
        let empty = Past::default();
        let p = self.past(u).unwrap_or(&empty);
        let reach = self.units.reach(i);
        let b = self.done(i);
        self.roaming(i, sum);
        let trusted = self.trust[i] >= Trust::Peers && u.parents.is_empty();
        let usual = if self.walkers > 0.2 { 0.3 } else { 1.0 };
        if b.asks >= 4
            && (b.prefix >= 0.5 || b.range >= 0.5)
            && p.most.prefix.max(p.most.range) < 0.5
            && !p.slices_as_much(&b)
        {
            // A few such questions are a slip or a hard case; eight are a method.
            let sure = (b.asks as f32 / 8.0).min(1.0);
            let w = 3.0 * sure * usual * if trusted { 0.7 } else { 1.0 };
            sum.add(
                "enumeration",
                w,
                format!(
                    "parcourt l'index par débuts de noms ou tranches de dates ({} questions)",
                    b.asks
                ),
                format!(
                    "walks the index by prefixes or date ranges ({} questions)",
                    b.asks
                ),
            );
        }
        if b.asks >= 12 && b.walk >= WALK && p.most.walk < WALK {
            sum.add(
                "id_walk",
                2.5,
                "parcourt les identifiants un par un".into(),
                "walks identifiers one by one".into(),
            );
        }
        if b.asks >= 8
            && b.gap > 0.0
            && b.gap <= 12.0
            && b.beat <= 1.2
            && (p.most.asks < 8 || p.most.gap > 2.0 * b.gap)
        {
            let w = match (b.steady && !p.most.steady, b.asks >= 15) {
                (true, _) => 2.5,
                (false, true) => 1.5,
                (false, false) => 1.0,
            };
            sum.add(
                "pace",
                w,
                format!("rythme d'automate : une question toutes les {:.0} s", b.gap),
                format!("a machine's pace: one question every {:.0} s", b.gap),
            );
        }
        let spread = b.spread();
        let before = p.most.subjects.max(p.most.objects).max(p.most.files);
        if spread >= 50 && spread > 5 * before.max(5) {
            let w = if spread > 3 * self.wide.min(1 << 40) || self.wide == u64::MAX {
                1.5
            } else {
                1.0
            };
            sum.add(
                "spread",
                w,
                format!("{spread} objets distincts, {before} au plus d'ordinaire"),
                format!("{spread} distinct objects, at most {before} usually"),
            );
        }
        // A machine's pace and fifty objects say the same, and more.
        let said = sum.weight("pace") > 0.0 || sum.weight("spread") > 0.0;
        let strange = self.trust[i] == Trust::None && u.parents.is_empty() && !technical(u);
        if let (true, (faster, more)) = (strange && !said, self.reads_of(p).unlike(&b))
            && (faster || more)
        {
            let (fr, en) = if p.reads.is_known() {
                ("ce compte ne l'a jamais fait", "this account ever did")
            } else {
                ("ses collègues ne le font", "its colleagues do")
            };
            sum.add(
                "unlike_owner",
                1.0,
                format!("lit bien plus, ou bien plus vite, que {fr} en lieu sûr ({spread} objets, un toutes les {:.0} s)", b.gap),
                format!("reads far more, or far faster, than {en} on certain ground ({spread} objects, one every {:.0} s)", b.gap),
            );
        }
        if !trusted && u.parents.is_empty() && p.trusted_units >= 3 && !p.servers.is_empty() {
            // Only a log that shows this account at its usual places can show it at an unusual one.
            let new = self.unusual(&self.servers(i), &p.servers);
            if !new.is_empty() {
                let list = new.join(", ");
                sum.add(
                    "new_servers",
                    1.0,
                    format!("serveurs ou partages que ce compte n'emploie jamais : {list}"),
                    format!("servers or shares this account never uses: {list}"),
                );
            }
        }
        if b.exports > 0 && !p.exports && self.exporters < 0.2 {
            sum.add(
                "export",
                1.5,
                "utilise une fonction d'export".into(),
                "uses an export function".into(),
            );
        }
        let out = b.bytes_out;
        // Where no log counted the account's bytes on known ground there is nothing to compare with.
        if out > 50_000_000 && p.most.bytes_out > 0 && out > 5 * p.most.bytes_out.max(2_000_000) {
            sum.add(
                "volume",
                1.2,
                format!(
                    "{} Mo sortis, {} au plus d'ordinaire",
                    out / 1_000_000,
                    p.most.bytes_out / 1_000_000
                ),
                format!(
                    "{} MB out, at most {} usually",
                    out / 1_000_000,
                    p.most.bytes_out / 1_000_000
                ),
            );
        }
        if b.writes >= 100 && !trusted && b.writes > 5 * p.most.writes.max(10) {
            sum.add(
                "mass_writing",
                1.5,
                format!(
                    "{} écritures, {} au plus d'ordinaire",
                    b.writes, p.most.writes
                ),
                format!("{} writes, at most {} usually", b.writes, p.most.writes),
            );
        }
        if trusted {
            self.burst(i, u, sum);
        }
        if b.tampering > 0 && !trusted {
            sum.add(
                "tampering",
                2.0,
                "journal effacé ou audit coupé".into(),
                "a log was cleared or auditing switched off".into(),
            );
        }
        self.lodger(i, u, &reach, sum);
        self.reached(u, p, &reach, sum);
        self.another(i, u, sum);
        self.in_anothers(i, u, sum);
        self.ways(u, p, sum);
    }

    /// From one address after the other within one use: nobody's telephone changes its operator with every question.
    fn roaming(&self, i: usize, sum: &mut Sum) {
        const PLACES: usize = 5;
        let Some(r) = self.roam_of.get(&i).map(|r| &self.roams[*r]) else {
            return;
        };
        if r.places < PLACES || r.does.asks > 4 * r.places {
            return;
        }
        let n = r.places;
        sum.add(
            "roaming",
            if r.operators >= 3 { 2.0 } else { 1.0 },
            format!("change d'adresse à mesure qu'il interroge : {n} lieux en un seul usage"),
            format!("changes its address as it asks: {n} places within one use"),
        );
    }

    /// On known ground: a burst of writing far beyond what the account ever wrote in a day, at hours it hardly ever works. The place
    /// clears nobody then, and somebody's big night alone is never more than doubt.
    fn burst(&self, i: usize, u: &Unit, sum: &mut Sum) {
        const SLACK: Nanos = 10 * MINUTE;
        if u.does.writes == 0 || u.job.is_some() || u.flow_only {
            return;
        }
        let Some(p) = self.past(u) else {
            return;
        };
        let apart = |day: &i64| !u.days.contains(day);
        let other = |(day, n): &(i64, u64)| apart(day).then_some(*n);
        let most = p.written.iter().filter_map(other).max().unwrap_or(0);
        let today = u.days.first().and_then(|d| p.written.get(d));
        let far = |n: u64| n >= 30 && n > 5 * most.max(6);
        if !today.is_some_and(|n| far(*n)) {
            return;
        }
        let (mut now, mut days) = (0, BTreeSet::new());
        let (mut began, mut ended) = (u.from, u.to);
        let mut at_hours = BTreeSet::new();
        let hours = around(self.hours_of(u));
        for j in self.units_of(u.whose) {
            let v = &self.units.list[j];
            if v.flow_only || v.machine {
                continue;
            }
            if v.address == u.address && v.from <= u.to + SLACK && v.to >= u.from - SLACK {
                now += v.does.writes;
                (began, ended) = (began.min(v.from), ended.max(v.to));
            } else if let Some(day) = v.days.first().filter(|d| apart(d)) {
                days.insert(*day);
                if self.hours_of(v) & hours != 0 {
                    at_hours.insert(*day);
                }
            }
        }
        let strange = at_hours.len() < 3 || at_hours.len() * 5 < days.len();
        // One after the other in less than a minute each: whoever writes all night long does his work.
        let hurried = i128::from(now) * i128::from(MINUTE) >= i128::from(ended - began);
        if !far(now) || !strange || !hurried || self.daily(i) {
            return;
        }
        let ground = ["on_site", "declared_network", "shared_exit", "own_device"];
        let ground: f32 = ground.iter().map(|c| sum.weight(c)).sum();
        sum.add(
            "mass_writing",
            5.0 - ground,
            format!("{now} écritures, {most} au plus par jour d'ordinaire, à des heures où ce compte ne travaille guère"),
            format!("{now} writes, at most {most} a day usually, at hours this account hardly works"),
        );
    }

    /// A machine nobody has on known ground, under accounts that have nothing to do with each other.
    fn lodger(&self, i: usize, u: &Unit, reach: &[usize], sum: &mut Sum) {
        if u.who.is_empty() {
            return;
        }
        let lodgers = reach
            .iter()
            .flat_map(|r| &self.units.list[*r].devices)
            .find_map(|d| Some((self.device(*d).text, self.lodgers.get(d)?)));
        if let Some((d, accounts)) = lodgers {
            let list = accounts.join(", ");
            // Three accounts from places nobody knows, and each does what its owner never does: no machine is lent round like that.
            let odd = ["pace", "unlike_owner", "volume"];
            let odd = odd.into_iter().any(|c| sum.weight(c) > 0.0);
            let strange = self.trust[i] == Trust::None && u.parents.is_empty();
            let w = if accounts.len() >= 3 && strange && odd {
                3.5
            } else {
                2.0
            };
            sum.add(
                "device_of_several",
                w,
                format!("{d}, machine inconnue, sert sous plusieurs comptes : {list}"),
                format!("{d}, a machine nobody knows, is used under several accounts: {list}"),
            );
        }
    }

    /// Machines never seen on known ground → the accounts under which they were, when these are two to five and strangers to
    /// each other; a name more people have is a kind of machine.
    fn find_lodgers(&mut self) {
        let mut known: FxHashSet<u32> = FxHashSet::default();
        let mut seen: FxHashMap<u32, BTreeMap<&str, usize>> = FxHashMap::default();
        let units = &self.units.list;
        for (i, u) in units.iter().enumerate() {
            if u.machine || u.parents.iter().any(|(_, c)| *c >= 0.5) {
                continue;
            }
            for r in self.units.reach(i) {
                let v = &units[r];
                // A server's own name, which its logons of remote desktops carry, is no client's.
                let client = |d: &&u32| {
                    let d = self.device(**d);
                    d.machine && !d.housed && !d.serves
                };
                for d in v.devices.iter().filter(client) {
                    if self.trust[i] >= Trust::Habit {
                        known.insert(*d);
                    } else if !v.who.is_empty() && !v.machine && !v.service {
                        seen.entry(*d).or_default().insert(v.who, r);
                    }
                }
            }
        }
        let strangers = |x: usize, y: usize| {
            let (x, y) = (&units[x], &units[y]);
            let known = self.opens(x, y) || self.opens(y, x);
            comparable(x, y) && !related(x, y) && !known
        };
        let mut out = FxHashMap::default();
        for (d, whos) in seen
            .into_iter()
            .filter(|(d, w)| !known.contains(d) && (2..=5).contains(&w.len()))
        {
            let list: Vec<usize> = whos.into_values().collect();
            if (1..list.len()).any(|k| list[..k].iter().any(|x| strangers(*x, list[k]))) {
                let names = list.iter().filter_map(|u| units[*u].account.as_ref());
                out.insert(d, names.map(ToString::to_string).collect());
            }
        }
        self.lodgers = out;
    }

    fn reached(&self, u: &Unit, p: &Past, reach: &[usize], sum: &mut Sum) {
        for r in reach {
            let v = &self.units.list[*r];
            for m in &v.members {
                if !self.s.is_flow(*m as usize) {
                    continue;
                }
                let x = &self.s.list[*m as usize];
                for d in self
                    .s
                    .texts_of(*m as usize, List::Destinations)
                    .filter_map(net::parse_address)
                {
                    if !p.may_reach.is_empty()
                        && self.on_site(d)
                        && !p.may_reach.iter().any(|n| n.contains(d))
                        && x.origin.address.is_some_and(|a| {
                            u.members
                                .iter()
                                .any(|q| self.s.list[*q as usize].inner == Some(a))
                        })
                    {
                        sum.add(
                            "beyond_reach",
                            2.0,
                            format!("atteint {d}, hors de ce que ce compte doit atteindre"),
                            format!("reaches {d}, beyond what this account may reach"),
                        );
                    }
                    if !self.on_site(d) && x.counts.bytes_out > 5_000_000 && !std::ptr::eq(v, u) {
                        sum.add(
                            "outflow",
                            2.0,
                            format!(
                                "{} Mo envoyés vers {d} pendant la session",
                                x.counts.bytes_out / 1_000_000
                            ),
                            format!(
                                "{} MB sent to {d} during the session",
                                x.counts.bytes_out / 1_000_000
                            ),
                        );
                    }
                }
            }
            // A technical account taken up by hand.
            if !std::ptr::eq(v, u) && v.service && v.job.is_none() && !v.flow_only && !u.service {
                sum.add(
                    "service_by_hand",
                    2.0,
                    "emploie un compte technique à la main".into(),
                    "uses a technical account by hand".into(),
                );
                if let Some(known) = self.past(v).map(|p| &p.servers) {
                    let new = self.unusual(&self.servers(*r), known);
                    if !new.is_empty() {
                        let list = new.join(", ");
                        sum.add(
                            "service_elsewhere",
                            3.0,
                            format!("compte technique là où il ne travaille jamais : {list}"),
                            format!("a technical account where it never works: {list}"),
                        );
                    }
                }
            }
        }
    }

    /// Sources of which a third of the sessions and more come out of tunnels of somebody else, under four names and more: their clock or
    /// the gateway's is off, or lines of tunnels are missing. A thief has few tunnels.
    fn find_mixed(&self) -> FxHashSet<u32> {
        const NAMES: usize = 4;
        /// Sessions of a source that tunnels opened, those of others than the tunnel's owner, and the owners' names of both.
        #[derive(Default)]
        struct Opened {
            all: usize,
            others: usize,
            owners: FxHashSet<u32>,
            owners_of_others: FxHashSet<u32>,
        }
        let mut by: FxHashMap<u32, Opened> = FxHashMap::default();
        for u in &self.units.list {
            if u.account.is_none_or(|a| a.system != System::Vpn) {
                continue;
            }
            for (c, _) in u.children.iter().filter(|(_, w)| *w >= 0.5) {
                let v = &self.units.list[*c];
                if v.who.is_empty() || v.machine || v.flow_only || v.service {
                    continue;
                }
                let Some(first) = v.members.first() else {
                    continue;
                };
                let at = by.entry(self.s.list[*first as usize].source).or_default();
                at.all += 1;
                at.owners.insert(u.whose);
                if v.who != u.who && !related(u, v) {
                    at.others += 1;
                    at.owners_of_others.insert(u.whose);
                }
            }
        }
        (by.into_iter())
            .filter(|(_, o)| {
                let names = o.owners_of_others.len();
                o.others * 3 >= o.all && names >= NAMES && names * 3 >= o.owners.len()
            })
            .map(|(source, _)| source)
            .collect()
    }
    /// The unit is told of by a source whose sessions cannot be laid to tunnels.
    pub fn in_mixed(&self, u: &Unit) -> bool {
        let source = |m: &u32| self.s.list[*m as usize].source;
        !self.mixed.is_empty() && u.members.iter().any(|m| self.mixed.contains(&source(m)))
    }

    /// A session of one person that opens sessions of somebody else, which its owner never does from known ground.
    fn another(&self, i: usize, u: &Unit, sum: &mut Sum) {
        if u.who.is_empty() || !u.parents.is_empty() || self.trust[i] >= Trust::Peers {
            return;
        }
        for v in self.opened(i) {
            // Names of different systems tell nothing apart unless the context knows whose they are.
            let comparable = u.who.starts_with('#') && v.who.starts_with('#')
                || v.account
                    .as_ref()
                    .is_some_and(|a| matches!(a.system, System::Ad | System::Smb | System::Host));
            if v.who == u.who || v.service || related(u, v) || !comparable || self.opens(u, v) {
                continue;
            }
            if self.in_mixed(v) {
                continue;
            }
            let a = v
                .account
                .as_ref()
                .map_or_else(String::new, |a| a.to_string());
            let admin = self.admin(v);
            let here_alone = if self.opens_here_alone(u, v.whose) {
                1.0
            } else {
                0.0
            };
            sum.add(
                "another_account",
                if admin { 3.0 } else { 1.8 } + here_alone,
                format!("ouvre une session sous un autre compte : {a}"),
                format!("opens a session under another account: {a}"),
            );
        }
    }

    /// The account opens that other one on three days or more from the neighbourhood of this use, and never from another place outside
    /// where it was on three days or more.
    fn opens_here_alone(&self, u: &Unit, other: u32) -> bool {
        let Some(here) = u.address.map(net::neighbourhood) else {
            return false;
        };
        let (mut with, mut without) = (Days::default(), Days::default());
        for j in self.units_of(u.whose) {
            let v = &self.units.list[j];
            let Some(a) = v.address.filter(|a| !self.on_site(*a)) else {
                continue;
            };
            if v.flow_only || !v.parents.is_empty() {
                continue;
            }
            let opens = self.opened(j).iter().any(|o| o.whose == other);
            match (here.contains(a), opens) {
                (true, true) => with.extend(&v.days),
                (false, true) => return false,
                (false, false) => without.extend(&v.days),
                (true, false) => {}
            }
        }
        with.len() >= 3 && without.len() >= 3
    }

    /// Administrators by what the context says or by their name.
    pub fn admin(&self, v: &Unit) -> bool {
        self.past(v).is_some_and(|p| p.kind == "admin")
            || v.account.as_ref().is_some_and(|a| {
                a.bare()
                    .split(['.', '-', '_'])
                    .any(|w| matches!(w, "adm" | "root" | "da" | "admin"))
            })
    }

    /// Units whose flows name the account of the tunnel that unit `i` comes out of.
    fn beside(&self, i: usize) -> impl Iterator<Item = usize> + '_ {
        const SLACK: Nanos = 2 * MINUTE;
        let u = &self.units.list[i];
        let told = u.address.and_then(|a| self.told.get(&a));
        told.into_iter().flatten().copied().filter(move |j| {
            let v = &self.units.list[*j];
            *j != i && v.from <= u.to + SLACK && v.to >= u.from - SLACK
        })
    }
    /// Those of [`Model::beside`] that are nothing but flows and that no tunnel's own log explains.
    pub fn flows_beside(&self, i: usize) -> impl Iterator<Item = usize> + '_ {
        self.beside(i).filter(|j| {
            let v = &self.units.list[*j];
            v.flow_only && v.parents.is_empty()
        })
    }

    /// The gateway's log is missing, another one says to whose tunnel the address was lent: an account that has its own place
    /// here comes out of somebody else's tunnel.
    fn in_anothers(&self, i: usize, u: &Unit, sum: &mut Sum) {
        if u.who.is_empty()
            || u.service
            || !u.parents.is_empty()
            || self.trust[i] != Trust::None
            || self.past(u).is_none_or(|p| p.trusted_units == 0)
        {
            return;
        }
        let other = self
            .beside(i)
            .map(|j| &self.units.list[j])
            .find(|v| !related(u, v) && !self.opens(v, u));
        if let Some(a) = other.and_then(|v| v.account.as_ref()) {
            sum.add(
                "another_account",
                if self.admin(u) { 3.0 } else { 1.8 },
                format!("sort du tunnel d'un autre compte : {a}"),
                format!("comes out of the tunnel of another account: {a}"),
            );
        }
    }

    /// A technical account under a program somebody types into.
    fn taken_up_by_hand(&self, u: &Unit) -> bool {
        u.service && u.programs.iter().any(|g| by_hand(&g.to_lowercase()))
    }

    /// A program's account asks by prefixes or ranges from here, which it never does in its daily ways: programs do not learn new
    /// questions while they go on. Where it is declared for other machines that is a proof, elsewhere an errand of the house would
    /// look like that.
    fn strange_questions(&self, u: &Unit, p: &Past, sum: &mut Sum) {
        const FEW: u32 = 4;
        const METHOD: f32 = 8.0;
        let Some(from_here) = p.strays.get(&u.address) else {
            return;
        };
        if p.most.asks == 0 || from_here.by_the_clock && from_here.days >= 3 {
            return;
        }
        let asks = || {
            let members = u.members.iter();
            members.filter_map(|m| self.s.features[*m as usize].asks.as_ref())
        };
        let (prefix, range) = (p.most.prefix == 0.0, p.most.range == 0.0);
        let strange = |of: (u32, u32)| u32::from(prefix) * of.0 + u32::from(range) * of.1;
        let here = strange((from_here.prefix, from_here.range));
        let mine: u32 = asks().map(|a| strange((a.prefix, a.range))).sum();
        if mine == 0 || here < FEW {
            return;
        }
        // A walk through the index has been counted as such.
        let mut w = 2.6 * (here as f32 / METHOD).min(1.0) - sum.weight("enumeration").max(0.0);
        if !u.address.is_some_and(|a| p.undeclared(a)) {
            w = w.min(INTRUDER - 0.1 - sum.total());
        }
        if w > 0.0 {
            sum.add(
                "strange_questions",
                w,
                format!("{here} questions par débuts de noms ou par tranches, que ce compte ne pose jamais d'ordinaire"),
                format!("{here} questions by prefixes or ranges, which this account never asks otherwise"),
            );
        }
    }

    /// Database and technical accounts: how the account is used every day, and this use.
    fn ways(&self, u: &Unit, p: &Past, sum: &mut Sum) {
        let Some(a) = &u.account else { return };
        let technical = a.system == System::Db || u.service;
        if !technical || u.job.is_some() || u.flow_only {
            return;
        }
        let id = account_id(a);
        let programs = ways_of(&u.programs);
        let strong = &p.daily;
        let job = self.rules.jobs.iter().any(|j| j.account == id);
        if a.system == System::Db && (!strong.is_empty() || job) {
            let own = p.usual_way(u) || p.stray(u) && p.by_the_clock(u);
            let known = || strong.iter().chain(p.job_ways.keys());
            let program = known().any(|(_, g)| programs.contains(g));
            let host = known().any(|(x, _)| *x == u.address);
            // With the job's own program, on its own machine: how many days that was done when no job is planned.
            let beside_job = programs
                .iter()
                .map(|g| (u.address, g.clone()))
                .filter(|w| p.job_ways.contains_key(w))
                .filter_map(|w| p.ways.get(&w))
                .map(|d| d.len())
                .max();
            if own {
                sum.add(
                    "usual_way",
                    -2.0,
                    "programme et machine habituels de ce compte".into(),
                    "the account's usual program and machine".into(),
                );
            } else {
                if !program {
                    let g = programs.first().cloned().unwrap_or_default();
                    sum.add(
                        "new_program",
                        3.0,
                        format!("programme inhabituel pour ce compte : {g}"),
                        format!("program unusual for this account: {g}"),
                    );
                }
                // The name of a program is forged with one keystroke: at a machine the account is not declared for it proves nobody.
                let undeclared = u.address.is_some_and(|a| p.undeclared(a));
                if !host {
                    sum.add(
                        "new_machine",
                        if program && undeclared { 4.0 } else { 2.0 },
                        "machine inhabituelle pour ce compte".into(),
                        "machine unusual for this account".into(),
                    );
                }
                if job {
                    // A job that is run again by day is one; day after day, somebody else hides behind it.
                    let again = beside_job.is_some_and(|days| days >= 3);
                    sum.add(
                        "not_the_job",
                        if again { 6.0 } else { 1.0 },
                        "hors du traitement prévu de ce compte".into(),
                        "not the scheduled batch of this account".into(),
                    );
                }
            }
        }
        if a.system == System::Db && !p.usual_way(u) && !p.by_the_clock(u) {
            if let Some(tool) = programs.iter().find(|g| by_hand(g)).filter(|_| u.service) {
                sum.add(
                    "service_by_hand",
                    1.5,
                    format!("emploie un compte technique à la main : {tool}"),
                    format!("uses a technical account by hand: {tool}"),
                );
            }
            if p.new_here {
                sum.add(
                    "first_use",
                    2.0,
                    "compte technique jamais employé avant ces jours-ci".into(),
                    "a technical account never used before these days".into(),
                );
            }
        }
        if a.system == System::Db && p.stray(u) && !p.by_the_clock(u) {
            self.strange_questions(u, p, sum);
        }
        let span = (self.last_day - self.first_day + 1).max(1) as usize;
        // Usual from the beginning on: what came later may have come with the thief.
        let sits = p.interactive_days.len() * 5 >= span.max(10) * 2
            && p.interactive_days
                .first()
                .is_some_and(|d| *d < self.first_day + 3);
        if u.service && u.does.interactive && !sits {
            sum.add(
                "service_logon",
                3.5,
                "ouverture de session interactive d'un compte technique".into(),
                "interactive logon of a technical account".into(),
            );
            let late = p.days.first().is_some_and(|d| *d >= self.first_day + 3);
            if late || p.days.iter().all(|d| p.interactive_days.contains(d)) {
                sum.add(
                    "dormant",
                    1.5,
                    "compte technique qui ne sert à rien d'autre".into(),
                    "technical account that serves nothing else".into(),
                );
            }
        }
    }

    /// What the logs at hand do not show of a use that cannot be told for certain: the evidence that would have told. `None` when
    /// everything was there.
    pub fn unseen(&self, i: usize) -> Option<(Arc<str>, Arc<str>)> {
        let u = &self.units.list[i];
        let reach = self.units.reach(i);
        let members = || {
            reach
                .iter()
                .flat_map(|r| &self.units.list[*r].members)
                .filter(|m| !self.s.is_flow(**m as usize))
        };
        let root = !u.parents.iter().any(|(_, c)| *c >= 0.5);
        let mut missing: Vec<(&str, &str)> = vec![];
        if u.who.is_empty() {
            missing.push((
                "un journal qui nomme le compte",
                "a log that names the account",
            ));
        }
        // Somebody works on this machine from another one, and it is silent about who.
        if u.address.is_some_and(|a| self.desktops.contains_key(&a))
            || u.flow_only
                && u.members
                    .iter()
                    .flat_map(|m| self.s.texts_of(*m as usize, List::Destinations))
                    .filter_map(net::parse_address)
                    .any(|a| self.desktops.contains_key(&a))
        {
            missing.push((
                "le journal des ouvertures de session du serveur d'où elle part",
                "the logon journal of the server it comes from",
            ));
        }
        match u.address {
            Some(a) if self.lent_place(a) && root => missing.push((
                "le journal de la passerelle qui prête cette adresse",
                "the log of the gateway that lends this address",
            )),
            Some(a) if !self.on_site(a) && u.country.is_none() => missing.push((
                "le pays et l'opérateur de l'adresse (fichiers GeoIP)",
                "the country and operator of the address (GeoIP files)",
            )),
            None if root => missing.push((
                "un journal qui donne l'adresse d'origine",
                "a log that gives the address of origin",
            )),
            _ => {}
        }
        let devices: BTreeSet<&u32> = reach
            .iter()
            .flat_map(|r| &self.units.list[*r].devices)
            .collect();
        if devices.is_empty() {
            missing.push((
                "un journal qui nomme le poste ou le navigateur",
                "a log that names the machine or browser",
            ));
        } else if devices
            .iter()
            .all(|d| common_browser(self.device(**d).text))
        {
            // A browser thousands have tells nobody apart.
            missing.push((
                "un journal du second facteur ou du certificat de l'appareil",
                "a log of the second factor or of the device's certificate",
            ));
        }
        if self.past(u).is_none_or(|p| p.trusted_units < 3) {
            missing.push((
                "des journaux plus anciens de ce compte en lieu connu",
                "earlier logs of this account on known ground",
            ));
        }
        let opened = members().any(|m| {
            let c = &self.s.list[*m as usize].counts;
            c.files + c.reads + c.searches + c.queries + c.requests > 0
        });
        if !opened {
            missing.push((
                "un journal de ce que la session a ouvert",
                "a log of what the session opened",
            ));
        }
        if missing.is_empty() {
            return None;
        }
        let list = |of: &dyn Fn(&(&str, &str)) -> String| -> String {
            missing.iter().map(of).collect::<Vec<_>>().join(", ")
        };
        Some((
            format!("aurait permis de trancher : {}", list(&|m| m.0.into())).into(),
            format!("would have told: {}", list(&|m| m.1.into())).into(),
        ))
    }

    /// Units nobody judges by themselves: machines, flows, a source's own probes.
    pub fn mute(&self, i: usize) -> bool {
        self.mute[i]
    }
    fn is_mute(&self, i: usize) -> bool {
        let u = &self.units.list[i];
        u.machine
            || u.flow_only
            || u.who.is_empty() && u.devices.iter().any(|d| self.device(*d).monitor)
    }
    /// The account or person of `v` was opened from known ground by that of `u`.
    fn opens(&self, u: &Unit, v: &Unit) -> bool {
        let known = self.past(u).map(|p| &p.opens);
        known.is_some_and(|o| o.binary_search(&v.whose).is_ok())
    }
}
