//! `ne`: inequality.

use backstitch_kernels::{Element, elementwise};

use super::binary::{REFUSED, SHAPES, mask};
use super::operand::Operand;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Whether the elements differ.
    ///
    /// `y = (a != b)`
    ///
    /// # Shape
    /// `a (...)` and `b (...)`, or a number, to a mask of their broadcast shape, which has no
    /// derivative.
    ///
    /// # Numerics
    /// True where either is NaN.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, f32::NAN]).ne(1.0).to_vec(), [false, true]);
    /// ```
    #[track_caller]
    pub fn ne(&self, b: impl Operand<T>) -> Tensor<bool> {
        mask("ne", self, b, elementwise::not_equal)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "ne",
    formula: "y = (a != b), of integers",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    // Rounded, so that equal ones occur.
    build: build!(|x| x[0].round().ne(x[1].round()).to::<T>()),
    oracle: Oracle::Binary(|a, b| f64::from(a.round_ties_even() != b.round_ties_even())),
    refused: REFUSED,
    slope: Slope::None("a truth value"),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
