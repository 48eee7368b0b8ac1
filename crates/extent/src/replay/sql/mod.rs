//! SQL statements as questions: which table, which columns come back, which rows. Read leniently, across dialects: what is
//! not understood becomes [`Expr::Unknown`], which makes rows possible and never certain.
mod compare;
mod condition;
mod lex;
mod select;
mod tables;

use super::{ColumnPath, Expr, Test, Texts};
use ampleur_event::context::Table;
pub(super) use compare::unaccent;
pub use compare::{Compare, column_holds, index_hint, like};
use condition::condition;
pub(crate) use lex::PARAMETERS;
use lex::{Tok, is_cut, lex};
use select::{Chain, select, without_with};
use std::borrow::Cow;
pub use tables::{column_values, find_table, parse_path, table_column};

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

/// Takes one statement apart; `resolve` knows the columns of its main table.
pub fn parse(sql: &str, tables: &[Table]) -> Statement {
    // The whole statement in quotes: some auditors write it so, and a limit of length may take the last one.
    let bare = sql.trim().strip_prefix('\'').filter(|s| s.contains(' '));
    let (text, cut) = match bare {
        Some(s) => {
            let inner = s.strip_suffix('\'');
            let text = inner.unwrap_or(s).replace("\\'", "'");
            let text = text.replace("\\\\", "\\");
            let cut = inner.is_none() || is_cut(&text);
            (Cow::Owned(text), cut)
        }
        None => (Cow::Borrowed(sql), is_cut(sql)),
    };
    let tokens = lex(&text);
    let mut st = parse_tokens(&tokens, tables);
    if cut {
        // Nobody knows what else was asked.
        st.rows = Expr::All(vec![st.rows, Expr::Unknown]);
        st.reshaped = true;
        let known = |n: &String| find_table(tables, n).is_some();
        if st.kind == Kind::Select && !st.tables.iter().any(known) {
            st.kind = Kind::Unknown;
        }
    }
    // Columns of a table and no table: the rest is missing.
    let of_table = |t: &Tok| match t {
        Tok::Word(w) | Tok::Name(w) => {
            let mut columns = tables.iter().flat_map(|t| t.columns.keys());
            columns.any(|c| c.eq_ignore_ascii_case(w))
        }
        _ => false,
    };
    let called = tokens.iter().any(|t| matches!(t, Tok::Op(o) if o == "("));
    if st.kind == Kind::Nothing && st.tables.is_empty() && !called {
        let selects =
            matches!(tokens.first(), Some(Tok::Word(w)) if w.eq_ignore_ascii_case("select"));
        if selects && tokens[1..].iter().any(of_table) {
            st.kind = Kind::Unknown;
        }
    }
    st
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
                    let (rows, end) = condition(t, i + 1, &resolve);
                    st.rows = rows;
                    let done = match t.get(end) {
                        None => true,
                        Some(Tok::Op(o)) => o == ";",
                        Some(Tok::Word(w)) => ["returning", "limit", "order"]
                            .iter()
                            .any(|e| w.eq_ignore_ascii_case(e)),
                        Some(_) => false,
                    };
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
