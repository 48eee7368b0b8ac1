//! Files read, shares opened or taken whole, what left the network of it, and what a published list shows.
use super::{Access, AccessKind, EvidenceRef, Partial, Row, Touch, Work};
use crate::{
    catalog,
    files::{self, Inventory, short_host},
    leak::LeakMatch,
    people::{PlaceId, Who},
};
use ampleur_event::{
    Category, Nanos, Outcome, SessionVerdict, System, Verb, Verdict, Window,
    batch::NONE,
    category::CategorySet,
    session::Session,
    time::{DAY, HOUR, MINUTE, NO_TIME, SECOND},
};
use ampleur_query::{DoorError, Select};
use ampleur_session::net::{Net, is_private};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Bytes of one flow to a file server that need not be files or their names: negotiation, attributes, signing, directory reads
/// that were repeated. Listings are counted apart, by what the inventory says there is to list.
const SHARE_OVERHEAD: u64 = 512 << 10;
/// One entry of a directory listing without its name ([MS-FSCC] §2.4.8, FileBothDirectoryInformation), rounded up to its alignment.
const LISTED_ENTRY: u64 = 112;
/// How long after a session a copy it made may still leave.
const LEAVES: Nanos = 3 * DAY;

impl<'a> Work<'a, '_, '_> {
    pub(super) fn files(&mut self, rows: &[Row], at: &[usize]) -> Result<(), DoorError> {
        // Files read, per session; and shares connected to.
        let mut read: BTreeMap<u32, Vec<(usize, Vec<u32>)>> = BTreeMap::new();
        let mut connected: BTreeMap<(u32, String), Vec<usize>> = BTreeMap::new();
        let mut named_in: BTreeSet<(u32, String)> = BTreeSet::new();
        for i in at {
            let r = &rows[*i];
            let e = &r.e;
            if e.outcome == Outcome::Failure {
                continue;
            }
            match e.verb {
                Verb::ShareConnect => {
                    if let Some(s) =
                        Inventory::share_named(&self.roots, &e.host, &e.share, &e.file_path)
                    {
                        connected.entry((r.session, s)).or_default().push(*i);
                    }
                }
                Verb::FileRead => {
                    let found =
                        self.input
                            .inventory
                            .find(&self.roots, &e.host, &e.share, &e.file_path);
                    if let Some(s) =
                        Inventory::share_named(&self.roots, &e.host, &e.share, &e.file_path)
                    {
                        named_in.insert((r.session, s));
                    }
                    read.entry(r.session).or_default().push((*i, found));
                }
                _ => {
                    if self.verdict(r.session) == SessionVerdict::Intruder {
                        self.out.other_writes += 1;
                    } else {
                        self.out.possible_writes += 1;
                    }
                }
            }
        }
        let mut theft: Vec<(u32, String, Vec<usize>)> = vec![];
        for ((s, share), list) in connected {
            if !named_in.contains(&(s, share.clone())) && !self.names_files(&share, s) {
                theft.push((s, share, list));
            }
        }
        let sessions: BTreeSet<u32> = read
            .keys()
            .copied()
            .chain(theft.iter().map(|t| t.0))
            .collect();
        if sessions.is_empty() {
            return Ok(());
        }
        let flows = self.flows_of(&sessions)?;
        for (s, list) in &read {
            let mut distinct: BTreeSet<u32> = BTreeSet::new();
            for (_, f) in list {
                if let [one] = f[..] {
                    distinct.insert(one);
                }
            }
            let bytes: u64 = distinct
                .iter()
                .filter_map(|f| self.input.inventory.files[*f as usize].size)
                .sum();
            let left = self.bytes_out(*s, &flows);
            let verdict = if left > 0 && left >= bytes {
                Verdict::Exfiltrated
            } else {
                Verdict::Consulted
            };
            let before = self.out.touches.len();
            for (i, found) in list {
                self.file_read(&rows[*i], found, verdict);
            }
            if verdict == Verdict::Consulted && self.more_may_have_left(*s) {
                self.may_have_left(before);
            }
        }
        self.thefts(rows, theft, &flows);
        Ok(())
    }
    fn file_read(&mut self, row: &Row, found: &[u32], verdict: Verdict) {
        let source = self.input.case.source_of(row.file);
        match found {
            [] => {
                // A file nobody listed: its share may say what such files hold, not whose.
                let share = Inventory::share_named(
                    &self.roots,
                    &row.e.host,
                    &row.e.share,
                    &row.e.file_path,
                );
                let Some(share) = share else { return };
                let cats = self.share_categories(&share);
                if cats.is_empty() {
                    return;
                }
                // A folder of listed files, or what the system itself writes beside them, holds nobody.
                let path = files::local(&row.e.file_path);
                if self.is_folder(&row.e.host, &share, &path) || no_document(&path) {
                    return;
                }
                let access = self.access(AccessKind::File, &[row], verdict, false);
                self.anybody(access, source, cats);
            }
            [one] => {
                let access = self.access(AccessKind::File, &[row], verdict, true);
                self.file_subjects(*one, access, source, true);
            }
            many => {
                let access = self.access(AccessKind::File, &[row], verdict, false);
                for f in many {
                    self.file_subjects(*f, access, source, false);
                }
            }
        }
    }
    /// True when a path that nobody listed is a folder: the root of a share, or one in which listed files lie.
    fn is_folder(&mut self, host: &str, share: &str, path: &str) -> bool {
        let inventory = self.input.inventory;
        let folders = self
            .folders
            .entry(share.to_string())
            .or_insert_with(|| inventory.folders_of(share));
        let path = path.trim_matches('\\');
        let mut rest = Some(path).filter(|p| !p.is_empty());
        // A local root may stand before it.
        while let Some(p) = rest {
            if folders.contains(p) {
                return true;
            }
            rest = p.split_once('\\').map(|(_, below)| below);
        }
        path.is_empty() || self.roots.lie_below(host, path)
    }
    /// Persons of a file, touched. Returned are those the inventory is sure of, with their categories.
    fn file_subjects(
        &mut self,
        file: u32,
        access: u32,
        source: u32,
        certain: bool,
    ) -> Vec<(Who, PlaceId, CategorySet)> {
        let inv = self.input.inventory;
        let mut out = vec![];
        for s in inv.subjects(file) {
            let text = inv.strings.get(s.subject);
            let Some(who) = self.people.of_subject(text) else {
                continue;
            };
            let place = self.place_of_subject(text, who, source);
            let derived = catalog::derived(s.categories)
                .into_iter()
                .map(|d| d.0)
                .collect();
            self.touch(who, place, access, s.categories, derived, certain && s.sure);
            if s.sure {
                out.push((who, place, s.categories));
            }
        }
        if inv.files[file as usize].open {
            // Nobody could read all of it: anybody may be inside.
            let mut categories = self.share_categories(inv.share_of(file));
            categories.insert(Category::FreeFile);
            self.anybody(access, source, categories);
        }
        out
    }
    fn share_categories(&self, share: &str) -> CategorySet {
        self.input
            .case
            .context
            .shares
            .iter()
            .filter(|s| files::share_key(&s.path) == share)
            .filter_map(|s| CategorySet::parse(&s.categories).ok())
            .fold(CategorySet::EMPTY, CategorySet::union)
    }
    /// True when the machine of a share writes file names for anybody: then silence about files means none were read.
    fn names_files(&self, share: &str, session: u32) -> bool {
        let host = share
            .trim_start_matches('\\')
            .split('\\')
            .next()
            .unwrap_or("");
        let list = &self.input.sessions.list;
        let source = list[session as usize].source;
        list.iter()
            .any(|s| s.source == source && short_host(&s.host) == host && s.counts.files > 0)
    }
    /// Flows that start at the addresses of these sessions.
    fn flows_of(&self, sessions: &BTreeSet<u32>) -> Result<Vec<FlowRow>, DoorError> {
        let list = &self.input.sessions.list;
        let addresses: BTreeSet<String> = sessions
            .iter()
            .filter_map(|s| list[*s as usize].origin.address)
            .map(|a| a.to_string())
            .collect();
        let mut out = vec![];
        if addresses.is_empty() {
            return Ok(out);
        }
        let input = self.input;
        let mut columns = ampleur_session::KEY_COLUMNS.to_vec();
        columns.extend(["record", "dst_port", "bytes_in", "bytes_out", "duration_ms"]);
        input.door.scan_columns(
            &Select {
                verbs: vec![Verb::Flow],
                addresses: addresses.iter().cloned().collect(),
                ..Select::default()
            },
            &columns,
            &mut |file, batch| {
                for e in batch.iter() {
                    let (Ok(src), Ok(dst)) = (e.src_ip.parse(), e.dst_ip.parse()) else {
                        continue;
                    };
                    if e.outcome == Outcome::Failure || !addresses.contains(&*e.src_ip) {
                        continue;
                    }
                    let ms = if e.duration_ms == NONE {
                        0
                    } else {
                        e.duration_ms
                    };
                    out.push(FlowRow {
                        at: EvidenceRef {
                            file,
                            record: e.record,
                        },
                        src,
                        dst,
                        port: e.dst_port,
                        from: e.time.saturating_sub(
                            i64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000),
                        ),
                        to: e.time,
                        sent: if e.bytes_out == NONE { 0 } else { e.bytes_out },
                        back: if e.bytes_in == NONE { 0 } else { e.bytes_in },
                        legitimate: input
                            .sessions
                            .of_event(file, &e)
                            .and_then(|s| input.judgements.get(s as usize))
                            .is_some_and(|j| j.verdict == SessionVerdict::Legitimate),
                    });
                }
            },
        )?;
        out.sort_by_key(|f| (f.from, f.at));
        // A line delivered twice is one flow.
        out.dedup_by(|a, b| {
            (a.src, a.dst, a.port, a.from, a.to, a.sent, a.back)
                == (b.src, b.dst, b.port, b.from, b.to, b.sent, b.back)
        });
        Ok(out)
    }
    fn is_inside(&self, a: IpAddr) -> bool {
        is_private(a)
            || self
                .input
                .case
                .context
                .establishments
                .iter()
                .flat_map(|e| &e.networks)
                .any(|n| holds(n, a))
    }
    /// What a session carried out may be more than is counted: its tunnel was never closed in the log, or a log that counts bytes has a
    /// gap while its copies may have left.
    fn more_may_have_left(&self, s: u32) -> bool {
        let list = &self.input.sessions.list;
        let me = &list[s as usize];
        let copying = Window::new(me.from, me.to.saturating_add(LEAVES).saturating_add(1));
        self.input.uncounted.iter().any(|w| w.overlaps(&copying))
            || self.doors_of(s).iter().any(|o| {
                let o = &list[*o as usize];
                is_tunnel(o) && !o.closed && o.counts.bytes_out == 0
            })
    }
    /// Persons of the touches from `before` on may have been carried out: for nobody is it established.
    fn may_have_left(&mut self, before: usize) {
        let mut by: BTreeMap<(PlaceId, u32, u16, u16), BTreeSet<Who>> = BTreeMap::new();
        let established = |t: &&Touch| t.verdict == Verdict::Consulted;
        for t in self.out.touches[before..].iter().filter(established) {
            by.entry((t.place, t.access, t.shown, t.derived))
                .or_default()
                .insert(t.who);
        }
        for ((place, access, shown, derived), who) in by {
            let categories = self.out.sets[shown as usize].union(self.out.sets[derived as usize]);
            self.out.partials.push(Partial {
                access,
                place,
                categories,
                verdict: Verdict::Exfiltrated,
                candidates: who.into_iter().collect(),
                at_least: 0,
            });
        }
    }
    /// A session and the doors that made it possible: upwards through the links of sessions that are not legitimate.
    fn doors_of(&self, s: u32) -> BTreeSet<u32> {
        let mut outer: BTreeSet<u32> = BTreeSet::from([s]);
        loop {
            let more: Vec<u32> = self
                .input
                .sessions
                .links
                .iter()
                .filter(|l| {
                    l.certainty >= 0.5 && outer.contains(&l.inner) && !outer.contains(&l.outer)
                })
                .map(|l| l.outer)
                .filter(|o| self.is_bad(*o))
                .collect();
            if more.is_empty() {
                break;
            }
            outer.extend(more);
        }
        outer
    }
    /// Bytes that left through the tunnel of a session's chain, or from the machine it worked on.
    fn bytes_out(&self, s: u32, flows: &[FlowRow]) -> u64 {
        let list = &self.input.sessions.list;
        let me = &list[s as usize];
        let outer = self.doors_of(s);
        let tunnels: u64 = outer
            .iter()
            .map(|o| &list[*o as usize])
            .filter(|o| is_tunnel(o))
            .map(|o| o.counts.bytes_out)
            .sum();
        let mut hosts: BTreeSet<IpAddr> = me.origin.address.into_iter().collect();
        hosts.extend(outer.iter().filter_map(|o| list[*o as usize].inner));
        let first_bad = (0..list.len() as u32)
            .filter(|x| self.verdict(*x) == SessionVerdict::Intruder)
            .map(|x| list[x as usize].from)
            .min()
            .unwrap_or(me.from);
        // Where the machine already sent before the intruder came is its own work.
        let usual: BTreeSet<IpAddr> = flows
            .iter()
            .filter(|f| f.to < first_bad && hosts.contains(&f.src))
            .map(|f| f.dst)
            .collect();
        let direct: u64 = flows
            .iter()
            .filter(|f| {
                hosts.contains(&f.src)
                    && !self.is_inside(f.dst)
                    && !f.legitimate
                    && !usual.contains(&f.dst)
                    && f.to >= me.from
                    && f.from <= me.to.saturating_add(LEAVES)
            })
            .map(|f| f.sent)
            .sum();
        tunnels
            .max(direct)
            .max(me.counts.bytes_out.min(u64::MAX / 2) * u64::from(me.inner.is_some()))
    }
    /// Thefts seen at share level only: bytes, no names.
    fn thefts(&mut self, rows: &[Row], theft: Vec<(u32, String, Vec<usize>)>, flows: &[FlowRow]) {
        let servers = self.server_addresses(flows, &theft);
        let mut by_share: BTreeMap<String, Haul> = BTreeMap::new();
        let mut taken: BTreeSet<EvidenceRef> = BTreeSet::new();
        for (s, share, list) in theft {
            let me = &self.input.sessions.list[s as usize];
            let host = share
                .trim_start_matches('\\')
                .split('\\')
                .next()
                .unwrap_or("")
                .to_string();
            let sure = self.verdict(s) == SessionVerdict::Intruder;
            let e = by_share.entry(share).or_default();
            e.list.extend(list);
            e.sure |= sure;
            let Some(dst) = servers.get(&host) else {
                continue;
            };
            let mut mine = vec![];
            // Of the flows between the two machines, those that begin with the session; others are of another use.
            for f in flows.iter().filter(|f| {
                Some(f.src) == me.origin.address
                    && f.dst == *dst
                    && is_share_port(f.port)
                    && (f.from - me.from).abs() <= 10 * MINUTE
                    && f.to <= me.to.saturating_add(HOUR)
            }) {
                let nearest = self
                    .input
                    .sessions
                    .list
                    .iter()
                    .enumerate()
                    .filter(|(_, o)| {
                        short_host(&o.host) == host && o.origin.address == me.origin.address
                    })
                    .min_by_key(|(i, o)| ((f.from - o.from).abs(), *i))
                    .map(|(i, _)| i as u32);
                if nearest == Some(s) && taken.insert(f.at) {
                    mine.push(f.back);
                    e.flows.insert(f.at);
                }
            }
            if sure {
                e.sessions.push(mine);
            }
        }
        for (share, haul) in by_share {
            let rs: Vec<&Row> = haul.list.iter().map(|i| &rows[*i]).collect();
            let source = self.input.case.source_of(rs[0].file);
            let verdict = Verdict::Exfiltrated;
            let access = self.access(AccessKind::ShareTheft, &rs, verdict, false);
            self.out.accesses[access as usize]
                .evidence
                .extend(haul.flows.iter().copied());
            let inv = self.input.inventory;
            let files = inv.files_of_share(&share);
            if files.is_empty() {
                let cats = self.share_categories(&share);
                if !cats.is_empty() {
                    self.anybody(access, source, cats);
                }
                continue;
            }
            let mut held: Vec<(u64, Vec<u32>)> = vec![];
            let mut sized = true;
            let mut listed = 0u64;
            let mut groups: BTreeMap<(PlaceId, CategorySet), BTreeSet<Who>> = BTreeMap::new();
            for f in files {
                sized &= inv.files[f as usize].size.is_some();
                let name = inv.strings.get(inv.files[f as usize].path).chars().count() as u64;
                listed = listed.saturating_add(LISTED_ENTRY + 2 * name);
                let who = self.file_subjects(f, access, source, false);
                let mut ids: Vec<u32> = who.iter().map(|w| w.0).collect();
                ids.sort_unstable();
                ids.dedup();
                held.push((inv.files[f as usize].size.unwrap_or(0), ids));
                for (w, p, c) in who {
                    groups.entry((p, c)).or_default().insert(w);
                }
            }
            if !haul.sure {
                continue;
            }
            let listing = listed.saturating_mul(2);
            let payload = haul.payload(listing);
            let fewest = if sized {
                files::fewest_persons(&held, payload)
            } else {
                0
            };
            // With one kind of file the bound holds for its categories; with several, only for those all files share.
            let common = groups
                .keys()
                .map(|k| k.1)
                .reduce(CategorySet::intersect)
                .unwrap_or_default();
            let mut by_place: BTreeMap<PlaceId, BTreeSet<Who>> = BTreeMap::new();
            let mut union: BTreeMap<PlaceId, CategorySet> = BTreeMap::new();
            for ((p, c), w) in &groups {
                by_place.entry(*p).or_default().extend(w);
                let u = union.entry(*p).or_default();
                *u = u.union(*c);
            }
            let single = by_place.len() == 1;
            for (p, w) in by_place {
                let all = union.get(&p).copied().unwrap_or_default();
                // Of the others, whoever a file holds that has them.
                let mut others: BTreeMap<Vec<Who>, CategorySet> = BTreeMap::new();
                for category in all.without(common).iter() {
                    let holds = |k: &PlaceId, c: &CategorySet| *k == p && c.contains(category);
                    let who: BTreeSet<Who> = groups
                        .iter()
                        .filter(|((k, c), _)| holds(k, c))
                        .flat_map(|(_, w)| w.iter().copied())
                        .collect();
                    others
                        .entry(who.into_iter().collect())
                        .or_default()
                        .insert(category);
                }
                let least = if single { fewest } else { 0 };
                let shared = (w.into_iter().collect(), common, least);
                let others = others.into_iter().map(|(who, cats)| (who, cats, 0));
                for (candidates, categories, at_least) in std::iter::once(shared).chain(others) {
                    if !categories.is_empty() {
                        self.out.partials.push(Partial {
                            access,
                            place: p,
                            categories,
                            verdict,
                            candidates,
                            at_least,
                        });
                    }
                }
            }
        }
    }
    /// Addresses of file servers: known from the logs, else the address to which flows begin when sessions there begin.
    fn server_addresses(
        &self,
        flows: &[FlowRow],
        theft: &[(u32, String, Vec<usize>)],
    ) -> BTreeMap<String, IpAddr> {
        let list = &self.input.sessions.list;
        let mut out = BTreeMap::new();
        let mut votes: BTreeMap<String, BTreeMap<IpAddr, u64>> = BTreeMap::new();
        for (_, share, _) in theft {
            let host = share
                .trim_start_matches('\\')
                .split('\\')
                .next()
                .unwrap_or("")
                .to_string();
            if out.contains_key(&host) || votes.contains_key(&host) {
                continue;
            }
            let known = self.input.sessions.machines.get(&host);
            if let Some(a) = known.filter(|k| k.len() == 1).and_then(|k| k.first()) {
                out.insert(host, *a);
                continue;
            }
            let mut v: BTreeMap<IpAddr, u64> = BTreeMap::new();
            for s in list.iter().filter(|s| short_host(&s.host) == host) {
                let Some(src) = s.origin.address else {
                    continue;
                };
                let from = flows.partition_point(|f| f.from < s.from - 2 * MINUTE);
                for f in flows[from..]
                    .iter()
                    .take_while(|f| f.from <= s.from + 2 * MINUTE)
                {
                    if f.src == src && is_share_port(f.port) {
                        // Nearer in time is likelier; a minute apart is a tenth as good.
                        let d = (f.from - s.from).abs() / SECOND;
                        *v.entry(f.dst).or_default() += 1000 / (1 + d.unsigned_abs());
                    }
                }
            }
            votes.insert(host, v);
        }
        // Each address is one machine: the strongest claim first.
        let mut claims: Vec<(u64, String, IpAddr)> = votes
            .iter()
            .flat_map(|(h, v)| v.iter().map(|(a, n)| (*n, h.clone(), *a)))
            .collect();
        claims.sort_by(|a, b| (b.0, &a.1, a.2).cmp(&(a.0, &b.1, b.2)));
        let mut given: BTreeSet<IpAddr> = out.values().copied().collect();
        for (_, h, a) in claims {
            if !out.contains_key(&h) && given.insert(a) {
                out.insert(h, a);
            }
        }
        out
    }
    /// Shares of which a file was published that no log shows him taking: their logs do not tell everything.
    fn stolen_unseen(&self, rows: &[Row]) -> BTreeSet<String> {
        let inventory = self.input.inventory;
        let leaked: BTreeSet<u32> = self
            .input
            .leaks
            .iter()
            .filter_map(|l| match crate::leak::find(inventory, l) {
                LeakMatch::File(f) => Some(f),
                _ => None,
            })
            .collect();
        if leaked.is_empty() {
            return BTreeSet::new();
        }
        let mut seen: BTreeSet<u32> = BTreeSet::new();
        let mut moved: BTreeSet<String> = BTreeSet::new();
        for r in rows {
            match r.e.verb {
                Verb::FileRead | Verb::FileRename => {
                    seen.extend(inventory.find(&self.roots, &r.e.host, &r.e.share, &r.e.file_path))
                }
                // Only the share is logged, not its files: the flow says how much was taken.
                Verb::ShareConnect => {
                    let share = Inventory::share_named(&self.roots, &r.e.host, &r.e.share, "");
                    moved.extend(share);
                }
                _ => {}
            }
        }
        let read: BTreeSet<&str> = seen.iter().map(|f| inventory.share_of(*f)).collect();
        leaked
            .iter()
            .filter(|f| !seen.contains(*f))
            .map(|f| inventory.share_of(*f))
            .filter(|share| read.contains(share) || !moved.contains(*share))
            .map(str::to_string)
            .collect()
    }
    /// Shares nobody logs, or whose log is silent for a time in which he was there, and that the intruder could reach: everybody in
    /// them is exposed.
    pub(super) fn unlogged_shares(&mut self, rows: &[Row]) {
        let stolen_unseen = self.stolen_unseen(rows);
        let list = &self.input.sessions.list;
        let bad: Vec<u32> = (0..list.len() as u32).filter(|s| self.is_bad(*s)).collect();
        // Only somebody inside the network reaches a file share.
        let inside: Vec<u32> = bad
            .iter()
            .copied()
            .filter(|s| {
                let x = &list[*s as usize];
                x.inner.is_some()
                    || x.account.as_ref().is_some_and(|a| {
                        matches!(a.system, System::Ad | System::Smb | System::Host)
                    })
            })
            .collect();
        if inside.is_empty() {
            // Somebody nobody knows took what was published, and perhaps the rest of the share.
            for share in stolen_unseen {
                self.share_within_reach(&share, None);
            }
            return;
        }
        let mut shares: BTreeSet<String> = self.input.inventory.shares().into_iter().collect();
        shares.extend(
            self.input
                .case
                .context
                .shares
                .iter()
                .map(|s| files::share_key(&s.path)),
        );
        let hosts: BTreeSet<String> = list.iter().map(|s| short_host(&s.host)).collect();
        for share in shares {
            let host = share
                .trim_start_matches('\\')
                .split('\\')
                .next()
                .unwrap_or("")
                .to_string();
            let logged = hosts.contains(&host) || self.input.logged_hosts.contains(&host);
            let silent = self.input.silent_hosts.contains(&host) || stolen_unseen.contains(&share);
            if host.is_empty() || logged && !silent {
                continue;
            }
            let address = self.input.sessions.machines.get(&host);
            let reach = |s: &u32| {
                let Some(a) = &list[*s as usize].account else {
                    return true;
                };
                let limits: Vec<&String> = self
                    .input
                    .case
                    .context
                    .accounts
                    .iter()
                    .filter(|e| ampleur_event::Account::parse(&e.name).key() == a.key())
                    .flat_map(|e| &e.may_reach)
                    .collect();
                limits.is_empty()
                    || address
                        .is_none_or(|l| l.iter().any(|ip| limits.iter().any(|n| holds(n, *ip))))
            };
            let Some(by) = inside.iter().find(|s| reach(s)).copied() else {
                continue;
            };
            self.share_within_reach(&share, Some(by));
        }
    }
    /// Everybody in a share is exposed: to a session, or to somebody whose session nobody knows.
    fn share_within_reach(&mut self, share: &str, by: Option<u32>) {
        let files = self.input.inventory.files_of_share(share);
        self.out
            .blind_shares
            .push((share.to_string(), !files.is_empty()));
        if files.is_empty() {
            return;
        }
        let (time, source) = by.map_or((NO_TIME, 0), |by| {
            let s = &self.input.sessions.list[by as usize];
            (s.from, s.source)
        });
        self.out.accesses.push(Access {
            time,
            kind: AccessKind::ShareReach,
            sessions: by.into_iter().collect(),
            doubtful: true,
            verdict: Verdict::Exposed,
            proven: false,
            evidence: vec![],
            source,
        });
        let access = (self.out.accesses.len() - 1) as u32;
        for f in files {
            self.file_subjects(f, access, source, false);
        }
    }
    pub(super) fn leaks(&mut self) {
        for l in self.input.leaks {
            let (found, certain) = match crate::leak::find(self.input.inventory, l) {
                LeakMatch::None => continue,
                LeakMatch::File(f) => (vec![f], true),
                LeakMatch::Among(f) => (f, false),
            };
            self.out.accesses.push(Access {
                time: NO_TIME,
                kind: AccessKind::Leak,
                sessions: vec![],
                doubtful: false,
                verdict: Verdict::Leaked,
                proven: certain,
                evidence: vec![],
                source: 0,
            });
            let access = (self.out.accesses.len() - 1) as u32;
            let mut holds: Vec<BTreeSet<(Who, PlaceId)>> = vec![];
            let mut cats = CategorySet::EMPTY;
            for f in &found {
                holds.push(
                    self.file_subjects(*f, access, 0, certain)
                        .into_iter()
                        .map(|(w, p, _)| (w, p))
                        .collect(),
                );
                for s in self.input.inventory.subjects(*f) {
                    cats = cats.union(s.categories);
                }
            }
            if !certain {
                // One of the files was published: at least the fewest persons of one of them.
                let least = holds.iter().map(BTreeSet::len).min().unwrap_or(0) as u64;
                let all: BTreeSet<(Who, PlaceId)> = holds.into_iter().flatten().collect();
                let places: BTreeSet<PlaceId> = all.iter().map(|x| x.1).collect();
                for p in &places {
                    self.out.partials.push(Partial {
                        access,
                        place: *p,
                        categories: cats,
                        verdict: Verdict::Leaked,
                        candidates: all.iter().filter(|x| x.1 == *p).map(|x| x.0).collect(),
                        at_least: if places.len() == 1 { least } else { 0 },
                    });
                }
            }
        }
    }
}

/// What one session moved from one share.
#[derive(Debug, Default)]
struct Haul {
    /// The records that show the share being opened.
    list: Vec<usize>,
    /// Per session judged intruder: bytes of each flow towards it.
    sessions: Vec<Vec<u64>>,
    /// Some session judged intruder opened it.
    sure: bool,
    flows: BTreeSet<EvidenceRef>,
}

impl Haul {
    /// Bytes of file content that some one session must have moved. A second session may have read the same files again, so
    /// sessions are not added up. `listing`: bytes that listing the whole share moves once.
    fn payload(&self, listing: u64) -> u64 {
        let overhead = SHARE_OVERHEAD.saturating_add(listing);
        let one = |s: &Vec<u64>| s.iter().map(|b| b.saturating_sub(overhead)).sum::<u64>();
        let most = self.sessions.iter().map(one).max().unwrap_or(0);
        // Framing and acknowledgements take a few hundredths of a flow; a twentieth is above them.
        most - most / 20
    }
}

#[derive(Debug, Clone)]
struct FlowRow {
    at: EvidenceRef,
    src: IpAddr,
    dst: IpAddr,
    port: u64,
    from: Nanos,
    to: Nanos,
    sent: u64,
    back: u64,
    legitimate: bool,
}

/// A way into the network, which counts what passes.
fn is_tunnel(s: &Session) -> bool {
    s.account.as_ref().is_some_and(|a| a.system == System::Vpn) || s.inner.is_some()
}

/// True when the network (or one address) holds the address.
fn holds(net: &str, a: IpAddr) -> bool {
    Net::parse(net).is_some_and(|n| n.contains(a))
}

/// Files of the system in any folder.
fn no_document(path: &str) -> bool {
    let leaf = path.rsplit('\\').next().unwrap_or(path);
    matches!(leaf, "desktop.ini" | "thumbs.db" | ".ds_store" | "." | "..")
}

fn is_share_port(p: u64) -> bool {
    matches!(p, 445 | 139 | 2049)
}
