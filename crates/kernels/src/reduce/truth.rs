//! Reductions of masks: any, all, count.

use super::Split;
use crate::par;

/// Whether any element along the axis is true; false where it is empty.
///
/// # Panics
/// If the lengths do not fit the split.
pub fn any(x: &[bool], split: Split, out: &mut [bool]) {
    split.check("any", x.len(), out.len());
    reduce(x, split, out, |count| count > 0);
}

/// Whether all elements along the axis are true; true where it is empty.
///
/// # Panics
/// If the lengths do not fit the split.
pub fn all(x: &[bool], split: Split, out: &mut [bool]) {
    split.check("all", x.len(), out.len());
    reduce(x, split, out, move |count| count as usize == split.axis);
}

/// How many elements along the axis are true.
///
/// # Panics
/// If the lengths do not fit the split.
pub fn count(x: &[bool], split: Split, out: &mut [i64]) {
    split.check("count", x.len(), out.len());
    reduce(x, split, out, |count| count);
}

fn reduce<R: Send>(x: &[bool], split: Split, out: &mut [R], finish: impl Fn(i64) -> R + Sync) {
    let Split { axis, inner, .. } = split;
    if out.is_empty() {
        return;
    }
    par::chunks_mut(out, inner, x.len(), |outer, out| {
        let x = &x[outer * axis * inner..][..axis * inner];
        if let [out] = out {
            *out = finish(x.iter().map(|&x| i64::from(x)).sum());
            return;
        }
        for (column, out) in out.iter_mut().enumerate() {
            let column = x[column.min(x.len())..].iter().step_by(inner);
            *out = finish(column.map(|&x| i64::from(x)).sum());
        }
    });
}
