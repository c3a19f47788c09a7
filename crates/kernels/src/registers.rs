//! Loops over the registers of a few rows in step, for kernels that are inside a dispatch.
//!
//! A rest shorter than a register is padded with a fill value per row, chosen by the caller so
//! that it does not count (0 in a sum of products, -inf under exp). Accumulators exist
//! [`COPIES`] times, so that dependent operations overlap; the copies are joined at the end.

use std::marker::PhantomData;

use pulp::Simd;

use crate::array;
use crate::element::Float;
use crate::simd::Vector;

/// Copies of every accumulator.
const COPIES: usize = 4;

/// Elements summed in `T` before they are widened to `f64`.
pub(crate) const BLOCK: usize = 4096;

/// At least the lanes of any register.
const LANES_MAX: usize = 16;

/// `y[i] = f(x0[i], x1[i], ...)`.
#[inline(always)]
pub(crate) fn map<T: Float, S: Simd, const N: usize>(
    simd: S,
    x: [&[T]; N],
    y: &mut [T],
    f: impl Fn([Vector<T, S>; N]) -> Vector<T, S>,
) {
    map_fold(
        simd,
        x,
        [T::ZERO; N],
        y,
        [],
        #[inline(always)]
        |[], x| ([], f(x)),
        #[inline(always)]
        |a, _| a,
    );
}

/// The accumulators after `f` has taken in every register.
#[inline(always)]
pub(crate) fn fold<T: Float, S: Simd, const N: usize, const A: usize>(
    simd: S,
    x: [&[T]; N],
    fill: [T; N],
    start: [Vector<T, S>; A],
    f: impl Fn([Vector<T, S>; A], [Vector<T, S>; N]) -> [Vector<T, S>; A],
    join: impl Fn(Vector<T, S>, Vector<T, S>) -> Vector<T, S>,
) -> [Vector<T, S>; A] {
    let rows = Rows::<T, S, N>::new(x, x[0].len());
    let mut copies = [start; COPIES];
    let mut i = 0;
    while i + COPIES <= rows.count {
        let mut copy = 0;
        while copy < COPIES {
            // SAFETY: i + copy < count.
            copies[copy] = f(copies[copy], unsafe { rows.whole(simd, i + copy) });
            copy += 1;
        }
        i += COPIES;
    }
    while i * rows.lanes < rows.len {
        copies[0] = f(copies[0], rows.any(simd, i, fill));
        i += 1;
    }
    joined(copies, join)
}

/// `sum f(x0[i], x1[i], ...)`, where padding with `fill` makes f 0: in `T` over blocks of
/// [`BLOCK`] elements, then in `f64`.
#[inline(always)]
pub(crate) fn sum<T: Float, S: Simd, const N: usize>(
    simd: S,
    x: [&[T]; N],
    fill: [T; N],
    f: impl Fn([Vector<T, S>; N]) -> Vector<T, S>,
) -> f64 {
    let zero = [Vector::splat(simd, T::ZERO)];
    let len = x[0].len();
    let mut total = 0.0;
    for start in (0..len).step_by(BLOCK) {
        let block = array::map(
            x,
            #[inline(always)]
            |x| &x[start..len.min(start + BLOCK)],
        );
        let [sum] = fold(
            simd,
            block,
            fill,
            zero,
            #[inline(always)]
            |[sum], x| [sum + f(x)],
            #[inline(always)]
            |a, b| a + b,
        );
        total += sum.reduce_sum().to_f64();
    }
    total
}

/// `(accumulators, y[i]) = f(accumulators, x[i])`: a map and a fold in one pass.
#[inline(always)]
pub(crate) fn map_fold<T: Float, S: Simd, const N: usize, const A: usize>(
    simd: S,
    x: [&[T]; N],
    fill: [T; N],
    y: &mut [T],
    start: [Vector<T, S>; A],
    f: impl Fn([Vector<T, S>; A], [Vector<T, S>; N]) -> ([Vector<T, S>; A], Vector<T, S>),
    join: impl Fn(Vector<T, S>, Vector<T, S>) -> Vector<T, S>,
) -> [Vector<T, S>; A] {
    let rows = Rows::<T, S, N>::new(x, y.len());
    let out = y.as_mut_ptr();
    let mut copies = [start; 2];
    let mut i = 0;
    while i + 2 <= rows.count {
        let mut copy = 0;
        while copy < 2 {
            // SAFETY: i + copy < count.
            let (next, y) = f(copies[copy], unsafe { rows.whole(simd, i + copy) });
            copies[copy] = next;
            // SAFETY: `out` is as long as the rows, and register i + copy lies whole in them.
            unsafe { out.cast::<T::Lanes<S>>().add(i + copy).write_unaligned(y.lanes) };
            copy += 1;
        }
        i += 2;
    }
    while i * rows.lanes < rows.len {
        let (next, result) = f(copies[0], rows.any(simd, i, fill));
        copies[0] = next;
        result.store(&mut y[i * rows.lanes..]);
        i += 1;
    }
    joined(copies, join)
}

/// Slices of one length, register by register.
///
/// Registers are read without a check. With seven rows, their lengths took the place of addresses
/// in the processor's registers: 22 instructions a register instead of 16.
struct Rows<'a, T: Float, S: Simd, const N: usize> {
    /// Each of `len` elements.
    x: [&'a [T]; N],
    len: usize,
    lanes: usize,
    /// Whole registers.
    count: usize,
    simd: PhantomData<S>,
}

impl<'a, T: Float, S: Simd, const N: usize> Rows<'a, T, S, N> {
    #[inline(always)]
    fn new(x: [&'a [T]; N], len: usize) -> Self {
        let lanes = T::lanes::<S>();
        let count = len / lanes;
        let x = array::map(
            x,
            #[inline(always)]
            |x| &x[..len],
        );
        Rows { x, len, lanes, count, simd: PhantomData }
    }

    /// Register `i`, which is a whole one.
    ///
    /// # Safety
    /// `i` is below `count`.
    #[inline(always)]
    unsafe fn whole(&self, simd: S, i: usize) -> [Vector<T, S>; N] {
        array::map(
            self.x,
            #[inline(always)]
            |x| {
                // SAFETY: each slice holds at least `count` registers.
                let lanes = unsafe { x.as_ptr().cast::<T::Lanes<S>>().add(i).read_unaligned() };
                Vector::new(simd, lanes)
            },
        )
    }

    /// Register `i`, which may be the last, padded one.
    #[inline(always)]
    fn any(&self, simd: S, i: usize, fill: [T; N]) -> [Vector<T, S>; N] {
        if i < self.count {
            // SAFETY: as just asked.
            return unsafe { self.whole(simd, i) };
        }
        array::from_fn(
            #[inline(always)]
            |n| load_or(simd, &self.x[n][i * self.lanes..], fill[n]),
        )
    }
}

/// Joins the copies of each accumulator in a fixed order.
#[inline(always)]
fn joined<T: Float, S: Simd, const A: usize, const C: usize>(
    copies: [[Vector<T, S>; A]; C],
    join: impl Fn(Vector<T, S>, Vector<T, S>) -> Vector<T, S>,
) -> [Vector<T, S>; A] {
    array::from_fn(
        #[inline(always)]
        |a| {
            let mut total = copies[0][a];
            let mut copy = 1;
            while copy < C {
                total = join(total, copies[copy][a]);
                copy += 1;
            }
            total
        },
    )
}

/// Loads fewer elements than a register holds, and `fill` behind them.
#[inline(always)]
fn load_or<T: Float, S: Simd>(simd: S, rest: &[T], fill: T) -> Vector<T, S> {
    let x = Vector::new(simd, T::simd_load_partial(simd, rest));
    if fill == T::ZERO {
        // What a partial load puts there anyway.
        return x;
    }
    let lanes: [T; LANES_MAX] = array::from_fn(
        #[inline(always)]
        |lane| T::from_usize(lane),
    );
    let is_loaded = Vector::load(simd, &lanes).less(Vector::splat(simd, T::from_usize(rest.len())));
    is_loaded.select(x, Vector::splat(simd, fill))
}
