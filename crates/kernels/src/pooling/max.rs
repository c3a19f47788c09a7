//! Maximum pooling: values and the taps they come from, and the two linear maps along those taps.

use pulp::{Simd, WithSimd};

use super::{Pool, TASK, unravel};
use crate::element::{Float, per_float};
use crate::simd::Vector;
use crate::{arch, par};

/// `y = max x` over each window, and the number of the tap that it comes from, as a float.
///
/// The first of equal elements counts. NaN counts as the largest. A window without a place in the
/// input gives -inf and tap -1.
///
/// # Panics
/// When lengths do not fit.
pub fn max_pool<T: Float>(x: &[T], pool: &Pool, y: &mut [T], taps: &mut [T]) {
    pool.check("max_pool", x.len(), &[y.len(), taps.len()]);
    per_float!(T: forward(x: &[T], pool: &Pool, y: &mut [T], taps: &mut [T]))
}

/// What each window finds at its tap: `y = x[tap]`, 0 for tap -1.
///
/// # Panics
/// When lengths do not fit.
pub fn max_pool_gather<T: Float>(x: &[T], taps: &[T], pool: &Pool, y: &mut [T]) {
    pool.check("max_pool_gather", x.len(), &[taps.len(), y.len()]);
    per_float!(T: gather(x: &[T], taps: &[T], pool: &Pool, y: &mut [T]))
}

/// The transpose of [`max_pool_gather`]: `dx = Σ dy` over the windows whose tap is the place.
///
/// # Panics
/// When lengths do not fit.
pub fn max_pool_scatter<T: Float>(dy: &[T], taps: &[T], pool: &Pool, dx: &mut [T]) {
    pool.check("max_pool_scatter", dx.len(), &[taps.len(), dy.len()]);
    per_float!(T: scatter(dy: &[T], taps: &[T], pool: &Pool, dx: &mut [T]))
}

/// The position of each window's tap among the places of its image, in row-major order; -1 for
/// tap -1.
///
/// # Panics
/// When lengths do not fit.
pub fn max_pool_indices<T: Float>(taps: &[T], pool: &Pool, indices: &mut [i64]) {
    pool.check("max_pool_indices", pool.input_len(), &[taps.len(), indices.len()]);
    let (channels, counts) = (pool.channels.max(1), pool.taps());
    let lens = [0, 1, 2].map(|at| pool.axes[at].len());
    let rows = taps.chunks_exact(channels).zip(indices.chunks_exact_mut(channels));
    for (place, (taps, indices)) in rows.enumerate() {
        let o = unravel(place % pool.places(), lens);
        indices.fill(-1);
        pool.window(o, counts, |at, number| {
            for (tap, index) in taps.iter().zip(&mut *indices) {
                if tap.to_f64() == number as f64 {
                    *index = at as i64;
                }
            }
        });
    }
}

/// The taps of one output place: position in the input, and number.
type Taps<T> = Vec<(usize, T)>;

fn list_taps<T: Float>(pool: &Pool, place: usize, list: &mut Taps<T>) {
    let lens = [0, 1, 2].map(|at| pool.axes[at].len());
    let image = pool.input_len() / pool.batch.max(1);
    let (n, o) = (place / pool.places(), unravel(place % pool.places(), lens));
    list.clear();
    pool.window(o, pool.taps(), |at, number| {
        list.push((n * image + at * pool.channels, T::from_f64(number as f64)));
    });
}

fn forward<T: Float>(x: &[T], pool: &Pool, y: &mut [T], taps: &mut [T]) {
    if y.is_empty() {
        return;
    }
    let channels = pool.channels;
    let places = TASK.div_ceil(channels);
    let chunk = places * channels;
    let work = x.len() + y.len();
    par::chunks_mut2((y, chunk), (taps, chunk), work, |task, y, taps| {
        let mut list = Taps::new();
        let rows = y.chunks_exact_mut(channels).zip(taps.chunks_exact_mut(channels));
        for (at, (y, taps)) in rows.enumerate() {
            list_taps(pool, task * places + at, &mut list);
            arch::dispatch_for::<T, _>(Max { x, list: &list, y, taps });
        }
    });
}

struct Max<'a, T> {
    x: &'a [T],
    list: &'a [(usize, T)],
    y: &'a mut [T],
    taps: &'a mut [T],
}

impl<T: Float> WithSimd for Max<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = T::lanes::<S>();
        let rows = self.y.chunks_mut(lanes).zip(self.taps.chunks_mut(lanes));
        for (at, (y, taps)) in rows.enumerate() {
            let own = at * lanes..at * lanes + y.len();
            let mut best = Vector::splat(simd, T::NEG_INFINITY);
            let mut tap = Vector::splat(simd, -T::ONE);
            for (i, &(start, number)) in self.list.iter().enumerate() {
                let x = Vector::load(simd, &self.x[start + own.start..start + own.end]);
                let number = Vector::splat(simd, number);
                if i == 0 {
                    (best, tap) = (x, number);
                    continue;
                }
                let beats = best.less(x) | x.is_nan();
                best = beats.select(x, best);
                tap = beats.select(number, tap);
            }
            best.store(y);
            tap.store(taps);
        }
    }
}

fn gather<T: Float>(x: &[T], taps: &[T], pool: &Pool, y: &mut [T]) {
    if y.is_empty() {
        return;
    }
    let channels = pool.channels;
    let places = TASK.div_ceil(channels);
    par::chunks_mut(y, places * channels, x.len() + y.len(), |task, y| {
        let mut list = Taps::new();
        for (at, y) in y.chunks_exact_mut(channels).enumerate() {
            let place = task * places + at;
            list_taps(pool, place, &mut list);
            let taps = &taps[place * channels..(place + 1) * channels];
            arch::dispatch_for::<T, _>(Pick { x, list: &list, taps, y });
        }
    });
}

struct Pick<'a, T> {
    x: &'a [T],
    list: &'a [(usize, T)],
    taps: &'a [T],
    y: &'a mut [T],
}

impl<T: Float> WithSimd for Pick<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = T::lanes::<S>();
        for (at, y) in self.y.chunks_mut(lanes).enumerate() {
            let own = at * lanes..at * lanes + y.len();
            let tap = Vector::load(simd, &self.taps[own.clone()]);
            let mut picked = Vector::splat(simd, T::ZERO);
            for &(start, number) in self.list {
                let x = Vector::load(simd, &self.x[start + own.start..start + own.end]);
                picked = tap.equal(Vector::splat(simd, number)).select(x, picked);
            }
            picked.store(y);
        }
    }
}

fn scatter<T: Float>(dy: &[T], taps: &[T], pool: &Pool, dx: &mut [T]) {
    if dx.is_empty() {
        return;
    }
    let (channels, counts, covers) = (pool.channels, pool.taps(), pool.covers());
    let inputs = [0, 1, 2].map(|at| pool.axes[at].input);
    let [_, b, c] = [0, 1, 2].map(|at| pool.axes[at].len());
    let image: usize = inputs.iter().product();
    let places = TASK.div_ceil(channels);
    par::chunks_mut(dx, places * channels, dx_work(dy, pool), |task, dx| {
        let mut list = Taps::new();
        for (at, dx) in dx.chunks_exact_mut(channels).enumerate() {
            let place = task * places + at;
            let (n, i) = (place / image, unravel(place % image, inputs));
            list.clear();
            for &(o0, t0) in covers[0].at(i[0]) {
                for &(o1, t1) in covers[1].at(i[1]) {
                    let line = (n * pool.places()) + (o0 * b + o1) * c;
                    let number = (t0 * counts[1] + t1) * counts[2];
                    for &(o2, t2) in covers[2].at(i[2]) {
                        list.push(((line + o2) * channels, T::from_f64((number + t2) as f64)));
                    }
                }
            }
            arch::dispatch_for::<T, _>(Collect { dy, taps, list: &list, dx });
        }
    });
}

/// Nanoseconds on one thread.
fn dx_work<T>(dy: &[T], pool: &Pool) -> usize {
    pool.input_len() + dy.len()
}

struct Collect<'a, T> {
    dy: &'a [T],
    taps: &'a [T],
    list: &'a [(usize, T)],
    dx: &'a mut [T],
}

impl<T: Float> WithSimd for Collect<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = T::lanes::<S>();
        for (at, dx) in self.dx.chunks_mut(lanes).enumerate() {
            let own = at * lanes..at * lanes + dx.len();
            let mut sum = Vector::splat(simd, T::ZERO);
            for &(start, number) in self.list {
                let own = start + own.start..start + own.end;
                let tap = Vector::load(simd, &self.taps[own.clone()]);
                let dy = Vector::load(simd, &self.dy[own]);
                let hit = tap.equal(Vector::splat(simd, number));
                sum += hit.select_or_zero(dy);
            }
            sum.store(dx);
        }
    }
}
