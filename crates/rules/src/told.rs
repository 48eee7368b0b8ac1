//! Back from findings to the events they speak of.
use crate::{Found, Row, Rules, Scratch};
use ampleur_event::{Event, Nanos, time::NO_TIME};
use rsigma_eval::Event as _;
use rustc_hash::FxHashMap;

type Group = Vec<(String, String)>;

/// Findings, ready to be asked of single events.
pub struct Told<'r> {
    rules: &'r Rules,
    /// When each correlation fired for what it counts by, both ends included; an empty group is whoever came beyond the limit.
    spans: FxHashMap<(usize, Group), (Nanos, Nanos)>,
}

impl Rules {
    /// `found` is what [`Rules::join`] returned.
    pub fn told(&self, found: Vec<Found>) -> Told<'_> {
        let correlated = found.into_iter().filter(|f| f.most > 0);
        Told {
            rules: self,
            spans: correlated
                .map(|f| ((f.rule, f.by), (f.first, f.last)))
                .collect(),
        }
    }
}

impl Told<'_> {
    /// Writes to `out` the places in [`Rules::about`] of what speaks of an event: single rules it fires, and correlations that count
    /// it and fired for the same account, address or whatever they count by, up to a window later.
    pub fn of(&self, source: &str, event: &Event<'_>, scratch: &mut Scratch, out: &mut Vec<usize>) {
        out.clear();
        let Some((source, _)) = self.rules.route(source) else {
            return;
        };
        self.rules.fired(source, event, scratch);
        let row = Row { source, event };
        for n in &scratch.fired {
            let single = &self.rules.singles[*n as usize];
            if !single.counted {
                out.push(single.about);
            }
            for (correlation, of) in &single.feeds {
                let c = &self.rules.correlations[*correlation as usize];
                let value = |field: &String| {
                    let value = row.get_field(field)?;
                    Some(value.as_str()?.into_owned())
                };
                let values: Option<Vec<String>> =
                    c.groups[*of as usize].iter().map(value).collect();
                let Some(values) = values.filter(|_| event.time != NO_TIME) else {
                    continue;
                };
                let group: Group = c.by.iter().cloned().zip(values).collect();
                let holds = |group: Group| {
                    self.spans
                        .get(&(c.about, group))
                        .is_some_and(|(first, last)| {
                            let window = c.seconds.saturating_mul(1_000_000_000);
                            first.saturating_sub(window) <= event.time && event.time <= *last
                        })
                };
                if holds(group) || holds(vec![]) {
                    out.push(c.about);
                }
            }
        }
        out.sort_unstable();
        out.dedup();
    }
}
