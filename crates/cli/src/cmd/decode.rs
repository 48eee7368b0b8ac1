//! `ampleur decode`: one JSON object per event, rejects on standard error with their offsets.
use crate::{
    exit::Exit,
    shell::{Shell, refuse},
};
use ampleur_sources::{
    Reject, Setting, Source, by_name, canonical, nearest_name,
    reader::{FileSink, Limits, Piece, SinkError, read_bytes, read_path},
};
use anyhow::Context as _;
use std::{
    io::{self, BufWriter, Read, Write},
    path::PathBuf,
};

/// Bytes taken from standard input; a file has no such limit.
const STDIN_MAX: u64 = 1 << 30;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur decode logs/vpn/vpn-2023-06-24.log
  ampleur decode --format http-access --timezone Europe/Paris access.log | head
  zcat audit.gz | ampleur decode -

Compressed files (.gz .zst .zip .bz2 .xz) are read through. Exit code 3 when a file could not be read, no source knows it, or more than one record in a hundred was rejected.")]
pub struct Args {
    /// Files to decode; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Name of the source, instead of looking at the content (`ampleur sources list`).
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,
    /// A mapping file that describes the format (`ampleur sources learn` proposes one).
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    pub mapping: Option<PathBuf>,
    /// Zone of times that carry none.
    #[arg(long, value_name = "ZONE", env = "AMPLEUR_TIMEZONE")]
    pub timezone: Option<String>,
    /// Year of times that carry none.
    #[arg(long, value_name = "YEAR")]
    pub year: Option<i16>,
    /// Seconds added to every time.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        allow_hyphen_values = true
    )]
    pub clock_offset: i64,
    /// Custom log layout: nginx log_format, Apache LogFormat, PostgreSQL log_line_prefix.
    #[arg(long, value_name = "LAYOUT")]
    pub layout: Option<String>,
}

struct Lines<'a, W: Write> {
    out: &'a mut W,
    name: String,
    source: &'static str,
    quiet: bool,
}

impl<W: Write> FileSink for Lines<'_, W> {
    fn begin(&mut self, _: u32, source: Option<&'static dyn Source>) -> Result<(), SinkError> {
        self.source = source.map_or("unknown", |s| s.name());
        Ok(())
    }
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), SinkError> {
        for e in piece.events.iter() {
            serde_json::to_writer(&mut self.out, &canonical(self.source, &e))
                .map_err(io::Error::from)?;
            self.out.write_all(b"\n")?;
        }
        if !self.quiet {
            let mut err = io::stderr().lock();
            for Reject {
                record,
                offset,
                len,
                reason,
                ..
            } in piece.rejects
            {
                let _ = writeln!(
                    err,
                    "{}: record {record} at byte {offset}, {len} bytes: {reason}",
                    self.name
                );
            }
        }
        Ok(())
    }
}

pub fn run(args: &Args, shell: &Shell) -> anyhow::Result<Exit> {
    let format = match &args.format {
        None => None,
        Some(name) => Some(by_name(name).ok_or_else(|| {
            let near = nearest_name(name)
                .map(|n| format!("did you mean `{n}`? "))
                .unwrap_or_default();
            refuse(
                format!("find format `{name}`"),
                format!("{near}`ampleur sources list` shows every format"),
            )
        })?),
    };
    let format = match &args.mapping {
        None => format,
        Some(path) => Some(super::sources::mapping(path)?),
    };
    let zone = match &args.timezone {
        None => None,
        Some(z) => Some(jiff::tz::TimeZone::get(z).map_err(|_| {
            refuse(
                format!("find time zone `{z}`"),
                "use an IANA name such as Europe/Paris",
            )
        })?),
    };
    let setting = Setting {
        zone,
        clock_offset: args.clock_offset.saturating_mul(1_000_000_000),
        layout: args.layout.clone(),
        year_hint: args.year,
        ..Setting::default()
    };
    let limits = Limits::default();
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut exit = Exit::Done;
    for path in &args.files {
        let name = path.display().to_string();
        let mut sink = Lines {
            out: &mut out,
            name: name.clone(),
            source: "unknown",
            quiet: shell.quiet,
        };
        let read = if name == "-" {
            let mut bytes = Vec::new();
            io::stdin()
                .lock()
                .take(STDIN_MAX)
                .read_to_end(&mut bytes)
                .context("read standard input")?;
            read_bytes(&bytes, 0, format, &setting, &limits, &mut sink)
        } else {
            read_path(path, 0, format, &setting, &limits, &mut sink)
        };
        match read {
            Ok(r) => {
                if r.format == "unknown" && r.records > r.skipped || r.rejects * 100 > r.records {
                    exit = exit.and(Exit::Part);
                }
                shell.note(&format!(
                    "{name}: {}, {} records = {} events + {} rejects + {} skipped",
                    r.format, r.records, r.events, r.rejects, r.skipped
                ));
                for n in &r.notes {
                    shell.note(&format!("{name}: {n}"));
                }
            }
            Err(e) => {
                let e = anyhow::Error::new(e);
                if closed(&e) {
                    return Ok(Exit::Done);
                }
                shell.fail(&e);
                exit = exit.and(Exit::Part);
            }
        }
    }
    out.flush().context("write output")?;
    Ok(exit)
}

/// The sink's own error travels inside the reader's, as text for the type system and as a cause for us.
fn closed(e: &anyhow::Error) -> bool {
    if crate::shell::closed_pipe(e) {
        return true;
    }
    match e.downcast_ref::<ampleur_sources::reader::ReadError>() {
        Some(ampleur_sources::reader::ReadError::Sink { source, .. }) => source
            .downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe),
        _ => false,
    }
}
