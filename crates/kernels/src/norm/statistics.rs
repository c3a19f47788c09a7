//! Mean and variance of every channel, in one pass over the data.
//!
//! 1. Blocks of [`BLOCK`] rows are summed in `T`, shifted by their first row: `s = sum d`,
//!    `q = sum d^2`, `d = x - first`. Since the first row is one of the block, its distance from
//!    the block's mean is part of the variance, and `q - s^2 / n` amplifies the rounding errors of
//!    the two sums at most `n + 1` times, whatever the data: blocks are short.
//! 2. Runs are summed in blocks of [`RUN`] elements, which stay in the L1 cache: first their mean,
//!    then the distances from it.
//! 3. Blocks are merged in `f64`, in order, by Chan's formula; so are parts of the rows that
//!    threads share.

use pulp::{Simd, WithSimd};

use super::blocks::{Block, Blocks, STRIP, sum_columns};
use crate::disjoint::Disjoint;
use crate::element::{Float, per_float};
use crate::reduce::Split;
use crate::registers::{fold, sum};
use crate::simd::Vector;
use crate::{arch, par, scratch};

/// Rows summed in `T`. Merging a block costs more than summing it, but at 128 rows an outlier in
/// the first one costs three digits of the variance.
const BLOCK: usize = 32;

/// Elements of a run whose moments are found together.
const RUN: usize = 2048;

/// Rows of a part.
const PART: usize = 1024;

/// Mean and biased variance of each channel of `x [outer, axis, inner]`, channels along `axis`:
/// over outer and inner. NaN without elements.
///
/// # Panics
/// If the lengths do not fit.
///
/// # Reference
/// Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance".
pub fn batch_statistics<T: Float>(x: &[T], split: Split, mean: &mut [T], var: &mut [T]) {
    assert!(
        x.len() == split.elements() && mean.len() == split.axis && var.len() == split.axis,
        "batch_statistics: needs {} elements and {} means and variances for {split:?}; got {}, {} and {}",
        split.elements(),
        split.axis,
        x.len(),
        mean.len(),
        var.len()
    );
    per_float!(T: statistics(x: &[T], split: Split, mean: &mut [T], var: &mut [T]))
}

fn statistics<T: Float>(x: &[T], split: Split, mean: &mut [T], var: &mut [T]) {
    let blocks = Blocks::of_parts(split, PART);
    let (parts, channels) = (blocks.parts(), split.axis);
    if x.is_empty() {
        mean.fill(T::NAN);
        return var.fill(T::NAN);
    }
    // partial (part, mean and m2, channels)
    scratch::with(parts * 2 * channels, |partial: &mut [f64]| {
        let shared = Disjoint::new(partial);
        par::for_each(blocks.count(), x.len() / 2, |index| {
            let block = blocks.get(index);
            let start = index / blocks.strips() * 2 * channels;
            let of = block.channels();
            // SAFETY: each strip of each part belongs to one block.
            let (mean, m2) = unsafe {
                (
                    shared.range(start + of.start..start + of.end),
                    shared.range(start + channels + of.start..start + channels + of.end),
                )
            };
            moments(x, block, mean, m2);
        });
        let count = (split.outer * split.inner) as f64;
        for (c, (mean, var)) in mean.iter_mut().zip(var).enumerate() {
            let at = |part: usize| Moments {
                mean: partial[part * 2 * channels + c],
                m2: partial[(part * 2 + 1) * channels + c],
            };
            let mut all = at(0);
            for part in 1..parts {
                let n_b = PART.min(split.outer - part * PART) as f64;
                all.merge((part * PART) as f64, n_b, at(part));
            }
            *mean = T::from_f64(all.mean);
            *var = T::from_f64(all.m2 / count);
        }
    });
}

/// Mean and sum of squared distances from the mean, of the channels of a block.
pub(super) fn moments<T: Float>(x: &[T], block: Block, mean: &mut [f64], m2: &mut [f64]) {
    if block.is_run {
        arch::dispatch_for::<T, _>(RunMoments { x, block, mean, m2 });
    } else {
        arch::dispatch_for::<T, _>(ColumnMoments { x, block, mean, m2 });
    }
}

/// Mean and sum of squared distances from the mean.
#[derive(Clone, Copy)]
struct Moments {
    mean: f64,
    m2: f64,
}

impl Moments {
    /// Joins the moments of `n` values with those of `n_b` others.
    #[inline(always)]
    fn merge(&mut self, n: f64, n_b: f64, b: Moments) {
        let total = n + n_b;
        let delta = b.mean - self.mean;
        self.mean += delta * (n_b / total);
        self.m2 += b.m2 + delta * delta * (n * n_b / total);
    }
}

struct ColumnMoments<'a, T> {
    x: &'a [T],
    block: Block,
    mean: &'a mut [f64],
    m2: &'a mut [f64],
}

impl<T: Float> WithSimd for ColumnMoments<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Block { start, stride, rows, width, .. } = self.block;
        let (mut s, mut q) = ([T::ZERO; STRIP], [T::ZERO; STRIP]);
        let (s, q) = (&mut s[..width], &mut q[..width]);
        self.mean.fill(0.0);
        self.m2.fill(0.0);
        let mut row = 0;
        while row < rows {
            let count = BLOCK.min(rows - row);
            let first = &self.x[start + row * stride..][..width];
            // The block's other rows, and those behind it, to be prefetched.
            let rest = self.x.get(start + (row + 1) * stride..).unwrap_or_default();
            sum_columns(
                simd,
                [rest],
                (count - 1, stride),
                [first],
                [s, q],
                #[inline(always)]
                |[s, q], [x], [first]| {
                    let d = x - first;
                    [s + d, d.mul_add(d, q)]
                },
            );
            merge_block(row as f64, count as f64, first, s, q, self.mean, self.m2);
            row += count;
        }
    }
}

/// Merges a block of `n_b` rows, given by its shifted sums, into the moments of `n` rows.
#[inline(always)]
fn merge_block<T: Float>(
    n: f64,
    n_b: f64,
    first: &[T],
    s: &[T],
    q: &[T],
    mean: &mut [f64],
    m2: &mut [f64],
) {
    let inverse = 1.0 / n_b;
    let (mean_share, m2_share) = (n_b / (n + n_b), n * n_b / (n + n_b));
    let sums = first.iter().zip(s).zip(q);
    for (((&first, &s), &q), (mean, m2)) in sums.zip(mean.iter_mut().zip(m2)) {
        let s = s.to_f64();
        let delta = first.to_f64() + s * inverse - *mean;
        *mean += delta * mean_share;
        *m2 += q.to_f64() - s * s * inverse + delta * delta * m2_share;
    }
}

struct RunMoments<'a, T> {
    x: &'a [T],
    block: Block,
    mean: &'a mut [f64],
    m2: &'a mut [f64],
}

impl<T: Float> WithSimd for RunMoments<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut all = Moments { mean: 0.0, m2: 0.0 };
        let mut n = 0.0;
        for row in 0..self.block.rows {
            for x in self.x[self.block.row(row)].chunks(RUN) {
                all.merge(n, x.len() as f64, run_moments(simd, x));
                n += x.len() as f64;
            }
        }
        (self.mean[0], self.m2[0]) = (all.mean, all.m2);
    }
}

/// Two passes over a part of a run in the L1 cache: the mean, then distances from it.
#[inline(always)]
fn run_moments<T: Float, S: Simd>(simd: S, x: &[T]) -> Moments {
    let n = x.len() as f64;
    let total = sum(
        simd,
        [x],
        [T::ZERO],
        #[inline(always)]
        |[x]| x,
    );
    let center = T::from_f64(total / n);
    let at = Vector::splat(simd, center);
    let [s, q] = fold(
        simd,
        [x],
        [center],
        [Vector::splat(simd, T::ZERO); 2],
        #[inline(always)]
        |[s, q], [x]| {
            let d = x - at;
            [s + d, d.mul_add(d, q)]
        },
        #[inline(always)]
        |a, b| a + b,
    );
    // The rounding of the center is made good by the sum of distances, which would be 0.
    let (s, q) = (s.reduce_sum().to_f64(), q.reduce_sum().to_f64());
    Moments { mean: center.to_f64() + s / n, m2: q - s * s / n }
}
