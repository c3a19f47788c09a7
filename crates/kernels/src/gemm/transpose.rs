//! Copies `src[i][p]` to `dst[p][i]` for a block of rows i that a panel has side by side.

use crate::DType;
use crate::Float;

/// Copies `width` rows of `k` elements to `k` rows of `width` elements, `dst_row` apart.
///
/// Rows from `count` on repeat the last real one, so that whole registers can be written: they
/// hold harmless numbers that nobody uses.
///
/// # Safety
/// - `src` holds `count` rows (at least 1) of `k` elements, `src_row` apart.
/// - `dst` holds `k` rows of `width` elements, `dst_row` apart, for us alone.
pub(super) unsafe fn transpose<T: Float>(
    (src, src_row): (*const T, isize),
    count: usize,
    k: usize,
    (dst, dst_row): (*mut T, usize),
    width: usize,
) {
    #[cfg(target_arch = "x86_64")]
    if width.is_multiple_of(8) && std::arch::is_x86_feature_detected!("avx") {
        // SAFETY: AVX is there; the rest by the caller's promise. The casts are to the type's own
        // name.
        return unsafe {
            match T::DTYPE {
                DType::F32 => {
                    x86::f32((src.cast(), src_row), count, k, (dst.cast(), dst_row), width)
                }
                _ => x86::f64((src.cast(), src_row), count, k, (dst.cast(), dst_row), width),
            }
        };
    }
    for p in 0..k {
        for i in 0..width {
            // SAFETY: by the caller's promise.
            unsafe { *dst.add(p * dst_row + i) = *src.offset(row(i, count) * src_row).add(p) };
        }
    }
}

/// The row that stands for row `i` when there are `count`.
fn row(i: usize, count: usize) -> isize {
    i.min(count - 1) as isize
}

/// Blocks of 8 by 8 (f32) and 4 by 4 (f64) in AVX registers: half-register loads put both halves
/// in place, and two or one layers of shuffles do the rest. `width` is a multiple of 8.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::row;

    /// # Safety
    /// As [`super::transpose`], and `width` is a multiple of 8.
    #[target_feature(enable = "avx")]
    pub(super) unsafe fn f32(
        (src, src_row): (*const f32, isize),
        count: usize,
        k: usize,
        (dst, dst_row): (*mut f32, usize),
        width: usize,
    ) {
        for first in (0..width).step_by(8) {
            let mut rows = [src; 8];
            for (i, pointer) in rows.iter_mut().enumerate() {
                *pointer = src.wrapping_offset(row(first + i, count) * src_row);
            }
            let mut p = 0;
            while p + 8 <= k {
                // SAFETY: elements p to p + 7 of existing rows, and rows p to p + 7 of dst.
                unsafe { block_f32(&rows, p, dst.add(p * dst_row + first), dst_row) };
                p += 8;
            }
            for p in p..k {
                for (i, pointer) in rows.iter().enumerate() {
                    // SAFETY: as above, one element at a time.
                    unsafe { *dst.add(p * dst_row + first + i) = *pointer.add(p) };
                }
            }
        }
    }

    /// # Safety
    /// Eight elements at `p` of each row are readable, and eight rows of dst writable.
    #[inline]
    #[target_feature(enable = "avx")]
    unsafe fn block_f32(rows: &[*const f32; 8], p: usize, dst: *mut f32, dst_row: usize) {
        // SAFETY: by the caller's promise; the loads and stores need no alignment.
        unsafe {
            // Register i: elements 0..4 (then 4..8) of row i, and the same of row i + 4.
            let load = |i: usize, at: usize| {
                let low = _mm256_castps128_ps256(_mm_loadu_ps(rows[i].add(p + at)));
                _mm256_insertf128_ps::<1>(low, _mm_loadu_ps(rows[i + 4].add(p + at)))
            };
            for at in [0, 4] {
                let (r0, r1, r2, r3) = (load(0, at), load(1, at), load(2, at), load(3, at));
                let (t0, t1) = (_mm256_unpacklo_ps(r0, r1), _mm256_unpackhi_ps(r0, r1));
                let (t2, t3) = (_mm256_unpacklo_ps(r2, r3), _mm256_unpackhi_ps(r2, r3));
                let out = dst.add(at * dst_row);
                _mm256_storeu_ps(out, _mm256_shuffle_ps::<0x44>(t0, t2));
                _mm256_storeu_ps(out.add(dst_row), _mm256_shuffle_ps::<0xee>(t0, t2));
                _mm256_storeu_ps(out.add(2 * dst_row), _mm256_shuffle_ps::<0x44>(t1, t3));
                _mm256_storeu_ps(out.add(3 * dst_row), _mm256_shuffle_ps::<0xee>(t1, t3));
            }
        }
    }

    /// # Safety
    /// As [`super::transpose`], and `width` is a multiple of 8.
    #[target_feature(enable = "avx")]
    pub(super) unsafe fn f64(
        (src, src_row): (*const f64, isize),
        count: usize,
        k: usize,
        (dst, dst_row): (*mut f64, usize),
        width: usize,
    ) {
        for first in (0..width).step_by(4) {
            let mut rows = [src; 4];
            for (i, pointer) in rows.iter_mut().enumerate() {
                *pointer = src.wrapping_offset(row(first + i, count) * src_row);
            }
            let mut p = 0;
            while p + 4 <= k {
                // SAFETY: elements p to p + 3 of existing rows, and rows p to p + 3 of dst.
                unsafe { block_f64(&rows, p, dst.add(p * dst_row + first), dst_row) };
                p += 4;
            }
            for p in p..k {
                for (i, pointer) in rows.iter().enumerate() {
                    // SAFETY: as above, one element at a time.
                    unsafe { *dst.add(p * dst_row + first + i) = *pointer.add(p) };
                }
            }
        }
    }

    /// # Safety
    /// Four elements at `p` of each row are readable, and four rows of dst writable.
    #[inline]
    #[target_feature(enable = "avx")]
    unsafe fn block_f64(rows: &[*const f64; 4], p: usize, dst: *mut f64, dst_row: usize) {
        // SAFETY: by the caller's promise; the loads and stores need no alignment.
        unsafe {
            // Register i: elements 0..2 (then 2..4) of row i, and the same of row i + 2.
            let load = |i: usize, at: usize| {
                let low = _mm256_castpd128_pd256(_mm_loadu_pd(rows[i].add(p + at)));
                _mm256_insertf128_pd::<1>(low, _mm_loadu_pd(rows[i + 2].add(p + at)))
            };
            for at in [0, 2] {
                let (r0, r1) = (load(0, at), load(1, at));
                let out = dst.add(at * dst_row);
                _mm256_storeu_pd(out, _mm256_unpacklo_pd(r0, r1));
                _mm256_storeu_pd(out.add(dst_row), _mm256_unpackhi_pd(r0, r1));
            }
        }
    }
}
