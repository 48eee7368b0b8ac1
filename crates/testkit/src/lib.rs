//! Ampleur: testkit.
