//! `movedim`: moves an axis to another place.

use backstitch_kernels::Element;

use super::moves;
use crate::shape::{Axes, axis_of, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Moves axis `from` to place `to`; the others keep their order. A view.
    ///
    /// # Shape
    /// `x (A, B, C)` from 0 to -1 to `y (B, C, A)`.
    ///
    /// # Gradient
    /// `dx` is `dy` with the axis moved back.
    ///
    /// # Panics
    /// When an axis does not exist.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([2, 3, 4]).movedim(0, -1).shape(), [3, 4, 2]);
    /// ```
    #[track_caller]
    pub fn movedim(&self, from: isize, to: isize) -> Tensor<T> {
        let from = or_panic(axis_of("movedim", from, self.rank()));
        let to = or_panic(axis_of("movedim", to, self.rank()));
        let mut dims: Axes<isize> = (0..self.rank() as isize).collect();
        let moved = dims.remove(from);
        dims.insert(to, moved);
        self.permute(dims)
    }
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "movedim",
    "y[k, i, j] = x[i, j, k], last axis to the front",
    moves::SHAPES,
    &[&[&[]]],
    build!(|x| x[0].movedim(-1, 0)),
    |x| {
        let mut shape = x[0].shape().to_vec();
        shape.rotate_right(1);
        Tensor::from_fn(shape, |idx| {
            let mut own = idx.to_vec();
            own.rotate_left(1);
            x[0].at(&own)
        })
    },
)];
