//! `unbind`: all elements of an axis, as tensors.

use backstitch_kernels::Element;

use super::moves;
use crate::shape::{axis_of, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The parts of the tensor at each index of axis `dim`, without that axis. Views.
    ///
    /// # Shape
    /// `x (A, n, C)` with dim 1 to `n` tensors `(A, C)`.
    ///
    /// # Gradient
    /// Each part's gradient at the part's place; they add up.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let rows = Tensor::from([[1.0, 2.0], [3.0, 4.0]]).unbind(0);
    /// assert_eq!(rows[1].to_vec(), [3.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn unbind(&self, dim: isize) -> Vec<Tensor<T>> {
        let axis = or_panic(axis_of("unbind", dim, self.rank()));
        let mut parts = Vec::with_capacity(self.shape()[axis]);
        for index in 0..self.shape()[axis] {
            parts.push(self.select(axis as isize, index as isize));
        }
        parts
    }
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "unbind",
    "the first element of the first axis, then its last",
    &[&[&[1]], &[&[7]], &[&[3, 0]], &[&[4, 17]], &[&[5, 3, 2]], &[&[16, 1024]]],
    &[&[&[]]],
    build!(|x| {
        let parts = x[0].unbind(0);
        Tensor::stack(&[&parts[0], &parts[parts.len() - 1]], 0)
    }),
    |x| {
        let last = x[0].shape()[0] - 1;
        moves::along_first(&x[0], 2, |i| i * last)
    },
)];
