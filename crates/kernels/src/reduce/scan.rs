//! Running sums, products, logarithms of sums and extremes along an axis, and linear recurrences.

use super::Split;
use crate::disjoint::Disjoint;
use crate::element::{Float, per_float};
use crate::{arch, par};

/// Columns of a unit of work.
const STRIP: usize = 256;

/// Elements of a task, which takes several short rows.
const TASK: usize = 16 * 1024;

/// Running sums: `out[a] = x[0] + ... + x[a]` along the axis, or `x[a] + ... + x[n - 1]` where
/// `reverse`.
///
/// # Numerics
/// Kept in `f64`. Along contiguous rows, each four elements are summed up before they are added.
///
/// # Panics
/// If the lengths do not fit the split.
pub fn cumsum<T: Float>(x: &[T], split: Split, reverse: bool, out: &mut [T]) {
    check("cumsum", x.len(), split, out.len());
    per_float!(T: cumsum_split(x: &[T], split: Split, reverse: bool, out: &mut [T]))
}

/// Running products: `out[a] = x[0] ... x[a]` along the axis; as [`cumsum`].
///
/// # Panics
/// If the lengths do not fit the split.
pub fn cumprod<T: Float>(x: &[T], split: Split, reverse: bool, out: &mut [T]) {
    check("cumprod", x.len(), split, out.len());
    per_float!(T: cumprod_split(x: &[T], split: Split, reverse: bool, out: &mut [T]))
}

/// Logarithms of running sums of exponentials: `out[a] = ln(exp x[0] + ... + exp x[a])`.
///
/// # Numerics
/// Kept in `f64`, with the largest element so far taken out, so that nothing overflows.
///
/// # Panics
/// If the lengths do not fit the split.
pub fn logcumsumexp<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    check("logcumsumexp", x.len(), split, out.len());
    per_float!(T: logcumsumexp_split(x: &[T], split: Split, out: &mut [T]))
}

/// Where the largest element so far is: of the last one if there are several; NaN counts as larger
/// than every number. As in PyTorch.
///
/// # Panics
/// If the lengths do not fit the split.
pub fn argcummax<T: Float>(x: &[T], split: Split, out: &mut [i64]) {
    check("argcummax", x.len(), split, out.len());
    per_float!(T: argcummax_split(x: &[T], split: Split, out: &mut [i64]))
}

/// Where the smallest element so far is; as [`argcummax`], NaN counting as smaller.
///
/// # Panics
/// If the lengths do not fit the split.
pub fn argcummin<T: Float>(x: &[T], split: Split, out: &mut [i64]) {
    check("argcummin", x.len(), split, out.len());
    per_float!(T: argcummin_split(x: &[T], split: Split, out: &mut [i64]))
}

/// The linear recurrence `out[i] = a[i] out[i - 1] + b[i]` along the axis, from 0 before the first
/// element; from 0 behind the last one down where `reverse`. Kept in `f64`.
///
/// # Panics
/// If the lengths do not fit the split.
pub fn recurrence<T: Float>(a: &[T], b: &[T], split: Split, reverse: bool, out: &mut [T]) {
    check("recurrence", a.len(), split, out.len());
    check("recurrence", b.len(), split, out.len());
    per_float!(T: recurrence_split(
        a: &[T], b: &[T], split: Split, reverse: bool, out: &mut [T]
    ))
}

#[track_caller]
fn check(kernel: &str, elements: usize, split: Split, out: usize) {
    assert!(
        elements == split.elements() && out == elements,
        "{kernel}: needs {} elements in and out for {split:?}; got {elements} and {out}",
        split.elements(),
    );
}

fn cumsum_split<T: Float>(x: &[T], split: Split, reverse: bool, out: &mut [T]) {
    running(x, split, reverse, out, 0.0, |sum, x| sum + x);
}

fn cumprod_split<T: Float>(x: &[T], split: Split, reverse: bool, out: &mut [T]) {
    running(x, split, reverse, out, 1.0, |product, x| product * x);
}

fn logcumsumexp_split<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    // (largest so far, sum of exp(x - largest))
    let start = (f64::NEG_INFINITY, 0.0);
    scan([x], split, false, out, start, |(top, sum): &mut (f64, f64), _, [x]| {
        let x = x.to_f64();
        if x == *top {
            *sum += 1.0;
        } else if x < *top {
            *sum += (x - *top).exp();
        } else {
            *sum = *sum * (*top - x).exp() + 1.0;
            *top = x;
        }
        T::from_f64(*top + sum.ln())
    });
}

fn argcummax_split<T: Float>(x: &[T], split: Split, out: &mut [i64]) {
    extremes(x, split, out, |x, best| x >= best);
}

fn argcummin_split<T: Float>(x: &[T], split: Split, out: &mut [i64]) {
    extremes(x, split, out, |x, best| x <= best);
}

fn extremes<T: Float>(x: &[T], split: Split, out: &mut [i64], wins: impl Fn(T, T) -> bool + Sync) {
    scan([x], split, false, out, (T::ZERO, -1), |(best, place): &mut (T, i64), a, [x]| {
        if *place < 0 || x.is_nan() || wins(x, *best) {
            (*best, *place) = (x, a as i64);
        }
        *place
    });
}

fn recurrence_split<T: Float>(a: &[T], b: &[T], split: Split, reverse: bool, out: &mut [T]) {
    scan([a, b], split, reverse, out, 0.0, |h: &mut f64, _, [a, b]| {
        *h = a.to_f64() * *h + b.to_f64();
        T::from_f64(*h)
    });
}

/// Scans with an associative `join`, of which `start` is the neutral element.
fn running<T: Float>(
    x: &[T],
    split: Split,
    reverse: bool,
    out: &mut [T],
    start: f64,
    join: impl Fn(f64, f64) -> f64 + Sync,
) {
    if split.inner != 1 || split.axis < 16 {
        return scan([x], split, reverse, out, start, |so_far: &mut f64, _, [x]| {
            *so_far = join(*so_far, x.to_f64());
            T::from_f64(*so_far)
        });
    }
    let rows = TASK.div_ceil(split.axis);
    par::chunks_mut(out, rows * split.axis, x.len() / 2, |task, out| {
        let x = &x[task * rows * split.axis..][..out.len()];
        arch::inlined_narrow(
            #[inline(always)]
            || {
                let rows = x.chunks_exact(split.axis).zip(out.chunks_exact_mut(split.axis));
                for (x, out) in rows {
                    match reverse {
                        false => row::<T, false>(x, out, start, &join),
                        true => row::<T, true>(x, out, start, &join),
                    }
                }
            },
        );
    });
}

/// One row, four elements at a time: their own scan does not wait for what came before, so that
/// the chain of dependent operations is a quarter as long.
#[inline(always)]
fn row<T: Float, const REVERSE: bool>(
    x: &[T],
    out: &mut [T],
    start: f64,
    join: &impl Fn(f64, f64) -> f64,
) {
    let at = |i: usize| if REVERSE { 3 - i } else { i };
    let rest = x.len() % 4;
    let (head, tail) = if REVERSE { (rest, 0) } else { (0, rest) };
    let body = head..x.len() - tail;
    let (fours, _) = x[body.clone()].as_chunks::<4>();
    let (out_fours, _) = out[body.clone()].as_chunks_mut::<4>();
    let mut so_far = start;
    for i in 0..fours.len() {
        let place = if REVERSE { fours.len() - 1 - i } else { i };
        let (x, out) = (&fours[place], &mut out_fours[place]);
        let mut v = [x[at(0)].to_f64(), x[at(1)].to_f64(), x[at(2)].to_f64(), x[at(3)].to_f64()];
        v[1] = join(v[0], v[1]);
        v[2] = join(v[1], v[2]);
        v[3] = join(v[2], v[3]);
        out[at(0)] = T::from_f64(join(so_far, v[0]));
        out[at(1)] = T::from_f64(join(so_far, v[1]));
        out[at(2)] = T::from_f64(join(so_far, v[2]));
        so_far = join(so_far, v[3]);
        out[at(3)] = T::from_f64(so_far);
    }
    let last = if REVERSE { 0..head } else { body.end..x.len() };
    for i in 0..last.len() {
        let at = if REVERSE { last.end - 1 - i } else { last.start + i };
        so_far = join(so_far, x[at].to_f64());
        out[at] = T::from_f64(so_far);
    }
}

/// Walks along the axis with a state per column: `step(state, place, inputs)` is the output.
fn scan<T: Float, S: Copy + Sync, R: Send, const N: usize>(
    inputs: [&[T]; N],
    split: Split,
    reverse: bool,
    out: &mut [R],
    start: S,
    step: impl Fn(&mut S, usize, [T; N]) -> R + Sync,
) {
    let Split { outer, axis, inner } = split;
    if out.is_empty() {
        return;
    }
    let strips = inner.div_ceil(STRIP);
    let units = outer * strips;
    let group = TASK.div_ceil(axis * inner.min(STRIP));
    let work = 2 * out.len();
    let out = Disjoint::new(out);
    par::for_each(units.div_ceil(group), work, |task| {
        arch::inlined_narrow(
            #[inline(always)]
            || {
                for unit in task * group..units.min((task + 1) * group) {
                    let (o, column) = (unit / strips, unit % strips * STRIP);
                    let width = STRIP.min(inner - column);
                    let mut states = [start; STRIP];
                    for i in 0..axis {
                        let a = if reverse { axis - 1 - i } else { i };
                        let first = (o * axis + a) * inner + column;
                        // SAFETY: each strip of an outer index belongs to one unit.
                        let out = unsafe { out.range(first..first + width) };
                        let inputs = inputs.map(|x| &x[first..first + width]);
                        for (i, (out, state)) in out.iter_mut().zip(&mut states).enumerate() {
                            *out = step(state, a, inputs.map(|x| x[i]));
                        }
                    }
                }
            },
        );
    });
}
