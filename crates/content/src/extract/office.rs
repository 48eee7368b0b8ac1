//! Office documents and DICOM: text out of zipped XML (OOXML, OpenDocument), RTF, Word 97, PowerPoint 97, Outlook messages.
//! Standards: ECMA-376; OASIS OpenDocument 1.3; RTF 1.9.1; [MS-DOC] §2.4.1 (piece table); [MS-PPT] §2.9.42–43; [MS-OXMSG];
//! DICOM PS3.5 §7.1, PS3.10 §7. Own readers where the part needed is small and a library would be large.
use super::{Unit, Why, field};
use crate::{
    text,
    whose::Reader,
    words::{Column, Role},
};
use ampleur_event::{
    Category::{self, *},
    fold::cp1252,
};
use quick_xml::events::Event;
use std::io::{self, BufRead, Cursor, Read, Seek};

/// What a zip archive is, when it is one document.
pub enum Zipped {
    Sheet,
    /// Members that hold its text, in order.
    Text(Vec<String>),
}

/// Tells a zipped document by its members.
pub fn zip_kind<R: Read + Seek>(archive: &mut zip::ZipArchive<R>) -> Option<Zipped> {
    let sheet = archive.by_name("mimetype").is_ok_and(|m| {
        let mut kind = vec![];
        m.take(100).read_to_end(&mut kind).is_ok()
            && memchr::memmem::find(&kind, b"spreadsheet").is_some()
    });
    let owned: Vec<String> = archive
        .file_names()
        .flatten()
        .map(|n| n.into_owned())
        .collect();
    let mut names: Vec<&str> = owned.iter().map(String::as_str).collect();
    names.sort_unstable();
    let has = |n: &str| names.binary_search(&n).is_ok();
    if has("[Content_Types].xml") {
        if names.iter().any(|n| n.starts_with("xl/workbook.")) {
            return Some(Zipped::Sheet);
        }
        let mut parts: Vec<String> = names
            .iter()
            .filter(|n| {
                n.ends_with(".xml")
                    && [
                        "word/header",
                        "word/document",
                        "word/footer",
                        "word/footnotes",
                        "word/endnotes",
                        "word/comments",
                        "ppt/slides/slide",
                        "ppt/notesSlides/",
                        "docProps/core",
                        "docProps/custom",
                    ]
                    .iter()
                    .any(|p| n.starts_with(p))
            })
            .map(|n| n.to_string())
            .collect();
        // The heading of a letter is read before its body.
        parts.sort_by_key(|n| (!n.starts_with("word/header"), n.clone()));
        return parts
            .iter()
            .any(|n| n.starts_with("word/") || n.starts_with("ppt/"))
            .then_some(Zipped::Text(parts));
    }
    if has("mimetype") && has("content.xml") {
        if sheet {
            return Some(Zipped::Sheet);
        }
        let mut parts = vec![];
        if has("styles.xml") {
            parts.push("styles.xml".to_string());
        }
        parts.push("content.xml".to_string());
        return Some(Zipped::Text(parts));
    }
    None
}

/// Any text as UTF-8: UTF-16 by its mark, bytes that are not UTF-8 as Windows-1252, whatever the declaration says.
fn utf8<'a>(input: &'a mut dyn BufRead) -> io::Result<Box<dyn BufRead + 'a>> {
    if let Some(big) = text::utf16(input.fill_buf()?) {
        let mut whole = vec![];
        input.take(256 << 20).read_to_end(&mut whole)?;
        let narrow = text::narrow(&whole, big);
        return Ok(Box::new(io::Cursor::new(narrow.into_bytes())));
    }
    Ok(Box::new(io::BufReader::with_capacity(
        1 << 17,
        Utf8 {
            input,
            out: vec![],
            at: 0,
        },
    )))
}

struct Utf8<'a> {
    input: &'a mut dyn BufRead,
    out: Vec<u8>,
    at: usize,
}

impl Read for Utf8<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.out.len() {
            self.out.clear();
            self.at = 0;
            let have = self.input.fill_buf()?;
            let used = match std::str::from_utf8(have) {
                Ok(_) => {
                    self.out.extend_from_slice(have);
                    have.len()
                }
                Err(e) if e.valid_up_to() > 0 => {
                    self.out.extend_from_slice(&have[..e.valid_up_to()]);
                    e.valid_up_to()
                }
                // A character cut by the end of the buffer: the rest of it comes next.
                Err(e) if e.error_len().is_none() && have.len() < 4 => {
                    let mut cut = have.to_vec();
                    let n = cut.len();
                    self.input.consume(n);
                    while cut.len() < 4 && std::str::from_utf8(&cut).is_err() {
                        match self.input.fill_buf()?.first() {
                            Some(b) => {
                                cut.push(*b);
                                self.input.consume(1);
                            }
                            None => break,
                        }
                    }
                    match std::str::from_utf8(&cut) {
                        Ok(_) => self.out.extend_from_slice(&cut),
                        Err(_) => {
                            for b in cut {
                                let mut one = [0; 4];
                                self.out
                                    .extend_from_slice(cp1252(b).encode_utf8(&mut one).as_bytes());
                            }
                        }
                    }
                    0
                }
                Err(_) => {
                    let mut one = [0; 4];
                    self.out
                        .extend_from_slice(cp1252(have[0]).encode_utf8(&mut one).as_bytes());
                    1
                }
            };
            self.input.consume(used);
        }
        let n = buf.len().min(self.out.len() - self.at);
        buf[..n].copy_from_slice(&self.out[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

/// Text of a zipped document's XML: one line per paragraph, a tab between the cells of a row.
pub fn body(input: &mut dyn BufRead, reader: &mut Reader<'_>) -> io::Result<()> {
    let mut xml = quick_xml::Reader::from_reader(utf8(input)?);
    xml.config_mut().check_end_names = false;
    xml.config_mut().allow_dangling_amp = true;
    let mut buf = vec![];
    let mut out = String::new();
    // Paragraphs inside a cell stay on the row's line.
    let mut cells = 0u32;
    let mut result = Ok(());
    loop {
        buf.clear();
        match xml.read_event_into(&mut buf) {
            Ok(Event::Start(e)) => match e.local_name().into_inner() {
                "tc" | "table-cell" => cells += 1,
                _ => {}
            },
            Ok(Event::End(e)) => match e.local_name().into_inner() {
                "tc" | "table-cell" => {
                    cells = cells.saturating_sub(1);
                    out.push('\t');
                }
                "p" | "h" if cells == 0 => out.push('\n'),
                "p" | "h" => out.push(' '),
                "tr" | "table-row" => out.push('\n'),
                _ => {}
            },
            Ok(Event::Empty(e)) => match e.local_name().into_inner() {
                "br" | "cr" | "line-break" => out.push('\n'),
                "tab" | "s" => out.push(' '),
                "table-cell" | "covered-table-cell" => out.push('\t'),
                _ => {}
            },
            Ok(Event::Text(t)) => out.push_str(&t),
            Ok(Event::CData(t)) => out.push_str(&t),
            Ok(Event::GeneralRef(r)) => {
                let one = format!("&{};", &*r);
                out.push(super::markup::entity(one.as_bytes()).0);
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(_) => {
                result = Err(io::ErrorKind::InvalidData.into());
                break;
            }
        }
        if out.len() > 1 << 16 {
            reader.text(out.as_bytes());
            out.clear();
        }
    }
    out.push('\n');
    reader.text(out.as_bytes());
    result
}

/// Text of RTF: control words gone, `\'hh` by Windows-1252, `\u` by Unicode, destinations that hold no text left out.
pub fn rtf(bytes: &[u8]) -> String {
    let mut out = String::new();
    // Per group: whether its text is left out, and how many characters follow a `\u`.
    let mut groups: Vec<(bool, usize)> = vec![(false, 1)];
    let mut skip = 0usize;
    let mut i = 0;
    while i < bytes.len() {
        let (hidden, after) = groups.last().copied().unwrap_or((false, 1));
        match bytes[i] {
            b'{' => {
                if groups.len() < 1000 {
                    groups.push((hidden, after));
                }
                i += 1;
            }
            b'}' => {
                if groups.len() > 1 {
                    groups.pop();
                }
                i += 1;
            }
            b'\\' => {
                i += 1;
                let Some(c) = bytes.get(i) else { break };
                if c.is_ascii_alphabetic() {
                    let from = i;
                    while i < bytes.len() && bytes[i].is_ascii_alphabetic() && i - from < 32 {
                        i += 1;
                    }
                    let word = &bytes[from..i];
                    let sign = i;
                    if bytes.get(i) == Some(&b'-') {
                        i += 1;
                    }
                    while i < bytes.len() && bytes[i].is_ascii_digit() && i - sign < 11 {
                        i += 1;
                    }
                    let number: i64 = std::str::from_utf8(&bytes[sign..i])
                        .ok()
                        .and_then(|n| n.parse().ok())
                        .unwrap_or(0);
                    if bytes.get(i) == Some(&b' ') {
                        i += 1;
                    }
                    match word {
                        b"par" | b"line" | b"sect" | b"page" | b"row" if !hidden => out.push('\n'),
                        b"tab" | b"cell" if !hidden => out.push('\t'),
                        b"u" if !hidden => {
                            let n = if number < 0 { number + 65_536 } else { number };
                            out.push(
                                u32::try_from(n)
                                    .ok()
                                    .and_then(char::from_u32)
                                    .unwrap_or(' '),
                            );
                            skip = after;
                        }
                        b"uc" => {
                            if let Some(g) = groups.last_mut() {
                                g.1 = usize::try_from(number).unwrap_or(1).min(8);
                            }
                        }
                        b"bin" => i = i.saturating_add(usize::try_from(number).unwrap_or(0)),
                        b"fonttbl" | b"colortbl" | b"stylesheet" | b"pict" | b"themedata"
                        | b"datastore" | b"objdata" | b"listtable" | b"rsidtbl" => {
                            if let Some(g) = groups.last_mut() {
                                g.0 = true;
                            }
                        }
                        _ => {}
                    }
                } else if *c == b'\'' {
                    let hex = bytes
                        .get(i + 1..i + 3)
                        .and_then(|h| std::str::from_utf8(h).ok())
                        .and_then(|h| u8::from_str_radix(h, 16).ok());
                    i += 3;
                    if let Some(b) = hex
                        && !hidden
                    {
                        if skip > 0 {
                            skip -= 1;
                        } else {
                            out.push(cp1252(b));
                        }
                    }
                } else {
                    match c {
                        b'~' if !hidden => out.push(' '),
                        b'*' => {
                            if let Some(g) = groups.last_mut() {
                                g.0 = true;
                            }
                        }
                        b'{' | b'}' | b'\\' if !hidden => out.push(*c as char),
                        _ => {}
                    }
                    i += 1;
                }
            }
            b'\r' | b'\n' => i += 1,
            b => {
                if !hidden {
                    if skip > 0 {
                        skip -= 1;
                    } else {
                        out.push(cp1252(b));
                    }
                }
                i += 1;
            }
        }
    }
    out
}

type Compound<'a> = cfb::CompoundFile<Cursor<&'a [u8]>>;

fn stream(file: &mut Compound<'_>, name: &str) -> Option<Vec<u8>> {
    let mut s = file.open_stream(name).ok()?;
    let mut all = vec![];
    s.read_to_end(&mut all).ok()?;
    Some(all)
}

fn u16_at(b: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(b.get(at..at + 2)?.try_into().ok()?))
}
fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(b.get(at..at + 4)?.try_into().ok()?))
}

/// Word 97 to 2003: the pieces of the text by the table of [MS-DOC] §2.8.35.
pub fn word97(file: &mut Compound<'_>, out: &mut dyn FnMut(Unit<'_>)) -> Result<(), Why> {
    let main = stream(file, "/WordDocument").ok_or(Why::Damaged)?;
    let flags = u16_at(&main, 0x0a).ok_or(Why::Damaged)?;
    if flags & 0x0100 != 0 {
        return Err(Why::Encrypted);
    }
    let table = if flags & 0x0200 != 0 {
        "/1Table"
    } else {
        "/0Table"
    };
    let table = stream(file, table).ok_or(Why::Damaged)?;
    let pieces = pieces(&main, &table).ok_or(Why::Damaged)?;
    let mut t = String::new();
    for (from, count, wide) in pieces {
        let len = if wide { count * 2 } else { count };
        let Some(b) = main.get(from..from.saturating_add(len).min(main.len())) else {
            continue;
        };
        if wide {
            t.push_str(&text::narrow(b, false));
        } else {
            t.extend(b.iter().map(|b| cp1252(*b)));
        }
    }
    // Paragraph, page and cell marks; the code of a field stands between 0x13 and 0x14 and is no text.
    let mut clean = String::with_capacity(t.len());
    let mut code = 0;
    for c in t.chars() {
        match c {
            '\u{13}' => code += 1,
            '\u{14}' | '\u{15}' => code = 0,
            '\r' | '\u{b}' | '\u{c}' => clean.push('\n'),
            '\u{7}' => clean.push('\t'),
            c if code == 0 => clean.push(c),
            _ => {}
        }
    }
    out(Unit::Text(clean.as_bytes()));
    out(Unit::End);
    Ok(())
}

/// (offset in the main stream, characters, two bytes each).
fn pieces(main: &[u8], table: &[u8]) -> Option<Vec<(usize, usize, bool)>> {
    // FibRgFcLcb97: fcClx and lcbClx are the 34th pair after the fixed parts.
    let at = u32_at(main, 0x01a2)? as usize;
    let len = u32_at(main, 0x01a6)? as usize;
    let mut clx = table.get(at..at.checked_add(len)?)?;
    while clx.first() == Some(&1) {
        let n = u16_at(clx, 1)? as usize;
        clx = clx.get(3 + n..)?;
    }
    if clx.first() != Some(&2) {
        return None;
    }
    let n = u32_at(clx, 1)? as usize;
    let plc = clx.get(5..5usize.checked_add(n)?)?;
    let count = n.checked_sub(4)? / 12;
    let mut out = vec![];
    for i in 0..count {
        let (a, z) = (u32_at(plc, i * 4)?, u32_at(plc, i * 4 + 4)?);
        let fc = u32_at(plc, (count + 1) * 4 + i * 8 + 2)?;
        let chars = z.checked_sub(a)? as usize;
        if fc & 0x4000_0000 != 0 {
            out.push(((fc & 0x3fff_ffff) as usize / 2, chars, false));
        } else {
            out.push((fc as usize, chars, true));
        }
    }
    Some(out)
}

/// PowerPoint 97 to 2003: the text atoms, in the order of the stream.
pub fn powerpoint97(file: &mut Compound<'_>, out: &mut dyn FnMut(Unit<'_>)) -> Result<(), Why> {
    let b = stream(file, "/PowerPoint Document").ok_or(Why::Damaged)?;
    let mut at = 0;
    while at + 8 <= b.len() {
        let version = b[at] & 0x0f;
        let (Some(kind), Some(len)) = (u16_at(&b, at + 2), u32_at(&b, at + 4)) else {
            break;
        };
        at += 8;
        if version == 0x0f {
            // A container: its atoms follow.
            continue;
        }
        let end = at.saturating_add(len as usize).min(b.len());
        match kind {
            0x0fa0 => out(Unit::Text(text::narrow(&b[at..end], false).as_bytes())),
            0x0fa8 => out(Unit::Text(&b[at..end])),
            _ => {
                at = end;
                continue;
            }
        }
        out(Unit::Text(b"\n"));
        at = end;
    }
    out(Unit::End);
    Ok(())
}

/// An Outlook message: subject, people, body, then its attachments.
pub fn outlook(file: &mut Compound<'_>, out: &mut dyn FnMut(Unit<'_>)) -> Result<(), Why> {
    // Property tags of [MS-OXPROPS]: subject, sender, display lists, body; 001F is UTF-16, 001E is 8-bit.
    let mut any = false;
    for tag in ["0037", "0C1A", "0C1F", "0E04", "0E03", "1000"] {
        if let Some(b) = stream(file, &format!("/__substg1.0_{tag}001F")) {
            out(Unit::Text(text::narrow(&b, false).as_bytes()));
            any |= tag == "1000";
        } else if let Some(b) = stream(file, &format!("/__substg1.0_{tag}001E")) {
            out(Unit::Text(&b));
            any |= tag == "1000";
        } else {
            continue;
        }
        out(Unit::Text(b"\n"));
    }
    let mut missing = false;
    if !any {
        if let Some(b) = stream(file, "/__substg1.0_10130102") {
            out(Unit::Text(super::markup::html(&b).as_bytes()));
        } else if let Some(b) = stream(file, "/__substg1.0_1013001F") {
            out(Unit::Text(super::markup::html(&b).as_bytes()));
        } else if let Some(b) = stream(file, "/__substg1.0_10090102") {
            // A body in compressed RTF alone.
            let (packed, whole) = super::pst::unpack_rtf(&b).unwrap_or_default();
            out(Unit::Text(rtf(&packed).as_bytes()));
            if !whole {
                out(Unit::Why(Why::Damaged));
            }
        }
    }
    out(Unit::End);
    let mut folders: Vec<String> = file
        .read_root_storage()
        .map(|e| e.path().to_string_lossy().into_owned())
        .filter(|p| p.starts_with("/__attach_version1.0_") || p.starts_with("/__recip_version1.0_"))
        .collect();
    folders.sort();
    for f in folders {
        if f.contains("recip") {
            for tag in ["3001", "39FE", "3003"] {
                if let Some(b) = stream(file, &format!("{f}/__substg1.0_{tag}001F")) {
                    out(Unit::Text(text::narrow(&b, false).as_bytes()));
                    out(Unit::Text(b"\n"));
                }
            }
            out(Unit::End);
            continue;
        }
        for tag in ["3707001F", "3704001F"] {
            if let Some(b) = stream(file, &format!("{f}/__substg1.0_{tag}")) {
                let name = text::narrow(&b, false);
                out(Unit::Fields(&[("", name.as_bytes())]));
                out(Unit::End);
                break;
            }
        }
        match stream(file, &format!("{f}/__substg1.0_37010102")) {
            Some(b) => out(Unit::Member(&b)),
            // A message inside a message is a folder of its own.
            None => missing = true,
        }
    }
    if missing { Err(Why::Unknown) } else { Ok(()) }
}

/// Attributes of a DICOM header that say whose and what (data-categories §3.3).
const DICOM: &[(u16, u16, Role, &[Category])] = &[
    (0x0008, 0x0020, Role::Other, &[CareDate]),
    (0x0008, 0x0080, Role::Other, &[CarePlace]),
    (0x0008, 0x0090, Role::Other, &[CarePro]),
    (0x0008, 0x1030, Role::Other, &[CareReason]),
    (0x0008, 0x1040, Role::Other, &[CareUnit]),
    (0x0008, 0x1048, Role::Other, &[CarePro]),
    (0x0008, 0x1050, Role::Other, &[CarePro]),
    (0x0010, 0x0010, Role::FullName, &[IdName]),
    (0x0010, 0x0020, Role::Id, &[IdLocal]),
    (0x0010, 0x0030, Role::Birth, &[IdDob]),
    (0x0010, 0x0040, Role::Other, &[IdSex]),
    (0x0010, 0x1000, Role::Id, &[IdLocal]),
    (0x0010, 0x1001, Role::Other, &[IdName]),
    (0x0010, 0x1005, Role::Family, &[IdName]),
    (0x0010, 0x1010, Role::Other, &[IdDob]),
    (0x0010, 0x1040, Role::Other, &[ContactPostal]),
    (0x0010, 0x2154, Role::Other, &[ContactPhone]),
    (0x0010, 0x21b0, Role::Other, &[CareReason]),
    (0x0010, 0x4000, Role::Other, &[FreeText]),
    (0x0032, 0x1032, Role::Other, &[CarePro]),
    (0x0032, 0x1060, Role::Other, &[CareReason]),
];

/// The header of a DICOM file: little endian, explicit or implicit; other transfer syntaxes are told as damaged.
pub fn dicom(input: &mut dyn Read, reader: &mut Reader<'_>) -> io::Result<()> {
    let mut b = vec![];
    // Attributes up to group 0032 come before the pixels; private groups between may be long.
    input.take(8 << 20).read_to_end(&mut b)?;
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    let mut at = if b.get(128..132) == Some(b"DICM") {
        132
    } else {
        0
    };
    let mut explicit = true;
    let mut syntax: Vec<u8> = vec![];
    let mut fields: Vec<(Column, Vec<u8>)> = vec![];
    let mut result = Ok(());
    let mut first = true;
    while let (Some(group), Some(element)) = (u16_at(&b, at), u16_at(&b, at + 2)) {
        if group > 0x0032 && group != 0xfffe {
            break;
        }
        let meta = group == 2;
        if !meta && first {
            first = false;
            if syntax.starts_with(b"1.2.840.10008.1.2.2")
                || syntax.starts_with(b"1.2.840.10008.1.2.1.99")
            {
                result = Err(bad());
                break;
            }
            // Without a preamble nothing says it: two capital letters after the tag are a value representation.
            explicit = if syntax.is_empty() {
                b.get(at + 4..at + 6)
                    .is_some_and(|v| v.iter().all(u8::is_ascii_uppercase))
            } else {
                syntax.trim_ascii_end() != b"1.2.840.10008.1.2" && syntax != b"1.2.840.10008.1.2\0"
            };
        }
        let (head, len) = if group == 0xfffe {
            (8, u32_at(&b, at + 4))
        } else if meta || explicit {
            match b.get(at + 4..at + 6) {
                Some(
                    b"OB" | b"OW" | b"OF" | b"OD" | b"OL" | b"OV" | b"SQ" | b"UC" | b"UR" | b"UT"
                    | b"UN" | b"SV" | b"UV",
                ) => (12, u32_at(&b, at + 8)),
                Some(_) => (8, u16_at(&b, at + 6).map(u32::from)),
                None => break,
            }
        } else {
            (8, u32_at(&b, at + 4))
        };
        let Some(len) = len else { break };
        at += head;
        // A sequence of unknown length: its items are read as if they stood here, which only adds.
        if len == u32::MAX || group == 0xfffe {
            continue;
        }
        let end = at.saturating_add(len as usize);
        let Some(value) = b.get(at..end) else { break };
        if (group, element) == (2, 0x10) {
            syntax = value.to_vec();
        }
        if let Some((_, _, role, c)) = DICOM.iter().find(|d| (d.0, d.1) == (group, element)) {
            let clean: Vec<u8> = value
                .iter()
                .map(|v| {
                    if matches!(v, b'^' | b'\\' | b'=' | 0) {
                        b' '
                    } else {
                        *v
                    }
                })
                .collect();
            if !clean.trim_ascii().is_empty() {
                fields.push((field(*role, c), clean));
            }
        }
        at = end;
    }
    fields.push((field(Role::Other, &[HealthImage]), b"x".to_vec()));
    let refs: Vec<(Column, &[u8])> = fields.iter().map(|(c, v)| (*c, v.as_slice())).collect();
    reader.record(&refs);
    result
}
