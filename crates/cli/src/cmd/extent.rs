//! `ampleur extent`: the investigator's own question. Sessions are named, no detector is asked.
use super::investigate::{Place, WordArgs, answer, cores};
use crate::{
    exit::Exit,
    shell::{Shell, refuse},
};
use ampleur_serve::job::{Options, SubjectsForm};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur extent CASE_DIR --account vpn:editeur-lis --out answer
  ampleur extent CASE_DIR --account vpn:editeur-lis --out answer \\
      --from 2023-06-20T18:00:00Z --to 2023-06-21T02:00:00Z
  ampleur extent CASE_DIR --origin 203.0.113.0/24 --not s0421 --out answer --json

What was named is taken for the intruder's, with everything the evidence shows was opened from it (tunnel, hop, application); nothing else is judged. A session that overlaps --from/--to is taken whole. The answer folder is that of `investigate`.
Exit code 1: somebody's data was or may have been seen; 3: part of the input could not be read.")]
pub struct Args {
    /// The case: a folder with logs/ and, better, ampleur.toml.
    #[arg(value_name = "CASE_DIR")]
    pub case: PathBuf,
    /// Folder of the answer.
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub word: WordArgs,
    #[command(flatten)]
    pub place: Place,
}

pub fn run(args: &Args, shell: &Shell) -> anyhow::Result<Exit> {
    let mut word = args.word.word()?;
    if word.accounts.is_empty() && word.origins.is_empty() && word.sessions.is_empty() {
        return Err(refuse(
            "measure the extent of nothing",
            "name what is the intruder's: --account, --origin or --session; `ampleur investigate` looks for the intruder itself",
        ));
    }
    word.alone = true;
    let options = Options {
        case: args.case.clone(),
        out: args.out.clone(),
        lake: args.place.lake.clone(),
        keys: args.place.keys.clone(),
        dpo_key: None,
        subjects: SubjectsForm::Tokens,
        word,
        add: None,
        previous: None,
        threads: args.place.threads.unwrap_or_else(cores).max(1),
        lang: shell.lang,
        simulated: false,
        sessions_max: 100_000,
        rules: None,
    };
    answer(&options, shell)
}
