//! Keys of a lake, kept apart from it: one file each, readable by their owner only, wiped from memory when dropped.
use crate::{EvidenceError, error::io, siv::FixedNonce};
use aes_gcm_siv::{Aes256GcmSiv, KeyInit, Nonce, aead::Aead};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::SigningKey;
use std::{
    io::Write,
    ops::Range,
    path::{Path, PathBuf},
};
use x25519_dalek::{PublicKey as Point, StaticSecret};
use zeroize::Zeroizing;

type Secret = Zeroizing<[u8; 32]>;

/// The keys the machine needs: signing, raw bytes, sensitive values, tokens. Wiped when dropped.
#[derive(Clone)]
pub struct Keys {
    pub(crate) signing: SigningKey,
    pub(crate) raw: Secret,
    value: Secret,
    token: Secret,
    /// Public half of the officer's key: the machine can lock the vault, not open it.
    dpo: [u8; 32],
}

/// The public half, `name+id+base64` as a C2SP signed-note verifier key; also in `ampleur.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(pub String);

/// The data-protection officer's key: without it a token cannot be turned back into a person outside a running
/// investigation. Kept away from the lake and from [`Keys`].
pub struct DpoKey {
    secret: StaticSecret,
}

const FILES: [&str; 4] = ["signing", "raw", "value", "token"];

impl Keys {
    /// New keys from `random`, which must fill its argument with unpredictable bytes.
    pub fn generate(random: &mut dyn FnMut(&mut [u8])) -> (Keys, DpoKey) {
        let mut fresh = || {
            let mut s = Zeroizing::new([0u8; 32]);
            random(&mut s[..]);
            s
        };
        let dpo = DpoKey {
            secret: StaticSecret::from(*fresh()),
        };
        let keys = Keys {
            signing: SigningKey::from_bytes(&fresh()),
            raw: fresh(),
            value: fresh(),
            token: fresh(),
            dpo: Point::from(&dpo.secret).to_bytes(),
        };
        (keys, dpo)
    }
    /// Writes one file per key into `dir` (made if missing), mode 0600, never over an existing one.
    pub fn save(&self, dir: &Path) -> Result<(), EvidenceError> {
        std::fs::create_dir_all(dir).map_err(io("make folder", &dir.display().to_string()))?;
        let signing = Zeroizing::new(self.signing.to_bytes());
        for (name, secret) in FILES
            .iter()
            .zip([&*signing, &*self.raw, &*self.value, &*self.token])
        {
            write_secret(&dir.join(format!("{name}.key")), name, secret)?;
        }
        write_secret(&dir.join("dpo.pub"), "dpo-public", &self.dpo)
    }
    /// Reads what [`Keys::save`] wrote.
    pub fn load(dir: &Path) -> Result<Keys, EvidenceError> {
        let read = |name: &str| read_secret(&dir.join(format!("{name}.key")), name);
        Ok(Keys {
            signing: SigningKey::from_bytes(&*read("signing")?),
            raw: read("raw")?,
            value: read("value")?,
            token: read("token")?,
            dpo: *read_secret(&dir.join("dpo.pub"), "dpo-public")?,
        })
    }
    /// Name of the lake's log and of its key, derived from the public key so that no two lakes share one.
    pub fn origin(&self) -> String {
        let digest = blake3::hash(self.signing.verifying_key().as_bytes());
        format!("ampleur.lake/{}", &digest.to_hex()[..16])
    }
    pub fn public(&self) -> PublicKey {
        PublicKey(signed_note::new_ed25519_verifier_key(
            &self.origin(),
            &self.signing.verifying_key(),
        ))
    }
    /// `tok_` and 26 base32 characters: 128 bits of a keyed BLAKE3 over `authority|id`. Equal subjects give equal tokens
    /// in one lake, unrelated ones in another.
    pub fn token(&self, subject: &str) -> String {
        let hash = blake3::keyed_hash(&self.token, subject.as_bytes());
        let mut n = u128::from_be_bytes(hash.as_bytes()[..16].try_into().expect("16 of 32 bytes"));
        // 130 bits in 26 characters: the first carries three of the value's bits, the others five each.
        let mut text = [0u8; 30];
        text[..4].copy_from_slice(b"tok_");
        for at in (4..30).rev() {
            text[at] = b"abcdefghijklmnopqrstuvwxyz234567"[(n & 31) as usize];
            n >>= 5;
        }
        String::from_utf8_lossy(&text).into_owned()
    }
    /// The cipher of one sensitive column.
    pub fn column(&self, name: &'static str) -> ColumnCipher {
        ColumnCipher {
            cipher: FixedNonce::new(&self.value, short_hash(&self.value, name), name.as_bytes()),
        }
    }
    /// Cipher of one raw segment, from the segment's salt.
    pub(crate) fn segment(&self, salt: &[u8; 32]) -> Aes256GcmSiv {
        segment_cipher(&self.raw, salt)
    }
    /// The public half of the officer's key.
    pub fn dpo_public(&self) -> DpoPublic {
        DpoPublic(self.dpo)
    }
    /// Locks `clear` for the officer. `random`: 32 fresh random bytes.
    pub fn lock_for_dpo(&self, clear: &[u8], random: [u8; 32]) -> Vec<u8> {
        self.dpo_public().lock(clear, random)
    }
}

/// The public half of the officer's key: locks, does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DpoPublic([u8; 32]);

impl DpoPublic {
    /// Reads the `dpo.pub` that [`Keys::save`] and [`DpoKey::save_public`] write.
    pub fn load(path: &Path) -> Result<DpoPublic, EvidenceError> {
        Ok(DpoPublic(*read_secret(path, "dpo-public")?))
    }
    /// Locks `clear`. `random`: 32 fresh random bytes. Shape: ephemeral X25519 point (32 bytes), then AES-256-GCM-SIV of the
    /// text under the BLAKE3-derived shared key.
    pub fn lock(&self, clear: &[u8], random: [u8; 32]) -> Vec<u8> {
        let secret = StaticSecret::from(random);
        let point = Point::from(&secret).to_bytes();
        let shared = secret.diffie_hellman(&Point::from(self.0));
        let cipher = vault_cipher(&point, &self.0, shared.as_bytes());
        let mut out = point.to_vec();
        out.extend(
            cipher
                .encrypt(&Nonce::default(), clear)
                .expect("AES-GCM-SIV takes 64 GiB; a vault page is far below"),
        );
        out
    }
}

/// The raw key alone, for verification of contents by somebody who must not hold the others.
pub fn load_raw_key(dir: &Path) -> Result<[u8; 32], EvidenceError> {
    Ok(*read_secret(&dir.join("raw.key"), "raw")?)
}

pub(crate) fn segment_cipher(raw: &[u8; 32], salt: &[u8; 32]) -> Aes256GcmSiv {
    let mut hasher = blake3::Hasher::new_keyed(raw);
    hasher.update(b"ampleur raw segment 1");
    hasher.update(salt);
    Aes256GcmSiv::new(&(*hasher.finalize().as_bytes()).into())
}

fn vault_cipher(point: &[u8; 32], to: &[u8; 32], shared: &[u8; 32]) -> Aes256GcmSiv {
    let mut hasher = blake3::Hasher::new_derive_key("ampleur vault 1");
    hasher.update(point);
    hasher.update(to);
    hasher.update(shared);
    Aes256GcmSiv::new(&(*hasher.finalize().as_bytes()).into())
}

fn short_hash(key: &[u8; 32], name: &str) -> [u8; 12] {
    let hash = blake3::keyed_hash(key, format!("ampleur column {name}").as_bytes());
    *hash.as_bytes().first_chunk().expect("12 of 32 bytes")
}

/// Deterministic sealing of one column: equal values give equal bytes (so that dictionaries and equality still work),
/// nothing else is learnt. AES-256-GCM-SIV, RFC 8452, is the mode made for a nonce that repeats.
pub struct ColumnCipher {
    cipher: FixedNonce,
}

impl ColumnCipher {
    /// Length of the result: that of the value plus 16.
    pub fn seal(&self, clear: &str) -> Vec<u8> {
        let mut out = vec![];
        self.cipher.seal_onto(clear.as_bytes(), &mut out);
        out
    }
    /// Seals what `siv::lay` laid at these places.
    pub(crate) fn seal_at(&self, bytes: &mut [u8], places: &[Range<usize>]) {
        self.cipher.seal_at(bytes, places);
    }
    /// `None` when the bytes were not sealed for this column with this key.
    pub fn open(&self, sealed: &[u8]) -> Option<String> {
        String::from_utf8(self.cipher.open(sealed)?).ok()
    }
}

impl DpoKey {
    /// A new key, where no lake has made one yet.
    pub fn generate(random: &mut dyn FnMut(&mut [u8])) -> DpoKey {
        let mut s = Zeroizing::new([0u8; 32]);
        random(&mut s[..]);
        DpoKey {
            secret: StaticSecret::from(*s),
        }
    }
    pub fn public(&self) -> DpoPublic {
        DpoPublic(Point::from(&self.secret).to_bytes())
    }
    /// Writes the public half, never over an existing file.
    pub fn save_public(&self, path: &Path) -> Result<(), EvidenceError> {
        write_secret(path, "dpo-public", &self.public().0)
    }
    /// Writes the key, mode 0600, never over an existing file.
    pub fn save(&self, path: &Path) -> Result<(), EvidenceError> {
        write_secret(path, "dpo", &self.secret.to_bytes())
    }
    pub fn load(path: &Path) -> Result<DpoKey, EvidenceError> {
        Ok(DpoKey {
            secret: StaticSecret::from(*read_secret(path, "dpo")?),
        })
    }
    /// True when this is the officer's key of the lake these keys belong to.
    pub fn belongs_to(&self, keys: &Keys) -> bool {
        Point::from(&self.secret).to_bytes() == keys.dpo
    }
    /// Opens what [`Keys::lock_for_dpo`] locked; `None` when it was locked for another key or changed since.
    pub fn open(&self, locked: &[u8]) -> Option<Vec<u8>> {
        let point: [u8; 32] = locked.get(..32)?.try_into().ok()?;
        let shared = self.secret.diffie_hellman(&Point::from(point));
        let own = Point::from(&self.secret).to_bytes();
        vault_cipher(&point, &own, shared.as_bytes())
            .decrypt(&Nonce::default(), &locked[32..])
            .ok()
    }
}

/// One line: `ampleur-key <name> 1 <base64>`.
fn write_secret(path: &Path, name: &str, secret: &[u8; 32]) -> Result<(), EvidenceError> {
    let shown = path.display().to_string();
    let text = Zeroizing::new(format!("ampleur-key {name} 1 {}\n", BASE64.encode(secret)));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(io("write key", &shown))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(io("write key", &shown))?;
    let parent: PathBuf = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    if cfg!(unix) && !parent.as_os_str().is_empty() {
        std::fs::File::open(parent)
            .and_then(|d| d.sync_all())
            .map_err(io("write key", &shown))?;
    }
    Ok(())
}

fn read_secret(path: &Path, name: &str) -> Result<Secret, EvidenceError> {
    let shown = path.display().to_string();
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(io("read key", &shown))?);
    let bad = |what| EvidenceError::Key {
        path: shown.clone(),
        what,
    };
    let mut words = text.split_ascii_whitespace();
    if words.next() != Some("ampleur-key") {
        return Err(bad("not a key file"));
    }
    if words.next() != Some(name) || words.next() != Some("1") {
        return Err(bad("a key of another kind or version"));
    }
    let bytes = Zeroizing::new(
        BASE64
            .decode(words.next().unwrap_or_default())
            .map_err(|_| bad("not base64"))?,
    );
    let secret: [u8; 32] = bytes[..].try_into().map_err(|_| bad("not 32 bytes"))?;
    Ok(Zeroizing::new(secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    fn keys(seed: u8) -> (Keys, DpoKey) {
        let mut n = seed;
        Keys::generate(&mut |b| {
            for x in b {
                n = n.wrapping_mul(181).wrapping_add(59);
                *x = n;
            }
        })
    }
    #[test]
    fn saved_keys_are_the_same_keys_and_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let (k, d) = keys(1);
        k.save(dir.path()).unwrap();
        d.save(&dir.path().join("dpo.key")).unwrap();
        let back = Keys::load(dir.path()).unwrap();
        assert_eq!(back.public(), k.public());
        assert_eq!(back.token("a|1"), k.token("a|1"));
        assert_eq!(
            back.column("url").open(&k.column("url").seal("/x")),
            Some("/x".into())
        );
        assert!(
            DpoKey::load(&dir.path().join("dpo.key"))
                .unwrap()
                .belongs_to(&back)
        );
        assert!(k.save(dir.path()).is_err(), "never over an existing key");
        #[cfg(unix)]
        for f in [
            "signing.key",
            "raw.key",
            "value.key",
            "token.key",
            "dpo.key",
        ] {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(dir.path().join(f))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{f}");
        }
    }
    #[test]
    fn a_value_opens_only_in_its_column_and_with_its_key() {
        let (k, _) = keys(1);
        let (other, _) = keys(2);
        let sealed = k.column("url").seal("/Patient?family=X");
        assert_eq!(sealed, k.column("url").seal("/Patient?family=X"));
        assert_eq!(k.column("query").open(&sealed), None);
        assert_eq!(other.column("url").open(&sealed), None);
    }
    #[test]
    fn the_machine_locks_only_the_officer_opens() {
        let (k, d) = keys(1);
        let (_, wrong) = keys(2);
        let locked = k.lock_for_dpo(b"tok\tclear", [7; 32]);
        assert_eq!(d.open(&locked).as_deref(), Some(&b"tok\tclear"[..]));
        assert_eq!(wrong.open(&locked), None);
        assert_eq!(d.open(&locked[..20]), None);
    }
    #[test]
    fn tokens_are_128_bits_of_text() {
        let (k, _) = keys(1);
        let t = k.token("urn:oid:1.2|42");
        assert_eq!(t.len(), 30);
        assert!(t.starts_with("tok_"));
        assert_ne!(t, k.token("urn:oid:1.2|43"));
    }
}
