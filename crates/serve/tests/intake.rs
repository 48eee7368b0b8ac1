//! Intake on many threads is intake on one: for every source, the same records, places, rejects, sessions, coverage and root.
use ampleur_event::Event;
use ampleur_evidence::{Keys, Lake};
use ampleur_serve::job::{Looker, Looking, Outside, Quiet, intake, intake_looked_at};
use ampleur_sources::{Case, SOURCES, case::FileId};
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Large enough to go through the stages on several threads.
const BYTES: usize = 400 << 10;

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/sources")
}

/// A case with a file of every golden of every source, each long enough: the lines come again and again.
fn case_of_everything(root: &Path) -> BTreeSet<String> {
    let mut sources = BTreeSet::new();
    let mut folders: Vec<PathBuf> = fs::read_dir(samples())
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_dir())
        .collect();
    folders.sort();
    let mut context = String::from("version = 1\ntimezone = \"Europe/Paris\"\n");
    fs::create_dir_all(root.join("logs")).unwrap();
    for folder in folders {
        let source = folder.file_name().unwrap().to_str().unwrap().to_string();
        for sample in fs::read_dir(&folder).unwrap() {
            let sample = sample.unwrap().path();
            if !sample.is_dir() {
                continue;
            }
            let name = sample.file_name().unwrap().to_str().unwrap().to_string();
            for input in fs::read_dir(&sample).unwrap() {
                let input = input.unwrap().path();
                let file = input.file_name().unwrap().to_str().unwrap();
                if !file.starts_with("input.") {
                    continue;
                }
                let bytes = fs::read(&input).unwrap();
                if bytes.is_empty() {
                    continue;
                }
                let rel = format!("logs/{source}-{name}-{file}");
                // One file of each source is long enough to be taken in by several threads.
                let times = if sources.insert(source.clone()) {
                    BYTES / bytes.len() + 1
                } else {
                    1
                };
                fs::write(root.join(&rel), bytes.repeat(times)).unwrap();
                write!(
                    context,
                    "\n[[source]]\nfiles = \"{rel}\"\nformat = \"{source}\"\n"
                )
                .unwrap();
            }
        }
    }
    fs::write(root.join("ampleur.toml"), context).unwrap();
    sources
}

/// Everything an intake leaves behind that anything later rests on.
fn taken(case: &Case, lake: &Path, threads: usize) -> Vec<String> {
    let mut n = 0u8;
    let mut random = |bytes: &mut [u8]| {
        for b in bytes {
            n = n.wrapping_mul(181).wrapping_add(59);
            *b = n;
        }
    };
    let keys = Keys::generate(&mut random).0;
    let mut lake = Lake::create(lake, &keys, 0).unwrap();
    let mut outside = Outside {
        now: 0,
        actor: "test".into(),
        random: &mut random,
    };
    let done = intake(case, &mut lake, threads, &mut outside, &Quiet).unwrap();
    let mut out = vec![done.checkpoint.root_hex()];
    for s in lake.segments() {
        let rows = fs::read(lake.root().join(&s.events)).unwrap_or_default();
        out.push(format!("{:?} {} bytes of rows", s.counts, rows.len()));
    }
    for ((r, p), o) in done
        .reports
        .iter()
        .zip(&done.partials)
        .zip(&done.observations)
    {
        out.push(format!("{r:?}"));
        out.push(format!("{p:?}"));
        out.push(format!("{o:?}"));
    }
    out
}

#[test]
fn one_thread_is_many_for_every_source() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("case");
    let sources = case_of_everything(&root);
    let known: BTreeSet<String> = SOURCES
        .iter()
        .map(|s| s.name().to_string())
        .filter(|n| samples().join(n).is_dir())
        .collect();
    assert_eq!(sources, known, "every source with samples is in the case");
    let case = Case::open(&root).unwrap();
    let one = taken(&case, &dir.path().join("one"), 1);
    for threads in [2, 5] {
        let many = taken(&case, &dir.path().join(threads.to_string()), threads);
        for (a, b) in one.iter().zip(&many) {
            assert!(
                a == b,
                "{threads} threads differ:\n{}\n{}",
                &a[..a.len().min(400)],
                &b[..b.len().min(400)]
            );
        }
        assert_eq!(one.len(), many.len());
    }
}

/// Many records on one line are proven one by one.
#[test]
fn records_of_one_line_have_leaves_of_their_own() {
    let line = r#"192.0.2.9 - marie [14/Sep/2025:01:00:36 +0200] \"GET /p HTTP/1.1\" 200 51 \"-\" \"curl\""#;
    let hit = format!(r#"{{"_source":{{"message":"{line}"}}}}"#);
    let answer = format!(r#"{{"hits":{{"hits":[{hit},{hit},{hit}]}}}}"#);
    for (text, lines) in [
        // Around and between three records lie four pieces more.
        (answer.clone(), 7),
        // An answer a line: a line is what anybody can count.
        (format!("{answer}\n{answer}\n"), 2),
        (format!("{hit}\n{hit}\n{hit}"), 3),
        (hit.clone(), 1),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("case");
        fs::create_dir_all(root.join("logs")).unwrap();
        fs::write(root.join("logs/answer.json"), &text).unwrap();
        let case = Case::open(&root).unwrap();
        let told = taken(&case, &dir.path().join("lake"), 2);
        assert!(
            told[1].contains(&format!(" lines: {lines},")),
            "{}",
            told[1]
        );
    }
}

/// A file nobody may open, or a disk that fails, costs that file alone, and is told.
#[test]
fn a_file_that_cannot_be_read_leaves_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("case");
    fs::create_dir_all(root.join("logs/web")).unwrap();
    fs::write(
        root.join("ampleur.toml"),
        "version = 1\ntimezone = \"UTC\"\n",
    )
    .unwrap();
    let line =
        "192.0.2.9 - marie [14/Sep/2025:01:00:36 +0200] \"GET /p HTTP/1.1\" 200 51 \"-\" \"x\"\n";
    for name in ["a.log", "b.log", "c.log"] {
        fs::write(root.join("logs/web").join(name), line).unwrap();
    }
    let case = Case::open(&root).unwrap();
    fs::remove_file(root.join("logs/web/a.log")).unwrap();
    fs::remove_file(root.join("logs/web/b.log")).unwrap();
    // It opens and cannot be read.
    fs::create_dir(root.join("logs/web/b.log")).unwrap();
    let mut random = |bytes: &mut [u8]| bytes.fill(7);
    let keys = Keys::generate(&mut random).0;
    let mut lake = Lake::create(&dir.path().join("lake"), &keys, 0).unwrap();
    let mut outside = Outside {
        now: 0,
        actor: "test".into(),
        random: &mut random,
    };
    let done = intake(&case, &mut lake, 2, &mut outside, &Quiet).unwrap();
    let told: Vec<_> = done
        .reports
        .iter()
        .map(|r| (r.events, r.rejects, r.cut_short, r.notes.len()))
        .collect();
    assert_eq!(told, [(0, 1, true, 1), (0, 1, true, 1), (1, 0, false, 0)]);
    for r in &done.reports[..2] {
        assert!(
            r.notes[0].starts_with("cut off where reading failed ("),
            "{:?}",
            r.notes
        );
    }
    assert_eq!(
        done.observations
            .iter()
            .filter(|o| o.counts.cut_short)
            .count(),
        2
    );
}

/// Looks on, and breaks down at a row of one file.
struct Breaks;
impl Looking for Breaks {
    fn file<'a>(&'a self, file: FileId, _: &str) -> Option<Box<dyn Looker + 'a>> {
        (file == 1).then(|| Box::new(After(20_000)) as Box<dyn Looker>)
    }
}

struct After(u32);
impl Looker for After {
    fn row(&mut self, _: &Event<'_>) {
        self.0 -= 1;
        assert!(self.0 > 0, "it broke down");
    }
    fn end(self: Box<Self>) {}
}

/// Whatever breaks in a stage of one file, nobody waits for it for ever: the cause is told.
#[test]
fn what_breaks_in_a_stage_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("case");
    fs::create_dir_all(root.join("logs/web")).unwrap();
    let line =
        "192.0.2.9 - marie [14/Sep/2025:01:00:36 +0200] \"GET /p HTTP/1.1\" 200 51 \"-\" \"x\"\n";
    for name in ["a.log", "b.log", "c.log"] {
        fs::write(root.join("logs/web").join(name), line.repeat(80_000)).unwrap();
    }
    let case = Case::open(&root).unwrap();
    for threads in [1, 2, 5] {
        let take = |name: &str, looking: Option<&dyn Looking>, break_lake: bool| {
            let path = dir.path().join(format!("{name}-{threads}"));
            let mut random = |bytes: &mut [u8]| bytes.fill(7);
            let keys = Keys::generate(&mut random).0;
            let mut lake = Lake::create(&path, &keys, 0).unwrap();
            if break_lake {
                fs::remove_dir_all(path.join("tmp")).unwrap();
                fs::write(path.join("tmp"), "in the way").unwrap();
            }
            let mut outside = Outside {
                now: 0,
                actor: "test".into(),
                random: &mut random,
            };
            let done = intake_looked_at(&case, &mut lake, threads, &mut outside, &Quiet, looking);
            done.map(|d| d.reports.iter().map(|r| r.events).sum::<u64>())
        };
        assert_eq!(take("whole", None, false).unwrap(), 240_000);
        let told = take("full", None, true).unwrap_err().to_string();
        assert!(told.contains("tmp"), "{told}");
        let broken = || drop(take("broken", Some(&Breaks), false));
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(broken)).unwrap_err();
        let told = panic.downcast_ref::<&str>().copied().unwrap_or("");
        assert!(told.contains("thread panicked"), "{told}");
    }
}
