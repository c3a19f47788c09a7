//! `ge`: greater than or equal.

use backstitch_kernels::{Element, elementwise};

use super::binary::{REFUSED, SHAPES, mask};
use super::operand::Operand;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Whether the elements are greater than others or equal.
    ///
    /// `y = (a >= b)`
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
    /// assert_eq!(Tensor::from([1.0, 2.0]).ge(2.0).to_vec(), [false, true]);
    /// ```
    #[track_caller]
    pub fn ge(&self, b: impl Operand<T>) -> Tensor<bool> {
        mask("ge", self, b, elementwise::greater_equal)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "ge",
    formula: "y = (a >= b), of integers",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    // Rounded, so that equal ones occur.
    build: build!(|x| x[0].round().ge(x[1].round()).to::<T>()),
    oracle: Oracle::Binary(|a, b| f64::from(a.round_ties_even() >= b.round_ties_even())),
    refused: REFUSED,
    slope: Slope::None("a truth value"),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
