//! `ampleur overrule`: the analyst's word on a session, account, address or link, kept in the lake.
use super::investigate::{answer, cores, with_outside};
use crate::{
    exit::Exit,
    shell::{Shell, columns, plain, refuse},
};
use ampleur_detect::Word;
use ampleur_evidence::{Keys, Lake, Wait};
use ampleur_serve::job::{Options, Overrule, Says, SubjectsForm, overrule, overrules};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SaysArg {
    /// The intruder's.
    Intruder,
    /// Certainly not the intruder's; with --opened: this link is none.
    Legitimate,
    /// Take back what was said before.
    Nothing,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur overrule answer s4f1c22 --says legitimate \\
      --reason \"known visit of the vendor\" --case CASE_DIR
  ampleur overrule answer vpn:editeur-lis --says intruder \\
      --reason \"named by the operator\"
  ampleur overrule answer s4f1c22 --opened s77a0b1 --says legitimate \\
      --reason \"two people at one desk\"
  ampleur overrule answer s4f1c22 --says nothing --reason \"wrong session\"
  ampleur overrule answer

ANSWER is the folder of an investigation (or give --lake and --keys). Each word is sealed in the custody log of the lake with who said it and when; nothing is erased. With --case the answer is computed again at once.")]
pub struct Args {
    /// Folder of an answer, holding the lake and its keys.
    #[arg(value_name = "ANSWER")]
    pub answer: PathBuf,
    /// Session id, account as system:name, address or network. Without it, what was said so far is listed.
    #[arg(value_name = "WHAT", requires = "says", requires = "reason")]
    pub about: Option<String>,
    /// What it is.
    #[arg(long, value_enum, requires = "about")]
    pub says: Option<SaysArg>,
    /// Why; kept and shown with the session.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The link from session WHAT to this session, not the session itself.
    #[arg(long, value_name = "ID", requires = "about")]
    pub opened: Option<String>,
    /// Compute the answer of this case again, into ANSWER.
    #[arg(long, value_name = "CASE_DIR")]
    pub case: Option<PathBuf>,
    #[arg(long, value_name = "DIR", env = "AMPLEUR_LAKE")]
    pub lake: Option<PathBuf>,
    #[arg(long, value_name = "DIR", env = "AMPLEUR_KEYS")]
    pub keys: Option<PathBuf>,
}

pub fn run(args: &Args, shell: &Shell) -> anyhow::Result<Exit> {
    let lake = args.lake.clone().unwrap_or(args.answer.join("lake"));
    let keys = args.keys.clone().unwrap_or(args.answer.join("keys"));
    if !lake.join("ampleur.json").is_file() {
        return Err(refuse(
            format!("find a lake in {}", lake.display()),
            "give the folder of an answer, or --lake and --keys",
        ));
    }
    let loaded = Keys::load(&keys)?;
    let (Some(about), Some(says), Some(reason)) = (&args.about, args.says, &args.reason) else {
        return list(&Lake::open(&lake, &loaded)?, shell);
    };
    for what in [Some(about), args.opened.as_ref()].into_iter().flatten() {
        known(&args.answer.join("sessions.csv"), what)?;
    }
    let word = Overrule {
        about: about.clone(),
        opened: args.opened.clone(),
        says: match says {
            SaysArg::Intruder => Says::Intruder,
            SaysArg::Legitimate => Says::Legitimate,
            SaysArg::Nothing => Says::Nothing,
        },
        reason: reason.clone(),
    };
    with_outside(shell, |outside, _| {
        let mut lake = Lake::open_writer(&lake, &loaded, Wait::Millis(5_000))?;
        overrule(&mut lake, &word, outside)
    })?;
    let Some(case) = &args.case else {
        shell.note(shell.say(
            "Scellé. La prochaine investigation avec ce lac en tiendra compte.",
            "Sealed. The next investigation with this lake takes it into account.",
        ));
        return Ok(Exit::Done);
    };
    let options = Options {
        case: case.clone(),
        out: args.answer.clone(),
        lake: Some(lake),
        keys: Some(keys),
        dpo_key: None,
        subjects: SubjectsForm::Tokens,
        word: Word::default(),
        add: None,
        previous: None,
        threads: cores(),
        lang: shell.lang,
        simulated: false,
        sessions_max: 100_000,
        rules: None,
    };
    answer(&options, shell)
}

/// Refuses what no session of the answer is, has or comes from: a typing error would be kept for ever and mean nothing. Without the
/// list nobody can say.
fn known(sessions: &Path, what: &str) -> anyhow::Result<()> {
    // A network need not be anybody's address.
    if what.contains('/') {
        return Ok(());
    }
    let Ok(mut rows) = csv::Reader::from_path(sessions) else {
        return Ok(());
    };
    let heads = rows.headers().cloned().unwrap_or_default();
    let places: Vec<usize> = (heads.iter().enumerate())
        .filter(|(_, h)| matches!(*h, "id" | "account" | "address"))
        .map(|(i, _)| i)
        .collect();
    let wanted = what.to_lowercase();
    let is = |r: &csv::StringRecord| {
        let mut cells = places.iter().filter_map(|i| r.get(*i));
        cells.any(|c| {
            c.split([' ', ',']).any(|c| c.to_lowercase() == wanted) || c.to_lowercase() == wanted
        })
    };
    if rows.records().flatten().any(|r| is(&r)) {
        return Ok(());
    }
    Err(refuse(
        format!("find {} among the sessions of this answer", plain(what)),
        "`ampleur sessions ANSWER` lists their ids, accounts and addresses",
    ))
}

fn list(lake: &Lake, shell: &Shell) -> anyhow::Result<Exit> {
    let said = overrules(lake.uses());
    let mut out = io::stdout().lock();
    if shell.json {
        serde_json::to_writer_pretty(&mut out, &said)?;
        writeln!(out)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = said
        .iter()
        .map(|o| {
            let what = match &o.opened {
                Some(i) => format!("{} → {i}", o.about),
                None => o.about.clone(),
            };
            let says = match o.says {
                Says::Intruder => shell.say("intrus", "intruder"),
                Says::Legitimate => shell.say("légitime", "legitimate"),
                Says::Nothing => "",
            };
            vec![plain(&what), says.to_string(), plain(&o.reason)]
        })
        .collect();
    out.write_all(columns(&rows).as_bytes())?;
    Ok(Exit::Done)
}
