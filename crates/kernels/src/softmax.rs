//! Softmax and log-softmax over the last axis, forward and backward.
//!
//! Forward reads a row three times, from the L1 cache after the first: largest element; exp, sum
//! and store; scale. Computing the largest element first costs less than correcting a running one.
//! The exponentials leave the memory idle, so rows ahead are fetched meanwhile. They have to wait
//! for the largest element, and a row's end for the last of them; so the largest element of the
//! next row is sought before the exponentials of this one (`Maxima`).

use pulp::{Simd, WithSimd};

use crate::element::{Float, per_float};
use crate::math::{exp, exp_of_difference};
use crate::prefetch::NextRows;
use crate::registers::{BLOCK, fold, map, map_fold, sum};
use crate::simd::Vector;
use crate::{arch, par};

/// Elements of a task.
const TASK: usize = 16 * 1024;

/// `y = exp(x - max x) / sum exp(x - max x)` for each row of `x [rows, cols]`.
///
/// # Numerics
/// A row with NaN or +inf, or of -inf alone, gives NaN throughout, as in PyTorch.
///
/// # Panics
/// If the lengths differ or are no multiple of `cols`.
pub fn softmax<T: Float>(x: &[T], cols: usize, y: &mut [T]) {
    check("softmax", cols, [x.len(), y.len(), y.len()]);
    per_float!(T: softmax_rows(x: &[T], cols: usize, y: &mut [T]))
}

/// `y = x - lse`, `lse = max x + log sum exp(x - max x)`, for each row of `x [rows, cols]`.
///
/// # Numerics
/// As [`softmax`]. `y` is never above 0 by more than rounding.
///
/// # Panics
/// If the lengths differ or are no multiple of `cols`.
pub fn log_softmax<T: Float>(x: &[T], cols: usize, y: &mut [T]) {
    check("log_softmax", cols, [x.len(), y.len(), y.len()]);
    per_float!(T: log_softmax_rows(x: &[T], cols: usize, y: &mut [T]))
}

/// `dx = y (dy - sum y dy)` for each row, from [`softmax`]'s result `y`.
///
/// # Panics
/// If the lengths differ or are no multiple of `cols`.
pub fn softmax_backward<T: Float>(y: &[T], dy: &[T], cols: usize, dx: &mut [T]) {
    check("softmax_backward", cols, [y.len(), dy.len(), dx.len()]);
    per_float!(T: softmax_backward_rows(y: &[T], dy: &[T], cols: usize, dx: &mut [T]))
}

/// `dx = dy - exp(y) sum dy` for each row, from [`log_softmax`]'s result `y`.
///
/// # Panics
/// If the lengths differ or are no multiple of `cols`.
pub fn log_softmax_backward<T: Float>(y: &[T], dy: &[T], cols: usize, dx: &mut [T]) {
    check("log_softmax_backward", cols, [y.len(), dy.len(), dx.len()]);
    per_float!(T: log_softmax_backward_rows(y: &[T], dy: &[T], cols: usize, dx: &mut [T]))
}

/// `out = log sum exp` of each row of `x [rows, cols]`; -inf for rows of -inf, +inf for rows
/// with +inf.
///
/// # Panics
/// If the lengths do not fit.
pub fn logsumexp<T: Float>(x: &[T], cols: usize, out: &mut [T]) {
    assert!(
        x.len() == out.len() * cols,
        "logsumexp: needs {} elements for {} rows of {cols}; got {}",
        out.len() * cols,
        out.len(),
        x.len()
    );
    per_float!(T: logsumexp_rows(x: &[T], cols: usize, out: &mut [T]))
}

#[track_caller]
fn check(kernel: &str, cols: usize, lens: [usize; 3]) {
    let fits = lens[0] == lens[1] && lens[1] == lens[2];
    assert!(
        fits && (lens[0] == 0 || cols > 0 && lens[0].is_multiple_of(cols)),
        "{kernel}: needs slices of one length, a multiple of {cols}; got {lens:?}"
    );
}

fn softmax_rows<T: Float>(x: &[T], cols: usize, y: &mut [T]) {
    for_rows(x, x, cols, y, SoftmaxRow);
}

fn log_softmax_rows<T: Float>(x: &[T], cols: usize, y: &mut [T]) {
    for_rows(x, x, cols, y, LogSoftmaxRow);
}

fn softmax_backward_rows<T: Float>(y: &[T], dy: &[T], cols: usize, dx: &mut [T]) {
    for_rows(y, dy, cols, dx, SoftmaxBackwardRow);
}

fn log_softmax_backward_rows<T: Float>(y: &[T], dy: &[T], cols: usize, dx: &mut [T]) {
    for_rows(y, dy, cols, dx, LogSoftmaxBackwardRow);
}

fn logsumexp_rows<T: Float>(x: &[T], cols: usize, out: &mut [T]) {
    if cols == 0 {
        return out.fill(T::NEG_INFINITY);
    }
    let rows = TASK.div_ceil(cols);
    par::chunks_mut(out, rows, x.len(), |task, out| {
        let x = &x[task * rows * cols..];
        arch::dispatch_for::<T, _>(LogSumExp { x, cols, out });
    });
}

/// What is done with a row of two inputs and one output.
trait RowKernel<T: Float>: Copy + Sync {
    /// Whether it needs the largest element of each row of `a`.
    const NEEDS_MAX: bool = false;

    fn row<S: Simd>(self, simd: S, a: &[T], max: T, b: &[T], out: &mut [T]);
}

/// Runs `kernel` on every row, rows shared by the threads.
fn for_rows<T: Float>(a: &[T], b: &[T], cols: usize, out: &mut [T], kernel: impl RowKernel<T>) {
    if out.is_empty() {
        return;
    }
    let task = TASK.div_ceil(cols) * cols;
    let work = out.len();
    par::chunks_mut(out, task, work, |index, out| {
        let (a, b) = (&a[index * task..], &b[index * task..]);
        arch::dispatch_for::<T, _>(Rows { a, b, cols, out, kernel });
    });
}

struct Rows<'a, T, K> {
    a: &'a [T],
    b: &'a [T],
    cols: usize,
    out: &'a mut [T],
    kernel: K,
}

impl<T: Float, K: RowKernel<T>> WithSimd for Rows<'_, T, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let cols = self.cols;
        let count = if K::NEEDS_MAX { self.out.len() / cols } else { 0 };
        let mut maxima = Maxima::new(self.a, count, cols);
        let rows = self.a.chunks_exact(cols).zip(self.b.chunks_exact(cols));
        for ((a, b), out) in rows.zip(self.out.chunks_exact_mut(cols)) {
            let max = if K::NEEDS_MAX { maxima.next(simd) } else { T::ZERO };
            self.kernel.row(simd, a, max, b, out);
        }
    }
}

/// The largest elements of rows in order, each sought a row ahead.
pub(crate) struct Maxima<'a, T> {
    /// The rows whose largest elements have not been sought.
    rest: &'a [T],
    rows: usize,
    cols: usize,
    /// That of the row before those.
    max: Option<T>,
}

impl<'a, T: Float> Maxima<'a, T> {
    /// Of the first `rows` rows of `cols` elements.
    #[inline(always)]
    pub(crate) fn new(x: &'a [T], rows: usize, cols: usize) -> Self {
        Maxima { rest: &x[..rows * cols], rows, cols, max: None }
    }

    /// That of the next row.
    #[inline(always)]
    pub(crate) fn next<S: Simd>(&mut self, simd: S) -> T {
        loop {
            let max = self.max;
            if self.rows == 0 {
                return max.unwrap_or(T::NEG_INFINITY);
            }
            let (row, rest) = self.rest.split_at(self.cols);
            self.max = Some(row_max(simd, row));
            (self.rest, self.rows) = (rest, self.rows - 1);
            if let Some(max) = max {
                return max;
            }
        }
    }
}

/// Rows from the one that is worked on to the one that is fetched: the next one has been read
/// already, for its largest element.
const AHEAD: usize = 2;

#[derive(Clone, Copy)]
struct SoftmaxRow;

impl<T: Float> RowKernel<T> for SoftmaxRow {
    const NEEDS_MAX: bool = true;

    #[inline(always)]
    fn row<S: Simd>(self, simd: S, x: &[T], max: T, _: &[T], y: &mut [T]) {
        let max = Vector::splat(simd, max);
        let next = NextRows::new([x], [&*y], AHEAD * x.len());
        let mut total = 0.0;
        for (x, y) in x.chunks(BLOCK).zip(y.chunks_mut(BLOCK)) {
            let [sum] = map_fold(
                simd,
                [x],
                [T::NEG_INFINITY],
                y,
                [Vector::splat(simd, T::ZERO)],
                #[inline(always)]
                |[sum], [x]| {
                    next.ask(T::lanes::<S>());
                    let e = exp_of_difference(x - max);
                    ([sum + e], e)
                },
                #[inline(always)]
                |a, b| a + b,
            );
            total += sum.reduce_sum().to_f64();
        }
        let scale = Vector::splat(simd, T::from_f64(1.0 / total));
        let (y, y_rest) = T::split_mut::<S>(y);
        for y in y {
            *y = (Vector::new(simd, *y) * scale).lanes;
        }
        (Vector::load(simd, y_rest) * scale).store(y_rest);
    }
}

#[derive(Clone, Copy)]
struct LogSoftmaxRow;

impl<T: Float> RowKernel<T> for LogSoftmaxRow {
    const NEEDS_MAX: bool = true;

    #[inline(always)]
    fn row<S: Simd>(self, simd: S, x: &[T], max: T, _: &[T], y: &mut [T]) {
        // (x - max) - log sum keeps more bits than x - (max + log sum).
        let log_sum = T::from_f64(exp_sum(simd, x, max).ln());
        let (max, log_sum) = (Vector::splat(simd, max), Vector::splat(simd, log_sum));
        let next = NextRows::new([], [&*y], x.len());
        map(
            simd,
            [x],
            y,
            #[inline(always)]
            |[x]| {
                next.ask(T::lanes::<S>());
                x - max - log_sum
            },
        );
    }
}

#[derive(Clone, Copy)]
struct SoftmaxBackwardRow;

impl<T: Float> RowKernel<T> for SoftmaxBackwardRow {
    #[inline(always)]
    fn row<S: Simd>(self, simd: S, y: &[T], _: T, dy: &[T], dx: &mut [T]) {
        let total = sum(
            simd,
            [y, dy],
            [T::ZERO; 2],
            #[inline(always)]
            |[y, dy]| y * dy,
        );
        let total = Vector::splat(simd, T::from_f64(total));
        let next = NextRows::new([y, dy], [&*dx], y.len());
        map(
            simd,
            [y, dy],
            dx,
            #[inline(always)]
            |[y, dy]| {
                next.ask(T::lanes::<S>());
                y * (dy - total)
            },
        );
    }
}

#[derive(Clone, Copy)]
struct LogSoftmaxBackwardRow;

impl<T: Float> RowKernel<T> for LogSoftmaxBackwardRow {
    #[inline(always)]
    fn row<S: Simd>(self, simd: S, y: &[T], _: T, dy: &[T], dx: &mut [T]) {
        let total = sum(
            simd,
            [dy],
            [T::ZERO],
            #[inline(always)]
            |[dy]| dy,
        );
        let total = Vector::splat(simd, T::from_f64(total));
        map(
            simd,
            [y, dy],
            dx,
            #[inline(always)]
            |[y, dy]| exp(y).neg_mul_add(total, dy),
        );
    }
}

struct LogSumExp<'a, T> {
    x: &'a [T],
    cols: usize,
    out: &'a mut [T],
}

impl<T: Float> WithSimd for LogSumExp<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut maxima = Maxima::new(self.x, self.out.len(), self.cols);
        for (x, out) in self.x.chunks_exact(self.cols).zip(self.out) {
            let max = maxima.next(simd);
            // An infinite maximum is the result; inf - inf would make NaN of it.
            let is_finite = max.is_finite() || x.iter().any(|x| x.is_nan());
            *out = if is_finite {
                T::from_f64(max.to_f64() + exp_sum(simd, x, max).ln())
            } else {
                max
            };
        }
    }
}

/// The largest element of a row; unspecified with NaN, which shows in the sum of exponentials.
#[inline(always)]
fn row_max<T: Float, S: Simd>(simd: S, x: &[T]) -> T {
    let least = T::NEG_INFINITY;
    let start = [Vector::splat(simd, least)];
    let [max] = fold(
        simd,
        [x],
        [least],
        start,
        #[inline(always)]
        |[max], [x]| [max.max_fast(x)],
        #[inline(always)]
        |a, b| a.max_fast(b),
    );
    max.reduce_max()
}

/// `sum exp(x - max)`; fetches the row behind the next one.
#[inline(always)]
pub(crate) fn exp_sum<T: Float, S: Simd>(simd: S, x: &[T], max: T) -> f64 {
    let max = Vector::splat(simd, max);
    let next = NextRows::new([x], [], AHEAD * x.len());
    sum(
        simd,
        [x],
        [T::NEG_INFINITY],
        #[inline(always)]
        |[x]| {
            next.ask(T::lanes::<S>());
            exp_of_difference(x - max)
        },
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::*;

    fn naive_softmax(x: &[f64]) -> Vec<f64> {
        let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let e: Vec<f64> = x.iter().map(|x| (x - max).exp()).collect();
        let sum: f64 = e.iter().sum();
        e.iter().map(|e| e / sum).collect()
    }

    fn naive_logsumexp(x: &[f64]) -> f64 {
        let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        max + x.iter().map(|x| (x - max).exp()).sum::<f64>().ln()
    }

    fn check_forward<T: Float>(x: &[T], cols: usize) {
        let eps = T::EPSILON.to_f64();
        let context = (x.len(), cols, arch::current());
        let wide_x = wide(x);
        let rows = || wide_x.chunks(cols.max(1));
        let largest = wide_x.iter().fold(0.0f64, |a, x| a.max(x.abs()));
        let mut y = vec![T::ONE; x.len()];
        softmax(x, cols, &mut y);
        let want: Vec<f64> = rows().flat_map(naive_softmax).collect();
        // x - max is rounded once: its error, up to eps |x - max|, is relative in the exponential.
        let bound = eps * (8.0 + largest + 2.0 * (cols as f64).sqrt());
        assert_within(("softmax", context), &y, &want, |i| {
            bound * want[i] + T::MIN_POSITIVE.to_f64()
        });
        log_softmax(x, cols, &mut y);
        let shifted = |x: &[f64]| x.iter().map(|v| v - naive_logsumexp(x)).collect::<Vec<_>>();
        let want: Vec<f64> = rows().flat_map(shifted).collect();
        assert_within(("log_softmax", context), &y, &want, |i| bound * (1.0 + want[i].abs()));
        let mut lse = vec![T::ONE; x.len().checked_div(cols).unwrap_or(0)];
        logsumexp(x, cols, &mut lse);
        let want: Vec<f64> = rows().map(naive_logsumexp).collect();
        assert_within(("logsumexp", context), &lse, &want, |i| bound * (1.0 + want[i].abs()));
    }

    fn check_backward<T: Float>(x: &[T], dy: &[T], cols: usize) {
        let eps = T::EPSILON.to_f64();
        let context = (x.len(), cols, arch::current());
        let mut dx = vec![T::ONE; x.len()];
        softmax_backward(x, dy, cols, &mut dx);
        let (y, wide_dy) = (wide(x), wide(dy));
        let (mut want, mut want_log, mut size) = (vec![], vec![], vec![]);
        for (y, dy) in y.chunks(cols.max(1)).zip(wide_dy.chunks(cols.max(1))) {
            let dot: f64 = y.iter().zip(dy).map(|(y, dy)| y * dy).sum();
            let sum: f64 = dy.iter().sum();
            let terms: f64 = y.iter().zip(dy).map(|(y, dy)| dy.abs() * (1.0 + y.abs())).sum();
            want.extend(y.iter().zip(dy).map(|(y, dy)| y * (dy - dot)));
            want_log.extend(y.iter().zip(dy).map(|(y, dy)| dy - y.exp() * sum));
            size.extend(y.iter().map(|y| terms * y.exp().max(1.0) * (1.0 + y.abs())));
        }
        let bound = |i: usize| 4.0 * eps * (4.0 + (cols as f64).sqrt()) * size[i];
        assert_within(("softmax", context), &dx, &want, bound);
        log_softmax_backward(x, dy, cols, &mut dx);
        assert_within(("log_softmax", context), &dx, &want_log, bound);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn equals_its_twin(
            rows in 0..4usize,
            cols in prop_oneof![0..70usize, Just(4097)],
            scale in prop_oneof![Just(1.0), Just(10.0), Just(100.0)],
            seed: u64,
        ) {
            on_each_isa(|_| {
                let x: Vec<f64> = values(rows * cols, seed);
                let x: Vec<f64> = x.iter().map(|x| x * scale).collect();
                let narrow: Vec<f32> = x.iter().map(|&x| x as f32).collect();
                check_forward(&x, cols);
                check_forward(&narrow, cols);
                let (y, dy): (Vec<f32>, Vec<f32>) = (values(x.len(), seed), values(x.len(), !seed));
                check_backward(&y, &dy, cols);
                let (y, dy): (Vec<f64>, Vec<f64>) = (values(x.len(), seed), values(x.len(), !seed));
                check_backward(&y, &dy, cols);
            });
        }
    }

    #[test]
    fn huge_logits_are_stable() {
        for huge in [1e4, 1e10, 3e38f32] {
            let mut y = [0.0; 3];
            softmax(&[huge, huge, -huge], 3, &mut y);
            assert_eq!(y, [0.5, 0.5, 0.0]);
            log_softmax(&[huge, huge, 0.0], 3, &mut y);
            let half = -std::f32::consts::LN_2;
            assert_eq!(y, [half, half, half - huge]);
        }
    }

    #[test]
    fn special_values_act_as_in_pytorch() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        on_each_isa(|isa| {
            for row in [[1.0, inf, 2.0], [-inf; 3], [nan, 1.0, 2.0], [1.0, 2.0, nan]] {
                let (mut y, mut z) = ([0.0; 3], [0.0; 3]);
                softmax(&row, 3, &mut y);
                log_softmax(&row, 3, &mut z);
                assert!(y.iter().all(|y| y.is_nan()), "{isa}: {row:?} {y:?}");
                assert!(z.iter().all(|z| z.is_nan()) || row[1] == inf, "{isa}: {row:?} {z:?}");
            }
            let mut y = [0.0; 3];
            softmax(&[1.0, -inf, 1.0], 3, &mut y);
            assert_eq!(y, [0.5, 0.0, 0.5], "{isa}");
            let mut lse = [0.0; 4];
            let rows = [-inf, -inf, inf, 1.0, nan, inf, nan, 1.0];
            logsumexp(&rows, 2, &mut lse);
            assert_eq!(lse[..2], [-inf, inf], "{isa}");
            assert!(lse[2].is_nan() && lse[3].is_nan(), "{isa}");
            logsumexp(&[], 0, &mut lse);
            assert_eq!(lse, [-inf; 4], "{isa}");
        });
    }

    #[test]
    fn threads_do_not_change_bits() {
        let x: Vec<f32> = values(300 * 700, 1);
        assert_same_on_threads(|| {
            let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            softmax(&x, 700, &mut y);
            softmax_backward(&y, &x, 700, &mut dx);
            (bits(&y), bits(&dx))
        });
    }
}
