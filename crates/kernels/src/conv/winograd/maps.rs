//! The one-dimensional maps of Winograd's algorithm, each on a few registers at once.
//!
//! An algorithm for `M` outputs and `R` taps multiplies `N = M + R - 1` pairs: values of two
//! polynomials at `N - 1` points and at infinity. The points are 0, ±1 for `N = 4`, and 0, ±√½, ±√2
//! for `N = 6`: with these the numbers in the maps lie closer together than with 0, ±1, ±2, and the
//! error is a third.
//!
//! ```text
//! input     Bᵀ d   N to N   coefficients of d by the polynomials that vanish at all other points
//! evaluate  A y    K to N   values at the points of the polynomial with K coefficients
//! combine   Aᵀ m   N to K   its transpose
//! ```
//!
//! With scales, `evaluate` is the map G of the weight, and `combine` the map Gᵀ of its gradient.
//!
//! Reference: Lavin and Gray 2016; the maps for any points: Barabasz et al. 2018, section 2.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use pulp::Simd;

use crate::array;
use crate::simd::Vector;

type Register<S> = Vector<f32, S>;

/// The positive points, and the scale that the map G has there.
const fn pairs(n: usize) -> [(f64, f64); 2] {
    match n {
        4 => [(1.0, 0.5), (0.0, 0.0)],
        6 => [(FRAC_1_SQRT_2, -2.0 / 3.0), (SQRT_2, 1.0 / 6.0)],
        _ => panic!("there are points for 4 and for 6"),
    }
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
    let ends =
        [d[2].mul_add(number(-2.5), d[0] + d[4 % N]), d[3].mul_add(number(-2.5), d[1] + d[5 % N])];
    // At one pair of points the square of the other one stands, which is 1 / its own.
    let mut t = [ends[0]; 6];
    t[5] = ends[1];
    let mut pair = 0;
    while pair < 2 {
        let (point, other) = (pairs(N)[pair].0, -pairs(N)[1 - pair].0 * pairs(N)[1 - pair].0);
        let even = d[2].mul_add(number(other), d[4 % N]);
        let odd = d[1].mul_add(number(other), d[3]);
        t[1 + 2 * pair] = odd.mul_add(number(point), even);
        t[2 + 2 * pair] = odd.mul_add(number(-point), even);
        pair += 1;
    }
    array::from_fn(
        #[inline(always)]
        |i| t[i],
    )
}

/// `A c`, or `G c` if scaled: values of the polynomial with the coefficients `c`.
#[inline(always)]
pub(super) fn evaluate<S: Simd, const K: usize, const N: usize>(
    simd: S,
    c: [Register<S>; K],
    scaled: bool,
) -> [Register<S>; N] {
    let number = |x: f64| Vector::constant(simd, x);
    let mut t = [c[0]; N];
    if scaled && scale_of_zero(N) != 1.0 {
        t[0] = c[0] * number(scale_of_zero(N));
    }
    t[N - 1] = c[K - 1];
    let mut pair = 0;
    while 2 * pair + 2 < N {
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
        t[1 + 2 * pair] = halves[0] + halves[1];
        t[2 + 2 * pair] = halves[0] - halves[1];
        pair += 1;
    }
    t
}

/// `Aᵀ t`, or `Gᵀ t` if scaled.
#[inline(always)]
pub(super) fn combine<S: Simd, const N: usize, const K: usize>(
    simd: S,
    t: [Register<S>; N],
    scaled: bool,
) -> [Register<S>; K] {
    let number = |x: f64| Vector::constant(simd, x);
    let mut y = [Vector::splat(simd, 0.0); K];
    y[0] = if scaled { t[0] * number(scale_of_zero(N)) } else { t[0] };
    let mut pair = 0;
    while 2 * pair + 2 < N {
        let (point, scale) = pairs(N)[pair];
        let mut power = if scaled { scale } else { 1.0 };
        let (plus, minus) = (t[1 + 2 * pair], t[2 + 2 * pair]);
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

/// What a tile of an image becomes: `Bᵀ d` of `N` places, `A d` of fewer.
#[inline(always)]
pub(super) fn spread<S: Simd, const A: usize, const N: usize>(
    simd: S,
    d: [Register<S>; A],
) -> [Register<S>; N] {
    if const { A < N } {
        return evaluate(simd, d, false);
    }
    input(
        simd,
        array::from_fn(
            #[inline(always)]
            |i| d[i],
        ),
    )
}

/// Applies a map to all columns of a square, then to all rows of what that gives.
#[inline(always)]
pub(super) fn both<S: Simd, const A: usize, const B: usize>(
    load: impl Fn(usize, usize) -> Register<S>,
    map: impl Fn([Register<S>; A]) -> [Register<S>; B],
    mut store: impl FnMut(usize, usize, Register<S>),
) {
    let columns: [[Register<S>; B]; A] = array::from_fn(
        #[inline(always)]
        |col| {
            map(array::from_fn(
                #[inline(always)]
                |row| load(row, col),
            ))
        },
    );
    let mut k = 0;
    while k < B {
        let line = map(array::from_fn(
            #[inline(always)]
            |col| columns[col][k],
        ));
        let mut l = 0;
        while l < B {
            store(k, l, line[l]);
            l += 1;
        }
        k += 1;
    }
}
