//! `softmax`: exponentials that sum to one.
//!
//! Fused: two passes over memory instead of the five of its decomposition (max, subtract, exp,
//! sum, divide).

use backstitch_kernels::{Float, softmax};

use crate::op::{FusedOp, Gradient, Site, apply_fused};
use crate::shape::{axis_of, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Exponentials along an axis, scaled to sum to one.
    ///
    /// `y_i = exp(x_i) / Σ_j exp(x_j)`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx = y * (dy - Σ dy * y)`
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
    /// let y = Tensor::from([0.0f32, 3.0f32.ln()]).softmax(-1).to_vec();
    /// assert!((y[0] - 0.25).abs() < 1e-6 && (y[1] - 0.75).abs() < 1e-6);
    /// ```
    #[track_caller]
    pub fn softmax(&self, dim: isize) -> Tensor<T> {
        along_last("softmax", self, dim, |x| apply_fused(Softmax, [x]))
    }
}

/// Applies an op that works on rows along any axis: the axis goes to the end and back.
#[track_caller]
pub(super) fn along_last<T: Float>(
    name: &str,
    x: &Tensor<T>,
    dim: isize,
    op: impl FnOnce(&Tensor<T>) -> Tensor<T>,
) -> Tensor<T> {
    let axis = or_panic(axis_of(name, dim, x.rank()));
    match axis + 1 == x.rank() {
        true => op(x),
        false => op(&x.transpose(axis as isize, -1)).transpose(axis as isize, -1),
    }
}

/// Softmax along the last axis.
struct Softmax;

impl<T: Float> FusedOp<T, 1> for Softmax {
    const NAME: &'static str = "softmax";
    const SAVES_OUTPUT: bool = true;

    fn forward(&mut self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        let x = x.contiguous();
        let (data, cols) = (x.as_slice().expect("made contiguous"), x.size(-1));
        Tensor::build(x.shape(), |y| softmax::softmax(data, cols, y))
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 1> {
        let (y, dy) = (at.output(), dy.contiguous());
        let (y, dy) = (y.as_slice().expect("made so"), dy.as_slice().expect("made contiguous"));
        let cols = at.output().size(-1);
        [Some(Tensor::build(at.shape(0), |dx| softmax::softmax_backward(y, dy, cols, dx)))]
    }

    fn decompose(&self, [x]: [&Tensor<T>; 1]) -> Tensor<T> {
        // The shift cancels, in the value and in every derivative.
        let exp = (x - x.detach().max_dim(-1, true)).exp();
        &exp / exp.sum_dim(-1, true)
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "softmax",
    formula: "y_i = exp(x_i) / Σ_j exp(x_j), along the last axis",
    shapes: &[&[&[1]], &[&[7]], &[&[0, 3]], &[&[3, 17]], &[&[2, 3, 33]], &[&[512, 1000]]],
    domain: Domain::Range(-4.0, 4.0),
    build: build!(|x| x[0].softmax(-1)),
    oracle: Oracle::Whole(|x| {
        let n = x[0].rank() - 1;
        let exp = |idx: &[usize], j: usize| x[0].at(&[&idx[..n], &[j]].concat()).exp();
        let sum = |idx: &[usize]| (0..x[0].shape()[n]).map(|j| exp(idx, j)).sum::<f64>();
        Tensor::from_fn(x[0].shape(), |idx| exp(idx, idx[n]) / sum(idx))
    }),
    refused: &[&[&[]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 8.0),
    tolerance: Tolerance::Ulps(
        16.0,
        "x - max is rounded before exp magnifies it: |x| ulps; exp; the sum",
    ),
}];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn any_axis_is_the_last_one_of_a_transpose() {
        let x: Tensor<f64> = Tensor::randn([3, 2, 4], &mut crate::rng::Rng::seed(4));
        for dim in 0..3 {
            let turned = |x: &Tensor<f64>| x.transpose(dim, -1).contiguous();
            assert_eq!(turned(&x.softmax(dim)).to_vec(), turned(&x).softmax(-1).to_vec());
            assert_eq!(turned(&x.log_softmax(dim)).to_vec(), turned(&x).log_softmax(-1).to_vec());
        }
    }
}
