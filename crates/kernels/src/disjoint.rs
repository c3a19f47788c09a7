//! An output slice that several tasks fill, each its own ranges.

use std::marker::PhantomData;
use std::ops::Range;

/// A mutable slice to be shared by tasks that write ranges which do not overlap.
pub(crate) struct Disjoint<'a, T> {
    start: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: sharing gives access to elements only through `range`, whose contract keeps ranges of
// different threads apart; elements may then be written by other threads since `T: Send`.
unsafe impl<T: Send> Sync for Disjoint<'_, T> {}

impl<'a, T> Disjoint<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Disjoint { start: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Where the slice starts, for kernels that write through pointers.
    pub(crate) fn start(&self) -> *mut T {
        self.start
    }

    /// The elements of a range.
    ///
    /// # Safety
    /// While the returned slice is in use, no other range that overlaps this one is.
    ///
    /// # Panics
    /// If the range leaves the slice.
    #[expect(clippy::mut_from_ref, reason = "ranges do not overlap, by contract")]
    #[inline(always)]
    pub(crate) unsafe fn range(&self, range: Range<usize>) -> &mut [T] {
        assert!(
            range.start <= range.end && range.end <= self.len,
            "range {range:?} of {} elements",
            self.len
        );
        // SAFETY: the range lies in the slice that `new` borrowed mutably for 'a, and the caller
        // has it alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}
