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

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::ahead::{Ahead, TURN};
use crate::prefetch::{to_read, to_read_later, to_write};
use crate::simd::Vector;
use crate::{Float, array};

/// How many rows of A the micro-kernels come in: one per combination, so that the compiler's work
/// stays in bounds.
#[derive(Clone, Copy)]
enum Registers {
    /// 32 registers of f32: AVX-512, NEON.
    Many,
    /// 16 registers, AVX2, or f64.
    Some,
    /// Baseline and emulated vectors, which nobody runs for speed.
    Few,
}

const fn registers<T: Float, S: Simd>() -> Registers {
    match S::REGISTER_COUNT {
        // In f64, 6 rows by 2 registers keep the multiply-adds busy as well, with half the code.
        32.. if size_of::<T>() == 4 => Registers::Many,
        16.. if !S::IS_SCALAR => Registers::Some,
        _ => Registers::Few,
    }
}

/// The most rows of A that one call takes, when its rows lie in one panel.
pub(crate) const fn rows_max<T: Float, S: Simd>() -> usize {
    Kernels::<T, S>::PANEL.len()
}

/// The most rows of A that one call takes when they are read in place, each through a pointer of
/// its own.
pub(crate) const fn rows_in_place_max<T: Float, S: Simd>() -> usize {
    Kernels::<T, S>::IN_PLACE.len()
}

/// Registers of B's width in a full panel.
pub(crate) const NV: usize = 2;

/// Operands of one call. Strides are in elements.
#[derive(Clone, Copy)]
pub(crate) struct Call<T> {
    pub(crate) k: usize,
    /// A: `rows` times `k`.
    pub(crate) a: *const T,
    pub(crate) a_row: isize,
    pub(crate) a_k: isize,
    /// B: `k` rows of whole registers.
    pub(crate) b: *const T,
    pub(crate) b_k: isize,
    /// Where to copy B's registers on the way, step after step; null for nowhere.
    pub(crate) b_to: *mut T,
    /// Memory that a later call reads, to be brought into the L2 cache.
    pub(crate) ahead: Ahead<T>,
    /// What the scaled sums are added to (null stands for zeros; elements from one row to the next
    /// may be 0), and where they go: `rows` times `cols`, each with the elements from one row to the
    /// next.
    pub(crate) from: (*const T, usize),
    pub(crate) to: (*mut T, usize),
    pub(crate) cols: usize,
    pub(crate) alpha: T,
}

/// Runs the micro-kernel for `rows` rows and as many registers as `cols` needs, at most [`NV`].
///
/// # Safety
/// - A holds `rows` rows and `k` steps by its strides; either `a_row` or `a_k` is 1.
/// - B holds `k` rows of one register, or of two if `cols` exceeds one.
/// - `b_to` is null or has room for as much as B holds, and nobody else uses that meanwhile.
/// - `to` and, unless null, `from` hold `rows` rows of `cols` elements, and nobody else writes them
///   or reads `to` meanwhile. They may be the same.
/// - `rows` is at least 1 and at most [`rows_max`] if `a_row` is 1, else [`rows_in_place_max`].
#[inline(always)]
pub(crate) unsafe fn run<T: Float, S: Simd>(simd: S, rows: usize, call: &Call<T>) {
    let kernels = if call.a_row == 1 { Kernels::<T, S>::PANEL } else { Kernels::<T, S>::IN_PLACE };
    let kernel = kernels[rows - 1][usize::from(call.cols > T::lanes::<S>())];
    // SAFETY: by the caller's promise; the kernel is the one of these rows and registers.
    unsafe { kernel(simd, call) }
}

macro_rules! sized {
    ($in_place:literal; $($rows:literal)*) => {
        &[$([sized::<T, S, $rows, 1, $in_place>, sized::<T, S, $rows, 2, $in_place>]),*]
    };
}

/// The micro-kernels of one element type and instruction set, by rows less one, and registers less
/// one. Each is called through its pointer, so that it is compiled once, and not into each of its
/// callers; and has its registers to itself.
struct Kernels<T, S>(PhantomData<(T, S)>);

type Kernel<T, S> = unsafe fn(S, &Call<T>);

impl<T: Float, S: Simd> Kernels<T, S> {
    /// Rows of A in one panel.
    const PANEL: &'static [[Kernel<T, S>; NV]] = match registers::<T, S>() {
        Registers::Many => sized!(false; 1 2 3 4 5 6 7 8 9 10 11 12 13 14),
        Registers::Some => sized!(false; 1 2 3 4 5 6),
        Registers::Few => sized!(false; 1 2),
    };

    /// Rows of A read in place.
    const IN_PLACE: &'static [[Kernel<T, S>; NV]] = match registers::<T, S>() {
        Registers::Many => sized!(true; 1 2 3 4 5 6 7 8 9 10 11 12),
        Registers::Some => sized!(true; 1 2 3 4 5 6),
        Registers::Few => sized!(true; 1 2),
    };
}

/// # Safety
/// As [`run`].
unsafe fn sized<T: Float, S: Simd, const MR: usize, const NV: usize, const IN_PLACE: bool>(
    simd: S,
    call: &Call<T>,
) {
    simd.vectorize(Sized::<T, MR, NV, IN_PLACE>(call));
}

/// A call, made only by [`sized`] under the promises of [`run`].
struct Sized<'a, T, const MR: usize, const NV: usize, const IN_PLACE: bool>(&'a Call<T>);

impl<T: Float, const MR: usize, const NV: usize, const IN_PLACE: bool> WithSimd
    for Sized<'_, T, MR, NV, IN_PLACE>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let call = self.0;
        // SAFETY: by the promises of `run`.
        unsafe {
            let sums = multiply::<T, S, MR, NV, IN_PLACE>(simd, call);
            write::<T, S, MR, NV>(simd, call, sums);
        }
    }
}

/// Memory of panels of A, and of B that is copied on the way, is asked for this many steps ahead.
const AHEAD: isize = 12;

/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn multiply<T: Float, S: Simd, const MR: usize, const NV: usize, const IN_PLACE: bool>(
    simd: S,
    call: &Call<T>,
) -> [[Vector<T, S>; NV]; MR] {
    let mut sums = [[Vector::splat(simd, T::ZERO); NV]; MR];
    let lanes = T::lanes::<S>();
    // Copies, because as far as the compiler knows a store to the panel may change what the caller
    // holds.
    let Call { k, a: mut panel, a_row, a_k, mut b, b_k, b_to: mut to, ahead, .. } = *call;
    let (c_row, copies) = (call.to.1, !to.is_null());
    let rows: [*const T; MR] = array::from_fn(
        #[inline(always)]
        |i| panel.wrapping_offset(i as isize * a_row),
    );
    let (mut turn, mut c) = (ahead.start, call.to.0.cast_const());
    for first in (0..k).step_by(TURN) {
        if first < MR * TURN {
            // One row of the result after the other.
            for line in (0..NV * lanes).step_by(64 / size_of::<T>()) {
                to_write(c.wrapping_add(line));
            }
            c = c.wrapping_add(c_row);
        }
        let mut next = turn;
        turn = turn.wrapping_offset(ahead.turn);
        for p in first..k.min(first + TURN) {
            to_read_later(next);
            next = next.wrapping_offset(ahead.step);
            if !IN_PLACE {
                to_read(panel.wrapping_offset(AHEAD * a_k));
            }
            if copies {
                for j in 0..NV {
                    to_read(b.wrapping_offset(AHEAD * b_k).wrapping_add(j * lanes));
                }
            }
            let mut width = [Vector::splat(simd, T::ZERO); NV];
            for (j, register) in width.iter_mut().enumerate() {
                // SAFETY: B holds `k` rows of NV registers.
                *register = unsafe { load(simd, b.add(j * lanes)) };
                if copies {
                    let to = to.wrapping_add(j * lanes).cast::<T::Lanes<S>>();
                    // SAFETY: there is room for as much as B holds.
                    unsafe { to.write_unaligned(register.lanes) };
                }
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                // SAFETY: A holds MR rows of `k` elements; in place each row is contiguous, in a
                // panel each step is.
                let x = unsafe { if IN_PLACE { *rows[i].add(p) } else { *panel.add(i) } };
                let x = Vector::splat(simd, x);
                for (sum, register) in sums.iter_mut().zip(width) {
                    *sum = x.mul_add(register, *sum);
                }
            }
            b = b.wrapping_offset(b_k);
            if copies {
                to = to.wrapping_add(NV * lanes);
            }
            panel = panel.wrapping_offset(a_k);
        }
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
    if call.cols < NV * lanes {
        // A copy, because sums whose address is taken would live in memory instead of registers.
        let mut copy = [[Vector::splat(simd, T::ZERO).lanes; NV]; MR];
        for (copy, sums) in copy.iter_mut().zip(sums) {
            for (copy, sum) in copy.iter_mut().zip(sums) {
                *copy = sum.lanes;
            }
        }
        // SAFETY: by the caller's promise; registers are plain arrays of elements.
        return unsafe { write_part(call, MR, NV * lanes, copy.as_ptr().cast()) };
    }
    let alpha = Vector::splat(simd, call.alpha);
    let adds = !call.from.0.is_null();
    for (i, row) in sums.into_iter().enumerate() {
        let c = call.to.0.wrapping_add(i * call.to.1);
        let from = call.from.0.wrapping_add(i * call.from.1);
        for (j, sum) in row.into_iter().enumerate() {
            let (c, from) = (c.wrapping_add(j * lanes), from.wrapping_add(j * lanes));
            // SAFETY: C holds MR rows of whole registers, for us alone; so does what is added.
            unsafe {
                let total = if adds { alpha.mul_add(sum, load(simd, from)) } else { alpha * sum };
                c.cast::<T::Lanes<S>>().write_unaligned(total.lanes);
            }
        }
    }
}

/// [`write`] for columns that do not fill the registers, compiled once for all sizes.
///
/// # Safety
/// As [`run`], and `sums` holds `rows` times `width` elements.
#[inline(never)]
unsafe fn write_part<T: Float>(call: &Call<T>, rows: usize, width: usize, sums: *const T) {
    let adds = !call.from.0.is_null();
    for i in 0..rows {
        for j in 0..call.cols {
            // SAFETY: C holds `rows` rows of `cols` elements, for us alone; so does what is added,
            // which may be the same memory: each element is read before it is written.
            unsafe {
                let scaled = call.alpha * *sums.add(i * width + j);
                let total = match adds {
                    true => *call.from.0.add(i * call.from.1 + j) + scaled,
                    false => scaled,
                };
                call.to.0.add(i * call.to.1 + j).write(total);
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
