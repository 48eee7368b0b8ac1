//! HTML, XML (FHIR, CDA, exports) and HL7 v2.
//! Standards: HL7 v2.5 §2.5 (delimiters, escapes), segments per data-categories §3.2; CDA R2; FHIR R4 XML.
use super::{field, json::of_resource};
use crate::{
    text,
    whose::Reader,
    words::{Column, Columns, Role},
};
use ampleur_event::{
    Category::{self, *},
    fold::cp1252,
};
use quick_xml::events::Event;
use std::io::{self, BufRead, Read};

/// Text of a page: tags gone, one line per block, a tab between cells, scripts and styles left out.
pub fn html(bytes: &[u8]) -> String {
    let source = match text::utf16(bytes) {
        Some(big) => text::narrow(bytes, big),
        None => ampleur_event::fold::text_of(bytes),
    };
    let s = source.as_bytes();
    let mut out = String::with_capacity(s.len() / 2);
    let mut i = 0;
    while i < s.len() {
        match memchr::memchr2(b'<', b'&', &s[i..]) {
            None => {
                out.push_str(&source[i..]);
                break;
            }
            Some(n) => {
                out.push_str(&source[i..i + n]);
                i += n;
            }
        }
        if s[i] == b'&' {
            let (c, len) = entity(&source[i..]);
            out.push_str(&c);
            i += len;
            continue;
        }
        if s[i..].starts_with(b"<!--") {
            i = memchr::memmem::find(&s[i..], b"-->").map_or(s.len(), |n| i + n + 3);
            continue;
        }
        let end = memchr::memchr(b'>', &s[i..]).map_or(s.len(), |n| i + n + 1);
        let tag: String = source[i + 1..]
            .chars()
            .take(12)
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '/')
            .collect::<String>()
            .to_ascii_lowercase();
        match tag.trim_end_matches('/') {
            t @ ("script" | "style") => {
                i = closing(s, end, t);
                continue;
            }
            "td" | "th" => out.push('\t'),
            "p" | "br" | "div" | "tr" | "li" | "h1" | "h2" | "h3" | "h4" | "table" | "/p"
            | "/div" | "/tr" | "/table" | "/li" | "/h1" | "/h2" | "/h3" | "title" | "/title" => {
                out.push('\n')
            }
            _ => {}
        }
        i = end;
    }
    out
}

/// Where the closing tag of `name` starts, from `from` on; the end where there is none.
fn closing(s: &[u8], from: usize, name: &str) -> usize {
    memchr::memchr_iter(b'<', &s[from..])
        .map(|n| from + n)
        .find(|i| {
            s.get(i + 1) == Some(&b'/')
                && s.get(i + 2..i + 2 + name.len())
                    .is_some_and(|t| t.eq_ignore_ascii_case(name.as_bytes()))
        })
        .unwrap_or(s.len())
}

/// The character of a reference and its length; `&` itself where it is none.
pub fn entity(s: &str) -> (String, usize) {
    let end = s.bytes().take(12).position(|b| b == b';');
    let Some(end) = end else {
        return ("&".into(), 1);
    };
    let name = &s[1..end];
    let c = match name {
        "nbsp" => Some('\u{a0}'),
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match name.strip_prefix('#') {
            Some(n) => match n.strip_prefix(['x', 'X']) {
                Some(h) => u32::from_str_radix(h, 16).ok(),
                None => n.parse().ok(),
            }
            .and_then(char::from_u32),
            None => name
                .chars()
                .next()
                .filter(|c| c.is_ascii_alphabetic())
                .and_then(|c| {
                    // `&eacute;` and its like: the letter under the accent is what is compared.
                    ["acute", "grave", "circ", "uml", "cedil", "tilde", "ring"]
                        .contains(&&name[1..])
                        .then_some(c)
                }),
        },
    };
    match c {
        Some(c) => (c.to_string(), end + 1),
        None => ("&".into(), 1),
    }
}

/// A value of an element: what it is, where its bytes lie, which record of the third level it stands in.
struct Pair {
    column: Column,
    from: usize,
    to: usize,
    group: u32,
}

/// Values in order, their bytes one behind the other.
#[derive(Default)]
struct Pairs {
    list: Vec<Pair>,
    bytes: Vec<u8>,
    columns: Columns,
}

impl Pairs {
    fn push(&mut self, column: Column, value: &str, group: u32) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(value.as_bytes());
        self.list.push(Pair {
            column,
            from,
            to: self.bytes.len(),
            group,
        });
    }
    fn value(&mut self, path: &Path, v: &str, group: u32) {
        if v.is_empty() {
            return;
        }
        let name = path.name(0);
        // Elements of the two standards whose names say less than their place.
        let column = match (path.name(1), name) {
            (_, "family") => field(Role::Family, &[IdName]),
            (_, "given") => field(Role::Given, &[IdName]),
            (_, "birthDate" | "birthTime") => field(Role::Birth, &[IdDob]),
            ("telecom", _) => field(Role::Other, &[]),
            ("address" | "addr", _) => field(Role::Other, &[ContactPostal]),
            (_, "reference") => field(Role::Id, &[]),
            (_, "gender" | "administrativeGenderCode") => field(Role::Other, &[IdSex]),
            ("identifier", "value") | (_, "identifier") => field(Role::Id, &[IdLocal]),
            ("identifier", "system")
            | (_, "system" | "url" | "use" | "status" | "versionId" | "lastUpdated") => return,
            _ => self.columns.of(name, |n| text::folded(n.as_bytes())),
        };
        let v = if column.role == Role::Id {
            v.rsplit("Patient/").next().unwrap_or(v)
        } else {
            v
        };
        self.push(column, v, group);
    }
    /// Reads the first `count` values as one record, or one record a group; the others stay.
    fn flush(&mut self, count: usize, flat: bool, reader: &mut Reader<'_>, within: bool) {
        let (now, later) = self.list.split_at(count);
        let one = |record: &[Pair], reader: &mut Reader<'_>| {
            let of = |p: &Pair| (p.column, p.from..p.to);
            reader.values(record.len(), |i| {
                let (c, range) = of(&record[i]);
                (c, &self.bytes[range])
            });
        };
        reader.within = within;
        if flat {
            for record in now.chunk_by(|a, b| a.group == b.group) {
                one(record, reader);
            }
        } else if !now.is_empty() {
            one(now, reader);
        }
        reader.within = false;
        let gone = later.first().map_or(self.bytes.len(), |p| p.from);
        self.bytes.drain(..gone);
        self.list.drain(..count);
        for p in &mut self.list {
            (p.from, p.to) = (p.from - gone, p.to - gone);
        }
    }
    fn flush_all(&mut self, flat: bool, reader: &mut Reader<'_>, within: bool) {
        self.flush(self.list.len(), flat, reader, within);
    }
}

/// Names of the open elements, without their prefixes.
#[derive(Default)]
struct Path {
    names: String,
    /// Where each name starts.
    starts: Vec<usize>,
}

impl Path {
    fn len(&self) -> usize {
        self.starts.len()
    }
    fn push(&mut self, name: &str) {
        self.starts.push(self.names.len());
        self.names.push_str(name);
    }
    fn pop(&mut self) {
        if let Some(at) = self.starts.pop() {
            self.names.truncate(at);
        }
    }
    /// The innermost name, or the one `above` it; empty where there is none.
    fn name(&self, above: usize) -> &str {
        let n = self.starts.len();
        if above >= n {
            return "";
        }
        let end = self.starts.get(n - above).copied();
        &self.names[self.starts[n - above - 1]..end.unwrap_or(self.names.len())]
    }
}

/// Values of one record at most; a longer one is split one level deeper.
const PAIRS_MAX: usize = 400;

/// XML: FHIR by resource type, CDA by its header and text, other documents one record per element below the root.
pub fn xml(input: &mut dyn BufRead, reader: &mut Reader<'_>) -> io::Result<()> {
    let mut xml = quick_xml::Reader::from_reader(utf8(input)?);
    xml.config_mut().check_end_names = false;
    xml.config_mut().allow_dangling_amp = true;
    let mut path = Path::default();
    let mut pairs = Pairs::default();
    let mut buf = vec![];
    let mut group = 0;
    let mut letter = false;
    let mut flat = false;
    // Text since the last tag; references in it come one by one.
    let mut pending = String::new();
    let mut result = Ok(());
    loop {
        buf.clear();
        let (tag, empty) = match xml.read_event_into(&mut buf) {
            Ok(Event::Start(e)) => (e, false),
            Ok(Event::Empty(e)) => (e, true),
            Ok(Event::End(_)) => {
                pairs.value(&path, pending.trim(), group);
                pending.clear();
                path.pop();
                if path.len() == 2 {
                    group += 1;
                }
                if path.len() <= 1 && !letter {
                    pairs.flush_all(flat, reader, false);
                }
                continue;
            }
            Ok(Event::Text(t)) => {
                pending.push_str(&t);
                continue;
            }
            Ok(Event::CData(t)) => {
                pending.push_str(&html(t.as_bytes()));
                continue;
            }
            Ok(Event::GeneralRef(r)) => {
                let (c, _) = entity(&format!("&{};", &*r));
                pending.push_str(&c);
                continue;
            }
            Ok(Event::Eof) => break,
            Ok(_) => continue,
            Err(_) => {
                result = Err(io::ErrorKind::InvalidData.into());
                break;
            }
        };
        // Text between the tags of what holds both.
        pairs.value(&path, pending.trim(), group);
        pending.clear();
        if path.len() > 200 {
            result = Err(io::ErrorKind::InvalidData.into());
            break;
        }
        let name = tag.name();
        let name = local(name.0);
        if path.len() == 0 && name == "ClinicalDocument" {
            letter = true;
        }
        path.push(name);
        if name.starts_with(|c: char| c.is_ascii_uppercase()) {
            let c = of_resource(name);
            if !c.is_empty() {
                pairs.push(field(Role::Other, c), "x", group);
            }
        }
        for a in tag.attributes().flatten() {
            let raw: &str = &a.value;
            let plain;
            let v = if memchr::memchr2(b'<', b'&', raw.as_bytes()).is_some() {
                plain = html(raw.as_bytes());
                plain.trim()
            } else {
                raw.trim()
            };
            if v.is_empty() {
                continue;
            }
            match local(a.key.0) {
                "value" => pairs.value(&path, v, group),
                "extension" if !letter || path.name(0) == "id" => {
                    pairs.push(field(Role::Id, &[IdLocal]), v, group);
                }
                "root" | "code" | "codeSystem" | "codeSystemName" | "use" | "typeCode"
                | "classCode" | "moodCode" | "url" | "xmlns" | "type" | "style" | "class" => {}
                k => {
                    path.push(k);
                    pairs.value(&path, v, group);
                    path.pop();
                }
            }
        }
        if empty {
            path.pop();
            if path.len() == 2 {
                group += 1;
            }
            if path.len() <= 1 && !letter {
                pairs.flush_all(flat, reader, false);
            }
        }
        if !letter && pairs.list.len() > PAIRS_MAX {
            flat = true;
            // Everything but the record still open.
            let open = pairs.list.iter().position(|p| p.group == group);
            pairs.flush(open.unwrap_or(pairs.list.len()), true, reader, false);
            if pairs.list.len() > 4 * PAIRS_MAX {
                pairs.flush_all(true, reader, false);
            }
        }
        if letter && pairs.list.len() > 50_000 {
            pairs.flush_all(false, reader, true);
        }
    }
    pairs.value(&path, pending.trim(), group);
    if letter {
        reader.holds(HealthDoc);
        reader.holds(CareExistence);
        pairs.flush_all(false, reader, true);
        reader.end_document();
    } else {
        pairs.flush_all(flat, reader, false);
    }
    result
}

/// Any text as UTF-8: UTF-16 by its mark, bytes that are not UTF-8 as Windows-1252, whatever the declaration says.
pub fn utf8<'a>(input: &'a mut dyn BufRead) -> io::Result<Box<dyn BufRead + 'a>> {
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

/// The name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// Values of a message: what each is, and its bytes one behind the other.
#[derive(Default)]
struct Message {
    fields: Vec<(Column, std::ops::Range<usize>)>,
    bytes: Vec<u8>,
}

impl Message {
    fn push(&mut self, column: Column, value: impl IntoIterator<Item = u8>) {
        let from = self.bytes.len();
        self.bytes.extend(value);
        self.fields.push((column, from..self.bytes.len()));
    }
    fn put(&mut self, column: Column, value: &[u8]) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.fields.push((column, from..self.bytes.len()));
    }
    fn end(&mut self, reader: &mut Reader<'_>) {
        if self.fields.is_empty() {
            return;
        }
        reader.values(self.fields.len(), |i| {
            let (c, r) = &self.fields[i];
            (*c, &self.bytes[r.clone()])
        });
        self.fields.clear();
        self.bytes.clear();
    }
}

/// HL7 v2: each message is a record; the fields of its segments by data-categories §3.2.
pub fn hl7(input: &mut dyn BufRead, reader: &mut Reader<'_>) -> io::Result<()> {
    let mut line = vec![];
    let mut message = Message::default();
    let mut delimiters = *b"|^~\\&";
    loop {
        line.clear();
        // Segments end with a carriage return; files often have line feeds.
        let n = read_segment(input, &mut line)?;
        let segment = line.trim_ascii_start();
        let segment = segment.strip_prefix(b"\x0b").unwrap_or(segment);
        if n == 0 || segment.starts_with(b"MSH") {
            message.end(reader);
            if n == 0 {
                return Ok(());
            }
            for (i, b) in segment.iter().skip(3).take(5).enumerate() {
                delimiters[i] = *b;
            }
            continue;
        }
        if message.fields.len() < 20_000 {
            fields_of(segment, delimiters, &mut message);
        }
    }
}

fn read_segment(input: &mut dyn BufRead, out: &mut Vec<u8>) -> io::Result<usize> {
    let mut n = 0;
    loop {
        let (used, done) = {
            let have = match input.fill_buf() {
                Ok(h) => h,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if have.is_empty() {
                return Ok(n);
            }
            match memchr::memchr2(b'\r', b'\n', have) {
                Some(p) => {
                    out.extend_from_slice(&have[..p]);
                    (p + 1, true)
                }
                None => {
                    out.extend_from_slice(have);
                    (have.len(), out.len() > 64 << 20)
                }
            }
        };
        input.consume(used);
        n += used;
        if done {
            return Ok(n);
        }
    }
}

fn fields_of(segment: &[u8], d: [u8; 5], out: &mut Message) {
    let mut parts = segment.split(|b| *b == d[0]);
    let Some(name) = parts.next().and_then(|n| <&[u8; 3]>::try_from(n).ok()) else {
        return;
    };
    let repeats = memchr::memchr(d[2], segment).is_some();
    for (i, value) in parts.enumerate() {
        if value.is_empty() || value == b"\"\"" {
            continue;
        }
        let number = i as u32 + 1;
        if !repeats {
            field_of(name, number, value, d, out);
            continue;
        }
        for repeat in value.split(|b| *b == d[2]) {
            field_of(name, number, repeat, d, out);
        }
    }
}

fn field_of(name: &[u8; 3], number: u32, value: &[u8], d: [u8; 5], out: &mut Message) {
    let part = |k: usize| value.split(|b| *b == d[1]).nth(k).unwrap_or(b"");
    let blank = value
        .iter()
        .map(|b| if *b == d[1] || *b == d[4] { b' ' } else { *b });
    let mut plain = |c: &[Category]| out.push(field(Role::Other, c), blank.clone());
    match (name, number) {
        (b"PID", 2..=4) | (b"MRG", 1 | 4) => {
            let authority = part(3);
            let nir = memchr::memmem::find(authority, b"1.2.250.1.213.1.4.").is_some()
                || matches!(part(4), b"INS" | b"NH" | b"INS-NIR" | b"INS-C");
            let column = if nir {
                field(Role::Nir, &[IdNir])
            } else {
                field(Role::Id, &[IdLocal])
            };
            out.put(column, part(0));
        }
        (b"PID", 5 | 9) => {
            let family = part(0).split(|b| *b == d[4]).next().unwrap_or(b"");
            out.put(field(Role::Family, &[IdName]), family);
            let given = part(1).iter().chain(b" ").chain(part(2)).copied();
            out.push(field(Role::Given, &[IdName]), given);
        }
        (b"PID", 7) => out.put(field(Role::Birth, &[IdDob]), part(0)),
        (b"PID", 8) => plain(&[IdSex]),
        (b"PID", 6 | 15 | 16 | 24 | 25 | 26 | 28) => plain(&[IdCivil]),
        (b"PID", 10 | 22) => plain(&[SensOrigin]),
        (b"PID", 17) => plain(&[SensReligion]),
        (b"PID", 11 | 12) => plain(&[ContactPostal]),
        (b"PID", 13 | 14 | 40) => plain(&[]),
        (b"PID", 18) => out.put(field(Role::Other, &[IdLocal]), part(0)),
        (b"PID", 19) => out.put(field(Role::Nir, &[IdNir]), part(0)),
        (b"PID", 20) => plain(&[IdDoc]),
        (b"PID", 23) => plain(&[IdBirthplace]),
        (b"PID", 29) => plain(&[IdDeath]),
        (b"PD1", 3 | 4) => plain(&[CarePro]),
        (b"NK1", 2) => plain(&[KinName]),
        // The relative's own number must not be taken for the patient's.
        (b"NK1", 4..=7 | 16) => out.put(field(Role::Other, &[KinContact]), b"x"),
        (b"PV1", 3 | 6 | 37 | 42) => plain(&[CarePlace]),
        (b"PV1", 2 | 4 | 14 | 18) => plain(&[CareReason]),
        (b"PV1", 7 | 8 | 9 | 17) => plain(&[CarePro]),
        (b"PV1", 10) => plain(&[CareUnit]),
        (b"PV1", 19) => out.put(field(Role::Other, &[IdLocal]), part(0)),
        (b"PV1", 20) => plain(&[FinBill]),
        (b"PV1", 36) => plain(&[HealthState]),
        (b"PV1", 44 | 45) => plain(&[CareDate]),
        (b"PV2", 3 | 12) => plain(&[CareReason]),
        (b"PV2", 8 | 9) => plain(&[CareDate]),
        (b"DG1" | b"DRG", 3 | 4) => out.put(field(Role::Other, &[HealthState]), part(0)),
        (b"AL1" | b"IAM", 3) => plain(&[HealthAllergy]),
        (b"OBR" | b"ORC", 4) => plain(&[HealthResult]),
        (b"OBR", 7 | 22) => plain(&[CareDate]),
        (b"OBR", 13 | 31) => plain(&[CareReason]),
        (b"OBR" | b"ORC", 10 | 12 | 16) => plain(&[CarePro]),
        (b"OBX", 2) if matches!(value, b"ED" | b"RP") => plain(&[FreeFile]),
        (b"OBX", 2) if matches!(value, b"TX" | b"FT") => plain(&[FreeText]),
        (b"OBX", 3 | 5) => plain(&[HealthResult]),
        (b"OBX", 14) => plain(&[CareDate]),
        (b"NTE", 3) => plain(&[FreeText]),
        (b"RXO" | b"RXE" | b"RXD" | b"RXG", 1 | 2) => plain(&[HealthDrug]),
        (b"RXA", 5) | (b"PR1", 3 | 4) => plain(&[HealthAct]),
        (b"FT1", _) => plain(&[FinBill]),
        (b"IN1", 3..=5) | (b"IN1", 36) => plain(&[CoverRights]),
        (b"TXA", 2) => plain(&[HealthDoc]),
        (b"SCH" | b"AIS" | b"AIG" | b"AIL" | b"AIP", 3 | 11) => {
            plain(&[CareDate, CareUnit]);
        }
        (b"ZBE", 2 | 7) => plain(&[CarePlace]),
        (b"ZFP", _) => plain(&[SocLife]),
        (b"ZFD", _) => plain(&[IdCivil]),
        (b"ZFS", _) => plain(&[HealthVuln]),
        _ => {}
    }
}
