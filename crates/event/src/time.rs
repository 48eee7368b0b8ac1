//! Instants and windows. All times inside Ampleur are UTC nanoseconds since 1970-01-01T00:00:00Z.
use crate::words::closed;

/// UTC nanoseconds since the Unix epoch. [`NO_TIME`] means the record carries none.
pub type Nanos = i64;
/// The record carries no usable time.
pub const NO_TIME: Nanos = i64::MIN;
pub const SECOND: Nanos = 1_000_000_000;
pub const MINUTE: Nanos = 60 * SECOND;
pub const HOUR: Nanos = 3600 * SECOND;
pub const DAY: Nanos = 24 * HOUR;

closed! {
    /// How the instant of a row was obtained.
    TimeNote {
        Missing = 0 => "missing",
        /// The record itself carries an offset or is an epoch number.
        Explicit = 1 => "explicit",
        /// The record is zone-naive; the zone of its source was used.
        Zoned = 2 => "zoned",
        /// Zone-naive, no zone declared anywhere: UTC was assumed, and it is said so.
        Assumed = 3 => "assumed",
        /// Inside the repeated hour of autumn: `time_alt` is the other reading.
        Folded = 4 => "folded",
        /// The year was not in the record and was resolved by neighbours.
        Yearless = 5 => "yearless",
    }
}

/// A span of time, `[from, to)`: `from` included, `to` excluded; UTC nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    pub from: Nanos,
    pub to: Nanos,
}

impl Window {
    pub const ALL: Window = Window {
        from: i64::MIN + 1,
        to: i64::MAX,
    };
    pub const fn new(from: Nanos, to: Nanos) -> Self {
        Window { from, to }
    }
    pub const fn contains(&self, t: Nanos) -> bool {
        self.from <= t && t < self.to
    }
    pub const fn overlaps(&self, other: &Window) -> bool {
        self.from < other.to && other.from < self.to
    }
    pub const fn is_empty(&self) -> bool {
        self.from >= self.to
    }
    pub fn length(&self) -> Nanos {
        self.to.saturating_sub(self.from).max(0)
    }
    pub fn intersect(&self, other: &Window) -> Option<Window> {
        let w = Window {
            from: self.from.max(other.from),
            to: self.to.min(other.to),
        };
        (!w.is_empty()).then_some(w)
    }
    pub fn grow(&self, by: Nanos) -> Window {
        Window {
            from: self.from.saturating_sub(by),
            to: self.to.saturating_add(by),
        }
    }
}

/// RFC 3339 in UTC with milliseconds (`2025-09-14T01:51:55.418Z`), the form of every output file.
/// [`NO_TIME`] gives the empty string.
pub fn rfc3339(t: Nanos) -> String {
    if t == NO_TIME {
        return String::new();
    }
    match jiff::Timestamp::from_nanosecond(i128::from(t.div_euclid(1_000_000)) * 1_000_000) {
        Ok(ts) => format!("{ts:.3}"),
        Err(_) => String::new(),
    }
}

/// What [`rfc3339`] and [`rfc3339_full`] write, with any offset; `None` for other texts and instants beyond 1678–2262.
pub fn from_rfc3339(text: &str) -> Option<Nanos> {
    let t: jiff::Timestamp = text.parse().ok()?;
    Nanos::try_from(t.as_nanosecond()).ok()
}

/// RFC 3339 in UTC with as many digits as the instant has (used by `ampleur decode`).
pub fn rfc3339_full(t: Nanos) -> String {
    if t == NO_TIME {
        return String::new();
    }
    jiff::Timestamp::from_nanosecond(i128::from(t))
        .map(|ts| ts.to_string())
        .unwrap_or_default()
}

/// The most of `ascending` instants or differences, in nanoseconds, that lie within `[x, x + width]`, both ends included: how many
/// there are, and the middle one of them. `(0, 0)` when there is none; of equal ones the first.
pub fn densest(ascending: &[Nanos], width: Nanos) -> (usize, Nanos) {
    let (mut most, mut middle, mut lo) = (0, 0, 0);
    for (hi, t) in ascending.iter().enumerate() {
        while t.saturating_sub(ascending[lo]) > width {
            lo += 1;
        }
        if hi + 1 - lo > most {
            (most, middle) = (hi + 1 - lo, ascending[lo + (hi - lo) / 2]);
        }
    }
    (most, middle)
}

/// True for instants (UTC nanoseconds, any order) spread over the minutes of the hour, as those of people are and those of a job that
/// runs at its minute are not: of up to thirty, six in ten minutes differ.
pub fn at_no_fixed_minute(times: &[Nanos]) -> bool {
    let minutes: std::collections::BTreeSet<Nanos> =
        times.iter().map(|t| t.rem_euclid(HOUR) / MINUTE).collect();
    minutes.len() * 10 >= times.len().min(30) * 6
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn where_instants_are_densest() {
        assert_eq!(densest(&[], SECOND), (0, 0));
        assert_eq!(densest(&[0, 5, 8, 9, 10, 30], 2), (3, 9));
        assert_eq!(densest(&[NO_TIME, 1, Nanos::MAX], 1), (1, NO_TIME));
    }
    #[test]
    fn a_job_comes_at_its_minute_and_people_do_not() {
        let every = |step: Nanos| (0..40).map(|i| i * step).collect::<Vec<_>>();
        assert!(at_no_fixed_minute(&every(37 * MINUTE)));
        assert!(!at_no_fixed_minute(&every(HOUR)) && !at_no_fixed_minute(&every(5 * MINUTE)));
    }
    #[test]
    fn rfc3339_is_utc_milliseconds() {
        assert_eq!(
            rfc3339(1_757_814_715_418_000_000),
            "2025-09-14T01:51:55.418Z"
        );
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(NO_TIME), "");
    }
}
