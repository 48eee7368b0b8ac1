//! A published list, and files published with it, against the inventory: what is really ours, and whose data that is.
//!
//! A line is ours when its hash is, or its path tail and size (contract §D); a list holds decoys, so a path with another size
//! or hash is told apart and counts for nobody. A sample file is read like any file: who is named in it is published.
use super::JobError;
use ampleur_content::{
    extract::{Limits, Risky},
    inventory::{Row, State, denied, examine, sha256},
    whose::Knowledge,
};
use ampleur_event::{Category, Interval, category::CategorySet, context::Claim};
use ampleur_extent::{
    files::Inventory,
    identity::IdentityBase,
    leak::{self, LeakLine, LeakMatch},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
};

/// Share that published samples are listed under.
pub const SAMPLES: &str = "\\\\published\\samples";

/// What a line of a list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineVerdict {
    /// This file of ours, by its hash or by path and size.
    Leaked { file: u32, by_hash: bool },
    /// One of these.
    Among(Vec<u32>),
    /// A path of ours with another size or hash: a decoy, or another version.
    Decoy(Vec<u32>),
    /// A path of ours, and the list says neither size nor hash.
    NameOnly(Vec<u32>),
    /// Nothing of ours.
    Unknown,
}

impl LineVerdict {
    pub fn word(&self) -> &'static str {
        match self {
            LineVerdict::Leaked { .. } => "leaked",
            LineVerdict::Among(_) => "among",
            LineVerdict::Decoy(_) => "decoy",
            LineVerdict::NameOnly(_) => "name-only",
            LineVerdict::Unknown => "unknown",
        }
    }
}

/// A claim of those who publish, in the light of list, samples and population.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimVerdict {
    pub text: String,
    /// supported | refuted | undecidable
    pub verdict: &'static str,
    pub fr: String,
    pub en: String,
}

/// What a list proves.
#[derive(Debug, Clone, Default)]
pub struct LeakReport {
    /// In order of list and line.
    pub lines: Vec<(LeakLine, LineVerdict)>,
    /// Persons whose data was published.
    pub subjects: Interval,
    /// Persons per category, in list order; categories of nobody are left out.
    pub categories: Vec<(Category, Interval)>,
    /// Some published file could not be read to its end when the inventory was made: the upper bound is everybody known.
    pub open: bool,
    /// What the samples hold.
    pub samples: Vec<Row>,
    pub claims: Vec<ClaimVerdict>,
}

/// Reads published files, in order of path.
///
/// # Errors
/// A folder that cannot be listed.
pub fn samples(
    paths: &[PathBuf],
    know: &Knowledge,
    limits: Limits,
    risky: &mut dyn Risky,
) -> Result<Vec<Row>, JobError> {
    let mut out = vec![];
    for root in paths {
        for (path, full, size) in super::inventory::files_under(root)? {
            let opened = File::open(&full).and_then(|mut f| sha256(&mut f).map(|h| (f, h)));
            out.push(match opened {
                Ok((f, h)) => examine(know, SAMPLES, &path, f, h, risky, limits),
                Err(_) => denied(know, SAMPLES, &path, size),
            });
        }
    }
    Ok(out)
}

/// Reads lists.
///
/// # Errors
/// A list that cannot be opened.
pub fn listings(paths: &[PathBuf]) -> Result<Vec<LeakLine>, JobError> {
    leak::load_files(paths).map_err(|e| {
        JobError::file(
            "read",
            paths.first().map_or(Path::new(""), PathBuf::as_path),
            e,
        )
    })
}

/// Puts lists and samples beside the inventory.
pub fn leak_report(
    lines: Vec<LeakLine>,
    samples: Vec<Row>,
    inventory: &Inventory,
    base: &IdentityBase,
    claims: &[Claim],
) -> LeakReport {
    let mut r = LeakReport::default();
    let mut sure: BTreeMap<String, CategorySet> = BTreeMap::new();
    let mut maybe: BTreeMap<String, CategorySet> = BTreeMap::new();
    // One person under several numbers counts once.
    let person = |subject: &str| -> String {
        match base.records_named(subject).first() {
            Some(r) => format!("person {}", base.person_of(*r)),
            None => subject.to_string(),
        }
    };
    let give = |m: &mut BTreeMap<String, CategorySet>, who: String, c: CategorySet| {
        let e = m.entry(who).or_default();
        *e = e.union(c);
    };
    for l in lines {
        let verdict = match leak::find(inventory, &l) {
            LeakMatch::File(f) => LineVerdict::Leaked {
                file: f,
                by_hash: inventory.with_sha(&l.sha256).contains(&f),
            },
            LeakMatch::Among(f) => LineVerdict::Among(f),
            LeakMatch::None => match leak::same_path(inventory, &l) {
                f if f.is_empty() => LineVerdict::Unknown,
                f if l.size.is_none() && l.sha256.is_empty() => LineVerdict::NameOnly(f),
                f => LineVerdict::Decoy(f),
            },
        };
        let (files, certain) = match &verdict {
            LineVerdict::Leaked { file, .. } => (vec![*file], true),
            LineVerdict::Among(f) => (f.clone(), false),
            _ => (vec![], false),
        };
        for f in files {
            r.open |= inventory.files[f as usize].open;
            for s in inventory.subjects(f) {
                let who = person(inventory.strings.get(s.subject));
                if certain && s.sure {
                    give(&mut sure, who.clone(), s.categories);
                }
                give(&mut maybe, who, s.categories);
            }
        }
        r.lines.push((l, verdict));
    }
    // Every candidate of a line that fits several files is only possible; one of the files was published all the same.
    let least_among = r
        .lines
        .iter()
        .filter_map(|(_, v)| match v {
            LineVerdict::Among(f) => f
                .iter()
                .map(|f| inventory.subjects(*f).iter().filter(|s| s.sure).count() as u64)
                .min(),
            _ => None,
        })
        .max()
        .unwrap_or(0);
    for s in &samples {
        r.open |= s.state != State::Read;
        for (list, certain) in [(&s.subjects, true), (&s.possible, false)] {
            for h in list {
                let c = CategorySet::parse(&h.categories).unwrap_or_default();
                let who = person(&h.subject);
                if certain {
                    give(&mut sure, who.clone(), c);
                }
                give(&mut maybe, who, c);
            }
        }
    }
    let mut everybody: BTreeSet<String> = (0..base.person_count())
        .map(|p| format!("person {p}"))
        .collect();
    for f in 0..inventory.files.len() as u32 {
        everybody.extend(
            inventory
                .subjects(f)
                .iter()
                .map(|s| person(inventory.strings.get(s.subject))),
        );
    }
    everybody.extend(maybe.keys().cloned());
    let most = |n: usize| {
        if r.open {
            everybody.len() as u64
        } else {
            n as u64
        }
    };
    r.subjects = Interval {
        at_least: (sure.len() as u64).max(least_among),
        at_most: most(maybe.len()),
    };
    for c in Category::ALL {
        let n = |m: &BTreeMap<String, CategorySet>| m.values().filter(|s| s.contains(*c)).count();
        let (a, z) = (n(&sure), n(&maybe));
        if z > 0 {
            r.categories.push((
                *c,
                Interval {
                    at_least: a as u64,
                    at_most: most(z),
                },
            ));
        }
    }
    // Without an identity base nobody can be counted, and no claim is judged (contract §A).
    if !base.is_empty() {
        r.claims = claims
            .iter()
            .map(|c| claim(c, &r, everybody.len() as u64))
            .collect();
    }
    r.samples = samples;
    r
}

/// What list and samples alone say of a claim; the logs may say more (`ampleur investigate`).
fn claim(c: &Claim, r: &LeakReport, known: u64) -> ClaimVerdict {
    let say = |verdict, fr: String, en: String| ClaimVerdict {
        text: c.text.clone(),
        verdict,
        fr,
        en,
    };
    let wanted: Vec<CategorySet> = c
        .categories
        .iter()
        .map(|p| Category::matching(p).into_iter().collect())
        .collect();
    let established = |w: &CategorySet| {
        r.categories
            .iter()
            .any(|(k, n)| w.contains(*k) && n.at_least > 0)
    };
    match c.subjects {
        Some(n) if n > known => say(
            "refuted",
            format!("{n} personnes sont annoncées, {known} sont connues"),
            format!("{n} persons are claimed, {known} are known"),
        ),
        Some(n) if r.subjects.at_least >= n && wanted.iter().all(established) => say(
            "supported",
            format!(
                "{} personnes au moins sont dans ce qui est publié",
                r.subjects.at_least
            ),
            format!(
                "at least {} persons are in what was published",
                r.subjects.at_least
            ),
        ),
        None if !wanted.is_empty() && wanted.iter().all(established) => say(
            "supported",
            "chaque catégorie annoncée est dans ce qui est publié".into(),
            "each claimed category is in what was published".into(),
        ),
        _ => say(
            "undecidable",
            format!(
                "ce qui est publié prouve {} personnes ; le reste n’est ni montré ni exclu",
                r.subjects.at_least
            ),
            format!(
                "what was published proves {} persons; the rest is neither shown nor excluded",
                r.subjects.at_least
            ),
        ),
    }
}
