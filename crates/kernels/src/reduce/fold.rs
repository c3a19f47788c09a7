//! What a reduction does with an element: one small type per reduction.

use crate::element::Float;

/// A reduction, element by element in `T`, then of partial results in `f64`.
pub(super) trait Fold<T: Float>: Copy + Sync {
    /// The result of no elements.
    fn start() -> T;
    /// The partial result with one element more.
    fn step(partial: T, x: T) -> T;
    /// Two partial results in one.
    fn join(a: T, b: T) -> T;
    /// Two widened partial results in one.
    fn merge(a: f64, b: f64) -> f64;
}

#[derive(Clone, Copy)]
pub(super) struct Sum;

impl<T: Float> Fold<T> for Sum {
    #[inline(always)]
    fn start() -> T {
        T::from_f64(0.0)
    }
    #[inline(always)]
    fn step(partial: T, x: T) -> T {
        partial + x
    }
    #[inline(always)]
    fn join(a: T, b: T) -> T {
        a + b
    }
    #[inline(always)]
    fn merge(a: f64, b: f64) -> f64 {
        a + b
    }
}

#[derive(Clone, Copy)]
pub(super) struct SumSquares;

impl<T: Float> Fold<T> for SumSquares {
    #[inline(always)]
    fn start() -> T {
        T::from_f64(0.0)
    }
    #[inline(always)]
    fn step(partial: T, x: T) -> T {
        partial + x * x
    }
    #[inline(always)]
    fn join(a: T, b: T) -> T {
        a + b
    }
    #[inline(always)]
    fn merge(a: f64, b: f64) -> f64 {
        a + b
    }
}

#[derive(Clone, Copy)]
pub(super) struct Prod;

impl<T: Float> Fold<T> for Prod {
    #[inline(always)]
    fn start() -> T {
        T::from_f64(1.0)
    }
    #[inline(always)]
    fn step(partial: T, x: T) -> T {
        partial * x
    }
    #[inline(always)]
    fn join(a: T, b: T) -> T {
        a * b
    }
    #[inline(always)]
    fn merge(a: f64, b: f64) -> f64 {
        a * b
    }
}

#[derive(Clone, Copy)]
pub(super) struct Max;

impl<T: Float> Fold<T> for Max {
    #[inline(always)]
    fn start() -> T {
        T::from_f64(f64::NEG_INFINITY)
    }
    #[inline(always)]
    fn step(partial: T, x: T) -> T {
        // A NaN in x is taken; a NaN in partial stays, since both comparisons are then false.
        #[expect(clippy::eq_op, reason = "x != x is NaN's test in vector code")]
        let take = (x > partial) | (x != x);
        if take { x } else { partial }
    }
    #[inline(always)]
    fn join(a: T, b: T) -> T {
        Self::step(a, b)
    }
    #[inline(always)]
    fn merge(a: f64, b: f64) -> f64 {
        <Max as Fold<f64>>::step(a, b)
    }
}

#[derive(Clone, Copy)]
pub(super) struct Min;

impl<T: Float> Fold<T> for Min {
    #[inline(always)]
    fn start() -> T {
        T::from_f64(f64::INFINITY)
    }
    #[inline(always)]
    fn step(partial: T, x: T) -> T {
        #[expect(clippy::eq_op, reason = "x != x is NaN's test in vector code")]
        let take = (x < partial) | (x != x);
        if take { x } else { partial }
    }
    #[inline(always)]
    fn join(a: T, b: T) -> T {
        Self::step(a, b)
    }
    #[inline(always)]
    fn merge(a: f64, b: f64) -> f64 {
        <Min as Fold<f64>>::step(a, b)
    }
}
