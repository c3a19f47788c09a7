//! One tile of C: chunks of K, panels of A and B, micro-kernels, epilogue.
//!
//! ```text
//! for each span of some chunks of K:
//!     pack A's part of the span, unless A is read in place
//!     for each block of columns:                    its sums stay in the L2 cache
//!         for each chunk of the span:
//!             for each panel of B in the block:     stays in the L1 cache
//!                 for each panel of A:              streams from the L2 cache
//!                     micro-kernel: bias and sums; after the last chunk to C, with a ReLU
//! ```
//!
//! Measured on a Sapphire Rapids core (f32, 2 MiB of L2), each by itself: sums of a block kept in
//! one piece instead of in C, whose rows may fall on each other in the cache: 2048^3 from 139 to
//! 145 GFLOP/s; asking for A's panel ahead: 512^3 from 155 to 158; chunks of 224 instead of 256:
//! 1024^3 from 144 to 149.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::arch::{self, Isa};
use crate::prefetch::to_read_later;
use crate::{Float, scratch};

use super::epilogue::{Epilogue, relu};
use super::gemv;
use super::micro::{self, Call, NV};
use super::pack::{Lines, pack, pack_wide};

/// The most rows of a tile: a chunk of A shares the L2 cache with a block's sums. The machines that
/// have AVX-512 have 1 MiB or more of it, others often 512 KiB.
pub(super) fn rows_max() -> usize {
    if arch::current() == Isa::Avx512 { 512 } else { 256 }
}

/// The most columns of a tile, and of a block.
pub(super) const COLS_MAX: usize = 1024;
const BLOCK_COLS_MAX: usize = 256;

/// Tiles start at multiples of this column.
pub(super) const COLS_UNIT: usize = 32;

/// The longest chunk of K: a panel of B is then 28 KiB with AVX-512, 14 KiB with AVX2. A whole K
/// may be a little longer.
const K_MAX: usize = 224;
const K_WHOLE_MAX: usize = 256;

/// The most chunks in a span, whose part of A is packed at once.
const SPAN_MAX: usize = 12;

/// Steps of K this far apart in A, in elements, are packed; nearer ones are read in place.
const A_STEP_FAR: usize = 600;

/// Rows of A are packed for more columns than this; for fewer they are read in place.
const A_IN_PLACE_COLS_MAX: usize = 208;

/// Panels of A, read in place, that all panels of B see before the next: rows come from memory while
/// the ones before them are multiplied.
const A_BLOCK: usize = 4;

/// How many uses a panel of B must have for a copy of it to pay.
const B_USES_MIN: usize = 3;

/// Whether A is copied into panels for `n` columns: its rows can be read in place through a pointer
/// each if they are contiguous, and its columns if they are and lie near each other.
fn packs_a((row_stride, col_stride): (isize, isize), n: usize) -> bool {
    match (row_stride, col_stride) {
        (_, 1) => n > A_IN_PLACE_COLS_MAX,
        (1, step) => step.unsigned_abs() > A_STEP_FAR,
        _ => true,
    }
}

/// Length and number of the chunks of K.
fn chunks_of(k: usize) -> (usize, usize) {
    let count = if k <= K_WHOLE_MAX { k.min(1) } else { k.div_ceil(K_MAX) };
    (k.div_ceil(count.max(1)).next_multiple_of(8), count)
}

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
    pub(super) unsafe fn run(self) {
        arch::dispatch(Run(self));
    }
}

/// A tile whose promises were given to [`Tile::run`].
struct Run<'a, T>(Tile<'a, T>);

impl<T: Float> WithSimd for Run<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut tile = self.0;
        let starts_from_bias = !tile.is_vector && !tile.add;
        // SAFETY: by the promises of `run`.
        unsafe {
            if tile.k == 0 || tile.epilogue.bias().is_some() && !starts_from_bias {
                tile.start();
            }
            if tile.k > 0 {
                if !tile.is_vector {
                    return multiply(simd, &tile);
                }
                gemv::run(simd, &tile);
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
                    pack_a(simd, tile, &sizes, span.clone(), a_packed);
                    blocks(simd, tile, &sizes, span, (a_packed, b_packed, sums));
                }
            }
        },
    );
}

/// How a tile is cut for an instruction set, and which operands are copied into panels.
struct Sizes {
    m: usize,
    k: usize,
    /// Panels of A, and the width of their rows when they are packed.
    a_panels: usize,
    a_width: usize,
    a_packs: bool,
    /// Panels that are multiplied with a block of B before the next ones.
    a_block: usize,
    /// Rows in a panel; the first `a_longer` panels have one more.
    a_rows: usize,
    a_longer: usize,
    /// Columns of B in a panel, panels in all, and panels in a block.
    b_width: usize,
    b_panels: usize,
    b_block: usize,
    /// Whether a panel of B that could be read in place is copied on its first use.
    b_copies: bool,
    /// Places in a chunk of K, how many chunks there are, and how many a span has.
    chunk: usize,
    chunks: usize,
    span: usize,
}

impl Sizes {
    #[inline(always)]
    fn new<T: Float, S: Simd>(tile: &Tile<'_, T>) -> Self {
        let b_width = NV * T::lanes::<S>();
        let b_panels = tile.n.div_ceil(b_width);
        let a_packs = packs_a(tile.a_strides, tile.n);
        let in_panels = a_packs || tile.a_strides.0 == 1;
        let a_rows =
            if in_panels { micro::rows_max::<T, S>() } else { micro::rows_in_place_max::<T, S>() };
        let a_panels = tile.m.div_ceil(a_rows);
        let (chunk, chunks) = chunks_of(tile.k);
        let a_streams = !a_packs && tile.a_strides.1 == 1 && chunks == 1;
        Self {
            m: tile.m,
            k: tile.k,
            a_width: a_rows.next_multiple_of(8),
            a_panels,
            a_block: if a_streams { A_BLOCK.min(a_panels) } else { a_panels },
            a_rows: tile.m / a_panels,
            a_longer: tile.m % a_panels,
            a_packs,
            b_width,
            b_panels,
            b_block: b_panels.min(BLOCK_COLS_MAX / b_width),
            b_copies: a_panels >= B_USES_MIN,
            chunk,
            chunks,
            span: chunks.min(SPAN_MAX),
        }
    }

    /// The first row of a panel of A, and how many it has: panels are as equal as can be, because
    /// full ones followed by a short one would leave registers empty.
    #[inline(always)]
    fn rows(&self, panel: usize) -> (usize, usize) {
        let first = panel * self.a_rows + panel.min(self.a_longer);
        (first, self.a_rows + usize::from(panel < self.a_longer))
    }

    /// The first place of a chunk, and how many it has.
    #[inline(always)]
    fn places(&self, chunk: usize) -> (usize, usize) {
        let first = chunk * self.chunk;
        (first, self.chunk.min(self.k - first))
    }

    /// Elements of all panels of A in a chunk.
    fn a_chunk_len(&self) -> usize {
        self.a_panels * self.a_width * self.chunk
    }

    /// Elements of all panels of A in a span.
    fn a_len(&self) -> usize {
        if self.a_packs { self.span * self.a_chunk_len() } else { 0 }
    }

    /// Elements from one panel of B to the next, which come in the same place unless all of a block
    /// are used again.
    fn b_step(&self) -> usize {
        if self.a_block < self.a_panels { self.b_width * self.chunk } else { 0 }
    }

    /// Elements of the panels of B that are kept.
    fn b_len(&self) -> usize {
        self.b_width * self.chunk + (self.b_block - 1) * self.b_step()
    }

    /// Elements of the sums of one panel of B, and of a block; none if there is nothing to keep.
    fn sums_panel_len(&self) -> usize {
        if self.span > 1 { self.m * self.b_width } else { 0 }
    }

    fn sums_len(&self) -> usize {
        self.b_block * self.sums_panel_len()
    }
}

/// Packs A's part of a span, if it is to be packed: chunk after chunk.
///
/// # Safety
/// As [`Tile::run`]; the scratch has the length that `sizes` asks for.
#[inline(always)]
unsafe fn pack_a<T: Float, S: Simd>(
    simd: S,
    tile: &Tile<'_, T>,
    sizes: &Sizes,
    span: Range<usize>,
    packed: &mut [T],
) {
    if !sizes.a_packs {
        return;
    }
    let (lines, width, lanes) = (tile.a_lines(), sizes.a_width, T::lanes::<S>());
    for (chunk, packed) in span.zip(packed.chunks_mut(sizes.a_chunk_len())) {
        let (start, k) = sizes.places(chunk);
        // SAFETY: these places of A exist.
        let lines = unsafe { lines.at(start) };
        // Of contiguous columns, all panels are packed at a time, so that memory is read in order;
        // the last panels, where whole registers might pass the end of A, one by one.
        let wide = if lines.step == 1 && lanes >= 8 {
            (0..sizes.a_panels).take_while(|&i| sizes.m - sizes.rows(i).0 >= width).count()
        } else {
            0
        };
        let first = |panel: usize| sizes.rows(panel).0;
        // SAFETY: the panels' rows exist, and `width` rows from the first row of each wide one; the
        // panels have their places in `packed`.
        unsafe {
            pack_wide::<T, S>(lines, (wide, first), k, packed.as_mut_ptr(), width);
            for panel in wide..sizes.a_panels {
                let (first, rows) = sizes.rows(panel);
                let to = packed[panel * k * width..].as_mut_ptr();
                pack(simd, lines.from(first), (rows, sizes.m - first), k, to, width);
            }
        }
    }
}

/// Sums a span of chunks of K into the tile, block by block.
///
/// # Safety
/// As [`Tile::run`]; the scratch (packed A, a panel of B, a block's sums) has the lengths that
/// `sizes` asks for, and holds the packed A if A is packed.
#[inline(always)]
unsafe fn blocks<T: Float, S: Simd>(
    simd: S,
    tile: &Tile<'_, T>,
    sizes: &Sizes,
    span: Range<usize>,
    (a_packed, b_packed, sums): (&mut [T], &mut [T], &mut [T]),
) {
    for first in (0..sizes.b_panels).step_by(sizes.b_block) {
        for index in span.clone() {
            let (start, k) = sizes.places(index);
            // SAFETY: places from `start` on exist in A and B.
            let (a, b) = unsafe { (tile.a_lines().at(start), tile.b_lines().at(start)) };
            let a = if sizes.a_packs {
                let (width, packed) = (sizes.a_width, (index - span.start) * sizes.a_chunk_len());
                let start = a_packed[packed..].as_ptr();
                Panels { start, step: (k * width) as isize, row: 1, k_step: width as isize }
            } else {
                Panels { start: a.start, step: a.step, row: a.step, k_step: a.k_step }
            };
            let chunk = Chunk {
                k,
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
            let panels = first..sizes.b_panels.min(first + sizes.b_block);
            for row in (0..sizes.a_panels).step_by(sizes.a_block) {
                let rows = row..sizes.a_panels.min(row + sizes.a_block);
                let (next, step) = ahead(tile, sizes, &chunk, rows.end, panels.len());
                for (at, panel) in panels.clone().enumerate() {
                    let sums = sums[at * sizes.sums_panel_len()..].as_mut_ptr();
                    let packed = &mut b_packed[at * sizes.b_step()..];
                    let ahead = (next.wrapping_add(at * rows.len() * k * step), step);
                    // SAFETY: as above.
                    unsafe {
                        let (columns, sums) = ((panel, rows.clone()), (packed, sums));
                        column(simd, tile, sizes, &chunk, columns, sums, ahead)
                    };
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

/// What will be read after some panels of A and a block of B, if it lies together: the next rows of
/// an A that is read in place, or the next chunk of B. And how many elements of it there are for each
/// step of the micro-kernels until then.
#[inline(always)]
fn ahead<T: Float>(
    tile: &Tile<'_, T>,
    sizes: &Sizes,
    chunk: &Chunk<T>,
    a_panel: usize,
    b_panels: usize,
) -> (*const T, usize) {
    let (a, b) = (&chunk.a, &chunk.b);
    if sizes.a_block < sizes.a_panels {
        let row = a.row.unsigned_abs();
        if a.row > 0 && row < 2 * chunk.k {
            let next = a.start.wrapping_offset(sizes.rows(a_panel).0 as isize * a.row);
            return (next, (sizes.a_rows * row).div_ceil(b_panels * chunk.k));
        }
    } else if !chunk.last && b_panels == sizes.b_panels && b.step == 1 {
        let row = b.k_step.unsigned_abs();
        if b.k_step > 0 && row < 2 * tile.n {
            let next = b.start.wrapping_offset(chunk.k as isize * b.k_step);
            return (next, row.div_ceil(sizes.a_panels * b_panels));
        }
    }
    (a.start, 0)
}

/// The start of the panel of B that is packed after this one: its neighbour in the block, or the
/// block's first in the next chunk. It may lie outside of B.
#[inline(always)]
fn next_panel<T: Float>(sizes: &Sizes, chunk: &Chunk<T>, panel: usize) -> *const T {
    let first = panel - panel % sizes.b_block;
    let (place, panel) = match panel + 1 - first < sizes.b_block && panel + 1 < sizes.b_panels {
        true => (0, panel + 1),
        false => (chunk.k, first),
    };
    let start = chunk.b.start.wrapping_offset(place as isize * chunk.b.k_step);
    start.wrapping_offset((panel * sizes.b_width) as isize * chunk.b.step)
}

/// Asks for `k` contiguous elements to be brought into the L2 cache.
#[inline(always)]
fn ask_later<T>(start: *const T, k: usize) {
    for p in (0..k).step_by(64 / size_of::<T>()) {
        to_read_later(start.wrapping_add(p));
    }
}

/// One chunk of K.
struct Chunk<T> {
    k: usize,
    a: Panels<T>,
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

/// Where the panels of A are. Steps are in elements.
struct Panels<T> {
    start: *const T,
    /// From one panel to the next if they are packed, else from one row to the next.
    step: isize,
    /// From one row of a panel to the next.
    row: isize,
    /// From one step of K to the next.
    k_step: isize,
}

/// Multiplies some panels of A with one panel of B.
///
/// The panel of B is used by one panel of A after the other while it stays in the nearest cache.
/// If it cannot be read in place, it is packed first. If it can, the first micro-kernel copies it
/// on the way, for the others: its rows may lie so far apart that they fall on each other in the
/// cache.
///
/// # Safety
/// As [`blocks`], with the panels of this chunk.
#[inline(always)]
unsafe fn column<T: Float, S: Simd>(
    simd: S,
    tile: &Tile<'_, T>,
    sizes: &Sizes,
    chunk: &Chunk<T>,
    (panel, a_panels): (usize, Range<usize>),
    (packed, sums): (&mut [T], *mut T),
    (ahead, ahead_step): (*const T, usize),
) {
    let (k, col, lanes) = (chunk.k, panel * sizes.b_width, T::lanes::<S>());
    let cols = sizes.b_width.min(tile.n - col);
    let width = if cols > lanes { sizes.b_width } else { lanes };
    let to = packed[..k * sizes.b_width].as_mut_ptr();
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
    let first_panel = a_panels.start;
    // Lines that will be packed next come while the present ones are multiplied.
    let (next, calls) = (next_panel(sizes, chunk, panel), a_panels.len());
    let asks = chunk.b.k_step == 1 && first_panel == 0;
    for a_panel in a_panels {
        if asks {
            let share = |call: usize| call * sizes.b_width / calls;
            for line in share(a_panel)..share(a_panel + 1) {
                ask_later(next.wrapping_offset(line as isize * chunk.b.step), k);
            }
        }
        let (row, rows) = sizes.rows(a_panel);
        let at = if sizes.a_packs { a_panel } else { row } as isize;
        let first = a_panel == 0;
        let (b, b_k) =
            if in_place && (first || !copies) { (lines.start, lines.k_step) } else { in_panel };
        let apart = (sums.wrapping_add(row * sizes.b_width), sizes.b_width);
        let c = (tile.c.wrapping_add(row * tile.c_row + col), tile.c_row);
        let call = Call {
            k,
            a: chunk.a.start.wrapping_offset(at * chunk.a.step),
            a_row: chunk.a.row,
            a_k: chunk.a.k_step,
            b,
            b_k,
            b_to: if copies && first { to } else { std::ptr::null_mut() },
            ahead: (ahead.wrapping_add((a_panel - first_panel) * k * ahead_step), ahead_step),
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
            micro::run(simd, rows, call);
            if chunk.last {
                tile.finish(simd, row..row + rows, col..col + cols);
            }
        }
    }
}
