//! The default back end: our own scan over the lake's Parquet.
//!
//! A row group (at most 64 Ki rows, in file order) is skipped when its times, verbs or bloom filters say that nothing in it
//! can match. In the others the columns asked about are read first, then the rest, only for the pages that hold a match.
//! What comes out is checked once more against [`Select::matches`], so a filter can cost time but never an answer.
use crate::{Choose, Door, DoorError, FileId, Select};
use ampleur_event::{EventBatch, Window, time::NO_TIME};
use ampleur_evidence::{ColumnCipher, Keys, Lake, columns};
use arrow_array::{
    Array, BooleanArray, ListArray, RecordBatch, StringArray, TimestampNanosecondArray, UInt8Array,
};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions,
            ParquetRecordBatchReaderBuilder, RowFilter, RowSelection,
        },
    },
    errors::ParquetError,
    file::{
        metadata::{PageIndexPolicy, RowGroupMetaData},
        statistics::Statistics,
    },
};
use std::{
    collections::BTreeSet,
    fs::File,
    ops::Range,
    path::PathBuf,
    sync::{Arc, OnceLock, mpsc::sync_channel},
};

/// Rows decoded at once.
const BATCH: usize = 8192;

pub(crate) struct Part {
    pub(crate) file: FileId,
    pub(crate) path: PathBuf,
    /// Relative to the lake, for errors.
    name: String,
    meta: OnceLock<Result<ArrowReaderMetadata, String>>,
}

impl Part {
    /// By file, then in order of the file.
    pub(crate) fn list(lake: &Lake, files: &[(FileId, String)]) -> Vec<Part> {
        let mut files: Vec<&(FileId, String)> = files.iter().collect();
        files.sort();
        let mut parts = vec![];
        for (file, rel) in files {
            for s in lake.current(rel) {
                if !s.events.is_empty() {
                    parts.push(Part {
                        file: *file,
                        path: lake.root().join(&s.events),
                        name: s.events.clone(),
                        meta: OnceLock::new(),
                    });
                }
            }
        }
        parts
    }
}

/// Scans the segments of a lake. Sensitive text comes out opened.
pub struct LocalDoor {
    /// By file, then in order of the file.
    parts: Vec<Part>,
    ciphers: Vec<(&'static str, ColumnCipher)>,
    keys: Keys,
    threads: usize,
}

/// What one scan looks for, in the terms of the stored columns.
pub(crate) struct Wanted {
    select: Select,
    /// Sorted; empty: any.
    accounts: BTreeSet<String>,
    session_ids: BTreeSet<String>,
    addresses: BTreeSet<String>,
    tokens: BTreeSet<String>,
    verbs: BTreeSet<u8>,
}

/// Which columns and rows a scan hands out.
#[derive(Clone, Copy)]
enum How<'a> {
    All,
    Columns(&'a [&'a str]),
    Chosen(&'a [&'a str], &'a Choose<'a>),
}

impl LocalDoor {
    /// `files`: number and relative path of every file to look at; of a file imported more than once the last import is
    /// read. Nothing is opened yet.
    pub fn open(
        lake: &Lake,
        keys: &Keys,
        files: &[(FileId, String)],
    ) -> Result<LocalDoor, DoorError> {
        Ok(LocalDoor {
            parts: Part::list(lake, files),
            ciphers: columns::ciphers(keys),
            keys: keys.clone(),
            threads: 2,
        })
    }
    /// Decodes on this many threads (2 when not said). The answer does not depend on it.
    pub fn with_threads(mut self, threads: usize) -> LocalDoor {
        self.threads = threads.max(1);
        self
    }
    fn meta<'a>(&self, part: &'a Part) -> Result<&'a ArrowReaderMetadata, DoorError> {
        part.meta
            .get_or_init(|| {
                let file = File::open(&part.path).map_err(|e| e.to_string())?;
                let options = ArrowReaderOptions::new()
                    .with_offset_index_policy(PageIndexPolicy::Optional)
                    .with_column_index_policy(PageIndexPolicy::Skip);
                ArrowReaderMetadata::load(&file, options).map_err(|e| e.to_string())
            })
            .as_ref()
            .map_err(|e| error(part, e))
    }
    /// The matching rows of one row group.
    fn group(
        &self,
        part: &Part,
        group: usize,
        wanted: &Arc<Wanted>,
        how: How<'_>,
    ) -> Result<Vec<EventBatch>, DoorError> {
        let meta = self.meta(part)?;
        let about = meta.metadata().row_group(group);
        if !may_match_statistics(about, wanted) {
            return Ok(vec![]);
        }
        let file = File::open(&part.path).map_err(|e| error(part, &e))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, meta.clone());
        if !may_match_filters(&builder, group, wanted).map_err(|e| error(part, &e))? {
            return Ok(vec![]);
        }
        let schema = meta.schema();
        let roots = |keep: &dyn Fn(&str) -> bool| {
            ProjectionMask::roots(
                meta.parquet_schema(),
                schema
                    .fields()
                    .iter()
                    .enumerate()
                    .filter(|(_, f)| keep(f.name()))
                    .map(|(i, _)| i),
            )
        };
        let rows = EventBatch::schema();
        // A column without a single value in the group is not read; it comes out as absent.
        let asked = wanted.columns();
        let checked = wanted.checked();
        let output = |only: Option<&[&str]>| {
            roots(&|name| {
                rows.field_with_name(name).is_ok()
                    && (name == "time" || !all_null(about, name))
                    && only.is_none_or(|o| {
                        // The times tell how many rows there are even when nothing else is asked.
                        o.contains(&name) || checked.contains(&name) || name == "time"
                    })
            })
        };
        let open = |batch: &RecordBatch| {
            columns::opened(batch, &self.ciphers).map_err(|column| {
                error(
                    part,
                    &format!("column {column} does not open with these keys"),
                )
            })
        };
        let mut builder = builder.with_row_groups(vec![group]).with_batch_size(BATCH);
        let mut only = None;
        match how {
            How::All => {}
            How::Columns(columns) => only = Some(columns),
            How::Chosen(columns, choose) => {
                // First the rows are chosen by a few columns, then the others are read and opened for those rows alone.
                let file = File::open(&part.path).map_err(|e| error(part, &e))?;
                let first = ParquetRecordBatchReaderBuilder::new_with_metadata(file, meta.clone())
                    .with_row_groups(vec![group])
                    .with_batch_size(BATCH)
                    .with_projection(output(Some(columns)))
                    .build()
                    .map_err(|e| error(part, &e))?;
                let mut chosen: Vec<Range<usize>> = vec![];
                let mut at = 0;
                for batch in first {
                    let rows = open(&batch.map_err(|e| error(part, &e))?)?;
                    for e in rows.iter() {
                        if wanted.select.matches(part.file, &e) && choose(part.file, &e) {
                            match chosen.last_mut() {
                                Some(run) if run.end == at => run.end += 1,
                                _ => chosen.push(at..at + 1),
                            }
                        }
                        at += 1;
                    }
                }
                if chosen.is_empty() {
                    return Ok(vec![]);
                }
                let chosen = RowSelection::from_consecutive_ranges(chosen.into_iter(), at);
                builder = builder.with_row_selection(chosen);
            }
        }
        builder = builder.with_projection(output(only));
        if !asked.is_empty() && !matches!(how, How::Chosen(..)) {
            let wanted = wanted.clone();
            let mask = roots(&|name| asked.contains(&name));
            builder = builder.with_row_filter(RowFilter::new(vec![Box::new(
                ArrowPredicateFn::new(mask, move |b| Ok(wanted.rows(&b))),
            )]));
        }
        let mut out = vec![];
        for batch in builder.build().map_err(|e| error(part, &e))? {
            let batch = batch.map_err(|e| error(part, &e))?;
            if batch.num_rows() == 0 {
                continue;
            }
            let rows = wanted.exact(part.file, open(&batch)?);
            if !rows.is_empty() {
                out.push(rows);
            }
        }
        Ok(out)
    }
}

pub(crate) fn error(part: &Part, e: &dyn std::fmt::Display) -> DoorError {
    DoorError::Read {
        path: part.name.clone(),
        message: e.to_string(),
    }
}

impl Door for LocalDoor {
    fn scan(
        &self,
        select: &Select,
        each: &mut dyn FnMut(FileId, &EventBatch),
    ) -> Result<(), DoorError> {
        self.run(select, How::All, each)
    }
    fn scan_columns(
        &self,
        select: &Select,
        columns: &[&str],
        each: &mut dyn FnMut(FileId, &EventBatch),
    ) -> Result<(), DoorError> {
        self.run(select, How::Columns(columns), each)
    }
    fn scan_chosen(
        &self,
        select: &Select,
        columns: &[&str],
        choose: &Choose<'_>,
        each: &mut dyn FnMut(FileId, &EventBatch),
    ) -> Result<(), DoorError> {
        self.run(select, How::Chosen(columns, choose), each)
    }
}

impl LocalDoor {
    fn run(
        &self,
        select: &Select,
        how: How<'_>,
        each: &mut dyn FnMut(FileId, &EventBatch),
    ) -> Result<(), DoorError> {
        let wanted = Arc::new(Wanted::new(select, &self.keys));
        let mut tasks: Vec<(&Part, usize)> = vec![];
        for part in &self.parts {
            if select.files.is_empty() || select.files.contains(&part.file) {
                let groups = self.meta(part)?.metadata().num_row_groups();
                tasks.extend((0..groups).map(|g| (part, g)));
            }
        }
        let threads = self.threads.min(tasks.len());
        if threads < 2 {
            for (part, g) in tasks {
                for rows in self.group(part, g, &wanted, how)? {
                    each(part.file, &rows);
                }
            }
            return Ok(());
        }
        // Thread t takes tasks t, t + n, …; one finished group may wait per thread, so memory stays bounded, and taking from
        // the threads in turn gives the order of the files whatever their pace.
        std::thread::scope(|scope| {
            let tasks = &tasks;
            let wanted = &wanted;
            let results: Vec<_> = (0..threads)
                .map(|t| {
                    let (send, receive) = sync_channel(1);
                    scope.spawn(move || {
                        for (part, g) in tasks.iter().skip(t).step_by(threads) {
                            // The receiver is gone when an earlier group failed: nobody wants more.
                            if send.send(self.group(part, *g, wanted, how)).is_err() {
                                return;
                            }
                        }
                    });
                    receive
                })
                .collect();
            for (i, (part, _)) in tasks.iter().enumerate() {
                match results[i % threads].recv() {
                    Ok(batches) => {
                        for rows in batches? {
                            each(part.file, &rows);
                        }
                    }
                    Err(_) => return Err(error(part, &"a reading thread ended early")),
                }
            }
            Ok(())
        })
    }
}

fn column_of<'a>(
    group: &'a RowGroupMetaData,
    path: &str,
) -> Option<(usize, &'a parquet::file::metadata::ColumnChunkMetaData)> {
    group
        .columns()
        .iter()
        .enumerate()
        .find(|(_, c)| c.column_path().string() == path)
}

fn all_null(group: &RowGroupMetaData, column: &str) -> bool {
    column_of(group, column).is_some_and(|(_, c)| {
        // Of texts the number of bytes is kept: what is absent and what is empty are the same.
        let nulls = c.statistics().and_then(Statistics::null_count_opt);
        nulls.is_some_and(|n| n as i64 == group.num_rows())
            || c.unencoded_byte_array_data_bytes() == Some(0)
    })
}

/// False only when the least and greatest values exclude every row.
fn may_match_statistics(group: &RowGroupMetaData, wanted: &Wanted) -> bool {
    if wanted.select.window != Window::ALL
        && let Some((_, c)) = column_of(group, "time")
        && let Some(Statistics::Int64(s)) = c.statistics()
        // A row without time matches every window.
        && s.null_count_opt() == Some(0)
        && let (Some(least), Some(greatest)) = (s.min_opt(), s.max_opt())
        && (*greatest < wanted.select.window.from || *least >= wanted.select.window.to)
    {
        return false;
    }
    if !wanted.verbs.is_empty()
        && let Some((_, c)) = column_of(group, "verb")
        && let Some(Statistics::Int32(s)) = c.statistics()
        && let (Some(least), Some(greatest)) = (s.min_opt(), s.max_opt())
        && !wanted
            .verbs
            .iter()
            .any(|v| (*least..=*greatest).contains(&i32::from(*v)))
    {
        return false;
    }
    // A condition on a column that is empty throughout excludes everything, unless it asks for the rows without a value.
    let empty = |set: &BTreeSet<String>, column| {
        !set.is_empty() && !set.contains("") && all_null(group, column)
    };
    !(empty(&wanted.accounts, "account_key")
        || empty(&wanted.session_ids, "session_id")
        || empty(&wanted.tokens, "subjects"))
}

/// False only when the bloom filters exclude every row.
fn may_match_filters(
    builder: &ParquetRecordBatchReaderBuilder<File>,
    group: usize,
    wanted: &Wanted,
) -> Result<bool, ParquetError> {
    let about = builder.metadata().row_group(group).clone();
    let may = |values: &BTreeSet<String>, column: &str| -> Result<bool, ParquetError> {
        if values.contains("") {
            // Absent is not in a filter.
            return Ok(true);
        }
        let Some((i, _)) = column_of(&about, column) else {
            return Ok(true);
        };
        Ok(match builder.get_row_group_column_bloom_filter(group, i)? {
            Some(filter) => values.iter().any(|v| filter.check(v.as_str())),
            None => true,
        })
    };
    if !wanted.accounts.is_empty() && !may(&wanted.accounts, "account_key")? {
        return Ok(false);
    }
    if !wanted.session_ids.is_empty() && !may(&wanted.session_ids, "session_id")? {
        return Ok(false);
    }
    if !wanted.tokens.is_empty() && !may(&wanted.tokens, columns::TOKENS_LEAF)? {
        return Ok(false);
    }
    if !wanted.addresses.is_empty()
        && all_null(&about, "forwarded_many")
        && !may(&wanted.addresses, "src_ip")?
        && !may(&wanted.addresses, "inner_ip")?
        && !may(&wanted.addresses, "forwarded")?
    {
        return Ok(false);
    }
    Ok(true)
}

impl Wanted {
    pub(crate) fn new(select: &Select, keys: &Keys) -> Wanted {
        let set = |v: &[String]| v.iter().cloned().collect::<BTreeSet<_>>();
        Wanted {
            accounts: set(&select.accounts),
            session_ids: set(&select.session_ids),
            addresses: set(&select.addresses),
            tokens: select.subjects.iter().map(|s| keys.token(s)).collect(),
            verbs: select.verbs.iter().map(|v| *v as u8).collect(),
            select: select.clone(),
        }
    }
    /// Stored columns the conditions are about.
    fn columns(&self) -> Vec<&'static str> {
        let mut out = vec![];
        if self.select.window != Window::ALL {
            out.push("time");
        }
        if !self.verbs.is_empty() {
            out.push("verb");
        }
        if !self.accounts.is_empty() {
            out.push("account_key");
        }
        if !self.session_ids.is_empty() {
            out.push("session_id");
        }
        if !self.tokens.is_empty() {
            out.push("subject_tokens");
        }
        if !self.addresses.is_empty() {
            out.extend(["src_ip", "inner_ip", "forwarded", "forwarded_many"]);
        }
        out
    }
    /// Columns [`Select::matches`] looks at for these conditions.
    fn checked(&self) -> Vec<&'static str> {
        let s = &self.select;
        let mut out = vec!["time"];
        for (asked, columns) in [
            (!s.verbs.is_empty(), &["verb"][..]),
            (!s.accounts.is_empty(), &["system", "domain", "user"]),
            (!s.session_ids.is_empty(), &["session_id"]),
            (
                !s.addresses.is_empty(),
                &["src_ip", "inner_ip", "forwarded"],
            ),
            (!s.subjects.is_empty(), &["subjects"]),
        ] {
            if asked {
                out.extend(columns);
            }
        }
        out
    }
    /// True for every row that may match.
    fn rows(&self, batch: &RecordBatch) -> BooleanArray {
        let mut keep = vec![true; batch.num_rows()];
        if let Some(time) = column::<TimestampNanosecondArray>(batch, "time") {
            for (i, k) in keep.iter_mut().enumerate() {
                *k &= time.is_null(i) || self.select.window.contains(time.value(i));
            }
        }
        if let Some(verb) = column::<UInt8Array>(batch, "verb") {
            for (i, k) in keep.iter_mut().enumerate() {
                // A code of a later version reads as the first word.
                let code = ampleur_event::Verb::from_code(verb.value(i)) as u8;
                *k &= self.verbs.contains(&code);
            }
        }
        for (name, values) in [
            ("account_key", &self.accounts),
            ("session_id", &self.session_ids),
        ] {
            if let Some(text) = column::<StringArray>(batch, name) {
                for (i, k) in keep.iter_mut().enumerate() {
                    *k = *k && values.contains(value(text, i));
                }
            }
        }
        if let Some(lists) = column::<ListArray>(batch, "subject_tokens") {
            for (i, k) in keep.iter_mut().enumerate() {
                *k = *k && !lists.is_null(i) && {
                    let list = lists.value(i);
                    list.as_any()
                        .downcast_ref::<StringArray>()
                        .is_some_and(|t| (0..t.len()).any(|j| self.tokens.contains(value(t, j))))
                };
            }
        }
        if !self.addresses.is_empty() {
            let many = column::<BooleanArray>(batch, "forwarded_many");
            let texts: Vec<&StringArray> = ["src_ip", "inner_ip", "forwarded"]
                .iter()
                .filter_map(|c| column::<StringArray>(batch, c))
                .collect();
            for (i, k) in keep.iter_mut().enumerate() {
                *k = *k
                    && (texts.iter().any(|t| self.addresses.contains(value(t, i)))
                        || many.is_some_and(|m| !m.is_null(i)));
            }
        }
        BooleanArray::from(keep)
    }
    /// Only the rows that do match.
    pub(crate) fn exact(&self, file: FileId, rows: EventBatch) -> EventBatch {
        let s = &self.select;
        let plain = s.accounts.is_empty()
            && s.session_ids.is_empty()
            && s.addresses.is_empty()
            && s.subjects.is_empty()
            && s.verbs.is_empty();
        if plain
            && rows
                .times()
                .iter()
                .all(|t| *t == NO_TIME || s.window.contains(*t))
        {
            return rows;
        }
        let keep: Vec<bool> = rows.iter().map(|e| s.matches(file, &e)).collect();
        if keep.iter().all(|k| *k) {
            return rows;
        }
        let mut out = EventBatch::default();
        for (i, k) in keep.iter().enumerate() {
            if *k {
                out.push(&rows.get(i));
            }
        }
        out
    }
}

fn column<'a, T: Array + 'static>(batch: &'a RecordBatch, name: &str) -> Option<&'a T> {
    batch.column_by_name(name)?.as_any().downcast_ref()
}

fn value(text: &StringArray, i: usize) -> &str {
    if text.is_null(i) { "" } else { text.value(i) }
}
