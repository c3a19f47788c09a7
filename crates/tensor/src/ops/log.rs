//! `log`: natural logarithm.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The natural logarithm of each element.
    ///
    /// `y = ln x`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy / x`
    ///
    /// # Numerics
    /// -∞ at 0, NaN below.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0]).log().to_vec(), [0.0]);
    /// ```
    #[track_caller]
    pub fn log(&self) -> Tensor<T> {
        pointwise(Log, self)
    }
}

struct Log;

impl<T: Float> Pointwise<T> for Log {
    const NAME: &'static str = "log";
    const SAVES: Saves = Saves::INPUTS;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::log(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d / at.input(0)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "log",
    formula: "y = ln(x)",
    shapes: SHAPES,
    domain: Domain::Range(0.3, 4.0),
    build: build!(|x| x[0].log()),
    oracle: Oracle::Unary(f64::ln),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(2.0, "the kernel's stated bound"),
}];
