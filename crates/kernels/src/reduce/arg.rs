//! Where the extremes of an axis are.

use super::fold::{Fold, Max, Min};
use super::{Split, check_axis, rows};
use crate::disjoint::Disjoint;
use crate::element::{Float, per_float};
use crate::{arch, par};

/// Elements of a row that are compared at once.
const CHUNK: usize = 64;

/// Columns of a unit of work.
const STRIP: usize = 256;

/// Positions of the largest elements along the axis: of the first one if there are several, of
/// the first NaN if there is one.
///
/// # Panics
/// If the lengths do not fit the split, or the axis is empty and the result is not.
pub fn argmax<T: Float>(x: &[T], split: Split, out: &mut [i64]) {
    split.check("argmax", x.len(), out.len());
    check_axis("argmax", split);
    per_float!(T: argmax_split(x: &[T], split: Split, out: &mut [i64]))
}

/// Positions of the smallest elements along the axis: of the first one if there are several, of
/// the first NaN if there is one.
///
/// # Panics
/// If the lengths do not fit the split, or the axis is empty and the result is not.
pub fn argmin<T: Float>(x: &[T], split: Split, out: &mut [i64]) {
    split.check("argmin", x.len(), out.len());
    check_axis("argmin", split);
    per_float!(T: argmin_split(x: &[T], split: Split, out: &mut [i64]))
}

/// The largest elements along the axis and their positions, as [`argmax`].
///
/// # Panics
/// If the lengths do not fit the split, or the axis is empty and the result is not.
pub fn max_with_index<T: Float>(x: &[T], split: Split, out: &mut [T], index: &mut [i64]) {
    split.check("max_with_index", x.len(), out.len());
    split.check("max_with_index", x.len(), index.len());
    check_axis("max_with_index", split);
    per_float!(T: max_split(x: &[T], split: Split, out: &mut [T], index: &mut [i64]))
}

/// The smallest elements along the axis and their positions, as [`argmin`].
///
/// # Panics
/// If the lengths do not fit the split, or the axis is empty and the result is not.
pub fn min_with_index<T: Float>(x: &[T], split: Split, out: &mut [T], index: &mut [i64]) {
    split.check("min_with_index", x.len(), out.len());
    split.check("min_with_index", x.len(), index.len());
    check_axis("min_with_index", split);
    per_float!(T: min_split(x: &[T], split: Split, out: &mut [T], index: &mut [i64]))
}

fn argmax_split<T: Float>(x: &[T], split: Split, out: &mut [i64]) {
    extremes::<T, Max>(x, split, None, out);
}

fn argmin_split<T: Float>(x: &[T], split: Split, out: &mut [i64]) {
    extremes::<T, Min>(x, split, None, out);
}

fn max_split<T: Float>(x: &[T], split: Split, out: &mut [T], index: &mut [i64]) {
    extremes::<T, Max>(x, split, Some(out), index);
}

fn min_split<T: Float>(x: &[T], split: Split, out: &mut [T], index: &mut [i64]) {
    extremes::<T, Min>(x, split, Some(out), index);
}

fn extremes<T: Float, F: Fold<T>>(x: &[T], split: Split, out: Option<&mut [T]>, index: &mut [i64]) {
    if index.is_empty() {
        return;
    }
    let Split { outer, axis, inner } = split;
    let out = out.map(Disjoint::new);
    let index = Disjoint::new(index);
    let strips = inner.div_ceil(STRIP);
    let units = outer * strips;
    let group = (16 * 1024usize).div_ceil(axis * inner.min(STRIP));
    par::for_each(units.div_ceil(group), x.len() / 4, |task| {
        arch::inlined_narrow(
            #[inline(always)]
            || {
                for unit in task * group..units.min((task + 1) * group) {
                    let (o, column) = (unit / strips, unit % strips * STRIP);
                    let width = STRIP.min(inner - column);
                    let result = o * inner + column..o * inner + column + width;
                    let mut best = [F::start(); STRIP];
                    // SAFETY: each strip of the result belongs to one unit.
                    let index = unsafe { index.range(result.clone()) };
                    if inner == 1 {
                        (best[0], index[0]) = extreme_of_row::<T, F>(&x[o * axis..][..axis]);
                    } else {
                        let x = &x[o * axis * inner + column..];
                        extremes_of_columns::<T, F>(x, axis, inner, &mut best[..width], index);
                    }
                    if let Some(out) = &out {
                        // SAFETY: as above.
                        unsafe { out.range(result) }.copy_from_slice(&best[..width]);
                    }
                }
            },
        );
    });
}

/// Finds the extreme first, fast, then the first chunk that holds it, then its place there.
#[inline(always)]
fn extreme_of_row<T: Float, F: Fold<T>>(row: &[T]) -> (T, i64) {
    let best = rows::fold_block::<T, F>(row);
    let is_nan = best.is_nan();
    for (chunk, elements) in row.chunks(CHUNK).enumerate() {
        let is_best = |x: T| (x == best) | (is_nan & x.is_nan());
        if elements.iter().fold(false, |found, &x| found | is_best(x)) {
            let place = elements.iter().position(|&x| is_best(x));
            let place = place.expect("the chunk holds the extreme");
            return (best, (chunk * CHUNK + place) as i64);
        }
    }
    unreachable!("the extreme is one of the elements")
}

/// The extremes of the first `best.len()` columns, over rows that begin `stride` apart.
#[inline(always)]
fn extremes_of_columns<T: Float, F: Fold<T>>(
    x: &[T],
    rows: usize,
    stride: usize,
    best: &mut [T],
    index: &mut [i64],
) {
    best.copy_from_slice(&x[..best.len()]);
    index.fill(0);
    for row in 1..rows {
        let x = &x[row * stride..];
        for ((best, index), &x) in best.iter_mut().zip(&mut *index).zip(x) {
            let better = F::step(*best, x);
            // A value that is taken differs from the one it replaces; NaN is never replaced.
            #[expect(clippy::eq_op, reason = "best == best tells a number from NaN")]
            let taken = (better != *best) & (*best == *best);
            *index = if taken { row as i64 } else { *index };
            *best = better;
        }
    }
}
