//! `round`: nearest integer.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, no_slope, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The nearest integer to each element; halfway cases go to the even one.
    ///
    /// `y = x rounded`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// Zero: the result is constant wherever it has a derivative.
    ///
    /// # Numerics
    /// Zeros, infinities and NaN stay; zeros keep the sign of x.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.5, 1.5, -1.2]).round().to_vec(), [0.0, 2.0, -1.0]);
    /// ```
    #[track_caller]
    pub fn round(&self) -> Tensor<T> {
        pointwise(Round, self)
    }
}

struct Round;

impl<T: Float> Pointwise<T> for Round {
    const NAME: &'static str = "round";
    const SAVES: Saves = Saves::NOTHING;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::round(x, y);
    }

    fn along(&self, _: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        no_slope(d)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "round",
    formula: "y = nearest integer to x, ties to even",
    shapes: SHAPES,
    // Away from halves, where the result jumps.
    domain: Domain::Custom(|_, shape, rng| {
        Tensor::rand(shape, -5.0, 5.0, rng).round() + Tensor::rand(shape, -0.3, 0.3, rng)
    }),
    build: build!(|x| x[0].round()),
    oracle: Oracle::Unary(f64::round_ties_even),
    refused: &[],
    slope: Slope::Zero("constant between halves"),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
