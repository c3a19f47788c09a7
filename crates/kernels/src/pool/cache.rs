//! Free blocks: a few per thread without a lock, the rest in one locked list per class.

use std::cell::Cell;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::class::{self, Class};
use super::system;

/// What the pool holds and has handed out, in bytes of whole blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// In live buffers.
    pub bytes_in_use: usize,
    /// The highest `bytes_in_use` since the start or the last [`reset_peak`].
    pub bytes_in_use_peak: usize,
    /// Taken from the system and not given back: in use or waiting in free lists.
    pub bytes_held: usize,
    /// How many blocks were ever taken from the system. Constant once training is warm.
    pub blocks_taken: usize,
}

/// The pool's counters at this moment, over all threads.
pub fn stats() -> Stats {
    Stats {
        bytes_in_use: BYTES_IN_USE.load(Relaxed),
        bytes_in_use_peak: BYTES_IN_USE_PEAK.load(Relaxed),
        bytes_held: BYTES_HELD.load(Relaxed),
        blocks_taken: BLOCKS_TAKEN.load(Relaxed),
    }
}

/// Starts the peak anew from what is in use now.
pub fn reset_peak() {
    BYTES_IN_USE_PEAK.store(BYTES_IN_USE.load(Relaxed), Relaxed);
}

/// Gives free blocks back to the system, except the few small ones that other threads keep.
pub fn trim() {
    let _ = LOCAL.try_with(Local::flush);
    for index in 0..class::COUNT {
        let class = Class::at(index);
        let blocks = std::mem::take(&mut *shared(class));
        for Block(start) in blocks {
            BYTES_HELD.fetch_sub(class.bytes(), Relaxed);
            // SAFETY: a block in a free list came from the system with its list's class, and the
            // list was its only owner.
            unsafe { system::give(class, start) };
        }
    }
}

static BYTES_IN_USE: AtomicUsize = AtomicUsize::new(0);
static BYTES_IN_USE_PEAK: AtomicUsize = AtomicUsize::new(0);
static BYTES_HELD: AtomicUsize = AtomicUsize::new(0);
static BLOCKS_TAKEN: AtomicUsize = AtomicUsize::new(0);

/// A block that nobody uses, of the class that its holder knows; contents arbitrary.
#[inline]
pub(super) fn take(class: Class) -> NonNull<u8> {
    let bytes = class.bytes();
    let in_use = BYTES_IN_USE.fetch_add(bytes, Relaxed) + bytes;
    if in_use > BYTES_IN_USE_PEAK.load(Relaxed) {
        BYTES_IN_USE_PEAK.fetch_max(in_use, Relaxed);
    }
    if bytes <= LOCAL_BYTES_MAX
        && let Ok(Some(start)) = LOCAL.try_with(|local| local.take(class))
    {
        return start;
    }
    take_shared(class)
}

/// Gives back a block from [`take`] of the same class. Its owner must not use it any more.
#[inline]
pub(super) fn give(class: Class, start: NonNull<u8>) {
    let bytes = class.bytes();
    BYTES_IN_USE.fetch_sub(bytes, Relaxed);
    if bytes <= LOCAL_BYTES_MAX && LOCAL.try_with(|local| local.give(class, start)).is_ok() {
        return;
    }
    shared(class).push(Block(start));
}

fn take_shared(class: Class) -> NonNull<u8> {
    if let Some(Block(start)) = shared(class).pop() {
        return start;
    }
    BYTES_HELD.fetch_add(class.bytes(), Relaxed);
    BLOCKS_TAKEN.fetch_add(1, Relaxed);
    system::take(class)
}

/// A free block. Whoever holds this value is its only owner.
struct Block(NonNull<u8>);

// SAFETY: a free block is plain memory with one owner; any thread may own it.
unsafe impl Send for Block {}

static SHARED: [Mutex<Vec<Block>>; class::COUNT] = [const { Mutex::new(Vec::new()) }; class::COUNT];

/// The whole process's free blocks of a class. A panic elsewhere cannot leave a list half-changed.
fn shared(class: Class) -> MutexGuard<'static, Vec<Block>> {
    SHARED[class.index()].lock().unwrap_or_else(PoisonError::into_inner)
}

/// Blocks up to this size are kept by threads; larger ones are shared at once, because holding
/// them back would cost more memory than a lock costs time.
const LOCAL_BYTES_MAX: usize = 256 << 10;

/// How many blocks of each class a thread keeps.
const KEEP: usize = 16;

/// How many classes have at most [`LOCAL_BYTES_MAX`] bytes.
const LOCAL_CLASSES: usize = 4 + 4 * (LOCAL_BYTES_MAX / class::LINE / 4).ilog2() as usize;

thread_local! {
    static LOCAL: Local = const {
        Local {
            counts: [const { Cell::new(0) }; LOCAL_CLASSES],
            blocks: [const { [const { Cell::new(null_mut()) }; KEEP] }; LOCAL_CLASSES],
        }
    };
}

/// One thread's free blocks: of each class the first `counts` places of `blocks`.
struct Local {
    counts: [Cell<usize>; LOCAL_CLASSES],
    blocks: [[Cell<*mut u8>; KEEP]; LOCAL_CLASSES],
}

impl Local {
    #[inline]
    fn take(&self, class: Class) -> Option<NonNull<u8>> {
        let count = &self.counts[class.index()];
        let place = count.get().checked_sub(1)?;
        count.set(place);
        NonNull::new(self.blocks[class.index()][place].get())
    }

    #[inline]
    fn give(&self, class: Class, start: NonNull<u8>) {
        let count = &self.counts[class.index()];
        if count.get() == KEEP {
            self.share(class, KEEP / 2);
        }
        self.blocks[class.index()][count.get()].set(start.as_ptr());
        count.set(count.get() + 1);
    }

    /// Hands blocks of a class to the whole process until `keep` are left.
    fn share(&self, class: Class, keep: usize) {
        let mut list = shared(class);
        while self.counts[class.index()].get() > keep {
            list.extend(self.take(class).map(Block));
        }
    }

    fn flush(&self) {
        for index in 0..LOCAL_CLASSES {
            if self.counts[index].get() > 0 {
                self.share(Class::at(index), 0);
            }
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.flush();
    }
}
