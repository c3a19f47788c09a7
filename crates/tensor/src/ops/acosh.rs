//! `acosh`: inverse hyperbolic cosine.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The number above 0 whose hyperbolic cosine each element is.
    ///
    /// `y = ln(x + √(x² - 1))`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy / √(x² - 1)`. Infinite at 1, as in PyTorch.
    ///
    /// # Numerics
    /// NaN below 1.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([1.5f64]).acosh().item();
    /// assert!((y - 0.962423650119207).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn acosh(&self) -> Tensor<T> {
        pointwise(Acosh, self)
    }
}

struct Acosh;

impl<T: Float> Pointwise<T> for Acosh {
    const NAME: &'static str = "acosh";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::acosh(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d * (at.input(0).square() - T::ONE).rsqrt()
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "acosh",
    formula: "y = arcosh(x)",
    shapes: SHAPES,
    domain: Domain::Range(1.5, 4.0),
    build: build!(|x| x[0].acosh()),
    oracle: Oracle::Unary(|x| match x > 1e9 {
        true => x.ln() + std::f64::consts::LN_2,
        false => x.acosh(),
    }),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 20.0),
    tolerance: Tolerance::Ulps(
        4.0,
        "the oracle cancels a little; the kernel is within its stated bound",
    ),
}];
