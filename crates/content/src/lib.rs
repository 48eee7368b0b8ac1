//! What files contain: text out of documents, identifiers out of text, persons out of identifiers. Floor 3.
//!
//! The way through: [`extract`] tells a file's kind by its bytes and walks it, archives inside archives too; [`text`] folds any
//! encoding to plain letters; [`detect`] finds numbers, dates and addresses, [`words`] what headings and words say; [`whose`]
//! puts them together with the [`roster`] of known persons; [`inventory`] writes one row a file.
//! A text is walked once: one pass tells letters from digits, a table of bits the few words that begin one of the list or may be a
//! family name; the words around a number are read when it asks for them. Rows of a table and values of a record go the same way
//! together, one behind the other.
//! Fenced here: the libraries that read PDF, spreadsheets, compound files, messages and archives.
pub mod detect;
pub mod extract;
mod fold;
pub mod inventory;
pub mod roster;
mod runs;
pub mod whose;
pub mod words;

pub use ampleur_event::plain as text;
