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
    assert!(e.answer.coverage.iter().any(|c| c.source == "logs/fw/*"
        && c.state == "gap"
        && c.from < wiped.to
        && c.to > wiped.from));
    assert!(!e.said("logs_intact").0);
    // Visit date with care sector tells of health.
    assert!(!e.said("no_health_data").0);
    assert!(e.cell("HEALTH.STATE", "exfiltrated").1 + e.cell("HEALTH.STATE", "leaked").1 > 0);
    // Encryption is a change, and the start lies before the logs.
    let (holds, because) = e.said("nothing_written");
    assert!(!holds && because.starts_with("untrue"), "{because}");
    assert!(!e.said("start_known").0);
}
