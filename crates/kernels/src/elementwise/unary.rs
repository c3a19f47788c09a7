//! Elementary functions of one input.

use pulp::Simd;

use super::map::{Input, MapOp, cost, map};
use super::unary_maps;
use crate::element::{Float, per_float};
use crate::math;
use crate::simd::Vector;
use crate::view::View;

unary_maps! {
    /// `y = scale x + shift`, fused where the instruction set has it.
    affine affine_assign Affine(scale, shift) MEMORY |x| x.mul_add(scale, shift);

    /// `y = -x`
    neg neg_assign Neg() MEMORY |x| -x;

    /// `y = |x|`
    abs abs_assign Abs() MEMORY |x| x.abs();

    /// `y = 1` for positive x, -1 for negative ones, x itself for zeros and NaN.
    sign sign_assign Sign() MEMORY |x| {
        let zero = x.same(T::ZERO);
        let nonzero = x.less(zero) | zero.less(x);
        nonzero.select(x.same(T::ONE).with_sign_of(x), x)
    };

    /// `y = x^2`
    square square_assign Square() MEMORY |x| x * x;

    /// `y = sqrt(x)`, correctly rounded; NaN below 0.
    sqrt sqrt_assign Sqrt() MEMORY |x| x.sqrt();

    /// `y = 1 / sqrt(x)`, within 1.5 ulp; inf at 0, NaN below.
    rsqrt rsqrt_assign Rsqrt() MATH |x| x.same(T::ONE) / x.sqrt();

    /// `y = 1 / x`, correctly rounded.
    recip recip_assign Recip() MEMORY |x| x.same(T::ONE) / x;

    /// The largest integer not above x.
    floor floor_assign Floor() MEMORY |x| {
        let nearest = x.round_ties_even();
        let down = x.less(nearest).select_or_zero(x.same(T::ONE));
        (nearest - down).with_sign_of(x)
    };

    /// The smallest integer not below x.
    ceil ceil_assign Ceil() MEMORY |x| {
        let nearest = x.round_ties_even();
        let up = nearest.less(x).select_or_zero(x.same(T::ONE));
        (nearest + up).with_sign_of(x)
    };

    /// The nearest integer, halfway cases to even.
    round round_assign Round() MEMORY |x| x.round_ties_even();

    /// The integer part: rounds towards 0.
    trunc trunc_assign Trunc() MEMORY |x| {
        let size = x.abs();
        let nearest = size.round_ties_even();
        let down = size.less(nearest).select_or_zero(x.same(T::ONE));
        (nearest - down).with_sign_of(x)
    };

    /// `y = min(max(x, low), high)`; NaN stays.
    clamp clamp_assign Clamp(low, high) MEMORY |x| {
        let x = x.less(low).select(low, x);
        high.less(x).select(high, x)
    };

    /// `y = e^x`
    exp exp_assign Exp() MEMORY |x| math::exp(x);

    /// `y = 2^x`
    exp2 exp2_assign Exp2() MEMORY |x| math::exp2(x);

    /// `y = e^x - 1`, accurate near 0.
    expm1 expm1_assign Expm1() MEMORY |x| math::expm1(x);

    /// `y = ln(x)`; -inf at 0, NaN below.
    log log_assign Log() MEMORY |x| math::log(x);

    /// `y = log2(x)`; -inf at 0, NaN below.
    log2 log2_assign Log2() MEMORY |x| math::log2(x);

    /// `y = ln(1 + x)`, accurate near 0; -inf at -1, NaN below.
    log1p log1p_assign Log1p() MATH |x| math::log1p(x);

    /// Error function.
    erf erf_assign Erf() MATH |x| math::erf(x);

    /// `y = 1 - erf(x)`, accurate however small.
    erfc erfc_assign Erfc() MATH |x| math::erfc(x);

    /// Sine; NaN at infinities.
    sin sin_assign Sin() MATH |x| math::sin(x);

    /// Cosine; NaN at infinities.
    cos cos_assign Cos() MATH |x| math::cos(x);

    /// Hyperbolic tangent.
    tanh tanh_assign Tanh() MEMORY |x| math::tanh(x);

    /// Tangent; NaN at infinities.
    tan tan_assign Tan() MATH |x| math::tan(x);

    /// Arc sine; NaN outside of -1 to 1.
    asin asin_assign Asin() MATH |x| math::asin(x);

    /// Arc cosine; NaN outside of -1 to 1.
    acos acos_assign Acos() MATH |x| math::acos(x);

    /// Arc tangent.
    atan atan_assign Atan() MATH |x| math::atan(x);

    /// Hyperbolic sine.
    sinh sinh_assign Sinh() MATH |x| math::sinh(x);

    /// Hyperbolic cosine.
    cosh cosh_assign Cosh() MATH |x| math::cosh(x);

    /// Inverse hyperbolic sine.
    asinh asinh_assign Asinh() MATH |x| math::asinh(x);

    /// Inverse hyperbolic cosine; NaN below 1.
    acosh acosh_assign Acosh() MATH |x| math::acosh(x);

    /// Inverse hyperbolic tangent; NaN outside of -1 to 1.
    atanh atanh_assign Atanh() MATH |x| math::atanh(x);
}
