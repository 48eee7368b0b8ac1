//! Every family, played small: equal recipes give equal bytes, what is written is what the truth counts, damage is declared, and the
//! scorer accepts the perfect answer and rejects each fault put into it.
#![allow(clippy::print_stdout, clippy::print_stderr)]
use ampleur_testkit::{Family, Pathology, Recipe, Truth, score, simulate};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

const SCALE: f64 = 0.002;

fn play(recipe: &Recipe) -> (tempfile::TempDir, Truth) {
    let dir = tempfile::tempdir().unwrap();
    let s = simulate(recipe, dir.path()).unwrap();
    let truth = serde_json::from_slice(&std::fs::read(s.truth).unwrap()).unwrap();
    (dir, truth)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut todo = vec![dir.to_path_buf()];
    while let Some(d) = todo.pop() {
        for e in std::fs::read_dir(d).unwrap() {
            let p = e.unwrap().path();
            if p.is_dir() {
                todo.push(p)
            } else {
                all.push(p)
            }
        }
    }
    all.sort();
    all
}

fn text(path: &Path) -> Vec<u8> {
    let raw = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|e| e == "gz") {
        let mut out = Vec::new();
        flate2::read::MultiGzDecoder::new(raw.as_slice())
            .read_to_end(&mut out)
            .unwrap();
        return out;
    }
    raw
}

#[test]
fn equal_recipes_give_equal_bytes_and_seeds_differ() {
    for f in Family::ALL {
        let (a, _) = play(&Recipe::new(*f, 7, SCALE));
        let (b, _) = play(&Recipe::new(*f, 7, SCALE));
        let (c, _) = play(&Recipe::new(*f, 8, SCALE));
        let read = |d: &Path| -> BTreeMap<PathBuf, Vec<u8>> {
            files(d)
                .into_iter()
                .map(|p| {
                    (
                        p.strip_prefix(d).unwrap().to_path_buf(),
                        std::fs::read(&p).unwrap(),
                    )
                })
                .collect()
        };
        let (a, b, c) = (read(a.path()), read(b.path()), read(c.path()));
        assert!(a == b, "{}", f.name());
        assert!(a != c, "{}", f.name());
    }
}

#[test]
fn every_record_written_is_a_record_of_the_truth() {
    for f in Family::ALL {
        let (dir, t) = play(&Recipe::new(*f, 3, SCALE));
        let case = dir.path().join("case");
        let mut seen = 0;
        for p in files(&case.join("logs")) {
            let rel = p
                .strip_prefix(&case)
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            let want = &t.records[&rel];
            let body = text(&p);
            let n = match want.format.as_str() {
                "windows-security" => body.windows(7).filter(|w| w == b"<Event ").count(),
                "postgresql" => {
                    let mut quoted = false;
                    body.iter()
                        .filter(|c| {
                            quoted ^= **c == b'"';
                            **c == b'\n' && !quoted
                        })
                        .count()
                }
                _ => body.iter().filter(|c| **c == b'\n').count(),
            };
            assert_eq!(n as u64, want.records, "{rel}");
            seen += 1;
        }
        assert_eq!(seen, t.records.len());
        assert!(t.totals.records > 5_000, "{} is too quiet", f.name());
        assert_eq!(
            t.totals.intruder_sessions == 0,
            matches!(f, Family::S9 | Family::Clean)
        );
    }
}

#[test]
fn the_context_is_accepted() {
    for f in Family::ALL {
        let (dir, _) = play(&Recipe::new(*f, 4, SCALE));
        let toml = std::fs::read_to_string(dir.path().join("case/ampleur.toml")).unwrap();
        let c =
            ampleur_event::Context::parse(&toml).unwrap_or_else(|e| panic!("{}: {e}", f.name()));
        for s in &c.sources {
            let folder = s.files.trim_end_matches("/*");
            assert!(
                dir.path().join("case").join(folder).is_dir(),
                "{} {folder}",
                f.name()
            );
        }
        for g in &c.geoip {
            assert!(dir.path().join("case").join(g).is_file());
        }
    }
}

/// All the damage at once, on a source of the family that is not the only proof of everything.
fn damaged(f: Family, seed: u64) -> Recipe {
    let mut r = Recipe::new(f, seed, SCALE);
    let (from, to) = r.window();
    let source = match f {
        Family::S2 => "proxy",
        Family::S4 => "web",
        Family::S5 => "bd",
        _ => "vpn",
    };
    r.pathologies.push(Pathology::Truncate { share: 0.002 });
    r.pathologies.push(Pathology::DropBurst {
        source: source.into(),
        from: to - (to - from) / 4,
        to: to - (to - from) / 5,
    });
    r.pathologies.push(Pathology::Edit {
        source: source.into(),
        session: 0,
    });
    r
}

#[test]
fn damage_is_declared_and_only_loosens_the_truth() {
    for f in Family::ALL {
        let (_a, whole) = play(&Recipe::new(*f, 5, SCALE));
        let (_b, hurt) = play(&damaged(*f, 5));
        assert!(hurt.totals.records < whole.totals.records, "{}", f.name());
        assert!(hurt.gaps.len() > whole.gaps.len(), "{}", f.name());
        assert!(hurt.records.values().any(|r| r.broken > 0), "{}", f.name());
        // What happened did not change; what can be told did.
        assert_eq!(hurt.totals.affected, whole.totals.affected, "{}", f.name());
        assert!(hurt.totals.affected_enumerable <= whole.totals.affected_enumerable);
        let holds = |t: &Truth| t.statements.iter().filter(|s| s.expect == "hold").count();
        assert!(holds(&hurt) <= holds(&whole));
    }
}

#[test]
fn a_wrong_clock_moves_what_is_written_and_nothing_else() {
    let mut r = Recipe::new(Family::S1, 6, SCALE);
    let (_a, straight) = play(&r);
    r.pathologies.push(Pathology::Clock {
        source: "vpn".into(),
        offset_s: 1_800,
    });
    let (_b, fast) = play(&r);
    assert_eq!(fast.totals.records, straight.totals.records);
    assert!(
        fast.sources
            .iter()
            .any(|s| s.key == "vpn" && s.clock_offset_ms == 1_800_000)
    );
    assert_eq!(fast.totals.affected, straight.totals.affected);
}

#[test]
fn the_perfect_answer_has_no_fault() {
    for f in Family::ALL {
        for seed in [1, 2] {
            let (_d, t) = play(&damaged(*f, seed));
            let (x, csv) = score::oracle(&t);
            let s = score::score(&t, &x, &csv);
            assert_eq!(s.faults(), Vec::<String>::new(), "{} {seed}", f.name());
            assert_eq!(s.touched.value(), 1.0, "{} {:?}", f.name(), s.touched);
            assert_eq!(s.session_recall(), 1.0);
            assert_eq!(s.refused_needlessly, Vec::<String>::new());
        }
    }
}

#[test]
fn each_fault_put_into_an_answer_is_found() {
    let (_d, t) = play(&Recipe::new(Family::S2, 2, SCALE));
    let (x, csv) = score::oracle(&t);
    let check = |what: &str, f: &dyn Fn(&mut serde_json::Value, &mut String)| {
        let (mut x, mut csv) = (x.clone(), csv.clone());
        f(&mut x, &mut csv);
        let s = score::score(&t, &x, &csv);
        assert!(
            s.faults().iter().any(|f| f.starts_with(what)),
            "{what}: {:?}",
            s.faults()
        );
    };
    check("containment", &|x, _| {
        x["extent"]["cells"][0]["subjects"]["at_most"] = 1.into()
    });
    check("subjects", &|x, _| {
        x["extent"]["subjects"]["at_most"] = 3.into()
    });
    check("false ruled out", &|x, _| {
        x["extent"]["unaffected"]["at_least"] = 1_000_000.into()
    });
    check("false ruled out", &|_, csv| {
        let d = &t.disclosures[0];
        let id = &t.persons[d.0 as usize].ids[0];
        let e = &t.establishments[d.1 as usize].id;
        *csv = csv
            .lines()
            .filter(|l| !l.starts_with(id.as_str()))
            .collect::<Vec<_>>()
            .join("\n");
        csv.push_str(&format!("\n{id},{e},ID.NAME,ruled_out,,,,,,\n"));
    });
    check("innocents", &|x, _| {
        let list = x["sessions"].as_array_mut().unwrap();
        let one = list
            .iter_mut()
            .find(|s| s["verdict"] == "legitimate")
            .unwrap();
        one["verdict"] = "intruder".into();
    });
    check("false statements", &|x, _| {
        let list = x["statements"].as_array_mut().unwrap();
        list.iter_mut().find(|s| s["code"] == "no_nir").unwrap()["holds"] = true.into();
    });
    check("conservation", &|x, _| x["evidence"]["records"] = 12.into());
    check("persons missed", &|_, csv| {
        *csv = csv.lines().take(1).collect()
    });
    check("persons counted twice", &|_, csv| {
        let d = t.disclosures.iter().find(|d| d.6 == "enumerable").unwrap();
        let e = &t.establishments[d.1 as usize].id;
        let c = &t.catsets[d.2 as usize][0];
        csv.push_str(&format!(
            "{},{e},{c},consulted,,,,,,\n",
            t.persons[d.0 as usize].ids[1]
        ));
    });
    check("wrong establishment", &|_, csv| {
        let d = t
            .disclosures
            .iter()
            .find(|d| d.6 == "enumerable" && t.disclosures.iter().all(|o| o.0 != d.0 || o.1 == d.1))
            .unwrap();
        let e = &t.establishments[(d.1 as usize + 1) % t.establishments.len()].id;
        csv.push_str(&format!(
            "{},{e},{},consulted,,,,,,\n",
            t.persons[d.0 as usize].ids[0], t.catsets[d.2 as usize][0]
        ));
    });
    check("accounts missed", &|x, _| {
        x["containment"]["cut"] = serde_json::json!([])
    });
    check("accounts cut without need", &|x, _| {
        x["containment"]["cut"]
            .as_array_mut()
            .unwrap()
            .push("rpps:10000000000".into())
    });
}

/// The scorer used outside the project, when it lies beside the checkout, agrees about the perfect answer.
#[test]
fn the_outside_scorer_agrees() {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/tools/score.py");
    if !tool.is_file() {
        eprintln!("SKIPPED: no outside scorer beside the checkout");
        return;
    }
    for f in Family::ALL {
        let (dir, t) = play(&Recipe::new(*f, 9, SCALE));
        let out = dir.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let (x, csv) = score::oracle(&t);
        std::fs::write(out.join("extent.json"), x.to_string()).unwrap();
        std::fs::write(out.join("persons.csv"), &csv).unwrap();
        let run = match std::process::Command::new("python3")
            .arg(&tool)
            .arg(dir.path())
            .arg(&out)
            .arg("--summary")
            .output()
        {
            Ok(run) => run,
            Err(e) => {
                eprintln!("SKIPPED: python3 cannot be started: {e}");
                return;
            }
        };
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(
            said.starts_with("PASS"),
            "{said}{}",
            String::from_utf8_lossy(&run.stderr)
        );
        assert_eq!(
            score::score_dirs(dir.path(), &out).unwrap().faults(),
            Vec::<String>::new()
        );
    }
}
