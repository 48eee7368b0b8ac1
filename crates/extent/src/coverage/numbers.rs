//! Running numbers.
