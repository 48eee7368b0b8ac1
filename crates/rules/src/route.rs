//! Which rules are worth asking of an event: by its verb, outcome and event code, then by texts and patterns a rule cannot do
//! without. What this leaves out could not have fired; what it lets through is asked in full.
use crate::fields::{READ, holder, is_code};
use aho_corasick::{AhoCorasick, MatchKind};
use ampleur_event::{Event, Outcome, Verb, batch::NONE};
use regex::RegexSet;
use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Modifier, Quantifier, SigmaRule, SigmaValue,
};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

const OUTCOMES: usize = Outcome::ALL.len();
/// Shorter texts are in nearly everything.
const TELLING: usize = 3;

/// What an event must be for a rule to fire; more than this may be asked, never less.
#[derive(Debug, Clone, PartialEq)]
struct Need {
    /// One bit for each verb, by code.
    verbs: u64,
    outcomes: u64,
    /// `None`: any.
    codes: Option<BTreeSet<u64>>,
    text: Option<Text>,
    /// The other fields say all there is to say: an event that has them fires the rule.
    whole: bool,
}

/// One of these texts or patterns is in this column.
#[derive(Debug, Clone, PartialEq)]
struct Text {
    column: usize,
    literals: Vec<String>,
    patterns: Vec<String>,
}

const ANY: Need = Need {
    verbs: u64::MAX,
    outcomes: u64::MAX,
    codes: None,
    text: None,
    whole: false,
};

impl Need {
    fn both(self, other: Need) -> Need {
        let codes = match (self.codes, other.codes) {
            (Some(a), Some(b)) => Some(a.intersection(&b).copied().collect()),
            (a, b) => a.or(b),
        };
        Need {
            verbs: self.verbs & other.verbs,
            outcomes: self.outcomes & other.outcomes,
            codes,
            text: better(self.text, other.text),
            whole: self.whole && other.whole,
        }
    }
    fn either(self, other: Need) -> Need {
        let codes = match (self.codes, other.codes) {
            (Some(a), Some(b)) => Some(a.union(&b).copied().collect()),
            _ => None,
        };
        let text = match (self.text, other.text) {
            (Some(mut a), Some(b)) if a.column == b.column => {
                a.literals.extend(b.literals);
                a.patterns.extend(b.patterns);
                Some(a)
            }
            _ => None,
        };
        Need {
            verbs: self.verbs | other.verbs,
            outcomes: self.outcomes | other.outcomes,
            codes,
            text,
            // The masks of two are more than the two.
            whole: false,
        }
    }
}

/// Longer texts are rarer; a pattern costs more to look for.
fn better(a: Option<Text>, b: Option<Text>) -> Option<Text> {
    let worth = |t: &Text| {
        let shortest = t.literals.iter().map(String::len).min();
        (t.patterns.is_empty(), shortest)
    };
    match (a, b) {
        (Some(a), Some(b)) => Some(if worth(&b) > worth(&a) { b } else { a }),
        (a, b) => a.or(b),
    }
}

fn of_rule(rule: &SigmaRule) -> Need {
    let named = &rule.detection.named;
    let mut all = rule.detection.conditions.iter().map(|c| of_expr(c, named));
    let first = all.next().unwrap_or(ANY);
    all.fold(first, Need::either)
}

type Named = std::collections::HashMap<String, Detection>;

fn of_expr(e: &ConditionExpr, named: &Named) -> Need {
    match e {
        ConditionExpr::Identifier(name) => named.get(name).map_or(ANY, of_detection),
        ConditionExpr::And(list) => every(list.iter().map(|e| of_expr(e, named))),
        ConditionExpr::Or(list) => some(list.iter().map(|e| of_expr(e, named))),
        ConditionExpr::Not(_) => ANY,
        ConditionExpr::Selector {
            quantifier,
            pattern,
        } => {
            let mut chosen: Vec<_> = named
                .iter()
                .filter(|(n, _)| pattern.matches_detection_name(n))
                .collect();
            chosen.sort_by_key(|(n, _)| *n);
            let needs = chosen.into_iter().map(|(_, d)| of_detection(d));
            match quantifier {
                Quantifier::Any => some(needs),
                Quantifier::All => every(needs),
                Quantifier::Count(_) => ANY,
            }
        }
    }
}

/// Of nothing at all nothing is known.
fn every(mut list: impl Iterator<Item = Need>) -> Need {
    let first = list.next().unwrap_or(ANY);
    list.fold(first, Need::both)
}

fn some(mut list: impl Iterator<Item = Need>) -> Need {
    let first = list.next().unwrap_or(ANY);
    list.fold(first, Need::either)
}

fn of_detection(d: &Detection) -> Need {
    match d {
        Detection::AllOf(items) => every(items.iter().map(of_item)),
        Detection::And(list) => every(list.iter().map(of_detection)),
        Detection::AnyOf(list) => some(list.iter().map(of_detection)),
        _ => ANY,
    }
}

fn of_item(item: &DetectionItem) -> Need {
    let Some(name) = item.field.name.as_deref() else {
        return ANY;
    };
    let modifiers = &item.field.modifiers;
    if modifiers.is_empty() {
        let words = || -> Option<Vec<String>> {
            let word = |v: &SigmaValue| match v {
                SigmaValue::String(s) => s.as_plain().map(|w| w.to_lowercase()),
                _ => None,
            };
            item.values.iter().map(word).collect()
        };
        match name {
            "verb" => {
                return words().map_or(ANY, |w| Need {
                    verbs: mask(Verb::ALL.iter().map(|v| (*v as u8, v.word())), &w),
                    whole: true,
                    ..ANY
                });
            }
            "outcome" | "event.outcome" => {
                return words().map_or(ANY, |w| Need {
                    outcomes: mask(Outcome::ALL.iter().map(|o| (*o as u8, o.word())), &w),
                    whole: true,
                    ..ANY
                });
            }
            _ if is_code(name) => {
                let code = |v: &SigmaValue| match v {
                    SigmaValue::Integer(n) => u64::try_from(*n).ok(),
                    _ => None,
                };
                let codes: Option<BTreeSet<u64>> = item.values.iter().map(code).collect();
                return Need { codes, ..ANY };
            }
            _ => {}
        }
    }
    Need {
        text: of_text(name, modifiers, &item.values),
        ..ANY
    }
}

fn mask<'a>(all: impl Iterator<Item = (u8, &'a str)>, words: &[String]) -> u64 {
    all.filter(|(_, w)| words.iter().any(|x| x == w))
        .fold(0, |m, (code, _)| m | 1 << code)
}

fn of_text(name: &str, modifiers: &[Modifier], values: &[SigmaValue]) -> Option<Text> {
    let column = holder(name)?;
    let only = |allowed: &[Modifier]| modifiers.iter().all(|m| allowed.contains(m));
    let mut text = Text {
        column,
        literals: vec![],
        patterns: vec![],
    };
    if values.is_empty() {
        return None;
    }
    let strings = values.iter().map(|v| match v {
        SigmaValue::String(s) => Some(s),
        _ => None,
    });
    let strings: Vec<_> = strings.collect::<Option<_>>()?;
    use Modifier::{All, Cased, Contains, EndsWith, StartsWith};
    if only(&[Contains, StartsWith, EndsWith, All, Cased]) {
        for s in strings {
            let plain = s.as_plain()?;
            if plain.len() < TELLING || !plain.is_ascii() {
                return None;
            }
            text.literals.push(plain);
        }
        return Some(text);
    }
    if modifiers == [Modifier::Re] {
        for s in strings {
            let pattern = s.as_plain().unwrap_or_else(|| s.original.clone());
            // A pattern that an empty text satisfies says nothing of a field that is there.
            if regex::Regex::new(&pattern).ok()?.is_match("") {
                return None;
            }
            // Of a list of lines, one line is asked.
            if column == READ.len() - 1 && pattern.contains(['^', '$']) {
                return None;
            }
            text.patterns.push(pattern);
        }
        return Some(text);
    }
    None
}

/// The rules of one source.
#[derive(Debug, Default)]
pub(crate) struct Route {
    /// By verb and outcome.
    buckets: Vec<Bucket>,
    columns: Vec<Column>,
    /// Verbs and outcomes of each rule, and whether they are all it asks.
    masks: Vec<(u64, u64, bool)>,
    /// Every rule of this source.
    pub(crate) rules: Vec<u32>,
}

#[derive(Debug, Default, Clone)]
struct Bucket {
    always: Vec<u32>,
    coded: FxHashMap<u64, Vec<u32>>,
    /// Places in `Route::columns`.
    columns: Vec<usize>,
}

/// One text column and what is looked for in it.
#[derive(Debug)]
struct Column {
    read: usize,
    literals: Option<AhoCorasick>,
    of_literal: Vec<u32>,
    patterns: Option<RegexSet>,
    of_pattern: Vec<u32>,
    rules: Vec<u32>,
}

/// Memory of the last event, used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) worth: Vec<u32>,
    seen: Vec<u32>,
    turn: u32,
}

impl Route {
    /// `rules` by their number; numbers are below `all`.
    pub(crate) fn new<'r>(rules: impl Iterator<Item = (u32, &'r SigmaRule)>, all: usize) -> Route {
        let mut route = Route {
            buckets: vec![Bucket::default(); Verb::ALL.len() * OUTCOMES],
            masks: vec![(0, 0, false); all],
            ..Route::default()
        };
        let mut texts: Vec<Vec<(u32, Text)>> = vec![vec![]; READ.len()];
        for (number, rule) in rules {
            let need = of_rule(rule);
            route.rules.push(number);
            let whole = need.whole && need.codes.is_none() && need.text.is_none();
            route.masks[number as usize] = (need.verbs, need.outcomes, whole);
            let open = need.codes.is_none();
            for (i, bucket) in route.buckets.iter_mut().enumerate() {
                if !open_to(need.verbs, need.outcomes, i) {
                    continue;
                }
                match (&need.codes, &need.text) {
                    (Some(codes), _) => {
                        for c in codes {
                            bucket.coded.entry(*c).or_default().push(number);
                        }
                    }
                    (None, None) => bucket.always.push(number),
                    (None, Some(t)) => bucket.columns.push(t.column),
                }
            }
            if let (true, Some(t)) = (open, need.text) {
                texts[t.column].push((number, t));
            }
        }
        let mut place = vec![usize::MAX; READ.len()];
        for (read, wanted) in texts.into_iter().enumerate() {
            if wanted.is_empty() {
                continue;
            }
            place[read] = route.columns.len();
            route.columns.push(Column::new(read, &wanted));
        }
        for bucket in &mut route.buckets {
            bucket.columns.sort_unstable();
            bucket.columns.dedup();
            for c in &mut bucket.columns {
                *c = place[*c];
            }
        }
        route
    }

    /// True when the rule fires on every event it is found worth asking of.
    pub(crate) fn certain(&self, rule: u32) -> bool {
        self.masks[rule as usize].2
    }

    /// Leaves the numbers of the rules worth asking in `scratch.worth`, ascending.
    pub(crate) fn worth(&self, e: &Event<'_>, scratch: &mut Scratch) {
        scratch.worth.clear();
        let at = e.verb as usize * OUTCOMES + e.outcome as usize;
        let Some(bucket) = self.buckets.get(at) else {
            scratch.worth.extend(&self.rules);
            return;
        };
        scratch.worth.extend(&bucket.always);
        if e.code != NONE
            && let Some(rules) = bucket.coded.get(&e.code)
        {
            scratch.worth.extend(rules);
        }
        if !bucket.columns.is_empty() {
            scratch.seen.resize(self.masks.len(), 0);
            scratch.turn = scratch.turn.wrapping_add(1);
            if scratch.turn == 0 {
                scratch.seen.fill(0);
                scratch.turn = 1;
            }
            for c in &bucket.columns {
                let column = &self.columns[*c];
                let text = READ[column.read](e);
                if !text.is_empty() {
                    column.find(text, &mut |rule| {
                        let (verbs, outcomes, _) = self.masks[rule as usize];
                        let seen = &mut scratch.seen[rule as usize];
                        if *seen != scratch.turn && open_to(verbs, outcomes, at) {
                            *seen = scratch.turn;
                            scratch.worth.push(rule);
                        }
                    });
                }
            }
        }
        scratch.worth.sort_unstable();
    }
}

fn open_to(verbs: u64, outcomes: u64, at: usize) -> bool {
    verbs >> (at / OUTCOMES) & 1 == 1 && outcomes >> (at % OUTCOMES) & 1 == 1
}

impl Column {
    fn new(read: usize, wanted: &[(u32, Text)]) -> Column {
        let pick = |of: fn(&Text) -> &Vec<String>| -> (Vec<&str>, Vec<u32>) {
            let each = wanted
                .iter()
                .flat_map(|(rule, t)| of(t).iter().map(|x| (x.as_str(), *rule)));
            each.unzip()
        };
        let (literals, of_literal) = pick(|t| &t.literals);
        let (patterns, of_pattern) = pick(|t| &t.patterns);
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(&literals);
        // What cannot be built is not left out: then every rule of the column is worth asking.
        Column {
            read,
            literals: automaton.ok().filter(|_| !literals.is_empty()),
            patterns: RegexSet::new(&patterns)
                .ok()
                .filter(|_| !patterns.is_empty()),
            of_literal,
            of_pattern,
            rules: wanted.iter().map(|(rule, _)| *rule).collect(),
        }
    }

    fn find(&self, text: &str, found: &mut impl FnMut(u32)) {
        // Letters beyond ASCII have other cases than bytes tell.
        if !text.is_ascii()
            || (self.literals.is_none() && !self.of_literal.is_empty())
            || (self.patterns.is_none() && !self.of_pattern.is_empty())
        {
            self.rules.iter().for_each(|r| found(*r));
            return;
        }
        if let Some(automaton) = &self.literals {
            for m in automaton.find_overlapping_iter(text) {
                found(self.of_literal[m.pattern().as_usize()]);
            }
        }
        if let Some(set) = &self.patterns {
            for m in set.matches(text) {
                found(self.of_pattern[m]);
            }
        }
    }
}
