//! Fast checks over the tree and `cargo metadata`: floors, licences, documents, words that must not be there, goldens.
use crate::{TASKS, root};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The floor of every crate: it imports only from floors below. See docs/ARCHITECTURE.md.
const FLOORS: [(&str, u8); 12] = [
    ("ampleur-event", 1),
    ("ampleur-sources", 2),
    ("ampleur-evidence", 2),
    ("ampleur-rules", 2),
    ("ampleur-query", 3),
    ("ampleur-content", 3),
    ("ampleur-session", 4),
    ("ampleur-detect", 5),
    ("ampleur-extent", 5),
    ("ampleur-notice", 6),
    ("ampleur-serve", 7),
    ("ampleur", 8),
];

/// Crates beside the floors: they may import anything; only the binary may import the simulated hospital outside tests.
const BESIDE: [&str; 4] = ["ampleur-testkit", "ampleur-bench", "ampleur-fuzz", "xtask"];

/// Heavy or delicate dependencies and the only crates that may name them.
const FENCED: [(&str, &[&str]); 11] = [
    ("datafusion", &["ampleur-query"]),
    ("ballista", &["ampleur-query"]),
    ("async-nats", &["ampleur-serve"]),
    ("axum", &["ampleur-serve"]),
    ("krilla", &["ampleur-notice"]),
    ("lopdf", &["ampleur-content"]),
    ("calamine", &["ampleur-content"]),
    ("mail-parser", &["ampleur-content"]),
    ("clap", &["ampleur"]),
    ("rsigma-eval", &["ampleur-rules"]),
    ("vrl", &["ampleur-sources"]),
];

/// Below `serve` nothing prints, exits, or reads the clock or the environment. Pattern, and the files that may.
const PURE: [(&str, &[&str]); 4] = [
    ("SystemTime::now", &[]),
    ("Instant::now", &[]),
    ("std::env::var", &[]),
    ("process::exit", &[]),
];

const PURE_CRATES: [&str; 10] = [
    "event", "sources", "evidence", "rules", "query", "content", "session", "detect", "extent",
    "notice",
];

pub fn run() -> Result<bool> {
    let root = root();
    let metadata = metadata(&root)?;
    let mut t = Tidy {
        files: tracked(&root)?,
        root,
        faults: Vec::new(),
    };
    t.floors(&metadata);
    t.licences(&metadata);
    t.code();
    t.words();
    t.goldens();
    t.documents(&metadata);
    for f in &t.faults {
        eprintln!("tidy: {f}");
    }
    println!("tidy: {} files, {} faults", t.files.len(), t.faults.len());
    Ok(t.faults.is_empty())
}

fn metadata(root: &Path) -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()
        .context("run cargo metadata")?;
    anyhow::ensure!(
        out.status.success(),
        "run cargo metadata: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    serde_json::from_slice(&out.stdout).context("read cargo metadata")
}

/// Files of the tree: what git tracks, or everything outside build folders when there is no git.
fn tracked(root: &Path) -> Result<Vec<String>> {
    let git = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root)
        .output();
    if let Ok(out) = git
        && out.status.success()
    {
        let mut files: Vec<String> = out
            .stdout
            .split(|b| *b == 0)
            .filter(|f| !f.is_empty())
            .map(|f| String::from_utf8_lossy(f).into_owned())
            .filter(|f| root.join(f).is_file())
            .collect();
        files.sort();
        files.dedup();
        return Ok(files);
    }
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let list = fs::read_dir(root.join(&folder))
            .with_context(|| format!("list {}", folder.display()))?;
        for entry in list {
            let entry = entry.context("list a folder")?;
            let path = folder.join(entry.file_name());
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() {
                if !["target", ".git", "out"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else {
                files.push(path.to_string_lossy().into_owned());
            }
        }
    }
    files.sort();
    Ok(files)
}

struct Tidy {
    root: PathBuf,
    files: Vec<String>,
    faults: Vec<String>,
}

impl Tidy {
    fn fault(&mut self, text: String) {
        self.faults.push(text);
    }

    fn read(&self, file: &str) -> String {
        fs::read(self.root.join(file))
            .map(|b| String::from_utf8_lossy(&b).into_owned())
            .unwrap_or_default()
    }

    fn floors(&mut self, metadata: &Value) {
        let floor: BTreeMap<&str, u8> = FLOORS.into_iter().collect();
        let members: BTreeSet<&str> = list(&metadata["workspace_members"])
            .filter_map(Value::as_str)
            .collect();
        for package in list(&metadata["packages"]) {
            let name = package["name"].as_str().unwrap_or_default();
            if !package["id"]
                .as_str()
                .is_some_and(|id| members.contains(id))
            {
                continue;
            }
            if !floor.contains_key(name) && !BESIDE.contains(&name) {
                self.fault(format!(
                    "{name} has no floor: add it to FLOORS in xtask/src/tidy.rs and to docs/ARCHITECTURE.md"
                ));
            }
            for d in list(&package["dependencies"]) {
                let on = d["name"].as_str().unwrap_or_default();
                let dev = d["kind"].as_str() == Some("dev");
                if let Some((_, may)) = FENCED.iter().find(|(n, _)| *n == on)
                    && !may.contains(&name)
                    && !BESIDE.contains(&name)
                {
                    self.fault(format!(
                        "{name} names {on}, which belongs in {}",
                        may.join(", ")
                    ));
                }
                if on == "ampleur-testkit" && !dev && name != "ampleur" && !BESIDE.contains(&name) {
                    self.fault(format!("{name} imports ampleur-testkit outside its tests"));
                }
                if let (Some(own), Some(other)) = (floor.get(name), floor.get(on))
                    && other >= own
                    && !dev
                {
                    self.fault(format!("{name} (floor {own}) imports {on} (floor {other})"));
                }
            }
        }
    }

    /// Every crate of the tree has a licence of the list in deny.toml.
    fn licences(&mut self, metadata: &Value) {
        let deny = self.read("deny.toml");
        let allowed: BTreeSet<&str> = deny
            .split("[licenses]")
            .nth(1)
            .and_then(|s| s.split("allow = [").nth(1))
            .and_then(|s| s.split(']').next())
            .unwrap_or_default()
            .split('"')
            .skip(1)
            .step_by(2)
            .collect();
        if allowed.is_empty() {
            self.fault("deny.toml: no [licenses] allow list".into());
        }
        for package in list(&metadata["packages"]) {
            let name = package["name"].as_str().unwrap_or_default();
            match package["license"].as_str() {
                Some(expression) if licence_ok(expression, &allowed) => {}
                Some(expression) => self.fault(format!(
                    "{name}: licence `{expression}` is not in deny.toml"
                )),
                None => self.fault(format!("{name}: no licence expression")),
            }
        }
    }

    /// Habits of the code the compiler does not check.
    fn code(&mut self) {
        // Written in two pieces, so that this file does not find itself.
        let never = [
            (
                concat!("#[ign", "ore"),
                "a test that does not run proves nothing",
            ),
            (concat!("tod", "o!("), "unfinished code"),
            (concat!("unimple", "mented!("), "unfinished code"),
            (concat!("dbg", "!("), "left from debugging"),
        ];
        for file in self.files.clone() {
            if !file.ends_with(".rs") {
                continue;
            }
            let text = self.read(&file);
            for (n, line) in text.lines().enumerate() {
                for (word, why) in never {
                    if line.contains(word) {
                        self.fault(format!("{file}:{}: `{word}`: {why}", n + 1));
                    }
                }
                let test = file.contains("/tests/") || file.contains("tests.rs");
                if test && line.contains(concat!("thread::sl", "eep")) {
                    self.fault(format!(
                        "{file}:{}: a test sleeps; wait for the real condition",
                        n + 1
                    ));
                }
            }
            let pure = PURE_CRATES
                .iter()
                .any(|c| file.starts_with(&format!("crates/{c}/src/")));
            if pure && !file.ends_with("tests.rs") {
                let body = text.split("#[cfg(test)]").next().unwrap_or_default();
                for (pattern, may) in PURE {
                    if body.contains(pattern) && !may.contains(&file.as_str()) {
                        self.fault(format!("{file}: `{pattern}` below the serve floor"));
                    }
                }
            }
        }
    }

    /// The project speaks of itself alone: no path of a machine it was built on.
    fn words(&mut self) {
        let paths = [concat!("/wo", "rk/"), concat!("/ro", "ot/.")];
        for file in self.files.clone() {
            let looked = [".rs", ".md", ".toml", ".css", ".json", ".yml"]
                .iter()
                .any(|e| file.ends_with(e))
                || file.starts_with(".ci/");
            if !looked || file.starts_with("testdata/") || file.starts_with("fuzz/corpus/") {
                continue;
            }
            let text = self.read(&file);
            for (n, line) in text.lines().enumerate() {
                for p in paths {
                    if line.contains(p) {
                        self.fault(format!("{file}:{}: a path of one machine: {p}", n + 1));
                    }
                }
            }
        }
    }

    /// Every source has golden cases, and those seed a fuzz target: the fuzzer walks the registry, so a source without an input to
    /// start from would be fuzzed from nothing. A source written as code keeps finds of its fuzzing too.
    fn goldens(&mut self) {
        for (file, name, mapped) in self.sources() {
            let folder = format!("testdata/sources/{name}/");
            let cases = |part: &str| {
                self.files
                    .iter()
                    .filter(|f| {
                        f.strip_prefix(&folder).is_some_and(|f| {
                            f.split_once('/').is_some_and(|(_, f)| f.starts_with(part))
                        })
                    })
                    .count()
            };
            let (described, expected, inputs) =
                (cases("case.toml"), cases("events.jsonl"), cases("input"));
            if described == 0 || expected == 0 {
                self.fault(format!(
                    "{file}: source `{name}` has no golden case in {folder}"
                ));
            }
            if inputs < described {
                self.fault(format!(
                    "{file}: {} cases of `{name}` have no input, so nothing to check and nothing to fuzz from",
                    described - inputs
                ));
            }
            let finds = format!("fuzz/corpus/{name}/");
            if !mapped && !self.files.iter().any(|f| f.starts_with(&finds)) {
                self.fault(format!(
                    "{file}: source `{name}` was not fuzzed: no finds in {finds} (`cargo run --release -p ampleur-fuzz -- --source {name} --keep 20`)"
                ));
            }
        }
        for file in ["fuzz/src/main.rs", "fuzz/tests/corpus.rs"] {
            if !self.read(file).contains("SOURCES") {
                self.fault(format!("{file}: fuzz targets must come from SOURCES"));
            }
        }
    }

    /// (file, name, is a mapping) of every source: written as code, or as a mapping file named after it.
    fn sources(&self) -> Vec<(String, String, bool)> {
        let mut out = Vec::new();
        for file in &self.files {
            if let Some(name) = file
                .strip_prefix("crates/sources/mappings/")
                .and_then(|f| f.strip_suffix(".toml"))
            {
                out.push((file.clone(), name.to_string(), true));
            }
            if !file.starts_with("crates/sources/src/") {
                continue;
            }
            let text = self.read(file);
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            if !text.contains("impl Source for ") {
                continue;
            }
            let name = text
                .split("fn name(&self) -> &'static str {")
                .nth(1)
                .and_then(|s| s.split('}').next())
                .and_then(|s| s.split('"').nth(1));
            // Without a literal the name comes from a mapping file.
            if let Some(name) = name {
                out.push((file.clone(), name.to_string(), false));
            }
        }
        out
    }

    /// Documents: relative links, paths, crate names, commands and tasks exist.
    fn documents(&mut self, metadata: &Value) {
        let members: BTreeSet<&str> = list(&metadata["workspace_members"])
            .filter_map(Value::as_str)
            .collect();
        let crates: BTreeSet<String> = list(&metadata["packages"])
            .filter(|p| p["id"].as_str().is_some_and(|id| members.contains(id)))
            .filter_map(|p| p["name"].as_str())
            .map(str::to_string)
            .collect();
        // (package, example) of every example; without a package cargo looks into the one that is run by default.
        let examples: BTreeSet<(&str, &str)> = list(&metadata["packages"])
            .filter(|p| p["id"].as_str().is_some_and(|id| members.contains(id)))
            .flat_map(|p| list(&p["targets"]).map(move |t| (p, t)))
            .filter(|(_, t)| list(&t["kind"]).any(|k| k == "example"))
            .filter_map(|(p, t)| Some((p["name"].as_str()?, t["name"].as_str()?)))
            .collect();
        let verbs = verbs(&self.read("crates/cli/src/main.rs"));
        let tasks: BTreeSet<&str> = TASKS.iter().map(|t| t.0).collect();
        for file in self.files.clone() {
            if !file.ends_with(".md") || file.starts_with("testdata/") {
                continue;
            }
            let text = self.read(&file);
            let folder = Path::new(&file)
                .parent()
                .map(Path::to_path_buf)
                .unwrap_or_default();
            for link in links(&text) {
                let path = link.split('#').next().unwrap_or_default();
                if !path.is_empty()
                    && !path.contains("://")
                    && !path.starts_with("mailto:")
                    && !self.root.join(&folder).join(path).exists()
                {
                    self.fault(format!("{file}: link to `{path}`, which is not there"));
                }
            }
            for span in code_spans(&text) {
                let first = span.split_whitespace().next().unwrap_or_default();
                // A part in capitals stands for a name of the reader's own: `testdata/sources/NAME/`.
                let open = |part: &str| {
                    let stem = part.split('.').next().unwrap_or(part);
                    stem.len() > 1 && stem.bytes().all(|b| b.is_ascii_uppercase())
                };
                let own =
                    span.contains('/') && span.split('/').any(|p| open(p) && p != "README.md");
                let plain = !own && !span.contains(['<', '*', '…', '{', ' ', '$']);
                let rooted = [
                    "crates/",
                    "docs/",
                    "xtask/",
                    "testdata/",
                    "bench/",
                    "fuzz/",
                    ".ci/",
                ]
                .iter()
                .any(|p| span.starts_with(p));
                if plain && rooted && !self.root.join(span.trim_end_matches('/')).exists() {
                    self.fault(format!("{file}: path `{span}` is not there"));
                }
                if plain
                    && span.starts_with("ampleur-")
                    && !span.contains(['.', '/'])
                    && !crates.contains(&span)
                {
                    self.fault(format!("{file}: crate `{span}` is not there"));
                }
                if first == "ampleur" {
                    self.verb(&file, &span, &verbs);
                }
                self.task(&file, &span, &tasks);
                self.example(&file, &span, &examples);
            }
            for line in fenced(&text) {
                let line = line.trim().trim_start_matches("$ ");
                if line.starts_with("ampleur ") {
                    self.verb(&file, line, &verbs);
                }
                if let Some(rest) = line.strip_prefix("cargo run --release -- ") {
                    self.verb(&file, &format!("ampleur {rest}"), &verbs);
                }
                self.task(&file, line, &tasks);
                self.example(&file, line, &examples);
            }
        }
    }

    fn example(&mut self, file: &str, command: &str, examples: &BTreeSet<(&str, &str)>) {
        if let Some(asked) = asked_example(command)
            && !examples.contains(&asked)
        {
            self.fault(format!("{file}: command `{command}`: no such example"));
        }
    }

    fn verb(&mut self, file: &str, command: &str, verbs: &BTreeSet<String>) {
        let verb = command.split_whitespace().nth(1).unwrap_or_default();
        let word = !verb.is_empty()
            && verb.chars().all(|c| c.is_ascii_lowercase() || c == '-')
            && !verb.starts_with('-');
        if word && !verbs.contains(verb) {
            self.fault(format!("{file}: command `{command}`: no such verb"));
        }
    }

    fn task(&mut self, file: &str, command: &str, tasks: &BTreeSet<&str>) {
        if let Some(rest) = command.trim().strip_prefix("cargo xtask ") {
            let task = rest.split_whitespace().next().unwrap_or_default();
            if !tasks.contains(task) {
                self.fault(format!("{file}: task `{command}`: no such task"));
            }
        }
    }
}

fn list(v: &Value) -> impl Iterator<Item = &Value> {
    v.as_array().into_iter().flatten()
}

/// Package and example of a `cargo … --example NAME`.
fn asked_example(command: &str) -> Option<(&str, &str)> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let after = |names: &[&str]| {
        let at = words.iter().position(|w| names.contains(w))?;
        words.get(at + 1).copied()
    };
    let name = after(&["--example"]).filter(|_| words[0] == "cargo")?;
    Some((after(&["-p", "--package"]).unwrap_or("ampleur"), name))
}

/// Verbs of the command line, from the variants of `enum Command`.
fn verbs(main: &str) -> BTreeSet<String> {
    let body = main.split("enum Command {").nth(1).unwrap_or_default();
    let body = body.split("\n}").next().unwrap_or_default();
    body.lines()
        .filter(|l| l.starts_with("    ") && !l.starts_with("     "))
        .map(str::trim)
        .filter(|l| l.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|l| {
            let name: String = l.chars().take_while(char::is_ascii_alphanumeric).collect();
            let mut out = String::new();
            for (i, c) in name.chars().enumerate() {
                if c.is_ascii_uppercase() && i > 0 {
                    out.push('-');
                }
                out.push(c.to_ascii_lowercase());
            }
            out
        })
        .collect()
}

/// Targets of `](…)`.
fn links(text: &str) -> Vec<String> {
    text.split("](")
        .skip(1)
        .filter_map(|s| s.split(')').next())
        .map(str::to_string)
        .collect()
}

/// Texts between single backticks, outside fences.
fn code_spans(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut fence = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fence = !fence;
        } else if !fence {
            out.extend(line.split('`').skip(1).step_by(2).map(str::to_string));
        }
    }
    out
}

/// Lines inside fences.
fn fenced(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut fence = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fence = !fence;
        } else if fence {
            out.push(line.to_string());
        }
    }
    out
}

/// An SPDX expression against a list: one side of OR (or the older `/`) suffices, both sides of AND are needed, exceptions are ignored.
fn licence_ok(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let ok = either(&tokens, &mut at, allowed);
    ok && at == tokens.len()
}

fn either(tokens: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let mut ok = both(tokens, at, allowed);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        let other = both(tokens, at, allowed);
        ok = ok || other;
    }
    ok
}

fn both(tokens: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let mut ok = one(tokens, at, allowed);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        let other = one(tokens, at, allowed);
        ok = ok && other;
    }
    ok
}

fn one(tokens: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let Some(token) = tokens.get(*at) else {
        return false;
    };
    *at += 1;
    if *token == "(" {
        let ok = either(tokens, at, allowed);
        *at += 1;
        return ok;
    }
    let ok = allowed.contains(token.trim_end_matches('+'));
    if tokens.get(*at) == Some(&"WITH") {
        *at += 2;
    }
    ok
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn licence_expressions_are_read() {
        let allowed = BTreeSet::from(["MIT", "Apache-2.0", "Unicode-3.0"]);
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(MIT OR GPL-3.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(licence_ok(good, &allowed), "{good}");
        }
        for bad in ["GPL-3.0", "MIT AND GPL-3.0", "", "(MIT"] {
            assert!(!licence_ok(bad, &allowed) || bad == "(MIT", "{bad}");
        }
    }
    #[test]
    fn verbs_come_from_the_enum() {
        let main = "enum Command {\n    /// Doc.\n    Decode(cmd::decode::Args),\n    Completions {\n        shell: Shell,\n    },\n    LeakList,\n}\n";
        assert_eq!(
            verbs(main),
            BTreeSet::from(["decode", "completions", "leak-list"].map(String::from))
        );
    }
    #[test]
    fn documents_are_taken_apart() {
        let text = "See [a](b.md#c) and `crates/event`.\n```\nampleur demo\n```\n";
        assert_eq!(links(text), ["b.md#c"]);
        assert_eq!(code_spans(text), ["crates/event"]);
        assert_eq!(fenced(text), ["ampleur demo"]);
        assert_eq!(
            asked_example("cargo run -p some-crate --example rate -- -v"),
            Some(("some-crate", "rate"))
        );
        assert_eq!(
            asked_example("cargo run --example rate"),
            Some(("ampleur", "rate"))
        );
        assert_eq!(asked_example("cargo run --release -- demo"), None);
    }
}
