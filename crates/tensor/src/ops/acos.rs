//! `acos`: arc cosine.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The angle between 0 and π whose cosine each element is.
    ///
    /// `y = arccos x`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = -dy / √(1 - x²)`. Infinite at ±1, as in PyTorch.
    ///
    /// # Numerics
    /// NaN outside of -1 to 1.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.5f64]).acos().item();
    /// assert!((y - 1.047197551196598).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn acos(&self) -> Tensor<T> {
        pointwise(Acos, self)
    }
}

struct Acos;

impl<T: Float> Pointwise<T> for Acos {
    const NAME: &'static str = "acos";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::acos(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        -(d * (-at.input(0).square() + T::ONE).rsqrt())
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "acos",
    formula: "y = arccos(x)",
    shapes: SHAPES,
    domain: Domain::Range(-0.8, 0.8),
    build: build!(|x| x[0].acos()),
    oracle: Oracle::Unary(f64::acos),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 20.0),
    tolerance: Tolerance::Ulps(4.0, "the kernel's stated bound, and the oracle's own half ulp"),
}];
