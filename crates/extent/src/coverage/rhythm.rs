//! Heartbeats, and how probable a silence is at that hour of the week.
use super::{observe::Bin, timeline};
use ampleur_event::{
    Nanos,
    time::{HOUR, MINUTE, SECOND},
};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// Width of the cells of the rate model.
const CELL: Nanos = 5 * MINUTE;
/// A silence is a gap when it would happen by chance less often than e^-16 (1 in 9 million): a month of a busy source holds
/// thousands of silences, people are less regular than any model, and a false gap widens the answer.
pub(super) const IMPROBABLE: f64 = 16.0;

/// Silences between one spoken minute and the next, at least a minute long, in time order: `(from, to)`.
pub(super) fn silences(bins: &BTreeMap<i64, Bin>) -> Vec<(Nanos, Nanos)> {
    let mut out = Vec::new();
    let mut last: Option<Nanos> = None;
    for b in bins.values() {
        if let Some(l) = last
            && b.first.saturating_sub(l) >= MINUTE
        {
            out.push((l, b.first));
        }
        last = Some(last.map_or(b.last, |l| l.max(b.last)));
    }
    out
}

/// The period of a source that never stays silent longer: most silences of the top end have one length, and hardly any is longer.
pub(super) fn learn_beat(silences: &[(Nanos, Nanos)]) -> Option<Nanos> {
    let mut len: Vec<Nanos> = silences.iter().map(|(a, b)| b - a).collect();
    if len.len() < 48 {
        return None;
    }
    len.sort_unstable();
    // Lost stretches are few; the beat is what the silences just below them agree on.
    let top = len[len.len() - 1 - len.len() / 50];
    let (lo, hi) = (top - top / 10, top + top / 10);
    let band = len.iter().filter(|l| (lo..=hi).contains(l)).count();
    let above = len.iter().filter(|l| **l > hi).count();
    // Without a beat the longest silences thin out; with one they pile up under it.
    let below = len.iter().filter(|l| (top / 2..lo).contains(l)).count();
    (band >= 24 && above * 20 <= band && band * 2 >= below && top <= 2 * HOUR).then_some(top)
}

/// Silences of most of a day and longer that are about two of the source's ordinary ones: what speaks at its hour every day did not.
pub(super) fn skipped(silences: &[(Nanos, Nanos)]) -> Vec<(Nanos, Nanos)> {
    const REGULAR: usize = 8;
    let mut len: Vec<Nanos> = silences.iter().map(|(a, b)| b - a).collect();
    len.sort_unstable();
    let apart = |l: Nanos| {
        // All others are shorter than three fifths of it, and as many as make a rule longer than two fifths.
        let shorter = len.partition_point(|x| *x <= l / 5 * 3);
        let regular = shorter - len.partition_point(|x| *x < l / 5 * 2);
        let longer = len.len() - shorter;
        longer * 4 <= regular && regular >= REGULAR
    };
    let long = silences.iter().filter(|(a, b)| b - a >= 20 * HOUR);
    long.filter(|(a, b)| apart(b - a)).copied().collect()
}

/// True when a silence holds a whole work day and no other day of five and more, work day or not, is without a word, or a few work
/// days are where all others say about as much: few days are enough to tell that.
fn lacks_a_day(
    bins: &BTreeMap<i64, Bin>,
    (from, to): (Nanos, Nanos),
    (first, last): (Nanos, Nanos),
    zone: &TimeZone,
) -> bool {
    // The shortest day has an hour less.
    if to.saturating_sub(from) < 23 * HOUR {
        return false;
    }
    let mut slots = Slots::new(zone);
    let mut works = |day: Nanos| slots.at(day.saturating_add(12 * HOUR)) < 24;
    let mut day = timeline::next_day(zone, timeline::day_start(zone, first));
    let (mut lost, mut others_lost, mut spoken, mut busy) = (false, 0, 0, vec![]);
    // Days of week ends: with a word, without.
    let mut free = (0, 0);
    for _ in 0..400 {
        let end = timeline::next_day(zone, day);
        if end > last {
            break;
        }
        let spoken_in = bins.range(day.div_euclid(MINUTE)..end.div_euclid(MINUTE));
        let minutes = spoken_in.count();
        if day >= from && end <= to {
            lost |= works(day);
        } else if end > from && day < to {
            // The silence reaches into it.
            spoken += usize::from(minutes > 0);
        } else if minutes == 0 {
            others_lost += 1;
            free.1 += usize::from(!works(day));
        } else {
            spoken += 1;
            if works(day) {
                busy.push(minutes);
            } else {
                free.0 += 1;
            }
        }
        day = end;
    }
    let (all, n) = (busy.iter().sum::<usize>(), busy.len().max(1));
    let alike = busy.iter().all(|b| b * n * 3 >= all);
    let rests = free.1 > free.0;
    let few = others_lost == 0 || !rests && others_lost * 2 <= spoken && alike;
    lost && few && spoken >= 5 && all >= 12 * n
}

/// True when a silence in `[from, to]` is out of the ordinary: at the same hours of like days the source always had something to
/// say, or it was never silent for nearly as long. The model of [`Rate`] alone would cry wolf on quiet nights and holidays.
pub(super) fn unlike_any(
    bins: &BTreeMap<i64, Bin>,
    from: Nanos,
    to: Nanos,
    longest_other: Nanos,
    surprise: f64,
    zone: &TimeZone,
) -> bool {
    if surprise < IMPROBABLE / 2.0 {
        return false;
    }
    let length = to.saturating_sub(from);
    if surprise >= 2.0 * IMPROBABLE && length >= 12 * HOUR && length / 3 >= longest_other {
        return true;
    }
    let (Some(first), Some(last)) = (
        bins.values().next().map(|b| b.first),
        bins.values().next_back().map(|b| b.last),
    ) else {
        return false;
    };
    if lacks_a_day(bins, (from, to), (first, last), zone) {
        return true;
    }
    let mut slots = Slots::new(zone);
    let mut weekend = |a: Nanos| -> i64 {
        let steps = (length / HOUR).clamp(1, 24 * 60);
        (0..steps)
            .filter(|i| slots.at(a + i * (length / steps)) >= 24)
            .count() as i64
    };
    let own = weekend(from);
    let mut counts: Vec<f64> = Vec::new();
    let day = 24 * HOUR;
    for k in -400i64..=400 {
        let a = from.saturating_add(k * day);
        let b = a.saturating_add(length);
        // Like days only, and none that the silence itself reaches into.
        if k == 0 || a < first || b > last || (a < to && b > from) || (weekend(a) - own).abs() > 3 {
            continue;
        }
        let mut cells = 0u64;
        let mut before = i64::MIN;
        for x in bins
            .range(a.div_euclid(MINUTE)..=b.div_euclid(MINUTE))
            .map(|x| x.1)
        {
            let c = x.first.div_euclid(CELL);
            if x.first > a && x.last < b && c != before {
                cells += 1;
                before = c;
            }
        }
        counts.push(cells as f64);
    }
    // Nothing at all must be far below what like hours bring, measured by how much they differ among themselves.
    let n = counts.len() as f64;
    if n < 8.0 {
        return false;
    }
    let mean = counts.iter().sum::<f64>() / n;
    let spread = (counts.iter().map(|c| (c - mean) * (c - mean)).sum::<f64>() / n).sqrt();
    // Days that differ more tell it too where none of them was near silence.
    let least = counts.iter().copied().fold(f64::INFINITY, f64::min);
    let never_near = length >= 3 * HOUR && least * 2.0 >= mean;
    let far = surprise >= IMPROBABLE && mean >= 5.0 * spread.max(mean.sqrt() / 2.0);
    mean >= 12.0 && (far || never_near)
}

/// How often a source speaks, by hour of the day on work days and week ends.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    zone: TimeZone,
    /// Per slot: cells seen, cells spoken in, empty cells after an empty one, cells after an empty one.
    slots: Vec<[f64; 4]>,
    /// Mean of spoken cells per day.
    pub per_day: f64,
    /// Mean of separate bursts per day (cells spoken in after a silent one).
    pub bursts_per_day: f64,
}

impl Rate {
    /// Learns from what was said in `[from, to]`. The longest silences are left out of what is learned, or a gap would teach itself.
    pub fn learn(bins: &BTreeMap<i64, Bin>, from: Nanos, to: Nanos, zone: &TimeZone) -> Rate {
        let mut r = Rate {
            zone: zone.clone(),
            slots: vec![[0.0; 4]; 48],
            per_day: 0.0,
            bursts_per_day: 0.0,
        };
        let (a, b) = (from.div_euclid(CELL), to.div_euclid(CELL));
        // Ten years of cells at most, whatever the stamps say.
        let b = b.min(a.saturating_add(1_051_200));
        let mut spoken: Vec<i64> = bins
            .values()
            .flat_map(|x| [x.first.div_euclid(CELL), x.last.div_euclid(CELL)])
            .collect();
        spoken.sort_unstable();
        spoken.dedup();
        let mut longest: Vec<(i64, i64)> = spoken
            .windows(2)
            .map(|w| (w[1] - w[0], w[0]))
            .filter(|(l, _)| *l > 1)
            .collect();
        longest.sort_unstable_by(|x, y| y.cmp(x));
        // Silences far longer than usual for this source are suspects and teach nothing.
        let usual = longest
            .get(longest.len() / 20)
            .map_or(0, |(l, _)| *l)
            .max(12);
        let mut suspect: Vec<(i64, i64)> = longest
            .iter()
            .take_while(|(l, _)| *l > 2 * usual)
            .take(8)
            .map(|(l, s)| (*s, *s + *l))
            .collect();
        suspect.sort_unstable();
        let mut next = 0;
        let mut empty_before = false;
        let (mut cells, mut on, mut bursts) = (0.0, 0.0, 0.0);
        let mut slot_of = Slots::new(zone);
        let mut i = a;
        while i <= b {
            if let Some((_, end)) = suspect.iter().find(|(s, e)| *s < i && i < *e) {
                i = *end;
                empty_before = false;
                continue;
            }
            while next < spoken.len() && spoken[next] < i {
                next += 1;
            }
            let spoke = next < spoken.len() && spoken[next] == i;
            let s = &mut r.slots[slot_of.at(i * CELL)];
            s[0] += 1.0;
            cells += 1.0;
            if spoke {
                s[1] += 1.0;
                on += 1.0;
                if empty_before {
                    bursts += 1.0;
                }
            }
            if empty_before {
                s[3] += 1.0;
                if !spoke {
                    s[2] += 1.0;
                }
            }
            empty_before = !spoke;
            i += 1;
        }
        let days = (cells * CELL as f64 / (24.0 * HOUR as f64)).max(1.0 / 288.0);
        r.per_day = on / days;
        r.bursts_per_day = bursts / days;
        r
    }

    /// Minus the logarithm of the probability that a living source says nothing in `[from, to]`.
    pub fn surprise(&self, from: Nanos, to: Nanos) -> f64 {
        let mut sum = 0.0;
        let mut slot_of = Slots::new(&self.zone);
        let (a, b) = (from.div_euclid(CELL) + 1, to.div_euclid(CELL));
        // A week of silence is as improbable as it gets.
        for i in a..b.min(a.saturating_add(4032)) {
            sum -= self.stays_silent(slot_of.at(i * CELL)).ln();
        }
        sum
    }

    fn stays_silent(&self, slot: usize) -> f64 {
        let s = &self.slots[slot];
        let (cells, on, empty_empty, after_empty) = (s[0], s[1], s[2], s[3]);
        let prior = if cells > 0.0 {
            1.0 - on / (cells + 1.0)
        } else {
            1.0
        };
        ((empty_empty + 4.0 * prior) / (after_empty + 4.0)).clamp(0.05, 1.0)
    }

    /// The shortest outage that would show at this rate, in hours; `None` when even a week would not.
    pub fn resolution_h(&self) -> Option<f64> {
        let whole: f64 = (0..48).map(|s| -self.stays_silent(s).ln()).sum::<f64>() / 48.0;
        if whole <= 0.0 {
            return None;
        }
        let h = IMPROBABLE / whole * (CELL as f64 / HOUR as f64);
        (h <= 168.0).then_some(h)
    }
}

/// Slot of an instant: hour of the local day, plus 24 on Saturday and Sunday. Remembers the hour, for time runs on.
struct Slots<'a> {
    zone: &'a TimeZone,
    hour: i64,
    slot: usize,
}

impl<'a> Slots<'a> {
    fn new(zone: &'a TimeZone) -> Self {
        Slots {
            zone,
            hour: i64::MIN,
            slot: 0,
        }
    }
    fn at(&mut self, t: Nanos) -> usize {
        // Zones with half-hour offsets change slot inside an hour by UTC: a quarter is fine enough for all.
        let q = t.div_euclid(15 * MINUTE);
        if q != self.hour {
            self.hour = q;
            self.slot = jiff::Timestamp::from_second(t.div_euclid(SECOND)).map_or(0, |ts| {
                let z = ts.to_zoned(self.zone.clone());
                let end = z.weekday().to_monday_zero_offset() >= 5;
                z.hour() as usize + if end { 24 } else { 0 }
            });
        }
        self.slot
    }
}
