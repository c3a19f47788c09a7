//! Panels: a few rows of A, or columns of B, side by side in the order the micro-kernel reads them.

use crate::Float;

use super::transpose::transpose;

/// Lines (rows of A, or columns of B) that go into one panel, `k` elements each.
#[derive(Clone, Copy)]
pub(super) struct Lines<T> {
    pub(super) start: *const T,
    /// Elements from one line to the next.
    pub(super) step: isize,
    /// Elements from one place of a line to the next.
    pub(super) k_step: isize,
}

impl<T: Float> Lines<T> {
    /// The lines from `first` on.
    ///
    /// # Safety
    /// There are that many lines.
    #[inline(always)]
    pub(super) unsafe fn from(self, first: usize) -> Self {
        // SAFETY: by the caller's promise.
        let start = unsafe { self.start.offset(first as isize * self.step) };
        Self { start, ..self }
    }

    /// The lines from place `k` on.
    ///
    /// # Safety
    /// They have that many places.
    #[inline(always)]
    pub(super) unsafe fn at(self, k: usize) -> Self {
        // SAFETY: by the caller's promise.
        let start = unsafe { self.start.offset(k as isize * self.k_step) };
        Self { start, ..self }
    }
}

/// Copies `count` lines of `k` elements to a panel of `k` rows of `width` elements, one line per
/// column. Columns from `count` on get harmless numbers.
///
/// # Safety
/// `lines` holds `count` lines of `k` elements, `1 <= count <= width`; `panel` holds `k * width`
/// elements for us alone.
pub(super) unsafe fn pack<T: Float>(
    lines: Lines<T>,
    count: usize,
    k: usize,
    panel: *mut T,
    width: usize,
) {
    let Lines { start, step, k_step } = lines;
    if k_step == 1 {
        // SAFETY: by the caller's promise.
        return unsafe { transpose((start, step), count, k, (panel, width), width) };
    }
    for p in 0..k {
        // SAFETY: row p of the panel, and place p of the lines.
        unsafe {
            let row = panel.add(p * width);
            let from = start.offset(p as isize * k_step);
            if step == 1 {
                row.copy_from_nonoverlapping(from, count);
            } else {
                for i in 0..count {
                    *row.add(i) = *from.offset(i as isize * step);
                }
            }
            row.add(count).write_bytes(0, width - count);
        }
    }
}
