//! The file of a segment's raw bytes: `raw/<date>/<segment>.zst`.
//!
//! ```text
//! "ampleur-raw 1\n" 0 0   16 bytes
//! salt                    32 bytes, the segment's key is keyed BLAKE3(raw key, label || salt)
//! chunk 0 … n-1           each AES-256-GCM-SIV(zstd frame of at most 1 MiB of evidence), nonce = 0 || chunk number
//! index                   AES-256-GCM-SIV(zstd frame of the index), nonce = 1 || 0
//! trailer                 index offset u64, index length u64, index clear length u32, chunks u32, "ampraw 1" (32 bytes)
//! index, in clear         per chunk: clear length u32, stored length u32
//!                         blocks u32, per block of 256 lines: offset u64 in the segment, RFC 6962 root 32 bytes
//!                         lines u32, per line its length as LEB128
//! ```
//! Numbers are little-endian. Every chunk opens alone, so a line is read without its neighbours. Chunks are bound to their
//! place by the nonce and to their segment by the key. GCM-SIV rather than a stream cipher: the same library already seals
//! values, a repeated salt after a crash would not break it, and at level-1 zstd speed it is not the bottleneck.
use crate::{
    EvidenceError,
    error::{corrupt, io},
    merkle::{BLOCK, Blocks, Hash, Tree, leaf_hash, root_of},
    sha256,
    store::Store,
    stored::{Stored, StoredFile},
};
use aes_gcm_siv::{
    Aes256GcmSiv, Nonce,
    aead::{Aead, AeadInPlace},
};
use sha2::{Digest, Sha256};

const MAGIC: &[u8; 16] = b"ampleur-raw 1\n\0\0";
const END: &[u8; 8] = b"ampraw 1";
const CHUNK: usize = 1 << 20;
/// An index is at most this large in clear: 4 Mi lines and 64 Ki chunks are well below.
const INDEX_MAX: usize = 64 << 20;
/// zstd level of chunks: speed first, see the bench.
const LEVEL: i32 = 1;

fn nonce(kind: u8, number: u64) -> Nonce {
    let mut n = [0u8; 12];
    n[0] = kind;
    n[4..].copy_from_slice(&number.to_be_bytes());
    *Nonce::from_slice(&n)
}

/// Appends a number as unsigned LEB128.
#[inline]
pub(crate) fn leb128(mut n: u64, to: &mut Vec<u8>) {
    while n >= 0x80 {
        to.push(n as u8 | 0x80);
        n >>= 7;
    }
    to.push(n as u8);
}

pub(crate) struct RawWriter {
    out: StoredFile,
    path: String,
    cipher: Aes256GcmSiv,
    zstd: zstd::bulk::Compressor<'static>,
    packed: Vec<u8>,
    chunk: Vec<u8>,
    chunks: Vec<(u32, u32)>,
    lines: Lines,
}

/// The lines of a segment as they come: their hashes and lengths, not their text.
#[derive(Default)]
pub(crate) struct Lines {
    blocks: Blocks,
    block_starts: Vec<u64>,
    /// LEB128 lengths of the lines.
    lengths: Vec<u8>,
    lines: u64,
    bytes: u64,
    /// Hash and length so far of the line not yet ended.
    open: Option<(Sha256, u64)>,
}

/// Count, bytes and root of the lines of a segment.
pub(crate) struct LineSummary {
    pub bytes: u64,
    pub lines: u64,
    pub root: Hash,
}

/// What the raw file says about the segment.
pub(crate) struct RawSummary {
    pub stored: Stored,
    pub lines: LineSummary,
}

impl Lines {
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
    pub fn lines(&self) -> u64 {
        self.lines
    }
    /// Bytes taken, the open line included.
    pub fn position(&self) -> u64 {
        self.bytes + self.open.as_ref().map_or(0, |o| o.1)
    }
    /// Whole lines one after the other, up to each of `ends`, and a piece of one that goes on. As many calls of [`Lines::line`].
    pub fn lines_to(&mut self, bytes: &[u8], mut ends: impl Iterator<Item = usize>) {
        let mut from = 0;
        if self.open.is_some()
            && let Some(end) = ends.next()
        {
            self.line(&bytes[..end], true);
            from = end;
        }
        let mut group: [&[u8]; BLOCK] = [&[]; BLOCK];
        let mut hashes = Vec::with_capacity(BLOCK);
        loop {
            let mut n = 0;
            while n < BLOCK
                && let Some(end) = ends.next()
            {
                if end > from {
                    group[n] = &bytes[from..end];
                    n += 1;
                    from = end;
                }
            }
            if n == 0 {
                break;
            }
            hashes.clear();
            sha256::leaf_hashes(&group[..n], &mut hashes);
            for (line, hash) in group[..n].iter().zip(&hashes) {
                self.close(*hash, line.len() as u64);
            }
        }
        self.line(&bytes[from..], false);
    }
    /// A piece of a line; `ends` closes it.
    pub fn line(&mut self, bytes: &[u8], ends: bool) {
        if bytes.is_empty() && (!ends || self.open.is_none()) {
            return;
        }
        match (self.open.take(), ends) {
            (None, true) => self.close(leaf_hash(bytes), bytes.len() as u64),
            (open, ends) => {
                let (mut hash, mut len) = open.unwrap_or_else(|| {
                    let mut h = Sha256::new();
                    h.update([0u8]);
                    (h, 0)
                });
                hash.update(bytes);
                len += bytes.len() as u64;
                if ends {
                    self.close(hash.finalize().into(), len);
                } else {
                    self.open = Some((hash, len));
                }
            }
        }
    }
    fn close(&mut self, hash: Hash, len: u64) {
        if self.blocks.push(hash) {
            self.block_starts.push(self.bytes);
        }
        self.lines += 1;
        self.bytes += len;
        leb128(len, &mut self.lengths);
    }
    fn end(&mut self) {
        if let Some((hash, len)) = self.open.take() {
            self.close(hash.finalize().into(), len);
        }
    }
    /// Closes the last line.
    pub fn finish(mut self) -> LineSummary {
        self.end();
        LineSummary {
            bytes: self.bytes,
            lines: self.lines,
            root: root_of(&self.blocks.finish()),
        }
    }
}

impl RawWriter {
    pub fn create(
        store: &dyn Store,
        path: &str,
        cipher: Aes256GcmSiv,
        salt: &[u8; 32],
    ) -> Result<RawWriter, EvidenceError> {
        let mut out = StoredFile::create(store, path).map_err(io("create", path))?;
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(salt);
        out.append(&head).map_err(io("write", path))?;
        Ok(RawWriter {
            out,
            path: path.to_string(),
            cipher,
            zstd: zstd::bulk::Compressor::new(LEVEL).map_err(io("write", path))?,
            packed: vec![],
            chunk: Vec::with_capacity(CHUNK),
            chunks: vec![],
            lines: Lines::default(),
        })
    }
    pub fn lines(&mut self) -> &mut Lines {
        &mut self.lines
    }
    pub fn seen(&self) -> &Lines {
        &self.lines
    }
    /// Stores bytes; the caller says separately where lines end.
    pub fn store(&mut self, bytes: &[u8]) -> Result<(), EvidenceError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let take = rest.len().min(CHUNK - self.chunk.len());
            self.chunk.extend_from_slice(&rest[..take]);
            rest = &rest[take..];
            if self.chunk.len() == CHUNK {
                self.flush()?;
            }
        }
        Ok(())
    }
    fn pack(&mut self, clear: &[u8], nonce: Nonce) -> Result<u32, EvidenceError> {
        self.packed.clear();
        self.packed
            .reserve(zstd::zstd_safe::compress_bound(clear.len()) + 16);
        self.zstd
            .compress_to_buffer(clear, &mut self.packed)
            .map_err(io("compress", &self.path))?;
        self.cipher
            .encrypt_in_place(&nonce, b"", &mut self.packed)
            .expect("AES-GCM-SIV takes 64 GiB; a chunk is 1 MiB");
        self.out
            .append(&self.packed)
            .map_err(io("write", &self.path))?;
        Ok(self.packed.len() as u32)
    }
    fn flush(&mut self) -> Result<(), EvidenceError> {
        let chunk = std::mem::take(&mut self.chunk);
        let stored = self.pack(&chunk, nonce(0, self.chunks.len() as u64))?;
        self.chunks.push((chunk.len() as u32, stored));
        self.chunk = chunk;
        self.chunk.clear();
        Ok(())
    }
    pub fn finish(mut self) -> Result<RawSummary, EvidenceError> {
        if !self.chunk.is_empty() {
            self.flush()?;
        }
        self.lines.end();
        let lines = std::mem::take(&mut self.lines);
        let roots = lines.blocks.finish();
        let mut index = Vec::with_capacity(lines.lengths.len() + roots.len() * 40);
        for (clear, stored) in &self.chunks {
            index.extend_from_slice(&clear.to_le_bytes());
            index.extend_from_slice(&stored.to_le_bytes());
        }
        index.extend_from_slice(&(roots.len() as u32).to_le_bytes());
        for (start, root) in lines.block_starts.iter().zip(&roots) {
            index.extend_from_slice(&start.to_le_bytes());
            index.extend_from_slice(root);
        }
        index.extend_from_slice(&(lines.lines as u32).to_le_bytes());
        index.extend_from_slice(&lines.lengths);
        let offset = self.out.len();
        let stored = self.pack(&index, nonce(1, 0))?;
        let mut trailer = vec![];
        trailer.extend_from_slice(&offset.to_le_bytes());
        trailer.extend_from_slice(&u64::from(stored).to_le_bytes());
        trailer.extend_from_slice(&(index.len() as u32).to_le_bytes());
        trailer.extend_from_slice(&(self.chunks.len() as u32).to_le_bytes());
        trailer.extend_from_slice(END);
        self.out.append(&trailer).map_err(io("write", &self.path))?;
        Ok(RawSummary {
            stored: self.out.finish().map_err(io("sync", &self.path))?,
            lines: LineSummary {
                bytes: lines.bytes,
                lines: lines.lines,
                root: root_of(&roots),
            },
        })
    }
}

struct Chunk {
    /// In the segment's clear bytes.
    start: u64,
    clear: u32,
    /// In the file.
    at: u64,
    stored: u32,
}

/// Reads parts of a raw file.
pub(crate) struct RawReader<'a> {
    store: &'a dyn Store,
    path: String,
    cipher: Aes256GcmSiv,
    chunks: Vec<Chunk>,
    blocks: Vec<(u64, Hash)>,
    /// Start of each line in the segment, and the end of the last.
    lines: Vec<u64>,
    /// Over the roots of the blocks.
    roots: Tree,
    /// The chunk opened last.
    last: Option<(usize, Vec<u8>)>,
    /// The block opened last.
    block: Option<OpenBlock>,
}

/// Lines of one block, read and checked.
struct OpenBlock {
    number: usize,
    /// In the segment's clear bytes.
    start: u64,
    bytes: Vec<u8>,
    tree: Tree,
}

/// One line with what proves it inside its segment.
pub(crate) struct RawLine {
    pub index: u64,
    pub start: u64,
    pub bytes: Vec<u8>,
    pub path: Vec<Hash>,
}

impl<'a> RawReader<'a> {
    pub fn open(
        store: &'a dyn Store,
        path: &str,
        cipher: impl FnOnce(&[u8; 32]) -> Aes256GcmSiv,
    ) -> Result<RawReader<'a>, EvidenceError> {
        let size = store.size(path).map_err(io("read", path))?;
        if size < 80 {
            return Err(corrupt(path, size, "cut short"));
        }
        let head = store.read_at(path, 0, 48).map_err(io("read", path))?;
        if &head[..16] != MAGIC {
            return Err(corrupt(path, 0, "not a raw segment of this version"));
        }
        let salt: [u8; 32] = head[16..48].try_into().expect("32 bytes");
        let cipher = cipher(&salt);
        let trailer = store
            .read_at(path, size - 32, 32)
            .map_err(io("read", path))?;
        if &trailer[24..] != END {
            return Err(corrupt(path, size - 8, "no end mark"));
        }
        let u64_at = |b: &[u8], i: usize| u64::from_le_bytes(b[i..i + 8].try_into().expect("8"));
        let u32_at = |b: &[u8], i: usize| u32::from_le_bytes(b[i..i + 4].try_into().expect("4"));
        let (offset, len) = (u64_at(&trailer, 0), u64_at(&trailer, 8));
        let (clear_len, count) = (u32_at(&trailer, 16) as usize, u32_at(&trailer, 20) as usize);
        if offset.checked_add(len) != Some(size - 32) || clear_len > INDEX_MAX {
            return Err(corrupt(
                path,
                size - 32,
                "the index is not where it should be",
            ));
        }
        let sealed = store
            .read_at(path, offset, len as usize)
            .map_err(io("read", path))?;
        let index = open(&cipher, nonce(1, 0), &sealed, clear_len)
            .ok_or_else(|| corrupt(path, offset, "the index does not open"))?;
        // From here on the bytes are authentic; the checks guard against a version that wrote them otherwise.
        let bad = || corrupt(path, offset, "the index is not well formed");
        let mut at = 0usize;
        let mut take = |n: usize| {
            let part = index.get(at..at.checked_add(n)?)?;
            at += n;
            Some(part)
        };
        let (mut start, mut file_at, mut chunks) = (0u64, 48u64, vec![]);
        for _ in 0..count {
            let e = take(8).ok_or_else(bad)?;
            let (clear, stored) = (u32_at(e, 0), u32_at(e, 4));
            if clear as usize > CHUNK {
                return Err(bad());
            }
            chunks.push(Chunk {
                start,
                clear,
                at: file_at,
                stored,
            });
            start += u64::from(clear);
            file_at += u64::from(stored);
        }
        let n = u32_at(take(4).ok_or_else(bad)?, 0);
        let mut blocks = vec![];
        for _ in 0..n {
            let e = take(40).ok_or_else(bad)?;
            blocks.push((u64_at(e, 0), e[8..].try_into().expect("32 bytes")));
        }
        let n = u32_at(take(4).ok_or_else(bad)?, 0) as usize;
        let mut lines = Vec::with_capacity(n.min(index.len()) + 1);
        let mut begin = 0u64;
        lines.push(begin);
        for _ in 0..n {
            let (mut len, mut shift) = (0u64, 0);
            loop {
                let b = take(1).ok_or_else(bad)?[0];
                len |= u64::from(b & 0x7f).checked_shl(shift).unwrap_or(0);
                shift += 7;
                if b < 0x80 {
                    break;
                }
            }
            begin = begin.checked_add(len).ok_or_else(bad)?;
            lines.push(begin);
        }
        let mut roots = Tree::default();
        for (_, root) in &blocks {
            roots.push(*root);
        }
        Ok(RawReader {
            store,
            path: path.to_string(),
            cipher,
            chunks,
            blocks,
            lines,
            roots,
            last: None,
            block: None,
        })
    }
    /// Bytes of the segment in clear.
    pub fn bytes(&self) -> u64 {
        self.chunks
            .last()
            .map_or(0, |c| c.start + u64::from(c.clear))
    }
    fn chunk(&mut self, i: usize) -> Result<&[u8], EvidenceError> {
        if self.last.as_ref().is_none_or(|(n, _)| *n != i) {
            let c = &self.chunks[i];
            let sealed = self
                .store
                .read_at(&self.path, c.at, c.stored as usize)
                .map_err(io("read", &self.path))?;
            let clear = open(&self.cipher, nonce(0, i as u64), &sealed, c.clear as usize)
                .filter(|b| b.len() == c.clear as usize)
                .ok_or_else(|| corrupt(&self.path, c.at, "a chunk does not open"))?;
            self.last = Some((i, clear));
        }
        Ok(self.last.as_ref().map_or(&[], |(_, b)| b))
    }
    /// The bytes `[from, to)` of the segment, as far as it goes.
    pub fn read(&mut self, from: u64, to: u64) -> Result<Vec<u8>, EvidenceError> {
        let to = to.min(self.bytes());
        let mut out = vec![];
        let first = self
            .chunks
            .partition_point(|c| c.start + u64::from(c.clear) <= from);
        for i in first..self.chunks.len() {
            let start = self.chunks[i].start;
            if start >= to {
                break;
            }
            let bytes = self.chunk(i)?;
            let a = from.saturating_sub(start) as usize;
            let b = ((to - start) as usize).min(bytes.len());
            out.extend_from_slice(&bytes[a.min(b)..b]);
        }
        Ok(out)
    }
    /// The lines that hold `[from, to)`, each with its path to the segment's root. The block read last is kept: citations
    /// come in order of the file, many to a block.
    pub fn lines(&mut self, from: u64, to: u64) -> Result<Vec<RawLine>, EvidenceError> {
        let n = self.lines.len() - 1;
        let first = self.lines[1..].partition_point(|end| *end <= from);
        let mut out: Vec<RawLine> = vec![];
        for i in first..n {
            let (start, end) = (self.lines[i], self.lines[i + 1]);
            // An empty range still names the line it is in.
            if start >= to && !(out.is_empty() && start <= from) {
                break;
            }
            let b = i / BLOCK;
            if self.block.as_ref().is_none_or(|o| o.number != b) {
                self.block = Some(self.open_block(b)?);
            }
            let Some(block) = &self.block else { continue };
            let mut path = block.tree.path((i % BLOCK) as u64);
            path.extend(self.roots.path(b as u64));
            let (a, z) = (start - block.start, end - block.start);
            out.push(RawLine {
                index: i as u64,
                start,
                bytes: block.bytes[a as usize..z as usize].to_vec(),
                path,
            });
        }
        Ok(out)
    }
    fn open_block(&mut self, number: usize) -> Result<OpenBlock, EvidenceError> {
        let n = self.lines.len() - 1;
        let (lo, hi) = (number * BLOCK, ((number + 1) * BLOCK).min(n));
        let (start, end) = (self.lines[lo], self.lines[hi]);
        let bytes = self.read(start, end)?;
        if bytes.len() as u64 != end - start {
            return Err(corrupt(&self.path, start, "lines are missing"));
        }
        let mut tree = Tree::default();
        for w in self.lines[lo..=hi].windows(2) {
            let line = &bytes[(w[0] - start) as usize..(w[1] - start) as usize];
            tree.push(leaf_hash(line));
        }
        if self.blocks.get(number).is_none_or(|b| b.1 != tree.root()) {
            return Err(corrupt(
                &self.path,
                start,
                "lines do not have the hash the index says",
            ));
        }
        Ok(OpenBlock {
            number,
            start,
            bytes,
            tree,
        })
    }
}

fn open(cipher: &Aes256GcmSiv, nonce: Nonce, sealed: &[u8], clear_len: usize) -> Option<Vec<u8>> {
    let packed = cipher.decrypt(&nonce, sealed).ok()?;
    zstd::bulk::decompress(&packed, clear_len).ok()
}
