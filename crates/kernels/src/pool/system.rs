//! Blocks from the operating system, zeroed.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use super::class::{Class, LINE};

/// A fresh block of zero bytes, aligned to a line.
pub(super) fn take(class: Class) -> NonNull<u8> {
    let layout = layout(class);
    // SAFETY: the layout's size is not zero: a class holds at least one line.
    let start = unsafe { alloc_zeroed(layout) };
    NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Gives a block back to the system.
///
/// # Safety
/// `start` must come from [`take`] with the same class, and nobody may use it any more.
pub(super) unsafe fn give(class: Class, start: NonNull<u8>) {
    // SAFETY: the caller promises that `take` allocated the block with this very layout.
    unsafe { dealloc(start.as_ptr(), layout(class)) };
}

fn layout(class: Class) -> Layout {
    Layout::from_size_align(class.bytes(), LINE).expect("a class fits in isize")
}
