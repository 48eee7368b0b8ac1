//! One thread says what many say, byte for byte.
use ampleur_detect::{Word, attribute_on, habit::Habits};
use ampleur_testkit::{Family, Recipe, simulate, trial};

#[test]
fn one_thread_equals_many() {
    for family in [Family::S1, Family::S5] {
        let dir = tempfile::tempdir().unwrap();
        simulate(&Recipe::new(family, 2, 0.001), dir.path()).unwrap();
        let r = trial::run(&dir.path().join("case"), &Word::default()).unwrap();
        // Fewer are judged on one thread whatever is asked.
        assert!(r.sessions.list.len() > 2_000);
        let on = |threads| {
            let past = Habits::default();
            attribute_on(threads, &r.case, &r.sessions, &past, &Word::default())
        };
        let one = on(1);
        assert_eq!(one.judgements, r.judged.judgements);
        let again = attribute_on(3, &r.case, &r.sessions, &one.habits, &Word::default());
        for threads in [2, 3, 7] {
            let many = on(threads);
            assert_eq!(many, one, "{} on {threads} threads", family.name());
            assert_eq!(
                many.habits.to_json().unwrap(),
                one.habits.to_json().unwrap()
            );
        }
        let past = &one.habits;
        let alone = attribute_on(1, &r.case, &r.sessions, past, &Word::default());
        assert_eq!(again, alone, "with a past");
    }
}
