//! [`LayerNorm`]: normalises each example over its features.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::shape::IntoShape;
use backstitch_tensor::{Param, Tensor};

use crate::{Layer, Pass};

/// Normalises over the last axes: `y = (x - mean) / √(var + eps) weight + bias`, with mean and
/// biased variance over these axes.
///
/// # Shape
/// `x (..., shape)` to the same shape.
///
/// # Examples
/// ```
/// use backstitch_nn::LayerNorm;
/// use backstitch_tensor::Tensor;
///
/// let y = LayerNorm::new(2).forward(&Tensor::from([[1.0f32, 3.0]]));
/// assert!((y.at(&[0, 1]) - 1.0).abs() < 1e-5);
/// ```
///
/// # Reference
/// Ba, Kiros and Hinton 2016, equation 4.
#[derive(Clone, Debug, Module)]
#[module(crate = "backstitch_tensor")]
pub struct LayerNorm<T: Float = f32> {
    /// The scale `(shape)`. Starts at 1.
    pub weight: Option<Param<T>>,
    /// The shift `(shape)`. Starts at 0.
    pub bias: Option<Param<T>>,
    /// The lengths of the axes to normalise over.
    pub shape: Vec<usize>,
    /// Keeps the division finite.
    pub eps: f64,
}

/// The options of [`LayerNorm`]. The defaults are those of `torch.nn.LayerNorm`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNormOptions {
    /// Keeps the division finite. 1e-5 by default.
    pub eps: f64,
    /// Whether there is a scale. Yes by default.
    pub elementwise_affine: bool,
    /// Whether there is a shift, beside a scale. Yes by default.
    pub bias: bool,
}

impl Default for LayerNormOptions {
    fn default() -> Self {
        LayerNormOptions { eps: 1e-5, elementwise_affine: true, bias: true }
    }
}

impl<T: Float> LayerNorm<T> {
    /// A layer that normalises over last axes of these lengths, with PyTorch's defaults.
    pub fn new(shape: impl IntoShape) -> Self {
        Self::with_options(shape, LayerNormOptions::default())
    }

    /// A layer with options.
    pub fn with_options(shape: impl IntoShape, options: LayerNormOptions) -> Self {
        let shape = shape.into_shape().to_vec();
        let param = |there: bool, value| there.then(|| Param::new(Tensor::full(&shape, value)));
        LayerNorm {
            weight: param(options.elementwise_affine, T::ONE),
            bias: param(options.elementwise_affine && options.bias, T::ZERO),
            shape,
            eps: options.eps,
        }
    }

    /// The output for `x`.
    ///
    /// # Panics
    /// When the last axes of `x` have other lengths.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
        x.layer_norm(&self.shape, self.weight.as_deref(), self.bias.as_deref(), self.eps)
    }
}

impl<T: Float> Layer<T> for LayerNorm<T> {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, _: &Pass) -> Tensor<T> {
        self.forward(x)
    }
}
