//! A mapping file made ready: TOML → [`Plan`]. Every error names the key and what is allowed there.
use super::{
    fields::{Names, SlotSet, Slots, Trie},
    program::{self, Program},
    stamp::Layout,
    steps::Step,
    words::words,
};
use crate::{Confidence, Standard};
use ampleur_event::{
    Capability, Event, GapSign, Outcome, Proof, Silence, System, Verb, batch::OBSERVER,
};
use memchr::memmem::Finder as Word;
use regex::Regex;
use rustc_hash::FxHashMap;
use std::{borrow::Cow, path::Path, sync::OnceLock};
use toml::{Table, Value};

/// What is wrong with a mapping file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {what}")]
pub struct MappingError {
    /// Dotted place in the file, `pattern[3].regex`.
    pub key: String,
    pub what: String,
}

type Made<T> = Result<T, MappingError>;

fn wrong<T>(key: &str, what: impl Into<String>) -> Made<T> {
    Err(MappingError {
        key: if key.is_empty() { "top" } else { key }.to_string(),
        what: what.into(),
    })
}

/// How records are written. A mapping may name several; each record shows which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Json,
    Kv,
    Csv,
    W3c,
    Cef,
    Leef,
    Xml,
    Text,
    /// A program makes the fields ([`Program`]).
    Vrl,
}

const CONTAINERS: &[(&str, Container)] = &[
    ("json", Container::Json),
    ("kv", Container::Kv),
    ("csv", Container::Csv),
    ("w3c", Container::W3c),
    ("cef", Container::Cef),
    ("leef", Container::Leef),
    ("xml", Container::Xml),
    ("text", Container::Text),
    ("vrl", Container::Vrl),
];

/// Where a condition or a column looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Slot(u16),
    Action,
    Verb,
}

/// A text a field is compared with.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// `*`: there and no placeholder.
    Present,
    /// Empty text: not there.
    Absent,
    Exact(String),
    Glob(Glob),
    /// `400..599`, both ends included.
    Range(u64, u64),
    Not(Box<Test>),
}

/// A text with `*` in it, each standing for anything: how it begins, what follows in this order, how it ends.
#[derive(Debug, Clone)]
pub(super) struct Glob {
    first: String,
    between: Vec<Word<'static>>,
    last: String,
}

impl Glob {
    /// `None` where there is no `*`.
    fn of(text: &str) -> Option<Glob> {
        let (first, rest) = text.split_once('*')?;
        let (between, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        let between = between.split('*').filter(|p| !p.is_empty());
        Some(Glob {
            first: first.to_string(),
            between: between.map(|p| Word::new(p).into_owned()).collect(),
            last: last.to_string(),
        })
    }
    fn holds(&self, v: &str) -> bool {
        let mut rest = v.as_bytes();
        if !self.first.is_empty() {
            match rest.strip_prefix(self.first.as_bytes()) {
                Some(behind) => rest = behind,
                None => return false,
            }
        }
        for part in &self.between {
            match part.find(rest) {
                Some(i) => rest = &rest[i + part.needle().len()..],
                None => return false,
            }
        }
        self.last.is_empty() || rest.ends_with(self.last.as_bytes())
    }
}

impl Test {
    fn of(text: &str) -> Test {
        if let Some(rest) = text.strip_prefix('!') {
            return Test::Not(Box::new(Test::of(rest)));
        }
        if let Some((a, b)) = text.split_once("..")
            && let (Ok(a), Ok(b)) = (a.parse(), b.parse())
        {
            return Test::Range(a, b);
        }
        match text {
            "" => Test::Absent,
            "*" => Test::Present,
            t => match Glob::of(t) {
                Some(g) => Test::Glob(g),
                None => Test::Exact(t.to_string()),
            },
        }
    }
    pub(super) fn holds(&self, v: &str) -> bool {
        match self {
            Test::Present => !ampleur_event::account::is_placeholder(v),
            Test::Absent => v.is_empty(),
            Test::Exact(t) => t == v,
            Test::Range(a, b) => v.parse::<u64>().is_ok_and(|n| n >= *a && n <= *b),
            Test::Not(t) => !t.holds(v),
            Test::Glob(g) => g.holds(v),
        }
    }
}

/// Tests of which one is to hold.
#[derive(Debug, Clone)]
pub(super) struct Tests {
    list: Vec<Test>,
    /// A bit for each byte a value may begin with that holds one of them; `None` where any may.
    firsts: Option<[u64; 4]>,
}

impl Tests {
    fn of(list: Vec<Test>) -> Tests {
        let first = |t: &Test| match t {
            Test::Exact(text) => text.bytes().next(),
            Test::Glob(g) => g.first.bytes().next(),
            _ => None,
        };
        let firsts = list.iter().map(first).try_fold([0u64; 4], |mut all, b| {
            let b = b?;
            all[usize::from(b / 64)] |= 1 << (b % 64);
            Some(all)
        });
        Tests { list, firsts }
    }
    pub(super) fn hold(&self, v: &str) -> bool {
        if let Some(firsts) = &self.firsts {
            let Some(b) = v.bytes().next() else {
                return false;
            };
            if firsts[usize::from(b / 64)] >> (b % 64) & 1 == 0 {
                return false;
            }
        }
        self.list.iter().any(|t| t.holds(v))
    }
}

/// All places must hold one of their tests.
#[derive(Debug, Clone, Default)]
pub(super) struct When(pub Vec<(Place, Tests)>);

/// One way to fill a column.
#[derive(Debug, Clone, Default)]
pub(super) struct Way {
    pub from: Vec<Place>,
    /// All fields put together with this between them, instead of the first that is there.
    pub join: Option<String>,
    pub when: When,
    pub steps: Vec<Step>,
    pub map: Option<FxHashMap<String, String>>,
    pub value: Option<String>,
    /// Its fields, where the first that is there is taken as it is.
    pub plain: Option<Vec<u16>>,
}

/// The ways to fill one thing, in their order.
pub(super) struct Ways {
    pub list: Vec<Way>,
    /// The only fields that can fill it; `None` where something else can.
    asks: Option<SlotSet>,
    /// The fields of the only way, where the first that is there is taken as it is whatever else the record says.
    pub plain: Option<Vec<u16>>,
}

impl Ways {
    fn of(mut list: Vec<Way>) -> Ways {
        let slot = |p: &Place| match p {
            Place::Slot(s) => Some(*s),
            Place::Action | Place::Verb => None,
        };
        let asks = |w: &Way| match (&w.value, &w.join) {
            (None, None) => w.from.iter().map(slot).collect(),
            _ => None,
        };
        for w in &mut list {
            w.plain = asks(w).filter(|_: &Vec<u16>| w.steps.is_empty() && w.map.is_none());
        }
        let all: Option<Vec<Vec<u16>>> = list.iter().map(asks).collect();
        let plain = match &list[..] {
            [only] if only.when.0.is_empty() => only.plain.clone(),
            _ => None,
        };
        Ways {
            asks: all.map(|a| SlotSet::of(&a.concat())),
            plain,
            list,
        }
    }
    /// True only when the record has nothing any way could take.
    #[inline(always)]
    pub(super) fn idle(&self, slots: &Slots<'_>) -> bool {
        self.asks.as_ref().is_some_and(|a| !slots.may_have(a))
    }
}

pub(super) type SetText = for<'a> fn(&mut Event<'a>, Cow<'a, str>);
pub(super) type SetNumber = fn(&mut Event<'_>, u64);

/// What a column holds decides what is accepted for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Plain,
    /// Kept as written; a dash alone is absent.
    Free,
    Address,
    User,
    Port,
}

#[derive(Clone, Copy)]
pub(super) enum Target {
    Text(SetText, Kind),
    Number(SetNumber, Kind),
}

macro_rules! columns {
    (text { $($t:ident: $tk:ident,)+ } number { $($n:ident: $nk:ident,)+ }) => {
        /// Columns a mapping may fill, `action` first: the others may depend on it.
        pub(super) const COLUMNS: &[(&str, Target)] = &[
            $((stringify!($t), { fn set<'a>(e: &mut Event<'a>, v: Cow<'a, str>) { e.$t = v } Target::Text(set, Kind::$tk) }),)+
            $((stringify!($n), { fn set(e: &mut Event<'_>, v: u64) { e.$n = v } Target::Number(set, Kind::$nk) }),)+
        ];
    };
}
columns! {
    text {
        action: Plain, user: User, domain: Plain, user_id: Plain, user_name: Plain, target: Plain, src_ip: Address, dst_ip: Address,
        forwarded: Plain, inner_ip: Address, src_country: Plain, session_id: Plain, request_id: Plain, token: Plain, device: Plain,
        host: Plain, process: Plain, http_method: Plain, url: Free, query: Free, file_path: Free, share: Free, object: Free,
        subjects: Free, changes: Free, reason: Plain,
    }
    number {
        src_port: Port, dst_port: Port, bytes_in: Plain, bytes_out: Plain, status: Plain, count: Plain, duration_ms: Plain,
        seq: Plain, code: Plain, mask: Plain, logon_type: Plain, pid: Plain,
    }
}

/// What a pattern or a rule says of a record besides its fields.
#[derive(Debug, Clone, Default)]
pub(super) struct Says {
    pub action: Option<String>,
    pub verb: Option<Verb>,
    pub outcome: Option<Outcome>,
    pub system: Option<System>,
    pub set: Vec<(u16, String)>,
}

pub(super) struct Pattern {
    pub regex: Expression,
    /// Group number and the slot it fills.
    pub groups: Vec<(usize, u16)>,
    pub on: Option<u16>,
    /// Its fields are taken and the patterns after it are tried too.
    pub goes_on: bool,
    pub says: Says,
}

pub(super) struct Rule {
    pub when: When,
    pub says: Says,
}

/// One way to read the time.
pub(super) struct TimeWay {
    pub from: Vec<u16>,
    pub layouts: Vec<Layout>,
    pub zone: Option<u16>,
    pub utc: bool,
}

pub(super) struct Sniff {
    pub confidence: Confidence,
    pub all: Vec<String>,
    pub any: Vec<String>,
    pub not: Vec<String>,
    pub regex: Option<Sight>,
    /// Every match of it has one of them; empty where they are not known.
    pub words: Vec<String>,
}

impl Sniff {
    /// All it says, to be compared.
    #[cfg(test)]
    pub(super) fn told(&self) -> impl PartialEq + use<'_> {
        let regex = self.regex.as_ref().map(|r| (&r.text, &r.at));
        (self.confidence, &self.all, &self.any, &self.not, regex)
    }
    /// False when its words are not all in these bytes, or none of those every match of its expression has one of.
    pub(super) fn is_possible(&self, bytes: &[u8]) -> bool {
        let has = |w: &str| memchr::memmem::find(bytes, w.as_bytes()).is_some();
        let one = |words: &[String]| words.is_empty() || words.iter().any(|w| has(w));
        self.all.iter().all(|w| has(w)) && one(&self.any) && one(&self.words)
    }
}

/// The parts of a mapping every file is held against.
pub(super) struct Heading {
    pub sniff: Vec<Sniff>,
    pub tags: Vec<String>,
}

pub(super) struct KvShape {
    /// Records of this shape; any where there is none.
    pub regex: Option<Expression>,
    /// Signs between key and value; the first that comes counts.
    pub pair: Vec<String>,
    pub between: Vec<String>,
    pub quotes: String,
}

pub(super) struct CsvLayout {
    /// Cell and the values it must have, for files that mix kinds of rows.
    pub at: Option<(usize, Vec<Test>)>,
    pub columns: Vec<Option<u16>>,
}

pub(super) struct CsvShape {
    /// 0: the one the header row uses.
    pub delimiter: u8,
    pub quote: Option<u8>,
    pub header: bool,
    pub layouts: Vec<CsvLayout>,
    /// Columns by their names without case, accents, blanks and signs, where these do not count.
    pub loose: Option<FxHashMap<String, u16>>,
}

impl CsvShape {
    /// The slot of a column, and whether its name says that its times are UTC.
    pub fn column(&self, names: &Names, cell: &str) -> Option<(u16, bool)> {
        let cell = cell.trim_start_matches('\u{feff}').trim();
        if let Some(s) = names.find(cell) {
            return Some((s, false));
        }
        let loose = self.loose.as_ref()?;
        let find = |name: &str| loose.get(&folded(name)).copied();
        find(cell).map(|s| (s, false)).or_else(|| {
            let bare = ["(UTC)", "[UTC]", "UTC"]
                .iter()
                .find_map(|u| cell.strip_suffix(u))?;
            Some((find(bare)?, true))
        })
    }
}

fn folded(name: &str) -> String {
    let plain = crate::tables::plain(name);
    plain.chars().filter(|c| c.is_alphanumeric()).collect()
}

pub(super) struct Plan {
    pub about: &'static str,
    pub standard: Standard,
    pub capability: Capability,
    pub containers: Vec<Container>,
    pub syslog: bool,
    pub start: Vec<String>,
    pub tags: Vec<String>,
    pub records: &'static [&'static str],
    pub known: usize,
    pub whole_head: bool,
    /// A record may span lines; this one begins it.
    pub begin: Option<Expression>,
    pub sniff: Vec<Sniff>,
    pub names: Names,
    pub trie: Trie,
    pub columns: Vec<(Target, Ways)>,
    pub own: Own,
    /// Without the observer.
    pub extra: Vec<(String, Ways)>,
    pub observer: Option<Ways>,
    pub times: Vec<TimeWay>,
    pub system: System,
    pub verb: Verb,
    pub verbs: FxHashMap<String, Verb>,
    pub outcome_from: Vec<Place>,
    pub success: Vec<Test>,
    pub failure: Vec<Test>,
    pub patterns: Vec<Pattern>,
    pub finder: Option<Finder>,
    pub carries: Vec<Carry>,
    pub rules: Vec<Rule>,
    /// The first that fits a record; none of them: as [`crate::kv::Pairs`] has it.
    pub kv: Vec<KvShape>,
    pub csv: CsvShape,
    pub program: Option<Program>,
    /// Lines that are no records.
    pub skip: Option<Expression>,
    /// How the payload of an access begins: one that fits no pattern is cut short.
    pub cut: Option<Expression>,
    /// Key of the object that is the record, inside those of an interface.
    pub inner: Option<&'static str>,
    /// `cs1Label=Rule cs1=x`: slots asked for by label.
    pub labels: FxHashMap<Box<str>, u16>,
    pub slots: Fixed,
}

/// Fields that one row tells and the others of the same connection, session or event do not repeat.
pub(super) struct Carry {
    /// Rows that have these fields in common belong together.
    pub key: Vec<u16>,
    /// Remembered from a row that has one of them, put into a row that lacks them.
    pub fields: Vec<u16>,
    /// Rows that tell; rows that are told (both: all, when nothing is asked).
    pub from: When,
    pub to: When,
    /// Rows before which, and after which, all is forgotten.
    pub begin: Option<When>,
    pub end: Option<When>,
}

/// Which columns the mapping fills itself, so that the envelope does not.
#[derive(Default)]
pub(super) struct Own {
    pub process: bool,
    pub pid: bool,
}

/// Slots of the envelope and the headers of CEF and LEEF.
pub(super) struct Fixed {
    pub payload: u16,
    pub host: u16,
    pub program: u16,
    pub pid: u16,
    pub id: u16,
    pub priority: u16,
    pub zoned: u16,
    pub head: [u16; 6],
}

/// Finds which patterns can match at all, by a literal each must contain.
pub(super) struct Finder {
    pub automaton: aho_corasick::AhoCorasick,
    /// Patterns by literal.
    pub of: Vec<Vec<u16>>,
    /// Patterns without a literal.
    pub always: Vec<u16>,
}

// ------------------------------------------------------------------------------------------------------------ reading

fn leak(s: &str) -> &'static str {
    Box::leak(s.to_string().into_boxed_str())
}

/// The allowed word nearest to a mistyped one.
pub(super) fn nearest<'a>(word: &str, allowed: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |a: &str, b: &str| {
        let b: Vec<char> = b.chars().collect();
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in a.chars().enumerate() {
            let mut before = row[0];
            row[0] = i + 1;
            for (j, y) in b.iter().enumerate() {
                let cost = before + usize::from(x != *y);
                before = row[j + 1];
                row[j + 1] = cost.min(before + 1).min(row[j] + 1);
            }
        }
        row[b.len()]
    };
    allowed
        .map(|a| (distance(word, a), a))
        .filter(|(d, a)| *d <= 3.max(a.len() / 3))
        .min()
        .map(|(_, a)| a)
}

fn keys(t: &Table, at: &str, allowed: &[&str]) -> Made<()> {
    for k in t.keys() {
        if !allowed.contains(&k.as_str()) {
            let place = join(at, k);
            let near = nearest(k, allowed.iter().copied())
                .map(|n| format!(", did you mean `{n}`?"))
                .unwrap_or_default();
            return wrong(
                &place,
                format!("unknown key{near} (allowed: {})", allowed.join(", ")),
            );
        }
    }
    Ok(())
}

fn join(at: &str, key: &str) -> String {
    if at.is_empty() {
        key.to_string()
    } else {
        format!("{at}.{key}")
    }
}

fn text<'t>(t: &'t Table, at: &str, key: &str) -> Made<Option<&'t str>> {
    match t.get(key) {
        None => Ok(None),
        Some(Value::String(s)) => Ok(Some(s)),
        Some(_) => wrong(&join(at, key), "a text is expected"),
    }
}

fn flag(t: &Table, at: &str, key: &str, default: bool) -> Made<bool> {
    match t.get(key) {
        None => Ok(default),
        Some(Value::Boolean(b)) => Ok(*b),
        Some(_) => wrong(&join(at, key), "true or false is expected"),
    }
}

/// A text or a list of texts; numbers and booleans are read as written.
fn list(v: Option<&Value>, at: &str) -> Made<Vec<String>> {
    let one = |v: &Value| match v {
        Value::String(s) => Ok(s.clone()),
        Value::Integer(i) => Ok(i.to_string()),
        Value::Boolean(b) => Ok(b.to_string()),
        _ => wrong(at, "a text or a list of texts is expected"),
    };
    match v {
        None => Ok(vec![]),
        Some(Value::Array(a)) => a.iter().map(one).collect(),
        Some(v) => Ok(vec![one(v)?]),
    }
}

fn tables<'t>(t: &'t Table, key: &str) -> Made<Vec<(String, &'t Table)>> {
    match t.get(key) {
        None => Ok(vec![]),
        Some(Value::Array(a)) => a
            .iter()
            .enumerate()
            .map(|(i, v)| match v {
                Value::Table(t) => Ok((format!("{key}[{i}]"), t)),
                _ => wrong(&format!("{key}[{i}]"), "a table is expected"),
            })
            .collect(),
        Some(_) => wrong(key, format!("a list of tables is expected: [[{key}]]")),
    }
}

fn table<'t>(t: &'t Table, key: &str) -> Made<Option<&'t Table>> {
    match t.get(key) {
        None => Ok(None),
        Some(Value::Table(t)) => Ok(Some(t)),
        Some(_) => wrong(key, format!("a table is expected: [{key}]")),
    }
}

fn word<T: Copy>(v: &str, at: &str, all: &[(&str, T)]) -> Made<T> {
    match all.iter().find(|(w, _)| *w == v) {
        Some((_, t)) => Ok(*t),
        None => {
            let near = nearest(v, all.iter().map(|(w, _)| *w))
                .map(|n| format!(", did you mean `{n}`?"))
                .unwrap_or_default();
            let words: Vec<&str> = all.iter().map(|(w, _)| *w).collect();
            wrong(
                at,
                format!("unknown word `{v}`{near} (allowed: {})", words.join(", ")),
            )
        }
    }
}

fn verb(v: &str, at: &str) -> Made<Verb> {
    let all: Vec<(&str, Verb)> = Verb::ALL.iter().map(|v| (v.word(), *v)).collect();
    word(v, at, &all)
}
fn outcome(v: &str, at: &str) -> Made<Outcome> {
    let all: Vec<(&str, Outcome)> = Outcome::ALL.iter().map(|v| (v.word(), *v)).collect();
    word(v, at, &all)
}
fn system(v: &str, at: &str) -> Made<System> {
    let all: Vec<(&str, System)> = System::ALL.iter().map(|v| (v.word(), *v)).collect();
    word(v, at, &all)
}

/// An expression that is compiled when it is first needed: of the many built-in mappings a case needs few, and a compiled expression
/// takes milliseconds and up to megabytes. Mappings from outside are compiled at once ([`Plan::check`]), so that a fault is told
/// when they are loaded; the built-in ones are compiled by a test.
pub(super) struct Expression<R = Regex> {
    text: String,
    at: String,
    made: OnceLock<Option<R>>,
}

/// An expression that is only asked whether it is somewhere in the first bytes of a file. Digits and blanks are those of ASCII where that
/// suffices: the classes of Unicode take far longer to compile, and all that are asked are compiled before the first line.
pub(super) type Sight = Expression<regex::bytes::Regex>;

pub(super) trait Compiled: Sized {
    fn compile(text: &str) -> Result<Self, regex::Error>;
}

/// Bytes an expression may take compiled.
const COMPILED: usize = 4 << 20;

impl Compiled for Regex {
    fn compile(text: &str) -> Result<Self, regex::Error> {
        regex::RegexBuilder::new(text).size_limit(COMPILED).build()
    }
}

impl Compiled for regex::bytes::Regex {
    fn compile(text: &str) -> Result<Self, regex::Error> {
        let mut builder = regex::bytes::RegexBuilder::new(text);
        builder.size_limit(COMPILED);
        if reads_text(text) {
            return builder.build();
        }
        // One that names a sign beyond ASCII by its number is text too.
        let plain = builder.unicode(false).build();
        plain.or_else(|_| builder.unicode(true).build())
    }
}

impl<R: Compiled> Expression<R> {
    fn new(text: &str, at: String) -> Self {
        Expression {
            text: text.to_string(),
            at,
            made: OnceLock::new(),
        }
    }
    fn check(&self) -> Made<()> {
        match R::compile(&self.text) {
            Ok(r) => {
                self.made.get_or_init(|| Some(r));
                Ok(())
            }
            Err(e) => wrong(&self.at, format!("not a regular expression: {e}")),
        }
    }
    fn get(&self) -> Option<&R> {
        let made = || R::compile(&self.text).ok();
        self.made.get_or_init(made).as_ref()
    }
}

impl Expression {
    pub fn is_match(&self, text: &str) -> bool {
        self.get().is_some_and(|r| r.is_match(text))
    }
    pub fn captures<'h>(&self, text: &'h str) -> Option<regex::Captures<'h>> {
        self.get()?.captures(text)
    }
}

impl Sight {
    pub fn is_in(&self, head: &[u8]) -> bool {
        self.get().is_some_and(|r| r.is_match(head))
    }
}

/// True where ASCII does not suffice: signs or letters beyond it, or one sign of many, which beyond ASCII is several bytes (a dot, or
/// whatever a class leaves, that is not repeated).
fn reads_text(text: &str) -> bool {
    let letters = ["\\w", "\\W", "\\b", "\\B"];
    if !text.is_ascii() || letters.iter().any(|l| text.contains(l)) {
        return true;
    }
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let many = match c {
            '.' => true,
            '\\' => matches!(rest.next(), Some('S' | 'D')),
            '[' => {
                let not = rest.next_if_eq(&'^').is_some();
                // A bracket that stands first is a sign of the class.
                rest.next_if_eq(&']');
                while let Some(c) = rest.next() {
                    match c {
                        '\\' => drop(rest.next()),
                        ']' => break,
                        _ => {}
                    }
                }
                not
            }
            _ => false,
        };
        if many && !matches!(rest.peek(), Some('*' | '+')) {
            return true;
        }
    }
    false
}

/// Numbers and names of the named groups of an expression.
fn named_groups(text: &str, at: &str) -> Made<Vec<(usize, String)>> {
    use regex_syntax::ast::{Ast, GroupKind, parse::Parser, visit};
    struct Names(Vec<(usize, String)>);
    impl regex_syntax::ast::Visitor for Names {
        type Output = Vec<(usize, String)>;
        type Err = std::convert::Infallible;
        fn finish(self) -> Result<Self::Output, Self::Err> {
            Ok(self.0)
        }
        fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
            if let Ast::Group(g) = ast
                && let GroupKind::CaptureName { name, .. } = &g.kind
            {
                self.0.push((name.index as usize, name.name.clone()));
            }
            Ok(())
        }
    }
    let ast = match Parser::new().parse(text) {
        Ok(ast) => ast,
        Err(e) => return wrong(at, format!("not a regular expression: {e}")),
    };
    let Ok(names) = visit(&ast, Names(vec![]));
    Ok(names)
}

const PROOFS: &[(&str, Proof)] = &[
    ("access", Proof::Access),
    ("question", Proof::Question),
    ("attempt", Proof::Attempt),
    ("presence", Proof::Presence),
    ("transfer", Proof::Transfer),
    ("change", Proof::Change),
    ("health", Proof::Health),
];

const TOP: &[&str] = &[
    "about",
    "standard",
    "section",
    "container",
    "header",
    "start",
    "tags",
    "records",
    "begin",
    "inner",
    "skip",
    "cut",
    "known",
    "system",
    "verb",
    "silence",
    "names_results",
    "gap",
    "proof",
    "sniff_whole",
    "sniff",
    "time",
    "columns",
    "extra",
    "verbs",
    "outcome",
    "pattern",
    "carry",
    "rule",
    "kv",
    "csv",
    "vrl",
];

struct Maker {
    names: Names,
}

impl Maker {
    fn place(&mut self, name: &str) -> Place {
        match name {
            "@action" => Place::Action,
            "@verb" => Place::Verb,
            n => Place::Slot(self.names.slot(n)),
        }
    }

    fn when(&mut self, t: &Table, at: &str) -> Made<When> {
        self.tests(t, at, "when")
    }

    fn tests(&mut self, t: &Table, at: &str, key: &str) -> Made<When> {
        let mut all = vec![];
        if let Some(w) = t.get(key) {
            let at = join(at, key);
            let Value::Table(w) = w else {
                return wrong(&at, "a table is expected: { field = [\"value\"] }");
            };
            for (k, v) in w {
                let tests = list(Some(v), &join(&at, k))?;
                let tests = tests.iter().map(|t| Test::of(t)).collect();
                all.push((self.place(k), Tests::of(tests)));
            }
        }
        // What the first byte of a value mostly answers is asked first.
        all.sort_by_key(|(_, tests)| tests.firsts.is_none());
        Ok(When(all))
    }

    fn ways(&mut self, v: &Value, at: &str) -> Made<Vec<Way>> {
        match v {
            Value::Array(a) => {
                let mut all = vec![];
                for (i, v) in a.iter().enumerate() {
                    all.push(self.way(v, &format!("{at}[{i}]"))?);
                }
                Ok(all)
            }
            v => Ok(vec![self.way(v, at)?]),
        }
    }

    fn way(&mut self, v: &Value, at: &str) -> Made<Way> {
        match v {
            Value::String(s) => Ok(Way {
                from: vec![self.place(s)],
                ..Way::default()
            }),
            Value::Table(t) => {
                keys(t, at, &["from", "as", "when", "map", "value", "join"])?;
                let from = list(t.get("from"), &join(at, "from"))?;
                let value = text(t, at, "value")?.map(str::to_string);
                if from.is_empty() == value.is_none() {
                    return wrong(at, "either `from` or `value` is expected");
                }
                let mut steps = vec![];
                for s in list(t.get("as"), &join(at, "as"))? {
                    match Step::of(&s) {
                        Ok(s) => steps.push(s),
                        Err(e) => return wrong(&join(at, "as"), e),
                    }
                }
                let map = match t.get("map") {
                    None => None,
                    Some(Value::Table(m)) => {
                        let mut all = FxHashMap::default();
                        for (k, v) in m {
                            let v = list(Some(v), &join(at, "map"))?;
                            all.insert(k.clone(), v.into_iter().next().unwrap_or_default());
                        }
                        Some(all)
                    }
                    Some(_) => return wrong(&join(at, "map"), "a table of values is expected"),
                };
                Ok(Way {
                    from: from.iter().map(|f| self.place(f)).collect(),
                    join: text(t, at, "join")?.map(str::to_string),
                    when: self.when(t, at)?,
                    steps,
                    map,
                    value,
                    plain: None,
                })
            }
            _ => wrong(at, "a field name, a table or a list of them is expected"),
        }
    }

    fn says(&mut self, t: &Table, at: &str) -> Made<Says> {
        let mut set = vec![];
        if let Some(v) = t.get("set") {
            let Value::Table(v) = v else {
                return wrong(
                    &join(at, "set"),
                    "a table is expected: { field = \"value\" }",
                );
            };
            for (k, v) in v {
                let v = list(Some(v), &join(at, "set"))?;
                set.push((self.names.slot(k), v.into_iter().next().unwrap_or_default()));
            }
        }
        let opt = |key: &str| text(t, at, key);
        Ok(Says {
            action: opt("action")?.map(str::to_string),
            verb: opt("verb")?
                .map(|v| verb(v, &join(at, "verb")))
                .transpose()?,
            outcome: opt("outcome")?
                .map(|v| outcome(v, &join(at, "outcome")))
                .transpose()?,
            system: opt("system")?
                .map(|v| system(v, &join(at, "system")))
                .transpose()?,
            set,
        })
    }
}

impl Plan {
    /// Compiles every expression and the program. Errors: the first that is no regular expression or too large; a program that does not
    /// compile, or any without the feature `vrl`.
    pub fn check(&self) -> Made<()> {
        let patterns = self.patterns.iter().map(|p| &p.regex);
        let lines = self.begin.iter().chain(&self.skip).chain(&self.cut);
        let lines = lines.chain(self.kv.iter().filter_map(|k| k.regex.as_ref()));
        for e in patterns.chain(lines) {
            e.check()?;
        }
        for sight in self.sniff.iter().filter_map(|s| s.regex.as_ref()) {
            sight.check()?;
        }
        self.program.as_ref().map_or(Ok(()), Program::check)
    }
    /// Reads a mapping kept in `folder`, if in any. Errors name the key; a mistyped one gets its nearest allowed neighbour.
    pub(super) fn parse(source: &str, folder: Option<&Path>) -> Made<Plan> {
        let t: Table = match source.parse() {
            Ok(t) => t,
            Err(e) => {
                let e: toml::de::Error = e;
                return wrong("", e.to_string().trim_end().to_string());
            }
        };
        keys(&t, "", TOP)?;
        let mut m = Maker {
            names: Names::default(),
        };
        let need = |key: &str| match text(&t, "", key)? {
            Some(s) if !s.trim().is_empty() => Ok(s),
            _ => wrong(key, "is needed"),
        };
        let slots = Fixed {
            payload: m.names.slot("payload"),
            host: m.names.slot("syslog.host"),
            program: m.names.slot("syslog.program"),
            pid: m.names.slot("syslog.pid"),
            id: m.names.slot("syslog.id"),
            priority: m.names.slot("syslog.priority"),
            zoned: m.names.slot("syslog.zoned"),
            head: ["vendor", "product", "version", "id", "name", "severity"]
                .map(|n| m.names.slot(&format!("head.{n}"))),
        };
        let mut containers = vec![];
        for c in list(t.get("container"), "container")? {
            containers.push(word(&c, "container", CONTAINERS)?);
        }
        if containers.is_empty() {
            return wrong("container", "is needed");
        }
        if containers.contains(&Container::Xml) && !t.contains_key("records") {
            return wrong(
                "records",
                "the container `xml` needs the name of the element that is a record",
            );
        }
        let line_based = containers.iter().any(|c| {
            !matches!(
                c,
                Container::Json | Container::Csv | Container::W3c | Container::Xml | Container::Vrl
            )
        });
        let program = program(&t, source, folder, &containers)?;
        let syslog = match text(&t, "", "header")? {
            None => line_based,
            Some(h) => word(h, "header", &[("syslog", true), ("none", false)])?,
        };
        let capability = capability(&t)?;

        let mut columns = vec![];
        let mut own = Own::default();
        let mut given: FxHashMap<&str, Vec<Way>> = FxHashMap::default();
        if let Some(c) = table(&t, "columns")? {
            let allowed: Vec<&str> = COLUMNS.iter().map(|(n, _)| *n).collect();
            keys(c, "columns", &allowed)?;
            for (k, v) in c {
                let ways = m.ways(v, &join("columns", k))?;
                given.insert(k, ways);
            }
        }
        // A capture named like a column fills it where the mapping says nothing else.
        let captures = containers.contains(&Container::Text) || t.contains_key("pattern");
        for (name, target) in COLUMNS {
            let ways = match given.remove(name) {
                Some(w) => {
                    match *name {
                        "process" => own.process = true,
                        "pid" => own.pid = true,
                        _ => {}
                    }
                    w
                }
                None if captures => vec![Way {
                    from: vec![m.place(name)],
                    ..Way::default()
                }],
                None => continue,
            };
            columns.push((*target, Ways::of(ways)));
        }

        let mut extra = vec![];
        match t.get("extra") {
            None => {}
            Some(Value::Array(a)) => {
                for v in a {
                    let Value::String(s) = v else {
                        return wrong("extra", "a list of field names or a table is expected");
                    };
                    let key = s.rsplit(['.', ':']).next().unwrap_or(s).to_string();
                    extra.push((key, Ways::of(vec![m.way(v, "extra")?])));
                }
            }
            Some(Value::Table(e)) => {
                for (k, v) in e {
                    extra.push((k.clone(), Ways::of(m.ways(v, &join("extra", k))?)));
                }
            }
            Some(_) => return wrong("extra", "a list of field names or a table is expected"),
        }
        extra.sort_by(|a, b| a.0.cmp(&b.0));
        let (said, extra): (Vec<_>, _) = extra.into_iter().partition(|(k, _)| k == OBSERVER);
        let observer = said.into_iter().next().map(|(_, ways)| ways);

        let times = times(&t, &mut m)?;
        let mut verbs = FxHashMap::default();
        if let Some(v) = table(&t, "verbs")? {
            for (k, v) in v {
                let at = join("verbs", k);
                let Value::String(v) = v else {
                    return wrong(&at, "a verb is expected");
                };
                verbs.insert(k.clone(), verb(v, &at)?);
            }
        }
        let (mut outcome_from, mut success, mut failure) = (vec![], vec![], vec![]);
        if let Some(o) = table(&t, "outcome")? {
            keys(o, "outcome", &["from", "success", "failure"])?;
            let from = list(o.get("from"), "outcome.from")?;
            if from.is_empty() {
                return wrong("outcome.from", "is needed");
            }
            outcome_from = from.iter().map(|f| m.place(f)).collect();
            let tests = |k: &str| -> Made<Vec<Test>> {
                Ok(list(o.get(k), &join("outcome", k))?
                    .iter()
                    .map(|t| Test::of(t))
                    .collect())
            };
            success = tests("success")?;
            failure = tests("failure")?;
        }

        let mut patterns = vec![];
        let mut literals: Vec<Option<String>> = vec![];
        for (at, p) in tables(&t, "pattern")? {
            keys(
                p,
                &at,
                &[
                    "regex", "has", "on", "goes_on", "action", "verb", "outcome", "system", "set",
                ],
            )?;
            let Some(r) = text(p, &at, "regex")? else {
                return wrong(&join(&at, "regex"), "is needed");
            };
            let at_regex = join(&at, "regex");
            let groups = named_groups(r, &at_regex)?
                .into_iter()
                .map(|(i, n)| (i, m.names.slot(&n)))
                .collect();
            literals.push(match text(p, &at, "has")? {
                Some(h) => Some(h.to_string()),
                None => literal(r),
            });
            patterns.push(Pattern {
                regex: Expression::new(r, at_regex),
                groups,
                on: text(p, &at, "on")?.map(|f| m.names.slot(f)),
                goes_on: flag(p, &at, "goes_on", false)?,
                says: m.says(p, &at)?,
            });
        }
        if containers.contains(&Container::Text) && patterns.is_empty() {
            return wrong(
                "pattern",
                "the container `text` needs at least one [[pattern]]",
            );
        }
        let finder = finder(&patterns, &literals)?;
        let mut carries = vec![];
        for (at, c) in tables(&t, "carry")? {
            keys(c, &at, &["key", "fields", "from", "to", "begin", "end"])?;
            let mut slots = |k: &str| -> Made<Vec<u16>> {
                let names = list(c.get(k), &join(&at, k))?;
                if names.is_empty() {
                    return wrong(&join(&at, k), "names of fields are expected");
                }
                Ok(names.iter().map(|n| m.names.slot(n)).collect())
            };
            let (key, fields) = (slots("key")?, slots("fields")?);
            let mut some = |k: &str| {
                let there = c.contains_key(k);
                m.tests(c, &at, k).map(|w| there.then_some(w))
            };
            let (begin, end) = (some("begin")?, some("end")?);
            carries.push(Carry {
                key,
                fields,
                from: m.tests(c, &at, "from")?,
                to: m.tests(c, &at, "to")?,
                begin,
                end,
            });
        }
        let mut rules = vec![];
        for (at, r) in tables(&t, "rule")? {
            keys(
                r,
                &at,
                &["when", "action", "verb", "outcome", "system", "set"],
            )?;
            rules.push(Rule {
                when: m.when(r, &at)?,
                says: m.says(r, &at)?,
            });
        }
        let shapes = match t.get("kv") {
            Some(Value::Array(_)) => tables(&t, "kv")?,
            _ => table(&t, "kv")?
                .map(|k| ("kv".into(), k))
                .into_iter()
                .collect(),
        };
        let kv = shapes.into_iter().map(|(at, k)| {
            keys(k, &at, &["regex", "pair", "between", "quotes"])?;
            let signs = |key: &str, usual: &str| match k.get(key) {
                None => Ok(vec![usual.to_string()]),
                v => list(v, &join(&at, key)),
            };
            let regex = text(k, &at, "regex")?;
            Ok(KvShape {
                regex: regex.map(|r| Expression::new(r, join(&at, "regex"))),
                pair: signs("pair", "=")?,
                between: signs("between", " ")?,
                quotes: text(k, &at, "quotes")?.unwrap_or("\"").to_string(),
            })
        });
        let kv = kv.collect::<Made<Vec<KvShape>>>()?;
        let csv = csv(&t, &mut m, containers.contains(&Container::Csv))?;
        let sniff = sniffs(&t)?;
        let headed = csv.header && containers.contains(&Container::Csv)
            || containers.contains(&Container::W3c)
            || containers.contains(&Container::Xml);
        let records = match t.get("records") {
            None => vec!["records".into(), "Records".into(), "value".into()],
            v => list(v, "records")?,
        };
        let label = |n: &str| Some((n.strip_prefix("label:")?.into(), m.names.find(n)?));
        let labels = m.names.list().iter().filter_map(|n| label(n)).collect();
        let trie = Trie::of(&m.names);
        Ok(Plan {
            about: leak(need("about")?),
            standard: Standard {
                name: leak(need("standard")?),
                section: leak(text(&t, "", "section")?.unwrap_or("")),
            },
            capability,
            inner: text(&t, "", "inner")?.map(leak),
            skip: text(&t, "", "skip")?.map(|r| Expression::new(r, "skip".into())),
            cut: text(&t, "", "cut")?.map(|r| Expression::new(r, "cut".into())),
            containers,
            syslog,
            start: list(t.get("start"), "start")?,
            tags: list(t.get("tags"), "tags")?,
            records: Box::leak(
                records
                    .iter()
                    .map(|r| leak(r))
                    .collect::<Vec<_>>()
                    .into_boxed_slice(),
            ),
            known: match t.get("known") {
                None => 2,
                Some(Value::Integer(n)) if (0..64).contains(n) => *n as usize,
                Some(_) => return wrong("known", "a small number is expected"),
            },
            whole_head: flag(&t, "", "sniff_whole", headed)?,
            begin: text(&t, "", "begin")?.map(|b| Expression::new(b, "begin".to_string())),
            sniff,
            trie,
            columns,
            own,
            extra,
            observer,
            times,
            system: text(&t, "", "system")?
                .map(|s| system(s, "system"))
                .transpose()?
                .unwrap_or_default(),
            verb: text(&t, "", "verb")?
                .map(|s| verb(s, "verb"))
                .transpose()?
                .unwrap_or_default(),
            verbs,
            outcome_from,
            success,
            failure,
            patterns,
            finder,
            carries,
            rules,
            kv,
            csv,
            program,
            labels,
            slots,
            names: m.names,
        })
    }
}

fn capability(t: &Table) -> Made<Capability> {
    let mut rows = vec![];
    match table(t, "proof")? {
        None => {
            return wrong(
                "proof",
                "is needed: [proof] with one `verb = \"proof\"` a line",
            );
        }
        Some(p) => {
            for (k, v) in p {
                let at = join("proof", k);
                let Value::String(v) = v else {
                    return wrong(&at, "a proof is expected");
                };
                rows.push((verb(k, &at)?, word(v, &at, PROOFS)?));
            }
        }
    }
    rows.sort_by_key(|(v, _)| *v);
    let silence = match text(t, "", "silence")? {
        None => {
            return wrong(
                "silence",
                "is needed: no-access, no-presence, no-transfer or nothing",
            );
        }
        Some(s) => word(
            s,
            "silence",
            &[
                ("no-access", Silence::NoAccess),
                ("no-presence", Silence::NoPresence),
                ("no-transfer", Silence::NoTransfer),
                ("nothing", Silence::Nothing),
            ],
        )?,
    };
    Ok(Capability {
        rows: Box::leak(rows.into_boxed_slice()),
        silence,
        names_results: flag(t, "", "names_results", false)?,
        gap: word(
            text(t, "", "gap")?.unwrap_or("rate-only"),
            "gap",
            &[
                ("rate-only", GapSign::RateOnly),
                ("sequence-per-host", GapSign::SequencePerHost),
                ("sequence-per-session", GapSign::SequencePerSession),
            ],
        )?,
    })
}

fn times(t: &Table, m: &mut Maker) -> Made<Vec<TimeWay>> {
    let all: Vec<Value> = match t.get("time") {
        None => vec![],
        Some(Value::Array(a)) => a.clone(),
        Some(v) => vec![v.clone()],
    };
    let mut ways = vec![];
    for (i, v) in all.iter().enumerate() {
        let at = format!("time[{i}]");
        ways.push(match v {
            Value::String(s) => TimeWay {
                from: vec![m.names.slot(s)],
                layouts: vec![],
                zone: None,
                utc: false,
            },
            Value::Table(t) => {
                keys(t, &at, &["from", "format", "zone", "utc"])?;
                let from = list(t.get("from"), &join(&at, "from"))?;
                if from.is_empty() {
                    return wrong(&join(&at, "from"), "is needed");
                }
                let mut layouts = vec![];
                for f in list(t.get("format"), &join(&at, "format"))? {
                    match Layout::of(&f) {
                        Ok(l) => layouts.push(l),
                        Err(e) => return wrong(&join(&at, "format"), e),
                    }
                }
                TimeWay {
                    from: from.iter().map(|f| m.names.slot(f)).collect(),
                    layouts,
                    zone: text(t, &at, "zone")?.map(|z| m.names.slot(z)),
                    utc: flag(t, &at, "utc", false)?,
                }
            }
            _ => return wrong(&at, "a field name or a table is expected"),
        });
    }
    Ok(ways)
}

/// The program of `container = "vrl"`, from the table `[vrl]` or the file it names.
fn program(
    t: &Table,
    source: &str,
    folder: Option<&Path>,
    containers: &[Container],
) -> Made<Option<Program>> {
    let Some(v) = table(t, "vrl")? else {
        if containers.contains(&Container::Vrl) {
            return wrong(
                "vrl",
                "the container `vrl` needs a table [vrl] with `program` or `program_file`",
            );
        }
        return Ok(None);
    };
    keys(v, "vrl", &["program", "program_file", "abort"])?;
    if containers != [Container::Vrl] {
        return wrong(
            "container",
            "with a table [vrl] it is `vrl` alone: the program tells what a record is written in",
        );
    }
    let abort_skips = match text(v, "vrl", "abort")? {
        None => false,
        Some(w) => word(w, "vrl.abort", &[("reject", false), ("skip", true)])?,
    };
    let (given, file) = (text(v, "vrl", "program")?, text(v, "vrl", "program_file")?);
    let program = match (given, file) {
        (Some(p), None) if p.len() as u64 > program::TEXT_MAX => {
            return wrong(
                "vrl.program",
                format!("larger than {} bytes", program::TEXT_MAX),
            );
        }
        (Some(p), None) => p.to_string(),
        (None, Some(f)) => program::read(f, folder)?,
        _ => return wrong("vrl", "either `program` or `program_file` is expected"),
    };
    Ok(Some(Program::new(program, file, source, abort_skips)))
}

fn csv(t: &Table, m: &mut Maker, used: bool) -> Made<CsvShape> {
    let mut shape = CsvShape {
        delimiter: b',',
        quote: Some(b'"'),
        header: used,
        layouts: vec![],
        loose: None,
    };
    let Some(c) = table(t, "csv")? else {
        return Ok(shape);
    };
    keys(
        c,
        "csv",
        &["delimiter", "quote", "header", "columns", "layout", "loose"],
    )?;
    let one = |key: &str| -> Made<Option<u8>> {
        match text(c, "csv", key)? {
            None | Some("") => Ok(None),
            Some(s) if s.len() == 1 => Ok(Some(s.as_bytes()[0])),
            Some(_) => wrong(&join("csv", key), "one ASCII character is expected"),
        }
    };
    if c.get("delimiter").and_then(Value::as_str) == Some("auto") {
        shape.delimiter = 0;
    } else if let Some(d) = one("delimiter")? {
        shape.delimiter = d;
    }
    if c.contains_key("quote") {
        shape.quote = one("quote")?;
    }
    let mut named = |v: Option<&Value>, at: &str| -> Made<Vec<Option<u16>>> {
        Ok(list(v, at)?
            .iter()
            .map(|n| (!n.is_empty() && n != "_").then(|| m.names.slot(n)))
            .collect())
    };
    if c.contains_key("columns") {
        shape.layouts.push(CsvLayout {
            at: None,
            columns: named(c.get("columns"), "csv.columns")?,
        });
    }
    for (at, l) in tables(c, "layout")? {
        let at = join("csv", &at);
        keys(l, &at, &["at", "is", "columns"])?;
        let n = match l.get("at") {
            Some(Value::Integer(n)) if (0..4096).contains(n) => *n as usize,
            _ => return wrong(&join(&at, "at"), "the number of a cell, from 0, is needed"),
        };
        let is = list(l.get("is"), &join(&at, "is"))?;
        shape.layouts.push(CsvLayout {
            at: Some((n, is.iter().map(|t| Test::of(t)).collect())),
            columns: named(l.get("columns"), &join(&at, "columns"))?,
        });
    }
    // A layout with a condition is asked before the one without.
    shape.layouts.sort_by_key(|l| l.at.is_none());
    shape.header = flag(c, "csv", "header", shape.layouts.is_empty())?;
    if flag(c, "csv", "loose", false)? {
        let mut all = FxHashMap::default();
        for name in m.names.list() {
            if let Some(s) = m.names.find(name) {
                all.entry(folded(name)).or_insert(s);
            }
        }
        shape.loose = Some(all);
    }
    Ok(shape)
}

/// What a file must have in it to be of the mapping.
fn sniffs(t: &Table) -> Made<Vec<Sniff>> {
    let mut sniff = vec![];
    for (at, s) in tables(t, "sniff")? {
        keys(s, &at, &["confidence", "all", "any", "not", "regex"])?;
        let c = text(s, &at, "confidence")?.unwrap_or("certain");
        let regex = text(s, &at, "regex")?;
        let one = Sniff {
            words: regex.map(words).unwrap_or_default(),
            confidence: word(
                c,
                &join(&at, "confidence"),
                &[
                    ("maybe", Confidence::Maybe),
                    ("likely", Confidence::Likely),
                    ("certain", Confidence::Certain),
                ],
            )?,
            all: list(s.get("all"), &join(&at, "all"))?,
            any: list(s.get("any"), &join(&at, "any"))?,
            not: list(s.get("not"), &join(&at, "not"))?,
            regex: regex.map(|r| Sight::new(r, join(&at, "regex"))),
        };
        if one.all.is_empty() && one.any.is_empty() && one.regex.is_none() {
            return wrong(&at, "one of `all`, `any`, `regex` is needed");
        }
        sniff.push(one);
    }
    Ok(sniff)
}

impl Heading {
    /// Of a mapping that is well-formed. `None` where these parts cannot be told from the rest by their lines: the whole says it.
    pub(super) fn read(source: &str) -> Option<Heading> {
        let (mut part, mut top, mut taken) = (String::new(), true, false);
        for line in source.lines() {
            if line.starts_with('[') {
                (top, taken) = (false, line.trim_end() == "[[sniff]]");
            }
            if taken || top && line.starts_with("tags") {
                part.push_str(line);
                part.push('\n');
            }
        }
        let t: Table = part.parse().ok()?;
        let sniff = sniffs(&t).ok()?;
        (!sniff.is_empty()).then_some(Heading {
            sniff,
            tags: list(t.get("tags"), "tags").ok()?,
        })
    }
}

/// The longest text every match of a pattern must contain; `None` when none is plain to see.
fn literal(pattern: &str) -> Option<String> {
    let mut best = String::new();
    let mut run = String::new();
    let mut keep = |run: &mut String| {
        if run.len() > best.len() {
            best = run.clone();
        }
        run.clear();
    };
    let mut groups = pattern.match_indices("(?").map(|(i, _)| &pattern[i + 2..]);
    if groups.any(|g| !g.starts_with([':', '<']) && !g.starts_with("P<")) {
        // Flags may fold case.
        return None;
    }
    let mut chars = pattern.chars().peekable();
    let mut depth = 0usize;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(e) if !e.is_ascii_alphanumeric() => {
                    if depth == 0 {
                        run.push(e);
                    }
                }
                // What names a sign by its number or a class by its letter is no text; in braces it is passed over below.
                Some(e) => {
                    keep(&mut run);
                    let signs = match e {
                        'x' => 2,
                        'u' => 4,
                        'U' => 8,
                        'p' | 'P' => 1,
                        _ => 0,
                    };
                    if chars.peek() != Some(&'{') {
                        chars.by_ref().take(signs).for_each(drop);
                    }
                }
                None => keep(&mut run),
            },
            '[' => {
                keep(&mut run);
                // To the end of the class; a bracket right after the opening is literal.
                let mut first = true;
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => {
                            chars.next();
                        }
                        '^' if first => continue,
                        ']' if !first => break,
                        '[' if chars.peek() == Some(&':') => {
                            for c in chars.by_ref() {
                                if c == ']' {
                                    break;
                                }
                            }
                        }
                        _ => {}
                    }
                    first = false;
                }
            }
            '(' => {
                keep(&mut run);
                depth += 1;
            }
            ')' => {
                keep(&mut run);
                depth = depth.saturating_sub(1);
            }
            '|' if depth == 0 => return None,
            '?' | '*' | '{' => {
                run.pop();
                keep(&mut run);
                if c == '{' {
                    for c in chars.by_ref() {
                        if c == '}' {
                            break;
                        }
                    }
                }
            }
            '.' | '^' | '$' | '+' | '|' => keep(&mut run),
            c => {
                if depth == 0 {
                    run.push(c);
                }
            }
        }
    }
    keep(&mut run);
    (best.trim().len() >= 3).then_some(best)
}

fn finder(patterns: &[Pattern], literals: &[Option<String>]) -> Made<Option<Finder>> {
    if patterns.len() < 2 {
        return Ok(None);
    }
    let mut words: Vec<&str> = vec![];
    let (mut of, mut always) = (Vec::<Vec<u16>>::new(), vec![]);
    for (i, l) in literals.iter().enumerate() {
        // A pattern over another field than the payload is not found in the payload.
        let l = l.as_ref().filter(|_| patterns[i].on.is_none());
        match l {
            None => always.push(i as u16),
            Some(l) => match words.iter().position(|w| w == l) {
                Some(k) => of[k].push(i as u16),
                None => {
                    words.push(l);
                    of.push(vec![i as u16]);
                }
            },
        }
    }
    if words.is_empty() {
        return Ok(None);
    }
    let automaton = match aho_corasick::AhoCorasick::new(&words) {
        Ok(a) => a,
        Err(e) => return wrong("pattern", e.to_string()),
    };
    Ok(Some(Finder {
        automaton,
        of,
        always,
    }))
}

#[cfg(test)]
impl Plan {
    /// The same plan, every way gone through whatever the record holds.
    pub(super) fn without_shortcuts(mut self) -> Plan {
        let columns = self.columns.iter_mut().map(|c| &mut c.1);
        let extra = self.extra.iter_mut().map(|e| &mut e.1);
        for ways in columns.chain(extra).chain(&mut self.observer) {
            ways.asks = None;
            ways.plain = None;
            for way in &mut ways.list {
                way.plain = None;
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_match_contains_the_literal() {
        for (p, want) in [
            (r"^Accepted (?P<m>\w+) for (?P<user>\S+)", Some("Accepted ")),
            (r"a+b?cdef\[x\]", Some("cdef[x]")),
            (r"session (opened|closed) for user", Some(" for user")),
            (r"(?i)login", None),
            (r"a (?i)login", None),
            (r"\x41bcd\x{42}efg", Some("bcd")),
            (r"\pLabc\u0041defg", Some("defg")),
            (r"(^|[\s>])CEF: ?[01]\|", Some("CEF:")),
            (r"one|two", None),
            (r"[]x]abc[^]y]", Some("abc")),
        ] {
            assert_eq!(literal(p).as_deref(), want, "{p}");
        }
    }

    #[test]
    fn the_first_byte_decides_nothing_else() {
        let words = [
            "", "*", "a", "login", "log*", "*in", "!a", "400..599", "é*", "*o*",
        ];
        let values = [
            "", "-", "a", "b", "login", "logout", "inn", "450", "été", "é",
        ];
        for some in 0u32..1 << words.len() {
            let list = (0..words.len()).filter(|i| some >> i & 1 == 1);
            let list: Vec<Test> = list.map(|i| Test::of(words[i])).collect();
            let tests = Tests::of(list.clone());
            for v in values {
                assert_eq!(
                    tests.hold(v),
                    list.iter().any(|t| t.holds(v)),
                    "{list:?} {v}"
                );
            }
        }
    }
    #[test]
    fn tests_match_as_written() {
        let t = |t: &str, v: &str| Test::of(t).holds(v);
        assert!(t("a*c", "abc") && t("*fail*", "login failed") && !t("a*c", "abd"));
        assert!(t("", "") && t("*", "x") && !t("*", "-") && t("!a", "b") && t("400..499", "404"));
    }

    #[test]
    fn what_wants_one_sign_of_many_is_read_as_text() {
        for text in [
            "nom d.utilisateur",
            "a.{3}b",
            "[^,]x",
            "x\\S",
            "a.?b",
            "[^]]",
            "utilisateur \\w+",
            "[\\w.-]+",
            "é",
        ] {
            assert!(reads_text(text), "{text}");
        }
        for text in [
            "a.*b", "[^,]+x", "\\S+ \\d", "a\\.b", "[.]", "[\\].]", "[]^.]x", "",
        ] {
            assert!(!reads_text(text), "{text}");
        }
        let sees = |text: &str, head: &str| Sight::new(text, String::new()).is_in(head.as_bytes());
        assert!(sees("nom d.utilisateur", "nom d’utilisateur"));
        assert!(sees("^é[^;]+;\\w+$", "éàü;abc"));
        assert!(sees("^Prénom: \\w+$", "Prénom: Élodie"));
        assert!(sees("^[^;]+; *x", "Prénom; x"));
        assert!(!sees("^[^;]+;x", "Prénom; x"));
        assert!(Sight::new("(", String::new()).check().is_err());
    }
}
