//! The systemd journal, whoever spoke in it: the text of each entry is read by the source that knows its program or its shape, the rest
//! is kept. Files as they lie (`/var/log/journal/*/*.journal`): the Journal File Format of systemd, regular and compact, with hashes of
//! either kind, values packed with xz, lz4 or zstd. What `journalctl` gives with `-o export` (Journal Export Formats) and `-o json`; of
//! the latter what no other source takes for its own.
//!
//! In a file an entry names its values by their places, and values lie before the first entry that has them. So it is read once, from
//! its beginning, and what entries may still name is kept. The record is the entry with all that was written since the one before; a
//! value an earlier entry had too is further up in the file.
use crate::{
    Capability, Confidence, Decode, Decoded, Head, Reason, Setting, Source, Standard, envelope,
    lines, mapped,
};
use ampleur_event::{Event, Verb, batch::NONE};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};
use std::io::Read;

pub(crate) struct SystemdJournal;

const SIGNATURE: &[u8; 8] = b"LPKSHHRH";
/// Bytes of the oldest header, and of what stands before each object.
const HEADER: usize = 208;
const OBJECT: usize = 16;
/// Kinds of objects.
const DATA: u8 = 1;
const ENTRY: u8 = 3;
const LAST_KIND: u8 = 7;
/// `incompatible_flags` of the header: objects name others with four bytes.
const COMPACT: u32 = 16;
/// Flags of an object: how its value is packed.
const XZ: u8 = 1;
const LZ4: u8 = 2;
const ZSTD: u8 = 4;
/// Longest value that is kept, longest entry that is read, and bytes of values kept at a time. Journal files are rotated at 128 MiB.
const VALUE: usize = 1 << 20;
const LONGEST: u64 = 1 << 20;
const KEPT: usize = 192 << 20;
/// What unpacking may take: KiB of xz, whose writer asks for its dictionary of 8 MiB whatever the value, and the window of zstd, a power
/// of two.
const XZ_KIB: u32 = 16 << 10;
const ZSTD_WINDOW: u32 = 23;
/// What a kept value takes beside its text, about.
const BESIDE: usize = 48;
/// What is said of an entry; all else in it is passed over.
const FIELDS: [&str; 7] = [
    "MESSAGE",
    "SYSLOG_IDENTIFIER",
    "_COMM",
    "SYSLOG_PID",
    "_PID",
    "_HOSTNAME",
    "_SOURCE_REALTIME_TIMESTAMP",
];
/// Those of [`FIELDS`] that many entries have in common.
const SHARED: std::ops::Range<u8> = 1..6;

impl Source for SystemdJournal {
    fn name(&self) -> &'static str {
        "systemd-journal"
    }
    fn about(&self) -> &'static str {
        "systemd journal: files as they lie (.journal), exports, JSON; each entry is read by the source that knows its program, the rest is kept"
    }
    fn standard(&self) -> Standard {
        Standard {
            name: "systemd Journal File Format, Journal Export Formats",
            section: "objects, fields",
        }
    }
    fn capability(&self) -> Capability {
        mapped::SyslogMixed.capability()
    }
    fn sniff(&self, head: &Head<'_>) -> Confidence {
        match Form::of(head.bytes) {
            Some(Form::File | Form::Export) => Confidence::Certain,
            Some(Form::Json) => Confidence::Maybe,
            None => Confidence::No,
        }
    }
    fn open(&self, head: &Head<'_>, setting: &Setting) -> Box<dyn Decode> {
        let nothing = Head {
            bytes: b"",
            whole: true,
        };
        let teller = Teller {
            inner: envelope::of_anything(setting),
            rest: mapped::SyslogMixed.open(&nothing, setting),
        };
        match Form::of(head.bytes) {
            Some(Form::Json) => Box::new(Json { teller }),
            Some(Form::Export) => Box::new(Export { teller }),
            _ => Box::new(Decoder {
                teller,
                compact: None,
                at: 0,
                over: 0,
                begun: 0,
                damaged: 0,
                missing: 0,
                hurt: false,
                values: FxHashMap::default(),
                kept: 0,
            }),
        }
    }
}

enum Form {
    File,
    Export,
    Json,
}

impl Form {
    fn of(head: &[u8]) -> Option<Form> {
        let has = |words: &str| memchr::memmem::find(head, words.as_bytes()).is_some();
        match head.trim_ascii_start() {
            b if head.starts_with(SIGNATURE) || b.starts_with(SIGNATURE) => Some(Form::File),
            b if b.starts_with(b"__CURSOR=") || b.starts_with(b"__REALTIME_TIMESTAMP=") => {
                Some(Form::Export)
            }
            [b'{', ..] if has("\"__REALTIME_TIMESTAMP\"") && has("\"MESSAGE\"") => Some(Form::Json),
            _ => None,
        }
    }
}

/// What the text of an entry tells.
struct Teller {
    inner: Box<dyn Decode>,
    rest: Box<dyn Decode>,
}

impl Teller {
    /// An entry that lies at `place` of the file, for `len`.
    fn tell(&mut self, said: &Map<String, Value>, (place, len): (u64, u64), out: &mut Decoded) {
        let text = |field: &str| said.get(field).and_then(Value::as_str).unwrap_or_default();
        if text("MESSAGE").is_empty() {
            return at_place(place, out, |out, at| {
                out.refuse(b"", at, len as usize, Reason::Field("MESSAGE"), None);
            });
        }
        // An entry is one text, however many lines it has: as rsyslog writes it.
        let message = text("MESSAGE").replace('\n', "#012");
        let program = match text("SYSLOG_IDENTIFIER") {
            "" => text("_COMM"),
            program => program,
        };
        let mut carrier = said.clone();
        carrier.insert("MESSAGE".into(), message.as_str().into());
        carrier.insert("SYSLOG_IDENTIFIER".into(), program.into());
        let line = Value::Object(carrier).to_string() + "\n";
        let mut found = Decoded::default();
        self.inner.decode(line.as_bytes(), true, &mut found);
        self.inner.finish(&mut found);
        if found.event_count == 0 {
            let at = envelope::moment(text("__REALTIME_TIMESTAMP"), true);
            let word = |v: &str| match v.contains(char::is_whitespace) || v.is_empty() {
                true => "-".to_string(),
                false => v.to_string(),
            };
            let line = format!(
                "<14>1 {} {} {} {} - - {message}\n",
                at.unwrap_or("-".into()),
                word(text("_HOSTNAME")),
                word(program),
                word(text("_PID")),
            );
            found = Decoded::default();
            self.rest.decode(line.as_bytes(), true, &mut found);
            self.rest.finish(&mut found);
        }
        let name = |e: &mut Event<'_>| {
            if e.verb == Verb::Other && e.process.is_empty() {
                e.process = program.to_string().into();
                e.pid = text("_PID").parse().unwrap_or(NONE);
            }
        };
        at_place(place, out, |out, at| {
            out.carried(&found, (b"", at, len as usize), name)
        });
    }
}

/// Gives `out` a record by its place in the file, which may lie before the bytes at hand.
fn at_place(place: u64, out: &mut Decoded, give: impl FnOnce(&mut Decoded, usize)) {
    let base = std::mem::take(&mut out.base);
    give(out, place as usize);
    out.base = base;
}

/// `journalctl -o json`: an object a line. A value that is no text is a list of its bytes, one that came twice a list of texts.
struct Json {
    teller: Teller,
}

impl Decode for Json {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        lines::each(bytes, last, out, |line, at, len, finished, out| {
            let Ok(mut object) = serde_json::from_slice::<Map<String, Value>>(line) else {
                let reason = if finished {
                    Reason::Shape
                } else {
                    Reason::Truncated
                };
                return out.reject(bytes, at, len, reason);
            };
            let mut said = Map::new();
            for field in FIELDS.into_iter().chain(["__REALTIME_TIMESTAMP"]) {
                let text = match object.remove(field) {
                    Some(Value::Array(list)) => {
                        let byte = |v: &Value| u8::try_from(v.as_u64()?).ok();
                        let raw: Option<Vec<u8>> = list.iter().map(byte).collect();
                        let raw = raw.map(|r| String::from_utf8_lossy(&r).into_owned().into());
                        raw.or_else(|| list.into_iter().next())
                    }
                    other => other,
                };
                if let Some(text @ Value::String(_)) = text {
                    said.insert(field.into(), text);
                }
            }
            let place = out.base + at as u64;
            self.teller.tell(&said, (place, len as u64), out);
        })
    }
}

/// `journalctl -o export`: a field a line, an empty line behind each entry. A value that is no plain text stands behind its length, eight
/// bytes, little-endian.
struct Export {
    teller: Teller,
}

/// One entry of an export.
enum Entry {
    /// With the bytes it takes, the empty line behind it included.
    Whole(Map<String, Value>, usize),
    /// It goes on behind these bytes.
    Open,
    Bad,
}

impl Entry {
    fn of(bytes: &[u8]) -> Entry {
        let mut said = Map::new();
        let (mut at, mut pointed) = (0, false);
        loop {
            let begin = at;
            let Some(end) = memchr::memchr(b'\n', &bytes[at..]).map(|n| at + n) else {
                return Entry::Open;
            };
            let line = &bytes[at..end];
            at = end + 1;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                return Entry::Whole(said, at);
            }
            let (name, text) = match memchr::memchr(b'=', line) {
                Some(cut) => (&line[..cut], &line[cut + 1..]),
                None => {
                    let Some(len) = bytes.get(at..at + 8).map(|b| eight(b, 0)) else {
                        return Entry::Open;
                    };
                    if len > VALUE as u64 {
                        return Entry::Bad;
                    }
                    let (from, to) = (at + 8, at + 8 + len as usize);
                    match bytes.get(to) {
                        Some(b'\n') => at = to + 1,
                        Some(_) => return Entry::Bad,
                        None => return Entry::Open,
                    }
                    (line, &bytes[from..to])
                }
            };
            // The next entry, behind one that lost its empty line.
            let cursor = name == b"__CURSOR" && std::mem::replace(&mut pointed, true);
            let time = name == b"__REALTIME_TIMESTAMP" && said.contains_key("__REALTIME_TIMESTAMP");
            if cursor || time {
                return Entry::Whole(said, begin);
            }
            let fields = FIELDS.into_iter().chain(["__REALTIME_TIMESTAMP"]);
            if let Some(field) = { fields }.find(|f| f.as_bytes() == name) {
                said.insert(field.into(), String::from_utf8_lossy(text).into());
            }
        }
    }
}

impl Decode for Export {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            if let [b'\n', ..] | [b'\r', b'\n', ..] = bytes[at..] {
                out.skip();
                at += if bytes[at] == b'\n' { 1 } else { 2 };
                continue;
            }
            let (len, reason) = match Entry::of(&bytes[at..]) {
                Entry::Whole(said, len) => {
                    let place = out.base + at as u64;
                    self.teller.tell(&said, (place, len as u64), out);
                    at += len;
                    continue;
                }
                Entry::Open if !last => return at,
                // What follows may be whole again behind the next empty line.
                entry => match (memchr::memmem::find(&bytes[at..], b"\n\n"), entry) {
                    (Some(n), _) => (n + 2, Reason::Damaged),
                    (None, Entry::Open) => (bytes.len() - at, Reason::Truncated),
                    (None, _) if !last && ((bytes.len() - at) as u64) < LONGEST => return at,
                    (None, _) => (bytes.len() - at, Reason::Damaged),
                },
            };
            out.reject(bytes, at, len, reason);
            at += len;
        }
        at
    }
}

/// A file as it lies.
struct Decoder {
    teller: Teller,
    /// How entries name values; `None` before the header was read.
    compact: Option<bool>,
    /// Place in the file of the next byte.
    at: u64,
    /// Bytes still to be passed over.
    over: u64,
    /// Where the record begins that the next entry ends.
    begun: u64,
    /// Bytes before `at` that are no object.
    damaged: u64,
    /// Entries the header counts and no object was one of yet.
    missing: u64,
    /// Something was told to be damaged or cut.
    hurt: bool,
    /// Values by the places of their objects: which of [`FIELDS`], and the text.
    values: FxHashMap<u64, (u8, Box<str>)>,
    kept: usize,
}

fn four(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..).and_then(|b| b.first_chunk());
    four.map_or(0, |b| u32::from_le_bytes(*b))
}
fn eight(bytes: &[u8], at: usize) -> u64 {
    let eight = bytes.get(at..).and_then(|b| b.first_chunk());
    eight.map_or(0, |b| u64::from_le_bytes(*b))
}

/// The kind and the length in bytes of the object that begins here; `None` where none does. No entry has so many values as to be long.
fn object(bytes: &[u8]) -> Option<(u8, u64)> {
    let (kind, size) = (bytes[0], eight(bytes, 8));
    let plain = (1..=LAST_KIND).contains(&kind) && bytes[1] <= (XZ | LZ4 | ZSTD);
    let quiet = bytes[2..8] == [0; 6];
    let most = if kind == ENTRY { LONGEST } else { 1 << 40 };
    (plain && quiet && (24..=most).contains(&size)).then_some((kind, size))
}

/// What was packed; `None` where it is damaged, longer than a value may be, or asks for more memory than that takes.
fn unpacked(flags: u8, value: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![];
    match flags {
        0 => out.extend_from_slice(value),
        XZ => {
            let xz = lzma_rust2::XzReader::new_mem_limit(value, false, XZ_KIB);
            xz.take(VALUE as u64 + 1).read_to_end(&mut out).ok()?;
        }
        LZ4 => {
            let len = eight(value, 0);
            if len > VALUE as u64 {
                return None;
            }
            out = lz4_flex::block::decompress(value.get(8..)?, len as usize).ok()?;
        }
        ZSTD => {
            let mut zstd = zstd::stream::read::Decoder::new(value).ok()?;
            zstd.window_log_max(ZSTD_WINDOW).ok()?;
            zstd.take(VALUE as u64 + 1).read_to_end(&mut out).ok()?;
        }
        _ => return None,
    }
    (out.len() <= VALUE).then_some(out)
}

impl Decoder {
    /// Keeps the value of a `DATA` object that lies at `place`.
    fn keep(&mut self, place: u64, object: &[u8]) {
        let from = if self.compact == Some(true) { 72 } else { 64 };
        let Some(value) = object.get(from..).and_then(|v| unpacked(object[1], v)) else {
            return;
        };
        let Some(cut) = memchr::memchr(b'=', &value) else {
            return;
        };
        let (name, text) = (&value[..cut], &value[cut + 1..]);
        let Some(field) = FIELDS.iter().position(|f| f.as_bytes() == name) else {
            return;
        };
        if self.kept > KEPT {
            // Who speaks is said once and named ever after, unless somebody made it up. An entry whose text is gone is told to be
            // undecodable.
            self.values.retain(|_, (field, _)| SHARED.contains(field));
            self.kept = self.values.values().map(|v| v.1.len() + BESIDE).sum();
            if self.kept > KEPT / 2 {
                self.values.clear();
                self.kept = 0;
            }
        }
        self.kept += text.len() + BESIDE;
        let text = String::from_utf8_lossy(text).into();
        self.values.insert(place, (field as u8, text));
    }
    /// What an `ENTRY` object says, as the journal's own export to JSON has it.
    fn said(&self, entry: &[u8]) -> Map<String, Value> {
        let mut said = Map::new();
        said.insert(
            "__REALTIME_TIMESTAMP".into(),
            eight(entry, 24).to_string().into(),
        );
        let items = &entry[64.min(entry.len())..];
        let mut name = |place: u64| {
            if let Some((field, text)) = self.values.get(&place) {
                let field = FIELDS[usize::from(*field)];
                said.insert(field.into(), Value::from(&**text));
            }
        };
        if self.compact == Some(true) {
            let places = items.as_chunks().0.iter();
            places.for_each(|p| name(u64::from(u32::from_le_bytes(*p))));
        } else {
            let places = items.as_chunks::<16>().0.iter();
            places.for_each(|item| name(eight(item, 0)));
        }
        said
    }
    /// An entry, its object at `self.at`.
    fn entry(&mut self, object: &[u8], out: &mut Decoded) {
        let end = self.at + object.len() as u64;
        let (begun, size) = (self.begun, end - self.begun);
        self.begun = end;
        self.missing = self.missing.saturating_sub(1);
        let said = self.said(object);
        self.teller.tell(&said, (begun, size), out);
    }
    /// One reject for what is no object before the one at `self.at`.
    fn end_damage(&mut self, out: &mut Decoded) {
        if self.damaged > 0 {
            let len = std::mem::take(&mut self.damaged);
            at_place(self.at - len, out, |out, at| {
                out.refuse(b"", at, len as usize, Reason::Damaged, None);
            });
            self.begun = self.at;
            self.hurt = true;
        }
    }
    /// One reject for what lies behind the last entry.
    fn rest_is(&mut self, reason: Reason, out: &mut Decoded) {
        // The header itself may be cut.
        let from = if self.begun > self.at { 0 } else { self.begun };
        let len = (self.at - from) as usize;
        at_place(from, out, |out, at| out.refuse(b"", at, len, reason, None));
    }
}

impl Decode for Decoder {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            if self.over > 0 {
                let n = self.over.min(rest.len() as u64);
                self.over -= n;
                self.at += n;
                at += n as usize;
                if self.over == 0 {
                    continue;
                }
                if last {
                    self.hurt = true;
                    self.rest_is(Reason::Truncated, out);
                }
                return at;
            }
            if self.compact.is_none() {
                if rest.len() < HEADER {
                    if last && !rest.is_empty() {
                        out.reject(bytes, at, rest.len(), Reason::Truncated);
                        return bytes.len();
                    }
                    return at;
                }
                self.compact = Some(four(rest, 12) & COMPACT > 0);
                self.missing = eight(rest, 152);
                self.over = eight(rest, 88).clamp(HEADER as u64, 1 << 16);
                self.begun = self.over;
                continue;
            }
            if rest.len() < OBJECT {
                if last {
                    // Less than any object; places that were not written yet are zero.
                    self.at += rest.len() as u64;
                    if rest.iter().any(|b| *b != 0) {
                        self.damaged += rest.len() as u64;
                    }
                    self.end_damage(out);
                    if self.missing > 0 && !self.hurt {
                        // Some length led past them.
                        self.rest_is(Reason::Damaged, out);
                    }
                    return bytes.len();
                }
                return at;
            }
            let Some((kind, size)) = object(rest) else {
                // Objects begin at every eighth byte.
                let (eight, _) = rest.split_at(8);
                if self.damaged > 0 || eight.iter().any(|b| *b != 0) {
                    self.damaged += 8;
                }
                self.at += 8;
                at += 8;
                if self.damaged >= LONGEST {
                    self.end_damage(out);
                }
                continue;
            };
            self.end_damage(out);
            let padded = size.next_multiple_of(8);
            if kind != ENTRY && (kind != DATA || size > VALUE as u64) {
                self.over = padded;
                continue;
            }
            let size = size as usize;
            if rest.len() < size {
                if !last {
                    return at;
                }
                out.reject(bytes, at, rest.len(), Reason::Truncated);
                return bytes.len();
            }
            match kind {
                DATA => self.keep(self.at, &rest[..size]),
                _ => self.entry(&rest[..size], out),
            }
            self.over = padded;
        }
    }
}

#[cfg(test)]
mod tests;
