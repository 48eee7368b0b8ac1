//! A departed doctor's account, then eleven siblings, on a web application shared by many practices: administrative sheets only,
//! one after the other. Web logs only; no host in one of them.
use super::{Stage, shift_start};
use crate::Recipe;
use crate::civil::{self, DAY, HOUR, MIN, Ms};
use crate::log::{self, Request};
use crate::out::Mark;
use crate::rng::Rng;
use crate::truth::{Level, Touch, Truth};
use crate::world::{AGENTS, Plan, Role};
use ampleur_event::{Category, category::CategorySet};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

const HOST: &str = "app.cabinets.example";

struct Wires {
    web: usize,
    api: usize,
}

impl Wires {
    /// Half of the practices use the browser (combined log), the others the gateway of the desktop client (JSON log).
    fn put(&self, s: &mut Stage, est: u8, t: Ms, mark: Mark, r: &Request<'_>) {
        if est.is_multiple_of(2) {
            log::nginx_combined(&mut s.sink, self.web, t, mark, r);
        } else {
            log::nginx_json(&mut s.sink, self.api, t, mark, r);
        }
    }
    fn key(est: u8) -> &'static str {
        if est.is_multiple_of(2) { "web" } else { "api" }
    }
}

pub(super) fn play(r: &Recipe, case: &Path) -> io::Result<Truth> {
    let scale = r.scale.max(0.001);
    let mut s = Stage::new(r, case, |from, to| Plan {
        establishments: ((16.0 + 200.0 * scale) as usize).min(120),
        persons: ((380_000.0 * scale) as usize).clamp(900, 2_000_000),
        staff: ((70.0 + 3_000.0 * scale) as usize).min(9_000),
        from,
        to,
        kind: "cabinet",
        churn: 0.0003,
        several: 0.06,
    });
    let tells = "tells = [\"ID.*\", \"CONTACT.*\", \"COVER.*\", \"CARE.*\", \"HEALTH.*\", \"FREE.*\"]\nshows_results = true";
    let w = Wires {
        web: s.source("web", "acces", "log", "http-access", 1, None, tells),
        api: s.source("api", "acces", "json", "http-access", 1, None, tells),
    };
    s.snapshots(4);
    let first = civil::local_day(s.from);
    // One doctor left five months ago; a locum sees the same patients since.
    let gone = (0..s.world.staff.len())
        .find(|i| s.world.staff[*i].role == Role::Doctor)
        .unwrap_or(0);
    let home = s.world.staff[gone].est;
    let locum = (0..s.world.staff.len())
        .find(|i| *i != gone && s.world.staff[*i].est == home)
        .unwrap_or(1);
    let left = civil::date_text(first - 152);
    let everyone = 0..s.world.staff.len();
    s.persons_toml(everyone, &["web", "rpps"], |i| {
        (i == gone).then(|| left.clone())
    });
    let mut plot = s.rng.fork(5);
    let mut bad = vec![gone];
    let mut est_used = vec![home];
    let mut order: Vec<usize> = (0..s.world.staff.len()).collect();
    plot.shuffle(&mut order);
    for i in order {
        let p = &s.world.staff[i];
        if bad.len() < 12 && !est_used.contains(&p.est) && p.role != Role::Engineer {
            est_used.push(p.est);
            bad.push(i);
        }
    }
    for i in &bad {
        let p = s.world.staff[*i].clone();
        let (egress, id) = (
            s.world.ests[p.est as usize].egress.clone(),
            s.world.ests[p.est as usize].id.clone(),
        );
        s.line(&format!("\n[[account]]\nname = \"web:{}\"\nkind = \"professional\"\nnetworks = [\"{egress}/32\"]", p.login));
        s.line(&format!(
            "\n[[rights]]\naccount = \"web:{}\"\npopulation = \"{id}\"",
            p.login
        ));
    }
    let sheet = "categories = [\"ID.NAME\", \"ID.SEX\", \"ID.DOB\", \"ID.LOCAL\", \"ID.NIR\", \"CONTACT.PHONE\", \"CONTACT.EMAIL\", \"CONTACT.POSTAL\", \"COVER.RIGHTS\", \"FREE.TEXT\"]";
    s.line(&format!("\n[[endpoint]]\nmatch = {{ method = \"GET\", path = \"/cabinet/*/patient/{{id}}/administratif\" }}\nsubject = {{ path = \"{{id}}\" }}\n{sheet}"));
    s.line("\n[[endpoint]]\nmatch = { method = \"GET\", path = \"/cabinet/*/patient/{id}/dossier\" }\nsubject = { path = \"{id}\" }\ncategories = [\"HEALTH.STATE\", \"HEALTH.RESULT\", \"HEALTH.DRUG\", \"CARE.DATE\", \"CARE.REASON\"]");
    s.line(&format!("\n[[endpoint]]\nmatch = {{ method = \"GET\", path = \"/cabinet/*/export*\" }}\nlist = true\nexport = true\n{sheet}"));
    s.line("\n[[account]]\nname = \"web:migration-editeur\"\nkind = \"vendor\"\nnetworks = [\"192.0.2.0/24\"]");
    let move_day = first + 9;
    s.line(&format!("\n[[ticket]]\naccount = \"web:migration-editeur\"\nfrom = {}\nto = {}\nnetworks = [\"192.0.2.0/24\"]", civil::iso_local(civil::at(move_day, 1, 0)), civil::iso_local(civil::at(move_day, 5, 0))));
    for i in &bad {
        let p = &s.world.staff[*i];
        let (a, al) = (format!("web:{}", p.login), vec![p.rpps.clone()]);
        s.ledger.account(
            &a,
            "professional",
            "usurped",
            al,
            if *i == gone { "left the practice" } else { "" },
        );
    }
    let locum_login = format!("web:{}", s.world.staff[locum].login);
    s.ledger.account(
        &locum_login,
        "professional",
        "clean",
        Vec::new(),
        "locum who takes over the patients",
    );
    s.ledger.account(
        "web:migration-editeur",
        "vendor",
        "clean",
        Vec::new(),
        "migration export under a ticket",
    );

    // Ids are read in rising order. The departed doctor's account first, the others once it was cut.
    let days = (s.to - s.from) / DAY;
    let start0 = first + days - 9;
    let addresses = [
        format!("198.19.{}.{}", 64 + plot.below(60), 1 + plot.below(250)),
        format!("198.51.100.{}", 1 + plot.below(250)),
        format!("198.18.{}.{}", 130 + plot.below(100), 1 + plot.below(250)),
    ];
    let mut schedule: Vec<(Ms, usize, usize, usize)> = Vec::new();
    for (k, i) in bad.iter().enumerate() {
        let day = if k == 0 {
            start0
        } else {
            start0 + 1 + (k as i64 % 4)
        };
        let e = s.world.staff[*i].est;
        let n = s.world.records.iter().filter(|r| r.est == e).count();
        let parts = 1 + n / 9_000;
        for p in 0..parts {
            let t = civil::at(day, 0, 20)
                + (k as i64 / 4) * 95 * MIN
                + p as i64 * 3 * HOUR
                + plot.range(0, 20 * MIN);
            schedule.push((t, *i, p, parts));
        }
    }
    schedule.sort();
    let mut by_est: Vec<Vec<u32>> = vec![Vec::new(); s.world.ests.len()];
    for (i, r) in s.world.records.iter().enumerate() {
        by_est[r.est as usize].push(i as u32);
    }
    for v in &mut by_est {
        v.sort_by_key(|r| s.world.records[*r as usize].ipp);
    }

    s.each_day(|s, day, from, to| {
        let mut rng = s.rng.fork(500 + day as u64);
        let mut t = from + 20_000;
        while t < to {
            let r = Request {
                host: HOST,
                remote: "10.20.0.4",
                user: "-",
                method: "GET",
                url: "/ping",
                status: 204,
                bytes: 0,
                agent: "Blackbox Exporter/0.25.0",
                forwarded: "-",
                id: "-",
                ms: 1,
            };
            w.put(s, 0, t, Mark::default(), &r);
            w.put(s, 1, t + 700, Mark::default(), &Request { user: "-", ..r });
            t += 2 * MIN;
        }
        for i in 0..s.world.staff.len() {
            if i == gone || !rng.chance(if civil::weekday(day) >= 5 { 0.15 } else { 0.75 }) {
                continue;
            }
            let e = s.world.staff[i].est as usize;
            let address = if rng.chance(0.12) {
                s.world.staff[i].home_ip.clone()
            } else {
                s.world.ests[e].egress.clone()
            };
            let start = shift_start(&mut rng, day, false);
            let listed = bad.contains(&i) || i == locum;
            let n = if i == locum {
                45
            } else {
                10 + rng.below(25) as usize
            };
            visit(s, &w, i, &address, start, n, &by_est[e], listed, &mut rng);
        }
        if day == move_day {
            let t0 = civil::at(day, 2, 0);
            let pages = (by_est[2 % by_est.len()].len() / 200 + 1) as i64;
            for p in 0..pages {
                let url = format!("/cabinet/3/export?format=csv&page={}", p + 1);
                let r = Request {
                    host: HOST,
                    remote: "192.0.2.61",
                    user: "migration-editeur",
                    method: "GET",
                    url: &url,
                    status: 200,
                    bytes: 90_000,
                    agent: "migration/2.1",
                    forwarded: "-",
                    id: "-",
                    ms: 4_000,
                };
                w.put(s, 2, t0 + p * 5_000, Mark::default(), &r);
            }
            let k = s.session(
                "web:migration-editeur",
                "app",
                "vendor",
                t0,
                t0 + pages * 5_000,
            );
            s.ledger.sessions[k].address = Some("192.0.2.61".into());
            s.ledger.sessions[k].sources = vec!["web".into()];
        }
        for (start, i, part, parts) in schedule
            .iter()
            .filter(|x| civil::local_day(x.0) == day)
            .copied()
            .collect::<Vec<_>>()
        {
            let address = addresses[plot.below(3) as usize].clone();
            let list = &by_est[s.world.staff[i].est as usize];
            let (a, b) = (list.len() * part / parts, list.len() * (part + 1) / parts);
            harvest(s, &w, i, &address, start, &list[a..b], &mut plot);
        }
    });
    s.ledger.must_refuse.insert("no_health_data");
    // Each request names one person; who is registered with three practices or more is asked for again and may be called targeted.
    let mut asked: BTreeMap<u32, (BTreeSet<u32>, BTreeSet<i64>)> = BTreeMap::new();
    for t in &s.ledger.touches {
        let a = asked.entry(t.person).or_default();
        a.0.insert(t.session);
        a.1.insert(civil::local_day(t.t));
    }
    for (person, (sessions, days)) in asked {
        if sessions.len() >= 3 || days.len() >= 3 {
            s.ledger.targeted.push((person, false));
        }
    }
    let untouched: Vec<String> = s
        .world
        .ests
        .iter()
        .enumerate()
        .filter(|(e, _)| !est_used.contains(&(*e as u8)))
        .map(|(_, e)| e.id.clone())
        .collect();
    s.ledger.tests.insert("untouched".into(), untouched.into());
    s.ledger
        .tests
        .insert("fully_enumerable".into(), true.into());
    s.finish(
        r,
        "a departed doctor's account and its siblings on a web application",
    )
}

#[allow(clippy::too_many_arguments)]
fn visit(
    s: &mut Stage,
    w: &Wires,
    i: usize,
    address: &str,
    start: Ms,
    n: usize,
    list: &[u32],
    listed: bool,
    rng: &mut Rng,
) {
    if list.is_empty() || start + n as i64 * 4 * MIN > s.to {
        return;
    }
    let p = s.world.staff[i].clone();
    let (agent, user) = (AGENTS[p.agent as usize], p.login.clone());
    let req = |method: &'static str, url: &str, status, bytes| Request {
        host: HOST,
        remote: address,
        user: "",
        method,
        url: "",
        status,
        bytes,
        agent,
        forwarded: "-",
        id: "-",
        ms: 40 + url.len() as u64,
    };
    let mut t = start;
    let m = Mark::default();
    w.put(
        s,
        p.est,
        t,
        m,
        &Request {
            url: "/connexion",
            user: &user,
            ..req("POST", "", 302, 0)
        },
    );
    for _ in 0..n {
        t += 5_000 + rng.exp(60_000.0).min(180_000.0) as i64;
        let mut rec = *rng.pick(list);
        if s.world.records[rec as usize].created > t {
            rec = list[0];
        }
        let ipp = s.world.records[rec as usize].ipp;
        let url = format!(
            "/cabinet/{}/patient/{ipp}/{}",
            p.est + 1,
            if rng.chance(0.6) {
                "dossier"
            } else {
                "administratif"
            }
        );
        w.put(
            s,
            p.est,
            t,
            m,
            &Request {
                url: &url,
                user: &user,
                ..req("GET", "", 200, 4_000 + rng.below(9_000))
            },
        );
    }
    if listed {
        let k = s.session(&format!("web:{user}"), "app", "owner", start, t);
        s.ledger.sessions[k].address = Some(address.into());
        s.ledger.sessions[k].device = Some(agent.into());
        s.ledger.sessions[k].sources = vec![Wires::key(p.est).into()];
    }
}

/// Seventy sheets a minute, id after id; ids that no longer exist answer 404.
fn harvest(
    s: &mut Stage,
    w: &Wires,
    i: usize,
    address: &str,
    start: Ms,
    list: &[u32],
    rng: &mut Rng,
) {
    let p = s.world.staff[i].clone();
    let at = s.session(&format!("web:{}", p.login), "app", "intruder", start, start);
    let id = s.ledger.sessions[at].id;
    let agent = "Go-http-client/2.0";
    let base = |method: &'static str, status, bytes| Request {
        host: HOST,
        remote: address,
        user: &p.login,
        method,
        url: "",
        status,
        bytes,
        agent,
        forwarded: "-",
        id: "-",
        ms: 120,
    };
    let mut t = start;
    w.put(
        s,
        p.est,
        t,
        Mark {
            tag: 0,
            session: id,
        },
        &Request {
            url: "/connexion",
            ..base("POST", 302, 0)
        },
    );
    for rec in list {
        // Two in five practices' patients are left aside by chance of the thief's patience.
        if rng.chance(0.3) {
            continue;
        }
        t += ((600 + rng.range(0, 500)) as f64 * s.patience) as i64;
        let r = s.world.records[*rec as usize].clone();
        if rng.chance(0.01) {
            let url = format!(
                "/cabinet/{}/patient/{}/administratif",
                p.est + 1,
                r.ipp + 2_000_000
            );
            w.put(
                s,
                p.est,
                t,
                Mark {
                    tag: 0,
                    session: id,
                },
                &Request {
                    url: &url,
                    ..base("GET", 404, 312)
                },
            );
            t += 700;
        }
        let url = format!("/cabinet/{}/patient/{}/administratif", p.est + 1, r.ipp);
        if r.created > t {
            w.put(
                s,
                p.est,
                t,
                Mark {
                    tag: 0,
                    session: id,
                },
                &Request {
                    url: &url,
                    ..base("GET", 404, 312)
                },
            );
            continue;
        }
        let group = s.ledger.group();
        let mut tags = [0, 0];
        for tag in tags.iter_mut().take(1 + usize::from(rng.chance(0.15))) {
            *tag = s.sink.tag();
            w.put(
                s,
                p.est,
                t,
                Mark {
                    tag: *tag,
                    session: id,
                },
                &Request {
                    url: &url,
                    ..base("GET", 200, 5_200 + rng.below(900))
                },
            );
            t += 650 + rng.range(0, 300);
        }
        s.ledger.page(group, tags);
        let mut cats = s.world.shown(*rec, t);
        cats.insert(Category::CoverRights);
        let optional = s
            .world
            .implied(*rec)
            .union(CategorySet::of(&[Category::FreeText]));
        let enumerable = s.world.settled(*rec, t);
        s.ledger.touches.push(Touch {
            person: r.person,
            est: u16::from(r.est),
            cats,
            optional,
            level: Level::Consulted,
            t,
            session: id,
            group,
            enumerable,
        });
    }
    let k = &mut s.ledger.sessions[at];
    k.to = civil::iso(t.min(s.to));
    k.address = Some(address.into());
    k.device = Some(agent.into());
}
