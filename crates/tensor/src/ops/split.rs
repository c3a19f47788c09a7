//! `split`: cuts an axis into parts of given lengths.

use backstitch_kernels::Element;

use super::moves;
use crate::shape::{ShapeError, axis_of, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Cuts axis `dim` into parts of these lengths. Views.
    ///
    /// # Shape
    /// `x (..., n, ...)` to one tensor per length, which add up to `n`.
    ///
    /// # Gradient
    /// Each part's gradient at the part's place; they add up.
    ///
    /// # Panics
    /// When the axis does not exist or the lengths do not add up to its length.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let parts = Tensor::from([1.0, 2.0, 3.0]).split([1, 2], 0);
    /// assert_eq!(parts[1].to_vec(), [2.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn split(&self, lens: impl AsRef<[usize]>, dim: isize) -> Vec<Tensor<T>> {
        let lens = lens.as_ref();
        let axis = or_panic(shape_rule(self.shape(), lens, dim)) as isize;
        let mut parts = Vec::with_capacity(lens.len());
        let mut start = 0;
        for &len in lens {
            parts.push(self.narrow(axis, start, len));
            start += len;
        }
        parts
    }
}

fn shape_rule(x: &[usize], lens: &[usize], dim: isize) -> Result<usize, ShapeError> {
    let axis = axis_of("split", dim, x.len())?;
    let sum = lens.iter().try_fold(0usize, |sum, &len| sum.checked_add(len));
    match sum == Some(x[axis]) {
        true => Ok(axis),
        false => {
            let rule = format!("lengths that add up to {}", x[axis]);
            Err(ShapeError::new("split", rule, format!("{lens:?} for dim {dim} of {x:?}")))
        }
    }
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "split",
    "the last n - 1 elements of the first axis, then its first",
    moves::SHAPES,
    &[&[&[]]],
    build!(|x| {
        let parts = x[0].split([1, x[0].shape().first().map_or(0, |n| n - 1)], 0);
        Tensor::concat(&[&parts[1], &parts[0]], 0)
    }),
    |x| {
        let n = x[0].shape()[0];
        moves::along_first(&x[0], n, |i| (i + 1) % n)
    },
)];

#[cfg(test)]
mod tests {
    use super::shape_rule;

    #[test]
    fn lengths_must_add_up() {
        let error = shape_rule(&[2, 3], &[1, 1], 1).unwrap_err().to_string();
        assert_eq!(error, "split: needs lengths that add up to 3; got [1, 1] for dim 1 of [2, 3]");
        assert_eq!(shape_rule(&[2, 3], &[0, 3], -1), Ok(1));
    }
}
