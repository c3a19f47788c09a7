//! Average pooling, and its transpose, which is its gradient.

use std::ops::Range;

use pulp::Simd;

use super::Pool;
use super::walk::{Fold, Line, Walk};
use crate::element::{Float, per_float};
use crate::simd::Vector;

/// `y = Σ x / divisor` over each window.
///
/// # Panics
/// When lengths do not fit.
pub fn average_pool<T: Float>(x: &[T], pool: &Pool, y: &mut [T]) {
    pool.check("average_pool", x.len(), y.len());
    per_float!(T: forward(x: &[T], pool: &Pool, y: &mut [T]))
}

/// `dx = Σ dy / divisor` over the windows that see each place.
///
/// # Panics
/// When lengths do not fit.
pub fn average_pool_backward<T: Float>(dy: &[T], pool: &Pool, dx: &mut [T]) {
    pool.check("average_pool_backward", dx.len(), dy.len());
    per_float!(T: backward(dy: &[T], pool: &Pool, dx: &mut [T]))
}

fn forward<T: Float>(x: &[T], pool: &Pool, y: &mut [T]) {
    Walk::forward(pool).run(x, y, Sum { pool, is_forward: true });
}

fn backward<T: Float>(dy: &[T], pool: &Pool, dx: &mut [T]) {
    Walk::backward(pool).run(dy, dx, Sum { pool, is_forward: false });
}

/// Sums, divided by what belongs to the window: forward as a whole, backward term by term.
#[derive(Clone, Copy)]
struct Sum<'a> {
    pool: &'a Pool,
    is_forward: bool,
}

impl<T: Float> Fold<T> for Sum<'_> {
    #[inline(always)]
    fn link(self, line: Line, at: usize, _: usize) -> T {
        match self.is_forward {
            true => T::ONE,
            false => T::from_f64(1.0 / (line.divisor * self.pool.axes[2].divisors[at])),
        }
    }

    #[inline(always)]
    fn place(self, place: [usize; 3], _: Option<T>) -> T {
        let [a, b, c] = &self.pool.axes;
        match self.is_forward {
            true => {
                let outer = a.divisors[place[0]] * b.divisors[place[1]];
                T::from_f64(1.0 / (outer * c.divisors[place[2]]))
            }
            false => T::ONE,
        }
    }

    #[inline(always)]
    fn add<S: Simd>(
        self,
        [sum, unused]: [Vector<T, S>; 2],
        x: Vector<T, S>,
        _: Range<usize>,
        factor: Vector<T, S>,
    ) -> [Vector<T, S>; 2] {
        [x.mul_add(factor, sum), unused]
    }

    #[inline(always)]
    fn finish<S: Simd>(
        self,
        [sum, _]: [Vector<T, S>; 2],
        factor: Vector<T, S>,
        _: Range<usize>,
    ) -> Vector<T, S> {
        sum * factor
    }
}
