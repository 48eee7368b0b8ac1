//! Decoding speed of one source on one file: `cargo run --release -p ampleur-sources --example rate -- FILE [SOURCE] [REPEAT]`. Prints
//! lines and bytes per second of one core, reading and columns included.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use ampleur_sources::{
    FileSink, Limits, Piece, Setting, by_name,
    reader::{SinkError, read_bytes},
};
use std::time::Instant;

struct Count(u64);
impl FileSink for Count {
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), SinkError> {
        self.0 += piece.events.len() as u64;
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("a file is needed")?;
    let source = args.next().and_then(|n| by_name(&n));
    let repeat: usize = args.next().and_then(|n| n.parse().ok()).unwrap_or(1);
    let bytes = std::fs::read(path)?.repeat(repeat);
    let setting = Setting {
        zone: ampleur_sources::time::zone("Europe/Paris"),
        ..Setting::default()
    };
    for _ in 0..3 {
        let mut sink = Count(0);
        let t = Instant::now();
        let r = read_bytes(&bytes, 0, source, &setting, &Limits::default(), &mut sink)?;
        let s = t.elapsed().as_secs_f64();
        println!(
            "{}: {} records, {} events, {} rejects in {s:.2} s: {:.0} records/s, {:.0} MB/s",
            r.format,
            r.records,
            sink.0,
            r.rejects,
            r.records as f64 / s,
            bytes.len() as f64 / s / 1e6
        );
    }
    Ok(())
}
