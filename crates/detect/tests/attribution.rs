//! A small evaluation as a test: it fails when an innocent is accused or cut, or two thieves are mixed.
//! `cargo xtask evaluate` is the same over any families, seeds and variants.

fn evaluate(families: &[&str], variants: &str) {
    let args: Vec<String> = families
        .iter()
        .chain(&["--seeds", "2", "--scale", "0.001", "--variants", variants])
        .map(ToString::to_string)
        .collect();
    if let Err(e) = ampleur_testkit::attribution::run(&args, &|_| Ok(vec![])) {
        panic!("{e}");
    }
}

#[test]
fn nobody_innocent_is_accused_when_the_context_is_whole() {
    evaluate(&["S2", "S9"], "plain");
}

#[test]
fn nobody_innocent_is_accused_from_logs_alone() {
    evaluate(&["S4"], "logs-only");
}

/// What cannot be told without the identity server says which evidence would have told: an evaluation fails where it does not.
#[test]
fn what_is_missed_says_what_would_have_told() {
    evaluate(&["S2"], "without-3");
}
