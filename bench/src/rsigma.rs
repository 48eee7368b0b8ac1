//! rsigma's decoders beside us: a program in a workspace of its own (`bench/beside`), built the first time for `--full`.
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Its decoder of a lane, and the fields of the client's address and of the bytes the answer had.
fn decoder(lane: &str) -> Option<[&'static str; 3]> {
    Some(match lane {
        "fortigate" => ["logfmt", "srcip", "rcvdbyte"],
        "evtx" => ["evtx", "Event.EventData.IpAddress", ""],
        "auditevent" => ["json", "agent.network.address", ""],
        "cef" => ["cef", "src", "in"],
        _ => return None,
    })
}

/// True of a lane it has a decoder for.
pub fn reads(lane: &str) -> bool {
    decoder(lane).is_some()
}

/// The program; `AMPLEUR_RSIGMA` names it, otherwise it is beside what was built. `None` where it is not there and cannot be built, or
/// is not to be.
pub fn program(build: bool) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("AMPLEUR_RSIGMA") {
        return Some(named.into());
    }
    let target = std::env::current_exe()
        .ok()?
        .ancestors()
        .nth(2)?
        .join("tools/rsigma");
    let program = target.join("release/beside-rsigma");
    if !program.is_file() && build {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("beside/Cargo.toml");
        let built = Command::new("cargo")
            .args(["build", "--release", "--locked", "--manifest-path"])
            .arg(manifest)
            .arg("--target-dir")
            .arg(&target)
            .status();
        if !built.is_ok_and(|s| s.success()) {
            return None;
        }
    }
    program.is_file().then_some(program)
}

/// `records addresses bytes`.
pub fn facts(program: &Path, lane: &str, file: &Path) -> Option<String> {
    let done = Command::new(program)
        .args(decoder(lane)?)
        .arg(file)
        .output()
        .ok()?;
    done.status
        .success()
        .then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}
