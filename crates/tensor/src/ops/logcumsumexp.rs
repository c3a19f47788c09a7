//! `logcumsumexp`: logarithms of running sums of exponentials.

use backstitch_kernels::{Float, reduce};

use super::over::along_first;
use super::recurrence::{before, recurrence};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// Logarithms of running sums of exponentials along axis `dim`.
    ///
    /// `y_i = ln(exp x_0 + ... + exp x_i)`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx_j = Σ_(i >= j) dy_i exp(x_j - y_i)`
    ///
    /// # Numerics
    /// The largest element so far is taken out, so no finite input overflows; in f64.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.0f64, 0.0]).logcumsumexp(0);
    /// assert_eq!(y.to_vec(), [0.0, 2.0f64.ln()]);
    /// ```
    #[track_caller]
    pub fn logcumsumexp(&self, dim: isize) -> Tensor<T> {
        let axis = or_panic(axis_of("logcumsumexp", dim, self.rank()));
        apply(LogCumSumExp { axis }, [self])
    }
}

struct LogCumSumExp {
    axis: usize,
}

impl LogCumSumExp {
    /// `exp(x_i - y_i)`, the share of each element in the sum that it completes, and
    /// `exp(y_(i-1) - y_i)`, that of all before it. Neither is above 1.
    fn shares<T: Float>(&self, x: &Tensor<T>, y: &Tensor<T>) -> (Tensor<T>, Tensor<T>) {
        let earlier = before(y, self.axis, T::NEG_INFINITY, false);
        // Sums of nothing but exp(-∞) have no shares.
        let y = y.masked_fill(&y.eq(T::NEG_INFINITY), T::ZERO);
        ((x - &y).exp(), (earlier - y).exp())
    }
}

impl<T: Float> Op<T, 1> for LogCumSumExp {
    const NAME: &'static str = "logcumsumexp";
    const SAVES: Saves = Saves::ALL;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let x = x.contiguous();
        let split = reduce::Split::at(x.shape(), self.axis);
        Tensor::build(x.shape(), |y| reduce::logcumsumexp(data(&x), split, y))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        let (own, earlier) = self.shares(at.input(0), at.output());
        // Σ_(i >= j) dy_i exp(y_j - y_i), from the last one down.
        let next = before(&earlier, self.axis, T::ZERO, true);
        [Some(own * recurrence(&next, dy, self.axis, true))]
    }

    fn jvp(&self, at: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        let (own, earlier) = self.shares(at.input(0), at.output());
        recurrence(&earlier, &(own * dx.expect("the only input moves")), self.axis, false)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "logcumsumexp",
    formula: "y_i = ln(exp x_0 + ... + exp x_i), along the first axis",
    shapes: super::over::SHAPES,
    domain: Domain::Range(-4.0, 4.0),
    build: build!(|x| x[0].logcumsumexp(0)),
    oracle: Oracle::Whole(|x| running(&x[0], f64::ln)),
    refused: &[&[&[]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 20.0),
    tolerance: Tolerance::Terms(
        4.0,
        |x| running(&x[0], |sum| sum.ln().abs() + 4.0),
        "in f64, where the oracle's sum is rounded as often as it has terms",
    ),
}];

fn running(x: &Tensor<f64>, f: fn(f64) -> f64) -> Tensor<f64> {
    along_first(x, |lane| {
        (0..lane.len()).map(|i| f(lane[..=i].iter().map(|x| x.exp()).sum())).collect()
    })
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn what_has_no_weight_gets_no_gradient() {
        let x = Tensor::from([f64::NEG_INFINITY, f64::NEG_INFINITY, 0.0, 800.0]).leaf();
        let y = x.logcumsumexp(0);
        assert_eq!(y.to_vec(), [f64::NEG_INFINITY, f64::NEG_INFINITY, 0.0, 800.0]);
        let grads = y.sum().backward();
        assert_eq!(grads.get(&x).unwrap().to_vec(), [0.0, 0.0, 1.0, 1.0]);
    }
}
