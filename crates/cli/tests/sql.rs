//! `ampleur sql` as a person runs it: a sealed lake, one statement, text or JSON. Feature `cluster`.
#![cfg(feature = "cluster")]
mod common;
use serde_json::Value;
use std::process::Output;

struct Lake {
    dir: tempfile::TempDir,
}

impl Lake {
    /// 40 requests of two people, made up, sealed.
    fn new() -> Lake {
        let lake = Lake {
            dir: tempfile::tempdir().expect("folder"),
        };
        let logs = lake.dir.path().join("case/logs/web");
        std::fs::create_dir_all(&logs).expect("make folder");
        let text: String = (0..40)
            .map(|i| {
                let (who, address) = if i % 4 == 0 {
                    ("jmartin", "198.51.100.7")
                } else {
                    ("mcurie", "192.0.2.7")
                };
                format!(
                    "{address} - {who} [04/Sep/2025:08:{i:02}:00 +0000] \"GET /dossier/{i}?nom=d'Arc HTTP/1.1\" 200 512 \"-\" \"made-up/1\"\n"
                )
            })
            .collect();
        std::fs::write(logs.join("l'acces.log"), text).expect("write");
        let out = lake.run(&["ingest", "case", "--lake", "lake", "--keys", "keys", "-q"]);
        assert_eq!(out.status.code(), Some(0), "{out:?}");
        lake
    }
    fn run(&self, args: &[&str]) -> Output {
        common::ampleur()
            .args(args)
            .current_dir(self.dir.path())
            .output()
            .expect("run ampleur")
    }
    fn ask(&self, statement: &str) -> Vec<Value> {
        let out = self.run(&["sql", "lake", statement, "--keys", "keys", "--json"]);
        assert_eq!(out.status.code(), Some(0), "{out:?}");
        String::from_utf8_lossy(&out.stdout)
            .lines()
            .map(|l| serde_json::from_str(l).expect("json"))
            .collect()
    }
}

#[test]
fn rows_are_counted_grouped_and_opened() {
    let lake = Lake::new();
    let rows = lake.ask("SELECT account_key, count(*) AS n FROM events GROUP BY 1 ORDER BY 1");
    assert_eq!(
        rows,
        [
            serde_json::json!({"account_key": "web:jmartin", "n": "10"}),
            serde_json::json!({"account_key": "web:mcurie", "n": "30"}),
        ]
    );
    // A sealed column reads in clear with the keys, and the file keeps its name.
    let rows = lake.ask(
        "SELECT file, url, verb_word FROM events WHERE src_ip = '198.51.100.7' ORDER BY record LIMIT 1",
    );
    assert_eq!(
        rows,
        [serde_json::json!({
            "file": "logs/web/l'acces.log", "url": "/dossier/0?nom=d'Arc", "verb_word": "request"
        })]
    );
}

#[test]
fn text_is_csv_with_a_head_line() {
    let lake = Lake::new();
    let out = lake.run(&[
        "sql",
        "lake",
        "SELECT count(*) AS n FROM events",
        "--keys",
        "keys",
    ]);
    assert_eq!(String::from_utf8_lossy(&out.stdout), "n\n40\n");
}

#[test]
fn nothing_can_be_changed_and_no_other_file_read() {
    let lake = Lake::new();
    for statement in [
        "DROP VIEW events",
        "CREATE TABLE copy AS SELECT * FROM events",
        "INSERT INTO part_0 SELECT * FROM part_0",
        "COPY events TO 'out.csv'",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'case/ampleur.toml'",
        "SELECT * FROM 'case/logs/web/l''acces.log'",
        "SET datafusion.execution.batch_size = 1",
        "SELECT nothing FROM events",
        "SELEKT",
    ] {
        let out = lake.run(&["sql", "lake", statement, "--keys", "keys"]);
        assert_eq!(out.status.code(), Some(2), "{statement}: {out:?}");
        assert!(out.stdout.is_empty(), "{statement}");
        assert!(
            String::from_utf8_lossy(&out.stderr).contains("hint: "),
            "{statement}"
        );
    }
    assert!(!lake.dir.path().join("out.csv").exists());
    assert_eq!(
        lake.run(&["verify", "lake", "--keys", "keys"])
            .status
            .code(),
        Some(0)
    );
}

#[test]
fn no_lake_and_wrong_keys_are_usage_errors() {
    let lake = Lake::new();
    let out = lake.run(&["sql", "case", "SELECT 1"]);
    assert_eq!(out.status.code(), Some(2), "{out:?}");
    let out = lake.run(&["sql", "lake", "SELECT 1", "--keys", "nowhere"]);
    assert!(
        matches!(out.status.code(), Some(2 | 3)) && out.stdout.is_empty(),
        "{out:?}"
    );
}
