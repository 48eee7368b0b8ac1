//! Rows into Parquet (Apache Parquet Format 2.12): column chunks are encoded here, page headers, indexes and the footer are the
//! library's.
//!
//! The library's writer serves any schema: it makes a level of every value of every column, looks each value up for its
//! dictionary and again for its filter. Most of our columns are empty or repeat themselves, and a value is worth sealing or
//! filtering once. The encodings are the plainest there are: data pages of version 1, dictionaries (`RLE_DICTIONARY`), `PLAIN`
//! where values do not come back, `DELTA_BINARY_PACKED` for running numbers; a test holds them to the library's writer.
use crate::{
    keys::ColumnCipher,
    raw::leb128,
    siv::{self, TAG},
};
use arrow_schema::Schema;
use parquet::{
    arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata},
    basic::{BoundaryOrder, Compression, Encoding, PageType, Type, ZstdLevel},
    bloom_filter::Sbbf,
    column::{
        page::{CompressedPage, Page, PageWriter},
        writer::ColumnCloseResult,
    },
    errors::{ParquetError, Result},
    file::{
        metadata::{
            ColumnChunkMetaData, ColumnIndexBuilder, KeyValue, OffsetIndexBuilder,
            PageEncodingStats,
        },
        properties::WriterProperties,
        statistics::{Statistics, ValueStatistics},
        writer::{SerializedFileWriter, SerializedPageWriter, TrackedWrite},
    },
    schema::types::ColumnDescPtr,
};
use rustc_hash::FxHasher;
use std::{hash::Hasher, io::Write, ops::Range, sync::Arc};

/// Rows of a row group at most.
pub const ROW_GROUP: usize = 65_536;
/// Rows of a page at most, unless nothing stands in any of them.
const PAGE_ROWS: usize = 8192;
/// A page ends with the row that makes it this large, or gives it this many values.
const PAGE_BYTES: usize = 1 << 20;
const PAGE_VALUES: usize = 16 * PAGE_ROWS;
/// A dictionary that would be larger is given up; the pages made until then keep it.
const DICTIONARY_BYTES: usize = 256 << 10;
/// So many values decide whether a dictionary is worth its while: below half of them distinct.
const TRIAL: usize = 4096;
const FALSE_POSITIVES: f64 = 0.01;
const ZSTD: i32 = 1;

/// How the values of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Bytes, by dictionary as long as they come back.
    Bytes,
    /// Numbers that come back.
    Kinds,
    /// Numbers that do not.
    Numbers,
    /// Running numbers: their differences are small.
    Running,
    /// Bytes that are codes.
    Codes,
    /// True, or absent.
    Flags,
}

/// What is asked of a column beside its values.
#[derive(Clone)]
pub(crate) struct Wish {
    pub shape: Shape,
    pub packed: bool,
    /// Over what is stored; not for sealed values.
    pub filter: bool,
    /// Values are stored sealed.
    pub cipher: Option<Arc<ColumnCipher>>,
    /// Least and greatest of each page and of the whole.
    pub range: bool,
}

/// So many values are sealed at a time.
const SEALED: usize = 8;

/// A file of rows, written row group by row group.
pub(crate) struct RowFile<W: Write + Send> {
    file: SerializedFileWriter<W>,
    chunks: Vec<Chunk>,
    rows: usize,
    zstd: zstd::bulk::Compressor<'static>,
    /// Memory of the last chunk's bytes.
    memory: Vec<u8>,
}

impl<W: Write + Send> RowFile<W> {
    /// `wishes` are those of the leaves of `schema`, in order.
    pub fn create(to: W, schema: &Schema, wishes: &[Wish], about: KeyValue) -> Result<RowFile<W>> {
        let mut properties = WriterProperties::builder()
            .set_created_by("ampleur".to_string())
            .set_key_value_metadata(Some(vec![about]))
            .build();
        add_encoded_arrow_schema_to_metadata(schema, &mut properties);
        let descr = ArrowSchemaConverter::new().convert(schema)?;
        let leaves = descr.columns();
        if leaves.len() != wishes.len() {
            let text = format!("{} wishes for {} leaves", wishes.len(), leaves.len());
            return Err(ParquetError::General(text));
        }
        let chunks = leaves.iter().zip(wishes);
        let chunks = chunks
            .map(|(d, w)| Chunk::new(d.clone(), w.clone()))
            .collect();
        Ok(RowFile {
            file: SerializedFileWriter::new(to, descr.root_schema_ptr(), Arc::new(properties))?,
            chunks,
            rows: 0,
            zstd: zstd::bulk::Compressor::new(ZSTD)?,
            memory: vec![],
        })
    }
    /// Rows this row group still takes; never 0.
    pub fn room(&self) -> usize {
        ROW_GROUP - self.rows
    }
    /// One leaf, to be given as many rows as every other before [`RowFile::wrote`].
    pub fn leaf(&mut self, at: usize) -> &mut Chunk {
        &mut self.chunks[at]
    }
    /// Every leaf was given `rows` more rows, at most [`RowFile::room`].
    pub fn wrote(&mut self, rows: usize) -> Result<()> {
        self.rows += rows;
        if self.rows >= ROW_GROUP {
            self.end_group()?;
        }
        Ok(())
    }
    fn end_group(&mut self) -> Result<()> {
        let mut group = self.file.next_row_group()?;
        for chunk in &mut self.chunks {
            let memory = std::mem::take(&mut self.memory);
            let (bytes, close) = chunk.close(self.rows, &mut self.zstd, memory)?;
            group.append_column(&bytes, close)?;
            self.memory = bytes.into();
            self.memory.clear();
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
    pub fn finish(mut self) -> Result<W> {
        if self.rows > 0 {
            self.end_group()?;
        }
        self.file.into_inner()
    }
}

/// Values of a column in the order they first came, with their numbers.
#[derive(Default)]
struct Dictionary {
    table: Table,
    known: Vec<Known>,
    /// The inner parts of those longer than 16 bytes, one behind the other.
    inner: Vec<u8>,
    /// As the dictionary page has them.
    stored: Vec<u8>,
    /// Where each begins in `stored`.
    begins: Vec<usize>,
    /// Places in `stored` that are to be sealed.
    clear: Vec<Range<usize>>,
    last: usize,
}

/// Numbers by hash, open addressing: as many places as a power of two says, at most half of them taken.
#[derive(Default)]
struct Table {
    /// A number and one more, 0 where there is none; beside it the upper half of its hash.
    places: Vec<(u32, u32)>,
}

impl Table {
    /// The number of which `is` is true, or the place where it would stand.
    #[inline(always)]
    fn find(&self, hash: u64, is: impl Fn(usize) -> bool) -> Result<u32, usize> {
        let (mask, mark) = (self.places.len() - 1, (hash >> 32) as u32);
        let mut at = hash as usize & mask;
        loop {
            match self.places[at & mask] {
                (0, _) => return Err(at & mask),
                (n, m) if m == mark && is(n as usize - 1) => return Ok(n - 1),
                _ => at += 1,
            }
        }
    }
    /// Room for `n` numbers; `hash` gives that of each there is.
    #[inline(always)]
    fn reserve(&mut self, n: usize, hash: impl Fn(usize) -> u64) {
        if self.places.len() < 2 * n {
            self.grow(n, &hash);
        }
    }
    #[cold]
    fn grow(&mut self, n: usize, hash: &dyn Fn(usize) -> u64) {
        let size = (4 * n).next_power_of_two().max(64);
        let old = std::mem::replace(&mut self.places, vec![(0, 0); size]);
        for (n, mark) in old.into_iter().filter(|p| p.0 != 0) {
            if let Err(at) = self.find(hash(n as usize - 1), |_| false) {
                self.places[at] = (n, mark);
            }
        }
    }
}

/// What a value is known by: mostly all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    /// Its first and its last eight bytes, which may be the same in part; of shorter ones all of them, and nothing.
    first: u64,
    last: u64,
    len: u32,
    /// Where its inner part is kept.
    inner: u32,
}

/// Odd digits of the fractions of the square roots of 2 and 3.
const MIX: [u64; 2] = [0x6A09_E667_F3BC_C909, 0xBB67_AE85_84CA_A73B];

fn word(part: Option<&[u8; 8]>) -> u64 {
    part.map_or(0, |p| u64::from_le_bytes(*p))
}

impl Known {
    #[inline(always)]
    fn of(value: &[u8]) -> Known {
        let (first, last) = match value.len() {
            8.. => (word(value.first_chunk()), word(value.last_chunk())),
            4.. => {
                let half = |part: Option<&[u8; 4]>| part.map_or(0, |p| u32::from_le_bytes(*p));
                let (a, b) = (half(value.first_chunk()), half(value.last_chunk()));
                (u64::from(a) | u64::from(b) << 32, 0)
            }
            _ => (value.iter().fold(0, |n, b| n << 8 | u64::from(*b)), 0),
        };
        Known {
            first,
            last,
            len: value.len() as u32,
            inner: 0,
        }
    }
    #[inline(always)]
    fn inner(value: &[u8]) -> &[u8] {
        match value.len() {
            ..17 => &[],
            n => &value[8..n - 8],
        }
    }
    #[inline(always)]
    fn is(&self, other: &Known, value: &[u8], kept: &[u8]) -> bool {
        let alike = self.first == other.first && self.last == other.last && self.len == other.len;
        alike && (self.len <= 16 || self.kept(kept) == Self::inner(value))
    }
    fn kept<'k>(&self, kept: &'k [u8]) -> &'k [u8] {
        let n = (self.len as usize).saturating_sub(16);
        &kept[self.inner as usize..][..n]
    }
    #[inline(always)]
    fn hash(&self, inner: &[u8]) -> u64 {
        // Both words in one product, of which the upper half hangs on all the bits of the lower and the other way round.
        let folded = |a: u64, b: u64| {
            let product = u128::from(a) * u128::from(b);
            product as u64 ^ (product >> 64) as u64
        };
        let last = self.last ^ u64::from(self.len) << 56;
        let h = folded(self.first ^ MIX[0], last ^ MIX[1]);
        if inner.is_empty() {
            return h;
        }
        let mut inner_hash = FxHasher::default();
        inner_hash.write(inner);
        folded(h ^ MIX[1], inner_hash.finish() ^ MIX[0])
    }
}

impl Dictionary {
    fn len(&self) -> usize {
        self.known.len()
    }
    /// The number of a value; `store` appends it as it is stored, once.
    #[inline(always)]
    fn number(&mut self, value: &[u8], store: &mut dyn FnMut(&mut Vec<u8>)) -> u32 {
        let known = Known::of(value);
        if let Some(last) = self.known.get(self.last)
            && last.is(&known, value, &self.inner)
        {
            return self.last as u32;
        }
        let (all, kept) = (&self.known, &self.inner);
        self.table
            .reserve(all.len() + 1, |n| all[n].hash(all[n].kept(kept)));
        let hash = known.hash(Known::inner(value));
        let n = match self.table.find(hash, |n| all[n].is(&known, value, kept)) {
            Ok(n) => n,
            Err(place) => {
                let n = self.known.len() as u32;
                self.table.places[place] = (n + 1, (hash >> 32) as u32);
                self.add(known, value, store);
                n
            }
        };
        self.last = n as usize;
        n
    }
    fn add(&mut self, known: Known, value: &[u8], store: &mut dyn FnMut(&mut Vec<u8>)) {
        let inner = self.inner.len() as u32;
        self.known.push(Known { inner, ..known });
        self.inner.extend_from_slice(Known::inner(value));
        self.begins.push(self.stored.len());
        store(&mut self.stored);
    }
    /// Value `n` as it is stored.
    fn stored(&self, n: usize) -> &[u8] {
        let end = self.begins.get(n + 1).copied();
        &self.stored[self.begins[n]..end.unwrap_or(self.stored.len())]
    }
    fn clear(&mut self) {
        self.table.places.fill((0, 0));
        self.known.clear();
        self.inner.clear();
        self.stored.clear();
        self.begins.clear();
        self.clear.clear();
        self.last = 0;
    }
}

/// The number of a value in one filling of a dictionary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbered {
    filling: u64,
    number: u32,
}

/// A page that is encoded, and packed where its chunk is.
struct Done {
    body: Vec<u8>,
    clear: usize,
    levels: u32,
    rows: u32,
    nulls: u32,
    encoding: Encoding,
    range: Option<(i64, i64)>,
}

/// One leaf column of the row group being filled.
pub(crate) struct Chunk {
    descr: ColumnDescPtr,
    wish: Wish,
    /// Rows in which nothing stands, before the page that is open; 0 while one is.
    blank: usize,
    /// Of the open page. Rows of a list count its values, and one where it has none.
    rows: usize,
    levels: usize,
    /// A bit for each level, set where a value stands; not kept for columns that always have one.
    present: Vec<u8>,
    values: usize,
    /// Definition and repetition of a list's levels.
    nested: Option<(Vec<u32>, Vec<u32>)>,
    /// Numbers of the values in the dictionary, or codes.
    numbers: Vec<u32>,
    plain: Vec<u8>,
    /// Places in `plain` that are to be sealed.
    clear: Vec<Range<usize>>,
    running: Vec<i64>,
    range: Option<(i64, i64)>,
    /// Of the chunk.
    dictionary: Dictionary,
    /// How often the dictionary was emptied.
    filling: u64,
    /// The dictionary was given up.
    given_up: bool,
    greatest_code: u32,
    filter: Option<Sbbf>,
    asked: usize,
    pages: Vec<Done>,
}

impl Chunk {
    fn new(descr: ColumnDescPtr, wish: Wish) -> Chunk {
        let nested = (descr.max_rep_level() > 0).then(Default::default);
        Chunk {
            descr,
            wish,
            blank: 0,
            rows: 0,
            levels: 0,
            present: vec![],
            values: 0,
            nested,
            numbers: vec![],
            plain: vec![],
            clear: vec![],
            running: vec![],
            range: None,
            dictionary: Dictionary::default(),
            filling: 0,
            given_up: false,
            greatest_code: 0,
            filter: None,
            asked: 0,
            pages: vec![],
        }
    }
    /// So many rows in which nothing stands.
    pub fn absent(&mut self, mut rows: usize) {
        if self.rows == 0 {
            self.blank += rows;
            return;
        }
        while rows > 0 {
            let n = rows.min(PAGE_ROWS - self.rows);
            for _ in 0..n {
                self.level(false);
                self.end_row();
            }
            rows -= n;
            if self.rows == 0 {
                self.blank += rows;
                return;
            }
        }
    }
    /// A level of the open page; of a list, one with nothing in it.
    #[inline(always)]
    fn level(&mut self, some: bool) {
        if let Some((def, rep)) = &mut self.nested {
            def.push(0);
            rep.push(0);
        } else if self.descr.max_def_level() > 0 {
            let bit = self.levels % 8;
            if bit == 0 {
                self.present.push(u8::from(some));
            } else if let Some(last) = self.present.last_mut() {
                *last |= u8::from(some) << bit;
            }
        }
        self.levels += 1;
        self.values += usize::from(some);
    }
    #[inline(always)]
    fn end_row(&mut self) {
        self.rows += 1;
        let full = self.plain.len() >= PAGE_BYTES || self.levels >= PAGE_VALUES;
        if self.rows >= PAGE_ROWS || full {
            self.end_page();
        }
    }
    /// Before a row with something in it: rows without, if there are, get a page of their own.
    #[inline(always)]
    fn begin_row(&mut self) {
        if self.blank > 0 {
            self.end_blank();
        }
    }
    #[cold]
    fn end_blank(&mut self) {
        let (rows, levels) = (self.blank, self.blank);
        let mut body = vec![];
        let def = self.descr.max_def_level() > 0;
        if self.descr.max_rep_level() > 0 {
            sized(&mut body, |to| run(0, levels, 1, to));
        }
        if def {
            sized(&mut body, |to| run(0, levels, 1, to));
        }
        self.pages.push(Done {
            clear: body.len(),
            body,
            levels: levels as u32,
            rows: rows as u32,
            nulls: rows as u32,
            encoding: Encoding::PLAIN,
            range: None,
        });
        self.blank = 0;
    }
    /// A value of bytes, by its number or as it is; `store` appends it in the plain encoding.
    #[inline(always)]
    fn put(&mut self, value: &[u8], store: &mut dyn FnMut(&mut Vec<u8>)) {
        if self.given_up {
            let from = self.plain.len();
            store(&mut self.plain);
            if let Some(filter) = &mut self.filter {
                filter.insert(&self.plain[from + 4..]);
            }
            return;
        }
        let n = self.dictionary.number(value, store);
        self.numbered(n);
    }
    #[inline(always)]
    fn numbered(&mut self, n: u32) {
        self.numbers.push(n);
        self.asked += 1;
        if self.is_wasted(self.asked) {
            self.give_up();
        }
    }
    /// True of a dictionary that did not pay, after so many values.
    #[inline(always)]
    fn is_wasted(&self, asked: usize) -> bool {
        self.dictionary.stored.len() >= DICTIONARY_BYTES
            || (asked == TRIAL && self.dictionary.len() > TRIAL / 2)
    }
    /// Rows that all have a value and are not sealed, as many as the open page takes; how many.
    fn fill<'v>(
        &mut self,
        values: impl ExactSizeIterator<Item = &'v [u8]>,
        stored: impl Fn(&[u8], &mut Vec<u8>),
    ) -> usize {
        self.begin_row();
        let room = (PAGE_ROWS - self.rows).min(PAGE_VALUES - self.levels);
        let mut n = 0;
        self.numbers.reserve(room.min(values.len()));
        let mut values = values.take(room);
        while !self.given_up
            && let Some(v) = values.next()
        {
            n += 1;
            let number = self.dictionary.number(v, &mut |to| stored(v, to));
            self.numbers.push(number);
            self.asked += 1;
            if self.is_wasted(self.asked) {
                self.give_up();
            }
        }
        while self.plain.len() < PAGE_BYTES
            && let Some(v) = values.next()
        {
            n += 1;
            self.put(v, &mut |to| stored(v, to));
        }
        self.filled(n);
        self.rows += n - 1;
        self.end_row();
        n
    }
    /// A text by its number or as it is, under the chunk's cipher.
    #[inline(always)]
    fn put_sealed(&mut self, value: &[u8]) {
        let mut place = None;
        let mut store = |to: &mut Vec<u8>| {
            to.extend_from_slice(&((value.len() + TAG) as u32).to_le_bytes());
            place = Some(siv::lay(value, to));
        };
        if self.given_up {
            store(&mut self.plain);
            self.clear.extend(place);
        } else {
            let n = self.dictionary.number(value, &mut store);
            self.dictionary.clear.extend(place);
            self.numbered(n);
        }
        if self.clear.len() >= SEALED || self.dictionary.clear.len() >= SEALED {
            self.seal();
        }
    }
    /// Seals what lies in clear so far.
    fn seal(&mut self) {
        if let Some(cipher) = &self.wish.cipher {
            let d = &mut self.dictionary;
            cipher.seal_at(&mut d.stored, &d.clear);
            d.clear.clear();
            cipher.seal_at(&mut self.plain, &self.clear);
            self.clear.clear();
        }
    }
    /// Values no longer come back: what is in the open page is written out, and what is to come.
    #[cold]
    fn give_up(&mut self) {
        self.seal();
        self.given_up = true;
        let numbers = std::mem::take(&mut self.numbers);
        for n in &numbers {
            self.plain
                .extend_from_slice(self.dictionary.stored(*n as usize));
        }
        if self.wish.filter {
            self.filter = Sbbf::new_with_ndv_fpp(ROW_GROUP as u64, FALSE_POSITIVES).ok();
            if let Some(filter) = &mut self.filter {
                for n in 0..self.dictionary.len() {
                    filter.insert(&self.dictionary.stored(n)[4..]);
                }
            }
        }
        if self.pages.iter().all(|p| p.encoding == Encoding::PLAIN) {
            self.dictionary.clear();
        }
    }
    /// One row of bytes, stored as they are; for [`Chunk::bytes_again`] the number of the value, as long as it has one.
    pub fn bytes(&mut self, value: &[u8]) -> Option<Numbered> {
        self.begin_row();
        self.level(true);
        let filling = self.filling;
        self.put(value, &mut |to| sized(to, |to| to.extend_from_slice(value)));
        let number = self.numbers.last().filter(|_| !self.given_up).copied();
        self.end_row();
        number.map(|number| Numbered { filling, number })
    }
    /// The same of a value numbered before; false when it is to be given anew.
    #[inline]
    pub fn bytes_again(&mut self, n: Numbered) -> bool {
        if self.given_up || n.filling != self.filling {
            return false;
        }
        self.begin_row();
        self.level(true);
        self.numbered(n.number);
        self.end_row();
        true
    }
    /// Rows of text; empty is absent. `ends` has one end more than `rows`, 0 first or not.
    pub fn texts(&mut self, text: &[u8], ends: &[i32]) {
        let value = |e: &[i32; 2]| &text[e[0] as usize..e[1] as usize];
        if self.wish.cipher.is_some() {
            for v in ends.array_windows().map(value) {
                if v.is_empty() {
                    self.absent(1);
                    continue;
                }
                self.begin_row();
                self.level(true);
                self.put_sealed(v);
                self.end_row();
            }
            return;
        }
        let mut rest = ends;
        while rest.len() > 1 {
            let rows = rest.array_windows();
            let blank = rows.take_while(|[a, b]| a == b).count();
            self.absent(blank);
            rest = &rest[blank..];
            let rows = rest.array_windows();
            let some = rows.take_while(|[a, b]| a != b).count();
            let mut end = some;
            while end > 0 {
                let values = rest[..=end].array_windows().map(value);
                let n = self.fill(values, |v, to| sized(to, |to| to.extend_from_slice(v)));
                rest = &rest[n..];
                end -= n;
            }
        }
    }
    /// Rows of numbers; `none` is absent, unless the column always has one.
    pub fn longs(&mut self, values: &[u64], none: u64) {
        let always = self.descr.max_def_level() == 0;
        let stands = |v: &u64| always || *v != none;
        let mut rest = values;
        while !rest.is_empty() {
            let n = rest.iter().position(|v| !stands(v)).unwrap_or(rest.len());
            let (some, then) = rest.split_at(n);
            self.some(some.iter().copied());
            let n = then.iter().position(stands).unwrap_or(then.len());
            self.absent(n);
            rest = &then[n..];
        }
    }
    /// Rows of numbers that all stand, as many at a time as the open page takes.
    fn some(&mut self, mut values: impl ExactSizeIterator<Item = u64>) {
        while values.len() > 0 {
            self.begin_row();
            let room = match self.wish.shape {
                Shape::Running => PAGE_ROWS,
                _ => (PAGE_BYTES - self.plain.len()).div_ceil(size_of::<u64>()),
            };
            let room = room.min(PAGE_ROWS - self.rows);
            let n = values.len().min(room).min(PAGE_VALUES - self.levels);
            let part = values.by_ref().take(n);
            match (self.wish.shape, self.wish.range) {
                (Shape::Running, false) => self.running.extend(part.map(|v| v as i64)),
                (Shape::Running, true) => {
                    let from = self.running.len();
                    self.running.extend(part.map(|v| v as i64));
                    let some = &self.running[from..];
                    let least = some.iter().copied().min();
                    let greatest = some.iter().copied().max();
                    for v in least.into_iter().chain(greatest) {
                        self.see(v);
                    }
                }
                _ => part.for_each(|v| self.long(v)),
            }
            self.filled(n);
            self.rows += n - 1;
            self.end_row();
        }
    }
    /// Levels of the open page at which a value stands; of no list.
    fn filled(&mut self, n: usize) {
        if self.descr.max_def_level() > 0 {
            let open = (8 - self.levels % 8) % 8;
            if let Some(last) = self.present.last_mut()
                && open > 0
            {
                let bits = (1u16 << n.min(open)) - 1;
                *last |= (bits << (8 - open)) as u8;
            }
            let behind = n.saturating_sub(open);
            self.present
                .extend(std::iter::repeat_n(u8::MAX, behind / 8));
            if !behind.is_multiple_of(8) {
                self.present.push((1 << (behind % 8)) - 1);
            }
        }
        self.levels += n;
        self.values += n;
    }
    #[inline(always)]
    fn long(&mut self, v: u64) {
        match self.wish.shape {
            Shape::Running => self.running.push(v as i64),
            Shape::Kinds => {
                let bytes = v.to_le_bytes();
                self.put(&bytes, &mut |to| to.extend_from_slice(&bytes));
            }
            _ => self.plain.extend_from_slice(&v.to_le_bytes()),
        }
        if self.wish.range {
            self.see(v as i64);
        }
    }
    #[inline(always)]
    fn see(&mut self, v: i64) {
        let (least, greatest) = self.range.unwrap_or((v, v));
        self.range = Some((least.min(v), greatest.max(v)));
    }
    /// Rows of instants, UTC nanoseconds; `none` is absent.
    pub fn instants(&mut self, values: &[i64], none: i64) {
        let mut rest = values;
        while !rest.is_empty() {
            let n = rest.iter().position(|v| *v == none).unwrap_or(rest.len());
            let (some, then) = rest.split_at(n);
            self.some(some.iter().map(|v| *v as u64));
            let n = then.iter().position(|v| *v != none).unwrap_or(then.len());
            self.absent(n);
            rest = &then[n..];
        }
    }
    /// Rows of codes of a column that always has one.
    pub fn codes(&mut self, values: &[u8]) {
        let mut rest = values;
        while !rest.is_empty() {
            let (now, then) = rest.split_at(rest.len().min(PAGE_ROWS - self.rows));
            rest = then;
            self.numbers.extend(now.iter().map(|c| u32::from(*c)));
            let least = now.iter().copied().min().map_or(0, u32::from);
            let greatest = now.iter().copied().max().map_or(0, u32::from);
            self.greatest_code = self.greatest_code.max(greatest);
            if self.wish.range {
                self.see(i64::from(least));
                self.see(i64::from(greatest));
            }
            self.levels += now.len();
            self.values += now.len();
            self.rows += now.len() - 1;
            self.end_row();
        }
    }
    /// One row that is true.
    pub fn flag(&mut self) {
        self.begin_row();
        let bit = self.values % 8;
        if bit == 0 {
            self.plain.push(1);
        } else if let Some(last) = self.plain.last_mut() {
            *last |= 1 << bit;
        }
        self.level(true);
        self.end_row();
    }
    /// One row of a list with these values; none at all is an absent list.
    pub fn list<'v>(
        &mut self,
        values: impl Iterator<Item = &'v str>,
        stored: &mut dyn FnMut(&str, &mut Vec<u8>),
    ) {
        let mut some = false;
        for v in values {
            if !some {
                self.begin_row();
            }
            self.levels += 1;
            self.values += 1;
            self.put(v.as_bytes(), &mut |to| sized(to, |to| stored(v, to)));
            if let Some((def, rep)) = &mut self.nested {
                def.push(3);
                rep.push(u32::from(some));
            }
            some = true;
        }
        match some {
            true => self.end_row(),
            false => self.absent(1),
        }
    }
    fn end_page(&mut self) {
        self.seal();
        let mut body = Vec::with_capacity(self.plain.len() + self.numbers.len() + 64);
        if let Some((def, rep)) = &mut self.nested {
            sized(&mut body, |to| hybrid(rep, 1, to));
            sized(&mut body, |to| hybrid(def, 2, to));
            def.clear();
            rep.clear();
        } else if self.descr.max_def_level() > 0 {
            let (all, levels, bits) = (self.values == self.levels, self.levels, &self.present);
            sized(&mut body, |to| match all {
                true => run(1, levels, 1, to),
                false => {
                    leb128((bits.len() as u64) << 1 | 1, to);
                    to.extend_from_slice(bits);
                }
            });
        }
        let encoding = match self.wish.shape {
            Shape::Running => {
                delta(&self.running, &mut body);
                Encoding::DELTA_BINARY_PACKED
            }
            Shape::Codes | Shape::Kinds | Shape::Bytes if !self.given_up => {
                let greatest = match self.wish.shape {
                    Shape::Codes => self.greatest_code,
                    _ => self.dictionary.len().saturating_sub(1) as u32,
                };
                let width = (32 - greatest.leading_zeros()).max(1);
                body.push(width as u8);
                hybrid(&self.numbers, width, &mut body);
                Encoding::RLE_DICTIONARY
            }
            _ => {
                body.extend_from_slice(&self.plain);
                Encoding::PLAIN
            }
        };
        self.pages.push(Done {
            clear: body.len(),
            body,
            levels: self.levels as u32,
            rows: self.rows as u32,
            nulls: (self.levels - self.values) as u32,
            encoding,
            range: self.range.take(),
        });
        (self.rows, self.levels, self.values) = (0, 0, 0);
        self.present.clear();
        self.numbers.clear();
        self.plain.clear();
        self.running.clear();
    }
    /// The chunk's bytes and what is to be said of them; empties the chunk.
    fn close(
        &mut self,
        rows: usize,
        zstd: &mut zstd::bulk::Compressor<'static>,
        memory: Vec<u8>,
    ) -> Result<(bytes::Bytes, ColumnCloseResult)> {
        if self.rows > 0 {
            self.end_page();
        }
        if self.blank > 0 {
            self.end_blank();
        }
        let by_number = |p: &Done| p.encoding == Encoding::RLE_DICTIONARY;
        let dictionary = self
            .pages
            .iter()
            .any(by_number)
            .then(|| self.dictionary_page());
        let nothing = self.pages.iter().all(|p| p.nulls == p.levels);
        let packed = self.wish.packed && !nothing;
        let codec = match packed {
            true => Compression::ZSTD(ZstdLevel::try_new(ZSTD)?),
            false => Compression::UNCOMPRESSED,
        };
        let mut pack = |body: Vec<u8>| -> Result<bytes::Bytes> {
            if !packed {
                return Ok(body.into());
            }
            Ok(zstd.compress(&body)?.into())
        };
        let mut out = TrackedWrite::new(memory);
        let mut to = SerializedPageWriter::new(&mut out);
        let (mut compressed, mut uncompressed) = (0usize, 0usize);
        let mut stats: Vec<PageEncodingStats> = vec![];
        let mut dictionary_at = None;
        if let Some((body, values)) = dictionary {
            let clear = body.len();
            let page = Page::DictionaryPage {
                buf: pack(body)?,
                num_values: values as u32,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            };
            let spec = to.write_page(CompressedPage::new(page, clear))?;
            compressed += spec.compressed_size;
            uncompressed += spec.uncompressed_size;
            dictionary_at = Some(spec.offset as i64);
            stats.push(PageEncodingStats {
                page_type: PageType::DICTIONARY_PAGE,
                encoding: Encoding::PLAIN,
                count: 1,
            });
        }
        let mut offsets = OffsetIndexBuilder::new();
        let mut index = Index::new(self.descr.physical_type());
        let (mut levels, mut nulls, mut data_at) = (0i64, 0u64, None);
        for page in self.pages.drain(..) {
            let (encoding, rows) = (page.encoding, page.rows);
            levels += i64::from(page.levels);
            nulls += u64::from(page.nulls);
            index.page(&page);
            let (clear, num_values) = (page.clear, page.levels);
            let data = Page::DataPage {
                buf: pack(page.body)?,
                num_values,
                encoding,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            };
            let spec = to.write_page(CompressedPage::new(data, clear))?;
            compressed += spec.compressed_size;
            uncompressed += spec.uncompressed_size;
            data_at.get_or_insert(spec.offset as i64);
            offsets.append_row_count(i64::from(rows));
            offsets.append_offset_and_size(spec.offset as i64, spec.compressed_size as i32);
            match stats.last_mut() {
                Some(s) if s.page_type == PageType::DATA_PAGE && s.encoding == encoding => {
                    s.count += 1;
                }
                _ => stats.push(PageEncodingStats {
                    page_type: PageType::DATA_PAGE,
                    encoding,
                    count: 1,
                }),
            }
        }
        to.close()?;
        let mut encodings = vec![Encoding::RLE];
        for s in &stats {
            if !encodings.contains(&s.encoding) {
                encodings.push(s.encoding);
            }
        }
        let mut metadata = ColumnChunkMetaData::builder(self.descr.clone())
            .set_compression(codec)
            .set_encodings(encodings)
            .set_page_encoding_stats(stats)
            .set_total_compressed_size(compressed as i64)
            .set_total_uncompressed_size(uncompressed as i64)
            .set_num_values(levels)
            .set_data_page_offset(data_at.unwrap_or(0))
            .set_dictionary_page_offset(dictionary_at);
        if self.wish.range {
            metadata = metadata.set_statistics(index.statistics(nulls));
        }
        let column_index = match self.wish.range || nothing {
            true => Some(index.builder.build()?),
            false => None,
        };
        let bloom_filter = self.take_filter()?;
        self.dictionary.clear();
        self.filling += 1;
        self.given_up = false;
        self.asked = 0;
        self.greatest_code = 0;
        let written = out.bytes_written() as u64;
        let close = ColumnCloseResult {
            bytes_written: written,
            rows_written: rows as u64,
            metadata: metadata.build()?,
            bloom_filter,
            column_index,
            offset_index: Some(offsets.build()),
        };
        Ok((out.into_inner()?.into(), close))
    }
    fn dictionary_page(&mut self) -> (Vec<u8>, usize) {
        self.seal();
        if self.wish.shape == Shape::Codes {
            let codes = 0..=self.greatest_code as i32;
            let body: Vec<u8> = codes.flat_map(i32::to_le_bytes).collect();
            let n = body.len() / 4;
            return (body, n);
        }
        let n = self.dictionary.len();
        // What the filter is made of is still needed.
        (self.dictionary.stored.clone(), n)
    }
    fn take_filter(&mut self) -> Result<Option<Sbbf>> {
        if !self.wish.filter {
            return Ok(None);
        }
        if let Some(mut filter) = self.filter.take() {
            filter.fold_to_target_fpp(FALSE_POSITIVES);
            return Ok(Some(filter));
        }
        if self.given_up {
            // Without a filter nothing is ruled out.
            return Ok(None);
        }
        let n = self.dictionary.len();
        let mut filter = Sbbf::new_with_ndv_fpp(n.max(1) as u64, FALSE_POSITIVES)?;
        for n in 0..n {
            filter.insert(&self.dictionary.stored(n)[4..]);
        }
        Ok(Some(filter))
    }
}

/// Least and greatest, both of them values that are there, page by page and of the whole.
struct Index {
    builder: ColumnIndexBuilder,
    of: Type,
    whole: Option<(i64, i64)>,
    last: Option<(i64, i64)>,
    rising: bool,
    falling: bool,
}

impl Index {
    fn new(of: Type) -> Index {
        let mut builder = ColumnIndexBuilder::new(of);
        builder.set_boundary_order(BoundaryOrder::ASCENDING);
        Index {
            builder,
            of,
            whole: None,
            last: None,
            rising: true,
            falling: true,
        }
    }
    fn bytes(&self, v: i64) -> Vec<u8> {
        match self.of {
            Type::INT32 => (v as i32).to_le_bytes().to_vec(),
            _ => v.to_le_bytes().to_vec(),
        }
    }
    fn page(&mut self, page: &Done) {
        let nulls = i64::from(page.nulls);
        let Some((least, greatest)) = page.range else {
            self.builder
                .append(page.nulls == page.levels, vec![], vec![], nulls);
            return;
        };
        let (a, b) = (self.bytes(least), self.bytes(greatest));
        self.builder.append(false, a, b, nulls);
        let whole = self.whole.unwrap_or((least, greatest));
        self.whole = Some((whole.0.min(least), whole.1.max(greatest)));
        if let Some((a, b)) = self.last.replace((least, greatest)) {
            self.rising &= a <= least && b <= greatest;
            self.falling &= a >= least && b >= greatest;
        }
        self.builder
            .set_boundary_order(match (self.rising, self.falling) {
                (true, _) => BoundaryOrder::ASCENDING,
                (_, true) => BoundaryOrder::DESCENDING,
                _ => BoundaryOrder::UNORDERED,
            });
    }
    fn statistics(&self, nulls: u64) -> Statistics {
        let (least, greatest) = (self.whole.map(|w| w.0), self.whole.map(|w| w.1));
        match self.of {
            Type::INT32 => Statistics::Int32(ValueStatistics::new(
                least.map(|v| v as i32),
                greatest.map(|v| v as i32),
                None,
                Some(nulls),
                false,
            )),
            _ => Statistics::Int64(ValueStatistics::new(
                least,
                greatest,
                None,
                Some(nulls),
                false,
            )),
        }
    }
}

/// A value in the plain encoding of byte arrays, or the levels of a data page of version 1: their length in bytes (u32,
/// little-endian), then themselves.
#[inline(always)]
fn sized(to: &mut Vec<u8>, append: impl FnOnce(&mut Vec<u8>)) {
    let at = to.len();
    to.extend_from_slice(&[0; 4]);
    append(to);
    let n = (to.len() - at - 4) as u32;
    to[at..at + 4].copy_from_slice(&n.to_le_bytes());
}

fn zigzag(n: i64, to: &mut Vec<u8>) {
    leb128(((n << 1) ^ (n >> 63)) as u64, to);
}

/// A run of one value (`RLE`, "Run Length Encoding / Bit-Packing Hybrid").
fn run(value: u32, times: usize, width: u32, to: &mut Vec<u8>) {
    leb128((times as u64) << 1, to);
    to.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8) as usize]);
}

/// Values of `width` bits (1 to 16, or 32 by runs): runs of 16 or more as runs, everything else packed in eights.
fn hybrid(values: &[u32], width: u32, to: &mut Vec<u8>) {
    let (eights, tail) = values.as_chunks::<8>();
    let same = |g: &[u32; 8], v: u32| g.iter().fold(0, |d, x| d | (x ^ v)) == 0;
    // First of the eights not yet written, and the one looked at.
    let (mut from, mut at) = (0, 0);
    while at < eights.len() {
        let v = eights[at][0];
        let mut end = at;
        while end < eights.len() && same(&eights[end], v) {
            end += 1;
        }
        if end - at >= 2 {
            packed(&eights[from..at], width, to);
            run(v, (end - at) * 8, width, to);
            (from, at) = (end, end);
        } else {
            at += 1;
        }
    }
    if tail.is_empty() {
        return packed(&eights[from..], width, to);
    }
    if tail.iter().all(|v| *v == tail[0]) && from == eights.len() {
        return run(tail[0], tail.len(), width, to);
    }
    let mut last = [0u32; 8];
    last[..tail.len()].copy_from_slice(tail);
    let groups = eights.len() - from + 1;
    leb128((groups as u64) << 1 | 1, to);
    eights[from..].iter().for_each(|g| eight(g, width, to));
    eight(&last, width, to);
}

fn packed(eights: &[[u32; 8]], width: u32, to: &mut Vec<u8>) {
    if eights.is_empty() {
        return;
    }
    leb128((eights.len() as u64) << 1 | 1, to);
    eights.iter().for_each(|g| eight(g, width, to));
}

/// Eight values of at most 16 bits, least significant bit first.
#[inline(always)]
fn eight(v: &[u32; 8], width: u32, to: &mut Vec<u8>) {
    let four = |v: &[u32]| {
        u64::from(v[0])
            | u64::from(v[1]) << width
            | u64::from(v[2]) << (2 * width)
            | u64::from(v[3]) << (3 * width)
    };
    let all = u128::from(four(&v[..4])) | u128::from(four(&v[4..])) << (4 * width);
    to.extend_from_slice(&all.to_le_bytes()[..width as usize]);
}

/// `DELTA_BINARY_PACKED`: blocks of 128 differences in four miniblocks of 32.
fn delta(values: &[i64], to: &mut Vec<u8>) {
    leb128(128, to);
    leb128(4, to);
    leb128(values.len() as u64, to);
    let Some((first, rest)) = values.split_first() else {
        return zigzag(0, to);
    };
    zigzag(*first, to);
    let mut before = *first;
    for block in rest.chunks(128) {
        let mut differences = [0i64; 128];
        for (d, v) in differences.iter_mut().zip(block) {
            *d = v.wrapping_sub(before);
            before = *v;
        }
        let n = block.len();
        let least = differences[..n].iter().copied().min().unwrap_or(0);
        zigzag(least, to);
        let mut above = [0u64; 128];
        for (a, d) in above[..n].iter_mut().zip(&differences) {
            *a = d.wrapping_sub(least) as u64;
        }
        let widths = to.len();
        to.extend_from_slice(&[0; 4]);
        for (i, mini) in above.chunks(32).enumerate().take(n.div_ceil(32)) {
            let width = 64 - mini.iter().fold(0, |all, v| all | v).leading_zeros();
            to[widths + i] = width as u8;
            let (mut open, mut bits) = (0u128, 0);
            for v in mini {
                open |= u128::from(*v) << bits;
                bits += width;
                while bits >= 32 {
                    to.extend_from_slice(&(open as u32).to_le_bytes());
                    open >>= 32;
                    bits -= 32;
                }
            }
        }
    }
}
