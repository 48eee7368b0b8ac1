//! Rows as stored: plain Parquet any tool opens, with what may name a person sealed or replaced by tokens.
//!
//! Columns are those of [`EventBatch::schema`], with three differences: an absent value is NULL; `time` and `time_alt` are
//! UTC timestamps in nanoseconds; the columns of [`SEALED`] are bytes under the lake's value key. Added columns:
//!
//! - `account_key`: the account as compared (`Account::key`), so that one bloom filter answers for user, domain and system;
//! - `forwarded_many`: true when `forwarded` holds more than one plain address, so that its filter cannot answer;
//! - `subject_tokens`: one keyed token per subject named, in the order of the row.
//!
//! Row groups hold at most 64 Ki rows in file order, pages at most 8 Ki, both with min/max of the time; filters are on the
//! columns people select by.
use crate::{
    EvidenceError, Keys,
    error::io,
    keys::ColumnCipher,
    store::Store,
    stored::{Stored, StoredFile},
};
use ampleur_event::{
    Account, EventBatch, System,
    batch::{Column, NONE, TextColumn},
    time::NO_TIME,
};
use arrow_array::{
    Array, ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, TimestampNanosecondArray,
    UInt8Array, UInt64Array,
    builder::{BinaryBuilder, BooleanBuilder, ListBuilder, StringBuilder},
    new_null_array,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::{
    arrow::{ArrowWriter, arrow_writer::ArrowWriterOptions},
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
    },
    schema::types::ColumnPath,
};
use rustc_hash::FxHashMap;
use std::sync::{Arc, OnceLock};

/// Text that may hold patient identifiers: addresses asked for, criteria, names, paths, objects, changed values, and
/// `extra`, whose content no code vouches for. Login names, machines, shares and reasons stay readable.
pub const SEALED: &[&str] = &[
    "user_name",
    "url",
    "query",
    "file_path",
    "object",
    "subjects",
    "changes",
    "extra",
];

/// Columns with a bloom filter per row group.
pub const FILTERED: &[&str] = &[
    "account_key",
    "session_id",
    "src_ip",
    "inner_ip",
    "forwarded",
    TOKENS_LEAF,
];

/// Path of the token values inside the Parquet list.
pub const TOKENS_LEAF: &str = "subject_tokens.list.item";

/// Rows of a row group at most.
pub const ROW_GROUP: usize = 65_536;

/// True for a column stored sealed.
pub fn is_sealed(column: &str) -> bool {
    SEALED.contains(&column)
}

/// The Arrow schema of stored events, without its added columns' values being of any use to the engine above the door.
pub fn stored_schema() -> SchemaRef {
    static SCHEMA: OnceLock<SchemaRef> = OnceLock::new();
    SCHEMA
        .get_or_init(|| {
            let utc = || DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
            let mut fields: Vec<Field> = EventBatch::schema()
                .fields()
                .iter()
                .map(|f| match (f.name().as_str(), f.data_type()) {
                    ("time" | "time_alt", _) => Field::new(f.name(), utc(), true),
                    (name, DataType::Utf8) if is_sealed(name) => {
                        Field::new(name, DataType::Binary, true)
                    }
                    (name, DataType::Utf8) => Field::new(name, DataType::Utf8, true),
                    ("record" | "offset" | "len", _) => f.as_ref().clone(),
                    (name, DataType::UInt64) => Field::new(name, DataType::UInt64, true),
                    _ => f.as_ref().clone(),
                })
                .collect();
            fields.push(Field::new("account_key", DataType::Utf8, true));
            fields.push(Field::new("forwarded_many", DataType::Boolean, true));
            fields.push(Field::new(
                "subject_tokens",
                DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
                true,
            ));
            Arc::new(Schema::new(fields))
        })
        .clone()
}

fn properties() -> WriterProperties {
    let zstd = Compression::ZSTD(ZstdLevel::try_new(1).unwrap_or_default());
    let mut p = WriterProperties::builder()
        .set_compression(zstd)
        .set_created_by("ampleur".to_string())
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_data_page_row_count_limit(8192)
        .set_write_batch_size(8192)
        .set_dictionary_page_size_limit(256 << 10)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(false)
        .set_bloom_filter_fpp(0.01)
        .set_bloom_filter_max_ndv(ROW_GROUP as u64)
        .set_bloom_filter_enabled(false)
        .set_key_value_metadata(Some(vec![KeyValue::new(
            "ampleur.events".to_string(),
            "1".to_string(),
        )]));
    // The least and greatest of the others answer nothing anybody asks; the filters do.
    for column in ["time", "record", "verb"] {
        p = p.set_column_statistics_enabled(ColumnPath::from(column), EnabledStatistics::Page);
    }
    // Running numbers: their differences are small, a dictionary of them is waste.
    for column in ["record", "offset", "len", "time", "time_alt"] {
        let column = ColumnPath::from(column);
        p = p
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    for field in EventBatch::schema().fields() {
        if field.data_type() == &DataType::UInt64
            && !matches!(
                field.name().as_str(),
                "status" | "code" | "logon_type" | "mask" | "dst_port"
            )
        {
            p = p.set_column_dictionary_enabled(ColumnPath::from(field.name().as_str()), false);
        }
    }
    // Ciphertext does not compress; repeated values are still caught by the dictionary.
    for column in SEALED {
        p = p.set_column_compression(ColumnPath::from(*column), Compression::UNCOMPRESSED);
    }
    for column in FILTERED {
        p = p.set_column_bloom_filter_enabled(path(column), true);
    }
    p.build()
}

fn path(column: &str) -> ColumnPath {
    ColumnPath::new(column.split('.').map(str::to_string).collect())
}

/// Remembers the sealed form of values that come back; gives up on a column whose values do not.
struct Memo {
    cipher: ColumnCipher,
    buffer: Vec<u8>,
    seen: FxHashMap<Box<str>, Box<[u8]>>,
    asked: u32,
    hits: u32,
    off: bool,
}

const MEMO_VALUES: usize = 8192;

impl Memo {
    fn seal(&mut self, clear: &str, out: &mut BinaryBuilder) {
        if self.off {
            self.cipher.seal_into(clear, &mut self.buffer);
            return out.append_value(&self.buffer);
        }
        self.asked += 1;
        if let Some(sealed) = self.seen.get(clear) {
            self.hits += 1;
            return out.append_value(sealed);
        }
        self.cipher.seal_into(clear, &mut self.buffer);
        out.append_value(&self.buffer);
        if self.seen.len() == MEMO_VALUES {
            self.seen.clear();
        }
        self.seen
            .insert(clear.into(), self.buffer.as_slice().into());
        if self.asked == 16_384 {
            self.off = self.hits < self.asked / 4;
            (self.asked, self.hits) = (0, 0);
            if self.off {
                self.seen = FxHashMap::default();
            }
        }
    }
}

/// The account of a row as compared, for one system and domain its user came with.
struct Login {
    system: u8,
    domain: Box<str>,
    key: Option<Box<str>>,
}

/// Writes rows of one segment.
pub(crate) struct ParquetSink {
    writer: ArrowWriter<StoredFile>,
    path: String,
    memos: Vec<Memo>,
    /// By user.
    accounts: FxHashMap<Box<str>, Vec<Login>>,
    accounts_kept: usize,
    absent: Absent,
    keys: Arc<Keys>,
}

impl ParquetSink {
    pub fn create(
        store: &dyn Store,
        path: &str,
        keys: &Arc<Keys>,
    ) -> Result<ParquetSink, EvidenceError> {
        let file = StoredFile::create(store, path).map_err(io("create", path))?;
        let options = ArrowWriterOptions::new().with_properties(properties());
        let writer = ArrowWriter::try_new_with_options(file, stored_schema(), options)
            .map_err(|e| wrap(path, e))?;
        let memos = SEALED
            .iter()
            .map(|c| Memo {
                cipher: keys.column(c),
                buffer: vec![],
                seen: FxHashMap::default(),
                asked: 0,
                hits: 0,
                off: false,
            })
            .collect();
        Ok(ParquetSink {
            writer,
            path: path.to_string(),
            memos,
            accounts: FxHashMap::default(),
            accounts_kept: 0,
            absent: Absent::default(),
            keys: keys.clone(),
        })
    }
    pub fn write(&mut self, rows: &EventBatch) -> Result<(), EvidenceError> {
        let batch = self.stored(rows);
        self.writer.write(&batch).map_err(|e| wrap(&self.path, e))
    }
    pub fn finish(self) -> Result<Stored, EvidenceError> {
        let file = self.writer.into_inner().map_err(|e| wrap(&self.path, e))?;
        file.finish().map_err(io("sync", &self.path))
    }
    fn stored(&mut self, rows: &EventBatch) -> RecordBatch {
        let n = rows.len();
        let schema = stored_schema();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let name = field.name().as_str();
            let column: ArrayRef = match (name, rows.column(name)) {
                ("account_key", _) => self.account_keys(rows),
                ("forwarded_many", _) => match rows.text("forwarded") {
                    Some(f) if !f.is_blank() => forwarded_many(f),
                    _ => self.absent.of(field.data_type(), n),
                },
                ("subject_tokens", _) => self.subject_tokens(rows),
                (_, Some(Column::Times(t))) => instants(t),
                (_, Some(Column::Text(c))) if c.is_blank() => self.absent.of(field.data_type(), n),
                (_, Some(Column::Text(c))) if is_sealed(name) => self.seal(name, c),
                (_, Some(Column::Text(c))) => present_text(c),
                (_, Some(Column::Numbers(v))) if !field.is_nullable() => {
                    Arc::new(UInt64Array::from(v.to_vec()))
                }
                (_, Some(Column::NoNumbers) | None) => self.absent.of(field.data_type(), n),
                (_, Some(Column::Numbers(v))) => present_numbers(v),
                (_, Some(Column::Codes(v))) => Arc::new(UInt8Array::from(v.to_vec())),
            };
            columns.push(column);
        }
        RecordBatch::try_new(schema, columns).expect("columns follow the schema")
    }
    fn seal(&mut self, name: &str, clear: &TextColumn) -> ArrayRef {
        let at = SEALED.iter().position(|c| *c == name).unwrap_or(0);
        let text = clear.parts().0.len();
        let mut out = BinaryBuilder::with_capacity(clear.len(), text + clear.len() * 8);
        for i in 0..clear.len() {
            match clear.get(i) {
                "" => out.append_null(),
                v => self.memos[at].seal(v, &mut out),
            }
        }
        Arc::new(out.finish())
    }
    fn account_keys(&mut self, rows: &EventBatch) -> ArrayRef {
        let n = rows.len();
        let (Some(user), Some(domain), Some(Column::Codes(system))) = (
            rows.text("user").filter(|u| !u.is_blank()),
            rows.text("domain"),
            rows.column("system"),
        ) else {
            return self.absent.of(&DataType::Utf8, n);
        };
        let mut out = StringBuilder::with_capacity(n, n * 16);
        for (i, s) in system.iter().copied().enumerate() {
            let (d, u) = (domain.get(i), user.get(i));
            if u.is_empty() {
                out.append_null();
                continue;
            }
            let is = |l: &&Login| l.system == s && *l.domain == *d;
            let known = self.accounts.get(u).and_then(|l| l.iter().find(is));
            if let Some(login) = known {
                out.append_option(login.key.as_deref());
                continue;
            }
            if self.accounts_kept >= 65_536 {
                self.accounts.clear();
                self.accounts_kept = 0;
            }
            let key = Account::new(System::from_code(s), d, u).map(|a| a.key());
            out.append_option(key.as_deref());
            self.accounts_kept += 1;
            self.accounts.entry(u.into()).or_default().push(Login {
                system: s,
                domain: d.into(),
                key: key.map(Into::into),
            });
        }
        Arc::new(out.finish())
    }
    fn subject_tokens(&mut self, rows: &EventBatch) -> ArrayRef {
        let n = rows.len();
        let Some(subjects) = rows.text("subjects").filter(|s| !s.is_blank()) else {
            let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
            return self.absent.of(&list, n);
        };
        let mut out = ListBuilder::new(StringBuilder::new());
        for i in 0..n {
            let mut some = false;
            for s in subjects.get(i).split('\n').filter(|s| !s.is_empty()) {
                out.values().append_value(self.keys.token(s));
                some = true;
            }
            out.append(some);
        }
        let list: ListArray = out.finish();
        Arc::new(list)
    }
}

fn wrap(path: &str, source: ParquetError) -> EvidenceError {
    // A failed write keeps its own error, so that a full disk is said to be one.
    match source {
        ParquetError::External(e) => match e.downcast::<std::io::Error>() {
            Ok(e) => io("write", path)(*e),
            Err(e) => EvidenceError::Parquet {
                path: path.to_string(),
                source: ParquetError::External(e),
            },
        },
        source => EvidenceError::Parquet {
            path: path.to_string(),
            source,
        },
    }
}

/// Empty text becomes NULL.
fn present_text(c: &TextColumn) -> ArrayRef {
    let (text, ends) = c.parts();
    let present = BooleanBuffer::collect_bool(c.len(), |i| ends[i] != ends[i + 1]);
    Arc::new(StringArray::new(
        OffsetBuffer::new(ScalarBuffer::from(ends.to_vec())),
        Buffer::from_slice_ref(text),
        Some(NullBuffer::new(present)),
    ))
}

fn present_numbers(v: &[u64]) -> ArrayRef {
    let present = BooleanBuffer::collect_bool(v.len(), |i| v[i] != NONE);
    let values = ScalarBuffer::from(v.to_vec());
    Arc::new(UInt64Array::new(values, Some(NullBuffer::new(present))))
}

fn instants(v: &[i64]) -> ArrayRef {
    let present = BooleanBuffer::collect_bool(v.len(), |i| v[i] != NO_TIME);
    let values = ScalarBuffer::from(v.to_vec());
    let times = TimestampNanosecondArray::new(values, Some(NullBuffer::new(present)));
    Arc::new(times.with_timezone("UTC"))
}

/// Columns in which nothing stands, made once.
#[derive(Default)]
struct Absent {
    made: Vec<ArrayRef>,
}

fn forwarded_many(f: &TextColumn) -> ArrayRef {
    let mut out = BooleanBuilder::with_capacity(f.len());
    for i in 0..f.len() {
        let v = f.get(i);
        // Not exactly one trimmed address: the filter over whole values cannot be trusted to know its parts.
        if v.contains(',') || v.trim() != v {
            out.append_value(true);
        } else {
            out.append_null();
        }
    }
    Arc::new(out.finish())
}

impl Absent {
    fn of(&mut self, data_type: &DataType, n: usize) -> ArrayRef {
        let at = self.made.iter().position(|a| a.data_type() == data_type);
        let at = match at {
            Some(at) if self.made[at].len() >= n => at,
            Some(at) => {
                self.made[at] = new_null_array(data_type, n.next_power_of_two());
                at
            }
            None => {
                self.made
                    .push(new_null_array(data_type, n.next_power_of_two()));
                self.made.len() - 1
            }
        };
        self.made[at].slice(0, n)
    }
}

/// Turns stored rows back into rows as the engine knows them: sealed text opened, NULL absent. Columns that are not there
/// read as absent, so a reader may leave out what it does not need. `Err(column)`: a value does not open with these keys.
pub fn opened(
    stored: &RecordBatch,
    ciphers: &[(&'static str, ColumnCipher)],
) -> Result<EventBatch, &'static str> {
    let n = stored.num_rows();
    let mut fields = vec![];
    let mut columns: Vec<ArrayRef> = vec![];
    for field in EventBatch::schema().fields() {
        let name = field.name().as_str();
        let Some(c) = stored.column_by_name(name) else {
            continue;
        };
        let any = c.as_any();
        let column: ArrayRef = if let Some((label, cipher)) = ciphers.iter().find(|k| k.0 == name) {
            let Some(b) = any.downcast_ref::<arrow_array::BinaryArray>() else {
                return Err(label);
            };
            let mut out = StringBuilder::with_capacity(n, b.value_data().len());
            for i in 0..n {
                if b.is_null(i) {
                    out.append_value("");
                } else {
                    out.append_value(cipher.open(b.value(i)).ok_or(*label)?);
                }
            }
            Arc::new(out.finish())
        } else if let Some(t) = any.downcast_ref::<TimestampNanosecondArray>() {
            Arc::new(Int64Array::from_iter_values(
                (0..n).map(|i| if t.is_null(i) { NO_TIME } else { t.value(i) }),
            ))
        } else if let Some(t) = any.downcast_ref::<UInt64Array>() {
            Arc::new(UInt64Array::from_iter_values(
                (0..n).map(|i| if t.is_null(i) { NONE } else { t.value(i) }),
            ))
        } else {
            c.clone()
        };
        fields.push(Field::new(name, column.data_type().clone(), true));
        columns.push(column);
    }
    let batch = RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields)),
        columns,
        &arrow_array::RecordBatchOptions::new().with_row_count(Some(n)),
    )
    .map_err(|_| "row")?;
    Ok(EventBatch::from_arrow(&batch))
}

/// The ciphers [`opened`] needs.
pub fn ciphers(keys: &Keys) -> Vec<(&'static str, ColumnCipher)> {
    SEALED.iter().map(|c| (*c, keys.column(c))).collect()
}
