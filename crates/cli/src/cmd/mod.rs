//! One file per command.
pub mod config;
pub mod decode;
pub mod readiness;
pub mod simulate;
pub mod sources;
pub mod verify;
