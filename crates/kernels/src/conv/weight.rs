//! The gradient by the weight: for each block of images a partial sum, added in order.

use pulp::{Simd, WithSimd};

use super::direct::runs;
use super::micro::{self, NV, Outer, channels_max};
use super::plan::Plan;
use super::tile::{Source, Tile, Tiling};
use crate::disjoint::Disjoint;
use crate::{Buffer, Float, arch, par};

/// Elements of all partial sums together.
const PARTIALS: usize = 2 << 20;

/// How many tasks there should be, so that threads find work.
const TASKS: usize = 8;

/// `dw`: the sums over all places of the plan, in PyTorch's layout.
pub(super) fn run<T: Float>(x: &[T], dy: &[T], plan: &Plan, dw: &mut [T]) {
    let len = dw.len();
    let tiling = Tiling::new::<T>(plan);
    let tiles = tiling.tiles(plan);
    // Blocks of tiles have sums of their own; where that takes too much memory, the input channels
    // are shared instead.
    let blocks = (PARTIALS / len).clamp(1, TASKS).min(tiles);
    let per_block = tiles.div_ceil(blocks);
    let blocks = tiles.div_ceil(per_block);
    let (channels, _) = plan.group_channels();
    let pieces: usize = runs(plan, [0; 3]).iter().map(|run| run.len.div_ceil(PIECE)).sum();
    let parts = TASKS.div_ceil(blocks).min(pieces);
    let mut partials = Buffer::unspecified(blocks * len);
    let shared = Disjoint::new(&mut partials);
    par::for_each(blocks * parts, plan.work(), |task| {
        let (block, part) = (task / parts, task % parts);
        let mine = |piece: usize| piece % parts == part;
        let rows = Rows { plan, dy, partials: &shared, start: block * len, channels };
        rows.clear(mine);
        for index in block * per_block..tiles.min((block + 1) * per_block) {
            let tile = tiling.tile(plan, index);
            tile.with_source(x, plan, |source| rows.add(&tile, source, mine));
        }
    });
    combine(&mut partials, len, plan, dw);
}

/// Elements of a run that belong to one task.
const PIECE: usize = 48;

/// Sums `(taps and input channels, output channels)` of a block of tiles, one group after another.
struct Rows<'a, T> {
    plan: &'a Plan,
    dy: &'a [T],
    partials: &'a Disjoint<'a, T>,
    /// Where the block's sums start.
    start: usize,
    channels: usize,
}

impl<T: Float> Rows<'_, T> {
    /// Calls `body` with each of the task's pieces: group, offset from a place, row and rows.
    fn pieces(
        &self,
        strides: [usize; 3],
        mine: impl Fn(usize) -> bool,
        mut body: impl FnMut(usize, usize, usize, usize),
    ) {
        for group in 0..self.plan.groups {
            let (mut row, mut piece) = (0, 0);
            for run in runs(self.plan, strides) {
                for first in (0..run.len).step_by(PIECE) {
                    let len = PIECE.min(run.len - first);
                    if mine(piece) {
                        body(group, run.offset + first, row, len);
                    }
                    row += len;
                    piece += 1;
                }
            }
        }
    }

    /// The sums of some rows of a group.
    #[expect(clippy::mut_from_ref, reason = "pieces are disjoint, and each has one task")]
    fn sums(&self, group: usize, row: usize, len: usize) -> &mut [T] {
        let (_, o) = self.plan.group_channels();
        let start = self.start + (group * self.plan.taps() * self.channels + row) * o;
        // SAFETY: rows belong to one piece, and pieces of a block to one task.
        unsafe { self.partials.range(start..start + len * o) }
    }

    fn clear(&self, mine: impl Fn(usize) -> bool) {
        self.pieces([0; 3], mine, |group, _, row, len| self.sums(group, row, len).fill(T::ZERO));
    }

    /// Adds a tile's terms.
    fn add(&self, tile: &Tile, source: Source<'_, T>, mine: impl Fn(usize) -> bool) {
        let mut places = Vec::with_capacity(tile.len());
        let layout = (source.image, source.strides);
        tile.for_each_place(self.plan, layout, |from, to| places.push([from, to]));
        let furthest = |at: usize| places.iter().map(|place| place[at]).max().unwrap_or(0);
        let (from, to) = (furthest(0), furthest(1));
        let (_, o) = self.plan.group_channels();
        assert!(to + self.plan.out_channels <= self.dy.len(), "conv: dy is too short");
        self.pieces(source.strides, mine, |group, offset, row, len| {
            let offset = offset + group * self.channels;
            assert!(from + offset + len <= source.data.len(), "conv: the image is too short");
            arch::dispatch(Piece {
                x: source.data,
                dy: self.dy,
                places: &places,
                offset,
                column: group * o,
                sums: self.sums(group, row, len),
                cols: o,
            });
        });
    }
}

/// Some input channels of a tap, or of neighbouring taps, by all output channels of a group.
struct Piece<'a, T> {
    x: &'a [T],
    dy: &'a [T],
    places: &'a [[usize; 2]],
    offset: usize,
    column: usize,
    /// `(len, cols)`
    sums: &'a mut [T],
    cols: usize,
}

impl<T: Float> WithSimd for Piece<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = NV * T::lanes::<S>();
        let len = self.sums.len() / self.cols;
        for first in (0..self.cols).step_by(width) {
            let mut row = 0;
            while row < len {
                let channels = channels_max::<S>(len - row);
                let call = Outer {
                    x: self.x,
                    dy: self.dy,
                    places: self.places,
                    offset: self.offset + row,
                    column: self.column + first,
                    cols: width.min(self.cols - first),
                };
                let sums = &mut self.sums[row * self.cols + first..];
                // SAFETY: `Rows::add` checked that the piece of the furthest place lies in the
                // image, and all output channels of the furthest place in `dy`.
                unsafe { micro::outer(simd, channels, call, sums, self.cols) };
                row += channels;
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
    let taps = plan.taps();
    let first = &*first;
    par::chunks_mut(dw, channels * taps, len, |at, dw| {
        let (group, j) = (at / o, at % o);
        let sums = &first[group * rows * o..];
        for c in 0..channels {
            for (tap, dw) in dw[c * taps..(c + 1) * taps].iter_mut().enumerate() {
                *dw = sums[(tap * channels + c) * o + j];
            }
        }
    });
}

/// Elements that a task adds.
const ADD: usize = 8 << 10;
