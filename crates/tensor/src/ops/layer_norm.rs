//! `layer_norm`: normalises each sample over its features.
//!
//! Fused: rows stay in cache, so memory is passed once forward and once backward, instead of about
//! ten times each.

use backstitch_kernels::Float;
use backstitch_kernels::norm::{self, Gradients, LayerNorm};

use crate::op::{FusedOp, Gradient, Site, apply_fused};
use crate::shape::{Axes, ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

impl<T: Float> Tensor<T> {
    /// Normalises over the last axes by mean and variance, then scales and shifts.
    ///
    /// `y = (x - mean) / √(var + eps) weight + bias`, `var` biased.
    ///
    /// # Shape
    /// `x (..., shape)`, `weight` and `bias` of `shape` (none is 1 and 0) to `y` like `x`.
    ///
    /// # Gradient
    /// Also through mean and variance. With `x̂` the normalised input, `g = dy weight` and means
    /// over a sample's features: `dx = (g - mean(g) - x̂ mean(g x̂)) / √(var + eps)`;
    /// `dweight = Σ dy x̂`, `dbias = Σ dy` over the samples.
    ///
    /// # Panics
    /// When the shapes do not fit.
    ///
    /// # Reference
    /// Ba, Kiros and Hinton 2016, equation 4.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let y = Tensor::from([[1.0f32, 3.0]]).layer_norm([2], None, None, 0.0);
    /// assert_eq!(y.to_vec(), [-1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn layer_norm(
        &self,
        shape: impl AsRef<[usize]>,
        weight: Option<&Tensor<T>>,
        bias: Option<&Tensor<T>>,
        eps: f64,
    ) -> Tensor<T> {
        let shape = shape.as_ref();
        or_panic(shape_rule(self.shape(), shape, &[weight, bias]));
        let weight = weight.cloned().unwrap_or_else(|| Tensor::ones(shape));
        let bias = bias.cloned().unwrap_or_else(|| Tensor::zeros(shape));
        let saved = Tensor::default();
        let op = Norm { axes: shape.len(), eps, mean: saved.clone(), rstd: saved };
        apply_fused(op, [self, &weight, &bias])
    }
}

fn shape_rule<T: Float>(
    x: &[usize],
    shape: &[usize],
    params: &[Option<&Tensor<T>>],
) -> Result<(), ShapeError> {
    let fits = |param: &Option<&Tensor<T>>| param.is_none_or(|param| param.shape() == shape);
    if shape.is_empty() || !x.ends_with(shape) || !params.iter().all(fits) {
        let shapes: Vec<_> = params.iter().flatten().map(|param| param.shape()).collect();
        let rule = "x (..., shape), weight and bias of that shape";
        let got = format!("{x:?}, shape {shape:?}, weight and bias {shapes:?}");
        return Err(ShapeError::new("layer_norm", rule, got));
    }
    Ok(())
}

/// `x (..., shape)`, `weight (shape)`, `bias (shape)` to `y` like `x`.
struct Norm<T: Float> {
    /// How many axes are normalised over.
    axes: usize,
    eps: f64,
    /// The mean of each sample.
    mean: Tensor<T>,
    /// `1 / √(var + eps)` of each sample.
    rstd: Tensor<T>,
}

impl<T: Float> FusedOp<T, 3> for Norm<T> {
    const NAME: &'static str = "layer_norm";

    fn forward(&mut self, inputs: [&Tensor<T>; 3]) -> Tensor<T> {
        let [x, weight, bias] = inputs.map(Tensor::contiguous);
        let rows = [x.shape()[..x.rank() - self.axes].iter().product()];
        let (mut mean, mut rstd) = (Tensor::zeros(rows), Tensor::zeros(rows));
        let norm = LayerNorm { gamma: Some(data(&weight)), beta: Some(data(&bias)), eps: self.eps };
        let y = Tensor::build(x.shape(), |y| {
            let (mean, rstd) = (mean.data_mut(), rstd.data_mut());
            norm::layer_norm(data(&x), weight.numel(), &norm, y, mean, rstd);
        });
        (self.mean, self.rstd) = (mean, rstd);
        y
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 3> {
        let [x, weight] = [0, 1].map(|i| at.input(i).contiguous());
        let dy = dy.contiguous();
        let (mut dweight, mut dbias) = (Tensor::zeros(at.shape(1)), Tensor::zeros(at.shape(2)));
        let dx = Tensor::build(x.shape(), |dx| {
            let gradients = Gradients { dx, dgamma: dweight.data_mut(), dbeta: dbias.data_mut() };
            let (mean, rstd, gamma) = (data(&self.mean), data(&self.rstd), Some(data(&weight)));
            norm::layer_norm_backward(data(&x), data(&dy), gamma, mean, rstd, gradients);
        });
        [at.want(0, || dx), at.want(1, || dweight), at.want(2, || dbias)]
    }

    fn decompose(&self, [x, weight, bias]: [&Tensor<T>; 3]) -> Tensor<T> {
        let over: Axes<isize> = (1..=self.axes as isize).map(|axis| -axis).collect();
        let centred = x - x.mean_dim(over, true);
        let var = (&centred * &centred).mean_dim(over, true);
        let std = (var + T::from_f64(self.eps)).sqrt();
        centred / std * weight + bias
    }
}

/// The example's epsilon: large, so that a single feature has a tame derivative.
const EPS: f64 = 0.1;

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "layer_norm",
    formula: "y = (x - mean) / √(var + eps) weight + bias, statistics over the last axis",
    shapes: &[
        &[&[2], &[2], &[2]],
        &[&[0, 3], &[3], &[3]],
        &[&[5, 17], &[17], &[17]],
        &[&[3, 2, 33], &[33], &[33]],
        &[&[4096, 512], &[512], &[512]],
    ],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| {
        let last = &x[0].shape()[x[0].rank().saturating_sub(1)..];
        x[0].layer_norm(last, Some(&x[1]), Some(&x[2]), EPS)
    }),
    oracle: Oracle::Whole(|x| {
        let n = x[0].rank() - 1;
        Tensor::from_fn(x[0].shape(), |idx| {
            let row = |j: usize| x[0].at(&[&idx[..n], &[j]].concat());
            let mean = |f: &dyn Fn(usize) -> f64| {
                (0..x[0].shape()[n]).map(f).sum::<f64>() / x[0].shape()[n] as f64
            };
            let m = mean(&row);
            let var = mean(&|j| (row(j) - m).powi(2));
            (x[0].at(idx) - m) / (var + EPS).sqrt() * x[1].at(&idx[n..]) + x[2].at(&idx[n..])
        })
    }),
    refused: &[&[&[], &[1], &[1]], &[&[2, 3], &[2], &[2]], &[&[2, 3], &[3], &[3, 1]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(&shapes[..1], 8.0),
    tolerance: Tolerance::Terms(
        32.0,
        |x| {
            let n = x[0].rank() - 1;
            Tensor::from_fn(x[0].shape(), |idx| {
                16.0 * (x[1].at(&idx[n..]).abs() + x[2].at(&idx[n..]).abs() + 0.1)
            })
        },
        "x and mean cancel before a factor of up to 1 / √eps magnifies their rounding",
    ),
}];
