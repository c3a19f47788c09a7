//! Which output places read which input places with which taps: one plan for a convolution, one
//! for each phase of its gradient by the image.

use super::{Conv, Window};

/// One axis of a [`Plan`]: output place `out_first + out_step * j`, for `j` below `count`, is a sum
/// over `u` below `taps` of tap `tap_first + tap_step * u` at input place
/// `j * stride + u * dilation - pad`.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlanAxis {
    pub(super) input: usize,
    pub(super) output: usize,
    pub(super) kernel: usize,
    pub(super) count: usize,
    pub(super) stride: usize,
    pub(super) dilation: usize,
    pub(super) pad: isize,
    pub(super) taps: usize,
    pub(super) tap_first: isize,
    pub(super) tap_step: isize,
    pub(super) out_first: usize,
    pub(super) out_step: usize,
}

impl PlanAxis {
    fn forward(window: &Window) -> Self {
        PlanAxis {
            input: window.input,
            output: window.output,
            kernel: window.kernel,
            count: window.output,
            stride: window.stride,
            dilation: window.dilation,
            pad: window.pad,
            taps: window.kernel,
            tap_first: 0,
            tap_step: 1,
            out_first: 0,
            out_step: 1,
        }
    }

    /// The input places `i` of a window with `(i + pad) mod stride = phase`, as outputs of a sum
    /// over the window's outputs.
    ///
    /// Tap `k` leads from place `i` to output `(i + pad - k dilation) / stride` where that is
    /// whole: for every `step`-th tap.
    fn phase(window: &Window, phase: usize) -> Self {
        let (stride, dilation) = (window.stride, window.dilation);
        let first = (phase as isize - window.pad).rem_euclid(stride as isize) as usize;
        let count = window.input.saturating_sub(first).div_ceil(stride);
        let mut taps = (0..window.kernel).filter(|tap| tap * dilation % stride == phase);
        let step = stride / gcd(stride, dilation);
        let (tap_first, taps) = match taps.next() {
            Some(tap) => (tap, 1 + taps.count()),
            None => (0, 0),
        };
        let last = tap_first + step * taps.saturating_sub(1);
        // The output that the last tap, the one furthest to the front, leads to from `first`.
        let start = first as isize + window.pad - (last * dilation) as isize;
        PlanAxis {
            input: window.output,
            output: window.input,
            kernel: window.kernel,
            count,
            stride: 1,
            dilation: step * dilation / stride,
            pad: -start.div_euclid(stride as isize),
            taps,
            tap_first: last as isize,
            tap_step: -(step as isize),
            out_first: first,
            out_step: stride,
        }
    }

    /// Input places that `count` neighbouring output places see together.
    pub(super) fn extent(&self, count: usize) -> usize {
        (count - 1) * self.stride + (self.taps - 1) * self.dilation + 1
    }

    /// Whether some output place sees what lies outside the input.
    pub(super) fn is_padded(&self) -> bool {
        self.pad > 0 || self.extent(self.count) as isize - self.pad > self.input as isize
    }

    fn tap(&self, u: usize) -> usize {
        (self.tap_first + self.tap_step * u as isize) as usize
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A sum over taps and input channels for a grid of output places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) batch: usize,
    pub(super) groups: usize,
    /// Channels of the input and of the output, of all groups.
    pub(super) in_channels: usize,
    pub(super) out_channels: usize,
    /// Elements of the weight from one input, and from one output channel, to the next.
    pub(super) in_step: usize,
    pub(super) out_step: usize,
    pub(super) axes: [PlanAxis; 3],
}

impl Plan {
    pub(super) fn forward(conv: &Conv) -> Plan {
        let taps = conv.taps();
        Plan {
            batch: conv.batch,
            groups: conv.groups,
            in_channels: conv.in_channels,
            out_channels: conv.out_channels,
            in_step: taps,
            out_step: conv.in_channels / conv.groups * taps,
            axes: conv.axes.map(|axis| PlanAxis::forward(&axis)),
        }
    }

    /// The plans of all phases that have places.
    pub(super) fn backward(conv: &Conv) -> Vec<Plan> {
        let whole = Plan::forward(conv);
        let [a, b, c] = conv.axes;
        let mut plans = Vec::with_capacity(a.stride * b.stride * c.stride);
        for i in 0..a.stride * b.stride * c.stride {
            let phases = [i / (b.stride * c.stride), i / c.stride % b.stride, i % c.stride];
            let axis = |at: usize| PlanAxis::phase(&conv.axes[at], phases[at]);
            let plan = Plan {
                in_channels: whole.out_channels,
                out_channels: whole.in_channels,
                in_step: whole.out_step,
                out_step: whole.in_step,
                axes: [axis(0), axis(1), axis(2)],
                ..whole
            };
            if plan.places() > 0 {
                plans.push(plan);
            }
        }
        plans
    }

    /// Whether no sum has a term.
    pub(super) fn is_empty(&self) -> bool {
        self.in_channels == 0 || self.taps() == 0
    }

    pub(super) fn taps(&self) -> usize {
        self.axes.iter().map(|axis| axis.taps).product()
    }

    /// Output places of all images.
    pub(super) fn places(&self) -> usize {
        self.batch * self.axes.iter().map(|axis| axis.count).product::<usize>()
    }

    /// Input and output channels of a group.
    pub(super) fn group_channels(&self) -> (usize, usize) {
        (self.in_channels / self.groups, self.out_channels / self.groups)
    }

    /// Where a group's weights start.
    pub(super) fn group_weight(&self, group: usize) -> usize {
        let (c, o) = self.group_channels();
        group * c * o * self.in_step.min(self.out_step)
    }

    /// The positions of the kernel's taps in the weight, in the order in which they are summed.
    pub(super) fn tap_positions(&self) -> Vec<usize> {
        let [a, b, c] = &self.axes;
        let mut positions = Vec::with_capacity(self.taps());
        for i in 0..a.taps {
            for j in 0..b.taps {
                for k in 0..c.taps {
                    positions.push((a.tap(i) * b.kernel + b.tap(j)) * c.kernel + c.tap(k));
                }
            }
        }
        positions
    }

    /// Whether this is a product of two matrices as they lie there: `(places, in_channels)` and the
    /// weight.
    pub(super) fn is_product(&self) -> bool {
        let is_whole = |axis: &PlanAxis| {
            let counts = axis.count == axis.input && axis.count == axis.output;
            axis.kernel == 1 && axis.stride == 1 && axis.pad == 0 && axis.out_step == 1 && counts
        };
        self.groups == 1 && self.axes.iter().all(is_whole)
    }

    /// Nanoseconds on one thread.
    pub(super) fn work(&self) -> usize {
        let (c, _) = self.group_channels();
        self.places() * self.out_channels * c * self.taps() / super::MULTIPLY_ADDS_PER_NS
    }
}
