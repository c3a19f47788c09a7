//! One tile of C: chunks of K, panels of A and B, micro-kernels, epilogue.

use pulp::{Simd, WithSimd};

use crate::{Float, arch, scratch};

use super::epilogue::Epilogue;
use super::micro::{self, Call, NV};
use super::pack::{Lines, pack};

/// The largest tiles: the packed chunk of B (256 x 512) and of A (256 x 256) share a 2 MiB L2 with
/// the tile.
pub(super) const ROWS_MAX: usize = 256;
pub(super) const COLS_MAX: usize = 512;

/// Tiles start at multiples of this column.
pub(super) const COLS_UNIT: usize = 32;

/// The longest chunk of K.
const K_MAX: usize = 256;

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
        let sizes = Sizes::new::<T, S>(&tile);
        scratch::with(sizes.a_len() + sizes.b_len(), |memory: &mut [T]| {
            let (a_packed, b_packed) = memory.split_at_mut(sizes.a_len());
            // SAFETY: by the promises of `run`; the scratch has the lengths that `sizes` asks for.
            unsafe { chunks(simd, &tile, &sizes, a_packed, b_packed) }
        });
        for i in 0..tile.m {
            // SAFETY: row i of C, which is ours.
            let row = unsafe { std::slice::from_raw_parts_mut(tile.c.add(i * tile.c_row), tile.n) };
            tile.epilogue.apply(simd, row);
        }
    }
}

/// How a tile is cut for an instruction set, and which operands are copied into panels.
struct Sizes {
    /// Panels of A, and the width of their rows when they are packed.
    a_panels: usize,
    a_width: usize,
    a_packs: bool,
    /// Columns of B in a panel.
    b_width: usize,
    b_panels: usize,
    b_packs: bool,
    chunk: usize,
}

impl Sizes {
    #[inline(always)]
    fn new<T: Float, S: Simd>(tile: &Tile<'_, T>) -> Self {
        let a_packs = tile.a_strides.0 != 1 && (tile.a_strides.1 != 1 || tile.n > 64);
        let in_place = tile.a_strides.0 != 1 && !a_packs;
        let a_rows =
            if in_place { micro::rows_in_place_max::<S>() } else { micro::rows_max::<S>() };
        let b_width = NV * T::lanes::<S>();
        let chunks = tile.k.div_ceil(K_MAX).max(1);
        Self {
            a_width: a_rows.next_multiple_of(8),
            a_panels: tile.m.div_ceil(a_rows),
            a_packs,
            b_width,
            b_panels: tile.n.div_ceil(b_width),
            b_packs: tile.b_strides.1 != 1,
            chunk: tile.k.div_ceil(chunks).next_multiple_of(8),
        }
    }

    /// Elements of all panels of A in a chunk.
    fn a_len(&self) -> usize {
        if self.a_packs { self.a_panels * self.a_width * self.chunk } else { 0 }
    }

    /// Elements of all panels of B in a chunk; the last is packed in any case, because it may end
    /// within a register.
    fn b_len(&self) -> usize {
        (if self.b_packs { self.b_panels } else { 1 }) * self.b_width * self.chunk
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
            let (a, b) = (a_lines.at(start), b_lines.at(start));
            let a = pack_a(a, tile.m, k, sizes, a_packed);
            let b = pack_b::<T, S>(b, tile.n, k, sizes, b_packed);
            let chunk = Chunk { k, a, b, add };
            panels(simd, tile, sizes, &chunk);
        }
        add = true;
    }
}

/// Panels of one chunk of K.
struct Chunk<T> {
    k: usize,
    a: Panels<T>,
    b: Panels<T>,
    add: bool,
}

/// Where the panels of an operand are. Steps are in elements.
struct Panels<T> {
    start: *const T,
    /// From one panel to the next.
    step: isize,
    /// From one line of a panel to the next.
    line: isize,
    /// From one step of K to the next.
    k_step: isize,
    /// The last panel, where it differs from the others in place and `k_step`.
    last: (*const T, isize),
}

/// # Safety
/// As [`chunks`], for `k` places of A.
#[inline(always)]
unsafe fn pack_a<T: Float>(
    lines: Lines<T>,
    m: usize,
    k: usize,
    sizes: &Sizes,
    packed: &mut [T],
) -> Panels<T> {
    if !sizes.a_packs {
        let Lines { start, step, k_step } = lines;
        return Panels { start, step, line: step, k_step, last: (start, k_step) };
    }
    let (size, width) = (k * sizes.a_width, sizes.a_width);
    for panel in 0..sizes.a_panels {
        let rows = panel_rows(panel, sizes, m);
        // SAFETY: the panel's rows exist, and its place in `packed` too.
        unsafe {
            let to = packed[panel * size..].as_mut_ptr();
            pack(lines.from(rows.start), rows.len(), k, to, width);
        }
    }
    let (start, k_step) = (packed.as_ptr(), width as isize);
    Panels { start, step: size as isize, line: 1, k_step, last: (start, k_step) }
}

/// The rows of a panel of A: all panels are as equal as can be, because full ones followed by a
/// short one would leave registers empty.
#[inline(always)]
fn panel_rows(panel: usize, sizes: &Sizes, m: usize) -> std::ops::Range<usize> {
    panel * m / sizes.a_panels..(panel + 1) * m / sizes.a_panels
}

/// # Safety
/// As [`chunks`], for `k` places of B.
#[inline(always)]
unsafe fn pack_b<T: Float, S: Simd>(
    lines: Lines<T>,
    n: usize,
    k: usize,
    sizes: &Sizes,
    packed: &mut [T],
) -> Panels<T> {
    let (size, width) = (k * sizes.b_width, sizes.b_width);
    let last = sizes.b_panels - 1;
    // Reading whole registers in place must not pass the end of B.
    let packs_last = sizes.b_packs || !n.is_multiple_of(T::lanes::<S>());
    let first = if sizes.b_packs { 0 } else { last };
    if packs_last {
        for panel in first..=last {
            let cols = width.min(n - panel * width);
            // SAFETY: the panel's columns exist, and its place in `packed` too.
            unsafe {
                let to = packed[(panel - first) * size..].as_mut_ptr();
                pack(lines.from(panel * width), cols, k, to, width);
            }
        }
    }
    if sizes.b_packs {
        let start = packed.as_ptr();
        let end = packed[last * size..].as_ptr();
        let k_step = width as isize;
        return Panels { start, step: size as isize, line: 1, k_step, last: (end, k_step) };
    }
    let Lines { start, k_step, .. } = lines;
    // SAFETY: the last panel starts within B.
    let in_place = unsafe { start.add(last * width) };
    let last = if packs_last { (packed.as_ptr(), width as isize) } else { (in_place, k_step) };
    Panels { start, step: width as isize, line: 1, k_step, last }
}

/// Multiplies all panels of a chunk.
///
/// # Safety
/// As [`chunks`], with the panels of this chunk.
#[inline(always)]
unsafe fn panels<T: Float, S: Simd>(simd: S, tile: &Tile<'_, T>, sizes: &Sizes, chunk: &Chunk<T>) {
    for b_panel in 0..sizes.b_panels {
        let col = b_panel * sizes.b_width;
        let (b, b_k) = if b_panel + 1 == sizes.b_panels {
            chunk.b.last
        } else {
            (chunk.b.start.wrapping_offset(b_panel as isize * chunk.b.step), chunk.b.k_step)
        };
        for a_panel in 0..sizes.a_panels {
            let rows = panel_rows(a_panel, sizes, tile.m);
            let at = if sizes.a_packs { a_panel } else { rows.start } as isize;
            let call = Call {
                k: chunk.k,
                a: chunk.a.start.wrapping_offset(at * chunk.a.step),
                a_row: chunk.a.line,
                a_k: chunk.a.k_step,
                b,
                b_k,
                c: tile.c.wrapping_add(rows.start * tile.c_row + col),
                c_row: tile.c_row,
                cols: sizes.b_width.min(tile.n - col),
                alpha: tile.alpha,
                add: chunk.add,
            };
            // SAFETY: the panels hold what the call reads, and the rows and columns are C's.
            unsafe { micro::run(simd, rows.len(), call) };
        }
    }
}
