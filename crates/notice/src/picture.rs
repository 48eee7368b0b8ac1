//! The two pictures of an answer as plain shapes: the intruder's path over time, and coverage. One description, drawn as SVG by
//! [`crate::html`] and as vectors by [`crate::pdf`]. The number of shapes is bounded by lanes × columns, whatever the number of sessions.
use crate::{
    Lang,
    view::{View, second},
    words::{self, Both},
};
use std::collections::BTreeMap;

/// What a shape stands for. Colour, pattern and contrast are the renderer's, one table each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    Text,
    Muted,
    Grid,
    Band,
    /// A pause between waves.
    Pause,
    Intruder,
    /// Hatched, never colour alone.
    Doubtful,
    Legitimate,
    Bytes,
    Link,
    Complete,
    /// Hatched.
    Gap,
    /// A gap another source closes: hatched, lighter.
    Closed,
    /// Dotted.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Debug, Clone)]
pub enum Shape {
    Rect {
        x: f32,
        y: f32,
        w: f32,
        h: f32,
        ink: Ink,
        /// Shown on hover; empty for decoration.
        title: Option<Both>,
    },
    Line {
        x1: f32,
        y1: f32,
        x2: f32,
        y2: f32,
        width: f32,
        ink: Ink,
        dashed: bool,
    },
    Text {
        x: f32,
        y: f32,
        size: f32,
        bold: bool,
        anchor: Anchor,
        ink: Ink,
        text: Both,
    },
}

/// Shapes in a box of `w` × `h` units; `title` and `text` say the same in words (alternative text).
#[derive(Debug, Clone)]
pub struct Picture {
    pub w: f32,
    pub h: f32,
    pub shapes: Vec<Shape>,
    pub title: Both,
    pub text: Both,
}

const WIDTH: f32 = 960.0;
const LEFT: f32 = 216.0;
const RIGHT: f32 = 128.0;
const LANES_MAX: usize = 24;
const SOURCES_MAX: usize = 40;
const WAVES_MAX: usize = 8;
const PAUSE_W: f32 = 30.0;

/// Cuts a label at `max` characters, with an ellipsis.
pub fn clip(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_string();
    }
    let mut out: String = text.chars().take(max.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// Cuts the middle of a label longer than `max` characters: of an account its system and its name tell more than its domain.
fn clip_middle(text: &str, max: usize) -> String {
    let all: Vec<char> = text.chars().collect();
    if all.len() <= max {
        return text.to_string();
    }
    let tail = max / 2;
    let head: String = all[..max.saturating_sub(tail + 1)].iter().collect();
    let tail: String = all[all.len() - tail..].iter().collect();
    format!("{head}…{tail}")
}

struct Segment {
    from: i64,
    to: i64,
    x: f32,
    w: f32,
}

/// A time axis with the pauses between waves folded to a band of fixed width.
struct Axis {
    segments: Vec<Segment>,
}

impl Axis {
    fn broken(spans: &[(i64, i64)], x: f32, w: f32) -> Axis {
        let mut spans: Vec<(i64, i64)> = spans.to_vec();
        spans.sort_unstable();
        // Too many waves: the shortest pauses are unfolded again.
        while spans.len() > WAVES_MAX {
            let at = (1..spans.len())
                .min_by_key(|i| (spans[*i].0 - spans[*i - 1].1, *i))
                .unwrap_or(1);
            spans[at - 1].1 = spans[at].1;
            spans.remove(at);
        }
        let padded: Vec<(i64, i64)> = spans
            .iter()
            .map(|(a, b)| {
                let pad = ((b - a) / 20).max(600);
                (a.saturating_sub(pad), b.saturating_add(pad))
            })
            .collect();
        let room = w - PAUSE_W * padded.len().saturating_sub(1) as f32;
        // The root of the length, so that a wave of an hour stays visible beside one of a week.
        let weight: Vec<f32> = padded
            .iter()
            .map(|(a, b)| ((b - a).max(1) as f32).sqrt())
            .collect();
        let total: f32 = weight.iter().sum::<f32>().max(1.0);
        let floor = (room / padded.len().max(1) as f32) * 0.55;
        let spare = room - floor * padded.len() as f32;
        let mut at = x;
        let mut segments = Vec::new();
        for ((from, to), weight) in padded.into_iter().zip(weight) {
            let w = floor + spare * weight / total;
            segments.push(Segment { from, to, x: at, w });
            at += w + PAUSE_W;
        }
        Axis { segments }
    }
    /// Pieces of `[from, to]` that fall inside segments, as (x, width).
    fn place(&self, from: i64, to: i64) -> Vec<(f32, f32)> {
        let mut out = Vec::new();
        for s in &self.segments {
            let (a, b) = (from.max(s.from), to.min(s.to));
            if a <= b {
                let per = s.w / (s.to - s.from).max(1) as f32;
                out.push((s.x + (a - s.from) as f32 * per, (b - a) as f32 * per));
            }
        }
        out
    }
}

/// The first of these that is no wider than the room at this size; nothing when none is. A sign of ours is three fifths as wide as high.
fn fitting(texts: [String; 2], size: f32, room: f32) -> String {
    let fits = |t: &String| t.chars().count() as f32 * size * 0.6 <= room;
    texts.into_iter().find(fits).unwrap_or_default()
}

fn text(x: f32, y: f32, size: f32, ink: Ink, anchor: Anchor, text: Both) -> Shape {
    Shape::Text {
        x,
        y,
        size,
        bold: false,
        anchor,
        ink,
        text,
    }
}

fn bold(x: f32, y: f32, size: f32, ink: Ink, anchor: Anchor, text: Both) -> Shape {
    Shape::Text {
        x,
        y,
        size,
        bold: true,
        anchor,
        ink,
        text,
    }
}

fn stamp(view: &View<'_>, t: i64, f: impl Fn(jiff::Timestamp, Lang) -> String) -> Both {
    let _ = view;
    match jiff::Timestamp::from_second(t) {
        Ok(t) => Both::of(|l| f(t, l)),
        Err(_) => Both::same("—"),
    }
}

/// Order in which a path is walked: gate, directory, files, applications, database.
fn system_rank(account: &str) -> u8 {
    match account.split(':').next().unwrap_or("") {
        "vpn" => 0,
        "citrix" => 1,
        "ad" | "host" => 2,
        "smb" => 3,
        "oidc" => 4,
        "rpps" => 5,
        "web" => 6,
        "db" => 7,
        _ => 8,
    }
}

#[derive(Default)]
struct Lane<'a> {
    sessions: Vec<&'a ampleur_extent::model::SessionRow>,
    own: Vec<(i64, i64)>,
    origins: BTreeMap<String, u64>,
    events: u64,
    bytes: u64,
    intruder: u64,
    doubtful: u64,
}

/// The intruder's path: one lane per account, sessions as bars (height: events), bytes below, pauses shaded, chain links drawn.
/// `None` when no session is intruder or doubtful.
pub fn path(view: &View<'_>) -> Option<Picture> {
    if view.waves.is_empty() {
        return None;
    }
    let zone = &view.options.zone;
    let plot = WIDTH - LEFT - RIGHT;
    let mut spans: Vec<(i64, i64)> = view.waves.iter().map(|w| (w.from, w.to)).collect();
    // Doubtful sessions outside every wave get a place of their own on the axis.
    for s in &view.doubtful {
        if let (Some(a), Some(b)) = (second(&s.from), second(&s.to)) {
            let b = b.max(a);
            match spans
                .iter_mut()
                .find(|w| a <= w.1.saturating_add(43_200) && b >= w.0.saturating_sub(43_200))
            {
                Some(w) => *w = (w.0.min(a), w.1.max(b)),
                None => spans.push((a, b)),
            }
        }
    }
    let axis = Axis::broken(&spans, LEFT, plot);

    let mut lanes: BTreeMap<(u8, String), Lane<'_>> = BTreeMap::new();
    let key = |account: &Option<String>| {
        let name = account
            .as_deref()
            .map_or("", |a| view.account(a))
            .to_string();
        (system_rank(&name), name)
    };
    for s in view.intruder.iter().chain(view.doubtful.iter()) {
        let lane = lanes.entry(key(&s.account)).or_default();
        let origin = match (&s.origin.address, &s.origin.country) {
            (Some(a), Some(c)) if !c.is_empty() => format!("{a} ({c})"),
            (Some(a), _) => a.clone(),
            _ => String::new(),
        };
        if !origin.is_empty() {
            *lane.origins.entry(origin).or_default() += 1;
        }
        lane.events = lane.events.saturating_add(s.events);
        lane.bytes = lane.bytes.saturating_add(s.bytes_out);
        if s.verdict == "intruder" {
            lane.intruder += 1;
        } else {
            lane.doubtful += 1;
        }
        lane.sessions.push(s);
    }
    // The owner's own use of the same account, drawn apart: it is not the intruder's.
    for s in &view.answer.sessions {
        if s.verdict == "legitimate"
            && s.account.is_some()
            && let Some(lane) = lanes.get_mut(&key(&s.account))
            && let (Some(a), Some(b)) = (second(&s.from), second(&s.to))
        {
            lane.own.push((a, b.max(a)));
        }
    }
    let mut order: Vec<(u8, String)> = lanes.keys().cloned().collect();
    let hidden = order.len().saturating_sub(LANES_MAX);
    if hidden > 0 {
        order.sort_by_key(|k| {
            (
                std::cmp::Reverse(lanes[k].intruder),
                std::cmp::Reverse(lanes[k].events),
                k.clone(),
            )
        });
        order.truncate(LANES_MAX);
        order.sort();
    }

    let (head, lane_h) = (64.0, 46.0);
    let bottom = head + lane_h * order.len() as f32;
    let h = bottom + if hidden > 0 { 74.0 } else { 50.0 };
    let mut out = Vec::new();

    // Waves, their labels and ticks.
    let mut numbered = 0;
    for (i, s) in axis.segments.iter().enumerate() {
        let inside = (s.to - s.from).max(1);
        out.push(Shape::Rect {
            x: s.x,
            y: 34.0,
            w: s.w,
            h: bottom - 34.0,
            ink: Ink::Band,
            title: None,
        });
        let wave = view
            .waves
            .iter()
            .filter(|w| w.from >= s.from && w.to <= s.to)
            .fold((i64::MAX, i64::MIN), |a, w| {
                (a.0.min(w.from), a.1.max(w.to))
            });
        let (wf, wt) = if wave.0 <= wave.1 {
            wave
        } else {
            (s.from, s.to)
        };
        // Up to where the next one begins.
        let room = match axis.segments.get(i + 1) {
            Some(next) => next.x - s.x - 4.0,
            None => f32::MAX,
        };
        let label = Both::of(|l| {
            let d = |t: i64| {
                jiff::Timestamp::from_second(t)
                    .map(|t| words::day(t, zone, l))
                    .unwrap_or_default()
            };
            let whole = if d(wf) == d(wt) {
                d(wf)
            } else {
                format!("{} – {}", d(wf), d(wt))
            };
            fitting([whole, d(wf)], 11.0, room)
        });
        let in_wave = wave.0 <= wave.1;
        if in_wave {
            numbered += 1;
        }
        if axis.segments.len() > 1 && in_wave {
            out.push(bold(
                s.x,
                14.0,
                12.0,
                Ink::Text,
                Anchor::Start,
                Both::new(
                    fitting(
                        [format!("Vague {numbered}"), numbered.to_string()],
                        12.0,
                        room,
                    ),
                    fitting(
                        [format!("Wave {numbered}"), numbered.to_string()],
                        12.0,
                        room,
                    ),
                ),
            ));
        }
        out.push(text(s.x, 28.0, 11.0, Ink::Muted, Anchor::Start, label));
        let step = tick_step(inside, (s.w / 62.0).max(1.0) as i64);
        let mut t = first_tick(view, s.from, step);
        let mut last_x = f32::MIN;
        while t <= s.to {
            if t >= s.from {
                let x = s.x + (t - s.from) as f32 * s.w / inside as f32;
                // A label stands behind its line and must end before the pause.
                let room = if step >= 86_400 { 50.0 } else { 34.0 };
                if x - last_x > 44.0 && x < s.x + s.w - room {
                    last_x = x;
                    out.push(Shape::Line {
                        x1: x,
                        y1: 50.0,
                        x2: x,
                        y2: bottom,
                        width: 0.7,
                        ink: Ink::Grid,
                        dashed: false,
                    });
                    let label = stamp(view, t, |t, l| {
                        if step >= 86_400 {
                            words::day(t, zone, l)
                        } else {
                            words::clock(t, zone)
                        }
                    });
                    out.push(text(x + 3.0, 46.0, 10.0, Ink::Muted, Anchor::Start, label));
                }
            }
            t = next_tick(zone, t, step);
        }
        if let Some(next) = axis.segments.get(i + 1) {
            let x = s.x + s.w;
            out.push(Shape::Rect {
                x,
                y: 34.0,
                w: PAUSE_W,
                h: bottom - 34.0,
                ink: Ink::Pause,
                title: Some(Both::of(|l| words::duration(next.from - s.to, l))),
            });
            out.push(text(
                x + PAUSE_W / 2.0,
                46.0,
                10.0,
                Ink::Muted,
                Anchor::Middle,
                Both::of(|l| words::duration_short(next.from - s.to, l)),
            ));
        }
    }

    let most_events = view
        .intruder
        .iter()
        .chain(view.doubtful.iter())
        .map(|s| s.events)
        .max()
        .unwrap_or(1)
        .max(1) as f32;
    let most_bytes = view
        .intruder
        .iter()
        .chain(view.doubtful.iter())
        .map(|s| s.bytes_out)
        .max()
        .unwrap_or(0)
        .max(1) as f32;
    let mut chain_at: BTreeMap<&str, Vec<(f32, f32, i64)>> = BTreeMap::new();
    for (i, k) in order.iter().enumerate() {
        let lane = &lanes[k];
        let y = head + lane_h * i as f32;
        let base = y + 27.0;
        out.push(Shape::Line {
            x1: 0.0,
            y1: y + lane_h,
            x2: WIDTH,
            y2: y + lane_h,
            width: 0.7,
            ink: Ink::Grid,
            dashed: false,
        });
        let name = if k.1.is_empty() {
            Both::from(("sans compte", "no account"))
        } else {
            // What fits before the lanes in capitals.
            Both::same(clip_middle(&k.1, 24))
        };
        out.push(bold(0.0, y + 19.0, 12.0, Ink::Text, Anchor::Start, name));
        let mut origins: Vec<(&String, &u64)> = lane.origins.iter().collect();
        origins.sort_by_key(|(name, n)| (std::cmp::Reverse(**n), (*name).clone()));
        if let Some((first, _)) = origins.first() {
            let more = origins.len() - 1;
            let line = if more > 0 {
                format!("{} +{more}", clip(first, 29))
            } else {
                clip(first, 33)
            };
            out.push(text(
                0.0,
                y + 34.0,
                10.5,
                Ink::Muted,
                Anchor::Start,
                Both::same(line),
            ));
        }
        // One column of 2 units at a time: at most plot/2 bars a lane.
        let mut columns: BTreeMap<i32, (u64, u64, bool)> = BTreeMap::new();
        let few = lane.sessions.len() <= 60;
        for s in &lane.sessions {
            let Some(from) = second(&s.from) else {
                continue;
            };
            let to = second(&s.to).unwrap_or(from).max(from);
            for (x, w) in axis.place(from, to) {
                if few {
                    let w = w.max(3.5);
                    let height = 5.0 + 15.0 * (s.events as f32 / most_events).sqrt();
                    let title = Both::of(|l| session_title(view, s, l));
                    let ink = if s.verdict == "intruder" {
                        Ink::Intruder
                    } else {
                        Ink::Doubtful
                    };
                    out.push(Shape::Rect {
                        x,
                        y: base - height,
                        w,
                        h: height,
                        ink,
                        title: Some(title),
                    });
                    if s.bytes_out > 0 {
                        let down = 1.5 + 9.0 * (s.bytes_out as f32 / most_bytes).sqrt();
                        out.push(Shape::Rect {
                            x,
                            y: base + 1.5,
                            w,
                            h: down,
                            ink: Ink::Bytes,
                            title: None,
                        });
                    }
                    if view.intruder.len() <= 200 && s.verdict == "intruder" && !s.chain.is_empty()
                    {
                        chain_at.entry(&s.chain).or_default().push((x, base, from));
                    }
                } else {
                    let (a, b) = ((x / 2.0) as i32, ((x + w) / 2.0) as i32);
                    for c in a..=b.min(a + (plot / 2.0) as i32) {
                        let e = columns.entry(c).or_default();
                        e.0 = e.0.saturating_add(s.events);
                        e.1 = e.1.saturating_add(s.bytes_out);
                        e.2 |= s.verdict == "intruder";
                    }
                }
            }
        }
        let most_e = columns.values().map(|c| c.0).max().unwrap_or(1).max(1) as f32;
        let most_b = columns.values().map(|c| c.1).max().unwrap_or(1).max(1) as f32;
        for (c, (events, bytes, bad)) in &columns {
            let height = 5.0 + 15.0 * (*events as f32 / most_e).sqrt();
            out.push(Shape::Rect {
                x: *c as f32 * 2.0,
                y: base - height,
                w: 2.0,
                h: height,
                ink: if *bad { Ink::Intruder } else { Ink::Doubtful },
                title: None,
            });
            if *bytes > 0 {
                out.push(Shape::Rect {
                    x: *c as f32 * 2.0,
                    y: base + 1.5,
                    w: 2.0,
                    h: 1.5 + 9.0 * (*bytes as f32 / most_b).sqrt(),
                    ink: Ink::Bytes,
                    title: None,
                });
            }
        }
        let mut drawn = std::collections::BTreeSet::new();
        for (a, b) in &lane.own {
            for (x, w) in axis.place(*a, *b) {
                let cell = (x as i32, w as i32);
                if drawn.len() < 400 && drawn.insert(cell) {
                    out.push(Shape::Rect {
                        x,
                        y: y + 40.5,
                        w: w.max(2.0),
                        h: 2.5,
                        ink: Ink::Legitimate,
                        title: None,
                    });
                }
            }
        }
        let sessions = Both::of(|l| {
            words::count(
                lane.intruder + lane.doubtful,
                l,
                ("session", "sessions"),
                ("session", "sessions"),
            )
        });
        out.push(text(
            WIDTH,
            y + 19.0,
            11.5,
            Ink::Text,
            Anchor::End,
            sessions,
        ));
        let volume = Both::of(|l| {
            if lane.bytes > 0 {
                format!(
                    "{} · {}",
                    words::count(lane.events, l, ("évén.", "évén."), ("event", "events")),
                    words::bytes(lane.bytes, l)
                )
            } else {
                words::count(
                    lane.events,
                    l,
                    ("événement", "événements"),
                    ("event", "events"),
                )
            }
        });
        out.push(text(WIDTH, y + 34.0, 10.5, Ink::Muted, Anchor::End, volume));
    }
    for points in chain_at.values() {
        for pair in points.windows(2) {
            let ((x1, y1, t1), (x2, y2, t2)) = (pair[0], pair[1]);
            if (y1 - y2).abs() > 1.0 && (t2 - t1).abs() < 21_600 {
                out.push(Shape::Line {
                    x1: x1 + 1.0,
                    y1,
                    x2: x2 + 1.0,
                    y2: y2 - 5.0,
                    width: 1.2,
                    ink: Ink::Link,
                    dashed: true,
                });
            }
        }
    }
    let mut y = bottom + 20.0;
    if hidden > 0 {
        out.push(text(
            0.0,
            y,
            11.0,
            Ink::Muted,
            Anchor::Start,
            Both::new(
                format!("+ {hidden} autres comptes : voir sessions.csv"),
                format!("+ {hidden} more accounts: see sessions.csv"),
            ),
        ));
        y += 24.0;
    }
    legend(
        &mut out,
        y + 6.0,
        &[
            (
                Ink::Intruder,
                ("intrus (hauteur : événements)", "intruder (height: events)"),
            ),
            (Ink::Doubtful, ("douteuse", "doubtful")),
            (Ink::Bytes, ("octets sortis", "bytes out")),
            (
                Ink::Legitimate,
                (
                    "usage du titulaire, non attribué",
                    "owner’s own use, not attributed",
                ),
            ),
            (Ink::Pause, ("pause entre vagues", "pause between waves")),
        ],
    );
    Some(Picture {
        w: WIDTH,
        h,
        shapes: out,
        title: ("Le chemin de l’intrus", "The intruder’s path").into(),
        text: view.story(),
    })
}

fn session_title(view: &View<'_>, s: &ampleur_extent::model::SessionRow, l: Lang) -> String {
    let mut t = format!(
        "{} · {} → {} · {}",
        s.account.as_deref().unwrap_or("—"),
        words::moment_text(&s.from, &view.options.zone, l),
        words::moment_text(&s.to, &view.options.zone, l),
        words::count(
            s.events,
            l,
            ("événement", "événements"),
            ("event", "events")
        )
    );
    if s.bytes_out > 0 {
        t.push_str(" · ");
        t.push_str(&words::bytes(s.bytes_out, l));
    }
    t
}

/// The last multiple of `step` in local time at or before `from`, so that days begin at local midnight.
fn offset(zone: &jiff::tz::TimeZone, t: i64) -> i64 {
    jiff::Timestamp::from_second(t).map_or(0, |t| i64::from(zone.to_offset(t).seconds()))
}

fn first_tick(view: &View<'_>, from: i64, step: i64) -> i64 {
    let offset = offset(&view.options.zone, from);
    (from + offset).div_euclid(step) * step - offset
}

/// The tick after `t`. The clock on the wall counts: the day the clocks change has 23 or 25 hours, and the one after it begins at midnight.
fn next_tick(zone: &jiff::tz::TimeZone, t: i64, step: i64) -> i64 {
    let next = t + step;
    if step > 3600 {
        next + offset(zone, t) - offset(zone, next)
    } else {
        next
    }
}

fn tick_step(span: i64, ticks: i64) -> i64 {
    const STEPS: [i64; 12] = [
        300, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000,
    ];
    let ticks = ticks.clamp(1, 8);
    STEPS
        .into_iter()
        .find(|s| span / s <= ticks)
        .unwrap_or(31_536_000)
}

fn legend(out: &mut Vec<Shape>, y: f32, items: &[(Ink, (&str, &str))]) {
    let mut x = 0.0;
    for (ink, label) in items {
        out.push(Shape::Rect {
            x,
            y: y - 9.0,
            w: 14.0,
            h: 10.0,
            ink: *ink,
            title: None,
        });
        out.push(text(
            x + 20.0,
            y,
            11.0,
            Ink::Muted,
            Anchor::Start,
            (*label).into(),
        ));
        let longest = label.0.chars().count().max(label.1.chars().count());
        x += 20.0 + longest as f32 * 6.1 + 18.0;
    }
}

/// Coverage: one lane per source over the window, with the intruder's waves behind. Worst sources first when there are too many.
pub fn coverage(view: &View<'_>) -> Option<Picture> {
    let rows: Vec<(&ampleur_extent::model::CoverageRow, i64, i64)> = view
        .answer
        .coverage
        .iter()
        .filter_map(|c| Some((c, second(&c.from)?, second(&c.to)?)))
        .collect();
    let from = rows
        .iter()
        .map(|r| r.1)
        .chain(second(&view.answer.window.from))
        .min()?;
    let to = rows
        .iter()
        .map(|r| r.2)
        .chain(second(&view.answer.window.to))
        .max()?;
    if rows.is_empty() || to <= from {
        return None;
    }
    let mut sources: BTreeMap<&str, (bool, Vec<usize>)> = BTreeMap::new();
    for (i, (c, _, _)) in rows.iter().enumerate() {
        let e = sources.entry(&c.source).or_default();
        e.0 |= c.state != "complete";
        e.1.push(i);
    }
    let mut order: Vec<&str> = sources.keys().copied().collect();
    let hidden = order.len().saturating_sub(SOURCES_MAX);
    if hidden > 0 {
        order.sort_by_key(|s| (!sources[s].0, *s));
        order.truncate(SOURCES_MAX);
        order.sort_unstable();
    }
    let zone = &view.options.zone;
    let (head, lane_h) = (40.0, 25.0);
    let right = 58.0;
    let plot = WIDTH - LEFT - right;
    let span = (to - from) as f32;
    let at = |t: i64| LEFT + (t - from) as f32 * plot / span;
    let bottom = head + lane_h * order.len() as f32;
    let mut out = Vec::new();
    for w in &view.waves {
        let x = at(w.from.clamp(from, to));
        out.push(Shape::Rect {
            x,
            y: 24.0,
            w: (at(w.to.clamp(from, to)) - x).max(2.0),
            h: bottom - 24.0,
            ink: Ink::Pause,
            title: Some(
                (
                    "sessions attribuées à l’intrus",
                    "sessions attributed to the intruder",
                )
                    .into(),
            ),
        });
    }
    let step = tick_step(to - from, 8);
    let mut t = first_tick(view, from, step);
    let mut last = f32::MIN;
    while t <= to {
        let x = at(t);
        if t >= from && x - last > 56.0 {
            last = x;
            out.push(Shape::Line {
                x1: x,
                y1: 20.0,
                x2: x,
                y2: bottom,
                width: 0.7,
                ink: Ink::Grid,
                dashed: false,
            });
            let label = stamp(view, t, |t, l| {
                if step >= 86_400 {
                    words::day(t, zone, l)
                } else {
                    words::clock(t, zone)
                }
            });
            out.push(text(x, 14.0, 10.5, Ink::Muted, Anchor::Middle, label));
        }
        t = next_tick(zone, t, step);
    }
    for (i, source) in order.iter().enumerate() {
        let y = head + lane_h * i as f32;
        out.push(text(
            0.0,
            y + 13.0,
            11.5,
            Ink::Text,
            Anchor::Start,
            Both::same(clip(source, 34)),
        ));
        let mut full = 0i64;
        let mut columns: BTreeMap<i32, u8> = BTreeMap::new();
        let list = &sources[source].1;
        let few = list.len() <= 80;
        for r in list {
            let (c, a, b) = &rows[*r];
            let (a, b) = ((*a).clamp(from, to), (*b).clamp(from, to));
            if c.state == "complete" {
                full += b - a;
            }
            let ink = match (c.state.as_str(), c.closed_by.is_some()) {
                ("complete", _) => Ink::Complete,
                ("gap", true) => Ink::Closed,
                ("gap", false) => Ink::Gap,
                _ => Ink::Unknown,
            };
            let (x, w) = (at(a), (at(b) - at(a)).max(1.5));
            if few {
                let title = Both::of(|l| {
                    format!(
                        "{} · {} → {}",
                        if c.state == "complete" {
                            words::state("complete")
                        } else {
                            words::gap_kind(&c.kind)
                        }
                        .get(l),
                        words::moment_text(&c.from, zone, l),
                        words::moment_text(&c.to, zone, l)
                    )
                });
                out.push(Shape::Rect {
                    x,
                    y: y + 3.0,
                    w,
                    h: 14.0,
                    ink,
                    title: Some(title),
                });
            } else {
                let level = match ink {
                    Ink::Complete => 0,
                    Ink::Closed => 1,
                    Ink::Unknown => 2,
                    _ => 3,
                };
                for col in (x / 2.0) as i32..=((x + w) / 2.0) as i32 {
                    let e = columns.entry(col).or_default();
                    *e = (*e).max(level);
                }
            }
        }
        // Runs of equal columns become one bar.
        let mut run: Option<(i32, i32, u8)> = None;
        let mut flush = |run: Option<(i32, i32, u8)>| {
            if let Some((a, b, level)) = run {
                let ink = [Ink::Complete, Ink::Closed, Ink::Unknown, Ink::Gap][level as usize];
                out.push(Shape::Rect {
                    x: a as f32 * 2.0,
                    y: y + 3.0,
                    w: (b - a + 1) as f32 * 2.0,
                    h: 14.0,
                    ink,
                    title: None,
                });
            }
        };
        for (col, level) in columns {
            run = match run {
                Some((a, b, l)) if l == level && col == b + 1 => Some((a, col, l)),
                other => {
                    flush(other);
                    Some((col, col, level))
                }
            };
        }
        flush(run);
        // Floored, so that 99.9 % is never shown as complete.
        let percent = if to > from {
            (full.max(0) as i128 * 100 / i128::from(to - from)).min(100)
        } else {
            0
        };
        out.push(text(
            WIDTH,
            y + 14.0,
            11.0,
            Ink::Muted,
            Anchor::End,
            Both::of(|l| match l {
                Lang::Fr => format!("{percent}\u{a0}%"),
                Lang::En => format!("{percent}%"),
            }),
        ));
    }
    let mut y = bottom + 18.0;
    if hidden > 0 {
        out.push(text(
            0.0,
            y,
            11.0,
            Ink::Muted,
            Anchor::Start,
            Both::new(
                format!("+ {hidden} sources complètes ou semblables : voir extent.json"),
                format!("+ {hidden} more sources: see extent.json"),
            ),
        ));
        y += 24.0;
    }
    legend(
        &mut out,
        y + 8.0,
        &[
            (Ink::Complete, ("complet", "complete")),
            (Ink::Gap, ("trou", "gap")),
            (
                Ink::Closed,
                (
                    "trou comblé par une autre source",
                    "gap closed by another source",
                ),
            ),
            (Ink::Unknown, ("inconnu", "unknown")),
            (Ink::Pause, ("intrus présent", "intruder present")),
        ],
    );
    Some(Picture {
        w: WIDTH,
        h: y + 16.0,
        shapes: out,
        title: ("Ce que les journaux couvrent", "What the logs cover").into(),
        text: Both::of(|l| {
            let n = sources.len() as u64;
            let bad = sources.values().filter(|s| s.0).count() as u64;
            match l {
                Lang::Fr => format!(
                    "{} ; {} au moins une période incomplète ou inconnue.",
                    words::count(n, l, ("source", "sources"), ("", "")),
                    words::count(bad, l, ("a", "ont"), ("", ""))
                ),
                Lang::En => format!(
                    "{}; {} at least one incomplete or unknown period.",
                    words::count(n, l, ("", ""), ("source", "sources")),
                    words::count(bad, l, ("", ""), ("has", "have"))
                ),
            }
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_where_the_clocks_change() {
        let zone = jiff::tz::TimeZone::get("Europe/Paris").expect("a zone");
        for (from, days) in [("2025-10-24T22:00:00Z", 5), ("2025-03-28T23:00:00Z", 4)] {
            let mut t = from.parse::<jiff::Timestamp>().expect("a time").as_second();
            let mut seen = Vec::new();
            for _ in 0..days {
                let at = jiff::Timestamp::from_second(t).expect("a time");
                assert_eq!(words::clock(at, &zone), "00:00");
                seen.push(words::day(at, &zone, Lang::En));
                t = next_tick(&zone, t, 86_400);
            }
            seen.dedup();
            assert_eq!(seen.len(), days);
        }
        let quarter = next_tick(&zone, 1_743_296_400, 900);
        assert_eq!(quarter, 1_743_297_300, "no tick goes back");
    }

    #[test]
    fn a_long_account_keeps_its_system_and_its_name() {
        let long = clip_middle("ad:GHDEBREVAL.EXAMPLE\\ext-lis", 24);
        assert_eq!(long, "ad:GHDEBREV…MPLE\\ext-lis");
        assert_eq!(long.chars().count(), 24);
        assert_eq!(clip_middle("vpn:éditeur-lis", 24), "vpn:éditeur-lis");
        assert_eq!(clip_middle(&"é".repeat(25), 24).chars().count(), 24);
    }
    #[test]
    fn a_label_without_room_is_shortened_or_left_out() {
        let of = |room| fitting(["11 déc. – 18 déc.".into(), "11 déc.".into()], 11.0, room);
        assert_eq!(of(f32::MAX), "11 déc. – 18 déc.");
        assert_eq!(of(80.0), "11 déc.");
        assert_eq!(of(20.0), "");
    }
}
