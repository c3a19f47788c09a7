//! A spinning team: helpers that wait awake for the next loop, for some tens of microseconds.
//!
//! Rayon's workers sleep when they have nothing to do, and waking them costs 5 to 50 microseconds:
//! more than most loops of a training step take. So a thread that starts loops (the leader) sends
//! helpers into the rayon pool as ordinary jobs, which then watch one atomic word:
//!
//! ```text
//! leader                                  helper
//! write the loop, deal out the shares     watch the word
//! word = next epoch, open                 new epoch and open: count itself in, else go on watching
//! run tasks of its share, then others'    run tasks of its share, then others'
//! word: closed                            count itself out
//! wait until nobody is counted in         no new loop for IDLE: leave
//! ```
//!
//! The leader never waits for a helper to come, only for those who came to finish. So a busy pool,
//! several leaders at once, or too few cores cost speed but cannot block.
//!
//! Every helper has a fixed place in the team and with it a fixed share of the tasks, so that
//! consecutive loops over the same data find it in the same core's cache. Who runs a task has no
//! influence on its result.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crate::arch::{self, Isa};

/// Loops shorter than this are not worth a hand-over, in nanoseconds: it costs about 1000.
const WORK_MIN: usize = 4_000;

/// How much work a leader does alone before it calls helpers that are not awake, in nanoseconds.
const WORK_COLD: usize = 40_000;

/// How long a helper waits for the next loop.
const IDLE: Duration = Duration::from_micros(100);

/// How long a helper stays in all, so that other jobs of the rayon pool get their turn.
const STAY: Duration = Duration::from_millis(2);

/// The most threads in a team: one bit each in [`Team::places`].
const THREADS_MAX: usize = 64;

/// The threads of the pool that the caller stands in, or one inside of a task.
pub(super) fn threads() -> usize {
    if IN_TASK.get() { 1 } else { rayon::current_num_threads() }
}

/// Whether a loop may go to several threads.
pub(super) fn shares(tasks: usize, work: usize) -> bool {
    tasks > 1 && work >= WORK_MIN && threads() > 1
}

/// The body of a loop. As a trait object it is compiled once, where `dyn Fn` has it a second time
/// for calls by value.
pub(super) trait Body: Sync {
    fn run(&self, index: usize);
}

impl<F: Fn(usize) + Sync> Body for F {
    fn run(&self, index: usize) {
        self(index);
    }
}

/// Runs `task(0)`, ..., `task(tasks - 1)`, on this thread and on helpers if that is worth while.
pub(super) fn run(tasks: usize, work: usize, task: &dyn Body) {
    if !shares(tasks, work) {
        return (0..tasks).for_each(|index| task.run(index));
    }
    let _inside = InTask::enter();
    LEADING.with(|leading| {
        let team = leading.team(rayon::current_num_threads().min(THREADS_MAX));
        if !leading.call(team, work) {
            return (0..tasks).for_each(|index| task.run(index));
        }
        team.lead(tasks, task);
    });
}

thread_local! {
    static IN_TASK: Cell<bool> = const { Cell::new(false) };
    static LEADING: Leading = const { Leading { team: std::cell::OnceCell::new(), alone: Cell::new(0) } };
}

/// Marks the calling thread as running tasks, so that loops inside a task stay on it.
struct InTask {
    before: bool,
}

impl InTask {
    fn enter() -> Self {
        Self { before: IN_TASK.replace(true) }
    }
}

impl Drop for InTask {
    fn drop(&mut self) {
        IN_TASK.set(self.before);
    }
}

/// A thread's own team. A worker of a rayon pool stays in it, and all other threads use the global
/// pool, so a thread's team never changes pools.
struct Leading {
    team: std::cell::OnceCell<Arc<Team>>,
    /// Nanoseconds of work done alone since helpers were last called.
    alone: Cell<usize>,
}

impl Leading {
    fn team(&self, threads: usize) -> &Arc<Team> {
        self.team.get_or_init(|| Arc::new(Team::new(threads)))
    }

    /// Calls missing helpers into the pool. False when there are none yet and the work is too short
    /// to wake them for.
    fn call(&self, team: &Arc<Team>, work: usize) -> bool {
        let present = team.places.load(Relaxed);
        if present == 0 {
            self.alone.set(self.alone.get().saturating_add(work));
            if self.alone.get() < WORK_COLD {
                return false;
            }
        }
        self.alone.set(0);
        let mut missing = team.everyone() & !present;
        while missing != 0 {
            let place = missing.trailing_zeros() as usize;
            missing &= missing - 1;
            team.places.fetch_or(1 << place, Relaxed);
            let team = Arc::clone(team);
            rayon::spawn(move || team.help(place));
        }
        true
    }
}

/// A leader, its helpers, and the loop they are at. The word and the loop share a cache line, so
/// that a helper that sees the word change has the loop too.
#[repr(C, align(128))]
struct Team {
    /// Which loop (from bit 16), whether helpers may still join it ([`OPEN`]), and how many are in.
    word: AtomicU64,
    /// The loop. Written by the leader while the word is closed and nobody is in; read by those in.
    current: UnsafeCell<Option<Loop>>,
    /// The next task of each share. Place 0 is the leader's.
    shares: Box<[Share]>,
    /// Helpers that were called and have not left: one bit for each place.
    places: AtomicU64,
    leader: ThreadId,
}

// SAFETY: `current` is the only part without synchronisation of its own. The leader alone writes
// it, before it opens the word (release) and after it saw the count of helpers at zero (acquire).
// Helpers read it between counting themselves in (acquire, on an open word) and out (release).
unsafe impl Sync for Team {}
// SAFETY: the loop's pointers are used only while the leader keeps them alive, see `Team::lead`.
unsafe impl Send for Team {}

const OPEN: u64 = 1 << 15;
const INSIDE: u64 = OPEN - 1;
const EPOCH: u32 = 16;

/// What the members of a team need to know about a loop.
#[derive(Clone, Copy)]
struct Loop {
    tasks: usize,
    task: *const dyn Body,
    isa: Isa,
    panic: *const Mutex<Option<Box<dyn Any + Send>>>,
}

/// A counter in a cache line (and its prefetched neighbour) of its own.
#[repr(align(128))]
struct Share(AtomicUsize);

impl Team {
    fn new(threads: usize) -> Self {
        Self {
            word: AtomicU64::new(0),
            current: UnsafeCell::new(None),
            shares: (0..threads).map(|_| Share(AtomicUsize::new(0))).collect(),
            places: AtomicU64::new(0),
            leader: thread::current().id(),
        }
    }

    /// The bits of all helpers' places.
    fn everyone(&self) -> u64 {
        (u64::MAX >> (THREADS_MAX - self.shares.len())) & !1
    }

    /// Runs a loop as the leader.
    fn lead(&self, tasks: usize, task: &dyn Body) {
        let panic = Mutex::new(None);
        // SAFETY: only the lifetime changes. Nobody uses the pointer after `Close` was dropped,
        // which happens before this function returns or unwinds.
        let task = unsafe { std::mem::transmute::<&dyn Body, &'static dyn Body>(task) };
        let current = Loop { tasks, task, isa: arch::current(), panic: &raw const panic };
        // SAFETY: the word is closed and nobody is in: the last loop ended with `Close`.
        unsafe { *self.current.get() = Some(current) };
        for place in 0..self.shares.len() {
            self.shares[place].0.store(self.share(place, tasks).start, Relaxed);
        }
        let epoch = (self.word.load(Relaxed) >> EPOCH) + 1;
        self.word.store(epoch << EPOCH | OPEN, Release);
        let close = Close(self);
        self.take_tasks(0, tasks, task);
        drop(close);
        let payload = panic.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(payload) = payload {
            resume_unwind(payload);
        }
    }

    /// The tasks that belong to a place.
    fn share(&self, place: usize, tasks: usize) -> std::ops::Range<usize> {
        let bound =
            |place: usize| (place as u128 * tasks as u128 / self.shares.len() as u128) as usize;
        bound(place)..bound(place + 1)
    }

    /// Runs the tasks of one's own share, then what is left of the others.
    fn take_tasks(&self, place: usize, tasks: usize, task: &dyn Body) {
        let members = self.shares.len();
        for other in 0..members {
            let owner = (place + other) % members;
            let end = self.share(owner, tasks).end;
            let next = &self.shares[owner].0;
            while next.load(Relaxed) < end {
                let index = next.fetch_add(1, Relaxed);
                if index < end {
                    task.run(index);
                }
            }
        }
    }

    /// Waits for loops and takes part in them, until none has come for a while.
    fn help(&self, place: usize) {
        // A leader that waits in rayon for something else may be given its own helper's job.
        if thread::current().id() != self.leader && !IN_TASK.get() {
            self.watch(place);
        }
        self.places.fetch_and(!(1 << place), Relaxed);
    }

    fn watch(&self, place: usize) {
        let arrived = Instant::now();
        let mut last_work = arrived;
        let mut seen = 0;
        let mut spins = 0_u32;
        loop {
            let word = self.word.load(Relaxed);
            if word & OPEN != 0 && word >> EPOCH != seen {
                if self.word.compare_exchange(word, word + 1, Acquire, Relaxed).is_ok() {
                    seen = word >> EPOCH;
                    self.take_part(place);
                    self.word.fetch_sub(1, Release);
                    last_work = Instant::now();
                }
                continue;
            }
            std::hint::spin_loop();
            spins = spins.wrapping_add(1);
            if spins.is_multiple_of(SPINS) {
                let now = Instant::now();
                if now - last_work > IDLE || now - arrived > STAY {
                    break;
                }
                // Costs little when every thread has a core, and frees the core when not.
                thread::yield_now();
            }
        }
    }

    /// Runs tasks of the current loop as a helper that is counted in.
    fn take_part(&self, place: usize) {
        // SAFETY: the word was open when this helper was counted in (acquire), and the leader
        // changes the loop only after it was counted out.
        let Some(current) = (unsafe { *self.current.get() }) else { return };
        let _inside = InTask::enter();
        let result = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the leader keeps the task alive until this helper is counted out.
            let task = unsafe { &*current.task };
            arch::with(current.isa, || self.take_tasks(place, current.tasks, task));
        }));
        if let Err(payload) = result {
            // SAFETY: as above.
            let panic = unsafe { &*current.panic };
            *panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
        }
    }
}

/// How many times a helper looks before it checks the time.
const SPINS: u32 = 64;

/// Ends a loop when dropped: closes it and waits for the helpers inside.
struct Close<'a>(&'a Team);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        let mut word = self.0.word.fetch_and(!OPEN, AcqRel);
        let mut spins = 0_u32;
        while word & INSIDE != 0 {
            std::hint::spin_loop();
            spins += 1;
            // The helper may have lost its core in the middle of a task.
            if spins.is_multiple_of(1024) {
                thread::yield_now();
            }
            word = self.0.word.load(Acquire);
        }
    }
}
