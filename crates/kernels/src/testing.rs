//! What the unit tests of kernels share: values, tolerances, instruction sets, threads.

use std::fmt::Debug;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::arch;
use crate::element::Float;

/// `len` values, roughly normal, of both signs.
pub(crate) fn values<T: Float>(len: usize, seed: u64) -> Vec<T> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut uniform = || rng.random_range(-1.0..1.0f64);
    (0..len).map(|_| T::from_f64(uniform() + uniform() + uniform())).collect()
}

/// `len` whole numbers below `end`.
pub(crate) fn indices(len: usize, end: usize, seed: u64) -> Vec<i64> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..len).map(|_| rng.random_range(0..end as i64)).collect()
}

/// The same values in `f64`, for naive twins.
pub(crate) fn wide<T: Float>(x: &[T]) -> Vec<f64> {
    x.iter().map(|x| x.to_f64()).collect()
}

/// Checks `|got - want| <= bound(i)` for every element i; NaN and infinities must be equal.
#[track_caller]
pub(crate) fn assert_within<T: Float>(
    context: impl Debug,
    got: &[T],
    want: &[f64],
    bound: impl Fn(usize) -> f64,
) {
    assert_eq!(got.len(), want.len(), "{context:?}: lengths");
    for (i, (got, &want)) in got.iter().zip(want).enumerate() {
        let (got, bound) = (got.to_f64(), bound(i));
        let equal = got == want || got.is_nan() && want.is_nan();
        let close = equal || (got - want).abs() <= bound;
        assert!(close, "{context:?}: [{i}] {got} != {want} within {bound:e}");
    }
}

/// Runs a check with each instruction set of the machine forced.
pub(crate) fn on_each_isa(check: impl Fn(arch::Isa)) {
    for &isa in arch::available() {
        arch::with(isa, || check(isa));
    }
}

/// Runs a kernel on 1, 2, 3 and 8 threads and checks that the results are equal.
#[track_caller]
pub(crate) fn assert_same_on_threads<R: PartialEq + Debug + Send>(run: impl Fn() -> R + Sync) {
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().expect("threads start").install(&run)
    };
    let one = on(1);
    for threads in [2, 3, 8] {
        assert!(on(threads) == one, "{threads} threads change the result");
    }
}

/// The bits of floats, so that NaN equals itself and -0 differs from 0.
pub(crate) fn bits<T: Float>(x: &[T]) -> Vec<u64> {
    x.iter().map(|x| x.to_bits_u64()).collect()
}
