//! Winograd's algorithms: many outputs of a convolution by few products, for f32.
//!
//! For tiles of M by M outputs and R by R taps, with N = M + R - 1, N² products stand for M² R²:
//! F(2x2, 3x3) 16 for 36, F(4x4, 3x3) 36 for 144, F(2x2, 5x5) 36 for 100. Of stride 2, F(4x4, 3x3)
//! takes 81 for 144 (`maps.rs`).
//!
//! ```text
//! U = G w Gᵀ for each pair of channels                      weights.rs
//! for each group of output channels, for each part of the tiles (cut by shape; threads take them):
//!     for each group of input channels:
//!         for each block of tiles:
//!             V = Bᵀ x B for each tile and input channel    tiles.rs
//!             M[k] += V[k] U[k] for each of the N² numbers  products.rs
//!             y = Aᵀ M A for each tile and output channel   tiles.rs
//! ```
//!
//! U is made once if several parts of the tiles need it, else by the tasks, each its group's. V, M and
//! a group's U stay in the L2 cache; transforming an image again for the next group of output
//! channels costs an eighth of the products, less than storing it. The gradient by the image is the
//! same with the weight's taps turned round. The gradient by the weight is the same read backwards
//! (`gradient.rs`): `dU[k] = Σ V[k]ᵀ (A dy Aᵀ)[k]` over all tiles, `dw = Gᵀ dU G`.
//!
//! The transforms add numbers of different size, so errors are larger than the direct sum's: about
//! twice for F(2x2, 3x3), five times for the others; the tests bound them against `f64`.
//!
//! Reference: Lavin and Gray 2016, section 4.

mod gradient;
mod maps;
mod products;
mod tiles;
mod weights;

pub(super) use gradient::gradient;

use std::ops::Range;

use super::Winograd;
use super::plan::{Plan, PlanAxis};
use crate::disjoint::Disjoint;
use crate::{Buffer, arch, par, scratch};
use maps::of_taps;
use products::Forward;
use tiles::{CHANNELS_MAX, Gather, Image, Layout, PANEL, Spread, Tiles};
use weights::Weights;

/// Channels from which on products outweigh transforms, and whose multiples fill registers.
const CHANNELS_MIN: usize = 32;
const CHANNELS_UNIT: usize = 16;

/// Tiles from which on products outweigh the transform of the weights.
const TILES_MIN: usize = 12;

/// Elements of V and M in a block of tiles.
const BLOCK: usize = 160 << 10;

/// Tiles of a task, at least, so that transforming the weights is a small part of it, and products of
/// them, at most, where those of all of them are kept.
const PART_MIN: usize = 64;
const PART_KEPT_MAX: usize = 128 * 36;

/// Elements of U that are made for all parts of the tiles together, at most.
const SHARED_MAX: usize = 4 << 20;

/// How many tasks there should be, so that threads find work.
const TASKS: usize = 8;

/// The algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    F2x3,
    F4x3,
    F2x5,
    /// F(4x4, 3x3) of stride 2, and its gradient by the image.
    Strided,
    Transposed,
}

impl Form {
    /// Places from one tile to the next, in the image that is read and in the one that is written.
    fn steps(self) -> [usize; 2] {
        match self {
            Form::F2x3 | Form::F2x5 => [2, 2],
            Form::F4x3 => [4, 4],
            Form::Strided => [8, 4],
            Form::Transposed => [4, 8],
        }
    }
}

/// The algorithm for a plan, if one is allowed and worth it.
pub(super) fn form(plan: &Plan, allowed: Winograd) -> Option<Form> {
    let [a, b, c] = &plan.axes;
    let is_flat = a.taps == 1 && a.input == 1 && a.count == 1 && a.pad == 0;
    let slides = |axis: &PlanAxis| {
        let is_like_b = axis.taps == b.taps && axis.stride == b.stride;
        is_like_b && axis.dilation == 1 && axis.out_step == 1
    };
    let fits = |channels: usize| channels >= CHANNELS_MIN && channels.is_multiple_of(CHANNELS_UNIT);
    let is_wide = fits(plan.in_channels) && fits(plan.out_channels);
    if !is_flat || plan.groups != 1 || !slides(b) || !slides(c) || !is_wide {
        return None;
    }
    let count = |form| tiles(plan, form).count();
    let form = match (b.taps, b.stride, allowed) {
        (_, _, Winograd::Off) => return None,
        (3, 1, Winograd::Small) => Form::F2x3,
        (3, 1, Winograd::Large) => {
            // Small images are covered with fewer products by small tiles.
            if 36 * count(Form::F4x3) < 16 * count(Form::F2x3) { Form::F4x3 } else { Form::F2x3 }
        }
        (5, 1, Winograd::Large) => Form::F2x5,
        (3, 2, Winograd::Large) if 81 * count(Form::Strided) < STRIDED_MAX * plan.places() => {
            Form::Strided
        }
        _ => return None,
    };
    (count(form) >= TILES_MIN).then_some(form)
}

/// Products of stride 2 for each output, at most: the direct sum has nine, and no transforms.
const STRIDED_MAX: usize = 7;

/// The gradient by the image of a plan of form [`Form::Strided`], as a plan of the image's places.
pub(super) fn transposed(plan: &Plan, form: Form) -> Option<Plan> {
    let [a, b, c] = plan.axes;
    let axis = |axis: PlanAxis| PlanAxis {
        input: axis.count,
        output: axis.input,
        count: axis.input,
        pad: 0,
        tap_first: 2,
        tap_step: -1,
        ..axis
    };
    (form == Form::Strided && b.pad == 1 && c.pad == 1).then(|| Plan {
        in_channels: plan.out_channels,
        out_channels: plan.in_channels,
        in_step: plan.out_step,
        out_step: plan.in_step,
        axes: [a, axis(b), axis(c)],
        ..*plan
    })
}

fn tiles(plan: &Plan, form: Form) -> Tiles {
    let [_, b, c] = &plan.axes;
    let [down, across] = [b, c].map(|axis| axis.count.div_ceil(form.steps()[1]));
    Tiles { down, across, batch: plan.batch }
}

/// The image that a plan reads, and the one that it writes.
fn images(plan: &Plan, form: Form) -> [Image; 2] {
    let [_, b, c] = &plan.axes;
    let (pads, steps) = ([b.pad, c.pad], form.steps());
    let (rows, cols, channels) = (b.input, c.input, plan.in_channels);
    let read = Image { rows, cols, channels, pads, step: steps[0] };
    let (rows, cols, channels) = (b.count, c.count, plan.out_channels);
    [read, Image { rows, cols, channels, pads: [0; 2], step: steps[1] }]
}

/// `whole` in as many equal parts, but for the last, as hold at most `max` each; parts are multiples
/// of `unit`.
#[derive(Clone, Copy)]
struct Parts {
    whole: usize,
    len: usize,
}

impl Parts {
    fn new(whole: usize, max: usize, unit: usize) -> Self {
        let len = whole.div_ceil(whole.div_ceil(max.max(1)));
        Parts { whole, len: len.next_multiple_of(unit) }
    }

    fn count(&self) -> usize {
        self.whole.div_ceil(self.len)
    }

    fn range(&self, index: usize) -> Range<usize> {
        index * self.len..self.whole.min((index + 1) * self.len)
    }

    fn ranges(self) -> impl Iterator<Item = Range<usize>> {
        (0..self.count()).map(move |index| self.range(index))
    }
}

/// `y = bias +` the plan's sums.
pub(super) fn run(
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    plan: &Plan,
    form: Form,
    y: &mut [f32],
) {
    let job = |y| {
        let [c, o] = [plan.in_channels, plan.out_channels];
        // A group's part of U holds at most as much as of two narrow groups of channels.
        let inputs = Parts::new(c, CHANNELS_MAX, CHANNELS_UNIT);
        let outputs_max =
            if inputs.len > CHANNELS_MAX / 2 { CHANNELS_MAX / 2 } else { CHANNELS_MAX };
        let outputs = Parts::new(o, outputs_max, CHANNELS_UNIT);
        let (tiles, images) = (tiles(plan, form), images(plan, form));
        Job { x, w, bias, plan, tiles, images, inputs, outputs, y }
    };
    let y = Disjoint::new(y);
    match form {
        Form::F2x3 => job(y).run::<4, 2, 3, 4, 4>(),
        Form::F4x3 => job(y).run::<6, 4, 3, 6, 6>(),
        Form::F2x5 => job(y).run::<6, 2, 5, 6, 6>(),
        Form::Strided => job(y).run::<9, 4, 3, 9, 6>(),
        Form::Transposed => job(y).run::<5, 8, 3, 9, 6>(),
    }
}

/// What the tasks of a convolution share. Its algorithms have tiles of `A` by `A` places that become
/// `M` by `M`, `R` by `R` taps, `N` by `N` products, and as many numbers of the taps, or where some
/// stand in several products, `U` by `U`.
struct Job<'a> {
    x: &'a [f32],
    w: &'a [f32],
    bias: Option<&'a [f32]>,
    plan: &'a Plan,
    tiles: Tiles,
    /// That is read, and that is written.
    images: [Image; 2],
    inputs: Parts,
    outputs: Parts,
    y: Disjoint<'a, f32>,
}

impl Job<'_> {
    fn run<const A: usize, const M: usize, const R: usize, const N: usize, const U: usize>(&self) {
        let (outputs, tiles) = (self.outputs, self.tiles.count());
        let part = tiles.div_ceil(TASKS.div_ceil(outputs.count())).max(PART_MIN);
        let part_max = if self.inputs.count() > 1 { PART_KEPT_MAX / (N * N) } else { usize::MAX };
        let parts = Parts::new(tiles, part.min(part_max), 1);
        let work = self.plan.work() * N * N / (M * M * R * R);
        // What several tasks need is made once.
        let panels = outputs.count() * outputs.len.div_ceil(PANEL) * self.inputs.count();
        let layout = Layout::whole_panels(U * U, self.inputs.len);
        let is_shared = parts.count() > 1 && panels * layout.panel <= SHARED_MAX;
        let mut u = Buffer::unspecified(if is_shared { panels * layout.panel } else { 0 });
        let elements = u.len();
        par::chunks_mut(&mut u, layout.panel, elements / 4, |index, u| {
            self.panel::<R, N, U>(layout, index, u);
        });
        par::for_each(outputs.count() * parts.count(), work, |task| {
            let (group, part) = (task / parts.count(), task % parts.count());
            let u = is_shared.then_some(&*u);
            self.task::<A, M, R, N, U>(u, group, parts.range(part));
        });
    }

    /// The weights of one of all panels: those of a group of output channels and of input channels
    /// follow each other.
    fn panel<const R: usize, const N: usize, const U: usize>(
        &self,
        layout: Layout,
        index: usize,
        u: &mut [f32],
    ) {
        let of_group = self.outputs.len.div_ceil(PANEL);
        let (group, panel) = (index / of_group, index % of_group);
        let outputs = self.outputs.range(group / self.inputs.count());
        let inputs = self.inputs.range(group % self.inputs.count());
        let first = outputs.start + panel * PANEL;
        if first < outputs.end {
            let outputs = first..outputs.end.min(first + PANEL);
            let weights = Weights::<R, N, U> { w: self.w, plan: self.plan, layout };
            weights.panel(&inputs, outputs, u);
        }
    }

    /// A group of output channels of some tiles, with all transformed weights, if they are there.
    fn task<const A: usize, const M: usize, const R: usize, const N: usize, const U: usize>(
        &self,
        shared: Option<&[f32]>,
        group: usize,
        part: Range<usize>,
    ) {
        let outputs = self.outputs.range(group);
        let (c, o, products) = (self.inputs.len, outputs.len(), N * N);
        let blocks = Parts::new(part.len(), BLOCK / (products * (c + o)), 1);
        let is_kept = self.inputs.count() > 1;
        let u_layout = Layout::whole_panels(U * U, c);
        let of_group = self.outputs.len.div_ceil(PANEL);
        let v_layout = Layout::rows(blocks.len, c);
        let m_layout = Layout::rows(if is_kept { part.len() } else { blocks.len }, o);
        let (u_len, v_len) = (of_group * u_layout.panel, v_layout.len(products));
        let own_len = if shared.is_none() { u_len } else { 0 };
        scratch::with(own_len + v_len + m_layout.len(products), |memory: &mut [f32]| {
            let (own, rest) = memory.split_at_mut(own_len);
            let (v, sums) = rest.split_at_mut(v_len);
            for (at, inputs) in self.inputs.ranges().enumerate() {
                let is_last = at + 1 == self.inputs.count();
                let index = group * self.inputs.count() + at;
                for (panel, own) in own.chunks_exact_mut(u_layout.panel).enumerate() {
                    self.panel::<R, N, U>(u_layout, index * of_group + panel, own);
                }
                let u = shared.map_or(&*own, |all| &all[index * u_len..][..u_len]);
                for block in blocks.ranges() {
                    let tiles = part.start + block.start..part.start + block.end;
                    let row = if is_kept { block.start } else { 0 };
                    self.spread::<A, N>(tiles.clone(), inputs.clone(), v, v_layout);
                    arch::dispatch(Forward {
                        products,
                        of: of_taps::<N, U>,
                        v: (v, v_layout, block.len()),
                        u: (u, u_layout, inputs.len()),
                        sums: (sums, m_layout, row),
                        outputs: o,
                        adds: at > 0,
                    });
                    if is_last {
                        self.gather::<N, M>(tiles, outputs.clone(), (sums, row), m_layout);
                    }
                }
            }
        });
    }

    fn spread<const A: usize, const N: usize>(
        &self,
        range: Range<usize>,
        channels: Range<usize>,
        to: &mut [f32],
        layout: Layout,
    ) {
        let (x, image, tiles) = (self.x, self.images[0], self.tiles);
        arch::dispatch(Spread::<A, N> { x, image, tiles, range, channels, to, layout });
    }

    fn gather<const N: usize, const M: usize>(
        &self,
        range: Range<usize>,
        channels: Range<usize>,
        sums: (&[f32], usize),
        layout: Layout,
    ) {
        let (image, tiles, bias, y) = (self.images[1], self.tiles, self.bias, &self.y);
        arch::dispatch(Gather::<N, M> { sums, layout, image, tiles, range, channels, bias, y });
    }
}
