//! [`InstanceNorm1d`], [`InstanceNorm2d`], [`InstanceNorm3d`]: normalise each channel of each
//! sample.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{BatchStatistics, Param, Running, Tensor};

use super::batch_norm::move_towards;
use crate::{Layer, Pass, Statistics};

/// The options of [`InstanceNorm2d`]. The defaults are those of `torch.nn.InstanceNorm2d`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InstanceNormOptions {
    /// Keeps the division finite. 1e-5 by default.
    pub eps: f64,
    /// What the running averages take from each batch. 0.1 by default.
    pub momentum: f64,
    /// Whether there are scale and shift. No by default.
    pub affine: bool,
    /// Whether there are running statistics, which take the place of each sample's own in
    /// evaluation. No by default.
    pub track_running_stats: bool,
}

impl Default for InstanceNormOptions {
    fn default() -> Self {
        InstanceNormOptions { eps: 1e-5, momentum: 0.1, affine: false, track_running_stats: false }
    }
}

macro_rules! layers {
    ($($name:ident $rank:literal $shape:literal)*) => {$(
        /// Normalises each channel of each sample over its places. Without scale, shift and running
        /// statistics unless asked for, as in PyTorch.
        ///
        /// # Shape
        #[doc = concat!("`x ", $shape, "` to the same shape.")]
        ///
        /// # Reference
        /// Ulyanov et al. 2016.
        #[derive(Clone, Debug, Module)]
        #[module(crate = "backstitch_tensor")]
        pub struct $name<T: Float = f32> {
            /// The scale `(C)`. Starts at 1.
            pub weight: Option<Param<T>>,
            /// The shift `(C)`. Starts at 0.
            pub bias: Option<Param<T>>,
            /// The running average of the samples' means `(C)`. Starts at 0.
            pub running_mean: Option<Running<T>>,
            /// The running average of the samples' unbiased variances `(C)`. Starts at 1.
            pub running_var: Option<Running<T>>,
            /// A number that PyTorch keeps in its checkpoints and never changes.
            pub num_batches_tracked: Option<Running<T>>,
            /// The options.
            #[module(skip)]
            pub options: InstanceNormOptions,
        }

        impl<T: Float> $name<T> {
            /// A layer for `channels` channels, with PyTorch's defaults.
            pub fn new(channels: usize) -> Self {
                Self::with_options(channels, InstanceNormOptions::default())
            }

            /// A layer with options.
            pub fn with_options(channels: usize, options: InstanceNormOptions) -> Self {
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
                assert!(
                    x.rank() == $rank,
                    concat!(stringify!($name), ": needs ", $shape, "; got {:?}"),
                    x.shape()
                );
                let (weight, bias, eps) = (self.weight.as_deref(), self.bias.as_deref(), self.options.eps);
                if let (Some(mean), Some(var)) = (&self.running_mean, &self.running_var) {
                    match pass.statistics() {
                        Statistics::Running => {
                            let statistics = BatchStatistics { mean: mean.get(), var: var.get() };
                            return x.batch_norm_with(&statistics, weight, bias, eps);
                        }
                        Statistics::Follow => follow([mean, var], self.options.momentum, x),
                        Statistics::Batch => {}
                    }
                }
                x.instance_norm(weight, bias, eps)
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
    InstanceNorm1d 3 "(N, C, T)"
    InstanceNorm2d 4 "(N, C, H, W)"
    InstanceNorm3d 5 "(N, C, D, H, W)"
}

/// Moves the running statistics towards the averages of the samples' own.
fn follow<T: Float>([running_mean, running_var]: [&Running<T>; 2], momentum: f64, x: &Tensor<T>) {
    let (samples, channels) = (x.shape()[0], x.shape()[1]);
    let places: usize = x.shape()[2..].iter().product();
    if samples * places == 0 {
        return;
    }
    // Each channel of each sample as a channel of one sample.
    let apart = x.detach().reshape([1, samples * channels, places]);
    let (_, own) = apart.batch_norm(None, None, 0.0);
    let average = |x: Tensor<T>| x.reshape([samples, channels]).mean_dim(0, false);
    let unbiased = T::from_f64(places as f64 / (places as f64 - 1.0).max(1.0));
    let momentum = T::from_f64(momentum);
    move_towards(running_mean, &average(own.mean), momentum, T::ONE);
    move_towards(running_var, &average(own.var), momentum, unbiased);
}
