//! `flip`: turns axes round.

use backstitch_kernels::Element;

use super::moves;
use crate::shape::{AxisSet, IntoDims, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Turns the order of the elements along `dims` round; with no dims, along all axes. A view.
    ///
    /// `y[.., i, ..] = x[.., n - 1 - i, ..]`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx` is `dy`, turned back.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.flip(1).to_vec(), [2.0, 1.0, 4.0, 3.0]);
    /// assert_eq!(x.flip([0, 1]).to_vec(), [4.0, 3.0, 2.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn flip(&self, dims: impl IntoDims) -> Tensor<T> {
        let axes = or_panic(AxisSet::new("flip", dims, self.rank()));
        let mut y = self.clone();
        for axis in axes.iter() {
            y = y.slice_step(axis as isize, .., -1);
        }
        y
    }
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "flip",
    "y[i, ..., j] = x[m - 1 - i, ..., n - 1 - j], first and last axis",
    moves::MATRICES,
    &[&[&[]]],
    build!(|x| x[0].flip([0, -1])),
    |x| {
        let (m, n, last) = (x[0].size(0), x[0].size(-1), x[0].rank() - 1);
        Tensor::from_fn(x[0].shape(), |idx| {
            let mut own = idx.to_vec();
            (own[0], own[last]) = (m - 1 - idx[0], n - 1 - idx[last]);
            x[0].at(&own)
        })
    },
)];
