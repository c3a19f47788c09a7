//! `exp2`: power of two.

use backstitch_kernels::{Float, View, elementwise};

use super::pointwise::{Pointwise, SHAPES, pointwise};
use crate::op::{Saves, Site};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Two to the power of each element.
    ///
    /// `y = 2ˣ`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * y * ln 2`
    ///
    /// # Numerics
    /// Infinity from 128 on (`f64`: 1024). NaN stays NaN.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([3.0, -1.0]).exp2().to_vec(), [8.0, 0.5]);
    /// ```
    #[track_caller]
    pub fn exp2(&self) -> Tensor<T> {
        pointwise(Exp2, self)
    }
}

struct Exp2;

impl<T: Float> Pointwise<T> for Exp2 {
    const NAME: &'static str = "exp2";
    const SAVES: Saves = Saves::OUTPUT;

    fn map(&self, x: View<'_, T>, y: &mut [T]) {
        elementwise::exp2(x, y);
    }

    fn along(&self, at: &Site<T>, d: &Tensor<T>) -> Tensor<T> {
        d * at.output() * T::from_f64(std::f64::consts::LN_2)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "exp2",
    formula: "y = 2^x",
    shapes: SHAPES,
    domain: Domain::Range(-3.0, 3.0),
    build: build!(|x| x[0].exp2()),
    oracle: Oracle::Unary(f64::exp2),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(2.0, "the kernel's stated bound"),
}];
