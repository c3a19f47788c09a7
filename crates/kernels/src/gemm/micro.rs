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

/// How many rows of A the micro-kernels come in: one per combination, so that the compiler's work
/// stays in bounds.
#[derive(Clone, Copy)]
enum Registers {
    /// 32 registers: AVX-512, NEON.
    Many,
    /// 16 registers: AVX2.
    Some,
    /// Baseline and emulated vectors, which nobody runs for speed.
    Few,
}

const fn registers<S: Simd>() -> Registers {
    match S::REGISTER_COUNT {
        32.. => Registers::Many,
        16.. if !S::IS_SCALAR => Registers::Some,
        _ => Registers::Few,
    }
}

/// The most rows of A that one call takes, when its rows lie in one panel.
pub(super) const fn rows_max<S: Simd>() -> usize {
    match registers::<S>() {
        Registers::Many => 14,
        Registers::Some => 6,
        Registers::Few => 2,
    }
}

/// The most rows of A that one call takes when they are read in place, each through a pointer of
/// its own.
pub(super) const fn rows_in_place_max<S: Simd>() -> usize {
    match registers::<S>() {
        Registers::Many => 8,
        Registers::Some => 6,
        Registers::Few => 2,
    }
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
    /// Where to copy B's registers on the way, step after step; null for nowhere.
    pub(super) b_to: *mut T,
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
/// - `b_to` is null or has room for as much as B holds, and nobody else uses that meanwhile.
/// - C holds `rows` rows of `cols` elements, and nobody else uses them meanwhile.
/// - `rows` is at least 1 and at most [`rows_max`] if `a_row` is 1, else [`rows_in_place_max`].
#[inline(always)]
pub(super) unsafe fn run<T: Float, S: Simd>(simd: S, rows: usize, call: Call<T>) {
    let shape = (rows, call.cols > T::lanes::<S>());
    macro_rules! sized {
        ($in_place:literal; $($rows:literal)*) => {
            match shape {
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
    // Plain constants in the conditions keep the compiler from making the sizes of other branches.
    if const { matches!(registers::<S>(), Registers::Many) } {
        if call.a_row == 1 {
            sized!(false; 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
        } else {
            sized!(true; 1 2 3 4 5 6 7 8)
        }
    } else if const { matches!(registers::<S>(), Registers::Some) } {
        if call.a_row == 1 { sized!(false; 1 2 3 4 5 6) } else { sized!(true; 1 2 3 4 5 6) }
    } else if call.a_row == 1 {
        sized!(false; 1 2)
    } else {
        sized!(true; 1 2)
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
    let mut panel = call.a;
    let rows: [*const T; MR] =
        std::array::from_fn(|i| call.a.wrapping_offset(i as isize * call.a_row));
    let (mut b, mut to, copies) = (call.b, call.b_to, !call.b_to.is_null());
    for p in 0..call.k {
        let mut width = [Vector::splat(simd, T::ZERO); NV];
        for (j, register) in width.iter_mut().enumerate() {
            // SAFETY: B holds `k` rows of NV registers.
            *register = unsafe { load(simd, b.add(j * lanes)) };
            if copies {
                // SAFETY: there is room for as much as B holds.
                unsafe { to.add(j * lanes).cast::<T::Lanes<S>>().write_unaligned(register.lanes) };
            }
        }
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: A holds MR rows of `k` elements; in place each row is contiguous, in a panel
            // each step is.
            let x = unsafe { if IN_PLACE { *rows[i].add(p) } else { *panel.add(i) } };
            let x = Vector::splat(simd, x);
            for (sum, register) in sums.iter_mut().zip(width) {
                *sum = x.mul_add(register, *sum);
            }
        }
        b = b.wrapping_offset(call.b_k);
        if copies {
            to = to.wrapping_add(NV * lanes);
        }
        panel = panel.wrapping_offset(call.a_k);
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
    let whole = call.cols == NV * lanes;
    for (i, row) in sums.into_iter().enumerate() {
        // SAFETY: C holds MR rows of `cols` elements, for us alone.
        let c = unsafe { call.c.add(i * call.c_row) };
        for (j, sum) in row.into_iter().enumerate() {
            let len = if whole { lanes } else { lanes.min(call.cols - j * lanes) };
            // SAFETY: the columns of register j that exist.
            let c = unsafe { std::slice::from_raw_parts_mut(c.add(j * lanes), len) };
            if call.add {
                alpha.mul_add(sum, Vector::load(simd, c)).store(c);
            } else {
                (alpha * sum).store(c);
            }
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
