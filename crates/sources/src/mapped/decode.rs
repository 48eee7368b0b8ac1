//! Decoding by a [`Plan`].
use super::{
    fields::{self, Slots},
    plan::{Carry, Container, Kind, KvShape, Place, Plan, Says, Target, Test, Way, Ways, When},
    stamp,
    steps::{self, Step},
};
#[cfg(feature = "vrl")]
use crate::Stop;
use crate::{
    Decode, Decoded, Head, Reason, Setting, kv, lines, net,
    scan::{self, Elements, RECORD_MAX, Seen, Values, XmlStop},
    syslog,
    time::{Clock, Stamp},
};
use ampleur_event::{
    Event, Outcome, System, TimeNote, Verb,
    batch::{NONE, OBSERVER},
    time::{DAY, Nanos},
};
use memchr::memmem::Finder;
use rustc_hash::FxHashMap;
use std::{borrow::Cow, collections::VecDeque, ops::Range, sync::LazyLock};

/// A mapping that could not be read decodes nothing: every line is a reject.
pub(super) struct Nothing;
impl Decode for Nothing {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        lines::each(bytes, last, out, |_, at, len, _, out| {
            out.reject(bytes, at, len, Reason::UnknownFormat)
        })
    }
}

/// The decoder of one file: how records are cut, and what is made of each.
pub(super) struct Opened {
    cut: Cut,
    decoder: Decoder,
}

enum Cut {
    /// JSON values, on one line or many, in arrays or containers.
    Values(Values),
    Lines,
    /// Records of several lines, each begun by a line that matches `begin`. Lines end with a carriage return where the file has nothing
    /// else (HL7 v2.5.1 §2.5.1).
    Begun {
        line_end: u8,
    },
    /// XML elements of one name, whatever stands around them.
    Elements(Box<Elements>),
    /// Rows whose quoted cells may hold line ends.
    Rows {
        quote: u8,
    },
}

impl Opened {
    pub(super) fn new(plan: &'static Plan, head: &Head<'_>, setting: &Setting) -> Opened {
        let only = |c: Container| plan.containers.iter().all(|x| *x == c);
        let has = |c: Container| plan.containers.contains(&c);
        let first = head.bytes.get(scan::past_space(head.bytes, 0)).copied();
        let json = has(Container::Json) && scan::opens_json(head.bytes);
        let container = json.then(|| container(plan, head.bytes)).flatten();
        let values = json
            && (only(Container::Json) || container.is_some() || super::spans_lines(head.bytes));
        let rows = first != Some(b'{') && has_rows(plan, head.bytes);
        let cut = if rows {
            Cut::Rows {
                quote: plan.csv.quote.unwrap_or(b'"'),
            }
        } else if has(Container::Xml) && is_markup(head.bytes) {
            let name = element(plan, head.bytes);
            let (open, close) = (format!("<{name}"), format!("</{name}>"));
            Cut::Elements(Box::new(Elements::with_heading(&open, &close)))
        } else if plan.begin.is_some() && !json {
            let there = |b: u8| memchr::memchr(b, head.bytes).is_some();
            Cut::Begun {
                line_end: if !there(b'\n') && there(b'\r') {
                    b'\r'
                } else {
                    b'\n'
                },
            }
        } else if values {
            Cut::Values(match container {
                Some(key) => Values::marked(key, key),
                None => Values::new(""),
            })
        } else if has(Container::Csv)
            && !plan.syslog
            && plan.csv.quote.is_some()
            && first != Some(b'{')
        {
            Cut::Rows {
                quote: plan.csv.quote.unwrap_or(b'"'),
            }
        } else {
            Cut::Lines
        };
        Opened {
            cut,
            decoder: Decoder {
                delimiter: delimiter(plan, head.bytes),
                rows,
                fits: Decoder::new(plan, setting).fitting(head.bytes),
                ..Decoder::new(plan, setting)
            },
        }
    }
}

/// Windows PowerShell says above the header what its rows are.
const TYPE_LINE: &str = "#TYPE ";

/// The first line that says something of the rows.
fn first_row(bytes: &[u8]) -> &[u8] {
    bytes
        .split(|b| *b == b'\n')
        .find(|l| !lines::is_blank(l) && !l.starts_with(TYPE_LINE.as_bytes()))
        .unwrap_or_default()
}

/// True when a file that may be text begins with a header of known columns.
fn has_rows(plan: &Plan, bytes: &[u8]) -> bool {
    let has = |c: Container| plan.containers.contains(&c);
    if !has(Container::Csv) || !has(Container::Text) || !plan.csv.header {
        return false;
    }
    let line = first_row(bytes);
    let text = lines::text(line);
    let mut cells = vec![];
    let text = text.trim_start_matches('\u{feff}').trim_end();
    fields::cells(text, delimiter(plan, bytes), plan.csv.quote, &mut cells);
    let known = |c: &&Cow<'_, str>| plan.csv.column(&plan.names, c).is_some();
    cells.iter().filter(known).count() >= 3
}

/// The delimiter of the file; where the mapping leaves it open, the one its first line has most of.
fn delimiter(plan: &Plan, head: &[u8]) -> u8 {
    if plan.csv.delimiter != 0 {
        return plan.csv.delimiter;
    }
    let line = first_row(head);
    let count = |d: u8| line.iter().filter(|b| **b == d).count();
    b";\t|,"
        .iter()
        .copied()
        .max_by_key(|d| count(*d))
        .unwrap_or(b',')
}

/// The key under which this file keeps its records: `{"records":[{…}]}`.
fn container(plan: &Plan, bytes: &[u8]) -> Option<&'static str> {
    let at = scan::past_space(bytes, 0);
    if bytes.get(at) != Some(&b'{') {
        return None;
    }
    plan.records.iter().copied().find(|key| {
        scan::array_of(bytes, at, key)
            .is_ok_and(|i| bytes.get(scan::past_space(bytes, i)) == Some(&b'{'))
    })
}

/// Begins with a tag, a declaration or a comment; a syslog priority (`<13>`) is none.
fn is_markup(bytes: &[u8]) -> bool {
    let at = scan::past_space(bytes, scan::mark(bytes, 0));
    matches!(
        bytes.get(at..at + 2),
        Some([b'<', b'A'..=b'Z' | b'a'..=b'z' | b'?' | b'!'])
    )
}

/// The record element that comes first in this file.
fn element(plan: &Plan, bytes: &[u8]) -> &'static str {
    let first = |name: &&str| {
        memchr::memmem::find_iter(bytes, name.as_bytes())
            .find(|i| *i > 0 && bytes[i - 1] == b'<')
            .unwrap_or(usize::MAX)
    };
    plan.records.iter().copied().min_by_key(first).unwrap_or("")
}

impl Decode for Opened {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let d = &mut self.decoder;
        match &mut self.cut {
            Cut::Values(values) => values.run(bytes, last, out, |value, at, len, _, out| {
                let text = lines::text(value);
                match d.record(&text, at, len, out) {
                    Ok(()) => Seen::Done,
                    Err(Reason::Truncated) => Seen::Cut,
                    Err(reason) => {
                        out.reject(bytes, at, len, reason);
                        Seen::Done
                    }
                }
            }),
            Cut::Elements(elements) => elements.run(
                bytes,
                last,
                out,
                |element, at, out| {
                    if let Err(reason) = d.record(&lines::text(element), at, element.len(), out) {
                        out.reject(bytes, at, element.len(), reason);
                    }
                },
                |bytes, at, len, out| out.reject(bytes, at, len, Reason::Truncated),
            ),
            Cut::Lines => {
                let mut start = scan::mark(bytes, out.base);
                loop {
                    let end = memchr::memchr(b'\n', &bytes[start..]);
                    let (line, next, finished) = match end {
                        Some(i) => (&bytes[start..start + i], start + i + 1, true),
                        None if last && start < bytes.len() => {
                            (&bytes[start..], bytes.len(), false)
                        }
                        None => return start,
                    };
                    d.line(bytes, line, start, next - start, finished, out);
                    start = next;
                }
            }
            Cut::Begun { line_end } => {
                let line_end = *line_end;
                let mut start = scan::mark(bytes, out.base);
                let (mut at, mut open, mut begun) = (start, false, false);
                loop {
                    let (end, next) = match memchr::memchr(line_end, &bytes[at..]) {
                        Some(i) => (at + i, at + i + 1),
                        None if last && at < bytes.len() => (bytes.len(), bytes.len()),
                        None => break,
                    };
                    let begins = d.begins(&bytes[at..end]);
                    // Lines before the first begin stand for themselves.
                    if open && (begins || !begun || next - start > RECORD_MAX) {
                        d.block(bytes, start, at, out);
                        start = at;
                        open = false;
                    }
                    begun = if open { begun } else { begins };
                    open = true;
                    at = next;
                }
                if last && open {
                    d.block(bytes, start, at, out);
                    start = at;
                }
                start
            }
            Cut::Rows { quote } => {
                let quote = *quote;
                let mut start = scan::mark(bytes, out.base);
                while start < bytes.len() {
                    match row_end(&bytes[start..], quote, last) {
                        RowEnd::At(n) => {
                            let row = &bytes[start..start + n];
                            let next = (start + n + 1).min(bytes.len());
                            let finished = start + n < bytes.len();
                            d.line(bytes, row, start, next - start, finished, out);
                            start = next;
                        }
                        RowEnd::More => return start,
                        RowEnd::Broken(n) => {
                            let next = (start + n + 1).min(bytes.len());
                            out.reject(bytes, start, next - start, Reason::Truncated);
                            start = next;
                        }
                    }
                }
                bytes.len()
            }
        }
    }
    fn cut(&self, bytes: &[u8], most: usize) -> Option<usize> {
        match &self.cut {
            Cut::Values(values) => values.cut(bytes, most),
            _ if self.is_by_lines() => lines::cut(bytes, most),
            _ => None,
        }
    }
    fn apart(&self) -> Option<Box<dyn Decode>> {
        let cut = match &self.cut {
            Cut::Values(values) if self.decoder.plan.carries.is_empty() => {
                Cut::Values(values.apart()?)
            }
            _ if self.is_by_lines() => Cut::Lines,
            _ => return None,
        };
        Some(Box::new(Opened {
            cut,
            decoder: self.decoder.apart(),
        }))
    }
    fn leaned(&self) -> bool {
        self.decoder.headed || self.decoder.clock.leaned()
    }
}

/// Records of one line each, of which only the header and the clock are told by lines before.
impl Opened {
    fn is_by_lines(&self) -> bool {
        matches!(self.cut, Cut::Lines) && self.decoder.plan.carries.is_empty()
    }
}

enum RowEnd {
    At(usize),
    More,
    /// A quote that never closes: the first line alone is broken.
    Broken(usize),
}

/// Longest row with line ends inside quotes.
const ROW_MAX: usize = 1 << 20;

fn row_end(b: &[u8], quote: u8, last: bool) -> RowEnd {
    let mut quoted = false;
    for i in memchr::memchr2_iter(b'\n', quote, b) {
        if b[i] == quote {
            quoted = !quoted;
        } else if !quoted {
            return RowEnd::At(i);
        } else if i > ROW_MAX {
            break;
        }
    }
    let first = memchr::memchr(b'\n', b);
    if quoted && (last || b.len() > ROW_MAX) {
        return RowEnd::Broken(first.unwrap_or(b.len()));
    }
    if last {
        RowEnd::At(b.len())
    } else if b.len() > RECORD_MAX {
        RowEnd::Broken(first.unwrap_or(b.len()))
    } else {
        RowEnd::More
    }
}

/// Keys under which collectors keep the line they forwarded.
const ENVELOPE: &[&str] = &[
    "message",
    "log",
    "event.original",
    "full_message",
    "short_message",
    "MESSAGE",
    "@message",
    "_raw",
    "raw",
];

/// The line inside the JSON of a collector (Filebeat, Logstash, GELF, journald, Fluentd).
pub(super) fn envelope(text: &str) -> Option<Cow<'_, str>> {
    let pairs = scan::flatten(text).ok()?;
    ENVELOPE.iter().find_map(|k| {
        pairs
            .iter()
            .find(|(n, v)| n == k && !v.is_empty())
            .map(|(_, v)| v.clone())
    })
}

/// The object that is the record inside another one.
fn within(plan: &Plan, text: &str) -> Option<String> {
    let key = plan.inner?;
    // Exports of one service do not agree on the case of its first letter.
    memchr::memmem::find(text.as_bytes(), key.as_bytes().get(1..)?)?;
    let all: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    let inner = all
        .into_iter()
        .find(|(k, _)| k.eq_ignore_ascii_case(key))?
        .1;
    match inner {
        serde_json::Value::Object(_) => Some(inner.to_string()),
        // The object as text.
        serde_json::Value::String(inner) if inner.trim_start().starts_with('{') => Some(inner),
        _ => None,
    }
}

/// What is made of one record, whatever it was cut from.
pub(crate) struct Decoder {
    plan: &'static Plan,
    clock: Clock,
    accounts: Option<System>,
    scratch: Slots<'static>,
    extra: String,
    said: Said,
    /// The slots of keys, and of CEF the headers so far and memory for the pairs of a record.
    course: kv::Course<Means>,
    heads: kv::CefHeads,
    front: Front,
    /// Where the keys and values of a record's pairs are in its body.
    pairs: Vec<(Range<usize>, Range<usize>)>,
    /// Which of them say what another is called.
    labels: Vec<usize>,
    /// Slots of the columns of the last header row (CSV) or `#Fields:` line (W3C).
    header: Option<Vec<Option<u16>>>,
    header_text: String,
    /// A header was read since this one was made.
    headed: bool,
    /// Slots whose column says that its times are UTC.
    utc: Vec<u16>,
    marks: Vec<bool>,
    /// Between the cells of CSV.
    delimiter: u8,
    /// The file is rows of cells, though the mapping also reads text.
    rows: bool,
    /// By way of `times`: which of its layouts fit this file, a bit each; nothing known where there is none.
    fits: Vec<u32>,
    /// By `[[carry]]` of the plan: what the rows so far told.
    carried: Vec<Carried>,
}

/// The syslog header of the record before. Most records of a burst repeat it, and then it is compared and not read.
#[derive(Default)]
struct Front {
    /// Nothing: the next one is read.
    text: String,
    header: Option<syslog::Header<'static>>,
    /// Where its host, program and message id are.
    words: [Range<usize>; 3],
}

impl Front {
    /// Longest header kept.
    const KEPT: usize = 256;

    fn header<'a>(&mut self, text: &'a str, clock: &mut Clock) -> Option<syslog::Header<'a>> {
        if let Some(known) = &self.header
            && self.text == text
        {
            clock.again(known.time);
            let [host, program, id] = self.words.each_ref().map(|w| &text[w.clone()]);
            return Some(syslog::Header {
                host,
                program,
                id,
                ..*known
            });
        }
        self.header = None;
        let read = syslog::header(text, clock)?;
        // What an hour that comes twice means hangs on what came before.
        if read.time.note != TimeNote::Folded && text.len() <= Self::KEPT {
            self.text.clear();
            self.text.push_str(text);
            self.words = [read.host, read.program, read.id].map(|w| place(text, w));
            self.header = Some(syslog::Header {
                host: "",
                program: "",
                id: "",
                ..read
            });
        }
        Some(read)
    }
}

/// Where a part of a text is in it.
fn place(text: &str, part: &str) -> Range<usize> {
    let from = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
    match text.get(from..from.wrapping_add(part.len())) {
        Some(_) => from..from + part.len(),
        None => 0..0,
    }
}

/// What a key of CEF means to a mapping.
#[derive(Clone, Copy)]
struct Means {
    slot: Option<u16>,
    /// It says what another key holds.
    label: bool,
}

impl Means {
    fn of(plan: &Plan, key: &str) -> Means {
        Means {
            slot: plan.names.find(key),
            label: !plan.labels.is_empty() && key.ends_with("Label"),
        }
    }
}

/// What the rows so far told, by machine and key.
#[derive(Default)]
struct Carried {
    of: FxHashMap<String, Vec<String>>,
    /// The keys of `of` in the order they came, and such as are gone from it.
    order: VecDeque<String>,
    key: String,
}

impl Carried {
    /// Keys followed at a time: more go on in one file only when their ends are missing, and then the oldest are over.
    const KEYS: usize = 1 << 16;

    fn carry(&mut self, c: &Carry, host: &str, slots: &mut Slots<'_>) {
        if c.key.iter().any(|s| slots.get(*s).is_empty()) {
            return;
        }
        self.key.clear();
        self.key.push_str(host);
        for s in &c.key {
            self.key.push('\0');
            self.key.push_str(slots.get(*s));
        }
        let holds = |w: &When, slots: &Slots<'_>| meets(w, slots, "", None);
        if c.begin.as_ref().is_some_and(|w| holds(w, slots)) {
            self.of.remove(&self.key);
        }
        let (tells, told) = (holds(&c.from, slots), holds(&c.to, slots));
        let said = |s: &u16| !steps::nothing(slots.get(*s));
        let new: Option<Vec<String>> = (tells && c.fields.iter().any(said)).then(|| {
            let text = |s: &u16| match said(s) {
                true => slots.get(*s).to_string(),
                false => String::new(),
            };
            c.fields.iter().map(text).collect()
        });
        if told && let Some(values) = self.of.get(&self.key) {
            for (s, v) in c.fields.iter().zip(values) {
                if !v.is_empty() {
                    slots.put(*s, Cow::Owned(v.clone()));
                }
            }
        }
        if let Some(new) = new {
            match self.of.get_mut(&self.key) {
                Some(old) => {
                    for (o, n) in old.iter_mut().zip(new) {
                        if !n.is_empty() {
                            *o = n;
                        }
                    }
                }
                None => {
                    self.of.insert(self.key.clone(), new);
                    self.order.push_back(self.key.clone());
                    while self.order.len() > Self::KEYS
                        && let Some(oldest) = self.order.pop_front()
                    {
                        self.of.remove(&oldest);
                    }
                }
            }
        }
        if c.end.as_ref().is_some_and(|w| holds(w, slots)) {
            self.of.remove(&self.key);
        }
    }
}

static CEF: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"CEF:"));
static LEEF: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"LEEF:"));

/// What the word of the record before says of its outcome: few words say it in most files.
#[derive(Default)]
struct Said {
    word: String,
    outcome: Option<Outcome>,
}

impl Said {
    #[inline]
    fn outcome(&mut self, plan: &Plan, word: &str) -> Option<Outcome> {
        if self.word != word {
            let holds = |tests: &[Test]| tests.iter().any(|t| t.holds(word));
            self.outcome = if holds(&plan.failure) {
                Some(Outcome::Failure)
            } else {
                holds(&plan.success).then_some(Outcome::Success)
            };
            self.word.clear();
            self.word.push_str(word);
        }
        self.outcome
    }
}

/// Parts of the text around a record.
#[derive(Clone, Copy, Default)]
struct Around<'a> {
    header: Option<syslog::Header<'a>>,
    /// The machine the header names.
    host: &'a str,
    payload: &'a str,
    started: bool,
}

/// A record whose slots are filled: its surroundings and what a pattern said. `None`: the line is a header, no record.
type Read<'a> = Result<Option<(Around<'a>, Option<&'static Says>)>, Reason>;

impl Decoder {
    pub(super) fn new(plan: &'static Plan, setting: &Setting) -> Decoder {
        let mut layout_header = None;
        if plan.containers.contains(&Container::W3c)
            && let Some(l) = plan.csv.layouts.first()
        {
            layout_header = Some(l.columns.clone());
        }
        Decoder {
            plan,
            clock: Clock::new(setting),
            accounts: setting.accounts,
            scratch: Slots::default(),
            extra: String::new(),
            said: Said::default(),
            course: kv::Course::new(Means::of(plan, "")),
            heads: kv::CefHeads::default(),
            front: Front::default(),
            pairs: vec![],
            labels: vec![],
            header: layout_header,
            header_text: String::new(),
            headed: false,
            utc: vec![],
            marks: vec![],
            rows: false,
            fits: vec![],
            carried: plan.carries.iter().map(|_| Carried::default()).collect(),
            delimiter: match plan.csv.delimiter {
                0 => b',',
                d => d,
            },
        }
    }

    /// One that goes on in another part of the file.
    fn apart(&self) -> Decoder {
        Decoder {
            plan: self.plan,
            clock: self.clock.apart(),
            accounts: self.accounts,
            scratch: Slots::default(),
            extra: String::new(),
            said: Said::default(),
            course: kv::Course::new(Means::of(self.plan, "")),
            heads: kv::CefHeads::default(),
            front: Front::default(),
            pairs: vec![],
            labels: vec![],
            header: self.header.clone(),
            header_text: self.header_text.clone(),
            headed: false,
            utc: self.utc.clone(),
            marks: vec![],
            delimiter: self.delimiter,
            rows: self.rows,
            fits: self.fits.clone(),
            carried: self.carried.iter().map(|_| Carried::default()).collect(),
        }
    }

    /// One line: blank and comment lines are skips, all else an event or a reject.
    fn line(
        &mut self,
        bytes: &[u8],
        line: &[u8],
        at: usize,
        len: usize,
        finished: bool,
        out: &mut Decoded,
    ) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if lines::is_blank(line) {
            out.skip();
            return;
        }
        if line.len() > RECORD_MAX {
            out.reject(bytes, at, len, Reason::TooLong);
            return;
        }
        let text = lines::text(line);
        if line.first() == Some(&b'#') {
            if let Some(fields) = text.strip_prefix("#Fields:") {
                self.fields(fields);
            }
            out.skip();
            return;
        }
        if self.plan.skip.as_ref().is_some_and(|s| s.is_match(&text)) {
            out.skip();
            return;
        }
        if let Err(reason) = self.record(&text, at, len, out) {
            let reason = match reason {
                Reason::Shape | Reason::Program { .. } if !finished => Reason::Truncated,
                r => r,
            };
            out.reject(bytes, at, len, reason);
        }
    }

    /// True when this line begins a record of several lines.
    fn begins(&self, line: &[u8]) -> bool {
        let text = lines::text(line);
        self.plan.begin.as_ref().is_some_and(|b| b.is_match(&text))
    }

    /// The lines from `start` to `end` as one record.
    fn block(&mut self, bytes: &[u8], start: usize, end: usize, out: &mut Decoded) {
        let whole = &bytes[start..end];
        let finished = matches!(whole.last(), Some(b'\n' | b'\r'));
        let cut = whole
            .iter()
            .rposition(|b| !matches!(b, b'\n' | b'\r'))
            .map_or(0, |i| i + 1);
        self.line(bytes, &whole[..cut], start, end - start, finished, out);
    }

    /// `#Fields: date time c-ip …` of the W3C extended format; it may change in the middle of a file.
    fn fields(&mut self, text: &str) {
        let tabs = text.contains('\t');
        let names: Vec<Option<u16>> = text
            .trim()
            .split(|c: char| if tabs { c == '\t' } else { c == ' ' })
            .filter(|w| !w.is_empty())
            .map(|w| self.plan.names.find(w))
            .collect();
        self.header = Some(names);
        self.headed = true;
    }

    /// One record. `Err` means that nothing was accounted for.
    pub(crate) fn record(
        &mut self,
        text: &str,
        at: usize,
        len: usize,
        out: &mut Decoded,
    ) -> Result<(), Reason> {
        let first = text.trim_start().as_bytes().first().copied();
        #[cfg(feature = "vrl")]
        if let Some(program) = &self.plan.program {
            let Err(reason) = self.programmed(program, text, at, len, out) else {
                return Ok(());
            };
            // Perhaps only the envelope of a collector.
            if first == Some(b'{')
                && let Some(inner) = envelope(text)
                && let inner = inner.trim_end_matches(['\n', '\r', '\0'])
                && self.programmed(program, inner, at, len, out).is_ok()
            {
                return Ok(());
            }
            let Reason::Program {
                stop: Stop::Aborted | Stop::Nothing,
                ..
            } = reason
            else {
                return Err(reason);
            };
            if !program.abort_skips {
                return Err(reason);
            }
            out.skip();
            return Ok(());
        }
        if first == Some(b'{') {
            let json = self.plan.containers.contains(&Container::Json);
            if let Some(inner) = within(self.plan, text) {
                return self.attempt(&inner, text, at, len, out);
            }
            if json {
                match self.attempt(text, text, at, len, out) {
                    Err(Reason::Shape | Reason::Field(_)) => {}
                    done => return done,
                }
            }
            // Perhaps only the envelope of a collector.
            return match envelope(text) {
                Some(inner) => self.attempt(
                    inner.trim_end_matches(['\n', '\r', '\0']),
                    text,
                    at,
                    len,
                    out,
                ),
                None if json => Err(Reason::Shape),
                None => self.attempt(text, text, at, len, out),
            };
        }
        self.attempt(text, text, at, len, out)
    }

    /// What a program makes of one record. `Err` means that nothing was accounted for; of several results each is a record.
    #[cfg(feature = "vrl")]
    fn programmed(
        &mut self,
        program: &'static super::program::Program,
        text: &str,
        at: usize,
        len: usize,
        out: &mut Decoded,
    ) -> Result<(), Reason> {
        let around = self.around(text);
        let payload = around.payload.trim_start();
        let results = program.run(payload)?.0;
        let alone = results.len() == 1;
        for value in &results {
            let memory = std::mem::take(&mut self.scratch);
            let mut slots = Slots::new(memory, self.plan.names.list().len());
            let read = self.plan.trie.value(value, &mut slots).and_then(|()| {
                let understood = slots.filled >= self.plan.known.min(1);
                self.rest(around, payload, Container::Vrl, understood, &mut slots)
            });
            let done = self.account(read, &mut slots, at, len, out);
            self.scratch = slots.recycle();
            match done {
                Ok(()) => {}
                Err(reason) if alone => return Err(reason),
                Err(reason) => out.refuse(text.as_bytes(), at, len, reason, None),
            }
        }
        Ok(())
    }

    fn attempt(
        &mut self,
        text: &str,
        whole: &str,
        at: usize,
        len: usize,
        out: &mut Decoded,
    ) -> Result<(), Reason> {
        let plan = self.plan;
        let memory = std::mem::take(&mut self.scratch);
        let mut slots = Slots::new(memory, plan.names.list().len());
        let read = self.read(text, whole, &mut slots);
        let done = self.account(read, &mut slots, at, len, out);
        self.scratch = slots.recycle();
        done
    }

    /// Counts a record that was read: an event, or a header and no record. `Err` means that nothing was accounted for.
    fn account<'a>(
        &mut self,
        read: Read<'a>,
        slots: &mut Slots<'a>,
        at: usize,
        len: usize,
        out: &mut Decoded,
    ) -> Result<(), Reason> {
        let Some((around, says)) = read? else {
            out.skip();
            return Ok(());
        };
        let mut extra = std::mem::take(&mut self.extra);
        extra.clear();
        let mut e = Event::default();
        let done = self.event(&around, says, slots, &mut extra, &mut e);
        if done.is_ok() {
            e.extra = Cow::Borrowed(&extra);
            out.next(&mut e, at, len);
        }
        drop(e);
        self.extra = extra;
        done
    }

    /// Cuts the envelope off.
    fn around<'a>(&mut self, text: &'a str) -> Around<'a> {
        let plan = self.plan;
        let mut a = Around {
            payload: text,
            ..Around::default()
        };
        let mark = plan
            .start
            .iter()
            .filter_map(|s| memchr::memmem::find(text.as_bytes(), s.as_bytes()))
            .min();
        if let Some(i) = mark {
            a.payload = &text[i..];
            a.started = true;
            if plan.syslog && i > 0 {
                a.header = self.front.header(text[..i].trim_end(), &mut self.clock);
            }
            return a;
        }
        if !plan.syslog {
            return a;
        }
        let cef = plan.containers.iter().find_map(|c| match c {
            Container::Cef => CEF.find(text.as_bytes()),
            Container::Leef => LEEF.find(text.as_bytes()),
            _ => None,
        });
        if let Some(i) = cef {
            a.payload = &text[i..];
            if i > 0 {
                a.header = self.front.header(text[..i].trim_end(), &mut self.clock);
            }
            return a;
        }
        a.header = syslog::header(text, &mut self.clock);
        if let Some(h) = &a.header {
            a.payload = text.get(h.message..).unwrap_or("");
        }
        a
    }

    /// Fills the slots. `None`: the line is a header, no record.
    fn read<'a>(&mut self, text: &'a str, whole: &'a str, slots: &mut Slots<'a>) -> Read<'a> {
        let plan = self.plan;
        let has = |c: Container| plan.containers.contains(&c);
        let xml = has(Container::Xml) && is_markup(text.as_bytes());
        // An object has no header, whatever its values look like.
        let object = has(Container::Json) && text.trim_start().starts_with('{');
        let around = if xml || object || self.rows {
            Around {
                payload: text,
                ..Around::default()
            }
        } else {
            self.around(text)
        };
        let mut payload = around.payload.trim_start();
        let mut understood = false;
        let mut kind = match (self.rows, xml) {
            (true, _) => Some(Container::Csv),
            (false, true) => Some(Container::Xml),
            _ => None,
        };
        if has(Container::Json) && kind.is_none() {
            let open = if payload.starts_with('{') {
                Some(0)
            } else if plan.containers.len() == 1 {
                memchr::memchr(b'{', payload.as_bytes())
            } else {
                None
            };
            if let Some(i) = open {
                payload = &payload[i..];
                kind = Some(Container::Json);
            }
        }
        if kind.is_none()
            && has(Container::Cef)
            && (payload.starts_with("CEF:") || payload.starts_with("0|"))
        {
            kind = Some(Container::Cef);
        }
        if kind.is_none() && has(Container::Leef) && payload.starts_with("LEEF:") {
            kind = Some(Container::Leef);
        }
        let kind = match kind {
            Some(k) => k,
            None => match plan.containers.iter().find(|c| {
                !matches!(
                    c,
                    Container::Json | Container::Cef | Container::Leef | Container::Xml
                )
            }) {
                Some(k) => *k,
                None => return Err(Reason::Shape),
            },
        };
        match kind {
            Container::Json => match plan.trie.json(payload, slots) {
                Ok(_) => understood = slots.filled >= plan.known.min(1),
                Err(e) if e.is_eof() => return Err(Reason::Truncated),
                Err(_) => return Err(Reason::Shape),
            },
            Container::Cef => {
                let body = payload.strip_prefix("CEF:").unwrap_or(payload).trim_start();
                let (head, pairs) = self.heads.split(body).ok_or(Reason::Shape)?;
                // Escapes are rare: one look tells that a record has none.
                let escaped = memchr::memchr(b'\\', body.as_bytes()).is_some();
                for (s, h) in plan.slots.head.iter().zip(&head[1..]) {
                    match escaped {
                        true => slots.put(*s, kv::unescape_cef(h)),
                        false => slots.put_text(*s, h),
                    }
                }
                self.pairs.clear();
                self.labels.clear();
                self.course.begin();
                let mut pairs = pairs;
                let text = pairs.text();
                while let Some((means, k, v)) =
                    (self.course).extension(&mut pairs, |k| Means::of(plan, k))
                {
                    if let Some(s) = means.slot {
                        match escaped {
                            true => slots
                                .put(s, kv::unescape_cef_of(&text[k.clone()], &text[v.clone()])),
                            false => slots.put_text(s, &text[v.clone()]),
                        }
                    }
                    if means.label {
                        self.labels.push(self.pairs.len());
                    }
                    if !plan.labels.is_empty() {
                        self.pairs.push((k, v));
                    }
                }
                labelled(plan, text, &self.pairs, &self.labels, slots);
                understood = true;
            }
            Container::Leef => {
                let (head, delimiter, rest) = fields::leef(payload).ok_or(Reason::Shape)?;
                for (i, h) in head.iter().enumerate() {
                    slots.put(plan.slots.head[i], Cow::Borrowed(h));
                }
                fields::leef_pairs(rest, delimiter, |k, v| {
                    if let Some(s) = plan.names.find(k) {
                        slots.put(s, Cow::Borrowed(v));
                    }
                });
                understood = true;
            }
            Container::Xml => {
                fields::markup(payload, &plan.names, slots).map_err(XmlStop::reason)?;
                understood = slots.filled >= plan.known.max(1);
            }
            Container::Kv => {
                self.course.begin();
                let fits = |s: &&KvShape| s.regex.as_ref().is_none_or(|r| r.is_match(payload));
                fields::pairs(payload, plan.kv.iter().find(fits), |k, v, quoted| {
                    if let Some(s) = self.course.pass(k, |k| Means::of(plan, k)).slot {
                        slots.put(
                            s,
                            if quoted {
                                kv::unescape(v)
                            } else {
                                Cow::Borrowed(v)
                            },
                        );
                    }
                });
                understood = slots.filled >= plan.known;
            }
            Container::Csv => match self.row(payload, slots)? {
                Some(known) => understood = known,
                None => return Ok(None),
            },
            Container::W3c => {
                let header = self.header.as_ref().ok_or(Reason::Field("#Fields"))?;
                let delimiter = if payload.contains('\t') { b'\t' } else { b' ' };
                let mut cells = vec![];
                fields::cells(payload, delimiter, plan.csv.quote, &mut cells);
                if cells.len() + 1 < header.len() {
                    return Err(Reason::Shape);
                }
                for (c, s) in cells.into_iter().zip(header) {
                    if let Some(s) = s {
                        slots.put(*s, c);
                    }
                }
                understood = slots.filled > 0;
            }
            // A program fills the slots elsewhere.
            Container::Text | Container::Vrl => {}
        }
        let _ = whole;
        self.rest(around, payload, kind, understood, slots)
    }

    /// What the patterns and the header say, once the record's own fields are there.
    fn rest<'a>(
        &mut self,
        mut around: Around<'a>,
        payload: &'a str,
        kind: Container,
        understood: bool,
        slots: &mut Slots<'a>,
    ) -> Read<'a> {
        let plan = self.plan;
        slots.put_envelope(plan.slots.payload, Cow::Borrowed(payload));
        let says = self.patterns(payload, slots);
        if let Some(h) = &around.header {
            around.host = host_of(h);
            slots.put_envelope(plan.slots.host, Cow::Borrowed(around.host));
            slots.put_envelope(plan.slots.program, Cow::Borrowed(h.program));
            slots.put_envelope(plan.slots.id, Cow::Borrowed(h.id));
            if let Some(p) = h.pid {
                slots.put_envelope(plan.slots.pid, Cow::Owned(p.to_string()));
            }
            if let Some(p) = h.priority {
                slots.put_envelope(plan.slots.priority, syslog::priority_text(p));
            }
        }
        // A record nothing is known of is an event only when its envelope shows that it is a whole line of this source.
        let enveloped = around.started
            || around
                .header
                .is_some_and(|h| h.time != Stamp::NONE || !h.program.is_empty());
        let line = enveloped && !matches!(kind, Container::Json | Container::Xml | Container::Vrl);
        if !understood && says.is_none() {
            if !line {
                return Err(Reason::Shape);
            }
            if around.header.is_some_and(|h| self.torn(&h, payload)) {
                return Err(Reason::Truncated);
            }
        }
        around.payload = payload;
        Ok(Some((around, says)))
    }

    /// Whether a line that fits nothing breaks off: behind its header or in the name of the program, or where the mapping says what the
    /// start of an access looks like.
    fn torn(&self, h: &syslog::Header<'_>, payload: &str) -> bool {
        let in_name = |tag: &String| {
            let rest = payload.strip_prefix(tag.as_str());
            tag.starts_with(payload)
                || rest.and_then(|r| r.strip_prefix('[')).is_some_and(|pid| {
                    pid.trim_end_matches(']')
                        .bytes()
                        .all(|b| b.is_ascii_digit())
                })
        };
        payload.is_empty()
            || h.program.is_empty() && self.plan.tags.iter().any(in_name)
            || self.plan.cut.as_ref().is_some_and(|c| c.is_match(payload))
    }

    /// One row of cells. `None`: it is the header. `Some(false)`: no known cell.
    fn row<'a>(&mut self, payload: &'a str, slots: &mut Slots<'a>) -> Result<Option<bool>, Reason> {
        let plan = self.plan;
        if payload.starts_with(TYPE_LINE) {
            return Ok(None);
        }
        let mut cells = vec![];
        fields::cells(payload, self.delimiter, plan.csv.quote, &mut cells);
        if plan.csv.header {
            // Files that were put together keep their marks.
            let payload = payload.trim_start_matches('\u{feff}');
            if payload == self.header_text {
                return Ok(None);
            }
            // Once the header is known, cells of a row that are words of some column make no other one.
            let first = self.header.is_none();
            let known = (cells.iter())
                .filter(|c| match first {
                    true => plan.csv.column(&plan.names, c).is_some(),
                    false => plan.names.find(c.trim()).is_some(),
                })
                .count();
            let is_header = known >= 2 && known * 4 >= cells.len().min(12);
            if is_header || self.header.is_none() && plan.csv.layouts.is_empty() {
                let columns: Vec<Option<(u16, bool)>> = (cells.iter())
                    .map(|c| plan.csv.column(&plan.names, c))
                    .collect();
                self.utc = columns
                    .iter()
                    .flatten()
                    .filter(|c| c.1)
                    .map(|c| c.0)
                    .collect();
                self.header = Some(columns.into_iter().map(|c| Some(c?.0)).collect());
                self.header_text = payload.to_string();
                self.headed = true;
                return Ok(None);
            }
        }
        let columns: &[Option<u16>] = match &self.header {
            Some(h) => h,
            None => {
                &fields::layout_of(&plan.csv, &cells)
                    .ok_or(Reason::Shape)?
                    .columns
            }
        };
        if cells.len() < 2 && columns.len() > 1 {
            return Err(Reason::Shape);
        }
        for (c, s) in cells.into_iter().zip(columns) {
            if let Some(s) = s {
                slots.put(*s, steps::cut(c, str::trim));
            }
        }
        Ok(Some(slots.filled > 0))
    }

    /// The first pattern that matches, its captures put into their slots.
    fn patterns<'a>(&mut self, payload: &'a str, slots: &mut Slots<'a>) -> Option<&'static Says> {
        let plan = self.plan;
        if plan.patterns.is_empty() {
            return None;
        }
        let mut found = None;
        let attempt = |i: usize, slots: &mut Slots<'a>| {
            let p = &plan.patterns[i];
            let Some(on) = p.on else {
                let caps = p.regex.captures(payload)?;
                for (g, s) in &p.groups {
                    if let Some(m) = caps.get(*g) {
                        slots.put(*s, Cow::Borrowed(m.as_str()));
                    }
                }
                return Some(&p.says);
            };
            let value = slots.cow(on);
            if value.is_empty() {
                return None;
            }
            match value {
                Cow::Borrowed(v) => {
                    let caps = p.regex.captures(v)?;
                    for (g, s) in &p.groups {
                        if let Some(m) = caps.get(*g) {
                            slots.put(*s, Cow::Borrowed(m.as_str()));
                        }
                    }
                }
                Cow::Owned(v) => {
                    let caps = p.regex.captures(&v)?;
                    for (g, s) in &p.groups {
                        if let Some(m) = caps.get(*g) {
                            slots.put(*s, Cow::Owned(m.as_str().to_string()));
                        }
                    }
                }
            }
            Some(&p.says)
        };
        let chosen = plan.finder.as_ref().is_some_and(|f| {
            self.marks.clear();
            self.marks.resize(plan.patterns.len(), false);
            for i in &f.always {
                self.marks[usize::from(*i)] = true;
            }
            for m in f.automaton.find_overlapping_iter(payload) {
                for i in &f.of[m.pattern().as_usize()] {
                    self.marks[usize::from(*i)] = true;
                }
            }
            true
        });
        let mut passed = None;
        for i in 0..plan.patterns.len() {
            if chosen && !self.marks[i] {
                continue;
            }
            let Some(says) = attempt(i, slots) else {
                continue;
            };
            if !plan.patterns[i].goes_on {
                found = Some(says);
                break;
            }
            for (s, v) in &says.set {
                slots.put(*s, Cow::Borrowed(v.as_str()));
            }
            passed = passed.or(Some(says));
        }
        let found = found.or(passed);
        if let Some(says) = found {
            for (s, v) in &says.set {
                slots.put(*s, Cow::Borrowed(v.as_str()));
            }
        }
        found
    }

    /// The row from its slots.
    fn event<'a: 'e, 'e>(
        &mut self,
        around: &Around<'a>,
        says: Option<&'static Says>,
        slots: &mut Slots<'a>,
        extra: &mut String,
        e: &mut Event<'e>,
    ) -> Result<(), Reason> {
        let plan = self.plan;
        for (i, c) in plan.carries.iter().enumerate() {
            self.carried[i].carry(c, around.host, slots);
        }
        self.stamp(around, slots)?.put(e);
        // What a rule sets comes before the columns that read it.
        let mut verb = says.and_then(|s| s.verb);
        let mut outcome = says.and_then(|s| s.outcome);
        let mut system = says.and_then(|s| s.system);
        let mut action: Option<&'static str> = says.and_then(|s| s.action.as_deref());
        for (target, ways) in &plan.columns[..plan.columns.len().min(1)] {
            // `action` is the first column when the mapping has it.
            fill(e, target, ways, slots);
        }
        if let Some(a) = action {
            e.action = Cow::Borrowed(a);
        }
        for r in &plan.rules {
            let open = verb.is_none()
                || outcome.is_none()
                || system.is_none()
                || action.is_none()
                || !r.says.set.is_empty();
            if !open || !meets(&r.when, slots, &e.action, verb) {
                continue;
            }
            verb = verb.or(r.says.verb);
            outcome = outcome.or(r.says.outcome);
            system = system.or(r.says.system);
            if action.is_none()
                && let Some(a) = r.says.action.as_deref()
            {
                action = Some(a);
                e.action = Cow::Borrowed(a);
            }
            for (s, v) in &r.says.set {
                slots.put(*s, Cow::Borrowed(v.as_str()));
            }
        }
        e.verb = verb
            .or_else(|| plan.verbs.get(&*e.action).copied())
            .unwrap_or(plan.verb);
        for (target, ways) in plan.columns.iter().skip(1) {
            if !ways.idle(slots) {
                fill(e, target, ways, slots);
            }
        }
        e.outcome = outcome.unwrap_or_else(|| {
            let words = plan.outcome_from.iter().map(|p| match p {
                Place::Slot(s) => slots.get(*s),
                Place::Action => &e.action,
                Place::Verb => e.verb.word(),
            });
            let said = words.filter(|w| !w.is_empty());
            said.filter_map(|w| self.said.outcome(plan, w))
                .next()
                .unwrap_or(Outcome::Unknown)
        });
        if let Some(h) = &around.header {
            if e.host.is_empty() {
                e.host = Cow::Borrowed(around.host);
            }
            if e.process.is_empty() && !plan.own.process {
                e.process = Cow::Borrowed(h.program);
            }
            if e.pid == NONE && !plan.own.pid {
                e.pid = h.pid.unwrap_or(NONE);
            }
        }
        // A row without an account may say in whose session it was; flows and requests are numbered one by one.
        let tunnel = matches!(
            e.verb,
            Verb::TunnelUp | Verb::TunnelDown | Verb::TunnelStats | Verb::Lease
        );
        let in_session = !e.session_id.is_empty() && !matches!(e.verb, Verb::Flow | Verb::Request);
        if !e.user.is_empty() || !e.user_id.is_empty() || tunnel || in_session {
            e.system = self.accounts.or(system).unwrap_or(plan.system);
        }
        let mut put = |k: &str, v: &str| {
            let v = lines::trim(v);
            if v.is_empty() || v == "-" {
                return;
            }
            if !extra.is_empty() {
                extra.push('\n');
            }
            extra.push_str(k);
            extra.push('=');
            if memchr::memchr2(b'\n', b'\r', v.as_bytes()).is_some() {
                extra.push_str(&v.split_whitespace().collect::<Vec<_>>().join(" "));
            } else {
                extra.push_str(v);
            }
        };
        for (k, ways) in &plan.extra {
            if !ways.idle(slots) {
                put(k, &value(ways, slots, &e.action, e.verb));
            }
        }
        // Who wrote a web request down is not the host it asked for. Of everything else the host is what it is.
        let said = plan.observer.as_ref();
        let said = said.map(|ways| value(ways, slots, &e.action, e.verb));
        let header = around.header.map(|_| Cow::Borrowed(around.host));
        let wrote = |w: &&Cow<'_, str>| !w.is_empty() && w.trim() == e.host;
        if !e.http_method.is_empty()
            && let Some(w) = [&said, &header].into_iter().flatten().find(wrote)
        {
            put(OBSERVER, w);
        }
        Ok(())
    }

    fn stamp(&mut self, around: &Around<'_>, slots: &Slots<'_>) -> Result<Stamp, Reason> {
        let mut unreadable = false;
        let mut joined = String::new();
        for (i, way) in self.plan.times.iter().enumerate() {
            let text = if let [one] = way.from[..] {
                slots.get(one)
            } else {
                joined.clear();
                for s in &way.from {
                    if slots.get(*s).is_empty() {
                        joined.clear();
                        break;
                    }
                    if !joined.is_empty() {
                        joined.push(' ');
                    }
                    joined.push_str(slots.get(*s));
                }
                joined.as_str()
            };
            if way.from[..] == [self.plan.slots.zoned] {
                // The header's time, but only when it says its zone.
                match around.header {
                    Some(h) if h.time.note == TimeNote::Explicit => return Ok(h.time),
                    _ => continue,
                }
            }
            if steps::nothing(text) {
                continue;
            }
            let utc = way.utc || way.from.iter().any(|s| self.utc.contains(s));
            let zone = if utc {
                Some(0)
            } else {
                way.zone.and_then(|z| stamp::offset(slots.get(z)))
            };
            let near = around.header.map_or(Stamp::NONE, |h| h.time);
            let read = match way.layouts.len() {
                0 => stamp::any(text, &mut self.clock, zone),
                _ => self.laid_out(i, text, zone, near),
            };
            match read {
                // A counter that was never set is no time.
                Some(s) if (-DAY..DAY).contains(&s.time) => {}
                Some(s) => return Ok(s),
                None => unreadable = true,
            }
        }
        match around.header {
            Some(h) if h.time != Stamp::NONE => Ok(h.time),
            _ if unreadable => Err(Reason::Time),
            _ => Ok(Stamp::NONE),
        }
    }
}

impl Decoder {
    /// A stamp by the layouts of one way. `03/12/2025` fits two of them with another day each: the layouts that fit the whole
    /// file come first, then the one near the header's time of the line.
    fn laid_out(
        &mut self,
        way: usize,
        text: &str,
        zone: Option<i32>,
        near: Stamp,
    ) -> Option<Stamp> {
        let layouts = &self.plan.times[way].layouts;
        let fits = self.fits.get(way).copied().unwrap_or(u32::MAX);
        let mut found: Option<(Stamp, bool)> = None;
        for (i, layout) in layouts.iter().enumerate() {
            let Some(s) = layout.read(text, &mut self.clock, zone) else {
                continue;
            };
            let fit = i < 32 && fits >> i & 1 == 1;
            let Some((first, fitted)) = found else {
                found = Some((s, fit));
                continue;
            };
            let another_day = first.time.abs_diff(s.time) >= DAY as u64;
            let nearer = near != Stamp::NONE && close(near, s.time) && !close(near, first.time);
            if another_day && (fit && !fitted || fit == fitted && nearer) {
                found = Some((s, fit));
            }
        }
        found.map(|(s, _)| s)
    }

    /// Which layouts fit every stamp of the first lines, of the ways that have several.
    fn fitting(mut self, head: &[u8]) -> Vec<u32> {
        const LINES: usize = 500;
        if self.plan.times.iter().all(|w| w.layouts.len() < 2) {
            return vec![];
        }
        let mut fits = vec![u32::MAX; self.plan.times.len()];
        for line in head.split(|b| *b == b'\n').take(LINES) {
            let text = lines::text(line.strip_suffix(b"\r").unwrap_or(line));
            let mut slots = Slots::new(Slots::default(), self.plan.names.list().len());
            if lines::is_blank(line) || self.read(&text, &text, &mut slots).is_err() {
                continue;
            }
            for (w, way) in self.plan.times.iter().enumerate() {
                let [one] = way.from[..] else { continue };
                let stamp = slots.get(one);
                if stamp.is_empty() {
                    continue;
                }
                let mut read = 0;
                for (i, l) in way.layouts.iter().enumerate().take(32) {
                    let there = l.read(stamp, &mut self.clock, Some(0)).is_some();
                    read |= u32::from(there) << i;
                }
                if read != 0 {
                    fits[w] &= read;
                }
            }
        }
        fits
    }
}

/// Written within days of each other, whatever the year where a stamp does not say it.
fn close(near: Stamp, time: Nanos) -> bool {
    const YEAR: Nanos = 365 * DAY + DAY / 4;
    let apart = (near.time - time).abs();
    let apart = match near.note {
        TimeNote::Yearless => (apart % YEAR).min(YEAR - apart % YEAR),
        _ => apart,
    };
    apart < 5 * DAY
}

/// The host of a header, unless it is a word of something that only looks like one (`[main]`, `:`, a level after a bare stamp).
pub(crate) fn host_of<'a>(h: &syslog::Header<'a>) -> &'a str {
    const LEVELS: &[&str] = &[
        "info", "warning", "verbose", "error", "trivia", "INFO", "WARN", "ERROR", "DEBUG",
    ];
    match h.host.as_bytes() {
        _ if LEVELS.contains(&h.host) => "",
        [c, ..] if c.is_ascii_alphanumeric() || *c >= 0x80 || *c == b'_' => h.host,
        [b'[', .., b']'] if h.host.contains(':') => h.host,
        [b':', b':' | b'0'..=b'9' | b'a'..=b'f', ..] => h.host,
        _ => "",
    }
}

/// `cs1Label=Rule cs1=x`: the value for slots asked for as `label:Rule`.
fn labelled<'a>(
    plan: &Plan,
    body: &'a str,
    pairs: &[(Range<usize>, Range<usize>)],
    labels: &[usize],
    slots: &mut Slots<'a>,
) {
    for (key, value) in labels.iter().map(|i| &pairs[*i]) {
        let base = body[key.clone()].strip_suffix("Label");
        let slot = plan.labels.get(&body[value.clone()]);
        let (Some(base), Some(slot)) = (base, slot) else {
            continue;
        };
        let is = |k: &Range<usize>| {
            k.len() == base.len() && body.as_bytes()[k.clone()] == *base.as_bytes()
        };
        if let Some((_, value)) = pairs.iter().find(|(k, _)| is(k)) {
            slots.put(*slot, kv::unescape_cef(&body[value.clone()]));
        }
    }
}

fn meets(when: &When, slots: &Slots<'_>, action: &str, verb: Option<Verb>) -> bool {
    when.0.iter().all(|(place, tests)| {
        let v = match place {
            Place::Slot(s) => slots.get(*s),
            Place::Action => action,
            Place::Verb => verb.map_or("", Verb::word),
        };
        tests.hold(v)
    })
}

/// The first way that gives something.
#[inline]
fn value<'a>(ways: &'static Ways, slots: &Slots<'a>, action: &str, verb: Verb) -> Cow<'a, str> {
    match &ways.plain {
        Some(plain) => first(plain, slots),
        None => value_of(&ways.list, slots, action, verb),
    }
}

/// The first field that is there.
#[inline]
fn first<'a>(of: &[u16], slots: &Slots<'a>) -> Cow<'a, str> {
    for s in of {
        if !slots.lacks(*s) && !steps::nothing(slots.get(*s)) {
            return slots.cow(*s);
        }
    }
    Cow::Borrowed("")
}

fn value_of<'a>(ways: &'static [Way], slots: &Slots<'a>, action: &str, verb: Verb) -> Cow<'a, str> {
    for w in ways {
        if !w.when.0.is_empty() && !meets(&w.when, slots, action, Some(verb)) {
            continue;
        }
        let v = one(w, slots, action);
        if !v.is_empty() {
            return v;
        }
    }
    Cow::Borrowed("")
}

fn one<'a>(w: &'static Way, slots: &Slots<'a>, action: &str) -> Cow<'a, str> {
    if let Some(plain) = &w.plain {
        return first(plain, slots);
    }
    if let Some(v) = &w.value {
        return Cow::Borrowed(v.as_str());
    }
    let read = |p: &Place| match p {
        Place::Slot(s) => slots.cow(*s),
        Place::Action => Cow::Owned(action.to_string()),
        Place::Verb => Cow::Borrowed(""),
    };
    let finish = |mut v: Cow<'a, str>| {
        for s in &w.steps {
            v = s.run(v);
        }
        match &w.map {
            None => v,
            Some(m) => match m.get(&*v).or_else(|| m.get("*")) {
                Some(to) => Cow::Borrowed(to.as_str()),
                None => v,
            },
        }
    };
    if let Some(between) = &w.join {
        let mut all = String::new();
        for p in &w.from {
            let v = read(p);
            if !steps::nothing(&v) {
                if !all.is_empty() {
                    all.push_str(between);
                }
                all.push_str(&v);
            }
        }
        return finish(Cow::Owned(all));
    }
    for p in &w.from {
        // Most fields of most records are absent: seen without taking them.
        let v = match p {
            Place::Slot(s) if steps::nothing(slots.get(*s)) => continue,
            Place::Slot(s) => slots.cow(*s),
            _ => read(p),
        };
        if steps::nothing(&v) {
            continue;
        }
        if w.steps.is_empty() && w.map.is_none() {
            return v;
        }
        let v = finish(v);
        if !v.is_empty() {
            return v;
        }
    }
    Cow::Borrowed("")
}

fn fill<'a: 'e, 'e>(e: &mut Event<'e>, target: &Target, ways: &'static Ways, slots: &Slots<'a>) {
    let (all, ways) = (ways, &ways.list);
    match target {
        Target::Text(set, Kind::Address) => {
            // The first way that gives an address: a host name in an address field is passed over.
            for w in ways {
                if !w.when.0.is_empty() && !meets(&w.when, slots, &e.action, Some(e.verb)) {
                    continue;
                }
                let v = one(w, slots, &e.action);
                let v = match net::is_v4(&v) {
                    true => v,
                    false => steps::cut(v, net::address),
                };
                if !v.is_empty() {
                    set(e, v);
                    return;
                }
            }
        }
        Target::Text(set, kind) => {
            let v = value(all, slots, &e.action, e.verb);
            if v.is_empty() || v == "-" {
                return;
            }
            // Who gives an address for a name (an IKE identity, a machine) has no account here.
            if *kind == Kind::User && net::is_bare(&v) {
                return;
            }
            if *kind == Kind::User && e.domain.is_empty() {
                domain_of(e, ways, slots);
            }
            if *kind != Kind::Free && steps::nothing(&v) {
                return;
            }
            set(e, v);
        }
        Target::Number(set, kind) => {
            for w in ways {
                if !w.when.0.is_empty() && !meets(&w.when, slots, &e.action, Some(e.verb)) {
                    continue;
                }
                let v = one(w, slots, &e.action);
                if v.is_empty() {
                    continue;
                }
                let n = match steps::number(&v) {
                    Some(n) => n,
                    None => continue,
                };
                if *kind == Kind::Port && n > 65535 {
                    continue;
                }
                set(e, n);
                return;
            }
        }
    }
}

/// Puts what `account` or `upn` took off the user into `domain`; a mapping that fills `domain` itself comes later and wins.
fn domain_of<'a: 'e, 'e>(e: &mut Event<'e>, ways: &[Way], slots: &Slots<'a>) {
    for w in ways {
        let realms = match w
            .steps
            .iter()
            .find(|s| matches!(s, Step::Account | Step::Upn))
        {
            Some(s) => *s == Step::Upn,
            None => continue,
        };
        if !w.when.0.is_empty() && !meets(&w.when, slots, &e.action, Some(e.verb)) {
            continue;
        }
        for p in &w.from {
            if let Place::Slot(s) = p {
                let v = slots.cow(*s);
                if steps::nothing(&v) {
                    continue;
                }
                let d = steps::cut(v, |v| steps::split_account(v, realms).0);
                if !d.is_empty() {
                    e.domain = d;
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mapped::Mapped, reader::decode_bytes};
    use proptest::prelude::*;
    use std::path::Path;

    fn decoded(mut decoder: Opened, bytes: &[u8]) -> Decoded {
        let mut out = Decoded::default();
        decoder.decode(bytes, true, &mut out);
        out
    }

    fn leaked(text: &str, slow: bool) -> &'static Plan {
        let plan = Plan::parse(text, None).expect("a mapping");
        Box::leak(Box::new(match slow {
            true => plan.without_shortcuts(),
            false => plan,
        }))
    }

    fn cef() -> &'static Mapped {
        let cef = crate::MAPPED.iter().find(|m| m.name == "cef");
        cef.expect("a mapping of CEF")
    }

    /// Every golden input of every mapping reads the same without the shortcuts of its plan.
    #[test]
    fn plans_mean_the_same_without_shortcuts() {
        let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/sources");
        let files = |dir: &Path| -> Vec<_> {
            let all = std::fs::read_dir(dir).into_iter().flatten();
            all.filter_map(|f| Some(f.ok()?.path())).collect()
        };
        let mut seen = 0;
        for mapped in crate::MAPPED.iter() {
            let Ok(plan) = Plan::parse(mapped.text, None) else {
                continue; // One with a program, in a build without.
            };
            let (fast, slow) = (&*Box::leak(Box::new(plan)), leaked(mapped.text, true));
            let inputs = files(&goldens.join(mapped.name)).into_iter();
            for input in inputs.flat_map(|case| files(&case)) {
                if input.file_stem().is_none_or(|s| s != "input") {
                    continue;
                }
                let bytes = std::fs::read(&input).expect("an input");
                let setting = Setting {
                    year_hint: Some(2025),
                    ..Setting::default()
                };
                let head = Head {
                    bytes: &bytes,
                    whole: true,
                };
                let read = |plan| decoded(Opened::new(plan, &head, &setting), &bytes);
                let (fast, slow) = (read(fast), read(slow));
                assert_eq!(fast.events, slow.events, "{}", input.display());
                assert_eq!(fast.rejects, slow.rejects, "{}", input.display());
                seen += 1;
            }
        }
        assert!(seen > 100, "{seen}");
    }

    /// CEF lines of few pieces, so that headers, keys, labels and values repeat, change their order, come twice or break off.
    fn lines() -> impl Strategy<Value = Vec<String>> {
        const HEADS: &[&str] = &[
            "CEF:0|V|P|1|100|login|3|",
            "CEF:0|V|P|1|200|logout|3|",
            r"CEF:0|V\|W|P|1|100|login|3|",
            "CEF: 1|V|P|1||a b|3|",
            "<134>Sep  1 00:00:00 relay CEF:0|V|P|1|100|login|3|",
            "<999>1 2025-09-01T00:00:00Z h p 7 - - CEF:0|V|P|1|100|login|3|",
            "CEF:0|V|P|",
            "{\"message\":\"CEF:0|V|P|1|100|login|3|\"}",
            "",
        ];
        const PAIRS: &[&str] = &[
            "rt=1756684800535 ",
            "src=10.0.0.1 ",
            "src=h.example ",
            "spt=42 ",
            "spt=99999 ",
            "dst=2001:db8::1 ",
            "suser=nadia ",
            r"suser=CHU\nadia ",
            "duser=N/A ",
            "duser=10.0.0.7 ",
            "act=allow ",
            "act= ",
            "outcome=success ",
            "outcome=failed ",
            "request=https://h.example/p?a\\=1 ",
            "request=/p ",
            "requestMethod=GET ",
            "in=0x1f ",
            "out=-1 ",
            "cs1Label=SessionId ",
            "cs1=e220 ",
            "cs2Label=Session ID ",
            "cs2=two words ",
            "cs1Label=Other ",
            "msg=so that x = y ",
            "deviceX =z ",
            "shost=é ",
            r"msg=two\nlines ",
            "dvchost=gate ",
            "observer=x ",
            "=",
            "\t",
            "\u{a0}",
            "label:SessionId=q ",
            "cat=- ",
            "app=***",
        ];
        let pairs = prop::collection::vec(prop::sample::select(PAIRS), 0..20);
        let line = (prop::sample::select(HEADS), pairs, 0usize..400);
        let line = line.prop_map(|(head, pairs, cut)| {
            let whole = format!("{head}{}", pairs.concat());
            whole.chars().take(cut + 40).collect()
        });
        prop::collection::vec(line, 1..8)
    }

    proptest! {
        #[test]
        fn what_a_decoder_has_learnt_changes_nothing(lines in lines()) {
            let setting = Setting { year_hint: Some(2025), ..Setting::default() };
            static SLOW: LazyLock<&Plan> = LazyLock::new(|| leaked(cef().text, true));
            let all = lines.join("\n");
            let together = decode_bytes(cef(), all.as_bytes(), &setting);
            let mut alone = Decoded::default();
            for line in &lines {
                // Without shortcuts, by a decoder that has seen nothing.
                let line = line.as_bytes();
                let mut one = Opened { cut: Cut::Lines, decoder: Decoder::new(*SLOW, &setting) };
                let finished = [line, b"\n"].concat();
                let last = alone.records + 1 == lines.len() as u64;
                one.decode(if last { line } else { &finished }, true, &mut alone);
            }
            prop_assert_eq!(together.events.len(), alone.events.len());
            for i in 0..together.events.len() {
                let (mut a, b) = (together.events.get(i), alone.events.get(i));
                a.offset = b.offset;
                prop_assert_eq!(a, b);
            }
            let reasons = |d: &Decoded| d.rejects.iter().map(|r| (r.record, r.reason)).collect::<Vec<_>>();
            prop_assert_eq!(reasons(&together), reasons(&alone));
        }
    }
}
