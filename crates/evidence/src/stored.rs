//! A stored file while it is written: every byte is hashed on its way, whole (SHA-256, what `sha256sum` prints) and in
//! blocks of 4 KiB (BLAKE3), so that a later change can be named to within one block without any key.
use crate::{
    merkle::Hash,
    store::{Store, StoreFile},
};
use sha2::{Digest, Sha256};
use std::io;

/// Bytes per block hash.
pub(crate) const BLOCK_BYTES: usize = 4096;

pub(crate) struct StoredFile {
    file: Box<dyn StoreFile>,
    sha: Sha256,
    blocks: Vec<Hash>,
    /// Not written yet. Begins where a block begins.
    held: Vec<u8>,
    len: u64,
}

/// So many bytes are written at a time, and hashed in one go.
const HELD: usize = 256 << 10;

/// What a stored file is.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub bytes: u64,
    pub sha256: Hash,
    pub blocks: Vec<Hash>,
}

impl StoredFile {
    pub fn create(store: &dyn Store, path: &str) -> io::Result<StoredFile> {
        Ok(StoredFile {
            file: store.create(path)?,
            sha: Sha256::new(),
            blocks: vec![],
            held: Vec::with_capacity(HELD),
            len: 0,
        })
    }
    pub fn len(&self) -> u64 {
        self.len
    }
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.len += bytes.len() as u64;
        let mut rest = bytes;
        while self.held.len() + rest.len() >= HELD {
            let (now, then) = rest.split_at(HELD - self.held.len());
            self.held.extend_from_slice(now);
            self.write_held()?;
            rest = then;
        }
        self.held.extend_from_slice(rest);
        Ok(())
    }
    fn write_held(&mut self) -> io::Result<()> {
        self.file.write(&self.held)?;
        self.sha.update(&self.held);
        for block in self.held.chunks(BLOCK_BYTES) {
            self.blocks.push(*blake3::hash(block).as_bytes());
        }
        self.held.clear();
        Ok(())
    }
    /// Syncs and closes.
    pub fn finish(mut self) -> io::Result<Stored> {
        self.write_held()?;
        self.file.sync()?;
        Ok(Stored {
            bytes: self.len,
            sha256: self.sha.finalize().into(),
            blocks: self.blocks,
        })
    }
}

impl Stored {
    /// Block hashes of a file of `bytes` bytes.
    pub fn blocks_of(bytes: u64) -> usize {
        bytes.div_ceil(BLOCK_BYTES as u64) as usize
    }
}

impl io::Write for StoredFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
