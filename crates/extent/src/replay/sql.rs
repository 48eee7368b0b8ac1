//! SQL statements as questions: which table, which columns come back, which rows. Read leniently, across dialects: what is
//! not understood becomes [`Expr::Unknown`], which makes rows possible and never certain.
use super::{
    AddressPart, Asked, ColumnPath, DateOp, Expr, NamePart, Test, TextOp, Texts, Tri, texts::Rule,
};
use crate::{
    fold,
    identity::{IdKind, IdentityBase, NIR_SYSTEM, PartDate, TelecomKind, Use, VersionId},
};
use ampleur_event::context::{Column, Table};

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
    fn regular(text: &str, fold: bool) -> Option<Pattern> {
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
    fn similar(text: &str) -> Option<Pattern> {
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

/// The condition that holds where `e` is false: a NULL satisfies neither (SQL:2016 part 2, §8 and §6.39), so the sign goes
/// inwards to the comparisons.
fn negated(e: Expr) -> Expr {
    match e {
        Expr::All(es) => Expr::Any(es.into_iter().map(negated).collect()),
        Expr::Any(es) => Expr::All(es.into_iter().map(negated).collect()),
        Expr::Known(k) => Expr::Known(!k),
        Expr::Test(Test::Column {
            path,
            op: Compare::Not(op),
            texts,
        }) => Expr::Test(Test::Column {
            path,
            op: *op,
            texts,
        }),
        Expr::Test(Test::Column { path, op, texts }) => Expr::Test(Test::Column {
            path,
            op: Compare::Not(Box::new(op)),
            texts,
        }),
        e => Expr::Not(Box::new(e)),
    }
}

/// Holds wherever `e` does not, whatever is NULL.
fn opposed(e: Expr) -> Expr {
    Expr::Not(Box::new(e))
}

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Rows come back.
    Select,
    /// Rows leave in bulk (`COPY … TO`, `SELECT … INTO OUTFILE`).
    Copy,
    /// Only counts or other aggregates come back.
    Aggregate,
    Insert,
    Update,
    Delete,
    /// Nothing of a table comes back (`SET`, `BEGIN`, `EXPLAIN`, `SELECT 1`).
    Nothing,
    /// Not understood, or a routine whose text is elsewhere: anything may have come back.
    Unknown,
}

/// One statement taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    pub kind: Kind,
    /// Tables named, without schema quoting, in order; the first is the one rows come from.
    pub tables: Vec<String>,
    /// Those of them that stand behind an outer join: not every row that comes back has something of them.
    pub optional: Vec<String>,
    /// Columns returned, lower case, without alias; empty with `star` = all.
    pub columns: Vec<String>,
    pub star: bool,
    /// Columns of items with a condition of their own (`CASE`, `DECODE`): not every row that comes back need show them.
    pub perhaps: Vec<String>,
    pub rows: Expr,
    pub limit: Option<u64>,
    pub offset: Option<u64>,
    /// Values set by an update, by column.
    pub set: Vec<(String, String)>,
    /// What the plain columns of the list are called: (name, column).
    names: Vec<(String, String)>,
    /// The one column the rows are sorted by, and whether the greatest comes first.
    pub order: Option<(ColumnPath, bool)>,
    /// Rows of other selections come too, are left out, or both.
    sets: Option<Chain>,
    /// Grouped, joined or otherwise shaped so that not each matching row need come back.
    pub reshaped: bool,
    /// The rows an update or a delete takes come back as well.
    pub returning: bool,
    /// Rows come back with `FETCH` only.
    pub cursor: bool,
}

impl Statement {
    /// Of a server that compares texts in its own way; [`parse`] compares bytes.
    pub fn compared(mut self, texts: Texts) -> Statement {
        fn each(e: &mut Expr, to: Texts) {
            match e {
                Expr::All(es) | Expr::Any(es) => es.iter_mut().for_each(|e| each(e, to)),
                Expr::Not(e) => each(e, to),
                Expr::Test(Test::Column { texts, .. }) => *texts = to,
                Expr::Test(_) | Expr::Known(_) | Expr::Unknown => {}
            }
        }
        each(&mut self.rows, texts);
        self
    }
}

/// How a database compares texts unless it is told otherwise, by the format of its log.
pub fn texts_of(format: &str) -> Texts {
    if format.starts_with("postgres") || format.starts_with("oracle") {
        Texts::BYTES
    } else {
        Texts::SQL
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Tok {
    Word(String),
    /// A quoted identifier.
    Name(String),
    Text(String),
    Number(String),
    Op(String),
    /// `$1`, `?`, `:name`, `@p`
    Param,
}

const STATEMENT_MAX: usize = 1 << 20;

/// What a statement does with a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cursor {
    Declared(String),
    /// So many rows forward; all that are left.
    Fetched(String, u64),
    /// Moved, or read backwards: how many rows were seen nobody can say.
    Moved(String),
}

/// Cursors of SQL as PostgreSQL writes them (`DECLARE … CURSOR`, `FETCH`, `MOVE`); `None` for anything else.
pub(crate) fn cursor(statement: &str) -> Option<Cursor> {
    let mut words = statement
        .split(|c: char| c.is_whitespace() || c == ';')
        .filter(|w| !w.is_empty())
        .map(|w| w.trim_matches('"').to_lowercase());
    match words.next()?.as_str() {
        "declare" => {
            let name = words.next()?;
            words
                .take(6)
                .any(|w| w == "cursor")
                .then_some(Cursor::Declared(name))
        }
        verb @ ("fetch" | "move") => {
            let rest: Vec<String> = words.take(5).collect();
            let (name, said) = rest.split_last()?;
            let said: Vec<&str> = said
                .iter()
                .map(String::as_str)
                .filter(|w| !matches!(*w, "from" | "in" | "forward"))
                .collect();
            let rows = match said[..] {
                [] | ["next"] => Some(1),
                ["all"] => Some(u64::MAX),
                [n] => n.parse().ok(),
                _ => None,
            };
            Some(match rows.filter(|_| verb == "fetch") {
                Some(n) => Cursor::Fetched(name.clone(), n),
                None => Cursor::Moved(name.clone()),
            })
        }
        _ => None,
    }
}

/// What stands before the values a statement was given, when the log tells them.
pub(crate) const PARAMETERS: &str = "\n-- parameters: ";

/// Values given with a statement, in order; `None`: not told, or cut.
#[derive(Default)]
struct Given {
    values: Vec<Option<Tok>>,
    next: usize,
}

impl Given {
    /// Reads `$1 = 'a', $2 = NULL` (PostgreSQL), `#1(3):LA% #2(2):10` (Oracle), or a line of CSV (pgaudit).
    fn of(list: &str) -> Given {
        let list = list.trim();
        let mut given = Given::default();
        if list.starts_with('$') {
            let c: Vec<char> = list.chars().collect();
            let mut i = 0;
            while c.get(i) == Some(&'$') {
                let Some(eq) = c[i..].iter().position(|x| *x == '=') else {
                    break;
                };
                i += eq + 1;
                while c.get(i) == Some(&' ') {
                    i += 1;
                }
                if c.get(i) != Some(&'\'') {
                    let word: String = c[i..].iter().take_while(|x| **x != ',').collect();
                    i += word.chars().count();
                    let null = word.trim().eq_ignore_ascii_case("null");
                    given.values.push(null.then(|| Tok::Word("null".into())));
                } else {
                    let mut v = String::new();
                    i += 1;
                    while let Some(x) = c.get(i) {
                        if *x == '\'' && c.get(i + 1) != Some(&'\'') {
                            break;
                        }
                        i += if *x == '\'' { 2 } else { 1 };
                        v.push(*x);
                    }
                    i += 1;
                    let whole = i <= c.len() && !v.ends_with("...");
                    given.values.push(whole.then_some(Tok::Text(v)));
                }
                while matches!(c.get(i), Some(',' | ' ')) {
                    i += 1;
                }
            }
        } else if list.starts_with('#') {
            let c: Vec<char> = list.chars().collect();
            let mut i = 0;
            while c.get(i) == Some(&'#') {
                let open = c[i..].iter().position(|x| *x == '(');
                let shut = c[i..].iter().position(|x| *x == ')');
                let (Some(open), Some(shut)) = (open, shut) else {
                    break;
                };
                if shut <= open || c.get(i + shut + 1) != Some(&':') {
                    break;
                }
                let n: String = c[i + open + 1..i + shut].iter().collect();
                let Ok(n) = n.parse::<usize>() else { break };
                let from = i + shut + 2;
                // The length may be one of characters or of bytes: the next value, or the end, must follow.
                let mut left = n;
                let whole = |x: &&char| {
                    let fits = left >= x.len_utf8();
                    left -= if fits { x.len_utf8() } else { 0 };
                    fits
                };
                let by_bytes = c[from..].iter().take_while(whole).count();
                let ends = |k: &usize| match c.get(from + k) {
                    None => from + k == c.len(),
                    Some(x) => *x == ' ' && c.get(from + k + 1) == Some(&'#'),
                };
                let k = match (ends(&n), ends(&by_bytes)) {
                    (true, true) if n != by_bytes => break,
                    (true, _) => n,
                    (_, true) if left == 0 => by_bytes,
                    _ => break,
                };
                let v = c[from..from + k].iter().collect();
                given.values.push(Some(Tok::Text(v)));
                i = from + k;
                while c.get(i) == Some(&' ') {
                    i += 1;
                }
            }
        } else if !list.is_empty() && !list.starts_with('<') {
            // An empty cell may be NULL; a text in angle brackets stands for one that was left out.
            let told = |v: &String| !(v.is_empty() || v.starts_with('<') && v.ends_with('>'));
            let cells = csv_cells(list).into_iter();
            let values = cells.map(|v| Some(v).filter(told).map(Tok::Text));
            given.values.extend(values);
        }
        given
    }
    /// The value of parameter `n`, from 1; of the next one without a number.
    fn take(&mut self, n: Option<usize>) -> Tok {
        let i = n.map_or(self.next, |n| n.wrapping_sub(1));
        self.next += usize::from(n.is_none());
        self.values.get(i).cloned().flatten().unwrap_or(Tok::Param)
    }
}

/// Cells of one line of CSV.
fn csv_cells(line: &str) -> Vec<String> {
    let (mut out, mut cell) = (vec![], String::new());
    let mut quoted = false;
    let mut c = line.chars().peekable();
    while let Some(x) = c.next() {
        match x {
            '"' if quoted && c.peek() == Some(&'"') => {
                c.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => out.push(std::mem::take(&mut cell)),
            x => cell.push(x),
        }
    }
    out.push(cell);
    out
}

fn lex(sql: &str) -> Vec<Tok> {
    let (sql, given) = match sql.rfind(PARAMETERS) {
        Some(at) => (&sql[..at], &sql[at + PARAMETERS.len()..]),
        None => (sql, ""),
    };
    let mut given = Given::of(given);
    let c: Vec<char> = sql.chars().take(STATEMENT_MAX).collect::<Vec<_>>();
    let mut out = vec![];
    let mut i = 0;
    while i < c.len() {
        let ch = c[i];
        if ch.is_whitespace() {
            i += 1;
        } else if (ch == '-' && c.get(i + 1) == Some(&'-'))
            // MySQL's other sign; a name of a passing table has no blank in it.
            || (ch == '#' && c.get(i + 1).is_none_or(|x| x.is_whitespace()))
        {
            while i < c.len() && c[i] != '\n' {
                i += 1;
            }
        } else if ch == '/' && c.get(i + 1) == Some(&'*') {
            i += 2;
            while i + 1 < c.len() && !(c[i] == '*' && c[i + 1] == '/') {
                i += 1;
            }
            i += 2;
        } else if ch == '\'' {
            let mut s = String::new();
            // E'…' and U&'…' have escapes of their own.
            let own = i > 0 && matches!(c[i - 1], 'E' | 'e' | '&');
            i += 1;
            while i < c.len() {
                if own && c[i] == '\\' {
                    s.push('\\');
                    i += 2;
                    continue;
                }
                if c[i] == '\'' {
                    if c.get(i + 1) == Some(&'\'') {
                        s.push('\'');
                        i += 2;
                        continue;
                    }
                    break;
                }
                s.push(c[i]);
                i += 1;
            }
            i += 1;
            out.push(if own && s.contains('\\') {
                Tok::Param
            } else {
                Tok::Text(s)
            });
        } else if ch == '"'
            || ch == '`'
            || (ch == '[' && c.get(i + 1).is_some_and(|x| x.is_alphabetic() || *x == '_'))
        {
            let end = if ch == '[' { ']' } else { ch };
            let mut s = String::new();
            i += 1;
            while i < c.len() && c[i] != end {
                s.push(c[i]);
                i += 1;
            }
            i += 1;
            out.push(Tok::Name(s));
        } else if ch.is_ascii_digit() {
            let mut s = String::new();
            while i < c.len() && (c[i].is_ascii_digit() || c[i] == '.') {
                s.push(c[i]);
                i += 1;
            }
            out.push(Tok::Number(s));
        } else if ch.is_alphabetic() || ch == '_' || ch == '#' {
            let mut s = String::new();
            while i < c.len() && (c[i].is_alphanumeric() || matches!(c[i], '_' | '$' | '#')) {
                s.push(c[i]);
                i += 1;
            }
            // E'text', N'text', date '…' keep their text.
            if c.get(i) == Some(&'\'') && matches!(s.as_str(), "E" | "e" | "N" | "n" | "U" | "u") {
                continue;
            }
            out.push(Tok::Word(s));
        } else if ch == '$' && c.get(i + 1).is_some_and(char::is_ascii_digit) {
            i += 1;
            let from = i;
            while i < c.len() && c[i].is_ascii_digit() {
                i += 1;
            }
            let n: String = c[from..i].iter().collect();
            out.push(given.take(Some(n.parse().unwrap_or(0))));
        } else if ch == '$'
            && let Some(tag) = c[i + 1..].iter().position(|x| *x == '$')
            && c[i + 1..i + 1 + tag]
                .iter()
                .all(|x| x.is_alphanumeric() || *x == '_')
        {
            // $tag$ … $tag$
            let mark: Vec<char> = c[i..i + tag + 2].to_vec();
            let from = i + mark.len();
            let end = c[from..].windows(mark.len()).position(|w| w == mark);
            let to = end.map_or(c.len(), |e| from + e);
            out.push(Tok::Text(c[from..to].iter().collect()));
            i = to + mark.len();
        } else if ch == '?'
            || (ch == '@' && c.get(i + 1).is_some_and(|x| x.is_alphanumeric()))
            || (ch == ':'
                && i > 0
                && c[i - 1] != ':'
                && c.get(i + 1).is_some_and(|x| x.is_alphanumeric()))
        {
            i += 1;
            while i < c.len() && (c[i].is_alphanumeric() || c[i] == '_') {
                i += 1;
            }
            // A variable of the session (`@x`) is no parameter of the statement.
            out.push(if ch == '@' {
                Tok::Param
            } else {
                given.take(None)
            });
        } else {
            let two: String = c[i..c.len().min(i + 2)].iter().collect();
            let three: String = c[i..c.len().min(i + 3)].iter().collect();
            let op = if matches!(three.as_str(), "!~*" | "~~*" | "<=>") {
                three
            } else if matches!(
                two.as_str(),
                "<=" | ">=" | "<>" | "!=" | "::" | "||" | "~~" | "~*" | "!~"
            ) {
                two
            } else {
                ch.to_string()
            };
            i += op.chars().count();
            out.push(Tok::Op(op));
        }
    }
    out
}

/// Resolves a column (lower case; what stands before the point, if anything) to its place in a record.
pub type Resolve<'a> = &'a dyn Fn(Option<&str>, &str) -> Option<ColumnPath>;

struct P<'a> {
    t: &'a [Tok],
    i: usize,
    resolve: Resolve<'a>,
    depth: u32,
}

/// One side of a comparison.
#[derive(Clone)]
enum Side {
    Column(ColumnPath, Vec<Wrap>),
    /// The first of these that is not NULL.
    FirstOf(Vec<Side>),
    /// A column of no identity field, or an expression.
    Other,
    Value(String),
    Param,
}

#[derive(Clone)]
enum Wrap {
    Lower,
    Upper,
    Fold,
    Year,
    Trim,
    Piece(usize, usize),
    Replaced(String, String),
    Written(String),
    Part(DatePart),
    Length { bytes: bool },
    Position(String),
    Number,
    Rest(i64),
    Bytes,
}

impl<'a> P<'a> {
    fn peek(&self) -> Option<&'a Tok> {
        self.t.get(self.i)
    }
    fn word(&self, k: usize) -> String {
        match self.t.get(self.i + k) {
            Some(Tok::Word(w)) => w.to_ascii_lowercase(),
            _ => String::new(),
        }
    }
    fn is(&self, w: &str) -> bool {
        self.word(0) == w
    }
    fn eat(&mut self, w: &str) -> bool {
        let hit = self.is(w);
        if hit {
            self.i += 1;
        }
        hit
    }
    fn op(&self, o: &str) -> bool {
        matches!(self.peek(), Some(Tok::Op(x)) if x == o)
    }
    fn eat_op(&mut self, o: &str) -> bool {
        let hit = self.op(o);
        if hit {
            self.i += 1;
        }
        hit
    }
    /// Passes over one balanced parenthesis whose opening sign has been taken.
    fn skip_parens(&mut self) {
        let mut depth = 1;
        while let Some(t) = self.peek() {
            match t {
                Tok::Op(o) if o == "(" => depth += 1,
                Tok::Op(o) if o == ")" => depth -= 1,
                _ => {}
            }
            self.i += 1;
            if depth == 0 {
                return;
            }
        }
    }
    fn or(&mut self) -> Expr {
        let mut v = vec![self.and()];
        while self.eat("or") {
            v.push(self.and());
        }
        if v.len() == 1 {
            v.remove(0)
        } else {
            Expr::Any(v)
        }
    }
    fn and(&mut self) -> Expr {
        let mut v = vec![self.not()];
        while self.eat("and") {
            v.push(self.not());
        }
        if v.len() == 1 {
            v.remove(0)
        } else {
            Expr::All(v)
        }
    }
    fn not(&mut self) -> Expr {
        if self.eat("not") {
            self.depth += 1;
            let e = if self.depth > 200 {
                self.i = self.t.len();
                Expr::Unknown
            } else {
                negated(self.not())
            };
            self.depth -= 1;
            return e;
        }
        self.predicate()
    }
    fn predicate(&mut self) -> Expr {
        self.depth += 1;
        if self.depth > 200 {
            self.i = self.t.len();
            return Expr::Unknown;
        }
        let e = self.predicate_inner();
        self.depth -= 1;
        e
    }
    fn predicate_inner(&mut self) -> Expr {
        if self.is("exists") {
            self.i += 1;
            if self.eat_op("(") {
                self.skip_parens();
            }
            return Expr::Unknown;
        }
        if self.op("(")
            && !matches!(self.t.get(self.i + 1), Some(Tok::Word(w)) if w.eq_ignore_ascii_case("select"))
        {
            // Either a grouped condition or a grouped operand: try the condition, fall back when an operator follows.
            let start = self.i;
            self.i += 1;
            let e = self.or();
            if self.eat_op(")") {
                if let Some(e) = self.truth(&e) {
                    return e;
                }
                if !self.comparison_follows() {
                    return e;
                }
            }
            self.i = start;
        }
        if self.eat("true") {
            return Expr::Known(true);
        }
        if self.eat("false") {
            return Expr::Known(false);
        }
        let left = self.side();
        let no = self.eat("not");
        // `NOT LIKE ANY` is true of one that is not alike, not of none that is.
        let one = no && matches!(self.word(1).as_str(), "any" | "all" | "some");
        let e = self.comparison(left, one);
        if no && !one { negated(e) } else { e }
    }
    fn comparison_follows(&self) -> bool {
        matches!(self.peek(), Some(Tok::Op(o)) if matches!(o.as_str(), "=" | "<" | ">" | "<=" | ">=" | "<>" | "!=" | "<=>" | "~" | "~~" | "||" | "+" | "-" | "*" | "/" | "::"))
            || matches!(
                self.word(0).as_str(),
                "like" | "ilike" | "in" | "between" | "is" | "similar" | "regexp" | "rlike"
            )
    }
    /// `IS [NOT] TRUE` or `FALSE` behind a condition in brackets; `None` and nothing read where something else follows.
    fn truth(&mut self, e: &Expr) -> Option<Expr> {
        if !self.is("is") {
            return None;
        }
        let no = self.word(1) == "not";
        let says = match self.word(1 + usize::from(no)).as_str() {
            "true" => e.clone(),
            "false" => negated(e.clone()),
            _ => return None,
        };
        self.i += 2 + usize::from(no);
        // It holds or does not, for NULL too: the sign stays outside.
        Some(if no {
            opposed(says)
        } else {
            opposed(opposed(says))
        })
    }
    /// The values of `ANY (…)`, `ALL (…)`: an array as text, as `ARRAY[…]`, or a list. `None`: not all of them are written there.
    fn array(&mut self) -> Option<Vec<String>> {
        let from = self.i;
        if !self.eat_op("(") {
            return None;
        }
        let inside = self.i;
        self.skip_parens();
        let behind = self.i;
        self.i = inside;
        let values = self.array_inside(behind - 1);
        let whole = self.i + 1 == behind && self.op(")");
        self.i = behind.max(from + 1);
        values.filter(|_| whole)
    }
    fn array_inside(&mut self, end: usize) -> Option<Vec<String>> {
        let mut values = vec![];
        if self.eat("array") {
            if !self.eat_op("[") {
                return None;
            }
            while !self.op("]") && self.i < end {
                match self.side() {
                    Side::Value(v) => values.push(v),
                    _ => return None,
                }
                self.eat_op(",");
            }
            self.eat_op("]");
        } else {
            let Some(Tok::Text(t)) = self.peek() else {
                return None;
            };
            values = array_text(t)?;
            self.i += 1;
        }
        // A cast to an array of texts or dates.
        if self.eat_op("::") {
            if !keeps_text(&self.word(0)) {
                return None;
            }
            self.i += 1;
            while self.i < end && (self.op("[") || self.op("]") || self.is("varying")) {
                self.i += 1;
            }
        }
        Some(values)
    }
    /// `not`: of each of several patterns.
    fn comparison(&mut self, left: Side, not: bool) -> Expr {
        let w = self.word(0);
        match w.as_str() {
            "is" => {
                self.i += 1;
                let no = self.eat("not");
                if self.is("distinct") && self.word(1) == "from" {
                    self.i += 2;
                    return self.distinct(left, no);
                }
                let null = self.eat("null");
                if !null {
                    let word = self.word(0);
                    self.i += 1;
                    let value = match word.as_str() {
                        "true" => "true",
                        "false" => "false",
                        _ => return Expr::Unknown,
                    };
                    // IS NOT TRUE holds for NULL too.
                    return match make(left, Compare::Eq(value.into())) {
                        e if no => Expr::Not(Box::new(e)),
                        e => e,
                    };
                }
                return match make(left, Compare::IsNull) {
                    e if no => Expr::Not(Box::new(e)),
                    e => e,
                };
            }
            "similar" if self.word(1) == "to" => {
                self.i += 2;
                let pattern = match self.side() {
                    Side::Value(v) if !self.is("escape") => Pattern::similar(&v),
                    _ => None,
                };
                return pattern.map_or(Expr::Unknown, |p| make(left, Compare::Matches(p)));
            }
            "regexp" | "rlike" => {
                self.i += 1;
                let pattern = match self.side() {
                    Side::Value(v) => Pattern::regular(&v, false),
                    _ => None,
                };
                return pattern.map_or(Expr::Unknown, |p| make(left, Compare::Matches(p)));
            }
            "like" | "ilike" => {
                self.i += 1;
                let fold = w == "ilike";
                if matches!(self.word(0).as_str(), "any" | "all" | "some") {
                    let all = self.is("all");
                    self.i += 1;
                    let patterns = self.array();
                    let like = |pattern| {
                        let like = Compare::Like { pattern, fold };
                        if not {
                            Compare::Not(Box::new(like))
                        } else {
                            like
                        }
                    };
                    return each(left, patterns, all, like);
                }
                return match self.side() {
                    Side::Value(pattern) => {
                        let pattern = if self.eat("escape") {
                            match self.side() {
                                Side::Value(e) => escaped_by(&pattern, &e),
                                _ => None,
                            }
                        } else {
                            Some(pattern)
                        };
                        match pattern {
                            Some(pattern) => make(left, Compare::Like { pattern, fold }),
                            None => Expr::Unknown,
                        }
                    }
                    _ => Expr::Unknown,
                };
            }
            "in" => {
                self.i += 1;
                if !self.eat_op("(") {
                    return Expr::Unknown;
                }
                if self.is("select") {
                    self.skip_parens();
                    return Expr::Unknown;
                }
                let mut values = vec![];
                let mut known = true;
                loop {
                    match self.side() {
                        Side::Value(v) => values.push(v),
                        _ => known = false,
                    }
                    if !self.eat_op(",") {
                        break;
                    }
                }
                if !self.eat_op(")") {
                    self.skip_parens();
                    known = false;
                }
                return if known {
                    make(left, Compare::In(values))
                } else {
                    Expr::Unknown
                };
            }
            "between" => {
                self.i += 1;
                let a = self.side();
                self.eat("and");
                let b = self.side();
                return match (a, b) {
                    (Side::Value(a), Side::Value(b)) => make(left, Compare::Between(a, b)),
                    _ => Expr::Unknown,
                };
            }
            _ => {}
        }
        let Some(Tok::Op(o)) = self.peek() else {
            // A bare boolean column, when the condition ends behind it.
            let ends = self.peek().is_none() || matches!(w.as_str(), "and" | "or") || clause(&w);
            return match left {
                Side::Column(ColumnPath::Active, ref ws) if ends && ws.is_empty() => {
                    make(left, Compare::Eq("true".into()))
                }
                _ => Expr::Unknown,
            };
        };
        let o = o.clone();
        match o.as_str() {
            "=" | "<" | ">" | "<=" | ">=" | "<>" | "!=" | "~~" | "~~*" | "~" | "~*" | "!~"
            | "!~*" | "<=>" => self.i += 1,
            _ => return Expr::Unknown,
        }
        if o == "<=>" {
            return self.distinct(left, true);
        }
        if matches!(self.word(0).as_str(), "any" | "all" | "some") {
            let all = self.is("all");
            self.i += 1;
            let values = self.array();
            return match o.as_str() {
                "=" => each(left, values, all, Compare::Eq),
                "<>" | "!=" => each(left, values, all, Compare::Ne),
                "~~" | "~~*" => each(left, values, all, |pattern| Compare::Like {
                    pattern,
                    fold: o == "~~*",
                }),
                _ => Expr::Unknown,
            };
        }
        let right = self.side();
        let flip = |o: &str| {
            match o {
                "<" => ">",
                ">" => "<",
                "<=" => ">=",
                ">=" => "<=",
                x => x,
            }
            .to_string()
        };
        let (left, right, o) = match (left, right) {
            (l @ (Side::Column(..) | Side::FirstOf(_)), r) => (l, r, o),
            (l @ Side::Value(_), r @ (Side::Column(..) | Side::FirstOf(_)))
                if !o.contains(['~']) =>
            {
                (r, l, flip(&o))
            }
            (Side::Value(a), Side::Value(b)) => {
                return match o.as_str() {
                    "=" => Expr::Known(a == b),
                    "<>" | "!=" => Expr::Known(a != b),
                    _ => Expr::Unknown,
                };
            }
            _ => return Expr::Unknown,
        };
        let Side::Value(v) = right else {
            return Expr::Unknown;
        };
        let c = match o.as_str() {
            "=" => Compare::Eq(v),
            "<>" | "!=" => Compare::Ne(v),
            "<" => Compare::Lt(v),
            "<=" => Compare::Le(v),
            ">" => Compare::Gt(v),
            ">=" => Compare::Ge(v),
            "~~" => Compare::Like {
                pattern: v,
                fold: false,
            },
            "~~*" => Compare::Like {
                pattern: v,
                fold: true,
            },
            // A plain anchored prefix is a LIKE, which the sorted names answer.
            "~" | "~*" => match v.strip_prefix('^') {
                Some(p)
                    if p.chars()
                        .all(|c| c.is_alphanumeric() || c == ' ' || c == '-') =>
                {
                    Compare::Like {
                        pattern: format!("{p}%"),
                        fold: o == "~*",
                    }
                }
                _ => match Pattern::regular(&v, o == "~*") {
                    Some(p) => Compare::Matches(p),
                    None => return Expr::Unknown,
                },
            },
            "!~" | "!~*" => match Pattern::regular(&v, o == "!~*") {
                Some(p) => Compare::Not(Box::new(Compare::Matches(p))),
                None => return Expr::Unknown,
            },
            _ => return Expr::Unknown,
        };
        make(left, c)
    }
    /// `IS DISTINCT FROM` what follows (`same`: not), which holds for NULL too.
    fn distinct(&mut self, left: Side, same: bool) -> Expr {
        if self.eat("null") {
            return null(&left, same).unwrap_or(Expr::Unknown);
        }
        let Side::Value(v) = self.side() else {
            return Expr::Unknown;
        };
        let (Some(gone), true) = (null(&left, true), matches!(left, Side::Column(..))) else {
            return Expr::Unknown;
        };
        if same {
            opposed(opposed(make(left, Compare::Eq(v))))
        } else {
            Expr::Any(vec![gone, make(left, Compare::Ne(v))])
        }
    }
    /// An operand: a literal, a column with the functions around it, anything else.
    fn side(&mut self) -> Side {
        self.depth += 1;
        if self.depth > 200 {
            self.i = self.t.len();
            return Side::Other;
        }
        let mut s = self.primary();
        // Casts keep the value; arithmetic and concatenation make it something else.
        loop {
            if self.eat_op("::") {
                let kind = self.word(0);
                self.i += 1;
                let mut sized = false;
                if self.eat_op("(") {
                    self.skip_parens();
                    sized = true;
                }
                // A type that may cut or change the text.
                if whole_number(&kind) && !sized {
                    s = numbered(s);
                } else if !keeps_text(&kind) || sized {
                    s = Side::Other;
                }
                while matches!(
                    self.word(0).as_str(),
                    "without" | "with" | "time" | "zone" | "varying"
                ) {
                    self.i += 1;
                }
            } else if matches!(self.peek(), Some(Tok::Op(o)) if matches!(o.as_str(), "||" | "+" | "-" | "*" | "/" | "%"))
            {
                let (concat, rest) = (self.op("||"), self.op("%"));
                self.i += 1;
                let right = self.primary();
                s = match (s, right) {
                    (Side::Value(a), Side::Value(b)) if concat => Side::Value(a + &b),
                    (s @ Side::Column(..), Side::Value(by)) if rest => rest_of(s, &by),
                    _ => Side::Other,
                };
            } else if self.is("collate") {
                // Another order and perhaps another equality than the column's own.
                let name = match self.t.get(self.i + 1) {
                    Some(Tok::Word(n) | Tok::Name(n)) => n.to_ascii_lowercase(),
                    _ => String::new(),
                };
                self.i += 2;
                s = match s {
                    Side::Value(v) => Side::Value(v),
                    s if matches!(name.as_str(), "c" | "posix" | "ucs_basic") => {
                        wrapped(s, Wrap::Bytes)
                    }
                    _ => Side::Other,
                };
            } else {
                self.depth -= 1;
                return s;
            }
        }
    }
    fn primary(&mut self) -> Side {
        match self.peek().cloned() {
            Some(Tok::Text(t)) => {
                self.i += 1;
                Side::Value(t)
            }
            Some(Tok::Number(n)) => {
                self.i += 1;
                Side::Value(n)
            }
            Some(Tok::Param) => {
                self.i += 1;
                Side::Param
            }
            Some(Tok::Op(o)) if o == "-" => {
                self.i += 1;
                match self.primary() {
                    Side::Value(v) => Side::Value(format!("-{v}")),
                    _ => Side::Other,
                }
            }
            Some(Tok::Op(o)) if o == "(" => {
                self.i += 1;
                if self.is("select") {
                    self.skip_parens();
                    return Side::Other;
                }
                let s = self.side();
                if !self.eat_op(")") {
                    self.skip_parens();
                    return Side::Other;
                }
                s
            }
            Some(Tok::Word(_) | Tok::Name(_)) => self.named(),
            _ => {
                self.i += 1;
                Side::Other
            }
        }
    }
    fn name_part(&mut self) -> Option<String> {
        let n = match self.peek()? {
            Tok::Word(w) => w.to_lowercase(),
            Tok::Name(n) => n.to_lowercase(),
            _ => return None,
        };
        self.i += 1;
        Some(n)
    }
    fn named(&mut self) -> Side {
        let mut name = self.name_part().unwrap_or_default();
        // date '1957-01-01', timestamp '…'
        if matches!(name.as_str(), "date" | "timestamp" | "timestamptz" | "text")
            && let Some(Tok::Text(t)) = self.peek()
        {
            let t = t.clone();
            self.i += 1;
            return Side::Value(t);
        }
        if self.op("(") {
            return self.function(&name);
        }
        let mut before: Option<String> = None;
        while self.op(".") {
            self.i += 1;
            match self.name_part() {
                Some(n) => before = Some(std::mem::replace(&mut name, n)),
                None => {
                    self.i += 1;
                    return Side::Other;
                }
            }
        }
        match name.as_str() {
            "null" | "current_date" | "current_timestamp" => Side::Other,
            "true" | "false" => Side::Value(name),
            _ => match (self.resolve)(before.as_deref(), &name) {
                Some(p) => Side::Column(p, vec![]),
                None => Side::Other,
            },
        }
    }
    /// True when the call ends here; what else stands in it is passed over.
    fn closed(&mut self) -> bool {
        let closed = self.eat_op(")");
        if !closed {
            self.skip_parens();
        }
        closed
    }
    /// The operands of a call whose opening sign was taken, its end passed; `None` where something else stands between them.
    fn arguments(&mut self) -> Option<Vec<Side>> {
        let mut out = vec![self.side()];
        while self.eat_op(",") {
            out.push(self.side());
        }
        self.closed().then_some(out)
    }
    fn function(&mut self, name: &str) -> Side {
        self.i += 1;
        let wrap = match name {
            "lower" => Some(Wrap::Lower),
            "upper" => Some(Wrap::Upper),
            "unaccent" | "f_unaccent" => Some(Wrap::Fold),
            "year" => Some(Wrap::Year),
            "month" => Some(Wrap::Part(DatePart::Month)),
            "day" | "dayofmonth" => Some(Wrap::Part(DatePart::Day)),
            "char_length" | "character_length" | "len" => Some(Wrap::Length { bytes: false }),
            // Characters in PostgreSQL and Oracle, bytes in MySQL.
            "length" => Some(Wrap::Length { bytes: true }),
            _ => None,
        };
        if matches!(name, "extract" | "date_part" | "datepart") {
            let part = match self.peek() {
                Some(Tok::Text(t) | Tok::Word(t)) => t.to_ascii_lowercase(),
                _ => String::new(),
            };
            let wrap = match part.as_str() {
                "year" | "yyyy" | "yy" => Some(Wrap::Year),
                "month" | "mm" => Some(Wrap::Part(DatePart::Month)),
                "day" | "dd" => Some(Wrap::Part(DatePart::Day)),
                _ => None,
            };
            self.i += 1;
            let asks = self.eat("from") || self.eat_op(",");
            let s = self.side();
            return match (self.closed(), wrap) {
                (true, Some(w)) if asks => wrapped(s, w),
                _ => Side::Other,
            };
        }
        if matches!(name, "coalesce" | "nvl" | "ifnull" | "isnull") {
            let sides = self.arguments();
            return match sides {
                Some(v) if v.len() > 1 => {
                    // What stands behind a value that is there is never taken.
                    let n = v.iter().position(|s| matches!(s, Side::Value(_)));
                    Side::FirstOf(
                        v.into_iter()
                            .take(n.map_or(usize::MAX, |n| n + 1))
                            .collect(),
                    )
                }
                _ => Side::Other,
            };
        }
        if matches!(
            name,
            "replace"
                | "strpos"
                | "instr"
                | "locate"
                | "charindex"
                | "to_char"
                | "date_format"
                | "mod"
        ) {
            let mut sides = self.arguments().unwrap_or_default();
            if matches!(name, "locate" | "charindex") && sides.len() == 2 {
                sides.swap(0, 1);
            }
            let mut sides = sides.into_iter();
            let first = sides.next();
            let mut values = vec![];
            for s in sides {
                match s {
                    Side::Value(v) => values.push(v),
                    _ => return Side::Other,
                }
            }
            let Some(first) = first else {
                return Side::Other;
            };
            return match (name, &values[..]) {
                ("replace", [from, to]) if !from.is_empty() => {
                    wrapped(first, Wrap::Replaced(from.clone(), to.clone()))
                }
                ("to_char" | "date_format", [how]) => wrapped(first, Wrap::Written(how.clone())),
                ("mod", [by]) => rest_of(first, by),
                ("strpos" | "instr" | "locate" | "charindex", [what]) if !what.is_empty() => {
                    wrapped(first, Wrap::Position(what.clone()))
                }
                _ => Side::Other,
            };
        }
        if name == "position" {
            let what = self.side();
            let asks = self.eat("in");
            let s = self.side();
            return match (self.closed(), what) {
                (true, Side::Value(what)) if asks && !what.is_empty() => {
                    wrapped(s, Wrap::Position(what))
                }
                _ => Side::Other,
            };
        }
        if name == "str_to_date" {
            // The same date whatever the pattern where both are written in ISO order or day, month and year.
            return match self.arguments().as_deref() {
                Some([Side::Value(v), Side::Value(how)]) if reads_as_iso(v, how) => {
                    Side::Value(iso(v))
                }
                _ => Side::Other,
            };
        }
        if name == "cast" {
            let s = self.side();
            let kind = if self.eat("as") {
                self.word(0)
            } else {
                String::new()
            };
            self.i += 1;
            return match self.closed() {
                true if keeps_text(&kind) => s,
                true if whole_number(&kind) => numbered(s),
                _ => Side::Other,
            };
        }
        if matches!(name, "trim" | "btrim") {
            self.eat("both");
            self.eat("from");
            let s = self.side();
            if self.eat_op(")") {
                return wrapped(s, Wrap::Trim);
            }
            self.skip_parens();
            return Side::Other;
        }
        if name == "to_date" {
            // A literal in ISO order says the same date whatever the pattern that reads it.
            let s = self.side();
            self.skip_parens();
            return match s {
                Side::Value(v) if PartDate::parse(&v).is_some_and(PartDate::is_full) => {
                    Side::Value(v)
                }
                _ => Side::Other,
            };
        }
        if matches!(name, "left" | "substr" | "substring") {
            let s = self.side();
            let mut numbers = vec![];
            while self.eat_op(",") || self.eat("from") || self.eat("for") {
                match self.side() {
                    Side::Value(v) => numbers.extend(v.parse::<usize>().ok()),
                    _ => numbers.clear(),
                }
            }
            let closed = self.eat_op(")");
            if !closed {
                self.skip_parens();
            }
            return match (name, &numbers[..]) {
                ("left", [n]) if closed => wrapped(s, Wrap::Piece(1, *n)),
                ("substr" | "substring", [from, n]) if closed && *from > 0 => {
                    wrapped(s, Wrap::Piece(*from, *n))
                }
                _ => Side::Other,
            };
        }
        match wrap {
            Some(w) => {
                let s = self.side();
                if !self.eat_op(")") {
                    self.skip_parens();
                    return Side::Other;
                }
                wrapped(s, w)
            }
            None => {
                self.skip_parens();
                Side::Other
            }
        }
    }
}

/// One condition for each value: all of them must hold, or one.
fn each(
    left: Side,
    values: Option<Vec<String>>,
    all: bool,
    op: impl Fn(String) -> Compare,
) -> Expr {
    let (Some(values), Side::Column(..)) = (values, &left) else {
        return Expr::Unknown;
    };
    let es = values
        .into_iter()
        .map(|v| make(left.clone(), op(v)))
        .collect();
    if all { Expr::All(es) } else { Expr::Any(es) }
}

/// The values of an array written as a text, `{a,"b c"}`; `None` for one with NULL, of several dimensions, or badly written.
fn array_text(text: &str) -> Option<Vec<String>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    if inner.is_empty() {
        return Some(vec![]);
    }
    if inner.contains(['{', '}', '\\']) {
        return None;
    }
    let quotes = inner.matches('"').count();
    let cells = csv_cells(inner);
    let null = |v: &String| v.eq_ignore_ascii_case("null") || v.is_empty();
    (quotes % 2 == 0 && !cells.iter().any(null))
        .then(|| cells.iter().map(|v| v.trim().to_string()).collect())
}

/// True where a date reads the same by this pattern and by [`iso`].
fn reads_as_iso(text: &str, pattern: &str) -> bool {
    written(&pattern.replace("%e", "%d").replace("%c", "%m"), &iso(text)).is_some_and(|w| w == text)
}

/// A column read as a whole number.
fn numbered(s: Side) -> Side {
    match s {
        s @ Side::Value(_) => s,
        s => wrapped(s, Wrap::Number),
    }
}

fn rest_of(s: Side, by: &str) -> Side {
    match by.parse::<i64>() {
        Ok(by) if by > 0 => wrapped(s, Wrap::Rest(by)),
        _ => Side::Other,
    }
}

fn wrapped(s: Side, w: Wrap) -> Side {
    match (s, w) {
        (Side::Column(p, mut ws), w) => {
            ws.push(w);
            Side::Column(p, ws)
        }
        (Side::FirstOf(sides), w) => {
            Side::FirstOf(sides.into_iter().map(|s| wrapped(s, w.clone())).collect())
        }
        (Side::Value(v), Wrap::Replaced(from, to)) if !from.is_empty() => {
            Side::Value(v.replace(&from, &to))
        }
        (s @ Side::Value(_), Wrap::Bytes) => s,
        (Side::Value(v), Wrap::Lower) => Side::Value(v.to_lowercase()),
        (Side::Value(v), Wrap::Upper) => Side::Value(v.to_uppercase()),
        (Side::Value(v), Wrap::Fold) => Side::Value(unaccent(&v)),
        (Side::Value(v), Wrap::Trim) => Side::Value(v.trim_matches(' ').to_string()),
        (Side::Value(v), Wrap::Piece(from, n)) => {
            Side::Value(v.chars().skip(from - 1).take(n).collect())
        }
        (Side::Param, _) => Side::Param,
        _ => Side::Other,
    }
}

/// `side` is NULL, or is not; `None`: nobody can say.
fn null(side: &Side, is: bool) -> Option<Expr> {
    let is = |e: Expr| if is { e } else { negated(e) };
    match side {
        Side::Column(path, _) => Some(is(Expr::Test(Test::Column {
            path: path.clone(),
            op: Compare::IsNull,
            texts: Texts::BYTES,
        }))),
        Side::Value(_) => Some(is(Expr::Known(false))),
        Side::FirstOf(_) | Side::Other | Side::Param => None,
    }
}

fn make(left: Side, c: Compare) -> Expr {
    match left {
        // One case for each that may be the first; in each the comparison and what it is not stand beside the same condition, so that
        // a sign that goes inwards finds both.
        Side::FirstOf(sides) => {
            if c == Compare::IsNull {
                let all: Option<Vec<Expr>> = sides.iter().map(|s| null(s, true)).collect();
                return all.map_or(Expr::Unknown, Expr::All);
            }
            let (mut cases, mut before) = (vec![], vec![]);
            let last = sides.len().saturating_sub(1);
            for (k, s) in sides.into_iter().enumerate() {
                let (Some(there), Some(gone)) = (null(&s, false), null(&s, true)) else {
                    return Expr::Unknown;
                };
                let mut case = before.clone();
                // Where the last is NULL too, neither it nor its opposite holds, as of the column alone.
                if k < last {
                    case.push(there);
                }
                case.push(make(s, c.clone()));
                cases.push(Expr::All(case));
                before.push(gone);
            }
            Expr::Any(cases)
        }
        Side::Value(v) => match compare(&c, &v, PLAIN) {
            Tri::Yes => Expr::Known(true),
            Tri::No => Expr::Known(false),
            Tri::Maybe => Expr::Unknown,
        },
        Side::Column(path, wraps) => {
            let mut op = c;
            for w in wraps.iter().rev() {
                op = match w {
                    Wrap::Lower => Compare::Lower(Box::new(op)),
                    Wrap::Upper => Compare::Upper(Box::new(op)),
                    Wrap::Year => Compare::Year(Box::new(op)),
                    Wrap::Fold => Compare::Fold(Box::new(op)),
                    Wrap::Trim => Compare::Trim(Box::new(op)),
                    Wrap::Piece(from, n) => Compare::Piece(*from, *n, Box::new(op)),
                    Wrap::Replaced(from, to) => {
                        Compare::Replaced(from.clone(), to.clone(), Box::new(op))
                    }
                    Wrap::Written(how) => Compare::Written(how.clone(), Box::new(op)),
                    Wrap::Part(part) => Compare::Part(*part, Box::new(op)),
                    Wrap::Length { bytes } => Compare::Length {
                        bytes: *bytes,
                        op: Box::new(op),
                    },
                    Wrap::Position(what) => Compare::Position(what.clone(), Box::new(op)),
                    Wrap::Number => Compare::Number(Box::new(op)),
                    Wrap::Rest(by) => Compare::Rest(*by, Box::new(op)),
                    Wrap::Bytes => Compare::Bytes(Box::new(op)),
                };
            }
            Expr::Test(Test::Column {
                path,
                op,
                texts: Texts::BYTES,
            })
        }
        _ => Expr::Unknown,
    }
}

/// Words that begin a further part of a statement.
fn clause(word: &str) -> bool {
    matches!(
        word,
        "group"
            | "having"
            | "window"
            | "order"
            | "limit"
            | "offset"
            | "fetch"
            | "union"
            | "except"
            | "intersect"
            | "minus"
            | "for"
            | "option"
            | "returning"
    )
}

/// Types a value keeps its text in.
fn keeps_text(kind: &str) -> bool {
    matches!(
        kind,
        "text" | "varchar" | "character" | "string" | "date" | "unknown" | "citext" | "nvarchar"
    )
}

/// Types of whole numbers.
fn whole_number(kind: &str) -> bool {
    matches!(
        kind,
        "int"
            | "integer"
            | "bigint"
            | "int4"
            | "int8"
            | "signed"
            | "unsigned"
            | "numeric"
            | "number"
    )
}

/// A pattern whose escape sign is `sign` as one with `\\`.
fn escaped_by(pattern: &str, sign: &str) -> Option<String> {
    let mut it = sign.chars();
    let sign = match (it.next(), it.next()) {
        (None, _) => None,
        (Some(c), None) => Some(c),
        _ => return None,
    };
    let mut out = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if Some(c) == sign {
            out.push('\\');
            out.push(chars.next()?);
        } else {
            if c == '\\' {
                out.push('\\');
            }
            out.push(c);
        }
    }
    Some(out)
}

/// Takes one statement apart; `resolve` knows the columns of its main table.
pub fn parse(sql: &str, tables: &[Table]) -> Statement {
    // The whole statement in quotes: some auditors write it so.
    let quoted = sql
        .trim()
        .strip_prefix('\'')
        .and_then(|s| s.strip_suffix('\''));
    match quoted.filter(|s| s.contains(' ')) {
        Some(inner) => {
            let inner = inner.replace("\\'", "'").replace("\\\\", "\\");
            parse_tokens(&lex(&inner), tables)
        }
        None => parse_tokens(&lex(sql), tables),
    }
}

fn parse_tokens(t: &[Tok], tables: &[Table]) -> Statement {
    let mut st = Statement {
        kind: Kind::Unknown,
        tables: vec![],
        columns: vec![],
        star: false,
        perhaps: vec![],
        optional: vec![],
        rows: Expr::All(vec![]),
        limit: None,
        offset: None,
        set: vec![],
        names: vec![],
        order: None,
        sets: None,
        reshaped: false,
        returning: false,
        cursor: false,
    };
    let first = |k: usize| match t.get(k) {
        Some(Tok::Word(w)) => w.to_ascii_lowercase(),
        _ => String::new(),
    };
    // Log prefixes left by some decoders: `execute <unnamed>:`, `statement:`.
    let mut i = 0;
    if matches!(
        first(0).as_str(),
        "execute" | "statement" | "parse" | "bind"
    ) && let Some(colon) = t
        .iter()
        .take(8)
        .position(|x| matches!(x, Tok::Op(o) if o == ":"))
    {
        i = colon + 1;
    }
    // Several statements in one entry: what each returned is not told apart.
    if let Some(end) = t.iter().position(|x| matches!(x, Tok::Op(o) if o == ";"))
        && t[end..]
            .iter()
            .any(|x| !matches!(x, Tok::Op(o) if o == ";"))
    {
        several(t, tables, &mut st);
        return st;
    }
    // A selection in brackets.
    while matches!(t.get(i), Some(Tok::Op(o)) if o == "(") {
        i += 1;
    }
    match first(i).as_str() {
        "select" => select(t, i, tables, &mut st),
        "table" => {
            st.kind = Kind::Select;
            st.star = true;
            if let Some((n, _)) = table_name(t, i + 1) {
                st.tables.push(n);
            }
        }
        "copy" => {
            if matches!(t.get(i + 1), Some(Tok::Op(o)) if o == "(") {
                select(t, i + 2, tables, &mut st);
                if st.kind == Kind::Select {
                    st.kind = Kind::Copy;
                }
            } else if let Some((n, mut j)) = table_name(t, i + 1) {
                st.tables.push(n);
                if matches!(t.get(j), Some(Tok::Op(o)) if o == "(") {
                    j += 1;
                    while let Some(x) = t.get(j) {
                        match x {
                            Tok::Word(w) | Tok::Name(w) => st.columns.push(w.to_lowercase()),
                            Tok::Op(o) if o == ")" => break,
                            _ => {}
                        }
                        j += 1;
                    }
                    j += 1;
                }
                st.star = st.columns.is_empty();
                st.kind = if matches!(t.get(j), Some(Tok::Word(w)) if w.eq_ignore_ascii_case("from"))
                {
                    Kind::Insert
                } else {
                    Kind::Copy
                };
            }
        }
        "declare" => {
            if let Some(k) = t
                .iter()
                .position(|x| matches!(x, Tok::Word(w) if w.eq_ignore_ascii_case("for")))
            {
                select(t, k + 1, tables, &mut st);
                st.cursor = true;
            }
        }
        "with" if let Some(plain) = without_with(&t[i + 1..]) => {
            return parse_tokens(&plain, tables);
        }
        "with" => {
            // What stands in it is no plain selection: every table named is touched, nothing is sure.
            st.kind = Kind::Select;
            st.star = true;
            st.rows = Expr::Unknown;
            st.reshaped = true;
            st.tables = all_tables(t);
        }
        "create" => {
            if let Some(k) = t
                .iter()
                .position(|x| matches!(x, Tok::Word(w) if w.eq_ignore_ascii_case("select")))
            {
                select(t, k, tables, &mut st);
                st.reshaped = true;
            } else {
                st.kind = Kind::Nothing;
            }
        }
        "update" => {
            st.kind = Kind::Update;
            let mut k = i + 1;
            if first(k) == "only" {
                k += 1;
            }
            if let Some((n, j)) = table_name(t, k) {
                st.tables.push(n);
                set_and_where(t, j, tables, &mut st);
            }
        }
        "delete" => {
            st.kind = Kind::Delete;
            if let Some((n, j)) = table_name(t, i + 2) {
                st.tables.push(n);
                set_and_where(t, j, tables, &mut st);
            }
        }
        "insert" => {
            st.kind = Kind::Insert;
            if let Some((n, mut j)) = table_name(t, i + 2) {
                st.tables.push(n);
                let mut names = vec![];
                if matches!(t.get(j), Some(Tok::Op(o)) if o == "(") {
                    j += 1;
                    while let Some(x) = t.get(j) {
                        match x {
                            Tok::Word(w) | Tok::Name(w) => names.push(w.to_lowercase()),
                            Tok::Op(o) if o == ")" => break,
                            _ => {}
                        }
                        j += 1;
                    }
                }
                if let Some(v) = t
                    .iter()
                    .position(|x| matches!(x, Tok::Word(w) if w.eq_ignore_ascii_case("values")))
                {
                    let values = t[v + 2..].iter().filter_map(|x| match x {
                        Tok::Text(s) | Tok::Number(s) => Some(Some(s.clone())),
                        Tok::Param => Some(None),
                        Tok::Word(w) if w.eq_ignore_ascii_case("null") => Some(None),
                        _ => None,
                    });
                    for (n, v) in names.into_iter().zip(values) {
                        if let Some(v) = v {
                            st.set.push((n, v));
                        }
                    }
                }
            }
        }
        "merge" => {
            st.kind = Kind::Update;
            st.rows = Expr::Unknown;
            st.tables = word_at(t, "into")
                .and_then(|k| table_name(t, k + 1))
                .into_iter()
                .map(|n| n.0)
                .collect();
        }
        "begin" if !transaction(t.get(i + 1)) => {}
        w if SILENT.contains(&w) => st.kind = Kind::Nothing,
        _ => {}
    }
    // Rows that are changed and shown.
    if matches!(st.kind, Kind::Update | Kind::Delete)
        && let Some(k) = word_at(t, "returning").or_else(|| word_at(t, "output"))
    {
        st.returning = true;
        returned(&t[k + 1..], &mut st);
    }
    st
}

/// A statement of selections that were given names before it (`WITH a AS (SELECT …) SELECT … FROM a`, SQL:2016 part 2, §7.17), each put
/// where its name stands. `None`: one of them is no plain selection, refers to itself or names its columns anew.
fn without_with(t: &[Tok]) -> Option<Vec<Tok>> {
    /// Signs of a statement that has grown by what was put into it.
    const MOST: usize = 1 << 16;
    let name = |t: Option<&Tok>| match t {
        Some(Tok::Word(w) | Tok::Name(w)) => Some(w.to_lowercase()),
        _ => None,
    };
    let word =
        |k: usize, w: &str| matches!(t.get(k), Some(Tok::Word(x)) if x.eq_ignore_ascii_case(w));
    let op = |k: usize, o: &str| matches!(t.get(k), Some(Tok::Op(x)) if x == o);
    let mut named: Vec<(String, Vec<Tok>)> = vec![];
    // What stands in `t` with the names given so far replaced.
    let replaced = |t: &[Tok], named: &[(String, Vec<Tok>)]| -> Option<Vec<Tok>> {
        let mut out = vec![];
        for (k, x) in t.iter().enumerate() {
            let table = k > 0
                && (matches!(&t[k - 1], Tok::Word(w) if ["from", "join"].iter().any(|f| w.eq_ignore_ascii_case(f)))
                    || matches!(&t[k - 1], Tok::Op(o) if o == ","))
                && !matches!(t.get(k + 1), Some(Tok::Op(o)) if o == "." || o == "(");
            let inner = name(Some(x)).filter(|_| table);
            match inner.and_then(|n| named.iter().find(|d| d.0 == n)) {
                Some((_, inner)) => {
                    out.push(Tok::Op("(".into()));
                    out.extend(inner.iter().cloned());
                    out.push(Tok::Op(")".into()));
                    // It keeps its name where it is given no other.
                    let other = alias(t, k + 1, "");
                    if other.is_empty() {
                        out.push(x.clone());
                    }
                }
                None => out.push(x.clone()),
            }
            if out.len() > MOST {
                return None;
            }
        }
        Some(out)
    };
    let mut i = 0;
    loop {
        let n = name(t.get(i)).filter(|n| n != "recursive")?;
        if !word(i + 1, "as") {
            return None;
        }
        i += 2;
        i += usize::from(word(i, "not"));
        i += usize::from(word(i, "materialized"));
        if !op(i, "(") || !word(i + 1, "select") {
            return None;
        }
        let from = i + 1;
        let mut depth = 0;
        loop {
            match t.get(i)? {
                Tok::Op(o) if o == "(" => depth += 1,
                Tok::Op(o) if o == ")" => depth -= 1,
                _ => {}
            }
            i += 1;
            if depth == 0 {
                break;
            }
        }
        let inner = replaced(&t[from..i - 1], &named)?;
        named.push((n, inner));
        if !op(i, ",") {
            break;
        }
        i += 1;
    }
    if !word(i, "select") {
        return None;
    }
    replaced(&t[i..], &named)
}

/// The columns a change gives back (`RETURNING`, SQL Server's `OUTPUT`): those that stand there alone are shown, those inside an
/// expression may be.
fn returned(t: &[Tok], st: &mut Statement) {
    const ENDS: [&str; 4] = ["from", "where", "into", "option"];
    let ends = |x: &Tok| match x {
        Tok::Op(o) => o == ";",
        Tok::Word(w) => ENDS.iter().any(|e| w.eq_ignore_ascii_case(e)),
        _ => false,
    };
    let list = t.split(ends).next().unwrap_or_default();
    for item in list.split(|x| matches!(x, Tok::Op(o) if o == ",")) {
        // `AS alias` names nothing of the table.
        let item = match word_at(item, "as") {
            Some(k) => &item[..k],
            None => item,
        };
        let names = item.iter().filter_map(|x| match x {
            Tok::Word(w) | Tok::Name(w) => w.rsplit('.').next().map(str::to_lowercase),
            _ => None,
        });
        let names: Vec<String> = names.collect();
        let star = item.iter().any(|x| matches!(x, Tok::Op(o) if o == "*"));
        let plain = item.iter().all(|x| match x {
            Tok::Word(_) | Tok::Name(_) => true,
            Tok::Op(o) => o == ".",
            _ => false,
        });
        match (star && names.len() <= 1, plain, names.last()) {
            (true, ..) => st.star = true,
            (_, true, Some(last)) => st.columns.push(last.clone()),
            (_, false, _) => {
                st.star |= star;
                st.perhaps.extend(names);
            }
            _ => {}
        }
    }
    st.columns.sort();
    st.columns.dedup();
}

/// Statements by their first word that show nothing of a table, whatever follows.
const SILENT: &[&str] = &[
    "abort",
    "alter",
    "analyze",
    "audit",
    "begin",
    "break",
    "checkpoint",
    "close",
    "cluster",
    "comment",
    "commit",
    "connect",
    "dbcc",
    "deallocate",
    "desc",
    "describe",
    "discard",
    "disconnect",
    "drop",
    "end",
    "exit",
    "explain",
    "fetch",
    "flush",
    "grant",
    "init",
    "kill",
    "listen",
    "load",
    "lock",
    "move",
    "noaudit",
    "notify",
    "optimize",
    "ping",
    "prepare",
    "print",
    "purge",
    "quit",
    "refresh",
    "reindex",
    "release",
    "rename",
    "repair",
    "reset",
    "revoke",
    "rollback",
    "save",
    "savepoint",
    "security",
    "set",
    "show",
    "shutdown",
    "start",
    "startup",
    "truncate",
    "unlisten",
    "unlock",
    "use",
    "vacuum",
    "waitfor",
    "xa",
];

/// What may follow `BEGIN` where it opens a transaction; anything else is a block of code.
fn transaction(next: Option<&Tok>) -> bool {
    match next {
        None | Some(Tok::Op(_)) => true,
        Some(Tok::Word(w)) => [
            "work",
            "transaction",
            "tran",
            "isolation",
            "read",
            "deferrable",
            "not",
            "immediate",
            "deferred",
            "exclusive",
        ]
        .contains(&w.to_ascii_lowercase().as_str()),
        _ => false,
    }
}

/// Where a word stands, outside names and texts.
fn word_at(t: &[Tok], word: &str) -> Option<usize> {
    t.iter()
        .position(|x| matches!(x, Tok::Word(w) if w.eq_ignore_ascii_case(word)))
}

/// Functions that tell of the server, the clock or the session, never of a row; and syntax written like one.
const PLAIN_FUNCTIONS: &[&str] = &[
    "abs",
    "and",
    "avg",
    "as",
    "cast",
    "ceil",
    "coalesce",
    "concat",
    "connection_id",
    "convert",
    "count",
    "current_database",
    "current_date",
    "current_schema",
    "current_schemas",
    "current_setting",
    "current_timestamp",
    "current_user",
    "database",
    "date",
    "db_id",
    "db_name",
    "extract",
    "floor",
    "getdate",
    "getutcdate",
    "host_name",
    "if",
    "in",
    "isnull",
    "last_insert_id",
    "left",
    "length",
    "lower",
    "max",
    "md5",
    "min",
    "nextval",
    "not",
    "now",
    "nullif",
    "or",
    "power",
    "random",
    "replace",
    "right",
    "round",
    "schema",
    "select",
    "schema_name",
    "serverproperty",
    "session_user",
    "set_config",
    "sleep",
    "sum",
    "suser_name",
    "suser_sname",
    "sysdate",
    "sysdatetime",
    "sys_context",
    "to_char",
    "to_date",
    "upper",
    "user",
    "user_name",
    "userenv",
    "uuid",
    "values",
    "version",
];

/// A call of a routine of the house in a statement without tables: what it shows is not written there.
fn calls_a_routine(t: &[Tok]) -> bool {
    t.windows(2).any(|w| match w {
        [Tok::Word(f) | Tok::Name(f), Tok::Op(o)] if o == "(" => {
            let f = f.to_ascii_lowercase();
            !f.starts_with("pg_")
                && !f.starts_with("txid_")
                && !PLAIN_FUNCTIONS.contains(&f.as_str())
        }
        _ => false,
    })
}

/// Tables behind FROM and JOIN, wherever they stand.
fn all_tables(t: &[Tok]) -> Vec<String> {
    t.iter()
        .enumerate()
        .filter(|(_, x)| {
            matches!(x, Tok::Word(w) if matches!(w.to_ascii_lowercase().as_str(), "from" | "join"))
        })
        .filter_map(|(k, _)| table_name(t, k + 1).map(|n| n.0))
        .collect()
}

fn several(t: &[Tok], tables: &[Table], st: &mut Statement) {
    let mut kinds = vec![];
    let parts = t.split(|x| matches!(x, Tok::Op(o) if o == ";"));
    let mut parts: Vec<Statement> = parts
        .filter(|one| !one.is_empty())
        .map(|one| parse_tokens(one, tables))
        .collect();
    // Beside statements that show nothing of a table the one that does is as good as alone.
    let silent = parts.iter().filter(|p| p.kind == Kind::Nothing).count();
    if silent + 1 == parts.len() {
        parts.retain(|p| p.kind != Kind::Nothing);
        if let Some(one) = parts.pop() {
            *st = one;
            return;
        }
    }
    for inner in parts {
        if matches!(inner.kind, Kind::Select | Kind::Copy | Kind::Unknown) {
            st.tables.extend(inner.tables);
            st.columns.extend(inner.columns);
            st.star |= inner.star;
        } else if inner.kind != Kind::Nothing && st.tables.is_empty() {
            st.tables = inner.tables;
            st.rows = inner.rows;
            st.set.extend(inner.set);
        }
        kinds.push(inner.kind);
    }
    st.reshaped = true;
    let has = |k: Kind| kinds.contains(&k);
    st.kind = [
        Kind::Copy,
        Kind::Select,
        Kind::Unknown,
        Kind::Update,
        Kind::Delete,
        Kind::Insert,
        Kind::Aggregate,
    ]
    .into_iter()
    .find(|k| has(*k))
    .unwrap_or(Kind::Nothing);
    if matches!(st.kind, Kind::Copy | Kind::Select | Kind::Unknown) {
        st.rows = Expr::Unknown;
    }
    st.columns.sort();
    st.columns.dedup();
}

/// `schema.table` at token `i`, its last part kept with its schema, and the index behind it and its alias-free end.
fn table_name(t: &[Tok], mut i: usize) -> Option<(String, usize)> {
    let mut name = String::new();
    if matches!(t.get(i), Some(Tok::Word(w)) if w.eq_ignore_ascii_case("only")) {
        i += 1;
    }
    loop {
        match t.get(i)? {
            Tok::Word(w) | Tok::Name(w) => name.push_str(&w.to_lowercase()),
            _ => return None,
        }
        i += 1;
        if matches!(t.get(i), Some(Tok::Op(o)) if o == ".") {
            name.push('.');
            i += 1;
        } else {
            return Some((name, i));
        }
    }
}

fn set_and_where(t: &[Tok], from: usize, tables: &[Table], st: &mut Statement) {
    let table = find_table(tables, st.tables.first().map_or("", String::as_str));
    let resolve = |_: Option<&str>, c: &str| table_column(table, c);
    let mut i = from;
    let mut in_set = false;
    while let Some(x) = t.get(i) {
        if let Tok::Word(w) = x {
            match w.to_ascii_lowercase().as_str() {
                "set" => in_set = true,
                "where" => {
                    let mut p = P {
                        t,
                        i: i + 1,
                        resolve: &resolve,
                        depth: 0,
                    };
                    st.rows = p.or();
                    let done = p.peek().is_none()
                        || p.op(";")
                        || matches!(p.word(0).as_str(), "returning" | "limit" | "order");
                    if !done {
                        st.rows = Expr::Unknown;
                    }
                    return;
                }
                name if in_set && matches!(t.get(i + 1), Some(Tok::Op(o)) if o == "=") => {
                    let v = match t.get(i + 2) {
                        Some(Tok::Text(s) | Tok::Number(s)) => s.clone(),
                        _ => String::new(),
                    };
                    st.set.push((name.to_string(), v));
                    i += 2;
                }
                _ => {}
            }
        }
        i += 1;
    }
}

fn select(t: &[Tok], from: usize, tables: &[Table], st: &mut Statement) {
    st.kind = Kind::Select;
    let mut i = from;
    if matches!(t.get(i), Some(Tok::Word(w)) if w.eq_ignore_ascii_case("select")) {
        i += 1;
    }
    let word = |i: usize| match t.get(i) {
        Some(Tok::Word(w)) => w.to_ascii_lowercase(),
        _ => String::new(),
    };
    if word(i) == "top" {
        i += 1;
        if matches!(t.get(i), Some(Tok::Op(o)) if o == "(") {
            i += 1;
        }
        match t.get(i) {
            Some(Tok::Number(n)) => st.limit = n.parse().ok(),
            _ => st.reshaped = true,
        }
        i += 1;
        if matches!(t.get(i), Some(Tok::Op(o)) if o == ")") {
            i += 1;
        }
        if matches!(word(i).as_str(), "percent" | "with") {
            st.limit = None;
            st.reshaped = true;
            i += 1;
        }
    }
    if matches!(word(i).as_str(), "distinct" | "all") {
        i += 1;
        // One row of several.
        st.reshaped |= word(i) == "on";
    }
    // The select list, item by item, up to FROM on the same level.
    let (mut aggregates, mut plain) = (0, 0);
    let mut nested: Vec<String> = vec![];
    // Columns of the list that say which table they are of: (what it is called, column).
    let mut qualified: Vec<(String, String)> = vec![];
    let mut extremes = false;
    // Columns that stand first where the first that is not empty is shown; names that stand alone in an item.
    let mut first_of: Vec<String> = vec![];
    let mut alone_in_item: Vec<String> = vec![];
    // What the items are called, for a statement around this one.
    let mut depth = 0;
    let mut item: Vec<Tok> = vec![];
    let has_from;
    loop {
        let x = t.get(i);
        let end = match x {
            None => true,
            Some(Tok::Op(o)) if o == ";" || (o == ")" && depth == 0) => true,
            Some(Tok::Word(w))
                if depth == 0 && matches!(w.to_ascii_lowercase().as_str(), "from" | "into") =>
            {
                true
            }
            _ => false,
        };
        let comma = matches!(x, Some(Tok::Op(o)) if o == "," && depth == 0);
        if end || comma {
            let inner = word_at(&item, "select")
                .filter(|_| matches!(item.first(), Some(Tok::Op(o)) if o == "("))
                .map(|k| parse_tokens(&item[k..], tables));
            first_of.extend(first_shown(&item));
            match inner.map_or_else(
                || item_columns(&item),
                |inner| nested_item(inner, &mut nested),
            ) {
                Item::Star => {
                    st.star = true;
                    plain += 1;
                }
                Item::Aggregate => aggregates += 1,
                Item::Extreme(c) => {
                    extremes = true;
                    plain += 1;
                    st.columns.extend(c);
                }
                Item::Columns(c) if conditional(&item, c.len()) => {
                    plain += 1;
                    st.perhaps.extend(c);
                }
                Item::Columns(c) => {
                    if !c.is_empty() {
                        plain += 1;
                    }
                    st.columns.extend(c);
                }
            }
            qualified.extend(item.windows(3).filter_map(qualifier));
            alone_in_item.extend(whole_row(&item));
            if let Some(named) = called_item(&item) {
                st.names.push(named);
            }
            item.clear();
            if end {
                if word(i) == "into" {
                    // SELECT … INTO new_table FROM …, or INTO OUTFILE.
                    st.reshaped = true;
                    while i < t.len() && word(i) != "from" {
                        if word(i) == "outfile" {
                            st.kind = Kind::Copy;
                        }
                        i += 1;
                    }
                }
                has_from = word(i) == "from";
                break;
            }
        } else if let Some(x) = x {
            match x {
                Tok::Op(o) if o == "(" => depth += 1,
                Tok::Op(o) if o == ")" => depth -= 1,
                _ => {}
            }
            item.push(x.clone());
        }
        i += 1;
    }
    st.columns.extend(first_of);
    st.columns.sort();
    st.columns.dedup();
    // One value of many rows, or what another selection says of each.
    st.reshaped |= extremes || !nested.is_empty();
    if !has_from {
        st.kind = match (nested.is_empty(), calls_a_routine(&t[from..])) {
            (false, _) => Kind::Select,
            (true, true) => Kind::Unknown,
            (true, false) => Kind::Nothing,
        };
        st.tables = nested;
        st.rows = Expr::Unknown;
        return;
    }
    i += 1;
    // Tables and joins.
    let mut conditions: Vec<Expr> = vec![];
    let mut inner_join = false;
    let mut left_side = true;
    let mut derived = false;
    // Of a statement inside: what its columns are called, and whether it has all of them.
    let mut inside: Option<(Vec<(String, String)>, bool)> = None;
    // What each table is called in the statement: its alias, else its name; and those behind an outer join.
    let mut called: Vec<String> = vec![];
    let mut behind: Vec<String> = vec![];
    if matches!(t.get(i), Some(Tok::Op(o)) if o == "(") {
        // FROM (SELECT …): the inner statement is the question.
        let mut inner = Statement {
            rows: Expr::All(vec![]),
            ..st.clone()
        };
        inner.columns.clear();
        inner.star = false;
        inner.names.clear();
        inner.perhaps.clear();
        select(t, i + 1, tables, &mut inner);
        // A condition outside is on what the inner statement calls its columns; of more than one table nobody can say.
        let of = |c: &String| {
            let named = inner.names.iter().find(|n| n.0 == *c).map(|n| n.1.clone());
            named.or_else(|| inner.star.then(|| c.clone()))
        };
        if inner.tables.len() == 1 && inner.kind == Kind::Select && !inner.reshaped {
            inside = Some((inner.names.clone(), inner.star));
            let mut lost = false;
            for list in [&mut st.columns, &mut st.perhaps] {
                for c in list.iter_mut() {
                    match of(c) {
                        Some(to) => *c = to,
                        None => lost = true,
                    }
                }
            }
            let names = std::mem::take(&mut st.names).into_iter();
            st.names = names.filter_map(|(n, c)| Some((n, of(&c)?))).collect();
            // A name that is an expression inside: what it is made of is shown.
            if lost {
                st.perhaps.extend(inner.columns.iter().cloned());
                st.perhaps.extend(inner.perhaps.iter().cloned());
            }
        } else {
            derived = true;
            st.names.clear();
        }
        st.tables = inner.tables;
        conditions.push(inner.rows);
        if st.star {
            st.star = inner.star;
            st.columns.extend(inner.columns);
            st.perhaps.extend(inner.perhaps);
        }
        st.reshaped |= inner.reshaped || inner.limit.is_some() || inner.offset.is_some();
        let mut depth = 1;
        i += 1;
        while i < t.len() && depth > 0 {
            match &t[i] {
                Tok::Op(o) if o == "(" => depth += 1,
                Tok::Op(o) if o == ")" => depth -= 1,
                _ => {}
            }
            i += 1;
        }
        called.push(alias(t, i, ""));
    } else if let Some((n, j)) = table_name(t, i) {
        called.push(alias(t, j, &n));
        st.tables.push(n);
        i = j;
    }
    loop {
        let w = word(i);
        match w.as_str() {
            "" if i >= t.len() => break,
            "where" => break,
            w if clause(w) => break,
            "left" | "full" => left_side = true,
            "inner" | "right" | "cross" => left_side = false,
            "join" => {
                let optional = left_side
                    && matches!(
                        word(i.saturating_sub(1)).as_str(),
                        "left" | "full" | "outer"
                    );
                if let Some((n, j)) = table_name(t, i + 1) {
                    called.push(alias(t, j, &n));
                    if optional {
                        behind.extend(called.last().cloned());
                        st.optional.push(n.clone());
                    }
                    st.tables.push(n);
                    i = j - 1;
                }
                if !optional {
                    inner_join = true;
                }
                left_side = true;
            }
            _ => {}
        }
        match t.get(i) {
            Some(Tok::Op(o)) if o == "," => {
                inner_join = true;
                if let Some((n, j)) = table_name(t, i + 1) {
                    called.push(alias(t, j, &n));
                    st.tables.push(n);
                    i = j - 1;
                }
            }
            // A subquery or a list of columns: its words are its own.
            Some(Tok::Op(o)) if o == "(" => {
                if word(i + 1) == "select" {
                    st.tables.extend(all_tables(&t[i..]));
                }
                let mut depth = 0;
                while let Some(x) = t.get(i) {
                    match x {
                        Tok::Op(o) if o == "(" => depth += 1,
                        Tok::Op(o) if o == ")" => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                    i += 1;
                }
                i += 1;
                continue;
            }
            Some(Tok::Word(w)) if w.eq_ignore_ascii_case("tablesample") => st.reshaped = true,
            Some(Tok::Op(o)) if o == ";" || o == ")" => break,
            None => break,
            _ => {}
        }
        i += 1;
    }
    if !behind.is_empty() {
        let has = |n: &String, c: &str| {
            let table = find_table(tables, n);
            table.is_some_and(|t| t.columns.keys().any(|k| k.eq_ignore_ascii_case(c)))
        };
        let (optional, sure): (Vec<&String>, Vec<&String>) =
            st.tables.iter().partition(|n| st.optional.contains(n));
        let of_optional = |c: &String| {
            let mut said = qualified.iter().filter(|q| q.1 == *c).peekable();
            if said.peek().is_some() {
                return said.all(|q| behind.contains(&q.0));
            }
            optional.iter().any(|n| has(n, c)) && !sure.iter().any(|n| has(n, c))
        };
        let (perhaps, columns): (Vec<String>, Vec<String>) = std::mem::take(&mut st.columns)
            .into_iter()
            .partition(of_optional);
        st.columns = columns;
        st.perhaps.extend(perhaps);
    }
    st.tables.extend(nested);
    // The main table is the first one the context maps to identities.
    let main = st
        .tables
        .iter()
        .position(|n| find_table(tables, n).is_some_and(maps_identity))
        .unwrap_or(0);
    if main > 0 && main < st.tables.len() {
        st.tables.swap(0, main);
        if main < called.len() {
            called.swap(0, main);
        }
        // It stands behind a join: not each of its rows need be there.
        inner_join = true;
    }
    let table = find_table(tables, st.tables.first().map_or("", String::as_str));
    let alone = st.tables.len() < 2 && !derived;
    // `SELECT p FROM patient p`: all of it.
    let row = |n: &String| {
        let is_column = table.is_some_and(|t| t.columns.keys().any(|k| k.eq_ignore_ascii_case(n)));
        called.first() == Some(n) && !is_column
    };
    if alone && inside.is_none() && alone_in_item.iter().any(row) {
        st.star = true;
        st.columns.retain(|c| !row(c));
    }
    let last = |n: &str| n.rsplit('.').next().unwrap_or(n).to_string();
    let resolve = |before: Option<&str>, c: &str| {
        let mine = match before {
            _ if derived => false,
            Some(b) => called.first().is_some_and(|a| a == b || last(a) == b),
            // With other tables about, a bare name is this table's when it is declared to have it.
            None => {
                alone || table.is_some_and(|t| t.columns.keys().any(|k| k.eq_ignore_ascii_case(c)))
            }
        };
        let c = match &inside {
            Some((names, all)) => {
                let named = names.iter().find(|n| n.0 == c).map(|n| n.1.as_str());
                named.or(all.then_some(c))?
            }
            None => c,
        };
        if mine { table_column(table, c) } else { None }
    };
    if word(i) == "where" {
        let mut p = P {
            t,
            i: i + 1,
            resolve: &resolve,
            depth: 0,
        };
        let e = p.or();
        i = p.i;
        let done = i >= t.len()
            || clause(&word(i))
            || matches!(t.get(i), Some(Tok::Op(o)) if o == ";" || o == ")");
        // What was not read to its end may say anything.
        conditions.push(if done { e } else { Expr::Unknown });
    }
    if inner_join {
        conditions.push(Expr::Unknown);
    }
    let mut depth = 0;
    while i < t.len() {
        match &t[i] {
            Tok::Op(o) if o == "(" => depth += 1,
            Tok::Op(o) if o == ")" => {
                depth -= 1;
                if depth < 0 {
                    break;
                }
            }
            Tok::Op(o) if o == ";" => break,
            Tok::Word(_) if depth == 0 => match word(i).as_str() {
                "limit" => match (t.get(i + 1), t.get(i + 2), t.get(i + 3)) {
                    // MySQL: LIMIT offset, count.
                    (
                        Some(Tok::Number(a) | Tok::Text(a)),
                        Some(Tok::Op(o)),
                        Some(Tok::Number(b) | Tok::Text(b)),
                    ) if o == "," => {
                        st.offset = a.parse().ok();
                        st.limit = b.parse().ok();
                    }
                    (Some(Tok::Number(n) | Tok::Text(n)), ..) if n.parse::<u64>().is_ok() => {
                        st.limit = n.parse().ok();
                    }
                    (Some(Tok::Word(w)), ..)
                        if matches!(w.to_ascii_lowercase().as_str(), "all" | "null") => {}
                    _ => st.reshaped = true,
                },
                "offset" => match t.get(i + 1) {
                    Some(Tok::Number(n) | Tok::Text(n)) if n.parse::<u64>().is_ok() => {
                        st.offset = n.parse().ok()
                    }
                    _ => st.reshaped = true,
                },
                "fetch" => match t.get(i + 2) {
                    Some(Tok::Number(n)) => {
                        st.limit = n.parse().ok();
                        st.reshaped |= st.limit.is_none()
                            || t[i..].iter().any(|x| {
                                matches!(x, Tok::Word(w) if matches!(w.to_ascii_lowercase().as_str(), "percent" | "ties"))
                            });
                    }
                    Some(Tok::Word(w)) if w.to_ascii_lowercase().starts_with("row") => {
                        st.limit = Some(1);
                    }
                    _ => st.reshaped = true,
                },
                "order" => st.order = sorted_by(&t[i + 1..], &resolve),
                "group" | "having" | "skip" => st.reshaped = true,
                set @ ("union" | "except" | "intersect" | "minus") => {
                    let all_plain = plain == st.names.len() && aggregates == 0;
                    let first =
                        (st.limit, st.offset) == (None, None) && !st.reshaped && all_plain && alone;
                    let rest = &t[i + 1..];
                    let from = usize::from(word_at(rest, "all") == Some(0));
                    let other = parse_tokens(&rest[from..], tables);
                    st.sets = Some(match other.sets {
                        None | Some(Chain::Unions) if set == "union" => Chain::Unions,
                        _ => Chain::Mixed,
                    });
                    match first.then(|| joined_sets(set, st, &other, table)).flatten() {
                        Some(Sets::Both(e)) => conditions.push(e),
                        Some(Sets::Either(e)) => {
                            let mine = Expr::All(std::mem::take(&mut conditions));
                            conditions.push(Expr::Any(vec![mine, e]));
                        }
                        None => {
                            st.reshaped = true;
                            // Rows of other selections come too.
                            if set == "union"
                                || other.sets.is_some()
                                || word_at(rest, "union").is_some()
                            {
                                st.tables.extend(all_tables(&t[i..]));
                                conditions.clear();
                            }
                            conditions.push(Expr::Unknown);
                        }
                    }
                    break;
                }
                _ => {}
            },
            _ => {}
        }
        i += 1;
    }
    if aggregates > 0 && plain == 0 && !st.star {
        st.kind = Kind::Aggregate;
    }
    st.rows = if conditions.len() == 1 {
        conditions.remove(0)
    } else {
        Expr::All(conditions)
    };
}

/// What selections are joined by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chain {
    /// `UNION` alone, in whatever order.
    Unions,
    Mixed,
}

/// What the rows of another selection do to those of this one.
enum Sets {
    /// A further condition.
    Both(Expr),
    /// Others come as well.
    Either(Expr),
}

/// `UNION`, `INTERSECT` and `EXCEPT` of two selections of the same columns of one table; `None` for anything else.
fn joined_sets(word: &str, a: &Statement, b: &Statement, table: Option<&Table>) -> Option<Sets> {
    let of = |s: &Statement| s.names.iter().map(|n| n.1.clone()).collect::<Vec<_>>();
    let columns = of(a);
    let alike = b.kind == Kind::Select
        && a.tables == b.tables
        && columns == of(b)
        && columns.len() == b.columns.len()
        && (a.star, b.star) == (false, false)
        && !b.reshaped
        && b.perhaps.is_empty()
        && (b.limit, b.offset) == (None, None)
        // `a UNION (b UNION c)` is the same; others are read from left to right.
        && (b.sets.is_none() || word == "union" && b.sets == Some(Chain::Unions));
    if !alike || columns.is_empty() {
        return None;
    }
    // Rows are told apart by a number of the person; without one two persons may look alike.
    let by_number = columns.iter().any(|c| {
        matches!(
            table_column(table, c),
            Some(ColumnPath::Identifier(Some(_)) | ColumnPath::LogicalId)
        )
    });
    let rows = b.rows.clone();
    Some(match (word, by_number) {
        ("union", _) => Sets::Either(rows),
        ("intersect", true) => Sets::Both(rows),
        ("intersect", false) => Sets::Both(Expr::Any(vec![rows, Expr::Unknown])),
        (_, true) => Sets::Both(Expr::Not(Box::new(rows))),
        (_, false) => Sets::Both(Expr::All(vec![Expr::Not(Box::new(rows)), Expr::Unknown])),
    })
}

/// The column rows are sorted by, from what stands behind ORDER, and whether the greatest comes first; `None` where it is not a plain
/// column.
fn sorted_by(t: &[Tok], resolve: Resolve<'_>) -> Option<(ColumnPath, bool)> {
    let t = match t {
        [Tok::Word(by), rest @ ..] if by.eq_ignore_ascii_case("by") => rest,
        _ => return None,
    };
    let ends = |x: &Tok| match x {
        Tok::Op(o) => matches!(o.as_str(), "," | ";" | ")"),
        Tok::Word(w) => {
            clause(&w.to_ascii_lowercase())
                || ["asc", "desc", "nulls"]
                    .iter()
                    .any(|e| w.eq_ignore_ascii_case(e))
        }
        _ => false,
    };
    let n = t.iter().position(ends).unwrap_or(t.len());
    let column = plain_column(&t[..n])?;
    let before = match &t[..n] {
        [q, _, _] => plain_column(std::slice::from_ref(q)),
        _ => None,
    };
    let falling = matches!(t.get(n), Some(Tok::Word(w)) if w.eq_ignore_ascii_case("desc"));
    Some((resolve(before.as_deref(), &column)?, falling))
}

/// What a table whose name ends at token `i` is called.
fn alias(t: &[Tok], i: usize, name: &str) -> String {
    let i = match t.get(i) {
        Some(Tok::Word(w)) if w.eq_ignore_ascii_case("as") => i + 1,
        _ => i,
    };
    match t.get(i) {
        Some(Tok::Name(n)) => n.to_lowercase(),
        Some(Tok::Word(w)) => {
            let w = w.to_lowercase();
            let other = clause(&w)
                || matches!(
                    w.as_str(),
                    "where"
                        | "join"
                        | "left"
                        | "right"
                        | "full"
                        | "inner"
                        | "outer"
                        | "cross"
                        | "natural"
                        | "on"
                        | "using"
                        | "set"
                        | "tablesample"
                        | "with"
                );
            if other { name.to_string() } else { w }
        }
        _ => name.to_string(),
    }
}

/// The column an item shows whenever it is not empty: the first of several of which the first that is there is shown.
fn first_shown(item: &[Tok]) -> Option<String> {
    let f = match item.first()? {
        Tok::Word(w) => w.to_ascii_lowercase(),
        _ => return None,
    };
    let first = matches!(f.as_str(), "coalesce" | "nvl" | "ifnull" | "isnull");
    let comma = item
        .iter()
        .position(|x| matches!(x, Tok::Op(o) if o == ","))?;
    match item.get(1..comma)? {
        [Tok::Op(o), operand @ ..] if first && o == "(" => plain_column(operand),
        _ => None,
    }
}

/// `nom` or `p.nom`: the column.
fn plain_column(item: &[Tok]) -> Option<String> {
    let name = |t: &Tok| match t {
        Tok::Word(w) | Tok::Name(w) => Some(w.to_lowercase()),
        _ => None,
    };
    match item {
        [c] => name(c),
        [_, Tok::Op(o), c] if o == "." => name(c),
        _ => None,
    }
}

/// The name that stands for a whole row where it is what a table is called: `p`, `row_to_json(p)`.
fn whole_row(item: &[Tok]) -> Option<String> {
    const ROWS: [&str; 5] = ["row_to_json", "to_json", "to_jsonb", "hstore", "row"];
    let item = match item {
        [a @ .., Tok::Word(w), Tok::Word(_) | Tok::Name(_)] if w.eq_ignore_ascii_case("as") => a,
        a => a,
    };
    let inner = match item {
        [Tok::Word(f), Tok::Op(open), inner @ .., Tok::Op(shut)]
            if open == "(" && shut == ")" && ROWS.iter().any(|r| f.eq_ignore_ascii_case(r)) =>
        {
            inner
        }
        one => one,
    };
    match inner {
        [_] => plain_column(inner),
        _ => None,
    }
}

/// A plain column of the list, with what it is called.
fn called_item(item: &[Tok]) -> Option<(String, String)> {
    let (column, name) = match item {
        [a @ .., Tok::Word(w), n @ (Tok::Word(_) | Tok::Name(_))]
            if w.eq_ignore_ascii_case("as") =>
        {
            (plain_column(a)?, plain_column(std::slice::from_ref(n))?)
        }
        [a @ .., n @ (Tok::Word(_) | Tok::Name(_))]
            if a.len() == 1 || a.len() == 3 && matches!(&a[1], Tok::Op(o) if o == ".") =>
        {
            (plain_column(a)?, plain_column(std::slice::from_ref(n))?)
        }
        a => {
            let c = plain_column(a)?;
            (c.clone(), c)
        }
    };
    Some((name, column))
}

enum Item {
    Star,
    Aggregate,
    /// The least or greatest value of columns: it is somebody's.
    Extreme(Vec<String>),
    Columns(Vec<String>),
}

/// True for an item that shows its columns on a condition.
fn conditional(item: &[Tok], columns: usize) -> bool {
    let has = |words: &[&str]| words.iter().any(|w| word_at(item, w).is_some());
    // The first of several that is not empty; of one it is that one.
    has(&["case", "if", "iif", "nullif", "decode", "nvl2", "filter"])
        || columns > 1 && has(&["coalesce", "nvl", "ifnull", "isnull"])
}

/// True when nothing but a name follows the call an item begins with.
fn closes_last(item: &[Tok]) -> bool {
    let mut depth = 0;
    for (i, x) in item.iter().enumerate() {
        match x {
            Tok::Op(o) if o == "(" => depth += 1,
            Tok::Op(o) if o == ")" => {
                depth -= 1;
                if depth == 0 {
                    return !matches!(item.get(i + 1), Some(Tok::Op(_)));
                }
            }
            _ => {}
        }
    }
    false
}

/// What a selection inside an item of a select list shows; its tables are kept.
fn nested_item(inner: Statement, tables: &mut Vec<String>) -> Item {
    match inner.kind {
        Kind::Aggregate | Kind::Nothing => Item::Aggregate,
        _ => {
            tables.extend(inner.tables);
            Item::Star
        }
    }
}

/// The columns one item of a select list shows.
/// `p.nom` of three tokens: table and column, lower case.
fn qualifier(three: &[Tok]) -> Option<(String, String)> {
    let name = |t: &Tok| match t {
        Tok::Word(w) | Tok::Name(w) => Some(w.to_lowercase()),
        _ => None,
    };
    match three {
        [a, Tok::Op(o), c] if o == "." => Some((name(a)?, name(c)?)),
        _ => None,
    }
}

fn item_columns(item: &[Tok]) -> Item {
    let mut names = vec![];
    let mut i = 0;
    let is_op = |k: usize, o: &str| matches!(item.get(k), Some(Tok::Op(x)) if x == o);
    if item.len() == 1 && is_op(0, "*") {
        return Item::Star;
    }
    if item.len() == 3 && is_op(1, ".") && is_op(2, "*") {
        return Item::Star;
    }
    if let Some(Tok::Word(w)) = item.first()
        && is_op(1, "(")
        && closes_last(item)
    {
        match w.to_ascii_lowercase().as_str() {
            "count" | "sum" | "avg" | "stddev" | "variance" | "bool_or" | "bool_and" => {
                return Item::Aggregate;
            }
            "min" | "max" => {
                return match item_columns(&item[1..]) {
                    Item::Columns(c) => Item::Extreme(c),
                    other => other,
                };
            }
            _ => {}
        }
    }
    while i < item.len() {
        match &item[i] {
            Tok::Word(w) | Tok::Name(w) => {
                let low = w.to_lowercase();
                let quoted = matches!(item[i], Tok::Name(_));
                let call = is_op(i + 1, "(");
                let qualifier = is_op(i + 1, ".");
                let cast = i > 0 && is_op(i - 1, "::");
                if !quoted && low == "as" {
                    break;
                }
                let word = !quoted
                    && matches!(
                        low.as_str(),
                        "case"
                            | "when"
                            | "then"
                            | "else"
                            | "end"
                            | "null"
                            | "and"
                            | "or"
                            | "not"
                            | "is"
                            | "in"
                            | "like"
                            | "distinct"
                            | "true"
                            | "false"
                            | "from"
                            | "year"
                    );
                if !call && !qualifier && !cast && !word {
                    // A second bare name behind a column is its alias.
                    let alias = i > 0
                        && matches!(item[i - 1], Tok::Word(_) | Tok::Name(_) | Tok::Text(_))
                        && !matches!(&item[i - 1], Tok::Word(p) if matches!(p.to_ascii_lowercase().as_str(), "when" | "then" | "else" | "and" | "or" | "not" | "case" | "from" | "distinct"))
                        || (i > 0 && is_op(i - 1, ")") && i + 1 == item.len());
                    if !alias {
                        names.push(low);
                    }
                } else if qualifier && is_op(i + 2, "*") {
                    return Item::Star;
                }
            }
            _ => {}
        }
        i += 1;
    }
    Item::Columns(names)
}

/// The declared table of a name: equal, or equal in its last part when only one of both has a schema.
pub fn find_table<'a>(tables: &'a [Table], name: &str) -> Option<&'a Table> {
    let name = name.to_lowercase();
    let last = |s: &str| s.rsplit('.').next().unwrap_or(s).to_string();
    tables
        .iter()
        .find(|t| t.name.to_lowercase() == name)
        .or_else(|| {
            tables.iter().find(|t| {
                let n = t.name.to_lowercase();
                let (a, b) = (n.matches('.').count(), name.matches('.').count());
                if a == b {
                    false
                } else if a > b {
                    n.ends_with(&format!(".{name}"))
                } else {
                    name.ends_with(&format!(".{n}")) || (a > 0 && last(&n) == name)
                }
            })
        })
}

fn maps_identity(t: &Table) -> bool {
    t.columns.values().any(|c| matches!(c, Column::Path(_)))
}

/// The place of a column in a record: as declared, else by its name.
pub fn table_column(table: Option<&Table>, column: &str) -> Option<ColumnPath> {
    if let Some(t) = table {
        let hit = t
            .columns
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(column));
        match hit {
            Some((_, Column::Path(p))) => return parse_path(p),
            Some((_, Column::Category { .. })) => return None,
            None if !t.columns.is_empty() => return None,
            None => {}
        }
    }
    guess_path(column)
}

/// `identifier:<authority>`, `name.family:official`, `telecom:phone`, `birthDate` … (contract §D).
pub fn parse_path(path: &str) -> Option<ColumnPath> {
    let (head, tail) = path.split_once(':').unwrap_or((path, ""));
    let usage = match tail {
        "official" => Some(Use::Official),
        "usual" => Some(Use::Usual),
        "maiden" => Some(Use::Maiden),
        "nickname" => Some(Use::Nickname),
        _ => None,
    };
    Some(match head {
        "identifier" => ColumnPath::Identifier(match tail {
            "" | "*" => None,
            a => Some(crate::identity::oid(a)),
        }),
        "name.family" => ColumnPath::Family(usage),
        "name.given" => ColumnPath::Given(usage),
        "name" => ColumnPath::Family(usage),
        "birthDate" => ColumnPath::Birth,
        "gender" => ColumnPath::Gender,
        "telecom" => ColumnPath::Telecom(match tail {
            "phone" | "mobile" => Some(TelecomKind::Phone),
            "email" => Some(TelecomKind::Email),
            "mssante" => Some(TelecomKind::Mssante),
            _ => None,
        }),
        "address.city" => ColumnPath::Address(AddressPart::City),
        "address.postalCode" => ColumnPath::Address(AddressPart::Postal),
        "address.line" => ColumnPath::Address(AddressPart::Line),
        "address.state" => ColumnPath::Address(AddressPart::State),
        "address.country" => ColumnPath::Address(AddressPart::Country),
        h if h.starts_with("address") => ColumnPath::Address(AddressPart::Any),
        h if h.starts_with("deceased") => ColumnPath::Death,
        "id" => ColumnPath::LogicalId,
        "active" => ColumnPath::Active,
        h if h.starts_with("managingOrganization") => ColumnPath::Organization,
        "birthPlace" => ColumnPath::BirthPlace,
        _ => return None,
    })
}

fn guess_path(column: &str) -> Option<ColumnPath> {
    let c = fold::name(column);
    Some(match c.as_str() {
        "nom" | "nom_naissance" | "nom_usuel" | "lastname" | "last_name" | "family" => {
            ColumnPath::Family(None)
        }
        "prenom" | "firstname" | "first_name" | "given" => ColumnPath::Given(None),
        "ddn" | "date_naissance" | "date_naiss" | "birthdate" | "birth_date" | "dob" => {
            ColumnPath::Birth
        }
        "ipp" => ColumnPath::Identifier(None),
        "nir" | "ins" | "numss" => ColumnPath::Identifier(Some(NIR_SYSTEM.to_string())),
        "sexe" | "sex" | "gender" => ColumnPath::Gender,
        "tel" | "telephone" | "mobile" | "portable" => {
            ColumnPath::Telecom(Some(TelecomKind::Phone))
        }
        "mail" | "email" | "courriel" => ColumnPath::Telecom(Some(TelecomKind::Email)),
        "ville" => ColumnPath::Address(AddressPart::City),
        "cp" | "code_postal" => ColumnPath::Address(AddressPart::Postal),
        _ => return None,
    })
}

/// Values a column shows for a version.
pub fn column_values(b: &IdentityBase, v: VersionId, path: &ColumnPath) -> Vec<String> {
    let row = b.version(v);
    let some = |s: &str| {
        if s.is_empty() {
            vec![]
        } else {
            vec![s.to_string()]
        }
    };
    match path {
        ColumnPath::Identifier(authority) => b
            .id_rows(v)
            .iter()
            .filter(|i| match authority {
                Some(a) => b.text(i.system) == a,
                None => matches!(i.kind, IdKind::Pi | IdKind::Rri | IdKind::Other),
            })
            .map(|i| b.text(i.value).to_string())
            .collect(),
        ColumnPath::Family(u) => {
            let rows = b.name_rows(v);
            let official = rows.iter().any(|n| n.usage == Use::Official);
            rows.iter()
                .filter(|n| match u {
                    Some(u) => n.usage == *u,
                    None => !official || n.usage == Use::Official,
                })
                .map(|n| b.names.text(n.family).to_string())
                .filter(|s| !s.is_empty())
                .collect()
        }
        ColumnPath::Given(u) => {
            let official = b.name_rows(v).iter().any(|n| n.usage == Use::Official);
            b.given_rows(v)
                .filter(|(n, g)| {
                    !g.birth_list
                        && match u {
                            Some(u) => n == u,
                            None => !official || *n == Use::Official,
                        }
                })
                .map(|(_, g)| b.names.text(g.given).to_string())
                .filter(|s| !s.is_empty())
                .collect()
        }
        ColumnPath::Birth => some(&row.birth.text()),
        ColumnPath::Gender => some(row.gender.word()),
        ColumnPath::Telecom(kind) => b
            .telecom_rows(v)
            .iter()
            .filter(|t| kind.is_none_or(|k| k == t.kind))
            .map(|t| b.text(t.value).to_string())
            .collect(),
        ColumnPath::Address(part) => b
            .address_rows(v)
            .iter()
            .flat_map(|a| match part {
                AddressPart::City => vec![a.city],
                AddressPart::Postal => vec![a.postal],
                AddressPart::State => vec![a.state],
                AddressPart::Country => vec![a.country],
                AddressPart::Line => vec![a.line],
                AddressPart::Any => vec![a.line, a.postal, a.city],
            })
            .map(|s| b.text(s).to_string())
            .filter(|s| !s.is_empty())
            .collect(),
        ColumnPath::Death => some(b.text(row.death)),
        ColumnPath::LogicalId => some(b.logical_id(row.record)),
        ColumnPath::Active => some(if row.active { "true" } else { "false" }),
        ColumnPath::Organization => some(b.text(row.organization).trim_start_matches("finess:")),
        ColumnPath::BirthPlace => some(b.text(row.birthplace)),
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
fn literal_prefix(pattern: &str) -> String {
    pattern
        .chars()
        .take_while(|c| !matches!(c, '%' | '_' | '\\'))
        .collect()
}

/// A date literal as ISO text: `1957-01-02`, `19570102`, `02/01/1957`.
fn iso(text: &str) -> String {
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

fn gender_words(text: &str) -> String {
    match text.to_ascii_lowercase().as_str() {
        "m" | "h" | "1" | "male" | "homme" | "masculin" => "male".into(),
        "f" | "2" | "female" | "femme" | "feminin" => "female".into(),
        x => x.to_string(),
    }
}

/// How `a` stands to `b` under every order a column may have: its bytes, its letters alone without case and accents (what
/// collations of languages look at first), the same with other signs before all letters (Unicode TR 10 §4, where they are not set
/// aside), or numbers when both are. `None` when they disagree.
fn order(a: &str, b: &str) -> Option<std::cmp::Ordering> {
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

fn within(o: Option<std::cmp::Ordering>, test: fn(std::cmp::Ordering) -> bool) -> Tri {
    o.map_or(Tri::Maybe, |o| test(o).into())
}

/// Equal texts are equal; numbers that differ in leading zeros only are when the column holds numbers.
fn equal(a: &str, b: &str) -> Tri {
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
struct How<'a> {
    /// Spellings of one value made one.
    norm: &'a dyn Fn(&str) -> String,
    texts: Texts,
    /// Both sides are numbers.
    numbers: bool,
}

/// Texts compared as they are.
const PLAIN: How<'static> = How {
    norm: &|s| s.to_string(),
    texts: Texts::BYTES,
    numbers: false,
};
/// Texts compared as numbers.
const NUMBERS: How<'static> = How {
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

fn compare(op: &Compare, value: &str, how: How<'_>) -> Tri {
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
fn in_bytes(op: &Compare, value: &str) -> Tri {
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
fn written(pattern: &str, iso: &str) -> Option<String> {
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

fn opposite(t: Tri) -> Tri {
    match t {
        Tri::No => Tri::Yes,
        Tri::Maybe => Tri::Maybe,
        Tri::Yes => Tri::No,
    }
}

/// Accents taken off, case kept.
pub(super) fn unaccent(s: &str) -> String {
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
fn other_spelling(b: &IdentityBase, x: &str) -> bool {
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
