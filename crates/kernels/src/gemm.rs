//! Matrix products: `C = alpha A B`, or added to C, with an epilogue of bias and activation.
//!
//! ```text
//! for each tile of C (cut by shape; threads take tiles):    here
//!     chunks of K, panels of A and B, blocks of columns:    block.rs, sizes.rs
//!         pack what cannot be read in place                 pack.rs, transpose.rs
//!         multiply a panel by a panel in registers          micro.rs
//!             and ask for what is read next                 ahead.rs
//!         bias, activation                                  epilogue.rs
//! ```
//!
//! One row or one column goes to `gemv.rs` instead. Kernels with operands of another kind (patches
//! of images, say) can pack their own panels and call `micro::run`.
//!
//! The micro-kernels are our own, because faer's cannot be had without its blocking, and an
//! epilogue, batches, thin outputs and forced instruction sets have no place in that. One thread,
//! AVX-512, GFLOP/s, ours and faer 0.24.4 (`benches/record` has all shapes): 512^3 160 and 151;
//! 2048^3 with A transposed 143 and 71; 128 x 512 by depth 784 164 and 140; 100 x 10 by depth 784
//! 65 and 53.
//!
//! An element of C is a sum that starts from the bias and runs over K in rising order, within chunks
//! whose length depends on K and the instruction set alone, so its bits depend neither on the tiles
//! nor on the threads. What is computed as a vector depends on the whole product, too.

pub(crate) mod ahead;
mod block;
mod epilogue;
mod gemv;
mod matrix;
pub(crate) mod micro;
pub(crate) mod pack;
mod sizes;
pub(crate) mod transpose;

pub use epilogue::{Activation, Epilogue};
pub use matrix::{Matrix, MatrixMut};

use crate::element::per_float;
use crate::{Float, par};
use block::Tile;

/// What becomes of the old contents of C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accumulate {
    /// They are not read: C is overwritten.
    Replace,
    /// The product is added to them.
    Add,
}

/// One axis of a batch, see [`gemm_batched`]. A step of 0 repeats the operand along the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchAxis {
    /// How many products lie along this axis.
    pub len: usize,
    /// Elements from one A to the next.
    pub a_step: isize,
    /// Elements from one B to the next.
    pub b_step: isize,
}

/// `C = alpha A B` (or `C += alpha A B`), followed by the epilogue.
///
/// # Shape
/// `a (m, k)`, `b (k, n)`, `c (m, n)`. With `k = 0` the product is zero. A and B may have any
/// strides; transposes cost little.
///
/// # Numerics
/// Sums run over k in order, in chunks whose length depends on k and the instruction set alone: the
/// same bits for any number of threads.
///
/// # Panics
/// When the shapes do not fit each other or the bias.
#[track_caller]
pub fn gemm<T: Float>(
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    c: MatrixMut<'_, T>,
    alpha: T,
    accumulate: Accumulate,
    epilogue: Epilogue<'_, T>,
) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert!(
        b.rows == k && c.rows == m && c.cols == n && epilogue.fits(n),
        "gemm: needs (m, k), (k, n) into (m, n), bias (n); got [{m}, {k}], [{}, {n}] into [{}, {}]{}",
        b.rows,
        c.rows,
        c.cols,
        epilogue,
    );
    let whole = Products { axes: &[], a, b, c, c_step: 0, alpha, accumulate, epilogue };
    per_float!(T: products(whole: Products<'_, T>))
}

/// Many products of one shape: `C[i] = alpha A[i] B[i]` (or `+=`), each followed by the epilogue.
///
/// The axes of the batch are given from the outermost to the innermost; `a` and `b` are the first
/// matrices, and the steps lead to the others. The results lie one after the other in `c`, `c_step`
/// elements apart; `c` itself describes the first, in a slice that holds them all.
///
/// # Panics
/// As [`gemm`]; also when a matrix lies outside its slice, or `c_step` makes results overlap.
#[track_caller]
#[expect(clippy::too_many_arguments, reason = "gemm's six and the batch")]
pub fn gemm_batched<T: Float>(
    axes: &[BatchAxis],
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    c: MatrixMut<'_, T>,
    c_step: usize,
    alpha: T,
    accumulate: Accumulate,
    epilogue: Epilogue<'_, T>,
) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert!(
        b.rows == k && c.rows == m && c.cols == n && epilogue.fits(n),
        "gemm_batched: needs (m, k), (k, n) into (m, n), bias (n); \
         got [{m}, {k}], [{}, {n}] into [{}, {}]{}",
        b.rows,
        c.rows,
        c.cols,
        epilogue,
    );
    let count = batch_count(axes);
    if count == 0 {
        return;
    }
    a.check_steps(axes.iter().map(|axis| (axis.len, axis.a_step)));
    b.check_steps(axes.iter().map(|axis| (axis.len, axis.b_step)));
    c.check_steps(count, c_step);
    let whole = Products { axes, a, b, c, c_step, alpha, accumulate, epilogue };
    per_float!(T: products(whole: Products<'_, T>))
}

fn batch_count(axes: &[BatchAxis]) -> usize {
    axes.iter().map(|axis| axis.len).product()
}

/// A batch of products whose operands have been checked.
struct Products<'a, T> {
    axes: &'a [BatchAxis],
    a: Matrix<'a, T>,
    b: Matrix<'a, T>,
    c: MatrixMut<'a, T>,
    c_step: usize,
    alpha: T,
    accumulate: Accumulate,
    epilogue: Epilogue<'a, T>,
}

/// Cuts all products into tiles and runs them.
fn products<T: Float>(whole: Products<'_, T>) {
    let Products { axes, a, b, c, c_step, alpha, accumulate, epilogue } = whole;
    let (m, k, n) = (a.rows, a.cols, b.cols);
    if m == 0 || n == 0 {
        return;
    }
    let grid = Grid::new(batch_count(axes), &a, &b);
    let (a_start, b_start) = (a.start(), b.start());
    let (a_strides, b_strides) = (a.strides(), b.strides());
    let results = Results { start: c.start(), step: c_step, row: c.row_stride };
    let results = &results;
    par::for_each(grid.tiles(), grid.work(m, n, k), |index| {
        let (product, rows, cols) = grid.tile(index, m, n);
        let (a_offset, b_offset) = offsets(axes, product);
        let tile = Tile {
            m: rows.len(),
            n: cols.len(),
            k,
            is_vector: m == 1 || n == 1,
            // SAFETY: the matrices were checked to lie in their slices, for every product of the
            // batch, and the tile's rows and columns are rows and columns of them.
            a: unsafe { a_start.offset(a_offset + rows.start as isize * a_strides.0) },
            a_strides,
            // SAFETY: as above.
            b: unsafe { b_start.offset(b_offset + cols.start as isize * b_strides.1) },
            b_strides,
            // SAFETY: as above.
            c: unsafe { results.at(product, rows.start, cols.start) },
            c_row: results.row,
            alpha,
            add: accumulate == Accumulate::Add,
            epilogue: epilogue.columns(cols),
        };
        // SAFETY: A and B are borrowed for this call, and C mutably; tiles of C are disjoint
        // (products by `check_steps`), and each is run once.
        unsafe { tile.run() };
    });
}

/// Where the results go, shared by the tasks that each write a part of them.
struct Results<T> {
    start: *mut T,
    /// Elements from one product, and from one row, to the next.
    step: usize,
    row: usize,
}

// SAFETY: tasks write disjoint tiles.
unsafe impl<T: Send> Sync for Results<T> {}

impl<T> Results<T> {
    /// # Safety
    /// The results have such an element.
    unsafe fn at(&self, product: usize, row: usize, col: usize) -> *mut T {
        // SAFETY: by the caller's promise.
        unsafe { self.start.add(product * self.step + row * self.row + col) }
    }
}

/// Where the operands of a product of the batch start.
fn offsets(axes: &[BatchAxis], product: usize) -> (isize, isize) {
    let (mut rest, mut a, mut b) = (product, 0, 0);
    for axis in axes.iter().rev() {
        let at = (rest % axis.len) as isize;
        rest /= axis.len;
        a += at * axis.a_step;
        b += at * axis.b_step;
    }
    (a, b)
}

/// How C is cut into tiles. That has no influence on the bits of the result.
struct Grid {
    /// Rows and columns of a full tile.
    tile_rows: usize,
    tile_cols: usize,
    /// Tiles along the rows and columns of one product.
    down: usize,
    across: usize,
    products: usize,
}

impl Grid {
    fn new<T: Float>(products: usize, a: &Matrix<'_, T>, b: &Matrix<'_, T>) -> Self {
        let (m, k, n) = (a.rows, a.cols, b.cols);
        let total = m.saturating_mul(n).saturating_mul(k);
        let whole = Self { tile_rows: m, tile_cols: n, down: 1, across: 1, products };
        let (rows_max, cols_max) = (sizes::rows_max(k), sizes::COLS_MAX);
        if total <= 2 * TILE_WORK_MIN && m <= rows_max && n <= cols_max {
            return whole;
        }
        let (mut down, mut across) = (m.div_ceil(rows_max), n.div_ceil(cols_max));
        // Every tile packs its own share of what must be packed: B once for all its rows, A once
        // for all its columns. So short tiles pay if B is read in place, narrow ones if not.
        let rows_min = if b.strides().1 == 1 { ROWS_MIN } else { ROWS_MIN_PACKED };
        // One thread needs no tiles to share out, and packs more often the more there are.
        let wanted = match par::threads() == 1 && m > 1 && n > 1 {
            true => 1,
            false => (total / TILE_WORK).clamp(TILES_MIN, TILES),
        };
        while products.saturating_mul(down * across) < wanted
            && total / (down * across) > 2 * TILE_WORK_MIN
        {
            let (rows, cols) = (m / down, n / across);
            if rows >= 2 * rows_min || cols < 2 * sizes::COLS_UNIT && rows >= ROWS_MIN {
                down *= 2;
            } else if cols >= 2 * sizes::COLS_UNIT {
                across *= 2;
            } else {
                break;
            }
        }
        let tile_rows = m.div_ceil(down);
        let tile_cols = n.div_ceil(across).next_multiple_of(sizes::COLS_UNIT);
        let (down, across) = (m.div_ceil(tile_rows), n.div_ceil(tile_cols));
        Self { tile_rows, tile_cols, down, across, ..whole }
    }

    fn tiles(&self) -> usize {
        self.products * self.down * self.across
    }

    /// Nanoseconds on one thread.
    fn work(&self, m: usize, n: usize, k: usize) -> usize {
        self.products.saturating_mul(m).saturating_mul(n).saturating_mul(k) / MULTIPLY_ADDS_PER_NS
    }

    /// The product that a tile belongs to, and its rows and columns.
    fn tile(
        &self,
        index: usize,
        m: usize,
        n: usize,
    ) -> (usize, std::ops::Range<usize>, std::ops::Range<usize>) {
        if self.down * self.across == 1 {
            return (index, 0..m, 0..n);
        }
        let (product, index) =
            (index / (self.down * self.across), index % (self.down * self.across));
        let row = index / self.across * self.tile_rows;
        let col = index % self.across * self.tile_cols;
        (product, row..m.min(row + self.tile_rows), col..n.min(col + self.tile_cols))
    }
}

/// How many tiles a product and a large one have at least, if they are worth a hand-over.
const TILES_MIN: usize = 4;
const TILES: usize = 8;

/// Multiply-adds for each tile of a large product, and the fewest of any tile.
const TILE_WORK: usize = 1 << 24;
const TILE_WORK_MIN: usize = 1 << 19;

/// Rows that make a tile worth while, with B read in place and with B packed.
const ROWS_MIN: usize = 112;
const ROWS_MIN_PACKED: usize = 256;

/// A cautious estimate of one thread's speed.
const MULTIPLY_ADDS_PER_NS: usize = 50;

#[cfg(test)]
mod tests;
