//! Judging a million sessions, and learning how accounts are used from a hundred million events. Each is held against a slow
//! reference: the sums added up again from their reasons, on one thread; the habits counted one visit after the other.
use crate::pipeline::peak_mib;
use ampleur_detect::{Judged, Word, attribute_on, habit::Habits};
use ampleur_event::{
    Event, EventBatch, SessionVerdict, System, Verb,
    time::{DAY, HOUR, Nanos, SECOND},
};
use ampleur_session::{FileIntake, Partial, Sessions};
use ampleur_sources::case::{Case, FileId};
use anyhow::{Result, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Instant,
};

/// A Monday.
const FIRST: i64 = 20_332;
/// Log files of a day: each is read on a thread of its own.
const FILES: usize = 2;

/// A made-up hospital: who comes when is worked out, not kept.
#[derive(Clone, Copy)]
struct House {
    people: u32,
    days: i64,
    /// Requests of a visit.
    asks: i64,
}

fn mix(a: u64, b: u64) -> u64 {
    let mut x = a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xd1b5_4a32_d192_ed03);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^ (x >> 32)
}

impl House {
    /// The addresses one person comes from on one day: a desk on five days of seven, home on one in ten, now and then from elsewhere.
    fn visits(self, day: i64, who: u32) -> Vec<String> {
        let h = mix(day as u64, u64::from(who));
        let mut out = vec![];
        if h % 7 < 5 {
            out.push(format!(
                "10.{}.{}.{}",
                1 + who / 60_000,
                who / 250 % 240,
                who % 250
            ));
        }
        if (h / 7).is_multiple_of(10) {
            out.push(format!("198.51.{}.{}", who / 250 % 250, who % 250));
        }
        if (h / 70).is_multiple_of(400) {
            out.push(format!("203.0.113.{}", h % 250));
        }
        out
    }

    /// The events of a part of the people on one day, in order of the visits, given on in batches.
    fn events(self, day: i64, part: usize, give: &mut dyn FnMut(&EventBatch)) -> u64 {
        let mut batch = EventBatch::default();
        let mut n = 0;
        for who in (0..self.people).filter(|w| *w as usize % FILES == part) {
            let (user, device) = (
                name(who),
                format!("Mozilla/5.0 (X11) Firefox/{}", 100 + who % 40),
            );
            for (k, address) in self.visits(day, who).iter().enumerate() {
                let start = day * DAY + (8 + 2 * k as i64) * HOUR + i64::from(who % 1800) * SECOND;
                for ask in 0..self.asks {
                    let url = format!(
                        "/dossier/{}",
                        mix(u64::from(who), (day * 1000 + ask) as u64) % 90_000
                    );
                    batch.push(&Event {
                        record: n,
                        time: start + ask * 20 * SECOND + (mix(n, 1) % 15) as Nanos * SECOND,
                        verb: Verb::Request,
                        system: System::Web,
                        user: user.as_str().into(),
                        src_ip: address.as_str().into(),
                        device: device.as_str().into(),
                        url: url.into(),
                        bytes_out: 900,
                        status: 200,
                        ..Event::default()
                    });
                    n += 1;
                    if batch.len() == 8192 {
                        give(&batch);
                        batch.clear();
                    }
                }
            }
        }
        give(&batch);
        n
    }
}

fn name(who: u32) -> String {
    format!("agent{who:06}")
}

fn case(dir: &Path) -> Result<Case> {
    std::fs::create_dir_all(dir.join("logs/web"))?;
    let context =
        "timezone = \"UTC\"\n\n[[establishment]]\nid = \"ch\"\nnetworks = [\"10.0.0.0/8\"]\n";
    std::fs::write(dir.join("ampleur.toml"), context)?;
    for part in 0..FILES {
        std::fs::write(dir.join(format!("logs/web/{part}.log")), "")?;
    }
    Ok(Case::open(dir)?)
}

/// The days of `days` taken in; number of events.
fn intake(case: &Case, house: House, days: std::ops::Range<i64>) -> (Vec<Partial>, u64) {
    let one = |part: usize| {
        let mut intake = FileIntake::new(case, part as FileId, "http-access");
        let mut n = 0;
        for day in days.clone() {
            n += house.events(FIRST + day, part, &mut |b| intake.push(b));
        }
        (intake.finish(), n)
    };
    let parts: Vec<(Partial, u64)> = std::thread::scope(|s| {
        let running: Vec<_> = (0..FILES).map(|p| s.spawn(move || one(p))).collect();
        running
            .into_iter()
            .map(|r| r.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
            .collect()
    });
    let n = parts.iter().map(|p| p.1).sum();
    (parts.into_iter().map(|p| p.0).collect(), n)
}

/// `detect [--full]`
pub fn run(full: bool) -> Result<()> {
    let dir = std::env::temp_dir().join(format!("ampleur-detect-{}", std::process::id()));
    let result = case(&dir).and_then(|c| {
        scoring(&c, full)?;
        profiles(&c, full)
    });
    drop(std::fs::remove_dir_all(&dir));
    result
}

fn hash(judged: &Judged) -> Result<String> {
    let mut h = blake3::Hasher::new();
    for j in &judged.judgements {
        h.update(format!("{:?}", (j.verdict, j.score, &j.reasons, &j.intrusion)).as_bytes());
    }
    h.update(&judged.habits.to_json()?);
    Ok(h.finalize().to_hex().to_string())
}

fn scoring(case: &Case, full: bool) -> Result<()> {
    let people = if full { 52_000 } else { 400 };
    let house = House {
        people,
        days: 24,
        asks: 4,
    };
    let (partials, _) = intake(case, house, 0..house.days);
    let sessions = Sessions::build_on(2, case, partials);
    let n = sessions.list.len();
    let mut answers = vec![];
    for threads in [1, 2] {
        let began = Instant::now();
        let judged = attribute_on(
            threads,
            case,
            &sessions,
            &Habits::default(),
            &Word::default(),
        );
        let took = began.elapsed().as_secs_f64();
        println!(
            "scoring: {n} sessions on {threads} threads in {took:.2} s, {:.0} sessions/s, peak {} MiB",
            n as f64 / took,
            peak_mib()
        );
        // The sum of each session again, from what is shown of it.
        for j in &judged.judgements {
            let sum = j.reasons.iter().fold(-4.0, |s, r| s + r.weight);
            ensure!(
                (sum - j.score).abs() < 1e-3,
                "a score of {} for reasons of {sum}",
                j.score
            );
            let by_score = match sum {
                s if s >= 3.0 => SessionVerdict::Intruder,
                s if s >= 0.5 => SessionVerdict::Doubtful,
                _ => SessionVerdict::Legitimate,
            };
            ensure!(j.verdict == by_score, "{} at {sum}", j.verdict);
            ensure!(
                j.verdict == SessionVerdict::Legitimate,
                "an innocent in doubt"
            );
        }
        answers.push(hash(&judged)?);
        if full && threads == 2 && took > 10.0 {
            println!("scoring: ABOVE the floor of 10 s");
        }
    }
    ensure!(
        answers[0] == answers[1],
        "the answer depends on the number of threads"
    );
    println!("scoring: answer {}", answers[0]);
    Ok(())
}

fn profiles(case: &Case, full: bool) -> Result<()> {
    let house = if full {
        House {
            people: 20_000,
            days: 60,
            asks: 102,
        }
    } else {
        House {
            people: 150,
            days: 12,
            asks: 12,
        }
    };
    let (mut habits, mut events) = (Habits::default(), 0);
    let began = Instant::now();
    for day in 0..house.days {
        let (partials, n) = intake(case, house, day..day + 1);
        events += n;
        let sessions = Sessions::build_on(2, case, partials);
        let judged = attribute_on(2, case, &sessions, &habits, &Word::default());
        habits.join(&judged.habits);
    }
    let took = began.elapsed().as_secs_f64();
    println!(
        "profiles: {events} events of {} days in {took:.1} s, making them included, {:.0} events/s; {} rows, peak {} MiB",
        house.days,
        events as f64 / took,
        habits.len(),
        peak_mib()
    );
    if full && took > 300.0 {
        println!("profiles: ABOVE the floor of 5 minutes");
    }
    // Account and address → days, counted one visit after the other.
    let mut expected: BTreeMap<(String, String), BTreeSet<i64>> = BTreeMap::new();
    for day in (0..house.days).map(|d| FIRST + d) {
        for who in 0..house.people {
            for address in house.visits(day, who) {
                let key = (format!("web:{}", name(who)), address);
                expected.entry(key).or_default().insert(day);
            }
        }
    }
    let json = habits.to_json()?;
    let stored: serde_json::Value = serde_json::from_slice(&json)?;
    let mut found = BTreeMap::new();
    for row in stored["rows"].as_array().into_iter().flatten() {
        let text = |i: usize| row[i].as_str().unwrap_or_default().to_string();
        let days = row[3]["days"].as_array().into_iter().flatten();
        let days: BTreeSet<i64> = days.filter_map(serde_json::Value::as_i64).collect();
        found.insert((text(0), text(1)), days);
    }
    ensure!(
        found == expected,
        "habits differ from the visits: {} rows, {} expected",
        found.len(),
        expected.len()
    );
    if !full {
        // All days at once leave the same rows.
        let (partials, _) = intake(case, house, 0..house.days);
        let sessions = Sessions::build(case, partials);
        let whole = attribute_on(1, case, &sessions, &Habits::default(), &Word::default());
        ensure!(
            whole.habits == habits,
            "days one by one and all at once differ"
        );
    }
    println!("profiles: answer {}", blake3::hash(&json).to_hex());
    Ok(())
}
