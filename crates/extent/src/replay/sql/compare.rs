//! Comparisons of a column's values, as databases make them.
use super::{
    super::{Asked, ColumnPath, DateOp, NamePart, Test, TextOp, Texts, Tri, texts::Rule},
    tables::column_values,
};
use crate::{
    fold,
    identity::{IdentityBase, PartDate, VersionId},
};

/// A comparison of one column, with the text of the literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Compare {
    Eq(String),
    Ne(String),
    Lt(String),
    Le(String),
    Gt(String),
    Ge(String),
    /// `%` and `_`; `fold` when case is ignored.
    Like {
        pattern: String,
        fold: bool,
    },
    In(Vec<String>),
    Between(String, String),
    IsNull,
    /// The year of a date column.
    Year(Box<Compare>),
    /// Applied to the column's text first.
    Lower(Box<Compare>),
    Upper(Box<Compare>),
    Fold(Box<Compare>),
    Trim(Box<Compare>),
    /// Characters from a place (from 1) on, so many.
    Piece(usize, usize, Box<Compare>),
    /// Every occurrence of the first text made the second.
    Replaced(String, String, Box<Compare>),
    /// Found by a regular expression.
    Matches(Pattern),
    /// A date as text, by a pattern of `to_char` ([`written`]).
    Written(String, Box<Compare>),
    /// A part of a date as a number.
    Part(DatePart, Box<Compare>),
    /// How many characters; `bytes` when the server may count bytes.
    Length {
        bytes: bool,
        op: Box<Compare>,
    },
    /// The place (from 1) of a text in the value as a number, 0 when it is not in it.
    Position(String, Box<Compare>),
    /// The text read as a number.
    Number(Box<Compare>),
    /// The rest of a number divided by this one.
    Rest(i64, Box<Compare>),
    /// Compared byte by byte, whatever the column's own order (`COLLATE "C"`).
    Bytes(Box<Compare>),
    /// Not, for a value that is there: of NULL it is NULL, which returns no row either.
    Not(Box<Compare>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatePart {
    Month,
    Day,
}

/// A regular expression, read once.
#[derive(Debug, Clone)]
pub struct Pattern {
    kept: regex::Regex,
    /// Without a difference between capitals and small letters.
    folded: regex::Regex,
    fold: bool,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        (self.kept.as_str(), self.fold) == (other.kept.as_str(), other.fold)
    }
}

impl Pattern {
    /// What every server reads alike: letters, digits, blanks, classes, groups, repeats and anchors. `None`: anything else, such as
    /// escapes, look-around and names of classes.
    pub(super) fn regular(text: &str, fold: bool) -> Option<Pattern> {
        let plain = |c: char| c.is_alphanumeric() || " -',_^$.*+?()[]|{}".contains(c);
        if !text.chars().all(plain)
            || ["(?", "[[", "[.", "**", "{,"]
                .iter()
                .any(|x| text.contains(x))
        {
            return None;
        }
        // A line end in a value is no end for `$`, and `.` takes it.
        let read = |folded: bool| {
            regex::RegexBuilder::new(text)
                .case_insensitive(folded)
                .dot_matches_new_line(true)
                .size_limit(1 << 20)
                .build()
                .ok()
        };
        Some(Pattern {
            kept: read(false)?,
            folded: read(true)?,
            fold,
        })
    }
    fn found(&self, text: &str, case: Rule) -> Tri {
        let (kept, folded) = (self.kept.is_match(text), self.folded.is_match(text));
        match case {
            _ if self.fold => folded.into(),
            Rule::Kept => kept.into(),
            Rule::Ignored => folded.into(),
            Rule::Unknown if kept == folded => kept.into(),
            Rule::Unknown => Tri::Maybe,
        }
    }
    /// `SIMILAR TO` (SQL:2016 part 2, §8.6): the whole text, with `%` and `_`.
    pub(super) fn similar(text: &str) -> Option<Pattern> {
        let mut out = String::from("^(");
        for c in text.chars() {
            match c {
                '%' => out.push_str(".*"),
                '_' => out.push('.'),
                '|' | '*' | '+' | '?' | '{' | '}' | '(' | ')' | '[' | ']' => out.push(c),
                // Signs of regular expressions that are none here; an escape is not weighed.
                '.' | '^' | '$' => {
                    out.push('[');
                    out.push(c);
                    out.push(']');
                }
                '\\' => return None,
                c => out.push(c),
            }
        }
        if out.contains("[^]") {
            return None;
        }
        out.push_str(")$");
        Pattern::regular(&out, false)
    }
}

/// `LIKE` with `%` and `_`, `\` escapes.
pub fn like(pattern: &str, text: &str) -> bool {
    let p: Vec<char> = pattern.chars().collect();
    let t: Vec<char> = text.chars().collect();
    let (mut i, mut j) = (0, 0);
    let (mut star, mut mark) = (None, 0);
    while j < t.len() {
        let escaped = p.get(i) == Some(&'\\') && i + 1 < p.len();
        let literal = if escaped { p.get(i + 1) } else { p.get(i) };
        if !escaped && literal == Some(&'%') {
            star = Some(i);
            mark = j;
            i += 1;
        } else if literal.is_some()
            && ((!escaped && literal == Some(&'_')) || literal == Some(&t[j]))
        {
            i += if escaped { 2 } else { 1 };
            j += 1;
        } else if let Some(s) = star {
            i = s + 1;
            mark += 1;
            j = mark;
        } else {
            return false;
        }
    }
    while p.get(i) == Some(&'%') {
        i += 1;
    }
    i == p.len()
}

/// The literal text in front of a pattern's first wildcard.
pub(super) fn literal_prefix(pattern: &str) -> String {
    pattern
        .chars()
        .take_while(|c| !matches!(c, '%' | '_' | '\\'))
        .collect()
}

/// A date literal as ISO text: `1957-01-02`, `19570102`, `02/01/1957`.
pub(super) fn iso(text: &str) -> String {
    let t = text.trim();
    let d: Vec<&str> = t.split(['/', '.']).collect();
    if d.len() == 3 && d[2].len() == 4 {
        return format!("{}-{:0>2}-{:0>2}", d[2], d[1], d[0]);
    }
    if t.len() == 8 && t.bytes().all(|b| b.is_ascii_digit()) {
        return format!("{}-{}-{}", &t[..4], &t[4..6], &t[6..]);
    }
    t.get(..10).unwrap_or(t).to_string()
}

pub(super) fn gender_words(text: &str) -> String {
    match text.to_ascii_lowercase().as_str() {
        "m" | "h" | "1" | "male" | "homme" | "masculin" => "male".into(),
        "f" | "2" | "female" | "femme" | "feminin" => "female".into(),
        x => x.to_string(),
    }
}

/// How `a` stands to `b` under every order a column may have: its bytes, its letters alone without case and accents (what
/// collations of languages look at first), the same with other signs before all letters (Unicode TR 10 §4, where they are not set
/// aside), or numbers when both are. `None` when they disagree.
pub(super) fn order(a: &str, b: &str) -> Option<std::cmp::Ordering> {
    if a == b {
        return Some(std::cmp::Ordering::Equal);
    }
    let letters = |s: &str| -> String {
        fold::name(s)
            .chars()
            .filter(|c| c.is_alphanumeric())
            .collect()
    };
    let signs_first = |s: &str| -> Vec<(u8, char)> {
        let class = |c: char| match c {
            c if c.is_alphabetic() => 2,
            c if c.is_numeric() => 1,
            _ => 0,
        };
        let plain = unaccent(s).to_lowercase();
        plain.chars().map(|c| (class(c), c)).collect()
    };
    let by_bytes = a.cmp(b);
    let mut all = vec![
        letters(a).cmp(&letters(b)),
        signs_first(a).cmp(&signs_first(b)),
    ];
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if digits(a) && digits(b) {
        let (x, y) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
        all.push(x.len().cmp(&y.len()).then_with(|| x.cmp(y)));
    }
    all.iter().all(|o| *o == by_bytes).then_some(by_bytes)
}

pub(super) fn within(o: Option<std::cmp::Ordering>, test: fn(std::cmp::Ordering) -> bool) -> Tri {
    o.map_or(Tri::Maybe, |o| test(o).into())
}

/// Equal texts are equal; numbers that differ in leading zeros only are when the column holds numbers.
pub(super) fn equal(a: &str, b: &str) -> Tri {
    let number = |s: &str| {
        (!s.is_empty() && s.bytes().all(|b| b.is_ascii_digit()))
            .then(|| s.trim_start_matches('0').to_string())
    };
    if a == b {
        Tri::Yes
    } else if number(a).is_some() && number(a) == number(b) {
        Tri::Maybe
    } else {
        Tri::No
    }
}

/// How the values of a column are compared.
#[derive(Clone, Copy)]
pub(super) struct How<'a> {
    /// Spellings of one value made one.
    norm: &'a dyn Fn(&str) -> String,
    texts: Texts,
    /// Both sides are numbers.
    numbers: bool,
}

/// Texts compared as they are.
pub(super) const PLAIN: How<'static> = How {
    norm: &|s| s.to_string(),
    texts: Texts::BYTES,
    numbers: false,
};

/// Texts compared as numbers.
pub(super) const NUMBERS: How<'static> = How {
    numbers: true,
    ..PLAIN
};

impl How<'_> {
    fn equal(self, a: &str, b: &str) -> Tri {
        if self.numbers {
            return within(self.order(a, b), std::cmp::Ordering::is_eq);
        }
        let (a, b) = ((self.norm)(a), (self.norm)(b));
        equal(&a, &b).max(self.texts.same(&a, &b))
    }
    fn order(self, a: &str, b: &str) -> Option<std::cmp::Ordering> {
        if self.numbers {
            let number = |s: &str| s.trim().parse::<f64>().ok().filter(|n| n.abs() < 9e15);
            return number(a)?.partial_cmp(&number(b)?);
        }
        order(&(self.norm)(a), &(self.norm)(b))
    }
    /// What every rule of texts the server may have says alike.
    fn either(self, test: impl Fn(&dyn Fn(&str) -> String) -> Tri) -> Tri {
        let kept = test(&|s: &str| s.to_string());
        if self.texts == Texts::BYTES || kept == test(&|s: &str| fold::name(s)) {
            kept
        } else {
            Tri::Maybe
        }
    }
}

pub(super) fn compare(op: &Compare, value: &str, how: How<'_>) -> Tri {
    let to = |x: &str| how.order(value, x);
    match op {
        Compare::Eq(x) => how.equal(value, x),
        Compare::Ne(x) => opposite(how.equal(value, x)),
        Compare::Lt(x) => within(to(x), std::cmp::Ordering::is_lt),
        Compare::Le(x) => within(to(x), std::cmp::Ordering::is_le),
        Compare::Gt(x) => within(to(x), std::cmp::Ordering::is_gt),
        Compare::Ge(x) => within(to(x), std::cmp::Ordering::is_ge),
        Compare::In(xs) => xs
            .iter()
            .map(|x| how.equal(value, x))
            .max()
            .unwrap_or(Tri::No),
        Compare::Between(a, b) => {
            within(to(a), std::cmp::Ordering::is_ge).min(within(to(b), std::cmp::Ordering::is_le))
        }
        Compare::Like { pattern, fold } => {
            if *fold {
                how.texts
                    .like(&pattern.to_lowercase(), &value.to_lowercase())
            } else {
                how.texts.like(pattern, value)
            }
        }
        Compare::IsNull => Tri::No,
        Compare::Not(inner) => opposite(compare(inner, value, how)),
        Compare::Year(inner) => compare(inner, value.get(..4).unwrap_or(value), PLAIN),
        Compare::Replaced(from, to, inner) => compare(inner, &value.replace(from, to), how),
        Compare::Matches(pattern) => pattern.found(value, how.texts.case),
        Compare::Written(pattern, inner) => match written(pattern, &(how.norm)(value)) {
            Some(text) => compare(inner, &text, PLAIN),
            None => Tri::Maybe,
        },
        Compare::Part(part, inner) => {
            let at = match part {
                DatePart::Month => 5..7,
                DatePart::Day => 8..10,
            };
            match (how.norm)(value).get(at) {
                Some(number) => compare(inner, number, NUMBERS),
                None => Tri::Maybe,
            }
        }
        Compare::Length { bytes, op } if *bytes && !value.is_ascii() => {
            let long = |n: usize| compare(op, &n.to_string(), NUMBERS);
            let (a, b) = (long(value.chars().count()), long(value.len()));
            if a == b { a } else { Tri::Maybe }
        }
        Compare::Length { op, .. } => compare(op, &value.chars().count().to_string(), NUMBERS),
        Compare::Position(what, inner) => how.either(|text| {
            let (value, what) = (text(value), text(what));
            let at = value
                .find(&what)
                .map_or(0, |at| value[..at].chars().count() + 1);
            compare(inner, &at.to_string(), NUMBERS)
        }),
        Compare::Number(inner) => compare(inner, value, NUMBERS),
        Compare::Rest(by, inner) => match value.trim().parse::<i64>() {
            Ok(n) => compare(inner, &(n % by).to_string(), NUMBERS),
            Err(_) => Tri::Maybe,
        },
        Compare::Bytes(inner) => in_bytes(inner, value),
        Compare::Lower(inner) => compare(inner, &value.to_lowercase(), how),
        Compare::Upper(inner) => compare(inner, &value.to_uppercase(), how),
        Compare::Trim(inner) => compare(inner, value.trim_matches(' '), how),
        Compare::Piece(from, n, inner) => {
            let piece: String = value.chars().skip(from - 1).take(*n).collect();
            compare(inner, &piece, how)
        }
        Compare::Fold(inner) => compare(inner, &unaccent(value), how),
    }
}

/// Compared by bytes: order too, which is a column's own otherwise.
pub(super) fn in_bytes(op: &Compare, value: &str) -> Tri {
    match op {
        Compare::Lt(x) => (value < x.as_str()).into(),
        Compare::Le(x) => (value <= x.as_str()).into(),
        Compare::Gt(x) => (value > x.as_str()).into(),
        Compare::Ge(x) => (value >= x.as_str()).into(),
        Compare::Between(a, b) => (a.as_str() <= value && value <= b.as_str()).into(),
        Compare::Eq(x) => (value == x).into(),
        Compare::Ne(x) => (value != x).into(),
        Compare::In(xs) => xs.iter().any(|x| x == value).into(),
        Compare::Not(inner) => opposite(in_bytes(inner, value)),
        other => compare(other, value, PLAIN),
    }
}

/// An ISO date as `to_char` (PostgreSQL, Oracle) or `date_format` (MySQL) writes it, of years, months and days in figures. `None`:
/// another pattern, or a date without its day.
pub(super) fn written(pattern: &str, iso: &str) -> Option<String> {
    let (y, m, d) = (iso.get(..4)?, iso.get(5..7)?, iso.get(8..10)?);
    let parts: [(&str, &str); 10] = [
        ("YYYY", y),
        ("yyyy", y),
        ("%Y", y),
        ("MM", m),
        ("mm", m),
        ("%m", m),
        ("DD", d),
        ("dd", d),
        ("%d", d),
        ("%%", "%"),
    ];
    let (mut out, mut rest) = (String::new(), pattern);
    while let Some(c) = rest.chars().next() {
        if let Some((p, text)) = parts.iter().find(|(p, _)| rest.starts_with(p)) {
            out.push_str(text);
            rest = &rest[p.len()..];
        } else if "-/. :".contains(c) {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            return None;
        }
    }
    Some(out)
}

pub(super) fn opposite(t: Tri) -> Tri {
    match t {
        Tri::No => Tri::Yes,
        Tri::Maybe => Tri::Maybe,
        Tri::Yes => Tri::No,
    }
}

/// Accents taken off, case kept.
pub(in crate::replay) fn unaccent(s: &str) -> String {
    s.chars()
        .flat_map(|c| {
            let f = fold::name(&c.to_string());
            let f = if f.is_empty() { c.to_string() } else { f };
            let up = c.is_uppercase();
            f.chars()
                .map(move |x| if up { x.to_ascii_uppercase() } else { x })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Whether a version's column satisfies a comparison. A missing value is NULL: it satisfies nothing but `IS NULL`.
pub fn column_holds(
    b: &IdentityBase,
    v: VersionId,
    path: &ColumnPath,
    op: &Compare,
    texts: Texts,
) -> Tri {
    let values = column_values(b, v, path);
    if values.is_empty() {
        return matches!(op, Compare::IsNull).into();
    }
    let how: How<'_> = match path {
        ColumnPath::Birth | ColumnPath::Death => How {
            norm: &|s: &str| iso(s),
            ..PLAIN
        },
        ColumnPath::Gender => How {
            norm: &|s: &str| gender_words(s),
            ..PLAIN
        },
        _ => How { texts, ..PLAIN },
    };
    let held: Vec<Tri> = values.iter().map(|x| compare(op, x, how)).collect();
    let best = held.iter().copied().max().unwrap_or(Tri::No);
    // A record with several values shows one of them in a single column; which one is the database's own choice.
    if best == Tri::Yes && held.contains(&Tri::No) {
        let sure = matches!(path, ColumnPath::Identifier(_) | ColumnPath::Telecom(_))
            || matches!(path, ColumnPath::Given(_)) && held.first() == Some(&Tri::Yes);
        return if sure { Tri::Yes } else { Tri::Maybe };
    }
    best
}

/// True when the base has a number that differs from `x` in leading zeros only.
pub(super) fn other_spelling(b: &IdentityBase, x: &str) -> bool {
    let bare = x.trim_start_matches('0');
    !x.is_empty()
        && x.bytes().all(|c| c.is_ascii_digit())
        && (0..20usize.saturating_sub(bare.len()))
            .map(|k| format!("{}{bare}", "0".repeat(k)))
            .any(|y| y != x && b.strings.find(&y).is_some())
}

/// A test with an index that every version satisfying the comparison also satisfies.
pub fn index_hint(b: &IdentityBase, path: &ColumnPath, op: &Compare, texts: Texts) -> Option<Test> {
    match (path, op) {
        // A number with letters may be another one's other spelling.
        (ColumnPath::Identifier(_) | ColumnPath::LogicalId, Compare::Eq(x))
            if texts != Texts::BYTES && !x.bytes().all(|c| c.is_ascii_digit()) =>
        {
            None
        }
        // Names are found by their folded form, which these keep.
        (
            ColumnPath::Family(_) | ColumnPath::Given(_),
            Compare::Lower(inner) | Compare::Upper(inner) | Compare::Fold(inner),
        ) => index_hint(b, path, inner, texts),
        (ColumnPath::Identifier(_), Compare::Eq(x)) if other_spelling(b, x) => None,
        (ColumnPath::Identifier(_), Compare::Eq(x)) => Some(match b.strings.find(x) {
            Some(s) => Test::Identifier {
                system: None,
                no_system: false,
                value: Some(s),
            },
            None => Test::Record(None),
        }),
        (ColumnPath::LogicalId, Compare::Eq(x)) => Some(Test::Record(b.record_by_id(x))),
        (ColumnPath::Family(_) | ColumnPath::Given(_), c) => {
            let prefix = match c {
                Compare::Eq(x) => Asked::new(x),
                Compare::Like { pattern, .. } => Asked::new(&literal_prefix(pattern)),
                _ => return None,
            };
            if prefix.is_empty() {
                return None;
            }
            let part = if matches!(path, ColumnPath::Family(_)) {
                NamePart::Family
            } else {
                NamePart::Given
            };
            Some(Test::name(b, part, TextOp::Starts(prefix)))
        }
        (ColumnPath::Birth, c) => {
            let (op, x) = match c {
                Compare::Eq(x) => (DateOp::Eq, iso(x)),
                Compare::Lt(x) | Compare::Le(x) => (DateOp::Le, iso(x)),
                Compare::Gt(x) | Compare::Ge(x) => (DateOp::Ge, iso(x)),
                Compare::Between(a, _) => (DateOp::Ge, iso(a)),
                Compare::Year(inner) => match &**inner {
                    Compare::Eq(y) => (DateOp::Eq, y.clone()),
                    _ => return None,
                },
                _ => return None,
            };
            Some(Test::Birth {
                op,
                date: PartDate::parse(&x)?,
            })
        }
        _ => None,
    }
}
