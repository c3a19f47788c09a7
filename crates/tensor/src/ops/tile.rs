//! `tile`: repeats a tensor along its axes; `repeat` demands a number for each.

use backstitch_kernels::Element;

use super::moves;
use crate::shape::{Shape, ShapeError, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Repeats the tensor `counts[i]` times along axis `i`. The lists are aligned at the last axis,
    /// and where one is shorter, ones go in front, as in NumPy.
    ///
    /// # Shape
    /// `x (A, B)` with counts `[2, 3]` to `y (2 A, 3 B)`.
    ///
    /// # Gradient
    /// `dx` is the sum of the parts of `dy` that the repetitions made.
    ///
    /// # Panics
    /// When the result would have more than eight axes.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0], [2.0]]);
    /// assert_eq!(x.tile([3]).to_vec(), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    /// assert_eq!(x.tile([2, 1]).to_vec(), [1.0, 2.0, 1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn tile(&self, counts: impl AsRef<[usize]>) -> Tensor<T> {
        let counts = counts.as_ref();
        let rank = self.rank().max(counts.len());
        let mut shape = Shape::new(&vec![1; rank - self.rank()]);
        shape.extend(self.shape().iter().copied());
        let mut y = self.reshape(shape);
        for (axis, &count) in (rank - counts.len()..).zip(counts) {
            if count != 1 {
                y = moves::repeated(&y, axis, count, false);
            }
        }
        y
    }

    /// [`Tensor::tile`] with a number for every axis, or for new ones in front as well.
    ///
    /// # Panics
    /// When there are fewer numbers than axes.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, 2.0]).repeat([2, 2]).shape(), [2, 4]);
    /// ```
    #[track_caller]
    pub fn repeat(&self, counts: impl AsRef<[usize]>) -> Tensor<T> {
        or_panic(repeat_rule(self.shape(), counts.as_ref()));
        self.tile(counts)
    }
}

fn repeat_rule(x: &[usize], counts: &[usize]) -> Result<(), ShapeError> {
    match counts.len() >= x.len() {
        true => Ok(()),
        false => {
            let rule = "a number for every axis";
            let error = ShapeError::new("repeat", rule, format!("{counts:?} for {x:?}"));
            Err(error.hint("tile leaves the first axes as they are"))
        }
    }
}

pub(super) const SPECS: &[OpSpec] = &[
    moves::spec(
        "tile",
        "y[i, j, k] = x[j, k mod n], twice along a new axis, three times along the last",
        moves::SHAPES,
        &[],
        build!(|x| {
            let mut counts = vec![1; x[0].rank() + 1];
            (counts[0], counts[x[0].rank()]) = (2, 3);
            x[0].tile(counts)
        }),
        |x| thrice(&x[0]),
    ),
    moves::spec(
        "repeat",
        "y[i, j, k] = x[j, k mod n], twice along a new axis, three times along the last",
        moves::SHAPES,
        &[&[&[2, 3, 2, 1, 1]]],
        build!(|x| {
            // Too few numbers for what is to be refused.
            let mut counts = vec![1; (x[0].rank() + 1).min(4)];
            let last = counts.len() - 1;
            (counts[0], counts[last]) = (2, 3);
            x[0].repeat(counts)
        }),
        |x| thrice(&x[0]),
    ),
];

/// The reference: twice along a new first axis, three times along the last.
fn thrice(x: &Tensor<f64>) -> Tensor<f64> {
    let last = x.rank() - 1;
    let mut shape = [&[2], x.shape()].concat();
    shape[last + 1] *= 3;
    let n = x.size(-1);
    Tensor::from_fn(shape, |idx| moves::at(x, &idx[1..], last, idx[last + 1] % n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_of_zero_leaves_nothing() {
        let x = Tensor::from([1i64, 2]);
        assert_eq!(x.tile([0]).shape(), [0]);
        assert_eq!(x.tile([2, 0]).shape(), [2, 0]);
        assert_eq!(x.tile([]).to_vec(), [1, 2]);
        assert_eq!(Tensor::scalar(7i64).tile([2, 1]).to_vec(), [7, 7]);
    }

    #[test]
    fn repeat_demands_all_numbers() {
        let error = repeat_rule(&[2, 3], &[2]).unwrap_err().to_string();
        let want = "repeat: needs a number for every axis; got [2] for [2, 3]; tile leaves the \
                    first axes as they are";
        assert_eq!(error, want);
    }
}
