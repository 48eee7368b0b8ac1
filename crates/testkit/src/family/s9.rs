//! Nobody broke in. Colleagues look at a famous patient's record; a doctor works from a congress; a vendor comes at two in the
//! morning under a ticket; a research job exports; a nurse covers two wards; an emergency breaks the glass. `clean` has only the days.
use super::Stage;
use super::office::{self, Office};
use crate::civil::{self, DAY, HOUR, MIN, Ms};
use crate::log::{self, Opened, Tunnel};
use crate::out::Mark;
use crate::rng::Rng;
use crate::truth::{TInternal, Truth};
use crate::world::Role;
use crate::{Family, Recipe};
use std::io;
use std::path::Path;

pub(super) fn play(r: &Recipe, case: &Path) -> io::Result<Truth> {
    let scale = r.scale.max(0.001);
    let mut s = Stage::new(r, case, |a, b| {
        office::plan(scale, a, b, 400_000.0, 6_000.0)
    });
    let mut o = Office::open(&mut s, None, "");
    s.snapshots(7);
    s.persons_toml(
        0..s.world.staff.len().min(2_000),
        &["ad", "vpn", "rpps"],
        |_| None,
    );
    let eventful = r.family == Family::S9;
    let first = civil::local_day(s.from);
    let days = (s.to - s.from) / DAY;
    let mut plot = s.rng.fork(9);
    let by = |s: &Stage, role: Role, n: usize| {
        (0..s.world.staff.len())
            .filter(|i| s.world.staff[*i].role == role)
            .nth(n)
            .unwrap_or(0)
    };
    let (congress, nurse, urgent, carer) = (
        by(&s, Role::Doctor, 1),
        by(&s, Role::Nurse, 1),
        by(&s, Role::Doctor, 3),
        by(&s, Role::Doctor, 4),
    );
    let research = o.ip(40, 80);
    let away = first + 9;
    if eventful {
        let login = s.world.staff[congress].login.clone();
        s.line(&format!(
            "\n[[absence]]\nperson = \"p:{login}\"\nfrom = {}\nto = {}",
            civil::date_text(away),
            civil::date_text(away + 5)
        ));
        s.line("\n[[account]]\nname = \"vpn:maint-pacs\"\nkind = \"vendor\"\nnetworks = [\"192.0.2.0/24\"]\nhours = \"Mon-Fri 08:00-18:00\"");
        let n = civil::at(first + 13, 1, 30);
        s.line(&format!("\n[[ticket]]\naccount = \"vpn:maint-pacs\"\nfrom = {}\nto = {}\nnetworks = [\"192.0.2.0/24\"]", civil::iso_local(n), civil::iso_local(n + 4 * HOUR)));
        s.line(&format!("\n[[job]]\naccount = \"web:svc-recherche\"\nhost = \"{research}\"\nhours = \"daily 03:00-05:00\""));
        s.line("\n[[account]]\nname = \"web:svc-recherche\"\nkind = \"service\"");
    }
    let vip = office::patients(&s, &mut plot, 1)[0];
    let vip_rec = s.world.persons[vip as usize].records[0];
    o.famous = eventful.then_some(vip_rec);
    // The curious: not the doctor in charge, who writes in the record as well.
    let crowd = ((85.0 * (scale / 0.05).min(1.0)) as usize).clamp(14, 85);
    let mut curious: Vec<usize> = (0..s.world.staff.len())
        .filter(|i| {
            matches!(
                s.world.staff[*i].role,
                Role::Doctor | Role::Nurse | Role::Social
            ) && ![carer, congress, nurse, urgent].contains(i)
        })
        .collect();
    plot.shuffle(&mut curious);
    curious.truncate(crowd);
    let leak_day = first + days / 2;

    s.each_day(|s, day, _, _| {
        let mut rng = s.rng.fork(100 + day as u64);
        let gone = |i: usize| eventful && i == congress && (away..=away + 5).contains(&day);
        o.day(s, day, &mut rng, &gone);
        if !eventful {
            return;
        }
        // Curiosity, from the own workstation, for three days.
        for (k, i) in curious.iter().enumerate() {
            if leak_day + (k % 3) as i64 == day {
                let t = civil::at(day, 9, 0) + rng.range(0, 9 * HOUR);
                let ip = s.world.staff[*i].pc_ip.clone();
                o.opened(s, t, Mark::default(), *i, &ip, vip_rec, 'R');
            }
        }
        if day >= leak_day - 1 && day < leak_day + 4 {
            let t = civil::at(day, 10, 0) + rng.range(0, HOUR);
            let ip = s.world.staff[carer].pc_ip.clone();
            o.opened(s, t, Mark::default(), carer, &ip, vip_rec, 'R');
            o.opened(s, t + 4 * MIN, Mark::default(), carer, &ip, vip_rec, 'U');
        }
        if (away..away + 3).contains(&day) {
            remote(
                s,
                &mut o,
                congress,
                "198.19.140.18",
                civil::at(day, 19, 0) + rng.range(0, HOUR),
                &mut rng,
            );
        }
        if day == first + 13 {
            let up = civil::at(day, 2, 0);
            let inner = o.lend(up, up + 2 * HOUR);
            let k = Tunnel {
                id: 77_000_001,
                user: "maint-pacs".into(),
                group: "VPN-PRESTA",
                remote: "192.0.2.44".into(),
                inner: inner.clone(),
                up,
                down: up + 2 * HOUR,
                sent: 900_000_000,
                received: 40_000_000,
            };
            o.vpn.tunnel(&mut s.sink, Mark::default(), &k);
            let a = s.session("vpn:maint-pacs", "vpn", "vendor", up, up + 2 * HOUR);
            s.ledger.sessions[a].address = Some("192.0.2.44".into());
            s.ledger.sessions[a].inner = Some(inner);
            s.ledger.sessions[a].sources = vec!["vpn".into()];
        }
        // The research export, every night from the same host.
        let t0 = civil::at(day, 3, 10);
        let n = ((400_000.0 * scale / 28.0) as i64).max(40);
        for k in 0..n {
            let rec = rng.below(s.world.records.len() as u64) as usize;
            let rec = Opened {
                finess: &s.world.ests[0].finess,
                host: "dpi-1",
                user: "svc-recherche",
                display: "Export recherche",
                address: &research,
                ipp: u64::from(s.world.records[rec].ipp),
                oid: &o.oid,
                resource: "",
                action: 'R',
                event: ("110106", "Export"),
                kind: ("DPI-EXP", "Export"),
            };
            log::atna(
                &mut s.sink,
                o.dpi,
                t0 + k * (90 * MIN / n),
                Mark::default(),
                &rec,
            );
        }
        let k = s.session("web:svc-recherche", "dpi", "job", t0, t0 + 90 * MIN);
        s.ledger.sessions[k].address = Some(research.clone());
        s.ledger.sessions[k].sources = vec!["dpi".into()];
        if day == first + 17 {
            let t = civil::at(day, 21, 10);
            let ip = s.world.staff[nurse].pc_ip.clone();
            burst(s, &o, nurse, &ip, t, 140, 3 * MIN + 10_000, &mut rng);
        }
        if day == first + 20 {
            let t = civil::at(day, 4, 5);
            let ip = s.world.staff[urgent].pc_ip.clone();
            let p = &s.world.staff[urgent];
            let glass = Opened {
                finess: &s.world.ests[0].finess,
                host: "dpi-1",
                user: &p.rpps,
                display: &p.display,
                address: &ip,
                ipp: u64::from(s.world.records[vip_rec as usize].ipp) + 1,
                oid: &o.oid,
                resource: "",
                action: 'E',
                event: ("110113", "Security Alert"),
                kind: ("110127", "Emergency Override Started"),
            };
            log::atna(&mut s.sink, o.dpi, t, Mark::default(), &glass);
            burst(s, &o, urgent, &ip, t + 20_000, 24, 25_000, &mut rng);
        }
    });
    if eventful {
        for i in &curious {
            let rpps = s.world.staff[*i].rpps.clone();
            s.ledger.internal.push(TInternal {
                account: format!("rpps:{rpps}"),
                subjects: 1,
            });
        }
        let names: Vec<(String, &str)> = [
            (congress, "congress abroad"),
            (nurse, "nurse of two wards"),
            (urgent, "emergency"),
            (carer, "in charge of the patient"),
        ]
        .iter()
        .map(|(i, n)| (s.world.staff[*i].rpps.clone(), *n))
        .collect();
        for (r, n) in names {
            s.ledger
                .account(&format!("rpps:{r}"), "professional", "clean", vec![], n);
        }
        s.ledger.account(
            "vpn:maint-pacs",
            "vendor",
            "clean",
            vec![],
            "maintenance under a ticket",
        );
    }
    s.ledger.must_hold.insert(
        "no_intrusion",
        ["vpn", "fw", "dpi", "sso", "dc-a"]
            .map(String::from)
            .to_vec(),
    );
    s.ledger
        .tests
        .insert("untouched".into(), vec![s.world.ests[0].id.clone()].into());
    s.finish(
        r,
        if eventful {
            "nobody broke in"
        } else {
            "an ordinary month"
        },
    )
}

#[allow(clippy::too_many_arguments)]
fn burst(
    s: &mut Stage,
    o: &Office,
    i: usize,
    ip: &str,
    start: Ms,
    n: i64,
    apart: Ms,
    rng: &mut Rng,
) {
    let rpps = s.world.staff[i].rpps.clone();
    for k in 0..n {
        let units = (s.world.staff.len() as u64 / 9).max(1);
        // Her two wards, or whoever comes to the emergency room.
        let unit = (i as u64 + k as u64 % 2) % units;
        let rec = (rng.below(s.world.records.len() as u64 / units) * units + unit) as u32;
        if o.famous == Some(rec) {
            continue;
        }
        o.opened(
            s,
            start + k * apart + rng.range(0, apart / 2),
            Mark::default(),
            i,
            ip,
            rec,
            'R',
        );
    }
    let k = s.session(
        &format!("rpps:{rpps}"),
        "dpi",
        "owner",
        start,
        start + n * apart,
    );
    s.ledger.sessions[k].address = Some(ip.into());
    s.ledger.sessions[k].sources = vec!["dpi".into()];
}

/// Work through the VPN from an unusual place.
fn remote(s: &mut Stage, o: &mut Office, i: usize, address: &str, up: Ms, rng: &mut Rng) {
    let home = std::mem::replace(&mut s.world.staff[i].home_ip, address.into());
    o.work(s, i, up, up + 2 * HOUR, true, rng);
    s.world.staff[i].home_ip = home;
    let login = s.world.staff[i].login.clone();
    let k = s.session(&format!("vpn:{login}"), "vpn", "owner", up, up + 2 * HOUR);
    s.ledger.sessions[k].address = Some(address.into());
    s.ledger.sessions[k].sources = vec!["vpn".into()];
}
