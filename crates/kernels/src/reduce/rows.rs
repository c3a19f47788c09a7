//! Reductions of contiguous rows.
//!
//! A block of up to [`BLOCK`] elements is folded into [`LANES`] partial results, element i into
//! lane `i % LANES`; lanes are joined in halves, and blocks are merged in `f64`, in order.

use super::fold::{Fold, SumSquares};
use crate::element::Float;
use crate::{arch, par};

/// Independent partial results: four AVX-512 registers of f32, so that additions overlap.
const LANES: usize = 64;

/// Elements folded in `T` before they are widened.
const BLOCK: usize = 4096;

/// Elements of one task.
const TASK: usize = 4 * BLOCK;

/// `out[r] = finish(fold of row r)` for rows of `cols > 0` elements.
pub(super) fn reduce<T: Float, F: Fold<T>>(
    x: &[T],
    cols: usize,
    out: &mut [T],
    finish: impl Fn(f64) -> f64 + Sync,
) {
    let work = x.len() / 8;
    if cols >= 4 * TASK {
        for (row, out) in x.chunks_exact(cols).zip(out) {
            let total = par::reduce(
                cols.div_ceil(TASK),
                cols / 8,
                |index| {
                    let task = &row[index * TASK..cols.min((index + 1) * TASK)];
                    arch::dispatch(
                        #[inline(always)]
                        || fold_row::<T, F>(task),
                    )
                },
                F::merge,
            );
            *out = T::from_f64(finish(total.expect("a row has elements")));
        }
        return;
    }
    let rows = TASK.div_ceil(cols);
    par::chunks_mut(out, rows, work, |index, out| {
        let x = &x[index * rows * cols..][..out.len() * cols];
        arch::dispatch(
            #[inline(always)]
            || {
                for (row, out) in x.chunks_exact(cols).zip(out) {
                    *out = T::from_f64(finish(fold_row::<T, F>(row)));
                }
            },
        );
    });
}

/// The sum of squares of a slice, on this thread, in any instruction set.
pub(crate) fn block_sum_squares<T: Float>(x: &[T]) -> f64 {
    arch::dispatch(
        #[inline(always)]
        || fold_row::<T, SumSquares>(x),
    )
}

#[inline(always)]
fn fold_row<T: Float, F: Fold<T>>(row: &[T]) -> f64 {
    let mut total = F::start().to_f64();
    for block in row.chunks(BLOCK) {
        total = F::merge(total, fold_block::<T, F>(block).to_f64());
    }
    total
}

#[inline(always)]
pub(super) fn fold_block<T: Float, F: Fold<T>>(block: &[T]) -> T {
    if block.len() < LANES / 4 {
        // Joining lanes would cost more than all additions.
        return block.iter().fold(F::start(), |partial, &x| F::step(partial, x));
    }
    let mut lanes = [F::start(); LANES];
    let (chunks, rest) = block.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = F::step(*lane, x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = F::step(*lane, x);
    }
    let mut width = LANES / 2;
    while width > 0 {
        let (low, high) = lanes.split_at_mut(width);
        for (a, &mut b) in low.iter_mut().zip(high) {
            *a = F::join(*a, b);
        }
        width /= 2;
    }
    lanes[0]
}
