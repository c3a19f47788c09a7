//! Sums over the axes that broadcasting expanded: from a gradient to its operand's shape.

use std::ops::RangeInclusive;

use super::{Split, sum};
use crate::element::Float;
use crate::pool::Buffer;

/// Sums `x` of shape `shape` to `to`, a shape that broadcasts to `shape`: over the axes that `to`
/// lacks in front, and over those where it has size 1.
///
/// # Numerics
/// As [`sum`], once for each run of neighbouring summed axes.
///
/// # Panics
/// If the lengths do not fit the shapes or `to` does not broadcast to `shape`.
pub fn sum_to<T: Float>(x: &[T], shape: &[usize], to: &[usize], out: &mut [T]) {
    let fits = to.len() <= shape.len()
        && to.iter().rev().zip(shape.iter().rev()).all(|(&to, &size)| to == size || to == 1)
        && x.len() == shape.iter().product::<usize>()
        && out.len() == to.iter().product::<usize>();
    assert!(
        fits,
        "sum_to: needs a shape that broadcasts to {shape:?}; got {to:?}, with {} elements in and {} out",
        x.len(),
        out.len(),
    );
    if out.is_empty() {
        return;
    }
    // Each round sums the last run of summed axes, which then have size 1.
    let mut shape = shape.to_vec();
    let mut summed = Buffer::default();
    let mut is_first = true;
    loop {
        let x = if is_first { x } else { &summed };
        let Some((split, run)) = last_run(&shape, to) else {
            return out.copy_from_slice(x);
        };
        shape[run].fill(1);
        if last_run(&shape, to).is_none() {
            return sum(x, split, out);
        }
        let mut next = Buffer::unspecified(split.reduced());
        sum(x, split, &mut next);
        summed = next;
        is_first = false;
    }
}

/// The last neighbouring axes of `shape` that are summed to get to `to`, and the shape as split
/// by them; axes of size 1 belong to any run.
fn last_run(shape: &[usize], to: &[usize]) -> Option<(Split, RangeInclusive<usize>)> {
    let lead = shape.len() - to.len();
    let is_summed = |axis: usize| shape[axis] != 1 && (axis < lead || to[axis - lead] == 1);
    let last = (0..shape.len()).rev().find(|&axis| is_summed(axis))?;
    let first = (0..last)
        .rev()
        .take_while(|&axis| is_summed(axis) || shape[axis] == 1)
        .last()
        .unwrap_or(last);
    let split = Split {
        outer: shape[..first].iter().product(),
        axis: shape[first..=last].iter().product(),
        inner: shape[last + 1..].iter().product(),
    };
    Some((split, first..=last))
}
