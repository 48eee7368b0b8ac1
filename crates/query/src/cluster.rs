//! The second back end (feature `cluster`): the same questions asked of DataFusion, and ad-hoc SQL over the stored rows.
//!
//! The only file of the project that names DataFusion. It reads the lake's Parquet as any other tool would; what it selects
//! is checked against [`Select::matches`] like everything else behind the door.
use crate::{Door, DoorError, FileId, Select, local::Part, local::Wanted, local::error};
use ampleur_event::{EventBatch, Verb, Window};
use ampleur_evidence::{Keys, Lake, columns};
use arrow_array::{Array, ArrayRef, BinaryArray, StringArray, UInt8Array};
use arrow_schema::DataType;
use datafusion::{
    execution::context::{SQLOptions, SessionConfig, SessionContext},
    logical_expr::{ColumnarValue, Expr, Volatility, col, create_udf, lit},
    prelude::ParquetReadOptions,
    scalar::ScalarValue,
};
use futures::StreamExt;
use std::sync::{Arc, mpsc::sync_channel};

/// Answers from DataFusion over the segments of a lake.
pub struct DatafusionDoor {
    parts: Vec<Part>,
    names: Vec<(FileId, String)>,
    keys: Keys,
}

/// What a statement returned, as text: one name per column, one value per column and row, empty for NULL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// A statement returns at most this many rows; the table then says so by its length.
const ROWS_MAX: usize = 1_000_000;

impl DatafusionDoor {
    /// As [`crate::LocalDoor::open`].
    pub fn open(
        lake: &Lake,
        keys: &Keys,
        files: &[(FileId, String)],
    ) -> Result<DatafusionDoor, DoorError> {
        let mut names = files.to_vec();
        names.sort();
        Ok(DatafusionDoor {
            parts: Part::list(lake, files),
            names,
            keys: keys.clone(),
        })
    }
    fn context() -> SessionContext {
        let mut config = SessionConfig::new()
            // One partition: rows leave in the order of the file.
            .with_target_partitions(1)
            .with_batch_size(8192)
            .with_information_schema(true);
        let parquet = &mut config.options_mut().execution.parquet;
        parquet.pushdown_filters = true;
        parquet.bloom_filter_on_read = true;
        // Plain text and bytes, as they are written, not views.
        parquet.schema_force_view_types = false;
        SessionContext::new_with_config(config)
    }
    /// Runs one read-only statement over the table `events`: the columns of a row, opened, with `file` (path relative to the
    /// case), `verb_word`, `account_key` and `subject_tokens` beside them.
    ///
    /// # Errors
    /// When the statement cannot be planned or run, or would change anything.
    pub fn sql(&self, text: &str) -> Result<Table, DoorError> {
        let failed = |e: &dyn std::fmt::Display| DoorError::Read {
            path: "sql".to_string(),
            message: e.to_string(),
        };
        let context = Self::context();
        for (name, cipher) in columns::ciphers(&self.keys) {
            context.register_udf(create_udf(
                &format!("open_{name}"),
                vec![DataType::Binary],
                DataType::Utf8,
                Volatility::Immutable,
                Arc::new(move |args: &[ColumnarValue]| {
                    let arrays = ColumnarValue::values_to_arrays(args)?;
                    let sealed = arrays[0].as_any().downcast_ref::<BinaryArray>();
                    let clear: StringArray = (0..arrays[0].len())
                        .map(|i| {
                            let b = sealed.filter(|s| !s.is_null(i))?;
                            cipher.open(b.value(i))
                        })
                        .collect();
                    Ok(ColumnarValue::Array(Arc::new(clear)))
                }),
            ));
        }
        context.register_udf(create_udf(
            "verb_word",
            vec![DataType::UInt8],
            DataType::Utf8,
            Volatility::Immutable,
            Arc::new(|args: &[ColumnarValue]| {
                let arrays = ColumnarValue::values_to_arrays(args)?;
                let codes = arrays[0].as_any().downcast_ref::<UInt8Array>();
                let words: StringArray = (0..arrays[0].len())
                    .map(|i| codes.map(|c| Verb::from_code(c.value(i)).word()))
                    .collect();
                Ok(ColumnarValue::Array(Arc::new(words)))
            }),
        ));
        let list: Vec<String> = columns::stored_schema()
            .fields()
            .iter()
            .map(|f| {
                let name = f.name();
                if columns::is_sealed(name) {
                    format!("open_{name}(\"{name}\") AS \"{name}\"")
                } else if name == "verb" {
                    "verb, verb_word(verb) AS verb_word".to_string()
                } else {
                    format!("\"{name}\"")
                }
            })
            .collect();
        let list = list.join(", ");
        let options = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        run(async {
            let mut union = vec![];
            for (i, part) in self.parts.iter().enumerate() {
                let path = part.path.to_string_lossy();
                context
                    .register_parquet(format!("part_{i}"), &*path, ParquetReadOptions::default())
                    .await
                    .map_err(|e| failed(&e))?;
                let file = self
                    .names
                    .iter()
                    .find(|n| n.0 == part.file)
                    .map_or("", |n| &n.1)
                    .replace('\'', "''");
                union.push(format!("SELECT '{file}' AS file, {list} FROM part_{i}"));
            }
            if !union.is_empty() {
                let view = format!("CREATE VIEW events AS {}", union.join(" UNION ALL "));
                context
                    .sql(&view)
                    .await
                    .map_err(|e| failed(&e))?
                    .collect()
                    .await
                    .map_err(|e| failed(&e))?;
            }
            let frame = context
                .sql_with_options(text, options)
                .await
                .map_err(|e| failed(&e))?;
            let mut table = Table {
                columns: frame
                    .schema()
                    .fields()
                    .iter()
                    .map(|f| f.name().clone())
                    .collect(),
                rows: vec![],
            };
            let mut stream = frame.execute_stream().await.map_err(|e| failed(&e))?;
            while let Some(batch) = stream.next().await {
                let batch = batch.map_err(|e| failed(&e))?;
                for row in 0..batch.num_rows() {
                    if table.rows.len() == ROWS_MAX {
                        return Ok(table);
                    }
                    let values: Result<Vec<String>, DoorError> = batch
                        .columns()
                        .iter()
                        .map(|c| shown(c, row).map_err(|e| failed(&e)))
                        .collect();
                    table.rows.push(values?);
                }
            }
            Ok(table)
        })
    }
}

fn shown(column: &ArrayRef, row: usize) -> Result<String, datafusion::error::DataFusionError> {
    if column.is_null(row) {
        return Ok(String::new());
    }
    Ok(ScalarValue::try_from_array(column, row)?.to_string())
}

/// Runs to the end on a thread of its own, so that it may be called from inside another runtime.
fn run<T: Send>(work: impl Future<Output = Result<T, DoorError>> + Send) -> Result<T, DoorError> {
    let failed = |message: &str| DoorError::Read {
        path: "runtime".to_string(),
        message: message.to_string(),
    };
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                tokio::runtime::Builder::new_current_thread()
                    .build()
                    .map_err(|e| failed(&e.to_string()))?
                    .block_on(work)
            })
            .join()
            .unwrap_or_else(|_| Err(failed("the query ended early")))
    })
}

fn any_of(column: &str, values: &[String]) -> Expr {
    // Absent is NULL where it is stored and empty where it is asked.
    let list: Vec<Expr> = values
        .iter()
        .filter(|v| !v.is_empty())
        .map(|v| lit(v.as_str()))
        .collect();
    let named = col(column).in_list(list, false);
    if values.iter().any(String::is_empty) {
        named.or(col(column).is_null())
    } else {
        named
    }
}

/// True for every row that may match; [`Select::matches`] has the last word.
fn predicate(select: &Select) -> Option<Expr> {
    let mut all: Vec<Expr> = vec![];
    if select.window != Window::ALL {
        let at = |t| {
            lit(ScalarValue::TimestampNanosecond(
                Some(t),
                Some("UTC".into()),
            ))
        };
        all.push(
            col("time").is_null().or(col("time")
                .gt_eq(at(select.window.from))
                .and(col("time").lt(at(select.window.to)))),
        );
    }
    if !select.verbs.is_empty() {
        let codes: Vec<Expr> = select.verbs.iter().map(|v| lit(*v as u8)).collect();
        let mut verbs = col("verb").in_list(codes, false);
        if select.verbs.contains(&Verb::from_code(u8::MAX)) {
            // A code of a later version reads as the first word.
            let last = Verb::ALL.iter().map(|v| *v as u8).max().unwrap_or(0);
            verbs = verbs.or(col("verb").gt(lit(last)));
        }
        all.push(verbs);
    }
    if !select.accounts.is_empty() {
        all.push(any_of("account_key", &select.accounts));
    }
    if !select.session_ids.is_empty() {
        all.push(any_of("session_id", &select.session_ids));
    }
    if !select.subjects.is_empty() {
        all.push(col("subject_tokens").is_not_null());
    }
    if !select.addresses.is_empty() {
        all.push(
            any_of("src_ip", &select.addresses)
                .or(any_of("inner_ip", &select.addresses))
                .or(any_of("forwarded", &select.addresses))
                .or(col("forwarded_many").is_not_null()),
        );
    }
    all.into_iter().reduce(Expr::and)
}

impl Door for DatafusionDoor {
    fn scan(
        &self,
        select: &Select,
        each: &mut dyn FnMut(FileId, &EventBatch),
    ) -> Result<(), DoorError> {
        let wanted = Wanted::new(select, &self.keys);
        let ciphers = columns::ciphers(&self.keys);
        std::thread::scope(|scope| {
            // The rows are handed over one batch at a time: `each` stays on the caller's thread, memory stays bounded.
            let (send, receive) = sync_channel::<Result<(FileId, EventBatch), DoorError>>(1);
            let (wanted, ciphers) = (&wanted, &ciphers);
            scope.spawn(move || {
                let result = run(async {
                    let context = Self::context();
                    for part in &self.parts {
                        if !select.files.is_empty() && !select.files.contains(&part.file) {
                            continue;
                        }
                        let path = part.path.to_string_lossy();
                        let mut frame = context
                            .read_parquet(&*path, ParquetReadOptions::default())
                            .await
                            .map_err(|e| error(part, &e))?;
                        if let Some(p) = predicate(select) {
                            frame = frame.filter(p).map_err(|e| error(part, &e))?;
                        }
                        let mut stream =
                            frame.execute_stream().await.map_err(|e| error(part, &e))?;
                        while let Some(batch) = stream.next().await {
                            let batch = batch.map_err(|e| error(part, &e))?;
                            if batch.num_rows() == 0 {
                                continue;
                            }
                            let rows = columns::opened(&batch, ciphers).map_err(|column| {
                                error(
                                    part,
                                    &format!("column {column} does not open with these keys"),
                                )
                            })?;
                            let rows = wanted.exact(part.file, rows);
                            if !rows.is_empty() && send.send(Ok((part.file, rows))).is_err() {
                                return Ok(());
                            }
                        }
                    }
                    Ok(())
                });
                if let Err(e) = result {
                    // Nobody listens any more when the caller has gone.
                    let _ = send.send(Err(e));
                }
            });
            for item in receive {
                let (file, rows) = item?;
                each(file, &rows);
            }
            Ok(())
        })
    }
}
