//! [`RmsNorm`]: divides each example by the root mean square of its features.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::shape::IntoShape;
use backstitch_tensor::{Param, Tensor};

use crate::{Layer, Pass};

/// Divides by the root mean square over the last axes: `y = x / √(mean(x²) + eps) weight`.
///
/// # Shape
/// `x (..., shape)` to the same shape.
///
/// # Reference
/// Zhang and Sennrich 2019, equation 4.
#[derive(Clone, Debug, Module)]
#[module(crate = "backstitch_tensor")]
pub struct RmsNorm<T: Float = f32> {
    /// The scale `(shape)`. Starts at 1.
    pub weight: Option<Param<T>>,
    /// The lengths of the axes to normalise over.
    #[module(skip)]
    pub shape: Vec<usize>,
    /// Keeps the division finite.
    #[module(skip)]
    pub eps: f64,
}

impl<T: Float> RmsNorm<T> {
    /// A layer that normalises over last axes of these lengths, with PyTorch's defaults: a scale,
    /// and the element type's epsilon as `eps`.
    pub fn new(shape: impl IntoShape) -> Self {
        Self::with_options(shape, T::EPSILON.to_f64(), true)
    }

    /// A layer with another `eps`, and perhaps without a scale.
    pub fn with_options(shape: impl IntoShape, eps: f64, elementwise_affine: bool) -> Self {
        let shape = shape.into_shape().to_vec();
        let weight = elementwise_affine.then(|| Param::new(Tensor::ones(&shape)));
        RmsNorm { weight, shape, eps }
    }

    /// The output for `x`.
    ///
    /// # Panics
    /// When the last axes of `x` have other lengths.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
        x.rms_norm(&self.shape, self.weight.as_deref(), self.eps)
    }
}

impl<T: Float> Layer<T> for RmsNorm<T> {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, _: &Pass) -> Tensor<T> {
        self.forward(x)
    }
}
