//! `is_nan`: whether elements are NaN.

use backstitch_kernels::{Float, elementwise};

use super::pointwise::SHAPES;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Whether each element is NaN.
    ///
    /// # Shape
    /// `x (...)` to a mask `(...)`, which has no derivative.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([f32::NAN, f32::INFINITY, 1.0]);
    /// assert_eq!(x.is_nan().to_vec(), [true, false, false]);
    /// ```
    #[track_caller]
    pub fn is_nan(&self) -> Tensor<bool> {
        Tensor::build(self.shape(), |y| elementwise::is_nan(self.view(), y))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "is_nan",
    formula: "y = 1 where ln(x) is NaN, else 0",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    // The inputs are finite; this makes some of them special.
    build: build!(|x| x[0].log().is_nan().to::<T>()),
    oracle: Oracle::Unary(|x| f64::from(x.ln().is_nan())),
    refused: &[],
    slope: Slope::None("a truth value"),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
