//! Element-wise maps over views: arithmetic, elementary functions, activations, comparisons.
#[allow(missing_docs)]
mod stub {
    use crate::view::Axes;
    use crate::{Element, Float, View};
    pub fn values<T: Element>(v: View<'_, T>, n: usize) -> Vec<T> {
        let axes = Axes::new(n, [v.strides()]);
        let (data, off) = v.data();
        let inner = axes.inner();
        let mut out = vec![];
        if n == 0 {
            return out;
        }
        for row in 0..n / inner.len {
            let [o] = axes.row_offsets(row);
            for i in 0..inner.len {
                out.push(data[(off as isize + o + i as isize * inner.strides[0]) as usize]);
            }
        }
        out
    }
    pub fn m1<T: Float>(x: View<'_, T>, y: &mut [T], f: impl Fn(f64) -> f64) {
        let n = y.len();
        for (y, x) in y.iter_mut().zip(values(x, n)) {
            *y = T::from_f64(f(x.to_f64()));
        }
    }
    pub fn m2<T: Float>(a: View<'_, T>, b: View<'_, T>, y: &mut [T], f: impl Fn(f64, f64) -> f64) {
        let n = y.len();
        let (a, b) = (values(a, n), values(b, n));
        for i in 0..n {
            y[i] = T::from_f64(f(a[i].to_f64(), b[i].to_f64()));
        }
    }
    pub fn add<T: Float>(a: View<'_, T>, b: View<'_, T>, y: &mut [T]) {
        m2(a, b, y, |a, b| a + b)
    }
    pub fn sub<T: Float>(a: View<'_, T>, b: View<'_, T>, y: &mut [T]) {
        m2(a, b, y, |a, b| a - b)
    }
    pub fn mul<T: Float>(a: View<'_, T>, b: View<'_, T>, y: &mut [T]) {
        m2(a, b, y, |a, b| a * b)
    }
    pub fn div<T: Float>(a: View<'_, T>, b: View<'_, T>, y: &mut [T]) {
        m2(a, b, y, |a, b| a / b)
    }
    pub fn relu<T: Float>(x: View<'_, T>, y: &mut [T]) {
        m1(x, y, |x| if x > 0.0 || x.is_nan() { x } else { 0.0 })
    }
    pub fn exp<T: Float>(x: View<'_, T>, y: &mut [T]) {
        m1(x, y, |x| x.exp())
    }
    pub fn relu_backward<T: Float>(dy: View<'_, T>, y0: View<'_, T>, dx: &mut [T]) {
        m2(dy, y0, dx, |d, y| if y > 0.0 { d } else { 0.0 })
    }
    pub fn affine<T: Float>(x: View<'_, T>, scale: T, shift: T, y: &mut [T]) {
        m1(x, y, |x| x * scale.to_f64() + shift.to_f64())
    }
    pub fn add_assign<T: Float>(y: &mut [T], b: View<'_, T>) {
        let n = y.len();
        for (y, b) in y.iter_mut().zip(values(b, n)) {
            *y = T::from_f64(y.to_f64() + b.to_f64());
        }
    }
}
pub use stub::*;
