//! sin, cos and tan: vector polynomials in f32, the standard library in f64.

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
/// `t` in `tan(r) = r + r^3 t(r^2)`, `|r| <= pi/4`: Cephes, single/tanf.c.
const TAN_T: &[f64] = &[
    3.333_315_685_48e-1,
    1.333_879_940_85e-1,
    5.341_128_070_05e-2,
    2.443_013_545_25e-2,
    3.119_922_326_97e-3,
    9.385_401_855_43e-3,
];

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

/// Tangent. NaN at infinities.
#[inline(always)]
pub fn tan<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    if goes_to_std(x) {
        return x.map(T::tan);
    }
    let (n, r) = reduce(x);
    let square = r * r;
    let tan = (r * square).mul_add(polynomial(square, TAN_T), r);
    // tan(r + pi/2) = -1 / tan(r)
    let odd = quarter_turns(n).abs().equal(x.same(T::ONE));
    let y = odd.select(x.same(-T::ONE), tan) / odd.select(tan, x.same(T::ONE));
    x.equal(x.same(T::ZERO)).select(x, y)
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
