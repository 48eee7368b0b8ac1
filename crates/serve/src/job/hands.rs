//! Threads that decode parts of a file beside the one that reads it. They live as long as the intake: a thread begun for each part
//! is often put where its parent runs, while another core has nothing to do.
use super::permits::{Permits, held};
use ampleur_sources::reader::Job;
use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, PoisonError},
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

/// Jobs not yet done.
#[derive(Default)]
struct Left {
    count: Mutex<usize>,
    done: Condvar,
}

/// One of them, done also when it panics.
struct One(Arc<Left>);
impl Drop for One {
    fn drop(&mut self) {
        *held(&self.0.count) -= 1;
        self.0.done.notify_one();
    }
}

impl Hands {
    /// `count` of them, the readers of files included.
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
    /// Has all of these done, some of them on this thread, which has a permit.
    pub fn together(&self, jobs: Vec<Job>, permits: &Permits) {
        let left = Arc::new(Left {
            count: Mutex::new(jobs.len()),
            done: Condvar::new(),
        });
        let mut jobs = jobs.into_iter().map(|job| {
            let one = One(left.clone());
            Box::new(move || {
                let _one = one;
                job();
            }) as Job
        });
        let first = jobs.next();
        held(&self.jobs).waiting.extend(jobs);
        self.came.notify_all();
        let mut next = first;
        while let Some(job) = next {
            job();
            next = held(&self.jobs).waiting.pop_front();
        }
        permits.give();
        let mut count = held(&left.count);
        while *count > 0 {
            count = left
                .done
                .wait(count)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(count);
        permits.take();
    }
}
