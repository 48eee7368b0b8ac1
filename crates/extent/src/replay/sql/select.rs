//! Selections: what the list shows, which tables, which rows, in which order; several selections joined.
use super::{
    super::{ColumnPath, Expr},
    Kind, Statement, all_tables, calls_a_routine,
    condition::{Resolve, clause, condition},
    lex::Tok,
    parse_tokens, table_name,
    tables::{find_table, maps_identity, table_column},
    word_at,
};
use ampleur_event::context::Table;

/// A statement of selections that were given names before it (`WITH a AS (SELECT …) SELECT … FROM a`, SQL:2016 part 2, §7.17), each put
/// where its name stands. `None`: one of them is no plain selection, refers to itself or names its columns anew.
pub(super) fn without_with(t: &[Tok]) -> Option<Vec<Tok>> {
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

pub(super) fn select(t: &[Tok], from: usize, tables: &[Table], st: &mut Statement) {
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
        let (e, end) = condition(t, i + 1, &resolve);
        i = end;
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
pub(super) enum Chain {
    /// `UNION` alone, in whatever order.
    Unions,
    Mixed,
}

/// What the rows of another selection do to those of this one.
pub(super) enum Sets {
    /// A further condition.
    Both(Expr),
    /// Others come as well.
    Either(Expr),
}

/// `UNION`, `INTERSECT` and `EXCEPT` of two selections of the same columns of one table; `None` for anything else.
pub(super) fn joined_sets(
    word: &str,
    a: &Statement,
    b: &Statement,
    table: Option<&Table>,
) -> Option<Sets> {
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
pub(super) fn sorted_by(t: &[Tok], resolve: Resolve<'_>) -> Option<(ColumnPath, bool)> {
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
pub(super) fn alias(t: &[Tok], i: usize, name: &str) -> String {
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
pub(super) fn first_shown(item: &[Tok]) -> Option<String> {
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
pub(super) fn plain_column(item: &[Tok]) -> Option<String> {
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
pub(super) fn whole_row(item: &[Tok]) -> Option<String> {
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
pub(super) fn called_item(item: &[Tok]) -> Option<(String, String)> {
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

pub(super) enum Item {
    Star,
    Aggregate,
    /// The least or greatest value of columns: it is somebody's.
    Extreme(Vec<String>),
    Columns(Vec<String>),
}

/// True for an item that shows its columns on a condition.
pub(super) fn conditional(item: &[Tok], columns: usize) -> bool {
    let has = |words: &[&str]| words.iter().any(|w| word_at(item, w).is_some());
    // The first of several that is not empty; of one it is that one.
    has(&["case", "if", "iif", "nullif", "decode", "nvl2", "filter"])
        || columns > 1 && has(&["coalesce", "nvl", "ifnull", "isnull"])
}

/// True when nothing but a name follows the call an item begins with.
pub(super) fn closes_last(item: &[Tok]) -> bool {
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
pub(super) fn nested_item(inner: Statement, tables: &mut Vec<String>) -> Item {
    match inner.kind {
        Kind::Aggregate | Kind::Nothing => Item::Aggregate,
        _ => {
            tables.extend(inner.tables);
            Item::Star
        }
    }
}

/// `p.nom` of three tokens: table and column, lower case.
pub(super) fn qualifier(three: &[Tok]) -> Option<(String, String)> {
    let name = |t: &Tok| match t {
        Tok::Word(w) | Tok::Name(w) => Some(w.to_lowercase()),
        _ => None,
    };
    match three {
        [a, Tok::Op(o), c] if o == "." => Some((name(a)?, name(c)?)),
        _ => None,
    }
}

/// The columns one item of a select list shows.
pub(super) fn item_columns(item: &[Tok]) -> Item {
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
