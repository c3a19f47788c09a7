//! `recip`: reciprocal.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// One over each element; PyTorch's `reciprocal`.
    ///
    /// `y = 1 / x`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = -dy * y²`
    ///
    /// # Numerics
    /// Correctly rounded. Infinity at 0, with its sign.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([4.0, -0.5]).recip().to_vec(), [0.25, -2.0]);
    /// ```
    #[track_caller]
    pub fn recip(&self) -> Tensor<T> {
        pointwise(Recip, self)
    }
}

struct Recip;

impl<T: Float> Pointwise<T> for Recip {
    const NAME: &'static str = "recip";
    const SAVES: Saves = Saves::OUTPUT;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::recip(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        -(d * at.output().square())
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "recip",
    formula: "y = 1 / x",
    shapes: SHAPES,
    domain: Domain::Range(0.3, 3.0),
    build: build!(|x| x[0].recip()),
    oracle: Oracle::Unary(|x| 1.0 / x),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Ulps(0.5, "one correctly rounded operation"),
}];
