//! [`Rows`]: a gradient that is zero but for some rows, as an embedding has it.

use backstitch_kernels::Float;

use crate::tensor::Tensor;

/// A gradient of which only some rows, along the first axis, are other than zero.
///
/// A table of a million symbols gets, from a batch of a thousand, a gradient of a thousand rows.
///
/// # Examples
/// ```
/// use backstitch_tensor::{EmbeddingOptions, Tensor};
///
/// let table = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]).leaf();
/// let options = EmbeddingOptions { sparse: true, ..Default::default() };
/// let grads = table.embedding(&Tensor::from([2i64, 0, 2]), &options).sum().backward();
/// let rows = grads.rows(&table).unwrap();
/// assert_eq!(rows.idx.to_vec(), [0, 2]);
/// assert_eq!(rows.values.to_vec(), [1.0, 1.0, 2.0, 2.0]);
/// assert_eq!(rows.dense(&[3, 2]).to_vec(), [1.0, 1.0, 0.0, 0.0, 2.0, 2.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Rows<T: Float = f32> {
    /// Which rows, each once, rising.
    pub idx: Tensor<i64>,
    /// Their gradients `(rows, ...)`.
    pub values: Tensor<T>,
}

impl<T: Float> Rows<T> {
    /// Rows of which some may be the same: those are added up, in the order in which they stand.
    pub(crate) fn sum(idx: &Tensor<i64>, values: &Tensor<T>) -> Rows<T> {
        let unique = idx.unique();
        let mut shape = values.shape().to_vec();
        shape[0] = unique.values.numel();
        let zeros = Tensor::zeros(shape);
        Rows { values: zeros.index_add(0, &unique.inverse, &values.detach()), idx: unique.values }
    }

    /// Both together.
    pub(crate) fn plus(&self, other: &Rows<T>) -> Rows<T> {
        let idx = Tensor::concat(&[&self.idx, &other.idx], 0);
        Rows::sum(&idx, &Tensor::concat(&[&self.values, &other.values], 0))
    }

    /// A dense gradient with these rows added.
    pub(crate) fn add_to(&self, dense: &Tensor<T>) -> Tensor<T> {
        dense.detach().index_add(0, &self.idx, &self.values)
    }

    /// The same as a tensor of `shape`.
    ///
    /// # Panics
    /// When the rows do not fit the shape.
    #[track_caller]
    pub fn dense(&self, shape: &[usize]) -> Tensor<T> {
        Tensor::zeros(shape).index_add(0, &self.idx, &self.values)
    }
}
