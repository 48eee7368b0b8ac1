//! One file per command.
pub mod answer;
pub mod config;
pub mod decode;
pub mod demo;
pub mod extent;
pub mod ingest;
pub mod inventory;
pub mod investigate;
pub mod leak;
pub mod overrule;
pub mod readiness;
pub mod simulate;
pub mod sources;
#[cfg(feature = "cluster")]
pub mod sql;
pub mod verify;
pub mod watch;
