//! The micro-kernels: a few places by one or two registers of output channels, summed over runs
//! of input channels; and a few pairs of tap and input channel by output channels, summed over
//! places.
//!
//! ```text
//! sum[MR][NV registers] = 0
//! for each run (offset, len), for p in 0..len:
//!     load NV registers of the weights' panel
//!     for i in 0..MR: sum[i] += x[place[i] + offset + p] * those registers
//! ```
//!
//! Places, and rows of the gradient by the weight, lie anywhere, so each is read through a pointer
//! of its own: eight of them fit the registers of addresses, and eight by two sums keep two
//! multiply-adds a cycle going. With twelve the compiler loads them all first, and sums spill.

use pulp::{Simd, WithSimd};

use crate::Float;
use crate::simd::Vector;

/// A run of neighbouring elements at an offset from a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) offset: usize,
    pub(super) len: usize,
}

/// Registers of a full panel.
pub(super) const NV: usize = 2;

/// Places that one call takes.
pub(super) const fn places_max<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 8 } else { 6 }
}

/// Operands of [`run`].
#[derive(Clone, Copy)]
pub(super) struct Call<'a, T> {
    pub(super) x: &'a [T],
    /// Positions of the places in `x`, and in the output: at most [`places_max`].
    pub(super) places: &'a [[usize; 2]],
    pub(super) runs: &'a [Run],
    /// The panel: a row of registers for each element of the runs.
    pub(super) panel: &'a [T],
    /// Registers of a row of the panel.
    pub(super) wide: bool,
}

/// What becomes of a place's sums, a register at a time.
pub(super) trait Finish<T: Float> {
    /// Takes the sums of output channels `lanes * register ..` of the place at `position`.
    fn finish<S: Simd>(&mut self, simd: S, position: usize, register: usize, sum: Vector<T, S>);
}

/// Sums all runs for some places and hands the sums over.
///
/// # Safety
/// Every run of every place lies in `x`, and the panel has a row for each element of the runs.
#[inline(always)]
pub(super) unsafe fn run<T: Float, S: Simd>(
    simd: S,
    call: Call<'_, T>,
    finish: &mut impl Finish<T>,
) {
    macro_rules! sized {
        ($few:literal, $many:literal) => {
            match (call.places.len() > $few, call.wide) {
                (false, false) => simd.vectorize(Sized::<T, _, $few, 1>(call, finish)),
                (false, true) => simd.vectorize(Sized::<T, _, $few, 2>(call, finish)),
                (true, false) => simd.vectorize(Sized::<T, _, $many, 1>(call, finish)),
                (true, true) => simd.vectorize(Sized::<T, _, $many, 2>(call, finish)),
            }
        };
    }
    match const { S::REGISTER_COUNT >= 32 } {
        true => sized!(4, 8),
        false => sized!(3, 6),
    }
}

/// A call, made only by [`run`] under its promises: a function of its own for each size, so that
/// each has its registers to itself.
struct Sized<'a, 'f, T, F, const MR: usize, const NV: usize>(Call<'a, T>, &'f mut F);

impl<T: Float, F: Finish<T>, const MR: usize, const NV: usize> WithSimd
    for Sized<'_, '_, T, F, MR, NV>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Sized(call, finish) = self;
        // SAFETY: by the promises of `run`.
        let sums = unsafe { multiply::<T, S, MR, NV>(simd, &call) };
        for (place, sums) in call.places.iter().zip(sums) {
            for (register, sum) in sums.into_iter().enumerate() {
                finish.finish(simd, place[1], register, sum);
            }
        }
    }
}

/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn multiply<T: Float, S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    call: &Call<'_, T>,
) -> [[Vector<T, S>; NV]; MR] {
    let mut sums = [[Vector::splat(simd, T::ZERO); NV]; MR];
    let lanes = T::lanes::<S>();
    let last = call.places.len() - 1;
    // Where there are fewer places, the last one is summed again, and dropped.
    let places: [*const T; MR] =
        std::array::from_fn(|i| call.x.as_ptr().wrapping_add(call.places[i.min(last)][0]));
    let mut panel = call.panel.as_ptr();
    for run in call.runs {
        let places = places.map(|place| place.wrapping_add(run.offset));
        for p in 0..run.len {
            let mut width = [Vector::splat(simd, T::ZERO); NV];
            for (j, register) in width.iter_mut().enumerate() {
                // SAFETY: the panel has a row of NV registers for each element of the runs.
                *register = unsafe { load(simd, panel.add(j * lanes)) };
            }
            for (sums, place) in sums.iter_mut().zip(places) {
                // SAFETY: every run of every place lies in `x`.
                let x = Vector::splat(simd, unsafe { *place.add(p) });
                for (sum, register) in sums.iter_mut().zip(width) {
                    *sum = x.mul_add(register, *sum);
                }
            }
            panel = panel.wrapping_add(NV * lanes);
        }
    }
    sums
}

/// # Safety
/// A register's width must be readable at `from`.
#[inline(always)]
pub(super) unsafe fn load<T: Float, S: Simd>(simd: S, from: *const T) -> Vector<T, S> {
    // SAFETY: registers are plain arrays of elements; reading needs no alignment.
    Vector::new(simd, unsafe { from.cast::<T::Lanes<S>>().read_unaligned() })
}

/// Operands of [`outer`].
#[derive(Clone, Copy)]
pub(super) struct Outer<'a, T> {
    pub(super) x: &'a [T],
    pub(super) dy: &'a [T],
    /// Positions of the places in `x`, and in `dy`.
    pub(super) places: &'a [[usize; 2]],
    /// From a place to what each row multiplies: as many as [`rows`] gave.
    pub(super) offsets: &'a [usize],
    /// From a place to the first of the output channels.
    pub(super) column: usize,
    /// Output channels, at most two registers.
    pub(super) cols: usize,
}

/// How many rows, of `left`, one call of [`outer`] takes.
pub(super) const fn rows<S: Simd>(left: usize) -> usize {
    let max = if S::REGISTER_COUNT >= 32 { 8 } else { 6 };
    if left < max { left } else { max }
}

/// `dw[i * step + j] += Σ x[place + offsets[i]] dy[place + column + j]` over all places, for all
/// rows `i` and `cols` output channels `j`.
///
/// # Safety
/// All elements lie in `x` and `dy`.
#[inline(always)]
pub(super) unsafe fn outer<T: Float, S: Simd>(
    simd: S,
    call: Outer<'_, T>,
    dw: &mut [T],
    step: usize,
) {
    let lanes = T::lanes::<S>();
    macro_rules! sized {
        ($($rows:literal)*) => {
            match (call.offsets.len(), call.cols == 2 * lanes) {
                $(
                    (..=$rows, true) => {
                        simd.vectorize(SizedOuter::<T, $rows, 2, true>(call, dw, step))
                    }
                    (..=$rows, false) => {
                        for first in (0..call.cols).step_by(lanes) {
                            let cols = lanes.min(call.cols - first);
                            let (column, dw) = (call.column + first, &mut dw[first..]);
                            let call = Outer { column, cols, ..call };
                            match cols == lanes {
                                true => simd.vectorize(
                                    SizedOuter::<T, $rows, 1, true>(call, dw, step)
                                ),
                                false => simd.vectorize(
                                    SizedOuter::<T, $rows, 1, false>(call, dw, step)
                                ),
                            }
                        }
                    }
                )*
                _ => unreachable!("the caller keeps to rows"),
            }
        };
    }
    match const { S::REGISTER_COUNT >= 32 } {
        true => sized!(1 4 8),
        false => sized!(1 4 6),
    }
}

/// A call, made only by [`outer`] under its promises.
struct SizedOuter<'a, T, const MR: usize, const NV: usize, const FULL: bool>(
    Outer<'a, T>,
    &'a mut [T],
    usize,
);

impl<T: Float, const MR: usize, const NV: usize, const FULL: bool> WithSimd
    for SizedOuter<'_, T, MR, NV, FULL>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let SizedOuter(call, dw, step) = self;
        // SAFETY: by the promises of `outer`.
        let sums = unsafe { sum_places::<T, S, MR, NV, FULL>(simd, &call) };
        let lanes = T::lanes::<S>();
        for (i, sums) in sums.into_iter().enumerate().take(call.offsets.len()) {
            for (j, sum) in sums.into_iter().enumerate() {
                let first = i * step + j * lanes;
                let dw = &mut dw[first..first + lanes.min(call.cols - j * lanes)];
                (Vector::load(simd, dw) + sum).store(dw);
            }
        }
    }
}

/// # Safety
/// As [`outer`].
#[inline(always)]
unsafe fn sum_places<T: Float, S: Simd, const MR: usize, const NV: usize, const FULL: bool>(
    simd: S,
    call: &Outer<'_, T>,
) -> [[Vector<T, S>; NV]; MR] {
    let mut sums = [[Vector::splat(simd, T::ZERO); NV]; MR];
    let lanes = T::lanes::<S>();
    // Where there are fewer rows, the last one is summed again, and dropped.
    let last = call.offsets.len() - 1;
    let rows: [*const T; MR] =
        std::array::from_fn(|i| call.x.as_ptr().wrapping_add(call.offsets[i.min(last)]));
    let dy = call.dy.as_ptr().wrapping_add(call.column);
    for &[from, to] in call.places {
        let mut width = [Vector::splat(simd, T::ZERO); NV];
        for (j, register) in width.iter_mut().enumerate() {
            let at = dy.wrapping_add(to + j * lanes);
            // SAFETY: `cols` output channels of every place lie in `dy`.
            *register = unsafe {
                match FULL {
                    true => load(simd, at),
                    false => Vector::load(simd, std::slice::from_raw_parts(at, call.cols)),
                }
            };
        }
        for (sums, row) in sums.iter_mut().zip(rows) {
            // SAFETY: every row of every place lies in `x`.
            let x = Vector::splat(simd, unsafe { *row.wrapping_add(from) });
            for (sum, register) in sums.iter_mut().zip(width) {
                *sum = x.mul_add(register, *sum);
            }
        }
    }
    sums
}
