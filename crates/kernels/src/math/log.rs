//! log, log2, log1p: logarithms by `x = 2^e (1 + f)` and the series of atanh.

use pulp::Simd;

use super::polynomial;
use crate::element::Float;
use crate::simd::Vector;

/// `f(e, m)` for `x = 2^e m`, `sqrt(1/2) <= m <= sqrt(2)`, which is to be the logarithm of x; that of
/// other values than positive ones: -inf at 0, NaN below, infinity and NaN as they are.
#[inline(always)]
fn by_parts<T: Float, S: Simd>(
    x: Vector<T, S>,
    f: impl Fn(Vector<T, S>, Vector<T, S>) -> Vector<T, S>,
) -> Vector<T, S> {
    let least = x.same(T::NORMAL_MIN);
    let largest = x.same(T::FINITE_MAX);
    if !(!(least.less_equal(x) & x.less_equal(largest))).any() {
        let (e, m) = x.split();
        return f(e, m);
    }
    let shift = x.same(T::SUBNORMAL_SHIFT);
    let subnormal = x.less(least);
    let (e, m) = subnormal.select(x * shift.exp2_int(), x).split();
    let y = f(e - subnormal.select_or_zero(shift), m);
    let zero = x.same(T::ZERO);
    let y = x.less_equal(largest).select(y, x);
    let y = x.less(zero).select(x.same(T::NAN), y);
    x.equal(zero).select(x.same(T::NEG_INFINITY), y)
}

/// `ln(1 + f) - f`, and a small `extra`, for `1 + f` in `[sqrt(1/2), sqrt(2)]`.
#[inline(always)]
fn log1p_minus_f<T: Float, S: Simd>(f: Vector<T, S>, extra: Vector<T, S>) -> Vector<T, S> {
    let half = f.same(T::HALF);
    if const { !T::LOG_P.is_empty() } {
        return (f * f).mul_add(polynomial(f, T::LOG_P).mul_add(f, -half), extra);
    }
    let s = f / (f.same(T::ONE + T::ONE) + f);
    let z = s * s;
    let half_square = f * f * half;
    let tail = z.mul_add(polynomial(z, T::LOG_R), half_square);
    s.mul_add(tail, extra) - half_square
}

/// Natural logarithm. -inf at 0, NaN below.
///
/// In f32 within 0.96 ulps on every argument.
#[inline(always)]
pub fn log<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    by_parts(
        x,
        #[inline(always)]
        |e, m| {
            let f = m - x.same(T::ONE);
            let low = log1p_minus_f(f, e * x.same(T::LN2_LO));
            e.mul_add(x.same(T::LN2_HI), low + f)
        },
    )
}

/// Logarithm to base 2. Exact for powers of 2; -inf at 0, NaN below.
#[inline(always)]
pub fn log2<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    by_parts(
        x,
        #[inline(always)]
        |e, m| {
            let f = m - x.same(T::ONE);
            let log2_e = x.same(T::LOG2_E);
            let low = log1p_minus_f(f, x.same(T::ZERO)) * log2_e;
            e + f.mul_add(log2_e, low)
        },
    )
}

/// `ln(1 + x)`, accurate near 0. -inf at -1, NaN below.
///
/// In f32 within 1.02 ulps on every argument.
#[inline(always)]
pub fn log1p<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let one = x.same(T::ONE);
    let u = one + x;
    // u + error is exactly 1 + x.
    let x_rounded = u - one;
    let error = (one - (u - x_rounded)) + (x - x_rounded);
    let y = by_parts(
        u,
        #[inline(always)]
        |e, m| {
            let f = m - one;
            let extra = e.mul_add(x.same(T::LN2_LO), error / u);
            e.mul_add(x.same(T::LN2_HI), log1p_minus_f(f, extra) + f)
        },
    );
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
