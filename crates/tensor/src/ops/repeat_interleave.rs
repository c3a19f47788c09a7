//! `repeat_interleave`: repeats each element of an axis.

use backstitch_kernels::Element;

use super::moves;
use crate::shape::{axis_of, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Repeats each element of axis `dim` so many times in a row.
    ///
    /// `y[.., i, ..] = x[.., i / count, ..]`, rounded down.
    ///
    /// # Shape
    /// `x (..., n, ...)` to `y (..., count n, ...)`.
    ///
    /// # Gradient
    /// `dx` is the sum of `dy` over the repetitions.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([1.0, 2.0]);
    /// assert_eq!(x.repeat_interleave(2, 0).to_vec(), [1.0, 1.0, 2.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn repeat_interleave(&self, count: usize, dim: isize) -> Tensor<T> {
        let axis = or_panic(axis_of("repeat_interleave", dim, self.rank()));
        moves::repeated(self, axis, count, true)
    }
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "repeat_interleave",
    "y[i] = x[i / 3], rounded down, along the first axis",
    moves::SHAPES,
    &[&[&[]]],
    build!(|x| x[0].repeat_interleave(3, 0)),
    |x| moves::along_first(&x[0], 3 * x[0].shape()[0], |i| i / 3),
)];
