//! `embedding`: rows of a table by index.

use backstitch_kernels::Float;

use super::gather::outside;
use super::places::{Places, picked, picked_sparse};
use crate::shape::{Shape, ShapeError, or_panic};
use crate::spec::{Cost, Domain, OpSpec, Oracle, Slope, Tolerance, build};
use crate::tensor::Tensor;

/// How [`Tensor::embedding`] treats its table. The defaults are those of
/// `torch.nn.functional.embedding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmbeddingOptions {
    /// A row that gets no gradient. None by default (PyTorch).
    pub padding_idx: Option<usize>,
    /// Whether the gradient of a table that is a leaf comes as [`Rows`](crate::Rows): those that
    /// were used, without the zeros. No by default (PyTorch).
    pub sparse: bool,
}

impl<T: Float> Tensor<T> {
    /// The rows of this table that `idx` names.
    ///
    /// `y[i] = x[idx[i]]`
    ///
    /// # Shape
    /// `x (V, C)` and `idx (...)` to `y (..., C)`.
    ///
    /// # Gradient
    /// Each use of a row adds to the row of `dx`; but the row `padding_idx` gets none. With
    /// `sparse`, [`Gradients::rows`](crate::Gradients::rows) of the table holds it.
    ///
    /// # Panics
    /// When the table has other than two axes, or an index, `padding_idx` included, is negative or
    /// too large.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::{EmbeddingOptions, Tensor};
    ///
    /// let table = Tensor::from([[1.0, 2.0], [3.0, 4.0]]).leaf();
    /// let options = EmbeddingOptions { padding_idx: Some(0), ..Default::default() };
    /// let y = table.embedding(&Tensor::from([1i64, 1, 0]), &options);
    /// assert_eq!(y.to_vec(), [3.0, 4.0, 3.0, 4.0, 1.0, 2.0]);
    /// assert_eq!(y.sum().backward().get(&table).unwrap().to_vec(), [0.0, 0.0, 2.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn embedding(&self, idx: &Tensor<i64>, options: &EmbeddingOptions) -> Tensor<T> {
        let EmbeddingOptions { padding_idx, sparse } = *options;
        or_panic(shape_rule(self.shape(), idx.shape(), padding_idx));
        let flat = idx.reshape([idx.numel()]);
        let places = Places::rows(0, &flat);
        let y = places.of(self).map_err(|bad| outside("embedding", bad, self.shape()));
        let mut rows = match sparse {
            true => picked_sparse("embedding", self, or_panic(y), places),
            false => picked("embedding", self, or_panic(y), places),
        };
        if let Some(padding) = padding_idx {
            let padded = flat.eq(padding as i64).reshape([idx.numel(), 1]);
            if padded.any([], false).item() {
                rows = Tensor::where_(&padded, rows.detach(), &rows);
            }
        }
        let mut shape = Shape::new(idx.shape());
        shape.push(self.shape()[1]);
        rows.reshape(shape)
    }
}

fn shape_rule(x: &[usize], idx: &[usize], padding_idx: Option<usize>) -> Result<(), ShapeError> {
    let got = || format!("{x:?} and indices {idx:?}");
    if x.len() != 2 {
        return Err(ShapeError::new("embedding", "a table of two axes", got()));
    }
    match padding_idx {
        Some(at) if at >= x[0] => {
            let rule = format!("a row {at} for padding");
            Err(ShapeError::new("embedding", rule, got()))
        }
        _ => Ok(()),
    }
}

pub(super) const SPECS: &[OpSpec] = &[OpSpec {
    name: "embedding",
    formula: "y[i] = x[idx[i]]",
    shapes: &[&[&[1, 1]], &[&[3, 0]], &[&[7, 3]], &[&[5, 17]], &[&[2, 33]], &[&[256, 1024]]],
    domain: Domain::Range(-2.0, 2.0),
    build: build!(|x| x[0].embedding(&example(x[0].shape()), &EmbeddingOptions::default())),
    oracle: Oracle::Whole(|x| {
        let idx = example(x[0].shape());
        let shape = [idx.shape(), &[x[0].shape()[1]]].concat();
        Tensor::from_fn(shape, |at| x[0].at(&[idx.at(&at[..2]) as usize, at[2]]))
    }),
    refused: &[&[&[3]], &[&[2, 3, 4]], &[&[0, 4]]],
    slope: Slope::Smooth,
    cost: |shapes| Cost::elementwise(shapes, 0.0),
    tolerance: Tolerance::Exact,
}];

/// Two lists of indices, some of them equal.
fn example(shape: &[usize]) -> Tensor<i64> {
    let rows = shape[0].max(1);
    Tensor::from_fn([2, rows], |at| ((at[0] + 3 * at[1]) % rows) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_outside_is_refused() {
        let error = shape_rule(&[3, 2], &[5], Some(3)).unwrap_err().to_string();
        assert_eq!(error, "embedding: needs a row 3 for padding; got [3, 2] and indices [5]");
    }

    #[test]
    fn the_row_for_padding_gets_no_gradient() {
        let table = Tensor::from([[1.0, 2.0], [3.0, 4.0]]).leaf();
        for sparse in [false, true] {
            let options = EmbeddingOptions { padding_idx: Some(0), sparse };
            let grads = table.embedding(&Tensor::from([1i64, 1, 0]), &options).sum().backward();
            let got = match sparse {
                false => grads.get(&table).unwrap().to_vec(),
                true => grads.rows(&table).unwrap().dense(&[2, 2]).to_vec(),
            };
            assert_eq!(got, [0.0, 0.0, 2.0, 2.0]);
        }
    }

    #[test]
    fn a_sparse_gradient_is_the_dense_one_without_zeros() {
        let table = Tensor::<f64>::arange(0.0, 12.0, 1.0).reshape([6, 2]).leaf();
        let idx = Tensor::from([[4i64, 1], [4, 0]]);
        let weight = Tensor::<f64>::arange(1.0, 9.0, 1.0).reshape([2, 2, 2]);
        let grads = |sparse: bool, uses_whole: bool| {
            let options = EmbeddingOptions { padding_idx: Some(0), sparse };
            let mut loss = (table.embedding(&idx, &options) * &weight).sum();
            if uses_whole {
                loss = loss + (&table * &table).sum();
            }
            loss.backward()
        };
        let (dense, sparse) = (grads(false, false), grads(true, false));
        let want = dense.get(&table).unwrap();
        assert!(dense.rows(&table).is_none() && sparse.get(&table).is_none());
        let rows = sparse.rows(&table).unwrap();
        assert_eq!(rows.idx.to_vec(), [0, 1, 4]);
        assert_eq!(rows.dense(&[6, 2]).to_vec(), want.to_vec());

        // Together with a dense use of the table, or a dense gradient, it becomes dense.
        let want = grads(false, true);
        let mut got = grads(true, true);
        assert_eq!(got.get(&table).unwrap().to_vec(), want.get(&table).unwrap().to_vec());
        got.accumulate(grads(true, false));
        let mut both = want;
        both.accumulate(grads(false, false));
        assert_eq!(got.get(&table).unwrap().to_vec(), both.get(&table).unwrap().to_vec());

        let mut twice = grads(true, false);
        twice.accumulate(grads(true, false));
        let doubled = twice.rows(&table).unwrap().dense(&[6, 2]);
        assert_eq!(doubled.to_vec(), (grads(false, false).get(&table).unwrap() * 2.0).to_vec());
        assert_eq!((twice.len(), twice.iter().count()), (1, 1));
    }
}
