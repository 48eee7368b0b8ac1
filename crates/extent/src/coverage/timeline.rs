//! From observations to stretches.
use super::{
    Clock, Coverage, Kind, Observation, SourceCoverage, State, Stretch, Unaudited, Why,
    observe::{Bin, RejectMark, between_files},
    pairs,
    rhythm::{self, Rate},
};
use ampleur_event::{
    Capability, Context, Nanos, Proof, Silence, Verb, Window,
    category::{Category, CategorySet},
    time::{DAY, HOUR, MINUTE, SECOND, rfc3339},
};
use ampleur_sources::case::Case;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

/// Edges shorter than this are left to the rate alone.
const SHORT_EDGE: Nanos = 12 * HOUR;
/// At most this many gaps of one kind in one source are told apart.
const GAPS_KEPT: usize = 2000;

/// The window of a case: from the first to the last record of any source, widened to whole local days where the records reach
/// within ten minutes of midnight. Days that lie more than two months from the rest are taken for wrong stamps. A last day that
/// holds only the ends of what began before, while the talkative sources stopped at midnight, is not counted.
pub fn case_window(case: &Case, observations: &[Observation]) -> (Window, Why) {
    let (window, _, why) = windows(case, observations);
    (window, why)
}

/// The window, and the span of the records in it, `[first, last]`.
fn windows(case: &Case, observations: &[Observation]) -> (Window, Window, Why) {
    let zone = case.context.zone();
    let mut per_source: BTreeMap<u32, BTreeMap<Nanos, u64>> = BTreeMap::new();
    let mut days: BTreeMap<Nanos, u64> = BTreeMap::new();
    for o in observations {
        for (m, b) in &o.bins {
            let d = day_start(&zone, m.saturating_mul(MINUTE));
            *days.entry(d).or_default() += b.count;
            *per_source
                .entry(o.source)
                .or_default()
                .entry(d)
                .or_default() += b.count;
        }
    }
    let Some((first_day, last_day)) = main_days(&days) else {
        return (
            Window::new(0, 0),
            Window::new(0, 0),
            Why::new("aucun enregistrement daté", "no dated record"),
        );
    };
    let mut end = next_day(&zone, last_day);
    let talkative: Vec<(u32, u64, u64)> = per_source
        .iter()
        .filter_map(|(source, s)| {
            let mut before: Vec<u64> = s.range(first_day..last_day).map(|(_, n)| *n).collect();
            before.sort_unstable();
            let usual = before.get(before.len() / 2).copied().unwrap_or(0);
            let tail = s.get(&last_day).copied().unwrap_or(0);
            (usual >= 144).then_some((*source, usual, tail))
        })
        .collect();
    // A night's work goes on after the day on which the logs were taken: where a source that always speaks has said its last word
    // at midnight, some more of others before the morning is no day of its own.
    let morning = last_day.saturating_add(7 * HOUR).div_euclid(MINUTE);
    let night = observations.iter().all(|o| {
        let day = morning..end.div_euclid(MINUTE);
        o.bins.range(day).next().is_none()
    });
    let midnight = last_day.saturating_sub(10 * MINUTE).div_euclid(MINUTE);
    let until_midnight: BTreeSet<u32> = observations
        .iter()
        .filter(|o| o.bins.range(midnight..).next().is_some())
        .map(|o| o.source)
        .collect();
    let stopped =
        (talkative.iter()).any(|(source, _, tail)| *tail == 0 && until_midnight.contains(source));
    let part = if night && stopped { 2 } else { 20 };
    let short = |(_, usual, tail): &(u32, u64, u64)| tail * part <= *usual;
    if !talkative.is_empty() && talkative.iter().all(short) {
        end = last_day;
    }
    let (mut first, mut last) = (Nanos::MAX, Nanos::MIN);
    for b in observations.iter().flat_map(|o| {
        o.bins
            .range(first_day.div_euclid(MINUTE)..end.div_euclid(MINUTE))
            .map(|x| x.1)
    }) {
        first = first.min(b.first);
        last = last.max(b.last);
    }
    if first > last {
        (first, last) = (first_day, end);
    }
    let near = 10 * MINUTE;
    let from = if first.saturating_sub(first_day) <= near {
        first_day
    } else {
        first
    };
    let to = if end.saturating_sub(last) <= near {
        end
    } else {
        last.saturating_add(1_000_000)
    };
    let why = Why::new(
        format!(
            "du premier au dernier enregistrement d’une source, étendu aux jours locaux entiers qu’ils remplissent ({} à {})",
            rfc3339(from),
            rfc3339(to)
        ),
        format!(
            "from the first to the last record of any source, widened to the local days they fill ({} to {})",
            rfc3339(from),
            rfc3339(to)
        ),
    );
    (Window::new(from, to), Window::new(first, last), why)
}

fn main_days(days: &BTreeMap<Nanos, u64>) -> Option<(Nanos, Nanos)> {
    let mut groups: Vec<(u64, Nanos, Nanos)> = Vec::new();
    for (d, n) in days {
        match groups.last_mut() {
            Some(g) if d - g.2 <= 60 * DAY => {
                g.0 += n;
                g.2 = *d;
            }
            _ => groups.push((*n, *d, *d)),
        }
    }
    groups
        .into_iter()
        .max_by_key(|g| (g.0, g.1))
        .map(|g| (g.1, g.2))
}

pub(super) fn day_start(zone: &TimeZone, t: Nanos) -> Nanos {
    jiff::Timestamp::from_second(t.div_euclid(SECOND))
        .ok()
        .and_then(|ts| ts.to_zoned(zone.clone()).start_of_day().ok())
        .and_then(|z| i64::try_from(z.timestamp().as_nanosecond()).ok())
        .unwrap_or_else(|| t.div_euclid(DAY) * DAY)
}

pub(super) fn next_day(zone: &TimeZone, start: Nanos) -> Nanos {
    day_start(zone, start.saturating_add(30 * HOUR))
}

struct Made {
    source: SourceCoverage,
    base: State,
    base_why: Why,
    gaps: Vec<Stretch>,
}

pub(super) fn build(
    case: &Case,
    observations: Vec<Observation>,
    window: Option<Window>,
) -> Coverage {
    let (derived, span, window_why) = windows(case, &observations);
    let span = match window {
        // A window given by hand is meant: nothing before the first record is forgiven.
        Some(w) => w,
        None => span,
    };
    let window = window.unwrap_or(derived);
    let zone = case.context.zone();
    let mut observations = observations;
    observations.sort_by_key(|o| (o.source, o.file));
    between_files(&mut observations);
    let mut cut: BTreeMap<u32, Vec<(Nanos, Option<Nanos>)>> = BTreeMap::new();
    for o in observations.iter().filter(|o| o.counts.cut_short) {
        if let Some((_, last)) = o.span() {
            let next = observations
                .iter()
                .filter(|x| x.source == o.source && x.file != o.file)
                .filter_map(|x| x.span())
                .map(|s| s.0)
                .filter(|f| *f >= last)
                .min();
            cut.entry(o.source).or_default().push((last, next));
        }
    }
    let mut per: BTreeMap<u32, Observation> = BTreeMap::new();
    let mut formats: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    // One entry of the context over logs of several kinds: that one of them goes silent must not be hidden by the others.
    let mut kinds: BTreeMap<u32, BTreeMap<(String, String), Observation>> = BTreeMap::new();
    let known = |o: &&Observation| o.format != "unknown" && !o.format.is_empty();
    // A kind is a format in a folder, where the folder is heard most of the time: one folder for each day is none.
    let folder = |o: &Observation| {
        let path = case.files.get(o.file as usize).map(|f| f.rel.as_str());
        let path = path.unwrap_or("");
        path.rsplit_once('/').map_or("", |p| p.0).to_string()
    };
    let mut several: BTreeMap<u32, BTreeMap<(String, &str), Window>> = BTreeMap::new();
    for o in observations.iter().filter(known) {
        let Some((from, to)) = o.span() else { continue };
        let of = several.entry(o.source).or_default();
        let w = of
            .entry((folder(o), &o.format))
            .or_insert(Window::new(from, to));
        *w = Window::new(w.from.min(from), w.to.max(to));
    }
    for list in several.values_mut() {
        let from = list.values().map(|w| w.from).min().unwrap_or(0);
        let to = list.values().map(|w| w.to).max().unwrap_or(0);
        list.retain(|_, w| (w.to - w.from).saturating_mul(3) >= to - from);
    }
    for o in observations.iter().filter(known) {
        let key = (folder(o), o.format.as_str());
        if several
            .get(&o.source)
            .is_some_and(|f| f.len() > 1 && f.contains_key(&key))
        {
            let of = kinds.entry(o.source).or_default();
            match of.get_mut(&(key.0.clone(), o.format.clone())) {
                Some(k) => k.absorb(o.clone()),
                None => {
                    of.insert((key.0, o.format.clone()), o.clone());
                }
            }
        }
    }
    for o in observations {
        if !o.format.is_empty() && o.format != "unknown" {
            formats.entry(o.source).or_default().push(o.format.clone());
        }
        match per.get_mut(&o.source) {
            Some(p) => p.absorb(o),
            None => {
                per.insert(o.source, o);
            }
        }
    }
    let telling: BTreeMap<u32, bool> = case
        .sources
        .iter()
        .enumerate()
        .map(|(i, _)| {
            let o = per.get(&(i as u32));
            let e = case.entry(i as u32);
            let declared = e.map(|e| e.tells.as_slice()).unwrap_or(&[]);
            let tells = tells_of(declared, o.and_then(|o| o.capability), &case.context);
            (i as u32, !tells.is_empty())
        })
        .collect();
    let clocks = pairs::clocks(&per, &telling);
    for c in &clocks {
        if let Some(o) = per.get_mut(&c.source) {
            let by = (c.offset_s * SECOND as f64) as Nanos;
            o.shift(by);
            for kind in kinds.get_mut(&c.source).into_iter().flatten() {
                kind.1.shift(by);
            }
            for (last, next) in cut.get_mut(&c.source).into_iter().flatten() {
                *last = last.saturating_add(by);
                *next = next.map(|n| n.saturating_add(by));
            }
        }
    }
    let mut made: Vec<Made> = Vec::new();
    for (i, def) in case.sources.iter().enumerate() {
        let index = i as u32;
        let entry = case.entry(index);
        let o = per.get_mut(&index);
        let capability = o.as_ref().and_then(|o| o.capability).or_else(|| {
            entry
                .and_then(|e| e.format.as_deref())
                .and_then(ampleur_sources::by_name)
                .map(|s| s.capability())
        });
        let mut names = formats.remove(&index).unwrap_or_default();
        names.sort();
        names.dedup();
        let mut source = SourceCoverage {
            index,
            name: def.name.clone(),
            formats: names,
            capability,
            establishment: entry.and_then(|e| e.establishment.clone()),
            tells: tells_of(
                entry.map(|e| e.tells.as_slice()).unwrap_or(&[]),
                capability,
                &case.context,
            ),
            shows_results: entry
                .and_then(|e| e.shows_results)
                .or(capability.map(|c| c.names_results))
                .unwrap_or(false),
            door: capability.is_some_and(|c| c.silence == Silence::NoPresence),
            events: 0,
            rejects: 0,
            first: None,
            last: None,
            systems: vec![],
            hosts: vec![],
            heartbeat_s: entry.and_then(|e| e.heartbeat_s).filter(|h| *h > 0.0),
            stretches: vec![],
            reject_marks: vec![],
            guarded: false,
            untold: None,
            cut_after: Default::default(),
            silences: vec![],
        };
        let alone = SourceCoverage {
            heartbeat_s: None,
            ..source.clone()
        };
        let mut whole = one(&mut source, o, window, span, &zone, cut.get(&index));
        for kind in kinds
            .get_mut(&index)
            .into_iter()
            .flat_map(|k| k.values_mut())
        {
            let of = one(&mut alone.clone(), Some(kind), window, span, &zone, None);
            whole
                .gaps
                .extend(of.gaps.into_iter().filter(|g| g.state == State::Gap));
        }
        made.push(whole);
    }
    let (unaudited, recaptures) = cross_check(&mut made, &per, case);
    for m in &mut made {
        m.gaps = tidy(std::mem::take(&mut m.gaps), window);
        if let Some(c) = clocks.iter().find(|c| c.source == m.source.index) {
            m.gaps.push(Stretch {
                window: Window::new(
                    m.source.first.unwrap_or(window.from).max(window.from),
                    m.source.last.unwrap_or(window.to).min(window.to),
                ),
                state: State::Unknown,
                kind: Kind::Clock,
                missing: None,
                closed_by: None,
                laid: false,
                why: c.why.clone(),
            });
        }
        let mut all = complement(&m.gaps, window, m.base, &m.base_why);
        all.append(&mut m.gaps);
        all.sort_by_key(|a| (a.window, a.kind, a.state));
        m.source.stretches = all;
    }
    let mut sources: Vec<SourceCoverage> = made.into_iter().map(|m| m.source).collect();
    close(&mut sources, &unaudited, &recaptures, &clocks);
    Coverage {
        window,
        window_why,
        sources,
        clocks,
        unaudited,
        recaptures,
    }
}

/// Declared categories, else what the capability sheet stands for: a web log tells what its endpoints show, an access journal the
/// patient record.
fn tells_of(declared: &[String], capability: Option<Capability>, context: &Context) -> CategorySet {
    if !declared.is_empty() {
        return CategorySet::parse(declared).unwrap_or(CategorySet::EMPTY);
    }
    match capability {
        Some(c) if c.silence == Silence::NoAccess => {
            if c.proof_of(Verb::Request).is_some() {
                context
                    .endpoints
                    .iter()
                    .filter_map(|e| CategorySet::parse(&e.categories).ok())
                    .fold(CategorySet::EMPTY, CategorySet::union)
            } else if c.rows.iter().any(|(v, p)| {
                matches!(v, Verb::Read | Verb::Search)
                    && matches!(p, Proof::Access | Proof::Question)
            }) {
                Category::ALL
                    .iter()
                    .copied()
                    .filter(|c| {
                        ["ID.", "CONTACT.", "CARE.", "HEALTH."]
                            .iter()
                            .any(|p| c.code().starts_with(p))
                    })
                    .collect()
            } else {
                CategorySet::EMPTY
            }
        }
        _ => CategorySet::EMPTY,
    }
}

fn gap(window: Window, state: State, kind: Kind, missing: Option<u64>, why: Why) -> Stretch {
    Stretch {
        window,
        state,
        kind,
        missing,
        closed_by: None,
        laid: false,
        why,
    }
}

/// Hours. A rate proves a source complete only where an outage of that length would show.
const LONGEST_UNSEEN_H: f64 = 48.0;

/// One source by its own signs.
fn one(
    s: &mut SourceCoverage,
    o: Option<&mut Observation>,
    window: Window,
    span: Window,
    zone: &TimeZone,
    cut: Option<&Vec<(Nanos, Option<Nanos>)>>,
) -> Made {
    let mut gaps = Vec::new();
    let absent = |s: &SourceCoverage, state, why: Why| Made {
        source: s.clone(),
        base: state,
        base_why: why.clone(),
        gaps: if window.is_empty() {
            vec![]
        } else {
            vec![gap(window, state, Kind::Silence, None, why)]
        },
    };
    let Some(o) = o else {
        return absent(
            s,
            State::Gap,
            Why::new(
                "source déclarée, aucun fichier remis",
                "declared, and no file was handed over",
            ),
        );
    };
    s.events = o.counts.events;
    s.rejects = o.counts.rejects;
    s.systems = o.systems.iter().copied().collect();
    s.hosts = o.hosts.iter().cloned().collect();
    s.reject_marks = o.rejects.clone();
    let bins: BTreeMap<i64, Bin> = o
        .bins
        .range(window.from.div_euclid(MINUTE)..=window.to.div_euclid(MINUTE))
        .map(|(m, b)| (*m, *b))
        .collect();
    let (Some(first), Some(last)) = (
        bins.values().next().map(|b| b.first),
        bins.values().map(|b| b.last).max(),
    ) else {
        // What cannot be read is as good as lost.
        let why = if o.counts.rejects > 0 {
            Why::new(
                "fichiers présents mais illisibles",
                "files are there and cannot be read",
            )
        } else {
            Why::new(
                "aucun enregistrement daté dans la période",
                "no dated record in the period",
            )
        };
        return absent(s, State::Gap, why);
    };
    s.first = Some(first);
    s.last = Some(last);
    // Single lines that were cut count one by one. So many are another format, or a program nobody here knows: whatever they told is
    // lost. What was kept without being understood is no better.
    // A source that tells and of which next to nothing but "something happened" is understood is read in the wrong way.
    let vague = match o.vague.saturating_mul(20) > o.counts.events.saturating_mul(19) {
        true if !s.tells.is_empty() => o.vague,
        _ => 0,
    };
    let unknown = o.untold.max(vague);
    let lost = o.counts.rejects + unknown;
    let read = o.counts.events.saturating_sub(unknown);
    let many =
        lost.saturating_mul(20) > read || o.counts.rejects > super::observe::REJECTS_KEPT as u64;
    if lost > 0 && many && !window.is_empty() {
        gaps.push(gap(
            window,
            State::Gap,
            Kind::Silence,
            None,
            Why::new(
                format!("{lost} enregistrements illisibles ou inconnus pour {read} lus"),
                format!("{lost} records cannot be read or are not known, {read} are"),
            ),
        ));
    }
    let usable = o.numbers.usable();
    s.guarded = usable && o.numbers.per_host();
    o.numbers.settle();
    s.cut_after = o.numbers.cut_after();
    let every_silence_numbered = usable && o.numbers.per_host() && o.numbers.ends().len() <= 1;

    // Numbers.
    if usable {
        for m in o.numbers.missing() {
            let from_start = m.window.from < window.from && m.window.from == i64::MIN + 1;
            if from_start && m.window.to.saturating_sub(first) < DAY {
                continue;
            }
            let w = Window::new(m.window.from.max(first), m.window.to);
            if w.is_empty() || rejects_in(&o.rejects, w) >= m.count {
                continue;
            }
            gaps.push(gap(
                w,
                State::Gap,
                Kind::Sequence,
                Some(m.count),
                Why::new(
                    format!("{} numéros d’enregistrement manquent", m.count),
                    format!("{} record numbers are missing", m.count),
                ),
            ));
        }
    }

    // Heartbeat, declared or learned.
    let quiet = rhythm::silences(&bins);
    let learned = rhythm::learn_beat(&quiet);
    let limit = match s.heartbeat_s {
        Some(h) => Some(((h * SECOND as f64) as Nanos).saturating_add(2 * SECOND)),
        None => learned.map(|b| b + b / 2),
    };
    if s.heartbeat_s.is_none() {
        s.heartbeat_s = learned.map(|b| b as f64 / SECOND as f64);
    }
    let rate = Rate::learn(&bins, first, last, zone);
    let (base, base_why);
    if let Some(limit) = limit {
        for (a, b) in &quiet {
            let cut_lines = untimed_rejects(&o.rejects, *a, *b) as i64;
            if b - a > limit.saturating_mul(cut_lines + 1) {
                gaps.push(gap(
                    Window::new(*a, *b),
                    State::Gap,
                    Kind::Silence,
                    None,
                    Why::new(
                        format!(
                            "silence de {} min, plus long que son battement ({} s)",
                            (b - a) / MINUTE,
                            limit / SECOND
                        ),
                        format!(
                            "silent for {} min, longer than its heartbeat ({} s)",
                            (b - a) / MINUTE,
                            limit / SECOND
                        ),
                    ),
                ));
            }
        }
        base = State::Complete;
        base_why = Why::new(
            format!("jamais silencieuse plus de {} s", limit / SECOND),
            format!("never silent for more than {} s", limit / SECOND),
        );
    } else {
        if !every_silence_numbered {
            for (a, b) in &quiet {
                let other = quiet
                    .iter()
                    .filter(|x| *x != &(*a, *b))
                    .map(|x| x.1 - x.0)
                    .max()
                    .unwrap_or(0);
                if *b - *a >= HOUR
                    && rhythm::unlike_any(&bins, *a, *b, other, rate.surprise(*a, *b), zone)
                {
                    gaps.push(gap(
                        Window::new(*a, *b),
                        State::Gap,
                        Kind::Silence,
                        None,
                        Why::new(
                            format!(
                                "silence de {} h, invraisemblable à ces heures",
                                (b - a) / HOUR
                            ),
                            format!("silent for {} h, improbable at these hours", (b - a) / HOUR),
                        ),
                    ));
                }
            }
        }
        for (a, b) in rhythm::skipped(&quiet) {
            if gaps.iter().any(|g| g.window.overlaps(&Window::new(a, b))) {
                continue;
            }
            gaps.push(gap(
                Window::new(a, b),
                State::Unknown,
                Kind::Silence,
                None,
                Why::new(
                    format!(
                        "silence de {} h, deux fois ses silences ordinaires : un passage manque",
                        (b - a) / HOUR
                    ),
                    format!(
                        "silent for {} h, twice its ordinary silences: one visit is missing",
                        (b - a) / HOUR
                    ),
                ),
            ));
        }
        if !usable {
            s.silences = quiet.iter().map(|(a, b)| Window::new(*a, *b)).collect();
        }
        (base, base_why) = if usable {
            (
                State::Complete,
                Why::new("numéros consécutifs", "consecutive numbers"),
            )
        } else if (rate.bursts_per_day >= 2.0 || rate.per_day >= 48.0)
            && let Some(h) = rate.resolution_h().filter(|h| *h <= LONGEST_UNSEEN_H)
        {
            (
                State::Complete,
                Why::new(
                    format!("débit habituel ; une panne de {h:.0} h se verrait"),
                    format!("usual rate; an outage of {h:.0} h would show"),
                ),
            )
        } else {
            (
                State::Unknown,
                Why::new(
                    "ni numéros, ni battement, trop rare pour qu’un silence se voie",
                    "no numbers, no heartbeat, too rare for a silence to show",
                ),
            )
        };
    }

    // Edges.
    let longest = quiet.iter().map(|(a, b)| b - a).max().unwrap_or(0);
    let cleared = o
        .marks
        .iter()
        .find(|m| m.verb == Verb::AuditClear && (m.time - first).abs() <= MINUTE);
    for (w, start) in [
        (Window::new(window.from, first), true),
        (Window::new(last, window.to), false),
    ] {
        if w.is_empty() {
            continue;
        }
        // The ends of the whole case are nobody's gap.
        let own = if start {
            first.saturating_sub(span.from)
        } else {
            span.to.saturating_sub(last)
        };
        let surprise = rate.surprise(w.from, w.to);
        let (state, shown) = match limit {
            Some(l) if own > l => (State::Gap, true),
            Some(_) => (State::Complete, false),
            None if own < MINUTE => (State::Complete, false),
            // A numbered source was as silent as this before, and lost nothing.
            None if every_silence_numbered && own <= longest => {
                (State::Unknown, own > SHORT_EDGE || surprise > 3.0)
            }
            None if own >= DAY
                && rhythm::unlike_any(&bins, w.from, w.to, longest, surprise, zone) =>
            {
                (State::Gap, true)
            }
            None if own > SHORT_EDGE || surprise > 3.0 => (State::Unknown, true),
            None => (State::Complete, false),
        };
        if start && cleared.is_some() {
            gaps.push(gap(
                w,
                State::Gap,
                Kind::Tamper,
                None,
                Why::new(
                    "le journal a été effacé ; il ne commence qu’ensuite",
                    "the log was cleared and only begins after that",
                ),
            ));
        } else if shown {
            let why = if start {
                Why::new(
                    "avant le premier enregistrement conservé",
                    "before the first record kept",
                )
            } else {
                Why::new(
                    "après le dernier enregistrement conservé",
                    "after the last record kept",
                )
            };
            gaps.push(gap(
                w,
                state,
                if start { Kind::Rotation } else { Kind::Silence },
                None,
                why,
            ));
        }
    }

    // Its own word about auditing.
    let mut off: BTreeMap<&str, Nanos> = BTreeMap::new();
    for m in &o.marks {
        match m.verb {
            Verb::AuditOff => {
                off.entry(&m.host).or_insert(m.time);
            }
            Verb::AuditOn => {
                if let Some(t) = off.remove(m.host.as_str()) {
                    gaps.push(audit_off(t, m.time));
                }
            }
            Verb::AuditClear => {
                let before = bins
                    .range(..m.time.div_euclid(MINUTE))
                    .next_back()
                    .map_or(m.time - MINUTE, |(_, b)| b.last);
                gaps.push(gap(
                    Window::new(before.min(m.time - 1_000_000), m.time),
                    State::Gap,
                    Kind::Tamper,
                    None,
                    Why::new("le journal a été effacé", "the log was cleared"),
                ));
            }
            _ => {}
        }
    }
    for t in off.into_values() {
        gaps.push(audit_off(t, window.to));
    }
    for (from, to) in cut.into_iter().flatten() {
        gaps.push(gap(
            Window::new(*from, to.unwrap_or(window.to)),
            State::Gap,
            Kind::Silence,
            None,
            Why::new(
                "un fichier n’a pas pu être lu jusqu’au bout",
                "a file could not be read to its end",
            ),
        ));
    }
    Made {
        source: s.clone(),
        base,
        base_why,
        gaps,
    }
}

fn audit_off(from: Nanos, to: Nanos) -> Stretch {
    gap(
        Window::new(from, to.max(from + 1_000_000)),
        State::Gap,
        Kind::AuditOff,
        None,
        Why::new(
            "la journalisation a été coupée ou réduite",
            "auditing was switched off or reduced",
        ),
    )
}

fn rejects_in(rejects: &[RejectMark], w: Window) -> u64 {
    let w = w.grow(SECOND);
    rejects
        .iter()
        .filter(|r| r.after <= w.to && r.before >= w.from)
        .count() as u64
}

/// Rejects whose own time could not be read and which lie between two instants.
fn untimed_rejects(rejects: &[RejectMark], from: Nanos, to: Nanos) -> u64 {
    rejects
        .iter()
        .filter(|r| r.after != r.before && r.after <= to && r.before >= from)
        .count() as u64
}

/// Compares sources that both tell, and marks what one lacks.
fn cross_check(
    made: &mut [Made],
    per: &BTreeMap<u32, Observation>,
    case: &Case,
) -> (Vec<Unaudited>, Vec<pairs::Recapture>) {
    let mut couples = Vec::new();
    for (i, a) in made.iter().enumerate() {
        for b in &made[i + 1..] {
            if !a.source.tells.intersect(b.source.tells).is_empty() {
                couples.push((a.source.index, b.source.index));
            }
        }
    }
    let known: BTreeMap<u32, Vec<Window>> = made
        .iter()
        .map(|m| {
            (
                m.source.index,
                m.gaps
                    .iter()
                    // What is silent may be counted by another; what was never kept, or was switched off, is known already.
                    .filter(|g| g.state == State::Gap && g.kind != Kind::Silence)
                    .map(|g| g.window)
                    .collect(),
            )
        })
        .collect();
    let c = pairs::compare(per, &couples, &known);
    for (of, by, n) in &c.verified {
        let by_complete = made
            .iter()
            .any(|m| m.source.index == *by && m.base == State::Complete);
        if let Some(m) = made
            .iter_mut()
            .find(|m| m.source.index == *of && m.base == State::Unknown && by_complete)
        {
            m.base = State::Complete;
            m.base_why = Why::new(
                format!("{n} accès vus par une autre source y figurent"),
                format!("{n} accesses another source saw are in it"),
            );
        }
    }
    for (of, by, _) in &c.verified {
        if c.repeated.contains(&(*of, *by))
            && let Some(m) = made.iter_mut().find(|m| m.source.index == *of)
        {
            m.source.guarded = true;
        }
    }
    for l in &c.lacks {
        let other = made
            .iter()
            .find(|m| m.source.index == l.seen_by)
            .map(|m| m.source.name.clone())
            .unwrap_or_default();
        let intact = made.iter().any(|m| {
            m.source.index == l.seen_by
                && m.base == State::Complete
                && !m.gaps.iter().any(|g| g.window.overlaps(&l.window))
        });
        let kind = if l.who.is_some() && intact {
            Kind::Tamper
        } else {
            Kind::Silence
        };
        if let Some(m) = made.iter_mut().find(|m| m.source.index == l.source) {
            let beats = case
                .entry(l.source)
                .is_some_and(|e| e.heartbeat_s.is_some());
            // A silence already found by its own signs now has a size, and a culprit when all that is missing is of one client and
            // the heartbeat was not lost with it.
            if let Some((w, all)) = m
                .gaps
                .iter_mut()
                .find(|g| g.kind == Kind::Silence && g.window.overlaps(&l.window))
                .map(|g| {
                    let all: Vec<&pairs::Lack> = c
                        .lacks
                        .iter()
                        .filter(|x| x.source == l.source && x.window.overlaps(&g.window))
                        .collect();
                    (g, all)
                })
            {
                let one = all.iter().all(|x| x.who.is_some() && x.who == l.who);
                if one && intact && !beats {
                    w.kind = Kind::Tamper;
                }
                w.state = State::Gap;
                w.missing = Some(w.missing.unwrap_or(0).saturating_add(l.count));
                w.window.from = w.window.from.min(l.window.from);
                w.window.to = w.window.to.max(l.window.to);
                let n = w.missing.unwrap_or(0);
                w.why = Why::new(
                    format!("silence ; {n} accès que {other} a vus n’y figurent pas"),
                    format!("silent; {n} accesses that {other} saw are not in it"),
                );
                continue;
            }
            m.gaps.push(gap(
                l.hole,
                State::Gap,
                kind,
                Some(l.count),
                Why::new(
                    format!("{} accès que {other} a vus n’y figurent pas", l.count),
                    format!("{} accesses that {other} saw are not in it", l.count),
                ),
            ));
        }
    }
    for (gateway, heard_by, window, n) in pairs::orphans(per) {
        let other = made
            .iter()
            .find(|m| m.source.index == heard_by)
            .map(|m| m.source.name.clone())
            .unwrap_or_default();
        if let Some(m) = made.iter_mut().find(|m| m.source.index == gateway)
            && !m
                .gaps
                .iter()
                .any(|g| g.state == State::Gap && g.window.overlaps(&window))
        {
            m.gaps.push(gap(
                window,
                State::Gap,
                Kind::Tamper,
                Some(n),
                Why::new(
                    format!(
                        "{other} a entendu une adresse prêtée par un tunnel qui n’y figure pas"
                    ),
                    format!("{other} heard an address lent by a tunnel that is not in it"),
                ),
            ));
        }
    }
    // An action nobody maps to data is no loss: health checks, scripts, pictures.
    let unaudited = c
        .unaudited
        .into_iter()
        .filter(|u| {
            let path = u.action.split_once(' ').map_or("", |(_, p)| p);
            case.context.endpoints.iter().any(|e| {
                e.matches.path.as_deref().is_some_and(|p| {
                    let stem = p.split(['*', '{']).next().unwrap_or(p);
                    stem.len() > 1 && path.starts_with(stem.trim_end_matches('/'))
                })
            })
        })
        .collect();
    (unaudited, c.recaptures)
}

/// Clips to the window, joins what touches, bounds the number.
fn tidy(mut gaps: Vec<Stretch>, window: Window) -> Vec<Stretch> {
    let mut out: Vec<Stretch> = Vec::new();
    gaps.retain_mut(|g| match g.window.intersect(&window) {
        Some(w) => {
            g.window = w;
            true
        }
        None => false,
    });
    gaps.sort_by_key(|g| (g.kind, g.state, g.window));
    let mut apart = MINUTE;
    loop {
        out.clear();
        for g in &gaps {
            match out.last_mut() {
                Some(p)
                    if p.kind == g.kind
                        && p.state == g.state
                        && g.window.from <= p.window.to.saturating_add(apart) =>
                {
                    if g.missing.is_some() || g.window.to > p.window.to {
                        p.missing = match (p.missing, g.missing) {
                            (None, None) => None,
                            (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
                        };
                        if let (Some(n), Kind::Sequence) = (p.missing, p.kind) {
                            p.why = Why::new(
                                format!("{n} numéros d’enregistrement manquent"),
                                format!("{n} record numbers are missing"),
                            );
                        }
                    }
                    p.window.to = p.window.to.max(g.window.to);
                }
                _ => out.push(g.clone()),
            }
        }
        if out.len() <= GAPS_KEPT {
            break;
        }
        apart = apart.saturating_mul(4);
    }
    out
}

/// What is left of the window between the gaps, in the base state. Clock stretches do not count as gaps.
fn complement(gaps: &[Stretch], window: Window, state: State, why: &Why) -> Vec<Stretch> {
    let mut busy: Vec<Window> = gaps
        .iter()
        .filter(|g| g.kind != Kind::Clock)
        .map(|g| g.window)
        .collect();
    busy.sort();
    let mut out = Vec::new();
    let mut at = window.from;
    let mut put = |from: Nanos, to: Nanos| {
        if from < to {
            out.push(gap(
                Window::new(from, to),
                state,
                Kind::None,
                None,
                why.clone(),
            ));
        }
    };
    for b in busy {
        put(at, b.from);
        at = at.max(b.to);
    }
    put(at, window.to);
    out
}

/// A gap is closed by a source that was complete all through it, tells all the same categories and records the same accesses, by
/// a clock that agrees with the others ([`Coverage::stands_in`]).
fn close(
    sources: &mut [SourceCoverage],
    unaudited: &[Unaudited],
    recaptures: &[pairs::Recapture],
    clocks: &[Clock],
) {
    let all: Vec<SourceCoverage> = sources.to_vec();
    for (s, own) in sources.iter_mut().zip(&all) {
        if own.tells.is_empty() {
            continue;
        }
        for st in &mut s.stretches {
            if st.state == State::Complete || st.kind == Kind::Clock {
                continue;
            }
            st.closed_by = all
                .iter()
                .find(|o| {
                    o.index != own.index
                        && !clocks.iter().any(|c| c.source == o.index)
                        && own.tells.without(o.tells).is_empty()
                        && o.covers_establishment_of(own)
                        && o.complete_in(st.window)
                        && o.heard_in(st.window)
                        && pairs::stands_in(recaptures, unaudited, o.index, own.index)
                })
                .map(|o| o.index);
        }
    }
}
