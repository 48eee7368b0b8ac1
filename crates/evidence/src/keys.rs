//! Keys of a lake, kept apart from it.
use crate::EvidenceError;
use std::path::Path;

/// The keys the machine needs: signing, raw bytes, sensitive values, tokens. Wiped when dropped.
pub struct Keys {}

/// The public half, `name+id+base64` as a C2SP signed-note verifier key; also in `ampleur.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(pub String);

/// The data-protection officer's key: without it a token cannot be turned back into a person outside a running investigation.
pub struct DpoKey {}

impl Keys {
    /// New keys from `random`, which must fill its argument with unpredictable bytes.
    pub fn generate(_random: &mut dyn FnMut(&mut [u8])) -> (Keys, DpoKey) {
        (Keys {}, DpoKey {})
    }
    /// Writes one file per key into `dir`, mode 0600, never over an existing one.
    pub fn save(&self, _dir: &Path) -> Result<(), EvidenceError> {
        Ok(())
    }
    pub fn load(_dir: &Path) -> Result<Keys, EvidenceError> {
        Ok(Keys {})
    }
    /// `tok_` and 26 base32 characters: 128 bits of a keyed BLAKE3 over `authority|id`.
    pub fn token(&self, _subject: &str) -> String {
        String::new()
    }
}

impl DpoKey {
    pub fn save(&self, _path: &Path) -> Result<(), EvidenceError> {
        Ok(())
    }
    pub fn load(_path: &Path) -> Result<DpoKey, EvidenceError> {
        Ok(DpoKey {})
    }
}
