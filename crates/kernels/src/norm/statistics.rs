//! Mean and variance of every channel, in one pass over the data.
//!
//! 1. Blocks of [`BLOCK`] rows are summed in `T`, shifted by their first row: `s = sum d`,
//!    `q = sum d^2`, `d = x - first`. Since the first row is one of the block, its distance from
//!    the block's mean is part of the variance, and `q - s^2 / n` amplifies the rounding errors of
//!    the two sums at most `n + 1` times, whatever the data: blocks are short.
//! 2. Blocks are merged in `f64`, in order, by Chan's formula; so are parts of the rows that
//!    threads share.

use crate::disjoint::Disjoint;
use crate::element::{Float, per_float};
use crate::reduce::Split;
use crate::{arch, par, scratch};

/// Rows summed in `T`. Merging a block costs more than summing it, but at 128 rows an outlier in
/// the first one costs three digits of the variance.
const BLOCK: usize = 32;

/// Elements of a run whose moments are found together, in the L1 cache.
const RUN: usize = 2048;

/// Rows of a part.
const PART: usize = 1024;

/// Columns of a strip.
const STRIP: usize = 256;

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
    if split.inner == 1 {
        of_columns(x, split.axis, mean, var);
    } else {
        of_runs(x, split, mean, var);
    }
}

/// Count, mean and sum of squared distances from the mean: of values seen so far.
#[derive(Clone, Copy)]
struct Moments {
    mean: f64,
    m2: f64,
}

/// Joins the moments of `n` values in `a` and of `n_b` values in `b`, channel by channel.
#[inline(always)]
fn merge(n: f64, a: &mut [Moments], n_b: f64, b: impl Fn(usize) -> Moments) {
    let total = n + n_b;
    let (mean_share, m2_share) = (n_b / total, n * n_b / total);
    for (channel, a) in a.iter_mut().enumerate() {
        let b = b(channel);
        let delta = b.mean - a.mean;
        a.mean += delta * mean_share;
        a.m2 += b.m2 + delta * delta * m2_share;
    }
}

/// Channels along the last axis: `x [rows, channels]`.
fn of_columns<T: Float>(x: &[T], channels: usize, mean: &mut [T], var: &mut [T]) {
    let rows = x.len() / channels.max(1);
    let parts = rows.div_ceil(PART);
    if parts == 0 || channels == 0 {
        mean.fill(T::NAN);
        return var.fill(T::NAN);
    }
    let strips = channels.div_ceil(STRIP);
    // partial (part, mean and m2, channels)
    scratch::with(parts * 2 * channels, |partial: &mut [f64]| {
        let shared = Disjoint::new(partial);
        par::for_each(parts * strips, x.len() / 2, |unit| {
            let (part, column) = (unit / strips, unit % strips * STRIP);
            let width = STRIP.min(channels - column);
            let rows = PART.min(rows - part * PART);
            let x = &x[part * PART * channels + column..];
            let start = part * 2 * channels + column;
            // SAFETY: each strip of each part belongs to one unit.
            let (mean, m2) = unsafe {
                (
                    shared.range(start..start + width),
                    shared.range(start + channels..start + channels + width),
                )
            };
            arch::dispatch(
                #[inline(always)]
                || part_of_columns(x, channels, rows, mean, m2),
            );
        });
        for (c, (mean, var)) in mean.iter_mut().zip(var).enumerate() {
            let at = |part: usize| Moments {
                mean: partial[part * 2 * channels + c],
                m2: partial[(part * 2 + 1) * channels + c],
            };
            let mut all = [at(0)];
            for part in 1..parts {
                let n_b = PART.min(rows - part * PART) as f64;
                merge((part * PART) as f64, &mut all, n_b, |_| at(part));
            }
            *mean = T::from_f64(all[0].mean);
            *var = T::from_f64(all[0].m2 / rows as f64);
        }
    });
}

/// Moments of the first `mean.len()` columns of rows that begin `stride` apart.
#[inline(always)]
fn part_of_columns<T: Float>(
    x: &[T],
    stride: usize,
    rows: usize,
    mean: &mut [f64],
    m2: &mut [f64],
) {
    let width = mean.len();
    mean.fill(0.0);
    m2.fill(0.0);
    let (mut s, mut q) = ([T::ZERO; STRIP], [T::ZERO; STRIP]);
    let (s, q) = (&mut s[..width], &mut q[..width]);
    let mut row = 0;
    while row < rows {
        let count = BLOCK.min(rows - row);
        let x = &x[row * stride..];
        let first = &x[..width];
        s.fill(T::ZERO);
        q.fill(T::ZERO);
        let mut i = 1;
        while i + 8 <= count {
            let x = std::array::from_fn(|k| &x[(i + k) * stride..][..width]);
            add_rows::<T, 8>(x, first, s, q);
            i += 8;
        }
        for i in i..count {
            add_rows([&x[i * stride..][..width]], first, s, q);
        }
        merge_block(row as f64, count as f64, first, s, q, mean, m2);
        row += count;
    }
}

/// `s += d`, `q += d^2` with `d = x - first`, for R rows.
#[inline(always)]
fn add_rows<T: Float, const R: usize>(x: [&[T]; R], first: &[T], s: &mut [T], q: &mut [T]) {
    // Equal lengths, stated, spare the loop its bounds checks, without which it is vectorised.
    let n = s.len();
    let (q, first, x) = (&mut q[..n], &first[..n], x.map(|x| &x[..n]));
    for c in 0..n {
        let (mut sum, mut squares) = (s[c], q[c]);
        for x in x {
            let d = x[c] - first[c];
            sum += d;
            squares += d * d;
        }
        (s[c], q[c]) = (sum, squares);
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

/// Channels with contiguous runs of `inner` elements: `x [outer, channels, inner]`.
fn of_runs<T: Float>(x: &[T], split: Split, mean: &mut [T], var: &mut [T]) {
    let Split { outer, axis: channels, inner } = split;
    let count = (outer * inner) as f64;
    par::chunks_mut2((mean, 1), (var, 1), x.len() / 2, |channel, mean, var| {
        arch::dispatch(
            #[inline(always)]
            || {
                let mut all = [Moments { mean: 0.0, m2: 0.0 }];
                let mut n = 0.0;
                for o in 0..outer {
                    let run = &x[(o * channels + channel) * inner..][..inner];
                    for block in run.chunks(RUN) {
                        let moments = block_moments(block);
                        merge(n, &mut all, block.len() as f64, |_| moments);
                        n += block.len() as f64;
                    }
                }
                let none = if n == 0.0 { f64::NAN } else { 0.0 };
                mean[0] = T::from_f64(all[0].mean + none);
                var[0] = T::from_f64(all[0].m2 / count);
            },
        );
    });
}

/// Elements of a run that are summed side by side.
const LANES: usize = 64;

/// Two passes over a block in the L1 cache: the mean, then distances from it.
#[inline(always)]
fn block_moments<T: Float>(block: &[T]) -> Moments {
    let n = block.len() as f64;
    let mean = lane_sum(block, |x| x) / n;
    let center = T::from_f64(mean);
    // The rounding of the center is made good by the sum of distances, which would be 0.
    let rest = lane_sum(block, |x| x - center);
    let m2 = lane_sum(block, |x| (x - center) * (x - center));
    Moments { mean: center.to_f64() + rest / n, m2: m2 - rest * rest / n }
}

#[inline(always)]
fn lane_sum<T: Float>(block: &[T], f: impl Fn(T) -> T) -> f64 {
    let mut lanes = [T::ZERO; LANES];
    let (chunks, rest) = block.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane += f(x);
    }
    lanes.iter().map(|lane| lane.to_f64()).sum()
}
