//! The lake on a real disk: round trips, proofs, what verification names, other people's reading of the log, and real kills.
#![allow(clippy::print_stdout)]
mod common;
use ampleur_evidence::{
    Citation, Cut, EvidenceError, Lake, SegmentMeta, Wait, bundle, columns, store::FolderStore,
    verify,
};
use common::Random;
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

fn raw_key(dir: &Path, keys: &ampleur_evidence::Keys) -> [u8; 32] {
    keys.save(&dir.join("keys")).unwrap();
    ampleur_evidence::load_raw_key(&dir.join("keys")).unwrap()
}

fn three_files(dir: &Path) -> (Lake, ampleur_evidence::Keys) {
    let (keys, _) = common::keys(3);
    let mut lake = Lake::create(&dir.join("lake"), &keys, common::DAY).unwrap();
    let mut random = Random(1);
    for (name, lines) in [("a", 1000), ("b", 3), ("c", 257)] {
        let s = common::seal(&lake, name, lines, random.salt()).unwrap();
        lake.commit(vec![s], vec![common::used("ingest")], common::DAY)
            .unwrap();
    }
    (lake, keys)
}

#[test]
fn evidence_comes_back_and_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, keys) = three_files(dir.path());
    assert!(matches!(
        Lake::open_writer(&dir.path().join("lake"), &keys, Wait::No),
        Err(EvidenceError::Locked)
    ));
    let before = lake.checkpoint();
    drop(lake);
    let lake = Lake::open(&dir.path().join("lake"), &keys).unwrap();
    assert_eq!(lake.checkpoint(), before);
    assert_eq!(lake.segments().len(), 3);
    assert_eq!(lake.uses().len(), 3);
    let whole = common::text("a", 1000);
    assert_eq!(lake.read("logs/a.log", 500, 900).unwrap(), whole[500..1400]);
    assert!(matches!(
        lake.read("logs/a.log", whole.len() as u64, 1),
        Err(EvidenceError::NotFound { .. })
    ));
    let store = FolderStore::new(&dir.path().join("lake"));
    let key = raw_key(dir.path(), &keys);
    let report = verify::verify(&store, &keys.public(), Some(&key));
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(report.lines, 1260);
    assert_eq!(report.root, lake.checkpoint().root_hex());
    let (other, _) = common::keys(4);
    assert!(!verify::verify(&store, &other.public(), None).is_sound());
}

#[test]
fn the_root_depends_on_the_evidence_alone() {
    let roots: Vec<String> = [1, 2]
        .iter()
        .map(|seed| {
            let dir = tempfile::tempdir().unwrap();
            let (keys, _) = common::keys(*seed);
            let mut lake = Lake::create(dir.path(), &keys, common::DAY + *seed as i64).unwrap();
            let mut random = Random(*seed);
            let s = vec![
                common::seal(&lake, "a", 20, random.salt()).unwrap(),
                common::seal(&lake, "b", 20, random.salt()).unwrap(),
            ];
            lake.commit(s, vec![], common::DAY).unwrap().root_hex()
        })
        .collect();
    assert_eq!(roots[0], roots[1]);
}

#[test]
fn lakes_and_writers_may_be_used_from_several_threads() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<ampleur_evidence::SegmentWriter>();
    send::<ampleur_evidence::SealedSegment>();
    sync::<Lake>();
}

#[test]
fn the_same_file_twice_is_one_segment() {
    let dir = tempfile::tempdir().unwrap();
    let (mut lake, _keys) = three_files(dir.path());
    let before = lake.checkpoint();
    let s = common::seal(&lake, "a", 1000, Random(77).salt()).unwrap();
    let after = lake.commit(vec![s], vec![], common::DAY).unwrap();
    assert_eq!(before, after);
}

#[test]
fn one_line_is_proven_without_its_neighbours() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, keys) = three_files(dir.path());
    let whole = common::text("a", 1000);
    let mut cited = vec![];
    let mut at = 0u64;
    for (i, line) in whole.split_inclusive(|b| *b == b'\n').enumerate() {
        if [0, 255, 256, 700, 999].contains(&i) {
            cited.push(Citation {
                file: "logs/a.log".into(),
                offset: at,
                len: line.len() as u64,
            });
        }
        at += line.len() as u64;
    }
    // One record over three lines.
    cited.push(Citation {
        file: "logs/b.log".into(),
        offset: 0,
        len: common::text("b", 3).len() as u64,
    });
    let mut zip = std::io::Cursor::new(vec![]);
    assert_eq!(bundle::export(&lake, &cited, &mut zip).unwrap(), 6);
    let zip = zip.into_inner();
    let report = verify::verify_bundle(&zip, &keys.public());
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!((report.files, report.lines), (6, 8));

    let mut again = std::io::Cursor::new(vec![]);
    bundle::export(&lake, &cited, &mut again).unwrap();
    assert_eq!(zip, again.into_inner(), "same evidence, same bytes");

    let proof = lake
        .prove("logs/a.log", cited[1].offset, cited[1].len)
        .unwrap();
    let text = serde_json::to_string(&proof).unwrap();
    assert_eq!(proof.lines.len(), 1);
    use base64::Engine;
    let neighbour = base64::engine::general_purpose::STANDARD.encode(b"a line 254 user");
    assert!(!text.contains(&neighbour[..16]));
    let (other, _) = common::keys(9);
    assert!(!verify::verify_bundle(&zip, &other.public()).is_sound());
}

#[test]
fn a_changed_proof_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, keys) = three_files(dir.path());
    let cited = [Citation {
        file: "logs/c.log".into(),
        offset: 0,
        len: 5,
    }];
    let mut zip = std::io::Cursor::new(vec![]);
    bundle::export(&lake, &cited, &mut zip).unwrap();
    let sound = zip.into_inner();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&sound)).unwrap();
    let mut proofs = String::new();
    std::io::Read::read_to_string(&mut archive.by_name("proofs.jsonl").unwrap(), &mut proofs)
        .unwrap();
    let note = lake.checkpoint().note;
    for (from, to) in [
        ("\"line_index\":0", "\"line_index\":1"),
        ("\"leaf_index\":2", "\"leaf_index\":1"),
        ("\"tree_size\":3", "\"tree_size\":4"),
        ("\"bytes\":\"Y", "\"bytes\":\"Z"),
        ("\"file\":\"logs/c.log\"", "\"file\":\"logs/a.log\""),
        ("\\\"lines\\\":257", "\\\"lines\\\":256"),
    ] {
        let changed = proofs.replacen(from, to, 1);
        assert_ne!(changed, proofs, "{from}");
        let mut w = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
        for (name, bytes) in [("checkpoint", &note), ("proofs.jsonl", &changed)] {
            w.start_file(name, zip::write::SimpleFileOptions::default())
                .unwrap();
            std::io::Write::write_all(&mut w, bytes.as_bytes()).unwrap();
        }
        let bytes = w.finish().unwrap().into_inner();
        assert!(
            !verify::verify_bundle(&bytes, &keys.public()).is_sound(),
            "{from}"
        );
    }
}

#[test]
fn any_changed_byte_is_found_and_its_file_named() {
    use std::{path::PathBuf, sync::Arc};
    let (keys, _) = common::keys(3);
    let store = common::FaultyStore::default();
    let mut lake =
        Lake::create_in(Arc::new(store.clone()), &PathBuf::new(), &keys, common::DAY).unwrap();
    let mut random = Random(1);
    let all = vec![
        common::seal(&lake, "a", 300, random.salt()).unwrap(),
        common::seal(&lake, "b", 3, random.salt()).unwrap(),
    ];
    lake.commit(all, vec![common::used("ingest")], common::DAY)
        .unwrap();
    assert!(verify::verify(&store, &keys.public(), None).is_sound());
    let mut checked = 0;
    for (path, len) in store.files() {
        // Tiles of an earlier checkpoint, the lock and leftovers are not signed by this one.
        if path == "lock" || path.starts_with("tmp/") {
            continue;
        }
        for at in [0, len / 3, len / 2, len.saturating_sub(2), len - 1] {
            if path == "ampleur.json" && !(len / 3..len - 3).contains(&at) {
                continue;
            }
            assert!(store.damage(&path, at));
            let report = verify::verify(&store, &keys.public(), None);
            assert!(!report.is_sound(), "{path} byte {at} of {len}");
            let first = &report.findings[0];
            assert!(
                report.findings.iter().any(|f| f.path == path),
                "{path} byte {at}: {:?}",
                report.findings
            );
            if path.starts_with("raw/") && path.ends_with(".zst") || path.starts_with("events/") {
                assert_eq!(first.at, Some((at as u64, 1)), "{first}");
            }
            checked += 1;
            assert!(store.damage(&path, at), "put back");
        }
    }
    assert!(checked > 40, "{checked}");
    assert!(verify::verify(&store, &keys.public(), None).is_sound());
}

#[test]
fn lines_that_do_not_match_their_bytes_are_found_with_the_raw_key() {
    // A writer that lies about its lines signs the lie; opening the contents finds it. Here the bytes of one lake are put
    // under the log of another by renaming, which even the stored hashes show.
    let dir = tempfile::tempdir().unwrap();
    let (lake, keys) = three_files(dir.path());
    let raw = &lake.segments()[1].raw;
    let other = &lake.segments()[2].raw;
    let root = dir.path().join("lake");
    std::fs::copy(root.join(other), root.join(raw)).unwrap();
    let key = raw_key(dir.path(), &keys);
    let report = verify::verify(&FolderStore::new(&root), &keys.public(), Some(&key));
    assert!(report.findings.iter().all(|f| f.path == *raw));
    assert!(
        report.findings.iter().any(|f| f.what.contains("leaf says")),
        "{:?}",
        report.findings
    );
}

/// The public tile reader of another project walks our log to every leaf.
#[test]
fn other_peoples_verifiers_read_the_log() {
    use tlog_tiles::{Tile, TileHashReader, TileReader, tlog};
    struct Folder(std::path::PathBuf);
    impl TileReader for Folder {
        fn height(&self) -> u8 {
            8
        }
        fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog::Error> {
            Ok(tiles
                .iter()
                .map(|t| {
                    // tile/<height>/<level>/<n> there is tile/<level>/<n> in the C2SP layout.
                    let path = t.path().replacen("tile/8/", "tile/", 1);
                    std::fs::read(self.0.join("log").join(path)).unwrap()
                })
                .collect())
        }
        fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
    }
    let dir = tempfile::tempdir().unwrap();
    let (keys, _) = common::keys(3);
    let mut lake = Lake::create(dir.path(), &keys, common::DAY).unwrap();
    let mut random = Random(1);
    // Past one full tile, in commits of uneven size.
    for n in [1, 2, 200, 60, 7] {
        let from = lake.segments().len();
        let all = (from..from + n)
            .map(|i| common::seal(&lake, &format!("f{i}"), 1, random.salt()).unwrap())
            .collect();
        lake.commit(all, vec![], common::DAY).unwrap();
    }
    let note = signed_note::Note::from_bytes(lake.checkpoint().note.as_bytes()).unwrap();
    let verifier = signed_note::StandardVerifier::new(&keys.public().0).unwrap();
    note.verify(&signed_note::VerifierList::new(vec![Box::new(verifier)]))
        .unwrap();
    let head = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!(head.size(), 270);
    let folder = Folder(dir.path().to_path_buf());
    let reader = TileHashReader::new(head.size(), *head.hash(), &folder);
    for s in lake.segments() {
        let proof = lake.prove(&s.meta.file, 0, 1).unwrap();
        let hash = tlog::record_hash(proof.lines[0].leaf.as_bytes());
        let theirs = tlog::prove_record(head.size(), s.index, &reader).unwrap();
        tlog::check_record(&theirs, head.size(), *head.hash(), s.index, hash).unwrap();
        let ours: Vec<String> = proof.lines[0].leaf_path.clone();
        let theirs: Vec<String> = theirs
            .iter()
            .map(|h| h.0.iter().map(|b| format!("{b:02x}")).collect())
            .collect();
        assert_eq!(ours, theirs);
    }
    let report = verify::verify(&FolderStore::new(dir.path()), &keys.public(), None);
    assert!(report.is_sound(), "{:?}", report.findings);
}

#[test]
fn binary_records_are_cut_where_the_decoder_says_and_parts_join() {
    let dir = tempfile::tempdir().unwrap();
    let (keys, _) = common::keys(3);
    let mut lake = Lake::create(dir.path(), &keys, common::DAY).unwrap();
    let bytes: Vec<u8> = (0..5000u32).map(|i| (i * 7 % 251) as u8).collect();
    let mut random = Random(1);
    let mut all = vec![];
    for part in 0..2u32 {
        let start = u64::from(part) * 2500;
        let mut w = lake
            .begin(
                SegmentMeta {
                    file: "logs/x.evtx".into(),
                    format: String::new(),
                    part,
                    start,
                    at: common::DAY,
                },
                random.salt(),
            )
            .unwrap();
        for (i, piece) in bytes[start as usize..start as usize + 2500]
            .chunks(500)
            .enumerate()
        {
            let from = start + i as u64 * 500;
            let starts: Vec<u64> = (from..from + 500).filter(|o| o % 120 == 0).collect();
            w.raw(piece, Cut::At(&starts)).unwrap();
        }
        all.push(w.finish(0, 0).unwrap());
    }
    lake.commit(all, vec![], common::DAY).unwrap();
    assert_eq!(
        lake.read("logs/x.evtx", 2400, 300).unwrap(),
        bytes[2400..2700]
    );
    let p = lake.prove("logs/x.evtx", 1200, 120).unwrap();
    assert_eq!((p.lines.len(), p.lines[0].offset), (1, 1200));
    // Over the border of the two parts: the tail of one and the head of the other.
    let p = lake.prove("logs/x.evtx", 2400, 120).unwrap();
    assert_eq!(
        p.lines.iter().map(|l| l.offset).collect::<Vec<_>>(),
        [2400, 2500]
    );
    let report = verify::verify(
        &FolderStore::new(dir.path()),
        &keys.public(),
        Some(&raw_key(&dir.path().join("k"), &keys)),
    );
    assert!(report.is_sound(), "{:?}", report.findings);
}

#[test]
fn what_may_name_a_person_is_not_readable_in_stored_files() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, keys) = three_files(dir.path());
    for s in lake.segments() {
        for path in [&s.raw, &s.events] {
            let bytes = std::fs::read(dir.path().join("lake").join(path)).unwrap();
            for clear in [&b"patient"[..], b"urn:oid:1.2|"] {
                assert_eq!(memchr::memmem::find(&bytes, clear), None, "{path}");
            }
        }
    }
    let file =
        std::fs::File::open(dir.path().join("lake").join(&lake.segments()[0].events)).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .with_batch_size(100_000)
        .build()
        .unwrap();
    let stored: Vec<_> = reader.map(|b| b.unwrap()).collect();
    assert_eq!(stored.len(), 1);
    let back = columns::opened(&stored[0], &columns::ciphers(&keys)).unwrap();
    assert_eq!(back, common::rows(&common::text("a", 1000)));
    let (other, _) = common::keys(8);
    assert_eq!(
        columns::opened(&stored[0], &columns::ciphers(&other)),
        Err("url")
    );
}

#[test]
fn persons_come_back_with_the_officers_key_and_it_is_logged() {
    let dir = tempfile::tempdir().unwrap();
    let (keys, officer) = common::keys(3);
    let (_, stranger) = common::keys(4);
    let mut lake = Lake::create(dir.path(), &keys, common::DAY).unwrap();
    for (page, seed) in [(["a|1", "a|2"], 1), (["a|2", "a|3"], 2)] {
        let persons = page.iter().map(|p| p.to_string()).collect();
        lake.lock_persons(&keys, &persons, Random(seed).salt())
            .unwrap();
    }
    assert!(lake.reidentify(&stranger, "x", "y", common::DAY).is_err());
    let back = lake
        .reidentify(&officer, "dpo", "letters", common::DAY)
        .unwrap();
    assert_eq!(back.len(), 3);
    assert_eq!(
        back.get(&keys.token("a|3")).map(String::as_str),
        Some("a|3")
    );
    drop(lake);
    let lake = Lake::open(dir.path(), &keys).unwrap();
    let uses: Vec<&str> = lake.uses().iter().map(|u| u.actor.as_str()).collect();
    assert_eq!(uses, ["x", "dpo"], "the failed attempt too");
}

/// Runs only as the child of the test below: appends until it is killed, saying what was acknowledged.
#[test]
fn child_that_appends_until_killed() {
    let Ok(dir) = std::env::var("AMPLEUR_TEST_KILL_DIR") else {
        return;
    };
    let (keys, _) = common::keys(6);
    let dir = Path::new(&dir);
    let mut lake = Lake::open_writer(dir, &keys, Wait::Millis(10_000)).unwrap();
    let mut random = Random(std::process::id().into());
    loop {
        let n = lake.segments().len();
        let s = common::seal(&lake, &format!("f{n}"), 50, random.salt()).unwrap();
        let c = lake
            .commit(vec![s], vec![common::used("ingest")], common::DAY)
            .unwrap();
        println!("\nacknowledged {}", c.tree_size);
    }
}

#[test]
fn a_killed_process_loses_nothing_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (keys, _) = common::keys(6);
    drop(Lake::create(dir.path(), &keys, common::DAY).unwrap());
    let mut safe = 0u64;
    for round in 1..=12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_appends_until_killed", "--nocapture"])
            .env("AMPLEUR_TEST_KILL_DIR", dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut heard = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            if let Some(n) = line.unwrap().strip_prefix("acknowledged ") {
                safe = n.parse().unwrap();
                heard += 1;
                if heard == round % 4 + 1 {
                    break;
                }
            }
        }
        // SIGKILL, in the middle of whatever append comes next.
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(heard > 0, "round {round}: the child appended nothing");
        let lake = Lake::open(dir.path(), &keys).unwrap();
        assert!(lake.segments().len() as u64 >= safe, "round {round}");
        let report = verify::verify(&FolderStore::new(dir.path()), &keys.public(), None);
        assert!(report.is_sound(), "round {round}: {:?}", report.findings);
    }
    assert!(safe >= 12);
}

#[test]
fn what_a_stopped_run_had_sealed_is_taken_up_again() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("lake");
    let (keys, _) = common::keys(5);
    let meta = |at: i64| SegmentMeta {
        file: "logs/a.log".into(),
        format: "made-up".into(),
        part: 0,
        start: 0,
        at,
    };
    let bytes = common::text("a", 40_000);
    assert!(bytes.len() > 1 << 20, "large enough to be noted");
    let give = |lake: &Lake, bytes: &[u8], settings: &str, salt: u8| {
        let mut w = lake
            .begin_again(meta(common::DAY), [salt; 32], settings)
            .unwrap();
        w.raw(bytes, Cut::Lines).unwrap();
        w.events(&common::rows(bytes)).unwrap();
        w.finish(0, 0)
    };
    let stored = || {
        let mut names: Vec<(String, u64)> = std::fs::read_dir(dir.join("tmp"))
            .unwrap()
            .map(|e| e.unwrap())
            .map(|e| {
                (
                    e.file_name().into_string().unwrap(),
                    e.metadata().unwrap().len(),
                )
            })
            .collect();
        names.sort();
        names
    };
    let mut lake = Lake::create(&dir, &keys, 0).unwrap();
    let sealed = give(&lake, &bytes, "zone A", 1).unwrap();
    let id = sealed.id().to_string();
    assert!(!sealed.taken_up());
    // Stopped here: sealed, never committed. Beside it, something half written.
    drop(lake);
    std::fs::write(dir.join("tmp/9.raw"), b"half").unwrap();
    let before = stored();
    lake = Lake::open_writer(&dir, &keys, Wait::No).unwrap();
    assert_eq!(stored().len(), before.len() - 1);
    // Other bytes, or other settings, are not taken for it.
    let mut other = bytes.clone();
    other[100_000] ^= 1;
    assert!(matches!(
        give(&lake, &other, "zone A", 2),
        Err(EvidenceError::Changed { .. })
    ));
    assert!(stored().is_empty());
    assert!(!give(&lake, &bytes, "zone A", 3).unwrap().taken_up());
    drop(lake);
    lake = Lake::open_writer(&dir, &keys, Wait::No).unwrap();
    assert!(!give(&lake, &bytes, "zone B", 4).unwrap().taken_up());
    drop(lake);
    lake = Lake::open_writer(&dir, &keys, Wait::No).unwrap();
    let again = give(&lake, &bytes, "zone B", 5).unwrap();
    assert!(again.taken_up());
    assert_eq!(again.id(), id);
    lake.commit(vec![again], vec![], common::DAY).unwrap();
    assert!(stored().is_empty());
    assert_eq!(
        lake.read("logs/a.log", 0, bytes.len() as u64).unwrap(),
        bytes
    );
    drop(lake);
    let key = raw_key(home.path(), &keys);
    let report = verify::verify(&FolderStore::new(&dir), &keys.public(), Some(&key));
    assert!(report.is_sound(), "{:?}", report.findings);
}
