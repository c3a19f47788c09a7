//! Indexing by integers: gather elements along an axis, and add elements to places along one.

use std::fmt;

use crate::reduce::Split;
use crate::{Element, Float, par};

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
}
