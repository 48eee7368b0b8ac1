//! Sessions → intruder, doubtful or legitimate, each with reasons. Floor 5.
//!
//! [`judge`] is a transparent sum of log-likelihood ratios, a pivot to a fixed point over what bad sessions share, and the
//! analyst's own word over both. Cardinal rule: no innocent is accused; what stays in doubt is `doubtful`.

use ampleur_event::{Account, SessionVerdict, Window, session::Judgement};
use ampleur_query::{Door, DoorError};
use ampleur_session::Sessions;
use ampleur_sources::case::Case;

/// What the analyst says (`--account`, `--origin`, `--session`, `--from`, `--to`, `--not`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Word {
    /// `system:name` texts: their sessions are the intruder's (inside `window` if given).
    pub accounts: Vec<String>,
    /// Addresses or networks in CIDR notation.
    pub origins: Vec<String>,
    /// Session ids.
    pub sessions: Vec<String>,
    /// Only sessions that overlap `[from, to)` are concerned by `accounts` and `origins`.
    pub window: Option<Window>,
    /// Accounts, addresses, networks or session ids that are certainly not the intruder's; wins over all others.
    pub not: Vec<String>,
}

/// Verdict of one account over its sessions.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountJudged {
    pub account: Account,
    /// professional | staff | vendor | service | admin | generic; empty when unknown.
    pub kind: String,
    /// Index in `Context::persons`.
    pub person: Option<u32>,
    /// `Intruder` = usurped, `Doubtful`, `Legitimate` = clean.
    pub verdict: SessionVerdict,
    pub intruder: u64,
    pub doubtful: u64,
    pub legitimate: u64,
}

/// What to do, contract §A `containment`. Each list sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Containment {
    pub cut: Vec<String>,
    pub rotate: Vec<String>,
    pub keep: Vec<String>,
}

/// An employee whose accesses look personal; never part of the intrusion (law L9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalAccess {
    pub account: Account,
    /// Distinct persons whose record was opened without visible reason.
    pub subjects: u64,
    /// Stable code: `shared_curiosity`, `own_family`, `colleague`.
    pub code: &'static str,
    pub fr: String,
    pub en: String,
}

/// Everything [`judge`] says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judged {
    /// Parallel to `Sessions::list`.
    pub judgements: Vec<Judgement>,
    /// Sorted by account.
    pub accounts: Vec<AccountJudged>,
    pub containment: Containment,
    /// Sorted by account.
    pub internal: Vec<InternalAccess>,
}

/// Judges every session. The door is used only for the accesses of employees (`internal`).
pub fn judge(
    _case: &Case,
    sessions: &Sessions,
    _door: &dyn Door,
    _word: &Word,
) -> Result<Judged, DoorError> {
    let judgements = sessions
        .chains
        .iter()
        .map(|c| Judgement {
            verdict: SessionVerdict::Legitimate,
            score: 0.0,
            reasons: vec![],
            chain: c.clone(),
            intrusion: None,
        })
        .collect();
    Ok(Judged {
        judgements,
        ..Judged::default()
    })
}
