//! DuckDB beside us: its package for Node, kept in the target folder, fetched by npm the first time.
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

const PACKAGE: &str = "@duckdb/node-api@1.5.6-r.1";

/// A program of Node that finds DuckDB by `require`; `None` where Node or the package is missing and cannot be fetched.
pub fn node(program: &str) -> Option<Command> {
    static MODULES: OnceLock<Option<PathBuf>> = OnceLock::new();
    let modules = MODULES.get_or_init(modules).as_ref()?;
    let mut node = Command::new("node");
    node.env("NODE_PATH", modules).args(["-e", program, "--"]);
    Some(node)
}

/// `AMPLEUR_DUCKDB` names a folder that has `node_modules`; otherwise it is beside what was built.
fn modules() -> Option<PathBuf> {
    let folder = match std::env::var_os("AMPLEUR_DUCKDB") {
        Some(f) => PathBuf::from(f),
        None => std::env::current_exe()
            .ok()?
            .ancestors()
            .nth(2)?
            .join("tools/duckdb"),
    };
    let modules = folder.join("node_modules");
    let there = |m: &Path| m.join("@duckdb/node-api").is_dir();
    if !there(&modules) {
        std::fs::create_dir_all(&folder).ok()?;
        let npm = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--prefix"])
            .arg(&folder)
            .arg(PACKAGE)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !npm.is_ok_and(|s| s.success()) {
            return None;
        }
    }
    there(&modules).then_some(modules)
}
