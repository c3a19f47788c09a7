//! A plan's sums: tiles of places, panels of output channels, chunks of taps and input channels.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::columns::columns;
use super::micro::{self, Call, NV, Run, places_max};
use super::plan::Plan;
use super::tile::{Source, Tile, Tiling};
use crate::disjoint::Disjoint;
use crate::{Buffer, Float, arch, par, scratch};

/// Elements of a chunk's runs, at most: a chunk of a panel stays in the L1 cache for all places of a
/// tile.
const CHUNK: usize = 256;

/// Registers of panels that are used for some places before the next ones: 40 KiB with AVX-512, 20
/// with AVX2. Where the sums are short, the output's lines are then written in order.
const REGISTERS: usize = 640;

/// How many tasks there should be, so that threads find work.
const TASKS: usize = 8;

/// `y = bias +` the plan's sums, at the plan's places.
pub(super) fn run<T: Float>(x: &[T], w: &[T], bias: Option<&[T]>, plan: &Plan, y: &mut [T]) {
    let (c, o) = plan.group_channels();
    let panels = Panels::of(plan.taps() * c, o, lanes::<T>());
    let mut packed = Buffer::unspecified(plan.groups * panels.group_len());
    panels.pack(w, plan, &mut packed);
    let tiling = Tiling::new::<T>(plan);
    let tiles = tiling.tiles(plan);
    // Few tiles are shared by panels as well.
    let parts = TASKS.div_ceil(tiles).min(panels.count);
    let share = panels.count.div_ceil(parts);
    let y = Disjoint::new(y);
    par::for_each(tiles * parts, plan.work(), |task| {
        let tile = tiling.tile(plan, task / parts);
        let part = task % parts * share;
        let part = part.min(panels.count)..panels.count.min(part + share);
        tile.with_source(x, plan, |source| {
            let tile = Places { tile: &tile, source, part: part.clone() };
            tile.run(plan, &panels, &packed, bias, &y);
        });
    });
}

/// Elements of a register of the current instruction set.
fn lanes<T: Float>() -> usize {
    arch::dispatch_for::<T, _>(Lanes::<T>(std::marker::PhantomData))
}

struct Lanes<T>(std::marker::PhantomData<T>);

impl<T: Float> WithSimd for Lanes<T> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        T::lanes::<S>()
    }
}

/// How a group's weights lie: panels of `NV` registers of output channels (the last may have
/// one), in each a row for every tap and input channel.
struct Panels {
    lanes: usize,
    /// Panels of a group.
    count: usize,
    /// Output channels of a group.
    channels: usize,
    /// Rows of a panel.
    rows: usize,
}

impl Panels {
    fn of(rows: usize, channels: usize, lanes: usize) -> Self {
        Panels { lanes, count: channels.div_ceil(NV * lanes), channels, rows }
    }

    /// The output channels of a panel.
    fn columns(&self, panel: usize) -> Range<usize> {
        let first = panel * NV * self.lanes;
        first..self.channels.min(first + NV * self.lanes)
    }

    /// Elements of a panel's row.
    fn width(&self, panel: usize) -> usize {
        self.columns(panel).len().next_multiple_of(self.lanes)
    }

    fn group_len(&self) -> usize {
        self.rows * self.channels.next_multiple_of(self.lanes)
    }

    /// Where a panel of a group starts.
    fn start(&self, group: usize, panel: usize) -> usize {
        group * self.group_len() + panel * NV * self.lanes * self.rows
    }

    /// Brings all weights into panels.
    fn pack<T: Float>(&self, w: &[T], plan: &Plan, packed: &mut [T]) {
        let (channels, _) = plan.group_channels();
        let taps = plan.tap_positions();
        let all: usize = plan.axes.iter().map(|axis| axis.kernel).product();
        let shared = Disjoint::new(packed);
        let total = plan.groups * self.count;
        par::for_each(total, plan.groups * self.group_len(), |index| {
            let (group, panel) = (index / self.count, index % self.count);
            let (start, width) = (self.start(group, panel), self.width(panel));
            // SAFETY: panels are disjoint, and each belongs to one task.
            let rows = unsafe { shared.range(start..start + self.rows * width) };
            let outputs = self.columns(panel);
            let w = &w[plan.group_weight(group)..];
            scratch::with(SLICE * all * width, |slice: &mut [T]| {
                for first in (0..channels).step_by(SLICE) {
                    let count = SLICE.min(channels - first);
                    let from = (first, outputs.start);
                    columns(w, plan, from, (count, outputs.len()), (&mut *slice, width));
                    for (c, slice) in slice.chunks_exact(all * width).take(count).enumerate() {
                        for (at, tap) in taps.iter().enumerate() {
                            let row = (at * channels + first + c) * width;
                            rows[row..row + width]
                                .copy_from_slice(&slice[tap * width..(tap + 1) * width]);
                        }
                    }
                }
            });
        });
    }
}

/// Input channels whose weights are brought into panels at a time.
const SLICE: usize = 16;

/// A tile with its part of the image, and the panels that a task computes.
struct Places<'a, T> {
    tile: &'a Tile,
    source: Source<'a, T>,
    part: Range<usize>,
}

impl<T: Float> Places<'_, T> {
    fn run(
        &self,
        plan: &Plan,
        panels: &Panels,
        packed: &[T],
        bias: Option<&[T]>,
        y: &Disjoint<'_, T>,
    ) {
        let mut places = Vec::with_capacity(self.tile.len());
        let source = (self.source.image, self.source.strides);
        self.tile.for_each_place(plan, source, |from, to| places.push([from, to]));
        let parts = panels.rows.div_ceil(CHUNK);
        let chunks = chunks(&runs(plan, self.source.strides), panels.rows.div_ceil(parts));
        let reach = chunks.iter().flatten().map(|run| run.offset + run.len).max();
        let furthest = places.iter().map(|place| place[0]).max();
        let (c, o) = plan.group_channels();
        let end = reach.unwrap_or(0) + furthest.unwrap_or(0) + (plan.groups - 1) * c;
        assert!(end <= self.source.data.len(), "conv: a place reads outside of the image");
        let last = places.iter().map(|place| place[1]).max().unwrap_or(0);
        assert!(last + plan.out_channels <= y.len(), "conv: a place lies outside of the output");
        let longest = chunks.iter().map(|runs| len(runs)).max().unwrap_or(1);
        let together = (REGISTERS / (NV * longest)).max(1);
        for group in 0..plan.groups {
            for first in self.part.clone().step_by(together) {
                let part = first..self.part.end.min(first + together);
                let mut row = 0;
                for runs in &chunks {
                    let rows = len(runs);
                    let panel = |panel: usize| {
                        let start = panels.start(group, panel) + row * panels.width(panel);
                        let outputs = panels.columns(panel);
                        let first = group * o + outputs.start;
                        Panel {
                            rows: &packed[start..start + rows * panels.width(panel)],
                            bias: bias.filter(|_| row == 0).map(|b| &b[first..][..outputs.len()]),
                            y: y.start().wrapping_add(first),
                            cols: outputs.len(),
                        }
                    };
                    arch::dispatch_for::<T, _>(Chunk {
                        x: &self.source.data[group * c..],
                        places: &places,
                        runs,
                        panels: &part.clone().map(panel).collect::<Vec<_>>(),
                        adds: row > 0,
                    });
                    row += rows;
                }
            }
        }
    }
}

fn len(runs: &[Run]) -> usize {
    runs.iter().map(|run| run.len).sum()
}

/// The runs of a group's input channels that a place reads, from its position on.
///
/// Neighbouring taps of a whole image are one run.
pub(super) fn runs(plan: &Plan, strides: [usize; 3]) -> Vec<Run> {
    let (channels, _) = plan.group_channels();
    let [a, b, c] = &plan.axes;
    let is_joined = plan.groups == 1 && c.dilation == 1;
    let mut runs = Vec::new();
    for i in 0..a.taps {
        for j in 0..b.taps {
            let offset = i * a.dilation * strides[0] + j * b.dilation * strides[1];
            match is_joined {
                true => runs.push(Run { offset, len: c.taps * channels }),
                false => {
                    runs.extend((0..c.taps).map(|k| Run {
                        offset: offset + k * c.dilation * strides[2],
                        len: channels,
                    }))
                }
            }
        }
    }
    runs
}

/// The runs in pieces that hold together at most `max` elements each.
fn chunks(runs: &[Run], max: usize) -> Vec<Vec<Run>> {
    let mut chunks = vec![Vec::new()];
    let mut room = max;
    for run in runs {
        let (mut offset, mut left) = (run.offset, run.len);
        while left > 0 {
            if room == 0 || (left > room && left <= max) {
                chunks.push(Vec::new());
                room = max;
            }
            let len = left.min(room);
            chunks.last_mut().expect("there is a first chunk").push(Run { offset, len });
            (offset, left, room) = (offset + len, left - len, room - len);
        }
    }
    chunks
}

/// One chunk of some panels, for all places of a tile.
struct Chunk<'a, T> {
    x: &'a [T],
    places: &'a [[usize; 2]],
    runs: &'a [Run],
    panels: &'a [Panel<'a, T>],
    /// Whether the sums are added to the output.
    adds: bool,
}

/// A panel's rows for a chunk, and its output channels.
struct Panel<'a, T> {
    rows: &'a [T],
    bias: Option<&'a [T]>,
    y: *mut T,
    cols: usize,
}

impl<T: Float> WithSimd for Chunk<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Chunk { x, runs, adds, .. } = self;
        for places in self.places.chunks(places_max::<S>()) {
            for &Panel { rows: panel, bias, y, cols } in self.panels {
                let call = Call { x, places, runs, panel, cols, bias, y, adds };
                // SAFETY: `Places::run` checked that the furthest run of the furthest place lies in
                // the image and all output channels of the furthest place in the output, and cut
                // the panels to a row for each element of the runs. Places are disjoint between
                // tiles, columns between panels, and one task has both.
                unsafe { micro::run(simd, call) };
            }
        }
    }
}
