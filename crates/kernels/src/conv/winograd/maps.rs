//! The one-dimensional maps of Winograd's algorithm, each on a few registers at once.
//!
//! An algorithm for `M` outputs and `R` taps multiplies `N = M + R - 1` pairs: values of two
//! polynomials at `N - 1` points and at infinity. The points are 0, ±1 for `N = 4`, ±√½, ±√2 for
//! `N = 5`, and all three kinds for `N = 6`: with these the numbers in the maps lie closer together
//! than with 0, ±1, ±2, and the error is a third.
//!
//! ```text
//! input     Bᵀ d   N to N   coefficients of d by the polynomials that vanish at all other points
//! evaluate  A y    K to N   values at the points of the polynomial with K coefficients
//! combine   Aᵀ m   N to K   its transpose
//! ```
//!
//! With scales, `evaluate` is the map G of the weight, and `combine` the map Gᵀ of its gradient.
//!
//! Three taps that move two places at a time are two convolutions that move one place at a time: the
//! outer taps over the even places, by the algorithm for `N = 5`, and the middle tap over the odd
//! ones, by as many products as there are outputs. [`HALVES`] is the number of both.
//!
//! Reference: Lavin and Gray 2016; the maps for any points: Barabasz et al. 2018, section 2.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};
use std::mem::MaybeUninit;

use pulp::Simd;

use crate::array;
use crate::simd::Vector;

type Register<S> = Vector<f32, S>;

/// The positive points, and the scale that the map G has there.
const fn pairs(n: usize) -> [(f64, f64); 2] {
    match n {
        4 => [(1.0, 0.5), (0.0, 0.0)],
        5 => [(FRAC_1_SQRT_2, -1.0 / 3.0), (SQRT_2, 1.0 / 3.0)],
        6 => [(FRAC_1_SQRT_2, -2.0 / 3.0), (SQRT_2, 1.0 / 6.0)],
        _ => panic!("there are points for 4 to 6"),
    }
}

/// How many points are 0.
const fn zeros(n: usize) -> usize {
    (n + 1) % 2
}

/// The scale of G at 0.
const fn scale_of_zero(n: usize) -> f64 {
    if n == 4 { -1.0 } else { 1.0 }
}

/// `Bᵀ d`
#[inline(always)]
fn input<S: Simd, const N: usize>(simd: S, d: [Register<S>; N]) -> [Register<S>; N] {
    let number = |x: f64| Vector::constant(simd, x);
    if const { N == 4 } {
        let t = [d[2] - d[0], d[1] + d[2], d[2] - d[1], d[3] - d[1]];
        return array::from_fn(
            #[inline(always)]
            |i| t[i],
        );
    }
    let mut t = [d[2].mul_add(number(-2.5), d[0] + d[4 % N]); 6];
    if const { zeros(N) == 1 } {
        t[5] = d[3].mul_add(number(-2.5), d[1] + d[5 % N]);
    }
    // At one pair of points the square of the other one stands, which is 1 / its own.
    let mut pair = 0;
    while pair < 2 {
        let (point, other) = (pairs(N)[pair].0, -pairs(N)[1 - pair].0 * pairs(N)[1 - pair].0);
        let third = d[1].mul_add(number(other), d[3]);
        let (even, factor) = if const { zeros(N) == 1 } {
            (d[2].mul_add(number(other), d[4 % N]), point)
        } else {
            (d[0].mul_add(number(other), d[2]), 1.0 / point)
        };
        t[zeros(N) + 2 * pair] = third.mul_add(number(factor), even);
        t[zeros(N) + 2 * pair + 1] = third.mul_add(number(-factor), even);
        pair += 1;
    }
    array::from_fn(
        #[inline(always)]
        |i| t[i],
    )
}

/// `A c`, or `G c` if scaled: values of the polynomial with the coefficients `c`.
#[inline(always)]
fn evaluate<S: Simd, const K: usize, const N: usize>(
    simd: S,
    c: [Register<S>; K],
    scaled: bool,
) -> [Register<S>; N] {
    let number = |x: f64| Vector::constant(simd, x);
    let mut t = [c[0]; N];
    if scaled && zeros(N) == 1 && scale_of_zero(N) != 1.0 {
        t[0] = c[0] * number(scale_of_zero(N));
    }
    t[N - 1] = c[K - 1];
    let mut pair = 0;
    while 2 * pair + zeros(N) + 1 < N {
        let (point, scale) = pairs(N)[pair];
        let scale = if scaled { scale } else { 1.0 };
        let mut power = scale * point;
        let mut halves = [if scaled { c[0] * number(scale) } else { c[0] }, c[1] * number(power)];
        let mut k = 2;
        while k < K {
            power *= point;
            halves[k % 2] = c[k].mul_add(number(power), halves[k % 2]);
            k += 1;
        }
        t[zeros(N) + 2 * pair] = halves[0] + halves[1];
        t[zeros(N) + 2 * pair + 1] = halves[0] - halves[1];
        pair += 1;
    }
    t
}

/// `Aᵀ t`, or `Gᵀ t` if scaled.
#[inline(always)]
fn combine<S: Simd, const N: usize, const K: usize>(
    simd: S,
    t: [Register<S>; N],
    scaled: bool,
) -> [Register<S>; K] {
    let number = |x: f64| Vector::constant(simd, x);
    let mut y = [Vector::splat(simd, 0.0); K];
    if const { zeros(N) == 1 } {
        y[0] = if scaled { t[0] * number(scale_of_zero(N)) } else { t[0] };
    }
    let mut pair = 0;
    while 2 * pair + zeros(N) + 1 < N {
        let (point, scale) = pairs(N)[pair];
        let mut power = if scaled { scale } else { 1.0 };
        let (plus, minus) = (t[zeros(N) + 2 * pair], t[zeros(N) + 2 * pair + 1]);
        let halves = [plus + minus, plus - minus];
        let mut k = 0;
        while k < K {
            y[k] = halves[k % 2].mul_add(number(power), y[k]);
            power *= point;
            k += 1;
        }
        pair += 1;
    }
    y[K - 1] += t[N - 1];
    y
}

/// The products of three taps that move two places at a time: [`EVEN`] of the outer taps, then as
/// many as outputs of the middle one.
pub(super) const HALVES: usize = 9;
const EVEN: usize = 5;

/// Every `step`-th of some registers.
#[inline(always)]
fn every<S: Simd, const A: usize, const B: usize>(
    step: usize,
    first: usize,
    d: [Register<S>; A],
) -> [Register<S>; B] {
    array::from_fn(
        #[inline(always)]
        |i| d[first + step * i],
    )
}

/// Five values, then of all registers every `step`-th from `first` on.
#[inline(always)]
fn halves<S: Simd, const A: usize, const N: usize>(
    even: [Register<S>; EVEN],
    (step, first): (usize, usize),
    d: [Register<S>; A],
) -> [Register<S>; N] {
    array::from_fn(
        #[inline(always)]
        |i| if i < EVEN { even[i] } else { d[first + step * (i - EVEN)] },
    )
}

/// What a tile of an image becomes. With one place at a time that is `Bᵀ d` of `N` places, `A d` of
/// fewer; with two, a tile is nine places that become four outputs, five outputs that become eight
/// places, or the four outputs themselves.
#[inline(always)]
pub(super) fn spread<S: Simd, const A: usize, const N: usize>(
    simd: S,
    d: [Register<S>; A],
) -> [Register<S>; N] {
    if const { N == HALVES } {
        return match A {
            9 => halves(input(simd, every(2, 0, d)), (2, 1), d),
            5 => halves(input(simd, every(1, 0, d)), (1, 0), d),
            _ => halves(evaluate(simd, d, false), (1, 0), d),
        };
    }
    if const { A < N } {
        return evaluate(simd, d, false);
    }
    input(simd, every(1, 0, d))
}

/// What a tile's sums become: `M` outputs, or eight places that four outputs saw.
#[inline(always)]
pub(super) fn gather<S: Simd, const N: usize, const M: usize>(
    simd: S,
    t: [Register<S>; N],
) -> [Register<S>; M] {
    if const { N != HALVES } {
        return combine(simd, t, false);
    }
    let outer: [Register<S>; 4] = combine::<S, EVEN, 4>(simd, every(1, 0, t), false);
    array::from_fn(
        #[inline(always)]
        |i| match M {
            4 => outer[i % 4] + t[(EVEN + i) % N],
            _ if i % 2 == 1 => outer[i / 2],
            _ => t[(EVEN + i / 2) % N],
        },
    )
}

/// What the taps become, for algorithms of `N` products: `U` numbers.
#[inline(always)]
pub(super) fn enter<S: Simd, const R: usize, const N: usize, const U: usize>(
    simd: S,
    g: [Register<S>; R],
) -> [Register<S>; U] {
    if const { N != HALVES } {
        return evaluate(simd, g, true);
    }
    halves(evaluate::<S, 2, EVEN>(simd, every(2, 0, g), true), (0, 1), g)
}

/// What the sums for the taps' numbers become: the taps' gradients.
#[inline(always)]
pub(super) fn leave<S: Simd, const R: usize, const N: usize, const U: usize>(
    simd: S,
    t: [Register<S>; U],
) -> [Register<S>; R] {
    if const { N != HALVES } {
        return combine(simd, t, true);
    }
    let outer: [Register<S>; 2] = combine::<S, EVEN, 2>(simd, every(1, 0, t), true);
    array::from_fn(
        #[inline(always)]
        |i| if i == 1 { t[EVEN % U] } else { outer[i / 2] },
    )
}

/// Which of the `U` by `U` numbers of the taps each of the `N` by `N` products has: the middle tap's
/// number stands at all of its outputs.
pub(super) fn of_taps<const N: usize, const U: usize>(product: usize) -> usize {
    (product / N).min(U - 1) * U + (product % N).min(U - 1)
}

/// Applies a map to all columns of a square, then to all rows of what that gives.
#[inline(always)]
pub(super) fn both<S: Simd, const A: usize, const B: usize>(
    load: impl Fn(usize, usize) -> Register<S>,
    map: impl Fn([Register<S>; A]) -> [Register<S>; B],
    mut store: impl FnMut(usize, usize, Register<S>),
) {
    // An array made by a function would be copied to where it stays.
    let mut columns = [const { MaybeUninit::<[Register<S>; B]>::uninit() }; A];
    let mut col = 0;
    while col < A {
        columns[col].write(map(array::from_fn(
            #[inline(always)]
            |row| load(row, col),
        )));
        col += 1;
    }
    let mut k = 0;
    while k < B {
        let line = map(array::from_fn(
            // SAFETY: all columns have just been written.
            #[inline(always)]
            |col| unsafe { columns[col].assume_init_ref()[k] },
        ));
        let mut l = 0;
        while l < B {
            store(k, l, line[l]);
            l += 1;
        }
        k += 1;
    }
}
