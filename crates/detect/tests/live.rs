//! The live form: a stream judged as it grows ends where its files end, and says so in time.
use ampleur_detect::{
    Word, attribute,
    habit::Habits,
    live::{Live, TICK},
};
use ampleur_testkit::{Family, Recipe, Truth, simulate, trial};

#[test]
fn a_stream_is_judged_as_its_files_and_in_time() {
    let dir = tempfile::tempdir().unwrap();
    simulate(&Recipe::new(Family::S2, 4, 0.001), dir.path()).unwrap();
    let truth: Truth =
        serde_json::from_slice(&std::fs::read(dir.path().join("truth.json")).unwrap()).unwrap();
    let r = trial::run(&dir.path().join("case"), &Word::default()).unwrap();
    let order = trial::stream(&r);
    let past = Habits::default();
    let mut live = Live::new(past.clone(), Word::default()).remembering(i64::MAX / 4);
    let first = truth
        .sessions
        .iter()
        .filter(|s| s.actor == "intruder")
        .map(|s| s.from.parse::<jiff::Timestamp>().unwrap().as_nanosecond() as i64)
        .min()
        .unwrap();
    let mut at = 0;
    let mut push_until = |live: &mut Live, t: i64| {
        while at < order.len() && order[at].0 < t {
            let (_, file, one) = &order[at];
            live.push(&r.case, *file, r.formats[file], one);
            at += 1;
        }
    };
    push_until(&mut live, first);
    assert!(live.tick(&r.case, first).is_empty(), "nobody has come yet");
    let mut now = first;
    let alarm = loop {
        now += TICK;
        push_until(&mut live, now);
        if let Some(a) = live.tick(&r.case, now).into_iter().next() {
            break a;
        }
        assert!(now < first + 3600 * 1_000_000_000, "no alarm in an hour");
    };
    // The client tells at the first request, two seconds into the session: one tick later it is told.
    assert!(
        alarm.at <= first + 60 * 1_000_000_000,
        "{} s late",
        (alarm.at - first) / 1_000_000_000
    );
    let usurped = |a: &str| {
        truth
            .accounts
            .iter()
            .any(|t| t.verdict == "usurped" && trial::norm(&t.account) == trial::norm(a))
    };
    assert!(alarm.account.as_deref().is_some_and(usurped));
    assert!(
        live.tick(&r.case, now).is_empty(),
        "one account is told of once"
    );
    push_until(&mut live, i64::MAX);
    let sessions = live.sessions(&r.case);
    assert_eq!(sessions.list, r.sessions.list);
    let whole = attribute(&r.case, &sessions, &past, &Word::default());
    assert_eq!(whole.judgements, r.judged.judgements);
}
