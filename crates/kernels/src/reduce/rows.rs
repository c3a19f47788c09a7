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

/// Rows whose folds wait side by side to be stored.
const GROUP: usize = 128;

/// Elements of one task.
const TASK: usize = 4 * BLOCK;

/// `out[r] = fold of row r / divisor` for rows of `cols > 0` elements.
pub(super) fn reduce<T: Float, F: Fold<T>>(x: &[T], cols: usize, out: &mut [T], divisor: f64) {
    let work = x.len() / 8;
    if cols >= 4 * TASK {
        for (row, out) in x.chunks_exact(cols).zip(out) {
            let part = |index: usize| {
                let part = &row[index * TASK..cols.min((index + 1) * TASK)];
                let mut total = [0.0];
                fold_rows::<T, F>(part, part.len(), &mut total);
                total[0]
            };
            let total = par::reduce(cols.div_ceil(TASK), cols / 8, part, F::merge);
            *out = T::from_f64(total.expect("a row has elements") / divisor);
        }
        return;
    }
    let rows = TASK.div_ceil(cols);
    par::chunks_mut(out, rows, work, |index, out| {
        let x = &x[index * rows * cols..][..out.len() * cols];
        let mut totals = [0.0; GROUP];
        for (x, out) in x.chunks(GROUP * cols).zip(out.chunks_mut(GROUP)) {
            fold_rows::<T, F>(x, cols, &mut totals);
            for (out, &total) in out.iter_mut().zip(&totals) {
                *out = T::from_f64(total / divisor);
            }
        }
    });
}

/// The fold of each row of `cols` elements of `x`.
#[inline(never)]
fn fold_rows<T: Float, F: Fold<T>>(x: &[T], cols: usize, totals: &mut [f64]) {
    arch::inlined_narrow(
        #[inline(always)]
        || {
            for (row, total) in x.chunks_exact(cols).zip(&mut *totals) {
                *total = F::start().to_f64();
                for block in row.chunks(BLOCK) {
                    *total = F::merge(*total, fold_block::<T, F>(block).to_f64());
                }
            }
        },
    );
}

/// The sum of squares of a slice, on this thread, in any instruction set.
pub(crate) fn block_sum_squares<T: Float>(x: &[T]) -> f64 {
    if x.is_empty() {
        return 0.0;
    }
    let mut total = [0.0];
    fold_rows::<T, SumSquares>(x, x.len(), &mut total);
    total[0]
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
