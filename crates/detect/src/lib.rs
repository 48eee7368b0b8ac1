//! Ampleur: detect.
