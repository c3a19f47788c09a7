//! [`Embedding`]: a vector for each of a number of symbols.

use backstitch_derive::Module;
use backstitch_kernels::Float;
use backstitch_tensor::{EmbeddingOptions, Param, Rng, Tensor};

use crate::Init;

/// A vector for each of a number of symbols, looked up by index.
///
/// # Shape
/// `idx (...)` of `i64` to `y (..., C)`.
///
/// # Gradient
/// Each use of a symbol adds to the gradient of its vector. With `sparse`, a step costs as much as
/// the symbols of its batch, however many there are.
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
    /// A symbol whose vector gets no gradient. None by default (PyTorch).
    pub padding_idx: Option<usize>,
    /// Whether the gradient comes as the rows that were used, which optimizers then update alone.
    /// No by default (PyTorch).
    pub sparse: bool,
}

impl<T: Float> Embedding<T> {
    /// Vectors of `dim` numbers for `count` symbols.
    pub fn new(count: usize, dim: usize, rng: &mut Rng) -> Self {
        let init = Init::Normal { mean: 0.0, std: 1.0 };
        Embedding {
            weight: Param::new(init.tensor([count, dim], rng)),
            padding_idx: None,
            sparse: false,
        }
    }

    /// The same with a symbol for padding, whose vector is zero and stays so.
    ///
    /// # Panics
    /// When there is no such symbol.
    #[track_caller]
    pub fn with_padding(count: usize, dim: usize, padding_idx: usize, rng: &mut Rng) -> Self {
        assert!(
            padding_idx < count,
            "Embedding: needs padding below {count} symbols; got {padding_idx}"
        );
        let mut layer = Self::new(count, dim, rng);
        layer.weight.data_mut()[padding_idx * dim..][..dim].fill(T::ZERO);
        Embedding { padding_idx: Some(padding_idx), ..layer }
    }

    /// The vectors of the symbols `idx`.
    ///
    /// # Panics
    /// When an index is negative or too large.
    #[track_caller]
    pub fn forward(&self, idx: &Tensor<i64>) -> Tensor<T> {
        let options = EmbeddingOptions { padding_idx: self.padding_idx, sparse: self.sparse };
        self.weight.embedding(idx, &options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_zero_and_gets_no_gradient() {
        let words = Embedding::<f64>::with_padding(4, 2, 1, &mut Rng::seed(0));
        let y = words.forward(&Tensor::from([3i64, 1, 3]));
        assert_eq!(y.to_vec()[2..4], [0.0, 0.0]);
        let grads = y.sum().backward();
        let dweight = grads.get(&words.weight).unwrap();
        assert_eq!(dweight.to_vec(), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0]);
    }
}
