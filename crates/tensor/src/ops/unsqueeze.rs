//! `unsqueeze`: puts in an axis of length 1.

use backstitch_kernels::Element;

use super::moves;
use crate::shape::{Shape, axis_of, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Puts in an axis of length 1, which is axis `dim` of the result; -1 makes it the last.
    ///
    /// # Gradient
    /// `dx` is `dy` in the shape of `x`.
    ///
    /// # Panics
    /// When the result cannot have such an axis.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::<f32>::zeros([2, 3]);
    /// assert_eq!(x.unsqueeze(0).shape(), [1, 2, 3]);
    /// assert_eq!(x.unsqueeze(-1).shape(), [2, 3, 1]);
    /// ```
    #[track_caller]
    pub fn unsqueeze(&self, dim: isize) -> Tensor<T> {
        let axis = or_panic(axis_of("unsqueeze", dim, self.rank() + 1));
        let mut shape = Shape::new(self.shape());
        shape.insert(axis, 1);
        self.reshape(shape)
    }
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "unsqueeze",
    "y[i, 0] = x[i], a new axis after the first",
    moves::SHAPES,
    &[&[&[]]],
    build!(|x| x[0].unsqueeze(1)),
    |x| {
        let mut shape = x[0].shape().to_vec();
        shape.insert(1, 1);
        Tensor::from_vec(x[0].to_vec(), shape)
    },
)];
