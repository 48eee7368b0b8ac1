//! Every command as a person runs it: output, exit code, errors with hints.
#![allow(clippy::print_stdout, clippy::print_stderr)]
use std::process::{Command, Output, Stdio};

fn ampleur(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ampleur"))
        .args(args)
        .env("LC_ALL", "C")
        .env_remove("AMPLEUR_LANG")
        .env_remove("AMPLEUR_KEYS")
        .env_remove("AMPLEUR_LAKE")
        .stdin(Stdio::null())
        .output()
        .expect("run ampleur")
}

fn code(out: &Output) -> i32 {
    out.status.code().unwrap_or(-1)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_names_what_exists_and_examples() {
    let out = ampleur(&["--help"]);
    assert_eq!(code(&out), 0);
    let help = text(&out.stdout);
    for verb in [
        "investigate",
        "decode",
        "sources",
        "readiness",
        "verify",
        "simulate",
        "demo",
        "explain",
        "coverage",
        "sessions",
        "config",
        "schema",
        "completions",
    ] {
        assert!(help.contains(verb), "{verb}");
        let out = ampleur(&[verb, "--help"]);
        assert_eq!(code(&out), 0, "{verb}");
    }
    assert!(text(&ampleur(&["investigate", "--help"]).stdout).contains("Examples:"));
    assert_eq!(code(&ampleur(&["--version"])), 0);
}

#[test]
fn wrong_usage_is_two_and_nothing_on_standard_output() {
    for args in [
        &["frobnicate"][..],
        &["decode"],
        &["investigate"],
        &["--lang", "de", "schema"],
        &["sources", "show", "keycloack"],
        &["simulate", "S3", "x"],
        &["config", "show", "no-such-folder"],
        &["decode", "--format", "fortinet", "x"],
        &["decode", "--timezone", "Europe/Pari", "x"],
    ] {
        let out = ampleur(args);
        assert_eq!(code(&out), 2, "{args:?}: {}", text(&out.stderr));
        assert!(out.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn an_error_says_could_not_and_gives_a_hint_after_a_blank_line() {
    let out = ampleur(&["sources", "show", "keycloack"]);
    let err = text(&out.stderr);
    assert!(
        err.starts_with(
            "error: could not find format `keycloack`\n\nhint: did you mean `keycloak`?"
        ),
        "{err}"
    );
}

#[test]
fn an_unknown_key_of_the_context_names_the_nearest() {
    let dir = tempfile::tempdir().expect("folder");
    std::fs::write(
        dir.path().join("ampleur.toml"),
        "version = 1\ntimezon = \"Europe/Paris\"\n",
    )
    .expect("write");
    let out = ampleur(&["config", "show", &dir.path().display().to_string()]);
    assert_eq!(code(&out), 2);
    let err = text(&out.stderr);
    assert!(
        err.contains("line 2") && err.contains("did you mean `timezone`?"),
        "{err}"
    );
}

#[test]
fn config_show_says_where_each_value_came_from() {
    let dir = tempfile::tempdir().expect("folder");
    std::fs::write(
        dir.path().join("ampleur.toml"),
        "version = 1\n[[source]]\nfiles = \"logs/*\"\n",
    )
    .expect("write");
    let out = ampleur(&[
        "config",
        "show",
        &dir.path().display().to_string(),
        "--json",
    ]);
    assert_eq!(code(&out), 0, "{}", text(&out.stderr));
    let rows: serde_json::Value = serde_json::from_slice(&out.stdout).expect("json");
    let origin = |key: &str| {
        rows.as_array()
            .expect("list")
            .iter()
            .find(|r| r["key"] == key)
            .map(|r| r["origin"].clone())
    };
    assert_eq!(origin("source[0].files"), Some("ampleur.toml".into()));
    assert_eq!(origin("timezone"), Some("default".into()));
}

#[test]
fn every_source_is_listed_and_shown() {
    let out = ampleur(&["sources", "list", "--json"]);
    let list: serde_json::Value = serde_json::from_slice(&out.stdout).expect("json");
    let list = list.as_array().expect("list");
    assert!(list.len() >= 10);
    for s in list {
        let name = s["name"].as_str().expect("name");
        let out = ampleur(&["sources", "show", name]);
        assert_eq!(code(&out), 0, "{name}");
        assert!(text(&out.stdout).contains("its silence proves"), "{name}");
    }
}

#[test]
fn decode_prints_one_object_per_event_and_counts_everything() {
    let dir = tempfile::tempdir().expect("folder");
    let file = dir.path().join("access.log");
    std::fs::write(
        &file,
        "192.0.2.7 - - [04/Sep/2025:03:13:00 +0200] \"GET /fhir/Patient?family=MART HTTP/1.1\" 200 512 \"-\" \"curl/8\"\n\n192.0.2.7 - - [04/Sep/2025:03:13:04 +0200] \"GET / HTTP/1.1\" 404 10 \"-\" \"curl/8\"\n",
    )
    .expect("write");
    let out = ampleur(&[
        "decode",
        "--format",
        "http-access",
        &file.display().to_string(),
    ]);
    assert_eq!(code(&out), 0, "{}", text(&out.stderr));
    let lines: Vec<serde_json::Value> = text(&out.stdout)
        .lines()
        .map(|l| serde_json::from_str(l).expect("json"))
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["timestamp"], "2025-09-04T01:13:00Z");
    assert_eq!(lines[1]["record"], 3);
    assert!(
        text(&out.stderr).contains("3 records = 2 events + 0 rejects + 1 skipped"),
        "{}",
        text(&out.stderr)
    );
}

#[test]
fn decode_of_what_cannot_be_read_is_done_in_part() {
    let dir = tempfile::tempdir().expect("folder");
    let file = dir.path().join("noise");
    std::fs::write(&file, [0u8, 159, 146, 150, 1, 2, 3].repeat(50)).expect("write");
    assert_eq!(code(&ampleur(&["decode", &file.display().to_string()])), 3);
    let out = ampleur(&["decode", "no-such-file.log"]);
    assert_eq!(code(&out), 3);
    assert!(
        text(&out.stderr).contains("error: could not open no-such-file.log"),
        "{}",
        text(&out.stderr)
    );
}

#[test]
fn a_closed_pipe_is_no_error() {
    let dir = tempfile::tempdir().expect("folder");
    let file = dir.path().join("big.log");
    let line =
        "192.0.2.7 - - [04/Sep/2025:03:13:00 +0200] \"GET /x HTTP/1.1\" 200 512 \"-\" \"curl/8\"\n";
    std::fs::write(&file, line.repeat(20_000)).expect("write");
    let mut child = Command::new(env!("CARGO_BIN_EXE_ampleur"))
        .args(["decode", "-q", "--format", "http-access"])
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("run ampleur");
    // The reader goes away before the writer has written everything.
    drop(child.stdout.take());
    let out = child.wait_with_output().expect("wait");
    assert_eq!(code(&out), 0, "{}", text(&out.stderr));
    assert!(out.stderr.is_empty(), "{}", text(&out.stderr));
}

#[test]
fn the_schema_and_the_completions_are_printed() {
    let schema: serde_json::Value =
        serde_json::from_slice(&ampleur(&["schema"]).stdout).expect("json");
    assert_eq!(schema["title"], "ampleur.extent/1");
    assert!(text(&ampleur(&["completions", "bash"]).stdout).contains("ampleur"));
}

#[test]
fn a_lake_that_is_not_there_is_a_usage_error() {
    let dir = tempfile::tempdir().expect("folder");
    assert_eq!(
        code(&ampleur(&["verify", &dir.path().display().to_string()])),
        2
    );
}

#[test]
fn an_investigation_is_sealed_verified_and_explained() {
    let dir = tempfile::tempdir().expect("folder");
    let at = |p: &str| dir.path().join(p).display().to_string();
    let made = ampleur(&["simulate", "S2", &at("h"), "--scale", "0.002", "--json"]);
    assert_eq!(code(&made), 0, "{}", text(&made.stderr));
    let (case, out) = (at("h/case"), at("answer"));
    let done = ampleur(&[
        "investigate",
        &case,
        "--out",
        &out,
        "--subjects",
        "clear",
        "-q",
    ]);
    assert_eq!(
        code(&done),
        1,
        "{}{}",
        text(&done.stdout),
        text(&done.stderr)
    );
    for line in text(&done.stdout)
        .lines()
        .filter(|l| !l.contains("report.html"))
    {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for file in [
        "extent.json",
        "report.html",
        "report.pdf",
        "persons.csv",
        "sessions.csv",
        "timeline.csv",
        "disclosures.parquet",
    ] {
        assert!(std::path::Path::new(&out).join(file).is_file(), "{file}");
    }
    let sound = ampleur(&["verify", &out]);
    assert_eq!(
        code(&sound),
        0,
        "{}{}",
        text(&sound.stdout),
        text(&sound.stderr)
    );
    let sessions = ampleur(&["sessions", &out, "--verdict", "intruder", "--json"]);
    assert_eq!(code(&sessions), 1);
    let first: serde_json::Value =
        serde_json::from_str(text(&sessions.stdout).lines().next().expect("a session"))
            .expect("json");
    let why = ampleur(&[
        "explain",
        first["id"].as_str().expect("id"),
        "--answer",
        &out,
        "--case",
        &case,
    ]);
    assert_eq!(code(&why), 0, "{}", text(&why.stderr));
    assert!(matches!(code(&ampleur(&["coverage", &out])), 0 | 1));
    let missing = ampleur(&["explain", "nobody", "--answer", &out]);
    assert_eq!(code(&missing), 2);
    let refused = ampleur(&["investigate", &case, "--out", &out, "--from", "yesterday"]);
    assert_eq!(code(&refused), 2);
}
