//! Work spread over threads: what comes out does not depend on their number.
use std::sync::{Mutex, PoisonError};

/// Below this, starting threads costs more than they bring.
const ENOUGH: usize = 512;

/// Pieces of `n`: several for each thread, because some take longer.
fn piece(threads: usize, n: usize) -> usize {
    n.div_ceil(threads * 8).max(ENOUGH / 2)
}

/// `work` over `0..n` in pieces, side by side; what it says, in order.
pub fn in_pieces<T: Send>(
    threads: usize,
    n: usize,
    work: &(dyn Fn(std::ops::Range<usize>) -> Vec<T> + Sync),
) -> Vec<T> {
    if threads < 2 || n < ENOUGH {
        return work(0..n);
    }
    let size = piece(threads, n);
    let pieces = (0..n)
        .step_by(size)
        .map(|at| at..(at + size).min(n))
        .collect();
    side_by_side(threads, pieces, work)
}

/// The same over the members of a list; `work` is also told the place of the first one.
pub fn over_pieces<A: Send, T: Send>(
    threads: usize,
    list: &mut [A],
    work: &(dyn Fn(usize, &mut [A]) -> Vec<T> + Sync),
) -> Vec<T> {
    if threads < 2 || list.len() < ENOUGH {
        return work(0, list);
    }
    let size = piece(threads, list.len());
    let pieces = list.chunks_mut(size).enumerate().collect();
    side_by_side(threads, pieces, &|(i, piece)| work(i * size, piece))
}

/// `work` on each piece, on so many threads; what it says, in the order of the pieces.
pub fn side_by_side<P: Send, T: Send>(
    threads: usize,
    pieces: Vec<P>,
    work: &(dyn Fn(P) -> Vec<T> + Sync),
) -> Vec<T> {
    if threads < 2 {
        return pieces.into_iter().flat_map(work).collect();
    }
    let next = Mutex::new(pieces.into_iter().enumerate());
    let take = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || {
        let mut done = vec![];
        while let Some((i, piece)) = take() {
            done.push((i, work(piece)));
        }
        done
    };
    std::thread::scope(|s| {
        let running: Vec<_> = (1..threads).map(|_| s.spawn(run)).collect();
        let mut done = run();
        for r in running {
            match r.join() {
                Ok(some) => done.extend(some),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done.sort_by_key(|d| d.0);
        done.into_iter().flat_map(|d| d.1).collect()
    })
}

/// Two pieces of work, beside each other where there is a second thread.
pub fn beside<A: Send, B: Send>(
    threads: usize,
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B,
) -> (A, B) {
    if threads < 2 {
        return (a(), b());
    }
    std::thread::scope(|s| {
        let a = s.spawn(a);
        let b = b();
        match a.join() {
            Ok(a) => (a, b),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
