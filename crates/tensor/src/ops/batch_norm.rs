//! `batch_norm`: normalises each channel over the batch. `batch_norm_relu`: and cuts it off at 0.
//!
//! Fused: two passes over memory forward and two backward, instead of about ten each, of which the
//! second finds its data in the cache where a few channels fit there; nothing but the input and
//! the statistics is saved. A ReLU behind it costs nothing so, and 20 bytes an element apart.

use backstitch_kernels::norm::{self, Affine, BatchNorm, Gradients};
use backstitch_kernels::{Float, reduce::Split};

use crate::op::{FusedOp, Gradient, Site, apply_fused};
use crate::shape::{Axes, ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::{Tensor, data};

/// What [`Tensor::batch_norm`] found in a batch; outside the graph.
#[derive(Clone, Debug)]
pub struct BatchStatistics<T: Float = f32> {
    /// The mean of each channel, `(C)`.
    pub mean: Tensor<T>,
    /// The biased variance of each channel, `(C)`.
    pub var: Tensor<T>,
}

impl<T: Float> Tensor<T> {
    /// Normalises each channel by its mean and variance in this batch, then scales and shifts it.
    /// Also returns the statistics, for running ones.
    ///
    /// `y = (x - mean) / √(var + eps) weight + bias`, `var` biased.
    ///
    /// # Shape
    /// `x (N, C)` or `(N, C, ...)`, `weight (C)` and `bias (C)` (none is 1 and 0) to `y` like `x`.
    ///
    /// # Gradient
    /// Also through mean and variance. With `x̂` the normalised input and sums over a channel's
    /// `n` elements: `dbias = Σ dy`, `dweight = Σ dy x̂`,
    /// `dx = weight / √(var + eps) (dy - dbias / n - x̂ dweight / n)`.
    ///
    /// # Numerics
    /// Mean and variance come from partial sums merged in f64.
    ///
    /// # Panics
    /// When the shapes do not fit.
    ///
    /// # Reference
    /// Ioffe and Szegedy 2015, algorithm 1.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0f32], [3.0]]);
    /// let (y, statistics) = x.batch_norm(None, None, 0.0);
    /// assert_eq!(y.to_vec(), [-1.0, 1.0]);
    /// assert_eq!((statistics.mean.item(), statistics.var.item()), (2.0, 1.0));
    /// ```
    #[track_caller]
    pub fn batch_norm(
        &self,
        weight: Option<&Tensor<T>>,
        bias: Option<&Tensor<T>>,
        eps: f64,
    ) -> (Tensor<T>, BatchStatistics<T>) {
        trained::<T, false>(self, weight, bias, eps)
    }

    /// [`Tensor::batch_norm`] with [`Tensor::relu`] behind it, at no cost of its own.
    ///
    /// `y = max((x - mean) / √(var + eps) weight + bias, 0)`
    ///
    /// # Shape
    /// As [`Tensor::batch_norm`].
    ///
    /// # Gradient
    /// As [`Tensor::batch_norm`] with `dy` where `y > 0`, else 0.
    ///
    /// # Panics
    /// When the shapes do not fit.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0f32], [3.0]]);
    /// assert_eq!(x.batch_norm_relu(None, None, 0.0).0.to_vec(), [0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn batch_norm_relu(
        &self,
        weight: Option<&Tensor<T>>,
        bias: Option<&Tensor<T>>,
        eps: f64,
    ) -> (Tensor<T>, BatchStatistics<T>) {
        trained::<T, true>(self, weight, bias, eps)
    }

    /// Normalises each channel by given statistics, such as running ones, then scales and shifts
    /// it. The statistics are constants.
    ///
    /// # Shape
    /// As [`Tensor::batch_norm`]; the statistics `(C)`.
    ///
    /// # Gradient
    /// `dx = weight / √(var + eps) dy`; `dweight` and `dbias` as for [`Tensor::batch_norm`].
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn batch_norm_with(
        &self,
        statistics: &BatchStatistics<T>,
        weight: Option<&Tensor<T>>,
        bias: Option<&Tensor<T>>,
        eps: f64,
    ) -> Tensor<T> {
        given::<T, false>(self, statistics, weight, bias, eps)
    }

    /// [`Tensor::batch_norm_with`] with [`Tensor::relu`] behind it, at no cost of its own.
    ///
    /// # Shape
    /// As [`Tensor::batch_norm_with`].
    ///
    /// # Gradient
    /// As [`Tensor::batch_norm_with`] with `dy` where `y > 0`, else 0.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn batch_norm_relu_with(
        &self,
        statistics: &BatchStatistics<T>,
        weight: Option<&Tensor<T>>,
        bias: Option<&Tensor<T>>,
        eps: f64,
    ) -> Tensor<T> {
        given::<T, true>(self, statistics, weight, bias, eps)
    }
}

/// With the statistics of `x` itself.
#[track_caller]
fn trained<T: Float, const RELU: bool>(
    x: &Tensor<T>,
    weight: Option<&Tensor<T>>,
    bias: Option<&Tensor<T>>,
    eps: f64,
) -> (Tensor<T>, BatchStatistics<T>) {
    or_panic(shape_rule(name(RELU), x.shape(), &[weight, bias]));
    let (weight, bias) = or_default([x.shape()[1]], weight, bias);
    let (y, statistics) = train([x, &weight, &bias], None, eps, RELU);
    let op = Norm::<T, RELU> { statistics: statistics.clone(), eps, training: true, y: Some(y) };
    (apply_fused(op, [x, &weight, &bias]), statistics)
}

/// Statistics and output in one, so that the kernel may do both while the data is in the cache.
pub(super) fn train<T: Float>(
    [x, weight, bias]: [&Tensor<T>; 3],
    residual: Option<&Tensor<T>>,
    eps: f64,
    relu: bool,
) -> (Tensor<T>, BatchStatistics<T>) {
    let channels = [x.shape()[1]];
    let (mut mean, mut var) = (Tensor::zeros(channels), Tensor::zeros(channels));
    let [gamma, beta] = [weight, bias].map(Tensor::contiguous);
    let is_last = x.is_channels_last();
    let (laid_x, split) = laid_out(x, is_last);
    let residual = residual.map(|residual| laid_out(residual, is_last).0);
    let y = build_laid(x.shape(), is_last, |y| {
        let (gamma, beta) = (Some(data(&gamma)), Some(data(&beta)));
        let residual = residual.as_ref().map(data);
        let affine = Affine { gamma, beta, eps, residual, relu };
        let (mean, var) = (mean.data_mut(), var.data_mut());
        norm::batch_norm_training(data(&laid_x), split, &affine, y, mean, var);
    });
    (y, BatchStatistics { mean, var })
}

/// With given statistics.
#[track_caller]
fn given<T: Float, const RELU: bool>(
    x: &Tensor<T>,
    statistics: &BatchStatistics<T>,
    weight: Option<&Tensor<T>>,
    bias: Option<&Tensor<T>>,
    eps: f64,
) -> Tensor<T> {
    let BatchStatistics { mean, var } = statistics;
    or_panic(shape_rule(name(RELU), x.shape(), &[weight, bias, Some(mean), Some(var)]));
    let statistics = BatchStatistics { mean: mean.contiguous(), var: var.contiguous() };
    let (weight, bias) = or_default([x.shape()[1]], weight, bias);
    let op = Norm::<T, RELU> { statistics, eps, training: false, y: None };
    apply_fused(op, [x, &weight, &bias])
}

/// The parameters, or 1 and 0 in their place.
pub(super) fn or_default<T: Float>(
    channels: [usize; 1],
    weight: Option<&Tensor<T>>,
    bias: Option<&Tensor<T>>,
) -> (Tensor<T>, Tensor<T>) {
    let weight = weight.cloned().unwrap_or_else(|| Tensor::ones(channels));
    (weight, bias.cloned().unwrap_or_else(|| Tensor::zeros(channels)))
}

/// What the op is called, with a ReLU behind it or without.
const fn name(relu: bool) -> &'static str {
    if relu { "batch_norm_relu" } else { "batch_norm" }
}

pub(super) fn shape_rule<T: Float>(
    name: &'static str,
    x: &[usize],
    channels: &[Option<&Tensor<T>>],
) -> Result<(), ShapeError> {
    let fits = |param: &Option<&Tensor<T>>| param.is_none_or(|param| param.shape() == &x[1..2]);
    if x.len() < 2 || !channels.iter().all(fits) {
        let shapes: Vec<_> = channels.iter().flatten().map(|param| param.shape()).collect();
        let rule = "x (N, C, ...), and (C) for all else";
        return Err(ShapeError::new(name, rule, format!("{x:?} and {shapes:?}")));
    }
    Ok(())
}

/// The elements of an image in a row, with the channels last or in row-major order, and where the
/// channels lie.
pub(super) fn laid_out<T: Float>(x: &Tensor<T>, is_last: bool) -> (Tensor<T>, Split) {
    match is_last {
        true => {
            let x = x.channels_last();
            let split = Split::at(x.shape(), x.rank() - 1);
            (x, split)
        }
        false => (x.contiguous(), Split::at(x.shape(), 1)),
    }
}

pub(super) fn build_laid<T: Float>(
    shape: &[usize],
    is_last: bool,
    fill: impl FnOnce(&mut [T]),
) -> Tensor<T> {
    match is_last {
        true => Tensor::build_channels_last(shape, fill),
        false => Tensor::build(shape, fill),
    }
}

/// `x (N, C, ...)`, `weight (C)`, `bias (C)` to `y` like `x`.
pub(super) struct Norm<T: Float, const RELU: bool> {
    pub(super) statistics: BatchStatistics<T>,
    pub(super) eps: f64,
    /// Whether the statistics are those of `x`, and so depend on it.
    pub(super) training: bool,
    /// The output, if it was made along with the statistics.
    pub(super) y: Option<Tensor<T>>,
}

impl<T: Float, const RELU: bool> Norm<T, RELU> {
    /// The kernel's view of the parameters.
    pub(super) fn of<'a>(&'a self, weight: &'a Tensor<T>, bias: &'a Tensor<T>) -> BatchNorm<'a, T> {
        BatchNorm {
            mean: data(&self.statistics.mean),
            var: data(&self.statistics.var),
            gamma: Some(data(weight)),
            beta: Some(data(bias)),
            eps: self.eps,
            residual: None,
            relu: RELU,
        }
    }

    /// The gradients of input, weight and bias.
    pub(super) fn gradients(&self, inputs: [&Tensor<T>; 3], dy: &Tensor<T>) -> [Tensor<T>; 3] {
        let [weight, bias] = [inputs[1], inputs[2]].map(Tensor::contiguous);
        let is_last = inputs[0].is_channels_last();
        let (x, split) = laid_out(inputs[0], is_last);
        let (dy, _) = laid_out(dy, is_last);
        let (mut dweight, mut dbias) = (weight.detach(), bias.detach());
        let dx = build_laid(inputs[0].shape(), is_last, |dx| {
            let gradients = Gradients { dx, dgamma: dweight.data_mut(), dbeta: dbias.data_mut() };
            let norm = self.of(&weight, &bias);
            norm::batch_norm_backward(data(&x), data(&dy), split, &norm, self.training, gradients);
        });
        [dx, dweight, dbias]
    }
}

impl<T: Float, const RELU: bool> FusedOp<T, 3> for Norm<T, RELU> {
    const NAME: &'static str = name(RELU);

    fn forward(&mut self, inputs: [&Tensor<T>; 3]) -> Tensor<T> {
        if let Some(y) = self.y.take() {
            return y;
        }
        let [weight, bias] = [inputs[1], inputs[2]].map(Tensor::contiguous);
        let is_last = inputs[0].is_channels_last();
        let (x, split) = laid_out(inputs[0], is_last);
        build_laid(inputs[0].shape(), is_last, |y| {
            norm::batch_norm(data(&x), split, &self.of(&weight, &bias), y);
        })
    }

    fn backward(&self, at: &Site<T>, dy: &Tensor<T>) -> Gradient<T, 3> {
        let [dx, dweight, dbias] = self.gradients([at.input(0), at.input(1), at.input(2)], dy);
        [at.want(0, || dx), at.want(1, || dweight), at.want(2, || dbias)]
    }

    fn decompose(&self, [x, weight, bias]: [&Tensor<T>; 3]) -> Tensor<T> {
        let over: Axes<isize> = (0..x.rank() as isize).filter(|&axis| axis != 1).collect();
        // (C) as (C, 1, ...), to broadcast along the axes behind the channels.
        let along = |param: &Tensor<T>| {
            let mut shape = vec![1; x.rank() - 1];
            shape[0] = x.shape()[1];
            param.reshape(shape)
        };
        let (mean, var) = match self.training {
            true => {
                let mean = x.mean_dim(over, false);
                let centred = x - along(&mean);
                let var = (&centred * &centred).mean_dim(over, false);
                (mean, var)
            }
            false => (self.statistics.mean.clone(), self.statistics.var.clone()),
        };
        let std = (var + T::from_f64(self.eps)).sqrt();
        let y = (x - along(&mean)) / along(&std) * along(weight) + along(bias);
        if RELU { y.relu() } else { y }
    }
}

/// The example's epsilon: large, so that a batch of one has a tame derivative.
pub(super) const EPS: f64 = 0.1;

const EVAL_SHAPES: &[&[&[usize]]] = &[
    &[&[1, 1], &[1], &[1]],
    &[&[0, 3], &[3], &[3]],
    &[&[5, 17], &[17], &[17]],
    &[&[3, 2, 5], &[2], &[2]],
    &[&[256, 1024], &[1024], &[1024]],
];
const EVAL_REFUSED: &[&[&[usize]]] = &[&[&[3], &[3], &[3]], &[&[2, 3], &[2], &[2]]];
const TRAIN_REFUSED: &[&[&[usize]]] =
    &[&[&[3], &[3], &[3]], &[&[2, 3], &[2], &[2]], &[&[2, 3], &[3], &[3, 1]]];

pub(super) const SPECS: &[OpSpec] = &[
    OpSpec {
        name: "batch_norm",
        formula: "y = (x - mean) / √(var + eps) weight + bias, statistics over the batch",
        shapes: &[
            &[&[1, 1], &[1], &[1]],
            &[&[2, 3], &[3], &[3]],
            &[&[5, 17], &[17], &[17]],
            &[&[3, 2, 5], &[2], &[2]],
            &[&[2, 3, 2, 2], &[3], &[3]],
            &[&[256, 1024], &[1024], &[1024]],
        ],
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| x[0].batch_norm(Some(&x[1]), Some(&x[2]), EPS).0),
        oracle: Oracle::Whole(|x| {
            let (mean, var) = statistics(&x[0]);
            normalised(x, &mean, &var)
        }),
        refused: TRAIN_REFUSED,
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(&shapes[..1], 8.0),
        tolerance: TOLERANCE,
    },
    OpSpec {
        name: "batch_norm eval",
        formula: "y = (x - mean) / √(var + eps) weight + bias, statistics given",
        shapes: EVAL_SHAPES,
        domain: Domain::Range(-2.0, 2.0),
        build: build!(|x| {
            let channels = x[0].shape().get(1).copied().unwrap_or(1);
            let value = |from: f64| move |c: &[usize]| T::from_f64(from + 0.1 * (c[0] % 7) as f64);
            let mean = Tensor::from_fn([channels], value(-0.3));
            let var = Tensor::from_fn([channels], value(0.5));
            x[0].batch_norm_with(&BatchStatistics { mean, var }, Some(&x[1]), Some(&x[2]), EPS)
        }),
        oracle: Oracle::Whole(|x| {
            let value = |from: f64| move |c: usize| from + 0.1 * (c % 7) as f64;
            let channels = x[0].shape()[1];
            let mean: Vec<f64> = (0..channels).map(value(-0.3)).collect();
            let var: Vec<f64> = (0..channels).map(value(0.5)).collect();
            normalised(x, &mean, &var)
        }),
        refused: EVAL_REFUSED,
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(&shapes[..1], 4.0),
        tolerance: TOLERANCE,
    },
    OpSpec {
        name: "batch_norm_relu",
        formula: "y = max((x - mean) / √(var + eps) weight + bias, 0), statistics over the batch",
        shapes: &[
            &[&[1, 1], &[1], &[1]],
            &[&[5, 17], &[17], &[17]],
            &[&[3, 2, 5], &[2], &[2]],
            &[&[2, 3, 2, 2], &[3], &[3]],
            &[&[256, 1024], &[1024], &[1024]],
        ],
        domain: AWAY_FROM_KINK,
        build: build!(|x| x[0].batch_norm_relu(Some(&x[1]), Some(&x[2]), EPS).0),
        oracle: Oracle::Whole(|x| {
            let (mean, var) = statistics(&x[0]);
            cut(&normalised(x, &mean, &var))
        }),
        refused: TRAIN_REFUSED,
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(&shapes[..1], 9.0),
        tolerance: TOLERANCE,
    },
    OpSpec {
        name: "batch_norm_relu eval",
        formula: "y = max((x - mean) / √(var + eps) weight + bias, 0), statistics given",
        shapes: EVAL_SHAPES,
        domain: AWAY_FROM_KINK,
        build: build!(|x| {
            let channels = x[0].shape().get(1).copied().unwrap_or(1);
            let (mean, var) = (Tensor::zeros([channels]), Tensor::full([channels], T::ONE));
            let statistics = BatchStatistics { mean, var };
            x[0].batch_norm_relu_with(&statistics, Some(&x[1]), Some(&x[2]), EPS)
        }),
        oracle: Oracle::Whole(|x| {
            let channels = x[0].shape()[1];
            cut(&normalised(x, &vec![0.0; channels], &vec![1.0; channels]))
        }),
        refused: EVAL_REFUSED,
        slope: Slope::Smooth,
        cost: |shapes| Cost::elementwise(&shapes[..1], 5.0),
        tolerance: TOLERANCE,
    },
];

/// Channels that the ReLU passes or stops as a whole: a difference quotient must not see both
/// sides of its kink. What it does within a channel, the kernels' tests show.
pub(super) const AWAY_FROM_KINK: Domain = Domain::Custom(|input, shape, rng| {
    let uniform = Tensor::<f64>::rand(shape, -1.0, 1.0, rng);
    match input {
        0 => uniform * 2.0,
        1 => uniform * 0.25,
        _ => Tensor::from_fn(shape, |idx| uniform.at(idx) + 2.0f64.copysign(uniform.at(idx))),
    }
});

pub(super) const TOLERANCE: Tolerance = Tolerance::Terms(
    32.0,
    |x| {
        Tensor::from_fn(x[0].shape(), |idx| {
            16.0 * (x[1].at(&idx[1..2]).abs() + x[2].at(&idx[1..2]).abs() + 0.1)
        })
    },
    "x and mean cancel before a factor of up to 1 / √eps magnifies their rounding",
);

/// Means and biased variances of the channels, as plain loops.
pub(super) fn statistics(x: &Tensor<f64>) -> (Vec<f64>, Vec<f64>) {
    let channel = |c: usize| x.narrow(1, c, 1).to_vec();
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let pair = |c| {
        let values = channel(c);
        let m = mean(&values);
        (m, mean(&values.iter().map(|x| (x - m).powi(2)).collect::<Vec<_>>()))
    };
    (0..x.shape()[1]).map(pair).unzip()
}

pub(super) fn normalised(x: &[Tensor<f64>], mean: &[f64], var: &[f64]) -> Tensor<f64> {
    Tensor::from_fn(x[0].shape(), |idx| {
        let c = idx[1];
        (x[0].at(idx) - mean[c]) / (var[c] + EPS).sqrt() * x[1].at(&[c]) + x[2].at(&[c])
    })
}

/// The ReLU behind it.
fn cut(y: &Tensor<f64>) -> Tensor<f64> {
    Tensor::from_fn(y.shape(), |idx| y.at(idx).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    /// Against the two ops in a row, with channels that the ReLU passes in part.
    #[test]
    fn a_fused_relu_equals_one_behind() {
        let rng = &mut Rng::seed(5);
        for shape in [&[7, 3][..], &[4, 3, 5]] {
            let x = Tensor::<f32>::randn(shape, rng).leaf();
            let weight = Tensor::<f32>::randn([3], rng).leaf();
            let bias = Tensor::<f32>::randn([3], rng).leaf();
            let dy = Tensor::<f32>::randn(shape, rng);
            let (weight, bias) = (Some(&weight), Some(&bias));
            let (fused, statistics) = x.batch_norm_relu(weight, bias, 1e-5);
            let apart = x.batch_norm(weight, bias, 1e-5).0.relu();
            let given = x.batch_norm_relu_with(&statistics, weight, bias, 1e-5);
            assert_eq!(fused.to_vec(), apart.to_vec());
            assert_eq!(fused.to_vec(), given.to_vec());
            assert!(apart.to_vec().contains(&0.0));
            let (fused, apart) = (fused.backward_from(&dy), apart.backward_from(&dy));
            for (fused, apart) in fused.iter().zip(apart.iter()) {
                for (a, b) in fused.to_vec().into_iter().zip(apart.to_vec()) {
                    assert!((a - b).abs() <= 1e-5 * (1.0 + a.abs()), "{a} {b}");
                }
            }
        }
    }

    #[test]
    fn given_statistics_may_be_columns_of_a_table() {
        let table = Tensor::from([[1.0f64, 3.0], [-2.0, 0.0], [0.5, 1.0]]);
        let (mean, var) = (table.select(1, 0), table.select(1, 1));
        let x = Tensor::randn([4, 3, 2], &mut Rng::seed(6));
        let y = x.batch_norm_with(&BatchStatistics { mean, var }, None, None, 1.0);
        for (at, y) in y.to_vec().into_iter().enumerate() {
            let (mean, var) = (table.at(&[at / 2 % 3, 0]), table.at(&[at / 2 % 3, 1]));
            let want = (x.to_vec()[at] - mean) / (var + 1.0).sqrt();
            assert!((y - want).abs() < 1e-14, "{y} is not {want}");
        }
    }

    #[test]
    fn without_weight_and_bias_it_only_normalises() {
        let x = Tensor::<f64>::randn([2, 3, 4], &mut Rng::seed(7));
        let (one, zero) = (Tensor::ones([3]), Tensor::zeros([3]));
        let (bare, _) = x.batch_norm(None, None, 1e-5);
        let (full, _) = x.batch_norm(Some(&one), Some(&zero), 1e-5);
        assert_eq!(bare.to_vec(), full.to_vec());
    }
}
