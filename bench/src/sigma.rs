//! Sigma rules asked of events: our routed asking beside rsigma's own engine, the same rules and events in one run, on one core.
//!
//! 500 rules and more: our pack, and variants of it that look for other texts. Events are decoded from the lanes of `intake`.
//! rsigma gets every help: the rules of one source only, and events that are JSON already, with no field but those rules name.
use crate::lanes::{LANES, Lane};
use ampleur_event::EventBatch;
use ampleur_rules::{PACK, Rules, Scratch, Spool, reference::Reference};
use ampleur_sources::{
    Limits, Setting, by_name,
    reader::{FileSink, Piece, SinkError, read_bytes},
};
use anyhow::{Context, Result, anyhow, ensure};
use std::{fmt::Write as _, io::Cursor, time::Instant};

/// Events of each lane.
const SMALL: u64 = 5_000;
const FULL: u64 = 250_000;
const RULES: usize = 500;
/// The kinds of events the floor is said of.
const KINDS: [&str; 4] = ["fortigate", "nginx", "windows-xml", "auditevent"];
/// What issue 3 asks for on one core.
const FLOOR: f64 = 300_000.0;

struct Into(EventBatch);

impl FileSink for Into {
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), SinkError> {
        piece.events.iter().for_each(|e| self.0.push(&e));
        Ok(())
    }
}

/// The text of a rule of ours, made to look for something else; `k` from 1.
fn variant(text: &str, k: usize) -> String {
    let mut out = String::new();
    let (mut field, mut names, mut changed) = (String::new(), false, false);
    for line in text.lines() {
        let trimmed = line.trim_start();
        let deep = line.len() - trimmed.len();
        if let Some(rest) = line.strip_prefix("id: ").or(line.strip_prefix("name: ")) {
            let key = &line[..line.len() - rest.len()];
            let _ = writeln!(out, "{key}{rest}_{k}");
            continue;
        }
        if deep == 4 {
            names = trimmed == "rules:";
            field.clear();
        }
        if deep == 8 && !trimmed.starts_with('-') {
            field = trimmed.split(':').next().unwrap_or_default().to_string();
        }
        if trimmed == "condition: selection" && !changed {
            // It asks for no text: the variant asks for an account beside.
            let _ = writeln!(out, "    account:\n        user|contains: 'svc{k}q'");
            let _ = writeln!(out, "    condition: selection and account");
        } else if names && deep == 8 {
            let _ = writeln!(out, "{line}_{k}");
        } else if let (Some(head), true) = (line.strip_suffix('\''), texted(&field)) {
            let more = match field.ends_with("|re") {
                true => format!("|zz{k}zz"),
                false => format!("{k}q"),
            };
            let _ = writeln!(out, "{head}{more}'");
            changed = true;
        } else {
            let _ = writeln!(out, "{line}");
        }
        if trimmed == "---" {
            changed = false;
        }
    }
    out
}

/// True for a field whose text may become another; what an event is stays as it is.
fn texted(field: &str) -> bool {
    !field.is_empty()
        && !field.ends_with("|cidr")
        && !["verb", "outcome"].contains(&field)
        && !field.starts_with("Event")
}

fn rules() -> Result<Rules> {
    let mut given = vec![];
    for k in 1.. {
        for (file, text) in PACK {
            given.push((format!("{k}-{file}"), variant(text, k)));
        }
        let rules = Rules::with_own(&given).map_err(|p| anyhow!("load the rules: {p:?}"))?;
        if rules.about().len() >= RULES {
            return Ok(rules);
        }
    }
    unreachable!("rules are added until there are enough")
}

pub fn run(full: bool) -> Result<()> {
    let rules = rules()?;
    let reference = Reference::new(&rules).map_err(|e| anyhow!("give rsigma the rules: {e}"))?;
    let n = if full { FULL } else { SMALL };
    let kinds: Vec<&Lane> = LANES.iter().filter(|l| KINDS.contains(&l.name)).collect();
    println!(
        "sigma: {} rules ({} correlations), {} events of {} kinds, one core",
        rules.about().len(),
        rules.about().iter().filter(|a| a.kind != "event").count(),
        n * kinds.len() as u64,
        kinds.len()
    );
    let dir = std::env::temp_dir().join(format!("ampleur-sigma-{}", std::process::id()));
    let spool = Spool::new(dir);
    let (mut whole, mut events_all, mut ours_all, mut theirs_all) = (0.0, 0u64, 0.0, 0.0);
    let mut answer = blake3::Hasher::new();
    let mut files = vec![];
    for (number, lane) in kinds.iter().enumerate() {
        let mut text = Cursor::new(vec![]);
        lane.write(0, &mut text, |made, _| made == n)?;
        let text = text.into_inner();
        let mut sink = Into(EventBatch::default());
        let source = by_name(lane.format).context("find the source")?;
        read_bytes(
            &text,
            0,
            Some(source),
            &Setting::default(),
            &Limits::default(),
            &mut sink,
        )?;
        let events = sink.0;
        ensure!(events.len() as u64 == n, "{}: not all decoded", lane.name);

        let mut scratch = Scratch::default();
        let mut ours: Vec<Vec<u32>> = vec![];
        let began = Instant::now();
        for e in events.iter() {
            rules.fired(lane.format, &e, &mut scratch);
            ours.push(scratch.fired.clone());
        }
        let asked = began.elapsed().as_secs_f64();

        // As an investigation does it: findings kept apart and hits kept to be counted.
        let began = Instant::now();
        if let Some(mut file) = rules.file(number as u32, lane.format, &spool) {
            events.iter().for_each(|e| file.take(&e));
            files.push(file.finish());
        }
        let kept = began.elapsed().as_secs_f64();

        let mut theirs = 0.0;
        let mut at = 0;
        let all: Vec<_> = events.iter().collect();
        for chunk in all.chunks(10_000) {
            let json: Vec<_> = chunk
                .iter()
                .map(|e| reference.json(lane.format, e))
                .collect();
            let began = Instant::now();
            let fired: Vec<Vec<u32>> = json
                .iter()
                .map(|e| reference.fired(lane.format, e))
                .collect();
            theirs += began.elapsed().as_secs_f64();
            for f in fired {
                ensure!(
                    f == ours[at],
                    "{}: event {at}: ours {:?}, rsigma {f:?}",
                    lane.name,
                    ours[at]
                );
                at += 1;
            }
        }
        for f in &ours {
            f.iter().for_each(|r| {
                answer.update(&r.to_le_bytes());
            });
            answer.update(b".");
        }
        let rate = |t: f64| n as f64 / t;
        println!(
            "sigma {:<12} ours {:>9.0} events/s ({:>9.0} with findings and hits kept), rsigma {:>8.0}; {:.1} times; {} fired",
            lane.name,
            rate(asked),
            rate(kept),
            rate(theirs),
            theirs / asked,
            ours.iter().map(Vec::len).sum::<usize>(),
        );
        whole += kept;
        ours_all += asked;
        theirs_all += theirs;
        events_all += n;
    }
    let began = Instant::now();
    let found = rules.join(files)?;
    let counting = began.elapsed().as_secs_f64();
    let rate = events_all as f64 / (whole + counting);
    println!(
        "sigma all: ours {:.0} events/s, rsigma {:.0}, {:.1} times; with findings, hits and {counting:.2} s of counting {rate:.0} events/s ({:.0} % of the floor of {FLOOR:.0}); {} findings; answer {}",
        events_all as f64 / ours_all,
        events_all as f64 / theirs_all,
        theirs_all / ours_all,
        rate / FLOOR * 100.0,
        found.len(),
        &answer.finalize().to_hex()[..16]
    );
    Ok(())
}
