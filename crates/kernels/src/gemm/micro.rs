//! The micro-kernel: a few rows of A times one or two registers' width of B, summed in registers.
//!
//! ```text
//! sum[MR][NV registers] = 0
//! for p in 0..k:
//!     load NV registers of row p of B
//!     for i in 0..MR: sum[i] += A[i][p] * those registers
//! C = alpha sum, or C += alpha sum
//! ```
//!
//! With 32 registers, 14 rows by 2 registers fill 28 with sums; with 16 registers, 6 by 2 fill 12.
//! The broadcasts of A come from memory, one load per row and step, so the loads never keep up the
//! multiply-adds.

use pulp::{Simd, WithSimd};

use crate::Float;
use crate::simd::Vector;

/// The most rows of A that one call takes, when its rows lie in one panel.
pub(super) const fn rows_max<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 14 } else { 6 }
}

/// The most rows of A that one call takes when they are read in place, each through a pointer of
/// its own.
pub(super) const fn rows_in_place_max<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 8 } else { 6 }
}

/// Registers of B's width in a full panel.
pub(super) const NV: usize = 2;

/// Operands of one call. Strides are in elements.
#[derive(Clone, Copy)]
pub(super) struct Call<T> {
    pub(super) k: usize,
    /// A: `rows` times `k`.
    pub(super) a: *const T,
    pub(super) a_row: isize,
    pub(super) a_k: isize,
    /// B: `k` rows of whole registers.
    pub(super) b: *const T,
    pub(super) b_k: isize,
    /// C: `rows` times `cols`.
    pub(super) c: *mut T,
    pub(super) c_row: usize,
    pub(super) cols: usize,
    pub(super) alpha: T,
    /// Whether to add to C instead of overwriting it.
    pub(super) add: bool,
}

/// Runs the micro-kernel for `rows` rows and as many registers as `cols` needs, at most [`NV`].
///
/// # Safety
/// - A holds `rows` rows and `k` steps by its strides; either `a_row` or `a_k` is 1.
/// - B holds `k` rows of one register, or of two if `cols` exceeds one.
/// - C holds `rows` rows of `cols` elements, and nobody else uses them meanwhile.
/// - `rows` is at least 1 and at most [`rows_max`] if `a_row` is 1, else [`rows_in_place_max`].
#[inline(always)]
pub(super) unsafe fn run<T: Float, S: Simd>(simd: S, rows: usize, call: Call<T>) {
    let wide = call.cols > T::lanes::<S>();
    macro_rules! sized {
        ($in_place:literal; $($rows:literal)*) => {
            match (rows, wide) {
                $(
                    // SAFETY: by the caller's promise.
                    ($rows, false) => unsafe { sized::<T, S, $rows, 1, $in_place>(simd, call) },
                    // SAFETY: as above.
                    ($rows, true) => unsafe { sized::<T, S, $rows, 2, $in_place>(simd, call) },
                )*
                _ => unreachable!("the caller keeps to rows_max"),
            }
        };
    }
    match (call.a_row == 1, const { S::REGISTER_COUNT >= 32 }) {
        (true, true) => sized!(false; 1 2 3 4 5 6 7 8 9 10 11 12 13 14),
        (true, false) => sized!(false; 1 2 3 4 5 6),
        (false, true) => sized!(true; 1 2 3 4 5 6 7 8),
        (false, false) => sized!(true; 1 2 3 4 5 6),
    }
}

/// A function of its own for each size, so that each has its registers to itself.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn sized<T: Float, S: Simd, const MR: usize, const NV: usize, const IN_PLACE: bool>(
    simd: S,
    call: Call<T>,
) {
    simd.vectorize(Sized::<T, MR, NV, IN_PLACE>(call));
}

/// A call, made only by [`sized`] under the promises of [`run`].
struct Sized<T, const MR: usize, const NV: usize, const IN_PLACE: bool>(Call<T>);

impl<T: Float, const MR: usize, const NV: usize, const IN_PLACE: bool> WithSimd
    for Sized<T, MR, NV, IN_PLACE>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let call = self.0;
        // SAFETY: by the promises of `run`.
        unsafe {
            let sums = multiply::<T, S, MR, NV, IN_PLACE>(simd, &call);
            write::<T, S, MR, NV>(simd, &call, sums);
        }
    }
}

/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn multiply<T: Float, S: Simd, const MR: usize, const NV: usize, const IN_PLACE: bool>(
    simd: S,
    call: &Call<T>,
) -> [[Vector<T, S>; NV]; MR] {
    let mut sums = [[Vector::splat(simd, T::ZERO); NV]; MR];
    let lanes = T::lanes::<S>();
    // The one stride of A that is not 1.
    let (a_row, a_k) = if IN_PLACE { (call.a_row, 1) } else { (1, call.a_k) };
    let rows: [*const T; MR] = std::array::from_fn(|i| call.a.wrapping_offset(i as isize * a_row));
    let mut b = call.b;
    for p in 0..call.k as isize {
        let mut width = [Vector::splat(simd, T::ZERO); NV];
        for (j, register) in width.iter_mut().enumerate() {
            // SAFETY: B holds `k` rows of NV registers.
            *register = unsafe { load(simd, b.add(j * lanes)) };
        }
        for (sums, row) in sums.iter_mut().zip(rows) {
            // SAFETY: A holds MR rows of `k` elements.
            let x = Vector::splat(simd, unsafe { *row.offset(p * a_k) });
            for (sum, register) in sums.iter_mut().zip(width) {
                *sum = x.mul_add(register, *sum);
            }
        }
        b = b.wrapping_offset(call.b_k);
    }
    sums
}

/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn write<T: Float, S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    call: &Call<T>,
    sums: [[Vector<T, S>; NV]; MR],
) {
    let lanes = T::lanes::<S>();
    let alpha = Vector::splat(simd, call.alpha);
    for (i, row) in sums.into_iter().enumerate() {
        // SAFETY: C holds MR rows of `cols` elements, for us alone.
        let c = unsafe { std::slice::from_raw_parts_mut(call.c.add(i * call.c_row), call.cols) };
        for (j, sum) in row.into_iter().enumerate() {
            let c = &mut c[j * lanes..call.cols.min((j + 1) * lanes)];
            let old = if call.add { Vector::load(simd, c) } else { Vector::splat(simd, T::ZERO) };
            alpha.mul_add(sum, old).store(c);
        }
    }
}

/// # Safety
/// A register's width must be readable at `from`.
#[inline(always)]
unsafe fn load<T: Float, S: Simd>(simd: S, from: *const T) -> Vector<T, S> {
    // SAFETY: registers are plain arrays of elements; reading needs no alignment.
    Vector::new(simd, unsafe { from.cast::<T::Lanes<S>>().read_unaligned() })
}
