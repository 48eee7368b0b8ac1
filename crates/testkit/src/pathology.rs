//! What happens to logs between the machine and the analyst. Each one is applied to finished records while they are written
//! and is declared in the truth (records, gaps, what is still enumerable).
use crate::{Family, Recipe, civil::Ms};

/// One kind of damage. Sources are named by the key of the truth (`sri-audit`); times are UTC milliseconds, `[from, to)`.
#[derive(Debug, Clone, PartialEq)]
pub enum Pathology {
    /// A share of lines is delivered twice.
    Duplicate { share: f64 },
    /// A share of lines is written after its successor (at most five seconds later).
    Reorder { share: f64 },
    /// A share of lines is cut short (one-line formats only, so that the number of records stays).
    Truncate { share: f64 },
    /// All records of an interval are lost.
    DropBurst { source: String, from: Ms, to: Ms },
    /// Somebody erased all records of an interval.
    Erase { source: String, from: Ms, to: Ms },
    /// Auditing was switched off: the records of the interval never were, and no number is missing. A Windows log says when.
    AuditOff { source: String, from: Ms, to: Ms },
    /// The source was never collected.
    DropSource { source: String },
    /// Nothing before this instant was kept.
    Rotation { source: String, before: Ms },
    /// Somebody removed the lines of one session of the intruder; 0 is the first one this source saw.
    Edit { source: String, session: u32 },
    /// The clock of the source is wrong by this much.
    Clock { source: String, offset_s: i64 },
}

impl Pathology {
    /// The small wear every collection has: repeats, neighbours swapped, a few cut lines.
    pub fn wear() -> Vec<Pathology> {
        vec![
            Pathology::Duplicate { share: 0.0008 },
            Pathology::Reorder { share: 0.0015 },
        ]
    }
}

/// Sources of a family that show what is accessed.
pub fn telling(f: Family) -> &'static [&'static str] {
    match f {
        Family::S1 => &["fs-labo", "fs-rh"],
        Family::S2 => &["proxy", "audit"],
        Family::S4 => &["web", "api"],
        Family::S5 => &["bd"],
        Family::S6 => &["fs-gest", "fs-rh"],
        Family::S9 | Family::Clean => &["dpi"],
    }
}

/// Sources of a family that only show who is there.
pub fn present(f: Family) -> &'static [&'static str] {
    match f {
        Family::S1 | Family::S6 => &["vpn", "fw", "dc-a"],
        Family::S2 => &["idp", "edge"],
        Family::S4 => &[],
        Family::S5 => &["ts-clin", "vpn", "fw"],
        Family::S9 | Family::Clean => &["vpn", "sso"],
    }
}

/// Names of [`damages`], in their order.
pub const DAMAGES: &[&str] = &[
    "burst",
    "no presence",
    "no telling",
    "rotation",
    "erase",
    "wear and cut lines",
    "clock",
    "edit",
    "clock of the teller",
    "audit off",
    "burst and clock",
    "rotation and no presence",
    "edit and cut lines",
    "everything",
];

/// The damages every answer must stand, with their names. Which source is hit, and when, follows from the seed.
pub fn damages(f: Family, seed: u64) -> Vec<(&'static str, Vec<Pathology>)> {
    let (from, to) = Recipe::new(f, seed, 1.0).window();
    let at = |share: f64| from + ((to - from) as f64 * share) as i64;
    let dice = |k: u64| crate::rng::mix(seed ^ crate::rng::mix(k)) as usize;
    let of = |list: &[&str], k: u64| -> Option<String> {
        (!list.is_empty()).then(|| list[dice(k) % list.len()].to_string())
    };
    let tells = |k| of(telling(f), k).unwrap_or_default();
    let other = |k| of(present(f), k).unwrap_or_else(|| tells(k));
    let share =
        |k: u64, low: f64, high: f64| low + (high - low) * (dice(k) % 10_000) as f64 / 10_000.0;
    let burst = |k: u64| {
        let a = share(k + 1, 0.1, 0.85);
        Pathology::DropBurst {
            source: tells(k),
            from: at(a),
            to: at(a + share(k + 2, 0.01, 0.15)),
        }
    };
    let rotation = |k: u64| Pathology::Rotation {
        source: tells(k),
        before: at(share(k + 1, 0.2, 0.9)),
    };
    let edit = |k: u64| Pathology::Edit {
        source: tells(k),
        session: 0,
    };
    let erase = |k: u64| {
        let a = share(k + 1, 0.1, 0.7);
        Pathology::Erase {
            source: tells(k),
            from: at(a),
            to: at(a + share(k + 2, 0.05, 0.3)),
        }
    };
    let off = |k: u64| {
        let a = share(k + 1, 0.1, 0.7);
        Pathology::AuditOff {
            source: tells(k),
            from: at(a),
            to: at(a + share(k + 2, 0.05, 0.3)),
        }
    };
    let silent = |source: String| Pathology::DropSource { source };
    let clock = |source: String, offset_s: i64| Pathology::Clock { source, offset_s };
    let wear = || {
        vec![
            Pathology::Duplicate { share: 0.05 },
            Pathology::Reorder { share: 0.05 },
            Pathology::Truncate { share: 0.004 },
        ]
    };
    let made = vec![
        vec![burst(10)],
        vec![silent(other(20))],
        vec![silent(tells(30))],
        vec![rotation(40)],
        vec![erase(50)],
        wear(),
        vec![clock(other(70), 1_500)],
        vec![edit(80)],
        vec![clock(tells(90), 47 * 60)],
        vec![off(100)],
        vec![burst(110), clock(other(113), -47 * 60)],
        vec![rotation(120), silent(other(122))],
        wear().into_iter().chain([edit(130)]).collect(),
        wear()
            .into_iter()
            .chain([burst(140), clock(other(143), 47 * 60), rotation(144)])
            .collect(),
    ];
    DAMAGES.iter().copied().zip(made).collect()
}
