//! The engine our routed asking is held equal to, and measured beside: rsigma's own, over the same events as JSON.
use crate::{Row, Rules, SOURCES, fits};
use ampleur_event::Event;
use rsigma_eval::{
    CorrelationAction, CorrelationConfig, CorrelationEngine, Engine, Event as _, JsonEvent,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// rsigma's engine, one for each source with the rules that source answers.
pub struct Reference {
    engines: BTreeMap<&'static str, Engine>,
    numbers: BTreeMap<String, u32>,
    fields: BTreeSet<String>,
}

impl Reference {
    /// Errors: a rule rsigma refuses.
    pub fn new(rules: &Rules) -> Result<Reference, String> {
        let mut engines = BTreeMap::new();
        for (source, words) in SOURCES {
            let mut engine = Engine::new();
            let own = rules.parsed.rules.iter();
            let own = own.filter(|r| fits(words, &r.logsource));
            if let Some((_, e)) = engine.add_rules(own).into_iter().next() {
                return Err(e.to_string());
            }
            engines.insert(*source, engine);
        }
        let numbers = rules.parsed.rules.iter().enumerate();
        let numbers = numbers.filter_map(|(n, r)| Some((r.id.clone()?, n as u32)));
        let mut fields = BTreeSet::new();
        for r in &rules.parsed.rules {
            let named: BTreeMap<_, _> = r.detection.named.iter().collect();
            named
                .values()
                .for_each(|d| crate::fields_of(d, &mut fields));
        }
        for c in &rules.correlations {
            fields.extend(c.groups.iter().flatten().chain(&c.values).cloned());
        }
        Ok(Reference {
            engines,
            numbers: numbers.collect(),
            fields,
        })
    }

    /// The event as JSON, with the fields the rules ask for.
    pub fn json(&self, source: &str, event: &Event<'_>) -> Value {
        let row = Row { source, event };
        let fields = self.fields.iter();
        let fields = fields.filter_map(|f| Some((f.clone(), row.get_field(f)?.to_json())));
        Value::Object(fields.collect::<Map<_, _>>())
    }

    /// Numbers of the single rules the event fires, ascending.
    pub fn fired(&self, source: &str, event: &Value) -> Vec<u32> {
        let Some(engine) = self.engines.get(source) else {
            return vec![];
        };
        let hits = engine.evaluate(&JsonEvent::borrow(event));
        let id = |r: &rsigma_eval::EvaluationResult| r.header.rule_id.clone();
        let mut out: Vec<u32> = hits
            .iter()
            .filter_map(|r| self.numbers.get(&id(r)?).copied())
            .collect();
        out.sort_unstable();
        out
    }

    /// Ids of the correlations that fire, with the number of times, over events in order of time (UTC nanoseconds).
    /// Errors: a correlation rsigma refuses.
    pub fn correlations<'e>(
        rules: &Rules,
        events: impl Iterator<Item = (&'e str, &'e Event<'e>)>,
    ) -> Result<BTreeMap<String, u64>, String> {
        let reference = Reference::new(rules)?;
        let mut engine = CorrelationEngine::new(CorrelationConfig {
            action_on_match: CorrelationAction::Reset,
            max_state_entries: usize::MAX,
            ..CorrelationConfig::default()
        });
        engine
            .add_collection(&rules.parsed)
            .map_err(|e| e.to_string())?;
        let mut out = BTreeMap::new();
        for (source, event) in events {
            let json = reference.json(source, event);
            let json = JsonEvent::borrow(&json);
            let Some(single) = reference.engines.get(source) else {
                continue;
            };
            let hits = single.evaluate(&json);
            let seconds = event.time.div_euclid(1_000_000_000);
            for r in engine.process_with_detections(&json, hits, seconds) {
                if r.as_correlation().is_some() {
                    *out.entry(r.header.rule_id.unwrap_or_default()).or_default() += 1;
                }
            }
        }
        Ok(out)
    }
}
