//! From observations to stretches.
use super::{Coverage, Observation, Why};
use ampleur_event::Window;
use ampleur_sources::case::Case;

/// The window of a case.
pub fn case_window(case: &Case, observations: &[Observation]) -> (Window, Why) {
    let _ = (case, observations);
    (Window::new(0, 0), Why::default())
}

pub(super) fn build(
    case: &Case,
    observations: Vec<Observation>,
    window: Option<Window>,
) -> Coverage {
    let (derived, why) = case_window(case, &observations);
    Coverage {
        window: window.unwrap_or(derived),
        window_why: why,
        sources: vec![],
        clocks: vec![],
        unaudited: vec![],
    }
}
