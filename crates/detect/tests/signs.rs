//! Small cases written by hand, one law each: what must not make a use lawful, and what must not accuse its neighbours.
use ampleur_detect::Word;
use ampleur_event::{Session, SessionVerdict, session::Judgement, time::NO_TIME};
use ampleur_testkit::{
    mmdb::{self, Value},
    trial,
};
use jiff::{ToSpan, civil::DateTime};
use std::{fmt::Write, path::Path};

const MINUTES_A_DAY: i64 = 24 * 60;

fn at(minute: i64) -> DateTime {
    jiff::civil::date(2025, 6, 2).at(0, 0, 0, 0) + minute.minutes()
}

/// A database's log: connections with their statements, minutes since the first day began.
#[derive(Default)]
struct Database {
    lines: Vec<(i64, String)>,
    connections: i64,
}

impl Database {
    fn connection(
        &mut self,
        user: &str,
        host: &str,
        program: &str,
        (from, to): (i64, i64),
        statements: &[(i64, &str)],
    ) {
        self.connections += 1;
        let pid = 2000 + self.connections;
        let mut n = 0;
        let mut line = |minute: i64, tag: &str, message: &str| {
            n += 1;
            let (t, start) = (
                at(minute).strftime("%Y-%m-%d %H:%M:%S"),
                at(from).strftime("%Y-%m-%d %H:%M:%S"),
            );
            let text = message.replace('"', "\"\"");
            self.lines.push((minute, format!(
                "{t}.000 CEST,\"{user}\",\"dpi\",{pid},\"{host}:40022\",{:x}.{pid:x},{n},\"{tag}\",{start} CEST,3/0,0,LOG,00000,\"{text}\",,,,,,,,,,\"{program}\",\"client backend\",,0",
                0x683f_0000 + from * 60
            )));
        };
        line(
            from,
            "authentication",
            &format!("connection authorized: user={user} database=dpi application_name={program}"),
        );
        for (k, (minute, sql)) in statements.iter().enumerate() {
            let sql = format!(
                "AUDIT: SESSION,{},1,READ,SELECT,TABLE,public.patient,\"{sql}\",<none>",
                k + 1
            );
            line(*minute, "SELECT", &sql);
        }
        line(
            to,
            "idle",
            &format!(
                "disconnection: session time: 0:10:00.000 user={user} database=dpi host={host} port=40022"
            ),
        );
    }
    /// The application's own connections: from early to late every day, one record at a time.
    fn front_end(&mut self, days: i64) {
        for day in 0..days {
            let from = day * MINUTES_A_DAY + 6 * 60 + day % 7;
            let asked: Vec<(i64, String)> = (0..24)
                .map(|k| {
                    let n = 100_000 + (day * 7919 + k * 104_729) % 9000;
                    (
                        from + 30 + k * 35,
                        format!("SELECT nom FROM public.patient WHERE ipp = '{n}'"),
                    )
                })
                .collect();
            let asked: Vec<(i64, &str)> = asked.iter().map(|(t, q)| (*t, q.as_str())).collect();
            self.connection(
                "dpi_app",
                "10.60.40.22",
                "DpiFront",
                (from, from + 17 * 60),
                &asked,
            );
        }
    }
    fn write(mut self, case: &Path) {
        self.lines.sort_by_key(|l| l.0);
        let text: Vec<String> = self.lines.into_iter().map(|l| l.1).collect();
        put(case, "logs/db/postgresql.csv", text.join("\n") + "\n");
    }
}

fn put(case: &Path, file: &str, content: impl AsRef<[u8]>) {
    let file = case.join(file);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, content).unwrap();
}

const ESTABLISHMENT: &str = "version = 1\ntimezone = \"Europe/Paris\"\nhome_countries = [\"FR\"]\n\
    [[establishment]]\nid = \"finess:590780193\"\nname = \"CH\"\nnetworks = [\"10.60.0.0/16\"]\n";

/// Judges a case folder; what was said of each session `of` picks.
fn judged(case: &Path, of: &dyn Fn(&Session) -> bool) -> Vec<(Session, Judgement)> {
    judged_on(case, &Word::default(), of)
}

/// The same with the analyst's word.
fn judged_on(case: &Path, word: &Word, of: &dyn Fn(&Session) -> bool) -> Vec<(Session, Judgement)> {
    let ran = trial::run(case, word).unwrap();
    let all = ran.sessions.list.iter().zip(&ran.judged.judgements);
    let out: Vec<_> = all
        .filter(|(s, _)| of(s))
        .map(|(s, j)| (s.clone(), j.clone()))
        .collect();
    assert!(!out.is_empty(), "no such session");
    out
}

fn account(s: &Session) -> String {
    s.account
        .as_deref()
        .map(ToString::to_string)
        .unwrap_or_default()
}
fn from(s: &Session, address: &str) -> bool {
    s.origin.address.is_some_and(|a| a.to_string() == address)
}
fn has(j: &Judgement, code: &str) -> bool {
    j.reasons.iter().any(|r| r.code == code)
}
fn said(list: &[(Session, Judgement)]) -> String {
    let mut out = String::new();
    for (s, j) in list {
        let reasons: Vec<String> = j
            .reasons
            .iter()
            .map(|r| format!("{}{:+.1}", r.code, r.weight))
            .collect();
        writeln!(
            out,
            "{} {:?} {} {:?} {}",
            account(s),
            s.origin.address,
            j.score,
            j.verdict,
            reasons.join(" ")
        )
        .unwrap();
    }
    out
}

const BULK: &[&str] = &[
    "SELECT nom, nir FROM public.patient WHERE nom LIKE 'DU%'",
    "SELECT nom, nir FROM public.patient WHERE nom LIKE 'MA%'",
    "SELECT nom, nir FROM public.patient WHERE nom LIKE 'BE%'",
    "SELECT nom, nir FROM public.patient WHERE nom LIKE 'LE%'",
    "SELECT nom, nir FROM public.patient WHERE nom LIKE 'RO%'",
];
/// Minutes of the day at which a thief comes.
const WHENEVER: &[i64] = &[787, 1360, 195, 710, 873, 142, 1205, 1008, 925];

fn theft(
    db: &mut Database,
    user: &str,
    host: &str,
    program: &str,
    days: std::ops::Range<i64>,
) -> Vec<i64> {
    let mut starts = vec![];
    for day in days {
        let begin = day * MINUTES_A_DAY + WHENEVER[day as usize % WHENEVER.len()];
        let asked: Vec<(i64, &str)> = BULK
            .iter()
            .enumerate()
            .map(|(k, q)| (begin + 2 + 4 * k as i64, *q))
            .collect();
        db.connection(user, host, program, (begin, begin + 25), &asked);
        starts.push(begin);
    }
    starts
}

/// A log that begins three days before the first theft: the thief's own days must not make his program usual.
#[test]
fn what_a_thief_does_day_after_day_is_no_habit() {
    let dir = tempfile::tempdir().unwrap();
    let mut db = Database::default();
    db.front_end(12);
    theft(&mut db, "dpi_app", "10.60.40.22", "psql", 3..12);
    db.write(dir.path());
    let context = format!(
        "{ESTABLISHMENT}[[account]]\nname = \"db:dpi_app\"\nkind = \"service\"\nnetworks = [\"10.60.40.0/24\"]\n"
    );
    put(dir.path(), "ampleur.toml", context);
    let all = judged(dir.path(), &|s| account(s) == "db:dpi_app");
    let (thief, owner): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(_, j)| has(j, "new_program"));
    assert_eq!(thief.len(), 9, "{}", said(&thief));
    assert_eq!(owner.len(), 12, "{}", said(&owner));
    assert!(
        thief
            .iter()
            .all(|(_, j)| !has(j, "usual_way") && j.verdict != SessionVerdict::Legitimate),
        "{}",
        said(&thief)
    );
    assert!(
        owner
            .iter()
            .all(|(_, j)| has(j, "usual_way") && j.verdict == SessionVerdict::Legitimate),
        "{}",
        said(&owner)
    );
}

/// A program that takes the place of another, and a batch that begins at one minute of every day, are the house's.
#[test]
fn a_new_version_and_a_new_batch_accuse_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let mut db = Database::default();
    for day in 0..20 {
        let from = day * MINUTES_A_DAY + 6 * 60;
        let version = if day < 8 {
            "DpiFront 2.3"
        } else {
            "DpiFront 2.4"
        };
        let asked = [(
            from + 60,
            "SELECT nom FROM public.patient WHERE ipp = '100123'",
        )];
        db.connection(
            "dpi_app",
            "10.60.40.22",
            version,
            (from, from + 900),
            &asked,
        );
        if day >= 9 {
            let from = day * MINUTES_A_DAY + 95;
            let asked = [(from + 1, "SELECT nom, prenom FROM public.patient")];
            db.connection(
                "dpi_app",
                "10.60.40.50",
                "Extract",
                (from, from + 20),
                &asked,
            );
        }
    }
    db.write(dir.path());
    put(
        dir.path(),
        "ampleur.toml",
        format!("{ESTABLISHMENT}[[account]]\nname = \"db:dpi_app\"\nkind = \"service\"\n"),
    );
    let all = judged(dir.path(), &|s| account(s) == "db:dpi_app");
    assert_eq!(all.len(), 31, "{}", said(&all));
    assert!(
        all.iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Legitimate),
        "{}",
        said(&all)
    );
}

/// The second account a thief takes up with the same program on the same machine is told with the first, and whoever lawfully works
/// on that machine is not.
#[test]
fn a_second_account_joins_by_machine_and_program() {
    let dir = tempfile::tempdir().unwrap();
    let mut db = Database::default();
    db.front_end(16);
    theft(&mut db, "dpi_app", "10.60.20.188", "DBeaver 23.1.0", 5..13);
    theft(
        &mut db,
        "ro_stats",
        "10.60.20.188",
        "DBeaver 23.1.0",
        13..16,
    );
    for day in 0..16 {
        let from = day * MINUTES_A_DAY + 9 * 60 + day * 11 % 60;
        let asked = [(from + 5, "SELECT count(*) FROM public.patient")];
        db.connection(
            "biolab",
            "10.60.20.188",
            "BioLab",
            (from, from + 45),
            &asked,
        );
    }
    db.write(dir.path());
    let mut context = ESTABLISHMENT.to_string();
    for name in ["dpi_app", "ro_stats", "biolab"] {
        writeln!(
            context,
            "[[account]]\nname = \"db:{name}\"\nkind = \"service\""
        )
        .unwrap();
    }
    put(dir.path(), "ampleur.toml", context);
    let all = judged(dir.path(), &|s| s.account.is_some());
    let of = |name: &str, at: &str| -> Vec<_> {
        let list = all.iter();
        list.filter(|(s, _)| account(s) == name && from(s, at))
            .cloned()
            .collect()
    };
    let first = of("db:dpi_app", "10.60.20.188");
    assert_eq!(first.len(), 8);
    assert!(
        first
            .iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Intruder),
        "{}",
        said(&first)
    );
    let second = of("db:ro_stats", "10.60.20.188");
    assert_eq!(second.len(), 3);
    assert!(
        second
            .iter()
            .all(|(_, j)| j.verdict != SessionVerdict::Legitimate && has(j, "one_tool")),
        "{}",
        said(&second)
    );
    for lawful in [
        of("db:biolab", "10.60.20.188"),
        of("db:dpi_app", "10.60.40.22"),
    ] {
        assert_eq!(lawful.len(), 16);
        assert!(
            lawful
                .iter()
                .all(|(_, j)| j.verdict == SessionVerdict::Legitimate),
            "{}",
            said(&lawful)
        );
    }
}

/// 198.51.100.0/24 belongs to somebody who lets servers.
fn rented(case: &Path) {
    let rented = Value::Map(vec![
        ("autonomous_system_number", Value::U32(64500)),
        (
            "autonomous_system_organization",
            Value::text("Example Cloud Servers"),
        ),
    ]);
    put(
        case,
        "geo/asn.mmdb",
        mmdb::build(
            "GeoLite2-ASN",
            &[([198, 51, 100, 0], 24, rented)],
            1_748_736_000,
        ),
    );
    put(
        case,
        "ampleur.toml",
        ESTABLISHMENT.replacen(
            "home_countries",
            "geoip = [\"geo/asn.mmdb\"]\nhome_countries",
            1,
        ),
    );
}

/// An exit let to many: who has it in common with the intruder, on a device of his own and reading as ever, is not accused for that.
#[test]
fn a_customer_of_the_intruders_exit_is_not_accused() {
    let dir = tempfile::tempdir().unwrap();
    let mut web = Web::campaign();
    let own = |n: i64| format!("GET /fhir/Patient/{}", 1000 + n * 613 % 9000);
    for (day, user) in [(8, "dpetit"), (15, "dpetit"), (16, "dpetit")] {
        let asked: Vec<String> = (0..4).map(|n| own(day * 31 + n)).collect();
        let begin = day * MINUTES_A_DAY + 1180;
        web.asks(user, "198.51.100.20", OWN, begin, &asked);
    }
    web.write(dir.path());
    rented(dir.path());
    let thief = judged(dir.path(), &|s| {
        from(s, "198.51.100.20") && account(s).ends_with("adubois")
    });
    assert!(
        thief
            .iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Intruder),
        "{}",
        said(&thief)
    );
    let customer = judged(dir.path(), &|s| {
        from(s, "198.51.100.20") && account(s).ends_with("dpetit")
    });
    assert_eq!(customer.len(), 3, "{}", said(&customer));
    assert!(
        customer
            .iter()
            .all(|(_, j)| j.verdict != SessionVerdict::Intruder),
        "{}",
        said(&customer)
    );
}

/// One rented server that works accounts of three people within days is a sign; one traveller's is not.
#[test]
fn one_rented_address_under_several_accounts_is_a_sign() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = String::new();
    let mut login = |minute: i64, user: &str, address: &str, id: i64| {
        let t = at(minute).strftime("%Y-%m-%d %H:%M:%S").to_string();
        writeln!(log, "{t},123 INFO  [org.keycloak.events] (executor-thread-1) type=LOGIN, realmId=r1, clientId=dossier, userId=u-{user}, ipAddress={address}, auth_method=openid-connect, redirect_uri=https://dossier.example/, username={user}, code_id=c{id}").unwrap();
    };
    let people = ["adubois", "bmartin", "cleroy", "dpetit"];
    let mut id = 0;
    let mut uses = vec![];
    for day in 0..20 {
        for (k, p) in people.iter().enumerate() {
            uses.push((
                day * MINUTES_A_DAY + 540 + k as i64 * 7,
                *p,
                format!("10.60.20.{}", 10 + k),
            ));
        }
    }
    for (k, p) in people[..3].iter().enumerate() {
        uses.push((
            (14 + k as i64 / 2) * MINUTES_A_DAY + 130 + k as i64 * 40,
            *p,
            "198.51.100.7".into(),
        ));
    }
    uses.push((15 * MINUTES_A_DAY + 1300, people[3], "198.51.100.90".into()));
    uses.sort();
    for (t, p, a) in &uses {
        id += 1;
        login(*t, p, a, id);
    }
    put(dir.path(), "logs/idp/keycloak.log", log);
    rented(dir.path());
    let several = judged(dir.path(), &|s| from(s, "198.51.100.7"));
    assert_eq!(several.len(), 3);
    assert!(
        several
            .iter()
            .all(|(_, j)| has(j, "one_address") && j.verdict != SessionVerdict::Legitimate),
        "{}",
        said(&several)
    );
    let one = judged(dir.path(), &|s| from(s, "198.51.100.90"));
    assert!(
        one.iter()
            .all(|(_, j)| !has(j, "one_address") && j.verdict == SessionVerdict::Legitimate),
        "{}",
        said(&one)
    );
}

/// Files rewritten by the hundred at an hour the account never works are in doubt inside the establishment too; the same by day from
/// somebody who always writes that much is not.
#[test]
fn a_burst_of_writing_at_night_is_in_doubt_inside() {
    let dir = tempfile::tempdir().unwrap();
    let mut lines: Vec<(i64, String)> = vec![];
    let mut write = |minute: i64, second: i64, user: &str, address: &str, file: String| {
        let t = (at(minute) + second.seconds())
            .strftime("%b %e %H:%M:%S")
            .to_string();
        // A process of the server for each user and third of a day.
        let pid = 2000 + minute / (MINUTES_A_DAY / 3) * 10 + user.len() as i64;
        lines.push((minute * 60 + second, format!(
            "{t} fs1 smbd_audit[{pid}]: CH\\{user}|{address}|PC-{user}|Admissions|pwrite|ok|{file}"
        )));
    };
    for day in 0..15 {
        let nine = day * MINUTES_A_DAY + 9 * 60;
        for k in 0..3 {
            write(
                nine + k * 40,
                5,
                "mdupont",
                "10.60.20.31",
                format!("2025/{day}-{k}.docx"),
            );
        }
        for k in 0..80 {
            write(
                nine + k,
                20,
                "scans",
                "10.60.20.32",
                format!("scan/{day}-{k}.pdf"),
            );
        }
    }
    for k in 0..120 {
        write(
            12 * MINUTES_A_DAY + 120 + k / 10,
            k % 10 * 6,
            "mdupont",
            "10.60.20.31",
            format!("2024/{k}.docx.lockd"),
        );
    }
    lines.sort();
    let text: Vec<String> = lines.into_iter().map(|l| l.1).collect();
    put(dir.path(), "logs/smb/audit.log", text.join("\n") + "\n");
    put(dir.path(), "ampleur.toml", ESTABLISHMENT);
    let all = judged(dir.path(), &|s| s.account.is_some());
    let (odd, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, j)| has(j, "mass_writing"));
    assert!(!odd.is_empty());
    assert!(
        odd.iter()
            .all(|(s, j)| account(s).contains("mdupont") && j.verdict == SessionVerdict::Doubtful),
        "{}",
        said(&odd)
    );
    assert!(
        rest.iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Legitimate),
        "{}",
        said(&rest)
    );
}

/// One logon at a desktop, from and to, in minutes.
fn desk(out: &mut String, user: &str, address: &str, n: i64, (from, to): (i64, i64)) {
    for (id, minute) in [(4624, from), (4634, to)] {
        let t = (at(minute) - 2.hours()).strftime("%Y-%m-%dT%H:%M:%S");
        writeln!(out, "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>{id}</EventID><TimeCreated SystemTime='{t}.0000000Z'/><EventRecordID>{}</EventRecordID><Channel>Security</Channel><Computer>CTX02.ch.example</Computer></System><EventData><Data Name='TargetUserSid'>S-1-5-21-1-2-3-1999</Data><Data Name='TargetUserName'>{user}</Data><Data Name='TargetDomainName'>CHU</Data><Data Name='TargetLogonId'>0x4a{n:04x}</Data><Data Name='LogonType'>10</Data><Data Name='IpAddress'>{address}</Data></EventData></Event>", 1000 + 2 * n + i64::from(id == 4634)).unwrap();
    }
}

/// No line ties the terminal server to its address. On every day told, somebody is logged on there around that minute; a program without
/// a name asks the database at the minutes `asked`.
fn beside(case: &Path, logons: &[i64], asked: &[i64]) {
    let mut db = Database::default();
    db.front_end(16);
    for begin in asked {
        let sql = "SELECT * FROM public.patient WHERE code_postal = '59000'";
        db.connection(
            "dpi_app",
            "10.60.40.22",
            "",
            (*begin, begin + 20),
            &[(begin + 3, sql)],
        );
    }
    db.write(case);
    let mut log = String::new();
    for (n, begin) in logons.iter().enumerate() {
        let times = (begin - 5, begin + 30);
        desk(&mut log, "svc_ctx", "10.60.20.15", n as i64, times);
    }
    put(case, "logs/ctx02/security.xml", log);
    put(
        case,
        "ampleur.toml",
        format!(
            "{ESTABLISHMENT}[[account]]\nname = \"db:dpi_app\"\nkind = \"service\"\nnetworks = [\"10.60.40.0/24\"]\n\
             [[account]]\nname = \"ad:CHU\\\\svc_ctx\"\nkind = \"service\"\n"
        ),
    );
}

/// Ten days, each at another time.
fn whenever() -> Vec<i64> {
    let minute = |day: i64| WHENEVER[day as usize % WHENEVER.len()];
    (6..16)
        .map(|day| day * MINUTES_A_DAY + minute(day))
        .collect()
}

/// Uses of a database that happen only while a doubtful account is logged on are in doubt, though their log names no program and the
/// machine is the application's own.
#[test]
fn what_happens_only_beside_a_suspect_is_in_doubt() {
    let dir = tempfile::tempdir().unwrap();
    beside(dir.path(), &whenever(), &whenever());
    let all = judged(dir.path(), &|s| account(s) == "db:dpi_app");
    let (odd, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, j)| has(j, "always_beside"));
    assert_eq!(odd.len(), 10, "{}", said(&odd));
    assert!(
        odd.iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Doubtful),
        "{}",
        said(&odd)
    );
    assert_eq!(rest.len(), 16, "{}", said(&rest));
    assert!(
        rest.iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Legitimate),
        "{}",
        said(&rest)
    );
}

/// Uses of the program without a name, once the analyst has said whose the logons are: the intruder's, and others.
fn once_known(logons: &[i64], asked: &[i64]) -> (usize, usize) {
    let dir = tempfile::tempdir().unwrap();
    beside(dir.path(), logons, asked);
    let word = Word {
        accounts: vec!["ad:CHU\\svc_ctx".into()],
        ..Word::default()
    };
    let all = judged_on(dir.path(), &word, &|s| account(s) == "db:dpi_app");
    let his = all
        .iter()
        .filter(|(_, j)| j.verdict == SessionVerdict::Intruder);
    let his = his.count();
    (his, all.len() - his)
}

/// What happens time after time only while the intruder is there, at no hour of its own, is his.
#[test]
fn what_happens_only_beside_the_intruder_is_his() {
    assert_eq!(once_known(&whenever(), &whenever()), (10, 16));
}

/// One use without him, and it may be somebody else's.
#[test]
fn what_also_happens_without_the_intruder_is_not_his_for_that() {
    let mut asked = whenever();
    asked.push(9 * MINUTES_A_DAY + 300);
    assert_eq!(once_known(&whenever(), &asked), (0, 27));
}

/// On a few nights around one hour, and each time he begins and ends when the other does: a job does not follow him by some minutes.
#[test]
fn what_begins_and_ends_with_the_intruder_is_his() {
    let nights = [(6, 92), (7, 26), (8, 19), (9, 32)];
    let nights = nights.map(|(day, minute)| day * MINUTES_A_DAY + minute);
    let asked = |last: i64| {
        let mut asked = nights;
        asked[3] = last;
        once_known(&nights, &asked)
    };
    assert_eq!(asked(nights[3]), (4, 16));
    assert_eq!(asked(15 * MINUTES_A_DAY + 32), (0, 20));
}

/// He comes every day at one hour, and so does a batch: that is no coincidence worth a word.
#[test]
fn what_has_the_intruders_hour_is_not_his_for_that() {
    let daily: Vec<i64> = (6..16).map(|day| day * MINUTES_A_DAY + 787).collect();
    assert_eq!(once_known(&daily, &daily), (0, 26));
}

const OWN: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:122.0) Gecko/20100101 Firefox/122.0";
const THIEF: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36";

/// A web server's log: (second, line).
#[derive(Default)]
struct Web {
    lines: Vec<(i64, String)>,
}

impl Web {
    /// Requests some seconds apart.
    fn asks(&mut self, user: &str, address: &str, client: &str, begin: i64, requests: &[String]) {
        for (k, request) in requests.iter().enumerate() {
            let second = begin * 60 + k as i64 * 7 + k as i64 % 2;
            let t = at(0) + second.seconds();
            let t = t.strftime("%d/%b/%Y:%H:%M:%S +0200");
            self.lines.push((
                second,
                format!(
                    "{address} - {user} [{t}] \"{request} HTTP/1.1\" 200 5120 \"-\" \"{client}\""
                ),
            ));
        }
    }
    fn write(mut self, case: &Path) {
        self.lines.sort();
        let text: Vec<String> = self.lines.into_iter().map(|l| l.1).collect();
        put(case, "logs/web/access.log", text.join("\n") + "\n");
        put(case, "ampleur.toml", ESTABLISHMENT);
    }
    /// Three weeks of five people at their desks.
    fn work() -> Web {
        let mut web = Web::default();
        for day in 0..21 {
            for (k, user) in PEOPLE.iter().enumerate() {
                let asked: Vec<String> = (0..6)
                    .map(|n| {
                        let id = 1000 + (day * 7919 + n * 104_729 + k as i64 * 31) % 9000;
                        format!("GET /fhir/Patient/{id}")
                    })
                    .collect();
                let begin = day * MINUTES_A_DAY + 540 + k as i64 * 13;
                web.asks(user, &format!("10.60.20.{}", 10 + k), OWN, begin, &asked);
            }
        }
        web
    }
    /// The same, and three of their accounts usurped from three places on two days.
    fn campaign() -> Web {
        let mut web = Web::work();
        for (k, user) in PEOPLE[..3].iter().enumerate() {
            let asked: Vec<String> = ["MA", "MB", "MC", "MD", "ME", "MF", "MG", "MH", "MI", "MJ"]
                .iter()
                .map(|f| format!("GET /fhir/Patient?family={f}"))
                .collect();
            let begin = (15 + k as i64 / 2) * MINUTES_A_DAY + 600 + k as i64 * 50;
            web.asks(
                user,
                &format!("198.51.100.{}", 20 + k),
                THIEF,
                begin,
                &asked,
            );
        }
        web
    }
}

const PEOPLE: [&str; 5] = ["adubois", "bmartin", "cleroy", "dpetit", "emoreau"];

fn unread() -> Vec<String> {
    vec!["POST /fhir/Patient/_search".to_string(); 12]
}

/// Nothing shows what a use from an unknown place asked for, and accounts are usurped around it: that it looks like one of these is
/// doubt. With the owner's own client it is the owner's.
#[test]
fn an_unread_use_amid_a_campaign_is_in_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let mut web = Web::campaign();
    web.asks(
        "dpetit",
        "198.51.100.77",
        THIEF,
        16 * MINUTES_A_DAY + 660,
        &unread(),
    );
    web.asks(
        "emoreau",
        "198.51.100.78",
        OWN,
        16 * MINUTES_A_DAY + 720,
        &unread(),
    );
    web.write(dir.path());
    let one = judged(dir.path(), &|s| from(s, "198.51.100.77"));
    assert!(
        one.iter()
            .all(|(_, j)| has(j, "in_campaign") && j.verdict == SessionVerdict::Doubtful),
        "{}",
        said(&one)
    );
    let other = judged(dir.path(), &|s| from(s, "198.51.100.78"));
    assert!(
        other
            .iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Legitimate),
        "{}",
        said(&other)
    );
}

/// A usurped account and a stranger's come from one place neither is known at: both uses are in doubt, for all that they show nothing.
#[test]
fn a_place_shared_with_a_usurped_account_is_in_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let mut web = Web::campaign();
    let asked = vec!["GET /fhir/Patient/4711".to_string()];
    for (k, user) in ["adubois", "dpetit"].iter().enumerate() {
        let begin = 17 * MINUTES_A_DAY + 600 + k as i64 * 90;
        web.asks(user, "203.0.113.50", THIEF, begin, &asked);
    }
    web.asks(
        "emoreau",
        "203.0.113.51",
        THIEF,
        17 * MINUTES_A_DAY + 600,
        &asked,
    );
    web.write(dir.path());
    let both = judged(dir.path(), &|s| from(s, "203.0.113.50"));
    assert_eq!(both.len(), 2, "{}", said(&both));
    assert!(
        both.iter()
            .all(|(_, j)| has(j, "one_address") && j.verdict == SessionVerdict::Doubtful),
        "{}",
        said(&both)
    );
    let alone = judged(dir.path(), &|s| from(s, "203.0.113.51"));
    assert!(
        alone
            .iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Legitimate),
        "{}",
        said(&alone)
    );
}

/// A gateway that does not say which address it lends, and names the account on the flows from there: what comes from that address is
/// of the login before it, whoever else has the account.
#[test]
fn flows_that_name_the_account_tell_what_a_login_was_lent() {
    let dir = tempfile::tempdir().unwrap();
    let (mut gateway, mut desks) = (String::new(), String::new());
    let line = |minute: i64, rest: &str| {
        let t = (at(minute) - 2.hours()).strftime("%Y-%m-%d %H:%M:%S");
        format!("<134>id=firewall sn=0017C5000001 time=\"{t} UTC\" fw=192.0.2.1 pri=6 {rest}\n")
    };
    let mut login = |user: &str, minute: i64, from: &str, lent: &str| {
        gateway += &line(
            minute,
            &format!(
                "c=16 m=1080 msg=\"SSL VPN zone remote user login allowed\" n=1 usr=\"{user}\" src={from}:50211:X1 dst=192.0.2.1:443:X1"
            ),
        );
        for k in 1..6 {
            gateway += &line(
                minute + 4 * k,
                &format!(
                    "c=1024 m=537 msg=\"Connection Closed\" n=2 usr=\"{user}\" src={lent}:5{k}222:X1 dst=10.60.20.4:3389:X0 proto=tcp/3389 sent=81200 rcvd=2400100"
                ),
            );
        }
    };
    for day in 0..14 {
        login(
            "adubois",
            day * MINUTES_A_DAY + 540,
            "203.0.113.20",
            "10.212.134.6",
        );
    }
    let night = 12 * MINUTES_A_DAY + 130;
    login("adubois", night, "198.51.100.77", "10.212.134.9");
    desk(
        &mut desks,
        "adubois",
        "10.212.134.9",
        1,
        (night + 5, night + 30),
    );
    put(dir.path(), "logs/gateway/sonicwall.log", gateway);
    put(dir.path(), "logs/ctx02/security.xml", desks);
    put(dir.path(), "ampleur.toml", ESTABLISHMENT);
    let ran = trial::run(dir.path(), &Word::default()).unwrap();
    let list = &ran.sessions.list;
    let stranger = list
        .iter()
        .position(|s| s.origin.address == Some([198, 51, 100, 77].into()))
        .unwrap();
    let desktop = list
        .iter()
        .position(|s| account(s).starts_with("ad:"))
        .unwrap();
    let outer: Vec<u32> = ran
        .sessions
        .links
        .iter()
        .filter(|l| l.inner == desktop as u32 && l.certainty >= 0.5)
        .map(|l| l.outer)
        .collect();
    assert!(outer.contains(&(stranger as u32)), "{outer:?} of {list:#?}");
    assert!(
        outer.iter().all(|o| {
            let from = list[*o as usize].origin.address;
            from != Some([203, 0, 113, 20].into())
        }),
        "the owner's own login is none of it"
    );
}

/// Prefixes somebody walks the index by, seven seconds apart.
fn walk() -> Vec<String> {
    let all = [
        "MA", "MB", "MC", "MD", "ME", "MF", "MG", "MH", "MI", "MJ", "MK", "ML",
    ];
    let each = all.iter().map(|f| format!("GET /fhir/Patient?family={f}"));
    each.collect()
}

/// Who keeps coming from a place at home and walks the index there, which the owner does nowhere, makes no habit of it.
#[test]
fn a_place_where_the_index_is_walked_is_no_habit() {
    let dir = tempfile::tempdir().unwrap();
    let mut web = Web::campaign();
    for day in [5, 9, 12, 14, 18] {
        let begin = day * MINUTES_A_DAY + 610;
        web.asks("dpetit", "203.0.113.77", OWN, begin, &walk());
    }
    // An owner at home reads as he does at work.
    for day in [5, 9, 12, 14, 18] {
        let own = |n: i64| format!("GET /fhir/Patient/{}", 1000 + n * 613 % 9000);
        let asked: Vec<String> = (0..6).map(|n| own(day * 31 + n)).collect();
        let begin = day * MINUTES_A_DAY + 1140;
        web.asks("emoreau", "203.0.113.78", OWN, begin, &asked);
    }
    web.write(dir.path());
    let thief = judged(dir.path(), &|s| from(s, "203.0.113.77"));
    assert!(
        thief.iter().all(|(_, j)| !has(j, "usual_place")),
        "{}",
        said(&thief)
    );
    let owner = judged(dir.path(), &|s| from(s, "203.0.113.78"));
    assert!(
        owner
            .iter()
            .all(|(_, j)| has(j, "usual_place") && j.verdict == SessionVerdict::Legitimate),
        "{}",
        said(&owner)
    );
}

/// Several people who hurry through the index at their own desks for once are in doubt; one alone, or somebody whose work it is, is not.
#[test]
fn hurried_walks_under_several_accounts_are_in_doubt_at_the_owners_desk() {
    let play = |people: usize, daily: bool| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::default();
        for day in 0..21 {
            for (k, user) in PEOPLE.iter().enumerate() {
                let own =
                    |n: i64| format!("GET /fhir/Patient/{}", 1000 + (day * 7919 + n * 613) % 9000);
                let asked: Vec<String> = (0..6).map(own).collect();
                let begin = day * MINUTES_A_DAY + 540 + k as i64 * 13;
                let desk = format!("10.60.20.{}", 10 + k);
                web.asks(user, &desk, OWN, begin, &asked);
                if k < people && (daily || day == 15 + k as i64 / 2) {
                    web.asks(user, &desk, OWN, begin + 200, &walk());
                }
            }
        }
        web.write(dir.path());
        let all = judged(dir.path(), &|s| s.account.is_some());
        let odd: Vec<_> = all
            .into_iter()
            .filter(|(_, j)| j.verdict != SessionVerdict::Legitimate)
            .collect();
        assert!(
            odd.iter()
                .all(|(_, j)| has(j, "hurried_walks") && j.verdict == SessionVerdict::Doubtful),
            "{}",
            said(&odd)
        );
        odd.len()
    };
    assert_eq!(play(3, false), 3);
    assert_eq!(play(1, false), 0);
    assert_eq!(play(3, true), 0);
}

/// One account that hurries through the index at the owner's own desk by a program is in doubt, however often, unless the program is the
/// owner's own tool.
#[test]
fn a_programs_walks_at_the_owners_desk_are_in_doubt() {
    let play = |days: std::ops::Range<i64>| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::work();
        for day in days {
            let begin = day * MINUTES_A_DAY + 140;
            web.asks(
                PEOPLE[3],
                "10.60.20.13",
                "python-requests/2.31.0",
                begin,
                &walk(),
            );
        }
        web.write(dir.path());
        let all = judged(dir.path(), &|s| s.account.is_some());
        let odd = all
            .iter()
            .filter(|(_, j)| j.verdict == SessionVerdict::Doubtful);
        let odd = odd.filter(|(_, j)| has(j, "walks_by_program")).count();
        let fine = all
            .iter()
            .filter(|(_, j)| j.verdict == SessionVerdict::Legitimate);
        (odd, fine.count())
    };
    assert_eq!(play(15..19), (4, 105));
    assert_eq!(play(2..21), (0, 124));
}

/// Somebody who comes by one program from place to place, on as many days as the owner of the account, makes no habit of the program.
#[test]
fn a_thiefs_program_is_no_habit_of_the_account() {
    let dir = tempfile::tempdir().unwrap();
    let mut web = Web::work();
    // The owner hardly works that month.
    let owner = |line: &str| line.contains(PEOPLE[3]);
    web.lines
        .retain(|(second, line)| !owner(line) || *second < 3 * 86_400);
    for (k, day) in [5, 8, 11, 14].into_iter().enumerate() {
        let place = format!("203.0.113.{}", 71 + 9 * k);
        let begin = day * MINUTES_A_DAY + 610;
        web.asks(PEOPLE[3], &place, "Go-http-client/1.1", begin, &walk());
    }
    web.write(dir.path());
    let strange = |s: &Session| {
        s.origin
            .address
            .is_some_and(|a| a.to_string().starts_with("203."))
    };
    let thief = judged(dir.path(), &strange);
    assert_eq!(thief.len(), 4);
    assert!(
        thief
            .iter()
            .all(|(_, j)| has(j, "automated_client") && j.verdict == SessionVerdict::Intruder),
        "{}",
        said(&thief)
    );
}

/// Walks from an unknown place are in doubt where the account is known at its desk and never walks there, under the name of its owner's
/// browser too: that is copied with a line. Where they are its manner they are not for that.
#[test]
fn walks_from_an_unknown_place_are_in_doubt() {
    let play = |device: &str, at_work: bool| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::work();
        for day in [6, 13] {
            let begin = day * MINUTES_A_DAY + 610;
            web.asks(PEOPLE[3], "203.0.113.71", device, begin, &walk());
            if at_work {
                web.asks(PEOPLE[3], "10.60.20.13", OWN, begin + 200, &walk());
            }
        }
        web.write(dir.path());
        let all = judged(dir.path(), &|s| from(s, "203.0.113.71"));
        let odd = all.iter().filter(|(_, j)| has(j, "walks_elsewhere"));
        let doubtful = odd.filter(|(_, j)| j.verdict == SessionVerdict::Doubtful);
        doubtful.count()
    };
    let like = OWN.replace("122.0", "121.0");
    assert_eq!(play(&like, false), 2);
    assert_eq!(play(OWN, false), 2);
    assert_eq!(play(&like, true), 0);
}

/// Five accounts that are declared at another place come from one address on two days each: their usual exit where it is their own devices
/// that come, nobody's where it is another.
#[test]
fn thieves_make_no_exit_of_professionals() {
    let play = |device: &str| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::default();
        for day in 0..6 {
            for (k, user) in PEOPLE.iter().enumerate() {
                let asked = [format!("GET /fhir/Patient/{}", 1000 + day * 31 + k as i64)];
                let begin = day * MINUTES_A_DAY + 540 + k as i64 * 13;
                if day % 2 == 0 {
                    web.asks(user, "203.0.113.9", OWN, begin, &asked);
                } else {
                    web.asks(user, "198.51.100.9", device, begin + 90, &asked);
                }
            }
        }
        web.write(dir.path());
        let accounts: String = PEOPLE
            .iter()
            .map(|p| format!("[[account]]\nname = \"web:{p}\"\nnetworks = [\"203.0.113.9/32\"]\n"))
            .collect();
        put(
            dir.path(),
            "ampleur.toml",
            format!("{ESTABLISHMENT}{accounts}"),
        );
        let there = judged(dir.path(), &|s| from(s, "198.51.100.9"));
        let exit = there.iter().filter(|(_, j)| has(j, "shared_exit"));
        (exit.count(), there.len())
    };
    assert_eq!(play(OWN), (15, 15));
    assert_eq!(play(THIEF), (0, 15));
}

/// Three accounts are usurped from a place nobody is at home in: a login of a fourth from there is the intruder's, though no log shows
/// what it was for. Where somebody else comes from there with a device of his own, it is not.
#[test]
fn a_fourth_account_from_the_intruders_own_place_is_his() {
    let play = |neighbour: bool| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::campaign();
        for (k, user) in PEOPLE[..3].iter().enumerate() {
            let begin = 17 * MINUTES_A_DAY + 600 + k as i64 * 40;
            web.asks(user, "203.0.113.60", THIEF, begin, &walk());
        }
        let begin = 18 * MINUTES_A_DAY + 1300;
        let one = ["GET /portal/".to_string()];
        web.asks("dpetit", "203.0.113.60", THIEF, begin, &one);
        if neighbour {
            let begin = 18 * MINUTES_A_DAY + 600;
            web.asks("emoreau", "203.0.113.60", OWN, begin, &one);
        }
        web.write(dir.path());
        let fourth = judged(dir.path(), &|s| {
            from(s, "203.0.113.60") && account(s).ends_with("dpetit")
        });
        assert!(
            fourth.iter().all(|(_, j)| has(j, "shared_origin")),
            "{}",
            said(&fourth)
        );
        let weight = |j: &Judgement| {
            let r = j.reasons.iter().find(|r| r.code == "shared_origin");
            r.map_or(0.0, |r| r.weight)
        };
        let all = judged(dir.path(), &|s| from(s, "203.0.113.60"));
        let most = fourth.iter().map(|(_, j)| weight(j)).fold(0.0, f32::max);
        (most, said(&all))
    };
    let (alone, beside) = (play(false), play(true));
    assert!(alone.0 > beside.0, "{}\n{}", alone.1, beside.1);
}

/// A batch's own program on its own machine, day after day when no batch is planned, is in doubt; run again by day once, it is not.
#[test]
fn somebody_behind_a_jobs_program_is_in_doubt() {
    let play = |days: &[i64]| {
        let dir = tempfile::tempdir().unwrap();
        let mut db = Database::default();
        db.front_end(21);
        for day in 0..21 {
            let from = day * MINUTES_A_DAY + 75;
            let asked = [(from + 1, "SELECT count(*) FROM public.patient")];
            db.connection("bi_extract", "10.60.50.7", "sas", (from, from + 20), &asked);
        }
        for (k, day) in days.iter().enumerate() {
            let from = day * MINUTES_A_DAY + 10 * 60 + k as i64 * 53;
            let asked: Vec<(i64, String)> = (0..5)
                .map(|n| {
                    (
                        from + n,
                        format!("SELECT nom FROM public.patient WHERE nom LIKE 'M{n}%'"),
                    )
                })
                .collect();
            let asked: Vec<(i64, &str)> = asked.iter().map(|(t, q)| (*t, q.as_str())).collect();
            db.connection("bi_extract", "10.60.50.7", "sas", (from, from + 9), &asked);
        }
        db.write(dir.path());
        let job = "[[job]]\naccount = \"db:bi_extract\"\nhost = \"10.60.50.7\"\nprogram = \"sas\"\nhours = \"daily 01:00-04:00\"\n";
        put(dir.path(), "ampleur.toml", format!("{ESTABLISHMENT}{job}"));
        let mine = judged(dir.path(), &|s| account(s).ends_with("bi_extract"));
        mine.iter()
            .filter(|(_, j)| j.verdict != SessionVerdict::Legitimate)
            .count()
    };
    assert_eq!(play(&[8, 9, 11, 12, 15]), 5);
    assert_eq!(play(&[8]), 0);
}

/// An administrator's credentials used from the intruder's logon towards a server whose log is missing: the account has no session, and
/// is cut all the same. One whose password was refused was only tried; where the server was heard, its sessions are judged.
#[test]
fn credentials_used_towards_a_silent_server_are_cut() {
    let event = |id: u32, minute: i64, n: u32, data: &[(&str, &str)]| {
        let t = (at(minute) - 2.hours()).strftime("%Y-%m-%dT%H:%M:%S.000Z");
        let data: String = data
            .iter()
            .map(|(k, v)| format!("<Data Name='{k}'>{v}</Data>"))
            .collect();
        format!(
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>{id}</EventID><Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='{t}'/><EventRecordID>{n}</EventRecordID><Channel>Security</Channel><Computer>TSE1.ch.example</Computer></System><EventData>{data}</EventData></Event>\n"
        )
    };
    let logon = |id: u32, minute: i64, n: u32, who: &str, logon: &str| {
        event(
            id,
            minute,
            n,
            &[
                ("TargetUserName", who),
                ("TargetDomainName", "CH"),
                ("TargetLogonId", logon),
                ("LogonType", if id == 4624 { "10" } else { "3" }),
                ("IpAddress", "203.0.113.9"),
            ],
        )
    };
    let used = |minute: i64, n: u32, who: &str, by: &str| {
        event(
            4648,
            minute,
            n,
            &[
                (
                    "SubjectUserName",
                    if by == "0x3e7" { "TSE1$" } else { "ext-lis" },
                ),
                ("SubjectDomainName", "CH"),
                ("SubjectLogonId", by),
                ("TargetUserName", who),
                ("TargetDomainName", "CH"),
                ("TargetServerName", "FS1"),
            ],
        )
    };
    let cut = |refused: bool, word: &Word| {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "context.toml", ESTABLISHMENT);
        let mut log =
            logon(4624, 600, 1, "ext-lis", "0x77a1") + &used(605, 2, "adm-fichiers", "0x77a1");
        if refused {
            log += &logon(4625, 606, 3, "adm-fichiers", "0x0");
        }
        // The machine's own, and nobody's who is bad.
        log += &used(608, 4, "svc-sauvegarde", "0x3e7");
        log += &logon(4634, 640, 5, "ext-lis", "0x77a1");
        put(dir.path(), "logs/tse/security.xml", log);
        let ran = trial::run(dir.path(), word).unwrap();
        let usurped: Vec<String> = (ran.judged.accounts.iter())
            .filter(|a| a.verdict == SessionVerdict::Intruder)
            .map(|a| a.account.to_string())
            .collect();
        (usurped, ran.judged.containment.cut)
    };
    let mut word = Word {
        accounts: vec!["ad:CH\\ext-lis".into()],
        ..Word::default()
    };
    let names = |l: &[String]| l.iter().filter(|a| a.contains("adm")).count();
    let (usurped, list) = cut(false, &word);
    assert_eq!(
        (names(&usurped), names(&list)),
        (1, 1),
        "{usurped:?} {list:?}"
    );
    assert_eq!(usurped.len(), 2, "{usurped:?}");
    let (usurped, list) = cut(true, &word);
    assert_eq!(
        (names(&usurped), names(&list)),
        (0, 0),
        "{usurped:?} {list:?}"
    );
    word.not = vec!["ad:CH\\adm-fichiers".into()];
    let (usurped, list) = cut(false, &word);
    assert_eq!(
        (names(&usurped), names(&list)),
        (0, 0),
        "{usurped:?} {list:?}"
    );
}

/// Two people's accounts walked from the hospital's own exit by a program neither works with are in doubt; with their own browsers they
/// are two busy people.
#[test]
fn two_accounts_walked_by_one_tool_are_in_doubt() {
    let doubtful = |client: &str| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::work();
        for (k, user) in PEOPLE[3..].iter().enumerate() {
            for day in [16, 18] {
                let begin = day * MINUTES_A_DAY + 650 + k as i64 * 90;
                web.asks(
                    user,
                    &format!("10.60.20.{}", 13 + k),
                    client,
                    begin,
                    &walk(),
                );
            }
        }
        web.write(dir.path());
        let theirs = judged(dir.path(), &|s| {
            account(s).ends_with("dpetit") || account(s).ends_with("emoreau")
        });
        assert!(
            theirs
                .iter()
                .all(|(_, j)| j.verdict != SessionVerdict::Intruder)
        );
        theirs
            .iter()
            .filter(|(_, j)| has(j, "hurried_walks"))
            .count()
    };
    assert_eq!(doubtful("python-requests/2.28"), 4);
    assert_eq!(doubtful(OWN), 0);
}

/// A device never seen, a place never seen and far more records than ever, on three days: doubt. With the owner's device, with his
/// usual number of records, or on two days only, it is his own new habit.
#[test]
fn all_new_at_once_day_after_day_is_in_doubt() {
    let doubtful = |client: &str, records: i64, days: &[i64]| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::work();
        for day in days {
            for n in 0..records {
                let id = 1000 + (day * 7919 + n * n * 2_477) % 9000;
                let begin = day * MINUTES_A_DAY + 660 + n * 3 + n % 2;
                let one = [format!("GET /fhir/Patient/{id}")];
                web.asks("emoreau", "203.0.113.90", client, begin, &one);
            }
        }
        web.write(dir.path());
        let there = judged(dir.path(), &|s| from(s, "203.0.113.90"));
        let doubt = |j: &Judgement| has(j, "all_new") && j.verdict == SessionVerdict::Doubtful;
        let n = there.iter().filter(|(_, j)| doubt(j)).count();
        (n, said(&there))
    };
    let new = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.3 Safari/605.1.15";
    let (n, why) = doubtful(new, 80, &[12, 14, 17]);
    assert_eq!(n, 3, "{why}");
    let (n, why) = doubtful(OWN, 80, &[12, 14, 17]);
    assert_eq!(n, 0, "{why}");
    let (n, why) = doubtful(new, 6, &[12, 14, 17]);
    assert_eq!(n, 0, "{why}");
    let (n, why) = doubtful(new, 80, &[12, 14]);
    assert_eq!(n, 0, "{why}");
}

/// The application's account on a machine inside that is none of its own walks the index: doubt where its networks are declared.
#[test]
fn a_technical_account_on_an_undeclared_machine_is_in_doubt() {
    let play = |declared: bool| {
        let dir = tempfile::tempdir().unwrap();
        let mut db = Database::default();
        db.front_end(17);
        for day in 14..17 {
            let from = day * MINUTES_A_DAY + 2 * 60 + 24;
            let asked: Vec<(i64, String)> = (0..14)
                .map(|n| {
                    let c = char::from(b'A' + n as u8);
                    (
                        from + n,
                        format!("SELECT ipp, nom FROM public.patient WHERE nom LIKE 'M{c}%'"),
                    )
                })
                .collect();
            let asked: Vec<(i64, &str)> = asked.iter().map(|(t, q)| (*t, q.as_str())).collect();
            db.connection(
                "dpi_app",
                "10.60.50.21",
                "DpiFront",
                (from, from + 20),
                &asked,
            );
        }
        db.write(dir.path());
        let account = "[[account]]\nname = \"db:dpi_app\"\nkind = \"service\"\nnetworks = [\"10.60.40.0/24\"]\n";
        let account = if declared { account } else { "" };
        put(
            dir.path(),
            "ampleur.toml",
            format!("{ESTABLISHMENT}{account}"),
        );
        let there = judged(dir.path(), &|s| from(s, "10.60.50.21"));
        let told = there.iter().filter(|(_, j)| has(j, "undeclared_network"));
        (told.count(), there.len())
    };
    assert_eq!(play(true), (3, 3));
    assert_eq!(play(false), (0, 3));
}

/// What was said of four visits under the application's account from a machine, with eight questions each.
fn visits(
    account: &str,
    machine: &str,
    program: &str,
    asked: &[&str],
) -> Vec<(Session, Judgement)> {
    let dir = tempfile::tempdir().unwrap();
    let mut db = Database::default();
    db.front_end(17);
    for (k, day) in [9, 11, 14, 16].into_iter().enumerate() {
        let from = day * MINUTES_A_DAY + 2 * 60 + k as i64 * 300 + 24;
        let asked: Vec<(i64, &str)> = (from..).zip(asked.iter().copied()).collect();
        db.connection("dpi_app", machine, program, (from, from + 20), &asked);
    }
    db.write(dir.path());
    put(
        dir.path(),
        "ampleur.toml",
        format!("{ESTABLISHMENT}{account}"),
    );
    judged(dir.path(), &|s| {
        from(s, machine) && &*s.program == program && s.counts.queries < 20
    })
}

/// Slices of the index, and one record at a time as the front end asks.
const SLICES: [&str; 4] = [
    "SELECT ipp, nom FROM public.patient WHERE nom LIKE 'MA%'",
    "SELECT ipp, nom FROM public.patient WHERE ipp BETWEEN '100400' AND '100600'",
    "SELECT ipp, nom FROM public.patient WHERE date_naissance >= '1971-01-01' AND date_naissance < '1972-01-01'",
    "SELECT ipp, nom FROM public.patient WHERE ipp > '100700' ORDER BY ipp LIMIT 10",
];
const RECORDS: [&str; 4] = [
    "SELECT nom FROM public.patient WHERE ipp = '100400'",
    "SELECT nom FROM public.patient WHERE ipp = '100911'",
    "SELECT nom FROM public.patient WHERE ipp = '100203'",
    "SELECT nom FROM public.patient WHERE ipp = '100777'",
];

/// Questions a technical account never asks prove a stranger at a machine it is not declared for, by whatever name the program goes;
/// elsewhere they are doubt, and so is its front end's own manner at such a machine.
#[test]
fn questions_a_technical_account_never_asks_are_a_sign() {
    let declared =
        "[[account]]\nname = \"db:dpi_app\"\nkind = \"service\"\nnetworks = [\"10.60.40.0/24\"]\n";
    let open = "[[account]]\nname = \"db:dpi_app\"\nkind = \"service\"\n";
    let verdicts = |account: &str, machine: &str, program: &str, asked: &[&str]| {
        let there = visits(account, machine, program, asked);
        let first = there[0].1.verdict;
        assert!(
            there.iter().all(|(_, j)| j.verdict == first),
            "{}",
            said(&there)
        );
        first
    };
    let (intruder, doubtful) = (SessionVerdict::Intruder, SessionVerdict::Doubtful);
    for program in ["DpiFront", "python", ""] {
        assert_eq!(
            verdicts(declared, "10.60.50.21", program, &SLICES),
            intruder
        );
    }
    assert_eq!(
        verdicts(declared, "10.60.50.21", "DpiFront", &RECORDS),
        doubtful
    );
    assert_eq!(verdicts(open, "10.60.50.21", "python", &SLICES), doubtful);
    // On the front end's own server: the address does not say who types.
    assert_eq!(
        verdicts(declared, "10.60.40.22", "psql", &RECORDS),
        doubtful
    );
    assert_eq!(verdicts(declared, "10.60.40.22", "psql", &SLICES), doubtful);
}

/// Sixty records in a minute under three accounts, from places nobody knows, are no owners' work, whatever the browser; under one
/// account that is doubt.
#[test]
fn a_machines_pace_under_several_accounts_is_a_campaign() {
    let play = |accounts: usize| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::work();
        for (k, user) in PEOPLE[..accounts].iter().enumerate() {
            for n in 0..60 {
                let second = ((15 + k as i64) * MINUTES_A_DAY + 100) * 60 + n;
                let t = at(0) + second.seconds();
                let t = t.strftime("%d/%b/%Y:%H:%M:%S +0200");
                web.lines.push((
                    second,
                    format!(
                        "203.0.113.{} - {user} [{t}] \"GET /fhir/Patient/{} HTTP/1.1\" 200 5120 \"-\" \"{THIEF}\"",
                        40 + k,
                        2000 + n * 389 % 997
                    ),
                ));
            }
        }
        web.write(dir.path());
        let theirs = judged(dir.path(), &|s| {
            s.origin
                .address
                .is_some_and(|a| a.to_string().starts_with("203.0.113."))
        });
        assert_eq!(theirs.len(), accounts);
        theirs
    };
    let three = play(3);
    assert!(
        three
            .iter()
            .all(|(_, j)| has(j, "campaign") && j.verdict == SessionVerdict::Intruder),
        "{}",
        said(&three)
    );
    assert!(
        three
            .iter()
            .all(|(_, j)| j.intrusion == three[0].1.intrusion)
    );
    let one = play(1);
    assert!(one.iter().all(|(_, j)| !has(j, "campaign")));
    assert_eq!(one[0].1.verdict, SessionVerdict::Doubtful, "{}", said(&one));
}

/// A tunnel of a FortiGate, up and down, in minutes.
fn tunnel(out: &mut String, user: &str, n: i64, (from, to): (i64, i64), remote: &str, lent: &str) {
    for (action, minute) in [("tunnel-up", from), ("tunnel-down", to)] {
        let t = at(minute).strftime("date=%Y-%m-%d time=%H:%M:%S");
        let seconds = (to - from) * 60;
        writeln!(out, "{t} devname=\"FG\" devid=\"FG100F0000000001\" tz=\"+0200\" logid=\"0101039947\" type=\"event\" subtype=\"vpn\" level=\"information\" vd=\"root\" logdesc=\"SSL VPN {action}\" action=\"{action}\" tunneltype=\"ssl-tunnel\" tunnelid={n} remip={remote} tunnelip={lent} user=\"{user}\" duration={seconds} sentbyte=81200 rcvdbyte=24001").unwrap();
    }
}

/// Twelve days of work through tunnels, `extra` logons from addresses they lend.
fn through_tunnels(case: &Path, days: i64, extra: &[(&str, &str, i64)]) {
    let (mut gateway, mut desks) = (String::new(), String::new());
    let mut n = 0;
    for day in 0..12 {
        for (k, user) in ["adubois", "bmartin", "cleroy"].iter().enumerate() {
            n += 1;
            let begin = day * MINUTES_A_DAY + 1100 + 30 * k as i64;
            let lent = format!("10.212.134.{}", 5 + k);
            if day < days {
                let home = format!("203.0.113.{}", 20 + k);
                tunnel(&mut gateway, user, n, (begin, begin + 25), &home, &lent);
            }
            desk(&mut desks, user, &lent, n, (begin + 3, begin + 20));
        }
    }
    for (user, lent, begin) in extra {
        n += 1;
        desk(&mut desks, user, lent, n, (*begin, begin + 9));
    }
    put(case, "logs/gateway/fortigate.log", gateway);
    put(case, "logs/ctx02/security.xml", desks);
    put(case, "ampleur.toml", ESTABLISHMENT);
}

/// Lines of a tunnel were taken out of the gateway's log: what came from the address it had is in doubt, lawful work is not.
#[test]
fn a_tunnels_address_without_a_tunnel_is_in_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let night = 7 * MINUTES_A_DAY + 130;
    through_tunnels(dir.path(), 12, &[("bmartin", "10.212.134.9", night)]);
    let odd = judged(dir.path(), &|s| from(s, "10.212.134.9"));
    assert!(
        odd.iter()
            .all(|(_, j)| has(j, "no_tunnel") && j.verdict == SessionVerdict::Doubtful),
        "{}",
        said(&odd)
    );
    let work = judged(dir.path(), &|s| !from(s, "10.212.134.9"));
    assert!(
        work.iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Legitimate),
        "{}",
        said(&work)
    );
}

/// The gateway's log ends three days early: whoever comes out of its addresses after that nobody can tell.
#[test]
fn what_comes_out_of_tunnels_after_their_log_ended_is_in_doubt() {
    let dir = tempfile::tempdir().unwrap();
    through_tunnels(dir.path(), 9, &[]);
    let all = judged(dir.path(), &|s| account(s).starts_with("ad:"));
    let (odd, told): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, j)| has(j, "no_tunnel"));
    assert_eq!((odd.len(), told.len()), (9, 27), "{}", said(&odd));
    assert!(
        odd.iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Doubtful)
    );
}

/// The gateway's log has a hole of days: under an account that came through the intruder's tunnels before, what comes out of one there
/// is in doubt; the work of others is not.
#[test]
fn an_usurped_accounts_use_without_its_tunnel_is_in_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let night = 7 * MINUTES_A_DAY + 130;
    through_tunnels(dir.path(), 5, &[("bmartin", "10.212.134.9", night)]);
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let (mut gateway, mut desks) = (
        read("logs/gateway/fortigate.log"),
        read("logs/ctx02/security.xml"),
    );
    for (n, day) in [(900, 2), (901, 11)] {
        let begin = day * MINUTES_A_DAY + 120;
        tunnel(
            &mut gateway,
            "bmartin",
            n,
            (begin, begin + 25),
            "198.51.100.7",
            "10.212.134.8",
        );
        desk(
            &mut desks,
            "bmartin",
            "10.212.134.8",
            n,
            (begin + 3, begin + 20),
        );
    }
    put(dir.path(), "logs/gateway/fortigate.log", gateway);
    put(dir.path(), "logs/ctx02/security.xml", desks);
    let word = Word {
        origins: vec!["198.51.100.7".into()],
        ..Word::default()
    };
    let odd = judged_on(dir.path(), &word, &|s| from(s, "10.212.134.9"));
    assert!(
        odd.iter()
            .all(|(_, j)| has(j, "no_tunnel") && j.verdict == SessionVerdict::Doubtful),
        "{}",
        said(&odd)
    );
    let others = judged_on(dir.path(), &word, &|s| account(s).ends_with("adubois"));
    assert!(
        others
            .iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Legitimate),
        "{}",
        said(&others)
    );
}

/// Rented servers are nobody's staff exit, however often two accounts come from one; and whoever comes from where an odd use comes
/// from is the same stranger.
#[test]
fn a_rented_address_is_no_exit_of_professionals() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = String::new();
    let mut uses = vec![];
    for day in 0..8 {
        for (k, p) in ["adubois", "bmartin"].iter().enumerate() {
            let morning = day * MINUTES_A_DAY + 540 + k as i64 * 7;
            uses.push((morning, *p, format!("10.60.20.{}", 10 + k)));
            if day % 2 == 1 {
                uses.push((
                    day * MINUTES_A_DAY + 125 + k as i64 * 33,
                    *p,
                    "198.51.100.7".into(),
                ));
            }
        }
    }
    uses.push((6 * MINUTES_A_DAY + 700, "adubois", "198.51.100.7".into()));
    uses.sort();
    for (n, (minute, user, address)) in uses.iter().enumerate() {
        let t = at(*minute).strftime("%Y-%m-%d %H:%M:%S").to_string();
        writeln!(log, "{t},123 INFO  [org.keycloak.events] (executor-thread-1) type=LOGIN, realmId=r1, clientId=dossier, userId=u-{user}, ipAddress={address}, auth_method=openid-connect, redirect_uri=https://dossier.example/, username={user}, code_id=c{n}").unwrap();
    }
    put(dir.path(), "logs/idp/keycloak.log", log);
    rented(dir.path());
    let odd = judged(dir.path(), &|s| from(s, "198.51.100.7"));
    assert_eq!(odd.len(), 9);
    assert!(
        odd.iter()
            .all(|(_, j)| !has(j, "shared_exit") && j.verdict != SessionVerdict::Legitimate),
        "{}",
        said(&odd)
    );
}

/// A connection nobody's name or address is told of, in a log that names all others.
#[test]
fn a_nameless_connection_is_in_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = String::new();
    for day in 0..12 {
        for thread in [10 + day, 100 + day] {
            let t = |m: i64| {
                (at(day * MINUTES_A_DAY + 600 + thread + m) - 2.hours())
                    .strftime("%Y-%m-%dT%H:%M:%S.000000Z")
                    .to_string()
            };
            if thread != 106 {
                writeln!(
                    log,
                    "{}\t{thread} Connect\tdpi_app@10.60.40.22 on dpi using TCP/IP",
                    t(0)
                )
                .unwrap();
            }
            writeln!(
                log,
                "{}\t{thread} Query\tSELECT nom FROM patient WHERE ipp = '10{thread}'",
                t(1)
            )
            .unwrap();
            writeln!(log, "{}\t{thread} Quit\t", t(2)).unwrap();
        }
    }
    put(dir.path(), "logs/db/general.log", log);
    put(dir.path(), "ampleur.toml", ESTABLISHMENT);
    let odd = judged(dir.path(), &|s| s.account.is_none());
    assert!(
        odd.iter()
            .all(|(_, j)| has(j, "nameless") && j.verdict == SessionVerdict::Doubtful),
        "{}",
        said(&odd)
    );
}

/// Files read over a share in one logon, one every `gap` seconds.
fn reads(
    log: &mut String,
    n: i64,
    user: &str,
    address: &str,
    begin: i64,
    (files, gap): (i64, i64),
) {
    let mut event = |id: u32, second: i64, data: &str| {
        let t = (at(begin) - 2.hours() + second.seconds()).strftime("%Y-%m-%dT%H:%M:%S");
        writeln!(log, "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>{id}</EventID><TimeCreated SystemTime='{t}.0000000Z'/><Channel>Security</Channel><Computer>FS01.ch.example</Computer></System><EventData>{data}<Data Name='IpAddress'>{address}</Data></EventData></Event>").unwrap();
    };
    let logon = format!("0x5b{n:04x}");
    event(
        4624,
        0,
        &format!(
            "<Data Name='TargetUserName'>{user}</Data><Data Name='TargetDomainName'>CHU</Data><Data Name='TargetLogonId'>{logon}</Data><Data Name='LogonType'>3</Data>"
        ),
    );
    for k in 0..files {
        let file = 1000 + (n * 37 + k * 53) % 400;
        event(
            5145,
            2 + k * gap,
            &format!(
                "<Data Name='SubjectUserName'>{user}</Data><Data Name='SubjectDomainName'>CHU</Data><Data Name='SubjectLogonId'>{logon}</Data><Data Name='ShareName'>\\\\*\\Commun</Data><Data Name='ShareLocalPath'>\\??\\D:\\Commun</Data><Data Name='RelativeTargetName'>liste_{file}.xlsx</Data><Data Name='AccessMask'>0x120089</Data>"
            ),
        );
    }
    event(
        4634,
        12 + files * gap,
        &format!(
            "<Data Name='TargetUserName'>{user}</Data><Data Name='TargetDomainName'>CHU</Data><Data Name='TargetLogonId'>{logon}</Data><Data Name='LogonType'>3</Data>"
        ),
    );
}

/// A use from outside: who, minute it begins, remote address, (files, seconds between two).
type Visit<'v> = (&'v str, i64, &'v str, (i64, i64));

/// Twelve days in which three people read a few files a day at their desks, minutes apart, and now and then in the evening from their
/// declared homes; and some visits through the gateway, which keeps a log or does not.
fn file_server(case: &Path, visits: &[Visit<'_>], gateway_logs: bool) {
    let (mut gateway, mut files) = (String::new(), String::new());
    let mut n = 0;
    let people = ["adubois", "bmartin", "cleroy"];
    let homes = ["203.0.113.20", "203.0.113.21", "203.0.113.22"];
    let mut outside: Vec<Visit<'_>> = visits.to_vec();
    for day in 0..12 {
        for (k, user) in people.into_iter().enumerate() {
            n += 1;
            let morning = day * MINUTES_A_DAY + 540 + 31 * k as i64;
            let desk = format!("10.60.20.{}", 10 + k);
            reads(
                &mut files,
                n,
                user,
                &desk,
                morning,
                (2 + (day + k as i64) % 3, 240),
            );
            if day % 4 == k as i64 {
                let evening = day * MINUTES_A_DAY + 1130 + 3 * k as i64;
                outside.push((user, evening, homes[k], (2, 300)));
            }
        }
    }
    for (user, begin, remote, what) in outside {
        n += 1;
        let lent = format!("10.212.134.{}", 5 + n % 200);
        let span = (begin, begin + 3 + what.0 * what.1 / 60);
        tunnel(&mut gateway, user, n, span, remote, &lent);
        reads(&mut files, n, user, &lent, begin + 1, what);
    }
    if gateway_logs {
        put(case, "logs/gateway/fortigate.log", gateway);
    }
    put(case, "logs/fs01/security.xml", files);
    let mut context =
        std::fs::read_to_string(case.join("ampleur.toml")).unwrap_or_else(|_| ESTABLISHMENT.into());
    for (user, home) in people.into_iter().zip(homes) {
        write!(context, "[[person]]\nid = \"p:{user}\"\nname = \"{user}\"\naccounts = [\"ad:CHU\\\\{user}\", \"vpn:{user}\"]\n[[account]]\nname = \"vpn:{user}\"\nkind = \"professional\"\nnetworks = [\"{home}/32\"]\n").unwrap();
    }
    put(case, "ampleur.toml", context);
}

/// Sessions and what was said of each.
type Said = Vec<(Session, Judgement)>;

/// The verdicts of what came from one of these places, or out of a tunnel from there; and of all the rest.
fn of_visits(case: &Path, visits: &[Visit<'_>]) -> (Said, Said) {
    let all = judged(case, &|_| true);
    let hit = |s: &Session| {
        visits.iter().any(|(user, begin, ..)| {
            let t = (at(*begin) - 2.hours())
                .to_zoned(jiff::tz::TimeZone::UTC)
                .unwrap();
            let t = t.timestamp().as_nanosecond() as i64;
            account(s).ends_with(user) && s.from >= t && s.from <= t + 300_000_000_000
        })
    };
    all.into_iter().partition(|(s, _)| hit(s))
}

const NIGHT: i64 = 2 * 60 + 13;

/// From a place in the country nobody declared, by night: 25 files in minutes, or few in seconds, or many slowly, are in doubt; by day
/// only what is both far faster and far more. An evening at a new home, a telephone at noon and a long day at one's own desk are not.
#[test]
fn what_is_nothing_like_its_owner_is_in_doubt() {
    let day = |d: i64| d * MINUTES_A_DAY;
    let unlike: [Visit<'_>; 4] = [
        ("adubois", day(4) + NIGHT, "192.0.2.7", (25, 11)),
        ("bmartin", day(5) + NIGHT, "192.0.2.8", (4, 11)),
        ("cleroy", day(7) + NIGHT, "192.0.2.9", (15, 280)),
        ("adubois", day(9) + 640, "192.0.2.10", (25, 11)),
    ];
    for gateway_logs in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        file_server(dir.path(), &unlike, gateway_logs);
        let (odd, lawful) = of_visits(dir.path(), &unlike);
        assert!(odd.len() >= 4, "{}", said(&odd));
        assert!(
            odd.iter()
                .all(|(_, j)| j.verdict == SessionVerdict::Doubtful),
            "{}",
            said(&odd)
        );
        assert!(
            lawful
                .iter()
                .all(|(_, j)| j.verdict == SessionVerdict::Legitimate),
            "{}",
            said(&lawful)
        );
    }
    let like = [
        ("adubois", day(4) + 1120, "192.0.2.7", (3, 200)),
        ("adubois", day(6) + 1120, "192.0.2.7", (2, 200)),
        ("adubois", day(8) + 1120, "192.0.2.7", (4, 200)),
        ("bmartin", day(5) + 780, "192.0.2.8", (1, 60)),
        ("cleroy", day(7) + 700, "192.0.2.9", (12, 60)),
    ];
    let dir = tempfile::tempdir().unwrap();
    file_server(dir.path(), &like, true);
    let all = judged(dir.path(), &|_| true);
    assert!(
        all.iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Legitimate),
        "{}",
        said(&all)
    );
}

/// Two accounts by turns, by night, from one place at home neither is known at: one stranger. Both on one evening, as people who are
/// somewhere together, or by day: doubt and no more.
#[test]
fn accounts_that_come_by_turns_from_one_place_are_one_strangers() {
    let play = |visits: &[Visit<'_>]| {
        let dir = tempfile::tempdir().unwrap();
        file_server(dir.path(), visits, true);
        let (odd, lawful) = of_visits(dir.path(), visits);
        assert!(
            lawful
                .iter()
                .all(|(_, j)| j.verdict == SessionVerdict::Legitimate),
            "{}",
            said(&lawful)
        );
        odd
    };
    let visit =
        |user, day: i64, minute: i64| (user, day * MINUTES_A_DAY + minute, "192.0.2.7", (25, 11));
    let turns = [
        visit("adubois", 3, NIGHT),
        visit("bmartin", 5, NIGHT),
        visit("adubois", 8, NIGHT),
        visit("bmartin", 10, NIGHT),
    ];
    let odd = play(&turns);
    assert!(
        odd.iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Intruder),
        "{}",
        said(&odd)
    );
    let together = [
        visit("adubois", 3, NIGHT),
        visit("bmartin", 3, NIGHT + 9),
        visit("adubois", 8, NIGHT),
        visit("bmartin", 8, NIGHT + 9),
    ];
    let by_day = [
        visit("adubois", 3, 640),
        visit("bmartin", 5, 650),
        visit("adubois", 8, 660),
    ];
    for list in [&together[..], &by_day[..]] {
        let odd = play(list);
        assert!(
            odd.iter()
                .all(|(_, j)| j.verdict == SessionVerdict::Doubtful),
            "{}",
            said(&odd)
        );
    }
}

/// Three times from servers let in the country at hours never worked, nothing like the owner each time: no exception any more. Two are.
#[test]
fn three_times_from_rented_servers_are_no_exception() {
    let visit = |day: i64| {
        let begin = day * MINUTES_A_DAY + 370;
        ("adubois", begin, "198.51.100.20", (12, 13))
    };
    for (days, verdict) in [
        (&[3, 6, 9][..], SessionVerdict::Intruder),
        (&[3, 6][..], SessionVerdict::Doubtful),
    ] {
        let visits: Vec<Visit<'_>> = days.iter().map(|d| visit(*d)).collect();
        let dir = tempfile::tempdir().unwrap();
        rented(dir.path());
        file_server(dir.path(), &visits, true);
        let (odd, lawful) = of_visits(dir.path(), &visits);
        assert!(
            odd.iter().all(|(_, j)| j.verdict == verdict),
            "{}",
            said(&odd)
        );
        assert!(
            lawful
                .iter()
                .all(|(_, j)| j.verdict == SessionVerdict::Legitimate),
            "{}",
            said(&lawful)
        );
    }
}

/// A renter of servers nobody else comes from, under two accounts again and again, each reading as its owner never does: a campaign. A
/// customer who reads there as ever shows that it is let to others.
#[test]
fn one_renter_of_servers_under_two_accounts_is_a_campaign() {
    let visit = |user, day: i64, address| (user, day * MINUTES_A_DAY + 640, address, (25, 11));
    let campaign = [
        visit("adubois", 3, "198.51.100.20"),
        visit("bmartin", 5, "198.51.100.77"),
        visit("adubois", 8, "198.51.100.20"),
        visit("bmartin", 10, "198.51.100.77"),
    ];
    let dir = tempfile::tempdir().unwrap();
    rented(dir.path());
    file_server(dir.path(), &campaign, true);
    let (odd, _) = of_visits(dir.path(), &campaign);
    assert!(
        odd.iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Intruder),
        "{}",
        said(&odd)
    );
    let mut with_customer = campaign.to_vec();
    with_customer.push((
        "cleroy",
        6 * MINUTES_A_DAY + 1120,
        "198.51.100.40",
        (2, 240),
    ));
    let dir = tempfile::tempdir().unwrap();
    rented(dir.path());
    file_server(dir.path(), &with_customer, true);
    let all = judged(dir.path(), &|_| true);
    assert!(
        all.iter()
            .all(|(_, j)| j.verdict != SessionVerdict::Intruder && !has(j, "one_address")),
        "{}",
        said(&all)
    );
    let customer: Vec<_> = all
        .into_iter()
        .filter(|(s, _)| account(s).ends_with("cleroy"))
        .collect();
    assert!(
        customer
            .iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Legitimate),
        "{}",
        said(&customer)
    );
}

/// Names are tried from one rented address and refused; one of them gets in later. Who was only tried is neither usurped nor cut, though
/// the analyst gives the address to the intruder, and his other places stay what they were.
#[test]
fn refused_logins_usurp_no_account() {
    let dir = tempfile::tempdir().unwrap();
    let mut lines: Vec<(i64, String)> = vec![];
    let mut n = 0;
    let mut login = |minute: i64, user: &str, address: &str, entered: bool| {
        n += 1;
        let t = at(minute).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let (level, kind, error) = if entered {
            ("INFO ", "LOGIN", "")
        } else {
            ("WARN ", "LOGIN_ERROR", "error=invalid_user_credentials, ")
        };
        lines.push((minute, format!("{t},123 {level} [org.keycloak.events] (executor-thread-1) type={kind}, realmId=r1, clientId=dossier, userId=u-{user}, ipAddress={address}, {error}auth_method=openid-connect, redirect_uri=https://dossier.example/, username={user}, code_id=c{n}")));
    };
    for day in 0..20 {
        for (k, p) in PEOPLE.iter().enumerate() {
            let desk = format!("10.60.20.{}", 10 + k);
            login(day * MINUTES_A_DAY + 540 + k as i64 * 7, p, &desk, true);
        }
    }
    for night in [10, 11] {
        for (k, p) in PEOPLE.iter().enumerate() {
            let minute = night * MINUTES_A_DAY + 61 + k as i64;
            login(minute, p, "198.51.100.7", false);
        }
    }
    login(13 * MINUTES_A_DAY + 70, PEOPLE[0], "198.51.100.7", true);
    login(12 * MINUTES_A_DAY + 1200, PEOPLE[1], "203.0.113.8", true);
    lines.sort();
    let log: Vec<String> = lines.into_iter().map(|l| l.1).collect();
    put(dir.path(), "logs/idp/keycloak.log", log.join("\n") + "\n");
    rented(dir.path());
    let tries = judged(dir.path(), &|s| from(s, "198.51.100.7") && s.only_refused());
    assert_eq!(tries.len(), 10);
    assert!(
        tries
            .iter()
            .all(|(_, j)| has(j, "one_address") && j.verdict != SessionVerdict::Intruder),
        "{}",
        said(&tries)
    );
    let word = Word {
        origins: vec!["198.51.100.7".into()],
        ..Word::default()
    };
    let ran = trial::run(dir.path(), &word).unwrap();
    let usurped: Vec<&str> = (ran.judged.accounts.iter())
        .filter(|a| a.verdict != SessionVerdict::Legitimate)
        .map(|a| a.account.name.as_str())
        .collect();
    assert_eq!(usurped, [PEOPLE[0]]);
    let cut = &ran.judged.containment.cut;
    assert!(
        PEOPLE[1..]
            .iter()
            .all(|p| cut.iter().all(|c| !c.contains(p))),
        "{cut:?}"
    );
    let away = judged_on(dir.path(), &word, &|s| from(s, "203.0.113.8"));
    assert!(
        away.iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Legitimate),
        "{}",
        said(&away)
    );
}

/// Each question from another address, under the same account by the same client: one walk, whatever each address shows.
#[test]
fn a_walk_that_changes_its_address_is_one_walk() {
    let play = |places: i64| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::work();
        for (k, asked) in walk().into_iter().enumerate() {
            let place = format!("203.0.{}.7", 100 + k as i64 % places);
            let begin = 6 * MINUTES_A_DAY + 60 + k as i64;
            web.asks(PEOPLE[3], &place, "Go-http-client/1.1", begin, &[asked]);
        }
        web.write(dir.path());
        judged(dir.path(), &|s| {
            let a = s.origin.address.map(|a| a.to_string());
            a.is_some_and(|a| a.starts_with("203.0."))
        })
    };
    let many = play(100);
    assert!(many.len() >= 8, "{}", said(&many));
    assert!(
        many.iter().all(|(_, j)| has(j, "enumeration")
            && has(j, "roaming")
            && j.verdict == SessionVerdict::Intruder),
        "{}",
        said(&many)
    );
    let one = play(1);
    assert!(
        one.iter().all(|(_, j)| !has(j, "roaming")),
        "{}",
        said(&one)
    );
}

/// Three accounts walked alike in a hurry from places nobody knows: that each time the owner's own browser is named clears nobody.
#[test]
fn a_copied_browser_clears_nobody_in_a_campaign() {
    let own = |k: usize| OWN.replace("122.0", &format!("{}.0", 110 + k));
    let play = |accounts: usize| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::default();
        let mut context = ESTABLISHMENT.to_string();
        for (k, user) in PEOPLE.iter().enumerate() {
            let desk = format!("10.60.20.{}", 10 + k);
            writeln!(
                context,
                "[[account]]\nname = \"web:{user}\"\nkind = \"professional\"\nnetworks = [\"{desk}/32\"]"
            )
            .unwrap();
            for day in 0..21 {
                let id = |n: i64| 1000 + (day * 7919 + n * 104_729 + k as i64 * 31) % 9000;
                let asked: Vec<String> = (0..9)
                    .map(|n| format!("GET /fhir/Patient/{}", id(n)))
                    .collect();
                let begin = day * MINUTES_A_DAY + 540 + k as i64 * 13;
                web.asks(user, &desk, &own(k), begin, &asked);
            }
        }
        for (k, user) in PEOPLE[..accounts].iter().enumerate() {
            let begin = (12 + k as i64) * MINUTES_A_DAY + 70;
            web.asks(
                user,
                &format!("203.0.{}.7", 100 + k),
                &own(k),
                begin,
                &walk(),
            );
        }
        web.write(dir.path());
        put(dir.path(), "ampleur.toml", context);
        let away = |s: &Session| {
            let a = s.origin.address.map(|a| a.to_string());
            a.is_some_and(|a| a.starts_with("203.0."))
        };
        judged(dir.path(), &away)
    };
    let three = play(3);
    assert!(
        three
            .iter()
            .all(|(_, j)| has(j, "own_device") && j.verdict == SessionVerdict::Intruder),
        "{}",
        said(&three)
    );
    let two = play(2);
    assert!(
        two.iter()
            .all(|(_, j)| j.verdict != SessionVerdict::Intruder),
        "{}",
        said(&two)
    );
}

/// The gateway's log delivered by a second collector is the same log: what came out of the intruder's tunnel stays his.
#[test]
fn a_gateways_log_delivered_twice_is_one_door() {
    let dir = tempfile::tempdir().unwrap();
    through_tunnels(dir.path(), 12, &[]);
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let mut gateway = read("logs/gateway/fortigate.log");
    let mut desks = read("logs/ctx02/security.xml");
    let begin = 7 * MINUTES_A_DAY + 120;
    let (remote, lent) = ("198.51.100.7", "10.212.134.8");
    tunnel(
        &mut gateway,
        "bmartin",
        900,
        (begin, begin + 25),
        remote,
        lent,
    );
    desk(&mut desks, "bmartin", lent, 900, (begin + 3, begin + 20));
    put(dir.path(), "logs/gateway/fortigate.log", &gateway);
    put(dir.path(), "logs/collector2/fortigate.log", &gateway);
    put(dir.path(), "logs/ctx02/security.xml", desks);
    let word = Word {
        origins: vec![remote.into()],
        ..Word::default()
    };
    let his = judged_on(dir.path(), &word, &|s| from(s, lent));
    assert!(
        his.iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Intruder && !has(j, "two_possible_paths")),
        "{}",
        said(&his)
    );
}

/// The intruder's program under another account: it is the same hand where it asks for the same kind of thing at the same pace.
#[test]
fn the_intruders_tool_used_alike_is_his() {
    let play = |own_pace: bool| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::work();
        let read = |n: i64| format!("GET /fhir/Patient/{}", 1000 + n * 7919 % 9000);
        for (user, place, day) in [
            (PEOPLE[3], "203.0.113.71", 12),
            (PEOPLE[4], "198.51.100.7", 14),
        ] {
            for n in 0..9 {
                let wide = if own_pace && user == PEOPLE[3] { 3 } else { 0 };
                let begin = day * MINUTES_A_DAY + 70;
                let k = web.lines.len();
                web.asks(user, place, "Go-http-client/1.1", begin, &[read(day + n)]);
                // Seven seconds apart, or minutes.
                let second = n * 7 + wide * 60 * n;
                let t = at(begin) + second.seconds();
                let old = at(begin).strftime("%d/%b/%Y:%H:%M:%S").to_string();
                let line = web.lines[k].1.clone();
                let new = t.strftime("%d/%b/%Y:%H:%M:%S").to_string();
                web.lines[k] = (begin * 60 + second, line.replace(&old, &new));
            }
        }
        web.write(dir.path());
        let word = Word {
            origins: vec!["198.51.100.7".into()],
            ..Word::default()
        };
        judged_on(dir.path(), &word, &|s| from(s, "203.0.113.71"))
    };
    let weight = |list: &[(Session, Judgement)]| {
        let all = list.iter().flat_map(|(_, j)| &*j.reasons);
        let shared = all.filter(|r| r.code == "shared_device");
        shared.map(|r| r.weight).fold(0.0, f32::max)
    };
    let (alike, other) = (play(false), play(true));
    assert_eq!(
        (weight(&alike), weight(&other)),
        (2.5, 1.5),
        "{}",
        said(&alike)
    );
}

/// A tool for hands under the application's account on the application's own machine: the address explains nothing. The application's
/// next version there is the application.
#[test]
fn a_tool_for_hands_on_the_applications_machine_is_in_doubt() {
    let play = |program: &str| {
        let dir = tempfile::tempdir().unwrap();
        let mut db = Database::default();
        db.front_end(17);
        for day in [12, 14] {
            let from = day * MINUTES_A_DAY + 2 * 60 + 24;
            let asked: Vec<(i64, String)> = (0..3)
                .map(|n| {
                    let sql = format!(
                        "SELECT nom FROM public.patient WHERE ipp = '{}'",
                        8_000 + n * 7
                    );
                    (from + n, sql)
                })
                .collect();
            let asked: Vec<(i64, &str)> = asked.iter().map(|(t, q)| (*t, q.as_str())).collect();
            let times = (from, from + 9);
            db.connection("dpi_app", "10.60.40.22", program, times, &asked);
        }
        db.write(dir.path());
        let account = "[[account]]\nname = \"db:dpi_app\"\nkind = \"service\"\nnetworks = [\"10.60.40.22/32\"]\n";
        let context = format!("{ESTABLISHMENT}{account}");
        put(dir.path(), "ampleur.toml", context);
        const HOUR: i64 = 3_600_000_000_000;
        judged(dir.path(), &|s| s.to - s.from < HOUR)
    };
    let by_hand = play("psql");
    assert!(
        by_hand
            .iter()
            .all(|(_, j)| has(j, "by_hand") && j.verdict == SessionVerdict::Doubtful),
        "{}",
        said(&by_hand)
    );
    let own = play("DpiFront 2");
    assert!(
        own.iter().all(|(_, j)| !has(j, "by_hand")),
        "{}",
        said(&own)
    );
}

/// The verdicts of what came from one address.
fn verdicts_of(case: &Path, address: &str) -> Vec<SessionVerdict> {
    let there = judged(case, &|s| from(s, address));
    there.iter().map(|(_, j)| j.verdict).collect()
}

/// A few questions of a walk under two accounts of strangers, from a place nobody else comes from, are one stranger's. One account alone,
/// or somebody who works there too, leave it in doubt.
#[test]
fn where_strangers_walk_the_index_nobody_is_at_home() {
    use SessionVerdict::{Doubtful, Intruder};
    const PLACE: &str = "203.0.113.71";
    let play = |whos: &[&str], resident: bool| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::work();
        for (k, user) in (0..).zip(whos) {
            let begin = (6 + 3 * k) * MINUTES_A_DAY + 1330;
            web.asks(user, PLACE, THIEF, begin, &walk()[..6]);
        }
        if resident {
            let read = ["GET /fhir/Patient/4711".to_string()];
            web.asks(PEOPLE[4], PLACE, OWN, 8 * MINUTES_A_DAY + 1200, &read);
        }
        web.write(dir.path());
        let mut verdicts = verdicts_of(dir.path(), PLACE);
        verdicts.retain(|v| *v != SessionVerdict::Legitimate);
        verdicts
    };
    assert_eq!(play(&PEOPLE[1..3], false), [Intruder, Intruder]);
    assert_eq!(play(&PEOPLE[1..2], false), [Doubtful]);
    assert_eq!(play(&PEOPLE[1..3], true), [Doubtful, Doubtful]);
}

/// In a young case some thieves' visits are a third of an account's days: a place where the index is gone through, and nothing else asked,
/// is no exit of professionals; one where the same people work is.
#[test]
fn a_place_where_strangers_walk_is_no_exit() {
    let play = |asked: &[String]| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::default();
        for day in 0..6 {
            for (k, user) in (0..).zip(&PEOPLE[..3]) {
                let own = [format!("GET /fhir/Patient/{}", 1000 + day * 31 + k)];
                let home = format!("203.0.113.{}", 20 + k);
                web.asks(user, &home, OWN, day * MINUTES_A_DAY + 540 + 13 * k, &own);
                if day % 2 == 1 {
                    let begin = day * MINUTES_A_DAY + 1350 + 20 * k;
                    web.asks(user, "203.0.113.9", THIEF, begin, asked);
                }
            }
        }
        web.write(dir.path());
        let there = judged(dir.path(), &|s| from(s, "203.0.113.9"));
        there.iter().filter(|(_, j)| has(j, "shared_exit")).count()
    };
    assert_eq!(play(&walk()), 0);
    assert_eq!(play(&["GET /fhir/Patient/4711".to_string()]), 9);
}

/// A robot under somebody's account says nothing of the home its owner works from with another device on three days and more, at the hours
/// and in the manner of the account; two days are nobody's home.
#[test]
fn a_home_in_use_keeps_its_owner() {
    let play = |days: &[i64]| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::campaign();
        for day in days {
            let own = |n: i64| format!("GET /fhir/Patient/{}", 1000 + n * 613 % 9000);
            let asked: Vec<String> = (0..4).map(|n| own(day * 31 + n)).collect();
            let begin = day * MINUTES_A_DAY + 560;
            web.asks(
                PEOPLE[0],
                "203.0.113.71",
                &THIEF.replace("125", "131"),
                begin,
                &asked,
            );
        }
        web.write(dir.path());
        let home = judged(dir.path(), &|s| from(s, "203.0.113.71"));
        let blamed = home.iter().filter(|(_, j)| has(j, "usurped_account"));
        (blamed.count(), home.len())
    };
    assert_eq!(play(&[2, 6, 9, 17]), (0, 4));
    assert_eq!(play(&[6, 17]), (2, 2));
}

/// A program that asks much from outside, and no log says for whom, is in doubt; a partner's, day after day, is not.
#[test]
fn a_robot_no_log_names_is_in_doubt() {
    let play = |days: std::ops::Range<i64>| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::work();
        for day in days {
            let read =
                |n: i64| format!("GET /fhir/Patient/{}", 1000 + (day * 7919 + n * 613) % 9000);
            let asked: Vec<String> = (0..20).map(read).collect();
            let begin = day * MINUTES_A_DAY + 130;
            web.asks("-", "203.0.113.71", "python-requests/2.27.1", begin, &asked);
        }
        web.write(dir.path());
        let verdicts = verdicts_of(dir.path(), "203.0.113.71");
        let doubtful = verdicts.iter().filter(|v| **v == SessionVerdict::Doubtful);
        (doubtful.count(), verdicts.len())
    };
    assert_eq!(play(7..9), (2, 2));
    assert_eq!(play(2..19), (0, 17));
}

/// Two accounts of strangers walked with one client that is neither's: within a day one hand's, else doubt. And two accounts read by night
/// with one client, from places unknown to both, are in doubt however their owners' way of asking is copied.
#[test]
fn one_client_new_to_two_accounts_is_a_sign() {
    use SessionVerdict::{Doubtful, Intruder, Legitimate};
    let play = |accounts: usize, (apart, minute): (i64, i64), asked: &[String]| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::work();
        for (k, user) in (0..).zip(&PEOPLE[..accounts]) {
            let place = format!("203.0.113.{}", 71 + 9 * k);
            let begin = (8 + k * apart) * MINUTES_A_DAY + minute + 40 * k;
            web.asks(user, &place, THIEF, begin, asked);
        }
        web.write(dir.path());
        let strange = |s: &Session| {
            s.origin
                .address
                .is_some_and(|a| a.to_string().starts_with("203."))
        };
        let all = judged(dir.path(), &strange);
        all.iter().map(|(_, j)| j.verdict).collect::<Vec<_>>()
    };
    assert_eq!(play(2, (0, 600), &walk()), [Intruder, Intruder]);
    assert_eq!(play(2, (5, 600), &walk()), [Doubtful, Doubtful]);
    let reads: Vec<String> = (0..5)
        .map(|n| format!("GET /fhir/Patient/{}", 4711 + n))
        .collect();
    assert_eq!(play(2, (1, NIGHT), &reads), [Doubtful, Doubtful]);
    assert_eq!(play(1, (1, NIGHT), &reads), [Legitimate]);
}

/// A place at which two accounts of strangers come by day, each reading far more than its owner ever did, is in doubt; one of them alone is
/// not for that.
#[test]
fn a_place_where_two_accounts_do_what_neither_does_is_in_doubt() {
    let play = |visits: &[Visit<'_>]| {
        let dir = tempfile::tempdir().unwrap();
        file_server(dir.path(), visits, true);
        let (odd, lawful) = of_visits(dir.path(), visits);
        assert!(
            lawful
                .iter()
                .all(|(_, j)| j.verdict == SessionVerdict::Legitimate),
            "{}",
            said(&lawful)
        );
        let doubtful = odd
            .iter()
            .filter(|(_, j)| j.verdict == SessionVerdict::Doubtful);
        (
            doubtful.count() > 0,
            odd.iter()
                .any(|(_, j)| j.verdict == SessionVerdict::Intruder),
        )
    };
    let day = |d: i64| d * MINUTES_A_DAY;
    let two = [
        ("adubois", day(4) + 640, "192.0.2.7", (15, 280)),
        ("bmartin", day(7) + 700, "192.0.2.7", (15, 280)),
    ];
    assert_eq!(play(&two), (true, false));
    assert_eq!(play(&two[..1]), (false, false));
}

/// Somebody of whom nothing is known reads in the middle of the night, from a place nobody knows, several times what his colleagues ever
/// read: in doubt. By day he is new.
#[test]
fn a_newcomer_is_held_against_his_colleagues() {
    let play = |minute: i64| {
        let dir = tempfile::tempdir().unwrap();
        let mut web = Web::work();
        let read = |n: i64| format!("GET /fhir/Patient/{}", 1000 + n * 613 % 9000);
        let asked: Vec<String> = (0..30).map(read).collect();
        web.asks(
            "fnoel",
            "203.0.113.71",
            OWN,
            9 * MINUTES_A_DAY + minute,
            &asked,
        );
        web.write(dir.path());
        verdicts_of(dir.path(), "203.0.113.71")
    };
    assert_eq!(play(NIGHT), [SessionVerdict::Doubtful]);
    assert_eq!(play(640), [SessionVerdict::Legitimate]);
}

/// What comes to a program's account from a machine it is not declared for is none of its daily ways, on however many days; where no
/// network is declared it may be.
#[test]
fn a_way_from_an_undeclared_machine_is_never_usual() {
    let play = |declared: bool| {
        let dir = tempfile::tempdir().unwrap();
        let mut db = Database::default();
        db.front_end(12);
        for day in (0..12).step_by(2) {
            let begin = day * MINUTES_A_DAY + 20 + day * 17 % 90;
            let asked: Vec<(i64, String)> = (0..8)
                .map(|k| {
                    (
                        begin + k,
                        format!(
                            "SELECT nom FROM public.patient WHERE nom LIKE 'M{}%'",
                            (b'A' + k as u8) as char
                        ),
                    )
                })
                .collect();
            let asked: Vec<(i64, &str)> = asked.iter().map(|(t, q)| (*t, q.as_str())).collect();
            db.connection(
                "dpi_app",
                "10.60.40.21",
                "Rapport",
                (begin, begin + 20),
                &asked,
            );
        }
        db.write(dir.path());
        let networks = if declared {
            "networks = [\"10.60.40.22/32\"]\n"
        } else {
            ""
        };
        let account = format!("[[account]]\nname = \"db:dpi_app\"\nkind = \"service\"\n{networks}");
        put(
            dir.path(),
            "ampleur.toml",
            format!("{ESTABLISHMENT}{account}"),
        );
        let there = judged(dir.path(), &|s| from(s, "10.60.40.21"));
        there.iter().filter(|(_, j)| has(j, "usual_way")).count()
    };
    assert_eq!(play(true), 0);
    assert_eq!(play(false), 6);
}

/// Questions by prefixes on the application's own machine, by its own program, are in doubt where its connections never ask any.
#[test]
fn questions_a_program_never_asks_are_in_doubt_on_its_machine() {
    let play = |days: std::ops::Range<i64>| {
        let dir = tempfile::tempdir().unwrap();
        let mut db = Database::default();
        db.front_end(24);
        for day in days {
            let begin = day * MINUTES_A_DAY + 100 + day * 17 % 60;
            let asked: Vec<(i64, String)> = (0..6)
                .map(|k| {
                    (
                        begin + 3 * k,
                        format!(
                            "SELECT nom FROM public.patient WHERE nom LIKE 'M{}%'",
                            (b'A' + k as u8) as char
                        ),
                    )
                })
                .collect();
            let asked: Vec<(i64, &str)> = asked.iter().map(|(t, q)| (*t, q.as_str())).collect();
            db.connection(
                "dpi_app",
                "10.60.40.22",
                "DpiFront",
                (begin, begin + 20),
                &asked,
            );
        }
        db.write(dir.path());
        put(dir.path(), "ampleur.toml", ESTABLISHMENT);
        let all = judged(dir.path(), &|s| from(s, "10.60.40.22"));
        let odd = all
            .iter()
            .filter(|(_, j)| j.verdict == SessionVerdict::Doubtful);
        (
            odd.filter(|(_, j)| has(j, "strange_questions")).count(),
            all.len(),
        )
    };
    assert_eq!(play(9..11), (2, 26));
    // A program that asks so day after day has learned it.
    assert_eq!(play(0..24), (0, 48));
}

/// A program the application's account never uses goes through the index on the application's own machine: three nights are no errand, twice
/// or by day it is in doubt.
#[test]
fn a_foreign_program_night_after_night_is_the_intruders() {
    use SessionVerdict::{Doubtful, Intruder};
    let play = |days: &[i64], minute: i64| {
        let dir = tempfile::tempdir().unwrap();
        let mut db = Database::default();
        db.front_end(24);
        for day in days {
            let begin = day * MINUTES_A_DAY + minute + day * 17 % 60;
            let asked: Vec<(i64, String)> = (0..8)
                .map(|k| {
                    (
                        begin + 3 * k,
                        format!(
                            "SELECT nom FROM public.patient WHERE nom LIKE 'M{}%'",
                            (b'A' + k as u8) as char
                        ),
                    )
                })
                .collect();
            let asked: Vec<(i64, &str)> = asked.iter().map(|(t, q)| (*t, q.as_str())).collect();
            db.connection(
                "dpi_app",
                "10.60.40.22",
                "psql",
                (begin, begin + 30),
                &asked,
            );
        }
        db.write(dir.path());
        put(dir.path(), "ampleur.toml", ESTABLISHMENT);
        let mut verdicts = verdicts_of(dir.path(), "10.60.40.22");
        verdicts.retain(|v| *v != SessionVerdict::Legitimate);
        verdicts
    };
    assert_eq!(play(&[9, 12, 13], 100), [Intruder; 3]);
    assert_eq!(play(&[9, 12], 100), [Doubtful; 2]);
    assert_eq!(play(&[9, 12, 13], 780), [Doubtful; 3]);
}

/// What is done under the account of somebody who has left makes no habit, and from a place nobody knows it is the intruder's; whoever
/// keeps his pace with his browser under other accounts is the same.
#[test]
fn nothing_is_learned_after_somebody_has_left() {
    let dir = tempfile::tempdir().unwrap();
    let mut web = Web::work();
    let own = |line: &str| line.contains(PEOPLE[0]);
    web.lines
        .retain(|(second, line)| !own(line) || *second < 3 * 86_400);
    let visits = [
        (PEOPLE[0], 6, "203.0.113.71"),
        (PEOPLE[0], 9, "203.0.113.71"),
        (PEOPLE[0], 12, "203.0.113.71"),
        (PEOPLE[1], 13, "203.0.113.80"),
        (PEOPLE[2], 14, "203.0.113.89"),
    ];
    for (user, day, place) in visits {
        let read = |n: i64| format!("GET /fhir/Patient/{}", 1000 + (day * 7919 + n * 613) % 9000);
        let asked: Vec<String> = (0..20).map(read).collect();
        web.asks(user, place, THIEF, day * MINUTES_A_DAY + 600, &asked);
    }
    web.write(dir.path());
    let person = format!(
        "[[person]]\nid = \"p:1\"\nname = \"A\"\naccounts = [\"app:{}\"]\nuntil = \"2025-06-05\"\n",
        PEOPLE[0]
    );
    put(
        dir.path(),
        "ampleur.toml",
        format!("{ESTABLISHMENT}{person}"),
    );
    let strange = |s: &Session| {
        s.origin
            .address
            .is_some_and(|a| a.to_string().starts_with("203."))
    };
    let all = judged(dir.path(), &strange);
    assert_eq!(all.len(), 5);
    assert!(
        all.iter()
            .all(|(_, j)| j.verdict == SessionVerdict::Intruder
                && !has(j, "usual_place")
                && !has(j, "own_device")),
        "{}",
        said(&all)
    );
}

/// An intruder in a bastion that does not say where it leads, and whose connections no log shows: who logs on meanwhile from where he
/// hardly ever does may be him, people at their own desks are not. A coming without a time is at no time.
#[test]
fn what_begins_while_the_intruder_is_in_a_bastion_is_in_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let night = 12 * MINUTES_A_DAY + 130;
    let t = (at(night) - 2.hours()).strftime("%Y-%m-%dT%H:%M:%S");
    put(
        dir.path(),
        "logs/bastion/guacamole.log",
        format!(
            "{t},000Z [http-nio-8080-exec-2] INFO  o.a.g.r.auth.AuthenticationService - User \"presta\" successfully authenticated from 198.51.100.9.\n\
             [http-nio-8080-exec-3] INFO  o.a.g.r.auth.AuthenticationService - User \"presta\" successfully authenticated from 198.51.100.10.\n"
        ),
    );
    let mut log = String::new();
    let mut n = 0;
    let mut logon = |user: &str, address: &str, from: i64| {
        n += 1;
        desk(&mut log, user, address, n, (from, from + 30));
    };
    for day in 0..11 {
        logon("mdupont", "10.60.20.15", day * MINUTES_A_DAY + 540);
        logon("exploit", "10.60.20.16", day * MINUTES_A_DAY + 600);
    }
    logon("mdupont", "10.60.20.15", night + 20);
    logon("exploit", "10.60.20.99", night + 40);
    logon("exploit", "10.60.20.99", night + 8 * 60);
    put(dir.path(), "logs/ctx02/security.xml", log);
    put(dir.path(), "ampleur.toml", ESTABLISHMENT);
    let word = Word {
        accounts: vec!["bastion:presta".into()],
        ..Word::default()
    };
    let all = judged_on(dir.path(), &word, &|s| account(s).starts_with("ad:"));
    let untimed = judged_on(dir.path(), &word, &|s| from(s, "198.51.100.10"));
    assert_eq!(untimed.len(), 1, "{}", said(&untimed));
    assert_eq!(untimed[0].0.from, NO_TIME);
    assert_eq!(untimed[0].1.verdict, SessionVerdict::Intruder);
    let (odd, rest): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(_, j)| has(j, "behind_bastion"));
    assert_eq!(odd.len(), 1, "{}", said(&odd));
    let (s, j) = &odd[0];
    assert!(from(s, "10.60.20.99") && j.verdict == SessionVerdict::Doubtful);
    let lawful = |(_, j): &(Session, Judgement)| j.verdict == SessionVerdict::Legitimate;
    assert!(rest.iter().all(lawful), "{}", said(&rest));
}
