//! The sums of batch norm's backward: of `dy` and of `dy (x - mean)`, per channel.
//!
//! Blocks of [`BLOCK`] rows, or [`RUN`] elements of a run, are summed in `T`; blocks and parts are
//! added in `f64`, in order.

use pulp::{Simd, WithSimd};

use super::blocks::{Block, STRIP, sum_columns};
use crate::arch;
use crate::element::Float;
use crate::registers::fold;
use crate::simd::Vector;

/// Rows summed in `T`.
const BLOCK: usize = 128;

/// Elements of a run summed in `T`, side by side.
const RUN: usize = 4096;

/// What is summed, over which block; mean, scale and beta of the block's channels, by which a
/// ReLU's sign is found again; and where the ReLU begins, NaN without one.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a, T> {
    pub(super) x: &'a [T],
    pub(super) dy: &'a [T],
    pub(super) block: Block,
    pub(super) coefficients: [&'a [T]; 3],
    pub(super) floor: T,
}

impl<T: Float> Inputs<'_, T> {
    /// Fills `sum` and `sum_x`, one of each per channel of the block.
    pub(super) fn sums(self, sum: &mut [f64], sum_x: &mut [f64]) {
        if self.block.is_run {
            arch::dispatch_for::<T, _>(RunSums { inputs: self, sum, sum_x });
        } else {
            arch::dispatch_for::<T, _>(ColumnSums { inputs: self, sum, sum_x });
        }
    }
}

struct ColumnSums<'a, T> {
    inputs: Inputs<'a, T>,
    sum: &'a mut [f64],
    sum_x: &'a mut [f64],
}

impl<T: Float> WithSimd for ColumnSums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Inputs { x, dy, block, coefficients, floor } = self.inputs;
        let (mut s, mut q) = ([T::ZERO; STRIP], [T::ZERO; STRIP]);
        let (s, q) = (&mut s[..block.width], &mut q[..block.width]);
        let floor = Vector::splat(simd, floor);
        self.sum.fill(0.0);
        self.sum_x.fill(0.0);
        for row in (0..block.rows).step_by(BLOCK) {
            let count = BLOCK.min(block.rows - row);
            let start = block.row(row).start;
            sum_columns(
                simd,
                [&x[start..], &dy[start..]],
                (count, block.stride),
                coefficients,
                [s, q],
                #[inline(always)]
                |sums, x, coefficients| step(sums, x, coefficients, floor),
            );
            let sums = self.sum.iter_mut().zip(&mut *self.sum_x);
            for ((sum, sum_x), (&s, &q)) in sums.zip(s.iter().zip(&*q)) {
                *sum += s.to_f64();
                *sum_x += q.to_f64();
            }
        }
    }
}

/// One element per lane more in the sums: `dy` counts where `y` is above the floor, or NaN.
#[inline(always)]
fn step<T: Float, S: Simd>(
    [sum, sum_x]: [Vector<T, S>; 2],
    [x, dy]: [Vector<T, S>; 2],
    [mean, scale, beta]: [Vector<T, S>; 3],
    floor: Vector<T, S>,
) -> [Vector<T, S>; 2] {
    let d = x - mean;
    let y = d * scale + beta;
    let dy = y.less_equal(floor).select(dy.same(T::ZERO), dy);
    [sum + dy, dy.mul_add(d, sum_x)]
}

struct RunSums<'a, T> {
    inputs: Inputs<'a, T>,
    sum: &'a mut [f64],
    sum_x: &'a mut [f64],
}

impl<T: Float> WithSimd for RunSums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Inputs { x, dy, block, coefficients, floor } = self.inputs;
        let fill = [coefficients[0][0], T::ZERO];
        let coefficients = coefficients.map(|c| Vector::splat(simd, c[0]));
        let floor = Vector::splat(simd, floor);
        let (mut sum, mut sum_x) = (0.0, 0.0);
        for row in 0..block.rows {
            let range = block.row(row);
            let parts = x[range.clone()].chunks(RUN).zip(dy[range].chunks(RUN));
            for (x, dy) in parts {
                let [s, q] = fold(
                    simd,
                    [x, dy],
                    fill,
                    [Vector::splat(simd, T::ZERO); 2],
                    #[inline(always)]
                    |sums, x| step(sums, x, coefficients, floor),
                    #[inline(always)]
                    |a, b| a + b,
                );
                sum += s.reduce_sum().to_f64();
                sum_x += q.reduce_sum().to_f64();
            }
        }
        (self.sum[0], self.sum_x[0]) = (sum, sum_x);
    }
}
