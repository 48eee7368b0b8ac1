//! Sigma rules asked of every event while it is read. What they find stands beside the answer; no judgement looks at it.
use super::{
    JobError,
    intake::{Looker, Looking},
    investigate::Options,
};
use ampleur_event::{Event, time::rfc3339};
use ampleur_evidence::Keys;
use ampleur_extent::{
    findings::{By, FORMAT, Finding, Findings, note},
    model::Both,
};
use ampleur_rules::{About, Asked, FileHits, PACK, Problem, Rules, Spool, delicate, files};
use ampleur_sources::case::{Case, FileId};
use std::sync::{Mutex, PoisonError};

/// The rules of one investigation at work.
pub(super) struct Asking {
    rules: Rules,
    spool: Spool,
    hash: String,
    done: Mutex<Vec<FileHits>>,
}

/// What is wrong with rules, a line each.
fn refused(problems: &[Problem]) -> JobError {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    JobError::Refused(format!("these rules cannot be used:\n{}", lines.join("\n")))
}

impl Asking {
    /// `None` when only what was named is looked at. Errors: rules that cannot be loaded, all of what is wrong with them.
    pub(super) fn new(options: &Options) -> Result<Option<Asking>, JobError> {
        if options.word.alone {
            return Ok(None);
        }
        let given = match &options.rules {
            Some(dir) => files(dir).map_err(|p| refused(&[p]))?,
            None => vec![],
        };
        let rules = Rules::with_own(&given).map_err(|p| refused(&p))?;
        let mut hash = blake3::Hasher::new();
        for (name, text) in &given {
            for part in [name, text] {
                hash.update(&(part.len() as u64).to_le_bytes());
                hash.update(part.as_bytes());
            }
        }
        let hash = match given.is_empty() {
            true => String::new(),
            false => hash.finalize().to_hex().to_string(),
        };
        Ok(Some(Asking {
            rules,
            spool: Spool::new(options.out.join(".hits")),
            hash,
            done: Mutex::new(vec![]),
        }))
    }

    /// What was found in all the files, in clear; incident and version are the caller's to fill.
    pub(super) fn found(self, case: &Case) -> Result<Findings, JobError> {
        let done = self.done.into_inner();
        let found = self
            .rules
            .join(done.unwrap_or_else(PoisonError::into_inner))
            .map_err(|e| JobError::file("keep what rules count in", self.spool.dir(), e))?;
        let about = self.rules.about();
        let own = |a: &About| PACK.iter().any(|(file, _)| *file == a.file);
        let list = found.into_iter().map(|f| {
            let a = &about[f.rule];
            let both = |fr: &str, en: &str| Both {
                fr: if fr.is_empty() { en } else { fr }.into(),
                en: en.into(),
            };
            Finding {
                rule: a.id.clone(),
                title: both(&a.title_fr, &a.title),
                reason: both(&a.description_fr, &a.description),
                level: a.level.clone(),
                kind: a.kind.into(),
                own: own(a),
                by: f
                    .by
                    .into_iter()
                    .map(|(field, value)| By { field, value })
                    .collect(),
                times: f.times,
                most: (a.seconds > 0).then_some(f.most),
                window_seconds: (a.seconds > 0).then_some(a.seconds),
                first: rfc3339(f.first),
                last: rfc3339(f.last),
                evidence: f
                    .records
                    .iter()
                    .map(|(file, record)| {
                        let path = &case.files[*file as usize].rel;
                        format!("{}:{record}", path.replace(' ', "%20"))
                    })
                    .collect(),
            }
        });
        let rules_own = about.iter().filter(|a| own(a) && !a.counted).count() as u64;
        let rules = about.iter().filter(|a| !a.counted).count() as u64;
        Ok(Findings {
            format: FORMAT.into(),
            note: note(),
            rules_own,
            rules_given: rules - rules_own,
            rules_hash: self.hash,
            findings: list.collect(),
            ..Findings::default()
        })
    }
}

impl Looking for Asking {
    fn file<'a>(&'a self, file: FileId, format: &str) -> Option<Box<dyn Looker + 'a>> {
        let asked = self.rules.file(file, format, &self.spool)?;
        Some(Box::new(One {
            asked,
            done: &self.done,
        }))
    }
}

struct One<'a> {
    asked: Asked<'a>,
    done: &'a Mutex<Vec<FileHits>>,
}

impl Looker for One<'_> {
    fn row(&mut self, event: &Event<'_>) {
        self.asked.take(event);
    }
    fn end(self: Box<Self>) {
        let hits = self.asked.finish();
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.push(hits);
    }
}

/// Whatever may hold an identifier of a person becomes a keyed token.
pub(super) fn tokens(keys: &Keys, found: &mut Findings) {
    for by in found.findings.iter_mut().flat_map(|f| &mut f.by) {
        if delicate(&by.field) {
            by.value = keys.token(&by.value);
        }
    }
}

/// For the log of uses.
pub(super) fn summary(found: &Findings) -> String {
    let given = match found.rules_given {
        0 => String::new(),
        n => format!(", {n} given ({})", found.rules_hash),
    };
    format!(
        "{} of our own{given}; {} findings",
        found.rules_own,
        found.findings.len()
    )
}
