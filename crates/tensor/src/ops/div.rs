//! `div`: quotient of two tensors.

use backstitch_kernels::{Float, elementwise};

use super::binary::operators;
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{broadcast, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

operators! {
    /// Quotient, element by element.
    ///
    /// `y = a / b`, also with a number in place of either tensor.
    ///
    /// # Shape
    /// `a (...)` and `b (...)` to their broadcast shape, as in NumPy.
    ///
    /// # Gradient
    /// `da = dy / b`, `db = -dy * y / b`, summed over broadcast axes.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    Div div / = div
}

#[track_caller]
fn div<T: Float>(a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
    or_panic(broadcast("div", a.shape(), b.shape()));
    apply(DivTensors, [a, b])
}

struct DivTensors;

impl<T: Float> Op<T, 2> for DivTensors {
    const NAME: &'static str = "div";
    const SAVES: Saves = Saves::ALL;

    fn forward(&mut self, [a, b]: [&Tensor<T>; 2]) -> Tensor<T> {
        super::binary::map([a, b], elementwise::div)
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 2> {
        let (b, y) = (at.input(1), at.output());
        let da = dy / b;
        [at.want(0, || da.sum_to(at.shape(0))), at.want(1, || -(&da * y).sum_to(at.shape(1)))]
    }

    fn jvp(&self, at: &Site<T>, [da, db]: Tangents<T, 2>) -> Tensor<T> {
        let (b, y) = (at.input(1), at.output());
        super::binary::sum_tangents(at, da.map(|da| da / b), db.map(|db| -(y * (db / b))))
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "div",
    formula: "y = a / b",
    shapes: super::binary::SHAPES,
    domain: Domain::Ranges(&[(-2.0, 2.0), (0.5, 3.0)]),
    build: build!(|x| &x[0] / &x[1]),
    oracle: Oracle::Binary(|a, b| a / b),
    refused: super::binary::REFUSED,
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 1.0),
    tolerance: Tolerance::Ulps(0.5, "one correctly rounded operation"),
}];
