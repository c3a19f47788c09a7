//! Maximum pooling: values and the taps they come from, and the two linear maps along those taps.

use std::ops::Range;

use pulp::Simd;

use super::taps::{Taps, TapsMut};
use super::walk::{Fold, Walk};
use super::{Pool, unravel};
use crate::element::{Float, per_float};
use crate::simd::Vector;

/// `y = max x` over each window, and the number of the tap that it comes from, as
/// [`Pool::taps_len`] says.
///
/// The first of equal elements counts. NaN counts as the largest. A window without a place in the
/// input gives -inf and no tap.
///
/// # Panics
/// When lengths do not fit.
pub fn max_pool<T: Float>(x: &[T], pool: &Pool, y: &mut [T], taps: &mut [u8]) {
    check("max_pool", pool, x.len(), y.len(), taps);
    per_float!(T: forward(x: &[T], pool: &Pool, y: &mut [T], taps: &mut [u8]))
}

/// What each window finds at its tap: `y = x[tap]`, 0 without one.
///
/// # Panics
/// When lengths do not fit.
pub fn max_pool_gather<T: Float>(x: &[T], taps: &[u8], pool: &Pool, y: &mut [T]) {
    check("max_pool_gather", pool, x.len(), y.len(), taps);
    per_float!(T: gather(x: &[T], taps: &[u8], pool: &Pool, y: &mut [T]))
}

/// The transpose of [`max_pool_gather`]: `dx = Σ dy` over the windows whose tap is the place.
///
/// # Panics
/// When lengths do not fit.
pub fn max_pool_scatter<T: Float>(dy: &[T], taps: &[u8], pool: &Pool, dx: &mut [T]) {
    check("max_pool_scatter", pool, dx.len(), dy.len(), taps);
    per_float!(T: scatter(dy: &[T], taps: &[u8], pool: &Pool, dx: &mut [T]))
}

/// The position of each window's tap among the places of its image, in row-major order; -1
/// without one.
///
/// # Panics
/// When lengths do not fit.
pub fn max_pool_indices(taps: &[u8], pool: &Pool, indices: &mut [i64]) {
    check("max_pool_indices", pool, pool.input_len(), indices.len(), taps);
    let (taps, counts, channels) = (Taps::new(pool, taps), pool.taps(), pool.channels.max(1));
    let lens = [0, 1, 2].map(|at| pool.axes[at].len());
    for (place, indices) in indices.chunks_exact_mut(channels).enumerate() {
        let o = unravel(place % pool.places(), lens);
        indices.fill(-1);
        pool.window(o, counts, |at, number| {
            for (channel, index) in indices.iter_mut().enumerate() {
                if taps.get(place * channels + channel) == number {
                    *index = at as i64;
                }
            }
        });
    }
}

#[track_caller]
fn check(name: &str, pool: &Pool, x: usize, y: usize, taps: &[u8]) {
    pool.check(name, x, y);
    assert!(
        taps.len() == pool.taps_len(),
        "{name}: needs {} bytes of taps; got {}",
        pool.taps_len(),
        taps.len()
    );
}

fn forward<T: Float>(x: &[T], pool: &Pool, y: &mut [T], taps: &mut [u8]) {
    let none = T::from_usize(pool.no_tap());
    Walk::forward(pool).run(x, y, Max { taps: &TapsMut::new(pool, taps), none });
}

fn gather<T: Float>(x: &[T], taps: &[u8], pool: &Pool, y: &mut [T]) {
    Walk::forward(pool).run(x, y, Pick { taps: Taps::new(pool, taps) });
}

fn scatter<T: Float>(dy: &[T], taps: &[u8], pool: &Pool, dx: &mut [T]) {
    Walk::backward(pool).run(dy, dx, Collect { taps: Taps::new(pool, taps) });
}

/// The largest element, and its tap.
#[derive(Clone, Copy)]
struct Max<'a, T> {
    taps: &'a TapsMut<'a>,
    /// What stands for no tap.
    none: T,
}

impl<T: Float> Fold<T> for Max<'_, T> {
    /// The first tap, which -inf does not beat.
    #[inline(always)]
    fn place(self, _: [usize; 3], first: Option<T>) -> T {
        first.unwrap_or(self.none)
    }

    #[inline(always)]
    fn start<S: Simd>(self, simd: S, _: Range<usize>) -> [Vector<T, S>; 2] {
        [Vector::splat(simd, T::NEG_INFINITY), Vector::splat(simd, -T::ONE)]
    }

    #[inline(always)]
    fn add<S: Simd>(
        self,
        [best, tap]: [Vector<T, S>; 2],
        x: Vector<T, S>,
        _: Range<usize>,
        number: Vector<T, S>,
    ) -> [Vector<T, S>; 2] {
        let beats = best.less(x) | x.is_nan();
        [beats.select(x, best), beats.select(number, tap)]
    }

    #[inline(always)]
    fn finish<S: Simd>(
        self,
        [best, tap]: [Vector<T, S>; 2],
        first: Vector<T, S>,
        target: Range<usize>,
    ) -> Vector<T, S> {
        let tap = tap.less(tap.same(T::ZERO)).select(first, tap);
        // SAFETY: the walk comes once to each element of the target, and so to its tap.
        unsafe { self.taps.store(tap, target) };
        best
    }
}

/// The element at the tap of the window.
#[derive(Clone, Copy)]
struct Pick<'a> {
    taps: Taps<'a>,
}

impl<T: Float> Fold<T> for Pick<'_> {
    #[inline(always)]
    fn start<S: Simd>(self, simd: S, target: Range<usize>) -> [Vector<T, S>; 2] {
        [Vector::splat(simd, T::ZERO), self.taps.load(simd, target)]
    }

    #[inline(always)]
    fn add<S: Simd>(
        self,
        [picked, tap]: [Vector<T, S>; 2],
        x: Vector<T, S>,
        _: Range<usize>,
        number: Vector<T, S>,
    ) -> [Vector<T, S>; 2] {
        [tap.equal(number).select(x, picked), tap]
    }
}

/// The sum over the windows whose tap is the place.
#[derive(Clone, Copy)]
struct Collect<'a> {
    taps: Taps<'a>,
}

impl<T: Float> Fold<T> for Collect<'_> {
    #[inline(always)]
    fn add<S: Simd>(
        self,
        [sum, unused]: [Vector<T, S>; 2],
        dy: Vector<T, S>,
        source: Range<usize>,
        number: Vector<T, S>,
    ) -> [Vector<T, S>; 2] {
        let tap: Vector<T, S> = self.taps.load(dy.simd, source);
        [sum + tap.equal(number).select_or_zero(dy), unused]
    }
}
