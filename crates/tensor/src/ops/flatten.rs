//! `flatten`: makes one axis of several.

use backstitch_kernels::Element;

use super::moves;
use crate::shape::{Shape, ShapeError, axis_of, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Makes one axis of the axes from `start` to `end`, both included; negative numbers count
    /// from the last. A scalar becomes a tensor of one axis.
    ///
    /// # Shape
    /// `x (A, B, C, D)` with 1 and 2 to `y (A, B C, D)`.
    ///
    /// # Gradient
    /// `dx` is `dy` in the shape of `x`.
    ///
    /// # Panics
    /// When an axis does not exist, or `end` lies before `start`.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// assert_eq!(Tensor::<f32>::zeros([2, 3, 4]).flatten(1, -1).shape(), [2, 12]);
    /// ```
    #[track_caller]
    pub fn flatten(&self, start: isize, end: isize) -> Tensor<T> {
        self.reshape(or_panic(shape_rule(self.shape(), start, end)))
    }
}

fn shape_rule(x: &[usize], start: isize, end: isize) -> Result<Shape, ShapeError> {
    let rank = x.len().max(1);
    let (first, last) = (axis_of("flatten", start, rank)?, axis_of("flatten", end, rank)?);
    if last < first {
        let got = format!("{start} to {end} for a tensor of shape {x:?}");
        return Err(ShapeError::new("flatten", "an end at or after the start", got));
    }
    if x.is_empty() {
        return Ok(Shape::new(&[1]));
    }
    let mut shape = Shape::new(&x[..first]);
    shape.push(x[first..=last].iter().product());
    shape.extend(x[last + 1..].iter().copied());
    Ok(shape)
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "flatten",
    "y[i, j k] = x[i, j, k], all axes but the first",
    moves::MATRICES,
    &[&[&[3]]],
    build!(|x| x[0].flatten(1, -1)),
    |x| {
        let (n, rest) = (x[0].shape()[0], x[0].shape()[1..].iter().product());
        Tensor::from_vec(x[0].to_vec(), [n, rest])
    },
)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_stretch_of_axes() {
        let x = Tensor::<f32>::zeros([2, 3, 4, 5]);
        let check = |start, end, want: &[usize]| assert_eq!(x.flatten(start, end).shape(), want);
        check(0, -1, &[120]);
        check(1, 2, &[2, 12, 5]);
        check(-2, -1, &[2, 3, 20]);
        check(2, 2, &[2, 3, 4, 5]);
        assert_eq!(Tensor::scalar(1.0f32).flatten(0, -1).shape(), [1]);
        let error = shape_rule(&[2, 3], 1, 0).unwrap_err().to_string();
        let want = "flatten: needs an end at or after the start; got 1 to 0 for a tensor of shape \
                    [2, 3]";
        assert_eq!(error, want);
    }
}
