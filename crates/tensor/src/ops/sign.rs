//! `sign`: sign.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, no_slope, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The sign of each element: -1, 0 or 1.
    ///
    /// `y = x / |x|, 0 at 0`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// Zero: the sign is constant wherever it has a derivative.
    ///
    /// # Numerics
    /// Zeros keep their sign. NaN stays NaN, where PyTorch gives 0.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-2.0, 0.0, 3.0]).sign().to_vec(), [-1.0, 0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn sign(&self) -> Tensor<T> {
        pointwise(Sign, self)
    }
}

struct Sign;

impl<T: Float> Pointwise<T> for Sign {
    const NAME: &'static str = "sign";
    const SAVES: Saves = Saves::NOTHING;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::sign(x, y);
    }

    fn along(&self, _: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        no_slope(d)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "sign",
    formula: "y = x / |x|, 0 at 0",
    shapes: SHAPES,
    // Away from the jump at 0.
    domain: Domain::Custom(|_, shape, rng| {
        let part = Tensor::rand(shape, 0.1, 2.0, rng);
        part * Tensor::from_fn(
            shape,
            |idx| if idx.iter().sum::<usize>() % 3 == 0 { 1.0 } else { -1.0 },
        )
    }),
    build: build!(|x| x[0].sign()),
    oracle: Oracle::Unary(|x| if x == 0.0 || x.is_nan() { x } else { x.signum() }),
    refused: &[],
    slope: Slope::Zero("constant on both sides of 0"),
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Exact,
}];
