//! Sigma alone: sessions that our rule pack speaks of, as if whatever it finds were the intruder's.
use ampleur_rules::{Rules, Scratch, Spool};
use ampleur_testkit::{attribution::Says, trial::Ran};
use std::{collections::BTreeMap, sync::OnceLock};

/// Which findings are believed.
const BELIEVED: [(&str, &[&str]); 3] = [
    ("Sigma alone, level high", &["high", "critical"]),
    (
        "Sigma alone, level medium and above",
        &["medium", "high", "critical"],
    ),
    (
        "Sigma alone, every level",
        &["informational", "low", "medium", "high", "critical"],
    ),
];

/// For every session of the case, whether some rule that is believed speaks of one of its events.
pub fn says(r: &Ran) -> Result<Vec<Says>, String> {
    static OWN: OnceLock<Rules> = OnceLock::new();
    let rules = OWN.get_or_init(|| Rules::own().expect("our own rules load: tested"));
    let spool =
        Spool::new(std::env::temp_dir().join(format!("ampleur-alone-{}", std::process::id())));
    let mut by_file: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for (file, batch) in &r.door.batches {
        by_file.entry(*file).or_default().push(batch);
    }
    let format = |file: u32| r.formats.get(&file).copied().unwrap_or_default();
    let mut hits = vec![];
    for (file, batches) in &by_file {
        if let Some(mut asked) = rules.file(*file, format(*file), &spool) {
            batches
                .iter()
                .flat_map(|b| b.iter())
                .for_each(|e| asked.take(&e));
            hits.push(asked.finish());
        }
    }
    let told = rules.told(rules.join(hits).map_err(|e| format!("count: {e}"))?);
    let mut out = BELIEVED.map(|(name, _)| (name, vec![false; r.sessions.list.len()]));
    let (mut scratch, mut of) = (Scratch::default(), vec![]);
    for (file, batch) in &r.door.batches {
        for e in batch.iter() {
            told.of(format(*file), &e, &mut scratch, &mut of);
            let Some(session) = (!of.is_empty())
                .then(|| r.sessions.of_event(*file, &e))
                .flatten()
            else {
                continue;
            };
            for ((_, says), (_, levels)) in out.iter_mut().zip(BELIEVED) {
                says[session as usize] |= of
                    .iter()
                    .any(|n| levels.contains(&&*rules.about()[*n].level));
            }
        }
    }
    Ok(out.into())
}
