//! `tril`: the lower triangle of matrices.

use backstitch_kernels::Element;

use super::moves;
use crate::shape::{ShapeError, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The elements on and below a diagonal of the last two axes, zero above it. Diagonal 0 is the
    /// main one, 1 the one above it, -1 the one below.
    ///
    /// `y[..., i, j] = x[..., i, j]` where `j <= i + diagonal`, else 0.
    ///
    /// # Shape
    /// `x (..., m, n)` to `y (..., m, n)`.
    ///
    /// # Gradient
    /// `dx` is `dy` on and below the diagonal, 0 above it.
    ///
    /// # Panics
    /// When there are fewer than two axes.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.tril(0).to_vec(), [1.0, 0.0, 3.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn tril(&self, diagonal: isize) -> Tensor<T> {
        let mask = or_panic(triangle("tril", self.shape(), diagonal, true));
        Tensor::where_(&mask, self, T::default())
    }
}

/// Where a matrix of the last two axes is on or below a diagonal; or on or above it.
pub(super) fn triangle(
    op: &str,
    shape: &[usize],
    diagonal: isize,
    below: bool,
) -> Result<Tensor<bool>, ShapeError> {
    let [.., rows, cols] = *shape else {
        return Err(ShapeError::new(op, "two axes or more", format!("{shape:?}")));
    };
    Ok(Tensor::build(&[rows, cols], |mask| {
        for (i, row) in mask.chunks_mut(cols.max(1)).enumerate() {
            // The first column above the diagonal, or the first on it.
            let place = i as isize + diagonal + isize::from(below);
            let (left, right) = row.split_at_mut(place.clamp(0, cols as isize) as usize);
            left.fill(below);
            right.fill(!below);
        }
    }))
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "tril",
    "y[i, j] = x[i, j] where j <= i + 1, else 0",
    moves::MATRICES,
    &[&[&[3]], &[&[]]],
    build!(|x| x[0].tril(1)),
    |x| {
        let last = x[0].rank() - 1;
        let keeps = |idx: &[usize]| idx[last] <= idx[last - 1] + 1;
        Tensor::from_fn(x[0].shape(), |idx| if keeps(idx) { x[0].at(idx) } else { 0.0 })
    },
)];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn diagonals_beyond_the_matrix() {
        let x = Tensor::from([[1i64, 2, 3], [4, 5, 6]]);
        assert_eq!(x.tril(-1).to_vec(), [0, 0, 0, 4, 0, 0]);
        assert_eq!(x.tril(9).to_vec(), x.to_vec());
        assert_eq!(x.tril(-9).to_vec(), [0; 6]);
        assert_eq!(x.triu(1).to_vec(), [0, 2, 3, 0, 0, 6]);
        assert_eq!(x.triu(-9).to_vec(), x.to_vec());
    }
}
