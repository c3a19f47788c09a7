//! `asin`: arc sine.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The angle between -π/2 and π/2 whose sine each element is.
    ///
    /// `y = arcsin x`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy / √(1 - x²)`. Infinite at ±1, as in PyTorch.
    ///
    /// # Numerics
    /// NaN outside of -1 to 1.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.5f64]).asin().item();
    /// assert!((y - 0.523598775598299).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn asin(&self) -> Tensor<T> {
        pointwise(Asin, self)
    }
}

struct Asin;

impl<T: Float> Pointwise<T> for Asin {
    const NAME: &'static str = "asin";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::asin(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d * (-at.input(0).square() + T::ONE).rsqrt()
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "asin",
    formula: "y = arcsin(x)",
    shapes: SHAPES,
    domain: Domain::Range(-0.8, 0.8),
    build: build!(|x| x[0].asin()),
    oracle: Oracle::Unary(f64::asin),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 20.0),
    tolerance: Tolerance::Ulps(4.0, "the kernel's stated bound, and the oracle's own half ulp"),
}];
