//! Deterministic parallel loops on the rayon pool that the caller stands in.
//!
//! The number of tasks and what each of them does follow from the arguments alone, never from the
//! number of threads: threads only decide who runs which task. Tasks write to disjoint places, and
//! partial results are combined in a fixed tree, so that results have the same bits on any number
//! of threads.
//!
//! `work` is the estimated time of the whole loop on one thread, in nanoseconds. A loop that is
//! too short to share, or that starts inside a task of another loop, runs on the calling thread.

mod team;

/// How many threads share a loop that starts here.
pub fn threads() -> usize {
    team::threads()
}

/// Runs `task(0)`, ..., `task(tasks - 1)`, in any order and perhaps at the same time.
///
/// # Panics
/// When a task panics; the others may have run or not.
pub fn for_each(tasks: usize, work: usize, task: impl Fn(usize) + Sync) {
    team::run(tasks, work, &task);
}

/// Cuts `out` into chunks of `chunk_len` elements (the last may be shorter) and runs
/// `task(index, chunk)` on each.
///
/// # Panics
/// When `chunk_len` is 0.
pub fn chunks_mut<T: Send>(
    out: &mut [T],
    chunk_len: usize,
    work: usize,
    task: impl Fn(usize, &mut [T]) + Sync,
) {
    let chunks = Chunks::new(out, chunk_len);
    for_each(chunks.count(), work, |index| {
        // SAFETY: `for_each` runs each index once, so each chunk has one user.
        task(index, unsafe { chunks.get(index) });
    });
}

/// Cuts two outputs into the same number of chunks and runs `task(index, chunk_a, chunk_b)` on
/// each pair.
///
/// # Panics
/// When a chunk length is 0 or the outputs have different numbers of chunks.
pub fn chunks_mut2<A: Send, B: Send>(
    (out_a, chunk_len_a): (&mut [A], usize),
    (out_b, chunk_len_b): (&mut [B], usize),
    work: usize,
    task: impl Fn(usize, &mut [A], &mut [B]) + Sync,
) {
    let chunks_a = Chunks::new(out_a, chunk_len_a);
    let chunks_b = Chunks::new(out_b, chunk_len_b);
    let (count_a, count_b) = (chunks_a.count(), chunks_b.count());
    assert_eq!(count_a, count_b, "chunks_mut2: needs as many chunks on both sides");
    for_each(count_a, work, |index| {
        // SAFETY: `for_each` runs each index once, so each chunk has one user.
        task(index, unsafe { chunks_a.get(index) }, unsafe { chunks_b.get(index) });
    });
}

/// Combines `block(0)`, ..., `block(blocks - 1)` in a fixed binary tree; `None` without blocks.
///
/// The tree joins neighbours: ((0 1) (2 3)) ((4 5) 6). It depends on `blocks` alone.
pub fn reduce<P: Send>(
    blocks: usize,
    work: usize,
    block: impl Fn(usize) -> P + Sync,
    mut combine: impl FnMut(P, P) -> P,
) -> Option<P> {
    if !team::shares(blocks, work) {
        return combine_tree(blocks, &mut |index| block(index), &mut combine);
    }
    let mut partials: Vec<Option<P>> = (0..blocks).map(|_| None).collect();
    chunks_mut(&mut partials, 1, work, |index, slot| slot[0] = Some(block(index)));
    let mut take = |index: usize| partials[index].take().expect("every block has run");
    combine_tree(blocks, &mut take, &mut combine)
}

/// Joins neighbours level by level, keeping one open subtree per level, as binary counting does.
#[inline(never)]
fn combine_tree<P>(
    blocks: usize,
    partial: &mut dyn FnMut(usize) -> P,
    combine: &mut dyn FnMut(P, P) -> P,
) -> Option<P> {
    let mut open: [Option<P>; usize::BITS as usize] = std::array::from_fn(|_| None);
    for index in 0..blocks {
        let mut partial = partial(index);
        let mut level = 0;
        while let Some(left) = open[level].take() {
            partial = combine(left, partial);
            level += 1;
        }
        open[level] = Some(partial);
    }
    open.into_iter().flatten().reduce(|right, left| combine(left, right))
}

/// A slice cut into chunks that several threads may take, each chunk by one of them.
struct Chunks<'a, T> {
    start: *mut T,
    len: usize,
    chunk_len: usize,
    slice: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: shared use hands out chunks by the contract of `get`, each to one thread, which `T: Send`
// allows.
unsafe impl<T: Send> Sync for Chunks<'_, T> {}

impl<'a, T> Chunks<'a, T> {
    #[track_caller]
    fn new(slice: &'a mut [T], chunk_len: usize) -> Self {
        assert!(chunk_len > 0, "chunks: needs a chunk length above 0");
        let (start, len) = (slice.as_mut_ptr(), slice.len());
        Self { start, len, chunk_len, slice: std::marker::PhantomData }
    }

    fn count(&self) -> usize {
        self.len.div_ceil(self.chunk_len)
    }

    /// # Safety
    /// Nobody else may hold the chunk of this index.
    #[expect(clippy::mut_from_ref, reason = "chunks are disjoint, and each has one user")]
    unsafe fn get(&self, index: usize) -> &mut [T] {
        assert!(index < self.count(), "chunk {index} of {}", self.count());
        let first = index * self.chunk_len;
        let len = self.chunk_len.min(self.len - first);
        // SAFETY: the chunk lies in the slice that `new` borrowed mutably, chunks of different
        // indices are disjoint, and the caller is the only user of this one.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(first), len) }
    }
}

#[cfg(test)]
mod tests;
