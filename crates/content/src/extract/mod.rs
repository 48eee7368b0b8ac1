//! Text, records and members out of files of every kind: what is inside is told to a [`Reader`], what could not be read is
//! noted, nothing is passed over in silence.
//!
//! Kinds are told by content, never by name. Archives are walked inside archives. Everything is capped: depth, members, bytes
//! after decompression, bytes of one document held in memory. Formats read by large libraries go through [`Risky`], so that a
//! caller can put them into a process of their own.
mod json;
mod markup;
mod memo;
mod office;
mod parts;
mod pst;
mod records;
mod risky;
mod tape;
mod xml;

pub use parts::{Frame, read_frame, write_ask, write_frame, write_next};
pub use pst::{Bookmark, Seekable};
pub use risky::{Direct, Risky, Unit};

use crate::{
    text,
    whose::Reader,
    words::{Column, Role},
};
use ampleur_event::{Category, category::CategorySet};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    io::{self, BufRead, BufReader, Read, Seek},
};

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Empty,
    Text,
    Html,
    Xml,
    Json,
    Hl7,
    Rtf,
    Mail,
    Mailbox,
    Pdf,
    /// Compound file: old Office, Outlook message.
    Ole,
    Zip,
    SevenZip,
    Tar,
    Gzip,
    Bzip2,
    Xz,
    Zstd,
    Rar,
    Dicom,
    /// Outlook store.
    Pst,
    Image,
    Media,
    Database,
    Program,
    Unknown,
}

/// Why a part of a file was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Pictures of text: somebody must look.
    Scanned,
    /// Needs a password.
    Encrypted,
    /// A kind nobody reads here.
    Unknown,
    /// Damaged, or not what it says.
    Damaged,
    /// Larger, deeper or more of it than the limits allow.
    Limit,
    /// The reader of this kind took too long or broke down.
    Stopped,
    /// The file system refused.
    Denied,
}

impl Why {
    pub const ALL: [Why; 7] = [
        Why::Scanned,
        Why::Encrypted,
        Why::Unknown,
        Why::Damaged,
        Why::Limit,
        Why::Stopped,
        Why::Denied,
    ];
    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            Why::Scanned => "scanned",
            Why::Encrypted => "encrypted",
            Why::Unknown => "unknown",
            Why::Damaged => "damaged",
            Why::Limit => "limit",
            Why::Stopped => "stopped",
            Why::Denied => "denied",
        }
    }
}

/// Caps of one file.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a document that is held whole in memory.
    pub document_bytes: u64,
    /// Bytes after decompression, all members together.
    pub inflated_bytes: u64,
    /// Bytes after decompression for each byte before.
    pub ratio: u64,
    /// Archives inside archives.
    pub depth: u32,
    /// Members of all archives together.
    pub members: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            document_bytes: 256 << 20,
            inflated_bytes: 8 << 30,
            // Deflate cannot pass 1032; text of one letter under xz can.
            ratio: 2_000,
            depth: 8,
            members: 200_000,
        }
    }
}

/// First bytes a kind is told by.
pub const HEAD: usize = 1 << 16;

/// Tells a kind from the first bytes.
pub fn kind_of(head: &[u8]) -> Kind {
    let at = |o: usize, m: &[u8]| head.get(o..o + m.len()) == Some(m);
    if head.is_empty() {
        return Kind::Empty;
    }
    if at(128, b"DICM") || dicom_without_preamble(head) {
        return Kind::Dicom;
    }
    if at(257, b"ustar") {
        return Kind::Tar;
    }
    const MAGIC: &[(&[u8], Kind)] = &[
        (b"%PDF-", Kind::Pdf),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind::Ole),
        (b"PK\x03\x04", Kind::Zip),
        (b"PK\x05\x06", Kind::Zip),
        (b"PK\x07\x08", Kind::Zip),
        (b"7z\xbc\xaf\x27\x1c", Kind::SevenZip),
        (b"\x1f\x8b", Kind::Gzip),
        (b"BZh", Kind::Bzip2),
        (b"\xfd7zXZ\0", Kind::Xz),
        (b"\x28\xb5\x2f\xfd", Kind::Zstd),
        (b"Rar!\x1a\x07", Kind::Rar),
        (b"!BDN", Kind::Pst),
        (b"{\\rtf", Kind::Rtf),
        (b"\xff\xd8\xff", Kind::Image),
        (b"\x89PNG", Kind::Image),
        (b"GIF8", Kind::Image),
        (b"II*\0", Kind::Image),
        (b"MM\0*", Kind::Image),
        (b"SQLite format 3\0", Kind::Database),
        (b"MZ", Kind::Program),
        (b"\x7fELF", Kind::Program),
        (b"ID3", Kind::Media),
        (b"OggS", Kind::Media),
        (b"RIFF", Kind::Media),
    ];
    for (m, k) in MAGIC {
        if head.starts_with(m) && !(*k == Kind::Program && plain(head)) {
            return *k;
        }
    }
    if at(4, b"ftyp") {
        return Kind::Media;
    }
    if at(0, b"BM") && head.len() > 26 && head[6..10] == [0; 4] {
        return Kind::Image;
    }
    let narrow;
    let head = match text::utf16(head) {
        Some(big) => {
            narrow = text::narrow(&head[..head.len() & !1], big).into_bytes();
            &narrow[..]
        }
        None if plain(head) => head,
        None => return Kind::Unknown,
    };
    text_kind(head)
}

/// No sign that text has no use for, but for a few.
fn plain(head: &[u8]) -> bool {
    let odd = head
        .iter()
        .filter(|b| matches!(b, 0..=8 | 14..=26 | 28..=31 | 127) && !matches!(b, 0x0b | 0x1c))
        .count();
    odd * 200 <= head.len()
}

fn text_kind(head: &[u8]) -> Kind {
    let t = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let t = t.trim_ascii_start();
    let t = t.strip_prefix(b"\x0b").unwrap_or(t);
    let low: Vec<u8> = t[..t.len().min(2048)].to_ascii_lowercase();
    if t.starts_with(b"MSH|") || t.starts_with(b"FHS|") || t.starts_with(b"BHS|") {
        return Kind::Hl7;
    }
    if t.starts_with(b"{\\rtf") {
        return Kind::Rtf;
    }
    if t.starts_with(b"{") || t.starts_with(b"[{") || t.starts_with(b"[\n") || t.starts_with(b"[ ")
    {
        return Kind::Json;
    }
    if t.starts_with(b"<") {
        let html = [
            &b"<!doctype html"[..],
            b"<html",
            b"<head",
            b"<body",
            b"<table",
            b"<div",
        ]
        .iter()
        .any(|m| low.starts_with(m));
        return if html
            || (memchr::memmem::find(&low, b"<html").is_some() && !low.starts_with(b"<?xml"))
        {
            Kind::Html
        } else if low.len() > 1 && (low[1].is_ascii_alphabetic() || matches!(low[1], b'?' | b'!')) {
            Kind::Xml
        } else {
            Kind::Text
        };
    }
    if low.starts_with(b"from ") && memchr::memmem::find(&low, b"\nfrom: ").is_some() {
        return Kind::Mailbox;
    }
    let headers = low
        .split(|b| *b == b'\n')
        .take_while(|l| !l.trim_ascii().is_empty())
        .filter(|l| {
            [
                &b"from: "[..],
                b"to: ",
                b"subject: ",
                b"date: ",
                b"message-id: ",
                b"mime-version: ",
                b"received: ",
                b"return-path: ",
                b"content-type: ",
            ]
            .iter()
            .any(|h| l.starts_with(h))
        })
        .count();
    if headers >= 3 {
        return Kind::Mail;
    }
    Kind::Text
}

/// DICOM written without its preamble: group 8 first, explicit or implicit little endian.
fn dicom_without_preamble(head: &[u8]) -> bool {
    head.len() > 16
        && head[0] == 8
        && head[1] == 0
        && head[3] == 0
        && head[2] < 0x20
        && (head[4..6].iter().all(u8::is_ascii_uppercase)
            || (head[6] == 0 && head[7] == 0 && head[4] < 64 && head[5] == 0))
}

/// What happened while a file was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Reasons something was not read; empty when everything was.
    pub why: BTreeSet<Why>,
    /// Something was read.
    pub read: bool,
}

/// Walks one file.
pub struct Walk<'a, 'k> {
    reader: &'a mut Reader<'k>,
    risky: &'a mut dyn Risky,
    limits: Limits,
    left: u64,
    members: u64,
    pub outcome: Outcome,
}

impl<'a, 'k> Walk<'a, 'k> {
    pub fn new(reader: &'a mut Reader<'k>, risky: &'a mut dyn Risky, limits: Limits) -> Self {
        Walk {
            reader,
            risky,
            limits,
            left: limits.inflated_bytes,
            members: 0,
            outcome: Outcome::default(),
        }
    }

    fn note(&mut self, why: Why) {
        self.outcome.why.insert(why);
    }

    /// A file that can be read from any place; zip archives and stores of mail of any size are walked in it.
    pub fn file(&mut self, mut file: impl Read + Seek, len: u64) {
        self.left = self
            .left
            .min(len.saturating_mul(self.limits.ratio).max(64 << 20));
        let mut head = vec![];
        let ok = (&mut file).take(HEAD as u64).read_to_end(&mut head).is_ok()
            && file.seek(io::SeekFrom::Start(0)).is_ok();
        if !ok {
            return self.note(Why::Denied);
        }
        match kind_of(&head) {
            Kind::Zip => self.zip(file, 0),
            Kind::Pst => {
                // What a store gives lies in it, most of it as it is: the caps that protect from decompression grow with it.
                self.left = self.left.max(len.saturating_mul(4));
                self.limits.members = self.limits.members.max(len >> 13);
                self.store(&mut file, len, 0);
            }
            _ => self.stream(&mut file, 0, false),
        }
    }

    /// Bytes in memory, such as a member that was read already.
    pub fn bytes(&mut self, bytes: &[u8], depth: u32) {
        if kind_of(&bytes[..bytes.len().min(HEAD)]) == Kind::Zip {
            self.zip(io::Cursor::new(bytes), depth);
        } else {
            self.stream(&mut &bytes[..], depth, false);
        }
    }

    /// Anything that can be read once. `inflated`: its bytes count against the cap of decompression.
    fn stream(&mut self, input: &mut dyn Read, depth: u32, inflated: bool) {
        if depth > self.limits.depth {
            return self.note(Why::Limit);
        }
        let mut head = vec![];
        if read_up_to(input, HEAD, &mut head).is_err() {
            return self.note(Why::Damaged);
        }
        if inflated {
            self.left = self.left.saturating_sub(head.len() as u64);
        }
        let kind = kind_of(&head);
        match kind {
            Kind::Empty => {
                self.outcome.read = true;
                return;
            }
            Kind::Image | Kind::Media => return self.note(Why::Scanned),
            Kind::Program | Kind::Unknown | Kind::Rar | Kind::Database => {
                return self.note(Why::Unknown);
            }
            _ => {}
        }
        let (limit_over, error) = self.dispatch(kind, head, input, depth, inflated);
        if limit_over {
            self.note(Why::Limit);
        }
        if error {
            self.note(Why::Damaged);
        }
    }

    fn dispatch(
        &mut self,
        kind: Kind,
        head: Vec<u8>,
        input: &mut dyn Read,
        depth: u32,
        inflated: bool,
    ) -> (bool, bool) {
        let mut left = if inflated { self.left } else { u64::MAX };
        let mut rest = Metered {
            input,
            left: &mut left,
            over: false,
        };
        let mut error = false;
        {
            let mut all = io::Cursor::new(&head[..]).chain(&mut rest);
            match kind {
                Kind::Gzip => {
                    let mut r = flate2::read::MultiGzDecoder::new(BufReader::new(&mut all));
                    self.stream(&mut r, depth + 1, true);
                }
                Kind::Bzip2 => {
                    let mut r = bzip2::read::MultiBzDecoder::new(BufReader::new(&mut all));
                    self.stream(&mut r, depth + 1, true);
                }
                Kind::Xz => {
                    let mut r = lzma_rust2::XzReader::new_mem_limit(
                        BufReader::new(&mut all),
                        true,
                        XZ_MEMORY_KB,
                    );
                    self.stream(&mut r, depth + 1, true);
                }
                Kind::Zstd => match zstd::stream::read::Decoder::new(&mut all) {
                    Ok(mut r) => {
                        // A window above 128 MiB is refused by the library itself.
                        self.stream(&mut r, depth + 1, true);
                    }
                    Err(_) => error = true,
                },
                Kind::Tar => self.tar(&mut all, depth),
                Kind::Dicom => {
                    self.outcome.read = true;
                    error = office::dicom(&mut all, self.reader).is_err();
                }
                Kind::Text => {
                    error = self.text(&mut all).is_err();
                }
                Kind::Hl7 => {
                    self.outcome.read = true;
                    let mut r = BufReader::with_capacity(1 << 16, &mut all);
                    error = markup::hl7(&mut r, self.reader).is_err();
                }
                Kind::Json => {
                    self.outcome.read = true;
                    let mut r = BufReader::with_capacity(1 << 18, &mut all);
                    match json::read(&mut r, self.limits.document_bytes, self.reader) {
                        Ok(()) => {}
                        Err(json::Stop::TooLarge(begun)) => {
                            // A document too large to be understood is still text.
                            self.reader.text(&begun);
                            error = self.text(&mut r).is_err();
                        }
                        Err(json::Stop::Io) => error = true,
                    }
                }
                Kind::Xml => {
                    self.outcome.read = true;
                    let mut r = BufReader::with_capacity(1 << 18, &mut all);
                    error = xml::xml(&mut r, self.reader).is_err();
                }
                Kind::Mailbox => {
                    error = self.mailbox(&mut BufReader::new(&mut all), depth).is_err()
                }
                _ => {
                    let mut whole = vec![];
                    let cap = self.limits.document_bytes;
                    match (&mut all).take(cap + 1).read_to_end(&mut whole) {
                        Err(_) => error = true,
                        Ok(_) if whole.len() as u64 > cap => {
                            self.note(Why::Limit);
                            whole.truncate(cap as usize);
                        }
                        Ok(_) => {}
                    }
                    self.document(kind, &whole, depth);
                }
            }
        }
        let over = rest.over;
        if inflated {
            self.left = self.left.min(left);
        }
        (over, error)
    }

    /// A document held whole.
    fn document(&mut self, kind: Kind, bytes: &[u8], depth: u32) {
        match kind {
            Kind::Html => {
                self.outcome.read = true;
                let t = markup::html(bytes);
                self.reader.text(t.as_bytes());
                self.reader.end_document();
            }
            Kind::Rtf => {
                self.outcome.read = true;
                let t = office::rtf(bytes);
                self.reader.text(t.as_bytes());
                self.reader.end_document();
            }
            Kind::Zip => self.zip(io::Cursor::new(bytes), depth),
            Kind::Pst => self.store(&mut io::Cursor::new(bytes), bytes.len() as u64, depth),
            Kind::Pdf | Kind::Ole | Kind::SevenZip | Kind::Mail => self.risky(kind, bytes, depth),
            _ => self.note(Why::Unknown),
        }
    }

    /// A kind read by a large library: its parts come back one by one.
    fn risky(&mut self, kind: Kind, bytes: &[u8], depth: u32) {
        let result = self.told(depth, |risky, out| risky.read(kind, bytes, out));
        if let Err(w) = result {
            self.note(w);
        }
    }

    /// A store of mail, step by step: what one step tells is walked before the next begins.
    fn store(&mut self, file: &mut dyn Seekable, len: u64, depth: u32) {
        let mut from = Bookmark::default();
        loop {
            let file = &mut *file;
            match self.told(depth, |risky, out| risky.step(file, len, from, out)) {
                Ok(Some(next)) if next.node > from.node => from = next,
                Ok(_) => return,
                Err(w) => return self.note(w),
            }
            if self.left == 0 || self.members > self.limits.members {
                return self.note(Why::Limit);
            }
        }
    }

    /// Takes what `run` tells; the members are walked at its end.
    fn told<T>(
        &mut self,
        depth: u32,
        run: impl FnOnce(&mut dyn Risky, &mut dyn FnMut(Unit<'_>)) -> Result<T, Why>,
    ) -> Result<T, Why> {
        let mut members: Vec<Vec<u8>> = vec![];
        let mut why = vec![];
        let mut read = false;
        let reader = &mut *self.reader;
        let left = &mut self.left;
        let result = run(self.risky, &mut |unit| {
            read |= matches!(
                unit,
                Unit::Text(_) | Unit::Row(_) | Unit::Fields(_) | Unit::Member(_)
            );
            match unit {
                Unit::Text(t) => {
                    *left = left.saturating_sub(t.len() as u64);
                    reader.text(t);
                }
                Unit::End => reader.end_document(),
                Unit::Table => reader.table(),
                Unit::Row(cells) => reader.row(cells),
                Unit::TableEnd => reader.end_table(),
                Unit::Fields(fields) => {
                    let columns: Vec<(Column, &[u8])> = fields
                        .iter()
                        .map(|(n, v)| (crate::words::column(n.as_bytes()), *v))
                        .collect();
                    reader.within = true;
                    reader.record(&columns);
                    reader.within = false;
                }
                Unit::Member(m) => {
                    let n = m.len() as u64;
                    if *left >= n {
                        *left -= n;
                        members.push(m.to_vec());
                    } else {
                        why.push(Why::Limit);
                    }
                }
                Unit::Why(w) => why.push(w),
            }
        });
        reader.end_table();
        reader.end_document();
        self.outcome.read |= read;
        for w in why {
            self.note(w);
        }
        for m in members {
            self.member(&mut &m[..], depth + 1, true);
        }
        result
    }

    /// One member of an archive or message.
    fn member(&mut self, input: &mut dyn Read, depth: u32, held: bool) {
        self.members += 1;
        if self.members > self.limits.members || self.left == 0 {
            return self.note(Why::Limit);
        }
        self.stream(input, depth, !held);
    }

    fn tar(&mut self, input: &mut dyn Read, depth: u32) {
        let mut archive = tar::Archive::new(input);
        let Ok(entries) = archive.entries() else {
            return self.note(Why::Damaged);
        };
        for entry in entries {
            match entry {
                Ok(mut e) if e.header().entry_type().is_file() => {
                    let name = String::from_utf8_lossy(&e.path_bytes()).into_owned();
                    self.named(&name);
                    self.member(&mut e, depth + 1, false);
                }
                Ok(_) => {}
                Err(_) => return self.note(Why::Damaged),
            }
            if self.outcome.why.contains(&Why::Limit) && self.left == 0 {
                return;
            }
        }
        self.outcome.read = true;
    }

    /// The name of a member may name a person.
    fn named(&mut self, name: &str) {
        self.reader.record(&[(Column::default(), name.as_bytes())]);
    }

    fn zip(&mut self, input: impl Read + Seek, depth: u32) {
        if depth > self.limits.depth {
            return self.note(Why::Limit);
        }
        let Ok(mut archive) = zip::ZipArchive::new(input) else {
            return self.note(Why::Damaged);
        };
        let office = office::zip_kind(&mut archive);
        match office {
            Some(office::Zipped::Sheet) => {
                // Spreadsheets are read whole, in the process apart.
                let mut input = archive.into_inner();
                let mut whole = vec![];
                let ok = input.seek(io::SeekFrom::Start(0)).is_ok()
                    && input
                        .take(self.limits.document_bytes)
                        .read_to_end(&mut whole)
                        .is_ok();
                if ok {
                    self.risky(Kind::Zip, &whole, depth);
                } else {
                    self.note(Why::Damaged);
                }
                return;
            }
            Some(office::Zipped::Text(names)) => {
                for name in names {
                    let Ok(m) = archive.by_name(&name) else {
                        self.note(Why::Damaged);
                        continue;
                    };
                    let (r, over) = {
                        let mut m = Metered {
                            input: m,
                            left: &mut self.left,
                            over: false,
                        };
                        let r = office::body(&mut BufReader::new(&mut m), self.reader);
                        (r, m.over)
                    };
                    self.outcome.read = true;
                    if over {
                        self.note(Why::Limit);
                    } else if r.is_err() {
                        self.note(Why::Damaged);
                    }
                }
                self.reader.end_document();
                // Files put into the document: pictures are looked over, other documents are read.
                for i in 0..archive.len() {
                    let Ok(mut m) = archive.by_index(i) else {
                        continue;
                    };
                    let name = name_of(m.name());
                    if name.contains("/embeddings/") || name.starts_with("Object ") {
                        self.member(&mut m, depth + 1, false);
                    }
                }
                return;
            }
            None => {}
        }
        if archive.is_empty() {
            self.outcome.read = true;
        }
        for i in 0..archive.len() {
            let (name, dir) = match archive.by_index_raw(i) {
                Ok(m) if m.encrypted() => {
                    self.note(Why::Encrypted);
                    continue;
                }
                Ok(m) => (name_of(m.name()), m.is_dir()),
                Err(_) => {
                    self.note(Why::Damaged);
                    continue;
                }
            };
            if dir {
                continue;
            }
            self.named(&name);
            match archive.by_index(i) {
                Ok(mut m) => self.member(&mut m, depth + 1, false),
                Err(_) => self.note(Why::Damaged),
            }
            if self.left == 0 || self.members > self.limits.members {
                return self.note(Why::Limit);
            }
        }
    }

    /// Messages of an mbox, one by one.
    fn mailbox(&mut self, input: &mut dyn BufRead, depth: u32) -> io::Result<()> {
        let mut message: Vec<u8> = vec![];
        let mut line = vec![];
        loop {
            line.clear();
            let n = (&mut *input).take(1 << 20).read_until(b'\n', &mut line)?;
            if n == 0 || line.starts_with(b"From ") {
                if !message.is_empty() {
                    self.risky(Kind::Mail, &message, depth);
                    message.clear();
                }
                if n == 0 {
                    return Ok(());
                }
                continue;
            }
            if message.len() as u64 + n as u64 > self.limits.document_bytes {
                self.note(Why::Limit);
                continue;
            }
            message.extend_from_slice(&line);
        }
    }

    /// Plain text: a table when its first lines have one delimiter in common, else a document.
    fn text(&mut self, input: &mut dyn Read) -> io::Result<()> {
        self.outcome.read = true;
        let mut head = vec![];
        read_up_to(input, HEAD, &mut head)?;
        if let Some(big) = text::utf16(&head) {
            let mut whole = head;
            input
                .take(self.limits.document_bytes)
                .read_to_end(&mut whole)?;
            let narrow = text::narrow(&whole, big);
            return self.plain(narrow.as_bytes(), &mut io::empty());
        }
        self.plain(&head, input)
    }

    fn plain(&mut self, head: &[u8], rest: &mut dyn Read) -> io::Result<()> {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        match parts::delimiter(head) {
            Some(d) => {
                self.reader.table();
                let r = parts::rows(head, rest, d, self.reader);
                self.reader.end_table();
                r
            }
            None => {
                self.reader.text(head);
                let mut buf = vec![0u8; 1 << 18];
                loop {
                    match rest.read(&mut buf) {
                        Ok(0) => break,
                        Ok(n) => self.reader.text(&buf[..n]),
                        Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                        Err(e) => {
                            self.reader.end_document();
                            return Err(e);
                        }
                    }
                }
                self.reader.end_document();
                Ok(())
            }
        }
    }
}

/// Memory an xz stream may ask for: the largest preset needs 65 MiB.
const XZ_MEMORY_KB: u32 = 256 << 10;

/// The name of a zip member; one that cannot be decoded has none.
fn name_of(name: zip::result::ZipResult<std::borrow::Cow<'_, str>>) -> String {
    name.map(std::borrow::Cow::into_owned).unwrap_or_default()
}

fn read_up_to(input: &mut dyn Read, n: usize, out: &mut Vec<u8>) -> io::Result<()> {
    input.take(n as u64).read_to_end(out).map(|_| ())
}

/// A reader that stops when the bytes that may be decompressed are used up.
struct Metered<'m, R> {
    input: R,
    left: &'m mut u64,
    over: bool,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if *self.left == 0 {
            // Only an input that goes on is over the limit.
            let mut one = [0u8; 1];
            self.over |= self.input.read(&mut one)? > 0;
            return Ok(0);
        }
        let n = buf
            .len()
            .min(usize::try_from(*self.left).unwrap_or(usize::MAX));
        let n = self.input.read(&mut buf[..n])?;
        *self.left -= n as u64;
        Ok(n)
    }
}

/// True for an authority that gives national numbers.
fn of_nir(authority: &[u8]) -> bool {
    const NIR: &[u8] = b"1.2.250.1.213.1.4.";
    authority.len() >= NIR.len() && memchr::memmem::find(authority, NIR).is_some()
}

/// A field with a role and categories.
pub(crate) fn field(role: Role, categories: &[Category]) -> Column {
    Column {
        role,
        categories: CategorySet::of(categories),
    }
}

#[cfg(test)]
mod pst_tests;
#[cfg(test)]
#[path = "../../../testkit/src/pst.rs"]
mod pst_writer;
#[cfg(test)]
// Social-security numbers are grouped as people write them.
#[allow(clippy::inconsistent_digit_grouping)]
mod tests;
