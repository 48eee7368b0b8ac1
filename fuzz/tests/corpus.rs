//! Every kept find, whole and in pieces, under every setting; and a short run of each target.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use ampleur_fuzz::{
    Session, check, corpus, settings,
    store::{STORE, Stores, read},
};
use ampleur_sources::SOURCES;

#[test]
fn kept_finds_hold_the_laws() {
    for source in SOURCES {
        for (path, input) in corpus(source.name()) {
            let n = input.len();
            for setting in &settings() {
                for cuts in [
                    vec![],
                    vec![n / 2],
                    vec![1.min(n), n / 3, n.saturating_sub(1)],
                ] {
                    println!("{} {cuts:?}", path.display());
                    check(*source, &input, setting, &cuts, true);
                }
            }
        }
    }
}

#[test]
fn a_short_run_of_every_target_holds() {
    for source in SOURCES {
        let mut s = Session::new(*source, 7);
        for _ in 0..2_000 {
            let (input, setting, cuts) = s.input();
            s.run(&input, setting, &cuts);
        }
    }
}

#[test]
fn a_short_run_over_stores_holds() {
    for (path, input) in corpus(STORE) {
        println!("{}", path.display());
        read(&input);
    }
    let mut s = Stores::new(7);
    for _ in 0..300 {
        let input = s.input();
        s.run(&input);
    }
    assert!(s.kinds() > 10, "{}", s.kinds());
}
