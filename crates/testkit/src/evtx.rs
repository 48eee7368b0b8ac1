//! Windows event log files (EVTX), written from nothing: the binary form of what the other writers say in XML.
//! Standard: MS-EVEN6 §2.2.12 (binary XML); file, chunk and record layout as Windows writes them since Vista. Times: UTC.
//!
//! Every shape of event is a template, as in files of Windows itself: the first record of a chunk that needs it carries its
//! definition, later ones point at it. Checksums are right, chunks are 64 KiB.

use std::collections::BTreeMap;

/// Nanoseconds UTC; hundreds of nanoseconds are kept.
type Nanos = i64;

/// One event. Values are written in the order given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    pub event_id: u16,
    /// `EventRecordID`.
    pub record_id: u64,
    /// UTC nanoseconds.
    pub time: Nanos,
    /// 0x8020000000000000 for a success of the audit, 0x8010000000000000 for a failure.
    pub keywords: u64,
    pub computer: String,
    /// `EventData`: name and value.
    pub data: Vec<(&'static str, String)>,
}

const CHUNK: usize = 65_536;
const CHUNK_HEADER: usize = 512;
/// Bytes before the first chunk.
pub const FILE_HEADER: usize = 4_096;
/// 1601-01-01 to 1970-01-01 in hundreds of nanoseconds.
const EPOCH: i64 = 116_444_736_000_000_000;
const PROVIDER: &str = "Microsoft-Windows-Security-Auditing";
const NAMESPACE: &str = "http://schemas.microsoft.com/win/2004/08/events/event";

/// A whole file.
pub fn file(records: &[Record]) -> Vec<u8> {
    let mut out = vec![0; FILE_HEADER];
    let mut writer = FileWriter::default();
    for r in records {
        writer.push(r, &mut out);
    }
    let header = writer.finish(&mut out);
    put(&mut out, 0, &header);
    out
}

/// A file written as its records come: one chunk is held, the rest has left.
#[derive(Default)]
pub struct FileWriter {
    chunk: Option<Chunk>,
    chunks: u64,
    /// Records of the chunks that left.
    records: u64,
}

impl FileWriter {
    /// The next record. A chunk that is full goes to the end of `out`; a header of [`FILE_HEADER`] bytes goes before the first.
    pub fn push(&mut self, r: &Record, out: &mut Vec<u8>) {
        let chunk = self.chunk.get_or_insert_with(Chunk::new);
        if chunk.push(r) {
            return;
        }
        self.leave(out);
        let chunk = self.chunk.insert(Chunk::new());
        assert!(chunk.push(r), "one record fills more than a chunk");
    }
    /// The last chunk, and the header, which says how many there are.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Vec<u8> {
        self.chunk.get_or_insert_with(Chunk::new);
        self.leave(out);
        let mut header = vec![0; FILE_HEADER];
        header[..8].copy_from_slice(b"ElfFile\0");
        put(&mut header, 16, &(self.chunks - 1).to_le_bytes());
        put(&mut header, 24, &(self.records + 1).to_le_bytes());
        put(&mut header, 32, &128u32.to_le_bytes());
        put(&mut header, 36, &1u16.to_le_bytes());
        put(&mut header, 38, &3u16.to_le_bytes());
        put(&mut header, 40, &(FILE_HEADER as u16).to_le_bytes());
        put(&mut header, 42, &(self.chunks as u16).to_le_bytes());
        let sum = crc(&[&header[..120]]);
        put(&mut header, 124, &sum.to_le_bytes());
        header
    }
    fn leave(&mut self, out: &mut Vec<u8>) {
        if let Some(chunk) = self.chunk.take() {
            let taken = chunk.taken;
            out.extend(chunk.finish(self.records + 1));
            self.records += taken;
            self.chunks += 1;
        }
    }
}

/// The same event as XML, one line, as `wevtutil` prints it.
pub fn xml(r: &Record) -> String {
    let mut out = format!(
        "<Event xmlns='{NAMESPACE}'><System><Provider Name='{PROVIDER}'/><EventID>{}</EventID><Keywords>{:#x}</Keywords>\
<TimeCreated SystemTime='{}'/><EventRecordID>{}</EventRecordID><Channel>Security</Channel><Computer>{}</Computer></System><EventData>",
        r.event_id,
        r.keywords,
        filetime_text(r.time),
        r.record_id,
        escape(&r.computer),
    );
    for (name, value) in &r.data {
        out.push_str(&format!("<Data Name='{name}'>{}</Data>", escape(value)));
    }
    out.push_str("</EventData></Event>");
    out
}

/// As Windows writes it: seven digits of the second.
fn filetime_text(t: Nanos) -> String {
    let whole = ampleur_event::time::rfc3339(t);
    let seconds = whole.get(..19).unwrap_or_default();
    format!("{seconds}.{:07}Z", t.rem_euclid(1_000_000_000) / 100)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// CRC-32 over parts put together.
fn crc(parts: &[&[u8]]) -> u32 {
    let mut c = flate2::Crc::new();
    for p in parts {
        c.update(p);
    }
    c.sum()
}

/// 64 KiB of records.
struct Chunk {
    writer: Writer,
    taken: u64,
    /// Place of the last record.
    last: usize,
    /// `EventRecordID` of the first and the last.
    ids: [u64; 2],
}

impl Chunk {
    fn new() -> Chunk {
        Chunk {
            writer: Writer {
                bytes: vec![0; CHUNK_HEADER],
                names: BTreeMap::new(),
                templates: BTreeMap::new(),
            },
            taken: 0,
            last: 0,
            ids: [0; 2],
        }
    }
    /// False when the record does not fit; the chunk is to be finished then.
    fn push(&mut self, r: &Record) -> bool {
        let at = self.writer.bytes.len();
        // The tables of names and templates are all a record changes of what stands before it.
        let mut header = [0; CHUNK_HEADER];
        header.copy_from_slice(&self.writer.bytes[..CHUNK_HEADER]);
        self.writer.record(r);
        if self.writer.bytes.len() > CHUNK {
            self.writer.bytes.truncate(at);
            put(&mut self.writer.bytes, 0, &header);
            return false;
        }
        if self.taken == 0 {
            self.ids[0] = r.record_id;
        }
        self.ids[1] = r.record_id;
        self.last = at;
        self.taken += 1;
        true
    }
    /// Its bytes; its first record is numbered `number` in the file.
    fn finish(self, number: u64) -> Vec<u8> {
        let mut out = self.writer.bytes;
        let free = out.len();
        out.resize(CHUNK, 0);
        put(&mut out, 0, b"ElfChnk\0");
        put(&mut out, 8, &number.to_le_bytes());
        put(
            &mut out,
            16,
            &(number + self.taken.max(1) - 1).to_le_bytes(),
        );
        put(&mut out, 24, &self.ids[0].to_le_bytes());
        put(&mut out, 32, &self.ids[1].to_le_bytes());
        put(&mut out, 40, &128u32.to_le_bytes());
        put(&mut out, 44, &(self.last as u32).to_le_bytes());
        put(&mut out, 48, &(free as u32).to_le_bytes());
        let sum = crc(&[&out[CHUNK_HEADER..free]]);
        put(&mut out, 52, &sum.to_le_bytes());
        let sum = crc(&[&out[..120], &out[128..CHUNK_HEADER]]);
        put(&mut out, 124, &sum.to_le_bytes());
        out
    }
}

struct Writer {
    bytes: Vec<u8>,
    /// Name → its place in the chunk.
    names: BTreeMap<&'static str, u32>,
    /// Shape of an event → its id and the place of its definition.
    templates: BTreeMap<Vec<&'static str>, (u32, u32)>,
}

impl Writer {
    fn u8(&mut self, v: u8) {
        self.bytes.push(v);
    }
    fn u16(&mut self, v: u16) {
        self.bytes.extend(v.to_le_bytes());
    }
    fn u32(&mut self, v: u32) {
        self.bytes.extend(v.to_le_bytes());
    }
    fn u64(&mut self, v: u64) {
        self.bytes.extend(v.to_le_bytes());
    }
    fn here(&self) -> u32 {
        self.bytes.len() as u32
    }
    /// A length known only later; filled by [`Writer::close`].
    fn open(&mut self) -> usize {
        self.u32(0);
        self.bytes.len()
    }
    fn close(&mut self, at: usize) {
        let n = (self.bytes.len() - at) as u32;
        put(&mut self.bytes, at - 4, &n.to_le_bytes());
    }
    fn text(&mut self, text: &str) {
        for unit in text.encode_utf16() {
            self.u16(unit);
        }
    }

    /// A reference to a name; its first use in a chunk carries the name and joins the chunk's table.
    fn name(&mut self, name: &'static str) {
        if let Some(at) = self.names.get(name) {
            let at = *at;
            return self.u32(at);
        }
        let at = self.here() + 4;
        self.u32(at);
        let hash = name
            .encode_utf16()
            .fold(0u32, |h, c| h.wrapping_mul(65_599).wrapping_add(c.into()));
        let hash = hash as u16;
        let bucket = 128 + usize::from(hash % 64) * 4;
        let mut next = [0; 4];
        next.copy_from_slice(&self.bytes[bucket..bucket + 4]);
        // The newest stands first in its list.
        self.bytes.extend(next);
        put(&mut self.bytes, bucket, &at.to_le_bytes());
        self.u16(hash);
        self.u16(name.encode_utf16().count() as u16);
        self.text(name);
        self.u16(0);
        self.names.insert(name, at);
    }

    /// `<name` with or without attributes, inside a definition.
    fn start(&mut self, name: &'static str, attributes: bool) -> usize {
        self.u8(if attributes { 0x41 } else { 0x01 });
        self.u16(u16::MAX);
        let at = self.open();
        self.name(name);
        at
    }
    fn value(&mut self, text: &str) {
        self.u8(0x05);
        self.u8(0x01);
        self.u16(text.encode_utf16().count() as u16);
        self.text(text);
    }
    fn attribute(&mut self, name: &'static str, value: impl FnOnce(&mut Writer)) {
        let list = self.open();
        self.u8(0x06);
        self.name(name);
        value(self);
        self.close(list);
    }
    fn substitution(&mut self, index: u16, kind: u8) {
        self.u8(0x0e);
        self.u16(index);
        self.u8(kind);
    }
    /// `<name>…</name>`.
    fn element(&mut self, name: &'static str, content: impl FnOnce(&mut Writer)) {
        let at = self.start(name, false);
        self.u8(0x02);
        content(self);
        self.u8(0x04);
        self.close(at);
    }
    /// `<name attribute="…"/>`.
    fn empty(
        &mut self,
        name: &'static str,
        attribute: &'static str,
        value: impl FnOnce(&mut Writer),
    ) {
        let at = self.start(name, true);
        self.attribute(attribute, value);
        self.u8(0x03);
        self.close(at);
    }

    /// The definition of a shape: values 0 to 4 are those of `System`, the rest `EventData`.
    fn definition(&mut self, names: &[&'static str]) {
        self.bytes.extend([0x0f, 1, 1, 0]);
        let event = self.start("Event", true);
        self.attribute("xmlns", |w| w.value(NAMESPACE));
        self.u8(0x02);
        self.element("System", |w| {
            w.empty("Provider", "Name", |w| w.value(PROVIDER));
            w.element("EventID", |w| w.substitution(0, UINT16));
            w.element("Keywords", |w| w.substitution(1, HEX64));
            w.empty("TimeCreated", "SystemTime", |w| w.substitution(2, FILETIME));
            w.element("EventRecordID", |w| w.substitution(3, UINT64));
            w.element("Channel", |w| w.value("Security"));
            w.element("Computer", |w| w.substitution(4, STRING));
        });
        self.element("EventData", |w| {
            for (i, name) in names.iter().enumerate() {
                let at = w.start("Data", true);
                w.attribute("Name", |w| w.value(name));
                w.u8(0x02);
                w.substitution(5 + i as u16, STRING);
                w.u8(0x04);
                w.close(at);
            }
        });
        self.u8(0x04);
        self.close(event);
        self.u8(0x00);
    }

    fn record(&mut self, r: &Record) {
        let begin = self.bytes.len();
        let filetime = (r.time.div_euclid(100) + EPOCH) as u64;
        self.bytes.extend([0x2a, 0x2a, 0, 0]);
        let size = self.bytes.len();
        self.u32(0);
        self.u64(r.record_id);
        self.u64(filetime);
        self.bytes.extend([0x0f, 1, 1, 0, 0x0c, 0x01]);
        let shape: Vec<&'static str> = r.data.iter().map(|d| d.0).collect();
        match self.templates.get(&shape).copied() {
            Some((id, at)) => {
                self.u32(id);
                self.u32(at);
            }
            None => {
                let id = 1 + self.templates.len() as u32;
                self.u32(id);
                let at = self.here() + 4;
                self.u32(at);
                let bucket = 384 + (id as usize % 32) * 4;
                let mut next = [0; 4];
                next.copy_from_slice(&self.bytes[bucket..bucket + 4]);
                self.bytes.extend(next);
                put(&mut self.bytes, bucket, &at.to_le_bytes());
                // The first four bytes of the identifier are the template's id.
                self.u32(id);
                self.bytes.extend([0x41; 12]);
                let length = self.open();
                self.definition(&shape);
                self.close(length);
                self.templates.insert(shape, (id, at));
            }
        }
        let utf16 = |t: &str| {
            t.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>()
        };
        let mut values: Vec<(u8, Vec<u8>)> = vec![
            (UINT16, r.event_id.to_le_bytes().into()),
            (HEX64, r.keywords.to_le_bytes().into()),
            (FILETIME, filetime.to_le_bytes().into()),
            (UINT64, r.record_id.to_le_bytes().into()),
            (STRING, utf16(&r.computer)),
        ];
        values.extend(r.data.iter().map(|d| (STRING, utf16(&d.1))));
        self.u32(values.len() as u32);
        for (kind, bytes) in &values {
            self.u16(bytes.len() as u16);
            self.u8(*kind);
            self.u8(0);
        }
        for (_, bytes) in values {
            self.bytes.extend(bytes);
        }
        self.u8(0x00);
        let n = (self.bytes.len() - begin + 4) as u32;
        put(&mut self.bytes, size, &n.to_le_bytes());
        self.u32(n);
    }
}

/// Types of values.
const STRING: u8 = 0x01;
const UINT16: u8 = 0x06;
const UINT64: u8 = 0x0a;
const FILETIME: u8 = 0x11;
const HEX64: u8 = 0x15;
