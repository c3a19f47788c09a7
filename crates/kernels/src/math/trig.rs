//! sin and cos: vector polynomials in f32, the standard library in f64.

use pulp::Simd;

use super::polynomial;
use crate::element::{DType, Float};
use crate::simd::{Mask, Vector};

/// pi/2 in four parts; the first three have 11 bits or fewer, so that their products with an
/// integer below 2^13 are exact without FMA.
const PI_HALF: [f64; 4] =
    [1.5703125, 4.837512969970703e-4, 7.549533620476723e-8, 2.563344151594519e-12];
/// Up to here `x / (pi/2)` stays below 2^13; larger arguments go to the standard library, whose
/// reduction is exact for all of them.
const VECTOR_MAX: f64 = 12_000.0;
/// `s` in `sin(r) = r + r^3 s(r^2)`, `|r| <= pi/4`.
const SIN_S: &[f64] = &[-1.6666667e-1, 8.333329e-3, -1.983933e-4, 2.7182746e-6];
/// `c` in `cos(r) = 1 - r^2/2 + r^4 c(r^2)`, `|r| <= pi/4`.
const COS_C: &[f64] = &[4.1666646e-2, -1.3887364e-3, 2.4438092e-5];

/// Sine. NaN at infinities.
#[inline(always)]
pub fn sin<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    if goes_to_std(x) {
        return x.map(T::sin);
    }
    let (n, r) = reduce(x);
    let quarter = quarter_turns(n);
    // Of the quarters 0, 1, 2, -1 (and -2), sine is negative in 2, -1 and -2.
    let negative = quarter.less(x.same(-T::HALF)) | x.same(T::ONE).less(quarter);
    let y = sin_or_cos(r, quarter, true, negative);
    // The reduction loses the sign of -0.
    x.equal(x.same(T::ZERO)).select(x, y)
}

/// Cosine. NaN at infinities.
#[inline(always)]
pub fn cos<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    if goes_to_std(x) {
        return x.map(T::cos);
    }
    let (n, r) = reduce(x);
    let quarter = quarter_turns(n);
    // Cosine is negative in the quarters 1, 2 and -2.
    let minus_one = x.same(-T::ONE);
    let negative = x.same(T::HALF).less(quarter) | quarter.less(minus_one);
    sin_or_cos(r, quarter, false, negative)
}

/// Whether the type or some argument is not for the vector code. NaN is.
#[inline(always)]
fn goes_to_std<T: Float, S: Simd>(x: Vector<T, S>) -> bool {
    T::DTYPE == DType::F64 || x.same(T::from_f64(VECTOR_MAX)).less(x.abs()).any()
}

/// `n` and `r` of `x = n pi/2 + r`, `|r| <= pi/4`.
#[inline(always)]
fn reduce<T: Float, S: Simd>(x: Vector<T, S>) -> (Vector<T, S>, Vector<T, S>) {
    let n = x.round_product(T::from_f64(std::f64::consts::FRAC_2_PI));
    let mut r = x;
    for part in PI_HALF {
        r = n.mul_add(x.same(T::from_f64(-part)), r);
    }
    (n, r)
}

/// `n` modulo 4, in -2..=2.
#[inline(always)]
fn quarter_turns<T: Float, S: Simd>(n: Vector<T, S>) -> Vector<T, S> {
    let turns = (n * n.same(T::from_f64(0.25))).round_small();
    turns.mul_add(n.same(T::from_f64(-4.0)), n)
}

/// `sin(r)` in even quarters and `cos(r)` in odd ones if `sine`, else the other way round.
#[inline(always)]
fn sin_or_cos<T: Float, S: Simd>(
    r: Vector<T, S>,
    quarter: Vector<T, S>,
    sine: bool,
    negative: Mask<T, S>,
) -> Vector<T, S> {
    let one = r.same(T::ONE);
    let square = r * r;
    let sin = (r * square).mul_add(polynomial(square, SIN_S), r);
    let cos =
        (square * square).mul_add(polynomial(square, COS_C), square.mul_add(r.same(-T::HALF), one));
    let odd = quarter.abs().equal(one);
    let y = if sine { odd.select(cos, sin) } else { odd.select(sin, cos) };
    negative.select(-y, y)
}
