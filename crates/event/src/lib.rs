//! The words of Ampleur as types. Floor 1: no I/O, no clock, no async, nothing printed.
//!
//! - [`Event`] and [`EventBatch`]: one normalised row of a source, and many of them as columns with their Arrow schema.
//! - [`Account`], [`Subject`], [`Session`], [`Link`]: who acted, whose data, in which use of an account.
//! - [`Verdict`], [`Interval`], [`Category`]: how sure, how many, which data.
//! - [`Context`]: the operator's `ampleur.toml`.
//! - [`invariant`]: the laws that are checked in release too.

pub mod account;
pub mod batch;
pub mod capability;
pub mod category;
pub mod context;
pub mod fold;
pub mod interval;
pub mod invariant;
pub mod plain;
pub mod session;
pub mod time;
pub mod verdict;
pub mod words;

pub use account::{Account, Subject, System};
pub use batch::{Event, EventBatch, Text};
pub use capability::{Capability, GapSign, Proof, Silence};
pub use category::Category;
pub use context::Context;
pub use interval::Interval;
pub use session::{Link, LinkKind, Origin, Session, SessionCounts, SessionId, SessionKey};
pub use time::{Nanos, TimeNote, Window};
pub use verdict::{SessionVerdict, Verdict};
pub use words::{Outcome, Verb};
