//! [`Embedding`]: a vector for each of a number of symbols.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{Param, Rng, Tensor};

use crate::Init;

/// A vector for each of a number of symbols, looked up by index.
///
/// # Shape
/// `idx (...)` of `i64` to `y (..., C)`.
///
/// # Gradient
/// Each use of a symbol adds to the gradient of its vector.
///
/// # Examples
/// ```
/// use backstitch_nn::Embedding;
/// use backstitch_tensor::{Rng, Tensor};
///
/// let words: Embedding = Embedding::new(100, 8, &mut Rng::seed(0));
/// assert_eq!(words.forward(&Tensor::from([[3, 1, 4]])).shape(), [1, 3, 8]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "backstitch_tensor")]
pub struct Embedding<T: Float = f32> {
    /// The vectors `(V, C)`. Start normal with mean 0 and standard deviation 1, as PyTorch's.
    pub weight: Param<T>,
}

impl<T: Float> Embedding<T> {
    /// Vectors of `dim` numbers for `count` symbols.
    pub fn new(count: usize, dim: usize, rng: &mut Rng) -> Self {
        let init = Init::Normal { mean: 0.0, std: 1.0 };
        Embedding { weight: Param::new(init.tensor([count, dim], rng)) }
    }

    /// The vectors of the symbols `idx`.
    ///
    /// # Panics
    /// When an index is negative or too large.
    #[track_caller]
    pub fn forward(&self, idx: &Tensor<i64>) -> Tensor<T> {
        let (count, dim) = (idx.numel(), self.weight.shape()[1]);
        let rows = self.weight.gather(0, &idx.reshape([count, 1]).expand([count, dim]));
        let mut shape = idx.shape().to_vec();
        shape.push(dim);
        rows.reshape(shape)
    }
}
