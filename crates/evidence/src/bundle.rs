//! `evidence.zip`: what a report rests on, for somebody who does not have the lake.
//!
//! ```text
//! README.txt        what this is and how to check it
//! checkpoint        the signed note
//! public.key        the lake's verifier key
//! proofs.jsonl      one proof per cited record (`LineProof`)
//! cited.csv         file,offset,length,at: where the record's bytes are in cited.raw
//! cited.raw         the cited records' bytes, one after the other, unchanged
//! ```
//! The same lake state and citations give the same bytes. Neighbours of a cited line are never in it.
use crate::{Citation, EvidenceError, Lake, error::io};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use std::io::{Seek, Write};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

const README: &str = "Evidence behind a report of Ampleur.\n\n\
    checkpoint    signed tree head (C2SP signed note, Ed25519): the state of the evidence log\n\
    public.key    the key it is signed with; compare it with the one you were given\n\
    proofs.jsonl  one object per cited record: its lines, and RFC 6962 inclusion paths from each line to the root\n\
    cited.csv     file, offset, length of each cited record, and where its bytes are in cited.raw\n\
    cited.raw     the records as they were received\n\n\
    Check with: ampleur verify evidence.zip\n";

const PROOFS: &str = "proofs.jsonl";

/// Writes the bundle for `cited` (sorted, doubles removed) to `to`. Returns the number of records in it.
pub fn export<W: Write + Seek>(
    lake: &Lake,
    cited: &[Citation],
    to: W,
) -> Result<usize, EvidenceError> {
    let mut cited = cited.to_vec();
    cited.sort();
    cited.dedup();
    // One fixed time stamp: the bundle depends on the evidence, not on the day it was made. Proofs are hashes and the records
    // are few against the evidence: the fastest level gives nearly the size of the default one.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(1))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(to);
    let key = lake.public_key().0 + "\n";
    let note = lake.checkpoint().note;
    let put = |zip: &mut ZipWriter<W>, name: &str, bytes: &[u8]| {
        zip.start_file(name, options)
            .map_err(|e| zip_error(name, e))?;
        zip.write_all(bytes).map_err(io("write", name))
    };
    put(&mut zip, "README.txt", README.as_bytes())?;
    put(&mut zip, "checkpoint", note.as_bytes())?;
    put(&mut zip, "public.key", key.as_bytes())?;
    put(&mut zip, PROOFS, b"")?;
    let (mut index, mut raw) = (b"file,offset,length,at\n".to_vec(), vec![]);
    // Proofs are several times the size of what they prove: each goes out as it is made.
    lake.prove_each(&cited, &mut |c, proof| {
        let mut json = serde_json::to_vec(&proof).unwrap_or_default();
        json.push(b'\n');
        zip.write_all(&json).map_err(io("write", PROOFS))?;
        let at = raw.len();
        for line in &proof.lines {
            let bytes = BASE64.decode(&line.bytes).unwrap_or_default();
            let from = c.offset.saturating_sub(line.offset).min(bytes.len() as u64);
            let to = (c.offset + c.len)
                .saturating_sub(line.offset)
                .min(bytes.len() as u64);
            raw.extend_from_slice(&bytes[from as usize..to.max(from) as usize]);
        }
        let quoted = if c.file.contains(['"', ',', '\n', '\r']) {
            format!("\"{}\"", c.file.replace('"', "\"\""))
        } else {
            c.file.clone()
        };
        index.extend(format!("{quoted},{},{},{at}\n", c.offset, raw.len() - at).into_bytes());
        Ok(())
    })?;
    put(&mut zip, "cited.csv", &index)?;
    put(&mut zip, "cited.raw", &raw)?;
    zip.finish().map_err(|e| zip_error("evidence.zip", e))?;
    Ok(cited.len())
}

fn zip_error(name: &str, e: zip::result::ZipError) -> EvidenceError {
    let source = match e {
        zip::result::ZipError::Io(e) => e,
        other => std::io::Error::other(other),
    };
    io("write", name)(source)
}
