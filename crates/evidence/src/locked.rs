//! Lines locked for the data-protection officer: who writes them cannot read them again, and lines of several runs lie in one
//! file, so that a later run takes over what has not changed without opening it.
//!
//! A run has a key of its own, locked once for the officer (`Keys::lock_for_dpo`); each line is AES-256-GCM-SIV under it, with
//! the line's number as nonce and the run's name as associated data: lines cannot be swapped, renumbered or moved unseen.
use crate::{DpoKey, DpoPublic};
use aes_gcm_siv::{
    Aes256GcmSiv, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Locks the lines of one run.
pub struct LineLock {
    cipher: Aes256GcmSiv,
    run: String,
    key: String,
    next: u64,
}

/// Opens lines with the officer's key; knows the runs it was told.
pub struct LineKeys<'k> {
    officer: &'k DpoKey,
    runs: BTreeMap<String, Aes256GcmSiv>,
}

fn nonce(n: u64) -> Nonce {
    let mut b = [0u8; 12];
    b[..8].copy_from_slice(&n.to_le_bytes());
    *Nonce::from_slice(&b)
}

impl LineLock {
    /// `random` fills its argument with unpredictable bytes.
    pub fn new(officer: &DpoPublic, random: &mut dyn FnMut(&mut [u8])) -> LineLock {
        let mut key = Zeroizing::new([0u8; 32]);
        let (mut point, mut name) = ([0u8; 32], [0u8; 8]);
        random(&mut key[..]);
        random(&mut point);
        random(&mut name);
        LineLock {
            cipher: Aes256GcmSiv::new((&*key).into()),
            run: name.iter().map(|b| format!("{b:02x}")).collect(),
            key: BASE64.encode(officer.lock(&key[..], point)),
            next: 0,
        }
    }
    /// Name of the run, 16 hexadecimal digits.
    pub fn run(&self) -> &str {
        &self.run
    }
    /// The run's key, locked for the officer, base64.
    pub fn key(&self) -> &str {
        &self.key
    }
    /// Locks the next line: its number and its base64.
    pub fn lock(&mut self, clear: &[u8]) -> (u64, String) {
        let n = self.next;
        self.next += 1;
        let sealed = self
            .cipher
            .encrypt(
                &nonce(n),
                Payload {
                    msg: clear,
                    aad: self.run.as_bytes(),
                },
            )
            .expect("AES-GCM-SIV takes 64 GiB; a line is below 2 GiB");
        (n, BASE64.encode(sealed))
    }
}

impl<'k> LineKeys<'k> {
    pub fn new(officer: &'k DpoKey) -> LineKeys<'k> {
        LineKeys {
            officer,
            runs: BTreeMap::new(),
        }
    }
    /// Learns the key of a run; false when it was locked for another officer or changed.
    pub fn learn(&mut self, run: &str, key: &str) -> bool {
        let opened = BASE64
            .decode(key)
            .ok()
            .and_then(|locked| self.officer.open(&locked))
            .map(Zeroizing::new)
            .and_then(|clear| <[u8; 32]>::try_from(&clear[..]).ok().map(Zeroizing::new));
        match opened {
            Some(key) => {
                self.runs
                    .insert(run.to_string(), Aes256GcmSiv::new((&*key).into()));
                true
            }
            None => false,
        }
    }
    /// Opens a line; `None` when its run is unknown, or it is not that line of that run.
    pub fn open(&self, run: &str, n: u64, line: &str) -> Option<Vec<u8>> {
        self.runs
            .get(run)?
            .decrypt(
                &nonce(n),
                Payload {
                    msg: &BASE64.decode(line).ok()?,
                    aad: run.as_bytes(),
                },
            )
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keys;
    fn random(seed: u8) -> impl FnMut(&mut [u8]) {
        let mut n = seed;
        move |b: &mut [u8]| {
            for x in b {
                n = n.wrapping_mul(181).wrapping_add(59);
                *x = n;
            }
        }
    }
    #[test]
    fn lines_open_in_their_place_with_their_officer_only() {
        let (keys, dpo) = Keys::generate(&mut random(1));
        let (_, other) = Keys::generate(&mut random(2));
        let mut lock = LineLock::new(&keys.dpo_public(), &mut random(3));
        let (n0, a) = lock.lock(b"one");
        let (n1, b) = lock.lock(b"two");
        let mut k = LineKeys::new(&dpo);
        assert_eq!(k.open(lock.run(), n0, &a), None, "the run is not known yet");
        assert!(k.learn(lock.run(), lock.key()));
        assert_eq!(k.open(lock.run(), n0, &a).as_deref(), Some(&b"one"[..]));
        assert_eq!(k.open(lock.run(), n1, &b).as_deref(), Some(&b"two"[..]));
        assert_eq!(k.open(lock.run(), n1, &a), None, "another line's place");
        assert!(!LineKeys::new(&other).learn(lock.run(), lock.key()));
    }
    #[test]
    fn the_public_half_is_saved_beside_the_keys() {
        let dir = tempfile::tempdir().unwrap();
        let (keys, dpo) = Keys::generate(&mut random(5));
        keys.save(dir.path()).unwrap();
        let public = DpoPublic::load(&dir.path().join("dpo.pub")).unwrap();
        assert_eq!(
            dpo.open(&public.lock(b"x", [9; 32])).as_deref(),
            Some(&b"x"[..])
        );
    }
}
