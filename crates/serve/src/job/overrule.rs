//! The analyst's word kept in the lake: each one is an entry of the custody log, signed with the next checkpoint, taken back by a
//! later entry and never by erasing.
use super::{JobError, Outside};
use ampleur_detect::Word;
use ampleur_evidence::{Lake, Use};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Name of the entries in the custody log.
const ACTION: &str = "overrule";

/// What is said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Says {
    /// The intruder's.
    Intruder,
    /// Certainly not the intruder's; for a link: there is none.
    Legitimate,
    /// What was said before is taken back.
    Nothing,
}

/// One word of the analyst. `about` is a session id, an account (`system:name`), an address or network; with `opened`, the link
/// from the session `about` to that one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overrule {
    pub about: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<String>,
    pub says: Says,
    pub reason: String,
}

/// Seals `o` into the lake.
///
/// Errors: a reason is missing, or the lake cannot be written.
pub fn overrule(lake: &mut Lake, o: &Overrule, outside: &Outside<'_>) -> Result<(), JobError> {
    if o.reason.trim().is_empty() {
        return Err(JobError::Refused("an overrule needs its reason".into()));
    }
    if o.opened.is_some() && o.says == Says::Intruder {
        return Err(JobError::Refused(
            "a link can only be cut or given back".into(),
        ));
    }
    let detail = serde_json::to_string(o).map_err(|e| JobError::Refused(e.to_string()))?;
    let entry = Use {
        at: outside.now,
        actor: outside.actor.clone(),
        action: ACTION.into(),
        detail,
    };
    lake.commit(vec![], vec![entry], outside.now)?;
    Ok(())
}

/// What is said now, oldest first: the last word on each subject.
pub fn overrules(uses: &[Use]) -> Vec<Overrule> {
    let mut last: BTreeMap<(String, Option<String>), (usize, Overrule)> = BTreeMap::new();
    for (i, u) in uses.iter().enumerate().filter(|(_, u)| u.action == ACTION) {
        // An entry of a later version that cannot be read says nothing here; it stays in the log.
        if let Ok(o) = serde_json::from_str::<Overrule>(&u.detail) {
            last.insert((o.about.clone(), o.opened.clone()), (i, o));
        }
    }
    let mut out: Vec<(usize, Overrule)> = last.into_values().collect();
    out.sort_by_key(|(i, _)| *i);
    out.into_iter()
        .map(|(_, o)| o)
        .filter(|o| o.says != Says::Nothing)
        .collect()
}

/// `word` with what the lake remembers. What is said now in `word` wins over the lake.
pub(super) fn with_overrules(word: &Word, uses: &[Use]) -> Word {
    let mut out = word.clone();
    let spoken: Vec<&String> = word
        .accounts
        .iter()
        .chain(&word.origins)
        .chain(&word.sessions)
        .chain(&word.not)
        .collect();
    for o in overrules(uses) {
        if spoken.contains(&&o.about) {
            continue;
        }
        match (o.says, &o.opened) {
            (Says::Legitimate, Some(inner)) => out.apart.push((o.about.clone(), inner.clone())),
            (Says::Legitimate, None) => out.not.push(o.about.clone()),
            (Says::Intruder, None) if ampleur_session::net::Net::parse(&o.about).is_some() => {
                out.origins.push(o.about.clone());
            }
            (Says::Intruder, None) if o.about.contains(':') => out.accounts.push(o.about.clone()),
            (Says::Intruder, None) => out.sessions.push(o.about.clone()),
            _ => continue,
        }
        out.because.insert(o.about, o.reason);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(about: &str, says: Says, reason: &str) -> Use {
        let o = Overrule {
            about: about.into(),
            opened: None,
            says,
            reason: reason.into(),
        };
        Use {
            at: 0,
            actor: "analyst".into(),
            action: ACTION.into(),
            detail: serde_json::to_string(&o).unwrap(),
        }
    }

    #[test]
    fn the_last_word_counts_and_can_be_taken_back() {
        let uses = [
            said("s1", Says::Intruder, "seen on the camera"),
            said("vpn:a", Says::Legitimate, "known visit"),
            said("192.0.2.7", Says::Intruder, "named by the operator"),
            said("s1", Says::Nothing, "wrong desk"),
        ];
        let w = with_overrules(&Word::default(), &uses);
        assert_eq!(w.sessions, Vec::<String>::new());
        assert_eq!(w.not, ["vpn:a"]);
        assert_eq!(w.origins, ["192.0.2.7"]);
        assert_eq!(w.because["vpn:a"], "known visit");
        // What is said on the command line wins.
        let now = Word {
            accounts: vec!["vpn:a".into()],
            ..Word::default()
        };
        assert!(with_overrules(&now, &uses).not.is_empty());
    }
}
