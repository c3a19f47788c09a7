//! The gradient by the weight: for each block of images a partial sum, added in order.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::direct::runs;
use super::micro::{self, NV, Outer};
use super::plan::Plan;
use super::tile::{Source, Tile, Tiling};
use crate::disjoint::Disjoint;
use crate::gemm::transpose::transpose;
use crate::{Buffer, Float, arch, par, scratch};

/// Elements of all partial sums together.
const PARTIALS: usize = 2 << 20;

/// How many tasks there should be, so that threads find work.
const TASKS: usize = 8;

/// Rows of the sums that belong to one task come in multiples of this.
const ROWS: usize = 8;

/// Places that are summed at a time: their gradients of two registers' output channels, and what a
/// few rows multiply, stay in the L1 cache.
const PLACES: usize = 128;

/// `dw`: the sums over all places of the plan, in PyTorch's layout.
pub(super) fn run<T: Float>(x: &[T], dy: &[T], plan: &Plan, dw: &mut [T]) {
    let len = dw.len();
    let tiling = Tiling::new::<T>(plan);
    let tiles = tiling.tiles(plan);
    // Blocks of tiles have sums of their own; where that takes too much memory, the rows are
    // shared instead.
    let blocks = (PARTIALS / len).clamp(1, TASKS).min(tiles);
    let per_block = tiles.div_ceil(blocks);
    let blocks = tiles.div_ceil(per_block);
    let (channels, _) = plan.group_channels();
    let rows = plan.taps() * channels;
    let per_part = rows.div_ceil(TASKS.div_ceil(blocks)).next_multiple_of(ROWS);
    let parts = rows.div_ceil(per_part);
    let mut partials = Buffer::unspecified(blocks * len);
    let shared = Disjoint::new(&mut partials);
    par::for_each(blocks * parts, plan.work(), |task| {
        let (block, part) = (task / parts, task % parts);
        let range = part * per_part..rows.min((part + 1) * per_part);
        let rows = Rows { plan, dy, partials: &shared, start: block * len, range };
        (0..plan.groups).for_each(|group| rows.sums(group).fill(T::ZERO));
        for index in block * per_block..tiles.min((block + 1) * per_block) {
            let tile = tiling.tile(plan, index);
            tile.with_source(x, plan, |source| rows.add(&tile, source));
        }
    });
    combine(&mut partials, len, plan, dw);
}

/// Some rows of the sums `(taps and input channels, output channels)` of a block of tiles, one
/// group after another.
struct Rows<'a, T> {
    plan: &'a Plan,
    dy: &'a [T],
    partials: &'a Disjoint<'a, T>,
    /// Where the block's sums start.
    start: usize,
    range: Range<usize>,
}

impl<T: Float> Rows<'_, T> {
    /// The sums of a group.
    #[expect(clippy::mut_from_ref, reason = "rows of a block have one task")]
    fn sums(&self, group: usize) -> &mut [T] {
        let (channels, o) = self.plan.group_channels();
        let first = group * self.plan.taps() * channels;
        let start = self.start + (first + self.range.start) * o;
        // SAFETY: rows of a block belong to one task, which uses those of one group at a time.
        unsafe { self.partials.range(start..start + self.range.len() * o) }
    }

    /// Adds a tile's terms.
    fn add(&self, tile: &Tile, source: Source<'_, T>) {
        let plan = self.plan;
        let mut places = Vec::with_capacity(tile.len());
        let layout = (source.image, source.strides);
        tile.for_each_place(plan, layout, |from, to| places.push([from, to]));
        let offsets: Vec<usize> = runs(plan, source.strides)
            .iter()
            .flat_map(|run| run.offset..run.offset + run.len)
            .skip(self.range.start)
            .take(self.range.len())
            .collect();
        let furthest = |at: usize| places.iter().map(|place| place[at]).max().unwrap_or(0);
        let reach = furthest(0) + offsets.iter().max().map_or(0, |offset| offset + 1);
        let (channels, o) = plan.group_channels();
        assert!(furthest(1) + plan.out_channels <= self.dy.len(), "conv: dy is too short");
        let last = (plan.groups - 1) * channels;
        assert!(reach + last <= source.data.len(), "conv: the image is too short");
        for places in places.chunks(PLACES) {
            for group in 0..plan.groups {
                arch::dispatch(Places {
                    x: &source.data[group * channels..],
                    dy: self.dy,
                    places,
                    offsets: &offsets,
                    column: group * o,
                    sums: self.sums(group),
                    cols: o,
                });
            }
        }
    }
}

/// Some rows by all output channels of a group, over some places.
struct Places<'a, T> {
    x: &'a [T],
    dy: &'a [T],
    places: &'a [[usize; 2]],
    offsets: &'a [usize],
    column: usize,
    /// `(offsets, cols)`
    sums: &'a mut [T],
    cols: usize,
}

impl<T: Float> WithSimd for Places<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = NV * T::lanes::<S>();
        for first in (0..self.cols).step_by(width) {
            let mut row = 0;
            while row < self.offsets.len() {
                let rows = micro::rows::<S>(self.offsets.len() - row);
                let call = Outer {
                    x: self.x,
                    dy: self.dy,
                    places: self.places,
                    offsets: &self.offsets[row..row + rows],
                    column: self.column + first,
                    cols: width.min(self.cols - first),
                };
                let sums = &mut self.sums[row * self.cols + first..];
                // SAFETY: `Rows::add` checked that the furthest row of the furthest place lies in
                // the image, and all output channels of the furthest place in `dy`.
                unsafe { micro::outer(simd, call, sums, self.cols) };
                row += rows;
            }
        }
    }
}

/// Adds the blocks' sums in order, and brings them into PyTorch's layout.
fn combine<T: Float>(partials: &mut [T], len: usize, plan: &Plan, dw: &mut [T]) {
    let (first, others) = partials.split_at_mut(len);
    let (channels, o) = plan.group_channels();
    let rows = plan.taps() * channels;
    let others = &*others;
    // Rows of all groups, some to a task.
    let task_rows = (ADD / o.max(1)).max(1);
    par::chunks_mut(first, task_rows * o, len / 8, |task, sums| {
        let start = task * task_rows * o;
        for other in others.chunks_exact(len) {
            let other = &other[start..start + sums.len()];
            sums.iter_mut().zip(other).for_each(|(sum, other)| *sum += *other);
        }
    });
    // (groups, taps, channels, o) to (groups, o, channels, taps): for each tap and some channels a
    // transpose into memory of the task, for each output channel then a run of the weight.
    let taps = plan.taps();
    let (first, dw) = (&*first, Disjoint::new(dw));
    let slices = channels.div_ceil(SLICE);
    par::for_each(plan.groups * slices, len, |task| {
        let (group, c) = (task / slices, task % slices * SLICE);
        let count = SLICE.min(channels - c);
        let sums = &first[group * rows * o..(group + 1) * rows * o];
        scratch::with(count * taps * o, |by_channel: &mut [T]| {
            // (count, taps, o)
            for (at, row) in by_channel.chunks_exact_mut(o).enumerate() {
                let from = (at % taps * channels + c + at / taps) * o;
                row.copy_from_slice(&sums[from..from + o]);
            }
            let start = (group * o * channels + c) * taps;
            assert!(start + (o - 1) * rows + count * taps <= dw.len());
            // SAFETY: `by_channel` has `count * taps` rows of `o` elements; as asserted they fit
            // into `dw`, where these channels belong to one task.
            unsafe {
                let to = (dw.start().add(start), rows);
                transpose((by_channel.as_ptr(), o as isize), count * taps, o, to, count * taps);
            }
        });
    });
}

/// Input channels that are brought into PyTorch's layout at a time.
const SLICE: usize = 16;

/// Elements that a task adds.
const ADD: usize = 8 << 10;
