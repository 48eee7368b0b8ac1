//! Logs delivered twice: two collectors sent the lines of one source to two folders. Counted as two sources they would be two uses of
//! everything, and each the other's riddle.
use crate::{
    Partial,
    intake::{Fragment, Slot, text_hash},
};
use ampleur_sources::case::Case;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;

/// Stretches two sources must have in common: rows of the same instants that say the same.
const ENOUGH: usize = 3;
/// And whom they are of: one who knocks at every server at once, as a watchdog does, is heard alike by all.
const VISITORS: usize = 2;
/// Stretches looked at in one source; those with the smallest fingerprints, so that two copies show the same ones.
const LOOKED_AT: usize = 1 << 12;

/// Source → the source that has its rows too, of the same establishment: one that is declared rather than one that is not, the first of
/// several.
pub fn copies(case: &Case, partials: &[Partial]) -> BTreeMap<u32, u32> {
    let mut formats: BTreeMap<&str, BTreeMap<u32, Vec<&Partial>>> = BTreeMap::new();
    for p in partials {
        let of = formats.entry(p.format).or_default();
        of.entry(case.source_of(p.file)).or_default().push(p);
    }
    let mut out: BTreeMap<u32, u32> = BTreeMap::new();
    for sources in formats.into_values().filter(|s| s.len() > 1) {
        let mut looked_at: Vec<(u32, Stretches)> = sources
            .into_iter()
            .map(|(source, parts)| (source, stretches(&parts)))
            .collect();
        looked_at.sort_by_key(|(source, _)| (case.entry(*source).is_none(), *source));
        // Fingerprint → the first source that has it. A house has hundreds of servers of one kind: they are not compared two by two.
        let mut first: FxHashMap<u64, u32> = FxHashMap::default();
        let sizes: BTreeMap<u32, usize> =
            looked_at.iter().map(|(s, its)| (*s, its.len())).collect();
        for (second, its) in looked_at {
            let mut both: BTreeMap<u32, Both> = BTreeMap::new();
            for (f, visitor) in &its {
                if let Some(source) = first.get(f) {
                    let b = both.entry(*source).or_default();
                    b.stretches += 1;
                    b.visitors.insert(*visitor);
                }
            }
            let mut copied = both.into_iter().filter(|(source, b)| {
                establishment(case, *source, second) && b.are_one(its.len().min(sizes[source]))
            });
            if let Some((source, _)) = copied.next() {
                out.insert(second, source);
                continue;
            }
            for (f, _) in its {
                first.entry(f).or_insert(second);
            }
        }
    }
    out
}

/// Nothing says that they are of two establishments.
fn establishment(case: &Case, a: u32, b: u32) -> bool {
    let of = |s: u32| case.entry(s).and_then(|e| e.establishment.as_deref());
    of(a).is_none() || of(b).is_none() || of(a) == of(b)
}

/// Fingerprints of stretches, each once, and the visitor of each.
type Stretches = Vec<(u64, u64)>;

/// What two sources have in common.
#[derive(Default)]
struct Both {
    stretches: usize,
    visitors: FxHashSet<u64>,
}

impl Both {
    /// Of `few` stretches of the smaller source. Lines that one of them lost, and files that end elsewhere, leave many apart; of few,
    /// most must be the same.
    fn are_one(&self, few: usize) -> bool {
        let share = if self.stretches < 16 { 2 } else { 4 };
        self.stretches >= ENOUGH && self.stretches * share >= few && self.visitors.len() >= VISITORS
    }
}

/// The stretches of a source that are looked at.
fn stretches(parts: &[&Partial]) -> Stretches {
    let slots = || {
        parts
            .iter()
            .flat_map(|p| p.slots.iter().map(move |s| (p, s)))
    };
    let n: usize = slots().map(|(_, s)| s.list.len()).sum();
    // Of fingerprints that are spread evenly, about as many as wanted lie below this.
    let below = match n <= LOOKED_AT {
        true => u64::MAX,
        false => (u64::MAX / n as u64).saturating_mul(LOOKED_AT as u64),
    };
    let visitor = |p: &Partial, s: &Slot| {
        let [_, account, address, _] = s.key.texts(&p.texts);
        text_hash(account).rotate_left(7) ^ text_hash(address)
    };
    let of_slot = |(p, s): (&&Partial, &Slot)| -> Vec<(u64, u64)> {
        let mine = s.list.iter().map(fingerprint).filter(|f| *f <= below);
        let mine: Vec<u64> = mine.collect();
        let who = if mine.is_empty() { 0 } else { visitor(p, s) };
        mine.into_iter().map(|f| (f, who)).collect()
    };
    let mut out: Stretches = slots().flat_map(of_slot).collect();
    out.sort_unstable();
    out.dedup_by_key(|s| s.0);
    out
}

fn fingerprint(f: &Fragment) -> u64 {
    let mixed = (f.fingerprint ^ f.from as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ f.to as u64;
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ (mixed >> 32)
}
