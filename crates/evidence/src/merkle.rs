//! RFC 6962 §2.1 hashes, trees and inclusion paths, for the two logs and for the lines of a segment.
use crate::sha256;
use sha2::{Digest, Sha256};

pub type Hash = [u8; 32];

/// Leaves under one stored block root inside a segment, and leaves of a tile.
pub const BLOCK: usize = 256;

/// `SHA-256(0x00 || data)`.
pub fn leaf_hash(data: &[u8]) -> Hash {
    let mut h = Sha256::new();
    h.update([0u8]);
    h.update(data);
    h.finalize().into()
}

/// `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1u8; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// The root of no leaves: `SHA-256("")`.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// Where a tree of `n ≥ 2` leaves is split: the largest power of two below `n`.
fn split(n: usize) -> usize {
    1 << (usize::BITS - 1 - (n - 1).leading_zeros())
}

/// Root over hashes that are already leaf hashes or roots of equal, complete subtrees (the last may be smaller).
pub fn root_of(nodes: &[Hash]) -> Hash {
    match nodes {
        [] => empty_root(),
        [one] => *one,
        _ => {
            let (l, r) = nodes.split_at(split(nodes.len()));
            node_hash(&root_of(l), &root_of(r))
        }
    }
}

/// Inclusion path of node `m`, from its sibling up, over nodes as in [`root_of`]: what [`Tree::path`] is held to.
#[cfg(test)]
fn path_of(nodes: &[Hash], m: usize) -> Vec<Hash> {
    if nodes.len() < 2 {
        return vec![];
    }
    let k = split(nodes.len());
    let (l, r) = nodes.split_at(k);
    let (mut path, sibling) = if m < k {
        (path_of(l, m), root_of(r))
    } else {
        (path_of(r, m - k), root_of(l))
    };
    path.push(sibling);
    path
}

/// A growing tree that keeps the root of every complete subtree: 64 bytes per leaf.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// `levels[k][i]` is the root over leaves `[i·2ᵏ, (i+1)·2ᵏ)`.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    pub fn len(&self) -> u64 {
        self.levels.first().map_or(0, |l| l.len() as u64)
    }
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        let mut k = 0;
        loop {
            if self.levels.len() == k {
                self.levels.push(vec![]);
            }
            self.levels[k].push(node);
            let n = self.levels[k].len();
            if n % 2 == 1 {
                return;
            }
            node = node_hash(&self.levels[k][n - 2], &self.levels[k][n - 1]);
            k += 1;
        }
    }
    /// Forgets all leaves from `len` on.
    pub fn truncate(&mut self, len: u64) {
        for (k, level) in self.levels.iter_mut().enumerate() {
            level.truncate((len >> k) as usize);
        }
    }
    /// Roots over complete subtrees of 2^`level` leaves, in order.
    pub fn level(&self, level: usize) -> &[Hash] {
        self.levels.get(level).map_or(&[], |l| l)
    }
    pub fn root(&self) -> Hash {
        match self.len() {
            0 => empty_root(),
            n => self.range(0, n),
        }
    }
    fn range(&self, from: u64, to: u64) -> Hash {
        let n = to - from;
        let k = n.trailing_zeros();
        if n.is_power_of_two() && from.is_multiple_of(n) {
            return self.levels[k as usize][(from >> k) as usize];
        }
        let middle = from + split(n as usize) as u64;
        node_hash(&self.range(from, middle), &self.range(middle, to))
    }
    /// Inclusion path of leaf `m` (RFC 6962 §2.1.1).
    pub fn path(&self, m: u64) -> Vec<Hash> {
        let mut path = vec![];
        let (mut from, mut to) = (0, self.len());
        while to - from > 1 {
            let middle = from + split((to - from) as usize) as u64;
            if m < middle {
                path.push(self.range(middle, to));
                to = middle;
            } else {
                path.push(self.range(from, middle));
                from = middle;
            }
        }
        path.reverse();
        path
    }
}

/// Streams the leaves of a segment: remembers one root per [`BLOCK`] leaves and the hashes of the open block.
#[derive(Debug, Clone, Default)]
pub struct Blocks {
    roots: Vec<Hash>,
    open: Vec<Hash>,
}

impl Blocks {
    /// True when this leaf began a block.
    pub fn push(&mut self, leaf: Hash) -> bool {
        let first = self.open.is_empty();
        self.open.push(leaf);
        if self.open.len() == BLOCK {
            self.roots.push(sha256::root_of_complete(&mut self.open));
            self.open.clear();
        }
        first
    }
    /// Root of every block, the last one possibly of fewer leaves. Their [`root_of`] is the root over all leaves,
    /// because RFC 6962 splits at powers of two and a block is one.
    pub fn finish(mut self) -> Vec<Hash> {
        if !self.open.is_empty() {
            self.roots.push(root_of(&self.open));
        }
        self.roots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(n: usize) -> Vec<Hash> {
        (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }
    fn climb(mut at: usize, mut n: usize, leaf: Hash, path: &[Hash]) -> Hash {
        // RFC 9162 §2.1.3.2, the algorithm of a verifier.
        let mut node = leaf;
        n -= 1;
        for p in path {
            if at % 2 == 1 || at == n {
                node = node_hash(p, &node);
                while at.is_multiple_of(2) && at != 0 {
                    at >>= 1;
                    n >>= 1;
                }
            } else {
                node = node_hash(&node, p);
            }
            at >>= 1;
            n >>= 1;
        }
        node
    }

    #[test]
    fn every_way_to_the_root_agrees() {
        for n in [1, 2, 3, 5, 8, 255, 256, 257, 511, 513, 700, 1025] {
            let l = leaves(n);
            let root = root_of(&l);
            let mut tree = Tree::default();
            let mut blocks = Blocks::default();
            for h in &l {
                tree.push(*h);
                blocks.push(*h);
            }
            assert_eq!(tree.root(), root, "{n}");
            assert_eq!(root_of(&blocks.finish()), root, "{n}");
            for m in [0, n / 3, n / 2, n - 1] {
                let path = path_of(&l, m);
                assert_eq!(tree.path(m as u64), path, "{m} of {n}");
                assert_eq!(climb(m, n, l[m], &path), root, "{m} of {n}");
            }
            tree.truncate(n as u64 / 2);
            assert_eq!(tree.root(), root_of(&l[..n / 2]));
        }
    }
    #[test]
    fn known_roots_of_the_standard() {
        // RFC 6962 test vectors published with certificate transparency: one empty leaf, and leaves "", 00, 10.
        let hex = |h: Hash| h.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(
            hex(leaf_hash(b"")),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        assert_eq!(
            hex(root_of(&[
                leaf_hash(b""),
                leaf_hash(&[0]),
                leaf_hash(&[16])
            ])),
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
        );
    }
}
