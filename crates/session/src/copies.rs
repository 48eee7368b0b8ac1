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
const LOOKED_AT: usize = 1 << 14;

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
        for (i, (second, its)) in looked_at.iter().enumerate() {
            let first = looked_at[..i].iter().find(|(first, other)| {
                !out.contains_key(first)
                    && establishment(case, *first, *second)
                    && alike(its, other)
            });
            if let Some((first, _)) = first {
                out.insert(*second, *first);
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

/// Fingerprint of a stretch → its visitor.
type Stretches = FxHashMap<u64, u64>;

fn alike(a: &Stretches, b: &Stretches) -> bool {
    let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let both = few.iter().filter(|(f, _)| many.contains_key(f));
    let visitors: FxHashSet<u64> = both.clone().map(|(_, visitor)| *visitor).collect();
    let both = both.count();
    // Lines that one of them lost, and files that end elsewhere, leave many stretches apart; of few, most must be the same.
    let share = if both < 16 { 2 } else { 4 };
    both >= ENOUGH && both * share >= few.len() && visitors.len() >= VISITORS
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
    slots().flat_map(of_slot).collect()
}

fn fingerprint(f: &Fragment) -> u64 {
    let mixed = (f.fingerprint ^ f.from as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ f.to as u64;
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ (mixed >> 32)
}
