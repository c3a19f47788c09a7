//! `threshold`: replaces what is not above a threshold.

use backstitch_kernels::Float;

use super::pointwise::SHAPES;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Keeps elements above a threshold and puts `value` in the place of all others.
    ///
    /// `y = x` where `x > threshold`, else `value`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy` where `x > threshold`, else 0; 0 at the jump, as in PyTorch.
    ///
    /// # Numerics
    /// NaN stays NaN.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, 2.0]).threshold(1.5, 9.0).to_vec(), [9.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn threshold(&self, threshold: T, value: T) -> Tensor<T> {
        Tensor::where_(&self.le(threshold), value, self)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "threshold",
    formula: "y = x where x > 0.5, else -1",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].threshold(T::HALF, -T::ONE)),
    oracle: Oracle::Unary(|x| if x <= 0.5 { -1.0 } else { x }),
    refused: &[],
    slope: Slope::Kinks(&[(0.5, 0.0)]),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
