//! Blocks from the operating system, zeroed.
//!
//! 1. On Linux, blocks of 2 MiB and more are mapped directly, and their whole huge pages advised to
//!    be huge: a fault then brings 2 MiB instead of 4 KiB.
//! 2. The starts of blocks of [`STAGGERED`] bytes and more are staggered by odd multiples of a line,
//!    so that equal places of equally large buffers do not share a cache set. The system's
//!    allocator would start all of them one line behind the begin of a page; backward of batch
//!    norm on 256 x 1024 elements took 216 microseconds so, and 140 to 155 staggered.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::class::{Class, LINE};

/// Bytes of the smallest block whose start is staggered.
const STAGGERED: usize = 64 << 10;

/// Starts are staggered within so many bytes, after which cache sets come again.
const SETS: usize = 4096;

/// A fresh block of zero bytes, aligned to a line.
pub(super) fn take(class: Class) -> NonNull<u8> {
    let layout = layout(class);
    #[cfg(target_os = "linux")]
    if class.bytes() >= huge::PAGE {
        return huge::take(class).unwrap_or_else(|| handle_alloc_error(layout));
    }
    // SAFETY: the layout's size is not zero: a class holds at least one line.
    let start = unsafe { alloc_zeroed(layout) };
    let start = NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout));
    match class.bytes() >= STAGGERED {
        // SAFETY: the layout has room for it.
        true => unsafe { start.add(stagger()) },
        false => start,
    }
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
    let moved = if class.bytes() >= STAGGERED { start.as_ptr() as usize % SETS } else { 0 };
    // SAFETY: the caller promises that `take` allocated the block with this very layout, and moved
    // its start by less than the alignment.
    unsafe { dealloc(start.as_ptr().sub(moved), layout(class)) };
}

fn layout(class: Class) -> Layout {
    let layout = match class.bytes() >= STAGGERED {
        true => Layout::from_size_align(class.bytes() + SETS, SETS),
        false => Layout::from_size_align(class.bytes(), LINE),
    };
    layout.expect("a class fits in isize")
}

/// The next start: an odd multiple of a line below [`SETS`].
fn stagger() -> usize {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    // The bits of the count in reverse: any four in a row are far from each other.
    let place = COUNT.fetch_add(1, Relaxed).reverse_bits() >> (usize::BITS - 5);
    (2 * place + 1) * LINE
}

/// Blocks on huge pages.
#[cfg(target_os = "linux")]
mod huge {
    use std::ptr::{NonNull, null_mut};

    use super::{Class, SETS, stagger};

    /// The size of a huge page on x86-64, and on AArch64 with small pages of 4 KiB.
    pub(super) const PAGE: usize = 2 << 20;

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
        (class.bytes() + SETS).next_multiple_of(64 << 10)
    }
}
