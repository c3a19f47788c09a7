//! Depthwise convolution: every channel by itself, channels in registers.

use pulp::{Simd, WithSimd};

use super::plan::Plan;
use super::tile::Tiling;
use crate::disjoint::Disjoint;
use crate::simd::Vector;
use crate::{Buffer, Float, arch, par, scratch};

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
                let offsets = offsets(plan, source.strides);
                let layout = (source.image, source.strides);
                tile.for_each_place(plan, layout, |from, to| {
                    // SAFETY: every place belongs to one tile, and every tile to one task.
                    let y = unsafe { y.range(to..to + channels) };
                    let x = &source.data[from..];
                    arch::dispatch(Place { x, offsets: &offsets, w: by_tap, bias, y });
                });
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

/// One place: all channels.
struct Place<'a, T> {
    x: &'a [T],
    offsets: &'a [usize],
    w: &'a [T],
    bias: Option<&'a [T]>,
    y: &'a mut [T],
}

impl<T: Float> WithSimd for Place<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (channels, lanes) = (self.y.len(), T::lanes::<S>());
        for (at, y) in self.y.chunks_mut(lanes).enumerate() {
            let own = at * lanes..at * lanes + y.len();
            let mut sum = match self.bias {
                Some(bias) => Vector::load(simd, &bias[own.clone()]),
                None => Vector::splat(simd, T::ZERO),
            };
            for (tap, offset) in self.offsets.iter().enumerate() {
                let x = Vector::load(simd, &self.x[offset + own.start..offset + own.end]);
                let w = &self.w[tap * channels + own.start..tap * channels + own.end];
                sum = x.mul_add(Vector::load(simd, w), sum);
            }
            sum.store(y);
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
                let offsets = offsets(plan, source.strides);
                let layout = (source.image, source.strides);
                tile.for_each_place(plan, layout, |from, to| {
                    let (x, dy) = (&source.data[from..], &dy[to..to + channels]);
                    arch::dispatch(AddPlace { x, offsets: &offsets, dy, sums });
                });
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

/// Adds one place's terms to the sums of all taps.
struct AddPlace<'a, T> {
    x: &'a [T],
    offsets: &'a [usize],
    dy: &'a [T],
    sums: &'a mut [T],
}

impl<T: Float> WithSimd for AddPlace<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (channels, lanes) = (self.dy.len(), T::lanes::<S>());
        for (at, dy) in self.dy.chunks(lanes).enumerate() {
            let own = at * lanes..at * lanes + dy.len();
            let dy = Vector::load(simd, dy);
            for (tap, offset) in self.offsets.iter().enumerate() {
                let x = Vector::load(simd, &self.x[offset + own.start..offset + own.end]);
                let sums = &mut self.sums[tap * channels + own.start..tap * channels + own.end];
                x.mul_add(dy, Vector::load(simd, sums)).store(sums);
            }
        }
    }
}
