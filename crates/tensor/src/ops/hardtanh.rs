//! `hardtanh`: cuts off at two numbers.

use backstitch_kernels::Float;

use super::pointwise::SHAPES;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// A tanh of three straight lines: [`Tensor::clamp`] between two numbers.
    ///
    /// `y = min(max(x, low), high)`; PyTorch's defaults are -1 and 1
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy` where `low < x < high`, else 0. At the kinks it is 0, as in PyTorch.
    ///
    /// # Numerics
    /// NaN stays NaN.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-3.0, 0.5]).hardtanh(-1.0, 1.0).to_vec(), [-1.0, 0.5]);
    /// ```
    #[track_caller]
    pub fn hardtanh(&self, low: T, high: T) -> Tensor<T> {
        self.clamp(low, high)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "hardtanh",
    formula: "y = min(max(x, -1), 1)",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].hardtanh(-T::ONE, T::ONE)),
    oracle: Oracle::Unary(|x| x.clamp(-1.0, 1.0)),
    refused: &[],
    slope: Slope::Kinks(&[(-1.0, 0.0), (1.0, 0.0)]),
    cost: |shapes| Cost::elementwise(shapes, 2.0),
    tolerance: Tolerance::Exact,
}];
