//! The program under test, in English and with nobody's settings.
use std::process::{Command, Stdio};

pub fn ampleur() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ampleur"));
    command
        .env("LC_ALL", "C")
        .env_remove("AMPLEUR_LANG")
        .env_remove("AMPLEUR_KEYS")
        .env_remove("AMPLEUR_LAKE")
        .stdin(Stdio::null());
    command
}
