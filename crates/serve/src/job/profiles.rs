//! How accounts are used, kept in the lake from one investigation to the next (`docs/DATA.md`).
use super::JobError;
use ampleur_detect::habit::Habits;
use ampleur_evidence::Lake;
use std::{fs, path::PathBuf};

const ACTION: &str = "profiles";

/// What the lake remembers: the newest file its custody log vouches for; empty for a new lake. `note` says what was set aside.
pub(super) fn load(lake: &Lake, note: &dyn Fn(&str)) -> Habits {
    for u in lake.uses().iter().rev().filter(|u| u.action == ACTION) {
        let Some((name, hash)) = u.detail.split_once(' ') else {
            continue;
        };
        let Some(path) = place(lake, name) else {
            continue;
        };
        let Ok(bytes) = fs::read(&path) else {
            note("profiles are missing from the lake: earlier ones are used");
            continue;
        };
        if blake3::hash(&bytes).to_hex().as_str() != hash {
            note("profiles of the lake were changed after they were sealed: earlier ones are used");
            continue;
        }
        match Habits::from_json(&bytes) {
            Ok(h) => return h,
            Err(e) => note(&e.to_string()),
        }
    }
    Habits::default()
}

/// Keeps habits ([`Habits::to_json`]) as a version of its own, named after its content, and says what the custody log must hold; `None`
/// when the lake holds just these already.
pub(super) fn keep(lake: &Lake, bytes: &[u8]) -> Result<Option<(String, String)>, JobError> {
    let dir = lake.root().join("profiles");
    let hash = blake3::hash(bytes).to_hex().to_string();
    let name = format!("{}.json", &hash[..16]);
    let detail = format!("{name} {hash}");
    let newest = lake.uses().iter().rev().find(|u| u.action == ACTION);
    if newest.is_some_and(|u| u.detail == detail) {
        return Ok(None);
    }
    fs::create_dir_all(&dir).map_err(|e| JobError::file("make folder", &dir, e))?;
    let (path, partial) = (dir.join(&name), dir.join(format!("{name}.partial")));
    let write = || -> std::io::Result<()> {
        fs::write(&partial, bytes)?;
        fs::File::open(&partial)?.sync_all()?;
        fs::rename(&partial, &path)?;
        fs::File::open(&dir)?.sync_all()
    };
    write().map_err(|e| JobError::file("keep", &path, e))?;
    Ok(Some((ACTION.into(), detail)))
}

fn place(lake: &Lake, name: &str) -> Option<PathBuf> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    (plain && !name.starts_with('.')).then(|| lake.root().join("profiles").join(name))
}
