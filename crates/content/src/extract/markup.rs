//! HTML and HL7 v2.
//! Standards: HL7 v2.5 §2.5 (delimiters, escapes), segments per data-categories §3.2.
use super::{field, memo::Memo, of_nir, records::Records};
use crate::{
    runs, text,
    whose::Reader,
    words::{Column, Role},
};
use ampleur_event::{
    Category::{self, *},
    category::CategorySet,
};
use std::io::{self, BufRead};

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
            let (c, len) = entity(&s[i..]);
            out.push(c);
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

/// The character of the reference these bytes begin with, and its length; `&` itself where it is none.
pub fn entity(s: &[u8]) -> (char, usize) {
    let end = s.iter().take(12).position(|b| *b == b';');
    let name = end.and_then(|end| std::str::from_utf8(s.get(1..end)?).ok());
    let Some(name) = name else {
        return ('&', 1);
    };
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
    c.map_or(('&', 1), |c| (c, name.len() + 2))
}

/// Values of one message that are taken, and bytes of values.
const VALUES: usize = 20_000;
const BYTES: usize = 1 << 28;

/// Bytes of a code at most.
const CODE: usize = 32;

/// What messages hold.
#[derive(Default)]
struct Values {
    records: Records,
    /// What codes of the message at hand say that nothing else is said of.
    said: CategorySet,
    /// As [`Reader::says`], of values whose parts are words.
    codes: Memo<Option<CategorySet>, { CODE / 8 }>,
}

impl Values {
    fn put(&mut self, column: Column, text: &[u8], at: (usize, usize)) {
        self.records.append(text, at);
        self.records.done(column);
    }
    /// A value out of a table of few: most say the same wherever they stand, and need not be looked at again.
    fn code(
        &mut self,
        column: Column,
        text: &[u8],
        at: (usize, usize),
        d: [u8; 5],
        reader: &mut Reader<'_>,
    ) {
        let code = (1..=CODE).contains(&(at.1 - at.0));
        let says = (code && usual(d)).then(|| {
            self.codes.of(text, at, || {
                let parts: Vec<u8> = text[at.0..at.1].iter().map(|b| blank(*b)).collect();
                reader.says(&parts)
            })
        });
        match says.flatten() {
            Some(all) => self.said = self.said.union(all).union(column.categories),
            None => plain(column, text, at, d, self),
        }
    }
    /// All values of a message are there.
    fn end_message(&mut self, d: [u8; 5], reader: &mut Reader<'_>) {
        let said = std::mem::take(&mut self.said);
        if !said.is_empty() {
            let column = Column {
                role: Role::Other,
                categories: said,
            };
            self.records.put(column, b"x");
        }
        if self.records.count() > 0 && self.records.end() {
            self.look(d, reader);
        }
    }
    /// Lets the messages that are whole be looked at.
    fn look(&mut self, d: [u8; 5], reader: &mut Reader<'_>) {
        if usual(d) {
            for b in &mut self.records.bytes {
                *b = blank(*b);
            }
        }
        self.records.look(reader);
    }
}

/// The parts of a value are words of their own.
fn blank(b: u8) -> u8 {
    if (b == b'^') | (b == b'&') { b' ' } else { b }
}

/// True for the delimiters of parts and of their parts that HL7 v2 recommends (§2.5.4): no number, date or name has them.
fn usual([_, part, _, _, sub]: [u8; 5]) -> bool {
    part == b'^' && sub == b'&'
}

/// HL7 v2: each message is a record; the fields of its segments by data-categories §3.2.
pub fn hl7(input: &mut dyn BufRead, reader: &mut Reader<'_>) -> io::Result<()> {
    let mut messages = Messages {
        values: Values::default(),
        plans: Plans::default(),
        delimiters: *b"|^~\\&",
        marks: runs::Marks::default(),
    };
    let mut line = vec![];
    let mut step = Ok(true);
    while let Ok(true) = step {
        step = messages.step(input, &mut line, reader);
    }
    messages.end(reader);
    step.map(|_| ())
}

/// Messages while they are read.
struct Messages {
    values: Values,
    plans: Plans,
    delimiters: [u8; 5],
    marks: runs::Marks,
}

impl Messages {
    /// Takes one segment and those that lie whole in what is at hand behind it; false at the end.
    fn step(
        &mut self,
        input: &mut dyn BufRead,
        line: &mut Vec<u8>,
        reader: &mut Reader<'_>,
    ) -> io::Result<bool> {
        line.clear();
        if read_segment(input, line)? == 0 {
            return Ok(false);
        }
        let mut marks = std::mem::take(&mut self.marks);
        let [bar, _, repeat, ..] = self.delimiters;
        let repeats = marks.read(line, bar, repeat, []);
        self.segment(
            line,
            (0, line.len()),
            marks.bars(0, marks.all()),
            repeats,
            reader,
        );
        self.marks = marks;
        let used = match input.fill_buf() {
            Ok(have) => self.segments(have, reader),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => 0,
            Err(e) => return Err(e),
        };
        input.consume(used);
        Ok(true)
    }

    /// Takes the segments that end in these bytes; returns how many bytes they are. Segments end with a carriage return; files
    /// often have line feeds.
    fn segments(&mut self, have: &[u8], reader: &mut Reader<'_>) -> usize {
        let [bar, _, repeat, ..] = self.delimiters;
        let Some(end) = memchr::memrchr2(b'\r', b'\n', have) else {
            return 0;
        };
        let mut marks = std::mem::take(&mut self.marks);
        marks.read(&have[..=end], bar, repeat, *b"\r\n");
        let (mut from, mut first) = (0, 0);
        for line in marks.lines() {
            let bars = marks.bars(first, line.bars);
            self.segment(have, (from, line.at), bars, line.repeats, reader);
            (from, first) = (line.at + 1, line.bars);
            if self.delimiters[0] != bar || self.delimiters[2] != repeat {
                break;
            }
        }
        self.marks = marks;
        from
    }

    /// The segment `from..to`; `bars`: where the delimiter of fields stands in it; `repeats`: that of repetitions does somewhere.
    fn segment(
        &mut self,
        text: &[u8],
        (from, to): (usize, usize),
        bars: &[u32],
        repeats: bool,
        reader: &mut Reader<'_>,
    ) {
        let segment = text[from..to].trim_ascii_start();
        let segment = segment.strip_prefix(b"\x0b").unwrap_or(segment);
        if segment.starts_with(b"MSH") {
            self.begin(segment, reader);
            return;
        }
        let records = &self.values.records;
        if records.count() >= VALUES || records.bytes.len() >= BYTES {
            return;
        }
        let Some(name) = segment.first_chunk::<3>() else {
            return;
        };
        // A name is of three signs.
        let at = to - segment.len();
        let bars = &bars[bars.iter().take_while(|b| (**b as usize) < at).count()..];
        if bars.first() != Some(&(at as u32 + 3)) {
            return;
        }
        let (plan, more) = self.plans.of(name);
        let value = |number: u32| {
            let number = number as usize;
            let from = *bars.get(number - 1)? as usize + 1;
            Some((from, bars.get(number).map_or(to, |b| *b as usize)))
        };
        let d = self.delimiters;
        for (number, this) in plan {
            match value(*number) {
                None => return,
                Some(at) => repeats_of(*this, text, at, repeats, d, &mut self.values, reader),
            }
        }
        if more {
            let known = if plan.is_empty() { 0 } else { Plans::FIELDS };
            for number in known + 1..=bars.len() as u32 {
                let this = take(name, number);
                let at = value(number).unwrap_or((to, to));
                repeats_of(this, text, at, repeats, d, &mut self.values, reader);
            }
        }
    }

    /// A message begins with its header.
    fn begin(&mut self, header: &[u8], reader: &mut Reader<'_>) {
        self.values.end_message(self.delimiters, reader);
        let mut delimiters = self.delimiters;
        for (d, b) in delimiters.iter_mut().zip(header.iter().skip(3)) {
            *d = *b;
        }
        if delimiters != self.delimiters {
            self.values.look(self.delimiters, reader);
            self.delimiters = delimiters;
        }
    }

    /// Nothing follows.
    fn end(&mut self, reader: &mut Reader<'_>) {
        self.values.end_message(self.delimiters, reader);
        self.values.look(self.delimiters, reader);
    }
}

#[inline]
fn repeats_of(
    this: Take,
    text: &[u8],
    (from, to): (usize, usize),
    repeats: bool,
    d: [u8; 5],
    out: &mut Values,
    reader: &mut Reader<'_>,
) {
    if matches!(text[from..to], [] | [b'"', b'"']) {
        return;
    }
    if !repeats {
        return field_of(this, text, (from, to), d, out, reader);
    }
    let mut from = from;
    while from <= to {
        let end = runs::find(&text[..to], from, d[2]);
        field_of(this, text, (from, end), d, out, reader);
        from = end + 1;
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

/// What is taken of a field.
#[derive(Clone, Copy)]
enum Take {
    Nothing,
    /// A number with its authority.
    Number,
    /// A family name and given names.
    Names,
    /// The first part.
    First(Column),
    /// All of it, its parts as words.
    Plain(Column),
    /// As [`Take::Plain`]; by its data type one of a table, or a place (HL7 v2.5 §2A: ID, IS, CE, CWE, PL).
    Code(Column),
    /// That it is there.
    Sign(Column),
    /// The kind of a value.
    Kind,
}

/// What is taken of the fields of segments, kept: messages have few kinds of them.
#[derive(Default)]
struct Plans(Vec<Plan>);

struct Plan {
    /// Its three signs, the first lowest.
    name: u32,
    /// The fields something is taken of, by their numbers.
    fields: Vec<(u32, Take)>,
    /// [`take`] tells of those behind too.
    more: bool,
}

impl Plans {
    /// Fields a plan tells of; no one further on is named.
    const FIELDS: u32 = 64;
    /// Kinds of segments that are kept.
    const MOST: usize = 64;
    /// What is taken of the fields of a segment, and whether [`take`] tells of those behind the plan.
    fn of(&mut self, name: &[u8; 3]) -> (&[(u32, Take)], bool) {
        let [a, b, c] = *name;
        let sign = u32::from_le_bytes([a, b, c, 0]);
        let at = match self.0.iter().position(|p| p.name == sign) {
            Some(at) => at,
            None if self.0.len() < Plans::MOST => {
                let all = (1..=Plans::FIELDS).map(|n| (n, take(name, n)));
                self.0.push(Plan {
                    name: sign,
                    fields: all.filter(|t| !matches!(t.1, Take::Nothing)).collect(),
                    more: !matches!(take(name, Plans::FIELDS + 1), Take::Nothing),
                });
                self.0.len() - 1
            }
            None => return (&[], true),
        };
        self.0
            .get(at)
            .map_or((&[], true), |p| (&p.fields[..], p.more))
    }
}

fn field_of(
    this: Take,
    text: &[u8],
    (from, to): (usize, usize),
    d: [u8; 5],
    out: &mut Values,
    reader: &mut Reader<'_>,
) {
    let value = &text[..to];
    match this {
        Take::Nothing => {}
        Take::Number => {
            let mut ends = [to; 5];
            for k in 0..5 {
                let from = if k == 0 {
                    from
                } else {
                    (ends[k - 1] + 1).min(to)
                };
                ends[k] = runs::find(value, from, d[1]);
            }
            let part = |k: usize| &value[(ends[k - 1] + 1).min(to)..ends[k]];
            let nir = of_nir(part(3)) || matches!(part(4), b"INS" | b"NH" | b"INS-NIR" | b"INS-C");
            let column = if nir {
                field(Role::Nir, &[IdNir])
            } else {
                field(Role::Id, &[IdLocal])
            };
            out.put(column, text, (from, ends[0]));
        }
        Take::Names => {
            let first = runs::find(value, from, d[1]);
            let family = runs::find(&text[..first], from, d[4]);
            out.put(field(Role::Family, &[IdName]), text, (from, family));
            let from = (first + 1).min(to);
            let given = runs::find(value, from, d[1]);
            out.records.append(text, (from, given));
            out.records.bytes.push(b' ');
            let from = (given + 1).min(to);
            out.records
                .append(text, (from, runs::find(value, from, d[1])));
            out.records.done(field(Role::Given, &[IdName]));
        }
        Take::First(column) => out.put(column, text, (from, runs::find(value, from, d[1]))),
        Take::Sign(column) => out.records.put(column, b"x"),
        Take::Plain(column) => plain(column, text, (from, to), d, out),
        Take::Code(column) => out.code(column, text, (from, to), d, reader),
        Take::Kind => match &value[from..] {
            b"ED" | b"RP" => plain(field(Role::Other, &[FreeFile]), text, (from, to), d, out),
            b"TX" | b"FT" => plain(field(Role::Other, &[FreeText]), text, (from, to), d, out),
            _ => {}
        },
    }
}

fn plain(column: Column, text: &[u8], at: (usize, usize), d: [u8; 5], out: &mut Values) {
    let from = out.records.bytes.len();
    out.records.append(text, at);
    if !usual(d) {
        for b in &mut out.records.bytes[from..] {
            if *b == d[1] || *b == d[4] {
                *b = b' ';
            }
        }
    }
    out.records.done(column);
}

/// The fields by data-categories §3.2.
fn take(name: &[u8; 3], number: u32) -> Take {
    let plain = |c: &[Category]| Take::Plain(field(Role::Other, c));
    let code = |c: &[Category]| Take::Code(field(Role::Other, c));
    match (name, number) {
        (b"PID", 2..=4) | (b"MRG", 1 | 4) => Take::Number,
        (b"PID", 5 | 9) => Take::Names,
        (b"PID", 7) => Take::First(field(Role::Birth, &[IdDob])),
        (b"PID", 8) => code(&[IdSex]),
        (b"PID", 6 | 15 | 16 | 24 | 25 | 26 | 28) => plain(&[IdCivil]),
        (b"PID", 10 | 22) => code(&[SensOrigin]),
        (b"PID", 17) => code(&[SensReligion]),
        (b"PID", 11 | 12) => plain(&[ContactPostal]),
        (b"PID", 13 | 14 | 40) => plain(&[]),
        (b"PID", 18) => Take::First(field(Role::Other, &[IdLocal])),
        (b"PID", 19) => Take::First(field(Role::Nir, &[IdNir])),
        (b"PID", 20) => plain(&[IdDoc]),
        (b"PID", 23) => plain(&[IdBirthplace]),
        (b"PID", 29) => plain(&[IdDeath]),
        (b"PD1", 3 | 4) => plain(&[CarePro]),
        (b"NK1", 2) => plain(&[KinName]),
        // The relative's own number must not be taken for the patient's.
        (b"NK1", 4..=7 | 16) => Take::Sign(field(Role::Other, &[KinContact])),
        (b"PV1", 3 | 6 | 37 | 42) => code(&[CarePlace]),
        (b"PV1", 2 | 4 | 14 | 18) => code(&[CareReason]),
        (b"PV1", 7 | 8 | 9 | 17) => plain(&[CarePro]),
        (b"PV1", 10) => code(&[CareUnit]),
        (b"PV1", 19) => Take::First(field(Role::Other, &[IdLocal])),
        (b"PV1", 20) => code(&[FinBill]),
        (b"PV1", 36) => plain(&[HealthState]),
        (b"PV1", 44 | 45) => plain(&[CareDate]),
        (b"PV2", 3 | 12) => plain(&[CareReason]),
        (b"PV2", 8 | 9) => plain(&[CareDate]),
        (b"DG1" | b"DRG", 3 | 4) => Take::First(field(Role::Other, &[HealthState])),
        (b"AL1" | b"IAM", 3) => code(&[HealthAllergy]),
        (b"OBR" | b"ORC", 4) => code(&[HealthResult]),
        (b"OBR", 7 | 22) => plain(&[CareDate]),
        (b"OBR", 13 | 31) => plain(&[CareReason]),
        (b"OBR" | b"ORC", 10 | 12 | 16) => plain(&[CarePro]),
        (b"OBX", 2) => Take::Kind,
        (b"OBX", 3) => code(&[HealthResult]),
        (b"OBX", 5) => plain(&[HealthResult]),
        (b"OBX", 14) => plain(&[CareDate]),
        (b"NTE", 3) => plain(&[FreeText]),
        (b"RXO" | b"RXE" | b"RXD" | b"RXG", 1 | 2) => code(&[HealthDrug]),
        (b"RXA", 5) | (b"PR1", 3 | 4) => code(&[HealthAct]),
        (b"FT1", _) => plain(&[FinBill]),
        (b"IN1", 3..=5) | (b"IN1", 36) => plain(&[CoverRights]),
        (b"TXA", 2) => code(&[HealthDoc]),
        (b"SCH" | b"AIS" | b"AIG" | b"AIL" | b"AIP", 3 | 11) => plain(&[CareDate, CareUnit]),
        (b"ZBE", 2 | 7) => code(&[CarePlace]),
        (b"ZFP", _) => plain(&[SocLife]),
        (b"ZFD", _) => plain(&[IdCivil]),
        (b"ZFS", _) => plain(&[HealthVuln]),
        _ => Take::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{roster::Roster, whose::Knowledge};
    use proptest::prelude::*;

    /// What a message holds when its segments and fields are taken apart one by one, and every code is looked at.
    fn slowly(text: &[u8], d: [u8; 5], reader: &mut Reader<'_>) -> Values {
        let mut out = Values::default();
        for segment in text.split(|b| matches!(b, b'\r' | b'\n')) {
            let segment = segment.trim_ascii_start();
            let segment = segment.strip_prefix(b"\x0b").unwrap_or(segment);
            let mut parts = segment.split(|b| *b == d[0]);
            let name = parts.next().and_then(|n| <&[u8; 3]>::try_from(n).ok());
            let Some(name) = name else { continue };
            for (i, value) in parts.enumerate() {
                if value.is_empty() || value == b"\"\"" {
                    continue;
                }
                for repeat in value.split(|b| *b == d[2]) {
                    let this = take(name, i as u32 + 1);
                    let words: Vec<u8> = repeat
                        .iter()
                        .map(|b| if [d[1], d[4]].contains(b) { b' ' } else { *b })
                        .collect();
                    if let Take::Code(column) = this
                        && usual(d)
                        && repeat.len() <= CODE
                        && !repeat.is_empty()
                        && let Some(all) = reader.says(&words)
                    {
                        out.said = out.said.union(all).union(column.categories);
                        continue;
                    }
                    let from = out.records.bytes.len();
                    let this = match this {
                        Take::Code(column) => Take::Plain(column),
                        this => this,
                    };
                    field_of(this, repeat, (0, repeat.len()), d, &mut out, reader);
                    let all = matches!(this, Take::Plain(_) | Take::Kind) || usual(d);
                    let end = out.records.bytes.len().saturating_sub(1).max(from);
                    for b in &mut out.records.bytes[from..end] {
                        *b = if all && [d[1], d[4]].contains(b) {
                            b' '
                        } else {
                            *b
                        };
                    }
                }
            }
        }
        out
    }
    fn by_names(v: &Values, d: [u8; 5]) -> (Vec<Column>, Vec<u32>, String, CategorySet) {
        let one = |b: &u8| if usual(d) { blank(*b) } else { *b };
        let bytes = v.records.bytes.iter().map(one).collect();
        let (columns, ends) = v.records.parts();
        (columns, ends, String::from_utf8(bytes).unwrap(), v.said)
    }
    #[test]
    fn no_field_behind_a_plan_is_named() {
        for (name, from) in [(b"PID", 41), (b"PV1", 46), (b"IN1", 37), (b"OBX", 15)] {
            for n in from..200 {
                assert!(matches!(take(name, n), Take::Nothing));
            }
        }
    }
    proptest! {
        #[test]
        fn segments_taken_by_their_marks_are_those_one_by_one(
            text in "((PID|PV1|OBX|FT1|ZFP|NK1|P|XYZ1|DG1| AL1)([|^~&x1;]{0,9}|[|]{1,9}(nfs|ipp|cancer|12)|[|]{30,70}x|\"\"){0,4}[\r\n]{0,2}){0,12}",
            bar in prop::sample::select(b"||;x ".to_vec()),
            part in prop::sample::select(b"^^^\t1".to_vec()),
            repeat in prop::sample::select(b"~~|\r".to_vec()),
            capacity in 1usize..200,
        ) {
            let d = [bar, part, repeat, b'\\', b'&'];
            let k = Knowledge::new(Roster::builder().finish());
            let mut reader = Reader::new(&k, "x");
            let mut messages = Messages {
                values: Values::default(),
                plans: Plans::default(),
                delimiters: d,
                marks: runs::Marks::default(),
            };
            let mut input = io::BufReader::with_capacity(capacity, text.as_bytes());
            while messages.step(&mut input, &mut vec![], &mut reader).unwrap() {}
            let slow = slowly(text.as_bytes(), d, &mut reader);
            prop_assert_eq!(by_names(&messages.values, d), by_names(&slow, d));
        }
    }
}
