//! `gelu_tanh`: Gaussian error linear unit, approximate.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Chain, Pointwise, SHAPES, chain, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Gaussian error linear unit in its approximation by tanh, as in GPT-2.
    ///
    /// `y = x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// The derivative of this approximation, not of [`Tensor::gelu`], in one kernel.
    ///
    /// # Numerics
    /// 0 at -∞, where PyTorch gives NaN.
    ///
    /// # Reference
    /// Hendrycks and Gimpel 2016, section 2.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([1.0f64]).gelu_tanh().item();
    /// assert!((y - 0.841191990608303).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn gelu_tanh(&self) -> Tensor<T> {
        pointwise(GeluTanh, self)
    }
}

#[derive(Clone, Copy)]
struct GeluTanh;

impl<T: Float> Pointwise<T> for GeluTanh {
    const NAME: &'static str = "gelu_tanh";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::gelu_tanh(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        chain(GeluTanh, d, at.input(0))
    }
}

impl<T: Float> Chain<T> for GeluTanh {
    const NAME: &'static str = "gelu_tanh_slope";

    fn scale(&self, d: View<'_, T>, x: View<'_, T>, z: &mut [T]) {
        elementwise::gelu_tanh_backward(d, x, z);
    }

    fn curvature(&self, x: &Tensor<T>) -> Option<Tensor<T>> {
        // y = x p with p = sigmoid(u), u = 2 √(2/π) (x + 0.044715 x³), and
        // y'' = p (1 - p) (2 u' + x ((1 - 2 p) u'² + u'')).
        let scale = 1.595_769_121_605_731;
        let square = x.square();
        let u = x * (&square * T::from_f64(scale * 0.044_715) + T::from_f64(scale));
        let du = square * T::from_f64(scale * 3.0 * 0.044_715) + T::from_f64(scale);
        let ddu = x * T::from_f64(scale * 6.0 * 0.044_715);
        let p = u.sigmoid();
        let inner = (&p * T::from_f64(-2.0) + T::ONE) * du.square() + ddu;
        Some((&p - p.square()) * (du * T::from_f64(2.0) + x * inner))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "gelu_tanh",
    formula: "y = x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2",
    shapes: SHAPES,
    domain: Domain::Range(-3.0, 3.0),
    build: build!(|x| x[0].gelu_tanh()),
    oracle: Oracle::Unary(|x| {
        x.max(f64::MIN) / (1.0 + (-1.595_769_121_605_731 * (x + 0.044715 * x.powi(3))).exp())
    }),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(
        40.0,
        "the kernel's stated bound: the exponent is rounded before exp magnifies it",
    ),
}];
