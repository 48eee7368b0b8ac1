//! What a hospital hands over on the night: cut, binary, empty, doubled, unknown, hostile. Each is counted, kept and shown with its
//! file and place; the run goes on; nothing panics.
#![allow(clippy::print_stdout, clippy::print_stderr)]
mod common;
use serde_json::Value;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Output,
};

/// A case with one good log beside whatever a test adds.
struct Night {
    dir: tempfile::TempDir,
}

/// Requests of one morning, made up.
fn requests(n: usize) -> String {
    (0..n)
        .map(|i| {
            format!(
                "192.0.2.{} - mcurie [04/Sep/2025:{:02}:{:02}:{:02} +0200] \"GET /dossier/{i} HTTP/1.1\" 200 512 \"-\" \"made-up/1\"\n",
                i % 7 + 1,
                8 + i / 3600 % 10,
                i / 60 % 60,
                i % 60,
            )
        })
        .collect()
}

impl Night {
    fn new(context: &str) -> Night {
        let night = Night {
            dir: tempfile::tempdir().expect("folder"),
        };
        night.put("case/ampleur.toml", format!("version = 1\n{context}"));
        night.put("case/logs/web/good.log", requests(300));
        night
    }
    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }
    fn put(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("make folder");
        fs::write(path, bytes).expect("write");
    }
    fn run(&self, args: &[&str]) -> Output {
        common::ampleur()
            .args(args)
            .current_dir(self.dir.path())
            .output()
            .expect("run ampleur")
    }
    /// Investigates; the exit code must be `code`. What was said, and the answer.
    fn investigate(&self, code: &[i32]) -> (String, Value) {
        let out = self.run(&["investigate", "case", "--out", "answer"]);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let got = out.status.code().unwrap_or(-1);
        assert!(code.contains(&got), "exit code {got}\n{said}");
        assert!(!said.contains("panicked"), "{said}");
        let answer = fs::read(self.at("answer/extent.json")).expect("an answer");
        (said, serde_json::from_slice(&answer).expect("json"))
    }
}

/// The row of one file in the answer; its sum holds.
fn row<'a>(answer: &'a Value, file: &str) -> &'a Value {
    let rows = answer["evidence"]["by_source"].as_array().expect("rows");
    let row = rows
        .iter()
        .find(|r| r["source"] == file)
        .unwrap_or_else(|| panic!("{file} is not in the answer"));
    let n = |key: &str| row[key].as_u64().expect("a number");
    assert_eq!(
        n("records"),
        n("events") + n("rejects") + n("skipped"),
        "{file}"
    );
    row
}

/// The line about `file` that names a place in it.
fn told<'a>(said: &'a str, file: &str) -> &'a str {
    said.lines()
        .find(|l| l.starts_with(file) && l.contains(" at byte "))
        .unwrap_or_else(|| panic!("nothing is said about {file}:\n{said}"))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    w.write_all(bytes).expect("compress");
    w.finish().expect("compress")
}

#[test]
fn a_file_cut_in_a_record_keeps_all_before() {
    let night = Night::new("");
    let whole = requests(50);
    let cut = &whole[..whole.len() - 60];
    night.put("case/logs/web/cut.log", cut);
    let (said, answer) = night.investigate(&[0, 1]);
    let row = row(&answer, "logs/web/cut.log");
    assert_eq!((&row["events"], &row["rejects"]), (&49.into(), &1.into()));
    let last = whole[..whole.len() - 60].rfind('\n').expect("lines") + 1;
    let line = told(&said, "logs/web/cut.log");
    assert!(
        line.contains(&format!("record 50 at byte {last}, ")),
        "{line}"
    );
}

#[test]
fn a_compressed_file_cut_short_keeps_all_before() {
    let night = Night::new("");
    let packed = gzip(requests(20_000).as_bytes());
    night.put("case/logs/web/cut.log.gz", &packed[..packed.len() / 2]);
    let (said, answer) = night.investigate(&[0, 1, 3]);
    let row = row(&answer, "logs/web/cut.log.gz");
    assert!(row["events"].as_u64() > Some(1_000), "{row}");
    assert!(row["rejects"].as_u64() >= Some(1), "{row}");
    assert!(
        said.lines()
            .any(|l| l.starts_with("logs/web/cut.log.gz: compressed data is damaged")),
        "{said}"
    );
    told(&said, "logs/web/cut.log.gz");
}

#[test]
fn a_source_that_tells_and_cannot_be_read_makes_it_a_part() {
    // More than one record in a hundred of a source that tells is not understood: the answer says it is a part.
    let night = Night::new(
        "[[source]]\nfiles = \"logs/web/*.log\"\nformat = \"http-access\"\ntells = [\"ID.*\"]\n",
    );
    let mut text = requests(100);
    text.push_str("a line of nobody\nanother line of nobody\nand one more, of nobody\nand a fourth\nand a fifth one\n");
    night.put("case/logs/web/mixed.log", text);
    let (said, answer) = night.investigate(&[3]);
    assert_eq!(row(&answer, "logs/web/mixed.log")["rejects"], 5);
    assert!(told(&said, "logs/web/mixed.log").contains("5 of 105 records"));
}

#[test]
fn a_binary_file_is_one_reject_and_the_run_goes_on() {
    let night = Night::new("");
    let noise: Vec<u8> = (0..40_000u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    night.put("case/logs/odd/noise.bin", &noise);
    let (said, answer) = night.investigate(&[3]);
    let odd = row(&answer, "logs/odd/noise.bin");
    assert_eq!(odd["format"], "unknown");
    assert_eq!(odd["events"], 0);
    assert!(odd["rejects"].as_u64() >= Some(1));
    assert!(told(&said, "logs/odd/noise.bin").contains("[[source]]"));
    assert_eq!(row(&answer, "logs/web/good.log")["events"], 300);
}

#[test]
fn an_empty_file_is_counted_as_empty() {
    let night = Night::new("");
    night.put("case/logs/web/empty.log", "");
    night.put("case/logs/web/empty.log.gz", gzip(b""));
    let (_, answer) = night.investigate(&[0, 1]);
    assert_eq!(row(&answer, "logs/web/empty.log")["records"], 0);
    assert_eq!(row(&answer, "logs/web/empty.log.gz")["records"], 0);
}

#[test]
fn a_huge_line_is_one_reject_and_its_neighbours_are_read() {
    let night = Night::new("");
    let mut bytes = requests(10).into_bytes();
    let at = bytes.len();
    bytes.resize(at + (17 << 20), b'A');
    bytes.push(b'\n');
    bytes.extend_from_slice(requests(10).as_bytes());
    night.put("case/logs/web/huge.log", &bytes);
    let (said, answer) = night.investigate(&[0, 1]);
    let row = row(&answer, "logs/web/huge.log");
    assert_eq!((&row["events"], &row["rejects"]), (&20.into(), &1.into()));
    let line = told(&said, "logs/web/huge.log");
    assert!(
        line.contains(&format!("record 11 at byte {at}, "))
            && line.contains("longer than the limit"),
        "{line}"
    );
    assert!(said.len() < 10_000, "the line itself must not be shown");
}

#[test]
fn a_wrong_zone_is_refused_before_any_work() {
    let night = Night::new("[[source]]\nfiles = \"logs/web/*.log\"\ntimezone = \"Europe/Pari\"\n");
    let out = night.run(&["investigate", "case", "--out", "answer"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(
        said.contains("Europe/Pari") && said.contains("time zone"),
        "{said}"
    );
    assert!(
        !night.at("answer/extent.json").exists(),
        "nothing was to be done"
    );
}

#[test]
fn times_of_the_repeated_hour_keep_both_readings() {
    // Error logs carry no zone: 02:30 on the last Sunday of October happens twice in Paris.
    let night = Night::new("timezone = \"Europe/Paris\"\n");
    night.put(
        "case/logs/web/error.log",
        "2025/10/26 02:30:00 [error] 11#11: *7 open() \"/x\" failed (2: No such file or directory), client: 192.0.2.9, server: _, request: \"GET /x HTTP/1.1\"\n",
    );
    let out = night.run(&[
        "decode",
        "--timezone",
        "Europe/Paris",
        "case/logs/web/error.log",
    ]);
    let event: Value = serde_json::from_slice(&out.stdout).expect("one event");
    let instants = [&event["timestamp"], &event["timestamp_other_reading"]];
    assert!(
        instants.contains(&&"2025-10-26T00:30:00Z".into())
            && instants.contains(&&"2025-10-26T01:30:00Z".into()),
        "{event}"
    );
    night.investigate(&[0, 1]);
}

#[test]
fn a_file_given_twice_changes_no_count_of_people() {
    let night = Night::new("");
    let (_, once) = night.investigate(&[0, 1]);
    night.put("case/logs/web/good-copy.log", requests(300));
    let (_, twice) = night.investigate(&[0, 1]);
    assert_eq!(row(&twice, "logs/web/good-copy.log")["events"], 300);
    assert_eq!(once["extent"]["subjects"], twice["extent"]["subjects"]);
}

#[test]
fn an_unknown_format_says_where_to_name_it() {
    let night = Night::new("");
    night.put(
        "case/logs/odd/journal.txt",
        "Le serveur a bien démarré ce matin.\nRien à signaler.\n",
    );
    let (said, answer) = night.investigate(&[3]);
    let odd = row(&answer, "logs/odd/journal.txt");
    assert_eq!(
        (&odd["format"], &odd["events"]),
        (&"unknown".into(), &0.into())
    );
    let line = told(&said, "logs/odd/journal.txt");
    assert!(
        line.contains("no source knows this format") && line.contains("ampleur sources list"),
        "{line}"
    );
}

#[test]
fn an_unreadable_key_of_the_context_names_the_nearest() {
    let night = Night::new("[[source]]\nfile = \"logs/web/*.log\"\n");
    let out = night.run(&["investigate", "case", "--out", "answer"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(
        said.contains("ampleur.toml")
            && said.contains("line 3")
            && said.contains("did you mean `files`?"),
        "{said}"
    );
}

#[test]
fn a_decompression_bomb_is_capped_with_a_clear_message() {
    // 256 MiB of one letter: zstd packs it more than two thousand times smaller, which no log does.
    let night = Night::new("");
    let path = night.at("case/logs/web/bomb.log.zst");
    let file = fs::File::create(&path).expect("create");
    let mut w = zstd::stream::Encoder::new(file, 3).expect("encoder");
    let chunk = vec![b'A'; 1 << 20];
    for _ in 0..256 {
        w.write_all(&chunk).expect("compress");
    }
    w.finish().expect("compress");
    let packed = fs::metadata(&path).expect("size").len();
    assert!(packed * 2_000 < 256 << 20, "not a bomb: {packed} bytes");
    let (said, answer) = night.investigate(&[3]);
    assert_eq!(row(&answer, "logs/web/bomb.log.zst")["events"], 0);
    assert!(
        said.lines()
            .any(|l| l.starts_with("logs/web/bomb.log.zst: decompression stopped")),
        "{said}"
    );
    assert_eq!(row(&answer, "logs/web/good.log")["events"], 300);
}

#[test]
fn what_is_sealed_of_bad_files_verifies() {
    let night = Night::new("");
    night.put("case/logs/odd/noise.bin", [0u8, 255, 3, 200].repeat(900));
    night.put("case/logs/web/cut.log", &requests(5)[..300]);
    night.investigate(&[3]);
    let out = night.run(&["verify", "answer"]);
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert!(Path::new(&night.at("answer/evidence.zip")).is_file());
}

#[test]
fn a_geoip_file_that_is_not_there_is_told() {
    let night = Night::new("geoip = [\"geo/city.mmdb\"]\n");
    let (said, _) = night.investigate(&[0, 1]);
    assert!(
        said.contains("geo/city.mmdb: ") && said.contains("`geoip`"),
        "{said}"
    );
}

#[test]
fn a_mistyped_case_leaves_no_folder_behind() {
    let night = Night::new("");
    let out = night.run(&["investigate", "kase", "--out", "answer"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(!night.at("answer").exists());
}

#[test]
fn a_folder_or_key_that_cannot_be_used_is_refused_before_any_work() {
    let night = Night::new("");
    night.put("taken", "a file");
    for args in [
        &["investigate", "case", "--out", "taken/answer"][..],
        &[
            "investigate",
            "case",
            "--out",
            "answer",
            "--dpo-key",
            "no-key",
        ],
    ] {
        let out = night.run(args);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains("hint: "), "{said}");
        let out = night.run(&[args, &["--lang", "fr"]].concat());
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(
            said.starts_with("erreur : impossible ") && said.contains("conseil : "),
            "{said}"
        );
    }
}
