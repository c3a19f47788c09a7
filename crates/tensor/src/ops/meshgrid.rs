//! `meshgrid`: the coordinates of a grid.

use backstitch_kernels::Element;

use super::moves;
use crate::shape::Shape;
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The coordinates of all points of a grid, from those along each axis. Views.
    ///
    /// `y_k[i_0, i_1, ...] = x_k[i_k]`
    ///
    /// # Shape
    /// `K` tensors of one axis, `(n_k)`, to `K` tensors `(n_0, n_1, ...)`: PyTorch's indexing "ij".
    ///
    /// # Gradient
    /// `dx_k` is `dy_k` summed over all axes but `k`.
    ///
    /// # Panics
    /// When a tensor has not exactly one axis, or there are more than eight.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let grid = Tensor::meshgrid(&[&Tensor::from([1.0, 2.0]), &Tensor::from([5.0, 6.0])]);
    /// assert_eq!(grid[0].to_vec(), [1.0, 1.0, 2.0, 2.0]);
    /// assert_eq!(grid[1].to_vec(), [5.0, 6.0, 5.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn meshgrid(tensors: &[&Tensor<T>]) -> Vec<Tensor<T>> {
        let shapes: Vec<&[usize]> = tensors.iter().map(|x| x.shape()).collect();
        assert!(
            shapes.iter().all(|shape| shape.len() == 1),
            "meshgrid: needs tensors of one axis; got {shapes:?}"
        );
        let grid = Shape::new(&shapes.concat());
        let mut coordinates = Vec::with_capacity(tensors.len());
        for (axis, x) in tensors.iter().enumerate() {
            let mut column = Shape::new(&vec![1; grid.len()]);
            column[axis] = grid[axis];
            coordinates.push(x.reshape(column).expand(grid));
        }
        coordinates
    }
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "meshgrid",
    "y[0, i, j] = a[i], y[1, i, j] = b[j]",
    &[&[&[1], &[1]], &[&[0], &[3]], &[&[7], &[2]], &[&[3], &[17]], &[&[256], &[512]]],
    &[&[&[2, 3], &[2]], &[&[2], &[]]],
    build!(|x| {
        let grid = Tensor::meshgrid(&[&x[0], &x[1]]);
        Tensor::stack(&[&grid[0], &grid[1]], 0)
    }),
    |x| {
        let shape = [2, x[0].numel(), x[1].numel()];
        Tensor::from_fn(shape, |idx| x[idx[0]].at(&[idx[1 + idx[0]]]))
    },
)];
