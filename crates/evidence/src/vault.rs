//! The vault: token → person, readable with the officer's key only.
//!
//! `vault/<number>.locked` holds lines `token<TAB>authority|id`, locked for the officer (`Keys::lock_for_dpo`): the machine
//! that writes a page cannot read it again. Opening it is a use of the lake and is logged before anything is given out.
use crate::{
    DpoKey, EvidenceError, Keys, Lake, Use,
    error::{corrupt, io},
    lake::replace,
};
use ampleur_event::Nanos;
use std::collections::{BTreeMap, BTreeSet};

impl Lake {
    /// Adds a page with these persons (`authority|id`, any order, doubles ignored). `random`: 32 fresh random bytes.
    pub fn lock_persons(
        &self,
        keys: &Keys,
        persons: &BTreeSet<String>,
        random: [u8; 32],
    ) -> Result<(), EvidenceError> {
        if !self.writable() {
            return Err(EvidenceError::NotWritable);
        }
        let mut page = String::new();
        for p in persons {
            // One line each: a name with a line end could not be told from two.
            if !p.contains(['\n', '\t']) {
                page.push_str(&format!("{}\t{p}\n", keys.token(p)));
            }
        }
        let store = self.store();
        let number = store
            .list("vault")
            .map_err(io("list", "vault"))?
            .iter()
            .filter_map(|n| n.strip_suffix(".locked")?.parse::<u64>().ok())
            .max()
            .map_or(0, |n| n + 1);
        let path = format!("vault/{number}.locked");
        replace(&**store, &path, &keys.lock_for_dpo(page.as_bytes(), random))?;
        store.sync_dir("vault").map_err(io("sync folder", "vault"))
    }
    /// Turns tokens back into persons. The use is in the custody log before the first page is opened.
    ///
    /// # Errors
    /// [`EvidenceError::Corrupt`] for a page the key does not open: another officer's key, or a changed file.
    pub fn reidentify(
        &mut self,
        officer: &DpoKey,
        actor: &str,
        reason: &str,
        at: Nanos,
    ) -> Result<BTreeMap<String, String>, EvidenceError> {
        self.commit(
            vec![],
            vec![Use {
                at,
                actor: actor.to_string(),
                action: "re-identify".to_string(),
                detail: reason.to_string(),
            }],
            at,
        )?;
        let mut out = BTreeMap::new();
        for name in self
            .store()
            .list("vault")
            .map_err(io("list", "vault"))?
            .iter()
            .filter(|n| n.ends_with(".locked"))
        {
            let path = format!("vault/{name}");
            let locked = self.store().read(&path).map_err(io("read", &path))?;
            let page = officer
                .open(&locked)
                .and_then(|p| String::from_utf8(p).ok())
                .ok_or_else(|| corrupt(&path, 0, "does not open with this officer's key"))?;
            out.extend(page.lines().filter_map(|l| {
                l.split_once('\t')
                    .map(|(t, p)| (t.to_string(), p.to_string()))
            }));
        }
        Ok(out)
    }
}
