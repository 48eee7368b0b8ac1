//! The sealed lake (floor 2): evidence as received, its rows as Parquet, and a signed log over both.
//!
//! Two logs hang under one signed checkpoint. The **evidence log** (`log/`) has one leaf per segment and holds nothing but
//! facts of the evidence itself, so that equal evidence gives an equal root whatever the keys. The **custody log**
//! (`log/custody/`) says where those segments are stored, with the hashes of the stored bytes, and who used the lake.
//! Appending is write, fsync, rename, fsync the folder, then the checkpoint, the only file ever replaced (EV-2, EV-3).
//!
//! Not here yet: compaction and retention. A lake only grows.

pub mod bundle;
pub mod columns;
mod error;
mod keys;
mod lake;
pub mod locked;
mod merkle;
mod pages;
mod proof;
mod raw;
mod segment;
mod sha256;
mod siv;
pub mod store;
mod stored;
mod tiles;
mod vault;
pub mod verify;

pub use error::EvidenceError;
pub use keys::{ColumnCipher, DpoKey, DpoPublic, Keys, PublicKey, load_raw_key};
pub use lake::{Checkpoint, Citation, Lake, SegmentInfo, Use, Wait};
pub use proof::{LineProof, ProvenLine};
pub use segment::{
    Cut, RawHalf, RowHalf, SealedSegment, SegmentCounts, SegmentMeta, SegmentWriter,
};
