//! Throughput of sealing: rows per second into raw and Parquet, with hashing, compression, encryption, sealing and tokens.
//! `cargo run --release -p ampleur-evidence --example seal_bench [rows]`. Made-up rows in the shape of a firewall's traffic
//! log and of FHIR audit events; prints the root of the evidence log, equal on every machine for equal rows.
#![allow(clippy::print_stdout)]
use ampleur_event::{Event, EventBatch, Outcome, System, Verb};
use ampleur_evidence::{Cut, Keys, Lake, SegmentMeta};
use std::{path::Path, time::Instant};

fn mix(i: u64) -> u64 {
    let mut z = i.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn firewall(i: u64, raw: &mut Vec<u8>, rows: &mut EventBatch) {
    use std::io::Write;
    let r = mix(i);
    let (src, dst) = (
        format!("10.59.{}.{}", r % 40, r / 41 % 250),
        format!("10.59.20.{}", r / 77 % 60),
    );
    let (sport, out, inn) = (1024 + r % 60_000, r % 90_000, r / 7 % 900_000);
    let from = raw.len();
    let _ = writeln!(
        raw,
        "date=2025-09-14 time=03:{:02}:{:02} devname=\"FGT-CHU\" devid=\"FG200E\" eventtime={} tz=\"+0200\" logid=\"0000000013\" type=\"traffic\" subtype=\"forward\" level=\"notice\" srcip={src} srcport={sport} srcintf=\"ssl.root\" dstip={dst} dstport=445 dstintf=\"lan\" policyid=12 sessionid={} proto=6 action=\"close\" service=\"SMB\" user=\"u{}\" duration={} sentbyte={out} rcvdbyte={inn} sentpkt=12 rcvdpkt=33",
        i / 60 % 60,
        i % 60,
        1_757_000_000_000_000_000 + i * 1_000_000,
        r % 10_000_000,
        r % 900,
        r % 600
    );
    rows.push(&Event {
        record: i + 1,
        offset: from as u64,
        len: (raw.len() - from) as u64,
        time: 1_757_000_000_000_000_000 + i as i64 * 1_000_000,
        verb: Verb::Flow,
        outcome: Outcome::Success,
        system: System::Vpn,
        action: "close".into(),
        user: format!("u{}", r % 900).into(),
        src_ip: src.into(),
        dst_ip: dst.into(),
        session_id: (r % 10_000_000).to_string().into(),
        host: "FGT-CHU".into(),
        process: "SMB".into(),
        extra: format!(
            "dstintf=lan\npolicyid=12\nsrcintf=ssl.root\nsentpkt=12\nrcvdpkt={}",
            r % 50
        )
        .into(),
        src_port: sport,
        dst_port: 445,
        bytes_out: out,
        bytes_in: inn,
        duration_ms: r % 600 * 1000,
        code: 13,
        ..Event::default()
    });
}

fn audit(i: u64, raw: &mut Vec<u8>, rows: &mut EventBatch) {
    use std::io::Write;
    let r = mix(i);
    let patient = r % 400_000;
    let from = raw.len();
    let _ = writeln!(
        raw,
        "{{\"resourceType\":\"AuditEvent\",\"id\":\"{r:016x}\",\"meta\":{{\"profile\":[\"https://interop.esante.gouv.fr/ig/fhir/tde\"]}},\"type\":{{\"system\":\"http://terminology.hl7.org/CodeSystem/audit-event-type\",\"code\":\"rest\"}},\"subtype\":[{{\"system\":\"http://hl7.org/fhir/restful-interaction\",\"code\":\"read\"}}],\"action\":\"R\",\"recorded\":\"2025-09-14T03:00:00.000+02:00\",\"outcome\":\"0\",\"agent\":[{{\"type\":{{\"coding\":[{{\"code\":\"IRCP\"}}]}},\"who\":{{\"identifier\":{{\"system\":\"urn:oid:1.2.250.1.71.4.2.1\",\"value\":\"8101{:08}\"}}}},\"requestor\":true,\"network\":{{\"address\":\"10.59.3.{}\",\"type\":\"2\"}}}}],\"source\":{{\"observer\":{{\"display\":\"sri\"}}}},\"entity\":[{{\"what\":{{\"reference\":\"Patient/{patient}\"}}}}]}}",
        r % 3000,
        r % 250
    );
    rows.push(&Event {
        record: i + 1,
        offset: from as u64,
        len: (raw.len() - from) as u64,
        time: 1_757_000_000_000_000_000 + i as i64 * 1_000_000,
        verb: Verb::Read,
        outcome: Outcome::Success,
        system: System::Rpps,
        action: "read".into(),
        user: format!("8101{:08}", r % 3000).into(),
        user_name: format!("DR PRENOM NOM{}", r % 3000).into(),
        src_ip: format!("10.59.3.{}", r % 250).into(),
        token: format!("{:016x}", mix(r % 9000)).into(),
        request_id: format!("{r:016x}").into(),
        host: "sri".into(),
        process: "dpi".into(),
        http_method: "GET".into(),
        url: format!("/fhir/Patient/{patient}").into(),
        subjects: format!("Patient/{patient}\nurn:oid:1.2.250.1.71.4.2.7|{patient:010}").into(),
        ..Event::default()
    });
}

type Make = fn(u64, &mut Vec<u8>, &mut EventBatch);

fn main() {
    let rows: u64 = std::env::args()
        .nth(1)
        .and_then(|a| a.parse().ok())
        .unwrap_or(1_000_000);
    let at = std::env::temp_dir().join(format!("ampleur-seal-bench-{}", std::process::id()));
    for (name, make) in [("firewall", firewall as Make), ("audit", audit as Make)] {
        let dir = at.join(name);
        measure(name, make, rows, &dir);
    }
    let _ = std::fs::remove_dir_all(&at);
}

fn measure(name: &str, make: Make, rows: u64, dir: &Path) {
    let mut n = 1u8;
    let (keys, _) = Keys::generate(&mut |b| {
        for x in b {
            n = n.wrapping_mul(181).wrapping_add(59);
            *x = n;
        }
    });
    let mut lake = match Lake::create(dir, &keys, 0) {
        Ok(l) => l,
        Err(e) => return println!("could not {e}"),
    };
    let (mut raw_s, mut rows_s, mut bytes) = (0f64, 0f64, 0u64);
    let mut sealed = vec![];
    let meta = |part, start| SegmentMeta {
        file: format!("logs/{name}.log"),
        format: name.into(),
        part,
        start,
        at: 0,
    };
    let run = |lake: &mut Lake,
               sealed: &mut Vec<_>,
               raw_s: &mut f64,
               rows_s: &mut f64,
               bytes: &mut u64|
     -> Result<(f64, String), ampleur_evidence::EvidenceError> {
        let mut part = 0u32;
        let mut w = lake.begin(meta(0, 0), [1; 32])?;
        let (mut raw, mut batch) = (vec![], EventBatch::default());
        let mut i = 0;
        while i < rows {
            raw.clear();
            batch.clear();
            for _ in 0..4096.min(rows - i) {
                make(i, &mut raw, &mut batch);
                i += 1;
            }
            let t = Instant::now();
            w.raw(&raw, Cut::Lines)?;
            *raw_s += t.elapsed().as_secs_f64();
            let t = Instant::now();
            w.events(&batch)?;
            *rows_s += t.elapsed().as_secs_f64();
            *bytes += raw.len() as u64;
            if w.is_full() {
                part += 1;
                sealed.push(
                    std::mem::replace(&mut w, lake.begin(meta(part, *bytes), [part as u8; 32])?)
                        .finish(0, 0)?,
                );
            }
        }
        let t = Instant::now();
        sealed.push(w.finish(0, 0)?);
        let c = lake.commit(std::mem::take(sealed), vec![], 0)?;
        Ok((t.elapsed().as_secs_f64(), c.root_hex()))
    };
    match run(&mut lake, &mut sealed, &mut raw_s, &mut rows_s, &mut bytes) {
        Ok((end, root)) => {
            let all = raw_s + rows_s + end;
            let stored = |dir: &str| -> u64 {
                lake.segments()
                    .iter()
                    .map(|s| if dir == "raw" { &s.raw } else { &s.events })
                    .filter_map(|p| std::fs::metadata(lake.root().join(p)).ok())
                    .map(|m| m.len())
                    .sum()
            };
            println!(
                "{name}: {rows} rows, {:.0} MB raw -> {:.0} MB sealed raw + {:.0} MB Parquet; raw {raw_s:.2} s, rows {rows_s:.2} s, close and commit {end:.2} s; {:.2} M rows/s, {:.2} us/row, one core; root {root}",
                bytes as f64 / 1e6,
                stored("raw") as f64 / 1e6,
                stored("events") as f64 / 1e6,
                rows as f64 / all / 1e6,
                all * 1e6 / rows as f64,
            );
        }
        Err(e) => println!("could not {e}"),
    }
}
