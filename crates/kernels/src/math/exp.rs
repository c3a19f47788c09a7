//! exp, exp2, expm1: powers by range reduction to `2^n * e^r`, `|r| <= ln(2) / 2`.

use pulp::Simd;

use super::polynomial;
use crate::element::Float;
use crate::simd::Vector;

/// `n` and `expm1(r)` of `x = n ln(2) + r`, for `EXP_MIN <= x <= EXP_MAX` or NaN.
#[inline(always)]
pub(super) fn reduced_expm1<T: Float, S: Simd>(x: Vector<T, S>) -> (Vector<T, S>, Vector<T, S>) {
    let (n, r) = reduce(x);
    (n, expm1_near_zero(r))
}

/// `n` and `r` of `x = n ln(2) + r`.
#[inline(always)]
pub(super) fn reduce<T: Float, S: Simd>(x: Vector<T, S>) -> (Vector<T, S>, Vector<T, S>) {
    let n = x.round_product(T::LOG2_E);
    let r = n.mul_add(x.same(-T::LN2_HI), x);
    (n, n.mul_add(x.same(-T::LN2_LO), r))
}

/// `expm1(r)` for `|r| <= ln(2) / 2`.
#[inline(always)]
pub(super) fn expm1_near_zero<T: Float, S: Simd>(r: Vector<T, S>) -> Vector<T, S> {
    (r * r).mul_add(polynomial(r, T::EXP_Q), r)
}

/// `e^x`. Underflows gradually to 0, overflows to infinity.
///
/// In f32 within 1.02 ulps on every argument.
#[inline(always)]
pub fn exp<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let (n, p) = reduced_expm1(x.clamp(T::EXP_MIN, T::EXP_MAX));
    (x.same(T::ONE) + p).scale(n)
}

/// `e^x` for `x <= 0` where a result below the normal numbers may become 0: one multiplication
/// fewer than [`exp`], for softmax and attention.
#[inline(always)]
pub fn exp_nonpositive<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let (n, p) = reduced_expm1(x.at_least(T::EXP_MIN));
    if let Some(lanes) = T::simd_scale(x.simd, (x.same(T::ONE) + p).lanes, n.lanes) {
        return Vector::new(x.simd, lanes);
    }
    let scale = n.exp2_int();
    let y = scale.mul_add(p, scale);
    n.less(x.same(T::EXPONENT_MIN)).select(x.same(T::ZERO), y)
}

/// `2^x`. Exact for integers; underflows gradually to 0, overflows to infinity.
#[inline(always)]
pub fn exp2<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let x = x.clamp(T::EXP2_MIN, T::EXP2_MAX);
    let n = x.round_small();
    let p = expm1_near_zero((x - n) * x.same(T::LN_2));
    (x.same(T::ONE) + p).scale(n)
}

/// `e^x - 1`, accurate near 0.
///
/// In f32 within 1.6 ulps on every argument.
#[inline(always)]
pub fn expm1<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let (n, p) = reduced_expm1(x.clamp(T::EXPM1_MIN, T::EXP_MAX));
    // The top exponent is one too large for 2^n: leave out a factor of 2, give it back below.
    let top = n.at_most(T::EXPONENT_MAX);
    let scale = top.exp2_int();
    let y = scale.mul_add(p, scale - x.same(T::ONE));
    let y = y * (x.same(T::ONE) + (n - top));
    y.with_sign_of(x)
}

/// `e^x - 1` for `0 <= x`, with x cut at [`super::coefficients::MathFloat::TANH_MAX`].
#[inline(always)]
pub(super) fn expm1_for_tanh<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let (n, p) = reduced_expm1(x.at_most(T::TANH_MAX));
    let scale = n.exp2_int();
    scale.mul_add(p, scale - x.same(T::ONE))
}
