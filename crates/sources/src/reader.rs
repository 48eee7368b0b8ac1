//! Reading files: compression, encoding and format are found from the content, decoders are driven over bounded blocks, and
//! every byte and record is accounted for (EV-1).
//!
//! Offsets and lengths of events and rejects are those of the decompressed file as received, also when the text was UTF-16.
use crate::{
    Confidence, Decode, Decoded, Head, Reason, Reject, SOURCES, Setting, Source,
    case::{Case, FileId},
    elements, envelope, lines, speakers, tables,
};
use ampleur_event::{
    EventBatch, invariant,
    time::{NO_TIME, Nanos},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    fs::File,
    io::{self, BufReader, Cursor, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
};

/// Bytes looked at to tell formats apart.
pub const HEAD_BYTES: usize = 64 * 1024;

/// Caps on hostile or huge input.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes decoded at a time; about one batch of events. Memory per open file is about twice this, for each of [`FileSink::hands`],
    /// plus the longest record.
    pub block_bytes: usize,
    /// A record longer than this is a reject, and reading goes on at the next line end.
    pub record_bytes: usize,
    /// Decompressed bytes of one file; what would follow is one reject.
    pub decompressed_bytes: u64,
    /// Decompressed ÷ compressed bytes, looked at after the first 64 MiB. Deflate cannot exceed 1032.
    pub ratio: u64,
    /// Rejects kept in [`FileReport::reject_list`]; all are counted and all pass through the sink.
    pub rejects_kept: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            block_bytes: 1024 * 1024,
            record_bytes: 16 * 1024 * 1024,
            decompressed_bytes: 1 << 40,
            ratio: 2000,
            rejects_kept: 10_000,
        }
    }
}

/// Decoded records together with the bytes they came from. Pieces are consecutive: their `bytes` put together are the
/// decompressed file.
pub struct Piece<'a> {
    pub file: FileId,
    /// Offset of `bytes` in the decompressed file.
    pub offset: u64,
    /// As received, decompressed; the sink may take them with [`std::mem::swap`] for memory to read into.
    pub bytes: &'a mut Vec<u8>,
    /// Events of these bytes in file order, about 8192 or fewer; the sink may take them with [`std::mem::take`]. The start of a
    /// record longer than the limit, and of a record held back by its decoder, can lie in an earlier piece.
    pub events: &'a mut EventBatch,
    pub rejects: &'a [Reject],
    /// Bytes of the file as it lies there (compressed) that were read so far: how far the reading is.
    pub read: u64,
}

/// An error of the receiver of pieces.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Receives what a file holds.
pub trait FileSink {
    /// Called once before the first piece, with the source that claims the file.
    fn begin(
        &mut self,
        _file: FileId,
        _source: Option<&'static dyn Source>,
    ) -> Result<(), SinkError> {
        Ok(())
    }
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), SinkError>;
    /// How many parts of one file may be decoded at once. What is handed out does not depend on it.
    fn hands(&self) -> usize {
        1
    }
    /// Has it done by and by, beside whatever was given before.
    fn soon(&mut self, job: Job) {
        job();
    }
    /// Returns when a job given before is done, which is when `done` says so: whoever has other work may do it meanwhile. What is done
    /// at once needs nobody to wait.
    fn idle(&mut self, done: &mut dyn FnMut() -> bool) {
        done();
    }
}

/// Part of a file to be decoded.
pub type Job = Box<dyn FnOnce() + Send>;

/// Parts of one file decoded at once, at most: memory grows with them.
const MOST_PARTS: usize = 8;
/// Parts given out beyond those that can be decoded at once: whoever is done with one finds another.
const AHEAD: usize = 2;
/// A file of which parts were decoded in vain so often is decoded in one go.
const MISSES: u32 = 4;

/// Keeps everything in memory: for tests, small files and `decode`.
#[derive(Debug, Default)]
pub struct Collect {
    pub events: Vec<ampleur_event::Event<'static>>,
    pub rejects: Vec<Reject>,
    pub bytes: Vec<u8>,
}

impl FileSink for Collect {
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), SinkError> {
        self.events
            .extend(piece.events.iter().map(|e| e.into_owned()));
        self.rejects.extend_from_slice(piece.rejects);
        self.bytes.append(piece.bytes);
        Ok(())
    }
}

/// What reading a file gave. records = events + rejects + skipped.
#[derive(Debug, Clone)]
pub struct FileReport {
    pub file: FileId,
    /// Name of the source, or `unknown`.
    pub format: &'static str,
    pub records: u64,
    pub events: u64,
    pub rejects: u64,
    pub skipped: u64,
    /// Decompressed bytes read.
    pub bytes: u64,
    /// Earliest and latest event time; [`NO_TIME`] without any.
    pub from: Nanos,
    pub to: Nanos,
    /// The first [`Limits::rejects_kept`] rejects.
    pub reject_list: Vec<Reject>,
    /// What an operator should know: damage, caps, encodings.
    pub notes: Vec<String>,
    /// Reading ended before the file did: it is damaged, too large when unpacked, or could not be read any further.
    pub cut_short: bool,
}

/// Why a file could not be read at all. Damage inside a compressed file is a reject, not an error.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("open {}: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("read {} at byte {offset}: {source}", path.display())]
    Read {
        path: PathBuf,
        offset: u64,
        source: io::Error,
    },
    #[error("keep {} at byte {offset}: {source}", path.display())]
    Sink {
        path: PathBuf,
        offset: u64,
        source: SinkError,
    },
    #[error("no file {0} in this case")]
    NoFile(FileId),
}

/// Reads one file of a case through to `sink`.
///
/// Errors: the file cannot be opened or read, or the sink refuses. Everything else is in the report.
pub fn read_file(
    case: &Case,
    file: FileId,
    limits: &Limits,
    sink: &mut dyn FileSink,
) -> Result<FileReport, ReadError> {
    let (path, setting) = (path_of(case, file)?, case.setting(file));
    let engine = Engine::new(path, file, &setting, limits, sink);
    engine.of_case(case).opened(case.format_of(file))
}

fn path_of(case: &Case, file: FileId) -> Result<&Path, ReadError> {
    let entry = case.files.get(file as usize);
    entry
        .map(|f| f.path.as_path())
        .ok_or(ReadError::NoFile(file))
}

/// As [`read_file`], but a file that cannot be opened or read to its end is damage the report tells of, as a broken archive is: the
/// other files go on.
///
/// # Errors
/// The sink refuses, or there is no such file in the case.
pub fn read_what_can_be_read(
    case: &Case,
    file: FileId,
    limits: &Limits,
    sink: &mut dyn FileSink,
) -> Result<FileReport, ReadError> {
    let path = path_of(case, file)?;
    let more = Arc::<AtomicBool>::default();
    let opened = File::open(path).and_then(|f| unpack(f, limits, Some(&more)));
    let (stream, packed) = opened.unwrap_or_else(|e| (Box::new(Broken(Some(e))), None));
    let setting = case.setting(file);
    let mut engine = Engine::new(path, file, &setting, limits, sink).of_case(case);
    engine.packed = packed;
    engine.more = more;
    engine.goes_on = true;
    engine.run(stream, case.format_of(file))
}

/// Reads a file that need not be in a case. `format` is the source to use; `None` sniffs.
pub fn read_path(
    path: &Path,
    file: FileId,
    format: Option<&'static dyn Source>,
    setting: &Setting,
    limits: &Limits,
    sink: &mut dyn FileSink,
) -> Result<FileReport, ReadError> {
    Engine::new(path, file, setting, limits, sink).opened(format)
}

/// Reads bytes held in memory, as if they were a file without compression.
pub fn read_bytes(
    bytes: &[u8],
    file: FileId,
    format: Option<&'static dyn Source>,
    setting: &Setting,
    limits: &Limits,
    sink: &mut dyn FileSink,
) -> Result<FileReport, ReadError> {
    Engine::new(Path::new("memory"), file, setting, limits, sink)
        .run(Box::new(Cursor::new(bytes)), format)
}

/// Opens a file for plain reading through its compression, capped by `limits`; for identities, inventories and leak lists.
/// A byte-order mark is left in place.
pub fn open(path: &Path, limits: &Limits) -> io::Result<Box<dyn Read + Send>> {
    Ok(unpack(File::open(path)?, limits, None)?.0)
}

/// Decodes bytes held in memory with one source in one piece.
pub fn decode_bytes(source: &dyn Source, bytes: &[u8], setting: &Setting) -> Decoded {
    decode_cut(source, bytes, setting, &[])
}

/// The same, the input arriving in the pieces that `cuts` (rising offsets) make of it.
pub fn decode_cut(source: &dyn Source, bytes: &[u8], setting: &Setting, cuts: &[usize]) -> Decoded {
    let head = Head {
        bytes: &bytes[..bytes.len().min(HEAD_BYTES)],
        whole: bytes.len() <= HEAD_BYTES,
    };
    let mut decoder = source.open(&head, setting);
    let mut out = Decoded::default();
    let mut from = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let end = end.min(bytes.len());
        let last = end == bytes.len();
        while from < end {
            out.base = from as u64;
            let taken = decoder
                .decode(&bytes[from..end], last, &mut out)
                .min(end - from);
            from += taken;
            if taken == 0 {
                break;
            }
        }
        if last {
            break;
        }
    }
    if from < bytes.len() {
        out.base = from as u64;
        out.reject(&bytes[from..], 0, bytes.len() - from, Reason::Truncated);
    }
    out.base = bytes.len() as u64;
    decoder.finish(&mut out);
    invariant::check(out.balanced(), invariant::EV_1, source.name());
    out
}

/// The source that claims these first bytes: the highest confidence wins, order in [`SOURCES`] breaks ties.
pub fn sniff(head: &Head<'_>) -> Option<&'static dyn Source> {
    sniff_with(head, &[]).map(|b| b.1)
}

/// The source that reads these first bytes, `format` if it is given, and its decoder. Whoever carried the lines may have put each into
/// an object of its own: then that is opened first.
pub(crate) fn claim(
    head: &Head<'_>,
    setting: &Setting,
    format: Option<&'static dyn Source>,
) -> Option<(&'static dyn Source, Box<dyn Decode>)> {
    let claimed = outright(head, setting, format);
    // Some sources read arrays and tables themselves; the one that understands more of the first bytes is taken.
    for unpack in [elements::open, tables::open] {
        let Some((s, parts)) = unpack(head, setting, format) else {
            continue;
        };
        let own = claimed.map(|(_, s)| understood(&mut *s.open(head, setting), head));
        let (_, mut again) = unpack(head, setting, format)?;
        if own.is_none_or(|own| own < understood(&mut *again, head)) {
            return Some((s, parts));
        }
    }
    by_lines(head, setting, format, claimed)
}

/// The same of lines, or values of JSON, that are neither a table nor in an array.
pub(crate) fn claim_lines(
    head: &Head<'_>,
    setting: &Setting,
    format: Option<&'static dyn Source>,
) -> Option<(&'static dyn Source, Box<dyn Decode>)> {
    by_lines(head, setting, format, outright(head, setting, format))
}

type Claimed = Option<(Confidence, &'static dyn Source)>;

/// Who reads these bytes as they are.
fn outright(head: &Head<'_>, setting: &Setting, format: Option<&'static dyn Source>) -> Claimed {
    match format {
        Some(s) => Some((s.sniff(head), s)),
        None => sniff_with(head, &setting.mappings).map(|c| speakers::shared(head, setting, c)),
    }
}

fn by_lines(
    head: &Head<'_>,
    setting: &Setting,
    format: Option<&'static dyn Source>,
    claimed: Claimed,
) -> Option<(&'static dyn Source, Box<dyn Decode>)> {
    let plain = claimed.map(|(sure, s)| (sure, s, s.open(head, setting)));
    let carried = envelope::open(head, setting, format);
    let (plain, carried) = match (plain, carried) {
        (Some(p), Some(c)) => (p, c),
        (Some((_, s, decoder)), None) => {
            if format.is_none() && reads_nothing(s, head, setting) {
                let others = SOURCES.iter().copied().filter(|o| o.name() != s.name());
                let claims = others.filter(|o| o.sniff(head) > Confidence::No);
                let other = { claims }.find(|o| !reads_nothing(*o, head, setting));
                if let Some(o) = other {
                    return Some((o, o.open(head, setting)));
                }
            }
            return Some((s, speakers::listen(head, setting, s, decoder)));
        }
        (None, c) => return c.map(|c| (c.source, c.decoder)),
    };
    // Both ways are tried on the first lines; the one that understands more is taken.
    let sample: Vec<u8> = lines::sample(head)
        .flat_map(|l| [l, b"\n"].concat())
        .collect();
    let told = |decoder: &mut dyn Decode| {
        let mut out = Decoded::default();
        decoder.decode(&sample, true, &mut out);
        decoder.finish(&mut out);
        (envelope::tells(&out), out.reject_count)
    };
    let (sure, source, decoder) = plain;
    let own = source.open(head, setting);
    let (outer, outer_left) = told(&mut *speakers::listen(head, setting, source, own));
    let (inner, inner_left) = told(&mut *envelope::open(head, setting, format)?.decoder);
    let inside = match outer.cmp(&inner) {
        std::cmp::Ordering::Less => true,
        std::cmp::Ordering::Greater => false,
        // Words of a product found inside an object belong to the line in it. A layout the operator wrote down is that of the line, and
        // of what looks like a header when it says the time itself.
        std::cmp::Ordering::Equal => {
            let same = source.name() == carried.source.name();
            (carried.objects && (same || sure <= Confidence::Maybe))
                || (same && setting.layout.as_deref().is_some_and(|l| !begins_with_time(l)))
                // Each header was taken for a record of its own.
                || (same && outer_left as usize >= outer.max(1) && inner_left * 4 < outer_left)
        }
    };
    Some(if inside {
        (carried.source, carried.decoder)
    } else {
        (source, speakers::listen(head, setting, source, decoder))
    })
}

/// A layout whose lines begin with their time, as a header does.
fn begins_with_time(layout: &str) -> bool {
    let first = layout.find('%').map_or("", |i| &layout[i..]);
    ["%t", "%m", "%n"]
        .iter()
        .any(|time| first.starts_with(time))
}

/// A claim on records of which the decoder reads none.
fn reads_nothing(source: &dyn Source, head: &Head<'_>, setting: &Setting) -> bool {
    let mut out = Decoded::default();
    let mut decoder = source.open(head, setting);
    decoder.decode(head.bytes, head.whole, &mut out);
    out.event_count == 0 && out.reject_count > 0
}

/// A day on which a source wrote nothing but its rare lines is no file of an unknown format: it is read as the files beside it, where that
/// makes sense of most of its first bytes.
fn as_neighbours(
    case: &Case,
    file: FileId,
    head: &Head<'_>,
    setting: &Setting,
    limits: &Limits,
) -> Option<(&'static dyn Source, Box<dyn Decode>)> {
    let files = &case
        .sources
        .get(case.files.get(file as usize)?.source as usize)?
        .files;
    let at = files.iter().position(|f| *f == file)?;
    let near = [
        at.checked_sub(1),
        Some(at + 1),
        at.checked_sub(2),
        Some(at + 2),
    ];
    let near = near.into_iter().flatten().filter_map(|i| files.get(i));
    let mut known: Vec<&'static dyn Source> = vec![];
    for f in near {
        let mut bytes = vec![];
        let opened = open(&case.files[*f as usize].path, limits);
        let read = opened.and_then(|o| o.take(HEAD_BYTES as u64).read_to_end(&mut bytes));
        let whole = read.is_ok_and(|n| n < HEAD_BYTES);
        let its = Head {
            bytes: &bytes,
            whole,
        };
        if let Some((s, _)) = claim(&its, setting, None)
            && known.iter().all(|k| k.name() != s.name())
        {
            known.push(s);
        }
    }
    let makes_sense = |s: &&'static dyn Source| {
        let mut out = Decoded::default();
        let Some((_, mut decoder)) = claim(head, setting, Some(*s)) else {
            return false;
        };
        decoder.decode(head.bytes, head.whole, &mut out);
        let told = envelope::tells(&out) as u64;
        told > 0 && told * 2 >= out.event_count + out.reject_count
    };
    let source = known.into_iter().find(makes_sense)?;
    claim(head, setting, Some(source))
}

/// How much of the first bytes a decoder understands, and what it does not.
pub(crate) fn understood(decoder: &mut dyn Decode, head: &Head<'_>) -> (usize, Reverse<u64>) {
    let mut out = Decoded::default();
    decoder.decode(head.bytes, head.whole, &mut out);
    (envelope::tells(&out), Reverse(out.reject_count))
}

/// The same with mappings of a case, which come first among equals, and how sure it is.
pub(crate) fn sniff_with(
    head: &Head<'_>,
    mappings: &[&'static crate::mapped::Mapped],
) -> Option<(Confidence, &'static dyn Source)> {
    let mut best: Option<(Confidence, &'static dyn Source)> = None;
    let own = mappings.iter().map(|m| *m as &'static dyn Source);
    for source in own.chain(SOURCES.iter().copied()) {
        let c = source.sniff(head);
        if c > best.map_or(Confidence::No, |b| b.0) {
            best = Some((c, source));
            if c == Confidence::Certain {
                break;
            }
        }
    }
    best
}

// ---------------------------------------------------------------------------------------------------------------- engine

enum Encoding {
    Bytes,
    Wide { big: bool },
}

struct Engine<'a> {
    path: &'a Path,
    file: FileId,
    setting: &'a Setting,
    limits: &'a Limits,
    sink: &'a mut dyn FileSink,
    /// Bytes read and not yet handed out.
    raw: Vec<u8>,
    /// What stays of them while the rest is handed out.
    tail: Vec<u8>,
    /// Offset of `raw` in the decompressed file.
    base: u64,
    /// `raw` as UTF-8, only for UTF-16 input.
    text: Vec<u8>,
    /// Bytes of `raw` already in `text`.
    transcoded: usize,
    encoding: Encoding,
    eof: bool,
    /// Compressed bytes read, when the file is compressed.
    packed: Option<Arc<AtomicU64>>,
    damage: Option<(Reason, String)>,
    /// A file that cannot be read any further ends there, instead of the reading.
    goes_on: bool,
    /// Set when the stream ended because another file of an archive follows.
    more: Arc<AtomicBool>,
    /// Where the file has neighbours.
    case: Option<&'a Case>,
    out: Decoded,
    /// Parts given out, in order of the file: they lie between `base` and `raw`.
    given: VecDeque<Given>,
    /// Memory for the rows and the bytes of parts.
    spare: Vec<EventBatch>,
    buffers: Vec<Vec<u8>>,
    report: FileReport,
}

/// A part of a file decoded by itself.
struct Part {
    bytes: Vec<u8>,
    decoder: Box<dyn Decode>,
    out: Decoded,
    /// Bytes the decoder took.
    taken: usize,
}

/// A part given out to be decoded.
struct Given {
    len: usize,
    back: mpsc::Receiver<Part>,
}

impl<'a> Engine<'a> {
    fn of_case(self, case: &'a Case) -> Self {
        Engine {
            case: Some(case),
            ..self
        }
    }

    /// Opens the file and reads it.
    fn opened(mut self, format: Option<&'static dyn Source>) -> Result<FileReport, ReadError> {
        let open = |source| ReadError::Open {
            path: self.path.to_path_buf(),
            source,
        };
        let handle = File::open(self.path).map_err(open)?;
        let (stream, packed) = unpack(handle, self.limits, Some(&self.more)).map_err(open)?;
        self.packed = packed;
        self.run(stream, format)
    }

    fn new(
        path: &'a Path,
        file: FileId,
        setting: &'a Setting,
        limits: &'a Limits,
        sink: &'a mut dyn FileSink,
    ) -> Self {
        Engine {
            path,
            file,
            setting,
            limits,
            sink,
            raw: vec![],
            tail: vec![],
            base: 0,
            text: vec![],
            transcoded: 0,
            encoding: Encoding::Bytes,
            eof: false,
            packed: None,
            damage: None,
            goes_on: false,
            more: Arc::default(),
            case: None,
            out: Decoded::default(),
            given: VecDeque::new(),
            spare: vec![],
            buffers: vec![],
            report: FileReport {
                file,
                format: "unknown",
                records: 0,
                events: 0,
                rejects: 0,
                skipped: 0,
                bytes: 0,
                from: NO_TIME,
                to: NO_TIME,
                reject_list: vec![],
                notes: vec![],
                cut_short: false,
            },
        }
    }

    fn run(
        mut self,
        mut stream: Box<dyn Read + '_>,
        format: Option<&'static dyn Source>,
    ) -> Result<FileReport, ReadError> {
        let mut formats: BTreeMap<&'static str, u32> = BTreeMap::new();
        loop {
            let known = self.one(&mut stream, format, formats.is_empty())?;
            *formats.entry(known).or_default() += 1;
            if !self.more.swap(false, Ordering::Relaxed) {
                break;
            }
            // The next file of an archive is told apart from the one before: its format, its encoding.
            self.eof = false;
            self.encoding = Encoding::Bytes;
            self.text.clear();
            self.transcoded = 0;
        }
        if formats.len() > 1 {
            let list: Vec<String> = formats.iter().map(|(f, n)| format!("{n} as {f}")).collect();
            let note = format!("files inside read one by one: {}", list.join(", "));
            self.report.notes.push(note);
        }
        if let Some((reason, note)) = self.damage.take() {
            self.report.cut_short = true;
            self.out.reject(&[], 0, 0, reason);
            self.report
                .notes
                .push(format!("{note} at byte {} of the content", self.base));
        }
        self.encoding = Encoding::Bytes;
        self.hand_out(0)?;
        invariant::check(
            self.out.balanced(),
            invariant::EV_1,
            &format!("source {}", self.report.format),
        );
        let mut report = self.report;
        report.records = self.out.records;
        report.events = self.out.event_count;
        report.rejects = self.out.reject_count;
        report.skipped = self.out.skipped;
        report.bytes = self.base;
        Ok(report)
    }

    /// A file, or one of an archive; gives the name of its format.
    fn one(
        &mut self,
        stream: &mut (dyn Read + '_),
        format: Option<&'static dyn Source>,
        first: bool,
    ) -> Result<&'static str, ReadError> {
        self.fill(stream, HEAD_BYTES)?;
        let skip = self.settle_encoding();
        let (source, mut decoder): (Option<&'static dyn Source>, Box<dyn Decode>) = {
            let bytes = &self.bytes()[skip.min(self.bytes().len())..];
            let head = Head {
                bytes: &bytes[..bytes.len().min(HEAD_BYTES)],
                whole: self.eof && bytes.len() <= HEAD_BYTES,
            };
            match claim(&head, self.setting, format) {
                Some((source, decoder)) => (Some(source), decoder),
                None if looks_binary(head.bytes) => (None, Box::new(Opaque { begun: false })),
                None => match self
                    .case
                    .and_then(|c| as_neighbours(c, self.file, &head, self.setting, self.limits))
                {
                    Some((source, decoder)) => (Some(source), decoder),
                    None => (None, Box::new(UnknownText)),
                },
            }
        };
        let known = source.map_or("unknown", |s| s.name());
        if first {
            self.report.format = known;
            self.sink
                .begin(self.file, source)
                .map_err(|e| self.refused(e))?;
        }
        if skip > 0 {
            // The mark is handed out with the bytes but belongs to no record.
            self.hand_out(skip)?;
        }
        let block = self.limits.block_bytes.max(1);
        let mut want = block;
        // Cut where a record ends, unless that cut one in two.
        let mut cut = true;
        let (mut misses, mut alone) = (0, false);
        loop {
            // One byte more tells whether what is wanted is the rest.
            self.fill(stream, want + 1)?;
            let hands = match self.encoding {
                Encoding::Bytes if cut && want == block && misses < MISSES => {
                    self.sink.hands().min(MOST_PARTS)
                }
                _ => 1,
            };
            if hands > 1 && !alone {
                self.give_out(stream, &*decoder, want, hands + AHEAD)?;
            }
            alone = false;
            if let Some(given) = self.given.pop_front() {
                let in_vain = self.take_back(given, &mut decoder)?;
                misses += u32::from(in_vain == Some(true));
                // What could not be used is decoded in order.
                alone = in_vain.is_some();
                continue;
            }
            let bytes = self.bytes();
            let last = self.eof && bytes.len() <= want;
            let window = want.min(bytes.len());
            let pending = match cut && !last {
                true => decoder.cut(bytes, want).unwrap_or(window),
                false => window,
            };
            let taken = {
                // Borrowed apart from `out` by moving it for the call.
                let mut out = std::mem::take(&mut self.out);
                out.base = match self.encoding {
                    Encoding::Bytes => self.base,
                    Encoding::Wide { .. } => 0,
                };
                let bytes = &self.bytes()[..pending];
                let taken = if bytes.is_empty() {
                    0
                } else {
                    decoder.decode(bytes, last, &mut out).min(pending)
                };
                if last && taken < pending {
                    out.reject(bytes, taken, pending - taken, Reason::Truncated);
                }
                self.out = out;
                if last { pending } else { taken }
            };
            if taken == 0 && !last {
                if pending < window {
                    cut = false;
                } else if window >= self.limits.record_bytes {
                    self.skip_long_record(stream)?;
                    want = block;
                } else {
                    want = (want * 2).min(self.limits.record_bytes).max(want + 1);
                }
                continue;
            }
            self.hand_out(taken)?;
            (want, cut) = (block, true);
            if last && self.bytes().is_empty() {
                break;
            }
        }
        self.out.base = self.base;
        decoder.finish(&mut self.out);
        self.encoding = Encoding::Bytes;
        self.hand_out(0)?;
        Ok(known)
    }

    /// Gives out parts of about `want` bytes until there are `most`, each to be decoded as it would be after those before it.
    fn give_out(
        &mut self,
        stream: &mut dyn Read,
        decoder: &dyn Decode,
        want: usize,
        most: usize,
    ) -> Result<(), ReadError> {
        while self.given.len() < most {
            self.fill(stream, want + 1)?;
            if self.raw.len() <= want {
                break;
            }
            let (Some(len), Some(apart)) = (decoder.cut(&self.raw, want), decoder.apart()) else {
                break;
            };
            let mut rest = self.buffers.pop().unwrap_or_default();
            rest.clear();
            rest.extend_from_slice(&self.raw[len..]);
            self.raw.truncate(len);
            let mut part = Part {
                decoder: apart,
                out: Decoded {
                    base: self.base + self.given.iter().map(|g| g.len as u64).sum::<u64>(),
                    events: self.spare.pop().unwrap_or_default(),
                    ..Decoded::default()
                },
                bytes: std::mem::replace(&mut self.raw, rest),
                taken: 0,
            };
            let (done, back) = mpsc::sync_channel(1);
            self.given.push_back(Given { len, back });
            self.sink.soon(Box::new(move || {
                part.taken = part.decoder.decode(&part.bytes, false, &mut part.out);
                part.taken = part.taken.min(part.bytes.len());
                drop(done.send(part));
            }));
        }
        Ok(())
    }

    /// Hands the next part out, and `decoder` is then the one that goes on behind it. What cannot be used of the parts given out
    /// is pending again, and has to be decoded in order: `Some`, true where it was decoded.
    fn take_back(
        &mut self,
        given: Given,
        decoder: &mut Box<dyn Decode>,
    ) -> Result<Option<bool>, ReadError> {
        let mut part = self.came_back(given);
        // Every part was decoded by one that knows of nothing before it.
        if part.taken == 0 || part.decoder.leaned() {
            self.undo(part.bytes);
            return Ok(Some(part.decoder.leaned()));
        }
        let before = self.out.records;
        part.out.events.renumber(before);
        for r in &mut part.out.rejects {
            r.record += before;
        }
        self.out.records += part.out.records;
        self.out.event_count += part.out.event_count;
        self.out.reject_count += part.out.reject_count;
        self.out.skipped += part.out.skipped;
        self.out.events = part.out.events;
        self.out.rejects = part.out.rejects;
        let whole = part.taken == part.bytes.len() && part.decoder.apart().is_some();
        let rest = std::mem::replace(&mut self.raw, part.bytes);
        self.hand_out(part.taken)?;
        let left = std::mem::replace(&mut self.raw, rest);
        self.spare.push(std::mem::take(&mut self.out.events));
        self.buffers.push(std::mem::take(&mut self.tail));
        *decoder = part.decoder;
        if whole {
            return Ok(None);
        }
        // What follows was decoded as if nothing were open here.
        let in_vain = !self.given.is_empty();
        self.undo(left);
        Ok(Some(in_vain))
    }

    /// Makes `bytes`, those of the parts given out behind them and those not given out pending again.
    fn undo(&mut self, mut bytes: Vec<u8>) {
        while let Some(given) = self.given.pop_front() {
            let part = self.came_back(given);
            bytes.extend_from_slice(&part.bytes);
        }
        bytes.extend_from_slice(&self.raw);
        self.raw = bytes;
    }

    /// Waits for a part to be decoded.
    fn came_back(&mut self, given: Given) -> Part {
        let mut part = None;
        self.sink.idle(&mut || {
            match given.back.try_recv() {
                Ok(done) => part = Some(done),
                Err(mpsc::TryRecvError::Empty) => return false,
                Err(mpsc::TryRecvError::Disconnected) => {}
            }
            true
        });
        part.expect("a decoder panicked")
    }

    /// What decoders see of the bytes not yet handed out.
    fn bytes(&self) -> &[u8] {
        match self.encoding {
            Encoding::Bytes => &self.raw,
            Encoding::Wide { .. } => &self.text,
        }
    }

    fn read(&self) -> u64 {
        match &self.packed {
            Some(count) => count.load(Ordering::Relaxed),
            None => self.pending_to(),
        }
    }

    /// Where what was read so far ends.
    fn pending_to(&self) -> u64 {
        let given: usize = self.given.iter().map(|g| g.len).sum();
        self.base + (given + self.raw.len()) as u64
    }

    fn refused(&self, source: SinkError) -> ReadError {
        ReadError::Sink {
            path: self.path.to_path_buf(),
            offset: self.base,
            source,
        }
    }

    /// Reads until `want` bytes are pending or the input ends.
    fn fill(&mut self, stream: &mut dyn Read, want: usize) -> Result<(), ReadError> {
        while !self.eof && self.bytes().len() < want {
            let room = (want - self.bytes().len()).max(4096);
            self.raw.reserve(room);
            let got = (&mut *stream).take(room as u64).read_to_end(&mut self.raw);
            match got {
                Ok(n) => self.eof = n < room,
                Err(e) => {
                    let capped = e.get_ref().is_some_and(|r| r.is::<CapReached>());
                    let plain = self.packed.is_none() && !capped;
                    if plain && !self.goes_on {
                        return Err(ReadError::Read {
                            path: self.path.to_path_buf(),
                            offset: self.pending_to(),
                            source: e,
                        });
                    }
                    self.eof = true;
                    self.damage = Some(if capped {
                        (Reason::Capped, format!("decompression stopped: {e}"))
                    } else if plain {
                        let note = format!("cut off where reading failed ({e})");
                        (Reason::Damaged, note)
                    } else {
                        (Reason::Damaged, format!("compressed data is damaged: {e}"))
                    });
                }
            }
            if let Encoding::Wide { big } = self.encoding {
                self.transcode(big);
            }
        }
        Ok(())
    }

    /// Finds a byte-order mark or UTF-16 without one. Returns how many bytes of the mark decoders do not see.
    fn settle_encoding(&mut self) -> usize {
        let wide = match self.raw.as_slice() {
            [0xEF, 0xBB, 0xBF, ..] => return 3,
            [0xFF, 0xFE, ..] => Some((false, "a byte-order mark")),
            [0xFE, 0xFF, ..] => Some((true, "a byte-order mark")),
            b => guess_wide(b).map(|big| (big, "its zero bytes")),
        };
        let Some((big, why)) = wide else { return 0 };
        let order = if big { "BE" } else { "LE" };
        self.report
            .notes
            .push(format!("text is UTF-16{order}, told by {why}"));
        self.encoding = Encoding::Wide { big };
        self.transcode(big);
        if self.text.starts_with("\u{feff}".as_bytes()) {
            3
        } else {
            0
        }
    }

    fn transcode(&mut self, big: bool) {
        let pending = &self.raw[self.transcoded..];
        let even = pending.len() & !1;
        let unit = |p: &[u8]| {
            if big {
                u16::from_be_bytes([p[0], p[1]])
            } else {
                u16::from_le_bytes([p[0], p[1]])
            }
        };
        let mut units: Vec<u16> = pending[..even].chunks_exact(2).map(unit).collect();
        // Half of a pair waits for its other half.
        if !self.eof && units.last().is_some_and(|u| (0xD800..0xDC00).contains(u)) {
            units.pop();
        }
        self.transcoded += units.len() * 2;
        let mut utf8 = [0; 4];
        for c in char::decode_utf16(units.iter().copied()) {
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.text
                .extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
        }
        if self.eof && self.transcoded < self.raw.len() {
            self.transcoded = self.raw.len();
            self.text.extend_from_slice(
                char::REPLACEMENT_CHARACTER
                    .encode_utf8(&mut utf8)
                    .as_bytes(),
            );
        }
    }

    /// Gives the sink what was decoded from the first `taken` bytes decoders saw, and forgets those bytes.
    fn hand_out(&mut self, taken: usize) -> Result<(), ReadError> {
        let raw_taken = match self.encoding {
            Encoding::Bytes => taken,
            Encoding::Wide { .. } => self.place_wide(taken),
        };
        for t in self.out.events.times() {
            if *t != NO_TIME {
                if self.report.from == NO_TIME || *t < self.report.from {
                    self.report.from = *t;
                }
                if self.report.to == NO_TIME || *t > self.report.to {
                    self.report.to = *t;
                }
            }
        }
        let room = self
            .limits
            .rejects_kept
            .saturating_sub(self.report.reject_list.len());
        self.report
            .reject_list
            .extend(self.out.rejects.iter().take(room).cloned());
        let read = self.read();
        self.tail.clear();
        self.tail.extend_from_slice(&self.raw[raw_taken..]);
        self.raw.truncate(raw_taken);
        if raw_taken > 0 || !self.out.events.is_empty() || !self.out.rejects.is_empty() {
            self.sink
                .piece(Piece {
                    file: self.file,
                    offset: self.base,
                    bytes: &mut self.raw,
                    events: &mut self.out.events,
                    rejects: &self.out.rejects,
                    read,
                })
                .map_err(|e| ReadError::Sink {
                    path: self.path.to_path_buf(),
                    offset: self.base,
                    source: e,
                })?;
        }
        self.out.events.clear();
        self.out.rejects.clear();
        self.base += raw_taken as u64;
        std::mem::swap(&mut self.raw, &mut self.tail);
        if let Encoding::Wide { .. } = self.encoding {
            self.text.drain(..taken);
            self.transcoded -= raw_taken.min(self.transcoded);
        }
        Ok(())
    }

    /// Turns places in the transcoded text into places in the bytes as received; returns that of `taken`.
    fn place_wide(&mut self, taken: usize) -> usize {
        let mut at = WidePlace {
            text: &self.text,
            text_at: 0,
            raw_at: 0,
            raw_len: self.raw.len(),
        };
        let mut events = EventBatch::default();
        for mut e in self.out.events.iter() {
            let start = at.of(e.offset as usize);
            let end = at.of((e.offset + e.len) as usize);
            e.offset = self.base + start as u64;
            e.len = (end - start) as u64;
            events.push(&e);
        }
        at.rewind();
        for r in &mut self.out.rejects {
            let start = at.of(r.offset as usize);
            let end = at.of((r.offset + r.len) as usize);
            r.offset = self.base + start as u64;
            r.len = (end - start) as u64;
        }
        at.rewind();
        let raw = at.of(taken);
        self.out.events = events;
        raw
    }

    /// Counts a record above the limit as one reject and goes on after the next line end, holding only one block at a time.
    fn skip_long_record(&mut self, stream: &mut dyn Read) -> Result<(), ReadError> {
        let start = self.base;
        let readable = self.bytes()[..self.bytes().len().min(512)].to_vec();
        let mut end = start;
        loop {
            let (take, found) = match memchr::memchr(b'\n', self.bytes()) {
                Some(i) => (i + 1, true),
                None => (self.bytes().len(), false),
            };
            let before = self.base;
            self.hand_out(take)?;
            end += self.base - before;
            if found || self.eof {
                break;
            }
            self.fill(stream, self.limits.block_bytes.max(1))?;
        }
        self.out.records += 1;
        self.out.reject_count += 1;
        let reject = Reject {
            record: self.out.records,
            offset: start,
            len: end - start,
            reason: Reason::TooLong,
            time: None,
            readable: String::from_utf8_lossy(&readable).into_owned(),
        };
        // Handed out at once, so that its place is not taken for one inside the text still to come.
        let room = self
            .limits
            .rejects_kept
            .saturating_sub(self.report.reject_list.len());
        self.report
            .reject_list
            .extend(std::iter::once(reject.clone()).take(room));
        self.sink
            .piece(Piece {
                file: self.file,
                offset: self.base,
                bytes: &mut vec![],
                events: &mut EventBatch::default(),
                rejects: &[reject],
                read: self.read(),
            })
            .map_err(|e| self.refused(e))
    }
}

/// Walks forward through UTF-8 text that came from UTF-16, two bytes a unit.
struct WidePlace<'a> {
    text: &'a [u8],
    text_at: usize,
    raw_at: usize,
    raw_len: usize,
}

impl WidePlace<'_> {
    fn rewind(&mut self) {
        self.text_at = 0;
        self.raw_at = 0;
    }
    fn of(&mut self, text_place: usize) -> usize {
        if text_place < self.text_at {
            self.rewind();
        }
        while self.text_at < text_place.min(self.text.len()) {
            // The text is our own well-formed UTF-8: the first byte tells the length, four bytes are a pair.
            let n = match self.text[self.text_at] {
                0..=0x7F => 1,
                0x80..=0xDF => 2,
                0xE0..=0xEF => 3,
                _ => 4,
            };
            self.text_at += n;
            self.raw_at += if n == 4 { 4 } else { 2 };
        }
        self.raw_at.min(self.raw_len)
    }
}

/// UTF-16 without a mark: nearly every second byte of plain text is zero. Gives whether the zeros come first (big-endian).
fn guess_wide(bytes: &[u8]) -> Option<bool> {
    let n = bytes.len().min(512) / 2;
    if n < 8 {
        return None;
    }
    let (mut even, mut odd) = (0, 0);
    for p in bytes[..n * 2].chunks_exact(2) {
        even += usize::from(p[0] == 0);
        odd += usize::from(p[1] == 0);
    }
    if even * 10 < n && odd * 10 >= n * 9 {
        Some(false)
    } else if odd * 10 < n && even * 10 >= n * 9 {
        Some(true)
    } else {
        None
    }
}

fn looks_binary(head: &[u8]) -> bool {
    let control = head
        .iter()
        .filter(|b| matches!(b, 0x00..=0x08 | 0x0E..=0x1A | 0x1C..=0x1F | 0x7F))
        .count();
    memchr::memchr(0, head).is_some() || control * 20 > head.len()
}

/// Text of no known format: each line is a reject.
struct UnknownText;
impl Decode for UnknownText {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        crate::lines::each(bytes, last, out, |line, at, len, _, out| {
            out.reject(bytes, at, len, Reason::UnknownFormat);
            let _ = line;
        })
    }
}

/// A binary file of no known format is one reject, however long.
struct Opaque {
    begun: bool,
}
impl Decode for Opaque {
    fn decode(&mut self, bytes: &[u8], _last: bool, out: &mut Decoded) -> usize {
        if !self.begun {
            self.begun = true;
            out.reject(bytes, 0, bytes.len(), Reason::UnknownFormat);
        }
        bytes.len()
    }
}

// ----------------------------------------------------------------------------------------------------------- compression

/// A cap of [`Limits`] was reached.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct CapReached(String);

/// Counts compressed bytes as they are read.
struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}
impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

struct Capped {
    inner: Box<dyn Read + Send>,
    packed: Arc<AtomicU64>,
    produced: u64,
    bytes_max: u64,
    ratio_max: u64,
}
impl Read for Capped {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let packed = self.packed.load(Ordering::Relaxed).max(1);
        let by_ratio = packed.saturating_mul(self.ratio_max).max(64 << 20);
        let limit = self.bytes_max.min(by_ratio);
        let room = usize::try_from(limit.saturating_sub(self.produced)).unwrap_or(usize::MAX);
        if room == 0 && !buf.is_empty() {
            // Only too much if something really follows.
            if self.inner.read(&mut [0])? == 0 {
                return Ok(0);
            }
            let which = if limit == self.bytes_max {
                format!("more than {} bytes", self.bytes_max)
            } else {
                format!("more than {} times its compressed size", self.ratio_max)
            };
            return Err(io::Error::other(CapReached(format!(
                "content is {which}; raise the limit if this is expected"
            ))));
        }
        let end = buf.len().min(room);
        let n = self.inner.read(&mut buf[..end])?;
        self.produced += n as u64;
        Ok(n)
    }
}

/// The content of a file that is no log, through the same compression and archives and within the usual caps.
///
/// # Errors
/// The file cannot be opened; damage within is met while reading.
pub fn content(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    Ok(unpack(File::open(path)?, &Limits::default(), None)?.0)
}

/// A file's content, and the count of compressed bytes read when it is compressed.
type Unpacked = (Box<dyn Read + Send>, Option<Arc<AtomicU64>>);

/// The content of a file through up to two layers of compression and an archive. With `apart` the content ends after each file of an
/// archive, and says there when another follows; otherwise they stand one behind the other.
fn unpack(
    mut file: File,
    limits: &Limits,
    apart: Option<&Arc<AtomicBool>>,
) -> io::Result<Unpacked> {
    let mut magic = [0; 6];
    let n = read_up_to(&mut file, &mut magic)?;
    file.seek(SeekFrom::Start(0))?;
    let count = Arc::new(AtomicU64::new(0));
    let kind = Packing::of(&magic[..n]);
    let content: Box<dyn Read + Send> = match kind {
        None => {
            let mut head = [0; 512];
            let n = read_up_to(&mut file, &mut head)?;
            file.seek(SeekFrom::Start(0))?;
            if !TarMembers::begins(&head[..n]) {
                return Ok((Box::new(file), None));
            }
            let inner = Counted {
                inner: file,
                count: count.clone(),
            };
            Box::new(TarMembers::new(Box::new(inner), apart.cloned()))
        }
        Some(Packing::Zip) => match ZipMembers::open(file, count.clone(), apart.cloned()) {
            Ok(members) => Box::new(members),
            Err(e) => Box::new(Broken(Some(e))),
        },
        Some(kind) => {
            let inner = Counted {
                inner: file,
                count: count.clone(),
            };
            Box::new(MaybeTar {
                state: TarState::Unknown(layer(kind, Box::new(inner), 1)?),
                apart: apart.cloned(),
            })
        }
    };
    let capped = Capped {
        inner: content,
        packed: count.clone(),
        produced: 0,
        bytes_max: limits.decompressed_bytes,
        ratio_max: limits.ratio.max(1),
    };
    Ok((Box::new(capped), Some(count)))
}

/// True for the beginning of a file that is packed, of two bytes a character, or binary: it cannot be read from its middle.
pub(crate) fn packed(head: &[u8]) -> bool {
    let mark = head.starts_with(&[0xFF, 0xFE]) || head.starts_with(&[0xFE, 0xFF]);
    mark || Packing::of(head).is_some() || head.iter().take(HEAD_BYTES).any(|b| *b == 0)
}

#[derive(Clone, Copy)]
enum Packing {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    Zip,
}

impl Packing {
    fn of(magic: &[u8]) -> Option<Packing> {
        match magic {
            [0x1F, 0x8B, 8, ..] => Some(Packing::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Packing::Zstd),
            // A skippable frame may come first (written by pzstd and seekable writers).
            [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(Packing::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Packing::Bzip2),
            [0xFD, b'7', b'z', b'X', b'Z', 0] => Some(Packing::Xz),
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Packing::Zip),
            _ => None,
        }
    }
}

fn layer(
    kind: Packing,
    inner: Box<dyn Read + Send>,
    depth: u8,
) -> io::Result<Box<dyn Read + Send>> {
    const BUFFER: usize = 128 * 1024;
    let content: Box<dyn Read + Send> = match kind {
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(
            BufReader::with_capacity(BUFFER, inner),
        )),
        Packing::Zstd => {
            let mut d = zstd::stream::read::Decoder::new(inner)?;
            // 128 MiB, what `zstd` itself accepts without asking; a larger window is a memory bomb.
            d.window_log_max(27)?;
            Box::new(d)
        }
        Packing::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(inner)),
        Packing::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(
            BufReader::with_capacity(BUFFER, inner),
            true,
            256 * 1024,
        )),
        Packing::Zip => return Ok(inner),
    };
    if depth >= 2 {
        return Ok(content);
    }
    Ok(Box::new(Nested {
        state: NestedState::Unknown(content),
        depth,
    }))
}

/// Looks for one more layer when first read, so that damage in the outer one is met while reading, not while opening.
struct Nested {
    state: NestedState,
    depth: u8,
}
enum NestedState {
    Unknown(Box<dyn Read + Send>),
    Known(Box<dyn Read + Send>),
    Moving,
}
impl Read for Nested {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let NestedState::Unknown(_) = self.state {
            let NestedState::Unknown(mut inner) =
                std::mem::replace(&mut self.state, NestedState::Moving)
            else {
                return Ok(0);
            };
            let mut magic = [0; 6];
            let n = read_up_to(&mut inner, &mut magic)?;
            let kind = Packing::of(&magic[..n]);
            let whole: Box<dyn Read + Send> =
                Box::new(Cursor::new(magic[..n].to_vec()).chain(inner));
            self.state = NestedState::Known(match kind {
                Some(kind) => layer(kind, whole, self.depth + 1)?,
                None => whole,
            });
        }
        match &mut self.state {
            NestedState::Known(r) => r.read(buf),
            _ => Ok(0),
        }
    }
}

/// Content that cannot be had: says why when read.
struct Broken(Option<io::Error>);
impl Read for Broken {
    fn read(&mut self, _buf: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

fn read_up_to(r: &mut dyn Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buf.len() {
        match r.read(&mut buf[n..]) {
            Ok(0) => break,
            Ok(k) => n += k,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(n)
}

/// The members of a zip archive one after the other, in the order of their names; a member that does not end in a line end is
/// given one, so that no record spans two members.
struct ZipMembers {
    file: Arc<std::sync::Mutex<File>>,
    count: Arc<AtomicU64>,
    /// (name, start, compressed size, stored without compression, checksum), last first.
    members: Vec<(String, u64, u64, bool, u32)>,
    current: Option<Member>,
    last_byte: u8,
    /// Each member is a content of its own.
    apart: Option<Arc<AtomicBool>>,
    /// One member ended and the next has not begun.
    between: bool,
}

struct Member {
    content: Box<dyn Read + Send>,
    checksum: Arc<std::sync::Mutex<flate2::Crc>>,
    expected: u32,
}

impl ZipMembers {
    fn open(
        file: File,
        count: Arc<AtomicU64>,
        apart: Option<Arc<AtomicBool>>,
    ) -> io::Result<ZipMembers> {
        let mut archive = zip::ZipArchive::new(file.try_clone()?)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
        let mut members = vec![];
        for i in 0..archive.len().min(100_000) {
            let m = archive
                .by_index_raw(i)
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
            if m.is_dir() || m.name().is_ok_and(|n| no_log(&n)) {
                continue;
            }
            let stored = match m.compression() {
                zip::CompressionMethod::Stored => true,
                zip::CompressionMethod::Deflated => false,
                other => {
                    return Err(io::Error::new(
                        io::ErrorKind::Unsupported,
                        format!("zip member is compressed as {other}"),
                    ));
                }
            };
            if m.encrypted() {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "zip member is encrypted",
                ));
            }
            let start = m.data_start().ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "zip member has no data")
            })?;
            members.push((
                m.name().map(|n| n.into_owned()).unwrap_or_default(),
                start,
                m.compressed_size(),
                stored,
                m.crc32(),
            ));
        }
        members.sort_by(|a, b| b.cmp(a));
        Ok(ZipMembers {
            file: Arc::new(std::sync::Mutex::new(file)),
            count,
            members,
            current: None,
            last_byte: b'\n',
            apart,
            between: false,
        })
    }
}

/// What systems leave in archives beside the files somebody packed.
fn no_log(name: &str) -> bool {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    name.starts_with("__MACOSX/")
        || last.starts_with("._")
        || matches!(last, ".DS_Store" | "Thumbs.db" | "desktop.ini")
}

/// Looks for a tar archive when first read.
struct MaybeTar {
    state: TarState,
    apart: Option<Arc<AtomicBool>>,
}
enum TarState {
    Unknown(Box<dyn Read + Send>),
    Plain(Box<dyn Read + Send>),
    Tar(Box<TarMembers>),
    Moving,
}
impl Read for MaybeTar {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let TarState::Unknown(_) = self.state {
            let TarState::Unknown(mut inner) = std::mem::replace(&mut self.state, TarState::Moving)
            else {
                return Ok(0);
            };
            let mut head = [0; 512];
            let n = read_up_to(&mut inner, &mut head)?;
            let tar = TarMembers::begins(&head[..n]);
            let whole: Box<dyn Read + Send> =
                Box::new(Cursor::new(head[..n].to_vec()).chain(inner));
            self.state = if tar {
                TarState::Tar(Box::new(TarMembers::new(whole, self.apart.take())))
            } else {
                TarState::Plain(whole)
            };
        }
        match &mut self.state {
            TarState::Plain(r) => r.read(buf),
            TarState::Tar(r) => r.read(buf),
            TarState::Unknown(_) | TarState::Moving => Ok(0),
        }
    }
}

/// The files of a tar archive (POSIX.1-2017 pax, ustar Interchange Format; GNU long names) in their order, as [`ZipMembers`] gives them.
struct TarMembers {
    inner: Arc<std::sync::Mutex<Box<dyn Read + Send>>>,
    /// Bytes left of the member at hand, and zeros behind it up to a whole block.
    left: Arc<AtomicU64>,
    pad: u64,
    current: Option<Box<dyn Read + Send>>,
    begun: bool,
    ended: bool,
    last_byte: u8,
    apart: Option<Arc<AtomicBool>>,
}

/// What is left of one member.
struct TarSection {
    inner: Arc<std::sync::Mutex<Box<dyn Read + Send>>>,
    left: Arc<AtomicU64>,
}
impl Read for TarSection {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        let n = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if n == 0 {
            return Ok(0);
        }
        let mut r = (self.inner.lock()).map_err(|_| io::Error::other("archive is in use"))?;
        let got = r.read(&mut buf[..n])?;
        if got == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "archive is cut",
            ));
        }
        self.left.store(left - got as u64, Ordering::Relaxed);
        Ok(got)
    }
}

impl TarMembers {
    /// The first block of an archive: its mark and its checksum.
    fn begins(block: &[u8]) -> bool {
        block.len() == 512 && &block[257..262] == b"ustar" && Self::sum(block)
    }
    fn octal(field: &[u8]) -> Option<u64> {
        if field[0] & 0x80 != 0 {
            // GNU: a number above eight gigabytes, in bytes.
            let low = field[field.len() - 8..].try_into().ok()?;
            return Some(u64::from_be_bytes(low));
        }
        let text = std::str::from_utf8(field).ok()?;
        let text = text.trim_matches(['\0', ' ']);
        if text.is_empty() {
            Some(0)
        } else {
            u64::from_str_radix(text, 8).ok()
        }
    }
    fn sum(block: &[u8]) -> bool {
        let plain = |(i, b): (usize, &u8)| match i {
            148..156 => u64::from(b' '),
            _ => u64::from(*b),
        };
        let sum: u64 = block.iter().enumerate().map(plain).sum();
        Self::octal(&block[148..156]) == Some(sum)
    }
    fn new(inner: Box<dyn Read + Send>, apart: Option<Arc<AtomicBool>>) -> TarMembers {
        TarMembers {
            inner: Arc::new(std::sync::Mutex::new(inner)),
            left: Arc::default(),
            pad: 0,
            current: None,
            begun: false,
            ended: false,
            last_byte: b'\n',
            apart,
        }
    }
    fn section(&self) -> TarSection {
        TarSection {
            inner: self.inner.clone(),
            left: self.left.clone(),
        }
    }
    /// Passes over what is left of a member and opens the next file; false at the end.
    fn next(&mut self) -> io::Result<bool> {
        loop {
            self.left.fetch_add(self.pad, Ordering::Relaxed);
            self.pad = 0;
            io::copy(&mut self.section(), &mut io::sink())?;
            let mut block = [0; 512];
            let n = {
                let mut r =
                    (self.inner.lock()).map_err(|_| io::Error::other("archive is in use"))?;
                read_up_to(&mut *r, &mut block)?
            };
            // Two blocks of zeros end it; some writers leave them out.
            if n == 0 || block.iter().all(|b| *b == 0) {
                return Ok(false);
            }
            let size = Self::octal(&block[124..136]);
            let (Some(size), true) = (size, n == 512 && Self::sum(&block)) else {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "archive has a damaged header",
                ));
            };
            self.left.store(size, Ordering::Relaxed);
            self.pad = (512 - size % 512) % 512;
            let name = block[..100].split(|b| *b == 0).next().unwrap_or_default();
            if block[156] == b'S' {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "archive holds a sparse file; pack it again without --sparse",
                ));
            }
            if !matches!(block[156], b'0' | 0 | b'7') || no_log(&String::from_utf8_lossy(name)) {
                continue;
            }
            let mut content = self.section();
            let mut magic = [0; 6];
            let n = read_up_to(&mut content, &mut magic)?;
            let kind = Packing::of(&magic[..n]);
            let whole: Box<dyn Read + Send> =
                Box::new(Cursor::new(magic[..n].to_vec()).chain(content));
            self.current = Some(match kind {
                Some(kind) => layer(kind, whole, 1)?,
                None => whole,
            });
            return Ok(true);
        }
    }
}

impl Read for TarMembers {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(m) = &mut self.current {
                let n = m.read(buf)?;
                if n > 0 {
                    self.last_byte = buf[n - 1];
                    return Ok(n);
                }
                // A line end of two bytes (UTF-16) ends in a zero.
                if !matches!(self.last_byte, b'\n' | 0) {
                    self.last_byte = b'\n';
                    buf[0] = b'\n';
                    return Ok(1);
                }
                self.current = None;
                self.ended = !self.next()?;
                if let Some(more) = self.apart.as_ref().filter(|_| !self.ended) {
                    more.store(true, Ordering::Relaxed);
                    return Ok(0);
                }
                continue;
            }
            if self.ended || (self.begun && self.current.is_none()) {
                return Ok(0);
            }
            self.begun = true;
            self.ended = !self.next()?;
        }
    }
}

/// A section of a file, read at its own place.
struct Section {
    file: Arc<std::sync::Mutex<File>>,
    at: u64,
    left: u64,
}
impl Read for Section {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = buf
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if n == 0 {
            return Ok(0);
        }
        let mut f = self
            .file
            .lock()
            .map_err(|_| io::Error::other("file is in use"))?;
        f.seek(SeekFrom::Start(self.at))?;
        let got = f.read(&mut buf[..n])?;
        self.at += got as u64;
        self.left -= got as u64;
        Ok(got)
    }
}

struct Summed {
    inner: Box<dyn Read + Send>,
    sum: Arc<std::sync::Mutex<flate2::Crc>>,
}
impl Read for Summed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        if let Ok(mut s) = self.sum.lock() {
            s.update(&buf[..n]);
        }
        Ok(n)
    }
}

impl Read for ZipMembers {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(m) = &mut self.current {
                let n = m.content.read(buf)?;
                if n > 0 {
                    self.last_byte = buf[n - 1];
                    return Ok(n);
                }
                let sum = m.checksum.lock().map_or(m.expected, |s| s.sum());
                let wrong = sum != m.expected;
                self.current = None;
                if wrong {
                    self.members.clear();
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "zip member does not match its checksum",
                    ));
                }
                self.between = true;
            }
            if self.members.is_empty() {
                return Ok(0);
            }
            // A line end of two bytes (UTF-16) ends in a zero.
            if !matches!(self.last_byte, b'\n' | 0) {
                self.last_byte = b'\n';
                buf[0] = b'\n';
                return Ok(1);
            }
            if std::mem::take(&mut self.between)
                && let Some(more) = &self.apart
            {
                more.store(true, Ordering::Relaxed);
                return Ok(0);
            }
            let Some((_, at, left, stored, expected)) = self.members.pop() else {
                return Ok(0);
            };
            let packed = Counted {
                inner: BufReader::with_capacity(
                    128 * 1024,
                    Section {
                        file: self.file.clone(),
                        at,
                        left,
                    },
                ),
                count: self.count.clone(),
            };
            let plain: Box<dyn Read + Send> = if stored {
                Box::new(packed)
            } else {
                Box::new(flate2::read::DeflateDecoder::new(packed))
            };
            let checksum = Arc::new(std::sync::Mutex::new(flate2::Crc::new()));
            let summed = Summed {
                inner: plain,
                sum: checksum.clone(),
            };
            self.current = Some(Member {
                content: Box::new(Nested {
                    state: NestedState::Unknown(Box::new(summed)),
                    depth: 1,
                }),
                checksum,
                expected,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Standard, lines};
    use ampleur_event::{Capability, Event, GapSign, Outcome, Silence};
    use std::io::Write;

    const WEB: &str =
        "192.0.2.9 - marie [14/Sep/2025:01:00:36 +0200] \"GET /p HTTP/1.1\" 200 51 \"-\" \"x\"\n";
    const FIRE: &str = "date=2024-12-02 time=15:14:35 devname=\"PF\" devid=\"FGT60F8761440795\" eventtime=1733148875000000000 tz=\"+0100\" logid=\"0101039424\" type=\"event\" subtype=\"vpn\" level=\"information\" vd=\"root\" logdesc=\"SSL VPN tunnel up\" action=\"tunnel-up\" tunneltype=\"ssl-tunnel\" tunnelid=7 remip=203.0.113.7 user=\"g\"\n";

    /// A tar block: header with its checksum, content filled up with zeros.
    fn tar_entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut h = [0u8; 512];
        h[..name.len()].copy_from_slice(name.as_bytes());
        h[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        h[156] = kind;
        h[257..263].copy_from_slice(b"ustar\0");
        h[148..156].fill(b' ');
        let sum: u64 = h.iter().map(|b| u64::from(*b)).sum();
        h[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let mut out = h.to_vec();
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(512), 0);
        out
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut e = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        e.write_all(bytes).unwrap();
        e.finish().unwrap()
    }

    /// A day of nothing but failed logins says of itself only that something failed.
    #[test]
    fn a_day_of_rare_lines_is_read_as_the_days_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs/vpn");
        std::fs::create_dir_all(&logs).unwrap();
        let usual = "2024-05-05 08:00:01 Initialization Sequence Completed\n\
            2024-05-05 08:10:00 203.0.113.7:50211 TLS: Initial packet from [AF_INET]203.0.113.7:50211, sid=aaaa bbbb\n\
            2024-05-05 08:10:01 203.0.113.7:50211 VERIFY OK: depth=0, CN=editeur-pacs\n";
        let rare = "2024-05-06 03:01:00 198.51.100.9:40001 TLS Auth Error: Auth Username/Password verification failed for peer\n";
        for (name, text) in [
            ("05.log", usual),
            ("06.log", rare),
            ("readme.txt", "Keep these for a year.\n"),
        ] {
            std::fs::write(logs.join(name), text).unwrap();
        }
        let case = Case::with_context(dir.path(), ampleur_event::Context::default()).unwrap();
        let read = |file| {
            let mut sink = Collect::default();
            let r = read_what_can_be_read(&case, file, &Limits::default(), &mut sink).unwrap();
            (r.format, r.events, r.rejects)
        };
        assert_eq!(read(1), ("openvpn", 1, 0));
        assert_eq!(read(2), ("unknown", 0, 1));
        // Nobody beside it: nobody knows.
        std::fs::remove_file(logs.join("05.log")).unwrap();
        let case = Case::with_context(dir.path(), ampleur_event::Context::default()).unwrap();
        let r =
            read_what_can_be_read(&case, 0, &Limits::default(), &mut Collect::default()).unwrap();
        assert_eq!((r.format, r.events, r.rejects), ("unknown", 0, 1));
    }

    /// What everybody sends: all logs in one archive. Each file inside is read by its own source, whatever packs it.
    #[test]
    fn files_of_an_archive_are_told_apart() {
        let wide: Vec<u8> = [0xFF, 0xFE]
            .into_iter()
            .chain(WEB.encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        let members: Vec<(&str, Vec<u8>)> = vec![
            ("logs/web/a.log", WEB.repeat(3).trim_end().into()),
            ("logs/fw/b.log.gz", gz(FIRE.repeat(2).as_bytes())),
            ("logs/.DS_Store", b"\0\0\0\x01Bud1".to_vec()),
            ("logs/web/c.log", wide),
            ("logs/web/empty.log", vec![]),
            ("logs/zz.log", WEB.into()),
        ];
        let mut tar: Vec<u8> = tar_entry("logs/", b'5', b"");
        for (name, content) in &members {
            tar.extend(tar_entry(name, b'0', content));
        }
        let cut = tar.len() - 700;
        let mut whole = tar.clone();
        whole.extend([0; 1024]);
        let mut zip = zip::ZipWriter::new(Cursor::new(vec![]));
        for (name, content) in &members {
            zip.start_file(*name, zip::write::SimpleFileOptions::default())
                .unwrap();
            zip.write_all(content).unwrap();
        }
        let zip = zip.finish().unwrap().into_inner();
        let dir = tempfile::tempdir().unwrap();
        let read = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let mut all = Collect::default();
            let (setting, limits) = (Setting::default(), Limits::default());
            let report = read_path(&path, 0, None, &setting, &limits, &mut all).unwrap();
            let mut users: Vec<String> = all.events.iter().map(|e| e.user.to_string()).collect();
            users.sort();
            let mut content = vec![];
            open(&path, &limits).unwrap().read_to_end(&mut content).ok();
            assert_eq!(
                report.records,
                report.events + report.rejects + report.skipped
            );
            (report, users.join(" "), content.len())
        };
        for (name, bytes) in [
            ("a.tar", whole.clone()),
            ("a.tgz", gz(&whole)),
            ("without_end.tar", tar.clone()),
            ("a.zip", zip),
        ] {
            let (r, users, length) = read(name, &bytes);
            assert_eq!(users, "g g marie marie marie marie marie", "{name}");
            assert_eq!(
                (r.events, r.rejects, r.cut_short),
                (7, 0, false),
                "{name}: {:?}",
                r.notes
            );
            assert!(
                r.notes.iter().any(|n| n.contains("as fortinet-fortigate")),
                "{:?}",
                r.notes
            );
            assert!(length > 3 * WEB.len(), "{name}");
        }
        let (r, users, _) = read("cut.tar", &tar[..cut]);
        assert!(r.cut_short && r.rejects == 1, "{:?}", r.notes);
        assert_eq!(users, "g g marie marie marie marie");
    }

    /// Lines `N text`: an event with `seq` N; anything else is a reject.
    struct Numbered;
    impl Source for Numbered {
        fn name(&self) -> &'static str {
            "numbered"
        }
        fn about(&self) -> &'static str {
            "test"
        }
        fn standard(&self) -> Standard {
            Standard {
                name: "",
                section: "",
            }
        }
        fn capability(&self) -> Capability {
            Capability {
                rows: &[],
                silence: Silence::Nothing,
                names_results: false,
                gap: GapSign::RateOnly,
            }
        }
        fn sniff(&self, _: &Head<'_>) -> Confidence {
            Confidence::No
        }
        fn open(&self, _: &Head<'_>, _: &Setting) -> Box<dyn Decode> {
            Box::new(NumberedDecode)
        }
    }
    struct NumberedDecode;
    impl Decode for NumberedDecode {
        fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
            lines::each(bytes, last, out, |line, at, len, _, out| {
                let text = lines::text(line);
                match text
                    .split_once(' ')
                    .and_then(|(n, t)| Some((n.parse().ok()?, t)))
                {
                    Some((seq, t)) => out.event(
                        Event {
                            seq,
                            user: t.into(),
                            time: seq as i64,
                            outcome: Outcome::Success,
                            ..Event::default()
                        },
                        at,
                        len,
                    ),
                    None => out.reject(bytes, at, len, Reason::Shape),
                }
            })
        }
    }
    static NUMBERED: Numbered = Numbered;

    fn read(bytes: &[u8], limits: &Limits) -> (FileReport, Collect) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, bytes).unwrap();
        let mut all = Collect::default();
        let report = read_path(
            &path,
            7,
            Some(&NUMBERED),
            &Setting::default(),
            limits,
            &mut all,
        )
        .unwrap();
        assert_eq!(
            report.records,
            report.events + report.rejects + report.skipped
        );
        (report, all)
    }

    fn sample(n: usize) -> Vec<u8> {
        let mut v = vec![];
        for i in 0..n {
            writeln!(v, "{i} somebody{i}").unwrap();
            if i % 10 == 0 {
                v.extend_from_slice(b"\n# note\nbroken\n");
            }
        }
        v
    }

    #[test]
    fn every_compression_gives_the_same_events_and_bytes() {
        let plain = sample(5000);
        let (r0, all0) = read(&plain, &Limits::default());
        assert_eq!((r0.events, r0.rejects, r0.skipped), (5000, 500, 1000));
        assert_eq!(all0.bytes, plain);
        let gz = |b: &[u8]| {
            let mut e = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
            e.write_all(b).unwrap();
            e.finish().unwrap()
        };
        let half = memchr::memchr(b'\n', &plain[plain.len() / 2..]).unwrap() + plain.len() / 2 + 1;
        let mut two = gz(&plain[..half]);
        two.extend(gz(&plain[half..]));
        let bz = {
            let mut e = bzip2::write::BzEncoder::new(vec![], bzip2::Compression::fast());
            e.write_all(&plain).unwrap();
            e.finish().unwrap()
        };
        let zip = |method| {
            let mut z = zip::ZipWriter::new(Cursor::new(vec![]));
            let o = zip::write::SimpleFileOptions::default().compression_method(method);
            z.start_file("b.log", o).unwrap();
            z.write_all(&plain[half..]).unwrap();
            // The line end between members is added when the member lacks it.
            z.start_file("a.log", o).unwrap();
            z.write_all(&plain[..half - 1]).unwrap();
            z.finish().unwrap().into_inner()
        };
        let zst = zstd::stream::encode_all(&plain[..], 1).unwrap();
        let nested = gz(&zst);
        for (name, packed) in [
            ("gzip", gz(&plain)),
            ("two gzip members", two),
            ("zstd", zst),
            ("bzip2", bz),
            ("zstd in gzip", nested),
            ("zip", zip(zip::CompressionMethod::Deflated)),
            ("stored zip", zip(zip::CompressionMethod::Stored)),
        ] {
            let (r, all) = read(&packed, &Limits::default());
            assert!(all.bytes == plain, "{name}");
            assert_eq!(all.events, all0.events, "{name}");
            assert_eq!(r.notes, Vec::<String>::new(), "{name}");
        }
    }

    #[test]
    fn xz_is_read_through() {
        let mut w = xz_sample();
        let (r, all) = read(&w, &Limits::default());
        assert_eq!(r.notes, Vec::<String>::new());
        assert_eq!(all.bytes, b"0 a\n1 b\n");
        assert_eq!(r.events, 2);
        w.truncate(w.len() / 2);
        let (r, _) = read(&w, &Limits::default());
        assert!(r.rejects >= 1);
    }

    /// An xz stream with an uncompressed LZMA2 chunk, written by hand so that no encoder is needed.
    fn xz_sample() -> Vec<u8> {
        let body = b"0 a\n1 b\n";
        let crc = |b: &[u8]| {
            let mut c = flate2::Crc::new();
            c.update(b);
            c.sum().to_le_bytes()
        };
        let mut x = vec![0xFD, b'7', b'z', b'X', b'Z', 0];
        let flags = [0u8, 1];
        x.extend(flags);
        x.extend(crc(&flags));
        let mut header = vec![2u8, 0, 0x21, 1, 0x08, 0, 0, 0];
        header.extend(crc(&header.clone()));
        x.extend(&header);
        let mut data = vec![1u8, 0, body.len() as u8 - 1];
        data.extend(body);
        data.push(0);
        let unpadded = header.len() + data.len() + 4;
        while data.len() % 4 != 0 {
            data.push(0);
        }
        x.extend(&data);
        x.extend(crc(body));
        let mut index = vec![0u8, 1, unpadded as u8, body.len() as u8];
        index.extend(crc(&index.clone()));
        x.extend(&index);
        let mut foot = (index.len() as u32 / 4 - 1).to_le_bytes().to_vec();
        foot.extend(flags);
        x.extend(crc(&foot));
        x.extend(foot);
        x.extend(b"YZ");
        x
    }

    #[test]
    fn blocks_of_any_size_change_nothing() {
        let plain = sample(300);
        let (_, whole) = read(&plain, &Limits::default());
        for block in [1, 2, 3, 7, 64, 1000] {
            let limits = Limits {
                block_bytes: block,
                ..Limits::default()
            };
            let (_, all) = read(&plain, &limits);
            assert_eq!(all.events, whole.events, "block of {block}");
            assert_eq!(all.rejects, whole.rejects, "block of {block}");
            assert_eq!(all.bytes, plain, "block of {block}");
        }
    }

    #[test]
    fn utf16_keeps_the_places_of_the_file_as_received() {
        let text = "1 Zo\u{e9}\r\n2 \u{1F600} x\r\nbad\r\n3 end";
        for (big, mark) in [(false, true), (true, true), (false, false)] {
            let mut raw = vec![];
            let units: Vec<u16> = mark
                .then_some(0xFEFF)
                .into_iter()
                .chain(text.encode_utf16())
                .collect();
            for u in &units {
                raw.extend(if big {
                    u.to_be_bytes()
                } else {
                    u.to_le_bytes()
                });
            }
            if !mark {
                // Too few zero bytes would be no sign; plain lines follow.
                raw.extend(
                    "\n9 plain ascii text"
                        .repeat(9)
                        .encode_utf16()
                        .flat_map(u16::to_le_bytes),
                );
            }
            let small = Limits {
                block_bytes: 5,
                ..Limits::default()
            };
            for limits in [Limits::default(), small] {
                let (_, all) = read(&raw, &limits);
                assert_eq!(all.bytes, raw);
                let users: Vec<&str> = all.events.iter().map(|e| &*e.user).take(3).collect();
                assert_eq!(users, ["Zo\u{e9}", "\u{1F600} x", "end"]);
                for e in &all.events {
                    let b = &raw[e.offset as usize..(e.offset + e.len) as usize];
                    let unit = |c: &[u8]| {
                        let c = [c[0], c[1]];
                        if big {
                            u16::from_be_bytes(c)
                        } else {
                            u16::from_le_bytes(c)
                        }
                    };
                    let u: Vec<u16> = b.chunks_exact(2).map(unit).collect();
                    let line = String::from_utf16(&u).unwrap();
                    assert!(line.trim_end().ends_with(&*e.user), "{line}");
                }
                let b = &raw[all.rejects[0].offset as usize..][..6];
                assert_eq!(b[usize::from(big)], b'b');
            }
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_record() {
        let (r, all) = read("\u{feff}1 a\n".as_bytes(), &Limits::default());
        assert_eq!((r.events, all.events[0].offset), (1, 3));
        assert_eq!(all.bytes.len(), 7);
        let (r, _) = read("\u{feff}".as_bytes(), &Limits::default());
        assert_eq!(r.records, 0);
    }

    #[test]
    fn a_record_above_the_limit_is_one_reject_and_reading_goes_on() {
        let mut input = b"1 a\n2 ".to_vec();
        input.extend(vec![b'x'; 100_000]);
        input.extend(b"\n3 b\n");
        let limits = Limits {
            block_bytes: 1000,
            record_bytes: 10_000,
            ..Limits::default()
        };
        let (r, all) = read(&input, &limits);
        assert_eq!((r.events, r.rejects), (2, 1));
        let t = &all.rejects[0];
        assert_eq!((t.reason, t.offset, t.len), (Reason::TooLong, 4, 100_003));
        assert_eq!((t.record, all.events[1].record), (2, 3));
        assert_eq!(all.bytes, input);
    }

    #[test]
    fn a_bomb_is_capped_and_damage_is_counted() {
        let line = b"1 a\n".repeat(1_000_000);
        let bomb = zstd::stream::encode_all(&line[..], 1).unwrap();
        let limits = Limits {
            decompressed_bytes: 100_000,
            ..Limits::default()
        };
        let (r, all) = read(&bomb, &limits);
        assert_eq!((r.events, r.rejects), (25_000, 1));
        assert_eq!(all.rejects[0].reason, Reason::Capped);
        assert!(
            r.notes[0].contains("more than 100000 bytes"),
            "{:?}",
            r.notes
        );
        let exact = Limits {
            decompressed_bytes: line.len() as u64,
            ..Limits::default()
        };
        assert_eq!(read(&bomb, &exact).0.rejects, 0);
        let mut e = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        e.write_all(&sample(1000)).unwrap();
        let mut cut = e.finish().unwrap();
        cut.truncate(cut.len() / 2);
        let (r, all) = read(&cut, &Limits::default());
        assert!(r.events > 0);
        assert_eq!(all.rejects.last().unwrap().reason, Reason::Damaged);
        let (r, _) = read(b"PK\x03\x04 and nothing that is a zip", &Limits::default());
        assert_eq!((r.records, r.rejects), (1, 1));
    }

    #[test]
    fn unknown_and_empty_files_are_counted() {
        let run = |b: &[u8]| {
            let mut all = Collect::default();
            let r = read_bytes(
                b,
                0,
                None,
                &Setting::default(),
                &Limits::default(),
                &mut all,
            )
            .unwrap();
            (r.format, r.records, r.rejects, r.skipped, all.rejects)
        };
        let (format, records, rejects, skipped, list) = run(b"??? what\n\nis this\n");
        assert_eq!((format, records, rejects, skipped), ("unknown", 3, 2, 1));
        assert_eq!(list[0].reason, Reason::UnknownFormat);
        let mut binary = vec![0u8, 1, 2, 3];
        binary.extend(vec![7; 3_000_000]);
        let (_, records, rejects, ..) = run(&binary);
        assert_eq!((records, rejects), (1, 1));
        assert_eq!(run(b"").1, 0);
    }
}
