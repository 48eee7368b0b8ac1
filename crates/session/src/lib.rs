//! Ampleur: session.
