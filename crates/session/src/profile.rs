//! What is usual: whose accounts are one person's, which batch, ticket or habit explains a session.
use crate::{
    Sessions,
    features::List,
    intake::{local, machine},
    key::canonical,
    net::{self, Net},
};
use ampleur_event::{
    Account, Context, Session, System,
    time::{MINUTE, Nanos},
};
use ampleur_sources::case::Case;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Lower-case text under which the spellings of one account agree.
pub fn account_id(a: &Account) -> String {
    canonical(a)
}

/// Accounts → persons of the context.
#[derive(Debug, Clone, Default)]
pub struct People {
    by_account: BTreeMap<String, u32>,
}

impl People {
    pub fn new(c: &Context) -> People {
        let mut by_account = BTreeMap::new();
        for (i, p) in c.persons.iter().enumerate() {
            for a in &p.accounts {
                by_account
                    .entry(canonical(&Account::parse(a)))
                    .or_insert(i as u32);
            }
        }
        People { by_account }
    }
    /// Index in `Context::persons`. A portal or identity-provider name that is somebody's professional number or directory
    /// name is that person too.
    pub fn of(&self, a: &Account) -> Option<u32> {
        if let Some(p) = self.by_account.get(&canonical(a)) {
            return Some(*p);
        }
        let bare = a.bare();
        let number =
            bare.bytes().all(|b| b.is_ascii_digit()) && (bare.len() == 11 || bare.len() == 12);
        match a.system {
            System::Oidc | System::Web | System::Unknown | System::Rpps if number => {
                let n = if bare.len() == 12 && bare.starts_with('8') {
                    &bare[1..]
                } else {
                    &bare
                };
                self.by_account.get(&format!("rpps:{n}")).copied()
            }
            System::Oidc
            | System::Web
            | System::Unknown
            | System::Citrix
            | System::Bastion
            | System::Vpn
            | System::Smb
            | System::Mail => self.by_account.get(&format!("ad:{bare}")).copied(),
            _ => None,
        }
    }
}

/// Hours of work: `daily|Mon-Fri|Sat,Sun HH:MM-HH:MM`; an end before the start is the next day. Local time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// Bit 0 = Monday.
    days: u8,
    /// Minutes after midnight, start included, end excluded.
    from: u32,
    to: u32,
}

impl Hours {
    pub fn parse(text: &str) -> Option<Hours> {
        let t = text.trim();
        let (days, span) = match t.rsplit_once(' ') {
            Some((d, s)) => (d.trim(), s),
            None => ("daily", t),
        };
        const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let day = |d: &str| {
            NAMES
                .iter()
                .position(|n| d.trim().to_ascii_lowercase().starts_with(n))
        };
        let mut mask = 0u8;
        for part in days.split(',') {
            if part.trim().eq_ignore_ascii_case("daily") {
                mask = 0x7f;
            } else if let Some((a, b)) = part.split_once('-') {
                let (a, b) = (day(a)?, day(b)?);
                let mut i = a;
                loop {
                    mask |= 1 << i;
                    if i == b {
                        break;
                    }
                    i = (i + 1) % 7;
                }
            } else {
                mask |= 1 << day(part)?;
            }
        }
        let minute = |s: &str| -> Option<u32> {
            let (h, m) = s.trim().split_once(':')?;
            let (h, m) = (h.parse::<u32>().ok()?, m.parse::<u32>().ok()?);
            (h <= 24 && m < 60).then_some(h * 60 + m)
        };
        let (a, b) = span.split_once('-')?;
        Some(Hours {
            days: mask,
            from: minute(a)?,
            to: minute(b)?,
        })
    }
    /// True when the instant is inside, with `slack` minutes at both ends.
    pub fn holds(&self, t: Nanos, zone: &jiff::tz::TimeZone, slack: u32) -> bool {
        let Some(z) = local(t, zone) else {
            return false;
        };
        let day = z.weekday().to_monday_zero_offset() as i64;
        let now = i64::from(z.hour()) * 60 + i64::from(z.minute());
        let length = if self.to > self.from {
            self.to - self.from
        } else {
            self.to + 1440 - self.from
        };
        // The span that began today, or yesterday and goes on.
        [0i64, 1].iter().any(|back| {
            let began = (day - back).rem_euclid(7);
            let since = now + back * 1440 - i64::from(self.from);
            self.days >> began & 1 == 1
                && since >= -i64::from(slack)
                && since < i64::from(length + slack)
        })
    }
}

/// A batch of the context, read once.
#[derive(Debug, Clone)]
pub struct JobRule {
    pub account: String,
    host: Option<String>,
    address: Option<IpAddr>,
    program: Option<String>,
    hours: Option<Hours>,
}

/// Batches, tickets and machines of the context, ready to be asked.
#[derive(Debug, Clone)]
pub struct Rules {
    pub zone: jiff::tz::TimeZone,
    pub jobs: Vec<JobRule>,
    /// (canonical account, from, to, networks).
    pub tickets: Vec<(String, Nanos, Nanos, Vec<Net>)>,
}

impl Rules {
    pub fn new(c: &Context) -> Rules {
        let zone = c.zone();
        let jobs = c
            .jobs
            .iter()
            .map(|j| JobRule {
                account: canonical(&Account::parse(&j.account)),
                address: j.host.as_deref().and_then(net::parse_address),
                host: j.host.as_deref().map(machine).filter(|h| !h.is_empty()),
                program: j
                    .program
                    .as_deref()
                    .map(str::to_lowercase)
                    .filter(|p| !p.is_empty()),
                hours: j.hours.as_deref().and_then(Hours::parse),
            })
            .collect();
        let tickets = c
            .tickets
            .iter()
            .filter_map(|t| {
                Some((
                    canonical(&Account::parse(&t.account)),
                    ampleur_event::context::instant(&t.from, &zone)?,
                    ampleur_event::context::instant(&t.to, &zone)?,
                    t.networks.iter().filter_map(|n| Net::parse(n)).collect(),
                ))
            })
            .collect();
        Rules {
            zone,
            jobs,
            tickets,
        }
    }

    /// The batch that explains a session: same account, host, program (where the source tells it) and hours, all of them.
    pub fn job_of(
        &self,
        s: &Session,
        devices: &[&str],
        programs: &[&str],
        machines: &BTreeMap<String, BTreeSet<IpAddr>>,
    ) -> Option<usize> {
        let a = canonical(s.account.as_ref()?);
        self.jobs
            .iter()
            .position(|j| j.account == a && self.job_fits(j, s, devices, programs, machines))
    }

    fn job_fits(
        &self,
        j: &JobRule,
        s: &Session,
        devices: &[&str],
        programs: &[&str],
        machines: &BTreeMap<String, BTreeSet<IpAddr>>,
    ) -> bool {
        let at = s.origin.address;
        let host = match (&j.address, &j.host) {
            (Some(x), _) => at.is_none_or(|a| a == *x),
            (None, Some(h)) => match (at, machines.get(h)) {
                (Some(a), Some(known)) => known.contains(&a),
                // Nothing says which address the host has: its name where the source tells one.
                _ => devices.is_empty() || devices.iter().any(|d| machine(d) == *h),
            },
            (None, None) => true,
        };
        let program = match &j.program {
            None => true,
            Some(p) => {
                let mut told: Vec<String> = programs.iter().map(|x| x.to_lowercase()).collect();
                told.extend(
                    devices
                        .iter()
                        .filter(|d| d.contains('/'))
                        .map(|d| d.to_lowercase()),
                );
                told.is_empty()
                    || told.iter().all(|t| {
                        t.starts_with(p.as_str())
                            || t.rsplit(['\\', '/'])
                                .next()
                                .is_some_and(|t| t.starts_with(p.as_str()))
                    })
            }
        };
        let hours = j
            .hours
            .as_ref()
            .is_none_or(|h| h.holds(s.from, &self.zone, 10) && h.holds(s.to, &self.zone, 10));
        host && program && hours
    }

    /// The ticket under which the account works at that time from that address.
    pub fn ticket_of(
        &self,
        account: &str,
        from: Nanos,
        to: Nanos,
        address: Option<IpAddr>,
    ) -> Option<usize> {
        self.tickets.iter().position(|(a, f, t, nets)| {
            // A log that names no account leaves the place and the time.
            (a == account || account.is_empty() && !nets.is_empty())
                && from >= f.saturating_sub(30 * MINUTE)
                && to <= t.saturating_add(60 * MINUTE)
                && (nets.is_empty() || address.is_some_and(|x| nets.iter().any(|n| n.contains(x))))
        })
    }
}

/// Job of session `i`, if one explains it.
pub fn job_of(rules: &Rules, sessions: &Sessions, i: usize) -> Option<usize> {
    if rules.jobs.is_empty() {
        return None;
    }
    let devices: Vec<&str> = sessions.texts_of(i, List::Devices).collect();
    let programs: Vec<&str> = sessions.texts_of(i, List::Programs).collect();
    rules.job_of(&sessions.list[i], &devices, &programs, &sessions.machines)
}

/// True for an account that no human is behind as far as the context or its name tells.
pub fn is_service(case: &Case, rules: &Rules, a: &Account) -> bool {
    let id = canonical(a);
    if a.is_machine() || rules.jobs.iter().any(|j| j.account == id) {
        return true;
    }
    match case
        .context
        .accounts
        .iter()
        .find(|e| canonical(&Account::parse(&e.name)) == id)
        .and_then(|e| e.kind.as_deref())
    {
        Some(k) => k == "service",
        None => {
            let b = a.bare();
            ["svc", "svc_", "srv_", "sa_", "gmsa", "app_"]
                .iter()
                .any(|p| b.starts_with(p))
                || b == "postgres"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    fn at(s: &str) -> Nanos {
        s.parse::<jiff::Timestamp>().unwrap().as_nanosecond() as i64
    }
    #[test]
    fn hours_know_days_and_midnight() {
        let z = jiff::tz::TimeZone::get("Europe/Paris").unwrap();
        let h = Hours::parse("Mon-Fri 08:00-18:00").unwrap();
        assert!(h.holds(at("2023-06-23T06:30:00Z"), &z, 0));
        assert!(!h.holds(at("2023-06-24T08:30:00Z"), &z, 0), "Saturday");
        let n = Hours::parse("daily 20:00-08:00").unwrap();
        assert!(
            n.holds(at("2023-06-23T22:30:00Z"), &z, 0)
                && !n.holds(at("2023-06-23T12:00:00Z"), &z, 0)
        );
        let w = Hours::parse("Sat,Sun 22:00-02:00").unwrap();
        assert!(
            w.holds(at("2023-06-25T23:30:00Z"), &z, 0),
            "Sunday's night reaches into Monday"
        );
        assert!(!w.holds(at("2023-06-23T23:30:00Z"), &z, 0));
        assert!(Hours::parse("sometimes").is_none());
    }
    #[test]
    fn the_spellings_of_one_account_are_one() {
        let id = |s: &str| canonical(&Account::parse(s));
        assert_eq!(id("ad:CHU\\MDupont"), id("ad:mdupont@chu.local"));
        let c = Context::parse(
            "[[person]]\nid=\"p:m\"\naccounts=[\"ad:CHU\\\\mdupont\",\"rpps:10101234567\"]\n",
        )
        .unwrap();
        let p = People::new(&c);
        assert_eq!(p.of(&Account::parse("oidc:10101234567")), Some(0));
        assert_eq!(p.of(&Account::parse("ad:MDUPONT@chu.local")), Some(0));
        assert_eq!(p.of(&Account::parse("db:mdupont")), None);
    }
}
