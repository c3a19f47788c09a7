//! `ceil`: smallest integer not below.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, no_slope, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The smallest integer not below each element.
    ///
    /// `y = ⌈x⌉`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// Zero: the result is constant wherever it has a derivative.
    ///
    /// # Numerics
    /// Zeros, infinities and NaN stay; what rounds up to zero becomes -0.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.5, -1.5]).ceil().to_vec(), [2.0, -1.0]);
    /// ```
    #[track_caller]
    pub fn ceil(&self) -> Tensor<T> {
        pointwise(Ceil, self)
    }
}

struct Ceil;

impl<T: Float> Pointwise<T> for Ceil {
    const NAME: &'static str = "ceil";
    const SAVES: Saves = Saves::NOTHING;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::ceil(x, y);
    }

    fn along(&self, _: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        no_slope(d)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "ceil",
    formula: "y = ceil(x)",
    shapes: SHAPES,
    // Away from whole numbers, where the result jumps.
    domain: Domain::Custom(|_, shape, rng| {
        Tensor::rand(shape, -5.0, 5.0, rng).round() + Tensor::rand(shape, 0.2, 0.4, rng)
    }),
    build: build!(|x| x[0].ceil()),
    oracle: Oracle::Unary(f64::ceil),
    refused: &[],
    slope: Slope::Zero("constant between integers"),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
