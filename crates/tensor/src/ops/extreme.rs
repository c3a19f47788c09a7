//! What `max` and `min` share: shapes, example values and the reference.

use backstitch_kernels::Float;

use crate::rng::Rng;
use crate::shape::{Shape, ShapeError, axis_of};
use crate::tensor::Tensor;

/// The axis, which must have an element unless the result is empty anyway.
pub(super) fn axis_rule(op: &str, shape: &[usize], dim: isize) -> Result<usize, ShapeError> {
    let axis = axis_of(op, dim, shape.len())?;
    let result_is_empty = (0..shape.len()).any(|a| a != axis && shape[a] == 0);
    if shape[axis] == 0 && !result_is_empty {
        let rule = format!("an element along dim {dim}");
        return Err(ShapeError::new(op, rule, format!("{shape:?}")));
    }
    Ok(axis)
}

/// The shape with length 1 for `axis`.
pub(super) fn kept(shape: &[usize], axis: usize) -> Shape {
    let mut shape = Shape::new(shape);
    shape[axis] = 1;
    shape
}

/// The shape without `axis`.
pub(super) fn dropped(shape: &[usize], axis: usize) -> Shape {
    let mut shape = Shape::new(shape);
    shape.remove(axis);
    shape
}

pub(super) const SHAPES: &[&[&[usize]]] =
    &[&[&[1]], &[&[3, 0]], &[&[7]], &[&[3, 17]], &[&[5, 2, 33]], &[&[256, 1024]]];

/// Values at distances of 0.02, in random order, so that differences keep the order.
pub(super) fn distinct(shape: &[usize], rng: &mut Rng) -> Tensor<f64> {
    let mut order: Vec<(u64, usize)> =
        (0..shape.iter().product()).map(|i| (rng.next_u64(), i)).collect();
    order.sort_unstable();
    Tensor::from_vec(order.iter().map(|&(_, i)| i as f64 * 0.02 - 1.0).collect(), shape)
}

/// `value` of the extreme element along the first axis and its position, as plain loops.
pub(super) fn first_axis(
    x: &Tensor<f64>,
    beats: impl Fn(&f64, &f64) -> bool,
    value: impl Fn(f64, usize) -> f64,
) -> Tensor<f64> {
    Tensor::from_fn(&x.shape()[1..], |idx| {
        let at = |i: usize| x.at(&[&[i], idx].concat());
        let better = |best: usize, i: usize| if beats(&at(i), &at(best)) { i } else { best };
        let best = (1..x.shape()[0]).fold(0, better);
        value(at(best), best)
    })
}

/// Positions as numbers, for a registry that compares numbers.
pub(super) fn as_numbers<T: Float>(idx: &Tensor<i64>) -> Tensor<T> {
    Tensor::from_vec(idx.to_vec().iter().map(|&i| T::from_usize(i as usize)).collect(), idx.shape())
}
