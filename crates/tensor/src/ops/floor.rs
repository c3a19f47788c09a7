//! `floor`: largest integer not above.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, no_slope, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The largest integer not above each element.
    ///
    /// `y = ⌊x⌋`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// Zero: the result is constant wherever it has a derivative.
    ///
    /// # Numerics
    /// Zeros, infinities and NaN stay.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.5, -1.5]).floor().to_vec(), [1.0, -2.0]);
    /// ```
    #[track_caller]
    pub fn floor(&self) -> Tensor<T> {
        pointwise(Floor, self)
    }
}

struct Floor;

impl<T: Float> Pointwise<T> for Floor {
    const NAME: &'static str = "floor";
    const SAVES: Saves = Saves::NOTHING;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::floor(x, y);
    }

    fn along(&self, _: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        no_slope(d)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "floor",
    formula: "y = floor(x)",
    shapes: SHAPES,
    // Away from whole numbers, where the result jumps.
    domain: Domain::Custom(|_, shape, rng| {
        Tensor::rand(shape, -5.0, 5.0, rng).round() + Tensor::rand(shape, 0.2, 0.4, rng)
    }),
    build: build!(|x| x[0].floor()),
    oracle: Oracle::Unary(f64::floor),
    refused: &[],
    slope: Slope::Zero("constant between integers"),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
