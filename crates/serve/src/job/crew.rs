//! Who does the work of an intake. There is a thread for each core and no other: whoever waits for something does meanwhile what there
//! is to do, so that nothing waits for a thread to wake up, and no core for work that lies about.
use super::permits::{Permits, held};
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, PoisonError},
};

/// What is nearest to the end of its way comes first: it gives memory back.
pub(super) const RANKS: usize = 4;
/// What is furthest from it.
pub(super) const LAST: usize = RANKS - 1;

pub(super) struct Crew<T> {
    /// As many work at once. A thread that waits for the disk gives its own back, and one more than there are goes on.
    pub permits: Permits,
    ready: Mutex<Ready<T>>,
    changed: Condvar,
}

struct Ready<T> {
    tasks: [VecDeque<T>; RANKS],
    waiting: usize,
}

impl<T> Ready<T> {
    fn next(&mut self, last_first: bool) -> Option<T> {
        let last = match last_first {
            true => self.tasks[LAST].pop_front(),
            false => None,
        };
        last.or_else(|| self.tasks.iter_mut().find_map(VecDeque::pop_front))
    }
}

impl<T> Crew<T> {
    pub fn new(permits: usize) -> Crew<T> {
        Crew {
            permits: Permits::new(permits),
            ready: Mutex::new(Ready {
                tasks: Default::default(),
                waiting: 0,
            }),
            changed: Condvar::new(),
        }
    }
    /// Has it done after those given before with this rank.
    pub fn give(&self, rank: usize, task: T) {
        let mut ready = held(&self.ready);
        ready.tasks[rank].push_back(task);
        if ready.waiting > 0 {
            self.changed.notify_one();
        }
    }
    /// What somebody may wait for has come about.
    pub fn changed(&self) {
        if held(&self.ready).waiting > 0 {
            self.changed.notify_all();
        }
    }
    /// A task, if there is one.
    pub fn next(&self) -> Option<T> {
        held(&self.ready).next(false)
    }
    /// Does what there is to do until `done`, with a permit that is given back where nothing is. `last_first`: what is waited for is of
    /// the last rank. `run` calls [`Crew::changed`] at its end.
    pub fn until(&self, last_first: bool, done: &mut dyn FnMut() -> bool, run: &dyn Fn(T)) {
        while !done() {
            let mut ready = held(&self.ready);
            if let Some(task) = ready.next(last_first) {
                drop(ready);
                run(task);
                continue;
            }
            // Once more, now that nobody can say unheard that it has come about.
            if done() {
                return;
            }
            ready.waiting += 1;
            self.permits.give();
            let woken = self.changed.wait(ready);
            woken.unwrap_or_else(PoisonError::into_inner).waiting -= 1;
            self.permits.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    /// Tasks that beget others, by fewer permits than threads: all is done once, and everybody comes home.
    #[test]
    fn everything_is_done_and_everybody_comes_home() {
        for (threads, permits) in [(1, 1), (2, 1), (3, 2), (8, 3)] {
            let crew = Crew::<usize>::new(permits);
            let (done, left) = (AtomicUsize::new(0), AtomicUsize::new(1));
            let run = |depth: usize| {
                if depth > 0 {
                    left.fetch_add(2, SeqCst);
                    crew.give(depth % RANKS, depth - 1);
                    crew.give(LAST, depth - 1);
                }
                done.fetch_add(1, SeqCst);
                left.fetch_sub(1, SeqCst);
                crew.changed();
            };
            crew.give(0, 10);
            std::thread::scope(|scope| {
                for n in 0..threads {
                    let (crew, left, run) = (&crew, &left, &run);
                    scope.spawn(move || {
                        crew.permits.with(|| {
                            crew.until(n % 2 == 0, &mut || left.load(SeqCst) == 0, run);
                        });
                    });
                }
            });
            assert_eq!(done.into_inner(), (1 << 11) - 1);
            assert!(crew.next().is_none());
        }
    }

    #[test]
    fn ranks_are_gone_through_in_their_order() {
        let crew = Crew::new(1);
        for (rank, task) in [(3, 'd'), (1, 'b'), (0, 'a'), (3, 'e'), (2, 'c')] {
            crew.give(rank, task);
        }
        let mut last = Vec::new();
        let order = Mutex::new(vec![]);
        let run = |task| order.lock().unwrap().push(task);
        crew.until(true, &mut || order.lock().unwrap().len() == 1, &run);
        while let Some(task) = crew.next() {
            last.push(task);
        }
        assert_eq!(order.into_inner().unwrap(), ['d']);
        assert_eq!(last, ['a', 'b', 'c', 'e']);
    }
}
