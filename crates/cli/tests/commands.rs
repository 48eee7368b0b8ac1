//! Every command as a person runs it: output, exit code, errors with hints.
#![allow(clippy::print_stdout, clippy::print_stderr)]
mod common;
#[path = "common/run.rs"]
mod run;
use run::{ampleur, code, text};
use std::process::{Output, Stdio};

/// Every verb of the help page.
fn verbs() -> Vec<String> {
    let out = ampleur(&["--help"]);
    assert_eq!(code(&out), 0);
    let help = text(&out.stdout);
    let list: Vec<String> = help
        .lines()
        .skip_while(|l| *l != "Commands:")
        .skip(1)
        .take_while(|l| !l.is_empty())
        // A description that goes on stands further right.
        .filter(|l| !l.starts_with("    "))
        .filter_map(|l| l.split_whitespace().next())
        .map(str::to_string)
        .collect();
    assert!(list.len() >= 15, "{help}");
    list
}

#[test]
fn every_verb_has_help_with_an_example_that_names_it() {
    for verb in verbs() {
        let out = ampleur(&[&verb, "--help"]);
        assert_eq!(code(&out), 0, "{verb}");
        let help = text(&out.stdout);
        let example = format!("\n  ampleur {verb}");
        let piped = format!("| ampleur {verb}");
        assert!(
            help.contains("Examples:") && (help.contains(&example) || help.contains(&piped)),
            "{verb}: {help}"
        );
    }
    assert_eq!(code(&ampleur(&["--version"])), 0);
}

/// On a terminal of eighty columns no example and no sentence of a help page is broken by the edge.
#[test]
fn help_fits_eighty_columns() {
    for verb in verbs() {
        let out = common::ampleur()
            .args([verb.as_str(), "--help"])
            .env("COLUMNS", "80")
            .output()
            .expect("run ampleur");
        let help = text(&out.stdout);
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{verb}: {line}");
        }
        // What was wrapped by hand for another width shows as a short line in the middle of a paragraph.
        let lines: Vec<&str> = help.lines().collect();
        let after = lines
            .iter()
            .position(|l| *l == "Examples:")
            .expect("examples");
        for pair in lines[after..].windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let ends = a.is_empty() || a.ends_with(['.', ':', '\\']) || a.starts_with("  ");
            let next = b.split(' ').next().unwrap_or_default().chars().count();
            assert!(
                ends || b.is_empty() || b.starts_with(' ') || a.chars().count() + 1 + next > 80,
                "{verb}: `{a}` could hold the first word of `{b}`"
            );
        }
    }
}

#[test]
#[cfg(not(all(feature = "cluster", feature = "sigma")))]
fn a_command_this_build_left_out_says_how_to_have_it() {
    for (verb, feature, here) in [
        ("sql", "cluster", cfg!(feature = "cluster")),
        ("rules", "sigma", cfg!(feature = "sigma")),
    ] {
        if !here {
            let out = ampleur(&[verb, "x"]);
            assert_eq!(code(&out), 2);
            let said = text(&out.stderr);
            assert!(said.contains(&format!("--features {feature}")), "{said}");
        }
    }
}

#[test]
fn what_the_design_promises_exists() {
    let have = verbs();
    for verb in [
        "investigate",
        "ingest",
        "extent",
        "sessions",
        "watch",
        "inventory",
        "leak",
        "explain",
        "coverage",
        "readiness",
        "verify",
        "decode",
        "simulate",
        "demo",
        "sources",
        "config",
        "schema",
        "completions",
    ] {
        assert!(have.iter().any(|v| v == verb), "{verb}");
    }
    assert_eq!(have.iter().any(|v| v == "sql"), cfg!(feature = "cluster"));
    assert_eq!(have.iter().any(|v| v == "rules"), cfg!(feature = "sigma"));
}

#[test]
fn completions_of_every_shell_know_every_verb() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let out = ampleur(&["completions", shell]);
        assert_eq!(code(&out), 0, "{shell}");
        let script = text(&out.stdout);
        for verb in verbs() {
            assert!(script.contains(&verb), "{shell}: {verb}");
        }
    }
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
    let mut child = common::ampleur()
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
fn the_schema_is_printed() {
    let schema: serde_json::Value =
        serde_json::from_slice(&ampleur(&["schema"]).stdout).expect("json");
    assert_eq!(schema["title"], "ampleur.extent/1");
}

/// No log is no clean answer.
#[test]
fn a_case_without_a_log_is_refused() {
    let dir = tempfile::tempdir().expect("folder");
    let at = |p: &str| dir.path().join(p).display().to_string();
    std::fs::create_dir_all(at("case/logs")).expect("folder");
    let refused = ampleur(&["investigate", &at("case"), "--out", &at("answer")]);
    assert_eq!(code(&refused), 2);
    let said = text(&refused.stderr);
    assert!(said.contains("no file under logs/"), "{said}");
    assert!(!std::path::Path::new(&at("answer/lake")).exists());
    let example = ampleur(&["config", "example"]);
    std::fs::write(at("case/ampleur.toml"), &example.stdout).expect("written");
    assert_eq!(code(&ampleur(&["config", "show", &at("case")])), 0);
}

/// The same evidence read again is the same answer: it is not its own past. What is broken beside the logs opens the answer.
#[test]
fn the_second_reading_is_the_first_and_a_broken_snapshot_is_no_base() {
    let dir = tempfile::tempdir().expect("folder");
    let at = |p: &str| dir.path().join(p).display().to_string();
    let made = ampleur(&["simulate", "S2", &at("h"), "--scale", "0.004", "--json"]);
    assert_eq!(code(&made), 0, "{}", text(&made.stderr));
    let case = at("h/case");
    let investigate = |out: &str| -> (i32, String, serde_json::Value) {
        let done = ampleur(&["investigate", &case, "--out", &at(out)]);
        let json = std::fs::read(at(&format!("{out}/extent.json"))).expect("answer");
        let answer = serde_json::from_slice(&json).expect("json");
        (code(&done), text(&done.stderr), answer)
    };
    let (_, _, first) = investigate("answer");
    let (exit, _, second) = investigate("answer");
    assert_eq!(exit, 1);
    assert_eq!(first, second);
    // The last snapshot breaks off in the middle of a line.
    let snapshots = std::fs::read_dir(at("h/case/identities")).expect("folder");
    let mut snapshots: Vec<_> = snapshots.map(|e| e.expect("entry").path()).collect();
    snapshots.sort();
    let last = snapshots.last().expect("a snapshot");
    let whole = std::fs::read(last).expect("snapshot");
    std::fs::write(last, &whole[..whole.len() / 2 + 3]).expect("written");
    let (exit, said, broken) = investigate("broken");
    assert_eq!(exit, 3, "{said}");
    assert!(said.contains("cannot be read as FHIR resources"), "{said}");
    // What stands behind a sentence is read in French too.
    for answer in [&first, &broken] {
        let sentences = answer["statements"].as_array().expect("statements");
        let because = sentences
            .iter()
            .flat_map(|s| s["because"].as_array().expect("reasons"));
        for reason in because
            .filter_map(|b| b.as_str())
            .filter(|b| !b.starts_with('+'))
        {
            let both = ampleur_notice::words::reason(reason);
            assert_ne!(both.fr, both.en, "{reason}");
        }
    }
    let most = broken["extent"]["subjects"]["at_most"].as_u64();
    assert!(most >= first["extent"]["subjects"]["at_most"].as_u64());
    assert_eq!(broken["extent"]["unaffected"]["at_least"], 0);
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
    // The bundle alone, as somebody else is given it: with the key it holds, which is said, and the root to compare.
    let bundle = at("evidence.zip");
    std::fs::copy(format!("{out}/evidence.zip"), &bundle).expect("copied");
    let alone = ampleur(&["verify", &bundle]);
    assert_eq!(code(&alone), 0, "{}", text(&alone.stderr));
    let answer: serde_json::Value =
        serde_json::from_slice(&std::fs::read(format!("{out}/extent.json")).expect("answer"))
            .expect("json");
    let root = answer["evidence"]["root_hash"].as_str().expect("a root");
    let said = text(&alone.stdout);
    assert!(
        said.contains(root) && said.contains("compare the root"),
        "{said}"
    );
    // What was asked wrongly is no broken evidence; a bundle that was touched is.
    for wrong in [
        vec!["verify", &out, "--public-key", "foo"],
        vec!["verify", &at("nowhere")],
        vec!["verify", &format!("{out}/report.pdf")],
    ] {
        let refused = ampleur(&wrong);
        assert_eq!(code(&refused), 2, "{wrong:?}: {}", text(&refused.stdout));
    }
    let mut touched = std::fs::read(&bundle).expect("bundle");
    touched.truncate(touched.len() / 2);
    std::fs::write(&bundle, touched).expect("written");
    assert_eq!(code(&ampleur(&["verify", &bundle])), 4);
    // The few that matter come alone; the ordinary ones are counted and asked for.
    let few = ampleur(&["sessions", &out]);
    let said = text(&few.stdout);
    assert!(
        said.contains("intruder") && !said.contains("legitimate"),
        "{said}"
    );
    assert!(text(&few.stderr).contains("--all"), "{}", text(&few.stderr));
    let all = text(&ampleur(&["sessions", &out, "--all"]).stdout);
    assert!(all.contains("legitimate") && all.lines().count() > said.lines().count());
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
    // A word about nobody is refused, one about somebody is kept.
    let id = first["id"].as_str().expect("id");
    for (about, answer) in [("s0typo", 2), (id, 0), ("203.0.113.0/24", 0)] {
        let said = ampleur(&[
            "overrule",
            &out,
            about,
            "--says",
            "legitimate",
            "--reason",
            "known",
        ]);
        assert_eq!(code(&said), answer, "{about}: {}", text(&said.stderr));
    }
    let said = ampleur(&["overrule", &out, "--json"]);
    assert!(text(&said.stdout).contains(id) && !text(&said.stdout).contains("s0typo"));
    assert_eq!(code(&missing), 2);
    let refused = ampleur(&["investigate", &case, "--out", &out, "--from", "yesterday"]);
    assert_eq!(code(&refused), 2);
}

/// A case of one web log: two accounts, the second from two addresses.
fn small_case(dir: &std::path::Path) {
    let logs = dir.join("case/logs/web");
    std::fs::create_dir_all(&logs).expect("make folder");
    let line = |who: &str, address: &str, minute: u32| {
        format!(
            "{address} - {who} [04/Sep/2025:08:{minute:02}:00 +0000] \"GET /dossier/{minute} HTTP/1.1\" 200 512 \"-\" \"made-up/1\"\n"
        )
    };
    let text: String = (0..60)
        .map(|m| match m % 3 {
            0 => line("mcurie", "192.0.2.7", m),
            1 => line("jmartin", "192.0.2.8", m),
            _ => line("jmartin", "203.0.113.9", m),
        })
        .collect();
    std::fs::write(logs.join("access.log"), text).expect("write");
}

/// (account, address, verdict) of every session of an answer, sorted.
fn verdicts(answer: &str) -> Vec<(String, String, String)> {
    let out = ampleur(&["sessions", answer, "--json"]);
    let mut rows: Vec<_> = text(&out.stdout)
        .lines()
        .map(|l| {
            let s: serde_json::Value = serde_json::from_str(l).expect("json");
            let t = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_string();
            (
                t(&s["account"]),
                t(&s["origin"]["address"]),
                t(&s["verdict"]),
            )
        })
        .collect();
    rows.sort();
    rows.dedup();
    rows
}

#[test]
fn extent_takes_the_word_of_the_investigator_and_nothing_else() {
    let dir = tempfile::tempdir().expect("folder");
    small_case(dir.path());
    let at = |p: &str| dir.path().join(p).display().to_string();
    let row = |account: &str, address: &str, verdict: &str| {
        (
            account.to_string(),
            address.to_string(),
            verdict.to_string(),
        )
    };
    let check = |out: &str, args: &[&str], expected: &[(String, String, String)]| {
        let answer = at(out);
        let case = at("case");
        let mut all = vec!["extent", &case, "--out", &answer, "-q"];
        all.extend(args);
        let done = ampleur(&all);
        assert_eq!(code(&done), 1, "{args:?}: {}", text(&done.stderr));
        assert_eq!(verdicts(&answer), expected, "{args:?}");
        let extent: serde_json::Value =
            serde_json::from_slice(&std::fs::read(format!("{answer}/extent.json")).expect("read"))
                .expect("json");
        // Nobody looked for other accounts, so nothing is said about them.
        for s in extent["statements"].as_array().expect("list") {
            if ["no_intrusion", "start_known", "only_these_accounts"]
                .contains(&s["code"].as_str().expect("code"))
            {
                assert_eq!(s["holds"], false, "{s}");
            }
        }
    };
    let owner = row("web:mcurie", "192.0.2.7", "legitimate");
    check(
        "by-account",
        &["--account", "web:jmartin"],
        &[
            row("web:jmartin", "192.0.2.8", "intruder"),
            row("web:jmartin", "203.0.113.9", "intruder"),
            owner.clone(),
        ],
    );
    check(
        "by-origin",
        &["--origin", "203.0.113.0/24"],
        &[
            row("web:jmartin", "192.0.2.8", "legitimate"),
            row("web:jmartin", "203.0.113.9", "intruder"),
            owner.clone(),
        ],
    );
    check(
        "but-not",
        &["--account", "web:jmartin", "--not", "192.0.2.8"],
        &[
            row("web:jmartin", "192.0.2.8", "legitimate"),
            row("web:jmartin", "203.0.113.9", "intruder"),
            owner,
        ],
    );
    // Nothing named, nobody of that name, nobody at that time: no answer that could be read as a clean one.
    for args in [
        &[][..],
        &["--account", "web:nobody"],
        &["--account", "web:jmartin", "--to", "2025-09-04T07:00:00Z"],
        &["--account", "jmartin"],
    ] {
        let (case, out) = (at("case"), at("refused"));
        let mut all = vec!["extent", &case, "--out", &out];
        all.extend(args);
        let done = ampleur(&all);
        assert_eq!(code(&done), 2, "{args:?}: {}", text(&done.stderr));
        assert!(
            !std::path::Path::new(&out).join("extent.json").exists(),
            "{args:?}"
        );
    }
}

#[test]
fn ingest_seals_and_a_later_investigation_adds_nothing_twice() {
    let dir = tempfile::tempdir().expect("folder");
    small_case(dir.path());
    let at = |p: &str| dir.path().join(p).display().to_string();
    let (case, lake, keys) = (at("case"), at("lake"), at("keys"));
    let done = ampleur(&["ingest", &case, "--lake", &lake, "--keys", &keys, "--json"]);
    assert_eq!(code(&done), 0, "{}", text(&done.stderr));
    let sealed: serde_json::Value = serde_json::from_slice(&done.stdout).expect("json");
    assert_eq!(sealed["files"][0]["records"], 60);
    assert_eq!(code(&ampleur(&["verify", &lake, "--keys", &keys])), 0);
}

#[test]
fn readiness_says_what_could_be_proven() {
    let dir = tempfile::tempdir().expect("folder");
    small_case(dir.path());
    let case = dir.path().join("case").display().to_string();
    let out = ampleur(&["readiness", &case, "--json"]);
    assert!(matches!(code(&out), 0 | 1), "{}", text(&out.stderr));
    let said: serde_json::Value = serde_json::from_slice(&out.stdout).expect("json");
    let questions = said["questions"].as_array().expect("questions");
    assert!(
        questions
            .iter()
            .any(|q| q["question"] == "Whose records were served?")
    );
    let shown = ampleur(&["readiness", &case, "--lang", "fr"]);
    let shown = text(&shown.stdout);
    assert!(shown.contains("Quels dossiers ont été servis"), "{shown}");
    for line in shown.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

/// Killed in the middle of an intake, the next run takes up what was sealed and ends where an undisturbed one does.
#[test]
fn an_intake_killed_half_way_is_taken_up_again() {
    use std::fmt::Write;
    let dir = tempfile::tempdir().unwrap();
    let case = dir.path().join("case");
    std::fs::create_dir_all(case.join("logs")).unwrap();
    for file in 0..6 {
        let mut text = String::new();
        // The first is the largest and is begun first.
        for i in 0..8_000 + 1_000 * usize::from(file == 0) {
            writeln!(
                text,
                "10.60.{file}.{} - u{} [14/Sep/2025:03:{:02}:{:02} +0200] \"GET /r4/Patient/{i} HTTP/1.1\" 200 {} \"https://portail.example/\" \"Mozilla/5.0 (X11; Linux x86_64; rv:128.0)\"",
                i % 250,
                i % 90,
                i / 200 % 60,
                i / 4 % 60,
                i % 9000,
            )
            .unwrap();
        }
        std::fs::write(case.join(format!("logs/access-{file}.log")), text).unwrap();
    }
    let at = |name: &str| dir.path().join(name).display().to_string();
    let args = |lake: &str, keys: &str| {
        [
            "ingest",
            &at("case"),
            "--lake",
            &at(lake),
            "--keys",
            &at(keys),
            "--threads",
            "1",
        ]
        .map(str::to_string)
    };
    let mut child = common::ampleur()
        .args(args("lake", "keys"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // As soon as one segment is sealed.
    let tmp = dir.path().join("lake/tmp");
    let sealed = || {
        let whole = |e: std::fs::DirEntry| {
            e.file_name().to_string_lossy().ends_with(".sealed")
                && std::fs::read(e.path()).is_ok_and(|b| b.ends_with(b"}"))
        };
        std::fs::read_dir(&tmp).is_ok_and(|mut d| d.any(|e| e.is_ok_and(whole)))
    };
    while !sealed() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "ended before it was stopped"
        );
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let args_of = |a: [String; 8]| -> Output {
        let a: Vec<&str> = a.iter().map(String::as_str).collect();
        ampleur(&a)
    };
    let again = args_of(args("lake", "keys"));
    assert_eq!(code(&again), 0, "{}", text(&again.stderr));
    assert!(
        text(&again.stderr).contains("taken up again"),
        "{}",
        text(&again.stderr)
    );
    let undisturbed = args_of(args("other", "other-keys"));
    assert_eq!(text(&again.stdout), text(&undisturbed.stdout));
    let checked = ampleur(&["verify", &at("lake")]);
    assert_eq!(code(&checked), 0, "{}", text(&checked.stdout));
}

/// A labelled share, listed: who is found against the truth, on any number of threads, again without reading, and locked.
#[test]
fn an_inventory_finds_whose_data_is_in_a_share() {
    let dir = tempfile::tempdir().expect("folder");
    let at = |p: &str| dir.path().join(p).display().to_string();
    let made = ampleur(&[
        "simulate",
        "share",
        &at("m"),
        "--seed",
        "3",
        "--scale",
        "0.02",
    ]);
    assert_eq!(code(&made), 0, "{}", text(&made.stderr));
    let (share, case) = (at("m/share"), at("m/case"));
    let list = |out: &str, threads: &str, more: &[&str]| {
        let out = at(out);
        let mut args = vec![
            "--json",
            "inventory",
            &share,
            "--case",
            &case,
            "--share",
            "\\\\FS01\\Commun",
            "--out",
            &out,
            "--threads",
            threads,
        ];
        args.extend(more);
        ampleur(&args)
    };
    let first = list("a.jsonl", "2", &["--clear"]);
    // Pictures are in the share: done in part.
    assert_eq!(code(&first), 3, "{}", text(&first.stderr));
    let rows = std::fs::read_to_string(at("a.jsonl")).expect("rows");
    let truth =
        serde_json::from_slice(&std::fs::read(at("m/truth.json")).expect("truth")).expect("truth");
    let mut wrong = vec![];
    let score = ampleur_testkit::share::score_share(&truth, &rows, &mut |f, who, missed| {
        wrong.push(format!(
            "{} {} {who} {}",
            if missed { "missed" } else { "wrong" },
            f.kind,
            f.path
        ));
    });
    println!(
        "{score:?} recall {:.4} precision {:.4}",
        score.recall(),
        score.precision()
    );
    assert!(
        score.recall() >= 0.995 && score.precision() >= 0.995,
        "{score:?}\n{}",
        wrong.join("\n")
    );
    assert_eq!(score.silent, 0, "an unreadable file was passed over");

    let summary =
        |o: &Output| -> serde_json::Value { serde_json::from_slice(&o.stdout).expect("summary") };
    let one = list("b.jsonl", "1", &["--clear"]);
    assert_eq!(code(&one), 3);
    assert_eq!(
        rows,
        std::fs::read_to_string(at("b.jsonl")).expect("rows"),
        "one thread equals two"
    );
    let again = list("a.jsonl", "2", &["--clear"]);
    assert_eq!(summary(&again)["kept"], summary(&again)["files"]);
    assert_eq!(
        rows,
        std::fs::read_to_string(at("a.jsonl")).expect("rows"),
        "unchanged files keep their rows"
    );

    // Locked by default; taken over without the key, opened with it.
    let keys = at("keys");
    assert_eq!(
        code(&list("case-inventory.jsonl", "2", &["--keys", &keys])),
        3
    );
    let locked = std::fs::read_to_string(at("case-inventory.jsonl")).expect("rows");
    assert!(!locked.contains("urn:oid"), "no identifier in clear");
    let again = list("case-inventory.jsonl", "2", &["--keys", &keys]);
    assert_eq!(summary(&again)["kept"], summary(&again)["files"]);
    assert_eq!(
        locked,
        std::fs::read_to_string(at("case-inventory.jsonl")).expect("rows")
    );

    // A published list with a decoy, compared with the locked inventory.
    std::fs::create_dir_all(at("m/case/inventory")).expect("folder");
    std::fs::copy(
        at("case-inventory.jsonl"),
        at("m/case/inventory/commun.jsonl"),
    )
    .expect("copy");
    let row: serde_json::Value = rows
        .lines()
        .map(|l| serde_json::from_str(l).expect("row"))
        .find(|r: &serde_json::Value| r["subjects"].as_array().is_some_and(|s| s.len() > 3))
        .expect("a file with persons");
    let path = row["path"].as_str().expect("path").replace('\\', "/");
    std::fs::write(
        at("list.csv"),
        format!(
            "path,size\n{path},{}\n{path},1\nautre/{path}x,7\n",
            row["size"]
        ),
    )
    .expect("list");
    let leak = |more: &[&str]| {
        let list = at("list.csv");
        let mut args = vec!["--json", "leak", &list, "--case", &case];
        args.extend(more);
        ampleur(&args)
    };
    assert_eq!(code(&leak(&[])), 2, "a locked inventory needs the key");
    let key = at("keys/dpo.key");
    let said = leak(&["--dpo-key", &key]);
    assert_eq!(code(&said), 1, "{}", text(&said.stderr));
    let v = summary(&said);
    let verdicts: Vec<&str> = v["lines"]
        .as_array()
        .expect("lines")
        .iter()
        .filter_map(|l| l["verdict"].as_str())
        .collect();
    assert_eq!(verdicts, ["leaked", "decoy", "unknown"]);
    let persons = row["subjects"].as_array().map_or(0, Vec::len) as u64;
    assert_eq!(v["subjects"]["at_least"], persons);
    // A published file is read: its persons are published.
    let sample = at(&format!("m/share/{path}"));
    let said = leak(&["--dpo-key", &key, "--sample", &sample]);
    assert_eq!(
        summary(&said)["samples"][0]["subjects"]
            .as_array()
            .map_or(0, Vec::len) as u64,
        persons
    );
}

#[test]
fn a_watch_tells_once_without_a_name() {
    let dir = tempfile::tempdir().expect("make folder");
    let p = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (case, answer) = (p("case"), p("answer"));
    assert_eq!(code(&ampleur(&["watch", &case, &answer])), 2);
    small_case(dir.path());
    ampleur(&["investigate", &case, "--out", &answer]);
    let quiet = ampleur(&["watch", &case, &answer, "--once", "--json"]);
    assert_eq!((code(&quiet), text(&quiet.stdout).as_str()), (0, ""));
    let watch = [
        "watch",
        &case,
        &answer,
        "--once",
        "--json",
        "--origin",
        "203.0.113.9",
    ];
    let out = ampleur(&watch);
    assert_eq!(code(&out), 1, "{}", text(&out.stderr));
    for line in text(&out.stdout).lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(line["format"], "ampleur.alarm/1");
        assert!(line["who"].as_str().is_some_and(|w| w.starts_with("tok_")));
    }
    let book = std::fs::read_to_string(dir.path().join("answer/alarms.jsonl")).expect("alarms");
    assert_eq!(book, text(&out.stdout));
    assert!(!book.is_empty());
    for clear in ["jmartin", "mcurie", "203.0.113.9", "192.0.2"] {
        assert!(!book.contains(clear), "{clear} in clear");
    }
    // Told today: not again, whatever the language.
    let again = ampleur(&[&watch[..4], &watch[5..], &["--lang", "fr"]].concat());
    assert_eq!((code(&again), text(&again.stdout).as_str()), (0, ""));
}
