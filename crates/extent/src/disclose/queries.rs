//! Statements of databases: whose rows they gave, which columns; what a statement that failed gave; what was changed.
use super::{AccessKind, Changed, Loose, Order, PageSeen, Question, Row, Work, cited};
use crate::{
    coverage,
    identity::VersionId,
    people::Who,
    replay::{self, Expr, Hit, fhir::Paging, sql},
    undescribed,
};
use ampleur_event::{
    Event, Nanos, Outcome, SessionVerdict, System, Verb, Verdict, batch::NONE,
    category::CategorySet, time::SECOND,
};
use ampleur_sources::case::FileId;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

impl<'a> Work<'a, '_, '_> {
    pub(super) fn statements(&mut self, rows: &[Row], at: &[usize]) {
        // What became of each statement, told by the rows after it in the same backend.
        #[derive(Clone, Copy, PartialEq)]
        enum Fate {
            Done,
            Failed,
            Killed,
        }
        let mut lives: BTreeMap<(u32, &str, u64), Vec<usize>> = BTreeMap::new();
        for i in at {
            let r = &rows[*i];
            lives
                .entry((r.session, &*r.e.session_id, r.e.pid))
                .or_default()
                .push(*i);
        }
        let mut fate: BTreeMap<usize, Fate> = BTreeMap::new();
        let mut cites: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        // Rows that were fetched of a cursor, by the statement that declared it; `None`: nobody can say how many.
        let mut fetched: BTreeMap<usize, Option<u64>> = BTreeMap::new();
        for list in lives.values() {
            let mut cursors: BTreeMap<String, usize> = BTreeMap::new();
            let texts = Texts::of(list.iter().map(|i| &rows[*i].e));
            let mut waiting: Vec<usize> = vec![];
            let mut last: Option<usize> = None;
            for i in list {
                let e = &rows[*i].e;
                // Some auditors write a line for each table besides the statement's own.
                if e.query.trim().is_empty() && texts.tell_of(e) {
                    continue;
                }
                if e.verb == Verb::Query {
                    match sql::cursor(&e.query) {
                        Some(sql::Cursor::Declared(name)) => {
                            cursors.insert(name, *i);
                        }
                        Some(sql::Cursor::Fetched(name, n)) if e.outcome != Outcome::Failure => {
                            let declared = cursors.get(&name);
                            let all = declared.map(|d| fetched.entry(*d).or_insert(Some(0)));
                            if let Some(Some(all)) = all {
                                *all = all.saturating_add(n);
                            }
                        }
                        Some(sql::Cursor::Moved(name)) => {
                            if let Some(d) = cursors.get(&name) {
                                fetched.insert(*d, None);
                            }
                        }
                        _ => {}
                    }
                    // The statement log and the audit both write one execution, the audit once per table.
                    if let Some(l) = last
                        && same_execution(&rows[l].e.query, &e.query)
                        && e.time - rows[l].e.time <= SECOND
                    {
                        if given_with(&rows[l].e.query).is_empty()
                            && !given_with(&e.query).is_empty()
                        {
                            // The line with its values speaks for both.
                            let mut cited = cites.remove(&l).unwrap_or_default();
                            cited.push(l);
                            cites.insert(*i, cited);
                            if let Some(f) = fate.remove(&l) {
                                fate.insert(*i, f);
                            }
                            waiting.retain(|w| *w != l);
                            waiting.push(*i);
                            last = Some(*i);
                        } else {
                            cites.entry(l).or_default().push(*i);
                        }
                        continue;
                    }
                    waiting.clear();
                    waiting.push(*i);
                    last = Some(*i);
                    fate.insert(*i, Fate::Done);
                    if e.outcome == Outcome::Failure {
                        let format = self.input.sessions.list[rows[*i].session as usize].format;
                        let cut = cut_short(format, e.status);
                        fate.insert(*i, if cut { Fate::Killed } else { Fate::Failed });
                    }
                } else {
                    last = None;
                    let why = e.reason.to_ascii_lowercase();
                    let killed = ["57p01", "57014", "57p02", "timeout", "cancel", "terminat"]
                        .iter()
                        .any(|k| why.contains(k));
                    // An error of a statement that was refused before it ran, and so was not audited, says nothing of the one before.
                    // Without its statement the name it speaks of tells.
                    let of_another = |w: usize| {
                        if e.query.is_empty() {
                            ["42601", "42703", "42p01", "syntax error", "does not exist"]
                                .iter()
                                .any(|k| why.contains(k))
                                && named_in(&why).is_some_and(|n| !has_word(&rows[w].e.query, n))
                        } else {
                            !may_be_one(&rows[w].e.query, &e.query)
                        }
                    };
                    for w in waiting.drain(..) {
                        if of_another(w) {
                            continue;
                        }
                        fate.insert(w, if killed { Fate::Killed } else { Fate::Failed });
                        cites.entry(w).or_default().push(*i);
                    }
                }
            }
        }
        let mut paged: BTreeMap<(u32, String), Vec<PageSeen>> = BTreeMap::new();
        for (i, f) in fate {
            if f == Fate::Failed {
                continue;
            }
            let mut cited: Vec<&Row> = vec![&rows[i]];
            cited.extend(cites.get(&i).into_iter().flatten().map(|k| &rows[*k]));
            let rows = fetched.get(&i).copied().flatten();
            // The row after it is missing: it may have told that the statement failed.
            let untold = cited.iter().any(|r| {
                let session = coverage::session_hash(&r.e.session_id);
                r.e.seq != NONE && self.input.cut_after.contains(&(session, r.e.seq))
            });
            self.statement(&cited, f == Fate::Killed || untold, rows, &mut paged);
        }
        self.pages(paged);
    }
    fn statement(
        &mut self,
        rows: &[&Row],
        killed: bool,
        fetched: Option<u64>,
        paged: &mut BTreeMap<(u32, String), Vec<PageSeen>>,
    ) {
        let r = rows[0];
        let tables = &self.input.case.context.tables;
        let base = self.input.identity;
        let source = self.input.case.source_of(r.file);
        let texts = sql::texts_of(self.input.sessions.list[r.session as usize].format)
            .declared(self.server_of(source).compare);
        let mut st = asked(&r.e, tables).compared(texts);
        match fetched {
            // As many rows came as were fetched, as if the question had asked for no more.
            Some(n) if n < u64::MAX => st.limit = Some(st.limit.map_or(n, |l| l.min(n))),
            Some(_) => {}
            None => st.reshaped |= st.cursor,
        }
        let doubtful = self.verdict(r.session) != SessionVerdict::Intruder;
        match st.kind {
            sql::Kind::Nothing | sql::Kind::Aggregate => return,
            sql::Kind::Insert | sql::Kind::Update | sql::Kind::Delete => {
                self.statement_writes(rows, &st, doubtful);
                if !st.returning {
                    return;
                }
            }
            _ => {}
        }
        let Some(main) = st.tables.first().cloned() else {
            // Nobody can say what came back: whatever the source holds may have.
            let categories = self.may_hold(&[source], true);
            if !categories.is_empty() {
                let access = self.access(AccessKind::Statement, rows, Verdict::Consulted, false);
                let (places, _) = self.rights(r.session);
                let places = match self.source_place(source) {
                    Some(p) if places.is_empty() => vec![p],
                    _ => places,
                };
                self.out.loose.push(Loose {
                    access,
                    places,
                    categories,
                    up_to: u64::MAX,
                });
            }
            return;
        };
        let table = self.catalog.table(&main);
        let (mut cats, mut perhaps) = (CategorySet::EMPTY, CategorySet::EMPTY);
        for (k, t) in st.tables.iter().enumerate() {
            if !st.perhaps.is_empty() {
                perhaps = perhaps.union(self.catalog.of_columns(t, &st.perhaps, false));
            }
            if st.star || k == 0 || self.catalog.table(t).is_some() {
                let names: Vec<String> = st
                    .columns
                    .iter()
                    .filter(|c| {
                        self.catalog.table(t).is_none_or(|t| {
                            t.columns.is_empty()
                                || t.columns.keys().any(|k| k.eq_ignore_ascii_case(c))
                                || k == 0
                        })
                    })
                    .cloned()
                    .collect();
                if st.star || !names.is_empty() || st.perhaps.is_empty() {
                    let of = self.catalog.of_columns(t, &names, st.star);
                    if k > 0 && st.optional.contains(t) {
                        perhaps = perhaps.union(of);
                    } else {
                        cats = cats.union(of);
                    }
                }
            }
        }
        let verdict = if st.kind == sql::Kind::Copy {
            Verdict::Exfiltrated
        } else {
            Verdict::Consulted
        };
        let mut anything = self.may_hold(&[source], true);
        if anything.is_empty() && (table.is_some() || main_is_patients(&main)) {
            anything = undescribed::of_patients(crate::coverage::every_category());
        }
        let open = self
            .catalog
            .open_columns(&st.tables, &st.columns, st.star, anything)
            .union(perhaps)
            .union(
                self.catalog
                    .open_columns(&st.tables, &st.perhaps, false, anything),
            )
            .without(cats);
        if cats.is_empty() && open.is_empty() && table.is_none() {
            return;
        }
        let access = self.access(AccessKind::Statement, rows, verdict, false);
        // Which rows exist in the table: those with an identifier of its authority, else of the source's establishment.
        let authority = table.and_then(|t| {
            t.columns.values().find_map(|c| match c {
                ampleur_event::context::Column::Path(p) => match sql::parse_path(p) {
                    Some(replay::ColumnPath::Identifier(Some(a)))
                        if !crate::identity::is_nir_system(&a) =>
                    {
                        Some(a)
                    }
                    _ => None,
                },
                ampleur_event::context::Column::Category { .. } => None,
            })
        });
        let maps = table.is_some_and(|t| {
            t.columns.is_empty()
                || t.columns
                    .values()
                    .any(|c| matches!(c, ampleur_event::context::Column::Path(_)))
        }) || table.is_none()
            && sql::table_column(None, "ipp").is_some()
            && main_is_patients(&main);
        if !maps || base.is_empty() {
            let (places, _) = self.rights(r.session);
            let places = match self.source_place(source) {
                Some(p) if places.is_empty() => vec![p],
                _ => places,
            };
            let categories = cats.union(open);
            if !categories.is_empty() {
                self.out.loose.push(Loose {
                    access,
                    places,
                    categories,
                    up_to: st.limit.unwrap_or(u64::MAX),
                });
            }
            return;
        }
        let own = self.source_place(source);
        let auth_sym = authority.as_deref().and_then(|a| base.strings.find(a));
        let places = self.out.places.clone();
        let scope = |v: VersionId| match (&authority, auth_sym) {
            (Some(_), Some(s)) => base.id_rows(v).iter().any(|i| i.system == s),
            (Some(_), None) => false,
            _ => own.is_none_or(|o| places.of_version(base, v).is_none_or(|p| p == o)),
        };
        let mut answer = replay::search(base, &st.rows, r.e.time, &scope);
        // A table of facts about persons holds rows of some of them only; which ones is known when the row is named.
        let people_table = table.is_none_or(|t| {
            t.columns.is_empty()
                || t.columns.values().any(|c| {
                    matches!(c, ampleur_event::context::Column::Path(p) if p.starts_with("name") || p == "birthDate")
                })
        });
        let partly = st.reshaped || (!people_table && !st.rows.names_one());
        // What was cut short showed nobody beyond the rows it asked for, where these are known: a slice of a known order.
        if killed
            && !partly
            && let Some(page) = self.slice(&st, &answer)
        {
            (st.limit, st.offset) = (None, None);
            answer.certain = page;
        }
        let unsure = killed || partly;
        if unsure {
            answer.possible.append(&mut answer.certain);
            answer.possible.sort_unstable();
        }
        let told = Some(r.e.count).filter(|c| *c != NONE && !killed);
        // The rows of a page are counted: a full one tells nothing of the whole answer, another one ends it.
        let told = told.and_then(|n| match (st.offset.unwrap_or(0), st.limit) {
            (_, Some(l)) if n == l && n < answer.len() as u64 => None,
            (0, _) => Some(n),
            (_, _) if n == 0 => None,
            (offset, _) => Some(n.saturating_add(offset)),
        });
        self.reconcile(&mut answer, told, st.limit, r.session, source);
        let one = st.rows.names_one();
        let persons: BTreeSet<Who> = answer
            .certain
            .iter()
            .map(|h| base.person_of(h.record))
            .collect();
        let first = answer.certain.first().copied();
        let place = first.map(|h| self.place_of(h.version, source));
        self.out.questions.push(Question {
            session: r.session,
            source,
            time: r.e.time,
            one: (one && persons.len() == 1)
                .then(|| persons.first().copied().zip(place))
                .flatten(),
            broad: !one,
            access,
        });
        let n = answer.len() as u64;
        let limit = st.limit.unwrap_or(u64::MAX);
        let offset = st.offset.unwrap_or(0);
        let cut = limit < n || offset > 0;
        if cut && !killed && !unsure {
            paged
                .entry((r.session, statement_key(&r.e.query)))
                .or_default()
                .push(PageSeen {
                    access,
                    source,
                    categories: cats,
                    open,
                    expr: st.rows.clone(),
                    answer,
                    paging: Paging {
                        offset: Some(offset),
                        ..Paging::default()
                    },
                    size: Some(limit),
                    order: st
                        .order
                        .clone()
                        .map(|(path, falling)| Order::Column(path, falling)),
                    cut: false,
                    weight: None,
                    told: None,
                });
            return;
        }
        let (certain, possible) = if cut {
            (
                vec![],
                answer
                    .certain
                    .iter()
                    .chain(&answer.possible)
                    .copied()
                    .collect(),
            )
        } else {
            (answer.certain, answer.possible)
        };
        for (hits, sure) in [(&certain, true), (&possible, false)] {
            for h in hits {
                let known = st.rows.known(base, h.version);
                self.serve(*h, access, source, cats, known, sure);
                if !open.is_empty() {
                    self.serve(*h, access, source, open, known, false);
                }
            }
        }
    }
    /// The rows of the page a statement asked for, where it asked for one in an order all servers agree on.
    fn slice(&self, st: &sql::Statement, answer: &replay::Answer) -> Option<Vec<Hit>> {
        let (offset, limit) = (st.offset.unwrap_or(0), st.limit.unwrap_or(u64::MAX));
        if (offset, limit) == (0, u64::MAX) || !answer.possible.is_empty() {
            return None;
        }
        let (path, falling) = st.order.clone()?;
        let order = Order::Column(path, falling).sorted(self.input.identity, &answer.certain)?;
        let most = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Some(
            order
                .into_iter()
                .skip(most(offset))
                .take(most(limit))
                .collect(),
        )
    }
    fn statement_writes(&mut self, rows: &[&Row], st: &sql::Statement, doubtful: bool) {
        let r = rows[0];
        let base = self.input.identity;
        let source = self.input.case.source_of(r.file);
        let table = st.tables.first().and_then(|t| self.catalog.table(t));
        let evidence = cited(rows);
        let mut who = vec![];
        let mut versions = vec![];
        if st.kind != sql::Kind::Insert && table.is_some() && st.rows != Expr::All(vec![]) {
            // As it was before: a record may say that it was changed at this very second.
            let before = r.e.time.saturating_sub(SECOND);
            let a = replay::search(base, &st.rows, before, &|_| true);
            for h in a.certain {
                who.push((base.person_of(h.record), self.place_of(h.version, source)));
                versions.push(h.version);
            }
        }
        if who.is_empty() {
            if doubtful {
                self.out.possible_writes += 1;
            } else {
                self.out.other_writes += 1;
            }
        }
        for (field, after) in &st.set {
            for (k, w) in who.iter().enumerate() {
                let before = sql::table_column(table, field)
                    .map(|p| sql::column_values(base, versions[k], &p))
                    .and_then(|v| v.first().cloned());
                self.out.changes.push(Changed {
                    session: r.session,
                    time: r.e.time,
                    who: vec![*w],
                    field: field.clone(),
                    before,
                    after: Some(after.clone()),
                    evidence: evidence.clone(),
                    doubtful,
                });
            }
        }
    }
}

/// Puts the values that stand in a record of their own into the statement of the record before it, in the same backend: PostgreSQL
/// writes both at once. Rows of no verb are gone afterwards.
pub(super) fn join_values(rows: &mut Vec<Row>) {
    let values: BTreeMap<(FileId, u64), (u32, String)> = (rows.iter())
        .filter(|r| r.e.verb == Verb::Other)
        .filter_map(|r| {
            let list = ["parameters: ", "Parameters: ", "paramètres : "]
                .iter()
                .find_map(|p| r.e.query.strip_prefix(p))?;
            Some(((r.file, r.e.record), (r.session, list.replace('\n', " "))))
        })
        .collect();
    join_statements(rows);
    rows.retain(|r| r.e.verb != Verb::Other);
    if values.is_empty() {
        return;
    }
    for r in rows.iter_mut().filter(|r| r.e.verb == Verb::Query) {
        if let Some((session, list)) = values.get(&(r.file, r.e.record + 1))
            && *session == r.session
            && given_with(&r.e.query).is_empty()
        {
            r.e.query = format!("{}{}{list}", r.e.query, sql::PARAMETERS).into();
        }
    }
}

/// Gives an error its statement, which a log of plain text writes in a record behind it, the next of the same backend but for details:
/// without it an error is taken for that of whatever ran before.
fn join_statements(rows: &mut [Row]) {
    let mut open: BTreeMap<(u32, String, u64), (FileId, usize)> = BTreeMap::new();
    for i in 0..rows.len() {
        let (r, e) = (&rows[i], &rows[i].e);
        if e.system != System::Db {
            continue;
        }
        let backend = (r.session, e.session_id.to_string(), e.pid);
        match e.verb {
            Verb::QueryError if e.query.is_empty() => {
                open.insert(backend, (r.file, i));
            }
            Verb::Other if e.action == "STATEMENT" && !e.query.is_empty() => {
                if let Some((_, at)) = open.remove(&backend).filter(|o| o.0 == r.file) {
                    rows[at].e.query = rows[i].e.query.clone();
                }
            }
            Verb::Query | Verb::QueryError => {
                open.remove(&backend);
            }
            _ => {}
        }
    }
}

/// The column or table an error says is not there: what stands behind its code, without a qualifier.
fn named_in(why: &str) -> Option<&str> {
    let mut words = why.split_whitespace();
    words.find(|w| matches!(*w, "42703" | "42p01"))?;
    words.next()?.rsplit('.').next().filter(|n| !n.is_empty())
}

/// True when a lower-case word stands in a statement as a whole.
fn has_word(statement: &str, word: &str) -> bool {
    statement
        .to_lowercase()
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .any(|w| w == word)
}

/// The statements of one backend, in order of time.
struct Texts<'e> {
    list: Vec<&'e Event<'e>>,
    by_id: FxHashMap<&'e str, usize>,
}

impl<'e> Texts<'e> {
    fn of(rows: impl Iterator<Item = &'e Event<'e>>) -> Texts<'e> {
        let list: Vec<&Event<'_>> = rows.filter(|e| !e.query.trim().is_empty()).collect();
        let ids = list.iter().enumerate();
        let by_id = ids
            .filter_map(|(i, e)| Some((e.extra_value("query_id")?, i)))
            .collect();
        Texts { list, by_id }
    }
    /// True when a row that only names an object belongs to one of them: the auditor says so by number, else by its name at that time.
    fn tell_of(&self, e: &Event<'_>) -> bool {
        const NEAR: Nanos = 2 * SECOND;
        let table = e.object.rsplit('.').next().unwrap_or("").trim();
        let names = |t: &Event<'_>| !table.is_empty() && contains_word(&t.query, table);
        if let Some(id) = e.extra_value("query_id") {
            return self.by_id.get(id).is_some_and(|i| names(self.list[*i]));
        }
        let from = self.list.partition_point(|t| t.time < e.time - NEAR);
        let near = self.list[from..].iter();
        near.take_while(|t| t.time <= e.time + NEAR)
            .any(|t| names(t))
    }
}

/// True when a name stands in a text, whatever its case, and not as a part of another.
fn contains_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_lowercase(), word.to_lowercase());
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(&word)
        .any(|(i, _)| !text[..i].ends_with(part) && !text[i + word.len()..].starts_with(part))
}

/// True for a code of failure after which rows may have been sent: the statement was killed, ran out of time, or its client went away.
fn cut_short(format: &str, code: u64) -> bool {
    match format {
        // ORA-00028, 01013, 01089, 01092, 01555, 02396, 02399, 03113, 03114, 03135, 12571.
        "oracle-audit" => matches!(
            code,
            28 | 1013 | 1089 | 1092 | 1555 | 2396 | 2399 | 3113 | 3114 | 3135 | 12571
        ),
        // ER_ABORTING_CONNECTION, ER_NET_*, ER_SERVER_SHUTDOWN, ER_QUERY_INTERRUPTED, ER_QUERY_TIMEOUT, client lost.
        "mysql" => matches!(
            code,
            1028 | 1053 | 1077 | 1152 | 1158
                ..=1161 | 1184 | 1317 | 1927 | 1969 | 2006 | 2013 | 3024
        ),
        // Attention, severe errors after rows have begun to flow, timeouts.
        "mssql" => matches!(code, 1222 | 3617 | 3621 | 596 | 1205),
        _ => false,
    }
}

/// The statement of a row. One that only names an object read all of it, for all anybody knows; one that names nothing is not understood.
fn asked(e: &Event<'_>, tables: &[ampleur_event::context::Table]) -> sql::Statement {
    if !e.query.trim().is_empty() || e.object.trim().is_empty() {
        return sql::parse(&e.query, tables);
    }
    let action = e.action.to_ascii_lowercase();
    let one_of = |words: &[&str]| words.iter().any(|w| action.contains(w));
    if one_of(&["write", "update", "insert", "delete"]) {
        return sql::parse("update", tables);
    }
    if !one_of(&["select", "read", "find", "get", "query", "execute"]) && !action.is_empty() {
        return sql::parse(&action, tables);
    }
    let mut st = sql::parse("select *", tables);
    st.kind = sql::Kind::Select;
    st.star = true;
    st.tables = vec![e.object.trim().to_lowercase()];
    st.rows = Expr::Unknown;
    st.reshaped = true;
    st
}

/// What makes two statements pages of one: the text without its limit, offset and layout.
fn statement_key(sql: &str) -> String {
    let words: Vec<String> = sql.split_whitespace().map(str::to_lowercase).collect();
    let mut out = vec![];
    let mut skip = false;
    for w in words {
        if skip {
            skip = false;
            continue;
        }
        if w == "limit" || w == "offset" {
            skip = true;
            continue;
        }
        out.push(w.trim_end_matches(';').to_string());
    }
    out.join(" ")
}

fn same_execution(a: &str, b: &str) -> bool {
    let (va, vb) = (given_with(a), given_with(b));
    plain_statement(a) == plain_statement(b) && (va == vb || va.is_empty() || vb.is_empty())
}

/// The values a statement was given, as the log tells them; empty when it does not.
fn given_with(s: &str) -> &str {
    s.rfind(sql::PARAMETERS)
        .map_or("", |at| &s[at + sql::PARAMETERS.len()..])
}

/// The same text, whatever it was given, or one is the other cut short.
fn may_be_one(a: &str, b: &str) -> bool {
    let (a, b) = (plain_statement(a), plain_statement(b));
    a.starts_with(&b) || b.starts_with(&a)
}

fn plain_statement(s: &str) -> String {
    let text = s.rfind(sql::PARAMETERS).map_or(s, |at| &s[..at]);
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .trim_end_matches(';')
        .to_lowercase()
}

fn main_is_patients(name: &str) -> bool {
    let n = name.rsplit('.').next().unwrap_or(name);
    ["patient", "identite", "usager", "individu"]
        .iter()
        .any(|w| n.contains(w))
}
