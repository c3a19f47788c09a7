//! Elements and rows put to places along an axis, by replacing or by combining.
//!
//! A column of an outer index belongs to one task, which takes its terms in the order in which they
//! stand: results have the same bits on any number of threads.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::disjoint::Disjoint;
use crate::element::{per_element, per_float};
use crate::index::{BadIndex, check, verdict};
use crate::reduce::Split;
use crate::{Element, Float, arch, par, scratch};

/// Columns that one task owns.
const STRIP: usize = 256;

/// Elements of a task, which takes several short columns.
const TASK: usize = 32 * 1024;

/// How [`scatter_reduce`] combines an element with what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// By adding it.
    Sum,
    /// By keeping the larger one; NaN wins.
    Max,
    /// By keeping the smaller one; NaN wins.
    Min,
}

/// What an output holds before elements are put there. It is written part by part, each just
/// before its elements come, while it is in the cache.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a, T> {
    /// Zeros.
    Zeros,
    /// A copy of these elements.
    Copy(&'a [T]),
}

/// `out[o, idx[o, j, i], i] = x[o, j, i]`: puts along an axis; of several, the last stays.
///
/// `out` is seen as `split`, `idx` and `x` as `[outer, count, inner]`.
///
/// # Errors
/// When an index lies outside the axis; `out` then holds anything.
///
/// # Panics
/// When the lengths do not fit.
pub fn scatter<T: Element>(
    x: &[T],
    idx: &[i64],
    split: Split,
    start: Start<'_, T>,
    out: &mut [T],
) -> Result<(), BadIndex> {
    check_lengths("scatter", x.len(), idx.len(), split, start, out.len());
    let inside = per_element!(
        T: replace(x: &[T], idx: &[i64], split: Split, start: Start<'_, T>, out: &mut [T]) -> bool
    );
    verdict(inside, idx, split.axis)
}

/// `out[o, idx[o, j, i], i] += x[o, j, i]`, or the larger or the smaller of both: combines along an
/// axis, in rising order of `j`.
///
/// `out` is seen as `split`, `idx` and `x` as `[outer, count, inner]`.
///
/// # Errors
/// When an index lies outside the axis; `out` then holds anything.
///
/// # Panics
/// When the lengths do not fit.
pub fn scatter_reduce<T: Float>(
    x: &[T],
    idx: &[i64],
    split: Split,
    how: Combine,
    start: Start<'_, T>,
    out: &mut [T],
) -> Result<(), BadIndex> {
    check_lengths("scatter_reduce", x.len(), idx.len(), split, start, out.len());
    let inside = per_float!(
        T: combine(
            x: &[T], idx: &[i64], split: Split, how: Combine, start: Start<'_, T>, out: &mut [T]
        ) -> bool
    );
    verdict(inside, idx, split.axis)
}

#[track_caller]
fn check_lengths<T>(
    kernel: &str,
    x: usize,
    idx: usize,
    split: Split,
    start: Start<'_, T>,
    out: usize,
) {
    let start_fits = match start {
        Start::Zeros => true,
        Start::Copy(from) => from.len() == out,
    };
    assert!(
        out == split.elements() && idx == x && start_fits,
        "{kernel}: needs {} results, as many elements to start with, and as many indices as \
         elements; got {out}, {idx} and {x}",
        split.elements(),
    );
}

fn replace<T: Element>(
    x: &[T],
    idx: &[i64],
    split: Split,
    start: Start<'_, T>,
    out: &mut [T],
) -> bool {
    put(x, idx, split, start, out, |slot, x| *slot = x)
}

fn combine<T: Float>(
    x: &[T],
    idx: &[i64],
    split: Split,
    how: Combine,
    start: Start<'_, T>,
    out: &mut [T],
) -> bool {
    match how {
        Combine::Sum => put(x, idx, split, start, out, |slot, x| *slot += x),
        Combine::Max => put(x, idx, split, start, out, |slot, x| {
            if x > *slot || x.is_nan() {
                *slot = x;
            }
        }),
        Combine::Min => put(x, idx, split, start, out, |slot, x| {
            if x < *slot || x.is_nan() {
                *slot = x;
            }
        }),
    }
}

/// Gives `step` each element with its place; says whether all places lie inside the axis.
fn put<T: Element>(
    x: &[T],
    idx: &[i64],
    split: Split,
    start: Start<'_, T>,
    out: &mut [T],
    step: impl Fn(&mut T, T) + Sync,
) -> bool {
    let Split { outer, axis, inner } = split;
    if out.is_empty() {
        return x.is_empty();
    }
    let count = x.len() / (outer * inner);
    let strips = inner.div_ceil(STRIP);
    let group = TASK.div_ceil(count.max(axis) * inner.min(STRIP));
    let units = outer * strips;
    let all_inside = AtomicBool::new(true);
    let out = Disjoint::new(out);
    par::for_each(units.div_ceil(group), 2 * x.len() + out.len(), |task| {
        let mut inside = true;
        for unit in task * group..units.min((task + 1) * group) {
            let (o, column) = (unit / strips, unit % strips * STRIP);
            let width = STRIP.min(inner - column);
            // A run of columns that is whole is one run of elements.
            let (runs, run) = if strips == 1 { (1, axis * inner) } else { (axis, width) };
            for a in 0..runs {
                let first = (o * axis + a) * inner + column;
                // SAFETY: each strip of each outer index belongs to one task.
                let out = unsafe { out.range(first..first + run) };
                match start {
                    Start::Zeros => out.fill(T::default()),
                    Start::Copy(from) => out.copy_from_slice(&from[first..first + run]),
                }
            }
            if inner == 1 {
                // SAFETY: as above.
                let out = unsafe { out.range(o * axis..(o + 1) * axis) };
                let part = o * count..(o + 1) * count;
                for (&x, &at) in x[part.clone()].iter().zip(&idx[part]) {
                    match out.get_mut(at as usize) {
                        Some(slot) => step(slot, x),
                        None => inside = false,
                    }
                }
                continue;
            }
            for j in 0..count {
                let row = (o * count + j) * inner + column;
                let (x, idx) = (&x[row..row + width], &idx[row..row + width]);
                for (i, (&x, &at)) in x.iter().zip(idx).enumerate() {
                    if at as usize >= axis {
                        inside = false;
                        continue;
                    }
                    let to = (o * axis + at as usize) * inner + column + i;
                    // SAFETY: as above.
                    let slot = unsafe { out.range(to..to + 1) };
                    step(&mut slot[0], x);
                }
            }
        }
        if !inside {
            all_inside.store(false, Ordering::Relaxed);
        }
    });
    all_inside.into_inner()
}

/// `out[o, idx[j], i] += x[o, j, i]`: adds whole rows along an axis; an embedding's backward.
///
/// `out` is seen as `split`, `x` as `[outer, idx.len(), inner]`. Each element receives its terms in
/// rising order of `j`. Wide rows are sorted by their places first, so that each row of the output
/// is written once, with all that it receives.
///
/// # Errors
/// When an index lies outside the axis; `out` then holds anything.
///
/// # Panics
/// When the lengths do not fit.
pub fn index_add<T: Float>(
    x: &[T],
    idx: &[i64],
    split: Split,
    start: Start<'_, T>,
    out: &mut [T],
) -> Result<(), BadIndex> {
    let Split { outer, axis, inner } = split;
    assert!(
        out.len() == split.elements() && x.len() == outer * idx.len() * inner,
        "index_add: needs {} results and {} elements; got {} and {}",
        split.elements(),
        outer * idx.len() * inner,
        out.len(),
        x.len()
    );
    if let Start::Copy(from) = start {
        assert_eq!(from.len(), out.len(), "index_add: elements to start with");
    }
    check(idx, axis)?;
    if out.is_empty() {
        return Ok(());
    }
    if inner >= WIDE {
        per_float!(T: add_by_rows(
            x: &[T], idx: &[i64], split: Split, start: Start<'_, T>, out: &mut [T]
        ))
    } else {
        per_float!(T: add_narrow(
            x: &[T], idx: &[i64], split: Split, start: Start<'_, T>, out: &mut [T]
        ))
    }
    Ok(())
}

/// Rows of at least this many elements are worth a sort of their places.
const WIDE: usize = 32;

/// Row after row of the output, each in strips if there are few rows or if they are very wide.
fn add_by_rows<T: Float>(x: &[T], idx: &[i64], split: Split, start: Start<'_, T>, out: &mut [T]) {
    let Split { outer, axis, inner } = split;
    let strip = if axis < 16 { STRIP } else { 4 * STRIP };
    let strips = inner.div_ceil(strip);
    let group = TASK.div_ceil(inner.min(strip) * (1 + idx.len() / axis));
    let groups = axis.div_ceil(group);
    let work = x.len() + out.len();
    let out = Disjoint::new(out);
    scratch::with(axis + idx.len(), |places: &mut [i64]| {
        let (ends, order) = places.split_at_mut(axis);
        sort_places(idx, ends, order);
        let (ends, order) = (&*ends, &*order);
        par::for_each(outer * groups * strips, work, |unit| {
            let (rest, column) = (unit / strips, unit % strips * strip);
            let (o, first) = (rest / groups, rest % groups * group);
            let width = strip.min(inner - column);
            arch::inlined_narrow(
                #[inline(always)]
                || {
                    for a in first..axis.min(first + group) {
                        let to = (o * axis + a) * inner + column;
                        // SAFETY: each strip of each row belongs to one unit.
                        let out = unsafe { out.range(to..to + width) };
                        match start {
                            Start::Zeros => out.fill(T::ZERO),
                            Start::Copy(from) => out.copy_from_slice(&from[to..to + width]),
                        }
                        let begin = if a == 0 { 0 } else { ends[a - 1] as usize };
                        for &j in &order[begin..ends[a] as usize] {
                            let row = (o * idx.len() + j as usize) * inner + column;
                            for (out, &x) in out.iter_mut().zip(&x[row..row + width]) {
                                *out += x;
                            }
                        }
                    }
                },
            );
        });
    });
}

/// Which indices name each place, in rising order: place `a` is named by those from `ends[a - 1]`
/// to `ends[a]` of `order`.
fn sort_places(idx: &[i64], ends: &mut [i64], order: &mut [i64]) {
    ends.fill(0);
    for &at in idx {
        ends[at as usize] += 1;
    }
    let mut begin = 0;
    for end in ends.iter_mut() {
        begin += std::mem::replace(end, begin);
    }
    for (j, &at) in idx.iter().enumerate() {
        let end = &mut ends[at as usize];
        order[*end as usize] = j as i64;
        *end += 1;
    }
}

/// Row after row of the input: each outer index is one task.
fn add_narrow<T: Float>(x: &[T], idx: &[i64], split: Split, start: Start<'_, T>, out: &mut [T]) {
    let Split { outer, axis, inner } = split;
    let work = x.len() + out.len();
    let out = Disjoint::new(out);
    par::for_each(outer, work, |o| {
        // SAFETY: each outer index is one unit.
        let out = unsafe { out.range(o * axis * inner..(o + 1) * axis * inner) };
        match start {
            Start::Zeros => out.fill(T::ZERO),
            Start::Copy(from) => out.copy_from_slice(&from[o * axis * inner..][..axis * inner]),
        }
        let rows = x[o * idx.len() * inner..].chunks_exact(inner);
        for (&at, x) in idx.iter().zip(rows) {
            let out = &mut out[at as usize * inner..][..inner];
            for (out, &x) in out.iter_mut().zip(x) {
                *out += x;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::index_select;
    use crate::testing::{assert_same_on_threads, bits, indices, values};

    /// Puts element by element, as the documentation says.
    fn naive(
        x: &[f64],
        idx: &[i64],
        split: Split,
        start: Start<'_, f64>,
        out: &mut [f64],
        step: fn(f64, f64) -> f64,
    ) {
        let Split { outer, axis, inner } = split;
        match start {
            Start::Zeros => out.fill(0.0),
            Start::Copy(from) => out.copy_from_slice(from),
        }
        let count = x.len() / (outer * inner).max(1);
        for (at, &x) in x.iter().enumerate() {
            let (o, i) = (at / inner / count, at % inner);
            let to = (o * axis + idx[at] as usize) * inner + i;
            out[to] = step(out[to], x);
        }
    }

    #[test]
    fn scatters_equal_their_twins() {
        for (outer, axis, inner, count) in
            [(2, 3, 2, 5), (1, 50, 300, 90), (1, 40, 1, 30_000), (700, 3, 1, 20), (1, 4, 3, 0)]
        {
            let split = Split { outer, axis, inner };
            let x: Vec<f64> = values(outer * count * inner, 1);
            let idx = indices(x.len(), axis, 2);
            let run = |kernel: &dyn Fn(&mut [f64])| {
                let mut out = vec![7.0; split.elements()];
                kernel(&mut out);
                out
            };
            let from: Vec<f64> = values(split.elements(), 3);
            type Step = fn(f64, f64) -> f64;
            let reduced: [(Combine, Step); 3] =
                [(Combine::Sum, |a, b| a + b), (Combine::Max, f64::max), (Combine::Min, f64::min)];
            for (how, step) in reduced {
                for start in [Start::Zeros, Start::Copy(&from)] {
                    let reduce = |out: &mut [f64]| {
                        scatter_reduce(&x, &idx, split, how, start, out).unwrap();
                    };
                    let want = run(&|out| naive(&x, &idx, split, start, out, step));
                    assert_eq!(run(&reduce), want, "{how:?}");
                    assert_same_on_threads(|| bits(&run(&reduce)));
                }
            }
            let start = Start::Copy(&from[..]);
            let last = |out: &mut [f64]| scatter(&x, &idx, split, start, out).unwrap();
            assert_eq!(run(&last), run(&|out| naive(&x, &idx, split, start, out, |_, x| x)));
            assert_same_on_threads(|| bits(&run(&last)));
        }
    }

    #[test]
    fn nan_wins() {
        let split = Split { outer: 1, axis: 2, inner: 1 };
        for how in [Combine::Max, Combine::Min] {
            let (mut out, x) = ([0.0; 2], [f64::NAN, 1.0, 1.0, -1.0]);
            let start = Start::Copy(&[0.0, f64::NAN]);
            scatter_reduce(&x, &[0, 0, 1, 1], split, how, start, &mut out).unwrap();
            assert!(out.iter().all(|x| x.is_nan()), "{how:?} {out:?}");
        }
    }

    #[test]
    fn indices_outside_are_named() {
        let split = Split { outer: 2, axis: 3, inner: 2 };
        for index in [-1, 3] {
            let bad = Err(BadIndex { position: 2, index, size: 3 });
            let idx = [0, 0, index, 0];
            assert_eq!(scatter(&[0.5f32; 4], &idx, split, Start::Zeros, &mut [0.0; 12]), bad);
            let sum = scatter_reduce(
                &[0.5f32; 4],
                &idx,
                split,
                Combine::Sum,
                Start::Zeros,
                &mut [0.0; 12],
            );
            assert_eq!(sum, bad);
            let flat = Split { outer: 1, axis: 3, inner: 1 };
            assert_eq!(scatter(&[true; 4], &idx, flat, Start::Zeros, &mut [false; 3]), bad);
        }
    }

    #[test]
    fn index_add_reverses_index_select() {
        for (outer, axis, inner, count) in [
            (2, 3, 2, 5),
            (1, 50, 300, 400),
            (2, 5, 600, 9),
            (1, 40, 2100, 30),
            (3, 1, 1, 4),
            (1, 4, 3, 0),
            (1, 4, 33, 0),
            (2, 3, 0, 2),
        ] {
            let split = Split { outer, axis, inner };
            let x: Vec<f64> = values(split.elements(), 1);
            let idx = indices(count, axis, 2);
            let mut picked = vec![f64::NAN; outer * count * inner];
            index_select(&x, split, &idx, &mut picked).unwrap();
            let ones = vec![1.0; x.len()];
            let mut want = ones.clone();
            for (at, &p) in picked.iter().enumerate() {
                let (o, j, i) = (at / inner / count, at / inner % count, at % inner);
                let from = (o * axis + idx[j] as usize) * inner + i;
                assert_eq!(p, x[from]);
                want[from] += p;
            }
            let add = || {
                let mut sums = vec![7.0; x.len()];
                index_add(&picked, &idx, split, Start::Copy(&ones), &mut sums).unwrap();
                sums
            };
            assert_eq!(add(), want);
            assert_same_on_threads(|| bits(&add()));
            let mut sums = vec![7.0; x.len()];
            index_add(&picked, &idx, split, Start::Zeros, &mut sums).unwrap();
            let whole = |sum: &f64, want: &f64| (sum + 1.0 - want).abs() < 1e-12;
            assert!(sums.iter().zip(&want).all(|(sum, want)| whole(sum, want)));
        }
        let split = Split { outer: 2, axis: 3, inner: 2 };
        let bad = BadIndex { position: 1, index: 3, size: 3 };
        assert_eq!(index_select(&[0.0f32; 12], split, &[0, 3], &mut [0.0; 8]), Err(bad));
        let added = index_add(&[0.0f32; 8], &[0, 3], split, Start::Zeros, &mut [0.0; 12]);
        assert_eq!(added, Err(bad));
    }
}
