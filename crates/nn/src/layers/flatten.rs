//! [`Flatten`]: joins all axes behind the first.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::Tensor;

use crate::{Layer, Pass};

/// Joins all axes behind the first into one, in row-major order: between convolutions and linear
/// layers.
///
/// # Shape
/// `x (N, ...)` to `(N, features)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Module)]
#[module(crate = "backstitch_tensor", elem = "all")]
pub struct Flatten;

impl Flatten {
    /// The output for `x`.
    ///
    /// # Panics
    /// When `x` has no axes.
    #[track_caller]
    pub fn forward<T: Float>(&self, x: &Tensor<T>) -> Tensor<T> {
        assert!(x.rank() > 0, "flatten: needs (N, ...); got {:?}", x.shape());
        let features = x.shape()[1..].iter().product();
        x.reshape([x.shape()[0], features])
    }
}

impl<T: Float> Layer<T> for Flatten {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, _: &Pass) -> Tensor<T> {
        self.forward(x)
    }
}
