//! Loops that show what the machine can do at best: multiply-adds from registers, and streams.
//!
//! Benches compare kernels with these rates. The caller holds the watch: nothing here reads a
//! clock.

use std::hint::black_box;

use pulp::{Simd, WithSimd};

use crate::simd::Vector;
use crate::{arch, par};

/// Independent sums: enough to hide the latency of a fused multiply-add on every machine of today.
const SUMS: usize = 12;

/// Runs `rounds` rounds of multiply-adds in registers on the present instruction set, once on each
/// of `threads` threads; returns how many floating-point operations that were.
pub fn multiply_adds(rounds: usize, threads: usize) -> f64 {
    struct Burst(usize);
    impl WithSimd for Burst {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> usize {
            let factor = Vector::<f32, S>::splat(simd, black_box(0.999_999));
            let term = Vector::<f32, S>::splat(simd, black_box(1e-6));
            let mut sums = [factor; SUMS];
            for _ in 0..self.0 {
                for sum in &mut sums {
                    *sum = sum.mul_add(factor, term);
                }
            }
            let total = sums.into_iter().fold(term, |total, sum| total + sum);
            black_box(total.reduce_sum());
            S::F32_LANES
        }
    }
    let mut lanes = vec![0; threads];
    par::chunks_mut(&mut lanes, 1, usize::MAX, |_, lanes| lanes[0] = arch::dispatch(Burst(rounds)));
    lanes.iter().map(|&lanes| (2 * SUMS * lanes * rounds) as f64).sum()
}

/// The triad `y = a + 2 b` over slices, `rounds` times, each of `parts` parts of the slices on a
/// thread that is free; returns the bytes moved, counting two reads and a write.
///
/// # Panics
/// When the slices differ in length.
pub fn triad(a: &[f32], b: &[f32], y: &mut [f32], rounds: usize, parts: usize) -> f64 {
    assert!(a.len() == b.len() && a.len() == y.len(), "triad: needs slices of one length");
    let bytes = (3 * 4 * y.len() * rounds) as f64;
    let part = y.len().div_ceil(parts.max(1)).max(1);
    par::chunks_mut(y, part, usize::MAX, |i, y| {
        let (a, b) = (&a[i * part..][..y.len()], &b[i * part..][..y.len()]);
        for _ in 0..rounds {
            arch::dispatch(Triad { a: black_box(a), b, y: &mut *y });
        }
    });
    bytes
}

struct Triad<'a> {
    a: &'a [f32],
    b: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for Triad<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = S::F32_LANES;
        let two = Vector::<f32, S>::splat(simd, 2.0);
        let inputs = self.a.chunks_exact(width).zip(self.b.chunks_exact(width));
        for (y, (a, b)) in self.y.chunks_exact_mut(width).zip(inputs) {
            let sum = Vector::load(simd, b).mul_add(two, Vector::load(simd, a));
            sum.store(y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loops_do_what_they_count() {
        assert!(multiply_adds(10, 2) >= 2.0 * 10.0 * 2.0 * SUMS as f64);
        let (a, b) = (vec![1.0; 64], vec![2.0; 64]);
        let mut y = vec![0.0; 64];
        assert_eq!(triad(&a, &b, &mut y, 3, 2), 3.0 * 3.0 * 4.0 * 64.0);
        assert_eq!(y, [5.0; 64]);
    }
}
