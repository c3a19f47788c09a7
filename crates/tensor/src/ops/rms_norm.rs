//! `rms_norm`: divides each sample by the root of its features' mean square.
//!
//! Fused: rows stay in cache, so memory is passed once forward and once backward.

use backstitch_kernels::{Float, norm};

use crate::op::{FusedOp, Gradient, Site, apply_fused};
use crate::shape::{Axes, ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// Divides by the root of the mean square over the last axes, then scales.
    ///
    /// `y = x / √(mean(x²) + eps) weight`
    ///
    /// # Shape
    /// `x (..., shape)`, `weight` of `shape` (none is 1) to `y` like `x`.
    ///
    /// # Gradient
    /// With `x̂` the normalised input, `g = dy weight` and means over a sample's features:
    /// `dx = (g - x̂ mean(g x̂)) / √(mean(x²) + eps)`; `dweight = Σ dy x̂` over the samples.
    ///
    /// # Panics
    /// When the shapes do not fit.
    ///
    /// # Reference
    /// Zhang and Sennrich 2019, equation 4; PyTorch's default `eps` is the type's epsilon.
    #[track_caller]
    pub fn rms_norm(
        &self,
        shape: impl AsRef<[usize]>,
        weight: Option<&Tensor<T>>,
        eps: f64,
    ) -> Tensor<T> {
        let shape = shape.as_ref();
        or_panic(shape_rule(self.shape(), shape, weight.map(Tensor::shape)));
        let weight = weight.cloned().unwrap_or_else(|| Tensor::ones(shape));
        let op = Norm { axes: shape.len(), eps, rstd: Tensor::default() };
        apply_fused(op, [self, &weight])
    }
}

fn shape_rule(x: &[usize], shape: &[usize], weight: Option<&[usize]>) -> Result<(), ShapeError> {
    if shape.is_empty() || !x.ends_with(shape) || weight.is_some_and(|weight| weight != shape) {
        let got = format!("{x:?}, shape {shape:?}, weight {weight:?}");
        return Err(ShapeError::new("rms_norm", "x (..., shape), weight of that shape", got));
    }
    Ok(())
}

/// `x (..., shape)`, `weight (shape)` to `y` like `x`.
struct Norm<T: Float> {
    /// How many axes are normalised over.
    axes: usize,
    eps: f64,
    /// `1 / √(mean(x²) + eps)` of each sample.
    rstd: Tensor<T>,
}

impl<T: Float> FusedOp<T, 2> for Norm<T> {
    const NAME: &'static str = "rms_norm";

    fn forward(&mut self, inputs: [&Tensor<T>; 2]) -> Tensor<T> {
        let [x, weight] = inputs.map(Tensor::contiguous);
        let rows = x.shape()[..x.rank() - self.axes].iter().product();
        let mut rstd = Tensor::zeros([rows]);
        let y = Tensor::build(x.shape(), |y| {
            let gamma = Some(data(&weight));
            norm::rms_norm(data(&x), weight.numel(), gamma, self.eps, y, rstd.data_mut());
        });
        self.rstd = rstd;
        y
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 2> {
        let [x, weight] = [0, 1].map(|i| at.input(i).contiguous());
        let dy = dy.contiguous();
        let mut dweight = Tensor::zeros(at.shape(1));
        let dx = Tensor::build(x.shape(), |dx| {
            let (gamma, rstd) = (Some(data(&weight)), data(&self.rstd));
            norm::rms_norm_backward(data(&x), data(&dy), gamma, rstd, dx, dweight.data_mut());
        });
        [at.want(0, || dx), at.want(1, || dweight)]
    }

    fn decompose(&self, [x, weight]: [&Tensor<T>; 2]) -> Tensor<T> {
        let over: Axes<isize> = (1..=self.axes as isize).map(|axis| -axis).collect();
        let mean_square = (x * x).mean_dim(over, true);
        x / (mean_square + T::from_f64(self.eps)).sqrt() * weight
    }
}

/// The example's epsilon: large, so that values near zero have a tame derivative.
const EPS: f64 = 0.1;

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "rms_norm",
    formula: "y = x / √(mean(x²) + eps) weight, over the last axis",
    shapes: &[
        &[&[2], &[2]],
        &[&[0, 3], &[3]],
        &[&[5, 17], &[17]],
        &[&[3, 2, 33], &[33]],
        &[&[4096, 512], &[512]],
    ],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| {
        let last = &x[0].shape()[x[0].rank().saturating_sub(1)..];
        x[0].rms_norm(last, Some(&x[1]), EPS)
    }),
    oracle: Oracle::Whole(|x| {
        let n = x[0].shape()[x[0].rank() - 1];
        let rows = x[0].to_vec();
        let y = rows.iter().enumerate().map(|(at, value)| {
            let row = &rows[at / n * n..][..n];
            let mean = row.iter().map(|x| x * x).sum::<f64>() / n as f64;
            value / (mean + EPS).sqrt() * x[1].at(&[at % n])
        });
        Tensor::from_vec(y.collect(), x[0].shape())
    }),
    refused: &[&[&[2, 3], &[2]], &[&[], &[1]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(&shapes[..1], 6.0),
    tolerance: Tolerance::Ulps(16.0, "a mean, a root, a division and a product"),
}];
