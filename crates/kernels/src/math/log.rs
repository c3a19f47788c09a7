//! log, log2, log1p: logarithms by `x = 2^e (1 + f)` and the series of atanh.

use pulp::Simd;

use super::polynomial;
use crate::element::Float;
use crate::simd::Vector;

/// `e` and `m` of a positive finite `x = 2^e m`, `sqrt(1/2) <= m <= sqrt(2)`.
#[inline(always)]
fn split<T: Float, S: Simd>(x: Vector<T, S>) -> (Vector<T, S>, Vector<T, S>) {
    let shift = x.same(T::SUBNORMAL_SHIFT);
    let subnormal = x.less(x.same(T::NORMAL_MIN));
    let x = subnormal.select(x * shift.exp2_int(), x);
    let e = x.exponent() - subnormal.select_or_zero(shift);
    let m = x.mantissa();
    let upper = x.same(T::SQRT_2).less(m);
    (e + upper.select_or_zero(x.same(T::ONE)), upper.select(m * x.same(T::HALF), m))
}

/// `f - ln(1 + f)`, less a small `extra`, for `1 + f` in `[sqrt(1/2), sqrt(2)]`.
#[inline(always)]
fn f_minus_log1p<T: Float, S: Simd>(f: Vector<T, S>, extra: Vector<T, S>) -> Vector<T, S> {
    let s = f / (f.same(T::ONE + T::ONE) + f);
    let z = s * s;
    let half_square = f * f * f.same(T::HALF);
    let tail = z.mul_add(polynomial(z, T::LOG_R), half_square);
    half_square - s.mul_add(tail, extra)
}

/// `y` for finite `x` above `zero`, -inf at `zero`, NaN below, infinity and NaN as they are.
#[inline(always)]
fn with_special_values<T: Float, S: Simd>(
    y: Vector<T, S>,
    x: Vector<T, S>,
    zero: T,
) -> Vector<T, S> {
    let zero = x.same(zero);
    let y = x.less_equal(x.same(T::FINITE_MAX)).select(y, x);
    let y = x.less(zero).select(x.same(T::NAN), y);
    x.equal(zero).select(x.same(T::NEG_INFINITY), y)
}

/// Natural logarithm. -inf at 0, NaN below.
///
/// In f32 within 0.85 ulps on every argument.
#[inline(always)]
pub fn log<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let (e, m) = split(x);
    let f = m - x.same(T::ONE);
    let y = f_minus_log1p(f, e * x.same(T::LN2_LO));
    let y = e.mul_add(x.same(T::LN2_HI), -(y - f));
    with_special_values(y, x, T::ZERO)
}

/// Logarithm to base 2. Exact for powers of 2; -inf at 0, NaN below.
#[inline(always)]
pub fn log2<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let (e, m) = split(x);
    let f = m - x.same(T::ONE);
    let zero = x.same(T::ZERO);
    let log2_e = x.same(T::LOG2_E);
    let low = -(f_minus_log1p(f, zero)) * log2_e;
    let y = e + f.mul_add(log2_e, low);
    with_special_values(y, x, T::ZERO)
}

/// `ln(1 + x)`, accurate near 0. -inf at -1, NaN below.
///
/// In f32 within 0.9 ulps on every argument.
#[inline(always)]
pub fn log1p<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let one = x.same(T::ONE);
    let u = one + x;
    // u + error is exactly 1 + x.
    let x_rounded = u - one;
    let error = (one - (u - x_rounded)) + (x - x_rounded);
    let (e, m) = split(u);
    let f = m - one;
    let extra = e.mul_add(x.same(T::LN2_LO), error / u);
    let y = e.mul_add(x.same(T::LN2_HI), -(f_minus_log1p(f, extra) - f));
    let y = with_special_values(y, x, -T::ONE);
    // The sum above loses the sign of -0.
    x.equal(x.same(T::ZERO)).select(x, y)
}

/// `ln(1 + t)` for `0 <= t <= 1`: cheaper than [`log1p`].
#[inline(always)]
pub(super) fn log1p_of_fraction<T: Float, S: Simd>(t: Vector<T, S>) -> Vector<T, S> {
    let two = t.same(T::ONE + T::ONE);
    let s = t / (two + t);
    let z = s * s;
    (s * z).mul_add(polynomial(z, T::LOG1P_R), two * s)
}
