//! `tan`: tangent.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The tangent of each element, in radians.
    ///
    /// `y = tan x`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * (1 + y²)`
    ///
    /// # Numerics
    /// NaN at ±∞.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.5f64]).tan().item();
    /// assert!((y - 0.546302489843790).abs() < 1e-12);
    /// ```
    #[track_caller]
    pub fn tan(&self) -> Tensor<T> {
        pointwise(Tan, self)
    }
}

struct Tan;

impl<T: Float> Pointwise<T> for Tan {
    const NAME: &'static str = "tan";
    const SAVES: Saves = Saves::OUTPUT;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::tan(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d * (at.output().square() + T::ONE)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "tan",
    formula: "y = tan(x)",
    shapes: SHAPES,
    domain: Domain::Range(-1.1, 1.1),
    build: build!(|x| x[0].tan()),
    oracle: Oracle::Unary(f64::tan),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 20.0),
    tolerance: Tolerance::Ulps(4.0, "the kernel's stated bound, and the oracle's own half ulp"),
}];
