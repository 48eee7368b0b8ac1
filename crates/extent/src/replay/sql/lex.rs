//! Words, names, texts and signs of a statement; the values it was given.
use crate::replay::is_masked;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tok {
    Word(String),
    /// A quoted identifier.
    Name(String),
    Text(String),
    Number(String),
    Op(String),
    /// `$1`, `?`, `:name`, `@p`
    Param,
}

pub(super) const STATEMENT_MAX: usize = 1 << 20;

/// What stands before the values a statement was given, when the log tells them.
pub(crate) const PARAMETERS: &str = "\n-- parameters: ";

/// Values given with a statement, in order; `None`: not told, or cut.
#[derive(Default)]
pub(super) struct Given {
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
        match self.values.get(i).cloned().flatten() {
            Some(Tok::Text(t)) if is_masked(&t) => Tok::Param,
            told => told.unwrap_or(Tok::Param),
        }
    }
}

/// Cells of one line of CSV.
pub(super) fn csv_cells(line: &str) -> Vec<String> {
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

/// True when a text was opened and never closed: a limit of length cut the statement.
pub(super) fn is_cut(sql: &str) -> bool {
    let sql = sql.rfind(PARAMETERS).map_or(sql, |at| &sql[..at]);
    // Comments and other quotes may hold one sign more; then nothing is said.
    let plain =
        !sql.contains("--") && !sql.contains("/*") && !sql.contains('"') && !sql.contains('$');
    let signs = sql.matches('\'').count();
    // Some dialects write a quote inside a text with a backslash, to others it is a sign like another.
    let bare = signs - sql.matches("\\'").count();
    plain && signs % 2 == 1 && bare % 2 == 1
}

pub(super) fn lex(sql: &str) -> Vec<Tok> {
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
            // What was cut inside a text may go on in any way.
            let closed = i < c.len();
            i += 1;
            out.push(if own && s.contains('\\') || is_masked(&s) || !closed {
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
