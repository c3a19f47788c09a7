//! What ops share that choose elements by their order: `max`, `min`, `sort`, `topk`, `median`.

use backstitch_kernels::{Float, reduce::Split};

use super::over::{Over, kept, reduced};
use super::places::{Places, picked};
use crate::rng::Rng;
use crate::shape::{IntoDims, or_panic};
use crate::tensor::{Tensor, data};

/// Finds an element per lane and where it is: `kernel(x, split, values, places)`.
pub(super) type Finder<T> = fn(&[T], Split, &mut [T], &mut [i64]);

/// The chosen elements along some axes, for the op `name`.
#[track_caller]
pub(super) fn extreme<T: Float>(
    name: &'static str,
    x: &Tensor<T>,
    dims: impl IntoDims,
    keepdim: bool,
    find: Finder<T>,
) -> Tensor<T> {
    let over = or_panic(Over::some(name, x.shape(), dims));
    let (merged, axis) = over.merge(x);
    let shape = kept(merged.shape(), axis);
    let (y, _) = chosen(name, &merged, axis, 1, find);
    let result = over.result(keepdim);
    if result == shape { y } else { y.reshape(result) }
}

/// The positions of the chosen elements along some axes, for the op `name`.
#[track_caller]
pub(super) fn position<T: Float>(
    name: &'static str,
    x: &Tensor<T>,
    dims: impl IntoDims,
    keepdim: bool,
    find: fn(&[T], Split, &mut [i64]),
) -> Tensor<i64> {
    let over = or_panic(Over::some(name, x.shape(), dims));
    let (merged, axis) = over.merge(&x.detach());
    reduced(&merged, axis, find).reshape(over.result(keepdim))
}

/// `k` elements of each lane along `axis`, with gradient, and where they are.
#[track_caller]
pub(super) fn chosen<T: Float>(
    name: &'static str,
    x: &Tensor<T>,
    axis: usize,
    k: usize,
    find: impl FnOnce(&[T], Split, &mut [T], &mut [i64]),
) -> (Tensor<T>, Tensor<i64>) {
    let source = x.contiguous();
    let mut shape = kept(x.shape(), axis);
    shape[axis] = k;
    let split = Split::at(x.shape(), axis);
    let mut y = Tensor::build(&shape, |_| {});
    let idx = Tensor::build(&shape, |idx| find(data(&source), split, y.data_mut(), idx));
    (picked(name, x, y, Places::elements(axis, &idx)), idx)
}

/// Values at distances of 0.02, in random order, so that differences keep the order.
pub(super) fn distinct(shape: &[usize], rng: &mut Rng) -> Tensor<f64> {
    let mut order: Vec<(u64, usize)> =
        (0..shape.iter().product()).map(|i| (rng.next_u64(), i)).collect();
    order.sort_unstable();
    Tensor::from_vec(order.iter().map(|&(_, i)| i as f64 * 0.02 - 1.0).collect(), shape)
}

/// Where the elements of a lane stand in order; equal ones as they stood, NaN as the largest.
pub(super) fn sorted_places(lane: &[f64], descending: bool) -> Vec<usize> {
    let mut places: Vec<usize> = (0..lane.len()).collect();
    places.sort_by(|&a, &b| {
        let (a, b) = if descending { (lane[b], lane[a]) } else { (lane[a], lane[b]) };
        a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
    });
    places
}
