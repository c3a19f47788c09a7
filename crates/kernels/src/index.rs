//! Indexing by integers: gather elements along an axis, and add elements to places along one.

use std::fmt;

use crate::disjoint::Disjoint;
use crate::reduce::Split;
use crate::{Element, Float, par};

/// Elements of a task that copies rows.
const TASK: usize = 16 * 1024;

/// Columns that one task owns.
const STRIP: usize = 128;

/// An index that lies outside its axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadIndex {
    /// Where among the indices, in row-major order.
    pub position: usize,
    /// The index found there.
    pub index: i64,
    /// The length of the axis; indices are below it and not negative.
    pub size: usize,
}

impl fmt::Display for BadIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "needs indices from 0 to {}; got {} at position {}",
            self.size as i64 - 1,
            self.index,
            self.position
        )
    }
}

/// Checks that all indices lie inside an axis of `size`.
///
/// # Errors
/// The first index that does not.
pub fn check(idx: &[i64], size: usize) -> Result<(), BadIndex> {
    // The negative ones turn into huge numbers.
    match idx.iter().position(|&i| i as u64 >= size as u64) {
        Some(position) => Err(BadIndex { position, index: idx[position], size }),
        None => Ok(()),
    }
}

/// `out[o, j, i] = x[o, idx[o, j, i], i]`: picks along an axis.
///
/// `x` is seen as `split`, `idx` and `out` as `[outer, count, inner]`.
///
/// # Errors
/// When an index lies outside the axis; `out` is then as it was.
///
/// # Panics
/// When the lengths do not fit.
pub fn gather<T: Element>(
    x: &[T],
    split: Split,
    idx: &[i64],
    out: &mut [T],
) -> Result<(), BadIndex> {
    assert!(
        x.len() == split.elements() && idx.len() == out.len(),
        "gather: needs {} elements and as many indices as results; got {}, {} and {}",
        split.elements(),
        x.len(),
        idx.len(),
        out.len()
    );
    check(idx, split.axis)?;
    let (inner, per_outer) = (split.inner, out.len() / split.outer.max(1));
    if out.is_empty() {
        return Ok(());
    }
    let plane = split.axis * inner;
    par::chunks_mut(out, per_outer, 4 * idx.len(), |o, out| {
        let (x, idx) = (&x[o * plane..][..plane], &idx[o * per_outer..][..per_outer]);
        for (out, idx) in out.chunks_mut(inner).zip(idx.chunks(inner)) {
            for (i, (out, &at)) in out.iter_mut().zip(idx).enumerate() {
                *out = x[at as usize * inner + i];
            }
        }
    });
    Ok(())
}

/// `out[o, idx[o, j, i], i] += x[o, j, i]`: adds along an axis, in rising order of `j`.
///
/// `out` is seen as `split`, `idx` and `x` as `[outer, count, inner]`.
///
/// # Errors
/// When an index lies outside the axis; `out` is then as it was.
///
/// # Panics
/// When the lengths do not fit.
pub fn scatter_add<T: Float>(
    x: &[T],
    idx: &[i64],
    split: Split,
    out: &mut [T],
) -> Result<(), BadIndex> {
    assert!(
        out.len() == split.elements() && idx.len() == x.len(),
        "scatter_add: needs {} results and as many indices as elements; got {}, {} and {}",
        split.elements(),
        out.len(),
        idx.len(),
        x.len()
    );
    check(idx, split.axis)?;
    let (inner, per_outer) = (split.inner, x.len() / split.outer.max(1));
    if x.is_empty() {
        return Ok(());
    }
    par::chunks_mut(out, split.axis * inner, 4 * idx.len(), |o, out| {
        let (x, idx) = (&x[o * per_outer..][..per_outer], &idx[o * per_outer..][..per_outer]);
        for (x, idx) in x.chunks(inner).zip(idx.chunks(inner)) {
            for (i, (&x, &at)) in x.iter().zip(idx).enumerate() {
                out[at as usize * inner + i] += x;
            }
        }
    });
    Ok(())
}

/// `out[o, j, i] = x[o, idx[j], i]`: picks whole rows along an axis; an embedding's forward.
///
/// `x` is seen as `split`, `out` as `[outer, idx.len(), inner]`.
///
/// # Errors
/// When an index lies outside the axis; `out` is then as it was.
///
/// # Panics
/// When the lengths do not fit.
pub fn index_select<T: Element>(
    x: &[T],
    split: Split,
    idx: &[i64],
    out: &mut [T],
) -> Result<(), BadIndex> {
    let Split { outer, axis, inner } = split;
    assert!(
        x.len() == split.elements() && out.len() == outer * idx.len() * inner,
        "index_select: needs {} elements and {} results; got {} and {}",
        split.elements(),
        outer * idx.len() * inner,
        x.len(),
        out.len()
    );
    check(idx, axis)?;
    if out.is_empty() {
        return Ok(());
    }
    let rows = TASK.div_ceil(inner);
    par::chunks_mut(out, rows * inner, idx.len() * outer * inner / 2, |task, out| {
        for (row, out) in (task * rows..).zip(out.chunks_exact_mut(inner)) {
            let (o, at) = (row / idx.len(), idx[row % idx.len()] as usize);
            out.copy_from_slice(&x[(o * axis + at) * inner..][..inner]);
        }
    });
    Ok(())
}

/// `out[o, idx[j], i] += x[o, j, i]`: adds whole rows along an axis; an embedding's backward.
///
/// `out` is seen as `split`, `x` as `[outer, idx.len(), inner]`. Threads own columns, and each
/// element receives its terms in rising order of `j`, whatever their number.
///
/// # Errors
/// When an index lies outside the axis; `out` is then as it was.
///
/// # Panics
/// When the lengths do not fit.
pub fn index_add<T: Float>(
    x: &[T],
    idx: &[i64],
    split: Split,
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
    check(idx, axis)?;
    if x.is_empty() {
        return Ok(());
    }
    let strips = inner.div_ceil(STRIP);
    let out = Disjoint::new(out);
    par::for_each(outer * strips, x.len(), |unit| {
        let (o, column) = (unit / strips, unit % strips * STRIP);
        let width = STRIP.min(inner - column);
        for (j, &at) in idx.iter().enumerate() {
            let to = (o * axis + at as usize) * inner + column;
            let x = &x[(o * idx.len() + j) * inner + column..][..width];
            // SAFETY: each strip of each outer index belongs to one unit.
            let out = unsafe { out.range(to..to + width) };
            for (out, &x) in out.iter_mut().zip(x) {
                *out += x;
            }
        }
    });
    Ok(())
}

/// `out[j, c] = 1` where `c` is `idx[j]`, else 0; `out` is `[idx.len(), classes]`.
///
/// # Errors
/// When an index is no class; `out` is then as it was.
///
/// # Panics
/// When the lengths do not fit.
pub fn one_hot<T: Element>(idx: &[i64], classes: usize, out: &mut [T]) -> Result<(), BadIndex> {
    assert!(
        out.len() == idx.len() * classes,
        "one_hot: needs {} results; got {}",
        idx.len() * classes,
        out.len()
    );
    check(idx, classes)?;
    out.fill(T::default());
    for (&at, row) in idx.iter().zip(out.chunks_mut(classes.max(1))) {
        row[at as usize] = T::from_bool(true);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPLIT: Split = Split { outer: 2, axis: 3, inner: 2 };

    #[test]
    fn scatter_add_reverses_gather() {
        let x: Vec<f64> = (0..12).map(f64::from).collect();
        let idx = [2, 0, 2, 1, 0, 0, 1, 2];
        let mut picked = [f64::NAN; 8];
        gather(&x, SPLIT, &idx, &mut picked).unwrap();
        assert_eq!(picked, [4.0, 1.0, 4.0, 3.0, 6.0, 7.0, 8.0, 11.0]);
        let mut sums = [0.0; 12];
        scatter_add(&picked, &idx, SPLIT, &mut sums).unwrap();
        assert_eq!(sums, [0.0, 1.0, 0.0, 3.0, 8.0, 0.0, 6.0, 7.0, 8.0, 0.0, 0.0, 11.0]);
    }

    #[test]
    fn indices_outside_are_named() {
        let x = [0.0f32; 12];
        let mut out = [7.0; 4];
        for bad in [-1, 3] {
            let error = gather(&x, SPLIT, &[0, 0, bad, 0], &mut out).unwrap_err();
            assert_eq!(error, BadIndex { position: 2, index: bad, size: 3 });
        }
        assert_eq!(out, [7.0; 4]);
    }

    #[test]
    fn index_add_reverses_index_select() {
        use crate::testing::{assert_same_on_threads, bits, indices, values};
        for (outer, axis, inner, count) in
            [(2, 3, 2, 5), (1, 50, 300, 400), (3, 1, 1, 4), (1, 4, 3, 0), (2, 3, 0, 2)]
        {
            let split = Split { outer, axis, inner };
            let x: Vec<f64> = values(split.elements(), 1);
            let idx = indices(count, axis, 2);
            let mut picked = vec![f64::NAN; outer * count * inner];
            index_select(&x, split, &idx, &mut picked).unwrap();
            let mut want = vec![1.0; x.len()];
            for (at, &p) in picked.iter().enumerate() {
                let (o, j, i) = (at / inner / count, at / inner % count, at % inner);
                let from = (o * axis + idx[j] as usize) * inner + i;
                assert_eq!(p, x[from]);
                want[from] += p;
            }
            let add = || {
                let mut sums = vec![1.0; x.len()];
                index_add(&picked, &idx, split, &mut sums).unwrap();
                sums
            };
            assert_eq!(add(), want);
            assert_same_on_threads(|| bits(&add()));
        }
        let bad = BadIndex { position: 1, index: 3, size: 3 };
        assert_eq!(index_select(&[0.0f32; 12], SPLIT, &[0, 3], &mut [0.0; 8]), Err(bad));
        assert_eq!(index_add(&[0.0f32; 8], &[0, 3], SPLIT, &mut [0.0; 12]), Err(bad));
    }

    #[test]
    fn one_hot_marks_the_class() {
        let mut out = [7i64; 6];
        one_hot(&[2, 0], 3, &mut out).unwrap();
        assert_eq!(out, [0, 0, 1, 1, 0, 0]);
        let bad = BadIndex { position: 0, index: -1, size: 3 };
        assert_eq!(one_hot(&[-1], 3, &mut [0.5f32; 3]), Err(bad));
    }
}
