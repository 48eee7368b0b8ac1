//! The written logs are in the formats they claim: our decoders read every record, and every session of the truth that left traces is
//! found again by its address or account at its time.
use ampleur_sources::case::Case;
use ampleur_sources::reader::{Collect, Limits, read_file};
use ampleur_testkit::{Family, Recipe, Truth, simulate};

const SCALE: f64 = 0.002;

fn check(family: Family) {
    let dir = tempfile::tempdir().unwrap();
    let s = simulate(&Recipe::new(family, 11, SCALE), dir.path()).unwrap();
    let truth: Truth = serde_json::from_slice(&std::fs::read(&s.truth).unwrap()).unwrap();
    let case = Case::open(&s.case).unwrap();
    // (address or inner address or user, instant in milliseconds)
    let mut seen: Vec<(String, i64)> = Vec::new();
    for f in 0..case.files.len() as u32 {
        let rel = &case.files[f as usize].rel;
        let mut all = Collect::default();
        let r = read_file(&case, f, &Limits::default(), &mut all).unwrap();
        let want = &truth.records[rel];
        let places: Vec<_> = all
            .rejects
            .iter()
            .take(3)
            .map(|r| (r.record, r.reason, r.readable.clone()))
            .collect();
        assert_eq!(
            (r.records, r.rejects),
            (want.records, 0),
            "{rel} as {}: {places:?}",
            r.format
        );
        assert_eq!(r.events + r.skipped, want.records, "{rel}");
        assert_eq!(r.format, want.format, "{rel}");
        let shift = truth
            .sources
            .iter()
            .find(|s| s.key == want.source)
            .map_or(0, |s| s.clock_offset_ms);
        for e in &all.events {
            assert!(e.time > 0, "{rel}:{} has no time", e.record);
            let t = e.time / 1_000_000;
            for a in [&e.src_ip, &e.inner_ip, &e.user] {
                if !a.is_empty() {
                    seen.push((a.to_lowercase(), t));
                    if shift != 0 {
                        seen.push((a.to_lowercase(), t - shift));
                    }
                }
            }
        }
    }
    seen.sort();
    let instant = |s: &str| {
        let ts: jiff::Timestamp = s.parse().unwrap();
        ts.as_millisecond()
    };
    for s in truth.sessions.iter().filter(|s| s.visible) {
        let (from, to) = (instant(&s.from) - 10_000, instant(&s.to) + 10_000);
        let name = s
            .account
            .rsplit([':', '\\'])
            .next()
            .unwrap_or("")
            .to_lowercase();
        let hit = s
            .address
            .iter()
            .chain(&s.inner)
            .map(String::as_str)
            .chain([name.as_str()])
            .any(|a| {
                let at = seen.partition_point(|(b, t)| (b.as_str(), *t) < (a, from));
                seen.get(at).is_some_and(|(b, t)| b == a && *t <= to)
            });
        assert!(hit, "{}: no trace of {s:?}", family.name());
    }
}

#[test]
fn s1_is_read_whole() {
    check(Family::S1);
}
#[test]
fn s2_is_read_whole() {
    check(Family::S2);
}
#[test]
fn s4_is_read_whole() {
    check(Family::S4);
}
#[test]
fn s5_is_read_whole() {
    check(Family::S5);
}
#[test]
fn s6_is_read_whole() {
    check(Family::S6);
}
#[test]
fn s9_is_read_whole() {
    check(Family::S9);
}
#[test]
fn an_ordinary_month_is_read_whole() {
    check(Family::Clean);
}
