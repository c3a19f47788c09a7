//! Running sums and products along an axis.

use super::Split;
use crate::disjoint::Disjoint;
use crate::element::{Float, per_float};
use crate::{arch, par};

/// Columns of a unit of work.
const STRIP: usize = 256;

/// Running sums: `out[a] = x[0] + ... + x[a]` along the axis, kept in `f64`.
///
/// # Panics
/// If the lengths do not fit the split.
pub fn cumsum<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    check("cumsum", x.len(), split, out.len());
    per_float!(T: cumsum_split(x: &[T], split: Split, out: &mut [T]))
}

/// Running products: `out[a] = x[0] ... x[a]` along the axis, kept in `f64`.
///
/// # Panics
/// If the lengths do not fit the split.
pub fn cumprod<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    check("cumprod", x.len(), split, out.len());
    per_float!(T: cumprod_split(x: &[T], split: Split, out: &mut [T]))
}

#[track_caller]
fn check(kernel: &str, elements: usize, split: Split, out: usize) {
    assert!(
        elements == split.elements() && out == elements,
        "{kernel}: needs {} elements in and out for {split:?}; got {elements} and {out}",
        split.elements(),
    );
}

fn cumsum_split<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    scan(x, split, out, 0.0, |sum, x| sum + x);
}

fn cumprod_split<T: Float>(x: &[T], split: Split, out: &mut [T]) {
    scan(x, split, out, 1.0, |product, x| product * x);
}

fn scan<T: Float>(
    x: &[T],
    split: Split,
    out: &mut [T],
    start: f64,
    step: impl Fn(f64, f64) -> f64 + Sync,
) {
    let Split { outer, axis, inner } = split;
    if x.is_empty() {
        return;
    }
    let strips = inner.div_ceil(STRIP);
    let out = Disjoint::new(out);
    par::for_each(outer * strips, x.len(), |unit| {
        let (o, column) = (unit / strips, unit % strips * STRIP);
        let width = STRIP.min(inner - column);
        arch::dispatch(
            #[inline(always)]
            || {
                let mut running = [start; STRIP];
                for a in 0..axis {
                    let first = (o * axis + a) * inner + column;
                    // SAFETY: each strip of an outer index belongs to one unit.
                    let out = unsafe { out.range(first..first + width) };
                    let x = &x[first..first + width];
                    for ((out, &x), running) in out.iter_mut().zip(x).zip(&mut running) {
                        *running = step(*running, x.to_f64());
                        *out = T::from_f64(*running);
                    }
                }
            },
        );
    });
}
