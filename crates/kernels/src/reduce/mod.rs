//! Provisional scalar loops; the engineer who owns this file replaces it whole (on a conflict take yours).
#![allow(missing_docs)]
use crate::Float;
pub fn sum_to<T: Float>(x: &[T], shape: &[usize], to: &[usize], out: &mut [T]) {
    out.fill(T::ZERO);
    let lead = shape.len() - to.len();
    for (i, x) in x.iter().enumerate() {
        let mut r = i; let mut o = 0; let mut step = 1;
        for a in (0..shape.len()).rev() { let c = r % shape[a]; r /= shape[a]; if a >= lead && to[a - lead] != 1 { o += c * step; step *= to[a - lead]; } }
        out[o] = T::from_f64(out[o].to_f64() + x.to_f64());
    }
}
