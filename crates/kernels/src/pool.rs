//! Buffers from a process-wide pool, so that a warm training step takes no memory from the system.
//!
//! A [`Buffer`] is a 64-byte aligned block that goes back to the pool when it is dropped.
//! Blocks come in size classes, four to a power of two. Each thread keeps a few small blocks of
//! each class to itself; behind it stands one locked list of each class for the whole process.
//!
//! Blocks of 2 MiB and more are mapped straight from Linux with huge pages, because a first touch
//! of a 4 KiB page costs microseconds (see `pool/system.rs`).

mod cache;
mod class;
mod system;

use std::any::TypeId;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use crate::Element;
use class::Class;

pub use cache::{Stats, reset_peak, stats, trim};

/// A run of elements in a block of the pool: owned, 64-byte aligned, and used as a slice.
///
/// Cloning copies the elements. Dropping gives the block back.
pub struct Buffer<T: Element> {
    /// Start of the block; dangling (and 64-byte aligned) when `len` is 0.
    start: NonNull<T>,
    len: usize,
}

// SAFETY: a buffer owns its block alone, as `Vec` does, and elements are plain numbers.
unsafe impl<T: Element> Send for Buffer<T> {}
// SAFETY: as above; shared access only reads.
unsafe impl<T: Element> Sync for Buffer<T> {}

impl<T: Element> Buffer<T> {
    /// A buffer whose contents are arbitrary: fresh memory holds zeros, reused memory what its
    /// last owner left. The elements are initialised, so reading them is harmless but useless.
    /// `bool` buffers are filled with `false`.
    ///
    /// # Panics
    /// When the size in bytes overflows, or the system has no memory left.
    #[track_caller]
    pub fn unspecified(len: usize) -> Self {
        let mut buffer = Self::recycled(len);
        if TypeId::of::<T>() == TypeId::of::<bool>() {
            buffer.clear();
        }
        buffer
    }

    /// A buffer of zeros (`false` for `bool`).
    ///
    /// # Panics
    /// As [`Buffer::unspecified`].
    #[track_caller]
    pub fn zeroed(len: usize) -> Self {
        let mut buffer = Self::recycled(len);
        buffer.clear();
        buffer
    }

    /// A copy of `data`.
    ///
    /// # Panics
    /// As [`Buffer::unspecified`].
    #[track_caller]
    pub fn from_slice(data: &[T]) -> Self {
        let buffer = Self::recycled(data.len());
        // SAFETY: both ranges hold `data.len()` elements, and the block is ours alone. Writing
        // through the pointer makes no reference to contents that may not be valid `bool`s yet.
        unsafe { buffer.start.as_ptr().copy_from_nonoverlapping(data.as_ptr(), data.len()) };
        buffer
    }

    /// The elements of `data`, copied into the pool, so that the block is aligned and reused.
    ///
    /// # Panics
    /// As [`Buffer::unspecified`].
    #[track_caller]
    pub fn from_vec(data: Vec<T>) -> Self {
        Self::from_slice(&data)
    }

    /// A block whose bytes are initialised, though for `bool` perhaps not to a valid value.
    #[track_caller]
    fn recycled(len: usize) -> Self {
        let start = match Class::of::<T>(len) {
            None => NonNull::<Line>::dangling().cast(),
            Some(class) => cache::take(class).cast(),
        };
        Self { start, len }
    }

    fn clear(&mut self) {
        // SAFETY: the block holds at least `len` elements, and zero bytes are a valid value of
        // every element type (the trait is sealed: floats, integers and `bool`).
        unsafe { self.start.as_ptr().write_bytes(0, self.len) };
    }
}

/// The alignment of every block.
#[repr(align(64))]
struct Line;

impl<T: Element> Drop for Buffer<T> {
    fn drop(&mut self) {
        if let Some(class) = Class::of::<T>(self.len) {
            cache::give(class, self.start.cast());
        }
    }
}

impl<T: Element> Deref for Buffer<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the constructors made `len` initialised, valid elements at `start`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T: Element> DerefMut for Buffer<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T: Element> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self::from_slice(self)
    }
}

impl<T: Element> Default for Buffer<T> {
    /// The empty buffer; takes no memory.
    fn default() -> Self {
        Self::unspecified(0)
    }
}

impl<T: Element> From<Vec<T>> for Buffer<T> {
    fn from(data: Vec<T>) -> Self {
        Self::from_vec(data)
    }
}

impl<T: Element + fmt::Debug> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests;
