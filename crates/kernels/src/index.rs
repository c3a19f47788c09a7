//! Indexing by integers: elements and rows picked along an axis, one-hot rows, places of truth.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::disjoint::Disjoint;
use crate::element::per_element;
use crate::reduce::Split;
use crate::{Element, arch, par};

/// Elements of a task.
const TASK: usize = 16 * 1024;

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
    let outside = |&i: &i64| i as u64 >= size as u64;
    let is_bad = |block: &[i64]| block.iter().fold(false, |bad, i| bad | outside(i));
    let any_bad = arch::inlined_narrow(
        #[inline(always)]
        || idx.chunks(1024).any(is_bad),
    );
    match any_bad.then(|| idx.iter().position(outside)).flatten() {
        Some(position) => Err(BadIndex { position, index: idx[position], size }),
        None => Ok(()),
    }
}

/// What a kernel that met indices outside the axis returns: the first of them.
pub(crate) fn verdict(all_inside: bool, idx: &[i64], size: usize) -> Result<(), BadIndex> {
    if all_inside { Ok(()) } else { check(idx, size) }
}

/// `out[o, j, i] = x[o, idx[o, j, i], i]`: picks along an axis.
///
/// `x` is seen as `split`, `idx` and `out` as `[outer, count, inner]`.
///
/// # Errors
/// When an index lies outside the axis; `out` then holds anything.
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
    if out.is_empty() {
        return Ok(());
    }
    let inside = per_element!(
        T: pick(x: &[T], split: Split, idx: &[i64], out: &mut [T]) -> bool
    );
    verdict(inside, idx, split.axis)
}

/// [`gather`]; says whether all indices lie inside the axis.
fn pick<T: Element>(x: &[T], split: Split, idx: &[i64], out: &mut [T]) -> bool {
    let Split { outer, axis, inner } = split;
    let count = out.len() / (outer * inner);
    let group = TASK.div_ceil(inner);
    let parts = count.div_ceil(group);
    let all_inside = AtomicBool::new(true);
    let out = Disjoint::new(out);
    par::for_each(outer * parts, 3 * idx.len(), |task| {
        let (o, first) = (task / parts, task % parts * group);
        let range = (o * count + first) * inner..(o * count + count.min(first + group)) * inner;
        // SAFETY: each part of each outer index belongs to one task.
        let out = unsafe { out.range(range.clone()) };
        let (x, idx) = (&x[o * axis * inner..][..axis * inner], &idx[range]);
        let mut inside = true;
        if inner == 1 {
            for (out, &at) in out.iter_mut().zip(idx) {
                let found = x.get(at as usize);
                inside &= found.is_some();
                *out = found.copied().unwrap_or_default();
            }
        } else {
            for (out, idx) in out.chunks_exact_mut(inner).zip(idx.chunks_exact(inner)) {
                for (i, (out, &at)) in out.iter_mut().zip(idx).enumerate() {
                    let at = at as usize;
                    inside &= at < axis;
                    *out = if at < axis { x[at * inner + i] } else { T::default() };
                }
            }
        }
        if !inside {
            all_inside.store(false, Ordering::Relaxed);
        }
    });
    all_inside.into_inner()
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

/// The indices of the elements of `mask`, of shape `shape`, that are set: `out` is
/// `[count of them, axes]`, in row-major order.
///
/// # Panics
/// When the lengths do not fit.
pub fn nonzero(mask: &[bool], shape: &[usize], out: &mut [i64]) {
    let rank = shape.len();
    let count = mask.iter().filter(|&&set| set).count();
    assert!(
        mask.len() == shape.iter().product::<usize>() && out.len() == count * rank,
        "nonzero: needs a mask of shape {shape:?} and {} results; got {} and {}",
        count * rank,
        mask.len(),
        out.len()
    );
    let mut left = out;
    for (flat, _) in mask.iter().enumerate().filter(|&(_, &set)| set) {
        let (row, rest) = left.split_at_mut(rank);
        let mut part = flat;
        for (slot, &size) in row.iter_mut().zip(shape).rev() {
            *slot = (part % size) as i64;
            part /= size;
        }
        left = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same_on_threads, bits, indices, values};

    const SPLIT: Split = Split { outer: 2, axis: 3, inner: 2 };

    #[test]
    fn gather_equals_its_twin() {
        for (outer, axis, inner, count) in
            [(2, 3, 2, 2), (1, 50, 1, 40_000), (1, 70, 300, 90), (3, 1, 1, 4), (1, 4, 3, 0)]
        {
            let split = Split { outer, axis, inner };
            let x: Vec<f64> = values(split.elements(), 1);
            let idx = indices(outer * count * inner, axis, 2);
            let pick = || {
                let mut picked = vec![f64::NAN; idx.len()];
                gather(&x, split, &idx, &mut picked).unwrap();
                picked
            };
            for (at, p) in pick().into_iter().enumerate() {
                let (o, i) = (at / inner / count, at % inner);
                assert_eq!(p, x[(o * axis + idx[at] as usize) * inner + i]);
            }
            assert_same_on_threads(|| bits(&pick()));
        }
    }

    #[test]
    fn nonzero_walks_row_by_row() {
        let mut out = [9; 6];
        nonzero(&[true, false, false, false, true, true], &[2, 3], &mut out);
        assert_eq!(out, [0, 0, 1, 1, 1, 2]);
        nonzero(&[true], &[], &mut []);
    }

    #[test]
    fn indices_outside_are_named() {
        let x = [0.0f32; 12];
        let mut out = [7.0; 4];
        for bad in [-1, 3] {
            let error = gather(&x, SPLIT, &[0, 0, bad, 0], &mut out).unwrap_err();
            assert_eq!(error, BadIndex { position: 2, index: bad, size: 3 });
        }
        assert_eq!(check(&[0, 0, 3, 0], 3), Err(BadIndex { position: 2, index: 3, size: 3 }));
        assert_eq!(check(&[0, 2], 3), Ok(()));
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
