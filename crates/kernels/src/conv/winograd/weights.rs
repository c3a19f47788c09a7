//! The transform of weights, `G w Gᵀ`, and back of their gradients, `Gᵀ dU G`.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::super::columns::columns;
use super::super::micro::load;
use super::super::plan::Plan;
use super::maps::{both, enter, leave};
use super::tiles::{Layout, PANEL, lanes, store};
use crate::prefetch::to_read_later;
use crate::simd::Vector;
use crate::{arch, scratch};

/// Input channels that are brought into columns at a time.
const CHANNELS: usize = 8;

/// The transform of a plan's weights: `(U * U, input channels, PANEL)`, for each panel of output
/// channels.
pub(super) struct Weights<'a, const R: usize, const N: usize, const U: usize> {
    pub(super) w: &'a [f32],
    pub(super) plan: &'a Plan,
    pub(super) layout: Layout,
}

impl<const R: usize, const N: usize, const U: usize> Weights<'_, R, N, U> {
    /// For a panel of output channels.
    pub(super) fn panel(&self, inputs: &Range<usize>, outputs: Range<usize>, u: &mut [f32]) {
        let order = self.plan.tap_positions();
        let positions: [[usize; R]; R] =
            std::array::from_fn(|i| std::array::from_fn(|j| order[i * R + j]));
        let layout = self.layout;
        scratch::with(CHANNELS * R * R * PANEL, |taps: &mut [f32]| {
            for first in (0..inputs.len()).step_by(CHANNELS) {
                let channels = CHANNELS.min(inputs.len() - first);
                let next = inputs.start + first + channels;
                self.ask(next..inputs.end.min(next + CHANNELS), &outputs);
                let from = (inputs.start + first, outputs.start);
                columns(self.w, self.plan, from, (channels, outputs.len()), (&mut *taps, PANEL));
                let (columns, positions, to) = (&*taps, &positions, &mut u[layout.at(first, 0)..]);
                arch::dispatch(Enter::<R, N, U> { columns, positions, channels, to, layout });
            }
        });
    }

    /// Asks for some weights where those of an input channel are a short run, which the hardware does
    /// not see coming.
    fn ask(&self, inputs: Range<usize>, outputs: &Range<usize>) {
        let (in_step, out_step) = (self.plan.in_step, self.plan.out_step);
        if in_step < out_step {
            return;
        }
        for input in inputs {
            let run = self.w.as_ptr().wrapping_add(input * in_step + outputs.start * out_step);
            for at in (0..outputs.len() * out_step).step_by(LINE) {
                to_read_later(run.wrapping_add(at));
            }
        }
    }
}

/// Elements of a cache line.
const LINE: usize = 16;

/// `G w Gᵀ` of some input channels and a panel of output channels.
struct Enter<'a, const R: usize, const N: usize, const U: usize> {
    /// `(channels, R * R, PANEL)`
    columns: &'a [f32],
    positions: &'a [[usize; R]; R],
    channels: usize,
    to: &'a mut [f32],
    layout: Layout,
}

impl<const R: usize, const N: usize, const U: usize> WithSimd for Enter<'_, R, N, U> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Enter { columns, positions, channels, to, layout } = self;
        let lanes = lanes::<S>();
        for (channel, taps) in columns.chunks_exact(R * R * PANEL).take(channels).enumerate() {
            for first in (0..PANEL).step_by(lanes) {
                let from = channel * layout.row + first;
                both::<S, R, U>(
                    #[inline(always)]
                    |i, j| Vector::load(simd, &taps[positions[i][j] * PANEL + first..][..lanes]),
                    #[inline(always)]
                    |g| enter::<S, R, N, U>(simd, g),
                    #[inline(always)]
                    |k, l, u| {
                        u.store(&mut to[from + (k * U + l) * layout.product..][..lanes]);
                    },
                );
            }
        }
    }
}

/// Input channels whose gradients are brought into PyTorch's layout at a time.
pub(super) const ROWS: usize = 16;

/// `Gᵀ dU G` of some input channels, the sum of some parts of dU: `(channels, R * R, outputs)`.
pub(super) struct Leave<'a, const R: usize, const N: usize, const U: usize> {
    /// Where the parts start.
    pub(super) parts: &'a [&'a [f32]],
    pub(super) layout: Layout,
    pub(super) channels: Range<usize>,
    pub(super) outputs: usize,
    pub(super) to: &'a mut [f32],
}

impl<const R: usize, const N: usize, const U: usize> WithSimd for Leave<'_, R, N, U> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Leave { parts, layout, channels, outputs, to } = self;
        assert!(parts.iter().all(|part| layout.len(U * U) <= part.len()) && !parts.is_empty());
        assert!(outputs <= layout.row && channels.end * layout.row <= layout.product);
        assert!(to.len() == channels.len() * R * R * outputs);
        let to = to.as_mut_ptr();
        for (at, channel) in channels.enumerate() {
            for first in (0..outputs).step_by(lanes::<S>()) {
                let from = channel * layout.row + first;
                let to = to.wrapping_add(at * R * R * outputs + first);
                both::<S, U, R>(
                    #[inline(always)]
                    |k, l| {
                        let from = from + (k * U + l) * layout.product;
                        // SAFETY: each product has this row and column, as asserted.
                        let mut sum = unsafe { load(simd, parts[0].as_ptr().wrapping_add(from)) };
                        for part in &parts[1..] {
                            // SAFETY: as above.
                            sum += unsafe { load(simd, part.as_ptr().wrapping_add(from)) };
                        }
                        sum
                    },
                    #[inline(always)]
                    |t| leave::<S, R, N, U>(simd, t),
                    #[inline(always)]
                    |i, j, g| {
                        // SAFETY: there is a row for each channel and tap, as asserted.
                        unsafe { store(g, to.wrapping_add((i * R + j) * outputs)) };
                    },
                );
            }
        }
    }
}
