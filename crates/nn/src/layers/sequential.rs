//! [`Sequential`]: layers of any types, one after the other.

use backstitch_kernels::Float;
use backstitch_tensor::{Module, Tensor, Visitor, VisitorMut};

use crate::{Layer, Pass};

/// Layers of any types, one after the other; numbered from 0 in names, as in PyTorch.
///
/// # Examples
/// ```
/// use backstitch_nn::{Linear, ModuleExt, Pass, Relu, Sequential};
/// use backstitch_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed(0);
/// let mlp: Sequential = Sequential::new()
///     .then(Linear::new(2, 8, &mut rng))
///     .then(Relu)
///     .then(Linear::new(8, 1, &mut rng));
/// assert_eq!(mlp.forward(&Tensor::from([[1.0, 2.0]]), &Pass::eval()).shape(), [1, 1]);
/// assert_eq!(mlp.param_names(), ["0.weight", "0.bias", "2.weight", "2.bias"]);
/// ```
#[derive(Clone)]
pub struct Sequential<T: Float = f32> {
    /// The layers, in order.
    pub layers: Vec<Box<dyn Layer<T>>>,
}

impl<T: Float> Sequential<T> {
    /// No layers yet: the identity.
    pub fn new() -> Self {
        Sequential { layers: Vec::new() }
    }

    /// The same with one layer more.
    pub fn then(mut self, layer: impl Layer<T> + 'static) -> Self {
        self.layers.push(Box::new(layer));
        self
    }

    /// The output of the last layer.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        self.layers.forward(x, pass)
    }
}

impl<T: Float> Default for Sequential<T> {
    fn default() -> Self {
        Self::new()
    }
}

// By hand, so that names are `0.weight` and not `layers.0.weight`.
impl<T: Float> Module<T> for Sequential<T> {
    fn visit<'a>(&'a self, visitor: &mut Visitor<'_, 'a, T>) {
        self.layers.visit(visitor);
    }
    fn visit_mut<'a>(&'a mut self, visitor: &mut VisitorMut<'_, 'a, T>) {
        self.layers.visit_mut(visitor);
    }
}

impl<T: Float> Layer<T> for Sequential<T> {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        self.forward(x, pass)
    }
}
