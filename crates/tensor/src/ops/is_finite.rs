//! `is_finite`: whether elements are finite.

use backstitch_kernels::{Float, elementwise};

use super::pointwise::SHAPES;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Whether each element is neither infinite nor NaN.
    ///
    /// # Shape
    /// `x (...)` to a mask `(...)`, which has no derivative.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([f32::NAN, f32::INFINITY, 1.0]);
    /// assert_eq!(x.is_finite().to_vec(), [false, false, true]);
    /// ```
    #[track_caller]
    pub fn is_finite(&self) -> Tensor<bool> {
        Tensor::build(self.shape(), |y| elementwise::is_finite(self.view(), y))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "is_finite",
    formula: "y = 1 where ln(x) is finite, else 0",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    // The inputs are finite; this makes some of them special.
    build: build!(|x| x[0].log().is_finite().to::<T>()),
    oracle: Oracle::Unary(|x| f64::from(x.ln().is_finite())),
    refused: &[],
    slope: Slope::None("a truth value"),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
