//! The same judgement while sessions grow: events come in, [`Live::tick`] says what became an intruder's since the last time.
//!
//! Nothing is scored otherwise than in a finished case: a tick judges exactly what was pushed so far, so that the last tick of a
//! stream and the judgement of its files agree. What ended more than the horizon ago is forgotten; habits stand for it.
use crate::{Word, attribute, habit::Habits};
use ampleur_event::{
    EventBatch, SessionVerdict,
    session::Reason,
    time::{DAY, Nanos},
};
use ampleur_session::{FileIntake, Sessions, profile::account_id};
use ampleur_sources::case::{Case, FileId};
use std::collections::BTreeMap;

/// Ticks are due at least this often for an alarm within a minute of the event that tells.
pub const TICK: Nanos = 30 * 1_000_000_000;
/// Sessions that ended longer ago than this are forgotten.
pub const HORIZON: Nanos = 3 * DAY;
/// One account or address is told of once in this time.
pub const QUIET: Nanos = DAY;

/// Somebody must look, now.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// The tick that raised it, UTC nanoseconds.
    pub at: Nanos,
    /// Id of the session, as `ampleur sessions` prints it.
    pub session: String,
    /// `system:name`; `None` for a session nobody is known behind.
    pub account: Option<String>,
    pub address: Option<std::net::IpAddr>,
    pub score: f32,
    /// Heaviest first.
    pub reasons: Vec<Reason>,
}

/// A stream being watched. Memory: sessions of the horizon.
pub struct Live<'a> {
    case: &'a Case,
    past: &'a Habits,
    word: Word,
    files: BTreeMap<FileId, FileIntake>,
    told: BTreeMap<String, Nanos>,
    horizon: Nanos,
    /// Nothing came in since the last tick.
    idle: bool,
}

impl<'a> Live<'a> {
    pub fn new(case: &'a Case, past: &'a Habits, word: Word) -> Live<'a> {
        Live {
            case,
            past,
            word,
            files: BTreeMap::new(),
            told: BTreeMap::new(),
            horizon: HORIZON,
            idle: true,
        }
    }
    /// Remembers sessions that ended up to `horizon` ago instead of [`HORIZON`].
    pub fn remembering(mut self, horizon: Nanos) -> Live<'a> {
        self.horizon = horizon;
        self
    }
    /// Takes events of one file or stream of the case in, in the order they arrive.
    pub fn push(&mut self, file: FileId, format: &'static str, batch: &EventBatch) {
        self.idle &= batch.is_empty();
        self.files
            .entry(file)
            .or_insert_with(|| FileIntake::new(self.case, file, format))
            .push(batch);
    }
    /// The sessions so far.
    pub fn sessions(&self) -> Sessions {
        Sessions::build(
            self.case,
            self.files.values().map(FileIntake::so_far).collect(),
        )
    }
    /// What became the intruder's since the last tick, in order of account. `now` is the time of the stream.
    pub fn tick(&mut self, now: Nanos) -> Vec<Alarm> {
        if std::mem::replace(&mut self.idle, true) {
            return vec![];
        }
        for f in self.files.values_mut() {
            f.forget(now.saturating_sub(self.horizon));
        }
        self.told.retain(|_, t| now - *t < QUIET);
        let sessions = self.sessions();
        let judged = attribute(self.case, &sessions, self.past, &self.word);
        let mut best: BTreeMap<String, usize> = BTreeMap::new();
        for (i, j) in judged.judgements.iter().enumerate() {
            if j.verdict != SessionVerdict::Intruder {
                continue;
            }
            let x = &sessions.list[i];
            let who = match (&x.account, x.origin.address) {
                (Some(a), _) => account_id(a),
                (None, Some(a)) => a.to_string(),
                (None, None) => continue,
            };
            let o = best.entry(who).or_insert(i);
            if j.score > judged.judgements[*o].score {
                *o = i;
            }
        }
        let mut out = vec![];
        for (who, i) in best {
            if self.told.contains_key(&who) {
                continue;
            }
            self.told.insert(who, now);
            let (x, j) = (&sessions.list[i], &judged.judgements[i]);
            out.push(Alarm {
                at: now,
                session: x.id.to_string(),
                account: x.account.as_ref().map(ToString::to_string),
                address: x.origin.address,
                score: j.score,
                reasons: j.reasons.to_vec(),
            });
        }
        out
    }
}
