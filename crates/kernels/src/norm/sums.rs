//! The sums of batch norm's backward: of `dy` and of `dy (x - mean)`, per channel.
//!
//! Blocks of [`BLOCK`] rows are summed in `T`, four rows at a time; blocks and parts are added in
//! `f64`, in order.

use crate::disjoint::Disjoint;
use crate::element::Float;
use crate::reduce::Split;
use crate::{arch, par, scratch};

/// Columns of a strip.
const STRIP: usize = 256;

/// Rows of a part, which threads share.
const PART: usize = 1024;

/// Rows summed in `T`.
const BLOCK: usize = 128;

/// Elements of a run summed in `T`, side by side.
const RUN: usize = 4096;

/// Elements of a run that are summed side by side.
const LANES: usize = 64;

/// What is summed, and mean, scale and beta per channel, by which a ReLU's sign is found again.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a, T> {
    pub(super) x: &'a [T],
    pub(super) dy: &'a [T],
    pub(super) split: Split,
    pub(super) coefficients: [&'a [T]; 3],
}

impl<T: Float> Inputs<'_, T> {
    /// Fills `sums [2, channels]` with `sum dy` and `sum dy (x - mean)`.
    pub(super) fn sums<const RELU: bool>(self, sums: &mut [f64]) {
        sums.fill(0.0);
        if self.x.is_empty() {
        } else if self.split.inner == 1 {
            self.of_columns::<RELU>(sums);
        } else {
            self.of_runs::<RELU>(sums);
        }
    }

    fn of_columns<const RELU: bool>(self, sums: &mut [f64]) {
        let channels = self.split.axis;
        let rows = self.split.outer;
        let (parts, strips) = (rows.div_ceil(PART), channels.div_ceil(STRIP));
        // partial (part, 2, channels)
        scratch::with(parts * 2 * channels, |partial: &mut [f64]| {
            let shared = Disjoint::new(partial);
            par::for_each(parts * strips, self.x.len(), |unit| {
                let (part, column) = (unit / strips, unit % strips * STRIP);
                let width = STRIP.min(channels - column);
                let start = part * 2 * channels + column;
                // SAFETY: each strip of each part belongs to one unit.
                let (sum, sum_x) = unsafe {
                    (
                        shared.range(start..start + width),
                        shared.range(start + channels..start + channels + width),
                    )
                };
                let part_rows = PART.min(rows - part * PART);
                arch::dispatch(
                    #[inline(always)]
                    || self.part::<RELU>(part * PART, part_rows, column, sum, sum_x),
                );
            });
            for part in partial.chunks_exact(2 * channels) {
                for (sum, &part) in sums.iter_mut().zip(part) {
                    *sum += part;
                }
            }
        });
    }

    /// Sums over a strip of `rows` rows.
    #[inline(always)]
    fn part<const RELU: bool>(
        &self,
        first_row: usize,
        rows: usize,
        column: usize,
        sum: &mut [f64],
        sum_x: &mut [f64],
    ) {
        let (stride, width) = (self.split.axis, sum.len());
        sum.fill(0.0);
        sum_x.fill(0.0);
        let (mut s, mut q) = ([T::ZERO; STRIP], [T::ZERO; STRIP]);
        let (s, q) = (&mut s[..width], &mut q[..width]);
        let coefficients = self.coefficients.map(|c| &c[column..column + width]);
        for block in (0..rows).step_by(BLOCK) {
            s.fill(T::ZERO);
            q.fill(T::ZERO);
            let end = rows.min(block + BLOCK);
            let mut row = block;
            while row + 4 <= end {
                let at = |k: usize| (first_row + row + k) * stride + column;
                let x = std::array::from_fn(|k| &self.x[at(k)..at(k) + width]);
                let dy = std::array::from_fn(|k| &self.dy[at(k)..at(k) + width]);
                add_rows::<T, 4, RELU>(x, dy, coefficients, s, q);
                row += 4;
            }
            for row in row..end {
                let at = (first_row + row) * stride + column;
                let (x, dy) = (&self.x[at..at + width], &self.dy[at..at + width]);
                add_rows::<T, 1, RELU>([x], [dy], coefficients, s, q);
            }
            for ((sum, sum_x), (&s, &q)) in sum.iter_mut().zip(&mut *sum_x).zip(s.iter().zip(&*q)) {
                *sum += s.to_f64();
                *sum_x += q.to_f64();
            }
        }
    }

    fn of_runs<const RELU: bool>(self, sums: &mut [f64]) {
        let Split { outer, axis: channels, inner } = self.split;
        let (sum, sum_x) = sums.split_at_mut(channels);
        par::chunks_mut2((sum, 1), (sum_x, 1), self.x.len(), |channel, sum, sum_x| {
            arch::dispatch(
                #[inline(always)]
                || {
                    let coefficients = self.coefficients.map(|c| [c[channel]; LANES]);
                    for o in 0..outer {
                        let start = (o * channels + channel) * inner;
                        let run = start..start + inner;
                        let x = self.x[run.clone()].chunks(RUN);
                        for (x, dy) in x.zip(self.dy[run].chunks(RUN)) {
                            let (s, q) = block_of_run::<T, RELU>(x, dy, &coefficients);
                            sum[0] += s;
                            sum_x[0] += q;
                        }
                    }
                },
            );
        });
    }
}

/// A block of a run as rows of [`LANES`] elements, all of one channel.
#[inline(always)]
fn block_of_run<T: Float, const RELU: bool>(
    x: &[T],
    dy: &[T],
    coefficients: &[[T; LANES]; 3],
) -> (f64, f64) {
    let (mut s, mut q) = ([T::ZERO; LANES], [T::ZERO; LANES]);
    for (x, dy) in x.chunks(LANES).zip(dy.chunks(LANES)) {
        let coefficients = coefficients.each_ref().map(|c| &c[..x.len()]);
        let (s, q) = (&mut s[..x.len()], &mut q[..x.len()]);
        add_rows::<T, 1, RELU>([x], [dy], coefficients, s, q);
    }
    let total = |lanes: [T; LANES]| lanes.iter().map(|lane| lane.to_f64()).sum();
    (total(s), total(q))
}

/// `s += dy`, `q += dy (x - mean)` for R rows; behind a ReLU only where its output is above 0.
#[inline(always)]
fn add_rows<T: Float, const R: usize, const RELU: bool>(
    x: [&[T]; R],
    dy: [&[T]; R],
    [mean, scale, beta]: [&[T]; 3],
    s: &mut [T],
    q: &mut [T],
) {
    // Equal lengths, stated, spare the loop its bounds checks, without which it is vectorised.
    let n = s.len();
    let (q, mean, scale, beta) = (&mut q[..n], &mean[..n], &scale[..n], &beta[..n]);
    let (x, dy) = (x.map(|x| &x[..n]), dy.map(|dy| &dy[..n]));
    for c in 0..n {
        let (mut sum, mut sum_x) = (s[c], q[c]);
        for row in 0..R {
            let (d, dy) = (x[row][c] - mean[c], dy[row][c]);
            let is_counted = !RELU || d * scale[c] + beta[c] > T::ZERO;
            let dy = if is_counted { dy } else { T::ZERO };
            sum += dy;
            sum_x += dy * d;
        }
        (s[c], q[c]) = (sum, sum_x);
    }
}
