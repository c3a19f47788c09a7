//! Winograd's algorithms: many outputs of a convolution by few products, for f32.
//!
//! For tiles of M by M outputs and R by R taps, with N = M + R - 1, N² products stand for M² R²:
//! F(2x2, 3x3) 16 for 36, F(4x4, 3x3) 36 for 144, F(2x2, 5x5) 36 for 100.
//!
//! ```text
//! for each group of output channels, for each part of the tiles (cut by shape; threads take them):
//!     for each group of input channels:
//!         U = G w Gᵀ for each pair of channels              weights.rs
//!         for each block of tiles:
//!             V = Bᵀ x B for each tile and input channel    tiles.rs
//!             M[k] += V[k] U[k] for each of the N² numbers  products.rs
//!             y = Aᵀ M A for each tile and output channel   tiles.rs
//! ```
//!
//! U, V and M of a task stay in the L2 cache; transforming an image again for the next group of
//! output channels costs an eighth of the products, less than storing it. The gradient by the image
//! is the same with the weight's taps turned round. The gradient by the weight is the same read
//! backwards (`gradient.rs`): `dU[k] = Σ V[k]ᵀ (A dy Aᵀ)[k]` over all tiles, `dw = Gᵀ dU G`.
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
use super::plan::Plan;
use crate::disjoint::Disjoint;
use crate::{arch, par, scratch};
use products::Forward;
use tiles::{CHANNELS_MAX, Gather, Image, Layout, Spread, Tiles};
use weights::Weights;

/// Channels from which on products outweigh transforms, and whose multiples fill registers.
const CHANNELS_MIN: usize = 32;
const CHANNELS_UNIT: usize = 16;

/// Tiles from which on products outweigh the transform of the weights.
const TILES_MIN: usize = 12;

/// Elements of V and M in a block of tiles.
const BLOCK: usize = 160 << 10;

/// Tiles of a task, at least, so that transforming the weights is a small part of it, and at most
/// where the products of all of them are kept.
const PART_MIN: usize = 64;
const PART_KEPT_MAX: usize = 128;

/// How many tasks there should be, so that threads find work.
const TASKS: usize = 8;

/// The algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    F2x3,
    F4x3,
    F2x5,
}

/// The algorithm for a plan, if one is allowed and worth it.
pub(super) fn form(plan: &Plan, allowed: Winograd) -> Option<Form> {
    let [a, b, c] = &plan.axes;
    let is_flat = a.taps == 1 && a.input == 1 && a.count == 1 && a.pad == 0;
    let slides = |axis: &super::plan::PlanAxis| {
        axis.taps == b.taps && axis.stride == 1 && axis.dilation == 1 && axis.out_step == 1
    };
    let fits = |channels: usize| channels >= CHANNELS_MIN && channels.is_multiple_of(CHANNELS_UNIT);
    let is_wide = fits(plan.in_channels) && fits(plan.out_channels);
    if !is_flat || plan.groups != 1 || !slides(b) || !slides(c) || !is_wide {
        return None;
    }
    let form = match (b.taps, allowed) {
        (_, Winograd::Off) => return None,
        (3, Winograd::Small) => Form::F2x3,
        (3, Winograd::Large) => {
            // Small images are covered with fewer products by small tiles.
            let products = |outputs, each| tiles(plan, outputs).count() * each;
            if products(4, 36) < products(2, 16) { Form::F4x3 } else { Form::F2x3 }
        }
        (5, Winograd::Large) => Form::F2x5,
        _ => return None,
    };
    let outputs = if form == Form::F4x3 { 4 } else { 2 };
    (tiles(plan, outputs).count() >= TILES_MIN).then_some(form)
}

fn tiles(plan: &Plan, outputs: usize) -> Tiles {
    let [_, b, c] = &plan.axes;
    let [down, across] = [b, c].map(|axis| axis.count.div_ceil(outputs));
    Tiles { down, across, batch: plan.batch, outputs }
}

/// The image that a plan reads, and the one that it writes.
fn images(plan: &Plan) -> (Image, Image) {
    let [_, b, c] = &plan.axes;
    let read =
        Image { rows: b.input, cols: c.input, channels: plan.in_channels, pads: [b.pad, c.pad] };
    let written = Image { rows: b.count, cols: c.count, channels: plan.out_channels, pads: [0; 2] };
    (read, written)
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
    match form {
        Form::F2x3 => Job::<2, 3, 4>::run(x, w, bias, plan, y),
        Form::F4x3 => Job::<4, 3, 6>::run(x, w, bias, plan, y),
        Form::F2x5 => Job::<2, 5, 6>::run(x, w, bias, plan, y),
    }
}

/// What the tasks of a convolution share.
struct Job<'a, const M: usize, const R: usize, const N: usize> {
    x: &'a [f32],
    w: &'a [f32],
    bias: Option<&'a [f32]>,
    plan: &'a Plan,
    tiles: Tiles,
    inputs: Parts,
    y: Disjoint<'a, f32>,
}

impl<'a, const M: usize, const R: usize, const N: usize> Job<'a, M, R, N> {
    fn run(x: &'a [f32], w: &'a [f32], bias: Option<&'a [f32]>, plan: &'a Plan, y: &'a mut [f32]) {
        let (c, o) = plan.group_channels();
        // A group's part of U holds at most as much as of two narrow groups of channels.
        let inputs = Parts::new(c, CHANNELS_MAX, CHANNELS_UNIT);
        let outputs_max =
            if inputs.len > CHANNELS_MAX / 2 { CHANNELS_MAX / 2 } else { CHANNELS_MAX };
        let outputs = Parts::new(o, outputs_max, CHANNELS_UNIT);
        let tiles = tiles(plan, M);
        let part = tiles.count().div_ceil(TASKS.div_ceil(outputs.count())).max(PART_MIN);
        let part_max = if inputs.count() > 1 { PART_KEPT_MAX } else { usize::MAX };
        let parts = Parts::new(tiles.count(), part.min(part_max), 1);
        let job = Job::<M, R, N> { x, w, bias, plan, tiles, inputs, y: Disjoint::new(y) };
        let work = plan.work() * N * N / (M * M * R * R);
        par::for_each(outputs.count() * parts.count(), work, |task| {
            let (group, part) = (task / parts.count(), task % parts.count());
            job.task(outputs.range(group), parts.range(part));
        });
    }

    /// Some output channels of some tiles.
    fn task(&self, outputs: Range<usize>, part: Range<usize>) {
        let (c, o, products) = (self.inputs.len, outputs.len(), N * N);
        let blocks = Parts::new(part.len(), BLOCK / (products * (c + o)), 1);
        let is_kept = self.inputs.count() > 1;
        let u_layout = Layout::panels(c, o);
        let v_layout = Layout::rows(blocks.len, c);
        let m_layout = Layout::rows(if is_kept { part.len() } else { blocks.len }, o);
        let (u_len, v_len) = (u_layout.len(products), v_layout.len(products));
        scratch::with(u_len + v_len + m_layout.len(products), |memory: &mut [f32]| {
            let (u, rest) = memory.split_at_mut(u_len);
            let (v, sums) = rest.split_at_mut(v_len);
            for (at, inputs) in self.inputs.ranges().enumerate() {
                let is_last = at + 1 == self.inputs.count();
                Weights::<R, N> { w: self.w, plan: self.plan, layout: u_layout }.run(
                    inputs.clone(),
                    outputs.clone(),
                    u,
                );
                for block in blocks.ranges() {
                    let tiles = part.start + block.start..part.start + block.end;
                    let row = if is_kept { block.start } else { 0 };
                    self.spread(tiles.clone(), inputs.clone(), v, v_layout);
                    arch::dispatch(Forward {
                        products,
                        v: (v, v_layout, block.len()),
                        u: (u, u_layout, inputs.len()),
                        sums: (sums, m_layout, row),
                        outputs: o,
                        adds: at > 0,
                    });
                    if is_last {
                        self.gather(tiles, outputs.clone(), (sums, row), m_layout);
                    }
                }
            }
        });
    }

    fn spread(&self, range: Range<usize>, channels: Range<usize>, v: &mut [f32], layout: Layout) {
        let (image, _) = images(self.plan);
        let (x, tiles) = (self.x, self.tiles);
        arch::dispatch(Spread::<N, N> { x, image, tiles, range, channels, to: v, layout });
    }

    fn gather(
        &self,
        range: Range<usize>,
        channels: Range<usize>,
        sums: (&[f32], usize),
        layout: Layout,
    ) {
        let (_, image) = images(self.plan);
        let (tiles, bias, y) = (self.tiles, self.bias, &self.y);
        arch::dispatch(Gather::<N, M> { sums, layout, image, tiles, range, channels, bias, y });
    }
}
