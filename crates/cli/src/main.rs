//! `ampleur`: whose data was seen, which data, by which sessions, and how sure are we?
#![allow(clippy::print_stdout, clippy::print_stderr)]
mod cmd;
mod exit;
mod french;
mod shell;

use clap::{CommandFactory, Parser, ValueEnum};
use exit::Exit;
use shell::{LangArg, Shell, When};
use std::{io::Write, process::ExitCode};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Options of every command stand together, below those of the command itself.
const EVERYWHERE: &str = "With every command";

#[derive(Debug, Parser)]
#[command(
    name = "ampleur",
    version,
    about = "Whose data was seen, which data, by which sessions, and how sure are we?",
    long_about = "From a folder of logs to a proven extent: reads what a hospital hands over, seals it, follows the intruder and says \
whose data was seen, which data, how sure. Works offline; nothing leaves the machine.",
    after_help = "Exit codes: 0 nothing to act on, 1 something to act on, 2 usage, 3 done in part, 4 evidence does not verify, 101 bug.",
    disable_help_subcommand = true
)]
struct Cli {
    /// Language of what is shown; from LC_ALL, LC_MESSAGES or LANG by default.
    #[arg(long, global = true, value_enum, env = "AMPLEUR_LANG", help_heading = EVERYWHERE)]
    lang: Option<LangArg>,
    /// Colours: when a person watches, always, or never. NO_COLOR is respected.
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, env = "AMPLEUR_COLOR", help_heading = EVERYWHERE)]
    color: When,
    /// Print data for programs.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    /// Say nothing but the result and errors.
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    quiet: bool,
    /// Say more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = EVERYWHERE)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// From a folder of logs to a proven extent: the main job.
    Investigate(Box<cmd::investigate::Args>),
    /// What these accounts, addresses or sessions were shown: your own question, no detector asked.
    Extent(Box<cmd::extent::Args>),
    /// A made-up hospital, its investigation, and the truth beside the answer.
    Demo(cmd::demo::Args),
    /// Seal the logs of a case now, investigate later.
    Ingest(cmd::ingest::Args),
    /// Whose data is in each file of a share.
    Inventory(Box<cmd::inventory::Args>),
    /// Which files of a published list are really ours, and whose data is in them.
    Leak(Box<cmd::leak::Args>),
    /// The sessions of an answer.
    Sessions(cmd::answer::SessionsArgs),
    /// The analyst's word on a session, account, address or link; sealed in the lake.
    Overrule(cmd::overrule::Args),
    /// Follow logs while they grow; an alarm when somebody else is at work under an account.
    Watch(Box<cmd::watch::Args>),
    /// What the logs of an answer cover.
    Coverage(cmd::answer::CoverageArgs),
    /// From a person or a session back to the original records.
    Explain(cmd::answer::ExplainArgs),
    /// Print each event of log files as JSON: the quickest look at what is understood.
    Decode(cmd::decode::Args),
    /// The formats that can be read, and what each can prove.
    #[command(
        subcommand,
        alias = "source",
        after_help = "Examples:\n  ampleur sources list\n  ampleur sources show keycloak\n  ampleur sources list --json\n  ampleur sources learn door.log --save CASE_DIR/mappings/door.toml"
    )]
    Sources(cmd::sources::Command),
    /// Sigma rules: those asked of every event, and whether a hospital's own can be loaded.
    #[cfg(feature = "sigma")]
    #[command(
        subcommand,
        after_help = "Examples:\n  ampleur rules list\n  ampleur rules check RULES_DIR\n  ampleur investigate CASE_DIR --out answer --rules RULES_DIR"
    )]
    Rules(cmd::rules::Command),
    /// Before any incident: what could these sources prove?
    Readiness(cmd::readiness::Args),
    /// Check sealed evidence; name what does not verify.
    Verify(cmd::verify::Args),
    /// Ask the sealed events in SQL.
    #[cfg(feature = "cluster")]
    Sql(cmd::sql::Args),
    /// Make a made-up hospital with its logs, and the truth about them.
    Simulate(cmd::simulate::Args),
    /// The context of a case.
    #[command(
        subcommand,
        after_help = "Examples:\n  ampleur config example > CASE_DIR/ampleur.toml\n  ampleur config show CASE_DIR\n  ampleur config show CASE_DIR --json"
    )]
    Config(cmd::config::Command),
    /// Print the JSON Schema of extent.json, or of another file of an answer.
    #[command(
        after_help = "Examples:\n  ampleur schema > ampleur.extent-1.schema.json\n  ampleur schema findings > ampleur.findings-1.schema.json"
    )]
    Schema {
        #[arg(value_enum, default_value_t = Of::Extent)]
        of: Of,
    },
    /// Print a completion script for a shell.
    #[command(
        after_help = "Examples:\n  ampleur completions bash > /etc/bash_completion.d/ampleur\n  ampleur completions fish > ~/.config/fish/completions/ampleur.fish"
    )]
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

/// A file of an answer that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Of {
    Extent,
    Findings,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version are answers, not errors; clap's own code for the rest is 2, as ours.
            let wrong = e.use_stderr();
            if let Some(missing) = left_out(&e) {
                let lang = std::env::var("AMPLEUR_LANG")
                    .ok()
                    .and_then(|l| LangArg::from_str(&l, true).ok());
                return Shell::new(lang, When::Auto, false, false, 0)
                    .fail(&missing)
                    .into();
            }
            let _ = e.print();
            return if wrong { Exit::Usage } else { Exit::Done }.into();
        }
    };
    let shell = Shell::new(cli.lang, cli.color, cli.json, cli.quiet, cli.verbose);
    match run(&cli.command, &shell) {
        Ok(exit) => exit.into(),
        Err(e) => shell.fail(&e).into(),
    }
}

/// A command that exists, in a build that left it out.
fn left_out(e: &clap::Error) -> Option<anyhow::Error> {
    use clap::error::{ContextKind, ContextValue};
    let Some(ContextValue::String(name)) = e.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let feature = match name.as_str() {
        "sql" if cfg!(not(feature = "cluster")) => "cluster",
        "rules" if cfg!(not(feature = "sigma")) => "sigma",
        _ => return None,
    };
    Some(shell::refuse(
        format!("run `{name}`: this build is without it"),
        format!("build with `cargo build --release --features {feature}`"),
    ))
}

fn run(command: &Command, shell: &Shell) -> anyhow::Result<Exit> {
    match command {
        Command::Investigate(a) => cmd::investigate::run(a, shell),
        Command::Extent(a) => cmd::extent::run(a, shell),
        Command::Demo(a) => cmd::demo::run(a, shell),
        Command::Ingest(a) => cmd::ingest::run(a, shell),
        Command::Inventory(a) => cmd::inventory::run(a, shell),
        Command::Leak(a) => cmd::leak::run(a, shell),
        Command::Sessions(a) => cmd::answer::sessions(a, shell),
        Command::Overrule(a) => cmd::overrule::run(a, shell),
        Command::Watch(a) => cmd::watch::run(a, shell),
        Command::Coverage(a) => cmd::answer::coverage(a, shell),
        Command::Explain(a) => cmd::answer::explain(a, shell),
        Command::Decode(a) => cmd::decode::run(a, shell),
        Command::Sources(c) => cmd::sources::run(c, shell),
        Command::Readiness(a) => cmd::readiness::run(a, shell),
        Command::Verify(a) => cmd::verify::run(a, shell),
        #[cfg(feature = "sigma")]
        Command::Rules(c) => cmd::rules::run(c, shell),
        #[cfg(feature = "cluster")]
        Command::Sql(a) => cmd::sql::run(a, shell),
        Command::Simulate(a) => cmd::simulate::run(a, shell),
        Command::Config(c) => cmd::config::run(c, shell),
        Command::Schema { of } => {
            let schema = match of {
                Of::Extent => ampleur_notice::tables::SCHEMA,
                Of::Findings => ampleur_notice::tables::FINDINGS_SCHEMA,
            };
            std::io::stdout().lock().write_all(schema.as_bytes())?;
            Ok(Exit::Done)
        }
        Command::Completions { shell: which } => {
            let mut script = Vec::new();
            clap_complete::generate(*which, &mut Cli::command(), "ampleur", &mut script);
            std::io::stdout().lock().write_all(&script)?;
            Ok(Exit::Done)
        }
    }
}
