//! What ops that only move elements share: their specs but for names, shapes and functions, and
//! repetition along an axis.

use backstitch_kernels::Element;

use crate::shape::Shape;
use crate::spec::{Build, Cost, Domain, OpSpec, Oracle, Slope, Tolerance};
use crate::tensor::Tensor;

/// The spec of an op that moves, repeats or drops elements: linear, exact, defined everywhere.
pub(super) const fn spec(
    name: &'static str,
    formula: &'static str,
    shapes: &'static [&'static [&'static [usize]]],
    refused: &'static [&'static [&'static [usize]]],
    build: Build,
    oracle: fn(&[Tensor<f64>]) -> Tensor<f64>,
) -> OpSpec {
    OpSpec {
        name,
        formula,
        shapes,
        domain: Domain::Range(-2.0, 2.0),
        build,
        oracle: Oracle::Whole(oracle),
        refused,
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(shapes, 0.0),
        tolerance: Tolerance::Exact,
    }
}

/// Shapes with one axis or more.
pub(super) const SHAPES: &[&[&[usize]]] =
    &[&[&[1]], &[&[7]], &[&[3, 0]], &[&[4, 17]], &[&[5, 3, 2]], &[&[256, 1024]]];

/// Shapes with two axes or more.
pub(super) const MATRICES: &[&[&[usize]]] =
    &[&[&[1, 1]], &[&[0, 3]], &[&[5, 3]], &[&[3, 5]], &[&[2, 4, 4]], &[&[256, 1024]]];

/// `x` with axis `axis` of `n` elements made `count * n` long: as a whole, or element by element.
#[track_caller]
pub(super) fn repeated<T: Element>(
    x: &Tensor<T>,
    axis: usize,
    count: usize,
    element_by_element: bool,
) -> Tensor<T> {
    let mut shape = Shape::new(x.shape());
    shape[axis] *= count;
    let at = axis + usize::from(element_by_element);
    let mut spread = Shape::new(x.shape());
    spread.insert(at, 1);
    let column = x.reshape(spread);
    spread[at] = count;
    column.expand(spread).reshape(shape)
}

/// The element of `x` at an index that is `idx` but for one axis.
pub(super) fn at(x: &Tensor<f64>, idx: &[usize], axis: usize, place: usize) -> f64 {
    let mut own = idx.to_vec();
    own[axis] = place;
    x.at(&own)
}

/// An oracle of an op that moves elements along the first axis: `from` says where the element at
/// a place of the result, whose first axis has `len` elements, comes from.
pub(super) fn along_first(
    x: &Tensor<f64>,
    len: usize,
    from: impl Fn(usize) -> usize,
) -> Tensor<f64> {
    let mut shape = x.shape().to_vec();
    shape[0] = len;
    Tensor::from_fn(shape, |idx| at(x, idx, 0, from(idx[0])))
}
