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
use crate::prefetch::to_read_later;
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
    /// Output channels of the panel, and what their sums start from unless that is zero.
    pub(super) cols: usize,
    pub(super) bias: Option<&'a [T]>,
    /// The panel's first output channel of the place at position 0.
    pub(super) y: *mut T,
    /// Whether sums are added to what is there.
    pub(super) adds: bool,
}

/// Sums all runs for some places and writes the sums to the output.
///
/// # Safety
/// - Every run of every place lies in `x`, and the panel has a row for each element of the runs.
/// - From the output's position of every place on there are `cols` elements, for us alone.
#[inline(always)]
pub(super) unsafe fn run<T: Float, S: Simd>(simd: S, call: Call<'_, T>) {
    macro_rules! sized {
        ($few:literal, $many:literal) => {
            match (call.places.len() > $few, call.cols > T::lanes::<S>()) {
                (false, false) => simd.vectorize(Sized::<T, $few, 1>(call)),
                (false, true) => simd.vectorize(Sized::<T, $few, 2>(call)),
                (true, false) => simd.vectorize(Sized::<T, $many, 1>(call)),
                (true, true) => simd.vectorize(Sized::<T, $many, 2>(call)),
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
struct Sized<'a, T, const MR: usize, const NV: usize>(Call<'a, T>);

impl<T: Float, const MR: usize, const NV: usize> WithSimd for Sized<'_, T, MR, NV> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let call = self.0;
        // SAFETY: by the promises of `run`.
        unsafe {
            let sums = multiply::<T, S, MR, NV>(simd, &call);
            write::<T, S, MR, NV>(simd, &call, sums);
        }
    }
}

/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn write<T: Float, S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    call: &Call<'_, T>,
    sums: [[Vector<T, S>; NV]; MR],
) {
    let lanes = T::lanes::<S>();
    if call.cols < NV * lanes {
        for (place, sums) in call.places.iter().zip(sums) {
            for (j, sum) in sums.into_iter().enumerate() {
                let from = call.y.wrapping_add(place[1] + j * lanes);
                // SAFETY: `cols` elements are there for us alone.
                let y = unsafe {
                    std::slice::from_raw_parts_mut(from, lanes.min(call.cols - j * lanes))
                };
                let sum = if call.adds { Vector::load(simd, y) + sum } else { sum };
                sum.store(y);
            }
        }
        return;
    }
    // All rows by constant indices: sums whose address is taken would live in memory.
    for (i, sums) in sums.into_iter().enumerate() {
        if i >= call.places.len() {
            break;
        }
        for (j, sum) in sums.into_iter().enumerate() {
            let y = call.y.wrapping_add(call.places[i][1] + j * lanes);
            // SAFETY: whole registers are there for us alone.
            unsafe {
                let sum = if call.adds { load(simd, y) + sum } else { sum };
                y.cast::<T::Lanes<S>>().write_unaligned(sum.lanes);
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
    let lanes = T::lanes::<S>();
    let mut start = [Vector::splat(simd, T::ZERO); NV];
    if let Some(bias) = call.bias {
        for (j, start) in start.iter_mut().enumerate() {
            *start = Vector::load(simd, &bias[j * lanes..call.cols.min((j + 1) * lanes)]);
        }
    }
    let mut sums = [start; MR];
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
    /// Positions of the places in `x`.
    pub(super) places: &'a [[usize; 2]],
    /// For each place two registers of output channels, or one where `cols` do not need more, and
    /// the elements from one place to the next.
    pub(super) dy: (&'a [T], usize),
    /// What will be read after some calls, and elements of it for each place.
    pub(super) ahead: (*const T, usize),
    /// From a place to what each row multiplies: as many as [`rows`] gave.
    pub(super) offsets: &'a [usize],
    /// Output channels.
    pub(super) cols: usize,
}

/// How many rows, of `left`, one call of [`outer`] takes.
pub(super) const fn rows<S: Simd>(left: usize) -> usize {
    let max = if S::REGISTER_COUNT >= 32 { 8 } else { 6 };
    if left < max { left } else { max }
}

/// `dw[i * step + j] += Σ x[place + offsets[i]] dy[place][j]` over all places, for all rows `i` and
/// `cols` output channels `j`.
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
    macro_rules! sized {
        ($($rows:literal)*) => {
            match (call.offsets.len(), call.cols > T::lanes::<S>()) {
                $(
                    (..=$rows, true) => simd.vectorize(SizedOuter::<T, $rows, 2>(call, dw, step)),
                    (..=$rows, false) => simd.vectorize(SizedOuter::<T, $rows, 1>(call, dw, step)),
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
struct SizedOuter<'a, T, const MR: usize, const NV: usize>(Outer<'a, T>, &'a mut [T], usize);

impl<T: Float, const MR: usize, const NV: usize> WithSimd for SizedOuter<'_, T, MR, NV> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let SizedOuter(call, dw, step) = self;
        // SAFETY: by the promises of `outer`.
        let sums = unsafe { sum_places::<T, S, MR, NV>(simd, &call) };
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
unsafe fn sum_places<T: Float, S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    call: &Outer<'_, T>,
) -> [[Vector<T, S>; NV]; MR] {
    let mut sums = [[Vector::splat(simd, T::ZERO); NV]; MR];
    let lanes = T::lanes::<S>();
    // Where there are fewer rows, the last one is summed again, and dropped.
    let last = call.offsets.len() - 1;
    let rows: [*const T; MR] =
        std::array::from_fn(|i| call.x.as_ptr().wrapping_add(call.offsets[i.min(last)]));
    let (mut dy, step) = (call.dy.0.as_ptr(), call.dy.1);
    let (mut ahead, ahead_step) = call.ahead;
    for &[from, _] in call.places {
        to_read_later(ahead);
        ahead = ahead.wrapping_add(ahead_step);
        let mut width = [Vector::splat(simd, T::ZERO); NV];
        for (j, register) in width.iter_mut().enumerate() {
            // SAFETY: every place has NV registers in `dy`.
            *register = unsafe { load(simd, dy.add(j * lanes)) };
        }
        dy = dy.wrapping_add(step);
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
