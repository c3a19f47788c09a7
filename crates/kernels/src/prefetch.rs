//! Prefetching: asking for cache lines before they are needed.
//!
//! The hardware sees a kernel that works through rows as phases: one that reads a row from memory,
//! one that computes on it in the cache, one that writes. Asking for the next row while the
//! present one is computed lets these phases overlap.

use std::cell::Cell;

/// Asks for the line at `address`, to be read. Any address will do.
#[inline(always)]
pub(crate) fn to_read<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch changes nothing but caches and cannot fault.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// [`to_read`], for what is needed so much later that it should stay out of the L1 cache.
#[inline(always)]
pub(crate) fn to_read_later<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: as for `to_read`.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Asks for the line at `address`, to be written. Any address will do.
///
/// By an instruction of its own: the compiler makes a prefetch for reading of the intrinsic where
/// it does not know that the processor has this one, and then the line is asked for twice.
/// Processors without it do nothing.
#[inline(always)]
pub(crate) fn to_write<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as for `to_read`.
    unsafe {
        std::arch::asm!(
            "prefetchw [{}]",
            in(reg) address.addr(),
            options(nomem, nostack, preserves_flags),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// The rows behind those that a loop works on, asked for register by register.
pub(crate) struct NextRows<T, const R: usize, const W: usize> {
    read: [*const T; R],
    written: [*const T; W],
    at: Cell<usize>,
}

impl<T, const R: usize, const W: usize> NextRows<T, R, W> {
    /// For a loop that reads the rows `read` and writes `written`, `step` elements before the
    /// next ones.
    #[inline(always)]
    pub(crate) fn new(read: [&[T]; R], written: [&[T]; W], step: usize) -> Self {
        NextRows {
            read: read.map(|row| row.as_ptr().wrapping_add(step)),
            written: written.map(|row| row.as_ptr().wrapping_add(step)),
            at: Cell::new(0),
        }
    }

    /// Asks for the next `lanes` elements of each.
    #[inline(always)]
    pub(crate) fn ask(&self, lanes: usize) {
        if lanes * size_of::<T>() < 32 {
            // Short registers would ask for the same line again and again.
            return;
        }
        let at = self.at.get();
        self.at.set(at + lanes);
        for row in self.read {
            to_read(row.wrapping_add(at));
        }
        for row in self.written {
            to_write(row.wrapping_add(at));
        }
    }
}
