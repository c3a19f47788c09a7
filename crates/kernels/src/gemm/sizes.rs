//! How a tile is cut for an instruction set, and which operands are copied into panels.

use pulp::Simd;

use crate::Float;
use crate::arch::{self, Isa};

use super::block::Tile;
use super::micro::{self, NV};

/// The most columns of a tile.
pub(super) const COLS_MAX: usize = 1024;

/// Tiles start at multiples of this column.
pub(super) const COLS_UNIT: usize = 32;

/// The most rows of a tile with `k` places: A shares the L2 cache with a block's sums. The machines
/// that have AVX-512 have 1 MiB or more of it, others often 512 KiB.
pub(super) fn rows_max(k: usize) -> usize {
    match arch::current() {
        Isa::Avx512 => (ROWS_ELEMENTS / k.max(1)).clamp(256, 512),
        _ => 256,
    }
}

/// Elements of A's rows of a tile that may have more than 256 of them.
const ROWS_ELEMENTS: usize = 256 << 10;

/// The most columns of a block.
const BLOCK_COLS_MAX: usize = 128;

/// The longest chunk of K: a panel of B is then 28 KiB with AVX-512, where a whole K may be a little
/// longer, and 16 KiB with AVX2.
fn k_max() -> usize {
    match arch::current() {
        Isa::Avx512 => 224,
        _ => K_WHOLE_MAX,
    }
}

const K_WHOLE_MAX: usize = 256;

/// The most elements of a span's packed part of A, which shares the L2 cache with a block's sums.
const SPAN_ELEMENTS_MAX: usize = 320 << 10;

/// Steps of K this far apart in A, in elements, are packed; nearer ones are read in place. A panel
/// with few rows takes a small part of each line of memory.
fn a_step_far(rows: usize) -> usize {
    if rows < 8 { 300 } else { 600 }
}

/// Rows of A are packed for more columns than this; for fewer they are read in place.
const A_IN_PLACE_COLS_MAX: usize = 208;

/// Panels of A, read in place, that all panels of B see before the next: rows come from memory while
/// the ones before them are multiplied.
const A_BLOCK: usize = 4;

/// How many uses a panel of B must have for a copy of it to pay.
const B_USES_MIN: usize = 3;

/// Whether A is copied into panels for `n` columns: its rows can be read in place through a pointer
/// each if they are contiguous, and its columns if they are and lie near each other.
fn packs_a((row_stride, col_stride): (isize, isize), n: usize, rows: usize) -> bool {
    match (row_stride, col_stride) {
        (_, 1) => n > A_IN_PLACE_COLS_MAX,
        (1, step) => step.unsigned_abs() > a_step_far(rows),
        _ => true,
    }
}

/// Length and number of the chunks of K.
fn chunks_of(k: usize) -> (usize, usize) {
    let count = if k <= K_WHOLE_MAX { k.min(1) } else { k.div_ceil(k_max()) };
    (k.div_ceil(count.max(1)).next_multiple_of(8), count)
}

/// How a tile is cut for an instruction set, and which operands are copied into panels.
pub(super) struct Sizes {
    pub(super) m: usize,
    k: usize,
    /// Panels of A, and the width of their rows when they are packed.
    pub(super) a_panels: usize,
    pub(super) a_width: usize,
    pub(super) a_packs: bool,
    /// Panels that are multiplied with a block of B before the next ones.
    pub(super) a_block: usize,
    /// Rows in a panel; the first `a_longer` panels have one more.
    a_rows: usize,
    a_longer: usize,
    /// Columns of B in a panel, panels in all, and panels in a block.
    pub(super) b_width: usize,
    pub(super) b_panels: usize,
    pub(super) b_block: usize,
    /// Whether a panel of B that could be read in place is copied on its first use.
    pub(super) b_copies: bool,
    /// Places in a chunk of K, how many chunks there are, and how many a span has.
    chunk: usize,
    pub(super) chunks: usize,
    pub(super) span: usize,
}

impl Sizes {
    #[inline(always)]
    pub(super) fn new<T: Float, S: Simd>(tile: &Tile<'_, T>) -> Self {
        let b_width = NV * T::lanes::<S>();
        let b_panels = tile.n.div_ceil(b_width);
        let a_packs = packs_a(tile.a_strides, tile.n, micro::rows_max::<T, S>());
        let in_panels = a_packs || tile.a_strides.0 == 1;
        let a_rows =
            if in_panels { micro::rows_max::<T, S>() } else { micro::rows_in_place_max::<T, S>() };
        let a_panels = tile.m.div_ceil(a_rows);
        let (chunk, chunks) = chunks_of(tile.k);
        let a_streams = !a_packs && tile.a_strides.1 == 1 && chunks == 1;
        let sizes = Self {
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
            span: chunks,
        };
        let span = SPAN_ELEMENTS_MAX / sizes.a_chunk_len();
        Self { span: span.clamp(1, chunks), ..sizes }
    }

    /// The first row of a panel of A, and how many it has: panels are as equal as can be, because
    /// full ones followed by a short one would leave registers empty.
    #[inline(always)]
    pub(super) fn rows(&self, panel: usize) -> (usize, usize) {
        let first = panel * self.a_rows + panel.min(self.a_longer);
        (first, self.a_rows + usize::from(panel < self.a_longer))
    }

    /// The first place of a chunk, and how many it has.
    #[inline(always)]
    pub(super) fn places(&self, chunk: usize) -> (usize, usize) {
        let first = chunk * self.chunk;
        (first, self.chunk.min(self.k - first))
    }

    /// Elements of all panels of A in a chunk.
    pub(super) fn a_chunk_len(&self) -> usize {
        self.a_panels * self.a_width * self.chunk
    }

    /// Elements of all panels of A in a span.
    pub(super) fn a_len(&self) -> usize {
        if self.a_packs { self.span * self.a_chunk_len() } else { 0 }
    }

    /// Elements from one panel of B to the next, which come in the same place unless all of a block
    /// are used again.
    pub(super) fn b_step(&self) -> usize {
        if self.a_block < self.a_panels { self.b_width * self.chunk } else { 0 }
    }

    /// Elements of the panels of B that are kept.
    pub(super) fn b_len(&self) -> usize {
        self.b_width * self.chunk + (self.b_block - 1) * self.b_step()
    }

    /// Elements of the sums of one panel of B, and of a block; none if there is nothing to keep.
    pub(super) fn sums_panel_len(&self) -> usize {
        if self.span > 1 { self.m * self.b_width } else { 0 }
    }

    pub(super) fn sums_len(&self) -> usize {
        self.b_block * self.sums_panel_len()
    }
}
