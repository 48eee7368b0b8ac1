//! Requests and what an audit tells of them: who was in the answer, page by page where there are pages.
use super::{
    AccessKind, Changed, Loose, Order, PageSeen, Partial, Question, Row, Work, cited,
    directory::ATTRIBUTES,
    sent::{self, Sent},
    short,
};
use crate::{
    catalog::{self, Catalog},
    coverage::Clock,
    pairing::{self, Act},
    people::{PlaceId, Who},
    replay::{
        self, Answer, Expr, Hit,
        fhir::{self, Paging, Shape, What},
        ldap,
    },
    undescribed, writes,
};
use ampleur_event::{
    Category, Event, Nanos, Outcome, SessionVerdict, Silence, Verb, Verdict,
    batch::NONE,
    category::CategorySet,
    time::{HOUR, SECOND},
};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// Two rows of one access are at most this far apart in two logs (second stamps, a slow answer).
const JOIN: Nanos = 3 * SECOND;
/// A clock known no better than this puts nothing in order.
const CLOCK_KNOWN_S: f64 = 10.0;
/// An answer that only counts is shorter than this, headers and links included.
const EMPTY_BUNDLE: u64 = 1024;
/// Requests whose searches are asked on all threads before they are weighed one by one, and the hits their answers may hold
/// (12 bytes each) before the rest is asked in turn: bounds the memory of asking ahead.
const AHEAD: usize = 4096;
const HITS_AHEAD: usize = 4 << 20;

impl<'a> Work<'a, '_, '_> {
    /// Joins proxy lines with audit rows of the same access, then reads what each access showed.
    pub(super) fn requests(&mut self, rows: &[Row], at: &[usize]) {
        let (lines, audits): (Vec<usize>, Vec<usize>) =
            at.iter().partition(|i| rows[**i].e.verb == Verb::Request);
        // Audit rows of one request (one row per patient found) are one access.
        let mut groups: Vec<Vec<usize>> = vec![];
        let mut by_request: FxHashMap<(u32, &str), usize> = FxHashMap::default();
        for i in audits {
            let r = &rows[i];
            if !r.e.request_id.is_empty() {
                let k = (r.session, &*r.e.request_id);
                if let Some(g) = by_request.get(&k) {
                    groups[*g].push(i);
                    continue;
                }
                by_request.insert(k, groups.len());
            }
            groups.push(vec![i]);
        }
        let joined = self.join(rows, &lines, &groups);
        let mut used: BTreeSet<usize> = BTreeSet::new();
        let mut units: Vec<(Option<usize>, Vec<usize>)> = vec![];
        for (g, line) in groups.into_iter().zip(joined) {
            if let Some(l) = line {
                used.insert(l);
            }
            units.push((line, g));
        }
        for l in lines {
            if !used.contains(&l) {
                units.push((Some(l), vec![]));
            }
        }
        let first = |u: &(Option<usize>, Vec<usize>)| u.0.or(u.1.first().copied()).unwrap_or(0);
        units.sort_by_key(|u| {
            let r = &rows[first(u)];
            (r.e.time, r.file, r.e.record)
        });
        // Smallest bytes per person an answer ever had, per source of proxy lines, from joined searches with a count.
        let mut paged: BTreeMap<(u32, String), Vec<PageSeen>> = BTreeMap::new();
        let mut last_search: BTreeMap<u32, usize> = BTreeMap::new();
        let mut listed: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        let mut lone: Vec<Lone> = vec![];
        for some in units.chunks(AHEAD) {
            let units: Vec<(Option<&Row>, Vec<&Row>)> = some
                .iter()
                .map(|(line, group)| {
                    (
                        line.map(|i| &rows[i]),
                        group.iter().map(|i| &rows[*i]).collect(),
                    )
                })
                .collect();
            let ahead = self.searched_ahead(&units);
            for ((line, group), found) in units.iter().zip(ahead) {
                self.unit(
                    *line,
                    group,
                    found,
                    &mut paged,
                    &mut last_search,
                    &mut listed,
                    &mut lone,
                );
            }
        }
        cut_short(&mut paged);
        self.pages(paged);
        self.lone(lone);
    }
    /// For each audit group the proxy line of the same access, or `None`.
    fn join(&self, rows: &[Row], lines: &[usize], groups: &[Vec<usize>]) -> Vec<Option<usize>> {
        let mut out = vec![None; groups.len()];
        let mut taken: BTreeSet<usize> = BTreeSet::new();
        let mut by_id: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
        for l in lines {
            let id = &*rows[*l].e.request_id;
            if !id.is_empty() {
                by_id.entry(id).or_default().push(*l);
            }
        }
        for (g, group) in groups.iter().enumerate() {
            let id = &*rows[group[0]].e.request_id;
            if let Some(l) = by_id
                .get(id)
                .filter(|_| !id.is_empty())
                .and_then(|v| v.first())
                && taken.insert(*l)
            {
                out[g] = Some(*l);
            }
        }
        // By account or address, path and time: those that ask the same first. Of a record that was made the request does not know
        // the number yet.
        for made in [false, true] {
            let taken: BTreeSet<usize> = out.iter().flatten().copied().collect();
            let mut by_path: BTreeMap<String, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
            for l in lines.iter().filter(|l| !taken.contains(l)) {
                if !made || rows[*l].e.http_method == "POST" {
                    by_path.entry(path_key(&rows[*l].e)).or_default().0.push(*l);
                }
            }
            for (g, group) in groups.iter().enumerate() {
                let e = &rows[group[0]].e;
                if out[g].is_some() || made && e.verb != Verb::Create {
                    continue;
                }
                let mut key = path_key(e);
                if made && let Some((kind, _)) = key.split_once('/') {
                    key = kind.to_string();
                }
                if let Some(p) = by_path.get_mut(&key) {
                    p.1.push(g);
                }
            }
            for (lines, of_path) in by_path.into_values() {
                if !of_path.is_empty() {
                    self.join_path(rows, &lines, groups, &of_path, &mut out);
                }
            }
        }
        out
    }
    /// The clock of the source of a row, when it is off and by how much is known from accesses another log has too.
    fn clock(&self, row: &Row) -> Option<&Clock> {
        if self.input.clocks.is_empty() {
            return None;
        }
        let source = self.input.case.source_of(row.file);
        let known = |c: &&Clock| c.source == source && c.uncertainty_s <= CLOCK_KNOWN_S;
        self.input.clocks.iter().find(known)
    }
    fn clocked(&self, row: &Row) -> Nanos {
        let add = self.clock(row).map_or(0.0, |c| c.offset_s);
        row.e.time.saturating_add((add * SECOND as f64) as Nanos)
    }
    /// How far those clocks may still be off, all together.
    fn slack(&self, rows: &[Row], lines: &[usize], groups: &[Vec<usize>], some: &[usize]) -> Nanos {
        let most = |i: &mut dyn Iterator<Item = usize>| {
            i.filter_map(|i| self.clock(&rows[i]))
                .map(|c| c.uncertainty_s)
                .fold(0.0, f64::max)
        };
        let both = most(&mut lines.iter().copied()) + most(&mut some.iter().map(|g| groups[*g][0]));
        (both * SECOND as f64) as Nanos
    }
    /// The same for lines and groups of one path.
    fn join_path(
        &self,
        rows: &[Row],
        lines: &[usize],
        groups: &[Vec<usize>],
        of_path: &[usize],
        out: &mut [Option<usize>],
    ) {
        // In order of their times with the clocks put right.
        let reach = JOIN.saturating_add(self.slack(rows, lines, groups, of_path));
        let ordered = |list: &[usize], row: &dyn Fn(usize) -> usize| {
            let time = |i: &usize| self.clocked(&rows[row(*i)]);
            let mut v: Vec<(Nanos, usize)> = list.iter().map(|i| (time(i), *i)).collect();
            v.sort_unstable();
            v.into_iter().unzip()
        };
        let (line_times, lines): (Vec<Nanos>, Vec<usize>) = ordered(lines, &|l| l);
        let (times, of_path): (Vec<Nanos>, Vec<usize>) = ordered(of_path, &|g| groups[g][0]);
        // What is asked, once for each: `asked[i]` of line `i`, `told[i]` of group `i`.
        let asked: Vec<_> = lines
            .iter()
            .map(|l| asked_by(&rows[*l].e.url, ""))
            .collect();
        let told: Vec<_> = of_path
            .iter()
            .map(|g| {
                let group: Vec<&Row> = groups[*g].iter().map(|i| &rows[*i]).collect();
                asked_by(url_of(None, &group), criteria_of(&group))
            })
            .collect();
        let mut taken = vec![false; lines.len()];
        for same in [Some(true), None] {
            // Who may belong to whom: near in time, the same user, the same question.
            let mut near: Vec<(Nanos, usize, usize)> = vec![];
            for (x, g) in of_path.iter().enumerate().filter(|x| out[*x.1].is_none()) {
                let t = times[x];
                let from = line_times.partition_point(|l| *l < t.saturating_sub(reach));
                for (y, l) in lines.iter().enumerate().skip(from) {
                    let d = line_times[y].saturating_sub(t);
                    if d > reach {
                        break;
                    }
                    if !taken[y]
                        && same_question(&asked[y], &told[x]) == same
                        && self.same_user(&rows[groups[*g][0]], &rows[*l])
                    {
                        near.push((d.abs(), x, y));
                    }
                }
            }
            let mut runs = vec![];
            let mut sure = vec![];
            for (xs, ys, pairs) in together(&near, of_path.len()) {
                let a: Vec<Act> = xs.iter().map(|x| Act::at(times[*x])).collect();
                let b: Vec<Act> = ys.iter().map(|y| Act::at(line_times[*y])).collect();
                // Users who are one to some and two to others have no order in common.
                if pairing::within_reach(&a, &b, reach) == pairs {
                    pairing::sure_distances(&a, &b, reach, &mut sure);
                    runs.push((xs, ys, a, b));
                }
            }
            let usual = pairing::usual(sure);
            for (xs, ys, a, b) in &runs {
                for (x, y) in xs.iter().zip(pairing::in_order(a, b, reach, usual)) {
                    if let Some(y) = y {
                        out[of_path[*x]] = Some(lines[ys[y]]);
                        taken[ys[y]] = true;
                    }
                }
            }
            // What is left: the nearest, each line and each group once.
            near.sort_unstable();
            for (_, x, y) in near {
                if out[of_path[x]].is_none() && !taken[y] {
                    out[of_path[x]] = Some(lines[y]);
                    taken[y] = true;
                }
            }
        }
    }
    fn same_user(&self, a: &Row, b: &Row) -> bool {
        let list = &self.input.sessions.list;
        let (sa, sb) = (&list[a.session as usize], &list[b.session as usize]);
        match (&sa.account, &sb.account) {
            (Some(x), Some(y)) => {
                x.bare() == y.bare() || (sa.person.is_some() && sa.person == sb.person)
            }
            _ => {
                let chain = |s: u32| self.input.judgements.get(s as usize).map(|j| &*j.chain);
                chain(a.session) == chain(b.session)
                    || (sa.origin.address.is_some() && sa.origin.address == sb.origin.address)
            }
        }
    }
    /// What the operator says of the server behind a source. A directory is one of patients when it tells of more than staff.
    pub(super) fn server_of(&self, source: u32) -> fhir::Server<'_> {
        let entry = self.input.case.entry(source);
        fhir::Server {
            compare: entry.and_then(|e| e.compare.as_ref()),
            patients: entry.is_some_and(|e| e.tells.iter().any(|t| !t.starts_with("STAFF"))),
        }
    }
    /// Answers of the searches on Patient among `units`, found on all threads; a unit that is no such search has none.
    fn searched_ahead(&self, units: &[(Option<&Row>, Vec<&Row>)]) -> Vec<Option<replay::Answer>> {
        let base = self.input.identity;
        let mut out = vec![None; units.len()];
        if base.is_empty() || base.threads < 2 || units.len() < 2 {
            return out;
        }
        let asked: Vec<(usize, Expr, Nanos)> = units
            .iter()
            .enumerate()
            .filter_map(|(i, (line, group))| {
                let head = group.first().copied().or(*line)?;
                let server = self.server_of(self.input.case.source_of(head.file));
                match fhir::ask_as(base, url_of(*line, group), criteria_of(group), &server).what {
                    What::Patients(e) => Some((i, e, head.e.time)),
                    _ => None,
                }
            })
            .collect();
        let questions: Vec<(&Expr, Nanos)> = asked.iter().map(|(_, e, t)| (e, *t)).collect();
        let answers = replay::search_many(base, &questions, &|_| true, base.threads, HITS_AHEAD);
        for ((i, ..), a) in asked.iter().zip(answers) {
            out[*i] = a;
        }
        out
    }
    /// `found`: the answer, when the unit is a search that was asked ahead.
    #[allow(clippy::too_many_arguments)]
    fn unit(
        &mut self,
        line: Option<&Row>,
        group: &[&Row],
        found: Option<replay::Answer>,
        paged: &mut BTreeMap<(u32, String), Vec<PageSeen>>,
        last_search: &mut BTreeMap<u32, usize>,
        listed: &mut BTreeMap<u32, BTreeSet<u32>>,
        lone: &mut Vec<Lone>,
    ) {
        let all: Vec<&Row> = line.into_iter().chain(group.iter().copied()).collect();
        let Some(&head) = group.first().or(all.first()) else {
            return;
        };
        let sent = line.map_or(Sent::Whole, |l| Sent::of(&l.e));
        let cut = sent == Sent::Part;
        let weight = (line.filter(|l| l.e.bytes_in != NONE))
            .map(|l| (self.input.case.source_of(l.file), l.e.bytes_in));
        let refused = group.iter().any(|r| r.e.outcome == Outcome::Failure);
        let error = |r: &&Row| r.e.status != NONE && r.e.status >= 300;
        let answered = sent != Sent::Nothing
            && match line {
                Some(l) => !error(&l),
                None => !group.iter().any(error),
            };
        let base = self.input.identity;
        let source = self.input.case.source_of(head.file);
        let url = url_of(line, group);
        let method = line
            .map(|r| &*r.e.http_method)
            .filter(|m| !m.is_empty())
            .or_else(|| {
                group
                    .iter()
                    .map(|r| &*r.e.http_method)
                    .find(|m| !m.is_empty())
            })
            .unwrap_or("");
        if matches!(method, "HEAD" | "OPTIONS" | "CONNECT" | "TRACE") {
            return;
        }
        let host = line
            .and_then(|r| r.e.host_asked())
            .or_else(|| url_host(url))
            .unwrap_or("");
        let criteria = criteria_of(group);
        let verb = group.first().map_or(Verb::Request, |r| r.e.verb);
        let t = head.e.time;
        let endpoint = if url.is_empty() {
            None
        } else {
            self.catalog.endpoint(host, method, url)
        };
        let change = if verb.writes() {
            // The server's own word that it was done, whoever was still there to hear it.
            let done = group.iter().any(|r| r.e.outcome == Outcome::Success);
            (!refused && (answered || line.is_some())).then_some(answered || done)
        } else if !group.is_empty() || refused || self.passes_by(&all, method == "POST") {
            None
        } else if answered && !cut {
            let status = line.map_or(NONE, |l| l.e.status);
            writes::by_request(method, url, status, endpoint.is_some())
        } else {
            // Nobody heard whether it was done.
            line.filter(|l| sent::may_be_done(&l.e))
                .and_then(|_| writes::by_request(method, url, NONE, endpoint.is_some()))
                .map(|_| false)
        };
        if let Some(sure) = change {
            self.changed(&all, group, sure);
        }
        // An answer that began and was cut showed from nobody to everybody it would have named.
        if !cut && (refused || !answered) {
            return;
        }
        // Who corrects a part of a record may be shown all of it.
        let whole_record = method == "PATCH"
            && line.is_some_and(|l| l.e.status == 200 && l.e.bytes_in != 0)
            && matches!(fhir::ask(base, url, "").what, What::Read { .. });
        let writes = verb.writes() || change == Some(true);
        if writes && !whole_record {
            return;
        }
        let sure = !cut && !writes;
        let subjects: BTreeSet<String> = group
            .iter()
            .flat_map(|r| r.e.subject_list().map(str::to_string).collect::<Vec<_>>())
            .filter(|s| !replay::is_masked(s))
            .collect();
        let export = verb == Verb::Export || endpoint.as_ref().is_some_and(|e| e.endpoint.export);
        let verdict = if export {
            Verdict::Exfiltrated
        } else {
            Verdict::Consulted
        };
        let mut asked = fhir::ask_as(base, url, criteria, &self.server_of(source));
        let sent_more = |l: &Row| l.e.bytes_in != NONE && l.e.bytes_in > EMPTY_BUNDLE;
        if asked.paging.count == Some(0) && line.is_some_and(sent_more) {
            // A server that does not know a page of nothing.
            asked.paging.count = None;
            asked.shape.summary = None;
            asked.notes.push("_count".into());
        }
        let told = group.iter().map(|r| r.e.count).filter(|c| *c != NONE).max();
        let declared = endpoint.as_ref().map(|e| e.categories);
        let by_endpoint = |kind: &str, shape: &Shape, c: &Catalog<'_>| match declared {
            Some(d) => catalog::shaped(kind, d, shape),
            None => c.of_type(kind, shape),
        };

        // ---- searches and exports: who is in the answer must be found out.
        match &asked.what {
            What::Patients(e) if !is_body_search_without_criteria(method, url, criteria) => {
                let cats = by_endpoint("Patient", &asked.shape, &self.catalog);
                let added: CategorySet = asked
                    .included
                    .iter()
                    .flat_map(|k| {
                        self.catalog
                            .of_type(k, &asked.shape)
                            .iter()
                            .collect::<Vec<_>>()
                    })
                    .collect();
                let cats = cats.union(added);
                // What was asked of a directory, and beyond that what its names tell and what nobody knows.
                let (cats, unknown) = match group.iter().find_map(|r| r.e.extra_value(ATTRIBUTES)) {
                    Some(a) if ldap::is_filter(criteria) => ldap::shown(a, cats),
                    _ => (cats, CategorySet::EMPTY),
                };
                // Whether anything points to a match nobody knows.
                let pointing: CategorySet = (asked.pointing.iter())
                    .flat_map(|k| {
                        self.catalog
                            .of_type(k, &Shape::default())
                            .iter()
                            .collect::<Vec<_>>()
                    })
                    .collect();
                let counted = asked.shape.summary.as_deref() == Some("count");
                let open = if counted {
                    CategorySet::EMPTY
                } else {
                    pointing.union(unknown).without(cats)
                };
                let mut answer = found.unwrap_or_else(|| replay::search(base, e, t, &|_| true));
                let page = asked.paging.count.or(endpoint
                    .as_ref()
                    .and_then(|x| x.endpoint.page_size)
                    .map(u64::from));
                let mut e = e.clone();
                if !asked.notes.is_empty() {
                    // A parameter nobody could weigh makes matches possible only.
                    answer.possible.append(&mut answer.certain);
                    answer.possible.sort_unstable();
                } else if let Some(n) = told.filter(|n| page.is_none_or(|p| *n < p)) {
                    let readings = fhir::readings(base, url, criteria, &self.server_of(source));
                    if let Some(read) = self.only_reading(readings, n, t, head.session, source) {
                        (e, answer) = read;
                    }
                }
                self.reconcile(&mut answer, told, page, head.session, source);
                let access = self.access(
                    if export {
                        AccessKind::Export
                    } else {
                        AccessKind::Search
                    },
                    &all,
                    verdict,
                    false,
                );
                let one = e.names_one();
                self.named_in_search(&subjects, &e, &mut answer, access, source, cats, t, sure);
                if let (Some(l), Some(n), false) = (line, told, cut)
                    && n > 0
                    && l.e.bytes_in != NONE
                {
                    let shown = n.min(page.unwrap_or(n));
                    self.calibrate(self.input.case.source_of(l.file), l.e.bytes_in, shown);
                }
                let named = !subjects.is_empty()
                    && self
                        .input
                        .case
                        .entry(source)
                        .is_some_and(|s| s.shows_results == Some(true));
                if base.is_empty() && !named {
                    // No snapshot says who was in the answer: as many as a page or the told number allows.
                    let most = [page, told].into_iter().flatten().min();
                    if most != Some(0) {
                        lone.push(Lone {
                            access,
                            session: head.session,
                            line_source: self.input.case.source_of(line.unwrap_or(head).file),
                            bytes: line.map(|l| l.e.bytes_in).filter(|b| *b != NONE),
                            page: most,
                            categories: cats,
                        });
                    }
                    return;
                }
                let order = endpoint
                    .as_ref()
                    .and_then(|x| x.endpoint.order.as_deref())
                    .filter(|o| matches!(*o, "id" | "_id"))
                    .map(|_| Order::Id);
                let mut persons: BTreeSet<Who> = answer
                    .certain
                    .iter()
                    .map(|h| base.person_of(h.record))
                    .collect();
                let known_one = if one && persons.len() == 1 {
                    answer.certain.first().copied()
                } else {
                    None
                };
                let place = known_one.map(|h| self.place_of(h.version, source));
                self.out.questions.push(Question {
                    session: head.session,
                    source,
                    time: t,
                    one: persons
                        .pop_first()
                        .filter(|_| known_one.is_some())
                        .zip(place),
                    broad: !one,
                    access,
                });
                listed
                    .entry(head.session)
                    .or_default()
                    .extend(answer.certain.iter().map(|h| h.record));
                let seen = PageSeen {
                    access,
                    source,
                    categories: cats,
                    open,
                    expr: e,
                    answer,
                    paging: asked.paging.clone(),
                    size: page,
                    order,
                    cut,
                    weight,
                    told,
                };
                let key = (head.session, search_key(url, criteria));
                let list = paged.entry(key).or_default();
                list.push(seen);
                last_search.insert(head.session, list.len());
                return;
            }
            What::Page { .. } => {
                // A further page of an earlier answer: it belongs to the last search of the session, or of the one another log shows
                // of the same use.
                let chains = &self.input.sessions.chains;
                let chain = &chains[head.session as usize];
                let mine = paged
                    .iter_mut()
                    .filter(|(k, _)| k.0 == head.session || chains[k.0 as usize] == *chain)
                    .max_by_key(|(_, v)| v.last().map(|p| p.access));
                if let Some((_, list)) = mine
                    && let Some(p) = list.last().cloned()
                {
                    let access = self.access(AccessKind::Search, &all, verdict, false);
                    list.push(PageSeen {
                        access,
                        paging: Paging {
                            offset: asked
                                .paging
                                .offset
                                .or(Some(p.paging.offset.unwrap_or(0) + p.size.unwrap_or(0))),
                            ..asked.paging.clone()
                        },
                        size: asked.paging.count.or(p.size),
                        cut,
                        weight,
                        ..p
                    });
                } else {
                    let cats = by_endpoint("Patient", &asked.shape, &self.catalog);
                    lone.push(Lone::of(
                        self,
                        &all,
                        line,
                        verdict,
                        cats,
                        asked.paging.count,
                    ));
                }
                return;
            }
            What::Patients(_) => {
                // A search whose criteria nobody kept.
                let cats = by_endpoint("Patient", &asked.shape, &self.catalog);
                if subjects.is_empty() {
                    let page = endpoint.as_ref().and_then(|x| x.endpoint.page_size);
                    lone.push(Lone::of(
                        self,
                        &all,
                        line,
                        verdict,
                        cats,
                        page.map(u64::from),
                    ));
                } else {
                    let access = self.access(AccessKind::Search, &all, verdict, true);
                    for s in &subjects {
                        self.serve_named(s, t, access, source, cats, CategorySet::EMPTY, sure);
                    }
                }
                return;
            }
            What::Match => {
                let cats = by_endpoint("Patient", &asked.shape, &self.catalog);
                if subjects.is_empty() {
                    lone.push(Lone::of(
                        self,
                        &all,
                        line,
                        verdict,
                        cats,
                        asked.paging.count,
                    ));
                } else {
                    let access = self.access(AccessKind::Search, &all, verdict, true);
                    for s in &subjects {
                        self.serve_named(s, t, access, source, cats, CategorySet::EMPTY, sure);
                    }
                }
                return;
            }
            What::Pix { source: id, .. } => {
                let access = self.access(AccessKind::Read, &all, verdict, false);
                let cats = declared
                    .unwrap_or(CategorySet::of(&[Category::IdLocal, Category::IdNir]))
                    .intersect(CategorySet::of(&[Category::IdLocal, Category::IdNir]));
                let who = self.serve_named(id, t, access, source, cats, CategorySet::EMPTY, sure);
                self.out.questions.push(Question {
                    session: head.session,
                    source,
                    time: t,
                    one: who,
                    broad: false,
                    access,
                });
                return;
            }
            What::Export { group: None } if subjects.is_empty() => {
                let access = self.access(AccessKind::Export, &all, Verdict::Exfiltrated, false);
                let cats = by_endpoint("Patient", &asked.shape, &self.catalog);
                self.everybody(access, head.session, source, t, cats, sure);
                return;
            }
            What::Export { .. } if subjects.is_empty() => {
                let cats = by_endpoint("Patient", &asked.shape, &self.catalog);
                lone.push(Lone::of(self, &all, line, Verdict::Exfiltrated, cats, None));
                return;
            }
            _ => {}
        }

        // ---- one record or document.
        let mut cats = declared.unwrap_or_default();
        let mut named: BTreeSet<String> = subjects.clone();
        let mut kinds: Vec<String> = group
            .iter()
            .flat_map(|r| {
                r.e.object
                    .split('\n')
                    .map(str::to_string)
                    .collect::<Vec<_>>()
            })
            .filter_map(|o| {
                let mut it = o.split('/').rev();
                let last = it.next()?.to_string();
                let kind = it.find(|k| fhir::is_type(k)).map(str::to_string);
                kind.or(fhir::is_type(&last).then_some(last))
            })
            .collect();
        let mut broad = false;
        let mut followed = false;
        // What may have been shown beside.
        let mut beside = CategorySet::EMPTY;
        match &asked.what {
            What::Read {
                kind,
                id,
                everything,
            } => {
                // What stands around a record is there for some persons and not for others; what an endpoint is declared to show is
                // an upper list.
                if *everything && declared.is_none() {
                    beside = everything_set();
                }
                if kind == "Patient" {
                    let s = format!("Patient/{id}");
                    followed = base
                        .record_by_id(id)
                        .is_some_and(|r| listed.get(&head.session).is_some_and(|l| l.contains(&r)));
                    // The audit's own names are the same person; the URL's one names the record served.
                    if named.is_empty() || base.record_by_id(id).is_some() {
                        named = BTreeSet::from([s]);
                    }
                }
                kinds.push(kind.clone());
            }
            What::Others { kind, patients, .. } => {
                kinds.push(kind.clone());
                if asked.shape.summary.as_deref() != Some("count") {
                    // What is asked for beside the records is there for some and not for others.
                    let with_patient = asked.with_patient.then(|| "Patient".to_string());
                    for k in asked.pointing.iter().chain(&with_patient) {
                        beside = beside.union(self.catalog.of_type(k, &Shape::default()));
                    }
                }
                if named.is_empty() {
                    named.extend(patients.iter().cloned());
                    broad = patients.len() != 1;
                }
            }
            _ => {}
        }
        kinds.sort();
        kinds.dedup();
        if declared.is_none() {
            for k in &kinds {
                cats = cats.union(self.catalog.of_type(k, &asked.shape));
            }
            if kinds.is_empty() && !group.is_empty() {
                let code = group.iter().map(|r| r.e.code).find(|c| *c != NONE);
                let action = group.first().map_or("", |r| &*r.e.action);
                let code = code.map_or_else(|| digits(action), |c| c.to_string());
                cats = catalog::of_audit_code(&code);
                if cats.is_empty()
                    && !subjects.is_empty()
                    && group
                        .iter()
                        .any(|r| r.e.verb == Verb::Read || r.e.verb == Verb::Export)
                {
                    cats = self.catalog.of_type("Patient", &asked.shape);
                }
            }
        } else if let Some(d) = declared {
            cats = catalog::shaped(
                kinds.first().map_or("", String::as_str),
                cats.union(d),
                &asked.shape,
            );
        }
        // An endpoint of the application: its subject is declared, or a value of the request is an identifier of the base.
        let mut ambiguous = false;
        if named.is_empty()
            && let Some(hit) = &endpoint
        {
            named.extend(self.subject_of_endpoint(hit, url, criteria, source, t));
            // One number, several establishments: one of these persons was shown.
            ambiguous = hit.endpoint.subject.is_some() && named.len() > 1;
        }
        // An audit of a reading that does not name whose record: one of all it may have been.
        let unnamed = named.is_empty() && url.is_empty() && kinds.is_empty();
        if unnamed && matches!(verb, Verb::Read | Verb::Export) && !export {
            let held = self.may_hold(&[source], true);
            let cats = if cats.is_empty() {
                held
            } else {
                cats.union(held)
            };
            if !cats.is_empty() {
                lone.push(Lone::of(self, &all, line, verdict, cats, Some(1)));
            }
            return;
        }
        if cats.is_empty() && beside.is_empty() {
            // A bundle holds anything; another resource without categories holds nobody's data.
            if declared.is_none() && kinds.iter().all(|k| k == "Bundle") {
                self.undescribed(&all, line, url, criteria, &subjects, told);
            }
            return;
        }
        let list = endpoint.as_ref().is_some_and(|e| e.endpoint.list);
        if named.is_empty() {
            if export && (list || !kinds.is_empty() || declared.is_some()) {
                let access = self.access(AccessKind::Export, &all, Verdict::Exfiltrated, false);
                self.everybody(access, head.session, source, t, cats, sure);
            } else if list || declared.is_some() || !kinds.is_empty() {
                let size = endpoint
                    .as_ref()
                    .and_then(|x| x.endpoint.page_size)
                    .map(u64::from);
                let one = !list && matches!(asked.what, What::Read { .. } | What::Nothing);
                lone.push(Lone::of(
                    self,
                    &all,
                    line,
                    verdict,
                    cats.union(beside),
                    if one { Some(1) } else { size },
                ));
            }
            return;
        }
        let proven = !group.is_empty() && !subjects.is_empty()
            || matches!(&asked.what, What::Read { kind, .. } if kind == "Patient");
        let kind = if export {
            AccessKind::Export
        } else {
            AccessKind::Read
        };
        let access = self.access(kind, &all, verdict, proven);
        let mut who = None;
        let mut lost = 0;
        for s in &named {
            let sure = sure && !ambiguous;
            match self.serve_named(s, t, access, source, cats, CategorySet::EMPTY, sure) {
                Some(w) => who = Some(w),
                None => lost += 1,
            }
            let beside = beside.without(cats);
            if !beside.is_empty() {
                self.serve_named(s, t, access, source, beside, CategorySet::EMPTY, false);
            }
        }
        let cats = cats.union(beside);
        if lost > 0 {
            let (places, _) = self.rights(head.session);
            self.out.loose.push(Loose {
                access,
                places,
                categories: cats,
                up_to: lost,
            });
        }
        // Opening a record out of a list that was just shown names nobody anew.
        if !followed && !writes {
            self.out.questions.push(Question {
                session: head.session,
                source,
                time: t,
                one: who.filter(|_| named.len() == 1),
                broad: broad || named.len() > 1,
                access,
            });
        }
    }
    /// An answer of an address nobody described. Whom the request names may have been shown, with all that the place may hold; where
    /// it names nobody, or several that may be the ends of a range, so may as many as the bytes and the rights allow.
    fn undescribed(
        &mut self,
        rows: &[&Row],
        line: Option<&Row>,
        url: &str,
        criteria: &str,
        subjects: &BTreeSet<String>,
        told: Option<u64>,
    ) {
        let bytes = line.map(|l| l.e.bytes_in).filter(|b| *b != NONE);
        let no_content = line.is_some_and(|l| matches!(l.e.status, 204 | 205));
        if told == Some(0) || bytes == Some(0) || no_content {
            return;
        }
        let mut sources: Vec<u32> = rows
            .iter()
            .map(|r| self.input.case.source_of(r.file))
            .collect();
        sources.dedup();
        let passes = self.passes_by(rows, true);
        let held = self.may_hold(&sources, !passes && !undescribed::elsewhere(url));
        let silent = held.is_empty();
        let named_hold = match silent {
            // A number of the base is about a person wherever it stands.
            true => crate::coverage::every_category(),
            false => held,
        };
        let patients = undescribed::of_patients(named_hold);
        let head = rows[0];
        let (source, t) = (self.input.case.source_of(head.file), head.e.time);
        let (rights, absolute) = self.rights(head.session);
        let mut named = subjects.clone();
        let (mut numbers, mut telling): (Vec<String>, bool) = (vec![], true);
        for w in undescribed::words(url, criteria) {
            if numbers.iter().any(|n| n.contains(&w.text)) {
                continue;
            }
            let mut owners = self.owners_of_word(&w.text);
            // One number, several establishments: his who may be reached.
            let within = |s: &String| {
                let owner = s
                    .split_once('|')
                    .and_then(|(a, _)| self.out.places.owner(a));
                owner.is_none_or(|o| rights.contains(&o))
            };
            if !rights.is_empty() && owners.iter().any(within) {
                owners.retain(within);
            }
            if owners.is_empty() {
                continue;
            }
            telling &= w.telling;
            numbers.push(w.text);
            named.extend(owners);
        }
        // What an audit names is what was shown; of the numbers of a request only a single one says so.
        let all_named = !subjects.is_empty() || numbers.len() == 1 && telling;
        if named.is_empty() && (silent || undescribed::same_for_all(url)) {
            return;
        }
        let access = self.access(AccessKind::Read, rows, Verdict::Exposed, false);
        let (mut who, mut lost) = (BTreeSet::new(), 0);
        for s in &named {
            match self.serve_named(s, t, access, source, patients, CategorySet::EMPTY, false) {
                Some(w) => _ = who.insert(w),
                None => lost += 1,
            }
        }
        let up_to = match (all_named, undescribed::most_by_bytes(bytes)) {
            (true, _) => lost,
            (false, most) => [most, told, absolute]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(u64::MAX),
        };
        if up_to > 0 && !silent {
            self.out.loose.push(Loose {
                access,
                places: rights,
                categories: held,
                up_to,
            });
        }
        if all_named {
            self.out.questions.push(Question {
                session: head.session,
                source,
                time: t,
                one: who.first().copied().filter(|_| who.len() == 1),
                broad: who.len() > 1,
                access,
            });
        }
    }
    /// A log of what passes by, or of who comes in (when `doors`), is not the log of a place of data.
    fn passes_by(&self, rows: &[&Row], doors: bool) -> bool {
        rows.iter().all(|r| {
            let format = &self.input.sessions.list[r.session as usize].format;
            ampleur_sources::by_name(format).is_some_and(|s| match s.capability().silence {
                Silence::NoTransfer => true,
                Silence::NoPresence => doors,
                _ => false,
            })
        })
    }
    /// What the place behind these sources may hold: what they tell; every category of patients where nothing is declared of any
    /// source and this may be a place of data. Where others are declared to tell and these are not, nothing.
    pub(super) fn may_hold(&self, sources: &[u32], data: bool) -> CategorySet {
        let tells = |s: u32| {
            let entry = self.input.case.entry(s);
            entry.map_or(CategorySet::EMPTY, |e| {
                CategorySet::parse(&e.tells).unwrap_or_default()
            })
        };
        let told = sources
            .iter()
            .fold(CategorySet::EMPTY, |s, x| s.union(tells(*x)));
        let all = 0..self.input.case.sources.len() as u32;
        if !told.is_empty() || !data || all.into_iter().any(|s| !tells(s).is_empty()) {
            return told;
        }
        undescribed::of_patients(crate::coverage::every_category())
    }
    /// The persons of the base whose number or logical id a text is, as subjects.
    fn owners_of_word(&self, word: &str) -> Vec<String> {
        let base = self.input.identity;
        if word.contains('|') {
            return match base.records_named(word).is_empty() {
                true => vec![],
                false => vec![word.to_string()],
            };
        }
        let mut out = self.owners(word);
        if out.is_empty() && base.record_by_id(word).is_some() {
            out.push(format!("Patient/{word}"));
        }
        out
    }
    /// Persons an audit names in a search: absent from the criteria, they come from the answer and are proven.
    #[allow(clippy::too_many_arguments)]
    fn named_in_search(
        &mut self,
        subjects: &BTreeSet<String>,
        e: &Expr,
        answer: &mut Answer,
        access: u32,
        source: u32,
        cats: CategorySet,
        t: Nanos,
        certain: bool,
    ) {
        if subjects.is_empty() {
            return;
        }
        let base = self.input.identity;
        let in_criteria = e.names_one();
        for s in subjects {
            if in_criteria {
                // The row may repeat the question; the replay decides.
                continue;
            }
            let records = base.records_named(s);
            answer.possible.retain(|h| !records.contains(&h.record));
            answer.certain.retain(|h| !records.contains(&h.record));
            self.serve_named(s, t, access, source, cats, CategorySet::EMPTY, certain);
        }
        let sure = self
            .input
            .case
            .entry(source)
            .is_some_and(|s| s.shows_results == Some(true));
        if sure && !in_criteria {
            // The source names everybody returned: nobody else was.
            answer.certain.clear();
            answer.possible.clear();
        }
    }
    /// Of several readings of one search, the one that gives the number a log tells, and its answer, when no other can give it.
    fn only_reading(
        &mut self,
        readings: Vec<Expr>,
        told: u64,
        t: Nanos,
        session: u32,
        source: u32,
    ) -> Option<(Expr, Answer)> {
        let base = self.input.identity;
        // What the account may not see may be left out of the count.
        let (reach, absolute) = self.rights(session);
        if base.is_empty() || absolute.is_some() {
            return None;
        }
        let mut fitting = vec![];
        for e in readings {
            let a = replay::search(base, &e, t, &|_| true);
            let gives = |certain: usize, all: usize| (certain..=all).contains(&(told as usize));
            let mut within = |list: &[Hit]| {
                let place = |h: &&Hit| reach.contains(&self.place_of(h.version, source));
                list.iter().filter(place).count()
            };
            let fits = gives(a.certain.len(), a.len())
                || !reach.is_empty() && {
                    let certain = within(&a.certain);
                    gives(certain, certain + within(&a.possible))
                };
            if fits {
                fitting.push((e, a));
            }
        }
        let one = fitting.pop().filter(|_| fitting.is_empty())?;
        let (certain, all) = (one.1.certain.len() as u64, one.1.len() as u64);
        (told == certain || told == all).then_some(one)
    }
    /// The count a log tells decides who of the possible ones was there, when it can only be all or none of them.
    pub(super) fn reconcile(
        &mut self,
        a: &mut Answer,
        told: Option<u64>,
        page: Option<u64>,
        session: u32,
        source: u32,
    ) {
        let Some(n) = told else { return };
        let (c, p) = (a.certain.len() as u64, a.possible.len() as u64);
        if n == c {
            a.possible.clear();
        } else if n == c + p {
            a.certain.append(&mut a.possible);
            a.certain.sort_unstable();
        } else if n == 0 {
            a.certain.clear();
            a.possible.clear();
            self.out.disagreements += 1;
        } else if n < c {
            // Fewer came back than the replay says: nobody of them is sure, unless they are just those the account may see.
            let (reach, _) = self.rights(session);
            let (within, beyond): (Vec<Hit>, Vec<Hit>) = (a.certain.iter().copied())
                .partition(|h| reach.contains(&self.place_of(h.version, source)));
            if n == within.len() as u64 && page != Some(n) {
                a.certain = within;
                a.possible.extend(beyond);
            } else {
                a.possible.append(&mut a.certain);
                self.out.disagreements += 1;
            }
            a.possible.sort_unstable();
        } else if n > c + p {
            self.out.disagreements += 1;
        }
    }
    fn calibrate(&mut self, source: u32, bytes: u64, persons: u64) {
        let per = (bytes / persons.max(1)).max(1);
        let e = self.out.bytes_per_person.entry(source).or_insert(per);
        *e = (*e).min(per);
    }
    /// Subjects an endpoint's request names.
    fn subject_of_endpoint(
        &mut self,
        hit: &catalog::EndpointHit<'_>,
        url: &str,
        criteria: &str,
        source: u32,
        t: Nanos,
    ) -> Vec<String> {
        let base = self.input.identity;
        let (path, query) = fhir::split_url(url);
        let mut pairs = fhir::pairs(query);
        pairs.extend(fhir::pairs(criteria));
        let value = match &hit.endpoint.subject {
            Some(s) => match (&hit.path_id, &s.query) {
                (Some(v), _) => Some(v.clone()),
                (None, Some(q)) => pairs.iter().find(|(k, _)| k == q).map(|(_, v)| v.clone()),
                _ => None,
            }
            .map(|v| (v, s.authority.clone())),
            None => None,
        };
        if let Some((v, authority)) = value {
            if let Some((a, x)) = v.split_once('|') {
                return vec![format!("{}|{x}", crate::identity::oid(a))];
            }
            return match authority.as_deref() {
                Some(a) if a != "*" => vec![format!("{}|{v}", crate::identity::oid(a))],
                _ => match self.unique_owner(&v, source) {
                    Some(s) => vec![s],
                    None => self.owners(&v),
                },
            };
        }
        if hit.endpoint.subject.is_some() {
            return vec![];
        }
        // Without a declared subject: a path segment or query value that is an identifier of the base.
        let mut out = vec![];
        let segments: Vec<String> = path
            .split('/')
            .map(|s| fhir::percent_decode(s, false))
            .collect();
        for v in segments
            .into_iter()
            .chain(pairs.into_iter().map(|(_, v)| v))
        {
            if v.len() < 4 {
                continue;
            }
            if v.contains('|') {
                if !base.records_named(&v).is_empty() {
                    out.push(v);
                }
            } else if let Some(s) = self.unique_owner(&v, source) {
                out.push(s);
            } else if let Some(r) = base.record_by_id(&v) {
                let _ = (r, t);
                out.push(format!("Patient/{v}"));
            }
        }
        out.sort();
        out.dedup();
        out
    }
    /// Every `authority|value` the base has for a bare identifier, sorted.
    fn owners(&self, value: &str) -> Vec<String> {
        let base = self.input.identity;
        let mut out: Vec<String> = base
            .versions_with(None, value)
            .into_iter()
            .flat_map(|v| base.id_rows(v).to_vec())
            .filter(|i| base.text(i.value) == value)
            .map(|i| format!("{}|{value}", base.text(i.system)))
            .collect();
        out.sort();
        out.dedup();
        out
    }
    /// `authority|value` when one person has the bare identifier, in the establishment of the source first.
    fn unique_owner(&mut self, value: &str, source: u32) -> Option<String> {
        let base = self.input.identity;
        let place = self.source_place(source);
        let mut owners: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for v in base.versions_with(None, value) {
            for i in base.id_rows(v) {
                if base.text(i.value) == value {
                    owners
                        .entry(base.text(i.system).to_string())
                        .or_default()
                        .insert(base.person_of(base.version(v).record));
                }
            }
        }
        if let Some(p) = place {
            let mine: Vec<&String> = owners
                .keys()
                .filter(|a| self.out.places.owner(a) == Some(p))
                .collect();
            if let [one] = mine[..] {
                return Some(format!("{one}|{value}"));
            }
        }
        let persons: BTreeSet<u32> = owners.values().flatten().copied().collect();
        if persons.len() == 1 {
            owners.keys().next().map(|a| format!("{a}|{value}"))
        } else {
            None
        }
    }
    /// An export without criteria: the population then, limited by rights (contract §D).
    fn everybody(
        &mut self,
        access: u32,
        session: u32,
        source: u32,
        t: Nanos,
        cats: CategorySet,
        sure: bool,
    ) {
        let (rights, _) = self.rights(session);
        let own = self.source_place(source);
        let answer = replay::search(self.input.identity, &Expr::Known(true), t, &|_| true);
        // Whose population it was must be known: by rights, by the source, or because there is one establishment only.
        let whose = sure && (!rights.is_empty() || own.is_some() || self.out.places.ids.len() == 1);
        for (hits, certain) in [(answer.certain, whose), (answer.possible, false)] {
            for h in hits {
                let place = self.place_of(h.version, source);
                let allowed = if rights.is_empty() {
                    own.is_none_or(|o| o == place)
                } else {
                    rights.contains(&place)
                };
                if allowed {
                    self.serve(h, access, source, cats, CategorySet::EMPTY, certain);
                }
            }
        }
        if self.input.identity.is_empty() {
            self.out.loose.push(Loose {
                access,
                places: rights,
                categories: cats,
                up_to: u64::MAX,
            });
        }
    }
    /// Serves searches page by page: all pages seen, or a known order, prove each match; else each is possible (contract §D).
    pub(super) fn pages(&mut self, paged: BTreeMap<(u32, String), Vec<PageSeen>>) {
        for (_, list) in paged {
            // The same question asked again hours later is another answer: pages belong together within an hour.
            let mut runs: Vec<Vec<PageSeen>> = vec![];
            for p in list {
                let t = self.out.accesses[p.access as usize].time;
                let joins = runs.last().is_some_and(|r| {
                    r.last().is_some_and(|q| {
                        t - self.out.accesses[q.access as usize].time <= HOUR
                            && p.paging.offset.or(p.paging.page).is_some()
                    })
                });
                if joins {
                    if let Some(r) = runs.last_mut() {
                        r.push(p);
                    }
                } else {
                    runs.push(vec![p]);
                }
            }
            for run in runs {
                self.run_of_pages(run);
            }
        }
    }
    fn run_of_pages(&mut self, run: Vec<PageSeen>) {
        let n = run.iter().map(|p| p.answer.len()).max().unwrap_or(0) as u64;
        let mut covered: Vec<(u64, u64)> = run
            .iter()
            .map(|p| match p.size {
                // Of a page that was cut nobody knows how much was shown.
                _ if p.cut => (0, 0),
                None => (0, u64::MAX),
                Some(size) => {
                    let from = p.paging.begin(size);
                    (from, from.saturating_add(size))
                }
            })
            .collect();
        covered.sort_unstable();
        let (mut reach, mut shown) = (0u64, 0u64);
        let mut whole = true;
        for (a, b) in &covered {
            let (a, b) = (*a.min(&n), *b.min(&n));
            if a > reach {
                whole = false;
            }
            shown += b.saturating_sub(a.max(reach));
            reach = reach.max(b);
        }
        let whole = whole && reach >= n;
        let base = self.input.identity;
        // With a known order and nobody doubtful, each page is a slice.
        let in_order = |p: &PageSeen| match (&p.order, &p.paging.sorted) {
            _ if !p.answer.possible.is_empty() => None,
            (Some(order), _) => order.sorted(base, &p.answer.certain),
            (None, Some(by)) if by == "_id" => Order::Id.sorted(base, &p.answer.certain),
            _ => None,
        };
        let slices: Option<Vec<Vec<Hit>>> = if whole {
            None
        } else {
            run.iter().map(in_order).collect()
        };
        if let Some(slices) = slices {
            for (p, order) in run.iter().zip(slices) {
                let size = p.size.unwrap_or(u64::MAX);
                let from = p.paging.begin(size);
                for h in order
                    .into_iter()
                    .skip(usize::try_from(from).unwrap_or(usize::MAX))
                    .take(usize::try_from(size).unwrap_or(usize::MAX))
                {
                    let known = p.expr.known(base, h.version);
                    self.serve(h, p.access, p.source, p.categories, known, !p.cut);
                    if !p.open.is_empty() {
                        self.serve(h, p.access, p.source, p.open, known, false);
                    }
                }
            }
            return;
        }
        // All pages of one question are one access that cites every page.
        let Some(widest) = run.iter().max_by_key(|p| (p.answer.len(), p.access)) else {
            return;
        };
        let access = run[0].access;
        if run.len() > 1 {
            let (mut evidence, mut sessions) = (vec![], vec![]);
            for p in &run {
                let a = &self.out.accesses[p.access as usize];
                evidence.extend(a.evidence.iter().copied());
                sessions.extend(a.sessions.iter().copied());
            }
            evidence.sort_unstable();
            evidence.dedup();
            sessions.sort_unstable();
            sessions.dedup();
            let a = &mut self.out.accesses[access as usize];
            a.evidence = evidence;
            a.sessions = sessions;
        }
        for (h, certain) in widest
            .answer
            .certain
            .iter()
            .map(|h| (h, whole))
            .chain(widest.answer.possible.iter().map(|h| (h, false)))
        {
            let known = widest.expr.known(base, h.version);
            self.serve(*h, access, widest.source, widest.categories, known, certain);
            if !widest.open.is_empty() {
                self.serve(*h, access, widest.source, widest.open, known, false);
            }
        }
        if !whole && shown > 0 {
            // So many records were shown, whoever they were.
            self.some_of(
                access,
                widest.source,
                &widest.answer.certain,
                widest.answer.possible.len() as u64,
                shown,
                widest.categories,
            );
        }
    }
    /// `shown` of these records were served and nobody knows which: per establishment the fewest persons that must be among them.
    fn some_of(
        &mut self,
        access: u32,
        source: u32,
        certain: &[Hit],
        possible: u64,
        shown: u64,
        cats: CategorySet,
    ) {
        if self.out.accesses[access as usize].doubtful {
            return;
        }
        let base = self.input.identity;
        let verdict = self.out.accesses[access as usize].verdict;
        let mut by_place: BTreeMap<PlaceId, BTreeMap<Who, u64>> = BTreeMap::new();
        // A category counts only where the record held it.
        let mut held: BTreeMap<PlaceId, CategorySet> = BTreeMap::new();
        for h in certain {
            let place = self.place_of(h.version, source);
            *by_place
                .entry(place)
                .or_default()
                .entry(base.person_of(h.record))
                .or_default() += 1;
            let both = self
                .held_of(h.version, cats)
                .intersect(self.held_of(h.other, cats));
            let e = held.entry(place).or_insert(both);
            *e = e.intersect(both);
        }
        let total = certain.len() as u64 + possible;
        for (place, persons) in by_place {
            let here: u64 = persons.values().sum();
            let must = shown.saturating_sub(total - here);
            let mut counts: Vec<u64> = persons.values().copied().collect();
            counts.sort_unstable_by(|a, b| b.cmp(a));
            let (mut left, mut fewest) = (must, 0);
            for c in counts {
                if left == 0 {
                    break;
                }
                fewest += 1;
                left = left.saturating_sub(c);
            }
            if fewest > 0 {
                self.out.partials.push(Partial {
                    access,
                    place,
                    categories: held.get(&place).copied().unwrap_or_default(),
                    verdict,
                    candidates: persons.into_keys().collect(),
                    at_least: fewest,
                });
            }
        }
    }
    /// Requests whose answer nobody kept: each may have shown as many persons as a page or its bytes allow.
    fn lone(&mut self, lone: Vec<Lone>) {
        for l in lone {
            let per = self.out.bytes_per_person.get(&l.line_source).copied();
            let by_bytes = match (l.bytes, per) {
                // Half of the smallest answer ever seen per person leaves room for one smaller still.
                (Some(b), Some(p)) => Some(b / (p / 2).max(1) + 1),
                _ => None,
            };
            let up_to = match (l.page, by_bytes) {
                (Some(p), Some(b)) => p.min(b),
                (Some(p), None) => p,
                (None, Some(b)) => b,
                (None, None) => u64::MAX,
            };
            let (places, absolute) = self.rights(l.session);
            let up_to = absolute.map_or(up_to, |a| up_to.min(a));
            self.out.loose.push(Loose {
                access: l.access,
                places,
                categories: l.categories,
                up_to,
            });
        }
    }

    /// A create, update or delete of a record; `sure`: it was done, else it may have been.
    fn changed(&mut self, all: &[&Row], group: &[&Row], sure: bool) {
        let doubtful = !sure
            || all
                .iter()
                .all(|r| self.verdict(r.session) != SessionVerdict::Intruder);
        let evidence = cited(all);
        let head = all[0];
        let source = self.input.case.source_of(head.file);
        let mut subjects: BTreeSet<String> = group
            .iter()
            .flat_map(|r| r.e.subject_list().map(str::to_string).collect::<Vec<_>>())
            .collect();
        if subjects.is_empty()
            && let What::Read { kind, id, .. } =
                &fhir::ask(self.input.identity, &head.e.url, "").what
            && kind == "Patient"
        {
            subjects.insert(format!("Patient/{id}"));
        }
        let mut who: Vec<(Who, PlaceId)> = vec![];
        for s in &subjects {
            if let Some(w) = self.people.of_subject(s) {
                let place = self.place_of_subject(s, w, source);
                who.push((w, place));
            }
        }
        let mut any = false;
        for r in all {
            // An audit may tell of one field under several of its entities.
            let lines: BTreeSet<&str> = r.e.changes.split('\n').collect();
            for l in lines.into_iter().filter(|l| !l.is_empty()) {
                let mut it = l.split('\u{1f}');
                let field = it.next().unwrap_or("").to_string();
                let before = it.next().map(str::to_string);
                let after = it.next().map(str::to_string);
                any = true;
                self.out.changes.push(Changed {
                    session: r.session,
                    time: r.e.time,
                    who: who.clone(),
                    field,
                    before: before.filter(|s| !s.is_empty()),
                    after: after.filter(|s| !s.is_empty()),
                    evidence: evidence.clone(),
                    doubtful,
                });
            }
        }
        if any {
            return;
        }
        // Whose record it is stands there, if not what was written.
        if !who.is_empty() {
            self.out.changes.push(Changed {
                session: head.session,
                time: head.e.time,
                who,
                field: thing(&group.first().unwrap_or(&head).e),
                before: None,
                after: None,
                evidence,
                doubtful,
            });
        } else if doubtful {
            self.out.possible_writes += 1;
        } else {
            self.out.other_writes += 1;
        }
    }
}

/// Marks those of the answers of one kind that weigh too little for what they should hold.
fn cut_short(paged: &mut BTreeMap<(u32, String), Vec<PageSeen>>) {
    let mut kinds: BTreeMap<(u32, CategorySet), Vec<(u64, u64)>> = BTreeMap::new();
    // What a page should hold; nobody knows where some were found that may not be there.
    let holds = |p: &PageSeen| {
        let (source, bytes) = p.weight.filter(|_| !p.cut)?;
        let all = match p.told {
            Some(n) => n,
            None if p.answer.possible.is_empty() => p.answer.certain.len() as u64,
            None => return None,
        };
        let size = p.size.unwrap_or(u64::MAX);
        let n = all.saturating_sub(p.paging.begin(size).min(all)).min(size);
        Some(((source, p.categories), (n, bytes)))
    };
    for p in paged.values().flatten() {
        if let Some((kind, answer)) = holds(p) {
            kinds.entry(kind).or_default().push(answer);
        }
    }
    let mut short: BTreeMap<(u32, CategorySet), std::vec::IntoIter<bool>> = (kinds.into_iter())
        .map(|(k, answers)| (k, short::short(&answers).into_iter()))
        .collect();
    // In the order they were weighed in.
    for p in paged.values_mut().flatten() {
        if let Some((kind, _)) = holds(p) {
            p.cut = short
                .get_mut(&kind)
                .and_then(Iterator::next)
                .unwrap_or(false);
        }
    }
}

/// The kind of thing a record names beside the person (`Appointment`), else what it calls the act.
fn thing(e: &Event<'_>) -> String {
    let kind = e.object.split([',', ';', ' ', '\n']).next().unwrap_or("");
    let kind = kind.split_once('/').map_or("", |k| k.0);
    if kind.is_empty() {
        e.action.to_string()
    } else {
        kind.to_string()
    }
}

/// A request whose answer nobody kept.
struct Lone {
    access: u32,
    session: u32,
    line_source: u32,
    bytes: Option<u64>,
    page: Option<u64>,
    categories: CategorySet,
}

impl Lone {
    fn of(
        w: &mut Work<'_, '_, '_>,
        rows: &[&Row],
        line: Option<&Row>,
        verdict: Verdict,
        categories: CategorySet,
        page: Option<u64>,
    ) -> Lone {
        let access = w.access(AccessKind::Search, rows, verdict, false);
        Lone {
            access,
            session: rows[0].session,
            line_source: w.input.case.source_of(line.unwrap_or(rows[0]).file),
            bytes: line.map(|l| l.e.bytes_in).filter(|b| *b != NONE),
            page,
            categories,
        }
    }
}

fn everything_set() -> CategorySet {
    CategorySet::of(&[
        Category::CareDate,
        Category::CareUnit,
        Category::CarePro,
        Category::CarePlace,
        Category::CareReason,
        Category::HealthState,
        Category::HealthResult,
        Category::HealthDrug,
        Category::HealthAct,
        Category::HealthAllergy,
        Category::HealthDoc,
    ])
}

/// Method and path of a row, for joining two logs of one request.
fn path_key(e: &Event<'_>) -> String {
    // The audit of a change names the record, or the patient alone when the record is his.
    let named = || match (&*e.object, &*e.subjects) {
        ("", s) if e.verb.writes() && s.starts_with("Patient/") && !s.contains('\n') => s,
        (o, _) => o,
    };
    let url = if e.url.is_empty() { named() } else { &*e.url };
    let (path, _) = fhir::split_url(url);
    let path = fhir::percent_decode(path, false);
    // The audit may know the resource only (`Patient/7`), the proxy the full path (`/fhir/Patient/7`).
    let from = path.split('/').position(fhir::is_type);
    let path = match from {
        Some(i) => path.split('/').skip(i).collect::<Vec<_>>().join("/"),
        None => path.trim_matches('/').to_string(),
    };
    path.trim_end_matches('/').to_string()
}

fn url_host(url: &str) -> Option<&str> {
    let rest = &url[url.find("://")? + 3..];
    Some(&rest[..rest.find(['/', '?']).unwrap_or(rest.len())])
}

/// Runs of groups and lines that hang together by who may belong to whom, `(distance, group, line)`, each ascending, with the number of
/// those pairs; `groups` of them there are.
fn together(near: &[(Nanos, usize, usize)], groups: usize) -> Vec<(Vec<usize>, Vec<usize>, usize)> {
    let lines = near.iter().map(|n| n.2 + 1).max().unwrap_or(0);
    let mut parent: Vec<usize> = (0..groups + lines).collect();
    fn root(parent: &mut [usize], mut i: usize) -> usize {
        while parent[i] != i {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        i
    }
    for (_, x, y) in near {
        let (x, y) = (root(&mut parent, *x), root(&mut parent, groups + y));
        parent[x.max(y)] = x.min(y);
    }
    let mut out: BTreeMap<usize, (Vec<usize>, Vec<usize>, usize)> = BTreeMap::new();
    for i in 0..parent.len() {
        let run = out.entry(root(&mut parent, i)).or_default();
        match i.checked_sub(groups) {
            None => run.0.push(i),
            Some(y) => run.1.push(y),
        }
    }
    for (_, x, _) in near {
        if let Some(run) = out.get_mut(&root(&mut parent, *x)) {
            run.2 += 1;
        }
    }
    out.into_values().filter(|run| run.2 > 0).collect()
}

/// What makes two pages one question: the criteria without paging.
fn search_key(url: &str, criteria: &str) -> String {
    let (_, query) = fhir::split_url(url);
    let mut pairs = fhir::pairs(query);
    if criteria != query {
        pairs.extend(fhir::pairs(criteria));
    }
    pairs.retain(|(k, _)| {
        !matches!(
            k.as_str(),
            "_count"
                | "_offset"
                | "_page"
                | "page"
                | "offset"
                | "count"
                | "_getpagesoffset"
                | "_format"
                | "_total"
        )
    });
    pairs.sort();
    pairs.dedup();
    pairs
        .into_iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect::<Vec<_>>()
        .join("&")
}

fn digits(s: &str) -> String {
    s.chars().filter(char::is_ascii_digit).collect()
}

fn is_body_search_without_criteria(method: &str, url: &str, criteria: &str) -> bool {
    let (path, query) = fhir::split_url(url);
    criteria.is_empty()
        && (method.eq_ignore_ascii_case("POST") || path.ends_with("_search"))
        && !fhir::pairs(query).iter().any(|(k, _)| !k.starts_with('_'))
}

/// The request target of an access: the proxy's, else the audit's.
fn url_of<'r>(line: Option<&'r Row>, group: &[&'r Row]) -> &'r str {
    line.map(|r| &*r.e.url)
        .filter(|u| !u.is_empty())
        .or_else(|| group.iter().map(|r| &*r.e.url).find(|u| !u.is_empty()))
        .unwrap_or("")
}

/// Parameters of a search, without those of paging and form.
fn asked_by(url: &str, criteria: &str) -> BTreeSet<(String, String)> {
    let (_, query) = fhir::split_url(url);
    let all = fhir::pairs(query).into_iter().chain(fhir::pairs(criteria));
    all.filter(|(k, _)| !k.starts_with('_') || k == "_id")
        .collect()
}

/// Whether the request of a proxy's line asks what an audit told; `None` when either does not say.
fn same_question(
    asked: &BTreeSet<(String, String)>,
    told: &BTreeSet<(String, String)>,
) -> Option<bool> {
    if asked.is_empty() || told.is_empty() {
        return None;
    }
    // A value may be cut or written otherwise; a parameter that says another thing may not.
    let other = |(k, v): &(String, String)| {
        let mut of_key = told.iter().filter(|t| t.0 == *k).peekable();
        of_key.peek().is_some()
            && !of_key.any(|(_, w)| w.eq_ignore_ascii_case(v) || v.starts_with(&**w))
    };
    Some(!asked.iter().any(other))
}

/// The search parameters an audit kept.
fn criteria_of<'r>(group: &[&'r Row]) -> &'r str {
    group
        .iter()
        .map(|r| &*r.e.query)
        .find(|q| !q.is_empty())
        .unwrap_or("")
}
