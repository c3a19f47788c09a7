//! `atan`: arc tangent.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The angle between -π/2 and π/2 whose tangent each element is.
    ///
    /// `y = arctan x`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy / (1 + x²)`
    ///
    /// # Numerics
    /// ±π/2 at ±∞.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.5f64]).atan().item();
    /// assert!((y - 0.463647609000806).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn atan(&self) -> Tensor<T> {
        pointwise(Atan, self)
    }
}

struct Atan;

impl<T: Float> Pointwise<T> for Atan {
    const NAME: &'static str = "atan";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::atan(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d / (at.input(0).square() + T::ONE)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "atan",
    formula: "y = arctan(x)",
    shapes: SHAPES,
    domain: Domain::Range(-3.0, 3.0),
    build: build!(|x| x[0].atan()),
    oracle: Oracle::Unary(f64::atan),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 20.0),
    tolerance: Tolerance::Ulps(4.0, "the kernel's stated bound, and the oracle's own half ulp"),
}];
