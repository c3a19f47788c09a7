//! `select`: one element of an axis.

use backstitch_kernels::Element;

use super::moves;
use crate::shape::{Shape, ShapeError, axis_of, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The part of the tensor at `index` of axis `dim`, without that axis. A view; a negative index
    /// counts from the end.
    ///
    /// # Shape
    /// `x (A, B, C)` with dim 1 to `y (A, C)`.
    ///
    /// # Gradient
    /// `dx` is `dy` at the index, 0 elsewhere.
    ///
    /// # Panics
    /// When the axis does not exist or the index lies outside.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.select(1, -1).to_vec(), [2.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn select(&self, dim: isize, index: isize) -> Tensor<T> {
        let (axis, place) = or_panic(place("select", self.shape(), dim, index));
        let mut shape = Shape::new(self.shape());
        shape.remove(axis);
        self.narrow(axis as isize, place, 1).reshape(shape)
    }
}

/// The axis and the place in it that `dim` and `index` mean.
pub(super) fn place(
    op: &str,
    shape: &[usize],
    dim: isize,
    index: isize,
) -> Result<(usize, usize), ShapeError> {
    let axis = axis_of(op, dim, shape.len())?;
    let size = shape[axis] as isize;
    match (-size..size).contains(&index) {
        true => Ok((axis, index.rem_euclid(size) as usize)),
        false => {
            let rule = format!("an index from {} to {}", -size, size - 1);
            Err(ShapeError::new(op, rule, format!("{index} for dim {dim} of {shape:?}")))
        }
    }
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "select",
    "y[j] = x[n - 1, j], the last element of the first axis",
    moves::SHAPES,
    &[&[&[]], &[&[0, 2]]],
    build!(|x| x[0].select(0, -1)),
    |x| {
        let last = x[0].shape()[0] - 1;
        Tensor::from_fn(&x[0].shape()[1..], |idx| x[0].at(&[&[last], idx].concat()))
    },
)];

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn indices_outside_are_refused() {
        let error = place("select", &[2, 3], 1, 3).unwrap_err().to_string();
        assert_eq!(error, "select: needs an index from -3 to 2; got 3 for dim 1 of [2, 3]");
        assert_eq!(place("select", &[2, 3], -1, -3), Ok((1, 0)));
    }
}
