//! [`Prelu`]: a leaky ReLU that learns its slope.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{Param, Tensor};

use crate::{Layer, Pass};

/// A leaky ReLU that learns its slope; see [`Tensor::prelu`].
///
/// # Reference
/// He et al. 2015, equation 1; as `torch.nn.PReLU`.
#[derive(Clone, Debug, Module)]
#[module(crate = "backstitch_tensor")]
pub struct Prelu<T: Float = f32> {
    /// The slope `(1)`, or `(C)` for one per channel. Starts at 0.25, as in the paper.
    pub weight: Param<T>,
}

impl<T: Float> Prelu<T> {
    /// A layer with one slope, or one for each of `count` channels.
    pub fn new(count: usize) -> Self {
        Prelu { weight: Param::new(Tensor::full([count], T::from_f64(0.25))) }
    }

    /// The output for `x`.
    ///
    /// # Panics
    /// When `x` has another number of channels, and there is more than one slope.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
        x.prelu(&self.weight)
    }
}

impl<T: Float> Layer<T> for Prelu<T> {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, _: &Pass) -> Tensor<T> {
        self.forward(x)
    }
}
