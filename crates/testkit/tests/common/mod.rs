//! Running the whole product on a case folder, inside a test.
#![allow(dead_code)]
use ampleur_serve::job::{Finding, Options, Outside, Quiet, SubjectsForm, investigate};
use std::path::Path;

/// Investigates `case` into `out` with `threads` workers; identifiers in clear, keys from a fixed seed.
pub fn run(case: &Path, out: &Path, threads: usize) -> Finding {
    run_with(case, out, |o| o.threads = threads)
}

pub fn run_with(case: &Path, out: &Path, change: impl FnOnce(&mut Options)) -> Finding {
    let mut options = Options {
        case: case.to_path_buf(),
        out: out.to_path_buf(),
        lake: None,
        keys: None,
        dpo_key: None,
        subjects: SubjectsForm::Clear,
        word: ampleur_detect::Word::default(),
        add: None,
        previous: None,
        threads: 2,
        lang: ampleur_notice::Lang::En,
        simulated: true,
        sessions_max: 100_000,
        rules: None,
    };
    change(&mut options);
    let mut state = 7u64;
    let mut random = |bytes: &mut [u8]| {
        for b in bytes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *b = (state >> 33) as u8;
        }
    };
    let mut outside = Outside {
        now: 1_700_000_000_000_000_000,
        actor: "test".into(),
        random: &mut random,
    };
    investigate(
        &options,
        &mut outside,
        &|| std::time::Duration::ZERO,
        &Quiet,
    )
    .unwrap_or_else(|e| panic!("investigate {}: {e}", case.display()))
}

/// A folder that is removed at the end of the test.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}
