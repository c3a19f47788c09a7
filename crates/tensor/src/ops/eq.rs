//! `eq`: equality.

use backstitch_kernels::{Element, elementwise};

use super::binary::{REFUSED, SHAPES, mask};
use super::operand::Operand;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Whether the elements are equal.
    ///
    /// `y = (a == b)`
    ///
    /// # Shape
    /// `a (...)` and `b (...)`, or a number, to a mask of their broadcast shape, which has no
    /// derivative.
    ///
    /// # Numerics
    /// False where either is NaN.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let labels = Tensor::from([3i64, 7]);
    /// assert_eq!(labels.eq(7).to_vec(), [false, true]);
    /// assert_eq!(labels.eq(&Tensor::from([3, 4])).to_vec(), [true, false]);
    /// ```
    #[track_caller]
    pub fn eq(&self, b: impl Operand<T>) -> Tensor<bool> {
        mask("eq", self, b, elementwise::equal)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "eq",
    formula: "y = (a == b), of integers",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    // Rounded, so that equal ones occur.
    build: build!(|x| x[0].round().eq(x[1].round()).to::<T>()),
    oracle: Oracle::Binary(|a, b| f64::from(a.round_ties_even() == b.round_ties_even())),
    refused: REFUSED,
    slope: Slope::None("a truth value"),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
