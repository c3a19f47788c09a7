//! `triu`: the upper triangle of matrices.

use backstitch_kernels::Element;

use super::moves;
use super::tril::triangle;
use crate::shape::or_panic;
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The elements on and above a diagonal of the last two axes, zero below it; see
    /// [`Tensor::tril`].
    ///
    /// `y[..., i, j] = x[..., i, j]` where `j >= i + diagonal`, else 0.
    ///
    /// # Shape
    /// `x (..., m, n)` to `y (..., m, n)`.
    ///
    /// # Gradient
    /// `dx` is `dy` on and above the diagonal, 0 below it.
    ///
    /// # Panics
    /// When there are fewer than two axes.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.triu(1).to_vec(), [0.0, 2.0, 0.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn triu(&self, diagonal: isize) -> Tensor<T> {
        let mask = or_panic(triangle("triu", self.shape(), diagonal, false));
        Tensor::where_(&mask, self, T::default())
    }
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "triu",
    "y[i, j] = x[i, j] where j >= i - 1, else 0",
    moves::MATRICES,
    &[&[&[3]], &[&[]]],
    build!(|x| x[0].triu(-1)),
    |x| {
        let last = x[0].rank() - 1;
        let keeps = |idx: &[usize]| idx[last] + 1 >= idx[last - 1];
        Tensor::from_fn(x[0].shape(), |idx| if keeps(idx) { x[0].at(idx) } else { 0.0 })
    },
)];
