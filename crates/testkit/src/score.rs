//! The laws as a scorer.
