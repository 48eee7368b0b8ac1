//! SQL statements as questions: which table, which columns come back, which rows. Read leniently, across dialects: what is
//! not understood becomes [`Expr::Unknown`], which makes rows possible and never certain.
use super::{AddressPart, ColumnPath, DateOp, Expr, NamePart, Test, TextOp, Tri};
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
    /// Not understood.
    Unknown,
}

/// One statement taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    pub kind: Kind,
    /// Tables named, without schema quoting, in order; the first is the one rows come from.
    pub tables: Vec<String>,
    /// Columns returned, lower case, without alias; empty with `star` = all.
    pub columns: Vec<String>,
    pub star: bool,
    pub rows: Expr,
    pub limit: Option<u64>,
    pub offset: Option<u64>,
    /// Values set by an update, by column.
    pub set: Vec<(String, String)>,
    /// Grouped, joined or otherwise shaped so that not each matching row need come back.
    pub reshaped: bool,
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

fn lex(sql: &str) -> Vec<Tok> {
    let c: Vec<char> = sql.chars().take(STATEMENT_MAX).collect();
    let mut out = vec![];
    let mut i = 0;
    while i < c.len() {
        let ch = c[i];
        if ch.is_whitespace() {
            i += 1;
        } else if ch == '-' && c.get(i + 1) == Some(&'-') {
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
            i += 1;
            while i < c.len() {
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
            out.push(Tok::Text(s));
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
            while i < c.len() && c[i].is_ascii_digit() {
                i += 1;
            }
            out.push(Tok::Param);
        } else if ch == '?' || (ch == '@' && c.get(i + 1).is_some_and(|x| x.is_alphanumeric())) {
            i += 1;
            while i < c.len() && (c[i].is_alphanumeric() || c[i] == '_') {
                i += 1;
            }
            out.push(Tok::Param);
        } else {
            let two: String = c[i..c.len().min(i + 2)].iter().collect();
            let three: String = c[i..c.len().min(i + 3)].iter().collect();
            let op = if three == "!~*" || three == "~~*" {
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

/// Resolves a column name (lower case, without alias) to its place in a record.
pub type Resolve<'a> = &'a dyn Fn(&str) -> Option<ColumnPath>;

struct P<'a> {
    t: &'a [Tok],
    i: usize,
    resolve: Resolve<'a>,
    depth: u32,
}

/// One side of a comparison.
enum Side {
    Column(ColumnPath, Vec<Wrap>),
    /// A column of no identity field, or an expression.
    Other,
    Value(String),
    Param,
}

#[derive(Clone, Copy)]
enum Wrap {
    Lower,
    Upper,
    Fold,
    Year,
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
            return Expr::Not(Box::new(self.not()));
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
            if self.eat_op(")") && !self.comparison_follows() {
                return e;
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
        let negated = self.eat("not");
        let e = self.comparison(left);
        if negated { Expr::Not(Box::new(e)) } else { e }
    }
    fn comparison_follows(&self) -> bool {
        matches!(self.peek(), Some(Tok::Op(o)) if matches!(o.as_str(), "=" | "<" | ">" | "<=" | ">=" | "<>" | "!=" | "~" | "~~" | "||" | "+" | "-" | "*" | "/" | "::"))
            || matches!(
                self.word(0).as_str(),
                "like" | "ilike" | "in" | "between" | "is" | "similar"
            )
    }
    fn comparison(&mut self, left: Side) -> Expr {
        let w = self.word(0);
        match w.as_str() {
            "is" => {
                self.i += 1;
                let negated = self.eat("not");
                let null = self.eat("null");
                if !null {
                    let word = self.word(0);
                    self.i += 1;
                    let value = match word.as_str() {
                        "true" => "true",
                        "false" => "false",
                        _ => return Expr::Unknown,
                    };
                    let e = make(left, Compare::Eq(value.into()));
                    return if negated { Expr::Not(Box::new(e)) } else { e };
                }
                let e = make(left, Compare::IsNull);
                return if negated { Expr::Not(Box::new(e)) } else { e };
            }
            "like" | "ilike" => {
                self.i += 1;
                let fold = w == "ilike";
                return match self.side() {
                    Side::Value(pattern) => {
                        if self.eat("escape") {
                            self.i += 1;
                        }
                        make(left, Compare::Like { pattern, fold })
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
            // A bare boolean column.
            return match left {
                Side::Column(..) => make(left, Compare::Eq("true".into())),
                _ => Expr::Unknown,
            };
        };
        let o = o.clone();
        match o.as_str() {
            "=" | "<" | ">" | "<=" | ">=" | "<>" | "!=" | "~~" | "~~*" | "~" | "~*" | "!~"
            | "!~*" => self.i += 1,
            _ => return Expr::Unknown,
        }
        if self.is("any") || self.is("all") {
            self.i += 1;
            if self.eat_op("(") {
                self.skip_parens();
            }
            return Expr::Unknown;
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
            (l @ Side::Column(..), r) => (l, r, o),
            (l, r @ Side::Column(..)) => (r, l, flip(&o)),
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
            // A regular expression that is a plain anchored prefix is a LIKE; others are not weighed.
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
                _ => return Expr::Unknown,
            },
            _ => return Expr::Unknown,
        };
        make(left, c)
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
                self.i += 1;
                if self.eat_op("(") {
                    self.skip_parens();
                }
                while matches!(
                    self.word(0).as_str(),
                    "without" | "with" | "time" | "zone" | "varying"
                ) {
                    self.i += 1;
                }
            } else if matches!(self.peek(), Some(Tok::Op(o)) if matches!(o.as_str(), "||" | "+" | "-" | "*" | "/" | "%"))
            {
                let concat = self.op("||");
                self.i += 1;
                let right = self.primary();
                s = match (s, right) {
                    (Side::Value(a), Side::Value(b)) if concat => Side::Value(a + &b),
                    _ => Side::Other,
                };
            } else if self.is("collate") {
                self.i += 2;
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
        while self.op(".") {
            self.i += 1;
            match self.name_part() {
                Some(n) => name = n,
                None => {
                    self.i += 1;
                    return Side::Other;
                }
            }
        }
        match name.as_str() {
            "null" | "current_date" | "current_timestamp" => Side::Other,
            "true" | "false" => Side::Value(name),
            _ => match (self.resolve)(&name) {
                Some(p) => Side::Column(p, vec![]),
                None => Side::Other,
            },
        }
    }
    fn function(&mut self, name: &str) -> Side {
        self.i += 1;
        let wrap = match name {
            "lower" => Some(Wrap::Lower),
            "upper" => Some(Wrap::Upper),
            "unaccent" | "f_unaccent" => Some(Wrap::Fold),
            "year" => Some(Wrap::Year),
            _ => None,
        };
        if name == "extract" && self.is("year") {
            self.i += 1;
            self.eat("from");
            let s = self.side();
            if !self.eat_op(")") {
                self.skip_parens();
            }
            return wrapped(s, Wrap::Year);
        }
        if name == "date_part"
            && matches!(self.peek(), Some(Tok::Text(t)) if t.eq_ignore_ascii_case("year"))
        {
            self.i += 1;
            self.eat_op(",");
            let s = self.side();
            if !self.eat_op(")") {
                self.skip_parens();
            }
            return wrapped(s, Wrap::Year);
        }
        if name == "cast" {
            let s = self.side();
            self.skip_parens();
            return s;
        }
        if name == "to_date" || name == "trim" || name == "btrim" || name == "to_char" {
            let s = self.side();
            let plain = self.op(")");
            self.skip_parens();
            return match (name, s) {
                ("to_date" | "trim" | "btrim", s) => s,
                (_, s) if plain => s,
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

fn wrapped(s: Side, w: Wrap) -> Side {
    match (s, w) {
        (Side::Column(p, mut ws), w) => {
            ws.push(w);
            Side::Column(p, ws)
        }
        (Side::Value(v), Wrap::Lower) => Side::Value(v.to_lowercase()),
        (Side::Value(v), Wrap::Upper) => Side::Value(v.to_uppercase()),
        (Side::Value(v), Wrap::Fold) => Side::Value(v),
        (Side::Param, _) => Side::Param,
        _ => Side::Other,
    }
}

fn make(left: Side, c: Compare) -> Expr {
    match left {
        Side::Column(path, wraps) => {
            let mut op = c;
            let folded = wraps.iter().any(|w| matches!(w, Wrap::Fold));
            for w in wraps.iter().rev() {
                op = match w {
                    Wrap::Lower => Compare::Lower(Box::new(op)),
                    Wrap::Upper => Compare::Upper(Box::new(op)),
                    Wrap::Year => Compare::Year(Box::new(op)),
                    Wrap::Fold => op,
                };
            }
            if folded {
                op = Compare::Fold(Box::new(op));
            }
            Expr::Test(Test::Column { path, op })
        }
        _ => Expr::Unknown,
    }
}

/// Takes one statement apart; `resolve` knows the columns of its main table.
pub fn parse(sql: &str, tables: &[Table]) -> Statement {
    let t = lex(sql);
    let mut st = Statement {
        kind: Kind::Unknown,
        tables: vec![],
        columns: vec![],
        star: false,
        rows: Expr::All(vec![]),
        limit: None,
        offset: None,
        set: vec![],
        reshaped: false,
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
    match first(i).as_str() {
        "select" => select(&t, i, tables, &mut st),
        "table" => {
            st.kind = Kind::Select;
            st.star = true;
            if let Some((n, _)) = table_name(&t, i + 1) {
                st.tables.push(n);
            }
        }
        "copy" => {
            if matches!(t.get(i + 1), Some(Tok::Op(o)) if o == "(") {
                select(&t, i + 2, tables, &mut st);
                if st.kind == Kind::Select {
                    st.kind = Kind::Copy;
                }
            } else if let Some((n, mut j)) = table_name(&t, i + 1) {
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
                select(&t, k + 1, tables, &mut st);
            }
        }
        "with" => {
            // A common table expression: every table named is touched, nothing is sure.
            st.kind = Kind::Select;
            st.star = true;
            st.rows = Expr::Unknown;
            st.reshaped = true;
            for (k, x) in t.iter().enumerate() {
                if matches!(x, Tok::Word(w) if matches!(w.to_ascii_lowercase().as_str(), "from" | "join"))
                    && let Some((n, _)) = table_name(&t, k + 1)
                {
                    st.tables.push(n);
                }
            }
        }
        "create" => {
            if let Some(k) = t
                .iter()
                .position(|x| matches!(x, Tok::Word(w) if w.eq_ignore_ascii_case("select")))
            {
                select(&t, k, tables, &mut st);
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
            if let Some((n, j)) = table_name(&t, k) {
                st.tables.push(n);
                set_and_where(&t, j, tables, &mut st);
            }
        }
        "delete" => {
            st.kind = Kind::Delete;
            if let Some((n, j)) = table_name(&t, i + 2) {
                st.tables.push(n);
                set_and_where(&t, j, tables, &mut st);
            }
        }
        "insert" => {
            st.kind = Kind::Insert;
            if let Some((n, mut j)) = table_name(&t, i + 2) {
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
        "" => {}
        _ => st.kind = Kind::Nothing,
    }
    st
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
    let resolve = |c: &str| table_column(table, c);
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
                        st.rows = Expr::All(vec![st.rows.clone(), Expr::Unknown]);
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
        if let Some(Tok::Number(n)) = t.get(i) {
            st.limit = n.parse().ok();
            i += 1;
        }
        if matches!(t.get(i), Some(Tok::Op(o)) if o == ")") {
            i += 1;
        }
    }
    if matches!(word(i).as_str(), "distinct" | "all") {
        i += 1;
    }
    // The select list, item by item, up to FROM on the same level.
    let (mut aggregates, mut plain) = (0, 0);
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
            match item_columns(&item) {
                Item::Star => {
                    st.star = true;
                    plain += 1;
                }
                Item::Aggregate => aggregates += 1,
                Item::Columns(c) => {
                    if !c.is_empty() {
                        plain += 1;
                    }
                    st.columns.extend(c);
                }
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
    st.columns.sort();
    st.columns.dedup();
    if !has_from {
        st.kind = Kind::Nothing;
        return;
    }
    i += 1;
    // Tables and joins.
    let mut conditions: Vec<Expr> = vec![];
    let mut inner_join = false;
    let mut left_side = true;
    if matches!(t.get(i), Some(Tok::Op(o)) if o == "(") {
        // FROM (SELECT …): the inner statement is the question.
        let mut inner = Statement {
            rows: Expr::All(vec![]),
            ..st.clone()
        };
        inner.columns.clear();
        inner.star = false;
        select(t, i + 1, tables, &mut inner);
        st.tables = inner.tables;
        conditions.push(inner.rows);
        if st.star {
            st.star = inner.star;
            st.columns.extend(inner.columns);
        }
        if inner.limit.is_some() {
            st.limit = inner.limit;
        }
        st.reshaped |= inner.reshaped;
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
    } else if let Some((n, j)) = table_name(t, i) {
        st.tables.push(n);
        i = j;
    }
    loop {
        let w = word(i);
        match w.as_str() {
            "" if i >= t.len() => break,
            "where" | "group" | "having" | "order" | "limit" | "offset" | "fetch" | "union"
            | "for" | "except" | "intersect" | "option" => break,
            "left" | "full" => left_side = true,
            "inner" | "right" | "cross" => left_side = false,
            "join" => {
                let optional = left_side
                    && matches!(
                        word(i.saturating_sub(1)).as_str(),
                        "left" | "full" | "outer"
                    );
                if let Some((n, j)) = table_name(t, i + 1) {
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
                if let Some((n, j)) = table_name(t, i + 1) {
                    st.tables.push(n);
                    i = j - 1;
                    inner_join = true;
                }
            }
            Some(Tok::Op(o)) if o == ";" || o == ")" => break,
            None => break,
            _ => {}
        }
        i += 1;
    }
    // The main table is the first one the context maps to identities.
    let main = st
        .tables
        .iter()
        .position(|n| find_table(tables, n).is_some_and(maps_identity))
        .unwrap_or(0);
    if main > 0 && main < st.tables.len() {
        st.tables.swap(0, main);
    }
    let table = find_table(tables, st.tables.first().map_or("", String::as_str));
    let resolve = |c: &str| table_column(table, c);
    if word(i) == "where" {
        let mut p = P {
            t,
            i: i + 1,
            resolve: &resolve,
            depth: 0,
        };
        let e = p.or();
        i = p.i;
        conditions.push(e);
        let done = i >= t.len()
            || matches!(
                word(i).as_str(),
                "group"
                    | "having"
                    | "order"
                    | "limit"
                    | "offset"
                    | "fetch"
                    | "union"
                    | "for"
                    | "option"
            )
            || matches!(t.get(i), Some(Tok::Op(o)) if o == ";" || o == ")");
        if !done {
            conditions.push(Expr::Unknown);
        }
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
                "limit" => {
                    if let Some(Tok::Number(n)) = t.get(i + 1) {
                        st.limit = n.parse().ok();
                    }
                }
                "offset" => {
                    if let Some(Tok::Number(n)) = t.get(i + 1) {
                        st.offset = n.parse().ok();
                    }
                }
                "fetch" => {
                    if let Some(Tok::Number(n)) = t.get(i + 2) {
                        st.limit = n.parse().ok();
                    }
                }
                "group" | "having" => st.reshaped = true,
                "union" | "except" | "intersect" => {
                    st.reshaped = true;
                    conditions.push(Expr::Unknown);
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

enum Item {
    Star,
    Aggregate,
    Columns(Vec<String>),
}

/// The columns one item of a select list shows.
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
        && matches!(
            w.to_ascii_lowercase().as_str(),
            "count"
                | "sum"
                | "avg"
                | "min"
                | "max"
                | "stddev"
                | "variance"
                | "bool_or"
                | "bool_and"
        )
    {
        return Item::Aggregate;
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

/// Order of two column texts: as numbers when both are, else as text.
fn order(a: &str, b: &str) -> std::cmp::Ordering {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if digits(a) && digits(b) {
        let (x, y) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
        return x.len().cmp(&y.len()).then_with(|| x.cmp(y));
    }
    a.cmp(b)
}

fn compare(op: &Compare, value: &str, norm: &dyn Fn(&str) -> String) -> Tri {
    let v = norm(value);
    let to = |x: &str| order(&v, &norm(x));
    match op {
        Compare::Eq(x) => (v == norm(x)).into(),
        Compare::Ne(x) => (v != norm(x)).into(),
        Compare::Lt(x) => to(x).is_lt().into(),
        Compare::Le(x) => to(x).is_le().into(),
        Compare::Gt(x) => to(x).is_gt().into(),
        Compare::Ge(x) => to(x).is_ge().into(),
        Compare::In(xs) => xs.iter().any(|x| v == norm(x)).into(),
        Compare::Between(a, b) => (to(a).is_ge() && to(b).is_le()).into(),
        Compare::Like { pattern, fold } => {
            if *fold {
                like(&pattern.to_lowercase(), &value.to_lowercase()).into()
            } else {
                like(pattern, value).into()
            }
        }
        Compare::IsNull => Tri::No,
        Compare::Year(inner) => compare(inner, value.get(..4).unwrap_or(value), &|s| s.to_string()),
        Compare::Lower(inner) => compare(inner, &value.to_lowercase(), norm),
        Compare::Upper(inner) => compare(inner, &value.to_uppercase(), norm),
        Compare::Fold(inner) => {
            // unaccent() keeps case; both readings of what the literal was folded to are tried.
            let strip = |s: &str| unaccent(s);
            compare(inner, &strip(value), &|s| strip(s))
        }
    }
}

/// Accents taken off, case kept.
fn unaccent(s: &str) -> String {
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
pub fn column_holds(b: &IdentityBase, v: VersionId, path: &ColumnPath, op: &Compare) -> Tri {
    let values = column_values(b, v, path);
    if values.is_empty() {
        return matches!(op, Compare::IsNull).into();
    }
    let norm: &dyn Fn(&str) -> String = match path {
        ColumnPath::Birth | ColumnPath::Death => &|s: &str| iso(s),
        ColumnPath::Gender => &|s: &str| gender_words(s),
        _ => &|s: &str| s.to_string(),
    };
    let held: Vec<Tri> = values.iter().map(|x| compare(op, x, norm)).collect();
    let best = held.iter().copied().max().unwrap_or(Tri::No);
    // A record with several values shows one of them in a single column; which one is the database's own choice.
    if best == Tri::Yes && held.contains(&Tri::No) {
        let sure = matches!(path, ColumnPath::Identifier(_) | ColumnPath::Telecom(_))
            || matches!(path, ColumnPath::Given(_)) && held.first() == Some(&Tri::Yes);
        return if sure { Tri::Yes } else { Tri::Maybe };
    }
    best
}

/// A test with an index that every version satisfying the comparison also satisfies.
pub fn index_hint(b: &IdentityBase, path: &ColumnPath, op: &Compare) -> Option<Test> {
    match (path, op) {
        (_, Compare::Lower(inner) | Compare::Upper(inner) | Compare::Fold(inner)) => {
            index_hint(b, path, inner)
        }
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
                Compare::Eq(x) => fold::name(x),
                Compare::Like { pattern, .. } => fold::name(&literal_prefix(pattern)),
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
