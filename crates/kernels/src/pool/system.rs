//! Blocks from the operating system, zeroed.
//!
//! On Linux, blocks of 2 MiB and more are mapped directly, and their whole huge pages advised to
//! be huge: a fault then brings 2 MiB instead of 4 KiB. Their starts are staggered by odd multiples
//! of a line, so that equal places of equally large buffers do not share a cache set.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use super::class::{Class, LINE};

/// A fresh block of zero bytes, aligned to a line.
pub(super) fn take(class: Class) -> NonNull<u8> {
    let layout = layout(class);
    #[cfg(target_os = "linux")]
    if class.bytes() >= huge::PAGE {
        return huge::take(class).unwrap_or_else(|| handle_alloc_error(layout));
    }
    // SAFETY: the layout's size is not zero: a class holds at least one line.
    let start = unsafe { alloc_zeroed(layout) };
    NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Gives a block back to the system.
///
/// # Safety
/// `start` must come from [`take`] with the same class, and nobody may use it any more.
pub(super) unsafe fn give(class: Class, start: NonNull<u8>) {
    #[cfg(target_os = "linux")]
    if class.bytes() >= huge::PAGE {
        // SAFETY: by the caller's promise; `take` mapped blocks of this size.
        return unsafe { huge::give(class, start) };
    }
    // SAFETY: the caller promises that `take` allocated the block with this very layout.
    unsafe { dealloc(start.as_ptr(), layout(class)) };
}

fn layout(class: Class) -> Layout {
    Layout::from_size_align(class.bytes(), LINE).expect("a class fits in isize")
}

/// Blocks on huge pages.
#[cfg(target_os = "linux")]
mod huge {
    use std::ptr::{NonNull, null_mut};
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::{Class, LINE};

    /// The size of a huge page on x86-64, and on AArch64 with small pages of 4 KiB.
    pub(super) const PAGE: usize = 2 << 20;

    /// Room for the staggered start in front of a block.
    const STAGGER_MAX: usize = 4096;

    /// Maps a block; `None` when the system refuses.
    pub(super) fn take(class: Class) -> Option<NonNull<u8>> {
        let size = mapped(class);
        // SAFETY: a fresh private mapping at an address of the system's choice touches nothing.
        let start = unsafe {
            libc::mmap(
                null_mut(),
                size + PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return None;
        }
        let start = start.cast::<u8>();
        let head = start.align_offset(PAGE);
        // SAFETY: the parts before the first huge page and after the block's end are ours, are
        // whole small pages, and nobody knows of them; the advice covers whole pages of the block.
        unsafe {
            if head > 0 {
                libc::munmap(start.cast(), head);
            }
            libc::munmap(start.add(head + size).cast(), PAGE - head);
            let whole_pages = size / PAGE * PAGE;
            libc::madvise(start.add(head).cast(), whole_pages, libc::MADV_HUGEPAGE);
            NonNull::new(start.add(head + stagger()))
        }
    }

    /// # Safety
    /// As [`super::give`].
    pub(super) unsafe fn give(class: Class, start: NonNull<u8>) {
        let offset = start.as_ptr() as usize % PAGE;
        // SAFETY: the mapping starts at the huge page's start below the block (the stagger is less
        // than a page) and has the size that `take` left.
        unsafe { libc::munmap(start.as_ptr().sub(offset).cast(), mapped(class)) };
    }

    /// Bytes of a block's mapping: whole small pages (of up to 64 KiB).
    fn mapped(class: Class) -> usize {
        (class.bytes() + STAGGER_MAX).next_multiple_of(64 << 10)
    }

    /// The next start: an odd multiple of a line below [`STAGGER_MAX`].
    fn stagger() -> usize {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        // Steps of 11 odd multiples visit all 32 before they repeat, far from their neighbours.
        let place = COUNT.fetch_add(1, Relaxed) * 11 % 32;
        (2 * place + 1) * LINE
    }
}
