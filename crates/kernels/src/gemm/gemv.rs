//! Products with one row or one column: every result is one line of the matrix times a vector.
//!
//! Each matrix element is used once, so speed is a matter of reading the matrix in memory order:
//! whole lines when their elements are contiguous, else place by place across all lines.

use pulp::Simd;

use crate::simd::Vector;
use crate::{Float, array, scratch};

use super::block::Tile;
use super::pack::Lines;

/// Computes a tile of one row or one column.
///
/// # Safety
/// As [`Tile::run`], with `m` or `n` equal to 1.
#[inline(always)]
pub(super) unsafe fn run<T: Float, S: Simd>(simd: S, tile: &Tile<'_, T>) {
    let (lines, count, x, x_step, c_step) = if tile.m == 1 {
        let columns = Lines { start: tile.b, step: tile.b_strides.1, k_step: tile.b_strides.0 };
        (columns, tile.n, tile.a, tile.a_strides.1, 1)
    } else {
        let rows = Lines { start: tile.a, step: tile.a_strides.0, k_step: tile.a_strides.1 };
        (rows, tile.m, tile.b, tile.b_strides.0, tile.c_row)
    };
    scratch::inlined(
        count + tile.k,
        #[inline(always)]
        |memory: &mut [T]| {
            let (sums, vector) = memory.split_at_mut(count);
            for (p, element) in vector.iter_mut().enumerate() {
                // SAFETY: the vector has `k` elements.
                *element = unsafe { *x.offset(p as isize * x_step) };
            }
            // SAFETY: the matrix has `count` lines of `k` elements.
            unsafe { multiply(simd, lines, vector, sums) };
            for (j, &sum) in sums.iter().enumerate() {
                // SAFETY: C has `count` elements, `c_step` apart, for us alone.
                let c = unsafe { &mut *tile.c.add(j * c_step) };
                *c = if tile.add { *c + tile.alpha * sum } else { tile.alpha * sum };
            }
        },
    );
}

/// `sums[j] = sum over p of x[p] * line j[p]`
///
/// # Safety
/// There are as many lines as sums, each with as many elements as `x`.
#[inline(always)]
unsafe fn multiply<T: Float, S: Simd>(simd: S, lines: Lines<T>, x: &[T], sums: &mut [T]) {
    // SAFETY: by the caller's promise.
    let line = |j: usize| unsafe { lines.from(j) };
    if lines.k_step == 1 {
        // SAFETY: each line is `x.len()` contiguous elements.
        let slice = |j: usize| unsafe { std::slice::from_raw_parts(line(j).start, x.len()) };
        let (fours, rest) = sums.as_chunks_mut::<4>();
        for (i, four) in fours.iter_mut().enumerate() {
            *four = dots(simd, std::array::from_fn(|l| slice(4 * i + l)), x);
        }
        for (i, one) in rest.iter_mut().enumerate() {
            [*one] = dots(simd, [slice(4 * fours.len() + i)], x);
        }
    } else if lines.step == 1 {
        let count = sums.len();
        // SAFETY: place p of all lines is `sums.len()` contiguous elements.
        let place = |p: usize| unsafe { std::slice::from_raw_parts(lines.at(p).start, count) };
        add_places(simd, place, x, sums);
    } else {
        for (j, sum) in sums.iter_mut().enumerate() {
            *sum = T::ZERO;
            for (p, &x) in x.iter().enumerate() {
                // SAFETY: element p of line j.
                *sum += x * unsafe { *line(j).at(p).start };
            }
        }
    }
}

/// Dot products of a few lines with one vector. The order of a sum depends on the length alone.
#[inline(always)]
fn dots<T: Float, S: Simd, const L: usize>(simd: S, lines: [&[T]; L], x: &[T]) -> [T; L] {
    let lanes = T::lanes::<S>();
    let (zero, len) = (Vector::splat(simd, T::ZERO), x.len());
    let (mut even, mut odd) = ([zero; L], [zero; L]);
    let mut p = 0;
    while p + 2 * lanes <= len {
        let (x0, x1) = (Vector::load(simd, &x[p..]), Vector::load(simd, &x[p + lanes..]));
        for l in 0..L {
            even[l] = x0.mul_add(Vector::load(simd, &lines[l][p..]), even[l]);
            odd[l] = x1.mul_add(Vector::load(simd, &lines[l][p + lanes..]), odd[l]);
        }
        p += 2 * lanes;
    }
    while p < len {
        let x0 = Vector::load(simd, &x[p..]);
        for l in 0..L {
            even[l] = x0.mul_add(Vector::load(simd, &lines[l][p..]), even[l]);
        }
        p += lanes;
    }
    array::from_fn(
        #[inline(always)]
        |l| (even[l] + odd[l]).reduce_sum(),
    )
}

/// Adds the places of all lines up, four at a time.
#[inline(always)]
fn add_places<'a, T: Float, S: Simd>(
    simd: S,
    place: impl Fn(usize) -> &'a [T],
    x: &[T],
    sums: &mut [T],
) {
    sums.fill(T::ZERO);
    let (fours, rest) = x.as_chunks::<4>();
    for (i, four) in fours.iter().enumerate() {
        add_scaled::<T, S, 4>(simd, std::array::from_fn(|l| (four[l], place(4 * i + l))), sums);
    }
    for (i, &one) in rest.iter().enumerate() {
        add_scaled(simd, [(one, place(4 * fours.len() + i))], sums);
    }
}

/// `sums += x0 * y0 + x1 * y1 + ...`, one after the other.
#[inline(always)]
fn add_scaled<T: Float, S: Simd, const L: usize>(simd: S, terms: [(T, &[T]); L], sums: &mut [T]) {
    let lanes = T::lanes::<S>();
    let factors = array::map(
        terms,
        #[inline(always)]
        |(x, _)| Vector::splat(simd, x),
    );
    for (i, sums) in sums.chunks_mut(lanes).enumerate() {
        let at = i * lanes..i * lanes + sums.len();
        let mut total = Vector::load(simd, sums);
        for l in 0..L {
            total = factors[l].mul_add(Vector::load(simd, &terms[l].1[at.clone()]), total);
        }
        total.store(sums);
    }
}
