//! Sessions × events → disclosures, coverage, bounds, statements. Floor 5; does not import `detect`.
pub mod model;
