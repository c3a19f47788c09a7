//! [`BatchNorm1d`], [`BatchNorm2d`], [`BatchNorm3d`]: normalise each channel over the batch.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{BatchStatistics, Param, Running, Tensor};

use crate::{Layer, Pass, Statistics};

/// What follows the normalisation.
enum After<'a, T: Float> {
    Nothing,
    Relu,
    AddRelu(&'a Tensor<T>),
}

macro_rules! layers {
    ($($name:ident $ranks:pat, $shapes:literal;)*) => {$(
        /// Normalises each channel over the batch: `y = (x - mean) / √(var + eps) weight + bias`.
        ///
        /// Mean and variance are the batch's while training, and running averages of them in evaluation;
        /// [`Pass::with_statistics`] chooses otherwise. The variance that normalises is the biased one.
        ///
        /// # Shape
        #[doc = concat!("`x ", $shapes, "` to the same shape.")]
        ///
        /// # Numerics
        /// A batch of one gives the bias, and its variance counts as 0; PyTorch refuses it.
        ///
        /// # Reference
        /// Ioffe and Szegedy 2015, algorithms 1 and 2.
        #[derive(Clone, Debug, Module)]
        #[module(crate = "backstitch_tensor")]
        pub struct $name<T: Float = f32> {
            /// The scale `(C)`. Starts at 1.
            pub weight: Option<Param<T>>,
            /// The shift `(C)`. Starts at 0.
            pub bias: Option<Param<T>>,
            /// The running average of means `(C)`. Starts at 0.
            pub running_mean: Option<Running<T>>,
            /// The running average of variances `(C)`. Starts at 1.
            pub running_var: Option<Running<T>>,
            /// How many batches the running statistics have followed.
            pub num_batches_tracked: Option<Running<T>>,
            /// The options.
            #[module(skip)]
            pub options: BatchNormOptions,
        }

        impl<T: Float> $name<T> {
            /// A layer for `channels` channels, with PyTorch's defaults.
            pub fn new(channels: usize) -> Self {
                Self::with_options(channels, BatchNormOptions::default())
            }

            /// A layer with options.
            pub fn with_options(channels: usize, options: BatchNormOptions) -> Self {
                let param = |value| options.affine.then(|| Param::new(Tensor::full([channels], value)));
                let tracks = options.track_running_stats;
                let running = |value| tracks.then(|| Running::new(Tensor::full([channels], value)));
                $name {
                    weight: param(T::ONE),
                    bias: param(T::ZERO),
                    running_mean: running(T::ZERO),
                    running_var: running(T::ONE),
                    num_batches_tracked: tracks.then(|| Running::new(Tensor::scalar(T::ZERO))),
                    options,
                }
            }

            /// The output for `x`.
            ///
            /// # Panics
            /// When `x` has other axes or another number of channels.
            #[track_caller]
            pub fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
                self.normalise(x, pass, After::Nothing)
            }

            /// The output for `x` with a ReLU behind it: as `forward(x, pass).relu()`, but in one pass over
            /// the data, and in one back.
            ///
            /// # Panics
            /// As `forward`.
            #[track_caller]
            pub fn forward_relu(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
                self.normalise(x, pass, After::Relu)
            }

            /// The output for `x` with a residual added and a ReLU behind it, the end of a residual block: as
            /// `(forward(x, pass) + residual).relu()`, but in one pass over the data.
            ///
            /// # Panics
            /// As `forward`, and when the residual has another shape than `x`.
            #[track_caller]
            pub fn forward_add_relu(
                &self,
                x: &Tensor<T>,
                residual: &Tensor<T>,
                pass: &Pass,
            ) -> Tensor<T> {
                self.normalise(x, pass, After::AddRelu(residual))
            }

            #[track_caller]
            fn normalise(&self, x: &Tensor<T>, pass: &Pass, after: After<'_, T>) -> Tensor<T> {
                assert!(
                    matches!(x.rank(), $ranks),
                    concat!(stringify!($name), ": needs ", $shapes, "; got {:?}"),
                    x.shape()
                );
                let (weight, bias, eps) = (self.weight.as_deref(), self.bias.as_deref(), self.options.eps);
                match (&self.running_mean, &self.running_var, pass.statistics()) {
                    (Some(mean), Some(var), Statistics::Running) => {
                        let statistics = BatchStatistics { mean: mean.get(), var: var.get() };
                        match after {
                            After::Nothing => x.batch_norm_with(&statistics, weight, bias, eps),
                            After::Relu => x.batch_norm_relu_with(&statistics, weight, bias, eps),
                            After::AddRelu(residual) => {
                                x.batch_norm_add_relu_with(&statistics, residual, weight, bias, eps)
                            }
                        }
                    }
                    (_, _, statistics) => {
                        let (y, batch) = match after {
                            After::Nothing => x.batch_norm(weight, bias, eps),
                            After::Relu => x.batch_norm_relu(weight, bias, eps),
                            After::AddRelu(residual) => {
                                x.batch_norm_add_relu(residual, weight, bias, eps)
                            }
                        };
                        if statistics == Statistics::Follow {
                            let count = x.numel() / x.shape()[1].max(1);
                            if let (Some(mean), Some(var), Some(batches)) =
                                (&self.running_mean, &self.running_var, &self.num_batches_tracked)
                            {
                                follow([mean, var, batches], &self.options, &batch, count);
                            }
                        }
                        y
                    }
                }
            }
        }

        impl<T: Float> Layer<T> for $name<T> {
            #[track_caller]
            fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
                self.forward(x, pass)
            }
        }
    )*};
}

layers! {
    BatchNorm1d 2 | 3, "(N, C) or (N, C, T)";
    BatchNorm2d 4, "(N, C, H, W)";
    BatchNorm3d 5, "(N, C, D, H, W)";
}

/// The options of [`BatchNorm1d`]. The defaults are those of `torch.nn.BatchNorm1d`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormOptions {
    /// Keeps the division finite. 1e-5 by default.
    pub eps: f64,
    /// What the running averages take from each batch; `None` for the plain average of all. 0.1
    /// by default.
    pub momentum: Option<f64>,
    /// Whether there are scale and shift. Yes by default.
    pub affine: bool,
    /// Whether there are running statistics; without them, evaluation uses the batch's, too. Yes
    /// by default.
    pub track_running_stats: bool,
    /// Whether the running variance follows the biased variance `Σ (x - mean)² / n`, as in the
    /// paper's text, in place of the unbiased one, with `n - 1`. No by default.
    pub biased_running_var: bool,
}

impl Default for BatchNormOptions {
    fn default() -> Self {
        BatchNormOptions {
            eps: 1e-5,
            momentum: Some(0.1),
            affine: true,
            track_running_stats: true,
            biased_running_var: false,
        }
    }
}

/// Moves the running statistics towards those of a batch of `count` elements per channel.
fn follow<T: Float>(
    [running_mean, running_var, batches]: [&Running<T>; 3],
    options: &BatchNormOptions,
    batch: &BatchStatistics<T>,
    count: usize,
) {
    batches.update(|batches| batches.data_mut()[0] += T::ONE);
    let momentum = match options.momentum {
        Some(momentum) => T::from_f64(momentum),
        None => T::ONE / batches.get().item(),
    };
    let correction = match options.biased_running_var || count < 2 {
        true => T::ONE,
        false => T::from_f64(count as f64 / (count as f64 - 1.0)),
    };
    move_towards(running_mean, &batch.mean, momentum, T::ONE);
    move_towards(running_var, &batch.var, momentum, correction);
}

/// `running = (1 - momentum) running + momentum factor batch`
pub(super) fn move_towards<T: Float>(
    running: &Running<T>,
    batch: &Tensor<T>,
    momentum: T,
    factor: T,
) {
    let batch = batch.as_slice().expect("the statistics of a batch have no gaps");
    running.update(|running| {
        for (running, &batch) in running.data_mut().iter_mut().zip(batch) {
            *running = (T::ONE - momentum) * *running + momentum * (factor * batch);
        }
    });
}
