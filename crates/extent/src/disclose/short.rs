//! Answers that weigh less than what they should hold. nginx keeps its 200 when the client goes while the answer is under way, and so
//! do others: only the bytes tell.
//!
//! What an answer weighs is a beginning and so much for each person; both are found from all answers of one kind by medians, which
//! answers that were cut do not move while they are fewer than half. Where weights do not follow numbers, nothing is said.

/// Fewer answers than this show no rule.
const ANSWERS: usize = 8;
/// Of so many persons one who is short does not matter.
const MANY: u64 = 5;
/// What is missing at least, of an answer with many persons and of one with few.
const MISSING_OF_MANY: f64 = 0.2;
const MISSING_OF_FEW: f64 = 0.5;
/// So many times the usual distance from the rule is no longer usual.
const UNUSUAL: f64 = 4.0;
/// A person takes as many bytes in an answer that is not packed; in one that is, the more there are the fewer each.
const PLAIN: f64 = 500.0;
/// Pairs are looked at among so many answers.
const COMPARED: usize = 200;

/// For each answer, the persons it should hold and its bytes: whether it ended early.
pub(super) fn short(answers: &[(u64, u64)]) -> Vec<bool> {
    let none = vec![false; answers.len()];
    let step = answers.len().div_ceil(COMPARED).max(1);
    let some: Vec<(f64, f64)> = (answers.iter().step_by(step))
        .map(|(n, b)| (*n as f64, *b as f64))
        .collect();
    if some.len() < ANSWERS {
        return none;
    }
    let mut slopes = vec![];
    for (i, x) in some.iter().enumerate() {
        for y in &some[i + 1..] {
            if x.0 != y.0 {
                slopes.push((y.1 - x.1) / (y.0 - x.0));
            }
        }
    }
    let Some(each) = median(slopes).filter(|b| *b >= PLAIN) else {
        return none;
    };
    let rest = median(some.iter().map(|(n, b)| b - each * n).collect());
    let begin = rest.unwrap_or(0.0).max(0.0);
    let part = |n: f64, b: f64| b / (begin + each * n).max(1.0);
    let far = median(
        some.iter()
            .map(|(n, b)| (part(*n, *b) - 1.0).abs())
            .collect(),
    );
    let usual = far.unwrap_or(1.0) * UNUSUAL;
    (answers.iter())
        .map(|(n, b)| {
            let least = if *n >= MANY {
                MISSING_OF_MANY
            } else {
                MISSING_OF_FEW
            };
            *n > 0 && part(*n as f64, *b as f64) < 1.0 - f64::max(least, usual)
        })
        .collect()
}

fn median(mut v: Vec<f64>) -> Option<f64> {
    v.sort_by(f64::total_cmp);
    v.get(v.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers that weigh 310 bytes and some 1,150 for each person, now more, now less.
    fn whole(numbers: &[u64]) -> Vec<(u64, u64)> {
        let weight = |(i, n): (usize, &u64)| (*n, 310 + n * 1150 + (i as u64 * 37) % 150 * n / 2);
        numbers.iter().enumerate().map(weight).collect()
    }
    const NUMBERS: &[u64] = &[3, 0, 1, 7, 2, 55, 4, 1, 0, 30, 5, 2, 41, 6];

    #[test]
    fn half_an_answer_is_seen_by_its_bytes() {
        let mut a = whole(NUMBERS);
        assert_eq!(short(&a), vec![false; a.len()]);
        for i in [5, 9, 12] {
            a[i].1 /= 2;
        }
        let expect: Vec<bool> = (0..a.len()).map(|i| [5, 9, 12].contains(&i)).collect();
        assert_eq!(short(&a), expect);
    }
    #[test]
    fn where_bytes_follow_no_rule_nothing_is_said() {
        let few = [(50, 60_000), (50, 1000)];
        assert_eq!(short(&few), [false, false]);
        // Pages of one size whatever they hold, and weights at random.
        let flat: Vec<(u64, u64)> = NUMBERS.iter().map(|n| (*n, 500)).collect();
        assert!(short(&flat).iter().all(|s| !s));
        let any: Vec<(u64, u64)> = (0..20).map(|i| (i % 6, 400 + i * 7919 % 5000)).collect();
        assert!(short(&any).iter().all(|s| !s));
        // Packed answers weigh less for each person the more there are.
        let packed: Vec<(u64, u64)> = (NUMBERS.iter())
            .map(|n| (*n, 280 + 260 * (*n).min(6) + 130 * n.saturating_sub(6)))
            .collect();
        assert!(short(&packed).iter().all(|s| !s), "{:?}", short(&packed));
    }
}
