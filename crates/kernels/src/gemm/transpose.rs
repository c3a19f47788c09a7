//! Copies `src[i][p]` to `dst[p][i]` for a block of rows i that a panel has side by side.

#[cfg(target_arch = "x86_64")]
use crate::arch::{self, Isa};
use crate::{DType, Float};

/// Copies `width` rows of `k` elements to `k` rows of `width` elements, `dst_row` apart.
///
/// Rows from `count` on repeat the last real one, so that whole registers can be written: they
/// hold harmless numbers that nobody uses.
///
/// # Safety
/// - `src` holds `count` rows (at least 1) of `k` elements, `src_row` apart.
/// - `dst` holds `k` rows of `width` elements, `dst_row` apart, for us alone.
pub(crate) unsafe fn transpose<T: Float>(
    (src, src_row): (*const T, isize),
    count: usize,
    k: usize,
    (dst, dst_row): (*mut T, usize),
    width: usize,
) {
    #[cfg(target_arch = "x86_64")]
    if width.is_multiple_of(8) && arch::current() != Isa::Scalar {
        let wide = width.is_multiple_of(16) && arch::current() == Isa::Avx512;
        // SAFETY: the set's instructions are there; the rest by the caller's promise. The casts are to
        // the type's own name.
        return unsafe {
            match T::DTYPE {
                DType::F32 => {
                    let (src, dst) = ((src.cast(), src_row), (dst.cast(), dst_row));
                    if wide {
                        avx512::f32(src, count, k, dst, width)
                    } else {
                        avx::f32(src, count, k, dst, width)
                    }
                }
                _ => {
                    let (src, dst) = ((src.cast(), src_row), (dst.cast(), dst_row));
                    if wide {
                        avx512::f64(src, count, k, dst, width)
                    } else {
                        avx::f64(src, count, k, dst, width)
                    }
                }
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
mod avx {
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
        // Sixteen elements at a time: a whole line of memory from every row.
        let mut p = 0;
        while p < k {
            let end = k.min(p + 16);
            for first in (0..width).step_by(8) {
                let rows: [*const f32; 8] =
                    std::array::from_fn(|i| src.wrapping_offset(row(first + i, count) * src_row));
                let mut p = p;
                while p + 8 <= end {
                    // SAFETY: elements p to p + 7 of existing rows, and rows p to p + 7 of dst.
                    unsafe { block_f32(&rows, p, dst.add(p * dst_row + first), dst_row) };
                    p += 8;
                }
                for p in p..end {
                    for (i, row) in rows.iter().enumerate() {
                        // SAFETY: as above, one element at a time.
                        unsafe { *dst.add(p * dst_row + first + i) = *row.add(p) };
                    }
                }
            }
            p = end;
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
        // Eight elements at a time: a whole line of memory from every row.
        let mut p = 0;
        while p < k {
            let end = k.min(p + 8);
            for first in (0..width).step_by(4) {
                let rows: [*const f64; 4] =
                    std::array::from_fn(|i| src.wrapping_offset(row(first + i, count) * src_row));
                let mut p = p;
                while p + 4 <= end {
                    // SAFETY: elements p to p + 3 of existing rows, and rows p to p + 3 of dst.
                    unsafe { block_f64(&rows, p, dst.add(p * dst_row + first), dst_row) };
                    p += 4;
                }
                for p in p..end {
                    for (i, row) in rows.iter().enumerate() {
                        // SAFETY: as above, one element at a time.
                        unsafe { *dst.add(p * dst_row + first + i) = *row.add(p) };
                    }
                }
            }
            p = end;
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

/// Blocks of 16 rows by 4 (f32) and 8 by 2 (f64) in AVX-512 registers: masked loads put 128 bits of
/// every fourth (second) row into the lanes of one register, without a shuffle, so that shuffles
/// within lanes make whole columns of four (two) such registers. `width` is a multiple of 16.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::row;

    /// # Safety
    /// As [`super::transpose`], and `width` is a multiple of 16.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn f32(
        (src, src_row): (*const f32, isize),
        count: usize,
        k: usize,
        (dst, dst_row): (*mut f32, usize),
        width: usize,
    ) {
        for first in (0..width).step_by(16) {
            let rows: [*const f32; 16] =
                std::array::from_fn(|i| src.wrapping_offset(row(first + i, count) * src_row));
            // A line of memory of each row at a time: 16 lines may be more than the nearest cache
            // holds, if the rows lie some power of two apart.
            let (lines, whole) = (k - k % 16, k - k % 4);
            for p in (0..lines).step_by(16) {
                // SAFETY: elements p to p + 15 of existing rows, and rows p to p + 15 of dst.
                unsafe { blocks_f32::<4>(&rows, p, dst.add(p * dst_row + first), dst_row) };
            }
            for p in (lines..whole).step_by(4) {
                // SAFETY: elements p to p + 3 of existing rows, and rows p to p + 3 of dst.
                unsafe { blocks_f32::<1>(&rows, p, dst.add(p * dst_row + first), dst_row) };
            }
            // SAFETY: as above, one element at a time.
            unsafe { rest(&rows, whole..k, dst.add(first), dst_row) };
        }
    }

    /// `N` blocks side by side.
    ///
    /// # Safety
    /// `4 N` elements at `p` of each row are readable, and as many rows of dst writable.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn blocks_f32<const N: usize>(
        rows: &[*const f32; 16],
        p: usize,
        dst: *mut f32,
        dst_row: usize,
    ) {
        // SAFETY: by the caller's promise; the loads and stores need no alignment.
        unsafe {
            let mut lanes: [[_; N]; 4] = std::array::from_fn(|i| {
                std::array::from_fn(|block| {
                    _mm512_castps128_ps512(_mm_loadu_ps(rows[i].add(p + 4 * block)))
                })
            });
            macro_rules! fill {
                ($lane:literal, $mask:literal) => {
                    for (i, blocks) in lanes.iter_mut().enumerate() {
                        let row = rows[4 * $lane + i].add(p);
                        for (block, lanes) in blocks.iter_mut().enumerate() {
                            let four = _mm_loadu_ps(row.add(4 * block));
                            *lanes = _mm512_mask_broadcast_f32x4(*lanes, $mask, four);
                        }
                    }
                };
            }
            fill!(1, 0x00f0);
            fill!(2, 0x0f00);
            fill!(3, 0xf000);
            for block in 0..N {
                let columns = transposed_f32(lanes.each_ref().map(|blocks| blocks[block]));
                for (j, column) in columns.into_iter().enumerate() {
                    _mm512_storeu_ps(dst.add((4 * block + j) * dst_row), column);
                }
            }
        }
    }

    /// Columns 0 to 3 of the rows of each lane.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn transposed_f32([a, b, c, d]: [__m512; 4]) -> [__m512; 4] {
        let pairs = |x, y| (_mm512_castps_pd(x), _mm512_castps_pd(y));
        let (x, y) = pairs(_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
        let (z, w) = pairs(_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
        [
            _mm512_castpd_ps(_mm512_unpacklo_pd(x, y)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)),
            _mm512_castpd_ps(_mm512_unpacklo_pd(z, w)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(z, w)),
        ]
    }

    /// # Safety
    /// As [`super::transpose`], and `width` is a multiple of 16.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn f64(
        (src, src_row): (*const f64, isize),
        count: usize,
        k: usize,
        (dst, dst_row): (*mut f64, usize),
        width: usize,
    ) {
        for first in (0..width).step_by(8) {
            let rows: [*const f64; 8] =
                std::array::from_fn(|i| src.wrapping_offset(row(first + i, count) * src_row));
            let whole = k - k % 2;
            for p in (0..whole).step_by(2) {
                // SAFETY: elements p and p + 1 of existing rows, and rows p and p + 1 of dst.
                unsafe {
                    let [a, b] = [0, 1].map(|i| {
                        let four = [rows[i], rows[2 + i], rows[4 + i], rows[6 + i]];
                        _mm512_castps_pd(lanes(four.map(|r| r.add(p).cast())))
                    });
                    let out = dst.add(p * dst_row + first);
                    _mm512_storeu_pd(out, _mm512_unpacklo_pd(a, b));
                    _mm512_storeu_pd(out.add(dst_row), _mm512_unpackhi_pd(a, b));
                }
            }
            // SAFETY: as above, one element at a time.
            unsafe { rest(&rows, whole..k, dst.add(first), dst_row) };
        }
    }

    /// 128 bits from each of four places.
    ///
    /// # Safety
    /// They are readable.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn lanes([a, b, c, d]: [*const f32; 4]) -> __m512 {
        // SAFETY: by the caller's promise; the loads need no alignment.
        unsafe {
            let x = _mm512_castps128_ps512(_mm_loadu_ps(a));
            let x = _mm512_mask_broadcast_f32x4(x, 0x00f0, _mm_loadu_ps(b));
            let x = _mm512_mask_broadcast_f32x4(x, 0x0f00, _mm_loadu_ps(c));
            _mm512_mask_broadcast_f32x4(x, 0xf000, _mm_loadu_ps(d))
        }
    }

    /// The last places of all rows.
    ///
    /// # Safety
    /// Each row has these places, and `dst` these rows, `dst_row` apart.
    #[inline]
    unsafe fn rest<T: Copy>(
        rows: &[*const T],
        places: std::ops::Range<usize>,
        dst: *mut T,
        dst_row: usize,
    ) {
        for p in places {
            for (i, row) in rows.iter().enumerate() {
                // SAFETY: by the caller's promise.
                unsafe { *dst.add(p * dst_row + i) = *row.add(p) };
            }
        }
    }
}
