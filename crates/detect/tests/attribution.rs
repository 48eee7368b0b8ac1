//! A small evaluation as a test: it fails when an innocent is accused or cut, or two thieves are mixed. Without the test harness:
//! `cargo test -p ampleur-detect --test attribution -- run S2 --seeds 1-5 --variants all` plays whatever is asked for
//! (`cargo xtask evaluate` is the same, optimised).
#![allow(clippy::print_stderr)]

fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let asked: Vec<String> = if args.first().is_some_and(|a| a == "run") {
        args[1..].to_vec()
    } else {
        ["S2", "S4", "S9", "--seeds", "1", "--scale", "0.001"]
            .iter()
            .chain(&["--variants", "plain,twin,bare,logs-only"])
            .map(ToString::to_string)
            .collect()
    };
    match ampleur_testkit::attribution::run(&asked) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            std::process::ExitCode::FAILURE
        }
    }
}
