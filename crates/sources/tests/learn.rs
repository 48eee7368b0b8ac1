//! Learning: formats this project knows, forgotten for the test, are proposed from their own golden samples; what the proposal reads
//! is compared with what the real source reads, without a question asked.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use ampleur_event::Event;
use ampleur_sources::{
    Limits, Setting, Source, by_name, mapped,
    reader::{Collect, read_bytes},
};
use std::{fs, path::Path};

fn events(source: &'static dyn Source, bytes: &[u8]) -> Vec<Event<'static>> {
    let setting = Setting {
        zone: ampleur_sources::time::zone("Europe/Paris"),
        year_hint: Some(2025),
        ..Setting::default()
    };
    let mut all = Collect::default();
    read_bytes(
        bytes,
        0,
        Some(source),
        &setting,
        &Limits::default(),
        &mut all,
    )
    .expect("readable");
    all.events
}

/// Columns the proposal got right in every row where the real source has a value: time, account, address, action, object.
fn score(name: &str, case: &str) -> [bool; 5] {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/sources")
        .join(name)
        .join(case);
    let input = fs::read_dir(&dir)
        .unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
        .filter_map(|e| Some(e.ok()?.path()))
        .find(|p| p.file_stem().is_some_and(|s| s == "input"))
        .expect("an input");
    let bytes = fs::read(input).expect("readable");
    let proposal = mapped::learn::learn(&bytes, name).expect("a proposal");
    let source = mapped::load(&format!("learned-{name}"), &proposal.text)
        .unwrap_or_else(|e| panic!("{name}: {e}\n{}", proposal.text));
    let want = events(by_name(name).expect("known"), &bytes);
    let got = events(source, &bytes);
    let mut right = [0usize; 5];
    let mut asked = [0usize; 5];
    for w in &want {
        let g = got.iter().find(|g| g.record == w.record);
        let mut one = |i: usize, there: bool, same: bool| {
            asked[i] += usize::from(there);
            right[i] += usize::from(there && same);
        };
        let text = |f: for<'e> fn(&'e Event<'static>) -> &'e str| g.map_or("", f).to_string();
        let same = |a: &str, b: &str| !b.is_empty() && (a == b || b.ends_with(a) || a.ends_with(b));
        one(
            0,
            w.time != ampleur_event::time::NO_TIME,
            g.is_some_and(|g| g.time == w.time),
        );
        one(1, !w.user.is_empty(), same(&w.user, &text(|g| &g.user)));
        one(2, !w.src_ip.is_empty(), text(|g| &g.src_ip) == w.src_ip);
        // Words for an action differ; that there is one per kind is what can be asked.
        one(3, !w.action.is_empty(), !text(|g| &g.action).is_empty());
        let object = [&w.object, &w.file_path, &w.url]
            .into_iter()
            .find(|v| !v.is_empty());
        let ours = g.map_or(String::new(), |g| {
            [&g.object, &g.file_path, &g.url]
                .into_iter()
                .find(|v| !v.is_empty())
                .map_or(String::new(), |v| v.to_string())
        });
        if let Some(o) = object {
            one(4, true, same(o, &ours));
        }
    }
    // Most rows decide: a sample has odd ones.
    let ok: [bool; 5] = std::array::from_fn(|i| right[i] * 10 >= asked[i] * 7);
    println!(
        "{name:22} {:6} time {}/{} user {}/{} address {}/{} action {}/{} object {}/{}",
        proposal.container,
        right[0],
        asked[0],
        right[1],
        asked[1],
        right[2],
        asked[2],
        right[3],
        asked[3],
        right[4],
        asked[4]
    );
    if !ok.iter().all(|x| *x) {
        println!("{}", proposal.text);
    }
    ok
}

#[test]
fn forgotten_formats_are_learned_again() {
    let cases = [
        ("openssh", "logins"),
        ("okta", "lines"),
        ("squid", "native"),
        ("stormshield-sns", "logtypes"),
        ("cef", "products"),
        ("leef", "versions"),
        ("gelf", "lines"),
        ("ecs", "exports"),
        ("ocsf", "classes"),
        ("w3c", "fields"),
        ("syslog-kv", "door"),
        ("syslog-json", "app"),
        ("csv", "extract"),
        ("teleport", "audit"),
    ];
    let wrong: Vec<_> = cases
        .iter()
        .filter(|(n, c)| !score(n, c).iter().all(|x| *x))
        .collect();
    // Three of four; ten of twelve is the aim.
    assert!(
        wrong.len() * 4 <= cases.len(),
        "not learned: {wrong:?} of {}",
        cases.len()
    );
}

#[test]
fn any_text_gives_a_valid_mapping_or_none() {
    for text in [
        "",
        "\n\n",
        "a",
        "x=1 y=2 z=3\nx=2 y=3 z=4\n",
        "{\"a\":1}\n{\"b\":[{}]}",
        "a;b;c;d\n1;2;3;4\n",
        "[[[",
        "\u{1}\u{2}\n\"'\\",
    ] {
        if let Ok(p) = mapped::learn::learn(text.as_bytes(), "x") {
            mapped::learn::check(&p).unwrap_or_else(|e| panic!("{text:?}: {e}\n{}", p.text));
        }
    }
}
