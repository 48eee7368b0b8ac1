//! The ordinary days of one hospital: directory, file servers, VPN with re-lent addresses, firewall, patient file, backup. Shared by
//! the families that play inside a hospital.
use super::{Stage, shift_start};
use crate::civil::{self, HOUR, MIN, Ms};
use crate::log::{self, Flow, Forti, Keycloak, Login, Opened, Tunnel, Who, Windows};
use crate::out::Mark;
use crate::rng::{Rng, mix};
use crate::truth::{Level, Touch};
use crate::world::{Plan, Role};
use ampleur_event::{Category, category::CategorySet};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// A file of a share, and whose data it holds (data subjects of the stage: patients, then staff).
pub(crate) struct Item {
    pub path: String,
    pub size: u64,
    pub sha: String,
    pub subjects: Vec<u32>,
}

/// A share and its content.
pub(crate) struct Shelf {
    pub server: &'static str,
    pub share: &'static str,
    pub root: String,
    pub ip: String,
    pub cats: CategorySet,
    pub items: Vec<Item>,
}

impl Shelf {
    pub fn unc(&self) -> String {
        format!("\\\\{}\\{}", self.server, self.share)
    }
    pub fn bytes(&self) -> u64 {
        self.items.iter().map(|i| i.size).sum()
    }
    fn codes(&self) -> String {
        self.cats
            .iter()
            .map(|c| format!("\"{}\"", c.code()))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

pub(crate) fn sha(seed: u64) -> String {
    (0..4)
        .map(|k| format!("{:016x}", mix(seed ^ mix(k))))
        .collect()
}

/// Machines and sources of a hospital.
pub(crate) struct Office {
    pub vpn: Forti,
    pub fw: Forti,
    pub dc: Windows,
    pub dpi: usize,
    pub idp: Keycloak,
    pub files: Vec<Windows>,
    /// Lent VPN addresses: last octets with their busy spans.
    lent: BTreeMap<u8, Vec<(Ms, Ms)>>,
    pub net: u8,
    pub oid: String,
    /// Records opened by each member of staff each working day, about.
    pub pace: u64,
    /// A record nobody opens by chance.
    pub famous: Option<u32>,
}

pub(crate) fn plan(scale: f64, from: Ms, to: Ms, persons: f64, staff: f64) -> Plan {
    Plan {
        establishments: 1,
        persons: ((persons * scale) as usize).clamp(600, 2_000_000),
        staff: ((40.0 + staff * scale) as usize).min(9_000),
        from,
        to,
        kind: "CH",
        churn: 0.0004,
        several: 0.0,
    }
}

impl Office {
    pub fn ip(&self, third: u8, last: u8) -> String {
        format!("10.{}.{third}.{last}", self.net)
    }
    /// Declares the common sources. `dc_kept` is what the domain controller still has.
    pub fn open(s: &mut Stage, dc_kept: Option<Ms>, vpn_more: &str) -> Office {
        let id = s.world.ests[0].id.clone();
        let e = format!("establishment = \"{id}\"");
        let vpn = s.source(
            "vpn",
            "ssl-vpn",
            "log",
            "fortinet-fortigate",
            1,
            None,
            &format!("{e}\nheartbeat_s = 300{vpn_more}"),
        );
        let fw = s.source(
            "fw",
            "coeur",
            "log",
            "fortinet-fortigate",
            1,
            None,
            &format!("{e}\nheartbeat_s = 300"),
        );
        let dc = s.source(
            "dc-a",
            "Security",
            "xml",
            "windows-security",
            1,
            dc_kept,
            &format!("{e}\ntimezone = \"UTC\""),
        );
        let dpi = s.source("dpi", "atna", "log", "dicom-audit", 1, None, &format!("{e}\ntells = [\"ID.*\", \"CONTACT.*\", \"CARE.*\", \"HEALTH.*\"]\nshows_results = true"));
        let idp = s.source(
            "sso",
            "keycloak",
            "json",
            "keycloak",
            7,
            None,
            &format!("{e}\ntimezone = \"UTC\""),
        );
        s.heartbeat = vec!["vpn", "fw"];
        let net = s.world.ests[0].net;
        Office {
            vpn: Forti::new(vpn, "PF-VPN-1"),
            fw: Forti::new(fw, "PF-COEUR-1"),
            dc: Windows::new(dc, "DC-A"),
            dpi,
            idp: Keycloak {
                source: idp,
                realm: "hopital",
                client: "dpi-web",
                site: "dpi.hosp.example".into(),
            },
            files: Vec::new(),
            lent: BTreeMap::new(),
            net,
            oid: s.world.ests[0]
                .authority
                .trim_start_matches("urn:oid:")
                .to_string(),
            pace: 12,
            famous: None,
        }
    }
    /// Lends an address of the tunnel pool for this span; the same address goes to somebody else minutes later.
    pub fn lend(&mut self, from: Ms, to: Ms) -> String {
        for last in 10..=250u8 {
            let busy = self.lent.entry(last).or_default();
            if busy
                .iter()
                .all(|(a, b)| to + 3 * MIN < *a || *b + 3 * MIN < from)
            {
                busy.push((from, to));
                return format!("10.212.{}.{last}", self.net);
            }
        }
        format!("10.212.{}.251", self.net)
    }
    /// Background of one day for everybody. `away` are members of staff who do not work.
    pub fn day(&mut self, s: &mut Stage, day: i64, rng: &mut Rng, away: &dyn Fn(usize) -> bool) {
        let (from, to) = (civil::day_start(day), civil::day_start(day + 1));
        self.vpn.heartbeats(&mut s.sink, from, to);
        self.fw.heartbeats(&mut s.sink, from, to);
        for v in self.lent.values_mut() {
            v.retain(|(_, b)| *b > from - 12 * HOUR);
        }
        // Machines talk to the directory all night.
        let mut t = from + 90_000;
        while t < to {
            let m = mix(t as u64 ^ s.seed);
            let name = ["APP-LABO$", "SRV-SAUV$", "PRINT-2$", "SQL-DPI$"][(m % 4) as usize];
            let ip = self.ip(40, 10 + (m % 4) as u8);
            self.dc.ticket(
                &mut s.sink,
                t,
                Mark::default(),
                (name, 1500 + (m % 4) as u32),
                &ip,
            );
            t += 20 * MIN + (m % 600_000) as i64;
        }
        for i in 0..s.world.staff.len() {
            let role = s.world.staff[i].role;
            let nights = role == Role::Nurse && (i as i64 + day) % 6 == 0;
            let works = if civil::weekday(day) >= 5 { 0.22 } else { 0.66 };
            if away(i) || !rng.chance(works) {
                continue;
            }
            let start = shift_start(rng, day, nights);
            let hours = 5 * HOUR + rng.range(0, 3 * HOUR);
            let remote = role != Role::Nurse && rng.chance(0.08);
            self.work(s, i, start, start + hours, remote, rng);
        }
        // The nightly copy to the backup provider, always the same host.
        let at = civil::at(day, 23, 10) + rng.range(0, 5 * MIN);
        let size = 9_000_000_000 + rng.below(2_000_000_000);
        let (src, egress) = (self.ip(40, 30), s.world.ests[0].egress.clone());
        let f = Flow {
            src: (&src, 51_022),
            dst: ("198.19.200.40", 443),
            service: "HTTPS",
            seconds: 9_000,
            sent: size,
            received: size / 400,
            user: None,
            hidden: Some(&egress),
        };
        self.fw
            .flow(&mut s.sink, at + 9_000_000, Mark::default(), &f);
    }
    /// One working day of one member of staff.
    pub fn work(
        &mut self,
        s: &mut Stage,
        i: usize,
        start: Ms,
        end: Ms,
        remote: bool,
        rng: &mut Rng,
    ) {
        let p = s.world.staff[i].clone();
        let mut address = p.pc_ip.clone();
        if remote {
            address = self.lend(start, end);
            let k = Tunnel {
                id: 1_000_000 + rng.below(900_000_000),
                user: p.login.clone(),
                group: "VPN-AGENTS",
                remote: p.home_ip.clone(),
                inner: address.clone(),
                up: start,
                down: end,
                sent: 20_000_000 + rng.below(90_000_000),
                received: 4_000_000 + rng.below(20_000_000),
            };
            self.vpn.tunnel(&mut s.sink, Mark::default(), &k);
        }
        let m = Mark::default();
        self.dc
            .ticket(&mut s.sink, start + 40_000, m, (&p.login, p.rid), &address);
        self.dc
            .service_ticket(&mut s.sink, start + 41_000, m, &p.login, "DC-A", &address);
        // A share of the own service, sometimes.
        if !self.files.is_empty() && rng.chance(0.3) {
            let f = rng.below(self.files.len() as u64) as usize;
            let t = start + rng.range(5 * MIN, 2 * HOUR);
            let w = &mut self.files[f];
            let who = Who {
                name: &p.login,
                rid: p.rid,
                logon: w.new_logon(),
            };
            w.logon(&mut s.sink, t, m, &who, 3, (&address, "-"), "Kerberos");
            w.share(
                &mut s.sink,
                t + 300,
                m,
                &who,
                &address,
                "Commun",
                "E:\\Commun",
            );
            w.logoff(&mut s.sink, t + 12 * MIN, m, &who, 3);
        }
        // Internet.
        let egress = s.world.ests[0].egress.clone();
        for _ in 0..rng.below(3) {
            let t = start + rng.range(MIN, end - start);
            let f = Flow {
                src: (&address, 50_000 + (t % 9_000) as u16),
                dst: ("198.18.130.9", 443),
                service: "HTTPS",
                seconds: 30 + rng.below(300),
                sent: 40_000 + rng.below(400_000),
                received: 200_000 + rng.below(9_000_000),
                user: None,
                hidden: Some(&egress),
            };
            self.fw.flow(&mut s.sink, t, m, &f);
        }
        if matches!(p.role, Role::Doctor | Role::Nurse | Role::Social) {
            let sid = rng.uuid();
            let token = rng.uuid();
            let k = Login {
                user: &p.login,
                uuid: &p.uuid,
                session: &sid,
                address: &address,
            };
            self.idp.login(&mut s.sink, start + 70_000, m, &k, &token);
            let n = self.pace / 2 + rng.below(self.pace + 1);
            for _ in 0..n {
                let t = start + 2 * MIN + rng.range(0, (end - start - 4 * MIN).max(MIN));
                // People see the patients of their own unit.
                let units = (s.world.staff.len() as u64 / 9).max(1);
                let n = s.world.records.len() as u64;
                let rec = (rng.below(n / units) * units + i as u64 % units) as u32;
                if self.famous == Some(rec) {
                    continue;
                }
                if rng.chance(0.2) {
                    self.opened(s, t + 50_000, m, i, &address, rec, 'U');
                }
                self.opened(s, t, m, i, &address, rec, 'R');
            }
            self.idp.logout(&mut s.sink, end, m, &k);
        }
    }
    /// One record of the patient file opened.
    #[allow(clippy::too_many_arguments)]
    pub fn opened(
        &self,
        s: &mut Stage,
        t: Ms,
        mark: Mark,
        i: usize,
        address: &str,
        rec: u32,
        action: char,
    ) {
        let p = &s.world.staff[i];
        let resource = if mix(t as u64).is_multiple_of(3) {
            format!("Observation/{:09}", mix(t as u64 + 1) % 999_999_999)
        } else {
            String::new()
        };
        let o = Opened {
            finess: &s.world.ests[0].finess,
            host: "dpi-1",
            user: &p.rpps,
            display: &p.display,
            address,
            ipp: u64::from(s.world.records[rec as usize].ipp),
            oid: &self.oid,
            resource: &resource,
            action,
            event: ("110110", "Patient Record"),
            kind: if action == 'U' {
                ("DPI-ECR", "Ecriture")
            } else {
                ("DPI-LEC", "Lecture du dossier")
            },
        };
        log::atna(&mut s.sink, self.dpi, t, mark, &o);
    }
}

/// Writes the `[[share]]` entries and `inventory/`.
pub(crate) fn write_shelves(s: &mut Stage, shelves: &[Shelf], share_level: bool) -> io::Result<()> {
    let n = s.world.persons.len() as u32;
    for f in shelves {
        let unc = f.unc().replace('\\', "\\\\");
        s.line(&format!(
            "\n[[share]]\npath = \"{unc}\"\ncategories = [{}]\nsize_bytes = {}",
            f.codes(),
            f.bytes()
        ));
        let dir = s.case.join("inventory");
        std::fs::create_dir_all(&dir)?;
        let path = dir.join(format!(
            "{}-{}.jsonl",
            f.server.to_lowercase(),
            f.share.to_lowercase().trim_end_matches('$')
        ));
        let mut out = io::BufWriter::new(std::fs::File::create(path)?);
        for i in &f.items {
            let cats: Vec<&str> = f.cats.iter().map(Category::code).collect();
            let subjects: Vec<serde_json::Value> = i
                .subjects
                .iter()
                .map(|p| {
                    let id = if *p < n {
                        s.world.pi(s.world.persons[*p as usize].records[0])
                    } else {
                        s.world.staff_id((*p - n) as usize)
                    };
                    serde_json::json!({"subject": id, "categories": cats})
                })
                .collect();
            let row = serde_json::json!({"share": f.unc(), "path": i.path, "size": i.size, "sha256": i.sha, "subjects": subjects});
            writeln!(out, "{row}")?;
        }
        out.flush()?;
    }
    let _ = share_level;
    Ok(())
}

/// Everybody in a file is touched.
#[allow(clippy::too_many_arguments)]
pub(crate) fn taken(
    s: &mut Stage,
    f: &Shelf,
    item: &Item,
    level: Level,
    t: Ms,
    session: u32,
    group: u32,
    enumerable: bool,
) {
    let n = s.world.persons.len() as u32;
    for p in &item.subjects {
        let optional = if *p < n {
            CategorySet::of(&[Category::CareExistence, Category::HealthState])
        } else {
            CategorySet::of(&[
                Category::StaffFamily,
                Category::StaffUnion,
                Category::StaffSick,
                Category::StaffCareer,
            ])
        };
        s.ledger.touches.push(Touch {
            person: *p,
            est: 0,
            cats: f.cats,
            optional,
            level,
            t,
            session,
            group,
            enumerable,
        });
    }
}

/// `k` distinct patients with a record before the window.
pub(crate) fn patients(s: &Stage, rng: &mut Rng, k: usize) -> Vec<u32> {
    let mut v: Vec<u32> = (0..s.world.persons.len() as u32)
        .filter(|p| {
            let r = &s.world.records[s.world.persons[*p as usize].records[0] as usize];
            r.created < s.from
        })
        .collect();
    rng.shuffle(&mut v);
    v.truncate(k);
    v
}
