//! Loops over the registers of a few rows in step, for kernels that are inside a dispatch.
//!
//! A rest shorter than a register is padded with a fill value per row, chosen by the caller so
//! that it does not count (0 in a sum of products, -inf under exp). Accumulators exist
//! [`COPIES`] times, so that dependent operations overlap; the copies are joined at the end.

use pulp::Simd;

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
    let lanes = T::lanes::<S>();
    let len = x[0].len();
    let x = x.map(
        #[inline(always)]
        |x| &x[..len],
    );
    let registers = x.map(
        #[inline(always)]
        |x| T::split::<S>(x).0,
    );
    let count = len / lanes;
    let mut copies = [start; COPIES];
    let mut i = 0;
    while i + COPIES <= count {
        for (copy, accumulators) in copies.iter_mut().enumerate() {
            let x = registers.map(
                #[inline(always)]
                |x| Vector::new(simd, x[i + copy]),
            );
            *accumulators = f(*accumulators, x);
        }
        i += COPIES;
    }
    for i in i..count {
        let x = registers.map(
            #[inline(always)]
            |x| Vector::new(simd, x[i]),
        );
        copies[0] = f(copies[0], x);
    }
    if count * lanes < len {
        let x = std::array::from_fn(
            #[inline(always)]
            |n| load_or(simd, &x[n][count * lanes..], fill[n]),
        );
        copies[0] = f(copies[0], x);
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
        let block = x.map(
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
    let lanes = T::lanes::<S>();
    let len = y.len();
    let x = x.map(
        #[inline(always)]
        |x| &x[..len],
    );
    let registers = x.map(
        #[inline(always)]
        |x| T::split::<S>(x).0,
    );
    let count = len / lanes;
    let (y, y_rest) = T::split_mut::<S>(y);
    let mut copies = [start; 2];
    let mut i = 0;
    while i + 2 <= count {
        for (copy, accumulators) in copies.iter_mut().enumerate() {
            let x = registers.map(
                #[inline(always)]
                |x| Vector::new(simd, x[i + copy]),
            );
            let (next, out) = f(*accumulators, x);
            *accumulators = next;
            y[i + copy] = out.lanes;
        }
        i += 2;
    }
    for i in i..count {
        let (next, out) = f(
            copies[0],
            registers.map(
                #[inline(always)]
                |x| Vector::new(simd, x[i]),
            ),
        );
        copies[0] = next;
        y[i] = out.lanes;
    }
    if !y_rest.is_empty() {
        let x = std::array::from_fn(
            #[inline(always)]
            |n| load_or(simd, &x[n][count * lanes..], fill[n]),
        );
        let (next, out) = f(copies[0], x);
        copies[0] = next;
        out.store(y_rest);
    }
    joined(copies, join)
}

/// Joins the copies of each accumulator in a fixed order.
#[inline(always)]
fn joined<T: Float, S: Simd, const A: usize, const C: usize>(
    copies: [[Vector<T, S>; A]; C],
    join: impl Fn(Vector<T, S>, Vector<T, S>) -> Vector<T, S>,
) -> [Vector<T, S>; A] {
    std::array::from_fn(
        #[inline(always)]
        |a| {
            let mut total = copies[0][a];
            for copy in &copies[1..] {
                total = join(total, copy[a]);
            }
            total
        },
    )
}

/// Loads fewer elements than a register holds, and `fill` behind them.
#[inline(always)]
fn load_or<T: Float, S: Simd>(simd: S, rest: &[T], fill: T) -> Vector<T, S> {
    let x = Vector::load(simd, rest);
    if fill == T::ZERO {
        // What a partial load puts there anyway.
        return x;
    }
    let lanes: [T; LANES_MAX] = std::array::from_fn(
        #[inline(always)]
        |lane| T::from_usize(lane),
    );
    let is_loaded = Vector::load(simd, &lanes).less(Vector::splat(simd, T::from_usize(rest.len())));
    is_loaded.select(x, Vector::splat(simd, fill))
}
