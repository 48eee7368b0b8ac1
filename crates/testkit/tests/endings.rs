//! Two incidents end as they must: a vendor's account and the theft of files (S1), a professional's account and encryption (S6).
mod common;
use ampleur_extent::model::Answer;
use ampleur_testkit::{Family, Recipe, Truth, simulate};
use std::collections::BTreeSet;

struct Ending {
    truth: Truth,
    answer: Answer,
    rows: Vec<ampleur_extent::model::PersonRow>,
    _out: tempfile::TempDir,
}

fn play(family: Family) -> Ending {
    let dir = common::scratch();
    let s = simulate(&Recipe::new(family, 3, 0.002), dir.path()).unwrap();
    let truth = serde_json::from_slice(&std::fs::read(&s.truth).unwrap()).unwrap();
    let out = common::scratch();
    let f = common::run(&s.case, out.path(), 2);
    Ending {
        truth,
        answer: f.answer,
        rows: f.persons,
        _out: out,
    }
}

impl Ending {
    /// (at least, at most) of a category with this verdict, over all establishments.
    fn cell(&self, category: &str, verdict: &str) -> (u64, u64) {
        self.answer
            .extent
            .cells
            .iter()
            .filter(|c| c.category == category && c.verdict == verdict)
            .fold((0, 0), |s, c| {
                (s.0 + c.subjects.at_least, s.1 + c.subjects.at_most)
            })
    }
    fn rows(&self, category: &str, verdict: &str) -> BTreeSet<&str> {
        self.rows
            .iter()
            .filter(|r| r.category == category && r.verdict == verdict)
            .map(|r| r.subject.as_str())
            .collect()
    }
    fn said(&self, code: &str) -> (bool, &str) {
        let s = self
            .answer
            .statements
            .iter()
            .find(|s| s.code == code && s.establishment.is_none())
            .unwrap();
        (s.holds, s.because.first().map_or("", String::as_str))
    }
    /// Sessions judged intruder whose account belongs to somebody the truth clears.
    fn accused(&self) -> Vec<&str> {
        let clean: BTreeSet<&str> = self
            .truth
            .accounts
            .iter()
            .filter(|a| a.verdict == "clean")
            .flat_map(|a| a.aliases.iter().chain([&a.account]))
            .map(String::as_str)
            .collect();
        self.answer
            .sessions
            .iter()
            .filter(|s| s.verdict == "intruder")
            .filter_map(|s| s.account.as_deref())
            .filter(|a| clean.contains(a))
            .collect()
    }
}

#[test]
fn a_vendors_account_and_the_theft_of_files() {
    let e = play(Family::S1);
    assert_eq!(e.accused(), Vec::<&str>::new());
    // The vendor's own sessions come from his network and are his.
    for s in e.answer.sessions.iter().filter(|s| s.verdict == "intruder") {
        let from = s.origin.address.as_deref().unwrap_or("");
        assert!(!from.starts_with("192.0.2."), "{} from {from}", s.id);
    }
    // The audited share names its files: staff are named, each with proof.
    let staff = e.rows("STAFF.PAY", "exfiltrated");
    assert!(!staff.is_empty());
    assert!(e.cell("STAFF.PAY", "exfiltrated").0 >= 1);
    assert!(
        e.rows
            .iter()
            .filter(|r| r.category == "STAFF.PAY" && r.verdict == "exfiltrated")
            .all(|r| r.certainty == "proven" && !r.evidence.is_empty())
    );
    // Shares seen by bytes alone: an interval, and nobody named but those on the published list.
    let (least, most) = e.cell("HEALTH.RESULT", "exfiltrated");
    assert!(least < most, "{least}..{most}");
    assert!(e.rows("HEALTH.RESULT", "exfiltrated").is_empty());
    assert!(!e.rows("HEALTH.RESULT", "exposed").is_empty());
    // The server nobody logs: within reach, no more.
    let blind = &e.truth.tests["blind"][0];
    assert!(blind.is_string());
    assert!(e.cell("HEALTH.IMAGE", "exposed").1 > 0);
    // The patient record was watched and nobody came.
    for never in ["HEALTH.DRUG", "CARE.UNIT", "FREE.TEXT"] {
        for verdict in ["consulted", "exfiltrated", "leaked", "exposed"] {
            assert_eq!(e.cell(never, verdict), (0, 0), "{never} {verdict}");
        }
    }
    assert!(!e.said("list_complete").0);
    assert_eq!(e.answer.claims[0].verdict, "refuted");
    // Three rented addresses in two countries, from the first night until he was cut.
    let thief: Vec<_> = (e.answer.sessions.iter())
        .filter(|s| s.verdict == "intruder" && s.source == "logs/vpn/*")
        .collect();
    let meant: Vec<_> = (e.truth.sessions.iter())
        .filter(|s| s.actor == "intruder" && s.system == "vpn")
        .collect();
    let addresses: BTreeSet<_> = thief.iter().map(|s| s.origin.address.as_deref()).collect();
    assert_eq!(
        addresses,
        meant.iter().map(|s| s.address.as_deref()).collect()
    );
    let countries: BTreeSet<_> = thief.iter().map(|s| &s.origin.country).collect();
    assert_eq!(countries.len(), 2);
    assert_eq!(
        thief.iter().map(|s| &s.from).min(),
        meant.iter().map(|s| &s.from).min()
    );
    assert_eq!(
        thief.iter().map(|s| &s.to).max(),
        meant.iter().map(|s| &s.to).max()
    );
    // The vendor's night of the ticket is cleared by it; the backup is kept.
    assert!(e.answer.sessions.iter().any(|s| s.verdict == "legitimate"
        && s.origin.address.as_deref() == Some("192.0.2.21")
        && s.reasons.iter().any(|r| r.code == "ticket")));
    let at_night: Vec<_> = (e.answer.sessions.iter())
        .filter(|s| {
            let address = s.origin.address.as_deref();
            address.is_some_and(|a| a.ends_with(".40.30"))
        })
        .collect();
    assert!(!at_night.is_empty() && at_night.iter().all(|s| s.verdict == "legitimate"));
    assert!(
        e.answer
            .containment
            .keep
            .iter()
            .any(|k| k.ends_with(".40.30"))
    );
    // Staff by level: decoys on the published list move nobody.
    for category in ["STAFF.NIR", "STAFF.PAY", "STAFF.BANK"] {
        for level in ["exfiltrated", "leaked"] {
            let who: BTreeSet<&str> = (e.truth.disclosures.iter())
                .filter(|d| {
                    d.4 == level && e.truth.catsets[d.2 as usize].iter().any(|k| k == category)
                })
                .flat_map(|d| &e.truth.persons[d.0 as usize].ids)
                .map(String::as_str)
                .collect();
            let n: u64 = (e.truth.cells.iter())
                .filter(|t| t.category == category)
                .map(|t| t.level.get(level))
                .sum();
            let rows = e.rows(category, level);
            assert!(
                rows.is_subset(&who) && rows.len() as u64 == n,
                "{category} {level}"
            );
        }
    }
    let (least, most) = e.cell("HEALTH.IMAGE", "exfiltrated");
    assert!(0 < least && least < most && e.rows("HEALTH.IMAGE", "exfiltrated").is_empty());
    // The share nobody logs is named.
    let blind = blind.as_str().unwrap().to_lowercase();
    let named = &e.answer.extent.blind_shares;
    assert!(
        named.iter().any(|s| s.to_lowercase().contains(&blind)),
        "{named:?} {blind}"
    );
}

#[test]
fn a_professionals_account_and_encryption() {
    let e = play(Family::S6);
    assert_eq!(e.accused(), Vec::<&str>::new());
    // Four times more patients than there are, with their history: refuted by what the shares hold.
    assert_eq!(e.answer.claims.len(), 1);
    assert_eq!(e.answer.claims[0].verdict, "refuted");
    // The domain controller kept seven days: before them it is blind, not clean.
    let rolled = e
        .truth
        .gaps
        .iter()
        .find(|g| g.source == "dc-a" && g.kind == "rotation")
        .unwrap();
    let blind = e
        .answer
        .coverage
        .iter()
        .find(|c| c.source == "logs/dc-a/*" && c.kind == "rotation")
        .unwrap();
    assert_eq!(blind.state, "gap");
    assert_eq!(blind.from[..16], rolled.from[..16]);
    assert!(blind.to.as_str() >= &rolled.to[..16]);
    assert!(
        !e.answer
            .coverage
            .iter()
            .any(|c| c.source == "logs/dc-a/*" && c.state == "complete" && c.from < blind.to)
    );
    // The firewall was edited: found, and said.
    let wiped = e
        .truth
        .gaps
        .iter()
        .find(|g| g.source == "fw" && g.kind == "tamper")
        .unwrap();
    let edited: Vec<_> = (e.answer.coverage.iter())
        .filter(|c| c.kind == "tamper")
        .collect();
    assert_eq!(edited.len(), 1);
    assert!(edited[0].source == "logs/fw/*" && edited[0].state == "gap");
    assert!(edited[0].from <= wiped.from && edited[0].to >= wiped.to);
    let (holds, because) = e.said("logs_intact");
    assert!(
        !holds && because.starts_with("untrue") && because.contains("logs/fw/* tamper"),
        "{because}"
    );
    let said = e.answer.statements.iter().find(|s| s.code == "logs_intact");
    assert_eq!(said.unwrap().en, "Lines were probably removed from logs.");
    // Visit date with care sector tells of health.
    assert!(!e.said("no_health_data").0);
    assert!(e.cell("HEALTH.STATE", "exfiltrated").1 + e.cell("HEALTH.STATE", "leaked").1 > 0);
    // Encryption is a change, and the start lies before the logs.
    let (holds, because) = e.said("nothing_written");
    assert!(!holds && because.starts_with("untrue"), "{because}");
    assert!(!e.said("start_known").0);
    // Refuted by what the shares hold, not only by how many people there are.
    assert!(e.answer.extent.subjects.at_most < e.truth.totals.population);
    assert_eq!(e.answer.extent.subjects.at_least, e.truth.totals.affected);
    for v in ["exfiltrated", "leaked"] {
        assert_eq!(e.cell("HEALTH.STATE", v).1, e.cell("CARE.DATE", v).1, "{v}");
    }
    // The nurse and the engineer are cleared, by whatever name a log calls them.
    let tail = |a: &str| a.rsplit([':', '\\']).next().unwrap_or(a).to_owned();
    for a in e.truth.accounts.iter().filter(|a| a.note.is_some()) {
        let theirs: Vec<_> = (e.answer.sessions.iter())
            .filter(|s| {
                let account = s.account.as_deref();
                account.is_some_and(|n| tail(n) == tail(&a.account))
            })
            .collect();
        assert!(
            !theirs.is_empty() && theirs.iter().all(|s| s.verdict == "legitimate"),
            "{}",
            a.account
        );
    }
    // A gateway whose clock is fast was edited by nobody.
    assert!(
        !e.answer
            .coverage
            .iter()
            .any(|c| c.source == "logs/vpn/*" && c.kind == "tamper")
    );
}
