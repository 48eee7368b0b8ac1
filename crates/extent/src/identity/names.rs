//! Names of persons: each distinct text once, numbered in the order of its folded form, so that a prefix is a range of numbers.
use crate::{letters, strings::Strings};

/// Number of a name in [`Names`]. 0 is the empty name.
pub type Name = u32;

/// Distinct names in order of (folded form, text).
#[derive(Debug, Default)]
pub struct Names {
    texts: Strings,
    /// Distinct folded forms, sorted.
    folds: Strings,
    /// Fold of each name.
    fold_of: Vec<u32>,
    /// First name of each fold, and one end.
    starts: Vec<u32>,
    /// Names whose folded form is more than case and accents ([`letters::plain`]), sorted.
    odd: Vec<Name>,
}

impl Names {
    /// Sorts `found`; the second is the new number of each old one.
    pub(super) fn sorted(found: &Strings) -> (Names, Vec<Name>) {
        let mut order: Vec<(String, u32)> = (0..found.len() as u32)
            .map(|n| (letters::name(found.get(n)), n))
            .collect();
        order.sort_unstable_by(|a, b| {
            (a.0.as_str(), found.get(a.1)).cmp(&(b.0.as_str(), found.get(b.1)))
        });
        let mut out = Names::default();
        let mut number = vec![0; order.len()];
        for (i, (folded, old)) in order.iter().enumerate() {
            number[*old as usize] = out.texts.intern(found.get(*old));
            let f = out.folds.intern(folded);
            out.fold_of.push(f);
            if letters::plain(found.get(*old)) != *folded {
                out.odd.push(i as Name);
            }
            if f as usize == out.starts.len() {
                out.starts.push(i as u32);
            }
        }
        out.starts.push(order.len() as u32);
        out.texts.finish();
        out.folds.finish();
        (out, number)
    }
    pub fn len(&self) -> u32 {
        self.texts.len() as u32
    }
    pub fn is_empty(&self) -> bool {
        self.len() <= 1
    }
    /// As stored.
    pub fn text(&self, n: Name) -> &str {
        self.texts.get(n)
    }
    /// Folded (see [`letters::name`]).
    pub fn folded(&self, n: Name) -> &str {
        self.folds.get(self.fold_of(n))
    }
    /// Equal for names that fold to the same.
    pub fn fold_of(&self, n: Name) -> u32 {
        self.fold_of.get(n as usize).copied().unwrap_or(0)
    }
    /// Names whose folded form starts with `folded`: `start..end`.
    pub fn starting(&self, folded: &str) -> (Name, Name) {
        let count = self.starts.len().saturating_sub(1) as u32;
        let first = |from: u32, ahead: &dyn Fn(&str) -> bool| {
            let (mut a, mut b) = (from, count);
            while a < b {
                let m = a + (b - a) / 2;
                if ahead(self.folds.get(m)) {
                    a = m + 1;
                } else {
                    b = m;
                }
            }
            a
        };
        let a = first(0, &|f| f < folded);
        let b = first(a, &|f| f.starts_with(folded));
        let at = |i: u32| self.starts.get(i as usize).copied().unwrap_or(0);
        (at(a), at(b))
    }
    /// Names whose folded form satisfies `test`, as ranges in order.
    pub fn matching(&self, test: &dyn Fn(&str) -> bool) -> Vec<(Name, Name)> {
        let mut out: Vec<(Name, Name)> = vec![];
        for f in 0..self.starts.len().saturating_sub(1) {
            if test(self.folds.get(f as u32)) {
                let (a, b) = (self.starts[f], self.starts[f + 1]);
                match out.last_mut() {
                    Some(l) if l.1 == a => l.1 = b,
                    _ => out.push((a, b)),
                }
            }
        }
        out
    }
    /// Names of `start..end` whose folded form is more than case and accents.
    pub fn odd(&self, start: Name, end: Name) -> &[Name] {
        let a = self.odd.partition_point(|n| *n < start);
        let b = self.odd.partition_point(|n| *n < end);
        self.odd.get(a..b).unwrap_or(&[])
    }
    pub fn memory(&self) -> usize {
        self.texts.memory()
            + self.folds.memory()
            + (self.fold_of.capacity() + self.starts.capacity() + self.odd.capacity()) * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_prefix_is_a_range() {
        let mut s = Strings::default();
        for n in [
            "MARTIN",
            "martin",
            "Évry",
            "MARÉCHAL",
            "Zoé",
            "EVRARD",
            "martinez",
        ] {
            s.intern(n);
        }
        let (n, number) = Names::sorted(&s);
        assert_eq!(n.text(number[1]), "MARTIN");
        let of = |p: &str| {
            let (a, b) = n.starting(p);
            (a..b).map(|i| n.text(i)).collect::<Vec<_>>()
        };
        assert_eq!(of("mar"), ["MARÉCHAL", "MARTIN", "martin", "martinez"]);
        assert_eq!(of("ev"), ["EVRARD", "Évry"]);
        assert_eq!(of("x"), Vec::<&str>::new());
        assert_eq!(of("").len(), 8, "the empty name too");
        assert_eq!(n.fold_of(number[1]), n.fold_of(number[2]));
        assert_eq!(n.matching(&|f| f.contains("rt")).len(), 1);
    }
}
