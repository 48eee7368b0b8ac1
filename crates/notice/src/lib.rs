//! Ampleur: notice.
