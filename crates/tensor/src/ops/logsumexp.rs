//! `logsumexp`: the logarithm of a sum of exponentials.

use backstitch_kernels::{Float, reduce};

use super::over::{Over, first_axis, reduced};
use crate::op::{Gradient, Op, Saves, Site, Tangents, apply};
use crate::shape::{IntoDims, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The logarithms of sums of exponentials along some axes; `keepdim` leaves those axes with
    /// length 1. No axes means all.
    ///
    /// `y = ln Σ exp x`
    ///
    /// # Shape
    /// `x (...)` to the shape without `dims`, or with 1 in their place.
    ///
    /// # Gradient
    /// `dx = dy * exp(x - y)`, the softmax.
    ///
    /// # Numerics
    /// The largest element is taken out, so no finite input overflows. Of no elements it is -∞.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([1000.0f32, 1000.0]);
    /// assert_eq!(x.logsumexp(0, false).item(), 1000.0 + 2.0f32.ln());
    /// ```
    #[track_caller]
    pub fn logsumexp(&self, dims: impl IntoDims, keepdim: bool) -> Tensor<T> {
        let over = or_panic(Over::new("logsumexp", self.shape(), dims));
        let (merged, axis) = over.merge(self);
        apply(LogSumExp { axis }, [&merged]).reshape(over.result(keepdim))
    }
}

/// Along `axis`, which keeps length 1.
struct LogSumExp {
    axis: usize,
}

/// `exp(x - y)`, also where a sum of nothing but `exp(-∞)` has no shares.
fn shares<T: Float>(x: &Tensor<T>, y: &Tensor<T>) -> Tensor<T> {
    (x - y.masked_fill(&y.eq(T::NEG_INFINITY), T::ZERO)).exp()
}

impl<T: Float> Op<T, 1> for LogSumExp {
    const NAME: &'static str = "logsumexp";
    const SAVES: Saves = Saves::ALL;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        if x.shape()[self.axis] == 0 {
            return Tensor::full(super::over::kept(x.shape(), self.axis), T::NEG_INFINITY);
        }
        let x = x.detach();
        let top = reduced(&x, self.axis, reduce::max);
        // An infinite shift would make NaN of infinities.
        let infinite = top.is_inf();
        let top = top.masked_fill(&infinite, T::ZERO);
        (x - &top).exp().sum_dim(self.axis as isize, true).log() + top
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        [Some(dy * shares(at.input(0), at.output()))]
    }

    fn jvp(&self, at: &Site<T>, [dx]: Tangents<T, 1>) -> Tensor<T> {
        let terms = dx.expect("the only input moves") * shares(at.input(0), at.output());
        terms.sum_dim(self.axis as isize, true)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "logsumexp",
    formula: "y[j] = ln Σ_i exp x[i, j], over the first axis",
    shapes: super::over::SHAPES,
    domain: Domain::Range(-4.0, 4.0),
    build: build!(|x| x[0].logsumexp(0, false)),
    oracle: Oracle::Whole(|x| first_axis(&x[0], of)),
    refused: &[&[&[]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 8.0),
    tolerance: Tolerance::Terms(
        32.0,
        |x| first_axis(&x[0], |lane| of(lane).abs() + 8.0),
        "x - max is rounded before exp magnifies it: |x| ulps; exp; the sum",
    ),
}];

fn of(lane: &[f64]) -> f64 {
    lane.iter().map(|x| x.exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn infinities_stay_themselves() {
        let inf = f64::INFINITY;
        let x = Tensor::from([[-inf, -inf], [-inf, 2.0], [1.0, inf]]).leaf();
        let y = x.logsumexp(1, false);
        assert_eq!(y.to_vec(), [-inf, 2.0, inf]);
        let dx = y.slice(0, ..2).sum().backward().get(&x).unwrap().to_vec();
        assert_eq!(dx[..4], [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(Tensor::<f32>::zeros([0, 2]).logsumexp(0, true).to_vec(), [-inf as f32; 2]);
    }
}
