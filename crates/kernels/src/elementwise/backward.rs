//! Gradients of activations in one pass: `dx` from `dy` and the saved output y or input x.
//!
//! The in-place forms overwrite `dy`.

use pulp::Simd;

use super::activation::{SELU_ALPHA, SELU_SCALE};
use super::binary_maps;
use super::map::{Input, MapOp, cost, map};
use crate::element::{Float, per_float};
use crate::math;
use crate::simd::Vector;
use crate::view::View;

binary_maps! {
    /// `dx = dy sign(x)`; 0 where x is 0.
    abs_backward abs_backward_assign AbsBackward() MEMORY |dy, x| {
        let zero = dy.same(T::ZERO);
        x.equal(zero).select(zero, dy.bit_xor(x.sign_bit()))
    };

    /// `dx = dy` where `y > 0` (or NaN), else 0. Either of x and y will do.
    relu_backward relu_backward_assign ReluBackward() MEMORY |dy, y| {
        let zero = dy.same(T::ZERO);
        y.less_equal(zero).select(zero, dy)
    };

    /// `dx = dy` where `0 < x < 6`, else 0. Either of x and y will do.
    relu6_backward relu6_backward_assign Relu6Backward() MEMORY |dy, x| {
        let zero = dy.same(T::ZERO);
        let six = dy.same(T::from_f64(6.0));
        (x.less_equal(zero) | six.less_equal(x)).select(zero, dy)
    };

    /// `dx = dy` where `x > 0`, else `slope dy`.
    leaky_relu_backward leaky_relu_backward_assign LeakyReluBackward(slope) MEMORY |dy, x| {
        dy.same(T::ZERO).less(x).select(dy, dy * slope)
    };

    /// `dx = dy` where `y > 0`, else `dy (y + alpha)`, which is `dy alpha e^x`.
    elu_backward elu_backward_assign EluBackward(alpha) MEMORY |dy, y| {
        dy.same(T::ZERO).less(y).select(dy, dy * (y + alpha))
    };

    /// `dx = dy` where `y > 0`, else `dy (y / alpha + 1)`, which is `dy e^(x / alpha)`.
    celu_backward celu_backward_assign CeluBackward(alpha) MEMORY |dy, y| {
        dy.same(T::ZERO).less(y).select(dy, dy * (y / alpha + dy.same(T::ONE)))
    };

    /// `dx = lambda dy` where `y > 0`, else `dy (y + lambda alpha)`.
    selu_backward selu_backward_assign SeluBackward() MEMORY |dy, y| {
        let scale = dy.same(T::from_f64(SELU_SCALE));
        let scale_alpha = dy.same(T::from_f64(SELU_SCALE * SELU_ALPHA));
        dy * dy.same(T::ZERO).less(y).select(scale, y + scale_alpha)
    };

    /// `dx = dy (1 - y^2)`
    tanh_backward tanh_backward_assign TanhBackward() MEMORY |dy, y| {
        dy * (-y).mul_add(y, dy.same(T::ONE))
    };

    /// `dx = dy y (1 - y)`
    sigmoid_backward sigmoid_backward_assign SigmoidBackward() MEMORY |dy, y| {
        dy * y * (dy.same(T::ONE) - y)
    };

    /// `dx = dy sigmoid(-x)`
    logsigmoid_backward logsigmoid_backward_assign LogsigmoidBackward() MEMORY |dy, x| {
        dy * math::sigmoid(-x)
    };

    /// `dx = dy p (1 + x (1 - p))`, `p = sigmoid(x)`
    silu_backward silu_backward_assign SiluBackward() MEMORY |dy, x| dy * math::silu_slope(x);

    /// `dx = dy (Phi(x) + x phi(x))`
    gelu_backward gelu_backward_assign GeluBackward() MATH |dy, x| dy * math::gelu_slope(x);

    /// `dx = dy (p + x p (1 - p) (2u)')`, `p = sigmoid(2u)`,
    /// `u = sqrt(2/pi) (x + 0.044715 x^3)`
    gelu_tanh_backward gelu_tanh_backward_assign GeluTanhBackward() MATH |dy, x| {
        dy * math::gelu_tanh_slope(x)
    };

    /// `dx = dy sigmoid(x)`
    softplus_backward softplus_backward_assign SoftplusBackward() MEMORY |dy, x| {
        dy * math::sigmoid(x)
    };

    /// `dx = dy (t + x sigmoid(x) (1 - t^2))`, `t = tanh(softplus(x))`
    mish_backward mish_backward_assign MishBackward() MATH |dy, x| dy * math::mish_slope(x);

    /// `dx = dy / (1 + |x|)^2`
    softsign_backward softsign_backward_assign SoftsignBackward() MEMORY |dy, x| {
        let bottom = dy.same(T::ONE) + x.abs();
        dy / (bottom * bottom)
    };

    /// `dx = dy / 6` where `-3 < x < 3`, else 0.
    hardsigmoid_backward hardsigmoid_backward_assign HardsigmoidBackward() MEMORY |dy, x| {
        let outside = dy.same(T::from_f64(3.0)).less_equal(x.abs());
        outside.select(dy.same(T::ZERO), dy * dy.same(T::from_f64(1.0 / 6.0)))
    };

    /// `dx = dy (x / 3 + 1/2)` where `-3 < x < 3`; 0 below, dy above. At -3 it is 0, at 3 it is
    /// dy, as in PyTorch.
    hardswish_backward hardswish_backward_assign HardswishBackward() MEMORY |dy, x| {
        let three = dy.same(T::from_f64(3.0));
        let middle = dy * x.mul_add(dy.same(T::from_f64(1.0 / 3.0)), dy.same(T::HALF));
        let dx = x.less_equal(-three).select(dy.same(T::ZERO), middle);
        three.less_equal(x).select(dy, dx)
    };

    /// `dx = dy` where `low < x < high`, else 0. Either of x and y will do.
    hardtanh_backward hardtanh_backward_assign HardtanhBackward(low, high) MEMORY |dy, x| {
        (x.less_equal(low) | high.less_equal(x)).select(dy.same(T::ZERO), dy)
    };

    /// `dx = dy` where `low <= x <= high`, else 0: unlike [`hardtanh_backward`], the bounds
    /// themselves pass, as in PyTorch's clamp.
    clamp_backward clamp_backward_assign ClampBackward(low, high) MEMORY |dy, x| {
        (x.less(low) | high.less(x)).select(dy.same(T::ZERO), dy)
    };

    /// `dx = dy` where `|x| > lambda` (or NaN), else 0: of hardshrink and of softshrink.
    shrink_backward shrink_backward_assign ShrinkBackward(lambda) MEMORY |dy, x| {
        x.abs().less_equal(lambda).select(dy.same(T::ZERO), dy)
    };
}
