//! `logical_not`: the reverse of a mask.

use backstitch_kernels::elementwise;

use super::pointwise::SHAPES;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl Tensor<bool> {
    /// Whether a mask is not set.
    ///
    /// `y = !x`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([true, false]).logical_not().to_vec(), [false, true]);
    /// ```
    #[track_caller]
    pub fn logical_not(&self) -> Tensor<bool> {
        Tensor::build(self.shape(), |y| elementwise::logical_not(self.view(), y))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "logical_not",
    formula: "y = !(x > 0)",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].gt(T::ZERO).logical_not().to::<T>()),
    oracle: Oracle::Unary(|x| if x > 0.0 { 0.0 } else { 1.0 }),
    refused: &[],
    slope: Slope::None("a truth value"),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
