//! `logical_and`: both of two masks.

use backstitch_kernels::elementwise;

use super::binary::{REFUSED, SHAPES, mask};
use super::operand::Operand;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl Tensor<bool> {
    /// Whether both masks are set.
    ///
    /// `y = (a && b)`
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
    /// assert_eq!(x.gt(1.0).logical_and(x.lt(3.0)).to_vec(), [false, true, false]);
    /// ```
    #[track_caller]
    pub fn logical_and(&self, b: impl Operand<bool>) -> Tensor<bool> {
        mask("logical_and", self, b, elementwise::logical_and)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "logical_and",
    formula: "y = (a > 0) && (b > 0)",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].gt(T::ZERO).logical_and(x[1].gt(T::ZERO)).to::<T>()),
    oracle: Oracle::Binary(|a, b| f64::from((a > 0.0) && (b > 0.0))),
    refused: REFUSED,
    slope: Slope::None("a truth value"),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
