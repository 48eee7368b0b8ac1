//! What the attacker says, against what the evidence allows (contract §A, Claims).
use crate::model::{Cell, Claim};
use ampleur_event::{Category, Context, Interval, category::CategorySet};

/// What claims are judged against.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub subjects: Interval,
    /// The cells as written, bounds included.
    pub cells: Vec<Cell>,
    /// What some log with records tells: of anything else nobody knows whether it was seen.
    pub told: CategorySet,
    /// An identity base was given; without one nothing is said.
    pub identity_base: bool,
}

/// One verdict per claim, in the order of the context; none without an identity base.
pub fn claims(context: &Context, facts: &Facts) -> Vec<Claim> {
    if !facts.identity_base {
        return Vec::new();
    }
    context
        .claims
        .iter()
        .map(|c| {
            let patterns: Vec<(&String, CategorySet)> = c
                .categories
                .iter()
                .map(|p| (p, CategorySet::parse(&[p]).unwrap_or(CategorySet::EMPTY)))
                .collect();
            let (verdict, because) = judge(c.subjects, &patterns, facts);
            Claim {
                text: c.text.clone(),
                verdict: verdict.to_string(),
                because,
            }
        })
        .collect()
}

fn judge(
    subjects: Option<u64>,
    patterns: &[(&String, CategorySet)],
    facts: &Facts,
) -> (&'static str, Vec<String>) {
    let sum = |set: CategorySet, f: fn(&Cell) -> u64, touched: bool| -> u64 {
        facts
            .cells
            .iter()
            .filter(|c| Category::from_code(&c.category).is_some_and(|k| set.contains(k)))
            .filter(|c| match c.verdict.as_str() {
                "leaked" | "exfiltrated" | "consulted" => true,
                "exposed" => !touched,
                _ => false,
            })
            .map(f)
            .fold(0, u64::saturating_add)
    };
    if let Some(n) = subjects
        && n > facts.subjects.at_most
    {
        return (
            "refuted",
            vec![format!("claimed {n}, at most {}", facts.subjects.at_most)],
        );
    }
    let untold = |s: CategorySet| !s.without(facts.told).is_empty();
    let possible: Vec<bool> = patterns
        .iter()
        .map(|(_, s)| untold(*s) || sum(*s, |c| c.subjects.at_most, false) > 0)
        .collect();
    if !patterns.is_empty() && possible.iter().all(|p| !p) {
        return (
            "refuted",
            patterns
                .iter()
                .map(|(p, _)| format!("{p} is not possible"))
                .collect(),
        );
    }
    let established = patterns
        .iter()
        .all(|(_, s)| sum(*s, |c| c.subjects.at_least, true) > 0);
    let reached = match subjects {
        Some(n) => facts.subjects.at_least >= n,
        // A claim without a number is about categories alone.
        None => !patterns.is_empty(),
    };
    if reached && established {
        return (
            "supported",
            vec![format!("at least {}", facts.subjects.at_least)],
        );
    }
    let mut why = vec![format!(
        "between {} and {}",
        facts.subjects.at_least, facts.subjects.at_most
    )];
    for (p, s) in patterns {
        if sum(*s, |c| c.subjects.at_least, true) == 0 {
            why.push(format!("{p} is not established"));
            if untold(*s) {
                why.push(format!("no source tells {p}"));
            }
        }
    }
    ("undecidable", why)
}

#[cfg(test)]
mod tests {
    use super::*;
    fn verdict(claim: &str, lo: u64, hi: u64, cells: &[(&str, &str, u64, u64)]) -> String {
        let context = Context::parse(claim).unwrap();
        let facts = Facts {
            subjects: Interval::new(lo, hi),
            cells: cells
                .iter()
                .map(|(c, v, a, b)| Cell {
                    establishment: "finess:1".into(),
                    category: c.to_string(),
                    verdict: v.to_string(),
                    subjects: Interval::new(*a, *b),
                    derived_from: vec![],
                })
                .collect(),
            told: CategorySet::parse(&["ID.*", "HEALTH.*"]).unwrap(),
            identity_base: true,
        };
        claims(&context, &facts)[0].verdict.clone()
    }
    const C: &str = "[[claim]]\ntext=\"x\"\nsubjects=100\ncategories=[\"HEALTH.*\"]\n";
    #[test]
    fn claims_are_refuted_supported_or_open() {
        let health = ("HEALTH.DRUG", "consulted", 100, 120);
        assert_eq!(verdict(C, 10, 90, &[health]), "refuted");
        assert_eq!(
            verdict(C, 10, 200, &[("ID.NAME", "consulted", 10, 200)]),
            "refuted"
        );
        assert_eq!(
            verdict(C, 10, 200, &[("HEALTH.DRUG", "exposed", 0, 5)]),
            "undecidable"
        );
        assert_eq!(verdict(C, 100, 200, &[health]), "supported");
        assert_eq!(verdict(C, 50, 200, &[health]), "undecidable");
        assert_eq!(
            verdict(C, 100, 200, &[("HEALTH.DRUG", "exposed", 0, 5)]),
            "undecidable"
        );
    }
    #[test]
    fn what_no_source_tells_is_not_refuted() {
        let pay = C.replace("HEALTH", "STAFF");
        let name = ("ID.NAME", "consulted", 10, 200);
        assert_eq!(verdict(&pay, 10, 200, &[name]), "undecidable");
        // By their number they are, whatever was seen.
        assert_eq!(verdict(&pay, 10, 90, &[name]), "refuted");
    }
    #[test]
    fn nothing_is_said_without_an_identity_base() {
        let context = Context::parse(C).unwrap();
        assert!(claims(&context, &Facts::default()).is_empty());
    }
}
