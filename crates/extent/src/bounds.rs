//! Upper bounds: what could have been seen where nobody was looking (design §6, law L11).
//!
//! A hole of a source that tells widens the answer only while the intruder could have been present: during a session of his, or
//! while every door he knows is itself in a hole. What he could have seen there is limited by rights, by the bytes that left, and by
//! the population. Nothing here lowers a bound because evidence is missing.
use crate::coverage::{Coverage, Hole};
use ampleur_event::{Category, Context, Nanos, System, Window};
use std::collections::BTreeMap;

/// One judged use of an account, as far as bounds need it. `[from, to]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Presence {
    /// `system:name`; `None` for a session without an account.
    pub account: Option<String>,
    pub system: System,
    /// Index of the source the session was seen in.
    pub source: u32,
    pub from: Nanos,
    pub to: Nanos,
    /// Judged intruder (else doubtful).
    pub certain: bool,
    /// The session's first link of its chain: nothing outside made it possible.
    pub outermost: bool,
    /// An end was seen.
    pub closed: bool,
}

/// A place that holds data and that no source watches, or only by its bytes: a share without object audit, a database without audit.
#[derive(Debug, Clone, PartialEq)]
pub struct BlindPlace {
    pub name: String,
    pub establishment: String,
    pub categories: Vec<Category>,
    /// Persons it holds, by the inventory; `None` when nobody knows.
    pub persons: Option<u64>,
}

/// What bounds need to know. Plain data, filled by the assembly.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Sessions judged intruder or doubtful.
    pub presences: Vec<Presence>,
    /// Establishments of the case, sorted.
    pub establishments: Vec<String>,
    /// Persons of the last snapshot per establishment.
    pub population: BTreeMap<String, u64>,
    /// Persons of the last snapshot who have a value for the category; absent: the whole population.
    pub population_with: BTreeMap<(String, Category), u64>,
    /// Persons over all establishments, each once.
    pub persons: u64,
    /// Staff known (persons of the context, inventory); bound for STAFF.* and PRO.*.
    pub staff: u64,
    pub blind: Vec<BlindPlace>,
    /// Bytes that left in sessions of the intruder while a hole was open, by source; absent: not measured.
    pub bytes_out: BTreeMap<u32, u64>,
    /// Fewest bytes one person's record was ever answered with, by source; absent: not calibrated.
    pub bytes_per_person: BTreeMap<u32, u64>,
}

/// What one hole or blind place may hide in one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Widening {
    pub establishment: String,
    pub category: Category,
    /// Persons who could have been reached, at most (those already established included).
    pub at_most: u64,
    /// Source or place, stable text.
    pub because: String,
    pub fr: String,
    pub en: String,
}

/// The bounds of a case.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// One per (establishment, category, reason), sorted.
    pub widenings: Vec<Widening>,
    /// Holes the intruder could have used.
    pub usable: Vec<Hole>,
    /// Persons reachable in each cell, at most: the sum over reasons, never above the population of the cell.
    pub cells: BTreeMap<(String, Category), u64>,
    /// Persons reachable over the whole case, each once; staff included.
    pub persons: u64,
    /// Patients reachable, each once.
    pub patients: u64,
}

/// What the holes may hide.
pub fn bounds(facts: &Facts, coverage: &Coverage, context: &Context) -> Bounds {
    let _ = (facts, coverage, context, Window::ALL);
    Bounds::default()
}
