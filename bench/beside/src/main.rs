//! `beside-rsigma FORMAT ADDRESS BYTES FILE`: decodes each record of FILE on one thread, as rsigma does before it asks its rules, takes
//! the two fields named, and prints `records addresses bytes`. FORMAT is `cef`, `json`, `logfmt` or `evtx`.
use rsigma_eval::{Event, JsonEvent};
use rsigma_runtime::{EvtxFileReader, InputFormat, parse_line};
use std::{
    collections::BTreeSet,
    error::Error,
    fs::File,
    io::{BufRead, BufReader},
};

#[derive(Default)]
struct Facts {
    records: u64,
    bytes: u64,
    addresses: BTreeSet<String>,
}

impl Facts {
    fn take(&mut self, event: &impl Event, address: &str, bytes: &str) {
        self.records += 1;
        let field = |name: &str| event.get_field(name).and_then(|v| v.as_str().map(|s| s.into_owned()));
        self.bytes += field(bytes).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        if let Some(address) = field(address)
            && !self.addresses.contains(&address)
        {
            self.addresses.insert(address);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [format, address, bytes, file] = &args[..] else {
        return Err("usage: beside-rsigma cef|json|logfmt|evtx ADDRESS BYTES FILE".into());
    };
    let mut facts = Facts::default();
    let format = match format.as_str() {
        "cef" => InputFormat::Cef,
        "json" => InputFormat::Json,
        "logfmt" => InputFormat::Logfmt,
        "evtx" => {
            for record in EvtxFileReader::open(file)?.records() {
                facts.take(&JsonEvent::owned(record?), address, bytes);
            }
            println!("{} {} {}", facts.records, facts.addresses.len(), facts.bytes);
            return Ok(());
        }
        other => return Err(format!("no decoder for {other}").into()),
    };
    let mut input = BufReader::with_capacity(1 << 20, File::open(file)?);
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 {
        let event = parse_line(line.trim_end(), &format).ok_or("a line it does not read")?;
        facts.take(&event, address, bytes);
        line.clear();
    }
    println!("{} {} {}", facts.records, facts.addresses.len(), facts.bytes);
    Ok(())
}
