//! Benches. `cargo xtask bench` runs all of them small; `--full` at the sizes `docs/PERFORMANCE.md` quotes. Each prints a hash of
//! its answer, so that two machines or two commits can be compared, and refuses a ratio when answers differ.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod cases;
mod contain;
mod detect;
mod duck;
mod fhir_server;
mod intake;
mod inventory;
mod lanes;
mod pipeline;
mod postgres;
mod replay;
mod rsigma;
mod servers;
mod sigma;
mod sigma_alone;
mod syslog_ng;
mod truth;

use anyhow::{Result, bail};

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let full = args.iter().any(|a| a == "--full");
    match args.first().map(String::as_str) {
        Some("pipeline-child") => pipeline::child(&args[1..]),
        Some("contain") => contain::run(&args[1..]),
        Some("attribution") => ampleur_testkit::attribution::run(&args[1..], &sigma_alone::says)
            .map_err(anyhow::Error::msg),
        Some("truth") => truth::run(&args[1..]),
        Some("intake-child") => intake::child(&args[1..]),
        Some("intake") => intake::run(&args[1..], full),
        Some("detect") => detect::run(full),
        Some("inventory") => inventory::run(full),
        Some("pipeline") => pipeline::run(&args[1..], full),
        Some("replay-child") => replay::child(&args[1..]),
        Some("replay") => replay::run(full),
        Some("servers") => servers::run(&args[1..]),
        Some("sigma") => sigma::run(full),
        None | Some("--full" | "all") => {
            pipeline::run(&[], full)?;
            intake::run(&[], full)?;
            replay::run(full)?;
            inventory::run(full)?;
            detect::run(full)?;
            sigma::run(full)
        }
        Some(other) => {
            bail!(
                "no bench is named {other}; known: pipeline, intake, replay, servers, inventory, detect, sigma, attribution, truth, contain"
            )
        }
    }
}
