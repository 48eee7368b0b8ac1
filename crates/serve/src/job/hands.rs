//! Threads that decode parts of a file beside the one that reads it. They live as long as the intake: a thread begun for each part
//! is often put where its parent runs, while another core has nothing to do.
use super::permits::{Permits, held};
use ampleur_sources::reader::Job;
use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, PoisonError},
};

pub(super) struct Hands {
    count: usize,
    jobs: Mutex<Jobs>,
    came: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    closed: bool,
}

/// Sends the hands home when it goes, also by a panic.
pub(super) struct Close<'h>(pub &'h Hands);
impl Drop for Close<'_> {
    fn drop(&mut self) {
        held(&self.0.jobs).closed = true;
        self.0.came.notify_all();
    }
}

impl Hands {
    /// `count` of them.
    pub fn new(count: usize) -> Hands {
        Hands {
            count,
            jobs: Mutex::default(),
            came: Condvar::new(),
        }
    }
    pub fn count(&self) -> usize {
        self.count
    }
    /// What each thread does until [`Close`]: jobs as they come, each with a permit.
    pub fn work(&self, permits: &Permits) {
        loop {
            let mut jobs = held(&self.jobs);
            let job = loop {
                if let Some(job) = jobs.waiting.pop_front() {
                    break job;
                }
                if jobs.closed {
                    return;
                }
                jobs = self.came.wait(jobs).unwrap_or_else(PoisonError::into_inner);
            };
            drop(jobs);
            // What a decoder that panics leaves undone is missed by the one who reads.
            drop(permits.with(|| catch_unwind(AssertUnwindSafe(job))));
        }
    }
    /// Has it done after those given before.
    pub fn give(&self, job: Job) {
        held(&self.jobs).waiting.push_back(job);
        self.came.notify_one();
    }
}
