//! `ampleur simulate`: a made-up hospital with its logs and the truth about them.
use crate::{
    exit::Exit,
    shell::{Shell, refuse},
};
use ampleur_testkit::{Family, Recipe};
use anyhow::Context as _;
use std::{
    io::{self, Write},
    path::PathBuf,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur simulate S2 hospital
  ampleur simulate S1 hospital --seed 7 --scale 0.01
  ampleur investigate hospital/case --out answer
  ampleur simulate share mixed
  ampleur inventory mixed/share --case mixed/case

Writes DIR/case (a case folder) and DIR/truth.json (what really happened). Equal family, seed and scale give equal bytes. Nobody in it exists.")]
pub struct Args {
    /// S1 vendor VPN and stolen files, S2 usurped professionals, S4 departed doctor, S5 bulk SQL, S6 slow theft then
    /// encryption, S9 curiosity of employees, clean an ordinary month, share a labelled share for `ampleur inventory`.
    #[arg(value_name = "FAMILY")]
    pub family: String,
    /// Folder to write; must be empty or absent.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// 1 is the size of the incident the family is modelled on.
    #[arg(long, default_value_t = 0.01)]
    pub scale: f64,
    /// Length of the window in days; the family's own by default.
    #[arg(long)]
    pub days: Option<u32>,
}

/// Files of a share at scale 1.
const SHARE_FILES: f64 = 20_000.0;

pub fn run(args: &Args, shell: &Shell) -> anyhow::Result<Exit> {
    if !(args.scale > 0.0 && args.scale <= 1000.0) {
        return Err(refuse(
            format!("use scale {}", args.scale),
            "a number above 0, at most 1000",
        ));
    }
    if args.family.eq_ignore_ascii_case("share") {
        return share(args, shell);
    }
    let family = Family::by_name(&args.family).ok_or_else(|| {
        let all: Vec<&str> = Family::ALL.iter().map(|f| f.name()).collect();
        refuse(
            format!("find family `{}`", args.family),
            format!("one of {}, share", all.join(", ")),
        )
    })?;
    let mut recipe = Recipe::new(family, args.seed, args.scale);
    recipe.days = args.days;
    let done = ampleur_testkit::simulate(&recipe, &args.dir).map_err(|e| match e {
        ampleur_testkit::Error::NotEmpty { .. } => {
            refuse(format!("simulate: {e}"), "give an empty or a new folder")
        }
        e => anyhow::Error::new(e).context("simulate"),
    })?;
    let mut out = io::stdout().lock();
    if shell.json {
        let v = serde_json::json!({
            "case": done.case.display().to_string(), "truth": done.truth.display().to_string(),
            "records": done.records, "affected": done.affected,
        });
        serde_json::to_writer(&mut out, &v).context("write output")?;
        writeln!(out)?;
    } else {
        writeln!(
            out,
            "{}: {} {}; {}: {}",
            done.case.display(),
            done.records,
            shell.say("enregistrements", "records"),
            shell.say("vérité", "truth"),
            done.truth.display()
        )?;
    }
    Ok(Exit::Done)
}

fn share(args: &Args, shell: &Shell) -> anyhow::Result<Exit> {
    let files = ((args.scale * SHARE_FILES) as usize).max(40);
    let recipe = ampleur_testkit::share::ShareRecipe {
        seed: args.seed,
        files,
        persons: files * 5,
    };
    let truth =
        ampleur_testkit::share::simulate_share(&recipe, &args.dir).map_err(|e| match e {
            ampleur_testkit::Error::NotEmpty { .. } => {
                refuse(format!("simulate: {e}"), "give an empty or a new folder")
            }
            e => anyhow::Error::new(e).context("simulate"),
        })?;
    let mut out = io::stdout().lock();
    let dir = args.dir.display();
    if shell.json {
        let v = serde_json::json!({
            "case": format!("{dir}/case"), "share": format!("{dir}/share"), "truth": format!("{dir}/truth.json"),
            "files": truth.files.len(),
        });
        writeln!(out, "{v}")?;
    } else {
        writeln!(
            out,
            "{dir}/share: {} {}; {}: {dir}/truth.json",
            truth.files.len(),
            shell.say("fichiers", "files"),
            shell.say("vérité", "truth"),
        )?;
    }
    Ok(Exit::Done)
}
