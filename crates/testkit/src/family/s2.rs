//! Usurped professionals on a regional identity server: ten accounts, three waves, searches by prefix of the name and birth years.
use super::{Stage, shift_start};
use crate::Recipe;
use crate::civil::{self, DAY, HOUR, MIN, Ms};
use crate::log::{self, Access, Flow, Forti, Keycloak, Login, Request, What};
use crate::out::Mark;
use crate::rng::Rng;
use crate::truth::{Level, TClaim, TGap, Touch, Truth};
use crate::world::{AGENTS, Plan, Role, capital};
use ampleur_event::{Category, category::CategorySet};
use std::io;
use std::path::Path;

const HOST: &str = "identite.regis.example";
const INSIDE: &str = "10.70.200.10";

struct Wires {
    proxy: usize,
    audit: usize,
    idp: Keycloak,
    edge: Forti,
    totals: bool,
}

/// One visit of one account: login, requests, flow.
struct Visit<'a> {
    staff: usize,
    address: &'a str,
    agent: &'a str,
    start: Ms,
    /// 0 when the session is nobody's.
    session: u32,
}

pub(super) fn play(r: &Recipe, case: &Path) -> io::Result<Truth> {
    let scale = r.scale.max(0.0005);
    let mut s = Stage::new(r, case, |from, to| Plan {
        establishments: ((4.0 + 40.0 * scale) as usize).min(23),
        persons: ((450_000.0 * scale) as usize).clamp(800, 2_000_000),
        staff: ((50.0 + 2_500.0 * scale) as usize).min(20_000),
        from,
        to,
        kind: "CH",
        churn: 0.0006,
        several: 0.1,
    });
    let days = (s.to - s.from) / DAY;
    let first = civil::local_day(s.from);
    // Fourteen days of audit: the cut falls inside the first wave.
    let kept = civil::day_start(first + days - 14);
    let proxy = s.source("proxy", "acces", "log", "http-access", 1, None, &format!("layout = '{}'\ntells = [\"ID.*\", \"CONTACT.*\", \"COVER.*\", \"CARE.*\", \"HEALTH.*\", \"FIN.*\", \"FREE.*\"]\nheartbeat_s = 120", log::EXTENDED));
    let audit = s.source(
        "audit",
        "auditevent",
        "ndjson",
        "fhir-auditevent",
        1,
        Some(kept),
        "tells = [\"ID.*\", \"CONTACT.*\"]\nshows_results = false",
    );
    let idp = s.source(
        "idp",
        "keycloak",
        "json",
        "keycloak",
        7,
        None,
        "timezone = \"UTC\"\naccounts = \"rpps\"",
    );
    let edge = s.source(
        "edge",
        "pare-feu",
        "log",
        "fortinet-fortigate",
        7,
        None,
        "heartbeat_s = 300",
    );
    s.heartbeat = vec!["proxy", "edge"];
    let mut w = Wires {
        proxy,
        audit,
        idp: Keycloak {
            source: idp,
            realm: "regis",
            client: "portail-pro",
            site: HOST.into(),
        },
        edge: Forti::new(edge, "PF-DMZ-A"),
        totals: !s.seed.is_multiple_of(3),
    };
    s.snapshots(3);
    let everyone: Vec<usize> = (0..s.world.staff.len()).collect();
    s.persons_toml(everyone.iter().copied().take(400), &["rpps", "ad"], |_| {
        None
    });

    // Who plays what.
    let of = |s: &Stage, role: Role, n: usize, skip: usize| -> Vec<usize> {
        (0..s.world.staff.len())
            .filter(|i| s.world.staff[*i].role == role)
            .skip(skip)
            .take(n)
            .collect()
    };
    let mut bad = of(&s, Role::Doctor, 4, 1);
    bad.extend(of(&s, Role::Nurse, 3, 2));
    bad.extend(of(&s, Role::Social, 3, 0));
    let clerk = of(&s, Role::Clerk, 1, 0)[0];
    let congress = of(&s, Role::Doctor, 1, 6)[0];
    let home = of(&s, Role::Nurse, 1, 8)[0];
    for (k, i) in bad.iter().chain([&clerk, &congress, &home]).enumerate() {
        let (rpps, est) = (
            s.world.staff[*i].rpps.clone(),
            s.world.staff[*i].est as usize,
        );
        let egress = s.world.ests[est].egress.clone();
        if *i != home {
            s.line(&format!("\n[[account]]\nname = \"rpps:{rpps}\"\nkind = \"professional\"\nnetworks = [\"{egress}/32\"]"));
        }
        if k < bad.len() {
            for e in s.world.ests.clone() {
                s.line(&format!(
                    "\n[[rights]]\naccount = \"rpps:{rpps}\"\npopulation = \"{}\"",
                    e.id
                ));
            }
        }
    }
    let away = first + 11;
    let login = s.world.staff[congress].login.clone();
    s.line(&format!(
        "\n[[absence]]\nperson = \"p:{login}\"\nfrom = {}\nto = {}",
        civil::date_text(away),
        civil::date_text(away + 3)
    ));
    let search = "categories = [\"ID.NAME\", \"ID.SEX\", \"ID.DOB\", \"ID.LOCAL\", \"ID.NIR\", \"CONTACT.PHONE\", \"CONTACT.EMAIL\", \"CONTACT.POSTAL\"]";
    s.line(&format!("\n[[endpoint]]\nmatch = {{ host = \"{HOST}\", method = \"GET\", path = \"/r4/Patient*\" }}\n{search}"));
    s.line(&format!("\n[[endpoint]]\nmatch = {{ host = \"{HOST}\", method = \"POST\", path = \"/r4/Patient/_search\" }}\n{search}"));
    for (kind, cats) in [
        (
            "DocumentReference",
            "\"HEALTH.DOC\", \"CARE.DATE\", \"CARE.PRO\", \"CARE.UNIT\"",
        ),
        ("Observation", "\"HEALTH.RESULT\", \"CARE.DATE\""),
        (
            "Encounter",
            "\"CARE.DATE\", \"CARE.UNIT\", \"CARE.PLACE\", \"CARE.REASON\", \"HEALTH.STATE\"",
        ),
    ] {
        s.line(&format!("\n[[endpoint]]\nmatch = {{ host = \"{HOST}\", method = \"GET\", path = \"/r4/{kind}/*\" }}\ncategories = [{cats}]"));
    }
    let boast = s.world.persons.len() * 5;
    s.line(&format!("\n[[claim]]\ntext = \"{boast} dossiers médicaux de la région\"\nsubjects = {boast}\ncategories = [\"HEALTH.*\"]"));
    s.ledger.claims.push(TClaim {
        text: format!("{boast} dossiers médicaux de la région"),
        expect: "refuted".into(),
    });

    for i in &bad {
        let p = &s.world.staff[*i];
        let (a, al) = (
            format!("rpps:{}", p.rpps),
            vec![p.uuid.clone(), p.login.clone(), p.rpps.clone()],
        );
        s.ledger.account(&a, "professional", "usurped", al, "");
    }
    for (i, note) in [
        (clerk, "identity-vigilance clerk"),
        (congress, "congress in Lisbon"),
        (home, "care home on a mobile network"),
    ] {
        let p = &s.world.staff[i];
        let (a, al) = (
            format!("rpps:{}", p.rpps),
            vec![p.uuid.clone(), p.login.clone(), p.rpps.clone()],
        );
        s.ledger.account(&a, "professional", "clean", al, note);
    }

    // The waves: days counted from the start, chosen so that the cut is inside the first.
    let mut plot = s.rng.fork(7);
    let searches = ((41_000.0 * scale) as usize).max(120);
    let waves = [days - 16, days - 10, days - 4];
    let total_sessions = (searches / 400).max(14);
    let mut schedule: Vec<(Ms, usize, usize)> = Vec::new();
    for k in 0..total_sessions {
        let day = first + waves[k % 3] + (k / 3 % 3) as i64;
        let start = if plot.chance(0.6) {
            civil::at(day, 1, 0) + plot.range(0, 4 * HOUR)
        } else {
            civil::at(day, 9, 0) + plot.range(0, 8 * HOUR)
        };
        schedule.push((
            start,
            bad[k % bad.len()],
            searches / total_sessions + usize::from(k < searches % total_sessions),
        ));
    }
    schedule.sort();
    let mut addresses: Vec<String> = (0..8)
        .map(|_| format!("198.18.{}.{}", 128 + plot.below(120), 1 + plot.below(250)))
        .collect();
    addresses.push(format!("198.19.{}.{}", plot.below(60), 1 + plot.below(250)));
    addresses.push(format!("198.51.100.{}", 1 + plot.below(250)));
    let tool = [
        "python-requests/2.32.3",
        "okhttp/4.12.0",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/124.0.0.0 Safari/537.36",
    ][(s.seed % 3) as usize];
    let prefixes = s.world.prefixes(3);
    let per = s.world.records.len() as f64 / (prefixes.len() as f64 * 75.0);
    let span = (4.4 / per).ceil().clamp(1.0, 25.0) as i64;
    let mut grid: Vec<(String, i64)> = prefixes
        .iter()
        .flat_map(|p| (0..(96 / span)).map(move |k| (p.clone(), 1930 + k * span)))
        .collect();
    plot.shuffle(&mut grid);
    let mut cell = 0;

    let plan_day = |t: Ms| civil::local_day(t);
    s.each_day(|s, day, from, to| {
        w.edge.heartbeats(&mut s.sink, from, to);
        let mut t = from + 11_000;
        while t < to {
            let r = Request {
                host: HOST,
                remote: "10.70.200.5",
                user: "-",
                method: "GET",
                url: "/sante/etat",
                status: 200,
                bytes: 15,
                agent: "sonde/1.4",
                forwarded: "-",
                id: "-",
                ms: 1,
            };
            log::nginx_extended(&mut s.sink, w.proxy, t, Mark::default(), &r);
            t += MIN;
        }
        let mut rng = s.rng.fork(1000 + day as u64);
        // Everybody's ordinary work.
        for i in 0..s.world.staff.len() {
            let nights = s.world.staff[i].role == Role::Nurse && (i as i64 + day) % 5 == 0;
            let works = if civil::weekday(day) >= 5 { 0.2 } else { 0.62 };
            if i == congress && (away..=away + 3).contains(&day) || !rng.chance(works) {
                continue;
            }
            let start = shift_start(&mut rng, day, nights);
            let (agent, est) = (
                AGENTS[s.world.staff[i].agent as usize],
                s.world.staff[i].est as usize,
            );
            let address = if i == home {
                format!("198.18.{}.{}", 64 + rng.below(60), 1 + rng.below(250))
            } else if rng.chance(0.06) {
                s.world.staff[i].home_ip.clone()
            } else {
                s.world.ests[est].egress.clone()
            };
            let n = if i == clerk {
                ((3_000.0 * scale / 18.0) as usize).max(6)
            } else {
                2 + rng.below(9) as usize
            };
            let listed = bad.contains(&i) || [clerk, congress, home].contains(&i);
            let v = Visit {
                staff: i,
                address: &address,
                agent: if i == home { AGENTS[4] } else { agent },
                start,
                session: 0,
            };
            ordinary(s, &mut w, &v, n, listed, &mut rng);
        }
        if (away..=away + 2).contains(&day) {
            let address = "198.19.131.24";
            let v = Visit {
                staff: congress,
                address,
                agent: AGENTS[s.world.staff[congress].agent as usize],
                start: civil::at(day, 18, 0) + rng.range(0, 3 * HOUR),
                session: 0,
            };
            ordinary(s, &mut w, &v, 4, true, &mut rng);
        }
        if rng.chance(0.4) {
            let p = &s.world.staff[rng.below(s.world.staff.len() as u64) as usize];
            let k = Login {
                user: &p.rpps,
                uuid: &p.uuid,
                session: "",
                address: &p.home_ip,
            };
            w.idp.refused(&mut s.sink, civil::at(day, 9, 0), &k);
        }
        // The intruder.
        for (start, who, n) in schedule
            .iter()
            .filter(|x| plan_day(x.0) == day)
            .cloned()
            .collect::<Vec<_>>()
        {
            let address = addresses[plot.below(addresses.len() as u64) as usize].clone();
            let end = robot(
                s,
                &mut w,
                (who, &address, tool, start),
                n,
                &grid,
                &mut cell,
                span,
                &mut plot,
            );
            if plot.chance(0.4) {
                // The owner works in the same minutes, from the usual place.
                let est = s.world.staff[who].est as usize;
                let egress = s.world.ests[est].egress.clone();
                let v = Visit {
                    staff: who,
                    address: &egress,
                    agent: AGENTS[s.world.staff[who].agent as usize],
                    start: start + (end - start) / 3,
                    session: 0,
                };
                ordinary(s, &mut w, &v, 5, true, &mut plot);
            }
        }
    });
    // One person was asked for by full name and birth date, on three different days.
    let lost = s.sink.rotated.get(&w.audit).copied().unwrap_or(0);
    s.ledger.gaps.push(TGap {
        source: "audit".into(),
        files: Some("logs/audit/*".into()),
        from: civil::iso(s.from),
        to: civil::iso(kept),
        kind: "rotation".into(),
        lost: Some(lost),
        detectable: true,
        partial: false,
        required: Some(true),
        why: "fourteen days of audit are kept: part of the first wave is gone".into(),
    });
    for e in &s.world.ests {
        s.ledger.exposed.push(serde_json::json!({"establishment": e.id, "categories": ["ID.NAME", "ID.SEX", "ID.DOB", "ID.LOCAL", "ID.NIR", "CONTACT.PHONE", "CONTACT.EMAIL", "CONTACT.POSTAL"], "subjects": "population", "why": "searches whose criteria are gone could have returned anybody"}));
    }
    s.ledger
        .must_hold
        .insert("no_health_data", vec!["proxy".into()]);
    for c in ["list_complete", "unaffected_can_be_told"] {
        s.ledger.must_refuse.insert(c);
    }
    s.ledger.tests.insert("searches".into(), searches.into());
    s.ledger.tests.insert("cut".into(), civil::iso(kept).into());
    s.finish(r, "usurped professionals on a regional identity server")
}

/// One request at the proxy, its audit record beside it; returns the proofs (audit, proxy if it shows the criteria).
#[allow(clippy::too_many_arguments)]
fn request(
    s: &mut Stage,
    w: &Wires,
    v: &Visit<'_>,
    t: Ms,
    token: &str,
    method: &str,
    url: &str,
    what: Option<What<'_>>,
    status: u16,
    bytes: u64,
    rid: &str,
) -> [u32; 2] {
    let mine = v.session != 0;
    let tags = if mine {
        [s.sink.tag(), if method == "GET" { s.sink.tag() } else { 0 }]
    } else {
        [0, 0]
    };
    let p = &s.world.staff[v.staff];
    let inside = v.address.starts_with("203.");
    let forwarded = if inside { p.pc_ip.as_str() } else { "-" };
    let r = Request {
        host: HOST,
        remote: v.address,
        user: "-",
        method,
        url,
        status,
        bytes,
        agent: v.agent,
        forwarded,
        id: rid,
        ms: 20 + bytes / 900,
    };
    log::nginx_extended(
        &mut s.sink,
        w.proxy,
        t,
        Mark {
            tag: tags[1],
            session: v.session,
        },
        &r,
    );
    if let Some(what) = what {
        let a = Access {
            site: "REGIS",
            server: HOST,
            client: "portail-pro",
            address: v.address,
            user: &p.rpps,
            display: &p.display,
            token,
            request: rid,
            what,
        };
        log::audit_event(
            &mut s.sink,
            w.audit,
            t + 6,
            Mark {
                tag: tags[0],
                session: v.session,
            },
            &a,
        );
    }
    tags
}

fn flow(s: &mut Stage, w: &mut Wires, v: &Visit<'_>, end: Ms, sent: u64, received: u64) {
    let port = 40_000 + (v.start % 20_000) as u16;
    let f = Flow {
        src: (v.address, port),
        dst: (INSIDE, 443),
        service: "HTTPS",
        seconds: ((end - v.start) / 1000) as u64,
        sent,
        received,
        user: None,
        hidden: None,
    };
    w.edge.flow(
        &mut s.sink,
        end,
        Mark {
            tag: 0,
            session: v.session,
        },
        &f,
    );
}

fn open(s: &mut Stage, w: &Wires, v: &Visit<'_>, rng: &mut Rng) -> (String, String) {
    let (sid, token) = (rng.uuid(), rng.uuid());
    let p = &s.world.staff[v.staff];
    let k = Login {
        user: &p.rpps,
        uuid: &p.uuid,
        session: &sid,
        address: v.address,
    };
    w.idp.login(
        &mut s.sink,
        v.start,
        Mark {
            tag: 0,
            session: v.session,
        },
        &k,
        &token,
    );
    (sid, token)
}

/// A professional's own work: look somebody up by full traits, open the record, read a result.
fn ordinary(s: &mut Stage, w: &mut Wires, v: &Visit<'_>, n: usize, listed: bool, rng: &mut Rng) {
    if v.start + n as i64 * 4 * MIN >= s.to || v.start < s.from {
        return;
    }
    let (sid, token) = open(s, w, v, rng);
    let est = s.world.staff[v.staff].est;
    let (mut t, mut received) = (v.start + 900, 4_000);
    for _ in 0..n {
        t += 4_000 + rng.exp(70_000.0).min(200_000.0) as i64;
        let mut rec = rng.below(s.world.records.len() as u64) as u32;
        for _ in 0..6 {
            if s.world.records[rec as usize].est == est && s.world.records[rec as usize].created < t
            {
                break;
            }
            rec = rng.below(s.world.records.len() as u64) as u32;
        }
        let p = s.world.persons[s.world.records[rec as usize].person as usize].clone();
        let family = crate::world::FAMILIES[p.family as usize];
        let criteria = format!(
            "family={}&given={}&birthdate={}",
            url(&capital(family)),
            url(&capital(s.world.given(&p))),
            civil::date_text(i64::from(p.birth))
        );
        let hits = s
            .world
            .search(&crate::world::fold(family), p.birth..p.birth + 1, t)
            .len();
        let rid = format!("{:016x}", rng.bits());
        let line = format!("GET https://{HOST}/r4/Patient?{criteria}");
        let target = format!("/r4/Patient?{criteria}");
        let total = w.totals.then_some(hits);
        request(
            s,
            w,
            v,
            t,
            &token,
            "GET",
            &target,
            Some(What::Search {
                line: &line,
                body: "",
                total,
            }),
            200,
            700 + 2_100 * hits as u64,
            &rid,
        );
        received += 700 + 2_100 * hits as u64;
        if rng.chance(0.7) {
            t += 2_500 + rng.exp(6_000.0) as i64;
            let id = s.world.fhir_id(rec);
            let rid = format!("{:016x}", rng.bits());
            let resource = format!("Patient/{id}");
            request(
                s,
                w,
                v,
                t,
                &token,
                "GET",
                &format!("/r4/Patient/{id}"),
                Some(What::Read {
                    resource: &resource,
                    patient: &id,
                }),
                200,
                2_100,
                &rid,
            );
            if rng.chance(0.3) {
                t += 3_000 + rng.exp(9_000.0) as i64;
                let kind = ["Observation", "DocumentReference", "Encounter"][rng.below(3) as usize];
                let resource = format!("{kind}/{:010x}", rng.bits() & 0xff_ffff_ffff);
                let rid = format!("{:016x}", rng.bits());
                request(
                    s,
                    w,
                    v,
                    t,
                    &token,
                    "GET",
                    &format!("/r4/{resource}"),
                    Some(What::Read {
                        resource: &resource,
                        patient: &id,
                    }),
                    200,
                    900 + rng.below(9_000),
                    &rid,
                );
            }
        }
    }
    let end = t + 5_000;
    if rng.chance(0.5) {
        let p = &s.world.staff[v.staff];
        let k = Login {
            user: &p.rpps,
            uuid: &p.uuid,
            session: &sid,
            address: v.address,
        };
        w.idp.logout(&mut s.sink, end, Mark::default(), &k);
    }
    flow(s, w, v, end, 900 * n as u64, received);
    if listed {
        let (account, start) = (format!("rpps:{}", s.world.staff[v.staff].rpps), v.start);
        let k = s.session(&account, "regis", "owner", start, end);
        let k = &mut s.ledger.sessions[k];
        k.address = Some(v.address.to_string());
        k.device = Some(v.agent.to_string());
        k.sources = ["audit", "edge", "idp", "proxy"].map(String::from).to_vec();
    }
}

/// The robot: prefix and years, page after page. Returns its end.
#[allow(clippy::too_many_arguments)]
fn robot(
    s: &mut Stage,
    w: &mut Wires,
    (who, address, tool, start): (usize, &str, &str, Ms),
    n: usize,
    grid: &[(String, i64)],
    cell: &mut usize,
    span: i64,
    rng: &mut Rng,
) -> Ms {
    let account = format!("rpps:{}", s.world.staff[who].rpps);
    let at = s.session(&account, "regis", "intruder", start, start);
    let id = s.ledger.sessions[at].id;
    let v = Visit {
        staff: who,
        address,
        agent: tool,
        start,
        session: id,
    };
    let (_, token) = open(s, w, &v, rng);
    let count = [10usize, 20, 5][(s.seed % 3) as usize];
    let post = rng.chance(0.5);
    let (mut t, mut received) = (start + 2_000, 3_000);
    for k in 0..n {
        t += ((4_000 + rng.range(0, 5_000)) as f64 * s.patience) as i64
            + if rng.chance(0.02) {
                rng.range(60_000, 400_000)
            } else {
                0
            };
        let (prefix, year) = &grid[*cell % grid.len()];
        *cell += 1;
        let last = year + span;
        let (a, b) = (
            civil::days_from_civil(*year, 1, 1) as i32,
            civil::days_from_civil(last, 1, 1) as i32,
        );
        let family = capital(prefix);
        let criteria = if span == 1 && k % 2 == 0 {
            format!("family={family}&birthdate={year}")
        } else {
            format!("family={family}&birthdate=ge{year}-01-01&birthdate=lt{last}-01-01")
        };
        let rid = format!("{:016x}", rng.bits());
        if rng.chance(0.015) {
            // The server gave up: nobody was returned, nothing was audited.
            let target = if post {
                "/r4/Patient/_search".into()
            } else {
                format!("/r4/Patient?{criteria}&_count={count}")
            };
            request(
                s,
                w,
                &v,
                t,
                &token,
                if post { "POST" } else { "GET" },
                &target,
                None,
                503,
                190,
                &rid,
            );
            continue;
        }
        let hits = s.world.search(prefix, a..b, t);
        let pages = hits.len().div_ceil(count).max(1);
        let seen = if pages > 1 && rng.chance(0.05) {
            1
        } else {
            pages
        };
        let group = s.ledger.group();
        for page in 0..seen {
            let here = hits.len().saturating_sub(page * count).min(count) as u64;
            let more = if page == 0 {
                format!("&_count={count}")
            } else {
                format!("&_count={count}&page={}", page + 1)
            };
            let rid = if page == 0 {
                rid.clone()
            } else {
                format!("{:016x}", rng.bits())
            };
            let total = w.totals.then_some(hits.len());
            let full = format!("{criteria}{more}");
            let bytes = 690 + 2_100 * here + rng.below(300 * here + 1);
            received += bytes;
            let tags = if post {
                let line = format!("POST https://{HOST}/r4/Patient/_search");
                request(
                    s,
                    w,
                    &v,
                    t,
                    &token,
                    "POST",
                    "/r4/Patient/_search",
                    Some(What::Search {
                        line: &line,
                        body: &full,
                        total,
                    }),
                    200,
                    bytes,
                    &rid,
                )
            } else {
                let line = format!("GET https://{HOST}/r4/Patient?{full}");
                request(
                    s,
                    w,
                    &v,
                    t,
                    &token,
                    "GET",
                    &format!("/r4/Patient?{full}"),
                    Some(What::Search {
                        line: &line,
                        body: "",
                        total,
                    }),
                    200,
                    bytes,
                    &rid,
                )
            };
            s.ledger.page(group, tags);
            t += 1_500 + rng.range(0, 1_500);
        }
        for rec in hits.iter().take(seen * count) {
            touch(s, *rec, t, id, group, seen == pages);
        }
    }
    let end = t + 4_000;
    flow(s, w, &v, end, 800 * n as u64, received);
    let k = &mut s.ledger.sessions[at];
    k.to = civil::iso(end.min(s.to));
    k.address = Some(address.to_string());
    k.device = Some(tool.to_string());
    end
}

fn touch(s: &mut Stage, rec: u32, t: Ms, session: u32, group: u32, whole: bool) {
    let r = &s.world.records[rec as usize];
    let cats = s.world.shown(rec, t);
    let touch = Touch {
        person: r.person,
        est: u16::from(r.est),
        cats,
        optional: s
            .world
            .implied(rec)
            .union(CategorySet::of(&[Category::CareExistence])),
        level: Level::Consulted,
        t,
        session,
        group,
        enumerable: whole && s.world.settled(rec, t),
    };
    s.ledger.touches.push(touch);
}

/// Percent-encodes what a browser would.
fn url(s: &str) -> String {
    let mut o = String::new();
    for b in s.bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'\'' => {
                o.push(b as char)
            }
            _ => o.push_str(&format!("%{b:02X}")),
        }
    }
    o
}
