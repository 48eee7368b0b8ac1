//! The people a file may speak of, as keyed hashes of what identifies them: built once, shared by all threads, read only.
//!
//! A person has a subject (`authority|id`), names, birth dates, numbers, telephones and addresses. Look-ups compare 64-bit
//! hashes; two different values of ten million agree with a chance below 10⁻⁵. About 150 bytes a person.
use crate::runs::{Openings, letter, load, opening};
use rustc_hash::FxHashSet;

/// Number of a person in the roster, in order of adding.
pub type Person = u32;

/// What is known about one person. All text as the identity base has it; folding happens here.
#[derive(Debug, Default, Clone)]
pub struct Known<'a> {
    /// `authority|id`, as the inventory writes it.
    pub subject: String,
    /// One of the hospital's own people.
    pub staff: bool,
    /// Family name and given names, one pair per name the base holds (birth, used, earlier).
    pub names: Vec<(&'a str, Vec<&'a str>)>,
    /// `YYYYMMDD`.
    pub births: Vec<u32>,
    /// NIR stems ([`crate::detect::nir_of`]).
    pub nirs: Vec<u64>,
    /// Local and regional numbers, RPPS, staff numbers.
    pub ids: Vec<&'a str>,
    /// Nine national digits.
    pub phones: Vec<u64>,
    pub emails: Vec<&'a str>,
}

/// Keys with the persons they belong to. Keys lie in order, each as near as can be behind the place that its size tells, with
/// one place in four empty: a look ends at the first larger key or empty place, in the same line of memory as a rule.
#[derive(Debug, Default)]
struct Index {
    slots: Vec<Slot>,
    places: u64,
    /// Persons of keys that have several: how many, then these.
    many: Vec<u32>,
    /// Two bits per key, in one place: most keys asked for are not there.
    bloom: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Higher and lower half of the key.
    key: [u32; 2],
    person: u32,
}

/// A slot nobody is in.
const EMPTY: u32 = u32::MAX;
/// With this bit a slot tells the place in `many`.
const SEVERAL: u32 = 1 << 31;

impl Index {
    fn build(mut rows: Vec<(u64, u32)>) -> Index {
        rows.sort_unstable();
        rows.dedup();
        let keys = rows.chunk_by(|a, b| a.0 == b.0).count();
        if keys == 0 {
            return Index::default();
        }
        let mut index = Index {
            slots: Vec::with_capacity(keys + keys / 3 + 16),
            places: (keys + keys / 3 + 1) as u64,
            many: vec![],
            bloom: vec![0; (keys * 12 / 64 + 1).next_power_of_two()],
        };
        let empty = Slot {
            key: [0; 2],
            person: EMPTY,
        };
        for same in rows.chunk_by(|a, b| a.0 == b.0) {
            let key = same[0].0;
            let (w, b) = Index::bits(key, index.bloom.len());
            index.bloom[w] |= b;
            let person = match same {
                [(_, p)] => *p,
                _ => {
                    let at = index.many.len() as u32;
                    index.many.push(same.len() as u32);
                    index.many.extend(same.iter().map(|r| r.1));
                    at | SEVERAL
                }
            };
            let place = index.place(key);
            while index.slots.len() < place {
                index.slots.push(empty);
            }
            index.slots.push(Slot {
                key: [(key >> 32) as u32, key as u32],
                person,
            });
        }
        index.slots.push(empty);
        index
    }
    #[inline]
    fn place(&self, key: u64) -> usize {
        ((u128::from(key) * u128::from(self.places)) >> 64) as usize
    }
    #[inline]
    fn bits(key: u64, words: usize) -> (usize, u64) {
        let w = (key >> 12) as usize & (words - 1);
        (w, 1 << (key & 63) | 1 << (key >> 6 & 63))
    }
    /// Persons with this key, ascending.
    #[inline]
    fn get(&self, key: u64) -> &[u32] {
        if self.may_have(key) {
            self.found(key)
        } else {
            &[]
        }
    }
    /// False when nobody has this key; true may be by chance.
    #[inline]
    fn may_have(&self, key: u64) -> bool {
        if self.bloom.is_empty() {
            return false;
        }
        let (w, b) = Index::bits(key, self.bloom.len());
        self.bloom[w] & b == b
    }
    /// Keeps those of these that somebody has. One look waits for memory, many looks that do not wait for each other wait once.
    fn retain<T>(&self, asked: &mut Vec<T>, key: impl Fn(&T) -> u64) {
        asked.retain(|a| self.may_have(key(a)));
        let near = |a: &T| {
            let slot = self.slots.get(self.place(key(a)));
            slot.map_or(0, |s| s.key[0])
        };
        std::hint::black_box(asked.iter().map(near).fold(0, |x, n| x ^ n));
        asked.retain(|a| !self.found(key(a)).is_empty());
    }
    fn found(&self, key: u64) -> &[u32] {
        let wanted = [(key >> 32) as u32, key as u32];
        for s in &self.slots[self.place(key).min(self.slots.len())..] {
            if s.person == EMPTY || s.key > wanted {
                return &[];
            }
            if s.key == wanted {
                if s.person & SEVERAL == 0 {
                    return std::slice::from_ref(&s.person);
                }
                let at = (s.person & !SEVERAL) as usize;
                let n = self.many[at] as usize;
                return &self.many[at + 1..at + 1 + n];
            }
        }
        &[]
    }
    fn memory(&self) -> usize {
        self.slots.len() * 12 + self.many.len() * 4 + self.bloom.len() * 8
    }
}

/// Mixing hash of a short text under a kind.
#[inline]
pub fn key(kind: u8, text: &[u8]) -> u64 {
    key_at(kind, text, 0, text.len())
}

/// As [`key`], of `text[from..to]`.
#[inline]
pub fn key_at(kind: u8, text: &[u8], from: usize, to: usize) -> u64 {
    let len = to - from;
    let start = 0x9e37_79b9_7f4a_7c15u64 ^ (u64::from(kind) << 56) ^ len as u64;
    if len <= 16
        && let Some(b) = text.get(from..).and_then(|t| t.first_chunk::<16>())
    {
        let (b, keep) = (u128::from_le_bytes(*b), LOWEST[len]);
        return crossed(step(start, b as u64 & keep[0], (b >> 64) as u64 & keep[1]));
    }
    let mut h = start;
    let mut i = from;
    loop {
        let keep = LOWEST[(to - i).min(16)];
        h = step(h, load(text, i) & keep[0], load(text, i + 8) & keep[1]);
        i += 16;
        if i >= to {
            return crossed(h);
        }
    }
}

/// Masks of the first bytes of sixteen, by their number.
static LOWEST: [[u64; 2]; 17] = {
    let mut t = [[0; 2]; 17];
    let mut n = 1;
    while n <= 16 {
        let m = u128::MAX >> (128 - 8 * n);
        t[n] = [m as u64, (m >> 64) as u64];
        n += 1;
    }
    t
};

/// Takes sixteen bytes into a hash.
#[inline]
fn step(h: u64, a: u64, b: u64) -> u64 {
    folded(a ^ h, b ^ 0xa076_1d64_78bd_642f)
}
#[inline]
fn crossed(h: u64) -> u64 {
    folded(h ^ 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3)
}
/// Both halves of the product, one over the other.
#[inline]
fn folded(a: u64, b: u64) -> u64 {
    let m = u128::from(a) * u128::from(b);
    m as u64 ^ (m >> 64) as u64
}

#[inline]
fn mix(mut x: u64) -> u64 {
    x ^= x >> 32;
    x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^ (x >> 32)
}

/// Words of the table of [`head`]s.
const HEADS: usize = 3200 / 64;

const ID: u8 = 1;
const NIR: u8 = 2;
const PHONE: u8 = 3;
const EMAIL: u8 = 4;
const BORN: u8 = 5;
const NAMED: u8 = 6;
/// Hash of one word of a name.
pub const WORD: u8 = 7;

/// The people, ready to be looked up.
#[derive(Debug, Default)]
pub struct Roster {
    subjects: Vec<Box<str>>,
    staff: Vec<bool>,
    ids: Index,
    nirs: Index,
    phones: Index,
    emails: Index,
    /// (birth, main word of a family name) → persons.
    born: Index,
    /// (main word of a family name, first given word) → persons.
    named: Index,
    /// Per person: names as word hashes ([`NameWords`]).
    words: Vec<u64>,
    words_at: Vec<u32>,
    births: Vec<u32>,
    births_at: Vec<u32>,
    givens: FxHashSet<u64>,
    /// One bit per word a family name is looked up by, and by chance some more.
    mains: Vec<u64>,
    /// The same by the [`opening`] of such a word.
    main_openings: Openings,
    /// One bit per [`shape`] of somebody's number without zeros in front.
    shapes: u64,
    /// One bit per length and first two digits of such a number, of those without letters.
    heads: Vec<u64>,
    /// Share of all numbers of a length (and alphabet) that are somebody's: how telling a bare number is.
    density: Vec<f64>,
    fingerprint: [u8; 32],
}

/// Collects people.
#[derive(Default)]
pub struct Builder {
    roster: Roster,
    ids: Vec<(u64, u32)>,
    nirs: Vec<(u64, u32)>,
    phones: Vec<(u64, u32)>,
    emails: Vec<(u64, u32)>,
    born: Vec<(u64, u32)>,
    named: Vec<(u64, u32)>,
    lengths: Vec<u64>,
    mains: FxHashSet<u64>,
    hash: Option<blake3::Hasher>,
}

/// Words of a folded name, letters only.
pub fn words(folded: &[u8]) -> impl Iterator<Item = &[u8]> {
    folded
        .split(|b| !b.is_ascii_lowercase())
        .filter(|w| !w.is_empty())
}

/// The word a family name is looked up by: the longest, the first of equals.
fn main_word(folded: &[u8]) -> Option<&[u8]> {
    let mut best: Option<&[u8]> = None;
    for w in words(folded) {
        if best.is_none_or(|b| w.len() > b.len()) {
            best = Some(w);
        }
    }
    best
}

fn born_key(birth: u32, word: u64) -> u64 {
    mix(word ^ (u64::from(BORN) << 56) ^ u64::from(birth) << 8)
}
/// Sixteen bits and more per word.
#[inline]
fn main_bit(word: u64, len: usize) -> (usize, u64) {
    ((word >> 6) as usize & (len - 1), 1 << (word & 63))
}
fn named_key(family: u64, given: u64) -> u64 {
    mix(family ^ given.rotate_left(23) ^ (u64::from(NAMED) << 56))
}

/// A number as it is compared: folded letters and digits only, zeros in front dropped.
#[inline]
fn significant(folded: &[u8]) -> &[u8] {
    let zeros = folded.iter().take_while(|b| **b == b'0').count();
    &folded[zeros.min(folded.len().saturating_sub(1))..]
}

/// Place of the length and the first two digits of a number without letters.
#[inline]
fn head(digits: &[u8]) -> usize {
    let two = digits
        .iter()
        .take(2)
        .fold(0, |n, b| n * 10 + usize::from(b.wrapping_sub(b'0') % 10));
    digits.len().min(31) * 100 + two
}

/// Place of a token's shape in the density table: length, and whether it has letters.
fn shape(token: &[u8]) -> usize {
    let letters = letter(token, 0, token.len());
    token.len().min(31) * 2 + usize::from(letters)
}

impl Builder {
    /// Adds a person; numbers are given in order of adding.
    pub fn add(&mut self, k: &Known<'_>) -> Person {
        let r = &mut self.roster;
        let p = r.subjects.len() as u32;
        r.subjects.push(k.subject.clone().into_boxed_str());
        r.staff.push(k.staff);
        let h = self.hash.get_or_insert_with(blake3::Hasher::new);
        h.update(k.subject.as_bytes());
        h.update(&[0, u8::from(k.staff)]);
        if self.lengths.is_empty() {
            self.lengths = vec![0; 64];
        }
        for id in &k.ids {
            let f: Vec<u8> = crate::text::folded(id.as_bytes())
                .into_iter()
                .filter(u8::is_ascii_alphanumeric)
                .collect();
            // One or two signs name nobody.
            if f.len() >= 3 {
                let n = significant(&f);
                self.ids.push((key(ID, n), p));
                r.shapes |= 1 << shape(n);
                if shape(n).is_multiple_of(2) {
                    r.heads.resize(HEADS, 0);
                    r.heads[head(n) / 64] |= 1 << (head(n) % 64);
                }
                self.lengths[shape(&f)] += 1;
                h.update(&f);
                h.update(&[1]);
            }
        }
        for n in &k.nirs {
            self.nirs.push((key(NIR, &n.to_le_bytes()), p));
            h.update(&n.to_le_bytes());
        }
        for n in &k.phones {
            self.phones.push((key(PHONE, &n.to_le_bytes()), p));
            h.update(&n.to_le_bytes());
        }
        for e in &k.emails {
            let f = crate::text::folded(e.trim().as_bytes());
            self.emails.push((key(EMAIL, &f), p));
            h.update(&f);
        }
        r.words_at.push(r.words.len() as u32);
        r.births_at.push(r.births.len() as u32);
        r.births.extend(&k.births);
        for b in &k.births {
            h.update(&b.to_le_bytes());
        }
        for (family, givens) in &k.names {
            let f = crate::text::folded(family.as_bytes());
            let Some(main) = main_word(&f) else { continue };
            let main_hash = key(WORD, main);
            self.mains.insert(main_hash);
            r.main_openings.put(opening(main, 0, main.len()));
            h.update(&f);
            for b in &k.births {
                self.born.push((born_key(*b, main_hash), p));
            }
            // Short particles (de, le, d') are left out where there is more.
            let family_words: Vec<u64> = words(&f)
                .filter(|w| w.len() >= 3 || *w == main)
                .map(|w| key(WORD, w))
                .collect();
            let mut given_words = vec![];
            for g in givens {
                let g = crate::text::folded(g.as_bytes());
                h.update(&g);
                h.update(&[2]);
                for (i, w) in words(&g).enumerate() {
                    let w = key(WORD, w);
                    given_words.push(w);
                    r.givens.insert(w);
                    if i == 0 {
                        self.named.push((named_key(main_hash, w), p));
                    }
                }
            }
            r.words
                .push(family_words.len() as u64 | (given_words.len() as u64) << 32);
            r.words.extend(family_words);
            r.words.extend(given_words);
        }
        p
    }
    pub fn finish(self) -> Roster {
        let mut r = self.roster;
        r.words_at.push(r.words.len() as u32);
        r.births_at.push(r.births.len() as u32);
        r.ids = Index::build(self.ids);
        r.nirs = Index::build(self.nirs);
        r.phones = Index::build(self.phones);
        r.emails = Index::build(self.emails);
        r.born = Index::build(self.born);
        r.named = Index::build(self.named);
        r.mains = vec![0; (self.mains.len() / 4 + 1).next_power_of_two()];
        let mut mains: Vec<u64> = self.mains.into_iter().collect();
        mains.sort_unstable();
        for m in mains {
            let (w, b) = main_bit(m, r.mains.len());
            r.mains[w] |= b;
        }
        r.density = (0..64)
            .map(|s| {
                let n = self.lengths.get(s).copied().unwrap_or(0) as f64;
                let (len, letters) = (s as i32 / 2, s % 2 == 1);
                // With letters most places still are digits; one letter is the usual form.
                let all = if letters {
                    26.0 * 10f64.powi(len - 1)
                } else {
                    9.0 * 10f64.powi(len - 1)
                };
                n / all
            })
            .collect();
        r.fingerprint = self.hash.map_or([0; 32], |h| *h.finalize().as_bytes());
        r
    }
}

impl Roster {
    pub fn builder() -> Builder {
        Builder::default()
    }
    pub fn len(&self) -> usize {
        self.subjects.len()
    }
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }
    /// Equal for equal people in equal order: a result made with another roster is not taken over.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }
    pub fn subject(&self, p: Person) -> &str {
        &self.subjects[p as usize]
    }
    pub fn is_staff(&self, p: Person) -> bool {
        self.staff[p as usize]
    }
    /// Bytes held, roughly.
    pub fn memory(&self) -> usize {
        [
            &self.ids,
            &self.nirs,
            &self.phones,
            &self.emails,
            &self.born,
            &self.named,
        ]
        .iter()
        .map(|i| i.memory())
        .sum::<usize>()
            + size_of::<[u64; 1 << 14]>()
            + (self.words.len() + self.mains.len()) * 8
            + (self.words_at.len() + self.births.len() + self.births_at.len()) * 4
            + self.subjects.iter().map(|s| s.len() + 16).sum::<usize>()
    }
    pub fn by_nir(&self, stem: u64) -> &[Person] {
        self.nirs.get(key(NIR, &stem.to_le_bytes()))
    }
    pub fn by_phone(&self, n: u64) -> &[Person] {
        self.phones.get(key(PHONE, &n.to_le_bytes()))
    }
    pub fn by_email(&self, folded: &[u8]) -> &[Person] {
        self.emails.get(key(EMAIL, folded))
    }
    /// Persons with this number; `folded` letters and digits only.
    pub fn by_id(&self, folded: &[u8]) -> &[Person] {
        self.id_key(folded).map_or(&[], |key| self.ids.get(key))
    }
    /// What a number is looked up by; `None` when it is nobody's by its shape.
    #[inline]
    pub(crate) fn id_key(&self, folded: &[u8]) -> Option<u64> {
        let n = significant(folded);
        let shape = shape(n);
        // Most numbers of a text are of a length, or begin with digits, that nobody's number has.
        if self.shapes >> shape & 1 == 0 {
            return None;
        }
        if shape.is_multiple_of(2) && self.heads[head(n) / 64] >> (head(n) % 64) & 1 == 0 {
            return None;
        }
        Some(key(ID, n))
    }
    /// Keeps those of these numbers that are somebody's.
    pub(crate) fn of_somebody<T>(&self, asked: &mut Vec<T>, key: impl Fn(&T) -> u64) {
        self.ids.retain(asked, key);
    }
    /// Brings near what [`Roster::born`] will be asked of, and the names of who is found.
    pub(crate) fn fetch_born(&self, asked: &mut Vec<(u32, u64)>) {
        let key = |(day, word): &(u32, u64)| born_key(*day, *word);
        self.born.retain(asked, key);
        let first = |a: &(u32, u64)| self.born.found(key(a)).first().copied();
        let at = |a: &(u32, u64)| first(a).map_or(0, |p| self.words_at[p as usize] as usize);
        let names = asked
            .iter()
            .map(|a| self.words.get(at(a)).copied().unwrap_or(0));
        std::hint::black_box(names.fold(0, |x, n| x ^ n));
    }
    /// False when no family name is looked up by this word; true may be by chance.
    #[inline]
    pub fn is_main(&self, word: u64) -> bool {
        let (w, b) = main_bit(word, self.mains.len().max(1));
        self.mains.get(w).is_some_and(|x| x & b != 0)
    }
    /// As [`Roster::is_main`], by the [`opening`] of the word.
    pub(crate) fn mains(&self) -> &Openings {
        &self.main_openings
    }
    /// Chance that a number of this shape taken at random is somebody's.
    pub fn density(&self, folded: &[u8]) -> f64 {
        self.density.get(shape(folded)).copied().unwrap_or(1.0)
    }
    /// Persons born that day with a family name whose main word this is.
    pub fn born(&self, birth: u32, word: u64) -> &[Person] {
        self.born.get(born_key(birth, word))
    }
    /// Persons with this main word of a family name and this first word of a given name.
    pub fn named(&self, family: u64, given: u64) -> &[Person] {
        self.named.get(named_key(family, given))
    }
    /// True when somebody's given name has this word.
    pub fn is_given(&self, word: u64) -> bool {
        self.givens.contains(&word)
    }
    pub fn births(&self, p: Person) -> &[u32] {
        let (a, z) = (self.births_at[p as usize], self.births_at[p as usize + 1]);
        &self.births[a as usize..z as usize]
    }
    /// Names of a person as (words of the family name, words of the given names).
    pub fn names(&self, p: Person) -> impl Iterator<Item = (&[u64], &[u64])> {
        let mut rest =
            &self.words[self.words_at[p as usize] as usize..self.words_at[p as usize + 1] as usize];
        std::iter::from_fn(move || {
            let (head, tail) = rest.split_first()?;
            let (f, g) = (*head as u32 as usize, (*head >> 32) as usize);
            let (family, tail) = tail.split_at(f);
            let (given, tail) = tail.split_at(g);
            rest = tail;
            Some((family, given))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    fn w(t: &str) -> u64 {
        key(WORD, t.as_bytes())
    }
    #[test]
    fn people_are_found_by_each_thing_known_about_them() {
        let mut b = Roster::builder();
        let p = b.add(&Known {
            subject: "urn:oid:1.2|7".into(),
            names: vec![("DE LA TOUR-D’ÉTÉ", vec!["Anne-Marie", "Zoé"])],
            births: vec![19_800_102],
            nirs: vec![2_800_159_123_456],
            ids: vec!["000123456", "AB 12-34"],
            phones: vec![639_981_311],
            emails: vec!["A@Mail.example"],
            ..Known::default()
        });
        b.add(&Known {
            subject: "urn:oid:1.2|8".into(),
            ..Known::default()
        });
        let r = b.finish();
        assert_eq!((p, r.len()), (0, 2));
        assert_eq!(r.by_id(b"123456"), [0]);
        assert_eq!(r.by_id(b"ab1234"), [0]);
        assert_eq!(r.by_nir(2_800_159_123_456), [0]);
        assert_eq!(r.by_phone(639_981_311), [0]);
        assert_eq!(r.by_email(b"a@mail.example"), [0]);
        assert_eq!(r.born(19_800_102, w("tour")), [0]);
        assert!(r.born(19_800_103, w("tour")).is_empty());
        assert_eq!(r.named(w("tour"), w("anne")), [0]);
        assert_eq!(r.named(w("tour"), w("zoe")), [0]);
        let (family, given) = r.names(0).next().unwrap();
        assert_eq!(family, [w("tour"), w("ete")]);
        assert_eq!(given, [w("anne"), w("marie"), w("zoe")]);
        assert!(r.names(1).next().is_none());
        assert!(r.is_main(w("tour")));
    }
    /// The hash byte by byte.
    fn slow_key(kind: u8, text: &[u8]) -> u64 {
        let mut h = 0x9e37_79b9_7f4a_7c15u64 ^ (u64::from(kind) << 56) ^ text.len() as u64;
        let number = |c: &[u8]| c.iter().rev().fold(0, |v, b| v << 8 | u64::from(*b));
        let mut rest = text.to_vec();
        rest.resize(text.len().div_ceil(16).max(1) * 16, 0);
        for c in rest.chunks(16) {
            h = step(h, number(&c[..8]), number(&c[8..]));
        }
        crossed(h)
    }
    proptest! {
        #[test]
        fn the_index_answers_as_a_map_does(rows in proptest::collection::vec((0u64..50, 0u32..20), 0..200), close in any::<bool>(), high in any::<bool>()) {
            // Hashes as they are spread; and keys side by side at either end, which none are.
            let hash = |k: u64| match (close, high) {
                (false, _) => mix(k),
                (_, false) => k,
                _ => u64::MAX - k,
            };
            let rows: Vec<(u64, u32)> = rows.into_iter().map(|(k, p)| (hash(k), p)).collect();
            let index = Index::build(rows.clone());
            for ask in 0..60 {
                let mut want: Vec<u32> = rows.iter().filter(|r| r.0 == hash(ask)).map(|r| r.1).collect();
                want.sort_unstable();
                want.dedup();
                prop_assert_eq!(index.get(hash(ask)), want);
            }
        }
        #[test]
        fn a_part_has_the_hash_of_its_bytes(text in proptest::collection::vec(any::<u8>(), 0..40), a in 0usize..40, z in 0usize..40) {
            let z = z.min(text.len());
            let a = a.min(z);
            prop_assert_eq!(key_at(WORD, &text, a, z), slow_key(WORD, &text[a..z]));
        }
        /// Tables of shapes, first digits and main words never hide anybody.
        #[test]
        fn nobody_is_hidden(people in proptest::collection::vec(("[0-9a-c]{3,12}", "[a-z]{1,12}( [a-z]{1,12})?"), 1..30)) {
            let mut b = Roster::builder();
            for (id, family) in &people {
                b.add(&Known {
                    names: vec![(family, vec!["x"])],
                    births: vec![19_800_102],
                    ids: vec![id],
                    ..Known::default()
                });
            }
            let r = b.finish();
            for (p, (id, family)) in people.iter().enumerate() {
                prop_assert!(r.by_id(id.as_bytes()).contains(&(p as u32)));
                let zeros = format!("00{id}");
                prop_assert!(r.by_id(zeros.as_bytes()).contains(&(p as u32)));
                let word = main_word(family.as_bytes()).unwrap();
                let main = key(WORD, word);
                prop_assert!(r.mains().holds(opening(word, 0, word.len())));
                prop_assert!(r.is_main(main) && r.born(19_800_102, main).contains(&(p as u32)));
            }
        }
    }
}
