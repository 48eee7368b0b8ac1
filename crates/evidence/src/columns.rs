//! Rows as stored: plain Parquet any tool opens, with what may name a person sealed or replaced by tokens.
//!
//! Columns are those of [`EventBatch::schema`], with three differences: an absent value is NULL; `time` and `time_alt` are
//! UTC timestamps in nanoseconds; the columns of [`SEALED`] are bytes under the lake's value key. Added columns:
//!
//! - `account_key`: the account as compared (`Account::key`), so that one bloom filter answers for user, domain and system;
//! - `forwarded_many`: true when `forwarded` holds more than one plain address, so that its filter cannot answer;
//! - `subject_tokens`: one keyed token per subject named, in the order of the row.
//!
//! Row groups hold at most 64 Ki rows in file order, pages at most 8 Ki of those in which something stands, both with min/max of
//! the time; filters are on the columns people select by.
use crate::{
    EvidenceError, Keys,
    error::io,
    keys::ColumnCipher,
    pages::{Chunk, Numbered, RowFile, Shape, Wish},
    store::Store,
    stored::{Stored, StoredFile},
};
use ampleur_event::{
    Account, EventBatch, System,
    batch::{Column, NONE, TextColumn},
    time::NO_TIME,
};
use arrow_array::{
    Array, ArrayRef, Int64Array, RecordBatch, TimestampNanosecondArray, UInt64Array,
    builder::StringBuilder,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::{errors::ParquetError, file::metadata::KeyValue};
use rustc_hash::FxHashMap;
use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

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

/// How each leaf of the stored schema is written.
fn wishes(keys: &Keys) -> Vec<Wish> {
    let wish = |field: &Field| {
        let name = field.name().as_str();
        let shape = match (name, field.data_type()) {
            ("record" | "offset" | "len" | "time" | "time_alt", _) => Shape::Running,
            ("status" | "code" | "logon_type" | "mask" | "dst_port", _) => Shape::Kinds,
            (_, DataType::UInt64) => Shape::Numbers,
            (_, DataType::UInt8) => Shape::Codes,
            (_, DataType::Boolean) => Shape::Flags,
            _ => Shape::Bytes,
        };
        Wish {
            shape,
            // Ciphertext does not compress; repeated values are still caught by the dictionary.
            packed: !is_sealed(name),
            cipher: SEALED
                .iter()
                .find(|s| **s == name)
                .map(|s| Arc::new(keys.column(s))),
            filter: FILTERED.iter().any(|f| f.split('.').next() == Some(name)),
            // The least and greatest of the others answer nothing anybody asks; the filters do.
            range: matches!(name, "time" | "record" | "verb"),
        }
    };
    stored_schema().fields().iter().map(|f| wish(f)).collect()
}

/// Writes rows of one segment.
pub(crate) struct ParquetSink {
    rows: RowFile<StoredFile>,
    path: String,
    accounts: Accounts,
    keys: Arc<Keys>,
}

/// Accounts as compared, by what they came with.
#[derive(Default)]
struct Accounts {
    /// System, length of the domain, domain and user; with the number of the account's key.
    known: FxHashMap<Box<[u8]>, u32>,
    keys: Vec<Option<Key>>,
    login: Vec<u8>,
}

/// An account as compared, and its number in the column's dictionary.
struct Key {
    text: Box<str>,
    numbered: Option<Numbered>,
}

impl ParquetSink {
    pub fn create(
        store: &dyn Store,
        path: &str,
        keys: &Arc<Keys>,
    ) -> Result<ParquetSink, EvidenceError> {
        let file = StoredFile::create(store, path).map_err(io("create", path))?;
        let about = KeyValue::new("ampleur.events".to_string(), "1".to_string());
        let rows = RowFile::create(file, &stored_schema(), &wishes(keys), about);
        Ok(ParquetSink {
            rows: rows.map_err(|e| wrap(path, e))?,
            path: path.to_string(),
            accounts: Accounts::default(),
            keys: keys.clone(),
        })
    }
    pub fn write(&mut self, rows: &EventBatch) -> Result<(), EvidenceError> {
        let mut from = 0;
        while from < rows.len() {
            let end = rows.len().min(from + self.rows.room());
            self.put(rows, from..end);
            let wrote = self.rows.wrote(end - from);
            wrote.map_err(|e| wrap(&self.path, e))?;
            from = end;
        }
        Ok(())
    }
    pub fn finish(self) -> Result<Stored, EvidenceError> {
        let file = self.rows.finish().map_err(|e| wrap(&self.path, e))?;
        file.finish().map_err(io("sync", &self.path))
    }
    fn put(&mut self, rows: &EventBatch, part: Range<usize>) {
        for (at, field) in stored_schema().fields().iter().enumerate() {
            let name = field.name().as_str();
            let leaf = self.rows.leaf(at);
            match (name, rows.column(name)) {
                ("account_key", _) => self.accounts.put(rows, part.clone(), leaf),
                ("forwarded_many", _) => match rows.text("forwarded") {
                    Some(f) if !f.is_blank() => forwarded_many(f, part.clone(), leaf),
                    _ => leaf.absent(part.len()),
                },
                ("subject_tokens", _) => match rows.text("subjects") {
                    Some(s) if !s.is_blank() => {
                        for i in part.clone() {
                            let named = s.get(i).split('\n').filter(|s| !s.is_empty());
                            leaf.list(named, &mut |subject, to| {
                                to.extend_from_slice(self.keys.token(subject).as_bytes());
                            });
                        }
                    }
                    _ => leaf.absent(part.len()),
                },
                (_, Some(Column::Text(c))) if c.is_blank() => leaf.absent(part.len()),
                (_, Some(Column::Text(c))) => {
                    let (text, ends) = c.parts();
                    leaf.texts(text.as_bytes(), &ends[part.start..=part.end]);
                }
                (_, Some(Column::NoNumbers) | None) => leaf.absent(part.len()),
                (_, Some(Column::Numbers(v))) => leaf.longs(&v[part.clone()], NONE),
                (_, Some(Column::Times(t))) => leaf.instants(&t[part.clone()], NO_TIME),
                (_, Some(Column::Codes(v))) => leaf.codes(&v[part.clone()]),
            }
        }
    }
}

impl Accounts {
    fn put(&mut self, rows: &EventBatch, part: Range<usize>, leaf: &mut Chunk) {
        let (Some(user), Some(domain), Some(Column::Codes(system))) = (
            rows.text("user").filter(|u| !u.is_blank()),
            rows.text("domain"),
            rows.column("system"),
        ) else {
            return leaf.absent(part.len());
        };
        for i in part {
            let (d, u, s) = (domain.get(i), user.get(i), system[i]);
            match self.key(s, d, u) {
                Some(key) => {
                    if !key.numbered.is_some_and(|n| leaf.bytes_again(n)) {
                        key.numbered = leaf.bytes(key.text.as_bytes());
                    }
                }
                None => leaf.absent(1),
            }
        }
    }
    fn key(&mut self, system: u8, domain: &str, user: &str) -> Option<&mut Key> {
        if user.is_empty() {
            return None;
        }
        self.login.clear();
        self.login.push(system);
        // Its length tells where the domain ends, whatever stands in it.
        let length = (domain.len() as u64).to_le_bytes();
        self.login.extend_from_slice(&length);
        self.login.extend_from_slice(domain.as_bytes());
        self.login.extend_from_slice(user.as_bytes());
        let number = match self.known.get(&*self.login) {
            Some(number) => *number,
            None => {
                if self.keys.len() >= 65_536 {
                    self.known.clear();
                    self.keys.clear();
                }
                let number = self.keys.len() as u32;
                let key = Account::new(System::from_code(system), domain, user).map(|a| a.key());
                self.keys.push(key.map(|key| Key {
                    text: key.into(),
                    numbered: None,
                }));
                self.known.insert(self.login.as_slice().into(), number);
                number
            }
        };
        self.keys[number as usize].as_mut()
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

fn forwarded_many(f: &TextColumn, part: Range<usize>, leaf: &mut Chunk) {
    for i in part {
        let v = f.get(i);
        // Not exactly one trimmed address: the filter over whole values cannot be trusted to know its parts.
        match v.contains(',') || v.trim() != v {
            true => leaf.flag(),
            false => leaf.absent(1),
        }
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

#[cfg(test)]
mod tests;
