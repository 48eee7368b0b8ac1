//! Late evidence: a case and what was found since, seen as one case folder. Nothing is copied where a hard link will do.
use super::JobError;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Parts of a case folder; anything else at the top of an added folder is taken as logs.
const PARTS: &[&str] = &["logs", "identities", "inventory", "leak", "geo"];

/// A temporary case folder holding `case` and `add`; removed when dropped.
pub(super) struct Merged {
    pub root: PathBuf,
}

impl Drop for Merged {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.root));
    }
}

/// Lays `case` and `add` over each other below `at`. A file of `add` with the path of another file of `case` but other bytes is
/// kept beside it under a name of its own: nothing is replaced. The context of `add`, if any, replaces that of `case`.
pub(super) fn merge(case: &Path, add: &Path, at: &Path) -> Result<Merged, JobError> {
    drop(fs::remove_dir_all(at));
    let merged = Merged {
        root: at.to_path_buf(),
    };
    lay(case, at, Path::new(""))?;
    let laid_out = PARTS.iter().any(|p| add.join(p).is_dir()) || add.join("ampleur.toml").is_file();
    lay(add, at, Path::new(if laid_out { "" } else { "logs" }))?;
    Ok(merged)
}

fn lay(from: &Path, at: &Path, under: &Path) -> Result<(), JobError> {
    let err = |p: &Path, e: std::io::Error| JobError::file("lay out", p, e);
    let mut todo = vec![PathBuf::new()];
    while let Some(rel) = todo.pop() {
        let folder = from.join(&rel);
        let mut entries: Vec<_> = fs::read_dir(&folder)
            .map_err(|e| err(&folder, e))?
            .collect::<Result<_, _>>()
            .map_err(|e| err(&folder, e))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for e in entries {
            let here = rel.join(e.file_name());
            let kind = e.file_type().map_err(|x| err(&e.path(), x))?;
            if kind.is_dir() {
                todo.push(here);
            } else if kind.is_file() {
                let to = at.join(under).join(&here);
                if let Some(p) = to.parent() {
                    fs::create_dir_all(p).map_err(|x| err(p, x))?;
                }
                place(&e.path(), &to).map_err(|x| err(&to, x))?;
            }
        }
    }
    Ok(())
}

fn place(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut to = to.to_path_buf();
    if to.file_name().is_some_and(|n| n == "ampleur.toml") && to.exists() {
        fs::remove_file(&to)?;
    }
    let mut n = 1;
    while to.exists() {
        if fs::metadata(&to)?.len() == fs::metadata(from)?.len()
            && fs::read(&to)? == fs::read(from)?
        {
            return Ok(());
        }
        let name = to
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        to.set_file_name(format!("added-{n}-{name}"));
        n += 1;
    }
    fs::hard_link(from, &to).or_else(|_| fs::copy(from, &to).map(drop))
}
