//! `log_softmax`: logarithms of softmax.
//!
//! Fused: the logarithm of a rounded softmax loses all digits of small probabilities; here it is
//! `x - logsumexp(x)`, in two passes.

use backstitch_kernels::{Float, softmax};

use super::softmax::along_last;
use crate::op::{FusedOp, Gradient, Site, apply_fused};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Logarithms of [`softmax`](Tensor::softmax) along an axis.
    ///
    /// `y_i = x_i - log Σ_j exp(x_j)`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = dy - exp(y) Σ dy`
    ///
    /// # Numerics
    /// The largest element is subtracted first, so no finite input overflows.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([0.0f32, 0.0]).log_softmax(-1);
    /// assert!((y.to_vec()[0] + 2.0f32.ln()).abs() < 1e-6);
    /// ```
    #[track_caller]
    pub fn log_softmax(&self, dim: isize) -> Tensor<T> {
        along_last("log_softmax", self, dim, |x| apply_fused(LogSoftmax, [x]))
    }
}

/// Log-softmax along the last axis.
struct LogSoftmax;

impl<T: Float> FusedOp<T, 1> for LogSoftmax {
    const NAME: &'static str = "log_softmax";
    const SAVES_OUTPUT: bool = true;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let x = x.contiguous();
        let (data, cols) = (x.as_slice().expect("made contiguous"), x.size(-1));
        Tensor::build(x.shape(), |y| softmax::log_softmax(data, cols, y))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        let (y, dy) = (at.output(), dy.contiguous());
        let (y, dy) = (y.as_slice().expect("made so"), dy.as_slice().expect("made contiguous"));
        let cols = at.output().size(-1);
        [Some(Tensor::build(at.shape(0), |dx| softmax::log_softmax_backward(y, dy, cols, dx)))]
    }

    fn decompose(&self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        // The shift cancels, in the value and in every derivative.
        let shifted = x - x.detach().max_dim(-1, true);
        &shifted - shifted.exp().sum_dim(-1, true).log()
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "log_softmax",
    formula: "y_i = x_i - log Σ_j exp(x_j), along the last axis",
    shapes: &[&[&[1]], &[&[7]], &[&[0, 3]], &[&[3, 17]], &[&[2, 3, 33]], &[&[512, 1000]]],
    domain: Domain::Range(-4.0, 4.0),
    build: build!(|x| x[0].log_softmax(-1)),
    oracle: Oracle::Whole(|x| {
        let n = x[0].rank() - 1;
        let exp = |idx: &[usize], j: usize| x[0].at(&[&idx[..n], &[j]].concat()).exp();
        let sum = |idx: &[usize]| (0..x[0].shape()[n]).map(|j| exp(idx, j)).sum::<f64>();
        Tensor::from_fn(x[0].shape(), |idx| x[0].at(idx) - sum(idx).ln())
    }),
    refused: &[&[&[]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 8.0),
    tolerance: Tolerance::Terms(
        8.0,
        |x| Tensor::from_fn(x[0].shape(), |idx| x[0].at(idx).abs() + 8.0),
        "x - max and the log of the sum are rounded before they cancel",
    ),
}];
