//! `is_inf`: whether elements are infinite.

use backstitch_kernels::{Float, elementwise};

use super::pointwise::SHAPES;
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Whether each element is infinite, of either sign; PyTorch's `isinf`.
    ///
    /// # Shape
    /// `x (...)` to a mask `(...)`, which has no derivative.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([f32::NAN, -f32::INFINITY, 1.0]);
    /// assert_eq!(x.is_inf().to_vec(), [false, true, false]);
    /// ```
    #[track_caller]
    pub fn is_inf(&self) -> Tensor<bool> {
        Tensor::build(self.shape(), |y| elementwise::is_infinite(self.view(), y))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "is_inf",
    formula: "y = 1 where 1 / trunc(x) is infinite, else 0",
    shapes: SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    // The inputs are finite; this makes some of them special.
    build: build!(|x| x[0].trunc().recip().is_inf().to::<T>()),
    oracle: Oracle::Unary(|x| f64::from((1.0 / x.trunc()).is_infinite())),
    refused: &[],
    slope: Slope::None("a truth value"),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
