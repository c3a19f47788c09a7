//! `roll`: shifts an axis in a circle.

use backstitch_kernels::Element;

use super::moves;
use crate::shape::{axis_of, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Shifts the elements along axis `dim` by `shift` places; those that leave at one end come in
    /// at the other.
    ///
    /// `y[.., i, ..] = x[.., (i - shift) mod n, ..]`
    ///
    /// # Shape
    /// `x (...)` to `y (...)`.
    ///
    /// # Gradient
    /// `dx` is `dy`, shifted back.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([1.0, 2.0, 3.0]);
    /// assert_eq!(x.roll(1, 0).to_vec(), [3.0, 1.0, 2.0]);
    /// assert_eq!(x.roll(-1, 0).to_vec(), [2.0, 3.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn roll(&self, shift: isize, dim: isize) -> Tensor<T> {
        let axis = or_panic(axis_of("roll", dim, self.rank()));
        let size = self.shape()[axis];
        let by = shift.rem_euclid(size.max(1) as isize) as usize;
        if by == 0 {
            return self.clone();
        }
        let axis = axis as isize;
        let (head, tail) = (self.narrow(axis, 0, size - by), self.narrow(axis, size - by, by));
        Tensor::concat(&[&tail, &head], axis)
    }
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "roll",
    "y[i] = x[(i - 2) mod n], along the first axis",
    moves::SHAPES,
    &[&[&[]]],
    build!(|x| x[0].roll(2, 0)),
    |x| {
        let n = x[0].shape()[0];
        moves::along_first(&x[0], n, |i| (i + 2 * n - 2) % n)
    },
)];

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;

    #[test]
    fn shifts_of_any_size() {
        let x = Tensor::from([0i64, 1, 2]);
        for (shift, want) in [(0, [0, 1, 2]), (3, [0, 1, 2]), (-4, [1, 2, 0]), (7, [2, 0, 1])] {
            assert_eq!(x.roll(shift, 0).to_vec(), want, "{shift}");
        }
        assert_eq!(Tensor::<f32>::zeros([0]).roll(1, 0).shape(), [0]);
    }
}
