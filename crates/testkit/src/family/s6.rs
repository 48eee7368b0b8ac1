//! A professional's VPN account bought from a broker, two months of slow steps, spreadsheets and bank files taken, then encryption
//! on a Sunday night. The directory keeps seven days, the firewall was wiped for some hours, the VPN clock is 47 minutes fast.
use super::Stage;
use super::office::{self, Item, Office, Shelf, sha};
use crate::civil::{self, HOUR, MIN, Ms};
use crate::log::{Flow, Tunnel, Who};
use crate::out::Mark;
use crate::rng::Rng;
use crate::truth::{Level, TClaim, TGap, Truth};
use crate::world::Role;
use crate::{Pathology, Recipe};
use ampleur_event::category::CategorySet;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// Seconds the VPN gateway is fast.
const FAST: i64 = 47 * 60;

pub(super) fn play(r: &Recipe, case: &Path) -> io::Result<Truth> {
    let scale = r.scale.max(0.001);
    let (_, to) = super::window(r);
    // The last day of the window is a Sunday's or is cut: D0 is the last Sunday of the window.
    let mut d0 = civil::local_day(to) - 2;
    while civil::weekday(d0) != 6 {
        d0 -= 1;
    }
    let mut r = r.clone();
    let wipe = (civil::at(d0 - 18, 22, 30), civil::at(d0 - 17, 2, 10));
    r.pathologies.push(Pathology::Clock {
        source: "vpn".into(),
        offset_s: FAST,
    });
    r.pathologies.push(Pathology::Erase {
        source: "fw".into(),
        from: wipe.0,
        to: wipe.1,
    });
    let r = &r;
    let mut s = Stage::new(r, case, |a, b| {
        office::plan(scale, a, b, 320_000.0, 2_500.0)
    });
    let declared = s.seed.is_multiple_of(2);
    let dc_kept = civil::day_start(civil::local_day(s.to) - 7);
    let mut o = Office::open(
        &mut s,
        Some(dc_kept),
        if declared {
            "\nclock_offset_s = -2820"
        } else {
            ""
        },
    );
    o.pace = 4;
    let est = s.world.ests[0].id.clone();
    let e = format!("establishment = \"{est}\"\ntimezone = \"UTC\"");
    let gest = s.source(
        "fs-gest",
        "Security",
        "xml",
        "windows-security",
        1,
        None,
        &format!("{e}\ntells = [\"ID.*\", \"CONTACT.*\", \"CARE.*\"]"),
    );
    let rh = s.source(
        "fs-rh",
        "Security",
        "xml",
        "windows-security",
        1,
        None,
        &format!("{e}\ntells = [\"STAFF.*\"]"),
    );
    o.files = vec![
        crate::log::Windows::new(gest, "FS-GEST"),
        crate::log::Windows::new(rh, "FS-RH"),
    ];
    s.snapshots(12);
    let doctor = s
        .world
        .staff
        .iter()
        .position(|p| p.role == Role::Doctor)
        .unwrap_or(0);
    let engineers: Vec<usize> = (0..s.world.staff.len())
        .filter(|i| s.world.staff[*i].role == Role::Engineer)
        .collect();
    let (admin, oncall) = (engineers[0], engineers[1 % engineers.len()]);
    let nurse = (0..s.world.staff.len())
        .rfind(|i| s.world.staff[*i].role == Role::Nurse)
        .unwrap_or(1);
    s.persons_toml(
        0..s.world.staff.len().min(400),
        &["ad", "vpn", "rpps"],
        |_| None,
    );
    let adm = (format!("adm.{}", s.world.staff[admin].login), 7_001u32);
    let adm2 = (format!("adm2.{}", s.world.staff[oncall].login), 7_003u32);
    for a in [&adm, &adm2] {
        s.line(&format!(
            "\n[[account]]\nname = \"ad:HOSP\\\\{}\"\nkind = \"admin\"",
            a.0
        ));
    }
    let mut rng = s.rng.fork(3);
    let shelves = shelves(&s, &o, scale, &mut rng);
    office::write_shelves(&mut s, &shelves, false)?;
    let boast = s.world.persons.len() * 4;
    let text = format!("{boast} patients avec antécédents médicaux");
    s.line(&format!(
        "\n[[claim]]\ntext = \"{text}\"\nsubjects = {boast}\ncategories = [\"HEALTH.*\"]"
    ));
    s.ledger.claims.push(TClaim {
        text,
        expect: "refuted".into(),
    });

    // D-58 first try, then every few days; D-23 administrator; D-19..D-17 theft; D0 02:00 encryption.
    let first = civil::local_day(s.from);
    let address = [
        format!("198.19.{}.{}", rng.below(60), 1 + rng.below(250)),
        format!("198.51.100.{}", 1 + rng.below(250)),
    ];
    let mut nights: Vec<i64> = vec![58, 55, 51, 46, 40, 35, 30, 26, 23, 19, 18, 17, 11, 6, 2, 0];
    nights.retain(|b| d0 - b >= first);
    let mut loot: Vec<(i64, usize, usize)> = Vec::new();
    for (k, f) in shelves.iter().enumerate() {
        for i in 0..f.items.len() {
            if rng.chance([0.62, 0.7][k]) {
                loot.push((19 - rng.below(3) as i64, k, i));
            }
        }
    }
    let leak = publish(&mut s, &shelves, &loot, &mut rng)?;

    s.each_day(|s, day, _, _| {
        let mut rng = s.rng.fork(4000 + day as u64);
        o.day(s, day, &mut rng, &|i| {
            i == oncall && day == d0 || i == nurse && (day == d0 || day == d0 - 1)
        });
        let m = Mark::default();
        // The owner of the stolen account works from home now and then.
        if rng.chance(0.25) && civil::weekday(day) < 5 {
            owner_home(
                s,
                &mut o,
                doctor,
                civil::at(day, 18, 10) + rng.range(0, HOUR),
                &mut rng,
            );
        }
        // The administrator uses the same administrator account from the own desk.
        if rng.chance(0.4) && civil::weekday(day) < 5 {
            let t = civil::at(day, 10, 0) + rng.range(0, 5 * HOUR);
            let ip = s.world.staff[admin].pc_ip.clone();
            let who = Who {
                name: &adm.0,
                rid: adm.1,
                logon: o.files[0].new_logon(),
            };
            o.files[0].logon(&mut s.sink, t, m, &who, 3, (&ip, "-"), "Kerberos");
            o.files[0].privileges(&mut s.sink, t + 5, m, &who);
            o.files[0].logoff(&mut s.sink, t + 20 * MIN, m, &who, 3);
            o.dc.ticket(&mut s.sink, t - 900, m, (&adm.0, adm.1), &ip);
            let k = s.session(
                &format!("ad:HOSP\\{}", adm.0),
                "FS-GEST",
                "owner",
                t,
                t + 20 * MIN,
            );
            s.ledger.sessions[k].address = Some(ip);
            s.ledger.sessions[k].sources = vec!["fs-gest".into()];
        }
        if day == d0 {
            // The engineer on call connects when the alarms ring; the night nurse is at work while files are encrypted.
            let t = civil::at(day, 2, 34);
            let p = s.world.staff[oncall].clone();
            let inner = o.lend(t, t + 3 * HOUR);
            let k = Tunnel {
                id: 5_555_111,
                user: p.login.clone(),
                group: "VPN-AGENTS",
                remote: p.home_ip.clone(),
                inner: inner.clone(),
                up: t,
                down: t + 3 * HOUR,
                sent: 8_000_000,
                received: 2_000_000,
            };
            o.vpn.tunnel(&mut s.sink, m, &k);
            let who = Who {
                name: &adm2.0,
                rid: adm2.1,
                logon: o.files[0].new_logon(),
            };
            o.files[0].logon(
                &mut s.sink,
                t + 4 * MIN,
                m,
                &who,
                3,
                (&inner, "-"),
                "Kerberos",
            );
            o.files[0].logoff(&mut s.sink, t + 2 * HOUR, m, &who, 3);
            o.dc.ticket(&mut s.sink, t + 3 * MIN, m, (&adm2.0, adm2.1), &inner);
            let a = s.session(
                &format!("vpn:{}", p.login),
                "vpn",
                "oncall",
                t,
                t + 3 * HOUR,
            );
            s.ledger.sessions[a].address = Some(p.home_ip.clone());
            s.ledger.sessions[a].inner = Some(inner.clone());
            s.ledger.sessions[a].sources = vec!["vpn".into()];
            let b = s.session(
                &format!("ad:HOSP\\{}", adm2.0),
                "FS-GEST",
                "oncall",
                t + 4 * MIN,
                t + 2 * HOUR,
            );
            s.ledger.sessions[b].address = Some(inner);
            s.ledger.sessions[b].sources = vec!["fs-gest".into()];
            let at = civil::at(day - 1, 21, 0);
            o.work(
                s,
                nurse,
                at.max(s.from),
                civil::at(day, 6, 30),
                false,
                &mut rng,
            );
        }
        for back in nights
            .iter()
            .filter(|b| d0 - **b == day)
            .copied()
            .collect::<Vec<_>>()
        {
            let start = if back == 0 {
                civil::at(day, 1, 5)
            } else {
                civil::at(day, 22, 40) + rng.range(0, 40 * MIN)
            };
            night(
                s,
                &mut o,
                &shelves,
                &loot,
                Night {
                    back,
                    start,
                    doctor,
                    adm: &adm,
                    address: &address[(back % 2) as usize],
                },
                &mut rng,
            );
        }
    });
    for (f, i, t) in leak {
        office::taken(
            &mut s,
            &shelves[f],
            &shelves[f].items[i],
            Level::Leaked,
            t,
            0,
            0,
            true,
        );
    }
    let login = s.world.staff[doctor].login.clone();
    s.ledger.account(
        &format!("vpn:{login}"),
        "professional",
        "usurped",
        vec![],
        "",
    );
    s.ledger.account(
        &format!("ad:HOSP\\{login}"),
        "professional",
        "usurped",
        vec![],
        "",
    );
    s.ledger.account(
        &format!("ad:HOSP\\{}", adm.0),
        "admin",
        "usurped",
        vec![],
        "",
    );
    s.ledger.account(
        &format!("ad:HOSP\\{}", adm2.0),
        "admin",
        "clean",
        vec![],
        "engineer on call",
    );
    for (i, note) in [(oncall, "engineer on call"), (nurse, "night nurse")] {
        let l = s.world.staff[i].login.clone();
        s.ledger
            .account(&format!("vpn:{l}"), "staff", "clean", vec![], note);
    }
    let lost = s.sink.rotated.get(&o.dc.source).copied().unwrap_or(0);
    s.ledger.gaps.push(TGap {
        source: "dc-a".into(),
        files: Some("logs/dc-a/*".into()),
        from: civil::iso(s.from),
        to: civil::iso(dc_kept),
        kind: "rotation".into(),
        lost: Some(lost),
        detectable: true,
        partial: false,
        required: Some(true),
        why: "the domain controller keeps seven days".into(),
    });
    s.ledger
        .must_refuse
        .extend(["nothing_written", "logs_intact", "start_known"]);
    s.finish(r, "VPN account of a professional, slow theft, encryption")
}

fn shelves(s: &Stage, o: &Office, scale: f64, rng: &mut Rng) -> Vec<Shelf> {
    let set = |c: &[&str]| CategorySet::parse(c).unwrap_or_default();
    let n = s.world.persons.len() as u32;
    let who = office::patients(s, rng, ((230_000.0 * scale) as usize).max(200));
    let files = (who.len() / 60).max(8);
    let mut sheets: Vec<Item> = Vec::new();
    for k in 0..files {
        let a = k * who.len() / files;
        let b = ((k + 1) * who.len() / files + rng.below(12) as usize).min(who.len());
        let mut subjects = who[a..b].to_vec();
        subjects.sort_unstable();
        sheets.push(Item {
            path: format!("Extractions\\{}\\liste_rdv_{:04}.xlsx", 2019 + k % 6, k),
            size: 20_000 + subjects.len() as u64 * 180 + rng.below(4_000),
            sha: sha(rng.bits()),
            subjects,
        });
    }
    let mut banks = Vec::new();
    for (k, part) in (0..s.world.staff.len() as u32)
        .collect::<Vec<_>>()
        .chunks(9)
        .enumerate()
    {
        banks.push(Item {
            path: format!("Paie\\virements_{k:03}.xlsx"),
            size: 14_000 + rng.below(30_000),
            sha: sha(rng.bits()),
            subjects: part.iter().map(|i| n + i).collect(),
        });
    }
    vec![
        Shelf {
            server: "FS-GEST",
            share: "Gestion",
            root: "E:\\Donnees\\Gestion".into(),
            ip: o.ip(30, 21),
            cats: set(&[
                "ID.NAME",
                "CONTACT.PHONE",
                "CONTACT.POSTAL",
                "CARE.DATE",
                "CARE.UNIT",
            ]),
            items: sheets,
        },
        Shelf {
            server: "FS-RH",
            share: "Paie$",
            root: "E:\\Donnees\\Paie".into(),
            ip: o.ip(30, 22),
            cats: set(&["STAFF.ID", "STAFF.BANK"]),
            items: banks,
        },
    ]
}

fn publish(
    s: &mut Stage,
    shelves: &[Shelf],
    loot: &[(i64, usize, usize)],
    rng: &mut Rng,
) -> io::Result<Vec<(usize, usize, Ms)>> {
    let day = civil::local_day(s.to) + 17;
    let mut csv = String::from("path,size,sha256\n");
    let mut out = Vec::new();
    for (_, f, i) in loot {
        let it = &shelves[*f].items[*i];
        if rng.chance(0.55) {
            let _ = writeln!(
                csv,
                "{}/{},{},{}",
                shelves[*f].share.trim_end_matches('$'),
                it.path.replace('\\', "/"),
                it.size,
                if rng.chance(0.7) { it.sha.as_str() } else { "" }
            );
            out.push((*f, *i, civil::day_start(day)));
        } else if rng.chance(0.1) {
            let _ = writeln!(
                csv,
                "{}/{},{},",
                shelves[*f].share.trim_end_matches('$'),
                it.path.replace('\\', "/"),
                it.size + 11
            );
        }
    }
    s.file(
        "leak",
        &format!("{}.csv", civil::date_text(day)),
        csv.as_bytes(),
    )?;
    Ok(out)
}

fn owner_home(s: &mut Stage, o: &mut Office, i: usize, up: Ms, rng: &mut Rng) {
    let down = up + 2 * HOUR;
    o.work(s, i, up, down, true, rng);
    let (login, home) = (
        s.world.staff[i].login.clone(),
        s.world.staff[i].home_ip.clone(),
    );
    let k = s.session(&format!("vpn:{login}"), "vpn", "owner", up, down);
    s.ledger.sessions[k].address = Some(home);
    s.ledger.sessions[k].sources = vec!["vpn".into()];
}

struct Night<'a> {
    back: i64,
    start: Ms,
    doctor: usize,
    adm: &'a (String, u32),
    address: &'a str,
}

fn night(
    s: &mut Stage,
    o: &mut Office,
    shelves: &[Shelf],
    loot: &[(i64, usize, usize)],
    n: Night<'_>,
    rng: &mut Rng,
) {
    let p = s.world.staff[n.doctor].clone();
    let theft = (17..=19).contains(&n.back);
    let end = n.start
        + if theft || n.back == 0 {
            3 * HOUR
        } else {
            30 * MIN + rng.range(0, HOUR)
        };
    let inner = o.lend(n.start, end);
    let a = s.session(&format!("vpn:{}", p.login), "vpn", "intruder", n.start, end);
    let (id, chain) = (s.ledger.sessions[a].id, s.ledger.sessions[a].chain.clone());
    s.ledger.sessions[a].address = Some(n.address.into());
    s.ledger.sessions[a].inner = Some(inner.clone());
    let m = Mark {
        tag: 0,
        session: id,
    };
    let taken: Vec<(usize, usize)> = loot
        .iter()
        .filter(|l| theft && l.0 == n.back)
        .map(|l| (l.1, l.2))
        .collect();
    let moved: u64 = taken.iter().map(|(f, i)| shelves[*f].items[*i].size).sum();
    let k = Tunnel {
        id: 1_000_000 + rng.below(900_000_000),
        user: p.login.clone(),
        group: "VPN-AGENTS",
        remote: n.address.into(),
        inner: inner.clone(),
        up: n.start,
        down: end,
        sent: 4_000_000 + moved + moved / 8,
        received: 2_000_000,
    };
    o.vpn.tunnel(&mut s.sink, m, &k);
    let (name, rid) = if n.back > 23 {
        (p.login.as_str(), p.rid)
    } else {
        (n.adm.0.as_str(), n.adm.1)
    };
    o.dc.ticket(&mut s.sink, n.start + MIN, m, (name, rid), &inner);
    if n.back == 23 {
        o.fw.configured(&mut s.sink, n.start + 20 * MIN, m, name, &inner);
    }
    for (k, f) in shelves.iter().enumerate() {
        let t = n.start + (4 + 3 * k as i64) * MIN;
        let until = end - 4 * MIN;
        let c = s.session(&format!("ad:HOSP\\{name}"), f.server, "intruder", t, until);
        let sid = s.ledger.sessions[c].id;
        let mc = Mark {
            tag: 0,
            session: sid,
        };
        s.ledger.sessions[c].address = Some(inner.clone());
        s.ledger.sessions[c].chain.clone_from(&chain);
        s.ledger.sessions[c].device = Some("DESKTOP-0VH3T9B".into());
        let who = Who {
            name,
            rid,
            logon: o.files[k].new_logon(),
        };
        let w = &o.files[k];
        w.logon(
            &mut s.sink,
            t,
            mc,
            &who,
            3,
            (&inner, "DESKTOP-0VH3T9B"),
            "NTLM",
        );
        w.share(&mut s.sink, t + 400, mc, &who, &inner, f.share, &f.root);
        let mine: Vec<usize> = taken.iter().filter(|x| x.0 == k).map(|x| x.1).collect();
        let mut read = 0;
        for (j, i) in mine.iter().enumerate() {
            let item = &f.items[*i];
            read += item.size;
            let at = t + 2 * MIN + (until - t - 5 * MIN) * j as i64 / mine.len() as i64;
            let tag = s.sink.tag();
            // The payroll server audits objects, the other one detailed share access: two ways to say the same.
            if k == 0 {
                w.detailed(
                    &mut s.sink,
                    at,
                    Mark { tag, session: sid },
                    &who,
                    &inner,
                    (f.share, &f.root),
                    &item.path,
                    "0x120089",
                );
            } else {
                w.object(
                    &mut s.sink,
                    at,
                    Mark { tag, session: sid },
                    &who,
                    &format!("{}\\{}", f.root, item.path),
                    "0x1",
                    "",
                );
            }
            let group = s.ledger.group();
            s.ledger.page(group, [tag, 0]);
            office::taken(s, f, item, Level::Exfiltrated, at, sid, group, true);
        }
        if n.back == 0 {
            // Encryption: each file is written, then renamed.
            for (j, item) in f.items.iter().enumerate() {
                let at =
                    civil::at(civil::local_day(n.start), 2, 0) + j as i64 * 130 + k as i64 * 40;
                if at > until {
                    break;
                }
                let path = format!("{}\\{}", f.root, item.path);
                w.object(
                    &mut s.sink,
                    at,
                    mc,
                    &who,
                    &path,
                    "0x2",
                    "C:\\Windows\\Temp\\svch.exe",
                );
                w.object(
                    &mut s.sink,
                    at + 20,
                    mc,
                    &who,
                    &path,
                    "0x10000",
                    "C:\\Windows\\Temp\\svch.exe",
                );
            }
        }
        w.logoff(&mut s.sink, until, mc, &who, 3);
        let fl = Flow {
            src: (&inner, 50_900 + k as u16),
            dst: (&f.ip, 445),
            service: "SMB",
            seconds: ((until - t) / 1000) as u64,
            sent: 400_000,
            received: 300_000 + read,
            user: Some(&p.login),
            hidden: None,
        };
        o.fw.flow(&mut s.sink, until + 2_000, mc, &fl);
    }
}
