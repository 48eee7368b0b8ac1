//! Files as real programs write them: LibreOffice saves a table and a letter in every format it knows, and the inventory reads
//! them. Skips, and says so, where LibreOffice is not installed.
#![allow(clippy::print_stdout, clippy::print_stderr)]
mod common;
use std::{
    fmt::Write as _,
    path::Path,
    process::{Command, Stdio},
};

const PATIENTS: [(&str, &str, &str, &str); 3] = [
    ("100000101", "LÉGER", "Anne", "1980-01-02"),
    ("100000102", "N’GUYEN-D’ALBRET", "Zoé", "1990-05-05"),
    ("100000103", "MARTIN", "Jean-Paul", "1975-12-24"),
];

fn office(dir: &Path, to: &str, file: &str) -> bool {
    Command::new("soffice")
        .args(["--headless", "--norestore"])
        .arg(format!(
            "-env:UserInstallation=file://{}",
            dir.join("profile").display()
        ))
        .args(["--convert-to", to, "--outdir"])
        .arg(dir.join("share"))
        .arg(dir.join(file))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

#[test]
fn files_written_by_libreoffice_are_read() {
    if Command::new("soffice").arg("--version").output().is_err() {
        println!("SKIPPED: soffice is not installed, no file of a real office program was read");
        return;
    }
    let dir = tempfile::tempdir().expect("folder");
    let at = |p: &str| dir.path().join(p);
    for d in ["share", "identities"] {
        std::fs::create_dir(at(d)).expect("folder");
    }
    let mut base = String::new();
    for (ipp, family, given, born) in PATIENTS {
        let _ = writeln!(
            base,
            "{{\"resourceType\":\"Patient\",\"id\":\"f{ipp}\",\"identifier\":[{{\"type\":{{\"coding\":[{{\"code\":\"PI\"}}]}},\"system\":\"urn:oid:1.2.3\",\"value\":\"{ipp}\"}}],\"name\":[{{\"family\":\"{family}\",\"given\":[\"{given}\"]}}],\"birthDate\":\"{born}\"}}"
        );
    }
    std::fs::write(at("identities/2024-01-01.ndjson"), base).expect("identities");
    let mut table = String::from("IPP,Nom,Prénom,Date de naissance\n");
    for (ipp, family, given, born) in PATIENTS {
        let _ = writeln!(table, "{ipp},{family},{given},{born}");
    }
    std::fs::write(at("table.csv"), table).expect("table");
    // Plain RTF, typed by hand, opens as a letter everywhere.
    let letter = "{\\rtf1\\ansi\\ansicpg1252\\uc1 Cher confr\\'e8re,\\par j\\u8217?ai vu Madame Anne L\\'e9ger, n\\'e9e le 2 janvier 1980, pour son diab\\'e8te.\\par MARTIN Jean-Paul\\tab 24/12/1975\\par}";
    std::fs::write(at("letter.rtf"), letter).expect("letter");
    let mut made = vec![];
    for (to, file, persons) in [
        ("xlsx", "table.csv", 3),
        ("xls", "table.csv", 3),
        ("ods", "table.csv", 3),
        ("docx", "letter.rtf", 2),
        ("doc", "letter.rtf", 2),
        ("odt", "letter.rtf", 2),
        ("html", "letter.rtf", 2),
        ("pdf", "letter.rtf", 2),
    ] {
        assert!(office(dir.path(), to, file), "soffice writes {to}");
        let ext = to.split(':').next().unwrap_or(to);
        let stem = file.split('.').next().unwrap_or(file);
        let name = format!("{stem}.{ext}");
        assert!(at("share").join(&name).exists(), "soffice wrote {name}");
        made.push((name, persons));
    }
    let out = at("rows.jsonl");
    let run = common::ampleur()
        .args(["--json", "inventory"])
        .arg(at("share"))
        .arg("--identities")
        .arg(at("identities"))
        .arg("--out")
        .arg(&out)
        .arg("--clear")
        .output()
        .expect("run ampleur");
    let rows = std::fs::read_to_string(&out).expect("rows");
    assert_eq!(
        run.status.code(),
        Some(0),
        "{}{rows}",
        String::from_utf8_lossy(&run.stderr)
    );
    for (name, persons) in made {
        let row: serde_json::Value = rows
            .lines()
            .map(|l| serde_json::from_str(l).expect("row"))
            .find(|r: &serde_json::Value| r["path"] == name.as_str())
            .expect("a row for each file");
        let found = row["subjects"].as_array().map_or(0, Vec::len);
        assert_eq!(found, persons, "{name}: {row}");
    }
}
