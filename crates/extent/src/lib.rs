//! Sessions × events → disclosures, coverage, bounds, statements. Floor 5; does not import `detect`.
//!
//! The way through: [`identity`] (who is who, dated) and [`files`] (what files contain) are read once; [`disclose`] asks every
//! event of the sessions judged intruder or doubtful what it showed ([`catalog`], [`replay`]); [`extent`] counts persons into
//! cells; [`coverage`], [`bounds`] and [`statements`] say how sure that is; [`model`] is the answer as written.
pub mod bounds;
pub mod catalog;
pub mod claims;
pub mod coverage;
pub mod disclose;
pub mod explain;
pub mod extent;
pub mod files;
pub mod findings;
pub use ampleur_event::fold;
pub mod identity;
pub mod leak;
pub mod letters;
pub mod model;
pub mod pace;
mod pairing;
pub mod people;
pub mod replay;
pub mod statements;
pub mod strings;
pub mod targeted;
mod undescribed;
pub mod versions;
pub mod writes;
