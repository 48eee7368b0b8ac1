//! `ampleur verify`: does the evidence still stand? Written against the formats, not against the code that writes them.
use crate::{
    exit::Exit,
    shell::{Shell, plain, refuse},
};
use ampleur_evidence::{PublicKey, load_raw_key, store::FolderStore, verify};
use anyhow::Context as _;
use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ampleur verify answer
  ampleur verify answer/lake --keys answer/keys
  ampleur verify evidence.zip
  ampleur verify evidence.zip --public-key public.key

An evidence.zip alone is checked with the key it holds: compare the root that is printed with the one in the report.
Exit code 0 when everything the checkpoint signs is there and unchanged, 4 when something is not: each failing part is named with its first byte. With --keys the lines themselves are opened and hashed again.")]
pub struct Args {
    /// A lake, an answer folder that holds one, or an evidence.zip.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Folder of the lake's keys.
    #[arg(long, value_name = "DIR", env = "AMPLEUR_KEYS")]
    pub keys: Option<PathBuf>,
    /// Verifier key of the log (signed-note form) or a file that holds it, instead of the one written beside the evidence.
    #[arg(long, value_name = "KEY")]
    pub public_key: Option<String>,
}

/// The verifier key the lake says is its own. Trust in it comes from elsewhere: a printed report, a colleague.
fn own_key(lake: &Path) -> anyhow::Result<PublicKey> {
    let path = lake.join("ampleur.json");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let value: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("read {}", path.display()))?;
    let key = value
        .as_object()
        .and_then(|o| {
            o.iter()
                .find(|(k, v)| k.contains("key") && v.as_str().is_some_and(|s| s.contains('+')))
        })
        .and_then(|(_, v)| v.as_str())
        .ok_or_else(|| {
            refuse(
                "find the verifier key of the lake",
                "give it with --public-key",
            )
        })?;
    Ok(PublicKey(key.to_string()))
}

/// The key that was given, as text or as a file.
fn given_key(text: &str) -> anyhow::Result<PublicKey> {
    // A key is a short line, whatever file was named.
    const MOST: u64 = 4096;
    let mut file = String::new();
    let read = std::fs::File::open(text).and_then(|f| f.take(MOST).read_to_string(&mut file));
    let given = if read.is_ok() { &file } else { text };
    let key = PublicKey(given.trim().to_string());
    verify::check_key(&key).map_err(|why| {
        refuse(
            format!("take the key that was given: {why}"),
            "a verifier key looks like name+id+base64; public.key of an evidence.zip holds one",
        )
    })?;
    Ok(key)
}

pub fn run(args: &Args, shell: &Shell) -> anyhow::Result<Exit> {
    let given = args.public_key.as_deref().map(given_key).transpose()?;
    let mut own = false;
    let inner = args.path.join("lake");
    let path = if inner.join("ampleur.json").is_file() {
        inner
    } else {
        args.path.clone()
    };
    let report = if path.is_dir() {
        if !path.join("ampleur.json").is_file() {
            return Err(refuse(
                format!("find a lake in {}", path.display()),
                "give a lake, an answer folder or an evidence.zip",
            ));
        }
        let beside = args.path.join("keys");
        let keys = args
            .keys
            .clone()
            .or_else(|| beside.is_dir().then_some(beside));
        let raw = match &keys {
            Some(dir) => Some(load_raw_key(dir)?),
            None => None,
        };
        let key = match given {
            Some(k) => k,
            None => own_key(&path)?,
        };
        verify::verify(&FolderStore::new(&path), &key, raw.as_ref())
    } else {
        let bytes = std::fs::read(&path).map_err(|e| {
            refuse(
                format!("read {}: {e}", path.display()),
                "give a lake, an answer folder or an evidence.zip",
            )
        })?;
        let inside = verify::bundle_key(&bytes).map_err(|e| {
            refuse(
                format!("read {} as a bundle of evidence: {e}", path.display()),
                "give a lake, an answer folder or an evidence.zip",
            )
        })?;
        let lake = path.parent().map(|p| p.join("lake")).unwrap_or_default();
        let key = match given {
            Some(k) => k,
            None => match own_key(&lake) {
                Ok(k) => k,
                Err(_) => {
                    own = true;
                    // A bundle without its key is told as what it is: broken.
                    inside.unwrap_or_else(|| PublicKey(String::new()))
                }
            },
        };
        verify::verify_bundle(&bytes, &key)
    };
    let mut out = io::stdout().lock();
    if shell.json {
        let v = serde_json::json!({
            "sound": report.is_sound(), "tree_size": report.tree_size, "root_hash": report.root, "custody_size": report.custody_size,
            "files": report.files, "bytes": report.bytes, "lines": report.lines, "contents": report.contents,
            "findings": report.findings.iter().map(|f| serde_json::json!({
                "path": f.path, "offset": f.at.map(|a| a.0), "length": f.at.map(|a| a.1), "what": f.what })).collect::<Vec<_>>(),
            "orphans": report.orphans,
        });
        serde_json::to_writer_pretty(&mut out, &v)?;
        writeln!(out)?;
    } else {
        for f in &report.findings {
            writeln!(out, "{}", plain(&f.to_string()))?;
        }
        let words = if report.is_sound() {
            shell.say("la preuve est entière", "the evidence stands")
        } else {
            shell.say("la preuve ne tient pas", "the evidence does not verify")
        };
        writeln!(
            out,
            "{words}: {} {}, {} {}, {} {}; {} {}",
            report.tree_size,
            shell.say("feuilles", "leaves"),
            report.files,
            shell.say("fichiers", "files"),
            report.lines,
            shell.say("lignes ouvertes", "lines opened"),
            shell.say("racine", "root"),
            report.root
        )?;
        if own {
            writeln!(
                out,
                "{}",
                shell.say(
                    "vérifié avec la clé que porte le dossier lui-même : comparez la racine à celle du rapport",
                    "checked with the key the bundle itself holds: compare the root with the one in the report"
                )
            )?;
        }
    }
    Ok(if report.is_sound() {
        Exit::Done
    } else {
        Exit::Broken
    })
}
