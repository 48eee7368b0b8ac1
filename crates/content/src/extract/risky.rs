//! Kinds read by large libraries: PDF, spreadsheets, old Office files, messages, 7z; and stores of mail. A hostile file may make
//! such a library panic, loop or eat memory, so callers run this in a process of its own ([`Risky`]); here a panic is caught.
use super::{
    Kind, Why, office,
    pst::{self, Bookmark, Seekable},
};
use std::{
    io::{Cursor, Read},
    panic::{AssertUnwindSafe, catch_unwind},
};

/// A part of a document.
#[derive(Debug, Clone, Copy)]
pub enum Unit<'a> {
    Text(&'a [u8]),
    /// The text document is over.
    End,
    Table,
    Row(&'a [&'a [u8]]),
    TableEnd,
    /// Named values that belong to the document that follows.
    Fields(&'a [(&'a str, &'a [u8])]),
    /// A file inside, of any kind.
    Member(&'a [u8]),
    Why(Why),
}

/// Whoever reads these kinds.
pub trait Risky {
    /// Tells the parts of `bytes` to `out`.
    ///
    /// # Errors
    /// Why the document, or its rest, was not read; what was told before stays told.
    fn read(&mut self, kind: Kind, bytes: &[u8], out: &mut dyn FnMut(Unit<'_>)) -> Result<(), Why>;

    /// Tells the parts of a store of mail ([`Kind::Pst`]) of `len` bytes from `from` on, those of some megabytes. Returns where
    /// the next step begins, `None` at the end.
    ///
    /// # Errors
    /// Why the rest was not read; what was told before stays told.
    fn step(
        &mut self,
        file: &mut dyn Seekable,
        len: u64,
        from: Bookmark,
        out: &mut dyn FnMut(Unit<'_>),
    ) -> Result<Option<Bookmark>, Why>;
}

/// In this very process; a panic ends the document, not the run. Loops are not stopped.
pub struct Direct;

impl Risky for Direct {
    fn read(&mut self, kind: Kind, bytes: &[u8], out: &mut dyn FnMut(Unit<'_>)) -> Result<(), Why> {
        let r = catch_unwind(AssertUnwindSafe(|| match kind {
            Kind::Pdf => pdf(bytes, out),
            Kind::Zip => sheets(bytes, out),
            Kind::Ole => ole(bytes, out),
            Kind::SevenZip => seven(bytes, out),
            Kind::Mail => mail(bytes, out),
            _ => Err(Why::Unknown),
        }));
        r.unwrap_or(Err(Why::Stopped))
    }

    fn step(
        &mut self,
        file: &mut dyn Seekable,
        len: u64,
        from: Bookmark,
        out: &mut dyn FnMut(Unit<'_>),
    ) -> Result<Option<Bookmark>, Why> {
        catch_unwind(AssertUnwindSafe(|| pst::step(file, len, from, out)))
            .unwrap_or(Err(Why::Stopped))
    }
}

fn pdf(bytes: &[u8], out: &mut dyn FnMut(Unit<'_>)) -> Result<(), Why> {
    let mut doc = lopdf::Document::load_mem(bytes).map_err(|_| Why::Damaged)?;
    if doc.is_encrypted() && doc.decrypt("").is_err() {
        return Err(Why::Encrypted);
    }
    let pages = doc.get_pages();
    let mut blank = 0;
    let mut failed = 0;
    for (number, id) in &pages {
        match doc.extract_text(&[*number]) {
            Ok(t) if t.chars().filter(|c| c.is_alphanumeric()).count() >= 8 => {
                out(Unit::Text(t.as_bytes()));
                out(Unit::Text(b"\n"));
            }
            Ok(_) => {
                // Nothing to read: a picture of a page, or a page with nothing on it.
                if !doc.get_page_images(*id).is_ok_and(|i| i.is_empty()) {
                    blank += 1;
                }
            }
            Err(_) => failed += 1,
        }
    }
    out(Unit::End);
    for a in attachments(&doc) {
        out(Unit::Member(&a));
    }
    if blank > 0 {
        out(Unit::Why(Why::Scanned));
    }
    if failed > 0 || pages.is_empty() {
        return Err(Why::Damaged);
    }
    Ok(())
}

/// Bytes a file inside a PDF may have after decompression.
const ATTACHMENT_MAX: usize = 256 << 20;

/// Files put into a PDF.
fn attachments(doc: &lopdf::Document) -> Vec<Vec<u8>> {
    doc.objects
        .values()
        .filter_map(|o| {
            let s = o.as_stream().ok()?;
            let kind = s.dict.get(b"Type").ok()?.as_name().ok()?;
            (kind == b"EmbeddedFile").then(|| {
                s.decompressed_content_with_limit(ATTACHMENT_MAX)
                    .unwrap_or_else(|_| s.content.clone())
            })
        })
        .collect()
}

fn sheets(bytes: &[u8], out: &mut dyn FnMut(Unit<'_>)) -> Result<(), Why> {
    use calamine::{Data, Reader as _};
    let mut book = calamine::open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(|e| {
        if e.to_string().to_lowercase().contains("password") {
            Why::Encrypted
        } else {
            Why::Damaged
        }
    })?;
    let mut failed = false;
    for name in book.sheet_names() {
        let Ok(range) = book.worksheet_range(&name) else {
            failed = true;
            continue;
        };
        out(Unit::Table);
        for row in range.rows() {
            let cells: Vec<String> = row
                .iter()
                .map(|c| match c {
                    Data::Empty => String::new(),
                    Data::String(s) | Data::DateTimeIso(s) | Data::DurationIso(s) => s.clone(),
                    // Numbers of persons are whole; fifteen digits are exact.
                    Data::Float(f) if f.fract() == 0.0 && f.abs() < 1e15 => format!("{f:.0}"),
                    Data::Float(f) => f.to_string(),
                    Data::Int(i) => i.to_string(),
                    Data::Bool(b) => b.to_string(),
                    Data::DateTime(d) => {
                        let (y, m, day, ..) = d.to_ymd_hms_milli();
                        format!("{y:04}-{m:02}-{day:02}")
                    }
                    Data::Error(_) => String::new(),
                })
                .collect();
            let refs: Vec<&[u8]> = cells.iter().map(|c| c.as_bytes()).collect();
            if refs.iter().any(|c| !c.is_empty()) {
                out(Unit::Row(&refs));
            }
        }
        out(Unit::TableEnd);
    }
    if failed { Err(Why::Damaged) } else { Ok(()) }
}

fn ole(bytes: &[u8], out: &mut dyn FnMut(Unit<'_>)) -> Result<(), Why> {
    let mut file = cfb::CompoundFile::open(Cursor::new(bytes)).map_err(|_| Why::Damaged)?;
    let has = |f: &cfb::CompoundFile<Cursor<&[u8]>>, n: &str| f.is_stream(n);
    if has(&file, "/EncryptedPackage") {
        return Err(Why::Encrypted);
    }
    if has(&file, "/WordDocument") {
        return office::word97(&mut file, out);
    }
    if has(&file, "/Workbook") || has(&file, "/Book") {
        return sheets(bytes, out);
    }
    if has(&file, "/PowerPoint Document") {
        return office::powerpoint97(&mut file, out);
    }
    if has(&file, "/__properties_version1.0") {
        return office::outlook(&mut file, out);
    }
    Err(Why::Unknown)
}

/// What one archive may hold after decompression, here where the caller's count does not reach.
const SEVEN_MAX: u64 = 2 << 30;

fn seven(bytes: &[u8], out: &mut dyn FnMut(Unit<'_>)) -> Result<(), Why> {
    let mut r =
        sevenz_rust2::ArchiveReader::new(Cursor::new(bytes), sevenz_rust2::Password::empty())
            .map_err(locked)?;
    let mut left = SEVEN_MAX;
    let mut over = false;
    r.for_each_entries(|entry, input| {
        if entry.is_directory() {
            return Ok(true);
        }
        let mut all = vec![];
        input.take(left + 1).read_to_end(&mut all)?;
        if all.len() as u64 > left {
            over = true;
            return Ok(false);
        }
        left -= all.len() as u64;
        let name = entry.name().to_string();
        out(Unit::Fields(&[("", name.as_bytes())]));
        out(Unit::End);
        out(Unit::Member(&all));
        Ok(true)
    })
    .map_err(locked)?;
    if over { Err(Why::Limit) } else { Ok(()) }
}

fn locked(e: sevenz_rust2::Error) -> Why {
    let text = e.to_string().to_lowercase();
    if text.contains("password") || text.contains("encrypt") {
        Why::Encrypted
    } else if text.contains("unsupported") {
        Why::Unknown
    } else {
        Why::Damaged
    }
}

fn mail(bytes: &[u8], out: &mut dyn FnMut(Unit<'_>)) -> Result<(), Why> {
    use mail_parser::MimeHeaders as _;
    let message = mail_parser::MessageParser::default()
        .parse(bytes)
        .ok_or(Why::Damaged)?;
    let mut head = String::new();
    for list in [message.from(), message.to(), message.cc(), message.bcc()]
        .into_iter()
        .flatten()
    {
        for a in list.iter() {
            head.push_str(a.name().unwrap_or(""));
            head.push(' ');
            head.push_str(a.address().unwrap_or(""));
            head.push('\n');
        }
    }
    head.push_str(message.subject().unwrap_or(""));
    head.push('\n');
    out(Unit::Text(head.as_bytes()));
    let mut any = false;
    for i in 0..message.text_body_count() {
        if let Some(t) = message.body_text(i) {
            out(Unit::Text(t.as_bytes()));
            out(Unit::Text(b"\n"));
            any = true;
        }
    }
    if !any {
        for i in 0..message.html_body_count() {
            if let Some(t) = message.body_html(i) {
                out(Unit::Text(super::markup::html(t.as_bytes()).as_bytes()));
            }
        }
    }
    out(Unit::End);
    for a in message.attachments() {
        if let Some(name) = a.attachment_name() {
            out(Unit::Fields(&[("", name.as_bytes())]));
            out(Unit::End);
        }
        out(Unit::Member(a.contents()));
    }
    Ok(())
}
