//! `logical_or`: at least one of two masks.

use backstitch_kernels::elementwise;

use super::binary::{REFUSED, SHAPES, mask};
use super::operand::Operand;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl Tensor<bool> {
    /// Whether at least one of two masks is set.
    ///
    /// `y = (a || b)`
    ///
    /// # Shape
    /// `a (...)` and `b (...)`, or a `bool`, to a mask of their broadcast shape.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([1.0, 2.0, 3.0]);
    /// assert_eq!(x.lt(2.0).logical_or(x.gt(2.0)).to_vec(), [true, false, true]);
    /// ```
    #[track_caller]
    pub fn logical_or(&self, b: impl Operand<bool>) -> Tensor<bool> {
        mask("logical_or", self, b, elementwise::logical_or)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "logical_or",
    formula: "y = (a > 0) || (b > 0)",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].gt(T::ZERO).logical_or(x[1].gt(T::ZERO)).to::<T>()),
    oracle: Oracle::Binary(|a, b| f64::from((a > 0.0) || (b > 0.0))),
    refused: REFUSED,
    slope: Slope::None("a truth value"),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
