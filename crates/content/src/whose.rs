//! Whose data a document holds, and which: hits and words to persons and categories.
//!
//! Who: a NIR of somebody; a birth date with a family and a given name near it (any order, accents and case apart); a local
//! number under a heading, beside a label, beside its owner's name, or of a shape so rare that chance is out of the question;
//! an address or telephone only one person has, where nobody is named better. What cannot be told apart (namesakes, a number
//! of two authorities) is *possible*, never proven.
//! Which: the headings and fields, the values themselves, words of free text. In a document about one to three persons
//! everything found belongs to each of them; in a longer list, to the persons of the line, else of the line before.
//! Memory: one entry per person found, one piece of text, the hashes of its words.
use crate::{
    detect::{Hit, What, scan, walk},
    fold::fold,
    roster::{Person, Roster, WORD, key, key_at, words as name_words},
    runs::{self, Bits, Openings, opening},
    text,
    words::{self, Column, Place, Role, Words},
};
use ampleur_event::{
    Category::{self, *},
    category::CategorySet,
};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Folded text is looked at in pieces of this size, cut at a line end.
const PIECE: usize = 1 << 16;
/// How far before and after a date a name may stand, in bytes, and over how many line ends.
const BEFORE: usize = 200;
const AFTER: usize = 120;
const LINES: usize = 4;
/// Words of a window that are looked at.
const WINDOW_WORDS: usize = 96;
/// A bare number is taken at its word below this chance of being somebody's by accident.
const RARE: f64 = 1e-4;
/// Up to this many persons a document is about each of them.
const FEW: usize = 3;
/// More possible persons than this for one mention say nothing.
const POSSIBLE_MAX: usize = 50;
/// Bytes of a table that are looked at in one go.
const BATCH: usize = 1 << 14;
/// Digits of an RPPS.
const RPPS: usize = 11;
/// Rows looked at before a table's columns are settled.
const SAMPLE: usize = 64;

/// What is shared by all documents.
pub struct Knowledge {
    pub roster: Roster,
    pub words: Words,
    /// Of runs that begin a word of the list or are what a family name is looked up by.
    openings: Openings,
    /// Days somebody was born on, from 1880.
    birthdays: Vec<u64>,
}

impl Knowledge {
    pub fn new(roster: Roster) -> Knowledge {
        let mut birthdays = vec![0u64; (220 * 12 * 32) / 64 + 1];
        for p in 0..roster.len() as u32 {
            for b in roster.births(p) {
                let n = day_number(*b);
                if let Some(w) = birthdays.get_mut(n / 64) {
                    *w |= 1 << (n % 64);
                }
            }
        }
        let words = Words::default();
        let mut openings = roster.mains().clone();
        words.firsts().for_each(|o| openings.put(o));
        Knowledge {
            roster,
            words,
            openings,
            birthdays,
        }
    }
    fn somebody_born(&self, day: u32) -> bool {
        let n = day_number(day);
        self.birthdays
            .get(n / 64)
            .is_some_and(|w| w >> (n % 64) & 1 == 1)
    }
}

fn day_number(day: u32) -> usize {
    let (y, m, d) = (day / 10_000, day / 100 % 100, day % 100);
    (y.saturating_sub(1880) as usize * 12 + m as usize - usize::from(m > 0)) * 32 + d as usize
}

/// One person in a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    pub categories: CategorySet,
    /// Named without doubt; otherwise the document may speak of somebody else with the same traits.
    pub sure: bool,
}

/// What a file was found to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Persons of the roster.
    pub persons: BTreeMap<Person, Mark>,
    /// NIR of nobody in the roster, as 15 characters.
    pub foreign: BTreeMap<String, CategorySet>,
    /// Categories that belong to nobody who could be named.
    pub nobody: CategorySet,
}

/// What was found so far, for many small additions.
#[derive(Default)]
struct Held {
    persons: FxHashMap<Person, Mark>,
    foreign: BTreeMap<String, CategorySet>,
    nobody: CategorySet,
}

impl Held {
    fn give(&mut self, p: Person, c: CategorySet, sure: bool) {
        let m = self.persons.entry(p).or_default();
        m.categories = m.categories.union(c);
        m.sure |= sure;
    }
}

/// Persons and categories of one line or row while it is read.
#[derive(Default)]
struct Line {
    sure: Vec<Person>,
    possible: Vec<Person>,
    /// Named only by an address or telephone.
    contact: Vec<Person>,
    foreign: Vec<String>,
    categories: CategorySet,
}

impl Line {
    fn clear(&mut self) {
        self.sure.clear();
        self.possible.clear();
        self.contact.clear();
        self.foreign.clear();
        self.categories = CategorySet::EMPTY;
    }
    fn names_somebody(&self) -> bool {
        !self.sure.is_empty() || !self.foreign.is_empty() || !self.possible.is_empty()
    }
}

fn add(list: &mut Vec<Person>, p: Person) {
    if !list.contains(&p) {
        list.push(p);
    }
}

/// A word of letters in the text at hand.
#[derive(Clone, Copy)]
struct Near {
    word: u64,
    at: u32,
    len: u8,
    /// Somebody's family name may be looked up by it.
    main: bool,
}

/// Words of the text at hand, in order: those that start in `from..to`, read when somebody asks for what is near.
#[derive(Default)]
struct Around {
    words: Vec<Near>,
    from: usize,
    to: usize,
    /// The first word not before the last hit asked about.
    cursor: usize,
}

impl Around {
    fn clear(&mut self) {
        self.words.clear();
        (self.from, self.to, self.cursor) = (0, 0, 0);
    }
    /// Reads the words that start in `a..z`; those read before are kept where the next are asked for behind them.
    fn cover(&mut self, roster: &Roster, text: &[u8], a: usize, z: usize) {
        if a < self.from || a > self.to {
            self.words.clear();
            (self.from, self.to, self.cursor) = (a, a, 0);
        }
        if z > self.to {
            self.read(roster, text, z);
            self.to = z;
        }
    }
    fn read(&mut self, roster: &Roster, text: &[u8], z: usize) {
        let mut i = self.to;
        if i > 0 && text[i - 1].is_ascii_lowercase() {
            // Within a word that starts before.
            i = runs::word(text, i);
        }
        while i < z {
            let end = runs::word(text, i);
            if end == i {
                i += 1;
                continue;
            }
            let word = key_at(WORD, text, i, end);
            self.words.push(Near {
                word,
                at: i as u32,
                len: (end - i).min(255) as u8,
                main: end - i >= 2 && roster.is_main(word),
            });
            i = end + 1;
        }
    }
    /// The words that start in `a..from` and in `to..z`, the nearest where there are many. [`Around::cover`] comes first.
    fn beside(&mut self, a: usize, from: usize, to: usize, z: usize) -> [&[Near]; 2] {
        let w = &self.words[..];
        let mut c = self.cursor.min(w.len());
        while c < w.len() && (w[c].at as usize) < from {
            c += 1;
        }
        while c > 0 && w[c - 1].at as usize >= from {
            c -= 1;
        }
        self.cursor = c;
        let before = w[..c].iter().rev().take(WINDOW_WORDS);
        let before = before.take_while(|n| n.at as usize >= a).count();
        let inside = w[c..].iter().take_while(|n| (n.at as usize) < to).count();
        let rest = &w[c + inside..];
        let after = rest.iter().take(WINDOW_WORDS);
        let after = after.take_while(|n| (n.at as usize) < z).count();
        [&w[c - before..c], &rest[..after]]
    }
}

/// Words of the text at hand that may be what a family name is looked up by, in order: where they start and end.
#[derive(Default)]
struct Names {
    words: Vec<(u32, u32)>,
}

impl Names {
    /// Takes those of the runs of letters and digits that start in `from..to`.
    fn read(&mut self, roster: &Roster, text: &[u8], bits: &Bits, (from, to): (usize, usize)) {
        let look = Some(roster.mains());
        walk(text, bits, (from, to), look, &mut |_| {}, &mut |a, z, _| {
            self.run(roster, text, a, z);
        });
    }
    /// Takes those of one run.
    #[inline(never)]
    fn run(&mut self, roster: &Roster, text: &[u8], from: usize, to: usize) {
        let mut i = from;
        while i < to {
            let end = runs::word(text, i).min(to);
            if end > i && roster.mains().holds(opening(text, i, end)) {
                self.words.push((i as u32, end as u32));
            }
            i = end + 1;
        }
    }
    /// Those that start in the window, before and behind its hit.
    fn within<'n>(&'n self, w: &'n Window) -> impl Iterator<Item = (usize, usize)> + 'n {
        let first = self.words.partition_point(|n| (n.0 as usize) < w.a);
        self.words[first..]
            .iter()
            .map(|n| (n.0 as usize, n.1 as usize))
            .take_while(|n| n.0 < w.z)
            .filter(|n| n.0 < w.from || n.0 >= w.to)
    }
}

/// A text document while it is read.
#[derive(Default)]
struct Document {
    found: Held,
    contact: FxHashMap<Person, CategorySet>,
    /// Everything found, for the case of few persons.
    all: CategorySet,
    /// Found before anybody was named.
    head: CategorySet,
    last: Vec<Person>,
    last_foreign: Vec<String>,
    other_dates: bool,
    prose: bool,
}

/// A table while it is read.
struct Table {
    columns: Option<Vec<Column>>,
    /// First rows, kept until the columns are settled.
    sample: Vec<Vec<Vec<u8>>>,
}

/// Reads the documents of one file; [`Reader::finish`] gives what was found.
pub struct Reader<'k> {
    know: &'k Knowledge,
    place: Place,
    found: Held,
    document: Document,
    /// Folded text not yet looked at, behind `kept` bytes that were.
    buf: Vec<u8>,
    kept: usize,
    /// Bytes of a cut character.
    raw: Vec<u8>,
    table: Option<Table>,
    hits: Vec<Hit>,
    seen: Vec<(usize, Category)>,
    near: Vec<Near>,
    around: Around,
    bits: Bits,
    names: Names,
    /// Memory for [`Reader::tokens`] and [`Reader::records`].
    asked: Vec<(usize, u64, Hit)>,
    later: Vec<Hit>,
    days: Vec<(u32, u64)>,
    row: Vec<u8>,
    /// Where the cells of `row` end, each at a sign that is not part of it.
    ends: Vec<u32>,
    columns: Vec<Column>,
    /// What is looked at now of the text or row at hand: no word beyond is near.
    span: (usize, usize),
    line: Line,
    /// Bytes of text looked at.
    pub read: u64,
    /// Records are parts of the current document: what they name and hold counts for the text too.
    pub within: bool,
    piece: usize,
    slow: bool,
}

impl<'k> Reader<'k> {
    /// `path`: of the file below its share; its words count too.
    pub fn new(know: &'k Knowledge, path: &str) -> Reader<'k> {
        let folded = text::folded(path.as_bytes());
        let mut r = Reader {
            know,
            place: words::place(&folded),
            found: Held::default(),
            document: Document::default(),
            buf: vec![],
            kept: 0,
            raw: vec![],
            table: None,
            hits: vec![],
            seen: vec![],
            near: vec![],
            around: Around::default(),
            bits: Bits::default(),
            names: Names::default(),
            asked: vec![],
            later: vec![],
            days: vec![],
            row: vec![],
            ends: vec![],
            columns: vec![],
            span: (0, 0),
            line: Line::default(),
            read: 0,
            within: false,
            piece: PIECE,
            slow: false,
        };
        // A name alone in a path is a hint; with a birth date or number it names somebody.
        r.record(&[(Column::default(), path.as_bytes())]);
        // The path says who; what it says about which data is in `place` and holds for everybody inside.
        r.found.nobody = CategorySet::EMPTY;
        r
    }

    /// Looks at text in pieces of about this many bytes instead of the usual size.
    pub fn with_piece(mut self, bytes: usize) -> Self {
        self.piece = bytes.max(1);
        self
    }

    /// Text of the current document, in order; any encoding, pieces may cut characters.
    pub fn text(&mut self, bytes: &[u8]) {
        self.read += bytes.len() as u64;
        for piece in bytes.chunks(self.piece) {
            if self.raw.is_empty() {
                let n = fold(piece, false, &mut self.buf);
                self.raw.extend_from_slice(&piece[n..]);
            } else {
                self.raw.extend_from_slice(piece);
                let n = fold(&self.raw, false, &mut self.buf);
                self.raw.drain(..n);
            }
            if self.buf.len() - self.kept >= self.piece {
                self.look(false);
            }
        }
    }

    /// Ends the current text document.
    pub fn end_document(&mut self) {
        let raw = std::mem::take(&mut self.raw);
        fold(&raw, true, &mut self.buf);
        self.look(true);
        self.buf.clear();
        self.kept = 0;
        let mut d = std::mem::take(&mut self.document);
        if d.prose {
            d.all.insert(FreeText);
            d.head.insert(FreeText);
        }
        if d.other_dates && d.all.iter().any(medical) {
            d.all.insert(CareDate);
            d.head.insert(CareDate);
        }
        // An address or telephone names its owner only in a document that names nobody better.
        if d.found.persons.is_empty() && d.found.foreign.is_empty() {
            let mut who: Vec<_> = d.contact.iter().map(|(p, c)| (*p, *c)).collect();
            who.sort_unstable();
            for (p, c) in who {
                d.found.give(p, c, true);
            }
        }
        let few = d.found.persons.len() + d.found.foreign.len() <= FEW;
        let extra = if few { d.all } else { d.head };
        if d.found.persons.is_empty() && d.found.foreign.is_empty() {
            self.found.nobody = self.found.nobody.union(d.all);
        }
        // Sets are united: the order does not matter.
        let persons: Vec<(Person, Mark)> = d.found.persons.into_iter().collect();
        for (p, m) in persons {
            self.found.give(p, m.categories.union(extra), m.sure);
        }
        for (n, c) in d.found.foreign {
            let e = self.found.foreign.entry(n).or_default();
            *e = e.union(c).union(extra);
        }
    }

    /// A category everybody in the current text document has (an image, a letter).
    pub fn holds(&mut self, c: Category) {
        self.document.all.insert(c);
        self.document.head.insert(c);
    }

    /// Looks at the folded text, all of it or up to a safe line end.
    fn look(&mut self, last: bool) {
        let len = self.buf.len();
        let to = if last {
            len
        } else {
            // Names after the last date must be there; a document of one endless line is cut between two words.
            let limit = len.saturating_sub(AFTER + 40).max(self.kept);
            match memchr::memrchr(b'\n', &self.buf[self.kept..limit]) {
                Some(p) => self.kept + p + 1,
                None => match self.buf[self.kept..limit]
                    .iter()
                    .rposition(|b| matches!(b, b' ' | b',' | b';' | b'\t' | b'}' | b'>'))
                {
                    Some(p) if len - self.kept > PIECE => self.kept + p + 1,
                    _ if len - self.kept > 8 * PIECE => limit,
                    _ => return,
                },
            }
        };
        let from = self.kept;
        self.span = (0, len);
        let mut hits = std::mem::take(&mut self.hits);
        let mut seen = std::mem::take(&mut self.seen);
        hits.clear();
        seen.clear();
        self.around.clear();
        self.bits.read(&self.buf);
        self.names.words.clear();
        self.names
            .read(&self.know.roster, &self.buf, &self.bits, (0, from));
        let buf = std::mem::take(&mut self.buf);
        self.tokens(&buf, (from, to), |n| n == RPPS, &mut hits, &mut seen);
        self.names
            .read(&self.know.roster, &buf, &self.bits, (to, len));
        if !self.document.prose && (from == 0 || last) {
            self.document.prose = prose(&buf[from..to.min(from + (1 << 16))]);
        }
        let mut line = std::mem::take(&mut self.line);
        let mut line_end = from;
        let (mut h, mut s) = (0, 0);
        loop {
            let next_hit = hits.get(h).map_or(usize::MAX, |x| x.from);
            let next_word = seen.get(s).map_or(usize::MAX, |x| x.0);
            let at = next_hit.min(next_word);
            if at == usize::MAX {
                break;
            }
            if at >= line_end {
                self.end_line(&mut line);
                line_end = memchr::memchr(b'\n', &buf[at..]).map_or(buf.len(), |p| at + p + 1);
            }
            if next_word < next_hit {
                line.categories.insert(seen[s].1);
                s += 1;
            } else {
                self.hit(&buf, hits[h], None, &mut line);
                h += 1;
            }
        }
        self.end_line(&mut line);
        self.line = line;
        self.buf = buf;
        self.hits = hits;
        self.seen = seen;
        // What was looked at stays as far as a window reaches back.
        let keep_from = to.saturating_sub(BEFORE);
        self.buf.drain(..keep_from);
        self.kept = to - keep_from;
    }

    /// A line of a text document is over: its categories go to its persons.
    fn end_line(&mut self, line: &mut Line) {
        let d = &mut self.document;
        d.all = d.all.union(line.categories);
        for p in &line.contact {
            let c = d.contact.entry(*p).or_default();
            *c = c.union(line.categories);
        }
        if line.names_somebody() {
            for p in &line.sure {
                d.found.give(*p, line.categories, true);
            }
            for p in &line.possible {
                d.found.give(*p, line.categories, false);
            }
            for n in &line.foreign {
                let e = d.found.foreign.entry(n.clone()).or_default();
                *e = e.union(line.categories);
            }
            std::mem::swap(&mut d.last, &mut line.sure);
            d.last.extend(&line.possible);
            std::mem::swap(&mut d.last_foreign, &mut line.foreign);
        } else if !line.categories.is_empty() {
            for p in &d.last {
                let sure = d.found.persons.get(p).is_some_and(|m| m.sure);
                d.found.give(*p, line.categories, sure);
            }
            for n in &d.last_foreign {
                let e = d.found.foreign.entry(n.clone()).or_default();
                *e = e.union(line.categories);
            }
            if d.last.is_empty() && d.last_foreign.is_empty() {
                d.head = d.head.union(line.categories);
            }
        }
        line.clear();
    }

    /// One hit of a text or a row. `role`: of the cell it stands in.
    fn hit(&mut self, buf: &[u8], h: Hit, cell: Option<Role>, line: &mut Line) {
        let know = self.know;
        match h.what {
            What::Date(day) => {
                let before = line.sure.len() + line.possible.len();
                if know.somebody_born(day) {
                    // Names on the line of the date come first: in a list the next line is about somebody else.
                    let reach = if cell.is_none() {
                        Reach::Line
                    } else if self.short() {
                        Reach::Whole
                    } else {
                        Reach::Near
                    };
                    self.born(buf, day, &Window::of(buf, self.span, &h, reach), line);
                    if reach == Reach::Line && line.sure.len() + line.possible.len() == before {
                        self.born(buf, day, &Window::of(buf, self.span, &h, Reach::Near), line);
                    }
                }
                if line.sure.len() + line.possible.len() > before || cell == Some(Role::Birth) {
                    line.categories.insert(IdDob);
                } else {
                    self.document.other_dates = true;
                }
                if line.sure.len() + line.possible.len() > before {
                    line.categories.insert(IdName);
                }
            }
            What::Nir { stem, key } => {
                let found = know.roster.by_nir(stem);
                if !found.is_empty() {
                    found.iter().for_each(|p| add(&mut line.sure, *p));
                    line.categories.insert(IdNir);
                    return;
                }
                let digits: String = buf[h.from..h.to]
                    .iter()
                    .filter(|b| b.is_ascii_alphanumeric())
                    .map(|b| b.to_ascii_uppercase() as char)
                    .collect();
                let labelled =
                    cell == Some(Role::Nir) || words::before(buf, h.from, 40, words::of_nir);
                // One number in a hundred has the key by chance: a bare one must look like a birth of a real month and place.
                if key && (labelled || ordinary(stem) || h.to - h.from > 15) {
                    if !line.foreign.contains(&digits) {
                        line.foreign.push(digits);
                    }
                    line.categories.insert(IdNir);
                } else if labelled {
                    line.categories.insert(IdNir);
                } else {
                    self.token(buf, h, cell, line);
                }
            }
            What::Phone(n) => {
                let found = know.roster.by_phone(n);
                if let [p] = found {
                    add(&mut line.contact, *p);
                } else if found.is_empty() {
                    // Ten digits in a row may be a record number.
                    self.token(buf, h, cell, line);
                }
                line.categories.insert(ContactPhone);
            }
            What::Email => {
                let address = &buf[h.from..h.to];
                if let Some(local) = address.strip_suffix(b"@patient.mssante.fr") {
                    line.categories.insert(ContactMssante);
                    if let Some((stem, key)) =
                        crate::detect::nir_of(&String::from_utf8_lossy(local))
                    {
                        let found = know.roster.by_nir(stem);
                        found.iter().for_each(|p| add(&mut line.sure, *p));
                        if found.is_empty() && key {
                            line.foreign
                                .push(String::from_utf8_lossy(local).to_ascii_uppercase());
                        }
                    }
                    return;
                }
                if let [p] = know.roster.by_email(address) {
                    add(&mut line.contact, *p);
                }
                line.categories.insert(ContactEmail);
            }
            What::Iban => line.categories.insert(FinBank),
            What::Token => self.known(buf, h, &buf[h.from..h.to], cell, line),
        }
    }

    /// A number that may be somebody's, written in one or in groups.
    fn token(&mut self, buf: &[u8], h: Hit, cell: Option<Role>, line: &mut Line) {
        let t = &buf[h.from..h.to];
        if runs::run(t, 0).0 == t.len() {
            return self.known(buf, h, t, cell, line);
        }
        let signs = t.iter().copied().filter(u8::is_ascii_alphanumeric);
        let joined: Vec<u8> = signs.collect();
        self.known(buf, h, &joined, cell, line);
    }

    /// A number that may be somebody's: its letters and digits are `t`.
    fn known(&mut self, buf: &[u8], h: Hit, t: &[u8], cell: Option<Role>, line: &mut Line) {
        let know = self.know;
        let found = know.roster.by_id(t);
        if found.is_empty() {
            if cell.is_none()
                && t.len() == RPPS
                && crate::detect::luhn(t)
                && words::before(buf, h.from, 24, |w| w == b"rpps")
            {
                line.categories.insert(ProId);
            }
            return;
        }
        if found.len() > POSSIBLE_MAX {
            return;
        }
        // The heading says what it is, and one person has it: what stands beside it changes nothing.
        if let ([p], Some(Role::Id)) = (found, cell) {
            add(&mut line.sure, *p);
            line.categories.insert(IdLocal);
            return;
        }
        // Its owner's name or birth date beside it leaves no doubt.
        let reach = if cell.is_some() && self.short() {
            Reach::Whole
        } else {
            Reach::Near
        };
        self.families(buf, &Window::of(buf, self.span, &h, reach), found);
        let mut beside = false;
        for p in found {
            let named = know.roster.names(*p).any(|(family, _)| {
                !family.is_empty()
                    && family
                        .iter()
                        .all(|w| self.near.iter().any(|n| n.word == *w))
            });
            if named || line.sure.contains(p) {
                add(&mut line.sure, *p);
                beside = true;
            }
        }
        if !beside {
            let told = cell == Some(Role::Id)
                || know.roster.density(t) < RARE
                || words::before(buf, h.from, 24, words::of_id);
            if !told {
                return;
            }
            match found {
                [p] => add(&mut line.sure, *p),
                many => many.iter().for_each(|p| add(&mut line.possible, *p)),
            }
        }
        line.categories.insert(IdLocal);
    }

    /// One pass over `text[from..to]`, whose bits are there: hits, words of the list, none within another, and words that may be
    /// family names. `keep`: whether a number of so many signs is a hit even when it is nobody's.
    fn tokens(
        &mut self,
        text: &[u8],
        (from, to): (usize, usize),
        keep: impl Fn(usize) -> bool,
        hits: &mut Vec<Hit>,
        seen: &mut Vec<(usize, Category)>,
    ) {
        let slow = self.slow();
        let (know, names) = (self.know, &mut self.names);
        let mut done = from;
        // What must be somebody's to be a hit: how many hits are before it, what it is looked up by.
        let mut asked: Vec<(usize, u64, Hit)> = std::mem::take(&mut self.asked);
        asked.clear();
        let each = &mut |h: Hit| {
            if slow || h.what != What::Token || keep(h.to - h.from) {
                hits.push(h);
            } else if let Some(key) = know.roster.id_key(&text[h.from..h.to]) {
                asked.push((hits.len(), key, h));
            }
        };
        let look = Some(&know.openings);
        walk(text, &self.bits, (from, to), look, each, &mut |a, z, _| {
            names.run(&know.roster, text, a, z);
            if let Some((end, c)) = know.words.at(text, a, key_at(WORD, text, a, z))
                && a >= done
            {
                seen.push((a, c));
                done = end;
            }
        });
        // Most numbers are nobody's and say nothing.
        know.roster.of_somebody(&mut asked, |a| a.1);
        if let Some((first, ..)) = asked.first().copied() {
            let later = &mut self.later;
            later.clear();
            later.extend_from_slice(&hits[first..]);
            hits.truncate(first);
            let mut from = first;
            for (at, _, h) in &asked {
                hits.extend_from_slice(&later[from - first..at - first]);
                hits.push(*h);
                from = *at;
            }
            hits.extend_from_slice(&later[from - first..]);
        }
        self.asked = asked;
    }

    /// Brings near what the dates of records are looked up by, with the names beside them; what is far from a date is looked up later.
    fn fetch(&mut self, text: &[u8], hits: &[Hit]) {
        let know = self.know;
        let words = &self.names.words;
        self.days.clear();
        let mut first = 0;
        for h in hits {
            let What::Date(day) = h.what else { continue };
            if !know.somebody_born(day) {
                continue;
            }
            let near = |w: &(u32, u32)| (w.0 as usize) + BEFORE < h.from;
            first += words[first..].iter().take_while(|w| near(w)).count();
            let beside = words[first..].iter();
            for (a, z) in beside.take_while(|w| (w.0 as usize) < h.to + AFTER) {
                let word = key_at(WORD, text, *a as usize, *z as usize);
                self.days.push((day, word));
            }
        }
        know.roster.fetch_born(&mut self.days);
    }

    /// Fills `near` with the words of a window.
    fn fill(&mut self, buf: &[u8], w: &Window) {
        self.around.cover(&self.know.roster, buf, w.a, w.z);
        self.near.clear();
        for s in self.around.beside(w.a, w.from, w.to, w.z) {
            self.near.extend_from_slice(s);
        }
    }

    /// Fills `near` with the words of a window that may be in the family names of these persons.
    fn families(&mut self, buf: &[u8], w: &Window, of: &[Person]) {
        let roster = &self.know.roster;
        if self.slow() || of.iter().any(|p| roster.names(*p).any(|n| n.0.len() > 1)) {
            return self.fill(buf, w);
        }
        // A name of one word is looked up by it.
        self.near.clear();
        for (c, end) in self.names.within(w) {
            if w.holds(&self.bits, c) {
                self.near.push(Near {
                    word: key_at(WORD, buf, c, end),
                    at: c as u32,
                    len: (end - c).min(255) as u8,
                    main: true,
                });
            }
        }
    }

    /// Persons born that day whose names are in the window.
    fn born(&mut self, buf: &[u8], day: u32, w: &Window, line: &mut Line) {
        let roster = &self.know.roster;
        if self.slow() {
            self.fill(buf, w);
            return self.born_near(day, line);
        }
        // Few windows hold a family name of somebody born that day; where one does, the given name is mostly beside it.
        let (mut some, mut all) = (false, true);
        let mut sure: Vec<Person> = vec![];
        for (c, end) in self.names.within(w) {
            if end - c < 2 {
                continue;
            }
            let word = key_at(WORD, buf, c, end);
            let found = roster.born(day, word);
            if found.is_empty() || !w.holds(&self.bits, c) {
                continue;
            }
            some = true;
            for p in found {
                all = all && self.named_beside(buf, w, (c, end), word, *p);
                sure.push(*p);
            }
        }
        if !some {
            return;
        }
        if all {
            sure.iter().for_each(|p| add(&mut line.sure, *p));
            return;
        }
        self.fill(buf, w);
        self.born_near(day, line);
    }

    /// True when the family name of the person is this one word and a given name stands next to it: the usual case of
    /// [`Fit::Whole`].
    fn named_beside(
        &self,
        buf: &[u8],
        w: &Window,
        (from, to): (usize, usize),
        word: u64,
        p: Person,
    ) -> bool {
        let letter = |i: usize| buf[i].is_ascii_lowercase();
        let holds = |a: usize, z: usize| a < z && w.holds(&self.bits, a);
        let mut z = from;
        while z > 0 && !letter(z - 1) {
            z -= 1;
        }
        let mut a = z;
        while a > 0 && letter(a - 1) {
            a -= 1;
        }
        let before = holds(a, z).then(|| key_at(WORD, buf, a, z));
        let mut a = to;
        while a < buf.len() && !letter(a) {
            a += 1;
        }
        let z = runs::word(buf, a);
        let after = holds(a, z).then(|| key_at(WORD, buf, a, z));
        self.know.roster.names(p).any(|(family, given)| {
            let has = |w: Option<u64>| w.is_some_and(|w| given.contains(&w));
            family == [word] && (has(before) || has(after))
        })
    }

    /// As [`Reader::born`], from the words in `near`.
    fn born_near(&mut self, day: u32, line: &mut Line) {
        let roster = &self.know.roster;
        for i in 0..self.near.len() {
            if !self.near[i].main {
                continue;
            }
            let found = roster.born(day, self.near[i].word);
            if found.is_empty() {
                continue;
            }
            let mut half: Vec<Person> = vec![];
            let mut whole = false;
            for p in found {
                match self.names_fit(*p, i) {
                    Fit::Whole => {
                        add(&mut line.sure, *p);
                        whole = true;
                    }
                    Fit::Family => half.push(*p),
                    Fit::No => {}
                }
            }
            if whole {
                continue;
            }
            // Family name and birth date without a given name: one person, or one of these.
            match half[..] {
                [] => {}
                [p] => add(&mut line.sure, p),
                _ => half.iter().for_each(|p| add(&mut line.possible, *p)),
            }
        }
    }

    fn names_fit(&self, p: Person, main: usize) -> Fit {
        let has = |w: &u64| self.near.iter().any(|n| n.word == *w);
        let mut best = Fit::No;
        for (family, given) in self.know.roster.names(p) {
            if !family.iter().all(has) {
                continue;
            }
            // The main word must not be the only match of both names.
            let named = given.iter().any(|g| {
                self.near
                    .iter()
                    .enumerate()
                    .any(|(k, n)| n.word == *g && k != main)
            });
            if named {
                return Fit::Whole;
            }
            let other = |k: Option<usize>| {
                k.and_then(|k| self.near.get(k)).is_some_and(|n| {
                    n.len > 1 && self.know.roster.is_given(n.word) && !family.contains(&n.word)
                })
            };
            if given.is_empty() || !(other(main.checked_sub(1)) || other(Some(main + 1))) {
                best = Fit::Family;
            }
        }
        best
    }

    // ------------------------------------------------------------ tables and records

    /// Starts a table; rows follow.
    pub fn table(&mut self) {
        self.end_table();
        self.table = Some(Table {
            columns: None,
            sample: vec![],
        });
    }

    /// A row of the table; cells of any encoding.
    pub fn row(&mut self, cells: &[&[u8]]) {
        self.read += cells.iter().map(|c| c.len() as u64 + 1).sum::<u64>();
        let Some(mut t) = self.table.take() else {
            let plain: Vec<(Column, &[u8])> =
                cells.iter().map(|c| (Column::default(), *c)).collect();
            self.record(&plain);
            return;
        };
        match &t.columns {
            Some(columns) => self.cells(columns, cells),
            None => {
                t.sample.push(cells.iter().map(|c| c.to_vec()).collect());
                if t.sample.len() >= SAMPLE {
                    self.settle(&mut t);
                }
            }
        }
        self.table = Some(t);
    }

    /// Whole rows of the table as they stand in a file: cells apart by `delimiter`, no quote in them, each row with its line end.
    pub(crate) fn lines(&mut self, mut lines: &[u8], delimiter: u8) {
        while !lines.is_empty() {
            let t = self.table.take();
            let Some(columns) = t.as_ref().and_then(|t| t.columns.as_ref()) else {
                // Not settled yet: one by one.
                self.table = t;
                let end = memchr::memchr(b'\n', lines).map_or(lines.len(), |n| n + 1);
                self.line(&lines[..end], delimiter);
                lines = &lines[end..];
                continue;
            };
            let to = match lines.get(..BATCH).map(|b| memchr::memrchr(b'\n', b)) {
                None => lines.len(),
                Some(Some(n)) => n + 1,
                Some(None) => memchr::memchr(b'\n', lines).map_or(lines.len(), |n| n + 1),
            };
            let done = !self.slow() && self.batch(columns, &lines[..to], delimiter);
            self.table = t;
            if !done {
                for one in lines[..to].split_inclusive(|b| *b == b'\n') {
                    self.line(one, delimiter);
                }
            }
            lines = &lines[to..];
        }
    }

    /// One row with its line end.
    fn line(&mut self, line: &[u8], delimiter: u8) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let cells: Vec<&[u8]> = line.split(|b| *b == delimiter).collect();
        if cells.iter().any(|c| !c.is_empty()) {
            self.row(&cells);
        }
    }

    /// Many rows of a settled table in one go; false, and nothing is done, when their cells cannot be told apart after folding.
    fn batch(&mut self, columns: &[Column], rows: &[u8], delimiter: u8) -> bool {
        let mut row = std::mem::take(&mut self.row);
        let mut ends = std::mem::take(&mut self.ends);
        row.clear();
        ends.clear();
        fold(rows, true, &mut row);
        if row.last() != Some(&b'\n') {
            row.push(b'\n');
        }
        runs::places(&row, [delimiter, b'\n'], &mut ends);
        // Folding leaves these signs as they are, and makes some of others.
        let told = rows.is_ascii()
            || runs::count(rows, [delimiter, b'\n']) + usize::from(!rows.ends_with(b"\n"))
                == ends.len();
        if told {
            self.read += rows.len() as u64;
            // A sign between two numbers joins them; the end of a cell does not.
            for e in &ends {
                let sign = &mut row[*e as usize];
                if *sign != b'\n' {
                    *sign = b'\t';
                }
            }
            self.records(&row, &ends, columns, Many::Rows);
        }
        self.row = row;
        self.ends = ends;
        told
    }

    /// The way without short cuts, to which tests hold the other.
    fn slow(&self) -> bool {
        cfg!(test) && self.slow
    }

    /// True when a record is so short that all of it is near.
    fn short(&self) -> bool {
        self.span.1 - self.span.0 <= 2048
    }

    /// Ends the table, if there is one.
    pub fn end_table(&mut self) {
        if let Some(mut t) = self.table.take()
            && t.columns.is_none()
        {
            self.settle(&mut t);
        }
    }

    /// Decides what the columns are, from the heading and from the values, and reads the rows kept.
    fn settle(&mut self, t: &mut Table) {
        let rows = std::mem::take(&mut t.sample);
        // The heading is the row among the first that names most columns and holds no value.
        let mut heading: Option<(usize, Vec<Column>)> = None;
        for (i, r) in rows.iter().take(6).enumerate() {
            let columns: Vec<Column> = r.iter().map(|c| words::column(&text::folded(c))).collect();
            let named = columns.iter().filter(|c| !c.categories.is_empty()).count();
            let best = heading.as_ref().map_or(0, |h| {
                h.1.iter().filter(|c| !c.categories.is_empty()).count()
            });
            let values = r.iter().any(|c| {
                let f = text::folded(c);
                let mut any = false;
                scan(&f, 0, f.len(), &mut |h| {
                    any |= !matches!(h.what, What::Token) || h.to - h.from > 8;
                });
                any
            });
            if named > best && !values {
                heading = Some((i, columns));
            }
        }
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        let (head, mut columns) = heading.map_or((None, vec![]), |(i, c)| (Some(i), c));
        columns.resize(width, Column::default());
        // Values beat names: a column whose values are mostly numbers of ours is a column of numbers.
        for (k, column) in columns.iter_mut().enumerate() {
            if column.role != Role::Other {
                continue;
            }
            let (mut full, mut ours) = (0, 0);
            for (i, r) in rows.iter().enumerate() {
                let Some(cell) = r
                    .get(k)
                    .filter(|c| !c.is_empty() && head.is_none_or(|h| i > h))
                else {
                    continue;
                };
                let f: Vec<u8> = text::folded(cell)
                    .into_iter()
                    .filter(u8::is_ascii_alphanumeric)
                    .collect();
                full += 1;
                ours += usize::from(f.len() >= 4 && !self.know.roster.by_id(&f).is_empty());
            }
            if full >= 5 && ours * 10 >= full * 9 {
                column.role = Role::Id;
                column.categories.insert(IdLocal);
            }
        }
        for (i, r) in rows.iter().enumerate() {
            if head == Some(i) {
                continue;
            }
            let cells: Vec<&[u8]> = r.iter().map(Vec::as_slice).collect();
            self.cells(&columns, &cells);
        }
        t.columns = Some(columns);
    }

    fn cells(&mut self, columns: &[Column], cells: &[&[u8]]) {
        let of = |i: usize| columns.get(i).copied().unwrap_or_default();
        self.values(cells.len(), |i| (of(i), cells[i]));
    }

    /// One record: values with what their column or field is. Everything in it belongs to everybody it names.
    pub fn record(&mut self, fields: &[(Column, &[u8])]) {
        self.values(fields.len(), |i| fields[i]);
    }

    /// A record of `count` values.
    pub(crate) fn values<'v>(&mut self, count: usize, field: impl Fn(usize) -> (Column, &'v [u8])) {
        let mut row = std::mem::take(&mut self.row);
        let mut ends = std::mem::take(&mut self.ends);
        let mut columns = std::mem::take(&mut self.columns);
        row.clear();
        ends.clear();
        columns.clear();
        for (c, value) in (0..count).map(&field) {
            fold(value, true, &mut row);
            ends.push(row.len() as u32);
            columns.push(c);
            row.push(b'\t');
        }
        self.records(&row, &ends, &columns, Many::No);
        self.row = row;
        self.ends = ends;
        self.columns = columns;
    }

    /// Many records, each as [`Reader::values`]: what the fields are, and their values one behind the other, with a sign behind
    /// each, at `at`: a line end behind the last of a record, otherwise a tab. A value that has such a sign itself costs time, no more.
    pub(crate) fn joined(&mut self, fields: &[Column], values: &[u8], at: &[u32]) {
        let mut row = std::mem::take(&mut self.row);
        let mut ends = std::mem::take(&mut self.ends);
        row.clear();
        ends.clear();
        fold(values, true, &mut row);
        if row.len() == values.len() && values.is_ascii() {
            ends.extend_from_slice(at);
        } else {
            runs::places(&row, *b"\t\n", &mut ends);
        }
        // A value may have a tab, or become one with.
        let told = ends.len() == fields.len() && !self.slow();
        if told {
            self.records(&row, &ends, fields, Many::Records);
        }
        self.row = row;
        self.ends = ends;
        if told {
            return;
        }
        let mut first = 0;
        let last = |e: &u32| values[*e as usize] == b'\n';
        while first < at.len() {
            let count = at[first..]
                .iter()
                .position(last)
                .map_or(at.len() - first, |n| n + 1);
            self.values(count, |i| {
                let i = first + i;
                let from = if i == 0 { 0 } else { at[i - 1] as usize + 1 };
                (fields[i], &values[from..at[i] as usize])
            });
            first += count;
        }
    }

    /// What a value says wherever it stands: the categories its words are of. `None` when it may do more: it has a number or an
    /// address, a word of somebody's name, or one that tells what a number beside it is.
    pub(crate) fn says(&mut self, value: &[u8]) -> Option<CategorySet> {
        let know = self.know;
        let mut row = std::mem::take(&mut self.row);
        row.clear();
        fold(value, true, &mut row);
        let label = row
            .split(|b| !b.is_ascii_alphanumeric())
            .any(|w| words::of_id(w) || words::of_nir(w));
        let name = name_words(&row).any(|w| {
            let word = key(WORD, w);
            know.roster.is_given(word) || know.roster.mains().holds(opening(w, 0, w.len()))
        });
        let mut more = label || name;
        let (mut all, mut done) = (CategorySet::EMPTY, 0);
        if !more {
            let look = Some(&know.openings);
            self.bits.read(&row);
            let (text, bits) = (&row[..], &self.bits);
            walk(
                text,
                bits,
                (0, text.len()),
                look,
                &mut |_| more = true,
                &mut |a, z, _| {
                    if let Some((end, c)) = know.words.at(text, a, key_at(WORD, text, a, z))
                        && a >= done
                    {
                        all.insert(c);
                        done = end;
                    }
                },
            );
        }
        self.row = row;
        (!more).then_some(all)
    }

    /// Records in folded text, one behind the other: where their cells end, and what the cells of each are.
    fn records(&mut self, text: &[u8], ends: &[u32], columns: &[Column], many: Many) {
        let mut hits = std::mem::take(&mut self.hits);
        let mut seen = std::mem::take(&mut self.seen);
        let mut line = std::mem::take(&mut self.line);
        hits.clear();
        seen.clear();
        line.clear();
        self.around.clear();
        self.bits.read(text);
        self.names.words.clear();
        // Beside a diagnosis every number may be a code.
        let coded = columns.iter().any(|c| c.categories.contains(HealthState));
        self.tokens(text, (0, text.len()), |_| coded, &mut hits, &mut seen);
        self.fetch(text, &hits);
        let (mut from, mut first, mut h, mut s) = (0, 0, 0, 0);
        while first < ends.len() {
            let last = match many {
                Many::No => ends.len(),
                Many::Rows | Many::Records => ends[first..]
                    .iter()
                    .position(|e| text.get(*e as usize) == Some(&b'\n'))
                    .map_or(ends.len(), |n| first + n + 1),
            };
            let to = ends[last - 1] as usize + 1;
            let h_to = h + hits[h..].iter().take_while(|x| x.from < to).count();
            let s_to = s + seen[s..].iter().take_while(|x| x.0 < to).count();
            for (_, c) in &seen[s..s_to] {
                line.categories.insert(*c);
            }
            self.span = (from, to.min(text.len()));
            let columns = match many {
                Many::Records => &columns[first..last],
                Many::No | Many::Rows => columns,
            };
            self.one(
                text,
                from,
                &ends[first..last],
                columns,
                &hits[h..h_to],
                &mut line,
            );
            (from, first, h, s) = (to, last, h_to, s_to);
        }
        self.hits = hits;
        self.seen = seen;
        self.line = line;
    }

    /// One record; `line` has the categories of its words.
    fn one(
        &mut self,
        row: &[u8],
        from: usize,
        ends: &[u32],
        columns: &[Column],
        hits: &[Hit],
        line: &mut Line,
    ) {
        let range = |k: usize| {
            let a = if k == 0 {
                from
            } else {
                ends[k - 1] as usize + 1
            };
            let z = ends[k] as usize;
            // A line end may be of two signs.
            let two = row[a..].get(z - a) == Some(&b'\n') && row[a..z].ends_with(b"\r");
            a..z - usize::from(two)
        };
        let (mut family, mut given, mut full) = (None, None, None);
        let mut ids = false;
        let known = &columns[..columns.len().min(ends.len())];
        for (k, c) in known.iter().enumerate() {
            if c.role == Role::Other && c.categories.is_empty() {
                continue;
            }
            ids |= c.role == Role::Id;
            let range = range(k);
            if row[range.clone()].iter().any(|b| !b.is_ascii_whitespace()) {
                line.categories = line.categories.union(c.categories);
                match c.role {
                    Role::Family => family = family.or(Some(range)),
                    Role::Given => given = given.or(Some(range)),
                    Role::FullName => full = full.or(Some(range)),
                    _ => {}
                }
            }
        }
        let mut dated = false;
        // Dates first: a person named by name and birth makes the numbers beside them certain.
        let some = hits.iter().any(|h| matches!(h.what, What::Date(_)));
        for pass in usize::from(!some)..2 {
            let mut cell = 0;
            for h in hits {
                let date = matches!(h.what, What::Date(_));
                if date != (pass == 0) {
                    continue;
                }
                // An e-mail reaches back before its place, within its cell.
                while cell < ends.len() && (ends[cell] as usize) < h.from {
                    cell += 1;
                }
                let column = columns.get(cell).copied().unwrap_or_default();
                dated |= date && column.role == Role::Birth;
                self.hit(row, *h, Some(column.role), line);
                if column.categories.contains(HealthState)
                    && let Some(c) = words::icd10(diagnosis(row, h.from))
                {
                    line.categories = line.categories.union(c);
                }
            }
        }
        // A number written in groups is one number in a column of numbers.
        for (k, c) in known.iter().enumerate() {
            if !ids || c.role != Role::Id {
                continue;
            }
            let cell = range(k);
            if !cell.is_empty()
                && cell.len() <= 40
                && !row[cell.clone()].iter().all(u8::is_ascii_alphanumeric)
            {
                let whole = Hit {
                    from: cell.start,
                    to: cell.end,
                    what: What::Token,
                };
                self.token(row, whole, Some(Role::Id), line);
            }
        }
        if line.sure.is_empty() && !dated {
            let name = match (family, given) {
                (Some(f), Some(g)) => Some((f, g)),
                _ => full.map(|r| (r.clone(), r)),
            };
            if let Some((f, g)) = name {
                self.by_name(&row[f], &row[g], line);
            }
        }
        if line.sure.is_empty() && line.possible.is_empty() && line.foreign.is_empty() {
            let contact = std::mem::take(&mut line.contact);
            contact.iter().for_each(|p| add(&mut line.sure, *p));
        }
        if self.within {
            self.end_line(line);
        } else if line.names_somebody() {
            for p in &line.sure {
                self.found.give(*p, line.categories, true);
            }
            for p in &line.possible {
                self.found.give(*p, line.categories, false);
            }
            for n in &line.foreign {
                let e = self.found.foreign.entry(n.clone()).or_default();
                *e = e.union(line.categories);
            }
        } else {
            self.found.nobody = self.found.nobody.union(line.categories);
        }
        line.clear();
    }

    /// Persons with these names where no birth date and no number is given: one, or one of these.
    fn by_name(&mut self, family: &[u8], given: &[u8], line: &mut Line) {
        let roster = &self.know.roster;
        let hashes = |t: &[u8]| -> Vec<u64> { name_words(t).map(|w| key(WORD, w)).collect() };
        let (f, g) = (hashes(family), hashes(given));
        let mut found: Vec<Person> = vec![];
        for a in f.iter().take(12) {
            for b in g.iter().take(12) {
                for p in roster.named(*a, *b) {
                    let fits = roster
                        .names(*p)
                        .any(|(fam, giv)| fam.iter().all(|w| f.contains(w)) && giv.contains(b));
                    if fits {
                        add(&mut found, *p);
                    }
                }
            }
        }
        match found[..] {
            [] => {}
            [p] => add(&mut line.sure, p),
            _ if found.len() <= POSSIBLE_MAX => {
                found.iter().for_each(|p| add(&mut line.possible, *p));
            }
            _ => {}
        }
        if !found.is_empty() {
            line.categories.insert(IdName);
        }
    }

    /// What the file holds; categories of its place and of staff applied.
    pub fn finish(mut self) -> Found {
        self.end_table();
        self.end_document();
        let place = self.place;
        let persons: Vec<(Person, Mark)> = self.found.persons.into_iter().collect();
        // Sorted by where they are: what is known of a person is larger than a number.
        let places = persons.iter().enumerate();
        let mut order: Vec<u64> = places
            .map(|(i, p)| u64::from(p.0) << 32 | i as u64)
            .collect();
        order.sort_unstable();
        let mut out = Found {
            persons: order.iter().map(|o| persons[*o as u32 as usize]).collect(),
            foreign: self.found.foreign,
            nobody: self.found.nobody,
        };
        for (p, m) in &mut out.persons {
            m.categories = m.categories.union(place.categories);
            if place.staff || self.know.roster.is_staff(*p) {
                m.categories = staff(m.categories);
            }
        }
        for c in out.foreign.values_mut() {
            *c = c.union(place.categories);
            if place.staff {
                *c = staff(*c);
            }
        }
        out.nobody = out.nobody.union(place.categories);
        out
    }
}

/// Where the words around a hit lie: from `a` to the hit, and from behind it to `z`.
#[derive(Debug, Clone, Copy)]
struct Window {
    a: usize,
    from: usize,
    to: usize,
    z: usize,
}

impl Window {
    /// `span`: nothing outside is near.
    fn of(buf: &[u8], span: (usize, usize), h: &Hit, reach: Reach) -> Window {
        let (from, to) = (h.from, h.to.min(buf.len()));
        let (mut a, mut z) = span;
        let lines = match reach {
            Reach::Whole => return Window { a, from, to, z },
            Reach::Line => 1,
            Reach::Near => LINES,
        };
        a = a.max(from.saturating_sub(BEFORE));
        if let Some(p) = memchr::memrchr_iter(b'\n', &buf[a..from]).nth(lines - 1) {
            a += p + 1;
        }
        z = z.min(to + AFTER);
        if let Some(p) = memchr::memchr_iter(b'\n', &buf[to..z]).nth(lines - 1) {
            z = to + p;
        }
        Window { a, from, to, z }
    }
    /// True when the word that starts at `at` is before or behind the hit and among the nearest there.
    fn holds(&self, bits: &Bits, at: usize) -> bool {
        // Words are not closer than two bytes.
        let near =
            |a: usize, z: usize| z - a < 2 * WINDOW_WORDS - 1 || bits.letters(a, z) <= WINDOW_WORDS;
        if at < self.from {
            at >= self.a && near(at, self.from)
        } else {
            (self.to..self.z).contains(&at) && near(self.to, at + 1)
        }
    }
}

/// How many records a text holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Many {
    /// It is one.
    No,
    /// One ends where a cell ends at a line end; all have the same columns.
    Rows,
    /// As [`Many::Rows`]; the columns of each follow those of the one before.
    Records,
}

/// How far around a hit words are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Line,
    /// A few lines, [`BEFORE`] and [`AFTER`] bytes.
    Near,
    Whole,
}

enum Fit {
    No,
    Family,
    Whole,
}

/// In a file about staff the plain categories have their own names; health data stay what they are.
fn staff(c: CategorySet) -> CategorySet {
    c.iter().map(|x| words::of_staff(x).unwrap_or(x)).collect()
}

fn medical(c: Category) -> bool {
    c.code().starts_with("HEALTH.") || c.code().starts_with("CARE.")
}

/// Month 1 to 12 and a department that exists (metropolitan, overseas, abroad).
fn ordinary(stem: u64) -> bool {
    let month = stem / 100_000_000 % 100;
    let department = stem / 1_000_000 % 100;
    (1..=12).contains(&month) && department != 96 && matches!(stem / 1_000_000_000_000, 1 | 2)
}

/// The code that starts where a token starts, with the part after its point.
fn diagnosis(row: &[u8], at: usize) -> &[u8] {
    let end = row[at..]
        .iter()
        .position(|b| !(b.is_ascii_alphanumeric() || *b == b'.'))
        .map_or(row.len(), |p| at + p);
    &row[at..end]
}

/// True when a line reads like a sentence: ten words in a row with nothing but blanks and soft punctuation between.
fn prose(text: &[u8]) -> bool {
    let mut run = 0;
    let mut letters = false;
    for b in text {
        match b {
            b'a'..=b'z' => letters = true,
            b' ' | b'\'' | b',' | b'-' | b'(' | b')' => {
                run += usize::from(letters);
                letters = false;
                if run >= 10 {
                    return true;
                }
            }
            _ => {
                run = 0;
                letters = false;
            }
        }
    }
    false
}

#[cfg(test)]
// Social-security numbers are grouped as people write them.
#[allow(clippy::inconsistent_digit_grouping)]
mod tests;
