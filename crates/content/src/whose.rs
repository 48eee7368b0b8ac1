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
    roster::{Person, Roster, WORD, key, key_at, words as name_words},
    runs, text,
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
/// Rows looked at before a table's columns are settled.
const SAMPLE: usize = 64;

/// What is shared by all documents.
pub struct Knowledge {
    pub roster: Roster,
    pub words: Words,
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
        Knowledge {
            roster,
            words: Words::default(),
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
    row: Vec<u8>,
    bounds: Vec<usize>,
    line: Line,
    /// Bytes of text looked at.
    pub read: u64,
    /// Records are parts of the current document: what they name and hold counts for the text too.
    pub within: bool,
    piece: usize,
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
            row: vec![],
            bounds: vec![],
            line: Line::default(),
            read: 0,
            within: false,
            piece: PIECE,
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
                let n = text::fold(piece, false, &mut self.buf);
                self.raw.extend_from_slice(&piece[n..]);
            } else {
                self.raw.extend_from_slice(piece);
                let n = text::fold(&self.raw, false, &mut self.buf);
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
        text::fold(&raw, true, &mut self.buf);
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
        let mut persons: Vec<(Person, Mark)> = d.found.persons.into_iter().collect();
        persons.sort_unstable_by_key(|p| p.0);
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
        let mut hits = std::mem::take(&mut self.hits);
        let mut seen = std::mem::take(&mut self.seen);
        hits.clear();
        seen.clear();
        self.around.clear();
        Self::tokens(self.know, &self.buf, (from, to), &mut hits, &mut seen);
        if !self.document.prose && (from == 0 || last) {
            self.document.prose = prose(&self.buf[from..to.min(from + (1 << 16))]);
        }
        let buf = std::mem::take(&mut self.buf);
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
                    } else if buf.len() <= 2048 {
                        Reach::Whole
                    } else {
                        Reach::Near
                    };
                    // Where no word may be a family name nobody is named.
                    if self.window(buf, h.from, h.to, reach, true) {
                        self.born(day, line);
                    }
                    if reach == Reach::Line
                        && line.sure.len() + line.possible.len() == before
                        && self.window(buf, h.from, h.to, Reach::Near, true)
                    {
                        self.born(day, line);
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
                    cell == Some(Role::Nir) || words::before(buf, h.from, 40, words::NIR_WORDS);
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
            What::Token => self.token(buf, h, cell, line),
        }
    }

    /// A number that may be somebody's.
    fn token(&mut self, buf: &[u8], h: Hit, cell: Option<Role>, line: &mut Line) {
        let know = self.know;
        let t = &buf[h.from..h.to];
        let joined;
        let t = if runs::run(t, 0).0 == t.len() {
            t
        } else {
            joined = t
                .iter()
                .copied()
                .filter(u8::is_ascii_alphanumeric)
                .collect::<Vec<u8>>();
            &joined[..]
        };
        let found = know.roster.by_id(t);
        if found.is_empty() {
            if cell.is_none()
                && t.len() == 11
                && crate::detect::luhn(t)
                && words::before(buf, h.from, 24, &["rpps"])
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
        let reach = if cell.is_some() && buf.len() <= 2048 {
            Reach::Whole
        } else {
            Reach::Near
        };
        self.window(buf, h.from, h.to, reach, false);
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
                || words::before(buf, h.from, 24, words::ID_WORDS)
                || know.roster.density(t) < RARE;
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

    /// One pass over `text[from..to]`: hits, and words of the list, none within another.
    fn tokens(
        know: &Knowledge,
        text: &[u8],
        (from, to): (usize, usize),
        hits: &mut Vec<Hit>,
        seen: &mut Vec<(usize, Category)>,
    ) {
        let mut done = from;
        walk(text, from, to, &mut |h| hits.push(h), &mut |a, z, _| {
            if know.words.may_start(text, a, z)
                && let Some((end, c)) = know.words.at(text, a, key_at(WORD, text, a, z))
                && a >= done
            {
                seen.push((a, c));
                done = end;
            }
        });
    }

    /// Fills `near` with the words around `from..to`. `names`: only when one of them may be a family name, else `false`.
    fn window(&mut self, buf: &[u8], from: usize, to: usize, reach: Reach, names: bool) -> bool {
        let (a, z) = bounds_of(buf, from, to, reach);
        self.around.cover(&self.know.roster, buf, a, z);
        let sides = self.around.beside(a, from, to, z);
        if names && !sides.iter().any(|s| s.iter().any(|n| n.main)) {
            return false;
        }
        self.near.clear();
        for s in sides {
            self.near.extend_from_slice(s);
        }
        true
    }

    /// Persons born that day whose names are in `near`.
    fn born(&mut self, day: u32, line: &mut Line) {
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
        let mut bounds = std::mem::take(&mut self.bounds);
        let mut line = std::mem::take(&mut self.line);
        let mut hits = std::mem::take(&mut self.hits);
        let mut seen = std::mem::take(&mut self.seen);
        row.clear();
        bounds.clear();
        line.clear();
        hits.clear();
        let (mut family, mut given, mut full) = (None, None, None);
        for (c, value) in (0..count).map(&field) {
            let from = row.len();
            text::fold(value, true, &mut row);
            if row[from..].iter().any(|b| !b.is_ascii_whitespace()) {
                line.categories = line.categories.union(c.categories);
                let range = from..row.len();
                match c.role {
                    Role::Family => family = family.or(Some(range)),
                    Role::Given => given = given.or(Some(range)),
                    Role::FullName => full = full.or(Some(range)),
                    _ => {}
                }
            }
            row.push(b'\t');
            bounds.push(row.len());
        }
        self.around.clear();
        seen.clear();
        Self::tokens(self.know, &row, (0, row.len()), &mut hits, &mut seen);
        for (_, c) in &seen {
            line.categories.insert(*c);
        }
        let mut dated = false;
        let mut cell = 0;
        // Dates first: a person named by name and birth makes the numbers beside them certain.
        for pass in 0..2 {
            for h in &hits {
                let date = matches!(h.what, What::Date(_));
                if date != (pass == 0) {
                    continue;
                }
                if pass == 1 || cell >= bounds.len() || bounds[cell] <= h.from {
                    cell = bounds.partition_point(|b| *b <= h.from);
                }
                let column = if cell < count {
                    field(cell).0
                } else {
                    Column::default()
                };
                dated |= date && column.role == Role::Birth;
                // An e-mail reaches back before its place; its cell is that of its sign.
                self.hit(&row, *h, Some(column.role), &mut line);
                if column.categories.contains(HealthState)
                    && let Some(c) = words::icd10(diagnosis(&row, h.from))
                {
                    line.categories = line.categories.union(c);
                }
            }
            cell = 0;
        }
        // A number written in groups is one number in a column of numbers.
        for k in 0..count {
            let c = field(k).0;
            let from = if k == 0 { 0 } else { bounds[k - 1] };
            let to = bounds[k] - 1;
            if c.role == Role::Id
                && to > from
                && to - from <= 40
                && !row[from..to].iter().all(u8::is_ascii_alphanumeric)
            {
                let whole = Hit {
                    from,
                    to,
                    what: What::Token,
                };
                self.token(&row, whole, Some(Role::Id), &mut line);
            }
        }
        if line.sure.is_empty() && !dated {
            let name = match (family, given) {
                (Some(f), Some(g)) => Some((row[f].to_vec(), row[g].to_vec())),
                _ => full.map(|r| (row[r.clone()].to_vec(), row[r].to_vec())),
            };
            if let Some((f, g)) = name {
                self.by_name(&f, &g, &mut line);
            }
        }
        if line.sure.is_empty() && line.possible.is_empty() && line.foreign.is_empty() {
            let contact = std::mem::take(&mut line.contact);
            contact.iter().for_each(|p| add(&mut line.sure, *p));
        }
        if self.within {
            self.end_line(&mut line);
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
        self.row = row;
        self.bounds = bounds;
        self.line = line;
        self.hits = hits;
        self.seen = seen;
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
        let mut persons: Vec<(Person, Mark)> = self.found.persons.into_iter().collect();
        persons.sort_unstable_by_key(|p| p.0);
        let mut out = Found {
            persons: persons.into_iter().collect(),
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

/// Where the words around `from..to` lie.
fn bounds_of(buf: &[u8], from: usize, to: usize, reach: Reach) -> (usize, usize) {
    let lines = match reach {
        Reach::Whole => return (0, buf.len()),
        Reach::Line => 1,
        Reach::Near => LINES,
    };
    let mut a = from.saturating_sub(BEFORE);
    if let Some(p) = memchr::memrchr_iter(b'\n', &buf[a..from]).nth(lines - 1) {
        a += p + 1;
    }
    let to = to.min(buf.len());
    let mut z = (to + AFTER).min(buf.len());
    if let Some(p) = memchr::memchr_iter(b'\n', &buf[to..z]).nth(lines - 1) {
        z = to + p;
    }
    (a, z)
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
