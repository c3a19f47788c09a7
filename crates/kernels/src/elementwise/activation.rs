//! Activations. Names and default parameters are PyTorch's.

use pulp::Simd;

use super::map::{Input, MapOp, cost, map};
use super::unary_maps;
use crate::element::{Float, per_float};
use crate::math;
use crate::simd::Vector;
use crate::view::View;

/// `alpha` of SELU (Klambauer et al. 2017, section 2).
pub(super) const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
/// `lambda` of SELU.
pub(super) const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

unary_maps! {
    /// `y = max(x, 0)`; NaN stays.
    relu relu_assign Relu() MEMORY |x| x.at_least(T::ZERO);

    /// `y = min(max(x, 0), 6)`; NaN stays.
    relu6 relu6_assign Relu6() MEMORY |x| x.clamp(T::ZERO, T::from_f64(6.0));

    /// `y = x` for positive x, else `slope x`.
    leaky_relu leaky_relu_assign LeakyRelu(slope) MEMORY |x| {
        x.same(T::ZERO).less(x).select(x, x * slope)
    };

    /// `y = x` for positive x, else `alpha (e^x - 1)`.
    elu elu_assign Elu(alpha) MEMORY |x| {
        x.same(T::ZERO).less(x).select(x, alpha * math::expm1(x))
    };

    /// `y = x` for positive x, else `alpha (e^(x / alpha) - 1)`.
    celu celu_assign Celu(alpha) MEMORY |x| {
        x.same(T::ZERO).less(x).select(x, alpha * math::expm1(x / alpha))
    };

    /// `y = lambda x` for positive x, else `lambda alpha (e^x - 1)`, with the constants of
    /// Klambauer et al. 2017.
    selu selu_assign Selu() MEMORY |x| {
        let scale = x.same(T::from_f64(SELU_SCALE));
        let scale_alpha = x.same(T::from_f64(SELU_SCALE * SELU_ALPHA));
        x.same(T::ZERO).less(x).select(scale * x, scale_alpha * math::expm1(x))
    };

    /// `y = 1 / (1 + e^-x)`
    sigmoid sigmoid_assign Sigmoid() MEMORY |x| math::sigmoid(x);

    /// `y = ln(sigmoid(x))`
    logsigmoid logsigmoid_assign Logsigmoid() MEMORY |x| math::logsigmoid(x);

    /// `y = x sigmoid(x)`; 0 at -inf.
    silu silu_assign Silu() MEMORY |x| math::silu(x);

    /// `y = x Phi(x)`, Phi the normal distribution function; 0 at -inf.
    gelu gelu_assign Gelu() MEMORY |x| math::gelu(x);

    /// `y = 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`; 0 at -inf.
    gelu_tanh gelu_tanh_assign GeluTanh() MEMORY |x| math::gelu_tanh(x);

    /// `y = ln(1 + e^x)`
    softplus softplus_assign Softplus() MEMORY |x| math::softplus(x);

    /// `y = x tanh(softplus(x))`; 0 at -inf.
    mish mish_assign Mish() MATH |x| math::mish(x);

    /// `y = x / (1 + |x|)`
    softsign softsign_assign Softsign() MEMORY |x| {
        let x = x.clamp(T::MIN, T::MAX);
        x / (x.same(T::ONE) + x.abs())
    };

    /// `y = min(max(x + 3, 0), 6) / 6`
    hardsigmoid hardsigmoid_assign Hardsigmoid() MEMORY |x| {
        let three = x.same(T::from_f64(3.0));
        (x + three).clamp(T::ZERO, T::from_f64(6.0)) * x.same(T::from_f64(1.0 / 6.0))
    };

    /// `y = x min(max(x + 3, 0), 6) / 6`; 0 at -inf.
    hardswish hardswish_assign Hardswish() MEMORY |x| {
        let x = x.at_least(T::MIN);
        let three = x.same(T::from_f64(3.0));
        x * ((x + three).clamp(T::ZERO, T::from_f64(6.0)) * x.same(T::from_f64(1.0 / 6.0)))
    };

    /// `y = min(max(x, low), high)`; NaN stays.
    hardtanh hardtanh_assign Hardtanh(low, high) MEMORY |x| {
        let x = x.less(low).select(low, x);
        high.less(x).select(high, x)
    };

    /// `y = x` where `|x| > lambda`, else 0; NaN stays.
    hardshrink hardshrink_assign Hardshrink(lambda) MEMORY |x| {
        x.abs().less_equal(lambda).select(x.same(T::ZERO), x)
    };

    /// `y = x - lambda` above lambda, `x + lambda` below -lambda, else 0; NaN stays.
    softshrink softshrink_assign Softshrink(lambda) MEMORY |x| {
        let inside = x.abs().less_equal(lambda);
        inside.select(x.same(T::ZERO), x - lambda.with_sign_of(x))
    };
}
