//! Attribution over every family, many seeds and many disguises: who was accused, who was missed, how sure the score is, and
//! what simple rules would have done on the same sessions. `cargo xtask evaluate` runs it.
#![allow(clippy::print_stdout)]
use crate::{
    Family, Knob, Pathology, Recipe, Truth, simulate,
    trial::{self, Baseline, Key, Ran, Tally, Whose},
};
use ampleur_detect::Word;
use ampleur_event::{SessionVerdict, session::Judgement};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// One way of playing a family otherwise.
#[derive(Clone, Default)]
struct Variant {
    name: &'static str,
    knobs: Vec<Knob>,
    scale: Option<f64>,
    background: Option<f64>,
    patience: Option<f64>,
    roaming: bool,
    /// Days kept before the intruder's first session.
    history_days: Option<i64>,
    /// The n-th source of the case is absent.
    without: Option<usize>,
    /// The n-th source's clock is wrong by this many seconds.
    clock: Option<(usize, i64)>,
}

fn variants() -> Vec<Variant> {
    let v = |name, knobs: &[Knob]| Variant {
        name,
        knobs: knobs.to_vec(),
        ..Variant::default()
    };
    let mut all = vec![
        v("plain", &[]),
        v("at-home", &[Knob::AtHome]),
        v("owners-client", &[Knob::OwnersClient]),
        v("twin", &[Knob::AtHome, Knob::OwnersClient]),
        v("one-browser", &[Knob::OneBrowser]),
        v("one-exit", &[Knob::OneExit]),
        v("no-geo", &[Knob::NoGeo]),
        v("no-persons", &[Knob::NoPersons]),
        v("no-accounts", &[Knob::NoAccounts]),
        v("bare", &[Knob::NoPersons, Knob::NoAccounts, Knob::NoPlans]),
        v("no-plans", &[Knob::NoPlans]),
        v("logs-only", &[Knob::LogsOnly]),
        Variant {
            name: "roaming",
            roaming: true,
            ..Variant::default()
        },
        Variant {
            name: "patient",
            patience: Some(8.0),
            ..Variant::default()
        },
        Variant {
            name: "tiny",
            scale: Some(0.4),
            ..Variant::default()
        },
        Variant {
            name: "large",
            scale: Some(3.0),
            ..Variant::default()
        },
        Variant {
            name: "quiet",
            background: Some(0.2),
            ..Variant::default()
        },
        Variant {
            name: "busy",
            background: Some(3.0),
            ..Variant::default()
        },
        Variant {
            name: "short-memory",
            history_days: Some(3),
            ..Variant::default()
        },
    ];
    const WITHOUT: [&str; 8] = [
        "without-1",
        "without-2",
        "without-3",
        "without-4",
        "without-5",
        "without-6",
        "without-7",
        "without-8",
    ];
    for (k, name) in WITHOUT.into_iter().enumerate() {
        all.push(Variant {
            name,
            without: Some(k),
            ..Variant::default()
        });
    }
    const SKEWED: [&str; 4] = ["skewed-1", "skewed-2", "skewed-3", "skewed-4"];
    for (k, name) in SKEWED.into_iter().enumerate() {
        all.push(Variant {
            name,
            clock: Some((k, if k % 2 == 0 { 1_500 } else { -2_820 })),
            ..Variant::default()
        });
    }
    all
}

struct Plan {
    families: Vec<Family>,
    seeds: Vec<u64>,
    scale: f64,
    variants: Vec<Variant>,
    keep: Option<PathBuf>,
    lines: usize,
    /// Watch each case as a stream too.
    live: bool,
    /// No new case is begun after this many minutes.
    minutes: Option<u64>,
}

/// Scores read as log odds, gathered: a long evaluation has tens of millions of them.
#[derive(Default)]
struct Calibration {
    /// Per band: sessions, the intruder's among them, sum of their probabilities.
    bands: [(u64, u64, f64); EDGES.len() + 1],
    squares: f64,
    /// Reason → sessions of the intruder and of innocents it speaks of, sum of its weights.
    reasons: BTreeMap<&'static str, (u64, u64, f64)>,
}

/// Bounds of the bands.
const EDGES: [f32; 9] = [-6.0, -4.0, -2.0, 0.0, 0.5, 1.5, 3.0, 5.0, 8.0];

impl Calibration {
    fn add(&mut self, j: &Judgement, bad: bool) {
        let p = 1.0 / (1.0 + f64::from(-j.score).exp());
        let band = &mut self.bands[EDGES.partition_point(|e| *e <= j.score)];
        *band = (band.0 + 1, band.1 + u64::from(bad), band.2 + p);
        self.squares += (p - f64::from(u8::from(bad))).powi(2);
        for r in j.reasons.iter() {
            let of = self.reasons.entry(r.code).or_default();
            *of = (
                of.0 + u64::from(bad),
                of.1 + u64::from(!bad),
                of.2 + f64::from(r.weight),
            );
        }
    }
    fn sessions(&self) -> (u64, u64) {
        let add = |a: (u64, u64), b: &(u64, u64, f64)| (a.0 + b.0, a.1 + b.1);
        self.bands.iter().fold((0, 0), add)
    }
}

/// Everything one variant of one family showed over its seeds.
#[derive(Default)]
struct Row {
    runs: u64,
    tally: Tally,
    innocent: u64,
    suspicious: u64,
    accused_accounts: u64,
    overcut: u64,
    bad_accounts_missed: u64,
    mixed: u64,
    internal: (u64, u64, u64),
    /// Runs of a family with an intruder in which nobody was named at all.
    lost: u64,
    intrusion_said: u64,
    /// (account, local day) pairs told where nobody broke in, and days watched there.
    false_alarms: u64,
    calm_days: u64,
    /// Sessions missed without a word about the evidence that would have told.
    silent: u64,
    /// Seconds from the intruder's first session to the first alarm; `None`: no alarm.
    delays: Vec<Option<i64>>,
}

impl Row {
    fn add(&mut self, o: &Row) {
        self.runs += o.runs;
        self.tally += o.tally;
        self.innocent += o.innocent;
        self.suspicious += o.suspicious;
        self.accused_accounts += o.accused_accounts;
        self.overcut += o.overcut;
        self.bad_accounts_missed += o.bad_accounts_missed;
        self.mixed += o.mixed;
        self.internal.0 += o.internal.0;
        self.internal.1 += o.internal.1;
        self.internal.2 += o.internal.2;
        self.lost += o.lost;
        self.intrusion_said += o.intrusion_said;
        self.false_alarms += o.false_alarms;
        self.calm_days += o.calm_days;
        self.silent += o.silent;
        self.delays.extend(&o.delays);
    }
}

/// What others said over all cases, in the order they were first asked.
#[derive(Default)]
struct Rivals(Vec<(&'static str, Tally)>);

impl Rivals {
    fn add(&mut self, key: &Key, (name, says): &Says) {
        let verdict = |bad: &bool| match bad {
            true => SessionVerdict::Intruder,
            false => SessionVerdict::Legitimate,
        };
        let verdicts: Vec<SessionVerdict> = says.iter().map(verdict).collect();
        let tally = key.tally(&verdicts);
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, t)) => *t += tally,
            None => self.0.push((name, tally)),
        }
    }
}

/// Wilson score interval at 95 % for `k` of `n`.
fn wilson(k: u64, n: u64) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (n, z) = (n as f64, 1.96_f64);
    let p = k as f64 / n;
    let mid = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / (1.0 + z * z / n);
    ((mid - half).max(0.0), (mid + half).min(1.0))
}

fn share(k: u64, n: u64) -> String {
    let (a, b) = wilson(k, n);
    let p = if n == 0 { 1.0 } else { k as f64 / n as f64 };
    format!("{p:.4} [{a:.4}, {b:.4}]")
}

/// What somebody else would say of the sessions of a case: the name, and whether each session is the intruder's.
pub type Says = (&'static str, Vec<bool>);

/// `attribution [FAMILY…] [--seeds A-B] [--scale X] [--variants a,b|all] [--keep DIR] [--lines N] [--live] [--minutes N]`.
/// `others` are asked beside the baselines known here.
///
/// # Errors
/// In words: an argument nobody knows, a case that cannot be played, or a law that did not hold.
pub fn run(
    args: &[String],
    others: &dyn Fn(&Ran) -> Result<Vec<Says>, String>,
) -> Result<(), String> {
    let plan = plan(args)?;
    let mut rows: BTreeMap<(usize, Family), Row> = BTreeMap::new();
    let mut rivals = Rivals::default();
    let mut scores = Calibration::default();
    let started = std::time::Instant::now();
    // Seeds outermost: an evaluation cut short has seen every variant alike.
    'all: for seed in &plan.seeds {
        for (n, variant) in plan.variants.iter().enumerate() {
            for family in &plan.families {
                if plan
                    .minutes
                    .is_some_and(|m| started.elapsed().as_secs() >= m * 60)
                {
                    println!("stopped at seed {seed}, {}: time is up", variant.name);
                    break 'all;
                }
                let dir = plan
                    .keep
                    .clone()
                    .unwrap_or_else(std::env::temp_dir)
                    .join(format!(
                        "ampleur-{}-{}-{seed}-{}",
                        family.name(),
                        variant.name,
                        std::process::id()
                    ));
                drop(std::fs::remove_dir_all(&dir));
                let row = one(
                    &plan,
                    variant,
                    *family,
                    *seed,
                    &dir,
                    others,
                    &mut rivals,
                    &mut scores,
                )
                .map_err(|e| format!("{} {} {seed}: {e}", family.name(), variant.name))?;
                if plan.keep.is_none() {
                    drop(std::fs::remove_dir_all(&dir));
                }
                if let Some(row) = row {
                    rows.entry((n, *family)).or_default().add(&row);
                }
            }
        }
    }
    print(&plan, &rows, &rivals, &scores)
}

#[allow(clippy::too_many_arguments)]
fn one(
    plan: &Plan,
    variant: &Variant,
    family: Family,
    seed: u64,
    dir: &Path,
    others: &dyn Fn(&Ran) -> Result<Vec<Says>, String>,
    rivals: &mut Rivals,
    scores: &mut Calibration,
) -> Result<Option<Row>, String> {
    let words = |e: &dyn std::fmt::Display| e.to_string();
    let mut recipe = Recipe::new(family, seed, plan.scale * variant.scale.unwrap_or(1.0));
    recipe.background = variant.background.unwrap_or(1.0);
    recipe.patience = variant.patience.unwrap_or(1.0);
    recipe.roaming = variant.roaming;
    recipe.knobs.clone_from(&variant.knobs);
    let read = |dir: &Path| -> Result<Truth, String> {
        let text = std::fs::read(dir.join("truth.json")).map_err(|e| words(&e))?;
        serde_json::from_slice(&text).map_err(|e| words(&e))
    };
    let play = |recipe: &Recipe| simulate(recipe, dir).map_err(|e| words(&e));
    if variant.history_days.is_some() || variant.without.is_some() || variant.clock.is_some() {
        // The sources and the first day are known once the case was played.
        play(&recipe)?;
        let t = read(dir)?;
        std::fs::remove_dir_all(dir).map_err(|e| words(&e))?;
        let key = |k: usize| t.sources.get(k).map(|s| s.key.clone());
        if let Some(k) = variant.without {
            let Some(source) = key(k) else {
                return Ok(None);
            };
            recipe.pathologies.push(Pathology::DropSource { source });
        }
        if let Some((k, offset_s)) = variant.clock {
            let Some(source) = key(k) else {
                return Ok(None);
            };
            recipe
                .pathologies
                .push(Pathology::Clock { source, offset_s });
        }
        if let Some(days) = variant.history_days {
            let first = t
                .sessions
                .iter()
                .filter(|s| s.actor == "intruder")
                .map(|s| s.from.as_str())
                .min()
                .unwrap_or(&t.window.to)
                .parse::<jiff::Timestamp>()
                .map_err(|e| words(&e))?
                .as_millisecond();
            for s in &t.sources {
                recipe.pathologies.push(Pathology::Rotation {
                    source: s.key.clone(),
                    before: first - days * 86_400_000,
                });
            }
        }
    }
    play(&recipe)?;
    let truth = read(dir)?;
    let r = trial::run(&dir.join("case"), &Word::default())?;
    let key = Key::new(&r, &truth);
    let rep = trial::compare(&r, &truth);
    for b in Baseline::ALL {
        rivals.add(&key, &(b.name(), b.says(&r, &key)));
    }
    for says in others(&r)? {
        rivals.add(&key, &says);
    }
    let mut row = Row {
        runs: 1,
        tally: rep.tally,
        accused_accounts: rep.accounts_accused.len() as u64,
        overcut: rep.overcut.len() as u64,
        bad_accounts_missed: rep.cut_missed.len() as u64,
        mixed: rep.mixed as u64,
        ..Row::default()
    };
    let (truly, said) = (&rep.internal.0, &rep.internal.1);
    row.internal = (
        truly.intersection(said).count() as u64,
        said.difference(truly).count() as u64,
        truly.difference(said).count() as u64,
    );
    row.lost = u64::from(rep.tally.visible > 0 && rep.tally.named == 0);
    row.intrusion_said = u64::from(rep.tally.said > 0);
    let began = truth
        .sessions
        .iter()
        .filter(|s| s.actor == "intruder" && key.visible.contains(&s.id))
        .filter_map(|s| s.from.parse::<jiff::Timestamp>().ok())
        .min()
        .and_then(|t| i64::try_from(t.as_nanosecond()).ok());
    match began {
        Some(t) if plan.live => {
            let told = trial::first_alarm(&r, t);
            row.delays.push(told.map(|a| (a - t) / 1_000_000_000));
        }
        None => {
            let day = |t: i64| t.div_euclid(ampleur_event::time::DAY);
            let told: std::collections::BTreeSet<(String, i64)> = r
                .sessions
                .list
                .iter()
                .zip(&r.judged.judgements)
                .filter(|(_, j)| j.verdict == SessionVerdict::Intruder)
                .map(|(x, _)| {
                    let who = x
                        .account
                        .as_ref()
                        .map_or_else(String::new, |a| a.to_string());
                    (who, day(x.from))
                })
                .collect();
            row.false_alarms = told.len() as u64;
            let days: Vec<i64> = r.sessions.list.iter().map(|x| day(x.from)).collect();
            if let (Some(a), Some(b)) = (days.iter().min(), days.iter().max()) {
                row.calm_days = (b - a + 1) as u64;
            }
        }
        Some(_) => {}
    }
    for (i, w) in key.whose.iter().enumerate() {
        match w {
            Whose::Innocent => {
                row.innocent += 1;
                row.suspicious += u64::from(trial::suspicious(&r, i));
                scores.add(&r.judged.judgements[i], false);
            }
            Whose::Intruder => scores.add(&r.judged.judgements[i], true),
            _ => {}
        }
    }
    let why: Vec<Result<String, Vec<usize>>> = rep
        .missed_ids
        .iter()
        .map(|id| trial::why_missed(&r, &truth, &key, *id))
        .collect();
    row.silent = why.iter().filter(|w| w.is_err()).count() as u64;
    let missed: Vec<String> = rep
        .missed
        .iter()
        .zip(&why)
        .map(|(m, w)| match w {
            Ok(told) => format!("{m}: {told}"),
            Err(shown) => {
                let ids: Vec<&str> = shown.iter().map(|i| &*r.sessions.list[*i].id).collect();
                format!("{m}: NOT EXPLAINED, shown by {}", ids.join(", "))
            }
        })
        .collect();
    let faults = [
        ("accused", &rep.accused),
        ("accounts accused", &rep.accounts_accused),
        ("cut without need", &rep.overcut),
        ("not cut", &rep.cut_missed),
        ("missed", &missed),
    ];
    let doubt = rep.tally.doubtful;
    let wrong_internal = row.internal.1 + row.internal.2;
    if faults.iter().any(|f| !f.1.is_empty()) || rep.mixed > 0 || doubt > 0 || wrong_internal > 0 {
        println!(
            "{} {} seed {seed}: found {}/{} named {}, accused {}, in doubt {doubt} ({} innocent), not cut {:?}, overcut {:?}, mixed {}, internal {:?}",
            family.name(),
            variant.name,
            rep.tally.found,
            rep.tally.visible,
            rep.tally.named,
            rep.tally.accused,
            rep.tally.doubtful_innocent,
            rep.cut_missed,
            rep.overcut,
            rep.mixed,
            row.internal
        );
        for (what, lines) in faults {
            for l in lines.iter().take(plan.lines) {
                println!("    {what}: {l}");
            }
        }
        let wrong = |i: &usize| {
            let v = r.judged.judgements[*i].verdict;
            (v == SessionVerdict::Doubtful && key.whose[*i] != Whose::Nobody)
                || (v == SessionVerdict::Legitimate && key.whose[*i] == Whose::Intruder)
        };
        for i in (0..key.whose.len()).filter(wrong).take(plan.lines) {
            println!("    {}", trial::describe(&r, i));
            let mut reasons = r.judged.judgements[i].reasons.iter();
            if let Some(told) = reasons.find(|x| x.code == "would_tell") {
                println!("      {}", told.en);
            }
        }
    }
    Ok(Some(row))
}

fn print(
    plan: &Plan,
    rows: &BTreeMap<(usize, Family), Row>,
    rivals: &Rivals,
    scores: &Calibration,
) -> Result<(), String> {
    println!(
        "\n| variant | family | runs | named+doubtful / visible | named | said right/said | innocents accused | in doubt: innocent/all | bad accounts not cut | cut without need | lost |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    let mut all = Row::default();
    for ((n, family), r) in rows {
        let t = r.tally;
        println!(
            "| {} | {} | {} | {}/{} | {} | {}/{} | {} + {} accounts | {}/{} | {} | {} | {} |",
            plan.variants[*n].name,
            family.name(),
            r.runs,
            t.found,
            t.visible,
            t.named,
            t.right,
            t.said,
            t.accused,
            r.accused_accounts,
            t.doubtful_innocent,
            t.doubtful,
            r.bad_accounts_missed,
            r.overcut,
            r.lost
        );
        all.add(r);
    }
    let t = all.tally;
    println!("\n{} runs. Confidence intervals: Wilson, 95 %.", all.runs);
    println!(
        "intruder sessions told (intruder or doubtful): {} of {}: {}",
        t.found,
        t.visible,
        share(t.found, t.visible)
    );
    println!(
        "missed: {}, each with the evidence that would have told but {}",
        t.visible - t.found,
        all.silent
    );
    println!("precision of `intruder`: {}", share(t.right, t.said));
    println!(
        "innocent sessions accused: {} of {} ({} of them suspicious-looking): {}",
        t.accused,
        all.innocent,
        all.suspicious,
        share(t.accused, all.innocent)
    );
    println!(
        "innocent sessions in doubt: {} of {}; innocent accounts accused {}; cut without need {}; bad accounts not cut {}; two thieves under one label {}",
        t.doubtful_innocent,
        all.innocent,
        all.accused_accounts,
        all.overcut,
        all.bad_accounts_missed,
        all.mixed
    );
    println!(
        "curiosity of employees: right {}, wrong {}, missed {}",
        all.internal.0, all.internal.1, all.internal.2
    );
    println!(
        "alarms where nobody broke in: {} in {} days",
        all.false_alarms, all.calm_days
    );
    if plan.live {
        let mut told: Vec<i64> = all.delays.iter().flatten().copied().collect();
        told.sort_unstable();
        let at = |share: usize| told.get(told.len().saturating_sub(1) * share / 100);
        println!(
            "first alarm after the intruder's first visible session: median {:?} s, 90 % {:?} s, none in {} of {} runs",
            at(50),
            at(90),
            all.delays.len() - told.len(),
            all.delays.len()
        );
    }
    println!("\n| rule | recall | precision | innocents accused |\n|---|--:|--:|--:|");
    println!(
        "| Ampleur | {} | {} | {} |",
        share(t.found, t.visible),
        share(t.right, t.said),
        t.accused
    );
    for (name, t) in &rivals.0 {
        println!(
            "| {name} | {} | {} | {} |",
            share(t.found, t.visible),
            share(t.right, t.said),
            t.accused
        );
    }
    reliability(scores);
    if t.accused + all.accused_accounts + all.overcut + all.mixed > 0 {
        return Err("innocents were accused or cut, or two thieves mixed".into());
    }
    if all.internal.1 > 0 {
        return Err("somebody was called curious who was not".into());
    }
    if all.silent > 0 {
        return Err("sessions were missed without a word about what would have told".into());
    }
    Ok(())
}

/// How often a score is right: the score read as log odds. Then how often each reason is met, against its weight.
fn reliability(scores: &Calibration) {
    println!("\n| score | sessions | the intruder's | mean of 1/(1+e^-score) |\n|---|--:|--:|--:|");
    for (k, (n, bad, p)) in scores.bands.iter().enumerate().filter(|b| b.1.0 > 0) {
        let text = match (k, EDGES.get(k)) {
            (0, Some(h)) => format!("below {h}"),
            (_, Some(h)) => format!("{} to {h}", EDGES[k - 1]),
            (_, None) => format!("from {}", EDGES[k - 1]),
        };
        println!(
            "| {text} | {n} | {} | {:.4} |",
            share(*bad, *n),
            p / *n as f64
        );
    }
    let (n, bad) = scores.sessions();
    let base = bad as f64 / n.max(1) as f64;
    println!(
        "Brier score {:.5} over {n} sessions ({:.5} for always saying the base rate {base:.4})",
        scores.squares / n.max(1) as f64,
        base * (1.0 - base)
    );
    println!(
        "\n| reason | the intruder's sessions with it | innocent sessions with it | measured log likelihood ratio | mean weight |\n|---|--:|--:|--:|--:|"
    );
    for (code, (of_bad, of_good, weight)) in &scores.reasons {
        let rate = |k: u64, n: u64| (k as f64 + 0.5) / (n as f64 + 1.0);
        println!(
            "| {code} | {of_bad} | {of_good} | {:+.1} | {:+.1} |",
            (rate(*of_bad, bad) / rate(*of_good, n - bad)).ln(),
            weight / (of_bad + of_good) as f64
        );
    }
}

fn plan(args: &[String]) -> Result<Plan, String> {
    let mut p = Plan {
        families: vec![],
        seeds: (1..=3).collect(),
        scale: 0.003,
        variants: vec![],
        keep: None,
        lines: 4,
        live: false,
        minutes: None,
    };
    let known = variants();
    let mut it = args.iter();
    while let Some(a) = it.next() {
        let mut value = || it.next().ok_or_else(|| format!("{a} needs a value"));
        match a.as_str() {
            "--seeds" => {
                let v = value()?;
                let (from, to) = v.split_once('-').unwrap_or((v, v));
                let n = |t: &str| t.parse::<u64>().map_err(|e| e.to_string());
                p.seeds = (n(from)?..=n(to)?).collect();
            }
            "--scale" => p.scale = value()?.parse().map_err(|_| "--scale: a number")?,
            "--keep" => p.keep = Some(PathBuf::from(value()?)),
            "--lines" => p.lines = value()?.parse().map_err(|_| "--lines: a number")?,
            "--live" => p.live = true,
            "--minutes" => {
                p.minutes = Some(value()?.parse().map_err(|_| "--minutes: a number")?);
            }
            "--variants" => {
                for name in value()?.split(',') {
                    match name {
                        "all" => p.variants.extend(known.iter().cloned()),
                        name => p.variants.push(
                            known
                                .iter()
                                .find(|v| v.name == name)
                                .ok_or_else(|| format!("no variant is named {name}"))?
                                .clone(),
                        ),
                    }
                }
            }
            name => p
                .families
                .push(Family::by_name(name).ok_or_else(|| format!("no family is named {name}"))?),
        }
    }
    if p.families.is_empty() {
        p.families = Family::ALL.to_vec();
    }
    if p.variants.is_empty() {
        p.variants = known.into_iter().take(1).collect();
    }
    Ok(p)
}
