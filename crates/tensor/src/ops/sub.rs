//! `sub`: difference of two tensors.

use backstitch_kernels::{Float, elementwise};

use super::binary::operators;
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

operators! {
    /// Difference, element by element.
    ///
    /// `y = a - b`, also with a number in place of either tensor.
    ///
    /// # Shape
    /// `a (...)` and `b (...)` to their broadcast shape, as in NumPy.
    ///
    /// # Gradient
    /// `da = dy`, `db = -dy`, summed over broadcast axes.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    Sub sub - = sub
}

#[track_caller]
fn sub<T: Float>(a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
    or_panic(broadcast("sub", a.shape(), b.shape()));
    apply(SubTensors, [a, b])
}

struct SubTensors;

impl<T: Float> Op<T, 2> for SubTensors {
    const NAME: &'static str = "sub";
    const SAVES: Saves = Saves::NOTHING;

    fn forward(&mut self, [a, b]: [&Tensor<T>; 2]) -> Tensor<T> {
        super::binary::map([a, b], elementwise::sub)
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 2> {
        [at.want(0, || dy.sum_to(at.shape(0))), at.want(1, || -dy.sum_to(at.shape(1)))]
    }

    fn jvp(&self, at: &Site<T>, [da, db]: Tangents<T, 2>) -> Tensor<T> {
        super::binary::sum_tangents(at, da.cloned(), db.map(|db| -db))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "sub",
    formula: "y = a - b",
    shapes: super::binary::SHAPES,
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| &x[0] - &x[1]),
    oracle: Oracle::Binary(|a, b| a - b),
    refused: super::binary::REFUSED,
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Ulps(0.5, "one correctly rounded operation"),
}];
