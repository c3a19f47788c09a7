//! The gradient by the weight: for each block of images a partial sum, added in order.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::direct::runs;
use super::micro::{self, NV, Outer};
use super::plan::Plan;
use super::tile::{Source, Tile, Tiling};
use crate::disjoint::Disjoint;
use crate::gemm::transpose::transpose;
use crate::gemm::{Accumulate, BatchAxis, Epilogue, Matrix, MatrixMut, gemm, gemm_batched};
use crate::simd::Vector;
use crate::{Buffer, Float, arch, par, scratch};

/// Elements of all partial sums together.
const PARTIALS: usize = 2 << 20;

/// How many tasks there should be, so that threads find work.
const TASKS: usize = 8;

/// Rows of the sums that belong to one task come in multiples of this.
const ROWS: usize = 8;

/// Places that are summed at a time: their gradients of two registers' output channels stay in the
/// L1 cache, for many rows brought together first because they may fall on each other in it.
const PLACES: usize = 224;
const PLACES_IN_PLACE: usize = 128;
const ROWS_IN_PLACE: usize = 48;

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

/// Of a product that is cut: elements of its sums, at most, and places of a part, at least.
const PART_SUMS_MAX: usize = 64 << 10;
const PART_PLACES_MIN: usize = 512;

/// `dw` of a 1x1 convolution: a product with a term for each place. Where its sums are few, the
/// places are cut into parts, so that images are read once, in order.
pub(super) fn product<T: Float>(x: &[T], dy: &[T], plan: &Plan, dw: &mut [T]) {
    let (c, o, places) = (plan.in_channels, plan.out_channels, plan.places());
    let factors = |first: usize, count: usize| {
        let dy = Matrix::row_major(&dy[first * o..], count, o).transposed();
        (dy, Matrix::row_major(&x[first * c..], count, c))
    };
    if dw.len() > PART_SUMS_MAX || places < TASKS * PART_PLACES_MIN {
        let ((dy, x), to) = (factors(0, places), MatrixMut::row_major(dw, o, c));
        return gemm(dy, x, to, T::ONE, Accumulate::Replace, Epilogue::None);
    }
    let (each, rest) = (places / TASKS, places % TASKS);
    scratch::with(TASKS * dw.len(), |sums: &mut [T]| {
        let (a_step, b_step) = ((each * o) as isize, (each * c) as isize);
        let axis = BatchAxis { len: TASKS, a_step, b_step };
        let (step, (dy, x)) = (dw.len(), factors(0, each));
        let to = MatrixMut::row_major(sums, o, c);
        gemm_batched(&[axis], dy, x, to, step, T::ONE, Accumulate::Replace, Epilogue::None);
        let (dy, x) = factors(TASKS * each, rest);
        let to = MatrixMut::row_major(sums, o, c);
        gemm(dy, x, to, T::ONE, Accumulate::Add, Epilogue::None);
        let (first, others) = sums.split_at(step);
        dw.copy_from_slice(first);
        for other in others.chunks_exact(step) {
            dw.iter_mut().zip(other).for_each(|(sum, other)| *sum += *other);
        }
    });
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
        // Tiles are whole rows or images, so the places of an output that has no gaps follow each
        // other.
        let gaps = places.windows(2).any(|pair| pair[1][1] != pair[0][1] + plan.out_channels);
        assert!(!gaps, "conv: needs an output without gaps");
        let at_once = if offsets.len() > ROWS_IN_PLACE { PLACES } else { PLACES_IN_PLACE };
        for places in places.chunks(at_once) {
            for group in 0..plan.groups {
                arch::dispatch_for::<T, _>(Places {
                    x: &source.data[group * channels..],
                    dy: self.dy,
                    places,
                    offsets: &offsets,
                    column: group * o,
                    step: plan.out_channels,
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
    /// Elements of `dy` from one place to the next.
    step: usize,
    /// `(offsets, cols)`
    sums: &'a mut [T],
    cols: usize,
}

impl<T: Float> WithSimd for Places<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = T::lanes::<S>();
        let places = self.places.len();
        // The next places' part of `dy` comes into the cache evenly.
        let start = self.places[0][1] + places * self.step;
        let mut ahead = self.dy.as_ptr().wrapping_add(start);
        let calls = self.offsets.len().div_ceil(micro::rows::<S>(usize::MAX))
            * self.cols.div_ceil(NV * lanes);
        let ahead_step = self.step.div_ceil(calls);
        scratch::inlined(
            places * NV * lanes,
            #[inline(always)]
            |panel: &mut [T]| {
                for first in (0..self.cols).step_by(NV * lanes) {
                    let cols = (NV * lanes).min(self.cols - first);
                    let width = cols.next_multiple_of(lanes);
                    let from = self.places[0][1] + self.column + first;
                    let mut dy = (&self.dy[from..], self.step);
                    if cols < width || self.offsets.len() > ROWS_IN_PLACE {
                        let rows = panel.chunks_exact_mut(width).take(places);
                        for (p, row) in rows.enumerate() {
                            let dy = &dy.0[p * self.step..][..cols];
                            for (row, dy) in row.chunks_exact_mut(lanes).zip(dy.chunks(lanes)) {
                                Vector::load(simd, dy).store(row);
                            }
                        }
                        dy = (panel, width);
                    }
                    let mut row = 0;
                    while row < self.offsets.len() {
                        let rows = micro::rows::<S>(self.offsets.len() - row);
                        let offsets = &self.offsets[row..row + rows];
                        let call = Outer {
                            x: self.x,
                            places: self.places,
                            dy,
                            ahead: (ahead, ahead_step),
                            offsets,
                            cols,
                        };
                        let sums = &mut self.sums[row * self.cols + first..];
                        // SAFETY: `Rows::add` checked that the furthest row of the furthest place
                        // lies in the image, and all output channels of all places in `dy`.
                        unsafe { micro::outer(simd, call, sums, self.cols) };
                        row += rows;
                        ahead = ahead.wrapping_add(places * ahead_step);
                    }
                }
            },
        );
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
