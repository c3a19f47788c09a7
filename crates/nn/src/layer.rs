//! [`Layer`]: a module from one tensor to one tensor, and the sequences that are layers again.

use backstitch_kernels::Float;
use backstitch_tensor::{Module, Tensor};

use crate::Pass;

/// A module with one input and one output, so that [`Sequential`](crate::Sequential),
/// [`Residual`](crate::Residual), tuples and arrays can chain it.
///
/// A model itself need not be one: its forward may take and return what it likes.
///
/// # Examples
/// A tuple of layers is a layer:
/// ```
/// use backstitch_nn::{Layer, Linear, Pass, Relu};
/// use backstitch_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed(0);
/// let mlp = (Linear::new(2, 8, &mut rng), Relu, Linear::new(8, 1, &mut rng));
/// let y = Layer::forward(&mlp, &Tensor::from([[1.0, 2.0]]), &Pass::eval());
/// assert_eq!(y.shape(), [1, 1]);
/// ```
pub trait Layer<T: Float = f32>: Module<T> + BoxedClone<T> + Send + Sync {
    /// The output for `x`.
    fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T>;
}

/// Clones a layer behind a pointer. Every layer that is `Clone` has it.
pub trait BoxedClone<T: Float> {
    /// A copy of the layer in a box.
    fn boxed_clone(&self) -> Box<dyn Layer<T>>;
}

impl<T: Float, L: Layer<T> + Clone + 'static> BoxedClone<T> for L {
    fn boxed_clone(&self) -> Box<dyn Layer<T>> {
        Box::new(self.clone())
    }
}

impl<T: Float> Clone for Box<dyn Layer<T>> {
    fn clone(&self) -> Self {
        (**self).boxed_clone()
    }
}

impl<T: Float> Layer<T> for Box<dyn Layer<T>> {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        (**self).forward(x, pass)
    }
}

/// One layer after the other.
impl<T: Float, L: Layer<T> + Clone + 'static> Layer<T> for Vec<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        chain(self, x, pass)
    }
}

/// One layer after the other.
impl<T: Float, L: Layer<T> + Clone + 'static, const N: usize> Layer<T> for [L; N] {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        chain(self, x, pass)
    }
}

/// The layer, or nothing at all.
impl<T: Float, L: Layer<T> + Clone + 'static> Layer<T> for Option<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
        chain(self.as_slice(), x, pass)
    }
}

#[track_caller]
fn chain<T: Float>(layers: &[impl Layer<T>], x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
    let mut x = x.clone();
    for layer in layers {
        x = layer.forward(&x, pass);
    }
    x
}

/// One layer after the other, each of a type of its own.
macro_rules! tuples {
    ($(($($name:ident $idx:tt),+))+) => {$(
        impl<T: Float, $($name: Layer<T> + Clone + 'static),+> Layer<T> for ($($name,)+) {
            #[track_caller]
            fn forward(&self, x: &Tensor<T>, pass: &Pass) -> Tensor<T> {
                let x = x.clone();
                $(let x = self.$idx.forward(&x, pass);)+
                x
            }
        }
    )+};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}
