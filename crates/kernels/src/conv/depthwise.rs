//! Depthwise convolution: every channel by itself, channels in registers.

use pulp::{Simd, WithSimd};

use super::micro::load;
use super::plan::Plan;
use super::tile::{Source, Tile, Tiling};
use crate::disjoint::Disjoint;
use crate::simd::Vector;
use crate::{Buffer, Float, arch, array, par, scratch};

/// `y = bias +` the plan's sums, at the plan's places.
pub(super) fn run<T: Float>(x: &[T], w: &[T], bias: Option<&[T]>, plan: &Plan, y: &mut [T]) {
    let channels = plan.in_channels;
    let taps = plan.tap_positions();
    let kernel = w.len() / channels;
    // (taps, channels)
    scratch::with(taps.len() * channels, |by_tap: &mut [T]| {
        for (tap, row) in taps.iter().zip(by_tap.chunks_exact_mut(channels)) {
            for (c, weight) in row.iter_mut().enumerate() {
                *weight = w[c * kernel + tap];
            }
        }
        let by_tap = &*by_tap;
        let tiling = Tiling::new::<T>(plan);
        let y = Disjoint::new(y);
        par::for_each(tiling.tiles(plan), work(plan), |index| {
            let tile = tiling.tile(plan, index);
            tile.with_source(x, plan, |source| {
                let places = Places::new(&tile, plan, &source, y.len());
                arch::dispatch(Forward { places, w: by_tap, bias, y: &y });
            });
        });
    });
}

/// Nanoseconds on one thread: memory counts.
fn work(plan: &Plan) -> usize {
    plan.places() * plan.in_channels * plan.taps() / 8
}

/// How far each tap lies from a place.
fn offsets(plan: &Plan, strides: [usize; 3]) -> Vec<usize> {
    let steps = [0, 1, 2].map(|at| strides[at] * plan.axes[at].dilation);
    let [a, b, c] = plan.axes.map(|axis| axis.taps);
    (0..a * b * c)
        .map(|tap| tap / (b * c) * steps[0] + tap / c % b * steps[1] + tap % c * steps[2])
        .collect()
}

/// The places of a tile.
struct Places<'a, T> {
    x: &'a [T],
    /// Positions in `x`, and in the output.
    places: Vec<[usize; 2]>,
    offsets: Vec<usize>,
    channels: usize,
}

impl<'a, T: Float> Places<'a, T> {
    /// For an output of `len` elements.
    fn new(tile: &Tile, plan: &Plan, source: &Source<'a, T>, len: usize) -> Self {
        let offsets = offsets(plan, source.strides);
        let mut places = Vec::with_capacity(tile.len());
        let layout = (source.image, source.strides);
        tile.for_each_place(plan, layout, |from, to| places.push([from, to]));
        let channels = plan.in_channels;
        let furthest = |at: usize| places.iter().map(|place| place[at]).max().unwrap_or(0);
        let reach = offsets.iter().max().copied().unwrap_or(0) + channels;
        assert!(furthest(0) + reach <= source.data.len(), "conv: the image is too short");
        assert!(furthest(1) + channels <= len, "conv: the output is too short");
        Places { x: source.data, places, offsets, channels }
    }

    /// From a place to some of its taps; where there are fewer, the last one again.
    #[inline(always)]
    fn taps(&self, first: usize, channel: usize) -> [*const T; TAPS] {
        let last = self.offsets.len() - 1;
        array::from_fn(
            #[inline(always)]
            |i| self.x.as_ptr().wrapping_add(self.offsets[last.min(first + i)] + channel),
        )
    }
}

/// Taps that are summed at a time: those of a 3x3 kernel.
const TAPS: usize = 9;

/// The sums of a tile's places: taps over taps, register by register of channels, so that the
/// weights of a register stay where they are.
struct Forward<'a, T> {
    places: Places<'a, T>,
    /// `(taps, channels)`
    w: &'a [T],
    bias: Option<&'a [T]>,
    y: &'a Disjoint<'a, T>,
}

impl<T: Float> WithSimd for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Forward { places, w, bias, y } = self;
        let (channels, lanes) = (places.channels, T::lanes::<S>());
        let zero = Vector::splat(simd, T::ZERO);
        for channel in (0..channels).step_by(lanes) {
            let len = lanes.min(channels - channel);
            let bias = bias.map_or(zero, |bias| Vector::load(simd, &bias[channel..channel + len]));
            for first in (0..places.offsets.len()).step_by(TAPS) {
                let count = TAPS.min(places.offsets.len() - first);
                let is_full = count == TAPS;
                let taps = places.taps(first, channel);
                let w: [Vector<T, S>; TAPS] = array::from_fn(
                    #[inline(always)]
                    |i| match i < count {
                        true => Vector::load(simd, &w[(first + i) * channels + channel..][..len]),
                        false => zero,
                    },
                );
                for &[from, to] in &places.places {
                    // SAFETY: every place belongs to one tile, and every tile to one task.
                    let y = unsafe { y.range(to + channel..to + channel + len) };
                    let mut sum = if first == 0 { bias } else { Vector::load(simd, y) };
                    let mut i = 0;
                    while i < if is_full { TAPS } else { count } {
                        // SAFETY: `Places::new` checked that every tap of every place is there.
                        let x = unsafe { some(simd, taps[i].wrapping_add(from), len) };
                        sum = x.mul_add(w[i], sum);
                        i += 1;
                    }
                    sum.store(y);
                }
            }
        }
    }
}

/// Loads `len` elements, at most a register's.
///
/// # Safety
/// They are readable at `from`.
#[inline(always)]
unsafe fn some<T: Float, S: Simd>(simd: S, from: *const T, len: usize) -> Vector<T, S> {
    // SAFETY: by the caller's promise.
    unsafe {
        match len == T::lanes::<S>() {
            true => load(simd, from),
            false => Vector::load(simd, std::slice::from_raw_parts(from, len)),
        }
    }
}

/// How many blocks of tiles have sums of their own.
const BLOCKS: usize = 8;

/// `dw`: the sums over all places of the plan.
pub(super) fn weight<T: Float>(x: &[T], dy: &[T], plan: &Plan, dw: &mut [T]) {
    let (channels, taps) = (plan.in_channels, plan.taps());
    let len = channels * taps;
    let tiling = Tiling::new::<T>(plan);
    let tiles = tiling.tiles(plan);
    let per_block = tiles.div_ceil(BLOCKS);
    let blocks = tiles.div_ceil(per_block);
    // (blocks, taps, channels)
    let mut partials = Buffer::unspecified(blocks * len);
    par::chunks_mut(&mut partials, len, work(plan), |block, sums| {
        sums.fill(T::ZERO);
        for index in block * per_block..tiles.min((block + 1) * per_block) {
            let tile = tiling.tile(plan, index);
            tile.with_source(x, plan, |source| {
                let places = Places::new(&tile, plan, &source, dy.len());
                arch::dispatch(AddTile { places, dy, sums });
            });
        }
    });
    let (first, others) = partials.split_at_mut(len);
    for other in others.chunks_exact(len) {
        first.iter_mut().zip(other).for_each(|(sum, other)| *sum += *other);
    }
    for (c, dw) in dw.chunks_exact_mut(taps).enumerate() {
        for (tap, dw) in dw.iter_mut().enumerate() {
            *dw = first[tap * channels + c];
        }
    }
}

/// Adds a tile's terms to the sums of all taps.
struct AddTile<'a, T> {
    places: Places<'a, T>,
    dy: &'a [T],
    /// `(taps, channels)`
    sums: &'a mut [T],
}

impl<T: Float> WithSimd for AddTile<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let AddTile { places, dy, sums } = self;
        let (channels, lanes) = (places.channels, T::lanes::<S>());
        for channel in (0..channels).step_by(lanes) {
            let len = lanes.min(channels - channel);
            for first in (0..places.offsets.len()).step_by(TAPS) {
                let taps = places.taps(first, channel);
                let mut totals = [Vector::splat(simd, T::ZERO); TAPS];
                for &[from, to] in &places.places {
                    // SAFETY: `Places::new` checked that every place is in `dy`.
                    let dy = unsafe { some(simd, dy.as_ptr().wrapping_add(to + channel), len) };
                    let mut i = 0;
                    while i < TAPS {
                        // SAFETY: it also checked that every tap of every place is there.
                        let x = unsafe { some(simd, taps[i].wrapping_add(from), len) };
                        totals[i] = x.mul_add(dy, totals[i]);
                        i += 1;
                    }
                }
                for (i, total) in totals.into_iter().enumerate() {
                    if first + i < places.offsets.len() {
                        let sums = &mut sums[(first + i) * channels + channel..][..len];
                        (Vector::load(simd, sums) + total).store(sums);
                    }
                }
            }
        }
    }
}
