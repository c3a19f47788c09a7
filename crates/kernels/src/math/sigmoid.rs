//! tanh, sigmoid, SiLU, softplus and their slopes: what is made of one exponential.

use pulp::Simd;

use super::exp::{exp_nonpositive, half_expm1_of_twice};
use super::log::log1p_of_fraction;
use crate::element::Float;
use crate::simd::Vector;

/// Hyperbolic tangent.
///
/// In f32 within 2.7 ulps on every argument.
#[inline(always)]
pub fn tanh<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let size = x.abs();
    let e = half_expm1_of_twice(size);
    (e / (e + x.same(T::ONE))).with_sign_of(x)
}

/// `sigmoid(x)` and `sigmoid(-x)`, both accurate however close to 0.
#[inline(always)]
pub fn sigmoid_pair<T: Float, S: Simd>(x: Vector<T, S>) -> (Vector<T, S>, Vector<T, S>) {
    let one = x.same(T::ONE);
    let t = exp_nonpositive(-x.abs());
    let large = one / (one + t);
    let small = t * large;
    let negative = x.less(x.same(T::ZERO));
    (negative.select(small, large), negative.select(large, small))
}

/// `1 / (1 + e^-x)`
///
/// In f32 within 2.41 ulps on every argument.
#[inline(always)]
pub fn sigmoid<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let one = x.same(T::ONE);
    let t = exp_nonpositive(-x.abs());
    x.less(x.same(T::ZERO)).select(t, one) / (one + t)
}

/// `x sigmoid(x)`
///
/// In f32 within 3.3 ulps on every argument, except that results below 1e-37 have the absolute
/// error of a product that underflows.
#[inline(always)]
pub fn silu<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    // At -inf the limit, 0, not -inf * 0.
    x.at_least(T::MIN) * sigmoid(x)
}

/// The derivative of [`silu`].
#[inline(always)]
pub fn silu_slope<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let (p, q) = sigmoid_pair(x);
    p * (x.clamp(T::MIN, T::MAX) * q + x.same(T::ONE))
}

/// `ln(1 + e^x)`
///
/// In f32 within 2.9 ulps on every argument.
#[inline(always)]
pub fn softplus<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let log1p = log1p_of_fraction(exp_nonpositive(-x.abs()));
    x.at_least(T::ZERO) + log1p
}

/// `ln(sigmoid(x)) = -softplus(-x)`
///
/// In f32 within 2.9 ulps on every argument.
#[inline(always)]
pub fn logsigmoid<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let log1p = log1p_of_fraction(exp_nonpositive(-x.abs()));
    x.at_most(T::ZERO) - log1p
}

/// `x tanh(softplus(x))`
///
/// With `w = e^x (e^x + 2)` that is `x w / (w + 2)`; for positive x the same in `e^-x`.
#[inline(always)]
pub fn mish<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let (top, rest) = mish_fraction(x);
    x.at_least(T::MIN) * (top / (top + rest))
}

/// The derivative of [`mish`]: `tanh(sp) + x sigmoid(x) (1 - tanh(sp)^2)`, `sp = softplus(x)`.
#[inline(always)]
pub fn mish_slope<T: Float, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    let (top, rest) = mish_fraction(x);
    let bottom = top + rest;
    let tanh = top / bottom;
    // 1 - tanh^2 = (1 - tanh) (1 + tanh), and 1 - tanh = rest / bottom.
    let slope = rest / bottom * (x.same(T::ONE) + tanh);
    (x.clamp(T::MIN, T::MAX) * sigmoid(x)).mul_add(slope, tanh)
}

/// `a` and `b` of `tanh(softplus(x)) = a / (a + b)`.
#[inline(always)]
fn mish_fraction<T: Float, S: Simd>(x: Vector<T, S>) -> (Vector<T, S>, Vector<T, S>) {
    let one = x.same(T::ONE);
    let two = x.same(T::ONE + T::ONE);
    let t = exp_nonpositive(-x.abs());
    // x < 0: a = t (t + 2), b = 2; x >= 0, all times t^2: a = 1 + 2t, b = 2t^2.
    let negative = x.less(x.same(T::ZERO));
    (negative.select(t * (t + two), two.mul_add(t, one)), negative.select(two, two * t * t))
}
