//! `asinh`: inverse hyperbolic sine.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The number whose hyperbolic sine each element is.
    ///
    /// `y = ln(x + √(x² + 1))`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy / √(x² + 1)`
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.5f64]).asinh().item();
    /// assert!((y - 0.481211825059603).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn asinh(&self) -> Tensor<T> {
        pointwise(Asinh, self)
    }
}

struct Asinh;

impl<T: Float> Pointwise<T> for Asinh {
    const NAME: &'static str = "asinh";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::asinh(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d * (at.input(0).square() + T::ONE).rsqrt()
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "asinh",
    formula: "y = arsinh(x)",
    shapes: SHAPES,
    domain: Domain::Range(-3.0, 3.0),
    build: build!(|x| x[0].asinh()),
    oracle: Oracle::Unary(|x| match x.abs() > 1e9 {
        true => (x.abs().ln() + std::f64::consts::LN_2).copysign(x),
        false => x.asinh(),
    }),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 20.0),
    tolerance: Tolerance::Ulps(
        4.0,
        "the oracle cancels a little; the kernel is within its stated bound",
    ),
}];
