//! [`Linear`]: a fully connected layer.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{Param, Rng, Tensor};

use crate::{Init, Layer, Pass};

/// A fully connected layer: `y = x weightᵀ + bias`.
///
/// # Shape
/// `x (..., in)` to `y (..., out)`.
///
/// # Examples
/// ```
/// use backstitch_nn::Linear;
/// use backstitch_tensor::{Rng, Tensor};
///
/// let fc: Linear = Linear::new(3, 2, &mut Rng::seed(0));
/// assert_eq!(fc.forward(&Tensor::ones([5, 3])).shape(), [5, 2]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "backstitch_tensor")]
pub struct Linear<T: Float = f32> {
    /// The weight `(out, in)`, laid out as PyTorch's. Starts even between `±1 / √in`, as
    /// PyTorch's does: Kaiming uniform for a leaky ReLU of slope √5.
    pub weight: Param<T>,
    /// The bias `(out)`. Starts even between `±1 / √in`, as PyTorch's does.
    pub bias: Option<Param<T>>,
}

/// The options of [`Linear`]. The defaults are those of `torch.nn.Linear`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearOptions {
    /// Whether there is a bias. Yes by default.
    pub bias: bool,
    /// How the weight starts. Even between `±1 / √in` by default.
    pub weight_init: Init,
    /// How the bias starts; the fans are the weight's. Even between `±1 / √in` by default.
    pub bias_init: Init,
}

impl Default for LinearOptions {
    fn default() -> Self {
        LinearOptions { bias: true, weight_init: Init::TORCH, bias_init: Init::TORCH }
    }
}

impl<T: Float> Linear<T> {
    /// A layer from `in_features` to `out_features`, with PyTorch's defaults.
    pub fn new(in_features: usize, out_features: usize, rng: &mut Rng) -> Self {
        Self::with_options(in_features, out_features, LinearOptions::default(), rng)
    }

    /// A layer with options.
    pub fn with_options(
        in_features: usize,
        out_features: usize,
        options: LinearOptions,
        rng: &mut Rng,
    ) -> Self {
        let weight = options.weight_init.tensor([out_features, in_features], rng);
        let fans = (in_features, out_features);
        let bias = options
            .bias
            .then(|| Param::new(options.bias_init.tensor_with_fans(&[out_features], fans, rng)));
        Linear { weight: Param::new(weight), bias }
    }

    /// The output for `x`.
    ///
    /// # Panics
    /// When the last axis of `x` is not `in` long.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
        x.linear(&self.weight, self.bias.as_deref())
    }
}

impl<T: Float> Layer<T> for Linear<T> {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, _: &Pass) -> Tensor<T> {
        self.forward(x)
    }
}
