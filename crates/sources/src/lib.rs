//! Decoders: bytes as received → events and rejects. Floor 2; imports `event` only.
//!
//! A source is one file beside this one, one line in [`SOURCES`], one folder in `testdata/sources/`; or one mapping in
//! `mappings/`, see [`mapped`], and one folder. Decoding cannot fail as a
//! whole: every record ends as an event, a reject (with its place and reason) or a skip (blank, comment), and
//! records in = events + rejects + skipped for every input (EV-1).

mod canonical;
pub mod case;
mod changed;
mod dicom_audit;
mod elements;
mod envelope;
mod fhir_auditevent;
pub mod follow;
mod fortinet_fortigate;
mod http_access;
mod keycloak;
pub mod kv;
pub mod lines;
pub mod mapped;
pub mod net;
mod openvpn;
mod postgresql;
mod quick;
pub mod reader;
mod samba_audit;
mod scan;
pub mod sink;
mod speakers;
pub mod syslog;
mod systemd_journal;
mod tables;
pub mod time;
mod utmp;
mod windows_blocks;
mod windows_security;
mod windows_shape;
mod windows_text;
mod zeek;

pub use canonical::canonical;
pub use case::{Case, FileId};
pub use reader::{
    FileReport, FileSink, Limits, Piece, ReadError, decode_bytes, read_file, read_what_can_be_read,
};
pub use sink::{Decoded, Reason, Reject, Stop};

use ampleur_event::{Capability, System};

/// How sure a source is that an input is its own, judged from the first bytes only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    No,
    /// The shape fits, many formats would (generic access log, bare JSON).
    Maybe,
    /// Words of this product are there.
    Likely,
    /// A signature or several unmistakable fields.
    Certain,
}

/// The standard or documentation a decoder follows.
#[derive(Debug, Clone, Copy)]
pub struct Standard {
    pub name: &'static str,
    pub section: &'static str,
}

/// What the operator declared about the files being read; see `SourceEntry` in the context.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// Zone for stamps that carry none. `None`: nobody declared one, UTC is assumed and said (`TimeNote::Assumed`).
    pub zone: Option<jiff::tz::TimeZone>,
    /// Nanoseconds added to every time of the source.
    pub clock_offset: i64,
    /// System of accounts, overriding the format's own.
    pub accounts: Option<System>,
    /// Custom log layout (`log_format`, `log_line_prefix`).
    pub layout: Option<String>,
    /// Year for stamps without one, from the file's neighbours or modification time; `None` when unknown.
    pub year_hint: Option<i16>,
    /// No stamp without a year is later than this (UTC nanoseconds): when the file was last written, or the date in its name.
    pub not_after: Option<i64>,
    /// Mappings of the case, asked to sniff before the built-in sources; the surer one reads the file.
    pub mappings: Vec<&'static mapped::Mapped>,
}

/// The first bytes of an input, decompressed, at most 64 KiB. Never the file's name.
pub struct Head<'a> {
    pub bytes: &'a [u8],
    /// True when the input is no longer than the head.
    pub whole: bool,
}

/// One kind of log. Stateless; [`Source::open`] makes the decoder of one file.
pub trait Source: Sync {
    /// Kebab-case name, unique, used in `[[source]] format` and in every output.
    fn name(&self) -> &'static str;
    /// One line for people: product, what it carries.
    fn about(&self) -> &'static str;
    fn standard(&self) -> Standard;
    fn capability(&self) -> Capability;
    fn sniff(&self, head: &Head<'_>) -> Confidence;
    fn open(&self, head: &Head<'_>, setting: &Setting) -> Box<dyn Decode>;
}

/// The decoder of one file. It is fed consecutive pieces and keeps what it must between them.
pub trait Decode: Send {
    /// Decodes whole records from the front of `bytes` and returns how many bytes it took. `last` is true when no more
    /// bytes follow: then everything must be taken, a truncated record becoming a reject. When `last` is false and no
    /// whole record is there it may return 0 and is called again with more bytes.
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize;
    /// Called once after the last piece, for records held back (continuation lines).
    fn finish(&mut self, _out: &mut Decoded) {}
    /// The last place of `bytes`, at most `most`, where a record ends and another decoder could go on as this one would: so that parts
    /// of a file can be decoded side by side. `None` (the rule): what comes first decides how the rest is read.
    fn cut(&self, _bytes: &[u8], _most: usize) -> Option<usize> {
        None
    }
    /// Such a decoder, made while this one is between two records; `None` while something is open.
    fn apart(&self) -> Option<Box<dyn Decode>> {
        None
    }
    /// True of one made by [`Decode::apart`] when what it decoded may hang on the records before its own, or what it leaves behind
    /// changes how those after them are read: a header, a year told by the order of lines, a running total.
    fn leaned(&self) -> bool {
        false
    }
}

/// Sources with a decoder of their own, in the order they are asked to sniff.
const CODED: &[&dyn Source] = &[
    &fortinet_fortigate::FortinetFortigate,
    &openvpn::Openvpn,
    &keycloak::Keycloak,
    &samba_audit::SambaAudit,
    &windows_security::WindowsSecurity,
    &fhir_auditevent::FhirAuditEvent,
    &dicom_audit::DicomAudit,
    &postgresql::Postgresql,
    &zeek::Zeek,
    &utmp::Utmp,
    &systemd_journal::SystemdJournal,
    &http_access::HttpAccess,
];

// The mappings of the folder `mappings`, sorted by name.
include!(concat!(env!("OUT_DIR"), "/mapped.rs"));

/// Every source: those with a decoder of their own, then the mappings by name, then syslog of anything. The list, the docs page,
/// the help, the fuzz targets and the goldens derive from it.
pub static SOURCES: &[&dyn Source] = &{
    const N: usize = CODED.len() + MAPPINGS + 1;
    let mut all: [&dyn Source; N] = [&mapped::SyslogMixed; N];
    let mut i = 0;
    while i < CODED.len() {
        all[i] = CODED[i];
        i += 1;
    }
    while i < CODED.len() + MAPPINGS {
        all[i] = &MAPPED[i - CODED.len()];
        i += 1;
    }
    all
};

/// The source with this name.
pub fn by_name(name: &str) -> Option<&'static dyn Source> {
    SOURCES
        .iter()
        .copied()
        .find(|s| s.name() == name)
        .or_else(|| {
            mapped::loaded()
                .into_iter()
                .find(|m| m.name() == name)
                .map(|m| m as &dyn Source)
        })
}

/// The name nearest to a mistyped one, if any is near.
pub fn nearest_name(name: &str) -> Option<&'static str> {
    let shared = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    SOURCES
        .iter()
        .map(|s| s.name())
        .map(|n| (shared(n, name).max(shared_tail(n, name)), n))
        .filter(|(k, _)| *k >= 3)
        .max()
        .map(|(_, n)| n)
}

fn shared_tail(a: &str, b: &str) -> usize {
    let (a, b) = (a.bytes().rev(), b.bytes().rev());
    a.zip(b).take_while(|(x, y)| x == y).count()
}
