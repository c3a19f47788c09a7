//! One tile of C: chunks of K, panels of A and B, micro-kernels, epilogue.

use pulp::{Simd, WithSimd};

use crate::{Float, arch, scratch};

use super::epilogue::Epilogue;
use super::gemv;
use super::micro::{self, Call, NV};
use super::pack::{Lines, pack};

/// The largest tile: it shares a 2 MiB L2 with its chunk of A (512 x 256).
pub(super) const ROWS_MAX: usize = 512;
pub(super) const COLS_MAX: usize = 256;

/// Tiles start at multiples of this column.
pub(super) const COLS_UNIT: usize = 32;

/// The longest chunk of K: a panel of B is then 32 KiB with AVX-512, 16 KiB with AVX2.
const K_MAX: usize = 256;

/// Steps of K this far apart in A, in elements, are packed; nearer ones are read in place.
const A_STEP_FAR: usize = 600;

/// How many uses a panel of B must have for a copy of it to pay.
const B_USES_MIN: usize = 3;

/// Whether A is copied into panels: its rows can be read in place through a pointer each if they
/// are contiguous, and its columns if they are and lie near each other.
pub(super) fn packs_a((row_stride, col_stride): (isize, isize)) -> bool {
    match (row_stride, col_stride) {
        (_, 1) => false,
        (1, step) => step.unsigned_abs() > A_STEP_FAR,
        _ => true,
    }
}

/// A tile of C and what it is made of. Strides are in elements, those of A and B as
/// (row, column).
#[derive(Clone, Copy)]
pub(super) struct Tile<'a, T> {
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) k: usize,
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
        let tile = self.0;
        if tile.m == 1 || tile.n == 1 {
            // SAFETY: by the promises of `run`.
            unsafe { gemv::run(simd, &tile) };
        } else {
            // SAFETY: as above.
            unsafe { multiply(simd, &tile) };
        }
        for i in 0..tile.m {
            // SAFETY: row i of C, which is ours.
            let row = unsafe { std::slice::from_raw_parts_mut(tile.c.add(i * tile.c_row), tile.n) };
            tile.epilogue.apply(simd, row);
        }
    }
}

/// Computes a tile of at least two rows and columns.
///
/// # Safety
/// As [`Tile::run`].
#[inline(always)]
unsafe fn multiply<T: Float, S: Simd>(simd: S, tile: &Tile<'_, T>) {
    let sizes = Sizes::new::<T, S>(tile);
    scratch::with(sizes.a_len() + sizes.b_len(), |memory: &mut [T]| {
        let (a_packed, b_packed) = memory.split_at_mut(sizes.a_len());
        // SAFETY: by the caller's promise; the scratch has the lengths that `sizes` asks for.
        unsafe { chunks(simd, tile, &sizes, a_packed, b_packed) }
    });
}

/// How a tile is cut for an instruction set, and which operands are copied into panels.
struct Sizes {
    /// Panels of A, and the width of their rows when they are packed.
    a_panels: usize,
    a_width: usize,
    a_packs: bool,
    /// Rows in a panel; the first `a_longer` panels have one more.
    a_rows: usize,
    a_longer: usize,
    /// Columns of B in a panel.
    b_width: usize,
    b_panels: usize,
    /// Whether a panel of B that could be read in place is copied on its first use.
    b_copies: bool,
    chunk: usize,
}

impl Sizes {
    #[inline(always)]
    fn new<T: Float, S: Simd>(tile: &Tile<'_, T>) -> Self {
        let b_width = NV * T::lanes::<S>();
        let b_panels = tile.n.div_ceil(b_width);
        let a_packs = packs_a(tile.a_strides);
        let in_panels = a_packs || tile.a_strides.0 == 1;
        let a_rows =
            if in_panels { micro::rows_max::<S>() } else { micro::rows_in_place_max::<S>() };
        let a_panels = tile.m.div_ceil(a_rows);
        let chunks = tile.k.div_ceil(K_MAX).max(1);
        Self {
            a_width: a_rows.next_multiple_of(8),
            a_panels,
            a_rows: tile.m / a_panels,
            a_longer: tile.m % a_panels,
            a_packs,
            b_width,
            b_panels,
            b_copies: a_panels >= B_USES_MIN,
            chunk: tile.k.div_ceil(chunks).next_multiple_of(8),
        }
    }

    /// The first row of a panel of A, and how many it has: panels are as equal as can be, because
    /// full ones followed by a short one would leave registers empty.
    #[inline(always)]
    fn rows(&self, panel: usize) -> (usize, usize) {
        let first = panel * self.a_rows + panel.min(self.a_longer);
        (first, self.a_rows + usize::from(panel < self.a_longer))
    }

    /// Elements of all panels of A in a chunk.
    fn a_len(&self) -> usize {
        if self.a_packs { self.a_panels * self.a_width * self.chunk } else { 0 }
    }

    /// Elements of one panel of B.
    fn b_len(&self) -> usize {
        self.b_width * self.chunk
    }
}

/// Sums all chunks of K into the tile.
///
/// # Safety
/// As [`Tile::run`]; `a_packed` and `b_packed` have at least `a_len` and `b_len` elements.
#[inline(always)]
unsafe fn chunks<T: Float, S: Simd>(
    simd: S,
    tile: &Tile<'_, T>,
    sizes: &Sizes,
    a_packed: &mut [T],
    b_packed: &mut [T],
) {
    let a_lines = Lines { start: tile.a, step: tile.a_strides.0, k_step: tile.a_strides.1 };
    let b_lines = Lines { start: tile.b, step: tile.b_strides.1, k_step: tile.b_strides.0 };
    let mut add = tile.add;
    if tile.k == 0 && !add {
        for i in 0..tile.m {
            // SAFETY: row i of C, which is ours.
            unsafe { tile.c.add(i * tile.c_row).write_bytes(0, tile.n) };
        }
    }
    for start in (0..tile.k).step_by(sizes.chunk.max(1)) {
        let k = sizes.chunk.min(tile.k - start);
        // SAFETY: places from `start` on exist in A and B, and the panels fit by `sizes`.
        unsafe {
            let a = pack_a(simd, a_lines.at(start), tile.m, k, sizes, a_packed);
            let chunk = Chunk { k, a, b: b_lines.at(start), add };
            for panel in 0..sizes.b_panels {
                column(simd, tile, sizes, &chunk, panel, b_packed);
            }
        }
        add = true;
    }
}

/// One chunk of K.
struct Chunk<T> {
    k: usize,
    a: Panels<T>,
    b: Lines<T>,
    add: bool,
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

/// # Safety
/// As [`chunks`], for `k` places of A.
#[inline(always)]
unsafe fn pack_a<T: Float, S: Simd>(
    simd: S,
    lines: Lines<T>,
    m: usize,
    k: usize,
    sizes: &Sizes,
    packed: &mut [T],
) -> Panels<T> {
    if !sizes.a_packs {
        let Lines { start, step, k_step } = lines;
        return Panels { start, step, row: step, k_step };
    }
    let (size, width) = (k * sizes.a_width, sizes.a_width);
    for panel in 0..sizes.a_panels {
        let (first, rows) = sizes.rows(panel);
        // SAFETY: the panel's rows exist, and its place in `packed` too.
        unsafe {
            let to = packed[panel * size..].as_mut_ptr();
            pack(simd, lines.from(first), (rows, m - first), k, to, width);
        }
    }
    Panels { start: packed.as_ptr(), step: size as isize, row: 1, k_step: width as isize }
}

/// Multiplies all panels of A with one panel of B.
///
/// The panel of B is used by one panel of A after the other while it stays in the nearest cache.
/// If it cannot be read in place, it is packed first. If it can, the first micro-kernel copies it
/// on the way, for the others: its rows may lie so far apart that they fall on each other in the
/// cache.
///
/// # Safety
/// As [`chunks`], with the panels of this chunk.
#[inline(always)]
unsafe fn column<T: Float, S: Simd>(
    simd: S,
    tile: &Tile<'_, T>,
    sizes: &Sizes,
    chunk: &Chunk<T>,
    panel: usize,
    packed: &mut [T],
) {
    let (k, col, lanes) = (chunk.k, panel * sizes.b_width, T::lanes::<S>());
    let cols = sizes.b_width.min(tile.n - col);
    let width = if cols > lanes { sizes.b_width } else { lanes };
    let to = packed[..k * sizes.b_width].as_mut_ptr();
    // SAFETY: the panel starts within B.
    let lines = unsafe { chunk.b.from(col) };
    // Reading whole registers in place must not pass the end of B.
    let in_place = lines.step == 1 && (cols == width || tile.n - col >= width);
    if !in_place {
        // SAFETY: the panel's columns exist, and there is room for it.
        unsafe { pack(simd, lines, (cols, tile.n - col), k, to, width) };
    }
    let copies = in_place && sizes.b_copies;
    let in_panel = (to.cast_const(), width as isize);
    for a_panel in 0..sizes.a_panels {
        let (row, rows) = sizes.rows(a_panel);
        let at = if sizes.a_packs { a_panel } else { row } as isize;
        let first = a_panel == 0;
        let (b, b_k) =
            if in_place && (first || !copies) { (lines.start, lines.k_step) } else { in_panel };
        let call = Call {
            k,
            a: chunk.a.start.wrapping_offset(at * chunk.a.step),
            a_row: chunk.a.row,
            a_k: chunk.a.k_step,
            b,
            b_k,
            b_to: if copies && first { to } else { std::ptr::null_mut() },
            c: tile.c.wrapping_add(row * tile.c_row + col),
            c_row: tile.c_row,
            cols,
            alpha: tile.alpha,
            add: chunk.add,
        };
        // SAFETY: the panels hold what the call reads, and the rows and columns are C's.
        unsafe { micro::run(simd, rows, call) };
    }
}
