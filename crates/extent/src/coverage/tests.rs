//! Streams made up here, with things taken out of them; and the example cases when they are there.
use super::*;
use ampleur_event::{
    Context, Event, EventBatch, GapSign, Proof, Verb,
    time::{DAY, HOUR, MINUTE, SECOND},
};
use ampleur_sources::{
    Reject,
    case::{Case, SourceDef},
};
use proptest::prelude::*;

const T0: Nanos = 1_757_887_200 * SECOND; // 2025-09-15T00:00 in Paris, a Monday

fn case(toml: &str) -> Case {
    let context = Context::parse(toml).unwrap();
    let sources = context
        .sources
        .iter()
        .enumerate()
        .map(|(i, s)| SourceDef {
            name: s.files.clone(),
            entry: Some(i),
            files: vec![i as u32],
        })
        .collect();
    let mut c = Case::with_context(
        &std::env::temp_dir().join("ampleur-no-such-case"),
        Context::default(),
    )
    .unwrap_or_else(|_| Case::with_context(std::path::Path::new("."), Context::default()).unwrap());
    c.context = context;
    c.files = vec![];
    c.sources = sources;
    c
}

fn sheet(silence: Silence, gap: GapSign) -> Capability {
    Capability {
        rows: &[
            (Verb::Read, Proof::Access),
            (Verb::Request, Proof::Question),
            (Verb::Login, Proof::Presence),
        ],
        silence,
        names_results: false,
        gap,
    }
}

#[derive(Clone)]
struct Row {
    t: Nanos,
    seq: u64,
    who: &'static str,
    verb: Verb,
}

fn row(t: Nanos, seq: u64) -> Row {
    Row {
        t,
        seq,
        who: "",
        verb: Verb::Read,
    }
}

fn watch(source: u32, cap: Capability, rows: &[Row]) -> Observation {
    watch_files(source, cap, rows, 1).remove(0)
}

/// The rows cut over `n` files, handed back last file first.
fn watch_files(source: u32, cap: Capability, rows: &[Row], n: usize) -> Vec<Observation> {
    let size = rows.len().div_ceil(n).max(1);
    let mut out: Vec<Observation> = rows
        .chunks(size)
        .enumerate()
        .map(|(i, part)| {
            let mut o =
                Observer::with_capability(source * 100 + i as u32, source, "made-up", Some(cap));
            let mut b = EventBatch::default();
            for (j, r) in part.iter().enumerate() {
                b.push(&Event {
                    record: j as u64 + 1,
                    time: r.t,
                    seq: r.seq,
                    verb: r.verb,
                    host: "h".into(),
                    src_ip: r.who.into(),
                    ..Event::default()
                });
            }
            o.batch(&b);
            o.finish(Counts::default())
        })
        .collect();
    out.reverse();
    out
}

const BEAT: &str = "timezone=\"Europe/Paris\"\n[[source]]\nfiles=\"logs/a/*\"\nheartbeat_s=300\ntells=[\"ID.*\"]\n";
const PLAIN: &str = "timezone=\"Europe/Paris\"\n[[source]]\nfiles=\"logs/a/*\"\ntells=[\"ID.*\"]\n";

fn only(c: &Coverage) -> &SourceCoverage {
    &c.sources[0]
}
fn gaps(s: &SourceCoverage) -> Vec<(Kind, Window, Option<u64>)> {
    s.stretches
        .iter()
        .filter(|x| x.state == State::Gap)
        .map(|x| (x.kind, x.window, x.missing))
        .collect()
}
/// Every stretch is inside the window, and complete stretches overlap no other.
fn sound(c: &Coverage) {
    for s in &c.sources {
        let mut whole: Vec<Window> = s
            .stretches
            .iter()
            .filter(|x| x.kind != Kind::Clock)
            .map(|x| x.window)
            .collect();
        whole.sort();
        let mut at = c.window.from;
        for w in whole {
            assert!(w.from <= at, "a hole in the picture of {}", s.name);
            at = at.max(w.to);
        }
        assert_eq!(at, c.window.to, "{}", s.name);
        for a in s.stretches.iter().filter(|x| x.state == State::Complete) {
            for b in s
                .stretches
                .iter()
                .filter(|x| x.state != State::Complete && x.kind != Kind::Clock)
            {
                assert!(!a.window.overlaps(&b.window), "complete over a gap");
            }
        }
    }
}
fn office_rows(days: i64, per_day: i64, seed: u64) -> Vec<Row> {
    let mut x = seed | 1;
    let mut next = move || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    let mut v = vec![];
    for d in 0..days {
        let weekend = d % 7 >= 5;
        let n = if weekend { per_day / 6 } else { per_day };
        for _ in 0..n {
            let h = 8 * HOUR + (next() % (10 * 3600)) as i64 * SECOND;
            v.push(row(T0 + d * DAY + h, ampleur_event::batch::NONE));
        }
    }
    v.sort_by_key(|r| r.t);
    v
}

#[test]
fn a_beating_source_is_complete_and_a_lost_hour_is_a_gap() {
    let rows: Vec<Row> = (0..20 * 288)
        .map(|i| row(T0 + i * 300 * SECOND, ampleur_event::batch::NONE))
        .collect();
    let cap = sheet(Silence::NoAccess, GapSign::RateOnly);
    let c = Coverage::build(&case(BEAT), vec![watch(0, cap, &rows)], None);
    assert_eq!(c.window, Window::new(T0, T0 + 20 * DAY));
    assert!(gaps(only(&c)).is_empty(), "{:?}", only(&c).stretches);
    sound(&c);
    let lost: Vec<Row> = rows
        .iter()
        .filter(|r| !(T0 + 50 * HOUR..T0 + 51 * HOUR).contains(&r.t))
        .cloned()
        .collect();
    let c = Coverage::build(&case(BEAT), vec![watch(0, cap, &lost)], None);
    assert_eq!(gaps(only(&c)).len(), 1);
    assert!(gaps(only(&c))[0].1.contains(T0 + 50 * HOUR));
    sound(&c);
    // The beat is learned when nobody declared it.
    let c = Coverage::build(&case(PLAIN), vec![watch(0, cap, &lost)], None);
    assert_eq!(gaps(only(&c)).len(), 1, "{:?}", only(&c).stretches);
}

#[test]
fn a_cut_line_is_not_a_silence() {
    let mut o = Observer::with_capability(
        0,
        0,
        "made-up",
        Some(sheet(Silence::NoAccess, GapSign::RateOnly)),
    );
    let mut b = EventBatch::default();
    for i in (0..2000u64).filter(|i| *i != 700) {
        b.push(&Event {
            record: i + 1,
            time: T0 + i as i64 * 290 * SECOND,
            verb: Verb::Request,
            ..Event::default()
        });
    }
    o.rejects(&[Reject {
        record: 701,
        offset: 0,
        len: 1,
        reason: ampleur_sources::Reason::Truncated,
        time: None,
        readable: String::new(),
    }]);
    o.batch(&b);
    let observed = o.finish(Counts::default());
    let c = Coverage::build(
        &case(BEAT),
        vec![observed],
        Some(Window::new(T0, T0 + 1999 * 290 * SECOND)),
    );
    assert!(gaps(only(&c)).is_empty(), "{:?}", gaps(only(&c)));
    assert_eq!(only(&c).reject_marks[0].after, T0 + 699 * 290 * SECOND);
    assert_eq!(only(&c).reject_marks[0].before, T0 + 701 * 290 * SECOND);
}

#[test]
fn a_line_cut_at_the_end_of_a_file_is_not_a_silence() {
    // Two days' files of a beat; the last line of the first, or the first of the second, cannot be read.
    let seen = |cut: u64| {
        let day = |file: u32, records: std::ops::Range<u64>| {
            let cap = sheet(Silence::NoAccess, GapSign::RateOnly);
            let mut o = Observer::with_capability(file, 0, "made-up", Some(cap));
            let mut b = EventBatch::default();
            for i in records {
                if i == cut {
                    o.rejects(&[Reject {
                        record: i + 1,
                        offset: 0,
                        len: 1,
                        reason: ampleur_sources::Reason::Truncated,
                        time: None,
                        readable: String::new(),
                    }]);
                    continue;
                }
                b.push(&Event {
                    record: i + 1,
                    time: T0 + i as i64 * 290 * SECOND,
                    verb: Verb::Request,
                    ..Event::default()
                });
            }
            o.batch(&b);
            o.finish(Counts::default())
        };
        let window = Window::new(T0, T0 + 599 * 290 * SECOND);
        Coverage::build(
            &case(BEAT),
            vec![day(1, 300..600), day(0, 0..300)],
            Some(window),
        )
    };
    for cut in [299, 300] {
        let c = seen(cut);
        assert!(gaps(only(&c)).is_empty(), "{cut}: {:?}", gaps(only(&c)));
        let mark = &only(&c).reject_marks[0];
        let t = |i: u64| T0 + i as i64 * 290 * SECOND;
        assert_eq!((mark.after, mark.before), (t(cut - 1), t(cut + 1)));
    }
}

#[test]
fn office_hours_and_week_ends_are_no_gaps() {
    for seed in 1..12 {
        let rows = office_rows(28, 60, seed * 7919);
        let c = Coverage::build(
            &case(PLAIN),
            vec![watch(0, sheet(Silence::NoAccess, GapSign::RateOnly), &rows)],
            None,
        );
        let s = only(&c);
        assert!(gaps(s).is_empty(), "seed {seed}: {:?}", gaps(s));
        assert!(s.stretches.iter().any(|x| x.state == State::Complete));
    }
}

#[test]
fn two_lost_working_days_are_a_gap() {
    for seed in 1..12 {
        let rows: Vec<Row> = office_rows(28, 60, seed * 104_729)
            .into_iter()
            .filter(|r| !(T0 + 8 * DAY..T0 + 10 * DAY).contains(&r.t))
            .collect();
        let c = Coverage::build(
            &case(PLAIN),
            vec![watch(0, sheet(Silence::NoAccess, GapSign::RateOnly), &rows)],
            None,
        );
        let g = gaps(only(&c));
        assert_eq!(g.len(), 1, "seed {seed}: {g:?}");
        assert!(g[0].1.from <= T0 + 8 * DAY + 8 * HOUR && g[0].1.to >= T0 + 9 * DAY + 18 * HOUR);
    }
}

/// Twelve days, week ends included, of some nine connections each whose numbers end with them: lost days are seen though few were heard,
/// one stretch of them or two.
#[test]
fn lost_days_among_few_are_a_gap() {
    let all: Vec<Row> = (0..12)
        .flat_map(|d| (0..9).flat_map(move |k| (0..3).map(move |n| (d, k, n))))
        .map(|(d, k, n)| {
            let minute = k * 75 + (d * 37 + k * 11) % 40 + n * 3;
            row(
                T0 + d * DAY + 7 * HOUR + minute * MINUTE,
                ampleur_event::batch::NONE,
            )
        })
        .collect();
    let holes = |lost: &[i64]| {
        let day = |r: &Row| (r.t - T0).div_euclid(DAY);
        let rows: Vec<Row> = all
            .iter()
            .filter(|r| !lost.contains(&day(r)))
            .cloned()
            .collect();
        let sheet = sheet(Silence::NoAccess, GapSign::RateOnly);
        let c = Coverage::build(&case(PLAIN), vec![watch(0, sheet, &rows)], None);
        gaps(only(&c)).len()
    };
    assert_eq!(holes(&[]), 0);
    assert_eq!(holes(&[3, 4]), 1);
    assert_eq!(holes(&[2, 7]), 2);
    // Who rests at week ends may rest.
    assert_eq!(holes(&[5, 6]), 0);
}

/// A source that always speaks ends at midnight, another works on until two: that is the end of the day before. Where it works on by day,
/// the first one has ended early.
#[test]
fn a_nights_work_after_the_logs_were_taken_is_no_day() {
    let beats: Vec<Row> = (0..6 * 288)
        .map(|i| row(T0 + i * 300 * SECOND, ampleur_event::batch::NONE))
        .collect();
    let until = |last: Nanos| {
        let mut other = office_rows(6, 200, 7919);
        for k in 0..40 {
            let t = T0 + 6 * DAY + last - k * 90 * SECOND;
            other.push(row(t, ampleur_event::batch::NONE));
        }
        other.sort_by_key(|r| r.t);
        let cap = sheet(Silence::NoAccess, GapSign::RateOnly);
        let toml = format!("{BEAT}[[source]]\nfiles=\"logs/b/*\"\ntells=[\"ID.*\"]\n");
        let o = [watch(0, cap, &beats), watch(1, cap, &other)];
        case_window(&case(&toml), &o).0.to
    };
    assert_eq!(until(2 * HOUR), T0 + 6 * DAY);
    assert_eq!(until(11 * HOUR), T0 + 6 * DAY + 11 * HOUR + 1_000_000);
}

/// Working days of 60 to 140 records: no morning of theirs is ever near silence, so six silent hours of one are lost.
#[test]
fn some_lost_hours_of_an_uneven_working_day_are_a_gap() {
    let lost = T0 + 8 * DAY + 9 * HOUR..T0 + 8 * DAY + 15 * HOUR;
    for seed in 1..8 {
        let busy = |day: i64| 60 + (day * 7 + seed) % 9 * 10;
        let rows: Vec<Row> = (0..14)
            .flat_map(|day| {
                let all = office_rows(day + 1, busy(day), (seed * 31 + day) as u64 * 7919);
                let of_day = move |r: &Row| (r.t - T0).div_euclid(DAY) == day;
                all.into_iter().filter(of_day).collect::<Vec<_>>()
            })
            .collect();
        let build = |rows: &[Row]| {
            let sheet = sheet(Silence::NoAccess, GapSign::RateOnly);
            Coverage::build(&case(PLAIN), vec![watch(0, sheet, rows)], None)
        };
        let whole = build(&rows);
        assert!(gaps(only(&whole)).is_empty(), "seed {seed}");
        let less: Vec<Row> = rows.into_iter().filter(|r| !lost.contains(&r.t)).collect();
        let c = build(&less);
        let g = gaps(only(&c));
        assert_eq!(g.len(), 1, "seed {seed}: {g:?}");
        assert!(g[0].1.from <= lost.start && g[0].1.to >= lost.end);
    }
}

/// A log numbered by connection, of one batch every night: a night without it may have lost it.
#[test]
fn a_nightly_visit_that_is_missing_leaves_its_day_unproven() {
    let night = |d: i64, n: i64| {
        row(
            T0 + d * DAY + HOUR + (d * 37 % 300 + n) * SECOND,
            ampleur_event::batch::NONE,
        )
    };
    let rows = |skip: i64| -> Vec<Row> {
        let days = (0..20).filter(|d| *d != skip);
        days.flat_map(|d| (0..40).map(move |n| night(d, n)))
            .collect()
    };
    let unproven = |skip: i64| {
        let sheet = sheet(Silence::NoAccess, GapSign::RateOnly);
        let c = Coverage::build(&case(PLAIN), vec![watch(0, sheet, &rows(skip))], None);
        let hole = Window::new(T0 + 11 * DAY, T0 + 12 * DAY);
        let list = only(&c).stretches.iter();
        list.filter(|x| x.state == State::Unknown && x.why.en.contains("twice"))
            .filter(|x| x.window.overlaps(&hole))
            .count()
    };
    assert_eq!(unproven(-1), 0);
    assert_eq!(unproven(11), 1);
}

#[test]
fn a_rare_source_is_unknown_and_a_source_without_files_is_a_gap() {
    let rows: Vec<Row> = (0..9)
        .map(|i| row(T0 + i * 67 * HOUR, ampleur_event::batch::NONE))
        .collect();
    let toml = format!("{PLAIN}[[source]]\nfiles=\"logs/b/*\"\ntells=[\"HEALTH.*\"]\n");
    let c = Coverage::build(
        &case(&toml),
        vec![watch(0, sheet(Silence::NoAccess, GapSign::RateOnly), &rows)],
        None,
    );
    assert!(
        c.sources[0]
            .stretches
            .iter()
            .all(|s| s.state == State::Unknown)
    );
    assert_eq!(gaps(&c.sources[1]), [(Kind::Silence, c.window, None)]);
    assert!(
        c.complete_for(Category::HealthDrug, None, c.window)
            .is_err()
    );
    assert_eq!(
        c.complete_for(Category::StaffPay, None, c.window),
        Err(vec![])
    );
    sound(&c);
}

#[test]
fn what_is_silent_all_through_a_hole_does_not_close_it() {
    let cap = sheet(Silence::NoAccess, GapSign::RateOnly);
    let toml = format!("{BEAT}[[source]]\nfiles=\"logs/b/*\"\ntells=[\"ID.*\", \"HEALTH.*\"]\n");
    let none = ampleur_event::batch::NONE;
    let clients = ["198.51.100.1", "198.51.100.2", "198.51.100.3"];
    // Accesses both see, at no beat; the first source speaks every five minutes besides.
    let mut state = 7u32;
    let mut seen: Vec<Row> = vec![];
    for i in 0..10 * 288 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if state >> 16 & 3 == 0 {
            let t = T0 + i64::from(i) * 300 * SECOND + i64::from(state >> 8 & 127) * SECOND;
            seen.push(Row {
                who: clients[seen.len() / 20 % 3],
                ..row(t, none)
            });
        }
    }
    let beats = (0..10 * 288).map(|i| Row {
        verb: Verb::Heartbeat,
        ..row(T0 + i * 300 * SECOND, none)
    });
    let mut all: Vec<Row> = beats.chain(seen.clone()).collect();
    all.sort_by_key(|r| r.t);
    let (from, to) = (T0 + 100 * HOUR, T0 + 100 * HOUR + 68 * MINUTE);
    let without = |rows: &[Row]| -> Vec<Row> {
        (rows.iter())
            .filter(|r| r.t < from || r.t >= to)
            .cloned()
            .collect()
    };
    let inside = seen.iter().filter(|r| (from..to).contains(&r.t)).count();
    assert!(inside >= 2, "{inside}");
    let holes = |second: &[Row]| {
        let observed = vec![watch(0, cap, &without(&all)), watch(1, cap, second)];
        let c = Coverage::build(&case(&toml), observed, None);
        assert!(c.sources[1].heartbeat_s.is_none(), "{:?}", c.sources[1]);
        let name = [Category::IdName].into_iter().collect();
        c.holes(c.window, None, name)
            .iter()
            .filter(|h| h.kind == Kind::Silence)
            .count()
    };
    // The second source heard what the first one missed; or whatever took the one away took the other too.
    assert_eq!(holes(&seen), 0);
    assert_eq!(holes(&without(&seen)), 1);
}

#[test]
fn a_second_complete_source_closes() {
    let cap = sheet(Silence::NoAccess, GapSign::RateOnly);
    let toml = format!(
        "{BEAT}[[source]]\nfiles=\"logs/b/*\"\nheartbeat_s=300\ntells=[\"ID.*\", \"HEALTH.*\"]\n"
    );
    let silent: Vec<Row> = (0..10 * 288)
        .map(|i| row(T0 + i * 300 * SECOND, ampleur_event::batch::NONE))
        .collect();
    // Both declare the same data, and nothing shows that they record the same accesses: neither speaks for the other.
    let c = Coverage::build(
        &case(&toml),
        vec![watch(0, cap, &silent[1000..]), watch(1, cap, &silent)],
        None,
    );
    assert_eq!(c.sources[0].stretches[0].closed_by, None);
    assert!(!c.holes(c.window, None, every_category()).is_empty());
    // The same with clients, seen by both where both speak.
    let clients = ["198.51.100.1", "198.51.100.2", "198.51.100.3"];
    let rows: Vec<Row> = silent
        .into_iter()
        .enumerate()
        .map(|(i, r)| Row {
            who: clients[i / 20 % 3],
            ..r
        })
        .collect();
    let late: Vec<Row> = rows[1000..].to_vec();
    let c = Coverage::build(
        &case(&toml),
        vec![watch(0, cap, &late), watch(1, cap, &rows)],
        None,
    );
    let edge = &c.sources[0].stretches[0];
    assert_eq!(
        (edge.state, edge.kind, edge.closed_by),
        (State::Gap, Kind::Rotation, Some(1))
    );
    assert!(c.holes(c.window, None, every_category()).is_empty());
    assert_eq!(c.complete_for(Category::IdName, None, c.window), Ok(()));
    // The other way round, HEALTH.* stays open.
    let c = Coverage::build(
        &case(&toml),
        vec![watch(0, cap, &rows), watch(1, cap, &late)],
        None,
    );
    let h = c.holes(c.window, None, every_category());
    assert_eq!(h.len(), 1);
    assert!(
        !h[0].categories.contains(Category::IdName)
            && h[0].categories.contains(Category::HealthDrug)
    );
    let rows_out = c.rows();
    assert!(
        rows_out
            .iter()
            .any(|r| r.state == "gap" && r.kind == "rotation" && r.source == "logs/b/*")
    );
}

#[test]
fn auditing_switched_off_is_said() {
    let mut rows: Vec<Row> = (0..2000)
        .map(|i| row(T0 + i * 240 * SECOND, ampleur_event::batch::NONE))
        .collect();
    rows[500].verb = Verb::AuditOff;
    rows[600].verb = Verb::AuditOn;
    rows[900].verb = Verb::AuditClear;
    let c = Coverage::build(
        &case(BEAT),
        vec![watch(0, sheet(Silence::NoAccess, GapSign::RateOnly), &rows)],
        None,
    );
    let g = gaps(only(&c));
    assert!(g.contains(&(Kind::AuditOff, Window::new(rows[500].t, rows[600].t), None)));
    assert!(
        g.iter()
            .any(|x| x.0 == Kind::Tamper && x.1.to == rows[900].t)
    );
}

/// A proxy and a journal that both see a client's requests, a second apart.
fn two_views(skip: impl Fn(usize) -> bool, shift: Nanos) -> Coverage {
    let toml = format!("{BEAT}[[source]]\nfiles=\"logs/b/*\"\ntells=[\"ID.*\"]\n");
    let clients = [
        "198.51.100.1",
        "198.51.100.2",
        "198.51.100.3",
        "198.51.100.4",
    ];
    let mut proxy = vec![];
    let mut journal = vec![];
    for i in 0..3000usize {
        let t = T0 + i as i64 * 283 * SECOND + (i % 7) as i64 * SECOND;
        let who = clients[(i / 25) % 4];
        proxy.push(Row {
            t,
            seq: ampleur_event::batch::NONE,
            who,
            verb: Verb::Request,
        });
        if !skip(i) {
            journal.push(Row {
                t: t + shift + SECOND,
                seq: ampleur_event::batch::NONE,
                who,
                verb: Verb::Read,
            });
        }
    }
    let cap = sheet(Silence::NoAccess, GapSign::RateOnly);
    Coverage::build(
        &case(&toml),
        vec![watch(0, cap, &proxy), watch(1, cap, &journal)],
        None,
    )
}

#[test]
fn lines_deleted_from_one_of_two_are_found_and_counted() {
    let c = two_views(|_| false, 0);
    assert!(
        c.sources.iter().all(|s| gaps(s).is_empty()),
        "{:?}",
        c.sources.iter().map(gaps).collect::<Vec<_>>()
    );
    let c = two_views(|i| (1000..1020).contains(&i), 0);
    let g = gaps(&c.sources[1]);
    assert_eq!(g.iter().map(|x| x.2.unwrap_or(0)).max(), Some(20), "{g:?}");
    assert!(g.iter().any(|x| x.0 == Kind::Tamper));
    assert!(gaps(&c.sources[0]).is_empty());
}

/// A nightly job, forty requests in a steady pace, in a beating proxy of whole seconds and in a journal. The proxy lacks the line of
/// request `lost` of the fifth night, and where `cut` it stands there and cannot be read.
fn nightly_views(pace: Nanos, lost: Option<i64>, cut: bool) -> Coverage {
    let toml = format!("{BEAT}[[source]]\nfiles=\"logs/b/*\"\ntells=[\"ID.*\"]\n");
    let mut lines: Vec<(Nanos, &str)> = (0..288 * 10)
        .map(|i| (T0 + i * 300 * SECOND + 36 * SECOND, "10.0.0.2"))
        .collect();
    let mut journal = vec![];
    for night in 0..10 {
        for i in 0..40 {
            let t = T0 + night * DAY + 2 * HOUR + 400_000_000 + i * pace;
            let who = "203.0.113.12";
            let missing = night == 4 && Some(i) == lost;
            lines.push((t / SECOND * SECOND, if missing { "" } else { who }));
            journal.push(Row {
                t,
                seq: ampleur_event::batch::NONE,
                who,
                verb: Verb::Read,
            });
        }
    }
    lines.sort();
    let cap = sheet(Silence::NoAccess, GapSign::RateOnly);
    let mut o = Observer::with_capability(0, 0, "made-up", Some(cap));
    let mut b = EventBatch::default();
    for (record, (t, who)) in (1..).zip(&lines) {
        match (who.is_empty(), cut) {
            (false, _) => b.push(&Event {
                record,
                time: *t,
                verb: Verb::Request,
                src_ip: (*who).into(),
                ..Event::default()
            }),
            (true, false) => {}
            (true, true) => o.rejects(&[Reject {
                record,
                offset: 0,
                len: 1,
                reason: ampleur_sources::Reason::Truncated,
                time: None,
                readable: String::new(),
            }]),
        }
    }
    o.batch(&b);
    let proxy = o.finish(Counts::default());
    Coverage::build(&case(&toml), vec![proxy, watch(1, cap, &journal)], None)
}

#[test]
fn a_line_missing_from_a_steady_run_is_missing_where_it_stood() {
    for pace in [900, 1000, 1100, 1200, 1400] {
        let pace = pace * 1_000_000;
        let whole = nightly_views(pace, None, false);
        assert!(gaps(&whole.sources[0]).is_empty(), "{pace}");
        for lost in [0, 1, 20, 38] {
            let read = nightly_views(pace, Some(lost), false);
            let g = gaps(&read.sources[0]);
            let t = T0 + 4 * DAY + 2 * HOUR + 400_000_000 + lost * pace;
            assert_eq!(g.len(), 1, "{pace} {lost}: {g:?}");
            let near = g[0].1.contains(t) && (lost == 0 || g[0].1.to - g[0].1.from < 5 * SECOND);
            assert!(g[0].2 == Some(1) && near, "{pace} {lost}: {g:?}");
            // The record that cannot be read is the one.
            let cut = nightly_views(pace, Some(lost), true);
            assert!(gaps(&cut.sources[0]).is_empty(), "{pace} {lost}");
        }
    }
}

#[test]
fn a_clock_that_is_off_is_found() {
    let c = two_views(|_| false, 0);
    assert!(c.clocks.is_empty(), "{:?}", c.clocks);
    let c = two_views(|_| false, 47 * MINUTE);
    assert_eq!(c.clocks.len(), 1);
    let k = &c.clocks[0];
    assert!(
        (k.offset_s.abs() - 2820.0).abs() <= k.uncertainty_s + 1.0,
        "{k:?}"
    );
}

/// Logins, and what each client asks for some seconds later.
fn logins_and_reads(shift: Nanos, lag: impl Fn(i64) -> Nanos) -> Coverage {
    let toml = format!("{BEAT}[[source]]\nfiles=\"logs/b/*\"\n");
    let clients = [
        "198.51.100.1",
        "198.51.100.2",
        "198.51.100.3",
        "198.51.100.4",
        "198.51.100.5",
        "198.51.100.6",
        "198.51.100.7",
    ];
    let (mut reads, mut logins) = (vec![], vec![]);
    for i in 0..400i64 {
        let t = T0 + i * 37 * MINUTE;
        let who = clients[i as usize % clients.len()];
        let row = |t, verb| Row {
            t,
            seq: ampleur_event::batch::NONE,
            who,
            verb,
        };
        logins.push(row(t + shift, Verb::Login));
        reads.extend((0..5).map(|k| row(t + lag(i) + k * 20 * SECOND, Verb::Request)));
    }
    let (door, tell) = (
        sheet(Silence::NoPresence, GapSign::RateOnly),
        sheet(Silence::NoAccess, GapSign::RateOnly),
    );
    Coverage::build(
        &case(&toml),
        vec![watch(0, tell, &reads), watch(1, door, &logins)],
        None,
    )
}

#[test]
fn a_clock_of_logins_is_found_by_who_is_heard_after_them() {
    let seconds = |i: i64| (5 + i % 9) * SECOND;
    assert!(logins_and_reads(0, seconds).clocks.is_empty());
    let c = logins_and_reads(-47 * MINUTE, seconds);
    assert_eq!(c.clocks.len(), 1, "{:?}", c.clocks);
    let k = &c.clocks[0];
    assert_eq!(k.source, 1);
    assert!((k.offset_s - 2820.0).abs() <= k.uncertainty_s, "{k:?}");
    // People who take their time prove no clock.
    let minutes = |i: i64| (5 + (i * 7919) % 90) * MINUTE;
    assert!(logins_and_reads(0, minutes).clocks.is_empty());
}

#[test]
fn the_window_is_whole_local_days() {
    let rows: Vec<Row> = (0..5 * 288 + 3)
        .map(|i| row(T0 + i * 300 * SECOND, ampleur_event::batch::NONE))
        .collect();
    let cap = sheet(Silence::NoAccess, GapSign::RateOnly);
    let o = [watch(0, cap, &rows)];
    assert_eq!(
        case_window(&case(BEAT), &o).0,
        Window::new(T0, T0 + 5 * DAY),
        "a tail of minutes is no day"
    );
    let half: Vec<Row> = (0..5 * 288 + 144)
        .map(|i| row(T0 + i * 300 * SECOND, ampleur_event::batch::NONE))
        .collect();
    assert_eq!(
        case_window(&case(BEAT), &[watch(0, cap, &half)]).0,
        Window::new(T0, half[half.len() - 1].t + 1_000_000)
    );
    let mut wild = rows.clone();
    wild.push(row(0, ampleur_event::batch::NONE));
    wild.push(row(T0 + 9000 * DAY, ampleur_event::batch::NONE));
    assert_eq!(
        case_window(&case(BEAT), &[watch(0, cap, &wild)]).0,
        Window::new(T0, T0 + 5 * DAY)
    );
}

struct Feed {
    case: Case,
    observer: Option<Observer>,
}

impl ampleur_sources::FileSink for Feed {
    fn begin(
        &mut self,
        file: u32,
        source: Option<&'static dyn ampleur_sources::Source>,
    ) -> Result<(), ampleur_sources::reader::SinkError> {
        let name = source.map_or("unknown", |s| s.name());
        self.observer = Some(Observer::new(file, self.case.source_of(file), name));
        Ok(())
    }
    fn piece(
        &mut self,
        piece: ampleur_sources::Piece<'_>,
    ) -> Result<(), ampleur_sources::reader::SinkError> {
        if let Some(o) = &mut self.observer {
            o.rejects(piece.rejects);
            o.batch(piece.events);
        }
        Ok(())
    }
}

/// Coverage of an example case and its truth; `None` when the examples are not there.
fn example(name: &str) -> Option<(Coverage, serde_json::Value)> {
    let root = std::env::var_os("AMPLEUR_EXAMPLES").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/examples"),
        std::path::PathBuf::from,
    );
    let at = root.join(name);
    let Ok(truth) = std::fs::read_to_string(at.join("truth.json")) else {
        #[allow(clippy::print_stderr)]
        {
            eprintln!("SKIPPED: no example case {name} beside the repository");
        }
        return None;
    };
    let case = Case::open(&at.join("case")).unwrap();
    let mut feed = Feed {
        case: case.clone(),
        observer: None,
    };
    let mut seen = vec![];
    for i in 0..case.files.len() as u32 {
        let r =
            ampleur_sources::read_file(&case, i, &ampleur_sources::Limits::default(), &mut feed)
                .unwrap();
        let counts = Counts {
            records: r.records,
            events: r.events,
            rejects: r.rejects,
            skipped: r.skipped,
            cut_short: false,
        };
        seen.push(
            feed.observer
                .take()
                .unwrap_or_else(|| Observer::new(i, case.source_of(i), "unknown"))
                .finish(counts),
        );
    }
    Some((
        Coverage::build(&case, seen, None),
        serde_json::from_str(&truth).unwrap(),
    ))
}

fn stamp(v: &serde_json::Value) -> Nanos {
    v.as_str()
        .unwrap()
        .parse::<jiff::Timestamp>()
        .unwrap()
        .as_nanosecond() as i64
}

fn against_truth(name: &str) {
    let Some((c, t)) = example(name) else { return };
    sound(&c);
    let w = Window::new(stamp(&t["window"]["from"]), stamp(&t["window"]["to"]));
    assert_eq!(c.window, w, "window");
    for g in t["gaps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|g| g["detectable"] == true)
    {
        let wanted = Window::new(stamp(&g["from"]), stamp(&g["to"]))
            .intersect(&w)
            .unwrap();
        let s = c
            .sources
            .iter()
            .find(|s| Some(s.name.as_str()) == g["files"].as_str())
            .unwrap();
        let told: i64 = s
            .stretches
            .iter()
            .filter(|x| x.state != State::Complete)
            .filter_map(|x| x.window.intersect(&wanted))
            .map(|x| x.length())
            .sum();
        assert!(
            told * 10 >= wanted.length() * 9,
            "{}: {:?}",
            s.name,
            s.stretches
        );
        assert!(s.stretches.iter().any(|x| x.kind.word() == g["kind"]));
    }
    assert!(c.clocks.is_empty(), "{:?}", c.clocks);
}

#[test]
fn the_rotation_of_the_second_example_is_found_and_closed_by_the_proxy() {
    against_truth("s2-small");
    let Some((c, _)) = example("s2-small") else {
        return;
    };
    for s in &c.sources {
        if s.name != "logs/sri-audit/*" {
            assert!(gaps(s).is_empty(), "{} {:?}", s.name, s.stretches);
        }
    }
    assert!(
        c.sources[1]
            .stretches
            .iter()
            .all(|s| s.kind != Kind::Tamper),
        "{:?}",
        c.sources[1].stretches
    );
    assert_eq!(c.complete_for(Category::HealthDrug, None, c.window), Ok(()));
    assert!(c.holes(c.window, None, every_category()).is_empty());
}

#[test]
fn the_first_example_has_no_false_alarm() {
    against_truth("s1-small");
    let Some((c, _)) = example("s1-small") else {
        return;
    };
    for s in &c.sources {
        assert!(
            gaps(s).iter().all(|g| g.0 == Kind::Rotation),
            "{} {:?}",
            s.name,
            s.stretches
        );
        if s.heartbeat_s.is_some() {
            assert!(gaps(s).is_empty(), "{} {:?}", s.name, s.stretches);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// No false `complete`: with numbers, every instant between two kept records that lost one is announced, whatever is dropped,
    /// doubled or swapped.
    #[test]
    fn numbers_never_lie(drops in proptest::collection::btree_set(1usize..1999, 1..30), dup in 0usize..1900, swap in 0usize..1900, files in 1usize..5) {
        let all: Vec<Row> = (0..2000).map(|i| row(T0 + i as i64 * 400 * SECOND, 5000 + i as u64)).collect();
        let mut kept: Vec<Row> = all.iter().enumerate().filter(|(i, _)| !drops.contains(i)).map(|(_, r)| r.clone()).collect();
        let d = kept[dup.min(kept.len() - 1)].clone();
        kept.push(d);
        let at = swap.min(kept.len() - 2);
        kept.swap(at, at + 1);
        let cap = sheet(Silence::NoPresence, GapSign::SequencePerHost);
        let c = Coverage::build(&case(PLAIN), watch_files(0, cap, &kept, files), None);
        sound(&c);
        let s = only(&c);
        for i in &drops {
            let t = all[*i].t;
            prop_assert!(!s.stretches.iter().any(|x| x.state == State::Complete && x.window.contains(t)), "complete over a lost record");
        }
        let missing: u64 = gaps(s).iter().filter(|g| g.0 == Kind::Sequence).map(|g| g.2.unwrap_or(0)).sum();
        prop_assert_eq!(missing, drops.len() as u64);
    }

    /// Doubling and re-ordering change nothing; cutting into files changes nothing (L11, incremental = batch).
    #[test]
    fn order_and_doubles_change_nothing(seed in 1u64..1_000_000, files in 1usize..6, lost in 0i64..20) {
        let rows: Vec<Row> = office_rows(21, 80, seed).into_iter().filter(|r| !(T0 + lost * DAY..T0 + lost * DAY + 30 * HOUR).contains(&r.t)).collect();
        let cap = sheet(Silence::NoAccess, GapSign::RateOnly);
        let base = Coverage::build(&case(PLAIN), vec![watch(0, cap, &rows)], None);
        let mut shuffled = rows.clone();
        for i in 0..shuffled.len() / 3 { let j = (i * 7) % (shuffled.len() - 1); shuffled.swap(j, j + 1); }
        let again = Coverage::build(&case(PLAIN), watch_files(0, cap, &shuffled, files), None);
        prop_assert_eq!(base.rows(), again.rows());
    }

    /// A heartbeat that was lost for longer than its period is announced over all that time.
    #[test]
    fn a_lost_stretch_of_a_beating_source_is_announced(from in 10i64..4000, len in 2i64..300) {
        let rows: Vec<Row> = (0..5000).filter(|i| !(from..from + len).contains(i)).map(|i| row(T0 + i * 240 * SECOND, ampleur_event::batch::NONE)).collect();
        let c = Coverage::build(&case(BEAT), vec![watch(0, sheet(Silence::NoAccess, GapSign::RateOnly), &rows)], None);
        let g = gaps(only(&c));
        let w = Window::new(T0 + (from - 1) * 240 * SECOND, T0 + (from + len) * 240 * SECOND);
        prop_assert!(g.iter().any(|x| x.1 == w), "{:?} not in {:?}", w, g);
        prop_assert_eq!(g.iter().filter(|x| x.1.to < T0 + 4999 * 240 * SECOND).count(), 1);
    }

    /// Holes only grow when rows are taken away (L11).
    #[test]
    fn taking_rows_away_never_completes(seed in 1u64..1_000_000, from in 0i64..300, len in 1i64..120) {
        let beat: Vec<Row> = (0..14 * 288).map(|i| row(T0 + i * 300 * SECOND, i as u64)).collect();
        let cut: Vec<Row> = beat.iter().filter(|r| !(T0 + from * HOUR..T0 + (from + len) * HOUR).contains(&r.t)).cloned().collect();
        let _ = seed;
        let w = Window::new(T0, T0 + 14 * DAY);
        for sign in [GapSign::RateOnly, GapSign::SequencePerHost] {
            let cap = sheet(Silence::NoAccess, sign);
            let a = Coverage::build(&case(BEAT), vec![watch(0, cap, &beat)], Some(w));
            let b = Coverage::build(&case(BEAT), vec![watch(0, cap, &cut)], Some(w));
            let open = |c: &Coverage| c.holes(w, None, every_category()).iter().map(|h| h.window.length()).sum::<i64>();
            prop_assert!(open(&b) >= open(&a));
            let t = T0 + (from + len / 2) * HOUR + MINUTE;
            if cut.len() < beat.len() && t < T0 + 14 * DAY - HOUR {
                prop_assert!(!only(&b).complete_in(Window::new(t, t + 1)));
            }
        }
    }
}

#[test]
fn a_source_that_cannot_tell_who_says_so_and_closes_nothing() {
    use ampleur_session::{Alike, Column, Sessions};
    let c = case(
        "[[source]]\nfiles=\"logs/a/*\"\ntells=[\"ID.*\"]\n[[source]]\nfiles=\"logs/b/*\"\ntells=[\"ID.*\"]\n",
    );
    let window = Window::new(T0, T0 + 3 * DAY);
    let mut plain = Coverage::build(&c, vec![], Some(window));
    for s in &mut plain.sources {
        s.stretches = vec![Stretch {
            window,
            state: State::Complete,
            kind: Kind::None,
            missing: None,
            closed_by: None,
            laid: false,
            why: Why::default(),
        }];
    }
    let mut sessions = Sessions::default();
    plain.note_untold(&sessions);
    assert!(plain.sources.iter().all(|s| s.complete_in(window)));
    sessions.alike.push(Alike {
        source: 0,
        column: Column::Address,
        value: "10.0.5.9".into(),
        sessions: 40,
    });
    sessions.days_off.insert(1, -DAY);
    plain.note_untold(&sessions);
    assert!(!plain.sources.iter().any(|s| s.complete_in(window)));
    let holes = plain.holes(window, None, every_category());
    assert_eq!(holes.iter().map(|h| h.source).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(plain.on_time(1, T0 + 2 * DAY).0, T0 + DAY - 10 * MINUTE);
    let rows = plain.rows();
    let told = |source: &str, fr: &str, en: &str| {
        rows.iter().any(|r| {
            let why = r.because.as_ref();
            r.source == source && why.is_some_and(|w| w.fr.contains(fr) && w.en.contains(en))
        })
    };
    assert!(told(
        "logs/a/*",
        "tous y viennent de 10.0.5.9",
        "comes from 10.0.5.9"
    ));
    assert!(told("logs/b/*", "ajouter -1 jour", "add -1 day"));
}

#[test]
fn a_silence_of_a_machine_that_was_in_his_hands_is_laid_to_him() {
    use ampleur_event::SessionVerdict;
    use ampleur_event::session::{
        Judgement, Origin, Session, SessionCounts, SessionId, SessionKey,
    };
    use ampleur_session::{Features, Sessions};
    let c = case(
        "[[source]]\nfiles=\"logs/fw/*\"\n[[source]]\nfiles=\"logs/vpn/*\"\n[[source]]\nfiles=\"logs/web/*\"\n",
    );
    let window = Window::new(T0, T0 + 10 * DAY);
    let quiet = Window::new(T0 + 5 * DAY, T0 + 5 * DAY + 3 * HOUR);
    let session = |source: u32, from: Nanos, to: Nanos| Session {
        id: SessionId::of([0; 8]),
        source,
        format: "fortinet-fortigate",
        key_kind: SessionKey::Inactivity,
        account: None,
        person: None,
        origin: Origin::default(),
        inner: None,
        host: "".into(),
        program: "".into(),
        from,
        to,
        closed: false,
        counts: SessionCounts::default(),
    };
    let judged = |verdict| Judgement {
        verdict,
        score: 0.0,
        reasons: [].into(),
        chain: "".into(),
        intrusion: None,
    };
    // (settings changed, when, in which source, by whom, connected when, gap's kind) and whose silence is laid to him.
    use SessionVerdict::{Doubtful, Intruder};
    let cases = [
        (
            true,
            T0 + DAY,
            0,
            Intruder,
            quiet.from + HOUR,
            Kind::Silence,
            Some("logs/fw/*"),
        ),
        (
            true,
            T0 + DAY,
            0,
            Intruder,
            quiet.from + HOUR,
            Kind::Sequence,
            Some("logs/fw/*"),
        ),
        (
            false,
            T0 + DAY,
            0,
            Intruder,
            quiet.from + HOUR,
            Kind::Silence,
            None,
        ),
        (
            true,
            T0 + 6 * DAY,
            0,
            Intruder,
            quiet.from + HOUR,
            Kind::Silence,
            None,
        ),
        (
            true,
            T0 + DAY,
            2,
            Intruder,
            quiet.from + HOUR,
            Kind::Silence,
            Some("logs/web/*"),
        ),
        (
            true,
            T0 + DAY,
            0,
            Doubtful,
            quiet.from + HOUR,
            Kind::Silence,
            None,
        ),
        (
            true,
            T0 + DAY,
            0,
            Intruder,
            quiet.to + DAY,
            Kind::Silence,
            None,
        ),
        (
            true,
            T0 + DAY,
            0,
            Intruder,
            quiet.from + HOUR,
            Kind::Rotation,
            None,
        ),
    ];
    for (set, at, of, verdict, inside, kind, laid) in cases {
        let mut coverage = Coverage::build(&c, vec![], Some(window));
        for s in &mut coverage.sources {
            s.stretches = vec![Stretch {
                window: quiet,
                state: State::Gap,
                kind,
                missing: None,
                closed_by: None,
                laid: false,
                why: Why::new("silence", "silent"),
            }];
        }
        let mut sessions = Sessions::default();
        sessions.list = vec![
            session(of, at, at + HOUR),
            session(1, inside, inside + HOUR),
        ];
        sessions.features = vec![Features::default(); 2];
        sessions.features[0].set = set;
        coverage.note_laid(&sessions, &[judged(verdict), judged(Intruder)]);
        let found: Vec<(String, String)> = (coverage.rows().into_iter())
            .filter(|r| r.kind == "tamper")
            .map(|r| (r.source, r.because.unwrap().en))
            .collect();
        match laid {
            Some(source) => {
                assert_eq!(found.len(), 1);
                assert_eq!(found[0].0, source);
                assert!(
                    found[0].1.starts_with("presumed, for the intruder")
                        && found[0].1.ends_with("; silent")
                );
            }
            None => assert!(found.is_empty(), "{found:?}"),
        }
    }
}
