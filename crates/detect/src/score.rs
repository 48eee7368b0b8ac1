//! The transparent sum: what speaks for and against a stranger, unit by unit, in natural log units.
use crate::{
    habit::{Habit, Habits},
    in_pieces,
    units::{Behaviour, Manner, Unit, Units, WALK, day_of},
};
use ampleur_event::{
    Account, System,
    session::Reason,
    time::{DAY, MINUTE, Nanos},
};
use ampleur_session::{
    List, Sessions,
    net::{self, Net},
    profile::{Hours, Rules, account_id},
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

/// What the context and the case's own past say about one account or person.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    pub networks: Vec<Net>,
    pub may_reach: Vec<Net>,
    pub hours: Vec<Hours>,
    pub kind: String,
    /// Address → local days.
    pub addresses: BTreeMap<IpAddr, BTreeSet<i64>>,
    pub systems: BTreeMap<u32, BTreeSet<i64>>,
    pub days: BTreeSet<i64>,
    /// Devices seen in trusted units → days; and their shapes without version numbers.
    pub devices: BTreeMap<String, BTreeSet<i64>>,
    pub shapes: BTreeSet<String>,
    /// All devices → days, trusted or not.
    pub any_device: BTreeMap<String, BTreeSet<i64>>,
    pub countries: BTreeMap<String, BTreeSet<i64>>,
    /// Units with trusted activity per hour of the day, local.
    pub hours_seen: Clock,
    pub trusted_units: usize,
    pub most: Behaviour,
    /// Database and service accounts: (address, program) → days.
    pub ways: BTreeMap<(Option<IpAddr>, String), BTreeSet<i64>>,
    pub exports: bool,
    /// Servers used on trusted ground, each after the format of the log that says so.
    pub servers: BTreeSet<String>,
    /// Interactive logons on trusted or habitual ground.
    pub interactive_days: BTreeSet<i64>,
    /// First local day after the person left (exclusive end of lawful use).
    pub left: Option<i64>,
    /// Local days of absence, both included.
    pub away: Vec<(i64, i64)>,
}

impl Past {
    /// Ways a database or technical account is used day after day.
    fn daily_ways(&self) -> Vec<&(Option<IpAddr>, String)> {
        self.ways
            .iter()
            .filter(|(_, d)| d.len() >= 3 && d.len() * 5 >= self.days.len() * 2)
            .map(|(w, _)| w)
            .collect()
    }
    /// True for a use of a technical account that is not one of its daily ways: what it did is no habit, wherever it came from.
    fn stray(&self, u: &Unit) -> bool {
        let technical = u.service || u.account.as_ref().is_some_and(|a| a.system == System::Db);
        let daily = self.daily_ways();
        let programs = ways_of(&u.programs);
        technical
            && u.job.is_none()
            && !daily.is_empty()
            && !daily
                .iter()
                .any(|(a, g)| *a == u.address && programs.contains(g))
    }
}

pub(crate) struct Model<'a> {
    pub case: &'a Case,
    pub s: &'a Sessions,
    pub rules: &'a Rules,
    pub units: &'a Units<'a>,
    pub pasts: BTreeMap<String, Past>,
    pub trust: Vec<Trust>,
    site: Vec<Net>,
    /// Networks declared for any account.
    declared: Vec<Net>,
    /// Addresses that are the usual place of two persons or more.
    peers: BTreeSet<IpAddr>,
    home: BTreeSet<String>,
    /// Share of trusted units with questions that walk by prefix or range: what is common is no sign.
    walkers: f64,
    /// 99th percentile of distinct subjects or objects of a trusted unit.
    wide: u64,
    exporters: f64,
    first_day: i64,
    last_day: i64,
    hosts: BTreeSet<String>,
    /// Addresses that tunnels lend, and their neighbourhoods: inside, but nobody's place.
    lent: BTreeSet<IpAddr>,
    pool: Vec<Net>,
    /// Account or person → its units.
    by_who: FxHashMap<&'a str, Vec<usize>>,
    /// Account or person → accounts or persons it opened from known ground.
    opens: BTreeMap<String, BTreeSet<String>>,
    /// Share of trusted units with questions that go through the index in each manner.
    slices: f64,
    numbers: f64,
    /// Device → accounts or persons that have it on trusted ground.
    holders: BTreeMap<String, usize>,
    people_with_devices: usize,
    /// Machines never seen on known ground → accounts of strangers to each other.
    lodgers: BTreeMap<String, Vec<String>>,
    /// Address a tunnel lends → units of flows that name the tunnel's account there.
    told: BTreeMap<IpAddr, Vec<usize>>,
    /// Machine of the house → flows of remote desktops into it that no log of logons explains, and uses of accounts that come
    /// from it.
    pub desktops: BTreeMap<IpAddr, Desktop>,
}

/// A machine somebody works on from another one, as a firewall sees it.
#[derive(Debug, Default)]
pub(crate) struct Desktop {
    /// Sessions of remote desktops into it.
    pub flows: Vec<usize>,
    /// Units of a known account that come from it, flows and machines apart.
    pub uses: Vec<usize>,
}

/// What the account shows where it is certainly at work: a new habit is measured against it.
#[derive(Default)]
struct Anchor {
    /// Kinds of log that show the account there.
    formats: BTreeSet<&'static str>,
    devices: BTreeSet<String>,
    shapes: BTreeSet<String>,
    hours: Clock,
}

/// One use seen from outside, to say how well its origin is known.
struct Use<'u> {
    who: &'u str,
    address: Option<IpAddr>,
    country: Option<&'u str>,
    asn: Option<u32>,
    bot: bool,
    /// Kinds of log that show it, and those that name a machine.
    formats: BTreeSet<&'static str>,
    naming: BTreeSet<&'static str>,
    devices: Vec<&'u str>,
    hours: u32,
    /// Days of a remembered row; 1 for a unit.
    times: u32,
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
            ) || w.starts_with("hosting")
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
    let mut by: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut all: BTreeSet<&str> = BTreeSet::new();
    for u in units.list.iter().filter(|u| !u.who.is_empty()) {
        if let Some(c) = u.country.filter(|c| !c.is_empty()) {
            by.entry(c).or_default().insert(u.who);
            all.insert(u.who);
        }
    }
    let (country, who) = by
        .into_iter()
        .max_by_key(|(c, w)| (w.len(), std::cmp::Reverse(*c)))?;
    (who.len() >= 5 && who.len() * 5 >= all.len() * 3).then(|| country.to_string())
}

/// Addresses that tunnels lend: what a gateway says, and inner addresses other logs name a tunnel's account for.
fn lent(s: &Sessions) -> BTreeSet<IpAddr> {
    let mut out = s.lent();
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

/// The days kept under a text; made when there are none.
fn days_of<'d>(by: &'d mut BTreeMap<String, BTreeSet<i64>>, text: &str) -> &'d mut BTreeSet<i64> {
    if !by.contains_key(text) {
        by.insert(text.to_string(), BTreeSet::new());
    }
    by.get_mut(text).expect("just put there")
}

impl<'a> Model<'a> {
    /// `past` is what earlier runs remember of each account.
    pub fn new(
        threads: usize,
        case: &'a Case,
        s: &'a Sessions,
        rules: &'a Rules,
        units: &'a Units<'a>,
        past: &Habits,
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
            pasts: BTreeMap::new(),
            trust: vec![Trust::None; units.list.len()],
            site,
            declared,
            peers: BTreeSet::new(),
            home: c.home_countries.iter().map(|h| h.to_uppercase()).collect(),
            walkers: 0.0,
            wide: u64::MAX,
            exporters: 0.0,
            lent: lent(s),
            pool: vec![],
            by_who: FxHashMap::default(),
            opens: BTreeMap::new(),
            slices: 0.0,
            numbers: 0.0,
            holders: BTreeMap::new(),
            people_with_devices: 0,
            lodgers: BTreeMap::new(),
            told: BTreeMap::new(),
            desktops: BTreeMap::new(),
            hosts: s
                .list
                .iter()
                .filter_map(|x| x.host.split('.').next())
                .filter(|h| !h.is_empty())
                .map(str::to_lowercase)
                .collect(),
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
        for (i, u) in units
            .list
            .iter()
            .enumerate()
            .filter(|(_, u)| !u.who.is_empty())
        {
            m.by_who.entry(u.who).or_default().push(i);
        }
        let mut near: BTreeMap<Net, usize> = BTreeMap::new();
        for a in &m.lent {
            *near.entry(net::neighbourhood(*a)).or_default() += 1;
        }
        m.pool = near
            .into_iter()
            .filter(|(_, n)| *n >= 3)
            .map(|(n, _)| n)
            .collect();
        if m.home.is_empty() {
            m.home.extend(commonest_country(units));
        }
        m.declare();
        m.remember(threads, past);
        m.find_lodgers();
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
        m
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
            if logon.is_some_and(|l| l.iter().any(|(a, b)| *a <= x.to && x.from <= *b)) {
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

    fn who_of(&self, account: &str) -> Vec<String> {
        let a = Account::parse(account);
        let people = ampleur_session::profile::People::new(&self.case.context);
        vec![
            people
                .of(&a)
                .map_or_else(|| account_id(&a), |p| format!("#{p}")),
        ]
    }

    fn declare(&mut self) {
        let c = &self.case.context;
        let zone = &self.rules.zone;
        for a in &c.accounts {
            for who in self.who_of(&a.name) {
                let p = self.pasts.entry(who).or_default();
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
        }
        for (i, person) in c.persons.iter().enumerate() {
            if let Some(d) = person.until.as_ref().and_then(|d| d.start(zone)) {
                self.pasts.entry(format!("#{i}")).or_default().left =
                    Some(day_of(d + DAY / 2, zone) + 1);
            }
            for x in c.absences.iter().filter(|x| x.person == person.id) {
                if let (Some(a), Some(b)) = (x.from.start(zone), x.to.start(zone)) {
                    self.pasts
                        .entry(format!("#{i}"))
                        .or_default()
                        .away
                        .push((day_of(a + DAY / 2, zone), day_of(b + DAY / 2, zone)));
                }
            }
        }
    }

    /// Units of one account or person, ascending.
    pub fn units_of(&self, who: &str) -> impl Iterator<Item = usize> + '_ {
        self.by_who.get(who).into_iter().flatten().copied()
    }
    /// True for the name of a machine whose own log or service is in the case: no client's device.
    pub fn serves(&self, device: &str) -> bool {
        self.hosts
            .contains(&device.split('.').next().unwrap_or(device).to_lowercase())
    }
    /// Servers a unit and what it made possible used, domain controllers and gateways apart.
    fn servers(&self, i: usize) -> BTreeSet<String> {
        self.units
            .reach(i)
            .iter()
            .flat_map(|r| &self.units.list[*r].members)
            .filter(|m| {
                let c = &self.s.list[**m as usize].counts;
                !self.s.is_flow(**m as usize)
                    && c.files + c.writes + c.reads + c.requests + c.searches + c.queries + c.logins
                        > 0
            })
            .filter(|m| self.s.list[**m as usize].inner.is_none())
            .flat_map(|m| {
                let x = &self.s.list[*m as usize];
                let host = x.host.split('.').next().filter(|h| !h.is_empty());
                let host = host.map(|h| format!("{} {}", x.format, h.to_lowercase()));
                let shares = self
                    .s
                    .texts_of(*m as usize, List::Places)
                    .filter_map(share_of);
                host.into_iter()
                    .chain(shares.map(|p| format!("{} {p}", x.format)))
            })
            .collect()
    }
    /// Of the servers and shares in `used` those that `known` has none of, where a log of the same kind shows others there.
    fn unusual(used: &BTreeSet<String>, known: &BTreeSet<String>) -> Vec<String> {
        let kind = |h: &str| {
            h.find(' ')
                .map(|at| (h[..at].to_string(), h[at + 1..].starts_with('\\')))
        };
        let told: BTreeSet<(String, bool)> = known.iter().filter_map(|h| kind(h)).collect();
        used.iter()
            .filter(|h| !known.contains(*h))
            .filter(|h| kind(h).is_some_and(|k| told.contains(&k)))
            .filter_map(|h| Some(h[h.find(' ')? + 1..].to_string()))
            .collect()
    }
    /// Formats of the sessions of a unit and what it made possible, flows apart.
    fn formats(
        &self,
        i: usize,
        of: &dyn Fn(&ampleur_event::Session) -> bool,
    ) -> BTreeSet<&'static str> {
        self.units
            .reach(i)
            .iter()
            .flat_map(|r| &self.units.list[*r].members)
            .filter(|m| !self.s.is_flow(**m as usize))
            .map(|m| &self.s.list[*m as usize])
            .filter(|x| of(x))
            .map(|x| x.format)
            .collect()
    }
    /// True for a machine of the house: its name has a fixed address here.
    pub fn housed(&self, device: &str) -> bool {
        self.s
            .machines
            .get(&device.split('.').next().unwrap_or(device).to_lowercase())
            .is_some_and(|l| l.iter().any(|a| self.on_site(*a) && !self.lent_place(*a)))
    }
    /// True for addresses a tunnel lends: the origin is the tunnel's, known or not.
    pub fn lent_place(&self, a: IpAddr) -> bool {
        self.lent.contains(&a) || self.pool.iter().any(|n| n.contains(a))
    }
    pub fn on_site(&self, a: IpAddr) -> bool {
        net::is_private(a) || self.site.iter().any(|n| n.contains(a))
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
    fn remember(&mut self, threads: usize, past: &Habits) {
        let units = self.units;
        let people = ampleur_session::profile::People::new(&self.case.context);
        let rows: Vec<(String, Option<IpAddr>, bool, &Habit)> = past
            .rows()
            .map(|(account, at, bot, h)| {
                let who = people
                    .of(&Account::parse(account))
                    .map_or_else(|| account.to_string(), |p| format!("#{p}"));
                (who, at, bot, h)
            })
            .collect();
        for u in units
            .list
            .iter()
            .filter(|u| !u.who.is_empty() && !u.machine)
        {
            if !self.pasts.contains_key(u.who) {
                self.pasts.insert(u.who.to_string(), Past::default());
            }
            let Some(p) = self.pasts.get_mut(u.who) else {
                continue;
            };
            p.days.extend(&u.days);
            if let Some(a) = u.address.filter(|_| u.parents.is_empty()) {
                // A night is one visit: the day it began.
                p.addresses.entry(a).or_default().extend(u.days.first());
            }
            if let Some(n) = u.asn {
                p.systems.entry(n).or_default().extend(&u.days);
            }
            if let Some(c) = u.country {
                days_of(&mut p.countries, c).extend(&u.days);
            }
            for d in &u.devices {
                days_of(&mut p.any_device, d).extend(&u.days);
            }
            for g in ways_of(&u.programs) {
                p.ways.entry((u.address, g)).or_default().extend(&u.days);
            }
        }
        for (who, at, _, h) in &rows {
            let p = self.pasts.entry(who.clone()).or_default();
            p.days.extend(&h.days);
            if let Some(a) = at {
                p.addresses.entry(*a).or_default().extend(&h.days);
            }
            if let Some(n) = h.asn {
                p.systems.entry(n).or_default().extend(&h.days);
            }
            if let Some(c) = &h.country {
                p.countries.entry(c.clone()).or_default().extend(&h.days);
            }
            for (d, days) in &h.devices {
                p.any_device.entry(d.clone()).or_default().extend(days);
            }
            if h.programs.is_empty() {
                p.ways
                    .entry((*at, String::new()))
                    .or_default()
                    .extend(&h.days);
            }
            for (g, days) in &h.programs {
                p.ways
                    .entry((*at, g.to_lowercase()))
                    .or_default()
                    .extend(days);
            }
        }
        // The usual place of several people is a lawful shared exit: a tenth of days is a visit, a third is a place of work.
        let mut at: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for p in self.pasts.values() {
            for (a, d) in &p.addresses {
                if d.len() >= 2 && d.len() * 3 >= p.days.len() {
                    *at.entry(*a).or_default() += 1;
                }
            }
        }
        self.peers = at
            .into_iter()
            .filter(|(_, n)| *n >= 2)
            .map(|(a, _)| a)
            .collect();
        let this = &*self;
        let uses: Vec<Use<'_>> = in_pieces(threads, units.list.len(), &|piece| {
            piece.map(|i| this.use_of(i)).collect()
        });
        let remembered: Vec<Use<'_>> = rows
            .iter()
            .map(|(who, at, bot, h)| Use {
                formats: BTreeSet::new(),
                naming: BTreeSet::new(),
                who,
                address: *at,
                country: h.country.as_deref(),
                asn: h.asn,
                bot: *bot,
                devices: h.devices.keys().map(String::as_str).collect(),
                hours: h.hours,
                times: h.days.len() as u32,
            })
            .collect();
        let mut anchors: BTreeMap<&str, Anchor> = BTreeMap::new();
        for x in uses.iter().chain(&remembered) {
            if !x.who.is_empty() && self.ground(x) >= Trust::Peers {
                let a = anchors.entry(x.who).or_default();
                a.hours.add(x.hours, x.times);
                a.formats.extend(&x.formats);
                for d in x.devices.iter().filter(|d| !automated(d)) {
                    a.devices.insert((*d).to_string());
                    a.shapes.insert(shape(d));
                }
            }
        }
        let this = &*self;
        let trust: Vec<Trust> = in_pieces(threads, uses.len(), &|piece| {
            piece.map(|i| this.trust_of(&uses[i], &anchors)).collect()
        });
        self.trust = trust;
        let row_trust: Vec<Trust> = remembered
            .iter()
            .map(|x| self.trust_of(x, &anchors))
            .collect();
        let this = &*self;
        let reached: Vec<BTreeSet<String>> = in_pieces(threads, units.list.len(), &|piece| {
            // Nothing is learned from what is not known ground, nor from what was opened from elsewhere.
            piece
                .map(|i| {
                    let u = &units.list[i];
                    if this.trust[i] == Trust::None || u.who.is_empty() || !u.parents.is_empty() {
                        return BTreeSet::new();
                    }
                    this.servers(i)
                })
                .collect()
        });
        let mut trusted_days: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
        for (i, u) in units.list.iter().enumerate() {
            if self.trust[i] == Trust::None
                || u.machine
                || u.who.is_empty()
                || !u.parents.is_empty()
            {
                continue;
            }
            let hours = self.hours_of(u);
            let opened: Vec<String> = self
                .opened(i)
                .filter(|v| v.who != u.who)
                .map(|v| v.who.to_string())
                .collect();
            if !opened.is_empty() {
                let known = self.opens.entry(u.who.to_string()).or_default();
                known.extend(opened);
            }
            let Some(p) = self.pasts.get_mut(u.who) else {
                continue;
            };
            p.trusted_units += 1;
            trusted_days.entry(u.who).or_default().extend(&u.days);
            for d in u.devices.iter().filter(|d| !automated(d)) {
                let days = days_of(&mut p.devices, d);
                if days.is_empty() {
                    p.shapes.insert(shape(d));
                }
                days.extend(&u.days);
            }
            p.hours_seen.add(hours, 1);
            if !p.stray(u) {
                p.most.highest(&u.does);
                p.exports |= u.does.exports > 0;
                p.servers.extend(reached[i].iter().cloned());
            }
            if u.does.interactive {
                p.interactive_days.extend(&u.days);
            }
        }
        for ((who, _, _, h), trust) in rows.iter().zip(row_trust) {
            if trust == Trust::None {
                continue;
            }
            let Some(p) = self.pasts.get_mut(who) else {
                continue;
            };
            let seen = trusted_days.entry(who).or_default();
            for d in &h.days {
                p.trusted_units += usize::from(seen.insert(*d));
            }
            for (d, days) in h.devices.iter().filter(|(d, _)| !automated(d)) {
                p.devices.entry(d.clone()).or_default().extend(days);
                p.shapes.insert(shape(d));
            }
            p.hours_seen.add(h.hours, h.days.len() as u32);
            p.most.highest(&h.behaviour());
            p.exports |= h.exports;
            p.servers.extend(h.servers.iter().cloned());
            p.interactive_days.extend(&h.interactive);
        }
        for p in self.pasts.values().filter(|p| !p.devices.is_empty()) {
            self.people_with_devices += 1;
            for d in p.devices.keys() {
                *self.holders.entry(d.clone()).or_default() += 1;
            }
        }
        let trusted: Vec<&Unit> = units
            .list
            .iter()
            .enumerate()
            .filter(|(i, u)| {
                self.trust[*i] > Trust::Habit
                    && u.parents.is_empty()
                    && !u.machine
                    && u.does.asks >= 5
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
            let with = |m: Manner| {
                let k = trusted.iter().filter(|u| u.does.manner() == Some(m));
                k.count() as f64 / n
            };
            (self.slices, self.numbers) = (with(Manner::Slices), with(Manner::Numbers));
            self.exporters = trusted.iter().filter(|u| u.does.exports > 0).count() as f64 / n;
            let mut w: Vec<u64> = trusted
                .iter()
                .map(|u| u.does.subjects.max(u.does.objects))
                .collect();
            w.sort_unstable();
            self.wide = w[(w.len() - 1) * 99 / 100].max(50);
        }
    }

    fn use_of(&self, i: usize) -> Use<'a> {
        let u = &self.units.list[i];
        Use {
            formats: self.formats(i, &|_| true),
            naming: self.formats(i, &|x| x.origin.device.as_deref().is_some_and(machine_name)),
            who: u.who,
            address: u.address,
            country: u.country,
            asn: u.asn,
            bot: !u.devices.is_empty() && u.devices.iter().all(|d| automated(d)),
            devices: u.devices.to_vec(),
            hours: self.hours_of(u),
            times: 1,
        }
    }

    /// Units of somebody's account that unit `i` made possible, itself apart.
    fn opened(&self, i: usize) -> impl Iterator<Item = &Unit<'a>> {
        self.units.list[i]
            .children
            .iter()
            .filter(|(_, c)| *c >= 0.5)
            .map(|(c, _)| &self.units.list[*c])
            .filter(|v| !v.who.is_empty() && !v.machine && !v.flow_only && v.job.is_none())
    }

    /// Share of the people with known devices who have this one.
    fn share_of(&self, device: &str) -> f64 {
        let n = self.holders.get(device).copied().unwrap_or(0);
        (n as f64 + 1.0) / (self.people_with_devices as f64 + 2.0)
    }

    /// True for what the account does from there at this time of day, day after day: nobody's raid, whoever else used the account.
    pub fn daily(&self, i: usize) -> bool {
        const NEAR: i64 = 45 * MINUTE;
        let u = &self.units.list[i];
        let days: BTreeSet<i64> = self
            .units_of(u.who)
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

    /// True when hardly anybody goes through an index like this from known ground.
    pub fn rare(&self, manner: Manner) -> bool {
        let share = match manner {
            Manner::Slices => self.slices,
            Manner::Numbers => self.numbers,
        };
        share <= 0.02
    }

    /// Hours of the day with activity, bit 0 = 00:00–01:00 local.
    fn hours_of(&self, u: &Unit) -> u32 {
        u.members.iter().fold(0, |all, m| {
            all | self.s.features[*m as usize].hours_of_day()
        })
    }

    /// The rows the units in `keep` leave behind for later runs.
    pub fn habits(&self, threads: usize, keep: &(dyn Fn(usize) -> bool + Sync)) -> Habits {
        // Joining is order-free: a set per piece, then one of all.
        let sets = in_pieces(threads, self.units.list.len(), &|piece| {
            let mut out = Habits::default();
            for i in piece.filter(|i| keep(*i)) {
                let u = &self.units.list[i];
                if Habits::takes(u) {
                    let bot = !u.devices.is_empty() && u.devices.iter().all(|d| automated(d));
                    out.take(u, bot, &self.servers(i), self.hours_of(u));
                }
            }
            vec![out]
        });
        let mut sets = sets.into_iter();
        let mut out = sets.next().unwrap_or_default();
        sets.for_each(|s| out.unite(s));
        out.settle();
        out
    }

    /// What is known of an origin before any habit.
    fn ground(&self, x: &Use<'_>) -> Trust {
        let Some(a) = x.address.filter(|a| !self.lent_place(*a)) else {
            return Trust::None;
        };
        let p = self.pasts.get(x.who);
        if p.is_some_and(|p| p.networks.iter().any(|n| n.contains(a))) {
            return Trust::Declared;
        }
        if self.on_site(a) {
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
    fn trust_of(&self, x: &Use<'_>, anchors: &BTreeMap<&str, Anchor>) -> Trust {
        let ground = self.ground(x);
        if ground != Trust::None || x.bot {
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
        let Some(p) = self.pasts.get(x.who).filter(|_| home && !rented) else {
            return Trust::None;
        };
        if !p.networks.is_empty() && matches!(p.kind.as_str(), "vendor" | "service" | "admin") {
            return Trust::None;
        }
        let days: BTreeSet<i64> = p
            .addresses
            .iter()
            .filter(|(x, _)| net::neighbourhood(**x).contains(a))
            .flat_map(|(_, d)| d)
            .copied()
            .collect();
        // One such place: where the account comes from most often of all that is not certain ground.
        let most = p
            .addresses
            .iter()
            .filter(|(x, _)| !self.on_site(**x) && !self.peers.contains(x) && !self.lent_place(**x))
            .filter(|(x, _)| !p.networks.iter().any(|n| n.contains(**x)))
            .map(|(_, d)| d.len())
            .max()
            .unwrap_or(0);
        let often = days.len() >= 3 && days.len() * 5 >= p.days.len() && days.len() >= most;
        let person = match anchors.get(x.who) {
            None => days.len() * 2 >= p.days.len(),
            Some(k) if !k.devices.is_empty() && !x.devices.is_empty() => x
                .devices
                .iter()
                .any(|d| k.devices.contains(*d) || k.shapes.contains(&shape(d))),
            // A machine is named here by logs that show the account at its usual places, on machines they do not name.
            Some(k) if k.devices.is_empty() && !x.naming.is_disjoint(&k.formats) => false,
            Some(k) => {
                let usual = (x.hours & around(k.hours.usual())).count_ones();
                usual * 2 >= x.hours.count_ones()
            }
        };
        if often && person {
            Trust::Habit
        } else {
            Trust::None
        }
    }

    /// Reasons of one unit from its origin, device and time. Empty for what a tunnel or hop made possible: its origin is the outer one's.
    pub fn origin(&self, i: usize, sum: &mut Sum) {
        let u = &self.units.list[i];
        let Some(p) = self.pasts.get(u.who) else {
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
            Trust::Declared => sum.add(
                "declared_network",
                -3.0,
                format!("vient de {addr}, réseau déclaré pour ce compte"),
                format!("comes from {addr}, a network declared for this account"),
            ),
            // Technical accounts are always inside: that says nothing.
            Trust::Site if u.service || db => {}
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
                    if !self.at_home(u) {
                        sum.add(
                            "new_country",
                            2.2 * k,
                            format!("connexion depuis l'étranger : {place}"),
                            format!("comes from abroad: {place}"),
                        );
                    }
                    if self.rented(u) {
                        let o = u
                            .asn
                            .and_then(|a| self.s.operators.get(&a))
                            .cloned()
                            .unwrap_or_default();
                        sum.add(
                            "hosting",
                            if self.at_home(u) { 2.0 } else { 2.6 } * k,
                            format!("{addr} appartient à un loueur de serveurs ({o})"),
                            format!("{addr} belongs to a renter of servers ({o})"),
                        );
                    }
                }
            }
        }
        if trust == Trust::None && !self.at_home(u) {
            let abroad = p
                .countries
                .iter()
                .filter(|(c, _)| !self.home.contains(*c))
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
        self.device(u, p, trust, k, sum);
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

    fn device(&self, u: &Unit, p: &Past, trust: Trust, k: f32, sum: &mut Sum) {
        // What is behind a tunnel shows the machine's name only in the logons it made possible.
        let mut seen: BTreeSet<&str> = u.devices.iter().copied().collect();
        for (c, _) in u.children.iter().filter(|(_, w)| *w >= 0.5) {
            seen.extend(&self.units.list[*c].devices);
        }
        seen.retain(|d| !d.is_empty() && !monitor(d) && !platform(d) && !self.serves(d));
        // A technical account has no owner whose device it could be.
        if seen.is_empty()
            || u.service
            || u.account.as_ref().is_some_and(|a| a.system == System::Db)
        {
            return;
        }
        let inner: BTreeSet<&String> = p.devices.keys().collect();
        let tool = seen.iter().find(|d| automated(d));
        let mine = seen
            .iter()
            .find(|d| inner.iter().any(|x| x.as_str() == **d) || self.trusted_below(u, d));
        if let Some(t) = tool {
            let habitual = p
                .any_device
                .get(*t)
                .is_some_and(|d| d.len() * 2 >= p.days.len() && d.len() >= 4);
            if !habitual {
                sum.add(
                    "automated_client",
                    if trust >= Trust::Peers { 1.5 } else { 3.5 } * k,
                    format!("client automatique : {t}"),
                    format!("automated client: {t}"),
                );
            }
        } else if let Some(d) = mine {
            // A client many have is met by chance as often; the name of a machine is forged with one keystroke.
            let rare = -(0.8 * self.share_of(d).ln()) as f32;
            sum.add(
                "own_device",
                -(if d.contains('/') { 2.5_f32 } else { 1.5 }).min(rare.max(0.2)),
                format!("appareil habituel du titulaire : {d}"),
                format!("the owner's usual device: {d}"),
            );
        } else if seen.iter().any(|d| p.shapes.contains(&shape(d))) {
            sum.add(
                "like_device",
                -0.5,
                "appareil du même type que celui du titulaire".into(),
                "a device of the owner's kind".into(),
            );
        } else {
            let d = seen.first().copied().unwrap_or_default();
            let days = |d: &str| p.any_device.get(d).map_or(0, BTreeSet::len);
            // Nothing is known from certain ground: another device the account has much more often stands for it.
            let mine = seen.iter().map(|d| days(d)).max().unwrap_or(0).max(1);
            let other = p
                .any_device
                .iter()
                .filter(|(d, _)| !automated(d) && !platform(d) && !self.serves(d))
                .filter(|(d, _)| !seen.contains(d.as_str()))
                .any(|(_, n)| n.len() >= 3 && n.len() >= 2 * mine);
            // A machine that came later, while the one known before stays in use, is somebody else's.
            let first = seen
                .iter()
                .filter_map(|d| p.any_device.get(*d)?.first())
                .min();
            let other = other
                || first.is_some_and(|first| {
                    p.any_device
                        .iter()
                        .filter(|(d, _)| {
                            machine_name(d) && !self.serves(d) && !seen.contains(d.as_str())
                        })
                        .any(|(_, n)| {
                            n.range(..first).count() >= 3 && n.range(first..).next().is_some()
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
                    let known =
                        |h: &String| h.strip_prefix(x.format).is_some_and(|h| h.starts_with(' '));
                    p.servers.iter().any(known)
                })
    }

    /// The device is seen on declared ground in a unit that a trusted one of the same account made possible.
    fn trusted_below(&self, u: &Unit, device: &str) -> bool {
        self.by_who.get(u.who).into_iter().flatten().any(|j| {
            let v = &self.units.list[*j];
            v.members != u.members
                && self.trust[*j] >= Trust::Peers
                && v.children
                    .iter()
                    .any(|(c, w)| *w >= 0.5 && self.units.list[*c].devices.contains(&device))
        })
    }

    fn calendar(&self, u: &Unit, p: &Past, trust: Trust, k: f32, sum: &mut Sum) {
        if p.left
            .is_some_and(|left| u.days.last().is_some_and(|d| *d >= left))
        {
            sum.add(
                "left",
                6.0 * k,
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
        let id = u.account.map(account_id).unwrap_or_default();
        if self.rules.ticket_of(&id, u.from, u.to, u.address).is_some() {
            sum.add(
                "ticket",
                -8.0,
                "intervention prévue : compte, heures et réseau du ticket".into(),
                "planned work: the ticket's account, hours and network".into(),
            );
        }
        if u.job.is_some() {
            sum.add(
                "job",
                -8.0,
                "traitement prévu : compte, hôte, programme et heures".into(),
                "scheduled batch: account, host, program and hours".into(),
            );
        }
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
        for j in self.by_who.get(u.who).into_iter().flatten().copied() {
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
                if turns >= 2 {
                    sum.add(
                        "two_desks",
                        2.0,
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

    /// Reasons from what the unit did, with everything it made possible.
    pub fn behaviour(&self, i: usize, sum: &mut Sum) {
        let u = &self.units.list[i];
        let all = Behaviour::default();
        let empty = Past::default();
        let p = self.pasts.get(u.who).unwrap_or(&empty);
        let reach = self.units.reach(i);
        let mut b = all;
        for r in &reach {
            b.with(&self.units.list[*r].does);
        }
        let trusted = self.trust[i] >= Trust::Peers && u.parents.is_empty();
        let usual = if self.walkers > 0.2 { 0.3 } else { 1.0 };
        if b.asks >= 4
            && (b.prefix >= 0.5 || b.range >= 0.5)
            && p.most.prefix.max(p.most.range) < 0.5
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
        let spread = b.subjects.max(b.objects).max(b.files);
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
        if !trusted && u.parents.is_empty() && p.trusted_units >= 3 && !p.servers.is_empty() {
            // Only a log that shows this account at its usual places can show it at an unusual one.
            let new = Self::unusual(&self.servers(i), &p.servers);
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
        if b.tampering > 0 && !trusted {
            sum.add(
                "tampering",
                2.0,
                "journal effacé ou audit coupé".into(),
                "a log was cleared or auditing switched off".into(),
            );
        }
        self.lodger(u, &reach, sum);
        self.reached(u, p, &reach, sum);
        self.another(i, u, sum);
        self.in_anothers(i, u, sum);
        self.ways(i, u, p, sum);
    }

    /// A machine nobody has on known ground, under accounts that have nothing to do with each other.
    fn lodger(&self, u: &Unit, reach: &[usize], sum: &mut Sum) {
        if u.who.is_empty() {
            return;
        }
        let lodgers = reach
            .iter()
            .flat_map(|r| &self.units.list[*r].devices)
            .find_map(|d| Some((d, self.lodgers.get(*d)?)));
        if let Some((d, accounts)) = lodgers {
            let list = accounts.join(", ");
            sum.add(
                "device_of_several",
                2.0,
                format!("{d}, machine inconnue, sert sous plusieurs comptes : {list}"),
                format!("{d}, a machine nobody knows, is used under several accounts: {list}"),
            );
        }
    }

    /// Machines never seen on known ground → the accounts under which they were, when these are two to five and strangers to
    /// each other; a name more people have is a kind of machine.
    fn find_lodgers(&mut self) {
        let mut known: BTreeSet<&str> = BTreeSet::new();
        let mut seen: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        let units = &self.units.list;
        for (i, u) in units.iter().enumerate() {
            if u.machine || u.parents.iter().any(|(_, c)| *c >= 0.5) {
                continue;
            }
            for r in self.units.reach(i) {
                let v = &units[r];
                for d in v
                    .devices
                    .iter()
                    .filter(|d| machine_name(d) && !self.housed(d))
                {
                    if self.trust[i] >= Trust::Habit {
                        known.insert(d);
                    } else if !v.who.is_empty() && !v.machine && !v.service {
                        seen.entry(d).or_default().insert(v.who, r);
                    }
                }
            }
        }
        let strangers = |x: usize, y: usize| {
            let (x, y) = (&units[x], &units[y]);
            let opens =
                |a: &Unit, b: &Unit| self.opens.get(a.who).is_some_and(|o| o.contains(b.who));
            comparable(x, y) && !related(x, y) && !opens(x, y) && !opens(y, x)
        };
        let mut out = BTreeMap::new();
        for (d, whos) in seen
            .into_iter()
            .filter(|(d, w)| !known.contains(d) && (2..=5).contains(&w.len()))
        {
            let list: Vec<usize> = whos.into_values().collect();
            if (1..list.len()).any(|k| list[..k].iter().any(|x| strangers(*x, list[k]))) {
                let names = list.iter().filter_map(|u| units[*u].account.as_ref());
                out.insert(d.to_string(), names.map(ToString::to_string).collect());
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
                if let Some(known) = self.pasts.get(v.who).map(|p| &p.servers) {
                    let new = Self::unusual(&self.servers(*r), known);
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

    /// A session of one person that opens sessions of somebody else, which its owner never does from known ground.
    fn another(&self, i: usize, u: &Unit, sum: &mut Sum) {
        if u.who.is_empty() || !u.parents.is_empty() || self.trust[i] >= Trust::Peers {
            return;
        }
        let usual = self.opens.get(u.who);
        for v in self.opened(i) {
            // Names of different systems tell nothing apart unless the context knows whose they are.
            let comparable = u.who.starts_with('#') && v.who.starts_with('#')
                || v.account
                    .as_ref()
                    .is_some_and(|a| matches!(a.system, System::Ad | System::Smb | System::Host));
            if v.who == u.who
                || v.service
                || related(u, v)
                || !comparable
                || usual.is_some_and(|o| o.contains(v.who))
            {
                continue;
            }
            let a = v
                .account
                .as_ref()
                .map_or_else(String::new, |a| a.to_string());
            let admin = self.admin(v);
            sum.add(
                "another_account",
                if admin { 3.0 } else { 1.8 },
                format!("ouvre une session sous un autre compte : {a}"),
                format!("opens a session under another account: {a}"),
            );
        }
    }

    /// Administrators by what the context says or by their name.
    fn admin(&self, v: &Unit) -> bool {
        self.pasts.get(v.who).is_some_and(|p| p.kind == "admin")
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
            || self.pasts.get(u.who).is_none_or(|p| p.trusted_units == 0)
        {
            return;
        }
        let other = self.beside(i).map(|j| &self.units.list[j]).find(|v| {
            let opens = self.opens.get(v.who);
            !related(u, v) && !opens.is_some_and(|o| o.contains(u.who))
        });
        if let Some(a) = other.and_then(|v| v.account.as_ref()) {
            sum.add(
                "another_account",
                if self.admin(u) { 3.0 } else { 1.8 },
                format!("sort du tunnel d'un autre compte : {a}"),
                format!("comes out of the tunnel of another account: {a}"),
            );
        }
    }

    /// Database and technical accounts: how the account is used every day, and this use.
    fn ways(&self, _i: usize, u: &Unit, p: &Past, sum: &mut Sum) {
        let Some(a) = &u.account else { return };
        let technical = a.system == System::Db || u.service;
        if !technical || u.job.is_some() || u.flow_only {
            return;
        }
        let id = account_id(a);
        let programs: BTreeSet<String> = if u.programs.is_empty() {
            BTreeSet::from([String::new()])
        } else {
            u.programs.iter().map(|g| g.to_lowercase()).collect()
        };
        let strong = p.daily_ways();
        let job = self.rules.jobs.iter().any(|j| j.account == id);
        if a.system == System::Db && (!strong.is_empty() || job) {
            let own = strong
                .iter()
                .any(|(x, g)| *x == u.address && programs.contains(g));
            let program = strong.iter().any(|(_, g)| programs.contains(g));
            let host = strong.iter().any(|(x, _)| *x == u.address);
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
                if !host {
                    sum.add(
                        "new_machine",
                        2.0,
                        "machine inhabituelle pour ce compte".into(),
                        "machine unusual for this account".into(),
                    );
                }
                if job {
                    sum.add(
                        "not_the_job",
                        1.0,
                        "hors du traitement prévu de ce compte".into(),
                        "not the scheduled batch of this account".into(),
                    );
                }
            }
        }
        let span = (self.last_day - self.first_day + 1).max(1) as usize;
        if u.service && u.does.interactive && p.interactive_days.len() * 5 < span.max(10) * 2 {
            sum.add(
                "service_logon",
                3.5,
                "ouverture de session interactive d'un compte technique".into(),
                "interactive logon of a technical account".into(),
            );
            let late = p.days.first().is_some_and(|d| *d >= self.first_day + 3);
            if late || p.days.is_subset(&p.interactive_days) {
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
        let devices: BTreeSet<&&str> = reach
            .iter()
            .flat_map(|r| &self.units.list[*r].devices)
            .collect();
        if devices.is_empty() {
            missing.push((
                "un journal qui nomme le poste ou le navigateur",
                "a log that names the machine or browser",
            ));
        } else if devices.iter().all(|d| common_browser(d)) {
            // A browser thousands have tells nobody apart.
            missing.push((
                "un journal du second facteur ou du certificat de l'appareil",
                "a log of the second factor or of the device's certificate",
            ));
        }
        if self.pasts.get(u.who).is_none_or(|p| p.trusted_units < 3) {
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
        let u = &self.units.list[i];
        u.machine || u.flow_only || u.devices.iter().any(|d| monitor(d)) && u.who.is_empty()
    }
}
