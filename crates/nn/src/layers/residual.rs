//! [`Residual`]: a layer and a way around it.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::Tensor;

use crate::{Layer, Pass};

/// A layer added to its input: `y = inner(x) + x`.
///
/// # Shape
/// `x (...)` to `y (...)`: the inner layer must keep the shape.
///
/// # Examples
/// ```
/// use backstitch_nn::{LayerNorm, Linear, Pass, Relu, Residual};
/// use backstitch_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed(0);
/// let block = (LayerNorm::new([4]), Linear::new(4, 4, &mut rng), Relu);
/// let y = Residual { inner: block }.forward(&Tensor::<f32>::ones([2, 4]), &Pass::eval());
/// assert_eq!(y.shape(), [2, 4]);
/// ```
///
/// # Reference
/// He et al. 2016, "Deep residual learning", equation 1.
#[derive(Clone, Copy, Debug, Module)]
#[module(crate = "backstitch_tensor", elem = "all")]
pub struct Residual<L> {
    /// The layer.
    pub inner: L,
}

impl<L> Residual<L> {
    /// The output for `x`.
    ///
    /// # Panics
    /// When the inner layer changes the shape.
    #[track_caller]
    pub fn forward<T: Float>(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T>
    where
        L: Layer<T>,
    {
        let y = self.inner.forward(x, pass);
        assert!(
            y.shape() == x.shape(),
            "Residual: needs a layer that keeps the shape {:?}; got {:?}",
            x.shape(),
            y.shape()
        );
        y + x
    }
}

impl<T: Float, L: Layer<T> + Clone + 'static> Layer<T> for Residual<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        self.forward(x, pass)
    }
}
