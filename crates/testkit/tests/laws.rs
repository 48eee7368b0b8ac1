//! The laws (design, L1 to L12) as properties of the whole product: simulated cases go in, what comes out is held against the truth
//! and against itself after the logs were damaged, shortened, lengthened or delivered late. `AMPLEUR_SEEDS` plays more seeds,
//! `AMPLEUR_FAMILY` one family only.
#![allow(clippy::print_stdout, clippy::print_stderr)]
mod common;
use ampleur_evidence::{Keys, load_raw_key, store::FolderStore, verify};
use ampleur_serve::job::{Finding, Options};
use ampleur_testkit::{
    Family, Pathology, Recipe, Truth,
    pathology::{DAMAGES, damages, present, telling},
    score::{Score, score},
    simulate,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const SCALE: f64 = 0.002;

fn seeds() -> std::ops::RangeInclusive<u64> {
    let n = std::env::var("AMPLEUR_SEEDS").ok();
    1..=n.and_then(|n| n.parse().ok()).unwrap_or(2)
}
fn chosen(all: &[Family]) -> Vec<Family> {
    let only = std::env::var("AMPLEUR_FAMILY").ok();
    let only = only.as_deref().and_then(Family::by_name);
    all.iter()
        .copied()
        .filter(|f| only.is_none_or(|o| o == *f))
        .collect()
}

struct Played {
    _dir: tempfile::TempDir,
    case: PathBuf,
    truth: Truth,
}
fn play(recipe: &Recipe) -> Played {
    let dir = common::scratch();
    let s = simulate(recipe, dir.path()).unwrap();
    let truth = serde_json::from_slice(&std::fs::read(&s.truth).unwrap()).unwrap();
    Played {
        case: s.case,
        truth,
        _dir: dir,
    }
}
/// The recipe without any wear: what damage is measured against.
fn whole(f: Family, seed: u64) -> Recipe {
    let mut r = Recipe::new(f, seed, SCALE);
    r.pathologies.clear();
    r
}
fn damaged(f: Family, seed: u64, p: Vec<Pathology>) -> Recipe {
    let mut r = whole(f, seed);
    r.pathologies = p;
    r
}

struct Run {
    out: tempfile::TempDir,
    json: Vec<u8>,
    x: Value,
    csv: String,
    finding: Finding,
}
fn run(case: &Path) -> Run {
    run_with(case, |_| ())
}
fn run_with(case: &Path, change: impl FnOnce(&mut Options)) -> Run {
    let out = common::scratch();
    let finding = common::run_with(case, out.path(), change);
    let json = std::fs::read(out.path().join("extent.json")).unwrap();
    Run {
        x: serde_json::from_slice(&json).unwrap(),
        csv: std::fs::read_to_string(out.path().join("persons.csv")).unwrap(),
        json,
        finding,
        out,
    }
}

/// One line for people, one entry for each fault.
struct Faults(Vec<String>);
impl Faults {
    fn new() -> Faults {
        Faults(vec![])
    }
    fn say(&mut self, what: &str, s: &Score) {
        self.note(what, s, s.faults());
    }
    fn note(&mut self, what: &str, s: &Score, faults: Vec<String>) {
        println!(
            "{what}: subjects {}..{} of {}, cells {}, f1 {:.3}, sessions {}/{}, {}",
            s.subjects.0,
            s.subjects.1,
            s.subjects_truth,
            s.cells,
            s.touched.value(),
            s.sessions_found,
            s.sessions_visible,
            if faults.is_empty() { "holds" } else { "FAULT" }
        );
        self.extend(what, faults);
    }
    fn extend(&mut self, what: &str, faults: impl IntoIterator<Item = String>) {
        for f in faults {
            println!("  {what}: {f}");
            self.0.push(format!("{what}: {f}"));
        }
    }
    fn check(self) {
        assert!(self.0.is_empty(), "{}", self.0.join("\n"));
    }
}

type Key = (String, String);
type Cells = BTreeMap<Key, (u64, u64)>;
/// (establishment, category) -> persons reached at least, at most.
fn cells(r: &Run) -> Cells {
    let mut out = Cells::new();
    for c in &r.finding.answer.extent.cells {
        let e = out
            .entry((c.establishment.clone(), c.category.clone()))
            .or_default();
        match c.verdict.as_str() {
            "ruled_out" => {}
            "exposed" => e.1 += c.subjects.at_most,
            _ => *e = (e.0 + c.subjects.at_least, e.1 + c.subjects.at_most),
        }
    }
    out.retain(|_, v| v.1 > 0);
    out
}
/// (subject, establishment, category) -> verdict and certainty.
fn persons(r: &Run) -> BTreeMap<(String, String, String), (String, String)> {
    let rows = r.finding.persons.iter();
    rows.map(|p| {
        (
            (
                p.subject.clone(),
                p.establishment.clone(),
                p.category.clone(),
            ),
            (p.verdict.clone(), p.certainty.clone()),
        )
    })
    .collect()
}
/// Differences of two maps in words, the first few.
fn differences<K: Ord + std::fmt::Debug + Clone, V: PartialEq + std::fmt::Debug>(
    what: &str,
    a: &BTreeMap<K, V>,
    b: &BTreeMap<K, V>,
) -> Vec<String> {
    let keys: BTreeSet<&K> = a.keys().chain(b.keys()).collect();
    let all: Vec<String> = keys
        .into_iter()
        .filter(|k| a.get(k) != b.get(k))
        .map(|k| format!("{what} {k:?}: {:?} became {:?}", a.get(k), b.get(k)))
        .collect();
    few(all)
}
fn few(all: Vec<String>) -> Vec<String> {
    let n = all.len();
    let mut all: Vec<String> = all.into_iter().take(3).collect();
    if n > 3 {
        all.push(format!("and {} more", n - 3));
    }
    all
}
fn holds(r: &Run) -> BTreeMap<(String, Option<String>), bool> {
    let list = r.finding.answer.statements.iter();
    list.map(|s| ((s.code.clone(), s.establishment.clone()), s.holds))
        .collect()
}

fn copy(from: &Path, to: &Path, keep: &dyn Fn(&str) -> bool) {
    let mut todo = vec![PathBuf::new()];
    while let Some(rel) = todo.pop() {
        for e in std::fs::read_dir(from.join(&rel)).unwrap() {
            let e = e.unwrap();
            let here = rel.join(e.file_name());
            if e.path().is_dir() {
                todo.push(here);
            } else if keep(&here.to_string_lossy().replace('\\', "/")) {
                let at = to.join(&here);
                std::fs::create_dir_all(at.parent().unwrap()).unwrap();
                std::fs::copy(e.path(), at).unwrap();
            }
        }
    }
}
/// A copy of a case without one source.
fn without(p: &Played, source: &str) -> tempfile::TempDir {
    let dir = common::scratch();
    let folder = format!("logs/{source}/");
    copy(&p.case, dir.path(), &|rel| !rel.starts_with(&folder));
    dir
}

/// L1, L3, L4, L6, L9, L10: the answer equals the truth wherever the logs permit, and never contradicts it.
#[test]
fn the_answer_holds_the_truth() {
    let mut faults = Faults::new();
    for f in chosen(Family::ALL) {
        for seed in seeds() {
            let p = play(&Recipe::new(f, seed, SCALE));
            let r = run(&p.case);
            let what = format!("truth {} {seed}", f.name());
            let mut s = score(&p.truth, &r.x, &r.csv);
            // No law says which accounts to cut; those left open are shown, not judged.
            for a in s.accounts_missed.drain(..) {
                println!("  {what}: account left open: {a}");
            }
            faults.say(&what, &s);
            if s.touched.value() < 0.99 {
                faults.extend(&what, [format!("rows found: {:?}", s.touched)]);
            }
            if s.session_recall() < 0.95 {
                faults.extend(
                    &what,
                    [format!("sessions found: {:.2}", s.session_recall())],
                );
            }
        }
    }
    faults.check();
}

/// L1 to L3, L11 under damage: intervals widen and stay true. Nobody is asked to find accounts or persons whose logs are gone.
#[test]
fn damage_never_makes_the_answer_untrue() {
    let mut faults = Faults::new();
    let families = [
        Family::S1,
        Family::S2,
        Family::S4,
        Family::S9,
        Family::S5,
        Family::S6,
    ];
    for (n, f) in families.into_iter().enumerate() {
        if !chosen(&families).contains(&f) {
            continue;
        }
        for seed in seeds() {
            for (k, (name, pathologies)) in damages(f, seed).into_iter().enumerate() {
                // Few seeds: one damage for each family and seed, turning.
                if *seeds().end() < 3 && k != (n + 7 * seed as usize) % DAMAGES.len() {
                    continue;
                }
                let p = play(&damaged(f, seed, pathologies));
                let r = run(&p.case);
                let s = score(&p.truth, &r.x, &r.csv);
                faults.note(
                    &format!("{name} {} {seed}", f.name()),
                    &s,
                    s.faults_under_damage(&p.truth),
                );
            }
        }
    }
    faults.check();
}

/// L2, L5: what the operator never described may have shown anything. Without the description of addresses, of tables, or of anything,
/// every figure still holds the truth and no sentence is untrue.
#[test]
fn what_nobody_described_is_not_ruled_out() {
    let mut faults = Faults::new();
    for f in chosen(&[Family::S2, Family::S4, Family::S5]) {
        let p = play(&whole(f, 1));
        let toml = std::fs::read_to_string(p.case.join("ampleur.toml")).unwrap();
        for table in ["endpoint", "table"] {
            let less = without_tables(&toml, table);
            if less.len() == toml.len() {
                continue;
            }
            let dir = common::scratch();
            copy(&p.case, dir.path(), &|_| true);
            std::fs::write(dir.path().join("ampleur.toml"), less).unwrap();
            let r = run(dir.path());
            let s = score(&p.truth, &r.x, &r.csv);
            let mut untrue = s.not_contained.clone();
            untrue.extend(s.false_statements.iter().map(|c| format!("{c} is untrue")));
            if !s.subjects_contained || s.false_ruled_out > 0 {
                untrue.push(format!(
                    "subjects {:?} of {}, {} wrongly ruled out",
                    s.subjects, s.subjects_truth, s.false_ruled_out
                ));
            }
            faults.note(&format!("without {table} {}", f.name()), &s, untrue);
        }
    }
    faults.check();
}

/// A context without its tables `[[name]]`.
fn without_tables(toml: &str, name: &str) -> String {
    let head = format!("[[{name}]]");
    let mut skipping = false;
    toml.lines()
        .filter(|l| {
            if l.starts_with('[') {
                skipping = l.trim() == head;
            }
            !skipping
        })
        .map(|l| format!("{l}\n"))
        .collect()
}

/// L7: equal evidence, equal bytes, on any number of threads.
#[test]
fn equal_evidence_gives_equal_bytes() {
    let mut faults = Faults::new();
    for f in chosen(&[Family::S2]) {
        let p = play(&Recipe::new(f, 1, SCALE));
        let one = run_with(&p.case, |o| o.threads = 1);
        for (name, threads) in [("again", 1), ("three threads", 3)] {
            let other = run_with(&p.case, |o| o.threads = threads);
            let what = format!("bytes {} {name}", f.name());
            let same = one.json == other.json && one.csv == other.csv;
            println!("{what}: {}", if same { "equal" } else { "DIFFERENT" });
            if !same {
                faults.extend(
                    &what,
                    differences("cell", &cells(&one), &cells(&other))
                        .into_iter()
                        .chain(["bytes differ".into()]),
                );
            }
        }
    }
    faults.check();
}

/// Laws that hold an answer against other answers to the same case: one whole case, what was made of it, and its faults.
fn against_itself(f: Family, check: impl Fn(&Played, &Run, &mut Faults)) {
    let mut faults = Faults::new();
    for seed in seeds().filter(|s| *s != 2 || *seeds().end() > 2) {
        if chosen(&[f]).is_empty() {
            continue;
        }
        let p = play(&whole(f, seed));
        let before = run(&p.case);
        check(&p, &before, &mut faults);
    }
    faults.check();
}
fn same(before: &Run, after: &Run) -> Vec<String> {
    let mut all = differences("cell", &cells(before), &cells(after));
    all.extend(differences("person", &persons(before), &persons(after)));
    all.extend(differences("statement", &holds(before), &holds(after)));
    all
}

#[test]
fn files_answers_agree_with_each_other() {
    against_itself(Family::S1, |p, before, faults| {
        fewer_logs_are_never_safer(p, Family::S1, &["fs-rh", "vpn"], before, faults);
        an_irrelevant_source_widens_nothing(p, Family::S1, before, faults);
        late_evidence_gives_the_whole_answer(p, "fs-labo", before, faults);
        repeats_and_order_change_nothing(p, Family::S1, before, faults);
    });
}
#[test]
fn searches_answers_agree_with_each_other() {
    against_itself(Family::S2, |p, before, faults| {
        fewer_logs_are_never_safer(p, Family::S2, &["idp"], before, faults);
        late_evidence_gives_the_whole_answer(p, "audit", before, faults);
        repeats_and_order_change_nothing(p, Family::S2, before, faults);
    });
}
#[test]
fn practices_answers_agree_with_each_other() {
    against_itself(Family::S4, |p, before, faults| {
        fewer_logs_are_never_safer(p, Family::S4, &["web"], before, faults);
        repeats_and_order_change_nothing(p, Family::S4, before, faults);
    });
}
#[test]
fn databases_answers_agree_with_each_other() {
    against_itself(Family::S5, |p, before, faults| {
        fewer_logs_are_never_safer(p, Family::S5, &["bd", "ts-clin"], before, faults);
    });
}

/// L11: lines that come twice or in another order change nothing.
fn repeats_and_order_change_nothing(p: &Played, f: Family, before: &Run, faults: &mut Faults) {
    let damage = vec![
        Pathology::Duplicate { share: 0.3 },
        Pathology::Reorder { share: 0.3 },
    ];
    let after = run(&play(&damaged(f, p.truth.seed, damage)).case);
    let what = format!("repeats and order {} {}", f.name(), p.truth.seed);
    let all = same(before, &after);
    println!("{what}: {} differences", all.len());
    faults.extend(&what, all);
}

/// What became safer when logs went away: nothing may, derived categories included.
fn safer(before: &Run, after: &Run) -> Vec<String> {
    let (b, a) = (cells(before), cells(after));
    let mut all = Vec::new();
    for (k, (_, most)) in &b {
        let now = a.get(k).map_or(0, |c| c.1);
        if now < *most {
            all.push(format!("{k:?}: at most {most} became {now}"));
        }
    }
    let mut all = few(all);
    // Staff have no snapshot to be ruled out by: patients are what can be told clear.
    let clear = |r: &Run| r.finding.answer.extent.unaffected.at_least;
    if clear(after) > clear(before) {
        all.push(format!(
            "unaffected {} became {}",
            clear(before),
            clear(after)
        ));
    }
    let newly: Vec<String> = holds(after)
        .iter()
        .filter(|(k, h)| **h && holds(before).get(k) == Some(&false))
        .map(|(k, _)| format!("{k:?} holds since"))
        .collect();
    all.extend(few(newly));
    all
}

/// L2, L11: without a source nothing becomes safer, and what only that source could carry is refused.
fn fewer_logs_are_never_safer(
    p: &Played,
    f: Family,
    ci: &[&str],
    before: &Run,
    faults: &mut Faults,
) {
    let all: Vec<&str> = telling(f).iter().chain(present(f)).copied().collect();
    for source in if *seeds().end() > 2 { &all } else { ci } {
        let less = without(p, source);
        let after = run(less.path());
        let what = format!("without {source} {} {}", f.name(), p.truth.seed);
        let all = safer(before, &after);
        println!("{what}: {} safer", all.len());
        faults.extend(&what, all);
    }
}

/// L2: with no source left that tells, no sentence of absence may hold, even where all of them were true.
#[test]
fn silence_is_not_a_clean_bill() {
    let mut faults = Faults::new();
    for f in chosen(&[Family::Clean, Family::S4]) {
        let p = play(&whole(f, 1));
        let dir = common::scratch();
        let gone: Vec<String> = telling(f).iter().map(|s| format!("logs/{s}/")).collect();
        copy(&p.case, dir.path(), &|rel| {
            !gone.iter().any(|g| rel.starts_with(g.as_str()))
        });
        // Without any log left there would be no window to speak about: practices keep one of their two.
        if !dir.path().join("logs").is_dir() {
            let keep = format!("logs/{}/", telling(f)[0]);
            copy(&p.case, dir.path(), &|rel| rel.starts_with(&keep));
        }
        let after = run(dir.path());
        let what = format!("silence {}", f.name());
        let said: Vec<String> = holds(&after)
            .into_iter()
            .filter(|((code, e), h)| {
                *h && e.is_none()
                    && [
                        "no_health_data",
                        "no_nir",
                        "no_contact_data",
                        "no_rights_data",
                        "nothing_exfiltrated",
                        "list_complete",
                        "unaffected_can_be_told",
                        "no_evidence_of_access",
                    ]
                    .contains(&code.as_str())
            })
            .map(|((code, _), _)| format!("{code} holds without a witness"))
            .collect();
        println!("{what}: {} sentences hold without a witness", said.len());
        faults.extend(&what, said);
    }
    faults.check();
}

/// L11: a web server that has nothing to do with it.
fn an_irrelevant_source_widens_nothing(p: &Played, f: Family, before: &Run, faults: &mut Faults) {
    let dir = common::scratch();
    copy(&p.case, dir.path(), &|_| true);
    std::fs::create_dir(dir.path().join("logs/cantine")).unwrap();
    let (from, to) = whole(f, p.truth.seed).window();
    let mut lines = String::new();
    for k in 0..600 {
        let t = jiff::Timestamp::from_millisecond(from + (to - from) * k / 600).unwrap();
        lines.push_str(&format!(
            "10.250.3.{} - - [{}] \"GET /menus/semaine-{}.html HTTP/1.1\" 200 {} \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"\n",
            5 + k % 90,
            t.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            k / 90,
            1_800 + k % 700
        ));
    }
    std::fs::write(dir.path().join("logs/cantine/access.log"), lines).unwrap();
    let after = run(dir.path());
    let what = format!("irrelevant {} {}", f.name(), p.truth.seed);
    let all = same(before, &after);
    println!("{what}: {} differences", all.len());
    faults.extend(&what, all);
}

/// The lake and the bundle of an answer still verify.
fn verifies(out: &Path) -> Vec<String> {
    let key = Keys::load(&out.join("keys")).unwrap().public();
    let raw = load_raw_key(&out.join("keys")).unwrap();
    let lake = verify::verify(&FolderStore::new(&out.join("lake")), &key, Some(&raw));
    let zip = verify::verify_bundle(&std::fs::read(out.join("evidence.zip")).unwrap(), &key);
    let mut all = Vec::new();
    for (name, report) in [("lake", lake), ("evidence.zip", zip)] {
        if !report.is_sound() {
            all.push(format!(
                "{name}: {:?}",
                report.findings.first().map(ToString::to_string)
            ));
        }
    }
    all
}

/// L8: a log found later gives the answer that it would have given at once; the earlier answer stays provable.
fn late_evidence_gives_the_whole_answer(p: &Played, late: &str, whole: &Run, faults: &mut Faults) {
    let less = without(p, late);
    let first = run(less.path());
    let add = common::scratch();
    let folder = format!("logs/{late}/");
    copy(&p.case, add.path(), &|rel| rel.starts_with(&folder));
    let second = run_with(less.path(), |o| {
        o.add = Some(add.path().to_path_buf());
        o.previous = Some(first.out.path().to_path_buf());
    });
    let what = format!("late {late} {} {}", p.truth.family, p.truth.seed);
    let mut all = same(whole, &second);
    let (a, changes) = (&second.finding.answer, &second.finding.answer.changes);
    if a.version != 2 || changes.is_empty() {
        all.push(format!("version {}, {} changes", a.version, changes.len()));
    }
    all.extend(verifies(first.out.path()));
    all.extend(verifies(second.out.path()));
    println!("{what}: {} changes, {} faults", changes.len(), all.len());
    faults.extend(&what, all);
}

/// L12: every source declares what its rows prove.
#[test]
fn every_source_declares_its_proof() {
    for s in ampleur_sources::SOURCES {
        let c = s.capability();
        assert!(!c.rows.is_empty(), "{}", s.name());
        let verbs: BTreeSet<String> = c.rows.iter().map(|(v, _)| format!("{v:?}")).collect();
        assert_eq!(verbs.len(), c.rows.len(), "{} declares twice", s.name());
        println!("proof {}: {} kinds of rows", s.name(), c.rows.len());
    }
}
