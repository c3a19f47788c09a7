//! `squeeze`: drops axes of length 1.

use backstitch_kernels::Element;

use super::moves;
use crate::shape::{AxisSet, IntoDims, Shape, ShapeError, or_panic};
use crate::spec::{OpSpec, build};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Drops the axes `dims`, which must have length 1; with no dims, all axes of length 1.
    ///
    /// # Gradient
    /// `dx` is `dy` in the shape of `x`.
    ///
    /// # Panics
    /// When an axis does not exist, is named twice, or is longer than 1 (PyTorch leaves a longer
    /// one as it is).
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::<f32>::zeros([1, 3, 1]);
    /// assert_eq!(x.squeeze(-1).shape(), [1, 3]);
    /// assert_eq!(x.squeeze([]).shape(), [3]);
    /// ```
    #[track_caller]
    pub fn squeeze(&self, dims: impl IntoDims) -> Tensor<T> {
        let dims = dims.into_dims();
        match dims.is_empty() {
            true => {
                let kept = self.shape().iter().copied().filter(|&n| n != 1);
                self.reshape(kept.collect::<Shape>())
            }
            false => self.reshape(or_panic(shape_rule(self.shape(), dims))),
        }
    }
}

fn shape_rule(x: &[usize], dims: impl IntoDims) -> Result<Shape, ShapeError> {
    let dims = dims.into_dims();
    let axes = AxisSet::new("squeeze", dims, x.len())?;
    match axes.iter().all(|axis| x[axis] == 1) {
        true => Ok(axes.dropped(x)),
        false => {
            let got = format!("dims {dims:?} of {x:?}");
            Err(ShapeError::new("squeeze", "axes of length 1", got))
        }
    }
}

pub(super) const SPECS: &[OpSpec] = &[moves::spec(
    "squeeze",
    "y[j] = x[0, j], without the first axis",
    &[&[&[1]], &[&[1, 7]], &[&[1, 0]], &[&[1, 3, 5]], &[&[1, 256, 1024]]],
    &[&[&[3, 2]], &[&[]]],
    build!(|x| x[0].squeeze(0)),
    |x| Tensor::from_vec(x[0].to_vec(), &x[0].shape()[1..]),
)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_what_is_named_and_refuses_longer_axes() {
        let x = Tensor::<f32>::zeros([1, 2, 1, 3, 1]);
        assert_eq!(x.squeeze([0, -1]).shape(), [2, 1, 3]);
        assert_eq!(x.squeeze([]).shape(), [2, 3]);
        assert_eq!(Tensor::scalar(1.0f32).squeeze([]).shape(), []);
        let error = shape_rule(&[2, 3], 1).unwrap_err().to_string();
        assert_eq!(error, "squeeze: needs axes of length 1; got dims [1] of [2, 3]");
    }
}
