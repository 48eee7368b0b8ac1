//! `ampleur rules` and `ampleur investigate --rules` as a person runs them. Feature `sigma`.
#![cfg(feature = "sigma")]
mod common;
#[path = "common/run.rs"]
mod run;
use run::{ampleur, code, text};
use serde_json::Value;
use std::{fs, path::PathBuf, process::Output};

const MINE: &str = "title: Record of one person asked for\ntitle-fr: Dossier d'une personne demandé\nid: 5d1f0d6e-0000-4000-8000-000000000001\ndescription: <b>Look</b>\nlogsource:\n    category: webserver\ndetection:\n    selection:\n        url|contains: /Patient/\n    condition: selection\nlevel: low\n---\ntitle: Records asked for\nid: 5d1f0d6e-0000-4000-8000-000000000002\ncorrelation:\n    type: event_count\n    generate: true\n    rules:\n        - 5d1f0d6e-0000-4000-8000-000000000001\n    group-by:\n        - url\n    timespan: 1h\n    condition:\n        gte: 2\n";

/// 40 requests of two people, made up, and a folder of rules.
struct Made {
    dir: tempfile::TempDir,
}

impl Made {
    fn new() -> Made {
        let made = Made {
            dir: tempfile::tempdir().expect("folder"),
        };
        fs::create_dir_all(made.at("case/logs/web")).expect("make folder");
        fs::create_dir_all(made.at("rules/web")).expect("make folder");
        let lines: String = (0..40)
            .map(|i| {
                format!(
                    "10.60.0.{} - u{} [02/Sep/2025:10:00:{i:02} +0200] \"GET /r4/Patient/{} HTTP/1.1\" 200 512 \"-\" \"curl/8.1\"\n",
                    i % 2,
                    i % 2,
                    i % 20
                )
            })
            .collect();
        fs::write(made.at("case/logs/web/access.log"), lines).expect("write");
        fs::write(made.at("rules/web/mine.yml"), MINE).expect("write");
        made
    }
    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }
    fn path(&self, path: &str) -> String {
        self.at(path).display().to_string()
    }
    fn investigate(&self, out: &str, more: &[&str]) -> Output {
        let (case, out) = (self.path("case"), self.path(out));
        ampleur(&[&["investigate", &case, "--out", &out, "-q"], more].concat())
    }
}

#[test]
fn rules_are_listed_and_checked() {
    let made = Made::new();
    let out = ampleur(&["rules", "list"]);
    assert_eq!(code(&out), 0);
    assert!(text(&out.stdout).contains("share-ransom-note.yml"));
    let out = ampleur(&["rules", "list", "--rules", &made.path("rules"), "--json"]);
    let list: Vec<Value> = serde_json::from_slice(&out.stdout).expect("json");
    let mine: Vec<&Value> = list.iter().filter(|r| r["own"] == false).collect();
    assert_eq!(mine.len(), 2);
    assert_eq!(mine[0]["file"], "web/mine.yml");

    let out = ampleur(&["rules", "check", &made.path("rules")]);
    assert_eq!(code(&out), 0, "{}", text(&out.stderr));
    assert_eq!(text(&out.stdout), "2 rules can be used (1 files)\n");
    fs::write(
        made.at("rules/bad.yml"),
        MINE.replace("url|contains", "uri_path"),
    )
    .expect("write");
    let out = ampleur(&["rules", "check", &made.path("rules")]);
    assert_eq!(code(&out), 1);
    assert!(
        text(&out.stdout).contains("bad.yml:9: unknown field uri_path\n"),
        "{}",
        text(&out.stdout)
    );
    assert!(text(&out.stdout).contains("is that of Record of one person asked for too"));
    let refused = made.investigate("refused", &["--rules", &made.path("rules")]);
    assert_eq!(code(&refused), 2, "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("bad.yml:9: unknown field uri_path"));
    assert!(!made.at("refused/lake").exists());
    assert_eq!(code(&ampleur(&["rules", "check", &made.path("none")])), 2);
}

#[test]
fn findings_stand_beside_the_answer_and_judge_nobody() {
    let made = Made::new();
    let rules = made.path("rules");
    let one = made.investigate("one", &["--rules", &rules, "--threads", "1"]);
    let two = made.investigate("two", &["--rules", &rules, "--threads", "2"]);
    let none = made.investigate("none", &[]);
    assert_eq!(code(&one), code(&none), "{}", text(&one.stderr));
    assert_eq!(code(&two), code(&none), "{}", text(&two.stderr));
    let read = |path: &str| fs::read(made.at(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let json = |path: &str| -> Value { serde_json::from_slice(&read(path)).expect("json") };
    // Whoever has rules of his own gets the same answer about sessions and persons.
    let mut answers = [json("one/extent.json"), json("none/extent.json")];
    for a in &mut answers {
        a["incident"] = Value::Null;
        a["evidence"]["root_hash"] = Value::Null;
    }
    assert_eq!(answers[0], answers[1]);

    let mut found = [json("one/findings.json"), json("two/findings.json")];
    assert_eq!(found[0]["format"], "ampleur.findings/1");
    assert_eq!(found[0]["rules_given"], 2);
    let of = |found: &Value, id: &str| -> Vec<Value> {
        let list = found["findings"].as_array().expect("a list");
        list.iter().filter(|f| f["rule"] == id).cloned().collect()
    };
    let single = of(&found[0], "5d1f0d6e-0000-4000-8000-000000000001");
    assert_eq!(single.len(), 2);
    assert_eq!(single[0]["times"], 20);
    assert_eq!(single[0]["title"]["fr"], "Dossier d'une personne demandé");
    assert_eq!(single[0]["evidence"][0], "logs/web/access.log:1");
    let counted = of(&found[0], "5d1f0d6e-0000-4000-8000-000000000002");
    assert_eq!(counted.len(), 20);
    assert_eq!(counted[0]["most"], 2);
    // An address of a record may hold an identifier: it is a token, and nowhere in clear.
    let value = counted[0]["by"][0]["value"].as_str().expect("a text");
    assert!(value.starts_with("tok_"), "{value}");
    assert!(!text(&read("one/findings.json")).contains("/r4/Patient/"));
    let page = text(&read("one/report.html"));
    assert!(page.contains("À regarder\u{a0}: constats des règles"));
    assert!(page.contains("A finding accuses nobody and clears nobody"));
    assert!(page.contains("&lt;b&gt;Look&lt;/b&gt;") && !page.contains("<b>Look</b>"));

    // Keys are new for each lake, so tokens differ; all else is the same on any number of threads.
    for f in &mut found {
        for one in f["findings"].as_array_mut().expect("a list") {
            let by = one["by"].as_array_mut().expect("a list");
            by.iter_mut()
                .filter(|b| b["field"] == "url")
                .for_each(|b| b["value"] = Value::Null);
        }
        let list = f["findings"].as_array_mut().expect("a list");
        list.sort_by_key(ToString::to_string);
        f["incident"] = Value::Null;
    }
    assert_eq!(found[0], found[1]);

    // The schema asks for what is written.
    let schema: Value =
        serde_json::from_slice(&ampleur(&["schema", "findings"]).stdout).expect("json");
    let asked = schema["properties"]["findings"]["items"]["required"].clone();
    for name in asked.as_array().expect("a list") {
        let name = name.as_str().expect("a name");
        assert!(single[0].get(name).is_some(), "{name}");
    }
    for name in single[0].as_object().expect("an object").keys() {
        let described = &schema["properties"]["findings"]["items"]["properties"][name];
        assert!(described.is_object(), "{name}");
    }
}
