//! Tiles of output places, and the part of the image that a tile reads.

use std::ops::Range;

use super::plan::Plan;
use crate::scratch;
use crate::{Element, Float};

/// How the output places of a plan are cut: whole images, or bands of an image along one axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiling {
    /// The axis that bands are cut along.
    axis: usize,
    /// Places of a band along it.
    band: usize,
    /// Images of a tile.
    images: usize,
    bands: usize,
}

/// Bytes of the image that a tile should read: what stays in the L2 cache beside weights.
const BYTES: usize = 384 << 10;

/// Places of a tile, at most and, where the image has them, at least.
const PLACES_MAX: usize = 1024;
const PLACES_MIN: usize = 64;

/// How many tiles there should be, so that threads find work.
const TILES: usize = 8;

impl Tiling {
    pub(super) fn new<T: Element>(plan: &Plan) -> Tiling {
        let counts = plan.axes.map(|axis| axis.count);
        let axis = counts.iter().position(|&count| count > 1).unwrap_or(2);
        let image: usize = counts.iter().product();
        let row = plan.in_channels * size_of::<T>();
        let share = plan.places().div_ceil(TILES).max(PLACES_MIN);
        let places = (BYTES / row).clamp(PLACES_MIN, PLACES_MAX).min(share);
        let band = (places / (image / counts[axis])).clamp(1, counts[axis]);
        // Bands of one size rather than a short last one.
        let bands = counts[axis].div_ceil(band);
        let images = if bands == 1 { (places / image).clamp(1, plan.batch) } else { 1 };
        let band = counts[axis].div_ceil(bands);
        Tiling { axis, band, images, bands: counts[axis].div_ceil(band) }
    }

    pub(super) fn tiles(&self, plan: &Plan) -> usize {
        plan.batch.div_ceil(self.images) * self.bands
    }

    pub(super) fn tile(&self, plan: &Plan, index: usize) -> Tile {
        let first = index / self.bands * self.images;
        let start = index % self.bands * self.band;
        let mut places = plan.axes.map(|axis| 0..axis.count);
        places[self.axis] = start..plan.axes[self.axis].count.min(start + self.band);
        Tile { images: first..plan.batch.min(first + self.images), places }
    }
}

/// Some images' output places: a box of each.
#[derive(Clone, Debug)]
pub(super) struct Tile {
    pub(super) images: Range<usize>,
    pub(super) places: [Range<usize>; 3],
}

impl Tile {
    /// The number of places.
    pub(super) fn len(&self) -> usize {
        self.images.len() * self.places.iter().map(Range::len).product::<usize>()
    }

    /// Calls `body` with the part of the image that the tile reads.
    ///
    /// Where no place sees padding, that is the image itself.
    pub(super) fn with_source<T: Float, R>(
        &self,
        x: &[T],
        plan: &Plan,
        body: impl FnOnce(Source<'_, T>) -> R,
    ) -> R {
        let channels = plan.in_channels;
        let first = |at: usize| {
            let axis = &plan.axes[at];
            (self.places[at].start * axis.stride) as isize - axis.pad
        };
        let firsts = [first(0), first(1), first(2)];
        if !plan.axes.iter().any(|axis| axis.is_padded()) {
            let [a, b, c] = plan.axes.map(|axis| axis.input);
            let [i, j, k] = firsts.map(|first| first as usize);
            let strides = [b * c * channels, c * channels, channels];
            let image = a * b * c * channels;
            let start =
                self.images.start * image + i * strides[0] + j * strides[1] + k * strides[2];
            return body(Source { data: &x[start..], image, strides });
        }
        let extent = |at: usize| plan.axes[at].extent(self.places[at].len());
        let extents = [extent(0), extent(1), extent(2)];
        let strides = [extents[1] * extents[2] * channels, extents[2] * channels, channels];
        let image = extents[0] * strides[0];
        scratch::with(self.images.len() * image, |padded: &mut [T]| {
            for (n, padded) in self.images.clone().zip(padded.chunks_exact_mut(image)) {
                pad_image(x, plan, n, firsts, extents, padded);
            }
            body(Source { data: padded, image, strides })
        })
    }

    /// Calls `row` with the positions of each place: in the source, and in the output.
    pub(super) fn for_each_place(
        &self,
        plan: &Plan,
        source: (usize, [usize; 3]),
        mut row: impl FnMut(usize, usize),
    ) {
        let (image, strides) = source;
        let [a, b, c] = &plan.axes;
        let steps = [0, 1, 2].map(|at| strides[at] * plan.axes[at].stride);
        for n in self.images.clone() {
            for i in self.places[0].clone() {
                for j in self.places[1].clone() {
                    let from = (n - self.images.start) * image
                        + (i - self.places[0].start) * steps[0]
                        + (j - self.places[1].start) * steps[1];
                    let line = (n * a.output + a.out_first + i * a.out_step) * b.output;
                    let to = (line + b.out_first + j * b.out_step) * c.output + c.out_first;
                    for (at, k) in self.places[2].clone().enumerate() {
                        row(from + at * steps[2], (to + k * c.out_step) * plan.out_channels);
                    }
                }
            }
        }
    }
}

/// An image, or a padded part of one: where places and taps lie in it.
#[derive(Clone, Copy)]
pub(super) struct Source<'a, T> {
    pub(super) data: &'a [T],
    /// Elements from one image, and along each axis from one place, to the next.
    pub(super) image: usize,
    pub(super) strides: [usize; 3],
}

/// Copies the box of image `n` that starts at `firsts`, with zeros outside of the image.
fn pad_image<T: Float>(
    x: &[T],
    plan: &Plan,
    n: usize,
    firsts: [isize; 3],
    extents: [usize; 3],
    padded: &mut [T],
) {
    let channels = plan.in_channels;
    let inputs = plan.axes.map(|axis| axis.input);
    let inside = |at: usize, i: usize| {
        let place = firsts[at] + i as isize;
        (0..inputs[at] as isize).contains(&place).then_some(place as usize)
    };
    // Along the innermost axis: so many zeros, then so many places of the image.
    let before = (-firsts[2]).clamp(0, extents[2] as isize) as usize;
    let end = (inputs[2] as isize - firsts[2]).clamp(before as isize, extents[2] as isize) as usize;
    let line = extents[2] * channels;
    for (at, padded) in padded.chunks_exact_mut(line).enumerate() {
        let (Some(i), Some(j)) = (inside(0, at / extents[1]), inside(1, at % extents[1])) else {
            padded.fill(T::ZERO);
            continue;
        };
        let (zeros, rest) = padded.split_at_mut(before * channels);
        let (middle, behind) = rest.split_at_mut((end - before) * channels);
        zeros.fill(T::ZERO);
        behind.fill(T::ZERO);
        if !middle.is_empty() {
            let first = (firsts[2] + before as isize) as usize;
            let start = (((n * inputs[0] + i) * inputs[1] + j) * inputs[2] + first) * channels;
            middle.copy_from_slice(&x[start..start + middle.len()]);
        }
    }
}
