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
    /// Bytes of the open block.
    open: Vec<u8>,
    len: u64,
}

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
            open: Vec::with_capacity(BLOCK_BYTES),
            len: 0,
        })
    }
    pub fn len(&self) -> u64 {
        self.len
    }
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write(bytes)?;
        self.sha.update(bytes);
        self.len += bytes.len() as u64;
        let mut rest = bytes;
        if !self.open.is_empty() {
            let take = rest.len().min(BLOCK_BYTES - self.open.len());
            self.open.extend_from_slice(&rest[..take]);
            rest = &rest[take..];
            if self.open.len() < BLOCK_BYTES {
                return Ok(());
            }
            self.blocks.push(*blake3::hash(&self.open).as_bytes());
            self.open.clear();
        }
        let mut whole = rest.chunks_exact(BLOCK_BYTES);
        for block in &mut whole {
            self.blocks.push(*blake3::hash(block).as_bytes());
        }
        self.open.extend_from_slice(whole.remainder());
        Ok(())
    }
    /// Syncs and closes.
    pub fn finish(mut self) -> io::Result<Stored> {
        self.file.sync()?;
        if !self.open.is_empty() {
            self.blocks.push(*blake3::hash(&self.open).as_bytes());
        }
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
