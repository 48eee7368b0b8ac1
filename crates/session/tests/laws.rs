//! Laws of sessions on hand-made events: one session per event, order and repetition change nothing, chains.
use ampleur_event::{
    Context, Event, EventBatch, LinkKind, Outcome, System, Verb,
    batch::NONE,
    time::{MINUTE, NO_TIME, SECOND},
};
use ampleur_session::{Column, FileIntake, List, Partial, Sessions};
use ampleur_sources::case::{Case, FileId};

const T0: i64 = 1_757_800_000 * SECOND;

/// A case of as many empty files, each its own source folder.
fn case(context: &str, folders: &[&str]) -> (tempfile::TempDir, Case) {
    let dir = tempfile::tempdir().unwrap();
    for f in folders {
        let at = dir.path().join("logs").join(f);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, "x\n").unwrap();
    }
    let case = Case::with_context(dir.path(), Context::parse(context).unwrap()).unwrap();
    (dir, case)
}

fn file(case: &Case, name: &str) -> FileId {
    case.files
        .iter()
        .position(|f| f.rel.ends_with(name))
        .unwrap() as FileId
}

fn build(case: &Case, files: &[(&str, &'static str, Vec<Event<'static>>)]) -> Sessions {
    let partials = files
        .iter()
        .map(|(name, format, events)| {
            let mut i = FileIntake::new(case, file(case, name), format);
            let mut b = EventBatch::default();
            events.iter().for_each(|e| b.push(e));
            i.push(&b);
            i.finish()
        })
        .collect();
    Sessions::build(case, partials)
}

fn web(
    t: i64,
    user: &'static str,
    ip: &'static str,
    ua: &'static str,
    url: String,
) -> Event<'static> {
    Event {
        time: T0 + t * SECOND,
        verb: Verb::Request,
        system: System::Web,
        user: user.into(),
        src_ip: ip.into(),
        device: ua.into(),
        url: url.into(),
        bytes_in: 100,
        status: 200,
        ..Event::default()
    }
}

#[test]
fn owner_and_intruder_on_one_account_in_one_minute_are_two_sessions() {
    let (_d, c) = case("", &["web/a.log"]);
    let mut v = vec![];
    for i in 0..40 {
        v.push(web(
            i * 3,
            "dupont",
            "10.1.1.1",
            "Mozilla/5.0 Firefox/120",
            format!("/p/{i}"),
        ));
        v.push(web(
            i * 3 + 1,
            "dupont",
            "198.51.100.9",
            "Mozilla/5.0 Firefox/120",
            format!("/q/{i}"),
        ));
        v.push(web(
            i * 3 + 2,
            "dupont",
            "10.1.1.1",
            "curl/8",
            format!("/r/{i}"),
        ));
    }
    let s = build(&c, &[("web/a.log", "http-access", v.clone())]);
    assert_eq!(s.list.len(), 3);
    for e in &v {
        let x = &s.list[s.of_event(0, e).unwrap() as usize];
        assert_eq!(x.origin.address.unwrap().to_string(), e.src_ip);
        assert_eq!(x.origin.device.as_deref(), Some(&*e.device));
    }
    assert!(
        s.list
            .iter()
            .all(|x| x.counts.requests == 40 && x.counts.bytes_out == 4000)
    );
}

/// What is kept of each session, its texts written out: their numbers depend on the order of the rows.
fn told(s: &Sessions) -> Vec<String> {
    let lists = [
        List::Devices,
        List::Programs,
        List::Destinations,
        List::Tokens,
    ];
    (0..s.list.len())
        .map(|i| {
            let f = &s.features[i];
            let hours: Vec<usize> = (0..168).filter(|h| f.has_hour(*h)).collect();
            let texts = lists.map(|l| s.texts_of(i, l).collect::<Vec<_>>());
            let counts = (
                f.files,
                f.break_glass,
                f.tampering,
                f.ports,
                f.set,
                f.logon_types,
            );
            format!("{texts:?} {hours:?} {counts:?} {:?} {:?}", f.asks, s.who(i))
        })
        .collect()
}

#[test]
fn threads_change_nothing() {
    let (_d, c) = case("", &["web/a.log", "web/b.log"]);
    const USERS: [&str; 4] = ["a", "b", "c", ""];
    let rows = |of: i64| -> Vec<Event<'static>> {
        (0..4000)
            .map(|i| {
                let mut e = web(i * 41, USERS[i as usize % 4], "", "Mozilla/5.0", "/".into());
                e.src_ip = format!("10.{of}.{}.{}", i % 7, i % 250).into();
                e
            })
            .collect()
    };
    let partials: Vec<_> = ["web/a.log", "web/b.log"]
        .into_iter()
        .enumerate()
        .map(|(of, name)| {
            let mut intake = FileIntake::new(&c, file(&c, name), "http-access");
            rows(of as i64).iter().for_each(|e| intake.take(e));
            intake.finish()
        })
        .collect();
    let one = Sessions::build_on(1, &c, partials.clone());
    assert!(one.list.len() > 1000);
    for threads in [2, 3, 8] {
        let many = Sessions::build_on(threads, &c, partials.clone());
        assert_eq!(one.list, many.list);
        assert_eq!(told(&one), told(&many));
        assert_eq!(one.links, many.links);
        assert_eq!(one.chains, many.chains);
    }
}

#[test]
fn order_files_and_repetition_change_nothing_but_the_count_of_events() {
    let (_d, c) = case("", &["web/a.log", "web/b.log", "web/c.log"]);
    let mut v: Vec<Event<'static>> = (0..300)
        .map(|i| {
            web(
                i * 97 % 20_000,
                ["a", "b", ""][i as usize % 3],
                ["10.0.0.1", "198.51.100.2"][i as usize % 2],
                "Mozilla/5.0",
                format!("/{i}"),
            )
        })
        .collect();
    v.sort_by_key(|e| e.time);
    let whole = build(&c, &[("web/a.log", "http-access", v.clone())]);
    let mut mixed = v.clone();
    mixed.reverse();
    mixed.rotate_left(77);
    let shuffled = build(&c, &[("web/a.log", "http-access", mixed)]);
    assert_eq!(whole.list, shuffled.list);
    assert_eq!(told(&whole), told(&shuffled));
    // Rotation: three files, read in any order.
    let rotated = build(
        &c,
        &[
            ("web/c.log", "http-access", v[200..].to_vec()),
            ("web/a.log", "http-access", v[..90].to_vec()),
            ("web/b.log", "http-access", v[90..200].to_vec()),
        ],
    );
    assert_eq!(whole.list, rotated.list);
    assert_eq!(whole.links, rotated.links);
    // Every line twice.
    let twice: Vec<Event<'static>> = v.iter().flat_map(|e| [e.clone(), e.clone()]).collect();
    let doubled = build(&c, &[("web/a.log", "http-access", twice)]);
    let plain = |s: &Sessions| {
        s.list
            .iter()
            .cloned()
            .map(|mut x| {
                x.counts.events = 0;
                x
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(plain(&whole), plain(&doubled));
    assert_eq!(
        doubled.list.iter().map(|x| x.counts.events).sum::<u64>(),
        600
    );
    // The whole file delivered again under another name.
    let copied = build(
        &c,
        &[
            ("web/a.log", "http-access", v.clone()),
            ("web/b.log", "http-access", v.clone()),
        ],
    );
    assert_eq!(plain(&whole), plain(&copied));
}

#[test]
fn every_row_with_an_account_or_address_has_exactly_one_session() {
    let (_d, c) = case("", &["web/a.log"]);
    let mut v: Vec<Event<'static>> = (0..50)
        .map(|i| web(i * 1500, "a", "10.0.0.1", "ua", format!("/{i}")))
        .collect();
    v.push(Event {
        verb: Verb::Request,
        src_ip: "10.0.0.1".into(),
        ..Event::default()
    });
    v.push(Event {
        time: T0,
        verb: Verb::Heartbeat,
        ..Event::default()
    });
    let s = build(&c, &[("web/a.log", "http-access", v.clone())]);
    let mut counted = vec![0u64; s.list.len()];
    for e in &v {
        match s.of_event(0, e) {
            Some(i) => counted[i as usize] += 1,
            None => assert_eq!(e.verb, Verb::Heartbeat),
        }
    }
    assert_eq!(
        counted,
        s.list.iter().map(|x| x.counts.events).collect::<Vec<_>>()
    );
    assert!(
        s.list
            .windows(2)
            .all(|w| (w[0].from, &w[0].id) < (w[1].from, &w[1].id))
    );
}

fn tunnel(
    t: i64,
    verb: Verb,
    id: &'static str,
    user: &'static str,
    from: &'static str,
    lent: &'static str,
    out: u64,
) -> Event<'static> {
    Event {
        time: T0 + t * SECOND,
        verb,
        system: System::Vpn,
        user: user.into(),
        src_ip: from.into(),
        inner_ip: lent.into(),
        session_id: id.into(),
        bytes_out: out,
        bytes_in: if out == NONE { NONE } else { 1 },
        ..Event::default()
    }
}

fn logon(
    t: i64,
    verb: Verb,
    host: &'static str,
    id: &'static str,
    user: &'static str,
    from: &'static str,
    kind: u64,
) -> Event<'static> {
    Event {
        time: T0 + t * SECOND,
        verb,
        system: System::Ad,
        domain: "CHU".into(),
        user: user.into(),
        src_ip: from.into(),
        session_id: id.into(),
        host: host.into(),
        logon_type: kind,
        outcome: Outcome::Success,
        ..Event::default()
    }
}

#[test]
fn a_tunnel_leads_to_the_logon_and_the_logon_to_the_share() {
    let context = "[[establishment]]\nid=\"e\"\nnetworks=[\"10.0.0.0/8\"]\n";
    let (_d, c) = case(context, &["vpn/a.log", "app/a.xml", "fs/a.xml"]);
    let vpn = vec![
        tunnel(
            0,
            Verb::TunnelUp,
            "77",
            "vendor",
            "198.51.100.9",
            "10.212.1.5",
            NONE,
        ),
        tunnel(
            600,
            Verb::TunnelStats,
            "77",
            "vendor",
            "198.51.100.9",
            "10.212.1.5",
            1000,
        ),
        tunnel(
            1200,
            Verb::TunnelStats,
            "77",
            "vendor",
            "198.51.100.9",
            "10.212.1.5",
            5000,
        ),
        tunnel(
            7200,
            Verb::TunnelDown,
            "77",
            "vendor",
            "198.51.100.9",
            "10.212.1.5",
            9000,
        ),
    ];
    let app = vec![
        // The machine's own account tells its address.
        logon(-5000, Verb::Login, "DC01", "0x10", "APP01$", "10.0.0.11", 3),
        logon(
            60,
            Verb::Login,
            "APP01.chu.example",
            "0x4a",
            "ext",
            "10.212.1.5",
            10,
        ),
        logon(
            7000,
            Verb::Logout,
            "APP01.chu.example",
            "0x4a",
            "ext",
            "",
            10,
        ),
    ];
    let fs = vec![
        logon(
            300,
            Verb::Login,
            "FS01.chu.example",
            "0x99",
            "svc_app",
            "10.0.0.11",
            3,
        ),
        Event {
            verb: Verb::FileRead,
            file_path: "a\\b.pdf".into(),
            ..logon(
                310,
                Verb::FileRead,
                "FS01.chu.example",
                "0x99",
                "svc_app",
                "",
                NONE,
            )
        },
        logon(
            320,
            Verb::Logout,
            "FS01.chu.example",
            "0x99",
            "svc_app",
            "",
            3,
        ),
        // Nobody is logged on any more.
        logon(
            40_000,
            Verb::Login,
            "FS01.chu.example",
            "0x9a",
            "svc_app",
            "10.0.0.11",
            3,
        ),
    ];
    let s = build(
        &c,
        &[
            ("vpn/a.log", "v", vpn),
            ("app/a.xml", "w", app),
            ("fs/a.xml", "w", fs),
        ],
    );
    let at = |host: &str, user: &str, n: usize| {
        s.list
            .iter()
            .enumerate()
            .filter(|(_, x)| {
                x.host.starts_with(host) && x.account.as_ref().is_some_and(|a| a.bare() == user)
            })
            .nth(n)
            .unwrap()
            .0 as u32
    };
    let (t, l, f, later) = (
        at("", "vendor", 0),
        at("APP01", "ext", 0),
        at("FS01", "svc_app", 0),
        at("FS01", "svc_app", 1),
    );
    assert_eq!(
        s.list[t as usize].counts.bytes_out, 9000,
        "running totals are never added"
    );
    assert!(s.list[t as usize].closed && s.list[t as usize].inner.is_some());
    assert_eq!(
        s.list[f as usize].counts.events, 3,
        "one logon id, one session"
    );
    assert_eq!(
        s.list[f as usize].origin.address.unwrap().to_string(),
        "10.0.0.11"
    );
    let link = |o, i| s.links.iter().find(|k| k.outer == o && k.inner == i);
    assert_eq!(link(t, l).unwrap().kind, LinkKind::TunnelAddress);
    assert_eq!(link(l, f).unwrap().kind, LinkKind::Hop);
    assert!(link(l, later).is_none());
    assert_eq!(s.chains[t as usize], s.chains[f as usize]);
    assert_ne!(s.chains[t as usize], s.chains[later as usize]);
}

#[test]
fn two_people_on_one_hop_host_leave_the_inner_session_undecided() {
    let (_d, c) = case("", &["app/a.xml", "fs/a.xml"]);
    let app = vec![
        logon(-5000, Verb::Login, "DC01", "0x10", "APP01$", "10.0.0.11", 3),
        logon(0, Verb::Login, "APP01", "0x1", "ext", "10.212.1.5", 10),
        logon(10, Verb::Login, "APP01", "0x2", "dupont", "10.1.1.9", 10),
        logon(7000, Verb::Logout, "APP01", "0x1", "ext", "", 10),
        logon(7000, Verb::Logout, "APP01", "0x2", "dupont", "", 10),
    ];
    let fs = vec![
        logon(300, Verb::Login, "FS01", "0x99", "svc_app", "10.0.0.11", 3),
        logon(400, Verb::Login, "FS01", "0x9b", "dupont", "10.0.0.11", 3),
    ];
    let s = build(&c, &[("app/a.xml", "w", app), ("fs/a.xml", "w", fs)]);
    let of = |user: &str| {
        s.list
            .iter()
            .position(|x| {
                &*x.host == "FS01" && x.account.as_ref().is_some_and(|a| a.bare() == user)
            })
            .unwrap() as u32
    };
    let (svc, own) = (of("svc_app"), of("dupont"));
    assert_eq!(s.ambiguous, vec![svc]);
    assert_eq!(
        s.links
            .iter()
            .filter(|l| l.inner == svc && l.certainty < 0.5)
            .count(),
        2
    );
    let mine: Vec<_> = s
        .links
        .iter()
        .filter(|l| l.inner == own && l.kind == LinkKind::Hop)
        .collect();
    assert_eq!(mine.len(), 1);
    assert!(
        s.list[mine[0].outer as usize]
            .account
            .as_ref()
            .is_some_and(|a| a.bare() == "dupont")
    );
}

#[test]
fn an_identity_provider_id_becomes_the_account_and_a_stolen_token_is_apart() {
    let (_d, c) = case(
        "[[person]]\nid=\"p:x\"\naccounts=[\"rpps:10101234567\",\"ad:CHU\\\\x\"]\n",
        &["idp/a.json", "audit/a.json", "web/a.log"],
    );
    let idp = |t: i64, verb, user: &'static str, ip: &'static str| Event {
        time: T0 + t * SECOND,
        verb,
        system: if user.is_empty() {
            System::Oidc
        } else {
            System::Rpps
        },
        user: user.into(),
        user_id: "51fc-uuid".into(),
        session_id: "sid-1".into(),
        src_ip: ip.into(),
        token: "jti-1".into(),
        ..Event::default()
    };
    let audit = |t: i64, ip: &'static str| Event {
        time: T0 + t * SECOND,
        verb: Verb::Search,
        system: System::Rpps,
        user: "10101234567".into(),
        src_ip: ip.into(),
        token: "jti-1".into(),
        query: format!("family=A{t}").into(),
        ..Event::default()
    };
    let s = build(
        &c,
        &[
            (
                "idp/a.json",
                "keycloak",
                vec![
                    idp(0, Verb::Login, "10101234567", "203.0.113.5"),
                    idp(1, Verb::Token, "", "203.0.113.5"),
                    idp(500, Verb::Token, "", "198.51.100.7"),
                ],
            ),
            (
                "audit/a.json",
                "fhir-auditevent",
                vec![
                    audit(10, "203.0.113.5"),
                    audit(20, "203.0.113.5"),
                    audit(510, "198.51.100.7"),
                ],
            ),
            (
                "web/a.log",
                "http-access",
                vec![
                    web(11, "", "203.0.113.5", "Mozilla/5.0", "/fhir/Patient".into()),
                    web(512, "", "198.51.100.7", "curl/8", "/fhir/Patient".into()),
                ],
            ),
        ],
    );
    assert!(s.list.iter().all(|x| x.person == Some(0)), "{:#?}", s.list);
    let chain = |ip: &str| {
        s.list
            .iter()
            .zip(&s.chains)
            .filter(|(x, _)| x.origin.address.unwrap().to_string() == ip)
            .map(|(_, c)| c.clone())
            .collect::<std::collections::BTreeSet<_>>()
    };
    let (a, b) = (chain("203.0.113.5"), chain("198.51.100.7"));
    assert_eq!((a.len(), b.len()), (1, 1));
    assert_ne!(a, b, "one token from two addresses joins nothing");
    assert!(
        s.links
            .iter()
            .any(|l| matches!(l.kind, LinkKind::Token | LinkKind::Sid) && l.certainty < 0.5),
        "but it is said"
    );
}

/// A session without an account has the one its user id names, when that is one person's: no service's, no realm's.
#[test]
fn an_id_of_many_names_nobody() {
    let (_d, c) = case("", &["ad/a.xml", "db/a.json"]);
    let row = |t: i64, system, user: &'static str, id: &'static str, ip: &'static str| Event {
        time: T0 + t * SECOND,
        verb: Verb::Process,
        system,
        user: user.into(),
        user_id: id.into(),
        src_ip: ip.into(),
        host: "srv".into(),
        ..Event::default()
    };
    let (ad, db) = (System::Ad, System::Db);
    let s = build(
        &c,
        &[
            (
                "ad/a.xml",
                "windows-security",
                vec![
                    row(0, ad, "marie", "S-1-5-18", "192.0.2.1"),
                    row(1, ad, "", "S-1-5-18", "192.0.2.2"),
                    row(2, ad, "marie", "S-1-5-21-1-2-3-1104", "192.0.2.1"),
                    row(3, ad, "", "S-1-5-21-1-2-3-1104", "192.0.2.3"),
                ],
            ),
            (
                "db/a.json",
                "elasticsearch-audit",
                vec![
                    row(4, db, "marie", "native1", "192.0.2.1"),
                    row(5, db, "paul", "native1", "192.0.2.4"),
                    row(6, db, "", "native1", "192.0.2.5"),
                ],
            ),
        ],
    );
    let at = |ip: &str| {
        let of =
            |x: &&ampleur_event::Session| x.origin.address.is_some_and(|a| a.to_string() == ip);
        let x = s.list.iter().find(of).expect("a session");
        x.account.as_ref().map(|a| a.name.clone())
    };
    assert_eq!(at("192.0.2.2"), None);
    assert_eq!(at("192.0.2.3").as_deref(), Some("marie"));
    assert_eq!(at("192.0.2.5"), None);
}

#[test]
fn an_id_that_comes_back_after_a_restart_is_another_session() {
    let (_d, c) = case("", &["fs/a.xml"]);
    let mut v = vec![
        logon(0, Verb::Login, "FS01", "0x99", "a", "10.0.0.11", 3),
        logon(10_000, Verb::Login, "FS01", "0x99", "a", "10.0.0.12", 3),
    ];
    let one = build(&c, &[("fs/a.xml", "w", v.clone())]);
    assert_eq!(one.list.len(), 1);
    v.push(Event {
        time: T0 + 5000 * SECOND,
        verb: Verb::Restart,
        host: "FS01".into(),
        ..Event::default()
    });
    let two = build(&c, &[("fs/a.xml", "w", v.clone())]);
    assert_eq!(two.list.len(), 2);
    assert_ne!(two.of_event(0, &v[0]), two.of_event(0, &v[1]));
}

#[test]
fn the_last_public_address_of_a_forwarding_chain_is_the_origin_behind_a_gateway() {
    let (_d, c) = case("", &["web/a.log"]);
    let via = |t: i64, src: &'static str, xff: &'static str| Event {
        forwarded: xff.into(),
        ..web(t, "u", src, "ua", format!("/{t}"))
    };
    let v = vec![
        via(0, "10.0.0.2", "198.51.100.7"),
        via(1, "10.0.0.2", "203.0.113.66, 198.51.100.8"),
        via(2, "198.51.100.9", "203.0.113.1"),
    ];
    let s = build(&c, &[("web/a.log", "http-access", v)]);
    let mut at: Vec<String> = s
        .list
        .iter()
        .map(|x| x.origin.address.unwrap().to_string())
        .collect();
    at.sort();
    assert_eq!(at, ["198.51.100.7", "198.51.100.8", "198.51.100.9"]);
    assert!(s.list.iter().all(|x| x.to - x.from < MINUTE));
}

/// Logins at an identity provider whose clock is off, and what each does at a web server that names nobody.
#[test]
fn a_login_whose_clock_is_off_keeps_its_requests() {
    let (_d, c) = case("", &["idp/a.log", "web/a.log"]);
    let users = ["u0", "u1", "u2", "u3", "u4", "u5"];
    let places = [
        "198.51.100.1",
        "198.51.100.2",
        "198.51.100.3",
        "198.51.100.4",
        "198.51.100.5",
        "198.51.100.6",
    ];
    let sids: Vec<&'static str> = (0..60)
        .map(|i| &*Box::leak(format!("s{i}").into()))
        .collect();
    let chained = |off: i64| {
        let (mut logins, mut asked) = (vec![], vec![]);
        for i in 0..60i64 {
            // At no fixed minute of the hour, as people come.
            let (who, t) = (i as usize % 6, i * 2000 + i * i * 131 % 1700);
            logins.push(Event {
                time: T0 + (t + off) * SECOND,
                verb: Verb::Login,
                system: System::Oidc,
                user: users[who].into(),
                src_ip: places[who].into(),
                session_id: sids[i as usize].into(),
                outcome: Outcome::Success,
                ..Event::default()
            });
            for k in 0..4 {
                let (t, url) = (t + 5 + i % 9 + k * 5, format!("/p/{k}"));
                asked.push(web(t, "", places[who], "Firefox/130", url));
            }
        }
        let s = build(
            &c,
            &[
                ("idp/a.log", "keycloak", logins),
                ("web/a.log", "http-access", asked),
            ],
        );
        let named = |i: usize| s.list[i].account.is_some();
        let web = (0..s.list.len()).filter(|i| s.list[*i].counts.requests > 0);
        let joined = web
            .clone()
            .filter(|i| {
                named(*i) && (0..s.list.len()).any(|j| j != *i && s.chains[j] == s.chains[*i])
            })
            .count();
        (
            s.skews.values().copied().collect::<Vec<_>>(),
            web.count(),
            joined,
        )
    };
    assert_eq!(chained(0), (vec![], 60, 60));
    let (skews, all, joined) = chained(-47 * 60);
    assert_eq!((all, joined), (60, 60));
    assert!((skews[0] - 47 * MINUTE).abs() <= MINUTE, "{skews:?}");
}

/// People who stay in their tunnels for hours: a clock 47 minutes off leaves most of what they do inside them all the same.
#[test]
fn the_clock_of_long_tunnels_is_told_by_the_few_outside() {
    let (_d, c) = case("", &["vpn/a.log", "web/a.log"]);
    let users = ["u0", "u1", "u2", "u3"];
    let inner = ["10.8.0.1", "10.8.0.2", "10.8.0.3", "10.8.0.4"];
    let ids: Vec<&'static str> = (0..48)
        .map(|i| &*Box::leak(format!("t{i}").into()))
        .collect();
    let skews = |off: i64| {
        let (mut tunnels, mut asked) = (vec![], vec![]);
        for i in 0..48i64 {
            let who = (i % 4) as usize;
            let (from, hours) = (i / 4 * 86_400 + i * 131 % 7_000, 8 + i % 3);
            for (t, verb) in [
                (from, Verb::TunnelUp),
                (from + hours * 3600, Verb::TunnelDown),
            ] {
                tunnels.push(Event {
                    time: T0 + (t + off) * SECOND,
                    verb,
                    system: System::Vpn,
                    user: users[who].into(),
                    src_ip: "198.51.100.7".into(),
                    inner_ip: inner[who].into(),
                    session_id: ids[i as usize].into(),
                    ..Event::default()
                });
            }
            // The first a moment after the tunnel is up, then one each half hour.
            for k in 0..hours * 2 {
                let t = from + 40 + i % 20 + k * 1_860;
                if t < from + hours * 3600 {
                    asked.push(web(
                        t,
                        users[who],
                        inner[who],
                        "Firefox/130",
                        format!("/p/{k}"),
                    ));
                }
            }
        }
        let s = build(
            &c,
            &[
                ("vpn/a.log", "openvpn", tunnels),
                ("web/a.log", "http-access", asked),
            ],
        );
        s.skews.values().copied().collect::<Vec<_>>()
    };
    assert!(skews(0).is_empty());
    for off in [-47 * 60, 47 * 60] {
        let told = skews(off);
        let right = told.len() == 1 && (told[0] + off * SECOND).abs() <= MINUTE;
        assert!(right, "{off}: {told:?}");
    }
}

/// A file server's process serves one client: a job and somebody else who use one account from one machine at the same time are two.
#[test]
fn two_connections_to_a_share_are_two_sessions() {
    let (_d, c) = case("", &["smb/a.log"]);
    let row = |t: i64, pid: u64, path: &'static str| Event {
        time: T0 + t * SECOND,
        verb: Verb::FileRead,
        system: System::Ad,
        domain: "CH".into(),
        user: "svc_lis".into(),
        src_ip: "10.60.40.11".into(),
        host: "fs1".into(),
        share: "labo".into(),
        file_path: path.into(),
        pid,
        outcome: Outcome::Success,
        ..Event::default()
    };
    let hour = 3600;
    // He is silent for forty minutes at a time; the job comes in between.
    let rows = vec![
        row(0, 71, "a"),
        row(40 * 60, 71, "b"),
        row(45 * 60, 99, "c"),
        row(50 * 60, 99, "d"),
        row(80 * 60, 71, "e"),
        row(30 * hour, 71, "f"),
    ];
    let s = build(&c, &[("smb/a.log", "samba-audit", rows)]);
    let mut said: Vec<(i64, u64)> = s
        .list
        .iter()
        .map(|x| ((x.to - x.from) / SECOND, x.counts.files))
        .collect();
    said.sort_unstable();
    assert_eq!(said, [(0, 1), (5 * 60, 2), (80 * 60, 3)]);
}

/// Gateways that number no tunnel: its end hours later ends the one that began.
#[test]
fn a_tunnel_without_a_number_is_one_session() {
    let (_d, c) = case("", &["vpn/a.log"]);
    let row = |t: i64, verb, inner: &'static str| Event {
        time: T0 + t * SECOND,
        verb,
        system: System::Vpn,
        user: "ext-lis".into(),
        src_ip: "203.0.113.9".into(),
        inner_ip: inner.into(),
        outcome: Outcome::Success,
        ..Event::default()
    };
    let rows = vec![
        row(0, Verb::TunnelUp, "10.212.134.8"),
        row(4 * 3600, Verb::TunnelDown, ""),
        row(6 * 3600, Verb::TunnelUp, "10.212.134.9"),
        row(7 * 3600, Verb::TunnelDown, ""),
    ];
    let s = build(&c, &[("vpn/a.log", "cisco-asa", rows)]);
    let said: Vec<(i64, i64, String)> = s
        .list
        .iter()
        .map(|x| {
            let inner = x.inner.map(|a| a.to_string()).unwrap_or_default();
            ((x.from - T0) / SECOND, (x.to - T0) / SECOND, inner)
        })
        .collect();
    assert_eq!(
        said,
        [
            (0, 4 * 3600, "10.212.134.8".to_string()),
            (6 * 3600, 7 * 3600, "10.212.134.9".to_string())
        ]
    );
}

const NAMES: [&str; 24] = [
    "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "b0", "b1", "b2", "b3", "b4", "b5",
    "b6", "b7", "b8", "b9", "c0", "c1", "c2", "c3",
];

#[test]
fn a_column_that_says_the_same_of_everybody_is_taken_out() {
    let (_d, c) = case("", &["web/a.log"]);
    let ask = |people: &[(&'static str, String)]| {
        let rows = people.iter().enumerate().map(|(i, (name, from))| {
            let mut e = web(i as i64 * 7_000, name, "", "Firefox/130", "/p".into());
            e.src_ip = from.clone().into();
            e
        });
        build(&c, &[("web/a.log", "http-access", rows.collect())])
    };
    let from = |place: &dyn Fn(usize) -> String| -> Vec<(&'static str, String)> {
        let all = NAMES.iter().enumerate();
        all.map(|(i, n)| (*n, place(i))).collect()
    };
    let columns = |s: &Sessions| s.alike.iter().map(|a| a.column).collect::<Vec<_>>();
    let addresses = |s: &Sessions| s.list.iter().filter_map(|x| x.origin.address).count();

    // A balancer, alone or one of two.
    let balanced = from(&|_| "10.0.5.9".into());
    let s = ask(&balanced);
    assert_eq!((columns(&s), addresses(&s)), (vec![Column::Address], 0));
    assert_eq!(s.alike[0].value, "10.0.5.9");
    let pair: Vec<_> = (0..4)
        .flat_map(|k| from(&move |i| format!("10.0.5.{}", (i + k) % 2 + 8)))
        .collect();
    assert_eq!(columns(&ask(&pair)), [Column::Address]);

    // Somebody from outside shows that addresses are told; so does a desk of each. A public address may be the exit of a hospital, and
    // few people may well be in one place.
    let mut stranger = balanced.clone();
    stranger.push(("a3", "198.51.100.9".into()));
    let few = || balanced.iter().take(5).cloned().cycle().take(40);
    for honest in [
        stranger,
        from(&|i| format!("10.0.5.{}", i + 1)),
        from(&|_| "198.51.100.7".into()),
        few().collect(),
    ] {
        let s = ask(&honest);
        assert_eq!((columns(&s), addresses(&s)), (vec![], s.list.len()));
    }

    // The last number taken from every address, and from all but one.
    let mut short = from(&|i| format!("198.51.{i}.0"));
    let s = ask(&short);
    assert_eq!((columns(&s), addresses(&s)), (vec![Column::Network], 0));
    short[4].1 = "198.51.4.7".into();
    assert_eq!(columns(&ask(&short)), []);

    // Every name replaced by one that is none; one account everybody lawfully has is a name.
    let named = |name: &'static str| -> Vec<(&'static str, String)> {
        let desks = from(&|i| format!("10.0.5.{}", i + 1)).into_iter();
        desks.map(|(_, at)| (name, at)).collect()
    };
    let s = ask(&named("anonymous"));
    assert_eq!(columns(&s), [Column::Name]);
    assert!(s.list.iter().all(|x| x.account.is_none()) && s.whos().len() <= 1);
    assert_eq!(columns(&ask(&named("accueil"))), []);
}

#[test]
fn a_gateway_all_come_to_from_one_address_tells_no_address() {
    let (_d, c) = case("", &["vpn/a.log"]);
    let ids: Vec<&'static str> = (0..24)
        .map(|i| &*Box::leak(format!("g{i}").into()))
        .collect();
    let s = |people: usize, from: &'static str| {
        let rows = (0..24).map(|i| {
            let name = NAMES[i % people];
            tunnel(
                i as i64 * 9_000,
                Verb::TunnelUp,
                ids[i],
                name,
                from,
                "10.8.0.4",
                NONE,
            )
        });
        build(&c, &[("vpn/a.log", "openvpn", rows.collect())])
    };
    let columns = |s: Sessions| s.alike.iter().map(|a| a.column).collect::<Vec<_>>();
    assert_eq!(columns(s(5, "198.51.100.7")), [Column::Address]);
    // Three people of one house.
    assert_eq!(columns(s(3, "198.51.100.7")), []);
    // Tunnels nobody's name stands in.
    let nameless = (0..24).map(|i| {
        let from = &*Box::leak(format!("198.51.100.{i}").into_boxed_str());
        tunnel(
            i as i64 * 9_000,
            Verb::TunnelUp,
            ids[i],
            "*****",
            from,
            "10.8.0.4",
            NONE,
        )
    });
    let nameless = build(&c, &[("vpn/a.log", "openvpn", nameless.collect())]);
    assert_eq!(columns(nameless), [Column::Name]);
}

#[test]
fn a_gateway_whose_dates_are_off_is_put_right() {
    let (_d, c) = case("", &["vpn/a.log", "web/a.log", "dpi/a.log"]);
    let inner = ["10.8.0.1", "10.8.0.2", "10.8.0.3", "10.8.0.4"];
    let ids: Vec<&'static str> = (0..40)
        .map(|i| &*Box::leak(format!("d{i}").into()))
        .collect();
    let built = |off: i64| {
        let (mut tunnels, mut asked, mut read) = (vec![], vec![], vec![]);
        for i in 0..40i64 {
            let who = (i % 4) as usize;
            let from = (i * 7) % 37 * 86_400 + i * 4_391 % 50_000;
            let (name, at, id) = (NAMES[who], inner[who], ids[i as usize]);
            for (t, verb) in [(from, Verb::TunnelUp), (from + 7_200, Verb::TunnelDown)] {
                tunnels.push(tunnel(t + off, verb, id, name, "198.51.100.7", at, NONE));
            }
            // Long after the tunnel is up: only that it lies inside tells.
            asked.push(web(from + 3_000, name, at, "Firefox/130", "/p".into()));
            read.push(web(from + 3_060, name, at, "Firefox/130", "/q".into()));
        }
        build(
            &c,
            &[
                ("vpn/a.log", "openvpn", tunnels),
                ("web/a.log", "http-access", asked),
                ("dpi/a.log", "http-access", read),
            ],
        )
    };
    const DAY_S: i64 = 86_400;
    for off in [0, 47 * 60, -47 * 60] {
        assert_eq!(built(off).days_off.len(), 0, "{off}");
    }
    for (off, days) in [
        (DAY_S, -1),
        (-DAY_S, 1),
        (2 * DAY_S, -2),
        (DAY_S + 2_840, -1),
    ] {
        let s = built(off);
        let gateway = c.source_of(file(&c, "vpn/a.log"));
        let told: Vec<(u32, i64)> = s.days_off.iter().map(|(s, by)| (*s, *by)).collect();
        assert_eq!(told, [(gateway, days * DAY_S * SECOND)], "{off}");
        // What was asked is laid to the tunnel it came out of.
        let opened = s.links.iter().filter(|l| {
            l.kind == LinkKind::TunnelAddress && s.list[l.outer as usize].source == gateway
        });
        let right = opened.filter(|l| {
            let (from, to) = s.on_date(l.outer as usize);
            let asked = s.list[l.inner as usize].from;
            from - 3_600 * SECOND <= asked && asked <= to + 3_600 * SECOND
        });
        let n = right.count();
        assert!(n >= 72, "{off}: {n} of 80 links");
    }
}

#[test]
fn a_log_delivered_into_two_folders_is_one_source() {
    let read = |case: &Case, files: &[(&str, &[Event<'static>])]| -> Vec<Partial> {
        (files.iter())
            .map(|(name, rows)| {
                let mut i = FileIntake::new(case, file(case, name), "http-access");
                rows.iter().for_each(|e| i.take(e));
                i.finish()
            })
            .collect()
    };
    let rows: Vec<Event<'static>> = (0..120)
        .map(|i| {
            let (who, from) = [("dupont", "10.1.1.1"), ("martin", "10.1.1.2")][i % 2];
            let t = i as i64 * 1000;
            web(t, who, from, "Mozilla/5.0 Firefox/120", format!("/p/{i}"))
        })
        .collect();
    let (_d, mut c) = case("", &["first/a.log", "second/a.log"]);
    let partials = read(&c, &[("first/a.log", &rows), ("second/a.log", &rows)]);
    let copies = ampleur_session::copies(&c, &partials);
    assert_eq!(copies.into_iter().collect::<Vec<_>>(), [(1, 0)]);
    c.join_sources(1, 0);
    let both = Sessions::build(&c, partials);
    let once = Sessions::build(&c, read(&c, &[("first/a.log", &rows)]));
    let seen = |s: &Sessions| -> Vec<_> {
        let of = |x: &ampleur_event::Session| (x.id, x.from, x.to, x.counts.requests);
        s.list.iter().map(of).collect()
    };
    assert_eq!(seen(&both), seen(&once));
    for e in &rows {
        assert_eq!(both.of_event(0, e), both.of_event(1, e));
    }
    // Two servers that one watchdog asks at the same times are two.
    let watched = |own: &'static str| -> Vec<Event<'static>> {
        let beat = |i: i64| web(i * 3600, "", "10.1.9.9", "check/1", "/up".into());
        let mut all: Vec<Event<'static>> = (0..40).map(beat).collect();
        all.extend((0..9).map(|i| web(i * 7200 + 60, own, "10.1.1.3", "x", format!("/{i}"))));
        all
    };
    let (_d, c) = case("", &["first/a.log", "second/a.log"]);
    let (a, b) = (watched("leroy"), watched("petit"));
    let partials = read(&c, &[("first/a.log", &a), ("second/a.log", &b)]);
    assert!(ampleur_session::copies(&c, &partials).is_empty());
}

/// Two people who come from one address one after the other, to a server that names nobody: whose each run is.
#[test]
fn people_who_use_one_address_by_turns_are_told_apart() {
    let (_d, c) = case("", &["idp/a.log", "web/a.log", "web/b.log"]);
    let login = |t: i64, user: &'static str| Event {
        time: T0 + t * SECOND,
        verb: Verb::Login,
        system: System::Oidc,
        user: user.into(),
        src_ip: "198.51.100.1".into(),
        session_id: format!("{user}-{t}").into(),
        outcome: Outcome::Success,
        ..Event::default()
    };
    let run = |from: i64, n: i64| -> Vec<Event<'static>> {
        (0..n)
            .map(|k| {
                web(
                    from + k,
                    "",
                    "198.51.100.1",
                    "curl/8",
                    format!("/p/{from}/{k}"),
                )
            })
            .collect()
    };
    let of = |logins: &[(i64, &'static str)], runs: &[(i64, i64)]| {
        let logins: Vec<_> = logins.iter().map(|(t, u)| login(*t, u)).collect();
        let runs: Vec<_> = runs.iter().map(|(t, n)| run(*t, *n)).collect();
        let idp = ("idp/a.log", "keycloak", logins);
        let rows = runs.concat();
        let whole = build(
            &c,
            &[idp.clone(), ("web/a.log", "http-access", rows.clone())],
        );
        // In files that were rotated in the midst of it nothing else is found.
        let (first, rest) = rows.split_at(17);
        let rotated = build(
            &c,
            &[
                ("web/b.log", "http-access", rest.to_vec()),
                idp,
                ("web/a.log", "http-access", first.to_vec()),
            ],
        );
        assert_eq!(whole.list, rotated.list);
        let mut asked: Vec<_> = (whole.list.iter())
            .filter(|s| s.counts.requests > 0)
            .map(|s| {
                let account = s.account.as_ref().map_or("-", |a| a.name.as_str());
                format!("{account} {}", s.counts.requests)
            })
            .collect();
        for e in &rows {
            let i = whole.of_event(file(&c, "web/a.log"), e).unwrap();
            let s = &whole.list[i as usize];
            assert!(s.from <= e.time && e.time <= s.to, "{s:?}");
        }
        asked.sort();
        asked
    };
    // Minutes from one run to the next.
    let m = 60;
    assert_eq!(
        of(&[(0, "a"), (14 * m, "b")], &[(2, 30), (14 * m + 3, 20)]),
        ["a 30", "b 20"]
    );
    assert_eq!(
        of(&[(0, "a"), (6 * m, "b")], &[(2, 30), (6 * m + 3, 20)]),
        ["a 30", "b 20"]
    );
    // Hardly a pause.
    assert_eq!(
        of(&[(0, "a"), (4 * m, "b")], &[(2, 30), (4 * m + 3, 20)]),
        ["- 50"]
    );
    // A third one, and the first again.
    assert_eq!(
        of(
            &[(0, "a"), (14 * m, "b"), (27 * m, "c"), (40 * m, "a")],
            &[(2, 30), (14 * m + 3, 20), (27 * m + 3, 10), (40 * m + 3, 5)]
        ),
        ["a 30", "a 5", "b 20", "c 10"]
    );
    // Whoever goes on later without coming anew may be either.
    assert_eq!(
        of(
            &[(0, "a"), (14 * m, "b")],
            &[(2, 30), (14 * m + 3, 20), (26 * m, 7)]
        ),
        ["- 27", "a 30"]
    );
    // Two at once, two who come together, and one who came long before he asks: nobody can say.
    assert_eq!(
        of(&[(0, "a"), (60, "b")], &[(2, 30), (14 * m + 3, 20)]),
        ["- 50"]
    );
    assert_eq!(
        of(
            &[(0, "a"), (14 * m, "b"), (14 * m, "c")],
            &[(2, 30), (14 * m + 3, 20)]
        ),
        ["- 50"]
    );
    assert_eq!(
        of(&[(0, "a"), (9 * m, "b")], &[(2, 30), (14 * m + 3, 20)]),
        ["- 50"]
    );
    // At the exit of many it may be anybody's.
    assert_eq!(
        of(
            &[(-40 * m, "d"), (-30 * m, "e"), (0, "a"), (14 * m, "b")],
            &[(2, 30), (14 * m + 3, 20)]
        ),
        ["- 50"]
    );
    // The same one again is one use.
    assert_eq!(
        of(&[(0, "a"), (14 * m, "a")], &[(2, 30), (14 * m + 3, 20)]),
        ["a 50"]
    );
}

/// A line of a bastion about one visit.
fn visit(
    t: i64,
    verb: Verb,
    id: &'static str,
    from: &'static str,
    to: &'static str,
) -> Event<'static> {
    Event {
        time: T0 + t * SECOND,
        verb,
        outcome: Outcome::Success,
        system: System::Bastion,
        user: "vendor".into(),
        src_ip: from.into(),
        session_id: id.into(),
        target: to.into(),
        ..Event::default()
    }
}

/// The session of `user` on `host` that begins the n-th.
fn nth(s: &Sessions, host: &str, user: &str, n: usize) -> u32 {
    let mut found =
        s.list.iter().enumerate().filter(|(_, x)| {
            &*x.host == host && x.account.as_ref().is_some_and(|a| a.bare() == user)
        });
    found.nth(n).unwrap().0 as u32
}

/// What opened a session, surely.
fn opened_by(s: &Sessions, inner: u32) -> Vec<u32> {
    let hops = s.links.iter().filter(|l| {
        l.inner == inner
            && l.certainty >= 0.5
            && matches!(l.kind, LinkKind::Hop | LinkKind::TunnelAddress)
    });
    hops.map(|l| l.outer).collect()
}

#[test]
fn two_visitors_of_one_bastion_are_told_apart_by_beginnings_and_ends() {
    let context = "[[establishment]]\nid=\"e\"\nnetworks=[\"10.0.0.0/8\"]\n";
    let (_d, c) = case(context, &["bastion/a.log", "app/a.xml"]);
    // The second visitor comes while the first is there, and leaves earlier.
    let bastion = vec![
        visit(0, Verb::Login, "1", "192.0.2.14", "ext"),
        visit(600, Verb::Login, "2", "198.51.100.9", "ext"),
        visit(5000, Verb::Logout, "2", "198.51.100.9", "ext"),
        visit(9000, Verb::Logout, "1", "192.0.2.14", "ext"),
    ];
    let app = vec![
        logon(90, Verb::Login, "APP01", "0x1", "ext", "10.0.0.50", 10),
        logon(690, Verb::Login, "APP01", "0x2", "ext", "10.0.0.50", 10),
        // Minutes after both came: only the end tells whose it is.
        logon(1500, Verb::Login, "APP01", "0x3", "ext", "10.0.0.50", 10),
        logon(4990, Verb::Logout, "APP01", "0x2", "ext", "", 10),
        logon(8980, Verb::Logout, "APP01", "0x1", "ext", "", 10),
        logon(8990, Verb::Logout, "APP01", "0x3", "ext", "", 10),
    ];
    let s = build(
        &c,
        &[("bastion/a.log", "b", bastion), ("app/a.xml", "w", app)],
    );
    let (first, second) = (nth(&s, "", "vendor", 0), nth(&s, "", "vendor", 1));
    let on = |n| nth(&s, "APP01", "ext", n);
    assert_eq!(opened_by(&s, on(0)), [first]);
    assert_eq!(opened_by(&s, on(1)), [second]);
    assert_eq!(opened_by(&s, on(2)), [first]);
    assert_eq!(s.chains[on(0) as usize], s.chains[on(2) as usize]);
    assert_ne!(s.chains[on(0) as usize], s.chains[on(1) as usize]);
}

#[test]
fn a_bastion_that_does_not_say_where_it_leads_is_followed() {
    let context = "[[establishment]]\nid=\"e\"\nnetworks=[\"10.0.0.0/8\"]\n";
    let (_d, c) = case(context, &["bastion/a.log", "app/a.xml"]);
    // The login tells the address, the connection and its end only the account.
    let (mut bastion, mut app) = (vec![], vec![]);
    const PEOPLE: [&str; 2] = ["192.0.2.14", "198.51.100.9"];
    const IDS: [&str; 8] = ["0x1", "0x2", "0x3", "0x4", "0x5", "0x6", "0x7", "0x8"];
    for k in 0..4usize {
        let t = k as i64 * 90_000 + [0, 7_000, 3_000, 11_000][k];
        bastion.push(visit(t, Verb::Login, "", PEOPLE[k % 2], ""));
        bastion.push(visit(t + 1, Verb::Connect, "", "", ""));
        bastion.push(visit(t + 5_000, Verb::Disconnect, "", "", ""));
        app.push(logon(
            t + 90,
            Verb::Login,
            "APP01",
            IDS[k],
            "ext",
            "10.0.0.50",
            10,
        ));
        app.push(logon(
            t + 4_990,
            Verb::Logout,
            "APP01",
            IDS[k],
            "ext",
            "",
            10,
        ));
        // Somebody at a desk, who has nothing to do with it.
        let own = IDS[k + 4];
        app.push(logon(
            k as i64 * 90_000 + 40_000,
            Verb::Login,
            "APP01",
            own,
            "dupont",
            "10.0.0.51",
            10,
        ));
    }
    let s = build(
        &c,
        &[
            ("bastion/a.log", "b", bastion.clone()),
            ("app/a.xml", "w", app.clone()),
        ],
    );
    for n in 0..4 {
        let [by] = opened_by(&s, nth(&s, "APP01", "ext", n))[..] else {
            panic!("one visit opened it");
        };
        let from = s.list[by as usize].origin.address.unwrap().to_string();
        assert_eq!(from, PEOPLE[n % 2]);
        assert!(opened_by(&s, nth(&s, "APP01", "dupont", n)).is_empty());
    }
    // All of a visit is one chain, lines without an address too.
    let chains: std::collections::BTreeSet<_> = (s.list.iter().zip(&s.chains))
        .filter(|(x, _)| &*x.host != "APP01")
        .map(|(_, c)| c.clone())
        .collect();
    assert_eq!(chains.len(), 4);
    // One visit alone proves nothing of the address: what follows it stays in doubt.
    let s = build(
        &c,
        &[
            ("bastion/a.log", "b", bastion[..3].to_vec()),
            ("app/a.xml", "w", app[..2].to_vec()),
        ],
    );
    let logon = nth(&s, "APP01", "ext", 0);
    assert!(opened_by(&s, logon).is_empty());
    assert_eq!(s.ambiguous, [logon]);
    assert!(
        s.links
            .iter()
            .any(|l| l.inner == logon && l.certainty >= 0.4)
    );
}

#[test]
fn a_gateway_goes_on_under_the_account_somebody_came_with() {
    let context = "[[establishment]]\nid=\"e\"\nnetworks=[\"10.0.0.0/8\"]\n";
    let (_d, c) = case(context, &["gw/a.xml", "app/a.xml"]);
    let line = |t, verb, from: &'static str, target: &'static str| Event {
        target: target.into(),
        ..logon(t, verb, "GW01", "", "ext", from, NONE)
    };
    let gw = vec![
        line(0, Verb::Login, "192.0.2.14", "ext"),
        line(2_400, Verb::Login, "198.51.100.9", "ext"),
        line(9_000, Verb::Logout, "192.0.2.14", ""),
        line(12_000, Verb::Logout, "198.51.100.9", ""),
    ];
    let app = vec![
        logon(1, Verb::Login, "APP01", "0x1", "ext", "10.0.0.12", 10),
        logon(2_401, Verb::Login, "APP01", "0x2", "ext", "10.0.0.12", 10),
        logon(8_999, Verb::Logout, "APP01", "0x1", "ext", "", 10),
        logon(11_999, Verb::Logout, "APP01", "0x2", "ext", "", 10),
    ];
    let s = build(&c, &[("gw/a.xml", "w", gw), ("app/a.xml", "w", app)]);
    for n in 0..2 {
        assert_eq!(
            opened_by(&s, nth(&s, "APP01", "ext", n)),
            [nth(&s, "GW01", "ext", n)]
        );
    }
    let of = |host, n| &s.chains[nth(&s, host, "ext", n) as usize];
    assert_eq!(of("GW01", 0), of("GW01", 2), "a visit and its end");
    assert_ne!(of("GW01", 0), of("GW01", 1));
}

#[test]
fn what_began_before_somebody_came_to_a_machine_is_not_opened_from_there() {
    let (_d, c) = case("", &["vpn/a.log", "app/a.xml", "adm/a.xml"]);
    let vpn = vec![
        tunnel(
            0,
            Verb::TunnelUp,
            "1",
            "vendor",
            "192.0.2.14",
            "10.212.1.5",
            NONE,
        ),
        tunnel(
            1_200,
            Verb::TunnelUp,
            "2",
            "vendor",
            "198.51.100.9",
            "10.212.1.6",
            NONE,
        ),
        tunnel(
            9_000,
            Verb::TunnelDown,
            "1",
            "vendor",
            "192.0.2.14",
            "10.212.1.5",
            9,
        ),
        tunnel(
            12_000,
            Verb::TunnelDown,
            "2",
            "vendor",
            "198.51.100.9",
            "10.212.1.6",
            9,
        ),
    ];
    let app = vec![
        logon(
            -5_000,
            Verb::Login,
            "DC01",
            "0x10",
            "APP01$",
            "10.0.0.11",
            3,
        ),
        logon(60, Verb::Login, "APP01", "0x1", "ext", "10.212.1.5", 10),
        logon(1_260, Verb::Login, "APP01", "0x2", "ext", "10.212.1.6", 10),
        logon(8_980, Verb::Logout, "APP01", "0x1", "ext", "", 10),
        logon(11_980, Verb::Logout, "APP01", "0x2", "ext", "", 10),
    ];
    let adm = vec![
        logon(120, Verb::Login, "ADM02", "0x3", "ext", "10.0.0.11", 10),
        logon(1_320, Verb::Login, "ADM02", "0x4", "ext", "10.0.0.11", 10),
        logon(8_950, Verb::Logout, "ADM02", "0x3", "ext", "", 10),
        logon(11_950, Verb::Logout, "ADM02", "0x4", "ext", "", 10),
    ];
    let files = [
        ("vpn/a.log", "v", vpn),
        ("app/a.xml", "w", app),
        ("adm/a.xml", "w", adm),
    ];
    let s = build(&c, &files);
    for n in 0..2 {
        assert_eq!(
            opened_by(&s, nth(&s, "ADM02", "ext", n)),
            [nth(&s, "APP01", "ext", n)]
        );
    }
    let chain = |n| &s.chains[nth(&s, "ADM02", "ext", n) as usize];
    assert_ne!(chain(0), chain(1));
}

#[test]
fn a_shell_is_one_session_and_what_is_done_from_its_machine_is_a_hop() {
    let context = "[[job]]\naccount=\"ad:svc_app\"\nhost=\"APP01\"\nprogram=\"x\"\nhours=\"daily 01:00-01:30\"\n\
                   [[account]]\nname=\"ad:svc_app\"\nnetworks=[\"10.0.0.11/32\"]\n";
    let (_d, c) = case(context, &["linux/a.log", "fs/a.xml"]);
    // Only the first line of a connection has the address.
    let line = |t, verb, from: &'static str| Event {
        session_id: "".into(),
        domain: "".into(),
        process: "sshd".into(),
        pid: 4711,
        ..logon(t, verb, "app01", "", "ext", from, NONE)
    };
    let shell = vec![
        line(0, Verb::Login, "10.212.1.5"),
        line(0, Verb::Login, ""),
        line(9_000, Verb::Logout, ""),
    ];
    let fs = vec![logon(
        500,
        Verb::Login,
        "FS01",
        "0x99",
        "svc_app",
        "10.0.0.11",
        3,
    )];
    let s = build(&c, &[("linux/a.log", "l", shell), ("fs/a.xml", "w", fs)]);
    let shell = nth(&s, "app01", "ext", 0);
    let x = &s.list[shell as usize];
    assert_eq!((x.counts.events, x.closed), (3, true));
    assert_eq!(x.origin.address.unwrap().to_string(), "10.212.1.5");
    assert_eq!(opened_by(&s, nth(&s, "FS01", "svc_app", 0)), [shell]);
}

#[test]
fn a_number_of_a_file_server_s_process_that_comes_back_is_another_session() {
    let (_d, c) = case("", &["fs/a.log"]);
    let line = |t, verb| Event {
        share: "\\\\fs01\\share".into(),
        pid: 4229,
        ..logon(t, verb, "fs01", "", "svc_app", "10.0.0.11", NONE)
    };
    let rows = vec![
        line(0, Verb::ShareConnect),
        line(60, Verb::FileRead),
        line(200, Verb::Logout),
        line(7_600, Verb::ShareConnect),
        line(7_660, Verb::FileRead),
    ];
    assert_eq!(build(&c, &[("fs/a.log", "s", rows)]).list.len(), 2);
}

#[test]
fn shells_of_two_processes_of_sshd_are_two_sessions_however_the_rows_come() {
    let (_d, c) = case("", &["linux/a.log"]);
    // Only the first line of each has the address: the others differ by the number of the process alone.
    let line = |t, verb, pid, from: &'static str| Event {
        process: "sshd".into(),
        pid,
        ..logon(t, verb, "app01", "", "mdupont", from, NONE)
    };
    let rows = vec![
        line(0, Verb::Login, 100, "10.0.0.5"),
        line(5, Verb::Login, 200, "203.0.113.9"),
        line(6, Verb::Login, 100, ""),
        line(7, Verb::Login, 200, ""),
        line(900, Verb::Logout, 100, ""),
        line(1_000, Verb::Logout, 200, ""),
    ];
    for size in 1..=rows.len() {
        let mut i = FileIntake::new(&c, file(&c, "linux/a.log"), "l");
        for part in rows.chunks(size) {
            let mut b = EventBatch::default();
            part.iter().for_each(|e| b.push(e));
            i.push(&b);
        }
        let s = Sessions::build(&c, vec![i.finish()]);
        assert_eq!(s.list.len(), 2);
        for e in &rows {
            let x = &s.list[s.of_event(0, e).unwrap() as usize];
            let from = if e.pid == 100 {
                "10.0.0.5"
            } else {
                "203.0.113.9"
            };
            assert_eq!(x.origin.address.unwrap().to_string(), from);
            assert_eq!((x.counts.events, x.closed), (3, true), "{size} at a time");
        }
    }
}

#[test]
fn what_has_no_time_is_opened_by_nobody_and_opens_nothing() {
    let context = "[[establishment]]\nid=\"e\"\nnetworks=[\"10.0.0.0/8\"]\n";
    let files = [
        "bastion/a.log",
        "gw/a.xml",
        "app/a.xml",
        "vpn/a.log",
        "flow/a.log",
    ];
    let (_d, c) = case(context, &files);
    let gateway = |t, verb, from: &'static str, target: &'static str| Event {
        target: target.into(),
        ..logon(t, verb, "GW01", "", "ext", from, NONE)
    };
    let flow = |t, from: &'static str, to: &'static str| Event {
        time: T0 + t * SECOND,
        verb: Verb::Flow,
        src_ip: from.into(),
        dst_ip: to.into(),
        dst_port: 3389,
        duration_ms: 5_000,
        ..Event::default()
    };
    let timed = [
        vec![
            visit(0, Verb::Login, "1", "192.0.2.14", "ext"),
            visit(9_000, Verb::Logout, "1", "192.0.2.14", "ext"),
            visit(20_000, Verb::Login, "", "198.51.100.9", "ext"),
            visit(20_001, Verb::Connect, "", "", ""),
        ],
        vec![
            gateway(40_000, Verb::Login, "192.0.2.14", "ext"),
            gateway(49_000, Verb::Logout, "192.0.2.14", ""),
        ],
        vec![
            logon(-5_000, Verb::Login, "DC01", "0x9", "APP01$", "10.0.0.11", 3),
            logon(90, Verb::Login, "APP01", "0x1", "ext", "10.0.0.50", 10),
            logon(8_990, Verb::Logout, "APP01", "0x1", "ext", "", 10),
            logon(40_001, Verb::Login, "APP01", "0x2", "ext", "10.0.0.12", 10),
            logon(95, Verb::Login, "FS01", "0x3", "svc", "10.0.0.11", 3),
            logon(60_030, Verb::Login, "APP01", "0x4", "ext", "10.8.0.2", 10),
        ],
        vec![
            tunnel(
                60_000,
                Verb::TunnelUp,
                "7",
                "ext",
                "192.0.2.14",
                "10.8.0.2",
                NONE,
            ),
            tunnel(
                69_000,
                Verb::TunnelDown,
                "7",
                "ext",
                "192.0.2.14",
                "10.8.0.2",
                9,
            ),
        ],
        vec![flow(91, "10.0.0.11", "10.0.0.12")],
    ];
    // The same once more, each under another id and without a time.
    let all: Vec<Vec<Event<'static>>> = (timed.iter())
        .map(|rows| {
            let mut all = rows.clone();
            // Where an address is the key, a row without a time belongs to the one that has a time.
            let others = rows
                .iter()
                .filter(|e| e.host != "GW01" || e.verb == Verb::Login);
            for (n, e) in others.enumerate() {
                let id = match &*e.session_id {
                    "" => String::new(),
                    id => format!("{id}{n}"),
                };
                all.push(Event {
                    time: NO_TIME,
                    session_id: id.into(),
                    ..e.clone()
                });
            }
            all
        })
        .collect();
    let of = |rows: &[Vec<Event<'static>>]| {
        let named = files.iter().zip(["b", "w", "w", "v", "f"]).zip(rows);
        let named: Vec<_> = named.map(|((f, k), r)| (*f, k, r.clone())).collect();
        build(&c, &named)
    };
    let links = |s: &Sessions| -> Vec<String> {
        let id = |i: u32| &s.list[i as usize].id;
        let told = |l: &ampleur_event::Link| {
            (s.list[l.outer as usize].from != NO_TIME && s.list[l.inner as usize].from != NO_TIME)
                .then(|| {
                    format!(
                        "{} {} {:?} {}",
                        id(l.outer),
                        id(l.inner),
                        l.kind,
                        l.certainty
                    )
                })
        };
        let mut out: Vec<String> = s.links.iter().filter_map(told).collect();
        out.sort();
        out
    };
    let (with, without) = (of(&all), of(&timed));
    assert_eq!(links(&with), links(&without));
    for l in &with.links {
        let (a, b) = (&with.list[l.outer as usize], &with.list[l.inner as usize]);
        let hop = matches!(l.kind, LinkKind::Hop | LinkKind::TunnelAddress);
        assert!(
            !hop || a.from != NO_TIME && b.from != NO_TIME,
            "{:?} opens {:?}",
            a.account,
            b.account
        );
    }
    let on = |s: &Sessions, n| opened_by(s, nth(s, "APP01", "ext", n)).len();
    assert_eq!(on(&without, 0), 1, "a bastion leads on");
}

/// A log that writes each machine it leads to where others write their own name (Teleport).
#[test]
fn a_bastion_that_goes_by_many_names_is_followed_from_each() {
    const NAMES: i64 = 60;
    const OTHERS: i64 = 3_000;
    let context = "[[establishment]]\nid=\"e\"\nnetworks=[\"10.0.0.0/8\"]\n";
    let (_d, c) = case(context, &["bastion/a.log", "app/a.xml"]);
    let (mut bastion, mut app) = (vec![], vec![]);
    for k in 0..NAMES {
        let t = k * 40_000;
        // Every other one does not say under which account it goes on; three comings prove where from.
        let silent = k % 2 == 1;
        let comings = if silent { 3 } else { 1 };
        for n in 0..comings {
            let t = t + n * 9_000;
            let id = format!("{k}-{n}");
            let target = if silent {
                String::new()
            } else {
                format!("ext{k}")
            };
            for (verb, t) in [(Verb::Login, t), (Verb::Logout, t + 3_000)] {
                bastion.push(Event {
                    session_id: id.clone().into(),
                    target: target.clone().into(),
                    host: format!("node{k}").into(),
                    ..visit(t, verb, "", "192.0.2.14", "")
                });
            }
            for (verb, t) in [(Verb::Login, t + 20), (Verb::Logout, t + 2_990)] {
                app.push(Event {
                    session_id: format!("0x{k:x}{n}").into(),
                    user: format!("ext{k}").into(),
                    src_ip: format!("10.0.{k}.{}", 50 + i64::from(silent)).into(),
                    ..logon(t, verb, "APP01", "", "", "", 10)
                });
            }
        }
    }
    for n in 0..OTHERS {
        app.push(Event {
            session_id: format!("0xf{n:05x}").into(),
            user: format!("u{}", n % 500).into(),
            src_ip: format!("10.1.{}.{}", n % 250, n / 250).into(),
            ..logon(
                n * NAMES * 40_000 / OTHERS,
                Verb::Login,
                "APP02",
                "",
                "",
                "",
                3,
            )
        });
    }
    let s = build(
        &c,
        &[("bastion/a.log", "b", bastion), ("app/a.xml", "w", app)],
    );
    for k in 0..NAMES {
        for n in 0..if k % 2 == 1 { 3 } else { 1 } {
            let by = opened_by(&s, nth(&s, "APP01", &format!("ext{k}"), n));
            assert_eq!(by, [nth(&s, &format!("node{k}"), "vendor", n)]);
        }
    }
}
