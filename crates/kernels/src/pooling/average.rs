//! Average pooling, and its transpose, which is its gradient.

use pulp::{Simd, WithSimd};

use super::{Pool, TASK, unravel};
use crate::element::{Float, per_float};
use crate::simd::Vector;
use crate::{arch, par};

/// `y = Σ x / divisor` over each window.
///
/// # Panics
/// When lengths do not fit.
pub fn average_pool<T: Float>(x: &[T], pool: &Pool, y: &mut [T]) {
    pool.check("average_pool", x.len(), &[y.len()]);
    per_float!(T: forward(x: &[T], pool: &Pool, y: &mut [T]))
}

/// `dx = Σ dy / divisor` over the windows that see each place.
///
/// # Panics
/// When lengths do not fit.
pub fn average_pool_backward<T: Float>(dy: &[T], pool: &Pool, dx: &mut [T]) {
    pool.check("average_pool_backward", dx.len(), &[dy.len()]);
    per_float!(T: backward(dy: &[T], pool: &Pool, dx: &mut [T]))
}

fn forward<T: Float>(x: &[T], pool: &Pool, y: &mut [T]) {
    let (channels, taps) = (pool.channels, pool.taps());
    let lens = [0, 1, 2].map(|at| pool.axes[at].len());
    let image = pool.input_len() / pool.batch.max(1);
    per_place(
        channels,
        x.len() + y.len(),
        y,
        |place, terms| {
            let (n, o) = (place / pool.places(), unravel(place % pool.places(), lens));
            pool.window(o, taps, |at, _| terms.push((n * image + at * channels, T::ONE)));
            let divisor: f64 = (0..3).map(|at| pool.axes[at].divisors[o[at]]).product();
            T::from_f64(1.0 / divisor)
        },
        x,
    );
}

fn backward<T: Float>(dy: &[T], pool: &Pool, dx: &mut [T]) {
    let channels = pool.channels;
    let covers = pool.covers();
    let inputs = [0, 1, 2].map(|at| pool.axes[at].input);
    let [_, b, c] = [0, 1, 2].map(|at| pool.axes[at].len());
    let image: usize = inputs.iter().product();
    let divisor = |at: usize, o: usize| pool.axes[at].divisors[o];
    per_place(
        channels,
        dx.len() + dy.len(),
        dx,
        |place, terms| {
            let (n, i) = (place / image, unravel(place % image, inputs));
            for &(o0, _) in covers[0].at(i[0]) {
                for &(o1, _) in covers[1].at(i[1]) {
                    let line = (n * pool.places()) + (o0 * b + o1) * c;
                    let outer = divisor(0, o0) * divisor(1, o1);
                    for &(o2, _) in covers[2].at(i[2]) {
                        let factor = T::from_f64(1.0 / (outer * divisor(2, o2)));
                        terms.push(((line + o2) * channels, factor));
                    }
                }
            }
            T::ONE
        },
        dy,
    );
}

/// For each place of `y`, all channels: the sum of the terms (position in `x`, factor) that
/// `terms` lists, times what it returns.
fn per_place<T: Float>(
    channels: usize,
    work: usize,
    y: &mut [T],
    terms: impl Fn(usize, &mut Vec<(usize, T)>) -> T + Sync,
    x: &[T],
) {
    if y.is_empty() {
        return;
    }
    let places = TASK.div_ceil(channels);
    par::chunks_mut(y, places * channels, work, |task, y| {
        let mut list = Vec::new();
        for (at, y) in y.chunks_exact_mut(channels).enumerate() {
            list.clear();
            let factor = terms(task * places + at, &mut list);
            arch::dispatch_for::<T, _>(Sum { x, terms: &list, factor, y });
        }
    });
}

struct Sum<'a, T> {
    x: &'a [T],
    terms: &'a [(usize, T)],
    factor: T,
    y: &'a mut [T],
}

impl<T: Float> WithSimd for Sum<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = T::lanes::<S>();
        let factor = Vector::splat(simd, self.factor);
        for (at, y) in self.y.chunks_mut(lanes).enumerate() {
            let own = at * lanes..at * lanes + y.len();
            let mut sum = Vector::splat(simd, T::ZERO);
            for &(start, factor) in self.terms {
                let x = Vector::load(simd, &self.x[start + own.start..start + own.end]);
                sum = x.mul_add(Vector::splat(simd, factor), sum);
            }
            (sum * factor).store(y);
        }
    }
}
