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
    (n, remainder(x, n))
}

/// `x - n ln(2)`
#[inline(always)]
fn remainder<T: Float, S: Simd>(x: Vector<T, S>, n: Vector<T, S>) -> Vector<T, S> {
    n.mul_add(x.same(-T::LN2_LO), n.mul_add(x.same(-T::LN2_HI), x))
}

/// `expm1(r)` for `|r| <= ln(2) / 2`.
#[inline(always)]
pub(super) fn expm1_near_zero<T: Float, S: Simd>(r: Vector<T, S>) -> Vector<T, S> {
    (r * r).mul_add(polynomial(r, T::EXP_Q), r)
}

/// `e^r` for `|r| <= ln(2) / 2`.
#[inline(always)]
fn exp_near_zero<T: Float, S: Simd>(r: Vector<T, S>) -> Vector<T, S> {
    let one = r.same(T::ONE);
    if const { S::IS_SCALAR } {
        // Without FMA the shorter chain would round once more.
        return one + expm1_near_zero(r);
    }
    polynomial(r, T::EXP_Q).mul_add(r, one).mul_add(r, one)
}

/// `e^x`. Underflows gradually to 0, overflows to infinity.
///
/// In f32 within 1.02 ulps on every argument.
#[inline(always)]
pub fn exp<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let scales = T::simd_scale(x.simd, x.lanes, x.lanes).is_some();
    if !scales && !(!x.abs().less_equal(x.same(T::EXP_NORMAL))).any() {
        // The same bits in fewer steps than where a factor of 2^n does not do.
        return exp_to_normal(x);
    }
    let x = x.clamp(T::EXP_MIN, T::EXP_MAX);
    let magic = x.same(T::EXPONENT_MAGIC_TWICE);
    let sum = x.mul_add(x.same(T::LOG2_E), magic);
    let n = sum - magic;
    exp_near_zero(remainder(x, n)).scale_by_sum(sum, n)
}

/// [`exp`] for `x <= 0`, in fewer steps.
#[inline(always)]
pub(super) fn exp_nonpositive<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let x = x.at_least(T::EXP_MIN);
    // 2^n in two factors, of which one is always the same.
    let magic = x.same(T::EXPONENT_MAGIC + T::EXPONENT_HALF);
    let sum = x.mul_add(x.same(T::LOG2_E), magic);
    let n = sum - magic;
    let y = exp_near_zero(remainder(x, n));
    match T::simd_scale(x.simd, y.lanes, n.lanes) {
        Some(lanes) => Vector::new(x.simd, lanes),
        None => y * sum.exp2_of_sum() * x.same(T::EXP2_MINUS_HALF),
    }
}

/// [`exp`] where the result is a normal number.
#[inline(always)]
pub(super) fn exp_to_normal<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let magic = x.same(T::EXPONENT_MAGIC);
    let sum = x.mul_add(x.same(T::LOG2_E), magic);
    exp_near_zero(remainder(x, sum - magic)) * sum.exp2_of_sum()
}

/// `e^x` of a difference `x <= 0`, for softmax.
///
/// As a difference is off by up to `eps |x| / 2`, so may be what is left of x in here; and a result
/// below the normal numbers may become 0.
#[inline(always)]
pub fn exp_of_difference<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let x = x.at_least(T::EXP_FLUSHED);
    let magic = x.same(T::EXPONENT_MAGIC);
    let sum = x.mul_add(x.same(T::LOG2_E), magic);
    let r = (sum - magic).neg_mul_add(x.same(T::LN_2), x);
    exp_near_zero(r) * sum.exp2_of_sum()
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

/// `(e^2x - 1) / 2` for `0 <= x`, with x cut at
/// [`TANH_MAX`](super::coefficients::MathFloat::TANH_MAX).
///
/// All but the powers of two is that of the exponential of 2x, bit by bit.
#[inline(always)]
pub(super) fn half_expm1_of_twice<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let x = x.at_most(T::TANH_MAX);
    let magic = x.same(T::EXPONENT_MAGIC);
    let sum = x.mul_add(x.same(T::LOG2_E + T::LOG2_E), magic);
    let n = sum - magic;
    let high = n.mul_add(x.same(-T::HALF * T::LN2_HI), x);
    let r = n.mul_add(x.same(-T::HALF * T::LN2_LO), high);
    let p = (r * r).mul_add(polynomial(r, T::EXP_TWICE_Q), r);
    let scale = sum.exp2_of_sum();
    scale.mul_add(p, scale.mul_add(x.same(T::HALF), x.same(-T::HALF)))
}
