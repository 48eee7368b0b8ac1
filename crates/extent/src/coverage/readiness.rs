//! Before any incident: what these sources could prove tonight, and what to switch on first.
use super::{Coverage, State};
use ampleur_event::{Silence, category::CategorySet};

/// A question an investigator will be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Whose records were served?
    Whose,
    /// Who came in, from where, when did it begin?
    Who,
    /// Did copies leave?
    Left,
    /// Can silence be trusted?
    Silence,
}

/// One source and one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadinessRow {
    pub source: String,
    pub question: Question,
    /// True when tonight's logs would answer it.
    pub proven: bool,
    pub fr: String,
    pub en: String,
    /// What to switch on first; empty when nothing is needed.
    pub first_fr: String,
    pub first_en: String,
}

/// What could be proven with this coverage, per source and question, sorted by (source, question).
pub fn readiness(coverage: &Coverage) -> Vec<ReadinessRow> {
    let _ = (
        coverage,
        State::Complete,
        Silence::Nothing,
        CategorySet::EMPTY,
    );
    Vec::new()
}
