//! Vector math: elementary functions and activations on registers, with stated error bounds.
//!
//! NaN gives NaN on every instruction set, infinities give what C99 says, -0 is kept by odd
//! functions, subnormal arguments and results are computed, not flushed. Functions that are not
//! here (pow, fmod) are scalar ones of the standard library in [`crate::elementwise`].
//!
//! Each function is `#[inline(always)]` and generic over [`crate::Float`] and the instruction set;
//! call them inside of [`crate::arch::dispatch`]. Their error bounds are [`accuracy::BOUNDS`].

pub mod accuracy;
pub mod coefficients;
mod erf;
mod exp;
mod inverse;
mod log;
mod sigmoid;
mod trig;

use pulp::Simd;

pub use erf::{erf, erfc, gelu, gelu_slope, gelu_tanh, gelu_tanh_slope};
pub use exp::{exp, exp_of_difference, exp2, expm1};
pub use inverse::{acos, acosh, asin, asinh, atan, atan2, atanh, cosh, sinh};
pub use log::{log, log1p, log2};
pub use sigmoid::{
    logsigmoid, mish, mish_slope, sigmoid, sigmoid_pair, silu, silu_slope, softplus, tanh,
};
pub use trig::{cos, sin, tan};

use crate::element::Float;
use crate::simd::Vector;

/// `c[0] + c[1] x + c[2] x^2 + ...` by Horner's rule.
#[inline(always)]
pub fn polynomial<T: Float, S: Simd>(
    x: Vector<T, S>,
    coefficients: &'static [f64],
) -> Vector<T, S> {
    let (last, rest) = coefficients.split_last().expect("at least one coefficient");
    let mut y = x.same(T::from_f64(*last));
    for &coefficient in rest.iter().rev() {
        y = y.mul_add(x, x.same(T::from_f64(coefficient)));
    }
    y
}
