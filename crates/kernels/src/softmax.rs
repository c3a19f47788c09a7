//! Provisional scalar loops; the engineer who owns this file replaces it whole (on a conflict take yours).
#![allow(missing_docs)]
use crate::Float;
pub fn softmax<T: Float>(x: &[T], cols: usize, y: &mut [T]) { for (x, y) in x.chunks(cols.max(1)).zip(y.chunks_mut(cols.max(1))) { let s: f64 = x.iter().map(|x| x.to_f64().exp()).sum(); for (x, y) in x.iter().zip(y) { *y = T::from_f64(x.to_f64().exp() / s); } } }
pub fn softmax_backward<T: Float>(y: &[T], dy: &[T], cols: usize, dx: &mut [T]) { for ((y, dy), dx) in y.chunks(cols.max(1)).zip(dy.chunks(cols.max(1))).zip(dx.chunks_mut(cols.max(1))) { let s: f64 = y.iter().zip(dy).map(|(y, d)| y.to_f64() * d.to_f64()).sum(); for i in 0..y.len() { dx[i] = T::from_f64(y[i].to_f64() * (dy[i].to_f64() - s)); } } }
