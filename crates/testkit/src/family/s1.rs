//! A vendor's SSL-VPN account: tunnel, remote desktop to the application server, its service account, four shares, one outflow.
use super::Stage;
use super::office::{self, Item, Office, Shelf, sha};
use crate::Recipe;
use crate::civil::{self, HOUR, MIN, Ms};
use crate::log::{Flow, Tunnel, Who, Windows};
use crate::out::Mark;
use crate::rng::Rng;
use crate::truth::{Level, TClaim, TGap, Truth};
use ampleur_event::category::CategorySet;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

const VENDOR: &str = "maint-labo";
const AD_VENDOR: (&str, u32) = ("presta.labo", 4_410);
const SERVICE: (&str, u32) = ("svc-labo", 4_420);

fn set(codes: &[&str]) -> CategorySet {
    CategorySet::parse(codes).unwrap_or_default()
}

/// What one night (or the last day) of the intruder reads: shelf and items.
struct Raid {
    start: Ms,
    end: Ms,
    address: String,
    loot: Vec<(usize, usize)>,
    look: bool,
}

pub(super) fn play(r: &Recipe, case: &Path) -> io::Result<Truth> {
    let scale = r.scale.max(0.001);
    let mut s = Stage::new(r, case, |a, b| {
        office::plan(scale, a, b, 400_000.0, 6_000.0)
    });
    let mut o = Office::open(&mut s, None, "");
    let est = s.world.ests[0].id.clone();
    let e = format!("establishment = \"{est}\"\ntimezone = \"UTC\"");
    let app = s.source(
        "app-labo",
        "Security",
        "xml",
        "windows-security",
        1,
        None,
        &e,
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
    let labo = s.source(
        "fs-labo",
        "Security",
        "xml",
        "windows-security",
        1,
        None,
        &e,
    );
    let dent = s.source(
        "fs-dent",
        "Security",
        "xml",
        "windows-security",
        1,
        None,
        &e,
    );
    let mut app = Windows::new(app, "APP-LABO");
    o.files = vec![
        Windows::new(rh, "FS-RH"),
        Windows::new(labo, "FS-LABO"),
        Windows::new(dent, "FS-DENT"),
    ];
    s.snapshots(7);
    s.persons_toml(
        0..s.world.staff.len().min(400),
        &["ad", "vpn", "rpps"],
        |_| None,
    );

    let mut rng = s.rng.fork(11);
    let shelves = shelves(&s, &o, scale, &mut rng);
    office::write_shelves(&mut s, &shelves, true)?;
    let (app_ip, backup) = (o.ip(40, 10), o.ip(40, 30));
    let net = o.net;
    s.line(&format!("\n[[account]]\nname = \"vpn:{VENDOR}\"\nkind = \"vendor\"\nnetworks = [\"192.0.2.0/24\"]\nmay_reach = [\"10.{net}.40.0/24\"]\nhours = \"Mon-Fri 08:00-18:00\""));
    s.line(&format!("\n[[account]]\nname = \"ad:HOSP\\\\{}\"\nkind = \"vendor\"\nmay_reach = [\"10.{net}.40.0/24\"]", AD_VENDOR.0));
    s.line(&format!("\n[[account]]\nname = \"ad:HOSP\\\\{}\"\nkind = \"service\"\nnetworks = [\"{app_ip}/32\"]\nmay_reach = [\"10.{net}.30.0/24\"]", SERVICE.0));
    s.line(&format!("\n[[job]]\naccount = \"ad:HOSP\\\\{}\"\nhost = \"APP-LABO\"\nprogram = \"export_labo\"\nhours = \"daily 02:30-03:15\"", SERVICE.0));
    s.line(&format!("\n[[job]]\naccount = \"host:{backup}\"\nhost = \"{backup}\"\nprogram = \"backup\"\nhours = \"daily 22:30-04:00\""));

    let first = civil::local_day(s.from);
    let d0 = first + (s.to - s.from) / civil::DAY - 3;
    let ticket = (civil::at(d0 - 1, 22, 0), civil::at(d0, 2, 0));
    s.line(&format!("\n[[ticket]]\naccount = \"vpn:{VENDOR}\"\nfrom = {}\nto = {}\nnetworks = [\"192.0.2.0/24\"]", civil::iso_local(ticket.0), civil::iso_local(ticket.1)));
    let boast = s.world.persons.len() * 3;
    let text = format!("{boast} dossiers patients complets");
    s.line(&format!(
        "\n[[claim]]\ntext = \"{text}\"\nsubjects = {boast}\ncategories = [\"HEALTH.*\"]"
    ));
    s.ledger.claims.push(TClaim {
        text,
        expect: "refuted".into(),
    });

    // The intruder's nights: D-9, D-8, D-5, D-2, D-1, then the day itself until 17:40.
    let addresses = [
        format!("198.19.{}.{}", rng.below(60), 1 + rng.below(250)),
        format!("198.19.{}.{}", 64 + rng.below(60), 1 + rng.below(250)),
        format!("198.19.{}.{}", rng.below(60), 1 + rng.below(250)),
    ];
    let mut raids = Vec::new();
    for (k, back) in [9, 8, 5, 2, 1, 0].into_iter().enumerate() {
        let (start, end) = if back == 0 {
            (
                civil::at(d0, 9, 0) + rng.range(0, 20 * MIN),
                civil::at(d0, 17, 40),
            )
        } else {
            let a = civil::at(d0 - back, 22, 0) + rng.range(0, 50 * MIN);
            (a, a + 2 * HOUR + rng.range(0, 2 * HOUR))
        };
        raids.push(Raid {
            start,
            end,
            address: addresses[k % 3].clone(),
            loot: Vec::new(),
            look: back == 8,
        });
    }
    // What is taken: half of the personnel files, part of the others, over the last three raids.
    for (k, f) in shelves.iter().enumerate() {
        let share = [0.5, 0.35, 0.4, 0.3][k];
        for i in 0..f.items.len() {
            if rng.chance(share) {
                let which = 3 + rng.below(3) as usize;
                raids[which].loot.push((k, i));
            }
        }
    }
    let leak = leak(&mut s, &shelves, &raids, &mut rng)?;

    let radiologist = s
        .world
        .staff
        .iter()
        .position(|p| p.role == crate::world::Role::Doctor)
        .unwrap_or(0);
    s.each_day(|s, day, _, _| {
        let mut rng = s.rng.fork(3000 + day as u64);
        o.day(s, day, &mut rng, &|i| i == radiologist && day >= d0 - 1);
        // The laboratory's own export, every night, same account from the same server.
        let t = civil::at(day, 2, 32) + rng.range(0, 60_000);
        if t < s.to {
            let f = &mut o.files[1];
            let who = Who {
                name: SERVICE.0,
                rid: SERVICE.1,
                logon: f.new_logon(),
            };
            let m = Mark::default();
            f.logon(&mut s.sink, t, m, &who, 3, (&app_ip, "-"), "Kerberos");
            f.share(
                &mut s.sink,
                t + 400,
                m,
                &who,
                &app_ip,
                "Labo",
                "D:\\Partages\\Labo",
            );
            f.logoff(&mut s.sink, t + 14 * MIN, m, &who, 3);
            o.dc.ticket(&mut s.sink, t - 2_000, m, SERVICE, &app_ip);
            o.dc.service_ticket(&mut s.sink, t - 1_000, m, SERVICE.0, "FS-LABO", &app_ip);
            let lab = o.ip(30, 11);
            let fl = Flow {
                src: (&app_ip, 50_445),
                dst: (&lab, 445),
                service: "SMB",
                seconds: 840,
                sent: 3_000_000,
                received: 2_000_000,
                user: None,
                hidden: None,
            };
            o.fw.flow(&mut s.sink, t + 14 * MIN, m, &fl);
            let k = s.session(
                &format!("ad:HOSP\\{}", SERVICE.0),
                "FS-LABO",
                "job",
                t,
                t + 14 * MIN,
            );
            let k = &mut s.ledger.sessions[k];
            k.address = Some(app_ip.clone());
            k.device = Some("APP-LABO".into());
            k.sources = vec!["fs-labo".into()];
        }
        // The vendor's true work: some mornings, and the night of the ticket.
        let mornings = matches!(civil::weekday(day), 1 | 3);
        let mut visits = Vec::new();
        if mornings {
            visits.push((civil::at(day, 9, 15) + rng.range(0, HOUR), 2 * HOUR));
        }
        if day == d0 - 1 {
            visits.push((ticket.0 + 4 * MIN, 3 * HOUR + 20 * MIN));
        }
        for (up, long) in visits {
            vendor(s, &mut o, &mut app, up, up + long, &mut rng);
        }
        // The radiologist works from home the night before and on the day.
        if day >= d0 - 1 && day <= d0 {
            let up = civil::at(day, 20, 30);
            let before = s.ledger.sessions.len();
            o.work(s, radiologist, up, up + 3 * HOUR, true, &mut rng);
            debug_assert_eq!(before, s.ledger.sessions.len());
            let (login, home) = (
                s.world.staff[radiologist].login.clone(),
                s.world.staff[radiologist].home_ip.clone(),
            );
            let k = s.session(&format!("vpn:{login}"), "vpn", "owner", up, up + 3 * HOUR);
            s.ledger.sessions[k].address = Some(home);
            s.ledger.sessions[k].sources = vec!["vpn".into()];
        }
        for raid in raids.iter().filter(|x| civil::local_day(x.start) == day) {
            raid_now(s, &mut o, &mut app, &shelves, raid, &app_ip, &mut rng);
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
    for (a, k) in [
        (format!("vpn:{VENDOR}"), "vendor"),
        (format!("ad:HOSP\\{}", AD_VENDOR.0), "vendor"),
        (format!("ad:HOSP\\{}", SERVICE.0), "service"),
    ] {
        s.ledger.account(&a, k, "usurped", Vec::new(), "");
    }
    let login = s.world.staff[radiologist].login.clone();
    s.ledger.account(
        &format!("vpn:{login}"),
        "professional",
        "clean",
        Vec::new(),
        "radiologist working from home",
    );
    for f in &shelves[1..] {
        let cats: Vec<&str> = f.cats.iter().map(ampleur_event::Category::code).collect();
        let mut who: Vec<u32> = f.items.iter().flat_map(|i| i.subjects.clone()).collect();
        who.sort_unstable();
        who.dedup();
        s.ledger.exposed.push(serde_json::json!({"establishment": est, "categories": cats, "subjects": who.len(), "why": if f.server == "SRV-CARDIO" { "no log" } else { "share-level log only" }}));
    }
    s.ledger.gaps.push(TGap {
        source: "srv-cardio".into(),
        from: civil::iso(s.from),
        to: civil::iso(s.to),
        kind: "audit_off".into(),
        required: Some(false),
        why: "nothing is collected from the cardiology server".into(),
        ..TGap::default()
    });
    s.ledger
        .must_refuse
        .extend(["list_complete", "unaffected_can_be_told"]);
    s.ledger.tests.insert(
        "share_level".into(),
        vec![shelves[1].unc(), shelves[2].unc()].into(),
    );
    s.ledger
        .tests
        .insert("blind".into(), vec![shelves[3].unc()].into());
    s.finish(r, "vendor VPN account, theft of files")
}

fn shelves(s: &Stage, o: &Office, scale: f64, rng: &mut Rng) -> Vec<Shelf> {
    let n = s.world.persons.len() as u32;
    let years = ["2021", "2022", "2023", "2024"];
    let mut out = Vec::new();
    let mut rh = Vec::new();
    for k in 0..s.world.staff.len() as u32 {
        for kind in ["bulletin", "rib", "contrat"] {
            if kind == "bulletin" || rng.chance(0.4) {
                let m = s.world.staff[k as usize].matricule;
                rh.push(Item {
                    path: format!(
                        "{}\\{kind}s\\{kind}_M{m}_{:03}.pdf",
                        rng.pick(&years),
                        rng.below(999)
                    ),
                    size: 90_000 + rng.below(400_000),
                    sha: sha(rng.bits()),
                    subjects: vec![n + k],
                });
            }
        }
    }
    out.push(Shelf {
        server: "FS-RH",
        share: "Personnel$",
        root: "D:\\Partages\\Personnel".into(),
        ip: o.ip(30, 12),
        cats: set(&[
            "STAFF.ID",
            "STAFF.PAY",
            "STAFF.NIR",
            "STAFF.BANK",
            "STAFF.CONTACT",
        ]),
        items: rh,
    });
    let mut of = |server: &'static str,
                  share: &'static str,
                  ip: String,
                  cats: &[&str],
                  files: usize,
                  per: usize,
                  size: (u64, u64),
                  ext: &str,
                  rng: &mut Rng| {
        let who = office::patients(s, rng, (files * per * 2 / 3).max(20));
        let items = (0..files)
            .map(|k| {
                let mut subjects: Vec<u32> = (0..1 + rng.below(per as u64))
                    .map(|_| *rng.pick(&who))
                    .collect();
                subjects.sort_unstable();
                subjects.dedup();
                Item {
                    path: format!(
                        "{}\\{:02}\\{}{k:06}.{ext}",
                        rng.pick(&years),
                        1 + rng.below(12),
                        &share[..3].to_lowercase()
                    ),
                    size: size.0 + rng.below(size.1),
                    sha: sha(rng.bits()),
                    subjects,
                }
            })
            .collect();
        out.push(Shelf {
            server,
            share,
            root: format!("D:\\Partages\\{share}"),
            ip,
            cats: set(cats),
            items,
        });
    };
    let k = |base: f64| ((base * scale) as usize).max(25);
    of(
        "FS-LABO",
        "Labo",
        o.ip(30, 11),
        &["HEALTH.RESULT", "ID.NAME", "ID.DOB", "ID.LOCAL"],
        k(30_000.0),
        4,
        (200_000, 3_000_000),
        "pdf",
        rng,
    );
    of(
        "FS-DENT",
        "Dentaire",
        o.ip(30, 13),
        &["HEALTH.IMAGE", "ID.NAME", "ID.DOB"],
        k(12_000.0),
        1,
        (9_000_000, 40_000_000),
        "dcm",
        rng,
    );
    of(
        "SRV-CARDIO",
        "Echo",
        o.ip(30, 14),
        &["HEALTH.IMAGE", "ID.NAME"],
        k(9_000.0),
        1,
        (8_000_000, 30_000_000),
        "dcm",
        rng,
    );
    out
}

/// The published list: some stolen personnel files with size or hash, decoys of another size, names nobody knows.
fn leak(
    s: &mut Stage,
    shelves: &[Shelf],
    raids: &[Raid],
    rng: &mut Rng,
) -> io::Result<Vec<(usize, usize, Ms)>> {
    let day = civil::local_day(s.to) + 35;
    let mut csv = String::from("path,size,sha256\n");
    let mut out = Vec::new();
    for (f, i) in raids.iter().flat_map(|r| &r.loot) {
        if *f != 0 {
            continue;
        }
        let it = &shelves[0].items[*i];
        let path = format!("Personnel/{}", it.path.replace('\\', "/"));
        match rng.below(10) {
            0..3 => {
                let _ = writeln!(
                    csv,
                    "{path},{},{}",
                    it.size,
                    if rng.chance(0.5) { it.sha.as_str() } else { "" }
                );
                out.push((0, *i, civil::day_start(day)));
            }
            3 => {
                let _ = writeln!(
                    csv,
                    "{path},{},{}",
                    it.size + 1 + rng.below(5_000),
                    sha(rng.bits())
                );
            }
            _ => {}
        }
    }
    let _ = writeln!(
        csv,
        "Personnel/divers/photos_noel.zip,{},",
        4_000_000 + rng.below(90_000)
    );
    s.file(
        "leak",
        &format!("{}.csv", civil::date_text(day)),
        csv.as_bytes(),
    )?;
    Ok(out)
}

fn vendor(s: &mut Stage, o: &mut Office, app: &mut Windows, up: Ms, down: Ms, rng: &mut Rng) {
    let inner = o.lend(up, down);
    let m = Mark::default();
    let k = Tunnel {
        id: 1_000_000 + rng.below(900_000_000),
        user: VENDOR.into(),
        group: "VPN-PRESTA",
        remote: "192.0.2.21".into(),
        inner: inner.clone(),
        up,
        down,
        sent: 30_000_000,
        received: 6_000_000,
    };
    o.vpn.tunnel(&mut s.sink, m, &k);
    let t = up + 70_000;
    desktop(s, o, app, t, down - 20_000, &inner, "POSTE-EDIT-3", m);
    let a = s.session(&format!("vpn:{VENDOR}"), "vpn", "vendor", up, down);
    let id = s.ledger.sessions[a].id;
    s.ledger.sessions[a].address = Some("192.0.2.21".into());
    s.ledger.sessions[a].inner = Some(inner.clone());
    s.ledger.sessions[a].sources = vec!["vpn".into()];
    let b = s.session(
        &format!("ad:HOSP\\{}", AD_VENDOR.0),
        "APP-LABO",
        "vendor",
        t,
        down - 20_000,
    );
    s.ledger.sessions[b].address = Some(inner);
    s.ledger.sessions[b].device = Some("POSTE-EDIT-3".into());
    s.ledger.sessions[b].chain = format!("c{id}");
    s.ledger.sessions[b].sources = vec!["app-labo".into()];
}

/// Remote desktop: the NTLM line names the client machine, the type 10 line only the server.
#[allow(clippy::too_many_arguments)]
fn desktop(
    s: &mut Stage,
    o: &mut Office,
    app: &mut Windows,
    t: Ms,
    end: Ms,
    from: &str,
    machine: &str,
    m: Mark,
) {
    let net = Who {
        name: AD_VENDOR.0,
        rid: AD_VENDOR.1,
        logon: app.new_logon(),
    };
    app.logon(&mut s.sink, t, m, &net, 3, (from, machine), "NTLM");
    let who = Who {
        name: AD_VENDOR.0,
        rid: AD_VENDOR.1,
        logon: app.new_logon(),
    };
    app.logon(
        &mut s.sink,
        t + 900,
        m,
        &who,
        10,
        (from, machine),
        "Negotiate",
    );
    app.logoff(&mut s.sink, t + 2_000, m, &net, 3);
    app.logoff(&mut s.sink, end, m, &who, 10);
    let dst = o.ip(40, 10);
    let f = Flow {
        src: (from, 51_389),
        dst: (&dst, 3389),
        service: "RDP",
        seconds: ((end - t) / 1000) as u64,
        sent: 4_000_000,
        received: 45_000_000,
        user: Some(VENDOR),
        hidden: None,
    };
    o.fw.flow(&mut s.sink, end + 3_000, m, &f);
}

fn raid_now(
    s: &mut Stage,
    o: &mut Office,
    app: &mut Windows,
    shelves: &[Shelf],
    raid: &Raid,
    app_ip: &str,
    rng: &mut Rng,
) {
    let machine = "WIN-7K2Q1PLM4RT";
    let inner = o.lend(raid.start, raid.end);
    let a = s.session(
        &format!("vpn:{VENDOR}"),
        "vpn",
        "intruder",
        raid.start,
        raid.end,
    );
    let chain = s.ledger.sessions[a].chain.clone();
    let m = Mark {
        tag: 0,
        session: s.ledger.sessions[a].id,
    };
    s.ledger.sessions[a].address = Some(raid.address.clone());
    s.ledger.sessions[a].inner = Some(inner.clone());
    let k = Tunnel {
        id: 1_000_000 + rng.below(900_000_000),
        user: VENDOR.into(),
        group: "VPN-PRESTA",
        remote: raid.address.clone(),
        inner: inner.clone(),
        up: raid.start,
        down: raid.end,
        sent: 60_000_000,
        received: 14_000_000,
    };
    o.vpn.tunnel(&mut s.sink, m, &k);
    let t0 = raid.start + 95_000;
    let b = s.session(
        &format!("ad:HOSP\\{}", AD_VENDOR.0),
        "APP-LABO",
        "intruder",
        t0,
        raid.end - 15_000,
    );
    let mb = Mark {
        tag: 0,
        session: s.ledger.sessions[b].id,
    };
    s.ledger.sessions[b].address = Some(inner.clone());
    s.ledger.sessions[b].device = Some(machine.into());
    s.ledger.sessions[b].chain.clone_from(&chain);
    desktop(s, o, app, t0, raid.end - 15_000, &inner, machine, mb);
    if raid.loot.is_empty() && !raid.look {
        return;
    }
    // The service account, from the application server, to each file server.
    let mut out_bytes = 0u64;
    let stop = raid.end - 25 * MIN;
    for (k, f) in shelves.iter().enumerate() {
        let loot: Vec<usize> = raid.loot.iter().filter(|l| l.0 == k).map(|l| l.1).collect();
        if loot.is_empty() && !raid.look {
            continue;
        }
        let t = raid.start + (10 + 2 * k as i64) * MIN;
        let until = if loot.is_empty() { t + 11 * MIN } else { stop };
        let c = s.session(
            &format!("ad:HOSP\\{}", SERVICE.0),
            f.server,
            "intruder",
            t,
            until,
        );
        let id = s.ledger.sessions[c].id;
        let mc = Mark {
            tag: 0,
            session: id,
        };
        s.ledger.sessions[c].address = Some(app_ip.into());
        s.ledger.sessions[c].device = Some("APP-LABO".into());
        s.ledger.sessions[c].chain.clone_from(&chain);
        let step = ((until - t - 2 * MIN) / (loot.len() as i64 + 1)).max(20);
        let mut moved = 200_000u64;
        // The cardiology server keeps no log: its reads happen all the same.
        let logged = k < 3;
        let who = if logged {
            Who {
                name: SERVICE.0,
                rid: SERVICE.1,
                logon: o.files[k].new_logon(),
            }
        } else {
            Who {
                name: SERVICE.0,
                rid: SERVICE.1,
                logon: 0,
            }
        };
        if logged {
            let w = &o.files[k];
            w.logon(&mut s.sink, t, mc, &who, 3, (app_ip, "-"), "Kerberos");
            w.share(&mut s.sink, t + 500, mc, &who, app_ip, f.share, &f.root);
            o.dc.ticket(&mut s.sink, t - 1_500, mc, SERVICE, app_ip);
            o.dc.service_ticket(&mut s.sink, t - 700, mc, SERVICE.0, f.server, app_ip);
        }
        for (j, i) in loot.iter().enumerate() {
            let item = &f.items[*i];
            let at = t + MIN + step * j as i64 + rng.range(0, step);
            moved += item.size;
            let group = if k == 0 {
                let tag = s.sink.tag();
                let path = format!("{}\\{}", f.root, item.path);
                o.files[0].object(
                    &mut s.sink,
                    at,
                    Mark { tag, session: id },
                    &who,
                    &path,
                    "0x1",
                    "",
                );
                let g = s.ledger.group();
                s.ledger.page(g, [tag, 0]);
                g
            } else {
                0
            };
            office::taken(s, f, item, Level::Exfiltrated, at, id, group, k == 0);
        }
        if logged {
            o.files[k].logoff(&mut s.sink, until, mc, &who, 3);
        }
        out_bytes += moved;
        let fl = Flow {
            src: (app_ip, 50_600 + k as u16),
            dst: (&f.ip, 445),
            service: "SMB",
            seconds: ((until - t) / 1000) as u64,
            sent: moved / 80 + 9_000,
            received: moved + moved / 60,
            user: None,
            hidden: None,
        };
        o.fw.flow(&mut s.sink, until + 1_000, mc, &fl);
    }
    if !raid.loot.is_empty() {
        // To one rented server, in flows of about an hour.
        let egress = s.world.ests[0].egress.clone();
        let begin = raid.start + 20 * MIN;
        let hours = ((raid.end - 5 * MIN - begin) / HOUR).max(1);
        for h in 0..hours {
            let end = begin + (raid.end - 5 * MIN - begin) * (h + 1) / hours;
            let sent = (out_bytes + out_bytes / 40) / hours as u64;
            let fl = Flow {
                src: (app_ip, 52_000 + h as u16),
                dst: ("198.51.100.77", 22),
                service: "SSH",
                seconds: ((raid.end - begin) / hours / 1000) as u64,
                sent,
                received: sent / 90,
                user: None,
                hidden: Some(&egress),
            };
            o.fw.flow(&mut s.sink, end, m, &fl);
        }
    }
}
