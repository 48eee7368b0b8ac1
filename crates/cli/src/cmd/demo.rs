//! `ampleur demo`: a made-up hospital, its investigation, and the truth beside the answer. Offline, under a minute.
use super::investigate;
use crate::{
    exit::Exit,
    shell::{Shell, plain, refuse},
};
use ampleur_notice::words;
use ampleur_serve::job::{Options, SubjectsForm};
use ampleur_testkit::{Family, Recipe, score::score_dirs};
use anyhow::Context as _;
use std::{
    io::{self, Write},
    path::PathBuf,
};

/// Beside everything a demo writes: a folder with this file may be replaced by the next demo.
const MARK: &str = ".ampleur-demo";

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur demo
  ampleur demo rennes
  ampleur demo --seed 7 --scale 0.01

hauts-de-france: usurped professionals on a regional identity server. rennes: a vendor's VPN account, files stolen. Nobody in them exists. Exit code 0 when the answer holds the truth, 1 when it does not.")]
pub struct Args {
    /// Which intrusion.
    #[arg(value_enum, default_value_t = Story::HautsDeFrance)]
    pub story: Story,
    /// Another hospital, the same story.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// 1 is the size of the incident it is modelled on.
    #[arg(long, default_value_t = 0.004)]
    pub scale: f64,
    /// Folder to write into; out/demo-STORY by default.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Story {
    HautsDeFrance,
    Rennes,
}

pub fn run(args: &Args, shell: &Shell) -> anyhow::Result<Exit> {
    let (family, name) = match args.story {
        Story::HautsDeFrance => (Family::S2, "hauts-de-france"),
        Story::Rennes => (Family::S1, "rennes"),
    };
    if !(args.scale > 0.0 && args.scale <= 1000.0) {
        return Err(refuse(
            format!("use scale {}", args.scale),
            "a number above 0, at most 1000",
        ));
    }
    let dir = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from("out").join(format!("demo-{name}")));
    if dir.join(MARK).is_file() {
        std::fs::remove_dir_all(&dir)
            .with_context(|| format!("replace the demo in {}", dir.display()))?;
    } else if dir.exists() {
        return Err(refuse(
            format!("use {}: it holds something else", dir.display()),
            "give another folder with --out",
        ));
    }
    std::fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
    std::fs::write(
        dir.join(MARK),
        "made by `ampleur demo`; replaced by the next one\n",
    )
    .with_context(|| format!("write into {}", dir.display()))?;

    shell.note(shell.say(
        "Un hôpital inventé, ses journaux, un intrus…",
        "A made-up hospital, its logs, an intruder…",
    ));
    let played = ampleur_testkit::simulate(&Recipe::new(family, args.seed, args.scale), &dir)
        .context("simulate")?;
    shell.note(&format!(
        "{} {}",
        plain(&words::number(played.records, shell.lang)),
        shell.say(
            "enregistrements écrits ; enquête…",
            "records written; investigating…"
        )
    ));
    let answer = dir.join("answer");
    let options = Options {
        case: played.case.clone(),
        out: answer.clone(),
        lake: None,
        keys: None,
        dpo_key: None,
        // Made-up people: identifiers in clear let the answer be held against the truth.
        subjects: SubjectsForm::Clear,
        word: Default::default(),
        add: None,
        previous: None,
        threads: investigate::cores(),
        lang: shell.lang,
        simulated: true,
        sessions_max: 100_000,
        rules: None,
    };
    let found = investigate::job(&options, shell)?;
    let view = investigate::notice_options(&played.case, shell, true);
    investigate::show(&found, &view, &answer, shell)?;

    let score = score_dirs(&dir, &answer).context("compare with the truth")?;
    let faults = score.faults();
    let s = found.answer.extent.subjects;
    let mut err = io::stderr().lock();
    let inside = s.contains(played.affected);
    writeln!(
        err,
        "{} {} {}",
        shell.say("Vérité :", "Truth:"),
        plain(&words::number(played.affected, shell.lang)),
        match (inside && faults.is_empty(), inside) {
            (true, _) => shell.say(
                "personnes. La réponse la contient, et rien ne la contredit.",
                "people. The answer holds it, and nothing contradicts it."
            ),
            (false, true) => shell.say(
                "personnes. La réponse la contient, mais il y a des différences :",
                "people. The answer holds it, but there are differences:"
            ),
            (false, false) => shell.say(
                "personnes. La réponse NE la contient PAS :",
                "people. The answer does NOT hold it:"
            ),
        }
    )?;
    for f in &faults {
        writeln!(err, "  - {f}")?;
    }
    Ok(if faults.is_empty() && inside {
        Exit::Done
    } else {
        Exit::Act
    })
}
