//! Bulk SQL behind a terminal server: a service account nobody used, then the database account that the front end and a nightly
//! extraction use lawfully from other hosts. Failed statements, one killed, three people asked for by number.
use super::Stage;
use super::office::{self, Office};
use crate::Recipe;
use crate::civil::{self, DAY, HOUR, MIN, Ms};
use crate::log::{self, Backend, Flow, Who, Windows};
use crate::out::Mark;
use crate::rng::{Rng, mix};
use crate::truth::{Level, TClaim, TGap, Touch, Truth};
use crate::world::FAMILIES;
use ampleur_event::{Category, category::CategorySet};
use std::io;
use std::path::Path;

const DB: &str = "appdpi";
const SERVICE: (&str, u32) = ("svc-numeris", 4_733);
const TABLE: &str = "public.patient";

pub(super) fn play(r: &Recipe, case: &Path) -> io::Result<Truth> {
    let scale = r.scale.max(0.0005);
    let mut s = Stage::new(r, case, |a, b| {
        office::plan(scale, a, b, 1_700_000.0, 3_000.0)
    });
    let mut o = Office::open(&mut s, None, "");
    o.pace = 4;
    let est = s.world.ests[0].id.clone();
    let days = (s.to - s.from) / DAY;
    let first = civil::local_day(s.from);
    let kept = civil::day_start(first + days - 30);
    let e = format!("establishment = \"{est}\"");
    let bd = s.source("bd", "postgresql", "csv", "postgresql", 1, Some(kept), &format!("{e}\ntells = [\"ID.*\", \"CONTACT.*\", \"HEALTH.DRUG\", \"CARE.DATE\"]\nshows_results = false\nheartbeat_s = 300"));
    let ts = s.source(
        "ts-clin",
        "Security",
        "xml",
        "windows-security",
        1,
        None,
        &format!("{e}\ntimezone = \"UTC\""),
    );
    s.heartbeat.push("bd");
    let mut ts = Windows::new(ts, "TS-CLIN");
    s.snapshots(4);
    s.persons_toml(
        0..s.world.staff.len().min(400),
        &["ad", "vpn", "rpps"],
        |_| None,
    );
    let (front, bi, ts_ip, dba) = (o.ip(40, 20), o.ip(40, 50), o.ip(40, 60), o.ip(16, 9));
    let pi = s.world.ests[0].authority.clone();
    s.line(&format!("\n[[table]]\nname = \"{TABLE}\"\ncategories = [\"ID.NAME\", \"ID.SEX\", \"ID.DOB\", \"ID.LOCAL\", \"ID.NIR\", \"CONTACT.PHONE\", \"CONTACT.EMAIL\", \"CONTACT.POSTAL\"]\ncolumns = {{ ipp = \"identifier:{pi}\", nom = \"name.family:official\", prenom = \"name.given\", sexe = \"gender\", date_naissance = \"birthDate\", adresse = \"address\", telephone = \"telecom:phone\", courriel = \"telecom:email\", nir = \"identifier:{}\" }}", crate::world::INS));
    s.line(&format!("\n[[table]]\nname = \"public.dispensation\"\ncategories = [\"HEALTH.DRUG\", \"CARE.DATE\"]\ncolumns = {{ ipp = \"identifier:{pi}\", medicament = {{ category = \"HEALTH.DRUG\" }}, date_disp = {{ category = \"CARE.DATE\" }} }}"));
    s.line(&format!("\n[[account]]\nname = \"db:{DB}\"\nkind = \"service\"\nnetworks = [\"{front}/32\", \"{bi}/32\"]"));
    s.line(&format!(
        "\n[[account]]\nname = \"ad:HOSP\\\\{}\"\nkind = \"service\"",
        SERVICE.0
    ));
    s.line("\n[[account]]\nname = \"db:dba\"\nkind = \"admin\"");
    s.line(&format!("\n[[job]]\naccount = \"db:{DB}\"\nhost = \"{bi}\"\nprogram = \"sas\"\nhours = \"daily 01:00-04:00\""));
    s.line(&format!("\n[[job]]\naccount = \"db:{DB}\"\nhost = \"{front}\"\nprogram = \"dpi-front\"\nhours = \"daily 00:00-23:59\""));
    let boast = s.world.persons.len() * 4;
    let text = format!("{boast} dossiers avec traitements");
    s.line(&format!(
        "\n[[claim]]\ntext = \"{text}\"\nsubjects = {boast}\ncategories = [\"HEALTH.*\"]"
    ));
    s.ledger.claims.push(TClaim {
        text,
        expect: "refuted".into(),
    });
    s.ledger.account(
        &format!("db:{DB}"),
        "service",
        "usurped",
        Vec::new(),
        "used lawfully by the front end and the nightly extraction",
    );
    if let Some(a) = s.ledger.accounts.last_mut() {
        a.must_cut = false;
        a.must_rotate = true;
    }
    s.ledger.account(
        &format!("ad:HOSP\\{}", SERVICE.0),
        "service",
        "usurped",
        Vec::new(),
        "never used before",
    );
    s.ledger.account(
        "db:dba",
        "admin",
        "clean",
        Vec::new(),
        "tests of the administrator",
    );

    // The thief: a few logons long before, eight days of statements.
    let mut plot = s.rng.fork(5);
    let raid = first + days - 11;
    let pc = o.ip(22, 77);
    let mut visits: Vec<(Ms, usize)> = Vec::new();
    for d in [3, 6] {
        visits.push((civil::at(first + d, 23, 0) + plot.range(0, HOUR), 0));
    }
    for k in 0..8 {
        let t = civil::at(raid + k, [22, 3, 13][(k % 3) as usize], 0) + plot.range(0, HOUR);
        visits.push((t, 5 + (12.0 * scale.sqrt()) as usize));
    }
    let prefixes: Vec<String> = s
        .world
        .prefixes(2)
        .into_iter()
        .filter(|p| {
            FAMILIES
                .iter()
                .all(|f| crate::world::fold(f).starts_with(p.as_str()) == f.starts_with(p.as_str()))
        })
        .collect();
    let asked: Vec<u32> = office::patients(&s, &mut plot, 40)
        .into_iter()
        .filter(|p| s.world.persons[*p as usize].count == 1)
        .take(3)
        .collect();
    let mut killed = false;
    let mut pid = 4_000u32;

    s.each_day(|s, day, from, to| {
        let mut rng = s.rng.fork(900 + day as u64);
        o.day(s, day, &mut rng, &|_| false);
        log::checkpoints(&mut s.sink, bd, from, to);
        let m = Mark::default();
        // The front end: eight backends a day, one patient at a time.
        for k in 0..8u32 {
            pid += 1;
            let start = from + 5 * MIN + rng.range(0, 2 * MIN);
            let mut b = Backend::new(bd, DB, "dpi-front", &front, pid, start);
            b.connect(&mut s.sink, m);
            let n = (12.0 + 4_000.0 * scale) as i64;
            let mut t = start;
            for _ in 0..n {
                t += rng.range(1_000, 2 * (20 * HOUR) / n);
                if t > to - 10 * MIN {
                    break;
                }
                let ipp = s.world.records[rng.below(s.world.records.len() as u64) as usize].ipp;
                b.query(&mut s.sink, t, m, TABLE, &format!("SELECT nom, prenom, date_naissance, telephone FROM {TABLE} WHERE ipp = '{ipp}'"));
            }
            b.disconnect(&mut s.sink, to - 5 * MIN + i64::from(k) * 1000, m);
            let x = s.session(&format!("db:{DB}"), "bd", "owner", start, to - 5 * MIN);
            s.ledger.sessions[x].address = Some(front.clone());
            s.ledger.sessions[x].device = Some("dpi-front".into());
            s.ledger.sessions[x].sources = vec!["bd".into()];
            s.ledger.sessions[x].visible = start >= kept;
        }
        // The nightly extraction, same account, own host and program.
        pid += 1;
        let t = civil::at(day, 1, 30) + rng.range(0, 10 * MIN);
        let mut b = Backend::new(bd, DB, "sas", &bi, pid, t);
        b.connect(&mut s.sink, m);
        b.query(&mut s.sink, t + 2_000, m, TABLE, &format!("SELECT ipp, sexe, date_naissance FROM {TABLE}"));
        b.query(&mut s.sink, t + 9 * MIN, m, "public.dispensation", "SELECT ipp, medicament, date_disp FROM public.dispensation WHERE date_disp >= current_date - 1");
        b.disconnect(&mut s.sink, t + 25 * MIN, m);
        let x = s.session(&format!("db:{DB}"), "bd", "job", t, t + 25 * MIN);
        s.ledger.sessions[x].address = Some(bi.clone());
        s.ledger.sessions[x].device = Some("sas".into());
        s.ledger.sessions[x].sources = vec!["bd".into()];
        s.ledger.sessions[x].visible = t >= kept;
        // The database administrator tests.
        if rng.chance(0.3) {
            pid += 1;
            let t = civil::at(day, 10, 0) + rng.range(0, 5 * HOUR);
            let mut b = Backend::new(bd, "dba", "pgAdmin 4 - DB:dossier", &dba, pid, t);
            b.connect(&mut s.sink, m);
            let sql = format!("SELECT count(*) FROM {TABLE}");
            b.query(&mut s.sink, t + 20_000, m, TABLE, &sql);
            b.query(&mut s.sink, t + 50_000, m, TABLE, "SELECT colonne FROM public.patient");
            b.error(&mut s.sink, t + 50_002, m, "42703", "column \"colonne\" does not exist", "SELECT colonne FROM public.patient");
            b.disconnect(&mut s.sink, t + 30 * MIN, m);
        }
        // Lawful desktops on the terminal server.
        for i in 0..s.world.staff.len().min(40) {
            if !rng.chance(0.25) {
                continue;
            }
            let p = s.world.staff[i].clone();
            let t = civil::at(day, 8, 0) + rng.range(0, 8 * HOUR);
            let who = Who { name: &p.login, rid: p.rid, logon: ts.new_logon() };
            ts.logon(&mut s.sink, t, m, &who, 10, (&p.pc_ip, &p.pc), "Negotiate");
            ts.logoff(&mut s.sink, t + HOUR + rng.range(0, 2 * HOUR), m, &who, 10);
        }
        for (start, n) in visits.iter().filter(|x| civil::local_day(x.0) == day).copied().collect::<Vec<_>>() {
            let long = if n == 0 { 20 * MIN } else { 100 * MIN };
            let a = s.session(&format!("ad:HOSP\\{}", SERVICE.0), "TS-CLIN", "intruder", start, start + long);
            let (id, chain) = (s.ledger.sessions[a].id, s.ledger.sessions[a].chain.clone());
            s.ledger.sessions[a].address = Some(pc.clone());
            s.ledger.sessions[a].device = Some("POSTE-RADIO-OLD".into());
            let ma = Mark { tag: 0, session: id };
            let net = Who { name: SERVICE.0, rid: SERVICE.1, logon: ts.new_logon() };
            ts.logon(&mut s.sink, start, ma, &net, 3, (&pc, "POSTE-RADIO-OLD"), "NTLM");
            let who = Who { name: SERVICE.0, rid: SERVICE.1, logon: ts.new_logon() };
            ts.logon(&mut s.sink, start + 800, ma, &who, 10, (&pc, "POSTE-RADIO-OLD"), "Negotiate");
            ts.privileges(&mut s.sink, start + 810, ma, &who);
            ts.logoff(&mut s.sink, start + long, ma, &who, 10);
            let f = Flow { src: (&pc, 51_111), dst: (&ts_ip, 3389), service: "RDP", seconds: (long / 1000) as u64, sent: 2_000_000, received: 30_000_000, user: None, hidden: None };
            o.fw.flow(&mut s.sink, start + long + 2_000, ma, &f);
            if n == 0 {
                continue;
            }
            pid += 1;
            let at = start + 4 * MIN;
            let b = s.session(&format!("db:{DB}"), "bd", "intruder", at, start + long - 3 * MIN);
            let id = s.ledger.sessions[b].id;
            s.ledger.sessions[b].chain = chain;
            s.ledger.sessions[b].address = Some(ts_ip.clone());
            s.ledger.sessions[b].device = Some("psql".into());
            let mut back = Backend::new(bd, DB, "psql", &ts_ip, pid, at);
            let mb = Mark { tag: 0, session: id };
            back.connect(&mut s.sink, mb);
            let mut t = at;
            for q in 0..n {
                t += MIN + plot.range(0, (80 * MIN / n as i64).max(MIN));
                if plot.chance(0.3) {
                    let sql = format!("SELECT ipp, nom, num_secu FROM {TABLE} WHERE nom LIKE '{}%'", plot.pick(&prefixes));
                    back.query(&mut s.sink, t, mb, TABLE, &sql);
                    back.error(&mut s.sink, t + 3, mb, "42703", "column \"num_secu\" does not exist", &sql);
                    continue;
                }
                let kill = !killed && day == raid + 4;
                killed |= kill;
                let died = statement(s, &mut back, t, id, q % 4 == 3, kill, &prefixes, &mut plot);
                if died {
                    pid += 1;
                    t += 2 * MIN;
                    back = Backend::new(bd, DB, "psql", &ts_ip, pid, t);
                    back.connect(&mut s.sink, mb);
                }
            }
            // Somebody in particular.
            let k = (day - raid) as usize;
            if let Some(p) = asked.get(k / 2).filter(|_| k.is_multiple_of(2)) {
                t += MIN;
                by_number(s, &mut back, t, id, *p);
            }
            back.disconnect(&mut s.sink, start + long - 3 * MIN, mb);
        }
    });
    let lost = s.sink.rotated.get(&bd).copied().unwrap_or(0);
    s.ledger.gaps.push(TGap {
        source: "bd".into(),
        files: Some("logs/bd/*".into()),
        from: civil::iso(s.from),
        to: civil::iso(kept),
        kind: "rotation".into(),
        lost: Some(lost),
        detectable: true,
        partial: false,
        required: Some(true),
        why: "thirty days of database audit are kept".into(),
    });
    s.ledger.exposed.push(serde_json::json!({"establishment": est, "categories": ["ID.NAME"], "subjects": "population", "why": "the intruder was there before the first retained database record"}));
    s.ledger
        .must_refuse
        .extend(["list_complete", "unaffected_can_be_told", "start_known"]);
    s.finish(r, "bulk SQL behind a terminal server")
}

fn columns(s: &Stage, rec: u32, t: Ms, of: &[Category]) -> CategorySet {
    s.world.shown(rec, t).intersect(CategorySet::of(of))
}

/// One range statement; true when the backend was killed meanwhile.
#[allow(clippy::too_many_arguments)]
fn statement(
    s: &mut Stage,
    b: &mut Backend,
    t: Ms,
    session: u32,
    drugs: bool,
    kill: bool,
    prefixes: &[String],
    rng: &mut Rng,
) -> bool {
    let prefix = rng.pick(prefixes).clone();
    let year = 1935 + rng.range(0, 70);
    let (from, to) = (
        civil::days_from_civil(year, 1, 1) as i32,
        civil::days_from_civil(year + 15, 1, 1) as i32,
    );
    let tag = s.sink.tag();
    let mark = Mark { tag, session };
    let hits: Vec<u32> = s
        .world
        .search(&prefix, from..to, t)
        .into_iter()
        .filter(|r| FAMILIES[s.world.state(*r, t).0 as usize].starts_with(prefix.as_str()))
        .collect();
    let range = format!(
        "nom LIKE '{prefix}%' AND date_naissance >= '{year}-01-01' AND date_naissance < '{}-01-01'",
        year + 15
    );
    let (sql, cats): (String, Vec<Category>) = if drugs {
        (
            format!(
                "SELECT p.ipp, p.nom, p.prenom, d.medicament, d.date_disp FROM {TABLE} p JOIN public.dispensation d ON d.ipp = p.ipp WHERE p.{}",
                range.replace(" AND date", " AND p.date")
            ),
            vec![Category::IdLocal, Category::IdName],
        )
    } else if rng.chance(0.5) {
        (
            format!(
                "SELECT ipp, nom, prenom, sexe, date_naissance, adresse, telephone FROM {TABLE} WHERE {range}"
            ),
            vec![
                Category::IdLocal,
                Category::IdName,
                Category::IdSex,
                Category::IdDob,
                Category::ContactPostal,
                Category::ContactPhone,
            ],
        )
    } else {
        (
            format!("SELECT *\n  FROM {TABLE}\n WHERE {range}"),
            Category::ALL.to_vec(),
        )
    };
    b.query(&mut s.sink, t, mark, TABLE, &sql);
    let group = s.ledger.group();
    s.ledger.page(group, [tag, 0]);
    let shown = if kill { hits.len() * 2 / 5 } else { hits.len() };
    for rec in hits.iter().take(shown) {
        let r = s.world.records[*rec as usize].clone();
        if drugs && mix(u64::from(r.person)) % 10 >= 3 {
            // No dispensation: the join does not return this person. The logs cannot tell.
            continue;
        }
        let mut set = columns(s, *rec, t, &cats);
        let mut optional = s.world.implied(*rec);
        if drugs {
            set.insert(Category::HealthDrug);
            set.insert(Category::CareDate);
            optional.insert(Category::HealthState);
        }
        if set.contains(Category::IdNir) {
            optional.insert(Category::IdBirthplace);
        }
        let enumerable = !kill && !drugs && s.world.settled(*rec, t);
        s.ledger.touches.push(Touch {
            person: r.person,
            est: 0,
            cats: set,
            optional,
            level: Level::Consulted,
            t,
            session,
            group,
            enumerable,
        });
    }
    if kill {
        b.killed(&mut s.sink, t + 50_000, Mark { tag: 0, session }, &sql);
    }
    kill
}

fn by_number(s: &mut Stage, b: &mut Backend, t: Ms, session: u32, person: u32) {
    let rec = s.world.persons[person as usize].records[0];
    let ipp = s.world.records[rec as usize].ipp;
    let tag = s.sink.tag();
    b.query(
        &mut s.sink,
        t,
        Mark { tag, session },
        TABLE,
        &format!("SELECT * FROM {TABLE} WHERE ipp = '{ipp}'"),
    );
    let group = s.ledger.group();
    s.ledger.page(group, [tag, 0]);
    let mut cats = s.world.shown(rec, t);
    cats.remove(Category::IdLocal);
    let mut optional = s.world.implied(rec);
    optional.insert(Category::IdLocal);
    let enumerable = s.world.settled(rec, t);
    s.ledger.touches.push(Touch {
        person,
        est: 0,
        cats,
        optional,
        level: Level::Consulted,
        t,
        session,
        group,
        enumerable,
    });
    s.ledger.targeted.push((person, true));
}
