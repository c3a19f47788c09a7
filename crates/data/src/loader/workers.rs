//! Threads that make batches ahead of time and hand them over in order.
//!
//! Workers take the numbers of batches from a counter. Finished batches wait in a map until the
//! consumer asks for theirs, so the order is that of the numbers, whoever was faster. A worker
//! takes no number that is `window` or more ahead of the consumer, which bounds memory; the number
//! that the consumer waits for is always taken first, so nobody waits for ever.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::epoch::MakeBatch;
use crate::Error;

pub(super) struct Workers<B> {
    shared: Arc<Shared<B>>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared<B> {
    state: Mutex<State<B>>,
    /// Told when a batch is finished.
    finished: Condvar,
    /// Told when the consumer took a batch, or wants the workers to stop.
    moved: Condvar,
}

struct State<B> {
    /// The next number to take for workers.
    next_taken: usize,
    /// The next number that the consumer wants.
    next_wanted: usize,
    end: usize,
    ready: BTreeMap<usize, Result<B, Error>>,
    stop: bool,
}

impl<B: Send + 'static> Workers<B> {
    /// Starts `threads` workers on the batches of `numbers`, at most `window` ahead.
    pub(super) fn start(
        make: Arc<dyn MakeBatch<B>>,
        numbers: Range<usize>,
        threads: usize,
        window: usize,
    ) -> Result<Workers<B>, Error> {
        let state = State {
            next_taken: numbers.start,
            next_wanted: numbers.start,
            end: numbers.end,
            ready: BTreeMap::new(),
            stop: false,
        };
        let shared =
            Shared { state: Mutex::new(state), finished: Condvar::new(), moved: Condvar::new() };
        // Dropped on an error below, it stops the threads that did start.
        let mut workers = Workers { shared: Arc::new(shared), threads: Vec::new() };
        for number in 0..threads {
            let (shared, make) = (workers.shared.clone(), make.clone());
            let thread = Builder::new()
                .name(format!("backstitch-loader-{number}"))
                .spawn(move || shared.work(&*make, window))
                .map_err(|cause| {
                    Error::mismatch(
                        "Loader",
                        format!("{threads} worker threads"),
                        cause.to_string(),
                    )
                })?;
            workers.threads.push(thread);
        }
        Ok(workers)
    }
}

impl<B> Workers<B> {
    /// The next batch in order. Must not be asked for more than there are.
    pub(super) fn next(&mut self) -> Result<B, Error> {
        let mut state = self.shared.lock();
        loop {
            let wanted = state.next_wanted;
            if let Some(batch) = state.ready.remove(&wanted) {
                state.next_wanted += 1;
                drop(state);
                self.shared.moved.notify_all();
                return batch;
            }
            state = wait(&self.shared.finished, state);
        }
    }
}

impl<B> Drop for Workers<B> {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.moved.notify_all();
        for thread in self.threads.drain(..) {
            // A worker's panics were caught and handed over as errors.
            let _ = thread.join();
        }
    }
}

impl<B> Shared<B> {
    fn work(&self, make: &dyn MakeBatch<B>, window: usize) {
        while let Some(number) = self.take(window) {
            let batch = make.batch(number);
            self.lock().ready.insert(number, batch);
            self.finished.notify_one();
        }
    }

    /// The next number to work on, once it is within the window; `None` when there is no more.
    fn take(&self, window: usize) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.stop || state.next_taken == state.end {
                return None;
            }
            if state.next_taken - state.next_wanted < window {
                state.next_taken += 1;
                return Some(state.next_taken - 1);
            }
            state = wait(&self.moved, state);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<B>> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'a, B>(told: &Condvar, state: MutexGuard<'a, State<B>>) -> MutexGuard<'a, State<B>> {
    told.wait(state).unwrap_or_else(PoisonError::into_inner)
}
