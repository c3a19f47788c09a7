//! `exp`: the exponential function.

use backstitch_kernels::{Float, elementwise};

use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The exponential function of each element.
    ///
    /// `y = eˣ`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy * y`
    ///
    /// # Numerics
    /// Infinity above 88.7 (`f64`: 709.8). NaN stays NaN.
    #[track_caller]
    pub fn exp(&self) -> Tensor<T> {
        apply(Exp, [self])
    }
}

struct Exp;

impl<T: Float> Op<T, 1> for Exp {
    const NAME: &'static str = "exp";
    const SAVES: Saves = Saves::OUTPUT;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        Tensor::build(x.shape(), |y| elementwise::exp(x.view(), y))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(dy * at.output())]
    }

    fn jvp(&self, at: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        dx.expect("the only input moves") * at.output()
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "exp",
    formula: "y = e^x",
    shapes: &[&[&[]], &[&[0]], &[&[1]], &[&[7]], &[&[3, 17]], &[&[2, 3, 33]], &[&[1024, 1024]]],
    domain: Domain::Range(-3.0, 3.0),
    build: build!(|x| x[0].exp()),
    oracle: Oracle::Unary(f64::exp),
    refused: &[],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 10.0),
    tolerance: Tolerance::Ulps(2.0, "the kernel's stated bound, and the oracle's own half ulp"),
}];
