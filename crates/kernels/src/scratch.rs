//! Per-thread scratch memory that kernels use within one call, kept for the next.
//!
//! Each thread has one block, of which nested calls take the next piece. A call that finds too
//! little room gets memory of its own, and the block grows to fit before the next outermost call.
//! Scratch is not part of [`crate::pool::stats`]: which threads run a kernel is a matter of chance,
//! and the count of pool blocks should not be.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::any::TypeId;
use std::cell::Cell;

use crate::Element;

/// Calls `body` with `len` elements of arbitrary contents (as [`crate::Buffer::unspecified`]),
/// 64-byte aligned. Calls may nest; each gets memory of its own.
///
/// # Panics
/// When the size in bytes overflows.
#[inline]
pub fn with<T: Element, R>(len: usize, body: impl FnOnce(&mut [T]) -> R) -> R {
    body(Memory::take(len).elements())
}

/// [`with`] inside of a [`crate::arch::dispatch`]: `body`, marked `#[inline(always)]`, becomes part
/// of the calling function.
///
/// A function of its own would be compiled for the lowest instruction set, with a call for every
/// operation on registers.
#[inline(always)]
pub fn inlined<T: Element>(len: usize, mut body: impl FnMut(&mut [T])) {
    body(Memory::take(len).elements());
}

/// Memory of one call, given back when it is dropped.
enum Memory<T> {
    /// Of the thread's block, and its length in elements.
    Piece(Piece, usize),
    /// Of this call alone, with the place of the first aligned element, and the length.
    Own(Vec<T>, usize, usize),
}

impl<T: Element> Memory<T> {
    #[inline]
    fn take(len: usize) -> Self {
        let take = |arena: &Arena| arena.take(len.checked_mul(size_of::<T>())?);
        let Some(piece) = ARENA.try_with(take).ok().flatten() else {
            return Self::own(len);
        };
        if TypeId::of::<T>() == TypeId::of::<bool>() {
            // Any bytes are valid elements of the other types.
            // SAFETY: the piece has room for `len` elements.
            unsafe { piece.start.write_bytes(0, len) };
        }
        Self::Piece(piece, len)
    }

    #[cold]
    fn own(len: usize) -> Self {
        let whole_lines = LINE / size_of::<T>();
        let elements = vec![T::default(); len + whole_lines];
        let start = elements.as_ptr().align_offset(LINE).min(whole_lines);
        Self::Own(elements, start, len)
    }

    #[inline]
    fn elements(&mut self) -> &mut [T] {
        match self {
            // SAFETY: the piece has room for `len` elements at a 64-byte boundary, and is ours
            // until it is dropped. Its bytes are initialised, and `take` made them valid.
            Self::Piece(piece, len) => unsafe {
                std::slice::from_raw_parts_mut(piece.start.cast(), *len)
            },
            Self::Own(elements, start, len) => &mut elements[*start..*start + *len],
        }
    }
}

thread_local! {
    static ARENA: Arena = const {
        Arena {
            start: Cell::new(std::ptr::null_mut()),
            size: Cell::new(0),
            used: Cell::new(0),
            wanted: Cell::new(SIZE_MIN),
        }
    };
}

/// A thread's block starts with this many bytes.
const SIZE_MIN: usize = 64 << 10;

const LINE: usize = 64;

/// A block of which a stack of calls uses the first `used` bytes.
struct Arena {
    start: Cell<*mut u8>,
    size: Cell<usize>,
    used: Cell<usize>,
    /// The most bytes that calls ever needed together.
    wanted: Cell<usize>,
}

/// A part of the block. It goes back when this is dropped, in the reverse order of taking.
struct Piece {
    start: *mut u8,
    used_before: usize,
}

impl Drop for Piece {
    #[inline]
    fn drop(&mut self) {
        let _ = ARENA.try_with(|arena| arena.used.set(self.used_before));
    }
}

impl Arena {
    /// The next `bytes` (not 0) of the block, if it has room for them or can be made to.
    #[inline]
    fn take(&self, bytes: usize) -> Option<Piece> {
        let used_before = self.used.get();
        if bytes == 0 {
            return None;
        }
        let used = used_before.checked_add(bytes)?.checked_next_multiple_of(LINE)?;
        if used > self.size.get() {
            self.wanted.set(self.wanted.get().max(used));
            if used_before > 0 {
                return None;
            }
            self.grow()?;
        }
        self.used.set(used);
        Some(Piece { start: self.start.get().wrapping_add(used_before), used_before })
    }

    /// Replaces the block, which nobody uses, by one of the wanted size.
    #[cold]
    fn grow(&self) -> Option<()> {
        let size = self.wanted.get().checked_next_power_of_two()?;
        let layout = Layout::from_size_align(size, LINE).ok()?;
        self.free();
        // SAFETY: the size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        self.start.set(start);
        self.size.set(size);
        Some(())
    }

    fn free(&self) {
        let size = self.size.replace(0);
        if size > 0 {
            let layout = Layout::from_size_align(size, LINE).expect("it was allocated so");
            // SAFETY: `grow` allocated the block with this layout, and nobody uses it.
            unsafe { dealloc(self.start.get(), layout) };
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.free();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_calls_get_memory_of_their_own() {
        for round in 0..3_usize {
            with(1000 + round, |outer: &mut [f32]| {
                outer.fill(1.0);
                with(100_000 << round, |middle: &mut [f64]| {
                    assert_eq!(middle.as_ptr() as usize % 64, 0);
                    middle.fill(2.0);
                    with(3, |inner: &mut [u8]| inner.fill(3));
                    assert!(middle.iter().all(|&x| x == 2.0));
                });
                assert!(outer.iter().all(|&x| x == 1.0));
            });
        }
    }

    #[test]
    fn memory_is_kept_for_the_next_call() {
        let first = with(5000, |buf: &mut [f32]| buf.as_ptr() as usize);
        let second = with(5000, |buf: &mut [f32]| buf.as_ptr() as usize);
        assert_eq!(first, second);
    }

    #[test]
    fn a_panic_gives_the_memory_back() {
        let place = || with(10, |buf: &mut [f32]| buf.as_ptr() as usize);
        let before = place();
        let _ = std::panic::catch_unwind(|| with(10, |_: &mut [f32]| panic!("on purpose")));
        assert_eq!(place(), before);
    }

    #[test]
    fn bools_are_valid() {
        with(100, |bytes: &mut [u8]| bytes.fill(0xff));
        with(100, |flags: &mut [bool]| assert!(flags.iter().all(|flag| !flag)));
    }

    #[test]
    fn nothing_is_fine() {
        with(0, |buf: &mut [f64]| assert!(buf.is_empty()));
    }
}
