//! Panels: a few rows of A, or columns of B, side by side in the order the micro-kernel reads them.

use pulp::Simd;

use crate::Float;
use crate::prefetch::to_read;
use crate::simd::Vector;

use super::transpose::transpose;

/// Lines (rows of A, or columns of B) that go into one panel, `k` elements each.
#[derive(Clone, Copy)]
pub(crate) struct Lines<T> {
    pub(crate) start: *const T,
    /// Elements from one line to the next.
    pub(crate) step: isize,
    /// Elements from one place of a line to the next.
    pub(crate) k_step: isize,
}

impl<T: Float> Lines<T> {
    /// The lines from `first` on.
    ///
    /// # Safety
    /// There are that many lines.
    #[inline(always)]
    pub(crate) unsafe fn from(self, first: usize) -> Self {
        // SAFETY: by the caller's promise.
        let start = unsafe { self.start.offset(first as isize * self.step) };
        Self { start, ..self }
    }

    /// The lines from `first` on, which may not exist.
    #[inline(always)]
    pub(crate) fn near(self, first: isize) -> Self {
        Self { start: self.start.wrapping_offset(first * self.step), ..self }
    }

    /// The lines from place `k` on.
    ///
    /// # Safety
    /// They have that many places.
    #[inline(always)]
    pub(crate) unsafe fn at(self, k: usize) -> Self {
        // SAFETY: by the caller's promise.
        let start = unsafe { self.start.offset(k as isize * self.k_step) };
        Self { start, ..self }
    }
}

/// Copies `count` lines of `k` elements to a panel of `k` rows of `width` elements, one line per
/// column. Columns from `count` on get harmless numbers.
///
/// # Safety
/// `lines` holds `available` lines of `k` elements, `1 <= count <= available`, and whatever lies
/// between its first and last element is readable; `panel` holds `k * width` elements for us alone;
/// `count <= width`.
#[inline(always)]
pub(crate) unsafe fn pack<T: Float, S: Simd>(
    simd: S,
    lines: Lines<T>,
    (count, available): (usize, usize),
    k: usize,
    panel: *mut T,
    width: usize,
) {
    let Lines { start, step, k_step } = lines;
    if k_step == 1 {
        // SAFETY: by the caller's promise.
        return unsafe { transpose((start, step), count, k, (panel, width), width) };
    }
    let lanes = T::lanes::<S>();
    // SAFETY: by the caller's promise; whole registers are read only where there are enough lines.
    unsafe {
        match width / lanes {
            w @ (1 | 2) if step == 1 && (k_step > 0 || available >= width) => {
                // Whole registers may reach into the next places, but not past the last one.
                let past = width.saturating_sub(available).div_ceil(k_step.unsigned_abs().max(1));
                let whole = k.saturating_sub(past);
                match w {
                    1 => copy::<T, S, 1>(lines, whole, panel),
                    _ => copy::<T, S, 2>(lines, whole, panel),
                }
                if whole < k {
                    let rest = panel.add(whole * width);
                    gather(simd, lines.at(whole), count, k - whole, rest, width);
                }
            }
            _ => gather(simd, lines, count, k, panel, width),
        }
    }
}

/// Copies W registers of adjacent lines.
///
/// # Safety
/// As [`pack`], with at least W registers of lines and as much width.
#[inline(always)]
unsafe fn copy<T: Float, S: Simd, const W: usize>(lines: Lines<T>, k: usize, panel: *mut T) {
    let mut from = lines.start.cast::<[T::Lanes<S>; W]>();
    let mut to = panel.cast::<[T::Lanes<S>; W]>();
    for _ in 0..k {
        to_read(from.cast::<T>().wrapping_offset(16 * lines.k_step));
        // SAFETY: by the caller's promise; the copies need no alignment.
        unsafe { to.write_unaligned(from.read_unaligned()) };
        from = from.cast::<T>().wrapping_offset(lines.k_step).cast();
        to = to.wrapping_add(1);
    }
}

/// Copies lines in any layout, and fills up with zeros.
///
/// # Safety
/// As [`pack`].
#[inline(always)]
unsafe fn gather<T: Float, S: Simd>(
    simd: S,
    lines: Lines<T>,
    count: usize,
    k: usize,
    panel: *mut T,
    width: usize,
) {
    for p in 0..k {
        // SAFETY: row p of the panel, and place p of the lines; they do not overlap, because the
        // panel is ours alone.
        unsafe {
            let row = std::slice::from_raw_parts_mut(panel.add(p * width), width);
            let from = lines.at(p).start;
            if lines.step == 1 {
                let from = std::slice::from_raw_parts(from, count);
                for (to, from) in row.chunks_mut(T::lanes::<S>()).zip(parts::<T, S>(from)) {
                    Vector::load(simd, from).store(to);
                }
            } else {
                for (i, x) in row[..count].iter_mut().enumerate() {
                    *x = *from.offset(i as isize * lines.step);
                }
                row[count..].fill(T::ZERO);
            }
        }
    }
}

/// A slice in parts of a register each; the rest, then empty parts without end.
#[inline(always)]
fn parts<T: Float, S: Simd>(slice: &[T]) -> impl Iterator<Item = &[T]> {
    let (lanes, len) = (T::lanes::<S>(), slice.len());
    (0..).map(move |i: usize| &slice[len.min(i * lanes)..len.min((i + 1) * lanes)])
}
