//! `mul`: product of two tensors.

use backstitch_kernels::{Float, elementwise};

use super::binary::operators;
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

operators! {
    /// Product, element by element.
    ///
    /// `y = a * b`, also with a number in place of either tensor.
    ///
    /// # Shape
    /// `a (...)` and `b (...)` to their broadcast shape, as in NumPy.
    ///
    /// # Gradient
    /// `da = dy * b`, `db = dy * a`, summed over broadcast axes.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    Mul mul * = mul
}

#[track_caller]
fn mul<T: Float>(a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
    or_panic(broadcast("mul", a.shape(), b.shape()));
    apply(MulTensors, [a, b])
}

struct MulTensors;

impl<T: Float> Op<T, 2> for MulTensors {
    const NAME: &'static str = "mul";
    const SAVES: Saves = Saves::INPUTS;

    fn forward(&mut self, [a, b]: [&Tensor<T>; 2]) -> Tensor<T> {
        super::binary::map([a, b], elementwise::mul)
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 2> {
        let (a, b) = (at.input(0), at.input(1));
        [at.want(0, || (dy * b).sum_to(at.shape(0))), at.want(1, || (dy * a).sum_to(at.shape(1)))]
    }

    fn jvp(&self, at: &Site<T>, [da, db]: Tangents<T, 2>) -> Tensor<T> {
        let (a, b) = (at.input(0), at.input(1));
        super::binary::sum_tangents(at, da.map(|da| da * b), db.map(|db| a * db))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "mul",
    formula: "y = a * b",
    shapes: super::binary::SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| &x[0] * &x[1]),
    oracle: Oracle::Binary(|a, b| a * b),
    refused: super::binary::REFUSED,
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Ulps(0.5, "one correctly rounded operation"),
}];
