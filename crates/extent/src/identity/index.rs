//! Sorted columns over the records of a base: what makes a search a few looks. An entry stands for every version of a record
//! that has the key, so unchanged fields cost nothing in later snapshots.
use super::{IdentityBase, PartDate, RecordId, names::Name};
use crate::strings::Sym;
use std::ops::Range;

/// Rows of 4 bytes under dense keys.
#[derive(Debug, Default)]
pub(crate) struct Csr<T> {
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T: Copy> Csr<T> {
    /// From pairs sorted by key.
    pub(super) fn from_sorted(
        keys: usize,
        pairs: impl ExactSizeIterator<Item = (u32, T)>,
    ) -> Csr<T> {
        let mut starts = Vec::with_capacity(keys + 1);
        let mut items = Vec::with_capacity(pairs.len());
        for (k, item) in pairs {
            while starts.len() <= k as usize {
                starts.push(items.len() as u32);
            }
            items.push(item);
        }
        starts.resize(keys + 1, items.len() as u32);
        Csr { starts, items }
    }
    fn start(&self, k: u32) -> usize {
        self.starts
            .get(k as usize)
            .map_or(self.items.len(), |s| *s as usize)
    }
    pub(crate) fn row(&self, k: u32) -> &[T] {
        self.rows(k, k.saturating_add(1))
    }
    /// Rows of the keys `from..to`.
    pub(crate) fn rows(&self, from: u32, to: u32) -> &[T] {
        let (a, b) = (self.start(from), self.start(to));
        self.items.get(a..b).unwrap_or(&[])
    }
    pub(crate) fn keys(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }
    pub(super) fn memory(&self) -> usize {
        self.starts.capacity() * 4 + self.items.capacity() * size_of::<T>()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Family name → (birth date, record), sorted: a prefix and a year is a piece of each name of a range.
    pub family: Csr<(PartDate, RecordId)>,
    /// Given name → record, sorted.
    pub given: Csr<RecordId>,
    /// Distinct birth dates, sorted.
    pub dates: Vec<PartDate>,
    /// Number of a date → record, sorted.
    pub birth: Csr<RecordId>,
    /// (value, record), sorted.
    pub id: Vec<(Sym, RecordId)>,
    pub telecom: Vec<(Sym, RecordId)>,
}

fn sorted<T: Ord>(mut v: Vec<T>) -> Vec<T> {
    v.sort_unstable();
    v.dedup();
    v
}

impl Index {
    pub(super) fn build(b: &IdentityBase) -> Index {
        let (family, given) = (Index::family_of(b), Index::given_of(b));
        let (dates, birth) = Index::birth_of(b);
        Index {
            family,
            given,
            dates,
            birth,
            id: Index::id_of(b),
            telecom: Index::telecom_of(b),
        }
    }
    /// The same, columns side by side.
    pub(super) fn build_on_threads(b: &IdentityBase) -> Index {
        std::thread::scope(|scope| {
            let values = scope.spawn(|| (Index::id_of(b), Index::telecom_of(b)));
            let (family, given) = (Index::family_of(b), Index::given_of(b));
            let (dates, birth) = Index::birth_of(b);
            let (id, telecom) = match values.join() {
                Ok(v) => v,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            Index {
                family,
                given,
                dates,
                birth,
                id,
                telecom,
            }
        })
    }
    fn family_of(b: &IdentityBase) -> Csr<(PartDate, RecordId)> {
        let mut v: Vec<(Name, PartDate, RecordId)> = Vec::with_capacity(b.versions.len());
        for row in &b.versions {
            for n in b.rows.names.get(row.names) {
                v.push((n.family, row.birth, row.record));
            }
        }
        let v = sorted(v);
        Csr::from_sorted(b.names.len() as usize, v.iter().map(|x| (x.0, (x.1, x.2))))
    }
    fn given_of(b: &IdentityBase) -> Csr<RecordId> {
        let mut v: Vec<(Name, RecordId)> = Vec::with_capacity(b.versions.len());
        for row in &b.versions {
            for n in b.rows.names.get(row.names) {
                for g in b.rows.givens.get(n.givens) {
                    v.push((g.given, row.record));
                }
            }
        }
        let v = sorted(v);
        Csr::from_sorted(b.names.len() as usize, v.iter().copied())
    }
    fn birth_of(b: &IdentityBase) -> (Vec<PartDate>, Csr<RecordId>) {
        let v = sorted(b.versions.iter().map(|v| (v.birth, v.record)).collect());
        let mut dates: Vec<PartDate> = vec![];
        let mut keyed = Vec::with_capacity(v.len());
        for (d, r) in v {
            if dates.last() != Some(&d) {
                dates.push(d);
            }
            keyed.push((dates.len() as u32 - 1, r));
        }
        let birth = Csr::from_sorted(dates.len(), keyed.iter().copied());
        (dates, birth)
    }
    fn id_of(b: &IdentityBase) -> Vec<(Sym, RecordId)> {
        let mut v = Vec::with_capacity(b.versions.len() * 2);
        for row in &b.versions {
            v.extend(
                b.rows
                    .ids
                    .get(row.ids)
                    .iter()
                    .map(|i| (i.value, row.record)),
            );
        }
        let mut v = sorted(v);
        v.shrink_to_fit();
        v
    }
    fn telecom_of(b: &IdentityBase) -> Vec<(Sym, RecordId)> {
        let mut v = Vec::with_capacity(b.versions.len());
        for row in &b.versions {
            v.extend(
                b.rows
                    .telecoms
                    .get(row.telecoms)
                    .iter()
                    .map(|t| (t.value, row.record)),
            );
        }
        let mut v = sorted(v);
        v.shrink_to_fit();
        v
    }
    /// Birth dates `low..=high` (`YYYYMMDD` numbers, partial dates as they are numbered) as numbers of dates.
    pub(crate) fn dates_between(&self, low: u32, high: u32) -> Range<u32> {
        let a = self.dates.partition_point(|d| d.0 < low);
        let b = self.dates.partition_point(|d| d.0 <= high);
        a as u32..b.max(a) as u32
    }
    /// Contact values equal to `value` but for case, each once.
    pub(crate) fn telecom_like(&self, b: &IdentityBase, value: &str) -> Vec<Sym> {
        like(&self.telecom, b, value)
    }
    /// The same of identifiers.
    pub(crate) fn id_like(&self, b: &IdentityBase, value: &str) -> Vec<Sym> {
        like(&self.id, b, value)
    }
    pub(super) fn memory(&self) -> usize {
        self.family.memory()
            + self.given.memory()
            + self.birth.memory()
            + self.dates.capacity() * 4
            + (self.id.capacity() + self.telecom.capacity()) * 8
    }
}

/// Texts of a column that differ from `value` in case at most.
fn like(column: &[(Sym, RecordId)], b: &IdentityBase, value: &str) -> Vec<Sym> {
    let mut out: Vec<Sym> = column
        .iter()
        .map(|x| x.0)
        .filter(|s| b.text(*s).eq_ignore_ascii_case(value))
        .collect();
    out.dedup();
    out
}

/// Entries of a sorted column with this key.
pub(crate) fn entries(column: &[(Sym, RecordId)], key: Sym) -> &[(Sym, RecordId)] {
    let a = column.partition_point(|x| x.0 < key);
    let n = column[a..].partition_point(|x| x.0 == key);
    &column[a..a + n]
}
