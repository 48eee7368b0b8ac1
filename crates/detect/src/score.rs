//! The transparent sum: what speaks for and against a stranger, unit by unit, in natural log units.
use crate::units::{Behaviour, Unit, Units, day_of};
use ampleur_event::{
    Account, System,
    session::Reason,
    time::{DAY, MINUTE},
};
use ampleur_session::{
    Sessions,
    net::{self, Net},
    profile::{Hours, Rules, account_id},
};
use ampleur_sources::case::Case;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Log odds before any evidence: one use of an account in fifty is worth a second look, far fewer are a stranger's.
pub(crate) const PRIOR: f32 = -4.0;
/// From here on a unit is the intruder's.
pub(crate) const INTRUDER: f32 = 3.0;
/// From here on it stays in doubt.
pub(crate) const DOUBTFUL: f32 = 0.5;

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

/// Reasons by code: the heaviest of each code counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sum {
    pub reasons: BTreeMap<&'static str, Reason>,
}

impl Sum {
    pub fn add(&mut self, code: &'static str, weight: f32, fr: String, en: String) {
        let r = Reason {
            code,
            fr,
            en,
            weight,
        };
        match self.reasons.get(code) {
            Some(o) if o.weight.abs() >= weight.abs() => {}
            _ => {
                self.reasons.insert(code, r);
            }
        }
    }
    pub fn total(&self) -> f32 {
        PRIOR + self.reasons.values().map(|r| r.weight).sum::<f32>()
    }
    pub fn weight(&self, code: &str) -> f32 {
        self.reasons.get(code).map_or(0.0, |r| r.weight)
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
    /// Hours of the day with trusted activity.
    pub hours_seen: BTreeSet<u8>,
    pub trusted_units: usize,
    pub most: Behaviour,
    /// Database and service accounts: (address, program) → days.
    pub ways: BTreeMap<(Option<IpAddr>, String), BTreeSet<i64>>,
    pub exports: bool,
    /// Servers and shares used on trusted ground.
    pub servers: BTreeSet<String>,
    /// Interactive logons on trusted or habitual ground.
    pub interactive_days: BTreeSet<i64>,
    /// First local day after the person left (exclusive end of lawful use).
    pub left: Option<i64>,
    /// Local days of absence, both included.
    pub away: Vec<(i64, i64)>,
}

pub(crate) struct Model<'a> {
    pub case: &'a Case,
    pub s: &'a Sessions,
    pub rules: &'a Rules,
    pub units: &'a Units,
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
    by_who: BTreeMap<String, Vec<usize>>,
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

impl<'a> Model<'a> {
    pub fn new(case: &'a Case, s: &'a Sessions, rules: &'a Rules, units: &'a Units) -> Model<'a> {
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
            lent: s.lent(),
            pool: vec![],
            by_who: BTreeMap::new(),
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
            m.by_who.entry(u.who.clone()).or_default().push(i);
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
        m.declare();
        m.remember();
        m
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
            .map(|m| &self.s.list[*m as usize])
            .filter(|x| x.inner.is_none())
            .filter_map(|x| x.host.split('.').next())
            .filter(|h| !h.is_empty())
            .map(str::to_lowercase)
            .collect()
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
            .as_ref()
            .is_none_or(|c| self.home.is_empty() || self.home.contains(c))
    }
    pub fn rented(&self, u: &Unit) -> bool {
        u.asn
            .and_then(|a| self.s.operators.get(&a))
            .is_some_and(|o| hosting(o))
    }

    /// What each account's past looks like; two passes, because devices are trusted through origins.
    fn remember(&mut self) {
        let units = self.units;
        for u in units
            .list
            .iter()
            .filter(|u| !u.who.is_empty() && !u.machine)
        {
            let p = self.pasts.entry(u.who.clone()).or_default();
            p.days.extend(&u.days);
            if let Some(a) = u.address.filter(|_| u.parents.is_empty()) {
                p.addresses.entry(a).or_default().extend(&u.days);
            }
            if let Some(n) = u.asn {
                p.systems.entry(n).or_default().extend(&u.days);
            }
            if let Some(c) = &u.country {
                p.countries.entry(c.clone()).or_default().extend(&u.days);
            }
            for d in &u.devices {
                p.any_device.entry(d.clone()).or_default().extend(&u.days);
            }
            for g in if u.programs.is_empty() {
                BTreeSet::from([String::new()])
            } else {
                u.programs.clone()
            } {
                p.ways
                    .entry((u.address, g.to_lowercase()))
                    .or_default()
                    .extend(&u.days);
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
        for (i, u) in units.list.iter().enumerate() {
            self.trust[i] = self.trust_of(u);
        }
        let reached: Vec<BTreeSet<String>> =
            (0..units.list.len()).map(|i| self.servers(i)).collect();
        for (i, u) in units.list.iter().enumerate() {
            if self.trust[i] == Trust::None
                || u.machine
                || u.who.is_empty()
                || !u.parents.is_empty()
            {
                continue;
            }
            let Some(p) = self.pasts.get_mut(&u.who) else {
                continue;
            };
            p.trusted_units += 1;
            for d in u.devices.iter().filter(|d| !automated(d)) {
                p.devices.entry(d.clone()).or_default().extend(&u.days);
                p.shapes.insert(shape(d));
            }
            for m in &u.members {
                for h in 0..168 {
                    if self.s.features[*m as usize].has_hour(h) {
                        p.hours_seen.insert((h % 24) as u8);
                    }
                }
            }
            p.most.with(&u.does);
            p.exports |= u.does.exports > 0;
            p.servers.extend(reached[i].iter().cloned());
            if u.does.interactive {
                p.interactive_days.extend(&u.days);
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
            self.exporters = trusted.iter().filter(|u| u.does.exports > 0).count() as f64 / n;
            let mut w: Vec<u64> = trusted
                .iter()
                .map(|u| u.does.subjects.max(u.does.objects))
                .collect();
            w.sort_unstable();
            self.wide = w[(w.len() - 1) * 99 / 100].max(50);
        }
    }

    fn trust_of(&self, u: &Unit) -> Trust {
        let Some(a) = u.address.filter(|a| !self.lent_place(*a)) else {
            return Trust::None;
        };
        let p = self.pasts.get(&u.who);
        if p.is_some_and(|p| p.networks.iter().any(|n| n.contains(a))) {
            return Trust::Declared;
        }
        if self.on_site(a) {
            return Trust::Site;
        }
        if self.peers.contains(&a) || self.declared.iter().any(|n| n.contains(a)) {
            return Trust::Peers;
        }
        let bot = !u.devices.is_empty() && u.devices.iter().all(|d| automated(d));
        if let Some(p) = p.filter(|_| self.at_home(u) && !self.rented(u) && !bot) {
            let days: BTreeSet<i64> = p
                .addresses
                .iter()
                .filter(|(x, _)| net::neighbourhood(**x).contains(a))
                .flat_map(|(_, d)| d)
                .copied()
                .collect();
            if days.len() >= 3 && days.len() * 5 >= p.days.len() {
                return Trust::Habit;
            }
        }
        Trust::None
    }

    /// Reasons of one unit from its origin, device and time. Empty for what a tunnel or hop made possible: its origin is the outer one's.
    pub fn origin(&self, i: usize, sum: &mut Sum) {
        let u = &self.units.list[i];
        let Some(p) = self.pasts.get(&u.who) else {
            return;
        };
        let trust = self.trust[i];
        let addr = u.address.map_or_else(String::new, |a| a.to_string());
        let tried =
            u.does.logins == 0 && u.does.failures > 0 && u.does.asks == 0 && u.does.bytes_out == 0;
        let k = if tried { 0.4 } else { 1.0 };
        let country = u.country.clone().unwrap_or_default();
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
                            2.5
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
        let mut seen: BTreeSet<&str> = u.devices.iter().map(String::as_str).collect();
        for (c, _) in u.children.iter().filter(|(_, w)| *w >= 0.5) {
            seen.extend(self.units.list[*c].devices.iter().map(String::as_str));
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
            sum.add(
                "own_device",
                -2.5,
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
        } else if !p.devices.is_empty() || p.any_device.len() > seen.len() {
            let d = seen.first().copied().unwrap_or_default();
            sum.add(
                "new_device",
                1.6 * k,
                format!("appareil jamais vu pour ce compte : {d}"),
                format!("device never seen for this account: {d}"),
            );
        }
    }

    /// The device is seen on declared ground in a unit that a trusted one of the same account made possible.
    fn trusted_below(&self, u: &Unit, device: &str) -> bool {
        self.by_who.get(&u.who).into_iter().flatten().any(|j| {
            let v = &self.units.list[*j];
            v.members != u.members
                && self.trust[*j] >= Trust::Peers
                && v.children
                    .iter()
                    .any(|(c, w)| *w >= 0.5 && self.units.list[*c].devices.contains(device))
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
                    1.2 * k,
                    "hors des heures déclarées pour ce compte".into(),
                    "outside the hours declared for this account".into(),
                );
            }
        } else if trust == Trust::None && p.trusted_units >= 3 && !p.hours_seen.is_empty() {
            let hour = |h: usize| {
                p.hours_seen.contains(&((h % 24) as u8))
                    || p.hours_seen.contains(&(((h + 1) % 24) as u8))
                    || p.hours_seen.contains(&(((h + 23) % 24) as u8))
            };
            let odd = u.members.iter().all(|m| {
                (0..168)
                    .filter(|h| self.s.features[*m as usize].has_hour(*h))
                    .all(|h| !hour(h))
            });
            if odd {
                sum.add(
                    "hours",
                    0.7 * k,
                    "à des heures où ce compte ne travaille jamais".into(),
                    "at hours this account never works".into(),
                );
            }
        }
        let id = u.account.as_ref().map(account_id).unwrap_or_default();
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

    /// The owner works on known ground while this unit comes from elsewhere.
    fn elsewhere(&self, i: usize, u: &Unit, sum: &mut Sum) {
        if sum.weight("own_device") < 0.0 {
            return;
        }
        for j in self.by_who.get(&u.who).into_iter().flatten().copied() {
            let v = &self.units.list[j];
            if j == i || self.trust[j] < Trust::Habit || !v.parents.is_empty() || v.flow_only {
                continue;
            }
            if v.from <= u.to && v.to >= u.from && v.does.asks + u.does.asks > 0 {
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
        let p = self.pasts.get(&u.who).unwrap_or(&empty);
        let reach = self.units.reach(i);
        let mut b = all;
        for r in &reach {
            b.with(&self.units.list[*r].does);
        }
        let trusted = self.trust[i] >= Trust::Peers && u.parents.is_empty();
        let usual = if self.walkers > 0.2 { 0.3 } else { 1.0 };
        if b.asks >= 8
            && (b.prefix >= 0.5 || b.range >= 0.5)
            && p.most.prefix.max(p.most.range) < 0.5
        {
            let w = 3.0 * usual * if trusted { 0.7 } else { 1.0 };
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
        if b.asks >= 20 && b.walk >= 0.5 && p.most.walk < 0.5 {
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
            sum.add(
                "pace",
                if b.asks >= 15 { 1.5 } else { 1.0 },
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
            let new: Vec<String> = self
                .servers(i)
                .into_iter()
                .filter(|h| !p.servers.contains(h))
                .collect();
            if !new.is_empty() {
                let list = new.join(", ");
                sum.add(
                    "new_servers",
                    1.0,
                    format!("serveurs que ce compte n'emploie jamais : {list}"),
                    format!("servers this account never uses: {list}"),
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
        if out > 50_000_000 && out > 5 * p.most.bytes_out.max(2_000_000) {
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
        if b.tampering > 0 && !trusted {
            sum.add(
                "tampering",
                2.0,
                "journal effacé ou audit coupé".into(),
                "a log was cleared or auditing switched off".into(),
            );
        }
        self.reached(u, p, &reach, sum);
        self.ways(i, u, p, sum);
    }

    fn reached(&self, u: &Unit, p: &Past, reach: &[usize], sum: &mut Sum) {
        for r in reach {
            let v = &self.units.list[*r];
            for m in &v.members {
                if !self.s.is_flow(*m as usize) {
                    continue;
                }
                let x = &self.s.list[*m as usize];
                for d in self.s.features[*m as usize]
                    .destinations
                    .items
                    .iter()
                    .filter_map(|d| net::parse_address(d))
                {
                    if !p.may_reach.is_empty()
                        && self.on_site(d)
                        && *r != 0
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
                    1.0,
                    "emploie un compte technique à la main".into(),
                    "uses a technical account by hand".into(),
                );
            }
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
        let strong: Vec<(&(Option<IpAddr>, String), usize)> = p
            .ways
            .iter()
            .map(|(w, d)| (w, d.len()))
            .filter(|(_, d)| *d >= 3 && *d * 5 >= p.days.len() * 2)
            .collect();
        let job = self.rules.jobs.iter().any(|j| j.account == id);
        if a.system == System::Db && (!strong.is_empty() || job) {
            let own = strong
                .iter()
                .any(|((x, g), _)| *x == u.address && programs.contains(g));
            let program = strong.iter().any(|((_, g), _)| programs.contains(g));
            let host = strong.iter().any(|((x, _), _)| *x == u.address);
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
                2.5,
                "ouverture de session interactive d'un compte technique".into(),
                "interactive logon of a technical account".into(),
            );
            if p.days.first().is_some_and(|d| *d > self.first_day + 3) {
                sum.add(
                    "dormant",
                    1.5,
                    "compte technique jamais employé auparavant".into(),
                    "technical account never used before".into(),
                );
            }
        }
    }

    /// Units nobody judges by themselves: machines, flows, a source's own probes.
    pub fn mute(&self, i: usize) -> bool {
        let u = &self.units.list[i];
        u.machine || u.flow_only || u.devices.iter().any(|d| monitor(d)) && u.who.is_empty()
    }
}
