//! Tiles of an image, transformed: where they lie, and the kernels that bring them there and back.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::super::micro::load;
use super::maps::{both, gather, spread};
use crate::disjoint::Disjoint;
use crate::simd::{SimdFloat, Vector};

/// Channels that lie side by side in panels.
pub(super) const PANEL: usize = 32;

/// The most channels that a task takes at once.
pub(super) const CHANNELS_MAX: usize = 128;

/// What lies outside of an image.
static ZEROS: [f32; CHANNELS_MAX] = [0.0; CHANNELS_MAX];

/// Elements between the products' parts, so that they do not fall on each other in the cache.
const STAGGER: usize = 16;

/// How the tiles of all images follow on each other: in rows.
#[derive(Clone, Copy)]
pub(super) struct Tiles {
    pub(super) down: usize,
    pub(super) across: usize,
    pub(super) batch: usize,
}

impl Tiles {
    pub(super) fn count(&self) -> usize {
        self.batch * self.down * self.across
    }

    /// Image, row and column of a tile's first place, where tiles are `step` places apart.
    fn at(&self, tile: usize, step: usize) -> (usize, usize, usize) {
        let (n, rest) = (tile / (self.down * self.across), tile % (self.down * self.across));
        (n, rest / self.across * step, rest % self.across * step)
    }
}

/// Images `(batch, rows, cols, channels)`.
#[derive(Clone, Copy)]
pub(super) struct Image {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) channels: usize,
    /// Places before the first row and column that the first tile sees.
    pub(super) pads: [isize; 2],
    /// Places from one tile to the next.
    pub(super) step: usize,
}

impl Image {
    /// Where a place starts, if it is in the image.
    #[inline(always)]
    fn place(&self, n: usize, row: isize, col: isize) -> Option<usize> {
        let is_inside =
            (0..self.rows as isize).contains(&row) && (0..self.cols as isize).contains(&col);
        is_inside
            .then(|| ((n * self.rows + row as usize) * self.cols + col as usize) * self.channels)
    }
}

/// Where the numbers of transformed tiles, or of sums over them, lie.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Elements from one of the products to the next, from a row (a tile) to the next, and from
    /// [`PANEL`] channels to the next.
    pub(super) product: usize,
    pub(super) row: usize,
    pub(super) panel: usize,
}

impl Layout {
    /// Rows of all channels.
    pub(super) fn rows(rows: usize, channels: usize) -> Self {
        Layout { product: rows * channels + STAGGER, row: channels, panel: PANEL }
    }

    /// Panels of all rows, the last one with unused places.
    pub(super) fn panels(rows: usize, channels: usize) -> Self {
        let panel = rows * PANEL;
        Layout { product: channels.div_ceil(PANEL) * panel + STAGGER, row: PANEL, panel }
    }

    /// Panels of all products.
    pub(super) fn whole_panels(products: usize, rows: usize) -> Self {
        let product = rows * PANEL + STAGGER;
        Layout { product, row: PANEL, panel: products * product }
    }

    /// Where a row and a channel of the first product are.
    #[inline(always)]
    pub(super) fn at(&self, row: usize, channel: usize) -> usize {
        row * self.row + channel / PANEL * self.panel + channel % PANEL
    }

    /// Elements of `products` products.
    pub(super) fn len(&self, products: usize) -> usize {
        products * self.product
    }
}

/// The transform of tiles of `A` by `A` places: `(N * N, tiles, channels)`.
pub(super) struct Spread<'a, const A: usize, const N: usize> {
    pub(super) x: &'a [f32],
    pub(super) image: Image,
    pub(super) tiles: Tiles,
    pub(super) range: Range<usize>,
    /// A whole number of registers of any instruction set, at most [`CHANNELS_MAX`].
    pub(super) channels: Range<usize>,
    pub(super) to: &'a mut [f32],
    pub(super) layout: Layout,
}

impl<const A: usize, const N: usize> WithSimd for Spread<'_, A, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Spread { x, image, tiles, range, channels, to, layout } = self;
        assert!(channels.end <= image.channels && channels.len() <= CHANNELS_MAX);
        assert!(x.len() == tiles.batch * image.rows * image.cols * image.channels);
        assert!(range.end <= tiles.count() && layout.len(N * N) <= to.len());
        assert!(layout.at(range.len() - 1, channels.len() - 1) < layout.product);
        let x = x.as_ptr().wrapping_add(channels.start);
        let to = to.as_mut_ptr();
        for (at, tile) in range.enumerate() {
            let (n, i, j) = tiles.at(tile, image.step);
            let mut pixels = [[ZEROS.as_ptr(); A]; A];
            for (row, pixels) in pixels.iter_mut().enumerate() {
                for (col, pixel) in pixels.iter_mut().enumerate() {
                    let row = (i + row) as isize - image.pads[0];
                    if let Some(place) = image.place(n, row, (j + col) as isize - image.pads[1]) {
                        *pixel = x.wrapping_add(place);
                    }
                }
            }
            for first in (0..channels.len()).step_by(lanes::<S>()) {
                let to = to.wrapping_add(layout.at(at, first));
                both::<S, A, N>(
                    // SAFETY: the channels of a place of the image, or as many zeros.
                    #[inline(always)]
                    |row, col| unsafe { load(simd, pixels[row][col].wrapping_add(first)) },
                    #[inline(always)]
                    |d| spread(simd, d),
                    // SAFETY: each product has this row and channel, as asserted.
                    #[inline(always)]
                    |k, l, t| unsafe { store(t, to.wrapping_add((k * N + l) * layout.product)) },
                );
            }
        }
    }
}

/// The transform of sums of products to `M` by `M` outputs a tile.
pub(super) struct Gather<'a, const N: usize, const M: usize> {
    /// With the row of the first tile.
    pub(super) sums: (&'a [f32], usize),
    pub(super) layout: Layout,
    pub(super) image: Image,
    pub(super) tiles: Tiles,
    pub(super) range: Range<usize>,
    /// As in [`Spread`].
    pub(super) channels: Range<usize>,
    pub(super) bias: Option<&'a [f32]>,
    /// No other task writes these channels of these tiles.
    pub(super) y: &'a Disjoint<'a, f32>,
}

impl<const N: usize, const M: usize> WithSimd for Gather<'_, N, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Gather { sums, layout, image, tiles, range, channels, bias, y } = self;
        let (sums, first_row) = sums;
        assert!(channels.end <= image.channels && layout.len(N * N) <= sums.len());
        assert!(y.len() == tiles.batch * image.rows * image.cols * image.channels);
        assert!(range.end <= tiles.count());
        let last = first_row + range.len() - 1;
        assert!(layout.at(last, channels.len() - 1) < layout.product);
        let lanes = lanes::<S>();
        for (at, tile) in range.enumerate() {
            let (n, i, j) = tiles.at(tile, image.step);
            for first in (0..channels.len()).step_by(lanes) {
                let sums = sums.as_ptr().wrapping_add(layout.at(first_row + at, first));
                let own = channels.start + first;
                let bias = match bias {
                    Some(bias) => Vector::load(simd, &bias[own..own + lanes]),
                    None => Vector::splat(simd, 0.0),
                };
                both::<S, N, M>(
                    // SAFETY: each product has this row and channel, as asserted.
                    #[inline(always)]
                    |k, l| unsafe { load(simd, sums.wrapping_add((k * N + l) * layout.product)) },
                    #[inline(always)]
                    |t| gather(simd, t),
                    #[inline(always)]
                    |row, col, sum| {
                        if let Some(place) = image.place(n, (i + row) as isize, (j + col) as isize)
                        {
                            // SAFETY: every output belongs to one tile, and the channels to us.
                            let y = unsafe { y.range(place + own..place + own + lanes) };
                            (sum + bias).store(y);
                        }
                    },
                );
            }
        }
    }
}

/// Elements of a register.
#[inline(always)]
pub(super) fn lanes<S: Simd>() -> usize {
    <f32 as SimdFloat>::lanes::<S>()
}

/// # Safety
/// A register's width must be writable at `to`, for us alone.
#[inline(always)]
pub(super) unsafe fn store<S: Simd>(register: Vector<f32, S>, to: *mut f32) {
    // SAFETY: registers are plain arrays of elements; writing needs no alignment.
    unsafe { to.cast::<<f32 as SimdFloat>::Lanes<S>>().write_unaligned(register.lanes) }
}
