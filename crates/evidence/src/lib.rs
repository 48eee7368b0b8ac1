//! Ampleur: evidence.
