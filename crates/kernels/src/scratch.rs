//! Per-thread scratch memory that kernels use within one call.

use crate::{Buffer, Element};

/// Calls `body` with `len` elements of arbitrary contents (as [`Buffer::unspecified`]), 64-byte
/// aligned. Calls may nest; each gets memory of its own.
///
/// # Panics
/// When the size in bytes overflows.
pub fn with<T: Element, R>(len: usize, body: impl FnOnce(&mut [T]) -> R) -> R {
    body(&mut Buffer::unspecified(len))
}
