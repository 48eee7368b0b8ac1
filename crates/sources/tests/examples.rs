//! The two example cases: every file is claimed by the source its folder is about, and what cannot be decoded is named.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use ampleur_event::time::rfc3339;
use ampleur_sources::{Case, Limits, read_file, reader::Collect};
use std::{collections::BTreeMap, path::Path};

#[test]
fn example_cases_are_decoded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/examples");
    if !root.is_dir() {
        eprintln!("SKIPPED: no folder ../shared/examples beside the repository");
        return;
    }
    for name in ["s1-small", "s2-small"] {
        let case = Case::open(&root.join(name).join("case")).expect("a case");
        assert!(!case.snapshots().expect("listed").is_empty());
        let mut by: BTreeMap<(String, &str), [u64; 4]> = BTreeMap::new();
        let mut unknown = vec![];
        for id in 0..case.files.len() as u32 {
            let mut all = Collect::default();
            let r = read_file(&case, id, &Limits::default(), &mut all).expect("readable");
            let source = &case.sources[case.source_of(id) as usize].name;
            let n = by.entry((source.clone(), r.format)).or_default();
            for (slot, v) in n
                .iter_mut()
                .zip([r.records, r.events, r.rejects, r.skipped])
            {
                *slot += v;
            }
            if r.format == "unknown" && r.records > 0 {
                unknown.push(case.files[id as usize].rel.clone());
            }
            for x in r.reject_list.iter().take(2) {
                println!(
                    "{} record {} at {}: {}",
                    case.files[id as usize].rel, x.record, x.offset, x.reason
                );
            }
            for note in &r.notes {
                println!("{}: {note}", case.files[id as usize].rel);
            }
            if r.events > 0 {
                assert!(
                    rfc3339(r.from).as_str() >= "2023-06",
                    "{}",
                    case.files[id as usize].rel
                );
            }
        }
        for ((source, format), n) in &by {
            println!(
                "{name} {source:32} {format:20} {} records = {} events + {} rejects + {} skipped",
                n[0], n[1], n[2], n[3]
            );
        }
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
