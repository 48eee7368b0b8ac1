//! What the attacker says, against what the evidence allows (contract §A, Claims).
use crate::model::{Cell, Claim};
use ampleur_event::{Context, Interval};

/// What claims are judged against.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub subjects: Interval,
    /// The cells as written, bounds included.
    pub cells: Vec<Cell>,
    /// An identity base was given; without one nothing is said.
    pub identity_base: bool,
}

/// One verdict per claim, in the order of the context.
pub fn claims(context: &Context, facts: &Facts) -> Vec<Claim> {
    let _ = (context, facts);
    Vec::new()
}
