//! `atanh`: inverse hyperbolic tangent.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The number whose hyperbolic tangent each element is.
    ///
    /// `y = ln((1 + x) / (1 - x)) / 2`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy / (1 - x²)`. Infinite at ±1, as in PyTorch.
    ///
    /// # Numerics
    /// ±∞ at ±1, NaN beyond.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.5f64]).atanh().item();
    /// assert!((y - 0.549306144334055).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn atanh(&self) -> Tensor<T> {
        pointwise(Atanh, self)
    }
}

struct Atanh;

impl<T: Float> Pointwise<T> for Atanh {
    const NAME: &'static str = "atanh";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::atanh(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d / (-at.input(0).square() + T::ONE)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "atanh",
    formula: "y = artanh(x)",
    shapes: SHAPES,
    domain: Domain::Range(-0.8, 0.8),
    build: build!(|x| x[0].atanh()),
    oracle: Oracle::Unary(f64::atanh),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 20.0),
    tolerance: Tolerance::Ulps(4.0, "the kernel's stated bound, and the oracle's own half ulp"),
}];
