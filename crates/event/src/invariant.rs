//! Invariants by id, checked in release too. A violated one stops the run: a wrong answer is worse than none.

/// One law of the house that code can check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invariant {
    pub id: &'static str,
    pub says: &'static str,
}

macro_rules! invariants {
    ($($name:ident = $id:literal, $says:literal;)+) => {
        $(#[doc = $says] pub const $name: Invariant = Invariant { id: $id, says: $says };)+
        /// Every invariant, for the documentation and its test.
        pub const ALL: &[Invariant] = &[$($name,)+];
    };
}

invariants! {
    EV_1 = "EV-1", "records in = events + rejects + skipped, for every input";
    EV_2 = "EV-2", "a sealed segment is never changed";
    EV_3 = "EV-3", "what was acknowledged is in the tree the checkpoint signs";
    SE_1 = "SE-1", "every event with an account or address belongs to exactly one session of its source";
    EX_1 = "EX-1", "at_least is never above at_most";
    EX_2 = "EX-2", "an access whose person cannot be resolved widens at_most, it is never dropped";
    EX_3 = "EX-3", "ruled_out needs complete coverage of a source that tells";
    EX_4 = "EX-4", "a person is counted once over all establishments";
    EX_5 = "EX-5", "an overlapping later version never lowers a proven count without a stated reason";
}

/// Stops the run when `holds` is false. `detail` must not carry personal data.
///
/// # Panics
/// When `holds` is false, naming the invariant.
#[track_caller]
pub fn check(holds: bool, invariant: Invariant, detail: &str) {
    assert!(
        holds,
        "invariant {} violated: {} ({detail})",
        invariant.id, invariant.says
    );
}
