//! `diag_embed`: matrices with given diagonals.

use backstitch_kernels::Element;

use super::diagonal::{Place, axes_rule, embedded};
use super::moves;
use crate::shape::{Shape, ShapeError, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Square matrices, as axes `dim1` and `dim2` of the result, with the last axis on a diagonal
    /// and zeros elsewhere. `offset` 0 is the main diagonal, 1 the one above it, -1 the one below.
    ///
    /// # Shape
    /// `x (..., k)` to `y (..., n, n)`, for the last two axes, with `n = k + |offset|`.
    ///
    /// # Gradient
    /// `dx` is the diagonal of `dy`.
    ///
    /// # Panics
    /// When `x` has no axis, or the result has no such axes, or they are the same.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([1.0, 2.0]);
    /// assert_eq!(x.diag_embed(0, -2, -1).to_vec(), [1.0, 0.0, 0.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn diag_embed(&self, offset: isize, dim1: isize, dim2: isize) -> Tensor<T> {
        let (place, shape) = or_panic(shape_rule(self.shape(), offset, dim1, dim2));
        embedded(self, place, shape)
    }
}

fn shape_rule(
    x: &[usize],
    offset: isize,
    dim1: isize,
    dim2: isize,
) -> Result<(Place, Shape), ShapeError> {
    let Some((&len, others)) = x.split_last() else {
        return Err(ShapeError::new("diag_embed", "an axis or more", format!("{x:?}")));
    };
    let n = len + offset.unsigned_abs();
    let (rows, cols) = axes_rule("diag_embed", &[others, &[n, n]].concat(), dim1, dim2)?;
    let mut shape = Shape::new(others);
    shape.insert(rows.min(cols), n);
    shape.insert(rows.max(cols), n);
    Ok((Place { rows, cols, offset }, shape))
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "diag_embed",
    "y[i, ..., i + 1] = x[..., i], zeros elsewhere",
    &[&[&[1]], &[&[7]], &[&[3, 0]], &[&[4, 7]], &[&[5, 3, 2]], &[&[1024]]],
    &[&[&[]]],
    build!(|x| x[0].diag_embed(1, 0, -1)),
    |x| {
        let (last, n) = (x[0].rank() - 1, x[0].size(-1) + 1);
        let shape = [&[n], &x[0].shape()[..last], &[n]].concat();
        Tensor::from_fn(shape, |idx| match idx[0] + 1 == idx[last + 1] {
            true => x[0].at(&[&idx[1..=last], &[idx[0]]].concat()),
            false => 0.0,
        })
    },
)];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn diagonals_come_back() {
        let x = Tensor::from([[1i64, 2], [3, 4]]);
        for (offset, dim1, dim2) in [(0, -2, -1), (2, 0, 1), (-1, 2, 0), (1, 1, 0)] {
            let y = x.diag_embed(offset, dim1, dim2);
            assert_eq!(
                y.diagonal(offset, dim1, dim2).to_vec(),
                x.to_vec(),
                "{offset} {dim1} {dim2}"
            );
        }
        assert_eq!(Tensor::from([5i64]).diag_embed(-1, 0, 1).to_vec(), [0, 0, 5, 0]);
    }
}
