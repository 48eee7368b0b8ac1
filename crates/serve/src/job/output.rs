//! Files of an answer (design §5): JSON, tables, reports, Parquet, and a bundle of the evidence cited.
use super::{JobError, investigate::Options};
use ampleur_evidence::{Citation, Lake, bundle};
use ampleur_extent::model::{Answer, PersonRow};
use ampleur_notice as notice;
use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use std::{
    fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Writes one file beside its final name, then moves it there: a reader never sees half a report.
pub(super) fn write(
    path: &Path,
    body: impl FnOnce(&mut dyn Write) -> Result<(), JobError>,
) -> Result<(), JobError> {
    let partial = path.with_extension("partial");
    let file = fs::File::create(&partial).map_err(|e| JobError::file("write", &partial, e))?;
    let mut out = BufWriter::new(file);
    body(&mut out)?;
    out.flush()
        .map_err(|e| JobError::file("write", &partial, e))?;
    fs::rename(&partial, path).map_err(|e| JobError::file("write", path, e))
}

/// Everything but the evidence bundle. `persons` are written as they are: tokens or clear, the caller has chosen.
pub fn write_all(
    answer: &Answer,
    persons: &[PersonRow],
    out: &Path,
    options: &notice::Options,
) -> Result<Vec<PathBuf>, JobError> {
    let at = |name: &str| out.join(name);
    let mut made = vec![];
    let mut put = |name: &str,
                   body: &mut dyn FnMut(&mut dyn Write) -> Result<(), JobError>|
     -> Result<(), JobError> {
        write(&at(name), |w| body(w))?;
        made.push(at(name));
        Ok(())
    };
    put("extent.json", &mut |w| Ok(notice::tables::json(answer, w)?))?;
    if let Some(found) = &options.findings {
        put("findings.json", &mut |w| {
            Ok(notice::tables::findings(found, w)?)
        })?;
    }
    put("persons.csv", &mut |w| {
        Ok(notice::tables::persons(persons, w)?)
    })?;
    put("sessions.csv", &mut |w| {
        Ok(notice::tables::sessions(answer, w)?)
    })?;
    put("timeline.csv", &mut |w| {
        Ok(notice::tables::timeline(answer, w)?)
    })?;
    put("report.html", &mut |w| {
        w.write_all(notice::html::report(answer, persons, options).as_bytes())
            .map_err(|e| JobError::file("write", at("report.html"), e))
    })?;
    put("report.pdf", &mut |w| {
        w.write_all(&notice::pdf::report(answer, persons, options)?)
            .map_err(|e| JobError::file("write", at("report.pdf"), e))
    })?;
    put("disclosures.parquet", &mut |w| {
        disclosures(persons, w).map_err(|e| JobError::file("write", at("disclosures.parquet"), e))
    })?;
    Ok(made)
}

/// `disclosures.parquet`: the rows of `persons.csv` as columns; lists are one text with blanks, as there. Times RFC 3339 UTC.
fn disclosures(
    persons: &[PersonRow],
    out: &mut dyn Write,
) -> Result<(), parquet::errors::ParquetError> {
    let text = |f: &dyn Fn(&PersonRow) -> String| -> ArrayRef {
        Arc::new(persons.iter().map(|p| Some(f(p))).collect::<StringArray>())
    };
    let names = [
        "subject",
        "establishment",
        "category",
        "verdict",
        "certainty",
        "first",
        "last",
        "sessions",
        "evidence",
    ];
    let mut fields: Vec<Field> = names
        .iter()
        .map(|n| Field::new(*n, DataType::Utf8, false))
        .collect();
    fields.push(Field::new("events", DataType::UInt64, false));
    let schema = Arc::new(Schema::new(fields));
    let columns: Vec<ArrayRef> = vec![
        text(&|p| p.subject.clone()),
        text(&|p| p.establishment.clone()),
        text(&|p| p.category.clone()),
        text(&|p| p.verdict.clone()),
        text(&|p| p.certainty.clone()),
        text(&|p| p.first.clone()),
        text(&|p| p.last.clone()),
        text(&|p| p.sessions.join(" ")),
        text(&|p| p.evidence.join(" ")),
        Arc::new(UInt64Array::from(
            persons.iter().map(|p| p.events).collect::<Vec<_>>(),
        )),
    ];
    let batch = RecordBatch::try_new(schema.clone(), columns)?;
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_compression(parquet::basic::Compression::ZSTD(
            parquet::basic::ZstdLevel::default(),
        ))
        .set_created_by("ampleur".into())
        .build();
    // The Parquet writer wants `Send`; the rows are few against the evidence, so they are laid out in memory first.
    let mut bytes = Vec::new();
    let mut w = parquet::arrow::ArrowWriter::try_new(&mut bytes, schema, Some(properties))?;
    w.write(&batch)?;
    w.close()?;
    out.write_all(&bytes)
        .map_err(|e| parquet::errors::ParquetError::External(Box::new(e)))
}

/// What the caller decided that shows in reports.
pub(super) fn notice_options(
    options: &Options,
    context: &ampleur_event::Context,
) -> notice::Options {
    notice::Options {
        lang: options.lang,
        zone: context.zone(),
        zone_name: context.timezone.clone().unwrap_or_else(|| "UTC".into()),
        establishments: context
            .establishments
            .iter()
            .filter(|e| !e.name.is_empty())
            .map(|e| (e.id.clone(), e.name.clone()))
            .collect(),
        simulated: options.simulated,
        findings: None,
    }
}

/// The checkpoint, the records cited and their proofs, for somebody without the lake.
pub(super) fn evidence_zip(lake: &Lake, cited: &[Citation], path: &Path) -> Result<(), JobError> {
    let partial = path.with_extension("partial");
    let file = fs::File::create(&partial).map_err(|e| JobError::file("write", &partial, e))?;
    bundle::export(lake, cited, BufWriter::new(file))?;
    fs::rename(&partial, path).map_err(|e| JobError::file("write", path, e))
}

/// Keeps the answer in the lake, under its incident and version; a version once kept is never replaced.
pub(super) fn keep_case(lake: &Lake, answer: &Answer, out: &Path) -> Result<(), JobError> {
    let place = lake.root().join("cases").join(&answer.incident);
    let written = |path: &Path| fs::read(path).map_err(|e| JobError::file("read", path, e));
    let mine = written(&out.join("extent.json"))?;
    // The same version may be given again in another form, or after an overrule: nothing that was given is replaced.
    let mut dir = place.join(answer.version.to_string());
    let mut again = 1;
    while dir.exists() {
        if fs::read(dir.join("extent.json")).is_ok_and(|kept| kept == mine) {
            return Ok(());
        }
        again += 1;
        dir = place.join(format!("{}-{again}", answer.version));
    }
    fs::create_dir_all(&dir).map_err(|e| JobError::file("make folder", &dir, e))?;
    for name in ["extent.json", "report.html", "report.pdf"] {
        fs::copy(out.join(name), dir.join(name))
            .map_err(|e| JobError::file("keep", dir.join(name), e))?;
    }
    fs::write(dir.join("checkpoint"), lake.checkpoint().note)
        .map_err(|e| JobError::file("keep", dir.join("checkpoint"), e))
}
