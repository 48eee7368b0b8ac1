//! One case judged in memory and held against its truth: whose each session was, what was said of it, what simple rules would have
//! said instead. No lake and no extent: fast enough for hundreds of seeds.
use crate::truth::Truth;
use ampleur_detect::{
    Judged, Word,
    habit::Habits,
    judge,
    live::{Live, TICK},
};
use ampleur_event::{Account, EventBatch, Session, SessionVerdict};
use ampleur_query::MemoryDoor;
use ampleur_session::{FileIntake, List, Sessions};
use ampleur_sources::{
    Source,
    case::{Case, FileId},
    reader::{FileSink, Limits, Piece, SinkError, read_file},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

struct Take<'a> {
    case: &'a Case,
    file: FileId,
    intake: Option<FileIntake>,
    batches: Vec<(FileId, EventBatch)>,
}

impl FileSink for Take<'_> {
    fn begin(
        &mut self,
        _file: FileId,
        source: Option<&'static dyn Source>,
    ) -> Result<(), SinkError> {
        let format = source.map_or("unknown", |s| s.name());
        self.intake = Some(FileIntake::new(self.case, self.file, format));
        Ok(())
    }
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), SinkError> {
        if let Some(i) = &mut self.intake {
            i.push(piece.events);
        }
        self.batches.push((self.file, std::mem::take(piece.events)));
        Ok(())
    }
}

/// A judged case.
pub struct Ran {
    /// Folders whose format no decoder knows.
    pub unknown: BTreeSet<String>,
    pub case: Case,
    pub sessions: Sessions,
    pub judged: Judged,
    pub door: MemoryDoor,
    /// Format of each file.
    pub formats: BTreeMap<FileId, &'static str>,
}

/// Decodes and judges the case folder `root`.
///
/// # Errors
/// When the case cannot be opened or read, in words.
pub fn run(root: &Path, word: &Word) -> Result<Ran, String> {
    let case = Case::open(root).map_err(|e| format!("open case: {e}"))?;
    let mut door = MemoryDoor::default();
    let mut partials = vec![];
    let mut unknown = BTreeSet::new();
    let mut formats = BTreeMap::new();
    for f in 0..case.files.len() as FileId {
        let mut sink = Take {
            case: &case,
            file: f,
            intake: None,
            batches: vec![],
        };
        let report = read_file(&case, f, &Limits::default(), &mut sink)
            .map_err(|e| format!("read file: {e}"))?;
        formats.insert(f, report.format);
        if report.format == "unknown" {
            let rel = &case.files[f as usize].rel;
            unknown.insert(rel.rsplit_once('/').map_or("", |p| p.0).to_string());
        }
        if let Some(i) = sink.intake {
            partials.push(i.finish());
        }
        door.batches.extend(sink.batches);
    }
    let sessions = Sessions::build(&case, partials);
    let judged = judge(&case, &sessions, &Habits::default(), &door, word)
        .map_err(|e| format!("judge: {e}"))?;
    Ok(Ran {
        unknown,
        case,
        sessions,
        judged,
        door,
        formats,
    })
}

/// The events of a case one by one, as they would have arrived; rows without time first.
pub fn stream(r: &Ran) -> Vec<(i64, FileId, EventBatch)> {
    let mut out = vec![];
    for (file, b) in &r.door.batches {
        for e in b.iter() {
            let mut one = EventBatch::default();
            one.push(&e);
            let t = if e.time == ampleur_event::time::NO_TIME {
                i64::MIN
            } else {
                e.time
            };
            out.push((t, *file, one));
        }
    }
    out.sort_by_key(|(t, file, _)| (*t, *file));
    out
}

/// Watches the case as a stream from `start` (UTC nanoseconds) on: the tick of the first alarm after it, `None` if there is none.
/// Ticks are [`TICK`] apart for the first hundred with news, then wider: the answer is late by at most one step.
pub fn first_alarm(r: &Ran, start: i64) -> Option<i64> {
    let events = stream(r);
    let mut live = Live::new(Habits::default(), Word::default()).remembering(i64::MAX / 4);
    let (mut at, mut now, mut ticks) = (0, start, 0u32);
    let mut alarmed = None;
    while at < events.len() || ticks == 0 {
        let before = at;
        while at < events.len() && events[at].0 < now {
            let (_, file, one) = &events[at];
            live.push(
                &r.case,
                *file,
                r.formats.get(file).copied().unwrap_or(""),
                one,
            );
            at += 1;
        }
        if at > before || ticks == 0 {
            let told = live.tick(&r.case, now);
            if ticks > 0 && !told.is_empty() {
                alarmed = Some(now);
                break;
            }
            ticks += 1;
        }
        now += TICK
            * match ticks {
                0..100 => 1,
                100..200 => 20,
                _ => 720,
            };
    }
    alarmed
}

/// An account as truths compare it: without system, domain and realm, lower case; a professional number without its leading 8.
pub fn norm(a: &str) -> String {
    let a = a.trim();
    let a = a.split_once(':').map_or(a, |x| x.1).replace('/', "\\");
    let a = a
        .rsplit('\\')
        .next()
        .unwrap_or("")
        .split('@')
        .next()
        .unwrap_or("")
        .to_lowercase();
    if a.len() == 12 && a.starts_with('8') && a.bytes().all(|b| b.is_ascii_digit()) {
        a[1..].to_string()
    } else {
        a
    }
}

fn instant(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>()
        .map_or(0, |t| t.as_nanosecond() as i64)
}

/// Whose a session was, as far as the truth tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Intruder,
    Innocent,
    /// Of an account the intruder used, at a time or place the truth does not list.
    Unlisted,
    /// No account.
    Nobody,
}

/// The truth beside every session of the answer.
pub struct Key {
    pub whose: Vec<Whose>,
    /// Numbers of the truth's intruder sessions each session shows.
    pub shows: Vec<BTreeSet<u32>>,
    /// Numbers of the intruder sessions some decoded log tells of.
    pub visible: BTreeSet<u32>,
    usurped: BTreeSet<String>,
    names: BTreeMap<String, BTreeSet<String>>,
}

impl Key {
    pub fn new(r: &Ran, truth: &Truth) -> Key {
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut usurped = BTreeSet::new();
        for a in &truth.accounts {
            let n = norm(&a.account);
            let mut g: BTreeSet<String> = a.aliases.iter().map(|x| norm(x)).collect();
            g.insert(n.clone());
            for x in &g {
                names.entry(x.clone()).or_default().extend(g.clone());
            }
            if a.verdict == "usurped" {
                usurped.insert(n);
            }
        }
        for p in &r.case.context.persons {
            let g: BTreeSet<String> = p.accounts.iter().map(|a| norm(a)).collect();
            for x in &g {
                names.entry(x.clone()).or_default().extend(g.clone());
            }
        }
        let mut k = Key {
            whose: vec![],
            shows: vec![],
            visible: BTreeSet::new(),
            usurped,
            names,
        };
        let skewed = truth.sources.iter().any(|s| s.clock_offset_ms != 0);
        let slack = if skewed { 3600 } else { 120 } * 1_000_000_000i64;
        let mut by: BTreeMap<String, Vec<(i64, i64, usize)>> = BTreeMap::new();
        for (i, s) in truth.sessions.iter().enumerate() {
            by.entry(norm(&s.account)).or_default().push((
                instant(&s.from) - slack,
                instant(&s.to) + slack,
                i,
            ));
        }
        // Logs that name another account than the one at work (a firewall knows the tunnel's) or none show a session too.
        let mut at: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (n, s) in truth.sessions.iter().enumerate() {
            if s.actor == "intruder" {
                for a in [&s.address, &s.inner].into_iter().flatten() {
                    at.entry(a.clone()).or_default().push(n);
                }
            }
        }
        let keys: Vec<&str> = r
            .case
            .sources
            .iter()
            .map(|d| {
                let key = truth.sources.iter().find(|s| s.files == d.name);
                key.map_or("", |s| s.key.as_str())
            })
            .collect();
        for (i, x) in r.sessions.list.iter().enumerate() {
            let (whose, mut shows) = k.of(x, truth, &by);
            let unnamed = x.account.is_none() || r.sessions.is_flow(i);
            if let Some(a) = x.origin.address
                && unnamed
                && whose != Whose::Innocent
            {
                let near = at.get(&a.to_string()).into_iter().flatten();
                shows.extend(
                    near.map(|n| &truth.sessions[*n])
                        .filter(|s| s.sources.iter().any(|y| y == keys[x.source as usize]))
                        .filter(|s| {
                            instant(&s.from) - slack <= x.from && x.to <= instant(&s.to) + slack
                        })
                        .map(|s| s.id),
                );
            }
            k.whose.push(whose);
            k.shows.push(shows);
        }
        let blind = |key: &String| {
            r.unknown
                .iter()
                .any(|u| u.rsplit('/').next() == Some(key.as_str()))
        };
        k.visible = truth
            .sessions
            .iter()
            .filter(|s| s.actor == "intruder" && s.visible)
            .filter(|s| s.sources.is_empty() || !s.sources.iter().all(blind))
            .map(|s| s.id)
            .collect();
        k
    }

    fn all_names(&self, a: &str) -> BTreeSet<String> {
        let mut n = self.names.get(a).cloned().unwrap_or_default();
        n.insert(a.to_string());
        n
    }

    fn of(
        &self,
        x: &Session,
        truth: &Truth,
        by: &BTreeMap<String, Vec<(i64, i64, usize)>>,
    ) -> (Whose, BTreeSet<u32>) {
        let Some(account) = x.account.as_ref().map(|a| norm(&a.to_string())) else {
            return (Whose::Nobody, BTreeSet::new());
        };
        let names = self.all_names(&account);
        let address = x.origin.address.map(|a| a.to_string());
        let fits: Vec<usize> = names
            .iter()
            .filter_map(|n| by.get(n))
            .flatten()
            .filter(|(a, b, _)| *a <= x.to && *b >= x.from)
            .map(|(_, _, i)| *i)
            .filter(|i| {
                let s = &truth.sessions[*i];
                address.as_ref().is_none_or(|a| {
                    s.address.is_none()
                        || s.address.as_ref() == Some(a)
                        || s.inner.as_ref() == Some(a)
                })
            })
            .collect();
        let bad: BTreeSet<u32> = fits
            .iter()
            .map(|i| &truth.sessions[*i])
            .filter(|s| s.actor == "intruder")
            .map(|s| s.id)
            .collect();
        let whose = if !bad.is_empty() {
            Whose::Intruder
        } else if !fits.is_empty() || names.is_disjoint(&self.usurped) {
            Whose::Innocent
        } else {
            Whose::Unlisted
        };
        (whose, bad)
    }

    /// Counts of one way of judging. `doubt` counts for recall, never for precision.
    pub fn tally(&self, verdicts: &[SessionVerdict]) -> Tally {
        let mut t = Tally {
            visible: self.visible.len() as u64,
            ..Tally::default()
        };
        let (mut said, mut found) = (BTreeSet::new(), BTreeSet::new());
        for (i, v) in verdicts.iter().enumerate() {
            if *v == SessionVerdict::Legitimate {
                continue;
            }
            found.extend(self.shows[i].iter().copied());
            if *v == SessionVerdict::Doubtful {
                t.doubtful += u64::from(self.whose[i] != Whose::Nobody);
                t.doubtful_innocent += u64::from(self.whose[i] == Whose::Innocent);
                continue;
            }
            said.extend(self.shows[i].iter().copied());
            if self.whose[i] == Whose::Nobody {
                continue;
            }
            t.said += 1;
            match self.whose[i] {
                Whose::Intruder => t.right += 1,
                Whose::Innocent => t.accused += 1,
                _ => {}
            }
        }
        t.found = found.intersection(&self.visible).count() as u64;
        t.named = said.intersection(&self.visible).count() as u64;
        t
    }
}

/// Counts of sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Said to be the intruder's; of these right, and innocents'.
    pub said: u64,
    pub right: u64,
    pub accused: u64,
    pub doubtful: u64,
    pub doubtful_innocent: u64,
    /// The truth's intruder sessions some log tells of; of these told at least as doubtful, and told as the intruder's.
    pub visible: u64,
    pub found: u64,
    pub named: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, o: Tally) {
        self.said += o.said;
        self.right += o.right;
        self.accused += o.accused;
        self.doubtful += o.doubtful;
        self.doubtful_innocent += o.doubtful_innocent;
        self.visible += o.visible;
        self.found += o.found;
        self.named += o.named;
    }
}

/// What the answer got wrong, in words where a person must look.
#[derive(Debug, Default)]
pub struct Report {
    pub tally: Tally,
    pub accused: Vec<String>,
    pub accounts_accused: Vec<String>,
    pub missed: Vec<String>,
    /// Numbers of these in the truth, in the same order.
    pub missed_ids: Vec<u32>,
    pub cut_missed: Vec<String>,
    pub overcut: Vec<String>,
    /// Labels that mix two thieves.
    pub mixed: usize,
    pub doubts: Vec<String>,
    pub unmatched: Vec<String>,
    /// Employees' curiosity: in the truth, in the answer.
    pub internal: (BTreeSet<String>, BTreeSet<String>),
}

/// The answer against the truth, session by session and account by account.
pub fn compare(r: &Ran, truth: &Truth) -> Report {
    let k = Key::new(r, truth);
    let verdicts: Vec<SessionVerdict> = r.judged.judgements.iter().map(|j| j.verdict).collect();
    let mut rep = Report {
        tally: k.tally(&verdicts),
        ..Report::default()
    };
    let thief: BTreeMap<u32, &Option<String>> = truth
        .sessions
        .iter()
        .map(|s| (s.id, &s.intrusion))
        .collect();
    let mut found: BTreeSet<u32> = BTreeSet::new();
    let mut labels: BTreeMap<String, BTreeSet<&Option<String>>> = BTreeMap::new();
    for (i, v) in verdicts.iter().enumerate() {
        match v {
            SessionVerdict::Legitimate => continue,
            SessionVerdict::Doubtful => rep.doubts.push(describe(r, i)),
            SessionVerdict::Intruder => match k.whose[i] {
                Whose::Innocent => rep.accused.push(describe(r, i)),
                Whose::Unlisted => rep.unmatched.push(describe(r, i)),
                _ => {}
            },
        }
        found.extend(&k.shows[i]);
        if *v == SessionVerdict::Intruder {
            labels
                .entry(
                    r.judged.judgements[i]
                        .intrusion
                        .as_ref()
                        .map_or_else(String::new, ToString::to_string),
                )
                .or_default()
                .extend(k.shows[i].iter().filter_map(|id| thief.get(id)));
        }
    }
    rep.mixed = labels.values().filter(|v| v.len() > 1).count();
    for s in &truth.sessions {
        if k.visible.contains(&s.id) && !found.contains(&s.id) {
            rep.missed_ids.push(s.id);
            rep.missed.push(format!(
                "{} {:?} {} {} {} {:?}",
                s.account, s.address, s.system, s.from, s.to, s.sources
            ));
        }
    }
    for a in &r.judged.accounts {
        if a.verdict == SessionVerdict::Intruder
            && k.all_names(&norm(&a.account.to_string()))
                .is_disjoint(&k.usurped)
        {
            rep.accounts_accused.push(a.account.to_string());
        }
    }
    containment(r, truth, &k, &mut rep);
    rep.internal = (
        truth.internal.iter().map(|i| norm(&i.account)).collect(),
        r.judged
            .internal
            .iter()
            .map(|i| norm(&i.account.to_string()))
            .collect(),
    );
    rep
}

/// Why the session `id` of the truth, which was missed, could not be told: the evidence that would have told.
///
/// # Errors
/// Sessions of the answer that show it under an account and say nothing: a fault.
pub fn why_missed(r: &Ran, truth: &Truth, k: &Key, id: u32) -> Result<String, Vec<usize>> {
    let shown: Vec<usize> = (0..k.shows.len())
        .filter(|i| k.shows[*i].contains(&id))
        .collect();
    let told = shown.iter().find_map(|i| {
        let mut reasons = r.judged.judgements[*i].reasons.iter();
        Some(reasons.find(|x| x.code == "would_tell")?.en.to_string())
    });
    if let Some(told) = told {
        return Ok(told);
    }
    let named = |i: &usize| r.sessions.list[*i].account.is_some() && !r.sessions.is_flow(*i);
    if !shown.iter().any(named) {
        let s = truth.sessions.iter().find(|s| s.id == id);
        let logs = s.map_or_else(String::new, |s| s.sources.join(", "));
        return Ok(format!(
            "would have told: a log that names the account; those at hand ({logs}) name none there"
        ));
    }
    Err(shown)
}

fn containment(r: &Ran, truth: &Truth, k: &Key, rep: &mut Report) {
    let ip = |a: &str| a.parse::<std::net::IpAddr>().is_ok();
    let set = |f: &dyn Fn(&crate::truth::TAccount) -> bool| -> BTreeSet<String> {
        truth
            .accounts
            .iter()
            .filter(|a| f(a))
            .map(|a| norm(&a.account))
            .collect()
    };
    let must_cut = set(&|a| a.must_cut);
    let must_rotate = set(&|a| a.must_rotate);
    let service = set(&|a| a.kind == "service");
    let bad_addresses: BTreeSet<&String> = truth
        .sessions
        .iter()
        .filter(|s| s.actor == "intruder")
        .flat_map(|s| [&s.address, &s.inner])
        .flatten()
        .collect();
    let said = &r.judged.containment;
    let cut: BTreeSet<String> = said
        .cut
        .iter()
        .filter(|a| !ip(a))
        .map(|a| norm(a))
        .collect();
    for a in &cut {
        if k.all_names(a).is_disjoint(&k.usurped) || must_rotate.contains(a) {
            rep.overcut.push(a.clone());
        }
    }
    rep.overcut.extend(
        said.cut
            .iter()
            .filter(|a| ip(a) && !bad_addresses.contains(a))
            .cloned(),
    );
    let seen: BTreeSet<String> = truth
        .sessions
        .iter()
        .filter(|s| k.visible.contains(&s.id))
        .map(|s| norm(&s.account))
        .collect();
    let mut done = cut;
    done.extend(
        said.rotate
            .iter()
            .map(|a| norm(a))
            .filter(|a| service.contains(a) || must_rotate.contains(a)),
    );
    for a in must_cut.union(&must_rotate) {
        // An account the intruder left no trace under cannot be named by anybody.
        let names = k.all_names(a);
        if names.is_disjoint(&done) && !names.is_disjoint(&seen) {
            rep.cut_missed.push(a.clone());
        }
    }
}

/// One line about session `i`, for a person who looks into a failure. Made-up data only.
pub fn describe(r: &Ran, i: usize) -> String {
    let x = &r.sessions.list[i];
    let j = &r.judged.judgements[i];
    let reasons: Vec<String> = j
        .reasons
        .iter()
        .map(|r| format!("{}{:+.1}", r.code, r.weight))
        .collect();
    let flow = if r.sessions.is_flow(i) {
        format!(
            ">{:?} {}",
            r.sessions.texts_of(i, List::Destinations).next(),
            x.counts.bytes_out
        )
    } else {
        String::new()
    };
    format!(
        "{} {} {} {}{flow} [{}] host={} prog={} dev={:?} inner={:?} {}..{} n={} {} {:.1} {}",
        x.id,
        r.case.sources[x.source as usize].name,
        x.account.as_deref().map_or("-".into(), Account::to_string),
        x.origin.address.map_or("-".into(), |a| a.to_string()),
        x.origin.country.as_deref().unwrap_or(""),
        x.host,
        x.program,
        x.origin
            .device
            .as_deref()
            .map(|d| d.chars().take(40).collect::<String>()),
        x.inner.map(|a| a.to_string()),
        ampleur_event::time::rfc3339(x.from),
        ampleur_event::time::rfc3339(x.to),
        x.counts.events,
        j.verdict,
        j.score,
        reasons.join(" ")
    )
}

/// What would be done without Ampleur, on the same sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// From a country that is not home.
    Country,
    /// Many questions, persons or bytes, or outside at night.
    Thresholds,
    /// Everything done under an account the incident names (told by the truth: better than anybody has).
    Everything,
}

impl Baseline {
    pub const ALL: [Baseline; 3] = [
        Baseline::Country,
        Baseline::Thresholds,
        Baseline::Everything,
    ];
    pub fn name(self) -> &'static str {
        match self {
            Baseline::Country => "country rule",
            Baseline::Thresholds => "threshold rules",
            Baseline::Everything => "all the account did",
        }
    }
    /// For every session, whether it would be called the intruder's.
    pub fn says(self, r: &Ran, k: &Key) -> Vec<bool> {
        let one = |i: usize| match self {
            Baseline::Country => abroad(r, i),
            Baseline::Thresholds => excess(r, i),
            Baseline::Everything => {
                matches!(k.whose[i], Whose::Intruder | Whose::Unlisted)
                    || r.sessions.list[i].account.as_ref().is_some_and(|a| {
                        !k.all_names(&norm(&a.to_string())).is_disjoint(&k.usurped)
                    })
            }
        };
        (0..r.sessions.list.len()).map(one).collect()
    }
}

fn abroad(r: &Ran, i: usize) -> bool {
    let home = &r.case.context.home_countries;
    r.sessions.list[i]
        .origin
        .country
        .as_ref()
        .is_some_and(|c| !home.is_empty() && c.len() == 2 && !home.iter().any(|h| **h == **c))
}

/// The kind of thresholds an operator sets in an afternoon.
fn excess(r: &Ran, i: usize) -> bool {
    let x = &r.sessions.list[i];
    let c = &x.counts;
    let outside = x
        .origin
        .address
        .is_some_and(|a| !ampleur_session::net::is_private(a));
    let night = (0..168)
        .filter(|h| r.sessions.features[i].has_hour(*h))
        .any(|h| h % 24 < 6 || h % 24 >= 22);
    c.searches + c.reads + c.queries >= 100
        || c.subjects >= 50
        || c.files >= 100
        || c.bytes_out >= 100_000_000
        || (outside && night)
}

/// True for a session somebody would look at twice: abroad, at night from outside, above a threshold, or by a program.
pub fn suspicious(r: &Ran, i: usize) -> bool {
    abroad(r, i)
        || excess(r, i)
        || r.sessions
            .texts_of(i, List::Devices)
            .any(|d| d.contains('/') && !d.starts_with("Mozilla/"))
}
