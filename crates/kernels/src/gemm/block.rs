//! One tile of C: chunks of K, panels of A and B, micro-kernels, epilogue.
//!
//! ```text
//! for each span of some chunks of K:
//!     for each block of columns:                    its sums stay in the L2 cache
//!         for each chunk of the span:
//!             for each panel of B in the block:     stays in the L1 cache; packed unless in order
//!                 for each panel of A:              streams from the L2 cache
//!                     pack it for the first panel of B, unless it is read in place
//!                     micro-kernel: bias and sums; after the last chunk to C, with a ReLU
//! ```
//!
//! Measured on a Sapphire Rapids core (f32, 2 MiB of L2), each by itself: sums of a block kept in
//! one piece instead of in C, whose rows may fall on each other in the cache: 2048^3 from 139 to
//! 145 GFLOP/s; chunks of 224 instead of 256: 1024^3 from 144 to 149; panels of A packed one by one,
//! while the next ones come, instead of all at first, in fewer tiles: (256, 1024) times (1024, 1024)
//! transposed from 137 to 154.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::arch;
use crate::{Float, scratch};

use super::ahead::Ahead;
use super::epilogue::{Epilogue, relu};
use super::gemv;
use super::micro::{self, Call};
use super::pack::{Lines, pack};
use super::sizes::Sizes;

/// A tile of C and what it is made of. Strides are in elements, those of A and B as
/// (row, column).
#[derive(Clone, Copy)]
pub(super) struct Tile<'a, T> {
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) k: usize,
    /// Whether the whole product has a single row or column, and so this tile.
    pub(super) is_vector: bool,
    pub(super) a: *const T,
    pub(super) a_strides: (isize, isize),
    pub(super) b: *const T,
    pub(super) b_strides: (isize, isize),
    pub(super) c: *mut T,
    pub(super) c_row: usize,
    pub(super) alpha: T,
    pub(super) add: bool,
    pub(super) epilogue: Epilogue<'a, T>,
}

impl<T: Float> Tile<'_, T> {
    fn a_lines(&self) -> Lines<T> {
        Lines { start: self.a, step: self.a_strides.0, k_step: self.a_strides.1 }
    }

    fn b_lines(&self) -> Lines<T> {
        Lines { start: self.b, step: self.b_strides.1, k_step: self.b_strides.0 }
    }

    /// Computes the tile.
    ///
    /// # Safety
    /// A (m, k), B (k, n) and C (m, n) lie in memory that is borrowed for this call; nobody else
    /// uses C meanwhile. `m` and `n` are not 0.
    pub(super) unsafe fn run(mut self) {
        arch::dispatch(Run(&mut self));
    }
}

/// A tile whose promises were given to [`Tile::run`].
struct Run<'a, 'b, T>(&'a mut Tile<'b, T>);

impl<T: Float> WithSimd for Run<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let tile = self.0;
        let starts_from_bias = !tile.is_vector && !tile.add;
        // SAFETY: by the promises of `run`.
        unsafe {
            if tile.k == 0 || tile.epilogue.bias().is_some() && !starts_from_bias {
                tile.start();
            }
            if tile.k > 0 {
                if !tile.is_vector {
                    return multiply(simd, tile);
                }
                gemv::run(simd, tile);
            }
            tile.finish(simd, 0..tile.m, 0..tile.n);
            tile.activate(0..tile.n);
        }
    }
}

impl<T: Float> Tile<'_, T> {
    /// Puts into C what the product is then added to: the bias, on top of what is to be kept.
    ///
    /// # Safety
    /// As [`Tile::run`].
    #[inline(never)]
    unsafe fn start(&mut self) {
        for i in 0..self.m {
            // SAFETY: row i of C, which is ours.
            let row = unsafe { std::slice::from_raw_parts_mut(self.c.add(i * self.c_row), self.n) };
            if !self.add {
                row.fill(T::ZERO);
            }
            for (c, bias) in row.iter_mut().zip(self.epilogue.bias().unwrap_or_default()) {
                *c += *bias;
            }
        }
        self.add = true;
        self.epilogue = self.epilogue.without_bias();
    }

    /// Applies the activation that comes when columns of C are done, if there is one.
    ///
    /// # Safety
    /// As [`Tile::run`]; the columns lie in C.
    #[inline(never)]
    unsafe fn activate(&self, cols: Range<usize>) {
        let Some(activation) = self.epilogue.afterwards() else {
            return;
        };
        // Short rows without gaps are one long row.
        let (rows, len) =
            if cols.len() == self.c_row { (1, self.m * self.c_row) } else { (self.m, cols.len()) };
        for i in 0..rows {
            // SAFETY: a part of row i of C, or all of its rows, which are ours.
            activation(unsafe {
                let start = self.c.add(i * self.c_row + cols.start);
                std::slice::from_raw_parts_mut(start, len)
            });
        }
    }

    /// Applies a ReLU, if there is one, to a part of C.
    ///
    /// # Safety
    /// As [`Tile::run`]; the part lies in C.
    #[inline(always)]
    unsafe fn finish<S: Simd>(&self, simd: S, rows: Range<usize>, cols: Range<usize>) {
        if !self.epilogue.is_relu() {
            return;
        }
        for i in rows {
            // SAFETY: a part of row i of C, which is ours.
            let row = unsafe {
                let start = self.c.add(i * self.c_row + cols.start);
                std::slice::from_raw_parts_mut(start, cols.len())
            };
            relu(simd, row);
        }
    }
}

/// Computes a tile of at least one place of K.
///
/// # Safety
/// As [`Tile::run`].
#[inline(always)]
unsafe fn multiply<T: Float, S: Simd>(simd: S, tile: &Tile<'_, T>) {
    let sizes = Sizes::new::<T, S>(tile);
    scratch::inlined(
        sizes.a_len() + sizes.b_len() + sizes.sums_len(),
        #[inline(always)]
        |memory: &mut [T]| {
            let (a_packed, rest) = memory.split_at_mut(sizes.a_len());
            let (b_packed, sums) = rest.split_at_mut(sizes.b_len());
            for first in (0..sizes.chunks).step_by(sizes.span) {
                let span = first..sizes.chunks.min(first + sizes.span);
                // SAFETY: by the caller's promise; the scratch has the lengths that `sizes` asks
                // for.
                unsafe {
                    blocks(simd, tile, &sizes, span, (a_packed, b_packed, sums));
                }
            }
        },
    );
}

/// Sums a span of chunks of K into the tile, block by block.
///
/// # Safety
/// As [`Tile::run`]; the scratch (for packed A, panels of B, a block's sums) has the lengths that
/// `sizes` asks for.
#[inline(always)]
unsafe fn blocks<T: Float, S: Simd>(
    simd: S,
    tile: &Tile<'_, T>,
    sizes: &Sizes,
    span: Range<usize>,
    (a_packed, b_packed, sums): (&mut [T], &mut [T], &mut [T]),
) {
    let (span_start, _) = sizes.places(span.start);
    for first in (0..sizes.b_panels).step_by(sizes.b_block) {
        for index in span.clone() {
            let (start, k) = sizes.places(index);
            // SAFETY: places from `start` on exist in A and B.
            let (a, b) = unsafe { (tile.a_lines().at(start), tile.b_lines().at(start)) };
            let chunk = Chunk {
                k,
                since: start - span_start,
                a,
                b,
                adds: if index > span.start {
                    Adds::Sums
                } else if index > 0 || tile.add {
                    Adds::C
                } else {
                    Adds::Bias
                },
                to_c: index + 1 == span.end,
                last: index + 1 == sizes.chunks,
            };
            let a_packed = match sizes.a_packs {
                true => &mut a_packed[(index - span.start) * sizes.a_chunk_len()..],
                false => &mut [],
            };
            let panels = first..sizes.b_panels.min(first + sizes.b_block);
            for row in (0..sizes.a_panels).step_by(sizes.a_block) {
                let rows = row..sizes.a_panels.min(row + sizes.a_block);
                for (at, panel) in panels.clone().enumerate() {
                    let sums = sums[at * sizes.sums_panel_len()..].as_mut_ptr();
                    let b_packed = &mut b_packed[at * sizes.b_step()..];
                    let columns = (panel, rows.clone());
                    // SAFETY: as above.
                    unsafe {
                        column(simd, tile, sizes, &chunk, columns, (a_packed, b_packed, sums));
                    }
                }
            }
            if chunk.last {
                let end = (first + sizes.b_block) * sizes.b_width;
                // SAFETY: as above; the block's columns lie in C.
                unsafe { tile.activate(first * sizes.b_width..tile.n.min(end)) };
            }
        }
    }
}

/// One chunk of K.
struct Chunk<T> {
    k: usize,
    /// Places since the span began.
    since: usize,
    a: Lines<T>,
    b: Lines<T>,
    adds: Adds,
    /// Whether the result goes to C, and not to the block's sums.
    to_c: bool,
    /// Whether the epilogue follows.
    last: bool,
}

/// What a chunk's product is added to.
#[derive(Clone, Copy)]
enum Adds {
    /// The bias, if there is one.
    Bias,
    C,
    Sums,
}

/// Multiplies some panels of A with one panel of B.
///
/// The panel of B is used by one panel of A after the other while it stays in the nearest cache.
/// If it cannot be read in place, it is packed first. If it can, the first micro-kernel copies it
/// on the way, for the others: its rows may lie so far apart that they fall on each other in the
/// cache. Panels of A are packed just before the first panel of B needs them, while the next one
/// comes from memory.
///
/// # Safety
/// As [`blocks`], with the panels of this chunk; the first panel of B came before the others.
#[inline(always)]
unsafe fn column<T: Float, S: Simd>(
    simd: S,
    tile: &Tile<'_, T>,
    sizes: &Sizes,
    chunk: &Chunk<T>,
    (panel, a_panels): (usize, Range<usize>),
    (a_packed, b_packed, sums): (&mut [T], &mut [T], *mut T),
) {
    let (k, col, lanes) = (chunk.k, panel * sizes.b_width, T::lanes::<S>());
    let cols = sizes.b_width.min(tile.n - col);
    let width = if cols > lanes { sizes.b_width } else { lanes };
    let to = b_packed[..k * sizes.b_width].as_mut_ptr();
    // SAFETY: the panel starts within B.
    let lines = unsafe { chunk.b.from(col) };
    // Reading whole registers in place must not pass the end of B.
    let in_place = lines.step == 1 && (cols == width || tile.n - col >= width);
    if !in_place && a_panels.start == 0 {
        // SAFETY: the panel's columns exist, and there is room for it.
        unsafe { pack(simd, lines, (cols, tile.n - col), k, to, width) };
    }
    let copies = in_place && sizes.b_copies;
    let in_panel = (to.cast_const(), width as isize);
    let bias = tile.epilogue.bias().map_or(std::ptr::null(), |bias| bias[col..].as_ptr());
    for a_panel in a_panels.clone() {
        let (row, rows) = sizes.rows(a_panel);
        // SAFETY: the panel's rows exist.
        let mut a = unsafe { chunk.a.from(row) };
        if sizes.a_packs {
            let packed = a_packed[a_panel * k * sizes.a_width..][..k * sizes.a_width].as_mut_ptr();
            if panel == 0 {
                // SAFETY: there is room for the panel, and for nothing else there.
                unsafe { pack(simd, a, (rows, tile.m - row), k, packed, sizes.a_width) };
            }
            a = Lines { start: packed, step: 1, k_step: sizes.a_width as isize };
        }
        let first = a_panel == 0;
        let (b, b_k) =
            if in_place && (first || !copies) { (lines.start, lines.k_step) } else { in_panel };
        let apart = (sums.wrapping_add(row * sizes.b_width), sizes.b_width);
        let c = (tile.c.wrapping_add(row * tile.c_row + col), tile.c_row);
        let call = Call {
            k,
            a: a.start,
            a_row: a.step,
            a_k: a.k_step,
            b,
            b_k,
            b_to: if copies && first { to } else { std::ptr::null_mut() },
            ahead: ahead(sizes, chunk, panel, &a_panels, a_panel)
                .unwrap_or(Ahead::nothing(a.start)),
            from: match chunk.adds {
                Adds::Bias => (bias, 0),
                Adds::C => (c.0.cast_const(), c.1),
                Adds::Sums => (apart.0.cast_const(), apart.1),
            },
            to: if chunk.to_c { c } else { apart },
            cols,
            alpha: tile.alpha,
        };
        // SAFETY: the panels hold what the call reads, and the rows and columns are C's.
        unsafe {
            micro::run(simd, rows, &call);
            if chunk.last {
                tile.finish(simd, row..row + rows, col..col + cols);
            }
        }
    }
}

/// What the call for a panel of A and one of B asks for: what is read next, and not in the cache.
#[inline(always)]
fn ahead<T: Float>(
    sizes: &Sizes,
    chunk: &Chunk<T>,
    panel: usize,
    a_panels: &Range<usize>,
    a_panel: usize,
) -> Option<Ahead<T>> {
    let (k, call, calls) = (chunk.k, a_panel - a_panels.start, a_panels.len());
    let rows = |panels: Range<usize>, part| {
        let (first, end) = (sizes.rows(panels.start).0, sizes.rows(panels.end).0);
        Ahead::part(chunk.a.near(first as isize), end - first, k, part)
    };
    let streams = sizes.a_block < sizes.a_panels;
    if streams && (a_panels.end < sizes.a_panels || call + 1 == calls) {
        // Rows that are read in place, here or in the next product of a batch.
        let part = if a_panels.end < sizes.a_panels { panel * calls + call } else { panel };
        return rows(a_panels.end..a_panels.end + calls, part);
    }
    if sizes.a_packs && panel == 0 && a_panel + 1 < sizes.a_panels {
        return rows(a_panel + 1..a_panel + 2, 0);
    }
    let mut part = call;
    if !sizes.a_packs && chunk.a.step == 1 && panel.is_multiple_of(sizes.b_block) && !chunk.last {
        // Columns that are read in place: the same ones of the next chunk.
        let next =
            Lines { start: chunk.a.start.wrapping_offset(k as isize * chunk.a.k_step), ..chunk.a };
        let parts = Ahead::<T>::parts(sizes.m);
        if call < parts {
            return Ahead::part(next, sizes.m, k, call);
        }
        part -= parts;
    }
    let (place, next) = next_panel(sizes, chunk, panel);
    let b = Lines { start: chunk.b.start.wrapping_offset(place * chunk.b.k_step), ..chunk.b };
    Ahead::part(b.near((next * sizes.b_width) as isize), sizes.b_width, k, part)
}

/// The panel of B that comes after this one, and its first place, from the present chunk's on: its
/// neighbour in the block, the block's first in the next chunk, or the next block's first. It may
/// lie outside of B.
#[inline(always)]
fn next_panel<T>(sizes: &Sizes, chunk: &Chunk<T>, panel: usize) -> (isize, usize) {
    let first = panel - panel % sizes.b_block;
    if panel + 1 < sizes.b_panels.min(first + sizes.b_block) {
        (0, panel + 1)
    } else if chunk.to_c && panel + 1 < sizes.b_panels {
        (-(chunk.since as isize), panel + 1)
    } else {
        (chunk.k as isize, first)
    }
}
