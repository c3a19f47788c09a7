//! The gradient by the weight: sums over tiles of products of transformed images.

use std::ops::Range;

use super::super::plan::Plan;
use super::maps::of_taps;
use super::products::Backward;
use super::tiles::{CHANNELS_MAX, Image, Layout, Spread, Tiles};
use super::weights::{Leave, ROWS};
use super::{BLOCK, CHANNELS_UNIT, Form, Parts, TASKS, images, tiles};
use crate::disjoint::Disjoint;
use crate::gemm::transpose::transpose;
use crate::{Buffer, arch, par, scratch};

/// Tiles from which on a part has sums of its own.
const PART_MIN: usize = 192;

/// `dw`: the sums over all places of the plan, in PyTorch's layout.
pub(in super::super) fn gradient(x: &[f32], dy: &[f32], plan: &Plan, form: Form, dw: &mut [f32]) {
    match form {
        Form::F2x3 => Job::<2, 3, 4, 4>::run(x, dy, plan, form, dw),
        Form::F4x3 => Job::<4, 3, 6, 6>::run(x, dy, plan, form, dw),
        Form::F2x5 => Job::<2, 5, 6, 6>::run(x, dy, plan, form, dw),
        Form::Strided => Job::<4, 3, 9, 6>::run(x, dy, plan, form, dw),
        Form::Transposed => unreachable!("a plan of the output's places has another form"),
    }
}

/// What the tasks share.
struct Job<'a, const M: usize, const R: usize, const N: usize, const U: usize> {
    x: &'a [f32],
    dy: &'a [f32],
    plan: &'a Plan,
    tiles: Tiles,
    /// `x` and `dy`.
    images: [Image; 2],
    dw: Disjoint<'a, f32>,
}

impl<'a, const M: usize, const R: usize, const N: usize, const U: usize> Job<'a, M, R, N, U> {
    fn run(x: &'a [f32], dy: &'a [f32], plan: &'a Plan, form: Form, dw: &'a mut [f32]) {
        let (c, o) = plan.group_channels();
        let inputs = Parts::new(c, CHANNELS_MAX / 2, CHANNELS_UNIT);
        // More products leave room for fewer sums.
        let outputs_max = if N == U { CHANNELS_MAX } else { CHANNELS_MAX / 2 };
        let outputs = Parts::new(o, outputs_max, CHANNELS_UNIT);
        let groups = inputs.count() * outputs.count();
        let (tiles, images) = (tiles(plan, form), images(plan, form));
        let part = tiles.count().div_ceil(TASKS.div_ceil(groups)).max(PART_MIN);
        let parts = Parts::new(tiles.count(), part, 1);
        let job = Job::<M, R, N, U> { x, dy, plan, tiles, images, dw: Disjoint::new(dw) };
        let layout = Layout::rows(inputs.len, outputs.len);
        let len = layout.len(U * U);
        let ranges = |group: usize| {
            (inputs.range(group / outputs.count()), outputs.range(group % outputs.count()))
        };
        let work = plan.work() * N * N / (M * M * R * R);
        if parts.count() == 1 {
            return par::for_each(groups, work, |group| {
                let (inputs, outputs) = ranges(group);
                scratch::with(len, |sums: &mut [f32]| {
                    job.sum(&inputs, &outputs, 0..tiles.count(), sums, layout);
                    for first in (0..inputs.len()).step_by(ROWS) {
                        job.leave(first, (&inputs, &outputs), &[&*sums], layout);
                    }
                });
            });
        }
        let mut partials = Buffer::unspecified(groups * parts.count() * len);
        par::chunks_mut(&mut partials, len, work, |task, sums| {
            let (inputs, outputs) = ranges(task / parts.count());
            job.sum(&inputs, &outputs, parts.range(task % parts.count()), sums, layout);
        });
        let slices = inputs.len.div_ceil(ROWS);
        let work = partials.len() / 4;
        par::for_each(groups * slices, work, |task| {
            let (group, first) = (task / slices, task % slices * ROWS);
            let (inputs, outputs) = ranges(group);
            if first < inputs.len() {
                let partials = &partials[group * parts.count() * len..][..parts.count() * len];
                let partials: Vec<&[f32]> = partials.chunks_exact(len).collect();
                job.leave(first, (&inputs, &outputs), &partials, layout);
            }
        });
    }

    /// `dU` of some pairs of channels over some tiles.
    fn sum(
        &self,
        inputs: &Range<usize>,
        outputs: &Range<usize>,
        part: Range<usize>,
        sums: &mut [f32],
        layout: Layout,
    ) {
        let (c, o, products) = (inputs.len(), outputs.len(), N * N);
        let blocks = Parts::new(part.len(), BLOCK / (products * (c + o)), 1);
        let layouts = [Layout::panels(blocks.len, c), Layout::panels(blocks.len, o)];
        let [v_len, e_len] = layouts.map(|layout| layout.len(products));
        let ([image, outcome], tiles) = (self.images, self.tiles);
        let (x, dy) = (self.x, self.dy);
        scratch::with(v_len + e_len, |memory: &mut [f32]| {
            let (v, e) = memory.split_at_mut(v_len);
            for block in blocks.ranges() {
                let (adds, count) = (block.start > 0, block.len());
                let range = part.start + block.start..part.start + block.end;
                arch::dispatch(Spread::<N, N> {
                    x,
                    image,
                    tiles,
                    range: range.clone(),
                    channels: inputs.clone(),
                    to: v,
                    layout: layouts[0],
                });
                arch::dispatch(Spread::<M, N> {
                    x: dy,
                    image: outcome,
                    tiles,
                    range,
                    channels: outputs.clone(),
                    to: e,
                    layout: layouts[1],
                });
                arch::dispatch(Backward {
                    products,
                    of: of_taps::<N, U>,
                    tiles: count,
                    v: (v, layouts[0], c),
                    e: (e, layouts[1], o),
                    sums: (sums, layout),
                    adds,
                });
            }
        });
    }

    /// Brings the sums of some input channels into `dw`.
    fn leave(
        &self,
        first: usize,
        (inputs, outputs): (&Range<usize>, &Range<usize>),
        parts: &[&[f32]],
        layout: Layout,
    ) {
        let channels = first..inputs.len().min(first + ROWS);
        let (rows, o) = (channels.len() * R * R, outputs.len());
        scratch::with(rows * o, |by_tap: &mut [f32]| {
            let to = &mut *by_tap;
            arch::dispatch(Leave::<R, N, U> { parts, layout, channels, outputs: o, to });
            let row = self.plan.in_channels * R * R;
            for at in 0..o {
                let start = (outputs.start + at) * row + (inputs.start + first) * R * R;
                // Only to check that it is there.
                assert!(start + rows <= self.dw.len());
            }
            let start = outputs.start * row + (inputs.start + first) * R * R;
            // SAFETY: `by_tap` has `rows` rows of `o` elements. All of them fit into `dw`, as
            // asserted, where these channels have one task.
            unsafe {
                let to = (self.dw.start().add(start), row);
                transpose((by_tap.as_ptr(), o as isize), rows, o, to, rows);
            }
        });
    }
}
