//! How each account is used, kept from one run to the next: the rows from which the past of an account is made.
//!
//! A row is one account at one address. Joining two sets of rows is associative, commutative and idempotent (sets are united,
//! maxima taken), so that profiles built day by day equal those built at once as long as no cap is reached, and the same
//! evidence read again changes nothing. Days older than [`KEPT_DAYS`] before the newest one are forgotten, texts are capped: memory is bounded by accounts.
use crate::units::{Behaviour, Unit};
use ampleur_session::Sessions;
use ampleur_sources::case::Case;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Version of the stored form; another one is refused, never guessed at.
pub const FORMAT: &str = "ampleur.profiles/1";
/// Local days of memory.
pub const KEPT_DAYS: i64 = 120;
/// Texts of one kind kept per row.
const TEXTS: usize = 24;
/// Rows kept per account: a mobile line changes its address every day.
const ROWS: usize = 256;

/// Days since the epoch, local.
type Days = BTreeSet<i64>;

/// One account at one address (`None`: unknown, or lent by a tunnel).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Habit {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    pub days: Days,
    /// Client → days.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub devices: BTreeMap<String, Days>,
    /// Program → days.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub programs: BTreeMap<String, Days>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub servers: BTreeSet<String>,
    /// Hours of the day with activity, bit 0 = 00:00–01:00 local.
    pub hours: u32,
    #[serde(skip_serializing_if = "Days::is_empty")]
    pub interactive: Days,
    pub exports: bool,
    /// What was reached most in one unit: questions, distinct subjects, objects and files, bytes out.
    pub most: [u64; 5],
    /// Shares of questions by prefix, range and walk at their highest, in thousandths.
    pub shape: [u16; 3],
    /// Shortest median gap between questions of a unit with eight or more, milliseconds; 0 when there is none.
    pub gap_ms: u64,
}

/// Account (canonical), address, and whether every client there is a program.
pub(crate) type Place = (String, Option<IpAddr>, bool);

/// All rows. Stored as JSON: `{"format", "rows": [[account, address, program, row]…]}`, ordered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Habits {
    rows: BTreeMap<Place, Habit>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: String,
    rows: Vec<(String, Option<IpAddr>, bool, Habit)>,
}

/// Why stored profiles cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HabitsError {
    #[error("read profiles: {0}")]
    Json(#[from] serde_json::Error),
    #[error("read profiles of format `{0}`: this version reads {FORMAT}")]
    Format(String),
}

impl Habit {
    fn join(&mut self, o: &Habit) {
        // Equal addresses have one country and operator; if two files disagree the smaller stays, in any order.
        if self.country.is_none() || (o.country.is_some() && o.country < self.country) {
            self.country.clone_from(&o.country);
        }
        if self.asn.is_none() || (o.asn.is_some() && o.asn < self.asn) {
            self.asn = o.asn;
        }
        self.days.extend(&o.days);
        for (mine, its) in [
            (&mut self.devices, &o.devices),
            (&mut self.programs, &o.programs),
        ] {
            for (k, d) in its {
                mine.entry(k.clone()).or_default().extend(d);
            }
            while mine.len() > TEXTS {
                mine.pop_last();
            }
        }
        self.servers.extend(o.servers.iter().cloned());
        while self.servers.len() > TEXTS {
            self.servers.pop_last();
        }
        self.hours |= o.hours;
        self.interactive.extend(&o.interactive);
        self.exports |= o.exports;
        for (a, b) in self.most.iter_mut().zip(o.most) {
            *a = (*a).max(b);
        }
        for (a, b) in self.shape.iter_mut().zip(o.shape) {
            *a = (*a).max(b);
        }
        self.gap_ms = match (self.gap_ms, o.gap_ms) {
            (0, b) => b,
            (a, 0) => a,
            (a, b) => a.min(b),
        };
    }
    /// Takes in a unit that [`Habits::takes`]: joins the row it leaves behind. Of its clients and programs are told all, of `servers`
    /// those it and what it made possible used, `hours` are its hours of the day.
    pub(crate) fn take<'t>(
        &mut self,
        u: &Unit,
        devices: impl Iterator<Item = &'t str>,
        servers: impl Iterator<Item = &'t str>,
        hours: u32,
    ) {
        if let Some(c) = u.country
            && self.country.as_deref().is_none_or(|known| c < known)
        {
            self.country = Some(c.to_string());
        }
        if u.asn.is_some() && (self.asn.is_none() || u.asn < self.asn) {
            self.asn = u.asn;
        }
        // A night is one visit: the day it began.
        let day = u.days.first();
        self.days.extend(day);
        fn note<'t>(
            known: &mut BTreeMap<String, Days>,
            told: impl Iterator<Item = &'t str>,
            day: Option<&i64>,
        ) {
            for text in told.take(TEXTS) {
                match known.get_mut(text) {
                    Some(days) => days.extend(day),
                    None => {
                        known.insert(text.to_string(), day.into_iter().copied().collect());
                    }
                }
            }
            while known.len() > TEXTS {
                known.pop_last();
            }
        }
        note(&mut self.devices, devices, day);
        note(&mut self.programs, u.programs.iter().copied(), day);
        for server in servers.take(TEXTS) {
            if !self.servers.contains(server) {
                self.servers.insert(server.to_string());
            }
        }
        while self.servers.len() > TEXTS {
            self.servers.pop_last();
        }
        self.hours |= hours;
        let does = &u.does;
        if does.interactive {
            self.interactive.extend(day);
        }
        self.exports |= does.exports > 0;
        let most = [
            does.asks as u64,
            does.subjects,
            does.objects,
            does.files,
            does.bytes_out,
        ];
        for (a, b) in self.most.iter_mut().zip(most) {
            *a = (*a).max(b);
        }
        let thousandths = |x: f64| (x * 1000.0).clamp(0.0, 1000.0) as u16;
        for (a, b) in self
            .shape
            .iter_mut()
            .zip([does.prefix, does.range, does.walk])
        {
            *a = (*a).max(thousandths(b));
        }
        if does.asks >= 8 {
            let gap = (does.gap * 1000.0) as u64;
            self.gap_ms = match (self.gap_ms, gap) {
                (0, b) => b,
                (a, 0) => a,
                (a, b) => a.min(b),
            };
        }
    }
    fn forget(&mut self, before: i64) {
        let keep = |d: &mut Days| *d = d.split_off(&before);
        keep(&mut self.days);
        keep(&mut self.interactive);
        for m in [&mut self.devices, &mut self.programs] {
            m.values_mut().for_each(keep);
            m.retain(|_, d| !d.is_empty());
        }
    }
    /// The behaviour this row remembers, as one unit would have shown it.
    pub(crate) fn behaviour(&self) -> Behaviour {
        let share = |i: usize| f64::from(self.shape[i]) / 1000.0;
        Behaviour {
            asks: self.most[0] as usize,
            subjects: self.most[1],
            objects: self.most[2],
            files: self.most[3],
            bytes_out: self.most[4],
            prefix: share(0),
            range: share(1),
            walk: share(2),
            gap: self.gap_ms as f64 / 1000.0,
            beat: 9.0,
            exports: u64::from(self.exports),
            interactive: !self.interactive.is_empty(),
            ..Behaviour::default()
        }
    }
}

impl Habits {
    /// What was remembered of the days before the first session: what is read now tells the rest itself, and evidence read again must
    /// not stand as its own past.
    pub fn before(&self, case: &Case, sessions: &Sessions) -> Habits {
        let first = sessions.list.iter().map(|s| s.from).min();
        let day = first
            .and_then(|t| jiff::Timestamp::from_nanosecond(i128::from(t)).ok())
            .and_then(|t| {
                let date = t.to_zoned(case.context.zone()).date();
                date.to_zoned(jiff::tz::TimeZone::UTC).ok()
            })
            .map_or(i64::MIN, |d| d.timestamp().as_second().div_euclid(86_400));
        let mut out = self.clone();
        out.rows.retain(|_, h| {
            let keep = |d: &mut Days| drop(d.split_off(&day));
            keep(&mut h.days);
            keep(&mut h.interactive);
            for m in [&mut h.devices, &mut h.programs] {
                m.values_mut().for_each(keep);
                m.retain(|_, d| !d.is_empty());
            }
            !h.days.is_empty()
        });
        out
    }
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }
    /// Account, address, whether every client is a program, row.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&str, Option<IpAddr>, bool, &Habit)> {
        self.rows
            .iter()
            .map(|((a, at, bot), h)| (a.as_str(), *at, *bot, h))
    }
    /// Every client that is remembered, some more than once.
    pub(crate) fn devices(&self) -> impl Iterator<Item = &str> {
        let rows = self.rows.values();
        rows.flat_map(|h| h.devices.keys().map(String::as_str))
    }
    /// Rows of which none is there twice.
    pub(crate) fn of(mut rows: Vec<(Place, Habit)>) -> Habits {
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        Habits {
            rows: rows.into_iter().collect(),
        }
    }
    /// True for a unit that leaves a row behind.
    pub(crate) fn takes(u: &Unit) -> bool {
        let used = u.account.is_some() && !u.machine && !u.flow_only && !u.refused;
        used && u.parents.is_empty()
    }
    /// Unites two sets of rows.
    pub fn join(&mut self, o: &Habits) {
        for (k, h) in &o.rows {
            self.rows.entry(k.clone()).or_default().join(h);
        }
        self.settle();
    }
    /// Forgets what is too old and caps the rows of each account, the least used first. The newest day decides, not the clock.
    pub(crate) fn settle(&mut self) {
        let Some(newest) = self.rows.values().filter_map(|h| h.days.last()).max() else {
            return;
        };
        let before = newest - KEPT_DAYS;
        for h in self.rows.values_mut() {
            h.forget(before);
        }
        self.rows.retain(|_, h| !h.days.is_empty());
        // Account → days seen, last day, address, whether a program: one entry per row.
        type Weight = (usize, i64, Option<IpAddr>, bool);
        let mut per: BTreeMap<&str, Vec<Weight>> = BTreeMap::new();
        for ((a, at, bot), h) in &self.rows {
            let last = h.days.last().copied().unwrap_or(0);
            per.entry(a)
                .or_default()
                .push((h.days.len(), last, *at, *bot));
        }
        let mut gone = vec![];
        for (a, mut rows) in per {
            if rows.len() > ROWS {
                rows.sort_by(|x, y| y.cmp(x));
                gone.extend(rows.drain(ROWS..).map(|r| (a.to_string(), r.2, r.3)));
            }
        }
        for k in gone {
            self.rows.remove(&k);
        }
    }
    /// Canonical bytes: equal rows give equal bytes.
    ///
    /// # Errors
    /// Never for rows made by this crate.
    pub fn to_json(&self) -> Result<Vec<u8>, HabitsError> {
        Ok(serde_json::to_vec(&Stored {
            format: FORMAT.into(),
            rows: self
                .rows
                .iter()
                .map(|((a, at, bot), h)| (a.clone(), *at, *bot, h.clone()))
                .collect(),
        })?)
    }
    /// Reads what [`Habits::to_json`] wrote.
    ///
    /// # Errors
    /// Not JSON of this shape, or of another version.
    pub fn from_json(bytes: &[u8]) -> Result<Habits, HabitsError> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
        }
        let head: Head = serde_json::from_slice(bytes)?;
        if head.format != FORMAT {
            return Err(HabitsError::Format(head.format));
        }
        let stored: Stored = serde_json::from_slice(bytes)?;
        let mut out = Habits::default();
        for (a, at, bot, h) in stored.rows {
            out.rows.entry((a, at, bot)).or_default().join(&h);
        }
        out.settle();
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn habit() -> impl Strategy<Value = (u8, Option<u8>, Habit)> {
        (
            0u8..4,
            proptest::option::of(0u8..4),
            proptest::collection::btree_set(20_000i64..20_200, 1..6),
            proptest::collection::btree_set("[a-e]{1,2}", 0..30),
            any::<u32>(),
            any::<[u64; 5]>(),
            0u64..9,
        )
            .prop_map(|(who, at, days, texts, hours, most, gap_ms)| {
                let devices = texts
                    .iter()
                    .map(|t| (t.to_string(), days.clone()))
                    .collect();
                (
                    who,
                    at,
                    Habit {
                        days,
                        devices,
                        hours: hours & 0xff_ffff,
                        most,
                        gap_ms,
                        ..Habit::default()
                    },
                )
            })
    }
    fn rows(list: &[(u8, Option<u8>, Habit)]) -> Habits {
        let mut out = Habits::default();
        for (who, at, h) in list {
            let at = at.map(|a| IpAddr::from([192, 0, 2, a]));
            out.rows
                .entry((format!("vpn:u{who}"), at, false))
                .or_default()
                .join(h);
        }
        out
    }
    proptest! {
        #[test]
        fn joining_is_order_free_and_idempotent(list in proptest::collection::vec(habit(), 0..12), cut in 0usize..12) {
            let cut = cut.min(list.len());
            let mut whole = rows(&list);
            whole.settle();
            let (mut ab, mut ba) = (rows(&list[..cut]), rows(&list[cut..]));
            let (a, b) = (ab.clone(), ba.clone());
            ab.join(&b);
            ba.join(&a);
            prop_assert_eq!(&ab, &ba);
            prop_assert_eq!(&ab, &whole);
            let again = ab.clone();
            ab.join(&again);
            prop_assert_eq!(&ab, &again);
            let read = Habits::from_json(&ab.to_json().unwrap()).unwrap();
            prop_assert_eq!(&read, &ab);
        }
    }
    #[test]
    fn another_version_is_refused() {
        let e = Habits::from_json(br#"{"format":"ampleur.profiles/9","rows":[]}"#);
        assert!(matches!(e, Err(HabitsError::Format(_))));
    }
}
