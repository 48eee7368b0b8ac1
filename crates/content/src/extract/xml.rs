//! XML: FHIR by resource type, CDA by its header and text, other documents one record per element below the root.
//! Standards: XML 1.0 §2 to 4, of whose document types nothing is taken; CDA R2; FHIR R4 XML.
use super::{
    field,
    json::of_resource,
    markup::{entity, html},
    memo::Memo,
    records::Records,
};
use crate::{
    runs, text,
    whose::Reader,
    words::{Column, Columns, Role},
};
use ampleur_event::Category::*;
use std::io::{self, BufRead, Read};
use wide::u8x16;

/// Reads a document whatever it says of its encoding: UTF-16 by its mark, otherwise UTF-8, and Windows-1252 where it is not. One that
/// breaks the rules is read to its end and is an error all the same.
pub fn xml(input: &mut dyn BufRead, reader: &mut Reader<'_>) -> io::Result<()> {
    let mut xml = Xml::new();
    let read = xml.read(input, reader);
    xml.end(reader);
    read
}

/// Values of one record at most; a longer one is split one level deeper.
const VALUES: usize = 400;
/// Values of a letter, which is one record, and bytes of values of any.
const LETTER: usize = 50_000;
const BYTES: usize = 1 << 28;
/// Bytes of a tag, a comment or a section of signs, and attributes of a tag: what goes beyond is no document of anybody's.
const TAG: usize = 1 << 26;
const ATTRIBUTES: usize = 1 << 16;
/// Bytes that are read in one go.
const CHUNK: usize = 1 << 16;
/// Elements within each other.
const DEEPEST: usize = 1 << 12;

/// A document while it is read.
struct Xml {
    path: Path,
    records: Records,
    /// What values say by the names of their element and of the one around it.
    places: Memo<Option<Column>, 6>,
    columns: Columns,
    /// Text since the last tag where it does not lie in one piece: references, comments and the like are in it.
    pending: Vec<u8>,
    attributes: Vec<Attribute>,
    /// Values of the record at hand up to the end of each element of the third level.
    groups: Vec<usize>,
    /// A document of CDA: all of it is one record.
    letter: bool,
    /// Records are elements of the third level.
    flat: bool,
    begun: bool,
    wrong: bool,
    /// As [`VALUES`] and [`CHUNK`].
    most: usize,
    chunk: usize,
}

/// Where the name and the value of an attribute stand.
struct Attribute {
    name: (usize, usize),
    value: (usize, usize),
}

/// What stands between `<` and `>`.
enum Tag {
    Start {
        /// Without its prefix.
        name: (usize, usize),
        empty: bool,
    },
    End,
    /// What is in a section of signs.
    Signs(usize, usize),
    /// A comment, an instruction, a document type.
    Nothing,
}

impl Xml {
    fn new() -> Xml {
        Xml {
            path: Path::default(),
            records: Records::default(),
            places: Memo::default(),
            columns: Columns::default(),
            pending: vec![],
            attributes: vec![],
            groups: vec![],
            letter: false,
            flat: false,
            begun: false,
            wrong: false,
            most: VALUES,
            chunk: CHUNK,
        }
    }

    fn read(&mut self, input: &mut dyn BufRead, reader: &mut Reader<'_>) -> io::Result<()> {
        if let Some(big) = text::utf16(input.fill_buf()?) {
            let mut whole = vec![];
            input.take(BYTES as u64).read_to_end(&mut whole)?;
            self.take(text::narrow(&whole, big).as_bytes(), true, reader)?;
            self.wrong |= !input.fill_buf()?.is_empty();
        } else {
            let mut have = vec![];
            let mut more = true;
            while more {
                // As much again as is left of a tag whose end is not there yet: it is looked at few times.
                let want = have.len() + have.len().max(self.chunk);
                while more && have.len() < want {
                    match input.fill_buf() {
                        Ok([]) => more = false,
                        Ok(next) => {
                            let n = next.len().min(want - have.len());
                            have.extend_from_slice(&next[..n]);
                            input.consume(n);
                        }
                        Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                        Err(e) => {
                            self.take(&have, true, reader)?;
                            return Err(e);
                        }
                    }
                }
                let used = self.take(&have, !more || have.len() > TAG, reader)?;
                have.drain(..used);
            }
        }
        match self.wrong {
            true => Err(io::ErrorKind::InvalidData.into()),
            false => Ok(()),
        }
    }

    /// Takes what is whole of these bytes; returns how many they are: all when these are the `last`.
    fn take(&mut self, have: &[u8], last: bool, reader: &mut Reader<'_>) -> io::Result<usize> {
        let mut i = 0;
        if !self.begun {
            if have.len() < 3 && !last {
                return Ok(0);
            }
            self.begun = true;
            i = 3 * usize::from(have.starts_with(b"\xef\xbb\xbf"));
        }
        while i < have.len() {
            let mut open = stop(have, i);
            let plain = have.get(open) != Some(&b'&');
            if !plain {
                open = memchr::memchr(b'<', &have[open..]).map_or(have.len(), |n| open + n);
            }
            if open == have.len() {
                // A reference may be cut.
                let tail = open - (open - i).min(12);
                let cut = have[tail..].iter().position(|b| *b == b'&' && !last);
                let to = cut.map_or(open, |n| tail + n);
                self.text(&have[i..to]);
                return Ok(to);
            }
            let Some((tag, end)) = self.tag(have, open) else {
                if !last {
                    return Ok(i);
                }
                // It breaks off: what is left is text.
                self.wrong = true;
                self.text(&have[i..open]);
                self.pending.extend_from_slice(&have[open..]);
                return Ok(have.len());
            };
            match tag {
                Tag::Nothing => self.text(&have[i..open]),
                Tag::Signs(from, to) => {
                    self.text(&have[i..open]);
                    let signs = html(&have[from..to]);
                    self.pending.extend_from_slice(signs.as_bytes());
                }
                Tag::Start { .. } | Tag::End => {
                    if plain && self.pending.is_empty() {
                        self.value(have, i, open);
                    } else {
                        self.text(&have[i..open]);
                        self.pended();
                    }
                    match tag {
                        Tag::Start { name, empty } => {
                            // Whether values of its attributes are more than what stands there.
                            let plain = stop(have, name.0) >= end;
                            self.start(have, name, plain)?;
                            if empty {
                                self.close(reader);
                            }
                            self.long(reader);
                        }
                        _ => self.ended(reader),
                    }
                }
            }
            i = end;
        }
        Ok(have.len())
    }

    /// The tag that starts at `open`, and where it ends; `None` when its end is not there. Its attributes are in `attributes`.
    fn tag(&mut self, b: &[u8], open: usize) -> Option<(Tag, usize)> {
        let from = open + 1;
        let within = |from: usize, end: &[u8]| {
            memchr::memmem::find(&b[from..], end).map(|n| (from + n, from + n + end.len()))
        };
        match *b.get(from)? {
            b'/' => Some((Tag::End, runs::find(b, from, b'>') + 1)).filter(|t| t.1 <= b.len()),
            b'?' => within(from, b"?>").map(|e| (Tag::Nothing, e.1)),
            b'!' => match &b[from..] {
                [_, b'-', b'-', ..] => within(from + 3, b"-->").map(|e| (Tag::Nothing, e.1)),
                [_, b'[', b'C', b'D', b'A', b'T', b'A', b'[', ..] => {
                    let from = from + 8;
                    within(from, b"]]>").map(|e| (Tag::Signs(from, e.0), e.1))
                }
                // Which of them it is cannot be told.
                short if short.len() < 8 => None,
                _ => declared(b, from).map(|end| (Tag::Nothing, end)),
            },
            _ => self.opened(b, from),
        }
    }

    /// The start tag whose name starts at `from`.
    fn opened(&mut self, b: &[u8], from: usize) -> Option<(Tag, usize)> {
        self.attributes.clear();
        let (name, mut i) = name(b, from)?;
        let tag = |empty| Tag::Start { name, empty };
        loop {
            i = blanks(b, i)?;
            match b[i] {
                b'>' => return Some((tag(false), i + 1)),
                b'/' if *b.get(i + 1)? == b'>' => return Some((tag(true), i + 2)),
                b'/' => {
                    i += 1;
                    continue;
                }
                _ => {}
            }
            let name;
            (name, i) = self::name(b, i)?;
            if *b.get(i)? != b'=' {
                i = blanks(b, i)?;
            }
            if b[i] != b'=' {
                continue;
            }
            i += 1;
            if !matches!(*b.get(i)?, b'"' | b'\'') {
                i = blanks(b, i)?;
            }
            let quote = b[i];
            let value = if matches!(quote, b'"' | b'\'') {
                (i + 1, runs::find(b, i + 1, quote))
            } else {
                let some = b[i..].iter().position(|b| *b <= b' ' || *b == b'>');
                (i, some.map_or(b.len(), |n| i + n))
            };
            i = value.1 + usize::from(value.0 > i);
            b.get(value.1)?;
            if self.attributes.len() < ATTRIBUTES {
                self.attributes.push(Attribute { name, value });
            } else {
                self.wrong = true;
            }
        }
    }

    /// A start tag; `plain`: no value of its attributes has a reference or a tag in it.
    fn start(&mut self, b: &[u8], name: (usize, usize), plain: bool) -> io::Result<()> {
        if self.path.len() >= DEEPEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let root = self.path.len() == 0;
        self.path.push(&b[name.0..name.1]);
        let name = self.path.name(0);
        self.letter |= root && name == b"ClinicalDocument";
        if name.first().is_some_and(u8::is_ascii_uppercase) {
            let c = std::str::from_utf8(name).map_or(&[][..], of_resource);
            if !c.is_empty() {
                self.records.put(field(Role::Other, c), b"x");
            }
        }
        for k in 0..self.attributes.len() {
            let Attribute { name, value } = self.attributes[k];
            match &b[name.0..name.1] {
                b"root" | b"code" | b"codeSystem" | b"codeSystemName" | b"use" | b"typeCode"
                | b"classCode" | b"moodCode" | b"url" | b"xmlns" | b"type" | b"style"
                | b"class" => continue,
                _ => {}
            }
            let said;
            let name = &b[name.0..name.1];
            let (b, value) = if plain || memchr::memchr2(b'<', b'&', &b[value.0..value.1]).is_none()
            {
                (b, value)
            } else {
                said = html(&b[value.0..value.1]);
                (said.as_bytes(), (0, said.len()))
            };
            match name {
                b"value" => self.value(b, value.0, value.1),
                b"extension" if !self.letter || self.path.name(0) == b"id" => {
                    let (from, to) = trimmed(b, value.0, value.1);
                    if from < to {
                        self.records.append(b, (from, to));
                        self.records.done(field(Role::Id, &[IdLocal]));
                    }
                }
                b"extension" => {}
                name => {
                    self.path.push(name);
                    self.value(b, value.0, value.1);
                    self.path.pop();
                }
            }
        }
        Ok(())
    }

    /// An end tag.
    fn ended(&mut self, reader: &mut Reader<'_>) {
        match self.path.len() {
            0 => self.wrong = true,
            _ => self.close(reader),
        }
    }

    /// The innermost element is over.
    fn close(&mut self, reader: &mut Reader<'_>) {
        self.path.pop();
        if self.letter {
            return;
        }
        match self.path.len() {
            2 if self.flat => self.record(reader),
            2 => {
                let count = self.records.count();
                if count > self.groups.last().copied().unwrap_or(0) {
                    self.groups.push(count);
                }
            }
            0 | 1 => self.record(reader),
            _ => {}
        }
    }

    /// A record that grows too long is split.
    fn long(&mut self, reader: &mut Reader<'_>) {
        let (count, bytes) = (self.records.count(), self.records.bytes.len());
        if self.letter {
            if count > LETTER || bytes > BYTES {
                self.record(reader);
            }
            return;
        }
        if count > self.most && !self.flat {
            self.flat = true;
            self.records.part(&self.groups);
            self.groups.clear();
        }
        if self.records.count() > 4 * self.most || bytes > BYTES {
            self.record(reader);
        }
    }

    /// All values of a record are there.
    fn record(&mut self, reader: &mut Reader<'_>) {
        self.groups.clear();
        if self.records.count() > 0 && self.records.end() {
            self.look(reader);
        }
    }

    fn look(&mut self, reader: &mut Reader<'_>) {
        reader.within = self.letter;
        self.records.look(reader);
        reader.within = false;
    }

    fn end(&mut self, reader: &mut Reader<'_>) {
        self.pended();
        self.record(reader);
        self.look(reader);
        if self.letter {
            reader.holds(HealthDoc);
            reader.holds(CareExistence);
            reader.end_document();
        }
    }

    /// Text that is kept until its element says what it is; its references are what they stand for.
    fn text(&mut self, text: &[u8]) {
        let mut i = 0;
        while let Some(n) = memchr::memchr(b'&', &text[i..]) {
            self.pending.extend_from_slice(&text[i..i + n]);
            let (c, len) = entity(&text[i + n..]);
            self.pending
                .extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            i += n + len;
        }
        self.pending.extend_from_slice(&text[i..]);
        if self.pending.len() > BYTES {
            self.pended();
        }
    }

    fn pended(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        self.value(&pending, 0, pending.len());
        self.pending = pending;
        self.pending.clear();
    }

    /// A value of the innermost element.
    fn value(&mut self, b: &[u8], from: usize, to: usize) {
        let (mut from, to) = trimmed(b, from, to);
        if from >= to {
            return;
        }
        let (path, columns) = (&self.path, &mut self.columns);
        let names = path.two();
        let column = self.places.of(names, (0, names.len()), || {
            column(path.name(1), path.name(0), columns)
        });
        let Some(column) = column else { return };
        if column.role == Role::Id {
            let before = b[from..to].windows(8).rposition(|w| w == b"Patient/");
            from += before.map_or(0, |n| n + 8);
        }
        self.records.append(b, (from, to));
        self.records.done(column);
    }
}

/// What a value of an element or attribute is, by its name and that of the element around it; `None` for what says nothing.
fn column(around: &[u8], name: &[u8], columns: &mut Columns) -> Option<Column> {
    // Elements of the two standards whose names say less than their place.
    Some(match (around, name) {
        (_, b"family") => field(Role::Family, &[IdName]),
        (_, b"given") => field(Role::Given, &[IdName]),
        (_, b"birthDate" | b"birthTime") => field(Role::Birth, &[IdDob]),
        (b"telecom", _) => field(Role::Other, &[]),
        (b"address" | b"addr", _) => field(Role::Other, &[ContactPostal]),
        (_, b"reference") => field(Role::Id, &[]),
        (_, b"gender" | b"administrativeGenderCode") => field(Role::Other, &[IdSex]),
        (b"identifier", b"value") | (_, b"identifier") => field(Role::Id, &[IdLocal]),
        (b"identifier", b"system")
        | (_, b"system" | b"url" | b"use" | b"status" | b"versionId" | b"lastUpdated") => {
            return None;
        }
        _ => columns.of(&String::from_utf8_lossy(name), |n| {
            text::folded(n.as_bytes())
        }),
    })
}

/// The name that starts at `from`, without its prefix, and where it ends; `None` when its end is not there. It has a byte at least.
#[inline]
fn name(b: &[u8], from: usize) -> Option<((usize, usize), usize)> {
    let (mut i, mut start) = (from, from);
    loop {
        match *b.get(i)? {
            b':' => start = i + 1,
            b'=' | b'>' | b'/' | ..=b' ' => break,
            _ => {}
        }
        i += 1;
    }
    Some(((start, i), i))
}

/// Behind the blanks; `None` when nothing is there.
#[inline]
fn blanks(b: &[u8], mut i: usize) -> Option<usize> {
    while *b.get(i)? <= b' ' {
        i += 1;
    }
    Some(i)
}

/// The first place from `i` on of `<` or `&`; the end where there is none.
#[inline]
fn stop(b: &[u8], mut i: usize) -> usize {
    while let Some(lane) = b.get(i..).and_then(|r| r.first_chunk::<16>()) {
        let v = u8x16::new(*lane);
        let bits = (v.simd_eq(u8x16::splat(b'<')) | v.simd_eq(u8x16::splat(b'&'))).to_bitmask();
        if bits != 0 {
            return i + bits.trailing_zeros() as usize;
        }
        i += 16;
    }
    while b.get(i).is_some_and(|b| !matches!(b, b'<' | b'&')) {
        i += 1;
    }
    i
}

/// Where the document type or other declaration ends whose `!` is at `from`: tags are in it, and texts that may have signs of tags.
fn declared(b: &[u8], from: usize) -> Option<usize> {
    let (mut i, mut depth) = (from, 1);
    while depth > 0 {
        i += b.get(i..)?.iter().position(|b| b"<>\"'".contains(b))?;
        match b[i] {
            b'<' if b[i..].starts_with(b"<!--") => {
                i += memchr::memmem::find(&b[i..], b"-->")? + 2;
            }
            b'<' => depth += 1,
            b'>' => depth -= 1,
            quote => i = Some(runs::find(b, i + 1, quote)).filter(|n| *n < b.len())?,
        }
        i += 1;
    }
    Some(i)
}

/// Without the blanks before and behind.
#[inline]
fn trimmed(b: &[u8], mut from: usize, mut to: usize) -> (usize, usize) {
    let sign = |b: u8| (0x21..0x7f).contains(&b);
    while from < to && b[from] <= b' ' {
        from += 1;
    }
    while from < to && b[to - 1] <= b' ' {
        to -= 1;
    }
    // A blank of another kind may stand there.
    if from < to
        && !(sign(b[from]) && sign(b[to - 1]))
        && let Ok(text) = std::str::from_utf8(&b[from..to])
    {
        let begun = text.trim_start();
        from = to - begun.len();
        to = from + begun.trim_end().len();
    }
    (from, to)
}

/// Names of the open elements, without their prefixes, a sign behind each that no name has.
#[derive(Default)]
struct Path {
    names: Vec<u8>,
    /// Where each name starts.
    starts: Vec<usize>,
}

impl Path {
    /// Bytes of a name that are kept.
    const NAME: usize = 256;
    fn len(&self) -> usize {
        self.starts.len()
    }
    fn push(&mut self, name: &[u8]) {
        self.starts.push(self.names.len());
        self.names
            .extend_from_slice(&name[..name.len().min(Path::NAME)]);
        self.names.push(b'>');
    }
    fn pop(&mut self) {
        if let Some(at) = self.starts.pop() {
            self.names.truncate(at);
        }
    }
    /// The innermost name, or the one `above` it; empty where there is none.
    fn name(&self, above: usize) -> &[u8] {
        let n = self.starts.len();
        if above >= n {
            return b"";
        }
        let end = self.starts.get(n - above);
        &self.names[self.starts[n - above - 1]..end.map_or(self.names.len(), |e| *e) - 1]
    }
    /// The innermost two names, each with its sign.
    fn two(&self) -> &[u8] {
        let first = self.starts.get(self.starts.len().saturating_sub(2));
        &self.names[first.map_or(self.names.len(), |f| *f)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{roster::Roster, whose::Knowledge};
    use proptest::prelude::*;
    use quick_xml::events::Event;

    type Records = Vec<Vec<(Column, String)>>;

    /// What a document holds by a library's reader of XML: each value with the third-level element it is in, split when a tag begins and
    /// the record is long.
    fn slowly(text: &[u8], most: usize) -> Option<(Records, bool)> {
        let mut xml = quick_xml::Reader::from_reader(text);
        xml.config_mut().check_end_names = false;
        xml.config_mut().allow_dangling_amp = true;
        let (mut records, mut list): (Records, Vec<(usize, Column, String)>) = (vec![], vec![]);
        let (mut path, mut group, mut letter, mut flat) = (vec![], 0, false, false);
        let mut pending = String::new();
        let mut columns = Columns::default();
        fn local(name: &str) -> String {
            name.rsplit(':').next().unwrap_or(name).to_string()
        }
        fn flush(list: Vec<(usize, Column, String)>, flat: bool, records: &mut Records) {
            let same =
                |a: &(usize, Column, String), b: &(usize, Column, String)| !flat || a.0 == b.0;
            for r in list.chunk_by(same) {
                records.push(r.iter().map(|v| (v.1, v.2.clone())).collect());
            }
        }
        let mut value = |path: &[String], v: &str, group: usize, list: &mut Vec<_>| {
            let name = |above: usize| match path.len().checked_sub(above + 1) {
                Some(n) => path[n].as_bytes(),
                None => b"",
            };
            let v = v.trim();
            if let Some(c) = column(name(1), name(0), &mut columns).filter(|_| !v.is_empty()) {
                let v = match c.role {
                    Role::Id => v.rsplit("Patient/").next().unwrap_or(v),
                    _ => v,
                };
                list.push((group, c, v.to_string()));
            }
        };
        let mut buf = vec![];
        loop {
            buf.clear();
            let (tag, empty) = match xml.read_event_into(&mut buf).ok()? {
                Event::Start(e) => (Some(e), false),
                Event::Empty(e) => (Some(e), true),
                Event::End(_) => (None, true),
                Event::Text(t) => {
                    pending.push_str(&t);
                    continue;
                }
                Event::CData(t) => {
                    pending.push_str(&html(t.as_bytes()));
                    continue;
                }
                Event::GeneralRef(r) => {
                    let whole = format!("&{};", &*r);
                    let (c, n) = entity(whole.as_bytes());
                    pending.push(c);
                    pending.push_str(&whole[n..]);
                    continue;
                }
                Event::Eof => break,
                _ => continue,
            };
            value(&path, &pending, group, &mut list);
            pending.clear();
            let begun = tag.is_some();
            if let Some(tag) = tag {
                let name = local(tag.name().0);
                letter |= path.is_empty() && name == "ClinicalDocument";
                let c = of_resource(&name);
                path.push(name);
                if !c.is_empty() {
                    list.push((group, field(Role::Other, c), "x".to_string()));
                }
                for a in tag.attributes() {
                    let a = a.ok()?;
                    let raw: &str = &a.value;
                    let v = html(raw.as_bytes());
                    match &local(a.key.0)[..] {
                        "value" => value(&path, &v, group, &mut list),
                        "extension" => {
                            if !v.trim().is_empty() && (!letter || path.last()? == "id") {
                                let c = field(Role::Id, &[IdLocal]);
                                list.push((group, c, v.trim().to_string()));
                            }
                        }
                        "root" | "code" | "codeSystem" | "codeSystemName" | "use" | "typeCode"
                        | "classCode" | "moodCode" | "url" | "xmlns" | "type" | "style"
                        | "class" => {}
                        k => {
                            path.push(k.to_string());
                            value(&path, &v, group, &mut list);
                            path.pop();
                        }
                    }
                }
            }
            if empty {
                path.pop();
                group += usize::from(path.len() == 2);
                if path.len() <= 1 && !letter {
                    flush(std::mem::take(&mut list), flat, &mut records);
                }
            }
            if begun && !letter && list.len() > most {
                flat = true;
                let open = list.iter().position(|p| p.0 == group).unwrap_or(list.len());
                let later = list.split_off(open);
                flush(std::mem::replace(&mut list, later), true, &mut records);
                if list.len() > 4 * most {
                    flush(std::mem::take(&mut list), true, &mut records);
                }
            }
        }
        value(&path, &pending, group, &mut list);
        flush(list, flat, &mut records);
        Some((records, letter))
    }

    /// What a document holds, read in pieces of `capacity` bytes; nothing of it has been looked at.
    fn quickly(text: &[u8], most: usize, capacity: usize) -> (Records, bool, bool) {
        let k = Knowledge::new(Roster::builder().finish());
        let mut reader = Reader::new(&k, "x");
        let mut xml = Xml::new();
        (xml.most, xml.chunk) = (most, capacity);
        let mut input = io::BufReader::with_capacity(capacity, text);
        let read = xml.read(&mut input, &mut reader);
        xml.pended();
        (by_record(&xml), xml.letter, read.is_ok())
    }

    fn by_record(xml: &Xml) -> Records {
        let (columns, ends) = xml.records.parts();
        let (mut all, mut one, mut from) = (vec![], vec![], 0);
        for (c, end) in columns.into_iter().zip(ends) {
            let value = xml.records.bytes[from..end as usize].to_vec();
            one.push((c, String::from_utf8(value).unwrap()));
            from = end as usize + 1;
            if xml.records.bytes[end as usize] == b'\n' {
                all.push(std::mem::take(&mut one));
            }
        }
        all.extend(Some(one).filter(|o| !o.is_empty()));
        all
    }

    /// Documents in the rules, most of them.
    fn document() -> impl Strategy<Value = String> {
        let name = prop::sample::select(vec![
            "a",
            "b",
            "n1:b",
            "id",
            "ClinicalDocument",
            "Patient",
            "name",
            "family",
            "given",
            "birthDate",
            "identifier",
            "system",
            "value",
            "telecom",
            "addr",
            "nom",
            "code",
            "reference",
            "administrativeGenderCode",
            "un-nom-de-plus-de-quarante-huit-octets-en-tout-et-pour-tout",
        ]);
        let text = "[ \n\ta-z0-9é\u{a0}<>]{0,12}|&amp;|&#233;|&lt;b&gt;|&eacute;|&nbsp;| & |Patient/12|<!-- <a> ' -->|<\\?x > y\\?>|<!\\[CDATA\\[<b>&eacute;]</b>\\]\\]>";
        let text = text.prop_map(
            |t: String| match t.starts_with("<!") || t.starts_with("<?") {
                true => t,
                false => t.replace(['<', '>'], ""),
            },
        );
        let key = prop::sample::select(vec![
            "value",
            "extension",
            "x:extension",
            "root",
            "nom",
            "ipp",
            "displayName",
            "xmlns",
            "given",
        ]);
        let said = "[ a-z0-9é/>\u{a0}]{0,9}|x&amp;y|&#x41;|Patient/7|'";
        let attributes = prop::collection::btree_map(key, (said, "( |\n\t)?", "( )?"), 0..4)
            .prop_map(|all| {
                let one = |(k, (v, before, after)): (&str, (String, String, String))| {
                    format!(" {k}{before}={after}\"{v}\"")
                };
                all.into_iter().map(one).collect::<String>()
            });
        let leaf = (name.clone(), attributes.clone(), text.clone()).prop_map(|(n, a, t)| {
            if t.is_empty() {
                format!("<{n}{a}/>")
            } else {
                format!("<{n}{a}>{t}</{n}>")
            }
        });
        let leaf = prop_oneof![leaf, text.clone()];
        leaf.prop_recursive(5, 60, 6, move |inner| {
            (
                name.clone(),
                attributes.clone(),
                prop::collection::vec((inner, text.clone()), 0..6),
            )
                .prop_map(|(n, a, inner)| {
                    let inner: String = inner.into_iter().map(|(i, t)| i + &t).collect();
                    format!("<{n}{a}>{inner}</{n} >")
                })
        })
    }

    proptest! {
        #[test]
        fn a_document_holds_what_a_library_reads_of_it(
            text in document(), begun in "(\u{feff})?(<\\?xml version=\"1.0\"\\?>)?( \n)?(<!DOCTYPE a \\[ <!ENTITY b \"<c>\"> <!-- ' --> \\]>)?",
            most in prop::sample::select(vec![1usize, 3, 400]), capacity in 1usize..200,
        ) {
            let text = begun + &text;
            let (records, letter, right) = quickly(text.as_bytes(), most, capacity);
            if let Some(slow) = slowly(text.as_bytes(), most) {
                prop_assert_eq!((records, letter), slow);
                prop_assert!(right);
            }
        }
        #[test]
        fn what_is_cut_or_broken_is_the_same_in_pieces_of_any_size(
            text in document(), broken in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"<>&/!'\"= -[]?x\0\xff".to_vec())), 0..4),
            cut in any::<prop::sample::Index>(), capacity in 1usize..60,
        ) {
            let mut bytes = text.into_bytes();
            for (at, b) in broken {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = b;
                }
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            let of = |xml: &Xml| {
                let (columns, ends) = xml.records.parts();
                (columns, ends, xml.records.bytes.clone(), xml.letter)
            };
            let read = |capacity: usize| {
                let k = Knowledge::new(Roster::builder().finish());
                let mut reader = Reader::new(&k, "x");
                let mut xml = Xml::new();
                xml.chunk = capacity;
                let mut input = io::BufReader::with_capacity(capacity, &bytes[..]);
                let right = xml.read(&mut input, &mut reader).is_ok();
                xml.pended();
                (of(&xml), right)
            };
            prop_assert_eq!(read(capacity), read(1 << 16));
        }
    }
    #[test]
    fn a_tag_has_so_many_attributes() {
        for (n, right) in [(ATTRIBUTES, true), (ATTRIBUTES + 1, false)] {
            let text = format!(
                "<a><nom>Leger</nom><b{}/><nom>Noir</nom></a>",
                " x=''".repeat(n)
            );
            let (records, _, read) = quickly(text.as_bytes(), VALUES, CHUNK);
            let all: Vec<String> = records.concat().into_iter().map(|v| v.1).collect();
            assert_eq!(
                (all.as_slice(), read),
                (&["Leger".into(), "Noir".into()][..], right)
            );
        }
    }
    #[test]
    fn what_breaks_off_is_read_and_said() {
        for text in [
            "<a><nom>Leger</nom><ipp ipp=\"12",
            "<a><nom>Leger</nom><!-- 12",
            "<a><nom>Leger</nom><![CDATA[12",
            "<a><nom>Leger</nom></a></a>12<",
            "<a><nom>Leger</nom><!DOCTYPE 12",
        ] {
            let (records, _, right) = quickly(text.as_bytes(), VALUES, 7);
            let all: String = records.concat().into_iter().map(|v| v.1 + " ").collect();
            assert!(
                !right && all.contains("Leger") && all.contains("12"),
                "{text}: {all}"
            );
        }
    }
}
