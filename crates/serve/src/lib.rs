//! Ampleur: serve.
