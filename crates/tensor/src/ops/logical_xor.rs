//! `logical_xor`: exactly one of two masks.

use backstitch_kernels::elementwise;

use super::binary::{REFUSED, SHAPES, mask};
use super::operand::Operand;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl Tensor<bool> {
    /// Whether exactly one of two masks is set.
    ///
    /// `y = (a != b)`
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
    /// let x = Tensor::from([true, false]);
    /// assert_eq!(x.logical_xor(true).to_vec(), [false, true]);
    /// ```
    #[track_caller]
    pub fn logical_xor(&self, b: impl Operand<bool>) -> Tensor<bool> {
        mask("logical_xor", self, b, elementwise::logical_xor)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "logical_xor",
    formula: "y = (a > 0) != (b > 0)",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].gt(T::ZERO).logical_xor(x[1].gt(T::ZERO)).to::<T>()),
    oracle: Oracle::Binary(|a, b| f64::from((a > 0.0) != (b > 0.0))),
    refused: REFUSED,
    slope: Slope::None("a truth value"),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
