//! The norm of all gradients together, and what clipping does with it.

use crate::element::{Float, per_float};
use crate::{arch, par, reduce};

/// Elements whose squares are summed as one block.
const BLOCK: usize = 16 * 1024;

/// The sum of the squares of all elements of all slices.
///
/// # Numerics
/// As [`reduce::sum_squares`] in each block of 16 Ki elements; blocks are added in `f64` in a
/// fixed tree, so the result does not depend on the number of threads.
pub fn norm_squared<T: Float>(slices: &[&[T]]) -> f64 {
    per_float!(T: sum_blocks(slices: &[&[T]]) -> f64)
}

fn sum_blocks<T: Float>(slices: &[&[T]]) -> f64 {
    let elements: usize = slices.iter().map(|s| s.len()).sum();
    let blocks: Vec<&[T]> = slices.iter().flat_map(|s| s.chunks(BLOCK)).collect();
    par::reduce(
        blocks.len(),
        elements / 3,
        |index| reduce::block_sum_squares(blocks[index]),
        |a, b| a + b,
    )
    .unwrap_or(0.0)
}

/// Multiplies every element of every slice by `factor`.
pub fn scale<T: Float>(slices: &mut [&mut [T]], factor: f64) {
    per_float!(T: scale_slices(slices: &mut [&mut [T]], factor: f64))
}

fn scale_slices<T: Float>(slices: &mut [&mut [T]], factor: f64) {
    let factor = T::from_f64(factor);
    map(slices, move |x| x * factor);
}

/// Moves every element of every slice into `[low, high]`; NaN stays NaN.
pub fn clamp<T: Float>(slices: &mut [&mut [T]], low: f64, high: f64) {
    per_float!(T: clamp_slices(slices: &mut [&mut [T]], low: f64, high: f64))
}

fn clamp_slices<T: Float>(slices: &mut [&mut [T]], low: f64, high: f64) {
    let (low, high) = (T::from_f64(low), T::from_f64(high));
    map(slices, move |x| {
        let x = if x < low { low } else { x };
        if x > high { high } else { x }
    });
}

fn map<T: Float>(slices: &mut [&mut [T]], f: impl Fn(T) -> T + Sync) {
    let elements: usize = slices.iter().map(|s| s.len()).sum();
    let mut blocks: Vec<&mut [T]> = slices.iter_mut().flat_map(|s| s.chunks_mut(BLOCK)).collect();
    par::chunks_mut(&mut blocks, 1, elements / 2, |_, block| {
        arch::inlined_narrow(
            #[inline(always)]
            || block[0].iter_mut().for_each(|x| *x = f(*x)),
        );
    });
}
