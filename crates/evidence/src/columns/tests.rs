//! What is written, held against the library's own writer: the same rows, read back by the library's reader.
use super::*;
use crate::store::FolderStore;
use ampleur_event::{Event, Outcome, Verb};
use arrow_array::{
    StringArray,
    builder::{BinaryBuilder, BooleanBuilder, ListBuilder},
    cast::AsArray,
};
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    file::{
        properties::ReaderProperties,
        reader::{FileReader, SerializedFileReader},
        serialized_reader::ReadOptionsBuilder,
        statistics::Statistics,
    },
};
use proptest::prelude::*;

/// The rows as Arrow, as the library would be given them.
fn reference(rows: &EventBatch, keys: &Keys) -> RecordBatch {
    let n = rows.len();
    let texts = |name: &str| -> Vec<String> {
        let c = rows.text(name).unwrap();
        (0..n).map(|i| c.get(i).to_string()).collect()
    };
    let absent = |s: &String| (!s.is_empty()).then(|| s.clone());
    let column = |field: &Field| -> ArrayRef {
        let name = field.name().as_str();
        match (name, rows.column(name)) {
            ("account_key", _) => {
                let keys = rows.iter().map(|e| {
                    let a = Account::new(e.system, &e.domain, &e.user);
                    a.filter(|_| !e.user.is_empty()).map(|a| a.key())
                });
                Arc::new(StringArray::from_iter(keys))
            }
            ("forwarded_many", _) => {
                let mut out = BooleanBuilder::new();
                for v in texts("forwarded") {
                    out.append_option((v.contains(',') || v.trim() != v).then_some(true));
                }
                Arc::new(out.finish())
            }
            ("subject_tokens", _) => {
                let mut out = ListBuilder::new(StringBuilder::new());
                for v in texts("subjects") {
                    let named = v.split('\n').filter(|s| !s.is_empty());
                    let tokens: Vec<String> = named.map(|s| keys.token(s)).collect();
                    tokens.iter().for_each(|t| out.values().append_value(t));
                    out.append(!tokens.is_empty());
                }
                Arc::new(out.finish())
            }
            (_, Some(Column::Text(_))) if is_sealed(name) => {
                let cipher = keys.column(SEALED.iter().find(|s| **s == name).unwrap());
                let mut out = BinaryBuilder::new();
                for v in texts(name) {
                    out.append_option((!v.is_empty()).then(|| cipher.seal(&v)));
                }
                Arc::new(out.finish())
            }
            (_, Some(Column::Text(_))) => {
                Arc::new(StringArray::from_iter(texts(name).iter().map(absent)))
            }
            (_, Some(Column::Times(v))) => {
                let v = v.iter().map(|t| (*t != NO_TIME).then_some(*t));
                Arc::new(TimestampNanosecondArray::from_iter(v).with_timezone("UTC"))
            }
            (_, Some(Column::Numbers(v))) if !field.is_nullable() => {
                Arc::new(UInt64Array::from(v.to_vec()))
            }
            (_, Some(Column::Numbers(v))) => {
                let v = v.iter().map(|n| (*n != NONE).then_some(*n));
                Arc::new(UInt64Array::from_iter(v))
            }
            (_, Some(Column::Codes(v))) => Arc::new(arrow_array::UInt8Array::from(v.to_vec())),
            (_, Some(Column::NoNumbers) | None) => {
                arrow_array::new_null_array(field.data_type(), n)
            }
        }
    };
    let columns = stored_schema().fields().iter().map(|f| column(f)).collect();
    RecordBatch::try_new(stored_schema(), columns).unwrap()
}

fn keys() -> Arc<Keys> {
    let mut n = 0u8;
    let mut random = |bytes: &mut [u8]| {
        for b in bytes {
            n = n.wrapping_mul(181).wrapping_add(59);
            *b = n;
        }
    };
    Arc::new(Keys::generate(&mut random).0)
}

fn read(bytes: Vec<u8>) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
    let schema = builder.schema().clone();
    let rows = builder.metadata().file_metadata().num_rows() as usize;
    // One batch of all rows.
    let mut batches = builder.with_batch_size(rows.max(1)).build().unwrap();
    batches
        .next()
        .map_or_else(|| RecordBatch::new_empty(schema), Result::unwrap)
}

/// Writes the batches both ways, reads both, and looks at what ours says of its pages and filters.
fn same(batches: &[EventBatch]) {
    let keys = keys();
    let dir = tempfile::tempdir().unwrap();
    let store = FolderStore::new(dir.path());
    let mut ours = ParquetSink::create(&store, "rows", &keys).unwrap();
    let mut theirs = ArrowWriter::try_new(vec![], stored_schema(), None).unwrap();
    for batch in batches {
        ours.write(batch).unwrap();
        theirs.write(&reference(batch, &keys)).unwrap();
    }
    ours.finish().unwrap();
    let bytes = std::fs::read(dir.path().join("rows")).unwrap();
    let (got, expected) = (read(bytes.clone()), read(theirs.into_inner().unwrap()));
    assert_eq!(got.schema(), expected.schema());
    for (i, field) in stored_schema().fields().iter().enumerate() {
        assert!(
            got.column(i) == expected.column(i),
            "{} differs: {:?} and not {:?}",
            field.name(),
            got.column(i),
            expected.column(i)
        );
    }
    let filters = ReaderProperties::builder().set_read_bloom_filter(true);
    let options = ReadOptionsBuilder::new().with_page_index();
    let options = options.with_reader_properties(filters.build()).build();
    let file = SerializedFileReader::new_with_options(bytes::Bytes::from(bytes), options).unwrap();
    let metadata = file.metadata();
    let mut from = 0;
    for (g, group) in metadata.row_groups().iter().enumerate() {
        let rows = group.num_rows() as usize;
        assert!(rows <= crate::pages::ROW_GROUP);
        let part = got.slice(from, rows);
        from += rows;
        let reader = file.get_row_group(g).unwrap();
        for (c, column) in group.columns().iter().enumerate() {
            let path = column.column_path().string();
            let values: Vec<Option<String>> = strings(part.column(c));
            let filter = reader.get_column_bloom_filter(c);
            assert_eq!(
                filter.is_some(),
                FILTERED.contains(&path.as_str()),
                "{path}"
            );
            if let Some(filter) = filter {
                for v in values.iter().flatten() {
                    assert!(filter.check(&v.as_str()), "{path} is filtered without {v}");
                }
            }
            let offsets = &metadata.offset_index().unwrap()[g][c].page_locations;
            assert_eq!(offsets[0].first_row_index, 0);
            assert!(offsets.is_sorted_by_key(|p| p.first_row_index), "{path}");
            if path == "time" {
                ranges(&file, g, c, part.column(c));
            }
        }
    }
    assert_eq!(from, batches.iter().map(EventBatch::len).sum::<usize>());
}

/// Every text of a column, the lists' too.
fn strings(a: &ArrayRef) -> Vec<Option<String>> {
    match a.data_type() {
        DataType::Utf8 => {
            let a = a.as_string::<i32>();
            a.iter().map(|v| v.map(str::to_string)).collect()
        }
        DataType::List(_) => {
            let lists = a.as_list::<i32>().iter().flatten();
            lists.flat_map(|l| strings(&l)).collect()
        }
        _ => vec![],
    }
}

/// The least and greatest that are said of a group's times, and of its pages, are those that stand there.
fn ranges(file: &SerializedFileReader<bytes::Bytes>, g: usize, c: usize, times: &ArrayRef) {
    let metadata = file.metadata();
    let times = times.as_primitive::<arrow_array::types::TimestampNanosecondType>();
    let of = |from: usize, to: usize| {
        let part = (from..to)
            .filter(|i| times.is_valid(*i))
            .map(|i| times.value(i));
        part.clone().min().zip(part.max())
    };
    let Some(Statistics::Int64(told)) = metadata.row_group(g).column(c).statistics() else {
        panic!("no range of times");
    };
    let told_range = told.min_opt().copied().zip(told.max_opt().copied());
    assert_eq!(told_range, of(0, times.len()));
    assert_eq!(told.null_count_opt(), Some(times.null_count() as u64));
    let pages = &metadata.offset_index().unwrap()[g][c].page_locations;
    let parquet::file::page_index::column_index::ColumnIndexMetaData::INT64(index) =
        &metadata.column_index().unwrap()[g][c]
    else {
        panic!("no ranges of pages");
    };
    for (p, page) in pages.iter().enumerate() {
        let end = pages
            .get(p + 1)
            .map_or(times.len(), |n| n.first_row_index as usize);
        let said = index.min_value(p).copied().zip(index.max_value(p).copied());
        assert_eq!(said, of(page.first_row_index as usize, end), "page {p}");
    }
}

/// How the values of a column come, row by row.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Never,
    Same,
    Few,
    Fresh,
    Rare,
    Long,
    Stretches,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Never),
        Just(Kind::Same),
        Just(Kind::Few),
        Just(Kind::Fresh),
        Just(Kind::Rare),
        Just(Kind::Long),
        Just(Kind::Stretches),
    ]
}

fn value(kind: Kind, i: u64) -> String {
    let mixed = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    match kind {
        Kind::Never => String::new(),
        Kind::Same => "always".into(),
        Kind::Few => format!("é{}", mixed % 37),
        Kind::Fresh => format!("fresh {i}"),
        Kind::Rare if mixed.is_multiple_of(1000) => format!("rare {}", mixed % 7),
        Kind::Rare => String::new(),
        Kind::Long if mixed.is_multiple_of(50) => "long ".repeat(1000 + (mixed % 3000) as usize),
        Kind::Long => format!("{}", mixed % 3),
        Kind::Stretches if (i / 3000).is_multiple_of(2) => String::new(),
        Kind::Stretches => format!("{}", i / 700),
    }
}

fn number(kind: Kind, i: u64) -> u64 {
    let mixed = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    match kind {
        Kind::Never => NONE,
        Kind::Same => 7,
        Kind::Few => mixed >> 60,
        Kind::Fresh => mixed.min(NONE - 1),
        Kind::Rare if mixed.is_multiple_of(1000) => i,
        Kind::Long => i * 3,
        Kind::Stretches if i / 3000 % 2 == 1 => i / 900,
        Kind::Rare | Kind::Stretches => NONE,
    }
}

fn batch(rows: std::ops::Range<u64>, kinds: &[Kind]) -> EventBatch {
    let k = |at: usize| kinds[at % kinds.len()];
    let mut b = EventBatch::default();
    for i in rows {
        let (t, n) = (|at: usize| value(k(at), i), |at: usize| number(k(at), i));
        b.push(&Event {
            record: i + 1,
            offset: i * 100 + i % 7,
            len: 90 + i % 31,
            time: match n(0) {
                NONE => NO_TIME,
                n => (n >> 2) as i64 - i64::from(u32::MAX),
            },
            time_alt: match n(3) {
                NONE => NO_TIME,
                n => n as i64,
            },
            verb: Verb::from_code((i / 40 % 5) as u8),
            outcome: Outcome::from_code((i % 3) as u8),
            system: System::from_code((i / 9000 % 4) as u8),
            user: t(1).into(),
            domain: t(2).into(),
            user_name: t(3).into(),
            src_ip: t(4).into(),
            forwarded: match k(5) {
                Kind::Few => format!("{},{}", t(5), t(4)).into(),
                _ => t(5).into(),
            },
            session_id: t(6).into(),
            url: t(0).into(),
            object: t(5).into(),
            subjects: match k(1) {
                Kind::Fresh | Kind::Few => format!("{}\n\n{}|{i}", t(1), t(2)).into(),
                _ => t(1).into(),
            },
            reason: t(2).into(),
            extra: t(6).into(),
            src_port: n(1),
            dst_port: n(2),
            status: n(4),
            bytes_in: n(5),
            code: n(6),
            ..Event::default()
        });
    }
    b
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn rows_come_back_as_the_librarys_writer_would_have_them(
        kinds in prop::collection::vec(kind(), 7),
        sizes in prop::collection::vec(1u64..9000, 1..5),
    ) {
        let mut from = 0;
        let batches: Vec<EventBatch> = sizes
            .iter()
            .map(|n| {
                from += n;
                batch(from - n..from, &kinds)
            })
            .collect();
        same(&batches);
    }
}

#[test]
fn row_groups_follow_one_another() {
    use Kind::{Few, Fresh, Long, Never, Rare, Same, Stretches};
    for kinds in [
        [Fresh, Few, Same, Rare, Never, Stretches, Fresh],
        [Few, Fresh, Rare, Stretches, Fresh, Few, Long],
        [Never, Never, Never, Never, Never, Never, Never],
    ] {
        // A batch that ends with a group, one that goes over its end, one row behind.
        let ends = [0, 60_000, 65_536, 131_000, 150_000, 150_001];
        let batches: Vec<EventBatch> = ends.windows(2).map(|e| batch(e[0]..e[1], &kinds)).collect();
        same(&batches);
    }
}
