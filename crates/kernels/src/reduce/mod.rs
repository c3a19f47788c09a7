//! Reductions along an axis: sums, products, extremes, counts, running sums.
//!
//! An array is seen as `[outer, axis, inner]` ([`Split`]) and reduced along `axis` to
//! `[outer, inner]`. Where `inner` is 1 the axis is contiguous and reduced in `LANES` lanes;
//! otherwise rows of `inner` elements are folded on top of each other.
//!
//! Blocks follow from the shape alone and partial results meet in a fixed order, so a result has
//! the same bits on any number of threads.

mod arg;
mod columns;
mod fold;
mod rows;
mod scan;
#[cfg(test)]
mod tests;
mod to_shape;
mod truth;

pub use arg::{argmax, argmin, max_with_index, min_with_index};
pub use scan::{argcummax, argcummin, cumprod, cumsum, logcumsumexp, recurrence};
pub use to_shape::sum_to;
pub use truth::{all, any, count};

use crate::element::{Float, per_float};
use fold::{Fold, Max, Min, Prod, Sum, SumSquares};
pub(crate) use rows::block_sum_squares;

/// A contiguous array seen as `[outer, axis, inner]`, to be reduced along `axis`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// Product of the sizes before the axis.
    pub outer: usize,
    /// Size of the axis.
    pub axis: usize,
    /// Product of the sizes after the axis.
    pub inner: usize,
}

impl Split {
    /// The split of `shape` at `axis`.
    ///
    /// # Panics
    /// If the shape has no such axis.
    pub fn at(shape: &[usize], axis: usize) -> Split {
        Split {
            outer: shape[..axis].iter().product(),
            axis: shape[axis],
            inner: shape[axis + 1..].iter().product(),
        }
    }

    /// Elements before the reduction.
    pub fn elements(self) -> usize {
        self.outer * self.axis * self.inner
    }

    /// Elements after the reduction.
    pub fn reduced(self) -> usize {
        self.outer * self.inner
    }

    #[track_caller]
    fn check(self, kernel: &str, elements: usize, reduced: usize) {
        assert!(
            elements == self.elements() && reduced == self.reduced(),
            "{kernel}: needs {} elements in and {} out for {self:?}; got {elements} and {reduced}",
            self.elements(),
            self.reduced(),
        );
    }
}

/// Sums along the axis; 0 where it is empty.
///
/// # Numerics
/// Up to 128 (columns) or 70 (rows) additions in `T` stand in a row, then partial sums meet in
/// `f64`: the error is at most `130 eps sum |x|` whatever the length.
///
/// # Panics
/// If the lengths do not fit the split.
pub fn sum<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    split.check("sum", x.len(), out.len());
    per_float!(T: sum_split(x: &[T], split: Split, out: &mut [T]))
}

/// Means along the axis; NaN where it is empty. Accuracy as [`sum`].
///
/// # Panics
/// If the lengths do not fit the split.
pub fn mean<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    split.check("mean", x.len(), out.len());
    per_float!(T: mean_split(x: &[T], split: Split, out: &mut [T]))
}

/// Sums of squares along the axis; 0 where it is empty. Accuracy as [`sum`].
///
/// # Panics
/// If the lengths do not fit the split.
pub fn sum_squares<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    split.check("sum_squares", x.len(), out.len());
    per_float!(T: sum_squares_split(x: &[T], split: Split, out: &mut [T]))
}

/// Products along the axis; 1 where it is empty.
///
/// # Panics
/// If the lengths do not fit the split.
pub fn prod<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    split.check("prod", x.len(), out.len());
    per_float!(T: prod_split(x: &[T], split: Split, out: &mut [T]))
}

/// Largest elements along the axis; NaN where there is one.
///
/// # Panics
/// If the lengths do not fit the split, or the axis is empty and the result is not.
pub fn max<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    split.check("max", x.len(), out.len());
    check_axis("max", split);
    per_float!(T: max_split(x: &[T], split: Split, out: &mut [T]))
}

/// Smallest elements along the axis; NaN where there is one.
///
/// # Panics
/// If the lengths do not fit the split, or the axis is empty and the result is not.
pub fn min<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    split.check("min", x.len(), out.len());
    check_axis("min", split);
    per_float!(T: min_split(x: &[T], split: Split, out: &mut [T]))
}

/// Column sums of `x [rows, cols]`: a bias gradient. Accuracy as [`sum`].
///
/// # Panics
/// If the lengths do not fit.
pub fn sum_columns<T: Float>(x: &[T], rows: usize, cols: usize, out: &mut [T]) {
    let split = Split { outer: 1, axis: rows, inner: cols };
    split.check("sum_columns", x.len(), out.len());
    sum(x, split, out);
}

/// The sum of all elements. Accuracy as [`sum`].
pub fn sum_all<T: Float>(x: &[T]) -> T {
    let split = Split { outer: 1, axis: x.len(), inner: 1 };
    let mut total = [T::from_f64(0.0)];
    sum(x, split, &mut total);
    total[0]
}

#[track_caller]
fn check_axis(kernel: &str, split: Split) {
    assert!(
        split.axis > 0 || split.reduced() == 0,
        "{kernel}: needs an element along the axis; got {split:?}"
    );
}

fn sum_split<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    reduce::<T, Sum>(x, split, out, 1.0);
}

fn mean_split<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    reduce::<T, Sum>(x, split, out, split.axis as f64);
}

fn sum_squares_split<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    reduce::<T, SumSquares>(x, split, out, 1.0);
}

fn prod_split<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    reduce::<T, Prod>(x, split, out, 1.0);
}

fn max_split<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    reduce::<T, Max>(x, split, out, 1.0);
}

fn min_split<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    reduce::<T, Min>(x, split, out, 1.0);
}

/// The fold along the axis over `divisor`.
fn reduce<T: Float, F: Fold<T>>(x: &[T], split: Split, out: &mut [T], divisor: f64) {
    if out.is_empty() {
    } else if split.axis == 0 {
        out.fill(T::from_f64(F::start().to_f64() / divisor));
    } else if split.inner == 1 {
        rows::reduce::<T, F>(x, split.axis, out, divisor);
    } else {
        columns::reduce::<T, F>(x, split, out, divisor);
    }
}
