//! Conditions of statements: comparisons of columns and what stands around them. What is not understood is [`Expr::Unknown`].
use super::{
    super::{ColumnPath, Expr, Test, Texts, Tri},
    compare::{Compare, DatePart, PLAIN, Pattern, compare, iso, unaccent, written},
    lex::{Tok, csv_cells},
};
use crate::identity::PartDate;

/// The condition that holds where `e` is false: a NULL satisfies neither (SQL:2016 part 2, §8 and §6.39), so the sign goes
/// inwards to the comparisons.
pub(super) fn negated(e: Expr) -> Expr {
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
pub(super) fn opposed(e: Expr) -> Expr {
    Expr::Not(Box::new(e))
}

/// The condition that begins at `i`, and where it was read to.
pub(super) fn condition(t: &[Tok], i: usize, resolve: Resolve<'_>) -> (Expr, usize) {
    let mut p = P {
        t,
        i,
        resolve,
        depth: 0,
    };
    (p.or(), p.i)
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
pub(super) enum Side {
    Column(ColumnPath, Vec<Wrap>),
    /// The first of these that is not NULL.
    FirstOf(Vec<Side>),
    /// A column of no identity field, or an expression.
    Other,
    Value(String),
    Param,
}

#[derive(Clone)]
pub(super) enum Wrap {
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
pub(super) fn each(
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
pub(super) fn array_text(text: &str) -> Option<Vec<String>> {
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
pub(super) fn reads_as_iso(text: &str, pattern: &str) -> bool {
    written(&pattern.replace("%e", "%d").replace("%c", "%m"), &iso(text)).is_some_and(|w| w == text)
}

/// A column read as a whole number.
pub(super) fn numbered(s: Side) -> Side {
    match s {
        s @ Side::Value(_) => s,
        s => wrapped(s, Wrap::Number),
    }
}

pub(super) fn rest_of(s: Side, by: &str) -> Side {
    match by.parse::<i64>() {
        Ok(by) if by > 0 => wrapped(s, Wrap::Rest(by)),
        _ => Side::Other,
    }
}

pub(super) fn wrapped(s: Side, w: Wrap) -> Side {
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
pub(super) fn null(side: &Side, is: bool) -> Option<Expr> {
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

pub(super) fn make(left: Side, c: Compare) -> Expr {
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
pub(super) fn clause(word: &str) -> bool {
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
pub(super) fn keeps_text(kind: &str) -> bool {
    matches!(
        kind,
        "text" | "varchar" | "character" | "string" | "date" | "unknown" | "citext" | "nvarchar"
    )
}

/// Types of whole numbers.
pub(super) fn whole_number(kind: &str) -> bool {
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
pub(super) fn escaped_by(pattern: &str, sign: &str) -> Option<String> {
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
