//! Sums of overlapping windows: the reverse of looking at an axis through a sliding window.

use crate::element::{Float, per_float};
use crate::par;

/// Windows along one axis of length `len`: `count` of them, each of `size` elements that lie
/// `dilation` apart, beginning at multiples of `step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The length of the axis.
    pub len: usize,
    /// The number of windows.
    pub count: usize,
    /// The elements of each window.
    pub size: usize,
    /// From the beginning of a window to that of the next.
    pub step: usize,
    /// From an element of a window to the next.
    pub dilation: usize,
}

/// `y[o, w step + i dilation, n] = Σ x[o, w, n, i]`, where windows that overlap add up in the order
/// of their elements, and what no window reaches is 0.
///
/// `x (outer, count, inner, size)` and `y (outer, len, inner)` lie in row-major order.
///
/// # Panics
/// When the slices have other lengths, or a window leaves the axis.
pub fn fold<T: Float>(x: &[T], windows: Windows, inner: usize, y: &mut [T]) {
    let Windows { len, count, size, step, dilation } = windows;
    assert_eq!(x.len() * len, y.len() * count * size, "fold: lengths");
    if count > 0 && size > 0 {
        let reach = (count - 1) * step + (size - 1) * dilation;
        assert!(reach < len, "fold: needs windows inside of {len}; got a reach of {reach}");
    }
    per_float!(T: fold_all(x: &[T], windows: Windows, inner: usize, y: &mut [T]))
}

fn fold_all<T: Float>(x: &[T], windows: Windows, inner: usize, y: &mut [T]) {
    let Windows { len, count, size, step, dilation } = windows;
    if y.is_empty() {
        return;
    }
    par::chunks_mut(y, len * inner, x.len(), |outer, y| {
        y.fill(T::ZERO);
        let x = &x[outer * count * inner * size..][..count * inner * size];
        for w in 0..count {
            let x = &x[w * inner * size..][..inner * size];
            for i in 0..size {
                let at = (w * step + i * dilation) * inner;
                let places = y[at..at + inner].iter_mut();
                places.zip(x[i..].iter().step_by(size)).for_each(|(y, &x)| *y += x);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    fn twin(x: &[f64], windows: Windows, (outer, inner): (usize, usize)) -> Vec<f64> {
        let Windows { len, count, size, step, dilation } = windows;
        let mut y = vec![0.0; outer * len * inner];
        for (at, x) in x.iter().enumerate() {
            let (i, n, w) = (at % size, at / size % inner, at / size / inner % count);
            let o = at / size / inner / count;
            y[(o * len + w * step + i * dilation) * inner + n] += x;
        }
        y
    }

    #[test]
    fn equals_its_twin() {
        for (len, size, step, dilation) in
            [(5, 2, 1, 1), (7, 3, 2, 2), (4, 4, 1, 1), (9, 2, 3, 1), (6, 1, 1, 1), (3, 0, 1, 1)]
        {
            let count = (len - (size.max(1) - 1) * dilation - 1) / step + 1;
            let windows = Windows { len, count, size, step, dilation };
            for (outer, inner) in [(1, 1), (3, 5), (2, 0), (0, 2)] {
                let x: Vec<f64> = values(outer * count * inner * size, 1);
                let mut y = vec![f64::NAN; outer * len * inner];
                fold(&x, windows, inner, &mut y);
                if size > 0 {
                    assert_within(windows, &y, &twin(&x, windows, (outer, inner)), |_| 1e-14);
                } else {
                    assert!(y.iter().all(|&y| y == 0.0));
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "fold: needs windows inside of 3")]
    fn windows_outside_are_refused() {
        let windows = Windows { len: 3, count: 2, size: 2, step: 2, dilation: 1 };
        fold(&[1.0f32; 4], windows, 1, &mut [0.0; 3]);
    }
}
