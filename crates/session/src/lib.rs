//! Events → sessions → chains. Floor 4.
//!
//! - [`FileIntake`] reads one file's events as they are decoded and keeps stretches of sessions: memory grows with sessions, not events.
//! - [`Sessions::build`] joins the stretches of all files: associative, independent of order and threads, and an event
//!   delivered twice changes nothing but the count of events.
//! - [`Sessions::of_event`] gives back the one session an event belongs to (SE-1).
//! - [`Sessions::links`] say which session made which other one possible; [`Sessions::chains`] are their connected components.
//!
//! Bytes: `counts.bytes_out` is what went towards the user or outside. Tunnel: the highest running total of what the gateway
//! sent to the remote client (totals are never added). HTTP: bytes of the answers (`Event::bytes_in`). Flow: `Event::bytes_out`.
//! `counts.bytes_in` is the other direction.

mod bastion;
mod build;
mod chain;
mod columns;
mod copies;
mod days;
mod features;
mod geo;
mod intake;
mod key;
pub mod net;
mod parties;
pub mod profile;
pub mod spread;
mod texts;
mod tickets;
mod turns;

pub use build::{Finder, Sessions};
pub use columns::{Alike, Column};
pub use copies::copies;
pub use features::{Asks, Features, List};
pub use intake::{FileIntake, Named, Partial, machine};
pub use key::{ID_LIFE, INACTIVITY, KEY_COLUMNS, Key, key_of};
pub use parties::{NO_PARTY, Parties};
pub use texts::{TextId, Texts};
