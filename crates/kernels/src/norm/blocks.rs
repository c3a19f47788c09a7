//! Blocks: how the elements of batch norm's channels are cut up among tasks.
//!
//! With channels along the last axis (`[rows, channels]`), a block is a strip of neighbouring
//! channels in some of the rows; else it is some of the runs of one channel. Where a block can
//! hold all elements of its channels and stay in the L2 cache, one task does all that is to be
//! done with them, and data comes from memory once instead of once per pass.

use std::ops::Range;

use pulp::Simd;

use crate::array;
use crate::disjoint::Disjoint;
use crate::element::Float;
use crate::prefetch::to_read;
use crate::reduce::Split;
use crate::simd::Vector;

/// At most so many channels in a block. Rows of wide data lie the same distance from the begin of a
/// page each: with 256 channels, what is read of one buffer waited for what is still to be written
/// to another whose rows overlap with them there, and 256 x 1024 elements took a tenth longer.
pub(super) const STRIP: usize = 128;

/// At least so many channels in a block that is to hold all of its channels' elements: shorter
/// rows cost more cache lines than they are worth.
const STRIP_MIN: usize = 64;

/// Bytes of a block that stays in the L2 cache, for one of up to three inputs and outputs.
const CACHED: usize = 512 << 10;

/// Registers of columns that are summed together.
const GROUP: usize = 4;

/// Elements of rows without gaps that are mapped together, before those behind them.
const TOGETHER: usize = 2048;

/// Rows between the one that is summed and the one that is fetched from memory. The rows of wide
/// data share few cache sets, so there is no room for many.
const AHEAD: usize = 8;

/// Rows of equal length, a fixed step apart, of one channel or of neighbouring ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// The first element.
    pub(super) start: usize,
    /// From one row to the next.
    pub(super) stride: usize,
    pub(super) rows: usize,
    pub(super) width: usize,
    /// The first channel.
    pub(super) channel: usize,
    /// Whether a row belongs to one channel, not to a channel per element.
    pub(super) is_run: bool,
}

impl Block {
    /// The elements of a row.
    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> Range<usize> {
        let start = self.start + row * self.stride;
        start..start + self.width
    }

    pub(super) fn channels(&self) -> Range<usize> {
        self.channel..self.channel + if self.is_run { 1 } else { self.width }
    }

    /// Elements of each channel.
    pub(super) fn per_channel(&self) -> usize {
        self.rows * if self.is_run { self.width } else { 1 }
    }
}

/// A partition into blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    split: Split,
    /// Channels of a block.
    strip: usize,
    /// Rows of a block.
    part: usize,
}

impl Blocks {
    /// Blocks of whole channels that stay in the cache, if there are such.
    pub(super) fn of_channels<T>(split: Split) -> Option<Blocks> {
        let per_channel = split.outer * split.inner * size_of::<T>();
        if split.inner > 1 {
            let fits = per_channel <= CACHED;
            return fits.then_some(Blocks { split, strip: 1, part: split.outer });
        }
        let strip = CACHED / per_channel.max(1) / STRIP_MIN * STRIP_MIN;
        (strip > 0).then_some(Blocks { split, strip: strip.min(STRIP), part: split.outer })
    }

    /// Blocks of at most `rows` rows of a strip, or all runs of one channel.
    pub(super) fn of_parts(split: Split, rows: usize) -> Blocks {
        match split.inner {
            1 => Blocks { split, strip: STRIP, part: rows },
            _ => Blocks { split, strip: 1, part: split.outer },
        }
    }

    /// Blocks of about `elements` elements, of all channels where a row holds all of them.
    pub(super) fn of_elements(split: Split, elements: usize) -> Blocks {
        let row = if split.inner == 1 { split.axis } else { split.inner };
        let strip = if split.inner == 1 { split.axis } else { 1 };
        Blocks { split, strip, part: elements.div_ceil(row.max(1)) }
    }

    pub(super) fn strips(&self) -> usize {
        self.split.axis.div_ceil(self.strip.max(1))
    }

    pub(super) fn parts(&self) -> usize {
        self.split.outer.div_ceil(self.part.max(1))
    }

    pub(super) fn count(&self) -> usize {
        self.strips() * self.parts()
    }

    /// Block `index`, of part `index / strips`.
    pub(super) fn get(&self, index: usize) -> Block {
        let Split { outer, axis, inner } = self.split;
        let (part, channel) = (index / self.strips(), index % self.strips() * self.strip);
        let first = part * self.part;
        let is_run = inner > 1;
        Block {
            start: first * axis * inner + channel * inner,
            stride: axis * inner,
            rows: self.part.min(outer - first),
            width: if is_run { inner } else { self.strip.min(axis - channel) },
            channel,
            is_run,
        }
    }
}

/// For each column, two sums over `rows` rows that begin `stride` apart, of what `add` makes of
/// the N inputs and the C coefficients of the column.
///
/// 1. A few registers of columns go down all rows together, so that their sums stay in registers.
/// 2. Rows ahead are prefetched: every row of wide data is on another page, where the hardware's
///    prefetcher begins anew.
#[inline(always)]
pub(super) fn sum_columns<T: Float, S: Simd, const N: usize, const C: usize>(
    simd: S,
    x: [&[T]; N],
    (rows, stride): (usize, usize),
    coefficients: [&[T]; C],
    sums: [&mut [T]; 2],
    add: impl Fn([Vector<T, S>; 2], [Vector<T, S>; N], [Vector<T, S>; C]) -> [Vector<T, S>; 2],
) {
    let [a, b] = sums;
    if rows == 0 {
        a.fill(T::ZERO);
        return b.fill(T::ZERO);
    }
    let mut groups = Groups::new::<T, S>(0..a.len());
    while let Some(columns) = groups.next() {
        let x = array::map(
            x,
            #[inline(always)]
            |x| &x[columns.start..],
        );
        let coefficients = of_columns(coefficients, &columns);
        let sums = [&mut a[columns.clone()], &mut b[columns.clone()]];
        if groups.is_wide(&columns) {
            sum_group::<T, S, N, C, GROUP>(simd, x, (rows, stride), coefficients, sums, &add);
        } else {
            sum_group::<T, S, N, C, 1>(simd, x, (rows, stride), coefficients, sums, &add);
        }
    }
}

/// The columns of a block, some registers at a time and one register at a time in the end.
struct Groups {
    columns: Range<usize>,
    lanes: usize,
}

impl Groups {
    #[inline(always)]
    fn new<T: Float, S: Simd>(columns: Range<usize>) -> Self {
        Groups { columns, lanes: T::lanes::<S>() }
    }

    /// Whether these are [`GROUP`] whole registers.
    #[inline(always)]
    fn is_wide(&self, columns: &Range<usize>) -> bool {
        columns.len() == GROUP * self.lanes
    }

    #[inline(always)]
    fn next(&mut self) -> Option<Range<usize>> {
        let Range { start, end } = self.columns;
        if start == end {
            return None;
        }
        let wide = start + GROUP * self.lanes;
        self.columns.start = if wide <= end { wide } else { end.min(start + self.lanes) };
        Some(start..self.columns.start)
    }
}

#[inline(always)]
fn of_columns<'a, T, const C: usize>(
    coefficients: [&'a [T]; C],
    columns: &Range<usize>,
) -> [&'a [T]; C] {
    array::map(
        coefficients,
        #[inline(always)]
        |c| &c[columns.start..columns.end],
    )
}

/// `y = f(x, coefficients)` for a block with a channel per element, each of whose coefficients are
/// loaded once for all of its rows.
///
/// # Safety
/// Nobody else uses the block's elements of `y`.
#[inline(always)]
pub(super) unsafe fn map_columns<T: Float, S: Simd, const N: usize, const C: usize>(
    simd: S,
    block: Block,
    x: [&[T]; N],
    y: &Disjoint<'_, T>,
    coefficients: [&[T]; C],
    f: impl Fn([Vector<T, S>; N], [Vector<T, S>; C]) -> Vector<T, S>,
) {
    let dense = block.width == block.stride;
    let together = if dense { TOGETHER.div_ceil(block.width) } else { block.rows };
    let mut row = 0;
    while row < block.rows {
        let rows = row..block.rows.min(row + together);
        row = rows.end;
        let mut groups = Groups::new::<T, S>(0..block.width);
        while let Some(columns) = groups.next() {
            let coefficients = of_columns(coefficients, &columns);
            let at = (rows.clone(), columns.clone());
            // SAFETY: by the caller's promise.
            unsafe {
                if groups.is_wide(&columns) {
                    map_group::<T, S, N, C, GROUP>(simd, block, at, x, y, coefficients, &f);
                } else {
                    map_group::<T, S, N, C, 1>(simd, block, at, x, y, coefficients, &f);
                }
            }
        }
    }
}

/// [`map_columns`] for some rows and G registers of columns; a single one may be partial.
///
/// Slices are checked once. Checked row by row, 256 x 1024 elements took a third longer: what a
/// failure would print is then stored before each row, between the stores that matter.
///
/// # Safety
/// As for [`map_columns`].
#[inline(always)]
unsafe fn map_group<T: Float, S: Simd, const N: usize, const C: usize, const G: usize>(
    simd: S,
    block: Block,
    (rows, columns): (Range<usize>, Range<usize>),
    x: [&[T]; N],
    y: &Disjoint<'_, T>,
    coefficients: [&[T]; C],
    f: &impl Fn([Vector<T, S>; N], [Vector<T, S>; C]) -> Vector<T, S>,
) {
    let lanes = T::lanes::<S>();
    let width = if G == 1 { columns.len() } else { G * lanes };
    let coefficients = registers::<T, S, C, G>(simd, coefficients);
    let start = block.start + columns.start;
    let end = start + (rows.end - 1) * block.stride + width;
    let x = array::map(
        x,
        #[inline(always)]
        |x| x[..end].as_ptr(),
    );
    assert!(end <= y.len(), "a block within the output");
    let y = y.start();
    for row in rows {
        let at = start + row * block.stride;
        let mut g = 0;
        while g < G {
            let at = at + g * lanes;
            let len = if G == 1 { width } else { lanes };
            // SAFETY: the last row's end lies in each slice, so each row does.
            unsafe {
                let x = array::map(
                    x,
                    #[inline(always)]
                    |x| Vector::load(simd, std::slice::from_raw_parts(x.add(at), len)),
                );
                let y = std::slice::from_raw_parts_mut(y.add(at), len);
                f(x, coefficients[g]).store(y);
            }
            g += 1;
        }
    }
}

/// [`sum_columns`] for G registers of columns; a single one may be partial.
#[inline(always)]
fn sum_group<T: Float, S: Simd, const N: usize, const C: usize, const G: usize>(
    simd: S,
    x: [&[T]; N],
    (rows, stride): (usize, usize),
    coefficients: [&[T]; C],
    sums: [&mut [T]; 2],
    add: &impl Fn([Vector<T, S>; 2], [Vector<T, S>; N], [Vector<T, S>; C]) -> [Vector<T, S>; 2],
) {
    let lanes = T::lanes::<S>();
    let width = if G == 1 { sums[0].len() } else { G * lanes };
    let coefficients = registers::<T, S, C, G>(simd, coefficients);
    let mut totals = [[Vector::splat(simd, T::ZERO); 2]; G];
    for row in 0..rows {
        let line = array::map(
            x,
            #[inline(always)]
            |x| {
                fetch(x.as_ptr().wrapping_add((row + AHEAD / N) * stride), width, to_read);
                &x[row * stride..][..width]
            },
        );
        let mut g = 0;
        while g < G {
            let x = array::map(
                line,
                #[inline(always)]
                |row| register(simd, row, g, G),
            );
            totals[g] = add(totals[g], x, coefficients[g]);
            g += 1;
        }
    }
    let [a, b] = sums;
    let mut g = 0;
    while g < G {
        let at = g * lanes;
        totals[g][0].store(&mut a[at..]);
        totals[g][1].store(&mut b[at..]);
        g += 1;
    }
}

/// G registers of each coefficient; a single one may be partial.
#[inline(always)]
fn registers<T: Float, S: Simd, const C: usize, const G: usize>(
    simd: S,
    coefficients: [&[T]; C],
) -> [[Vector<T, S>; C]; G] {
    array::from_fn(
        #[inline(always)]
        |g| {
            array::map(
                coefficients,
                #[inline(always)]
                |c| register(simd, c, g, G),
            )
        },
    )
}

/// Register `g` of G in a row; a single one may be partial.
#[inline(always)]
fn register<T: Float, S: Simd>(simd: S, row: &[T], g: usize, count: usize) -> Vector<T, S> {
    Vector::load(simd, if count == 1 { row } else { &row[g * T::lanes::<S>()..] })
}

/// Asks for the cache lines of `len` elements.
#[inline(always)]
fn fetch<T>(start: *const T, len: usize, ask: impl Fn(*const T)) {
    for at in (0..len).step_by(64 / size_of::<T>()) {
        ask(start.wrapping_add(at));
    }
}
