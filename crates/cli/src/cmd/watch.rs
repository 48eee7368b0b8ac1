//! `ampleur watch`: the logs of a case while they grow, and an alarm when somebody else is at work under an account.
use super::investigate::{Place, WordArgs, cores};
use crate::{
    exit::Exit,
    shell::{Shell, plain, refuse},
};
use ampleur_event::Nanos;
use ampleur_serve::job::{AlarmLine, Step, Watch, WatchOptions, book};
use ampleur_sources::follow::Local;
use std::{
    io::{self, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur watch CASE_DIR answer
  ampleur watch CASE_DIR answer --json --every 10
  ampleur watch CASE_DIR answer --once

ANSWER is the folder of an investigation: its lake remembers how accounts are used and what the analyst said, its keys make the tokens. The files under CASE_DIR/logs are followed as they grow, new and rotated ones too. Each alarm is a line of ANSWER/alarms.jsonl and of the output, without any name or address: ampleur sessions says more about the session it names. An account is told of once a day, also after a restart. Nothing is sent anywhere. With --once: 0 nobody new, 1 alarms, 3 some files could not be read.")]
pub struct Args {
    /// The case whose logs are followed.
    #[arg(value_name = "CASE_DIR")]
    pub case: PathBuf,
    /// Folder of an earlier investigation.
    #[arg(value_name = "ANSWER")]
    pub answer: PathBuf,
    /// Look once, judge, and end.
    #[arg(long)]
    pub once: bool,
    /// Seconds from one look to the next.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub every: u64,
    /// Days of sessions kept in memory; older ones live on as habits.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3660))]
    pub days: u32,
    #[command(flatten)]
    pub word: WordArgs,
    #[command(flatten)]
    pub place: Place,
}

pub fn run(args: &Args, shell: &Shell) -> anyhow::Result<Exit> {
    if !args.answer.is_dir() {
        return Err(refuse(
            format!("find the answer {}", args.answer.display()),
            "investigate first: ampleur investigate CASE_DIR --out ANSWER",
        ));
    }
    let options = WatchOptions {
        case: args.case.clone(),
        answer: args.answer.clone(),
        lake: args.place.lake.clone(),
        keys: args.place.keys.clone(),
        word: args.word.word()?,
        days: args.days,
        threads: args.place.threads.unwrap_or_else(cores).max(1),
    };
    let mut book = book(&args.answer);
    let mut watch = Watch::open(&options, &mut book)?;
    let mut exit = Exit::Done;
    let every = Duration::from_secs(args.every);
    let mut looks = 0u64;
    loop {
        let began = Instant::now();
        let step = watch.step(now(), &Local, &mut book)?;
        looks += 1;
        // Packed files are read once they have kept their size: a single look is two.
        let step = if args.once {
            let mut second = watch.step(now(), &Local, &mut book)?;
            second.alarms.splice(0..0, step.alarms);
            second.events += step.events;
            second
        } else {
            step
        };
        exit = exit.and(show(&step, shell)?);
        if looks == 1 {
            let (known, all) = watch.files();
            shell.note(&match shell.say("fr", "en") {
                "fr" => format!(
                    "{all} fichiers, dont {known} suivis au fil de l’eau, {} événements",
                    step.events
                ),
                _ => format!(
                    "{all} files, {known} of them followed as they grow, {} events",
                    step.events
                ),
            });
        }
        if args.once {
            return Ok(exit);
        }
        std::thread::sleep(every.saturating_sub(began.elapsed()));
    }
}

fn now() -> Nanos {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(0)
}

fn show(step: &Step, shell: &Shell) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    let mut exit = Exit::Done;
    for a in &step.alarms {
        if shell.json {
            serde_json::to_writer(&mut out, a)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", line(a, shell))?;
        }
        exit = exit.and(Exit::Act);
    }
    out.flush()?;
    for (what, why) in &step.trouble {
        shell.note(&format!(
            "{}: {}",
            plain(&what.display().to_string()),
            plain(why)
        ));
        exit = exit.and(Exit::Part);
    }
    Ok(exit)
}

/// One alarm for a person: when, which session, and what speaks for it, heaviest first.
fn line(a: &AlarmLine, shell: &Shell) -> String {
    let why: Vec<&str> = a
        .reasons
        .iter()
        .filter(|r| r.1 > 0.0)
        .map(|(code, _)| {
            let known = ampleur_detect::signs::SIGNS.iter().find(|s| s.0 == code);
            known.map_or(code.as_str(), |s| shell.say(s.1, s.2))
        })
        .take(4)
        .collect();
    let (alarm, account) = (shell.say("ALARME", "ALARM"), shell.say("compte", "account"));
    // A sign a line, so that it can be read at 80 columns.
    format!(
        "{alarm} {} session {}\n  {account} {}\n  {}",
        a.since,
        a.session,
        a.who,
        why.join("\n  ")
    )
}
