//! The same judgement while sessions grow: events come in, [`Live::tick`] says what became an intruder's since the last time.
//!
//! Nothing is scored otherwise than in a finished case: a tick judges exactly what was pushed so far, so that the last tick of a
//! stream and the judgement of its files agree. What ended more than the horizon ago is forgotten; habits stand for it.
use crate::{Word, attribute_on, habit::Habits};
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
    /// Canonical account, or address, that is told of once in [`QUIET`].
    pub who: String,
    /// First event of the session, UTC nanoseconds.
    pub from: Nanos,
    /// Id of the session, as `ampleur sessions` prints it.
    pub session: String,
    /// `system:name`; `None` for a session nobody is known behind.
    pub account: Option<String>,
    pub address: Option<std::net::IpAddr>,
    pub score: f32,
    /// Heaviest first.
    pub reasons: Vec<Reason>,
}

/// How often what ended is looked for, to be forgotten.
const SWEEP: Nanos = DAY / 24;

/// A stream being watched. Memory: sessions of the horizon.
pub struct Live {
    past: Habits,
    /// How lawful accounts were used at the last tick: what is forgotten stays in it.
    habits: Habits,
    word: Word,
    files: BTreeMap<FileId, FileIntake>,
    told: BTreeMap<String, Nanos>,
    horizon: Nanos,
    swept: Nanos,
    threads: usize,
    /// Nothing came in since the last tick.
    idle: bool,
}

impl Live {
    pub fn new(past: Habits, word: Word) -> Live {
        Live {
            past,
            habits: Habits::default(),
            word,
            files: BTreeMap::new(),
            told: BTreeMap::new(),
            horizon: HORIZON,
            swept: Nanos::MIN,
            threads: 1,
            idle: true,
        }
    }
    /// Remembers sessions that ended up to `horizon` ago instead of [`HORIZON`].
    pub fn remembering(mut self, horizon: Nanos) -> Live {
        self.horizon = horizon;
        self
    }
    /// Judges on this many threads; what is told is the same on any number.
    pub fn on(mut self, threads: usize) -> Live {
        self.threads = threads;
        self
    }
    /// Takes events of one file or stream of the case in, in the order they arrive.
    pub fn push(&mut self, case: &Case, file: FileId, format: &'static str, batch: &EventBatch) {
        self.idle &= batch.is_empty();
        self.files
            .entry(file)
            .or_insert_with(|| FileIntake::new(case, file, format))
            .push(batch);
    }
    /// Forgets what came from one file: it will be read again from its beginning.
    pub fn restart(&mut self, file: FileId) {
        self.idle &= self.files.remove(&file).is_none();
    }
    /// The sessions so far.
    pub fn sessions(&self, case: &Case) -> Sessions {
        let partials = self.files.values().map(FileIntake::so_far).collect();
        Sessions::build_on(self.threads, case, partials)
    }
    /// What became the intruder's since the last tick, in order of account. `now` is the time of the stream.
    pub fn tick(&mut self, case: &Case, now: Nanos) -> Vec<Alarm> {
        if std::mem::replace(&mut self.idle, true) {
            return vec![];
        }
        if now.saturating_sub(self.swept) >= SWEEP {
            self.swept = now;
            // What is lawful and ends here lives on as a habit. Joining is idempotent.
            let kept = std::mem::take(&mut self.habits);
            self.past.join(&kept);
            for f in self.files.values_mut() {
                f.forget(now.saturating_sub(self.horizon));
            }
        }
        self.told.retain(|_, t| now.saturating_sub(*t) < QUIET);
        let sessions = self.sessions(case);
        let judged = attribute_on(self.threads, case, &sessions, &self.past, &self.word);
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
            self.told.insert(who.clone(), now);
            let (x, j) = (&sessions.list[i], &judged.judgements[i]);
            out.push(Alarm {
                at: now,
                who,
                from: x.from,
                session: x.id.to_string(),
                account: x.account.as_ref().map(ToString::to_string),
                address: x.origin.address,
                score: j.score,
                reasons: j.reasons.to_vec(),
            });
        }
        self.habits = judged.habits;
        out
    }
}
