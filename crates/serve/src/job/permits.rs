//! How many threads of an intake work at once, however many there are.
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

pub(super) fn held<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As many threads work at once as there are permits, however many there are.
pub(super) struct Permits {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Permits {
    pub fn new(n: usize) -> Permits {
        Permits {
            free: Mutex::new(n),
            freed: Condvar::new(),
        }
    }
    pub fn take(&self) {
        let mut free = held(&self.free);
        while *free == 0 {
            free = self
                .freed
                .wait(free)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
    }
    pub fn give(&self) {
        *held(&self.free) += 1;
        self.freed.notify_one();
    }
    /// Gives the caller's own back meanwhile.
    pub fn without<T>(&self, f: impl FnOnce() -> T) -> T {
        struct Taken<'a>(&'a Permits);
        impl Drop for Taken<'_> {
            fn drop(&mut self) {
                self.0.take();
            }
        }
        self.give();
        let _taken = Taken(self);
        f()
    }
    pub fn with<T>(&self, f: impl FnOnce() -> T) -> T {
        self.take();
        let _permit = Permit(self);
        f()
    }
}

/// Given back also when its holder panics, so that the others come to their end.
struct Permit<'a>(&'a Permits);
impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.give();
    }
}
