//! Winograd's algorithm F(2x2, 3x3): four outputs of a 3x3 convolution by 16 products instead
//! of 36.
//!
//! ```text
//! U = G w Gᵀ for each pair of channels                           once a call
//! for each block of tiles of 2x2 outputs (cut by shape; threads take blocks):
//!     V = Bᵀ x B for each tile and input channel: 4x4 of each    additions alone
//!     M[k] = V[k] U[k] for each of the 16 elements               matrix products
//!     y = Aᵀ M A for each tile and output channel                additions alone
//! ```
//!
//! Reference: Lavin and Gray 2016, section 4.1. The transforms add up to four numbers each way, so
//! an error is a few times that of the direct sum; the tests bound it against `f64`.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::direct::{Panels, chunks, lanes};
use super::micro::{self, Call, Finish, Run, places_max};
use super::plan::Plan;
use crate::disjoint::Disjoint;
use crate::simd::Vector;
use crate::{Buffer, Float, arch, par, scratch};

/// Elements of a transformed tile.
const PRODUCTS: usize = 16;

/// Channels from which on products outweigh transforms.
const CHANNELS_MIN: usize = 32;

/// Tiles from which on products outweigh the transform of the weights.
const TILES_MIN: usize = 128;

/// Bytes of a block's transformed tiles, which stay in the L2 cache.
const BYTES: usize = 768 << 10;

/// Elements of a chunk of channels: a chunk of a panel stays in the L1 cache.
const CHUNK: usize = 192;

/// Whether a plan is a 3x3 convolution with stride 1 that is worth it.
pub(super) fn suits(plan: &Plan) -> bool {
    let [a, b, c] = &plan.axes;
    let is_flat = a.taps == 1 && a.input == 1 && a.count == 1 && a.pad == 0;
    let is_three = [b, c]
        .iter()
        .all(|axis| axis.taps == 3 && axis.stride == 1 && axis.dilation == 1 && axis.out_step == 1);
    is_flat
        && is_three
        && plan.groups == 1
        && plan.in_channels >= CHANNELS_MIN
        && plan.out_channels >= CHANNELS_MIN
        && Tiles::new(plan).count() >= TILES_MIN
}

/// The tiles of all images.
struct Tiles {
    down: usize,
    across: usize,
    batch: usize,
}

impl Tiles {
    fn new(plan: &Plan) -> Self {
        let [_, b, c] = &plan.axes;
        Tiles { down: b.count.div_ceil(2), across: c.count.div_ceil(2), batch: plan.batch }
    }

    fn count(&self) -> usize {
        self.batch * self.down * self.across
    }

    /// Image, row and column of a tile's first output.
    fn at(&self, tile: usize) -> (usize, usize, usize) {
        let (n, rest) = (tile / (self.down * self.across), tile % (self.down * self.across));
        (n, rest / self.across * 2, rest % self.across * 2)
    }
}

/// `y = bias +` the plan's sums.
pub(super) fn run<T: Float>(x: &[T], w: &[T], bias: Option<&[T]>, plan: &Plan, y: &mut [T]) {
    let (c, o) = plan.group_channels();
    let panels = Panels::of(c, o, lanes::<T>());
    let mut packed = Buffer::unspecified(PRODUCTS * panels.group_len());
    transform_weights(w, plan, &panels, &mut packed);
    let tiles = Tiles::new(plan);
    let count = tiles.count();
    let block = BYTES / (PRODUCTS * (c + o) * size_of::<T>());
    let block = block.clamp(8, 128).min(count.div_ceil(8)).next_multiple_of(8);
    let zeros = Buffer::<T>::zeroed(c);
    let y = Disjoint::new(y);
    par::for_each(count.div_ceil(block), plan.work() / 2, |index| {
        let range = index * block..count.min((index + 1) * block);
        let (v_len, m_len) = (PRODUCTS * range.len() * c, PRODUCTS * range.len() * o);
        scratch::with(v_len + m_len, |scratch: &mut [T]| {
            let (v, m) = scratch.split_at_mut(v_len);
            let block = Block { plan, tiles: &tiles, range };
            arch::dispatch(Before { block: &block, x, zeros: &zeros, v });
            multiply(v, &packed, &panels, (c, o), m);
            arch::dispatch(After { block: &block, m, bias, y: &y });
        });
    });
}

/// Brings `G w Gᵀ` of all pairs of channels into panels, one set for each of the 16 elements.
fn transform_weights<T: Float>(w: &[T], plan: &Plan, panels: &Panels, packed: &mut [T]) {
    let taps = plan.tap_positions();
    let (channels, _) = plan.group_channels();
    let len = panels.group_len();
    let packed = Disjoint::new(packed);
    par::for_each(panels.count, len * PRODUCTS, |panel| {
        let (start, width) = (panels.start(0, panel), panels.width(panel));
        let columns = panels.columns(panel);
        for c in 0..channels {
            // SAFETY: panels are disjoint, and each belongs to one task.
            let mut rows: [&mut [T]; PRODUCTS] = std::array::from_fn(|k| unsafe {
                let first = k * len + start + c * width;
                packed.range(first..first + width)
            });
            for lane in 0..width {
                let mut g = [T::ZERO; 9];
                if lane < columns.len() {
                    let from = (columns.start + lane) * plan.out_step + c * plan.in_step;
                    g = std::array::from_fn(|tap| w[from + taps[tap]]);
                }
                for (row, u) in rows.iter_mut().zip(transform_weight(g)) {
                    row[lane] = u;
                }
            }
        }
    });
}

/// `G g Gᵀ`
#[inline(always)]
fn transform_weight<T: Float>(g: [T; 9]) -> [T; PRODUCTS] {
    let half = T::HALF;
    let line = |a: T, b: T, c: T| [a, (a + b + c) * half, (a - b + c) * half, c];
    let rows: [[T; 4]; 3] =
        std::array::from_fn(|row| line(g[3 * row], g[3 * row + 1], g[3 * row + 2]));
    let columns: [[T; 4]; 4] =
        std::array::from_fn(|col| line(rows[0][col], rows[1][col], rows[2][col]));
    std::array::from_fn(|k| columns[k % 4][k / 4])
}

/// Some tiles.
struct Block<'a> {
    plan: &'a Plan,
    tiles: &'a Tiles,
    range: Range<usize>,
}

/// The transform of the input: `v (16, tiles, C)`.
struct Before<'a, T> {
    block: &'a Block<'a>,
    x: &'a [T],
    /// What lies outside of the image: `(C)`.
    zeros: &'a [T],
    v: &'a mut [T],
}

impl<T: Float> WithSimd for Before<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Before { block, x, zeros, v } = self;
        let (channels, lanes) = (zeros.len(), T::lanes::<S>());
        let [_, b, c] = &block.plan.axes;
        let step = block.range.len() * channels;
        for (at, tile) in block.range.clone().enumerate() {
            let (n, i, j) = block.tiles.at(tile);
            let pixel = |k: usize| {
                let row = (i + k / 4) as isize - b.pad;
                let col = (j + k % 4) as isize - c.pad;
                let is_inside =
                    (0..b.input as isize).contains(&row) && (0..c.input as isize).contains(&col);
                if !is_inside {
                    return zeros;
                }
                let place = (n * b.input + row as usize) * c.input + col as usize;
                &x[place * channels..(place + 1) * channels]
            };
            let pixels: [&[T]; PRODUCTS] = std::array::from_fn(pixel);
            for first in (0..channels).step_by(lanes) {
                let end = channels.min(first + lanes);
                let mut d: [Vector<T, S>; PRODUCTS] = std::array::from_fn(
                    #[inline(always)]
                    |k| Vector::load(simd, &pixels[k][first..end]),
                );
                for row in 0..4 {
                    let [d0, d1, d2, d3] =
                        [d[4 * row], d[4 * row + 1], d[4 * row + 2], d[4 * row + 3]];
                    (d[4 * row], d[4 * row + 1]) = (d0 - d2, d1 + d2);
                    (d[4 * row + 2], d[4 * row + 3]) = (d2 - d1, d1 - d3);
                }
                for col in 0..4 {
                    let [d0, d1, d2, d3] = [d[col], d[4 + col], d[8 + col], d[12 + col]];
                    (d[col], d[4 + col]) = (d0 - d2, d1 + d2);
                    (d[8 + col], d[12 + col]) = (d2 - d1, d1 - d3);
                }
                for (k, d) in d.into_iter().enumerate() {
                    let start = k * step + at * channels;
                    d.store(&mut v[start + first..start + end]);
                }
            }
        }
    }
}

/// `m[k] (tiles, O) = v[k] (tiles, C) u[k] (C, O)` for all 16 elements.
fn multiply<T: Float>(v: &[T], packed: &[T], panels: &Panels, (c, o): (usize, usize), m: &mut [T]) {
    let tiles = m.len() / (PRODUCTS * o);
    let places: Vec<[usize; 2]> = (0..tiles).map(|tile| [tile * c, tile * o]).collect();
    let chunks = chunks(&[Run { offset: 0, len: c }], CHUNK);
    for k in 0..PRODUCTS {
        let v = &v[k * tiles * c..(k + 1) * tiles * c];
        let m = &mut m[k * tiles * o..(k + 1) * tiles * o];
        for panel in 0..panels.count {
            let (columns, width) = (panels.columns(panel), panels.width(panel));
            let mut start = k * panels.group_len() + panels.start(0, panel);
            for (at, runs) in chunks.iter().enumerate() {
                let rows: usize = runs.iter().map(|run| run.len).sum();
                arch::dispatch(Product {
                    v,
                    places: &places,
                    runs,
                    panel: &packed[start..start + rows * width],
                    wide: width > panels.lanes,
                    to: Add { m: &mut *m, columns: columns.clone(), adds: at > 0 },
                });
                start += rows * width;
            }
        }
    }
}

/// One chunk of one panel of one element's product.
struct Product<'a, T> {
    v: &'a [T],
    places: &'a [[usize; 2]],
    runs: &'a [Run],
    panel: &'a [T],
    wide: bool,
    to: Add<'a, T>,
}

impl<T: Float> WithSimd for Product<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Product { v, runs, panel, wide, mut to, .. } = self;
        for places in self.places.chunks(places_max::<S>()) {
            // SAFETY: each place is a row of `v`, and the runs lie in a row; the panel was cut to a
            // row for each element of the runs.
            unsafe { micro::run(simd, Call { x: v, places, runs, panel, wide }, &mut to) };
        }
    }
}

/// Writes a product's sums, or adds them to what is there.
struct Add<'a, T> {
    m: &'a mut [T],
    columns: Range<usize>,
    adds: bool,
}

impl<T: Float> Finish<T> for Add<'_, T> {
    #[inline(always)]
    fn finish<S: Simd>(&mut self, simd: S, position: usize, register: usize, sum: Vector<T, S>) {
        let first = self.columns.start + register * T::lanes::<S>();
        let end = self.columns.end.min(first + T::lanes::<S>());
        let m = &mut self.m[position + first..position + end];
        let sum = if self.adds { Vector::load(simd, m) + sum } else { sum };
        sum.store(m);
    }
}

/// The transform of the products `m (16, tiles, O)` to outputs.
struct After<'a, T> {
    block: &'a Block<'a>,
    m: &'a [T],
    bias: Option<&'a [T]>,
    y: &'a Disjoint<'a, T>,
}

impl<T: Float> WithSimd for After<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let After { block, m, bias, y } = self;
        let (channels, lanes) = (block.plan.out_channels, T::lanes::<S>());
        let [_, b, c] = &block.plan.axes;
        let step = block.range.len() * channels;
        for (at, tile) in block.range.clone().enumerate() {
            let (n, i, j) = block.tiles.at(tile);
            for first in (0..channels).step_by(lanes) {
                let end = channels.min(first + lanes);
                let m: [Vector<T, S>; PRODUCTS] = std::array::from_fn(
                    #[inline(always)]
                    |k| {
                        let start = k * step + at * channels;
                        Vector::load(simd, &m[start + first..start + end])
                    },
                );
                let rows: [[Vector<T, S>; 4]; 2] = [
                    std::array::from_fn(
                        #[inline(always)]
                        |col| m[col] + m[4 + col] + m[8 + col],
                    ),
                    std::array::from_fn(
                        #[inline(always)]
                        |col| m[4 + col] - m[8 + col] - m[12 + col],
                    ),
                ];
                let bias = match bias {
                    Some(bias) => Vector::load(simd, &bias[first..end]),
                    None => Vector::splat(simd, T::ZERO),
                };
                for (down, [m0, m1, m2, m3]) in rows.into_iter().enumerate() {
                    for (across, out) in [m0 + m1 + m2, m1 - m2 - m3].into_iter().enumerate() {
                        let (row, col) = (i + down, j + across);
                        if row < b.count && col < c.count {
                            let place = (n * b.output + row) * c.output + col;
                            let start = place * channels;
                            // SAFETY: every output belongs to one tile, and every tile to one task.
                            let y = unsafe { y.range(start + first..start + end) };
                            (out + bias).store(y);
                        }
                    }
                }
            }
        }
    }
}
