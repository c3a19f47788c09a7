//! Reductions of rows laid on top of each other: `[outer, axis, inner]` with `inner > 1`.
//!
//! 1. A unit of work folds up to [`PART`] rows of a strip of up to [`STRIP`] columns, so that its
//!    partial results stay in the L1 cache.
//! 2. Eight rows are folded at a time: one read and one write of the partial results per eight
//!    reads of `x`.
//! 3. Partial results are widened to `f64` every [`BLOCK`] rows and merged in order.
//! 4. Rows shorter than [`WIDE`] are folded several side by side, as one wide row, so that vector
//!    registers are full; the copies of a column are joined at the end of the block.

use super::Split;
use super::fold::Fold;
use crate::disjoint::Disjoint;
use crate::element::Float;
use crate::{arch, array, par, scratch};

/// Columns of a unit.
const STRIP: usize = 512;

/// Rows of a unit.
const PART: usize = 1024;

/// Rows folded in `T` before they are widened.
const BLOCK: usize = 128;

/// Elements that rows are widened to.
const WIDE: usize = 64;

/// Elements of a task, which runs several units if they are small.
const TASK: usize = 16 * 1024;

/// `out[o, i] = fold of x[o, .., i] / divisor`, for an axis that is not empty.
pub(super) fn reduce<T: Float, F: Fold<T>>(x: &[T], split: Split, out: &mut [T], divisor: f64) {
    let inner = split.inner;
    let parts = split.axis.div_ceil(PART);
    if parts == 1 {
        let out = Disjoint::new(out);
        return fold_units::<T, F>(x, split, &|unit, total| {
            let start = unit.outer * inner + unit.column;
            // SAFETY: with one part, each strip of the result belongs to one unit.
            let out = unsafe { out.range(start..start + total.len()) };
            for (out, &total) in out.iter_mut().zip(total) {
                *out = T::from_f64(total / divisor);
            }
        });
    }
    // partial (outer, part, inner)
    scratch::with(split.outer * parts * inner, |partial: &mut [f64]| {
        let shared = Disjoint::new(partial);
        fold_units::<T, F>(x, split, &|unit, total| {
            let start = (unit.outer * parts + unit.part) * inner + unit.column;
            // SAFETY: each strip of each part belongs to one unit.
            unsafe { shared.range(start..start + total.len()) }.copy_from_slice(total);
        });
        let outs = out.chunks_exact_mut(inner);
        for (partial, out) in partial.chunks_exact_mut(parts * inner).zip(outs) {
            let (total, rest) = partial.split_at_mut(inner);
            for part in rest.chunks_exact(inner) {
                for (total, &part) in total.iter_mut().zip(part) {
                    *total = F::merge(*total, part);
                }
            }
            for (out, &total) in out.iter_mut().zip(&*total) {
                *out = T::from_f64(total / divisor);
            }
        }
    });
}

/// Which rows and columns are folded together: part `part` of the rows of `outer`, the strip
/// from `column` on.
#[derive(Clone, Copy)]
struct Unit {
    outer: usize,
    part: usize,
    column: usize,
}

/// Takes the result of a unit, to which its place belongs alone.
type Store<'a> = dyn Fn(Unit, &[f64]) + Sync + 'a;

/// Folds every unit, and gives each result to `store`.
fn fold_units<T: Float, F: Fold<T>>(x: &[T], split: Split, store: &Store<'_>) {
    let Split { outer, axis, inner } = split;
    let (parts, strips) = (axis.div_ceil(PART), inner.div_ceil(STRIP));
    let units = outer * parts * strips;
    let unit_elements = axis.min(PART) * inner.min(STRIP);
    let group = TASK.div_ceil(unit_elements);
    par::for_each(units.div_ceil(group), x.len() / 8, |task| {
        arch::inlined_narrow(
            #[inline(always)]
            || {
                let mut total = [0.0; STRIP];
                for index in task * group..units.min((task + 1) * group) {
                    let unit = Unit {
                        outer: index / (parts * strips),
                        part: index / strips % parts,
                        column: index % strips * STRIP,
                    };
                    let row = unit.part * PART;
                    let rows = PART.min(axis - row);
                    let total = &mut total[..STRIP.min(inner - unit.column)];
                    let x = &x[(unit.outer * axis + row) * inner + unit.column..];
                    fold_rows::<T, F>(x, inner, rows, total);
                    store(unit, total);
                }
            },
        );
    });
}

/// `total[i]` = fold of the first `rows` rows of column i, where rows begin `stride` apart.
#[inline(always)]
fn fold_rows<T: Float, F: Fold<T>>(x: &[T], stride: usize, rows: usize, total: &mut [f64]) {
    let width = total.len();
    total.fill(F::start().to_f64());
    let mut partial = [F::start(); STRIP];
    let mut row = 0;
    while row < rows {
        let count = BLOCK.min(rows - row);
        let x = &x[row * stride..];
        // Short rows side by side, as one wide row.
        let copies = if width == stride && width < WIDE { WIDE / width } else { 1 };
        let wide = copies * width;
        partial[..wide].fill(F::start());
        let step = if copies > 1 { wide } else { stride };
        fold_block::<T, F>(x, step, count / copies, &mut partial[..wide]);
        if copies > 1 {
            join_copies::<T, F>(
                &x[count / copies * wide..count * width],
                width,
                &mut partial[..wide],
            );
        }
        for (total, &partial) in total.iter_mut().zip(&partial) {
            *total = F::merge(*total, partial.to_f64());
        }
        row += count;
    }
}

/// Joins rows folded side by side, and those left over, `rest`, into `partial[..width]`.
#[inline(always)]
fn join_copies<T: Float, F: Fold<T>>(rest: &[T], width: usize, partial: &mut [T]) {
    for (partial, &x) in partial.iter_mut().zip(rest) {
        *partial = F::step(*partial, x);
    }
    let (first, copies) = partial.split_at_mut(width);
    for copy in copies.chunks_exact(width) {
        for (first, &copy) in first.iter_mut().zip(copy) {
            *first = F::join(*first, copy);
        }
    }
}

/// Folds `rows` rows, which begin `stride` apart, into `partial`.
#[inline(always)]
fn fold_block<T: Float, F: Fold<T>>(x: &[T], stride: usize, rows: usize, partial: &mut [T]) {
    let width = partial.len();
    let mut row = 0;
    while row + 8 <= rows {
        let x: [&[T]; 8] = array::from_fn(|i| &x[(row + i) * stride..][..width]);
        for (column, partial) in partial.iter_mut().enumerate() {
            *partial = x.iter().fold(*partial, |p, x| F::step(p, x[column]));
        }
        row += 8;
    }
    for row in row..rows {
        for (partial, &x) in partial.iter_mut().zip(&x[row * stride..]) {
            *partial = F::step(*partial, x);
        }
    }
}
